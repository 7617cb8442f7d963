"""Distributions of matrices: Wishart, and LKJCholesky of correlation matrices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .. import linalg
from ..arrays import dtypes
from ..ops.gamma import digamma, lgamma, mvlgamma
from ..tensors.creation import arange
from ..tensors.sampling import randn
from ..tensors.tensor import Size, Tensor
from . import constraints
from .constraints import Constraint
from .distribution import Distribution, Number, broadcast_all, functions
from .gamma import Beta, Chi2
from .kl import register_kl
from .multivariate_normal import _precision_to_scale_tril

where = functions["where"]


class LKJCholesky(Distribution):
    """Lower Cholesky factors L of random correlation matrices, of density ∝ det(L Lᵀ)^(c - 1).

    c is `concentration`. Values have the shape (*, dim, dim). Lewandowski, Kurowicka and Joe 2009,
    section 3.2, the onion method.

    Raises:
        ValueError: dim is below 2.
    """

    arg_constraints = {"concentration": constraints.positive}  # noqa: RUF012

    def __init__(self, dim: int, concentration: Number = 1.0, validate_args: bool | None = None):
        if dim < 2:
            raise ValueError(f"LKJCholesky: dim must be at least 2, got {dim}")
        self.dim = dim
        (self.concentration,) = broadcast_all("LKJCholesky", concentration)
        super().__init__(self.concentration.shape, (dim, dim), validate_args=validate_args)
        offset = functions["relu"](arange(dim, dtype=self.concentration.dtype,
                                          device=self.concentration.device) - 1)
        rest = (self.concentration + 0.5 * (dim - 2)).unsqueeze(-1) - 0.5 * offset
        self._beta = Beta(offset + 0.5, rest)

    @property
    def support(self) -> Constraint:
        return constraints.corr_cholesky

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Any:
        new = type(self).__new__(type(self)) if _instance is None else _instance
        LKJCholesky.__init__(new, self.dim, self.concentration.expand(tuple(batch_shape)),
                             validate_args=False)
        new._validate_args = self._validate_args
        return new

    def sample(self, sample_shape: Sequence[int] = ()) -> Any:
        squares = self._beta.sample(sample_shape).unsqueeze(-1)
        below = randn(self._extended_shape(sample_shape), dtype=squares.dtype,
                      device=squares.device).tril(-1)
        lengths = (below * below).sum(-1, keepdim=True).sqrt()
        rows = squares.sqrt() * where(lengths > 0, below / lengths, below)
        tiny = dtypes.finfo(rows.dtype).tiny
        return rows + (1 - (rows * rows).sum(-1)).clamp(min=tiny).sqrt().diag_embed()

    def log_prob(self, value: Tensor) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        later = value.diagonal(0, -2, -1)[..., 1:]
        order = arange(2, self.dim + 1, dtype=later.dtype, device=later.device)
        power = 2 * (self.concentration - 1).unsqueeze(-1) + self.dim - order
        count = self.dim - 1
        alpha = self.concentration + 0.5 * count
        constant = 0.5 * count * math.log(math.pi) + mvlgamma(alpha - 0.5, count) \
            - lgamma(alpha) * count
        return (power * later.log()).sum(-1) - constant


class Wishart(Distribution):
    """Sums of `df` matrices x xᵀ, for normal vectors x with mean 0 and a covariance (*, p, p).

    Density: |X|^((ν - p - 1) / 2) exp(-tr(V⁻¹ X) / 2) / (2^(ν p / 2) |V|^(ν / 2) Γ_p(ν / 2)) for
    ν = `df` > p - 1. Samples are drawn by Bartlett's decomposition.

    Args:
        covariance_matrix, precision_matrix, scale_tril: exactly one of V, its inverse, or its
            lower Cholesky factor.

    Raises:
        ValueError: none or several of them; not matrices; df is not above p - 1.
    """

    arg_constraints = {"df": constraints.positive}  # noqa: RUF012
    has_rsample = True

    def __init__(self, df: Any, covariance_matrix: Any = None, precision_matrix: Any = None,
                 scale_tril: Any = None, validate_args: bool | None = None):
        given = [(n, x) for n, x in (("covariance_matrix", covariance_matrix),
                                     ("precision_matrix", precision_matrix),
                                     ("scale_tril", scale_tril)) if x is not None]
        if len(given) != 1:
            raise ValueError("Wishart: Exactly one of covariance_matrix or precision_matrix or "
                             "scale_tril may be specified.")
        ((name, matrix),) = given
        if matrix.ndim < 2 or matrix.shape[-1] != matrix.shape[-2]:
            raise ValueError(f"Wishart: {name} must be (*, p, p), got {tuple(matrix.shape)}")
        self.df, _ = broadcast_all("Wishart", df, matrix[..., 0, 0])
        size = matrix.shape[-1]
        matrix = matrix.expand((*self.df.shape, size, size))
        if name == "precision_matrix":
            self.scale_tril = _precision_to_scale_tril(matrix)
        else:
            self.scale_tril = matrix if name == "scale_tril" else linalg.cholesky(matrix)
        super().__init__(self.df.shape, (size, size), validate_args=validate_args)
        if not bool((self.df > size - 1).all()):
            raise ValueError(f"Wishart: df must be greater than p - 1 = {size - 1}, got {self.df}")
        freedom = self.df.unsqueeze(-1) - arange(size, dtype=self.df.dtype, device=self.df.device)
        self._chi2 = Chi2(freedom)

    @property
    def covariance_matrix(self) -> Any:
        return self.scale_tril @ self.scale_tril.mT

    @property
    def precision_matrix(self) -> Any:
        return linalg.inv(self.covariance_matrix)

    @property
    def support(self) -> Constraint:
        return constraints.positive_definite

    @property
    def mean(self) -> Any:
        return self._of_matrix(self.df) * self.covariance_matrix

    @property
    def mode(self) -> Any:
        """NaN for df <= p + 1."""
        factor = self.df - self._event_shape[0] - 1
        factor = where(factor <= 0, factor * math.nan, factor)
        return self._of_matrix(factor) * self.covariance_matrix

    @property
    def variance(self) -> Any:
        V = self.covariance_matrix  # noqa: N806 - as in the formula
        diagonal = V.diagonal(0, -2, -1)
        return self._of_matrix(self.df) * (V ** 2 + diagonal.unsqueeze(-1) * diagonal.unsqueeze(-2))

    def _of_matrix(self, x: Any) -> Any:
        return x.unsqueeze(-1).unsqueeze(-1)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Any:
        shape = tuple(batch_shape)
        return type(self)(self.df.expand(shape), scale_tril=self.scale_tril.expand(
            (*shape, *self._event_shape)), validate_args=False)

    def _bartlett_sampling(self, sample_shape: Sequence[int] = ()) -> Any:
        size = self._event_shape[0]
        diagonal: Any = self._chi2.rsample(sample_shape)
        shape = Size((*sample_shape, *self._batch_shape, size, size))
        noise = randn(shape, dtype=self.df.dtype, device=self.df.device).tril(-1)
        factor = self.scale_tril @ (noise + diagonal.sqrt().diag_embed())
        return factor @ factor.mT

    def rsample(self, sample_shape: Sequence[int] = (), max_try_correction: Any = None) -> Any:
        return self._bartlett_sampling(sample_shape)

    def _log_volume(self) -> Any:
        """p log 2 / 2 + log |L|."""
        return self._event_shape[0] * math.log(2) / 2 \
            + self.scale_tril.diagonal(0, -2, -1).log().sum(-1)

    def log_prob(self, value: Tensor) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        nu, size = self.df, self._event_shape[0]
        factor = self.scale_tril.expand(value.shape)
        solved = linalg.solve(factor @ factor.mT, value).diagonal(0, -2, -1).sum(-1)
        return -nu * self._log_volume() - mvlgamma(nu / 2, size) \
            + (nu - size - 1) / 2 * linalg.slogdet(value)[1] - solved / 2

    def entropy(self) -> Any:
        nu, size = self.df, self._event_shape[0]
        return (size + 1) * self._log_volume() + mvlgamma(nu / 2, size) \
            - (nu - size - 1) / 2 * _mvdigamma(nu / 2, size) + nu * size / 2


def _mvdigamma(x: Any, size: int) -> Any:
    """The derivative of `mvlgamma`."""
    below = arange(size, dtype=x.dtype, device=x.device) / 2
    return digamma(x.unsqueeze(-1) - below).sum(-1)


@register_kl(Wishart, Wishart)
def _wishart(p: Wishart, q: Wishart) -> Any:
    size = p.event_shape[0]
    trace = (q.precision_matrix * p.covariance_matrix).sum((-2, -1))
    return mvlgamma(q.df / 2, size) - mvlgamma(p.df / 2, size) \
        + (p.df - q.df) / 2 * _mvdigamma(p.df / 2, size) + p.df * (trace - size) / 2 \
        + q.df * (q._log_volume() - p._log_volume())
