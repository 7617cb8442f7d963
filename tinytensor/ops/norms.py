"""Norms of vectors and matrices, and the condition number."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..arrays import dtypes
from ..autograd.table import composed
from ..tensors.tensor import Tensor
from .checks import need_dims, need_floating, need_one_of
from .decomposition import svdvals
from .dims import Dim, axes
from .extrema import amax, amin
from .index import where
from .matrices import LAPACK, LinAlgError, Regular
from .reduce import root, sum_
from .samples import S, t
from .shape import reshape, stack
from .solving import inv

ORDERS = [S(t(2, 3, low=0.2), 1), S(t(2, 3), 3), S(t(2, 3, distinct=True), math.inf),
          S(t(2, 3, distinct=True), -math.inf), S(t(2, 3, grad=False), 0), S(t(2, 3), -1.5),
          S(t(2, 3), 2.5, 0), S(t(2, 3, 4), 2, (0, -1), True)]


@composed(widens=True, home="linalg", method=False, samples=[S(t(2, 3)), S(t()), *ORDERS])
def vector_norm(x: Tensor, ord: float = 2, dim: Dim = None, keepdim: bool = False, *,
                dtype: dtypes.dtype | None = None) -> Tensor:
    """(Σ |x|^ord)^(1/ord) over `dim` (int, tuple or all); its limits for ord inf, -inf and 0.

    The gradient of an element that is 0, or of a norm that is 0, counts as 0.
    Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`.

    Raises:
        RuntimeError: the input is not floating point; no elements, and an `ord` that is
            negative or inf.
    """
    x = _normed("linalg.vector_norm", x, dtype)
    if (ord < 0 or ord == math.inf) and not x.numel():
        if dim is None or not all(x.shape[i] for i in axes(dim, x.ndim)):
            raise RuntimeError(f"linalg.vector_norm: shape {tuple(x.shape)} has no elements to "
                               f"take the norm of, and for ord {ord} it would not be 0")
    if ord == 2:
        return root(sum_(x * x, dim, keepdim))
    size = x.abs()
    if math.isinf(ord):
        return (amax if ord > 0 else amin)(size, dim, keepdim)
    zero = x == 0
    if ord == 0:  # counts with a derivative of 0
        return sum_(where(zero, 0.0, where(zero, x, 1.0)), dim, keepdim)
    if ord == 1:
        return sum_(size, dim, keepdim)
    if ord < 1:  # the derivative of |x| ** ord at 0 is infinite; that of the norm counts as 0
        powers = where(zero, 0.0 if ord > 0 else math.inf, where(zero, 1.0, size) ** ord)
    else:
        powers = size ** ord
    return root(sum_(powers, dim, keepdim), ord)


def _normed(name, x, dtype):
    """The input of a norm, in `dtype` if given; checks that it is floating point."""
    if not x.dtype.is_floating_point:
        need_floating(name, x)
    return x if dtype is None else x.to(dtypes.resolve(dtype))


@composed(widens=True, home="linalg", method=False, samples=[
    S(t(2, 3)), S(t(2, 3, 4), 1, (0, 2)), S(t(2, 3), "fro", keepdim=True), S(t(3, 2), math.inf),
    S(t(3, 2), -math.inf), S(t(3, 2, 4), -1, (-1, 0), True), S(t(2, 3), 2), S(t(2, 3), -2),
    S(t(2, 2, 3), "nuc")], scalar="LAPACK computes the singular values")
def matrix_norm(A: Tensor, ord: str | float = "fro",  # noqa: N803
                dim: Sequence[int] = (-2, -1), keepdim: bool = False, *,
                dtype: dtypes.dtype | None = None) -> Tensor:
    """The norm of matrices in two dims: "fro", "nuc", 1, -1, 2, -2, inf, -inf.

    1 and inf are the largest sum of absolute values of a column and of a row. 2 is the largest
    singular value, "nuc" the sum of all. A minus sign gives the smallest.
    Shapes: (*, n, m) -> (*), or with both dims as 1 if `keepdim`.

    Raises:
        RuntimeError: fewer than two dims; another `ord`.
    """
    x = _normed("linalg.matrix_norm", A, dtype)
    need_dims("linalg.matrix_norm", x, 2)
    need_one_of("linalg.matrix_norm", "order", ord,
                ("fro", "nuc", 1, -1, 2, -2, math.inf, -math.inf))
    rows, columns = axes(tuple(dim), x.ndim)
    if ord == "fro":
        return vector_norm(x, 2, (rows, columns), keepdim)
    if ord in (1, -1, math.inf, -math.inf):
        along, across = (rows, columns) if ord in (1, -1) else (columns, rows)
        norms = _extremum(sum_(x.abs(), along, True), across, ord > 0, True)
    else:
        norms = _of_singular_values(x.movedim((rows, columns), (-2, -1)), ord)
        norms = norms.unsqueeze(-1).unsqueeze(-1).movedim((-2, -1), (rows, columns))
    return norms if keepdim else norms.squeeze((rows, columns))


def _of_singular_values(x, ord):
    values = svdvals(x)
    return sum_(values, -1) if ord == "nuc" else _extremum(values, -1, ord > 0)


def _extremum(sizes, dim, largest, keepdim=False):
    """The largest or smallest size; the largest of none is 0."""
    if largest and not sizes.shape[dim]:
        return sum_(sizes, dim, keepdim)
    return (amax if largest else amin)(sizes, dim, keepdim)


@composed(autocast="float32 on cuda", home="linalg", method=False, samples=[
    S(t(2, 3)), S(t(2, 3), 1), S(t(3), 3), S(t(2, 3), 1, 0), S(t(2, 3, 2), "fro", (0, 1)),
    S(t(2, 3, 2)), S(t(2, 3), None, 1, True)], reference="linalg.norm")
def norm(A: Tensor, ord: str | float | None = None, dim: Dim = None,  # noqa: N803
         keepdim: bool = False, *, dtype: dtypes.dtype | None = None) -> Tensor:
    """The 2-norm of all elements; with `ord` or `dim`, the vector or matrix norm.

    It is a matrix norm if `dim` has two dims, or if `dim` is None and A is a matrix.

    Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`.

    Raises:
        RuntimeError: an `ord` without a `dim`, and A is neither a vector nor a matrix.
    """
    if ord is None:
        return vector_norm(A, 2, dim, keepdim, dtype=dtype)
    if dim is None and A.ndim not in (1, 2):
        raise RuntimeError(f"linalg.norm: ord {ord!r} without a dim is for a vector or a matrix, "
                           f"got shape {tuple(A.shape)}; give the dim or the two dims")
    pair = (-2, -1) if dim is None and A.ndim == 2 else dim
    if isinstance(pair, tuple | list) and len(pair) == 2:
        return matrix_norm(A, ord, pair, keepdim, dtype=dtype)
    return vector_norm(A, ord, dim, keepdim, dtype=dtype)


@composed(autocast="float32 on cuda", reference="norm", samples=[  # type: ignore[no-redef]
    S(t(2, 3)), S(t(2, 3), "fro", 1), S(t(2, 3), dim=0, keepdim=True), S(t()), *ORDERS])
def norm(input: Tensor, p: str | float | None = "fro",  # noqa: F811 - not linalg's
         dim: Dim = None, keepdim: bool = False, dtype: dtypes.dtype | None = None) -> Tensor:
    """(Σ |x|^p)^(1/p) over `dim` (int, tuple or all); "fro" is p = 2, "nuc" the nuclear norm.

    Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`.
    """
    if p == "nuc":
        return matrix_norm(input, p, (-2, -1) if dim is None else dim, keepdim, dtype=dtype)
    x = input if dtype is None else _normed("norm", input, dtype)
    return vector_norm(x, 2 if p in ("fro", None) else p, dim, keepdim)


@composed(autocast="float32 on cuda", widens=True, samples=[
    S(t(2, 3), t(2, 3)), S(t(2, 3), t(3), 1), S(t(4), t(4), 3.0), S(t(), t())])
def dist(input: Tensor, other: Tensor, p: float = 2) -> Tensor:
    """The p-norm of input - other. Shapes: (*), (*) that broadcast -> ()."""
    return vector_norm(input - other, p)


@composed(autocast="float32 on cuda",
          widens=True, inplace=True, samples=[S(t(3, 4), 2, 0, 0.5), S(t(3, 4), 1, 1, 1.5),
                                 S(t(2, 3, 4), 2.5, -2, 1.0), S(t(2, 3), float("inf"), 0, 0.4)])
def renorm(input: Tensor, p: float, dim: int, maxnorm: float) -> Tensor:
    """Scales slices along `dim` with a p-norm above maxnorm down to it. Shapes: (*) -> (*).

    Raises:
        RuntimeError: fewer than two dims; a p that is not positive, a negative maxnorm.
    """
    need_dims("renorm", input, 2)
    if not p > 0 or not maxnorm >= 0:
        raise RuntimeError(f"renorm: p must be positive and maxnorm at least 0, got {p} and "
                           f"{maxnorm}")
    (axis,) = axes(dim, input.ndim)
    norms = vector_norm(input, p, tuple(i for i in range(input.ndim) if i != axis), True)
    factor = where(norms > maxnorm, maxnorm / (norms + 1e-7), norms.new_ones(()))
    return (input * factor).contiguous()


def _cond_of_pytorch(torch):
    """PyTorch's cond; by the definition where its own backward fails on an overwritten value."""
    def function(A, p=None):  # noqa: N803
        if p in (None, 2, -2):
            return torch.linalg.cond(A, p)
        return torch.linalg.matrix_norm(A, p) * torch.linalg.matrix_norm(torch.linalg.inv(A), p)

    return function


@composed(autocast="float32 on cpu",
          widens=True, home="linalg", method=False, scalar=LAPACK, reference=_cond_of_pytorch,
          samples=[
    S(Regular((3, 3))), S(t(2, 3, 4), 2), S(t(3, 4), -2), S(Regular((3, 3)), "fro"),
    S(Regular((2, 3, 3)), 1), S(Regular((3, 3)), -1), S(Regular((3, 3)), float("inf")),
    S(Regular((3, 3)), "nuc")])
def cond(A: Tensor, p: str | float | None = None) -> Tensor:  # noqa: N803
    """The condition number: the norm of A times that of its inverse; inf for a singular A.

    It is 0 for a matrix without elements.

    p is the `ord` of `linalg.matrix_norm`; None is 2. For 2 and -2 A need not be square.

    Shapes: (*, n, m) -> (*).
    """
    if 0 in A.shape[-2:]:
        return sum_(A, (-2, -1))
    if p in (None, 2, -2):
        values = svdvals(A)
        largest, smallest = values[..., 0], values[..., -1]
        return smallest / largest if p == -2 else largest / smallest
    try:
        return matrix_norm(A, p) * matrix_norm(inv(A), p)
    except LinAlgError:
        if A.ndim == 2:
            return A.new_full((), float("inf"))
        flat = reshape(A, (-1, *A.shape[-2:]))
        return reshape(stack([cond(matrix, p) for matrix in flat]), A.shape[:-2])
