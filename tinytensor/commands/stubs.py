"""Writes `tinytensor/table/`: what type checkers and editors know of the table of operations.

The functions and methods of the table are attached when the package is imported, and the functions
that define them compute on arrays, so no checker can read their types from the source. This
command writes the types, with the docstrings and the defaults, as stubs. A test compares the files
with the table.

    functions.pyi, functional.pyi, ...    typed signatures: mypy, pyright, the hover of an editor
    functions.py, functional.py, ...      imports of the definitions, beside each stub
    methods.pyi                           the methods of Tensor

An editor looks for the source of a stub in the module of the same name. There it follows the
import, so "go to definition" leads from `tt.mul` to `mul` in ops/elementwise.py. Re-exports without
stubs would lead there too, but give `Any` as the type of every result. A method of a stub can lead
only to a `def` in a class, and the methods of the table are functions; each method names the file
of its definition.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy

from .. import linalg, special
from ..arrays import dtypes
from ..autograd.op import TABLE, Entry
from ..compat import names
from ..nn import functional
from ..ops import REFLECTED
from ..ops.samples import concrete
from ..tensors import creation
from ..tensors.tensor import Tensor

FOLDER = Path(__file__).parent.parent / "table"
WIDTH = 100
WRITTEN = "Written by `python -m tinytensor stubs`; not to be edited."
IMPORTS = {
    "collections.abc": ("Callable", "Iterable", "Sequence"), "types": ("EllipsisType",),
    "typing": ("Any", "Literal", "NamedTuple", "Self", "TypeAlias", "overload"),
    "..arrays.dtypes": ("memory_format",), "..compat.names": ("TensorType",),
    "..random": ("Generator",),
    "..tensors.tensor": ("DeviceLike", "DTypeLike", "NumPyArray", "Size", "Tensor"),
    ".methods": (),  # whatever a stub of functions takes from it
}
UNARY = {"__neg__", "__abs__", "__invert__", "__pos__"}
IGNORED = {"__eq__": "override", "__ne__": "override",  # of object, which gives bool
           **dict.fromkeys(("__lt__", "__le__", "__gt__", "__ge__"), "misc")}  # NumPy's too

# ---------------------------------------------------------------- types of parameters

# By the name of the parameter, where the definition does not say it: without a default or with one
# that is not None, and with None as the default.
TENSOR, OPERAND, SIZES = "Tensor", "Operand", "int | Sequence[int]"
REQUIRED = {
    **dict.fromkeys(("dimension", "dim", "dim0", "dim1", "dim2", "groups", "downscale_factor",
                     "upscale_factor", "k", "length", "n", "num_groups", "start", "chunks"), "int"),
    **dict.fromkeys(("dims", "destination", "indices_or_sections", "kernel_size", "output_size",
                     "normalized_shape", "repeats", "shape", "shifts", "split_size_or_sections",
                     "padding", "stride", "dilation", "output_padding"), SIZES),
    **dict.fromkeys(("max", "min", "other", "exponent", "end", "elements", "test_elements"),
                    OPERAND),
    **dict.fromkeys(("pad", "size", "sizes"), "Sequence[int]"),
    **dict.fromkeys(("alpha", "beta", "delta", "eps", "k", "margin", "maxnorm", "norm_type", "p",
                     "tau", "momentum", "rtol", "atol", "rcond", "dropout_p", "ord", "value",
                     "label_smoothing"), "float"),
    **dict.fromkeys(("input_lengths", "target_lengths"), "Tensor | Sequence[int]"),
    **dict.fromkeys(("equation", "reduce", "UPLO"), "str"),
    **dict.fromkeys(("unitriangular", "upper"), "bool"),
    "tensors": "Sequence[Tensor]", "parameters": "Iterable[Tensor]",
    "q": "Tensor | float | Sequence[float]", "var": "Tensor | float", "generator": "Generator",
}
OPTIONAL = {
    **dict.fromkeys(("dim", "size", "output_size", "stride"), SIZES),
    **dict.fromkeys(("align_corners", "reduce", "size_average", "recompute_scale_factor"), "bool"),
    **dict.fromkeys(("axis", "divisor_override", "padding_idx", "storage_offset"), "int"),
    **dict.fromkeys(("correction", "dx", "eps", "max_norm", "scale"), "float"),
    **dict.fromkeys(("driver", "rounding_mode", "side"), "str"),
    **dict.fromkeys(("atol", "rtol", "rcond"), "Tensor | float"),
    **dict.fromkeys(("min", "max", "other"), OPERAND),
    "dims": SIZES, "ord": "float | str", "p": "float | str", "value": "float",
    "repeats": "Tensor | int", "range": "tuple[float, float]",
    "dtype": "DTypeLike", "device": "DeviceLike", "generator": "Generator",
    "memory_format": "memory_format",
    "scale_factor": "float | Sequence[float]", "layout": "str",
    "distance_function": "Callable[[Tensor, Tensor], Tensor]",
}
VARIADIC = {"shapes": SIZES}
# Of single operations: (operation, parameter).
EXACT = {
    ("select", "index"): "int", ("movedim", "source"): SIZES,
    ("index_put", "indices"): "Sequence[Tensor]", ("index_put", "values"): OPERAND,
    ("masked_fill", "value"): OPERAND, ("index_fill", "value"): OPERAND,
    ("scatter", "value"): "float | None", ("scatter", "src"): "Operand | None",
    ("scatter", "reduce"): "str | None", ("lerp", "weight"): OPERAND,
    ("rsub", "input"): OPERAND, ("float_power", "input"): OPERAND, ("xlogy", "input"): OPERAND,
    ("repeat_interleave", "output_size"): "int | None",
    ("nn.functional.local_response_norm", "size"): "int",
    ("nn.functional.scaled_dot_product_attention", "value"): TENSOR,
    ("nn.functional.softmin", "dim"): "int | None", ("softmax", "dim"): "int | None",
    ("log_softmax", "dim"): "int | None", ("median", "dim"): "int | None",
    ("tensordot", "dims"): "int | Sequence[Sequence[int]]",
    ("histogram", "bins"): "Tensor | int | Sequence[int]",
    ("linalg.norm", "dim"): "int | Sequence[int] | None",
    ("linalg.matrix_norm", "dim"): "Sequence[int]", ("linalg.matrix_norm", "ord"): "float | str",
    ("norm", "p"): "float | str | None",
    ("nn.functional.batch_norm", "running_mean"): "Tensor | None",
    ("nn.functional.batch_norm", "running_var"): "Tensor | None",
    ("meshgrid", "tensors"): "Tensor | Sequence[Tensor]",
    ("einsum", "equation"): "str | Tensor", ("einsum", "operands"): "Tensor | Sequence[Any]",
    ("nn.functional.normalize", "dim"): SIZES,
    ("searchsorted", "input"): OPERAND, ("bucketize", "input"): OPERAND,
    **{(f"nn.functional.conv{n}d", "padding"): "int | Sequence[int] | str" for n in (1, 2, 3)},
    **{(f"nn.functional.adaptive_{kind}_pool{n}d", "output_size"):
       "int | None | Sequence[int | None]" for kind in ("avg", "max") for n in (1, 2, 3)},
}
# Whole signatures, where the result depends on the arguments.
_INDICES = "return_indices: Literal[{0}]"
SIGNATURES = {
    "max": ("(input: Tensor) -> Tensor", "(input: Tensor, other: Tensor) -> Tensor",
            "(input: Tensor, dim: int, keepdim: bool = False) -> ValuesAndIndices"),
    "unique": (
        "(input: Tensor, sorted: bool = True, return_inverse: Literal[False] = False, "
        "return_counts: Literal[False] = False, dim: int | None = None) -> Tensor",
        "(input: Tensor, sorted: bool = True, return_inverse: bool = False, "
        "return_counts: bool = False, dim: int | None = None) -> tuple[Tensor, ...]"),
    "unique_consecutive": (
        "(input: Tensor, return_inverse: Literal[False] = False, "
        "return_counts: Literal[False] = False, dim: int | None = None) -> Tensor",
        "(input: Tensor, return_inverse: bool = False, return_counts: bool = False, "
        "dim: int | None = None) -> tuple[Tensor, ...]"),
    "nonzero": ("(input: Tensor, *, as_tuple: Literal[False] = False) -> Tensor",
                "(input: Tensor, *, as_tuple: Literal[True]) -> tuple[Tensor, ...]"),
    "where": ("(condition: Tensor) -> tuple[Tensor, ...]",
              "(condition: Tensor, input: Operand, other: Operand) -> Tensor"),
    "median": ("(input: Tensor) -> Tensor",
               "(input: Tensor, dim: int, keepdim: bool = False) -> ValuesAndIndices"),
}
SIGNATURES |= {"min": SIGNATURES["max"], "nanmedian": SIGNATURES["median"]}
SIGNATURES |= {f"atleast_{n}d": ("(tensor: Tensor, /) -> Tensor",
                                 "(tensors: Sequence[Tensor], /) -> tuple[Tensor, ...]",
                                 "(*tensors: Tensor) -> tuple[Tensor, ...]") for n in (1, 2, 3)}
# Methods that are not in the table.
METHODS = {
    "__getitem__": "(self, key: Index) -> Tensor",
    "__setitem__": "(self, key: Index, value: Operand | Sequence[Any]) -> None",
    "to": "(self, *args: DTypeLike | DeviceLike | Tensor | None, dtype: DTypeLike | None = None, "
          "device: DeviceLike | None = None, copy: bool = False, non_blocking: bool = False, "
          "memory_format: memory_format | None = None) -> Tensor",
    "copy_": "(self, other: Tensor, non_blocking: bool = False) -> Self",
    "fill_": "(self, value: Operand) -> Self",
    "where": "(self, condition: Tensor, other: Operand) -> Tensor",
    "bernoulli_": "(self, p: Tensor | float = 0.5, *, generator: Generator | None = None) -> Self",
    "new_full": "(self, size: Sequence[int], fill_value: Tensor | float, *, "
                "dtype: DTypeLike | None = None, device: DeviceLike | None = None, "
                "requires_grad: bool = False) -> Tensor",
    **{f"new_{name}": "(self, *size: int | Sequence[int], dtype: DTypeLike | None = None, "
                      "device: DeviceLike | None = None, requires_grad: bool = False) -> Tensor"
       for name in ("zeros", "ones", "empty")},
    "new_tensor": "(self, data: Any, *, dtype: DTypeLike | None = None, "
                  "device: DeviceLike | None = None, requires_grad: bool = False) -> Tensor",
    "new": "(self, *data: Any) -> Tensor",
}
ALIASES = """
# What may be beside a Tensor in an operator: numbers and arrays.
Operand: TypeAlias = Tensor | float | NumPyArray | numpy.number[Any] | numpy.bool
Index: TypeAlias = int | slice | EllipsisType | Tensor | NumPyArray | Sequence[Any] | None
"""


def stub(title: str, lines: list[str], of_methods: list[str]) -> str:
    """The text of a stub: the title, the imports that the lines need, and the lines."""
    words = set(re.findall(r"\w+", "\n".join(lines)))
    imports = [f"import {name}" for name in ("builtins", "numpy") if name in words]
    for module, offered in {**IMPORTS, ".methods": of_methods}.items():
        used = [name for name in offered if name in words]
        if used:
            imports += textwrap.wrap(f"from {module} import {', '.join(used)}", WIDTH) \
                if len(used) < 8 else [f"from {module} import (", *textwrap.wrap(
                    f"{', '.join(used)},", WIDTH, initial_indent="    ",
                    subsequent_indent="    "), ")"]
    return "\n".join([f'"""{title}\n\n{WRITTEN}\n"""', "", *imports, "", *lines]) + "\n"


# ---------------------------------------------------------------- one operation


def key_of(entry: Entry) -> str:
    return f"{entry.home}.{entry.name}" if entry.home else entry.name


def result_of(entry: Entry) -> Any:
    """The result of the first sample, or None without samples."""
    for sample in entry.samples:
        call = concrete(sample, numpy.random.default_rng(0),
                        lambda values, spec: creation.tensor(values))
        return entry.function(*call.args, **call.kwargs)
    return None


def result_type(entry: Entry, named: dict[str, tuple[str, ...]]) -> str:
    """The type of the result; a named tuple is noted in `named` with its fields."""
    result = result_of(entry)
    if result is None or isinstance(result, Tensor):
        return "Tensor"
    fields = getattr(result, "_fields", None)
    if fields:
        name = re.sub(r"(?:^|_)([a-z])", lambda m: m[1].upper(), type(result).__name__)
        if named.get(name, fields) != fields:  # linalg.svd and svd
            name = f"{entry.home.title()}{name}"
        named[name] = fields
        return name
    if type(result) in (tuple, list):
        several = ", ".join(["Tensor"] * 2) if entry.name.endswith("_mean") else "Tensor, ..."
        return f"tuple[{several}]"
    return type(result).__name__


def takes_numbers(entry: Entry) -> bool:
    """Whether a Python number may be in the place of one of the Tensors."""
    return entry.op is not None and entry.op.promotes in ("common", "float", "floating") \
        and len(entry.op.signature.inputs) > 1


def annotation(entry: Entry, p: inspect.Parameter) -> str:
    """The type of a parameter: as the definition says it, or by its name and default."""
    exact = EXACT.get((key_of(entry), p.name))
    if exact:
        return exact
    said = p.annotation if isinstance(p.annotation, str) else ""
    array = OPERAND if takes_numbers(entry) else TENSOR
    if "Array" in said:
        return said.replace("Array", array)
    if said == "Dim":
        return "int | Sequence[int] | None" if p.default is None else SIZES
    if said and "Any" not in said:
        return said
    if p.default is None:
        return f"{OPTIONAL.get(p.name, TENSOR)} | None"
    kind = type(p.default).__name__
    if p.kind is p.VAR_POSITIONAL:
        return VARIADIC.get(p.name, TENSOR)
    if p.default is p.empty:
        return REQUIRED.get(p.name, TENSOR)
    return kind if isinstance(p.default, bool | str | float) else REQUIRED.get(p.name, kind)


def default(p: inspect.Parameter) -> str:
    """The text after the annotation."""
    simple = p.default is None or isinstance(p.default, bool | int | float | str | tuple)
    return "" if p.default is p.empty else f" = {p.default!r}" if simple else " = ..."


def signatures(entry: Entry, result: str) -> tuple[str, ...]:
    """The signatures of a function: several where the result depends on the arguments."""
    if key_of(entry) in SIGNATURES:
        return SIGNATURES[key_of(entry)]
    parameters = list(inspect.signature(entry.function).parameters.values())
    names = {p.name for p in parameters}
    before: list[str] = []
    keywords: list[str] = []
    for p in parameters:
        text = f"{p.name}: {annotation(entry, p)}{default(p)}"
        if p.kind is p.VAR_POSITIONAL:
            before.append(f"*{text}")
        elif p.kind is p.KEYWORD_ONLY:
            keywords.append(text)
        elif p.kind is not p.VAR_KEYWORD:
            before.append(text)
        if p.name == "dim" and p.default is not p.empty and "axis" not in names:
            keywords.append(f"axis: {annotation(entry, p)}{default(p)}")
        if p.name == "keepdim":
            keywords.append("keepdims: bool = False")
    if keywords and not any(text[0] == "*" for text in before):
        before.append("*")
    whole = f"({', '.join([*before, *keywords])}) -> {result}"
    if "return_indices" not in names:
        return (whole,)
    first, _, rest = whole.partition("return_indices: bool = False")
    plain = f"{first}return_indices: Literal[False] = False{rest}".replace(result, TENSOR)
    return (plain.replace("-> ValuesAndIndices", "-> Tensor"), with_indices(whole))


def with_indices(signature: str) -> str:
    """The signature of a pooling that returns positions too."""
    return signature.replace("return_indices: bool = False", "*, return_indices: Literal[True]") \
        .replace("-> Tensor", "-> ValuesAndIndices")


def as_method(signature: str, varargs: str = "", given: str = "") -> str:
    """The signature of a function as that of a method, with another result if one is given."""
    first, _, rest = signature[1:].partition(") -> ")
    parameters = split(first)
    assert parameters, signature
    parameters[0] = "self"
    parameters = [f"*{varargs}: int | Sequence[int]" if p.startswith(f"{varargs}:") and varargs
                  else p for p in parameters]
    if any(p.startswith(f"*{varargs}:") for p in parameters) and "*" in parameters:
        parameters.remove("*")
    return f"({', '.join(parameters)}) -> {given or rest}"


def split(parameters: str) -> list[str]:
    """The single parameters, without those commas that are within brackets."""
    return re.split(r", (?![^\[(]*[\])])", parameters)


# ---------------------------------------------------------------- the text of a stub


def definition(name: str, variants: tuple[str, ...], doc: str, indent: str = "",
               note: str = "") -> list[str]:
    """A function: each of its signatures, the docstring under the first."""
    lines = []
    for i, signature in enumerate(variants):
        if len(variants) > 1:
            lines.append(f"{indent}@overload")
        line = f"{indent}def {name}{signature}:"
        if len(line) > WIDTH:
            inside, _, result = signature[1:].rpartition(") -> ")
            lines += [f"{indent}def {name}(",
                      *textwrap.wrap(f"{inside},", WIDTH, initial_indent=f"{indent}        ",
                                     subsequent_indent=f"{indent}        ",
                                     break_on_hyphens=False)]
            line = f"{indent}) -> {result}:"
        shown = docstring(doc, f"{indent}    ") if doc and i == 0 else []
        comment = f"  # {note}" if note and i == 0 else ""
        lines += [f"{line}{comment}", *shown] if shown else [f"{line} ...{comment}"]
    return lines


def docstring(text: str, indent: str) -> list[str]:
    escaped = inspect.cleandoc(text).replace("\\", "\\\\").replace('"""', r'\"\"\"')
    first, *rest = escaped.split("\n")
    last = indent if rest else ""
    return [f'{indent}"""{first}', *(f"{indent}{line}".rstrip() for line in rest),
            f'{last}"""'] if rest else [f'{indent}"""{first}"""']


def place_of(entry: Entry) -> tuple[str, str]:
    """The module of `ops/` that defines an operation, and its name there."""
    function = entry.op.forward if entry.op else entry.function
    module = inspect.getmodule(inspect.unwrap(function))
    assert module is not None
    candidates = (entry.op, entry.function, inspect.unwrap(entry.function))
    for name, value in vars(module).items():
        if value is not None and any(value is candidate for candidate in candidates):
            return module.__name__.rpartition(".")[2], name
    return module.__name__.rpartition(".")[2], function.__name__


def entries(home: str) -> Iterator[tuple[str, Entry]]:
    """Each name of a module, in alphabetical order: "" is the package itself."""
    offered = {name: entry for entry in TABLE.values()
               if entry.home == home and not entry.internal
               for name in (entry.name, *entry.aliases)}
    yield from sorted(offered.items())


# ---------------------------------------------------------------- the methods of Tensor


def in_builtins(signature: str) -> str:
    """Tensor has methods that are called int, float and bool: within it the types are qualified."""
    return re.sub(r"(?<![\w.])(int|float|bool)\b", r"builtins.\1", signature)


def operators(entry: Entry) -> Iterator[tuple[str, str]]:
    """The names and signatures of the operators that an operation defines."""
    if entry.operator in UNARY:
        yield entry.operator, "(self) -> Tensor"
    elif entry.operator in ("__eq__", "__ne__"):
        yield entry.operator, "(self, other: object) -> Tensor"
    elif entry.operator:
        yield entry.operator, "(self, other: Operand) -> Tensor"
        if entry.operator in REFLECTED:
            word = entry.operator.strip("_")
            yield f"__r{word}__", "(self, other: Operand) -> Tensor"
            yield f"__i{word}__", "(self, other: Operand) -> Self"


@dataclass
class Method:
    """A method as the stub shows it."""

    signatures: tuple[str, ...]
    doc: str
    note: str = ""  # the file of the definition

    def lines(self, name: str) -> list[str]:
        return definition(name, tuple(map(in_builtins, self.signatures)), self.doc, "    ",
                          self.note)


def from_the_table(named: dict[str, tuple[str, ...]]) -> dict[str, Method]:
    """The methods that the table gives to Tensor, by name."""
    made = {}
    for entry in TABLE.values():
        if entry.internal:
            continue
        note = f"ops/{place_of(entry)[0]}.py"
        for name, signature in operators(entry):
            ignored = f"type: ignore[{IGNORED[name]}]  # " if name in IGNORED else ""
            made[name] = Method((signature,), "", f"{ignored}{note}")
        if not entry.method:
            continue
        whole = signatures(entry, result_type(entry, named))
        variants = tuple(as_method(s, entry.varargs) for s in whole)
        for name in (entry.name, *entry.aliases):
            made[name] = Method(variants, entry.doc, note)
            if entry.inplace:
                written = as_method(whole[0], entry.varargs, "Self")
                made[f"{name}_"] = Method((written,), getattr(Tensor, f"{name}_").__doc__ or "",
                                          note)
    return made


def written_in_class() -> set[str]:
    """The attributes that the class statement of Tensor defines itself."""
    module = inspect.getmodule(Tensor)
    body = next(node for node in ast.parse(inspect.getsource(module)).body  # type: ignore[arg-type]
                if isinstance(node, ast.ClassDef) and node.name == "Tensor").body
    return {target.id for node in body if isinstance(node, ast.Assign | ast.AnnAssign)
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Name)} | {
            inner.name for node in body for inner in ast.walk(node)
            if isinstance(inner, ast.FunctionDef)}


def beside_the_table(name: str, function: Callable[..., Any], table: dict[str, Method]) -> Method:
    """A method of Tensor that is attached by hand."""
    signature = METHODS.get(name)
    base = table.get(name.rstrip("_"))
    if signature is None and name.endswith("_") and base:  # x.squeeze_ has what x.squeeze has
        signature = as_method(base.signatures[0], given="Self")
    return Method((signature or own_signature(function, name),), function.__doc__ or "")


def own_signature(function: Callable[..., Any], name: str) -> str:
    """The signature that a method says itself; what it takes and ignores is left out."""
    parameters = ["self"]
    for p in list(inspect.signature(function).parameters.values())[1:]:
        if p.kind is p.VAR_POSITIONAL:
            continue
        if p.kind is p.KEYWORD_ONLY and "*" not in parameters:
            parameters.append("*")
        if p.kind is not p.VAR_KEYWORD:
            said = re.sub(r"\b(random|dtypes|devices)\.", "", str(p.annotation))
            if said == "Any":
                said = f"{OPTIONAL.get(p.name, 'Any')} | None" if p.default is None \
                    else REQUIRED.get(p.name, "Any")
            parameters.append(f"{p.name}: {said}{default(p)}")
    result = str(inspect.signature(function).return_annotation)
    if name.endswith("_") and result == "Tensor":
        result = "Self"
    return f"({', '.join(parameters)}) -> {result}"


def methods() -> str:
    """The text of methods.pyi."""
    named: dict[str, tuple[str, ...]] = {}
    table = from_the_table(named)
    for entry in TABLE.values():  # results that only functions have
        if not entry.internal:
            result_type(entry, named)
    known = written_in_class() | set(table) | set(dir(object))
    attached = {name: value for name, value in vars(Tensor).items() if name not in known}
    everything = table | {name: beside_the_table(name, value, table)
                          for name, value in attached.items() if inspect.isfunction(value)}
    lines = {name: method.lines(name) for name, method in everything.items()}
    for name, value in attached.items():
        if isinstance(value, property):
            doc = docstring(value.fget.__doc__ or "", "        ") if value.fget else ["..."]
            lines[name] = ["    @property", f"    def {name}(self) -> Tensor:", *doc]
    body = ALIASES.splitlines()
    for name, fields in sorted(named.items()):
        body += ["", f"class {name}(NamedTuple):", *(f"    {field}: Tensor" for field in fields)]
    body += ["", "class Methods:", *(line for name in sorted(lines) for line in lines[name])]
    return stub("The methods of Tensor that follow from the table of operations.", body, [])


# ---------------------------------------------------------------- the functions of a module


def functions(home: str, title: str, shared: tuple[str, ...] = ()) -> tuple[str, str]:
    """The stub of the functions of a module, and the imports that lead to their definitions."""
    named: dict[str, tuple[str, ...]] = {}
    lines, sources = [], []
    for name, entry in entries(home):
        lines += definition(name, signatures(entry, result_type(entry, named)), entry.doc)
        module, place = place_of(entry)
        sources.append(f"from ..ops.{module} import {place} as {name}")
    everywhere, own = dict(entries("")), dict(entries(home))
    for name in sorted(shared):
        if name in everywhere and name not in own:
            lines.append(f"from .functions import {name} as {name}")
    if home == "":
        lines += [f"from .functional import {name} as {name}" for name in names.ALSO_AT_THE_TOP]
    elif home == "nn.functional":
        lines += extra_functional(named)
    elif home == "special":
        lines += definition("expit", signatures(everywhere["sigmoid"], TENSOR),
                            everywhere["sigmoid"].doc)
    return stub(title, lines, ["Operand", "ValuesAndIndices", *sorted(set(named) - {
        "ValuesAndIndices"})]), as_source(title, sources)


def as_source(title: str, imports: list[str]) -> str:
    """The text of a module beside a stub."""
    return "\n".join([f'"""{title[:-1]}: where they are defined.\n\n{WRITTEN}\n"""', "",
                      *imports]) + "\n"


def extra_functional(named: dict[str, tuple[str, ...]]) -> list[str]:
    """The functions of `nn.functional` beside the table: in-place forms, results with positions."""
    offered = {**dict(entries("")), **dict(entries("nn.functional"))}
    lines = []
    for name in functional.IN_PLACE:
        signature = signatures(offered[name], TENSOR)[0]
        lines += definition(f"{name}_", (signature,), getattr(functional, f"{name}_").__doc__)
    for name in functional.WITH_INDICES:
        signature = signatures(offered[name], "ValuesAndIndices")[1]
        signature = signature.replace("*, return_indices: Literal[True]",
                                      "return_indices: Literal[True] = True")
        lines += definition(f"{name}_with_indices", (signature,), offered[name].doc)
    for name in ("upsample_nearest", "upsample_bilinear"):
        lines += definition(
            name, ("(input: Tensor, size: int | Sequence[int] | None = None, "
                   "scale_factor: float | Sequence[float] | None = None) -> Tensor",),
            offered["interpolate"].doc)
    return lines


def dtype_names() -> tuple[str, str]:
    """The stub of the dtypes, whose names are those of Python's types, and where they are."""
    title = "The dtypes, and the tensor types of older programs."
    lines = ["from ..arrays.dtypes import dtype", "",
             *(f"{name}: dtype" for name in dtypes.BY_NAME)]
    lines += [f"{name}: TensorType" for name in names.TYPE_NAMES]
    places = {id(value): name for name, value in reversed(vars(dtypes).items())
              if name[0] != "_"}
    sources = [f"from ..arrays.dtypes import {places[id(d)]} as {name}"
               for name, d in dtypes.BY_NAME.items()]
    return stub(title, lines, []), as_source(title, sources)


MODULES = {
    "functions": ("", "The functions of the package that are operations.", ()),
    "functional": ("nn.functional", "The functions of `nn.functional`.", functional.SHARED),
    "linalg": ("linalg", "The functions of `linalg`.", linalg.SHARED),
    "special": ("special", "The functions of `special`.", special.SHARED),
}


def files() -> dict[str, str]:
    """The text of each generated file, by its name in `table/`."""
    written = {"methods.pyi": methods()}
    written["dtypes.pyi"], written["dtypes.py"] = dtype_names()
    for name, (home, title, shared) in MODULES.items():
        written[f"{name}.pyi"], source = functions(home, title, shared)
        if home != "special":
            written[f"{name}.py"] = source
    return written


def write() -> list[Path]:
    """Writes the files; returns the paths of those that have changed."""
    changed = []
    for name, text in files().items():
        path = FOLDER / name
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            changed.append(path)
    return changed
