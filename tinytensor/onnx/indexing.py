"""The ONNX forms of reading and writing by index, by positions, and through views."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy

from .forms import form
from .recording import Call, Source
from .writing import LARGE, Form

# ---------------------------------------------------------------- by positions in memory


def flat_positions(shape: Sequence[int]) -> Any:
    return numpy.arange(int(numpy.prod(shape))).reshape(shape)


def _taken(f: Form, positions: Any) -> Any:
    """The elements at positions of the flattened input."""
    flat = f.node("Reshape", [f["input"], f.dims([-1])])
    return f.node("Gather", [flat, f.constant(numpy.array(positions, dtype=numpy.int64))])


@form("diagonal")
def diagonal(f: Form) -> Any:
    dims = [f.param(n) % f.rank() for n in ("dim1", "dim2")]
    rest = [i for i in range(f.rank()) if i not in dims]
    n, m = (f.fixed(lambda c, d=d: c.shapes["input"][d], "a size of the matrices")  # type: ignore
            for d in dims)
    at = numpy.diagonal(flat_positions((n, m)), f.param("offset"))
    rows = f.node("Transpose", [f["input"]], perm=[*rest, *dims])
    sizes = f.shape()
    flat = f.reshape(rows, [*(sizes[i] for i in rest), n * m])
    return f.node("Gather", [flat, f.constant(at.astype(numpy.int64))], axis=len(rest))


@form("put_diagonal")
def put_diagonal(f: Form) -> Any:
    shape = f.param("shape")
    base = flat_positions(shape)
    at = numpy.diagonal(base, f.param("offset"), f.param("dim1"), f.param("dim2"))
    return _placed(f, numpy.zeros(base.size, f.dtype()), at, f["input"], shape)


def _placed(f: Form, into: Any, at: Any, values: str, shape: Sequence[int]) -> Any:
    """Values written at positions of a flat array, or of the flat value of that name."""
    start = into if isinstance(into, str) else f.constant(into)
    where = f.constant(numpy.array(at, dtype=numpy.int64).reshape(-1, 1))
    flat = f.node("ScatterND", [start, where, f.node("Reshape", [values, f.dims([-1])])])
    return f.node("Reshape", [flat, f.dims(shape)])


@form("as_strided")
def as_strided(f: Form) -> Any:
    def positions(call: Call) -> Any:
        p = call.parameters
        return _layout(call.shapes["input"], p["size"], p["stride"], p["storage_offset"] or 0)

    return _taken(f, f.fixed(positions, "the layout"))


@form("memory")
def memory(f: Form) -> Any:
    if f.fixed(lambda c: c.outputs[0].size != int(numpy.prod(c.shapes["input"]))):
        raise f.error("as_strided reads memory beyond its input; take the elements by an index")
    order = f.fixed(lambda c: tuple(numpy.argsort([-s for s in c.parameters["stride"]],
                                                  kind="stable").tolist()))
    return f.node("Reshape", [f.node("Transpose", [f["input"]], perm=order), f.dims([-1])])


def _layout(shape: Sequence[int], size: Sequence[int], stride: Sequence[int], offset: int) -> Any:
    flat = flat_positions(shape).reshape(-1)
    return numpy.lib.stride_tricks.as_strided(
        flat[offset:], tuple(size), [s * flat.itemsize for s in stride]).copy()


def _shown(call: Call) -> Any:
    """The positions in a base, counted in C order, that its view shows."""
    base, view, size = call.parameters["place"]
    buffer = numpy.zeros(size, dtype=numpy.int64)
    window = numpy.lib.stride_tricks.as_strided(
        buffer[base.offset:], base.shape, [s * 8 for s in base.strides])
    window[...] = flat_positions(base.shape)
    return numpy.lib.stride_tricks.as_strided(
        buffer[view.offset:], view.shape, [s * 8 for s in view.strides]).copy()


def _as_index(call: Call) -> tuple[Any, ...] | None:
    """The ints and slices by which a view shows its base, if it is one of these."""
    base, view, _ = call.parameters["place"]
    if not base.contiguous or 0 in base.shape or 0 in view.shape:
        return None
    found: list[Any] = []
    at = 0
    for axis, start in enumerate(numpy.unravel_index(view.offset, base.shape)):
        if at < len(view.shape) and (view.strides[at] == base.strides[axis]
                                     or view.shape[at] == 1 == base.shape[axis]):
            found.append(slice(int(start), int(start) + view.shape[at]))
            at += 1
        else:
            found.append(int(start))
    index = tuple(found)
    shown = flat_positions(base.shape)[index]
    return index if numpy.array_equal(shown, _shown(call)) else None


def _by_index(f: Form) -> Any:
    """A function that gives the index of the view in each recording; None if one has none."""
    indices = [_as_index(call) for call in f.calls]
    return None if None in indices else lambda call: _as_index(call)


@form("strided")
def strided(f: Form) -> Any:
    index = _by_index(f)
    if index is not None:
        return _sliced(f, f["input"], index)
    return _taken(f, f.fixed(_shown, "the layout of a view that is written in place"))


@form("overwrite")
def overwrite(f: Form) -> Any:
    index = _by_index(f)
    if index is not None:
        return _written_at_slices(f, f["input"], f["value"], f.shape(), index)
    at = f.fixed(_shown, "the layout of a view that is written in place")
    shape = f.fixed(lambda c: c.outputs[0].shape)
    flat = f.node("Reshape", [f["input"], f.dims([-1])])
    values = f.node("Expand", [f["value"], f.dims(at.shape)])
    return _placed(f, flat, at, values, shape)


# ---------------------------------------------------------------- by index


def _is_array(key: Any) -> bool:
    return isinstance(key, Source)


@form("getitem")
def getitem(f: Form) -> Any:
    index = f.call.parameters["index"]
    if any(map(_is_array, index)):
        return _selected(f, index)
    return _sliced(f, f["input"], _index_of)


def _index_of(call: Call) -> Any:
    return call.parameters["index"]


def _sliced(f: Form, x: str, index: Any) -> Any:
    """The part that an index without arrays selects."""
    starts, stops, steps, axes, dropped, added = _slices(f, index)
    if axes:
        x = f.node("Slice", [x, *map(f.dims, (starts, stops, axes, steps))])
    if dropped:
        x = f.node("Squeeze", [x, f.dims(dropped)])
    return f.node("Unsqueeze", [x, f.dims(added)]) if added else x


def _per_dim(index: Sequence[Any], shape: Sequence[int],
             ) -> list[tuple[int, int, int, bool, bool]]:
    """For each dim: start, stop, step, whether all of it, whether one position."""
    used = sum(k is not None and k is not Ellipsis for k in index)
    whole = [slice(None)] * (len(shape) - used)
    keys: list[Any] = []
    for key in index:
        if key is Ellipsis:
            keys += whole
            whole = []
        elif key is not None:
            keys.append(key)
    found = []
    for key, size in zip([*keys, *[slice(None)] * (len(shape) - len(keys))], shape, strict=True):
        if isinstance(key, slice):
            start, stop, step = key.indices(size)
            found.append((start, max(stop, start), step, (start, step) == (0, 1) and stop == size,
                          False))
        else:
            found.append((key % max(size, 1), key % max(size, 1) + 1, 1, False, True))
    return found


def _slices(f: Form, index: Any, shape: Any = lambda c: c.shapes["input"],
            ) -> tuple[list[Any], ...]:
    """Starts, stops, steps and axes of an index without arrays; the dims that it drops and adds.

    `index` and `shape` give the index and the shape of the indexed array, from a call.
    """
    def numbers(axis: int, what: int) -> Any:
        return f.vary(lambda c: [_per_dim(index(c), shape(c))[axis][what]])[0]

    dims = [_per_dim(index(call), shape(call)) for call in f.calls]
    starts, stops, steps, axes, dropped = [], [], [], [], []
    for axis, (*_, single) in enumerate(dims[0]):
        if all(d[axis][3] for d in dims):
            continue
        to_end = all(d[axis][1] == shape(call)[axis] for d, call in zip(dims, f.calls, strict=True))
        starts.append(numbers(axis, 0))
        stops.append(LARGE if to_end else numbers(axis, 1))
        steps.append(numbers(axis, 2))
        axes.append(axis)
        if single:
            dropped.append(axis)
    return starts, stops, steps, axes, dropped, _new_dims(index(f.call), len(dims[0]))


def _new_dims(index: Sequence[Any], rank: int) -> list[int]:
    """The places of new dims in the result."""
    places, at = [], 0
    used = sum(k is not None and k is not Ellipsis for k in index)
    for key in index:
        if key is None:
            places.append(at)
        at += rank - used if key is Ellipsis else not isinstance(key, int)
    return places


def _positions_of(f: Form, key: Source) -> str:
    array = f.writer.base.constants[key.key] if key.kind == "constant" else None
    if array is not None and array.dtype.kind == "b":
        raise f.error("a mask that is no Tensor of the model selects a part; use where()")
    return str(f.cast(f.writer.name(key), numpy.int64))


def _mask_at(f: Form, index: Sequence[Any]) -> int | None:
    """Where the index has its mask, if it has one."""
    result = f.call.outputs[0].ndim
    keys = [k for k in index if _is_array(k)]
    kinds = [_dtype_of(f, k) for k in keys]
    if "b" not in kinds:
        return None
    if len(keys) > 1 or result < 1:
        raise f.error("a mask beside other index arrays has no ONNX form")
    return next(i for i, k in enumerate(index) if _is_array(k))


def _array_of(f: Form, key: Source) -> Any:
    base = f.writer.base
    if key.kind == "constant":
        return base.constants[key.key]
    if key.kind == "call":
        return base.calls[key.key].outputs[key.output]
    if key.kind == "weight":
        return f.writer.weights[key.key]._array
    return f.writer.examples[key.key]._array


def _dtype_of(f: Form, key: Source) -> str:
    return str(_array_of(f, key).dtype.kind)


def _selected(f: Form, index: Sequence[Any]) -> Any:
    """The elements at index arrays; the other dims are indexed by `:`."""
    x, mask = f["input"], _mask_at(f, index)
    if mask is not None:
        key = index[mask]
        if mask:
            raise f.error("a mask after the first dim has no ONNX form; move its dims to the front")
        where = f.node("Transpose", [f.node("NonZero", [f.writer.name(key)])], perm=[1, 0])
        return f.node("GatherND", [x, where])
    at = [i for i, k in enumerate(index) if _is_array(k)]
    if len(at) == 1:
        return f.node("Gather", [x, _positions_of(f, index[at[0]])], axis=at[0])
    others = [i for i in range(f.rank()) if i not in at]
    moved = f.node("Transpose", [x], perm=[*at, *others]) if at != list(range(len(at))) else x
    where, dims = _stacked(f, [index[i] for i in at])
    out = f.node("GatherND", [moved, where])
    if at[-1] - at[0] != len(at) - 1 or not at[0]:
        return out
    # The dims of the index go where the first array was.
    order = [*range(dims, dims + at[0]), *range(dims), *range(dims + at[0], dims + len(others))]
    return f.node("Transpose", [out], perm=order)


def _stacked(f: Form, keys: Sequence[Source]) -> tuple[str, int]:
    """Index arrays, broadcast against each other, side by side in a last dim."""
    names = [_positions_of(f, key) for key in keys]
    dims = max(_array_of(f, key).ndim for key in keys)
    shape = names[0]
    for name in names[1:]:  # the sum has the shape of all
        shape = f.node("Add", [shape, name])
    shape = f.node("Shape", [shape])
    columns = [f.node("Unsqueeze", [f.node("Expand", [name, shape]), f.dims([-1])])
               for name in names]
    return str(f.node("Concat", columns, axis=-1)), dims


@form("put_zeros")
def put_zeros(f: Form) -> Any:
    shape = f.vary(lambda c: c.parameters["shape"])
    zero = f.constant(numpy.zeros((), f.dtype()))
    start = f.node("Expand", [zero, f.dims(shape)])
    if not any(map(_is_array, f.call.parameters["index"])):
        return _written_at_slices(f, start, f["input"], shape)
    return _combined(f, start, f["input"], f.call.parameters["index"], len(shape), "add")


@form("combine_at")
def combine_at(f: Form) -> Any:
    how = {"prod": "mul", "amax": "max", "amin": "min"}[f.param("how")]
    return _combined(f, f["input"], f["src"], f.call.parameters["index"], f.rank(), how)


def _combined(f: Form, start: str, values: str, index: Sequence[Any], rank: int, how: str) -> Any:
    """`start` with values combined into it at an index of arrays and whole slices."""
    at = [i for i, k in enumerate(index) if _is_array(k)]
    whole = all(k == slice(None) for i, k in enumerate(index) if i not in at)
    if not at or not whole or any(_dtype_of(f, index[i]) == "b" for i in at):
        raise f.error("writing at a mask or beside slices has no ONNX form; use where() or cat()")
    others = [i for i in range(rank) if i not in at]
    order = [*at, *others]
    moved = start if order == list(range(rank)) else f.node("Transpose", [start], perm=order)
    where, dims = _stacked(f, [index[i] for i in at])
    given = next(n for n in ("value", "src", "input") if n in f.call.shapes)
    missing = dims + len(others) - f.rank(given)
    if missing > 0:
        values = f.node("Unsqueeze", [values, f.dims(list(range(missing)))])
    adjacent = at[-1] - at[0] == len(at) - 1
    if adjacent and at[0] and dims:  # the dims of the index come first
        first = list(range(at[0], at[0] + dims))
        rest = [i for i in range(dims + len(others)) if i not in first]
        values = f.node("Transpose", [values], perm=[*first, *rest])
    sizes = [f.node("Shape", [where], start=0, end=-1)]
    if others:
        sizes.append(f.node("Shape", [moved], start=len(at)))
    values = f.node("Expand", [values, f.node("Concat", sizes, axis=0)])
    out = f.node("ScatterND", [moved, where, values], reduction=how)
    back = [order.index(i) for i in range(rank)]
    return out if order == back == list(range(rank)) else f.node("Transpose", [out], perm=back)


@form("setitem")
def setitem(f: Form) -> Any:
    index, x, value = f.call.parameters["index"], f["input"], f["value"]
    if not any(map(_is_array, index)):
        return _written_at_slices(f, x, value, f.shape())
    keys = [k for k in index if _is_array(k)]
    if _dtype_of(f, keys[0]) == "b":
        if len(keys) > 1 or not f.fixed(lambda c: int(numpy.prod(c.shapes["value"])) == 1):
            raise f.error("several values at a mask have no ONNX form; write where(mask, a, b)")
        before = index.index(keys[0])
        mask, after = f.writer.name(keys[0]), f.rank() - before - _array_of(f, keys[0]).ndim
        if after:
            mask = f.node("Unsqueeze", [mask, f.dims(list(range(-after, 0)))])
        one = f.node("Reshape", [value, f.dims([])])
        return f.node("Where", [mask, one, x])
    return _combined(f, x, value, index, f.rank(), "none")


def _written_at_slices(f: Form, x: str, value: str, shape: Sequence[Any],
                       index: Any = _index_of) -> Any:
    """The pieces before the slices, the value, and those after them, dim by dim."""
    starts, stops, steps, axes, dropped, added = _slices(
        f, index, lambda c: c.outputs[0].shape)
    whole = len(shape)
    if any(step != 1 for step in steps) or added:
        raise f.error("writing at every n-th position, or at new dims, has no ONNX form; use "
                      "where() or cat()")
    blocks = [x]
    for k, axis in enumerate(axes):  # the part that is left after each dim
        blocks.append(f.node("Slice", [blocks[-1], *map(f.dims, (
            [starts[k]], [stops[k]], [axis]))]))
    rank = f.rank("value") if "value" in f.call.inputs else f.rank()
    for axis in dropped:  # the value has no dim for one position
        at = axis - whole
        if rank >= -at - sum(d > axis for d in dropped):
            value = f.node("Unsqueeze", [value, f.dims([at])]) if rank + 1 >= -at else value
            rank += 1
    if rank > whole:
        value = f.node("Squeeze", [value, f.dims(list(range(rank - whole)))])
    new = f.node("Expand", [value, f.node("Shape", [blocks[-1]])])
    for k in reversed(range(len(axes))):
        pieces = []
        if starts[k] != 0:
            pieces.append(f.node("Slice", [blocks[k], *map(f.dims, ([0], [starts[k]],
                                                                    [axes[k]]))]))
        pieces.append(new)
        if stops[k] != LARGE:
            pieces.append(f.node("Slice", [blocks[k], *map(f.dims, ([stops[k]], [LARGE],
                                                                    [axes[k]]))]))
        new = f.node("Concat", pieces, axis=axes[k]) if len(pieces) > 1 else new
    return new


@form("take_along_dim", "pick")
def take_along_dim(f: Form) -> Any:
    x, at = f["input"], f.cast(f["indices"], numpy.int64)
    dim, rank = f.param("dim"), f.rank()
    if dim is None or not rank:
        x = f.node("Reshape", [x, f.dims([-1])])
        return f.node("Gather", [x, f.node("Reshape", [at, f.dims([-1])]) if dim is None else at])
    axis, sizes, shape = dim % rank, f.shape(), f.shape("indices")
    wanted = [max(a, b) if isinstance(a, int) and isinstance(b, int) else b if a == 1 else a
              for a, b in zip(sizes, shape, strict=True)]
    wide = [*wanted[:axis], sizes[axis], *wanted[axis + 1:]]
    long = [*wanted[:axis], shape[axis], *wanted[axis + 1:]]
    x = x if wide == sizes else f.node("Expand", [x, f.dims(wide)])
    at = at if long == shape else f.node("Expand", [at, f.dims(long)])
    return f.node("GatherElements", [x, at], axis=axis)


@form("put_back")
def put_back(f: Form) -> Any:
    axis, sizes = f.axis(), f.shape()
    (size,) = f.vary(lambda c: [c.parameters["size"]])
    zeros = f.node("Expand", [f.constant(numpy.zeros((), f.dtype())),
                              f.dims([*sizes[:axis], size, *sizes[axis + 1:]])])
    return f.node("ScatterElements", [zeros, f.cast(f["indices"], numpy.int64), f["input"]],
                  axis=axis)


@form("nn.functional.embedding")
def embedding(f: Form) -> Any:
    return f.node("Gather", [f["weight"], f["input"]])
