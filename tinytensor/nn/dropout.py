"""Dropout as modules: random zeros while training, nothing in evaluation."""

from __future__ import annotations

from typing import Any

from .. import ops
from ..tensors.tensor import Tensor
from . import functional
from .function_module import FunctionModule


class DropoutModule(FunctionModule):
    """What all kinds of dropout share.

    Raises:
        ValueError: a probability outside of [0, 1].
    """

    p: float = 0.5
    inplace: bool = False

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        if not 0 <= self.p <= 1:
            raise ValueError(f"{type(self).__name__}: the probability must be in [0, 1], got "
                             f"{self.p}")

    def forward(self, input: Tensor) -> Tensor:
        drop = getattr(functional, self.function)
        if not self.inplace:
            return drop(input, self.p, self.training)
        return ops.in_place(lambda x: drop(x, self.p, self.training), f"{self.function}_")(input)


class Dropout(DropoutModule, function="dropout"):
    """Elements become 0 with probability p, the others are scaled by 1 / (1 - p).

    Shapes: (*) -> (*). Srivastava et al. 2014.
    """

    p: float = 0.5
    inplace: bool = False


class Dropout1d(DropoutModule, function="dropout1d"):
    """Whole channels become 0 with probability p. Shapes: (N, C, L) or (C, L) -> the same.

    Tompson et al. 2015.
    """

    p: float = 0.5
    inplace: bool = False


class Dropout2d(DropoutModule, function="dropout2d"):
    """Whole channels become 0 with probability p. Shapes: (N, C, H, W) or (C, H, W) -> the same."""

    p: float = 0.5
    inplace: bool = False


class Dropout3d(DropoutModule, function="dropout3d"):
    """Whole channels become 0 with probability p. Shapes: (N, C, D, H, W) -> the same."""

    p: float = 0.5
    inplace: bool = False


class AlphaDropout(DropoutModule, function="alpha_dropout"):
    """Dropout that keeps mean 0 and variance 1, for SELU. Shapes: (*) -> (*).

    Klambauer et al. 2017.
    """

    p: float = 0.5
    inplace: bool = False


class FeatureAlphaDropout(DropoutModule, function="feature_alpha_dropout"):
    """AlphaDropout of whole channels. Shapes: (N, C, *) -> the same."""

    p: float = 0.5
    inplace: bool = False
