"""Reading and writing by positions along a dim: gather, scatter and their relatives.

All are composed of three operations: `getitem`, `setitem`, and `put_zeros`, which accumulates.
Positions are checked on the host before anything is written. Where positions repeat, sums
accumulate, in a deterministic order on the CPU; of plain writes the last one is kept.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy

from ..arrays import Array, devices, dtypes
from ..arrays.numbers import is_number, python_number
from ..autograd import graph
from ..autograd.modes import mode
from ..autograd.table import composed, op
from ..tensors.tensor import Tensor
from .checks import need_integers, need_one_of
from .dims import axes
from .index import (
    WHOLE,
    Index,
    along,
    as_index,
    as_value,
    check_positions,
    copied,
    fill_value,
    getitem,
    positions,
    put_zeros,
    select_at,
    setitem,
    where,
)
from .samples import S, bools, ints, t
from .shape import broadcast_to, reshape


def _integers(name, index):
    """The array of positions, a copy if a node may save it (see `copied`); checks its dtype."""
    need_integers(name, index._array)
    return index._array.copy() if mode.enabled else index._array


def _same_dtype(name, input, source):
    if input.dtype is not source.dtype:
        raise RuntimeError(f"{name}: the input is {input.dtype} and what is written {source.dtype};"
                           " they must be equal: convert with .to(...)")


def _with_a_dim(x):
    """A 0-d Tensor as a Tensor of shape (1,)."""
    return x if x.ndim else reshape(x, (1,))


# ---------------------------------------------------------------- a position for each element


def _places(name, input, dim, index, source_shape):
    """The index arrays that scatter writes to and gather reads from; checks them.

    Raises:
        RuntimeError: the ranks differ; the index is larger than the input (except along `dim`)
            or than the source.
        IndexError: a position that does not exist.
    """
    array = _integers(name, index)
    (axis,) = axes(dim, input.ndim) or (0,)
    if not array.size:  # nothing to read or write, whatever the ranks
        return along(array.reshape((0,) * max(input.ndim, 1)), (0,) * max(input.ndim, 1), 0)
    array = array if array.ndim else array.reshape(1)
    if array.ndim != max(input.ndim, 1) or len(source_shape) != array.ndim:
        raise RuntimeError(f"{name}: input {tuple(input.shape)}, index {tuple(index.shape)} and "
                           f"source {tuple(source_shape)} must have equally many dimensions")
    shape = tuple(input.shape) or (1,)
    for i, n in enumerate(array.shape):
        for what, limit in (("input", shape), ("source", source_shape)):
            if n > limit[i] and not (what == "input" and i == axis):
                raise RuntimeError(f"{name}: the index of shape {tuple(index.shape)} is larger at "
                                   f"dimension {i} than the {what} of shape {tuple(limit)}")
    check_positions(name, array, shape, axis, negative=False)
    return along(array, array.shape, axis)


@composed(samples=[
    S(t(3, 4), 1, ints(3, 2, high=4)), S(t(3, 4), 0, ints(2, 3, high=3)),
    S(t(2, 3, 4), -2, ints(1, 5, 2, high=3)), S(t(3), 0, ints(4, high=3)), S(t(), 0, ints(high=1)),
    S(t(), 0, ints(3, high=1)), S(t(3, 4), 1, ints(3, 0)), S(ints(3), 0, ints(2, high=3))])
def gather(input: Tensor, dim: int, index: Tensor, *, sparse_grad: bool = False) -> Tensor:
    """out[i][j][k] = input[i][index[i][j][k]][k] for dim 1, and so on.

    Unlike `take_along_dim` it does not broadcast: a smaller index reads only a part of the input.

    Shapes: (*, n, *), (+, k, +) no larger elsewhere -> (+, k, +).

    Raises:
        RuntimeError: other ranks or sizes.
        IndexError: a position outside of [0, n - 1].
    """
    sizes = tuple(index.shape) or (1,)
    elements = select_at(_with_a_dim(input), _places("gather", input, dim, index, sizes))
    return reshape(elements, index.shape)


@composed(inplace=True, samples=[
    S(t(3, 4), 1, ints(3, 1, high=4), t(3, 1)),
    S(t(2, 3), -1, ints(2, 1, high=3), 1.5), S(t(3), 0, ints(1, high=3), value=2.0),
    S(t(3, 4, grad=False), 1, ints(3, 2, high=4), 0.5, reduce="add"),
    S(t(3, 4, grad=False), 1, ints(3, 5, high=4), 2.0, reduce="multiply"),
    S(t(), 0, ints(high=1), t()), S(t(3), 0, ints(0), t(0))])
def scatter(input: Tensor, dim: int, index: Tensor, src: Tensor | float | None = None, *,
            value: float | None = None, reduce: str | None = None) -> Tensor:
    """A copy of the input with out[i][index[i][j][k]][k] = src[i][j][k] for dim 1, and so on.

    `src` is a Tensor or a number; with reduce "add" or "multiply" it is added or multiplied.

    Shapes: (*, n, *), (+, k, +), (+, k, +) or larger -> (*, n, *).

    Raises:
        RuntimeError: other ranks, sizes or dtypes; another `reduce`.
        IndexError: a position outside of [0, n - 1].
    """
    src = value if src is None else src
    if is_number(src):
        src = as_value(fill_value("scatter", input, src), input).to(input.device)
        src = broadcast_to(src, index.shape)
    if reduce is not None:
        need_one_of("scatter", "reduce", reduce, ("add", "multiply"))
        return scatter_reduce(input, dim, index, src, {"add": "sum", "multiply": "prod"}[reduce])
    _same_dtype("scatter", input, src)
    at, values = _scattered("scatter", input, dim, index, src)
    return reshape(setitem(_with_a_dim(input), values, at), input.shape)


def _scattered(name, input, dim, index, src):
    """The index to write at, and the part of `src` to write."""
    src = _with_a_dim(src)
    at = _places(name, input, dim, index, tuple(src.shape))
    if not index.numel():
        return at, getitem(src, (slice(0),) * src.ndim).reshape((0,) * max(input.ndim, 1))
    return at, getitem(src, tuple(slice(n) for n in index.shape or (1,)))


@composed(autocast="widest on cuda", widens=True, inplace=True, samples=[
    S(t(3, 4), 1, ints(3, 6, high=4), t(3, 6)),
    S(t(3), -1, ints(5, high=3), t(5)), S(t(), 0, ints(high=1), t()),
    S(ints(3), 0, ints(5, high=3), ints(5))])
def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """The input with src[i][j][k] added to out[i][index[i][j][k]][k] for dim 1, and so on.

    Shapes: (*, n, *), (+, k, +), (+, k, +) or larger -> (*, n, *).

    Raises:
        RuntimeError: other ranks, sizes or dtypes.
        IndexError: a position outside of [0, n - 1].
    """
    _same_dtype("scatter_add", input, src)
    at, values = _scattered("scatter_add", input, dim, index, src)
    return input + reshape(put_zeros(values, tuple(input.shape) or (1,), at), input.shape)


REDUCTIONS = ("sum", "prod", "mean", "amax", "amin")


@composed(widens=True, inplace=True, samples=[
    *(S(t(3, 4), 1, ints(3, 6, high=4), t(3, 6), how) for how in REDUCTIONS),
    *(S(t(4), 0, ints(3, high=4), t(3), how, include_self=False) for how in REDUCTIONS),
    S(ints(4), 0, ints(6, high=4), ints(6, low=-5), "mean"),
    S(ints(4), 0, ints(6, high=4), ints(6, low=-5), "amax", include_self=False),
    S(t(), 0, ints(1, high=1), t(1), "prod")])
def scatter_reduce(input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *,
                   include_self: bool = True) -> Tensor:
    """Reduces each element of the input with all those that `scatter` would write there, by
    "sum", "prod", "mean", "amax" or "amin".

    `include_self=False` excludes the input's element where at least one is written. Ties share
    the gradient evenly. A product has no second derivative where a source is 0.

    Shapes: (*, n, *), (+, k, +), (+, k, +) or larger -> (*, n, *).

    Raises:
        RuntimeError: other ranks, sizes or dtypes; another `reduce`.
        IndexError: a position outside of [0, n - 1].
    """
    need_one_of("scatter_reduce", "reduce", reduce, REDUCTIONS)
    _same_dtype("scatter_reduce", input, src)
    at, values = _scattered("scatter_reduce", input, dim, index, src)
    start, shape = _with_a_dim(input), tuple(input.shape) or (1,)
    written = put_zeros(values.new_ones(tuple(values.shape)), shape, at)
    if not include_self:
        start = where(written > 0, start.new_full((), _neutral(reduce, start)), start)
    if reduce in ("sum", "mean"):
        out = start + put_zeros(values, shape, at)
        if reduce == "mean":
            counts = (written + include_self).clamp(min=1)
            out = out / counts if out.dtype.is_floating_point else out // counts
    else:
        out = combine_at(start, values, at, reduce)
    return reshape(out, input.shape)


def _neutral(reduce, x):
    """The identity of a reduction in the dtype of `x`."""
    if reduce in ("sum", "mean", "prod"):
        return 1 if reduce == "prod" else 0
    if x.dtype.is_floating_point:
        return -math.inf if reduce == "amax" else math.inf
    if x.dtype is dtypes.bool_:
        return reduce == "amin"
    limits = numpy.iinfo(x._array.dtype)
    return int(limits.min if reduce == "amax" else limits.max)


COMBINED = {"prod": "multiply", "amax": "maximum", "amin": "minimum"}
DUPLICATES = numpy.array([0, 2, 0, 0, 2])


@op(contiguous=True, promotes="same", method=False, internal=True, samples=[
    S(t(4), t(5), (DUPLICATES,), how) for how in COMBINED],
    reference=lambda torch: lambda x, src, index, how: x.scatter_reduce(
        0, torch.from_numpy(index[0]), src, how))
def combine_at(xp, input: Array, src: Array, index: Index, how: str):
    """The input with `src` combined into it, by product or extremum, at index arrays of all dims.

    Shapes: (*), (+) -> (*).
    """
    if devices.is_meta(input):
        return input.copy()
    combine = getattr(xp, COMBINED[how])
    where_ = positions(xp, input.shape, index)
    values = xp.reshape(xp.broadcast_to(src, where_.shape), (-1,))
    order = xp.argsort(xp.reshape(where_, (-1,)), kind="stable")
    where_, values = xp.reshape(where_, (-1,))[order], values[order]
    # Equal positions are now adjacent. Each value is combined with the one before it, then with
    # the one 2 before, 4 before: the last of a run has combined all.
    step = 1
    while step < where_.size and bool((same := where_[step:] == where_[:-step]).any()):
        joined = xp.where(same, combine(values[step:], values[:-step]), values[step:])
        values = xp.concatenate([values[:step], joined])
        step *= 2
    last = xp.concatenate([where_[1:] != where_[:-1], xp.ones(min(where_.size, 1), dtype=bool)])
    out = xp.reshape(input, (-1,)).copy()
    out[where_[last]] = combine(out[where_[last]], values[last])
    return xp.reshape(out, input.shape)


def _share(xp, g, input, src, out, index):
    """For an extremum: the gradient for each tied element, and masks of those in each operand."""
    mine = xp.ones_like(input) * (input == out)
    written = xp.ones_like(src) * (src == getitem.run(xp, out, index))
    return g / (mine + put_zeros.run(xp, written, input.shape, index)), mine, written


@combine_at.vjp("input")
def _(xp, g, input, src, out, index, how):
    if how == "prod":
        return g * combine_at.run(xp, xp.ones_like(input), src, index, how)
    share, mine, _ = _share(xp, g, input, src, out, index)
    return share * mine


@combine_at.vjp("src")
def _(xp, g, input, src, out, index, how):
    if how != "prod":
        share, _, written = _share(xp, g, input, src, out, index)
        return getitem.run(xp, share, index) * written
    # The product of the others: that of all nonzero ones over this one, where no other is 0.
    zero = src == 0
    if xp is graph.tensors and bool(zero.any()):
        raise RuntimeError("scatter_reduce: the gradient of 'prod' cannot be differentiated again "
                           "where a source is 0; call backward without create_graph")
    rest = getitem.run(xp, combine_at.run(xp, input, src + zero, index, how), index)
    zeros = getitem.run(xp, put_zeros.run(xp, xp.ones_like(src) * zero, input.shape, index), index)
    return getitem.run(xp, g, index) * rest * (zeros == zero) / (src + zero)


# ---------------------------------------------------------------- whole slices along a dim


def _slices(name, input, dim, index, negative=False):
    """The index of the slices at positions along a dim; checks it."""
    array = _integers(name, index).reshape(-1)
    if index.ndim > 1:
        raise RuntimeError(f"{name}: the index must have one dimension, got shape "
                           f"{tuple(index.shape)}")
    (axis,) = axes(dim, input.ndim) or (0,)
    check_positions(name, array, tuple(input.shape) or (1,), axis, negative)
    return (*[WHOLE] * axis, array)


@composed(samples=[
    S(t(3, 4), 1, ints(5, high=4)), S(t(3, 4), 0, ints(2, high=3)), S(t(3, 4), -1, ints(high=4)),
    S(t(3), 0, ints(0)), S(t(), 0, ints(1, high=1)), S(ints(3), 0, ints(2, high=3))])
def index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """The slices at the positions `index` along `dim`. Shapes: (*, n, *), (k) -> (*, k, *).

    Raises:
        IndexError: a position outside of [0, n - 1].
    """
    selected = select_at(_with_a_dim(input), _slices("index_select", input, dim, index))
    return selected if input.ndim else reshape(selected, ())


def _as_slices(name, input, at, source):
    """The source of index_add and index_copy, in the shape that `at` selects."""
    _same_dtype(name, input, source)
    selected = list(input.shape) or [1]
    selected[len(at) - 1] = len(at[-1])
    if source.numel() != math.prod(selected) or source.ndim > len(selected):
        raise RuntimeError(f"{name}: the source of shape {tuple(source.shape)} must have the "
                           f"shape {tuple(selected)}: the input's, with a slice for each position")
    return reshape(source, selected)


@composed(widens=True, inplace=True, samples=[
    S(t(3, 4), 0, ints(5, high=3), t(5, 4)), S(t(3, 4), -1, ints(2, high=4), t(3, 2), alpha=-0.5),
    S(t(3), 0, ints(2, high=3), t(2)), S(t(), 0, ints(high=1), t()),
    S(ints(3), 0, ints(4, high=3), ints(4), alpha=2)])
def index_add(input: Tensor, dim: int, index: Tensor, source: Tensor, *,
              alpha: float = 1) -> Tensor:
    """The input with alpha * source added to the slices at `index` along `dim`.

    Shapes: (*, n, *), (k), (*, k, *) -> (*, n, *).

    Raises:
        RuntimeError: another shape or dtype of the source.
        IndexError: a position outside of [0, n - 1].
    """
    at = _slices("index_add", input, dim, index)
    source = _as_slices("index_add", input, at, source)
    added = put_zeros(source if alpha == 1 else source * alpha, tuple(input.shape) or (1,), at)
    return input + reshape(added, input.shape)


@composed(inplace=True, samples=[
    *(S(t(4), 0, ints(6, high=4), t(6), how) for how in ("prod", "mean", "amax", "amin")),
    S(t(3, 4), -1, ints(5, high=4), t(3, 5), "mean", include_self=False),
    S(ints(4), 0, ints(6, high=4), ints(6, low=-5), "mean"),
    S(t(), 0, ints(1, high=1), t(), "prod")])
def index_reduce(input: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, *,
                 include_self: bool = True) -> Tensor:
    """Reduces the slices at `index` along `dim` with those of the source, by "prod", "mean",
    "amax" or "amin".

    `include_self=False` excludes the input's slice where at least one is written.

    Shapes: (*, n, *), (k), (*, k, *) -> (*, n, *).

    Raises:
        RuntimeError: another shape or dtype of the source; another `reduce`.
        IndexError: a position outside of [0, n - 1].
    """
    need_one_of("index_reduce", "reduce", reduce, ("prod", "mean", "amax", "amin"))
    at = _slices("index_reduce", input, dim, index)
    source = _as_slices("index_reduce", input, at, source)
    places = reshape(index, (-1, *[1] * (source.ndim - len(at))))
    return reshape(scatter_reduce(_with_a_dim(input), dim, broadcast_to(places, source.shape),
                                  source, reduce, include_self=include_self), input.shape)


@composed(autocast="widest", inplace=True, samples=[
    S(t(3, 4), 0, ints(1, high=3), t(1, 4)), S(t(3, 4), 1, ints(1, high=4), t(3, 1)),
    S(t(3), 0, ints(0), t(0)), S(t(), 0, ints(1, high=1), t(1))])
def index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    """The input with the slices at `index` along `dim` replaced by those of the source.

    Shapes: (*, n, *), (k), (*, k, *) -> (*, n, *).

    Raises:
        RuntimeError: another shape or dtype of the source.
        IndexError: a position outside of [0, n - 1].
    """
    at = _slices("index_copy", input, dim, index)
    source = _as_slices("index_copy", input, at, source)
    return reshape(setitem(_with_a_dim(input), source, at), input.shape)


@composed(inplace=True, samples=[
    S(t(3, 4), 0, ints(2, high=3), -1.0), S(t(3, 4), 1, ints(2, high=4), t()),
    S(ints(4), 0, ints(2, high=4), 7), S(t(), 0, ints(1, high=1), 2)])
def index_fill(input: Tensor, dim: int, index: Tensor, value: Tensor | float) -> Tensor:
    """The input with one value, a number or 0-d Tensor, in the slices at `index` along `dim`.

    Shapes: (*, n, *), (k), () -> (*, n, *).

    Raises:
        IndexError: a position outside of [-n, n - 1].
    """
    *before, places = _slices("index_fill", input, dim, index, negative=True)
    size = input.shape[dim] if input.ndim else 1
    # Each slice once, or the gradient of the value would count it several times.
    places = places % max(size, 1)
    at = (*before, places if devices.is_meta(places)
          else devices.array_module(places).unique(places))
    value = fill_value("index_fill", input, python_number(value))
    if not hasattr(value, "ndim"):
        value = as_value(value, input).to(input.device)
    return reshape(setitem(_with_a_dim(input), value, at), input.shape)


# ---------------------------------------------------------------- any index


@composed(autocast="widest on cuda", widens=True, inplace=True, samples=[
        S(t(3, 4), (ints(1, high=3),), t(4)), S(t(3, 4), (bools(3, 4),), t()),
        S(t(3, 4), (ints(5, high=3), ints(5, high=4)), t(5), accumulate=True),
        S(t(3, 4), (ints(2, 1, low=-3, high=3), ints(3, high=4)), t(3), accumulate=True),
        S(t(3, 4), (bools(3),), t(4), accumulate=True),
        S(ints(3), (ints(5, high=3),), ints(5), True)])
def index_put(input: Tensor, indices: Sequence[Tensor], values: Tensor,
              accumulate: bool = False) -> Tensor:
    """A copy with `values` written at input[indices], or added, where repeats accumulate.

    Shapes: (*), index Tensors as in input[indices], what they select -> (*).

    Raises:
        RuntimeError: another dtype; values that do not fit.
        IndexError: a position that does not exist.
    """
    _same_dtype("index_put", input, values)
    keys = tuple(WHOLE if k is None else _with_a_dim(k) for k in indices)
    _, at = as_index(input, keys)
    at = copied(at)
    if not accumulate:
        return setitem(input, values, at)
    selected = input._array[at].shape
    return input + put_zeros(broadcast_to(values, selected), tuple(input.shape), at)


@composed(samples=[S(t(3, 4), ints(2, 3, low=-12, high=12)), S(t(3), ints()), S(t(), ints(high=1)),
                   S(ints(2, 3), ints(2, high=6))])
def take(input: Tensor, index: Tensor) -> Tensor:
    """The elements at positions of the flattened input. Shapes: (*), (+) -> (+).

    Raises:
        IndexError: a position outside of [-n, n - 1] for n elements.
    """
    array = _integers("take", index)
    check_positions("take", array, (input.numel(),), 0)
    return select_at(reshape(input, (-1,)), (array, Ellipsis))


@composed(widens=True, inplace=True, method=True, reference="Tensor.put", samples=[
    S(t(3, 4), ints(1, low=-12, high=12), t(1)), S(t(2, 3), ints(2, 4, high=6), t(2, 4), True),
    S(t(2, 3), ints(8, high=6), t(2, 4), accumulate=True)])
def put(input: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """A copy with the source at positions of the flattened input, or added there.

    Shapes: (*), (+), (as many) -> (*).

    Raises:
        RuntimeError: another dtype; the source and the index differ in their number of elements.
        IndexError: a position outside of [-n, n - 1] for n elements.
    """
    _same_dtype("put", input, source)
    array = _integers("put", index).reshape(-1)
    if source.numel() != array.size:
        raise RuntimeError(f"put: {array.size} positions, but {source.numel()} elements to write")
    check_positions("put", array, (input.numel(),), 0)
    flat, values = reshape(input, (-1,)), reshape(source, (-1,))
    out = flat + put_zeros(values, (input.numel(),), (array,)) if accumulate \
        else setitem(flat, values, (array,))
    return reshape(out, input.shape)


# ---------------------------------------------------------------- by masks


def _mask(name, input, mask):
    """Input and mask, which must be bool, broadcast to one shape."""
    if mask._array.dtype.kind != "b":
        raise RuntimeError(f"{name}: the mask must be bool, got {mask.dtype}; compare, or convert "
                           "it with .bool()")
    try:
        shape = numpy.broadcast_shapes(input.shape, mask.shape)
    except ValueError:
        raise RuntimeError(f"{name}: the input of shape {tuple(input.shape)} and the mask of "
                           f"shape {tuple(mask.shape)} do not broadcast") from None
    xp = devices.array_module(mask._array)
    array = mask._array.copy() if mode.enabled else mask._array
    return input if tuple(input.shape) == shape else broadcast_to(input, shape), \
        xp.broadcast_to(array, shape)


@composed(samples=[S(t(3, 4), bools(3, 4)), S(t(3, 4), bools(4)), S(t(4), bools(3, 1)),
                   S(t(), bools()), S(t(0, 3), bools(3)), S(ints(4), bools(4))])
def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """The elements where the mask is True, in order. Shapes: (*), (*) that broadcast -> (n).

    Raises:
        RuntimeError: a mask that is not bool, or does not fit.
    """
    input, array = _mask("masked_select", input, mask)
    return select_at(_with_a_dim(input), (array if array.ndim else array.reshape(1),))


@composed(inplace=True, samples=[S(t(3, 4), bools(3, 4), t(12)), S(t(3, 4), bools(4), t(3, 5)),
                                 S(t(), bools(), t(2)), S(ints(4), bools(4), ints(4))])
def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """The input with the first elements of the source, in order, where the mask is True.

    Shapes: (*), (*), (at least as many elements as the mask has True) -> the broadcast shape.

    Raises:
        RuntimeError: a mask that is not bool; a source of another dtype, or of too few elements.
    """
    _same_dtype("masked_scatter", input, source)
    input, array = _mask("masked_scatter", input, mask)
    count = 0 if devices.is_meta(array) else int(array.sum())
    if source.numel() < count:
        raise RuntimeError(f"masked_scatter: the mask has {count} True, the source only "
                           f"{source.numel()} elements")
    values = getitem(reshape(source, (-1,)), (slice(count),))
    array = array if array.ndim else array.reshape(1)
    return reshape(setitem(_with_a_dim(input), values, (array,)), input.shape)
