"""Neuron, Layer and MLP: the model of `scalar/nn.py`, on arrays.

The same names, arguments and meaning, and a state_dict with the same names and shapes, so that
weights go across in both directions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..ops.linalg import rectified_linear
from ..tensors.creation import as_tensor, empty
from ..tensors.tensor import Tensor
from . import functional, init
from .containers import ModuleList
from .module import Module
from .parameter import Parameter

# What nonlin may be, and the function it stands for.
ACTIVATIONS: dict[bool | str, str] = {
    True: "relu", False: "", "relu": "relu", "tanh": "tanh", "sigmoid": "sigmoid"}


class Layer(Module):
    """nonlin(x Wᵀ + b). Shapes: (*, nin) -> (*, nout), or (*) if nout is 1.

    W (nout, nin) begins uniform in [-1, 1), b (nout) at 0.

    Args:
        nonlin: True or "relu", "tanh", "sigmoid", or False for none.

    Raises:
        ValueError: another nonlin.
    """

    def __init__(self, nin: int, nout: int, nonlin: bool | str = True):
        super().__init__()
        self.nonlin = _checked("Layer", nonlin)
        self.weight = Parameter(init.uniform_(empty(nout, nin), -1.0, 1.0))
        self.bias = Parameter(init.zeros_(empty(nout)))

    def forward(self, x: Any) -> Tensor:
        x = _as_input(x, self.weight)
        out = rectified_linear(x, self.weight, self.bias) if ACTIVATIONS[self.nonlin] == "relu" \
            else _activated(functional.linear(x, self.weight, self.bias), self.nonlin)
        return out.squeeze(-1) if self.weight.shape[0] == 1 else out

    def extra_repr(self) -> str:
        nout, nin = self.weight.shape
        return f"{nin}, {nout}, nonlin={self.nonlin!r}"


class Neuron(Module):
    """nonlin(w · x + b). Shapes: (*, nin) -> (*). Arguments and errors as `Layer`.

    w (nin) begins uniform in [-1, 1), b () at 0.
    """

    def __init__(self, nin: int, nonlin: bool | str = True):
        super().__init__()
        self.nonlin = _checked("Neuron", nonlin)
        self.weight = Parameter(init.uniform_(empty(nin), -1.0, 1.0))
        self.bias = Parameter(init.zeros_(empty(())))

    def forward(self, x: Any) -> Tensor:
        x = _as_input(x, self.weight)
        return _activated(x @ self.weight + self.bias, self.nonlin)

    def extra_repr(self) -> str:
        return f"{self.weight.shape[0]}, nonlin={self.nonlin!r}"


class MLP(Module):
    """A multi-layer perceptron: Layers of nouts neurons each, the last one linear.

    Shapes: (*, nin) -> (*, nouts[-1]), or (*) if that is 1.
    """

    def __init__(self, nin: int, nouts: Sequence[int], nonlin: bool | str = "relu"):
        super().__init__()
        if not isinstance(nouts, list | tuple) or not nouts:
            raise TypeError("MLP: the layers' sizes must be a list, as in MLP(2, [16, 1]), "
                            f"got {nouts!r}")
        sizes = [nin, *nouts]
        last = len(nouts) - 1
        self.layers = ModuleList(
            Layer(sizes[i], sizes[i + 1], nonlin=nonlin if i < last else False)
            for i in range(len(nouts)))

    def forward(self, x: Any) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


def _checked(name: str, nonlin: bool | str) -> bool | str:
    if nonlin not in ACTIVATIONS:
        raise ValueError(f"{name}: nonlin {nonlin!r} is none of {list(ACTIVATIONS)}")
    return nonlin


def _as_input(x: Any, weight: Tensor) -> Any:
    """Lists and arrays of numbers as a Tensor, as the scalar model takes them; Tensors stay."""
    return x if isinstance(x, Tensor) else as_tensor(x, dtype=weight.dtype, device=weight.device)


def _activated(x: Any, nonlin: bool | str) -> Any:
    name = ACTIVATIONS[nonlin]
    return getattr(functional, name)(x) if name else x
