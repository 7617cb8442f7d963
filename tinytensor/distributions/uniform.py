"""The uniform distribution over an interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..tensors.sampling import rand
from ..tensors.tensor import Tensor
from . import constraints
from .constraints import Constraint
from .distribution import Distribution, Number, broadcast_all


class Uniform(Distribution):
    """Values in [low, high). Density: 1 / (high - low).

    Raises:
        ValueError: low is not less than high.
    """

    arg_constraints = {"low": constraints.real, "high": constraints.real}  # noqa: RUF012
    has_rsample = True

    low: Tensor
    high: Tensor

    def __init__(self, low: Number, high: Number, validate_args: bool | None = None):
        self.low, self.high = broadcast_all("Uniform", low, high)
        super().__init__(self.low.shape, validate_args=validate_args)
        if self._validate_args and not bool((self.low < self.high).all()):
            raise ValueError(f"Uniform: low must be less than high, got {low} and {high}")

    @property
    def support(self) -> Constraint:
        return constraints.interval(self.low, self.high)

    @property
    def mean(self) -> Tensor:
        return (self.high + self.low) / 2

    @property
    def mode(self) -> Tensor:
        """NaN: all values are equally probable."""
        return self.high * float("nan")

    @property
    def variance(self) -> Tensor:
        return (self.high - self.low) ** 2 / 12

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Uniform:
        return self._expanded(batch_shape, _instance, low=self.low, high=self.high)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        drawn: Any = rand(self._extended_shape(sample_shape), dtype=self.low.dtype,
                          device=self.low.device)
        return self.low + drawn * (self.high - self.low)

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        inside = (value >= self.low) & (value < self.high)
        return inside.to(self.low.dtype).log() - (self.high - self.low).log()

    def cdf(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        return ((value - self.low) / (self.high - self.low)).clamp(0, 1)

    def icdf(self, value: Tensor) -> Tensor:
        return value * (self.high - self.low) + self.low

    def entropy(self) -> Tensor:
        return (self.high - self.low).log()
