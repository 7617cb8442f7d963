"""Linear and bilinear layers, and layers that only change the shape."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from ..tensors.creation import empty
from ..tensors.tensor import DeviceLike, DTypeLike, Tensor
from . import functional, init
from .module import Module
from .parameter import Parameter

T = TypeVar("T")


class Linear(Module):
    """x Wᵀ + b. Shapes: (*, in_features) -> (*, out_features).

    W (out_features, in_features) and b (out_features) begin uniform in ± 1 / sqrt(in_features).
    """

    bias: Parameter | None

    def __init__(self, in_features: int, out_features: int, bias: bool = True,
                 device: DeviceLike | None = None, dtype: DTypeLike | None = None):
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        self.weight = Parameter(empty(out_features, in_features, device=device, dtype=dtype))
        self.register_parameter(
            "bias", Parameter(empty(out_features, device=device, dtype=dtype)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws new weights."""
        uniform_by_fan_in(self.in_features, self.weight, self.bias)

    def forward(self, input: Tensor) -> Tensor:
        return functional.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (f"in_features={self.in_features}, out_features={self.out_features}, "
                f"bias={self.bias is not None}")


def uniform_by_fan_in(fan_in: int, *parameters: Parameter | None) -> None:
    """Uniform in ± 1 / sqrt(fan in): PyTorch's default for weights and biases of layers."""
    bound = 1 / math.sqrt(fan_in) if fan_in > 0 else 0.0
    for parameter in parameters:
        if parameter is not None:
            init.uniform_(parameter, -bound, bound)


class Bilinear(Module):
    """x1ᵀ W x2 + b for each output. Shapes: (*, in1), (*, in2) -> (*, out).

    W (out, in1, in2) and b (out) begin uniform in ± 1 / sqrt(in1).

    Raises:
        ValueError: in1_features is not positive.
    """

    bias: Parameter | None

    def __init__(self, in1_features: int, in2_features: int, out_features: int, bias: bool = True,
                 device: DeviceLike | None = None, dtype: DTypeLike | None = None):
        super().__init__()
        if in1_features <= 0:
            raise ValueError(f"Bilinear: in1_features must be positive, got {in1_features}")
        self.in1_features = in1_features
        self.in2_features = in2_features
        self.out_features = out_features
        self.weight = Parameter(empty(out_features, in1_features, in2_features, device=device,
                                      dtype=dtype))
        self.register_parameter(
            "bias", Parameter(empty(out_features, device=device, dtype=dtype)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws new weights."""
        uniform_by_fan_in(self.in1_features, self.weight, self.bias)

    def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
        return functional.bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (f"in1_features={self.in1_features}, in2_features={self.in2_features}, "
                f"out_features={self.out_features}, bias={self.bias is not None}")


class Identity(Module):
    """Returns its input. It accepts any arguments, so it can replace another layer."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__()

    def forward(self, input: T) -> T:
        return input

    if TYPE_CHECKING:  # checkers do not find a type variable through `forward`
        def __call__(self, input: T) -> T: ...  # type: ignore[override]


class Flatten(Module):
    """Joins the dims from start_dim to end_dim. Shapes: (N, *) -> (N, product of *)."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1):
        super().__init__()
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, input: Tensor) -> Tensor:
        return input.flatten(self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """Splits one dim into several. Shapes: (*, product of sizes, *) -> (*, *sizes, *)."""

    def __init__(self, dim: int, unflattened_size: Sequence[int]):
        super().__init__()
        self.dim = dim
        self.unflattened_size = unflattened_size

    def forward(self, input: Tensor) -> Tensor:
        return input.unflatten(self.dim, self.unflattened_size)

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"
