"""scalar: automatic differentiation and neural networks on single numbers.

A Value is one number that remembers the operation that made it; `backward` follows these memories
back and gives each number its gradient. `engine` does that, in 200 lines; `nn`, `functional`,
`optim` and `draw_dot` make it train and show what it does. Only Python's standard library is
needed. Programs written for micrograd run with `scalar` in place of `micrograd`.
"""

import random

from . import functional, nn, optim
from .draw import draw_dot
from .engine import Value, topological_order
from .functional import max, min

__all__ = ["Value", "draw_dot", "functional", "manual_seed", "max", "min", "nn", "optim",
           "topological_order"]


def manual_seed(seed: int) -> None:
    """Makes initial weights the same in every run: they are drawn with Python's `random`."""
    random.seed(seed)
