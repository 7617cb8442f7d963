"""Normalisation of each channel over a batch: a channel at a time, which stays in the cache while
its statistics are taken and used. `normalization.py` asks here for what it does not do itself.
"""

from __future__ import annotations

import math
from typing import Any

import numpy

from ..loops import PIECE, fits, loop
from ..pool import pool

LEAST = 8  # neighbours of one channel that are worth a loop of their own


def as_channels(x: Any, weight: Any, bias: Any, dims: Any) -> Any:
    """(N, C, *) as (N, C, L); None if `dims` are others, or a weight is not one for a channel."""
    if x.ndim < 3 or tuple(d % x.ndim for d in dims) != (0, *range(2, x.ndim)):
        return None
    shapes = [w.shape for w in (weight, bias) if w is not None]
    if any(shape != (x.shape[1],) + (1,) * (x.ndim - 2) for shape in shapes):
        return None
    seen = numpy.ascontiguousarray(x).reshape(*x.shape[:2], math.prod(x.shape[2:]))
    return seen if fits(seen, weight, bias) and seen.shape[2] >= LEAST else None


def _least(x: Any) -> int:
    """Channels that are worth a thread."""
    return -(-PIECE * x.shape[1] // x.size)


def standardize(input: Any, weight: Any, bias: Any, dims: Any, eps: float) -> Any:
    x = as_channels(input, weight, bias, dims)
    if x is None:
        return None
    out, statistics = numpy.empty_like(x), numpy.empty((2, x.shape[1]), x.dtype)
    pool.split(_standardize, x.shape[1], x, _flat(weight, x), _flat(bias, x), out, statistics,
               x.dtype.type(eps), least=_least(x))
    mean, var = statistics.reshape(2, 1, -1, *(1,) * (input.ndim - 2))
    return out.reshape(input.shape), mean, var


def _flat(weight: Any, x: Any) -> Any:
    """One for a channel; an empty array for None, for which a loop would be compiled anew."""
    return numpy.empty(0, x.dtype) if weight is None else weight.reshape(-1)


@loop
def _standardize(start, stop, x, weight, bias, out, statistics, eps):
    """The squares are summed about the mean of each image's part, and these means' about theirs."""
    number, (images, _, size) = x.dtype.type, x.shape
    means = numpy.empty(images)
    for c in range(start, stop):
        squares = numpy.float64(0)
        for n in range(images):
            part = x[n, c]
            total = number(0)
            for i in range(size):
                total += part[i]
            centre = total / number(size)
            total = number(0)
            for i in range(size):
                total += (part[i] - centre) * (part[i] - centre)
            means[n], squares = centre, squares + total
        mean = means.sum() / images
        for n in range(images):
            squares += size * (means[n] - mean) ** 2
        statistics[0, c], statistics[1, c] = mean, squares / (images * size)
        centre, scale = statistics[0, c], number(1) / math.sqrt(statistics[1, c] + eps)
        factor = scale * weight[c] if weight.size else scale
        shift = bias[c] if bias.size else number(0)
        for n in range(images):
            part, to = x[n, c], out[n, c]
            for i in range(size):
                to[i] = (part[i] - centre) * factor + shift


def standardize_back(g: Any, needs: Any, input: Any, weight: Any, bias: Any, mean: Any, var: Any,
                     dims: Any, eps: float) -> Any:
    g, g_mean, g_var = g
    x = as_channels(input, weight, bias, dims)
    if x is None or g is None or g.dtype != x.dtype or (
            weight is not None and not numpy.isfinite(weight).all()):
        return None  # the reference sums g times an infinite weight, and not g
    d, sums = numpy.empty_like(x), numpy.empty((2, x.shape[1]), x.dtype)
    pool.split(_standardize_back, x.shape[1], numpy.ascontiguousarray(g).reshape(x.shape), x,
               _flat(weight, x), mean.reshape(-1), var.reshape(-1), _flat(g_mean, x),
               _flat(g_var, x), d, sums, x.dtype.type(eps), least=_least(x))
    d_weight, d_bias = sums.reshape(2, 1, -1, *(1,) * (input.ndim - 2))
    return d.reshape(input.shape), d_weight if needs[1] else None, d_bias if needs[2] else None


@loop
def _standardize_back(start, stop, g, x, weight, mean, var, g_mean, g_var, d, sums, eps):
    """d = scale w (g - mean(g) - (x - mean) scale² mean(g (x - mean))), and what comes by the
    results mean and var.
    """
    number, (images, _, size) = x.dtype.type, x.shape
    for c in range(start, stop):
        centre, scale = mean[c], number(1) / math.sqrt(var[c] + eps)
        to_bias = to_weight = numpy.float64(0)
        for n in range(images):
            part, grad = x[n, c], g[n, c]
            total = weighted = number(0)
            for i in range(size):
                total += grad[i]
                weighted += grad[i] * (part[i] - centre)
            to_bias, to_weight = to_bias + total, to_weight + weighted
        sums[0, c], sums[1, c] = to_weight * scale, to_bias
        factor = scale * weight[c] if weight.size else scale
        count = images * size
        slope = number(to_weight / count) * scale * scale * factor
        shift = number(to_bias / count) * factor
        if g_mean.size:
            shift -= g_mean[c] / number(count)
        if g_var.size:
            slope -= g_var[c] * number(2) / number(count)
        for n in range(images):
            part, grad, to = x[n, c], g[n, c], d[n, c]
            for i in range(size):
                to[i] = grad[i] * factor - (part[i] - centre) * slope - shift
