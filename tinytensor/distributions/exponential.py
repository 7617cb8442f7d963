"""The exponential distribution: waiting times between events at a constant rate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..tensors.creation import zeros_like
from ..tensors.tensor import Size, Tensor
from . import constraints
from .constraints import Constraint
from .distribution import Distribution, Number, broadcast_all


class Exponential(Distribution):
    """Values of at least 0. Density: rate · exp(-rate x)."""

    arg_constraints = {"rate": constraints.positive}  # noqa: RUF012
    has_rsample = True

    rate: Tensor

    def __init__(self, rate: Number, validate_args: bool | None = None):
        (self.rate,) = broadcast_all("Exponential", rate)
        super().__init__(self.rate.shape, validate_args=validate_args)

    @property
    def support(self) -> Constraint:
        return constraints.nonnegative

    @property
    def mean(self) -> Tensor:
        return 1 / self.rate

    @property
    def mode(self) -> Tensor:
        return zeros_like(self.rate)

    @property
    def stddev(self) -> Tensor:
        return 1 / self.rate

    @property
    def variance(self) -> Tensor:
        return self.rate ** -2

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Exponential:
        return self._expanded(batch_shape, _instance, rate=self.rate)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return standard_exponential(self._extended_shape(sample_shape), self.rate) / self.rate

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        return self.rate.log() - self.rate * value

    def cdf(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        return -(-self.rate * value).expm1()

    def icdf(self, value: Tensor) -> Tensor:
        return -(-value).log1p() / self.rate

    def entropy(self) -> Tensor:
        return 1 - self.rate.log()


def standard_exponential(shape: Size, like: Tensor) -> Tensor:
    """Samples with rate 1, in the dtype and on the device of `like`."""
    return like.new_empty(shape).exponential_()
