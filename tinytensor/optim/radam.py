"""RAdam."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from ..arrays import Array
from .optimizer import (
    Optimizer,
    average,
    average_square,
    blocks,
    check_at_least_zero,
    check_betas,
    count_step,
    direction,
    for_each,
    state_arrays,
)


class RAdam(Optimizer):
    """`Adam` that uses the mean of squares only after enough steps, when its variance is small:

        g ← gradient + weight_decay p             (its negative with maximize)
        m ← β₁ m + (1 - β₁) g
        v ← β₂ v + (1 - β₂) g²
        m̂ = m / (1 - β₁ᵗ)                         in step t
        p ← p - lr m̂                              if ρₜ <= 5
        p ← p - lr r m̂ sqrt(1 - β₂ᵗ) / (sqrt(v) + eps)   otherwise

    ρₜ = ρ∞ - 2 t β₂ᵗ / (1 - β₂ᵗ), with ρ∞ = 2 / (1 - β₂) - 1, is the effective number of gradients
    in v, and r² = (ρₜ - 4) (ρₜ - 2) ρ∞ / ((ρ∞ - 4) (ρ∞ - 2) ρₜ).

    With decoupled_weight_decay, p ← (1 - lr weight_decay) p replaces the weight_decay above.

    Liu et al. 2020, algorithm 2.

    Raises:
        ValueError: an option is negative, betas are not in [0, 1), or there are no parameters.
    """

    def __init__(self, params: Iterable[Any], lr: float = 1e-3,
                 betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 0, decoupled_weight_decay: bool = False, *,
                 foreach: bool | None = None, maximize: bool = False, capturable: bool = False,
                 differentiable: bool = False):
        check_at_least_zero(**{"learning rate": float(lr), "epsilon value": eps,
                               "weight_decay value": weight_decay})
        check_betas(betas)
        super().__init__(params, {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay,
            "maximize": maximize, "foreach": foreach, "capturable": capturable,
            "decoupled_weight_decay": decoupled_weight_decay, "differentiable": differentiable})

    def _prepare(self, array: Array, grad: Array, state: dict[str, Any],
                 group: dict[str, Any]) -> tuple[Any, ...]:
        step = count_step(state)
        beta1, beta2 = map(float, group["betas"])
        rate = float(group["lr"]) / (1 - beta1**step)
        correction = 1 - beta2**step
        longest = 2 / (1 - beta2) - 1
        length = longest - 2 * step * beta2**step / correction
        trusted = length > 5
        if trusted:
            rate *= math.sqrt((length - 4) * (length - 2) * longest * correction
                              / ((longest - 4) * (longest - 2) * length))
        return array, grad, *state_arrays(state, array, "exp_avg", "exp_avg_sq"), rate, trusted

    @staticmethod
    def _formulas(xp: Any, group: dict[str, Any], parameter: Array, grad: Array, mean: Array,
                  square: Array, rate: float, trusted: bool) -> None:
        beta1, beta2 = map(float, group["betas"])
        for p, g, m, v in blocks(parameter, grad, mean, square):
            g = direction(p, g, group)
            work = xp.empty_like(p)
            average(m, g, beta1, work)
            average_square(v, g, beta2, work)
            if trusted:
                xp.sqrt(v, out=work)
                work += group["eps"]
                xp.divide(m, work, out=work)
                work *= rate
            else:
                xp.multiply(m, rate, out=work)
            p -= work

    update = for_each("RAdam", _formulas)
