"""The normal distribution."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..tensors.sampling import normal, randn
from ..tensors.tensor import Size, Tensor
from .location_scale import LocationScale


class Normal(LocationScale):
    """Normally distributed values of mean `loc` and standard deviation `scale`.

    Density: exp(-((x - loc) / scale)² / 2) / (scale √(2π)).
    """

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def stddev(self) -> Tensor:
        return self.scale

    @property
    def variance(self) -> Tensor:
        return self.scale ** 2

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        return normal(self.loc.detach().expand(shape), self.scale.detach().expand(shape))

    def _noise(self, shape: Size) -> Tensor:
        return randn(shape, dtype=self.loc.dtype, device=self.loc.device)

    def log_prob(self, value: Tensor) -> Tensor:
        z = self._standardised(value)
        return -z ** 2 / 2 - self.scale.log() - math.log(math.sqrt(2 * math.pi))

    def cdf(self, value: Tensor) -> Tensor:
        return 0.5 * (1 + (self._standardised(value) / math.sqrt(2)).erf())

    def icdf(self, value: Tensor) -> Tensor:
        return self.loc + self.scale * (2 * value - 1).erfinv() * math.sqrt(2)

    def entropy(self) -> Tensor:
        return 0.5 + 0.5 * math.log(2 * math.pi) + self.scale.log()
