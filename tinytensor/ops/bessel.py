"""Bessel functions of the orders 0 and 1: i0, i0e, i1, i1e, bessel_j0, bessel_j1.

All are computed in float64, also for float32, by the series and ratios of S. L. Moshier's Cephes
library (Methods and Programs for Mathematical Functions, 1989), as in SciPy. The errors against
mpmath are below 10 units of the last place of float64; those of bessel_j0 and bessel_j1 are
absolute. PyTorch's bessel_j0 and bessel_j1 lack the leading terms of two denominators, with errors
of up to 3.8e-7 and 4.7e-7. `tests/test_bessel.py` holds these figures.
"""

from __future__ import annotations

import math

from ..arrays import Array
from ..autograd.table import op
from .gamma import in_double, polynomial
from .samples import S, t, unary

# e**-x I0(x) on [0, 8] as a Chebyshev series in x / 2 - 2, the highest term first, and
# e**-x √x I0(x) above as one in 32 / x - 2.
I0_NEAR = (-4.4153416464793395e-18, 3.3307945188222384e-17, -2.431279846547955e-16,
    1.715391285555133e-15, -1.1685332877993451e-14, 7.676185498604936e-14, -4.856446783111929e-13,
    2.95505266312964e-12, -1.726826291441556e-11, 9.675809035373237e-11, -5.189795601635263e-10,
    2.6598237246823866e-09, -1.300025009986248e-08, 6.046995022541919e-08, -2.670793853940612e-07,
    1.1173875391201037e-06, -4.4167383584587505e-06, 1.6448448070728896e-05, -5.754195010082104e-05,
    0.00018850288509584165, -0.0005763755745385824, 0.0016394756169413357, -0.004324309995050576,
    0.010546460394594998, -0.02373741480589947, 0.04930528423967071, -0.09490109704804764,
    0.17162090152220877, -0.3046826723431984, 0.6767952744094761)
I0_FAR = (-7.233180487874754e-18, -4.830504485944182e-18, 4.46562142029676e-17,
    3.461222867697461e-17, -2.8276239805165836e-16, -3.425485619677219e-16, 1.7725601330565263e-15,
    3.8116806693526224e-15, -9.554846698828307e-15, -4.150569347287222e-14, 1.54008621752141e-14,
    3.8527783827421426e-13, 7.180124451383666e-13, -1.7941785315068062e-12, -1.3215811840447713e-11,
    -3.1499165279632416e-11, 1.1889147107846439e-11, 4.94060238822497e-10, 3.3962320257083865e-09,
    2.266668990498178e-08, 2.0489185894690638e-07, 2.8913705208347567e-06, 6.889758346916825e-05,
    0.0033691164782556943, 0.8044904110141088)
# e**-x I1(x) / x and e**-x √x I1(x), in the same way.
I1_NEAR = (2.7779141127610464e-18, -2.111421214358166e-17, 1.5536319577362005e-16,
    -1.1055969477353862e-15, 7.600684294735408e-15, -5.042185504727912e-14, 3.223793365945575e-13,
    -1.9839743977649436e-12, 1.1736186298890901e-11, -6.663489723502027e-11, 3.625590281552117e-10,
    -1.8872497517228294e-09, 9.381537386495773e-09, -4.445059128796328e-08, 2.0032947535521353e-07,
    -8.568720264695455e-07, 3.4702513081376785e-06, -1.3273163656039436e-05, 4.781565107550054e-05,
    -0.00016176081582589674, 0.0005122859561685758, -0.0015135724506312532, 0.004156422944312888,
    -0.010564084894626197, 0.024726449030626516, -0.05294598120809499, 0.1026436586898471,
    -0.17641651835783406, 0.25258718644363365)
I1_FAR = (7.517296310842105e-18, 4.414348323071708e-18, -4.6503053684893586e-17,
    -3.209525921993424e-17, 2.96262899764595e-16, 3.3082023109209285e-16, -1.8803547755107825e-15,
    -3.8144030724370075e-15, 1.0420276984128802e-14, 4.272440016711951e-14, -2.1015418427726643e-14,
    -4.0835511110921974e-13, -7.198551776245908e-13, 2.0356285441470896e-12, 1.4125807436613782e-11,
    3.2526035830154884e-11, -1.8974958123505413e-11, -5.589743462196584e-10, -3.835380385964237e-09,
    -2.6314688468895196e-08, -2.512236237870209e-07, -3.882564808877691e-06,
    -0.00011058893876262371, -0.009761097491361469, 0.7785762350182801)
# J0(x) / ((x² - a²) (x² - b²)) on [0, 5] as a ratio of polynomials in x²; a and b are its zeros
# there. Above, the amplitudes of cosine and sine as ratios of polynomials in (5 / x)².
# All begin with the constant term.
J0_NEAR = ((9708622510473064.0, -249248344360967.72, 1956174919465.5657, -4794432209.782018),
    (1.7108629408104315e+18, 3.1812195594320496e+16, 310518229857422.56, 2112775201154.892,
    11185553704.535683, 48440965.83399621, 173785.4016763747, 499.563147152651, 1.0))
J0_COSINE = ((1.0, 5.303240382353949, 8.74716500199817, 5.447250030587687, 1.239533716464143,
    0.08283523921074408, 0.0007969367292973471), (1.0, 5.306052882353947, 8.761908832370695,
    5.470977403304171, 1.2535274390105895, 0.08562884743544745, 0.0009244088105588637))
J0_SINE = ((-6.050143506007285, -51.41053267665993, -147.07750515495118, -177.68116798048806,
    -93.20601521237683, -19.553954425773597, -1.2825271867050931, -0.011366383889846916),
    (242.0057402402914, 2062.0933166032783, 5930.727011873169, 7240.467741956525,
    3882.4018360540163, 856.4300259769806, 64.3178256118178, 1.0))
# The same for J1(x) / x.
J1_NEAR = ((3682957328638529.0, -72749424522181.83, 452228297998.19403, -899971225.7055594),
    (5.322786203326801e+18, 8.952223361846274e+16, 784369607876235.9, 4749141220799.914,
    22151159547.97925, 83514679.14319493, 256987.25675774884, 620.8364781180543, 1.0))
J1_COSINE = ((1.0, 5.214515986823615, 8.424045901417724, 5.112079511468076, 1.1271960812968493,
    0.07313970569409176, 0.0007621256162081731), (1.0, 5.209828486823619, 8.399855543276042,
    5.073863861286015, 1.105142326340617, 0.06884559087544954, 0.0005713231280725487))
J1_SINE = ((25.207020585802372, 211.68875710057213, 597.4896124006136, 710.8563049989261,
    366.7796093601508, 75.82382841325453, 4.982138729512334, 0.05108625947501766),
    (336.0936078106983, 2826.1927851763908, 7997.041604473507, 9562.318924047562, 4986.410583376536,
    1056.4488603826283, 74.23732770356752, 1.0))

WIDE = [*unary(), S(t(9, low=-15, high=15))]
REASON = "computed on float64 arrays"  # `scalar=`


def _chebyshev(y, coefficients):
    """A Chebyshev series in y / 2, the highest term first and the constant one doubled (Clenshaw).
    """
    last = before = 0.0
    total = y * 0 + coefficients[0]
    for c in coefficients[1:]:
        before, last, total = last, total, y * total - last + c
    return (total - before) * 0.5


def _scaled(xp, x, near, far):
    """Of |x|: the series `near` up to 8, and `far` over √x above."""
    x = xp.absolute(x)
    above = xp.where(x > 8, x, 8.0)
    return xp.where(x > 8, _chebyshev(32 / above - 2, far) / xp.sqrt(above),
                    _chebyshev(xp.minimum(x, 8.0) / 2 - 2, near))


# ---------------------------------------------------------------- modified Bessel functions


@op(promotes="float", inplace=True, samples=WIDE, scalar=REASON)
def i0(xp, input: Array):
    """The modified Bessel function I0(input). Shapes: (*) -> (*). Cephes."""
    return _i0(xp, input)


@op(promotes="float", home="special", method=False, samples=WIDE, scalar=REASON)
def i0e(xp, input: Array):
    """e**-|input| I0(input). Shapes: (*) -> (*). Cephes."""
    return _i0e(xp, input)


@op(promotes="float", home="special", method=False, samples=WIDE, scalar=REASON)
def i1(xp, input: Array):
    """The modified Bessel function I1(input). Shapes: (*) -> (*). Cephes."""
    return _i1(xp, input)


@op(promotes="float", home="special", method=False, samples=WIDE, scalar=REASON)
def i1e(xp, input: Array):
    """e**-|input| I1(input). Shapes: (*) -> (*). Cephes."""
    return _i1e(xp, input)


@in_double
def _i0e(xp, x):
    return _scaled(xp, x, I0_NEAR, I0_FAR)


@in_double
def _i0(xp, x):
    return xp.exp(xp.absolute(x)) * _scaled(xp, x, I0_NEAR, I0_FAR)


@in_double
def _i1e(xp, x):
    near = xp.where(xp.absolute(x) > 8, xp.sign(x), x)
    return near * _scaled(xp, x, I1_NEAR, I1_FAR)


@in_double
def _i1(xp, x):
    near = xp.where(xp.absolute(x) > 8, xp.sign(x), x)
    return xp.exp(xp.absolute(x)) * (near * _scaled(xp, x, I1_NEAR, I1_FAR))


# ---------------------------------------------------------------- Bessel functions


def _integral(order):
    """The integral of cos(order τ - x sin τ) over a period, divided by 2π, by the trapezoidal rule,
    which is exact to rounding here. PyTorch does not differentiate its functions.
    """
    def reference(torch):
        def integral(input):
            angle = torch.arange(64, dtype=input.dtype) * (math.pi / 32)
            return (order * angle - input[..., None] * angle.sin()).cos().mean(-1)

        return integral

    return reference


@op(promotes="float", home="special", method=False, samples=WIDE, scalar=REASON,
    reference=_integral(0))
def bessel_j0(xp, input: Array):
    """The Bessel function J0(input). Shapes: (*) -> (*). Cephes.

    It has a derivative here, and none in PyTorch.
    """
    return _j0(xp, input)


@op(promotes="float", home="special", method=False, samples=WIDE, scalar=REASON,
    reference=_integral(1))
def bessel_j1(xp, input: Array):
    """The Bessel function J1(input). Shapes: (*) -> (*). Cephes.

    It has a derivative here, and none in PyTorch.
    """
    return _j1(xp, input)


def _ratio(x, coefficients):
    above, below = coefficients
    return polynomial(x, above) / polynomial(x, below)


def _oscillation(xp, x, phase, cosine, sine):
    """√(2 / πx) (cosine cos(x - phase) - 5/x sine sin(x - phase)), for x > 5."""
    inverse = 5 / x
    angle = x - phase
    return (_ratio(inverse * inverse, cosine) * xp.cos(angle)
            - inverse * _ratio(inverse * inverse, sine) * xp.sin(angle)) \
        * math.sqrt(2 / math.pi) / xp.sqrt(x)


@in_double
def _j0(xp, x):
    x = xp.absolute(x)
    squared = xp.minimum(x, 5.0) ** 2
    near = (squared - 5.783185962946785) * (squared - 30.471262343662087) * _ratio(squared, J0_NEAR)
    far = _oscillation(xp, xp.where(x > 5, x, 5.0), math.pi / 4, J0_COSINE, J0_SINE)
    return xp.where(x > 5, far, near)


@in_double
def _j1(xp, x):
    size = xp.absolute(x)
    squared = xp.minimum(size, 5.0) ** 2
    near = x * (squared - 14.681970642123893) * (squared - 49.218456321694604) \
        * _ratio(squared, J1_NEAR)
    far = _oscillation(xp, xp.where(size > 5, size, 5.0), 3 * math.pi / 4, J1_COSINE, J1_SINE)
    return xp.where(size > 5, xp.sign(x) * far, near)


# ---------------------------------------------------------------- divided by a power of the input


def _poisson(torch):
    """Poisson's integral, by the trapezoidal rule, which is exact to rounding here."""
    def integral(input, order, kind):
        angle = (torch.arange(64, dtype=input.dtype) + 0.5) * (math.pi / 64)
        along = input[..., None] * angle.cos()
        wave = along.cos() if kind == "J" else along.cosh()
        scale = (-input.abs()).exp() if kind == "scaled I" else 1.0
        return scale * (wave * angle.sin() ** (2 * order)).mean(-1) / math.prod(
            range(1, 2 * order, 2))

    return integral


@op(promotes="float", method=False, internal=True, samples=[
    S(t(9, low=-6, high=6), order, kind) for order in (1, 2, 3)
    for kind in ("I", "scaled I", "J")], scalar=REASON, reference=_poisson)
def over_power(xp, input: Array, order: int, kind: str):
    """F(input) / input**order of a Bessel function F of that order >= 1. Shapes: (*) -> (*).

    F is I ("I"), e**-|input| I ("scaled I") or J ("J"). It is a part of the derivatives of order 1,
    and has its own rule, as a quotient whose limit at 0 is finite would lose all digits near 0.
    """
    return _over_power(xp, input, order=order, kind=kind)


@over_power.vjp("input")
def _(xp, g, input, out, order, kind):
    next_order = input * over_power.run(xp, input, order + 1, kind)
    if kind == "J":
        return -g * next_order
    return g * (next_order if kind == "I" else next_order - xp.sign(input) * out)


@in_double
def _over_power(xp, x, order, kind):
    """The power series up to 2, and above the recurrence of orders from 0 and 1."""
    sign = -1 if kind == "J" else 1
    size = xp.absolute(x)
    quarter, far = xp.minimum(size, 2.0) ** 2 * (sign / 4), xp.where(size > 2, size, 2.0)
    near = polynomial(quarter, [2.0**-order / (math.factorial(k) * math.factorial(k + order))
                                for k in range(16)])
    before, value = (_j0(xp, far), _j1(xp, far) / far) if kind == "J" \
        else (_i0e(xp, far), _i1e(xp, far) / far)
    for n in range(1, order):
        before, value = value, (before - 2 * n * value) / (sign * far * far)
    if kind == "scaled I":
        near = near * xp.exp(-size)
    elif kind == "I":
        value = value * xp.exp(size)
    return xp.where(size > 2, value, near)


# ---------------------------------------------------------------- derivatives


i0.vjp(input=lambda xp, g, input: g * i1.run(xp, input))
i0e.vjp(input=lambda xp, g, input, out: g * (i1e.run(xp, input) - xp.sign(input) * out))
i1.vjp(input=lambda xp, g, input: g * (
    i0.run(xp, input) - over_power.run(xp, input, 1, "I")))
i1e.vjp(input=lambda xp, g, input, out: g * (
    i0e.run(xp, input) - xp.sign(input) * out - over_power.run(xp, input, 1, "scaled I")))
bessel_j0.vjp(input=lambda xp, g, input: -g * bessel_j1.run(xp, input))
bessel_j1.vjp(input=lambda xp, g, input: g * (
    bessel_j0.run(xp, input) - over_power.run(xp, input, 1, "J")))
