"""Factorisations, and what is computed from them: pseudoinverses, determinants, powers.

NumPy calls LAPACK for the forward, CuPy cuSOLVER. The derivatives are products with the factors:
Giles 2008, "Collected matrix derivative results"; Townsend 2016, "Differentiating the singular
value decomposition"; Seeger et al. 2017, "Auto-differentiating linear algebra"; Roberts and
Roberts 2020, "QR and LQ decomposition matrix backpropagation". They hold for batches, and
only where the factors are unique: two equal singular values or eigenvalues give inf or NaN.
"""

# ruff: noqa: N803, N806 - matrices have PyTorch's names, which are capitals

from __future__ import annotations

import functools
import math
from typing import Any

import numpy

from ..arrays import Array, devices, dtypes
from ..arrays.return_types import return_type
from ..autograd.table import composed, op
from ..tensors.tensor import Tensor
from .checks import need_one_of
from .index import raw, where
from .linalg import matmul
from .matrices import (
    DEFINITE,
    LAPACK,
    REGULAR,
    Definite,
    LinAlgError,
    NotSolvable,
    Regular,
    as_diagonal,
    check_matrices,
    check_square,
    checked_for_failure,
    converged,
    diagonal_mask,
    has_nan,
    identity,
    is_not_definite,
    relative_signs,
    transposed,
    triangle_mask,
)
from .samples import S, t
from .shape import own_memory, reshape, transpose
from .solving import inv, solve_triangle, solve_triangular

# ---------------------------------------------------------------- cholesky


@op(method=False, internal=True, samples=DEFINITE, reference="linalg.cholesky", scalar=LAPACK)
def cholesky_factor(xp, A: Array):
    """L of A = L Lᵀ, lower triangular. Shapes: (*, n, n) -> (*, n, n)."""
    check_square("linalg.cholesky", A)
    return checked_for_failure(xp, "linalg.cholesky", "the matrix is not positive definite",
                               is_not_definite, functools.partial(_finite_cholesky, xp), A)


def _finite_cholesky(xp, A):
    """The factor, or an error: LAPACK does not report NaN and infinities on the diagonal."""
    out = xp.linalg.cholesky(A)
    if not bool(xp.isfinite(out).all()):
        raise NotSolvable
    return out


@cholesky_factor.vjp("A")
def _(xp, g, out):
    upper = transposed(xp, out)
    P = xp.matmul(upper, g)
    P = (P * triangle_mask(out) + P * triangle_mask(out, strict=True)) * 0.5  # half of the diagonal
    X = solve_triangle.run(xp, upper, P, True, False)
    d = solve_triangle.run(xp, upper, transposed(xp, X), True, False)
    return (d + transposed(xp, d)) * 0.5


@composed(autocast="float32 on cpu", home="linalg", method=False, scalar=LAPACK, samples=[
    *DEFINITE, S(Definite((3, 3)), upper=True)])
def cholesky(A: Tensor, *, upper: bool = False) -> Tensor:
    """L of A = L Lᵀ for symmetric positive definite A, or with `upper` Lᵀ.

    Shapes: (*, n, n) -> (*, n, n). Only the lower triangle of A is read, with `upper` only the
    upper one; the gradient is symmetric. Seeger et al. 2017, section 4.1.

    Raises:
        LinAlgError: a matrix is not positive definite; the message says which.
        RuntimeError: not square, or not of float32 or float64.
    """
    if upper:
        return transpose(cholesky_factor(transpose(A, -2, -1)), -2, -1)
    return cholesky_factor(A)


cholesky_ex_result = return_type("linalg_cholesky_ex", "L", "info")


@composed(autocast="float32 on cpu",
          home="linalg", method=False, scalar=LAPACK, widens=True, samples=[*DEFINITE])
def cholesky_ex(A: Tensor, *, upper: bool = False, check_errors: bool = False):
    """(L, info) of `cholesky`, without an error: info is 0, or the order of the first leading
    minor that is not positive; L is NaN there.

    Shapes: (*, n, n) -> (*, n, n), (*) int32.

    Raises:
        LinAlgError: with `check_errors`, as `cholesky`.
        RuntimeError: not square, or not of float32 or float64.
    """
    if check_errors:
        factor = cholesky(A, upper=upper)
        return cholesky_ex_result(factor, A.new_zeros(tuple(A.shape[:-2]), dtype=dtypes.int32))
    check_square("linalg.cholesky_ex", A._array)
    seen = transpose(A, -2, -1) if upper else A
    info = seen.new_zeros(tuple(A.shape[:-2]), dtype=dtypes.int32)
    if _is_definite(seen):
        return cholesky_ex_result(cholesky(A, upper=upper), info)
    for place in numpy.ndindex(*info.shape):
        info[place] = _first_indefinite(seen[place])
    failed = (info > 0)[..., None, None]
    factor = cholesky_factor(where(failed, _identity_like(A), seen)).masked_fill(failed, math.nan)
    return cholesky_ex_result(transpose(factor, -2, -1) if upper else factor, info)


def _identity_like(A):
    """(n, n) with ones on the diagonal, as `A` is."""
    return A.new_ones((A.shape[-1],)).diag()


def _first_indefinite(A):
    """The order of the first leading minor that is not positive; 0 if there is none."""
    low, high = 0, A.shape[-1]
    if _is_definite(A):
        return 0
    while high - low > 1:  # once a minor fails, all later ones do
        middle = (low + high) // 2
        low, high = (middle, high) if _is_definite(A[:middle, :middle]) else (low, middle)
    return high


def _is_definite(A):
    try:
        cholesky_factor(A.detach())
    except LinAlgError:
        return False
    return True


def _top_level(name, function, doc, **entry):
    """Enters a function of the package whose namesake in linalg has another signature."""
    function.__name__, function.__doc__ = name, doc
    return composed(**entry)(function)


_top_level("cholesky", lambda input, upper=False: cholesky(input, upper=upper),
           "As `linalg.cholesky`. Shapes: (*, n, n) -> (*, n, n).",
           samples=[S(Definite((3, 3))), S(Definite((3, 3)), True)], scalar=LAPACK,
           reference=lambda torch: lambda A, upper=False: torch.linalg.cholesky(A, upper=upper))


def _of_triangle(name):
    """PyTorch's function, applied to one triangle: its own gradient covers the whole factor."""
    def reference(torch):
        def function(*tensors, upper=False):
            *others, L = tensors
            return getattr(torch, name)(*others, L.triu() if upper else L.tril(), upper=upper)

        return function

    return reference


@composed(autocast="float32 on cpu",
          keywords={"input2": "L"}, widens=True, scalar=LAPACK,
          reference=_of_triangle("cholesky_solve"), samples=[
    S(t(3, 2), Regular((3, 3))), S(t(3, 2), Regular((3, 3)), upper=True)])
def cholesky_solve(B: Tensor, L: Tensor, upper: bool = False) -> Tensor:
    """X of A X = B from the Cholesky factor L of A. Shapes: (*, n, k), (*, n, n) -> (*, n, k)."""
    lower = transpose(L, -2, -1) if upper else L
    Y = solve_triangular(lower, B, upper=False)
    return solve_triangular(transpose(lower, -2, -1), Y, upper=True)


@composed(autocast="float32 on cpu",
          widens=True, scalar=LAPACK, reference=_of_triangle("cholesky_inverse"), samples=[
    S(Regular((3, 3))), S(Regular((3, 3)), upper=True)])
def cholesky_inverse(L: Tensor, upper: bool = False) -> Tensor:
    """The inverse of A from its Cholesky factor. Shapes: (*, n, n) -> (*, n, n)."""
    return cholesky_solve(identity(L), L, upper)


# ---------------------------------------------------------------- qr


@op(autocast="float32 on cpu",
    home="linalg", method=False, outputs=("Q", "R"), scalar=LAPACK, samples=[
    S(t(4, 3)), S(t(2, 3, 4)), S(t(3, 3)), S(t(3, 4), "complete"),
    S(t(4, 3, grad=False), "complete"),
    S(t(4, 3, grad=False), "r")])
def qr(xp, A: Array, mode: str = "reduced"):
    """A = Q R, with orthonormal columns in Q and an upper triangular R.

    Shapes: (*, n, m) -> (*, n, k), (*, k, m), where k = min(n, m), or n for mode "complete"; for
    mode "r" Q is empty. Roberts and Roberts 2020; Seeger et al. 2017, section 4.3.

    Raises:
        RuntimeError: another mode; in the backward, mode "r", or "complete" with n > m.
    """
    need_one_of("linalg.qr", "mode", mode, ("reduced", "complete", "r"))
    check_matrices("linalg.qr", A)
    if mode == "r":
        return xp.empty(0, dtype=A.dtype), xp.linalg.qr(A, "r")
    return xp.linalg.qr(A, mode)


@qr.vjp("A")
def _(xp, g, Q, R, A_shape, mode):
    n, m = A_shape[-2:]
    if mode == "r" or (mode == "complete" and n > m):
        raise RuntimeError(f"linalg.qr: mode {mode!r} has no derivative for shape "
                           f"{tuple(A_shape)}; use mode 'reduced'")
    gQ = xp.zeros_like(Q) if g[0] is None else g[0]
    gR = xp.zeros_like(R) if g[1] is None else g[1]
    if n >= m:
        return _qr_rule(xp, Q, R, gQ, gR)
    # A = [X Y] = Q [U V]: Q depends only on X, and V = Qᵀ Y.
    U, V, gU, gV = R[..., :n], R[..., n:], gR[..., :n], gR[..., n:]
    gQ = gQ + xp.matmul(xp.matmul(Q, V), transposed(xp, gV))
    return xp.concatenate([_qr_rule(xp, Q, U, gQ, gU), xp.matmul(Q, gV)], axis=-1)


def _qr_rule(xp, Q, R, gQ, gR):
    """The gradient for n >= m: (gQ + Q sym(M)) R⁻ᵀ with M = R gRᵀ - gQᵀ Q."""
    M = xp.matmul(R, transposed(xp, gR)) - xp.matmul(transposed(xp, gQ), Q)
    symmetric = M * triangle_mask(M) + transposed(xp, M * triangle_mask(M, strict=True))
    d = gQ + xp.matmul(Q, symmetric)
    return transposed(xp, solve_triangle.run(xp, R, transposed(xp, d), True, False))


QR = return_type("qr", "Q", "R")
_top_level("qr", lambda input, some=True: QR(*qr(input, "reduced" if some else "complete")),
           "As `linalg.qr`, complete unless `some`. Shapes: (*, n, m) -> (*, n, k), (*, k, m).",
           samples=[S(t(4, 3)), S(t(3, 4), False)], scalar=LAPACK,
           reference=lambda torch: lambda A, some=True: torch.linalg.qr(
               A, "reduced" if some else "complete"))


# ---------------------------------------------------------------- eigenvalues


def _eigh_like_numpy(torch):
    def function(A, UPLO="L"):
        values, vectors = torch.linalg.eigh(A, UPLO)
        mine = numpy.linalg.eigh(A.detach().numpy(), UPLO).eigenvectors
        return values, vectors * relative_signs(torch, mine, vectors, -2)

    return function


@op(autocast="float32 on cpu",
    home="linalg", method=False, outputs=("eigenvalues", "eigenvectors"), scalar=LAPACK, samples=[
    S(Definite((3, 3))), S(Definite((2, 3, 3))), S(t(3, 3), "U"), S(t(3, 3), "L"), S(t(0, 3, 3))],
    reference=_eigh_like_numpy)
def eigh(xp, A: Array, UPLO: str = "L"):
    """Eigenvalues, ascending, and eigenvectors, as columns, of symmetric matrices.

    Only one triangle of A is read, lower or upper; the gradient is symmetric. The sign of a
    vector is arbitrary. Shapes: (*, n, n) -> (*, n), (*, n, n). Giles 2008, section 3.1.

    Raises:
        LinAlgError: no convergence.
        RuntimeError: not square, or not of float32 or float64; another UPLO.
    """
    check_square("linalg.eigh", A)
    need_one_of("linalg.eigh", "UPLO", UPLO, ("L", "U"))
    return converged("linalg.eigh", xp, xp.linalg.eigh, A, UPLO=UPLO)


@eigh.vjp("A")
def _(xp, g, eigenvalues, eigenvectors):
    V, diagonal, inner = eigenvectors, diagonal_mask(eigenvectors), 0.0
    if g[0] is not None:
        inner = as_diagonal(xp, g[0], diagonal)
    if g[1] is not None:
        gaps = xp.expand_dims(eigenvalues, -2) - xp.expand_dims(eigenvalues, -1)
        inner = inner + xp.matmul(transposed(xp, V), g[1]) * ~diagonal / (gaps + diagonal)
    d = xp.matmul(xp.matmul(V, inner), transposed(xp, V))
    return (d + transposed(xp, d)) * 0.5


def _by_pytorchs_eigh(torch):
    """PyTorch's own lobpcg has ten digits, and gradients for a few cases only."""
    def reference(A, k=1, B=None, largest=True):
        factor = None if B is None else torch.linalg.cholesky(B)
        if B is not None:
            half = torch.linalg.solve_triangular(factor, A, upper=False)
            A = torch.linalg.solve_triangular(factor, half.mT, upper=False)
        values, vectors = _eigh_like_numpy(torch)(A)
        order = range(-1, -k - 1, -1) if largest else range(k)
        values, vectors = values[..., list(order)], vectors[..., list(order)]
        return values, vectors if B is None else torch.linalg.solve_triangular(
            factor.mT, vectors, upper=True)

    return reference


@composed(widens=True, autocast="float32 on cpu", method=False, scalar=LAPACK, samples=[
    S(Definite((6, 6))), S(Definite((2, 6, 6)), 2, largest=False),
    S(Definite((6, 6)), 2, Definite((6, 6)))], reference=_by_pytorchs_eigh)
def lobpcg(A: Tensor, k: int | None = None, B: Tensor | None = None, X: Tensor | None = None,
           n: int | None = None, iK: Tensor | None = None, niter: int | None = None,
           tol: float | None = None, largest: bool | None = None, method: str | None = None,
           tracker: None = None, ortho_iparams: dict[str, int] | None = None,
           ortho_fparams: dict[str, float] | None = None,
           ortho_bparams: dict[str, bool] | None = None) -> tuple[Tensor, Tensor]:
    """The k largest eigenvalues of a symmetric A, in descending order, and their eigenvectors; with
    largest=False the smallest, ascending. With a positive definite B those of A x = λ B x, where
    xᵀ B x = 1. k is the number of columns of X, or 1, by default.

    They come from `eigh` of the whole matrix, as exact as that is, with its gradients. PyTorch
    iterates (Knyazev 2001): what directs the iteration, X, n, iK, niter, tol, method and ortho_*,
    has no effect.

    Shapes: (*, m, m) -> (*, k), (*, m, k).

    Raises:
        ValueError: m < 3 k, where PyTorch's method does not apply.
        RuntimeError: matrices that are not square, or a tracker, which would see no step.
        LinAlgError: B is not positive definite.
    """
    check_square("lobpcg", A._array)
    if tracker is not None:
        raise RuntimeError("lobpcg: a tracker would see no step: eigh does not iterate")
    if k is None:
        k = 1 if X is None else X.shape[-1]
    if k < 1:
        raise ValueError(f"lobpcg: at least 1 eigenvalue must be wanted, got {k}")
    if A.shape[-1] < 3 * k:
        raise ValueError(f"lobpcg: {k} eigenvalues need a matrix of at least {3 * k} rows, got "
                         f"{A.shape[-1]}; use linalg.eigh")
    if B is not None:
        L = cholesky(B)
        A = solve_triangular(L, transpose(solve_triangular(L, A, upper=False), -2, -1), upper=False)
    values, vectors = eigh(A)
    if largest is None or largest:
        values, vectors = values[..., -k:].flip(-1), vectors[..., -k:].flip(-1)
    else:
        values, vectors = values[..., :k], vectors[..., :k]
    if B is not None:
        vectors = solve_triangular(transpose(L, -2, -1), vectors, upper=True)
    return own_memory(values), own_memory(vectors)


@composed(autocast="float32 on cpu", widens=True, home="linalg", method=False, samples=[
    S(Definite((3, 3))), S(t(2, 3, 3), "U")],
          scalar=LAPACK)
def eigvalsh(A: Tensor, UPLO: str = "L") -> Tensor:
    """The eigenvalues of symmetric matrices, ascending. Shapes: (*, n, n) -> (*, n).

    Raises:
        RuntimeError: as `eigh`.
    """
    return eigh(A, UPLO).eigenvalues


# ---------------------------------------------------------------- singular values


def _svd_like_numpy(torch):
    def function(A, full_matrices=True):
        U, values, Vh = torch.linalg.svd(A, full_matrices)
        mine = numpy.linalg.svd(A.detach().numpy(), full_matrices)
        return (U * relative_signs(torch, mine.U, U, -2), values,
                Vh * relative_signs(torch, mine.Vh, Vh, -1))

    return function


@op(autocast="float32 on cpu",
    home="linalg", method=False, outputs=("U", "S", "Vh"), scalar=LAPACK, reference=_svd_like_numpy,
    samples=[S(t(4, 3), False), S(t(2, 3, 4), False), S(t(3, 3)), S(t(4, 3)), S(t(3, 4)),
             S(t(0, 3, 2), False)])
def svd(xp, A: Array, full_matrices: bool = True):
    """A = U diag(S) Vh, with orthonormal columns in U and rows in Vh; S descends.

    The signs are arbitrary, and so are the columns of U and rows of Vh beyond S that
    `full_matrices` adds; those have no gradient. Townsend 2016.

    Shapes: (*, n, m) -> (*, n, k), (*, k), (*, k, m), k = min(n, m);
    with full_matrices (*, n, n), (*, k), (*, m, m).

    Raises:
        LinAlgError: no convergence.
        RuntimeError: fewer than 2 dimensions, or not of float32 or float64.
    """
    check_matrices("linalg.svd", A)
    return converged("linalg.svd", xp, xp.linalg.svd, A, full_matrices=full_matrices)


@svd.vjp("A")
def _(xp, g, U, S, Vh):
    k = S.shape[-1]
    U, Vh = U[..., :k], Vh[..., :k, :]
    gU = None if g[0] is None else g[0][..., :k]
    gVh = None if g[2] is None else g[2][..., :k, :]
    columns, rows = xp.expand_dims(S, -2), xp.expand_dims(S, -1)
    diagonal = devices.array_module(raw(S)).eye(k, dtype=bool)
    gaps = (columns - rows) * (columns + rows) + diagonal
    inner = 0.0 if g[1] is None else as_diagonal(xp, g[1], diagonal)
    if gU is not None:
        turned = xp.matmul(transposed(xp, U), gU)
        inner = inner + (turned - transposed(xp, turned)) / gaps * columns
    if gVh is not None:
        turned = xp.matmul(Vh, transposed(xp, gVh))
        inner = inner + rows * ((turned - transposed(xp, turned)) / gaps)
    if isinstance(inner, float):
        inner = xp.zeros_like(gaps)
    d = xp.matmul(xp.matmul(U, inner), Vh)
    if gU is not None and U.shape[-2] > k:  # outside of the span of the columns of U
        d = d + xp.matmul((gU - xp.matmul(U, xp.matmul(transposed(xp, U), gU))) / columns, Vh)
    if gVh is not None and Vh.shape[-1] > k:
        d = d + xp.matmul(U, (gVh - xp.matmul(xp.matmul(gVh, transposed(xp, Vh)), Vh)) / rows)
    return d


USV = return_type("svd", "U", "S", "V")


def _usv(input, some=True, compute_uv=True):
    if compute_uv:
        return USV(*(transpose(x, -2, -1) if i == 2 else x
                     for i, x in enumerate(svd(input, not some))))
    n, m = input.shape[-2:]
    batch = tuple(input.shape[:-2])
    return USV(input.new_zeros((*batch, n, n)), svdvals(input), input.new_zeros((*batch, m, m)))


_top_level("svd", _usv,
    "U, S and V (not Vh) of input = U diag(S) Vᵀ, reduced if `some`; U and V are zeros without\n"
    "compute_uv.\n\nShapes: (*, n, m) -> (*, n, k), (*, k), (*, m, k).",
    samples=[S(t(4, 3)), S(t(2, 3, 3))], scalar=LAPACK,
    reference=lambda torch: lambda A, some=True: (
        lambda usv: (usv[0], usv[1], usv[2].mT))(_svd_like_numpy(torch)(A, not some)))


@composed(autocast="float32 on cpu",
          widens=True, home="linalg", method=False, samples=[S(t(4, 3)), S(t(2, 3, 4)), S(t(0, 3))],
          scalar=LAPACK)
def svdvals(A: Tensor, *, driver: str | None = None) -> Tensor:
    """The singular values, descending. Shapes: (*, n, m) -> (*, min(n, m)).

    Raises:
        LinAlgError, RuntimeError: as `svd`.
    """
    return svd(A, full_matrices=False).S


# ---------------------------------------------------------------- from singular values


def _cutoff(values, shape, atol, rtol):
    """The bound up to which singular values count as 0: max(atol, rtol * the largest), as (*, 1).

    By default rtol is max(n, m) * eps, or 0 if an atol is given.
    """
    if rtol is None:
        eps = float(numpy.finfo(values._array.dtype).eps)
        rtol = 0.0 if atol is not None else max(shape[-2:]) * eps
    atol, rtol = (x.unsqueeze(-1) if hasattr(x, "ndim") and x.ndim else x for x in (atol, rtol))
    relative = values.amax(-1, keepdim=True) * rtol
    return relative if atol is None else relative.clamp(min=atol)


@op(method=False, internal=True, scalar=LAPACK, samples=[S(t(4, 3)), S(t(2, 3, 4))],
    reference="linalg.pinv")
def pseudoinverse(xp, A: Array, cutoff: numpy.ndarray[Any, Any] | float = 1e-15):
    """The inverse of the part of A with singular values above `cutoff`.

    Shapes: (*, n, m) -> (*, m, n). The rule is that of Golub and Pereyra 1973, for every rank.
    """
    U, values, Vh = converged("linalg.pinv", xp, xp.linalg.svd, A, full_matrices=False)
    kept = values > cutoff
    inverse = kept / xp.where(kept, values, xp.ones_like(values))
    return xp.matmul(transposed(xp, Vh) * xp.expand_dims(inverse, -2), transposed(xp, U))


@pseudoinverse.vjp("A")
def _(xp, g, A, out):
    P, Ph, gh = out, transposed(xp, out), transposed(xp, g)
    mm = xp.matmul
    d = -transposed(xp, mm(mm(P, gh), P))
    # The part of g outside of the row and column spaces of A.
    d = d + mm(mm(gh - mm(A, mm(P, gh)), P), Ph)
    return d + mm(mm(Ph, P), gh - mm(mm(gh, P), A))


@composed(widens=True, home="linalg", method=False, scalar=LAPACK, samples=[
    S(t(4, 3)), S(t(2, 3, 4)), S(t(4, 3), rtol=1e-3), S(t(4, 3), atol=1e-3), S(t(0, 3))])
def pinv(A: Tensor, *, atol: Tensor | float | None = None, rtol: Tensor | float | None = None,
         hermitian: bool = False) -> Tensor:
    """The Moore-Penrose inverse: singular values up to max(atol, rtol * the largest) count as 0.

    Shapes: (*, n, m) -> (*, m, n). rtol is max(n, m) * eps unless one of the two is given.
    `hermitian` declares that A is symmetric; it changes nothing.

    Raises:
        LinAlgError: no convergence.
    """
    if 0 in A.shape:
        return transpose(A, -2, -1).clone()
    values = svdvals(A.detach())
    return pseudoinverse(A, _cutoff(values, A.shape, atol, rtol)._array)


@composed(widens=True, samples=[S(t(4, 3)), S(t(3, 3), 1e-3)], scalar=LAPACK)
def pinverse(input: Tensor, rcond: float = 1e-15) -> Tensor:
    """As `linalg.pinv` with rtol = rcond. Shapes: (*, n, m) -> (*, m, n)."""
    return pinv(input, rtol=rcond)


@composed(autocast="float32 on cpu",
          widens=True, home="linalg", method=False, scalar=LAPACK, samples=[
    S(t(4, 3)), S(t(2, 3, 4)), S(t(3, 3), atol=2.0), S(t(3, 3), rtol=0.5)])
def matrix_rank(A: Tensor, *, atol: Tensor | float | None = None,
                rtol: Tensor | float | None = None, hermitian: bool = False) -> Tensor:
    """The number of singular values above max(atol, rtol * the largest). Shapes: (*, n, m) -> (*).

    rtol is max(n, m) * eps unless one of the two is given; the result is int64.
    """
    values = svdvals(A.detach())
    if not values.numel():
        return values.sum(-1).long()
    return (values > _cutoff(values, A.shape, atol, rtol)).sum(-1)


LeastSquares = return_type("linalg_lstsq", "solution", "residuals", "rank", "singular_values")


@composed(autocast="float32 on cpu",
          widens=True, home="linalg", method=False, scalar=LAPACK, samples=[
    S(t(4, 2), t(4, 3)), S(t(2, 4), t(2, 3)), S(t(2, 4, 2), t(2, 4, 1)), S(t(4, 2), t(4))],
    reference=lambda torch: lambda A, B: tuple(
        x if i == 0 else x.detach() for i, x in enumerate(torch.linalg.lstsq(A, B))))
def lstsq(A: Tensor, B: Tensor, rcond: float | None = None, *, driver: str | None = None):
    """(solution, residuals, rank, singular_values): the X of least |A X - B|, then of least |X|.

    The solution is that of the pseudoinverse for every driver. As in PyTorch, the driver decides
    which other results are empty: "gelsy", the default, gives the rank; "gelsd" and "gelss" also
    the singular values; these and "gels" |A X - B|² of each column, if A has more rows than
    columns and full rank.

    Shapes: (*, n, m), (*, n, k) or (*, n) -> (*, m, k) or (*, m), (*, k) or (0), (*) or (0),
    (*, min(n, m)) or (0).

    Raises:
        RuntimeError: another driver; A and B differ in their number of rows.
    """
    need_one_of("linalg.lstsq", "driver", driver, (None, "gels", "gelsy", "gelsd", "gelss"))
    vector = B.ndim == 1 or (B.ndim == A.ndim - 1 and B.shape == A.shape[:-1])
    columns = reshape(B, (*B.shape, 1)) if vector else B
    if A.ndim < 2 or columns.ndim < 2 or A.shape[-2] != columns.shape[-2]:
        raise RuntimeError(f"linalg.lstsq: A of shape {tuple(A.shape)} and B of shape "
                           f"{tuple(B.shape)} must have the same number of rows")
    solution = matmul(pinv(A, rtol=rcond), columns)
    empty = A.detach().new_zeros(0)
    rank, residuals, values = matrix_rank(A, rtol=rcond), empty, empty
    n, m = A.shape[-2:]
    if driver not in (None, "gelsy") and n > m and bool((rank == m).all()):
        residuals = ((matmul(A, solution) - columns) ** 2).sum(-2)
    if driver in ("gelsd", "gelss"):
        values = svdvals(A)
    return LeastSquares(reshape(solution, solution.shape[:-1]) if vector else solution, residuals,
                        empty.long() if driver == "gels" else rank, values)


# ---------------------------------------------------------------- determinants


@op(samples=[*REGULAR, S(t(0, 0)), S(t(2, 2))], scalar=LAPACK)
def det(xp, A: Array):
    """The determinant. Shapes: (*, n, n) -> (*). Giles 2008, section 2.2.4.

    Its derivative is the cofactor matrix, for singular matrices too. (There PyTorch's gradient is
    0, even if the cofactors are not.)

    Raises:
        RuntimeError: not square, or not of float32 or float64.
    """
    check_square("linalg.det", A)
    # NumPy's is 0 if a NaN is the pivot.
    return xp.where(has_nan(xp, A)[..., 0, 0], math.nan, xp.linalg.det(A))


@det.vjp("A")
def _(xp, g, A, out):
    values = raw(out)
    if values.size and not bool((values != 0).all()):
        return g[..., None, None] * _cofactors(xp, A)
    return (g * out)[..., None, None] * transposed(xp, inv.run(xp, A))


def _cofactors(xp, A):
    """det(A) A⁻ᵀ without the division: from A = U S Vᵀ, with the products of the other S."""
    array = raw(A)
    nans = has_nan(devices.array_module(array), array)
    if bool(nans.any()):
        return xp.where(nans, math.nan, _cofactors(xp, xp.where(nans, 0.0, A)))
    U, values, Vh = svd.run(xp, A, False)
    array = devices.array_module(raw(A)).linalg
    sign = array.det(raw(U)) * array.det(raw(Vh))
    n = A.shape[-1]
    others = [xp.prod(xp.concatenate([values[..., :i], values[..., i + 1:]], axis=-1), axis=-1)
              for i in range(n)]
    scaled = U * xp.expand_dims(xp.stack(others, axis=-1), -2)
    return xp.matmul(scaled, Vh) * sign[..., None, None]


@op(outputs=("sign", "logabsdet"), samples=[*REGULAR, S(t(2, 2))], scalar=LAPACK)
def slogdet(xp, A: Array):
    """The sign of the determinant and the logarithm of its absolute value; 0 and -inf if it is 0.

    Shapes: (*, n, n) -> (*), (*). The gradient at a singular matrix is infinite or NaN.

    Raises:
        RuntimeError: not square, or not of float32 or float64.
    """
    check_square("linalg.slogdet", A)
    nans = has_nan(xp, A)[..., 0, 0]
    sign, size = xp.linalg.slogdet(A)
    return xp.where(nans, 0.0, sign), xp.where(nans, math.nan, size)


@slogdet.vjp("A")
def _(xp, g, A, sign):
    scale = g[0] * 0.0 if g[1] is None else g[1]  # the sign is constant
    scale, singular = scale[..., None, None], (raw(sign) == 0)[..., None, None]
    if not bool(singular.any()):
        return scale * transposed(xp, inv.run(xp, A))
    # The cofactors divided by a determinant of 0.
    regular = inv.run(xp, xp.where(singular, xp.eye(A.shape[-1], dtype=A.dtype), A))
    return scale * xp.where(singular, _cofactors(xp, A) * math.inf, transposed(xp, regular))


@composed(widens=True, samples=[S(Regular((3, 3))), S(Regular((2, 2, 2)))], scalar=LAPACK)
def logdet(input: Tensor) -> Tensor:
    """log det; NaN if the determinant is negative. Shapes: (*, n, n) -> (*)."""
    sign, size = slogdet(input)
    return size.masked_fill(sign < 0, float("nan"))


# ---------------------------------------------------------------- powers


@composed(widens=True, scalar=LAPACK, samples=[
    S(t(3, 3), 0), S(t(3, 3), 1), S(t(2, 3, 3), 5), S(Regular((3, 3)), -2)])
def matrix_power(A: Tensor, n: int) -> Tensor:
    """A @ A @ ..., n times, by squaring; for negative n, of the inverse.

    Shapes: (*, n, n) -> (*, n, n).

    Raises:
        LinAlgError: n is negative and a matrix singular.
        RuntimeError: not square; n is negative, and the matrices are of integers.
    """
    check_square("linalg.matrix_power", A._array, n < 0 or A.dtype.is_floating_point)
    if n == 1:
        return A.contiguous().clone()  # with memory of its own, like the other powers
    if n < 0:
        A, n = inv(A), -n
    if n == 0:
        one = identity(A) != 0
        return A.masked_fill(one, 1.0).masked_fill(~one, 0.0)  # with a derivative of 0
    out = None
    while n > 1:
        if n % 2:
            out = A if out is None else matmul(out, A)
        n //= 2
        A = matmul(A, A)
    return A if out is None else matmul(out, A)


# The numerator of the Padé approximation of order 13 to exp, and the norm up to which it holds.
PADE = (64764752532480000, 32382376266240000, 7771770303897600, 1187353796428800, 129060195264000,
        10559470521600, 670442572800, 33522128640, 1323241920, 40840800, 960960, 16380, 182, 1)
PADE_NORM = 5.371920351148152


@op(samples=[S(t(3, 3)), S(t(2, 2, 2, low=-9, high=9)), S(t(1, 1)), S(t(0, 3, 3))], scalar=LAPACK)
def matrix_exp(xp, A: Array):
    """Σ Aᵏ / k!. Shapes: (*, n, n) -> (*, n, n).

    By scaling and squaring, Higham 2005. The gradient is a block of exp [[Aᵀ, g], [0, Aᵀ]],
    Mathias 1996.

    Raises:
        RuntimeError: not square, or not of float32 or float64.
    """
    check_square("matrix_exp", A)
    if not A.size or devices.is_meta(A):
        return A.copy()
    sizes = xp.abs(A).sum(axis=-2, keepdims=True).max(axis=-1, keepdims=True)
    wild = ~xp.isfinite(sizes)
    if bool(wild.any()):
        return xp.where(wild, math.nan, matrix_exp.run(xp, xp.where(wild, 0.0, A)))
    size = float(sizes.max())
    squarings = max(0, math.ceil(math.log2(size / PADE_NORM))) if size > 0 else 0
    A = A / 2.0 ** squarings
    one = xp.broadcast_to(xp.eye(A.shape[-1], dtype=A.dtype), A.shape)
    A2 = xp.matmul(A, A)
    A4 = xp.matmul(A2, A2)
    A6 = xp.matmul(A2, A4)
    powers = (one, A2, A4, A6)

    def series(first):
        low = sum(c / PADE[0] * P for c, P in zip(PADE[first:8:2], powers, strict=True))
        high = sum(c / PADE[0] * P for c, P in zip(PADE[first + 8::2], powers[1:], strict=True))
        return low + xp.matmul(A6, high)

    odd, even = xp.matmul(A, series(1)), series(0)
    out = xp.ascontiguousarray(xp.linalg.solve(even - odd, even + odd))  # CuPy's is transposed
    for _ in range(squarings):
        out = xp.matmul(out, out)
    return out


@matrix_exp.vjp("A")
def _(xp, g, A):
    n, T = A.shape[-1], transposed(xp, A)
    zeros = xp.zeros_like(T)
    blocks = xp.concatenate([xp.concatenate([T, g], axis=-1),
                             xp.concatenate([zeros, T], axis=-1)], axis=-2)
    return matrix_exp.run(xp, blocks)[..., :n, n:]
