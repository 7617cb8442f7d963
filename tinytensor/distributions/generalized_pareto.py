"""GeneralizedPareto: values above a threshold, such as the tail of another distribution."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..tensors.sampling import rand
from ..tensors.tensor import Tensor
from . import constraints
from .constraints import Constraint
from .distribution import Distribution, Number, broadcast_all, functions

where = functions["where"]
NEAR_ZERO = 1e-8  # |concentration| up to which the distribution is exponential, as in PyTorch


class GeneralizedPareto(Distribution):
    """Values above `loc`. P(x > loc + scale z) is (1 + k z)^(-1 / k), k = `concentration`; e^-z for
    k = 0; with k < 0 no value is above loc - scale / k. Pickands 1975.
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive,  # noqa: RUF012
                       "concentration": constraints.real}
    has_rsample = True

    def __init__(self, loc: Number, scale: Number, concentration: Number,
                 validate_args: bool | None = None):
        self.loc, self.scale, self.concentration = broadcast_all(
            "GeneralizedPareto", loc, scale, concentration)
        super().__init__(self.loc.shape, validate_args=validate_args)

    @property
    def support(self) -> Constraint:
        above = where(self.concentration < 0, self.loc - self.scale / self.concentration, math.inf)
        return constraints.interval(self.loc, above)

    @property
    def mean(self) -> Tensor:
        """NaN for a concentration of 1 or more."""
        k: Any = self.concentration
        mean = self.loc + self.scale / (1 - where(k < 1, k, 0.5))
        return where(k < 1, mean, math.nan)  # type: ignore[no-any-return]

    @property
    def variance(self) -> Tensor:
        """NaN for a concentration of 1/2 or more."""
        k: Any = self.concentration
        inside = where(k < 0.5, k, 0.25)
        variance = self.scale ** 2 / ((1 - inside) ** 2 * (1 - 2 * inside))
        return where(k < 0.5, variance, math.nan)  # type: ignore[no-any-return]

    @property
    def mode(self) -> Tensor:
        return self.loc

    def _parts(self) -> tuple[Any, Any]:
        """Where the concentration is 0, and the concentration with 1 there."""
        k: Any = self.concentration
        zero = k.abs() <= NEAR_ZERO
        return zero, where(zero, 1.0, k)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        return self.icdf(rand(shape, dtype=self.loc.dtype, device=self.loc.device))

    def log_prob(self, value: Any) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        zero, k = self._parts()
        z = (value - self.loc) / self.scale
        power = 1 + 1 / k
        curved = where(power == 0, 0.0, power * (k * z).log1p())
        scale: Any = self.scale
        return -scale.log() - where(zero, z, curved)  # type: ignore[no-any-return]

    def log_survival_function(self, value: Any) -> Tensor:
        """log P(x > value)."""
        if self._validate_args:
            self._validate_sample(value)
        zero, k = self._parts()
        z = (value - self.loc) / self.scale
        return where(zero, -z, -(k * z).log1p() / k)  # type: ignore[no-any-return]

    def log_cdf(self, value: Any) -> Tensor:
        """log P(x <= value)."""
        above: Any = self.log_survival_function(value)
        return (-above.exp()).log1p()  # type: ignore[no-any-return]

    def cdf(self, value: Any) -> Tensor:
        below: Any = self.log_cdf(value)
        return below.exp()  # type: ignore[no-any-return]

    def icdf(self, value: Any) -> Tensor:
        zero, k = self._parts()
        log_above = (-value).log1p()
        curved = self.loc + self.scale / k * (-k * log_above).expm1()
        return where(zero, self.loc - self.scale * log_above, curved)  # type: ignore[no-any-return]

    def entropy(self) -> Tensor:
        scale: Any = self.scale
        return scale.log() + self.concentration + 1  # type: ignore[no-any-return]

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> GeneralizedPareto:
        shape = tuple(batch_shape)
        return type(self)(self.loc.expand(shape), self.scale.expand(shape),
                          self.concentration.expand(shape), self._validate_args)
