"""Stochastic gradient descent, with momentum."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..autograd.engine import tensor_of
from ..tensor import Tensor
from .optimizer import Optimizer, blocks, check_at_least_zero, direction


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

    def _update(self, parameter: Tensor, grad: Any, state: dict[str, Any],
                group: dict[str, Any]) -> None:
        momentum = group["momentum"]
        if not momentum:
            for p, g in blocks(parameter._array, grad):
                p -= float(group["lr"]) * direction(p, g, group)
            return
        first = state.get("momentum_buffer") is None
        if first:
            state["momentum_buffer"] = tensor_of(grad.copy(), None)
        for p, g, v in blocks(parameter._array, grad, state["momentum_buffer"]._array):
            g = direction(p, g, group)
            if first:
                v[...] = g
            else:
                v *= momentum
                v += g if not group["dampening"] else (1 - group["dampening"]) * g
            p -= float(group["lr"]) * (g + momentum * v if group["nesterov"] else v)
