"""Products of matrices."""

from __future__ import annotations

from typing import Any

from ..autograd.op import composed, op
from .samples import S, t

Array = Any


def _check_inner(name, a, b):
    if not a.ndim or not b.ndim:
        raise RuntimeError(f"{name}: 0-d Tensors have no matrix product; use *")
    inner, other = a.shape[-1], b.shape[-2 if b.ndim > 1 else -1]
    if inner != other:
        raise RuntimeError(f"{name}: {tuple(a.shape)} @ {tuple(b.shape)}: the inner sizes "
                           f"{inner} and {other} differ")


@op(promotes="same", operator="__matmul__", array_names=("matmul",), samples=[
    S(t(3, 4), t(4, 2)), S(t(4), t(4)), S(t(4), t(4, 2)), S(t(3, 4), t(4)),
    S(t(2, 3, 4), t(4, 2)), S(t(3, 4), t(2, 4, 2)), S(t(2, 1, 3, 4), t(5, 4, 2)),
    S(t(2, 3, 4), t(4)), S(t(4), t(2, 4, 3)), S(t(0, 3), t(3, 2)), S(t(2, 0), t(0, 3))])
def matmul(xp, input: Array, other: Array):
    """The matrix product; dims before the last two are a batch and broadcast.

    Shapes: (*, n, k), (*, k, m) -> (*, n, m); a vector (k) is a row on the left, a column on
    the right, and its dim is not in the result.
    """
    _check_inner("matmul", input, other)
    return xp.matmul(input, other)


def _rows(xp, x):
    """A vector as a matrix of one row."""
    return xp.reshape(x, (1, -1)) if len(x.shape) == 1 else x


def _columns(xp, x):
    """A vector as a matrix of one column."""
    return xp.reshape(x, (-1, 1)) if len(x.shape) == 1 else x


def _as_product(xp, g, left, right):
    """The gradient of a product with the dims that vectors did not leave in it."""
    if left == 1:
        g = xp.expand_dims(g, -2 if right > 1 else -1)
    return xp.expand_dims(g, -1) if right == 1 else g


def _to_vector(xp, d, shape):
    """The gradient of a vector: summed over the batch that it was repeated for."""
    batch = tuple(range(len(d.shape) - 2))
    return xp.reshape(xp.sum(d, axis=batch) if batch else d, shape)


@matmul.vjp("input")
def _(xp, g, other, input_shape):
    g = _as_product(xp, g, len(input_shape), len(other.shape))
    d = xp.matmul(g, xp.swapaxes(_columns(xp, other), -1, -2))
    return _to_vector(xp, d, input_shape) if len(input_shape) == 1 else d


@matmul.vjp("other")
def _(xp, g, input, other_shape):
    g = _as_product(xp, g, len(input.shape), len(other_shape))
    rows = _rows(xp, input)
    if len(other_shape) == 2 and len(rows.shape) > 2:  # one large product, not a sum of small
        rows = xp.reshape(rows, (-1, rows.shape[-1]))
        g = xp.reshape(g, (-1, g.shape[-1]))
    d = xp.matmul(xp.swapaxes(rows, -1, -2), g)
    return _to_vector(xp, d, other_shape) if len(other_shape) == 1 else d


@composed(samples=[S(t(3, 4), t(4, 2))])
def mm(input, mat2):
    """The product of two matrices, without broadcasting. Shapes: (n, k), (k, m) -> (n, m)."""
    if input.ndim != 2 or mat2.ndim != 2:
        raise RuntimeError(f"mm: expects two matrices, got shapes {tuple(input.shape)} and "
                           f"{tuple(mat2.shape)}; matmul takes every rank")
    return matmul(input, mat2)


@op(promotes="same", home="nn.functional", method=False, samples=[
    S(t(5, 3), t(4, 3)), S(t(5, 3), t(4, 3), t(4)), S(t(2, 5, 3), t(4, 3), t(4)),
    S(t(3), t(4, 3), t(4)), S(t(0, 3), t(4, 3), t(4))])
def linear(xp, input: Array, weight: Array, bias: Array | None = None):
    """input @ weight.T + bias. Shapes: (*, in), (out, in), (out) -> (*, out).

    One op rather than three: it is the most frequent call of all.
    """
    _check_inner("linear", input, weight.T)
    out = xp.matmul(input, weight.T)
    return out if bias is None else out + bias


@linear.vjp("input")
def _(xp, g, weight):
    return xp.matmul(g, weight)


@linear.vjp("weight")
def _(xp, g, input):
    rows = xp.reshape(g, (-1, g.shape[-1]))
    return xp.matmul(xp.swapaxes(rows, 0, 1), xp.reshape(input, (-1, input.shape[-1])))


@linear.vjp("bias")
def _(xp, g):
    # A product with ones sums columns faster, and in float32 better, than sum(axis=0) does.
    rows = xp.reshape(g, (-1, g.shape[-1]))
    return xp.matmul(xp.ones(rows.shape[0], dtype=g.dtype), rows)
