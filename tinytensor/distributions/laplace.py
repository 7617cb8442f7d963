"""The Laplace distribution: exponential on both sides of its location."""

from __future__ import annotations

import math

from ..tensors.tensor import Size, Tensor
from .exponential import standard_exponential
from .location_scale import LocationScale


class Laplace(LocationScale):
    """Values around `loc`. Density: exp(-|x - loc| / scale) / (2 scale)."""

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def stddev(self) -> Tensor:
        return math.sqrt(2) * self.scale

    @property
    def variance(self) -> Tensor:
        return 2 * self.scale ** 2

    def _noise(self, shape: Size) -> Tensor:
        return standard_exponential(shape, self.loc) - standard_exponential(shape, self.loc)

    def log_prob(self, value: Tensor) -> Tensor:
        return -self._standardised(value).abs() - (2 * self.scale).log()

    def cdf(self, value: Tensor) -> Tensor:
        z = self._standardised(value)
        return 0.5 - 0.5 * z.sign() * (-z.abs()).expm1()

    def icdf(self, value: Tensor) -> Tensor:
        side = value - 0.5
        return self.loc - self.scale * side.sign() * (-2 * side.abs()).log1p()

    def entropy(self) -> Tensor:
        return 1 + (2 * self.scale).log()
