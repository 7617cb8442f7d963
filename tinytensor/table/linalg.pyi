"""The functions of `linalg`.

Written by `python -m tinytensor stubs`; not to be edited.
"""

from collections.abc import Sequence
from ..tensors.tensor import DTypeLike, Tensor
from .methods import (
    LinalgCholeskyEx, LinalgEigh, LinalgInvEx, LinalgLstsq, LinalgQr, LinalgSolveEx, LinalgSvd,
)

def cholesky(A: Tensor, *, upper: bool = False, out: Tensor | None = None) -> Tensor:
    """L of A = L Lᵀ for symmetric positive definite A, or with `upper` Lᵀ.

    Shapes: (*, n, n) -> (*, n, n). Only the lower triangle of A is read, with `upper` only the
    upper one; the gradient is symmetric. Seeger et al. 2017, section 4.1.

    Raises:
        LinAlgError: a matrix is not positive definite; the message says which.
        RuntimeError: not square, or not of float32 or float64.
    """
def cholesky_ex(
        A: Tensor, *, upper: bool = False, check_errors: bool = False, out: tuple[Tensor, ...] |
        None = None,
) -> LinalgCholeskyEx:
    """(L, info) of `cholesky`, without an error: info is 0, or the order of the first leading
    minor that is not positive; L is NaN there.

    Shapes: (*, n, n) -> (*, n, n), (*) int32.

    Raises:
        LinAlgError: with `check_errors`, as `cholesky`.
        RuntimeError: not square, or not of float32 or float64.
    """
def cond(A: Tensor, p: str | float | None = None, *, out: Tensor | None = None) -> Tensor:
    """The condition number: the norm of A times that of its inverse; inf for a singular A.

    It is 0 for a matrix without elements.

    p is the `ord` of `linalg.matrix_norm`; None is 2. For 2 and -2 A need not be square.

    Shapes: (*, n, m) -> (*).
    """
def cross(
        input: Tensor, other: Tensor, *, dim: int | None = -1, axis: int | None = -1, out: Tensor |
        None = None,
) -> Tensor:
    """The cross product of vectors of 3 elements. Shapes: (*, 3), (*, 3) -> (*, 3).

    Raises:
        RuntimeError: other than 3 elements along `dim`.
    """
def diagonal(
        A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1, out: Tensor | None = None,
) -> Tensor:
    """A view of a diagonal, by default of matrices in the last dims. Shapes: (*, n, m) -> (*, k).

    """
def eigh(A: Tensor, UPLO: str = 'L', *, out: tuple[Tensor, ...] | None = None) -> LinalgEigh:
    """Eigenvalues, ascending, and eigenvectors, as columns, of symmetric matrices.

    Only one triangle of A is read, lower or upper; the gradient is symmetric. The sign of a
    vector is arbitrary. Shapes: (*, n, n) -> (*, n), (*, n, n). Giles 2008, section 3.1.

    Raises:
        LinAlgError: no convergence.
        RuntimeError: not square, or not of float32 or float64; another UPLO.
    """
def eigvalsh(A: Tensor, UPLO: str = 'L', *, out: Tensor | None = None) -> Tensor:
    """The eigenvalues of symmetric matrices, ascending. Shapes: (*, n, n) -> (*, n).

    Raises:
        RuntimeError: as `eigh`.
    """
def householder_product(A: Tensor, tau: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The first n columns of H_1 H_2 ... H_k, with the reflections H_i = I - tau_i v_i v_iᵀ.

    v_i has zeros above row i, 1 in row i, and the elements of column i of A below. The product is
    I - V T Vᵀ, with the triangular T of Schreiber and Van Loan 1989.

    Shapes: (*, m, n), (*, k) -> (*, m, n), where k <= n <= m.

    Raises:
        RuntimeError: sizes that do not fit, or Tensors that are not floating point.
    """
def inv(A: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The inverse of square matrices. Shapes: (*, n, n) -> (*, n, n). Giles 2008, section 2.2.3.

    To solve A X = B, `solve` is faster and more accurate.

    Raises:
        LinAlgError: a matrix is singular; the message says which.
        RuntimeError: not square, or not of float32 or float64.
    """
def inv_ex(
        A: Tensor, *, check_errors: bool = False, out: tuple[Tensor, ...] | None = None,
) -> LinalgInvEx:
    """(inverse, info) of `inv`, without an error: info is 0, or the number of the first pivot that
    is 0; the inverse is NaN there.

    Shapes: (*, n, n) -> (*, n, n), (*) int32.

    Raises:
        LinAlgError: with `check_errors`, as `inv`.
        RuntimeError: not square, or not of float32 or float64.
    """
def lstsq(
        A: Tensor, B: Tensor, rcond: float | None = None, *, driver: str | None = None, out:
        tuple[Tensor, ...] | None = None,
) -> LinalgLstsq:
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
def matrix_norm(
        A: Tensor, ord: float | str = 'fro', dim: Sequence[int] = (-2, -1), keepdim: bool = False,
        *, axis: Sequence[int] = (-2, -1), keepdims: bool = False, dtype: DTypeLike | None = None,
        out: Tensor | None = None,
) -> Tensor:
    """The norm of matrices in two dims: "fro", "nuc", 1, -1, 2, -2, inf, -inf.

    1 and inf are the largest sum of absolute values of a column and of a row. 2 is the largest
    singular value, "nuc" the sum of all. A minus sign gives the smallest.
    Shapes: (*, n, m) -> (*), or with both dims as 1 if `keepdim`.

    Raises:
        RuntimeError: fewer than two dims; another `ord`.
    """
def matrix_rank(
        A: Tensor, *, atol: Tensor | float | None = None, rtol: Tensor | float | None = None,
        hermitian: bool = False, out: Tensor | None = None,
) -> Tensor:
    """The number of singular values above max(atol, rtol * the largest). Shapes: (*, n, m) -> (*).

    rtol is max(n, m) * eps unless one of the two is given; the result is int64.
    """
def multi_dot(tensors: Sequence[Tensor], *, out: Tensor | None = None) -> Tensor:
    """The product of several matrices in the cheapest order; the first and last may be vectors.

    Shapes: (n, k), (k, l), ..., (p, m) -> (n, m), without the dim of a vector.

    Raises:
        RuntimeError: fewer than two, other ranks, sizes that do not fit.
    """
def norm(
        A: Tensor, ord: str | float | None = None, dim: int | Sequence[int] | None = None, keepdim:
        bool = False, *, axis: int | Sequence[int] | None = None, keepdims: bool = False, dtype:
        DTypeLike | None = None, out: Tensor | None = None,
) -> Tensor:
    """The 2-norm of all elements; with `ord` or `dim`, the vector or matrix norm.

    It is a matrix norm if `dim` has two dims, or if `dim` is None and A is a matrix.

    Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`.

    Raises:
        RuntimeError: an `ord` without a `dim`, and A is neither a vector nor a matrix.
    """
def pinv(
        A: Tensor, *, atol: Tensor | float | None = None, rtol: Tensor | float | None = None,
        hermitian: bool = False, out: Tensor | None = None,
) -> Tensor:
    """The Moore-Penrose inverse: singular values up to max(atol, rtol * the largest) count as 0.

    Shapes: (*, n, m) -> (*, m, n). rtol is max(n, m) * eps unless one of the two is given.
    `hermitian` declares that A is symmetric; it changes nothing.

    Raises:
        LinAlgError: no convergence.
    """
def qr(A: Tensor, mode: str = 'reduced', *, out: tuple[Tensor, ...] | None = None) -> LinalgQr:
    """A = Q R, with orthonormal columns in Q and an upper triangular R.

    Shapes: (*, n, m) -> (*, n, k), (*, k, m), where k = min(n, m), or n for mode "complete"; for
    mode "r" Q is empty. Roberts and Roberts 2020; Seeger et al. 2017, section 4.3.

    Raises:
        RuntimeError: another mode; in the backward, mode "r", or "complete" with n > m.
    """
def solve(A: Tensor, B: Tensor, *, left: bool = True, out: Tensor | None = None) -> Tensor:
    """X of A X = B, or with left=False of X A = B; for vectors, x of A x = b.

    Shapes: (*, n, n), (*, n, k) or (*, n) -> the shape of B. B is vectors if it has one dim,
    or the shape of A without its last dim.

    Raises:
        LinAlgError: a matrix is singular; the message says which.
        RuntimeError: shapes or dtypes that do not fit.
    """
def solve_ex(
        A: Tensor, B: Tensor, *, left: bool = True, check_errors: bool = False, out: tuple[Tensor,
        ...] | None = None,
) -> LinalgSolveEx:
    """(result, info) of `solve`, without an error: info is 0, or the number of the first pivot
    that is 0; the result is NaN there.

    Shapes: as `solve`; info has those of A without its last two dims, int32.

    Raises:
        LinAlgError: with `check_errors`, as `solve`.
        RuntimeError: shapes or dtypes that do not fit.
    """
def solve_triangular(
        A: Tensor, B: Tensor, *, upper: bool, left: bool = True, unitriangular: bool = False, out:
        Tensor | None = None,
) -> Tensor:
    """X of A X = B (or X A = B) for a triangular A, whose other triangle is ignored.

    Shapes: (*, n, n), (*, n, k) -> (*, n, k). With `unitriangular` its diagonal is taken as 1.

    Raises:
        LinAlgError: a 0 on the diagonal.
        RuntimeError: shapes or dtypes that do not fit.
    """
def svd(
        A: Tensor, full_matrices: bool = True, *, out: tuple[Tensor, ...] | None = None,
) -> LinalgSvd:
    """A = U diag(S) Vh, with orthonormal columns in U and rows in Vh; S descends.

    The signs are arbitrary, and so are the columns of U and rows of Vh beyond S that
    `full_matrices` adds; those have no gradient. Townsend 2016.

    Shapes: (*, n, m) -> (*, n, k), (*, k), (*, k, m), k = min(n, m);
    with full_matrices (*, n, n), (*, k), (*, m, m).

    Raises:
        LinAlgError: no convergence.
        RuntimeError: fewer than 2 dimensions, or not of float32 or float64.
    """
def svdvals(A: Tensor, *, driver: str | None = None, out: Tensor | None = None) -> Tensor:
    """The singular values, descending. Shapes: (*, n, m) -> (*, min(n, m)).

    Raises:
        LinAlgError, RuntimeError: as `svd`.
    """
def tensorinv(A: Tensor, ind: int = 2, *, out: Tensor | None = None) -> Tensor:
    """The inverse of the first `ind` dims by the others, as a matrix. Shapes: (*, #) -> (#, *).

    Raises:
        RuntimeError: the two parts differ in size, or the matrix is singular.
    """
def tensorsolve(
        A: Tensor, B: Tensor, dims: Sequence[int] | None = None, *, out: Tensor | None = None,
) -> Tensor:
    """x with tensordot(A, x, x.ndim) = B; the `dims` of A are moved to the end first.

    Shapes: (*, #), (*) -> (#).

    Raises:
        RuntimeError: sizes do not fit, or the matrix is singular.
    """
def vander(x: Tensor, *, N: int | None = None, out: Tensor | None = None) -> Tensor:
    """The powers x**0 to x**(N-1) in columns. Shapes: (*, n) -> (*, n, N).

    Raises:
        RuntimeError: a 0-d Tensor; N is not greater than 1.
    """
def vecdot(
        x: Tensor, y: Tensor, *, dim: int = -1, axis: int = -1, out: Tensor | None = None,
) -> Tensor:
    """Σ x * y along a dim. Shapes: (*, n, *), (*, n, *) that broadcast -> (*)."""
def vector_norm(
        x: Tensor, ord: float = 2, dim: int | Sequence[int] | None = None, keepdim: bool = False, *,
        axis: int | Sequence[int] | None = None, keepdims: bool = False, dtype: DTypeLike | None =
        None, out: Tensor | None = None,
) -> Tensor:
    """(Σ |x|^ord)^(1/ord) over `dim` (int, tuple or all); its limits for ord inf, -inf and 0.

    The gradient of an element that is 0, or of a norm that is 0, counts as 0.
    Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`.

    Raises:
        RuntimeError: the input is not floating point; no elements, and an `ord` that is
            negative or inf.
    """
from .functions import det as det
from .functions import matmul as matmul
from .functions import matrix_exp as matrix_exp
from .functions import matrix_power as matrix_power
from .functions import slogdet as slogdet
