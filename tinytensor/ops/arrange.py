"""Tiling, rolling, padding, triangles, diagonals, windows: elements laid out anew.

All of it is linear, so that every op here is one of a pair, each the other's derivative:
repeating and adding up, a diagonal and its embedding, windows and overlap-add.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy

from ..arrays import dtypes
from ..autograd.table import composed, op
from ..autograd.versions import owner
from .index import flip, getitem, split
from .reduce import axes
from .samples import S, ints, t
from .shape import cat, expand, flatten, reshape, stack, transpose

Array = Any


def _slice(input, axis, start, stop):
    return getitem(input, (slice(None),) * axis + (slice(start, stop),))


# ---------------------------------------------------------------- parts, as views


def _position(name, input, dim):
    """The axis of `dim`, of a Tensor that has any.

    Raises:
        IndexError: it has none, or not this one.
    """
    if not input.ndim:
        raise IndexError(f"{name}: a 0-d Tensor has no parts")
    return axes(dim, input.ndim)[0]


@composed(samples=[S(t(3, 4), 1, 1, 2), S(t(3, 4), 0, -2, 1), S(t(3), 0, 3, 0)])
def narrow(input, dim, start, length):
    """`length` elements along `dim` from `start`, as a view. Shapes: (*, n, *) -> (*, length, *).

    Raises:
        RuntimeError: they are not all there; a 0-d Tensor.
        IndexError: `start` is outside of [-n, n].
    """
    if not input.ndim:
        raise RuntimeError("narrow: a 0-d Tensor has no parts")
    (axis,) = axes(dim, input.ndim)
    start, length, size = int(start), int(length), input.shape[axis]
    if not -size <= start <= size:
        raise IndexError(f"narrow: start {start} is out of range for dim {dim} of size {size}")
    start += size * (start < 0)
    if length < 0 or start + length > size:
        raise RuntimeError(f"narrow: {length} elements from {start} do not fit dim {dim} of size "
                           f"{size}")
    return _slice(input, axis, start, start + length)


@composed(samples=[S(t(3, 4), 1, 2), S(t(3, 4), -2, -1)])
def select(input, dim, index):
    """What stands at `index` along `dim`, without it, as a view. Shapes: (*, n, *) -> (*).

    Raises:
        IndexError: there is no such position; a 0-d Tensor.
    """
    axis, index = _position("select", input, dim), int(index)
    size = input.shape[axis]
    if not -size <= index < size:
        raise IndexError(f"select: index {index} is out of range for dim {dim} of size {size}")
    return getitem(input, (slice(None),) * axis + (index,))


SECTIONS = dict.fromkeys(("sections", "indices"), "indices_or_sections")


@composed(keywords=SECTIONS, samples=[
    S(t(5, 2), 2), S(t(2, 7), 3, 1), S(t(2, 7), (2, 5), dim=-1), S(t(3), [1, -1]), S(t(2), 3)])
def tensor_split(input, indices_or_sections, dim=0):
    """So many pieces, of sizes that differ by at most 1, or cut before the positions; views.

    Shapes: (n, *) -> (n1, *), (n2, *), ...

    Raises:
        RuntimeError: no pieces; a 0-d Tensor.
    """
    if not input.ndim:
        raise RuntimeError("tensor_split: a 0-d Tensor has no parts")
    (axis,) = axes(dim, input.ndim)
    size, wanted = input.shape[axis], indices_or_sections
    if not isinstance(wanted, int | tuple | list):
        wanted = wanted.tolist()
    if not isinstance(wanted, int):
        cuts = [0, *wanted, size]
    elif wanted < 1:
        raise RuntimeError(f"tensor_split: the number of pieces must be positive, got {wanted}")
    else:
        whole, more = divmod(size, wanted)
        return split(input, [whole + (i < more) for i in range(wanted)], axis)
    return tuple(_slice(input, axis, a, b) for a, b in itertools.pairwise(cuts))


def _split_along(name, axis, doc):
    """hsplit, vsplit and dsplit: pieces along a fixed dim, of equal sizes."""
    def pieces(input, indices_or_sections):
        needed = {"hsplit": 1, "vsplit": 2, "dsplit": 3}[name]
        if input.ndim < needed:
            raise RuntimeError(f"{name}: needs at least {needed} dimensions, got shape "
                               f"{tuple(input.shape)}")
        dim = min(axis, input.ndim - 1)
        size = input.shape[dim]
        if isinstance(indices_or_sections, int) and (
                indices_or_sections < 1 or size % indices_or_sections):
            raise RuntimeError(f"{name}: size {size} of dim {dim} is not divisible by "
                               f"{indices_or_sections}; tensor_split allows that")
        return tensor_split(input, indices_or_sections, dim)

    pieces.__name__, pieces.__doc__ = name, doc
    return composed(keywords=SECTIONS,
                    samples=[S(t(4, 4, 4), 2), S(t(2, 3, 4), (1, 2))])(pieces)


hsplit = _split_along("hsplit", 1, """Equal pieces along dim 1 (of a vector along 0), or cut before
    the positions, as views. Shapes: (n, m) -> (n, m1), (n, m2), ...""")
vsplit = _split_along("vsplit", 0, """Equal pieces along dim 0, or cut before the positions, as
    views; at least 2 dims. Shapes: (n, m) -> (n1, m), (n2, m), ...""")
dsplit = _split_along("dsplit", 2, """Equal pieces along dim 2, or cut before the positions, as
    views. Shapes: (n, m, k) -> (n, m, k1), (n, m, k2), ...""")


# ---------------------------------------------------------------- joined


def _pieces(tensors):
    """The Tensors of f(a, b) and of f((a, b))."""
    return tuple(tensors[0]) if len(tensors) == 1 and isinstance(tensors[0], list | tuple) \
        else tensors


def _at_least(name, dims, shape_of):
    """atleast_1d, 2d, 3d: fewer dims are filled up with sizes of 1."""
    def function(*tensors):
        given = _pieces(tensors)
        found = tuple(x if x.ndim >= dims else reshape(x, shape_of(tuple(x.shape))) for x in given)
        return found if given is not tensors or len(found) > 1 else found[0]

    function.__name__ = name
    function.__doc__ = (f"With sizes of 1 until there are {dims} dims, as views; of several "
                        f"Tensors a tuple. Shapes: () -> {(1,) * dims}.")
    samples = [S(t()), S(t(3)), S(t(2, 3), t()), S([t(2), t(2, 3, 4)])]
    return composed(method=False, samples=samples)(function)


atleast_1d = _at_least("atleast_1d", 1, lambda shape: (1,))
atleast_2d = _at_least("atleast_2d", 2, lambda shape: (1, *shape) if shape else (1, 1))
atleast_3d = _at_least("atleast_3d", 3, lambda shape: {
    0: (1, 1, 1), 1: (1, *shape, 1), 2: (*shape, 1)}[len(shape)])


@composed(method=False, samples=[S([t(2), t(3)]), S([t(2, 1), t(2, 2)]), S([t(), t()])])
def hstack(tensors):
    """Joined along dim 1, vectors along dim 0. Shapes: (n, m), (n, k) -> (n, m + k)."""
    tensors = atleast_1d(tuple(tensors))
    return cat(tensors, 0 if tensors and tensors[0].ndim == 1 else 1)


@composed(method=False, aliases=("row_stack",), samples=[S([t(3), t(3)]), S([t(2, 3), t(3)])])
def vstack(tensors):
    """Joined along dim 0, vectors as rows. Shapes: (n, m), (m) -> (n + 1, m)."""
    return cat(atleast_2d(tuple(tensors)), 0)


@composed(method=False, samples=[S([t(3), t(3)]), S([t(2, 3), t(2, 3)]), S([t(2, 3, 1), t(2, 3)])])
def dstack(tensors):
    """Joined along dim 2. Shapes: (n, m), (n, m) -> (n, m, 2)."""
    return cat(atleast_3d(tuple(tensors)), 2)


@composed(method=False, samples=[S([t(3), t(3)]), S([t(3, 2), t(3)]), S([t(), t()])])
def column_stack(tensors):
    """Joined along dim 1, vectors as columns. Shapes: (n, m), (n) -> (n, m + 1)."""
    return hstack(tuple(x if x.ndim > 1 else reshape(x, (x.numel(), 1)) for x in tensors))


@composed(method=False, samples=[S(t(2, 3), t(3), t()), S(t(1, 2), t(2, 1)), S(t(0, 2), t(1, 1)),
                                 S(t(2), ints(2))])
def block_diag(*tensors):
    """A matrix of zeros with the matrices along its diagonal; vectors are rows.

    Shapes: (n, m), (k, l) -> (n + k, m + l).

    Raises:
        RuntimeError: more than two dims.
    """
    for x in tensors:
        if x.ndim > 2:
            raise RuntimeError(f"block_diag: needs at most 2 dimensions, got shape "
                               f"{tuple(x.shape)}")
    blocks = atleast_2d(tuple(tensors))
    if not blocks:
        from ..tensors.creation import empty

        return empty(1, 0)
    width, rows, start = sum(x.shape[1] for x in blocks), [], 0
    for x in blocks:
        rows.append(pad(x, (start, width - start - x.shape[1])))
        start += x.shape[1]
    return cat(rows, 0)


# ---------------------------------------------------------------- repeated


@op(varargs="repeats", method=True, reference="Tensor.repeat", array_names=("tile",), samples=[
    S(t(2, 3), (2, 1)), S(t(2, 3), (2, 1, 3)), S(t(), (2,)), S(t(3), (0,)), S(t(2), (1,)),
    S(t(0, 2), (2, 2))])
def repeat(xp, input: Array, repeats: Any):
    """The whole Tensor so often along each dim, as a copy. Shapes: (n, m) -> (r0 n, r1 m).

    Raises:
        RuntimeError: fewer repeats than dims; negative ones.
    """
    if len(repeats) < input.ndim or any(r < 0 for r in repeats):
        raise RuntimeError(f"repeat: repeats {tuple(repeats)} for shape {tuple(input.shape)}: "
                           "there must be one for each dim, and none negative")
    return xp.tile(input, tuple(repeats))


@repeat.vjp("input")
def _(xp, g, input_shape, repeats):
    extra = len(repeats) - len(input_shape)
    sizes = (1,) * extra + tuple(input_shape)
    split = tuple(n for pair in zip(repeats, sizes, strict=True) for n in pair)
    over = tuple(range(0, len(split), 2))
    return xp.reshape(xp.sum(xp.reshape(g, split), axis=over) if over else g, input_shape)


@composed(varargs="dims", samples=[S(t(2, 3), (2,)), S(t(2, 3), (2, 1, 3)), S(t(), (2, 2)),
                                   S(t(2), ())])
def tile(input, dims):
    """As `repeat`, where missing repeats are 1. Shapes: (n, m) -> (n, r m) for (r,)."""
    return repeat(input, (1,) * (input.ndim - len(dims)) + tuple(dims))


@op(method=False, internal=True, reference="repeat_interleave", samples=[
    S(t(2, 3), 2, 1), S(t(2, 3), 3, -2), S(t(2, 3), 0, 0)])
def repeat_each(xp, input: Array, repeats: int, dim: int):
    """Each element `repeats` times in a row along `dim`. Shapes: (*, n, *) -> (*, r n, *)."""
    return xp.repeat(input, repeats, axis=dim)


@repeat_each.vjp("input")
def _(xp, g, input_shape, repeats, dim):
    axis = dim % len(input_shape)
    split = (*input_shape[:axis + 1], repeats, *input_shape[axis + 1:])
    return xp.sum(xp.reshape(g, split), axis=axis + 1)


@composed(samples=[S(t(2, 3), 2), S(t(2, 3), 2, 1), S(t(3, 2), ints(3), 0), S(t(3), ints(3)),
                   S(t(2, 3), ints(1), -1), S(t(), 3), S(ints(4))])
def repeat_interleave(input, repeats=None, dim=None, *, output_size=None):
    """Each element so often in a row, along `dim` or of all; one number for all or for each.

    With one argument, of repeats alone: i comes repeats[i] times.
    Shapes: (*, n, *), () or (n) -> (*, Σ repeats, *).

    Raises:
        RuntimeError: not one number for each; negative ones; `output_size` is not their sum.
        NotImplementedError: repeats that are not integers.
    """
    if repeats is None:
        return repeat_interleave(input.new_tensor(list(range(input.numel()))), input)
    if isinstance(repeats, int) and repeats < 0:
        raise RuntimeError(f"repeat_interleave: repeats must not be negative, got {repeats}")
    if dim is None:
        input, dim = flatten(input), 0
    axis = _position("repeat_interleave", input, dim)
    whole = isinstance(repeats, int)
    counts = [repeats] if whole else repeats.reshape((-1,)).tolist()
    size = input.shape[axis]
    if len(counts) not in (1, size) or (not whole and repeats.ndim > 1):
        raise RuntimeError(f"repeat_interleave: {len(counts)} repeats for dim {dim} of size "
                           f"{size}; there must be 1, or one for each, in 1 dimension")
    if not whole and repeats.dtype.is_floating_point:
        raise NotImplementedError(f"repeat_interleave: repeats must be integers, got "
                                  f"{repeats.dtype}")
    if any(r < 0 for r in counts):
        raise RuntimeError("repeat_interleave: repeats must not be negative")
    total = sum(counts) if len(counts) == size else counts[0] * size
    if output_size not in (None, total):
        raise RuntimeError(f"repeat_interleave: output_size is {output_size}, but the repeats "
                           f"make {total}")
    if len(counts) == 1:
        return repeat_each(input, counts[0], axis)
    positions = input.new_tensor(
        [i for i, r in enumerate(counts) for _ in range(r)], dtype=dtypes.int64)
    rows = transpose(input, 0, axis)  # positions in dim 0 have the faster derivative
    return transpose(getitem(rows, (positions._array,)), 0, axis)


# ---------------------------------------------------------------- turned


@op(samples=[S(t(2, 3), 1), S(t(2, 3), (1, 2), (0, 1)), S(t(2, 3), -4, 0), S(t(2, 3), 1, (-1,)),
             S(t(0, 3), 1, 0), S(t(), 1), S(t(2, 3), (1, 1), (0, 0))])
def roll(xp, input: Array, shifts: Any, dims: Any = None):
    """Moved by `shifts` along `dims`, around the end; of all elements in order without dims.

    Shapes: (*) -> (*).

    Raises:
        RuntimeError: not one shift for each dim.
    """
    shifts, dims = ((x,) if isinstance(x, int) else tuple(x or ()) for x in (shifts, dims))
    if len(shifts) != max(len(dims), 1):
        raise RuntimeError(f"roll: {len(shifts)} shifts {shifts} for {len(dims)} dims {dims}; "
                           "there must be one for each")
    if not input.size:
        return input.copy()
    if not dims:
        return xp.roll(input, shifts[0])
    return xp.roll(input, shifts, tuple(_position("roll", input, d) for d in dims))


@roll.vjp("input")
def _(xp, g, shifts, dims):
    back = -shifts if isinstance(shifts, int) else tuple(-s for s in shifts)
    return roll.run(xp, g, back, dims)


@op(samples=[S(t(2, 3)), S(t(2, 3), 2), S(t(2, 3, 4), 3, (0, 2)), S(t(2, 3), -1, (1, 0)),
             S(t(2, 2), 4)])
def rot90(xp, input: Array, k: int = 1, dims: Any = (0, 1)):
    """Turned `k` times by 90 degrees, from the first of `dims` to the second; a copy.

    Shapes: (n, m) -> (m, n) for odd k.

    Raises:
        RuntimeError: not two different dims.
    """
    if len(dims) != 2 or input.ndim < 2:
        raise RuntimeError(f"rot90: needs 2 dims to turn in, got {tuple(dims)} for shape "
                           f"{tuple(input.shape)}")
    return xp.rot90(input, k, axes(tuple(dims), input.ndim)).copy()


rot90.vjp(input=lambda xp, g, k, dims: rot90.run(xp, g, -k, dims))


@composed(samples=[S(t(2, 3)), S(t(2, 3, 2))])
def fliplr(input):
    """Dim 1 reversed, as a copy. Shapes: (n, m, *) -> (n, m, *)."""
    if input.ndim < 2:
        raise RuntimeError(f"fliplr: needs at least 2 dimensions, got {input.ndim}")
    return flip(input, (1,))


@composed(samples=[S(t(2, 3)), S(t(3))])
def flipud(input):
    """Dim 0 reversed, as a copy. Shapes: (n, *) -> (n, *)."""
    if not input.ndim:
        raise RuntimeError("flipud: needs at least 1 dimension")
    return flip(input, (0,))


# ---------------------------------------------------------------- triangles and diagonals


TRIANGLES = [S(t(3, 4)), S(t(3, 4), 1), S(t(2, 3, 3), diagonal=-1), S(t(2, 3), 9), S(t(0, 3)),
             S(ints(3, 3))]


def _triangle(name, xp, input, diagonal):
    if input.ndim < 2:
        raise RuntimeError(f"{name}: needs at least 2 dimensions, got shape {tuple(input.shape)}")
    return getattr(xp, name)(input, diagonal)


@op(inplace=True, samples=TRIANGLES)
def tril(xp, input: Array, diagonal: int = 0):
    """0 above the diagonal, or above that `diagonal` places higher.

    Shapes: (*, n, m) -> (*, n, m).
    """
    return _triangle("tril", xp, input, diagonal)


@op(inplace=True, samples=TRIANGLES)
def triu(xp, input: Array, diagonal: int = 0):
    """0 below the diagonal, or below that `diagonal` places higher.

    Shapes: (*, n, m) -> (*, n, m).
    """
    return _triangle("triu", xp, input, diagonal)


tril.vjp(input=lambda xp, g, diagonal: tril.run(xp, g, diagonal))
triu.vjp(input=lambda xp, g, diagonal: triu.run(xp, g, diagonal))


def _diagonal_of(xp, x, offset, dim1, dim2):
    """A diagonal as a view that can be written, as the last axis."""
    first, second = axes(dim1, x.ndim), axes(dim2, x.ndim)
    if first == second:
        raise RuntimeError(f"diagonal: the dims {dim1} and {dim2} are the same")
    rows = xp.moveaxis(x, (*first, *second), (-2, -1))
    up, right = max(-offset, 0), max(offset, 0)
    length = max(min(rows.shape[-2] - up, rows.shape[-1] - right), 0)
    # einsum, since what numpy.diagonal gives is read-only
    return xp.einsum("...ii->...i", rows[..., up:up + length, right:right + length])


@op(view=True, samples=[S(t(3, 4)), S(t(3, 4), 1), S(t(3, 4), -2), S(t(2, 3, 4), 0, 0, 2),
                        S(t(2, 3, 4), 1, -1, 0), S(t(2, 3), 9), S(t(0, 3))])
def diagonal(xp, input: Array, offset: int = 0, dim1: int = 0, dim2: int = 1):
    """The diagonal of the matrices in two dims, as the last dim, as a view.

    `offset` counts the places above the main one. Shapes: (n, m, *) -> (*, k).

    Raises:
        RuntimeError: the dims are the same.
    """
    return _diagonal_of(xp, input, offset, dim1, dim2)


def _positions(size, stride, offset):
    """Where each element of a view stands among those of what it is a view of."""
    found = numpy.full(tuple(size), offset)
    for i, (n, step) in enumerate(zip(size, stride, strict=True)):
        found += (numpy.arange(n) * step).reshape(-1, *(1,) * (len(size) - i - 1))
    return found


@op(view=True, samples=[
    S(t(3, 4), (), ()), S(t(3, 4), (3,), (5,)), S(t(12), (5, 4), (2, 1)),
    S(t(2, 3), (2, 2), (0, 1), 2), S(t(4), (0, 2), (1, 1)), S(t(), (2,), (0,))])
def as_strided(xp, input: Array, size: Any, stride: Any, storage_offset: int = 0):
    """Element storage_offset + i stride[0] + j stride[1] + ... for (i, j, ...). Shapes: -> size."""
    if len(size) != len(stride) or min((*size, *stride, storage_offset), default=0) < 0:
        raise RuntimeError(f"as_strided: size {size} and stride {stride} must be equally many and, "
                           f"as the offset {storage_offset}, not negative")
    last = _last(size, stride, storage_offset)
    if 0 not in size and last >= input.size:
        raise RuntimeError(f"as_strided: element {last} of a memory of {input.size}: size {size}, "
                           f"stride {stride} and offset {storage_offset} reach beyond its end")
    flat = xp.ascontiguousarray(input).reshape(-1)[storage_offset:]  # g may lie otherwise
    return xp.lib.stride_tricks.as_strided(flat, size, [s * input.itemsize for s in stride])


@as_strided.public
def as_strided_in_memory(input, size, stride, storage_offset=None):
    """Element i stride[0] + j stride[1] + ... of the memory for each (i, j, ...), from the input's
    first element on, or from storage_offset of the memory that the input is a view of.

    Elements may come several times: gradients add up. A view. Shapes: (*) -> size.

    Raises:
        RuntimeError: sizes and strides that are not equally many, or negative; elements that the
            memory does not have; an input that has some element of it twice, as an expanded one.
    """
    size, stride, first = tuple(size), tuple(stride), input.storage_offset()
    if storage_offset is None:
        storage_offset = first
    if not first and input.is_contiguous() and _last(size, stride, storage_offset) < input.numel():
        return as_strided(input, size, stride, storage_offset)
    return as_strided(memory(input, input.stride(), first), size, stride, storage_offset)


def _last(size, stride, offset):
    """Where the last element is."""
    return offset + sum((n - 1) * step for n, step in zip(size, stride, strict=False))


@op(view=True, method=False, internal=True, samples=[])
def memory(xp, input: Array, stride: Any, offset: int):
    """All of the memory that the input is a view of, without dims in it. Shapes: (*) -> (n)."""
    if any(step == 0 and n > 1 for n, step in zip(input.shape, stride, strict=True)):
        raise RuntimeError(f"as_strided: the input of shape {tuple(input.shape)} has elements that "
                           "are there once in memory, as expand() makes it; clone() it first")
    whole = owner(input)
    if not (whole.flags.c_contiguous or whole.flags.f_contiguous):
        raise RuntimeError("as_strided: the memory of the input has gaps; clone() it first")
    return whole.ravel("K")


@memory.vjp("input")
def _(xp, g, input_shape, stride, offset):
    return as_strided.run(xp, g, input_shape, stride, offset)


@op(method=False, internal=True, samples=[S(t(5, 4), (12,), (2, 1), 0), S(t(2), (3, 4), (5,), 1)],
    reference=lambda torch: lambda x, shape, stride, offset: torch.zeros(
        math.prod(shape), dtype=x.dtype).index_add(0, torch.as_tensor(
            _positions(x.shape, stride, offset).reshape(-1)), x.reshape(-1)).reshape(shape))
def put_strided(xp, input: Array, shape: Any, stride: Any, offset: int):
    """Zeros of `shape`, with `input` added where `as_strided` has it from. Shapes: (*) -> shape."""
    out = xp.zeros(math.prod(shape), dtype=input.dtype)
    xp.add.at(out, xp.asarray(_positions(input.shape, stride, offset)), input)
    return out.reshape(shape)


@as_strided.vjp("input")
def _(xp, g, input_shape, stride, storage_offset):
    return put_strided.run(xp, g, input_shape, stride, storage_offset)


@put_strided.vjp("input")
def _(xp, g, input_shape, stride, offset):
    return as_strided.run(xp, g, input_shape, stride, offset)


@op(method=False, internal=True, reference=lambda torch: lambda x, shape, offset, dim1, dim2:
    torch.zeros(shape, dtype=x.dtype).diagonal_scatter(x, offset, dim1, dim2),
    samples=[S(t(2), (2, 3), 0, 0, 1), S(t(3, 2), (2, 3, 4), -1, 2, 0)])
def put_diagonal(xp, input: Array, shape: Any, offset: int, dim1: int, dim2: int):
    """Zeros of `shape`, with `input` as a diagonal. Shapes: (*, k) -> shape."""
    out = xp.zeros(shape, dtype=input.dtype)
    _diagonal_of(xp, out, offset, dim1, dim2)[...] = input
    return out


@diagonal.vjp("input")
def _(xp, g, input_shape, offset, dim1, dim2):
    return put_diagonal.run(xp, g, input_shape, offset, dim1, dim2)


@put_diagonal.vjp("input")
def _(xp, g, offset, dim1, dim2):
    return diagonal.run(xp, g, offset, dim1, dim2)


@composed(samples=[S(t(2, 3)), S(t(2, 3), 1, 0, 2), S(t(3), -2), S(t(0)), S(ints(2))])
def diag_embed(input, offset=0, dim1=-2, dim2=-1):
    """Square matrices of zeros with the last dim as a diagonal, in two new dims.

    Shapes: (*, k) -> (*, k + |offset|, k + |offset|).

    Raises:
        RuntimeError: the dims are the same.
    """
    first, second = axes(dim1, input.ndim + 1), axes(dim2, input.ndim + 1)
    if first == second:
        raise RuntimeError(f"diag_embed: the dims {dim1} and {dim2} are the same")
    size = input.shape[-1] + abs(offset)
    shape = list(input.shape[:-1])
    for axis in sorted((*first, *second)):
        shape.insert(axis, size)
    return put_diagonal(input, tuple(shape), offset, first[0], second[0])


@composed(samples=[S(t(3)), S(t(3), 1), S(t(2, 3)), S(t(2, 3), -1)])
def diag(input, diagonal=0):
    """The matrix with a vector as its diagonal, or a copy of the diagonal of a matrix.

    Shapes: (n) -> (n, n), or (n, m) -> (k).

    Raises:
        RuntimeError: neither a vector nor a matrix.
    """
    if input.ndim == 1:
        return diag_embed(input, diagonal)
    if input.ndim != 2:
        raise RuntimeError(f"diag: needs a vector or a matrix, got shape {tuple(input.shape)}")
    return _diagonal(input, diagonal).clone()


_diagonal = diagonal


@composed(samples=[S(t(2, 2)), S(t(3), 1), S(t())])
def diagflat(input, offset=0):
    """The matrix with all elements, in order, as its diagonal. Shapes: (*) -> (k, k)."""
    return diag_embed(flatten(input), offset)


# ---------------------------------------------------------------- grids


@composed(method=False, samples=[S(t(2), t(3)), S(t(2), t(3), t(4), indexing="xy"), S([t(2), t()]),
                                 S(t(3), indexing="xy")],
          reference=lambda torch: lambda *x, indexing="ij": torch.meshgrid(*x, indexing=indexing))
def meshgrid(*tensors, indexing="ij"):
    """Every vector spread over the grid of all, as views; "xy" has the first two dims exchanged.

    Shapes: (n), (m) -> (n, m), (n, m).

    Raises:
        RuntimeError: more than 1 dimension; differing dtypes; no Tensors; another indexing.
    """
    tensors = _pieces(tensors)
    if not tensors or indexing not in ("ij", "xy"):
        raise RuntimeError(f"meshgrid: needs Tensors, got {len(tensors)}, and indexing 'ij' or "
                           f"'xy', got {indexing!r}")
    if any(x.ndim > 1 for x in tensors) or len({x.dtype for x in tensors}) > 1:
        raise RuntimeError("meshgrid: needs vectors of one dtype, got " + ", ".join(
            f"{tuple(x.shape)} {x.dtype}" for x in tensors))
    sizes = tuple(x.numel() for x in tensors)
    grids = tuple(expand(reshape(x, tuple(-1 if j == i else 1 for j in range(len(sizes)))
                                 if x.numel() else tuple(n if j == i else 1
                                                         for j, n in enumerate(sizes))), sizes)
                  for i, x in enumerate(tensors))
    if indexing == "xy" and len(sizes) > 1:
        return tuple(transpose(x, 0, 1) for x in grids)
    return grids


@composed(method=False, samples=[S(t(2), t(3)), S(t(2)), S(t(2), t(1), t(3))])
def cartesian_prod(*tensors):
    """All combinations of one element of each vector, one a row. Shapes: (n), (m) -> (n m, 2).

    Raises:
        RuntimeError: not vectors.
    """
    tensors = _pieces(tensors)
    _check_vectors("cartesian_prod", tensors)
    if len(tensors) == 1:
        return reshape(tensors[0], tuple(tensors[0].shape))
    return stack([flatten(x) for x in meshgrid(*tensors)], 1)


def _check_vectors(name, tensors):
    for x in tensors:
        if x.ndim != 1:
            raise RuntimeError(f"{name}: needs vectors, got shape {tuple(x.shape)}")


@composed(samples=[S(t(4)), S(t(3), 3), S(t(3), 2, True), S(t(3), r=1)])
def combinations(input, r=2, with_replacement=False):
    """All choices of `r` elements of a vector, in their order, one a row. Shapes: (n) -> (k, r).

    Raises:
        RuntimeError: not a vector; a negative r.
    """
    _check_vectors("combinations", [input])
    if r < 0:
        raise RuntimeError(f"combinations: r must not be negative, got {r}")
    if not r:
        return input.new_zeros(0)
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    chosen = list(choose(range(input.numel()), r))
    index = input.new_tensor(chosen, dtype=dtypes.int64)._array.reshape(len(chosen), r)
    return getitem(input, (index,))


# ---------------------------------------------------------------- padding


@op(method=False, internal=True, samples=[S(t(2, 3), ((1, 2), (0, 3)), 1.5)],
    reference=lambda torch: lambda x, sides, value: torch.nn.functional.pad(
        x, [n for pair in sides[::-1] for n in pair], value=value))
def surround(xp, input: Array, sides: Any, value: Any):
    """`value` before and after along each dim, sides >= 0. Shapes: (n, *) -> (a + n + b, *)."""
    shape = tuple(a + n + b for n, (a, b) in zip(input.shape, sides, strict=True))
    out = xp.full(shape, value, dtype=input.dtype)
    out[_inside(sides, input.shape)] = input
    return out


@surround.vjp("input")
def _(xp, g, input_shape, sides):
    return getitem.run(xp, g, _inside(sides, input_shape))


def _inside(sides, shape):
    return tuple(slice(a, a + n) for (a, _), n in zip(sides, shape, strict=True))


def _crop(input, sides):
    """Without what negative sides cut off."""
    if all(a >= 0 and b >= 0 for a, b in sides):
        return input
    return getitem(input, tuple(slice(max(-a, 0), n - max(-b, 0))
                                for (a, b), n in zip(sides, input.shape, strict=True)))


def _reflected(x, axis, a, b):
    n = x.shape[axis]
    if max(a, b) >= n:
        raise RuntimeError(f"pad: reflect by ({a}, {b}) needs more elements than the {n} along "
                           f"dim {axis}; each must be less than the size")
    return (flip(_slice(x, axis, 1, a + 1), (axis,)),
            flip(_slice(x, axis, n - 1 - b, n - 1), (axis,)))


def _replicated(x, axis, a, b):
    def repeated(piece, count):
        return expand(piece, (*x.shape[:axis], count, *x.shape[axis + 1:]))

    return repeated(_slice(x, axis, 0, 1), a), repeated(_slice(x, axis, -1, None), b)


def _wrapped(x, axis, a, b):
    n = x.shape[axis]
    if max(a, b) > n:
        raise RuntimeError(f"pad: circular by ({a}, {b}) would go around the {n} elements of dim "
                           f"{axis} more than once")
    return _slice(x, axis, n - a, n), _slice(x, axis, 0, b)


BORDERS = {"reflect": _reflected, "replicate": _replicated, "circular": _wrapped}
PADS = [S(t(2, 3), (1, 2)), S(t(2, 3), (1, -1, -1, 2), "constant", 2.5), S(t(3), (0, 0)),
        S(t(2, 3), (0, 1, 2, 0), value=-1.0), S(t(), ()), S(t(0, 2), (1, 1, 1, 1)),
        S(ints(3), (1, 1))]


@composed(home="nn.functional", method=False, samples=[
    *PADS, *(S(t(2, *(4, 3, 5)[:d]), pads, m) for m in BORDERS
             for d, pads in ((1, (1, 2)), (2, (2, 1, 0, 3)), (2, (1, -1)), (2, (-1, 2)),
                             (3, (1, 2, 2, 1, 3, 1))))])
def pad(input, pad, mode="constant", value=None):
    """Elements put around: `pad` is (before, after) of the last dim, then of the one before it...

    Negative numbers cut off. mode: "constant" (of `value`, 0 by default), "reflect" (without
    repeating the border), "replicate" (the border), "circular" (from the other end).
    Shapes: (*, n) -> (*, before + n + after).

    Raises:
        RuntimeError: an odd count, or more than there are dims; more than the mode can give; a
            `value` where the mode has none.
        NotImplementedError: a mode other than "constant" for other than the last 1, 2 or 3 of
            one or two dims more; another mode.
    """
    sides = _sides(tuple(pad), input, mode, value)
    if mode == "constant":
        cut = _crop(input, sides)
        positive = tuple((max(a, 0), max(b, 0)) for a, b in sides)
        return surround(cut, positive, 0 if value is None else value)
    # What is reflected or replicated may be cut off afterwards; around goes what is left.
    out = _crop(input, sides) if mode == "circular" else input
    for axis, (a, b) in enumerate(sides):
        if a > 0 or b > 0:
            before, after = BORDERS[mode](out, axis, max(a, 0), max(b, 0))
            out = cat([before, out, after], axis)
    if mode != "circular":
        out = _crop(out, sides)
    return out if out._base is None and out is not input else out.clone()


def _sides(given, input, mode, value):
    """(before, after) of every dim, and everything checked."""
    count = len(given) // 2
    if mode != "constant" and mode not in BORDERS:
        raise NotImplementedError(f"pad: mode {mode!r} is none of 'constant', "
                                  + ", ".join(map(repr, BORDERS)))
    if len(given) % 2 or count > input.ndim:
        raise RuntimeError(f"pad: {len(given)} numbers for shape {tuple(input.shape)}: there must "
                           "be two for each dim padded, and at most all dims")
    if mode in BORDERS and (not 1 <= count <= 3 or input.ndim - count not in (1, 2)):
        raise NotImplementedError(
            f"pad: mode {mode!r} for {count} dims of shape {tuple(input.shape)}; it is there for "
            "the last 1, 2 or 3 dims of a Tensor that has 1 or 2 more")
    pairs = tuple(zip(given[::2], given[1::2], strict=True))[::-1]
    sides = ((0, 0),) * (input.ndim - count) + pairs
    least = 0 if mode in ("constant", "circular") else 1  # of what the others leave of a dim
    for (a, b), n in zip(sides[-count:] if count else (), input.shape[-count:], strict=False):
        if a + b + n < least or -a > n or -b > n:
            raise RuntimeError(f"pad: ({a}, {b}) cuts off more than the {n} elements there are")
    if mode == "constant":
        return sides
    if value not in (None, 0):
        raise RuntimeError(f"pad: mode {mode!r} takes no value, got {value}")
    if mode != "circular" and 0 in input.shape[input.ndim - count - 1:]:
        raise RuntimeError(f"pad: mode {mode!r} takes from the elements of dims padded, and shape "
                           f"{tuple(input.shape)} has none")
    return sides


# ---------------------------------------------------------------- windows


@op(view=True, reference="Tensor.unfold", samples=[
    S(t(5), 0, 3, 1), S(t(2, 6), 1, 2, 3), S(t(2, 7, 3), -2, 3, 2), S(t(4), 0, 0, 1),
    S(t(), 0, 1, 1)])
def unfold(xp, input: Array, dimension: int, size: int, step: int):
    """Windows of `size` along a dim, one every `step`, as a last dim; a view, on a GPU a copy.

    Shapes: (*, n, *) -> (*, (n - size) // step + 1, *, size).

    Raises:
        RuntimeError: a window larger than the dim; a step that is not positive.
    """
    x = xp.reshape(input, input.shape or (1,))
    (axis,) = axes(dimension, x.ndim)
    n = x.shape[axis]
    if not 0 <= size <= n or step < 1:
        raise RuntimeError(f"unfold: windows of {size} every {step} along dim {dimension} of size "
                           f"{n}; a window must fit, and the step be at least 1")
    count = (n - size) // step + 1
    shape = (*x.shape[:axis], count, *x.shape[axis + 1:], size)
    strides = (*x.strides[:axis], x.strides[axis] * step, *x.strides[axis + 1:], x.strides[axis])
    windows = xp.lib.stride_tricks.as_strided(x, shape, strides)
    if windows.base is None:  # CuPy's do not say whose memory they show: no write would be noticed
        windows = windows.copy()
    return windows[0] if not input.ndim else windows


@op(method=False, internal=True, samples=[S(t(3, 2), (4,), 0, 1),
                                          S(t(2, 2, 3, 2), (2, 5, 3), 1, 2)],
    reference=lambda torch: lambda w, shape, axis, step: torch.ops.aten.unfold_backward(
        w, shape, axis, w.shape[-1], step))
def overlap_add(xp, input: Array, shape: Any, dimension: int, step: int):
    """Windows laid back to where `unfold` took them from, added up where they overlap.

    Shapes: (*, count, *, size) -> shape. A loop over the taps, each one strided addition.
    """
    out = xp.zeros(shape or (1,), dtype=input.dtype)
    (axis,) = axes(dimension, out.ndim)
    windows = input if shape else xp.reshape(input, (1, -1))
    reach = step * (windows.shape[axis] - 1) + 1
    for tap in range(windows.shape[-1]):
        out[(slice(None),) * axis + (slice(tap, tap + reach, step),)] += windows[..., tap]
    return xp.reshape(out, shape)


@unfold.vjp("input")
def _(xp, g, input_shape, dimension, step):
    return overlap_add.run(xp, g, input_shape, dimension, step)


@overlap_add.vjp("input")
def _(xp, g, input_shape, dimension, step):
    return unfold.run(xp, g, dimension, input_shape[-1], step)
