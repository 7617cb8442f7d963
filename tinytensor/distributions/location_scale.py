"""The base class of distributions with a location and a scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..tensors.tensor import Size, Tensor
from . import constraints
from .constraints import Constraint
from .distribution import Distribution, Number, broadcast_all


class LocationScale(Distribution):
    """Values loc + scale · z, where z has a fixed distribution with mode 0."""

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}  # noqa: RUF012
    has_rsample = True

    loc: Tensor
    scale: Tensor

    def __init__(self, loc: Number, scale: Number, validate_args: bool | None = None):
        self.loc, self.scale = broadcast_all(type(self).__name__, loc, scale)
        super().__init__(self.loc.shape, validate_args=validate_args)

    @property
    def support(self) -> Constraint:
        return constraints.real

    @property
    def mode(self) -> Tensor:
        return self.loc

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Any:
        return self._expanded(batch_shape, _instance, loc=self.loc, scale=self.scale)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.loc + self._noise(self._extended_shape(sample_shape)) * self.scale

    def _noise(self, shape: Size) -> Any:
        """Samples of z."""
        raise NotImplementedError

    def _standardised(self, value: Tensor) -> Any:
        """z = (value - loc) / scale, after checking the value."""
        if self._validate_args:
            self._validate_sample(value)
        return (value - self.loc) / self.scale
