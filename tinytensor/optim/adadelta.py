"""Adadelta."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..arrays import Array
from .optimizer import (
    Optimizer,
    average_square,
    blocks,
    check_at_least_zero,
    count_step,
    direction,
    for_each,
    state_arrays,
)


class Adadelta(Optimizer):
    """Gradient descent with step sizes from running means of squared gradients and steps:

        g ← gradient + weight_decay p                 (its negative with maximize)
        v ← ρ v + (1 - ρ) g²                          the mean of the squared gradients
        Δ ← sqrt(u + eps) / sqrt(v + eps) g
        u ← ρ u + (1 - ρ) Δ²                          the mean of the squared steps
        p ← p - lr Δ

    Zeiler 2012, algorithm 1, where lr is 1.

    Raises:
        ValueError: an option is negative, rho is above 1, or there are no parameters.
    """

    def __init__(self, params: Iterable[Any], lr: float = 1.0, rho: float = 0.9,
                 eps: float = 1e-6, weight_decay: float = 0, foreach: bool | None = None, *,
                 capturable: bool = False, maximize: bool = False, differentiable: bool = False):
        check_at_least_zero(**{"learning rate": float(lr), "epsilon value": eps,
                               "weight_decay value": weight_decay})
        if not 0.0 <= rho <= 1.0:
            raise ValueError(f"Invalid rho value: {rho}; it must be in [0, 1]")
        super().__init__(params, {
            "lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize,
            "capturable": capturable, "foreach": foreach, "differentiable": differentiable})

    def _prepare(self, array: Array, grad: Array, state: dict[str, Any],
                 group: dict[str, Any]) -> tuple[Any, ...]:
        count_step(state)
        return array, grad, *state_arrays(state, array, "square_avg", "acc_delta")

    @staticmethod
    def _formulas(xp: Any, group: dict[str, Any], parameter: Array, grad: Array, square: Array,
                  delta_square: Array) -> None:
        lr, rho, eps = float(group["lr"]), group["rho"], group["eps"]
        for p, g, v, u in blocks(parameter, grad, square, delta_square):
            g = direction(p, g, group)
            work = xp.empty_like(p)
            average_square(v, g, rho, work)
            delta = u + eps
            xp.add(v, eps, out=work)
            delta /= work
            xp.sqrt(delta, out=delta)
            delta *= g
            average_square(u, delta, rho, work)
            delta *= lr
            p -= delta

    update = for_each("Adadelta", _formulas)
