"""The kernel for sums along an axis up to each element. Sums are in float64, as the reference's."""

from __future__ import annotations

import math
from typing import Any

import numpy

from ...ops.scan import cumsum
from ..loops import PIECE, Array, fits, loop
from ..pool import pool


@cumsum.kernel("cpu")
def _(input: Array, dim: int) -> Any:
    return _summed(input, dim, backwards=False)


@cumsum.kernel("cpu", "input")
def _(g: Array, dim: int, input_shape: tuple[int, ...]) -> Any:
    return _summed(g, dim, backwards=True)


def _summed(x: Array, dim: int, backwards: bool) -> Any:
    x = numpy.asarray(x, order="C")
    if not x.ndim or not -x.ndim <= dim < x.ndim or not fits(x):
        return None
    axis = dim % x.ndim
    out, size, inner = numpy.empty_like(x), x.shape[axis], math.prod(x.shape[axis + 1:])
    rows, least = math.prod(x.shape[:axis]), -(-PIECE // (size * inner))
    if inner == 1:
        pool.split(sums_last, rows, x.reshape(-1), size, backwards, out.reshape(-1), align=4,
                   least=least)
    else:
        pool.split(sums, rows, x.reshape(-1), size, inner, backwards, out.reshape(-1), least=least)
    return out


@loop
def sums(start, stop, x, size, inner, backwards, out):
    """The sums along the middle axis of (rows, size, inner)."""
    totals = numpy.empty(inner, numpy.float64)
    for row in range(start, stop):
        totals[:] = 0
        for i in range(size):
            at = (row * size + (size - 1 - i if backwards else i)) * inner
            numbers, to = x[at:at + inner], out[at:at + inner]
            for c in range(numbers.size):
                totals[c] += numbers[c]
                to[c] = totals[c]


@loop
def sums_last(start, stop, x, size, backwards, out):
    """The sums along rows, of four at a time: each addition waits for the one before it."""
    for row in range(start, stop, 4):
        a, b = row * size, min(row + 1, stop - 1) * size
        c, d = min(row + 2, stop - 1) * size, min(row + 3, stop - 1) * size
        sum_a, sum_b, sum_c, sum_d = 0.0, 0.0, 0.0, 0.0
        for i in range(size):
            at = size - 1 - i if backwards else i
            sum_a += x[a + at]
            sum_b += x[b + at]
            sum_c += x[c + at]
            sum_d += x[d + at]
            out[a + at], out[b + at], out[c + at], out[d + at] = sum_a, sum_b, sum_c, sum_d
