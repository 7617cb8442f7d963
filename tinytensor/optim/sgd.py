"""Stochastic gradient descent, with momentum."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..autograd.graph import tensor_of
from .optimizer import Optimizer, blocks, check_at_least_zero, direction, for_each


class SGD(Optimizer):
    """Gradient descent: p ← p - lr v, where

        g ← gradient + weight_decay p       (its negative with maximize)
        v ← momentum v + (1 - dampening) g  (g itself in the first step, and without momentum)
        v ← g + momentum v                  in its place with nesterov

    Robbins and Monro 1951; Polyak 1964; Sutskever et al. 2013 in the form that PyTorch uses.

    Raises:
        ValueError: a negative option; nesterov without momentum or with dampening; no parameters.
    """

    def __init__(self, params: Iterable[Any], lr: float = 1e-3, momentum: float = 0,
                 dampening: float = 0, weight_decay: float = 0, nesterov: bool = False, *,
                 maximize: bool = False, foreach: bool | None = None, differentiable: bool = False,
                 fused: bool | None = None):
        """`foreach`, `differentiable` and `fused` choose among implementations in PyTorch; here
        there is one, and a step is no part of a graph."""
        check_at_least_zero(**{"learning rate": float(lr), "momentum value": momentum,
                               "weight_decay value": weight_decay})
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        super().__init__(params, {
            "lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay,
            "nesterov": nesterov, "maximize": maximize})

    def _prepare(self, array: Any, grad: Any, state: dict[str, Any],
                 group: dict[str, Any]) -> tuple[Any, ...]:
        if not group["momentum"]:
            return array, grad, None, False
        first = state.get("momentum_buffer") is None
        if first:
            state["momentum_buffer"] = tensor_of(grad.copy(), None)
        return array, grad, state["momentum_buffer"]._array, first

    @staticmethod
    def _formulas(xp: Any, group: dict[str, Any], parameter: Any, grad: Any, buffer: Any,
                  first: bool) -> None:
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
