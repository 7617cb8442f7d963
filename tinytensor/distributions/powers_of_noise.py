"""HalfCauchy, Pareto, Weibull, Kumaraswamy and LogisticNormal: functions of simple noise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..ops.gamma import digamma, lgamma
from ..tensors.creation import full_like, ones_like, zeros_like
from ..tensors.tensor import Tensor
from . import constraints
from .cauchy import Cauchy
from .constraints import Constraint
from .continuous_bernoulli import ContinuousBernoulli
from .distribution import Number, broadcast_all, functions
from .exponential import Exponential
from .gamma import Beta, Gamma
from .gumbel import EULER, Gumbel
from .kl import register_kl
from .laplace import Laplace
from .normal import Normal
from .transformed_distribution import TransformedDistribution
from .transforms import (
    AbsTransform,
    AffineTransform,
    ExpTransform,
    PowerTransform,
    StickBreakingTransform,
)
from .uniform import Uniform

where, xlogy = functions["where"], functions["xlogy"]


class HalfCauchy(TransformedDistribution):
    """|x| for Cauchy distributed x with median 0. Density: 2 / (π scale (1 + (x / scale)²))."""

    arg_constraints = {"scale": constraints.positive}  # noqa: RUF012

    def __init__(self, scale: Number, validate_args: bool | None = None):
        base = Cauchy(0, scale, validate_args=False)
        self.scale = base.scale
        super().__init__(base, AbsTransform(), validate_args=validate_args)

    @property
    def support(self) -> Constraint:
        return constraints.nonnegative

    @property
    def mean(self) -> Tensor:
        """Infinite."""
        return full_like(self.scale, math.inf)

    @property
    def mode(self) -> Tensor:
        return zeros_like(self.scale)

    @property
    def variance(self) -> Tensor:
        """Infinite."""
        return full_like(self.scale, math.inf)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> HalfCauchy:
        return type(self)(self.scale.expand(tuple(batch_shape)), self._validate_args)

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        log_prob = self.base_dist.log_prob(value) + math.log(2)
        return where(value >= 0, log_prob, full_like(log_prob, -math.inf))

    def cdf(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        return 2 * self.base_dist.cdf(value) - 1

    def icdf(self, value: Tensor) -> Tensor:
        return self.base_dist.icdf((value + 1) / 2)

    def entropy(self) -> Tensor:
        return self.base_dist.entropy() - math.log(2)


class Pareto(TransformedDistribution):
    """Values above `scale`. Density: alpha scaleᵃ / xᵃ⁺¹ for a = `alpha`."""

    arg_constraints = {"alpha": constraints.positive, "scale": constraints.positive}  # noqa: RUF012

    def __init__(self, scale: Number, alpha: Number, validate_args: bool | None = None):
        self.scale, self.alpha = broadcast_all("Pareto", scale, alpha)
        super().__init__(Exponential(self.alpha, validate_args=False),
                         [ExpTransform(), AffineTransform(loc=0, scale=self.scale)],
                         validate_args=validate_args)

    @property
    def support(self) -> Constraint:
        return constraints.greater_than_eq(self.scale)

    @property
    def mean(self) -> Tensor:
        """Infinite for alpha <= 1."""
        alpha = self.alpha.clamp(min=1)
        return alpha * self.scale / (alpha - 1)

    @property
    def mode(self) -> Tensor:
        return self.scale

    @property
    def variance(self) -> Tensor:
        """Infinite for alpha <= 2."""
        alpha = self.alpha.clamp(min=2)
        return self.scale ** 2 * alpha / ((alpha - 1) ** 2 * (alpha - 2))

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Pareto:
        shape = tuple(batch_shape)
        return type(self)(self.scale.expand(shape), self.alpha.expand(shape), self._validate_args)

    def entropy(self) -> Tensor:
        return (self.scale / self.alpha).log() + 1 + 1 / self.alpha


class Weibull(TransformedDistribution):
    """Values above 0. Density: k / scale (x / scale)ᵏ⁻¹ exp(-(x / scale)ᵏ), k = `concentration`."""

    arg_constraints = {"scale": constraints.positive,  # noqa: RUF012
                       "concentration": constraints.positive}

    def __init__(self, scale: Number, concentration: Number, validate_args: bool | None = None):
        self.scale, self.concentration = broadcast_all("Weibull", scale, concentration)
        self.concentration_reciprocal = 1 / self.concentration
        super().__init__(Exponential(ones_like(self.scale), validate_args=False),
                         [PowerTransform(exponent=self.concentration_reciprocal),
                          AffineTransform(loc=0, scale=self.scale)], validate_args=validate_args)

    @property
    def support(self) -> Constraint:
        return constraints.positive

    @property
    def mean(self) -> Tensor:
        return self.scale * self._moment(1)

    @property
    def mode(self) -> Tensor:
        return self.scale * ((self.concentration - 1) / self.concentration) \
            ** self.concentration_reciprocal

    @property
    def variance(self) -> Tensor:
        return self.scale ** 2 * (self._moment(2) - self._moment(1) ** 2)

    def _moment(self, order: int) -> Any:
        """E[(x / scale)ⁿ]."""
        log_moment: Any = lgamma(1 + order * self.concentration_reciprocal)
        return log_moment.exp()

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Weibull:
        shape = tuple(batch_shape)
        return type(self)(self.scale.expand(shape), self.concentration.expand(shape),
                          self._validate_args)

    def entropy(self) -> Tensor:
        return (EULER * (1 - self.concentration_reciprocal)
                + (self.scale * self.concentration_reciprocal).log() + 1)


class Kumaraswamy(TransformedDistribution):
    """Values between 0 and 1. Density: a b xᵃ⁻¹ (1 - xᵃ)ᵇ⁻¹, a = `concentration1`,
    b = `concentration0`. Kumaraswamy 1980.
    """

    arg_constraints = {"concentration1": constraints.positive,  # noqa: RUF012
                       "concentration0": constraints.positive}

    def __init__(self, concentration1: Number, concentration0: Number,
                 validate_args: bool | None = None):
        self.concentration1, self.concentration0 = broadcast_all(
            "Kumaraswamy", concentration1, concentration0)
        base = Uniform(zeros_like(self.concentration0), ones_like(self.concentration0),
                       validate_args=False)
        super().__init__(base, [PowerTransform(exponent=1 / self.concentration0),
                                AffineTransform(loc=1.0, scale=-1.0),
                                PowerTransform(exponent=1 / self.concentration1)],
                         validate_args=validate_args)

    @property
    def support(self) -> Constraint:
        return constraints.unit_interval

    @property
    def mean(self) -> Tensor:
        return self._moment(1)

    @property
    def mode(self) -> Tensor:
        """NaN where a or b is below 1, or both are 1. (PyTorch gives NaN for every b > 1.)"""
        a, b = self.concentration1, self.concentration0
        mode = ((a - 1) / (a * b - 1)) ** (1 / a)
        return where((a < 1) | (b < 1), full_like(mode, math.nan), mode)

    @property
    def variance(self) -> Tensor:
        return self._moment(2) - self._moment(1) ** 2

    def _moment(self, order: int) -> Any:
        """E[xⁿ] = b B(1 + n / a, b), with the beta function B."""
        a, b = self.concentration1, self.concentration0
        first = 1 + order / a
        log_beta: Any = lgamma(first) + lgamma(b) - lgamma(first + b)
        return b * log_beta.exp()

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Kumaraswamy:
        shape = tuple(batch_shape)
        return type(self)(self.concentration1.expand(shape), self.concentration0.expand(shape),
                          self._validate_args)

    def entropy(self) -> Tensor:
        a, b = self.concentration1, self.concentration0
        return 1 - 1 / b + (1 - 1 / a) * (digamma(b + 1) + EULER) - a.log() - b.log()


class LogisticNormal(TransformedDistribution):
    """Vectors that sum to 1: the stick-breaking transform of a normal vector, which is shorter by
    one. `loc` and `scale` have the shape (*, D), values (*, D + 1).
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}  # noqa: RUF012

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None):
        base = Normal(loc, scale, validate_args=validate_args)
        if not base.batch_shape:
            base = base.expand([1])
        super().__init__(base, StickBreakingTransform(), validate_args=validate_args)

    @property
    def loc(self) -> Tensor:
        normal: Any = getattr(self.base_dist, "base_dist", self.base_dist)
        return normal.loc  # type: ignore[no-any-return]

    @property
    def scale(self) -> Tensor:
        normal: Any = getattr(self.base_dist, "base_dist", self.base_dist)
        return normal.scale  # type: ignore[no-any-return]

    @property
    def support(self) -> Constraint:
        return constraints.simplex


# ---------------------------------------------------------------- divergences


@register_kl(Pareto, Pareto)
def _pareto(p: Pareto, q: Pareto) -> Tensor:
    ratio = q.alpha / p.alpha
    divergence = q.alpha * (p.scale / q.scale).log() - ratio.log() + ratio - 1
    return where(p.scale < q.scale, full_like(divergence, math.inf), divergence)


@register_kl(Pareto, Exponential)
def _pareto_exponential(p: Pareto, q: Exponential) -> Tensor:
    return q.rate * p.mean - q.rate.log() - p.entropy()


@register_kl(Pareto, Gamma)
def _pareto_gamma(p: Pareto, q: Gamma) -> Any:
    mean_log: Any = p.scale.log() + 1 / p.alpha
    log_constant = q.concentration * q.rate.log() - lgamma(q.concentration)
    return q.rate * p.mean - (q.concentration - 1) * mean_log - log_constant - p.entropy()


@register_kl(Pareto, Normal)
def _pareto_normal(p: Pareto, q: Normal) -> Tensor:
    variance = q.scale ** 2
    return (p.variance + (p.mean - q.loc) ** 2) / (2 * variance) \
        + (2 * math.pi * variance).log() / 2 - p.entropy()


@register_kl(Uniform, Pareto)
def _uniform_pareto(p: Uniform, q: Pareto) -> Any:
    width = p.high - p.low
    mean_log = (xlogy(p.high, p.high) - xlogy(p.low, p.low)) / width - 1
    divergence = (q.alpha + 1) * mean_log - (q.alpha * q.scale ** q.alpha * width).log()
    return where(p.low < q.scale, math.inf, divergence)


def _infinite(p: Any, q: Any) -> Tensor:
    """p has values that q has not."""
    return full_like(p.mean + q.mean, math.inf)


for _bounded in (Beta, ContinuousBernoulli, Uniform):
    register_kl(Pareto, _bounded)(_infinite)
for _wider in (Beta, ContinuousBernoulli, Exponential, Gamma, Gumbel, Laplace, Normal):
    register_kl(_wider, Pareto)(_infinite)
