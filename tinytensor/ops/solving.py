"""Inverses and systems of linear equations.

Giles 2008, "Collected matrix derivative results".
"""

# ruff: noqa: N803, N806 - matrices have PyTorch's names, which are capitals

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy

from ..arrays import Array, dtypes
from ..arrays.return_types import return_type
from ..autograd.table import composed, op
from ..tensors.tensor import Tensor
from .index import where
from .matrices import (
    LAPACK,
    REGULAR,
    LinAlgError,
    Regular,
    check_square,
    checked_for_failure,
    diagonal_mask,
    is_singular,
    transposed,
    triangle_mask,
)
from .samples import S, t
from .shape import expand, reshape, transpose
from .shape import transpose as swap


@op(autocast="float32 on cpu", home="linalg", method=False, samples=REGULAR, scalar=LAPACK)
def inv(xp, A: Array):
    """The inverse of square matrices. Shapes: (*, n, n) -> (*, n, n). Giles 2008, section 2.2.3.

    To solve A X = B, `solve` is faster and more accurate.

    Raises:
        LinAlgError: a matrix is singular; the message says which.
        RuntimeError: not square, or not of float32 or float64.
    """
    check_square("linalg.inv", A)
    return checked_for_failure(xp, "linalg.inv", "the matrix is singular", is_singular,
                               xp.linalg.inv, A)


@inv.vjp("A")
def _(xp, g, out):
    inverse = transposed(xp, out)
    return -xp.matmul(xp.matmul(inverse, g), inverse)


triangular_solve_result = return_type("triangular_solve", "solution", "cloned_coefficient")


@composed(autocast="float32 on cpu", widens=True, scalar=LAPACK, samples=[
    S(t(3, 2), Regular((3, 3))), S(t(3, 2), Regular((3, 3)), upper=False),
    S(t(2, 3, 2), Regular((3, 3)), transpose=True),
    S(t(3, 2), Regular((3, 3)), unitriangular=True)])
def triangular_solve(input: Tensor, A: Tensor, upper: bool = True, transpose: bool = False,
                     unitriangular: bool = False):
    """(X of A X = input, a copy of A) for a triangular A, whose other triangle is ignored; with
    `transpose` of Aᵀ X = input. `linalg.solve_triangular` is its successor.

    Shapes: (*, n, k), (*, n, n) -> (*, n, k), (*, n, n).

    Raises:
        LinAlgError: a 0 on the diagonal.
        RuntimeError: shapes or dtypes that do not fit.
    """
    taken = swap(A, -2, -1) if transpose else A
    solution = solve_triangular(taken, input, upper=upper != transpose,
                                unitriangular=unitriangular)
    batch = (*solution.shape[:-2], *A.shape[-2:])
    return triangular_solve_result(solution, expand(A, batch).clone())


solve_ex_result = return_type("linalg_solve_ex", "result", "info")


@composed(home="linalg", method=False, scalar=LAPACK, samples=[
    S(Regular((3, 3)), t(3, 2)), S(Regular((2, 3, 3)), t(2, 3)),
    S(Regular((3, 3)), t(2, 3), left=False)])
def solve_ex(A: Tensor, B: Tensor, *, left: bool = True, check_errors: bool = False):
    """(result, info) of `solve`, without an error: info is 0, or the number of the first pivot
    that is 0; the result is NaN there.

    Shapes: as `solve`; info has those of A without its last two dims, int32.

    Raises:
        LinAlgError: with `check_errors`, as `solve`.
        RuntimeError: shapes or dtypes that do not fit.
    """
    info = A.new_zeros(tuple(A.shape[:-2]), dtype=dtypes.int32)
    try:
        return solve_ex_result(solve(A, B, left=left), info)
    except LinAlgError:
        if check_errors:
            raise
    for place in numpy.ndindex(*info.shape):
        info[place] = _zero_pivot(A[place].detach())
    failed = info > 0
    regular = where(failed[..., None, None], A.new_ones((A.shape[-1],)).diag(), A)
    result = solve(regular, B, left=left)
    dims = min(result.ndim - failed.ndim, 2)  # the batch of B may have more dims
    return solve_ex_result(result.masked_fill(
        failed.reshape((*failed.shape, *[1] * dims)), math.nan), info)


inv_ex_result = return_type("linalg_inv_ex", "inverse", "info")


@composed(autocast="float32 on cpu",
          home="linalg", method=False, scalar=LAPACK, widens=True, samples=REGULAR)
def inv_ex(A: Tensor, *, check_errors: bool = False):
    """(inverse, info) of `inv`, without an error: info is 0, or the number of the first pivot that
    is 0; the inverse is NaN there.

    Shapes: (*, n, n) -> (*, n, n), (*) int32.

    Raises:
        LinAlgError: with `check_errors`, as `inv`.
        RuntimeError: not square, or not of float32 or float64.
    """
    info = A.new_zeros(tuple(A.shape[:-2]), dtype=dtypes.int32)
    if check_errors:
        return inv_ex_result(inv(A), info)
    check_square("linalg.inv_ex", A._array)
    try:
        return inv_ex_result(inv(A), info)
    except LinAlgError:
        for place in numpy.ndindex(*info.shape):
            info[place] = _zero_pivot(A[place].detach())
    failed = (info > 0)[..., None, None]
    regular = where(failed, A.new_ones((A.shape[-1],)).diag(), A)
    return inv_ex_result(inv(regular).masked_fill(failed, math.nan), info)


def _zero_pivot(A):
    """The number of the first pivot of a singular matrix that is 0; 0 for a regular one."""
    try:
        inv(A)
        return 0
    except LinAlgError:
        rows = A.tolist()
    for k in range(len(rows)):
        chosen = max(range(k, len(rows)), key=lambda i: abs(rows[i][k]))
        rows[k], rows[chosen] = rows[chosen], rows[k]
        pivot = rows[k][k]
        if pivot == 0:
            return k + 1
        for i in range(k + 1, len(rows)):
            factor = rows[i][k] / pivot
            rows[i] = [a - factor * b for a, b in zip(rows[i], rows[k], strict=True)]
    return len(rows)  # rounding has hidden the zero


@composed(samples=REGULAR[:2], scalar=LAPACK)
def inverse(input: Tensor) -> Tensor:
    """As `linalg.inv`: the inverse of square matrices. Shapes: (*, n, n) -> (*, n, n)."""
    return inv(input)


def _check_system(name, A, B):
    check_square(name, A)
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
    return checked_for_failure(xp, name, "the matrix is singular", is_singular,
                               xp.linalg.solve, A, B)


@op(contiguous=True, promotes="same", method=False, internal=True, scalar=LAPACK, samples=[
    S(Regular((3, 3)), t(3, 2)), S(Regular((2, 3, 3)), t(4, 1, 3, 2)),
    S(Regular((3, 3)), t(2, 3, 0))], reference="linalg.solve")
def solve_matrix(xp, A: Array, B: Array):
    """X of A X = B. Shapes: (*, n, n), (*, n, k) -> (*, n, k). Giles 2008, section 2.3.1."""
    return _solved(xp, "linalg.solve", A, B)


@solve_matrix.vjp("A", "B")
def _(xp, g, A, out, needs):
    d = solve_matrix.run(xp, transposed(xp, A), g)
    return (-xp.matmul(d, transposed(xp, out)) if needs[0] else None), d


@composed(autocast="float32 on cpu",
          widens=True, home="linalg", method=False, scalar=LAPACK, samples=[
    S(Regular((3, 3)), t(3)), S(Regular((3, 3)), t(3, 2)), S(Regular((2, 3, 3)), t(2, 3)),
    S(Regular((2, 3, 3)), t(3, 2)), S(Regular((3, 3)), t(2, 3), left=False)])
def solve(A: Tensor, B: Tensor, *, left: bool = True) -> Tensor:
    """X of A X = B, or with left=False of X A = B; for vectors, x of A x = b.

    Shapes: (*, n, n), (*, n, k) or (*, n) -> the shape of B. B is vectors if it has one dim,
    or the shape of A without its last dim.

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
    out = solve_matrix(transpose(A, -2, -1), transpose(B, -2, -1))
    return transpose(out, -2, -1).contiguous()


@composed(home="linalg", method=False, scalar=LAPACK, samples=[
    S(t(2, 3, 6)), S(t(4, 2, 2), ind=1)])
def tensorinv(A: Tensor, ind: int = 2) -> Tensor:
    """The inverse of the first `ind` dims by the others, as a matrix. Shapes: (*, #) -> (#, *).

    Raises:
        RuntimeError: the two parts differ in size, or the matrix is singular.
    """
    first, others = A.shape[:ind], A.shape[ind:]
    size = math.prod(first)
    if ind <= 0 or size != math.prod(others):
        raise RuntimeError(f"tensorinv: the first {ind} dims of {tuple(A.shape)} must have as many "
                           "elements as the others")
    return inv(A.reshape(size, size)).reshape(*others, *first)


@composed(home="linalg", method=False, scalar=LAPACK, samples=[
    S(t(2, 3, 6), t(2, 3)), S(t(6, 2, 3), t(6)), S(t(2, 6, 3), t(2, 3), (1,))])
def tensorsolve(A: Tensor, B: Tensor, dims: Sequence[int] | None = None) -> Tensor:
    """x with tensordot(A, x, x.ndim) = B; the `dims` of A are moved to the end first.

    Shapes: (*, #), (*) -> (#).

    Raises:
        RuntimeError: sizes do not fit, or the matrix is singular.
    """
    if dims is not None:
        A = A.movedim(tuple(dims), tuple(range(A.ndim - len(dims), A.ndim)))
    others = A.shape[B.ndim:]
    if math.prod(others) != B.numel():
        raise RuntimeError(f"tensorsolve: the last dims {tuple(others)} of A must have as many "
                           f"elements as B, of shape {tuple(B.shape)}")
    return solve(A.reshape(B.numel(), B.numel()), B.flatten()).reshape(others)


@op(promotes="same", method=False, internal=True, scalar=LAPACK, samples=[
    S(Regular((3, 3)), t(3, 2), True, False), S(Regular((2, 3, 3)), t(3, 2), False, True)],
    reference=lambda torch: lambda A, B, upper, unit: torch.linalg.solve_triangular(
        A, B, upper=upper, unitriangular=unit))
def solve_triangle(xp, A: Array, B: Array, upper: bool, unit: bool):
    """X of T X = B for a triangle T of A. Shapes: (*, n, n), (*, n, k) -> (*, n, k).

    Uses the general solver, the only one that CuPy and NumPy share.
    """
    check_square("linalg.solve_triangular", A)
    T = xp.where(triangle_mask(A, upper, strict=unit), A, 0.0)  # also beside NaN
    return _solved(xp, "linalg.solve_triangular", T + diagonal_mask(A) if unit else T, B)


@solve_triangle.vjp("A", "B")
def _(xp, g, A, out, upper, unit, needs):
    d = solve_triangle.run(xp, transposed(xp, A), g, not upper, unit)
    if not needs[0]:
        return None, d
    return -xp.matmul(d, transposed(xp, out)) * triangle_mask(A, upper, strict=unit), d


@composed(widens=True, home="linalg", method=False, scalar=LAPACK, samples=[
    S(Regular((3, 3)), t(3, 2), upper=True), S(Regular((2, 3, 3)), t(3, 2), upper=False),
    S(Regular((3, 3)), t(4, 3), upper=True, left=False),
    S(Regular((3, 3)), t(3, 2), upper=False, unitriangular=True)])
def solve_triangular(A: Tensor, B: Tensor, *, upper: bool, left: bool = True,
                     unitriangular: bool = False) -> Tensor:
    """X of A X = B (or X A = B) for a triangular A, whose other triangle is ignored.

    Shapes: (*, n, n), (*, n, k) -> (*, n, k). With `unitriangular` its diagonal is taken as 1.

    Raises:
        LinAlgError: a 0 on the diagonal.
        RuntimeError: shapes or dtypes that do not fit.
    """
    if left:
        return solve_triangle(A, B, upper, unitriangular)
    return transpose(solve_triangle(transpose(A, -2, -1), transpose(B, -2, -1), not upper,
                                    unitriangular), -2, -1)
