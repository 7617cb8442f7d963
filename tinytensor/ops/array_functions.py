"""NumPy's functions of Tensors: `numpy.concatenate([x, y])`, `numpy.mean(x, axis=0)`.

As in PyTorch, a function of Tensors that do not require grad is NumPy's own, on their arrays, and
mostly gives an array: programs count on it. Where a Tensor requires grad, PyTorch raises an error.
Here the functions below run as operations then, and give Tensors with a gradient; the others raise.
Those of METHODS, of which PyTorch raises an error in any case, always run as operations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy

from ..autograd.frames import shorten
from ..autograd.table import TABLE
from ..tensors.creation import tensor
from ..tensors.tensor import Tensor
from . import arrange, diagonals, einsum, elementwise, index, linalg, reduce, scan
from . import shape as shapes

Function = Callable[..., Any]
RECORDED: dict[Function, Function] = {}


def array_function(self: Tensor, function: Any, types: Any, args: tuple[Any, ...],
                   kwargs: dict[str, Any]) -> Any:
    """A function of NumPy that was called with a Tensor, see the top of this file."""
    if not all(issubclass(kind, Tensor | numpy.ndarray) for kind in types):
        return NotImplemented  # the other type decides, as for Tensors of PyTorch
    recorded = RECORDED.get(function)
    if recorded is None or not (function in METHODS or _requires_grad((args, *kwargs.values()))):
        return function._implementation(*args, **kwargs)
    try:
        return recorded(*args, **kwargs)
    except Exception as error:
        shorten(error)
        raise


def _requires_grad(values: Any) -> bool:
    return any(x.requires_grad if isinstance(x, Tensor)
               else isinstance(x, tuple | list) and _requires_grad(x) for x in values)


def as_numpy(*functions: Function) -> Callable[[Function], Function]:
    """Decorates what runs in place of functions of NumPy, with their parameters."""
    def register(function: Function) -> Function:
        RECORDED.update(dict.fromkeys(functions, function))
        return function

    return register


def _named(key: str) -> Function:
    """The function of the table, which takes `axis` and `keepdims` too."""
    return lambda *args, **kwargs: TABLE[key].function(*args, **kwargs)


# These have NumPy's parameters.
RECORDED.update({
    numpy.sum: _named("sum"), numpy.mean: _named("mean"), numpy.moveaxis: _named("movedim"),
    numpy.swapaxes: _named("transpose"), numpy.squeeze: _named("squeeze")})
RECORDED.update(dict.fromkeys((numpy.amax, numpy.max), _named("amax")))
RECORDED.update(dict.fromkeys((numpy.amin, numpy.min), _named("amin")))
# NumPy's own call methods with arguments that Tensor's do not have, or need negative steps.
METHODS = frozenset((numpy.amax, numpy.max, numpy.amin, numpy.min, numpy.std, numpy.var,
                     numpy.moveaxis, numpy.flip))


def _tensors(values: Sequence[Any]) -> list[Tensor]:
    """Tensors, and arrays and numbers beside them, as Tensors."""
    like = next(x for x in values if isinstance(x, Tensor))
    return [x if isinstance(x, Tensor) else tensor(x, device=like.device) for x in values]


@as_numpy(numpy.concatenate)
def concatenate(arrays: Sequence[Any], axis: int | None = 0) -> Tensor:
    if axis is None:
        return shapes.cat([shapes.ravel(x) for x in _tensors(arrays)])
    return shapes.cat(_tensors(arrays), axis)


@as_numpy(numpy.stack)
def stack(arrays: Sequence[Any], axis: int = 0) -> Tensor:
    return shapes.stack(_tensors(arrays), axis)


@as_numpy(numpy.vstack)
def vstack(tup: Sequence[Any]) -> Tensor:
    return arrange.vstack(_tensors(tup))


@as_numpy(numpy.hstack)
def hstack(tup: Sequence[Any]) -> Tensor:
    return arrange.hstack(_tensors(tup))


@as_numpy(numpy.inner)
def inner(a: Any, b: Any) -> Tensor:
    return linalg.inner(*_tensors((a, b)))


@as_numpy(numpy.outer)
def outer(a: Any, b: Any) -> Tensor:
    return linalg.outer(*(shapes.ravel(x) for x in _tensors((a, b))))


@as_numpy(numpy.roll)
def roll(a: Tensor, shift: Any, axis: Any = None) -> Tensor:
    return arrange.roll(a, shift, axis)


@as_numpy(numpy.where)
def where(condition: Any, x: Any, y: Any) -> Tensor:
    if not isinstance(condition, Tensor):
        condition = tensor(condition, device=(x if isinstance(x, Tensor) else y).device)
    return index.where_or_positions(condition.bool(), x, y)


@as_numpy(numpy.prod)
def prod(a: Tensor, axis: Any = None, keepdims: bool = False) -> Tensor:
    if not isinstance(axis, tuple):
        return reduce.prod(a, axis, keepdims)
    for dim in sorted((d % a.ndim for d in axis), reverse=True):
        a = reduce.prod(a, dim, keepdims)
    return a


def _of_spread(function: Function) -> Function:
    def spread(a: Tensor, axis: Any = None, ddof: float = 0, keepdims: bool = False) -> Tensor:
        return function(a, axis, correction=ddof, keepdim=keepdims)

    return spread


RECORDED.update({numpy.std: _of_spread(reduce.std), numpy.var: _of_spread(reduce.var)})


def _running(function: Function) -> Function:
    def running(a: Tensor, axis: int | None = None) -> Tensor:
        return function(shapes.ravel(a), 0) if axis is None else function(a, axis)

    return running


RECORDED.update({numpy.cumsum: _running(scan.cumsum_as), numpy.cumprod: _running(scan.cumprod_as)})


@as_numpy(numpy.reshape)
def reshape(a: Tensor, shape: Any) -> Tensor:
    return shapes.reshape(a, shape)


@as_numpy(numpy.ravel)
def ravel(a: Tensor) -> Tensor:
    return shapes.ravel(a)


@as_numpy(numpy.transpose)
def transpose(a: Tensor, axes: Sequence[int] | None = None) -> Tensor:
    return shapes.permute(a, tuple(range(a.ndim))[::-1] if axes is None else axes)


@as_numpy(numpy.expand_dims)
def expand_dims(a: Tensor, axis: Any) -> Tensor:
    dims = axis if isinstance(axis, tuple | list) else (axis,)
    for dim in sorted(d % (a.ndim + len(dims)) for d in dims):
        a = shapes.unsqueeze(a, dim)
    return a


@as_numpy(numpy.broadcast_to)
def broadcast_to(array: Tensor, shape: Any) -> Tensor:
    return shapes.broadcast_to(array, (shape,) if isinstance(shape, int) else tuple(shape))


@as_numpy(numpy.flip)
def flip(m: Tensor, axis: Any = None) -> Tensor:
    return index.flip(m, tuple(range(m.ndim)) if axis is None else axis)


@as_numpy(numpy.tile)
def tile(A: Tensor, reps: Any) -> Tensor:  # noqa: N803 - NumPy's name
    return arrange.tile(A, (reps,) if isinstance(reps, int) else tuple(reps))


@as_numpy(numpy.clip)
def clip(a: Tensor, a_min: Any = None, a_max: Any = None, *, min: Any = None,
         max: Any = None) -> Tensor:
    return elementwise.clamp(a, a_min if min is None else min, a_max if max is None else max)


@as_numpy(numpy.tril)
def tril(m: Tensor, k: int = 0) -> Tensor:
    return diagonals.tril(m, k)


@as_numpy(numpy.triu)
def triu(m: Tensor, k: int = 0) -> Tensor:
    return diagonals.triu(m, k)


@as_numpy(numpy.diagonal)
def diagonal(a: Tensor, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    return diagonals.diagonal(a, offset, axis1, axis2)


@as_numpy(numpy.trace)
def trace(a: Tensor, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    return reduce.sum_(diagonals.diagonal(a, offset, axis1, axis2), -1)


@as_numpy(numpy.einsum)
def of_einsum(equation: Any, *operands: Any) -> Tensor:
    if not isinstance(equation, str):
        return einsum.einsum(equation, *operands)
    return einsum.einsum(equation, *_tensors(operands))


@as_numpy(numpy.dot)
def dot(a: Any, b: Any) -> Tensor:
    a, b = _tensors((a, b))
    if not a.ndim or not b.ndim:
        return elementwise.mul(a, b)
    if b.ndim < 3:
        return linalg.matmul(a, b)
    return linalg.tensordot(a, b, ([a.ndim - 1], [b.ndim - 2]))


@as_numpy(numpy.tensordot)
def tensordot(a: Any, b: Any, axes: Any = 2) -> Tensor:
    if not isinstance(axes, int):
        axes = [[axis] if isinstance(axis, int) else axis for axis in axes]
    return linalg.tensordot(*_tensors((a, b)), axes)


@as_numpy(numpy.linalg.norm)
def norm(x: Tensor, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Tensor:
    return TABLE["linalg.norm"].function(x, ord, axis, keepdims)
