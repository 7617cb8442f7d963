"""The continuous Bernoulli distribution, on the interval from 0 to 1."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .. import ops
from ..tensors.creation import full_like
from ..tensors.sampling import rand
from ..tensors.tensor import Tensor
from . import constraints
from .constraints import Constraint
from .distribution import Distribution, Number, broadcast_all, clamp_probs, functions
from .exponential import Exponential
from .gamma import Beta, Gamma
from .gumbel import Gumbel
from .kl import register_kl
from .laplace import Laplace
from .normal import Normal
from .trials import Trials
from .uniform import Uniform

where = functions["where"]
cross_entropy: Any = ops.names_for("nn.functional")["binary_cross_entropy_with_logits"]


class ContinuousBernoulli(Trials):
    """Values from 0 to 1. Density: C pˣ (1 - p)¹⁻ˣ with p = `probs`. Loaiza-Ganem, Cunningham 2019.

    Args:
        lims: for probs between them, where the formulas cancel, Taylor series are used.
    """

    arg_constraints = {"probs": constraints.unit_interval,  # noqa: RUF012
                       "logits": constraints.real}
    has_rsample = True

    def __init__(self, probs: Number | None = None, logits: Number | None = None,
                 lims: tuple[float, float] = (0.499, 0.501), validate_args: bool | None = None):
        super().__init__(probs, logits, validate_args)
        self._lims = lims
        if self._given == "probs":
            vars(self)["probs"] = clamp_probs(vars(self)["probs"])

    @property
    def support(self) -> Constraint:
        return constraints.unit_interval

    @property
    def param_shape(self) -> Any:
        return getattr(self, self._given).shape

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Any:
        new = super().expand(batch_shape, _instance)
        new._lims = self._lims
        return new

    def _near_half(self) -> Any:
        """Where the series are used."""
        return (self.probs > self._lims[0]) & (self.probs <= self._lims[1])

    def _away_from_half(self) -> Any:
        """The probabilities; where the series are used, a number at which the formulas hold."""
        return where(self._near_half(), full_like(self.probs, self._lims[0]), self.probs)

    def _log_constant(self) -> Any:
        """log C."""
        p = self._away_from_half()
        low, high = p.clamp(max=0.5), p.clamp(min=0.5)
        exact = ((-p).log1p() - p.log()).abs().log() - where(
            p <= 0.5, (-2 * low).log1p(), (2 * high - 1).log())
        x = (self.probs - 0.5) ** 2
        series = math.log(2) + (4 / 3 + 104 / 45 * x) * x
        return where(self._near_half(), series, exact)

    @property
    def mean(self) -> Any:
        p, x = self._away_from_half(), self.probs - 0.5
        exact = p / (2 * p - 1) + 1 / ((-p).log1p() - p.log())
        return where(self._near_half(), 0.5 + (1 / 3 + 16 / 45 * x ** 2) * x, exact)

    @property
    def variance(self) -> Any:
        p, x = self._away_from_half(), (self.probs - 0.5) ** 2
        exact = p * (p - 1) / (1 - 2 * p) ** 2 + 1 / ((-p).log1p() - p.log()) ** 2
        return where(self._near_half(), 1 / 12 - (1 / 15 - 128 / 945 * x) * x, exact)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Any:
        shape = self._extended_shape(sample_shape)
        return self.icdf(rand(shape, dtype=self.probs.dtype, device=self.probs.device))

    def log_prob(self, value: Tensor) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        logits, value = broadcast_all("ContinuousBernoulli", self.logits, value)
        return self._log_constant() - cross_entropy(logits, value, reduction="none")

    def cdf(self, value: Tensor) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        p = self._away_from_half()
        exact = (p ** value * (1 - p) ** (1 - value) + p - 1) / (2 * p - 1)
        inside = where(self._near_half(), value, exact)
        return where(value <= 0, full_like(inside, 0), where(
            value >= 1, full_like(inside, 1), inside))

    def icdf(self, value: Tensor) -> Any:
        p = self._away_from_half()
        exact = ((-p + value * (2 * p - 1)).log1p() - (-p).log1p()) / (p.log() - (-p).log1p())
        return where(self._near_half(), value, exact)

    def entropy(self) -> Any:
        first, second = (-self.probs).log1p(), self.probs.log()
        return self.mean * (first - second) - self._log_constant() - first


# ---------------------------------------------------------------- divergences


def _mean_log_density(mean: Any, q: ContinuousBernoulli) -> Any:
    """E[log q(x)] for values of that mean."""
    return mean * q.logits + (-q.probs).log1p() + q._log_constant()


@register_kl(ContinuousBernoulli, ContinuousBernoulli)
@register_kl(Beta, ContinuousBernoulli)
def _in_the_interval(p: Distribution, q: ContinuousBernoulli) -> Any:
    return -p.entropy() - _mean_log_density(p.mean, q)


@register_kl(Uniform, ContinuousBernoulli)
def _uniform(p: Uniform, q: ContinuousBernoulli) -> Any:
    divergence = -p.entropy() - _mean_log_density(p.mean, q)
    return where((p.low < 0) | (p.high > 1), math.inf, divergence)


@register_kl(ContinuousBernoulli, Uniform)
def _to_uniform(p: ContinuousBernoulli, q: Uniform) -> Any:
    divergence = (q.high - q.low).log() - p.entropy()
    return where((q.low > 0) | (q.high < 1), math.inf, divergence)


@register_kl(ContinuousBernoulli, Exponential)
def _to_exponential(p: ContinuousBernoulli, q: Exponential) -> Any:
    return q.rate * p.mean - q.rate.log() - p.entropy()


@register_kl(ContinuousBernoulli, Normal)
def _to_normal(p: ContinuousBernoulli, q: Normal) -> Any:
    variance = q.scale ** 2
    return (p.variance + (p.mean - q.loc) ** 2) / (2 * variance) \
        + (2 * math.pi * variance).log() / 2 - p.entropy()


for _wider in (Exponential, Gamma, Gumbel, Laplace, Normal):
    register_kl(_wider, ContinuousBernoulli)(
        lambda p, q: full_like(p.mean + q.mean, math.inf))  # p has values that q has not
