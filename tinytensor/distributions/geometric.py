"""The geometric distribution: the number of failures before the first success."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import ops
from ..tensors.creation import zeros_like
from ..tensors.tensor import Tensor
from . import constraints
from .constraints import Constraint
from .distribution import broadcast_all, functions
from .exponential import standard_exponential
from .trials import Trials

where = functions["where"]
binary_cross_entropy_with_logits: Any = ops.names_for("nn.functional")[
    "binary_cross_entropy_with_logits"]


class Geometric(Trials):
    """0, 1, 2, ... failures before the first success, in trials with probability `probs`.

    Probability: probs · (1 - probs)**x. `logits` are log(probs / (1 - probs)).
    """

    arg_constraints = {"probs": constraints.chance,  # noqa: RUF012
                       "logits": constraints.real}

    @property
    def support(self) -> Constraint:
        return constraints.nonnegative_integer

    @property
    def mean(self) -> Tensor:
        return 1 / self.probs - 1

    @property
    def mode(self) -> Tensor:
        return zeros_like(self.probs)

    @property
    def variance(self) -> Tensor:
        return (1 / self.probs - 1) / self.probs

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        probs = self.probs.detach()
        waiting = standard_exponential(self._extended_shape(sample_shape), probs)
        return (waiting / -(-probs).log1p()).floor()

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        value, probs = broadcast_all("Geometric", value, self.probs)
        safe = where((probs == 1) & (value == 0), zeros_like(probs), probs)  # 0 · -inf is NaN
        return value * (-safe).log1p() + self.probs.log()

    def entropy(self) -> Tensor:
        return binary_cross_entropy_with_logits(self.logits, self.probs,
                                                reduction="none") / self.probs
