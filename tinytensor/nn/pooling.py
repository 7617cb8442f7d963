"""Pooling as modules: one row each. The sizes of results stand with the functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..tensors.tensor import Tensor
from .function_module import FunctionModule
from .sizes import each_dim

MAX_SHOWN = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")
AVERAGE_SHOWN = ("kernel_size", "stride", "padding")
LP_SHOWN = ("norm_type", "kernel_size", "stride", "ceil_mode")


class Pool(FunctionModule):
    """Pooling over windows, which by default do not overlap: the stride is the kernel size."""

    kernel_size: Any
    stride: Any = None

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        if self.stride is None:
            self.stride = self.kernel_size


class MaxPool1d(Pool, function="max_pool1d", shown=MAX_SHOWN):
    """The largest of each window. Shapes: (N, C, L) or (C, L) -> with L'."""

    kernel_size: Any
    stride: Any = None
    padding: Any = 0
    dilation: Any = 1
    return_indices: bool = False
    ceil_mode: bool = False


class MaxPool2d(Pool, function="max_pool2d", shown=MAX_SHOWN):
    """The largest of each window. Shapes: (N, C, H, W) or (C, H, W) -> with H', W'."""

    kernel_size: Any
    stride: Any = None
    padding: Any = 0
    dilation: Any = 1
    return_indices: bool = False
    ceil_mode: bool = False


class MaxPool3d(Pool, function="max_pool3d", shown=MAX_SHOWN):
    """The largest of each window. Shapes: (N, C, D, H, W) or (C, D, H, W) -> with D', H', W'."""

    kernel_size: Any
    stride: Any = None
    padding: Any = 0
    dilation: Any = 1
    return_indices: bool = False
    ceil_mode: bool = False


class AvgPool1d(Pool, function="avg_pool1d", shown=AVERAGE_SHOWN):
    """The mean of each window. Shapes: (N, C, L) or (C, L) -> with L'."""

    kernel_size: Any
    stride: Any = None
    padding: Any = 0
    ceil_mode: bool = False
    count_include_pad: bool = True

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        for name in AVERAGE_SHOWN:
            setattr(self, name, each_dim(getattr(self, name), 1))


class AvgPool2d(Pool, function="avg_pool2d", shown=AVERAGE_SHOWN):
    """The mean of each window. Shapes: (N, C, H, W) or (C, H, W) -> with H', W'."""

    kernel_size: Any
    stride: Any = None
    padding: Any = 0
    ceil_mode: bool = False
    count_include_pad: bool = True
    divisor_override: int | None = None


class AvgPool3d(Pool, function="avg_pool3d", shown=AVERAGE_SHOWN):
    """The mean of each window. Shapes: (N, C, D, H, W) or (C, D, H, W) -> with D', H', W'."""

    kernel_size: Any
    stride: Any = None
    padding: Any = 0
    ceil_mode: bool = False
    count_include_pad: bool = True
    divisor_override: int | None = None


class LPPool1d(FunctionModule, function="lp_pool1d", shown=LP_SHOWN):
    """(Σ x**p)**(1/p) of each window. Shapes: (N, C, L) or (C, L) -> with L'."""

    norm_type: float
    kernel_size: Any
    stride: Any = None
    ceil_mode: bool = False


class LPPool2d(FunctionModule, function="lp_pool2d", shown=LP_SHOWN):
    """(Σ x**p)**(1/p) of each window. Shapes: (N, C, H, W) or (C, H, W) -> with H', W'."""

    norm_type: float
    kernel_size: Any
    stride: Any = None
    ceil_mode: bool = False


class LPPool3d(FunctionModule, function="lp_pool3d", shown=LP_SHOWN):
    """(Σ x**p)**(1/p) of each window. Shapes: (N, C, D, H, W) or (C, D, H, W) -> with sizes'."""

    norm_type: float
    kernel_size: Any
    stride: Any = None
    ceil_mode: bool = False


class AdaptiveAvgPool1d(FunctionModule, function="adaptive_avg_pool1d"):
    """The means of output_size pieces. Shapes: (N, C, L) or (C, L) -> with output_size."""

    output_size: Any


class AdaptiveAvgPool2d(FunctionModule, function="adaptive_avg_pool2d"):
    """The means of output_size pieces. Shapes: (N, C, H, W) or (C, H, W) -> with output_size."""

    output_size: Any


class AdaptiveAvgPool3d(FunctionModule, function="adaptive_avg_pool3d"):
    """The means of output_size pieces. Shapes: (N, C, D, H, W) or (C, D, H, W) -> with it."""

    output_size: Any


class AdaptiveMaxPool1d(FunctionModule, function="adaptive_max_pool1d", shown=("output_size",)):
    """The largest of output_size pieces. Shapes: (N, C, L) or (C, L) -> with output_size."""

    output_size: Any
    return_indices: bool = False


class AdaptiveMaxPool2d(FunctionModule, function="adaptive_max_pool2d", shown=("output_size",)):
    """The largest of output_size pieces. Shapes: (N, C, H, W) or (C, H, W) -> with it."""

    output_size: Any
    return_indices: bool = False


class AdaptiveMaxPool3d(FunctionModule, function="adaptive_max_pool3d", shown=("output_size",)):
    """The largest of output_size pieces. Shapes: (N, C, D, H, W) or (C, D, H, W) -> with it."""

    output_size: Any
    return_indices: bool = False


class Unpool(Pool):
    """Puts what MaxPool kept back to where it was, with zeros elsewhere."""

    dims = 0

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        for name in AVERAGE_SHOWN:
            setattr(self, name, each_dim(getattr(self, name), self.dims))

    def forward(self, input: Tensor, indices: Tensor,
                output_size: Sequence[int] | None = None) -> Tensor:
        return self._call(input, indices, output_size=output_size)


class MaxUnpool1d(Unpool, function="max_unpool1d"):
    """The partial inverse of MaxPool1d. Shapes: (N, C, L'), indices (N, C, L') -> (N, C, L)."""

    kernel_size: Any
    stride: Any = None
    padding: Any = 0


class MaxUnpool2d(Unpool, function="max_unpool2d"):
    """The partial inverse of MaxPool2d. Shapes: (N, C, H', W'), indices -> (N, C, H, W)."""

    kernel_size: Any
    stride: Any = None
    padding: Any = 0


class MaxUnpool3d(Unpool, function="max_unpool3d"):
    """The partial inverse of MaxPool3d. Shapes: (N, C, D', H', W'), indices -> (N, C, D, H, W)."""

    kernel_size: Any
    stride: Any = None
    padding: Any = 0


MaxUnpool1d.dims, MaxUnpool2d.dims, MaxUnpool3d.dims = 1, 2, 3
