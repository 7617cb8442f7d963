"""The layout of a model's weights, which PyTorch's faster convolutions want to be another."""

from __future__ import annotations

from typing import Any, TypeVar

from ..module import Module

M = TypeVar("M", bound=Module)


def convert_conv2d_weight_memory_format(module: M, memory_format: Any) -> M:
    """The module itself: convolutions here read weights of any layout at one speed."""
    return module


def convert_conv3d_weight_memory_format(module: M, memory_format: Any) -> M:
    """The module itself, as `convert_conv2d_weight_memory_format`."""
    return module
