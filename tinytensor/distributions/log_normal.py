"""The log-normal distribution: values whose logarithm is normal."""

from __future__ import annotations

from typing import Any

from ..tensors.tensor import Tensor
from . import constraints
from .constraints import Constraint
from .distribution import Number
from .normal import Normal
from .transformed_distribution import TransformedDistribution
from .transforms import ExpTransform


class LogNormal(TransformedDistribution):
    """e**x for normally distributed x of mean `loc` and standard deviation `scale`.

    Density: exp(-((log x - loc) / scale)² / 2) / (x scale √(2π)).
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}  # noqa: RUF012
    has_rsample = True  # type: ignore[assignment]
    base_dist: Any

    def __init__(self, loc: Number, scale: Number, validate_args: bool | None = None):
        super().__init__(Normal(loc, scale, validate_args), ExpTransform(),
                         validate_args=validate_args)

    @property
    def loc(self) -> Tensor:
        return self.base_dist.loc  # type: ignore[no-any-return]

    @property
    def scale(self) -> Tensor:
        return self.base_dist.scale  # type: ignore[no-any-return]

    @property
    def support(self) -> Constraint:
        return constraints.positive

    @property
    def mean(self) -> Tensor:
        return (self.loc + self.scale ** 2 / 2).exp()

    @property
    def mode(self) -> Tensor:
        return (self.loc - self.scale ** 2).exp()

    @property
    def variance(self) -> Tensor:
        return (self.scale ** 2).expm1() * (2 * self.loc + self.scale ** 2).exp()

    def entropy(self) -> Tensor:
        return self.base_dist.entropy() + self.loc  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return f"LogNormal(loc: {self.loc.shape}, scale: {self.scale.shape})"
