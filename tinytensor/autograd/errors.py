"""What an operation does when its forward fails: an error in the user's words, or another try."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from operator import index
from typing import Any

from ..arrays import devices
from ..arrays.numbers import is_integer, is_number
from . import graph
from .frames import shorten
from .halves import SINGLE, half_of, narrowed, widened

NUMBERS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "float": ("a number", is_number), "int": ("an int", is_integer), "bool": ("a bool", is_number)}

# What computes a call with Tensors of the package `func`, if that is imported.
batched: list[Callable[..., Any]] = []


def recover(op: Any, error: Exception, inputs: tuple[Any, ...], parameters: dict[str, Any]) -> Any:
    """The result of a second try, or an exception to raise.

    A 0-d Tensor on the CPU among Tensors of one GPU is moved there. Normalisation takes a float16
    or bfloat16 input with float32 weights. NumPy's and CuPy's errors about shapes and dtypes become
    errors that name the op and the sizes; any other error gets a note.
    """
    if op.signature.variadic and len(inputs) == 1 and isinstance(inputs[0], list | tuple):
        inputs = tuple(inputs[0])
    if op.name == "mul" and isinstance(error, TypeError):
        repeated = _repeated(*inputs)
        if repeated is not None:
            return repeated
    if op.mixes:
        mixed = _in_single(op, inputs, parameters)
        if mixed is not None:
            return mixed
    for call in batched:
        result = call(op, error, inputs, parameters)
        if result is not None:
            return result
    tensors = [x for x in inputs if devices.is_array(getattr(x, "_array", None))]
    places = list(dict.fromkeys(devices.device_of(t._array) for t in tensors))
    if len(places) > 1:
        gpu = next(p for p in places if p != devices.CPU)
        if len(places) == 2 and all(
                t._array.ndim == 0 and devices.device_of(t._array) == devices.CPU
                for t in tensors if devices.device_of(t._array) != gpu):
            moved = [x.to(gpu) if isinstance(x, graph.Tensor) else x for x in inputs]
            if op.signature.variadic:
                moved = [moved]
            named = dict(zip(op.signature.inputs, moved, strict=True)) | parameters
            return op.function(**{n: named[n] for n in op.signature.order})
        return RuntimeError(f"{op.name}: the inputs are on different devices, "
                               f"{' and '.join(map(str, places))}; move them with .to(...)")
    wrong = _wrong_number(op, parameters)
    if wrong is not None:
        return wrong
    shapes = [tuple(t._array.shape) for t in tensors]
    if isinstance(error, ValueError) and "broadcast" in str(error):
        return RuntimeError(f"{op.name}: {broadcast_problem(shapes)}")
    if isinstance(error, TypeError) and re.search(
            "not supported(?! between)|Wrong type|boolean subtract", str(error)):
        kinds = " and ".join(dict.fromkeys(t._array.dtype.name for t in tensors))
        return RuntimeError(f"{op.name}: is not defined for {kinds}; convert with .to(...)")
    if tensors and not re.match(r"[\w.]+: ", str(error)):  # no operation is named yet
        error.add_note(f"in {op.name}, on inputs of shape {', '.join(map(str, shapes))}")
    shorten(error, most=2)
    return error


def _wrong_number(op: Any, parameters: dict[str, Any]) -> TypeError | None:
    """The error of a parameter that is defined as a number, and is none."""
    for name, value in parameters.items():
        kind, _, other = str(op.forward.__annotations__.get(name)).partition(" | ")
        if kind not in NUMBERS or other not in ("", "None") or hasattr(value, "dtype"):
            continue
        said, holds = NUMBERS[kind]
        if not holds(value) and not (value is None and other):
            return TypeError(f"{op.name}: {name} must be {said}, got {value!r}")
    return None


def _in_single(op: Any, inputs: tuple[Any, ...], parameters: dict[str, Any]) -> Any:
    """A float16 or bfloat16 input with float32 weights: computed in float32, then rounded.

    Further results, such as the mean of a batch, stay in float32, for running statistics.
    """
    half = half_of(inputs[0])
    kinds = {getattr(getattr(x, "_array", None), "dtype", None) for x in inputs[1:]
             if x is not None}
    if half is None or not kinds or not kinds <= {half, SINGLE}:
        return None
    named = dict(zip(op.signature.inputs, map(widened, inputs), strict=True)) | parameters
    result = op.function(**{name: named[name] for name in op.signature.order})
    return result._replace(out=narrowed(result.out, half)) if op.outputs \
        else narrowed(result, half)


def _repeated(*inputs: Any) -> Any:
    """[0] * tensor(3): Python asks a Tensor first, but it is a list that is repeated."""
    for items, times in (inputs, inputs[::-1]):
        if isinstance(items, list | tuple | str) and isinstance(times, graph.Tensor) \
                and not times.ndim and not times.dtype.is_floating_point:
            return items * index(times)
    return None


def broadcast_problem(shapes: Sequence[tuple[int, ...]]) -> str:
    """Why shapes do not broadcast: the sizes that differ, and where."""
    listed = " and ".join(map(str, shapes))
    for back in range(1, max(map(len, shapes)) + 1):
        sizes = {s[-back] for s in shapes if len(s) >= back} - {1}
        if len(sizes) > 1:
            differing = " and ".join(map(str, sorted(sizes)))
            return (f"shapes {listed} do not broadcast: sizes {differing} differ at dimension "
                    f"{-back}; sizes must be equal, or one of them 1")
    return f"shapes {listed} do not fit"


class GradientShapeError(RuntimeError):
    """A rule returned a gradient that does not fit its input."""

    def __init__(self, g: Any, shape: tuple[int, ...]):
        super().__init__(f"backward: a rule returns a gradient of shape {tuple(g.shape)} for an "
                         f"input of shape {tuple(shape)}")
