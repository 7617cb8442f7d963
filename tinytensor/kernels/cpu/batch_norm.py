"""Normalisation of each channel over a batch, for the kernels in `normalization.py`.

The loops do one channel after the other, which stays in the cache between its statistics and their
use.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy

from ..loops import PIECE, Array, fits, loop
from ..pool import pool
from .sums import sum_of_block, sums_of_differences, sums_with_difference

LEAST = 8  # elements of a channel in one image, below which NumPy is faster


def as_channels(x: Array, weight: Array | None, bias: Array | None, dims: Sequence[int]) -> Any:
    """x (N, C, *) as (N, C, L); None if `dims` are not N and *, or a weight is not (C)."""
    if x.ndim < 3 or tuple(d % x.ndim for d in dims) != (0, *range(2, x.ndim)):
        return None
    shapes = [w.shape for w in (weight, bias) if w is not None]
    if any(shape != (x.shape[1],) + (1,) * (x.ndim - 2) for shape in shapes):
        return None
    channels = numpy.ascontiguousarray(x).reshape(*x.shape[:2], math.prod(x.shape[2:]))
    return channels if fits(channels, weight, bias) and channels.shape[2] >= LEAST else None


def _least(x: Array) -> int:
    """The number of channels that are worth another thread."""
    return -(-PIECE * x.shape[1] // x.size)


def standardize(input: Array, weight: Array | None, bias: Array | None, dims: Sequence[int],
                eps: float) -> Any:
    x = as_channels(input, weight, bias, dims)
    if x is None:
        return None
    out, statistics = numpy.empty_like(x), numpy.empty((2, x.shape[1]), x.dtype)
    pool.split(_standardize, x.shape[1], x, _flat(weight, x), _flat(bias, x), out, statistics,
               x.dtype.type(eps), least=_least(x))
    mean, var = statistics.reshape(2, 1, -1, *(1,) * (input.ndim - 2))
    return out.reshape(input.shape), mean, var


def _flat(weight: Array | None, x: Array) -> Any:
    """The weight as (C); an empty array for None, for which Numba would compile another loop."""
    return numpy.empty(0, x.dtype) if weight is None else weight.reshape(-1)


@loop
def _standardize(start, stop, x, weight, bias, out, statistics, eps):
    """Sums squares about the mean of each image, then those means about their own mean (Chan et al.
    1983): this keeps more digits in float32. The means are counted from that of the first image.

    The squares of an image are first summed about the mean of the last image but one. This saves a
    pass, and that mean is known without waiting. What is lost to rounding is in proportion to the
    squared differences of the means, and these are a part of the variance.
    """
    number, (images, _, size) = x.dtype.type, x.shape
    means = numpy.empty(images)
    for c in range(start, stop):
        centre = following = sum_of_block(x[0, c]) / number(size)
        origin, squares = numpy.float64(centre), numpy.float64(0)
        for n in range(images):
            difference, about_centre = sums_of_differences(x[n, c], centre)
            difference = numpy.float64(difference) / size  # of the image's mean from the centre
            means[n] = centre - origin + difference
            squares += about_centre - size * difference**2
            centre, following = following, number(origin + means[n])
        mean = means.sum() / images
        for n in range(images):
            squares += size * (means[n] - mean) ** 2
        if mean != mean:  # an infinity or NaN among the inputs
            origin = mean = numpy.float64(0)
            for n in range(images):
                mean += sum_of_block(x[n, c]) / number(size) / images
        statistics[0, c], statistics[1, c] = origin + mean, squares / (images * size)
        centre, scale = statistics[0, c], number(1) / math.sqrt(statistics[1, c] + eps)
        factor = scale * weight[c] if weight.size else scale
        shift = bias[c] if bias.size else number(0)
        for n in range(images):
            part, to = x[n, c], out[n, c]
            for i in range(size):
                to[i] = (part[i] - centre) * factor + shift


def standardize_back(g: Sequence[Array | None], needs: Sequence[bool], input: Array,
                     weight: Array | None, bias: Array | None, mean: Array, var: Array,
                     dims: Sequence[int], eps: float) -> Any:
    d_out, g_mean, g_var = g
    x = as_channels(input, weight, bias, dims)
    if x is None or d_out is None or d_out.dtype != x.dtype or d_out.shape != input.shape or (
            weight is not None and not numpy.isfinite(weight).all()):
        return None  # an infinite weight: the reference sums g * weight, the loop sums g
    d, sums = numpy.empty_like(x), numpy.empty((2, x.shape[1]), x.dtype)
    pool.split(_standardize_back, x.shape[1], numpy.ascontiguousarray(d_out).reshape(x.shape), x,
               _flat(weight, x), mean.reshape(-1), var.reshape(-1), _flat(g_mean, x),
               _flat(g_var, x), d, sums, x.dtype.type(eps), least=_least(x))
    d_weight, d_bias = sums.reshape(2, 1, -1, *(1,) * (input.ndim - 2))
    return d.reshape(input.shape), d_weight if needs[1] else None, d_bias if needs[2] else None


@loop
def _standardize_back(start, stop, g, x, weight, mean, var, g_mean, g_var, d, sums, eps):
    """d = scale w (g - mean(g) - (x - mean) scale² mean(g (x - mean))), plus the gradients through
    the results mean and var.
    """
    number, (images, _, size) = x.dtype.type, x.shape
    for c in range(start, stop):
        centre, scale = mean[c], number(1) / math.sqrt(var[c] + eps)
        to_bias = to_weight = numpy.float64(0)
        for n in range(images):
            total, weighted = sums_with_difference(g[n, c], x[n, c], centre)
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
