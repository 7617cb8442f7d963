"""Adafactor."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from ..arrays import Array
from ..arrays.devices import array_module
from ..arrays.dispatch import Dispatch
from ..arrays.dtypes import finfo
from ..autograd.graph import tensor_of
from .optimizer import Optimizer, check_at_least_zero, count_step


class Adafactor(Optimizer):
    """`Adam` without a mean of the gradients, whose mean of squares is kept for rows and columns:

        β ← 1 - tᶜ                                   in step t, c = beta2_decay
        r, c ← running means, by β, of the squared gradients over columns and over rows
        v ← r cᵀ / mean(r)                           for a vector, the running mean itself
        u ← g / max(sqrt(v), ε₁)
        a ← max(ε₂, rms(p)) min(lr, 1 / sqrt(t))
        p ← (1 - lr weight_decay) p - a u / max(1, rms(u) / d)

    The means are over the last two dims. Shazeer and Stern 2018, as PyTorch has it: lr limits the
    step, and ε₁ is the epsilon of the dtype unless eps[0] is given.

    Raises:
        ValueError: an option out of range, or no parameters.
    """

    def __init__(self, params: Iterable[Any], lr: float = 1e-2, beta2_decay: float = -0.8,
                 eps: tuple[float | None, float] = (None, 1e-3), d: float = 1.0,
                 weight_decay: float = 0.0, *, foreach: bool | None = None,
                 maximize: bool = False):
        check_at_least_zero(**{"learning rate": float(lr), "weight_decay value": weight_decay,
                               "epsilon1": eps[0] or 0.0, "epsilon2": eps[1]})
        if not beta2_decay <= 0:
            raise ValueError(f"Invalid beta2_decay: {beta2_decay}; it must be at most 0")
        if not d >= 1:
            raise ValueError(f"Invalid clipping threshold d: {d}; it must be at least 1")
        super().__init__(params, {
            "lr": lr, "beta2_decay": beta2_decay, "eps": eps, "d": d, "weight_decay": weight_decay,
            "foreach": foreach, "maximize": maximize})

    def _prepare(self, array: Array, grad: Array, state: dict[str, Any],
                 group: dict[str, Any]) -> tuple[Any, ...]:
        step, zeros = count_step(state), array_module(array).zeros
        shapes = {"variance": array.shape} if array.ndim < 2 else {
            "row_var": (*array.shape[:-1], 1), "col_var": (*array.shape[:-2], 1, array.shape[-1])}
        for name, shape in shapes.items():
            if name not in state:
                state[name] = tensor_of(zeros(shape, dtype=array.dtype), None)
        epsilon = finfo(array.dtype).eps if group["eps"][0] is None else group["eps"][0]
        return array, grad, step, epsilon, *(state[name]._array for name in shapes)

    @staticmethod
    def _formulas(xp: Any, prepared: list[tuple[Any, ...]], group: dict[str, Any]) -> None:
        rate = float(group["lr"])
        for p, g, step, epsilon, *means in prepared:
            g = -g if group["maximize"] else g
            share = step ** group["beta2_decay"]
            scale = xp.maximum(_rms(xp, p), group["eps"][1]) * min(rate, 1 / math.sqrt(step))
            if group["weight_decay"]:
                p *= 1 - rate * group["weight_decay"]
            squares = g * g
            for mean, axis in zip(means, (-1, -2) if p.ndim > 1 else (None,), strict=True):
                new = squares if axis is None else xp.mean(squares, axis=axis, keepdims=True)
                mean += share * (new - mean)
            if p.ndim > 1:
                rows, columns = means
                v = rows * columns / xp.maximum(xp.mean(rows, axis=-2, keepdims=True), epsilon)
            else:
                v = means[0]
            u = g / xp.sqrt(xp.maximum(v, epsilon * epsilon))
            p -= scale / xp.maximum(_rms(xp, u) / group["d"], 1) * u

    update = Dispatch("Adafactor", _formulas)


def _rms(xp: Any, x: Array) -> Array:
    """The root of the mean of the squares, where the array is: nothing waits for a GPU."""
    return xp.sqrt(xp.sum(xp.square(x)) / max(x.size, 1))  # type: ignore[no-any-return]
