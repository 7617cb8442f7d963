"""Automatic differentiation: PyTorch's `torch.autograd`, and the engine below it.

The engine, to be read in this order, beside `scalar/engine.py`:

graph.py       the node: what a recorded operation leaves
op.py          an operation: a forward, a rule for each input, the call and its backward
engine.py      the topological order, and backward

What an operation needs beside:

inputs.py      the arguments of a call, and type promotion
halves.py      float16: computed in float32, rounded once
errors.py      errors in the user's words
table.py       the table of operations, and the decorators that enter functions into it
versions.py    an error where backward needs a value that was overwritten
frames.py      which line is the program's
modes.py       no_grad, detect_anomaly and their relatives

PyTorch's other names:

function.py    operations whose backward the user writes
functional.py  Jacobians, Hessians and their products with vectors
gradcheck.py   derivatives against finite differences
"""

from typing import Any

from . import functional, graph
from .engine import backward, grad
from .frames import warn
from .function import Function
from .gradcheck import gradcheck, gradgradcheck
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
        return isinstance(x, graph.Tensor)


class Variable(metaclass=VariableType):
    """Variable(data, requires_grad=False): a leaf in the memory of a Tensor, which is what programs
    wrote before Tensors had gradients.
    """
