"""Elementwise operations: arithmetic, powers, elementary functions, rounding, extrema of two.

As in PyTorch, integers become the default dtype in functions such as `sqrt`, and stay integers
in `neg`, `floor`, `clamp` and others.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any

import numpy

from ..arrays import Array, dtypes
from ..arrays.numbers import is_number, python_number
from ..autograd.deferred import check_all
from ..autograd.halves import in_single
from ..autograd.table import composed, op
from ..tensors.tensor import Tensor
from .checks import is_floating, need_floating, need_one_of, refuse_bool
from .masking import masked
from .samples import S, binary, bools, ints, t, unary

STEP = "a step function, without gradient"
INTEGERS = [S(ints(5, low=-9, high=9), 4), S(ints(5, low=-9), ints(1, low=2))]


# ---------------------------------------------------------------- arithmetic


@in_single
def _with_alpha(name: str, combine: Any, input: Tensor | float, other: Tensor | float,
                alpha: float) -> Tensor:
    """combine(input, alpha * other).

    Raises:
        RuntimeError: alpha is a float, and both operands are integers; for differences, bool.
    """
    if name != "add" and (other.__class__ is bool or getattr(other, "dtype", None) is dtypes.bool_):
        refuse_bool(name)
    if isinstance(alpha, float) and not is_floating(input) and not is_floating(other):
        raise RuntimeError(f"{name}: alpha={alpha} is a float, the operands are integers; "
                           "convert one of them with .float()")
    return combine(input, other * alpha)


@op(promotes="common", operator="__add__", commutative=True, inplace=True, array_names=("add",),
    samples=[*binary(), S(t(2, 3), t(3), alpha=0.5), S(bools(3), bools(3)), S(t(3), 2, alpha=3)])
def add(input: Array, other: Array):
    """input + alpha * other. Shapes: (*), (*) -> the broadcast shape."""
    return input + other


add.vjp(
    input=lambda g: g,
    other=lambda g: g,
)


@add.public
def add_with_alpha(input: Tensor, other: Tensor | float, *, alpha: float = 1) -> Tensor:
    """input + alpha * other. Shapes: (*), (*) -> the broadcast shape.

    Raises:
        RuntimeError: integers, and an alpha that is a float.
    """
    return add(input, other) if alpha == 1 else _with_alpha("add", add, input, other, alpha)


@op(promotes="common", operator="__sub__", inplace=True, array_names=("subtract",),
    aliases=("subtract",), refuses_bool=True, samples=[*binary(), S(t(2, 3), t(3), alpha=0.5)])
def sub(input: Array, other: Array):
    """input - alpha * other. Shapes: (*), (*) -> the broadcast shape."""
    return input - other


sub.vjp(
    input=lambda g: g,
    other=lambda g: -g,
)


@sub.public
def sub_with_alpha(input: Tensor, other: Tensor | float, *, alpha: float = 1) -> Tensor:
    """input - alpha * other. Shapes: (*), (*) -> the broadcast shape.

    Raises:
        RuntimeError: integers, and an alpha that is a float; an operand of bool (use `^` or `~`).
    """
    return sub(input, other) if alpha == 1 else _with_alpha("sub", sub, input, other, alpha)


@composed(method=False, samples=[S(t(2, 3), t(3)), S(t(2, 3), 1.5, alpha=2)])
def rsub(input: Tensor, other: Tensor | float, *, alpha: float = 1) -> Tensor:
    """other - alpha * input. Shapes: (*), (*) -> the broadcast shape.

    Raises:
        RuntimeError: integers, and an alpha that is a float; an operand of bool.
    """
    return sub(other, input) if alpha == 1 else _with_alpha("rsub", sub, other, input, alpha)


@op(promotes="common", operator="__mul__", commutative=True, inplace=True,
    aliases=("multiply",), array_names=("multiply",), samples=[*binary(), S(bools(3), bools(3))])
def mul(input: Array, other: Array):
    """input * other. Shapes: (*), (*) -> the broadcast shape."""
    return input * other


mul.vjp(
    input=lambda g, other: g * other,
    other=lambda g, input: g * input,
)


@op(promotes="float", operator="__truediv__", inplace=True, array_names=("divide", "true_divide"),
    aliases=("divide", "true_divide"), samples=[
        *binary(0.3, 2), S(ints(3), ints(3, low=1)),
        S(t(3, 4, grad=False), t(4, low=0.5, grad=False), rounding_mode="floor"),
        S(t(3, 4, grad=False), t(4, low=0.5, grad=False), rounding_mode="trunc"),
        S(ints(5, low=-9, high=9), ints(1, low=2), rounding_mode="trunc")])
def div(input: Array, other: Array):
    """input / other; with rounding_mode "floor" or "trunc", rounded down or towards zero.

    Shapes: (*), (*) -> the broadcast shape.
    """
    return input / other


# The quotient is not saved: programs write to it, as in `y = a / b; y += 1`.
div.vjp(
    input=lambda g, other: g / other,
    other=lambda g, input, other: -g * (input / other) / other,
)


@div.public
def div_with_rounding(input: Tensor | float, other: Tensor | float, *,
                      rounding_mode: str | None = None) -> Tensor:
    """input / other; with rounding_mode "floor" or "trunc", rounded down or towards zero.

    Shapes: (*), (*) -> the broadcast shape.

    Raises:
        RuntimeError: another rounding_mode; integers divided by 0, with a rounding_mode.
    """
    if rounding_mode is None:
        return div(input, other)
    need_one_of("div", "rounding_mode", rounding_mode, (None, "floor", "trunc"))
    if rounding_mode == "floor":
        return floor_divide(input, other)
    if is_floating(input) or is_floating(other):
        return trunc(div(input, other))
    return (input - fmod(input, other)) // other  # a float may not hold the quotient


def _check_divisor(name, xp, input, other):
    """
    Raises:
        RuntimeError: integers divided by 0; bool.
    """
    if (input if is_number(other) else other).dtype.kind in "biu":
        refuse_bool(name, input, other)
        def error():
            return RuntimeError(f"{name}: ZeroDivisionError: integers are divided by 0")

        if not is_number(other):
            check_all(other != 0, error)
        elif not other:
            raise error()


@op(promotes="common", operator="__floordiv__", inplace=True, array_names=("floor_divide",),
    samples=[S(t(3, 4, grad=False), t(4, low=0.3, grad=False)), S(t(3, grad=False), -0.7),
             *INTEGERS], scalar=STEP)
def floor_divide(xp, input: Array, other: Array):
    """input / other rounded down; its derivative is 0. Shapes: (*), (*) -> the broadcast shape.

    Raises:
        RuntimeError: integers divided by 0; bool.
    """
    _check_divisor("floor_divide", xp, input, other)
    return xp.floor_divide(input, other)


@op(promotes="common", operator="__mod__", inplace=True, array_names=("remainder",), samples=[
    *binary(0.3, 2), S(t(3, 4), t(4, low=0.3)), S(t(3, 4), -0.7),
    S(2.5, t(3, low=0.3, grad=False)), *INTEGERS], scalar="Value has no remainder")
def remainder(xp, input: Array, other: Array):
    """input - other * floor(input / other), with the sign of `other`: Python's %.

    Shapes: (*), (*) -> the broadcast shape.

    Raises:
        RuntimeError: integers divided by 0; bool.
    """
    _check_divisor("remainder", xp, input, other)
    return xp.remainder(input, other)


@op(promotes="common", inplace=True, array_names=("fmod",), samples=[
    *binary(0.3, 2), S(t(3, 4), t(4, low=0.3)), *INTEGERS], scalar="Value has no fmod")
def fmod(xp, input: Array, other: Array):
    """input - other * trunc(input / other), with the sign of `input`: C's fmod.

    Shapes: (*), (*) -> the broadcast shape.

    Raises:
        RuntimeError: integers divided by 0; bool.
    """
    _check_divisor("fmod", xp, input, other)
    return xp.fmod(input, other)


floor_divide.vjp(
    input=lambda xp, g: xp.zeros_like(g),
    other=lambda xp, g: xp.zeros_like(g),
)
remainder.vjp(
    input=lambda g: g,
    other=lambda xp, g, input, other: -g * xp.floor_divide(input, other),
)
fmod.vjp(
    input=lambda g: g,
    other=lambda xp, g, input, other: -g * xp.trunc(input / other),
)


# ---------------------------------------------------------------- powers


@op(autocast="float32 on cuda",
    promotes="common", operator="__pow__", inplace=True, array_names=("power",), samples=[
    *binary(0.3, 2), S(t(3), 3), S(t(3, low=0.5), -0.5), S(t(3), 0), S(t(3), 1), S(2.5, t(3)),
    S(ints(4, low=-3), 3), S(ints(4, low=1), ints(4)), S(3, ints(4)), S(ints(3, low=1), 0.5)])
def pow(input: Array, exponent: Array):
    """input ** exponent; 0 ** 0 is 1. Shapes: (*), (*) -> the broadcast shape.

    Raises:
        RuntimeError: integers to a negative number, or to one outside of their range; a bool
            Tensor to a bool Tensor.
    """
    if exponent.__class__ is float \
            or dtypes.is_differentiable((input if is_number(exponent) else exponent).dtype):
        return input ** exponent
    return _integer_power(input, exponent)


def _integer_power(input, exponent):
    """Integers to integers; for a negative exponent 1 / input ** -exponent, rounded to 0."""
    if is_number(exponent) and input.dtype.kind == "b":
        return input | (not exponent)
    refuse_bool("pow", input, exponent)
    if isinstance(exponent, numpy.generic):  # wrapped around
        raise RuntimeError(f"pow: the exponent does not fit {dtypes.of_array(input)}; convert the "
                           "base with .long() or .float()")
    if is_number(exponent):
        if exponent < 0:
            raise RuntimeError("pow: integers to a negative power are not integers; convert the "
                               "base with .float()")
        return input ** exponent
    if exponent.dtype.kind == "u":
        return input ** exponent
    power = input ** (exponent * (exponent > 0))
    # Only 1 and -1 have an integer reciprocal; an even exponent makes both 1.
    reciprocal = (input == 1) + (input == -1) * (1 - exponent % 2 * 2)
    return power * (exponent >= 0) + (exponent < 0) * reciprocal


@pow.vjp("input")
def _(xp, g, input, exponent):
    if is_number(exponent):
        return g * (exponent * input ** (exponent - 1)) if exponent != 0 else xp.zeros_like(g)
    # x ** 0 is 1 everywhere: its derivative is 0, also where x ** -1 is infinite.
    return xp.where(exponent == 0, 0.0, g * (exponent * input ** (exponent - 1)))


@pow.vjp("exponent")
def _(xp, g, input, exponent, out):
    # 0 ** y is 0 for every y > 0, so its derivative is 0 although log 0 is infinite.
    if is_number(input):
        if input == 0:
            return xp.where(exponent >= 0, 0.0, g * (out * -math.inf))
        return g * (out * (math.log(input) if input > 0 else math.nan))
    return xp.where((input == 0) & (exponent >= 0), 0.0, g * (out * xp.log(input)))


@composed(inplace=True, samples=[
    S(t(3, low=0.3), t(3)), S(t(2, 3), 2), S(ints(3, low=1), -0.5), S(2, t(3))])
def float_power(input: Tensor | float, exponent: Tensor | float) -> Tensor:
    """input ** exponent computed in float64. Shapes: (*), (*) -> the broadcast shape, float64."""
    base, power = (float(x) if isinstance(x, bool | int | float) else x.to(dtypes.float64)
                   for x in (python_number(input), python_number(exponent)))
    return pow(base, power)


# ---------------------------------------------------------------- divisors of integers


def _need_whole(name, *operands):
    """
    Raises:
        RuntimeError: an operand that is neither an integer nor an array of integers.
    """
    for x in operands:
        if isinstance(x, bool | float) or (not is_number(x) and x.dtype.kind not in "iu"):
            raise RuntimeError(f"{name}: needs integers, got "
                               f"{type(x).__name__ if is_number(x) else dtypes.of_array(x)}")


@op(promotes="common", inplace=True, array_names=("gcd",), scalar="of integers", samples=[
    S(ints(7, low=-9, high=9), ints(7, low=-9, high=9)), S(ints(2, 3), ints(3, high=9)),
    S(ints(0, 2), ints(2))])
def gcd(xp, input: Array, other: Array):
    """The greatest common divisor, elementwise; gcd(0, 0) is 0.

    Shapes: (*), (*) -> the broadcast shape.

    Raises:
        RuntimeError: operands that are not integers.
    """
    _need_whole("gcd", input, other)
    return xp.gcd(input, other)


@op(promotes="common", inplace=True, array_names=("lcm",), scalar="of integers", samples=[
    S(ints(7, low=-9, high=9), ints(7, low=-9, high=9)), S(ints(2, 3), ints(3, high=9)),
    S(ints(0, 2), ints(2))])
def lcm(xp, input: Array, other: Array):
    """The least common multiple, elementwise; 0 where one of the two is 0.

    Shapes: (*), (*) -> the broadcast shape.

    Raises:
        RuntimeError: operands that are not integers.
    """
    _need_whole("lcm", input, other)
    return xp.lcm(input, other)


# ---------------------------------------------------------------- elementary functions


def elementwise(name: str, rule: Callable[..., Any], doc: str, low: float = -2.0,
                high: float = 2.0, promotes: str = "float", array_name: str = "",
                **entry: Any) -> Any:
    """An op that calls a NumPy function of one array, with the rule for its derivative."""
    numpy_name = array_name or name

    def forward(xp, input: Array):
        return getattr(xp, numpy_name)(input)

    forward.__name__, forward.__module__ = name, __name__
    forward.__doc__ = f"{doc}, elementwise. Shapes: (*) -> (*)."
    here = sys._getframe(1)  # the line that defines it, for `inspect.getsource` and tracebacks
    made = op(promotes=promotes, inplace=True, array_names=(numpy_name,),
              samples=unary(low, high), place=(here.f_code.co_filename, here.f_lineno),
              **entry)(forward)
    return made.vjp(input=rule)


neg = elementwise("neg", lambda g: -g, "-input", array_name="negative", promotes="common",
                  aliases=("negative",), operator="__neg__")

exp = elementwise("exp", lambda g, out: g * out, "e ** input", autocast="float32 on cuda")
exp2 = elementwise("exp2", lambda g, out: g * (out * math.log(2)), "2 ** input")
expm1 = elementwise("expm1", lambda g, out: g * (out + 1), "e ** input - 1, exact near 0",
                    autocast="float32 on cuda")
log = elementwise("log", lambda g, input: g / input, "The natural logarithm", 0.2,
                  autocast="float32 on cuda")
log2 = elementwise("log2", lambda g, input: g / (input * math.log(2)), "The logarithm to base 2",
                   0.2, autocast="float32 on cuda")
log10 = elementwise("log10", lambda g, input: g / (input * math.log(10)),
                    "The logarithm to base 10", 0.2, autocast="float32 on cuda")
log1p = elementwise("log1p", lambda g, input: g / (input + 1), "log(1 + input), exact near 0",
                    -0.8, autocast="float32 on cuda")
sqrt = elementwise("sqrt", lambda g, out: g / (2 * out), "The square root", 0.2)

sin = elementwise("sin", lambda xp, g, input: g * xp.cos(input), "The sine")
cos = elementwise("cos", lambda xp, g, input: -g * xp.sin(input), "The cosine")
tan = elementwise("tan", lambda g, out: g * (1 + out * out), "The tangent", -1.4, 1.4,
                  autocast="float32 on cuda")
asin = elementwise("asin", lambda xp, g, input: g / xp.sqrt(1 - input * input), "The inverse sine",
                   -0.9, 0.9, array_name="arcsin", aliases=("arcsin",), autocast="float32 on cuda")
acos = elementwise("acos", lambda xp, g, input: -g / xp.sqrt(1 - input * input),
                   "The inverse cosine", -0.9, 0.9, array_name="arccos", aliases=("arccos",),
                   autocast="float32 on cuda")
atan = elementwise("atan", lambda g, input: g / (1 + input * input), "The inverse tangent",
                   array_name="arctan", aliases=("arctan",))
sinh = elementwise("sinh", lambda xp, g, input: g * xp.cosh(input), "The hyperbolic sine",
                   autocast="float32 on cuda")
cosh = elementwise("cosh", lambda xp, g, input: g * xp.sinh(input), "The hyperbolic cosine",
                   autocast="float32 on cuda")
tanh = elementwise("tanh", lambda g, out: g * (1 - out * out), "The hyperbolic tangent")
asinh = elementwise("asinh", lambda xp, g, input: g / xp.sqrt(input * input + 1),
                    "The inverse hyperbolic sine", array_name="arcsinh", aliases=("arcsinh",))
acosh = elementwise("acosh", lambda xp, g, input: g / xp.sqrt(input * input - 1),
                    "The inverse hyperbolic cosine", 1.2, 4, array_name="arccosh",
                    aliases=("arccosh",))
atanh = elementwise("atanh", lambda g, input: g / (1 - input * input),
                    "The inverse hyperbolic tangent", -0.9, 0.9, array_name="arctanh",
                    aliases=("arctanh",))


@op(promotes="common", inplace=True, array_names=("square",), samples=[*unary(), S(bools(3))])
def square(input: Array):
    """input ** 2, elementwise. Shapes: (*) -> (*); bool gives int64."""
    return input * input if input.dtype.kind != "b" else input.astype(dtypes.int64.numpy)


square.vjp(input=lambda g, input: g * (2 * input))


@op(autocast="float32 on cuda", promotes="float", inplace=True, samples=unary(0.2))
def rsqrt(xp, input: Array):
    """1 / √input, elementwise. Shapes: (*) -> (*)."""
    return 1 / xp.sqrt(input)


rsqrt.vjp(input=lambda g, out: g * (-0.5 * (out * out * out)))


@op(autocast="float32 on cuda",
    promotes="float", inplace=True, array_names=("reciprocal",), samples=unary(0.2))
def reciprocal(input: Array):
    """1 / input, elementwise. Shapes: (*) -> (*)."""
    return 1 / input


reciprocal.vjp(input=lambda g, out: -g * (out * out))


@op(promotes="float", inplace=True, array_names=("sigmoid",), samples=unary())
def sigmoid(xp, input: Array):
    """1 / (1 + e ** -input), elementwise. Shapes: (*) -> (*)."""
    return 1 / (1 + xp.exp(-input))


sigmoid.vjp(input=lambda g, out: g * (out * (1 - out)))


@op(promotes="common", inplace=True, samples=unary())
def relu(xp, input: Array):
    """max(0, input), elementwise; its derivative at 0 is 0. Shapes: (*) -> (*).

    Raises:
        RuntimeError: bool.
    """
    if input.dtype.kind == "b":
        refuse_bool("relu", input)
    return xp.maximum(input, 0)


# `out > 0` would drop the gradient at NaN.
relu.vjp(input=lambda xp, g, out: masked(xp, g, out != 0))


@composed(inplace=True, samples=[S(t(3, 4)), S(ints(3))])
def deg2rad(input: Tensor) -> Tensor:
    """Degrees as radians. Shapes: (*) -> (*)."""
    return input * (math.pi / 180)


@composed(inplace=True, samples=[S(t(3, 4)), S(ints(3))])
def rad2deg(input: Tensor) -> Tensor:
    """Radians as degrees. Shapes: (*) -> (*)."""
    return input * (180 / math.pi)


@op(autocast="widest on cuda", promotes="float", inplace=True,
    aliases=("arctan2",), array_names=("arctan2",),
    samples=binary(numbers=False), scalar="Value has no arctan2")
def atan2(xp, input: Array, other: Array):
    """The angle of the point (other, input), in [-π, π]. Shapes: (*), (*) -> the broadcast shape.

    Its gradients at the origin are 0.
    """
    return xp.arctan2(input, other)


def _per_squared_radius(xp, g, input, other):
    squares = input * input + other * other
    return xp.where(squares == 0, 0.0, g / squares)


atan2.vjp(
    input=lambda xp, g, input, other: other * _per_squared_radius(xp, g, input, other),
    other=lambda xp, g, input, other: -input * _per_squared_radius(xp, g, input, other),
)


@op(promotes="floating", inplace=True, array_names=("hypot",), samples=binary(numbers=False),
    scalar="Value has no hypot")
def hypot(xp, input: Array, other: Array):
    """√(input² + other²) without overflow. Shapes: (*), (*) -> the broadcast shape."""
    return xp.hypot(input, other)


hypot.vjp(
    input=lambda g, input, out: g * (input / out),
    other=lambda g, other, out: g * (other / out),
)


# ---------------------------------------------------------------- signs and rounding


@op(promotes="common", inplace=True, aliases=("sgn",), array_names=("sign",), scalar=STEP,
    samples=[*unary(), S(ints(3, low=-3)), S(bools(3))])
def sign(input: Array):
    """The sign, -1, 0 or 1, elementwise; 0 for NaN, unlike NumPy's. Shapes: (*) -> (*)."""
    if input.dtype.kind == "b":
        return input.copy()
    return (input > 0).astype(input.dtype) - (input < 0)


sign.vjp(input=lambda xp, g: xp.zeros_like(g))


@op(promotes="common", inplace=True, aliases=("absolute",), array_names=("absolute", "abs"),
    operator="__abs__", samples=[*unary(), S(ints(3, low=-3))])
def abs(xp, input: Array):
    """|input|, elementwise; its derivative at 0 is 0. Shapes: (*) -> (*).

    Raises:
        RuntimeError: bool.
    """
    refuse_bool("abs", input)
    return xp.absolute(input)


abs.vjp(input=lambda xp, g, input: g * sign.run(xp, input))


@op(samples=[S(t(3, 4, grad=False)), S(ints(3, low=-3)), S(bools(2))], scalar="no numbers")
def signbit(xp, input: Array):
    """Whether the sign bit of each element is set, as of -0.0. Shapes: (*) -> (*), bool."""
    return xp.signbit(input) if dtypes.is_floating(input.dtype) else input < 0


@op(promotes="float", inplace=True, samples=[
    S(t(3, 4), t(4, grad=False)), S(t(3, 4), -2.0), S(ints(3, low=1), ints(3, low=-5, high=-1))],
    scalar="Value has no copysign")
def copysign(xp, input: Array, other: Array):
    """|input| with the sign of `other`; no gradient flows to `other`.

    Shapes: (*), (*) -> the broadcast shape.
    """
    return xp.copysign(input, other)


copysign.vjp(
    input=lambda xp, g, input, out: xp.where(input == 0, 0.0, g * (out / input)),
    other=lambda xp, g: xp.zeros_like(g),
)


def _step(name: str, array_name: str, doc: str, **entry: Any) -> Any:
    """A rounding function: integers are unchanged, and its derivative is 0."""
    def forward(xp, input: Array):
        refuse_bool(name, input)
        return getattr(xp, array_name)(input) if dtypes.is_floating(input.dtype) else input.copy()

    forward.__name__, forward.__module__ = name, __name__
    forward.__doc__ = (f"{doc}, elementwise; integers are unchanged. Shapes: (*) -> (*).\n\n"
                       "    Raises:\n        RuntimeError: bool.\n    ")
    made = op(promotes="common", array_names=(array_name,), scalar=STEP,
              samples=[*unary(), S(ints(3, low=-3))], **entry)(forward)
    return made.vjp(input=lambda xp, g: xp.zeros_like(g))


floor = _step("floor", "floor", "Rounded down", inplace=True)
ceil = _step("ceil", "ceil", "Rounded up", inplace=True)
trunc = _step("trunc", "trunc", "Rounded towards zero", inplace=True, aliases=("fix",))
rint = _step("rint", "rint", "Rounded to the nearest integer, to the even one at a tie",
             method=False, internal=True, reference="round")


@composed(widens=True, inplace=True, scalar=STEP, samples=[
    *unary(), S(t(3, 4), decimals=1), S(t(3, low=-900, high=900), decimals=-2), S(ints(3))])
def round_(input: Tensor, *, decimals: int = 0) -> Tensor:
    """Rounded to `decimals` digits, to the even digit at a tie; integers are unchanged.

    Shapes: (*) -> (*).

    Raises:
        RuntimeError: bool; integers, and decimals that are not 0.
    """
    refuse_bool("round", input._array)
    if decimals == 0:
        return rint(input)
    if not is_floating(input):
        raise RuntimeError(f"round: decimals={decimals} needs floating point, got {input.dtype}; "
                           "convert it with .float() first")
    scale = 10.0 ** math.fabs(decimals)
    return rint(input * scale) / scale if decimals > 0 else rint(input / scale) * scale


@op(promotes="floating", inplace=True, samples=unary(), scalar="Value has no trunc")
def frac(xp, input: Array):
    """input - trunc(input), elementwise. Shapes: (*) -> (*)."""
    return input - xp.trunc(input)


frac.vjp(input=lambda g: g)


@composed(operator="__pos__", samples=unary())
def positive(input: Tensor) -> Tensor:
    """+input: the input itself. Shapes: (*) -> (*).

    Raises:
        RuntimeError: bool.
    """
    refuse_bool("positive", input._array)
    return input


# ---------------------------------------------------------------- extrema and bounds


def _share(xp, g, mine, theirs):
    """`g` where mine >= theirs, half of it at a tie."""
    return masked(xp, g, ~(mine < theirs)) - masked(xp, g, mine == theirs) * 0.5


@op(promotes="common", array_names=("maximum",), samples=[*binary(numbers=False), S(bools(3),
                                                          bools(3)), S(ints(3), t(3))])
def maximum(xp, input: Array, other: Array):
    """The larger of two, NaN if one is NaN; at a tie both get half of the gradient.

    Shapes: (*), (*) -> the broadcast shape.
    """
    return xp.maximum(input, other)


@op(promotes="common", array_names=("minimum",), samples=[*binary(numbers=False), S(bools(3),
                                                          bools(3)), S(ints(3), t(3))])
def minimum(xp, input: Array, other: Array):
    """The smaller of two, NaN if one is NaN; at a tie both get half of the gradient.

    Shapes: (*), (*) -> the broadcast shape.
    """
    return xp.minimum(input, other)


@op(promotes="common", array_names=("fmax",), samples=binary(numbers=False))
def fmax(xp, input: Array, other: Array):
    """The larger of two, ignoring NaN; at a tie the input gets the gradient.

    Shapes: (*), (*) -> the broadcast shape.
    """
    return xp.fmax(input, other)


@op(promotes="common", array_names=("fmin",), samples=binary(numbers=False))
def fmin(xp, input: Array, other: Array):
    """The smaller of two, ignoring NaN; at a tie the input gets the gradient.

    Shapes: (*), (*) -> the broadcast shape.
    """
    return xp.fmin(input, other)


maximum.vjp(
    input=lambda xp, g, input, other: _share(xp, g, input, other),
    other=lambda xp, g, input, other: _share(xp, g, other, input),
)
minimum.vjp(
    input=lambda xp, g, input, other: _share(xp, g, other, input),
    other=lambda xp, g, input, other: _share(xp, g, input, other),
)
fmax.vjp(
    input=lambda g, input, other: g * ((input >= other) | (other != other)),
    other=lambda g, input, other: g * ~((input >= other) | (other != other)),
)
fmin.vjp(
    input=lambda g, input, other: g * ((input <= other) | (other != other)),
    other=lambda g, input, other: g * ~((input <= other) | (other != other)),
)


@op(promotes="common", inplace=True, aliases=("clip",), array_names=("clip",), samples=[
    S(t(3, 4), -0.5, 0.5), S(t(3, 4), min=0.1), S(t(3, 4), max=0.1), S(t(3, 4), 1.0, -1.0),
    S(t(3, 4), t(4, high=0), t(3, 1, low=0)), S(t(3), max=t()), S(ints(5), 1, 3),
    S(ints(5), max=2.5), S(bools(3), 0, 1)])
def clamp(xp, input: Array, min: Array | None = None, max: Array | None = None):
    """min(max(input, min), max), for bounds that are numbers, Tensors or None.

    Shapes: (*), bounds that broadcast -> the broadcast shape. At a bound the input
    gets the gradient.

    Raises:
        RuntimeError: neither bound is given.
    """
    if min is None and max is None:
        raise RuntimeError("clamp: give at least one of min and max")
    if min is not None:
        input = xp.maximum(input, min)
    return input if max is None else xp.minimum(input, max)


@clamp.vjp("input")
def _(xp, g, input, min, max):
    if min is None or max is None:
        return masked(xp, g, input <= max if min is None else input >= min)
    return masked(xp, g, (input >= min) & (input <= max))


clamp.vjp(
    min=lambda xp, g, input, min, max: masked(
        xp, g, input < min if max is None else (input < min) & (min < max)),
    max=lambda xp, g, input, min, max: masked(
        xp, g, input > max if min is None else (input > max) | (max < min)),
)


@composed(inplace=True, samples=[S(t(3, 4), 0.1), S(t(3, 4), t(4)), S(ints(4), 2)])
def clamp_min(input: Tensor, min: Tensor | float) -> Tensor:
    """max(input, min). Shapes: (*), (*) -> the broadcast shape."""
    return clamp(input, min)


@composed(inplace=True, samples=[S(t(3, 4), 0.1), S(t(3, 4), t(4)), S(ints(4), 2)])
def clamp_max(input: Tensor, max: Tensor | float) -> Tensor:
    """min(input, max). Shapes: (*), (*) -> the broadcast shape."""
    return clamp(input, None, max)


@op(inplace=True, samples=[*unary(), S(t(3), 1.0, 2.0, 3.0), S(ints(3))])
def nan_to_num(xp, input: Array, nan: float | None = 0.0, posinf: float | None = None,
               neginf: float | None = None):
    """Replaces NaN by 0, inf and -inf by the largest and smallest number of the dtype.

    Shapes: (*) -> (*). Replaced elements get no gradient.
    """
    values = input.copy(order="C" if 0 in input.strides else "K")  # C order for what is expanded
    return xp.nan_to_num(values, False, 0.0 if nan is None else nan, posinf, neginf)


nan_to_num.vjp(input=lambda xp, g, input: g * xp.isfinite(input))


@op(promotes="same", inplace=True, samples=[S(t(3, 4, grad=False), t(4, grad=False)),
                                            S(ints(5, low=-2), ints(1))], scalar=STEP)
def heaviside(xp, input: Array, values: Array):
    """0 below 0 and for NaN, `values` at 0, 1 above 0; without gradient.

    Shapes: (*), (*) -> the broadcast shape.
    """
    return xp.where(input == 0, values, (input > 0).astype(values.dtype))


# ---------------------------------------------------------------- combinations


@op(promotes="same", inplace=True, samples=[
    S(t(3, 4), t(3, 4), 0.3), S(t(3, 4), t(4), 0.7), S(t(3), t(3), t(3, low=0, high=1)),
    S(t(2, 3), t(3), t())])
def lerp(xp, input: Array, end: Array, weight: Array):
    """input + weight * (end - input), exact at both ends; `weight` is a Tensor or a number.

    Shapes: (*), (*), (*) -> the broadcast shape.

    Raises:
        RuntimeError: the dtypes differ, or are not floating point.
    """
    step = end - input
    return xp.where(weight < 0.5, input + weight * step, end - step * (1 - weight))


lerp.vjp(
    input=lambda g, weight: g * (1 - weight),
    end=lambda g, weight: g * weight,
    weight=lambda g, input, end: g * (end - input),
)


@lerp.public
def lerp_with_number(input: Tensor, end: Tensor, weight: Tensor | float) -> Tensor:
    """input + weight * (end - input), exact at both ends; `weight` is a Tensor or a number.

    Shapes: (*), (*), (*) -> the broadcast shape.

    Raises:
        RuntimeError: the dtypes differ, or are not floating point.
    """
    need_floating("lerp", input)
    return _lerp_by(input, end, weight) if is_number(weight) else lerp(input, end, weight)


@in_single
def _lerp_by(input: Tensor, end: Tensor, weight: float) -> Tensor:
    return lerp(input, end, input.new_tensor(weight))


@composed(autocast="widest on cuda", widens=True, inplace=True, samples=[
    S(t(2, 3), t(2, 3), t(3)), S(t(2, 3), t(3), t(2, 1), value=0.5),
                                 S(ints(3), ints(3), ints(3), value=2)])
def addcmul(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1) -> Tensor:
    """input + value * tensor1 * tensor2. Shapes: (*), (*), (*) -> the broadcast shape.

    Raises:
        RuntimeError: all three are of bool; integers, and a value that is a float.
    """
    refuse_bool("addcmul", input._array, tensor1._array, tensor2._array)
    return add_with_alpha(input, tensor1 * tensor2, alpha=value)


@composed(autocast="widest on cuda", widens=True, inplace=True, samples=[
    S(t(2, 3), t(2, 3), t(3, low=0.3)), S(t(2, 3), t(3), t(2, 1, low=0.3), value=0.5)])
def addcdiv(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1) -> Tensor:
    """input + value * tensor1 / tensor2. Shapes: (*), (*), (*) -> the broadcast shape.

    Raises:
        RuntimeError: both divisor and dividend are integers.
    """
    if not is_floating(tensor1) and not is_floating(tensor2):
        raise RuntimeError(f"addcdiv: divides floating point, got {tensor1.dtype} and "
                           f"{tensor2.dtype}; convert one of them with .float()")
    return add_with_alpha(input, tensor1 / tensor2, alpha=value)
