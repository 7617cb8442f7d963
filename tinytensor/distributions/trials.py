"""The base class of distributions of trials that succeed or fail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .distribution import Derived, Distribution, Number, broadcast_all, clamp_probs, one_of


class Trials(Distribution):
    """Trials that succeed with probability `probs`; `logits` are log(probs / (1 - probs))."""

    def __init__(self, probs: Number | None = None, logits: Number | None = None,
                 validate_args: bool | None = None):
        name = type(self).__name__
        one_of(name, probs, logits)
        self._given = "logits" if probs is None else "probs"
        (parameter,) = broadcast_all(name, logits if probs is None else probs)
        vars(self)[self._given] = parameter
        super().__init__(parameter.shape, validate_args=validate_args)

    @Derived
    def probs(self) -> Any:
        return self.logits.sigmoid()

    @Derived
    def logits(self) -> Any:
        probs = clamp_probs(self.probs)
        return probs.log() - (-probs).log1p()

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Any:
        new = self._expanded(batch_shape, _instance, **{self._given: getattr(self, self._given)})
        new._given = self._given
        return new
