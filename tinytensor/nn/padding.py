"""Padding as modules: a kind of padding for a number of dims, one row each."""

from __future__ import annotations

from typing import Any, ClassVar

from ..tensors.tensor import Tensor
from . import functional
from .module import Module
from .sizes import each_dim


class Pad(Module):
    """Pads the last dims on both sides: padding = (left, right, top, bottom, ...) or one number."""

    dims: ClassVar[int]
    mode: ClassVar[str]

    def __init__(self, padding: Any):
        super().__init__()
        self.padding = each_dim(padding, 2 * self.dims)

    def forward(self, input: Tensor) -> Tensor:
        return functional.pad(input, self.padding, mode=self.mode)

    def extra_repr(self) -> str:
        return str(self.padding)


class ConstantPad(Pad):
    """Pads with one value."""

    mode = "constant"

    def __init__(self, padding: Any, value: float):
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        return functional.pad(input, self.padding, mode="constant", value=self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ZeroPad(Pad):
    """Pads with zeros."""

    mode = "constant"


class ConstantPad1d(ConstantPad):
    """Pads with a value. Shapes: (*, L) -> (*, L + left + right)."""

    dims = 1


class ConstantPad2d(ConstantPad):
    """Pads with a value. Shapes: (*, H, W) -> (*, H', W')."""

    dims = 2


class ConstantPad3d(ConstantPad):
    """Pads with a value. Shapes: (*, D, H, W) -> (*, D', H', W')."""

    dims = 3


class ZeroPad1d(ZeroPad):
    """Pads with zeros. Shapes: (*, L) -> (*, L + left + right)."""

    dims = 1


class ZeroPad2d(ZeroPad):
    """Pads with zeros. Shapes: (*, H, W) -> (*, H', W')."""

    dims = 2


class ZeroPad3d(ZeroPad):
    """Pads with zeros. Shapes: (*, D, H, W) -> (*, D', H', W')."""

    dims = 3


class ReflectionPad1d(Pad):
    """Pads with the mirror image, without the edge. Shapes: (N, C, L) or (C, L) -> with L'."""

    dims, mode = 1, "reflect"


class ReflectionPad2d(Pad):
    """Pads with the mirror image, without the edge. Shapes: (N, C, H, W) -> with H', W'."""

    dims, mode = 2, "reflect"


class ReflectionPad3d(Pad):
    """Pads with the mirror image, without the edge. Shapes: (N, C, D, H, W) -> with sizes'."""

    dims, mode = 3, "reflect"


class ReplicationPad1d(Pad):
    """Pads with the edge. Shapes: (N, C, L) or (C, L) -> with L'."""

    dims, mode = 1, "replicate"


class ReplicationPad2d(Pad):
    """Pads with the edge. Shapes: (N, C, H, W) or (C, H, W) -> with H', W'."""

    dims, mode = 2, "replicate"


class ReplicationPad3d(Pad):
    """Pads with the edge. Shapes: (N, C, D, H, W) or (C, D, H, W) -> with D', H', W'."""

    dims, mode = 3, "replicate"


class CircularPad1d(Pad):
    """Pads with the opposite side. Shapes: (N, C, L) or (C, L) -> with L'."""

    dims, mode = 1, "circular"


class CircularPad2d(Pad):
    """Pads with the opposite side. Shapes: (N, C, H, W) or (C, H, W) -> with H', W'."""

    dims, mode = 2, "circular"


class CircularPad3d(Pad):
    """Pads with the opposite side. Shapes: (N, C, D, H, W) or (C, D, H, W) -> with D', H', W'."""

    dims, mode = 3, "circular"
