"""exp, tanh, sigmoid, erf, log and normal_cdf of one number, for use inside loops.

For float32 they are polynomials, which LLVM vectorises; Numba's own functions call the C library
for one element at a time. The coefficients are minimax fits of the relative error (Lawson's
iteration of weighted least squares at Chebyshev nodes). The largest errors over the whole range of
float32, in units in the last place (ulp): exp 1.0, tanh 1.3, sigmoid 2.3, erf 1.5, log 0.8.
normal_cdf has 5 ulp where it is above 0.02 and more in the tail; its absolute error is below 1e-7
everywhere. float64 uses the C library.

NaN gives NaN. Overflow gives inf, underflow 0.
"""

from __future__ import annotations

import math

import numpy

from .loops import by_dtype, inlined

f32, i32 = numpy.float32, numpy.int32


def _single(*numbers):
    return tuple(f32(n) for n in numbers)


@inlined
def polynomial(x, coefficients):
    """Σ coefficients[i] x**i (Horner)."""
    total = coefficients[-1]
    for i in range(len(coefficients) - 2, -1, -1):
        total = total * x + coefficients[i]
    return total


# ---------------------------------------------------------------- exp

# (e**r - 1 - r) / r² for |r| <= log(2) / 2.
EXP = _single(0.4999999341136952, 0.1666652009680318, 0.04166839443839133, 0.008368781433818842,
              0.0013814456173595548)
PER_LOG2 = f32(1 / math.log(2))
# log(2) in two parts (Cody and Waite): the first has few bits, so that its product with an
# exponent is exact.
LOG2, LOG2_REST = f32(0.693145751953125), f32(1.4286068203094172e-06)
# A float32 of this size has no fractional bits: adding it to x rounds x to an integer, which the
# low bits of the sum then hold.
ROUNDING = f32(1.5 * 2 ** 23)
ROUNDING_BITS = i32(0x4B400000)


@inlined
def _exp(x):
    """2**n e**r, with n whole and |r| <= log(2) / 2."""
    x = f32(89) if x > f32(89) else x  # beyond these bounds the result is inf or 0
    x = f32(-104) if x < f32(-104) else x
    shifted = x * PER_LOG2 + ROUNDING
    whole = shifted - ROUNDING
    r = x - whole * LOG2
    r = r - whole * LOG2_REST
    power = polynomial(r, EXP) * (r * r) + r + f32(1)
    n = f32(shifted).view(i32) - ROUNDING_BITS
    half = n >> 1  # 2**n in two factors: 2**n may overflow where the result does not
    return power * _power_of_2(half) * _power_of_2(n - half)


@inlined
def _power_of_2(n):
    return i32((n + 127) << 23).view(f32)


# ---------------------------------------------------------------- tanh and sigmoid

# (tanh(x) / x - 1) / x² in x², for |x| <= 0.63.
TANH = _single(-0.33333276044487076, 0.13331274110016259, -0.05372510384075991,
               0.020589761752000686, -0.005648252241779608)


@inlined
def _tanh(x):
    """1 - 2 / (e**2|x| + 1); near 0, where that cancels, x + x³ P(x²)."""
    size, squared = abs(x), x * x
    large = f32(1) - f32(2) / (_exp(f32(2) * size) + f32(1))
    small = size + size * squared * polynomial(squared, TANH)
    return math.copysign(small if size < f32(0.625) else large, x)


@inlined
def _expm1(x):
    """e**x - 1 for x <= 0: 2 t / (1 - t) with t = tanh(x / 2), where nothing cancels."""
    t = _tanh(f32(0.5) * x)
    return (t + t) / (f32(1) - t)


@inlined
def _sigmoid(x):
    """1 / (1 + e**-x), computed from e**-|x|, which cannot overflow."""
    power = _exp(-abs(x))
    return (power if x < 0 else f32(1)) / (f32(1) + power)


@inlined
def _sigmoid_double(x):
    power = math.exp(-abs(x))
    return (power if x < 0 else 1.0) / (1.0 + power)


# ---------------------------------------------------------------- the normal distribution

# erf(x) / x - 1 in x², for |x| <= 0.75. The 1 is added last, which rounds less than a polynomial
# that begins with 1.128.
ERF = _single(0.1283791654963464, -0.37612618755843175, 0.11283376562032359,
              -0.026834623965280434, 0.005114344338179065, -0.0006749504690198221)
# erfc(x) e**x² in x, for 0 <= x <= 10.3, beyond which erfc is 0 in float32. All are positive, so
# nothing cancels.
ERFC_P = _single(1.0000000060911673, 1.24008908169861, 0.7333650580376029, 0.23005923347559407,
                 0.032973360428434205)
ERFC_Q = _single(1.0, 2.368468852052512, 2.4058862868345767, 1.3286561915340573,
                 0.4077949721232441, 0.05844308889749699)
ROOT_HALF = math.sqrt(0.5)


@inlined
def _scaled_erfc(x):
    return polynomial(x, ERFC_P) / polynomial(x, ERFC_Q)


@inlined
def _erf(x):
    size, squared = abs(x), x * x
    bounded = f32(11) if size > f32(11) else size  # inf / inf would be NaN
    large = f32(1) - _exp(-squared) * _scaled_erfc(bounded)
    small = size + size * polynomial(squared, ERF)
    return math.copysign(small if size < f32(0.75) else large, x)


@inlined
def _normal_cdf(x):
    """erfc(-x / sqrt(2)) / 2, which keeps its relative accuracy in the tail."""
    size = abs(x)
    bounded = f32(15) if size > f32(15) else size
    tail = f32(0.5) * _exp(x * x * f32(-0.5)) * _scaled_erfc(bounded * f32(ROOT_HALF))
    return tail if x < 0 else f32(1) - tail


@inlined
def _normal_cdf_double(x):
    return 0.5 * math.erfc(-x * ROOT_HALF)


# ---------------------------------------------------------------- log

# (log(1 + f) - f + f² / 2) / f³ for 1 + f between sqrt(1/2) and sqrt(2).
LOG = _single(0.33333312585728536, -0.2500000959590678, 0.20002119654774334, -0.16667996331151733,
              0.14219535390911392, -0.12405575996603774, 0.118882639990802, -0.11675743464687924,
              0.06746524526672369)
SMALLEST_NORMAL = f32(2.0 ** -126)
SQRT_HALF_BITS = i32(0x3F3504F3)


@inlined
def _log(x):
    """n log(2) + log(1 + f), where x = 2**n (1 + f)."""
    subnormal = x < SMALLEST_NORMAL
    bits = f32(x * f32(2.0 ** 23) if subnormal else x).view(i32)
    n = (bits - SQRT_HALF_BITS) >> 23
    f = i32(bits - (n << 23)).view(f32) - f32(1)
    exponent = f32(n) - (f32(23) if subnormal else f32(0))
    squared = f * f
    small = polynomial(f, LOG) * (squared * f) - f32(0.5) * squared
    result = exponent * LOG2 + (f + (small + exponent * LOG2_REST))
    result = f32(-math.inf) if x == 0 else result
    result = f32(math.nan) if x < 0 else result
    return result if x < f32(math.inf) else x  # inf and NaN


# ---------------------------------------------------------------- for either dtype

exp = by_dtype(_exp, math.exp)
tanh = by_dtype(_tanh, math.tanh)
expm1 = by_dtype(_expm1, math.expm1)  # of float32 for x <= 0
sigmoid = by_dtype(_sigmoid, _sigmoid_double)
erf = by_dtype(_erf, math.erf)
normal_cdf = by_dtype(_normal_cdf, _normal_cdf_double)
log = by_dtype(_log, math.log)
