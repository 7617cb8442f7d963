"""Numbers as callers give them: Python's, NumPy's scalars, and Tensors of one integer.

A NumPy scalar counts as a Python number: it never decides a dtype. What Python accepts as an index
(`operator.index`) counts as a dim, a size, a position or a count.
"""

from __future__ import annotations

from operator import index
from typing import Any, SupportsIndex, TypeGuard, overload

import numpy

from . import naming

item, joined, repeated = tuple.__getitem__, tuple.__add__, tuple.__mul__


class Size(tuple[int, ...]):
    """A shape: a tuple of ints that can count its elements.

    A slice, a sum with a tuple and a multiple of it are Sizes too.
    """

    def numel(self) -> int:
        """The number of elements."""
        count = 1
        for size in self:
            count *= size
        return count

    @overload
    def __getitem__(self, key: SupportsIndex, /) -> int: ...
    @overload
    def __getitem__(self, key: slice, /) -> Size: ...
    def __getitem__(self, key: Any, /) -> Any:
        part = item(self, key)
        return Size(part) if part.__class__ is tuple else part

    def __add__(self, other: Any, /) -> Size:
        return Size(joined(self, other)) if isinstance(other, tuple) else NotImplemented

    def __radd__(self, other: Any, /) -> Size:
        return Size(joined(other, self)) if isinstance(other, tuple) else NotImplemented

    def __mul__(self, times: SupportsIndex, /) -> Size:
        return Size(repeated(self, times))

    __rmul__ = __mul__

    def __repr__(self) -> str:
        return f"{naming.package}.Size({list(self)})"


# ---------------------------------------------------------------- numbers


def python_number(x: Any) -> Any:
    """A NumPy scalar as a Python number; anything else as it is."""
    if not isinstance(x, numpy.generic):
        return x
    return float(x) if isinstance(x, numpy.floating) else x.item()


CLASSES = (int, float, numpy.number, numpy.bool)  # a bool is an int


def is_number(x: Any) -> bool:
    """Whether `x` is a number rather than a Tensor or an array."""
    return isinstance(x, CLASSES)


# ---------------------------------------------------------------- integers


def is_integer(x: Any) -> TypeGuard[int]:
    """Whether `x` is one integer: an int, a NumPy integer, a 0-d Tensor of an integer dtype."""
    if x.__class__ is int:
        return True
    if x.__class__ is tuple or x.__class__ is list:
        return False
    if getattr(x, "ndim", 0) or not hasattr(x, "__index__"):
        return False
    try:
        index(x)
    except TypeError:
        return False
    return True


def integer(name: str, x: Any) -> int:
    """One integer as an int.

    Raises:
        TypeError: anything else; `name` is that of the argument.
    """
    try:
        return index(x)
    except TypeError:
        raise TypeError(f"{name} must be an int, got {x!r}") from None


def integers(name: str, x: Any) -> tuple[int, ...]:
    """One integer, or a sequence of integers, as a tuple of ints.

    Raises:
        TypeError: anything else; `name` is that of the argument.
    """
    if is_integer(x):
        return (index(x),)
    try:
        return tuple(map(index, x))
    except TypeError:
        raise TypeError(f"{name} must be an int, or a tuple of ints, got {x!r}") from None


def argument(x: Any) -> Any:
    """A parameter of an operation: NumPy scalars and Tensors of one integer as Python numbers.

    A Tensor may be written to before backward uses the parameter, a number may not.
    """
    if isinstance(x, tuple | list):
        return x
    return index(x) if is_integer(x) else python_number(x)
