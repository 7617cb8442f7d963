"""float16 is a dtype to store numbers in: an operation computes in float32 and rounds once.

The squares, sums and powers inside an operation leave the range of float16 (6e-8 to 65504) long
before its result does. So a call on float16 inputs gives the forward, and later the rules,
float32 arrays, and rounds what they return. `Op.call` and `Op.backward` do this for every op,
`composed(widens=True)` for a composition, `in_single` for a part of one. Views only round: where
their gradients are sums, these are computed in float32 too. Of inputs a node keeps the float16
arrays. A result that rules name is kept as it was before rounding, which may have left 0, an
infinity, or too few digits.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

import numpy

from ..arrays import dtypes
from . import graph
from .frames import passes_on, shorten

HALF, SINGLE = numpy.dtype("float16"), numpy.dtype("float32")
PLAIN = frozenset((int, float, bool, str, type(None)))  # classes of most options


def is_half(x: Any) -> bool:
    """Whether a Tensor or an array is of float16."""
    return getattr(getattr(x, "_array", x), "dtype", None) is HALF


def widened(x: Any) -> Any:
    """A float16 array or Tensor in float32, and that dtype itself; anything else as it is."""
    if type(x) in (list, tuple):
        return type(x)(map(widened, x))
    if not is_half(x):
        return SINGLE if x is HALF else x
    if isinstance(x, graph.Tensor):
        return x.to(dtypes.float32)
    return x.astype(SINGLE, order="C" if 0 in x.strides else "K")  # C order for what is expanded


def narrowed(x: Any) -> Any:
    """A float32 array, NumPy scalar or Tensor rounded to float16; anything else as it is."""
    if isinstance(x, graph.Tensor):
        return x.to(dtypes.float16) if x._array.dtype is SINGLE else x
    return x.astype(HALF) if getattr(x, "dtype", None) is SINGLE else x


def in_single(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, which computes with float16 Tensors in float32 and rounds its results once.

    Where other floating point Tensors are among the arguments, or the result's dtype is one, the
    function runs as it is: promotion, or that dtype, decides.
    """
    @passes_on
    @functools.wraps(function)
    def widening(*args: Any, **kwargs: Any) -> Any:
        try:
            for x in (*args, *kwargs.values()) if kwargs else args:
                if x.__class__ not in PLAIN and (
                        is_half(x) or type(x) in (list, tuple) and x and is_half(x[0])):
                    break
            else:
                return function(*args, **kwargs)
            if kwargs.get("dtype") is not None or not all(map(is_half, _floating((args, kwargs)))):
                return function(*args, **kwargs)
            result = function(*map(widened, args), **{k: widened(v) for k, v in kwargs.items()})
        except Exception as error:
            shorten(error)
            raise
        if type(result) is tuple:
            return tuple(map(narrowed, result))
        return type(result)(*map(narrowed, result)) if isinstance(result, tuple) \
            else narrowed(result)

    return widening


def _floating(x: Any) -> Iterable[Any]:
    """The floating point Tensors in nested tuples, lists and dicts."""
    if isinstance(x, graph.Tensor):
        if x._array.dtype.kind == "f":
            yield x
    elif type(x) in (list, tuple, dict):
        for part in x.values() if type(x) is dict else x:
            yield from _floating(part)
