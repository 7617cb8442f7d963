"""The multivariate normal distribution whose covariance is of low rank, plus a diagonal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .. import linalg
from ..tensors.creation import eye
from ..tensors.sampling import randn
from ..tensors.tensor import Size, Tensor
from . import constraints
from .constraints import Constraint
from .distribution import Distribution
from .kl import register_kl
from .multivariate_normal import MultivariateNormal


class LowRankMultivariateNormal(Distribution):
    """Normally distributed vectors of mean `loc` (*, D) and covariance W Wᵀ + diag(d).

    W is `cov_factor` (*, D, R), d is `cov_diag` (*, D). The density takes an R x R factorisation:
    Woodbury's identity and the matrix determinant lemma.

    Raises:
        ValueError: shapes that do not fit.
    """

    arg_constraints = {"loc": constraints.real_vector,  # noqa: RUF012
                       "cov_factor": constraints.independent(constraints.real, 2),
                       "cov_diag": constraints.independent(constraints.positive, 1)}
    has_rsample = True

    def __init__(self, loc: Any, cov_factor: Any, cov_diag: Any,
                 validate_args: bool | None = None):
        size = loc.shape[-1] if loc.ndim else -1
        if cov_factor.ndim < 2 or cov_factor.shape[-2] != size or not cov_diag.ndim \
                or cov_diag.shape[-1] != size:
            raise ValueError("LowRankMultivariateNormal: loc, cov_factor and cov_diag must be "
                             f"(*, D), (*, D, R) and (*, D), got {tuple(loc.shape)}, "
                             f"{tuple(cov_factor.shape)} and {tuple(cov_diag.shape)}")
        batch = (cov_factor[..., 0] + loc + cov_diag).shape[:-1]
        self.loc, self.cov_diag = loc.expand((*batch, size)), cov_diag.expand((*batch, size))
        self.cov_factor = cov_factor.expand((*batch, *cov_factor.shape[-2:]))
        super().__init__(batch, (size,), validate_args=validate_args)

    @property
    def support(self) -> Constraint:
        return constraints.real_vector

    @property
    def mean(self) -> Tensor:
        return self.loc  # type: ignore[no-any-return]

    @property
    def mode(self) -> Tensor:
        return self.loc  # type: ignore[no-any-return]

    @property
    def variance(self) -> Tensor:
        return (self.cov_factor ** 2).sum(-1) + self.cov_diag  # type: ignore[no-any-return]

    @property
    def covariance_matrix(self) -> Tensor:
        return self.cov_factor @ self.cov_factor.mT + self.cov_diag.diag_embed()  # type: ignore[no-any-return]

    @property
    def scale_tril(self) -> Any:
        """The Cholesky factor of the covariance."""
        return linalg.cholesky(self.covariance_matrix)

    @property
    def precision_matrix(self) -> Any:
        scaled = self.cov_factor / self.cov_diag.unsqueeze(-1)
        solved = linalg.solve_triangular(self._capacitance(), scaled.mT, upper=False)
        return (1 / self.cov_diag).diag_embed() - solved.mT @ solved

    def _capacitance(self) -> Any:
        """The Cholesky factor of I + Wᵀ diag(d)⁻¹ W."""
        rank = self.cov_factor.shape[-1]
        one = eye(rank, dtype=self.loc.dtype, device=self.loc.device)
        return linalg.cholesky(
            one + self.cov_factor.mT @ (self.cov_factor / self.cov_diag.unsqueeze(-1)))

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Any:
        shape, size = tuple(batch_shape), self._event_shape
        return type(self)(self.loc.expand((*shape, *size)),
                          self.cov_factor.expand((*shape, *self.cov_factor.shape[-2:])),
                          self.cov_diag.expand((*shape, *size)), validate_args=False)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        options: Any = {"dtype": self.loc.dtype, "device": self.loc.device}
        low = randn(Size((*shape[:-1], self.cov_factor.shape[-1])), **options)
        own = randn(shape, **options)
        return self.loc + (self.cov_factor @ low.unsqueeze(-1)).squeeze(-1) \
            + self.cov_diag.sqrt() * own  # type: ignore[no-any-return]

    def log_prob(self, value: Tensor) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        return -0.5 * (self._event_shape[0] * math.log(2 * math.pi) + self._log_det()
                       + self._distance(value - self.loc))

    def entropy(self) -> Any:
        return 0.5 * (self._event_shape[0] * (1 + math.log(2 * math.pi)) + self._log_det())

    def _log_det(self) -> Any:
        """The logarithm of the determinant of the covariance."""
        return 2 * self._capacitance().diagonal(0, -2, -1).log().sum(-1) \
            + self.cov_diag.log().sum(-1)

    def _distance(self, deviation: Any) -> Any:
        """deviationᵀ covariance⁻¹ deviation."""
        scaled = deviation / self.cov_diag
        inner = self.cov_factor.mT @ scaled.unsqueeze(-1)
        factor = self._capacitance()
        factor = factor.expand((*inner.shape[:-2], *factor.shape[-2:]))
        solved = linalg.solve_triangular(factor, inner, upper=False).squeeze(-1)
        return (deviation * scaled).sum(-1) - (solved ** 2).sum(-1)


@register_kl(LowRankMultivariateNormal, LowRankMultivariateNormal)
@register_kl(LowRankMultivariateNormal, MultivariateNormal)
@register_kl(MultivariateNormal, LowRankMultivariateNormal)
def _low_rank(p: Any, q: Any) -> Any:
    """(log |Σ_q| - log |Σ_p| + tr(Σ_q⁻¹ Σ_p) + distance² - D) / 2."""
    size = p.event_shape[0]
    deviation = (q.loc - p.loc).unsqueeze(-1)
    inverse = q.precision_matrix
    trace = (inverse * p.covariance_matrix).sum((-2, -1))
    distance = (deviation * (inverse @ deviation)).sum((-2, -1))
    return 0.5 * (2 * _log_volume(q) - 2 * _log_volume(p) + trace + distance - size)


def _log_volume(d: Any) -> Any:
    """Half the logarithm of the determinant of the covariance."""
    return 0.5 * d._log_det() if isinstance(d, LowRankMultivariateNormal) else d._log_volume()
