"""The Cauchy distribution, which has no mean."""

from __future__ import annotations

import math

from ..tensors.creation import full_like
from ..tensors.tensor import Size, Tensor
from .location_scale import LocationScale


class Cauchy(LocationScale):
    """Values with median `loc`, half of which are within `scale` of it.

    Density: 1 / (π scale (1 + ((x - loc) / scale)²)).
    """

    @property
    def mean(self) -> Tensor:
        """NaN: the integral does not converge."""
        return full_like(self.loc, float("nan"))

    @property
    def variance(self) -> Tensor:
        """Infinite."""
        return full_like(self.loc, float("inf"))

    def _noise(self, shape: Size) -> Tensor:
        return self.loc.new_empty(shape).cauchy_()

    def log_prob(self, value: Tensor) -> Tensor:
        return -math.log(math.pi) - self.scale.log() - (self._standardised(value) ** 2).log1p()

    def cdf(self, value: Tensor) -> Tensor:
        return self._standardised(value).atan() / math.pi + 0.5

    def icdf(self, value: Tensor) -> Tensor:
        return self.loc + self.scale * (math.pi * (value - 0.5)).tan()

    def entropy(self) -> Tensor:
        return math.log(4 * math.pi) + self.scale.log()
