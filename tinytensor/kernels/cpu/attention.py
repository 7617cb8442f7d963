"""Attention whose scores never exist as a whole: those of a few queries at a time, in the cache.

A thread does whole heads; the loops are in `attention_loops.py`. Keys that a causal query may not
look at are left out, so NaN in them need not come out, as it does where they are multiplied by 0.
"""

from __future__ import annotations

from typing import Any

import numpy

from ...ops.attention import attention
from ..loops import FLOATS, Numba
from ..pool import pool

WORTH_A_THREAD = 1 << 12  # scores


def _by_heads(*arrays: Any) -> list[Any] | None:
    """The arrays as (batch, heads, length, size); None if the loops do not take them."""
    dtype, lead, apart = arrays[0].dtype, arrays[0].shape[:-2], True
    if Numba.missing or len(lead) > 2 or dtype not in FLOATS:
        return None
    for a in arrays:
        if not a.size or a.shape[:-2] != lead or a.dtype is not dtype:
            return None
        apart = apart and not a.flags.forc and a.strides[-1] == a.itemsize
    if not apart:  # all of one kind, for which the loops are compiled, and rows in one piece
        arrays = tuple(numpy.ascontiguousarray(a) for a in arrays)
    return [a if a.ndim == 4 else a.reshape((1,) * (2 - len(lead)) + a.shape) for a in arrays]


def _four_dims(mask: Any, q: Any, k: Any) -> Any:
    """The mask as an array of one kind, with rows in one piece; an empty one if there is none."""
    if mask is None:
        return numpy.empty((0, 0, 0, 0), q.dtype)
    if mask.shape[-1:] != (k.shape[2],):
        mask = numpy.broadcast_to(mask, (*mask.shape[:-1], k.shape[2]))
    return numpy.require(mask.reshape((1,) * (4 - mask.ndim) + mask.shape), requirements=["C", "W"])


def _like(x: Any, size: int) -> Any:
    """A new array in the order of x's memory: then putting heads together needs no copy."""
    return numpy.empty_like(x, shape=(*x.shape[:-1], size))


def _least(q: Any, k: Any) -> int:
    """How many heads are worth a thread."""
    return -(-WORTH_A_THREAD // (q.shape[2] * k.shape[2]))


@attention.kernel("cpu")
def _(query: Any, key: Any, value: Any, mask: Any, is_causal: bool, scale: float) -> Any:
    heads = _by_heads(query, key, value)
    if heads is None:
        return None
    from . import attention_loops as loops

    q, k, v = heads
    out, logsumexp = _like(q, v.shape[3]), numpy.empty(q.shape[:3], q.dtype)
    pool.split(loops.attend, q.shape[0] * q.shape[1], q, k, v, _four_dims(mask, q, k), is_causal,
               q.dtype.type(scale), out, logsumexp, least=_least(q, k))
    shape = query.shape[:-1]
    return out.reshape((*shape, v.shape[3])), logsumexp.reshape((*shape, 1))


@attention.kernel("cpu", "query", "key", "value", "mask")
def _(g: Any, needs: Any, query: Any, key: Any, value: Any, mask: Any, is_causal: bool,
      scale: float, out: Any, logsumexp: Any) -> Any:
    heads = _by_heads(query, key, value, g, out)
    if heads is None or needs[3]:
        return None
    from . import attention_loops as loops

    q, k, v, d_out, y = heads
    d_q, d_k, d_v = (_like(x, x.shape[3]) for x in (q, k, v))
    pool.split(loops.attend_back, q.shape[0] * q.shape[1], d_out, q, k, v, _four_dims(mask, q, k),
               is_causal, q.dtype.type(scale), y, logsumexp.reshape(q.shape[:3]), d_q, d_k, d_v,
               least=_least(q, k))
    return d_q.reshape(query.shape), d_k.reshape(key.shape), d_v.reshape(value.shape), None
