"""Kernels for elementwise functions and their rules, generated from one formula each.

A formula gives one element of the result from those of the operands, in `Real`, and from the
parameters `a` and `b`. There are two kernels for each: one for C-contiguous operands, and one for
operands with any strides, such as a gradient that was broadcast.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy

from ...ops.activation import (
    elu,
    gelu,
    hardswish,
    leaky_relu,
    logsigmoid,
    mish,
    silu,
    softplus,
)
from ...ops.elementwise import relu, sigmoid, tanh
from ...ops.special import erf, erfc
from .copies import DIMS, joined_dims
from .launch import Array, Source, dense, empty_like, fits

# name: (operands, formula)
FORMULAS = {
    "relu": ("x", "x < 0 ? Real(0) : x"),  # NaN stays
    "relu_back": ("g out", "out != 0 ? g : Real(0)"),
    "leaky_relu": ("x", "x > 0 ? x : x * a"),
    "leaky_relu_back": ("g x", "x > 0 ? g : g * a"),
    "elu": ("x", "x > 0 ? x : a * expm1(x)"),
    "elu_back": ("g x", "x > 0 ? g : g * (a * exp(x))"),
    "sigmoid": ("x", "sigmoid(x)"),
    "sigmoid_back": ("g out", "g * (out * (1 - out))"),
    "tanh_back": ("g out", "g * (1 - out * out)"),
    "silu": ("x", "x * sigmoid(x)"),
    "silu_back": ("g x", "g * (sigmoid(x) * (1 + x * (1 - sigmoid(x))))"),
    "mish": ("x", "x * tanh(log1p_exp(x))"),
    "mish_back": ("g x", "g * mish_slope(x)"),
    "hardswish": ("x", "x * (clamped(x + 3, Real(0), Real(6)) / 6)"),
    "hardswish_back": ("g x", "x <= -3 ? Real(0) : x >= 3 ? g : g * (x / 3 + Real(0.5))"),
    "softplus": ("x", "x * a > b ? x : log1p(exp(x * a)) / a"),
    "softplus_back": ("g x", "x * a > b ? g : g * sigmoid(x * a)"),
    "logsigmoid": ("x", "-log1p_exp(-x)"),
    "logsigmoid_back": ("g x", "g * sigmoid(-x)"),
    "gelu": ("x", "x * normal_cdf(x)"),
    "gelu_back": ("g x", "g * (normal_cdf(x) + x * normal_density(x))"),
    "gelu_tanh": ("x", "x * (tanh(gelu_inner(x)) + 1) * Real(0.5)"),
    "gelu_tanh_back": ("g x", "g * gelu_tanh_slope(x)"),
    "erf": ("x", "erf(x)"),
    "erf_back": ("g x", "g * (exp(-x * x) * Real(1.1283791670955126))"),  # 2 / √π
    "erfc": ("x", "erfc(x)"),
    "erfc_back": ("g x", "g * (exp(-x * x) * Real(-1.1283791670955126))"),
}

LAYOUT = numpy.dtype([("dims", "i8"), ("sizes", "i8", DIMS), ("strides", "i8", (2, DIMS))])

HELPERS = f"""
const int DIMS = {DIMS};
struct Layout {{ Int dims; Int size[DIMS]; Int stride[2][DIMS]; }};

// The place in memory of element i of an operand.
__device__ inline Int place(const Layout& layout, int operand, Int i) {{
    Int at = 0;
    for (int d = int(layout.dims) - 1; d >= 0; d--) {{
        at += i % layout.size[d] * layout.stride[operand][d];
        i /= layout.size[d];
    }}
    return at;
}}

__device__ inline Real clamped(Real x, Real low, Real high) {{
    return x < low ? low : x > high ? high : x;
}}
__device__ inline Real log1p_exp(Real x) {{  // log(1 + e**x), without overflow
    return (x > 0 ? x : is_nan(x) ? x : Real(0)) + log1p(exp(-abs(x)));
}}
__device__ inline Real mish_slope(Real x) {{
    Real gate = tanh(log1p_exp(x));
    return gate + x * (1 - gate * gate) * sigmoid(x);
}}
__device__ inline Real normal_cdf(Real x) {{ return erfc(x * Real({-math.sqrt(0.5)!r})) / 2; }}
__device__ inline Real normal_density(Real x) {{
    return exp(x * x * Real(-0.5)) * Real({math.sqrt(0.5 / math.pi)!r});
}}
__device__ inline Real gelu_inner(Real x) {{
    return x * (1 + Real(0.044715) * (x * x)) * Real({math.sqrt(2 / math.pi)!r});
}}
__device__ inline Real gelu_tanh_slope(Real x) {{
    Real gate = (tanh(gelu_inner(x)) + 1) * Real(0.5);
    Real slope = (1 + Real({3 * 0.044715!r}) * (x * x)) * Real({2 * math.sqrt(2 / math.pi)!r});
    return gate + x * (gate * (1 - gate) * slope);
}}
"""


def _kernel(name: str, operands: Sequence[str], formula: str, strided: bool) -> str:
    """The text of one kernel."""
    given = ["Real* to", *(f"const Real* of_{x}" for x in operands), "Int size",
             *(f"double {n}_" for n in _numbers(formula)),
             *["const __grid_constant__ Layout layout"] * strided]
    values = [f"Real {n} = Real({n}_);" for n in _numbers(formula)]
    reads = [f"Real {x} = of_{x}[{f'place(layout, {k}, i)' if strided else 'i'}];"
             for k, x in enumerate(operands)]
    return f"""
extern "C" __global__ void each_{name}{"_strided" * strided}({", ".join(given)}) {{
    {" ".join(values)}
    for (Int i = first_element(); i < size; i += element_step()) {{
        {" ".join(reads)}
        to[i] = {formula};
    }}
}}
"""


def _numbers(formula: str) -> list[str]:
    """The parameters that a formula uses."""
    return sorted(set(re.findall(r"\b[ab]\b", formula)))


SOURCE = Source("elementwise", HELPERS + "".join(
    _kernel(name, operands.split(), formula, strided)
    for name, (operands, formula) in FORMULAS.items() for strided in (False, True)))


def each(name: str, *operands: Array, numbers: tuple[float, ...] = ()) -> Array | None:
    """The result of a formula, or None if the operands do not fit. Their shapes are equal."""
    if not fits(*operands) or any(x.shape != operands[0].shape for x in operands[1:]):
        return None
    out = empty_like(operands[0])
    given = (out, *operands, out.size, *map(float, numbers))
    if all(x.flags.c_contiguous for x in operands):
        SOURCE.over_elements(f"each_{name}", out, *given)
        return out
    layout = _layout(*operands)
    if layout is None:
        return each(name, *map(dense, operands), numbers=numbers)
    SOURCE.over_elements(f"each_{name}_strided", out, *given, layout)
    return out


def _layout(*operands: Array) -> Any:
    """The sizes and strides as the kernels take them; None if there are too many dims."""
    sizes, strides = joined_dims(operands[0].shape, *(x.strides for x in operands))
    if len(sizes) > DIMS:
        return None
    layout = numpy.zeros((), LAYOUT)
    layout["dims"], layout["sizes"][:len(sizes)] = len(sizes), sizes
    for k, column in enumerate(strides):
        layout["strides"][k, :len(sizes)] = [s // operands[0].itemsize for s in column]
    return layout


# ---------------------------------------------------------------- the functions


def _plain(op: Any, saved: str, forward: bool = True) -> None:
    """Registers the kernels of a function without parameters. Its rule takes g and `saved`."""
    name = op.op.name
    if forward:
        op.kernel("cuda")(lambda input: each(name, input))
    rule = (lambda g, out: each(f"{name}_back", g, out)) if saved == "out" else \
        (lambda g, input: each(f"{name}_back", g, input))
    op.kernel("cuda", "input")(rule)


for _op in (silu, mish, hardswish, logsigmoid, erf, erfc):
    _plain(_op, "input")
for _op in (relu, sigmoid):
    _plain(_op, "out")
_plain(tanh, "out", forward=False)  # one launch of CuPy's


@gelu.kernel("cuda")
def _(input: Array, approximate: str = "none") -> Any:
    name = {"none": "gelu", "tanh": "gelu_tanh"}.get(approximate)
    return None if name is None else each(name, input)


@gelu.kernel("cuda", "input")
def _(g: Array, input: Array, approximate: str) -> Any:
    return each("gelu_back" if approximate == "none" else "gelu_tanh_back", g, input)


@leaky_relu.kernel("cuda")
def _(input: Array, negative_slope: float = 0.01) -> Any:
    return each("leaky_relu", input, numbers=(negative_slope,))


@leaky_relu.kernel("cuda", "input")
def _(g: Array, input: Array, negative_slope: float) -> Any:
    return each("leaky_relu_back", g, input, numbers=(negative_slope,))


@elu.kernel("cuda")
def _(input: Array, alpha: float = 1.0) -> Any:
    return each("elu", input, numbers=(alpha,))


@elu.kernel("cuda", "input")
def _(g: Array, input: Array, alpha: float) -> Any:
    return each("elu_back", g, input, numbers=(alpha,))


@softplus.kernel("cuda")
def _(input: Array, beta: float = 1, threshold: float = 20) -> Any:
    return each("softplus", input, numbers=(beta, threshold))


@softplus.kernel("cuda", "input")
def _(g: Array, input: Array, beta: float, threshold: float) -> Any:
    return each("softplus_back", g, input, numbers=(beta, threshold))
