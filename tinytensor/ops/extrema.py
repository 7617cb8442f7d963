"""The largest and smallest elements, and their positions.

`pick` and `put_back` are a pair: each is the derivative of the other.
"""

from __future__ import annotations

from typing import Any

from ..arrays import Array, dtypes
from ..arrays.numbers import integer
from ..arrays.return_types import return_type
from ..autograd.table import composed, op
from ..tensors.tensor import Tensor
from .dims import Dim, axes, kept, one_dim, refuse_empty
from .elementwise import maximum, minimum
from .index import along
from .reduce import spread
from .samples import S, ints, reductions, t

# ---------------------------------------------------------------- elements at distinct positions


@op(contiguous=True, method=False, internal=True, positions=("indices",), samples=[
    S(t(3, 4), ints(3, 1, high=4), 1), S(t(3, 4), ints(1, 4, high=3), 0)],
    reference="take_along_dim")
def pick(xp, input: Array, indices: Array, dim: int):
    """The elements at `indices` along `dim`, which must be distinct.

    Shapes: (*, n, *), (*, k, *) -> (*, k, *).
    """
    return input[along(indices, input.shape, dim)]


@op(method=False, internal=True, positions=("indices",),
    samples=[S(t(3, 1), ints(3, 1, high=4), 1, 4)],
    reference=lambda torch: lambda x, i, dim, n: torch.zeros(
        3, n, dtype=x.dtype).scatter(dim, i, x))
def put_back(xp, input: Array, indices: Array, dim: int, size: int):
    """Zeros, with the input written at `indices` along `dim`, which must be distinct.

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


# ---------------------------------------------------------------- extrema


def share_among_equals(xp, g, input, out, input_shape, dim):
    """The gradient of an extremum, divided evenly among the elements that equal it."""
    out = xp.reshape(out, kept(input_shape, dim))
    attained = (input == out) | ((input != input) & (out != out))  # NaN is equal to NaN here
    g = spread(xp, g, input_shape, dim) * attained
    return g / xp.sum(attained * xp.ones_like(input), axis=axes(dim, len(input_shape)),
                      keepdims=True)


@op(contiguous=True,
    array_names=("amax",), samples=[*reductions(distinct=True), S(ints(2, 3), 0), S(t(0, 3), 1)])
def amax(xp, input: Array, dim: Dim = (), keepdim: bool = False):
    """The largest element over `dim` (int, tuple or all); ties share the gradient evenly.

    Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`.

    Raises:
        RuntimeError, IndexError: there are no elements to reduce.
    """
    refuse_empty("amax", input.shape, dim)
    return xp.max(input, axis=axes(dim, input.ndim), keepdims=keepdim)


amax.vjp(input=share_among_equals)


@op(contiguous=True,
    array_names=("amin",), samples=[*reductions(distinct=True), S(ints(2, 3), 0), S(t(0, 3), 1)])
def amin(xp, input: Array, dim: Dim = (), keepdim: bool = False):
    """The smallest element over `dim` (int, tuple or all); ties share the gradient evenly.

    Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`.

    Raises:
        RuntimeError, IndexError: there are no elements to reduce.
    """
    refuse_empty("amin", input.shape, dim)
    return xp.min(input, axis=axes(dim, input.ndim), keepdims=keepdim)


amin.vjp(input=share_among_equals)


@composed(samples=[S(t(2, 3, distinct=True)), S(t(2, 3, distinct=True), dim=0),
                   S(t(2, 3, distinct=True), dim=-1, keepdim=True), S(t(), dim=0)])
def aminmax(input: Tensor, *, dim: int | None = None, keepdim: bool = False):
    """The smallest and the largest element, as (min, max); ties share the gradient evenly.

    Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`; twice.

    Raises:
        RuntimeError, IndexError: there are no elements to reduce.
    """
    one_dim("aminmax", dim)
    refuse_empty("aminmax", input.shape, dim)
    return MinMax(amin(input, dim, keepdim), amax(input, dim, keepdim))


MinMax = return_type("aminmax", "min", "max")


def _arg(xp, name, input, dim, keepdim):
    """The position of an extremum along `dim`, or in the flattened array if it is None."""
    function = getattr(xp, name)
    one_dim(name, dim)
    if input.dtype.kind == "b":
        raise RuntimeError(f"{name}: bool has no order; convert with .int(), or use max(dim)")
    refuse_empty(name, input.shape, tuple(range(input.ndim)) if dim is None else dim)
    if dim is None:
        position = function(xp.reshape(input, (-1,)), axis=0)
        return xp.reshape(position, (1,) * input.ndim) if keepdim else position
    (axis,) = axes(dim, input.ndim) or (0,)
    if not input.ndim:
        return xp.zeros((), dtype=xp.int64)
    positions = function(input, axis=axis)
    return xp.expand_dims(positions, axis) if keepdim else positions


@op(contiguous=True,
    samples=reductions(distinct=True, several=False), scalar="gives positions, not values")
def argmax(xp, input: Array, dim: int | None = None, keepdim: bool = False):
    """The index of the largest element along `dim` or in the flattened Tensor; the first at a tie.

    Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`; int64.
    """
    return _arg(xp, "argmax", input, dim, keepdim)


@op(contiguous=True,
    samples=reductions(distinct=True, several=False), scalar="gives positions, not values")
def argmin(xp, input: Array, dim: int | None = None, keepdim: bool = False):
    """The index of the smallest element along `dim` or in the flattened Tensor; the first at a tie.

    Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`; int64.
    """
    return _arg(xp, "argmin", input, dim, keepdim)


def _extremum(name, input, other, keepdim, aliases, whole, pairwise, where):
    """max and min: of all elements, of two Tensors, or along a dim with indices."""
    if isinstance(other, Tensor):
        if aliases or keepdim:
            raise TypeError(f"{name}: of two Tensors there is no "
                            f"{', '.join(aliases) or 'keepdim'}")
        return pairwise(input, other)
    dim = aliases.pop("dim", aliases.pop("axis", other))
    if aliases:
        raise TypeError(f"{name}: unexpected arguments: {', '.join(aliases)}")
    if dim is None:
        refuse_empty(name, input.shape, None)
        return whole(input)
    if not isinstance(keepdim, bool):
        raise TypeError(f"{name}: keepdim must be a bool, got {type(keepdim).__name__}")
    one_dim(name, dim)
    dim = integer(f"{name}: dim", dim)
    refuse_empty(name, input.shape, dim)
    indices = where(input.int() if input.dtype is dtypes.bool_ else input, dim, True)
    return chosen(name, input, indices, dim, keepdim)


def values_and_indices(name, values, indices):
    """The result of the operation `name`."""
    return return_type(name, "values", "indices")(values, indices)


def chosen(name, input, indices, dim, keepdim):
    """(values, indices): the elements at `indices` along `dim`, without that dim of size 1 unless
    `keepdim`. `name` is that of the operation.
    """
    if not input.ndim:
        return values_and_indices(name, input.clone(), indices)
    values = pick(input, indices, dim)
    if not keepdim:
        values, indices = values.squeeze(dim), indices.squeeze(dim)
    return values_and_indices(name, values, indices)


@composed(samples=[S(t(3, 4, distinct=True)), S(t(3, 4, distinct=True), 1),
                   S(t(3, 4, distinct=True), dim=0, keepdim=True), S(t(2, 3), t(3))])
def max_(input: Tensor, other: Tensor | int | None = None, keepdim: bool = False, **dim: Any):
    """The largest element; with a dim (values, indices); of two Tensors `maximum`.

    Shapes: (*) -> (), or (*) without `dim` twice, or the broadcast shape.
    """
    return _extremum("max", input, other, keepdim, dim, amax, maximum, argmax)


@composed(samples=[S(t(3, 4, distinct=True)), S(t(3, 4, distinct=True), 1),
                   S(t(3, 4, distinct=True), dim=0, keepdim=True), S(t(2, 3), t(3))])
def min_(input: Tensor, other: Tensor | int | None = None, keepdim: bool = False, **dim: Any):
    """The smallest element; with a dim (values, indices); of two Tensors `minimum`.

    Shapes: (*) -> (), or (*) without `dim` twice, or the broadcast shape.
    """
    return _extremum("min", input, other, keepdim, dim, amin, minimum, argmin)
