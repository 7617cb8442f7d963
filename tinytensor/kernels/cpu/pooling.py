"""Kernels for pooling along an axis, without temporary arrays (`windows.py` has the loops)."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy

from ...ops.pooling import LINES_KEPT, Line, window_max, window_sum
from ..loops import PIECE, Array, fits
from ..pool import pool


@functools.lru_cache(LINES_KEPT)
def _positions(line: Line) -> Any:
    """(out, taps): the index of each window's inputs, -1 in the padding."""
    positions = numpy.full((line.out, len(line.taps)), -1)
    for t, tap in enumerate(line.taps):
        positions[tap.outs, t] = numpy.arange(line.size)[tap.ins]
    return positions


@functools.lru_cache(LINES_KEPT)
def _weights(line: Line, dtype: numpy.dtype[Any]) -> Any:
    """The weight of each input, in the order of `_positions`."""
    weights = numpy.ones((line.out, len(line.taps)), dtype)
    for t, tap in enumerate(line.taps):
        if tap.weights is not None:
            weights[tap.outs, t] = tap.weights
    return weights.reshape(-1)


def _is_pairwise(positions: Array, size: int) -> bool:
    """Whether the kernel size and the stride are 2, without padding or a remainder."""
    return size > 0 and positions.shape == (size / 2, 2) and bool(
        (positions.reshape(-1) == numpy.arange(size)).all())


def _loops() -> Any:
    from . import windows  # imports Numba

    return windows


def _rows(shape: tuple[int, ...], axis: int) -> tuple[int, int, int]:
    """The number of rows along `axis`, the size of the axes after it, and the rows per thread."""
    rows, inner = math.prod(shape[:axis]), max(1, math.prod(shape[axis + 1:]))
    return rows, inner, -(-PIECE // max(1, shape[axis] * inner))


@window_sum.kernel("cpu")
def _(input: Array, axis: int, line: Line) -> Any:
    input = numpy.ascontiguousarray(input)
    if not fits(input):
        return None
    shape = input.shape
    out = numpy.empty((*shape[:axis], line.out, *shape[axis + 1:]), input.dtype)
    rows, inner, least = _rows(shape, axis)
    windows = _positions(line), _weights(line, input.dtype), out.reshape(-1)
    if inner == 1:
        pool.split(_loops().window_sum_last, rows, input.reshape(-1), line.size, *windows,
                   least=least, align=4)
    else:
        pool.split(_loops().window_sum, rows, input.reshape(-1), line.size, inner, *windows,
                   least=least)
    return out


@window_max.kernel("cpu")
def _(input: Array, axis: int, line: Line) -> Any:
    input = numpy.ascontiguousarray(input)
    if not fits(input):
        return None
    shape = input.shape
    out = numpy.empty((*shape[:axis], line.out, *shape[axis + 1:]), input.dtype)
    rows, inner, least = _rows(shape, axis)
    positions = _positions(line)
    if _is_pairwise(positions, line.size):
        pool.split(_loops().pair_max, rows * line.out, input.reshape(-1), inner, out.reshape(-1),
                   least=-(-PIECE // inner))
    elif inner == 1:
        pool.split(_loops().window_max_last, rows, input.reshape(-1), line.size, positions,
                   out.reshape(-1), least=least, align=4)
    else:
        pool.split(_loops().window_max, rows, input.reshape(-1), line.size, inner, positions,
                   out.reshape(-1), least=least)
    return out


@window_max.kernel("cpu", "input")
def _(g: Array, input: Array, axis: int, line: Line) -> Any:
    g, input = numpy.ascontiguousarray(g), numpy.ascontiguousarray(input)
    shape = input.shape
    if not fits(input, g) or g.shape != (*shape[:axis], line.out, *shape[axis + 1:]):
        return None
    d = numpy.empty_like(input)
    rows, inner, least = _rows(input.shape, axis)
    positions = _positions(line)
    if _is_pairwise(positions, line.size):
        pool.split(_loops().pair_max_back, rows * line.out, g.reshape(-1), input.reshape(-1),
                   inner, d.reshape(-1), least=-(-PIECE // inner))
    elif inner == 1:
        pool.split(_loops().window_max_back_last, rows, g.reshape(-1), input.reshape(-1), line.size,
                   positions, d.reshape(-1), least=least)
    else:
        pool.split(_loops().window_max_back, rows, g.reshape(-1), input.reshape(-1), line.size,
                   inner, positions, d.reshape(-1), least=least)
    return d
