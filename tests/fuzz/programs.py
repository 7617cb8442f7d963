"""Runs programs under either library and records their variables."""

from __future__ import annotations

import ast
import contextlib
import functools
import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

import numpy
import torch

import tinytensor

Program = tuple[str, ...]

# Different weights give each element a different gradient. In float64, a sum of float16 elements
# does not overflow.
PREAMBLE = """\
def weighted_sum(x):
    weights = torch.linspace(0.5, 1.5, x.numel(), dtype=torch.float64)
    return (x.double() * weights.reshape(x.shape)).sum()
"""


@dataclass(frozen=True)
class Seen:
    """A snapshot of a Tensor."""

    dtype: str
    shape: tuple[int, ...]
    requires_grad: bool
    is_leaf: bool
    array: Any = field(compare=False)

    def __str__(self) -> str:
        grad = ", requires_grad" * self.requires_grad
        return f"{numpy.array2string(self.array, threshold=40)} ({self.dtype}, " \
               f"{self.shape}{grad})"


UNREADABLE = object()


@dataclass
class Run:
    """For each line of a program: its error or None, the assigned variables, and the variables
    that share memory with them. Also the final state.
    """

    errors: list[Exception | None]
    assigned: list[dict[str, Any]]
    shared: list[dict[str, list[str]]]
    state: dict[str, Any]


def run(program: Program, library: Any, nudge: Callable[[Any], None] | None = None) -> Run:
    """Runs a program in which `torch` is `library`. A line that raises does not end it.

    `nudge` may change what each line assigns.
    """
    names = namespace(library)
    done = Run([], [], [], {})
    with warnings.catch_warnings(), numpy.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for line in program:
            error = execute(line, names)
            done.errors.append(error)
            made = {} if error else {name: names[name] for name in targets(line)}
            if nudge is not None:
                for value in made.values():
                    nudge(value)
            done.assigned.append({name: seen(value) for name, value in made.items()})
            arrays = {name: array for name, value in names.items() if is_tensor(value)
                      and (array := memory(value)) is not None}
            done.shared.append({name: [other for other, array in arrays.items() if other != name
                                       and overlap(array, arrays[name])]
                                for name in made if name in arrays})
        for name, value in names.items():
            if name.startswith("v"):
                done.state[name] = seen(value)
                if is_tensor(value):
                    done.state[f"{name}.grad"] = seen(value.grad)
    return done


def namespace(library: Any) -> dict[str, Any]:
    names = {"torch": library, "np": numpy, "inf": math.inf, "nan": math.nan}
    exec(PREAMBLE, names)
    return names


def execute(line: str, names: dict[str, Any]) -> Exception | None:
    """The error that a line raises, or None."""
    try:
        avoid_crash(line, names)
        exec(compiled(line), names)
    except Exception as error:
        return error.with_traceback(None)
    return None


def avoid_crash(line: str, names: dict[str, Any]) -> None:
    """Lets PyTorch recompute the grad_fn of a view whose base was written to.

    Without it PyTorch 2.13 crashes when a hook is registered, and takes the view for a leaf when it
    is written to.
    """
    for name in variables(line):
        if isinstance(names.get(name), torch.Tensor):
            with contextlib.suppress(RuntimeError):
                _ = names[name].grad_fn


@functools.lru_cache(4096)
def compiled(line: str) -> CodeType:
    return compile(line, "<program>", "exec")


@functools.lru_cache(4096)
def targets(line: str) -> tuple[str, ...]:
    """The variables that a line assigns."""
    return tuple(node.id for node in ast.walk(ast.parse(line))
                 if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))


@functools.lru_cache(4096)
def variables(line: str) -> frozenset[str]:
    """The variables that occur in a line."""
    return frozenset(node.id for node in ast.walk(ast.parse(line))
                     if isinstance(node, ast.Name) and node.id[:1] == "v" and node.id[1:].isdigit())


def seen(value: Any) -> Any:
    """A snapshot of a value that later lines cannot change.

    It is UNREADABLE for a view whose grad_fn PyTorch cannot compute.
    """
    try:
        return _seen(value)
    except RuntimeError:
        return UNREADABLE


def _seen(value: Any) -> Any:
    if is_tensor(value):
        return Seen(str(value.dtype).partition(".")[2], tuple(value.shape), value.requires_grad,
                    value.is_leaf, numpy.array(value.detach().numpy()))
    if isinstance(value, list | tuple):
        return [seen(x) for x in value]
    if isinstance(value, dict):
        return {key: seen(x) for key, x in value.items()}
    return value


def flat(values: list[Any]) -> Iterator[Any]:
    for value in values:
        if isinstance(value, list):
            yield from flat(value)
        else:
            yield value


def is_tensor(value: Any) -> bool:
    return isinstance(value, tinytensor.Tensor | torch.Tensor)


def memory(tensor: Any) -> Any:
    """An array that shares memory with a Tensor, or None if it is empty or unreadable."""
    try:
        return tensor.detach().numpy() if tensor.numel() else None
    except RuntimeError:
        return None


def overlap(a: Any, b: Any) -> bool:
    """Whether two arrays share an element. True if this is too expensive to decide."""
    try:
        return bool(numpy.shares_memory(a, b, max_work=10_000))
    except numpy.exceptions.TooHardError:
        return True


def printed(program: Program, library: str = "tinytensor") -> str:
    """The program as a file that runs under either library."""
    text = "\n".join(program)
    head = [f"import {library} as torch"]
    if "np." in text:
        head.append("import numpy as np")
    if "inf" in text or "nan" in text:
        head.append("from math import inf, nan")
    if "weighted_sum" in text:
        head += ["", "", PREAMBLE]
    return "\n".join(head) + f"\n{text}\n"
