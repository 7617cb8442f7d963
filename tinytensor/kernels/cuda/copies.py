"""Kernels that move elements: dense copies of several arrays at once, cat, and embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy

from ...arrays.devices import cupy
from ...arrays.dispatch import KernelSettings
from ...ops import embedding as ops
from ...ops.shape import cat
from .launch import FLOATS, THREADS, Array, Source, dense, empty_like, fits, is_dim

SOURCE = Source("copies")
COPIES, DIMS = 8, 6  # as in copies.cu
COPY = numpy.dtype([("to", "i8"), ("from", "i8"), ("first", "i8"), ("dims", "i8"),
                    ("size", "i8", DIMS), ("to_stride", "i8", DIMS), ("from_stride", "i8", DIMS)])
TABLE = numpy.dtype([("count", "i8"), ("elements", "i8"), ("copy", COPY, COPIES)])
IN_ORDER = 8192  # positions of an embedding whose gradient is always added up in their order


def joined_dims(shape: Sequence[int], *strides: Sequence[int]) -> tuple[list[int], list[list[int]]]:
    """The sizes and strides of arrays of one shape, where dims that lie in a row are one dim."""
    sizes: list[int] = []
    steps: list[list[int]] = []
    for size, *step in zip(shape, *strides, strict=True):
        if size == 1:
            continue
        if sizes and all(s * size == before for s, before in zip(step, steps[-1], strict=True)):
            sizes[-1], steps[-1] = sizes[-1] * size, step
        else:
            sizes.append(size)
            steps.append(step)
    return sizes, [list(column) for column in zip(*steps, strict=True)] or [[] for _ in strides]


def copy_all(pairs: Sequence[tuple[Array, Array]]) -> None:
    """Copies (to, from), of equal shapes, of one dtype that the kernels have, of up to 6 dims."""
    pairs = [pair for pair in pairs if pair[0].size]
    for start in range(0, len(pairs), COPIES):
        table, elements = numpy.zeros((), TABLE), 0
        part = pairs[start:start + COPIES]
        for k, (to, source) in enumerate(part):
            sizes, (to_strides, strides) = joined_dims(to.shape, to.strides, source.strides)
            row = table["copy"][k]
            row["to"], row["from"], row["first"] = to.data.ptr, source.data.ptr, elements
            row["dims"], row["size"][:len(sizes)] = len(sizes), sizes
            row["to_stride"][:len(sizes)] = [s // to.itemsize for s in to_strides]
            row["from_stride"][:len(sizes)] = [s // to.itemsize for s in strides]
            elements += to.size
        table["count"], table["elements"] = len(part), elements
        SOURCE.launch("copy_all", part[0][0].dtype, -(-elements // THREADS), THREADS, table)


def dense_all(*arrays: Array) -> list[Array]:
    """The arrays, of one dtype, with copies of those that are not C-contiguous."""
    if any(a.ndim > DIMS for a in arrays):
        return [dense(a) for a in arrays]
    result = [a if a.flags.c_contiguous else empty_like(a) for a in arrays]
    copy_all([(to, a) for to, a in zip(result, arrays, strict=True) if to is not a])
    return result


@cat.kernel("cuda")
def _(tensors: Sequence[Array], dim: int = 0) -> Any:
    first = tensors[0]
    if not fits(*tensors) or not all(a.size and a.ndim == first.ndim for a in tensors) \
            or not is_dim(dim, first.ndim):
        return None
    dim %= first.ndim
    rest = {(*a.shape[:dim], *a.shape[dim + 1:]) for a in tensors}
    if len(rest) > 1 or first.ndim > DIMS:
        return None
    out = empty_like(first, (*first.shape[:dim], sum(a.shape[dim] for a in tensors),
                             *first.shape[dim + 1:]))
    pairs, start = [], 0
    for a in tensors:
        stop = start + a.shape[dim]
        pairs.append((out[(slice(None),) * dim + (slice(start, stop),)], a))
        start = stop
    copy_all(pairs)
    return out


# ---------------------------------------------------------------- embeddings


def _positions(input: Array) -> Array:
    return dense(input.astype("int64", copy=False))


@ops.embedding.kernel("cuda")
def _(input: Array, weight: Array, padding_idx: int | None = None,
      scale_grad_by_freq: bool = False) -> Any:
    if not fits(weight) or weight.ndim != 2 or not input.size or input.dtype.kind not in "iu":
        return None
    out = empty_like(weight, (*input.shape, weight.shape[1]))
    SOURCE.over_elements("take_rows", out, _positions(input), dense(weight), out, input.size,
                         *weight.shape)
    return out


@ops.embedding.kernel("cuda", "weight")
def _(g: Array, input: Array, weight_shape: tuple[int, ...], weight_dtype: Any,
      padding_idx: int | None, scale_grad_by_freq: bool) -> Any:
    if scale_grad_by_freq or g.dtype not in FLOATS or not g.size or g.dtype != weight_dtype:
        return None
    rows, size = weight_shape
    d = cupy().zeros(weight_shape, g.dtype)
    arguments = (_positions(input), dense(g), d, input.size, rows, size,
                 -1 if padding_idx is None else padding_idx % rows)
    if input.size <= IN_ORDER or KernelSettings.deterministic:
        SOURCE.launch("add_rows_in_order", g.dtype, input.size, THREADS, *arguments)
    else:
        SOURCE.over_elements("add_rows", g, *arguments)
    return d
