"""Transforms to probabilities and to matrices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ... import linalg, ops
from ...arrays import dtypes
from ...tensors.creation import arange
from .. import constraints
from ..distribution import clamp_probs
from .transform import Transform

softplus: Any = ops.names_for("nn.functional")["softplus"]
pad: Any = ops.names_for("nn.functional")["pad"]


class SoftmaxTransform(Transform):
    """y = softmax(x) along the last dim; log(y) is one of many inverses."""

    domain, codomain = constraints.real_vector, constraints.simplex

    def _call(self, x: Any) -> Any:
        return x.softmax(-1)

    def _inverse(self, y: Any) -> Any:
        return y.log()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SoftmaxTransform)

    __hash__ = object.__hash__


class StickBreakingTransform(Transform):
    """K numbers to K + 1 probabilities: each takes a part of what is left of a stick.

    zᵢ = sigmoid(xᵢ - log(K - i)), yᵢ = zᵢ Π (1 - zⱼ) over j < i.
    """

    bijective = True
    domain, codomain = constraints.real_vector, constraints.simplex

    @staticmethod
    def _offset(x: Any, count: int) -> Any:
        return x.new_tensor([math.log(count - i) for i in range(count)])

    def _call(self, x: Any) -> Any:
        z = clamp_probs((x - self._offset(x, x.shape[-1])).sigmoid())
        left = (1 - z).cumprod(-1)
        return pad(z, (0, 1), value=1) * pad(left, (1, 0), value=1)

    def _inverse(self, y: Any) -> Any:
        most = y[..., :-1]
        left = (1 - most.cumsum(-1)).clamp(min=dtypes.finfo(y.dtype).tiny)
        return most.log() - left.log() + self._offset(y, most.shape[-1])

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        x = x - self._offset(x, x.shape[-1])
        return (-x - softplus(-x) + y[..., :-1].log()).sum(-1)

    def forward_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        return (*shape[:-1], shape[-1] + 1)

    def inverse_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        return (*shape[:-1], shape[-1] - 1)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StickBreakingTransform)

    __hash__ = object.__hash__


class LowerCholeskyTransform(Transform):
    """A matrix to a lower triangular one with a positive diagonal: e to that of the diagonal."""

    domain = constraints.independent(constraints.real, 2)
    codomain = constraints.lower_cholesky

    def _call(self, x: Any) -> Any:
        return x.tril(-1) + x.diagonal(dim1=-2, dim2=-1).exp().diag_embed()

    def _inverse(self, y: Any) -> Any:
        return y.tril(-1) + y.diagonal(dim1=-2, dim2=-1).log().diag_embed()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LowerCholeskyTransform)

    __hash__ = object.__hash__


class PositiveDefiniteTransform(Transform):
    """y = L Lᵀ, where L is the `LowerCholeskyTransform` of x."""

    domain = constraints.independent(constraints.real, 2)
    codomain = constraints.positive_definite

    def _call(self, x: Any) -> Any:
        factor = LowerCholeskyTransform()(x)
        return factor @ factor.mT

    def _inverse(self, y: Any) -> Any:
        return LowerCholeskyTransform().inv(linalg.cholesky(y))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PositiveDefiniteTransform)

    __hash__ = object.__hash__


class CorrCholeskyTransform(Transform):
    """Vectors of n (n - 1) / 2 numbers to Cholesky factors of correlation matrices, n x n.

    tanh(x) are canonical partial correlations, row by row, of which each row breaks a stick of
    length 1: Lewandowski, Kurowicka and Joe 2009.
    """

    domain = constraints.real_vector
    codomain = constraints.corr_cholesky
    bijective = True

    def _call(self, x: Any) -> Any:
        eps = dtypes.finfo(x.dtype).eps
        n = self.forward_shape(x.shape)[-1]
        partial = x.new_zeros((*x.shape[:-1], n, n))
        partial[(..., _below(n))] = x.tanh().clamp(-1 + eps, 1 - eps)
        left = (1 - partial * partial).sqrt().cumprod(-1)
        one = x.new_ones(n).diag()
        return (partial + one) * pad(left[..., :-1], (1, 0), value=1.0)

    def _inverse(self, y: Any) -> Any:
        left = pad(1 - (y * y).cumsum(-1)[..., :-1], (1, 0), value=1.0)
        where_below = (..., _below(y.shape[-1]))
        partial = y[where_below] / left[where_below].sqrt()
        return (partial.log1p() - (-partial).log1p()) / 2

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        left = 1 - (y * y).cumsum(-1)
        sticks = left[(..., _below(y.shape[-1], -2))].log().sum(-1) / 2
        return sticks - 2 * (x + softplus(-2 * x) - math.log(2)).sum(-1)

    def forward_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        count = shape[-1]
        n = round((0.25 + 2 * count) ** 0.5 + 0.5)
        if n * (n - 1) // 2 != count:
            raise ValueError("CorrCholeskyTransform: the size must be n (n - 1) / 2 for some n, "
                             f"got {count}")
        return (*shape[:-1], n, n)

    def inverse_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        return (*shape[:-2], shape[-1] * (shape[-1] - 1) // 2)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CorrCholeskyTransform)

    __hash__ = object.__hash__


def _below(n: int, diagonal: int = -1) -> Any:
    """A mask of the elements on and below a diagonal of n x n matrices."""
    rows = arange(n)
    return rows.unsqueeze(-1) + diagonal >= rows
