"""Softmax and its logarithm. (relu, sigmoid and tanh stand among the elementwise functions.)"""

from __future__ import annotations

from typing import Any

from .. import dtypes
from ..autograd.op import op
from .reduce import axes
from .samples import S, t

Array = Any
SAMPLES = [S(t(3, 4), 1), S(t(2, 3, 4), 0), S(t(2, 3, 4), -1), S(t(), 0), S(t(0, 3), 1)]


def _exponentials(xp, input, dim):
    """e ** (input - max): the shift changes no result and keeps every power at most 1."""
    over = axes(dim, input.ndim)
    return xp.exp(input - xp.max(input, axis=over, keepdims=True)) if input.size else xp.exp(input)


@op(promotes="float", samples=SAMPLES)
def softmax(xp, input: Array, dim: int):
    """e**x / Σ e**x along a dim. Shapes: (*) -> (*)."""
    powers = _exponentials(xp, input, dim)
    return powers / xp.sum(powers, axis=axes(dim, input.ndim), keepdims=True)


@softmax.vjp("input")
def _(xp, g, out, dim):
    weighted = g * out
    return weighted - out * xp.sum(weighted, axis=axes(dim, len(out.shape)), keepdims=True)


@op(promotes="float", samples=SAMPLES)
def log_softmax(xp, input: Array, dim: int):
    """x - log Σ e**x along a dim, without overflow. Shapes: (*) -> (*)."""
    if not input.size:
        return input
    over = axes(dim, input.ndim)
    shifted = input - xp.max(input, axis=over, keepdims=True)
    return shifted - xp.log(xp.sum(xp.exp(shifted), axis=over, keepdims=True))


@log_softmax.vjp("input")
def _(xp, g, out, dim):
    return g - xp.exp(out) * xp.sum(g, axis=axes(dim, len(out.shape)), keepdims=True)


def _with_dtype(function):
    def public(input, dim=None, dtype=None, **aliases):
        if dtype is not None:
            input = input.to(dtypes.resolve(dtype))
        dim = aliases.get("axis", dim)
        if dim is None:
            raise TypeError(f"{function.name}: say along which dim, for scores of shape "
                            f"(batch, classes) write dim=1")
        return function(input, dim)

    public.__name__, public.__doc__ = function.name, function.forward.__doc__
    return function.public(public)


_with_dtype(softmax)
_with_dtype(log_softmax)
