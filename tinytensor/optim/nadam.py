"""NAdam."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..arrays import Array
from ..tensors.creation import tensor
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


class NAdam(Optimizer):
    """`Adam` with Nesterov momentum, which grows from β₁ / 2 to β₁:

        g ← gradient + weight_decay p                   (its negative with maximize)
        m ← β₁ m + (1 - β₁) g
        v ← β₂ v + (1 - β₂) g²
        μₜ = β₁ (1 - 0.96^(t momentum_decay) / 2)       in step t
        m̂ = μₜ₊₁ m / (1 - μ₁ ⋯ μₜ₊₁) + (1 - μₜ) g / (1 - μ₁ ⋯ μₜ)
        p ← p - lr m̂ / (sqrt(v / (1 - β₂ᵗ)) + eps)

    With decoupled_weight_decay, p ← (1 - lr weight_decay) p replaces the weight_decay above.

    Dozat 2016, algorithm 2.

    Raises:
        ValueError: an option is negative, betas are not in [0, 1), or there are no parameters.
    """

    def __init__(self, params: Iterable[Any], lr: float = 2e-3,
                 betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 0, momentum_decay: float = 4e-3,
                 decoupled_weight_decay: bool = False, *, foreach: bool | None = None,
                 maximize: bool = False, capturable: bool = False, differentiable: bool = False):
        check_at_least_zero(**{"learning rate": float(lr), "epsilon value": eps,
                               "weight_decay value": weight_decay,
                               "momentum_decay value": momentum_decay})
        check_betas(betas)
        super().__init__(params, {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay,
            "momentum_decay": momentum_decay, "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize, "foreach": foreach, "capturable": capturable,
            "differentiable": differentiable})

    def _prepare(self, array: Array, grad: Array, state: dict[str, Any],
                 group: dict[str, Any]) -> tuple[Any, ...]:
        step, lr = count_step(state), float(group["lr"])
        beta1, beta2 = map(float, group["betas"])
        mu, next_mu = (beta1 * (1 - 0.5 * 0.96 ** (t * group["momentum_decay"]))
                       for t in (step, step + 1))
        if "mu_product" not in state:
            state["mu_product"] = tensor(1.0, device="cpu")
        state["mu_product"]._array *= mu
        product = float(state["mu_product"]._array)
        of_g, of_m = lr * (1 - mu) / (1 - product), lr * next_mu / (1 - product * next_mu)
        return (array, grad, *state_arrays(state, array, "exp_avg", "exp_avg_sq"), of_g, of_m,
                1 - beta2**step)

    @staticmethod
    def _formulas(xp: Any, group: dict[str, Any], parameter: Array, grad: Array, mean: Array,
                  square: Array, of_g: float, of_m: float, correction: float) -> None:
        beta1, beta2 = map(float, group["betas"])
        for p, g, m, v in blocks(parameter, grad, mean, square):
            g = direction(p, g, group)
            root = xp.empty_like(p)
            average(m, g, beta1, root)
            average_square(v, g, beta2, root)
            xp.divide(v, correction, out=root)
            xp.sqrt(root, out=root)
            root += group["eps"]
            work = m * of_m
            work += of_g * g
            work /= root
            p -= work

    update = for_each("NAdam", _formulas)
