"""Initial values for weights, drawn on the host so that a seed gives every device the same."""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable
from typing import Any

from .. import linalg
from ..arrays.dtypes import float64
from ..autograd.modes import no_grad
from ..random import Generator
from ..tensors.creation import empty, eye, zeros
from ..tensors.sampling import rand, randn
from ..tensors.tensor import Tensor


def _draw(tensor: Tensor, fill: Callable[[Any], Any]) -> Tensor:
    """Lets `fill` draw values into a Tensor on the host, and takes them over."""
    with no_grad():
        host: Any = tensor
        if tensor.device.type != "cpu":
            host = empty(tensor.shape, dtype=tensor.dtype, device="cpu")
        fill(host)
        return tensor if host is tensor else _take(tensor, host)


def _take(tensor: Any, values: Any) -> Tensor:
    """Copies values into a Tensor; nothing is recorded."""
    with no_grad():
        return tensor.copy_(values)


# ---------------------------------------------------------------- distributions


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0,
             generator: Generator | None = None) -> Tensor:
    """Uniformly distributed values in [a, b)."""
    return _draw(tensor, lambda host: host.uniform_(a, b, generator=generator))


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0,
            generator: Generator | None = None) -> Tensor:
    """Normally distributed values."""
    return _draw(tensor, lambda host: host.normal_(mean, std, generator=generator))


def trunc_normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0,
                  b: float = 2.0, generator: Generator | None = None) -> Tensor:
    """Normally distributed values, of which only those in [a, b] may come.

    `a` and `b` are values, not numbers of standard deviations. Warns if [a, b] is so far from
    the mean that the distribution may come out inexact.
    """
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(f"trunc_normal_: the mean {mean} is more than 2 standard deviations from "
                      f"[{a}, {b}]; the distribution of values may be inexact", stacklevel=2)

    def fill(host: Any) -> None:
        # The inverse of the distribution function, of values uniform between those of a and b.
        low, high = (math.erf((edge - mean) / (std * math.sqrt(2))) for edge in (a, b))
        uniform: Any = rand(host.shape, dtype=float64, device="cpu", generator=generator)
        uniform = uniform * (high - low) + low
        host.copy_((uniform.erfinv() * (std * math.sqrt(2)) + mean).clamp(a, b))

    return _draw(tensor, fill)


# ---------------------------------------------------------------- fixed values


def constant_(tensor: Any, val: float) -> Tensor:
    """One value everywhere."""
    with no_grad():
        return tensor.fill_(val)


def ones_(tensor: Tensor) -> Tensor:
    """1 everywhere."""
    return constant_(tensor, 1)


def zeros_(tensor: Tensor) -> Tensor:
    """0 everywhere."""
    return constant_(tensor, 0)


def eye_(tensor: Tensor) -> Tensor:
    """The identity matrix: a linear layer that changes nothing, as far as its sizes allow.

    Raises:
        ValueError: not a matrix.
    """
    if tensor.ndim != 2:
        raise ValueError(f"eye_: needs 2 dimensions, got shape {tuple(tensor.shape)}")
    return _take(tensor, eye(*tensor.shape, device="cpu"))


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """A convolution that changes nothing: in each group, a 1 in the middle of filter i, channel i.

    Raises:
        ValueError: not 3 to 5 dimensions; output channels that groups do not divide.
    """
    if tensor.ndim not in (3, 4, 5):
        raise ValueError(f"dirac_: needs 3, 4 or 5 dimensions, got shape {tuple(tensor.shape)}")
    if tensor.shape[0] % groups:
        raise ValueError(f"dirac_: {groups} groups do not divide {tensor.shape[0]} filters")
    values: Any = zeros(tensor.shape, device="cpu")
    filters = tensor.shape[0] // groups
    middle = tuple(size // 2 for size in tensor.shape[2:])
    for channel in range(min(filters, tensor.shape[1])):
        values[(slice(channel, None, filters), channel, *middle)] = 1
    return _take(tensor, values)


# ---------------------------------------------------------------- scaled by the fan


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """By how much to scale weights so that the nonlinearity keeps the variance.

    Args:
        param: the negative slope of "leaky_relu", 0.01 by default.

    Raises:
        ValueError: an unknown nonlinearity.
    """
    gains = {"sigmoid": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2), "selu": 3 / 4,
             **dict.fromkeys(("linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d",
                              "conv_transpose2d", "conv_transpose3d"), 1.0)}
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, int | float):
            raise ValueError(f"calculate_gain: negative slope {slope!r} is no number")
        return math.sqrt(2 / (1 + slope**2))
    if nonlinearity not in gains:
        raise ValueError(f"calculate_gain: unknown nonlinearity {nonlinearity!r}; there are "
                         f"{', '.join([*gains, 'leaky_relu'])}")
    return gains[nonlinearity]


def _calculate_fan_in_and_fan_out(tensor: Tensor) -> tuple[int, int]:
    """How many inputs meet in an output of the layer, and how many outputs an input reaches."""
    if tensor.ndim < 2:
        raise ValueError(f"fan in and fan out need at least 2 dimensions, got shape "
                         f"{tuple(tensor.shape)}")
    taps = math.prod(tensor.shape[2:])
    return tensor.shape[1] * taps, tensor.shape[0] * taps


def _fan(tensor: Tensor, mode: str) -> int:
    modes = dict(zip(("fan_in", "fan_out"), _calculate_fan_in_and_fan_out(tensor), strict=True))
    if mode.lower() not in modes:
        raise ValueError(f"mode {mode!r} is none of 'fan_in', 'fan_out'")
    return modes[mode.lower()]


def xavier_uniform_(tensor: Tensor, gain: float = 1.0,
                    generator: Generator | None = None) -> Tensor:
    """Uniform in ± gain sqrt(6 / (fan in + fan out)). Glorot and Bengio 2010."""
    bound = gain * math.sqrt(6 / sum(_calculate_fan_in_and_fan_out(tensor)))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0,
                   generator: Generator | None = None) -> Tensor:
    """Normal with deviation gain sqrt(2 / (fan in + fan out)). Glorot and Bengio 2010."""
    std = gain * math.sqrt(2 / sum(_calculate_fan_in_and_fan_out(tensor)))
    return normal_(tensor, 0.0, std, generator)


def kaiming_uniform_(tensor: Tensor, a: float = 0, mode: str = "fan_in",
                     nonlinearity: str = "leaky_relu",
                     generator: Generator | None = None) -> Tensor:
    """Uniform in ± gain sqrt(3 / fan). He et al. 2015.

    Args:
        a: the negative slope of "leaky_relu".
        mode: "fan_in" keeps the variance forward, "fan_out" backward.
    """
    if not tensor.numel():
        return _nothing_to_do(tensor)
    bound = calculate_gain(nonlinearity, a) * math.sqrt(3 / _fan(tensor, mode))
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(tensor: Tensor, a: float = 0, mode: str = "fan_in",
                    nonlinearity: str = "leaky_relu",
                    generator: Generator | None = None) -> Tensor:
    """Normal with deviation gain / sqrt(fan). He et al. 2015. Arguments as kaiming_uniform_."""
    if not tensor.numel():
        return _nothing_to_do(tensor)
    std = calculate_gain(nonlinearity, a) / math.sqrt(_fan(tensor, mode))
    return normal_(tensor, 0.0, std, generator)


def _nothing_to_do(tensor: Tensor) -> Tensor:
    warnings.warn(f"a weight of shape {tuple(tensor.shape)} has no elements to initialise",
                  stacklevel=3)
    return tensor


# ---------------------------------------------------------------- matrices


def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    """Orthonormal rows, or columns if there are more rows, times gain. Saxe et al. 2014.

    More than two dimensions count as a matrix with the first as its rows.

    Raises:
        ValueError: fewer than 2 dimensions.
    """
    if tensor.ndim < 2:
        raise ValueError(f"orthogonal_: needs at least 2 dimensions, got shape "
                         f"{tuple(tensor.shape)}")
    if not tensor.numel():
        return tensor
    rows = tensor.shape[0]
    columns = tensor.numel() // rows
    drawn = randn(max(rows, columns), min(rows, columns), dtype=float64, device="cpu",
                  generator=generator)
    q, r = linalg.qr(drawn)
    q = q * r.diagonal().sign()  # makes the distribution uniform over orthogonal matrices
    return _take(tensor, (q.T if rows < columns else q).reshape(tensor.shape) * gain)


def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01,
            generator: Generator | None = None) -> Tensor:
    """Normal values, with a fraction `sparsity` of each column set to 0. Martens 2010.

    Raises:
        ValueError: not a matrix.
    """
    if tensor.ndim != 2:
        raise ValueError(f"sparse_: needs 2 dimensions, got shape {tuple(tensor.shape)}")
    zeros_in_column = math.ceil(sparsity * tensor.shape[0])

    def fill(host: Any) -> None:
        host.normal_(0, std, generator=generator)
        order: Any = rand(host.shape, device="cpu", generator=generator)
        host.masked_fill_(order.argsort(0) < zeros_in_column, 0)

    return _draw(tensor, fill)


# ---------------------------------------------------------------- the names of before 2018


def _older(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The function by its name without the underscore, which warns."""
    name = function.__name__

    @functools.wraps(function)
    def older(*args: Any, **kwargs: Any) -> Tensor:
        warnings.warn(f"nn.init.{name[:-1]} is deprecated, write nn.init.{name}", FutureWarning,
                      stacklevel=2)
        return function(*args, **kwargs)

    older.__name__ = name[:-1]
    return older


uniform, normal = _older(uniform_), _older(normal_)
constant, dirac = _older(constant_), _older(dirac_)
xavier_uniform, xavier_normal = _older(xavier_uniform_), _older(xavier_normal_)
kaiming_uniform, kaiming_normal = _older(kaiming_uniform_), _older(kaiming_normal_)
orthogonal, sparse = _older(orthogonal_), _older(sparse_)
