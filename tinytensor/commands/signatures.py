"""The signatures of the operations with types: from the definitions, or by the parameters' names.

A definition annotates some of its parameters, and calls arrays what users pass as Tensors. What it
does not say follows from the name of the parameter and its default: `keepdim=False` is a bool,
`target` a Tensor, `kernel_size` an int or several. The tables below hold what the names mean.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from ..autograd.table import Entry
from ..ops import REFLECTED


@dataclass(frozen=True)
class Signature:
    """The parameters of a function with their types and defaults, and the type of the result."""

    parameters: tuple[str, ...]
    result: str = "Tensor"

    def __str__(self) -> str:
        return f"({', '.join(self.parameters)}) -> {self.result}"

    def as_method(self, varargs: str = "") -> Signature:
        """With `self` first; `varargs` may be given in pieces, as in x.reshape(2, 3)."""
        parameters = ["self", *self.parameters[1:]]
        for i, parameter in enumerate(parameters):
            if varargs and parameter.startswith(f"{varargs}:"):
                parameters[i] = f"*{varargs}: {SIZES}"
                parameters = [p for p in parameters if p != "*"]
        return replace(self, parameters=tuple(parameters))

    def with_out(self) -> Signature:
        """With the keyword `out`, which every function of the package takes."""
        several = self.result != "Tensor"
        keyword = f"out: {'tuple[Tensor, ...]' if several else 'Tensor'} | None = None"
        star = [] if any(p[0] == "*" for p in self.parameters) else ["*"]
        return replace(self, parameters=(*self.parameters, *star, keyword))

    def in_tensor(self) -> Signature:
        """As within Tensor, whose methods int, float and bool hide the types."""
        qualified = [re.sub(r"(?<![\w.])(int|float|bool)\b", r"builtins.\1", text)
                     for text in (*self.parameters, self.result)]
        return Signature(tuple(qualified[:-1]), qualified[-1])


# ---------------------------------------------------------------- what the names mean

TENSOR, OPERAND, SIZES = "Tensor", "Operand", "int | Sequence[int]"
INDICES = "ValuesAndIndices"
# Without a default, or with one that is not None.
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
# With None as the default, which is added.
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
# The names in annotations of `ops/`, as users write them.
ALIASES = {"Dim": f"{SIZES} | None", "dtypes.dtype": "DTypeLike",
           "dtypes.memory_format": "memory_format"}
# Of `*name`.
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
    ("norm", "p"): "float | str | None", ("gradient", "spacing"): "float | Sequence[Any]",
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

REDUCED = ("dim: int", "keepdim: bool = False")
# Whole signatures, where the result depends on the arguments.
OVERLOADS = {
    **dict.fromkeys(("max", "min"), (
        Signature(("input: Tensor",)), Signature(("input: Tensor", "other: Tensor")),
        Signature(("input: Tensor", *REDUCED), INDICES))),
    **dict.fromkeys(("median", "nanmedian"), (
        Signature(("input: Tensor",)), Signature(("input: Tensor", *REDUCED), INDICES))),
    **{f"atleast_{n}d": (
        Signature(("tensor: Tensor", "/")),
        Signature(("tensors: Sequence[Tensor]", "/"), "tuple[Tensor, ...]"),
        Signature(("*tensors: Tensor",), "tuple[Tensor, ...]")) for n in (1, 2, 3)},
    **{name: (
        Signature(("input: Tensor", *sort, "return_inverse: Literal[False] = False",
                   "return_counts: Literal[False] = False", "dim: int | None = None")),
        Signature(("input: Tensor", *sort, "return_inverse: bool = False",
                   "return_counts: bool = False", "dim: int | None = None"), "tuple[Tensor, ...]"))
       for name, sort in (("unique", ("sorted: bool = True",)), ("unique_consecutive", ()))},
    "nonzero": (
        Signature(("input: Tensor", "*", "as_tuple: Literal[False] = False")),
        Signature(("input: Tensor", "*", "as_tuple: Literal[True]"), "tuple[Tensor, ...]")),
    "where": (
        Signature(("condition: Tensor",), "tuple[Tensor, ...]"),
        Signature(("condition: Tensor", "input: Operand", "other: Operand"))),
}
PLACED = ("dtype: DTypeLike | None = None", "device: DeviceLike | None = None")
# Methods of Tensor that are not in the table.
METHODS = {
    "__getitem__": Signature(("self", "key: Index")),
    "__setitem__": Signature(("self", "key: Index", "value: Operand | Sequence[Any]"), "None"),
    "to": Signature(("self", "*args: DTypeLike | DeviceLike | Tensor | None", *PLACED,
                     "copy: bool = False", "non_blocking: bool = False",
                     "memory_format: memory_format | None = None")),
    "copy_": Signature(("self", "other: Tensor", "non_blocking: bool = False"), "Self"),
    "fill_": Signature(("self", "value: Operand"), "Self"),
    "fill_diagonal_": Signature(("self", "fill_value: float", "wrap: bool = False"), "Self"),
    "where": Signature(("self", "condition: Tensor", "other: Operand")),
    **{f"new_{name}": Signature(("self", f"*size: {SIZES}", *PLACED,
                                 "requires_grad: bool = False"))
       for name in ("zeros", "ones", "empty")},
    "new_full": Signature(("self", "size: Sequence[int]", "fill_value: Tensor | float", "*",
                           *PLACED, "requires_grad: bool = False")),
    "new_tensor": Signature(("self", "data: Any", "*", *PLACED, "requires_grad: bool = False")),
    "new": Signature(("self", "*data: Any")),
}
UNARY = {"__neg__", "__abs__", "__invert__", "__pos__"}

# ---------------------------------------------------------------- one operation


def takes_numbers(entry: Entry) -> bool:
    """Whether a Python number may be in the place of one of the Tensors."""
    return entry.op is not None and entry.op.promotes in ("common", "float", "floating") \
        and len(entry.op.signature.inputs) > 1


def annotation(entry: Entry, p: inspect.Parameter) -> str:
    """The type of a parameter: as the definition says it, or by its name and default."""
    given = p.annotation if isinstance(p.annotation, str) else "Any"
    for name, meaning in ALIASES.items():
        given = re.sub(rf"(?<![\w.]){re.escape(name)}\b", meaning, given)
    kind = type(p.default).__name__
    if (entry.key, p.name) in EXACT:
        return EXACT[entry.key, p.name]
    if "Tensor" in given:
        return given.replace("Tensor", OPERAND if takes_numbers(entry) else TENSOR)
    if "Any" not in given:
        return given
    if p.kind is p.VAR_POSITIONAL:
        return VARIADIC.get(p.name, TENSOR)
    if p.default is None:
        return f"{OPTIONAL.get(p.name, TENSOR)} | None"
    if p.default is p.empty:
        return REQUIRED.get(p.name, TENSOR)
    return kind if isinstance(p.default, bool | str | float) else REQUIRED.get(p.name, kind)


def default(p: inspect.Parameter) -> str:
    """The text after the annotation."""
    simple = p.default is None or isinstance(p.default, bool | int | float | str | tuple)
    return "" if p.default is p.empty else f" = {p.default!r}" if simple else " = ..."


def signatures(entry: Entry, result: str) -> tuple[Signature, ...]:
    """The signatures of a function: several where the result depends on the arguments.

    NumPy's `axis` and `keepdims` come after the parameters, as keywords.
    """
    if entry.key in OVERLOADS:
        return OVERLOADS[entry.key]
    parameters = inspect.signature(entry.function).parameters
    positional: list[str] = []
    keywords: list[str] = []
    for p in parameters.values():
        text = f"{p.name}: {annotation(entry, p)}{default(p)}"
        if p.kind is p.KEYWORD_ONLY:
            keywords.append(text)
        elif p.kind is not p.VAR_KEYWORD:
            positional.append(f"*{text}" if p.kind is p.VAR_POSITIONAL else text)
        if p.name == "dim" and p.default is not p.empty and "axis" not in parameters:
            keywords.append(f"axis: {annotation(entry, p)}{default(p)}")
        if p.name == "keepdim":
            keywords.append("keepdims: bool = False")
    if keywords and not any(text[0] == "*" for text in positional):
        positional.append("*")
    whole = Signature((*positional, *keywords), result)
    return both_poolings(whole) if "return_indices" in parameters else (whole,)


def both_poolings(whole: Signature) -> tuple[Signature, Signature]:
    """The signatures of a pooling without the positions and with them."""
    option = whole.parameters.index("return_indices: bool = False")
    before, after = whole.parameters[:option], whole.parameters[option + 1:]
    return (Signature((*before, "return_indices: Literal[False] = False", *after)),
            Signature((*before, "*", "return_indices: Literal[True]", *after), INDICES))


def operators(entry: Entry) -> Iterator[tuple[str, Signature]]:
    """The names and signatures of the operators that an operation defines."""
    if entry.operator in UNARY:
        yield entry.operator, Signature(("self",))
    elif entry.operator:
        compares = entry.operator in ("__eq__", "__ne__")
        binary = Signature(("self", "other: object" if compares else "other: Operand"))
        yield entry.operator, binary
        if entry.operator in REFLECTED:
            word = entry.operator.strip("_")
            yield f"__r{word}__", binary
            yield f"__i{word}__", replace(binary, result="Self")


def own_signature(function: Callable[..., object], name: str) -> Signature:
    """The signature that a method declares, without the arguments that it takes and ignores."""
    declared = inspect.signature(function)
    parameters = ["self"]
    for p in list(declared.parameters.values())[1:]:
        if p.kind is p.KEYWORD_ONLY and "*" not in parameters:
            parameters.append("*")
        if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
            kind = re.sub(r"\b(random|dtypes)\.", "", str(p.annotation))
            if kind == "Any" and p.default is None:
                kind = f"{OPTIONAL.get(p.name, kind)} | None"
            parameters.append(f"{p.name}: {kind}{default(p)}")
    in_place = name.endswith("_") and declared.return_annotation == "Tensor"
    return Signature(tuple(parameters), "Self" if in_place else str(declared.return_annotation))
