"""The multinomial distribution: the counts of classes in several draws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..arrays.numbers import integer, is_integer
from ..tensors.creation import arange, zeros
from ..tensors.tensor import Size, Tensor
from . import constraints
from .categorical import OverClasses
from .constraints import Constraint
from .distribution import Number, clamp_probs, functions

where, cat = functions["where"], functions["cat"]


class Multinomial(OverClasses):
    """Counts of C classes in `total_count` independent draws.

    `probs` (*, C) and `logits` are those of `Categorical`. Values (*, C) are whole numbers that add
    up to total_count, in the dtype of the probabilities. As in PyTorch, `log_prob` uses the sum of
    the value as the total.

    Raises:
        NotImplementedError: a total_count that is not an int.
        ValueError: as `Categorical`.
    """

    total_count: int

    def __init__(self, total_count: int = 1, probs: Number | None = None,
                 logits: Number | None = None, validate_args: bool | None = None):
        if not is_integer(total_count):
            raise NotImplementedError("Multinomial: inhomogeneous total_count is not supported; it "
                                      f"must be an int, got {type(total_count).__name__}")
        self.total_count = integer("Multinomial: total_count", total_count)
        super().__init__(probs, logits, validate_args)

    @property
    def support(self) -> Constraint:
        return constraints.multinomial(self.total_count)

    @property
    def mean(self) -> Tensor:
        return self.probs * self.total_count

    @property
    def variance(self) -> Tensor:
        return self.total_count * self.probs * (1 - self.probs)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        drawn = self._categorical.sample((self.total_count, *Size(sample_shape)))
        counts: Any = zeros(self._extended_shape(sample_shape), dtype=self.probs.dtype,
                            device=self.probs.device)
        places: Any = drawn.movedim(0, -1)  # type: ignore[attr-defined]
        ones: Any = counts.new_ones(places.shape)
        return counts.scatter_add(-1, places, ones)

    def log_prob(self, value: Tensor) -> Tensor:
        """log(n! / Π x_c! · Π p_c**x_c), where n is the sum of the value."""
        if self._validate_args:
            self._validate_sample(value)
        counts: Any = value.to(self.logits.dtype)  # type: ignore[attr-defined]
        logits = where((counts == 0) & (self.logits == -float("inf")), 0.0, self.logits)
        factorials = self._log_factorials(int(counts.sum(-1).max().item()) if counts.numel() else 0)
        ways = factorials[counts.sum(-1).long()] - factorials[counts.long()].sum(-1)
        return ways + (logits * counts).sum(-1)

    def entropy(self) -> Tensor:
        """n H(p) - log n! + Σ_c E log x_c!, where each x_c is binomial."""
        n, factorials = self.total_count, self._log_factorials(self.total_count)
        k: Any = arange(n + 1, dtype=self.probs.dtype, device=self.probs.device)
        p: Any = clamp_probs(self.probs).unsqueeze(-1)  # type: ignore[attr-defined]
        ways = factorials[n] - factorials - factorials.flip(0)
        chances = (ways + functions["xlogy"](k, p) + functions["xlogy"](n - k, 1 - p)).exp()
        return (n * self._categorical.entropy() - factorials[n]
                + (chances * factorials).sum((-2, -1)))

    def _log_factorials(self, most: int) -> Any:
        """log 0!, log 1!, ..., log most!"""
        logs: Any = arange(1, most + 1, dtype=self.probs.dtype, device=self.probs.device).log()
        return cat([logs.new_zeros(1), logs.cumsum(0)])

    def __repr__(self) -> str:
        return f"Multinomial(total_count={self.total_count})"
