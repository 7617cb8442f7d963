"""The functions of the package that are operations.

Written by `python -m tinytensor stubs`; not to be edited.
"""

import numpy
from collections.abc import Sequence
from typing import Any, Literal, overload
from ..arrays.dtypes import memory_format
from ..tensors.tensor import DTypeLike, Size, Tensor
from .methods import (
    Operand, Aminmax, Frexp, Geqrf, Histogram, Histogramdd, Qr, Slogdet, Svd, TriangularSolve,
    ValuesAndIndices,
)

def abs(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """|input|, elementwise; its derivative at 0 is 0. Shapes: (*) -> (*).

    Raises:
        RuntimeError: bool.
    """
def absolute(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """|input|, elementwise; its derivative at 0 is 0. Shapes: (*) -> (*).

    Raises:
        RuntimeError: bool.
    """
def acos(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The inverse cosine, elementwise. Shapes: (*) -> (*)."""
def acosh(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The inverse hyperbolic cosine, elementwise. Shapes: (*) -> (*)."""
def add(
        input: Operand, other: Operand | float, *, alpha: float = 1, out: Tensor | None = None,
) -> Tensor:
    """input + alpha * other. Shapes: (*), (*) -> the broadcast shape."""
def addbmm(
        input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1, out:
        Tensor | None = None,
) -> Tensor:
    """beta * input + alpha * Σ_b batch1[b] @ batch2[b].

    Shapes: (n, m), (b, n, k), (b, k, m) -> (n, m).
    """
def addcdiv(
        input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1, out: Tensor | None =
        None,
) -> Tensor:
    """input + value * tensor1 / tensor2. Shapes: (*), (*), (*) -> the broadcast shape.

    Raises:
        RuntimeError: both divisor and dividend are integers.
    """
def addcmul(
        input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1, out: Tensor | None =
        None,
) -> Tensor:
    """input + value * tensor1 * tensor2. Shapes: (*), (*), (*) -> the broadcast shape.

    Raises:
        RuntimeError: all three are of bool; integers, and a value that is a float.
    """
def addmm(
        input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: float = 1, alpha: float = 1, out: Tensor
        | None = None,
) -> Tensor:
    """beta * input + alpha * mat1 @ mat2. With beta = 0 the input is ignored, even NaN.

    Shapes: (n, m) or broadcastable to it, (n, k), (k, m) -> (n, m).
    """
def addmv(
        input: Tensor, mat: Tensor, vec: Tensor, *, beta: float = 1, alpha: float = 1, out: Tensor |
        None = None,
) -> Tensor:
    """beta * input + alpha * mat @ vec. Shapes: (n) or broadcastable, (n, k), (k) -> (n)."""
def addr(
        input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: float = 1, alpha: float = 1, out: Tensor
        | None = None,
) -> Tensor:
    """beta * input + alpha * outer(vec1, vec2). Shapes: (n, m), (n), (m) -> (n, m)."""
def adjoint(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The last two dims exchanged, as a view: for real numbers the transpose.

    Shapes: (*, n, m) -> (*, m, n).

    Raises:
        RuntimeError: a vector.
    """
def alias_copy(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The elements in new memory. Shapes: (*) -> (*)."""
def all(
        input: Tensor, dim: int | Sequence[int] | None = None, keepdim: bool = False, *, axis: int |
        Sequence[int] | None = None, keepdims: bool = False, out: Tensor | None = None,
) -> Tensor:
    """Whether every element is nonzero; dim=() tests each element by itself.

    Shapes: (*) -> () or (*) without `dim`; bool, but uint8 stays uint8.
    """
def allclose(
        input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool =
        False, *, out: tuple[Tensor, ...] | None = None,
) -> bool:
    """Whether all elements are close, as a Python bool. Shapes: (*), (*) -> bool."""
def amax(
        input: Tensor, dim: int | Sequence[int] | None = (), keepdim: bool = False, *, axis: int |
        Sequence[int] | None = (), keepdims: bool = False, out: Tensor | None = None,
) -> Tensor:
    """The largest element over `dim` (int, tuple or all); ties share the gradient evenly.

    Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`.

    Raises:
        RuntimeError, IndexError: there are no elements to reduce.
    """
def amin(
        input: Tensor, dim: int | Sequence[int] | None = (), keepdim: bool = False, *, axis: int |
        Sequence[int] | None = (), keepdims: bool = False, out: Tensor | None = None,
) -> Tensor:
    """The smallest element over `dim` (int, tuple or all); ties share the gradient evenly.

    Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`.

    Raises:
        RuntimeError, IndexError: there are no elements to reduce.
    """
def aminmax(
        input: Tensor, *, dim: int | None = None, axis: int | None = None, keepdim: bool = False,
        keepdims: bool = False, out: tuple[Tensor, ...] | None = None,
) -> Aminmax:
    """The smallest and the largest element, as (min, max); ties share the gradient evenly.

    Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`; twice.

    Raises:
        RuntimeError, IndexError: there are no elements to reduce.
    """
def any(
        input: Tensor, dim: int | Sequence[int] | None = None, keepdim: bool = False, *, axis: int |
        Sequence[int] | None = None, keepdims: bool = False, out: Tensor | None = None,
) -> Tensor:
    """Whether any element is nonzero; dim=() tests each element by itself.

    Shapes: (*) -> () or (*) without `dim`; bool, but uint8 stays uint8.
    """
def arccos(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The inverse cosine, elementwise. Shapes: (*) -> (*)."""
def arccosh(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The inverse hyperbolic cosine, elementwise. Shapes: (*) -> (*)."""
def arcsin(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The inverse sine, elementwise. Shapes: (*) -> (*)."""
def arcsinh(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The inverse hyperbolic sine, elementwise. Shapes: (*) -> (*)."""
def arctan(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The inverse tangent, elementwise. Shapes: (*) -> (*)."""
def arctan2(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """The angle of the point (other, input), in [-π, π]. Shapes: (*), (*) -> the broadcast shape.

    Its gradients at the origin are 0.
    """
def arctanh(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The inverse hyperbolic tangent, elementwise. Shapes: (*) -> (*)."""
def argmax(
        input: Tensor, dim: int | None = None, keepdim: bool = False, *, axis: int | None = None,
        keepdims: bool = False, out: Tensor | None = None,
) -> Tensor:
    """The index of the largest element along `dim` or in the flattened Tensor; the first at a tie.

    Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`; int64.
    """
def argmin(
        input: Tensor, dim: int | None = None, keepdim: bool = False, *, axis: int | None = None,
        keepdims: bool = False, out: Tensor | None = None,
) -> Tensor:
    """The index of the smallest element along `dim` or in the flattened Tensor; the first at a tie.

    Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`; int64.
    """
def argsort(
        input: Tensor, dim: int = -1, descending: bool = False, *, axis: int = -1, stable: bool =
        False, out: Tensor | None = None,
) -> Tensor:
    """The indices that sort along `dim` in ascending order, with NaN last.

    With `descending` NaN comes first. Always stable. Shapes: (*) -> (*), int64.
    """
def argwhere(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The indices of nonzero elements, a row for each. Shapes: (*) -> (k, ndim), int64."""
def as_strided(
        input: Tensor, size: Sequence[int], stride: Sequence[int], storage_offset: int | None =
        None, *, out: Tensor | None = None,
) -> Tensor:
    """Element storage_offset + i stride[0] + j stride[1] + ... for (i, j, ...). Shapes: -> size."""
def as_strided_copy(
        input: Tensor, size: Sequence[int], stride: Sequence[int], storage_offset: int | None =
        None, *, out: Tensor | None = None,
) -> Tensor:
    """`as_strided` in new memory. Shapes: (*) -> size."""
def as_strided_scatter(
        input: Tensor, src: Tensor, size: Sequence[int], stride: Sequence[int], storage_offset: int
        | None = None, *, out: Tensor | None = None,
) -> Tensor:
    """A copy in which as_strided(size, stride, storage_offset) is `src`. Shapes: (*), size -> (*).

    Raises:
        RuntimeError: src has another shape than the part; elements that lie beyond the input.
    """
def asin(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The inverse sine, elementwise. Shapes: (*) -> (*)."""
def asinh(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The inverse hyperbolic sine, elementwise. Shapes: (*) -> (*)."""
def atan(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The inverse tangent, elementwise. Shapes: (*) -> (*)."""
def atan2(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """The angle of the point (other, input), in [-π, π]. Shapes: (*), (*) -> the broadcast shape.

    Its gradients at the origin are 0.
    """
def atanh(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The inverse hyperbolic tangent, elementwise. Shapes: (*) -> (*)."""
@overload
def atleast_1d(tensor: Tensor, /, *, out: Tensor | None = None) -> Tensor:
    """Adds dims of size 1 up to 1 dims, as views; for several Tensors a tuple. Shapes: () -> (1,)."""
@overload
def atleast_1d(
        tensors: Sequence[Tensor], /, *, out: tuple[Tensor, ...] | None = None,
) -> tuple[Tensor, ...]: ...
@overload
def atleast_1d(*tensors: Tensor, out: tuple[Tensor, ...] | None = None) -> tuple[Tensor, ...]: ...
@overload
def atleast_2d(tensor: Tensor, /, *, out: Tensor | None = None) -> Tensor:
    """Adds dims of size 1 up to 2 dims, as views; for several Tensors a tuple. Shapes: () -> (1, 1)."""
@overload
def atleast_2d(
        tensors: Sequence[Tensor], /, *, out: tuple[Tensor, ...] | None = None,
) -> tuple[Tensor, ...]: ...
@overload
def atleast_2d(*tensors: Tensor, out: tuple[Tensor, ...] | None = None) -> tuple[Tensor, ...]: ...
@overload
def atleast_3d(tensor: Tensor, /, *, out: Tensor | None = None) -> Tensor:
    """Adds dims of size 1 up to 3 dims, as views; for several Tensors a tuple. Shapes: () -> (1, 1, 1)."""
@overload
def atleast_3d(
        tensors: Sequence[Tensor], /, *, out: tuple[Tensor, ...] | None = None,
) -> tuple[Tensor, ...]: ...
@overload
def atleast_3d(*tensors: Tensor, out: tuple[Tensor, ...] | None = None) -> tuple[Tensor, ...]: ...
def baddbmm(
        input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1, out:
        Tensor | None = None,
) -> Tensor:
    """beta * input + alpha * batch1 @ batch2.

    Shapes: (b, n, m) or broadcastable to it, (b, n, k), (b, k, m) -> (b, n, m).
    """
def bilinear(
        input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None, *, out: Tensor |
        None = None,
) -> Tensor:
    """input1ᵀ weight[k] input2 + bias[k], for each output k.

    Shapes: (*, n), (*, m), (K, n, m), (K) -> (*, K).

    Raises:
        RuntimeError: shapes that do not fit.
    """
def bincount(
        input: Tensor, weights: Tensor | None = None, minlength: int = 0, *, out: Tensor | None =
        None,
) -> Tensor:
    """The number of occurrences of each integer from 0 to the largest, or the sum of its weights.

    Shapes: (n), (n) -> (at least minlength); int64, float32 with weights of float32, float64 with
    others.

    Raises:
        RuntimeError: negative integers; more than one dim; weights of another shape.
        NotImplementedError: a Tensor of floating point.
    """
def bitwise_and(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """Bitwise and; on bool, logical and. Shapes: (*), (*) -> the broadcast shape."""
def bitwise_left_shift(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """input * 2 ** other; 0 where other is negative or all bits are shifted out.

    Shapes: (*), (*) -> the broadcast shape.

    Raises:
        RuntimeError: bool.
    """
def bitwise_not(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Bitwise not; on bool, logical not. Shapes: (*) -> (*)."""
def bitwise_or(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """Bitwise or; on bool, logical or. Shapes: (*), (*) -> the broadcast shape."""
def bitwise_right_shift(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """input / 2 ** other rounded down, keeping the sign.

    Shapes: (*), (*) -> the broadcast shape.

    Raises:
        RuntimeError: bool.
    """
def bitwise_xor(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """Bitwise exclusive or. Shapes: (*), (*) -> the broadcast shape."""
def block_diag(*tensors: Tensor, out: Tensor | None = None) -> Tensor:
    """The block diagonal matrix of the matrices; vectors are rows.

    Shapes: (n, m), (k, l) -> (n + k, m + l).

    Raises:
        RuntimeError: more than two dims.
    """
def bmm(input: Tensor, mat2: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The products of two batches of matrices. Shapes: (b, n, k), (b, k, m) -> (b, n, m).

    Raises:
        RuntimeError: not two batches of one size, or matrices that do not fit.
    """
def broadcast_shapes(*shapes: int | Sequence[int], out: tuple[Tensor, ...] | None = None) -> Size:
    """The shape that Tensors of these shapes broadcast to.

    Shapes: (n, 1), (m) as tuples or ints -> (n, m), a Size.

    Raises:
        RuntimeError: they do not broadcast.
        ValueError: a negative size.
    """
def broadcast_tensors(
        *tensors: Tensor, out: tuple[Tensor, ...] | None = None,
) -> tuple[Tensor, ...]:
    """The Tensors expanded to their broadcast shape, as views.

    Shapes: (n, 1), (m) -> (n, m), (n, m).

    Raises:
        RuntimeError: they do not broadcast.
    """
def broadcast_to(input: Tensor, size: Sequence[int], *, out: Tensor | None = None) -> Tensor:
    """The elements repeated to `shape`, as a view. Shapes: (*) -> shape."""
def bucketize(
        input: Operand, boundaries: Tensor, *, out_int32: bool = False, right: bool = False, out:
        Tensor | None = None,
) -> Tensor:
    """The index of the bucket of each value, between ascending boundaries.

    boundaries[i-1] < v <= boundaries[i] gives i; with `right`, <= and <. Shapes: (*), (n) -> (*).

    Raises:
        RuntimeError: the boundaries do not have 1 dimension.
    """
def cartesian_prod(*tensors: Tensor, out: Tensor | None = None) -> Tensor:
    """All combinations of one element of each vector, as rows. Shapes: (n), (m) -> (n m, 2).

    Raises:
        RuntimeError: not vectors.
    """
def cat(
        tensors: Sequence[Tensor], dim: int = 0, *, axis: int = 0, out: Tensor | None = None,
) -> Tensor:
    """Concatenates Tensors along a dim. Shapes: (n, *), (m, *) -> (n + m, *)."""
def cdist(
        x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: str =
        'use_mm_for_euclid_dist_if_necessary', *, out: Tensor | None = None,
) -> Tensor:
    """The p-norm distances of all pairs of rows; the gradient at distance 0 is 0.

    Shapes: (*, n, k), (*, m, k) -> (*, n, m).

    Raises:
        RuntimeError: rows of different lengths, a negative p.
    """
def ceil(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Rounded up, elementwise; integers are unchanged. Shapes: (*) -> (*).

    Raises:
        RuntimeError: bool.
    """
def celu(
        input: Tensor, alpha: float = 1.0, inplace: bool = False, *, out: Tensor | None = None,
) -> Tensor:
    """x for x > 0, alpha * (e**(x / alpha) - 1) otherwise. Shapes: (*) -> (*). Barron 2017.

    Raises:
        RuntimeError: alpha is 0.
    """
def chain_matmul(*matrices: Tensor, out: Tensor | None = None) -> Tensor:
    """The product of several matrices in the cheapest order. Shapes: (n, k), ..., (p, m) -> (n, m).

    Raises:
        RuntimeError: not all are matrices, or sizes that do not fit.
    """
def cholesky(input: Tensor, upper: bool = False, *, out: Tensor | None = None) -> Tensor:
    """As `linalg.cholesky`. Shapes: (*, n, n) -> (*, n, n)."""
def cholesky_inverse(L: Tensor, upper: bool = False, *, out: Tensor | None = None) -> Tensor:
    """The inverse of A from its Cholesky factor. Shapes: (*, n, n) -> (*, n, n)."""
def cholesky_solve(
        B: Tensor, L: Tensor, upper: bool = False, *, out: Tensor | None = None,
) -> Tensor:
    """X of A X = B from the Cholesky factor L of A. Shapes: (*, n, k), (*, n, n) -> (*, n, k)."""
def chunk(
        input: Tensor, chunks: int, dim: int = 0, *, axis: int = 0, out: tuple[Tensor, ...] | None =
        None,
) -> tuple[Tensor, ...]:
    """At most `chunks` pieces of equal size (the last may be smaller), as views.

    Shapes: (n, *) -> (m, *), (m, *), ...
    """
def clamp(
        input: Operand, min: Operand | None = None, max: Operand | None = None, *, out: Tensor |
        None = None,
) -> Tensor:
    """min(max(input, min), max), for bounds that are numbers, Tensors or None.

    Shapes: (*), bounds that broadcast -> the broadcast shape. At a bound the input
    gets the gradient.

    Raises:
        RuntimeError: neither bound is given.
    """
def clamp_max(input: Tensor, max: Tensor | float, *, out: Tensor | None = None) -> Tensor:
    """min(input, max). Shapes: (*), (*) -> the broadcast shape."""
def clamp_min(input: Tensor, min: Tensor | float, *, out: Tensor | None = None) -> Tensor:
    """max(input, min). Shapes: (*), (*) -> the broadcast shape."""
def clip(
        input: Operand, min: Operand | None = None, max: Operand | None = None, *, out: Tensor |
        None = None,
) -> Tensor:
    """min(max(input, min), max), for bounds that are numbers, Tensors or None.

    Shapes: (*), bounds that broadcast -> the broadcast shape. At a bound the input
    gets the gradient.

    Raises:
        RuntimeError: neither bound is given.
    """
def clone(
        input: Tensor, *, memory_format: memory_format | None = None, out: Tensor | None = None,
) -> Tensor:
    """A copy with memory of its own; gradients flow back to the input. Shapes: (*) -> (*)."""
def column_stack(tensors: Sequence[Tensor], *, out: Tensor | None = None) -> Tensor:
    """Concatenates along dim 1, vectors as columns. Shapes: (n, m), (n) -> (n, m + 1)."""
def combinations(
        input: Tensor, r: int = 2, with_replacement: bool = False, *, out: Tensor | None = None,
) -> Tensor:
    """All choices of `r` elements of a vector, in order, as rows. Shapes: (n) -> (k, r).

    Raises:
        RuntimeError: not a vector; a negative r.
    """
def concat(
        tensors: Sequence[Tensor], dim: int = 0, *, axis: int = 0, out: Tensor | None = None,
) -> Tensor:
    """Concatenates Tensors along a dim. Shapes: (n, *), (m, *) -> (n + m, *)."""
def concatenate(
        tensors: Sequence[Tensor], dim: int = 0, *, axis: int = 0, out: Tensor | None = None,
) -> Tensor:
    """Concatenates Tensors along a dim. Shapes: (n, *), (m, *) -> (n + m, *)."""
def contiguous(
        input: Tensor, memory_format: memory_format | None = None, *, out: Tensor | None = None,
) -> Tensor:
    """The input itself if it is contiguous in memory, else a contiguous copy.

    Shapes: (*) -> (*).
    """
def copysign(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """|input| with the sign of `other`; no gradient flows to `other`.

    Shapes: (*), (*) -> the broadcast shape.
    """
def corrcoef(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The correlation coefficients of variables, one a row: covariances over both deviations.

    Shapes: (n, m) -> (n, n), or (m) -> ().
    """
def cos(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The cosine, elementwise. Shapes: (*) -> (*)."""
def cosh(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The hyperbolic cosine, elementwise. Shapes: (*) -> (*)."""
def cosine_similarity(
        x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-08, *, axis: int = 1, out: Tensor |
        None = None,
) -> Tensor:
    """x1 · x2 / (max(|x1|, eps) max(|x2|, eps)), after broadcasting.

    Shapes: (*, n, *), (*, n, *) -> (*).
    """
def count_nonzero(
        input: Tensor, dim: int | Sequence[int] | None = None, *, axis: int | Sequence[int] | None =
        None, out: Tensor | None = None,
) -> Tensor:
    """The number of nonzero elements over `dim` (int, tuple or all).

    Shapes: (*) -> () or (*) without `dim`; int64.
    """
def cov(
        input: Tensor, *, correction: int = 1, fweights: Tensor | None = None, aweights: Tensor |
        None = None, out: Tensor | None = None,
) -> Tensor:
    """The covariances of variables, one a row, over their observations, one a column.

    `fweights` are numbers of repetitions, `aweights` weights of importance, of each observation.

    Shapes: (n, m), weights (m) -> (n, n), or (m) -> ().

    Raises:
        RuntimeError: more than 2 dims; fweights that are not integers, aweights that are not
            floating point, or negative ones.
    """
def cross(
        input: Tensor, other: Operand, dim: int | Sequence[int] | None = None, *, axis: int |
        Sequence[int] | None = None, out: Tensor | None = None,
) -> Tensor:
    """As `linalg.cross`, along the first dim of 3 elements unless `dim` is given.

    Shapes: (*, 3, *), (*, 3, *) -> (*, 3, *).

    Raises:
        RuntimeError: other than 3 elements along `dim`.
    """
def cummax(input: Tensor, dim: int, *, out: tuple[Tensor, ...] | None = None) -> ValuesAndIndices:
    """(values, indices) of the largest element so far along `dim`; the last at a tie.

    Shapes: (*) -> (*), (*).
    """
def cummin(input: Tensor, dim: int, *, out: tuple[Tensor, ...] | None = None) -> ValuesAndIndices:
    """(values, indices) of the smallest element so far along `dim`; the last at a tie.

    Shapes: (*) -> (*), (*).
    """
def cumprod(
        input: Tensor, dim: int | None = None, *, dtype: DTypeLike | None = None, axis: int | None =
        None, out: Tensor | None = None,
) -> Tensor:
    """out_i = Π input_j over j <= i along `dim`; integers and bool give int64.

    Shapes: (*) -> (*). The gradient needs no division, so it is exact at zeros.
    """
def cumsum(
        input: Tensor, dim: int | None = None, *, dtype: DTypeLike | None = None, axis: int | None =
        None, out: Tensor | None = None,
) -> Tensor:
    """out_i = Σ input_j over j <= i along `dim`; integers and bool give int64.

    Shapes: (*) -> (*).
    """
def cumulative_trapezoid(
        y: Tensor, x: Tensor | None = None, *, dx: float | None = None, dim: int = -1, axis: int =
        -1, out: Tensor | None = None,
) -> Tensor:
    """The running `trapezoid` from the first sample to each later one.

    Shapes: (*, n), (n) -> (*, n - 1).
    """
def deg2rad(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Degrees as radians. Shapes: (*) -> (*)."""
def det(A: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The determinant. Shapes: (*, n, n) -> (*). Giles 2008, section 2.2.4.

    Its derivative is the cofactor matrix, for singular matrices too. (There PyTorch's gradient is
    0, even if the cofactors are not.)

    Raises:
        RuntimeError: not square, or not of float32 or float64.
    """
def detach_copy(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The elements, outside of the graph, in new memory. Shapes: (*) -> (*)."""
def diag(input: Tensor, diagonal: int = 0, *, out: Tensor | None = None) -> Tensor:
    """The matrix with a vector as its diagonal, or a copy of a matrix's diagonal.

    Shapes: (n) -> (n, n), or (n, m) -> (k).

    Raises:
        RuntimeError: neither a vector nor a matrix.
    """
def diag_embed(
        input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1, *, out: Tensor | None =
        None,
) -> Tensor:
    """Square matrices with the last dim as a diagonal, in two new dims, and 0 elsewhere.

    Shapes: (*, k) -> (*, k + |offset|, k + |offset|).

    Raises:
        RuntimeError: the dims are the same.
    """
def diagflat(input: Tensor, offset: int = 0, *, out: Tensor | None = None) -> Tensor:
    """The matrix with the flattened input as its diagonal. Shapes: (*) -> (k, k)."""
def diagonal(
        input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1, *, out: Tensor | None = None,
) -> Tensor:
    """The diagonal of the matrices in two dims, in the last dim, as a view.

    `offset` is the distance above the main diagonal. Shapes: (n, m, *) -> (*, k).

    Raises:
        RuntimeError: the dims are the same.
    """
def diagonal_copy(
        input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1, *, out: Tensor | None = None,
) -> Tensor:
    """`diagonal` in new memory. Shapes: (*, n, m) -> (*, k)."""
def diagonal_scatter(
        input: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1, *, out: Tensor |
        None = None,
) -> Tensor:
    """A copy in which diagonal(offset, dim1, dim2) is `src`. Shapes: (*), that of the part -> (*).

    Raises:
        IndexError: a dim that does not exist.
        RuntimeError: src has another shape than the part; the dims are the same.
    """
def diff(
        input: Tensor, n: int = 1, dim: int = -1, prepend: Tensor | None = None, append: Tensor |
        None = None, *, axis: int = -1, out: Tensor | None = None,
) -> Tensor:
    """input_{i+1} - input_i along `dim`, applied `n` times; for bool, whether they differ.

    Shapes: (*, m, *) -> (*, m - n, *), where m includes what is prepended and appended. With n = 0
    nothing is, as in PyTorch.

    Raises:
        RuntimeError: a 0-d Tensor; n < 0.
    """
def digamma(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The derivative of lgamma; NaN at -1, -2, ..., -inf at 0. Shapes: (*) -> (*).

    A polynomial on [1, 2], the recurrence up to 8, then the asymptotic series; the reflection
    formula for negative input.
    """
def dist(input: Tensor, other: Tensor, p: float = 2, *, out: Tensor | None = None) -> Tensor:
    """The p-norm of input - other. Shapes: (*), (*) that broadcast -> ()."""
def div(
        input: Operand | float, other: Operand | float, *, rounding_mode: str | None = None, out:
        Tensor | None = None,
) -> Tensor:
    """input / other; with rounding_mode "floor" or "trunc", rounded down or towards zero.

    Shapes: (*), (*) -> the broadcast shape.
    """
def divide(
        input: Operand | float, other: Operand | float, *, rounding_mode: str | None = None, out:
        Tensor | None = None,
) -> Tensor:
    """input / other; with rounding_mode "floor" or "trunc", rounded down or towards zero.

    Shapes: (*), (*) -> the broadcast shape.
    """
def dot(input: Tensor, tensor: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Σ input * tensor of two vectors. Shapes: (n), (n) -> ().

    Raises:
        RuntimeError: not two vectors of one size.
    """
def dsplit(
        input: Tensor, indices_or_sections: int | Sequence[int], *, out: tuple[Tensor, ...] | None =
        None,
) -> tuple[Tensor, ...]:
    """Equal pieces along dim 2, or pieces between positions, as
    views. Shapes: (n, m, k) -> (n, m, k1), (n, m, k2), ...
    """
def dstack(tensors: Sequence[Tensor], *, out: Tensor | None = None) -> Tensor:
    """Concatenates along dim 2. Shapes: (n, m), (n, m) -> (n, m, 2)."""
def einsum(
        equation: str | Tensor, *operands: Tensor | Sequence[Any], out: Tensor | None = None,
) -> Tensor:
    """Sums of products by Einstein's convention: a subscript that is not in the result is summed.

    "ij,jk->ik" is a matrix product, "ii->i" a diagonal, "...i" any dims and one more. Without
    "->" the result has the subscripts that occur once, in alphabetical order. Subscripts may also
    be lists of numbers: einsum(a, [0, 1], b, [1, 2], [0, 2]). Operands are contracted in pairs
    from left to right, each pair as one batched matrix product.

    Shapes: given by the subscripts; dims of size 1 broadcast.

    Raises:
        RuntimeError: subscripts that cannot be read, or do not fit the operands.
    """
def eq(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """Whether input == other, elementwise. Shapes: (*), (*) -> the broadcast shape, bool."""
def equal(input: Tensor, other: Tensor, *, out: tuple[Tensor, ...] | None = None) -> bool:
    """Whether shapes and all elements are equal, as a Python bool. Shapes: (*), (*) -> bool."""
def erf(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The error function 2/√π ∫ e**-t² dt from 0 to input. Shapes: (*) -> (*).

    A rational approximation after Cody 1969.
    """
def erfc(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """1 - erf(input), exact also where it is tiny. Shapes: (*) -> (*).

    A rational approximation after Cody 1969.
    """
def erfinv(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The inverse of erf, for input in [-1, 1]; NaN outside. Shapes: (*) -> (*).

    Winitzki's approximation (2008), then two of Halley's steps.
    """
def exp(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """e ** input, elementwise. Shapes: (*) -> (*)."""
def exp2(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """2 ** input, elementwise. Shapes: (*) -> (*)."""
def expand(input: Tensor, size: Sequence[int], *, out: Tensor | None = None) -> Tensor:
    """Dims of size 1 repeated to `size`, where -1 keeps a size; a view. Shapes: (n, 1) -> (n, m).

    Raises:
        RuntimeError: a size other than 1 would change.
    """
def expand_as(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Expanded to the shape of `other`. Shapes: (n, 1), (n, m) -> (n, m)."""
def expand_copy(
        input: Tensor, size: Sequence[int], *, implicit: bool = False, out: Tensor | None = None,
) -> Tensor:
    """`expand` in new memory. Shapes: (*) -> size."""
def expm1(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """e ** input - 1, exact near 0, elementwise. Shapes: (*) -> (*)."""
def fix(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Rounded towards zero, elementwise; integers are unchanged. Shapes: (*) -> (*).

    Raises:
        RuntimeError: bool.
    """
def flatten(
        input: Tensor, start_dim: int = 0, end_dim: int = -1, *, out: Tensor | None = None,
) -> Tensor:
    """Dims start_dim to end_dim as one. Shapes: (a, b, c) -> (a, b * c)."""
def flip(input: Tensor, dims: int | Sequence[int], *, out: Tensor | None = None) -> Tensor:
    """The order along `dims` reversed, as a copy. Shapes: (*) -> (*)."""
def fliplr(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Reverses dim 1, as a copy. Shapes: (n, m, *) -> (n, m, *)."""
def flipud(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Reverses dim 0, as a copy. Shapes: (n, *) -> (n, *)."""
def float_power(input: Operand, exponent: Tensor | float, *, out: Tensor | None = None) -> Tensor:
    """input ** exponent computed in float64. Shapes: (*), (*) -> the broadcast shape, float64."""
def floor(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Rounded down, elementwise; integers are unchanged. Shapes: (*) -> (*).

    Raises:
        RuntimeError: bool.
    """
def floor_divide(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """input / other rounded down; its derivative is 0. Shapes: (*), (*) -> the broadcast shape.

    Raises:
        RuntimeError: integers divided by 0; bool.
    """
def fmax(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """The larger of two, ignoring NaN; at a tie the input gets the gradient.

    Shapes: (*), (*) -> the broadcast shape.
    """
def fmin(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """The smaller of two, ignoring NaN; at a tie the input gets the gradient.

    Shapes: (*), (*) -> the broadcast shape.
    """
def fmod(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """input - other * trunc(input / other), with the sign of `input`: C's fmod.

    Shapes: (*), (*) -> the broadcast shape.

    Raises:
        RuntimeError: integers divided by 0; bool.
    """
def frac(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """input - trunc(input), elementwise. Shapes: (*) -> (*)."""
def frexp(input: Tensor, *, out: tuple[Tensor, ...] | None = None) -> Frexp:
    """The parts of input = mantissa * 2**exponent, with 0.5 <= |mantissa| < 1. Shapes: (*) -> (*)
    twice, the exponent of int32.
    """
def gather(
        input: Tensor, dim: int, index: Tensor, *, sparse_grad: bool = False, out: Tensor | None =
        None,
) -> Tensor:
    """out[i][j][k] = input[i][index[i][j][k]][k] for dim 1, and so on.

    Unlike `take_along_dim` it does not broadcast: a smaller index reads only a part of the input.

    Shapes: (*, n, *), (+, k, +) no larger elsewhere -> (+, k, +).

    Raises:
        RuntimeError: other ranks or sizes.
        IndexError: a position outside of [0, n - 1].
    """
def gcd(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """The greatest common divisor, elementwise; gcd(0, 0) is 0.

    Shapes: (*), (*) -> the broadcast shape.

    Raises:
        RuntimeError: operands that are not integers.
    """
def ge(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """Whether input >= other, elementwise. Shapes: (*), (*) -> the broadcast shape, bool."""
def geqrf(input: Tensor, *, out: tuple[Tensor, ...] | None = None) -> Geqrf:
    """(a, tau) of the QR decomposition by Householder reflections, as LAPACK gives it.

    R is the upper triangle of a, and Q is `linalg.householder_product(a, tau)` for m >= n. There
    is no gradient; `linalg.qr` has one.

    Shapes: (*, m, n) -> (*, m, n), (*, min(m, n)).

    Raises:
        RuntimeError: not floating point, or fewer than 2 dims.
    """
def ger(input: Tensor, vec2: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The products of all pairs of elements of two vectors. Shapes: (n), (m) -> (n, m).

    Raises:
        RuntimeError: not two vectors.
    """
def gradient(
        input: Tensor, *, spacing: float | Sequence[Any] = 1, dim: int | Sequence[int] | None =
        None, axis: int | Sequence[int] | None = None, edge_order: int = 1, out: tuple[Tensor, ...]
        | None = None,
) -> tuple[Tensor, ...]:
    """Estimates of the derivatives along dims, by central differences, and by differences to one
    side at the edges.

    `spacing` is the distance of samples, by default 1, one for each dim, or their coordinates, a
    Tensor for each dim. As `numpy.gradient`. Integers are subtracted as int64.

    Shapes: (*) -> (*) for each dim.

    Raises:
        RuntimeError: uint8 or bool; another edge_order than 1 and 2; fewer than edge_order + 1
            samples; not one spacing for each dim.
    """
def greater(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """Whether input > other, elementwise. Shapes: (*), (*) -> the broadcast shape, bool."""
def greater_equal(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """Whether input >= other, elementwise. Shapes: (*), (*) -> the broadcast shape, bool."""
def gt(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """Whether input > other, elementwise. Shapes: (*), (*) -> the broadcast shape, bool."""
def hardshrink(input: Tensor, lambd: float = 0.5, *, out: Tensor | None = None) -> Tensor:
    """x, or 0 where |x| <= lambd. Shapes: (*) -> (*)."""
def heaviside(input: Tensor, values: Tensor, *, out: Tensor | None = None) -> Tensor:
    """0 below 0 and for NaN, `values` at 0, 1 above 0; without gradient.

    Shapes: (*), (*) -> the broadcast shape.
    """
def histc(
        input: Tensor, bins: int = 100, min: float = 0, max: float = 0, *, out: Tensor | None =
        None,
) -> Tensor:
    """The number of elements in each of `bins` equal bins of [min, max]; others are ignored.

    If min == max, the bins span the smallest to the largest element. Shapes: (*) -> (bins).

    Raises:
        RuntimeError: no bins; max < min; bounds that are not finite.
        NotImplementedError: integers.
    """
def histogram(
        input: Tensor, bins: Tensor | int | Sequence[int] = 100, *, range: tuple[float, float] |
        None = None, weight: Tensor | None = None, density: bool = False, out: tuple[Tensor, ...] |
        None = None,
) -> Histogram:
    """The number of elements, or the sum of their weights, in each bin, and the edges of the bins.

    The outer edges of `bins` equal bins are `range`, or the smallest and largest element. A Tensor
    gives all edges in ascending order. A bin includes its left edge, the last bin both; elements
    outside are not counted. With `density` the integral is 1. No gradient.

    Shapes: (*), bins or (bins + 1), weight (*) -> (bins), (bins + 1).

    Raises:
        RuntimeError: no bins; bounds that are not two, are descending or not finite; edges or a
            weight of another dtype, or of a shape that does not fit.
        NotImplementedError: integers.
        TypeError: a range beside edges.
    """
def histogramdd(
        input: Tensor, bins: int | Sequence[int] | Sequence[Tensor], *, range: Sequence[float] |
        None = None, weight: Tensor | None = None, density: bool = False, out: tuple[Tensor, ...] |
        None = None,
) -> Histogramdd:
    """`histogram` in D dims: the number of points, or the sum of their weights, in each of the
    boxes that the bins of all dims form, and the edges of each dim.

    `bins` is one number, or for each dim a number or a vector of edges; `range` is the outer edges
    of dim 0, of dim 1 and so on. No gradient.

    Shapes: (*, D), weight (*) -> (bins of dim 0, ..., bins of dim D - 1), and D vectors.

    Raises:
        RuntimeError: an input of fewer than 2 dims; not D numbers of bins or 2 D bounds; and as
            `histogram`.
    """
def hsplit(
        input: Tensor, indices_or_sections: int | Sequence[int], *, out: tuple[Tensor, ...] | None =
        None,
) -> tuple[Tensor, ...]:
    """Equal pieces along dim 1 (of a vector along 0), or pieces
    between positions, as views. Shapes: (n, m) -> (n, m1), (n, m2), ...
    """
def hstack(tensors: Sequence[Tensor], *, out: Tensor | None = None) -> Tensor:
    """Concatenates along dim 1, vectors along dim 0. Shapes: (n, m), (n, k) -> (n, m + k)."""
def hypot(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """√(input² + other²) without overflow. Shapes: (*), (*) -> the broadcast shape."""
def i0(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The modified Bessel function I0(input). Shapes: (*) -> (*). Cephes."""
def igamma(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """The regularised lower incomplete gamma function P(a, x) = ∫ tᵃ⁻¹ e⁻ᵗ dt from 0 to x, / Γ(a).

    Shapes: (*), (*) -> the broadcast shape. a is `input` and x is `other`. A series, a continued
    fraction, or for large a quadrature. The gradient by a can be taken once.
    """
def igammac(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """The regularised upper incomplete gamma function Q(a, x) = 1 - P(a, x).

    Shapes: (*), (*) -> the broadcast shape. As `igamma`.
    """
def index_add(
        input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: float = 1, out: Tensor |
        None = None,
) -> Tensor:
    """The input with alpha * source added to the slices at `index` along `dim`.

    Shapes: (*, n, *), (k), (*, k, *) -> (*, n, *).

    Raises:
        RuntimeError: another shape or dtype of the source.
        IndexError: a position outside of [0, n - 1].
    """
def index_copy(
        input: Tensor, dim: int, index: Tensor, source: Tensor, *, out: Tensor | None = None,
) -> Tensor:
    """The input with the slices at `index` along `dim` replaced by those of the source.

    Shapes: (*, n, *), (k), (*, k, *) -> (*, n, *).

    Raises:
        RuntimeError: another shape or dtype of the source.
        IndexError: a position outside of [0, n - 1].
    """
def index_fill(
        input: Tensor, dim: int, index: Tensor, value: Operand, *, out: Tensor | None = None,
) -> Tensor:
    """The input with one value, a number or 0-d Tensor, in the slices at `index` along `dim`.

    Shapes: (*, n, *), (k), () -> (*, n, *).

    Raises:
        IndexError: a position outside of [-n, n - 1].
    """
def index_put(
        input: Tensor, indices: Sequence[Tensor], values: Operand, accumulate: bool = False, *, out:
        Tensor | None = None,
) -> Tensor:
    """A copy with `values` written at input[indices], or added, where repeats accumulate.

    Shapes: (*), index Tensors as in input[indices], what they select -> (*).

    Raises:
        RuntimeError: another dtype; values that do not fit.
        IndexError: a position that does not exist.
    """
def index_reduce(
        input: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, *, include_self: bool =
        True, out: Tensor | None = None,
) -> Tensor:
    """Reduces the slices at `index` along `dim` with those of the source, by "prod", "mean",
    "amax" or "amin".

    `include_self=False` excludes the input's slice where at least one is written.

    Shapes: (*, n, *), (k), (*, k, *) -> (*, n, *).

    Raises:
        RuntimeError: another shape or dtype of the source; another `reduce`.
        IndexError: a position outside of [0, n - 1].
    """
def index_select(input: Tensor, dim: int, index: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The slices at the positions `index` along `dim`. Shapes: (*, n, *), (k) -> (*, k, *).

    Raises:
        IndexError: a position outside of [0, n - 1].
    """
def inner(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Sums of products over the last dims. Shapes: (*, n), (+, n) -> (*, +); a 0-d one scales.

    Raises:
        RuntimeError: the last sizes differ.
    """
def inverse(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """As `linalg.inv`: the inverse of square matrices. Shapes: (*, n, n) -> (*, n, n)."""
def isclose(
        input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool =
        False, *, out: Tensor | None = None,
) -> Tensor:
    """|input - other| <= atol + rtol * |other|; an infinity is close only to itself.

    Shapes: (*), (*) -> the broadcast shape, bool.

    Raises:
        RuntimeError: the dtypes differ; rtol or atol is negative.
    """
def isfinite(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Whether each element is neither NaN nor infinite. Shapes: (*) -> (*), bool."""
def isin(
        elements: Tensor | float, test_elements: Tensor | float, *, assume_unique: bool = False,
        invert: bool = False, out: Tensor | None = None,
) -> Tensor:
    """Whether each element is one of `test_elements`. Shapes: (*), (+) -> (*), bool.

    Raises:
        RuntimeError: bool Tensors.
    """
def isinf(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Whether each element is inf or -inf. Shapes: (*) -> (*), bool."""
def isnan(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Whether each element is NaN. Shapes: (*) -> (*), bool."""
def isneginf(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Whether each element is -inf. Shapes: (*) -> (*), bool."""
def isposinf(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Whether each element is inf. Shapes: (*) -> (*), bool."""
def isreal(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """True: all elements are real numbers. Shapes: (*) -> (*), bool."""
def kron(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The Kronecker product: the blocks input[i, j] * other. Shapes: (n, m), (k, l) -> (nk, ml)."""
def kthvalue(
        input: Tensor, k: int, dim: int = -1, keepdim: bool = False, *, axis: int = -1, keepdims:
        bool = False, out: tuple[Tensor, ...] | None = None,
) -> ValuesAndIndices:
    """(values, indices) of the k-th smallest element along `dim`, counted from 1. NaN is largest.

    Shapes: (*) -> (*) without `dim`, or with it as 1 if `keepdim`; twice.

    Raises:
        RuntimeError: k is not in [1, n].
        NotImplementedError: a bool Tensor.
    """
def lcm(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """The least common multiple, elementwise; 0 where one of the two is 0.

    Shapes: (*), (*) -> the broadcast shape.

    Raises:
        RuntimeError: operands that are not integers.
    """
def ldexp(input: Operand, other: Operand | float, *, out: Tensor | None = None) -> Tensor:
    """input * 2**other, rounded once: 2**other itself may exceed the range of the dtype.

    Shapes: (*), (*) -> the broadcast shape.
    """
def le(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """Whether input <= other, elementwise. Shapes: (*), (*) -> the broadcast shape, bool."""
def lerp(input: Tensor, end: Tensor, weight: Operand, *, out: Tensor | None = None) -> Tensor:
    """input + weight * (end - input), exact at both ends; `weight` is a Tensor or a number.

    Shapes: (*), (*), (*) -> the broadcast shape.

    Raises:
        RuntimeError: the dtypes differ, or are not floating point.
    """
def less(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """Whether input < other, elementwise. Shapes: (*), (*) -> the broadcast shape, bool."""
def less_equal(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """Whether input <= other, elementwise. Shapes: (*), (*) -> the broadcast shape, bool."""
def lgamma(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """log |Γ(input)|, infinite at 0, -1, -2, ... Shapes: (*) -> (*).

    Polynomials on [1, 2], the recurrence up to 8, then Stirling's series; the reflection formula
    for negative input.
    """
def lobpcg(
        A: Tensor, k: int | None = None, B: Tensor | None = None, X: Tensor | None = None, n: int |
        None = None, iK: Tensor | None = None, niter: int | None = None, tol: float | None = None,
        largest: bool | None = None, method: str | None = None, tracker: None = None, ortho_iparams:
        dict[str, int] | None = None, ortho_fparams: dict[str, float] | None = None, ortho_bparams:
        dict[str, bool] | None = None, *, out: tuple[Tensor, ...] | None = None,
) -> tuple[Tensor, ...]:
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
def log(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The natural logarithm, elementwise. Shapes: (*) -> (*)."""
def log10(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The logarithm to base 10, elementwise. Shapes: (*) -> (*)."""
def log1p(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """log(1 + input), exact near 0, elementwise. Shapes: (*) -> (*)."""
def log2(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The logarithm to base 2, elementwise. Shapes: (*) -> (*)."""
def log_softmax(
        input: Tensor, dim: int | None = None, dtype: DTypeLike | None = None, *, axis: int | None =
        None, out: Tensor | None = None,
) -> Tensor:
    """x - log Σ e**x along a dim, without overflow. Shapes: (*) -> (*)."""
def logaddexp(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """log(e**input + e**other) without overflow. Shapes: (*), (*) -> the broadcast shape."""
def logaddexp2(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """log2(2**input + 2**other) without overflow. Shapes: (*), (*) -> the broadcast shape."""
def logcumsumexp(input: Tensor, dim: int, *, out: Tensor | None = None) -> Tensor:
    """out_i = log Σ e**input_j over j <= i along `dim`, without overflow. Shapes: (*) -> (*).

    Raises:
        NotImplementedError: the input is not of floating point.
    """
def logdet(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """log det; NaN if the determinant is negative. Shapes: (*, n, n) -> (*)."""
def logical_and(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """Whether both elements are nonzero. Shapes: (*), (*) -> the broadcast shape, bool."""
def logical_not(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Whether each element is 0 or False. Shapes: (*) -> (*), bool."""
def logical_or(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """Whether at least one element is nonzero. Shapes: (*), (*) -> the broadcast shape, bool."""
def logical_xor(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """Whether exactly one element is nonzero. Shapes: (*), (*) -> the broadcast shape, bool."""
def logit(input: Tensor, eps: float | None = None, *, out: Tensor | None = None) -> Tensor:
    """log(x / (1 - x)), the inverse of sigmoid; with `eps`, x is clamped to [eps, 1 - eps].

    Shapes: (*) -> (*).
    """
def logsumexp(
        input: Tensor, dim: int | Sequence[int] | None, keepdim: bool = False, *, keepdims: bool =
        False, out: Tensor | None = None,
) -> Tensor:
    """log Σ e**input, without overflow. Shapes: (*) -> (*) without `dim`."""
def lt(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """Whether input < other, elementwise. Shapes: (*), (*) -> the broadcast shape, bool."""
def masked_fill(
        input: Operand, mask: Operand, value: Operand, *, out: Tensor | None = None,
) -> Tensor:
    """`value`, a number or a 0-d Tensor, where the mask is True, the input elsewhere.

    Shapes: (*), (*), () -> the broadcast shape.

    Raises:
        RuntimeError: a mask that is not bool, a value with dims.
    """
def masked_scatter(
        input: Tensor, mask: Tensor, source: Tensor, *, out: Tensor | None = None,
) -> Tensor:
    """The input with the first elements of the source, in order, where the mask is True.

    Shapes: (*), (*), (at least as many elements as the mask has True) -> the broadcast shape.

    Raises:
        RuntimeError: a mask that is not bool; a source of another dtype, or of too few elements.
    """
def masked_select(input: Tensor, mask: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The elements where the mask is True, in order. Shapes: (*), (*) that broadcast -> (n).

    Raises:
        RuntimeError: a mask that is not bool, or does not fit.
    """
def matmul(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The matrix product; dims before the last two are a batch and broadcast.

    Shapes: (*, n, k), (*, k, m) -> (*, n, m); a vector (k) is a row on the left, a column on
    the right, and its dim is not in the result.

    Raises:
        RuntimeError: sizes that do not fit, 0-d inputs, differing dtypes.
    """
def matrix_exp(A: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Σ Aᵏ / k!. Shapes: (*, n, n) -> (*, n, n).

    By scaling and squaring, Higham 2005. The gradient is a block of exp [[Aᵀ, g], [0, Aᵀ]],
    Mathias 1996.

    Raises:
        RuntimeError: not square, or not of float32 or float64.
    """
def matrix_power(A: Tensor, n: int, *, out: Tensor | None = None) -> Tensor:
    """A @ A @ ..., n times, by squaring; for negative n, of the inverse.

    Shapes: (*, n, n) -> (*, n, n).

    Raises:
        LinAlgError: n is negative and a matrix singular.
        RuntimeError: not square; n is negative, and the matrices are of integers.
    """
@overload
def max(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The largest element; with a dim (values, indices); of two Tensors `maximum`.

    Shapes: (*) -> (), or (*) without `dim` twice, or the broadcast shape.
    """
@overload
def max(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor: ...
@overload
def max(
        input: Tensor, dim: int, keepdim: bool = False, *, out: tuple[Tensor, ...] | None = None,
) -> ValuesAndIndices: ...
def maximum(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """The larger of two, NaN if one is NaN; at a tie both get half of the gradient.

    Shapes: (*), (*) -> the broadcast shape.
    """
def mean(
        input: Tensor, dim: int | Sequence[int] | None = None, keepdim: bool = False, *, axis: int |
        Sequence[int] | None = None, keepdims: bool = False, dtype: DTypeLike | None = None, out:
        Tensor | None = None,
) -> Tensor:
    """The mean over `dim` (int, tuple or all); NaN if there are no elements.

    Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`.
    """
@overload
def median(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The lower median of all elements, or (values, indices) along `dim`; NaN if there is a NaN.

    Shapes: (*) -> (), or (*) without `dim`, or with it as 1 if `keepdim`; then twice.

    Raises:
        IndexError: `dim` has size 0.
        NotImplementedError: a bool Tensor.
    """
@overload
def median(
        input: Tensor, dim: int, keepdim: bool = False, *, out: tuple[Tensor, ...] | None = None,
) -> ValuesAndIndices: ...
def meshgrid(
        *tensors: Tensor | Sequence[Tensor], indexing: str = 'ij', out: tuple[Tensor, ...] | None =
        None,
) -> tuple[Tensor, ...]:
    """Each vector expanded over the grid of all, as views; "xy" exchanges the first two dims.

    Shapes: (n), (m) -> (n, m), (n, m).

    Raises:
        RuntimeError: more than 1 dimension; differing dtypes; no Tensors; another indexing.
    """
@overload
def min(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The smallest element; with a dim (values, indices); of two Tensors `minimum`.

    Shapes: (*) -> (), or (*) without `dim` twice, or the broadcast shape.
    """
@overload
def min(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor: ...
@overload
def min(
        input: Tensor, dim: int, keepdim: bool = False, *, out: tuple[Tensor, ...] | None = None,
) -> ValuesAndIndices: ...
def minimum(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """The smaller of two, NaN if one is NaN; at a tie both get half of the gradient.

    Shapes: (*), (*) -> the broadcast shape.
    """
def mm(input: Tensor, mat2: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The product of two matrices, without broadcasting. Shapes: (n, k), (k, m) -> (n, m).

    Raises:
        RuntimeError: not two matrices, or sizes that do not fit.
    """
def mode(
        input: Tensor, dim: int = -1, keepdim: bool = False, *, axis: int = -1, keepdims: bool =
        False, out: tuple[Tensor, ...] | None = None,
) -> ValuesAndIndices:
    """(values, indices) of the most frequent element along `dim`: the smallest one, its last index.

    Shapes: (*) -> (*) without `dim`, or with it as 1 if `keepdim`; twice.
    """
def moveaxis(
        input: Tensor, source: int | Sequence[int], destination: int | Sequence[int], *, out: Tensor
        | None = None,
) -> Tensor:
    """Moves dims to other positions, the rest in their order, as a view.

    Shapes: (n, m, k) -> (m, k, n) for 0 to -1.

    Raises:
        RuntimeError: different numbers of sources and destinations, or one given twice.
    """
def movedim(
        input: Tensor, source: int | Sequence[int], destination: int | Sequence[int], *, out: Tensor
        | None = None,
) -> Tensor:
    """Moves dims to other positions, the rest in their order, as a view.

    Shapes: (n, m, k) -> (m, k, n) for 0 to -1.

    Raises:
        RuntimeError: different numbers of sources and destinations, or one given twice.
    """
def msort(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Sorted along the first dim. Shapes: (n, *) -> (n, *)."""
def mul(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """input * other. Shapes: (*), (*) -> the broadcast shape."""
def multiply(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """input * other. Shapes: (*), (*) -> the broadcast shape."""
def mv(input: Tensor, vec: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The product of a matrix and a vector. Shapes: (n, k), (k) -> (n).

    Raises:
        RuntimeError: not a matrix and a vector, or sizes that do not fit.
    """
def mvlgamma(input: Tensor, p: int, *, out: Tensor | None = None) -> Tensor:
    """log Γₚ(x), the multivariate gamma function: Σ lgamma(x - i / 2) for i < p, and a constant.

    Shapes: (*) -> (*).

    Raises:
        RuntimeError: p < 1.
    """
def nan_to_num(
        input: Tensor, nan: float | None = 0.0, posinf: float | None = None, neginf: float | None =
        None, *, out: Tensor | None = None,
) -> Tensor:
    """Replaces NaN by 0, inf and -inf by the largest and smallest number of the dtype.

    Shapes: (*) -> (*). Replaced elements get no gradient.
    """
def nanmean(
        input: Tensor, dim: int | Sequence[int] | None = None, keepdim: bool = False, *, axis: int |
        Sequence[int] | None = None, keepdims: bool = False, dtype: DTypeLike | None = None, out:
        Tensor | None = None,
) -> Tensor:
    """The mean over `dim` of the elements that are not NaN; NaN if there are none.

    Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`.

    Raises:
        RuntimeError: the input is not of floating point.
    """
@overload
def nanmedian(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """As `median`, of the elements that are not NaN.

    Shapes: (*) -> (), or (*) without `dim`, or with it as 1 if `keepdim`; then twice.
    """
@overload
def nanmedian(
        input: Tensor, dim: int, keepdim: bool = False, *, out: tuple[Tensor, ...] | None = None,
) -> ValuesAndIndices: ...
def nanquantile(
        input: Tensor, q: Tensor | float, dim: int | None = None, keepdim: bool = False, *, axis:
        int | None = None, keepdims: bool = False, interpolation: str = 'linear', out: Tensor | None
        = None,
) -> Tensor:
    """As `quantile`, of the elements that are not NaN.

    Shapes: (*), () or (k) -> () or (*) without `dim`, with k in front if q has 1 dimension.
    """
def nansum(
        input: Tensor, dim: int | Sequence[int] | None = None, keepdim: bool = False, *, axis: int |
        Sequence[int] | None = None, keepdims: bool = False, dtype: DTypeLike | None = None, out:
        Tensor | None = None,
) -> Tensor:
    """The sum over `dim` of the elements that are not NaN.

    Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`.
    """
def narrow(
        input: Tensor, dim: int, start: int, length: int, *, out: Tensor | None = None,
) -> Tensor:
    """`length` elements along `dim` from `start`, as a view. Shapes: (*, n, *) -> (*, length, *).

    Raises:
        RuntimeError: `length` reaches beyond the end, or is negative; a 0-d Tensor.
        IndexError: `start` is outside of [-n, n].
    """
def narrow_copy(
        input: Tensor, dim: int, start: int, length: int, *, out: Tensor | None = None,
) -> Tensor:
    """`narrow` in new memory. Shapes: (*, n, *) -> (*, length, *)."""
def ne(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """Whether input != other, elementwise. Shapes: (*), (*) -> the broadcast shape, bool."""
def neg(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """-input, elementwise. Shapes: (*) -> (*)."""
def negative(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """-input, elementwise. Shapes: (*) -> (*)."""
def nextafter(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """The next number of the dtype after input, towards other. Shapes: (*), (*) -> the broadcast
    shape.
    """
@overload
def nonzero(
        input: Tensor, *, as_tuple: Literal[False] = False, out: Tensor | None = None,
) -> Tensor:
    """The indices of nonzero elements, a row for each, or with `as_tuple` a Tensor for each dim.

    Shapes: (*) -> (k, ndim); or ndim times (k); int64.
    """
@overload
def nonzero(
        input: Tensor, *, as_tuple: Literal[True], out: tuple[Tensor, ...] | None = None,
) -> tuple[Tensor, ...]: ...
def nonzero_static(
        input: Tensor, *, size: int, fill_value: int = -1, out: Tensor | None = None,
) -> Tensor:
    """The indices of the first `size` nonzero elements, a row for each; rows of `fill_value` follow
    if there are fewer. Shapes: (*) -> (size, ndim), int64.

    Raises:
        RuntimeError: a negative size.
    """
def norm(
        input: Tensor, p: float | str | None = 'fro', dim: int | Sequence[int] | None = None,
        keepdim: bool = False, dtype: DTypeLike | None = None, *, axis: int | Sequence[int] | None =
        None, keepdims: bool = False, out: Tensor | None = None,
) -> Tensor:
    """(Σ |x|^p)^(1/p) over `dim` (int, tuple or all); "fro" is p = 2, "nuc" the nuclear norm.

    Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`.
    """
def not_equal(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """Whether input != other, elementwise. Shapes: (*), (*) -> the broadcast shape, bool."""
def orgqr(input: Tensor, input2: Tensor, *, out: Tensor | None = None) -> Tensor:
    """`linalg.householder_product(input, input2)`. Shapes: (*, m, n), (*, k) -> (*, m, n)."""
def ormqr(
        input: Tensor, tau: Tensor, other: Tensor, left: bool = True, transpose: bool = False, *,
        out: Tensor | None = None,
) -> Tensor:
    """Q other, or other Q with left=False, where Q (m x m) is the product of the reflections of
    `linalg.householder_product`; of its transpose with `transpose`.

    Shapes: (*, m, k), (*, k), (*, m, n) or (*, n, m) -> the shape of other.

    Raises:
        RuntimeError: sizes that do not fit, or Tensors that are not floating point.
    """
def outer(input: Tensor, vec2: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The products of all pairs of elements of two vectors. Shapes: (n), (m) -> (n, m).

    Raises:
        RuntimeError: not two vectors.
    """
def pairwise_distance(
        x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-06, keepdim: bool = False, *,
        keepdims: bool = False, out: Tensor | None = None,
) -> Tensor:
    """The p-norm of x1 - x2 + eps over the last dim. Shapes: (*, n), (*, n) -> (*)."""
def pdist(input: Tensor, p: float = 2.0, *, out: Tensor | None = None) -> Tensor:
    """The p-norm distances of each pair of different rows, in the order (0, 1), (0, 2), ...

    Shapes: (n, k) -> (n (n - 1) / 2).

    Raises:
        RuntimeError: not two dims.
    """
def permute(input: Tensor, dims: Sequence[int], *, out: Tensor | None = None) -> Tensor:
    """The dims in another order, as a view. Shapes: (d0, ..., dn) -> (d[dims[0]], ...)."""
def permute_copy(input: Tensor, dims: Sequence[int], *, out: Tensor | None = None) -> Tensor:
    """`permute` in new memory. Shapes: (*) -> (*)."""
def pinverse(input: Tensor, rcond: float = 1e-15, *, out: Tensor | None = None) -> Tensor:
    """As `linalg.pinv` with rtol = rcond. Shapes: (*, n, m) -> (*, m, n)."""
def polygamma(n: int | Tensor, input: Tensor | int, *, out: Tensor | None = None) -> Tensor:
    """The n-th derivative of digamma; polygamma(0, x) is digamma(x). Shapes: (*) -> (*).

    Written polygamma(n, x) or x.polygamma(n).

    Raises:
        RuntimeError: a negative n.
    """
def positive(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """+input: the input itself. Shapes: (*) -> (*).

    Raises:
        RuntimeError: bool.
    """
def pow(input: Operand, exponent: Operand, *, out: Tensor | None = None) -> Tensor:
    """input ** exponent; 0 ** 0 is 1. Shapes: (*), (*) -> the broadcast shape.

    Raises:
        RuntimeError: integers to a negative number, or to one outside of their range; a bool
            Tensor to a bool Tensor.
    """
def prelu(input: Operand, weight: Operand, *, out: Tensor | None = None) -> Tensor:
    """x for x > 0, weight * x otherwise: a slope for all, or one for each channel (dim 1).

    Shapes: (N, C, *), (C) or (1) -> (N, C, *). He et al. 2015.

    Raises:
        RuntimeError: neither one slope nor one for each channel.
    """
def prod(
        input: Tensor, dim: int | None = None, keepdim: bool = False, *, axis: int | None = None,
        keepdims: bool = False, dtype: DTypeLike | None = None, out: Tensor | None = None,
) -> Tensor:
    """The product over `dim`, or over all; integers and bool give int64. Exact gradient at zeros.

    Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`.
    """
def put(
        input: Tensor, index: Tensor, source: Tensor, accumulate: bool = False, *, out: Tensor |
        None = None,
) -> Tensor:
    """A copy with the source at positions of the flattened input, or added there.

    Shapes: (*), (+), (as many) -> (*).

    Raises:
        RuntimeError: another dtype; the source and the index differ in their number of elements.
        IndexError: a position outside of [-n, n - 1] for n elements.
    """
def qr(input: Tensor, some: bool = True, *, out: tuple[Tensor, ...] | None = None) -> Qr:
    """As `linalg.qr`, complete unless `some`. Shapes: (*, n, m) -> (*, n, k), (*, k, m)."""
def quantile(
        input: Tensor, q: Tensor | float, dim: int | None = None, keepdim: bool = False, *, axis:
        int | None = None, keepdims: bool = False, interpolation: str = 'linear', out: Tensor | None
        = None,
) -> Tensor:
    """The q-quantile of all elements or along `dim`: rank q (n - 1) of the sorted elements.

    Between two ranks it is interpolated. NaN if there is a NaN.
    Shapes: (*), () or (k) -> () or (*) without `dim`, with k in front if q has 1 dimension.

    Raises:
        RuntimeError: q outside of [0, 1]; an empty Tensor; not float32 or float64.
    """
def rad2deg(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Radians as degrees. Shapes: (*) -> (*)."""
def ravel(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """All dims as one: a view of a contiguous Tensor, else a copy. Shapes: (a, b) -> (a * b)."""
def reciprocal(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """1 / input, elementwise. Shapes: (*) -> (*)."""
def relu(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """max(0, input), elementwise; its derivative at 0 is 0. Shapes: (*) -> (*).

    Raises:
        RuntimeError: bool.
    """
def remainder(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """input - other * floor(input / other), with the sign of `other`: Python's %.

    Shapes: (*), (*) -> the broadcast shape.

    Raises:
        RuntimeError: integers divided by 0; bool.
    """
def renorm(
        input: Tensor, p: float, dim: int, maxnorm: float, *, out: Tensor | None = None,
) -> Tensor:
    """Scales slices along `dim` with a p-norm above maxnorm down to it. Shapes: (*) -> (*).

    Raises:
        RuntimeError: fewer than two dims; a p that is not positive, a negative maxnorm.
    """
def repeat(input: Tensor, repeats: Sequence[int], *, out: Tensor | None = None) -> Tensor:
    """Repeats the Tensor `repeats` times along each dim; a copy. Shapes: (n, m) -> (r0 n, r1 m).

    Raises:
        RuntimeError: fewer repeats than dims; negative repeats.
    """
def repeat_interleave(
        input: Tensor, repeats: Tensor | int | None = None, dim: int | None = None, *, axis: int |
        None = None, output_size: int | None = None, out: Tensor | None = None,
) -> Tensor:
    """Each element repeated along `dim`, or in the flattened input; `repeats` is one number or one
    for each element.

    repeat_interleave(repeats) alone gives each i repeats[i] times.
    Shapes: (*, n, *), () or (n) -> (*, Σ repeats, *).

    Raises:
        RuntimeError: not one number for each; negative numbers; `output_size` is not their sum.
        NotImplementedError: repeats that are not integers.
    """
def reshape(input: Tensor, shape: int | Sequence[int], *, out: Tensor | None = None) -> Tensor:
    """The same elements in another shape, of which one size may be -1; a view where possible.

    Shapes: (*) -> shape.
    """
def reshape_as(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The elements in the shape of `other`. Shapes: (*), (+) -> (+)."""
def roll(
        input: Tensor, shifts: int | Sequence[int], dims: int | Sequence[int] | None = None, *, out:
        Tensor | None = None,
) -> Tensor:
    """Rolls by `shifts` along `dims`, circularly; without dims, the flattened elements.

    Shapes: (*) -> (*).

    Raises:
        RuntimeError: different numbers of shifts and dims.
    """
def rot90(
        input: Tensor, k: int = 1, dims: Sequence[int] = (0, 1), *, out: Tensor | None = None,
) -> Tensor:
    """Rotates `k` times by 90 degrees, from the first of `dims` to the second; a copy.

    Shapes: (n, m) -> (m, n) for odd k.

    Raises:
        RuntimeError: not two different dims.
    """
def round(input: Tensor, *, decimals: int = 0, out: Tensor | None = None) -> Tensor:
    """Rounded to `decimals` digits, to the even digit at a tie; integers are unchanged.

    Shapes: (*) -> (*).

    Raises:
        RuntimeError: bool; integers, and decimals that are not 0.
    """
def row_stack(tensors: Sequence[Tensor], *, out: Tensor | None = None) -> Tensor:
    """Concatenates along dim 0, vectors as rows. Shapes: (n, m), (m) -> (n + 1, m)."""
def rrelu(
        input: Tensor, lower: float = 0.125, upper: float = 0.3333333333333333, training: bool =
        False, inplace: bool = False, *, out: Tensor | None = None,
) -> Tensor:
    """x for x > 0, a * x otherwise; in training a is drawn from [lower, upper] for each x.

    Shapes: (*) -> (*). Xu et al. 2015. In evaluation a is (lower + upper) / 2.
    """
def rsqrt(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """1 / √input, elementwise. Shapes: (*) -> (*)."""
def rsub(
        input: Operand, other: Tensor | float, *, alpha: float = 1, out: Tensor | None = None,
) -> Tensor:
    """other - alpha * input. Shapes: (*), (*) -> the broadcast shape.

    Raises:
        RuntimeError: integers, and an alpha that is a float; an operand of bool.
    """
def scatter(
        input: Tensor, dim: int, index: Tensor, src: Operand | None = None, *, value: float | None =
        None, reduce: str | None = None, out: Tensor | None = None,
) -> Tensor:
    """A copy of the input with out[i][index[i][j][k]][k] = src[i][j][k] for dim 1, and so on.

    `src` is a Tensor or a number; with reduce "add" or "multiply" it is added or multiplied.

    Shapes: (*, n, *), (+, k, +), (+, k, +) or larger -> (*, n, *).

    Raises:
        RuntimeError: other ranks, sizes or dtypes; another `reduce`.
        IndexError: a position outside of [0, n - 1].
    """
def scatter_add(
        input: Tensor, dim: int, index: Tensor, src: Tensor, *, out: Tensor | None = None,
) -> Tensor:
    """The input with src[i][j][k] added to out[i][index[i][j][k]][k] for dim 1, and so on.

    Shapes: (*, n, *), (+, k, +), (+, k, +) or larger -> (*, n, *).

    Raises:
        RuntimeError: other ranks, sizes or dtypes.
        IndexError: a position outside of [0, n - 1].
    """
def scatter_reduce(
        input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool =
        True, out: Tensor | None = None,
) -> Tensor:
    """Reduces each element of the input with all those that `scatter` would write there, by
    "sum", "prod", "mean", "amax" or "amin".

    `include_self=False` excludes the input's element where at least one is written. Ties share
    the gradient evenly. A product has no second derivative where a source is 0.

    Shapes: (*, n, *), (+, k, +), (+, k, +) or larger -> (*, n, *).

    Raises:
        RuntimeError: other ranks, sizes or dtypes; another `reduce`.
        IndexError: a position outside of [0, n - 1].
    """
def searchsorted(
        sorted_sequence: Tensor, input: Operand, *, out_int32: bool = False, right: bool = False,
        side: str | None = None, sorter: Tensor | None = None, out: Tensor | None = None,
) -> Tensor:
    """The index at which each value keeps an ascending sequence sorted: before equal elements, or
    after them if `right`.

    Shapes: (n), (*) -> (*); or one sequence for each row, (*, n), (*, k) -> (*, k); int64.

    Raises:
        RuntimeError: the dims before the last differ; `side` contradicts `right`.
    """
def select(input: Tensor, dim: int, index: int, *, out: Tensor | None = None) -> Tensor:
    """The slice at `index` along `dim`, without that dim, as a view. Shapes: (*, n, *) -> (*).

    Raises:
        IndexError: an index that does not exist; a 0-d Tensor.
    """
def select_copy(input: Tensor, dim: int, index: int, *, out: Tensor | None = None) -> Tensor:
    """`select` in new memory. Shapes: (*, n, *) -> (*, *)."""
def select_scatter(
        input: Tensor, src: Tensor, dim: int, index: int, *, out: Tensor | None = None,
) -> Tensor:
    """A copy in which select(dim, index) is `src`. Shapes: (*), that of the part -> (*).

    Raises:
        IndexError: a dim or an index that does not exist.
        RuntimeError: src has another shape than the part.
        TypeError: an index that is not an int.
    """
def selu(input: Tensor, inplace: bool = False, *, out: Tensor | None = None) -> Tensor:
    """scale * elu(x, alpha), whose constants keep mean 0 and variance 1. Shapes: (*) -> (*).

    Klambauer et al. 2017.
    """
def sgn(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The sign, -1, 0 or 1, elementwise; 0 for NaN, unlike NumPy's. Shapes: (*) -> (*)."""
def sigmoid(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """1 / (1 + e ** -input), elementwise. Shapes: (*) -> (*)."""
def sign(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The sign, -1, 0 or 1, elementwise; 0 for NaN, unlike NumPy's. Shapes: (*) -> (*)."""
def signbit(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Whether the sign bit of each element is set, as of -0.0. Shapes: (*) -> (*), bool."""
def sin(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The sine, elementwise. Shapes: (*) -> (*)."""
def sinc(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """sin(π x) / (π x), 1 at 0, elementwise. Shapes: (*) -> (*)."""
def sinh(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The hyperbolic sine, elementwise. Shapes: (*) -> (*)."""
def slice_copy(
        input: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int =
        1, *, axis: int = 0, out: Tensor | None = None,
) -> Tensor:
    """`slice` in new memory. Shapes: (*, n, *) -> (*, k, *)."""
def slice_scatter(
        input: Tensor, src: Tensor, dim: int = 0, start: int | None = None, end: int | None = None,
        step: int = 1, *, axis: int = 0, out: Tensor | None = None,
) -> Tensor:
    """A copy in which the slice start:end:step of a dim is `src`. Shapes: (*), that of the part
    -> (*).

    Raises:
        RuntimeError: src has another shape than the part.
    """
def slogdet(A: Tensor, *, out: tuple[Tensor, ...] | None = None) -> Slogdet:
    """The sign of the determinant and the logarithm of its absolute value; 0 and -inf if it is 0.

    Shapes: (*, n, n) -> (*), (*). The gradient at a singular matrix is infinite or NaN.

    Raises:
        RuntimeError: not square, or not of float32 or float64.
    """
def softmax(
        input: Tensor, dim: int | None = None, dtype: DTypeLike | None = None, *, axis: int | None =
        None, out: Tensor | None = None,
) -> Tensor:
    """e**x / Σ e**x along a dim. Shapes: (*) -> (*)."""
def sort(
        input: Tensor, dim: int = -1, descending: bool = False, *, axis: int = -1, stable: bool =
        False, out: tuple[Tensor, ...] | None = None,
) -> ValuesAndIndices:
    """(values, indices) in ascending or descending order along `dim`. Stable; NaN is largest.

    Shapes: (*) -> (*), (*).
    """
def split(
        input: Tensor, split_size_or_sections: int | Sequence[int], dim: int = 0, *, axis: int = 0,
        out: tuple[Tensor, ...] | None = None,
) -> tuple[Tensor, ...]:
    """Pieces of one size (the last may be smaller), or of the given sizes, as views.

    Shapes: (n, *) -> (n1, *), (n2, *), ...
    """
def split_copy(
        input: Tensor, split_size: int, dim: int = 0, *, axis: int = 0, out: tuple[Tensor, ...] |
        None = None,
) -> tuple[Tensor, ...]:
    """`split` in new memory. Shapes: (n, *) -> (n1, *), (n2, *), ...."""
def split_with_sizes(
        input: Tensor, split_size_or_sections: int | Sequence[int], dim: int = 0, *, axis: int = 0,
        out: tuple[Tensor, ...] | None = None,
) -> tuple[Tensor, ...]:
    """Pieces of one size (the last may be smaller), or of the given sizes, as views.

    Shapes: (n, *) -> (n1, *), (n2, *), ...
    """
def split_with_sizes_copy(
        input: Tensor, split_sizes: Sequence[int], dim: int = 0, *, axis: int = 0, out:
        tuple[Tensor, ...] | None = None,
) -> tuple[Tensor, ...]:
    """`split_with_sizes` in new memory. Shapes: (n, *) -> (n1, *), (n2, *), ...."""
def spmm(input: Tensor, mat2: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The product of two matrices, without broadcasting. Shapes: (n, k), (k, m) -> (n, m).

    Raises:
        RuntimeError: not two matrices, or sizes that do not fit.
    """
def sqrt(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The square root, elementwise. Shapes: (*) -> (*)."""
def square(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """input ** 2, elementwise. Shapes: (*) -> (*); bool gives int64."""
def squeeze(
        input: Tensor, dim: int | Sequence[int] | None = None, *, axis: int | Sequence[int] | None =
        None, out: Tensor | None = None,
) -> Tensor:
    """Removes the dims of size 1, all or those given; a view. Shapes: (n, 1, m) -> (n, m)."""
def squeeze_copy(
        input: Tensor, dim: int | Sequence[int] | None = None, *, axis: int | Sequence[int] | None =
        None, out: Tensor | None = None,
) -> Tensor:
    """`squeeze` in new memory. Shapes: (*, 1, *) -> (*, *)."""
def stack(
        tensors: Sequence[Tensor], dim: int = 0, *, axis: int = 0, out: Tensor | None = None,
) -> Tensor:
    """Stacks Tensors of one shape along a new dim. Shapes: k times (*) -> (k, *)."""
def std(
        input: Tensor, dim: int | Sequence[int] | None | bool = None, unbiased: bool = True,
        keepdim: bool = False, *, axis: int | Sequence[int] | None | bool = None, keepdims: bool =
        False, correction: float | None = None, out: Tensor | None = None,
) -> Tensor:
    """The square root of `var`; its gradient where all elements are equal is 0.

    Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`.
    """
def std_mean(
        input: Tensor, dim: int | Sequence[int] | None | bool = None, unbiased: bool = True,
        keepdim: bool = False, *, axis: int | Sequence[int] | None | bool = None, keepdims: bool =
        False, correction: float | None = None, out: tuple[Tensor, ...] | None = None,
) -> tuple[Tensor, Tensor]:
    """(std, mean). Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`; twice."""
def sub(
        input: Operand, other: Operand | float, *, alpha: float = 1, out: Tensor | None = None,
) -> Tensor:
    """input - alpha * other. Shapes: (*), (*) -> the broadcast shape."""
def subtract(
        input: Operand, other: Operand | float, *, alpha: float = 1, out: Tensor | None = None,
) -> Tensor:
    """input - alpha * other. Shapes: (*), (*) -> the broadcast shape."""
def sum(
        input: Tensor, dim: int | Sequence[int] | None = None, keepdim: bool = False, *, axis: int |
        Sequence[int] | None = None, keepdims: bool = False, dtype: DTypeLike | None = None, out:
        Tensor | None = None,
) -> Tensor:
    """The sum over `dim` (int, tuple or all); integers and bool give int64.

    Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`.
    """
def svd(
        input: Tensor, some: bool = True, compute_uv: bool = True, *, out: tuple[Tensor, ...] | None
        = None,
) -> Svd:
    """U, S and V (not Vh) of input = U diag(S) Vᵀ, reduced if `some`; U and V are zeros without
    compute_uv.

    Shapes: (*, n, m) -> (*, n, k), (*, k), (*, m, k).
    """
def swapaxes(input: Tensor, dim0: int, dim1: int, *, out: Tensor | None = None) -> Tensor:
    """Two dims exchanged, as a view. Shapes: (.., n, .., m, ..) -> (.., m, .., n, ..)."""
def swapdims(input: Tensor, dim0: int, dim1: int, *, out: Tensor | None = None) -> Tensor:
    """Two dims exchanged, as a view. Shapes: (.., n, .., m, ..) -> (.., m, .., n, ..)."""
def t(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The transpose of a matrix; vectors and 0-d Tensors are unchanged. Shapes: (n, m) -> (m, n).

    Raises:
        RuntimeError: more than two dims.
    """
def t_copy(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """`t` in new memory. Shapes: (n, m) -> (m, n)."""
def take(input: Tensor, index: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The elements at positions of the flattened input. Shapes: (*), (+) -> (+).

    Raises:
        IndexError: a position outside of [-n, n - 1] for n elements.
    """
def take_along_dim(
        input: Tensor, indices: Tensor, dim: int | None = None, *, axis: int | None = None, out:
        Tensor | None = None,
) -> Tensor:
    """The elements at `indices` along `dim`, of the flattened input if it is None.

    Shapes: (*, n, *), (*, k, *) -> (*, k, *); the other dims broadcast.

    Raises:
        IndexError: a position that does not exist.
        RuntimeError: shapes that do not broadcast; indices that are not integers.
    """
def tan(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The tangent, elementwise. Shapes: (*) -> (*)."""
def tanh(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The hyperbolic tangent, elementwise. Shapes: (*) -> (*)."""
def tensor_split(
        input: Tensor, indices_or_sections: int | Sequence[int] | Tensor, dim: int = 0, *, axis: int
        = 0, out: tuple[Tensor, ...] | None = None,
) -> tuple[Tensor, ...]:
    """A number of pieces whose sizes differ by at most 1, or pieces between positions; views.

    Shapes: (n, *) -> (n1, *), (n2, *), ...

    Raises:
        RuntimeError: no pieces; a 0-d Tensor.
    """
def tensordot(
        a: Tensor, b: Tensor, dims: int | Sequence[Sequence[int]] = 2, *, out: Tensor | None = None,
) -> Tensor:
    """Sums of products over `dims`: the last of `a` with the first of `b`, or two lists of dims.

    Shapes: (*, k), (k, +) -> (*, +). A size of 1 is broadcast to that of the other dim.

    Raises:
        RuntimeError: dims of different sizes.
    """
def threshold(
        input: Tensor, threshold: float, value: float, inplace: bool = False, *, out: Tensor | None
        = None,
) -> Tensor:
    """x where x > threshold, `value` elsewhere. Shapes: (*) -> (*)."""
def tile(input: Tensor, dims: Sequence[int], *, out: Tensor | None = None) -> Tensor:
    """As `repeat`; missing repeats are 1. Shapes: (n, m) -> (n, r m) for (r,)."""
def topk(
        input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True, *, axis:
        int = -1, out: tuple[Tensor, ...] | None = None,
) -> ValuesAndIndices:
    """(values, indices) of the `k` largest, or smallest, along `dim`, sorted. NaN is largest.

    Sorted also with sorted=False. Among equal elements the first are taken, if n is at most 8 or
    k is 1, as by PyTorch for n below 4. Shapes: (*, n, *) -> (*, k, *), (*, k, *).

    Raises:
        RuntimeError: k is not in [0, n]; a bool Tensor.
    """
def trace(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The sum of the diagonal of a matrix. Shapes: (n, m) -> ().

    Raises:
        RuntimeError: not a matrix.
    """
def transpose(input: Tensor, dim0: int, dim1: int, *, out: Tensor | None = None) -> Tensor:
    """Two dims exchanged, as a view. Shapes: (.., n, .., m, ..) -> (.., m, .., n, ..)."""
def transpose_copy(input: Tensor, dim0: int, dim1: int, *, out: Tensor | None = None) -> Tensor:
    """`transpose` in new memory. Shapes: (*, n, *, m, *) -> (*, m, *, n, *)."""
def trapezoid(
        y: Tensor, x: Tensor | None = None, *, dx: float | None = None, dim: int = -1, axis: int =
        -1, out: Tensor | None = None,
) -> Tensor:
    """∫ y dx by trapezoids: Σ (x_{i+1} - x_i) (y_i + y_{i+1}) / 2. Shapes: (*, n), (n) -> (*).

    Raises:
        RuntimeError: x does not have one position for each sample.
    """
def trapz(
        y: Tensor, x: Tensor | None = None, *, dx: float | None = None, dim: int = -1, axis: int =
        -1, out: Tensor | None = None,
) -> Tensor:
    """∫ y dx by trapezoids: Σ (x_{i+1} - x_i) (y_i + y_{i+1}) / 2. Shapes: (*, n), (n) -> (*).

    Raises:
        RuntimeError: x does not have one position for each sample.
    """
def triangular_solve(
        input: Tensor, A: Tensor, upper: bool = True, transpose: bool = False, unitriangular: bool =
        False, *, out: tuple[Tensor, ...] | None = None,
) -> TriangularSolve:
    """(X of A X = input, a copy of A) for a triangular A, whose other triangle is ignored; with
    `transpose` of Aᵀ X = input. `linalg.solve_triangular` is its successor.

    Shapes: (*, n, k), (*, n, n) -> (*, n, k), (*, n, n).

    Raises:
        LinAlgError: a 0 on the diagonal.
        RuntimeError: shapes or dtypes that do not fit.
    """
def tril(input: Tensor, diagonal: int = 0, *, out: Tensor | None = None) -> Tensor:
    """The lower triangle: 0 above the diagonal, or above the one at offset `diagonal`.

    Shapes: (*, n, m) -> (*, n, m).
    """
def triu(input: Tensor, diagonal: int = 0, *, out: Tensor | None = None) -> Tensor:
    """The upper triangle: 0 below the diagonal, or below the one at offset `diagonal`.

    Shapes: (*, n, m) -> (*, n, m).
    """
def true_divide(
        input: Operand | float, other: Operand | float, *, rounding_mode: str | None = None, out:
        Tensor | None = None,
) -> Tensor:
    """input / other; with rounding_mode "floor" or "trunc", rounded down or towards zero.

    Shapes: (*), (*) -> the broadcast shape.
    """
def trunc(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Rounded towards zero, elementwise; integers are unchanged. Shapes: (*) -> (*).

    Raises:
        RuntimeError: bool.
    """
def unbind(
        input: Tensor, dim: int = 0, *, axis: int = 0, out: tuple[Tensor, ...] | None = None,
) -> tuple[Tensor, ...]:
    """The slices along a dim, without it, as views. Shapes: (n, *) -> n times (*)."""
def unbind_copy(
        input: Tensor, dim: int = 0, *, axis: int = 0, out: tuple[Tensor, ...] | None = None,
) -> tuple[Tensor, ...]:
    """`unbind` in new memory. Shapes: (n, *) -> (*), n times."""
def unflatten(
        input: Tensor, dim: int, sizes: Sequence[int], *, out: Tensor | None = None,
) -> Tensor:
    """One dim as several, of which one size may be -1. Shapes: (a, b * c) -> (a, b, c)."""
def unfold(
        input: Tensor, dimension: int, size: int, step: int, *, out: Tensor | None = None,
) -> Tensor:
    """Windows of `size` along a dim, one every `step`, in a new last dim; a view.

    Shapes: (*, n, *) -> (*, (n - size) // step + 1, *, size).

    Raises:
        RuntimeError: a window larger than the dim; a step below 1.
    """
def unfold_copy(
        input: Tensor, dimension: int, size: int, step: int, *, out: Tensor | None = None,
) -> Tensor:
    """`unfold` in new memory. Shapes: (*, n, *) -> (*, k, *, size)."""
@overload
def unique(
        input: Tensor, sorted: bool = True, return_inverse: Literal[False] = False, return_counts:
        Literal[False] = False, dim: int | None = None, *, out: Tensor | None = None,
) -> Tensor:
    """The distinct elements in ascending order, or distinct slices along `dim`; no gradient.

    Sorted also with sorted=False. Each NaN is distinct.
    Shapes: (*) -> (k), with the inverse (*) and counts (k) if requested.
    """
@overload
def unique(
        input: Tensor, sorted: bool = True, return_inverse: bool = False, return_counts: bool =
        False, dim: int | None = None, *, out: tuple[Tensor, ...] | None = None,
) -> tuple[Tensor, ...]: ...
@overload
def unique_consecutive(
        input: Tensor, return_inverse: Literal[False] = False, return_counts: Literal[False] =
        False, dim: int | None = None, *, out: Tensor | None = None,
) -> Tensor:
    """The first of each run of equal elements, or of equal slices along `dim`; no gradient.

    Shapes: (*) -> (k), with the inverse (*) and counts (k) if requested.
    """
@overload
def unique_consecutive(
        input: Tensor, return_inverse: bool = False, return_counts: bool = False, dim: int | None =
        None, *, out: tuple[Tensor, ...] | None = None,
) -> tuple[Tensor, ...]: ...
def unravel_index(
        indices: Tensor, shape: int | Sequence[int], *, out: tuple[Tensor, ...] | None = None,
) -> tuple[Tensor, ...]:
    """The position in each dim of elements that are counted through a Tensor of that shape.

    Shapes: (*) -> (*) for each dim, of int64.

    Raises:
        TypeError: indices that are not integers.
        ValueError: a negative size.
    """
def unsafe_chunk(
        input: Tensor, chunks: int, dim: int = 0, *, axis: int = 0, out: tuple[Tensor, ...] | None =
        None,
) -> tuple[Tensor, ...]:
    """At most `chunks` pieces of equal size (the last may be smaller), as views.

    Shapes: (n, *) -> (m, *), (m, *), ...
    """
def unsafe_split(
        input: Tensor, split_size_or_sections: int | Sequence[int], dim: int = 0, *, axis: int = 0,
        out: tuple[Tensor, ...] | None = None,
) -> tuple[Tensor, ...]:
    """Pieces of one size (the last may be smaller), or of the given sizes, as views.

    Shapes: (n, *) -> (n1, *), (n2, *), ...
    """
def unsafe_split_with_sizes(
        input: Tensor, split_size_or_sections: int | Sequence[int], dim: int = 0, *, axis: int = 0,
        out: tuple[Tensor, ...] | None = None,
) -> tuple[Tensor, ...]:
    """Pieces of one size (the last may be smaller), or of the given sizes, as views.

    Shapes: (n, *) -> (n1, *), (n2, *), ...
    """
def unsqueeze(input: Tensor, dim: int, *, out: Tensor | None = None) -> Tensor:
    """Inserts a dim of size 1 at `dim`; a view. Shapes: (n, m) -> (n, 1, m)."""
def unsqueeze_copy(input: Tensor, dim: int, *, out: Tensor | None = None) -> Tensor:
    """`unsqueeze` in new memory. Shapes: (*, *) -> (*, 1, *)."""
def vander(
        x: Tensor, N: int | None = None, increasing: bool = False, *, out: Tensor | None = None,
) -> Tensor:
    """The powers x**(N-1) to x**0 in columns, or in the other order. Shapes: (n) -> (n, N).

    Raises:
        RuntimeError: x does not have 1 dim; a negative N.
    """
def var(
        input: Tensor, dim: int | Sequence[int] | None | bool = None, unbiased: bool = True,
        keepdim: bool = False, *, axis: int | Sequence[int] | None | bool = None, keepdims: bool =
        False, correction: float | None = None, out: Tensor | None = None,
) -> Tensor:
    """Σ (x - mean)² / (n - correction), where the correction is 1 unless given or unbiased=False.

    Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`.

    Raises:
        RuntimeError: the input is not of floating point.
    """
def var_mean(
        input: Tensor, dim: int | Sequence[int] | None | bool = None, unbiased: bool = True,
        keepdim: bool = False, *, axis: int | Sequence[int] | None | bool = None, keepdims: bool =
        False, correction: float | None = None, out: tuple[Tensor, ...] | None = None,
) -> tuple[Tensor, Tensor]:
    """(var, mean). Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`; twice."""
def vdot(input: Tensor, tensor: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Σ input * tensor of two vectors. Shapes: (n), (n) -> ().

    Raises:
        RuntimeError: not two vectors of one size.
    """
def view(input: Tensor, size: Sequence[int] | DTypeLike, *, out: Tensor | None = None) -> Tensor:
    """The same memory in another shape, of which one size may be -1. Shapes: (*) -> size.

    With a dtype: the same memory as numbers of that dtype.

    Raises:
        RuntimeError: the strides allow no view of that shape; numbers of the dtype cannot begin
            where the Tensor does, which on a GPU would end all work. The memory of a Tensor of
            `from_numpy` begins where NumPy's array does.
    """
def view_as(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """A view in the shape of `other`. Shapes: (*), (+) -> (+)."""
def view_copy(
        input: Tensor, size: Sequence[int] | DTypeLike, *, out: Tensor | None = None,
) -> Tensor:
    """`view` in new memory, for input of any strides. Shapes: (*) -> size."""
def vsplit(
        input: Tensor, indices_or_sections: int | Sequence[int], *, out: tuple[Tensor, ...] | None =
        None,
) -> tuple[Tensor, ...]:
    """Equal pieces along dim 0, or pieces between positions, as
    views; at least 2 dims. Shapes: (n, m) -> (n1, m), (n2, m), ...
    """
def vstack(tensors: Sequence[Tensor], *, out: Tensor | None = None) -> Tensor:
    """Concatenates along dim 0, vectors as rows. Shapes: (n, m), (m) -> (n + 1, m)."""
@overload
def where(condition: Tensor, *, out: tuple[Tensor, ...] | None = None) -> tuple[Tensor, ...]:
    """`input` where the condition is True, `other` elsewhere. where(condition) alone gives the
    indices of nonzero elements, a Tensor for each dim.

    Shapes: three (*) -> the broadcast shape.
    """
@overload
def where(
        condition: Tensor, input: Operand, other: Operand, *, out: Tensor | None = None,
) -> Tensor: ...
def xlogy(input: Operand, other: Operand | float, *, out: Tensor | None = None) -> Tensor:
    """input * log(other), 0 where input is 0. Shapes: (*), (*) -> the broadcast shape."""
from .functional import adaptive_avg_pool1d as adaptive_avg_pool1d
from .functional import adaptive_max_pool1d as adaptive_max_pool1d
from .functional import avg_pool1d as avg_pool1d
from .functional import channel_shuffle as channel_shuffle
from .functional import native_channel_shuffle as native_channel_shuffle
from .functional import conv1d as conv1d
from .functional import conv2d as conv2d
from .functional import conv3d as conv3d
from .functional import conv_tbc as conv_tbc
from .functional import conv_transpose1d as conv_transpose1d
from .functional import conv_transpose2d as conv_transpose2d
from .functional import conv_transpose3d as conv_transpose3d
from .functional import layer_norm as layer_norm
from .functional import max_pool1d as max_pool1d
from .functional import max_pool2d as max_pool2d
from .functional import max_pool3d as max_pool3d
from .functional import pixel_shuffle as pixel_shuffle
from .functional import pixel_unshuffle as pixel_unshuffle
from .functional import rms_norm as rms_norm
def abs_(input: Tensor) -> Tensor:
    """As `abs`, in place: writes into this Tensor and returns it."""
def acos_(input: Tensor) -> Tensor:
    """As `acos`, in place: writes into this Tensor and returns it."""
def acosh_(input: Tensor) -> Tensor:
    """As `acosh`, in place: writes into this Tensor and returns it."""
def addmv_(input: Tensor, mat: Tensor, vec: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """As `addmv`, in place: writes into this Tensor and returns it."""
def arccos_(input: Tensor) -> Tensor:
    """As `arccos`, in place: writes into this Tensor and returns it."""
def arccosh_(input: Tensor) -> Tensor:
    """As `arccosh`, in place: writes into this Tensor and returns it."""
def arcsin_(input: Tensor) -> Tensor:
    """As `arcsin`, in place: writes into this Tensor and returns it."""
def arcsinh_(input: Tensor) -> Tensor:
    """As `arcsinh`, in place: writes into this Tensor and returns it."""
def arctan_(input: Tensor) -> Tensor:
    """As `arctan`, in place: writes into this Tensor and returns it."""
def arctanh_(input: Tensor) -> Tensor:
    """As `arctanh`, in place: writes into this Tensor and returns it."""
def as_strided_(
        input: Tensor, size: Sequence[int], stride: Sequence[int], storage_offset: int | None =
        None,
) -> Tensor:
    """As `as_strided`, in place: this Tensor shows those elements of its memory.

    Raises:
        RuntimeError: this Tensor requires grad; and as `as_strided`.
    """
def asin_(input: Tensor) -> Tensor:
    """As `asin`, in place: writes into this Tensor and returns it."""
def asinh_(input: Tensor) -> Tensor:
    """As `asinh`, in place: writes into this Tensor and returns it."""
def atan_(input: Tensor) -> Tensor:
    """As `atan`, in place: writes into this Tensor and returns it."""
def atanh_(input: Tensor) -> Tensor:
    """As `atanh`, in place: writes into this Tensor and returns it."""
def ceil_(input: Tensor) -> Tensor:
    """As `ceil`, in place: writes into this Tensor and returns it."""
def clamp_(input: Operand, min: Operand | None = None, max: Operand | None = None) -> Tensor:
    """As `clamp`, in place: writes into this Tensor and returns it."""
def clamp_max_(input: Tensor, max: Tensor | float) -> Tensor:
    """As `clamp_max`, in place: writes into this Tensor and returns it."""
def clamp_min_(input: Tensor, min: Tensor | float) -> Tensor:
    """As `clamp_min`, in place: writes into this Tensor and returns it."""
def clip_(input: Operand, min: Operand | None = None, max: Operand | None = None) -> Tensor:
    """As `clip`, in place: writes into this Tensor and returns it."""
def cos_(input: Tensor) -> Tensor:
    """As `cos`, in place: writes into this Tensor and returns it."""
def cosh_(input: Tensor) -> Tensor:
    """As `cosh`, in place: writes into this Tensor and returns it."""
def deg2rad_(input: Tensor) -> Tensor:
    """As `deg2rad`, in place: writes into this Tensor and returns it."""
def erf_(input: Tensor) -> Tensor:
    """As `erf`, in place: writes into this Tensor and returns it."""
def erfc_(input: Tensor) -> Tensor:
    """As `erfc`, in place: writes into this Tensor and returns it."""
def exp_(input: Tensor) -> Tensor:
    """As `exp`, in place: writes into this Tensor and returns it."""
def exp2_(input: Tensor) -> Tensor:
    """As `exp2`, in place: writes into this Tensor and returns it."""
def expm1_(input: Tensor) -> Tensor:
    """As `expm1`, in place: writes into this Tensor and returns it."""
def fix_(input: Tensor) -> Tensor:
    """As `fix`, in place: writes into this Tensor and returns it."""
def floor_(input: Tensor) -> Tensor:
    """As `floor`, in place: writes into this Tensor and returns it."""
def frac_(input: Tensor) -> Tensor:
    """As `frac`, in place: writes into this Tensor and returns it."""
def gcd_(input: Operand, other: Operand) -> Tensor:
    """As `gcd`, in place: writes into this Tensor and returns it."""
def i0_(input: Tensor) -> Tensor:
    """As `i0`, in place: writes into this Tensor and returns it."""
def index_put_(
        input: Tensor, indices: Sequence[Tensor], values: Operand, accumulate: bool = False,
) -> Tensor:
    """As `index_put`, in place: writes into this Tensor and returns it."""
def lcm_(input: Operand, other: Operand) -> Tensor:
    """As `lcm`, in place: writes into this Tensor and returns it."""
def ldexp_(input: Operand, other: Operand | float) -> Tensor:
    """As `ldexp`, in place: writes into this Tensor and returns it."""
def log_(input: Tensor) -> Tensor:
    """As `log`, in place: writes into this Tensor and returns it."""
def log10_(input: Tensor) -> Tensor:
    """As `log10`, in place: writes into this Tensor and returns it."""
def log1p_(input: Tensor) -> Tensor:
    """As `log1p`, in place: writes into this Tensor and returns it."""
def log2_(input: Tensor) -> Tensor:
    """As `log2`, in place: writes into this Tensor and returns it."""
def logit_(input: Tensor, eps: float | None = None) -> Tensor:
    """As `logit`, in place: writes into this Tensor and returns it."""
def nan_to_num_(
        input: Tensor, nan: float | None = 0.0, posinf: float | None = None, neginf: float | None =
        None,
) -> Tensor:
    """As `nan_to_num`, in place: writes into this Tensor and returns it."""
def neg_(input: Tensor) -> Tensor:
    """As `neg`, in place: writes into this Tensor and returns it."""
def negative_(input: Tensor) -> Tensor:
    """As `negative`, in place: writes into this Tensor and returns it."""
def rad2deg_(input: Tensor) -> Tensor:
    """As `rad2deg`, in place: writes into this Tensor and returns it."""
def reciprocal_(input: Tensor) -> Tensor:
    """As `reciprocal`, in place: writes into this Tensor and returns it."""
def relu_(input: Tensor) -> Tensor:
    """As `relu`, in place: writes into this Tensor and returns it."""
def round_(input: Tensor, *, decimals: int = 0) -> Tensor:
    """As `round`, in place: writes into this Tensor and returns it."""
def rsqrt_(input: Tensor) -> Tensor:
    """As `rsqrt`, in place: writes into this Tensor and returns it."""
def sigmoid_(input: Tensor) -> Tensor:
    """As `sigmoid`, in place: writes into this Tensor and returns it."""
def sin_(input: Tensor) -> Tensor:
    """As `sin`, in place: writes into this Tensor and returns it."""
def sinc_(input: Tensor) -> Tensor:
    """As `sinc`, in place: writes into this Tensor and returns it."""
def sinh_(input: Tensor) -> Tensor:
    """As `sinh`, in place: writes into this Tensor and returns it."""
def sqrt_(input: Tensor) -> Tensor:
    """As `sqrt`, in place: writes into this Tensor and returns it."""
def square_(input: Tensor) -> Tensor:
    """As `square`, in place: writes into this Tensor and returns it."""
def tan_(input: Tensor) -> Tensor:
    """As `tan`, in place: writes into this Tensor and returns it."""
def tanh_(input: Tensor) -> Tensor:
    """As `tanh`, in place: writes into this Tensor and returns it."""
def trunc_(input: Tensor) -> Tensor:
    """As `trunc`, in place: writes into this Tensor and returns it."""
def xlogy_(input: Operand, other: Operand | float) -> Tensor:
    """As `xlogy`, in place: writes into this Tensor and returns it."""
def detach_(input: Tensor) -> Tensor:
    """Takes this Tensor out of the graph. A view is one no longer: as the result of `detach()`
    it shares the memory of its base, which learns nothing of gradients written through it.
    """
def fill_(input: Tensor, value: Tensor | float) -> Tensor:
    """Writes one value into every element."""
def resize_as_(input: Tensor, tensor: Tensor) -> Tensor:
    """`resize_` to the shape of another Tensor."""
def zero_(input: Tensor) -> Tensor:
    """Writes 0 into every element."""
from .functional import celu_ as celu_
from .functional import rrelu_ as rrelu_
from .functional import selu_ as selu_
from .functional import threshold_ as threshold_
