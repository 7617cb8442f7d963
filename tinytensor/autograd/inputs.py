"""The arguments of a call: the signature of a forward, and type promotion."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable
from typing import Any

import numpy

from ..arrays import devices, dtypes
from ..arrays.numbers import argument, python_number
from . import graph
from .frames import passes_on

ALIASES = {"axis": "dim", "keepdims": "keepdim"}  # NumPy's names, which PyTorch accepts too
ARRAY, OPTIONAL, VARIADIC = "Array", "Array | None", "Sequence[Array]"

# The annotations of parameters that are numbers, and the classes that most of these have.
NUMBERS = {
    "int": ("int",), "int | None": ("None", "int"), "float": ("float", "int"),
    "float | None": ("None", "float", "int"), "Dim": ("None", "int", "tuple"),
    "Sequence[int]": ("tuple", "Size"), "int | Sequence[int]": ("int", "tuple", "Size"),
    "int | Sequence[int] | None": ("None", "int", "tuple")}


class Signature:
    """The parameters of a forward: which are inputs (arrays), and which are parameters.

    all          the parameters without `xp`, in order
    order        their names
    inputs       those annotated `Array`, `Array | None` or `Sequence[Array]`
    optional     the inputs that may be None
    variadic     whether the only input is a sequence of arrays
    parameters   the others
    numbers      the parameters that are numbers or sequences of ints, and their usual classes
    shown        the `inspect.signature` of the function that users call
    """

    def __init__(self, forward: Callable[..., Any]):
        given = inspect.signature(forward).parameters
        self.takes_xp = next(iter(given), "") == "xp"
        self.all = [p for p in given.values() if p.name != "xp"]
        self.order = tuple(p.name for p in self.all)
        kinds = {p.name: _annotation(p.annotation) for p in self.all}
        self.inputs = tuple(n for n, k in kinds.items() if k in (ARRAY, OPTIONAL, VARIADIC))
        self.optional = tuple(n for n, k in kinds.items() if k == OPTIONAL)
        self.variadic = VARIADIC in kinds.values()
        self.parameters = tuple(n for n in kinds if n not in self.inputs)
        self.numbers = {n: NUMBERS[kinds[n]] for n in self.parameters if kinds[n] in NUMBERS}
        self.aliases = {alias: name for alias, name in ALIASES.items() if name in self.parameters}
        self.shown = inspect.Signature([
            p.replace(annotation=kinds[p.name].replace("Array", "Tensor"))
            if p.name in self.inputs else p for p in self.all])
        if not self.inputs or self.variadic and len(self.inputs) > 1:
            raise TypeError(f"{forward.__name__}: annotate the arrays as {ARRAY!r} or "
                            f"{OPTIONAL!r}, or one argument as {VARIADIC!r}")

    @staticmethod
    def of_names(names: Iterable[str]) -> inspect.Signature:
        """A signature of parameters without annotations or defaults."""
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        return inspect.Signature([inspect.Parameter(name, kind) for name in names])

    def known_names(self, results: tuple[str, ...]) -> set[str]:
        """The names that a rule may use."""
        about = {f"{n}_{what}" for n in self.inputs for what in ("shape", "dtype")}
        return {"xp", "g", "needs", *self.inputs, *self.parameters, *results, *about}

    @passes_on
    def bind(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """The arguments of a call by name, with the defaults.

        Raises:
            TypeError: as Python's own calls.
        """
        renamed = {self.aliases[alias]: kwargs.pop(alias)
                   for alias in kwargs.keys() & self.aliases.keys()}
        try:
            bound = self.shown.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{name}() {error}") from None
        bound.apply_defaults()
        bound.arguments |= renamed
        for number in self.numbers:
            bound.arguments[number] = argument(bound.arguments[number])
        return dict(bound.arguments)


def _annotation(annotation: Any) -> str:
    """An annotation as text, whether it was written as a string or as an object."""
    if isinstance(annotation, type):
        annotation = annotation.__name__
    return re.sub(r"\b\w+\.", "", str(annotation)).replace("Optional[Array]", OPTIONAL)


class Constant:
    """A Python number among Tensors: it takes their dtype and has no gradient."""

    _node = None

    def __init__(self, number: Any):
        self._array = number


def array_of(x: Any) -> Any:
    """The array of a Tensor, the number of a Constant, None of None."""
    return None if x is None else x._array


# ---------------------------------------------------------------- promotion


@passes_on
def prepare(op: Any, *inputs: Any) -> list[Any]:
    """The inputs of a call as Tensors and Constants of the dtype in which the op computes."""
    if len(inputs) == 2 and op.promotes in ("common", "float"):
        ready = _with_number(op, *inputs)
        if ready is not None:
            return ready
    if op.refuses_bool:
        _refuse_bool(op, *inputs)
    names = op.signature.inputs if not op.signature.variadic else op.signature.inputs * len(inputs)
    values = []
    for name, x in zip(names, inputs, strict=True):
        values.append(_as_input(op, name, x))
    if not op.promotes:
        return values
    chosen = [i for i, name in enumerate(names) if name in op.promoted and values[i] is not None]
    arrays = [values[i]._array for i in chosen]
    if all(isinstance(v, Constant) for v in values if v is not None):
        raise TypeError(f"{op.name}: expected a Tensor, got "
                        + " and ".join(type(x).__name__ for x in inputs))
    if op.promotes == "same":
        kinds = list(dict.fromkeys(dtypes.of_array(a).name for a in arrays))
        if len(kinds) > 1:
            raise RuntimeError(f"{op.name}: the inputs must have one dtype, got "
                               f"{' and '.join(kinds)}; convert with .to(...)")
        return values
    common = dtypes.result_dtype(tuple(arrays))
    if op.promotes == "floating" and not dtypes.is_differentiable(common):
        raise RuntimeError(f"{op.name}: needs floating point, got "
                           f"{dtypes.BY_NUMPY[common].name}; convert it with .float() first")
    if op.promotes == "float" and not dtypes.is_differentiable(common):
        common = dtypes.get_default_dtype().numpy
    weak = any(devices.is_array(a) for a in arrays)
    for i in chosen:
        value = values[i]
        if isinstance(value, Constant):
            values[i] = Constant(_number(value._array, common, weak))
        elif value._array.dtype is not common:
            values[i] = value.to(dtypes.BY_NUMPY[common])
    return values


@passes_on
def take_sequence(op: Any, tensors: Any) -> tuple[Any, ...]:
    """The inputs of an op that takes one sequence of Tensors; as `prepare`."""
    if isinstance(tensors, graph.Tensor):
        raise TypeError(f"{op.name}: takes one sequence of Tensors: {op.name}([a, b])")
    try:
        tensors = tuple(tensors)
    except TypeError:
        raise TypeError(f"{op.name}: takes a sequence of Tensors, got "
                        f"{type(tensors).__name__}") from None
    if not tensors:
        raise RuntimeError(f"{op.name}: expected at least one Tensor, got an empty sequence")
    numbers = [x for x in tensors if x.__class__ in (int, float, bool)]
    if numbers:
        raise TypeError(f"{op.name}: `tensors` must be several Tensors, got {numbers[0]!r} among "
                        "them; write tensor(...) around it")
    return tuple(prepare(op, *tensors))


def _with_number(op: Any, a: Any, b: Any) -> list[Any] | None:
    """The inputs if they are a floating point Tensor and a Python number: by far the most calls."""
    for number, tensor in ((a, b), (b, a)):
        if number.__class__ in (float, int) and isinstance(tensor, graph.Tensor) \
                and dtypes.is_floating(tensor._array.dtype):
            value = float(number)
            if op.compares and tensor._array.dtype in dtypes.HALVES:
                with numpy.errstate(over="ignore"):
                    value = float(numpy.asarray(value, tensor._array.dtype))
            ready = Constant(value)
            return [ready, tensor] if number is a else [tensor, ready]
    return None


@passes_on
def _refuse_bool(op: Any, *inputs: Any) -> None:
    """
    Raises:
        RuntimeError: an operand is bool.
    """
    for x in inputs:
        array = x._array if isinstance(x, graph.Tensor) else x
        if isinstance(x, bool) or (devices.is_array(array) and array.dtype.kind == "b"):
            raise RuntimeError(f"{op.name}: is not defined for bool, as PyTorch's is not; write "
                               "~mask to invert a mask, or convert it with .int() or .float()")


@passes_on
def _as_input(op: Any, name: str, x: Any) -> Any:
    if isinstance(x, graph.Tensor):
        return x
    if x is None and name in op.signature.optional:
        return None
    x = python_number(x)
    if devices.is_array(x):
        dtypes.of_array(x)
        return graph.tensor_of(devices.plain_array(x), None)
    if isinstance(x, bool | int | float) and op.promotes in ("common", "float") \
            and name in op.promoted:
        return Constant(x)
    hint = "; write tensor(...) around it" if isinstance(x, list | tuple | int | float) else ""
    raise TypeError(f"{op.name}: `{name}` must be a Tensor, got {type(x).__name__}{hint}")


def _number(number: Any, common: Any, weak: bool) -> Any:
    """A Python number that leaves the dtype of arrays beside it as it is."""
    if common.kind == "O":
        return number
    if common.kind in "iu":
        limits = numpy.iinfo(common)
        if not limits.min <= number <= limits.max:  # wraps around, as in PyTorch
            return numpy.asarray(number).astype(common)[()]
    if not weak:  # a NumPy scalar of that dtype, which arrays of a GPU take too
        return numpy.asarray(number, dtype=common)[()]
    if dtypes.is_floating(common):
        return float(number)
    return bool(number) if common.kind == "b" else int(number)
