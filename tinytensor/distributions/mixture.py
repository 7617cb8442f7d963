"""MixtureSameFamily: one of several distributions of one family, chosen at random."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..tensors.tensor import Tensor
from . import constraints
from .categorical import Categorical
from .constraints import Constraint
from .distribution import Distribution, functions

log_softmax = functions["log_softmax"]


class MixtureSameFamily(Distribution):
    """A component along the last batch dim, with the probabilities of a Categorical.

    Raises:
        ValueError: batch shapes or numbers of components that do not fit.
    """

    arg_constraints = {}  # noqa: RUF012

    def __init__(self, mixture_distribution: Categorical, component_distribution: Distribution,
                 validate_args: bool | None = None):
        if not isinstance(mixture_distribution, Categorical):
            raise ValueError("MixtureSameFamily: the mixture distribution must be a Categorical, "
                             f"got {type(mixture_distribution).__name__}")
        if not isinstance(component_distribution, Distribution):
            raise ValueError("MixtureSameFamily: the components must be a Distribution, got "
                             f"{type(component_distribution).__name__}")
        self.mixture_distribution = mixture_distribution
        self.component_distribution = component_distribution
        batch = component_distribution.batch_shape
        if not batch:
            raise ValueError("MixtureSameFamily: the components have no batch dim")
        for one, other in zip(reversed(mixture_distribution.batch_shape), reversed(batch[:-1]),
                              strict=False):
            if one != 1 and other != 1 and one != other:
                raise ValueError(f"MixtureSameFamily: batch shapes "
                                 f"{tuple(mixture_distribution.batch_shape)} of the mixture and "
                                 f"{tuple(batch[:-1])} of the components do not fit")
        count = mixture_distribution.logits.shape[-1]
        if count != batch[-1]:
            raise ValueError(f"MixtureSameFamily: the mixture has {count} classes, but there are "
                             f"{batch[-1]} components")
        self._events = len(component_distribution.event_shape)
        super().__init__(batch[:-1], component_distribution.event_shape,
                         validate_args=validate_args)

    @property
    def support(self) -> Constraint:
        return constraints.MixtureSameFamilyConstraint(self.component_distribution.support)

    @property
    def mean(self) -> Any:
        return self._average(self.component_distribution.mean)

    @property
    def variance(self) -> Any:
        within = self._average(self.component_distribution.variance)
        away = self.component_distribution.mean - self._padded(self.mean)
        return within + self._average(away ** 2)

    def _average(self, values: Any) -> Any:
        probs: Any = self.mixture_distribution.probs
        dim = -1 - self._events
        return (probs.reshape(*probs.shape, *[1] * self._events) * values).sum(dim)

    def _padded(self, x: Any) -> Any:
        return x.unsqueeze(-1 - self._events)

    def cdf(self, value: Tensor) -> Any:
        below: Any = self.component_distribution.cdf(self._padded(value))
        return (below * self.mixture_distribution.probs).sum(-1)

    def log_prob(self, value: Tensor) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        densities: Any = self.component_distribution.log_prob(self._padded(value))
        return functions["logsumexp"](
            densities + log_softmax(self.mixture_distribution.logits, -1), -1)

    def sample(self, sample_shape: Sequence[int] = ()) -> Any:
        chosen: Any = self.mixture_distribution.sample(sample_shape)
        drawn: Any = self.component_distribution.sample(sample_shape)
        events = self._event_shape
        index = chosen.reshape(*chosen.shape, *[1] * (1 + len(events)))
        index = index.expand(*chosen.shape, 1, *events)
        dim = len(sample_shape) + len(self._batch_shape)
        return drawn.gather(dim, index).squeeze(dim)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Any:
        return type(self)(self.mixture_distribution.expand(batch_shape),
                          self.component_distribution.expand(
                              (*batch_shape, self.component_distribution.batch_shape[-1])),
                          validate_args=False)

    def __repr__(self) -> str:
        return (f"MixtureSameFamily(\n  {self.mixture_distribution},\n  "
                f"{self.component_distribution})")
