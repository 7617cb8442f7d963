"""Adamax."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..arrays import Array
from .optimizer import (
    Optimizer,
    average,
    blocks,
    check_at_least_zero,
    check_betas,
    count_step,
    direction,
    for_each,
    state_arrays,
)


class Adamax(Optimizer):
    """`Adam` with a decaying maximum of the gradients in place of the root mean square:

        g ← gradient + weight_decay p   (its negative with maximize)
        m ← β₁ m + (1 - β₁) g           the running mean of the gradients
        u ← max(β₂ u, |g| + eps)        the decaying maximum
        p ← p - lr / (1 - β₁ᵗ) m / u    in step t

    Kingma and Ba 2015, algorithm 2; eps is PyTorch's addition.

    Raises:
        ValueError: an option is negative, betas are not in [0, 1), or there are no parameters.
    """

    def __init__(self, params: Iterable[Any], lr: float = 2e-3,
                 betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 0, foreach: bool | None = None, *, maximize: bool = False,
                 differentiable: bool = False, capturable: bool = False):
        check_at_least_zero(**{"learning rate": float(lr), "epsilon value": eps,
                               "weight_decay value": weight_decay})
        check_betas(betas)
        super().__init__(params, {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "foreach": foreach,
            "maximize": maximize, "differentiable": differentiable, "capturable": capturable})

    def _prepare(self, array: Array, grad: Array, state: dict[str, Any],
                 group: dict[str, Any]) -> tuple[Any, ...]:
        rate = float(group["lr"]) / (1 - float(group["betas"][0])**count_step(state))
        return array, grad, *state_arrays(state, array, "exp_avg", "exp_inf"), rate

    @staticmethod
    def _formulas(xp: Any, group: dict[str, Any], parameter: Array, grad: Array, mean: Array,
                  largest: Array, rate: float) -> None:
        beta1, beta2 = map(float, group["betas"])
        for p, g, m, u in blocks(parameter, grad, mean, largest):
            g = direction(p, g, group)
            work = xp.empty_like(p)
            average(m, g, beta1, work)
            xp.absolute(g, out=work)
            work += group["eps"]
            u *= beta2
            xp.maximum(u, work, out=u)
            xp.divide(m, u, out=work)
            work *= rate
            p -= work

    update = for_each("Adamax", _formulas)
