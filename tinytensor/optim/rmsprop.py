"""RMSprop."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..arrays import Array
from .optimizer import (
    Optimizer,
    average,
    average_square,
    blocks,
    check_at_least_zero,
    count_step,
    direction,
    for_each,
    state_arrays,
)


class RMSprop(Optimizer):
    """Divides gradients by the root of a running mean of their squares:

        g ← gradient + weight_decay p        (its negative with maximize)
        v ← α v + (1 - α) g²                 the running mean of the squares
        b ← momentum b + g / (sqrt(v) + eps)
        p ← p - lr b

    With centered, the variance v - m², where m ← α m + (1 - α) g, replaces v in the third line.

    Tieleman and Hinton 2012, lecture 6.5; Graves 2013, section 4.1 (centered).

    Raises:
        ValueError: an option is negative, or there are no parameters.
    """

    def __init__(self, params: Iterable[Any], lr: float = 1e-2, alpha: float = 0.99,
                 eps: float = 1e-8, weight_decay: float = 0, momentum: float = 0,
                 centered: bool = False, capturable: bool = False, foreach: bool | None = None,
                 maximize: bool = False, differentiable: bool = False):
        check_at_least_zero(**{"learning rate": float(lr), "epsilon value": eps,
                               "momentum value": momentum, "weight_decay value": weight_decay,
                               "alpha value": alpha})
        super().__init__(params, {
            "lr": lr, "momentum": momentum, "alpha": alpha, "eps": eps, "centered": centered,
            "weight_decay": weight_decay, "capturable": capturable, "foreach": foreach,
            "maximize": maximize, "differentiable": differentiable})

    def _can_be_captured(self, group: dict[str, Any]) -> bool:
        return True

    def _prepare(self, array: Array, grad: Array, state: dict[str, Any],
                 group: dict[str, Any]) -> tuple[Any, ...]:
        count_step(state)
        square = state_arrays(state, array, "square_avg")[0]
        mean = state_arrays(state, array, "grad_avg")[0] if group["centered"] else None
        buffer = state_arrays(state, array, "momentum_buffer")[0] if group["momentum"] else None
        return array, grad, square, mean, buffer

    @staticmethod
    def _formulas(xp: Any, group: dict[str, Any], parameter: Array, grad: Array, square: Array,
                  mean: Array | None, buffer: Array | None) -> None:
        lr, alpha = float(group["lr"]), group["alpha"]
        others = [a for a in (mean, buffer) if a is not None]
        for p, g, v, *m_and_b in blocks(parameter, grad, square, *others):
            g = direction(p, g, group)
            work = xp.empty_like(p)
            average_square(v, g, alpha, work)
            if mean is not None:
                m = m_and_b[0]
                average(m, g, alpha, work)
                xp.multiply(m, m, out=work)
                v = xp.subtract(v, work, out=work)
            xp.sqrt(v, out=work)
            work += group["eps"]
            xp.divide(g, work, out=work)
            if buffer is not None:
                b = m_and_b[-1]
                b *= group["momentum"]
                b += work
                xp.multiply(b, lr, out=work)
            else:
                work *= lr
            p -= work

    update = for_each("RMSprop", _formulas)
