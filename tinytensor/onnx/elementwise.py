"""The ONNX forms of operations that compute element by element."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy

from ..arrays import dtypes
from .forms import FORMS, form
from .writing import Form

# Operations that ONNX has under another name, with the same inputs in order.
SAME = {
    "add": "Add", "sub": "Sub", "mul": "Mul", "neg": "Neg", "exp": "Exp", "log": "Log",
    "sqrt": "Sqrt", "sin": "Sin", "cos": "Cos", "tan": "Tan", "asin": "Asin", "acos": "Acos",
    "atan": "Atan", "sinh": "Sinh", "cosh": "Cosh", "tanh": "Tanh", "asinh": "Asinh",
    "acosh": "Acosh", "atanh": "Atanh", "reciprocal": "Reciprocal", "sigmoid": "Sigmoid",
    "relu": "Relu", "sign": "Sign", "abs": "Abs", "floor": "Floor", "ceil": "Ceil",
    "rint": "Round", "maximum": "Max", "minimum": "Min", "erf": "Erf", "eq": "Equal",
    "lt": "Less", "le": "LessOrEqual", "gt": "Greater", "ge": "GreaterOrEqual", "isnan": "IsNaN",
    "isinf": "IsInf", "nn.functional.mish": "Mish",
    "nn.functional.hardswish": "HardSwish", "pow": "Pow",
}

# What these are for bool, on which ONNX has no arithmetic.
LOGICAL = {"Add": "Or", "Mul": "And", "Max": "Or", "Min": "And", "Sign": "Or"}


def _same(kind: str) -> Any:
    def write(f: Form) -> Any:
        names = f.names()
        if kind in LOGICAL and f.dtype().kind == "b":
            return f.node(LOGICAL[kind], names * 2 if len(names) == 1 else names)
        return f.node(kind, names)

    return write


FORMS.update({key: _same(kind) for key, kind in SAME.items()})


def number(f: Form, value: float) -> str:
    """A number of the dtype in which the call computes."""
    return str(f.constant(numpy.asarray(value, dtype=f.dtype())))


def is_float(f: Form) -> bool:
    return dtypes.is_floating(f.dtype())


def choose(f: Form, condition: str, yes: str, no: str) -> str:
    return str(f.node("Where", [condition, yes, no]))


@form("where")
def where(f: Form) -> Any:
    return _where(f, f["condition"], f["input"], f["other"])


@form("masked_fill")
def masked_fill(f: Form) -> Any:
    return _where(f, f["mask"], f["value"], f["input"])


def _where(f: Form, condition: str, yes: str, no: str) -> Any:
    if f.dtype().kind != "b":
        return choose(f, condition, yes, no)
    # onnxruntime has no Where for bool
    return f.node("Or", [f.node("And", [condition, yes]),
                         f.node("And", [f.node("Not", [condition]), no])])


# ---------------------------------------------------------------- arithmetic


@form("div")
def div(f: Form) -> Any:
    number_of = operator.attrgetter("key")
    dividend, divisor = f.call.inputs["input"], f.call.inputs["other"]
    if (dividend and dividend.kind) == "call" and (divisor and divisor.kind) == "number":
        ratio = f.writer.take_scale(f)  # the mean of a pooling is the sum over its count
        if ratio != 1:
            return f.writer.scaled(f, f["input"], ratio / f.fixed(
                lambda c: number_of(c.inputs["other"]), "the divisor"))
    return f.node("Div", f.names())


@form("floor_divide")
def floor_divide(f: Form) -> Any:
    x, y = f["input"], f["other"]
    if is_float(f):
        return f.node("Floor", [f.node("Div", [x, y])])
    return f.node("Div", [f.node("Sub", [x, f.node("Mod", [x, y])]), y])


@form("remainder")
def remainder(f: Form) -> Any:
    x, y = f["input"], f["other"]
    if not is_float(f):
        return f.node("Mod", [x, y])
    rest, zero = f.node("Mod", [x, y], fmod=1), number(f, 0)
    # The rest has the sign of x. Where that is not the sign of y, y more has it.
    differs = f.node("And", [
        f.node("Not", [f.node("Equal", [rest, zero])]),
        f.node("Xor", [f.node("Less", [rest, zero]), f.node("Less", [y, zero])])])
    return choose(f, differs, f.node("Add", [rest, y]), rest)


@form("fmod")
def fmod(f: Form) -> Any:
    return f.node("Mod", [f["input"], f["other"]], fmod=1)


@form("square")
def square(f: Form) -> Any:
    x = f["input"] if f.dtype().kind != "b" else f.cast(f["input"], numpy.int64)
    return f.node("Mul", [x, x])


@form("rsqrt")
def rsqrt(f: Form) -> Any:
    return f.node("Reciprocal", [f.node("Sqrt", [f["input"]])])


@form("exp2")
def exp2(f: Form) -> Any:
    return f.node("Pow", [number(f, 2), f["input"]])


@form("expm1")
def expm1(f: Form) -> Any:
    # tanh(x / 2) (e**x + 1) keeps the digits of small results, and e**x - 1 those of large ones.
    x = f["input"]
    power = f.node("Exp", [x])
    near = f.node("Mul", [f.node("Tanh", [f.node("Mul", [x, number(f, 0.5)])]),
                          f.node("Add", [power, number(f, 1)])])
    is_near = f.node("Less", [f.node("Abs", [x]), number(f, 0.5)])
    return choose(f, is_near, near, f.node("Sub", [power, number(f, 1)]))


@form("log2", "log10")
def log_of_base(f: Form) -> Any:
    base = 2 if f.call.key == "log2" else 10
    return f.node("Mul", [f.node("Log", [f["input"]]), number(f, 1 / math.log(base))])


@form("log1p")
def log1p(f: Form) -> Any:
    # With u = 1 + x, rounded, log(u) x / (u - 1) is exact for small x (Kahan).
    x, one = f["input"], number(f, 1)
    u = f.node("Add", [x, one])
    rounded = f.node("Sub", [u, one])
    is_small = f.node("Equal", [rounded, number(f, 0)])
    is_inf = f.node("IsInf", [u])
    ratio = f.node("Div", [x, choose(f, is_small, one, rounded)])
    log = f.node("Log", [u])
    scaled = choose(f, is_inf, log, f.node("Mul", [log, ratio]))
    return choose(f, is_small, x, scaled)


@form("atan2")
def atan2(f: Form) -> Any:
    y, x = f["input"], f["other"]
    zero, half = number(f, 0), number(f, math.pi / 2)
    at_zero = f.node("Equal", [x, zero])
    angle = f.node("Atan", [f.node("Div", [y, choose(f, at_zero, number(f, 1), x)])])
    upper = choose(f, f.node("Less", [y, zero]), number(f, -math.pi), number(f, math.pi))
    left = choose(f, f.node("Less", [x, zero]), f.node("Add", [angle, upper]), angle)
    return choose(f, at_zero, f.node("Mul", [f.node("Sign", [y]), half]), left)


@form("hypot")
def hypot(f: Form) -> Any:
    squares = [f.node("Mul", [x, x]) for x in f.names()]
    return f.node("Sqrt", [f.node("Add", squares)])


@form("trunc")
def trunc(f: Form) -> Any:
    x = f["input"]
    return f.node("Mul", [f.node("Sign", [x]), f.node("Floor", [f.node("Abs", [x])])])


@form("frac")
def frac(f: Form) -> Any:
    return f.node("Sub", [f["input"], trunc(f)])


def _negative(f: Form, x: str) -> str:
    """Whether the sign bit is set, as of -0.0."""
    if not is_float(f):
        return str(f.node("Less", [x, number(f, 0)]))
    return str(f.node("Or", [
        f.node("Less", [x, number(f, 0)]),
        f.node("Less", [f.node("Reciprocal", [x]), number(f, 0)])]))


@form("signbit")
def signbit(f: Form) -> Any:
    if f.dtype().kind == "b":
        return f.node("And", [f["input"], f.constant(numpy.asarray(False))])
    return _negative(f, f["input"])


@form("copysign")
def copysign(f: Form) -> Any:
    size = f.node("Abs", [f["input"]])
    return choose(f, _negative(f, f["other"]), f.node("Neg", [size]), size)


@form("fmax", "fmin")
def without_nan(f: Form) -> Any:
    x, y = f["input"], f["other"]
    best = f.node("Max" if f.call.key == "fmax" else "Min", [x, y])
    if not is_float(f):
        return best
    rest = choose(f, f.node("IsNaN", [y]), x, best)
    return choose(f, f.node("IsNaN", [x]), y, rest)


@form("clamp")
def clamp(f: Form) -> Any:
    x = f["input"]
    if f.given("min"):
        x = f.node("Max", [x, f["min"]])
    return f.node("Min", [x, f["max"]]) if f.given("max") else x


@form("nan_to_num")
def nan_to_num(f: Form) -> Any:
    x = f["input"]
    if not is_float(f):
        return x
    limits = numpy.finfo(f.dtype())
    nan, high, low = (f.param(name) for name in ("nan", "posinf", "neginf"))
    for positive, value in ((1, limits.max if high is None else high),
                            (0, limits.min if low is None else low)):
        test = f.node("IsInf", [x], detect_positive=positive, detect_negative=1 - positive)
        x = choose(f, test, number(f, value), x)
    return choose(f, f.node("IsNaN", [x]), number(f, nan or 0.0), x)


@form("heaviside")
def heaviside(f: Form) -> Any:
    x, zero = f["input"], number(f, 0)
    above = choose(f, f.node("Greater", [x, zero]), number(f, 1), zero)
    return choose(f, f.node("Equal", [x, zero]), f["values"], above)


@form("lerp")
def lerp(f: Form) -> Any:
    x, end, weight = f.names()
    step = f.node("Sub", [end, x])
    from_start = f.node("Add", [x, f.node("Mul", [weight, step])])
    rest = f.node("Sub", [number(f, 1), weight])
    from_end = f.node("Sub", [end, f.node("Mul", [step, rest])])
    near = f.node("Less", [f.node("Abs", [weight]), number(f, 0.5)])
    return choose(f, near, from_start, from_end)


@form("root")
def root(f: Form) -> Any:
    p = f.param("p")
    if p == 2:
        return f.node("Sqrt", [f["input"]])
    return f.node("Pow", [f["input"], number(f, 1 / p)])


# ---------------------------------------------------------------- special functions


@form("erfc")
def erfc(f: Form) -> Any:
    return f.node("Sub", [number(f, 1), f.node("Erf", [f["input"]])])


@form("logit")
def logit(f: Form) -> Any:
    x, eps = f["input"], f.param("eps")
    if eps is not None:
        x = f.node("Min", [f.node("Max", [x, number(f, eps)]), number(f, 1 - eps)])
    return f.node("Log", [f.node("Div", [x, f.node("Sub", [number(f, 1), x])])])


@form("xlogy")
def xlogy(f: Form) -> Any:
    x, y = f["input"], f["other"]
    product = f.node("Mul", [x, f.node("Log", [y])])
    none = f.node("And", [f.node("Equal", [x, number(f, 0)]),
                          f.node("Not", [f.node("IsNaN", [y])])])
    return choose(f, none, number(f, 0), product)


@form("logaddexp", "logaddexp2")
def logaddexp(f: Form) -> Any:
    # max + log(1 + e**-|x - y|), which is Softplus(-|x - y|)
    x, y = f["input"], f["other"]
    scale = math.log(2) if f.call.key == "logaddexp2" else 1.0
    distance = f.node("Abs", [f.node("Sub", [x, y])])
    distance = f.node("Mul", [distance, number(f, -scale)])
    more = f.node("Mul", [f.node("Softplus", [distance]), number(f, 1 / scale)])
    return f.node("Add", [f.node("Max", [x, y]), more])


@form("sinc")
def sinc(f: Form) -> Any:
    x = f.node("Mul", [f["input"], number(f, math.pi)])
    at_zero = f.node("Equal", [x, number(f, 0)])
    safe = choose(f, at_zero, number(f, 1), x)
    return choose(f, at_zero, number(f, 1), f.node("Div", [f.node("Sin", [safe]), safe]))


# ---------------------------------------------------------------- comparisons, logic, bits


@form("ne")
def not_equal(f: Form) -> Any:
    return f.node("Not", [f.node("Equal", f.names())])


def truth(f: Form, name: str) -> str:
    """Whether the elements of an input are nonzero."""
    if f.dtype(name).kind == "b":
        return f[name]
    return str(f.cast(f[name], bool))


@form("logical_not")
def logical_not(f: Form) -> Any:
    return f.node("Not", [truth(f, "input")])


@form("logical_and", "logical_or", "logical_xor")
def logical(f: Form) -> Any:
    kind = f.call.key.removeprefix("logical_").capitalize()
    return f.node(kind, [truth(f, "input"), truth(f, "other")])


@form("bitwise_and", "bitwise_or", "bitwise_xor")
def bitwise(f: Form) -> Any:
    kind = f.call.key.removeprefix("bitwise_").capitalize()
    return f.node(kind if f.dtype().kind == "b" else f"Bitwise{kind}", f.names())


@form("bitwise_not")
def bitwise_not(f: Form) -> Any:
    return f.node("Not" if f.dtype().kind == "b" else "BitwiseNot", [f["input"]])


@form("isfinite")
def isfinite(f: Form) -> Any:
    x = f["input"]
    if not is_float(f):
        return f.node("Equal", [x, x])
    return f.node("Not", [f.node("Or", [f.node("IsInf", [x]), f.node("IsNaN", [x])])])


@form("isposinf", "isneginf")
def is_one_infinity(f: Form) -> Any:
    positive = f.call.key == "isposinf"
    return f.node("IsInf", [f["input"]], detect_positive=int(positive),
                  detect_negative=int(not positive))


@form("isreal")
def isreal(f: Form) -> Any:
    return f.node("Or", [f.node("Equal", [f["input"]] * 2),
                         f.node("Not", [f.node("Equal", [f["input"]] * 2)])])


def _floats_only(kind: str, otherwise: Any) -> Any:
    def write(f: Form) -> Any:
        return f.node(kind, [f["input"]]) if is_float(f) else otherwise(f)

    return write


for _key, _kind in (("floor", "Floor"), ("ceil", "Ceil"), ("rint", "Round")):
    FORMS[_key] = _floats_only(_kind, lambda f: f["input"])
FORMS["trunc"] = lambda f: trunc(f) if is_float(f) else f["input"]
for _key, _kind in (("isnan", "IsNaN"), ("isinf", "IsInf")):
    FORMS[_key] = _floats_only(_kind, lambda f: not_equal_to_itself(f))


def not_equal_to_itself(f: Form) -> Any:
    """False for every element of integers."""
    return f.node("Not", [f.node("Equal", [f["input"]] * 2)])


# ---------------------------------------------------------------- activations


@form("nn.functional.leaky_relu")
def leaky_relu(f: Form) -> Any:
    return f.node("LeakyRelu", [f["input"]], alpha=float(f.param("negative_slope")))


@form("prelu")
def prelu(f: Form) -> Any:
    slope, rank = f["weight"], f.rank()
    if rank > 2 and f.fixed(lambda call: call.shapes["weight"] not in ((), (1,))):
        slope = f.node("Reshape", [slope, f.dims([-1, *[1] * (rank - 2)])])
    elif not rank:
        slope = f.node("Reshape", [slope, f.dims([])])
    return f.node("PRelu", [f["input"], slope])


@form("nn.functional.hardtanh")
def hardtanh(f: Form) -> Any:
    return f.node("Clip", [f["input"], number(f, f.param("min_val")),
                           number(f, f.param("max_val"))])


@form("threshold")
def threshold(f: Form) -> Any:
    x = f["input"]
    below = f.node("LessOrEqual", [x, number(f, f.param("threshold"))])
    return choose(f, below, number(f, f.param("value")), x)


@form("nn.functional.softshrink", "hardshrink")
def shrink(f: Form) -> Any:
    lambd, soft = float(f.param("lambd")), f.call.key != "hardshrink"
    return f.node("Shrink", [f["input"]], lambd=lambd, bias=lambd if soft else 0.0)


@form("nn.functional.elu")
def elu(f: Form) -> Any:
    return f.node("Elu", [f["input"]], alpha=float(f.param("alpha")))


@form("nn.functional.gelu")
def gelu(f: Form) -> Any:
    x, approximate = f["input"], f.param("approximate")
    if f.opset >= 20:
        return f.node("Gelu", [x], approximate=approximate)
    if approximate == "tanh":
        cube = f.node("Mul", [f.node("Mul", [x, x]), number(f, 0.044715)])
        inner = f.node("Mul", [f.node("Mul", [x, f.node("Add", [cube, number(f, 1)])]),
                               number(f, math.sqrt(2 / math.pi))])
        gate = f.node("Tanh", [inner])
    else:
        gate = f.node("Erf", [f.node("Mul", [x, number(f, math.sqrt(0.5))])])
    half = f.node("Mul", [f.node("Add", [gate, number(f, 1)]), number(f, 0.5)])
    return f.node("Mul", [x, half])


@form("nn.functional.silu")
def silu(f: Form) -> Any:
    return f.node("Mul", [f["input"], f.node("Sigmoid", [f["input"]])])


@form("nn.functional.softplus")
def softplus(f: Form) -> Any:
    x, beta, limit = f["input"], f.param("beta"), f.param("threshold")
    scaled = x if beta == 1 else f.node("Mul", [x, number(f, beta)])
    soft = f.node("Softplus", [scaled])
    soft = soft if beta == 1 else f.node("Mul", [soft, number(f, 1 / beta)])
    return choose(f, f.node("Greater", [scaled, number(f, limit)]), x, soft)


@form("nn.functional.logsigmoid")
def logsigmoid(f: Form) -> Any:
    return f.node("Neg", [f.node("Softplus", [f.node("Neg", [f["input"]])])])


@form("nn.functional.hardsigmoid")
def hardsigmoid(f: Form) -> Any:
    return f.node("HardSigmoid", [f["input"]], alpha=1 / 6, beta=0.5)


# ---------------------------------------------------------------- losses


@form("probability_cross_entropy")
def probability_cross_entropy(f: Form) -> Any:
    p, y = f["input"], f["target"]
    one, least = number(f, 1), number(f, -100)
    logs = [f.node("Max", [f.node("Log", [x]), least]) for x in (f.node("Sub", [one, p]), p)]
    first = f.node("Mul", [f.node("Sub", [y, one]), logs[0]])
    return f.node("Sub", [first, f.node("Mul", [y, logs[1]])])


@form("logit_cross_entropy")
def logit_cross_entropy(f: Form) -> Any:
    x, y, one = f["input"], f["target"], number(f, 1)
    loss = f.node("Softplus", [f.node("Neg", [x])])
    if f.given("pos_weight"):
        factor = f.node("Mul", [f.node("Sub", [f["pos_weight"], one]), y])
        loss = f.node("Mul", [f.node("Add", [factor, one]), loss])
    return f.node("Add", [f.node("Mul", [f.node("Sub", [one, y]), x]), loss])
