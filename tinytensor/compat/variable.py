"""`autograd.Variable`: the class that PyTorch programs wrapped Tensors in until version 0.4."""

from __future__ import annotations

from typing import Any

from ..autograd.frames import warn
from ..tensors.tensor import Tensor


class VariableType(type):
    """Every Tensor is a Variable."""

    def __call__(cls, data: Any, requires_grad: bool = False,  # type: ignore[override]
                 volatile: Any = None) -> Any:
        if not isinstance(data, cls):
            raise TypeError(f"Variable: data must be a Tensor, got {type(data).__name__}; write "
                            "tensor(...) around it")
        if volatile is not None:
            warn("Variable: volatile has no effect; write `with no_grad():` around what is not to "
                 "be recorded")
        return data.detach().requires_grad_(requires_grad)  # type: ignore[attr-defined]

    def __instancecheck__(cls, x: Any) -> bool:
        return isinstance(x, Tensor)


class Variable(metaclass=VariableType):
    """Variable(data, requires_grad=False): a leaf that shares the memory of a Tensor."""
