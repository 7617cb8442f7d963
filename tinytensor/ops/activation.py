"""Activation functions, and softmax with its relatives.

The ops sigmoid, tanh and relu are in elementwise.py.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy

from .. import random
from ..arrays import Array, devices, dtypes
from ..autograd import graph
from ..autograd.frames import warn
from ..autograd.halves import in_single
from ..autograd.table import composed, op
from ..tensors.tensor import Tensor
from . import elementwise
from .checks import need_floating, refuse_bool
from .dims import axes
from .elementwise import expm1, sigmoid, tanh
from .index import where
from .inplace import in_place
from .masking import masked
from .samples import S, ints, t, unary
from .special import erf

FUNCTIONAL = "nn.functional"
WIDE = [*unary(), S(t(9, low=-30, high=30))]


def written(function: Callable[..., Any]) -> Callable[..., Any]:
    """The in-place form of a function."""
    return in_place(function, f"{function.__name__}_")


def with_inplace(made: Any) -> Any:
    """Adds the last parameter `inplace` of nn.functional, with which it writes into its input."""
    given = list(made.__signature__.parameters.values())

    def activation(input: Tensor, *parameters: Any, inplace: bool = False, **named: Any) -> Any:
        if len(parameters) == len(given):  # `given` includes the input
            parameters, inplace = parameters[:-1], parameters[-1]
        function = written(made) if inplace else made
        return function(input, *parameters, **named)

    functools.update_wrapper(activation, made, updated=())
    last = inspect.Parameter("inplace", inspect.Parameter.POSITIONAL_OR_KEYWORD, default=False)
    activation.__signature__ = inspect.Signature([*given, last])  # type: ignore[attr-defined]
    made.public(activation)
    return made


# ---------------------------------------------------------------- piecewise linear functions


@composed(home=FUNCTIONAL, method=False, samples=[*unary(), S(t(3), inplace=False)])
def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(0, input); its derivative at 0 is 0. Shapes: (*) -> (*)."""
    return input.relu_() if inplace else elementwise.relu(input)


@with_inplace
@op(promotes="floating", home=FUNCTIONAL, method=False, samples=[*unary(), S(t(3), 0.3)])
def leaky_relu(xp, input: Array, negative_slope: float = 0.01):
    """x for x > 0, negative_slope * x otherwise. Shapes: (*) -> (*). Maas et al. 2013."""
    return xp.where(input > 0, input, input * negative_slope)


@leaky_relu.vjp("input")
def _(xp, g, input, negative_slope):
    return xp.where(input > 0, g, g * negative_slope)


@op(autocast="lower", promotes="floating", samples=[
    S(t(3, 4), t(1)), S(t(3, 4), t(4)), S(t(2, 3, 4), t(3)), S(t(3), t(1)), S(t(), t())])
def prelu(xp, input: Array, weight: Array):
    """x for x > 0, weight * x otherwise: a slope for all, or one for each channel (dim 1).

    Shapes: (N, C, *), (C) or (1) -> (N, C, *). He et al. 2015.

    Raises:
        RuntimeError: neither one slope nor one for each channel.
    """
    return xp.where(input > 0, input, input * _per_channel(xp, weight, input.shape))


def _per_channel(xp, weight, shape):
    """The slopes in a shape that broadcasts along dim 1 of the input."""
    channels = shape[1] if len(shape) > 1 else 1
    slopes = math.prod(weight.shape)
    if len(weight.shape) > 1 or slopes not in (1, channels):
        raise RuntimeError(f"prelu: weight of shape {tuple(weight.shape)} for an input of shape "
                           f"{tuple(shape)}; it must have 1 element, or {channels} for dim 1")
    return xp.reshape(weight, (slopes, *(1,) * (len(shape) - 2)) if len(shape) else ())


@prelu.vjp("input")
def _(xp, g, input, weight):
    return xp.where(input > 0, g, g * _per_channel(xp, weight, input.shape))


@prelu.vjp("weight")
def _(xp, g, input, weight_shape):
    d = xp.where(input > 0, 0.0, g * input)
    shape = tuple(input.shape)
    if math.prod(weight_shape) == 1 or len(shape) < 2:
        return xp.reshape(xp.sum(d), weight_shape)
    over = tuple(i for i in range(len(shape)) if i != 1)
    return xp.reshape(xp.sum(d, axis=over), weight_shape)


@composed(method=False, samples=[S(t(3, 4)), S(t(3, 4), 0.2, 0.6), S(t(3), training=False)])
def rrelu(input: Tensor, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False,
          inplace: bool = False) -> Tensor:
    """x for x > 0, a * x otherwise; in training a is drawn from [lower, upper] for each x.

    Shapes: (*) -> (*). Xu et al. 2015. In evaluation a is (lower + upper) / 2.
    """
    if inplace:
        return written(rrelu)(input, lower, upper, training)
    if not training:
        return leaky_relu(input, (lower + upper) / 2).contiguous()
    stream = random.generator_of(input.device).stream
    if not input.is_cpu:  # a number for each element: the host does not know how many are negative
        drawn = stream.uniform_in(input.numel(), input.dtype.numpy, lower, upper)
        slopes = stream.xp.where(input._array <= 0, drawn.reshape(input.shape), 1.0)
        return (input * _like(slopes, input)).contiguous()
    negative = devices.to_numpy(input._array) <= 0
    slopes = 1.0 - negative
    uniform = stream.uniform(int(negative.sum()), slopes.dtype)
    slopes[negative] = uniform * (upper - lower) + lower
    return (input * _like(slopes, input)).contiguous()


def _like(drawn: numpy.ndarray[Any, Any], tensor: Tensor) -> Tensor:
    """Numbers drawn on the host, as a Tensor of the dtype and device of another."""
    drawn = devices.as_array(drawn).astype(tensor.dtype.numpy)
    return graph.tensor_of(devices.to_device(drawn, tensor.device), None)


@with_inplace
@op(home=FUNCTIONAL, method=False, samples=[
    *unary(), S(t(9), -0.5, 1.5), S(ints(5, low=-3))])
def hardtanh(xp, input: Array, min_val: float = -1.0, max_val: float = 1.0):
    """x clamped to [min_val, max_val]. Shapes: (*) -> (*).

    Raises:
        ValueError: min_val > max_val.
        RuntimeError: bool; an unsigned dtype and a negative bound.
    """
    refuse_bool("hardtanh", input)
    if min_val > max_val:
        raise ValueError(f"hardtanh: min_val {min_val} is greater than max_val {max_val}")
    if input.dtype.kind in "iu":
        min_val, max_val = int(min_val), int(max_val)
        if input.dtype.kind == "u" and min_val < 0:
            raise RuntimeError(f"hardtanh: {input.dtype} has no negative numbers, but min_val is "
                               f"{min_val}")
    return xp.clip(input, min_val, max_val)


@hardtanh.vjp("input")
def _(xp, g, input, min_val, max_val):
    return masked(xp, g, (input > min_val) & (input < max_val))


@composed(home=FUNCTIONAL, method=False, samples=[*unary(), S(t(9, low=-9, high=9)), S(ints(5))])
def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(0, x), 6). Shapes: (*) -> (*). Howard et al. 2017."""
    return written(relu6)(input) if inplace else hardtanh(input, 0.0, 6.0)


@with_inplace
@op(home="", method=False, samples=[S(t(3, 4), 0.5, 7.0), S(t(3, 4), -0.5, 0.0),
                                    S(ints(5), 1, 0)])
def threshold(xp, input: Array, threshold: float, value: float):
    """x where x > threshold, `value` elsewhere. Shapes: (*) -> (*)."""
    value = int(value) if input.dtype.kind in "iu" else float(value)
    return xp.where(input <= threshold, value, input)


threshold.vjp(input=lambda xp, g, input, threshold: masked(xp, g, ~(input <= threshold)))


@op(promotes="floating", home=FUNCTIONAL, method=False, samples=[*unary(), S(t(3, 4), 1.0)])
def softshrink(xp, input: Array, lambd: float = 0.5):
    """x moved by lambd towards 0, and 0 where |x| <= lambd. Shapes: (*) -> (*).

    Raises:
        RuntimeError: a negative lambd.
    """
    if lambd < 0:
        raise RuntimeError(f"softshrink: lambd must not be negative, got {lambd}")
    return input - xp.clip(input, -lambd, lambd)


@op(promotes="floating", samples=[*unary(), S(t(3, 4), 1.0)])
def hardshrink(xp, input: Array, lambd: float = 0.5):
    """x, or 0 where |x| <= lambd. Shapes: (*) -> (*)."""
    return xp.where((input >= -lambd) & (input <= lambd), 0.0, input)


@softshrink.vjp("input")
@hardshrink.vjp("input")
def _(xp, g, input, lambd):
    return masked(xp, g, (input > lambd) | (input < -lambd))


# ---------------------------------------------------------------- exponential units


@with_inplace
@op(promotes="floating", home=FUNCTIONAL, method=False, samples=[*WIDE, S(t(3, 4), 0.5)])
def elu(xp, input: Array, alpha: float = 1.0):
    """x for x > 0, alpha * (e**x - 1) otherwise. Shapes: (*) -> (*). Clevert et al. 2016."""
    below = input * (input <= 0)  # expm1 could overflow for x > 0
    return xp.where(input > 0, input, alpha * xp.expm1(below))


@elu.vjp("input")
def _(xp, g, input, alpha):  # out + alpha would lose digits of e**x
    return xp.where(input > 0, g, g * (alpha * xp.exp(input * (input <= 0))))


@composed(method=False, samples=WIDE)
def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """scale * elu(x, alpha), whose constants keep mean 0 and variance 1. Shapes: (*) -> (*).

    Klambauer et al. 2017.
    """
    alpha, scale = 1.6732632423543772, 1.0507009873554805
    return written(selu)(input) if inplace else _scaled_elu(input, alpha, scale)


@in_single
def _scaled_elu(input: Tensor, alpha: float, scale: float) -> Tensor:
    return elu(input, alpha) * scale


@composed(method=False, samples=[*WIDE, S(t(3, 4), 0.5)])
def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x for x > 0, alpha * (e**(x / alpha) - 1) otherwise. Shapes: (*) -> (*). Barron 2017.

    Raises:
        RuntimeError: alpha is 0.
    """
    if alpha == 0:
        raise RuntimeError("celu: alpha must not be 0")
    need_floating("celu", input)
    return written(celu)(input, alpha) if inplace else _stretched_elu(input, alpha)


@in_single
def _stretched_elu(input: Tensor, alpha: float) -> Tensor:
    if alpha < 0:  # the sign of input / alpha is the other one
        return where(input > 0, input, expm1(input / alpha) * alpha)
    return elu(input / alpha) * alpha


# ---------------------------------------------------------------- gated units


@op(promotes="floating", home=FUNCTIONAL, method=False, samples=[
    S(t(3, 4)), S(t(0, 3)), S(t(9, low=-30, high=30)), S(t(3, 4), approximate="tanh"),
    S(t(9, low=-30, high=30), approximate="tanh")])
def gelu(xp, input: Array, approximate: str = "none"):
    """x Φ(x), with the normal distribution's Φ, or with its approximation by tanh.

    Shapes: (*) -> (*). Hendrycks and Gimpel 2016.

    Raises:
        RuntimeError: approximate is neither "none" nor "tanh".
    """
    return input * _normal_cdf(xp, input, approximate)


def _normal_cdf(xp, input, approximate):
    if approximate == "none":
        return (erf.run(xp, input * math.sqrt(0.5)) + 1) * 0.5
    if approximate == "tanh":
        inner = input * (1 + 0.044715 * (input * input)) * math.sqrt(2 / math.pi)
        return (xp.tanh(inner) + 1) * 0.5
    raise RuntimeError(f"gelu: approximate {approximate!r} is neither 'none' nor 'tanh'")


@gelu.vjp("input")
def _(xp, g, input, approximate):
    gate = _normal_cdf(xp, input, approximate)
    if approximate == "none":
        return g * (gate + input * (xp.exp(input * input * -0.5) * math.sqrt(0.5 / math.pi)))
    slope = (1 + 3 * 0.044715 * (input * input)) * (2 * math.sqrt(2 / math.pi))
    return g * (gate + input * (gate * (1 - gate) * slope))


@with_inplace
@op(promotes="floating", home=FUNCTIONAL, method=False, samples=WIDE)
def silu(xp, input: Array):
    """x sigmoid(x), also called swish. Shapes: (*) -> (*). Elfwing et al. 2018."""
    return input * sigmoid.run(xp, input)


@silu.vjp("input")
def _(xp, g, input):
    gate = sigmoid.run(xp, input)
    return g * (gate * (1 + input * (1 - gate)))


@with_inplace
@op(promotes="floating", home=FUNCTIONAL, method=False, samples=WIDE)
def mish(xp, input: Array):
    """x tanh(softplus(x)). Shapes: (*) -> (*). Misra 2019."""
    return input * xp.tanh(softplus.run(xp, input))


@mish.vjp("input")
def _(xp, g, input):
    gate = xp.tanh(softplus.run(xp, input))
    return g * (gate + input * (1 - gate * gate) * sigmoid.run(xp, input))


@with_inplace
@op(promotes="floating", home=FUNCTIONAL, method=False, samples=[
    *unary(), S(t(9, low=-9, high=9))])
def hardswish(xp, input: Array):
    """x min(max(0, x + 3), 6) / 6. Shapes: (*) -> (*). Howard et al. 2019."""
    return input * (xp.clip(input + 3, 0, 6) / 6)


@hardswish.vjp("input")
def _(xp, g, input):
    inner = xp.where(input >= 3, g, g * (input / 3 + 0.5))
    return xp.where(input <= -3, 0.0, inner)


@composed(widens=True, home=FUNCTIONAL, method=False, samples=[
    S(t(3, 4)), S(t(4, 3), 0), S(t(2, 6, 3), dim=1)])
def glu(input: Tensor, dim: int = -1) -> Tensor:
    """a sigmoid(b), where a and b are the halves of the input along a dim.

    Shapes: (*, 2n, *) -> (*, n, *). Dauphin et al. 2017.

    Raises:
        RuntimeError: an odd size along the dim.
    """
    need_floating("glu", input)
    (axis,) = axes(dim, input.ndim)
    size = input.shape[axis]
    if size % 2:
        raise RuntimeError(f"glu: shape {tuple(input.shape)} cannot be halved along dim {dim}: "
                           f"its size {size} is odd")
    a, b = input.split((size // 2,) * 2, axis)
    return a * sigmoid(b)


# ---------------------------------------------------------------- functions related to sigmoid


@op(autocast="float32 on cuda", promotes="floating", home=FUNCTIONAL, method=False, samples=[
    *WIDE, S(t(9, low=-9, high=9), 2.0), S(t(9, low=-9, high=9), 0.5, 2.0)])
def softplus(xp, input: Array, beta: float = 1, threshold: float = 20):
    """log(1 + e**(beta x)) / beta, and x itself where beta x > threshold. Shapes: (*) -> (*)."""
    scaled = input * beta
    below = scaled * (scaled <= threshold)  # exp could overflow above the threshold
    return xp.where(scaled > threshold, input, xp.log1p(xp.exp(below)) / beta)


@softplus.vjp("input")
def _(xp, g, input, beta, threshold):
    scaled = input * beta
    return xp.where(scaled > threshold, g, g * sigmoid.run(xp, scaled))


@op(contiguous=True, promotes="floating", home=FUNCTIONAL, method=False, samples=WIDE)
def logsigmoid(xp, input: Array):
    """log sigmoid(x) without overflow. Shapes: (*) -> (*)."""
    return xp.minimum(input, 0) - xp.log1p(xp.exp(-xp.absolute(input)))


logsigmoid.vjp(input=lambda xp, g, input: g * sigmoid.run(xp, -input))


@with_inplace
@op(promotes="floating", home=FUNCTIONAL, method=False, samples=[
    *unary(), S(t(9, low=-9, high=9))],  # PyTorch's own has 1 / 6 in float32
    reference=lambda torch: lambda x: torch.nn.functional.relu6(x + 3) / 6)
def hardsigmoid(xp, input: Array):
    """min(max(0, x + 3), 6) / 6. Shapes: (*) -> (*). Courbariaux et al. 2016."""
    return xp.clip(input + 3, 0, 6) / 6


hardsigmoid.vjp(input=lambda xp, g, input: masked(xp, g, (input > -3) & (input < 3)) * (1 / 6))


@composed(widens=True, home=FUNCTIONAL, method=False, samples=[*unary(), S(ints(3))])
def softsign(input: Tensor) -> Tensor:
    """x / (1 + |x|). Shapes: (*) -> (*)."""
    return input / (1 + input.abs())


@composed(widens=True, home=FUNCTIONAL, method=False, samples=[*unary(), S(ints(3))])
def tanhshrink(input: Tensor) -> Tensor:
    """x - tanh(x). Shapes: (*) -> (*)."""
    refuse_bool("tanhshrink", input._array)
    return input - tanh(input)


# ---------------------------------------------------------------- softmax


SAMPLES = [S(t(3, 4), 1), S(t(2, 3, 4), 0), S(t(2, 3, 4), -1), S(t(), 0), S(t(0, 3), 1)]


def _exponentials(xp, input, dim):
    """e ** (input - max): the shift cancels in softmax, and no power exceeds 1."""
    over = axes(dim, input.ndim)
    return xp.exp(input - xp.max(input, axis=over, keepdims=True)) if input.size else xp.exp(input)


@op(autocast="float32 on cuda",
    contiguous=True, promotes="floating", samples=[*SAMPLES, S(ints(2, 3), 1, dtype="float64")])
def softmax(xp, input: Array, dim: int):
    """e**x / Σ e**x along a dim. Shapes: (*) -> (*)."""
    powers = _exponentials(xp, input, dim)
    return powers / xp.sum(powers, axis=axes(dim, input.ndim), keepdims=True)


@softmax.vjp("input")
def _(xp, g, out, dim):
    weighted = g * out
    return weighted - out * xp.sum(weighted, axis=axes(dim, len(out.shape)), keepdims=True)


@op(autocast="float32 on cuda",
    contiguous=True, promotes="floating", samples=[*SAMPLES, S(ints(2, 3), 1, dtype="float64")])
def log_softmax(xp, input: Array, dim: int):
    """x - log Σ e**x along a dim, without overflow. Shapes: (*) -> (*)."""
    over = axes(dim, input.ndim)
    if not input.size:
        return input.copy()
    shifted = input - xp.max(input, axis=over, keepdims=True)
    return shifted - xp.log(xp.sum(xp.exp(shifted), axis=over, keepdims=True))


@log_softmax.vjp("input")
def _(xp, g, out, dim):
    return g - xp.exp(out) * xp.sum(g, axis=axes(dim, len(out.shape)), keepdims=True)


def _with_dtype(made: Any) -> Callable[..., Tensor]:
    """Users may also give a dtype, to which the input is converted, or no dim."""
    function = made

    def public(input: Tensor, dim: int | None = None, dtype: dtypes.dtype | None = None, *,
               axis: int | None = None) -> Tensor:
        if dtype is not None:
            input = input.to(dtypes.resolve(dtype))
        if dim is None:
            dim = _given_dim(made.__name__, axis, input.ndim)
        return function(input, dim)

    functools.update_wrapper(public, made, updated=())
    public.__signature__ = inspect.signature(  # type: ignore[attr-defined]
        public, follow_wrapped=False)
    return made.public(public)


def _given_dim(name: str, dim: int | None, ndim: int) -> int:
    """The dim; if none is given, the one that PyTorch takes, with a warning."""
    if dim is not None:
        return dim
    chosen = 0 if ndim in (0, 1, 3) else 1
    warn(f"{name}: no dim is given, dim={chosen} is taken for {ndim} dims; say which is meant: "
         f"{name}(..., dim={chosen})")
    return chosen


softmax_with_dtype = _with_dtype(softmax)
_with_dtype(log_softmax)


@composed(autocast="float32 on cuda", widens=True, home=FUNCTIONAL, method=False, samples=SAMPLES)
def softmin(input: Tensor, dim: int | None = None,
            dtype: dtypes.dtype | None = None) -> Tensor:
    """softmax(-x) along a dim. Shapes: (*) -> (*)."""
    return softmax_with_dtype(-input, _given_dim("softmin", dim, input.ndim), dtype)


@composed(widens=True, home=FUNCTIONAL, method=False, samples=[], scalar="random")
def gumbel_softmax(logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10,
                   dim: int = -1) -> Tensor:
    """softmax((logits + noise) / tau): a differentiable draw from the classes along a dim.

    Shapes: (*) -> (*). With `hard` the result is one-hot, with the gradient of the soft draw.
    Jang, Gu and Poole 2017. `eps` is without effect, as in PyTorch.
    """
    drawn = random.generator_of(logits.device).stream.exponential(
        logits.numel()).reshape(logits.shape)
    soft = softmax((logits - _like(drawn, logits).log()) / tau, dim)
    if not hard:
        return soft
    one_hot = soft.new_zeros(soft.shape).scatter(dim, soft.argmax(dim, keepdim=True), 1.0)
    return one_hot - soft.detach() + soft
