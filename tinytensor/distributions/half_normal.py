"""The half-normal distribution: the absolute value of a normal one with mean 0."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..tensors.creation import full_like, zeros_like
from ..tensors.tensor import Tensor
from . import constraints
from .constraints import Constraint
from .distribution import Distribution, Number, broadcast_all, functions
from .normal import Normal

where = functions["where"]


class HalfNormal(Distribution):
    """|x| for normally distributed x of mean 0 and standard deviation `scale`.

    Density: exp(-(x / scale)² / 2) √(2 / π) / scale.
    """

    arg_constraints = {"scale": constraints.positive}  # noqa: RUF012
    has_rsample = True

    scale: Tensor

    def __init__(self, scale: Number, validate_args: bool | None = None):
        (self.scale,) = broadcast_all("HalfNormal", scale)
        super().__init__(self.scale.shape, validate_args=validate_args)

    @property
    def base_dist(self) -> Normal:
        """The distribution of x."""
        return Normal(zeros_like(self.scale), self.scale, validate_args=False)

    @property
    def support(self) -> Constraint:
        return constraints.nonnegative

    @property
    def mean(self) -> Tensor:
        return self.scale * math.sqrt(2 / math.pi)

    @property
    def mode(self) -> Tensor:
        return zeros_like(self.scale)

    @property
    def variance(self) -> Tensor:
        return self.scale ** 2 * (1 - 2 / math.pi)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> HalfNormal:
        return self._expanded(batch_shape, _instance, scale=self.scale)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        drawn: Any = self.base_dist.rsample(sample_shape)
        return drawn.abs()

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        log_prob = self.base_dist.log_prob(value) + math.log(2)
        return where(value >= 0, log_prob, full_like(log_prob, -float("inf")))

    def cdf(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        return (value / (self.scale * math.sqrt(2))).erf()

    def icdf(self, value: Tensor) -> Tensor:
        return self.scale * value.erfinv() * math.sqrt(2)

    def entropy(self) -> Tensor:
        return self.base_dist.entropy() - math.log(2)
