"""Comparisons and logic. Results are bool and have no gradient."""

from __future__ import annotations

import math

from ..arrays import Array
from ..autograd.table import composed, op
from ..tensors.tensor import Tensor
from .checks import refuse_bool
from .samples import S, binary, bools, ints, t, unary

BINARY = [*binary(), S(ints(3, 4), ints(4)), S(ints(3), 2.5)]
NUMBERS = [*unary(), S(ints(3)), S(bools(3))]


@op(promotes="common", compares=True, operator="__eq__", inplace=True,
    array_names=("equal",), samples=BINARY)
def eq(input: Array, other: Array):
    """Whether input == other, elementwise. Shapes: (*), (*) -> the broadcast shape, bool."""
    return input == other


@op(promotes="common", compares=True, operator="__ne__", inplace=True, aliases=("not_equal",),
    array_names=("not_equal",), samples=BINARY)
def ne(input: Array, other: Array):
    """Whether input != other, elementwise. Shapes: (*), (*) -> the broadcast shape, bool."""
    return input != other


@op(promotes="common", compares=True, operator="__lt__", inplace=True, aliases=("less",),
    array_names=("less",), samples=BINARY)
def lt(input: Array, other: Array):
    """Whether input < other, elementwise. Shapes: (*), (*) -> the broadcast shape, bool."""
    return input < other


@op(promotes="common", compares=True, operator="__le__", inplace=True, aliases=("less_equal",),
    array_names=("less_equal",), samples=BINARY)
def le(input: Array, other: Array):
    """Whether input <= other, elementwise. Shapes: (*), (*) -> the broadcast shape, bool."""
    return input <= other


@op(promotes="common", compares=True, operator="__gt__", inplace=True, aliases=("greater",),
    array_names=("greater",), samples=BINARY)
def gt(input: Array, other: Array):
    """Whether input > other, elementwise. Shapes: (*), (*) -> the broadcast shape, bool."""
    return input > other


@op(promotes="common", compares=True, operator="__ge__", inplace=True, aliases=("greater_equal",),
    array_names=("greater_equal",), samples=BINARY)
def ge(input: Array, other: Array):
    """Whether input >= other, elementwise. Shapes: (*), (*) -> the broadcast shape, bool."""
    return input >= other


@op(promotes="float", array_names=("isnan",), samples=NUMBERS,
    scalar="NumPy has it for floats only")
def isnan(xp, input: Array):
    """Whether each element is NaN. Shapes: (*) -> (*), bool."""
    return xp.isnan(input)


@op(promotes="float", array_names=("isinf",), samples=NUMBERS,
    scalar="NumPy has it for floats only")
def isinf(xp, input: Array):
    """Whether each element is inf or -inf. Shapes: (*) -> (*), bool."""
    return xp.isinf(input)


@op(promotes="float", array_names=("isfinite",), samples=NUMBERS,
    scalar="NumPy has it for floats only")
def isfinite(xp, input: Array):
    """Whether each element is neither NaN nor infinite. Shapes: (*) -> (*), bool."""
    return xp.isfinite(input)


@op(promotes="float", samples=NUMBERS, scalar="gives bool, not values")
def isposinf(input: Array):
    """Whether each element is inf. Shapes: (*) -> (*), bool."""
    return input == math.inf


@op(promotes="float", samples=NUMBERS, scalar="gives bool, not values")
def isneginf(input: Array):
    """Whether each element is -inf. Shapes: (*) -> (*), bool."""
    return input == -math.inf


@op(samples=NUMBERS, scalar="gives bool, not values")
def isreal(xp, input: Array):
    """True: all elements are real numbers. Shapes: (*) -> (*), bool."""
    return xp.ones(input.shape, dtype=bool)


@op(samples=[S(bools(3, 4)), S(t(3)), S(ints(3))], array_names=("logical_not",), inplace=True,
    scalar="NumPy has it for floats only")
def logical_not(xp, input: Array):
    """Whether each element is 0 or False. Shapes: (*) -> (*), bool."""
    return xp.logical_not(input)


@op(promotes="common", samples=[S(bools(3, 4), bools(4)), S(t(3), ints(3))],
    array_names=("logical_and",), inplace=True, scalar="NumPy has it for floats only")
def logical_and(xp, input: Array, other: Array):
    """Whether both elements are nonzero. Shapes: (*), (*) -> the broadcast shape, bool."""
    return xp.logical_and(input, other)


@op(promotes="common", samples=[S(bools(3, 4), bools(4)), S(t(3), ints(3))],
    array_names=("logical_or",), inplace=True, scalar="NumPy has it for floats only")
def logical_or(xp, input: Array, other: Array):
    """Whether at least one element is nonzero. Shapes: (*), (*) -> the broadcast shape, bool."""
    return xp.logical_or(input, other)


@op(promotes="common", samples=[S(bools(3, 4), bools(4)), S(t(3), ints(3))],
    array_names=("logical_xor",), inplace=True, scalar="NumPy has it for floats only")
def logical_xor(xp, input: Array, other: Array):
    """Whether exactly one element is nonzero. Shapes: (*), (*) -> the broadcast shape, bool."""
    return xp.logical_xor(input, other)


@op(promotes="common", operator="__and__", commutative=True, array_names=("bitwise_and",),
    inplace=True, samples=[S(bools(3, 4), bools(4)), S(ints(3), ints(3))])
def bitwise_and(input: Array, other: Array):
    """Bitwise and; on bool, logical and. Shapes: (*), (*) -> the broadcast shape."""
    return input & other


@op(promotes="common", operator="__or__", commutative=True, array_names=("bitwise_or",),
    inplace=True, samples=[S(bools(3, 4), bools(4)), S(ints(3), ints(3))])
def bitwise_or(input: Array, other: Array):
    """Bitwise or; on bool, logical or. Shapes: (*), (*) -> the broadcast shape."""
    return input | other


@op(promotes="common", operator="__xor__", commutative=True, array_names=("bitwise_xor",),
    inplace=True, samples=[S(bools(3, 4), bools(4)), S(ints(3), ints(3))])
def bitwise_xor(input: Array, other: Array):
    """Bitwise exclusive or. Shapes: (*), (*) -> the broadcast shape."""
    return input ^ other


@op(promotes="common", operator="__invert__", array_names=("invert",), inplace=True,
    samples=[S(bools(3, 4)), S(ints(3))])
def bitwise_not(input: Array):
    """Bitwise not; on bool, logical not. Shapes: (*) -> (*)."""
    return ~input


@op(promotes="common", operator="__lshift__", array_names=("left_shift",), inplace=True,
    samples=[S(ints(3), ints(3)), S(ints(2, 3), 2), S(ints(3), 70), S(1, ints(3))])
def bitwise_left_shift(xp, input: Array, other: Array):
    """input * 2 ** other; 0 where other is negative or all bits are shifted out.

    Shapes: (*), (*) -> the broadcast shape.

    Raises:
        RuntimeError: bool.
    """
    refuse_bool("bitwise_left_shift", input, other)
    return xp.left_shift(input, other)


@op(promotes="common", operator="__rshift__", array_names=("right_shift",), inplace=True,
    samples=[S(ints(3, low=-9), ints(3)), S(ints(2, 3), 2), S(ints(3, low=-9), 70)])
def bitwise_right_shift(xp, input: Array, other: Array):
    """input / 2 ** other rounded down, keeping the sign.

    Shapes: (*), (*) -> the broadcast shape.

    Raises:
        RuntimeError: bool.
    """
    refuse_bool("bitwise_right_shift", input, other)
    return xp.right_shift(input, other)


@composed(widens=True, samples=[
    S(t(3), t(3)), S(t(2, 3), t(3), rtol=10.0), S(ints(3), ints(3), rtol=1.0),
                   S(bools(3), bools(3))])
def isclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08,
            equal_nan: bool = False) -> Tensor:
    """|input - other| <= atol + rtol * |other|; an infinity is close only to itself.

    Shapes: (*), (*) -> the broadcast shape, bool.

    Raises:
        RuntimeError: the dtypes differ; rtol or atol is negative.
    """
    if input.dtype is not other.dtype:
        raise RuntimeError(f"isclose: the dtypes {input.dtype} and {other.dtype} differ; "
                           "convert one of them with .to(...)")
    if rtol < 0 or atol < 0:
        raise RuntimeError(f"isclose: rtol={rtol} and atol={atol} must not be negative")
    same = input == other
    if equal_nan:
        same = same | isnan(input) & isnan(other)
    if not input.dtype.is_floating_point:
        input, other = input.double(), other.double()
    error, allowed = (input - other).abs(), atol + (rtol * other).abs()
    return same | isfinite(error) & (error <= allowed)


@composed(widens=True, samples=[S(t(3), t(3)), S(t(2, 3), t(2, 3), rtol=100.0)])
def allclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08,
             equal_nan: bool = False) -> bool:
    """Whether all elements are close, as a Python bool. Shapes: (*), (*) -> bool."""
    return bool(isclose(input, other, rtol, atol, equal_nan).all())


@composed(samples=[S(t(3), t(3)), S(ints(2), ints(3))])
def equal(input: Tensor, other: Tensor) -> bool:
    """Whether shapes and all elements are equal, as a Python bool. Shapes: (*), (*) -> bool."""
    return input.shape == other.shape and bool((input == other).all())
