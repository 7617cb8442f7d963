"""scalar: automatic differentiation and neural networks on single numbers.

A Value is one number that records the operation that computed it; `backward` goes through these
records and computes the gradient of each number. `engine.py` does that in less than 200 lines.
`nn`, `functional` and `optim` train models, `draw_dot` draws graphs, and `gradcheck` checks their
gradients. Only Python's standard library is needed. Programs written for micrograd run with
`scalar` in place of `micrograd`.
"""

import random

from . import functional, nn, optim
from .draw import draw_dot
from .engine import Value, topological_order
from .functional import max, min
from .gradcheck import gradcheck

__all__ = ["Value", "draw_dot", "functional", "gradcheck", "manual_seed", "max", "min", "nn",
           "optim", "topological_order"]


def manual_seed(seed: int) -> None:
    """Seeds Python's `random`, which draws the initial weights."""
    random.seed(seed)
