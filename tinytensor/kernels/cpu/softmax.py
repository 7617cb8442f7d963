"""Softmax and its relatives over the last axis, a row at a time, which stays in the cache."""

from __future__ import annotations

from typing import Any

import numpy

from ...ops.activation import log_softmax, softmax
from ...ops.loss import label_cross_entropy
from ...ops.reduce import axes
from .. import approximations
from ..loops import fits, inlined, loop, rows, rows_a_thread, without_nan
from ..pool import pool


@without_nan
def larger(a, b):
    return a if a > b else b


@inlined
def largest_of(x, row):
    """The largest element of a row. Where one is NaN any will do: the sum of powers is NaN too."""
    largest = x[row, 0]
    for i in range(x.shape[1]):
        largest = larger(x[row, i], largest)
    return largest


def _of_rows(dim: int, *arrays: Any) -> bool:
    x = arrays[0]
    return bool(fits(*arrays, least=1) and axes(dim, x.ndim) == (x.ndim - 1,))


@softmax.kernel("cpu")
def _(input: Any, dim: int) -> Any:
    return rows(_softmax, input) if _of_rows(dim, input) else None


@loop
def _softmax(start, stop, x, out):
    x, out = x[start:stop], out[start:stop]
    one = x.dtype.type(1)
    for row in range(x.shape[0]):
        largest, total = largest_of(x, row), x.dtype.type(0)
        for i in range(x.shape[1]):
            power = approximations.exp(x[row, i] - largest)
            out[row, i] = power
            total += power
        scale = one / total
        for i in range(x.shape[1]):
            out[row, i] *= scale


@softmax.kernel("cpu", "input")
def _(g: Any, out: Any, dim: int) -> Any:
    g = numpy.asarray(g, order="C")
    return rows(_softmax_back, g, out) if _of_rows(dim, g, out) else None


@loop
def _softmax_back(start, stop, g, out, d):
    g, out, d = g[start:stop], out[start:stop], d[start:stop]
    for row in range(g.shape[0]):
        total = g.dtype.type(0)
        for i in range(g.shape[1]):
            total += g[row, i] * out[row, i]
        for i in range(g.shape[1]):
            d[row, i] = out[row, i] * (g[row, i] - total)


@log_softmax.kernel("cpu")
def _(input: Any, dim: int) -> Any:
    return rows(_log_softmax, input) if _of_rows(dim, input) else None


@loop
def _log_softmax(start, stop, x, out):
    x, out = x[start:stop], out[start:stop]
    for row in range(x.shape[0]):
        largest, total = largest_of(x, row), x.dtype.type(0)
        for i in range(x.shape[1]):
            total += approximations.exp(x[row, i] - largest)
        log = approximations.log(total)
        for i in range(x.shape[1]):
            out[row, i] = x[row, i] - largest - log


@log_softmax.kernel("cpu", "input")
def _(g: Any, out: Any, dim: int) -> Any:
    g = numpy.asarray(g, order="C")
    return rows(_log_softmax_back, g, out) if _of_rows(dim, g, out) else None


@loop
def _log_softmax_back(start, stop, g, out, d):
    g, out, d = g[start:stop], out[start:stop], d[start:stop]
    for row in range(g.shape[0]):
        total = g.dtype.type(0)
        for i in range(g.shape[1]):
            total += g[row, i]
        for i in range(g.shape[1]):
            d[row, i] = g[row, i] - approximations.exp(out[row, i]) * total


@label_cross_entropy.kernel("cpu")
def _(input: Any, target: Any, reduction: str) -> Any:
    if not fits(input, least=1):
        return None
    n, classes = input.shape
    losses, largest, total = numpy.empty((3, n), input.dtype)
    pool.split(_label_cross_entropy, n, input, target, losses, largest, total,
               least=rows_a_thread(classes))
    if reduction != "none":
        losses = numpy.add.reduce(losses) / (1 if reduction == "sum" else losses.dtype.type(n))
    return losses, largest.reshape(n, 1), total.reshape(n, 1)


@loop
def _label_cross_entropy(start, stop, x, labels, losses, largest, totals):
    x, labels, losses = x[start:stop], labels[start:stop], losses[start:stop]
    largest, totals = largest[start:stop], totals[start:stop]
    for row in range(x.shape[0]):
        shift, total = largest_of(x, row), x.dtype.type(0)
        for i in range(x.shape[1]):
            total += approximations.exp(x[row, i] - shift)
        losses[row] = approximations.log(total) - (x[row, labels[row]] - shift)
        largest[row], totals[row] = shift, total


@label_cross_entropy.kernel("cpu", "input")
def _(g: Any, input: Any, largest: Any, total: Any, target: Any, reduction: str) -> Any:
    if not fits(input, largest, total, least=1):
        return None
    d = numpy.empty_like(input)
    g = numpy.asarray(g, order="C").reshape(-1)  # one for all rows, unless nothing was reduced
    pool.split(_label_cross_entropy_back, len(d), g, d.dtype.type(
        len(d) if reduction == "mean" else 1), input, largest.reshape(-1), total.reshape(-1),
        target, d, least=rows_a_thread(d.shape[1]))
    return d


@loop
def _label_cross_entropy_back(start, stop, g, count, x, largest, total, labels, d):
    x, largest, total = x[start:stop], largest[start:stop], total[start:stop]
    labels, d = labels[start:stop], d[start:stop]
    each = g[0] / count
    for row in range(x.shape[0]):
        if g.size > 1:
            each = g[start + row] / count
        shift, scale = largest[row], each / total[row]
        for i in range(x.shape[1]):
            d[row, i] = approximations.exp(x[row, i] - shift) * scale
        d[row, labels[row]] -= each
