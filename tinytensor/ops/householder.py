"""Products of Householder reflections, and the QR decomposition in their form."""

# ruff: noqa: N803, N806 - matrices have PyTorch's names, which are capitals

from __future__ import annotations

from ..arrays import devices
from ..arrays.return_types import return_type
from ..autograd.graph import tensor_of
from ..autograd.table import composed
from ..tensors.creation import eye
from ..tensors.tensor import Tensor
from .diagonals import tril, triu
from .linalg import matmul
from .matrices import LAPACK, check_matrices
from .samples import S, t
from .shape import cat, transpose
from .shape import transpose as swap
from .solving import solve_triangular


@composed(keywords={"input2": "tau", "input3": "other"}, widens=True,
          autocast="float32 on cpu", scalar=LAPACK, samples=[
    S(t(4, 3), t(3), t(4, 2)), S(t(4, 4), t(4), t(4, 2), transpose=True),
    S(t(2, 4, 3), t(2, 3), t(2, 2, 4), left=False)])
def ormqr(input: Tensor, tau: Tensor, other: Tensor, left: bool = True,
          transpose: bool = False) -> Tensor:
    """Q other, or other Q with left=False, where Q (m x m) is the product of the reflections of
    `linalg.householder_product`; of its transpose with `transpose`.

    Shapes: (*, m, k), (*, k), (*, m, n) or (*, n, m) -> the shape of other.

    Raises:
        RuntimeError: sizes that do not fit, or Tensors that are not floating point.
    """
    input = input[..., :tau.shape[-1]]
    m, k = input.shape[-2], input.shape[-1]
    if other.ndim != input.ndim or other.shape[-2 if left else -1] != m:
        raise RuntimeError(f"ormqr: reflections of {m} elements, in an input of shape "
                           f"{tuple(input.shape)}, do not fit other, of shape "
                           f"{tuple(other.shape)}")
    wide = cat([input, input.new_zeros((*input.shape[:-1], m - k))], -1) if k < m else input
    Q = householder_product(wide, tau)
    Q = swap(Q, -2, -1) if transpose else Q
    return matmul(Q, other) if left else matmul(other, Q)


geqrf_result = return_type("geqrf", "a", "tau")


@composed(
    widens=True, autocast="float32 on cpu", home="linalg", method=False, scalar=LAPACK, samples=[
    S(t(4, 3), t(3)), S(t(4, 4), t(2)), S(t(2, 4, 3), t(2, 3)),
    S(t(3, 0, grad=False), t(0, grad=False))])
def householder_product(A: Tensor, tau: Tensor) -> Tensor:
    """The first n columns of H_1 H_2 ... H_k, with the reflections H_i = I - tau_i v_i v_iᵀ.

    v_i has zeros above row i, 1 in row i, and the elements of column i of A below. The product is
    I - V T Vᵀ, with the triangular T of Schreiber and Van Loan 1989.

    Shapes: (*, m, n), (*, k) -> (*, m, n), where k <= n <= m.

    Raises:
        RuntimeError: sizes that do not fit, or Tensors that are not floating point.
    """
    check_matrices("linalg.householder_product", A._array)
    (m, n), count = A.shape[-2:], tau.shape[-1] if tau.ndim else -1
    if not 0 <= count <= n <= m or tau.shape[:-1] != A.shape[:-2]:
        raise RuntimeError("linalg.householder_product: A must have shape (*, m, n) and tau (*, k) "
                           f"with k <= n <= m, got {tuple(A.shape)} and {tuple(tau.shape)}")

    def identity(rows, columns):
        return eye(rows, columns, dtype=A.dtype, device=A.device)

    V = tril(A[..., :count], -1) + identity(m, count)
    scale = tau.unsqueeze(-1)
    above = triu(matmul(transpose(V, -2, -1), V), 1) * tau.unsqueeze(-2)
    product = solve_triangular(above + identity(count, count),
                               transpose(V, -2, -1)[..., :n], upper=True, unitriangular=True)
    return identity(m, n) - matmul(V, scale * product)


@composed(widens=True, autocast="float32 on cpu", scalar=LAPACK, samples=[S(t(4, 3), t(3))])
def orgqr(input: Tensor, input2: Tensor) -> Tensor:
    """`linalg.householder_product(input, input2)`. Shapes: (*, m, n), (*, k) -> (*, m, n)."""
    return householder_product(input, input2)


@composed(widens=True, scalar=LAPACK, samples=[S(t(4, 3, grad=False)), S(t(2, 3, 4, grad=False))])
def geqrf(input: Tensor):
    """(a, tau) of the QR decomposition by Householder reflections, as LAPACK gives it.

    R is the upper triangle of a, and Q is `linalg.householder_product(a, tau)` for m >= n. There
    is no gradient; `linalg.qr` has one.

    Shapes: (*, m, n) -> (*, m, n), (*, min(m, n)).

    Raises:
        RuntimeError: not floating point, or fewer than 2 dims.
    """
    check_matrices("geqrf", input._array)
    factors, tau = devices.array_module(input._array).linalg.qr(input._array, "raw")
    return geqrf_result(tensor_of(factors.swapaxes(-2, -1), None), tensor_of(tau, None))
