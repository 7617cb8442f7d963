"""The ONNX forms of reductions, sorting, and of operations that arrange elements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy

from .forms import FORMS, form
from .writing import LARGE, Form

# ---------------------------------------------------------------- reductions


def _axes(f: Form, dim: Any, empty_is_all: bool = True) -> list[int]:
    rank = f.rank()
    if dim is None or empty_is_all and isinstance(dim, tuple | list) and not dim:
        return list(range(rank))
    dims = dim if isinstance(dim, tuple | list) else [dim]
    return sorted(d % rank for d in dims) if rank else []


def _reduced(f: Form, kind: str, name: str, axes: list[int]) -> Any:
    """A reduction over axes; none is none."""
    keep = int(f.param("keepdim"))
    return f.node(kind, [name, f.dims(axes)], keepdims=keep, noop_with_empty_axes=1)


@form("sum", "mean", "prod", "logsumexp", "amax", "amin")
def reduction(f: Form) -> Any:
    kind = {"sum": "ReduceSum", "mean": "ReduceMean", "prod": "ReduceProd",
            "logsumexp": "ReduceLogSumExp", "amax": "ReduceMax", "amin": "ReduceMin"}[f.call.key]
    x, dtype = f["input"], f.call.outputs[0].dtype
    if f.dtype() != dtype:
        x = f.cast(x, dtype)
    axes = _axes(f, f.param("dim"))
    if kind == "ReduceLogSumExp" and not axes:
        return x
    if dtype.kind == "b":
        return f.cast(_reduced(f, kind, f.cast(x, numpy.int32), axes), bool)
    return _reduced(f, kind, x, axes)


@form("all", "any")
def truths(f: Form) -> Any:
    kind = "ReduceMin" if f.call.key == "all" else "ReduceMax"
    x = f["input"] if f.dtype().kind == "b" else f.cast(f["input"], bool)
    axes = _axes(f, f.param("dim"), empty_is_all=False)
    return f.cast(_reduced(f, kind, f.cast(x, numpy.int32), axes), bool)


@form("argmax", "argmin")
def arg(f: Form) -> Any:
    kind = "ArgMax" if f.call.key == "argmax" else "ArgMin"
    x, dim, keep = f["input"], f.param("dim"), int(f.param("keepdim"))
    if not f.rank():
        return f.constant(numpy.int64(0))
    if dim is None:
        out = f.node(kind, [f.node("Reshape", [x, f.dims([-1])])], axis=0, keepdims=0)
        return f.node("Reshape", [out, f.dims([1] * f.rank())]) if keep else out
    return f.node(kind, [x], axis=f.axis(), keepdims=keep)


@form("softmax", "log_softmax")
def softmax(f: Form) -> Any:
    kind = "Softmax" if f.call.key == "softmax" else "LogSoftmax"
    if not f.rank():
        return f.constant(numpy.asarray(f.call.key == "softmax", f.dtype()))
    return f.node(kind, [f["input"]], axis=f.axis())


@form("cumsum")
def cumsum(f: Form) -> Any:
    x, dtype = f["input"], f.call.outputs[0].dtype
    x = x if f.dtype() == dtype else f.cast(x, dtype)
    return f.node("CumSum", [x, f.constant(numpy.int64(f.axis()))]) if f.rank() else x


# ---------------------------------------------------------------- sorting


def _sorted(f: Form, count: Sequence[Any], axis: int, largest: bool, name: str = "") -> Any:
    """(values, positions) of the largest or smallest, in order."""
    return f.node("TopK", [name or f["input"], f.dims(count)], outputs=2, axis=axis,
                  largest=int(largest), sorted=1)


@form("argsort")
def argsort(f: Form) -> Any:
    if not f.rank():
        return f.constant(numpy.int64(0))
    axis = f.axis()
    return _sorted(f, [f.shape()[axis]], axis, f.param("descending"))[1]


@form("where_topk")
def where_topk(f: Form) -> Any:
    return _sorted(f, f.vary(lambda c: [c.parameters["k"]]), f.axis("axis"), f.param("largest"))[1]


@form("where_median")
def where_median(f: Form) -> Any:
    if f.param("skip_nan"):
        raise f.error("the median without NaN has no ONNX form")
    axis = f.axis("axis")
    (count,) = f.vary(lambda c: [(c.shapes["input"][c.parameters["axis"]] + 1) // 2])
    positions = _sorted(f, [count], axis, False)[1]
    return f.node("Slice", [positions, f.dims([-1]), f.dims([LARGE]), f.dims([axis])])


@form("median_of_all")
def median_of_all(f: Form) -> Any:
    if f.param("skip_nan"):
        raise f.error("the median without NaN has no ONNX form")
    (count,) = f.vary(lambda c: [(int(numpy.prod(c.shapes["input"])) + 1) // 2])
    flat = f.node("Reshape", [f["input"], f.dims([-1])])
    values = _sorted(f, [count], 0, False, flat)[0]
    last = f.node("Slice", [values, f.dims([-1]), f.dims([LARGE]), f.dims([0])])
    return f.node("Reshape", [last, f.dims([])])


@form("bisect")
def bisect(f: Form) -> Any:
    """The number of elements of the sorted sequence before each value."""
    kind = "LessOrEqual" if f.param("right") else "Less"
    common = numpy.result_type(f.dtype("sequence"), f.dtype("values"))
    sequence, values = (f[name] if f.dtype(name) == common else f.cast(f[name], common)
                        for name in ("sequence", "values"))
    values = f.node("Unsqueeze", [values, f.dims([-1])])
    if f.rank("sequence") > 1:
        sequence = f.node("Unsqueeze", [sequence, f.dims([-2])])
    before = f.cast(f.node(kind, [sequence, values]), numpy.int64)
    return f.node("ReduceSum", [before, f.dims([-1])], keepdims=0)


@form("where_nonzero")
def where_nonzero(f: Form) -> Any:
    if not f.rank():
        raise f.error("the positions of a 0-d Tensor have no ONNX form")
    return f.node("Transpose", [f.node("NonZero", [f["input"]])], perm=[1, 0])


# ---------------------------------------------------------------- shapes


FORMS.update(dict.fromkeys(("alias", "clone", "contiguous", "move"), lambda f: f["input"]))


@form("cast")
def cast(f: Form) -> Any:
    return f.cast(f["input"], f.param("dtype"))


@form("reshape")
def reshape(f: Form) -> Any:
    return f.reshape_to_result(f["input"])


@form("permute")
def permute(f: Form) -> Any:
    rank = f.rank()
    if rank < 2:
        return f["input"]
    return f.node("Transpose", [f["input"]], perm=[d % rank for d in f.param("dims")])


@form("broadcast_to")
def broadcast_to(f: Form) -> Any:
    shape = f.result_shape()
    empty = [i for i, n in enumerate(shape) if n == 0]
    out = f.node("Expand", [f["input"], f.dims([1 if n == 0 else n for n in shape])])
    if not empty:
        return out
    none = f.dims([0] * len(empty))  # Expand cannot make 0 of 1
    return f.node("Slice", [out, none, none, f.dims(empty)])


@form("cat")
def cat(f: Form) -> Any:
    names = f.fixed(lambda c: [n for n, shape in c.shapes.items() if shape != (0,)], "which inputs "
                    "are empty")
    names = names or list(f.call.inputs)[:1]
    rank = f.rank(names[0])
    axis = f.param("dim") % rank
    return f.node("Concat", [f[n] for n in names], axis=axis)


@form("repeat")
def repeat(f: Form) -> Any:
    x, rank = f["input"], f.rank()
    repeats = f.vary(lambda c: c.parameters["repeats"])
    if len(repeats) > rank:
        x = f.node("Unsqueeze", [x, f.dims(list(range(len(repeats) - rank)))])
    return f.node("Tile", [x, f.dims(repeats)]) if repeats else x


@form("repeat_each")
def repeat_each(f: Form) -> Any:
    axis, rank = f.axis(), f.rank()
    (times,) = f.vary(lambda c: [c.parameters["repeats"]])
    apart = f.node("Unsqueeze", [f["input"], f.dims([axis + 1])])
    tiles: list[Any] = [1] * (rank + 1)
    tiles[axis + 1] = times
    return f.reshape(f.node("Tile", [apart, f.dims(tiles)]), f.result_shape())


def reversed_along(f: Form, x: str, axes: Sequence[int]) -> Any:
    if not axes:
        return x
    return f.node("Slice", [x, f.dims([-1] * len(axes)), f.dims([-LARGE] * len(axes)),
                            f.dims(axes), f.dims([-1] * len(axes))])


@form("flip")
def flip(f: Form) -> Any:
    dims = f.param("dims")
    return reversed_along(f, f["input"], _axes(f, dims, empty_is_all=False))


@form("rot90")
def rot90(f: Form) -> Any:
    rank, times = f.rank(), f.param("k") % 4
    first, second = (d % rank for d in f.param("dims"))
    x, order = f["input"], list(range(rank))
    order[first], order[second] = second, first
    if times == 2:
        return reversed_along(f, x, [first, second])
    if times == 1:
        return f.node("Transpose", [reversed_along(f, x, [second])], perm=order)
    if times == 3:
        return reversed_along(f, f.node("Transpose", [x], perm=order), [second])
    return x


@form("roll")
def roll(f: Form) -> Any:
    shifts, dims = f.param("shifts"), f.param("dims")
    shifts = shifts if isinstance(shifts, tuple | list) else (shifts,)
    x = f["input"]
    if not f.rank():
        return x
    if dims is None or dims == ():
        flat = f.node("Reshape", [x, f.dims([-1])])
        (count,) = f.vary(lambda c: [-shifts[0] % int(numpy.prod(c.shapes["input"]))])
        return f.reshape(_turned(f, flat, count, 0), f.shape())
    for shift, dim in zip(shifts, dims if isinstance(dims, tuple | list) else (dims,),
                          strict=True):
        axis = dim % f.rank()
        (start,) = f.vary(lambda c, shift=shift, axis=axis: [  # type: ignore[misc]
            -shift % c.shapes["input"][axis]])
        x = _turned(f, x, start, axis)
    return x


def _turned(f: Form, x: str, start: Any, axis: int) -> Any:
    """The elements from `start` on, and then those before it."""
    if start == 0:
        return x
    head = f.node("Slice", [x, f.dims([start]), f.dims([LARGE]), f.dims([axis])])
    tail = f.node("Slice", [x, f.dims([0]), f.dims([start]), f.dims([axis])])
    return f.node("Concat", [head, tail], axis=axis)


@form("unfold")
def unfold(f: Form) -> Any:
    if not f.rank():
        return f.node("Reshape", [f["input"], f.dims([1])])
    axis, rank = f.axis("dimension"), f.rank()
    size, step = f.param("size"), f.param("step")
    count = f.fixed(lambda c: c.outputs[0].shape[axis], "the number of windows")
    index = numpy.arange(count)[:, None] * step + numpy.arange(size)
    windows = f.node("Gather", [f["input"], f.constant(index)], axis=axis)
    order = [*range(axis + 1), *range(axis + 2, rank + 1), axis + 1]
    return f.node("Transpose", [windows], perm=order)


@form("tril", "triu")
def triangle(f: Form) -> Any:
    (k,) = f.vary(lambda c: [c.parameters["diagonal"]])
    return f.node("Trilu", [f["input"], f.writer.scalar(k)], upper=int(f.call.key == "triu"))


@form("surround")
def surround(f: Form) -> Any:
    if not f.rank():
        return f["input"]
    sides = f.vary(lambda c: [n for pair in zip(*c.parameters["sides"], strict=True)
                              for n in pair])
    value = f.constant(numpy.asarray(f.param("value"), dtype=f.dtype()))
    return f.node("Pad", [f["input"], f.dims(sides), value])
