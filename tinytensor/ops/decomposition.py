"""Systems of equations, inverses, determinants, factorisations.

NumPy calls LAPACK for the forward, CuPy cuSOLVER. The derivatives are products with the factors:
Giles 2008, "Collected matrix derivative results"; Townsend 2016, "Differentiating the singular
value decomposition"; Seeger et al. 2017, "Auto-differentiating linear algebra"; Roberts and
Roberts 2020, "QR and LQ decomposition matrix backpropagation". They hold for batches as they
stand, and where the factors are unique: two equal singular or eigenvalues give inf or NaN.
"""

# ruff: noqa: N803, N806 - matrices have PyTorch's names, which are capitals

from __future__ import annotations

import math
from collections import namedtuple
from dataclasses import dataclass
from typing import Any

import numpy
from numpy.linalg import LinAlgError as NotSolvable  # CuPy raises it too

from ..arrays import devices
from ..autograd.graph import tensor_of
from ..autograd.table import composed, op
from .index import raw
from .linalg import matmul
from .samples import S, TensorSample, t
from .shape import broadcast_to, reshape, transpose

Array = Any
LAPACK = "LAPACK knows numbers only"


class LinAlgError(RuntimeError):
    """A singular or not positive definite matrix, or a factorisation that did not converge."""


# ---------------------------------------------------------------- checks


def _check_matrices(name, A):
    if A.dtype.kind != "f" or A.dtype.itemsize < 4:
        raise RuntimeError(f"{name}: needs a Tensor of float32 or float64, got {A.dtype}; convert "
                           "it with .float()")
    if len(A.shape) < 2:
        raise RuntimeError(f"{name}: needs at least 2 dimensions, got shape {tuple(A.shape)}")


def _check_square(name, A):
    _check_matrices(name, A)
    if A.shape[-1] != A.shape[-2]:
        raise RuntimeError(f"{name}: the matrices must be square, got shape {tuple(A.shape)}")


def _tried(xp, name, problem, sick, function, A, *rest):
    """function(A, ...), or an error that names the first matrix of the batch that is `sick`.

    NumPy raises where LAPACK reports a failure; CuPy returns what it has, which is not finite.
    """
    try:
        out = function(A, *rest)
        if xp is numpy or bool(xp.isfinite(out).all()) or not bool(xp.isfinite(A).all()):
            return out
    except NotSolvable:
        pass
    where = ""
    if len(A.shape) > 2:
        found = xp.flatnonzero(sick(xp, A))
        where = f"batch element {int(found[0])}: " if found.size else ""
    raise LinAlgError(f"{name}: {where}{problem} (the input has shape {tuple(A.shape)})")


def _is_singular(xp, A):
    return xp.linalg.slogdet(A)[0] == 0


def _is_not_definite(xp, A):
    return xp.linalg.eigvalsh(A)[..., 0] <= 0


def _converged(name, function, A, *rest, **options):
    try:
        return function(A, *rest, **options)
    except NotSolvable as error:
        raise LinAlgError(f"{name}: {error}; the input of shape {tuple(A.shape)} may contain NaN "
                          "or inf") from None


# ---------------------------------------------------------------- helpers of the rules


def _turned(xp, x):
    """The matrices transposed."""
    return xp.swapaxes(x, -1, -2)


def _mask(x, upper=False, strict=False):
    """Where a triangle of the matrices in `x` is: an array, also for Tensors."""
    array = raw(x)
    n, m = array.shape[-2:]
    lower = devices.array_module(array).tri(n, m, -1 if strict != upper else 0, dtype=bool)
    return ~lower if upper else lower


def _diagonal_mask(x):
    array = raw(x)
    return devices.array_module(array).eye(array.shape[-1], dtype=bool)


def _as_diagonal(xp, d, mask):
    """Diagonal matrices of the elements along the last dim."""
    return xp.expand_dims(d, -1) * mask


def _identity(A):
    """The identity matrix of the size, dtype and device of square matrices."""
    array = A._array
    return tensor_of(devices.array_module(array).eye(array.shape[-1], dtype=array.dtype), None)


# ---------------------------------------------------------------- samples


@dataclass(frozen=True)
class Regular(TensorSample):
    """Square matrices far from singular ones."""

    def make(self, rng):
        return super().make(rng) + 5 * numpy.eye(self.shape[-1])


@dataclass(frozen=True)
class Definite(TensorSample):
    """Symmetric positive definite matrices."""

    def make(self, rng):
        x = super().make(rng)
        return x @ x.swapaxes(-1, -2) + numpy.eye(self.shape[-1])


REGULAR = [S(Regular(shape)) for shape in ((3, 3), (2, 3, 3), (1, 1), (0, 3, 3))]
DEFINITE = [S(Definite(shape)) for shape in ((3, 3), (2, 1, 3, 3), (1, 1), (0, 3, 3))]


def _signs(torch, mine, theirs, axis):
    """Whether vectors that LAPACK gives up to their sign came the other way round."""
    return torch.sign((torch.from_numpy(mine) * theirs.detach()).sum(axis, keepdim=True))


# ---------------------------------------------------------------- inverses and equations


@op(home="linalg", method=False, samples=REGULAR, scalar=LAPACK)
def inv(xp, A: Array):
    """The inverse of square matrices. Shapes: (*, n, n) -> (*, n, n). Giles 2008, section 2.2.3.

    To solve A X = B, `solve` is faster and more accurate.

    Raises:
        LinAlgError: a matrix is singular; the message says which.
        RuntimeError: not square, or not of float32 or float64.
    """
    _check_square("linalg.inv", A)
    return _tried(xp, "linalg.inv", "the matrix is singular", _is_singular, xp.linalg.inv, A)


@inv.vjp("A")
def _(xp, g, out):
    inverse = _turned(xp, out)
    return -xp.matmul(xp.matmul(inverse, g), inverse)


@composed(samples=REGULAR[:2], scalar=LAPACK)
def inverse(input):
    """As `linalg.inv`: the inverse of square matrices. Shapes: (*, n, n) -> (*, n, n)."""
    return inv(input)


def _check_system(name, A, B):
    _check_square(name, A)
    if len(B.shape) < 2 or A.shape[-1] != B.shape[-2]:
        raise RuntimeError(f"{name}: A of shape {tuple(A.shape)} and B of shape {tuple(B.shape)} "
                           "do not fit in the equation A X = B")
    try:
        return numpy.broadcast_shapes(A.shape[:-2], B.shape[:-2])
    except ValueError:
        raise RuntimeError(f"{name}: the batches of A, shape {tuple(A.shape)}, and B, shape "
                           f"{tuple(B.shape)}, do not broadcast") from None


def _solved(xp, name, A, B):
    batch = _check_system(name, A, B)
    A = xp.broadcast_to(A, (*batch, *A.shape[-2:]))
    B = xp.broadcast_to(B, (*batch, *B.shape[-2:]))
    return _tried(xp, name, "the matrix is singular", _is_singular, xp.linalg.solve, A, B)


@op(promotes="same", method=False, internal=True, scalar=LAPACK, samples=[
    S(Regular((3, 3)), t(3, 2)), S(Regular((2, 3, 3)), t(4, 1, 3, 2)),
    S(Regular((3, 3)), t(2, 3, 0))], reference="linalg.solve")
def solve_matrix(xp, A: Array, B: Array):
    """X of A X = B. Shapes: (*, n, n), (*, n, k) -> (*, n, k). Giles 2008, section 2.3.1."""
    return _solved(xp, "linalg.solve", A, B)


@solve_matrix.vjp("A", "B")
def _(xp, g, A, out, needs):
    d = solve_matrix.run(xp, _turned(xp, A), g)
    return (-xp.matmul(d, _turned(xp, out)) if needs[0] else None), d


@composed(home="linalg", method=False, scalar=LAPACK, samples=[
    S(Regular((3, 3)), t(3)), S(Regular((3, 3)), t(3, 2)), S(Regular((2, 3, 3)), t(2, 3)),
    S(Regular((2, 3, 3)), t(3, 2)), S(Regular((3, 3)), t(2, 3), left=False)])
def solve(A, B, *, left=True):
    """X of A X = B, or with left=False of X A = B; for a vector or a batch of them, x of A x = b.

    Shapes: (*, n, n), (*, n, k) or (*, n) -> the shape of B. B counts as vectors if it has one
    dim, or the shape of A without its last dim.

    Raises:
        LinAlgError: a matrix is singular; the message says which.
        RuntimeError: shapes or dtypes that do not fit.
    """
    vector = B.ndim == 1 or (B.ndim == A.ndim - 1 and B.shape == A.shape[:-1])
    if vector:
        out = solve_matrix(A, reshape(B, (*B.shape, 1)))
        return reshape(out, out.shape[:-1])
    if left:
        return solve_matrix(A, B)
    return transpose(solve_matrix(transpose(A, -2, -1), transpose(B, -2, -1)), -2, -1)


@op(promotes="same", method=False, internal=True, scalar=LAPACK, samples=[
    S(Regular((3, 3)), t(3, 2), True, False), S(Regular((2, 3, 3)), t(3, 2), False, True)],
    reference=lambda torch: lambda A, B, upper, unit: torch.linalg.solve_triangular(
        A, B, upper=upper, unitriangular=unit))
def solve_triangle(xp, A: Array, B: Array, upper: bool, unit: bool):
    """X of T X = B for a triangle T of A. Shapes: (*, n, n), (*, n, k) -> (*, n, k).

    By the general solver, since CuPy and NumPy have no other in common.
    """
    _check_square("linalg.solve_triangular", A)
    T = A * _mask(A, upper, strict=unit)
    return _solved(xp, "linalg.solve_triangular", T + _diagonal_mask(A) if unit else T, B)


@solve_triangle.vjp("A", "B")
def _(xp, g, A, out, upper, unit, needs):
    d = solve_triangle.run(xp, _turned(xp, A), g, not upper, unit)
    if not needs[0]:
        return None, d
    return -xp.matmul(d, _turned(xp, out)) * _mask(A, upper, strict=unit), d


@composed(home="linalg", method=False, scalar=LAPACK, samples=[
    S(Regular((3, 3)), t(3, 2), upper=True), S(Regular((2, 3, 3)), t(3, 2), upper=False),
    S(Regular((3, 3)), t(4, 3), upper=True, left=False),
    S(Regular((3, 3)), t(3, 2), upper=False, unitriangular=True)])
def solve_triangular(A, B, *, upper, left=True, unitriangular=False):
    """X of A X = B (or X A = B) for a triangular A, whose other triangle is not looked at.

    Shapes: (*, n, n), (*, n, k) -> (*, n, k). With `unitriangular` its diagonal counts as 1.

    Raises:
        LinAlgError: there is a 0 on the diagonal.
        RuntimeError: shapes or dtypes that do not fit.
    """
    if left:
        return solve_triangle(A, B, upper, unitriangular)
    return transpose(solve_triangle(transpose(A, -2, -1), transpose(B, -2, -1), not upper,
                                    unitriangular), -2, -1)


# ---------------------------------------------------------------- determinants


@op(samples=[*REGULAR, S(t(0, 0)), S(t(2, 2))], scalar=LAPACK)
def det(xp, A: Array):
    """The determinant. Shapes: (*, n, n) -> (*). Giles 2008, section 2.2.4.

    Its derivative is the cofactor matrix, which singular matrices have too. (PyTorch's
    gradient there is 0, also where the cofactors are not.)

    Raises:
        RuntimeError: not square, or not of float32 or float64.
    """
    _check_square("linalg.det", A)
    return xp.linalg.det(A)


@det.vjp("A")
def _(xp, g, A, out):
    values = raw(out)
    if values.size and not bool((values != 0).all()):
        return g[..., None, None] * _cofactors(xp, A)
    return (g * out)[..., None, None] * _turned(xp, inv.run(xp, A))


def _cofactors(xp, A):
    """det(A) A⁻ᵀ without the division: from A = U S Vᵀ, with the products of the other S."""
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
    """The sign of the determinant, and the logarithm of its size; 0 and -inf if it is 0.

    Shapes: (*, n, n) -> (*), (*).

    Raises:
        RuntimeError: not square, or not of float32 or float64.
    """
    _check_square("linalg.slogdet", A)
    return xp.linalg.slogdet(A)


@slogdet.vjp("A")
def _(xp, g, A):
    scale = g[0] * 0.0 if g[1] is None else g[1]  # the sign is constant
    return scale[..., None, None] * _turned(xp, inv.run(xp, A))


@composed(samples=[S(Regular((3, 3))), S(Regular((2, 2, 2)))], scalar=LAPACK)
def logdet(input):
    """log det; NaN where the determinant is negative. Shapes: (*, n, n) -> (*)."""
    sign, size = slogdet(input)
    return size.masked_fill(sign < 0, float("nan"))


# ---------------------------------------------------------------- cholesky


@op(method=False, internal=True, samples=DEFINITE, reference="linalg.cholesky", scalar=LAPACK)
def cholesky_factor(xp, A: Array):
    """L of A = L Lᵀ, lower triangular. Shapes: (*, n, n) -> (*, n, n)."""
    _check_square("linalg.cholesky", A)
    return _tried(xp, "linalg.cholesky", "the matrix is not positive definite", _is_not_definite,
                  xp.linalg.cholesky, A)


@cholesky_factor.vjp("A")
def _(xp, g, out):
    upper = _turned(xp, out)
    P = xp.matmul(upper, g)
    P = (P * _mask(out) + P * _mask(out, strict=True)) * 0.5  # half of the diagonal
    X = solve_triangle.run(xp, upper, P, True, False)
    d = solve_triangle.run(xp, upper, _turned(xp, X), True, False)
    return (d + _turned(xp, d)) * 0.5


@composed(home="linalg", method=False, scalar=LAPACK, samples=[
    *DEFINITE, S(Definite((3, 3)), upper=True)])
def cholesky(A, *, upper=False):
    """L of A = L Lᵀ for symmetric positive definite A, or with `upper` Lᵀ.

    Shapes: (*, n, n) -> (*, n, n). Only the lower triangle of A is read; the gradient is
    symmetric. Seeger et al. 2017, section 4.1.

    Raises:
        LinAlgError: a matrix is not positive definite; the message says which.
        RuntimeError: not square, or not of float32 or float64.
    """
    L = cholesky_factor(A)
    return transpose(L, -2, -1) if upper else L


def _top_level(name, function, doc, **entry):
    """A function at the top level, where linalg's of the same name is another."""
    function.__name__, function.__doc__ = name, doc
    return composed(**entry)(function)


_top_level("cholesky", lambda input, upper=False: cholesky(input, upper=upper),
           "As `linalg.cholesky`. Shapes: (*, n, n) -> (*, n, n).",
           samples=[S(Definite((3, 3))), S(Definite((3, 3)), True)], scalar=LAPACK,
           reference=lambda torch: lambda A, upper=False: torch.linalg.cholesky(A, upper=upper))


def _of_triangle(name):
    """PyTorch's function of a factor: of a triangle of it, since its gradient is of the whole."""
    def reference(torch):
        def function(*tensors, upper=False):
            *others, L = tensors
            return getattr(torch, name)(*others, L.triu() if upper else L.tril(), upper=upper)

        return function

    return reference


@composed(scalar=LAPACK, reference=_of_triangle("cholesky_solve"), samples=[
    S(t(3, 2), Regular((3, 3))), S(t(3, 2), Regular((3, 3)), upper=True)])
def cholesky_solve(B, L, upper=False):
    """X of A X = B from the Cholesky factor L of A. Shapes: (*, n, k), (*, n, n) -> (*, n, k)."""
    lower = transpose(L, -2, -1) if upper else L
    Y = solve_triangular(lower, B, upper=False)
    return solve_triangular(transpose(lower, -2, -1), Y, upper=True)


@composed(scalar=LAPACK, reference=_of_triangle("cholesky_inverse"), samples=[
    S(Regular((3, 3))), S(Regular((3, 3)), upper=True)])
def cholesky_inverse(L, upper=False):
    """The inverse of A from its Cholesky factor. Shapes: (*, n, n) -> (*, n, n)."""
    return cholesky_solve(_identity(L), L, upper)


# ---------------------------------------------------------------- qr


@op(home="linalg", method=False, outputs=("Q", "R"), scalar=LAPACK, samples=[
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
    if mode not in ("reduced", "complete", "r"):
        raise RuntimeError(f"linalg.qr: mode {mode!r} is none of 'reduced', 'complete', 'r'")
    _check_matrices("linalg.qr", A)
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
    # A = [X Y] = Q [U V]: Q depends on X alone, and V = Qᵀ Y.
    U, V, gU, gV = R[..., :n], R[..., n:], gR[..., :n], gR[..., n:]
    gQ = gQ + xp.matmul(xp.matmul(Q, V), _turned(xp, gV))
    return xp.concatenate([_qr_rule(xp, Q, U, gQ, gU), xp.matmul(Q, gV)], axis=-1)


def _qr_rule(xp, Q, R, gQ, gR):
    """For at least as many rows as columns: (gQ + Q sym(M)) R⁻ᵀ, M = R gRᵀ - gQᵀ Q."""
    M = xp.matmul(R, _turned(xp, gR)) - xp.matmul(_turned(xp, gQ), Q)
    symmetric = M * _mask(M) + _turned(xp, M * _mask(M, strict=True))
    d = gQ + xp.matmul(Q, symmetric)
    return _turned(xp, solve_triangle.run(xp, R, _turned(xp, d), True, False))


_top_level("qr", lambda input, some=True: qr(input, "reduced" if some else "complete"),
           "As `linalg.qr`, complete unless `some`. Shapes: (*, n, m) -> (*, n, k), (*, k, m).",
           samples=[S(t(4, 3)), S(t(3, 4), False)], scalar=LAPACK,
           reference=lambda torch: lambda A, some=True: torch.linalg.qr(
               A, "reduced" if some else "complete"))


# ---------------------------------------------------------------- eigenvalues


def _eigh_like_numpy(torch):
    def function(A, UPLO="L"):
        values, vectors = torch.linalg.eigh(A, UPLO)
        mine = numpy.linalg.eigh(A.detach().numpy(), UPLO).eigenvectors
        return values, vectors * _signs(torch, mine, vectors, -2)

    return function


@op(home="linalg", method=False, outputs=("eigenvalues", "eigenvectors"), scalar=LAPACK, samples=[
    S(Definite((3, 3))), S(Definite((2, 3, 3))), S(t(3, 3), "U"), S(t(3, 3), "L"), S(t(0, 3, 3))],
    reference=_eigh_like_numpy)
def eigh(xp, A: Array, UPLO: str = "L"):
    """Eigenvalues, ascending, and eigenvectors, as columns, of symmetric matrices.

    Of A only one triangle is read, lower or upper; the gradient is spread over both. The sign
    of a vector is arbitrary. Shapes: (*, n, n) -> (*, n), (*, n, n). Giles 2008, section 3.1.

    Raises:
        LinAlgError: no convergence.
        RuntimeError: not square, or not of float32 or float64; another UPLO.
    """
    _check_square("linalg.eigh", A)
    if UPLO not in ("L", "U"):
        raise RuntimeError(f"linalg.eigh: UPLO {UPLO!r} is neither 'L' nor 'U'")
    return _converged("linalg.eigh", xp.linalg.eigh, A, UPLO=UPLO)


@eigh.vjp("A")
def _(xp, g, eigenvalues, eigenvectors):
    V, diagonal, inner = eigenvectors, _diagonal_mask(eigenvectors), 0.0
    if g[0] is not None:
        inner = _as_diagonal(xp, g[0], diagonal)
    if g[1] is not None:
        gaps = xp.expand_dims(eigenvalues, -2) - xp.expand_dims(eigenvalues, -1)
        inner = inner + xp.matmul(_turned(xp, V), g[1]) * ~diagonal / (gaps + diagonal)
    d = xp.matmul(xp.matmul(V, inner), _turned(xp, V))
    return (d + _turned(xp, d)) * 0.5


@composed(home="linalg", method=False, samples=[S(Definite((3, 3))), S(t(2, 3, 3), "U")],
          scalar=LAPACK)
def eigvalsh(A, UPLO="L"):
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
        return (U * _signs(torch, mine.U, U, -2), values, Vh * _signs(torch, mine.Vh, Vh, -1))

    return function


@op(home="linalg", method=False, outputs=("U", "S", "Vh"), scalar=LAPACK, reference=_svd_like_numpy,
    samples=[S(t(4, 3), False), S(t(2, 3, 4), False), S(t(3, 3)), S(t(4, 3)), S(t(3, 4)),
             S(t(0, 3, 2), False)])
def svd(xp, A: Array, full_matrices: bool = True):
    """A = U diag(S) Vh, with orthonormal columns in U and rows in Vh; S descends.

    The signs are arbitrary, as are the columns of U and rows of Vh beyond S that `full_matrices`
    adds; those have no gradient. Shapes: (*, n, m) -> (*, n, k), (*, k), (*, k, m), k = min(n, m);
    with full_matrices (*, n, n), (*, k), (*, m, m). Townsend 2016.

    Raises:
        LinAlgError: no convergence.
        RuntimeError: fewer than 2 dimensions, or not of float32 or float64.
    """
    _check_matrices("linalg.svd", A)
    return _converged("linalg.svd", xp.linalg.svd, A, full_matrices=full_matrices)


@svd.vjp("A")
def _(xp, g, U, S, Vh):
    k = S.shape[-1]
    U, Vh = U[..., :k], Vh[..., :k, :]
    gU = None if g[0] is None else g[0][..., :k]
    gVh = None if g[2] is None else g[2][..., :k, :]
    columns, rows = xp.expand_dims(S, -2), xp.expand_dims(S, -1)
    diagonal = devices.array_module(raw(S)).eye(k, dtype=bool)
    gaps = (columns - rows) * (columns + rows) + diagonal
    inner = 0.0 if g[1] is None else _as_diagonal(xp, g[1], diagonal)
    if gU is not None:
        turned = xp.matmul(_turned(xp, U), gU)
        inner = inner + (turned - _turned(xp, turned)) / gaps * columns
    if gVh is not None:
        turned = xp.matmul(Vh, _turned(xp, gVh))
        inner = inner + rows * ((turned - _turned(xp, turned)) / gaps)
    if isinstance(inner, float):
        inner = xp.zeros_like(gaps)
    d = xp.matmul(xp.matmul(U, inner), Vh)
    if gU is not None and U.shape[-2] > k:  # out of the space of the columns of U
        d = d + xp.matmul((gU - xp.matmul(U, xp.matmul(_turned(xp, U), gU))) / columns, Vh)
    if gVh is not None and Vh.shape[-1] > k:
        d = d + xp.matmul(U, (gVh - xp.matmul(xp.matmul(gVh, _turned(xp, Vh)), Vh)) / rows)
    return d


USV = namedtuple("svd", "U S V")  # type: ignore[name-match]
_top_level("svd", lambda input, some=True: USV(*(
    transpose(x, -2, -1) if i == 2 else x for i, x in enumerate(svd(input, not some)))),
    "U, S and V (not Vh) of input = U diag(S) Vᵀ, reduced if `some`.\n\n"
    "Shapes: (*, n, m) -> (*, n, k), (*, k), (*, m, k).",
    samples=[S(t(4, 3)), S(t(2, 3, 3))], scalar=LAPACK,
    reference=lambda torch: lambda A, some=True: (
        lambda found: (found[0], found[1], found[2].mT))(_svd_like_numpy(torch)(A, not some)))


@composed(home="linalg", method=False, samples=[S(t(4, 3)), S(t(2, 3, 4)), S(t(0, 3))],
          scalar=LAPACK)
def svdvals(A):
    """The singular values, descending. Shapes: (*, n, m) -> (*, min(n, m)).

    Raises:
        LinAlgError, RuntimeError: as `svd`.
    """
    return svd(A, full_matrices=False).S


# ---------------------------------------------------------------- from singular values


def _cutoff(values, shape, atol, rtol):
    """Below what singular values count as 0: max(atol, rtol * the largest), as (*, 1).

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
def pseudoinverse(xp, A: Array, cutoff: Any = 1e-15):
    """The inverse of the part of A with singular values over `cutoff`.

    Shapes: (*, n, m) -> (*, m, n). Golub and Pereyra 1973: its rule holds for every rank.
    """
    U, values, Vh = _converged("linalg.pinv", xp.linalg.svd, A, full_matrices=False)
    kept = values > cutoff
    inverse = kept / xp.where(kept, values, xp.ones_like(values))
    return xp.matmul(_turned(xp, Vh) * xp.expand_dims(inverse, -2), _turned(xp, U))


@pseudoinverse.vjp("A")
def _(xp, g, A, out):
    P, Ph, gh = out, _turned(xp, out), _turned(xp, g)
    mm = xp.matmul
    d = -_turned(xp, mm(mm(P, gh), P))
    # What is left of g outside of the rows and of the columns of A.
    d = d + mm(mm(gh - mm(A, mm(P, gh)), P), Ph)
    return d + mm(mm(Ph, P), gh - mm(mm(gh, P), A))


@composed(home="linalg", method=False, scalar=LAPACK, samples=[
    S(t(4, 3)), S(t(2, 3, 4)), S(t(4, 3), rtol=1e-3), S(t(4, 3), atol=1e-3), S(t(0, 3))])
def pinv(A, *, atol=None, rtol=None, hermitian=False):
    """The Moore-Penrose inverse: singular values up to max(atol, rtol * the largest) count as 0.

    Shapes: (*, n, m) -> (*, m, n). rtol is max(n, m) * eps unless one of the two is given.
    `hermitian` promises that A is symmetric, which makes no difference here.

    Raises:
        LinAlgError: no convergence.
    """
    if 0 in A.shape:
        return transpose(A, -2, -1)
    values = svdvals(A.detach())
    return pseudoinverse(A, _cutoff(values, A.shape, atol, rtol)._array)


@composed(samples=[S(t(4, 3)), S(t(3, 3), 1e-3)], scalar=LAPACK)
def pinverse(input, rcond=1e-15):
    """As `linalg.pinv` with rtol = rcond. Shapes: (*, n, m) -> (*, m, n)."""
    return pinv(input, rtol=rcond)


@composed(home="linalg", method=False, scalar=LAPACK, samples=[
    S(t(4, 3)), S(t(2, 3, 4)), S(t(3, 3), atol=2.0), S(t(3, 3), rtol=0.5)])
def matrix_rank(A, *, atol=None, rtol=None, hermitian=False):
    """How many singular values are over max(atol, rtol * the largest). Shapes: (*, n, m) -> (*).

    rtol is max(n, m) * eps unless one of the two is given; the result is int64.
    """
    values = svdvals(A.detach())
    if not values.numel():
        return values.sum(-1).long()
    return (values > _cutoff(values, A.shape, atol, rtol)).sum(-1)


LeastSquares = namedtuple(  # type: ignore[name-match]
    "lstsq", "solution residuals rank singular_values")


@composed(home="linalg", method=False, scalar=LAPACK, samples=[
    S(t(4, 2), t(4, 3)), S(t(2, 4), t(2, 3)), S(t(2, 4, 2), t(2, 4, 1)), S(t(4, 2), t(4))],
    reference=lambda torch: lambda A, B: tuple(
        x if i == 0 else x.detach() for i, x in enumerate(torch.linalg.lstsq(A, B))))
def lstsq(A, B, rcond=None, *, driver=None):
    """(solution, residuals, rank, singular_values): the X of least |A X - B|, then of least |X|.

    Through the pseudoinverse, which is right for every rank, whatever the driver. That decides, as
    in PyTorch, what else is told and what stays empty: "gelsy", the default, tells the rank;
    "gelsd" and "gelss" the singular values too; these and "gels" |A X - B|² of each column, if A
    has more rows than columns and full rank.

    Shapes: (*, n, m), (*, n, k) or (*, n) -> (*, m, k) or (*, m), (*, k) or (0), (*) or (0),
    (*, min(n, m)) or (0).

    Raises:
        RuntimeError: another driver; A and B have not the same number of rows.
    """
    if driver not in (None, "gels", "gelsy", "gelsd", "gelss"):
        raise RuntimeError(f"linalg.lstsq: the driver {driver!r} is none of 'gels', 'gelsy', "
                           "'gelsd', 'gelss'")
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


def _matrix_norm(x, p):
    from .reduce import matrix_norm  # that file stands above this one

    return matrix_norm(x, p)


def _cond_of_pytorch(torch):
    """Where PyTorch's own backward fails, on a value it has overwritten, by the definition."""
    def function(A, p=None):
        if p in (None, 2, -2):
            return torch.linalg.cond(A, p)
        return torch.linalg.matrix_norm(A, p) * torch.linalg.matrix_norm(torch.linalg.inv(A), p)

    return function


@composed(home="linalg", method=False, scalar=LAPACK, reference=_cond_of_pytorch, samples=[
    S(Regular((3, 3))), S(t(2, 3, 4), 2), S(t(3, 4), -2), S(Regular((3, 3)), "fro"),
    S(Regular((2, 3, 3)), 1), S(Regular((3, 3)), -1), S(Regular((3, 3)), float("inf")),
    S(Regular((3, 3)), "nuc")])
def cond(A, p=None):
    """The condition number: the norm of A times that of its inverse; inf for a singular A.

    p is as in `linalg.matrix_norm`; None is 2, and then A need not be square.

    Shapes: (*, n, m) -> (*).
    """
    if p in (None, 2, -2):
        values = svdvals(A)
        largest, smallest = values[..., 0], values[..., -1]
        return smallest / largest if p == -2 else largest / smallest
    try:
        return _matrix_norm(A, p) * _matrix_norm(inv(A), p)
    except LinAlgError:
        if A.ndim == 2:
            return A.new_full((), float("inf"))
        flat = reshape(A, (-1, *A.shape[-2:]))
        from .shape import stack

        return reshape(stack([cond(matrix, p) for matrix in flat]), A.shape[:-2])


# ---------------------------------------------------------------- powers


@composed(scalar=LAPACK, samples=[
    S(t(3, 3, grad=False), 0), S(t(3, 3), 1), S(t(2, 3, 3), 5), S(Regular((3, 3)), -2)])
def matrix_power(A, n):
    """A @ A @ ... n times, by squaring; of the inverse if n is negative.

    Shapes: (*, n, n) -> (*, n, n).

    Raises:
        LinAlgError: n is negative and a matrix singular.
        RuntimeError: not square.
    """
    _check_square("linalg.matrix_power", A._array)
    if n < 0:
        A, n = inv(A), -n
    if n == 0:
        return broadcast_to(_identity(A), A.shape).clone()
    out = None
    while n:
        if n % 2:
            out = A if out is None else matmul(out, A)
        n //= 2
        A = matmul(A, A) if n else A
    return out


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
    _check_square("matrix_exp", A)
    if not A.size:
        return A.copy()
    size = float(xp.abs(A).sum(axis=-2).max())
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
    out = xp.linalg.solve(even - odd, even + odd)
    for _ in range(squarings):
        out = xp.matmul(out, out)
    return out


@matrix_exp.vjp("A")
def _(xp, g, A):
    n, T = A.shape[-1], _turned(xp, A)
    zeros = xp.zeros_like(T)
    blocks = xp.concatenate([xp.concatenate([T, g], axis=-1),
                             xp.concatenate([zeros, T], axis=-1)], axis=-2)
    return matrix_exp.run(xp, blocks)[..., :n, n:]
