"""Padding as modules: each kind of padding for 1, 2 and 3 dims."""

from __future__ import annotations

from typing import ClassVar

from ..tensors.tensor import Tensor
from . import functional
from .arguments import Sizes, each_dim
from .module import Module


class Pad(Module):
    """Pads the last dims by `padding`: (left, right, top, bottom, ...), or one number for all."""

    dims: ClassVar[int]
    mode: ClassVar[str]

    def __init__(self, padding: Sizes):
        super().__init__()
        self.padding = each_dim(padding, 2 * self.dims)

    def forward(self, input: Tensor) -> Tensor:
        return functional.pad(input, self.padding, mode=self.mode)

    def extra_repr(self) -> str:
        return str(self.padding)


class ConstantPad(Pad):
    """Pads with one value on all sides."""

    mode = "constant"

    def __init__(self, padding: Sizes, value: float):
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
    """Pads with `value`. Shapes: (*, L) -> (*, L'), where L' = L + left + right."""

    dims = 1


class ConstantPad2d(ConstantPad):
    """Pads with `value`, as `ConstantPad1d`. Shapes: (*, H, W) -> (*, H', W')."""

    dims = 2


class ConstantPad3d(ConstantPad):
    """Pads with `value`, as `ConstantPad1d`. Shapes: (*, D, H, W) -> (*, D', H', W')."""

    dims = 3


class ZeroPad1d(ZeroPad):
    """Pads with zeros. Shapes: (*, L) -> (*, L'), where L' = L + left + right."""

    dims = 1


class ZeroPad2d(ZeroPad):
    """Pads with zeros, as `ZeroPad1d`. Shapes: (*, H, W) -> (*, H', W')."""

    dims = 2


class ZeroPad3d(ZeroPad):
    """Pads with zeros, as `ZeroPad1d`. Shapes: (*, D, H, W) -> (*, D', H', W')."""

    dims = 3


class ReflectionPad1d(Pad):
    """Pads with the mirror image, without the edge itself.

    Shapes: (N, C, L) or (C, L) -> the same with L', where L' = L + left + right.
    """

    dims, mode = 1, "reflect"


class ReflectionPad2d(Pad):
    """Pads with the mirror image, without the edge itself, as `ReflectionPad1d`.

    Shapes: (N, C, H, W) or (C, H, W) -> the same with H', W'.
    """

    dims, mode = 2, "reflect"


class ReflectionPad3d(Pad):
    """Pads with the mirror image, without the edge itself, as `ReflectionPad1d`.

    Shapes: (N, C, D, H, W) or (C, D, H, W) -> the same with D', H', W'.
    """

    dims, mode = 3, "reflect"


class ReplicationPad1d(Pad):
    """Pads with copies of the edge.

    Shapes: (N, C, L) or (C, L) -> the same with L', where L' = L + left + right.
    """

    dims, mode = 1, "replicate"


class ReplicationPad2d(Pad):
    """Pads with copies of the edge, as `ReplicationPad1d`.

    Shapes: (N, C, H, W) or (C, H, W) -> the same with H', W'.
    """

    dims, mode = 2, "replicate"


class ReplicationPad3d(Pad):
    """Pads with copies of the edge, as `ReplicationPad1d`.

    Shapes: (N, C, D, H, W) or (C, D, H, W) -> the same with D', H', W'.
    """

    dims, mode = 3, "replicate"


class CircularPad1d(Pad):
    """Pads with the values of the opposite side.

    Shapes: (N, C, L) or (C, L) -> the same with L', where L' = L + left + right.
    """

    dims, mode = 1, "circular"


class CircularPad2d(Pad):
    """Pads with the values of the opposite side, as `CircularPad1d`.

    Shapes: (N, C, H, W) or (C, H, W) -> the same with H', W'.
    """

    dims, mode = 2, "circular"


class CircularPad3d(Pad):
    """Pads with the values of the opposite side, as `CircularPad1d`.

    Shapes: (N, C, D, H, W) or (C, D, H, W) -> the same with D', H', W'.
    """

    dims, mode = 3, "circular"
