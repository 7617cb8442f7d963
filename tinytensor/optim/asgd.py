"""Averaged stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..arrays import Array
from ..tensors.creation import tensor
from .optimizer import (
    Optimizer,
    blocks,
    check_at_least_zero,
    count_step,
    direction,
    for_each,
    state_arrays,
)


class ASGD(Optimizer):
    """Gradient descent with decreasing steps η, and a running average of the parameters:

        g ← gradient + weight_decay p              (its negative with maximize)
        p ← (1 - lambd η) p - η g
        a ← a + (p - a) μ                          the average, state[p]["ax"]
        η ← lr / (1 + lambd lr t)**alpha,  μ ← 1 / max(1, t - t0)  after step t

    Polyak and Juditsky 1992, in the form that PyTorch uses.

    Raises:
        ValueError: lr or weight_decay is negative, or there are no parameters.
    """

    def __init__(self, params: Iterable[Any], lr: float = 1e-2, lambd: float = 1e-4,
                 alpha: float = 0.75, t0: float = 1e6, weight_decay: float = 0,
                 foreach: bool | None = None, maximize: bool = False,
                 differentiable: bool = False, capturable: bool = False):
        check_at_least_zero(**{"learning rate": float(lr), "weight_decay value": weight_decay})
        super().__init__(params, {
            "lr": lr, "lambd": lambd, "alpha": alpha, "t0": t0, "weight_decay": weight_decay,
            "foreach": foreach, "maximize": maximize, "differentiable": differentiable,
            "capturable": capturable})

    def _prepare(self, array: Array, grad: Array, state: dict[str, Any],
                 group: dict[str, Any]) -> tuple[Any, ...]:
        lr, step = float(group["lr"]), count_step(state)
        eta, mu = (state[name].item() if name in state else tensor(first, device="cpu").item()
                   for name, first in (("eta", lr), ("mu", 1.0)))
        # Rounded to the default dtype, as in PyTorch, before the next step uses them.
        state["eta"] = tensor(lr / (1 + group["lambd"] * lr * step) ** group["alpha"],
                              device="cpu")
        state["mu"] = tensor(1 / max(1.0, step - group["t0"]), device="cpu")
        return array, grad, *state_arrays(state, array, "ax"), eta, mu

    @staticmethod
    def _formulas(xp: Any, group: dict[str, Any], parameter: Array, grad: Array, ax: Array,
                  eta: float, mu: float) -> None:
        for p, g, average in blocks(parameter, grad, ax):
            g = direction(p, g, group)
            p *= 1 - group["lambd"] * eta
            p -= eta * g
            average += (p - average) * mu

    update = for_each("ASGD", _formulas)
