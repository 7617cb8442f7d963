"""The log-normal distribution: values whose logarithm is normal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..tensors.tensor import Tensor
from . import constraints
from .constraints import Constraint
from .distribution import Distribution, Number, broadcast_all
from .normal import Normal


class LogNormal(Distribution):
    """e**x for normally distributed x of mean `loc` and standard deviation `scale`.

    Density: exp(-((log x - loc) / scale)² / 2) / (x scale √(2π)).
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}  # noqa: RUF012
    has_rsample = True

    loc: Tensor
    scale: Tensor

    def __init__(self, loc: Number, scale: Number, validate_args: bool | None = None):
        self.loc, self.scale = broadcast_all("LogNormal", loc, scale)
        super().__init__(self.loc.shape, validate_args=validate_args)

    @property
    def base_dist(self) -> Normal:
        """The distribution of x."""
        return Normal(self.loc, self.scale, self._validate_args)

    @property
    def support(self) -> Constraint:
        return constraints.positive

    @property
    def mean(self) -> Tensor:
        return (self.loc + self.scale ** 2 / 2).exp()

    @property
    def mode(self) -> Tensor:
        return (self.loc - self.scale ** 2).exp()

    @property
    def variance(self) -> Tensor:
        return (self.scale ** 2).expm1() * (2 * self.loc + self.scale ** 2).exp()

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> LogNormal:
        return self._expanded(batch_shape, loc=self.loc, scale=self.scale)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        drawn: Any = self.base_dist.rsample(sample_shape)
        return drawn.exp()

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        return self.base_dist.log_prob(value.log()) - value.log()

    def cdf(self, value: Tensor) -> Tensor:
        return self.base_dist.cdf(value.log())

    def icdf(self, value: Tensor) -> Tensor:
        normal: Any = self.base_dist.icdf(value)
        return normal.exp()

    def entropy(self) -> Tensor:
        return self.base_dist.entropy() + self.loc
