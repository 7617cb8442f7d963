"""The gamma function's family: lgamma, digamma, polygamma, igamma and igammac, mvlgamma.

All are computed in float64, also for float32. Errors against mpmath, in units of the last place of
float64 (2.2e-16 relative), are below

    lgamma      5 for x > 0; for x < 0 the error is absolute near the zeros of lgamma
    digamma     5 for x > 0; as lgamma for x < 0
    polygamma   50
    igamma      5000 for arguments below 1e4, where the result is above 1e-290

`tests/test_gamma.py` holds these figures.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

from ..arrays import Array, devices, dtypes
from ..arrays.numbers import integer, is_integer
from ..arrays.quadrature import gauss_legendre
from ..autograd import graph
from ..autograd.table import composed, op
from ..tensors.tensor import Tensor
from .samples import S, ints, t, unary
from .special import by_pieces, with_number

# The samples are those where PyTorch's trigamma, which has ten digits, is exact enough to be the
# reference of second derivatives; the tests compare with mpmath elsewhere.

# Polynomials in s = 2 x - 3 for x in [1, 2], interpolated at Chebyshev nodes; error 5e-17.
# lgamma(x) / ((x - 1) (x - 2)), so that the result is exact near both zeros.
LGAMMA = (
    0.4831289505409809, -0.07297994795715304, 0.015727850268641236, -0.003913560937626187,
    0.0010498186644491197, -0.00029455070151955954, 8.510090382266539e-05,
    -2.5094328669818345e-05, 7.5113911543279285e-06, -2.2742474054826674e-06,
    6.948460789947273e-07, -2.138632494418463e-07, 6.622926112005164e-08,
    -2.0620995364628568e-08, 6.448043752521901e-09, -2.016989565826891e-09,
    6.353017600845751e-10, -2.0871311005452823e-10, 6.615691316451458e-11,
    -1.5410479069560222e-11, 4.892185826125285e-12, -3.8008085820640625e-12,
    1.2170358219385592e-12)
# digamma(x) / (x - its zero).
DIGAMMA = (
    0.9510558760318328, -0.2118137106407303, 0.060135621060196744, -0.018550615381735115,
    0.005936795278305649, -0.0019350666648590097, 0.0006368880303257201,
    -0.00021074841140458636, 6.995018873950506e-05, -2.325824239445257e-05,
    7.741232223504057e-06, -2.57809436305308e-06, 8.589127353033379e-07,
    -2.86315275846934e-07, 9.542050972688906e-08, -3.163020268955334e-08,
    1.0542687624027994e-08, -3.7075072647122386e-09, 1.2358072433984831e-09,
    -2.7619635330317715e-10, 9.206434499177992e-11, -8.498137230186096e-11,
    2.832706668021759e-11)
ZERO, ZERO_REST = 1.4616321449683622, 9.549995429965697e-17  # of digamma, in two parts
# The Bernoulli numbers B2, B4, ...: of the asymptotic series.
BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510,
             43867 / 798, -174611 / 330, 854513 / 138)
FAR = 8  # where the asymptotic series of lgamma and digamma begin; NEAR to FAR by recurrence
ITERATIONS, TINY = 5000, 1e-300


def polynomial(x: Any, coefficients: Sequence[float]) -> Any:
    """Σ coefficients[i] x**i (Horner)."""
    total = x * coefficients[-1]
    for c in coefficients[-2:0:-1]:
        total += c
        total *= x
    total += coefficients[0]
    return total


def in_double(compute: Any) -> Any:
    """The function on a float64 array, in pieces, with the result rounded to the dtype given."""
    @functools.wraps(compute)
    def converted(xp: Any, x: Any, **options: Any) -> Any:
        return by_pieces(xp, lambda piece: compute(xp, xp.asarray(piece, dtype="float64"),
                                                   **options), x)

    return converted


def _sin_pi(xp: Any, x: Any) -> Any:
    """(sin(π x), cos(π x)), exact at integers and halves."""
    rest = x - 2 * xp.floor(x / 2 + 0.5)  # in [-1, 1)
    near = xp.where(xp.absolute(rest) > 0.5, xp.copysign(1 - xp.absolute(rest), rest), rest)
    cosine = xp.where(xp.absolute(rest) == 0.5, 0.0, xp.cos(rest * math.pi))
    return xp.sin(near * math.pi), cosine


def _stirling(xp: Any, x: Any) -> Any:
    """lgamma(x) - ((x - 1/2) log x - x + log(2π) / 2), for large x."""
    inverse = 1 / x
    return inverse * polynomial(inverse * inverse, [
        b / (2 * k * (2 * k - 1)) for k, b in enumerate(BERNOULLI, 1)])


# ---------------------------------------------------------------- lgamma


@op(promotes="float", inplace=True, samples=unary(12, 40), scalar="Value has no floor")
def lgamma(xp, input: Array):
    """log |Γ(input)|, infinite at 0, -1, -2, ... Shapes: (*) -> (*).

    Polynomials on [1, 2], the recurrence up to 8, then Stirling's series; the reflection formula
    for negative input.
    """
    return _lgamma(xp, input)


@in_double
def _lgamma(xp, input):
    x = xp.where(input < 0.5, 1 - input, input)
    far = xp.where(x < FAR, FAR, x)
    log = xp.log(far)
    out = (far - 0.5) * (log - 1) + (0.5 * math.log(2 * math.pi) - 0.5) + _stirling(xp, far)
    near = xp.where(x < FAR, x, 1.5)
    # Γ(x) = (x - 1) (x - 2) ... Γ(y) for y in [1, 2]
    y, product = near, xp.ones_like(near)
    for _ in range(FAR - 2):
        above = y > 2
        y = xp.where(above, y - 1, y)
        product = xp.where(above, product * y, product)
    below = y < 1
    first = xp.where(below, y, y - 1)  # (y + 1) - 1 is y itself
    s = 2 * first - 1
    value = first * (first - 1) * polynomial(s, LGAMMA)
    value = xp.where(below, value - xp.log(xp.where(below, y, 1.0)), value + xp.log(product))
    out = xp.where(x < FAR, value, out)
    sine, _ = _sin_pi(xp, input)
    small = (input >= 0) & (input < 0.5)
    # For small input the reflection loses nothing: both terms are positive.
    reflected = math.log(math.pi) - xp.log(xp.absolute(sine)) - out
    direct = _log_gamma_of_small(xp, xp.where(small, input, 0.25))
    out = xp.where(input < 0.5, xp.where(small, direct, reflected), out)
    return xp.where(xp.isinf(input), math.inf, out)


def _near_one(xp, z):
    """lgamma(1 + z) for z in [0, 1]."""
    return z * (z - 1) * polynomial(2 * z - 1, LGAMMA)


def _log_gamma_of_small(xp, x):
    """lgamma(x) for x in [0, 1]."""
    return _near_one(xp, x) - xp.log(x)


# ---------------------------------------------------------------- digamma and polygamma


@op(promotes="float", inplace=True, samples=unary(12, 40), scalar="Value has no floor")
def digamma(xp, input: Array):
    """The derivative of lgamma; NaN at -1, -2, ..., -inf at 0. Shapes: (*) -> (*).

    A polynomial on [1, 2], the recurrence up to 8, then the asymptotic series; the reflection
    formula for negative input.
    """
    return _digamma(xp, input)


@in_double
def _digamma(xp, input):
    x = xp.where(input < 0.5, 1 - input, input)
    far = xp.where(x < FAR, FAR, x)
    inverse = 1 / far
    squared = inverse * inverse
    out = xp.log(far) - 0.5 * inverse - squared * polynomial(squared, [
        b / (2 * k) for k, b in enumerate(BERNOULLI, 1)])
    y, total = xp.where(x < FAR, x, 1.5), xp.zeros_like(x)
    for _ in range(FAR - 2):
        above = y > 2
        y = xp.where(above, y - 1, y)
        total = xp.where(above, total + 1 / y, total)
    below = y < 1
    total = xp.where(below, -1 / xp.where(below, y, 1.0), total)
    y = xp.where(below, y + 1, y)
    value = ((y - ZERO) - ZERO_REST) * polynomial(2 * y - 3, DIGAMMA) + total
    out = xp.where(x < FAR, value, out)
    sine, cosine = _sin_pi(xp, input)
    out = xp.where(input < 0.5, out - math.pi * cosine / sine, out)
    out = xp.where((input < 0) & (input == xp.floor(input)), math.nan, out)
    return xp.where(input == 0, -xp.copysign(math.inf, input), out)


@op(promotes="float", internal=True, method=False, samples=[
    S(t(5, low=12, high=40), 1), S(t(5, low=0.3, high=4), 2), S(t(2, 3, low=9, high=20), 3)],
    reference=lambda torch: lambda input, n: torch.polygamma(n, input),
    scalar="Value has no floor")
def polygamma_of(xp, input: Array, n: int):
    """The n-th derivative of digamma, n >= 1. Shapes: (*) -> (*)."""
    return _polygamma(xp, input, n=n)


@in_double
def _polygamma(xp, input, n):
    """(-1)ⁿ⁺¹ n! ζ(n + 1, x), and the reflection formula for negative x."""
    below = input < 0.5
    x = xp.where(below, 1 - input, input)
    out = _hurwitz(xp, n + 1, x) * (math.factorial(n) * (-1) ** (n + 1))
    if not bool(below.any()):
        return out
    sine, cosine = _sin_pi(xp, xp.where(below, input, 0.25))
    cotangent = cosine / sine
    slope = polynomial(cotangent, _cotangent_slopes(n)) * math.pi ** (n + 1)
    return xp.where(below, (-1) ** n * out - slope, out)


def _hurwitz(xp, s, x):
    """ζ(s, x) = Σ (x + k)⁻ˢ by Euler and Maclaurin, for x >= 0.5 and an integer s >= 2."""
    steps = 12 + s // 2
    total = xp.zeros_like(x)
    for k in range(steps):
        total = total + (x + k) ** -float(s)
    y = x + steps
    power = y ** -float(s)
    total = total + power * y / (s - 1) + power / 2
    term = power * s / y
    for k, b in enumerate(BERNOULLI, 1):
        total = total + term * (b / math.factorial(2 * k))
        term = term * ((s + 2 * k - 1) * (s + 2 * k)) / (y * y)
    return xp.where(xp.isinf(x), 0.0, total)


@op(promotes="float", home="special", method=False, samples=[
    S(t(6, low=1.5, high=6, grad=False), t(6, low=0.3, high=5)),
    S(t(2, 1, low=2, high=9, grad=False), t(3, low=0.3, high=9)),
    S(2.5, t(4, low=0.3, high=5)), S(t(3, low=1.5, high=6, grad=False), 1.5),
    S(ints(3, low=2), ints(3, low=1))], scalar="computed on float64 arrays")
def zeta(xp, input: Array, other: Array):
    """Hurwitz's zeta function Σ (other + k)⁻ⁱⁿᵖᵘᵗ for k >= 0; that of Riemann for other = 1.

    Infinite for input = 1 and at other = 0, -1, -2, ...; NaN for input < 1, and for a negative
    `other` unless input is an integer. Only `other` has a gradient.

    Shapes: (*), (*) -> the broadcast shape.
    """
    s, x = xp.broadcast_arrays(xp.asarray(input, dtype="float64"),
                               xp.asarray(other, dtype="float64"))
    pole = (s == 1) | ((x <= 0) & (x == xp.floor(x)))
    outside = (s < 1) | ((x <= 0) & (s != xp.floor(s)))
    inside = (s > 1) & ~pole & ~outside
    out = _euler_maclaurin(xp, xp.where(inside, s, 2.0), xp.where(inside, x, 1.0))
    out = xp.where(outside | (s != s) | (x != x), math.nan, out)
    return xp.where(pole & ~(s < 1), math.inf, out).astype(input.dtype)


def _euler_maclaurin(xp, s, x):
    """Σ (x + k)⁻ˢ for s > 1: a sum up to x + k > 12, then the formula of Euler and Maclaurin."""
    steps, near = 12, xp.where(xp.isfinite(x), x, 1.0)
    s = xp.minimum(s, 1e100)  # its square must not overflow
    if near.size and not devices.is_meta(near):
        steps += max(0, math.ceil(-float(near.min())))
    total = xp.zeros_like(x)
    for k in range(steps):
        total = total + (x + k) ** -s
    y = x + steps
    power = y ** -s
    total = total + xp.where(power > 0, power * y / (s - 1), 0.0) + power / 2
    term = power * s / y
    for k, b in enumerate(BERNOULLI, 1):
        total = total + term * (b / math.factorial(2 * k))
        term = term * ((s + 2 * k - 1) * (s + 2 * k)) / (y * y)
    return xp.where(xp.isinf(x), 0.0, total)


@zeta.vjp("other")
def _(xp, g, input, other):
    return g * -input * zeta.run(xp, input + 1, other)


@zeta.public
def zeta_with_number(input: Tensor | float, other: Tensor | float) -> Tensor:
    """Hurwitz's zeta function Σ (other + k)⁻ⁱⁿᵖᵘᵗ for k >= 0; that of Riemann for other = 1.

    Infinite for input = 1 and at other = 0, -1, -2, ...; NaN for input < 1, and for a negative
    `other` unless input is an integer. Only `other` has a gradient.

    Shapes: (*), (*) -> the broadcast shape.
    """
    return with_number(zeta, input, other)


@functools.cache
def _cotangent_slopes(n: int) -> tuple[float, ...]:
    """The n-th derivative of cot as a polynomial in cot, by d cot = -(1 + cot²)."""
    p = [0, 1]
    for _ in range(n):
        slope = [i * c for i, c in enumerate(p)][1:]
        p = [-(a + b) for a, b in zip([*slope, 0, 0], [0, 0, *slope], strict=True)]
    return tuple(map(float, p))


lgamma.vjp(input=lambda xp, g, input: g * digamma.run(xp, input))
digamma.vjp(input=lambda xp, g, input: g * polygamma_of.run(xp, input, 1))
polygamma_of.vjp(input=lambda xp, g, input, n: g * polygamma_of.run(xp, input, n + 1))


@composed(samples=[S(0, t(4, low=12, high=30)), S(1, t(4, low=12, high=30)),
                   S(3, t(2, 2, low=0.3, high=3)), S(t(3, low=0.3), 2)],
          scalar="Value has no floor", reference=lambda torch: lambda n, input: torch.polygamma(
              *((n, input) if isinstance(n, int) else (input, n))))
def polygamma(n: int | Tensor, input: Tensor | int) -> Tensor:
    """The n-th derivative of digamma; polygamma(0, x) is digamma(x). Shapes: (*) -> (*).

    Written polygamma(n, x) or x.polygamma(n).

    Raises:
        RuntimeError: a negative n.
    """
    if isinstance(n, Tensor) and not (isinstance(input, Tensor) and is_integer(n)):
        n, input = input, n  # type: ignore[assignment]
    n = integer("polygamma: n", n)
    if n < 0:
        raise RuntimeError(f"polygamma: n must not be negative, got {n}")
    return digamma(input) if n == 0 else polygamma_of(input, n)  # type: ignore[no-any-return]


@composed(widens=True, samples=[S(t(4, low=14, high=30), 3), S(t(low=12, high=30), 1)],
          scalar="Value has no floor")
def mvlgamma(input: Tensor, p: int) -> Tensor:
    """log Γₚ(x), the multivariate gamma function: Σ lgamma(x - i / 2) for i < p, and a constant.

    Shapes: (*) -> (*).

    Raises:
        RuntimeError: p < 1.
    """
    if p < 1:
        raise RuntimeError(f"mvlgamma: p must be at least 1, got {p}")
    total: Any = lgamma(input)
    for i in range(1, p):
        total = total + lgamma(input - i / 2)
    return total + p * (p - 1) / 4 * math.log(math.pi)  # type: ignore[no-any-return]


# ---------------------------------------------------------------- the incomplete gamma functions

NODES = 80  # of Gauss and Legendre's quadrature
MANY = 64  # from this a on the middle is integrated, where series and fraction converge slowly


def _log_weight(xp, a, x):
    """log(xᵃ e⁻ˣ / Γ(a + 1)), without the cancellation of large terms."""
    large = xp.where(a < 10, 10.0, a)
    mu = (x - large) / large
    r = mu / (2 + mu)
    squared = xp.where(xp.absolute(mu) < 0.5, r * r, 0.0)
    series = 2 * r * squared * polynomial(squared, [1 / (2 * k + 3) for k in range(18)]) - mu * r
    difference = xp.where(xp.absolute(mu) < 0.5, series, xp.log(x / large) - mu)  # log(1 + μ) - μ
    close = large * difference - 0.5 * xp.log(2 * math.pi * large) - _stirling(xp, large)
    small = xp.where(a < 10, a, 1.0)
    plain = small * xp.log(x) - x - _lgamma(xp, small + 1)
    return xp.where(a < 10, plain, close)


def _by_series(xp, a, x):
    """(P, dP/da) = xᵃ e⁻ˣ / Γ(a + 1) Σ xᵏ / ((a + 1) ... (a + k)), for x < a + 1."""
    term = xp.ones_like(a)
    total, harmonic, slope = term, xp.zeros_like(a), xp.zeros_like(a)
    for k in range(1, ITERATIONS):
        term = term * (x / (a + k))
        harmonic = harmonic + 1 / (a + k)
        total = total + term
        slope = slope - term * harmonic
        if bool((term * (1 + harmonic) <= 1e-17 * total).all()):
            break
    weight = xp.exp(_log_weight(xp, a, x))
    return weight * total, weight * (total * (xp.log(x) - _digamma(xp, a + 1)) + slope)


def _by_fraction(xp, a, x):
    """(Q, dQ/da) by the continued fraction of Legendre (Lentz's method), for x >= a + 1.

    The derivative is carried along with each step.
    """
    b, slope_b = x + 1 - a, -xp.ones_like(a)
    c, slope_c = xp.full_like(a, 1 / TINY), xp.zeros_like(a)
    d = 1 / b
    slope_d = -slope_b * d * d
    h, slope_h = d, slope_d
    for i in range(1, ITERATIONS):
        numerator, b = -i * (i - a), b + 2
        inner = numerator * d + b
        inner = xp.where(inner == 0, TINY, inner)
        slope_inner = i * d + numerator * slope_d + slope_b
        d, slope_d = 1 / inner, -slope_inner / (inner * inner)
        slope_c = slope_b + i / c - numerator * slope_c / (c * c)
        c = b + numerator / c
        c = xp.where(c == 0, TINY, c)
        factor, slope_factor = c * d, slope_c * d + c * slope_d
        slope_h = slope_h * factor + h * slope_factor
        h = h * factor
        if bool((xp.absolute(factor - 1) < 1e-16).all()) and bool(
                (xp.absolute(slope_factor) < 1e-16).all()):
            break
    weight = xp.exp(_log_weight(xp, a, x)) * a
    log_slope = xp.log(x) - _digamma(xp, a)
    return weight * h, weight * (h * log_slope + slope_h)


def _of_small(xp, a, x):
    """Q for x <= 1.1 where it is small: 1 - xᵃ / Γ(a + 1) - xᵃ / Γ(a) Σ (-x)ⁿ / (n! (a + n))."""
    term, total = xp.ones_like(a), xp.zeros_like(a)
    for n in range(1, 60):
        term = term * (-x / n)
        total = total + term / (a + n)
    log = a * xp.log(x)
    gamma = _near_one(xp, a)
    return -xp.expm1(log - gamma) - a * xp.exp(log - gamma) * total


def _by_quadrature(xp, a, x):
    """(the smaller of P and Q, its derivative by a), for large a and x within some deviations."""
    deviation = xp.sqrt(a)
    upper = x >= a
    end = xp.where(upper, xp.maximum(a + 14 * deviation, x + 4 * deviation),
                   xp.maximum(a - 14 * deviation, TINY))
    half, middle, psi = xp.absolute(end - x) / 2, (end + x) / 2, _digamma(xp, a)
    total, slope = xp.zeros_like(a), xp.zeros_like(a)
    for node, weight in gauss_legendre(NODES):
        at = xp.maximum(middle + half * node, TINY)
        density = xp.exp(_log_weight(xp, a, at)) * (a / at) * weight
        total = total + density
        slope = slope + density * (xp.log(at) - psi)
    return total * half, slope * half


def incomplete(xp: Any, a: Any, x: Any) -> tuple[Any, Any, Any]:
    """(P(a, x), Q(a, x), dP/da) for float64 arrays of one shape, elementwise."""
    shape = a.shape
    a, x = a.reshape(-1), x.reshape(-1)
    p, q, slope = (xp.full(a.shape, math.nan) for _ in range(3))
    for edge, values in (((x == 0) & (a > 0), (0.0, 1.0, 0.0)),
                         ((a == 0) & (x > 0), (1.0, 0.0, math.nan)),
                         (xp.isinf(x) & (a >= 0) & xp.isfinite(a), (1.0, 0.0, 0.0)),
                         (xp.isinf(a) & (x >= 0) & xp.isfinite(x), (0.0, 1.0, 0.0))):
        p[edge], q[edge], slope[edge] = values
    inside = (a > 0) & (x > 0) & xp.isfinite(a) & xp.isfinite(x)
    middle = inside & (a >= MANY) & (xp.absolute(x - a) < 6 * xp.sqrt(xp.absolute(a)))
    series = inside & ~middle & (x < a + 1)
    fraction = inside & ~middle & ~series
    if bool(middle.any()):
        upper = x[middle] >= a[middle]
        part, change = _by_quadrature(xp, a[middle], x[middle])
        p[middle] = xp.where(upper, 1 - part, part)
        q[middle] = xp.where(upper, part, 1 - part)
        slope[middle] = xp.where(upper, -change, change)
    if bool(series.any()):
        p[series], slope[series] = _by_series(xp, a[series], x[series])
        q[series] = 1 - p[series]
    if bool(fraction.any()):
        q[fraction], change = _by_fraction(xp, a[fraction], x[fraction])
        p[fraction], slope[fraction] = 1 - q[fraction], -change
    log = xp.log(xp.where(inside, x, 1.0))
    small = inside & (x <= 1.1) & (a < 1) & (xp.where(x <= 0.5, a * -log < 0.4, a < 1.1 * x))
    if bool(small.any()):
        q[small] = _of_small(xp, a[small], x[small])
        p[small] = 1 - q[small]
    return p.reshape(shape), q.reshape(shape), slope.reshape(shape)


def _of_two(xp, input, other, which):
    a, x = xp.broadcast_arrays(xp.asarray(input, dtype="float64"),
                               xp.asarray(other, dtype="float64"))
    dtype = input.dtype if hasattr(input, "dtype") and dtypes.is_floating(input.dtype) \
        else other.dtype
    return xp.where((a < 0) | (x < 0), math.nan, incomplete(xp, a, x)[which]).astype(dtype)


# The derivative by the first argument can be taken once, as checks of higher orders would need.
PAIRS = [S(t(3, 4, low=0.3, high=5, grad=False), t(3, 4, low=0.2, high=8)),
         S(t(3, 1, low=0.3, high=5, grad=False), t(4, low=0.2, high=8)),
         S(t(low=1, high=2, grad=False), t(2, low=0.2)), S(t(0, 3, grad=False), t(1, 3, low=0.2))]


@op(promotes="floating", inplace=True, samples=PAIRS, scalar="it is computed in parts")
def igamma(xp, input: Array, other: Array):
    """The regularised lower incomplete gamma function P(a, x) = ∫ tᵃ⁻¹ e⁻ᵗ dt from 0 to x, / Γ(a).

    Shapes: (*), (*) -> the broadcast shape. a is `input` and x is `other`. A series, a continued
    fraction, or for large a quadrature. The gradient by a can be taken once.
    """
    return _of_two(xp, input, other, 0)


@op(promotes="floating", inplace=True, samples=PAIRS, scalar="it is computed in parts")
def igammac(xp, input: Array, other: Array):
    """The regularised upper incomplete gamma function Q(a, x) = 1 - P(a, x).

    Shapes: (*), (*) -> the broadcast shape. As `igamma`.
    """
    return _of_two(xp, input, other, 1)


def _density(xp, a, x):
    """xᵃ⁻¹ e⁻ˣ / Γ(a)."""
    return xp.exp((a - 1) * xp.log(x) - x - lgamma.run(xp, a))


def _by_first(xp, g, input, other):
    if xp is graph.tensors:
        raise NotImplementedError("igamma: the gradient by the first argument has no derivative; "
                                  "it can be taken once, without create_graph")
    return g * _of_two(xp, input, other, 2)


igamma.vjp(
    input=_by_first,
    other=lambda xp, g, input, other: g * _density(xp, input, other),
)
igammac.vjp(
    input=lambda xp, g, input, other: -_by_first(xp, g, input, other),
    other=lambda xp, g, input, other: -g * _density(xp, input, other),
)
