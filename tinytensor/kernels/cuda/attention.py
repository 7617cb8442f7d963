"""Kernels for attention: cuBLAS for its products, and one kernel between them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy

from ...arrays.devices import cupy
from ...ops.attention import attention
from .copies import dense_all
from .launch import Array, Source, dense, empty_like, fits, row_threads
from .products import product

SOURCE = Source("attention")
MASK = numpy.dtype([(name, "i8") for name in ("number", "outer", "inner", "query", "key")])
SCORES = numpy.dtype([(name, "i8") for name in ("rows", "inner", "queries", "keys", "causal")])


def _fits(query: Array, key: Array, value: Array, mask: Array | None) -> bool:
    return fits(query, key, value, mask) and key.size > 0 < value.size \
        and min(query.ndim, key.ndim, value.ndim) >= 2


def _described(scores: Array, mask: Array | None, is_causal: bool) -> tuple[Any, Any, Array | None]:
    """The structs that the kernels take, and the array that the mask's address is of."""
    batch, (queries, keys) = scores.shape[:-2], scores.shape[-2:]
    inner = batch[-1] if batch else 1
    described = numpy.array((scores.size // keys, inner, queries, keys, int(is_causal)), SCORES)
    if mask is None:
        return described, numpy.zeros((), MASK), None
    mask = cupy().broadcast_to(mask, scores.shape)
    strides = [0] * (4 - mask.ndim) + [s // mask.itemsize for s in mask.strides]
    if mask.ndim > 4:
        mask = cupy().ascontiguousarray(mask)
        strides = [inner * queries * keys, queries * keys, keys, 1]
    return described, numpy.array((mask.data.ptr, *strides), MASK), mask


@attention.kernel("cuda")
def _(query: Array, key: Array, value: Array, mask: Array | None, is_causal: bool,
      scale: float) -> Any:
    if not _fits(query, key, value, mask):
        return None
    query, key, value = dense_all(query, key, value)
    scores = product(query, key.swapaxes(-1, -2), factor=scale)
    kept = (*scores.shape[:-1], 1)
    largest, total = empty_like(scores, kept), empty_like(scores, kept)
    *structs, _kept_alive = _described(scores, mask, is_causal)
    SOURCE.launch("attention_weights", scores.dtype, math.prod(kept), row_threads(scores.shape[-1]),
                  *structs, scores, largest, total)
    return product(scores, value), largest, total


@attention.kernel("cuda", "query", "key", "value", "mask")
def _(g: Array, needs: Sequence[bool], query: Array, key: Array, value: Array, mask: Array | None,
      is_causal: bool, scale: float, out: Array, largest: Array, total: Array) -> Any:
    if not _fits(query, key, value, mask) or not fits(g, largest, total):
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
