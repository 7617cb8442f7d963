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

from . import functional
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

__all__ = ["backward", "grad", "no_grad", "enable_grad", "set_grad_enabled", "inference_mode",
           "is_grad_enabled", "is_inference_mode_enabled", "detect_anomaly", "set_detect_anomaly",
           "Function", "functional", "gradcheck", "gradgradcheck",
           "Variable"]


def Variable(data: Any, requires_grad: bool = False) -> Any:  # noqa: N802 - PyTorch's name
    """A leaf in the memory of a Tensor: what programs wrote before Tensors had gradients."""
    return data.detach().requires_grad_(requires_grad)
