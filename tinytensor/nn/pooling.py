"""Pooling as modules. `nn.functional` documents the sizes of the results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from ..tensors.tensor import Tensor
from .arguments import Sizes, each_dim
from .function_module import FunctionModule

MAX_SHOWN = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")
AVERAGE_SHOWN = ("kernel_size", "stride", "padding")
LP_SHOWN = ("norm_type", "kernel_size", "stride", "ceil_mode")


class Pool(FunctionModule):
    """Pooling over windows. The stride is the kernel size by default: windows do not overlap."""

    kernel_size: Sizes
    stride: Sizes | None = None

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        if self.stride is None:
            self.stride = self.kernel_size


class MaxPool(Pool):
    """The maximum of each window; with return_indices also its position in the input."""

    padding: Sizes = 0
    dilation: Sizes = 1
    return_indices: bool = False
    ceil_mode: bool = False


class MaxPool1d(MaxPool, function="max_pool1d", shown=MAX_SHOWN):
    """The maximum of each window. Shapes: (N, C, L) or (C, L) -> the same with L'.

    L' = floor((L + 2 padding - dilation (kernel_size - 1) - 1) / stride) + 1, or ceil instead of
    floor with ceil_mode. With return_indices the result is a pair: the maxima, and their positions.
    """


class MaxPool2d(MaxPool, function="max_pool2d", shown=MAX_SHOWN):
    """The maximum of each window, as `MaxPool1d`.

    Shapes: (N, C, H, W) or (C, H, W) -> the same with H', W'.
    """


class MaxPool3d(MaxPool, function="max_pool3d", shown=MAX_SHOWN):
    """The maximum of each window, as `MaxPool1d`.

    Shapes: (N, C, D, H, W) or (C, D, H, W) -> the same with D', H', W'.
    """


class AvgPool(Pool):
    """The mean of each window; padding counts as zeros unless count_include_pad is False."""

    padding: Sizes = 0
    ceil_mode: bool = False
    count_include_pad: bool = True


class AvgPool1d(AvgPool, function="avg_pool1d", shown=AVERAGE_SHOWN):
    """The mean of each window. Shapes: (N, C, L) or (C, L) -> the same with L'.

    L' = floor((L + 2 padding - kernel_size) / stride) + 1, or ceil instead of floor with ceil_mode.
    Padding counts as zeros unless count_include_pad is False.
    """

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        _as_tuples(self, 1)


class AvgPool2d(AvgPool, function="avg_pool2d", shown=AVERAGE_SHOWN):
    """The mean of each window, as `AvgPool1d`.

    Shapes: (N, C, H, W) or (C, H, W) -> the same with H', W'. The sum of a window is divided by
    divisor_override, if given.
    """

    divisor_override: int | None = None


class AvgPool3d(AvgPool, function="avg_pool3d", shown=AVERAGE_SHOWN):
    """The mean of each window, as `AvgPool2d`.

    Shapes: (N, C, D, H, W) or (C, D, H, W) -> the same with D', H', W'.
    """

    divisor_override: int | None = None


class LPPool(FunctionModule):
    """(Σ x**p)**(1/p) of each window, where p is norm_type."""

    norm_type: float
    kernel_size: Sizes
    stride: Sizes | None = None
    ceil_mode: bool = False


class LPPool1d(LPPool, function="lp_pool1d", shown=LP_SHOWN):
    """(Σ x**p)**(1/p) of each window, where p is norm_type.

    Shapes: (N, C, L) or (C, L) -> the same with L', as for `AvgPool1d`.
    """


class LPPool2d(LPPool, function="lp_pool2d", shown=LP_SHOWN):
    """(Σ x**p)**(1/p) of each window, as `LPPool1d`.

    Shapes: (N, C, H, W) or (C, H, W) -> the same with H', W'.
    """


class LPPool3d(LPPool, function="lp_pool3d", shown=LP_SHOWN):
    """(Σ x**p)**(1/p) of each window, as `LPPool1d`.

    Shapes: (N, C, D, H, W) or (C, D, H, W) -> the same with D', H', W'.
    """


class AdaptivePool(FunctionModule):
    """Pooling over output_size windows of nearly equal size that cover the input."""

    output_size: int | Sequence[int | None] | None


class AdaptiveAvgPool1d(AdaptivePool, function="adaptive_avg_pool1d"):
    """The means of output_size windows of nearly equal size that cover the input.

    Shapes: (N, C, L) or (C, L) -> the same with output_size for L.
    """


class AdaptiveAvgPool2d(AdaptivePool, function="adaptive_avg_pool2d"):
    """The means of output_size windows, as `AdaptiveAvgPool1d`; None keeps the size of a dim.

    Shapes: (N, C, H, W) or (C, H, W) -> the same with output_size for H and W.
    """


class AdaptiveAvgPool3d(AdaptivePool, function="adaptive_avg_pool3d"):
    """The means of output_size windows, as `AdaptiveAvgPool2d`.

    Shapes: (N, C, D, H, W) or (C, D, H, W) -> the same with output_size for D, H and W.
    """


class AdaptiveMaxPool(AdaptivePool):
    """The maxima of output_size windows; with return_indices also their positions in the input."""

    return_indices: bool = False


class AdaptiveMaxPool1d(AdaptiveMaxPool, function="adaptive_max_pool1d", shown=("output_size",)):
    """The maxima of output_size windows of nearly equal size that cover the input.

    Shapes: (N, C, L) or (C, L) -> the same with output_size for L. With return_indices the result
    is a pair: the maxima, and their positions in the input.
    """


class AdaptiveMaxPool2d(AdaptiveMaxPool, function="adaptive_max_pool2d", shown=("output_size",)):
    """The maxima of output_size windows, as `AdaptiveMaxPool1d`; None keeps the size of a dim.

    Shapes: (N, C, H, W) or (C, H, W) -> the same with output_size for H and W.
    """


class AdaptiveMaxPool3d(AdaptiveMaxPool, function="adaptive_max_pool3d", shown=("output_size",)):
    """The maxima of output_size windows, as `AdaptiveMaxPool2d`.

    Shapes: (N, C, D, H, W) or (C, D, H, W) -> the same with output_size for D, H and W.
    """


class Unpool(Pool):
    """Puts the maxima that a MaxPool kept back at their positions, with zeros elsewhere."""

    dims: ClassVar[int]
    padding: Sizes = 0

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        _as_tuples(self, self.dims)

    def forward(self, input: Tensor, indices: Tensor,
                output_size: Sequence[int] | None = None) -> Tensor:
        return self._call(input, indices, output_size=output_size)


class MaxUnpool1d(Unpool, function="max_unpool1d"):
    """Puts the results of `MaxPool1d` back at their positions `indices`, with zeros elsewhere.

    Shapes: (N, C, L'), indices (N, C, L') -> (N, C, L), or output_size where several L give L'.

    Raises:
        ValueError: no input of size output_size is pooled to the size of the input.
    """

    dims = 1


class MaxUnpool2d(Unpool, function="max_unpool2d"):
    """The partial inverse of `MaxPool2d`, as `MaxUnpool1d`.

    Shapes: (N, C, H', W'), indices (N, C, H', W') -> (N, C, H, W).
    """

    dims = 2


class MaxUnpool3d(Unpool, function="max_unpool3d"):
    """The partial inverse of `MaxPool3d`, as `MaxUnpool1d`.

    Shapes: (N, C, D', H', W'), indices (N, C, D', H', W') -> (N, C, D, H, W).
    """

    dims = 3


def _as_tuples(module: Pool, dims: int) -> None:
    """Turns the sizes of windows into tuples, as PyTorch does for these layers only."""
    for name in AVERAGE_SHOWN:
        setattr(module, name, each_dim(getattr(module, name), dims))
