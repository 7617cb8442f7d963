"""The Bernoulli distribution: 1 or 0."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import ops
from ..tensors.creation import arange, full_like
from ..tensors.sampling import bernoulli
from ..tensors.tensor import Tensor
from . import constraints
from .constraints import Constraint
from .distribution import broadcast_all, functions
from .trials import Trials

where = functions["where"]
binary_cross_entropy_with_logits: Any = ops.names_for("nn.functional")[
    "binary_cross_entropy_with_logits"]


class Bernoulli(Trials):
    """1 with probability `probs`, else 0; `logits` are log(probs / (1 - probs))."""

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}  # noqa: RUF012
    has_enumerate_support = True

    @property
    def param_shape(self) -> Any:
        return getattr(self, self._given).shape

    @property
    def support(self) -> Constraint:
        return constraints.boolean

    @property
    def mean(self) -> Tensor:
        return self.probs

    @property
    def mode(self) -> Tensor:
        mode = (self.probs >= 0.5).to(self.probs.dtype)
        return where(self.probs == 0.5, full_like(mode, float("nan")), mode)

    @property
    def variance(self) -> Tensor:
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return bernoulli(self.probs.detach().expand(self._extended_shape(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        logits, value = broadcast_all("Bernoulli", self.logits, value)
        return -binary_cross_entropy_with_logits(logits, value, reduction="none")

    def entropy(self) -> Tensor:
        return binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none")

    def enumerate_support(self, expand: bool = True) -> Tensor:
        parameter = getattr(self, self._given)
        values: Any = arange(2, dtype=parameter.dtype, device=parameter.device)
        values = values.reshape((2, *[1] * len(self._batch_shape)))
        return values.expand((2, *self._batch_shape)) if expand else values
