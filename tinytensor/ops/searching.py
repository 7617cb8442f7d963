"""Finding and counting elements: unique values, histograms, binary search, nonzero positions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..arrays import Array, devices, dtypes
from ..arrays.numbers import integer, is_integer, is_number, python_number
from ..arrays.return_types import return_type
from ..autograd.table import composed, op
from ..tensors.creation import linspace
from ..tensors.tensor import Tensor
from .checks import refuse_bool_dtype
from .dims import axes
from .samples import S, bools, ints, t
from .shape import flatten
from .sorting import POSITIONS, sort

# ---------------------------------------------------------------- unique elements and counts


@op(outputs=("output", "inverse", "counts"), method=False, internal=True, scalar=POSITIONS,
    samples=[S(ints(4, 3, high=3), True, None), S(ints(6, 2, high=2), True, 0)],
    reference=lambda torch: lambda x, sorts, dim: torch.unique(
        x, return_inverse=True, return_counts=True, dim=dim))
def runs(xp, input: Array, sorts: bool, dim: int | None):
    """The runs of equal elements, or of equal slices along `dim`, after sorting if `sorts`.

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
def unique(input: Tensor, sorted: bool = True, return_inverse: bool = False,
           return_counts: bool = False, dim: int | None = None):
    """The distinct elements in ascending order, or distinct slices along `dim`; no gradient.

    Sorted also with sorted=False. Each NaN is distinct.
    Shapes: (*) -> (k), with the inverse (*) and counts (k) if requested.
    """
    return _unique("unique", input, True, return_inverse, return_counts, dim)


@composed(samples=[*_each(ints(12, high=2)), S(ints(6, 2, high=1), dim=0, return_counts=True),
                   S(ints(1, 5, high=2), dim=1, return_inverse=True), S(ints(2, 3, high=2))],
          scalar=POSITIONS)
def unique_consecutive(input: Tensor, return_inverse: bool = False, return_counts: bool = False,
                       dim: int | None = None):
    """The first of each run of equal elements, or of equal slices along `dim`; no gradient.

    Shapes: (*) -> (k), with the inverse (*) and counts (k) if requested.
    """
    return _unique("unique_consecutive", input, False, return_inverse, return_counts, dim)


@op(widens=False, samples=[S(ints(7, high=4)), S(ints(7, high=4), minlength=6), S(ints(0)),
             S(ints(7, high=4), t(7, grad=False)), S(ints(3), ints(3), 1)], scalar=POSITIONS)
def bincount(xp, input: Array, weights: Array | None = None, minlength: int = 0):
    """The number of occurrences of each integer from 0 to the largest, or the sum of its weights.

    Shapes: (n), (n) -> (at least minlength); int64, float32 with weights of float32, float64 with
    others.

    Raises:
        RuntimeError: negative integers; more than one dim; weights of another shape.
        NotImplementedError: a Tensor of floating point.
    """
    if dtypes.is_floating(input.dtype):
        raise NotImplementedError(f"bincount: counts integers, got {dtypes.of_array(input)}; "
                                  "histc counts floats")
    if input.ndim != 1 or (input.size and int(input.min()) < 0):
        raise RuntimeError(f"bincount: needs integers >= 0 in 1 dimension, got shape "
                           f"{tuple(input.shape)}" + " with negative ones" * (input.ndim == 1))
    minlength = integer("bincount: minlength", minlength)
    if minlength < 0:
        raise RuntimeError(f"bincount: minlength must not be negative, got {minlength}")
    if weights is None:
        return xp.bincount(input, minlength=minlength)
    if weights.shape != input.shape:
        raise RuntimeError(f"bincount: weights of shape {tuple(weights.shape)} for integers of "
                           f"shape {tuple(input.shape)}; they must be equal")
    totals = xp.bincount(input, weights.astype(xp.float64), minlength)
    return totals.astype(weights.dtype) if weights.dtype == xp.float32 else totals


@op(samples=[S(t(20, grad=False), 5), S(t(4, 5, grad=False), 4, -1, 1), S(t(0, grad=False), 3),
             S(t(9, grad=False), bins=3, min=-5, max=5)], scalar=POSITIONS)
def histc(xp, input: Array, bins: int = 100, min: float = 0, max: float = 0):
    """The number of elements in each of `bins` equal bins of [min, max]; others are ignored.

    If min == max, the bins span the smallest to the largest element. Shapes: (*) -> (bins).

    Raises:
        RuntimeError: no bins; max < min; bounds that are not finite.
        NotImplementedError: integers.
    """
    if not dtypes.is_floating(input.dtype):
        raise NotImplementedError(f"histc: counts floats, got {dtypes.of_array(input)}; bincount "
                                  "counts integers")
    if bins < 1 or max < min:
        raise RuntimeError(f"histc: {bins} bins from {min} to {max}: at least 1 bin is needed, "
                           "and max must not be less than min")
    if devices.is_meta(input):
        return xp.empty(bins, dtype=input.dtype)
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
        tested = xp.take_along_axis(sequence, xp.minimum(middle, sequence.shape[-1] - 1), -1)
        # Comparisons with NaN are False, so NaN counts as larger than every number.
        after = ~(tested > values if right else tested >= values) & (low < high)
        low, high = xp.where(after, middle + 1, low), xp.where(after, high, middle)
    return low


def _as_values(like, values):
    """The values as a Tensor. A number takes the dtype of `like`, a fraction a floating one."""
    if not is_number(values):
        return values
    number = python_number(values)
    if isinstance(number, float) and not like.is_floating_point():
        return like.new_tensor(number, dtype=dtypes.get_default_dtype())
    return like.new_tensor(number)


@composed(method=False, samples=[
    S(ints(1, low=2), ints(2, 3)), S(ints(2, 1), ints(2, 3), right=True),
    S(ints(1), 2, side="right", out_int32=True), S(ints(1, low=2, high=3), 2.5),
    S(t(0, grad=False), t(3, grad=False))],
    scalar=POSITIONS)
def searchsorted(sorted_sequence: Tensor, input: Tensor | float, *, out_int32: bool = False,
                 right: bool = False, side: str | None = None,
                 sorter: Tensor | None = None) -> Tensor:
    """The index at which each value keeps an ascending sequence sorted: before equal elements, or
    after them if `right`.

    Shapes: (n), (*) -> (*); or one sequence for each row, (*, n), (*, k) -> (*, k); int64.

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
    indices = bisect(sequence, flat, right or side == "right").reshape(tuple(values.shape))
    return indices.int() if out_int32 else indices


@composed(method=False, samples=[S(t(2, 3, grad=False), ints(1)), S(ints(4), ints(1), right=True),
                                 S(2.5, ints(1, low=2, high=3), out_int32=True)],
          scalar=POSITIONS)
def bucketize(input: Tensor | float, boundaries: Tensor, *, out_int32: bool = False,
              right: bool = False) -> Tensor:
    """The index of the bucket of each value, between ascending boundaries.

    boundaries[i-1] < v <= boundaries[i] gives i; with `right`, <= and <. Shapes: (*), (n) -> (*).

    Raises:
        RuntimeError: the boundaries do not have 1 dimension.
    """
    if boundaries.ndim != 1:
        raise RuntimeError(f"bucketize: the boundaries must have 1 dimension, got shape "
                           f"{tuple(boundaries.shape)}")
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)


Histogram = return_type("histogram", "hist", "bin_edges")


@composed(widens=True, samples=[
    S(t(20, grad=False), 5), S(t(4, 5, grad=False), 4, range=(-1.0, 1.0)),
                   S(t(9, grad=False), 3, density=True), S(t(0, grad=False), 3),
                   S(t(7, grad=False), 4, weight=t(7, grad=False), density=True)],
          scalar="gives counts, not values")
def histogram(input: Tensor, bins: int | Tensor = 100, *, range: tuple[float, float] | None = None,
              weight: Tensor | None = None, density: bool = False):
    """The number of elements, or the sum of their weights, in each bin, and the edges of the bins.

    The outer edges of `bins` equal bins are `range`, or the smallest and largest element. A Tensor
    gives all edges in ascending order. A bin includes its left edge, the last bin both; elements
    outside are not counted. With `density` the integral is 1. No gradient.

    Shapes: (*), bins or (bins + 1), weight (*) -> (bins), (bins + 1).

    Raises:
        RuntimeError: no bins; bounds that are not two, are descending or not finite; edges or a
            weight of another dtype, or of a shape that does not fit.
        NotImplementedError: integers.
        TypeError: a range beside edges.
    """
    if range is not None and len(range) != 2:
        raise RuntimeError(f"histogram: the range must have 2 bounds, got {range}")
    hist, edges = _counted("histogram", input.reshape(-1, 1), [bins], range, weight,
                           tuple(input.shape))
    if density:
        hist = hist / (hist.sum() * (edges[0][1:] - edges[0][:-1]))
    return Histogram(hist, edges[0])


HistogramDD = return_type("histogramdd", "hist", "bin_edges")


@composed(widens=True, method=False, samples=[
    S(t(20, 2, grad=False), 3), S(t(9, 3, grad=False), [2, 3, 4], density=True),
    S(t(20, 2, grad=False), [2, 3], range=[-1.0, 1.0, -2.0, 1.5]),
    S(t(2, 5, 2, grad=False), [2, 2], weight=t(2, 5, grad=False), density=True)],
          scalar="gives counts, not values")
def histogramdd(input: Tensor, bins: int | Sequence[int] | Sequence[Tensor], *,
                range: Sequence[float] | None = None, weight: Tensor | None = None,
                density: bool = False):
    """`histogram` in D dims: the number of points, or the sum of their weights, in each of the
    boxes that the bins of all dims form, and the edges of each dim.

    `bins` is one number, or for each dim a number or a vector of edges; `range` is the outer edges
    of dim 0, of dim 1 and so on. No gradient.

    Shapes: (*, D), weight (*) -> (bins of dim 0, ..., bins of dim D - 1), and D vectors.

    Raises:
        RuntimeError: an input of fewer than 2 dims; not D numbers of bins or 2 D bounds; and as
            `histogram`.
    """
    if input.ndim < 2:
        raise RuntimeError("histogramdd: the points must have at least 2 dims, got shape "
                           f"{tuple(input.shape)}")
    dims = input.shape[-1]
    each: Any = [bins] * dims if is_integer(bins) else list(bins)  # type: ignore[arg-type]
    each = [b if isinstance(b, Tensor) and b.ndim else integer("histogramdd: bins", b)
            for b in each]
    if len(each) != dims or range is not None and len(range) != 2 * dims:
        raise RuntimeError(f"histogramdd: points in {dims} dims need as many bins and twice as "
                           f"many bounds, got {len(each)} bins and the bounds {range}")
    hist, edges = _counted("histogramdd", input.reshape(-1, dims), each, range, weight,
                           tuple(input.shape[:-1]))
    if density:
        hist = hist / hist.sum()
        for axis, edge in enumerate(edges):
            hist = hist / (edge[1:] - edge[:-1]).reshape((-1, *[1] * (dims - 1 - axis)))
    return HistogramDD(hist, tuple(edges))


def _counted(name, points, bins, bounds, weight, shape):
    """The points (n, d), or their weights of a shape, added up in each box, and the edges."""
    points = points.detach()
    if not points.is_floating_point():
        raise NotImplementedError(f"{name}: counts floats, got {points.dtype}; bincount counts "
                                  "integers")
    inside, place, edges, sizes = None, 0, [], []
    for axis, count in enumerate(bins):
        values = points[:, axis]
        edge = _edges(name, values, count, bounds and bounds[2 * axis:2 * axis + 2])
        within = (values >= edge[0]) & (values <= edge[-1])
        inside = within if inside is None else inside & within
        size = edge.numel() - 1
        place = place * size + (bucketize(values, edge, right=True) - 1).clamp(max=size - 1)
        edges.append(edge)
        sizes.append(size)
    if weight is not None:
        if tuple(weight.shape) != shape or weight.dtype is not points.dtype:
            raise RuntimeError(f"{name}: a weight of shape {tuple(weight.shape)} and "
                               f"{weight.dtype} for points of shape {shape} and "
                               f"{points.dtype}; they must be equal")
        weight = weight.detach().reshape(-1)[inside]
    total = bincount(place[inside], weight, math.prod(sizes)).to(points.dtype)
    return total.reshape(tuple(sizes)), edges


def _edges(name, values, bins, bounds):
    if not isinstance(bins, Tensor):
        return _equal_bins(name, values, bins, bounds)
    if bounds is not None:
        raise TypeError(f"{name}: a range is for a number of bins; here bins are edges")
    if bins.ndim != 1 or bins.numel() < 2 or bins.dtype is not values.dtype:
        raise RuntimeError(f"{name}: edges are a vector of at least 2 numbers of "
                           f"{values.dtype}, got shape {tuple(bins.shape)} of {bins.dtype}")
    return bins.detach().clone()


def _equal_bins(name, values, bins, bounds):
    """The edges of equal bins; without bounds, from the smallest to the largest value."""
    if bins < 1:
        raise RuntimeError(f"{name}: at least 1 bin is needed, got {bins}")
    if bounds is not None:
        low, high = map(float, bounds)
    elif values.numel():
        low, high = values.min().item(), values.max().item()
    else:
        low, high = 0.0, 1.0
    if not low <= high or not math.isfinite(low) or not math.isfinite(high):
        raise RuntimeError(f"{name}: the bounds must be finite and in order, got {low} and "
                           f"{high}")
    if low == high:
        low, high = low - 0.5, high + 0.5
    return linspace(low, high, bins + 1, dtype=values.dtype, device=values.device)


@op(contiguous=True, method=False, internal=True, samples=[S(ints(3, 4, high=2))], scalar=POSITIONS,
    reference="nonzero")
def where_nonzero(xp, input: Array):
    """The indices of nonzero elements. Shapes: (*) -> (k, ndim), int64."""
    indices = xp.nonzero(xp.reshape(input, input.shape or (1,)))
    return xp.stack(indices, axis=1)[:, :input.ndim]


NONZERO = [S(ints(3, 4, high=2)), S(t(3, grad=False)), S(bools(2, 2, 2)), S(ints(0, 3)),
           S(ints(low=1))]


@composed(samples=[*NONZERO, S(bools(3, 4), as_tuple=True), S(ints(low=1), as_tuple=True)],
          scalar=POSITIONS)
def nonzero(input: Tensor, *, as_tuple: bool = False):
    """The indices of nonzero elements, a row for each, or with `as_tuple` a Tensor for each dim.

    Shapes: (*) -> (k, ndim); or ndim times (k); int64.
    """
    if as_tuple:
        where = where_nonzero(input.detach().reshape(tuple(input.shape) or (1,)))
        return tuple(positions.contiguous() for positions in where.unbind(1))
    return where_nonzero(input.detach())


@composed(scalar=POSITIONS, samples=[S(ints(3, 4, high=2), size=4), S(bools(5), size=9),
                                     S(ints(6, high=2), size=8, fill_value=7)])
def nonzero_static(input: Tensor, *, size: int, fill_value: int = -1) -> Tensor:
    """The indices of the first `size` nonzero elements, a row for each; rows of `fill_value` follow
    if there are fewer. Shapes: (*) -> (size, ndim), int64.

    Raises:
        RuntimeError: a negative size.
    """
    if size < 0:
        raise RuntimeError(f"nonzero_static: the size must not be negative, got {size}")
    if input.is_meta:
        return input.new_empty((size, input.ndim), dtype=dtypes.int64)
    found = nonzero(input)[:size]
    rows = found.new_full((size, found.shape[1]), fill_value)
    rows[:found.shape[0]] = found
    return rows


@composed(samples=NONZERO, scalar=POSITIONS)
def argwhere(input: Tensor) -> Tensor:
    """The indices of nonzero elements, a row for each. Shapes: (*) -> (k, ndim), int64."""
    return nonzero(input)


@composed(method=False, samples=[S(ints(2, 3), ints(4)), S(ints(2, 3), 3), S(3, ints(2, 3)),
                                 S(ints(5), ints(2, 2), invert=True), S(ints(2), ints(0))],
          scalar=POSITIONS)
def isin(elements: Tensor | float, test_elements: Tensor | float, *, assume_unique: bool = False,
         invert: bool = False) -> Tensor:
    """Whether each element is one of `test_elements`. Shapes: (*), (+) -> (*), bool.

    Raises:
        RuntimeError: bool Tensors.
    """
    tensors = [x for x in (elements, test_elements) if not is_number(x)]
    searched, tests = (_as_values(tensors[0], x).detach() for x in (elements, test_elements))
    for x in (searched, tests):
        refuse_bool_dtype("isin", x)
    if tests.dtype.is_floating_point:
        tests = tests[tests == tests]  # NaN equals nothing, and would mislead the search
    if not tests.numel():
        return searched.new_full(tuple(searched.shape), invert, dtype=dtypes.bool_)
    tests = sort(flatten(tests)).values
    place = searchsorted(tests, searched).clamp(max=tests.numel() - 1)
    present = tests[place] == searched
    return ~present if invert else present
