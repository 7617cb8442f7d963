"""The points and weights of numerical integration."""

from __future__ import annotations

import functools

import numpy


@functools.cache
def gauss_legendre(count: int) -> list[tuple[float, float]]:
    """(point, weight) of the quadrature of Gauss and Legendre on [-1, 1]."""
    points, weights = numpy.polynomial.legendre.leggauss(count)
    return list(zip(points.tolist(), weights.tolist(), strict=True))
