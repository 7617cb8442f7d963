"""Order: sorting, ranks, medians, modes, quantiles.

Indices are computed without a gradient; values are then taken at them with a gradient.
"""

from __future__ import annotations

import math

from ..arrays import Array, devices, dtypes
from ..arrays.numbers import integer, is_number
from ..autograd.table import composed, op
from ..tensors.tensor import Tensor
from .checks import need_one_of, refuse_bool_dtype
from .dims import axes, refuse_empty
from .elementwise import lerp_with_number
from .extrema import chosen, share_among_equals, values_and_indices
from .index import where
from .reduce import sum_
from .samples import S, ints, t
from .scan import running
from .shape import flatten, movedim

POSITIONS = "gives positions"
SORTED_WHOLE = 8  # a dim of this size is sorted as fast as it is partitioned


# ---------------------------------------------------------------- sorting


SORTS = [S(t(3, 4, distinct=True)), S(t(3, 4, distinct=True), 0),
         S(t(3, 4, distinct=True), 1, True), S(t(5, distinct=True), descending=True),
         S(ints(2, 6), -1), S(ints(6), descending=True, stable=True), S(t()), S(t(0, 3), 0),
         S(t(2, 1))]


@op(contiguous=True, samples=SORTS, scalar=POSITIONS,
    reference=lambda torch: lambda x, dim=-1, descending=False, stable=True: torch.argsort(
        x, dim=dim, descending=descending, stable=stable))
def argsort(xp, input: Array, dim: int = -1, descending: bool = False, *, stable: bool = False):
    """The indices that sort along `dim` in ascending order, with NaN last.

    With `descending` NaN comes first. Always stable. Shapes: (*) -> (*), int64.
    """
    axis = (axes(dim, input.ndim) or (None,))[0]
    if axis is None:
        return xp.zeros((), dtype=xp.int64)
    if not descending:
        return xp.argsort(input, axis=axis, kind="stable")
    # Sorting the reversed input and reversing the result keeps equal elements in their order.
    order = xp.argsort(xp.flip(input, axis), axis=axis, kind="stable")
    return input.shape[axis] - 1 - xp.flip(order, axis)


@composed(samples=SORTS,
          reference=lambda torch: lambda x, dim=-1, descending=False, stable=True: torch.sort(
              x, dim=dim, descending=descending, stable=stable))
def sort(input: Tensor, dim: int = -1, descending: bool = False, *, stable: bool = False):
    """(values, indices) in ascending or descending order along `dim`. Stable; NaN is largest.

    Shapes: (*) -> (*), (*).
    """
    indices = argsort(input, dim, descending)
    return chosen("sort", input, indices, dim, True)


@composed(samples=[S(t(3, 2, distinct=True)), S(t()), S(ints(4))])
def msort(input: Tensor) -> Tensor:
    """Sorted along the first dim. Shapes: (n, *) -> (n, *)."""
    return sort(input, 0).values


@op(contiguous=True, method=False, internal=True, samples=[S(t(3, 5, distinct=True), 2, 1, True)],
    reference=lambda torch: lambda x, k, dim, largest: x.topk(k, dim, largest).indices,
    scalar=POSITIONS)
def where_topk(xp, input: Array, k: int, axis: int, largest: bool):
    """The indices of `topk`. Shapes: (*, n, *) -> (*, k, *), int64."""
    n = input.shape[axis]
    if k == 1:
        if not largest:  # NaN is the largest
            known = input if input.dtype.kind in "iu" else xp.where(
                input != input, math.inf, input)
            input = input == xp.min(known, axis=axis, keepdims=True)
        return xp.expand_dims(xp.argmax(input, axis=axis), axis)
    if k in (0, n) or n <= SORTED_WHOLE:
        order = argsort.run(xp, input, axis, largest)
        return order[(slice(None),) * axis + (slice(None, k),)]
    half = (slice(None),) * axis + (slice(n - k, None) if largest else slice(None, k),)
    part = xp.argpartition(input, n - k if largest else k - 1, axis=axis)[half]
    order = argsort.run(xp, xp.take_along_axis(input, part, axis), axis, largest)
    return xp.take_along_axis(part, order, axis)


@composed(samples=[S(t(3, 5, distinct=True), 2), S(t(3, 5, distinct=True), 2, 0, False),
                   S(t(6, distinct=True), 6), S(t(6, distinct=True), 3, largest=False),
                   S(t(3), 0), S(t(), 1), S(t(0, 3), 2), S(t(6, distinct=True), 1, sorted=True)])
def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True):
    """(values, indices) of the `k` largest, or smallest, along `dim`, sorted. NaN is largest.

    Sorted also with sorted=False. Among equal elements the first are taken, if n is at most 8 or
    k is 1, as by PyTorch for n below 4. Shapes: (*, n, *) -> (*, k, *), (*, k, *).

    Raises:
        RuntimeError: k is not in [0, n]; a bool Tensor.
    """
    axis = _ranked("topk", input, k, dim, 0)
    refuse_bool_dtype("topk", input)
    if axis is None:
        return values_and_indices("topk", *sort(input))
    return chosen("topk", input, where_topk(input, k, axis, largest), axis, True)


def _ranked(name, input, k, dim, first):
    """The axis of `dim`, None for a 0-d Tensor; checks that k is in [first, n]."""
    axis = (axes(dim, input.ndim) or (None,))[0]
    size = 1 if axis is None else input.shape[axis]
    if not first <= integer(f"{name}: k", k) <= size:
        raise RuntimeError(f"{name}: k = {k} is out of range for dim {dim} of size {size}: it "
                           f"must be in [{first}, {size}]")
    return axis


@composed(samples=[S(t(3, 5, distinct=True), 2), S(t(3, 5, distinct=True), 3, 0, True),
                   S(t(), 1), S(t(0, 3), 2), S(ints(1, 5), 1, 0)])
def kthvalue(input: Tensor, k: int, dim: int = -1, keepdim: bool = False):
    """(values, indices) of the k-th smallest element along `dim`, counted from 1. NaN is largest.

    Shapes: (*) -> (*) without `dim`, or with it as 1 if `keepdim`; twice.

    Raises:
        RuntimeError: k is not in [1, n].
        NotImplementedError: a bool Tensor.
    """
    refuse_empty("kthvalue", input.shape, dim)
    axis = _ranked("kthvalue", input, k, dim, 1)
    if axis is None:
        return values_and_indices("kthvalue", *sort(input))
    refuse_bool_dtype("kthvalue", input, NotImplementedError)
    order = where_topk(input, k, axis, False)
    last = order.narrow(axis, k - 1, 1).contiguous()
    return chosen("kthvalue", input, last, axis, keepdim)


# ---------------------------------------------------------------- medians and modes


def _middle(xp, input, axis, skip_nan):
    """The index of the lower median along `axis`, which keeps size 1."""
    n = input.shape[axis]
    numbers = xp.sum(input == input, axis=axis, keepdims=True, dtype=xp.int64)
    # The common case needs no sorting. On a GPU the host would wait to find out.
    if devices.is_on_cpu(input) and bool((numbers == n).all()):
        half = (slice(None),) * axis + (slice((n - 1) // 2, (n + 1) // 2),)
        return xp.argpartition(input, (n - 1) // 2, axis=axis)[half]
    order = xp.argsort(input, axis=axis, kind="stable")
    if skip_nan:
        rank = xp.maximum(numbers - 1, 0) // 2
    else:  # NaN is sorted after the numbers, and is the median if there is any
        rank = xp.where(numbers == n, (n - 1) // 2, numbers)
    return xp.take_along_axis(order, rank, axis)


@op(contiguous=True, method=False, internal=True, samples=[S(t(3, 5, distinct=True), 1, False)],
    reference=lambda torch: lambda x, dim, skip: x.median(dim, True).indices, scalar=POSITIONS)
def where_median(xp, input: Array, axis: int, skip_nan: bool):
    """The indices of `median` along a dim. Shapes: (*, n, *) -> (*, 1, *), int64."""
    return _middle(xp, input, axis, skip_nan)


@op(method=False, internal=True, samples=[S(t(3, 5, distinct=True), False)],
    reference=lambda torch: lambda x, skip: x.median())
def median_of_all(xp, input: Array, skip_nan: bool):
    """The lower median of all elements; ties share the gradient. Shapes: (*) -> ()."""
    flat = xp.reshape(input, (-1,))
    if not flat.size:
        return xp.full((), math.nan, dtype=input.dtype) if dtypes.is_floating(input.dtype) \
            else xp.zeros((), dtype=input.dtype)
    return flat[_middle(xp, flat, 0, skip_nan)[0]]


@median_of_all.vjp("input")
def _(xp, g, input, out, input_shape):
    return share_among_equals(xp, g, input, out, input_shape, None)


def _median(name, input, dim, keepdim, skip_nan):
    refuse_bool_dtype(name, input, NotImplementedError)
    if dim is None:
        return median_of_all(input, skip_nan)
    (axis,) = axes(dim, input.ndim) or (None,)
    if axis is None:
        return values_and_indices(name, *sort(input))
    refuse_empty(name, input.shape, dim)
    return chosen(name, input, where_median(input, axis, skip_nan), axis, keepdim)


MEDIANS = [S(t(3, 4, distinct=True)), S(t(3, 5, distinct=True), 1),
           S(t(3, 4, distinct=True), 0, True), S(t(2, 4, distinct=True), dim=-1), S(ints(5)),
           S(t()), S(t(), 0), S(t(0, 3), 1), S(t(0, 3, grad=False))]


@composed(samples=MEDIANS)
def median(input: Tensor, dim: int | None = None, keepdim: bool = False):
    """The lower median of all elements, or (values, indices) along `dim`; NaN if there is a NaN.

    Shapes: (*) -> (), or (*) without `dim`, or with it as 1 if `keepdim`; then twice.

    Raises:
        IndexError: `dim` has size 0.
        NotImplementedError: a bool Tensor.
    """
    return _median("median", input, dim, keepdim, False)


@composed(samples=MEDIANS)
def nanmedian(input: Tensor, dim: int | None = None, keepdim: bool = False):
    """As `median`, of the elements that are not NaN.

    Shapes: (*) -> (), or (*) without `dim`, or with it as 1 if `keepdim`; then twice.
    """
    return _median("nanmedian", input, dim, keepdim, True)


@op(contiguous=True, method=False, internal=True, samples=[S(t(3, 5, distinct=True), 1)],
    reference=lambda torch: lambda x, dim: x.mode(dim, True).indices, scalar=POSITIONS)
def where_mode(xp, input: Array, axis: int):
    """The indices of `mode`. Shapes: (*, n, *) -> (*, 1, *), int64."""
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
def mode(input: Tensor, dim: int = -1, keepdim: bool = False):
    """(values, indices) of the most frequent element along `dim`: the smallest one, its last index.

    Shapes: (*) -> (*) without `dim`, or with it as 1 if `keepdim`; twice.
    """
    (axis,) = axes(dim, input.ndim) or (None,)
    if axis is None:
        return values_and_indices("mode", *sort(input))
    refuse_empty("mode", input.shape, dim)
    return chosen("mode", input, where_mode(input, axis), axis, keepdim)


# ---------------------------------------------------------------- quantiles


INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")
QUANTILES = [S(t(3, 5, distinct=True), 0.3), S(t(3, 5, distinct=True), 0.3, 1),
             S(t(3, 5, distinct=True), t(2, low=0, high=1, grad=False), 0, True),
             S(t(3, 5, distinct=True), t(low=0, high=1, grad=False), -1), S(t(), 0.5), S(t(3), 1.0),
             *(S(t(2, 5, distinct=True), 0.4, 1, interpolation=i) for i in INTERPOLATIONS)]


def _quantile(name, input, q, dim, keepdim, interpolation, skip_nan):
    """Interpolated between the sorted values next to rank q (n - 1)."""
    q = _levels(name, input, q, interpolation)
    over = axes(dim, input.ndim)
    x = flatten(input) if dim is None or not over else movedim(input, dim, -1)
    x = sort(x, -1).values
    last = x.shape[-1] - 1
    numbers = sum_((x == x).detach(), -1, True)
    if skip_nan:
        ranks = (numbers - 1).clamp(min=0) * q.reshape((-1,))
    else:  # NaN is the last value, and is the result if there is any
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
        out = lerp_with_number(out, x.take_along_dim(above.long(), -1), weight)
    if keepdim and input.ndim:
        out = out.reshape((1,) * input.ndim + (-1,)) if dim is None \
            else movedim(out.unsqueeze(-2), -2, over[0])
    return movedim(out, -1, 0) if q.ndim else out.squeeze(-1)


def _levels(name, input, q, interpolation):
    """q as a Tensor; checks the arguments."""
    if input.dtype not in (dtypes.float32, dtypes.float64):
        raise RuntimeError(f"{name}: needs a Tensor of float32 or float64, got {input.dtype}; "
                           "convert it with .float() first")
    if not input.numel():
        raise RuntimeError(f"{name}: a Tensor of shape {tuple(input.shape)} has no elements")
    need_one_of(name, "interpolation", interpolation, INTERPOLATIONS)
    if is_number(q):
        q = input.new_tensor(q)
    if q.ndim > 1 or q.dtype is not input.dtype:
        raise RuntimeError(f"{name}: q must be a number or a Tensor of at most 1 dimension and "
                           f"of {input.dtype}, got shape {tuple(q.shape)} and {q.dtype}")
    if not q.is_meta and not bool(((q >= 0) & (q <= 1)).all()):
        raise RuntimeError(f"{name}: q must be in [0, 1], got {q.tolist()}")
    return q


@composed(autocast="float32 on cpu", samples=QUANTILES, scalar=POSITIONS)
def quantile(input: Tensor, q: Tensor | float, dim: int | None = None, keepdim: bool = False, *,
             interpolation: str = "linear") -> Tensor:
    """The q-quantile of all elements or along `dim`: rank q (n - 1) of the sorted elements.

    Between two ranks it is interpolated. NaN if there is a NaN.
    Shapes: (*), () or (k) -> () or (*) without `dim`, with k in front if q has 1 dimension.

    Raises:
        RuntimeError: q outside of [0, 1]; an empty Tensor; not float32 or float64.
    """
    return _quantile("quantile", input, q, dim, keepdim, interpolation, False)


@composed(autocast="float32 on cpu", samples=QUANTILES, scalar=POSITIONS)
def nanquantile(input: Tensor, q: Tensor | float, dim: int | None = None, keepdim: bool = False, *,
                interpolation: str = "linear") -> Tensor:
    """As `quantile`, of the elements that are not NaN.

    Shapes: (*), () or (k) -> () or (*) without `dim`, with k in front if q has 1 dimension.
    """
    return _quantile("nanquantile", input, q, dim, keepdim, interpolation, True)
