"""The methods of Tensor that follow from the table of operations.

Written by `python -m tinytensor stubs`; not to be edited.
"""

import builtins
import numpy
from collections.abc import Sequence
from types import EllipsisType
from typing import (
    Any, Literal, NamedTuple, Self, TypeAlias, overload,
)
from ..arrays.dtypes import memory_format
from ..compat.modules.storage import TypedStorage, UntypedStorage
from ..compat.names import TensorType
from ..random import Generator
from ..tensors.tensor import DeviceLike, DTypeLike, NumPyArray, Tensor


# What may be beside a Tensor in an operator: numbers and arrays.
Operand: TypeAlias = Tensor | float | NumPyArray | numpy.number[Any] | numpy.bool
Index: TypeAlias = int | slice | EllipsisType | Tensor | NumPyArray | Sequence[Any] | None

class Aminmax(NamedTuple):
    min: Tensor
    max: Tensor

class Frexp(NamedTuple):
    mantissa: Tensor
    exponent: Tensor

class Geqrf(NamedTuple):
    a: Tensor
    tau: Tensor

class Histogram(NamedTuple):
    hist: Tensor
    bin_edges: Tensor

class Histogramdd(NamedTuple):
    hist: Tensor
    bin_edges: Tensor

class LinalgCholeskyEx(NamedTuple):
    L: Tensor
    info: Tensor

class LinalgEigh(NamedTuple):
    eigenvalues: Tensor
    eigenvectors: Tensor

class LinalgInvEx(NamedTuple):
    inverse: Tensor
    info: Tensor

class LinalgLstsq(NamedTuple):
    solution: Tensor
    residuals: Tensor
    rank: Tensor
    singular_values: Tensor

class LinalgQr(NamedTuple):
    Q: Tensor
    R: Tensor

class LinalgSolveEx(NamedTuple):
    result: Tensor
    info: Tensor

class LinalgSvd(NamedTuple):
    U: Tensor
    S: Tensor
    Vh: Tensor

class Qr(NamedTuple):
    Q: Tensor
    R: Tensor

class Slogdet(NamedTuple):
    sign: Tensor
    logabsdet: Tensor

class Svd(NamedTuple):
    U: Tensor
    S: Tensor
    V: Tensor

class TriangularSolve(NamedTuple):
    solution: Tensor
    cloned_coefficient: Tensor

class ValuesAndIndices(NamedTuple):
    values: Tensor
    indices: Tensor

class Methods:
    def __abs__(self) -> Tensor: ...  # ops/elementwise.py
    def __add__(self, other: Operand) -> Tensor: ...  # ops/elementwise.py
    def __and__(self, other: Operand) -> Tensor: ...  # ops/compare.py
    def __array_function__(
            self, function: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any],
    ) -> Any:
        """A function of NumPy that was called with a Tensor, see the top of this file."""
    def __eq__(self, other: object) -> Tensor: ...  # type: ignore[override]  # ops/compare.py
    def __floordiv__(self, other: Operand) -> Tensor: ...  # ops/elementwise.py
    def __ge__(self, other: Operand) -> Tensor: ...  # type: ignore[misc]  # ops/compare.py
    def __getitem__(self, key: Index) -> Tensor:
        """tensor[key]."""
    def __gt__(self, other: Operand) -> Tensor: ...  # type: ignore[misc]  # ops/compare.py
    def __iadd__(self, other: Operand) -> Self: ...  # ops/elementwise.py
    def __iand__(self, other: Operand) -> Self: ...  # ops/compare.py
    def __ifloordiv__(self, other: Operand) -> Self: ...  # ops/elementwise.py
    def __ilshift__(self, other: Operand) -> Self: ...  # ops/compare.py
    def __imatmul__(self, other: Operand) -> Self: ...  # ops/linalg.py
    def __imod__(self, other: Operand) -> Self: ...  # ops/elementwise.py
    def __imul__(self, other: Operand) -> Self: ...  # ops/elementwise.py
    def __invert__(self) -> Tensor: ...  # ops/compare.py
    def __ior__(self, other: Operand) -> Self: ...  # ops/compare.py
    def __ipow__(self, other: Operand) -> Self: ...  # ops/elementwise.py
    def __irshift__(self, other: Operand) -> Self: ...  # ops/compare.py
    def __isub__(self, other: Operand) -> Self: ...  # ops/elementwise.py
    def __itruediv__(self, other: Operand) -> Self: ...  # ops/elementwise.py
    def __ixor__(self, other: Operand) -> Self: ...  # ops/compare.py
    def __le__(self, other: Operand) -> Tensor: ...  # type: ignore[misc]  # ops/compare.py
    def __lshift__(self, other: Operand) -> Tensor: ...  # ops/compare.py
    def __lt__(self, other: Operand) -> Tensor: ...  # type: ignore[misc]  # ops/compare.py
    def __matmul__(self, other: Operand) -> Tensor: ...  # ops/linalg.py
    def __mod__(self, other: Operand) -> Tensor: ...  # ops/elementwise.py
    def __mul__(self, other: Operand) -> Tensor: ...  # ops/elementwise.py
    def __ne__(self, other: object) -> Tensor: ...  # type: ignore[override]  # ops/compare.py
    def __neg__(self) -> Tensor: ...  # ops/elementwise.py
    def __or__(self, other: Operand) -> Tensor: ...  # ops/compare.py
    def __pos__(self) -> Tensor: ...  # ops/elementwise.py
    def __pow__(self, other: Operand) -> Tensor: ...  # ops/elementwise.py
    def __radd__(self, other: Operand) -> Tensor: ...  # ops/elementwise.py
    def __rand__(self, other: Operand) -> Tensor: ...  # ops/compare.py
    def __rfloordiv__(self, other: Operand) -> Tensor: ...  # ops/elementwise.py
    def __rlshift__(self, other: Operand) -> Tensor: ...  # ops/compare.py
    def __rmatmul__(self, other: Operand) -> Tensor: ...  # ops/linalg.py
    def __rmod__(self, other: Operand) -> Tensor: ...  # ops/elementwise.py
    def __rmul__(self, other: Operand) -> Tensor: ...  # ops/elementwise.py
    def __ror__(self, other: Operand) -> Tensor: ...  # ops/compare.py
    def __rpow__(self, other: Operand) -> Tensor: ...  # ops/elementwise.py
    def __rrshift__(self, other: Operand) -> Tensor: ...  # ops/compare.py
    def __rshift__(self, other: Operand) -> Tensor: ...  # ops/compare.py
    def __rsub__(self, other: Operand) -> Tensor: ...  # ops/elementwise.py
    def __rtruediv__(self, other: Operand) -> Tensor: ...  # ops/elementwise.py
    def __rxor__(self, other: Operand) -> Tensor: ...  # ops/compare.py
    def __setitem__(self, key: Index, value: Operand | Sequence[Any]) -> None:
        """tensor[key] = value, in place."""
    def __sub__(self, other: Operand) -> Tensor: ...  # ops/elementwise.py
    def __truediv__(self, other: Operand) -> Tensor: ...  # ops/elementwise.py
    def __xor__(self, other: Operand) -> Tensor: ...  # ops/compare.py
    @property
    def _cdata(self) -> int:
        """A number that tells this Tensor from others, in PyTorch an address: Pyro compares it."""
    def _typed_storage(self) -> TypedStorage:
        """The memory that this Tensor shows, as elements: a Tensor and its views have the same."""
    def abs(self) -> Tensor:  # ops/elementwise.py
        """|input|, elementwise; its derivative at 0 is 0. Shapes: (*) -> (*).

        Raises:
            RuntimeError: bool.
        """
    def abs_(self) -> Self:  # ops/elementwise.py
        """As `abs`, in place: writes into this Tensor and returns it."""
    def absolute(self) -> Tensor:  # ops/elementwise.py
        """|input|, elementwise; its derivative at 0 is 0. Shapes: (*) -> (*).

        Raises:
            RuntimeError: bool.
        """
    def absolute_(self) -> Self:  # ops/elementwise.py
        """As `absolute`, in place: writes into this Tensor and returns it."""
    def acos(self) -> Tensor:  # ops/elementwise.py
        """The inverse cosine, elementwise. Shapes: (*) -> (*)."""
    def acos_(self) -> Self:  # ops/elementwise.py
        """As `acos`, in place: writes into this Tensor and returns it."""
    def acosh(self) -> Tensor:  # ops/elementwise.py
        """The inverse hyperbolic cosine, elementwise. Shapes: (*) -> (*)."""
    def acosh_(self) -> Self:  # ops/elementwise.py
        """As `acosh`, in place: writes into this Tensor and returns it."""
    def add(self, other: Operand | builtins.float, *, alpha: builtins.float = 1) -> Tensor:  # ops/elementwise.py
        """input + alpha * other. Shapes: (*), (*) -> the broadcast shape."""
    def add_(self, other: Operand | builtins.float, *, alpha: builtins.float = 1) -> Self:  # ops/elementwise.py
        """As `add`, in place: writes into this Tensor and returns it."""
    def addbmm(
            self, batch1: Tensor, batch2: Tensor, *, beta: builtins.float = 1, alpha: builtins.float
            = 1,
    ) -> Tensor:  # ops/linalg.py
        """beta * input + alpha * Σ_b batch1[b] @ batch2[b].

        Shapes: (n, m), (b, n, k), (b, k, m) -> (n, m).
        """
    def addbmm_(
            self, batch1: Tensor, batch2: Tensor, *, beta: builtins.float = 1, alpha: builtins.float
            = 1,
    ) -> Self:  # ops/linalg.py
        """As `addbmm`, in place: writes into this Tensor and returns it."""
    def addcdiv(self, tensor1: Tensor, tensor2: Tensor, *, value: builtins.float = 1) -> Tensor:  # ops/elementwise.py
        """input + value * tensor1 / tensor2. Shapes: (*), (*), (*) -> the broadcast shape.

        Raises:
            RuntimeError: both divisor and dividend are integers.
        """
    def addcdiv_(self, tensor1: Tensor, tensor2: Tensor, *, value: builtins.float = 1) -> Self:  # ops/elementwise.py
        """As `addcdiv`, in place: writes into this Tensor and returns it."""
    def addcmul(self, tensor1: Tensor, tensor2: Tensor, *, value: builtins.float = 1) -> Tensor:  # ops/elementwise.py
        """input + value * tensor1 * tensor2. Shapes: (*), (*), (*) -> the broadcast shape.

        Raises:
            RuntimeError: all three are of bool; integers, and a value that is a float.
        """
    def addcmul_(self, tensor1: Tensor, tensor2: Tensor, *, value: builtins.float = 1) -> Self:  # ops/elementwise.py
        """As `addcmul`, in place: writes into this Tensor and returns it."""
    def addmm(
            self, mat1: Tensor, mat2: Tensor, *, beta: builtins.float = 1, alpha: builtins.float =
            1,
    ) -> Tensor:  # ops/linalg.py
        """beta * input + alpha * mat1 @ mat2. With beta = 0 the input is ignored, even NaN.

        Shapes: (n, m) or broadcastable to it, (n, k), (k, m) -> (n, m).
        """
    def addmm_(
            self, mat1: Tensor, mat2: Tensor, *, beta: builtins.float = 1, alpha: builtins.float =
            1,
    ) -> Self:  # ops/linalg.py
        """As `addmm`, in place: writes into this Tensor and returns it."""
    def addmv(
            self, mat: Tensor, vec: Tensor, *, beta: builtins.float = 1, alpha: builtins.float = 1,
    ) -> Tensor:  # ops/linalg.py
        """beta * input + alpha * mat @ vec. Shapes: (n) or broadcastable, (n, k), (k) -> (n)."""
    def addmv_(
            self, mat: Tensor, vec: Tensor, *, beta: builtins.float = 1, alpha: builtins.float = 1,
    ) -> Self:  # ops/linalg.py
        """As `addmv`, in place: writes into this Tensor and returns it."""
    def addr(
            self, vec1: Tensor, vec2: Tensor, *, beta: builtins.float = 1, alpha: builtins.float =
            1,
    ) -> Tensor:  # ops/linalg.py
        """beta * input + alpha * outer(vec1, vec2). Shapes: (n, m), (n), (m) -> (n, m)."""
    def addr_(
            self, vec1: Tensor, vec2: Tensor, *, beta: builtins.float = 1, alpha: builtins.float =
            1,
    ) -> Self:  # ops/linalg.py
        """As `addr`, in place: writes into this Tensor and returns it."""
    def adjoint(self) -> Tensor:  # ops/shape.py
        """The last two dims exchanged, as a view: for real numbers the transpose.

        Shapes: (*, n, m) -> (*, m, n).

        Raises:
            RuntimeError: a vector.
        """
    def all(
            self, dim: builtins.int | Sequence[builtins.int] | None = None, keepdim: builtins.bool =
            False, *, axis: builtins.int | Sequence[builtins.int] | None = None, keepdims:
            builtins.bool = False,
    ) -> Tensor:  # ops/reduce.py
        """Whether every element is nonzero; dim=() tests each element by itself.

        Shapes: (*) -> () or (*) without `dim`; bool, but uint8 stays uint8.
        """
    def allclose(
            self, other: Tensor, rtol: builtins.float = 1e-05, atol: builtins.float = 1e-08,
            equal_nan: builtins.bool = False,
    ) -> builtins.bool:  # ops/compare.py
        """Whether all elements are close, as a Python bool. Shapes: (*), (*) -> bool."""
    def amax(
            self, dim: builtins.int | Sequence[builtins.int] | None = (), keepdim: builtins.bool =
            False, *, axis: builtins.int | Sequence[builtins.int] | None = (), keepdims:
            builtins.bool = False,
    ) -> Tensor:  # ops/extrema.py
        """The largest element over `dim` (int, tuple or all); ties share the gradient evenly.

        Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`.

        Raises:
            RuntimeError, IndexError: there are no elements to reduce.
        """
    def amin(
            self, dim: builtins.int | Sequence[builtins.int] | None = (), keepdim: builtins.bool =
            False, *, axis: builtins.int | Sequence[builtins.int] | None = (), keepdims:
            builtins.bool = False,
    ) -> Tensor:  # ops/extrema.py
        """The smallest element over `dim` (int, tuple or all); ties share the gradient evenly.

        Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`.

        Raises:
            RuntimeError, IndexError: there are no elements to reduce.
        """
    def aminmax(
            self, *, dim: builtins.int | None = None, axis: builtins.int | None = None, keepdim:
            builtins.bool = False, keepdims: builtins.bool = False,
    ) -> Aminmax:  # ops/extrema.py
        """The smallest and the largest element, as (min, max); ties share the gradient evenly.

        Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`; twice.

        Raises:
            RuntimeError, IndexError: there are no elements to reduce.
        """
    def any(
            self, dim: builtins.int | Sequence[builtins.int] | None = None, keepdim: builtins.bool =
            False, *, axis: builtins.int | Sequence[builtins.int] | None = None, keepdims:
            builtins.bool = False,
    ) -> Tensor:  # ops/reduce.py
        """Whether any element is nonzero; dim=() tests each element by itself.

        Shapes: (*) -> () or (*) without `dim`; bool, but uint8 stays uint8.
        """
    def apply_(self, callable: Any) -> Self:
        """Replaces each element by callable(element). Slow: one call of Python for each."""
    def arccos(self) -> Tensor:  # ops/elementwise.py
        """The inverse cosine, elementwise. Shapes: (*) -> (*)."""
    def arccos_(self) -> Self:  # ops/elementwise.py
        """As `arccos`, in place: writes into this Tensor and returns it."""
    def arccosh(self) -> Tensor:  # ops/elementwise.py
        """The inverse hyperbolic cosine, elementwise. Shapes: (*) -> (*)."""
    def arccosh_(self) -> Self:  # ops/elementwise.py
        """As `arccosh`, in place: writes into this Tensor and returns it."""
    def arcsin(self) -> Tensor:  # ops/elementwise.py
        """The inverse sine, elementwise. Shapes: (*) -> (*)."""
    def arcsin_(self) -> Self:  # ops/elementwise.py
        """As `arcsin`, in place: writes into this Tensor and returns it."""
    def arcsinh(self) -> Tensor:  # ops/elementwise.py
        """The inverse hyperbolic sine, elementwise. Shapes: (*) -> (*)."""
    def arcsinh_(self) -> Self:  # ops/elementwise.py
        """As `arcsinh`, in place: writes into this Tensor and returns it."""
    def arctan(self) -> Tensor:  # ops/elementwise.py
        """The inverse tangent, elementwise. Shapes: (*) -> (*)."""
    def arctan2(self, other: Operand) -> Tensor:  # ops/elementwise.py
        """The angle of the point (other, input), in [-π, π]. Shapes: (*), (*) -> the broadcast shape.

        Its gradients at the origin are 0.
        """
    def arctan2_(self, other: Operand) -> Self:  # ops/elementwise.py
        """As `arctan2`, in place: writes into this Tensor and returns it."""
    def arctan_(self) -> Self:  # ops/elementwise.py
        """As `arctan`, in place: writes into this Tensor and returns it."""
    def arctanh(self) -> Tensor:  # ops/elementwise.py
        """The inverse hyperbolic tangent, elementwise. Shapes: (*) -> (*)."""
    def arctanh_(self) -> Self:  # ops/elementwise.py
        """As `arctanh`, in place: writes into this Tensor and returns it."""
    def argmax(
            self, dim: builtins.int | None = None, keepdim: builtins.bool = False, *, axis:
            builtins.int | None = None, keepdims: builtins.bool = False,
    ) -> Tensor:  # ops/extrema.py
        """The index of the largest element along `dim` or in the flattened Tensor; the first at a tie.

        Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`; int64.
        """
    def argmin(
            self, dim: builtins.int | None = None, keepdim: builtins.bool = False, *, axis:
            builtins.int | None = None, keepdims: builtins.bool = False,
    ) -> Tensor:  # ops/extrema.py
        """The index of the smallest element along `dim` or in the flattened Tensor; the first at a tie.

        Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`; int64.
        """
    def argsort(
            self, dim: builtins.int = -1, descending: builtins.bool = False, *, axis: builtins.int =
            -1, stable: builtins.bool = False,
    ) -> Tensor:  # ops/sorting.py
        """The indices that sort along `dim` in ascending order, with NaN last.

        With `descending` NaN comes first. Always stable. Shapes: (*) -> (*), int64.
        """
    def argwhere(self) -> Tensor:  # ops/searching.py
        """The indices of nonzero elements, a row for each. Shapes: (*) -> (k, ndim), int64."""
    def as_strided(
            self, size: Sequence[builtins.int], stride: Sequence[builtins.int], storage_offset:
            builtins.int | None = None,
    ) -> Tensor:  # ops/diagonals.py
        """Element storage_offset + i stride[0] + j stride[1] + ... for (i, j, ...). Shapes: -> size."""
    def as_strided_(
            self, size: Sequence[builtins.int], stride: Sequence[builtins.int], storage_offset:
            builtins.int | None = None,
    ) -> Self:
        """As `as_strided`, in place: this Tensor shows those elements of its memory.

        Raises:
            RuntimeError: this Tensor requires grad; and as `as_strided`.
        """
    def as_strided_scatter(
            self, src: Tensor, size: Sequence[builtins.int], stride: Sequence[builtins.int],
            storage_offset: builtins.int | None = None,
    ) -> Tensor:  # ops/numerical.py
        """A copy in which as_strided(size, stride, storage_offset) is `src`. Shapes: (*), size -> (*).

        Raises:
            RuntimeError: src has another shape than the part; elements that lie beyond the input.
        """
    def as_subclass(self, cls: type[Tensor]) -> Any:
        """This Tensor, with its memory and its place in the graph, as an object of a subclass.

        Results of operations are Tensors: `__torch_function__` of the subclass is not called.

        Raises:
            TypeError: not Tensor or a class that inherits from it.
        """
    def asin(self) -> Tensor:  # ops/elementwise.py
        """The inverse sine, elementwise. Shapes: (*) -> (*)."""
    def asin_(self) -> Self:  # ops/elementwise.py
        """As `asin`, in place: writes into this Tensor and returns it."""
    def asinh(self) -> Tensor:  # ops/elementwise.py
        """The inverse hyperbolic sine, elementwise. Shapes: (*) -> (*)."""
    def asinh_(self) -> Self:  # ops/elementwise.py
        """As `asinh`, in place: writes into this Tensor and returns it."""
    def atan(self) -> Tensor:  # ops/elementwise.py
        """The inverse tangent, elementwise. Shapes: (*) -> (*)."""
    def atan2(self, other: Operand) -> Tensor:  # ops/elementwise.py
        """The angle of the point (other, input), in [-π, π]. Shapes: (*), (*) -> the broadcast shape.

        Its gradients at the origin are 0.
        """
    def atan2_(self, other: Operand) -> Self:  # ops/elementwise.py
        """As `atan2`, in place: writes into this Tensor and returns it."""
    def atan_(self) -> Self:  # ops/elementwise.py
        """As `atan`, in place: writes into this Tensor and returns it."""
    def atanh(self) -> Tensor:  # ops/elementwise.py
        """The inverse hyperbolic tangent, elementwise. Shapes: (*) -> (*)."""
    def atanh_(self) -> Self:  # ops/elementwise.py
        """As `atanh`, in place: writes into this Tensor and returns it."""
    def baddbmm(
            self, batch1: Tensor, batch2: Tensor, *, beta: builtins.float = 1, alpha: builtins.float
            = 1,
    ) -> Tensor:  # ops/linalg.py
        """beta * input + alpha * batch1 @ batch2.

        Shapes: (b, n, m) or broadcastable to it, (b, n, k), (b, k, m) -> (b, n, m).
        """
    def baddbmm_(
            self, batch1: Tensor, batch2: Tensor, *, beta: builtins.float = 1, alpha: builtins.float
            = 1,
    ) -> Self:  # ops/linalg.py
        """As `baddbmm`, in place: writes into this Tensor and returns it."""
    def bernoulli(
            self, p: builtins.float | None = None, *, generator: Generator | None = None,
    ) -> Tensor:
        """1 with the probability in each element of the input (or p), else 0. Shapes: (*) -> (*).

        Raises:
            RuntimeError: a probability outside of [0, 1].
        """
    def bernoulli_(
            self, p: Tensor | builtins.float = 0.5, *, generator: Generator | None = None,
    ) -> Self:
        """Fills with 1 with probability p (a number, or a Tensor that broadcasts), else 0."""
    def bfloat16(self) -> Tensor:
        """This Tensor as tinytensor.bfloat16."""
    def bincount(self, weights: Tensor | None = None, minlength: builtins.int = 0) -> Tensor:  # ops/searching.py
        """The number of occurrences of each integer from 0 to the largest, or the sum of its weights.

        Shapes: (n), (n) -> (at least minlength); int64, float32 with weights of float32, float64 with
        others.

        Raises:
            RuntimeError: negative integers; more than one dim; weights of another shape.
            NotImplementedError: a Tensor of floating point.
        """
    def bitwise_and(self, other: Operand) -> Tensor:  # ops/compare.py
        """Bitwise and; on bool, logical and. Shapes: (*), (*) -> the broadcast shape."""
    def bitwise_and_(self, other: Operand) -> Self:  # ops/compare.py
        """As `bitwise_and`, in place: writes into this Tensor and returns it."""
    def bitwise_left_shift(self, other: Operand) -> Tensor:  # ops/compare.py
        """input * 2 ** other; 0 where other is negative or all bits are shifted out.

        Shapes: (*), (*) -> the broadcast shape.

        Raises:
            RuntimeError: bool.
        """
    def bitwise_left_shift_(self, other: Operand) -> Self:  # ops/compare.py
        """As `bitwise_left_shift`, in place: writes into this Tensor and returns it."""
    def bitwise_not(self) -> Tensor:  # ops/compare.py
        """Bitwise not; on bool, logical not. Shapes: (*) -> (*)."""
    def bitwise_not_(self) -> Self:  # ops/compare.py
        """As `bitwise_not`, in place: writes into this Tensor and returns it."""
    def bitwise_or(self, other: Operand) -> Tensor:  # ops/compare.py
        """Bitwise or; on bool, logical or. Shapes: (*), (*) -> the broadcast shape."""
    def bitwise_or_(self, other: Operand) -> Self:  # ops/compare.py
        """As `bitwise_or`, in place: writes into this Tensor and returns it."""
    def bitwise_right_shift(self, other: Operand) -> Tensor:  # ops/compare.py
        """input / 2 ** other rounded down, keeping the sign.

        Shapes: (*), (*) -> the broadcast shape.

        Raises:
            RuntimeError: bool.
        """
    def bitwise_right_shift_(self, other: Operand) -> Self:  # ops/compare.py
        """As `bitwise_right_shift`, in place: writes into this Tensor and returns it."""
    def bitwise_xor(self, other: Operand) -> Tensor:  # ops/compare.py
        """Bitwise exclusive or. Shapes: (*), (*) -> the broadcast shape."""
    def bitwise_xor_(self, other: Operand) -> Self:  # ops/compare.py
        """As `bitwise_xor`, in place: writes into this Tensor and returns it."""
    def bmm(self, mat2: Tensor) -> Tensor:  # ops/linalg.py
        """The products of two batches of matrices. Shapes: (b, n, k), (b, k, m) -> (b, n, m).

        Raises:
            RuntimeError: not two batches of one size, or matrices that do not fit.
        """
    def bool(self) -> Tensor:
        """This Tensor as tinytensor.bool."""
    def broadcast_to(self, size: Sequence[builtins.int]) -> Tensor:  # ops/shape.py
        """The elements repeated to `shape`, as a view. Shapes: (*) -> shape."""
    def byte(self) -> Tensor:
        """This Tensor as tinytensor.uint8."""
    def cauchy_(
            self, median: builtins.float = 0, sigma: builtins.float = 1, *, generator: Generator |
            None = None,
    ) -> Self:
        """Fills with Cauchy distributed values."""
    def ceil(self) -> Tensor:  # ops/elementwise.py
        """Rounded up, elementwise; integers are unchanged. Shapes: (*) -> (*).

        Raises:
            RuntimeError: bool.
        """
    def ceil_(self) -> Self:  # ops/elementwise.py
        """As `ceil`, in place: writes into this Tensor and returns it."""
    def char(self) -> Tensor:
        """This Tensor as tinytensor.int8."""
    def cholesky(self, upper: builtins.bool = False) -> Tensor:  # ops/decomposition.py
        """As `linalg.cholesky`. Shapes: (*, n, n) -> (*, n, n)."""
    def cholesky_inverse(self, upper: builtins.bool = False) -> Tensor:  # ops/decomposition.py
        """The inverse of A from its Cholesky factor. Shapes: (*, n, n) -> (*, n, n)."""
    def cholesky_solve(self, L: Tensor, upper: builtins.bool = False) -> Tensor:  # ops/decomposition.py
        """X of A X = B from the Cholesky factor L of A. Shapes: (*, n, k), (*, n, n) -> (*, n, k)."""
    def chunk(
            self, chunks: builtins.int, dim: builtins.int = 0, *, axis: builtins.int = 0,
    ) -> tuple[Tensor, ...]:  # ops/index.py
        """At most `chunks` pieces of equal size (the last may be smaller), as views.

        Shapes: (n, *) -> (m, *), (m, *), ...
        """
    def clamp(self, min: Operand | None = None, max: Operand | None = None) -> Tensor:  # ops/elementwise.py
        """min(max(input, min), max), for bounds that are numbers, Tensors or None.

        Shapes: (*), bounds that broadcast -> the broadcast shape. At a bound the input
        gets the gradient.

        Raises:
            RuntimeError: neither bound is given.
        """
    def clamp_(self, min: Operand | None = None, max: Operand | None = None) -> Self:  # ops/elementwise.py
        """As `clamp`, in place: writes into this Tensor and returns it."""
    def clamp_max(self, max: Tensor | builtins.float) -> Tensor:  # ops/elementwise.py
        """min(input, max). Shapes: (*), (*) -> the broadcast shape."""
    def clamp_max_(self, max: Tensor | builtins.float) -> Self:  # ops/elementwise.py
        """As `clamp_max`, in place: writes into this Tensor and returns it."""
    def clamp_min(self, min: Tensor | builtins.float) -> Tensor:  # ops/elementwise.py
        """max(input, min). Shapes: (*), (*) -> the broadcast shape."""
    def clamp_min_(self, min: Tensor | builtins.float) -> Self:  # ops/elementwise.py
        """As `clamp_min`, in place: writes into this Tensor and returns it."""
    def clip(self, min: Operand | None = None, max: Operand | None = None) -> Tensor:  # ops/elementwise.py
        """min(max(input, min), max), for bounds that are numbers, Tensors or None.

        Shapes: (*), bounds that broadcast -> the broadcast shape. At a bound the input
        gets the gradient.

        Raises:
            RuntimeError: neither bound is given.
        """
    def clip_(self, min: Operand | None = None, max: Operand | None = None) -> Self:  # ops/elementwise.py
        """As `clip`, in place: writes into this Tensor and returns it."""
    def clone(self, *, memory_format: memory_format | None = None) -> Tensor:  # ops/shape.py
        """A copy with memory of its own; gradients flow back to the input. Shapes: (*) -> (*)."""
    def combinations(self, r: builtins.int = 2, with_replacement: builtins.bool = False) -> Tensor:  # ops/arrange.py
        """All choices of `r` elements of a vector, in order, as rows. Shapes: (n) -> (k, r).

        Raises:
            RuntimeError: not a vector; a negative r.
        """
    def conj(self) -> Tensor:
        """The Tensor itself: no Tensor is complex."""
    def conj_physical(self) -> Tensor:
        """The Tensor itself: no Tensor is complex."""
    def conj_physical_(self) -> Self:
        """The Tensor itself: no Tensor is complex."""
    def const_data_ptr(self) -> builtins.int:
        """The address of the first element; 0 on the device "meta"."""
    def contiguous(self, memory_format: memory_format | None = None) -> Tensor:  # ops/shape.py
        """The input itself if it is contiguous in memory, else a contiguous copy.

        Shapes: (*) -> (*).
        """
    def copy_(self, other: Tensor, non_blocking: builtins.bool = False) -> Self:
        """Writes the values of `other`, broadcast, into this Tensor, whatever their dtype."""
    def copysign(self, other: Operand) -> Tensor:  # ops/elementwise.py
        """|input| with the sign of `other`; no gradient flows to `other`.

        Shapes: (*), (*) -> the broadcast shape.
        """
    def copysign_(self, other: Operand) -> Self:  # ops/elementwise.py
        """As `copysign`, in place: writes into this Tensor and returns it."""
    def corrcoef(self) -> Tensor:  # ops/linalg.py
        """The correlation coefficients of variables, one a row: covariances over both deviations.

        Shapes: (n, m) -> (n, n), or (m) -> ().
        """
    def cos(self) -> Tensor:  # ops/elementwise.py
        """The cosine, elementwise. Shapes: (*) -> (*)."""
    def cos_(self) -> Self:  # ops/elementwise.py
        """As `cos`, in place: writes into this Tensor and returns it."""
    def cosh(self) -> Tensor:  # ops/elementwise.py
        """The hyperbolic cosine, elementwise. Shapes: (*) -> (*)."""
    def cosh_(self) -> Self:  # ops/elementwise.py
        """As `cosh`, in place: writes into this Tensor and returns it."""
    def cosine_similarity(
            self, x2: Tensor, dim: builtins.int = 1, eps: builtins.float = 1e-08, *, axis:
            builtins.int = 1,
    ) -> Tensor:  # ops/distance.py
        """x1 · x2 / (max(|x1|, eps) max(|x2|, eps)), after broadcasting.

        Shapes: (*, n, *), (*, n, *) -> (*).
        """
    def count_nonzero(
            self, dim: builtins.int | Sequence[builtins.int] | None = None, *, axis: builtins.int |
            Sequence[builtins.int] | None = None,
    ) -> Tensor:  # ops/reduce.py
        """The number of nonzero elements over `dim` (int, tuple or all).

        Shapes: (*) -> () or (*) without `dim`; int64.
        """
    def cov(
            self, *, correction: builtins.int = 1, fweights: Tensor | None = None, aweights: Tensor
            | None = None,
    ) -> Tensor:  # ops/linalg.py
        """The covariances of variables, one a row, over their observations, one a column.

        `fweights` are numbers of repetitions, `aweights` weights of importance, of each observation.

        Shapes: (n, m), weights (m) -> (n, n), or (m) -> ().

        Raises:
            RuntimeError: more than 2 dims; fweights that are not integers, aweights that are not
                floating point, or negative ones.
        """
    def cross(
            self, other: Operand, dim: builtins.int | Sequence[builtins.int] | None = None, *, axis:
            builtins.int | Sequence[builtins.int] | None = None,
    ) -> Tensor:  # ops/linalg.py
        """As `linalg.cross`, along the first dim of 3 elements unless `dim` is given.

        Shapes: (*, 3, *), (*, 3, *) -> (*, 3, *).

        Raises:
            RuntimeError: other than 3 elements along `dim`.
        """
    def cummax(self, dim: builtins.int) -> ValuesAndIndices:  # ops/scan.py
        """(values, indices) of the largest element so far along `dim`; the last at a tie.

        Shapes: (*) -> (*), (*).
        """
    def cummin(self, dim: builtins.int) -> ValuesAndIndices:  # ops/scan.py
        """(values, indices) of the smallest element so far along `dim`; the last at a tie.

        Shapes: (*) -> (*), (*).
        """
    def cumprod(
            self, dim: builtins.int | None = None, *, dtype: DTypeLike | None = None, axis:
            builtins.int | None = None,
    ) -> Tensor:  # ops/scan.py
        """out_i = Π input_j over j <= i along `dim`; integers and bool give int64.

        Shapes: (*) -> (*). The gradient needs no division, so it is exact at zeros.
        """
    def cumprod_(
            self, dim: builtins.int | None = None, *, dtype: DTypeLike | None = None, axis:
            builtins.int | None = None,
    ) -> Self:  # ops/scan.py
        """As `cumprod`, in place: writes into this Tensor and returns it."""
    def cumsum(
            self, dim: builtins.int | None = None, *, dtype: DTypeLike | None = None, axis:
            builtins.int | None = None,
    ) -> Tensor:  # ops/scan.py
        """out_i = Σ input_j over j <= i along `dim`; integers and bool give int64.

        Shapes: (*) -> (*).
        """
    def cumsum_(
            self, dim: builtins.int | None = None, *, dtype: DTypeLike | None = None, axis:
            builtins.int | None = None,
    ) -> Self:  # ops/scan.py
        """As `cumsum`, in place: writes into this Tensor and returns it."""
    def deg2rad(self) -> Tensor:  # ops/elementwise.py
        """Degrees as radians. Shapes: (*) -> (*)."""
    def deg2rad_(self) -> Self:  # ops/elementwise.py
        """As `deg2rad`, in place: writes into this Tensor and returns it."""
    def det(self) -> Tensor:  # ops/decomposition.py
        """The determinant. Shapes: (*, n, n) -> (*). Giles 2008, section 2.2.4.

        Its derivative is the cofactor matrix, for singular matrices too. (There PyTorch's gradient is
        0, even if the cofactors are not.)

        Raises:
            RuntimeError: not square, or not of float32 or float64.
        """
    def diag(self, diagonal: builtins.int = 0) -> Tensor:  # ops/diagonals.py
        """The matrix with a vector as its diagonal, or a copy of a matrix's diagonal.

        Shapes: (n) -> (n, n), or (n, m) -> (k).

        Raises:
            RuntimeError: neither a vector nor a matrix.
        """
    def diag_embed(
            self, offset: builtins.int = 0, dim1: builtins.int = -2, dim2: builtins.int = -1,
    ) -> Tensor:  # ops/diagonals.py
        """Square matrices with the last dim as a diagonal, in two new dims, and 0 elsewhere.

        Shapes: (*, k) -> (*, k + |offset|, k + |offset|).

        Raises:
            RuntimeError: the dims are the same.
        """
    def diagflat(self, offset: builtins.int = 0) -> Tensor:  # ops/diagonals.py
        """The matrix with the flattened input as its diagonal. Shapes: (*) -> (k, k)."""
    def diagonal(
            self, offset: builtins.int = 0, dim1: builtins.int = 0, dim2: builtins.int = 1,
    ) -> Tensor:  # ops/diagonals.py
        """The diagonal of the matrices in two dims, in the last dim, as a view.

        `offset` is the distance above the main diagonal. Shapes: (n, m, *) -> (*, k).

        Raises:
            RuntimeError: the dims are the same.
        """
    def diagonal_scatter(
            self, src: Tensor, offset: builtins.int = 0, dim1: builtins.int = 0, dim2: builtins.int
            = 1,
    ) -> Tensor:  # ops/numerical.py
        """A copy in which diagonal(offset, dim1, dim2) is `src`. Shapes: (*), that of the part -> (*).

        Raises:
            IndexError: a dim that does not exist.
            RuntimeError: src has another shape than the part; the dims are the same.
        """
    def diff(
            self, n: builtins.int = 1, dim: builtins.int = -1, prepend: Tensor | None = None,
            append: Tensor | None = None, *, axis: builtins.int = -1,
    ) -> Tensor:  # ops/scan.py
        """input_{i+1} - input_i along `dim`, applied `n` times; for bool, whether they differ.

        Shapes: (*, m, *) -> (*, m - n, *), where m includes what is prepended and appended. With n = 0
        nothing is, as in PyTorch.

        Raises:
            RuntimeError: a 0-d Tensor; n < 0.
        """
    def digamma(self) -> Tensor:  # ops/gamma.py
        """The derivative of lgamma; NaN at -1, -2, ..., -inf at 0. Shapes: (*) -> (*).

        A polynomial on [1, 2], the recurrence up to 8, then the asymptotic series; the reflection
        formula for negative input.
        """
    def digamma_(self) -> Self:  # ops/gamma.py
        """As `digamma`, in place: writes into this Tensor and returns it."""
    def dist(self, other: Tensor, p: builtins.float = 2) -> Tensor:  # ops/norms.py
        """The p-norm of input - other. Shapes: (*), (*) that broadcast -> ()."""
    def div(self, other: Operand | builtins.float, *, rounding_mode: str | None = None) -> Tensor:  # ops/elementwise.py
        """input / other; with rounding_mode "floor" or "trunc", rounded down or towards zero.

        Shapes: (*), (*) -> the broadcast shape.
        """
    def div_(self, other: Operand | builtins.float, *, rounding_mode: str | None = None) -> Self:  # ops/elementwise.py
        """As `div`, in place: writes into this Tensor and returns it."""
    def divide(
            self, other: Operand | builtins.float, *, rounding_mode: str | None = None,
    ) -> Tensor:  # ops/elementwise.py
        """input / other; with rounding_mode "floor" or "trunc", rounded down or towards zero.

        Shapes: (*), (*) -> the broadcast shape.
        """
    def divide_(self, other: Operand | builtins.float, *, rounding_mode: str | None = None) -> Self:  # ops/elementwise.py
        """As `divide`, in place: writes into this Tensor and returns it."""
    def dot(self, tensor: Tensor) -> Tensor:  # ops/linalg.py
        """Σ input * tensor of two vectors. Shapes: (n), (n) -> ().

        Raises:
            RuntimeError: not two vectors of one size.
        """
    def double(self) -> Tensor:
        """This Tensor as tinytensor.float64."""
    def dsplit(
            self, indices_or_sections: builtins.int | Sequence[builtins.int],
    ) -> tuple[Tensor, ...]:  # ops/arrange.py
        """Equal pieces along dim 2, or pieces between positions, as
        views. Shapes: (n, m, k) -> (n, m, k1), (n, m, k2), ...
        """
    def eq(self, other: Operand) -> Tensor:  # ops/compare.py
        """Whether input == other, elementwise. Shapes: (*), (*) -> the broadcast shape, bool."""
    def eq_(self, other: Operand) -> Self:  # ops/compare.py
        """As `eq`, in place: writes into this Tensor and returns it."""
    def equal(self, other: Tensor) -> builtins.bool:  # ops/compare.py
        """Whether shapes and all elements are equal, as a Python bool. Shapes: (*), (*) -> bool."""
    def erf(self) -> Tensor:  # ops/special.py
        """The error function 2/√π ∫ e**-t² dt from 0 to input. Shapes: (*) -> (*).

        A rational approximation after Cody 1969.
        """
    def erf_(self) -> Self:  # ops/special.py
        """As `erf`, in place: writes into this Tensor and returns it."""
    def erfc(self) -> Tensor:  # ops/special.py
        """1 - erf(input), exact also where it is tiny. Shapes: (*) -> (*).

        A rational approximation after Cody 1969.
        """
    def erfc_(self) -> Self:  # ops/special.py
        """As `erfc`, in place: writes into this Tensor and returns it."""
    def erfinv(self) -> Tensor:  # ops/special.py
        """The inverse of erf, for input in [-1, 1]; NaN outside. Shapes: (*) -> (*).

        Winitzki's approximation (2008), then two of Halley's steps.
        """
    def erfinv_(self) -> Self:  # ops/special.py
        """As `erfinv`, in place: writes into this Tensor and returns it."""
    def exp(self) -> Tensor:  # ops/elementwise.py
        """e ** input, elementwise. Shapes: (*) -> (*)."""
    def exp2(self) -> Tensor:  # ops/elementwise.py
        """2 ** input, elementwise. Shapes: (*) -> (*)."""
    def exp2_(self) -> Self:  # ops/elementwise.py
        """As `exp2`, in place: writes into this Tensor and returns it."""
    def exp_(self) -> Self:  # ops/elementwise.py
        """As `exp`, in place: writes into this Tensor and returns it."""
    def expand(self, *size: builtins.int | Sequence[builtins.int]) -> Tensor:  # ops/shape.py
        """Dims of size 1 repeated to `size`, where -1 keeps a size; a view. Shapes: (n, 1) -> (n, m).

        Raises:
            RuntimeError: a size other than 1 would change.
        """
    def expand_as(self, other: Tensor) -> Tensor:  # ops/shape.py
        """Expanded to the shape of `other`. Shapes: (n, 1), (n, m) -> (n, m)."""
    def expm1(self) -> Tensor:  # ops/elementwise.py
        """e ** input - 1, exact near 0, elementwise. Shapes: (*) -> (*)."""
    def expm1_(self) -> Self:  # ops/elementwise.py
        """As `expm1`, in place: writes into this Tensor and returns it."""
    def exponential_(
            self, lambd: builtins.float = 1, *, generator: Generator | None = None,
    ) -> Self:
        """Fills with exponentially distributed values of rate lambd."""
    def fill_(self, value: Operand) -> Self:
        """Writes one value into every element."""
    def fill_diagonal_(self, fill_value: builtins.float, wrap: builtins.bool = False) -> Self:
        """Writes one value into the main diagonal of a matrix, or of a Tensor of equal sizes.

        With `wrap` the diagonal of a tall matrix begins again, one row below each square block.

        Raises:
            RuntimeError: fewer than 2 dims; more than 2, and sizes that differ.
        """
    def fix(self) -> Tensor:  # ops/elementwise.py
        """Rounded towards zero, elementwise; integers are unchanged. Shapes: (*) -> (*).

        Raises:
            RuntimeError: bool.
        """
    def fix_(self) -> Self:  # ops/elementwise.py
        """As `fix`, in place: writes into this Tensor and returns it."""
    def flatten(self, start_dim: builtins.int = 0, end_dim: builtins.int = -1) -> Tensor:  # ops/shape.py
        """Dims start_dim to end_dim as one. Shapes: (a, b, c) -> (a, b * c)."""
    def flip(self, *dims: builtins.int | Sequence[builtins.int]) -> Tensor:  # ops/index.py
        """The order along `dims` reversed, as a copy. Shapes: (*) -> (*)."""
    def fliplr(self) -> Tensor:  # ops/arrange.py
        """Reverses dim 1, as a copy. Shapes: (n, m, *) -> (n, m, *)."""
    def flipud(self) -> Tensor:  # ops/arrange.py
        """Reverses dim 0, as a copy. Shapes: (n, *) -> (n, *)."""
    def float(self) -> Tensor:
        """This Tensor as tinytensor.float32."""
    def float_power(self, exponent: Tensor | builtins.float) -> Tensor:  # ops/elementwise.py
        """input ** exponent computed in float64. Shapes: (*), (*) -> the broadcast shape, float64."""
    def float_power_(self, exponent: Tensor | builtins.float) -> Self:  # ops/elementwise.py
        """As `float_power`, in place: writes into this Tensor and returns it."""
    def floor(self) -> Tensor:  # ops/elementwise.py
        """Rounded down, elementwise; integers are unchanged. Shapes: (*) -> (*).

        Raises:
            RuntimeError: bool.
        """
    def floor_(self) -> Self:  # ops/elementwise.py
        """As `floor`, in place: writes into this Tensor and returns it."""
    def floor_divide(self, other: Operand) -> Tensor:  # ops/elementwise.py
        """input / other rounded down; its derivative is 0. Shapes: (*), (*) -> the broadcast shape.

        Raises:
            RuntimeError: integers divided by 0; bool.
        """
    def floor_divide_(self, other: Operand) -> Self:  # ops/elementwise.py
        """As `floor_divide`, in place: writes into this Tensor and returns it."""
    def fmax(self, other: Operand) -> Tensor:  # ops/elementwise.py
        """The larger of two, ignoring NaN; at a tie the input gets the gradient.

        Shapes: (*), (*) -> the broadcast shape.
        """
    def fmin(self, other: Operand) -> Tensor:  # ops/elementwise.py
        """The smaller of two, ignoring NaN; at a tie the input gets the gradient.

        Shapes: (*), (*) -> the broadcast shape.
        """
    def fmod(self, other: Operand) -> Tensor:  # ops/elementwise.py
        """input - other * trunc(input / other), with the sign of `input`: C's fmod.

        Shapes: (*), (*) -> the broadcast shape.

        Raises:
            RuntimeError: integers divided by 0; bool.
        """
    def fmod_(self, other: Operand) -> Self:  # ops/elementwise.py
        """As `fmod`, in place: writes into this Tensor and returns it."""
    def frac(self) -> Tensor:  # ops/elementwise.py
        """input - trunc(input), elementwise. Shapes: (*) -> (*)."""
    def frac_(self) -> Self:  # ops/elementwise.py
        """As `frac`, in place: writes into this Tensor and returns it."""
    def frexp(self) -> Frexp:  # ops/numerical.py
        """The parts of input = mantissa * 2**exponent, with 0.5 <= |mantissa| < 1. Shapes: (*) -> (*)
        twice, the exponent of int32.
        """
    def gather(
            self, dim: builtins.int, index: Tensor, *, sparse_grad: builtins.bool = False,
    ) -> Tensor:  # ops/gather.py
        """out[i][j][k] = input[i][index[i][j][k]][k] for dim 1, and so on.

        Unlike `take_along_dim` it does not broadcast: a smaller index reads only a part of the input.

        Shapes: (*, n, *), (+, k, +) no larger elsewhere -> (+, k, +).

        Raises:
            RuntimeError: other ranks or sizes.
            IndexError: a position outside of [0, n - 1].
        """
    def gcd(self, other: Operand) -> Tensor:  # ops/elementwise.py
        """The greatest common divisor, elementwise; gcd(0, 0) is 0.

        Shapes: (*), (*) -> the broadcast shape.

        Raises:
            RuntimeError: operands that are not integers.
        """
    def gcd_(self, other: Operand) -> Self:  # ops/elementwise.py
        """As `gcd`, in place: writes into this Tensor and returns it."""
    def ge(self, other: Operand) -> Tensor:  # ops/compare.py
        """Whether input >= other, elementwise. Shapes: (*), (*) -> the broadcast shape, bool."""
    def ge_(self, other: Operand) -> Self:  # ops/compare.py
        """As `ge`, in place: writes into this Tensor and returns it."""
    def geometric_(self, p: builtins.float, *, generator: Generator | None = None) -> Self:
        """Fills with the number of trials until the first success, at probability p each: 1, 2, ..."""
    def geqrf(self) -> Geqrf:  # ops/householder.py
        """(a, tau) of the QR decomposition by Householder reflections, as LAPACK gives it.

        R is the upper triangle of a, and Q is `linalg.householder_product(a, tau)` for m >= n. There
        is no gradient; `linalg.qr` has one.

        Shapes: (*, m, n) -> (*, m, n), (*, min(m, n)).

        Raises:
            RuntimeError: not floating point, or fewer than 2 dims.
        """
    def ger(self, vec2: Tensor) -> Tensor:  # ops/linalg.py
        """The products of all pairs of elements of two vectors. Shapes: (n), (m) -> (n, m).

        Raises:
            RuntimeError: not two vectors.
        """
    def greater(self, other: Operand) -> Tensor:  # ops/compare.py
        """Whether input > other, elementwise. Shapes: (*), (*) -> the broadcast shape, bool."""
    def greater_(self, other: Operand) -> Self:  # ops/compare.py
        """As `greater`, in place: writes into this Tensor and returns it."""
    def greater_equal(self, other: Operand) -> Tensor:  # ops/compare.py
        """Whether input >= other, elementwise. Shapes: (*), (*) -> the broadcast shape, bool."""
    def greater_equal_(self, other: Operand) -> Self:  # ops/compare.py
        """As `greater_equal`, in place: writes into this Tensor and returns it."""
    def gt(self, other: Operand) -> Tensor:  # ops/compare.py
        """Whether input > other, elementwise. Shapes: (*), (*) -> the broadcast shape, bool."""
    def gt_(self, other: Operand) -> Self:  # ops/compare.py
        """As `gt`, in place: writes into this Tensor and returns it."""
    def half(self) -> Tensor:
        """This Tensor as tinytensor.float16."""
    def hardshrink(self, lambd: builtins.float = 0.5) -> Tensor:  # ops/activation.py
        """x, or 0 where |x| <= lambd. Shapes: (*) -> (*)."""
    def heaviside(self, values: Tensor) -> Tensor:  # ops/elementwise.py
        """0 below 0 and for NaN, `values` at 0, 1 above 0; without gradient.

        Shapes: (*), (*) -> the broadcast shape.
        """
    def heaviside_(self, values: Tensor) -> Self:  # ops/elementwise.py
        """As `heaviside`, in place: writes into this Tensor and returns it."""
    def histc(
            self, bins: builtins.int = 100, min: builtins.float = 0, max: builtins.float = 0,
    ) -> Tensor:  # ops/searching.py
        """The number of elements in each of `bins` equal bins of [min, max]; others are ignored.

        If min == max, the bins span the smallest to the largest element. Shapes: (*) -> (bins).

        Raises:
            RuntimeError: no bins; max < min; bounds that are not finite.
            NotImplementedError: integers.
        """
    def histogram(
            self, bins: Tensor | builtins.int | Sequence[builtins.int] = 100, *, range:
            tuple[builtins.float, builtins.float] | None = None, weight: Tensor | None = None,
            density: builtins.bool = False,
    ) -> Histogram:  # ops/searching.py
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
    def hsplit(
            self, indices_or_sections: builtins.int | Sequence[builtins.int],
    ) -> tuple[Tensor, ...]:  # ops/arrange.py
        """Equal pieces along dim 1 (of a vector along 0), or pieces
        between positions, as views. Shapes: (n, m) -> (n, m1), (n, m2), ...
        """
    def hypot(self, other: Operand) -> Tensor:  # ops/elementwise.py
        """√(input² + other²) without overflow. Shapes: (*), (*) -> the broadcast shape."""
    def hypot_(self, other: Operand) -> Self:  # ops/elementwise.py
        """As `hypot`, in place: writes into this Tensor and returns it."""
    def i0(self) -> Tensor:  # ops/bessel.py
        """The modified Bessel function I0(input). Shapes: (*) -> (*). Cephes."""
    def i0_(self) -> Self:  # ops/bessel.py
        """As `i0`, in place: writes into this Tensor and returns it."""
    def igamma(self, other: Operand) -> Tensor:  # ops/gamma.py
        """The regularised lower incomplete gamma function P(a, x) = ∫ tᵃ⁻¹ e⁻ᵗ dt from 0 to x, / Γ(a).

        Shapes: (*), (*) -> the broadcast shape. a is `input` and x is `other`. A series, a continued
        fraction, or for large a quadrature. The gradient by a can be taken once.
        """
    def igamma_(self, other: Operand) -> Self:  # ops/gamma.py
        """As `igamma`, in place: writes into this Tensor and returns it."""
    def igammac(self, other: Operand) -> Tensor:  # ops/gamma.py
        """The regularised upper incomplete gamma function Q(a, x) = 1 - P(a, x).

        Shapes: (*), (*) -> the broadcast shape. As `igamma`.
        """
    def igammac_(self, other: Operand) -> Self:  # ops/gamma.py
        """As `igammac`, in place: writes into this Tensor and returns it."""
    def index_add(
            self, dim: builtins.int, index: Tensor, source: Tensor, *, alpha: builtins.float = 1,
    ) -> Tensor:  # ops/gather.py
        """The input with alpha * source added to the slices at `index` along `dim`.

        Shapes: (*, n, *), (k), (*, k, *) -> (*, n, *).

        Raises:
            RuntimeError: another shape or dtype of the source.
            IndexError: a position outside of [0, n - 1].
        """
    def index_add_(
            self, dim: builtins.int, index: Tensor, source: Tensor, *, alpha: builtins.float = 1,
    ) -> Self:  # ops/gather.py
        """As `index_add`, in place: writes into this Tensor and returns it."""
    def index_copy(self, dim: builtins.int, index: Tensor, source: Tensor) -> Tensor:  # ops/gather.py
        """The input with the slices at `index` along `dim` replaced by those of the source.

        Shapes: (*, n, *), (k), (*, k, *) -> (*, n, *).

        Raises:
            RuntimeError: another shape or dtype of the source.
            IndexError: a position outside of [0, n - 1].
        """
    def index_copy_(self, dim: builtins.int, index: Tensor, source: Tensor) -> Self:  # ops/gather.py
        """As `index_copy`, in place: writes into this Tensor and returns it."""
    def index_fill(self, dim: builtins.int, index: Tensor, value: Operand) -> Tensor:  # ops/gather.py
        """The input with one value, a number or 0-d Tensor, in the slices at `index` along `dim`.

        Shapes: (*, n, *), (k), () -> (*, n, *).

        Raises:
            IndexError: a position outside of [-n, n - 1].
        """
    def index_fill_(self, dim: builtins.int, index: Tensor, value: Operand) -> Self:  # ops/gather.py
        """As `index_fill`, in place: writes into this Tensor and returns it."""
    def index_put(
            self, indices: Sequence[Tensor], values: Operand, accumulate: builtins.bool = False,
    ) -> Tensor:  # ops/gather.py
        """A copy with `values` written at input[indices], or added, where repeats accumulate.

        Shapes: (*), index Tensors as in input[indices], what they select -> (*).

        Raises:
            RuntimeError: another dtype; values that do not fit.
            IndexError: a position that does not exist.
        """
    def index_put_(
            self, indices: Sequence[Tensor], values: Operand, accumulate: builtins.bool = False,
    ) -> Self:  # ops/gather.py
        """As `index_put`, in place: writes into this Tensor and returns it."""
    def index_reduce(
            self, dim: builtins.int, index: Tensor, source: Tensor, reduce: str, *, include_self:
            builtins.bool = True,
    ) -> Tensor:  # ops/gather.py
        """Reduces the slices at `index` along `dim` with those of the source, by "prod", "mean",
        "amax" or "amin".

        `include_self=False` excludes the input's slice where at least one is written.

        Shapes: (*, n, *), (k), (*, k, *) -> (*, n, *).

        Raises:
            RuntimeError: another shape or dtype of the source; another `reduce`.
            IndexError: a position outside of [0, n - 1].
        """
    def index_reduce_(
            self, dim: builtins.int, index: Tensor, source: Tensor, reduce: str, *, include_self:
            builtins.bool = True,
    ) -> Self:  # ops/gather.py
        """As `index_reduce`, in place: writes into this Tensor and returns it."""
    def index_select(self, dim: builtins.int, index: Tensor) -> Tensor:  # ops/gather.py
        """The slices at the positions `index` along `dim`. Shapes: (*, n, *), (k) -> (*, k, *).

        Raises:
            IndexError: a position outside of [0, n - 1].
        """
    def inner(self, other: Tensor) -> Tensor:  # ops/linalg.py
        """Sums of products over the last dims. Shapes: (*, n), (+, n) -> (*, +); a 0-d one scales.

        Raises:
            RuntimeError: the last sizes differ.
        """
    def int(self) -> Tensor:
        """This Tensor as tinytensor.int32."""
    def inverse(self) -> Tensor:  # ops/solving.py
        """As `linalg.inv`: the inverse of square matrices. Shapes: (*, n, n) -> (*, n, n)."""
    def is_conj(self) -> builtins.bool:
        """False: no Tensor is complex."""
    def is_neg(self) -> builtins.bool:
        """False: no Tensor is complex."""
    def is_nonzero(self) -> builtins.bool:
        """Whether the only element is nonzero."""
    def is_pinned(self, device: DeviceLike | None = None) -> builtins.bool:
        """Whether the Tensor lies in pinned memory, which `pin_memory()` copies to."""
    def is_set_to(self, tensor: Tensor) -> builtins.bool:
        """Whether both Tensors show the same elements of the same memory, in the same order."""
    def is_shared(self) -> builtins.bool:
        """False: memory is not shared with other processes."""
    def isclose(
            self, other: Tensor, rtol: builtins.float = 1e-05, atol: builtins.float = 1e-08,
            equal_nan: builtins.bool = False,
    ) -> Tensor:  # ops/compare.py
        """|input - other| <= atol + rtol * |other|; an infinity is close only to itself.

        Shapes: (*), (*) -> the broadcast shape, bool.

        Raises:
            RuntimeError: the dtypes differ; rtol or atol is negative.
        """
    def isfinite(self) -> Tensor:  # ops/compare.py
        """Whether each element is neither NaN nor infinite. Shapes: (*) -> (*), bool."""
    def isinf(self) -> Tensor:  # ops/compare.py
        """Whether each element is inf or -inf. Shapes: (*) -> (*), bool."""
    def isnan(self) -> Tensor:  # ops/compare.py
        """Whether each element is NaN. Shapes: (*) -> (*), bool."""
    def isneginf(self) -> Tensor:  # ops/compare.py
        """Whether each element is -inf. Shapes: (*) -> (*), bool."""
    def isposinf(self) -> Tensor:  # ops/compare.py
        """Whether each element is inf. Shapes: (*) -> (*), bool."""
    def isreal(self) -> Tensor:  # ops/compare.py
        """True: all elements are real numbers. Shapes: (*) -> (*), bool."""
    def kron(self, other: Tensor) -> Tensor:  # ops/linalg.py
        """The Kronecker product: the blocks input[i, j] * other. Shapes: (n, m), (k, l) -> (nk, ml)."""
    def kthvalue(
            self, k: builtins.int, dim: builtins.int = -1, keepdim: builtins.bool = False, *, axis:
            builtins.int = -1, keepdims: builtins.bool = False,
    ) -> ValuesAndIndices:  # ops/sorting.py
        """(values, indices) of the k-th smallest element along `dim`, counted from 1. NaN is largest.

        Shapes: (*) -> (*) without `dim`, or with it as 1 if `keepdim`; twice.

        Raises:
            RuntimeError: k is not in [1, n].
            NotImplementedError: a bool Tensor.
        """
    def lcm(self, other: Operand) -> Tensor:  # ops/elementwise.py
        """The least common multiple, elementwise; 0 where one of the two is 0.

        Shapes: (*), (*) -> the broadcast shape.

        Raises:
            RuntimeError: operands that are not integers.
        """
    def lcm_(self, other: Operand) -> Self:  # ops/elementwise.py
        """As `lcm`, in place: writes into this Tensor and returns it."""
    def ldexp(self, other: Operand | builtins.float) -> Tensor:  # ops/numerical.py
        """input * 2**other, rounded once: 2**other itself may exceed the range of the dtype.

        Shapes: (*), (*) -> the broadcast shape.
        """
    def ldexp_(self, other: Operand | builtins.float) -> Self:  # ops/numerical.py
        """As `ldexp`, in place: writes into this Tensor and returns it."""
    def le(self, other: Operand) -> Tensor:  # ops/compare.py
        """Whether input <= other, elementwise. Shapes: (*), (*) -> the broadcast shape, bool."""
    def le_(self, other: Operand) -> Self:  # ops/compare.py
        """As `le`, in place: writes into this Tensor and returns it."""
    def lerp(self, end: Tensor, weight: Operand) -> Tensor:  # ops/elementwise.py
        """input + weight * (end - input), exact at both ends; `weight` is a Tensor or a number.

        Shapes: (*), (*), (*) -> the broadcast shape.

        Raises:
            RuntimeError: the dtypes differ, or are not floating point.
        """
    def lerp_(self, end: Tensor, weight: Operand) -> Self:  # ops/elementwise.py
        """As `lerp`, in place: writes into this Tensor and returns it."""
    def less(self, other: Operand) -> Tensor:  # ops/compare.py
        """Whether input < other, elementwise. Shapes: (*), (*) -> the broadcast shape, bool."""
    def less_(self, other: Operand) -> Self:  # ops/compare.py
        """As `less`, in place: writes into this Tensor and returns it."""
    def less_equal(self, other: Operand) -> Tensor:  # ops/compare.py
        """Whether input <= other, elementwise. Shapes: (*), (*) -> the broadcast shape, bool."""
    def less_equal_(self, other: Operand) -> Self:  # ops/compare.py
        """As `less_equal`, in place: writes into this Tensor and returns it."""
    def lgamma(self) -> Tensor:  # ops/gamma.py
        """log |Γ(input)|, infinite at 0, -1, -2, ... Shapes: (*) -> (*).

        Polynomials on [1, 2], the recurrence up to 8, then Stirling's series; the reflection formula
        for negative input.
        """
    def lgamma_(self) -> Self:  # ops/gamma.py
        """As `lgamma`, in place: writes into this Tensor and returns it."""
    def log(self) -> Tensor:  # ops/elementwise.py
        """The natural logarithm, elementwise. Shapes: (*) -> (*)."""
    def log10(self) -> Tensor:  # ops/elementwise.py
        """The logarithm to base 10, elementwise. Shapes: (*) -> (*)."""
    def log10_(self) -> Self:  # ops/elementwise.py
        """As `log10`, in place: writes into this Tensor and returns it."""
    def log1p(self) -> Tensor:  # ops/elementwise.py
        """log(1 + input), exact near 0, elementwise. Shapes: (*) -> (*)."""
    def log1p_(self) -> Self:  # ops/elementwise.py
        """As `log1p`, in place: writes into this Tensor and returns it."""
    def log2(self) -> Tensor:  # ops/elementwise.py
        """The logarithm to base 2, elementwise. Shapes: (*) -> (*)."""
    def log2_(self) -> Self:  # ops/elementwise.py
        """As `log2`, in place: writes into this Tensor and returns it."""
    def log_(self) -> Self:  # ops/elementwise.py
        """As `log`, in place: writes into this Tensor and returns it."""
    def log_normal_(
            self, mean: builtins.float = 1, std: builtins.float = 2, *, generator: Generator | None
            = None,
    ) -> Self:
        """Fills with e ** x for normally distributed x of this mean and standard deviation."""
    def log_softmax(
            self, dim: builtins.int | None = None, dtype: DTypeLike | None = None, *, axis:
            builtins.int | None = None,
    ) -> Tensor:  # ops/activation.py
        """x - log Σ e**x along a dim, without overflow. Shapes: (*) -> (*)."""
    def logaddexp(self, other: Operand) -> Tensor:  # ops/special.py
        """log(e**input + e**other) without overflow. Shapes: (*), (*) -> the broadcast shape."""
    def logaddexp2(self, other: Operand) -> Tensor:  # ops/special.py
        """log2(2**input + 2**other) without overflow. Shapes: (*), (*) -> the broadcast shape."""
    def logcumsumexp(self, dim: builtins.int) -> Tensor:  # ops/scan.py
        """out_i = log Σ e**input_j over j <= i along `dim`, without overflow. Shapes: (*) -> (*).

        Raises:
            NotImplementedError: the input is not of floating point.
        """
    def logdet(self) -> Tensor:  # ops/decomposition.py
        """log det; NaN if the determinant is negative. Shapes: (*, n, n) -> (*)."""
    def logical_and(self, other: Operand) -> Tensor:  # ops/compare.py
        """Whether both elements are nonzero. Shapes: (*), (*) -> the broadcast shape, bool."""
    def logical_and_(self, other: Operand) -> Self:  # ops/compare.py
        """As `logical_and`, in place: writes into this Tensor and returns it."""
    def logical_not(self) -> Tensor:  # ops/compare.py
        """Whether each element is 0 or False. Shapes: (*) -> (*), bool."""
    def logical_not_(self) -> Self:  # ops/compare.py
        """As `logical_not`, in place: writes into this Tensor and returns it."""
    def logical_or(self, other: Operand) -> Tensor:  # ops/compare.py
        """Whether at least one element is nonzero. Shapes: (*), (*) -> the broadcast shape, bool."""
    def logical_or_(self, other: Operand) -> Self:  # ops/compare.py
        """As `logical_or`, in place: writes into this Tensor and returns it."""
    def logical_xor(self, other: Operand) -> Tensor:  # ops/compare.py
        """Whether exactly one element is nonzero. Shapes: (*), (*) -> the broadcast shape, bool."""
    def logical_xor_(self, other: Operand) -> Self:  # ops/compare.py
        """As `logical_xor`, in place: writes into this Tensor and returns it."""
    def logit(self, eps: builtins.float | None = None) -> Tensor:  # ops/special.py
        """log(x / (1 - x)), the inverse of sigmoid; with `eps`, x is clamped to [eps, 1 - eps].

        Shapes: (*) -> (*).
        """
    def logit_(self, eps: builtins.float | None = None) -> Self:  # ops/special.py
        """As `logit`, in place: writes into this Tensor and returns it."""
    def logsumexp(
            self, dim: builtins.int | Sequence[builtins.int] | None, keepdim: builtins.bool = False,
            *, keepdims: builtins.bool = False,
    ) -> Tensor:  # ops/reduce.py
        """log Σ e**input, without overflow. Shapes: (*) -> (*) without `dim`."""
    def long(self) -> Tensor:
        """This Tensor as tinytensor.int64."""
    def lt(self, other: Operand) -> Tensor:  # ops/compare.py
        """Whether input < other, elementwise. Shapes: (*), (*) -> the broadcast shape, bool."""
    def lt_(self, other: Operand) -> Self:  # ops/compare.py
        """As `lt`, in place: writes into this Tensor and returns it."""
    def map_(self, tensor: Tensor, callable: Any) -> Self:
        """Replaces each element by callable(element, element of `tensor`). Slow as `apply_`."""
    def masked_fill(self, mask: Operand, value: Operand) -> Tensor:  # ops/index.py
        """`value`, a number or a 0-d Tensor, where the mask is True, the input elsewhere.

        Shapes: (*), (*), () -> the broadcast shape.

        Raises:
            RuntimeError: a mask that is not bool, a value with dims.
        """
    def masked_fill_(self, mask: Operand, value: Operand) -> Self:  # ops/index.py
        """As `masked_fill`, in place: writes into this Tensor and returns it."""
    def masked_scatter(self, mask: Tensor, source: Tensor) -> Tensor:  # ops/gather.py
        """The input with the first elements of the source, in order, where the mask is True.

        Shapes: (*), (*), (at least as many elements as the mask has True) -> the broadcast shape.

        Raises:
            RuntimeError: a mask that is not bool; a source of another dtype, or of too few elements.
        """
    def masked_scatter_(self, mask: Tensor, source: Tensor) -> Self:  # ops/gather.py
        """As `masked_scatter`, in place: writes into this Tensor and returns it."""
    def masked_select(self, mask: Tensor) -> Tensor:  # ops/gather.py
        """The elements where the mask is True, in order. Shapes: (*), (*) that broadcast -> (n).

        Raises:
            RuntimeError: a mask that is not bool, or does not fit.
        """
    def matmul(self, other: Tensor) -> Tensor:  # ops/linalg.py
        """The matrix product; dims before the last two are a batch and broadcast.

        Shapes: (*, n, k), (*, k, m) -> (*, n, m); a vector (k) is a row on the left, a column on
        the right, and its dim is not in the result.

        Raises:
            RuntimeError: sizes that do not fit, 0-d inputs, differing dtypes.
        """
    def matrix_exp(self) -> Tensor:  # ops/decomposition.py
        """Σ Aᵏ / k!. Shapes: (*, n, n) -> (*, n, n).

        By scaling and squaring, Higham 2005. The gradient is a block of exp [[Aᵀ, g], [0, Aᵀ]],
        Mathias 1996.

        Raises:
            RuntimeError: not square, or not of float32 or float64.
        """
    def matrix_power(self, n: builtins.int) -> Tensor:  # ops/decomposition.py
        """A @ A @ ..., n times, by squaring; for negative n, of the inverse.

        Shapes: (*, n, n) -> (*, n, n).

        Raises:
            LinAlgError: n is negative and a matrix singular.
            RuntimeError: not square; n is negative, and the matrices are of integers.
        """
    @overload
    def max(self) -> Tensor:  # ops/extrema.py
        """The largest element; with a dim (values, indices); of two Tensors `maximum`.

        Shapes: (*) -> (), or (*) without `dim` twice, or the broadcast shape.
        """
    @overload
    def max(self, other: Tensor) -> Tensor: ...
    @overload
    def max(self, dim: builtins.int, keepdim: builtins.bool = False) -> ValuesAndIndices: ...
    def maximum(self, other: Operand) -> Tensor:  # ops/elementwise.py
        """The larger of two, NaN if one is NaN; at a tie both get half of the gradient.

        Shapes: (*), (*) -> the broadcast shape.
        """
    def mean(
            self, dim: builtins.int | Sequence[builtins.int] | None = None, keepdim: builtins.bool =
            False, *, axis: builtins.int | Sequence[builtins.int] | None = None, keepdims:
            builtins.bool = False, dtype: DTypeLike | None = None,
    ) -> Tensor:  # ops/reduce.py
        """The mean over `dim` (int, tuple or all); NaN if there are no elements.

        Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`.
        """
    @overload
    def median(self) -> Tensor:  # ops/sorting.py
        """The lower median of all elements, or (values, indices) along `dim`; NaN if there is a NaN.

        Shapes: (*) -> (), or (*) without `dim`, or with it as 1 if `keepdim`; then twice.

        Raises:
            IndexError: `dim` has size 0.
            NotImplementedError: a bool Tensor.
        """
    @overload
    def median(self, dim: builtins.int, keepdim: builtins.bool = False) -> ValuesAndIndices: ...
    @overload
    def min(self) -> Tensor:  # ops/extrema.py
        """The smallest element; with a dim (values, indices); of two Tensors `minimum`.

        Shapes: (*) -> (), or (*) without `dim` twice, or the broadcast shape.
        """
    @overload
    def min(self, other: Tensor) -> Tensor: ...
    @overload
    def min(self, dim: builtins.int, keepdim: builtins.bool = False) -> ValuesAndIndices: ...
    def minimum(self, other: Operand) -> Tensor:  # ops/elementwise.py
        """The smaller of two, NaN if one is NaN; at a tie both get half of the gradient.

        Shapes: (*), (*) -> the broadcast shape.
        """
    def mm(self, mat2: Tensor) -> Tensor:  # ops/linalg.py
        """The product of two matrices, without broadcasting. Shapes: (n, k), (k, m) -> (n, m).

        Raises:
            RuntimeError: not two matrices, or sizes that do not fit.
        """
    def mode(
            self, dim: builtins.int = -1, keepdim: builtins.bool = False, *, axis: builtins.int =
            -1, keepdims: builtins.bool = False,
    ) -> ValuesAndIndices:  # ops/sorting.py
        """(values, indices) of the most frequent element along `dim`: the smallest one, its last index.

        Shapes: (*) -> (*) without `dim`, or with it as 1 if `keepdim`; twice.
        """
    def moveaxis(
            self, source: builtins.int | Sequence[builtins.int], destination: builtins.int |
            Sequence[builtins.int],
    ) -> Tensor:  # ops/shape.py
        """Moves dims to other positions, the rest in their order, as a view.

        Shapes: (n, m, k) -> (m, k, n) for 0 to -1.

        Raises:
            RuntimeError: different numbers of sources and destinations, or one given twice.
        """
    def movedim(
            self, source: builtins.int | Sequence[builtins.int], destination: builtins.int |
            Sequence[builtins.int],
    ) -> Tensor:  # ops/shape.py
        """Moves dims to other positions, the rest in their order, as a view.

        Shapes: (n, m, k) -> (m, k, n) for 0 to -1.

        Raises:
            RuntimeError: different numbers of sources and destinations, or one given twice.
        """
    def msort(self) -> Tensor:  # ops/sorting.py
        """Sorted along the first dim. Shapes: (n, *) -> (n, *)."""
    def mul(self, other: Operand) -> Tensor:  # ops/elementwise.py
        """input * other. Shapes: (*), (*) -> the broadcast shape."""
    def mul_(self, other: Operand) -> Self:  # ops/elementwise.py
        """As `mul`, in place: writes into this Tensor and returns it."""
    def multinomial(
            self, num_samples: builtins.int, replacement: builtins.bool = False, *, generator:
            Generator | None = None,
    ) -> Tensor:
        """Indices drawn with probabilities proportional to the weights in each row.

        Shapes: (C) -> (S), (N, C) -> (N, S), int64. Without replacement the indices of a row differ:
        those of the largest weight / exponential (Efraimidis and Spirakis 2006).

        Raises:
            RuntimeError: not 1 or 2 dims; weights that are not floating point, negative, not finite,
                or all 0; without replacement more samples than weights.
        """
    def multiply(self, other: Operand) -> Tensor:  # ops/elementwise.py
        """input * other. Shapes: (*), (*) -> the broadcast shape."""
    def multiply_(self, other: Operand) -> Self:  # ops/elementwise.py
        """As `multiply`, in place: writes into this Tensor and returns it."""
    def mv(self, vec: Tensor) -> Tensor:  # ops/linalg.py
        """The product of a matrix and a vector. Shapes: (n, k), (k) -> (n).

        Raises:
            RuntimeError: not a matrix and a vector, or sizes that do not fit.
        """
    def mvlgamma(self, p: builtins.int) -> Tensor:  # ops/gamma.py
        """log Γₚ(x), the multivariate gamma function: Σ lgamma(x - i / 2) for i < p, and a constant.

        Shapes: (*) -> (*).

        Raises:
            RuntimeError: p < 1.
        """
    def mvlgamma_(self, p: builtins.int) -> Self:
        """As `mvlgamma`, in place: writes into this Tensor and returns it."""
    def nan_to_num(
            self, nan: builtins.float | None = 0.0, posinf: builtins.float | None = None, neginf:
            builtins.float | None = None,
    ) -> Tensor:  # ops/elementwise.py
        """Replaces NaN by 0, inf and -inf by the largest and smallest number of the dtype.

        Shapes: (*) -> (*). Replaced elements get no gradient.
        """
    def nan_to_num_(
            self, nan: builtins.float | None = 0.0, posinf: builtins.float | None = None, neginf:
            builtins.float | None = None,
    ) -> Self:  # ops/elementwise.py
        """As `nan_to_num`, in place: writes into this Tensor and returns it."""
    def nanmean(
            self, dim: builtins.int | Sequence[builtins.int] | None = None, keepdim: builtins.bool =
            False, *, axis: builtins.int | Sequence[builtins.int] | None = None, keepdims:
            builtins.bool = False, dtype: DTypeLike | None = None,
    ) -> Tensor:  # ops/reduce.py
        """The mean over `dim` of the elements that are not NaN; NaN if there are none.

        Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`.

        Raises:
            RuntimeError: the input is not of floating point.
        """
    @overload
    def nanmedian(self) -> Tensor:  # ops/sorting.py
        """As `median`, of the elements that are not NaN.

        Shapes: (*) -> (), or (*) without `dim`, or with it as 1 if `keepdim`; then twice.
        """
    @overload
    def nanmedian(self, dim: builtins.int, keepdim: builtins.bool = False) -> ValuesAndIndices: ...
    def nanquantile(
            self, q: Tensor | builtins.float, dim: builtins.int | None = None, keepdim:
            builtins.bool = False, *, axis: builtins.int | None = None, keepdims: builtins.bool =
            False, interpolation: str = 'linear',
    ) -> Tensor:  # ops/sorting.py
        """As `quantile`, of the elements that are not NaN.

        Shapes: (*), () or (k) -> () or (*) without `dim`, with k in front if q has 1 dimension.
        """
    def nansum(
            self, dim: builtins.int | Sequence[builtins.int] | None = None, keepdim: builtins.bool =
            False, *, axis: builtins.int | Sequence[builtins.int] | None = None, keepdims:
            builtins.bool = False, dtype: DTypeLike | None = None,
    ) -> Tensor:  # ops/reduce.py
        """The sum over `dim` of the elements that are not NaN.

        Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`.
        """
    def narrow(self, dim: builtins.int, start: builtins.int, length: builtins.int) -> Tensor:  # ops/arrange.py
        """`length` elements along `dim` from `start`, as a view. Shapes: (*, n, *) -> (*, length, *).

        Raises:
            RuntimeError: `length` reaches beyond the end, or is negative; a 0-d Tensor.
            IndexError: `start` is outside of [-n, n].
        """
    def narrow_copy(self, dim: builtins.int, start: builtins.int, length: builtins.int) -> Tensor:  # ops/copies.py
        """`narrow` in new memory. Shapes: (*, n, *) -> (*, length, *)."""
    def ne(self, other: Operand) -> Tensor:  # ops/compare.py
        """Whether input != other, elementwise. Shapes: (*), (*) -> the broadcast shape, bool."""
    def ne_(self, other: Operand) -> Self:  # ops/compare.py
        """As `ne`, in place: writes into this Tensor and returns it."""
    def neg(self) -> Tensor:  # ops/elementwise.py
        """-input, elementwise. Shapes: (*) -> (*)."""
    def neg_(self) -> Self:  # ops/elementwise.py
        """As `neg`, in place: writes into this Tensor and returns it."""
    def negative(self) -> Tensor:  # ops/elementwise.py
        """-input, elementwise. Shapes: (*) -> (*)."""
    def negative_(self) -> Self:  # ops/elementwise.py
        """As `negative`, in place: writes into this Tensor and returns it."""
    def new(self, *data: Any) -> Tensor:
        """A Tensor of this dtype and device: x.new(2, 3) is uninitialised, x.new([1, 2]) has data."""
    def new_empty(
            self, *size: builtins.int | Sequence[builtins.int], dtype: DTypeLike | None = None,
            device: DeviceLike | None = None, requires_grad: builtins.bool = False,
    ) -> Tensor:
        """As `empty`, with the dtype and device of this Tensor."""
    def new_empty_strided(
            self, size: Any, stride: Any, dtype: DTypeLike | None = None, device: DeviceLike | None
            = None, requires_grad: builtins.bool = False, layout: str | None = None, pin_memory:
            builtins.bool = False,
    ) -> Tensor:
        """`empty_strided` with the dtype and device of this Tensor."""
    def new_full(
            self, size: Sequence[builtins.int], fill_value: Tensor | builtins.float, *, dtype:
            DTypeLike | None = None, device: DeviceLike | None = None, requires_grad: builtins.bool
            = False,
    ) -> Tensor:
        """As `full`, with the dtype and device of this Tensor."""
    def new_ones(
            self, *size: builtins.int | Sequence[builtins.int], dtype: DTypeLike | None = None,
            device: DeviceLike | None = None, requires_grad: builtins.bool = False,
    ) -> Tensor:
        """As `ones`, with the dtype and device of this Tensor."""
    def new_tensor(
            self, data: Any, *, dtype: DTypeLike | None = None, device: DeviceLike | None = None,
            requires_grad: builtins.bool = False,
    ) -> Tensor:
        """As `tensor`, with the dtype and device of this Tensor."""
    def new_zeros(
            self, *size: builtins.int | Sequence[builtins.int], dtype: DTypeLike | None = None,
            device: DeviceLike | None = None, requires_grad: builtins.bool = False,
    ) -> Tensor:
        """As `zeros`, with the dtype and device of this Tensor."""
    def nextafter(self, other: Operand) -> Tensor:  # ops/numerical.py
        """The next number of the dtype after input, towards other. Shapes: (*), (*) -> the broadcast
        shape.
        """
    def nextafter_(self, other: Operand) -> Self:  # ops/numerical.py
        """As `nextafter`, in place: writes into this Tensor and returns it."""
    @overload
    def nonzero(self, *, as_tuple: Literal[False] = False) -> Tensor:  # ops/searching.py
        """The indices of nonzero elements, a row for each, or with `as_tuple` a Tensor for each dim.

        Shapes: (*) -> (k, ndim); or ndim times (k); int64.
        """
    @overload
    def nonzero(self, *, as_tuple: Literal[True]) -> tuple[Tensor, ...]: ...
    def nonzero_static(self, *, size: builtins.int, fill_value: builtins.int = -1) -> Tensor:  # ops/searching.py
        """The indices of the first `size` nonzero elements, a row for each; rows of `fill_value` follow
        if there are fewer. Shapes: (*) -> (size, ndim), int64.

        Raises:
            RuntimeError: a negative size.
        """
    def norm(
            self, p: builtins.float | str | None = 'fro', dim: builtins.int | Sequence[builtins.int]
            | None = None, keepdim: builtins.bool = False, dtype: DTypeLike | None = None, *, axis:
            builtins.int | Sequence[builtins.int] | None = None, keepdims: builtins.bool = False,
    ) -> Tensor:  # ops/norms.py
        """(Σ |x|^p)^(1/p) over `dim` (int, tuple or all); "fro" is p = 2, "nuc" the nuclear norm.

        Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`.
        """
    def normal_(
            self, mean: builtins.float = 0, std: builtins.float = 1, *, generator: Generator | None
            = None,
    ) -> Self:
        """Fills with normally distributed values."""
    def not_equal(self, other: Operand) -> Tensor:  # ops/compare.py
        """Whether input != other, elementwise. Shapes: (*), (*) -> the broadcast shape, bool."""
    def not_equal_(self, other: Operand) -> Self:  # ops/compare.py
        """As `not_equal`, in place: writes into this Tensor and returns it."""
    def orgqr(self, input2: Tensor) -> Tensor:  # ops/householder.py
        """`linalg.householder_product(input, input2)`. Shapes: (*, m, n), (*, k) -> (*, m, n)."""
    def ormqr(
            self, tau: Tensor, other: Tensor, left: builtins.bool = True, transpose: builtins.bool =
            False,
    ) -> Tensor:  # ops/householder.py
        """Q other, or other Q with left=False, where Q (m x m) is the product of the reflections of
        `linalg.householder_product`; of its transpose with `transpose`.

        Shapes: (*, m, k), (*, k), (*, m, n) or (*, n, m) -> the shape of other.

        Raises:
            RuntimeError: sizes that do not fit, or Tensors that are not floating point.
        """
    def outer(self, vec2: Tensor) -> Tensor:  # ops/linalg.py
        """The products of all pairs of elements of two vectors. Shapes: (n), (m) -> (n, m).

        Raises:
            RuntimeError: not two vectors.
        """
    def pairwise_distance(
            self, x2: Tensor, p: builtins.float = 2.0, eps: builtins.float = 1e-06, keepdim:
            builtins.bool = False, *, keepdims: builtins.bool = False,
    ) -> Tensor:  # ops/distance.py
        """The p-norm of x1 - x2 + eps over the last dim. Shapes: (*, n), (*, n) -> (*)."""
    def pdist(self, p: builtins.float = 2.0) -> Tensor:  # ops/distance.py
        """The p-norm distances of each pair of different rows, in the order (0, 1), (0, 2), ...

        Shapes: (n, k) -> (n (n - 1) / 2).

        Raises:
            RuntimeError: not two dims.
        """
    def permute(self, *dims: builtins.int | Sequence[builtins.int]) -> Tensor:  # ops/shape.py
        """The dims in another order, as a view. Shapes: (d0, ..., dn) -> (d[dims[0]], ...)."""
    def pin_memory(self, device: DeviceLike | None = None) -> Tensor:
        """The values in pinned memory, from which `to("cuda", non_blocking=True)` copies while the
        program goes on; the Tensor itself if it lies there, or if there is no GPU.

        Raises:
            RuntimeError: the Tensor is on a GPU.
        """
    def pinverse(self, rcond: builtins.float = 1e-15) -> Tensor:  # ops/decomposition.py
        """As `linalg.pinv` with rtol = rcond. Shapes: (*, n, m) -> (*, m, n)."""
    def polygamma(self, input: Tensor | builtins.int) -> Tensor:  # ops/gamma.py
        """The n-th derivative of digamma; polygamma(0, x) is digamma(x). Shapes: (*) -> (*).

        Written polygamma(n, x) or x.polygamma(n).

        Raises:
            RuntimeError: a negative n.
        """
    def polygamma_(self, input: Tensor | builtins.int) -> Self:
        """As `polygamma`, in place: writes into this Tensor and returns it."""
    def positive(self) -> Tensor:  # ops/elementwise.py
        """+input: the input itself. Shapes: (*) -> (*).

        Raises:
            RuntimeError: bool.
        """
    def pow(self, exponent: Operand) -> Tensor:  # ops/elementwise.py
        """input ** exponent; 0 ** 0 is 1. Shapes: (*), (*) -> the broadcast shape.

        Raises:
            RuntimeError: integers to a negative number, or to one outside of their range; a bool
                Tensor to a bool Tensor.
        """
    def pow_(self, exponent: Operand) -> Self:  # ops/elementwise.py
        """As `pow`, in place: writes into this Tensor and returns it."""
    def prelu(self, weight: Operand) -> Tensor:  # ops/activation.py
        """x for x > 0, weight * x otherwise: a slope for all, or one for each channel (dim 1).

        Shapes: (N, C, *), (C) or (1) -> (N, C, *). He et al. 2015.

        Raises:
            RuntimeError: neither one slope nor one for each channel.
        """
    def prod(
            self, dim: builtins.int | None = None, keepdim: builtins.bool = False, *, axis:
            builtins.int | None = None, keepdims: builtins.bool = False, dtype: DTypeLike | None =
            None,
    ) -> Tensor:  # ops/reduce.py
        """The product over `dim`, or over all; integers and bool give int64. Exact gradient at zeros.

        Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`.
        """
    def put(self, index: Tensor, source: Tensor, accumulate: builtins.bool = False) -> Tensor:  # ops/gather.py
        """A copy with the source at positions of the flattened input, or added there.

        Shapes: (*), (+), (as many) -> (*).

        Raises:
            RuntimeError: another dtype; the source and the index differ in their number of elements.
            IndexError: a position outside of [-n, n - 1] for n elements.
        """
    def put_(self, index: Tensor, source: Tensor, accumulate: builtins.bool = False) -> Self:  # ops/gather.py
        """As `put`, in place: writes into this Tensor and returns it."""
    def qr(self, some: builtins.bool = True) -> Qr:  # ops/decomposition.py
        """As `linalg.qr`, complete unless `some`. Shapes: (*, n, m) -> (*, n, k), (*, k, m)."""
    def quantile(
            self, q: Tensor | builtins.float, dim: builtins.int | None = None, keepdim:
            builtins.bool = False, *, axis: builtins.int | None = None, keepdims: builtins.bool =
            False, interpolation: str = 'linear',
    ) -> Tensor:  # ops/sorting.py
        """The q-quantile of all elements or along `dim`: rank q (n - 1) of the sorted elements.

        Between two ranks it is interpolated. NaN if there is a NaN.
        Shapes: (*), () or (k) -> () or (*) without `dim`, with k in front if q has 1 dimension.

        Raises:
            RuntimeError: q outside of [0, 1]; an empty Tensor; not float32 or float64.
        """
    def rad2deg(self) -> Tensor:  # ops/elementwise.py
        """Radians as degrees. Shapes: (*) -> (*)."""
    def rad2deg_(self) -> Self:  # ops/elementwise.py
        """As `rad2deg`, in place: writes into this Tensor and returns it."""
    def random_(
            self, from_: builtins.int | None = None, to: builtins.int | None = ..., *, generator:
            Generator | None = None,
    ) -> Self:
        """Fills with integers in [from_, to), in [0, to) for one argument, or in the dtype's range.

        random_(from_, None) has the largest number of the dtype as its last. For a floating point
        dtype the range is that in which every integer is exact.
        """
    def ravel(self) -> Tensor:  # ops/shape.py
        """All dims as one: a view of a contiguous Tensor, else a copy. Shapes: (a, b) -> (a * b)."""
    @property
    def real(self) -> Tensor:
        """The Tensor itself: no Tensor is complex."""
    def reciprocal(self) -> Tensor:  # ops/elementwise.py
        """1 / input, elementwise. Shapes: (*) -> (*)."""
    def reciprocal_(self) -> Self:  # ops/elementwise.py
        """As `reciprocal`, in place: writes into this Tensor and returns it."""
    def relu(self) -> Tensor:  # ops/elementwise.py
        """max(0, input), elementwise; its derivative at 0 is 0. Shapes: (*) -> (*).

        Raises:
            RuntimeError: bool.
        """
    def relu_(self) -> Self:  # ops/elementwise.py
        """As `relu`, in place: writes into this Tensor and returns it."""
    def remainder(self, other: Operand) -> Tensor:  # ops/elementwise.py
        """input - other * floor(input / other), with the sign of `other`: Python's %.

        Shapes: (*), (*) -> the broadcast shape.

        Raises:
            RuntimeError: integers divided by 0; bool.
        """
    def remainder_(self, other: Operand) -> Self:  # ops/elementwise.py
        """As `remainder`, in place: writes into this Tensor and returns it."""
    def renorm(self, p: builtins.float, dim: builtins.int, maxnorm: builtins.float) -> Tensor:  # ops/norms.py
        """Scales slices along `dim` with a p-norm above maxnorm down to it. Shapes: (*) -> (*).

        Raises:
            RuntimeError: fewer than two dims; a p that is not positive, a negative maxnorm.
        """
    def renorm_(self, p: builtins.float, dim: builtins.int, maxnorm: builtins.float) -> Self:  # ops/norms.py
        """As `renorm`, in place: writes into this Tensor and returns it."""
    def repeat(self, *repeats: builtins.int | Sequence[builtins.int]) -> Tensor:  # ops/arrange.py
        """Repeats the Tensor `repeats` times along each dim; a copy. Shapes: (n, m) -> (r0 n, r1 m).

        Raises:
            RuntimeError: fewer repeats than dims; negative repeats.
        """
    def repeat_interleave(
            self, repeats: Tensor | builtins.int | None = None, dim: builtins.int | None = None, *,
            axis: builtins.int | None = None, output_size: builtins.int | None = None,
    ) -> Tensor:  # ops/arrange.py
        """Each element repeated along `dim`, or in the flattened input; `repeats` is one number or one
        for each element.

        repeat_interleave(repeats) alone gives each i repeats[i] times.
        Shapes: (*, n, *), () or (n) -> (*, Σ repeats, *).

        Raises:
            RuntimeError: not one number for each; negative numbers; `output_size` is not their sum.
            NotImplementedError: repeats that are not integers.
        """
    def reshape(self, *shape: builtins.int | Sequence[builtins.int]) -> Tensor:  # ops/shape.py
        """The same elements in another shape, of which one size may be -1; a view where possible.

        Shapes: (*) -> shape.
        """
    def reshape_as(self, other: Tensor) -> Tensor:  # ops/shape.py
        """The elements in the shape of `other`. Shapes: (*), (+) -> (+)."""
    def resize_(self, *, memory_format: memory_format | None = None) -> Self:
        """Gives the Tensor another shape, with its elements in order.

        Fewer elements show the first ones; more are in new memory, where those after the present ones
        are 0.

        Raises:
            RuntimeError: the Tensor requires grad; a negative size.
        """
    def resize_as_(self, tensor: Tensor, memory_format: memory_format | None = None) -> Self:
        """`resize_` to the shape of another Tensor."""
    def resolve_conj(self) -> Tensor:
        """The Tensor itself: no Tensor is complex."""
    def resolve_neg(self) -> Tensor:
        """The Tensor itself: no Tensor is complex."""
    def roll(
            self, shifts: builtins.int | Sequence[builtins.int], dims: builtins.int |
            Sequence[builtins.int] | None = None,
    ) -> Tensor:  # ops/arrange.py
        """Rolls by `shifts` along `dims`, circularly; without dims, the flattened elements.

        Shapes: (*) -> (*).

        Raises:
            RuntimeError: different numbers of shifts and dims.
        """
    def rot90(self, k: builtins.int = 1, dims: Sequence[builtins.int] = (0, 1)) -> Tensor:  # ops/arrange.py
        """Rotates `k` times by 90 degrees, from the first of `dims` to the second; a copy.

        Shapes: (n, m) -> (m, n) for odd k.

        Raises:
            RuntimeError: not two different dims.
        """
    def round(self, *, decimals: builtins.int = 0) -> Tensor:  # ops/elementwise.py
        """Rounded to `decimals` digits, to the even digit at a tie; integers are unchanged.

        Shapes: (*) -> (*).

        Raises:
            RuntimeError: bool; integers, and decimals that are not 0.
        """
    def round_(self, *, decimals: builtins.int = 0) -> Self:  # ops/elementwise.py
        """As `round`, in place: writes into this Tensor and returns it."""
    def rsqrt(self) -> Tensor:  # ops/elementwise.py
        """1 / √input, elementwise. Shapes: (*) -> (*)."""
    def rsqrt_(self) -> Self:  # ops/elementwise.py
        """As `rsqrt`, in place: writes into this Tensor and returns it."""
    def scatter(
            self, dim: builtins.int, index: Tensor, src: Operand | None = None, *, value:
            builtins.float | None = None, reduce: str | None = None,
    ) -> Tensor:  # ops/gather.py
        """A copy of the input with out[i][index[i][j][k]][k] = src[i][j][k] for dim 1, and so on.

        `src` is a Tensor or a number; with reduce "add" or "multiply" it is added or multiplied.

        Shapes: (*, n, *), (+, k, +), (+, k, +) or larger -> (*, n, *).

        Raises:
            RuntimeError: other ranks, sizes or dtypes; another `reduce`.
            IndexError: a position outside of [0, n - 1].
        """
    def scatter_(
            self, dim: builtins.int, index: Tensor, src: Operand | None = None, *, value:
            builtins.float | None = None, reduce: str | None = None,
    ) -> Self:  # ops/gather.py
        """As `scatter`, in place: writes into this Tensor and returns it."""
    def scatter_add(self, dim: builtins.int, index: Tensor, src: Tensor) -> Tensor:  # ops/gather.py
        """The input with src[i][j][k] added to out[i][index[i][j][k]][k] for dim 1, and so on.

        Shapes: (*, n, *), (+, k, +), (+, k, +) or larger -> (*, n, *).

        Raises:
            RuntimeError: other ranks, sizes or dtypes.
            IndexError: a position outside of [0, n - 1].
        """
    def scatter_add_(self, dim: builtins.int, index: Tensor, src: Tensor) -> Self:  # ops/gather.py
        """As `scatter_add`, in place: writes into this Tensor and returns it."""
    def scatter_reduce(
            self, dim: builtins.int, index: Tensor, src: Tensor, reduce: str, *, include_self:
            builtins.bool = True,
    ) -> Tensor:  # ops/gather.py
        """Reduces each element of the input with all those that `scatter` would write there, by
        "sum", "prod", "mean", "amax" or "amin".

        `include_self=False` excludes the input's element where at least one is written. Ties share
        the gradient evenly. A product has no second derivative where a source is 0.

        Shapes: (*, n, *), (+, k, +), (+, k, +) or larger -> (*, n, *).

        Raises:
            RuntimeError: other ranks, sizes or dtypes; another `reduce`.
            IndexError: a position outside of [0, n - 1].
        """
    def scatter_reduce_(
            self, dim: builtins.int, index: Tensor, src: Tensor, reduce: str, *, include_self:
            builtins.bool = True,
    ) -> Self:  # ops/gather.py
        """As `scatter_reduce`, in place: writes into this Tensor and returns it."""
    def select(self, dim: builtins.int, index: builtins.int) -> Tensor:  # ops/arrange.py
        """The slice at `index` along `dim`, without that dim, as a view. Shapes: (*, n, *) -> (*).

        Raises:
            IndexError: an index that does not exist; a 0-d Tensor.
        """
    def select_scatter(self, src: Tensor, dim: builtins.int, index: builtins.int) -> Tensor:  # ops/numerical.py
        """A copy in which select(dim, index) is `src`. Shapes: (*), that of the part -> (*).

        Raises:
            IndexError: a dim or an index that does not exist.
            RuntimeError: src has another shape than the part.
            TypeError: an index that is not an int.
        """
    def sgn(self) -> Tensor:  # ops/elementwise.py
        """The sign, -1, 0 or 1, elementwise; 0 for NaN, unlike NumPy's. Shapes: (*) -> (*)."""
    def sgn_(self) -> Self:  # ops/elementwise.py
        """As `sgn`, in place: writes into this Tensor and returns it."""
    def short(self) -> Tensor:
        """This Tensor as tinytensor.int16."""
    def sigmoid(self) -> Tensor:  # ops/elementwise.py
        """1 / (1 + e ** -input), elementwise. Shapes: (*) -> (*)."""
    def sigmoid_(self) -> Self:  # ops/elementwise.py
        """As `sigmoid`, in place: writes into this Tensor and returns it."""
    def sign(self) -> Tensor:  # ops/elementwise.py
        """The sign, -1, 0 or 1, elementwise; 0 for NaN, unlike NumPy's. Shapes: (*) -> (*)."""
    def sign_(self) -> Self:  # ops/elementwise.py
        """As `sign`, in place: writes into this Tensor and returns it."""
    def signbit(self) -> Tensor:  # ops/elementwise.py
        """Whether the sign bit of each element is set, as of -0.0. Shapes: (*) -> (*), bool."""
    def sin(self) -> Tensor:  # ops/elementwise.py
        """The sine, elementwise. Shapes: (*) -> (*)."""
    def sin_(self) -> Self:  # ops/elementwise.py
        """As `sin`, in place: writes into this Tensor and returns it."""
    def sinc(self) -> Tensor:  # ops/special.py
        """sin(π x) / (π x), 1 at 0, elementwise. Shapes: (*) -> (*)."""
    def sinc_(self) -> Self:  # ops/special.py
        """As `sinc`, in place: writes into this Tensor and returns it."""
    def sinh(self) -> Tensor:  # ops/elementwise.py
        """The hyperbolic sine, elementwise. Shapes: (*) -> (*)."""
    def sinh_(self) -> Self:  # ops/elementwise.py
        """As `sinh`, in place: writes into this Tensor and returns it."""
    def slice_scatter(
            self, src: Tensor, dim: builtins.int = 0, start: builtins.int | None = None, end:
            builtins.int | None = None, step: builtins.int = 1, *, axis: builtins.int = 0,
    ) -> Tensor:  # ops/numerical.py
        """A copy in which the slice start:end:step of a dim is `src`. Shapes: (*), that of the part
        -> (*).

        Raises:
            RuntimeError: src has another shape than the part.
        """
    def slogdet(self) -> Slogdet:  # ops/decomposition.py
        """The sign of the determinant and the logarithm of its absolute value; 0 and -inf if it is 0.

        Shapes: (*, n, n) -> (*), (*). The gradient at a singular matrix is infinite or NaN.

        Raises:
            RuntimeError: not square, or not of float32 or float64.
        """
    def softmax(
            self, dim: builtins.int | None = None, dtype: DTypeLike | None = None, *, axis:
            builtins.int | None = None,
    ) -> Tensor:  # ops/activation.py
        """e**x / Σ e**x along a dim. Shapes: (*) -> (*)."""
    def sort(
            self, dim: builtins.int = -1, descending: builtins.bool = False, *, axis: builtins.int =
            -1, stable: builtins.bool = False,
    ) -> ValuesAndIndices:  # ops/sorting.py
        """(values, indices) in ascending or descending order along `dim`. Stable; NaN is largest.

        Shapes: (*) -> (*), (*).
        """
    def split(
            self, split_size_or_sections: builtins.int | Sequence[builtins.int], dim: builtins.int =
            0, *, axis: builtins.int = 0,
    ) -> tuple[Tensor, ...]:  # ops/index.py
        """Pieces of one size (the last may be smaller), or of the given sizes, as views.

        Shapes: (n, *) -> (n1, *), (n2, *), ...
        """
    def split_with_sizes(
            self, split_size_or_sections: builtins.int | Sequence[builtins.int], dim: builtins.int =
            0, *, axis: builtins.int = 0,
    ) -> tuple[Tensor, ...]:  # ops/index.py
        """Pieces of one size (the last may be smaller), or of the given sizes, as views.

        Shapes: (n, *) -> (n1, *), (n2, *), ...
        """
    def spmm(self, mat2: Tensor) -> Tensor:  # ops/linalg.py
        """The product of two matrices, without broadcasting. Shapes: (n, k), (k, m) -> (n, m).

        Raises:
            RuntimeError: not two matrices, or sizes that do not fit.
        """
    def sqrt(self) -> Tensor:  # ops/elementwise.py
        """The square root, elementwise. Shapes: (*) -> (*)."""
    def sqrt_(self) -> Self:  # ops/elementwise.py
        """As `sqrt`, in place: writes into this Tensor and returns it."""
    def square(self) -> Tensor:  # ops/elementwise.py
        """input ** 2, elementwise. Shapes: (*) -> (*); bool gives int64."""
    def square_(self) -> Self:  # ops/elementwise.py
        """As `square`, in place: writes into this Tensor and returns it."""
    def squeeze(
            self, dim: builtins.int | Sequence[builtins.int] | None = None, *, axis: builtins.int |
            Sequence[builtins.int] | None = None,
    ) -> Tensor:  # ops/shape.py
        """Removes the dims of size 1, all or those given; a view. Shapes: (n, 1, m) -> (n, m)."""
    def squeeze_(
            self, dim: builtins.int | Sequence[builtins.int] | None = None, *, axis: builtins.int |
            Sequence[builtins.int] | None = None,
    ) -> Self:
        """As `squeeze`, in place: this Tensor gets the new shape."""
    def std(
            self, dim: builtins.int | Sequence[builtins.int] | None | builtins.bool = None,
            unbiased: builtins.bool = True, keepdim: builtins.bool = False, *, axis: builtins.int |
            Sequence[builtins.int] | None | builtins.bool = None, keepdims: builtins.bool = False,
            correction: builtins.float | None = None,
    ) -> Tensor:  # ops/reduce.py
        """The square root of `var`; its gradient where all elements are equal is 0.

        Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`.
        """
    def storage(self) -> TypedStorage:
        """The memory that this Tensor shows, as elements: a Tensor and its views have the same."""
    def sub(self, other: Operand | builtins.float, *, alpha: builtins.float = 1) -> Tensor:  # ops/elementwise.py
        """input - alpha * other. Shapes: (*), (*) -> the broadcast shape."""
    def sub_(self, other: Operand | builtins.float, *, alpha: builtins.float = 1) -> Self:  # ops/elementwise.py
        """As `sub`, in place: writes into this Tensor and returns it."""
    def subtract(self, other: Operand | builtins.float, *, alpha: builtins.float = 1) -> Tensor:  # ops/elementwise.py
        """input - alpha * other. Shapes: (*), (*) -> the broadcast shape."""
    def subtract_(self, other: Operand | builtins.float, *, alpha: builtins.float = 1) -> Self:  # ops/elementwise.py
        """As `subtract`, in place: writes into this Tensor and returns it."""
    def sum(
            self, dim: builtins.int | Sequence[builtins.int] | None = None, keepdim: builtins.bool =
            False, *, axis: builtins.int | Sequence[builtins.int] | None = None, keepdims:
            builtins.bool = False, dtype: DTypeLike | None = None,
    ) -> Tensor:  # ops/reduce.py
        """The sum over `dim` (int, tuple or all); integers and bool give int64.

        Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`.
        """
    def sum_to_size(self) -> Tensor:
        """The sums over the dims in which a Tensor of that size is broadcast to this shape.

        Raises:
            RuntimeError: the size does not broadcast to this shape.
        """
    def svd(self, some: builtins.bool = True, compute_uv: builtins.bool = True) -> Svd:  # ops/decomposition.py
        """U, S and V (not Vh) of input = U diag(S) Vᵀ, reduced if `some`; U and V are zeros without
        compute_uv.

        Shapes: (*, n, m) -> (*, n, k), (*, k), (*, m, k).
        """
    def swapaxes(self, dim0: builtins.int, dim1: builtins.int) -> Tensor:  # ops/shape.py
        """Two dims exchanged, as a view. Shapes: (.., n, .., m, ..) -> (.., m, .., n, ..)."""
    def swapaxes_(self, dim0: builtins.int, dim1: builtins.int) -> Self:
        """As `swapaxes`, in place: this Tensor gets the new shape."""
    def swapdims(self, dim0: builtins.int, dim1: builtins.int) -> Tensor:  # ops/shape.py
        """Two dims exchanged, as a view. Shapes: (.., n, .., m, ..) -> (.., m, .., n, ..)."""
    def swapdims_(self, dim0: builtins.int, dim1: builtins.int) -> Self:
        """As `swapdims`, in place: this Tensor gets the new shape."""
    def t(self) -> Tensor:  # ops/shape.py
        """The transpose of a matrix; vectors and 0-d Tensors are unchanged. Shapes: (n, m) -> (m, n).

        Raises:
            RuntimeError: more than two dims.
        """
    def t_(self) -> Self:
        """As `t`, in place: this Tensor gets the new shape."""
    def take(self, index: Tensor) -> Tensor:  # ops/gather.py
        """The elements at positions of the flattened input. Shapes: (*), (+) -> (+).

        Raises:
            IndexError: a position outside of [-n, n - 1] for n elements.
        """
    def take_along_dim(
            self, indices: Tensor, dim: builtins.int | None = None, *, axis: builtins.int | None =
            None,
    ) -> Tensor:  # ops/index.py
        """The elements at `indices` along `dim`, of the flattened input if it is None.

        Shapes: (*, n, *), (*, k, *) -> (*, k, *); the other dims broadcast.

        Raises:
            IndexError: a position that does not exist.
            RuntimeError: shapes that do not broadcast; indices that are not integers.
        """
    def tan(self) -> Tensor:  # ops/elementwise.py
        """The tangent, elementwise. Shapes: (*) -> (*)."""
    def tan_(self) -> Self:  # ops/elementwise.py
        """As `tan`, in place: writes into this Tensor and returns it."""
    def tanh(self) -> Tensor:  # ops/elementwise.py
        """The hyperbolic tangent, elementwise. Shapes: (*) -> (*)."""
    def tanh_(self) -> Self:  # ops/elementwise.py
        """As `tanh`, in place: writes into this Tensor and returns it."""
    def tensor_split(
            self, indices_or_sections: builtins.int | Sequence[builtins.int] | Tensor, dim:
            builtins.int = 0, *, axis: builtins.int = 0,
    ) -> tuple[Tensor, ...]:  # ops/arrange.py
        """A number of pieces whose sizes differ by at most 1, or pieces between positions; views.

        Shapes: (n, *) -> (n1, *), (n2, *), ...

        Raises:
            RuntimeError: no pieces; a 0-d Tensor.
        """
    def tile(self, *dims: builtins.int | Sequence[builtins.int]) -> Tensor:  # ops/arrange.py
        """As `repeat`; missing repeats are 1. Shapes: (n, m) -> (n, r m) for (r,)."""
    def to_dense(
            self, dtype: DTypeLike | None = None, *, masked_grad: builtins.bool = True,
    ) -> Tensor:
        """The Tensor itself, in a dtype if one is given: every Tensor is dense."""
    def topk(
            self, k: builtins.int, dim: builtins.int = -1, largest: builtins.bool = True, sorted:
            builtins.bool = True, *, axis: builtins.int = -1,
    ) -> ValuesAndIndices:  # ops/sorting.py
        """(values, indices) of the `k` largest, or smallest, along `dim`, sorted. NaN is largest.

        Sorted also with sorted=False. Among equal elements the first are taken, if n is at most 8 or
        k is 1, as by PyTorch for n below 4. Shapes: (*, n, *) -> (*, k, *), (*, k, *).

        Raises:
            RuntimeError: k is not in [0, n]; a bool Tensor.
        """
    def trace(self) -> Tensor:  # ops/linalg.py
        """The sum of the diagonal of a matrix. Shapes: (n, m) -> ().

        Raises:
            RuntimeError: not a matrix.
        """
    def transpose(self, dim0: builtins.int, dim1: builtins.int) -> Tensor:  # ops/shape.py
        """Two dims exchanged, as a view. Shapes: (.., n, .., m, ..) -> (.., m, .., n, ..)."""
    def transpose_(self, dim0: builtins.int, dim1: builtins.int) -> Self:
        """As `transpose`, in place: this Tensor gets the new shape."""
    def triangular_solve(
            self, A: Tensor, upper: builtins.bool = True, transpose: builtins.bool = False,
            unitriangular: builtins.bool = False,
    ) -> TriangularSolve:  # ops/solving.py
        """(X of A X = input, a copy of A) for a triangular A, whose other triangle is ignored; with
        `transpose` of Aᵀ X = input. `linalg.solve_triangular` is its successor.

        Shapes: (*, n, k), (*, n, n) -> (*, n, k), (*, n, n).

        Raises:
            LinAlgError: a 0 on the diagonal.
            RuntimeError: shapes or dtypes that do not fit.
        """
    def tril(self, diagonal: builtins.int = 0) -> Tensor:  # ops/diagonals.py
        """The lower triangle: 0 above the diagonal, or above the one at offset `diagonal`.

        Shapes: (*, n, m) -> (*, n, m).
        """
    def tril_(self, diagonal: builtins.int = 0) -> Self:  # ops/diagonals.py
        """As `tril`, in place: writes into this Tensor and returns it."""
    def triu(self, diagonal: builtins.int = 0) -> Tensor:  # ops/diagonals.py
        """The upper triangle: 0 below the diagonal, or below the one at offset `diagonal`.

        Shapes: (*, n, m) -> (*, n, m).
        """
    def triu_(self, diagonal: builtins.int = 0) -> Self:  # ops/diagonals.py
        """As `triu`, in place: writes into this Tensor and returns it."""
    def true_divide(
            self, other: Operand | builtins.float, *, rounding_mode: str | None = None,
    ) -> Tensor:  # ops/elementwise.py
        """input / other; with rounding_mode "floor" or "trunc", rounded down or towards zero.

        Shapes: (*), (*) -> the broadcast shape.
        """
    def true_divide_(
            self, other: Operand | builtins.float, *, rounding_mode: str | None = None,
    ) -> Self:  # ops/elementwise.py
        """As `true_divide`, in place: writes into this Tensor and returns it."""
    def trunc(self) -> Tensor:  # ops/elementwise.py
        """Rounded towards zero, elementwise; integers are unchanged. Shapes: (*) -> (*).

        Raises:
            RuntimeError: bool.
        """
    def trunc_(self) -> Self:  # ops/elementwise.py
        """As `trunc`, in place: writes into this Tensor and returns it."""
    def type(
            self, dtype: DTypeLike | TensorType | type[Tensor] | None = None, non_blocking:
            builtins.bool = False,
    ) -> Any:
        """This Tensor as another dtype or type, also by a name such as "torch.LongTensor"; without an
        argument, the name of its type.
        """
    def unbind(self, dim: builtins.int = 0, *, axis: builtins.int = 0) -> tuple[Tensor, ...]:  # ops/index.py
        """The slices along a dim, without it, as views. Shapes: (n, *) -> n times (*)."""
    def unflatten(self, dim: builtins.int, sizes: Sequence[builtins.int]) -> Tensor:  # ops/shape.py
        """One dim as several, of which one size may be -1. Shapes: (a, b * c) -> (a, b, c)."""
    def unfold(self, dimension: builtins.int, size: builtins.int, step: builtins.int) -> Tensor:  # ops/arrange.py
        """Windows of `size` along a dim, one every `step`, in a new last dim; a view.

        Shapes: (*, n, *) -> (*, (n - size) // step + 1, *, size).

        Raises:
            RuntimeError: a window larger than the dim; a step below 1.
        """
    def uniform_(
            self, from_: builtins.float = 0, to: builtins.float = 1, *, generator: Generator | None
            = None,
    ) -> Self:
        """Fills with uniformly distributed values in [from_, to)."""
    @overload
    def unique(
            self, sorted: builtins.bool = True, return_inverse: Literal[False] = False,
            return_counts: Literal[False] = False, dim: builtins.int | None = None,
    ) -> Tensor:  # ops/searching.py
        """The distinct elements in ascending order, or distinct slices along `dim`; no gradient.

        Sorted also with sorted=False. Each NaN is distinct.
        Shapes: (*) -> (k), with the inverse (*) and counts (k) if requested.
        """
    @overload
    def unique(
            self, sorted: builtins.bool = True, return_inverse: builtins.bool = False,
            return_counts: builtins.bool = False, dim: builtins.int | None = None,
    ) -> tuple[Tensor, ...]: ...
    @overload
    def unique_consecutive(
            self, return_inverse: Literal[False] = False, return_counts: Literal[False] = False,
            dim: builtins.int | None = None,
    ) -> Tensor:  # ops/searching.py
        """The first of each run of equal elements, or of equal slices along `dim`; no gradient.

        Shapes: (*) -> (k), with the inverse (*) and counts (k) if requested.
        """
    @overload
    def unique_consecutive(
            self, return_inverse: builtins.bool = False, return_counts: builtins.bool = False, dim:
            builtins.int | None = None,
    ) -> tuple[Tensor, ...]: ...
    def unsafe_chunk(
            self, chunks: builtins.int, dim: builtins.int = 0, *, axis: builtins.int = 0,
    ) -> tuple[Tensor, ...]:  # ops/index.py
        """At most `chunks` pieces of equal size (the last may be smaller), as views.

        Shapes: (n, *) -> (m, *), (m, *), ...
        """
    def unsafe_split(
            self, split_size_or_sections: builtins.int | Sequence[builtins.int], dim: builtins.int =
            0, *, axis: builtins.int = 0,
    ) -> tuple[Tensor, ...]:  # ops/index.py
        """Pieces of one size (the last may be smaller), or of the given sizes, as views.

        Shapes: (n, *) -> (n1, *), (n2, *), ...
        """
    def unsafe_split_with_sizes(
            self, split_size_or_sections: builtins.int | Sequence[builtins.int], dim: builtins.int =
            0, *, axis: builtins.int = 0,
    ) -> tuple[Tensor, ...]:  # ops/index.py
        """Pieces of one size (the last may be smaller), or of the given sizes, as views.

        Shapes: (n, *) -> (n1, *), (n2, *), ...
        """
    def unsqueeze(self, dim: builtins.int) -> Tensor:  # ops/shape.py
        """Inserts a dim of size 1 at `dim`; a view. Shapes: (n, m) -> (n, 1, m)."""
    def unsqueeze_(self, dim: builtins.int) -> Self:
        """As `unsqueeze`, in place: this Tensor gets the new shape."""
    def untyped_storage(self) -> UntypedStorage:
        """The memory that this Tensor shows, as bytes: a Tensor and its views have the same."""
    def var(
            self, dim: builtins.int | Sequence[builtins.int] | None | builtins.bool = None,
            unbiased: builtins.bool = True, keepdim: builtins.bool = False, *, axis: builtins.int |
            Sequence[builtins.int] | None | builtins.bool = None, keepdims: builtins.bool = False,
            correction: builtins.float | None = None,
    ) -> Tensor:  # ops/reduce.py
        """Σ (x - mean)² / (n - correction), where the correction is 1 unless given or unbiased=False.

        Shapes: (*) -> () or (*) without `dim`, or with it as 1 if `keepdim`.

        Raises:
            RuntimeError: the input is not of floating point.
        """
    def vdot(self, tensor: Tensor) -> Tensor:  # ops/linalg.py
        """Σ input * tensor of two vectors. Shapes: (n), (n) -> ().

        Raises:
            RuntimeError: not two vectors of one size.
        """
    def view(self, *size: builtins.int | Sequence[builtins.int]) -> Tensor:  # ops/shape.py
        """The same memory in another shape, of which one size may be -1. Shapes: (*) -> size.

        With a dtype: the same memory as numbers of that dtype.

        Raises:
            RuntimeError: the strides allow no view of that shape; numbers of the dtype cannot begin
                where the Tensor does, which on a GPU would end all work. The memory of a Tensor of
                `from_numpy` begins where NumPy's array does.
        """
    def view_as(self, other: Tensor) -> Tensor:  # ops/shape.py
        """A view in the shape of `other`. Shapes: (*), (+) -> (+)."""
    def vsplit(
            self, indices_or_sections: builtins.int | Sequence[builtins.int],
    ) -> tuple[Tensor, ...]:  # ops/arrange.py
        """Equal pieces along dim 0, or pieces between positions, as
        views; at least 2 dims. Shapes: (n, m) -> (n1, m), (n2, m), ...
        """
    def where(self, condition: Tensor, other: Operand) -> Tensor:
        """The input where the condition is True, `other` elsewhere: x.where(condition, other)."""
    def xlogy(self, other: Operand | builtins.float) -> Tensor:  # ops/special.py
        """input * log(other), 0 where input is 0. Shapes: (*), (*) -> the broadcast shape."""
    def xlogy_(self, other: Operand | builtins.float) -> Self:  # ops/special.py
        """As `xlogy`, in place: writes into this Tensor and returns it."""
    def zero_(self) -> Self:
        """Writes 0 into every element."""
