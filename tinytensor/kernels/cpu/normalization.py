"""Kernels for normalisation over the last axes, as in layer norm: one row after the other.

A row stays in the cache between its statistics and their use. `batch_norm.py` has the
normalisation of channels over a batch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy

from ...ops.normalization import layer_norm, standardize
from ..loops import Array, fits, loop, rows_per_thread
from ..pool import pool
from . import batch_norm

BLOCK = 1024  # elements summed at once: a longer float32 sum would lose digits
ROWS = 64  # in a block, whose part of the weight's gradient is summed at once


def _row(x: Array, weight: Array | None, bias: Array | None,
         dims: Sequence[int]) -> tuple[int, ...] | None:
    """The shape of a row; None if `dims` are not the last axes or the loops do not support x."""
    if not dims or tuple(d % x.ndim for d in dims) != tuple(range(x.ndim - len(dims), x.ndim)):
        return None
    return _supported(x, weight, bias, x.shape[x.ndim - len(dims):])


def _trailing(x: Array, weight: Array | None, bias: Array | None,
              normalized_shape: int | Sequence[int]) -> tuple[int, ...] | None:
    """As `_row`, for layer norm's `normalized_shape`. For a wrong shape the reference raises."""
    row = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    return _supported(x, weight, bias, row) if row and x.shape[-len(row):] == row else None


def _supported(x: Array, weight: Array | None, bias: Array | None,
               row: tuple[int, ...]) -> tuple[int, ...] | None:
    """`row`, or None if the loops do not support x, weight and bias."""
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
def _(input: Array, normalized_shape: int | Sequence[int], weight: Array | None,
      bias: Array | None, eps: float) -> Any:
    row = _trailing(input, weight, bias, normalized_shape)
    return None if row is None else _standardized(input, weight, bias, row, eps)


@standardize.kernel("cpu")
def _(input: Array, weight: Array | None, bias: Array | None, dims: Sequence[int],
      eps: float) -> Any:
    if (row := _row(input, weight, bias, dims)) is None:
        return batch_norm.standardize(input, weight, bias, dims, eps)
    return _standardized(input, weight, bias, row, eps)


def _standardized(input: Array, weight: Array | None, bias: Array | None, row: tuple[int, ...],
                  eps: float) -> Any:
    dtype, size = input.dtype, math.prod(row)
    n = input.size // size
    out, mean, var = numpy.empty_like(input), numpy.empty(n, dtype), numpy.empty(n, dtype)
    weight = numpy.ones(size, dtype) if weight is None else weight.reshape(-1)
    bias = numpy.zeros(size, dtype) if bias is None else bias.reshape(-1)
    pool.split(_standardize, n, input.reshape(n, size), weight, bias, out.reshape(n, size),
               mean, var, float(eps), least=rows_per_thread(size))
    kept = (*input.shape[:-len(row)], *(1,) * len(row))
    return out, mean.reshape(kept), var.reshape(kept)


@loop
def _standardize(start, stop, x, weight, bias, out, means, variances, eps):
    number = x.dtype.type
    for row in range(start, stop):
        x_row, out_row = x[row], out[row]
        mean = sum_of(x_row) / number(x_row.size)
        for i in range(x_row.size):  # `out` holds the squares until their sum is known
            out_row[i] = (x_row[i] - mean) * (x_row[i] - mean)
        var = sum_of(out_row) / number(x_row.size)
        scale = number(1) / math.sqrt(var + number(eps))
        for i in range(x_row.size):
            out_row[i] = (x_row[i] - mean) * scale * weight[i] + bias[i]
        means[row], variances[row] = mean, var


@standardize.kernel("cpu", "input", "weight", "bias")
def _(g: Sequence[Array | None], needs: Sequence[bool], input: Array, weight: Array | None,
      bias: Array | None, mean: Array, var: Array, dims: Sequence[int], eps: float) -> Any:
    if (row := _row(input, weight, bias, dims)) is None:
        return batch_norm.standardize_back(g, needs, input, weight, bias, mean, var, dims, eps)
    d_out, g_mean, g_var = g
    if d_out is None or d_out.shape != input.shape:
        return None
    d, d_weight, d_bias = _standardized_back(d_out, needs, input, weight, mean, var, row, eps)
    size = math.prod(row)
    if g_mean is not None:
        d += g_mean * (1 / size)
    if g_var is not None:
        d += g_var * (2 / size) * (input - mean)
    return d, d_weight, d_bias


@layer_norm.kernel("cpu", "input", "weight", "bias", work=lambda g: g.size)
def _(g: Array, needs: Sequence[bool], input: Array, normalized_shape: int | Sequence[int],
      weight: Array | None, bias: Array | None, mean: Array, var: Array, eps: float) -> Any:
    row = _trailing(input, weight, bias, normalized_shape) if g.shape == input.shape else None
    return None if row is None else _standardized_back(g, needs, input, weight, mean, var, row, eps)


def _standardized_back(g: Array, needs: Sequence[bool], input: Array, weight: Array | None,
                       mean: Array, var: Array, row: tuple[int, ...], eps: float) -> Any:
    g = numpy.asarray(g, order="C")
    dtype, size = input.dtype, math.prod(row)
    n = input.size // size
    d = numpy.empty_like(input)
    blocks = -(-n // ROWS)
    partial_sums = numpy.zeros((blocks, 2, size), dtype)
    factor = numpy.ones(size, dtype) if weight is None else weight.reshape(-1)
    pool.split(_standardize_back, blocks, g.reshape(n, size), input.reshape(n, size), factor,
               mean.reshape(n), var.reshape(n), d.reshape(n, size), partial_sums, float(eps),
               least=-(-rows_per_thread(size) // ROWS))
    if not needs[1] and not needs[2]:
        return d, None, None
    d_weight, d_bias = numpy.empty(row, dtype), numpy.empty(row, dtype)
    _sum_blocks(partial_sums, d_weight.reshape(-1), d_bias.reshape(-1))
    return d, d_weight if needs[1] else None, d_bias if needs[2] else None


@loop
def _standardize_back(start, stop, g, x, weight, mean, var, d, partial_sums, eps):
    """d = scale (g w - mean(g w) - (x - mean) scale² mean(g w (x - mean)))."""
    number, size = x.dtype.type, x.shape[1]
    for row in range(start * ROWS, min(stop * ROWS, x.shape[0])):
        g_row, x_row, d_row = g[row], x[row], d[row]
        centre, scale = mean[row], number(1) / math.sqrt(var[row] + number(eps))
        # Separate loops for sums and for writes: LLVM does not vectorise a loop with both.
        by_bias = by_weight = number(0)
        for i in range(size):
            weighted = g_row[i] * weight[i]
            by_bias += weighted
            by_weight += weighted * (x_row[i] - centre)
        shift = by_bias * scale / number(size)
        slope = by_weight * scale * scale * scale / number(size)
        for i in range(size):
            d_row[i] = g_row[i] * weight[i] * scale - (x_row[i] - centre) * slope - shift
        to_weight, to_bias = partial_sums[row // ROWS, 0], partial_sums[row // ROWS, 1]
        for i in range(size):
            to_weight[i] += g_row[i] * ((x_row[i] - centre) * scale)
            to_bias[i] += g_row[i]


@loop
def _sum_blocks(partial_sums, d_weight, d_bias):
    d_weight[:] = 0
    d_bias[:] = 0
    for block in range(partial_sums.shape[0]):
        to_weight, to_bias = partial_sums[block, 0], partial_sums[block, 1]
        for i in range(d_weight.size):
            d_weight[i] += to_weight[i]
            d_bias[i] += to_bias[i]
