"""Resampling as modules: interpolation, pixel and channel shuffles, `Unfold` and `Fold`."""

from __future__ import annotations

from ..tensors.tensor import Tensor
from . import functional
from .arguments import Sizes
from .function_module import FunctionModule
from .module import Module


class Upsample(Module):
    """Interpolates to `size`, or by `scale_factor`. Shapes: (N, C, *) -> (N, C, *').

    mode is "nearest", "nearest-exact", "linear", "bilinear", "bicubic", "trilinear" or "area".
    """

    def __init__(self, size: Sizes | None = None,
                 scale_factor: float | tuple[float, ...] | None = None, mode: str = "nearest",
                 align_corners: bool | None = None, recompute_scale_factor: bool | None = None):
        super().__init__()
        self.size = size
        self.scale_factor = tuple(map(float, scale_factor)) if isinstance(scale_factor, tuple) \
            else float(scale_factor) if scale_factor else None
        self.mode = mode
        self.align_corners = align_corners
        self.recompute_scale_factor = recompute_scale_factor

    def forward(self, input: Tensor) -> Tensor:
        return functional.interpolate(input, self.size, self.scale_factor, self.mode,
                                      self.align_corners, self.recompute_scale_factor)

    def extra_repr(self) -> str:
        size = f"size={self.size}" if self.scale_factor is None \
            else f"scale_factor={self.scale_factor}"
        return f"{size}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    """`Upsample` with mode="nearest". Shapes: (N, C, H, W) -> (N, C, H', W')."""

    def __init__(self, size: Sizes | None = None,
                 scale_factor: float | tuple[float, ...] | None = None):
        super().__init__(size, scale_factor, mode="nearest")


class UpsamplingBilinear2d(Upsample):
    """`Upsample` with mode="bilinear" and align_corners=True.

    Shapes: (N, C, H, W) -> (N, C, H', W').
    """

    def __init__(self, size: Sizes | None = None,
                 scale_factor: float | tuple[float, ...] | None = None):
        super().__init__(size, scale_factor, mode="bilinear", align_corners=True)


class PixelShuffle(FunctionModule, function="pixel_shuffle"):
    """Moves channels into blocks of r × r pixels, where r is upscale_factor.

    Shapes: (*, C r², H, W) -> (*, C, H r, W r). Shi et al. 2016.
    """

    upscale_factor: int


class PixelUnshuffle(FunctionModule, function="pixel_unshuffle"):
    """The inverse of `PixelShuffle`, where r is downscale_factor.

    Shapes: (*, C, H r, W r) -> (*, C r², H, W).
    """

    downscale_factor: int


class ChannelShuffle(FunctionModule, function="channel_shuffle"):
    """Reorders channels so that those of each group are spread over all groups.

    Shapes: (N, C, *) -> (N, C, *). Zhang et al. 2018.
    """

    groups: int


class Unfold(FunctionModule, function="unfold"):
    """Extracts windows as columns (im2col).

    Shapes: (N, C, H, W) or (C, H, W) -> (N, C · kernel elements, number of windows).
    """

    kernel_size: Sizes
    dilation: Sizes = 1
    padding: Sizes = 0
    stride: Sizes = 1


class Fold(FunctionModule, function="fold"):
    """Adds columns up as windows of an image (col2im).

    Shapes: (N, C · kernel elements, number of windows) -> (N, C, *output_size). It is the adjoint
    of `Unfold`, not its inverse: overlapping windows are summed.
    """

    output_size: Sizes
    kernel_size: Sizes
    dilation: Sizes = 1
    padding: Sizes = 0
    stride: Sizes = 1
