"""Dropout as modules: random zeros while training, the input unchanged in evaluation."""

from __future__ import annotations

from typing import Any

from .. import ops
from ..tensors.tensor import Tensor
from . import functional
from .function_module import FunctionModule


class DropoutModule(FunctionModule):
    """The base class of all kinds of dropout: zeros with probability p while training.

    The other values are scaled by 1 / (1 - p), which keeps their expectation. `inplace` writes
    into the input.

    Raises:
        ValueError: p is not in [0, 1].
    """

    p: float = 0.5
    inplace: bool = False

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        if not 0 <= self.p <= 1:
            raise ValueError(f"{type(self).__name__}: the probability p must be in [0, 1], got "
                             f"{self.p}")

    def forward(self, input: Tensor) -> Tensor:
        drop = getattr(functional, self.function)
        if not self.inplace:
            return drop(input, self.p, self.training)
        return ops.in_place(lambda x: drop(x, self.p, self.training), f"{self.function}_")(input)


class Dropout(DropoutModule, function="dropout"):
    """Sets each element to 0 with probability p and scales the others by 1 / (1 - p).

    Shapes: (*) -> (*). Srivastava et al. 2014.

    Raises:
        ValueError: p is not in [0, 1].
    """


class Dropout1d(DropoutModule, function="dropout1d"):
    """Sets whole channels to 0, as `Dropout`. Shapes: (N, C, L) or (C, L) -> the same.

    Tompson et al. 2015.
    """


class Dropout2d(DropoutModule, function="dropout2d"):
    """Sets whole channels to 0, as `Dropout1d`. Shapes: (N, C, H, W) or (C, H, W) -> the same."""


class Dropout3d(DropoutModule, function="dropout3d"):
    """Sets whole channels to 0, as `Dropout1d`. Shapes: (N, C, D, H, W) or (C, D, H, W) -> same."""


class AlphaDropout(DropoutModule, function="alpha_dropout"):
    """Dropout that keeps mean 0 and variance 1, for networks of SELUs. Shapes: (*) -> (*).

    Klambauer et al. 2017. Errors as `Dropout`.
    """


class FeatureAlphaDropout(DropoutModule, function="feature_alpha_dropout"):
    """`AlphaDropout` of whole channels. Shapes: (N, C, *) -> the same."""
