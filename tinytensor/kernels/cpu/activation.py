"""Kernels for activation functions, whose NumPy calls make several passes over memory."""

from __future__ import annotations

import math
from typing import Any

import numpy

from ...ops.activation import elu, gelu, hardswish, leaky_relu, silu
from .. import approximations
from ..loops import Array, each, loop


@gelu.kernel("cpu")
def _(input: Array, approximate: str) -> Any:
    form = {"none": _gelu, "tanh": _gelu_tanh}.get(approximate)
    return None if form is None else each(form, input)


@gelu.kernel("cpu", "input")
def _(g: Array, input: Array, approximate: str) -> Any:
    form = _gelu_back if approximate == "none" else _gelu_tanh_back
    return each(form, numpy.asarray(g, order="C"), input)


@loop
def _gelu(start, stop, x, out):
    x, out = x[start:stop], out[start:stop]
    for i in range(x.size):
        out[i] = x[i] * approximations.normal_cdf(x[i])


@loop
def _gelu_back(start, stop, g, x, d):
    """g (Φ(x) + x φ(x)), with φ the density of the normal distribution."""
    g, x, d = g[start:stop], x[start:stop], d[start:stop]
    number = x.dtype.type
    half, scale = number(-0.5), number(math.sqrt(0.5 / math.pi))
    for i in range(x.size):
        density = approximations.exp(x[i] * x[i] * half) * scale
        d[i] = g[i] * (approximations.normal_cdf(x[i]) + x[i] * density)


# The approximation Φ(x) = (1 + tanh(z)) / 2 is sigmoid(2 z), with z = √(2/π) (x + 0.044715 x³).
SLOPE, CUBIC = 2 * math.sqrt(2 / math.pi), 2 * math.sqrt(2 / math.pi) * 0.044715


@loop
def _gelu_tanh(start, stop, x, out):
    x, out = x[start:stop], out[start:stop]
    number = x.dtype.type
    slope, cubic = number(SLOPE), number(CUBIC)
    for i in range(x.size):
        out[i] = x[i] * approximations.sigmoid(x[i] * (slope + cubic * (x[i] * x[i])))


@loop
def _gelu_tanh_back(start, stop, g, x, d):
    """g (s + x s (1 - s) dz/dx), with s = sigmoid(z)."""
    g, x, d = g[start:stop], x[start:stop], d[start:stop]
    number = x.dtype.type
    one, slope, cubic, three_cubic = number(1), number(SLOPE), number(CUBIC), number(3 * CUBIC)
    for i in range(x.size):
        squared = x[i] * x[i]
        gate = approximations.sigmoid(x[i] * (slope + cubic * squared))
        d[i] = g[i] * (gate + x[i] * (gate * (one - gate) * (slope + three_cubic * squared)))


@silu.kernel("cpu")
def _(input: Array) -> Any:
    return each(_silu, input)


@loop
def _silu(start, stop, x, out):
    x, out = x[start:stop], out[start:stop]
    for i in range(x.size):
        out[i] = x[i] * approximations.sigmoid(x[i])


@silu.kernel("cpu", "input")
def _(g: Array, input: Array) -> Any:
    return each(_silu_back, numpy.asarray(g, order="C"), input)


@loop
def _silu_back(start, stop, g, x, d):
    g, x, d = g[start:stop], x[start:stop], d[start:stop]
    one = x.dtype.type(1)
    for i in range(x.size):
        gate = approximations.sigmoid(x[i])
        d[i] = g[i] * (gate * (one + x[i] * (one - gate)))


@leaky_relu.kernel("cpu")
def _(input: Array, negative_slope: float) -> Any:
    return each(_leaky_relu, input, numbers=(negative_slope,))


@loop
def _leaky_relu(start, stop, x, out, slope):
    x, out = x[start:stop], out[start:stop]
    for i in range(x.size):
        out[i] = x[i] if x[i] > 0 else x[i] * slope


@leaky_relu.kernel("cpu", "input")
def _(g: Array, input: Array, negative_slope: float) -> Any:
    return each(_leaky_relu_back, numpy.asarray(g, order="C"), input, numbers=(negative_slope,))


@loop
def _leaky_relu_back(start, stop, g, x, d, slope):
    g, x, d = g[start:stop], x[start:stop], d[start:stop]
    for i in range(x.size):
        d[i] = g[i] if x[i] > 0 else g[i] * slope


@elu.kernel("cpu")
def _(input: Array, alpha: float) -> Any:
    return each(_elu, input, numbers=(alpha,))


@loop
def _elu(start, stop, x, out, alpha):
    x, out = x[start:stop], out[start:stop]
    for i in range(x.size):
        out[i] = x[i] if x[i] > 0 else alpha * approximations.expm1(x[i])


@elu.kernel("cpu", "input")
def _(g: Array, input: Array, alpha: float) -> Any:
    return each(_elu_back, numpy.asarray(g, order="C"), input, numbers=(alpha,))


@loop
def _elu_back(start, stop, g, x, d, alpha):
    g, x, d = g[start:stop], x[start:stop], d[start:stop]
    for i in range(g.size):
        d[i] = g[i] if x[i] > 0 else g[i] * (alpha * approximations.exp(x[i]))


@hardswish.kernel("cpu")
def _(input: Array) -> Any:
    return each(_hardswish, input)


@loop
def _hardswish(start, stop, x, out):
    x, out = x[start:stop], out[start:stop]
    three, six, nothing = x.dtype.type(3), x.dtype.type(6), x.dtype.type(0)
    for i in range(x.size):
        raised = x[i] + three
        raised = nothing if raised < 0 else raised  # NaN stays
        out[i] = x[i] * ((six if raised > six else raised) / six)


@hardswish.kernel("cpu", "input")
def _(g: Array, input: Array) -> Any:
    return each(_hardswish_back, numpy.asarray(g, order="C"), input)


@loop
def _hardswish_back(start, stop, g, x, d):
    g, x, d = g[start:stop], x[start:stop], d[start:stop]
    three, half = x.dtype.type(3), x.dtype.type(0.5)
    for i in range(g.size):
        inner = g[i] if x[i] >= three else g[i] * (x[i] / three + half)
        d[i] = 0 if x[i] <= -three else inner
