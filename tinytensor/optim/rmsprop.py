"""RMSprop."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..devices import array_module
from ..tensor import Tensor
from .optimizer import (
    Optimizer,
    average,
    average_square,
    blocks,
    check_at_least_zero,
    count_step,
    direction,
    state_arrays,
)


class RMSprop(Optimizer):
    """Gradients divided by the root of the mean of their squares:

        g ← gradient + weight_decay p        (its negative with maximize)
        v ← α v + (1 - α) g²                 the mean of the squares
        b ← momentum b + g / (sqrt(v) + eps)
        p ← p - lr b

    With centered, m ← α m + (1 - α) g is kept too, and v - m², the variance, takes the place of v
    in the third line.

    Tieleman and Hinton 2012, lecture 6.5; Graves 2013, section 4.1 (centered). The root is taken
    before eps is added.

    Raises:
        ValueError: a negative option; no parameters.
    """

    def __init__(self, params: Iterable[Any], lr: float = 1e-2, alpha: float = 0.99,
                 eps: float = 1e-8, weight_decay: float = 0, momentum: float = 0,
                 centered: bool = False, capturable: bool = False, foreach: bool | None = None,
                 maximize: bool = False, differentiable: bool = False):
        """`capturable`, `foreach` and `differentiable` choose among implementations in PyTorch;
        here there is one, and a step is no part of a graph."""
        check_at_least_zero(**{"learning rate": float(lr), "epsilon value": eps,
                               "momentum value": momentum, "weight_decay value": weight_decay,
                               "alpha value": alpha})
        super().__init__(params, {
            "lr": lr, "momentum": momentum, "alpha": alpha, "eps": eps, "centered": centered,
            "weight_decay": weight_decay, "maximize": maximize})

    def _update(self, parameter: Tensor, grad: Any, state: dict[str, Any],
                group: dict[str, Any]) -> None:
        array = parameter._array
        xp = array_module(array)
        count_step(state)
        lr, alpha, momentum = float(group["lr"]), group["alpha"], group["momentum"]
        arrays = state_arrays(state, array, "square_avg",
                              *["grad_avg"] * group["centered"],
                              *["momentum_buffer"] * (momentum > 0))
        for p, g, v, *others in blocks(array, grad, *arrays):
            g = direction(p, g, group)
            work = xp.empty_like(p)
            average_square(v, g, alpha, work)
            if group["centered"]:
                average(others[0], g, alpha, work)
                xp.multiply(others[0], others[0], out=work)
                v = xp.subtract(v, work, out=work)
            xp.sqrt(v, out=work)
            work += group["eps"]
            xp.divide(g, work, out=work)
            if momentum > 0:
                buffer = others[-1]
                buffer *= momentum
                buffer += work
                xp.multiply(buffer, lr, out=work)
            else:
                work *= lr
            p -= work
