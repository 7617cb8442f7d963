"""`torch.distributions.utils`: helpers with which programs write distributions of their own."""

from __future__ import annotations

from typing import Any

from ...distributions import distribution
from ...distributions.distribution import Derived, clamp_probs
from ...distributions.gumbel import EULER
from ...distributions.transforms.transform import sum_rightmost as _sum_rightmost
from ...tensors.creation import arange
from ...tensors.sampling import randn
from ...tensors.tensor import Tensor

__all__ = ["_standard_normal", "_sum_rightmost", "broadcast_all", "clamp_probs", "euler_constant",
           "lazy_property", "logits_to_probs", "probs_to_logits", "tril_matrix_to_vec",
           "vec_to_tril_matrix"]

lazy_property = Derived
euler_constant = EULER


def broadcast_all(*values: Any) -> tuple[Tensor, ...]:
    """Numbers and Tensors as Tensors of one shape.

    Raises:
        ValueError: a value that is neither.
    """
    return distribution.broadcast_all("broadcast_all", *values)


def _standard_normal(shape: Any, dtype: Any, device: Any) -> Tensor:
    return randn(shape, dtype=dtype, device=device)


def logits_to_probs(logits: Tensor, is_binary: bool = False) -> Tensor:
    """Softmax over the last dim, or the sigmoid."""
    return logits.sigmoid() if is_binary else logits.softmax(-1)


def probs_to_logits(probs: Tensor, is_binary: bool = False) -> Tensor:
    """log(probs), or log(probs / (1 - probs)); both finite."""
    clamped = clamp_probs(probs)
    return clamped.log() - (-clamped).log1p() if is_binary else clamped.log()


def tril_matrix_to_vec(mat: Tensor, diag: int = 0) -> Tensor:
    """The elements on and below a diagonal, row by row. Shapes: (*, n, n) -> (*, count).

    Raises:
        ValueError: the diagonal lies outside of the matrix.
    """
    return mat[(..., _on_or_below(mat.shape[-1], diag))]


def vec_to_tril_matrix(vec: Tensor, diag: int = 0) -> Tensor:
    """The matrix whose elements on and below a diagonal are those of a vector, row by row; zeros
    above. Shapes: (*, count) -> (*, n, n).

    Raises:
        ValueError: no matrix has that number of elements there.
    """
    n, count = 0, vec.shape[-1]
    while n <= max(-diag, diag, 0) or _count(n, diag) < count:
        n += 1
    if _count(n, diag) != count:
        raise ValueError(f"vec_to_tril_matrix: no square matrix has {count} elements on and below "
                         f"diagonal {diag}")
    matrix = vec.new_zeros((*vec.shape[:-1], n, n))
    matrix[(..., _on_or_below(n, diag))] = vec
    return matrix


def _on_or_below(n: int, diag: int) -> Any:
    if not -n <= diag < n:
        raise ValueError(f"tril_matrix_to_vec: diag {diag} lies outside of matrices of size {n}")
    rows = arange(n)
    return rows.unsqueeze(-1) + diag >= rows


def _count(n: int, diag: int) -> int:
    return sum(min(n, max(0, row + diag + 1)) for row in range(n))
