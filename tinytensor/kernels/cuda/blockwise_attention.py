"""Attention that never holds the matrix of scores: one launch, and two backward.

`blockwise_attention.cu` describes the method. The kernels read and write any strides, so heads need
not be copied together, and keys and values that several heads share are not repeated.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy

from ...arrays.devices import cupy
from ...arrays.streams import memory_dims
from ...ops.attention import Kept
from .copies import joined_dims
from .launch import Array, Source, empty_like, fits

SIZES = (32, 64, 128)  # of heads: a smaller head takes the time of the next size
SOURCES = {size: Source("blockwise_attention", after=("philox",), SIZE=size) for size in SIZES}
TILES = {4: 64, 8: 32}  # queries and keys of a tile, by the bytes of a number, as in the text
THREADS = 256
MATRIX = numpy.dtype([("at", "i8"), ("step", "i8", 3), ("row", "i8"), ("column", "i8")])
DROPOUT = numpy.dtype([*((name, "i8") for name in ("drops", "seed", "offset", "base", "bound")),
                       ("factor", "f8")])
ATTENTION = numpy.dtype([
    ("batch", "i8", 3),
    *((name, "i8") for name in ("queries", "keys", "size", "columns", "causal", "shared")),
    ("scale", "f8"), ("dropout", DROPOUT),
    *((name, MATRIX) for name in ("query", "key", "value", "mask", "out", "d_out", "d_query",
                                  "d_key", "d_value")),
    ("largest", "i8"), ("total", "i8"), ("sum", "i8")])


class Call:
    """The arguments of a call, of shapes that agree, as the kernels of both passes get them.

    `lead` are the batch dims. `shares` tells whether the last of them is one head of keys and
    values for several of queries.
    """

    def __init__(self, query: Array, key: Array, value: Array, mask: Array | None, is_causal: bool,
                 scale: float, kept: Kept | None):
        self.inputs = {"query": query, "key": key, "value": value}
        self.mask, self.is_causal, self.scale, self.kept = mask, is_causal, scale, kept
        self.lead = numpy.broadcast_shapes(*(a.shape[:-2] for a in self.inputs.values()))
        self.queries, self.size = query.shape[-2:]
        self.keys, self.columns = value.shape[-2:]
        self.shares = self.lead[-1:] > (1,) and all(
            a.shape[:-2][-1:] in ((), (1,)) for a in (key, value))
        self.rows = (*self.lead, self.queries, 1)  # the shape of what is kept for each query
        self.source = next((SOURCES[n] for n in SIZES if n >= max(self.size, self.columns)), None)

    @property
    def fits(self) -> bool:
        """Whether the heads are small enough, and there is one draw of dropout for each weight."""
        return self.source is not None and (
            self.kept is None or self.kept.shape == (*self.lead, self.queries, self.keys))

    @property
    def key_heads(self) -> tuple[int, ...]:
        """The batch dims of the gradients of keys and values."""
        return (*self.lead[:-1], 1) if self.shares else self.lead

    def launch(self, name: str, heads: Sequence[int], rows: int, **arrays: Array) -> bool:
        """Launches a kernel with a block for each tile of `rows` of a head, or for several tiles.
        False if the batch has too many dims for it.
        """
        a, like = self._described(arrays), self.inputs["query"]
        if a is None or self.source is None:
            return False
        tiles = -(-rows // TILES[like.itemsize])
        self.source.launch(name, like.dtype, math.prod(heads) * tiles, THREADS, a)
        return True

    def _described(self, arrays: dict[str, Array]) -> Any:
        """The struct that the kernels take; None if the batch has too many dims for it."""
        a = numpy.zeros((), ATTENTION)
        matrices = dict(self.inputs)
        if self.mask is not None:
            matrices["mask"] = cupy().broadcast_to(
                self.mask, (*self.mask.shape[:-2], self.queries, self.keys))
        for name, array in arrays.items():
            if ATTENTION[name] == MATRIX:
                matrices[name] = array
            else:
                a[name] = array.data.ptr
        matrices = {name: cupy().broadcast_to(x, (*self.lead, *x.shape[-2:]))
                    for name, x in matrices.items()}
        sizes, steps = joined_dims(self.lead, *(x.strides[:-2] for x in matrices.values()))
        if len(sizes) > 3:
            return None
        a["batch"] = [1] * (3 - len(sizes)) + sizes
        for (name, x), step in zip(matrices.items(), steps, strict=True):
            strides = [s // x.itemsize for s in (*step, *x.strides[-2:])]
            a[name]["at"], a[name]["step"] = x.data.ptr, [0] * (3 - len(step)) + strides[:-2]
            a[name]["row"], a[name]["column"] = strides[-2:]
        a["queries"], a["keys"], a["size"] = self.queries, self.keys, self.size
        a["columns"], a["causal"], a["shared"] = self.columns, bool(self.is_causal), self.shares
        a["scale"], a["dropout"]["factor"] = self.scale, 1
        if self.kept is not None:
            draw, dropout = self.kept.draw, a["dropout"]
            dropout["seed"] = draw.seed if draw.seed < 2**63 else draw.seed - 2**64
            dropout["offset"], dropout["bound"] = draw.offset, draw.bound
            dropout["base"] = 0 if draw.base is None else draw.base.data.ptr
            dropout["drops"], dropout["factor"] = 1, self.kept.factor
        return a


def _laid_out_as(x: Array, shape: Sequence[int]) -> Array:
    """An array of a shape whose dims lie in memory in the order of those of x, so that heads side
    by side stay so, and joining them needs no copy.
    """
    if x.ndim != len(shape) or x.flags.c_contiguous:
        return empty_like(x, shape)
    order = memory_dims(x)
    return empty_like(x, [shape[dim] for dim in order]).transpose(numpy.argsort(order).tolist())


def forward(*arguments: Any) -> Any:
    """The results of `attention`; None if the kernel does not support the arguments."""
    call = Call(*arguments)
    if not call.fits:
        return None
    query = call.inputs["query"]
    out = _laid_out_as(query, (*call.lead, call.queries, call.columns))
    largest, total = (empty_like(query, call.rows) for _ in range(2))
    if not call.launch("attend", call.lead, call.queries, out=out, largest=largest, total=total):
        return None
    return out, largest, total


def backward(g: Array, needs: Sequence[bool], out: Array, largest: Array, total: Array,
             *arguments: Any) -> Any:
    """The gradients of query, key and value; None if the kernels do not support the arguments."""
    call = Call(*arguments)
    if not call.fits or needs[3] or not fits(g, out, largest, total):
        return None
    shape = (*call.lead, call.queries, call.columns)
    if g.shape != shape or out.shape != shape or largest.size != total.size \
            or not largest.flags.c_contiguous or not total.flags.c_contiguous:
        return None
    query, key, value = call.inputs.values()
    kept = {"out": out, "d_out": g, "largest": largest, "total": total,
            "sum": empty_like(query, call.rows)}
    d_query = _laid_out_as(query, (*call.lead, *query.shape[-2:]))
    if not call.launch("attend_back_queries", call.lead, call.queries, **kept,
                       d_query=d_query):
        return None
    if not needs[1] and not needs[2]:
        return d_query, None, None, None
    d_key, d_value = (_laid_out_as(x, (*call.key_heads, *x.shape[-2:])) for x in (key, value))
    if not call.launch("attend_back_keys", call.key_heads, call.keys, **kept, d_key=d_key,
                       d_value=d_value):
        return None
    return d_query, d_key, d_value, None
