"""Cumulative sums, products and extrema along a dim; differences and trapezoids."""

from __future__ import annotations

import math

from ..arrays import Array, dtypes
from ..autograd.table import composed, op
from ..tensors.tensor import Tensor
from .checks import need_floating, refuse_bool_dtype
from .dims import axes
from .extrema import values_and_indices
from .index import getitem
from .reduce import sum_
from .samples import S, ints, t
from .shape import cat

# ---------------------------------------------------------------- scans of arrays


def running(xp, combine, x, axis):
    """out_i = combine(x_0, ..., x_i) along `axis`, for an associative `combine`.

    In log2(n) steps, each of which doubles the number of elements in out_i (Hillis and Steele
    1986), so that it runs on every array library and on a GPU.
    """
    out = xp.swapaxes(x, axis, -1)
    step = 1
    while step < out.shape[-1]:
        out = xp.concatenate([out[..., :step], combine(out[..., :-step], out[..., step:])], axis=-1)
        step *= 2
    return xp.swapaxes(out, axis, -1)


def recurrence(xp, a, b):
    """r_j = b_j + a_j r_{j+1} along the last axis, from the end, in log2(n) steps."""
    step, n = 1, b.shape[-1]
    while step < n:
        reached = b[..., :-step] + a[..., :-step] * b[..., step:]
        b = xp.concatenate([reached, b[..., -step:]], axis=-1)
        a = xp.concatenate([a[..., :-step] * a[..., step:], a[..., -step:]], axis=-1)
        step *= 2
    return b


def _given(name, dim, axis):
    """The dim of a call, given as `dim` or `axis`."""
    if (dim is None) == (axis is None):
        raise TypeError(f"{name}: needs `dim`, an int")
    return axis if dim is None else dim


def _along(dim, x):
    """The axis of a scan; None for a 0-d Tensor, which is its own scan."""
    return (axes(dim, len(x.shape)) or (None,))[0]


def _accumulated(xp, method, input, dim):
    """NumPy's scan: integers in int64, floats in float64, as in PyTorch on the CPU."""
    axis = _along(dim, input)
    if input.dtype.kind in "biu":
        return input.astype(xp.int64) if axis is None else method(axis, dtype=xp.int64)
    if axis is None:
        return input.copy()
    if input.dtype.kind == "O":
        return method(axis)
    return method(axis, dtype=xp.float64).astype(input.dtype, copy=False)


SCANS = [S(t(3, 4), 1), S(t(3, 4), -2), S(t(5), 0), S(t(1, 2), 0), S(t(), 0), S(t(0, 3), 0),
         S(t(0, 3), 1)]
TOTALS = [*SCANS, S(ints(2, 3), 1)]


# ---------------------------------------------------------------- sums and products


@op(autocast="float32 on cuda",
    contiguous=True, array_names=("cumsum",), inplace=True, samples=TOTALS)
def cumsum(xp, input: Array, dim: int):
    """out_i = Σ input_j over j <= i along `dim`; integers and bool give int64.

    Shapes: (*) -> (*).
    """
    return _accumulated(xp, input.cumsum, input, dim)


@cumsum.vjp("input")
def _(xp, g, dim, input_shape):
    if not input_shape:
        return g
    return xp.flip(cumsum.run(xp, xp.flip(g, dim), dim), dim)


def _in_dtype(scan, input, dim, dtype):
    """The scan of the input converted to a dtype, and its result in that, also of small integers.
    """
    if dtype is None:
        return scan(input, dim)
    wanted = dtypes.resolve(dtype)
    return scan(input.to(wanted), dim).to(wanted)


@cumsum.public
def cumsum_as(input: Tensor, dim: int | None = None, *, dtype: dtypes.dtype | None = None,
              axis: int | None = None) -> Tensor:
    """out_i = Σ input_j over j <= i along `dim`; integers and bool give int64.

    Shapes: (*) -> (*).
    """
    return _in_dtype(cumsum, input, _given("cumsum", dim, axis), dtype)


@op(autocast="float32 on cuda",
    contiguous=True, array_names=("cumprod",), inplace=True, samples=TOTALS)
def cumprod(xp, input: Array, dim: int):
    """out_i = Π input_j over j <= i along `dim`; integers and bool give int64.

    Shapes: (*) -> (*). The gradient needs no division, so it is exact at zeros.
    """
    return _accumulated(xp, input.cumprod, input, dim)


@cumprod.vjp("input")
def _(xp, g, input, out, input_shape, dim):
    # d_j = Π_{k<j} x_k · r_j with r_j = Σ_{i>=j} g_i Π_{j<k<=i} x_k = g_j + x_{j+1} r_{j+1}
    if not input_shape:
        return g
    x, out, g = (xp.swapaxes(a, dim, -1) for a in (input, out, g))
    before = xp.concatenate([xp.ones_like(x[..., :1]), out[..., :-1]], axis=-1)
    following = xp.concatenate([x[..., 1:], x[..., :1]], axis=-1)  # the last has no successor
    return xp.swapaxes(before * recurrence(xp, following, g), dim, -1)


@cumprod.public
def cumprod_as(input: Tensor, dim: int | None = None, *, dtype: dtypes.dtype | None = None,
               axis: int | None = None) -> Tensor:
    """out_i = Π input_j over j <= i along `dim`; integers and bool give int64.

    Shapes: (*) -> (*).
    """
    return _in_dtype(cumprod, input, _given("cumprod", dim, axis), dtype)


@op(contiguous=True, samples=SCANS, scalar="Value has no logaddexp")
def logcumsumexp(xp, input: Array, dim: int):
    """out_i = log Σ e**input_j over j <= i along `dim`, without overflow. Shapes: (*) -> (*).

    Raises:
        NotImplementedError: the input is not of floating point.
    """
    need_floating("logcumsumexp", input, NotImplementedError)
    axis = _along(dim, input)
    return input.copy() if axis is None else running(xp, xp.logaddexp, input.copy(), axis)


@logcumsumexp.vjp("input")
def _(xp, g, input, out, input_shape, dim):
    # d_j = e**(x_j - out_j) r_j with r_j = Σ_{i>=j} g_i e**(out_j - out_i), a recurrence whose
    # factors are at most 1, since out is ascending. Equal infinities have the ratio 1, not NaN.
    if not input_shape:
        return g
    x, out, g = (xp.swapaxes(a, dim, -1) for a in (input, out, g))
    before, after = out[..., :-1], out[..., 1:]
    factors = xp.where(before == after, 1.0, xp.exp(before - after))
    factors = xp.concatenate([factors, xp.ones_like(x[..., :1])], axis=-1)  # r_n has no successor
    shares = xp.where(x == -math.inf, 0.0, xp.exp(x - out))
    return xp.swapaxes(shares * recurrence(xp, factors, g), dim, -1)


# ---------------------------------------------------------------- extrema


def _records(xp, input, dim, combine):
    """The last index of the extremum so far; after a NaN, its index."""
    axis = _along(dim, input)
    if axis is None:
        return xp.zeros((), dtype=xp.int64)
    best = running(xp, combine, input, axis)
    positions = xp.reshape(xp.arange(input.shape[axis]), tuple(
        -1 if i == axis else 1 for i in range(input.ndim)))
    attained = xp.where((input == best) | (input != input), positions, 0)
    return running(xp, xp.maximum, attained, axis)


@op(contiguous=True, method=False, internal=True, samples=[S(t(2, 3, distinct=True), 1)],
    reference=lambda torch: lambda x, dim: x.cummax(dim).indices, scalar="gives positions")
def where_cummax(xp, input: Array, dim: int):
    """The indices of `cummax`. Shapes: (*) -> (*), int64."""
    return _records(xp, input, dim, xp.maximum)


@op(contiguous=True, method=False, internal=True, samples=[S(t(2, 3, distinct=True), 1)],
    reference=lambda torch: lambda x, dim: x.cummin(dim).indices, scalar="gives positions")
def where_cummin(xp, input: Array, dim: int):
    """The indices of `cummin`. Shapes: (*) -> (*), int64."""
    return _records(xp, input, dim, xp.minimum)


EXTREMA = [S(t(3, 4, distinct=True), 1), S(t(5, distinct=True), -1), S(ints(2, 3), 0), S(t(), 0),
           S(t(0, 3), 0)]


def _running_extremum(name, input, dim, where):
    indices = where(input, dim)
    # Indices may repeat, so this needs a gather whose derivative accumulates.
    values = input.take_along_dim(indices, dim) if input.ndim else input.clone()
    return values_and_indices(name, values, indices)


@composed(samples=EXTREMA)
def cummax(input: Tensor, dim: int):
    """(values, indices) of the largest element so far along `dim`; the last at a tie.

    Shapes: (*) -> (*), (*).
    """
    return _running_extremum("cummax", input, dim, where_cummax)


@composed(samples=EXTREMA)
def cummin(input: Tensor, dim: int):
    """(values, indices) of the smallest element so far along `dim`; the last at a tie.

    Shapes: (*) -> (*), (*).
    """
    return _running_extremum("cummin", input, dim, where_cummin)


# ---------------------------------------------------------------- differences and areas


def _part(input, axis, start, stop):
    return getitem(input, (slice(None),) * axis + (slice(start, stop),))


@composed(widens=True, samples=[
    S(t(2, 4)), S(t(2, 4), 2), S(t(2, 4), dim=0), S(t(2, 3), 5), S(t(2, 3), 0),
                   S(t(2, 3), dim=0, prepend=t(1, 3), append=t(2, 3)), S(ints(4)), S(t(0, 3))])
def diff(input: Tensor, n: int = 1, dim: int = -1, prepend: Tensor | None = None,
         append: Tensor | None = None) -> Tensor:
    """input_{i+1} - input_i along `dim`, applied `n` times; for bool, whether they differ.

    Shapes: (*, m, *) -> (*, m - n, *), where m includes what is prepended and appended. With n = 0
    nothing is, as in PyTorch.

    Raises:
        RuntimeError: a 0-d Tensor; n < 0.
    """
    if not input.ndim:
        raise RuntimeError("diff: a 0-d Tensor has no neighbours; it needs at least 1 dimension")
    if n < 0:
        raise RuntimeError(f"diff: n must not be negative, got {n}")
    (axis,) = axes(dim, input.ndim)
    if n and (prepend is not None or append is not None):
        input = cat([x for x in (prepend, input, append) if x is not None], axis)
    out = input.clone() if n == 0 else input
    for _ in range(min(n, input.shape[axis])):
        above, below = _part(out, axis, 1, None), _part(out, axis, None, -1)
        out = above != below if out.dtype is dtypes.bool_ else above - below
    return out


def _trapezoids(name, y, x, dx, dim):
    """The area under each step from one sample to the next."""
    if x is not None and dx is not None:
        raise TypeError(f"{name}: give the positions x or their distance dx, not both")
    if not y.ndim:
        raise IndexError(f"{name}: a 0-d Tensor has no steps; it needs at least 1 dimension")
    refuse_bool_dtype(name, y)
    (axis,) = axes(dim, y.ndim)
    heights = (_part(y, axis, None, -1) + _part(y, axis, 1, None)) / 2
    if x is None:
        return heights * (1.0 if dx is None else dx), axis
    if x.ndim == 1:
        if x.shape[0] != y.shape[axis]:
            raise RuntimeError(f"{name}: {x.shape[0]} positions x for {y.shape[axis]} samples "
                               f"along dim {dim}; there must be one for each")
        return heights * x.diff().reshape((-1,) + (1,) * (y.ndim - 1 - axis)), axis
    return heights * x.diff(dim=dim), axis


AREAS = [S(t(2, 4)), S(t(2, 4), dim=0), S(t(2, 4), t(4)), S(t(2, 4), t(2, 4)), S(t(2, 4), dx=0.5),
         S(t(3, 2), t(3), dim=0), S(t(2, 1)), S(ints(3))]


@composed(widens=True, method=False, aliases=("trapz",), samples=AREAS)
def trapezoid(y: Tensor, x: Tensor | None = None, *, dx: float | None = None,
              dim: int = -1) -> Tensor:
    """∫ y dx by trapezoids: Σ (x_{i+1} - x_i) (y_i + y_{i+1}) / 2. Shapes: (*, n), (n) -> (*).

    Raises:
        RuntimeError: x does not have one position for each sample.
    """
    areas, axis = _trapezoids("trapezoid", y, x, dx, dim)
    return sum_(areas, axis)


@composed(widens=True, method=False, samples=AREAS)
def cumulative_trapezoid(y: Tensor, x: Tensor | None = None, *, dx: float | None = None,
                         dim: int = -1) -> Tensor:
    """The running `trapezoid` from the first sample to each later one.

    Shapes: (*, n), (n) -> (*, n - 1).
    """
    areas, axis = _trapezoids("cumulative_trapezoid", y, x, dx, dim)
    return cumsum(areas, axis)
