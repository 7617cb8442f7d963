"""Rprop."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..arrays import Array
from ..arrays.devices import array_module
from ..autograd.graph import tensor_of
from .optimizer import (
    Optimizer,
    blocks,
    check_at_least_zero,
    count_step,
    for_each,
    state_arrays,
)


class Rprop(Optimizer):
    """Resilient propagation: each element has its own step size s, and uses only the sign of g:

        s ← η₊ s where g keeps its sign, η₋ s where it changes, clamped to step_sizes
        p ← p - s sign(g)               except where g changed its sign

    etas is (η₋, η₊). s begins as lr. It needs gradients of the whole data set, not of mini-batches.
    Riedmiller and Braun 1993.

    Raises:
        ValueError: lr is negative, etas is not 0 < η₋ < 1 < η₊, or there are no parameters.
    """

    def __init__(self, params: Iterable[Any], lr: float = 1e-2,
                 etas: tuple[float, float] = (0.5, 1.2),
                 step_sizes: tuple[float, float] = (1e-6, 50), *, capturable: bool = False,
                 foreach: bool | None = None, maximize: bool = False,
                 differentiable: bool = False):
        check_at_least_zero(**{"learning rate": float(lr)})
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}; the first must be in "
                             "(0, 1), the second greater than 1")
        super().__init__(params, {
            "lr": lr, "etas": etas, "step_sizes": step_sizes, "foreach": foreach,
            "maximize": maximize, "differentiable": differentiable, "capturable": capturable})

    def _prepare(self, array: Array, grad: Array, state: dict[str, Any],
                 group: dict[str, Any]) -> tuple[Any, ...]:
        count_step(state)
        if "step_size" not in state:
            sizes = array_module(array).full_like(array, float(group["lr"]))
            state["step_size"] = tensor_of(sizes, None)
        return array, grad, *state_arrays(state, array, "prev", "step_size")

    @staticmethod
    def _formulas(xp: Any, group: dict[str, Any], parameter: Array, grad: Array, prev: Array,
                  step_size: Array) -> None:
        less, more = map(float, group["etas"])
        for p, g, before, size in blocks(parameter, grad, prev, step_size):
            g = -g if group["maximize"] else g
            agreement = xp.sign(g * before)
            factor = xp.ones_like(size)
            xp.copyto(factor, more, where=agreement > 0)
            xp.copyto(factor, less, where=agreement < 0)
            size *= factor
            xp.clip(size, *map(float, group["step_sizes"]), out=size)
            before[...] = g
            xp.copyto(before, 0, where=agreement < 0)
            p -= xp.sign(before) * size

    update = for_each("Rprop", _formulas)
