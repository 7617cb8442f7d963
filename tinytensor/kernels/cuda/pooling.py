"""Kernels for pooling along an axis: one launch in place of one for each tap of the windows."""

from __future__ import annotations

import math
from typing import Any

import numpy

from ...ops.pooling import Line, positions, window_max, window_sum
from .launch import Array, Source, dense, empty_like, fits

SOURCE = Source("pooling")
TAPS = 64  # as in pooling.cu
LINE = numpy.dtype([("sizes", "i8", 4), ("taps", "i4", (TAPS, 5))])


def _struct(line: Line, inner: int) -> Any:
    """The line as the kernels take it; None if it has weights or positions in no fixed steps."""
    taps = [tap for tap in line.taps if tap.outs != slice(0, 0)]
    if len(taps) > TAPS:
        return None
    struct = numpy.zeros((), LINE)
    struct["sizes"] = line.size, line.out, inner, len(taps)
    for k, tap in enumerate(taps):
        outs, ins = positions(tap.outs), positions(tap.ins)
        if tap.weights is not None or not isinstance(outs, range) or not isinstance(ins, range):
            return None
        struct["taps"][k] = outs.start, outs.step, ins.start, ins.step, len(outs)
    return struct


def _along(name: str, axis: int, line: Line, made: int, *arrays: Array) -> Array | None:
    """Launches a kernel whose result has `made` places along the axis."""
    x = arrays[-1]
    struct = _struct(line, math.prod(x.shape[axis + 1:])) if fits(*arrays) else None
    if struct is None or not made:
        return None
    out = empty_like(x, (*x.shape[:axis], made, *x.shape[axis + 1:]))
    SOURCE.over_elements(name, out, struct, *map(dense, arrays), out, math.prod(x.shape[:axis]))
    return out


@window_sum.kernel("cuda")
def _(input: Array, axis: int, line: Line) -> Any:
    return _along("window_sum", axis, line, line.out, input)


@window_max.kernel("cuda")
def _(input: Array, axis: int, line: Line) -> Any:
    return _along("window_max", axis, line, line.out, input)


@window_max.kernel("cuda", "input")
def _(g: Array, input: Array, axis: int, line: Line) -> Any:
    return _along("window_max_back", axis, line, line.size, g, input)
