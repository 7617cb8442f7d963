"""Operations on each element: arithmetic and the elementary functions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .. import dtypes
from ..autograd.op import Op, composed, op
from .samples import S, binary, ints, t, unary

Array = Any


def is_number(x: Any) -> bool:
    """Whether an operand is a Python number rather than an array."""
    return isinstance(x, bool | int | float)


# ---------------------------------------------------------------- arithmetic


@op(promotes="common", operator="__add__", commutative=True, inplace=True, array_names=("add",),
    samples=[*binary(), S(t(2, 3), t(3), alpha=0.5)])
def add(input: Array, other: Array):
    """input + alpha * other. Shapes: (*), (*) -> the broadcast shape."""
    return input + other


add.vjp(
    input=lambda g: g,
    other=lambda g: g,
)


@add.public
def add_with_alpha(input, other, *, alpha=1):
    """input + alpha * other. Shapes: (*), (*) -> the broadcast shape."""
    return add(input, other if alpha == 1 else mul(other, alpha) if not is_number(other)
               else other * alpha)


@op(promotes="common", operator="__sub__", inplace=True, array_names=("subtract",),
    aliases=("subtract",), samples=[*binary(), S(t(2, 3), t(3), alpha=0.5)])
def sub(input: Array, other: Array):
    """input - alpha * other. Shapes: (*), (*) -> the broadcast shape."""
    return input - other


sub.vjp(
    input=lambda g: g,
    other=lambda g: -g,
)


@sub.public
def sub_with_alpha(input, other, *, alpha=1):
    """input - alpha * other. Shapes: (*), (*) -> the broadcast shape."""
    return sub(input, other if alpha == 1 else mul(other, alpha) if not is_number(other)
               else other * alpha)


@op(promotes="common", operator="__mul__", commutative=True, inplace=True,
    aliases=("multiply",), array_names=("multiply",), samples=binary())
def mul(input: Array, other: Array):
    """input * other. Shapes: (*), (*) -> the broadcast shape."""
    return input * other


mul.vjp(
    input=lambda g, other: g * other,
    other=lambda g, input: g * input,
)


@op(promotes="float", operator="__truediv__", inplace=True, array_names=("divide", "true_divide"),
    aliases=("divide", "true_divide"), samples=[
        *binary(0.3, 2), S(t(3, 4), t(4, low=0.5), rounding_mode="floor"),
        S(t(3, 4), t(4, low=0.5), rounding_mode="trunc")])
def div(input: Array, other: Array):
    """input / other; with rounding_mode "floor" or "trunc", rounded down or towards zero.

    Shapes: (*), (*) -> the broadcast shape.
    """
    return input / other


div.vjp(
    input=lambda g, other: g / other,
    other=lambda g, other, out: -g * out / other,
)


@div.public
def div_with_rounding(input, other, *, rounding_mode=None):
    """input / other; with rounding_mode "floor" or "trunc", rounded down or towards zero.

    Shapes: (*), (*) -> the broadcast shape.

    Raises:
        RuntimeError: another rounding_mode.
    """
    if rounding_mode is None:
        return div(input, other)
    if rounding_mode not in ("floor", "trunc"):
        raise RuntimeError(f"div: rounding_mode {rounding_mode!r} is none of None, 'floor', 'trunc'")
    integers = not any((dtypes.of_number(x) if is_number(x) else x.dtype).is_floating_point
                       for x in (input, other))
    if rounding_mode == "floor":
        return floor_divide(input, other)
    if integers:  # exact, where a float could not hold the quotient
        return (input - fmod(input, other)) // other
    return trunc(div(input, other))


@op(promotes="common", operator="__floordiv__", inplace=True, array_names=("floor_divide",),
    samples=[S(t(3, 4, grad=False), t(4, low=0.3, grad=False)), S(ints(5, low=-9, high=9), 4),
             S(ints(5, low=-9), ints(1, low=2)), S(t(3, grad=False), -0.7)],
    scalar="a step, without gradient")
def floor_divide(input: Array, other: Array):
    """input / other rounded down. Shapes: (*), (*) -> the broadcast shape."""
    return input // other


floor_divide.vjp(input=lambda g: g * 0.0, other=lambda g: g * 0.0)


@op(promotes="common", inplace=True, array_names=("fmod",), samples=[
    *binary(0.3, 2), S(ints(5, low=-9, high=9), 4)], scalar="Value has no fmod")
def fmod(xp, input: Array, other: Array):
    """The remainder with the sign of the input. Shapes: (*), (*) -> the broadcast shape."""
    return xp.fmod(input, other)


fmod.vjp(
    input=lambda g: g,
    other=lambda xp, g, input, other: -g * xp.trunc(input / other),
)


@op(promotes="common", operator="__pow__", inplace=True, array_names=("power",), samples=[
    *binary(0.3, 2), S(t(3), 3), S(t(3, low=0.5), -0.5), S(t(3), 0), S(2.5, t(3))])
def pow(input: Array, other: Array):
    """input ** other. Shapes: (*), (*) -> the broadcast shape."""
    return input ** other


@pow.vjp("input")
def _(xp, g, input, other):
    if is_number(other):
        return g * (other * input ** (other - 1)) if other != 0 else g * 0.0
    # x ** 0 is 1 everywhere: its derivative is 0 also where x ** -1 is infinite.
    return g * xp.where(other == 0, 0.0, other * input ** (other - 1))


@pow.vjp("other")
def _(xp, g, input, other, out):
    # 0 ** y is 0 for every y > 0, so its derivative is 0 although log 0 is infinite.
    if is_number(input):
        if input == 0:
            return g * xp.where(other >= 0, 0.0, -math.inf)
        return g * (out * (math.log(input) if input > 0 else math.nan))
    return g * xp.where((input == 0) & (other >= 0), 0.0, out * xp.log(input))


def elementwise(name: str, rule: Callable[..., Any], doc: str, low: float = -2.0,
                high: float = 2.0, promotes: str = "float", array_name: str = "",
                **entry: Any) -> Op:
    """An op that NumPy has as a function of one array, with its derivative."""
    numpy_name = array_name or name

    def forward(xp, input: Array):
        return getattr(xp, numpy_name)(input)

    forward.__name__, forward.__module__ = name, __name__
    forward.__doc__ = f"{doc}, elementwise. Shapes: (*) -> (*)."
    made = op(promotes=promotes, inplace=True, array_names=(numpy_name,),
              samples=unary(low, high), **entry)(forward)
    return made.vjp(input=rule)


neg = elementwise("neg", lambda g: -g, "-input", array_name="negative", promotes="common",
                  aliases=("negative",), operator="__neg__")
abs = elementwise("abs", lambda xp, g, input: g * xp.sign(input), "|input|", promotes="common",
                  aliases=("absolute",), array_name="absolute", operator="__abs__")
exp = elementwise("exp", lambda g, out: g * out, "e ** input")
log = elementwise("log", lambda g, input: g / input, "The natural logarithm", 0.2)
sqrt = elementwise("sqrt", lambda g, out: g / (2 * out), "The square root", 0.2)
square = elementwise("square", lambda g, input: g * (2 * input), "input ** 2", promotes="common")
sin = elementwise("sin", lambda xp, g, input: g * xp.cos(input), "The sine")
cos = elementwise("cos", lambda xp, g, input: -g * xp.sin(input), "The cosine")
tanh = elementwise("tanh", lambda g, out: g - g * (out * out), "The hyperbolic tangent")


sign = elementwise("sign", lambda g: g * 0.0, "-1, 0 or 1 by the sign", promotes="common",
                   scalar="a step, without gradient")
floor = elementwise("floor", lambda g: g * 0.0, "Rounded down", promotes="common",
                    scalar="a step, without gradient")
ceil = elementwise("ceil", lambda g: g * 0.0, "Rounded up", promotes="common",
                   scalar="a step, without gradient")
trunc = elementwise("trunc", lambda g: g * 0.0, "Rounded towards zero", promotes="common",
                    scalar="a step, without gradient")


@op(promotes="float", inplace=True, array_names=("sigmoid",), samples=unary())
def sigmoid(xp, input: Array):
    """1 / (1 + e ** -input), elementwise. Shapes: (*) -> (*)."""
    return 1 / (1 + xp.exp(-input))


sigmoid.vjp(input=lambda g, out: g * (out - out * out))


@op(promotes="common", inplace=True, samples=unary())
def relu(xp, input: Array):
    """max(0, input), elementwise; its derivative at 0 is 0. Shapes: (*) -> (*)."""
    return xp.maximum(input, 0)


relu.vjp(input=lambda g, out: g * (out > 0))


# ---------------------------------------------------------------- choices


def _share(g, mine, theirs):
    """`g` where `mine` won, half of it at a tie."""
    return g * (mine > theirs) + g * (mine == theirs) * 0.5


@op(promotes="common", array_names=("maximum",), samples=binary(numbers=False))
def maximum(xp, input: Array, other: Array):
    """The larger of two; a tie shares its gradient. Shapes: (*), (*) -> the broadcast shape."""
    return xp.maximum(input, other)


maximum.vjp(
    input=lambda g, input, other: _share(g, input, other),
    other=lambda g, input, other: _share(g, other, input),
)


@op(promotes="common", array_names=("minimum",), samples=binary(numbers=False))
def minimum(xp, input: Array, other: Array):
    """The smaller of two; a tie shares its gradient. Shapes: (*), (*) -> the broadcast shape."""
    return xp.minimum(input, other)


minimum.vjp(
    input=lambda g, input, other: _share(g, other, input),
    other=lambda g, input, other: _share(g, input, other),
)


@composed(inplace=True, aliases=("clip",), array_names=("clip",), samples=[
    S(t(3, 4), -0.5, 0.5), S(t(3, 4), min=0.1), S(t(3, 4), max=0.1),
    S(t(3, 4), t(4, high=0), t(3, 1, low=0))])
def clamp(input, min=None, max=None):
    """min(max(input, min), max), for bounds that are numbers, Tensors or None.

    Shapes: (*), bounds that broadcast -> (*). At a bound the gradient is the input's.

    Raises:
        RuntimeError: neither bound is given.
    """
    if min is None and max is None:
        raise RuntimeError("clamp: give at least one of min and max")
    from .index import where

    if min is not None:
        input = where(input < min, min, input)
    return input if max is None else where(input > max, max, input)
