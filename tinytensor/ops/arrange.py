"""Rearranging elements: slices, joins, tiling, rolling, grids and windows.

Every op here is linear and one of a pair, each the derivative of the other: repeating and
summing, windows and overlap-add.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from ..arrays import Array, dtypes
from ..arrays.numbers import integer, integers, is_integer, python_number
from ..autograd.table import composed, op
from ..tensors.tensor import Tensor
from .checks import need_dims
from .dims import axes
from .index import flip, getitem, split
from .samples import S, ints, t
from .shape import cat, expand, flatten, reshape, stack, transpose

# ---------------------------------------------------------------- slices, as views


def piece(input: Tensor, axis: int, start: int, stop: int | None) -> Tensor:
    """Elements `start` to `stop` along an axis, as a view."""
    return getitem(input, (slice(None),) * axis + (slice(start, stop),))


def _position(name, input, dim):
    """The axis of `dim`.

    Raises:
        IndexError: a 0-d Tensor, or a dim that does not exist.
    """
    if not input.ndim:
        raise IndexError(f"{name}: a 0-d Tensor has no parts")
    return axes(dim, input.ndim)[0]


@composed(samples=[S(t(3, 4), 1, 1, 2), S(t(3, 4), 0, -2, 1), S(t(3), 0, 3, 0)])
def narrow(input: Tensor, dim: int, start: int, length: int) -> Tensor:
    """`length` elements along `dim` from `start`, as a view. Shapes: (*, n, *) -> (*, length, *).

    Raises:
        RuntimeError: `length` reaches beyond the end, or is negative; a 0-d Tensor.
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
    return piece(input, axis, start, start + length)


@composed(samples=[S(t(3, 4), 1, 2), S(t(3, 4), -2, -1)])
def select(input: Tensor, dim: int, index: int) -> Tensor:
    """The slice at `index` along `dim`, without that dim, as a view. Shapes: (*, n, *) -> (*).

    Raises:
        IndexError: an index that does not exist; a 0-d Tensor.
    """
    axis, index = _position("select", input, dim), int(index)
    size = input.shape[axis]
    if not -size <= index < size:
        raise IndexError(f"select: index {index} is out of range for dim {dim} of size {size}")
    return getitem(input, (*[slice(None)] * axis, index, Ellipsis))


SECTIONS = dict.fromkeys(("sections", "indices"), "indices_or_sections")


@composed(keywords=SECTIONS, samples=[
    S(t(5, 2), 2), S(t(2, 7), 3, 1), S(t(2, 7), (2, 5), dim=-1), S(t(3), [1, -1]), S(t(2), 3)])
def tensor_split(input: Tensor, indices_or_sections: int | Sequence[int] | Tensor,
                 dim: int = 0) -> tuple[Tensor, ...]:
    """A number of pieces whose sizes differ by at most 1, or pieces between positions; views.

    Shapes: (n, *) -> (n1, *), (n2, *), ...

    Raises:
        RuntimeError: no pieces; a 0-d Tensor.
    """
    if not input.ndim:
        raise RuntimeError("tensor_split: a 0-d Tensor has no parts")
    (axis,) = axes(dim, input.ndim)
    size, wanted = input.shape[axis], indices_or_sections
    if isinstance(wanted, Tensor):
        wanted = wanted.tolist()
    if not is_integer(wanted):
        cuts = [0, *integers("tensor_split: indices", wanted), size]
    elif (wanted := integer("tensor_split: sections", wanted)) < 1:
        raise RuntimeError(f"tensor_split: the number of pieces must be positive, got {wanted}")
    else:
        whole, more = divmod(size, wanted)
        return split(input, [whole + (i < more) for i in range(wanted)], axis)
    return tuple(piece(input, axis, a, b) for a, b in itertools.pairwise(cuts))


def _split_along(name, axis, doc):
    """hsplit, vsplit and dsplit: pieces along a fixed dim, of equal sizes."""
    def pieces(input, indices_or_sections):
        needed = {"hsplit": 1, "vsplit": 2, "dsplit": 3}[name]
        need_dims(name, input, needed)
        dim = min(axis, input.ndim - 1)
        size = input.shape[dim]
        if is_integer(indices_or_sections) and (
                indices_or_sections < 1 or size % indices_or_sections):
            raise RuntimeError(f"{name}: size {size} of dim {dim} is not divisible by "
                               f"{indices_or_sections}; tensor_split allows that")
        return tensor_split(input, indices_or_sections, dim)

    pieces.__name__, pieces.__doc__ = name, doc
    return composed(keywords=SECTIONS,
                    samples=[S(t(4, 4, 4), 2), S(t(2, 3, 4), (1, 2))])(pieces)


hsplit = _split_along("hsplit", 1, """Equal pieces along dim 1 (of a vector along 0), or pieces
    between positions, as views. Shapes: (n, m) -> (n, m1), (n, m2), ...""")
vsplit = _split_along("vsplit", 0, """Equal pieces along dim 0, or pieces between positions, as
    views; at least 2 dims. Shapes: (n, m) -> (n1, m), (n2, m), ...""")
dsplit = _split_along("dsplit", 2, """Equal pieces along dim 2, or pieces between positions, as
    views. Shapes: (n, m, k) -> (n, m, k1), (n, m, k2), ...""")


# ---------------------------------------------------------------- joined


def _pieces(tensors):
    """The Tensors of a call f(a, b) or f((a, b))."""
    return tuple(tensors[0]) if len(tensors) == 1 and isinstance(tensors[0], list | tuple) \
        else tensors


def _at_least(name, dims, shape_of):
    """atleast_1d, 2d, 3d: add dims of size 1."""
    def function(*tensors):
        given = _pieces(tensors)
        results = tuple(x if x.ndim >= dims else reshape(x, shape_of(tuple(x.shape)))
                        for x in given)
        return results if given is not tensors or len(results) > 1 else results[0]

    function.__name__ = name
    function.__doc__ = (f"Adds dims of size 1 up to {dims} dims, as views; for several Tensors "
                        f"a tuple. Shapes: () -> {(1,) * dims}.")
    samples = [S(t()), S(t(3)), S(t(2, 3), t()), S([t(2), t(2, 3, 4)])]
    return composed(method=False, samples=samples)(function)


atleast_1d = _at_least("atleast_1d", 1, lambda shape: (1,))
atleast_2d = _at_least("atleast_2d", 2, lambda shape: (1, *shape) if shape else (1, 1))
atleast_3d = _at_least("atleast_3d", 3, lambda shape: {
    0: (1, 1, 1), 1: (1, *shape, 1), 2: (*shape, 1)}[len(shape)])


@composed(method=False, samples=[S([t(2), t(3)]), S([t(2, 1), t(2, 2)]), S([t(), t()])])
def hstack(tensors: Sequence[Tensor]) -> Tensor:
    """Concatenates along dim 1, vectors along dim 0. Shapes: (n, m), (n, k) -> (n, m + k)."""
    tensors = atleast_1d(tuple(tensors))
    return cat(tensors, 0 if tensors and tensors[0].ndim == 1 else 1)


@composed(method=False, aliases=("row_stack",), samples=[S([t(3), t(3)]), S([t(2, 3), t(3)])])
def vstack(tensors: Sequence[Tensor]) -> Tensor:
    """Concatenates along dim 0, vectors as rows. Shapes: (n, m), (m) -> (n + 1, m)."""
    return cat(atleast_2d(tuple(tensors)), 0)


@composed(method=False, samples=[S([t(3), t(3)]), S([t(2, 3), t(2, 3)]), S([t(2, 3, 1), t(2, 3)])])
def dstack(tensors: Sequence[Tensor]) -> Tensor:
    """Concatenates along dim 2. Shapes: (n, m), (n, m) -> (n, m, 2)."""
    return cat(atleast_3d(tuple(tensors)), 2)


@composed(method=False, samples=[S([t(3), t(3)]), S([t(3, 2), t(3)]), S([t(), t()])])
def column_stack(tensors: Sequence[Tensor]) -> Tensor:
    """Concatenates along dim 1, vectors as columns. Shapes: (n, m), (n) -> (n, m + 1)."""
    return hstack(tuple(x if x.ndim > 1 else reshape(x, (x.numel(), 1)) for x in tensors))


# ---------------------------------------------------------------- repeated


@op(varargs="repeats", method=True, reference="Tensor.repeat", array_names=("tile",), samples=[
    S(t(2, 3), (2, 1)), S(t(2, 3), (2, 1, 3)), S(t(), (2,)), S(t(3), (0,)), S(t(2), (1,)),
    S(t(0, 2), (2, 2))])
def repeat(xp, input: Array, repeats: Sequence[int]):
    """Repeats the Tensor `repeats` times along each dim; a copy. Shapes: (n, m) -> (r0 n, r1 m).

    Raises:
        RuntimeError: fewer repeats than dims; negative repeats.
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
def tile(input: Tensor, dims: Sequence[int]) -> Tensor:
    """As `repeat`; missing repeats are 1. Shapes: (n, m) -> (n, r m) for (r,)."""
    dims = integers("tile: dims", dims)
    return repeat(input, (1,) * (input.ndim - len(dims)) + dims)


@op(method=False, internal=True, reference="repeat_interleave", samples=[
    S(t(2, 3), 2, 1), S(t(2, 3), 3, -2), S(t(2, 3), 0, 0)])
def repeat_each(xp, input: Array, repeats: int, dim: int):
    """Each element repeated `repeats` times along `dim`. Shapes: (*, n, *) -> (*, r n, *)."""
    return xp.repeat(input, repeats, axis=dim)


@repeat_each.vjp("input")
def _(xp, g, input_shape, repeats, dim):
    axis = dim % len(input_shape)
    split = (*input_shape[:axis + 1], repeats, *input_shape[axis + 1:])
    return xp.sum(xp.reshape(g, split), axis=axis + 1)


@composed(samples=[S(t(2, 3), 2), S(t(2, 3), 2, 1), S(t(3, 2), ints(3), 0), S(t(3), ints(3)),
                   S(t(2, 3), ints(1), -1), S(t(), 3), S(ints(4))])
def repeat_interleave(input: Tensor, repeats: Tensor | int | None = None, dim: int | None = None, *,
                      output_size: int | None = None) -> Tensor:
    """Each element repeated along `dim`, or in the flattened input; `repeats` is one number or one
    for each element.

    repeat_interleave(repeats) alone gives each i repeats[i] times.
    Shapes: (*, n, *), () or (n) -> (*, Σ repeats, *).

    Raises:
        RuntimeError: not one number for each; negative numbers; `output_size` is not their sum.
        NotImplementedError: repeats that are not integers.
    """
    repeats = python_number(repeats)
    if repeats is None:
        return repeat_interleave(input.new_tensor(list(range(input.numel()))), input,
                                 output_size=output_size)
    if isinstance(repeats, int) and repeats < 0:
        raise RuntimeError(f"repeat_interleave: repeats must not be negative, got {repeats}")
    if dim is None:
        input, dim = flatten(input), 0
    axis = _position("repeat_interleave", input, dim)
    each = None if isinstance(repeats, int) else repeats
    size, given = input.shape[axis], 1 if each is None else each.numel()
    if given not in (1, size) or (each is not None and each.ndim > 1):
        raise RuntimeError(f"repeat_interleave: {given} repeats for dim {dim} of size "
                           f"{size}; there must be 1, or one for each, in 1 dimension")
    if each is not None and each.dtype.is_floating_point:
        raise NotImplementedError(f"repeat_interleave: repeats must be integers, got "
                                  f"{each.dtype}")
    if each is not None and each.is_meta and output_size is not None:
        return _rows(input, axis, each.new_zeros(output_size, dtype=dtypes.int64))
    counts = [repeats] if each is None else each.reshape((-1,)).tolist()
    if any(r < 0 for r in counts):
        raise RuntimeError("repeat_interleave: repeats must not be negative")
    total = sum(counts) if len(counts) == size else counts[0] * size
    if output_size not in (None, total):
        raise RuntimeError(f"repeat_interleave: output_size is {output_size}, but the repeats "
                           f"make {total}")
    if len(counts) == 1:
        return repeat_each(input, counts[0], axis)
    return _rows(input, axis, input.new_tensor(
        [i for i, r in enumerate(counts) for _ in range(r)], dtype=dtypes.int64))


def _rows(input, axis, positions):
    rows = transpose(input, 0, axis)  # the derivative of indexing dim 0 is faster
    return transpose(getitem(rows, (positions._array,)), 0, axis)


# ---------------------------------------------------------------- rolling and rotating


@op(contiguous=True,
    samples=[S(t(2, 3), 1), S(t(2, 3), (1, 2), (0, 1)), S(t(2, 3), -4, 0), S(t(2, 3), 1, (-1,)),
             S(t(0, 3), 1, 0), S(t(), 1), S(t(2, 3), (1, 1), (0, 0))])
def roll(xp, input: Array, shifts: int | Sequence[int],
         dims: int | Sequence[int] | None = None):
    """Rolls by `shifts` along `dims`, circularly; without dims, the flattened elements.

    Shapes: (*) -> (*).

    Raises:
        RuntimeError: different numbers of shifts and dims.
    """
    shifts = integers("roll: shifts", shifts)
    dims = () if dims is None else integers("roll: dims", dims)
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
    return roll.run(xp, g, tuple(-s for s in integers("roll: shifts", shifts)), dims)


@op(samples=[S(t(2, 3)), S(t(2, 3), 2), S(t(2, 3, 4), 3, (0, 2)), S(t(2, 3), -1, (1, 0)),
             S(t(2, 2), 4)])
def rot90(xp, input: Array, k: int = 1, dims: Sequence[int] = (0, 1)):
    """Rotates `k` times by 90 degrees, from the first of `dims` to the second; a copy.

    Shapes: (n, m) -> (m, n) for odd k.

    Raises:
        RuntimeError: not two different dims.
    """
    if len(dims) != 2 or input.ndim < 2:
        raise RuntimeError(f"rot90: needs 2 dims to rotate in, got {tuple(dims)} for shape "
                           f"{tuple(input.shape)}")
    return xp.rot90(input, k, axes(tuple(dims), input.ndim)).copy()


rot90.vjp(input=lambda xp, g, k, dims: rot90.run(xp, g, -k, dims))


@composed(samples=[S(t(2, 3)), S(t(2, 3, 2))])
def fliplr(input: Tensor) -> Tensor:
    """Reverses dim 1, as a copy. Shapes: (n, m, *) -> (n, m, *)."""
    need_dims("fliplr", input, 2)
    return flip(input, (1,))


@composed(samples=[S(t(2, 3)), S(t(3))])
def flipud(input: Tensor) -> Tensor:
    """Reverses dim 0, as a copy. Shapes: (n, *) -> (n, *)."""
    need_dims("flipud", input, 1)
    return flip(input, (0,))


# ---------------------------------------------------------------- grids


@composed(method=False, samples=[S(t(2), t(3)), S(t(2), t(3), t(4), indexing="xy"), S([t(2), t()]),
                                 S(t(3), indexing="xy")],
          reference=lambda torch: lambda *x, indexing="ij": torch.meshgrid(*x, indexing=indexing))
def meshgrid(*tensors: Tensor, indexing: str = "ij") -> tuple[Tensor, ...]:
    """Each vector expanded over the grid of all, as views; "xy" exchanges the first two dims.

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
def cartesian_prod(*tensors: Tensor) -> Tensor:
    """All combinations of one element of each vector, as rows. Shapes: (n), (m) -> (n m, 2).

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
def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """All choices of `r` elements of a vector, in order, as rows. Shapes: (n) -> (k, r).

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


# ---------------------------------------------------------------- windows


@op(view=True, reference="Tensor.unfold", samples=[
    S(t(5), 0, 3, 1), S(t(2, 6), 1, 2, 3), S(t(2, 7, 3), -2, 3, 2), S(t(4), 0, 0, 1),
    S(t(), 0, 1, 1)])
def unfold(xp, input: Array, dimension: int, size: int, step: int):
    """Windows of `size` along a dim, one every `step`, in a new last dim; a view.

    Shapes: (*, n, *) -> (*, (n - size) // step + 1, *, size).

    Raises:
        RuntimeError: a window larger than the dim; a step below 1.
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
    return windows[0] if not input.ndim else windows


@op(method=False, internal=True, samples=[S(t(3, 2), (4,), 0, 1),
                                          S(t(2, 2, 3, 2), (2, 5, 3), 1, 2)],
    reference=lambda torch: lambda w, shape, axis, step: torch.ops.aten.unfold_backward(
        w, shape, axis, w.shape[-1], step))
def overlap_add(xp, input: Array, shape: Sequence[int], dimension: int, step: int):
    """Windows added at the positions that `unfold` takes them from, the adjoint of `unfold`.

    Shapes: (*, count, *, size) -> shape. A loop over the elements of a window, each
    one strided addition.
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
