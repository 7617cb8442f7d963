"""Schedulers: the learning rate of an optimizer, from step to step, under PyTorch's names.

A scheduler acts on the groups of its optimizer: it is made after it, sets the rate of the first
epoch at once, and every `step()`, after `optimizer.step()`, sets the next one. What counts as an
epoch is up to the program; several schedulers here are meant to be stepped after every batch.

In the formulas, lr₀ is the rate of a group when its first scheduler was made, and t the number of
steps of the scheduler, its `last_epoch`.
"""

from __future__ import annotations

import math
import types
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..autograd.frames import warn
from ..tensors.tensor import Tensor
from .optimizer import Optimizer

__all__ = [
    "LRScheduler", "StepLR", "MultiStepLR", "ConstantLR", "LinearLR", "ExponentialLR",
    "PolynomialLR", "LambdaLR", "MultiplicativeLR", "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts", "CyclicLR", "OneCycleLR", "SequentialLR", "ChainedScheduler",
    "ReduceLROnPlateau",
]


class LRScheduler:
    """The base class of all schedulers. A subclass defines `get_lr`, the rates of `last_epoch`.

    Args:
        optimizer: its groups are given new rates.
        last_epoch: where to go on; the groups must then have an "initial_lr". -1 begins anew.

    Raises:
        TypeError: not an Optimizer.
        KeyError: a group without "initial_lr" where last_epoch is not -1.
    """

    _is_initial = False  # whether the step that is being made sets the first rates
    _get_lr_called_within_step = False

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1):
        check_optimizer(optimizer)
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", float(group["lr"]))
            elif "initial_lr" not in group:
                raise KeyError(f"param 'initial_lr' is not specified in param_groups[{i}]: load "
                               "the optimizer's state before a scheduler that goes on, or leave "
                               "last_epoch at -1")
        self.optimizer = optimizer
        # What was stepped before the first scheduler came is no part of a schedule.
        vars(optimizer).setdefault("steps_before_schedules", optimizer.steps_taken)
        self.base_lrs = [float(group["initial_lr"]) for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._initial_step()

    def _initial_step(self) -> None:
        self._step_count = 0
        self._is_initial = True
        try:
            self.step()
        finally:
            self._is_initial = False

    def get_lr(self) -> list[float]:
        """The rates of `last_epoch`, one a group. To be called by `step` only."""
        raise NotImplementedError

    def get_last_lr(self) -> list[float]:
        """The rates that were set last, one a group."""
        return self._last_lr

    def step(self, epoch: int | None = None) -> None:
        """Goes on to the next epoch, or to the one that is given, and sets its rates."""
        optimizer: Any = self.optimizer
        if self._step_count == 1 and optimizer.steps_taken == optimizer.steps_before_schedules:
            warn("lr_scheduler.step() was called before optimizer.step(): the first learning rate "
                 "of the schedule is skipped; step the optimizer first")
        self._step_count += 1
        self._update_lr(epoch)

    def _update_lr(self, epoch: int | None = None) -> None:
        rates = self.get_lr
        if epoch is not None and hasattr(self, "_get_closed_form_lr"):
            rates = self._get_closed_form_lr
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        self._set_lr(rates)

    def _set_lr(self, rates: Callable[[], list[float]]) -> None:
        self._get_lr_called_within_step = True
        try:
            values = rates()
        finally:
            self._get_lr_called_within_step = False
        for group, lr in zip(self.optimizer.param_groups, values, strict=True):
            set_rate(group, lr)
        self._last_lr = current_rates(self.optimizer)

    def _check_within_step(self) -> None:
        if not self._get_lr_called_within_step:
            warn("get_lr() goes on from the rates that are set now; to read the last computed "
                 "rates use get_last_lr()")

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer, as plain data; it is no copy."""
        return {name: value for name, value in vars(self).items()
                if name not in ("optimizer", "_optimizer_steps")}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on where the scheduler was whose state this is. The optimizer has its own."""
        vars(self).update(state_dict)


_LRScheduler = LRScheduler  # the name by which older programs derive from it


def check_optimizer(optimizer: Any) -> None:
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")


def current_rates(optimizer: Optimizer) -> list[float]:
    return [float(group["lr"]) for group in optimizer.param_groups]


def set_rate(group: dict[str, Any], lr: float) -> None:
    """Sets the rate of a group; one that is a Tensor stays the same Tensor."""
    if isinstance(group["lr"], Tensor):
        group["lr"].fill_(lr)  # type: ignore[attr-defined]
    else:
        group["lr"] = lr


def for_each_group(name: str, optimizer: Optimizer, value: Any) -> list[Any]:
    """One value for each group, given such a list or one value for all.

    Raises:
        ValueError: a list of another length.
    """
    groups = len(optimizer.param_groups)
    if not isinstance(value, list | tuple):
        return [value] * groups
    if len(value) != groups:
        raise ValueError(f"{name} must have the same length as optimizer.param_groups: it has "
                         f"{len(value)} values, param_groups {groups}")
    return list(value)


# ---------------------------------------------------------------- one factor for all groups


class _Factor(LRScheduler):
    """Rates that are a factor times lr₀.

    `get_lr` multiplies the rates that are set by the change of this factor, so that several
    schedulers of one optimizer multiply their factors.
    """

    def _factor(self) -> float:
        """The factor of last_epoch."""
        raise NotImplementedError

    def _change(self) -> float:
        """The factor of last_epoch by that of the epoch before."""
        raise NotImplementedError

    def get_lr(self) -> list[float]:
        self._check_within_step()
        change = self._change()
        return [lr * change for lr in current_rates(self.optimizer)]

    def _get_closed_form_lr(self) -> list[float]:
        factor = self._factor()
        return [base * factor for base in self.base_lrs]


class StepLR(_Factor):
    """lr = lr₀ gammaⁿ with n = ⌊t / step_size⌋: the rate falls every step_size epochs."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1,
                 last_epoch: int = -1):
        self.step_size = step_size
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _factor(self) -> float:
        return self.gamma ** (self.last_epoch // self.step_size)

    def _change(self) -> float:
        falls = self.last_epoch != 0 and self.last_epoch % self.step_size == 0
        return self.gamma if falls else 1.0


class MultiStepLR(_Factor):
    """lr = lr₀ gammaⁿ, where n is how many of the milestones are at most t."""

    def __init__(self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1,
                 last_epoch: int = -1):
        self.milestones = Counter(milestones)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _factor(self) -> float:
        return self.gamma ** bisect_right(sorted(self.milestones.elements()), self.last_epoch)

    def _change(self) -> float:
        return self.gamma ** self.milestones[self.last_epoch]


class ConstantLR(_Factor):
    """lr = lr₀ factor in the first total_iters epochs, lr₀ after them.

    Raises:
        ValueError: a factor outside of [0, 1].
    """

    def __init__(self, optimizer: Optimizer, factor: float = 1.0 / 3, total_iters: int = 5,
                 last_epoch: int = -1):
        if not 0 <= factor <= 1:
            raise ValueError(f"ConstantLR: the factor must be between 0 and 1, got {factor}")
        self.factor = factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def _factor(self) -> float:
        return self.factor + (self.last_epoch >= self.total_iters) * (1 - self.factor)

    def _change(self) -> float:
        if self.last_epoch == 0:
            return self.factor
        return 1.0 / self.factor if self.last_epoch == self.total_iters else 1.0


class LinearLR(_Factor):
    """lr = lr₀ times a factor on the line from start_factor, at 0, to end_factor, at total_iters.

    The usual warm-up. Raises:
        ValueError: a start_factor outside of (0, 1], an end_factor outside of [0, 1].
    """

    def __init__(self, optimizer: Optimizer, start_factor: float = 1.0 / 3,
                 end_factor: float = 1.0, total_iters: int = 5, last_epoch: int = -1):
        if not 0 < start_factor <= 1:
            raise ValueError("LinearLR: start_factor must be greater than 0 and at most 1, got "
                             f"{start_factor}")
        if not 0 <= end_factor <= 1:
            raise ValueError(f"LinearLR: end_factor must be between 0 and 1, got {end_factor}")
        self.start_factor = start_factor
        self.end_factor = end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def _factor(self) -> float:
        way = min(self.total_iters, self.last_epoch) / self.total_iters
        return self.start_factor + (self.end_factor - self.start_factor) * way

    def _change(self) -> float:
        if self.last_epoch == 0:
            return self.start_factor
        if self._is_initial or self.last_epoch > self.total_iters:
            return 1.0
        rise = self.end_factor - self.start_factor
        return 1 + rise / (self.total_iters * self.start_factor + (self.last_epoch - 1) * rise)


class ExponentialLR(_Factor):
    """lr = lr₀ gammaᵗ."""

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1):
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _factor(self) -> float:
        return self.gamma ** self.last_epoch

    def _change(self) -> float:
        return 1.0 if self._is_initial else self.gamma


class PolynomialLR(_Factor):
    """lr = lr₀ (1 - t / total_iters) ** power, and 0 after total_iters."""

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0,
                 last_epoch: int = -1):
        self.total_iters = total_iters
        self.power = power
        super().__init__(optimizer, last_epoch)

    def _factor(self) -> float:
        return (1.0 - min(self.total_iters, self.last_epoch) / self.total_iters) ** self.power

    def _change(self) -> float:
        if self._is_initial or self.last_epoch > self.total_iters:
            return 1.0
        return ((1.0 - self.last_epoch / self.total_iters)
                / (1.0 - (self.last_epoch - 1) / self.total_iters)) ** self.power


# ---------------------------------------------------------------- functions of the epoch


class _ByFunction(LRScheduler):
    """What schedulers with functions of the epoch share: one for all groups, or one for each.

    A state holds the attributes of functions that are objects, and None for plain functions.
    """

    def __init__(self, optimizer: Optimizer,
                 lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
                 last_epoch: int = -1):
        self.lr_lambdas = for_each_group("lr_lambda", optimizer, lr_lambda)
        for function in self.lr_lambdas:
            if not callable(function):
                raise TypeError("lr_lambda should be a function, but got "
                                f"{type(function).__name__}")
        super().__init__(optimizer, last_epoch)

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(),
                "lr_lambdas": [attributes_of(function) for function in self.lr_lambdas]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        functions = self.lr_lambdas
        super().load_state_dict(state_dict)
        self.lr_lambdas = functions
        for function, attributes in zip(functions, state_dict["lr_lambdas"], strict=True):
            if attributes is not None:
                vars(function).update(attributes)


def attributes_of(function: Any) -> dict[str, Any] | None:
    """A copy of the attributes of an object that can be called; None for a plain function."""
    if isinstance(function, types.FunctionType) or not hasattr(function, "__dict__"):
        return None
    return dict(vars(function))


class LambdaLR(_ByFunction):
    """lr = lr₀ lr_lambda(t).

    Raises:
        ValueError: a list of functions of another length than the groups.
        TypeError: what cannot be called.
    """

    def get_lr(self) -> list[float]:
        self._check_within_step()
        return [base * function(self.last_epoch)
                for base, function in zip(self.base_lrs, self.lr_lambdas, strict=True)]


class MultiplicativeLR(_ByFunction):
    """lr = lr of the epoch before, times lr_lambda(t). Errors as `LambdaLR`."""

    def get_lr(self) -> list[float]:
        self._check_within_step()
        rates = current_rates(self.optimizer)
        if self._is_initial:
            return rates
        return [lr * function(self.last_epoch)
                for lr, function in zip(rates, self.lr_lambdas, strict=True)]


# ---------------------------------------------------------------- cosines


class CosineAnnealingLR(LRScheduler):
    """lr = eta_min + (lr₀ - eta_min) (1 + cos(π t / T_max)) / 2, up again after T_max.

    Loshchilov and Hutter 2017, equation 5, without its restarts. The rate is computed from the one
    before: what others change in between stays changed.
    """

    def __init__(self, optimizer: Optimizer, T_max: int,  # noqa: N803 - PyTorch's name
                 eta_min: float = 0.0, last_epoch: int = -1):
        self.T_max = T_max
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        self._check_within_step()
        rates, t, low = current_rates(self.optimizer), self.last_epoch, self.eta_min
        if self._is_initial:
            return rates
        if self._step_count == 1 and t > 0:
            return self._get_closed_form_lr()
        if (t - 1 - self.T_max) % (2 * self.T_max) == 0:  # the one before was eta_min: no ratio
            first = (1 - math.cos(math.pi / self.T_max)) / 2
            return [lr + (base - low) * first
                    for lr, base in zip(rates, self.base_lrs, strict=True)]
        change = ((1 + math.cos(math.pi * t / self.T_max))
                  / (1 + math.cos(math.pi * (t - 1) / self.T_max)))
        return [change * (lr - low) + low for lr in rates]

    def _get_closed_form_lr(self) -> list[float]:
        share = (1 + math.cos(math.pi * self.last_epoch / self.T_max)) / 2
        return [self.eta_min + (base - self.eta_min) * share for base in self.base_lrs]


class CosineAnnealingWarmRestarts(LRScheduler):
    """lr = eta_min + (lr₀ - eta_min) (1 + cos(π T_cur / T_i)) / 2, back at lr₀ after T_i epochs.

    T_i begins as T_0 and grows by T_mult at every restart; T_cur counts from the last restart.
    `step(epoch)` takes fractions of epochs.

    Loshchilov and Hutter 2017, equation 5. Raises:
        ValueError: a T_0 that is no positive int, a T_mult that is no int of at least 1, an
            eta_min that is no number; a negative epoch.
    """

    def __init__(self, optimizer: Optimizer, T_0: int, T_mult: int = 1,  # noqa: N803
                 eta_min: float = 0.0, last_epoch: int = -1):
        if not isinstance(T_0, int) or T_0 <= 0:
            raise ValueError(f"Expected positive integer T_0, but got {T_0}")
        if not isinstance(T_mult, int) or T_mult < 1:
            raise ValueError(f"Expected integer T_mult >= 1, but got {T_mult}")
        if not isinstance(eta_min, float | int):
            raise ValueError(f"Expected float or int eta_min, but got {eta_min} of type "
                             f"{type(eta_min).__name__}")
        self.T_0 = T_0
        self.T_i = T_0
        self.T_mult = T_mult
        self.eta_min = eta_min
        self.T_cur: float = last_epoch
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        self._check_within_step()
        share = (1 + math.cos(math.pi * self.T_cur / self.T_i)) / 2
        return [self.eta_min + (base - self.eta_min) * share for base in self.base_lrs]

    def step(self, epoch: float | None = None) -> None:
        """Goes on to the next epoch, or to the one that is given, which may be a fraction."""
        if epoch is None and self.last_epoch >= 0:
            self._next()
            epoch = self.last_epoch + 1
        else:
            epoch = 0 if epoch is None else epoch
            if epoch < 0:
                raise ValueError(f"Expected non-negative epoch, but got {epoch}")
            self._go_to(epoch)
        self.last_epoch = math.floor(epoch)
        self._set_lr(self.get_lr)

    def _next(self) -> None:
        self.T_cur += 1
        if self.T_cur >= self.T_i:
            self.T_cur %= self.T_i
            self.T_i *= self.T_mult

    def _go_to(self, epoch: float) -> None:
        if epoch < self.T_0:
            self.T_i, self.T_cur = self.T_0, epoch
        elif self.T_mult == 1:
            self.T_cur = epoch % self.T_0
        else:  # n restarts lie before it, T_0 (1 + T_mult + ... + T_multⁿ⁻¹) epochs
            n = int(math.log(epoch / self.T_0 * (self.T_mult - 1) + 1, self.T_mult))
            self.T_cur = epoch - self.T_0 * (self.T_mult**n - 1) / (self.T_mult - 1)
            self.T_i = self.T_0 * self.T_mult**n


# ---------------------------------------------------------------- cycles, of momentum too


class _WithMomentum(LRScheduler):
    """What schedulers that cycle the momentum, or Adam's β₁, against the rate share."""

    use_beta1: bool

    def _start_momentum(self, optimizer: Optimizer, base: Any, largest: Any,
                        last_epoch: int) -> tuple[list[float], list[float]]:
        """Sets the momentum to its largest value; the values as lists, one a group.

        Raises:
            ValueError: an optimizer without momentum.
        """
        if not {"momentum", "betas"} & set(optimizer.defaults):
            raise ValueError("optimizer must support momentum or beta1 with `cycle_momentum` "
                             "option enabled")
        self.use_beta1 = "betas" in optimizer.defaults
        bases = for_each_group("base_momentum", optimizer, base)
        tops = for_each_group("max_momentum", optimizer, largest)
        if last_epoch == -1:
            for group, low, high in zip(optimizer.param_groups, bases, tops, strict=True):
                self._set_momentum(group, high)
                group["max_momentum"] = high
                group["base_momentum"] = low
        return bases, tops

    def _set_momentum(self, group: dict[str, Any], momentum: float) -> None:
        if self.use_beta1:
            group["betas"] = (momentum, *group["betas"][1:])
        else:
            group["momentum"] = momentum


class CyclicLR(_WithMomentum):
    """Rates that go up from base_lr to max_lr in step_size_up steps, and down again.

        triangular    always between base_lr and max_lr
        triangular2   half the height in every cycle
        exp_range     gammaᵗ times the height
        scale_fn      times its value, of the cycle (from 1) or of t by scale_mode

    With cycle_momentum, the momentum goes from max_momentum to base_momentum and back meanwhile.
    To be stepped after every batch.

    Smith 2017. Raises:
        ValueError: an unknown mode, momentum that the optimizer does not have, lists of another
            length than the groups.
    """

    def __init__(self, optimizer: Optimizer, base_lr: float | list[float],
                 max_lr: float | list[float], step_size_up: int = 2000,
                 step_size_down: int | None = None, mode: str = "triangular", gamma: float = 1.0,
                 scale_fn: Callable[[float], float] | None = None, scale_mode: str = "cycle",
                 cycle_momentum: bool = True, base_momentum: float | list[float] = 0.8,
                 max_momentum: float | list[float] = 0.9, last_epoch: int = -1):
        check_optimizer(optimizer)
        if mode not in ("triangular", "triangular2", "exp_range") and scale_fn is None:
            raise ValueError(f"CyclicLR: mode {mode!r} is invalid and scale_fn is None")
        base_lrs = for_each_group("base_lr", optimizer, base_lr)
        self.max_lrs = for_each_group("max_lr", optimizer, max_lr)
        self.total_size = float(
            step_size_up + (step_size_up if step_size_down is None else step_size_down))
        self.step_ratio = step_size_up / self.total_size
        self.mode = mode
        self.gamma = gamma
        self._scale_fn_custom = scale_fn
        self.scale_mode = scale_mode
        if scale_fn is None:
            self.scale_mode = "iterations" if mode == "exp_range" else "cycle"
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self.base_momentums, self.max_momentums = self._start_momentum(
                optimizer, base_momentum, max_momentum, last_epoch)
        if last_epoch == -1:
            for group, lr in zip(optimizer.param_groups, base_lrs, strict=True):
                set_rate(group, lr)
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs

    def scale_fn(self, x: float) -> float:
        """The height of a cycle, given its number or the step by scale_mode."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        if self.mode == "triangular":
            return 1.0
        return 0.5 ** (x - 1) if self.mode == "triangular2" else self.gamma**x

    def get_lr(self) -> list[float]:
        self._check_within_step()
        cycles = self.last_epoch / self.total_size
        cycle = math.floor(1 + cycles)
        x = 1.0 + cycles - cycle
        way = x / self.step_ratio if x <= self.step_ratio else (x - 1) / (self.step_ratio - 1)
        height = self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            for group, low, high in zip(self.optimizer.param_groups, self.base_momentums,
                                        self.max_momentums, strict=True):
                self._set_momentum(group, high - (high - low) * way * height)
        return [low + (high - low) * way * height
                for low, high in zip(self.base_lrs, self.max_lrs, strict=True)]

    def state_dict(self) -> dict[str, Any]:
        custom = self._scale_fn_custom
        return {**super().state_dict(),
                "_scale_fn_custom": None if custom is None else attributes_of(custom)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        custom = self._scale_fn_custom
        super().load_state_dict(state_dict)
        self._scale_fn_custom = custom
        if state_dict["_scale_fn_custom"] is not None:
            vars(custom).update(state_dict["_scale_fn_custom"])


class OneCycleLR(_WithMomentum):
    """One cycle over the whole training: up to max_lr, then far below where it began.

        from max_lr / div_factor to max_lr            in pct_start of the total_steps
        to max_lr / div_factor / final_div_factor     in the rest

    along cosines, or lines by anneal_strategy. With three_phase, it comes down to where it began
    as fast as it went up, and then goes to its end. With cycle_momentum, the momentum goes from
    max_momentum to base_momentum and back meanwhile. To be stepped after every batch.

    Smith and Topin 2018. Raises:
        ValueError: total_steps, or epochs and steps_per_epoch, missing or not positive ints; a
            pct_start that is no float in [0, 1]; an unknown anneal_strategy; momentum that the
            optimizer does not have; more than total_steps steps.
    """

    def __init__(self, optimizer: Optimizer, max_lr: float | list[float],
                 total_steps: int | None = None, epochs: int | None = None,
                 steps_per_epoch: int | None = None, pct_start: float = 0.3,
                 anneal_strategy: str = "cos", cycle_momentum: bool = True,
                 base_momentum: float | list[float] = 0.85,
                 max_momentum: float | list[float] = 0.95, div_factor: float = 25.0,
                 final_div_factor: float = 1e4, three_phase: bool = False, last_epoch: int = -1):
        check_optimizer(optimizer)
        self.total_steps = _total_steps(total_steps, epochs, steps_per_epoch)
        if not isinstance(pct_start, float) or not 0 <= pct_start <= 1:
            raise ValueError(f"Expected float between 0 and 1 pct_start, but got {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError("anneal_strategy must be one of 'cos' or 'linear', instead got "
                             f"{anneal_strategy}")
        self._anneal_func_type = anneal_strategy
        up, last = pct_start * self.total_steps - 1, self.total_steps - 1
        if three_phase:
            down = 2 * pct_start * self.total_steps - 2
            after = [_phase(down, "max_lr", "initial_lr"), _phase(last, "initial_lr", "min_lr")]
        else:
            after = [_phase(last, "max_lr", "min_lr")]
        self._schedule_phases = [_phase(up, "initial_lr", "max_lr"), *after]
        max_lrs = for_each_group("max_lr", optimizer, max_lr)
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self._start_momentum(optimizer, base_momentum, max_momentum, last_epoch)
        if last_epoch == -1:
            for group, lr in zip(optimizer.param_groups, max_lrs, strict=True):
                group["initial_lr"] = lr / div_factor
                group["max_lr"] = lr
                group["min_lr"] = group["initial_lr"] / final_div_factor
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        self._check_within_step()
        if self.last_epoch > self.total_steps:
            raise ValueError(f"Tried to step {self.last_epoch} times. The specified number of "
                             f"total steps is {self.total_steps}")
        ends = [phase["end_step"] for phase in self._schedule_phases]
        number = next((i for i, end in enumerate(ends) if self.last_epoch <= end), len(ends) - 1)
        phase, start = self._schedule_phases[number], ends[number - 1] if number else 0.0
        way = (self.last_epoch - start) / (phase["end_step"] - start)
        if self.cycle_momentum:
            for group in self.optimizer.param_groups:
                self._set_momentum(group, self._between(
                    group[phase["start_momentum"]], group[phase["end_momentum"]], way))
        return [self._between(group[phase["start_lr"]], group[phase["end_lr"]], way)
                for group in self.optimizer.param_groups]

    def _between(self, start: float, end: float, way: float) -> float:
        if self._anneal_func_type == "linear":
            return (end - start) * way + start
        return end + (start - end) / 2.0 * (1 + math.cos(math.pi * way))


def _total_steps(total_steps: int | None, epochs: int | None, steps_per_epoch: int | None) -> int:
    def positive(name: str, value: Any) -> int:
        if not isinstance(value, int) or value <= 0:
            raise ValueError(f"Expected positive integer {name}, but got {value}")
        return value

    if total_steps is not None:
        return positive("total_steps", total_steps)
    if epochs is None or steps_per_epoch is None:
        raise ValueError("You must define either total_steps OR (epochs AND steps_per_epoch)")
    return positive("epochs", epochs) * positive("steps_per_epoch", steps_per_epoch)


def _phase(end_step: float, start_lr: str, end_lr: str) -> dict[str, Any]:
    """A part of the cycle, between two options of a group: low momentum goes with a high rate."""
    low_at = {"max_lr": "base_momentum"}
    return {"end_step": end_step, "start_lr": start_lr, "end_lr": end_lr,
            "start_momentum": low_at.get(start_lr, "max_momentum"),
            "end_momentum": low_at.get(end_lr, "max_momentum")}


# ---------------------------------------------------------------- several schedulers


class _Several(LRScheduler):
    """What schedulers of schedulers share: the check of them, and their states."""

    _schedulers: Sequence[LRScheduler]

    def _check(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer) -> None:
        name = type(self).__name__
        for i, scheduler in enumerate(schedulers):
            if not hasattr(scheduler, "optimizer"):
                raise TypeError(f"{name}: the scheduler at index {i} has no optimizer")
            if isinstance(scheduler, ReduceLROnPlateau):
                raise ValueError(f"{name} does not support ReduceLROnPlateau, whose step needs a "
                                 f"metric; there is one at index {i}")
            if scheduler.optimizer is not optimizer:
                raise ValueError(f"{name} expects all schedulers to belong to the same optimizer; "
                                 f"that at index {i}, {type(scheduler).__name__}, has another")

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "_schedulers": [s.state_dict() for s in self._schedulers]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        schedulers = self._schedulers
        super().load_state_dict(state_dict)
        self._schedulers = schedulers
        for scheduler, state in zip(schedulers, state_dict["_schedulers"], strict=True):
            scheduler.load_state_dict(state)


class SequentialLR(_Several):
    """One scheduler after the other: the next one begins anew at each of the milestones.

    Raises:
        ValueError: no schedulers; not one milestone less than schedulers; schedulers of another
            optimizer; ReduceLROnPlateau.
        TypeError: what is no scheduler.
    """

    def __init__(self, optimizer: Optimizer, schedulers: list[LRScheduler], milestones: list[int],
                 last_epoch: int = -1):
        if not schedulers:
            raise ValueError("SequentialLR expects at least one scheduler, but got no scheduler")
        self._check(schedulers, optimizer)
        if len(milestones) != len(schedulers) - 1:
            raise ValueError("SequentialLR expects one milestone less than schedulers; there are "
                             f"{len(schedulers)} schedulers and {len(milestones)} milestones")
        self._schedulers = schedulers
        self._milestones = milestones
        self.last_epoch = last_epoch + 1
        self.optimizer = optimizer
        # All of them have made their first step when they were made: undone, but for one.
        for group in optimizer.param_groups:
            set_rate(group, group["initial_lr"])
        _undo_step(self)
        first = schedulers[bisect_right(milestones, 0)]
        first._initial_step()
        self._last_lr = first.get_last_lr()

    def step(self) -> None:  # type: ignore[override]
        """Goes on to the next epoch."""
        self.last_epoch += 1
        number = bisect_right(self._milestones, self.last_epoch)
        scheduler = self._schedulers[number]
        if number > 0 and self._milestones[number - 1] == self.last_epoch:
            scheduler._update_lr(0)
        else:
            scheduler.step()
        self._last_lr = scheduler.get_last_lr()


def _undo_step(scheduler: LRScheduler) -> None:
    if isinstance(scheduler, _Several):
        for inner in scheduler._schedulers:
            _undo_step(inner)
    else:
        scheduler.last_epoch -= 1


class ChainedScheduler(_Several):
    """All schedulers at each step, one after the other on the same rates.

    Errors as `SequentialLR`.
    """

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None):
        if not schedulers:
            raise ValueError("ChainedScheduler expects at least one scheduler to be chained, but "
                             "got no scheduler")
        if optimizer is None:
            optimizer = getattr(schedulers[0], "optimizer", None)
        self._check(schedulers, optimizer)  # type: ignore[arg-type]
        self._schedulers = schedulers
        self.optimizer = optimizer  # type: ignore[assignment]
        self._last_lr = current_rates(self.optimizer)

    def step(self) -> None:  # type: ignore[override]
        """Steps all of them."""
        for scheduler in self._schedulers:
            scheduler.step()
        self._last_lr = current_rates(self.optimizer)


# ---------------------------------------------------------------- by what is measured


class ReduceLROnPlateau(LRScheduler):
    """lr ← max(factor lr, min_lr) when a metric has not improved for more than patience epochs.

    An improvement is less than best (1 - threshold), or than best - threshold with the
    threshold_mode "abs"; with the mode "max", more than the same with +. After a reduction, the
    cooldown epochs that follow do not count. Rates change by more than eps or not at all.

    Raises:
        ValueError: a factor of 1 or more, an unknown mode or threshold_mode, a list min_lr of
            another length than the groups.
        TypeError: not an Optimizer.
    """

    def __init__(self, optimizer: Optimizer, mode: str = "min", factor: float = 0.1,
                 patience: int = 10, threshold: float = 1e-4, threshold_mode: str = "rel",
                 cooldown: int = 0, min_lr: float | list[float] = 0, eps: float = 1e-8):
        if factor >= 1.0:
            raise ValueError(f"Factor should be < 1.0, got {factor}")
        check_optimizer(optimizer)
        if mode not in ("min", "max"):
            raise ValueError(f"mode {mode} is unknown!")
        if threshold_mode not in ("rel", "abs"):
            raise ValueError(f"threshold mode {threshold_mode} is unknown!")
        self.factor = factor
        self.optimizer = optimizer
        self.default_min_lr = None if isinstance(min_lr, list | tuple) else min_lr
        self.min_lrs = for_each_group("min_lr", optimizer, min_lr)
        self.patience = patience
        self.cooldown = cooldown
        self.eps = eps
        self.last_epoch = 0
        self._last_lr = current_rates(optimizer)
        self.mode = mode
        self.threshold = threshold
        self.threshold_mode = threshold_mode
        self.mode_worse = math.inf if mode == "min" else -math.inf
        self._reset()

    def _reset(self) -> None:
        self.best = self.mode_worse
        self.cooldown_counter = 0
        self.num_bad_epochs = 0

    @property
    def in_cooldown(self) -> bool:
        return self.cooldown_counter > 0

    def step(self, metrics: Any, epoch: int | None = None) -> None:  # type: ignore[override]
        """Takes in the metric of an epoch, a number or a Tensor with one."""
        current = float(metrics)
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        if self._is_better(current, self.best):
            self.best = current
            self.num_bad_epochs = 0
        else:
            self.num_bad_epochs += 1
        if self.in_cooldown:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce_lr()
            self.cooldown_counter = self.cooldown
            self.num_bad_epochs = 0
        self._last_lr = current_rates(self.optimizer)

    def _is_better(self, value: float, best: float) -> bool:
        sign = -1 if self.mode == "min" else 1
        relative = self.threshold_mode == "rel"
        bound = best * (1 + sign * self.threshold) if relative else best + sign * self.threshold
        return value < bound if self.mode == "min" else value > bound

    def _reduce_lr(self) -> None:
        groups = self.optimizer.param_groups
        if len(groups) != len(self.min_lrs):
            if self.default_min_lr is None:
                raise RuntimeError(f"ReduceLROnPlateau: the optimizer has {len(groups)} groups, "
                                   f"min_lr {len(self.min_lrs)} values; groups were added since, "
                                   "set `min_lrs` to one value for each")
            self.min_lrs = [self.default_min_lr] * len(groups)
        for group, least in zip(groups, self.min_lrs, strict=True):
            old = float(group["lr"])
            new = max(old * self.factor, least)
            if old - new > self.eps:
                set_rate(group, new)
