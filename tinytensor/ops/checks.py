"""Checks of arguments that several operations share, each with its message."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..arrays import Array, dtypes
from ..arrays.numbers import is_number, python_number


def is_floating(x: Array | float) -> bool:
    """Whether a number, a Tensor or an array is floating point."""
    x = python_number(x)
    if isinstance(x, bool | int | float):
        return isinstance(x, float)
    return dtypes.resolve(x.dtype).is_floating_point


def need_floating(name: str, x: Array, error: type[Exception] = RuntimeError) -> None:
    """
    Raises:
        RuntimeError, or the given error: a Tensor or an array of integers or bools.
    """
    dtype = x.dtype if isinstance(x.dtype, dtypes.dtype) else dtypes.of_array(x)
    if not dtype.is_floating_point:
        raise error(f"{name}: needs a floating point Tensor, got {dtype.name}; convert it with "
                    ".float() first")


def need_integers(name: str, positions: Array) -> None:
    """
    Raises:
        RuntimeError: an array of another dtype.
    """
    if positions.dtype.kind not in "iu":
        raise RuntimeError(f"{name}: positions must be integers, got "
                           f"{dtypes.of_array(positions).name}; convert them with .long()")


def refuse_bool(name: str, *arrays: Array) -> None:
    """
    Raises:
        RuntimeError: all operands are numbers or bool arrays: bool has no arithmetic.
    """
    if all(is_number(a) or a.dtype.kind == "b" for a in arrays):
        raise RuntimeError(f"{name}: is not defined for bool; convert with .int(), or use the "
                           "logical operations ~ & | ^")


def refuse_bool_dtype(name: str, x: Array, error: type[Exception] = RuntimeError) -> None:
    """
    Raises:
        RuntimeError, or the given error: a bool Tensor.
    """
    if x.dtype is dtypes.bool_:
        raise error(f"{name}: bool is not supported; convert with .int()")


def need_dims(name: str, x: Array, least: int) -> None:
    """
    Raises:
        RuntimeError: fewer dimensions.
    """
    if len(x.shape) < least:
        raise RuntimeError(f"{name}: needs at least {least} dimensions, got shape "
                           f"{tuple(x.shape)}")


def need_one_of(name: str, word: str, value: Any, choices: Iterable[Any],
                error: type[Exception] = RuntimeError) -> None:
    """
    Raises:
        RuntimeError, or the given error: the value is not among the choices.
    """
    choices = tuple(choices)
    if value not in choices:
        raise error(f"{name}: {word} {value!r} is none of {', '.join(map(repr, choices))}")
