"""Special functions: error functions, logit, logarithms of sums, sinc."""

from __future__ import annotations

import math

from ..arrays import Array, devices, dtypes
from ..arrays.numbers import is_number
from ..arrays.streams import in_memory_order, memory_dims
from ..autograd.halves import in_single
from ..autograd.table import op
from ..tensors.tensor import Tensor
from .checks import is_floating
from .elementwise import sigmoid
from .samples import S, binary, ints, t, unary

# ---------------------------------------------------------------- the error functions
#
# Ratios of two polynomials, after W. J. Cody (Rational Chebyshev approximations for the error
# function, Mathematics of Computation 23, 1969). One formula of higher degree replaces his three
# intervals, because arrays are faster without a choice for each element. The coefficients are
# least-squares fits of the relative error at Chebyshev nodes. All are positive, so that no
# subtraction cancels.

# erf(x) / x in x², for |x| <= 6, beyond which erf is 1 in float64; error 5e-17.
ERF_P = (
    1.1283791670955126, 0.22078091187449386, 0.06622256820408322, 0.006921391006642484,
    0.0008582665977949374, 5.727649401420098e-05, 3.915673430794784e-06, 1.7046621826774233e-07,
    6.7773328631224e-09, 1.723652889845932e-10, 3.309257268076705e-12, 2.181334262101876e-14,
    1.52409882327816e-17)
ERF_Q = (
    1.0, 0.5289953220625209, 0.13501999703595408, 0.0220505803534594, 0.00257430980229308,
    0.00022709037734922622, 1.557365242793596e-05, 8.391166449125172e-07, 3.530733118994302e-08,
    1.1274384933682824e-09, 2.5452052363962984e-11, 3.2703408921985123e-13, 8.625497046216818e-16)
# The same for float32 and |x| <= 4; error 3e-8.
ERF_P_SINGLE = (1.128379159057885, 0.19167024685192618, 0.052852256547351956,
                0.003803307768482831, 0.0002828315759356446, 2.001509564022203e-06)
ERF_Q_SINGLE = (1.0, 0.503196229373165, 0.11457382724376673, 0.015045922524156482,
                0.0011663487838496594, 3.7483294648091665e-05)
# erfc(x) e**x² in x, for 0 <= x <= 28, beyond which erfc is 0 in float64; error 1e-18.
ERFC_P = (
    1.0, 2.3492003829109103, 2.735034223264934, 2.0396600097078412, 1.0690672663863274,
    0.4096774174693613, 0.11609597511685744, 0.024055765128116597, 0.003501798703249839,
    0.00032573781790503064, 1.4890845002533343e-05)
ERFC_Q = (
    1.0, 3.4775795500064235, 5.659062539409548, 5.699901512525885, 3.9576737256323535,
    1.9946893398675791, 0.7471645073723914, 0.20886494971526287, 0.042926411165357344,
    0.006219973264397689, 0.0005773552497320785, 2.6393335567972948e-05)


PIECE = 1 << 15  # elements: a piece stays in the cache for the thirty passes


def _polynomial(x, coefficients):
    """Σ coefficients[i] x**i, in one new array (Horner)."""
    *lower, total = coefficients
    total = total * x
    for c in lower[:0:-1]:
        total += c
        total *= x
    total += lower[0]
    return total


@op(promotes="float", inplace=True, array_names=("erf",), samples=[
    *unary(), S(t(9, low=-7, high=7))])
def erf(xp, input: Array):
    """The error function 2/√π ∫ e**-t² dt from 0 to input. Shapes: (*) -> (*).

    A rational approximation after Cody 1969.
    """
    if input.size <= PIECE or not devices.is_on_cpu(input):  # a GPU has no use for pieces
        return _erf(xp, input)
    return by_pieces(xp, lambda piece: _erf(xp, piece), input)


def by_pieces(xp, compute, x):
    """compute(piece) of pieces of an array, in the order in which its elements lie in memory."""
    flat = xp.reshape(xp.transpose(x, memory_dims(x)), (-1,))
    out = xp.empty_like(flat)
    for start in range(0, flat.size, PIECE):
        out[start:start + PIECE] = compute(flat[start:start + PIECE])
    return in_memory_order(out, x)


def _erf(xp, x):
    single = x.dtype.itemsize == 4
    # At these bounds the ratio exceeds 1: beyond them erf is exactly 1.
    bound, p, q = (4.2, ERF_P_SINGLE, ERF_Q_SINGLE) if single else (6.1, ERF_P, ERF_Q)
    x = xp.clip(x, -bound, bound)
    squared = x * x
    x *= _polynomial(squared, p)
    x /= _polynomial(squared, q)
    return xp.clip(x, -1, 1)


@op(promotes="float", inplace=True, array_names=("erfc",), samples=[
    *unary(), S(t(9, low=-7, high=27))], scalar="Value has no floor")
def erfc(xp, input: Array):
    """1 - erf(input), exact also where it is tiny. Shapes: (*) -> (*).

    A rational approximation after Cody 1969.
    """
    x = xp.clip(xp.absolute(input), 0, 28)
    scaled = _polynomial(x, ERFC_P) / _polynomial(x, ERFC_Q)
    # e**-x² from a part with an exact square and the small rest, because x² would lose digits.
    high = xp.floor(x * 16) / 16
    tail = xp.exp(-high * high) * xp.exp((high - x) * (high + x)) * scaled
    return xp.where(input < 0, 2 - tail, tail)


@op(autocast="float32 on cuda", promotes="float", inplace=True, array_names=("erfinv",), samples=[
    *unary(-0.95, 0.95)], scalar="Value has no copysign")
def erfinv(xp, input: Array):
    """The inverse of erf, for input in [-1, 1]; NaN outside. Shapes: (*) -> (*).

    Winitzki's approximation (2008), then two of Halley's steps.
    """
    y = xp.absolute(input)
    t = xp.log1p(-y * y)
    half = 2 / (math.pi * 0.147) + t / 2
    x = xp.sqrt(-t / 0.147 / (half + xp.sqrt(half * half - t / 0.147)))
    for _ in range(2):
        miss = xp.where(y < 0.5, erf.op.forward(xp, x) - y, (1 - y) - erfc.op.forward(xp, x))
        step = miss * xp.exp(x * x) * (math.sqrt(math.pi) / 2)
        x = x - step / (1 + x * step)
    return xp.copysign(xp.where(y == 1, math.inf, x), input)


erf.vjp(input=lambda xp, g, input: g * (xp.exp(-input * input) * (2 / math.sqrt(math.pi))))
erfc.vjp(input=lambda xp, g, input: g * (xp.exp(-input * input) * (-2 / math.sqrt(math.pi))))


@erfinv.vjp("input")
def _(xp, g, input):
    out = erfinv.run(xp, input)
    return g * (xp.exp(out * out) * (math.sqrt(math.pi) / 2))


# ---------------------------------------------------------------- logarithms


@op(promotes="float", inplace=True, samples=[
    *unary(0.1, 0.9), S(t(3, 4, low=0.3, high=0.7), 0.2)])
def logit(xp, input: Array, eps: float | None = None):
    """log(x / (1 - x)), the inverse of sigmoid; with `eps`, x is clamped to [eps, 1 - eps].

    Shapes: (*) -> (*).
    """
    x = input if eps is None else xp.clip(input, eps, 1 - eps)
    return xp.log(x / (1 - x))


@logit.vjp("input")
def _(xp, g, input, eps):
    low, high, outside = (0, 1, math.nan) if eps is None else (eps, 1 - eps, 0.0)
    inside = (input >= low) & (input <= high)
    return xp.where(inside, g / (input * (1 - input)), outside)


@op(promotes="float", inplace=True, samples=[
    *binary(0.2), S(t(3), 2.0), S(2.0, t(3, low=0.3)), S(ints(3), ints(3, low=1))],
    scalar="NumPy tests for NaN among floats only")
def xlogy(xp, input: Array, other: Array):
    """input * log(other), 0 where input is 0. Shapes: (*), (*) -> the broadcast shape."""
    return xp.where((input == 0) & (other == other), 0.0, input * xp.log(other))


@xlogy.vjp("input")
def _(xp, g, input, other):
    return xp.where((input == 0) & (other <= 0), 0.0, g * xp.log(other))


@xlogy.vjp("other")
def _(g, input, other):
    return g * (input / other)


@xlogy.public
def xlogy_with_number(input: Tensor | float, other: Tensor | float) -> Tensor:
    """input * log(other), 0 where input is 0. Shapes: (*), (*) -> the broadcast shape."""
    return with_number(xlogy, input, other)


def with_number(function, input, other):
    """function(input, other), in which a number has the dtype of the Tensor beside it."""
    return _with_number(function, input, other) if is_number(other) or is_number(input) \
        else function(input, other)


@in_single
def _with_number(function, input, other):
    if is_number(other):
        other = beside(other, input)
    return function(beside(input, other) if is_number(input) else input, other)


def beside(number, tensor):
    """A number as a Tensor of the dtype of another, or of the default dtype beside integers."""
    dtype = tensor.dtype if is_floating(tensor) else dtypes.get_default_dtype()
    return tensor.new_tensor(number, dtype=dtype)


@op(promotes="floating", array_names=("logaddexp",), samples=binary(numbers=False),
    scalar="NumPy has it for floats only")
def logaddexp(xp, input: Array, other: Array):
    """log(e**input + e**other) without overflow. Shapes: (*), (*) -> the broadcast shape."""
    return xp.logaddexp(input, other)


logaddexp.vjp(
    input=lambda xp, g, input, other: g * sigmoid.run(xp, input - other),
    other=lambda xp, g, input, other: g * sigmoid.run(xp, other - input),
)


@op(promotes="floating", array_names=("logaddexp2",), samples=binary(numbers=False),
    scalar="NumPy has it for floats only")
def logaddexp2(xp, input: Array, other: Array):
    """log2(2**input + 2**other) without overflow. Shapes: (*), (*) -> the broadcast shape."""
    return xp.logaddexp2(input, other)


logaddexp2.vjp(
    input=lambda xp, g, input, other: g * sigmoid.run(xp, (input - other) * math.log(2)),
    other=lambda xp, g, input, other: g * sigmoid.run(xp, (other - input) * math.log(2)),
)


# ---------------------------------------------------------------- others


@op(promotes="float", inplace=True, samples=unary(0.2))
def sinc(xp, input: Array):
    """sin(π x) / (π x), 1 at 0, elementwise. Shapes: (*) -> (*)."""
    x = input * math.pi
    return xp.where(x == 0, 1.0, xp.sin(x) / x)


@sinc.vjp("input")
def _(xp, g, input):
    x = input * math.pi
    squared = x * input  # the derivative at 0 is 0
    return xp.where(squared == 0, 0.0, g * ((x * xp.cos(x) - xp.sin(x)) / squared))
