"""float16 is a dtype to store numbers in: an operation computes in float32 and rounds once.

The squares, sums and powers inside an operation leave the range of float16 (6e-8 to 65504) long
before its result does. So a call on float16 inputs gives the forward, and later the rules,
float32 arrays, and rounds what they return. `Op.call` and `Op.backward` do this for every op,
`composed(widens=True)` for a composition.
"""

from __future__ import annotations

from typing import Any

import numpy

from ..arrays import dtypes
from . import graph

HALF, SINGLE = numpy.dtype("float16"), numpy.dtype("float32")


def is_half(x: Any) -> bool:
    """Whether a Tensor or an array is of float16."""
    return getattr(getattr(x, "_array", x), "dtype", None) is HALF


def widened(x: Any) -> Any:
    """A float16 array or Tensor in float32; anything else as it is."""
    if type(x) in (list, tuple):
        return type(x)(map(widened, x))
    if not is_half(x):
        return x
    return x.to(dtypes.float32) if isinstance(x, graph.Tensor) else x.astype(SINGLE)


def narrowed(x: Any) -> Any:
    """A float32 array, NumPy scalar or Tensor rounded to float16; anything else as it is."""
    if isinstance(x, graph.Tensor):
        return x.to(dtypes.float16) if x._array.dtype is SINGLE else x
    return x.astype(HALF) if getattr(x, "dtype", None) is SINGLE else x
