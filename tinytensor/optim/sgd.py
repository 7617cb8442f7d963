"""SGD."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..arrays import Array
from ..autograd.graph import tensor_of
from .optimizer import Optimizer, blocks, check_at_least_zero, direction, for_each


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum:

        g ← gradient + weight_decay p       (its negative with maximize)
        v ← momentum v + (1 - dampening) g  (v ← g in the first step or if momentum is 0)
        p ← p - lr v                        (p ← p - lr (g + momentum v) with nesterov)

    Robbins and Monro 1951; Polyak 1964; Sutskever et al. 2013 in the form that PyTorch uses.

    Raises:
        ValueError: an option is negative, nesterov is used without momentum or with dampening, or
            there are no parameters.
    """

    def __init__(self, params: Iterable[Any], lr: float = 1e-3, momentum: float = 0,
                 dampening: float = 0, weight_decay: float = 0, nesterov: bool = False, *,
                 maximize: bool = False, foreach: bool | None = None, differentiable: bool = False,
                 fused: bool | None = None):
        check_at_least_zero(**{"learning rate": float(lr), "momentum value": momentum,
                               "weight_decay value": weight_decay})
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening, got "
                             f"momentum={momentum} and dampening={dampening}")
        super().__init__(params, {
            "lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay,
            "nesterov": nesterov, "maximize": maximize, "foreach": foreach,
            "differentiable": differentiable, "fused": fused})

    def _can_be_captured(self, group: dict[str, Any]) -> bool:
        return True

    def _prepare(self, array: Array, grad: Array, state: dict[str, Any],
                 group: dict[str, Any]) -> tuple[Any, ...]:
        if not group["momentum"]:
            return array, grad, None, False
        first = state.get("momentum_buffer") is None
        if first:
            state["momentum_buffer"] = tensor_of(grad.copy(), None)
        return array, grad, state["momentum_buffer"]._array, first

    @staticmethod
    def _formulas(xp: Any, group: dict[str, Any], parameter: Array, grad: Array,
                  buffer: Array | None, first: bool) -> None:
        momentum, dampening = group["momentum"], group["dampening"]
        for p, g, *v in blocks(parameter, grad, *[buffer] * (buffer is not None)):
            g = direction(p, g, group)
            for velocity in v:  # one, or none
                if first:
                    velocity[...] = g
                else:
                    velocity *= momentum
                    velocity += g if not dampening else (1 - dampening) * g
                g = g + momentum * velocity if group["nesterov"] else velocity
            p -= float(group["lr"]) * g

    update = for_each("SGD", _formulas)
