"""Neuron, Layer and MLP: the models of `scalar/nn.py` on arrays.

Names, arguments and meaning are the same. So are the names and shapes in the state_dict, so weights
can be exchanged in both directions.
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

# The values of nonlin, each with its function in `nn.functional`.
ACTIVATIONS: dict[bool | str, str] = {
    True: "relu", False: "", "relu": "relu", "tanh": "tanh", "sigmoid": "sigmoid"}


class Layer(Module):
    """nonlin(x Wᵀ + b). Shapes: (*, nin) -> (*, nout), or (*) if nout is 1.

    W (nout, nin) begins uniform in [-1, 1), b (nout) at 0.

    Args:
        nonlin: "relu" or True, "tanh", "sigmoid", or False for a linear layer.

    Raises:
        ValueError: nonlin has another value.
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
    """nonlin(w · x + b). Shapes: (*, nin) -> (*). Arguments and errors as for `Layer`.

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
    """A multi-layer perceptron: one `Layer` for each size in nouts, the last of them linear.

    Shapes: (*, nin) -> (*, nouts[-1]), or (*) if nouts[-1] is 1.

    Raises:
        TypeError: nouts is not a list, or is empty.
        ValueError: nonlin is not one of the values that `Layer` takes.
    """

    def __init__(self, nin: int, nouts: Sequence[int], nonlin: bool | str = "relu"):
        super().__init__()
        if not isinstance(nouts, list | tuple) or not nouts:
            raise TypeError("MLP: nouts must be a list of layer sizes, as in MLP(2, [16, 1]), "
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
        raise ValueError(f"{name}: nonlin must be one of {list(ACTIVATIONS)}, got {nonlin!r}")
    return nonlin


def _as_input(x: Any, weight: Tensor) -> Tensor:
    """Lists and arrays of numbers, which the scalar model takes too, as a Tensor."""
    return x if isinstance(x, Tensor) else as_tensor(x, dtype=weight.dtype, device=weight.device)


def _activated(x: Tensor, nonlin: bool | str) -> Tensor:
    name = ACTIVATIONS[nonlin]
    return getattr(functional, name)(x) if name else x
