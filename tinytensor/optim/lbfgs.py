"""L-BFGS, with a line search for the strong Wolfe conditions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from ..arrays import Array
from ..arrays.devices import array_module, on
from ..autograd import versions
from ..autograd.graph import tensor_of
from ..autograd.modes import enable_grad, no_grad
from ..tensors.creation import number_of
from ..tensors.tensor import Tensor
from .optimizer import Optimizer, check_at_least_zero

DECREASE = 1e-4  # c₁ of the Wolfe conditions: the required share of the predicted decrease
FLATNESS = 0.9  # c₂: the largest allowed share of the initial slope
MIN_CURVATURE = 1e-10  # pairs with less are not stored, so the Hessian stays positive


class LBFGS(Optimizer):
    """A quasi-Newton method. The inverse Hessian H follows from the last history_size steps:

        s = p - p_before,  y = g - g_before   for each step, and ρ = 1 / (y·s)
        H ← (1 - ρ s yᵀ) H (1 - ρ y sᵀ) + ρ s sᵀ   for each, from the last (y·s) / (y·y) on
        d = -H g                              computed without forming H
        p ← p + t d                           where t is lr, or comes from the line search

    One `step` runs up to max_iter iterations and evaluates the closure up to max_eval times. It
    stops early if no gradient exceeds tolerance_grad, or the loss or the parameters change by less
    than tolerance_change. All parameters form one vector, so there is only one group.

    Nocedal and Wright 2006, algorithms 7.4 and 7.5, and 3.5 and 3.6 (strong_wolfe).

    Args:
        max_eval: 5/4 max_iter by default.
        line_search_fn: "strong_wolfe" or None.

    Raises:
        ValueError: lr is negative, there are several groups, or there are no parameters.
    """

    def __init__(self, params: Iterable[Any], lr: float = 1, max_iter: int = 20,
                 max_eval: int | None = None, tolerance_grad: float = 1e-7,
                 tolerance_change: float = 1e-9, history_size: int = 100,
                 line_search_fn: str | None = None):
        check_at_least_zero(**{"learning rate": float(lr)})
        super().__init__(params, {
            "lr": lr, "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad, "tolerance_change": tolerance_change,
            "history_size": history_size, "line_search_fn": line_search_fn})

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        if self.param_groups:
            raise ValueError("LBFGS: all parameters form one vector, so there can be only one "
                             "parameter group; pass them as one list")
        super().add_param_group(param_group)

    def step(self, closure: Callable[[], Any]) -> Any:  # type: ignore[override]
        """Runs up to max_iter iterations.

        Args:
            closure: sets the gradients to zero, computes the loss, calls backward and returns it.

        Returns:
            the loss before the step.

        Raises:
            RuntimeError: line_search_fn is unknown.
        """
        group = self.param_groups[0]
        searching = group["line_search_fn"] is not None
        if searching and group["line_search_fn"] != "strong_wolfe":
            raise RuntimeError("LBFGS: line_search_fn must be 'strong_wolfe' or None, got "
                               f"{group['line_search_fn']!r}")
        with no_grad():
            return on(group["params"][0].device, self._minimise, closure, group, searching)

    def _minimise(self, _: Any, closure: Callable[[], Any], group: dict[str, Any],
                  searching: bool) -> Any:
        state = self.state[group["params"][0]]  # the first parameter holds it all
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        last_evaluation = state["func_evals"] + group["max_eval"]
        tolerance = group["tolerance_change"]

        def evaluate() -> tuple[Any, Array]:
            state["func_evals"] += 1
            with enable_grad():
                loss = closure()
            return loss, self._gradient()

        def trial(t: float) -> Trial:
            """The loss and gradient at p + t d. The parameters are restored."""
            before = [p._array.copy() for p in group["params"]]
            self._move(t, d)
            loss, gradient = evaluate()
            for p, values in zip(group["params"], before, strict=True):
                self._write(p, values)
            return Trial(t, float(number_of(loss)), gradient, float(gradient.dot(d)))

        first_loss, gradient = evaluate()
        loss = float(number_of(first_loss))
        if _largest(gradient) <= group["tolerance_grad"]:
            return first_loss
        for iteration in range(1, group["max_iter"] + 1):
            state["n_iter"] += 1
            d = self._direction(gradient, state, group["history_size"])
            t = float(group["lr"])
            if state["n_iter"] == 1:  # H has no scale yet
                t *= 1.0 / max(1.0, float(abs(gradient).sum()))
            state.update(d=tensor_of(d, None), t=t, prev_loss=loss,
                         prev_flat_grad=tensor_of(gradient, None))
            slope = float(gradient.dot(d))
            if slope > -tolerance:
                break
            if searching:
                t, loss, gradient, _ = strong_wolfe(
                    trial, Trial(0.0, loss, gradient, slope), t, _largest(d), tolerance,
                    last_evaluation - state["func_evals"])
                state["t"] = t
            self._move(t, d)
            if iteration == group["max_iter"]:
                break
            if not searching:
                new_loss, gradient = evaluate()
                loss = float(number_of(new_loss))
            if (state["func_evals"] >= last_evaluation
                    or _largest(gradient) <= group["tolerance_grad"]
                    or _largest(t * d) <= tolerance
                    or abs(loss - state["prev_loss"]) < tolerance):
                break
        return first_loss

    def _direction(self, gradient: Array, state: dict[str, Any], history_size: int) -> Array:
        """Stores the last pair and returns -H g, by the two loops of algorithm 7.4."""
        if state["n_iter"] == 1:
            state.update(old_dirs=[], old_stps=[], ro=[], H_diag=1.0)
            return -gradient
        y = gradient - state["prev_flat_grad"]._array
        s = state["d"]._array * float(state["t"])
        history = state["old_dirs"], state["old_stps"], state["ro"]
        curvature = float(y.dot(s))
        if curvature > MIN_CURVATURE:
            pair = tensor_of(y, None), tensor_of(s, None), 1.0 / curvature
            for values, new in zip(history, pair, strict=True):
                values.append(new)
                del values[:max(len(values) - history_size, 0)]
            state["H_diag"] = curvature / float(y.dot(y))
        pairs = [(y._array, s._array, float(rho)) for y, s, rho in zip(*history, strict=True)]
        d, alphas = -gradient, []
        for y, s, rho in reversed(pairs):
            alphas.append(rho * s.dot(d))
            d -= alphas[-1] * y
        d *= float(state["H_diag"])
        for y, s, rho in pairs:
            d += (alphas.pop() - rho * y.dot(d)) * s
        return d

    def _gradient(self) -> Array:
        """A copy of the gradients of all parameters, as one vector."""
        params = self.param_groups[0]["params"]
        xp = array_module(params[0]._array)
        return xp.concatenate([
            (xp.zeros_like(p._array) if p.grad is None else p.grad._array).reshape(-1)
            for p in params])

    def _move(self, t: float, d: Array) -> None:
        """p ← p + t d"""
        start = 0
        for p in self.param_groups[0]["params"]:
            part = d[start:start + p._array.size].reshape(p._array.shape)
            self._write(p, p._array + t * part)
            start += p._array.size

    def _write(self, parameter: Tensor, values: Array) -> None:
        parameter._array[...] = values
        versions.note_write(parameter._array, "LBFGS.step")


def _largest(x: Array) -> float:
    return float(abs(x).max())


# ---------------------------------------------------------------- line search


class Trial(NamedTuple):
    """A point t along the direction: the loss, its gradient, and its slope in that direction."""

    t: float
    loss: float
    gradient: Array
    slope: float


def strong_wolfe(at: Callable[[float], Trial], start: Trial, t: float, size: float,
                 tolerance: float, max_trials: int) -> Trial:
    """A point that fulfils the strong Wolfe conditions, beginning the search at t:

        loss(t) <= loss(0) + c₁ t slope(0)  and  |slope(t)| <= c₂ |slope(0)|

    Returns the best point so far after max_trials trials, or when the interval times `size`, the
    largest change of a parameter in it, is below the tolerance.

    Nocedal and Wright 2006, algorithms 3.5 (the search for an interval) and 3.6 (the choice in it).
    """
    def too_high(trial: Trial) -> bool:
        return trial.loss > start.loss + DECREASE * trial.t * start.slope

    def flat(trial: Trial) -> bool:
        return abs(trial.slope) <= -FLATNESS * start.slope

    previous, trial, tries = start, at(t), 0
    while tries < max_trials:
        risen = too_high(trial) or (tries > 1 and trial.loss >= previous.loss)
        if not risen and flat(trial):
            return trial
        if risen or trial.slope >= 0:
            break  # a minimum is between the last two
        farther = cubic_minimum(previous, trial, trial.t + 0.01 * (trial.t - previous.t),
                                trial.t * 10)
        previous, trial, tries = trial, at(farther), tries + 1
    else:
        previous = start

    bracket = [previous, trial]
    low = lower_of(bracket)
    slow = False  # whether the previous trial was close to an end of the interval
    while tries < max_trials:
        left, right = sorted(end.t for end in bracket)
        if (right - left) * size < tolerance:
            break
        t, margin = cubic_minimum(bracket[0], bracket[1], left, right), 0.1 * (right - left)
        close = min(right - t, t - left) < margin
        if close and (slow or not left < t < right):
            t = right - margin if right - t < t - left else left + margin
            close = False
        slow = close
        trial, tries = at(t), tries + 1
        if too_high(trial) or trial.loss >= bracket[low].loss:
            bracket[1 - low] = trial
            low = lower_of(bracket)
        elif flat(trial):
            return trial
        else:
            if trial.slope * (bracket[1 - low].t - bracket[low].t) >= 0:
                bracket[1 - low] = bracket[low]
            bracket[low] = trial
    return bracket[low]


def lower_of(bracket: list[Trial]) -> int:
    """The index of the end with the smaller loss."""
    return 0 if bracket[0].loss <= bracket[1].loss else 1


def cubic_minimum(a: Trial, b: Trial, least: float, most: float) -> float:
    """The minimiser, within bounds, of the cubic through two points with the given slopes.

    The middle of the bounds if the cubic has no minimum. Nocedal and Wright 2006, equation 3.59.
    """
    if b.t < a.t:
        a, b = b, a
    if a.t == b.t:
        return (least + most) / 2
    d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t)
    square = d1 * d1 - a.slope * b.slope
    if not square >= 0:  # NaN too
        return (least + most) / 2
    d2 = math.sqrt(square)
    bend = b.slope - a.slope + 2 * d2
    if bend == 0:  # a line, or a parabola that opens downwards: no minimum
        return most if a.slope + b.slope < 0 else least
    return min(max(b.t - (b.t - a.t) * ((b.slope + d2 - d1) / bend), least), most)
