"""Convolutions and transposed convolutions over 1, 2 and 3 dims."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, cast

from ..tensors.creation import empty
from ..tensors.tensor import Tensor
from . import functional
from .arguments import Device, DType, Sizes, each_dim
from .linear import uniform_by_fan_in
from .module import Module
from .parameter import Parameter

PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class Convolution(Module):
    """The base class of all convolutions: checks of the options, weights, repr."""

    dims: ClassVar[int]
    transposed: ClassVar[bool] = False
    bias: Parameter | None

    def _build(self, in_channels: int, out_channels: int, kernel_size: Sizes, stride: Sizes,
               padding: Sizes | str, dilation: Sizes, output_padding: Sizes, groups: int,
               bias: bool, padding_mode: str, device: Device, dtype: DType) -> None:
        """Stores the options and creates the weights.

        Raises:
            ValueError: groups does not divide the channels, or padding is unknown.
        """
        kind = type(self).__name__
        if groups <= 0:
            raise ValueError(f"{kind}: groups must be positive, got {groups}")
        for name, count in (("in_channels", in_channels), ("out_channels", out_channels)):
            if count % groups:
                raise ValueError(f"{kind}: {name} must be divisible by groups, got {name}={count} "
                                 f"and groups={groups}")
        if isinstance(padding, str) and padding not in ("same", "valid"):
            raise ValueError(f"{kind}: padding must be a number, a tuple of numbers, 'same' or "
                             f"'valid', got {padding!r}")
        if padding_mode not in PADDING_MODES:
            raise ValueError(f"{kind}: padding_mode must be one of "
                             f"{', '.join(map(repr, PADDING_MODES))}, got {padding_mode!r}")
        if self.transposed and padding_mode != "zeros":
            raise ValueError(f"{kind}: padding_mode must be 'zeros' for a transposed convolution, "
                             f"got {padding_mode!r}")
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = each_dim(kernel_size, self.dims)
        self.stride = each_dim(stride, self.dims)
        self.padding = padding if isinstance(padding, str) else each_dim(padding, self.dims)
        self.dilation = each_dim(dilation, self.dims)
        self.output_padding = each_dim(output_padding, self.dims)
        self.groups = groups
        self.padding_mode = padding_mode
        if padding == "same" and any(step != 1 for step in self.stride):
            raise ValueError(f"{kind}: padding='same' needs stride 1, got stride {self.stride}")
        channels = (in_channels, out_channels // groups) if self.transposed \
            else (out_channels, in_channels // groups)
        self.weight = Parameter(empty(*channels, *self.kernel_size, device=device, dtype=dtype))
        self.register_parameter(
            "bias", Parameter(empty(out_channels, device=device, dtype=dtype)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws new weights, uniform in ± 1 / sqrt(fan in)."""
        uniform_by_fan_in(math.prod(self.weight.shape[1:]), self.weight, self.bias)

    def extra_repr(self) -> str:
        zeros, ones = (0,) * self.dims, (1,) * self.dims
        text = (f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, "
                f"stride={self.stride}")
        for name, default in (("padding", zeros), ("dilation", ones), ("output_padding", zeros),
                              ("groups", 1)):
            if getattr(self, name) != default:
                text += f", {name}={getattr(self, name)}"
        if self.bias is None:
            text += ", bias=False"
        return text if self.padding_mode == "zeros" else f"{text}, padding_mode={self.padding_mode}"


class PlainConvolution(Convolution):
    """The base class of Conv1d, Conv2d and Conv3d: each output is weights · window + bias."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: Sizes, stride: Sizes = 1,
                 padding: Sizes | str = 0, dilation: Sizes = 1, groups: int = 1, bias: bool = True,
                 padding_mode: str = "zeros", device: Device = None, dtype: DType = None):
        super().__init__()
        self._build(in_channels, out_channels, kernel_size, stride, padding, dilation, 0, groups,
                    bias, padding_mode, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        convolve = getattr(functional, f"conv{self.dims}d")
        padding: str | Sizes = self.padding
        if self.padding_mode != "zeros":
            input = functional.pad(input, self._sides(), mode=self.padding_mode)
            padding = 0
        return convolve(input, self.weight, self.bias, self.stride, padding, self.dilation,
                        self.groups)

    def _sides(self) -> list[int]:
        """The padding before and after each dim, last dim first, in the order that `pad` takes."""
        sides: list[int] = []
        for i in reversed(range(self.dims)):
            if self.padding == "same":
                total = self.dilation[i] * (self.kernel_size[i] - 1)
                sides += [total // 2, total - total // 2]
            else:
                sides += [0, 0] if isinstance(self.padding, str) else [self.padding[i]] * 2
        return sides


class Conv1d(PlainConvolution):
    """Cross-correlation over 1 dim, plus a bias. Shapes: (N, C, L) or (C, L) -> (*, C', L').

    L' = floor((L + 2 padding - dilation (kernel_size - 1) - 1) / stride) + 1. The weight
    (C', C / groups, kernel_size) and the bias (C') begin uniform in ± 1 / sqrt(fan in).

    Raises:
        ValueError: groups does not divide the channels, padding or padding_mode is unknown, or
            padding is "same" with a stride other than 1.
    """

    dims = 1


class Conv2d(PlainConvolution):
    """Cross-correlation over 2 dims, as `Conv1d`. Shapes: (*, C, H, W) -> (*, C', H', W').

    LeCun et al. 1998.
    """

    dims = 2


class Conv3d(PlainConvolution):
    """Cross-correlation over 3 dims, as `Conv1d`.

    Shapes: (N, C, D, H, W) or (C, D, H, W) -> (*, C', D', H', W').
    """

    dims = 3


class TransposedConvolution(Convolution):
    """The base class of ConvTranspose1d, 2d and 3d: the gradient of a convolution by its input."""

    transposed = True

    def __init__(self, in_channels: int, out_channels: int, kernel_size: Sizes, stride: Sizes = 1,
                 padding: Sizes = 0, output_padding: Sizes = 0, groups: int = 1, bias: bool = True,
                 dilation: Sizes = 1, padding_mode: str = "zeros", device: Device = None,
                 dtype: DType = None):
        super().__init__()
        self._build(in_channels, out_channels, kernel_size, stride, padding, dilation,
                    output_padding, groups, bias, padding_mode, device, dtype)

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        """The transposed convolution of the input.

        Args:
            output_size: selects one of the sizes that a stride above 1 allows.

        Raises:
            ValueError: no output_padding below the stride gives output_size.
        """
        convolve = getattr(functional, f"conv_transpose{self.dims}d")
        extra = self.output_padding if output_size is None else self._extra(input, output_size)
        return convolve(input, self.weight, self.bias, self.stride, self.padding, extra,
                        self.groups, self.dilation)

    def _extra(self, input: Tensor, output_size: Sequence[int]) -> tuple[int, ...]:
        """The output_padding that gives output_size."""
        wanted = tuple(output_size)[-self.dims:]
        smallest = tuple(
            (size - 1) * step - 2 * pad + spread * (kernel - 1) + 1
            for size, step, pad, spread, kernel in zip(
                input.shape[-self.dims:], self.stride, cast(tuple[int, ...], self.padding),
                self.dilation, self.kernel_size, strict=True))
        extra = tuple(w - s for w, s in zip(wanted, smallest, strict=True))
        if any(not 0 <= e < step for e, step in zip(extra, self.stride, strict=True)):
            largest = tuple(s + step - 1 for s, step in zip(smallest, self.stride, strict=True))
            raise ValueError(f"{type(self).__name__}: output_size must be between {smallest} and "
                             f"{largest} for an input of shape {tuple(input.shape)}, got {wanted}")
        return extra


class ConvTranspose1d(TransposedConvolution):
    """Transposed convolution over 1 dim, plus a bias. Shapes: (N, C, L) or (C, L) -> (*, C', L').

    L' = (L - 1) stride - 2 padding + dilation (kernel_size - 1) + output_padding + 1. It is the
    gradient of a convolution by its input, not the inverse. Zeiler et al. 2010.

    Raises:
        ValueError: groups does not divide the channels, or padding_mode is not "zeros".
    """

    dims = 1


class ConvTranspose2d(TransposedConvolution):
    """Transposed convolution over 2 dims, as `ConvTranspose1d`.

    Shapes: (N, C, H, W) or (C, H, W) -> (*, C', H', W').
    """

    dims = 2


class ConvTranspose3d(TransposedConvolution):
    """Transposed convolution over 3 dims, as `ConvTranspose1d`.

    Shapes: (N, C, D, H, W) or (C, D, H, W) -> (*, C', D', H', W').
    """

    dims = 3
