"""float16 and bfloat16 store numbers; an operation computes in float32 and rounds once.

The squares, sums and powers inside an operation leave the range of float16 (6e-8 to 65504) long
before its result does, and bfloat16 keeps 8 bits of each. So a call on inputs of these dtypes gives
the forward, and later the rules, float32 arrays, and rounds what they return. `Op.call` and
`Op.backward` do this for every op, `composed(widens=True)` for a composition, `in_single` for a
part of one. Views only round: where their gradients are sums, these are computed in float32 too.
Of inputs a node keeps the narrow arrays. A result that rules name is kept as it was before
rounding, which may have left 0, an infinity, or too few digits.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

import numpy

from ..arrays import dtypes
from . import graph
from .frames import passes_on, shorten

SINGLE = numpy.dtype("float32")
PLAIN = frozenset((int, float, bool, str, type(None)))  # classes of most options


def half_of(x: Any) -> numpy.dtype[Any] | None:
    """float16 or bfloat16, if a Tensor or an array is of that dtype, else None."""
    kind = getattr(getattr(x, "_array", x), "dtype", None)
    return kind if kind in dtypes.HALVES else None


def half_among(inputs: Iterable[Any]) -> numpy.dtype[Any] | None:
    """The first dtype that `half_of` finds."""
    return next(filter(None, map(half_of, inputs)), None)


def widened(x: Any) -> Any:
    """A float16 or bfloat16 array or Tensor in float32, and float32 for these dtypes themselves;
    anything else as it is."""
    if type(x) in (list, tuple):
        return type(x)(map(widened, x))
    if half_of(x) is None:
        return SINGLE if isinstance(x, numpy.dtype) and x in dtypes.HALVES else x
    if isinstance(x, graph.Tensor):
        return x.to(dtypes.float32)
    return x.astype(SINGLE, order="C" if 0 in x.strides else "K")  # C order for what is expanded


def narrowed(x: Any, half: numpy.dtype[Any]) -> Any:
    """A float32 array, NumPy scalar or Tensor rounded to `half`; anything else as it is."""
    if isinstance(x, graph.Tensor):
        return x.to(dtypes.BY_NUMPY[half]) if x._array.dtype is SINGLE else x
    return x.astype(half) if getattr(x, "dtype", None) is SINGLE else x


def in_single(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, which computes with float16 or bfloat16 Tensors in float32 and rounds its
    results once.

    Where floating point Tensors of another dtype are among the arguments, or the result's dtype is
    given, the function runs as it is: promotion, or that dtype, decides.
    """
    @passes_on
    @functools.wraps(function)
    def widening(*args: Any, **kwargs: Any) -> Any:
        try:
            for x in (*args, *kwargs.values()) if kwargs else args:
                if x.__class__ not in PLAIN and (
                        half := half_of(x) or type(x) in (list, tuple) and x and half_of(x[0])):
                    break
            else:
                return function(*args, **kwargs)
            if kwargs.get("dtype") is not None or any(
                    x._array.dtype != half for x in _floating((args, kwargs))):
                return function(*args, **kwargs)
            result = function(*map(widened, args), **{k: widened(v) for k, v in kwargs.items()})
        except Exception as error:
            shorten(error)
            raise
        if type(result) is tuple:
            return tuple([narrowed(x, half) for x in result])
        return type(result)(*[narrowed(x, half) for x in result]) if isinstance(result, tuple) \
            else narrowed(result, half)

    return widening


def _floating(x: Any) -> Iterable[Any]:
    """The floating point Tensors in nested tuples, lists and dicts."""
    if isinstance(x, graph.Tensor):
        if dtypes.is_floating(x._array.dtype):
            yield x
    elif type(x) in (list, tuple, dict):
        for part in x.values() if type(x) is dict else x:
            yield from _floating(part)
