"""Kernels for softmax, log_softmax and cross entropy."""

from __future__ import annotations

import math
from typing import Any

from ...ops.activation import log_softmax, softmax
from ...ops.cross_entropy import label_cross_entropy
from .launch import THREADS, Array, Source, dense, empty_like, fits, row_threads

SOURCE = Source("rows")


def _over(name: str, dim: int, *arrays: Array) -> Array | None:
    """Launches a kernel over the rows along a dim; None if the arrays do not fit."""
    shape = arrays[0].shape
    if not fits(*arrays) or arrays[-1].shape != shape or not -len(shape) <= dim < len(shape):
        return None
    dim %= len(shape)
    size, inner = shape[dim], math.prod(shape[dim + 1:])
    out, rows = empty_like(arrays[0]), arrays[0].size // size
    blocks, threads = (rows, row_threads(size)) if inner == 1 else (-(-rows // THREADS), THREADS)
    SOURCE.launch(name, out.dtype, blocks, threads, *map(dense, arrays), out, rows, size, inner)
    return out


@softmax.kernel("cuda")
def _(input: Array, dim: int) -> Any:
    return _over("softmax", dim, input)


@softmax.kernel("cuda", "input")
def _(g: Array, out: Array, dim: int) -> Any:
    return _over("softmax_back", dim, g, out)


@log_softmax.kernel("cuda")
def _(input: Array, dim: int) -> Any:
    return _over("log_softmax", dim, input)


@log_softmax.kernel("cuda", "input")
def _(g: Array, out: Array, dim: int) -> Any:
    return _over("log_softmax_back", dim, g, out)


@label_cross_entropy.kernel("cuda")
def _(input: Array, target: Array, reduction: str = "none") -> Any:
    if not fits(input) or target.shape != input.shape[:1]:
        return None
    (rows, size), labels = input.shape, _labels(target)
    losses = empty_like(input, (rows,))
    largest, total = empty_like(input, (rows, 1)), empty_like(input, (rows, 1))
    SOURCE.over_rows("cross_entropy", input, rows, size, dense(input), labels, losses, largest,
                     total, rows, size)
    if reduction == "none":
        return losses, largest, total
    loss = empty_like(input, ())
    SOURCE.launch("sum_of_losses", input.dtype, 1, row_threads(rows), losses, labels, loss, rows,
                  size, int(reduction == "mean"))
    return loss, largest, total


@label_cross_entropy.kernel("cuda", "input")
def _(g: Array, input: Array, largest: Array, total: Array, target: Array, reduction: str) -> Any:
    rows, size = input.shape
    shape = (rows,) if reduction == "none" else ()
    if not fits(input, g, largest, total) or target.shape != (rows,) or g.shape != shape:
        return None
    d, labels = empty_like(input), _labels(target)
    step = g.strides[0] // g.itemsize if reduction == "none" else 0
    if reduction == "mean":
        each = empty_like(g)
        SOURCE.launch("divided_by_used", g.dtype, 1, row_threads(rows), g, labels, each, rows, size)
        g = each
    SOURCE.over_rows("cross_entropy_back", input, rows, size, g, step, dense(input), labels,
                     dense(largest), dense(total), d, rows, size)
    return d


def _labels(target: Array) -> Array:
    return dense(target.astype("int64", copy=False))
