"""Order: sorting, ranks, medians, counting, finding.

Positions are found without a gradient, values are picked by them with one. `pick` and
`put_back` are each other's derivative.
"""

from __future__ import annotations

import math
from collections import namedtuple
from typing import Any

from ..arrays import dtypes
from ..autograd.table import composed, op
from .index import along, where
from .reduce import axes, chosen, refuse_empty, share_among_equals, sum_
from .samples import S, bools, ints, t
from .scan import running
from .shape import flatten, movedim

Array = Any
POSITIONS = "gives positions"


# ---------------------------------------------------------------- picking values by position


@op(method=False, internal=True, samples=[S(t(3, 4), ints(3, 1, high=4), 1),
                                          S(t(3, 4), ints(1, 4, high=3), 0)],
    reference="take_along_dim")
def pick(xp, input: Array, indices: Array, dim: int):
    """The elements at `indices` along `dim`, none of which comes twice.

    Shapes: (*, n, *), (*, k, *) -> (*, k, *).
    """
    return input[along(indices, input.shape, dim)]


@op(method=False, internal=True, samples=[S(t(3, 1), ints(3, 1, high=4), 1, 4)],
    reference=lambda torch: lambda x, i, dim, n: torch.zeros(
        3, n, dtype=x.dtype).scatter(dim, i, x))
def put_back(xp, input: Array, indices: Array, dim: int, size: int):
    """Zeros, with the elements at `indices` along `dim`, none of which comes twice.

    Shapes: (*, k, *), (*, k, *) -> (*, size, *).
    """
    (axis,) = axes(dim, input.ndim)
    out = xp.zeros((*input.shape[:axis], size, *input.shape[axis + 1:]), dtype=input.dtype)
    out[along(indices, out.shape, dim)] = input
    return out


@pick.vjp("input")
def _(xp, g, indices, input_shape, dim):
    return put_back.run(xp, g, indices, dim, input_shape[dim])


@put_back.vjp("input")
def _(xp, g, indices, dim):
    return pick.run(xp, g, indices, dim)


# ---------------------------------------------------------------- sorting


SORTS = [S(t(3, 4, distinct=True)), S(t(3, 4, distinct=True), 0),
         S(t(3, 4, distinct=True), 1, True), S(t(5, distinct=True), descending=True),
         S(ints(2, 6), -1), S(ints(6), descending=True, stable=True), S(t()), S(t(0, 3), 0),
         S(t(2, 1))]


@op(samples=SORTS, scalar=POSITIONS,
    reference=lambda torch: lambda x, dim=-1, descending=False, stable=True: torch.argsort(
        x, dim=dim, descending=descending, stable=stable))
def argsort(xp, input: Array, dim: int = -1, descending: bool = False, *, stable: bool = False):
    """The positions in rising order along `dim`; equal elements keep theirs, NaN comes last.

    `descending` turns it around: NaN first. Always stable. Shapes: (*) -> (*), int64.
    """
    axis = (axes(dim, input.ndim) or (None,))[0]
    if axis is None:
        return xp.zeros((), dtype=xp.int64)
    if not descending:
        return xp.argsort(input, axis=axis, kind="stable")
    # Sorting the reversed order and reversing the result keeps equal elements in their order.
    found = xp.argsort(xp.flip(input, axis), axis=axis, kind="stable")
    return input.shape[axis] - 1 - xp.flip(found, axis)


@composed(samples=SORTS,
          reference=lambda torch: lambda x, dim=-1, descending=False, stable=True: torch.sort(
              x, dim=dim, descending=descending, stable=stable))
def sort(input, dim=-1, descending=False, *, stable=False):
    """(values, indices) in rising or falling order along `dim`. Always stable; NaN is largest.

    Shapes: (*) -> (*), (*).
    """
    indices = argsort(input, dim, descending)
    return chosen(input, indices, dim, True)


@composed(samples=[S(t(3, 2, distinct=True)), S(t()), S(ints(4))])
def msort(input):
    """Sorted along the first dim. Shapes: (n, *) -> (n, *)."""
    return sort(input, 0).values


@op(method=False, internal=True, samples=[S(t(3, 5, distinct=True), 2, 1, True)],
    reference=lambda torch: lambda x, k, dim, largest: x.topk(k, dim, largest).indices,
    scalar=POSITIONS)
def where_topk(xp, input: Array, k: int, axis: int, largest: bool):
    """The positions of `topk`. Shapes: (*, n, *) -> (*, k, *), int64."""
    n = input.shape[axis]
    if k in (0, n):
        part = xp.broadcast_to(xp.reshape(xp.arange(k), tuple(
            -1 if i == axis else 1 for i in range(input.ndim))), (
                *input.shape[:axis], k, *input.shape[axis + 1:]))
    else:
        half = (slice(None),) * axis + (slice(n - k, None) if largest else slice(None, k),)
        part = xp.argpartition(input, n - k if largest else k - 1, axis=axis)[half]
    order = argsort.run(xp, xp.take_along_axis(input, part, axis), axis, largest)
    return xp.take_along_axis(part, order, axis)


@composed(samples=[S(t(3, 5, distinct=True), 2), S(t(3, 5, distinct=True), 2, 0, False),
                   S(t(6, distinct=True), 6), S(t(6, distinct=True), 3, largest=False),
                   S(t(3), 0), S(t(), 1), S(t(0, 3), 2), S(t(6, distinct=True), 1, sorted=True)])
def topk(input, k, dim=-1, largest=True, sorted=True):
    """(values, indices) of the `k` largest, or smallest, along `dim`, in order. NaN is largest.

    In order also with sorted=False. Shapes: (*, n, *) -> (*, k, *), (*, k, *).

    Raises:
        RuntimeError: k is not in [0, n]; a bool Tensor.
    """
    axis = _ranked("topk", input, k, dim, 0)
    if input.dtype is dtypes.bool_:
        raise RuntimeError("topk: bool is not supported; convert with .int()")
    if axis is None:
        return sort(input)
    return chosen(input, where_topk(input, k, axis, largest), axis, True)


def _ranked(name, input, k, dim, first):
    """The axis along which rank `k` is asked for."""
    axis = (axes(dim, input.ndim) or (None,))[0]
    size = 1 if axis is None else input.shape[axis]
    if not first <= k <= size:
        raise RuntimeError(f"{name}: k = {k} is out of range for dim {dim} of size {size}: it "
                           f"must be in [{first}, {size}]")
    return axis


@composed(samples=[S(t(3, 5, distinct=True), 2), S(t(3, 5, distinct=True), 3, 0, True),
                   S(t(), 1), S(t(0, 3), 2), S(ints(1, 5), 1, 0)])
def kthvalue(input, k, dim=-1, keepdim=False):
    """(values, indices) of the k-th smallest along `dim`, counted from 1. NaN is largest.

    Shapes: (*) -> (*) without `dim`, or with it as 1 if `keepdim`; twice.

    Raises:
        RuntimeError: k is not in [1, n].
        NotImplementedError: a bool Tensor.
    """
    refuse_empty("kthvalue", input.shape, dim)
    axis = _ranked("kthvalue", input, k, dim, 1)
    if axis is None:
        return sort(input)
    _refuse_bool("kthvalue", input)
    order = where_topk(input, k, axis, False)
    last = order.narrow(axis, k - 1, 1)
    return chosen(input, last, axis, keepdim)


def _refuse_bool(name, input):
    if input.dtype is dtypes.bool_:
        raise NotImplementedError(f"{name}: bool is not supported; convert with .int()")


# ---------------------------------------------------------------- medians and the most frequent


def _middle(xp, input, axis, skip_nan):
    """The position of the lower median along `axis`, which stays as 1."""
    n = input.shape[axis]
    numbers = xp.sum(input == input, axis=axis, keepdims=True, dtype=xp.int64)
    if bool((numbers == n).all()):  # the common case needs no sorting
        half = (slice(None),) * axis + (slice((n - 1) // 2, (n + 1) // 2),)
        return xp.argpartition(input, (n - 1) // 2, axis=axis)[half]
    order = xp.argsort(input, axis=axis, kind="stable")
    if skip_nan:
        rank = xp.maximum(numbers - 1, 0) // 2
    else:  # NaN, sorted behind the numbers, wins if there is any
        rank = xp.where(numbers == n, (n - 1) // 2, numbers)
    return xp.take_along_axis(order, rank, axis)


@op(method=False, internal=True, samples=[S(t(3, 5, distinct=True), 1, False)],
    reference=lambda torch: lambda x, dim, skip: x.median(dim, True).indices, scalar=POSITIONS)
def where_median(xp, input: Array, axis: int, skip_nan: bool):
    """The positions of `median` along a dim. Shapes: (*, n, *) -> (*, 1, *), int64."""
    return _middle(xp, input, axis, skip_nan)


@op(method=False, internal=True, samples=[S(t(3, 5, distinct=True), False)],
    reference=lambda torch: lambda x, skip: x.median())
def median_of_all(xp, input: Array, skip_nan: bool):
    """The lower median of all elements; equal ones share the gradient. Shapes: (*) -> ()."""
    flat = xp.reshape(input, (-1,))
    if not flat.size:
        return xp.full((), math.nan, dtype=input.dtype) if input.dtype.kind == "f" \
            else xp.zeros((), dtype=input.dtype)
    return flat[_middle(xp, flat, 0, skip_nan)[0]]


@median_of_all.vjp("input")
def _(xp, g, input, out, input_shape):
    return share_among_equals(xp, g, input, out, input_shape, None)


def _median(name, input, dim, keepdim, skip_nan):
    _refuse_bool(name, input)
    if dim is None:
        return median_of_all(input, skip_nan)
    (axis,) = axes(dim, input.ndim) or (None,)
    if axis is None:
        return sort(input)
    refuse_empty(name, input.shape, dim)
    return chosen(input, where_median(input, axis, skip_nan), axis, keepdim)


MEDIANS = [S(t(3, 4, distinct=True)), S(t(3, 5, distinct=True), 1),
           S(t(3, 4, distinct=True), 0, True), S(t(2, 4, distinct=True), dim=-1), S(ints(5)),
           S(t()), S(t(), 0), S(t(0, 3), 1), S(t(0, 3, grad=False))]


@composed(samples=MEDIANS)
def median(input, dim=None, keepdim=False):
    """The lower median of all, or (values, indices) along `dim`; NaN if there is any.

    Shapes: (*) -> (), or (*) without `dim`, or with it as 1 if `keepdim`; then twice.

    Raises:
        IndexError: `dim` has size 0.
        NotImplementedError: a bool Tensor.
    """
    return _median("median", input, dim, keepdim, False)


@composed(samples=MEDIANS)
def nanmedian(input, dim=None, keepdim=False):
    """As `median`, of the elements that are not NaN.

    Shapes: (*) -> (), or (*) without `dim`, or with it as 1 if `keepdim`; then twice.
    """
    return _median("nanmedian", input, dim, keepdim, True)


@op(method=False, internal=True, samples=[S(t(3, 5, distinct=True), 1)],
    reference=lambda torch: lambda x, dim: x.mode(dim, True).indices, scalar=POSITIONS)
def where_mode(xp, input: Array, axis: int):
    """The positions of `mode`. Shapes: (*, n, *) -> (*, 1, *), int64."""
    x = xp.swapaxes(input, axis, -1)
    order = xp.argsort(x, axis=-1, kind="stable")
    x = xp.take_along_axis(x, order, -1)
    starts = x[..., 1:] != x[..., :-1]
    starts = xp.concatenate([xp.ones((*x.shape[:-1], 1), dtype=bool), starts], axis=-1)
    positions = xp.arange(x.shape[-1])
    begun = running(xp, xp.maximum, xp.where(starts, positions, 0), -1)
    longest = xp.argmax(positions - begun, axis=-1)[..., None]
    return xp.swapaxes(xp.take_along_axis(order, longest, -1), axis, -1)


@composed(samples=[S(t(3, 5, distinct=True)), S(ints(4, 9, high=3), 1),
                   S(ints(9, 4, high=3), 0, True), S(t()), S(t(0, 3), 1)])
def mode(input, dim=-1, keepdim=False):
    """(values, indices) of the most frequent element along `dim`, the smallest of such, at its end.

    Shapes: (*) -> (*) without `dim`, or with it as 1 if `keepdim`; twice.
    """
    (axis,) = axes(dim, input.ndim) or (None,)
    if axis is None:
        return sort(input)
    refuse_empty("mode", input.shape, dim)
    return chosen(input, where_mode(input, axis), axis, keepdim)


# ---------------------------------------------------------------- quantiles


INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")
QUANTILES = [S(t(3, 5, distinct=True), 0.3), S(t(3, 5, distinct=True), 0.3, 1),
             S(t(3, 5, distinct=True), t(2, low=0, high=1, grad=False), 0, True),
             S(t(3, 5, distinct=True), t(low=0, high=1, grad=False), -1), S(t(), 0.5), S(t(3), 1.0),
             *(S(t(2, 5, distinct=True), 0.4, 1, interpolation=i) for i in INTERPOLATIONS)]


def _quantile(name, input, q, dim, keepdim, interpolation, skip_nan):
    """Between the two sorted values on either side of rank q (n - 1)."""
    q = _levels(name, input, q, interpolation)
    over = axes(dim, input.ndim)
    x = flatten(input) if dim is None or not over else movedim(input, dim, -1)
    x = sort(x, -1).values
    last = x.shape[-1] - 1
    numbers = sum_((x == x).detach(), -1, True)
    if skip_nan:
        ranks = (numbers - 1).clamp(min=0) * q.reshape((-1,))
    else:  # where NaN is present it is the last value, and wins
        ranks = where(numbers > last, q.reshape((-1,)) * last, float(last))
    below, above = ranks.detach().floor(), ranks.detach().ceil()
    weight = ranks - below
    if interpolation == "nearest":
        below = above = ranks.detach().round()
    elif interpolation in ("lower", "higher"):
        below = above = below if interpolation == "lower" else above
    elif interpolation == "midpoint":
        weight = 0.5
    out = x.take_along_dim(below.long(), -1)
    if interpolation in ("linear", "midpoint"):
        out = out + (x.take_along_dim(above.long(), -1) - out) * weight
    if keepdim and input.ndim:
        out = out.reshape((1,) * input.ndim + (-1,)) if dim is None \
            else movedim(out.unsqueeze(-2), -2, over[0])
    return movedim(out, -1, 0) if q.ndim else out.squeeze(-1)


def _levels(name, input, q, interpolation):
    """The q of a call as a Tensor, and everything checked."""
    if input.dtype not in (dtypes.float32, dtypes.float64):
        raise RuntimeError(f"{name}: needs a Tensor of float32 or float64, got {input.dtype}; "
                           "convert it with .float() first")
    if not input.numel():
        raise RuntimeError(f"{name}: a Tensor of shape {tuple(input.shape)} has no elements")
    if interpolation not in INTERPOLATIONS:
        raise RuntimeError(f"{name}: interpolation {interpolation!r} is none of "
                           f"{', '.join(INTERPOLATIONS)}")
    if isinstance(q, bool | int | float):
        q = input.new_tensor(q)
    if q.ndim > 1 or q.dtype is not input.dtype:
        raise RuntimeError(f"{name}: q must be a number or a Tensor of at most 1 dimension and "
                           f"of {input.dtype}, got shape {tuple(q.shape)} and {q.dtype}")
    if not bool(((q >= 0) & (q <= 1)).all()):
        raise RuntimeError(f"{name}: q must be in [0, 1], got {q.tolist()}")
    return q


@composed(samples=QUANTILES, scalar=POSITIONS)
def quantile(input, q, dim=None, keepdim=False, *, interpolation="linear"):
    """The value below which a share q of the elements lies, of all or along `dim`.

    Rank q (n - 1) of the sorted elements, interpolated as asked for; NaN where NaN is.
    Shapes: (*), () or (k) -> () or (*) without `dim`, with k in front if q has 1 dimension.

    Raises:
        RuntimeError: q outside of [0, 1]; an empty Tensor; not float32 or float64.
    """
    return _quantile("quantile", input, q, dim, keepdim, interpolation, False)


@composed(samples=QUANTILES, scalar=POSITIONS)
def nanquantile(input, q, dim=None, keepdim=False, *, interpolation="linear"):
    """As `quantile`, of the elements that are not NaN.

    Shapes: (*), () or (k) -> () or (*) without `dim`, with k in front if q has 1 dimension.
    """
    return _quantile("nanquantile", input, q, dim, keepdim, interpolation, True)


# ---------------------------------------------------------------- equal elements


@op(outputs=("output", "inverse", "counts"), method=False, internal=True, scalar=POSITIONS,
    samples=[S(ints(4, 3, high=3), True, None), S(ints(6, 2, high=2), True, 0)],
    reference=lambda torch: lambda x, sorts, dim: torch.unique(
        x, return_inverse=True, return_counts=True, dim=dim))
def runs(xp, input: Array, sorts: bool, dim: int | None):
    """The runs of equal elements, or of equal slices along `dim`; sorted before if `sorts`.

    Shapes: (*) -> (k), the shape of the input, (k); along `dim` (k, *), (n), (k).
    """
    slices = xp.reshape(input, (-1,)) if dim is None else xp.moveaxis(input, dim, 0)
    rows = xp.reshape(slices, (slices.shape[0], math.prod(slices.shape[1:])))
    if not rows.size:
        return slices[:0].copy() if dim is None else input.copy(), xp.zeros(
            input.shape if dim is None else (0,), dtype=xp.int64), xp.zeros(0, dtype=xp.int64)
    order = xp.lexsort(rows.T[::-1]) if sorts else xp.arange(len(rows))
    rows = rows[order]
    starts = xp.concatenate([xp.ones(1, dtype=bool), (rows[1:] != rows[:-1]).any(axis=1)])
    first = xp.flatnonzero(starts)
    inverse = xp.zeros(len(rows), dtype=xp.int64)
    inverse[order] = xp.cumsum(starts) - 1
    ends = xp.concatenate([first[1:], xp.full(1, len(rows), dtype=xp.int64)])
    values = slices[order[first]]
    if dim is None:
        return values, xp.reshape(inverse, input.shape), ends - first
    return xp.moveaxis(values, 0, dim).copy(), inverse, ends - first


def _unique(name, input, sorts, return_inverse, return_counts, dim):
    input = input.detach()
    if dim is not None:
        if not input.ndim:
            raise IndexError(f"{name}: a 0-d Tensor has no dim {dim}")
        (dim,) = axes(dim, input.ndim)
    if dim is not None and any(not n for i, n in enumerate(input.shape) if i != dim):
        raise RuntimeError(f"{name}: shape {tuple(input.shape)} has a size of 0 beside dim {dim}")
    output, inverse, counts = runs(input, sorts, dim)
    results = (output, *(inverse,) * return_inverse, *(counts,) * return_counts)
    return results if len(results) > 1 else output


def _each(x):
    return [S(x), S(x, return_inverse=True), S(x, return_inverse=True, return_counts=True)]


@composed(samples=[*_each(ints(3, 4, high=4)), S(ints(6, 2, high=2), dim=0, return_counts=True),
                   S(ints(2, 5, high=2), True, True, True, 1), S(t(0, grad=False)),
                   S(t(5, grad=False))], scalar=POSITIONS)
def unique(input, sorted=True, return_inverse=False, return_counts=False, dim=None):
    """The different elements in rising order, or different slices along `dim`; no gradient.

    Sorted also with sorted=False. Every NaN differs from every other.
    Shapes: (*) -> (k), with the inverse (*) and counts (k) where asked for.
    """
    return _unique("unique", input, True, return_inverse, return_counts, dim)


@composed(samples=[*_each(ints(12, high=2)), S(ints(6, 2, high=1), dim=0, return_counts=True),
                   S(ints(1, 5, high=2), dim=1, return_inverse=True), S(ints(2, 3, high=2))],
          scalar=POSITIONS)
def unique_consecutive(input, return_inverse=False, return_counts=False, dim=None):
    """The first of each run of equal elements, or of equal slices along `dim`; no gradient.

    Shapes: (*) -> (k), with the inverse (*) and counts (k) where asked for.
    """
    return _unique("unique_consecutive", input, False, return_inverse, return_counts, dim)


@op(samples=[S(ints(7, high=4)), S(ints(7, high=4), minlength=6), S(ints(0)),
             S(ints(7, high=4), t(7, grad=False)), S(ints(3), ints(3), 1)], scalar=POSITIONS)
def bincount(xp, input: Array, weights: Array | None = None, minlength: int = 0):
    """How often each integer from 0 to the largest comes, or the sum of its weights.

    Shapes: (n), (n) -> (at least minlength); int64, or the dtype of floating point weights.

    Raises:
        RuntimeError: negative integers; more than one dim; as many weights as there are integers
            are needed.
        NotImplementedError: a Tensor of floating point.
    """
    if input.dtype.kind == "f":
        raise NotImplementedError(f"bincount: counts integers, got {dtypes.of_array(input)}; "
                                  "histc counts floats")
    if input.ndim != 1 or (input.size and int(input.min()) < 0):
        raise RuntimeError(f"bincount: needs integers >= 0 in 1 dimension, got shape "
                           f"{tuple(input.shape)}" + " with negative ones" * (input.ndim == 1))
    if minlength < 0:
        raise RuntimeError(f"bincount: minlength must not be negative, got {minlength}")
    if weights is None:
        return xp.bincount(input, minlength=minlength)
    if weights.shape != input.shape:
        raise RuntimeError(f"bincount: weights of shape {tuple(weights.shape)} for integers of "
                           f"shape {tuple(input.shape)}; they must be equal")
    found = xp.bincount(input, weights.astype(xp.float64), minlength)
    return found.astype(weights.dtype) if weights.dtype == xp.float32 else found


@op(samples=[S(t(20, grad=False), 5), S(t(4, 5, grad=False), 4, -1, 1), S(t(0, grad=False), 3),
             S(t(9, grad=False), bins=3, min=-5, max=5)], scalar=POSITIONS)
def histc(xp, input: Array, bins: int = 100, min: float = 0, max: float = 0):
    """How many elements fall into each of `bins` equal parts of [min, max]; others are ignored.

    From the smallest to the largest element if min and max are equal. Shapes: (*) -> (bins).

    Raises:
        RuntimeError: no bins; max < min; bounds that are not finite.
        NotImplementedError: integers.
    """
    if input.dtype.kind != "f":
        raise NotImplementedError(f"histc: counts floats, got {dtypes.of_array(input)}; bincount "
                                  "counts integers")
    if bins < 1 or max < min:
        raise RuntimeError(f"histc: {bins} bins from {min} to {max}: at least 1 bin is needed, "
                           "and max must not be less than min")
    if min == max and input.size:
        min, max = input.min().item(), input.max().item()
    if not math.isfinite(min) or not math.isfinite(max):
        raise RuntimeError(f"histc: the bounds must be finite, got {min} and {max}")
    if min == max:
        min, max = min - 1, max + 1
    inside = input[(input >= min) & (input <= max)]
    places = xp.minimum(((inside - min) / (max - min) * bins).astype(xp.int64), bins - 1)
    return xp.bincount(places, minlength=bins).astype(input.dtype)


# ---------------------------------------------------------------- finding


@op(method=False, internal=True, samples=[S(t(2, 5, distinct=True, grad=False), t(2, 3, grad=False),
                                            False)],
    reference=lambda torch: lambda a, v, right: torch.searchsorted(a, v, right=right),
    scalar=POSITIONS)
def bisect(xp, sequence: Array, values: Array, right: bool):
    """Binary search in all rows at once. Shapes: (*, n), (*, k) -> (*, k), int64."""
    low = xp.zeros(values.shape, dtype=xp.int64)
    high = xp.full(values.shape, sequence.shape[-1], dtype=xp.int64)
    for _ in range(sequence.shape[-1].bit_length()):
        middle = (low + high) // 2
        found = xp.take_along_axis(sequence, xp.minimum(middle, sequence.shape[-1] - 1), -1)
        # NaN is larger than every number: it fails each comparison.
        after = ~(found > values if right else found >= values) & (low < high)
        low, high = xp.where(after, middle + 1, low), xp.where(after, high, middle)
    return low


def _as_values(like, values):
    return like.new_tensor(values) if isinstance(values, bool | int | float) else values


@composed(method=False, samples=[
    S(ints(1, low=2), ints(2, 3)), S(ints(2, 1), ints(2, 3), right=True),
    S(ints(1), 2, side="right", out_int32=True), S(t(0, grad=False), t(3, grad=False))],
    scalar=POSITIONS)
def searchsorted(sorted_sequence, input, *, out_int32=False, right=False, side=None, sorter=None):
    """Where each value would go into a rising sequence: before equal ones, or behind if `right`.

    Shapes: (n), (*) -> (*); or one sequence a row, (*, n), (*, k) -> (*, k); int64.

    Raises:
        RuntimeError: the dims before the last differ; `side` contradicts `right`.
    """
    if side not in (None, "left", "right") or (side == "left" and right):
        raise RuntimeError(f"searchsorted: side={side!r} and right={right} contradict each other; "
                           "side is 'left' or 'right'")
    sequence = sorted_sequence.detach()
    values = _as_values(sequence, input).detach()
    if sequence.ndim != 1 and sequence.shape[:-1] != values.shape[:-1]:
        raise RuntimeError(f"searchsorted: sequences of shape {tuple(sequence.shape)} for values "
                           f"of shape {tuple(values.shape)}; the sequence must have 1 dimension, "
                           "or all dims before the last must agree")
    if sorter is not None:
        sequence = sequence.take_along_dim(sorter, -1)
    flat = values.reshape((-1,)) if sequence.ndim == 1 else values
    found = bisect(sequence, flat, right or side == "right").reshape(tuple(values.shape))
    return found.int() if out_int32 else found


@composed(method=False, samples=[S(t(2, 3, grad=False), ints(1)), S(ints(4), ints(1), right=True),
                                 S(2.5, ints(1), out_int32=True)], scalar=POSITIONS)
def bucketize(input, boundaries, *, out_int32=False, right=False):
    """The number of the bucket that each value falls into, between rising boundaries.

    boundaries[i-1] < v <= boundaries[i] gives i; with `right`, <= and <. Shapes: (*), (n) -> (*).

    Raises:
        RuntimeError: the boundaries have not 1 dimension.
    """
    if boundaries.ndim != 1:
        raise RuntimeError(f"bucketize: the boundaries must have 1 dimension, got shape "
                           f"{tuple(boundaries.shape)}")
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)


Histogram = namedtuple("Histogram", "hist bin_edges")


@composed(samples=[S(t(20, grad=False), 5), S(t(4, 5, grad=False), 4, range=(-1.0, 1.0)),
                   S(t(9, grad=False), 3, density=True), S(t(0, grad=False), 3),
                   S(t(7, grad=False), 4, weight=t(7, grad=False), density=True)],
          scalar="gives counts, not values")
def histogram(input, bins=100, *, range=None, weight=None, density=False):
    """How many elements, or how much weight, falls into each bin, and the edges of the bins.

    Of `bins` equal bins the outer edges are `range`, or the smallest and largest element; a Tensor
    gives all edges, in rising order. A bin has its left edge, the last one both; what is outside
    is not counted. With `density` the integral is 1. No gradient.

    Shapes: (*), bins or (bins + 1), weight (*) -> (bins), (bins + 1).

    Raises:
        RuntimeError: no bins; bounds that fall or are not finite; edges or a weight of another
            dtype, or of a shape that does not fit.
        NotImplementedError: integers.
        TypeError: a range beside edges.
    """
    from ..tensors.tensor import Tensor

    values = input.detach().reshape(-1)
    if not values.is_floating_point():
        raise NotImplementedError(f"histogram: counts floats, got {input.dtype}; bincount counts "
                                  "integers")
    if not isinstance(bins, Tensor):
        edges = _equal_bins(values, bins, range)
    elif range is not None:
        raise TypeError("histogram: a range is for a number of bins; here bins are edges")
    elif bins.ndim != 1 or bins.numel() < 2 or bins.dtype is not input.dtype:
        raise RuntimeError(f"histogram: edges are a vector of at least 2 numbers of "
                           f"{input.dtype}, got shape {tuple(bins.shape)} of {bins.dtype}")
    else:
        edges = bins.detach().clone()
    last = edges.numel() - 1
    inside = (values >= edges[0]) & (values <= edges[-1])
    places = (bucketize(values[inside], edges, right=True) - 1).clamp(max=last - 1)
    if weight is not None:
        if weight.shape != input.shape or weight.dtype is not input.dtype:
            raise RuntimeError(f"histogram: a weight of shape {tuple(weight.shape)} and "
                               f"{weight.dtype} for an input of shape {tuple(input.shape)} and "
                               f"{input.dtype}; they must be equal")
        weight = weight.detach().reshape(-1)[inside]
    hist = bincount(places, weight, last).to(input.dtype)
    if density:
        hist = hist / (hist.sum() * (edges[1:] - edges[:-1]))
    return Histogram(hist, edges)


def _equal_bins(values, bins, bounds):
    """The edges of so many bins, from the smallest to the largest value if there are no bounds."""
    from ..tensors.creation import linspace

    if bins < 1:
        raise RuntimeError(f"histogram: at least 1 bin is needed, got {bins}")
    if bounds is not None:
        low, high = map(float, bounds)
    elif values.numel():
        low, high = values.min().item(), values.max().item()
    else:
        low, high = 0.0, 1.0
    if not low <= high or not math.isfinite(low) or not math.isfinite(high):
        raise RuntimeError(f"histogram: the bounds must be finite and in order, got {low} and "
                           f"{high}")
    if low == high:
        low, high = low - 0.5, high + 0.5
    return linspace(low, high, bins + 1, dtype=values.dtype, device=values.device)


@op(method=False, internal=True, samples=[S(ints(3, 4, high=2))], scalar=POSITIONS,
    reference="nonzero")
def where_nonzero(xp, input: Array):
    """The positions of what is not 0. Shapes: (*) -> (k, ndim), int64."""
    found = xp.nonzero(xp.reshape(input, input.shape or (1,)))
    return xp.stack(found, axis=1)[:, :input.ndim]


NONZERO = [S(ints(3, 4, high=2)), S(t(3, grad=False)), S(bools(2, 2, 2)), S(ints(0, 3)),
           S(ints(low=1))]


@composed(samples=[*NONZERO, S(bools(3, 4), as_tuple=True), S(ints(low=1), as_tuple=True)],
          scalar=POSITIONS)
def nonzero(input, *, as_tuple=False):
    """The positions of what is not 0, a row for each, or with `as_tuple` a Tensor for each dim.

    Shapes: (*) -> (k, ndim); or ndim times (k); int64.
    """
    if as_tuple:
        return where_nonzero(input.detach().reshape(tuple(input.shape) or (1,))).unbind(1)
    return where_nonzero(input.detach())


@composed(samples=NONZERO, scalar=POSITIONS)
def argwhere(input):
    """The positions of what is not 0, a row for each. Shapes: (*) -> (k, ndim), int64."""
    return nonzero(input)


@composed(method=False, samples=[S(ints(2, 3), ints(4)), S(ints(2, 3), 3), S(3, ints(2, 3)),
                                 S(ints(5), ints(2, 2), invert=True), S(ints(2), ints(0))],
          scalar=POSITIONS)
def isin(elements, test_elements, *, assume_unique=False, invert=False):
    """Whether each element is one of `test_elements`. Shapes: (*), (+) -> (*), bool.

    Raises:
        RuntimeError: bool Tensors.
    """
    tensors = [x for x in (elements, test_elements) if not isinstance(x, bool | int | float)]
    elements, tests = (_as_values(tensors[0], x).detach() for x in (elements, test_elements))
    if dtypes.bool_ in (elements.dtype, tests.dtype):
        raise RuntimeError("isin: bool is not supported; convert with .int()")
    if not tests.numel():
        return elements.new_full(tuple(elements.shape), invert, dtype=dtypes.bool_)
    tests = sort(flatten(tests)).values
    place = searchsorted(tests, elements).clamp(max=tests.numel() - 1)
    found = tests[place] == elements
    return ~found if invert else found
