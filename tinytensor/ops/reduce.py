"""Reductions: many elements to one, over all dims or some.

`sum` and `broadcast_to` are each other's derivative.
"""

from __future__ import annotations

import math
from collections import namedtuple
from typing import Any

from .. import dtypes
from ..autograd.op import composed, op
from .samples import S, bools, ints, reductions, t

Array = Any
Dim = int | tuple[int, ...] | list[int] | None


def axes(dim: Dim, ndim: int) -> tuple[int, ...]:
    """The dims that a reduction goes over, as numbers from 0; None and () are all of them.

    Raises:
        IndexError: a dim that does not exist.
        RuntimeError: one that is named twice.
    """
    if dim is None or isinstance(dim, tuple | list) and not dim:
        return tuple(range(ndim))
    found = []
    for d in (dim,) if isinstance(dim, int) else dim:
        if not -max(ndim, 1) <= d < max(ndim, 1):
            raise IndexError(f"dim {d} is out of range for {ndim} dimensions: it must be in "
                             f"[{-max(ndim, 1)}, {max(ndim, 1) - 1}]")
        d %= max(ndim, 1)
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


@op(array_names=("sum",), samples=[*reductions(), S(ints(2, 3)), S(bools(4), 0), S(t(0, 3), 0),
                                   S(t(2, 3), 1, dtype="float64")])
def sum_(xp, input: Array, dim: Dim = None, keepdim: bool = False):
    """The sum over `dim` (int, tuple or all); integers and bool give int64.

    Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`.
    """
    if input.dtype.kind in "biu":
        return xp.sum(input, axis=axes(dim, input.ndim), keepdims=keepdim, dtype=xp.int64)
    return xp.sum(input, axis=axes(dim, input.ndim), keepdims=keepdim)


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
    n = count(input.shape, dim)
    return xp.sum(input, axis=axes(dim, input.ndim), keepdims=keepdim) * (1 / n if n else math.nan)


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


def _share_among_equals(xp, g, input, out, input_shape, dim):
    """The gradient of an extremum: evenly to all the elements that attain it."""
    attained = input == xp.reshape(out, kept(input_shape, dim))
    g = spread(xp, g, input_shape, dim) * attained
    return g / xp.sum(attained * xp.ones_like(input), axis=axes(dim, len(input_shape)),
                      keepdims=True)


@op(array_names=("amax",), samples=reductions(distinct=True))
def amax(xp, input: Array, dim: Dim = (), keepdim: bool = False):
    """The largest element over `dim` (int, tuple or all); equal ones share the gradient evenly.

    Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`.
    """
    return xp.max(input, axis=axes(dim, input.ndim), keepdims=keepdim)


amax.vjp(input=_share_among_equals)


@op(array_names=("amin",), samples=reductions(distinct=True))
def amin(xp, input: Array, dim: Dim = (), keepdim: bool = False):
    """The smallest element over `dim` (int, tuple or all); equal ones share the gradient evenly.

    Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`.
    """
    return xp.min(input, axis=axes(dim, input.ndim), keepdims=keepdim)


amin.vjp(input=_share_among_equals)


def _arg(xp, function, input, dim, keepdim):
    """The position of an extremum: in the flattened array if dim is None."""
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
    return _arg(xp, xp.argmax, input, dim, keepdim)


@op(samples=reductions(distinct=True, several=False), scalar="gives positions, not values")
def argmin(xp, input: Array, dim: int | None = None, keepdim: bool = False):
    """Where the smallest element is: in the flattened Tensor, or along `dim`; the first of equals.

    Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`; int64.
    """
    return _arg(xp, xp.argmin, input, dim, keepdim)


ValuesAndIndices = namedtuple("ValuesAndIndices", "values indices")


def _extremum(input, other, keepdim, aliases, whole, pairwise, where):
    """max and min: of everything, of two Tensors, or along a dim with positions."""
    from ..tensor import Tensor

    if isinstance(other, Tensor):
        return pairwise(input, other)
    dim = aliases.pop("dim", aliases.pop("axis", other))
    keepdim = aliases.pop("keepdims", keepdim)
    if aliases:
        raise TypeError(f"unexpected arguments: {', '.join(aliases)}")
    if dim is None:
        return whole(input)
    indices = where(input, dim, True)
    values = input.take_along_dim(indices, dim) if input.ndim else input
    if not keepdim and input.ndim:
        values, indices = values.squeeze(dim), indices.squeeze(dim)
    return ValuesAndIndices(values, indices)


@composed(samples=[S(t(3, 4, distinct=True)), S(t(3, 4, distinct=True), 1),
                   S(t(3, 4, distinct=True), dim=0, keepdim=True), S(t(2, 3), t(3))],
          scalar="gives positions too")
def max_(input, other=None, keepdim=False, **dim):
    """The largest element; along a dim (values, indices); of two Tensors `maximum`.

    Shapes: (*) -> (), or (*) without `dim` twice, or the broadcast shape.
    """
    from .elementwise import maximum

    return _extremum(input, other, keepdim, dim, amax, maximum, argmax)


@composed(samples=[S(t(3, 4, distinct=True)), S(t(3, 4, distinct=True), 1),
                   S(t(3, 4, distinct=True), dim=0, keepdim=True), S(t(2, 3), t(3))],
          scalar="gives positions too")
def min_(input, other=None, keepdim=False, **dim):
    """The smallest element; along a dim (values, indices); of two Tensors `minimum`.

    Shapes: (*) -> (), or (*) without `dim` twice, or the broadcast shape.
    """
    from .elementwise import minimum

    return _extremum(input, other, keepdim, dim, amin, minimum, argmin)


@op(samples=[S(bools(2, 3)), S(bools(2, 3), 1), S(t(2, 3), 0, True)],
    scalar="gives bool, not values")
def all_(xp, input: Array, dim: Dim = None, keepdim: bool = False):
    """Whether every element is not 0. Shapes: (*) -> () or (*) without `dim`; bool."""
    return xp.all(input, axis=axes(dim, input.ndim), keepdims=keepdim)


@op(samples=[S(bools(2, 3)), S(bools(2, 3), 1), S(t(2, 3), 0, True)],
    scalar="gives bool, not values")
def any_(xp, input: Array, dim: Dim = None, keepdim: bool = False):
    """Whether some element is not 0. Shapes: (*) -> () or (*) without `dim`; bool."""
    return xp.any(input, axis=axes(dim, input.ndim), keepdims=keepdim)


SPREADS = [S(t(2, 3, 4)), S(t(2, 3, 4), 1), S(t(2, 3, 4), (0, 2), keepdim=True),
           S(t(2, 5), 1, correction=0), S(t(5), unbiased=False), S(t(2, 5), dim=0, unbiased=False)]


@composed(samples=SPREADS)
def var(input, dim=None, unbiased=True, keepdim=False, *, correction=None, **aliases):
    """Σ (x - mean)² / (n - correction), where the correction is 1 unless given or unbiased=False.

    Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`.
    """
    if isinstance(dim, bool):  # var(input, unbiased)
        dim, unbiased = None, dim
    dim, keepdim = aliases.pop("axis", dim), aliases.pop("keepdims", keepdim)
    correction = (1 if unbiased else 0) if correction is None else correction
    n = count(input.shape, dim)
    centred = input - mean(input, dim, True)
    squares = sum_(centred * centred, dim, keepdim)
    left = n - correction
    return squares / left if left > 0 else squares * (math.nan if n <= correction else 1.0)


@composed(samples=SPREADS)
def std(input, dim=None, unbiased=True, keepdim=False, *, correction=None, **aliases):
    """The square root of `var`. Shapes: (*) -> () or (*) without `dim`."""
    return var(input, dim, unbiased, keepdim, correction=correction, **aliases).sqrt()


@op(promotes="float", array_names=("logsumexp",), samples=[
    S(t(3, 4), 1), S(t(3, 4), (0, 1)), S(t(3, 4), 0, True), S(t(2), -1)])
def logsumexp(xp, input: Array, dim: Dim, keepdim: bool = False):
    """log Σ e**input, without overflow. Shapes: (*) -> (*) without `dim`."""
    over = axes(dim, input.ndim)
    top = xp.max(input, axis=over, keepdims=True)
    if top.dtype.kind == "f":  # where all is -inf or some is inf, that is the result
        top = xp.where(xp.isfinite(top), top, xp.zeros_like(top))
    out = xp.log(xp.sum(xp.exp(input - top), axis=over, keepdims=True)) + top
    return out if keepdim else xp.reshape(out, tuple(
        n for i, n in enumerate(input.shape) if i not in over))


@logsumexp.vjp("input")
def _(xp, g, input, out, input_shape, dim):
    total = xp.reshape(out, kept(input_shape, dim))
    return spread(xp, g, input_shape, dim) * xp.exp(input - total)
