"""Initial values for weights, in place. Drawn on the CPU: a seed gives the same on all devices."""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable
from typing import Any

from .. import linalg
from ..arrays.dtypes import float64
from ..arrays.numbers import python_number
from ..autograd.modes import no_grad
from ..compat import absent
from ..compat.older_forms import deprecated
from ..ops.index import where
from ..random import Generator
from ..tensors.creation import empty, empty_like, eye, zeros
from ..tensors.sampling import randperm
from ..tensors.tensor import Tensor

# Above this probability of the interval `trunc_normal_` draws normal numbers, else uniform ones.
COMMON = 0.3


def _draw(tensor: Tensor, fill: Callable[[Any], Any]) -> Tensor:
    """Calls `fill` on the Tensor, or on a Tensor on the CPU that is copied to it."""
    if tensor.is_meta:
        return tensor
    with no_grad():
        host: Any = tensor
        if tensor.device.type != "cpu":
            host = empty(tensor.shape, dtype=tensor.dtype, device="cpu")
        fill(host)
        return tensor if host is tensor else _copy(tensor, host)


def _copy(tensor: Tensor, values: Tensor) -> Tensor:
    """Copies values into a Tensor, without recording it."""
    with no_grad():
        return tensor.copy_(values)  # type: ignore[attr-defined, no-any-return]


def _check_dims(name: str, tensor: Tensor, *allowed: int) -> None:
    """Raises ValueError unless the number of dims is one of those allowed."""
    if tensor.ndim not in allowed:
        raise ValueError(f"{name}: the Tensor must have {' or '.join(map(str, allowed))} dims, "
                         f"got shape {tuple(tensor.shape)}")


# ---------------------------------------------------------------- distributions


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0,
             generator: Generator | None = None) -> Tensor:
    """Fills the Tensor from the uniform distribution over [a, b)."""
    return _draw(tensor, lambda host: host.uniform_(a, b, generator=generator))


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0,
            generator: Generator | None = None) -> Tensor:
    """Fills the Tensor from the normal distribution."""
    return _draw(tensor, lambda host: host.normal_(mean, std, generator=generator))


def trunc_normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0,
                  b: float = 2.0, generator: Generator | None = None) -> Tensor:
    """Fills the Tensor from the normal distribution truncated to [a, b], by rejection.

    `a` and `b` are values, not numbers of standard deviations. Warns if the mean is more than 2
    standard deviations outside [a, b], where the distribution may be inexact.
    """
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(f"trunc_normal_: the mean {mean} is more than 2 standard deviations from "
                      f"[{a}, {b}]; the distribution of values may be inexact", stacklevel=2)

    low, high = ((edge - mean) / std for edge in (a, b))
    inside = (math.erf(high / math.sqrt(2)) - math.erf(low / math.sqrt(2))) / 2
    # The density's largest value in [a, b], as the exponent of e.
    peak = -0.5 * max(low, min(0.0, high)) ** 2

    def accepted(drawn: Any) -> Any:
        if inside > COMMON:
            drawn.normal_(mean, std, generator=generator)
            return (drawn >= a) & (drawn <= b)
        drawn.uniform_(a, b, generator=generator)
        exponent = ((drawn - mean) / std) ** 2 * -0.5 - peak
        return empty_like(drawn).uniform_(generator=generator).log() <= exponent  # type: ignore[attr-defined]

    def fill(host: Tensor) -> None:
        pending = ~accepted(host)
        while pending.any():
            drawn = empty_like(host)
            fits = accepted(drawn)
            host.copy_(where(pending, drawn, host))
            pending = pending & ~fits

    return _draw(tensor, fill)


# ---------------------------------------------------------------- fixed values


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fills the Tensor with one value."""
    with no_grad():
        return tensor.fill_(val)  # type: ignore[attr-defined, no-any-return]


def ones_(tensor: Tensor) -> Tensor:
    """Fills the Tensor with 1."""
    return constant_(tensor, 1)


def zeros_(tensor: Tensor) -> Tensor:
    """Fills the Tensor with 0."""
    return constant_(tensor, 0)


def eye_(tensor: Tensor) -> Tensor:
    """Fills a matrix with the identity: a linear layer passes on as many features as it can.

    Raises:
        ValueError: the Tensor does not have 2 dims.
    """
    _check_dims("eye_", tensor, 2)
    return _copy(tensor, eye(*tensor.shape, device="cpu"))


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """Fills the weight of a convolution so that it passes on as many channels as it can.

    In each group, filter i is 1 in the middle of channel i, and 0 elsewhere.

    Raises:
        ValueError: the Tensor does not have 3, 4 or 5 dims, or groups does not divide its size in
            dim 0.
    """
    _check_dims("dirac_", tensor, 3, 4, 5)
    if tensor.shape[0] % groups:
        raise ValueError(f"dirac_: groups must divide the number of filters, got groups={groups} "
                         f"and {tensor.shape[0]} filters")
    values: Any = zeros(tensor.shape, device="cpu")
    filters = tensor.shape[0] // groups
    middle = tuple(size // 2 for size in tensor.shape[2:])
    for channel in range(min(filters, tensor.shape[1])):
        values[(slice(channel, None, filters), channel, *middle)] = 1
    return _copy(tensor, values)


# ---------------------------------------------------------------- scaled by the fan


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor for weights with which the nonlinearity keeps the variance of its input.

    Args:
        param: the negative slope of "leaky_relu", 0.01 by default.

    Raises:
        ValueError: the nonlinearity is unknown, or the slope is not a number.
    """
    gains = {"sigmoid": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2), "selu": 3 / 4,
             **dict.fromkeys(("linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d",
                              "conv_transpose2d", "conv_transpose3d"), 1.0)}
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else python_number(param)
        if isinstance(slope, bool) or not isinstance(slope, int | float):
            raise ValueError(f"calculate_gain: the negative slope must be a number, got {slope!r}")
        return math.sqrt(2 / (1 + slope**2))
    if nonlinearity not in gains:
        raise ValueError(f"calculate_gain: nonlinearity must be one of "
                         f"{', '.join([*gains, 'leaky_relu'])}, got {nonlinearity!r}")
    return gains[nonlinearity]


def _calculate_fan_in_and_fan_out(tensor: Tensor) -> tuple[int, int]:
    """How many inputs each output of the layer has, and how many outputs each input has."""
    if tensor.ndim < 2:
        raise ValueError("fan in and fan out: a weight must have at least 2 dims, got shape "
                         f"{tuple(tensor.shape)}")
    taps = math.prod(tensor.shape[2:])
    return tensor.shape[1] * taps, tensor.shape[0] * taps


def _calculate_correct_fan(tensor: Tensor, mode: str) -> int:
    modes = dict(zip(("fan_in", "fan_out"), _calculate_fan_in_and_fan_out(tensor), strict=True))
    if mode.lower() not in modes:
        raise ValueError(f"kaiming: mode must be 'fan_in' or 'fan_out', got {mode!r}")
    return modes[mode.lower()]


def xavier_uniform_(tensor: Tensor, gain: float = 1.0,
                    generator: Generator | None = None) -> Tensor:
    """Fills the Tensor uniformly in ± gain sqrt(6 / (fan in + fan out)). Glorot and Bengio 2010."""
    bound = gain * math.sqrt(6 / sum(_calculate_fan_in_and_fan_out(tensor)))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0,
                   generator: Generator | None = None) -> Tensor:
    """Fills the Tensor normally with std = gain sqrt(2 / (fan in + fan out)).

    Glorot and Bengio 2010.
    """
    std = gain * math.sqrt(2 / sum(_calculate_fan_in_and_fan_out(tensor)))
    return normal_(tensor, 0.0, std, generator)


def kaiming_uniform_(tensor: Tensor, a: float = 0, mode: str = "fan_in",
                     nonlinearity: str = "leaky_relu",
                     generator: Generator | None = None) -> Tensor:
    """Fills the Tensor uniformly in ± gain sqrt(3 / fan). He et al. 2015.

    Args:
        a: the negative slope of "leaky_relu".
        mode: "fan_in" keeps the variance in the forward pass, "fan_out" in the backward pass.
    """
    if not tensor.numel():
        return _warn_empty(tensor)
    bound = calculate_gain(nonlinearity, a) * math.sqrt(3 / _calculate_correct_fan(tensor, mode))
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(tensor: Tensor, a: float = 0, mode: str = "fan_in",
                    nonlinearity: str = "leaky_relu",
                    generator: Generator | None = None) -> Tensor:
    """Fills the Tensor normally with std = gain / sqrt(fan). He et al. 2015.

    Arguments are those of `kaiming_uniform_`.
    """
    if not tensor.numel():
        return _warn_empty(tensor)
    std = calculate_gain(nonlinearity, a) / math.sqrt(_calculate_correct_fan(tensor, mode))
    return normal_(tensor, 0.0, std, generator)


def _warn_empty(tensor: Tensor) -> Tensor:
    warnings.warn(f"kaiming: a weight of shape {tuple(tensor.shape)} has no elements to initialise",
                  stacklevel=3)
    return tensor


# ---------------------------------------------------------------- matrices


def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    """Fills a matrix with gain times orthonormal rows, or columns if it has more rows.

    The dims after the first count as one. Saxe et al. 2014.

    Raises:
        ValueError: the Tensor has fewer than 2 dims.
    """
    if tensor.ndim < 2:
        raise ValueError("orthogonal_: the Tensor must have at least 2 dims, got shape "
                         f"{tuple(tensor.shape)}")
    if not tensor.numel():
        return tensor
    rows = tensor.shape[0]
    if tensor.is_meta:
        return tensor
    drawn: Any = empty(rows, tensor.numel() // rows, dtype=tensor.dtype, device="cpu")
    with no_grad():
        drawn = drawn.normal_(generator=generator).to(float64)
        wide = drawn.shape[0] < drawn.shape[1]
        q, r = linalg.qr(drawn.T if wide else drawn)
        q = q * r.diagonal().sign()  # makes the distribution uniform over orthogonal matrices
        return _copy(tensor, (q.T if wide else q).reshape(tensor.shape) * gain)


def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01,
            generator: Generator | None = None) -> Tensor:
    """Fills a matrix normally, with a fraction `sparsity` of each column set to 0. Martens 2010.

    Raises:
        ValueError: the Tensor does not have 2 dims.
    """
    _check_dims("sparse_", tensor, 2)
    zeros_in_column = math.ceil(sparsity * tensor.shape[0])

    def fill(host: Tensor) -> None:
        host.normal_(0, std, generator=generator)
        for column in range(host.shape[1]):
            rows = randperm(host.shape[0], device="cpu", generator=generator)[:zeros_in_column]
            host[rows, column] = 0

    return _draw(tensor, fill)


# ---------------------------------------------------------------- deprecated names

_deprecated = functools.partial(deprecated, "nn.init")
uniform, normal = _deprecated(uniform_), _deprecated(normal_)
constant, dirac = _deprecated(constant_), _deprecated(dirac_)
xavier_uniform, xavier_normal = _deprecated(xavier_uniform_), _deprecated(xavier_normal_)
kaiming_uniform, kaiming_normal = _deprecated(kaiming_uniform_), _deprecated(kaiming_normal_)
orthogonal, sparse = _deprecated(orthogonal_), _deprecated(sparse_)


def __getattr__(name: str) -> Any:
    raise absent.AbsentName("tinytensor.nn.init", name, lambda: globals())
