"""The Gumbel distribution: the limit distribution of a maximum of many values."""

from __future__ import annotations

import math

from ..arrays import dtypes
from ..tensors.tensor import Size, Tensor
from .exponential import standard_exponential
from .location_scale import LocationScale

EULER = 0.57721566490153286061  # the Euler-Mascheroni constant


class Gumbel(LocationScale):
    """Values with mode `loc`. Density: exp(-z - exp(-z)) / scale, z = (x - loc) / scale."""

    @property
    def mean(self) -> Tensor:
        return self.loc + self.scale * EULER

    @property
    def stddev(self) -> Tensor:
        return math.pi / math.sqrt(6) * self.scale

    @property
    def variance(self) -> Tensor:
        return self.stddev ** 2

    def _noise(self, shape: Size) -> Tensor:
        tiny = dtypes.finfo(self.loc.dtype).tiny
        return -standard_exponential(shape, self.loc).clamp(min=tiny).log()

    def log_prob(self, value: Tensor) -> Tensor:
        z = self._standardised(value)
        return -z - (-z).exp() - self.scale.log()

    def cdf(self, value: Tensor) -> Tensor:
        return (-(-self._standardised(value)).exp()).exp()

    def icdf(self, value: Tensor) -> Tensor:
        return self.loc - self.scale * (-value.log()).log()

    def entropy(self) -> Tensor:
        return self.scale.log() + 1 + EULER
