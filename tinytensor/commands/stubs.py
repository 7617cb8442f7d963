"""Write `tinytensor/table/`: what type checkers and editors know of the table of operations.

The functions and methods of the table are attached when the package is imported, and the functions
that define them compute on arrays, so no checker can read their types from the source. This
command writes the types, with the docstrings and the defaults, as stubs. A test compares the files
with the table.

    functions.pyi, functional.pyi, ...    typed signatures: mypy, pyright, the hover of an editor
    functions.py, functional.py, ...      imports of the definitions, beside each stub
    methods.pyi                           the methods of Tensor

An editor looks for the source of a stub in the module of the same name. There it follows the
import, so "go to definition" leads from `tt.mul` to `mul` in ops/elementwise.py. Re-exports without
stubs would lead there too, but give `Any` as the type of every result. From a method of a stub an
editor finds only a `def` in a class, and the methods of the table are functions: each method names
the file of its definition.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy

from .. import linalg, special
from ..arrays import dtypes
from ..autograd.table import TABLE, Entry
from ..compat import names
from ..nn import functional
from ..ops.samples import concrete
from ..tensors import creation
from ..tensors.tensor import Tensor
from .signatures import (
    INDICES,
    METHODS,
    SIZES,
    Signature,
    operators,
    own_signature,
    signatures,
)

FOLDER = Path(__file__).parent.parent / "table"
WIDTH = 100
WRITTEN = "Written by `python -m tinytensor stubs`; not to be edited."
# What the stubs import from where, if they use it.
IMPORTS = {
    "collections.abc": ("Callable", "Iterable", "Sequence"), "types": ("EllipsisType",),
    "typing": ("Any", "Literal", "NamedTuple", "Self", "TypeAlias", "overload"),
    "..arrays.dtypes": ("memory_format",),
    "..compat.modules.storage": ("TypedStorage", "UntypedStorage"),
    "..compat.names": ("TensorType",),
    "..random": ("Generator",),
    "..tensors.tensor": ("DeviceLike", "DTypeLike", "NumPyArray", "Size", "Tensor"),
}
ALIASES = """
# What may be beside a Tensor in an operator: numbers and arrays.
Operand: TypeAlias = Tensor | float | NumPyArray | numpy.number[Any] | numpy.bool
Index: TypeAlias = int | slice | EllipsisType | Tensor | NumPyArray | Sequence[Any] | None
"""
# Comparisons give Tensors: object's `==` gives a bool, the comparisons of NumPy's numbers theirs.
IGNORED = {**dict.fromkeys(("__eq__", "__ne__"), "override"),
           **dict.fromkeys(("__lt__", "__le__", "__gt__", "__ge__"), "misc")}


# ---------------------------------------------------------------- results


@dataclass
class Results:
    """The types of what operations return, as seen on their samples."""

    types: dict[str, str] = field(default_factory=dict)  # by the name of the operation
    named: dict[str, tuple[str, ...]] = field(default_factory=dict)  # fields of named tuples


def observed() -> Results:
    """The results of every operation on its first sample."""
    results = Results()
    for entry in public_entries():
        kind = "Tensor"
        for sample in entry.samples[:1]:
            call = concrete(sample, numpy.random.default_rng(0),
                            lambda values, spec: creation.tensor(values))
            kind = type_of(entry.function(*call.args, **call.kwargs), entry, results)
        results.types[entry.key] = kind
    return results


def type_of(result: Any, entry: Entry, results: Results) -> str:
    """The type of a result; the fields of a named tuple are noted."""
    if isinstance(result, Tensor):
        return "Tensor"
    if hasattr(result, "_fields"):
        name = re.sub(r"(?:^|_)([a-z])", lambda m: m[1].upper(), type(result).__name__)
        if result._fields == ("values", "indices"):
            name = INDICES  # one for max, sort, topk and others
        results.named[name] = result._fields
        return name
    if type(result) in (tuple, list):
        return "tuple[Tensor, Tensor]" if entry.name.endswith("_mean") else "tuple[Tensor, ...]"
    return type(result).__name__


def public_entries() -> list[Entry]:
    """The operations that users can call."""
    return [entry for entry in TABLE.values() if not entry.internal]


def entries(home: str) -> dict[str, Entry]:
    """The operations of a module by their names, in alphabetical order: "" is the package."""
    offered = {name: entry for entry in public_entries() if entry.home == home
               for name in (entry.name, *entry.aliases)}
    return dict(sorted(offered.items()))


# ---------------------------------------------------------------- text


def stub(title: str, lines: list[str], results: Results | None = None) -> str:
    """The text of a stub: the title, the imports that the lines need, and the lines."""
    words = set(re.findall(r"\w+", "\n".join(lines)))
    offered = IMPORTS | ({".methods": ("Operand", *sorted(results.named))} if results else {})
    imports = [f"import {name}" for name in ("builtins", "numpy") if name in words]
    for module, known in offered.items():
        used = ", ".join(name for name in known if name in words)
        if used:
            imports += filled(f"from {module} import (", used, ")") \
                if len(used) > WIDTH // 2 else [f"from {module} import {used}"]
    return "\n".join([f'"""{title}\n\n{WRITTEN}\n"""', "", *imports, "", *lines]) + "\n"


def source(title: str, imports: list[str]) -> str:
    """The text of a module beside a stub."""
    head = f'"""{title[:-1]}: where they are defined.\n\n{WRITTEN}\n"""'
    return "\n".join([head, "", *imports]) + "\n"


def filled(start: str, items: str, end: str, indent: str = "    ") -> list[str]:
    """The items within brackets, on lines of their own."""
    inside = textwrap.wrap(f"{items},", WIDTH, initial_indent=indent, subsequent_indent=indent,
                           break_on_hyphens=False)
    return [start, *inside, end]


def definition(name: str, variants: tuple[Signature, ...], doc: str, indent: str = "",
               note: str = "") -> list[str]:
    """A function: each of its signatures, with the docstring and the note under the first."""
    lines = []
    for i, signature in enumerate(variants):
        if len(variants) > 1:
            lines.append(f"{indent}@overload")
        line = f"{indent}def {name}{signature}:"
        if len(line) > WIDTH:
            *above, line = filled(f"{indent}def {name}(", ", ".join(signature.parameters),
                                  f"{indent}) -> {signature.result}:", f"{indent}        ")
            lines += above
        comment = f"  # {note}" if note and i == 0 else ""
        body = docstring(doc, f"{indent}    ") if doc and i == 0 else []
        lines += [f"{line}{comment}", *body] if body else [f"{line} ...{comment}"]
    return lines


def docstring(text: str, indent: str) -> list[str]:
    """The lines of a docstring."""
    escaped = inspect.cleandoc(text).replace("\\", "\\\\").replace('"""', r'\"\"\"')
    first, *rest = escaped.split("\n")
    if not rest:
        return [f'{indent}"""{first}"""']
    return [f'{indent}"""{first}', *(f"{indent}{line}".rstrip() for line in rest), f'{indent}"""']


# ---------------------------------------------------------------- the methods of Tensor


@dataclass
class Method:
    """A method as the stub shows it."""

    signatures: tuple[Signature, ...]
    doc: str
    note: str = ""  # the file of the definition

    def lines(self, name: str) -> list[str]:
        """The text within the class."""
        within = tuple(signature.in_tensor() for signature in self.signatures)
        return definition(name, within, self.doc, "    ", self.note)


def from_the_table(results: Results) -> dict[str, Method]:
    """The methods that the table gives to Tensor, by name."""
    methods = {}
    for entry in public_entries():
        note = f"ops/{place_of(entry)[0]}.py"
        for name, signature in operators(entry):
            ignored = f"type: ignore[{IGNORED[name]}]  # " if name in IGNORED else ""
            methods[name] = Method((signature,), "", f"{ignored}{note}")
        if not entry.method:
            continue
        variants = tuple(signature.as_method(entry.varargs)
                         for signature in signatures(entry, results.types[entry.key]))
        for name in (entry.name, *entry.aliases):
            methods[name] = Method(variants, entry.doc, note)
            if entry.inplace:
                doc = getattr(Tensor, f"{name}_").__doc__ or ""
                methods[f"{name}_"] = Method((replace(variants[0], result="Self"),), doc, note)
    return methods


def attached() -> dict[str, Any]:
    """The attributes of Tensor that its class statement does not define."""
    module = ast.parse(inspect.getsource(inspect.getmodule(Tensor)))  # type: ignore[arg-type]
    statement = next(node for node in module.body
                     if isinstance(node, ast.ClassDef) and node.name == "Tensor")
    defined = {node.name for node in ast.walk(statement) if isinstance(node, ast.FunctionDef)}
    for node in statement.body:
        targets = node.targets if isinstance(node, ast.Assign) else \
            [node.target] if isinstance(node, ast.AnnAssign) else []
        defined |= {target.id for target in targets if isinstance(target, ast.Name)}
    return {name: value for name, value in vars(Tensor).items()
            if name not in defined and name not in dir(object)}


def beside_the_table(name: str, function: Any, table: dict[str, Method]) -> Method:
    """A method of Tensor that is attached by hand."""
    out_of_place = table.get(name.removesuffix("_"))
    if name in METHODS:
        signature = METHODS[name]
    elif name.endswith("_") and out_of_place:  # x.squeeze_ takes what x.squeeze takes
        signature = replace(out_of_place.signatures[0], result="Self")
    else:
        signature = own_signature(function, name)
    return Method((signature,), function.__doc__ or "")


def methods(results: Results) -> str:
    """The text of methods.pyi."""
    table = from_the_table(results)
    lines = {name: method.lines(name) for name, method in table.items()}
    for name, value in attached().items():
        if isinstance(value, property):
            doc = docstring(getattr(value.fget, "__doc__", None) or "", "        ")
            result = value.fget.__annotations__["return"]
            lines[name] = ["    @property", f"    def {name}(self) -> {result}:", *doc]
        elif inspect.isfunction(value) and name not in table:
            lines[name] = beside_the_table(name, value, table).lines(name)
    body = ALIASES.splitlines()
    for name, fields in sorted(results.named.items()):
        body += ["", f"class {name}(NamedTuple):", *(f"    {word}: Tensor" for word in fields)]
    body += ["", "class Methods:", *(line for name in sorted(lines) for line in lines[name])]
    return stub("The methods of Tensor that follow from the table of operations.", body)


# ---------------------------------------------------------------- the functions of a module


def place_of(entry: Entry) -> tuple[str, str]:
    """The module of `ops/` that defines an operation, and its name there."""
    file = entry.module.rpartition(".")[2]
    defined = entry.op.function if entry.op else entry.function
    for name, value in vars(sys.modules[entry.module]).items():
        if value is defined or value is inspect.unwrap(defined):
            return file, name
    return file, (entry.op.forward if entry.op else defined).__name__


def functions(home: str, title: str, results: Results, shared: tuple[str, ...] = (),
              extra: list[str] | None = None) -> tuple[str, str]:
    """The stub of the functions of a module, and the module that leads to their definitions.

    `shared` are names of the package's functions that the module has too, `extra` further lines.
    """
    lines, imports = [], []
    offered = entries(home)
    for name, entry in offered.items():
        variants = signatures(entry, results.types[entry.key])
        if home in ("", "linalg", "special"):
            variants = tuple(variant.with_out() for variant in variants)
        lines += definition(name, variants, entry.doc)
        file, place = place_of(entry)
        imports.append(f"from ..ops.{file} import {place} as {name}")
    lines += [f"from .functions import {name} as {name}"
              for name in sorted(shared) if name in entries("") and name not in offered]
    return stub(title, [*lines, *(extra or [])], results), source(title, imports)


def in_place_functions() -> list[str]:
    """The in-place forms that are functions of the package."""
    offered = entries("")
    return [line for name in names.IN_PLACE for line in definition(
        f"{name}_", signatures(offered[name], "Tensor")[:1],
        getattr(names.Tensor, f"{name}_").__doc__)] + [
        line for name, parameters in names.IN_PLACE_ONLY.items() for line in definition(
            name, (Signature(tuple(parameters.split(", "))),), getattr(names.Tensor, name).__doc__)
    ] + [f"from .functional import {name}_ as {name}_" for name in names.IN_PLACE_THERE]


def extra_functional() -> list[str]:
    """The functions of `nn.functional` beside the table: in-place forms, results with positions."""
    offered = entries("") | entries("nn.functional")
    lines = []
    for name in functional.IN_PLACE:
        doc = getattr(functional, f"{name}_").__doc__
        lines += definition(f"{name}_", signatures(offered[name], "Tensor")[:1], doc)
    for name in functional.WITH_INDICES:
        whole = signatures(offered[name], "Tensor")[0]
        parameters = [p for p in whole.parameters if "return_indices" not in p]
        lines += definition(f"{name}_with_indices", (Signature(tuple(parameters), INDICES),),
                            offered[name].doc)
    resized = Signature(("input: Tensor", f"size: {SIZES} | None = None",
                         "scale_factor: float | Sequence[float] | None = None"))
    for name in ("upsample_nearest", "upsample_bilinear"):
        lines += definition(name, (resized,), offered["interpolate"].doc)
    lines.append("from ..nn.attention import multi_head_attention_forward as "
                 "multi_head_attention_forward")
    return lines


def dtype_names() -> tuple[str, str]:
    """The stub of the dtypes, whose names are those of Python's types, and where they are."""
    title = "The dtypes, and the tensor types of older programs."
    lines = ["from ..arrays.dtypes import dtype", "",
             *(f"{name}: dtype" for name in dtypes.BY_NAME),
             *(f"{name}: TensorType" for name in names.TYPE_NAMES)]
    places = {id(value): name for name, value in reversed(vars(dtypes).items()) if name[0] != "_"}
    imports = [f"from ..arrays.dtypes import {places[id(d)]} as {name}"
               for name, d in dtypes.BY_NAME.items()]
    return stub(title, lines), source(title, imports)


def files() -> dict[str, str]:
    """The text of each generated file, by its name in `table/`."""
    results = observed()
    sigmoid = entries("")["sigmoid"]
    made = {
        "dtypes": dtype_names(),
        "functions": functions(
            "", "The functions of the package that are operations.", results,
            extra=[*(f"from .functional import {name} as {name}"
                     for name in names.ALSO_AT_THE_TOP), *in_place_functions()]),
        "functional": functions("nn.functional", "The functions of `nn.functional`.", results,
                                functional.SHARED, extra_functional()),
        "linalg": functions("linalg", "The functions of `linalg`.", results, linalg.SHARED),
        "special": functions(
            "special", "The functions of `special`.", results, special.SHARED,
            [*(f"from .functions import {other} as {name}" for name, other in special.SAME.items()),
             "modified_bessel_i1 = i1",
             *definition("expit", signatures(sigmoid, "Tensor"), sigmoid.doc)])}
    return {"methods.pyi": methods(results),
            **{f"{name}.pyi": typed for name, (typed, _) in made.items()},
            **{f"{name}.py": imports for name, (_, imports) in made.items()}}


def write() -> Iterator[Path]:
    """Writes the files whose text has changed; gives their paths."""
    for name, text in files().items():
        path = FOLDER / name
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            yield path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command has no options."""


def run(options: argparse.Namespace) -> None:
    """Writes the files and prints the paths of those that have changed."""
    for path in write():
        print(path)
