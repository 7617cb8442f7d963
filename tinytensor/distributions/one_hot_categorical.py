"""The categorical distribution with one-hot vectors as values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import ops
from ..tensors.creation import eye
from ..tensors.tensor import Tensor
from . import constraints
from .categorical import OverClasses
from .constraints import Constraint

one_hot: Any = ops.names_for("nn.functional")["one_hot"]


class OneHotCategorical(OverClasses):
    """One-hot vectors: 1 at the drawn class, 0 at the others.

    `probs` (*, C) and `logits` are those of `Categorical`. Values have the shape (*, C) and the
    dtype of the probabilities.

    Raises:
        ValueError: as `Categorical`.
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real}  # noqa: RUF012
    has_enumerate_support = True

    @property
    def support(self) -> Constraint:
        return constraints.one_hot

    @property
    def mean(self) -> Tensor:
        return self.probs

    @property
    def mode(self) -> Tensor:
        return self._one_hot(self._categorical.mode)

    @property
    def variance(self) -> Tensor:
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self._one_hot(self._categorical.sample(sample_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        return self._categorical.log_prob(value.argmax(-1))

    def entropy(self) -> Tensor:
        return self._categorical.entropy()

    def enumerate_support(self, expand: bool = True) -> Tensor:
        size, batch = self._event_shape[0], self._batch_shape
        values: Any = eye(size, dtype=self.probs.dtype, device=self.probs.device)
        values = values.reshape((size, *[1] * len(batch), size))
        return values.expand((size, *batch, size)) if expand else values

    def _one_hot(self, classes: Tensor) -> Tensor:
        return one_hot(classes, self._event_shape[0]).to(self.probs.dtype)
