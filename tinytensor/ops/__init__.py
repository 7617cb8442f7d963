"""The operations: one file for each family. Each operation is defined once and entered in a table.

This file attaches what follows from the table: the functions of the package, the methods,
operators and in-place forms of Tensor, and the array language of a recorded backward pass.
"""

from __future__ import annotations

import builtins
import functools
import math
from collections.abc import Callable
from typing import Any

from ..arrays import devices, dtypes
from ..arrays.numbers import integers, is_integer, is_number
from ..autograd.frames import passes_on, shorten
from ..autograd.graph import tensors
from ..autograd.modes import enable_grad, mode
from ..autograd.out import naming_its_tensors, taking_out
from ..autograd.table import TABLE, Entry, attach
from ..compat import older_forms
from ..tensors import creation
from ..tensors.tensor import Tensor
from ..tensors.tensor import ops as wanted_by_tensor
from . import (  # each enters its operations into the table
    activation,
    alignment,
    arrange,
    attention,
    bessel,
    compare,
    convolution,
    copies,
    cross_entropy,
    decomposition,
    diagonals,
    distance,
    dropout,
    einsum,
    elementwise,
    embedding,
    extrema,
    gamma,
    gather,
    householder,
    index,
    linalg,
    loss,
    margin_loss,
    matrices,
    normal,
    normalization,
    norms,
    numerical,
    padding,
    pooling,
    recurrent,
    reduce,
    resampling,
    scan,
    searching,
    shape,
    solving,
    sorting,
    special,
    strided,
)
from .array_functions import array_function
from .inplace import in_place, like

REFLECTED = {"__add__", "__sub__", "__mul__", "__truediv__", "__floordiv__", "__mod__", "__pow__",
             "__matmul__", "__and__", "__or__", "__xor__", "__lshift__", "__rshift__"}


def _attach(entry: Entry) -> None:
    """Puts an operation everywhere it goes by the table."""
    function = entry.function
    for name in entry.array_names:
        vars(tensors)[name] = entry.op.function if entry.op else function
    if entry.method:
        method = _with_pieces(function, entry.varargs) if entry.varargs else function
        for name in (entry.name, *entry.aliases):
            setattr(Tensor, name, method)
            if entry.inplace:
                setattr(Tensor, f"{name}_", in_place(function, f"{name}_"))
    if entry.operator:
        _attach_operator(entry)


def _attach_operator(entry: Entry) -> None:
    operator = entry.op.function if entry.op else entry.function
    name = entry.operator.strip("_")
    if name in ("eq", "ne"):
        operator = _or_not_implemented(operator)
    setattr(Tensor, entry.operator, operator)
    if entry.operator in REFLECTED:
        setattr(Tensor, f"__r{name}__",
                operator if entry.commutative else _swapped(operator, entry.operator))
        setattr(Tensor, f"__i{name}__", in_place(operator, f"__i{name}__"))


def _swapped(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    def reflected(self: Any, other: Any) -> Any:
        return function(other, self)

    reflected.__name__ = name
    return reflected


def _or_not_implemented(function: Callable[..., Any]) -> Callable[..., Any]:
    """`tensor == "text"` is False, as between any two things of different kinds."""
    @like(function, function.__name__)
    def method(self: Any, other: Any) -> Any:
        if isinstance(other, Tensor) or is_number(other) or devices.is_array(other):
            return function(self, other)
        return NotImplemented

    return method


def _with_pieces(function: Callable[..., Any], parameter: str) -> Callable[..., Any]:
    """x.reshape(2, 3) beside x.reshape((2, 3))."""
    @passes_on
    @like(function, function.__name__)
    def method(self: Any, *pieces: Any, **options: Any) -> Any:
        if parameter in options or not pieces and options:
            return function(self, **options)
        whole = len(pieces) == 1 and pieces[0].__class__ is not int and not is_integer(pieces[0])
        try:
            return function(self, pieces[0] if whole else pieces, **options)
        except Exception as error:
            shorten(error)
            raise

    return method


# ---------------------------------------------------------------- what Tensors do beside the table


def conversion(name: str, **target: Any) -> Callable[[Tensor], Tensor]:
    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return self.to(**target)

    method.__name__ = name
    method.__doc__ = f"This Tensor as {', '.join(map(str, target.values()))}."
    return method


for _name in ("float", "double", "half", "bfloat16", "int", "long", "short", "bool"):
    setattr(Tensor, _name, conversion(_name, dtype=dtypes.BY_NAME[_name]))


def copy_(self: Tensor, other: Any, non_blocking: bool = False) -> Tensor:
    """Writes the values of `other`, broadcast, into this Tensor, whatever their dtype."""
    self._check_write("copy_")
    if other.ndim > self.ndim:
        raise RuntimeError(f"copy_: values of shape {tuple(other.shape)} do not broadcast to shape "
                           f"{tuple(self.shape)}")
    other = other.to(device=self.device, dtype=self.dtype, non_blocking=non_blocking)
    index.assign(self, other, "copy_")
    return self


def fill_(self: Tensor, value: Any) -> Tensor:
    """Writes one value into every element."""
    if not isinstance(value, Tensor):
        value = index.as_value(value, self, "fill_")
    self._check_write("fill_", repeated=value._node is None)
    if value.ndim:
        raise RuntimeError(f"fill_: the value must be a number or a 0-d Tensor, got shape "
                           f"{tuple(value.shape)}; copy_() takes others")
    index.assign(self, value.to(device=self.device, dtype=self.dtype), "fill_")
    return self


def zero_(self: Tensor) -> Tensor:
    """Writes 0 into every element."""
    return fill_(self, 0)


def resize_(self: Tensor, *sizes: Any, memory_format: Any = None) -> Tensor:
    """Gives the Tensor another shape, with its elements in order.

    Fewer elements show the first ones; more are in new memory, where those after the present ones
    are 0.

    Raises:
        RuntimeError: the Tensor requires grad; a negative size.
    """
    if self._node is not None:
        raise RuntimeError("resize_: this Tensor requires grad; call it on x.detach()")
    size = integers("resize_: a size", sizes[0] if len(sizes) == 1 else sizes)
    if any(n < 0 for n in size):
        raise RuntimeError(f"resize_: the sizes must not be negative, got {size}")
    count, elements = math.prod(size), self.detach().reshape(-1)
    if count <= self.numel():
        view = elements[:count].reshape(size)
    else:
        view = self.new_zeros(size)
        view.view(-1)[:self.numel()] = elements
    self.data = view
    return self


def resize_as_(self: Tensor, tensor: Tensor, memory_format: Any = None) -> Tensor:
    """`resize_` to the shape of another Tensor."""
    return resize_(self, tuple(tensor.shape))


def as_strided_(self: Tensor, size: Any, stride: Any, storage_offset: int | None = None) -> Tensor:
    """As `as_strided`, in place: this Tensor shows those elements of its memory.

    Raises:
        RuntimeError: this Tensor requires grad; and as `as_strided`.
    """
    if self._node is not None:
        raise RuntimeError("as_strided_: this Tensor requires grad; use as_strided()")
    self.data = diagonals.as_strided_in_memory(self, size, stride, storage_offset)
    return self


def fill_diagonal_(self: Tensor, fill_value: Any, wrap: bool = False) -> Tensor:
    """Writes one value into the main diagonal of a matrix, or of a Tensor of equal sizes.

    With `wrap` the diagonal of a tall matrix begins again, one row below each square block.

    Raises:
        RuntimeError: fewer than 2 dims; more than 2, and sizes that differ.
    """
    if self.ndim < 2 or (self.ndim > 2 and len(set(self.shape)) > 1):
        raise RuntimeError("fill_diagonal_: needs a matrix, or equal sizes in more dims, got shape "
                           f"{tuple(self.shape)}")
    step = sum(math.prod(self.shape[i:]) for i in range(1, self.ndim + 1))
    end = None if wrap else self.shape[-1] * step
    mask = self.new_zeros(tuple(self.shape), dtype=dtypes.bool_)
    mask._array.reshape(-1)[:end:step] = True
    return self.masked_fill_(mask, fill_value)


for _name, _function in {
        "copy_": copy_, "fill_": fill_, "zero_": zero_,
        "fill_diagonal_": fill_diagonal_, "resize_": resize_,
        "resize_as_": resize_as_, "as_strided_": as_strided_,
        "where": index.where_method,
        "__getitem__": index.read, "__setitem__": index.write,
        "__array_function__": array_function}.items():
    setattr(Tensor, _name, _function)


def _in_shape(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """The in-place form of an operation that changes the shape and no element."""
    @like(function, name)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        self._check_write(name, repeated=True)
        with enable_grad():
            self._reshape_in_place(function(self, *args, **kwargs))
        return self

    method.__doc__ = f"As `{name.strip('_')}`, in place: this Tensor gets the new shape."
    return method


for _name in ("squeeze", "unsqueeze", "transpose", "swapaxes", "swapdims", "t"):
    setattr(Tensor, f"{_name}_", _in_shape(
        TABLE["transpose" if _name[:4] == "swap" else _name].function, f"{_name}_"))


def names_for(home: str) -> dict[str, Callable[..., Any]]:
    """The functions that a module offers: "" for the package, "linalg", and so on."""
    found: dict[str, Callable[..., Any]] = {}
    for entry in TABLE.values():
        if entry.home == home and not entry.internal:
            found |= dict.fromkeys((entry.name, *entry.aliases), entry.function)
    return found


def _beside(make: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A function that makes a Tensor, as rules call it: on the device of their gradients."""
    def made(*args: Any, **kwargs: Any) -> Tensor:
        return make(*args, device=mode.device, **kwargs)

    return made


def load() -> None:
    """Draws everything that follows from the table."""
    for key, entry in TABLE.items():
        entry.function = older_forms.adapted(key, entry.function)
        _attach(entry)
        if entry.home in ("", "linalg", "special"):  # functions take `out`, methods do not
            entry.function = taking_out(entry.function)
        elif entry.home == "nn.functional":
            entry.function = naming_its_tensors(entry.function)
    attach.append(_attach)  # operations that programs define get their methods too
    for name in ("zeros", "ones", "arange"):
        vars(tensors)[name] = _beside(getattr(creation, name))
    for name in ("zeros_like", "ones_like"):
        vars(tensors)[name] = getattr(creation, name)
    vars(wanted_by_tensor).update(
        tensor=creation.tensor, cast=shape.cast, move=shape.move, permute=shape.permute,
        transpose=shape.transpose, view_node=strided.view_node, write_node=strided.write_node)


load()
