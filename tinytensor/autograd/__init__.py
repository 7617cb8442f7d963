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
saved.py       saved_tensors_hooks: saved values that the program keeps

PyTorch's other names:

function.py    operations whose backward the user writes
batched.py     grad, also for a batch of gradients
node_hooks.py  hooks on nodes
functional.py  Jacobians, Hessians and their products with vectors
gradcheck.py   derivatives against finite differences
"""

from typing import TYPE_CHECKING

from . import functional, graph, node_hooks
from .batched import grad
from .engine import backward
from .function import Function
from .gradcheck import gradcheck, gradgradcheck
from .modes import (
    detect_anomaly,
    enable_grad,
    inference_mode,
    is_anomaly_check_nan_enabled,
    is_anomaly_enabled,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_detect_anomaly,
    set_grad_enabled,
    set_multithreading_enabled,
)
from .saved import save_on_cpu, saved_tensors_hooks
from .versions import increment_version

if TYPE_CHECKING:
    from ..compat.variable import Variable  # compat/names.py sets it

__all__ = ["backward", "grad", "no_grad", "enable_grad", "set_grad_enabled", "inference_mode",
           "is_grad_enabled", "is_inference_mode_enabled", "detect_anomaly", "set_detect_anomaly",
           "is_anomaly_enabled", "is_anomaly_check_nan_enabled", "Function", "functional", "graph",
           "gradcheck", "gradgradcheck", "set_multithreading_enabled", "Variable"]

# PyTorch's place for these; the module is the engine's.
graph.increment_version = increment_version  # type: ignore[attr-defined]
graph.saved_tensors_hooks, graph.save_on_cpu = saved_tensors_hooks, save_on_cpu  # type: ignore[attr-defined]
