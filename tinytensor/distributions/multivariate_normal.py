"""The multivariate normal distribution."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .. import linalg
from ..tensors.creation import eye
from ..tensors.sampling import randn
from ..tensors.tensor import Tensor
from . import constraints
from .constraints import Constraint
from .distribution import Distribution


def _precision_to_scale_tril(P: Any) -> Any:  # noqa: N803 - PyTorch's private name
    """The lower Cholesky factor of the inverse of a matrix, by one factorisation."""
    factor = linalg.cholesky(P.flip(-2, -1)).flip(-2, -1).mT
    one = eye(P.shape[-1], dtype=P.dtype, device=P.device).expand(P.shape)
    return linalg.solve_triangular(factor, one, upper=False)


class MultivariateNormal(Distribution):
    """Normally distributed vectors of mean `loc` (*, D) and a covariance (*, D, D).

    Density: exp(-mᵀ m / 2) / (|L| (2π)^(D/2)), m = L⁻¹ (x - loc), L Lᵀ the covariance.

    Args:
        covariance_matrix, precision_matrix, scale_tril: exactly one of the covariance, its
            inverse, or L.

    Raises:
        ValueError: none or several of them; shapes other than (*, D) and (*, D, D).
    """

    arg_constraints = {"loc": constraints.real}  # noqa: RUF012
    has_rsample = True

    loc: Tensor
    scale_tril: Any  # L, lower triangular

    def __init__(self, loc: Any, covariance_matrix: Any = None, precision_matrix: Any = None,
                 scale_tril: Any = None, validate_args: bool | None = None):
        given = {"covariance_matrix": covariance_matrix, "precision_matrix": precision_matrix,
                 "scale_tril": scale_tril}
        given = {name: x for name, x in given.items() if x is not None}
        if len(given) != 1:
            raise ValueError("MultivariateNormal: Exactly one of covariance_matrix or "
                             "precision_matrix or scale_tril may be specified.")
        ((name, matrix),) = given.items()
        if loc.ndim < 1 or matrix.ndim < 2 or matrix.shape[-2:] != (loc.shape[-1],) * 2:
            raise ValueError(f"MultivariateNormal: loc of shape {tuple(loc.shape)} and {name} of "
                             f"shape {tuple(matrix.shape)}; they must be (*, D) and (*, D, D)")
        size = loc.shape[-1]
        batch = (matrix[..., 0] + loc).shape[:-1]
        self.loc = loc.expand((*batch, size))
        matrix = matrix.expand((*batch, size, size))
        if name == "precision_matrix":
            self.scale_tril = _precision_to_scale_tril(matrix)
        else:
            self.scale_tril = matrix if name == "scale_tril" else linalg.cholesky(matrix)
        super().__init__(batch, (size,), validate_args=validate_args)

    @property
    def covariance_matrix(self) -> Tensor:
        return self.scale_tril @ self.scale_tril.mT

    @property
    def precision_matrix(self) -> Tensor:
        return linalg.inv(self.covariance_matrix)

    @property
    def support(self) -> Constraint:
        return constraints.real

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        return (self.scale_tril ** 2).sum(-1)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> MultivariateNormal:
        size = self._event_shape[0]
        return type(self)(self.loc.expand((*batch_shape, size)),
                          scale_tril=self.scale_tril.expand((*batch_shape, size, size)),
                          validate_args=False)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        noise: Any = randn(self._extended_shape(sample_shape), dtype=self.loc.dtype,
                           device=self.loc.device)
        return self.loc + (self.scale_tril @ noise.unsqueeze(-1)).squeeze(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        deviation = (value - self.loc).unsqueeze(-1)
        factor = self.scale_tril.expand((*deviation.shape[:-2], *self.scale_tril.shape[-2:]))
        solved = linalg.solve_triangular(factor, deviation, upper=False).squeeze(-1)
        size = self._event_shape[0]
        return -0.5 * (size * math.log(2 * math.pi) + (solved ** 2).sum(-1)) - self._log_volume()

    def entropy(self) -> Tensor:
        return 0.5 * self._event_shape[0] * (1 + math.log(2 * math.pi)) + self._log_volume()

    def _log_volume(self) -> Tensor:
        """log |L|."""
        return self.scale_tril.diagonal(0, -2, -1).log().sum(-1)

    def __repr__(self) -> str:
        return (f"MultivariateNormal(loc: {self.loc.shape}, "
                f"covariance_matrix: {self.scale_tril.shape})")
