"""Window functions: weights of the samples of a signal.

With N samples, and M = N for a periodic window or M = N - 1 for a symmetric one, sample n has
x = n / M.
"""

from __future__ import annotations

import math
from typing import Any

import numpy

from ..arrays import devices, dtypes
from ..arrays.numbers import integer
from .creation import finish, wanted_dtype
from .tensor import DeviceLike, DTypeLike, Tensor

__all__ = ["bartlett_window", "blackman_window", "hamming_window", "hann_window", "kaiser_window"]


def _positions(name: str, length: int, periodic: bool) -> Any:
    """x for each sample, in float64.

    Raises:
        RuntimeError: a negative length.
    """
    length = integer(f"{name}: window_length", length)
    if length < 0:
        raise RuntimeError(f"{name}: window_length must not be negative, got {length}")
    return numpy.arange(length) / max(length if periodic else length - 1, 1)


def made(name: str, values: Any, dtype: DTypeLike | None, device: DeviceLike | None,
          requires_grad: bool) -> Tensor:
    """The window as a Tensor; one sample has the weight 1.

    Raises:
        RuntimeError: not a floating point dtype.
    """
    wanted = wanted_dtype(dtype)
    if not dtypes.is_floating(wanted):
        raise RuntimeError(f"{name}: needs a floating point dtype, got "
                           f"{dtypes.BY_NUMPY[wanted]}")
    if len(values) == 1:
        values = numpy.ones(1)
    return finish(devices.to_device(values.astype(wanted), devices.resolve(device)), requires_grad)


def hann_window(window_length: int, periodic: bool = True, *, dtype: DTypeLike | None = None,
                layout: str | None = None, device: DeviceLike | None = None,
                pin_memory: bool = False, requires_grad: bool = False) -> Tensor:
    """(1 - cos(2 π x)) / 2. Shape: (window_length).

    Raises:
        RuntimeError: a negative length; not a floating point dtype.
    """
    x = _positions("hann_window", window_length, periodic)
    return made("hann_window", (1 - numpy.cos(2 * math.pi * x)) / 2, dtype, device, requires_grad)


def hamming_window(window_length: int, periodic: bool = True, alpha: float = 0.54,
                   beta: float = 0.46, *, dtype: DTypeLike | None = None,
                   layout: str | None = None, device: DeviceLike | None = None,
                   pin_memory: bool = False, requires_grad: bool = False) -> Tensor:
    """alpha - beta cos(2 π x). Shape: (window_length).

    Raises:
        RuntimeError: a negative length; not a floating point dtype.
    """
    x = _positions("hamming_window", window_length, periodic)
    return made("hamming_window", alpha - beta * numpy.cos(2 * math.pi * x), dtype, device,
                 requires_grad)


def blackman_window(window_length: int, periodic: bool = True, *, dtype: DTypeLike | None = None,
                    layout: str | None = None, device: DeviceLike | None = None,
                    pin_memory: bool = False, requires_grad: bool = False) -> Tensor:
    """0.42 - 0.5 cos(2 π x) + 0.08 cos(4 π x). Shape: (window_length).

    Raises:
        RuntimeError: a negative length; not a floating point dtype.
    """
    x = _positions("blackman_window", window_length, periodic)
    values = 0.42 - 0.5 * numpy.cos(2 * math.pi * x) + 0.08 * numpy.cos(4 * math.pi * x)
    return made("blackman_window", values, dtype, device, requires_grad)


def bartlett_window(window_length: int, periodic: bool = True, *, dtype: DTypeLike | None = None,
                    layout: str | None = None, device: DeviceLike | None = None,
                    pin_memory: bool = False, requires_grad: bool = False) -> Tensor:
    """1 - abs(2 x - 1). Shape: (window_length).

    Raises:
        RuntimeError: a negative length; not a floating point dtype.
    """
    x = _positions("bartlett_window", window_length, periodic)
    return made("bartlett_window", 1 - numpy.abs(2 * x - 1), dtype, device, requires_grad)


def kaiser_window(window_length: int, periodic: bool = True, beta: float = 12.0, *,
                  dtype: DTypeLike | None = None, layout: str | None = None,
                  device: DeviceLike | None = None, pin_memory: bool = False,
                  requires_grad: bool = False) -> Tensor:
    """I₀(beta sqrt(1 - (2 x - 1)²)) / I₀(beta). Shape: (window_length). Kaiser 1966.

    Raises:
        RuntimeError: a negative length; not a floating point dtype.
    """
    x = _positions("kaiser_window", window_length, periodic)
    values = numpy.i0(beta * numpy.sqrt(1 - (2 * x - 1) ** 2)) / numpy.i0(beta)
    return made("kaiser_window", values, dtype, device, requires_grad)
