"""Continuous relaxations of discrete distributions, whose samples have gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..ops.gamma import lgamma
from ..tensors.creation import full_like
from ..tensors.sampling import rand
from ..tensors.tensor import Tensor
from . import constraints
from .categorical import OverClasses
from .constraints import Constraint
from .distribution import Number, broadcast_all, clamp_probs
from .one_hot_categorical import OneHotCategorical
from .transformed_distribution import TransformedDistribution
from .transforms import ExpTransform, SigmoidTransform
from .trials import Trials


class LogitRelaxedBernoulli(Trials):
    """The logits of a `RelaxedBernoulli`: (logits + logistic noise) / temperature.

    Maddison, Mnih and Teh 2017; Jang, Gu and Poole 2017.
    """

    arg_constraints = {"probs": constraints.unit_interval,  # noqa: RUF012
                       "logits": constraints.real}
    has_rsample = True

    def __init__(self, temperature: Any, probs: Number | None = None,
                 logits: Number | None = None, validate_args: bool | None = None):
        self.temperature = temperature
        super().__init__(probs, logits, validate_args)

    @property
    def support(self) -> Constraint:
        return constraints.real

    @property
    def param_shape(self) -> Any:
        return getattr(self, self._given).shape

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Any:
        new = super().expand(batch_shape, _instance)
        new.temperature = self.temperature
        return new

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        probs = clamp_probs(self.probs.expand(shape))
        uniform = clamp_probs(rand(shape, dtype=probs.dtype, device=probs.device))
        return (uniform.log() - (-uniform).log1p() + probs.log() - (-probs).log1p()) \
            / self.temperature

    def log_prob(self, value: Tensor) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        logits, value = broadcast_all("LogitRelaxedBernoulli", self.logits, value)
        difference = logits - value * self.temperature
        return _log(self.temperature, difference) + difference - 2 * difference.exp().log1p()


class _Relaxed(TransformedDistribution):
    """A transformed distribution that has the parameters of its base."""

    base_dist: Any

    @property
    def temperature(self) -> Any:
        return self.base_dist.temperature

    @property
    def logits(self) -> Any:
        return self.base_dist.logits

    @property
    def probs(self) -> Any:
        return self.base_dist.probs


class RelaxedBernoulli(_Relaxed):
    """Values between 0 and 1 that come near them as the temperature goes to 0."""

    arg_constraints = {"probs": constraints.unit_interval,  # noqa: RUF012
                       "logits": constraints.real}

    def __init__(self, temperature: Any, probs: Number | None = None,
                 logits: Number | None = None, validate_args: bool | None = None):
        super().__init__(LogitRelaxedBernoulli(temperature, probs, logits), SigmoidTransform(),
                         validate_args=validate_args)

    @property
    def support(self) -> Constraint:
        return constraints.unit_interval


class ExpRelaxedCategorical(OverClasses):
    """The logarithms of the values of a `RelaxedOneHotCategorical`.

    Maddison, Mnih and Teh 2017, appendix C.3.
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}  # noqa: RUF012
    has_rsample = True

    def __init__(self, temperature: Any, probs: Any = None, logits: Any = None,
                 validate_args: bool | None = None):
        self.temperature = temperature
        super().__init__(probs, logits, validate_args)

    @property
    def support(self) -> Constraint:
        return constraints.real_vector

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Any:
        new = super().expand(batch_shape, _instance)
        new.temperature = self.temperature
        return new

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        uniform = clamp_probs(rand(shape, dtype=self.logits.dtype, device=self.logits.device))
        scores = (self.logits - (-uniform.log()).log()) / self.temperature
        return scores - scores.logsumexp(-1, keepdim=True)

    def log_prob(self, value: Tensor) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        logits, value = broadcast_all("ExpRelaxedCategorical", self.logits, value)
        count = logits.shape[-1]
        scale = lgamma(full_like(logits[..., 0], count)) + (count - 1) * _log(
            self.temperature, logits[..., 0])
        score = logits - value * self.temperature
        return (score - score.logsumexp(-1, keepdim=True)).sum(-1) + scale


class RelaxedOneHotCategorical(_Relaxed):
    """Vectors that sum to 1 and come near one-hot vectors as the temperature goes to 0."""

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}  # noqa: RUF012

    def __init__(self, temperature: Any, probs: Any = None, logits: Any = None,
                 validate_args: bool | None = None):
        super().__init__(
            ExpRelaxedCategorical(temperature, probs, logits, validate_args=validate_args),
            ExpTransform(), validate_args=validate_args)

    @property
    def support(self) -> Constraint:
        return constraints.simplex


class OneHotCategoricalStraightThrough(OneHotCategorical):
    """One-hot vectors whose gradient is that of the probabilities. Bengio, Léonard, Courville 2013.
    """

    has_rsample = True

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        drawn, probs = self.sample(sample_shape), self.probs
        return drawn + (probs - probs.detach())


def _log(temperature: Any, like: Tensor) -> Tensor:
    """The logarithm of a temperature, which may be a number."""
    whole = temperature if isinstance(temperature, Tensor) else full_like(like, temperature)
    return whole.log()
