"""Attention whose scores never exist as a whole: those of a few queries at a time, in the cache.

A thread does whole heads; the loops are in `attention_loops.py`. Keys that a causal query may not
look at are left out, so NaN in them need not come out, as it does where they are multiplied by 0.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy

from ...ops.attention import attention
from ..loops import FLOATS, Numba
from ..pool import pool

WORTH_A_THREAD = 1 << 12  # scores


@functools.cache
def _loops() -> Any:
    from .. import memory  # imports Numba
    from . import attention_loops

    return attention_loops if memory.trusted() else None


def _by_heads(*arrays: Any) -> list[Any] | None:
    """The arrays as (batch, heads, length, size); None if the loops do not take them."""
    dtype, lead = arrays[0].dtype, arrays[0].shape[:-2]
    if Numba.missing or len(lead) > 2 or dtype not in FLOATS:
        return None
    found = []
    for a in arrays:
        if not a.size or a.shape[:-2] != lead or a.dtype is not dtype:
            return None
        if a.strides[-1] != a.itemsize or not a.flags.aligned:  # rows in one piece
            a = numpy.require(a, requirements=["C", "A"])
        found.append(a if a.ndim == 4 else a.reshape((1,) * (2 - len(lead)) + a.shape))
    return found


def _four_dims(mask: Any, q: Any, k: Any) -> Any:
    """The mask as an array of one kind, with rows in one piece; an empty one if there is none."""
    if mask is None:
        return numpy.empty((0, 0, 0, 0), q.dtype)
    if mask.shape[-1:] != (k.shape[2],):
        mask = numpy.broadcast_to(mask, (*mask.shape[:-1], k.shape[2]))
    return numpy.require(mask.reshape((1,) * (4 - mask.ndim) + mask.shape), requirements=["C", "W"])


def _like(x: Any, size: int) -> Any:
    """A new array in the order of x's memory: then putting heads together needs no copy."""
    out = numpy.empty_like(x, shape=(*x.shape[:-1], size))
    if out.strides[-1] == out.itemsize:
        return out
    return numpy.empty(out.shape, out.dtype)  # x was broadcast, so that rows are not in one piece


def _split(loop: Any, arrays: Sequence[Any], mask: Any, is_causal: bool, scale: float,
           logsumexp: Any) -> None:
    """The loop, in threads, of arrays that are known by their ids, the first query, key, value."""
    q, k, v = arrays[:3]
    batch, heads, queries, size = q.shape
    keys, columns = v.shape[2:]
    pool.split(loop, batch * heads, numpy.array([id(a) for a in arrays], numpy.int64), heads,
               queries, keys, size, columns, _four_dims(mask, q, k), is_causal,
               q.dtype.type(scale), logsumexp, least=-(-WORTH_A_THREAD // (queries * keys)))


@attention.kernel("cpu")
def _(query: Any, key: Any, value: Any, mask: Any, is_causal: bool, scale: float) -> Any:
    heads = _by_heads(query, key, value)
    if heads is None or (loops := _loops()) is None:
        return None
    q, k, v = heads
    out, logsumexp = _like(q, v.shape[3]), numpy.empty(q.shape[:3], q.dtype)
    _split(loops.attend, (q, k, v, out), mask, is_causal, scale, logsumexp)
    shape = query.shape[:-1]
    return out.reshape((*shape, v.shape[3])), logsumexp.reshape((*shape, 1))


@attention.kernel("cpu", "query", "key", "value", "mask")
def _(g: Any, needs: Any, query: Any, key: Any, value: Any, mask: Any, is_causal: bool,
      scale: float, out: Any, logsumexp: Any) -> Any:
    heads = _by_heads(query, key, value, g, out)
    if heads is None or needs[3] or (loops := _loops()) is None:
        return None
    q, k, v, d_out, y = heads
    d_q, d_k, d_v = (_like(x, x.shape[3]) for x in (q, k, v))
    _split(loops.attend_back, (q, k, v, y, d_out, d_q, d_k, d_v), mask, is_causal, scale,
           logsumexp.reshape(q.shape[:3]))
    return d_q.reshape(query.shape), d_k.reshape(key.shape), d_v.reshape(value.shape), None
