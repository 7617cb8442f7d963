"""Adam and AdamW."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from ..arrays import Array
from ..arrays.devices import is_gpu_array
from ..tensors.tensor import Tensor
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
    step_on_gpu,
)


class Adam(Optimizer):
    """Adaptive moment estimation: steps of about lr per element, whatever the gradient's scale:

        g ← gradient + weight_decay p   (its negative with maximize)
        m ← β₁ m + (1 - β₁) g           the running mean of the gradients
        v ← β₂ v + (1 - β₂) g²          the running mean of their squares
        p ← p - lr m̂ / (sqrt(v̂) + eps)  with m̂ = m / (1 - β₁ᵗ) and v̂ = v / (1 - β₂ᵗ) in step t

    With amsgrad, the largest v so far replaces v in v̂. With decoupled_weight_decay,
    p ← (1 - lr weight_decay) p replaces the weight_decay in the first line.

    With `capturable`, the steps of parameters on a GPU are counted there, and the host reads
    neither the count nor a learning rate that is a Tensor on the GPU: a step can then be captured
    into a CUDA graph.

    Kingma and Ba 2015, algorithm 1; Reddi, Kale and Kumar 2018 (amsgrad).

    Raises:
        ValueError: an option is negative, betas are not in [0, 1), or there are no parameters.
    """

    def __init__(self, params: Iterable[Any], lr: float = 1e-3,
                 betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 0, amsgrad: bool = False, *, foreach: bool | None = None,
                 maximize: bool = False, capturable: bool = False, differentiable: bool = False,
                 fused: bool | None = None, decoupled_weight_decay: bool = False):
        check_at_least_zero(**{"learning rate": float(lr), "epsilon value": eps,
                               "weight_decay value": weight_decay})
        check_betas(betas)
        super().__init__(params, {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad,
            "maximize": maximize, "foreach": foreach, "capturable": capturable,
            "differentiable": differentiable, "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay})

    def _can_be_captured(self, group: dict[str, Any]) -> bool:
        return bool(group.get("capturable"))

    def _prepare(self, array: Array, grad: Array, state: dict[str, Any],
                 group: dict[str, Any]) -> tuple[Any, ...]:
        if group.get("capturable") and is_gpu_array(array):
            mean, square = state_arrays(state, array, "exp_avg", "exp_avg_sq")
            top = state_arrays(state, array, "max_exp_avg_sq")[0] if group["amsgrad"] else None
            return array, grad, mean, square, top, step_on_gpu(state, array), None
        beta1, beta2 = map(float, group["betas"])
        step = count_step(state)
        # m̂ / (sqrt(v̂) + eps) = scale m / (sqrt(v) + eps correction): fewer passes over memory.
        correction = math.sqrt(1 - beta2**step)
        scale = correction / (1 - beta1**step)
        mean, square = state_arrays(state, array, "exp_avg", "exp_avg_sq")
        largest = state_arrays(state, array, "max_exp_avg_sq")[0] if group["amsgrad"] else None
        return (array, grad, mean, square, largest, float(group["lr"]) * scale,
                group["eps"] * correction)

    @staticmethod
    def _formulas(xp: Any, group: dict[str, Any], parameter: Array, grad: Array, mean: Array,
                  square: Array, largest: Array | None, rate: Any, eps: Any) -> None:
        beta1, beta2 = map(float, group["betas"])
        if eps is None:  # capturable: `rate` is the Tensor that counts the steps, on the GPU
            step = rate._array
            step += 1
            lr = group["lr"]._array if isinstance(group["lr"], Tensor) else group["lr"]
            count = step.astype(xp.float64)  # 1 - β₂ᵗ would lose digits in float32
            correction = xp.sqrt(1 - beta2**count)
            rate, eps = ((lr * correction / (1 - beta1**count)).astype(parameter.dtype),
                         (correction * group["eps"]).astype(parameter.dtype))
        arrays = [mean, square] if largest is None else [mean, square, largest]
        for p, g, m, v, *top in blocks(parameter, grad, *arrays):
            g = direction(p, g, group)
            work = xp.empty_like(p)  # the one temporary of the update
            average(m, g, beta1, work)
            average_square(v, g, beta2, work)
            if top:
                v = xp.maximum(top[0], v, out=top[0])
            xp.sqrt(v, out=work)
            work += eps
            xp.divide(m, work, out=work)
            work *= rate
            p -= work

    update = for_each("Adam", _formulas)


class AdamW(Adam):
    """`Adam` with decoupled weight decay, which acts on the parameters, not on the gradient:

        p ← (1 - lr weight_decay) p     before the step of Adam without weight_decay

    Loshchilov and Hutter 2019. Arguments and errors are those of `Adam`.
    """

    def __init__(self, params: Iterable[Any], lr: float = 1e-3,
                 betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 1e-2, amsgrad: bool = False, *, maximize: bool = False,
                 foreach: bool | None = None, capturable: bool = False,
                 differentiable: bool = False, fused: bool | None = None):
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, foreach=foreach,
                         maximize=maximize, capturable=capturable, differentiable=differentiable,
                         fused=fused, decoupled_weight_decay=True)
