"""A kernel for checks of values: one launch that marks what is out of range, see `deferred.py`."""

from __future__ import annotations

from typing import Any

import numpy

from ...autograd.deferred import mark_if_outside
from .launch import MOST_BLOCKS, THREADS, Array, Source, dense, is_here

TYPES = {"int64": "long long", "int32": "int", "uint8": "unsigned char", "bool": "bool",
         "float32": "float", "float64": "double"}
TEXT = """
// mark = (1, x) for some x outside of [low, high] that is not `exempt`, as NaN never is.
extern "C" __global__ void mark_{name}(const {type}* values, double* mark, Int size, double low,
                                       double high, double exempt) {{
    for (Int i = first_element(); i < size; i += element_step()) {{
        double x = double(values[i]);
        if (!(x >= low && x <= high) && x != exempt) {{
            mark[0] = 1;
            mark[1] = x;
        }}
    }}
}}
"""
SOURCE = Source("checks", "".join(TEXT.format(name=name, type=kind)
                                  for name, kind in TYPES.items()))


@mark_if_outside.kernel("cuda")
def _(array: Array, mark: Array, low: float, high: float, exempt: float) -> Any:
    if array.dtype.name not in TYPES or not is_here(array) or not mark.flags.c_contiguous:
        return None
    SOURCE.launch(f"mark_{array.dtype.name}", numpy.dtype("float64"),
                  min(-(-array.size // THREADS), MOST_BLOCKS), THREADS, dense(array), mark,
                  array.size, low, high, exempt)
    return True
