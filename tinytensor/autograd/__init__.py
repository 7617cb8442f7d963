"""Automatic differentiation: PyTorch's `torch.autograd`, and the engine below it.

engine.py      the graph and the walk back through it
gradients.py   backward and grad: where a walk begins and ends
op.py          what an operation is, and the table of all of them
compiler.py    the plumbing of each op, written out once
versions.py    what makes an overwritten value an error
modes.py       no_grad, detect_anomaly and their relatives
function.py    operations with a backward of the user's own
functional.py  Jacobians, Hessians and their products with vectors
gradcheck.py   derivatives against finite differences
"""

from typing import Any

from . import engine, functional
from .function import Function
from .gradcheck import gradcheck, gradgradcheck
from .gradients import backward, grad
from .modes import (
    detect_anomaly,
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_detect_anomaly,
    set_grad_enabled,
)
from .versions import warn

__all__ = ["backward", "grad", "no_grad", "enable_grad", "set_grad_enabled", "inference_mode",
           "is_grad_enabled", "is_inference_mode_enabled", "detect_anomaly", "set_detect_anomaly",
           "Function", "functional", "gradcheck", "gradgradcheck",
           "Variable"]


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
        return isinstance(x, engine.Tensor)


class Variable(metaclass=VariableType):
    """Variable(data, requires_grad=False): a leaf in the memory of a Tensor, which is what programs
    wrote before Tensors had gradients.
    """
