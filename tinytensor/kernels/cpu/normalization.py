"""Normalisation over the last axes, as layer norm's: a row at a time, which stays in the cache.

That of channels over a batch is in `batch_norm.py`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy

from ...ops.normalization import layer_norm, standardize
from ..loops import fits, loop, rows_a_thread
from ..pool import pool
from . import batch_norm

BLOCK = 1024  # elements added up at once: a float32 sum of more would lose digits
TOGETHER = 64  # rows whose shares of the weight's gradient are added up at once


def _row(x: Any, weight: Any, bias: Any, dims: tuple[int, ...]) -> tuple[int, ...] | None:
    """The shape of a row, or None if `dims` are not the last or `_taken` says no."""
    if not dims or tuple(d % x.ndim for d in dims) != tuple(range(x.ndim - len(dims), x.ndim)):
        return None
    return _taken(x, weight, bias, x.shape[x.ndim - len(dims):])


def _trailing(x: Any, weight: Any, bias: Any, normalized_shape: Any) -> tuple[int, ...] | None:
    """The same for what is said as a shape; what does not fit is the reference's to say."""
    row = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    return _taken(x, weight, bias, row) if row and x.shape[-len(row):] == row else None


def _taken(x: Any, weight: Any, bias: Any, row: tuple[int, ...]) -> tuple[int, ...] | None:
    """The shape of a row, or None if the loops do not take x or a weight is not one of a row."""
    fit = (weight is None or weight.shape == row) and (bias is None or bias.shape == row) \
        and fits(x, weight, bias, least=1)
    return row if fit else None


@loop
def sum_of(x):
    total = x.dtype.type(0)
    if x.size > BLOCK:
        for start in range(0, x.size, BLOCK):
            total += sum_of_block(x[start:start + BLOCK])
        return total
    return sum_of_block(x)


@loop
def sum_of_block(x):
    total = x.dtype.type(0)
    for i in range(x.size):
        total += x[i]
    return total


@layer_norm.kernel("cpu", work=lambda input: input.size)
def _(input: Any, normalized_shape: Any, weight: Any, bias: Any, eps: float) -> Any:
    row = _trailing(input, weight, bias, normalized_shape)
    return None if row is None else _standardized(input, weight, bias, row, eps)


@standardize.kernel("cpu")
def _(input: Any, weight: Any, bias: Any, dims: Any, eps: float) -> Any:
    if (row := _row(input, weight, bias, dims)) is None:
        return batch_norm.standardize(input, weight, bias, dims, eps)
    return _standardized(input, weight, bias, row, eps)


def _standardized(input: Any, weight: Any, bias: Any, row: tuple[int, ...], eps: float) -> Any:
    dtype, size = input.dtype, math.prod(row)
    n = input.size // size
    out, mean, var = numpy.empty_like(input), numpy.empty(n, dtype), numpy.empty(n, dtype)
    weight = numpy.ones(size, dtype) if weight is None else weight.reshape(-1)
    bias = numpy.zeros(size, dtype) if bias is None else bias.reshape(-1)
    pool.split(_standardize, n, input.reshape(n, size), weight, bias, out.reshape(n, size),
               mean, var, float(eps), least=rows_a_thread(size))
    kept = (*input.shape[:-len(row)], *(1,) * len(row))
    return out, mean.reshape(kept), var.reshape(kept)


@loop
def _standardize(start, stop, x, weight, bias, out, means, variances, eps):
    number = x.dtype.type
    for row in range(start, stop):
        x_row, out_row = x[row], out[row]
        mean = sum_of(x_row) / number(x_row.size)
        for i in range(x_row.size):  # for a while, the squares
            out_row[i] = (x_row[i] - mean) * (x_row[i] - mean)
        var = sum_of(out_row) / number(x_row.size)
        scale = number(1) / math.sqrt(var + number(eps))
        for i in range(x_row.size):
            out_row[i] = (x_row[i] - mean) * scale * weight[i] + bias[i]
        means[row], variances[row] = mean, var


@standardize.kernel("cpu", "input", "weight", "bias")
def _(g: Any, needs: Any, input: Any, weight: Any, bias: Any, mean: Any, var: Any, dims: Any,
      eps: float) -> Any:
    if (row := _row(input, weight, bias, dims)) is None:
        return batch_norm.standardize_back(g, needs, input, weight, bias, mean, var, dims, eps)
    g, g_mean, g_var = g
    if g is None:
        return None
    d, d_weight, d_bias = _standardized_back(g, needs, input, weight, mean, var, row, eps)
    size = math.prod(row)
    if g_mean is not None:
        d += g_mean * (1 / size)
    if g_var is not None:
        d += g_var * (2 / size) * (input - mean)
    return d, d_weight, d_bias


@layer_norm.kernel("cpu", "input", "weight", "bias", work=lambda g: g.size)
def _(g: Any, needs: Any, input: Any, normalized_shape: Any, weight: Any, bias: Any, mean: Any,
      var: Any, eps: float) -> Any:
    row = _trailing(input, weight, bias, normalized_shape)
    return None if row is None else _standardized_back(g, needs, input, weight, mean, var, row, eps)


def _standardized_back(g: Any, needs: Any, input: Any, weight: Any, mean: Any, var: Any,
                       row: tuple[int, ...], eps: float) -> Any:
    g = numpy.asarray(g, order="C")
    dtype, size = input.dtype, math.prod(row)
    n = input.size // size
    d = numpy.empty_like(input)
    blocks = -(-n // TOGETHER)
    shares = numpy.zeros((blocks, 2, size), dtype)
    factor = numpy.ones(size, dtype) if weight is None else weight.reshape(-1)
    pool.split(_standardize_back, blocks, g.reshape(n, size), input.reshape(n, size), factor,
               mean.reshape(n), var.reshape(n), d.reshape(n, size), shares, float(eps),
               least=-(-rows_a_thread(size) // TOGETHER))
    if not needs[1] and not needs[2]:
        return d, None, None
    d_weight, d_bias = numpy.empty(row, dtype), numpy.empty(row, dtype)
    _add_up(shares, d_weight.reshape(-1), d_bias.reshape(-1))
    return d, d_weight if needs[1] else None, d_bias if needs[2] else None


@loop
def _standardize_back(start, stop, g, x, weight, mean, var, d, shares, eps):
    """d = scale (g w - mean(g w) - (x - mean) scale² mean(g w (x - mean)))."""
    number, size = x.dtype.type, x.shape[1]
    for row in range(start * TOGETHER, min(stop * TOGETHER, x.shape[0])):
        g_row, x_row, d_row = g[row], x[row], d[row]
        centre, scale = mean[row], number(1) / math.sqrt(var[row] + number(eps))
        # Sums and what is written are apart: together they would not be vectorised.
        by_bias = by_weight = number(0)
        for i in range(size):
            weighted = g_row[i] * weight[i]
            by_bias += weighted
            by_weight += weighted * (x_row[i] - centre)
        shift = by_bias * scale / number(size)
        slope = by_weight * scale * scale * scale / number(size)
        for i in range(size):
            d_row[i] = g_row[i] * weight[i] * scale - (x_row[i] - centre) * slope - shift
        to_weight, to_bias = shares[row // TOGETHER, 0], shares[row // TOGETHER, 1]
        for i in range(size):
            to_weight[i] += g_row[i] * ((x_row[i] - centre) * scale)
            to_bias[i] += g_row[i]


@loop
def _add_up(shares, d_weight, d_bias):
    d_weight[:] = 0
    d_bias[:] = 0
    for block in range(shares.shape[0]):
        to_weight, to_bias = shares[block, 0], shares[block, 1]
        for i in range(d_weight.size):
            d_weight[i] += to_weight[i]
            d_bias[i] += to_bias[i]
