"""Muon."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from ..arrays import Array
from .optimizer import Optimizer, average, check_at_least_zero, for_each, state_arrays

Coefficients = tuple[float, float, float]


class Muon(Optimizer):
    """Momentum with orthogonalised steps, for the weight matrices of hidden layers:

        m ← momentum m + (1 - momentum) g
        u ← momentum m + (1 - momentum) g          (u ← m without nesterov)
        p ← (1 - lr weight_decay) p - lr r · orthogonal(u)

    orthogonal(u) moves the singular values of u to about 1 by ns_steps steps of the Newton-Schulz
    iteration x ← a x + (b x xᵀ + c (x xᵀ)²) x, where ns_coefficients is (a, b, c). r is
    sqrt(max(1, rows / columns)), or 0.2 sqrt(max(rows, columns)) with
    adjust_lr_fn="match_rms_adamw".

    Use AdamW for embeddings, biases and the last layer. PyTorch iterates in bfloat16; here the
    iteration has the dtype of the parameter. Jordan et al. 2024; Liu et al. 2025 (match_rms_adamw).

    Raises:
        ValueError: an option is negative, adjust_lr_fn is unknown, ns_steps is 100 or more, a
            parameter does not have 2 dims, or there are no parameters.
    """

    def __init__(self, params: Iterable[Any], lr: float = 1e-3, weight_decay: float = 0.1,
                 momentum: float = 0.95, nesterov: bool = True,
                 ns_coefficients: Coefficients = (3.4445, -4.775, 2.0315), eps: float = 1e-7,
                 ns_steps: int = 5, adjust_lr_fn: str | None = None):
        check_at_least_zero(**{"learning rate": float(lr), "momentum value": momentum,
                               "weight_decay value": weight_decay})
        if adjust_lr_fn not in (None, "original", "match_rms_adamw"):
            raise ValueError(f"Invalid adjust_lr_fn: {adjust_lr_fn!r}; it must be 'original' or "
                             "'match_rms_adamw'")
        if ns_steps >= 100:
            raise ValueError(f"Invalid ns_steps: {ns_steps}; about 5 are enough")
        super().__init__(params, {
            "lr": lr, "weight_decay": weight_decay, "momentum": momentum, "nesterov": nesterov,
            "ns_coefficients": ns_coefficients, "eps": eps, "ns_steps": ns_steps,
            "adjust_lr_fn": adjust_lr_fn})

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """As `Optimizer.add_param_group`, for Tensors with 2 dims.

        Raises:
            ValueError: a Tensor does not have 2 dims. The optimizer has not changed.
        """
        super().add_param_group(param_group)
        wrong = [tuple(p.shape) for p in self.param_groups[-1]["params"] if p.ndim != 2]
        if wrong:
            self.param_groups.pop()
            raise ValueError(f"Muon: parameters must have 2 dims, got shape {wrong[0]}; use AdamW "
                             "for the others")

    def _prepare(self, array: Array, grad: Array, state: dict[str, Any],
                 group: dict[str, Any]) -> tuple[Any, ...]:
        return array, grad, *state_arrays(state, array, "momentum_buffer")

    @staticmethod
    def _formulas(xp: Any, group: dict[str, Any], parameter: Array, grad: Array,
                  mean: Array) -> None:
        momentum, lr = float(group["momentum"]), float(group["lr"])
        average(mean, grad, momentum, xp.empty_like(mean))
        update = grad + (mean - grad) * momentum if group["nesterov"] else mean
        rows, columns = parameter.shape
        ratio = math.sqrt(max(1.0, rows / columns))
        if group["adjust_lr_fn"] == "match_rms_adamw":
            ratio = 0.2 * math.sqrt(max(rows, columns))
        parameter *= 1 - lr * group["weight_decay"]
        parameter -= lr * ratio * _orthogonal(xp, update, group["ns_coefficients"],
                                              group["ns_steps"], group["eps"])

    update = for_each("Muon", _formulas)


def _orthogonal(xp: Any, matrix: Array, coefficients: Coefficients, steps: int,
                eps: float) -> Array:
    """The matrix with its singular values moved to about 1."""
    a, b, c = map(float, coefficients)
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix  # x xᵀ is the smaller of the two products
    x = x / max(float(xp.sqrt((x * x).sum())), eps)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return x.T if tall else x
