"""Reductions: many elements to one, over all dims or some.

`sum` and `broadcast_to` are each other's derivative.
"""

from __future__ import annotations

import math
from collections import namedtuple
from typing import Any

from ..arrays import dtypes
from ..autograd.table import composed, op
from .samples import S, bools, ints, reductions, t

Array = Any
Dim = int | tuple[int, ...] | list[int] | None


def axes(dim: Dim, ndim: int) -> tuple[int, ...]:
    """The dims that a reduction goes over, as numbers from 0; None and () are all of them.

    Raises:
        IndexError: a dim that does not exist.
        RuntimeError: one that is named twice.
    """
    if dim is None or (isinstance(dim, tuple | list) and not dim):
        return tuple(range(ndim))
    found: list[int] = []
    count = ndim or 1
    for d in dim if isinstance(dim, tuple | list) else (dim,):
        if not isinstance(d, int):
            raise TypeError(f"a dim must be an int, or a tuple of ints, got {d!r}")
        if not -count <= d < count:
            raise IndexError(f"dim {d} is out of range for {ndim} dimensions: it must be in "
                             f"[{-count}, {count - 1}]")
        d %= count
        if d in found:
            raise RuntimeError(f"dim {d} is given twice")
        found.append(d)
    return tuple(found) if ndim else ()


def kept(shape: tuple[int, ...], dim: Dim) -> tuple[int, ...]:
    """The shape of a reduction that keeps its dims."""
    over = axes(dim, len(shape))
    return tuple(1 if i in over else n for i, n in enumerate(shape))


def spread(xp, g, shape, dim):
    """A reduced array repeated along the dims it was reduced over: the derivative of sum."""
    return xp.broadcast_to(xp.reshape(g, kept(shape, dim)), shape)


def count(shape: tuple[int, ...], dim: Dim) -> int:
    """How many elements one result of a reduction is made of."""
    return math.prod(shape[i] for i in axes(dim, len(shape)))


def refuse_empty(name: str, shape: tuple[int, ...], dim: Dim) -> None:
    """A reduction without an identity has no result over no elements.

    Raises:
        RuntimeError: there are none at all, and `dim` is not given.
        IndexError: there are none along one of the dims given.
    """
    if 0 not in shape:
        return
    if dim is None or (isinstance(dim, tuple | list) and not dim):
        raise RuntimeError(f"{name}: a Tensor of shape {tuple(shape)} has no elements to choose "
                           "from; give a dim whose size is not 0")
    for d in (dim,) if isinstance(dim, int) else dim:
        (i,) = axes(d, len(shape))
        if not shape[i]:
            raise IndexError(f"{name}: dim {i} of shape {tuple(shape)} has size 0; there is "
                             "nothing to choose from along it")


# ---------------------------------------------------------------- sums and means


BLOCK = 256  # rows that one product adds up: more would cost float32 its accuracy
SMALL = 2048  # elements below which preparing products takes longer than adding


def add_up(xp, x, over, keepdim):
    """Σ over the axes `over`, in the accuracy that NumPy has along the last axis only.

    NumPy adds pairwise along the last axis, but naively along others: in float32 that is wrong by
    1e-5 after 262,000 rows, and slow. Products with a vector of ones, in blocks, are a hundred
    times more accurate and two to twenty times faster. float16 is added up in float32.
    """
    if x.dtype.kind == "f" and x.dtype.itemsize == 2:
        return add_up(xp, x.astype(xp.float32), over, keepdim).astype(x.dtype)
    last = len(x.shape) - 1
    if x.dtype.kind != "f" or not over or len(over) > last or x.size < SMALL:
        return xp.add.reduce(x, axis=over, keepdims=keepdim)
    if x.flags.f_contiguous and not x.flags.c_contiguous:
        return add_up(xp, x.T, tuple(last - i for i in over), keepdim).T
    if not x.flags.c_contiguous:
        return xp.add.reduce(x, axis=over, keepdims=keepdim)
    shape, inner, axis = x.shape, 1, last
    while axis >= 0:  # neighbours are added up together, from the last to the first
        run = 1
        while axis in over and axis >= 0:
            run, axis = run * shape[axis], axis - 1
        if run > 1:
            x = _add_rows(xp, xp.reshape(x, (-1, run, inner)))
        if axis >= 0:
            inner, axis = inner * shape[axis], axis - 1
    return xp.reshape(x, kept(shape, over) if keepdim else tuple(
        n for i, n in enumerate(shape) if i not in over))


def _add_rows(xp, x):
    """(m, rows, inner) -> (m, inner)."""
    outer, rows, inner = x.shape
    if inner == 1:
        return xp.add.reduce(x, axis=1)
    while rows > BLOCK:
        whole = rows - rows % BLOCK
        blocks = xp.reshape(x[:, :whole], (-1, BLOCK, inner))
        sums = xp.reshape(xp.matmul(xp.ones(BLOCK, dtype=x.dtype), blocks), (outer, -1, inner))
        x = xp.concatenate([sums, x[:, whole:]], axis=1) if whole < rows else sums
        rows = x.shape[1]
    return xp.matmul(xp.ones(rows, dtype=x.dtype), x)


@op(array_names=("sum",), samples=[*reductions(), S(ints(2, 3)), S(bools(4), 0), S(t(0, 3), 0),
                                   S(t(0, 3)), S(t(1030, 2), 0), S(t(2, 600, 3), (0, 1), True)])
def sum_(xp, input: Array, dim: Dim = None, keepdim: bool = False):
    """The sum over `dim` (int, tuple or all); integers and bool give int64.

    Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`.
    """
    if input.dtype.kind in "biu":
        return xp.sum(input, axis=axes(dim, input.ndim), keepdims=keepdim, dtype=xp.int64)
    return add_up(xp, input, axes(dim, input.ndim), keepdim)


@sum_.vjp("input")
def _(xp, g, input_shape, dim):
    return spread(xp, g, input_shape, dim)


@sum_.public
def sum_as(input, dim=None, keepdim=False, *, dtype=None, **aliases):
    """The sum over `dim` (int, tuple or all); integers and bool give int64.

    Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`.
    """
    return sum_(input if dtype is None else input.to(dtypes.resolve(dtype)), dim, keepdim,
               **aliases)


@op(array_names=("mean",), samples=reductions())
def mean(xp, input: Array, dim: Dim = None, keepdim: bool = False):
    """The mean over `dim` (int, tuple or all); of nothing it is NaN.

    Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`.
    """
    if input.dtype.kind in "biu":
        raise RuntimeError(f"mean: needs a floating point Tensor, got {dtypes.of_array(input)}; "
                           "convert it with .float() first")
    if input.dtype.kind == "f" and input.dtype.itemsize == 2:  # the sum may exceed its range
        return mean.run(xp, input.astype(xp.float32), dim, keepdim).astype(input.dtype)
    n = count(input.shape, dim)
    return add_up(xp, input, axes(dim, input.ndim), keepdim) * (1 / n if n else math.nan)


@mean.vjp("input")
def _(xp, g, input_shape, dim):
    return spread(xp, g * (1 / max(count(input_shape, dim), 1)), input_shape, dim)


@mean.public
def mean_as(input, dim=None, keepdim=False, *, dtype=None, **aliases):
    """The mean over `dim` (int, tuple or all); of nothing it is NaN.

    Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`.
    """
    return mean(input if dtype is None else input.to(dtypes.resolve(dtype)), dim, keepdim,
                **aliases)


@composed(samples=[*reductions(), S(ints(2, 3)), S(t(0, 3), 0), S(t(2, 3), 1, dtype="float64")],
          scalar="asks for NaN")
def nansum(input, dim=None, keepdim=False, *, dtype=None):
    """The sum over `dim` of the elements that are not NaN.

    Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`.
    """
    return sum_as(_without_nan(input), dim, keepdim, dtype=dtype)


@composed(samples=[*reductions(), S(t(2, 3), 1, dtype="float64")], scalar="asks for NaN")
def nanmean(input, dim=None, keepdim=False, *, dtype=None):
    """The mean over `dim` of the elements that are not NaN; of nothing it is NaN.

    Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`.

    Raises:
        RuntimeError: the input is not of floating point.
    """
    if not input.dtype.is_floating_point:
        raise RuntimeError(f"nanmean: needs a floating point Tensor, got {input.dtype}; "
                           "convert it with .float() first")
    total = nansum(input, dim, keepdim, dtype=dtype)
    return total / sum_as(input == input, dim, keepdim)


def _without_nan(input):
    """0 for NaN."""
    return input.masked_fill(input != input, 0) if input.dtype.is_floating_point else input


@op(array_names=("prod",), samples=[S(t(2, 3, 4)), S(t(2, 3, 4), 1), S(t(2, 3, 4), -1, True),
                                    S(t()), S(t(3), 0), S(ints(2, 3)), S(bools(4), 0),
                                    S(t(0, 3), 0), S(t(0, 3))])
def prod(xp, input: Array, dim: int | None = None, keepdim: bool = False):
    """The product over `dim`, or over all; integers and bool give int64. Zeros have a gradient.

    Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`.
    """
    over = axes(dim, input.ndim)
    if input.dtype.kind in "biu":
        return xp.prod(input, axis=over, keepdims=keepdim, dtype=xp.int64)
    return xp.prod(input, axis=over, keepdims=keepdim)


@prod.vjp("input")
def _(xp, g, input, input_shape, dim):
    # The product of all the others is that of those before and that of those after: nothing is
    # divided by, so zeros are no exception, and the rule can be differentiated again.
    x = xp.reshape(input, (-1,)) if dim is None or not input_shape \
        else xp.swapaxes(input, dim, -1)
    others = _product_before(xp, x) * xp.flip(_product_before(xp, xp.flip(x, -1)), -1)
    others = xp.reshape(others, input_shape) if dim is None or not input_shape \
        else xp.swapaxes(others, dim, -1)
    return spread(xp, g, input_shape, dim) * others


def _product_before(xp, x):
    """The product of all elements before each one, along the last axis."""
    ones = xp.ones_like(x[..., :1])
    return xp.cumprod(xp.concatenate([ones, x[..., :-1]], axis=-1), -1)


@prod.public
def prod_as(input, dim=None, keepdim=False, *, dtype=None, **aliases):
    """The product over `dim`, or over all; integers and bool give int64. Zeros have a gradient.

    Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`.

    Raises:
        TypeError: several dims.
    """
    _one_dim("prod", dim)
    return prod(input if dtype is None else input.to(dtypes.resolve(dtype)), dim, keepdim,
                **aliases)


def _one_dim(name, dim):
    if isinstance(dim, tuple | list):
        raise TypeError(f"{name}: `dim` must be one int, got {dim}; reduce the dims one by one, "
                        "or flatten() them first")


@composed(samples=[S(t(2, 3)), S(ints(2, 3, high=2), 1), S(ints(2, 3, high=2), (0, 1)),
                   S(bools(4), dim=0), S(t(0, 3), 0)], scalar="gives counts, not values")
def count_nonzero(input, dim=None):
    """How many elements are not 0, over `dim` (int, tuple or all).

    Shapes: (*) -> () or (*) without `dim`; int64.
    """
    return sum_(input != 0, dim)


# ---------------------------------------------------------------- extrema


def share_among_equals(xp, g, input, out, input_shape, dim):
    """The gradient of an extremum: evenly to all the elements that attain it."""
    attained = input == xp.reshape(out, kept(input_shape, dim))
    g = spread(xp, g, input_shape, dim) * attained
    return g / xp.sum(attained * xp.ones_like(input), axis=axes(dim, len(input_shape)),
                      keepdims=True)


@op(array_names=("amax",), samples=[*reductions(distinct=True), S(ints(2, 3), 0), S(t(0, 3), 1)])
def amax(xp, input: Array, dim: Dim = (), keepdim: bool = False):
    """The largest element over `dim` (int, tuple or all); equal ones share the gradient evenly.

    Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`.

    Raises:
        RuntimeError, IndexError: there is nothing to choose from.
    """
    refuse_empty("amax", input.shape, dim)
    return xp.max(input, axis=axes(dim, input.ndim), keepdims=keepdim)


amax.vjp(input=share_among_equals)


@op(array_names=("amin",), samples=[*reductions(distinct=True), S(ints(2, 3), 0), S(t(0, 3), 1)])
def amin(xp, input: Array, dim: Dim = (), keepdim: bool = False):
    """The smallest element over `dim` (int, tuple or all); equal ones share the gradient evenly.

    Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`.

    Raises:
        RuntimeError, IndexError: there is nothing to choose from.
    """
    refuse_empty("amin", input.shape, dim)
    return xp.min(input, axis=axes(dim, input.ndim), keepdims=keepdim)


amin.vjp(input=share_among_equals)


@composed(samples=[S(t(2, 3, distinct=True)), S(t(2, 3, distinct=True), dim=0),
                   S(t(2, 3, distinct=True), dim=-1, keepdim=True), S(t(), dim=0)])
def aminmax(input, *, dim=None, keepdim=False):
    """The smallest and the largest element, as (min, max); equal ones share the gradient evenly.

    Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`; twice.

    Raises:
        RuntimeError, IndexError: there is nothing to choose from.
    """
    _one_dim("aminmax", dim)
    refuse_empty("aminmax", input.shape, dim)
    return MinMax(amin(input, dim, keepdim), amax(input, dim, keepdim))


MinMax = namedtuple("MinMax", "min max")


def _arg(xp, name, input, dim, keepdim):
    """The position of an extremum: in the flattened array if dim is None."""
    function = getattr(xp, name)
    _one_dim(name, dim)
    if input.dtype.kind == "b":
        raise RuntimeError(f"{name}: bool has no order; convert with .int(), or use max(dim)")
    refuse_empty(name, input.shape, tuple(range(input.ndim)) if dim is None else dim)
    if dim is None:
        found = function(xp.reshape(input, (-1,)), axis=0)
        return xp.reshape(found, (1,) * input.ndim) if keepdim else found
    (axis,) = axes(dim, input.ndim) or (0,)
    if not input.ndim:
        return xp.zeros((), dtype=xp.int64)
    found = function(input, axis=axis)
    return xp.expand_dims(found, axis) if keepdim else found


@op(samples=reductions(distinct=True, several=False), scalar="gives positions, not values")
def argmax(xp, input: Array, dim: int | None = None, keepdim: bool = False):
    """Where the largest element is: in the flattened Tensor, or along `dim`; the first of equals.

    Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`; int64.
    """
    return _arg(xp, "argmax", input, dim, keepdim)


@op(samples=reductions(distinct=True, several=False), scalar="gives positions, not values")
def argmin(xp, input: Array, dim: int | None = None, keepdim: bool = False):
    """Where the smallest element is: in the flattened Tensor, or along `dim`; the first of equals.

    Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`; int64.
    """
    return _arg(xp, "argmin", input, dim, keepdim)


ValuesAndIndices = namedtuple("ValuesAndIndices", "values indices")


def _extremum(name, input, other, keepdim, aliases, whole, pairwise, where):
    """max and min: of everything, of two Tensors, or along a dim with positions."""
    from ..tensors.tensor import Tensor

    if isinstance(other, Tensor):
        out = aliases.pop("out", None)
        if aliases or keepdim:
            raise TypeError(f"{name}: of two Tensors there is no "
                            f"{', '.join(aliases) or 'keepdim'}")
        result = pairwise(input, other)
        return result if out is None else out.copy_(result)
    dim = aliases.pop("dim", aliases.pop("axis", other))
    if aliases:
        raise TypeError(f"{name}: unexpected arguments: {', '.join(aliases)}")
    if dim is None:
        refuse_empty(name, input.shape, None)
        return whole(input)
    if not isinstance(keepdim, bool):
        raise TypeError(f"{name}: keepdim must be a bool, got {type(keepdim).__name__}")
    _one_dim(name, dim)
    refuse_empty(name, input.shape, dim)
    indices = where(input.int() if input.dtype is dtypes.bool_ else input, dim, True)
    return chosen(input, indices, dim, keepdim)


def chosen(input, indices, dim, keepdim):
    """What stands at one position along `dim` in each row, and the position."""
    from .sorting import pick

    if not input.ndim:
        return ValuesAndIndices(input.clone(), indices)
    values = pick(input, indices, dim)
    if not keepdim:
        values, indices = values.squeeze(dim), indices.squeeze(dim)
    return ValuesAndIndices(values, indices)


@composed(samples=[S(t(3, 4, distinct=True)), S(t(3, 4, distinct=True), 1),
                   S(t(3, 4, distinct=True), dim=0, keepdim=True), S(t(2, 3), t(3))])
def max_(input, other=None, keepdim=False, **dim):
    """The largest element; along a dim (values, indices); of two Tensors `maximum`, into `out`.

    Shapes: (*) -> (), or (*) without `dim` twice, or the broadcast shape.
    """
    from .elementwise import maximum

    return _extremum("max", input, other, keepdim, dim, amax, maximum, argmax)


@composed(samples=[S(t(3, 4, distinct=True)), S(t(3, 4, distinct=True), 1),
                   S(t(3, 4, distinct=True), dim=0, keepdim=True), S(t(2, 3), t(3))])
def min_(input, other=None, keepdim=False, **dim):
    """The smallest element; along a dim (values, indices); of two Tensors `minimum`, into `out`.

    Shapes: (*) -> (), or (*) without `dim` twice, or the broadcast shape.
    """
    from .elementwise import minimum

    return _extremum("min", input, other, keepdim, dim, amin, minimum, argmin)


# ---------------------------------------------------------------- truth


def _truth(xp, function, input, dim, keepdim):
    over = () if dim in ((), []) else axes(dim, input.ndim)
    found = function(input != 0, axis=over, keepdims=keepdim)
    return found.astype(input.dtype) if input.dtype == xp.uint8 else found


@op(samples=[S(bools(2, 3)), S(bools(2, 3), 1), S(t(2, 3, grad=False), 0, True),
             S(bools(2, 3, 2), (0, -1)), S(bools(2, 3), ()), S(t(0, 3, grad=False), 0),
             S(bools())], scalar="gives bool, not values")
def all_(xp, input: Array, dim: Dim = None, keepdim: bool = False):
    """Whether every element is not 0; over no dims, (), each for itself.

    Shapes: (*) -> () or (*) without `dim`; bool, but uint8 stays uint8.
    """
    return _truth(xp, xp.all, input, dim, keepdim)


@op(samples=[S(bools(2, 3)), S(bools(2, 3), 1), S(t(2, 3, grad=False), 0, True),
             S(bools(2, 3, 2), (0, -1)), S(bools(2, 3), ()), S(t(0, 3, grad=False), 0),
             S(bools())], scalar="gives bool, not values")
def any_(xp, input: Array, dim: Dim = None, keepdim: bool = False):
    """Whether some element is not 0; over no dims, (), each for itself.

    Shapes: (*) -> () or (*) without `dim`; bool, but uint8 stays uint8.
    """
    return _truth(xp, xp.any, input, dim, keepdim)


# ---------------------------------------------------------------- spread


SPREADS = [S(t(2, 3, 4)), S(t(2, 3, 4), 1), S(t(2, 3, 4), (0, 2), keepdim=True),
           S(t(2, 5), 1, correction=0), S(t(5), unbiased=False), S(t(2, 5), dim=0, unbiased=False),
           S(t(2, 5), 0, False), S(t(2, 5), False), S(t(2, 5), 1, True, True),
           S(t(2, 5), correction=0.5), S(t(2, 5, grad=False), ())]


@op(method=False, internal=True, samples=[S(t(3, low=0.1)), S(t(3, low=0.1), 3.0)],
    reference=lambda torch: lambda x, p=2: x ** (1 / p))
def root(xp, input: Array, p: float = 2):
    """The p-th root, whose derivative at 0 is 0. Shapes: (*) -> (*).

    The lengths of a zero vector and the deviation of equal numbers have a kink there, and their
    gradient is 0 by convention; that of `sqrt` is infinite.
    """
    return xp.sqrt(input) if p == 2 else input ** (1 / p)


@root.vjp("input")
def _(xp, g, out, p):
    safe = xp.where(out == 0, xp.ones_like(out), out)
    return g * (out != 0) / (p * safe if p == 2 else p * safe ** (p - 1))


def _spread(name, input, dim, unbiased, keepdim, correction):
    """The variance, and the mean that it is taken around, of every form of call."""
    if isinstance(dim, bool):  # var(input, unbiased)
        dim, unbiased = None, dim
    if not isinstance(unbiased, bool):
        raise TypeError(f"{name}: takes (input, dim, unbiased: bool, keepdim) or (input, dim, *, "
                        "correction, keepdim)")
    if not input.dtype.is_floating_point:
        raise RuntimeError(f"{name}: needs a floating point Tensor, got {input.dtype}; "
                           "convert it with .float() first")
    if input.dtype is dtypes.float16:  # squares soon exceed its range
        pair = _spread(name, input.float(), dim, unbiased, keepdim, correction)
        return tuple(x.half() for x in pair)
    correction = int(unbiased) if correction is None else correction
    centre = mean(input, dim, True)
    centred = input - centre
    left = max(count(input.shape, dim) - correction, 0)
    variance = sum_(centred * centred, dim, keepdim) / left
    return variance, centre if keepdim else centre.reshape(tuple(variance.shape))


@composed(samples=SPREADS)
def var(input, dim=None, unbiased=True, keepdim=False, *, correction=None):
    """Σ (x - mean)² / (n - correction), where the correction is 1 unless given or unbiased=False.

    Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`.

    Raises:
        RuntimeError: the input is not of floating point.
    """
    return _spread("var", input, dim, unbiased, keepdim, correction)[0]


@composed(samples=SPREADS)
def std(input, dim=None, unbiased=True, keepdim=False, *, correction=None):
    """The square root of `var`; its gradient where all elements are equal is 0.

    Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`.
    """
    return root(_spread("std", input, dim, unbiased, keepdim, correction)[0])


@composed(method=False, samples=SPREADS)
def var_mean(input, dim=None, unbiased=True, keepdim=False, *, correction=None):
    """(var, mean). Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`; twice."""
    return _spread("var_mean", input, dim, unbiased, keepdim, correction)


@composed(method=False, samples=SPREADS)
def std_mean(input, dim=None, unbiased=True, keepdim=False, *, correction=None):
    """(std, mean). Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`; twice."""
    variance, centre = _spread("std_mean", input, dim, unbiased, keepdim, correction)
    return root(variance), centre


# ---------------------------------------------------------------- norms


ORDERS = [S(t(2, 3, low=0.2), 1), S(t(2, 3), 3), S(t(2, 3, distinct=True), math.inf),
          S(t(2, 3, distinct=True), -math.inf), S(t(2, 3, grad=False), 0), S(t(2, 3), -1.5),
          S(t(2, 3), 2.5, 0), S(t(2, 3, 4), 2, (0, -1), True)]


@composed(home="linalg", method=False, samples=[S(t(2, 3)), S(t()), *ORDERS])
def vector_norm(x, ord=2, dim=None, keepdim=False, *, dtype=None):
    """(Σ |x|^ord)^(1/ord) over `dim` (int, tuple or all); the limits for inf, -inf and 0.

    Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`.

    Raises:
        RuntimeError: the input is not of floating point; no elements, and an `ord` for which
            the norm of nothing is not 0.
    """
    x = _normed("linalg.vector_norm", x, dtype)
    if (ord < 0 or ord == math.inf) and not x.numel():
        if dim is None or not all(x.shape[i] for i in axes(dim, x.ndim)):
            raise RuntimeError(f"linalg.vector_norm: shape {tuple(x.shape)} has no elements to "
                               f"take the norm of, and for ord {ord} it would not be 0")
    if ord == 2:
        return root(sum_(x * x, dim, keepdim))
    size = x.abs()
    if math.isinf(ord):
        return (amax if ord > 0 else amin)(size, dim, keepdim)
    if ord == 0:
        return sum_(x != 0, dim, keepdim).to(x.dtype)
    if ord == 1:
        return sum_(size, dim, keepdim)
    return root(sum_(size ** ord, dim, keepdim), ord)


def _normed(name, x, dtype):
    """The input of a norm in the dtype in which it is computed."""
    if not x.dtype.is_floating_point:
        raise RuntimeError(f"{name}: needs a floating point Tensor, got {x.dtype}; "
                           "convert it with .float() first")
    return x if dtype is None else x.to(dtypes.resolve(dtype))


@composed(home="linalg", method=False, samples=[
    S(t(2, 3)), S(t(2, 3, 4), 1, (0, 2)), S(t(2, 3), "fro", keepdim=True), S(t(3, 2), math.inf),
    S(t(3, 2), -math.inf), S(t(3, 2, 4), -1, (-1, 0), True), S(t(2, 3), 2), S(t(2, 3), -2),
    S(t(2, 2, 3), "nuc")], scalar="singular values are found by LAPACK")
def matrix_norm(A, ord="fro", dim=(-2, -1), keepdim=False, *, dtype=None):  # noqa: N803
    """The norm of matrices in two dims: "fro", "nuc", 1, -1, 2, -2, inf, -inf.

    1 and inf are the largest sum of absolute values in a column and in a row, 2 is the largest
    singular value, "nuc" the sum of them; a minus asks for the smallest.
    Shapes: (*, n, m) -> (*), or with both dims as 1 if `keepdim`.

    Raises:
        RuntimeError: fewer than two dims; an `ord` that matrices do not have.
    """
    x = _normed("linalg.matrix_norm", A, dtype)
    if x.ndim < 2:
        raise RuntimeError(f"linalg.matrix_norm: needs at least 2 dimensions, got shape "
                           f"{tuple(x.shape)}")
    if ord not in ("fro", "nuc", 1, -1, 2, -2, math.inf, -math.inf):
        raise RuntimeError(f"linalg.matrix_norm: order {ord!r} is none of 'fro', 'nuc', 1, -1, 2, "
                           "-2, inf, -inf")
    rows, columns = axes(tuple(dim), x.ndim)
    if ord == "fro":
        return vector_norm(x, 2, (rows, columns), keepdim)
    if ord in (1, -1, math.inf, -math.inf):
        along, across = (rows, columns) if ord in (1, -1) else (columns, rows)
        sums = sum_(x.abs(), along, True)
        found = (amax if ord > 0 else amin)(sums, across, True)
    else:
        found = _of_singular_values(x.movedim((rows, columns), (-2, -1)), ord)
        found = found.unsqueeze(-1).unsqueeze(-1).movedim((-2, -1), (rows, columns))
    return found if keepdim else found.squeeze((rows, columns))


def _of_singular_values(x, ord):
    from .decomposition import svdvals

    values = svdvals(x)
    return sum_(values, -1) if ord == "nuc" else (amax if ord > 0 else amin)(values, -1)


@composed(home="linalg", method=False, samples=[
    S(t(2, 3)), S(t(2, 3), 1), S(t(3), 3), S(t(2, 3), 1, 0), S(t(2, 3, 2), "fro", (0, 1)),
    S(t(2, 3, 2)), S(t(2, 3), None, 1, True)], reference="linalg.norm")
def norm(A, ord=None, dim=None, keepdim=False, *, dtype=None):  # noqa: N803
    """The 2-norm of everything, or the vector or matrix norm that `ord` and `dim` ask for.

    Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`.
    """
    if ord is None:
        return vector_norm(A, 2, dim, keepdim, dtype=dtype)
    pair = (-2, -1) if dim is None and A.ndim > 1 else dim
    if isinstance(pair, tuple | list) and len(pair) == 2:
        return matrix_norm(A, ord, pair, keepdim, dtype=dtype)
    return vector_norm(A, ord, dim, keepdim, dtype=dtype)


@composed(reference="norm", samples=[  # type: ignore[no-redef]
    S(t(2, 3)), S(t(2, 3), "fro", 1), S(t(2, 3), dim=0, keepdim=True), S(t()), *ORDERS])
def norm(input, p="fro", dim=None, keepdim=False, dtype=None):  # noqa: F811 - not linalg's
    """The norm (Σ |x|^p)^(1/p) over `dim` (int, tuple or all); "fro" is 2, "nuc" is of matrices.

    Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`.
    """
    if p == "nuc":
        return matrix_norm(input, p, (-2, -1) if dim is None else dim, keepdim, dtype=dtype)
    return vector_norm(input, 2 if p in ("fro", None) else p, dim, keepdim, dtype=dtype)


@composed(samples=[S(t(2, 3), t(2, 3)), S(t(2, 3), t(3), 1), S(t(4), t(4), 3.0), S(t(), t())])
def dist(input, other, p=2):
    """The p-norm of input - other. Shapes: (*), (*) that broadcast -> ()."""
    return vector_norm(input - other, p)


@composed(inplace=True, samples=[S(t(3, 4), 2, 0, 0.5), S(t(3, 4), 1, 1, 1.5),
                                 S(t(2, 3, 4), 2.5, -2, 1.0), S(t(2, 3), float("inf"), 0, 0.4)])
def renorm(input, p, dim, maxnorm):
    """Slices along `dim` whose p-norm is above maxnorm, scaled down to it. Shapes: (*) -> (*).

    Raises:
        RuntimeError: fewer than two dims; a p that is not positive, a negative maxnorm.
    """
    from .index import where  # that file stands above this one

    if input.ndim < 2:
        raise RuntimeError(f"renorm: needs at least 2 dimensions, got shape {tuple(input.shape)}")
    if not p > 0 or not maxnorm >= 0:
        raise RuntimeError(f"renorm: p must be positive and maxnorm at least 0, got {p} and "
                           f"{maxnorm}")
    (axis,) = axes(dim, input.ndim)
    norms = vector_norm(input, p, tuple(i for i in range(input.ndim) if i != axis), True)
    return input * where(norms > maxnorm, maxnorm / (norms + 1e-7), norms.new_ones(()))


# ---------------------------------------------------------------- log-sum-exp


@op(promotes="float", array_names=("logsumexp",), samples=[
    S(t(3, 4), 1), S(t(3, 4), (0, 1)), S(t(3, 4), 0, True), S(t(2), -1),
    S(t(), 0), S(t(0, 3), 0), S(t(0, 3), 1), S(ints(3), 0)])
def logsumexp(xp, input: Array, dim: Dim, keepdim: bool = False):
    """log Σ e**input, without overflow. Shapes: (*) -> (*) without `dim`."""
    over = axes(dim, input.ndim)
    if not count(input.shape, dim):  # the sum of nothing is 0
        return xp.sum(input, axis=over, keepdims=keepdim) - math.inf
    top = xp.max(input, axis=over, keepdims=True)
    if input.dtype.kind == "f":  # where all is -inf or some is inf, that is the result
        top = xp.where(xp.isfinite(top), top, xp.zeros_like(top))
    out = xp.log(xp.sum(xp.exp(input - top), axis=over, keepdims=True)) + top
    return out if keepdim else xp.reshape(out, tuple(
        n for i, n in enumerate(input.shape) if i not in over))


@logsumexp.vjp("input")
def _(xp, g, input, out, input_shape, dim):
    total = xp.reshape(out, kept(input_shape, dim))
    return spread(xp, g, input_shape, dim) * xp.exp(input - total)
