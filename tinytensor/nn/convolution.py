"""Convolutions and transposed convolutions over one, two and three dims."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

from ..tensors.creation import empty
from ..tensors.tensor import Tensor
from . import functional
from .linear import uniform_by_fan_in
from .module import Module
from .parameter import Parameter
from .sizes import each_dim

PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class Convolution(Module):
    """What all convolutions share: checks, weights and the repr."""

    dims: ClassVar[int]
    transposed: ClassVar[bool] = False
    bias: Parameter | None

    def _build(self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any,
               padding: Any, dilation: Any, output_padding: Any, groups: int, bias: bool,
               padding_mode: str, device: Any, dtype: Any) -> None:
        """Remembers the options and makes the weights.

        Raises:
            ValueError: groups that do not divide the channels, an unknown padding.
        """
        kind = type(self).__name__
        if groups <= 0:
            raise ValueError(f"{kind}: groups must be positive, got {groups}")
        for name, count in (("in_channels", in_channels), ("out_channels", out_channels)):
            if count % groups:
                raise ValueError(f"{kind}: {groups} groups do not divide {name} {count}")
        if isinstance(padding, str) and padding not in ("same", "valid"):
            raise ValueError(f"{kind}: padding {padding!r} is none of 'same', 'valid'; or give "
                             "numbers")
        if padding_mode not in PADDING_MODES:
            raise ValueError(f"{kind}: padding_mode {padding_mode!r} is none of "
                             f"{', '.join(map(repr, PADDING_MODES))}")
        if self.transposed and padding_mode != "zeros":
            raise ValueError(f"{kind}: only padding_mode 'zeros', got {padding_mode!r}")
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = each_dim(kernel_size, self.dims)
        self.stride = each_dim(stride, self.dims)
        self.padding: Any = padding if isinstance(padding, str) else each_dim(padding, self.dims)
        self.dilation = each_dim(dilation, self.dims)
        self.output_padding = each_dim(output_padding, self.dims)
        self.groups = groups
        self.padding_mode = padding_mode
        if padding == "same" and any(step != 1 for step in self.stride):
            raise ValueError(f"{kind}: padding='same' needs stride 1, got {self.stride}")
        channels = (in_channels, out_channels // groups) if self.transposed \
            else (out_channels, in_channels // groups)
        self.weight = Parameter(empty(*channels, *self.kernel_size, device=device, dtype=dtype))
        self.register_parameter(
            "bias", Parameter(empty(out_channels, device=device, dtype=dtype)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws new weights: uniform in ± 1 / sqrt(fan in)."""
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
    """A convolution: every output is a product of the weights with a window of the input."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1,
                 padding: Any = 0, dilation: Any = 1, groups: int = 1, bias: bool = True,
                 padding_mode: str = "zeros", device: Any = None, dtype: Any = None):
        super().__init__()
        self._build(in_channels, out_channels, kernel_size, stride, padding, dilation, 0, groups,
                    bias, padding_mode, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        convolve = getattr(functional, f"conv{self.dims}d")
        padding = self.padding
        if self.padding_mode != "zeros":
            input = functional.pad(input, self._sides(), mode=self.padding_mode)
            padding = 0
        return convolve(input, self.weight, self.bias, self.stride, padding, self.dilation,
                        self.groups)

    def _sides(self) -> list[int]:
        """The padding before and after, last dim first, as `pad` takes it."""
        sides: list[int] = []
        for i in reversed(range(self.dims)):
            if self.padding == "same":
                total = self.dilation[i] * (self.kernel_size[i] - 1)
                sides += [total // 2, total - total // 2]
            else:
                sides += [0, 0] if self.padding == "valid" else [self.padding[i]] * 2
        return sides


class Conv1d(PlainConvolution):
    """Cross-correlation over one dim. Shapes: (N, C, L) or (C, L) -> (N, C', L') or (C', L').

    L' = floor((L + 2 padding - dilation (kernel_size - 1) - 1) / stride) + 1.
    """

    dims = 1


class Conv2d(PlainConvolution):
    """Cross-correlation over two dims. Shapes: (N, C, H, W) or (C, H, W) -> the same with C'.

    Sizes of the result as in `Conv1d`. LeCun et al. 1998.
    """

    dims = 2


class Conv3d(PlainConvolution):
    """Cross-correlation over three dims. Shapes: (N, C, D, H, W) or (C, D, H, W) -> with C'.

    Sizes of the result as in `Conv1d`.
    """

    dims = 3


class TransposedConvolution(Convolution):
    """The gradient of a convolution by its input, as a layer: it spreads every input out."""

    transposed = True

    def __init__(self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1,
                 padding: Any = 0, output_padding: Any = 0, groups: int = 1, bias: bool = True,
                 dilation: Any = 1, padding_mode: str = "zeros", device: Any = None,
                 dtype: Any = None):
        super().__init__()
        self._build(in_channels, out_channels, kernel_size, stride, padding, dilation,
                    output_padding, groups, bias, padding_mode, device, dtype)

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        """The result; `output_size` chooses among the sizes that the stride allows.

        Raises:
            ValueError: an output_size that cannot be reached.
        """
        convolve = getattr(functional, f"conv_transpose{self.dims}d")
        extra = self.output_padding if output_size is None else self._extra(input, output_size)
        return convolve(input, self.weight, self.bias, self.stride, self.padding, extra,
                        self.groups, self.dilation)

    def _extra(self, input: Tensor, output_size: Any) -> tuple[int, ...]:
        wanted = tuple(output_size)[-self.dims:]
        smallest = tuple(
            (size - 1) * step - 2 * pad + spread * (kernel - 1) + 1
            for size, step, pad, spread, kernel in zip(
                input.shape[-self.dims:], self.stride, self.padding, self.dilation,
                self.kernel_size, strict=True))
        extra = tuple(w - s for w, s in zip(wanted, smallest, strict=True))
        if any(not 0 <= e < step for e, step in zip(extra, self.stride, strict=True)):
            largest = tuple(s + step - 1 for s, step in zip(smallest, self.stride, strict=True))
            raise ValueError(f"{type(self).__name__}: output_size {wanted} must lie between "
                             f"{smallest} and {largest}")
        return extra


class ConvTranspose1d(TransposedConvolution):
    """Transposed convolution over one dim. Shapes: (N, C, L) or (C, L) -> (N, C', L') or (C', L').

    L' = (L - 1) stride - 2 padding + dilation (kernel_size - 1) + output_padding + 1.
    """

    dims = 1


class ConvTranspose2d(TransposedConvolution):
    """Transposed convolution over two dims. Shapes: (N, C, H, W) or (C, H, W) -> with C'.

    Sizes of the result as in `ConvTranspose1d`.
    """

    dims = 2


class ConvTranspose3d(TransposedConvolution):
    """Transposed convolution over three dims. Shapes: (N, C, D, H, W) or (C, D, H, W) -> with C'.

    Sizes of the result as in `ConvTranspose1d`.
    """

    dims = 3
