"""The distribution function of the normal distribution, and entropies: functions of `special`."""

from __future__ import annotations

import math

from ..arrays import Array
from ..autograd.table import composed, op
from ..tensors.tensor import Tensor
from .elementwise import log, log1p
from .gamma import in_double, polynomial
from .index import where
from .samples import S, binary, ints, t, unary
from .special import ERFC_P, ERFC_Q, erfc, erfinv, with_number

# √π x erfcx(x) in -1 / 2x², from x = 28 on: the asymptotic series; error 6e-18.
ERFCX = (1, 1, 3, 15, 105, 945, 10395)


@op(promotes="float", home="special", method=False,
    samples=[*unary(), S(t(9, low=-5, high=60))], scalar="computed on float64 arrays")
def erfcx(xp, input: Array):
    """e**input² erfc(input), which has no overflow for large input. Shapes: (*) -> (*).

    A rational approximation after Cody 1969.
    """
    return _erfcx(xp, input)


@in_double
def _erfcx(xp, x):
    size = xp.absolute(x)
    near, far = xp.minimum(size, 28.0), xp.where(size > 28, size, 28.0)
    scaled = polynomial(near, ERFC_P) / polynomial(near, ERFC_Q)
    scaled = xp.where(size > 28, polynomial(-0.5 / far / far, ERFCX) / far / math.sqrt(math.pi),
                      scaled)
    # e**x² from a part with an exact square and the small rest, because x² would lose digits.
    below = xp.minimum(xp.where(x < 0, size, 0.0), 28.0)
    high = xp.floor(below * 16) / 16
    return xp.where(x < 0, 2 * xp.exp(high * high) * xp.exp((below - high) * (below + high))
                    - scaled, scaled)


erfcx.vjp(input=lambda xp, g, input, out: g * (2 * input * out - 2 / math.sqrt(math.pi)))


@composed(widens=True, home="special", method=False,
          samples=[*unary(), S(t(9, low=-9, high=9))], scalar="Value has no floor")
def ndtr(input: Tensor) -> Tensor:
    """The probability that a standard normal variable is below input: erfc(-input / √2) / 2.

    Shapes: (*) -> (*).
    """
    return erfc(input * -math.sqrt(0.5)) * 0.5


@composed(widens=True, home="special", method=False,
          samples=[*unary(), S(t(9, low=-40, high=9))], scalar="computed on float64 arrays")
def log_ndtr(input: Tensor) -> Tensor:
    """log(ndtr(input)), exact also where ndtr(input) is tiny. Shapes: (*) -> (*)."""
    x = input * math.sqrt(0.5)
    below = x < -1
    low, high = where(below, x, -1.0), where(below, -1.0, x)  # clamp has gradient 0 at NaN
    return where(below, log(erfcx(-low) * 0.5) - low * low, log1p(erfc(high) * -0.5))


@op(promotes="float", home="special", method=False, scalar="computed on float64 arrays",
    samples=[*unary(0.01, 0.99), S(t(9, low=0.002, high=0.02))])
def ndtri(xp, input: Array):
    """The x for which ndtr(x) is input; -inf at 0, inf at 1, NaN outside. Shapes: (*) -> (*).

    erfinv in the middle. In the tails Halley's steps from the approximation 26.2.23 of Abramowitz
    and Stegun 1964.
    """
    return _ndtri(xp, input)


@in_double
def _ndtri(xp, p):
    tail = xp.minimum(p, 1 - p)
    small = xp.where((tail > 0) & (tail < 0.25), tail, 0.25)
    t = xp.sqrt(-2 * xp.log(small))
    x = t - polynomial(t, (2.515517, 0.802853, 0.010328)) / polynomial(
        t, (1.0, 1.432788, 0.189269, 0.001308))
    for _ in range(3):
        # The upper tail at x and the one wanted, both over the density, which has no underflow.
        miss = math.sqrt(math.pi / 2) * _erfcx(xp, x * math.sqrt(0.5)) - math.sqrt(
            2 * math.pi) * xp.exp(xp.log(small) + 0.5 * x * x)
        x = x + miss / (1 - 0.5 * x * miss)
    x = xp.where(tail > 0, x, math.inf)
    middle = erfinv.run(xp, 2 * xp.where(tail < 0.25, 0.5, p) - 1) * math.sqrt(2)
    return xp.where(tail < 0, math.nan, xp.where(
        tail < 0.25, xp.where(p < 0.5, -x, x), middle))


ndtri.vjp(input=lambda xp, g, out: g * (math.sqrt(2 * math.pi) * xp.exp(0.5 * out * out)))


@op(promotes="float", home="special", method=False, samples=unary(0.1, 3))
def entr(xp, input: Array):
    """-input log(input); 0 at 0, -inf below. Shapes: (*) -> (*)."""
    inside = xp.where(input > 0, input, 1.0)
    return xp.where(input > 0, -input * xp.log(inside), xp.where(input < 0, -math.inf, input))


entr.vjp(input=lambda xp, g, input: g * (-1 - xp.log(input)))


@op(promotes="float", home="special", method=False, samples=[
    *binary(0.2), S(2.0, t(3, low=0.3)), S(ints(3), ints(3, low=1)), S(ints(3), 2)],
    scalar="a Python number has no log1p")
def xlog1py(xp, input: Array, other: Array):
    """input * log(1 + other), 0 where input is 0. Shapes: (*), (*) -> the broadcast shape."""
    return xp.where((input == 0) & (other == other), 0.0, input * xp.log1p(other))


@xlog1py.vjp("input")
def _(xp, g, input, other):
    return xp.where((input == 0) & (other <= -1), 0.0, g * xp.log1p(other))


@xlog1py.vjp("other")
def _(g, input, other):
    return g * (input / (1 + other))


@xlog1py.public
def xlog1py_with_number(input: Tensor | float, other: Tensor | float) -> Tensor:
    """input * log(1 + other), 0 where input is 0. Shapes: (*), (*) -> the broadcast shape."""
    return with_number(xlog1py, input, other)
