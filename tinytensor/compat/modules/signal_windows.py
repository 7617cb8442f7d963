"""`torch.signal.windows`: weights of the samples of a signal.

A symmetric window of M samples has x = n / (M - 1) at sample n, and a periodic one, with
sym=False, x = n / M. It is in float64 before it is rounded to its dtype.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy

from ...arrays import dtypes
from ...tensors import windows
from ...tensors.creation import wanted_dtype
from ...tensors.tensor import DeviceLike, DTypeLike, Tensor

__all__ = ["bartlett", "blackman", "cosine", "exponential", "gaussian", "general_cosine",
           "general_hamming", "hamming", "hann", "kaiser", "nuttall"]

Weights = Callable[[Any, Any], Any]


def _window(name: str, M: int, sym: bool, weights: Weights, *,  # noqa: N803 - PyTorch's name
            dtype: DTypeLike | None, layout: Any, device: DeviceLike | None,
            requires_grad: bool) -> Tensor:
    """The window whose weights are a function of n and of the number of steps, M - 1 or M.

    Raises:
        ValueError: a negative M; not a floating point dtype.
    """
    if M < 0:
        raise ValueError(f"{name}: M must not be negative, got {M}")
    if not dtypes.is_floating(wanted_dtype(dtype)):
        raise ValueError(f"{name}: needs a floating point dtype, got {dtype}")
    n = numpy.arange(M, dtype="float64")
    values = weights(n, M - 1 if sym else M) if M > 1 else numpy.ones(M)
    return windows.made(name, values, dtype, device, requires_grad)


def _cosines(a: Iterable[float]) -> Weights:
    """a₀ - a₁ cos(2 π x) + a₂ cos(4 π x) - ..."""
    def weights(n: Any, steps: Any) -> Any:
        return sum((-1) ** i * c * numpy.cos(2 * math.pi * i * n / steps)
                   for i, c in enumerate(a))

    return weights


def bartlett(M: int, *, sym: bool = True, dtype: DTypeLike | None = None,  # noqa: N803
             layout: Any = None, device: DeviceLike | None = None,
             requires_grad: bool = False) -> Tensor:
    """1 - |2 x - 1|. Shape: (M).

    Raises:
        ValueError: a negative M; not a floating point dtype.
    """
    return _window("bartlett", M, sym, lambda n, steps: 1 - numpy.abs(2 * n / steps - 1),
                   dtype=dtype, layout=layout, device=device, requires_grad=requires_grad)


def blackman(M: int, *, sym: bool = True, dtype: DTypeLike | None = None,  # noqa: N803
             layout: Any = None, device: DeviceLike | None = None,
             requires_grad: bool = False) -> Tensor:
    """0.42 - 0.5 cos(2 π x) + 0.08 cos(4 π x). Shape: (M). Errors as `bartlett`."""
    return _window("blackman", M, sym, _cosines((0.42, 0.5, 0.08)), dtype=dtype, layout=layout,
                   device=device, requires_grad=requires_grad)


def cosine(M: int, *, sym: bool = True, dtype: DTypeLike | None = None,  # noqa: N803
           layout: Any = None, device: DeviceLike | None = None,
           requires_grad: bool = False) -> Tensor:
    """sin(π (n + 1/2) / M), or / (M + 1) for a periodic one. Shape: (M). Errors as `bartlett`."""
    return _window("cosine", M, sym, lambda n, steps: numpy.sin(math.pi * (n + 0.5) / (steps + 1)),
                   dtype=dtype, layout=layout, device=device, requires_grad=requires_grad)


def exponential(M: int, *, center: float | None = None, tau: float = 1.0,  # noqa: N803
                sym: bool = True, dtype: DTypeLike | None = None, layout: Any = None,
                device: DeviceLike | None = None, requires_grad: bool = False) -> Tensor:
    """exp(-|n - center| / tau); the center is the middle by default. Shape: (M).

    Raises:
        ValueError: as `bartlett`; tau <= 0; a symmetric window with a center.
    """
    if tau <= 0:
        raise ValueError(f"exponential: tau must be positive, got {tau}")
    if sym and center is not None:
        raise ValueError("exponential: a symmetric window has its center in the middle; leave "
                         "center out, or use sym=False")
    return _window("exponential", M, sym, lambda n, steps: numpy.exp(-numpy.abs(
        n - (steps / 2 if center is None else center)) / tau), dtype=dtype, layout=layout,
        device=device, requires_grad=requires_grad)


def gaussian(M: int, *, std: float = 1.0, sym: bool = True,  # noqa: N803
             dtype: DTypeLike | None = None, layout: Any = None,
             device: DeviceLike | None = None, requires_grad: bool = False) -> Tensor:
    """exp(-(n - m)² / (2 std²)), where m is the middle. Shape: (M).

    Raises:
        ValueError: as `bartlett`; std <= 0.
    """
    if std <= 0:
        raise ValueError(f"gaussian: std must be positive, got {std}")
    return _window("gaussian", M, sym, lambda n, steps: numpy.exp(
        -((n - steps / 2) / std) ** 2 / 2), dtype=dtype, layout=layout, device=device,
        requires_grad=requires_grad)


def general_cosine(M: int, *, a: Iterable[float], sym: bool = True,  # noqa: N803
                   dtype: DTypeLike | None = None, layout: Any = None,
                   device: DeviceLike | None = None, requires_grad: bool = False) -> Tensor:
    """a₀ - a₁ cos(2 π x) + a₂ cos(4 π x) - ... Shape: (M).

    Raises:
        ValueError: as `bartlett`; no coefficients.
        TypeError: coefficients that are not a list.
    """
    if not isinstance(a, Iterable):
        raise TypeError(f"general_cosine: a must be a list of coefficients, got {a!r}")
    coefficients = list(a)
    if not coefficients:
        raise ValueError("general_cosine: a needs at least one coefficient")
    return _window("general_cosine", M, sym, _cosines(coefficients), dtype=dtype, layout=layout,
                   device=device, requires_grad=requires_grad)


def general_hamming(M: int, *, alpha: float = 0.54, sym: bool = True,  # noqa: N803
                    dtype: DTypeLike | None = None, layout: Any = None,
                    device: DeviceLike | None = None, requires_grad: bool = False) -> Tensor:
    """alpha - (1 - alpha) cos(2 π x). Shape: (M). Errors as `bartlett`."""
    return _window("general_hamming", M, sym, _cosines((alpha, 1 - alpha)), dtype=dtype,
                   layout=layout, device=device, requires_grad=requires_grad)


def hamming(M: int, *, sym: bool = True, dtype: DTypeLike | None = None,  # noqa: N803
            layout: Any = None, device: DeviceLike | None = None,
            requires_grad: bool = False) -> Tensor:
    """0.54 - 0.46 cos(2 π x). Shape: (M). Errors as `bartlett`."""
    return _window("hamming", M, sym, _cosines((0.54, 0.46)), dtype=dtype, layout=layout,
                   device=device, requires_grad=requires_grad)


def hann(M: int, *, sym: bool = True, dtype: DTypeLike | None = None,  # noqa: N803
         layout: Any = None, device: DeviceLike | None = None,
         requires_grad: bool = False) -> Tensor:
    """(1 - cos(2 π x)) / 2. Shape: (M). Errors as `bartlett`."""
    return _window("hann", M, sym, _cosines((0.5, 0.5)), dtype=dtype, layout=layout,
                   device=device, requires_grad=requires_grad)


def kaiser(M: int, *, beta: float = 12.0, sym: bool = True,  # noqa: N803
           dtype: DTypeLike | None = None, layout: Any = None, device: DeviceLike | None = None,
           requires_grad: bool = False) -> Tensor:
    """I₀(beta sqrt(1 - (2 x - 1)²)) / I₀(beta). Shape: (M). Kaiser 1966.

    Raises:
        ValueError: as `bartlett`; a negative beta.
    """
    if beta < 0:
        raise ValueError(f"kaiser: beta must not be negative, got {beta}")
    return _window("kaiser", M, sym, lambda n, steps: numpy.i0(beta * numpy.sqrt(numpy.maximum(
        1 - (2 * n / steps - 1) ** 2, 0))) / numpy.i0(beta), dtype=dtype, layout=layout,
        device=device, requires_grad=requires_grad)


def nuttall(M: int, *, sym: bool = True, dtype: DTypeLike | None = None,  # noqa: N803
            layout: Any = None, device: DeviceLike | None = None,
            requires_grad: bool = False) -> Tensor:
    """A sum of four cosines with small side lobes. Shape: (M). Nuttall 1981.

    Errors as `bartlett`.
    """
    return _window("nuttall", M, sym, _cosines((0.3635819, 0.4891775, 0.1365995, 0.0106411)),
                   dtype=dtype, layout=layout, device=device, requires_grad=requires_grad)
