"""Kernels for softmax, log_softmax and cross entropy."""

from __future__ import annotations

import math
from typing import Any

import numpy

from ...arrays.devices import cupy
from ...autograd.deferred import RangeCheck
from ...ops.activation import log_softmax, softmax
from ...ops.cross_entropy import label_cross_entropy
from .launch import (
    MOST_THREADS,
    THREADS,
    Array,
    Source,
    dense,
    empty_like,
    fits,
    is_dim,
    row_threads,
)

SOURCE = Source("rows")
WARP = 32
SHORT = 1024  # elements of a row up to which a warp has it, and not a block
# Scores up to which one block computes a cross entropy. Of more blocks, a second launch adds up
# the sums, of up to MOST_PARTS.
ONE_BLOCK, MOST_PARTS = 1 << 16, 1024
LABELS = numpy.dtype([*((name, "i8") for name in ("label", "weight", "rows", "size", "width",
                                                  "ignored", "kept", "mark")),
                      ("smoothing", "f8")])
REDUCED = numpy.dtype([(name, "i8") for name in ("parts", "loss", "divisor", "mean")])


def _over(name: str, dim: int, *arrays: Array) -> Array | None:
    """Launches a kernel over the rows along a dim; None if the arrays do not fit."""
    shape = arrays[0].shape
    if not fits(*arrays) or arrays[-1].shape != shape or not is_dim(dim, len(shape)):
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


# ---------------------------------------------------------------- cross entropy


class Labels:
    """The labels of rows of scores as the kernels take them, and how the rows are distributed."""

    def __init__(self, target: Array, weight: Array | None, scores: Array,
                 ignore_index: int | None, label_smoothing: float, kept: Array | None = None,
                 mark: Array | None = None):
        rows, size = scores.shape
        width = WARP if size <= SHORT else row_threads(size)
        self.threads = THREADS if width == WARP else width
        self.blocks = -(-rows * width // self.threads)
        self.arrays = {"label": dense(target.astype("int64", copy=False)), "kept": kept,
                       "weight": None if weight is None else dense(weight), "mark": mark}
        self.struct = numpy.zeros((), LABELS)
        for name, array in self.arrays.items():
            self.struct[name] = _address(array)
        self.struct["rows"], self.struct["size"], self.struct["width"] = rows, size, width
        self.struct["ignored"] = -1 if ignore_index is None else ignore_index
        self.struct["smoothing"] = label_smoothing


def _address(array: Array | None) -> int:
    return 0 if array is None else int(array.data.ptr)


@label_cross_entropy.kernel("cuda")
def _(input: Array, target: Array, weight: Array | None, reduction: str, ignore_index: int | None,
      label_smoothing: float, check: RangeCheck | None) -> Any:
    if not fits(input, weight) or target.shape != input.shape[:1] \
            or weight is not None and weight.shape != input.shape[1:]:
        return None
    kept = cupy().empty(target.shape, "int64")
    labels = Labels(target, weight, input, ignore_index, label_smoothing, kept,
                    None if check is None else check.mark)
    largest, total = (empty_like(input, (len(input), 1)) for _ in range(2))
    given, dtype = (labels.struct, dense(input), largest, total), input.dtype
    if reduction == "none":
        losses = empty_like(input, input.shape[:1])
        SOURCE.launch("cross_entropy", dtype, labels.blocks, labels.threads, *given, losses,
                      numpy.zeros((), REDUCED))
        return losses, largest, total, None, kept
    blocks, threads = min(labels.blocks, MOST_PARTS), labels.threads
    if input.size <= ONE_BLOCK and input.shape[1] <= SHORT:
        blocks, threads = 1, min(len(input) * WARP, MOST_THREADS)
    parts = None if blocks == 1 else empty_like(input, (blocks, 2))
    loss, divisor = empty_like(input, ()), empty_like(input, ())
    reduced = numpy.array((*map(_address, (parts, loss, divisor)), int(reduction == "mean")),
                          REDUCED)
    SOURCE.launch("cross_entropy", dtype, blocks, threads, *given, None, reduced)
    if parts is not None:
        SOURCE.launch("cross_entropy_sum", dtype, 1, row_threads(blocks), reduced, blocks)
    return loss, largest, total, divisor if reduction == "mean" else None, kept


@label_cross_entropy.kernel("cuda", "input")
def _(g: Array, input: Array, largest: Array, total: Array, divisor: Any, target: Array,
      weight: Array | None, reduction: str, ignore_index: int | None,
      label_smoothing: float) -> Any:
    shape = input.shape[:1] if reduction == "none" else ()
    if isinstance(divisor, int) or not fits(input, g, largest, total, divisor, weight) \
            or target.shape != input.shape[:1] or g.shape != shape:
        return None
    labels, d = Labels(target, weight, input, ignore_index, label_smoothing), empty_like(input)
    SOURCE.launch("cross_entropy_back", input.dtype, labels.blocks, labels.threads, labels.struct,
                  g, g.strides[0] // g.itemsize if shape else 0, divisor, dense(input),
                  dense(largest), dense(total), d)
    return d
