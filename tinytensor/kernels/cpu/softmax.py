"""Kernels for softmax, log_softmax and cross entropy over the last axis, row by row."""

from __future__ import annotations

import math
from typing import Any

import numpy

from ...ops.activation import log_softmax, softmax
from ...ops.cross_entropy import label_cross_entropy
from .. import approximations
from ..loops import Array, fits, inlined, loop, rows, rows_per_thread, without_nan
from ..pool import pool
from .sums import put_powers, sum_of, sum_of_powers, sum_of_products


@without_nan
def larger(a, b):
    return a if a > b else b


@inlined
def largest_of(x, row):
    """The maximum of a row. With NaN in it any result will do: the sum of powers is NaN too."""
    largest = x[row, 0]
    for i in range(x.shape[1]):
        largest = larger(x[row, i], largest)
    return largest


def _over_rows(dim: int, *arrays: Array) -> bool:
    shape = arrays[0].shape
    last = len(shape) - 1
    return last >= 0 and dim in (-1, last) and arrays[-1].shape == shape and fits(*arrays, least=1)


@softmax.kernel("cpu")
def _(input: Array, dim: int) -> Any:
    return rows(_softmax, input) if _over_rows(dim, input) else None


@loop
def _softmax(start, stop, x, out):
    x, out = x[start:stop], out[start:stop]
    one = x.dtype.type(1)
    for row in range(x.shape[0]):
        scale = one / put_powers(x, row, largest_of(x, row), out)
        for i in range(x.shape[1]):
            out[row, i] *= scale


@softmax.kernel("cpu", "input")
def _(g: Array, out: Array, dim: int) -> Any:
    g = numpy.asarray(g, order="C")
    return rows(_softmax_back, g, out) if _over_rows(dim, g, out) else None


@loop
def _softmax_back(start, stop, g, out, d):
    g, out, d = g[start:stop], out[start:stop], d[start:stop]
    for row in range(g.shape[0]):
        total = sum_of_products(g[row], out[row])
        for i in range(g.shape[1]):
            d[row, i] = out[row, i] * (g[row, i] - total)


@log_softmax.kernel("cpu")
def _(input: Array, dim: int) -> Any:
    return rows(_log_softmax, input) if _over_rows(dim, input) else None


@loop
def _log_softmax(start, stop, x, out):
    x, out = x[start:stop], out[start:stop]
    for row in range(x.shape[0]):
        largest = largest_of(x, row)
        log = approximations.log(sum_of_powers(x, row, largest))
        for i in range(x.shape[1]):
            out[row, i] = (x[row, i] - largest) - log


@log_softmax.kernel("cpu", "input")
def _(g: Array, out: Array, dim: int) -> Any:
    g = numpy.asarray(g, order="C")
    return rows(_log_softmax_back, g, out) if _over_rows(dim, g, out) else None


@loop
def _log_softmax_back(start, stop, g, out, d):
    g, out, d = g[start:stop], out[start:stop], d[start:stop]
    for row in range(g.shape[0]):
        total = sum_of(g[row])
        for i in range(g.shape[1]):
            d[row, i] = g[row, i] - approximations.exp(out[row, i]) * total


def _plain(weight: Array | None, ignore_index: int | None, label_smoothing: float) -> bool:
    """Whether all labels are used and count the same."""
    return weight is None and ignore_index is None and not label_smoothing


@label_cross_entropy.kernel("cpu")
def _(input: Array, target: Array, weight: Array | None, reduction: str, ignore_index: int | None,
      label_smoothing: float, check: Any) -> Any:
    if not _plain(weight, ignore_index, label_smoothing) or target.shape != input.shape[:1] \
            or not fits(input, least=1):
        return None
    n, classes = input.shape
    kept = numpy.empty((3, n, 1), input.dtype)  # losses, largest scores, sums of powers
    pool.split(_label_cross_entropy, n, input, target, kept, least=rows_per_thread(classes))
    losses, largest, total = kept
    if reduction == "none":
        return losses.reshape(n).copy(), largest, total, None, target.copy()  # programs write to it
    divisor = n if reduction == "mean" else None
    loss = numpy.array(_sum(losses.reshape(n), divisor or 1), input.dtype)
    return loss, largest, total, divisor, target.copy()


@loop
def _label_cross_entropy(start, stop, x, labels, kept):
    for row in range(start, stop):
        shift = largest_of(x, row)
        total = sum_of_powers(x, row, shift)
        label = labels[row]  # checked where it is used: another thread may have written it
        chosen = x[row, label] if 0 <= label < x.shape[1] else x.dtype.type(math.nan)
        kept[0, row, 0] = approximations.log(total) - (chosen - shift)
        kept[1, row, 0], kept[2, row, 0] = shift, total


@loop
def _sum(losses, count):
    return sum_of(losses) / losses.dtype.type(count)


@label_cross_entropy.kernel("cpu", "input")
def _(g: Array, input: Array, largest: Array, total: Array, divisor: int | None, target: Array,
      weight: Array | None, reduction: str, ignore_index: int | None,
      label_smoothing: float) -> Any:
    rows = input.shape[:1]
    if not _plain(weight, ignore_index, label_smoothing) or target.shape != rows \
            or g.shape != (rows if reduction == "none" else ()) \
            or not largest.shape == total.shape == (*rows, 1) \
            or not fits(input, largest, total, least=1):
        return None
    d = numpy.empty_like(input)
    g = numpy.asarray(g, order="C").reshape(-1)  # one number, or for reduction "none" one per row
    pool.split(_label_cross_entropy_back, len(d), g, divisor or 1, input, largest, total,
               target, d, least=rows_per_thread(d.shape[1]))
    return d


@loop
def _label_cross_entropy_back(start, stop, g, count, x, largest, total, labels, d):
    count = g.dtype.type(count)
    for row in range(start, stop):
        each = (g[row] if g.size > 1 else g[0]) / count
        shift, scale = largest[row, 0], each / total[row, 0]
        for i in range(x.shape[1]):
            d[row, i] = approximations.exp(x[row, i] - shift) * scale
        label = labels[row]
        if 0 <= label < x.shape[1]:
            d[row, label] -= each
