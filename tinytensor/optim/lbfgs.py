"""L-BFGS, and the line search that goes with it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from ..arrays.devices import array_module, on
from ..autograd import versions
from ..autograd.graph import tensor_of
from ..autograd.modes import enable_grad, no_grad
from ..tensors.tensor import Tensor
from .optimizer import Optimizer, check_at_least_zero

DECREASE = 1e-4  # c₁ of the Wolfe conditions: the part of the promised decrease that is enough
FLATNESS = 0.9  # c₂: the part of the slope at the start that may be left
LEAST_CURVATURE = 1e-10  # pairs with less are not remembered: the Hessian stays positive


class LBFGS(Optimizer):
    """Newton's method, with an inverse Hessian H made of the last few steps and gradients.

        s = p - p_before,  y = g - g_before   the pairs that are remembered, with ρ = 1 / (y·s)
        H ← (1 - ρ s yᵀ) H (1 - ρ y sᵀ) + ρ s sᵀ   from each, onto H = (y·s) / (y·y) of the last
        d = -H g                              without a matrix being formed
        p ← p + t d                           with t = lr, or from the line search

    One `step` is up to max_iter of these and evaluates the closure up to max_eval times. It ends
    before if no gradient exceeds tolerance_grad or loss or parameters move less than
    tolerance_change. All parameters are taken as one vector: there is one group only.

    Nocedal and Wright 2006, algorithms 7.4 and 7.5, and 3.5 and 3.6 (strong_wolfe).

    Raises:
        ValueError: a negative lr; more than one group; no parameters.
    """

    def __init__(self, params: Iterable[Any], lr: float = 1, max_iter: int = 20,
                 max_eval: int | None = None, tolerance_grad: float = 1e-7,
                 tolerance_change: float = 1e-9, history_size: int = 100,
                 line_search_fn: str | None = None):
        """`max_eval` is 5/4 of max_iter if it is not given; `line_search_fn` is "strong_wolfe"
        or None."""
        check_at_least_zero(**{"learning rate": float(lr)})
        super().__init__(params, {
            "lr": lr, "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad, "tolerance_change": tolerance_change,
            "history_size": history_size, "line_search_fn": line_search_fn})

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        if self.param_groups:
            raise ValueError("LBFGS takes all parameters as one vector: it has no options for "
                             "some of them, and one parameter group only")
        super().add_param_group(param_group)

    def step(self, closure: Callable[[], Any]) -> Any:  # type: ignore[override]
        """Minimises for up to max_iter iterations.

        Args:
            closure: computes the loss anew and calls backward on it.

        Returns:
            the loss before the step.

        Raises:
            RuntimeError: a line_search_fn that does not exist.
        """
        group = self.param_groups[0]
        searching = group["line_search_fn"] is not None
        if searching and group["line_search_fn"] != "strong_wolfe":
            raise RuntimeError(f"LBFGS: the line search {group['line_search_fn']!r} is unknown; "
                               "only 'strong_wolfe' is supported")
        with no_grad():
            return on(group["params"][0].device, self._minimise, closure, group, searching)

    def _minimise(self, _: Any, closure: Callable[[], Any], group: dict[str, Any],
                  searching: bool) -> Any:
        state = self.state[group["params"][0]]  # all of it is with the first parameter
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        last_evaluation = state["func_evals"] + group["max_eval"]
        tolerance = group["tolerance_change"]

        def evaluate() -> tuple[Any, Any]:
            state["func_evals"] += 1
            with enable_grad():
                loss = closure()
            return loss, self._gradient()

        def trial(t: float) -> Trial:
            """What is there at t along d; the parameters stay where they are."""
            before = [p._array.copy() for p in group["params"]]
            self._move(t, d)
            loss, gradient = evaluate()
            for p, values in zip(group["params"], before, strict=True):
                self._write(p, values)
            return Trial(t, float(loss), gradient, float(gradient.dot(d)))

        first_loss, gradient = evaluate()
        loss = float(first_loss)
        if _largest(gradient) <= group["tolerance_grad"]:
            return first_loss
        for iteration in range(1, group["max_iter"] + 1):
            state["n_iter"] += 1
            d = self._direction(gradient, state, group["history_size"])
            t = float(group["lr"])
            if state["n_iter"] == 1:  # nothing is known of the scale yet
                t *= 1.0 / max(1.0, float(abs(gradient).sum()))
            state.update(d=tensor_of(d, None), t=t, prev_loss=loss,
                         prev_flat_grad=tensor_of(gradient, None))
            slope = float(gradient.dot(d))
            if slope > -tolerance:
                break
            if searching:
                found = strong_wolfe(trial, Trial(0.0, loss, gradient, slope), t, _largest(d),
                                     tolerance, last_evaluation - state["func_evals"])
                t, loss, gradient, _ = found
                state["t"] = t
            self._move(t, d)
            if iteration == group["max_iter"]:
                break
            if not searching:
                new_loss, gradient = evaluate()
                loss = float(new_loss)
            if (state["func_evals"] >= last_evaluation
                    or _largest(gradient) <= group["tolerance_grad"]
                    or _largest(t * d) <= tolerance
                    or abs(loss - state["prev_loss"]) < tolerance):
                break
        return first_loss

    def _direction(self, gradient: Any, state: dict[str, Any], history_size: int) -> Any:
        """-H g by the two loops of algorithm 7.4, after remembering the last pair."""
        if state["n_iter"] == 1:
            state.update(old_dirs=[], old_stps=[], ro=[], H_diag=1.0)
            return -gradient
        y = gradient - state["prev_flat_grad"]._array
        s = state["d"]._array * float(state["t"])
        history = state["old_dirs"], state["old_stps"], state["ro"]
        curvature = float(y.dot(s))
        if curvature > LEAST_CURVATURE:
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

    def _gradient(self) -> Any:
        """The gradients of all parameters as one vector, which shares no memory with them."""
        params = self.param_groups[0]["params"]
        xp = array_module(params[0]._array)
        return xp.concatenate([
            (xp.zeros_like(p._array) if p.grad is None else p.grad._array).reshape(-1)
            for p in params])

    def _move(self, t: float, d: Any) -> None:
        """p ← p + t d"""
        start = 0
        for p in self.param_groups[0]["params"]:
            part = d[start:start + p._array.size].reshape(p._array.shape)
            self._write(p, p._array + t * part)
            start += p._array.size

    def _write(self, parameter: Tensor, values: Any) -> None:
        parameter._array[...] = values
        versions.note_write(parameter._array, "LBFGS.step")


def _largest(x: Any) -> float:
    return float(abs(x).max())


# ---------------------------------------------------------------- line search


class Trial(NamedTuple):
    """A point at t along the direction, and how steep the loss is there in this direction."""

    t: float
    loss: float
    gradient: Any
    slope: float


def strong_wolfe(at: Callable[[float], Trial], start: Trial, t: float, size: float,
                 tolerance: float, most: int) -> Trial:
    """A point where the loss has decreased enough and is flat enough, beginning with t.

        loss(t) <= loss(0) + c₁ t slope(0)  and  |slope(t)| <= c₂ |slope(0)|

    The best point so far where `most` trials did not find one, or where the interval, in which
    the largest parameter moves by its length times size, became shorter than the tolerance.

    Nocedal and Wright 2006, algorithms 3.5 (the search for an interval) and 3.6 (the choice in it).
    """
    def too_high(trial: Trial) -> bool:
        return trial.loss > start.loss + DECREASE * trial.t * start.slope

    def flat(trial: Trial) -> bool:
        return abs(trial.slope) <= -FLATNESS * start.slope

    previous, trial, tries = start, at(t), 0
    while tries < most:
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
    slow = False  # whether the trial before was already close to an end of the interval
    while tries < most:
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
    """Which of the two ends has the smaller loss."""
    return 0 if bracket[0].loss <= bracket[1].loss else 1


def cubic_minimum(a: Trial, b: Trial, least: float, most: float) -> float:
    """Where the cubic with the losses and slopes of two points is smallest, within bounds.

    Their middle where it has no minimum. Nocedal and Wright 2006, equation 3.59.
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
    if bend == 0:  # no cubic but a line, or a parabola that opens downwards: it falls for ever
        return most if a.slope + b.slope < 0 else least
    return min(max(b.t - (b.t - a.t) * ((b.slope + d2 - d1) / bend), least), most)
