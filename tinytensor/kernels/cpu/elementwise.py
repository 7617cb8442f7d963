"""Kernels for elementwise functions, whose NumPy calls make several passes over memory.

The loops slice the arrays first and count from 0. If an index began at `start`, Numba could not
know that it is not negative; it would handle negative indices, and LLVM would not vectorise.
"""

from __future__ import annotations

from typing import Any

import numpy

from ...ops.elementwise import relu, sigmoid, tanh
from .. import approximations
from ..loops import Array, each, loop


@relu.kernel("cpu", work=lambda input: input.size)
def _(input: Array) -> Any:
    return each(_relu, input)


@loop
def _relu(start, stop, x, out):
    x, out = x[start:stop], out[start:stop]
    for i in range(x.size):
        out[i] = 0 if x[i] < 0 else x[i]  # NaN stays


@relu.kernel("cpu", "input", work=lambda g: g.size)
def _(g: Array, out: Array) -> Any:
    return each(_relu_back, numpy.asarray(g, order="C"), out)


@loop
def _relu_back(start, stop, g, out, d):
    g, out, d = g[start:stop], out[start:stop], d[start:stop]
    for i in range(g.size):
        d[i] = g[i] if out[i] != 0 else 0


@tanh.kernel("cpu", work=lambda input: input.size)
def _(input: Array) -> Any:
    return each(_tanh, input)


@loop
def _tanh(start, stop, x, out):
    x, out = x[start:stop], out[start:stop]
    for i in range(x.size):
        out[i] = approximations.tanh(x[i])


@tanh.kernel("cpu", "input", work=lambda g: g.size)
def _(g: Array, out: Array) -> Any:
    return each(_tanh_back, numpy.asarray(g, order="C"), out)


@loop
def _tanh_back(start, stop, g, out, d):
    g, out, d = g[start:stop], out[start:stop], d[start:stop]
    one = g.dtype.type(1)
    for i in range(g.size):
        d[i] = g[i] * (one - out[i] * out[i])


@sigmoid.kernel("cpu", work=lambda input: input.size)
def _(input: Array) -> Any:
    return each(_sigmoid, input)


@loop
def _sigmoid(start, stop, x, out):
    x, out = x[start:stop], out[start:stop]
    for i in range(x.size):
        out[i] = approximations.sigmoid(x[i])


@sigmoid.kernel("cpu", "input", work=lambda g: g.size)
def _(g: Array, out: Array) -> Any:
    return each(_sigmoid_back, numpy.asarray(g, order="C"), out)


@loop
def _sigmoid_back(start, stop, g, out, d):
    g, out, d = g[start:stop], out[start:stop], d[start:stop]
    one = g.dtype.type(1)
    for i in range(g.size):
        d[i] = g[i] * (out[i] * (one - out[i]))
