"""Normalisation."""

from __future__ import annotations

from typing import Any

from ..autograd.op import op
from .samples import S, t

Array = Any


@op(promotes="same", home="nn.functional", method=False, residuals=("normalized", "scale"),
    samples=[S(t(3, 4), (4,)), S(t(2, 3, 4), (4,), t(4), t(4)), S(t(2, 3, 4), (3, 4), t(3, 4)),
             S(t(2, 5), (5,), t(5), t(5), eps=0.1)])
def layer_norm(xp, input: Array, normalized_shape: Any, weight: Array | None = None,
               bias: Array | None = None, eps: float = 1e-05):
    """(x - mean) / sqrt(var + eps) * weight + bias, over the last dims, those of normalized_shape.

    Shapes: (*, S), weight and bias (S) -> (*, S). Ba, Kiros and Hinton 2016.

    Raises:
        RuntimeError: the input does not end in `normalized_shape`.
    """
    shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    if tuple(input.shape[-len(shape):]) != shape:
        raise RuntimeError(f"layer_norm: an input of shape {tuple(input.shape)} does not end in "
                           f"normalized_shape {shape}")
    over = tuple(range(-len(shape), 0))
    centred = input - xp.mean(input, axis=over, keepdims=True)
    scale = 1 / xp.sqrt(xp.mean(centred * centred, axis=over, keepdims=True) + eps)
    normalized = centred * scale
    out = normalized if weight is None else normalized * weight
    return out if bias is None else out + bias, normalized, scale


@layer_norm.vjp("input", "weight", "bias")
def _(xp, g, needs, normalized, scale, normalized_shape, weight):
    d_weight = g * normalized if needs[1] else None
    d_bias = g if needs[2] else None
    if not needs[0]:
        return None, d_weight, d_bias
    count = 1 if isinstance(normalized_shape, int) else len(normalized_shape)
    over = tuple(range(-count, 0))
    if weight is not None:
        g = g * weight
    mean = xp.mean(g, axis=over, keepdims=True)
    projection = xp.mean(g * normalized, axis=over, keepdims=True)
    return (g - mean - normalized * projection) * scale, d_weight, d_bias
