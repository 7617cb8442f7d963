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

from ...ops.attention import Kept, attention
from ..loops import FLOATS, Array, Loop, Numba
from ..pool import pool

SCORES_PER_THREAD = 1 << 12  # scores below which another thread costs more than it saves


@functools.cache
def _loops() -> Any:
    from .. import memory  # imports Numba
    from . import attention_loops

    return attention_loops if memory.layout_is_as_expected() else None


def _by_heads(*arrays: Array) -> tuple[list[Any], tuple[int, ...]] | None:
    """The arrays as (batch, heads, length, size), and the batch dims that they had, broadcast;
    None if the loops do not support them.
    """
    dtype, lead = arrays[0].dtype, arrays[0].shape[:-2]
    if dtype not in FLOATS or not Numba.usable():
        return None
    if not all(a.size and a.dtype is dtype and a.ndim >= 2 for a in arrays):
        return None
    if len(lead) > 2 or any(a.shape[:-2] != lead for a in arrays):
        try:
            lead = numpy.broadcast_shapes(*(a.shape[:-2] for a in arrays))
        except ValueError:
            return None
        arrays = tuple(numpy.broadcast_to(a, lead + a.shape[-2:]).reshape(-1, *a.shape[-2:])
                       for a in arrays)
    heads = []
    for a in arrays:
        if a.strides[-1] != a.itemsize or not a.flags.aligned:  # rows must be contiguous
            a = numpy.require(a, requirements=["C", "A"])
        heads.append(a if a.ndim == 4 else a.reshape((1,) * (4 - a.ndim) + a.shape))
    return heads, lead


def _mask_4d(mask: Array | None, q: Array, k: Array, lead: tuple[int, ...]) -> Any:
    """The mask as a 4-d array with contiguous rows; an empty array if there is none.

    Numba compiles a loop for each layout, so all masks get the same one.
    """
    if mask is None:
        return numpy.empty((0, 0, 0, 0), q.dtype)
    if mask.shape[-1:] != (k.shape[2],):
        mask = numpy.broadcast_to(mask, (*mask.shape[:-1], k.shape[2]))
    if mask.ndim > 2 and (1,) * (2 - len(lead)) + lead != q.shape[:2]:  # heads that were broadcast
        mask = numpy.broadcast_to(mask, (*lead, *mask.shape[-2:])).reshape(-1, *mask.shape[-2:])
    return numpy.require(mask.reshape((1,) * (4 - mask.ndim) + mask.shape), requirements=["C", "W"])


def _empty_like(x: Array, size: int) -> Any:
    """A new array with the memory order of x, so that concatenating heads needs no copy."""
    out = numpy.empty_like(x, shape=(*x.shape[:-1], size))
    if out.strides[-1] == out.itemsize:
        return out
    return numpy.empty(out.shape, out.dtype)  # x was broadcast: no contiguous rows


def _run(loop: Loop, arrays: Sequence[Any], lead: tuple[int, ...], mask: Array | None,
         is_causal: bool, scale: float, kept: Kept | None, sums: Array) -> None:
    """Runs the loop on several threads. It receives the ids of the arrays, see `memory.py`.

    The first three arrays are query, key and value.
    """
    q, k, v = arrays[:3]
    batch, heads, queries, size = q.shape
    keys, columns = v.shape[2:]
    shape = (0, 0, 0, 0) if kept is None else (batch, heads, queries, keys)
    bools = numpy.empty(0, bool) if kept is None else kept.bools()
    number = q.dtype.type
    pool.split(loop, batch * heads, numpy.array([id(a) for a in arrays], numpy.int64), heads,
               queries, keys, size, columns, _mask_4d(mask, q, k, lead), is_causal, number(scale),
               bools.reshape(shape), number(1 if kept is None else kept.factor), sums,
               least=-(-SCORES_PER_THREAD // (queries * keys)))


def _draws(kept: Kept | None, lead: tuple[int, ...], queries: int, keys: int) -> bool:
    """Whether there is a bool for each weight, or nothing is dropped."""
    return kept is None or kept.shape == (*lead, queries, keys)


@attention.kernel("cpu")
def _(query: Array, key: Array, value: Array, mask: Array | None, is_causal: bool,
      scale: float, kept: Kept | None) -> Any:
    found = _by_heads(query, key, value)
    if found is None or (loops := _loops()) is None:
        return None
    (q, k, v), lead = found
    if k.shape[2:] != (v.shape[2], q.shape[3]) or not _draws(kept, lead, q.shape[2], k.shape[2]):
        return None
    out, sums = _empty_like(q, v.shape[3]), numpy.empty((2, *q.shape[:3]), q.dtype)
    _run(loops.attend, (q, k, v, out), lead, mask, is_causal, scale, kept, sums)
    shape = (*lead, q.shape[2])
    return out.reshape((*shape, v.shape[3])), *sums.reshape((2, *shape, 1))


@attention.kernel("cpu", "query", "key", "value", "mask")
def _(g: Array, needs: Sequence[bool], query: Array, key: Array, value: Array,
      mask: Array | None, is_causal: bool, scale: float, kept: Kept | None, out: Array,
      largest: Array, total: Array) -> Any:
    found = _by_heads(query, key, value, g, out)
    if found is None or needs[3] or (loops := _loops()) is None:
        return None
    (q, k, v, d_out, y), lead = found
    if d_out.shape != y.shape or y.shape[2:] != (q.shape[2], v.shape[3]) \
            or k.shape[2:] != (v.shape[2], q.shape[3]) or largest.size != q[..., 0].size \
            or total.size != largest.size or not _draws(kept, lead, q.shape[2], k.shape[2]):
        return None
    gradients = [_empty_like(x, x.shape[3]) for x in (q, k, v)]
    _run(loops.attend_back, (q, k, v, y, d_out, *gradients), lead, mask, is_causal, scale, kept,
         numpy.stack([largest, total]).reshape(2, *q.shape[:3]))
    return *(d.reshape(*lead, *d.shape[2:]) for d in gradients), None
