"""Batched Tensors: one sample for the function that sees them, all samples in memory.

`vmap` gives its function a `Batched` in place of each Tensor. Its shape is that of one sample. Its
`_array` is a `Sample`, which has a shape and a dtype and no values. So an operation that is called
with it fails where it would compute, and `autograd/errors.py` asks `call` below for the result: it
runs the operation once more, on the Tensors that hold all samples, by a rule of `rules.py`. What is
recorded, is recorded on these. An operation without a rule runs on one sample after the other.

A Batched of a nested `vmap` holds a Batched of the outer one.
"""

from __future__ import annotations

import sys
from typing import Any, Self

from ..arrays.numbers import Size
from ..autograd.frames import OWN
from ..ops.shape import stack
from ..tensors.tensor import Tensor
from .trees import flatten, unflatten


class Touched(Exception):  # noqa: N818 - no error for users
    """The values of a Sample were asked for; `vmap` then runs the function sample by sample."""


class DependsOnValues(RuntimeError):  # noqa: N818
    """The program asks for the value of a Tensor under `vmap`, which differs between samples."""


class Sample:
    """The array of a Batched: the shape and dtype of one sample, and no values.

    Whatever else is asked of it raises Touched. That includes flags and strides, without which no
    kernel runs: some read the memory of array objects.
    """

    __slots__ = ("dtype", "shape", "whole")

    def __init__(self, whole: Tensor):
        self.whole = whole
        self.shape = whole._array.shape[1:]
        self.dtype = whole._array.dtype

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return Size(self.shape).numel()

    @property
    def itemsize(self) -> int:
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        return self.size * self.itemsize

    def min(self) -> Any:
        """The least value of all samples, for checks of positions and labels."""
        return self.whole._array.min() if self.whole.numel() else 0

    def max(self) -> Any:
        return self.whole._array.max() if self.whole.numel() else 0

    def _touch(self, *args: Any, **kwargs: Any) -> Any:
        raise Touched("vmap: an operation reads values")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name not in ("__array__", "__array_interface__"):
            raise AttributeError(name)
        raise Touched(f"vmap: an operation uses {name!r} of an array")

    __array_ufunc__ = __array_function__ = __array__ = __getitem__ = __setitem__ = _touch
    __index__ = __bool__ = __int__ = __float__ = __iter__ = __len__ = _touch
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = _touch
    __rtruediv__ = __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __pow__ = __rpow__ = _touch
    __matmul__ = __rmatmul__ = __and__ = __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = _touch
    __lshift__ = __rlshift__ = __rshift__ = __rrshift__ = __neg__ = __invert__ = __abs__ = _touch
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _touch  # type: ignore[assignment]
    __hash__ = None  # type: ignore[assignment]


class Level:
    """One `vmap` that runs: how many samples it has, and its depth."""

    def __init__(self, depth: int, size: int):
        self.depth, self.size = depth, size


class Batched(Tensor):
    """A sample for each element of a batch. `whole` has the batch as dim 0."""

    whole: Tensor
    level: Level
    shown: bool  # whether a view was made of it, or it is one

    def __new__(cls, whole: Tensor, level: Level) -> Self:
        self = object.__new__(cls)
        self.level, self._node, self.shown = level, None, False
        self.hold(whole)
        return self

    def hold(self, whole: Tensor) -> None:
        self.whole = whole
        self._array = Sample(whole)

    @property
    def requires_grad(self) -> bool:
        return self.whole.requires_grad

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        self.whole.requires_grad = wanted

    @property
    def device(self) -> Any:
        return self.whole.device

    @property
    def is_cuda(self) -> bool:
        return self.whole.is_cuda

    def is_contiguous(self, memory_format: Any = None) -> bool:
        return True

    def stride(self, dim: int | None = None) -> Any:
        steps = tuple(Size(self.shape[i + 1:]).numel() for i in range(self.ndim))
        return steps if dim is None else steps[dim]

    def detach(self) -> Tensor:
        return Batched(self.whole.detach(), self.level)

    def detach_(self) -> Any:
        self.hold(self.whole.detach())
        return self

    @property  # type: ignore[misc]
    def data(self) -> Tensor:
        return self.detach()

    @property
    def _base(self) -> Any:  # type: ignore[override]  # what `view` returns has one
        return self

    # ------------------------------------------------------------ writing

    def _check_write(self, name: str, repeated: bool = False) -> None:
        if self.shown:
            raise Touched(f"vmap: {name} writes into memory that a view shows")

    def _snapshot(self) -> Any:
        return Batched(self.whole, self.level)

    def _write(self, name: str, result: Tensor) -> Any:
        if result.shape != self.shape or result.dtype is not self.dtype:
            raise Touched(f"vmap: {name} changes the shape or the dtype")
        self.hold(spread_over(result, self.level))
        return self

    def __setitem__(self, key: Any, value: Any) -> None:
        keys = key if isinstance(key, tuple) else (key,)
        self._check_write("x[...] = value")
        if isinstance(value, Batched) and value.level.depth > self.level.depth or any(
                isinstance(k, Batched | list) for k in keys):
            raise Touched("vmap: an assignment at positions of each sample")
        index = (slice(None), *keys)
        whole = self.whole.clone()
        if isinstance(value, Batched) and value.level is self.level:
            missing = whole[index].ndim - value.whole.ndim
            value = value.whole.reshape(value.level.size, *[1] * missing, *value.shape)
        whole._unnoted = True  # a copy that nobody else has seen is no write to the surroundings
        whole[index] = value
        whole._unnoted = False
        self.hold(whole)

    # ------------------------------------------------------------ values

    def _depends(self, *args: Any, **kwargs: Any) -> Any:
        if OWN in sys._getframe(1).f_globals:  # an operation asks, to check it or to choose a way
            raise Touched("vmap: an operation reads values")
        raise DependsOnValues(
            "vmap: the function uses the value of a Tensor as a Python number or truth value (`if "
            "x > 0`, item(), float(x), numpy(), range(x)), which differs from sample to sample; "
            "write the choice with where(), or apply the function in a loop")

    __bool__ = __int__ = __float__ = __index__ = item = tolist = numpy = _depends
    __array__ = __complex__ = __contains__ = _depends

    def __repr__(self) -> str:
        return f"Batched(shape={tuple(self.shape)}, {self.level.size} samples, {self.dtype})"

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise Touched("vmap: a Tensor of one sample cannot be copied or pickled")


def batch_of(x: Any, level: Level) -> bool:
    """Whether x is a Batched of that level."""
    return x.__class__ is Batched and x.level is level


def spread_over(x: Tensor, level: Level) -> Tensor:
    """All samples of x, as dim 0: those of a Batched, or the same x for each."""
    if batch_of(x, level):
        return x.whole  # type: ignore[attr-defined, no-any-return]
    return x.unsqueeze(0).expand(level.size, *x.shape)  # type: ignore[attr-defined, no-any-return]


def innermost(inputs: Any) -> Level | None:
    """The deepest level among Tensors."""
    levels = [x.level for x in inputs if x.__class__ is Batched]
    return max(levels, key=lambda level: level.depth) if levels else None


def wrapped(result: Any, level: Level) -> Any:
    """The result of an operation on all samples: a Batched, or a named tuple of some."""
    if isinstance(result, tuple):
        parts = [Batched(x, level) for x in result]
        return type(result)(*parts) if hasattr(result, "_fields") else type(result)(parts)
    return Batched(result, level)


def one_by_one(function: Any, level: Level, args: Any, kwargs: dict[str, Any]) -> Any:
    """function for each sample in turn, with the results stacked along dim 0."""
    if not level.size:
        raise Touched("vmap: there is no sample")
    leaves, structure = flatten((args, kwargs))
    results, form = [], None
    for i in range(level.size):
        given = [x.whole[i] if batch_of(x, level) else x for x in leaves]
        sample_args, sample_kwargs = unflatten(given, structure)
        outs, form = flatten(function(*sample_args, **sample_kwargs))
        results.append(outs)
    return unflatten([stacked(column) for column in zip(*results, strict=True)], form)


def stacked(values: Any) -> Tensor:
    """Results for all samples as one Tensor.

    Raises:
        RuntimeError: they differ in shape.
    """
    shapes = list(dict.fromkeys(tuple(v.shape) for v in values))
    if len(shapes) > 1:
        raise RuntimeError("vmap: the shape of a result depends on the values: it is "
                           f"{shapes[0]} for one sample and {shapes[1]} for another")
    return stack(list(values))
