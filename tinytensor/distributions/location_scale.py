"""What distributions of a location and a scale share."""

from __future__ import annotations

from typing import Any

from ..tensors.tensor import Size, Tensor
from .distribution import POSITIVE, REAL, Constraint, Distribution, broadcast_all


class LocationScale(Distribution):
    """Values loc + scale · z, where z has one fixed distribution, most probable at 0."""

    arg_constraints = {"loc": REAL, "scale": POSITIVE}  # noqa: RUF012
    has_rsample = True

    loc: Any
    scale: Any

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None):
        self.loc, self.scale = broadcast_all(type(self).__name__, loc, scale)
        super().__init__(self.loc.shape, validate_args=validate_args)

    @property
    def support(self) -> Constraint:
        return REAL

    @property
    def mode(self) -> Tensor:
        return self.loc

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        return self._expanded(batch_shape, loc=self.loc, scale=self.scale)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return self.loc + self._noise(self._extended_shape(sample_shape)) * self.scale

    def _noise(self, shape: Size) -> Any:
        """Values of z, drawn at random."""
        raise NotImplementedError

    def _standardised(self, value: Any) -> Any:
        """The z of a value, after its check."""
        if self._validate_args:
            self._validate_sample(value)
        return (value - self.loc) / self.scale
