"""Changes of resolution as modules: interpolation, pixel shuffling, windows as columns."""

from __future__ import annotations

from typing import Any

from ..tensors.tensor import Tensor
from . import functional
from .function_module import FunctionModule
from .module import Module


class Upsample(Module):
    """Interpolates to `size`, or by `scale_factor`. Shapes: (N, C, *) -> (N, C, *').

    mode: "nearest", "linear", "bilinear", "bicubic", "trilinear", "nearest-exact" or "area".
    """

    def __init__(self, size: Any = None, scale_factor: Any = None, mode: str = "nearest",
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
    """Upsample by repeating pixels. Shapes: (N, C, H, W) -> (N, C, H', W')."""

    def __init__(self, size: Any = None, scale_factor: Any = None):
        super().__init__(size, scale_factor, mode="nearest")


class UpsamplingBilinear2d(Upsample):
    """Upsample by bilinear interpolation that keeps the corners. Shapes: (N, C, H, W) -> H', W'."""

    def __init__(self, size: Any = None, scale_factor: Any = None):
        super().__init__(size, scale_factor, mode="bilinear", align_corners=True)


class PixelShuffle(FunctionModule, function="pixel_shuffle"):
    """Channels as pixels. Shapes: (*, C r², H, W) -> (*, C, H r, W r). Shi et al. 2016."""

    upscale_factor: int


class PixelUnshuffle(FunctionModule, function="pixel_unshuffle"):
    """Pixels as channels. Shapes: (*, C, H r, W r) -> (*, C r², H, W)."""

    downscale_factor: int


class ChannelShuffle(FunctionModule, function="channel_shuffle"):
    """Deals the channels of each group out over all groups. Shapes: (N, C, *) -> (N, C, *).

    Zhang et al. 2018.
    """

    groups: int


class Unfold(FunctionModule, function="unfold"):
    """Windows as columns. Shapes: (N, C, H, W) or (C, H, W) -> (N, C taps, windows)."""

    kernel_size: Any
    dilation: Any = 1
    padding: Any = 0
    stride: Any = 1


class Fold(FunctionModule, function="fold"):
    """Adds columns up as windows of an image. Shapes: (N, C taps, windows) -> (N, C, *output_size).

    The transpose of `Unfold`, not its inverse: where windows overlap, they add up.
    """

    output_size: Any
    kernel_size: Any
    dilation: Any = 1
    padding: Any = 0
    stride: Any = 1
