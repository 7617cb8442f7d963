"""The categorical distribution: one of several classes."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any

from ..arrays import dtypes
from ..tensors.creation import arange, full
from ..tensors.sampling import multinomial
from ..tensors.tensor import Size, Tensor
from . import constraints
from .constraints import Constraint
from .distribution import Derived, Distribution, Number, broadcast_tensors, clamp_probs, one_of


class Categorical(Distribution):
    """A class from 0 to C - 1, with the probabilities in the last dim of `probs`.

    `probs` (*, C) need not add up to 1; `logits` (*, C) are their logarithms up to a constant. Both
    are normalised. Values have the shape (*).
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real}  # noqa: RUF012
    has_enumerate_support = True

    def __init__(self, probs: Number | None = None, logits: Number | None = None,
                 validate_args: bool | None = None):
        one_of("Categorical", probs, logits)
        self._given = "logits" if probs is None else "probs"
        parameter = logits if probs is None else probs
        if not isinstance(parameter, Tensor) or parameter.ndim < 1:
            raise ValueError(f"Categorical: `{self._given}` parameter must be at least "
                             "one-dimensional: a Tensor with the classes along its last dim")
        weights: Any = parameter
        vars(self)[self._given] = (
            weights - weights.logsumexp(-1, keepdim=True) if probs is None
            else weights / weights.sum(-1, keepdim=True))
        super().__init__(parameter.shape[:-1], validate_args=validate_args)

    @Derived
    def probs(self) -> Any:
        return self.logits.softmax(-1)

    @Derived
    def logits(self) -> Any:
        return clamp_probs(self.probs).log()

    @property
    def param_shape(self) -> Size:
        return getattr(self, self._given).shape

    @property
    def _num_events(self) -> int:
        return self.param_shape[-1]

    @property
    def support(self) -> Constraint:
        return constraints.integer_interval(0, self._num_events - 1)

    @property
    def mean(self) -> Tensor:
        """NaN: classes are not numbers."""
        return full(self._extended_shape(), float("nan"), dtype=self.probs.dtype,
                    device=self.probs.device)

    @property
    def mode(self) -> Tensor:
        return self.probs.argmax(-1)

    @property
    def variance(self) -> Tensor:
        """NaN: classes are not numbers."""
        return self.mean

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Categorical:
        new = self._expanded(batch_shape, _instance, (self._num_events,),
                             **{self._given: getattr(self, self._given)})
        new._given = self._given
        return new

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        sample_shape = Size(sample_shape)
        rows: Any = self.probs.detach().reshape(-1, self._num_events)
        drawn: Any = multinomial(rows, sample_shape.numel(), True)
        return drawn.T.reshape(self._extended_shape(sample_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        positions: Any = value.long()  # type: ignore[attr-defined]
        positions, logits = broadcast_tensors(positions.unsqueeze(-1), self.logits)
        return logits.gather(-1, positions[..., :1]).squeeze(-1)

    def entropy(self) -> Tensor:
        lowest = dtypes.finfo(self.logits.dtype).min  # 0 · -inf would be NaN
        return -(self.logits.clamp(min=lowest) * self.probs).sum(-1)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        values: Any = arange(self._num_events, device=self.probs.device)
        values = values.reshape((-1, *[1] * len(self._batch_shape)))
        return values.expand((-1, *self._batch_shape)) if expand else values


class OverClasses(Distribution):
    """Base class of distributions of vectors with one number per class of a `Categorical`."""

    def __init__(self, probs: Number | None = None, logits: Number | None = None,
                 validate_args: bool | None = None):
        self._categorical = Categorical(probs, logits, validate_args)
        shape = self._categorical.param_shape
        super().__init__(shape[:-1], shape[-1:], validate_args=validate_args)

    @property
    def probs(self) -> Any:
        return self._categorical.probs

    @property
    def logits(self) -> Any:
        return self._categorical.logits

    @property
    def param_shape(self) -> Size:
        return self._categorical.param_shape

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Any:
        new = copy(self)
        new._categorical = self._categorical.expand(batch_shape)
        new._batch_shape = new._categorical.batch_shape
        return new
