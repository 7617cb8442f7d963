"""Kernels for attention that never hold the whole matrix of scores.

The loops (`attention_loops.py`) compute the scores of 48 queries at a time, which stay in the
cache. Each thread computes whole heads. Keys after a causal query are skipped, so that NaN in them
does not reach the result; the reference multiplies them by 0, which gives NaN.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy

from ...ops.attention import attention
from ..loops import FLOATS, Array, Loop, Numba
from ..pool import pool

SCORES_PER_THREAD = 1 << 12  # scores below which another thread costs more than it saves


@functools.cache
def _loops() -> Any:
    from .. import memory  # imports Numba
    from . import attention_loops

    return attention_loops if memory.layout_is_as_expected() else None


def _by_heads(*arrays: Array) -> list[Any] | None:
    """The arrays as (batch, heads, length, size); None if the loops do not support them."""
    dtype, lead = arrays[0].dtype, arrays[0].shape[:-2]
    if len(lead) > 2 or dtype not in FLOATS or not Numba.usable():
        return None
    heads = []
    for a in arrays:
        if not a.size or a.shape[:-2] != lead or a.dtype is not dtype:
            return None
        if a.strides[-1] != a.itemsize or not a.flags.aligned:  # rows must be contiguous
            a = numpy.require(a, requirements=["C", "A"])
        heads.append(a if a.ndim == 4 else a.reshape((1,) * (2 - len(lead)) + a.shape))
    return heads


def _mask_4d(mask: Array | None, q: Array, k: Array) -> Any:
    """The mask as a 4-d array with contiguous rows; an empty array if there is none.

    Numba compiles a loop for each layout, so all masks get the same one.
    """
    if mask is None:
        return numpy.empty((0, 0, 0, 0), q.dtype)
    if mask.shape[-1:] != (k.shape[2],):
        mask = numpy.broadcast_to(mask, (*mask.shape[:-1], k.shape[2]))
    return numpy.require(mask.reshape((1,) * (4 - mask.ndim) + mask.shape), requirements=["C", "W"])


def _empty_like(x: Array, size: int) -> Any:
    """A new array with the memory order of x, so that concatenating heads needs no copy."""
    out = numpy.empty_like(x, shape=(*x.shape[:-1], size))
    if out.strides[-1] == out.itemsize:
        return out
    return numpy.empty(out.shape, out.dtype)  # x was broadcast: no contiguous rows


def _run(loop: Loop, arrays: Sequence[Any], mask: Array | None, is_causal: bool, scale: float,
         logsumexp: Array) -> None:
    """Runs the loop on several threads. It receives the ids of the arrays, see `memory.py`.

    The first three arrays are query, key and value.
    """
    q, k, v = arrays[:3]
    batch, heads, queries, size = q.shape
    keys, columns = v.shape[2:]
    pool.split(loop, batch * heads, numpy.array([id(a) for a in arrays], numpy.int64), heads,
               queries, keys, size, columns, _mask_4d(mask, q, k), is_causal,
               q.dtype.type(scale), logsumexp, least=-(-SCORES_PER_THREAD // (queries * keys)))


@attention.kernel("cpu")
def _(query: Array, key: Array, value: Array, mask: Array | None, is_causal: bool,
      scale: float) -> Any:
    heads = _by_heads(query, key, value)
    if heads is None or (loops := _loops()) is None:
        return None
    q, k, v = heads
    if k.shape[2:] != (v.shape[2], q.shape[3]):
        return None
    out, logsumexp = _empty_like(q, v.shape[3]), numpy.empty(q.shape[:3], q.dtype)
    _run(loops.attend, (q, k, v, out), mask, is_causal, scale, logsumexp)
    shape = query.shape[:-1]
    return out.reshape((*shape, v.shape[3])), logsumexp.reshape((*shape, 1))


@attention.kernel("cpu", "query", "key", "value", "mask")
def _(g: Array, needs: Sequence[bool], query: Array, key: Array, value: Array,
      mask: Array | None, is_causal: bool, scale: float, out: Array, logsumexp: Array) -> Any:
    heads = _by_heads(query, key, value, g, out)
    if heads is None or needs[3] or (loops := _loops()) is None:
        return None
    q, k, v, d_out, y = heads
    if d_out.shape != y.shape or y.shape[2:] != (q.shape[2], v.shape[3]) \
            or k.shape[2:] != (v.shape[2], q.shape[3]) or logsumexp.size != q[..., 0].size:
        return None
    d_q, d_k, d_v = (_empty_like(x, x.shape[3]) for x in (q, k, v))
    _run(loops.attend_back, (q, k, v, y, d_out, d_q, d_k, d_v), mask, is_causal, scale,
         logsumexp.reshape(q.shape[:3]))
    return d_q.reshape(query.shape), d_k.reshape(key.shape), d_v.reshape(value.shape), None
