"""Print `table.pyi`, the stub file of the table of operations.

The functions and methods of the table are made at run time; type checkers and editors read their
signatures in `table.pyi`. A test compares that file with this output.
"""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Callable
from typing import Any

import numpy

from ..autograd.table import TABLE, Entry
from ..ops import REFLECTED
from ..ops.samples import concrete
from ..tensors import creation
from ..tensors.tensor import Tensor

HEADER = '''"""The functions and methods that follow from the table of operations.

Written by `python -m tinytensor stubs`; not to be edited.
"""

from typing import Any

from .tensors.tensor import Tensor
'''
UNARY = {"__neg__", "__abs__", "__invert__", "__pos__"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command has no options."""


def run(options: argparse.Namespace) -> None:
    print(text(), end="")


def result_type(entry: Entry) -> str:
    """What a call gives, as seen on a sample."""
    for sample in entry.samples:
        call = concrete(sample, numpy.random.default_rng(0),
                        lambda values, spec: creation.tensor(values))
        result = entry.function(*call.args, **call.kwargs)
        if isinstance(result, Tensor):
            return "Tensor"
        if isinstance(result, tuple | list):
            return "tuple[Tensor, ...]"
        return type(result).__name__
    return "Tensor"


def signature(function: Callable[..., Any], method: bool, varargs: str = "") -> str:
    """The parameters as a stub shows them: names and kinds, `...` for a default."""
    shown, keyword_only = [], False
    for i, p in enumerate(inspect.signature(function).parameters.values()):
        if method and i == 0:
            shown.append("self")
        elif p.name == varargs:
            shown.append(f"*{p.name}: Any")
            keyword_only = True
        elif p.kind is p.VAR_KEYWORD:
            shown.append(f"**{p.name}: Any")
        elif p.kind is p.VAR_POSITIONAL:
            shown.append(f"*{p.name}: Any")
            keyword_only = True
        else:
            if p.kind is p.KEYWORD_ONLY and not keyword_only:
                shown.append("*")
                keyword_only = True
            shown.append(f"{p.name}: Any" + (" = ..." if p.default is not p.empty else ""))
    return ", ".join(shown)


def methods() -> list[str]:
    """The lines of the class that Tensor takes its methods from."""
    lines = {"__getitem__": "def __getitem__(self, key: Any) -> Tensor: ...",
             "__setitem__": "def __setitem__(self, key: Any, value: Any) -> None: ..."}
    for entry in TABLE.values():
        given = result_type(entry)
        if entry.method:
            for name in (entry.name, *entry.aliases):
                parameters = signature(entry.function, True, entry.varargs)
                lines[name] = f"def {name}({parameters}) -> {given}: ..."
                if entry.inplace:
                    lines[f"{name}_"] = f"def {name}_({parameters}) -> Tensor: ..."
        if entry.operator:
            other = "" if entry.operator in UNARY else ", other: Any"
            wide = entry.operator in ("__eq__", "__ne__")
            ignored = "  # type: ignore[override]" if wide else ""
            lines[entry.operator] = f"def {entry.operator}(self{other}) -> Tensor: ...{ignored}"
            if entry.operator in REFLECTED:
                word = entry.operator.strip("_")
                for form in (f"__r{word}__", f"__i{word}__"):
                    lines[form] = f"def {form}(self, other: Any) -> Tensor: ..."
    return [lines[name] for name in sorted(lines)]


def functions(home: str) -> list[str]:
    """The functions of a module: "" for the package itself."""
    lines: dict[str, str] = {}
    for entry in TABLE.values():
        if entry.home == home and not entry.internal:
            for name in (entry.name, *entry.aliases):
                lines[name] = f"def {name}({signature(entry.function, False)}) -> " \
                              f"{result_type(entry)}: ..."
    return [lines[name] for name in sorted(lines)]


def text() -> str:
    """The whole of `table.pyi`."""
    body = [HEADER, "class Methods:", *(f"    {line}" for line in methods()), "",
            *functions("")]
    return "\n".join(body) + "\n"
