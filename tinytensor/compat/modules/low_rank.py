"""`torch.svd_lowrank` and `pca_lowrank`: decompositions of low rank, by random projections."""

# ruff: noqa: N803, N806 - matrices have PyTorch's names, which are capitals

from __future__ import annotations

from ... import linalg
from ...tensors.sampling import randn
from ...tensors.tensor import Tensor

Factors = tuple[Tensor, Tensor, Tensor]


def svd_lowrank(A: Tensor, q: int | None = 6, niter: int | None = 2,
                M: Tensor | None = None) -> Factors:
    """U, S and V with U diag(S) Vᵀ near A - M: the q largest singular values.

    Shapes: (*, m, n) -> (*, m, q), (*, q), (*, n, q). The range is found from a random projection
    with `niter` power iterations: Halko, Martinsson and Tropp 2009, algorithms 4.4 and 5.1.

    Raises:
        ValueError: q is not between 0 and the smaller size.
    """
    A = A if M is None else A - M
    count, smaller = 6 if q is None else q, min(A.shape[-2:])
    if not 0 <= count <= smaller:
        raise ValueError(f"svd_lowrank: q must be between 0 and the smaller size, {smaller}, got "
                         f"{count}")
    wide = A.shape[-2] < A.shape[-1]
    A = A.mT if wide else A
    Q = linalg.qr(A @ randn(A.shape[-1], count, dtype=A.dtype, device=A.device))[0]
    for _ in range(2 if niter is None else niter):
        Q = linalg.qr(A.mT @ Q)[0]
        Q = linalg.qr(A @ Q)[0]
    U, S, Vh = linalg.svd(Q.mT @ A, full_matrices=False)
    U = Q @ U
    return (Vh.mT, S, U) if wide else (U, S, Vh.mT)


def pca_lowrank(A: Tensor, q: int | None = None, center: bool = True, niter: int = 2) -> Factors:
    """`svd_lowrank` of A without its column means: the columns of V are the principal directions.

    Shapes and errors as for `svd_lowrank`. q is 6, or the smaller size, by default.
    """
    count = min(6, *A.shape[-2:]) if q is None else q
    return svd_lowrank(A - A.mean(-2, keepdim=True) if center else A, count, niter)
