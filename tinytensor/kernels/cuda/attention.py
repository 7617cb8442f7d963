"""Kernels for attention: blockwise, or cuBLAS for its products and one kernel between them.

The second way holds the matrix of scores. It takes heads of more than 128 elements, computes the
gradient of a mask, and is used for products in TF32, where cuBLAS has tensor cores and the kernels
of the first way do not, unless the matrix is large.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy

from ...arrays.devices import cupy
from ...ops.attention import Kept, attention
from . import blockwise_attention as blockwise
from .copies import dense_all
from .launch import Array, Source, dense, empty_like, fits, row_threads
from .products import computes_in_tf32, product

SOURCE = Source("attention")
MOST_SCORES = 1 << 28  # bytes of a matrix of scores that is held for the sake of speed
MASK = numpy.dtype([(name, "i8") for name in ("number", "outer", "inner", "query", "key")])
SCORES = numpy.dtype([(name, "i8") for name in ("rows", "inner", "queries", "keys", "causal")])


def _fits(query: Array, key: Array, value: Array, mask: Array | None) -> bool:
    """Whether the arrays are of one dtype that kernels have, not empty, and their shapes agree."""
    if not fits(query, key, value, mask) or not key.size or not value.size \
            or min(query.ndim, key.ndim, value.ndim) < 2 or query.shape[-1] != key.shape[-1] \
            or key.shape[-2] != value.shape[-2]:
        return False
    try:
        scores = (*_lead(query, key, value), query.shape[-2], key.shape[-2])
        return mask is None or numpy.broadcast_shapes(mask.shape, scores) == scores
    except ValueError:  # the batch dims do not broadcast
        return False


def _lead(*arrays: Array) -> tuple[int, ...]:
    return numpy.broadcast_shapes(*(a.shape[:-2] for a in arrays))


def _described(scores: Array, mask: Array | None, is_causal: bool) -> tuple[Any, Any, Array | None]:
    """The structs that the kernels take, and the array that the mask's address is of."""
    batch, (queries, keys) = scores.shape[:-2], scores.shape[-2:]
    inner = batch[-1] if batch else 1
    described = numpy.array((scores.size // keys, inner, queries, keys, bool(is_causal)), SCORES)
    if mask is None:
        return described, numpy.zeros((), MASK), None
    mask = cupy().broadcast_to(mask, scores.shape)
    strides = [0] * (4 - mask.ndim) + [s // mask.itemsize for s in mask.strides]
    if mask.ndim > 4:
        mask = cupy().ascontiguousarray(mask)
        strides = [inner * queries * keys, queries * keys, keys, 1]
    return described, numpy.array((mask.data.ptr, *strides), MASK), mask


def _holds_scores(query: Array, key: Array, value: Array) -> bool:
    """Whether cuBLAS multiplies at the speed of tensor cores, and the scores are not too large."""
    size = math.prod(_lead(query, key, value)) * query.shape[-2] * key.shape[-2] * query.itemsize
    return query.itemsize == 4 and size <= MOST_SCORES and computes_in_tf32()


@attention.kernel("cuda")
def _(query: Array, key: Array, value: Array, mask: Array | None, is_causal: bool,
      scale: float, kept: Kept | None) -> Any:
    if not _fits(query, key, value, mask):
        return None
    if not _holds_scores(query, key, value):
        results = blockwise.forward(query, key, value, mask, is_causal, scale, kept)
        if results is not None:
            return results
    if kept is not None:
        return None
    query, key, value = dense_all(query, key, value)
    scores = product(query, key.swapaxes(-1, -2), factor=scale)
    rows = (*scores.shape[:-1], 1)
    largest, total = empty_like(scores, rows), empty_like(scores, rows)
    *structs, _kept_alive = _described(scores, mask, is_causal)
    SOURCE.launch("attention_weights", scores.dtype, math.prod(rows), row_threads(scores.shape[-1]),
                  *structs, scores, largest, total)
    return product(scores, value), largest, total


@attention.kernel("cuda", "query", "key", "value", "mask")
def _(g: Array, needs: Sequence[bool], query: Array, key: Array, value: Array, mask: Array | None,
      is_causal: bool, scale: float, kept: Kept | None, out: Array, largest: Array,
      total: Array) -> Any:
    if not _fits(query, key, value, mask) or not fits(g, largest, total):
        return None
    if not _holds_scores(query, key, value):
        gradients = blockwise.backward(g, needs, out, largest, total, query, key, value, mask,
                                       is_causal, scale, kept)
        if gradients is not None:
            return gradients
    if kept is not None:
        return None
    query, key, value, g = dense_all(query, key, value, g)
    weights = product(query, key.swapaxes(-1, -2), factor=scale)
    d_scores = product(g, value.swapaxes(-1, -2))
    if d_scores.shape != weights.shape:
        return None
    *structs, _kept_alive = _described(weights, mask, is_causal)
    SOURCE.launch("attention_back", weights.dtype, largest.size, row_threads(weights.shape[-1]),
                  *structs, weights, d_scores, dense(largest), dense(total))
    return (product(d_scores, key, factor=scale) if needs[0] else None,
            product(d_scores.swapaxes(-1, -2), query, factor=scale) if needs[1] else None,
            product(weights.swapaxes(-1, -2), g) if needs[2] else None,
            d_scores if needs[3] else None)
