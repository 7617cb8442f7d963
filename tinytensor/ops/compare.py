"""Comparisons and logic: results of dtype bool, through which no gradient flows."""

from __future__ import annotations

from typing import Any

from ..autograd.op import composed, op
from .samples import S, binary, bools, ints, t, unary

Array = Any
BINARY = [*binary(), S(ints(3, 4), ints(4)), S(ints(3), 2.5)]


@op(promotes="common", operator="__eq__", array_names=("equal",), samples=BINARY)
def eq(input: Array, other: Array):
    """Whether input == other, elementwise. Shapes: (*), (*) -> the broadcast shape, bool."""
    return input == other


@op(promotes="common", operator="__ne__", aliases=("not_equal",), array_names=("not_equal",),
    samples=BINARY)
def ne(input: Array, other: Array):
    """Whether input != other, elementwise. Shapes: (*), (*) -> the broadcast shape, bool."""
    return input != other


@op(promotes="common", operator="__lt__", aliases=("less",), array_names=("less",), samples=BINARY)
def lt(input: Array, other: Array):
    """Whether input < other, elementwise. Shapes: (*), (*) -> the broadcast shape, bool."""
    return input < other


@op(promotes="common", operator="__le__", aliases=("less_equal",), array_names=("less_equal",),
    samples=BINARY)
def le(input: Array, other: Array):
    """Whether input <= other, elementwise. Shapes: (*), (*) -> the broadcast shape, bool."""
    return input <= other


@op(promotes="common", operator="__gt__", aliases=("greater",), array_names=("greater",),
    samples=BINARY)
def gt(input: Array, other: Array):
    """Whether input > other, elementwise. Shapes: (*), (*) -> the broadcast shape, bool."""
    return input > other


@op(promotes="common", operator="__ge__", aliases=("greater_equal",),
    array_names=("greater_equal",), samples=BINARY)
def ge(input: Array, other: Array):
    """Whether input >= other, elementwise. Shapes: (*), (*) -> the broadcast shape, bool."""
    return input >= other


@op(promotes="float", array_names=("isnan",), samples=unary(), scalar="NumPy has it for floats only")
def isnan(xp, input: Array):
    """Whether each element is NaN. Shapes: (*) -> (*), bool."""
    return xp.isnan(input)


@op(promotes="float", array_names=("isinf",), samples=unary(), scalar="NumPy has it for floats only")
def isinf(xp, input: Array):
    """Whether each element is inf or -inf. Shapes: (*) -> (*), bool."""
    return xp.isinf(input)


@op(promotes="float", array_names=("isfinite",), samples=unary(),
    scalar="NumPy has it for floats only")
def isfinite(xp, input: Array):
    """Whether each element is neither NaN nor infinite. Shapes: (*) -> (*), bool."""
    return xp.isfinite(input)


@op(samples=[S(bools(3, 4)), S(t(3)), S(ints(3))], array_names=("logical_not",), inplace=True,
    scalar="NumPy has it for floats only")
def logical_not(xp, input: Array):
    """Whether each element is 0 or False. Shapes: (*) -> (*), bool."""
    return xp.logical_not(input)


@op(promotes="common", samples=[S(bools(3, 4), bools(4)), S(t(3), ints(3))],
    array_names=("logical_and",), inplace=True, scalar="NumPy has it for floats only")
def logical_and(xp, input: Array, other: Array):
    """Whether both elements are not 0. Shapes: (*), (*) -> the broadcast shape, bool."""
    return xp.logical_and(input, other)


@op(promotes="common", samples=[S(bools(3, 4), bools(4)), S(t(3), ints(3))],
    array_names=("logical_or",), inplace=True, scalar="NumPy has it for floats only")
def logical_or(xp, input: Array, other: Array):
    """Whether at least one element is not 0. Shapes: (*), (*) -> the broadcast shape, bool."""
    return xp.logical_or(input, other)


@op(promotes="common", operator="__and__", commutative=True, array_names=("bitwise_and",),
    inplace=True, samples=[S(bools(3, 4), bools(4)), S(ints(3), ints(3))])
def bitwise_and(input: Array, other: Array):
    """The bits that both have; on bool, logical and. Shapes: (*), (*) -> the broadcast shape."""
    return input & other


@op(promotes="common", operator="__or__", commutative=True, array_names=("bitwise_or",),
    inplace=True, samples=[S(bools(3, 4), bools(4)), S(ints(3), ints(3))])
def bitwise_or(input: Array, other: Array):
    """The bits that one has; on bool, logical or. Shapes: (*), (*) -> the broadcast shape."""
    return input | other


@op(promotes="common", operator="__xor__", commutative=True, array_names=("bitwise_xor",),
    inplace=True, samples=[S(bools(3, 4), bools(4)), S(ints(3), ints(3))])
def bitwise_xor(input: Array, other: Array):
    """The bits that just one has. Shapes: (*), (*) -> the broadcast shape."""
    return input ^ other


@op(promotes="common", operator="__invert__", array_names=("invert",), inplace=True,
    samples=[S(bools(3, 4)), S(ints(3))])
def bitwise_not(input: Array):
    """Every bit flipped; on bool, logical not. Shapes: (*) -> (*)."""
    return ~input


@composed(samples=[S(t(3), t(3)), S(t(2, 3), t(3), rtol=10.0)])
def isclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False):
    """|input - other| <= atol + rtol * |other|. Shapes: (*), (*) -> the broadcast shape, bool."""
    near = (input - other).abs() <= atol + rtol * other.abs()
    close = (input == other) | near & isfinite(other) & isfinite(input)
    return close | isnan(input) & isnan(other) if equal_nan else close


@composed(samples=[S(t(3), t(3)), S(t(2, 3), t(2, 3), rtol=100.0)])
def allclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False):
    """Whether all elements are close, as a Python bool. Shapes: (*), (*) -> bool."""
    return bool(isclose(input, other, rtol, atol, equal_nan).all())


@composed(samples=[S(t(3), t(3)), S(ints(2), ints(3))])
def equal(input, other):
    """Whether shapes and all elements are equal, as a Python bool. Shapes: (*), (*) -> bool."""
    return input.shape == other.shape and bool((input == other).all())
