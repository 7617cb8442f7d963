"""Distributions of counts: Poisson, Binomial, NegativeBinomial."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import ops
from ..arrays import devices
from ..ops.gamma import lgamma
from ..tensors.creation import arange, tensor
from ..tensors.sampling import poisson, stream_of
from ..tensors.tensor import Tensor
from . import constraints
from .constraints import Constraint
from .distribution import (
    Derived,
    Distribution,
    Number,
    broadcast_all,
    clamp_probs,
    functions,
    one_of,
)
from .gamma import Gamma

xlogy = functions["xlogy"]
_nn: Any = ops.names_for("nn.functional")
logsigmoid, softplus = _nn["logsigmoid"], _nn["softplus"]


class Poisson(Distribution):
    """0, 1, 2, ... events. Probability: rateᵏ exp(-rate) / k!."""

    arg_constraints = {"rate": constraints.nonnegative}  # noqa: RUF012

    rate: Any

    def __init__(self, rate: Number, validate_args: bool | None = None):
        (self.rate,) = broadcast_all("Poisson", rate)
        super().__init__(self.rate.shape, validate_args=validate_args)

    @property
    def support(self) -> Constraint:
        return constraints.nonnegative_integer

    @property
    def mean(self) -> Any:
        return self.rate

    @property
    def mode(self) -> Any:
        return self.rate.floor()

    @property
    def variance(self) -> Any:
        return self.rate

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Any:
        return self._expanded(batch_shape, _instance, rate=self.rate)

    def sample(self, sample_shape: Sequence[int] = ()) -> Any:
        return poisson(self.rate.detach().expand(self._extended_shape(sample_shape)))

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        rate, value = broadcast_all("Poisson", self.rate, value)
        return xlogy(value, rate) - rate - lgamma(value + 1)


class _Counted(Distribution):
    """Counts in trials with `total_count`, and `probs` or `logits`."""

    total_count: Any

    def __init__(self, total_count: Number, probs: Number | None, logits: Number | None,
                 validate_args: bool | None):
        name = type(self).__name__
        one_of(name, probs, logits)
        self._given = "logits" if probs is None else "probs"
        parameter = logits if probs is None else probs
        self.total_count, parameter = broadcast_all(name, total_count, parameter)
        self.total_count = self.total_count.to(parameter.dtype)
        vars(self)[self._given] = parameter
        super().__init__(parameter.shape, validate_args=validate_args)

    @Derived
    def probs(self) -> Any:
        return self.logits.sigmoid()

    @Derived
    def logits(self) -> Any:
        probs = clamp_probs(self.probs)
        return probs.log() - (-probs).log1p()

    @property
    def param_shape(self) -> Any:
        return getattr(self, self._given).shape

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Any:
        new = self._expanded(batch_shape, _instance, total_count=self.total_count,
                             **{self._given: getattr(self, self._given)})
        new._given = self._given
        return new


class Binomial(_Counted):
    """The number of successes in `total_count` trials with probability `probs`."""

    arg_constraints = {"total_count": constraints.nonnegative_integer,  # noqa: RUF012
                       "probs": constraints.unit_interval, "logits": constraints.real}
    has_enumerate_support = True

    def __init__(self, total_count: Number = 1, probs: Number | None = None,
                 logits: Number | None = None, validate_args: bool | None = None):
        super().__init__(total_count, probs, logits, validate_args)

    @property
    def support(self) -> Constraint:
        return constraints.integer_interval(0, self.total_count)

    @property
    def mean(self) -> Any:
        return self.total_count * self.probs

    @property
    def mode(self) -> Any:
        return ((self.total_count + 1) * self.probs).floor().minimum(self.total_count)

    @property
    def variance(self) -> Any:
        return self.total_count * self.probs * (1 - self.probs)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        count, probs = (devices.to_numpy(x.detach().expand(shape)._array).astype(float)
                        for x in (self.total_count, self.probs))
        drawn = stream_of(None, self.total_count.device).numpy.binomial(count.astype(int), probs)
        return tensor(drawn, dtype=self.probs.dtype, device=self.probs.device)

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        n, logits = self.total_count, self.logits
        # n log(1 - p) is -n softplus(logits), without overflow for large logits.
        return (lgamma(n + 1) - lgamma(value + 1) - lgamma(n - value + 1) + value * logits
                - n * softplus(logits))

    def entropy(self) -> Any:
        n = int(self.total_count.max())
        if not bool((self.total_count == n).all()):
            raise NotImplementedError("Binomial.entropy: total_count must be the same for all "
                                      "elements of the batch")
        log_prob = self.log_prob(self.enumerate_support(False))
        return -(log_prob.exp() * log_prob).sum(0)

    def enumerate_support(self, expand: bool = True) -> Any:
        n = int(self.total_count.max())
        if not bool((self.total_count == n).all()):
            raise NotImplementedError("Binomial.enumerate_support: total_count must be the same "
                                      "for all elements of the batch")
        parameter = getattr(self, self._given)
        values: Any = arange(n + 1, dtype=parameter.dtype, device=parameter.device)
        values = values.reshape((-1, *[1] * len(self._batch_shape)))
        return values.expand((-1, *self._batch_shape)) if expand else values


class NegativeBinomial(_Counted):
    """The number of successes, with probability `probs`, before `total_count` failures."""

    arg_constraints = {"total_count": constraints.nonnegative,  # noqa: RUF012
                       "probs": constraints.half_open_interval(0, 1), "logits": constraints.real}

    def __init__(self, total_count: Number, probs: Number | None = None,
                 logits: Number | None = None, validate_args: bool | None = None):
        super().__init__(total_count, probs, logits, validate_args)

    @property
    def support(self) -> Constraint:
        return constraints.nonnegative_integer

    @property
    def mean(self) -> Any:
        return self.total_count * self.logits.exp()

    @property
    def mode(self) -> Any:
        return ((self.total_count - 1) * self.logits.exp()).floor().clamp(min=0.0)

    @property
    def variance(self) -> Any:
        return self.mean / (-self.logits).sigmoid()

    def sample(self, sample_shape: Sequence[int] = ()) -> Any:
        rates = Gamma(self.total_count, (-self.logits).exp(), validate_args=False)
        return poisson(rates.sample(sample_shape))

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        n = self.total_count
        unnormalised = n * logsigmoid(-self.logits) + value * logsigmoid(self.logits)
        normaliser = -lgamma(n + value) + lgamma(1 + value) + lgamma(n)
        return unnormalised - functions["where"](n + value == 0, 0.0, normaliser)
