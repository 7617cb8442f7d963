"""Elementwise functions whose NumPy calls take several passes over memory."""

from __future__ import annotations

from typing import Any

import numpy

from ...ops.elementwise import relu
from ...threads import pool
from ..loops import fits, loop


@relu.kernel("cpu")
def _(input: Any) -> Any:
    if not fits(input):
        return None
    out = numpy.empty_like(input)
    pool.split(_relu, input.size, input.reshape(-1), out.reshape(-1), align=64)
    return out


@loop
def _relu(start, stop, x, out):
    for i in range(start, stop):
        out[i] = 0 if x[i] < 0 else x[i]  # NaN stays


@relu.kernel("cpu", "input")
def _(g: Any, out: Any) -> Any:
    g = numpy.asarray(g, order="C")
    if not fits(g, out):
        return None
    d = numpy.empty_like(g)
    pool.split(_relu_back, g.size, g.reshape(-1), out.reshape(-1), d.reshape(-1), align=64)
    return d


@loop
def _relu_back(start, stop, g, out, d):
    for i in range(start, stop):
        d[i] = g[i] if out[i] != 0 else 0
