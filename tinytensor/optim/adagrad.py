"""Adagrad."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..arrays import Array
from ..arrays.devices import array_module, on
from ..autograd.graph import tensor_of
from ..tensors.creation import tensor
from .optimizer import Optimizer, blocks, check_at_least_zero, count_step, direction, for_each


class Adagrad(Optimizer):
    """Divides gradients by the root of the sum of all their squares so far:

        g ← gradient + weight_decay p   (its negative with maximize)
        s ← s + g²                      s begins as initial_accumulator_value
        p ← p - lr / (1 + (t - 1) lr_decay) g / (sqrt(s) + eps)   in step t

    Duchi, Hazan and Singer 2011, figure 1 with diagonal matrices.

    Raises:
        ValueError: an option is negative, or there are no parameters.
    """

    def __init__(self, params: Iterable[Any], lr: float = 1e-2, lr_decay: float = 0,
                 weight_decay: float = 0, initial_accumulator_value: float = 0,
                 eps: float = 1e-10, foreach: bool | None = None, *, maximize: bool = False,
                 differentiable: bool = False, fused: bool | None = None):
        check_at_least_zero(**{
            "learning rate": float(lr), "lr_decay value": lr_decay,
            "weight_decay value": weight_decay,
            "initial_accumulator_value value": initial_accumulator_value, "epsilon value": eps})
        super().__init__(params, {
            "lr": lr, "lr_decay": lr_decay, "eps": eps, "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value, "foreach": foreach,
            "maximize": maximize, "differentiable": differentiable, "fused": fused})
        for group in self.param_groups:  # PyTorch's state, too, exists before the first step
            for parameter in group["params"]:
                on(parameter.device, self._start, self.state[parameter], parameter._array)

    def _start(self, xp: Any, state: dict[str, Any], array: Array) -> None:
        initial = self.defaults["initial_accumulator_value"]
        state["step"] = tensor(0.0, device="cpu")
        state["sum"] = tensor_of(xp.full_like(array, initial), None)

    def _prepare(self, array: Array, grad: Array, state: dict[str, Any],
                 group: dict[str, Any]) -> tuple[Any, ...]:
        if not state:
            self._start(array_module(array), state, array)
        rate = float(group["lr"]) / (1 + (count_step(state) - 1) * group["lr_decay"])
        return array, grad, state["sum"]._array, rate

    @staticmethod
    def _formulas(xp: Any, group: dict[str, Any], parameter: Array, grad: Array, total: Array,
                  rate: float) -> None:
        for p, g, s in blocks(parameter, grad, total):
            g = direction(p, g, group)
            work = g * g
            s += work
            xp.sqrt(s, out=work)
            work += group["eps"]
            xp.divide(g, work, out=work)
            work *= rate
            p -= work

    update = for_each("Adagrad", _formulas)
