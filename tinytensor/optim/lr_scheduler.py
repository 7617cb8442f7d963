"""Learning-rate schedulers, under PyTorch's names.

A scheduler is created after its optimizer and sets the rate of the first epoch at once. Each
`step()`, called after `optimizer.step()`, sets the rates of the next epoch. The program decides
what an epoch is: `CyclicLR` and `OneCycleLR` are stepped after every batch.

In the formulas, lr₀ is the rate of a group when its first scheduler was created, and t is
`last_epoch`, the number of steps of the scheduler.
"""

from __future__ import annotations

import math
import types
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar, cast

from ..arrays.numbers import integer, is_integer, is_number, python_number
from ..autograd.frames import warn
from ..tensors.creation import number_of
from ..tensors.tensor import Tensor
from .optimizer import Optimizer

Value = TypeVar("Value")

__all__ = [
    "LRScheduler", "StepLR", "MultiStepLR", "ConstantLR", "LinearLR", "ExponentialLR",
    "PolynomialLR", "LambdaLR", "MultiplicativeLR", "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts", "CyclicLR", "OneCycleLR", "SequentialLR", "ChainedScheduler",
    "ReduceLROnPlateau",
]


class LRScheduler:
    """The base class of all schedulers. A subclass defines `get_lr`, the rates at `last_epoch`.

    Args:
        optimizer: the optimizer whose rates are set.
        last_epoch: the epoch to continue from; -1 begins a new schedule. To continue, each group
            must have an "initial_lr".

    Raises:
        TypeError: optimizer is not an Optimizer.
        KeyError: last_epoch is not -1, and a group has no "initial_lr".
    """

    _is_initial = False  # whether the current step sets the first rates
    _get_lr_called_within_step = False

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1):
        check_optimizer(optimizer)
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", float(group["lr"]))
            elif "initial_lr" not in group:
                raise KeyError(f"param 'initial_lr' is not specified in param_groups[{i}]; to "
                               "continue a schedule load the optimizer's state first, to begin "
                               "one leave last_epoch at -1")
        self.optimizer = optimizer
        # Steps before the first scheduler was created do not count.
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
        """The rates at `last_epoch`, one for each group. Only `step` should call it."""
        raise NotImplementedError

    def get_last_lr(self) -> list[float]:
        """The rates that were set last, one for each group."""
        return self._last_lr

    def step(self, epoch: int | None = None) -> None:
        """Advances to the next epoch, or to the given one, and sets its rates."""
        optimizer: Any = self.optimizer
        if self._step_count == 1 and optimizer.steps_taken == optimizer.steps_before_schedules:
            warn("lr_scheduler.step() was called before optimizer.step(), so the first learning "
                 "rate of the schedule is skipped; call optimizer.step() first")
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
            warn("get_lr() computes the next rates from the current ones; to read the current "
                 "rates use get_last_lr()")

    def state_dict(self) -> dict[str, Any]:
        """All attributes but the optimizer, as plain data. It is not a copy."""
        return {name: value for name, value in vars(self).items()
                if name not in ("optimizer", "_optimizer_steps")}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores a state_dict. The optimizer's own state_dict has the current rates."""
        vars(self).update(state_dict)


_LRScheduler = LRScheduler  # the name that older programs use


def check_optimizer(optimizer: object) -> None:
    """Raises TypeError unless it is an Optimizer."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{type(optimizer).__name__} is not an Optimizer; the first argument of a "
                        "scheduler is the optimizer")


def current_rates(optimizer: Optimizer) -> list[float]:
    """The learning rate of each group."""
    return [float(group["lr"]) for group in optimizer.param_groups]


def set_rate(group: dict[str, Any], lr: float) -> None:
    """Sets the rate of a group. A rate that is a Tensor is changed in place."""
    if isinstance(group["lr"], Tensor):
        group["lr"].fill_(lr)  # type: ignore[attr-defined]
    else:
        group["lr"] = lr


def for_each_group(name: str, optimizer: Optimizer, value: Value | Sequence[Value]) -> list[Value]:
    """A list with a value for each group, given such a list or one value for all.

    Raises:
        ValueError: the list has another length than there are groups.
    """
    groups = len(optimizer.param_groups)
    if not isinstance(value, list | tuple):
        return [cast(Value, value)] * groups
    if len(value) != groups:
        raise ValueError(f"{name} must have one value for each parameter group, got {len(value)} "
                         f"values for {groups} groups")
    return list(value)


def check_choice(scheduler: str, name: str, value: str, choices: tuple[str, ...]) -> None:
    """Raises ValueError unless the value of an option is one of the choices."""
    if value not in choices:
        raise ValueError(f"{scheduler}: {name} must be {' or '.join(map(repr, choices))}, got "
                         f"{value!r}")


# ---------------------------------------------------------------- one factor for all groups


class _FactorLR(LRScheduler):
    """The base class of schedulers whose rates are lr₀ times a factor.

    `get_lr` multiplies the current rates by the change of the factor since the last epoch. So the
    factors of several schedulers of one optimizer multiply.
    """

    def _factor(self) -> float:
        """The factor at last_epoch."""
        raise NotImplementedError

    def _change(self) -> float:
        """The factor at last_epoch divided by that of the epoch before."""
        raise NotImplementedError

    def get_lr(self) -> list[float]:
        self._check_within_step()
        change = self._change()
        return [lr * change for lr in current_rates(self.optimizer)]

    def _get_closed_form_lr(self) -> list[float]:
        factor = self._factor()
        return [base * factor for base in self.base_lrs]


class StepLR(_FactorLR):
    """lr = lr₀ gammaⁿ, where n = ⌊t / step_size⌋."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1,
                 last_epoch: int = -1):
        self.step_size = step_size
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _factor(self) -> float:
        return self.gamma ** (self.last_epoch // self.step_size)

    def _change(self) -> float:
        changes = self.last_epoch != 0 and self.last_epoch % self.step_size == 0
        return self.gamma if changes else 1.0


class MultiStepLR(_FactorLR):
    """lr = lr₀ gammaⁿ, where n is the number of milestones that are at most t."""

    def __init__(self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1,
                 last_epoch: int = -1):
        self.milestones = Counter(milestones)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _factor(self) -> float:
        return self.gamma ** bisect_right(sorted(self.milestones.elements()), self.last_epoch)

    def _change(self) -> float:
        return self.gamma ** self.milestones[self.last_epoch]


class ConstantLR(_FactorLR):
    """lr = lr₀ factor in the first total_iters epochs, lr₀ afterwards.

    Raises:
        ValueError: the factor is not in [0, 1].
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


class LinearLR(_FactorLR):
    """lr = lr₀ (start_factor + (end_factor - start_factor) min(t / total_iters, 1)), a warm-up.

    Raises:
        ValueError: start_factor is not in (0, 1], or end_factor is not in [0, 1].
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
        progress = min(self.total_iters, self.last_epoch) / self.total_iters
        return self.start_factor + (self.end_factor - self.start_factor) * progress

    def _change(self) -> float:
        if self.last_epoch == 0:
            return self.start_factor
        if self._is_initial or self.last_epoch > self.total_iters:
            return 1.0
        rise = self.end_factor - self.start_factor
        return 1 + rise / (self.total_iters * self.start_factor + (self.last_epoch - 1) * rise)


class ExponentialLR(_FactorLR):
    """lr = lr₀ gammaᵗ."""

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1):
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _factor(self) -> float:
        return self.gamma ** self.last_epoch

    def _change(self) -> float:
        return 1.0 if self._is_initial else self.gamma


class PolynomialLR(_FactorLR):
    """lr = lr₀ (1 - t / total_iters)**power, and 0 after total_iters."""

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


class _FunctionLR(LRScheduler):
    """The base class of schedulers with functions of the epoch: one for all groups, or one each.

    The state_dict holds the attributes of callable objects, and None for plain functions.
    """

    def __init__(self, optimizer: Optimizer,
                 lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
                 last_epoch: int = -1):
        self.lr_lambdas = for_each_group("lr_lambda", optimizer, lr_lambda)
        for function in self.lr_lambdas:
            if not callable(function):
                raise TypeError(f"{type(self).__name__}: lr_lambda must be a function of the "
                                f"epoch, got {type(function).__name__}")
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


def attributes_of(function: Callable[..., Any]) -> dict[str, Any] | None:
    """A copy of the attributes of a callable object; None for a plain function."""
    if isinstance(function, types.FunctionType) or not hasattr(function, "__dict__"):
        return None
    return dict(vars(function))


class LambdaLR(_FunctionLR):
    """lr = lr₀ lr_lambda(t), with one function for all groups or a list of one for each.

    Raises:
        ValueError: the list has another length than there are groups.
        TypeError: a value is not callable.
    """

    def get_lr(self) -> list[float]:
        self._check_within_step()
        return [base * function(self.last_epoch)
                for base, function in zip(self.base_lrs, self.lr_lambdas, strict=True)]


class MultiplicativeLR(_FunctionLR):
    """lr ← lr lr_lambda(t) at each step. Errors are those of `LambdaLR`."""

    def get_lr(self) -> list[float]:
        self._check_within_step()
        rates = current_rates(self.optimizer)
        if self._is_initial:
            return rates
        return [lr * function(self.last_epoch)
                for lr, function in zip(rates, self.lr_lambdas, strict=True)]


# ---------------------------------------------------------------- cosines


class CosineAnnealingLR(LRScheduler):
    """lr = eta_min + (lr₀ - eta_min) (1 + cos(π t / T_max)) / 2, which rises again after T_max.

    Each rate is computed from the current one, so changes by other schedulers persist. Loshchilov
    and Hutter 2017, equation 5, without restarts.
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
        if (t - 1 - self.T_max) % (2 * self.T_max) == 0:  # the last rate was eta_min: no ratio
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
    """lr = eta_min + (lr₀ - eta_min) (1 + cos(π T_cur / T_i)) / 2, restarted after T_i epochs.

    T_i begins as T_0 and is multiplied by T_mult at every restart. T_cur counts epochs since the
    last restart. `step(epoch)` takes fractions of epochs. Loshchilov and Hutter 2017, equation 5.

    Raises:
        ValueError: T_0 is not a positive int, T_mult is not an int of at least 1, eta_min is not a
            number, or an epoch is negative.
    """

    def __init__(self, optimizer: Optimizer, T_0: int, T_mult: int = 1,  # noqa: N803
                 eta_min: float = 0.0, last_epoch: int = -1):
        if not is_integer(T_0) or T_0 <= 0:
            raise ValueError(f"CosineAnnealingWarmRestarts: T_0 must be a positive int, got {T_0}")
        if not is_integer(T_mult) or T_mult < 1:
            raise ValueError("CosineAnnealingWarmRestarts: T_mult must be an int of at least 1, "
                             f"got {T_mult}")
        if not is_number(eta_min):
            raise ValueError("CosineAnnealingWarmRestarts: eta_min must be a float or int, got "
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
        """Advances to the next epoch, or to the given one, which may be a fraction."""
        if epoch is None and self.last_epoch >= 0:
            self._advance()
            epoch = self.last_epoch + 1
        else:
            epoch = 0 if epoch is None else epoch
            if epoch < 0:
                raise ValueError("CosineAnnealingWarmRestarts.step: epoch must not be negative, "
                                 f"got {epoch}")
            self._go_to(epoch)
        self.last_epoch = math.floor(epoch)
        self._set_lr(self.get_lr)

    def _advance(self) -> None:
        self.T_cur += 1
        if self.T_cur >= self.T_i:
            self.T_cur %= self.T_i
            self.T_i *= self.T_mult

    def _go_to(self, epoch: float) -> None:
        if epoch < self.T_0:
            self.T_i, self.T_cur = self.T_0, epoch
        elif self.T_mult == 1:
            self.T_cur = epoch % self.T_0
        else:  # after n restarts, which took T_0 (1 + T_mult + ... + T_multⁿ⁻¹) epochs
            n = int(math.log(epoch / self.T_0 * (self.T_mult - 1) + 1, self.T_mult))
            self.T_cur = epoch - self.T_0 * (self.T_mult**n - 1) / (self.T_mult - 1)
            self.T_i = self.T_0 * self.T_mult**n


# ---------------------------------------------------------------- cycles, of momentum too


class _CyclesMomentum(LRScheduler):
    """The base class of schedulers that cycle the momentum, or Adam's β₁, opposite to the rate."""

    use_beta1: bool

    def _start_momentum(self, optimizer: Optimizer, base: float | Sequence[float],
                        largest: float | Sequence[float],
                        last_epoch: int) -> tuple[list[float], list[float]]:
        """Sets the momentum to its largest value; returns (base, largest) with a value per group.

        Raises:
            ValueError: the optimizer has no momentum.
        """
        if not {"momentum", "betas"} & set(optimizer.defaults):
            raise ValueError(f"{type(self).__name__}: cycle_momentum=True needs an optimizer with "
                             f"momentum or betas, which {type(optimizer).__name__} does not have; "
                             "pass cycle_momentum=False")
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


class CyclicLR(_CyclesMomentum):
    """Rates that rise linearly from base_lr to max_lr in step_size_up steps and fall again.

    The mode, or scale_fn, scales the amplitude max_lr - base_lr:

        triangular    by 1
        triangular2   by 1/2 in the second cycle, 1/4 in the third, ...
        exp_range     by gammaᵗ
        scale_fn      by scale_fn(cycle), from 1 on, or scale_fn(t) with scale_mode="iterations"

    With cycle_momentum, the momentum falls from max_momentum to base_momentum while the rate rises.
    Step it after every batch. Smith 2017.

    Raises:
        ValueError: the mode is unknown, the optimizer has no momentum to cycle, or a list has
            another length than there are groups.
    """

    def __init__(self, optimizer: Optimizer, base_lr: float | list[float],
                 max_lr: float | list[float], step_size_up: int = 2000,
                 step_size_down: int | None = None, mode: str = "triangular", gamma: float = 1.0,
                 scale_fn: Callable[[float], float] | None = None, scale_mode: str = "cycle",
                 cycle_momentum: bool = True, base_momentum: float | list[float] = 0.8,
                 max_momentum: float | list[float] = 0.9, last_epoch: int = -1):
        check_optimizer(optimizer)
        if scale_fn is None:
            check_choice("CyclicLR", "mode", mode, ("triangular", "triangular2", "exp_range"))
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
        """The scale of the amplitude, given the number of the cycle or the step, see scale_mode."""
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
        position = x / self.step_ratio if x <= self.step_ratio else (x - 1) / (self.step_ratio - 1)
        scale = self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            for group, low, high in zip(self.optimizer.param_groups, self.base_momentums,
                                        self.max_momentums, strict=True):
                self._set_momentum(group, high - (high - low) * position * scale)
        return [low + (high - low) * position * scale
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


class OneCycleLR(_CyclesMomentum):
    """The 1cycle policy: one cycle over the whole training, along cosines or lines:

        from max_lr / div_factor to max_lr            in the first pct_start of total_steps
        to max_lr / div_factor / final_div_factor     in the rest

    With three_phase, the rate first falls back to max_lr / div_factor, in as many steps as it rose.
    With cycle_momentum, the momentum falls from max_momentum to base_momentum while the rate rises,
    and rises again. Step it after every batch. Smith and Topin 2018.

    Args:
        total_steps: the number of batches of the training; or give epochs and steps_per_epoch.
        anneal_strategy: "cos" or "linear".

    Raises:
        ValueError: total_steps, or epochs or steps_per_epoch, is missing or not a positive int;
            pct_start is not a float in [0, 1]; anneal_strategy is unknown; the optimizer has no
            momentum to cycle; or it is stepped more than total_steps times.
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
        if not isinstance(python_number(pct_start), float) or not 0 <= pct_start <= 1:
            raise ValueError(f"OneCycleLR: pct_start must be a float in [0, 1], got {pct_start!r}")
        check_choice("OneCycleLR", "anneal_strategy", anneal_strategy, ("cos", "linear"))
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
            raise ValueError(f"OneCycleLR.step: this is step {self.last_epoch}, but the schedule "
                             f"ends after total_steps={self.total_steps}; pass the number "
                             "of batches of the whole training as total_steps")
        ends = [phase["end_step"] for phase in self._schedule_phases]
        number = next((i for i, end in enumerate(ends) if self.last_epoch <= end), len(ends) - 1)
        phase, start = self._schedule_phases[number], ends[number - 1] if number else 0.0
        progress = (self.last_epoch - start) / (phase["end_step"] - start)
        if self.cycle_momentum:
            for group in self.optimizer.param_groups:
                self._set_momentum(group, self._between(
                    group[phase["start_momentum"]], group[phase["end_momentum"]], progress))
        return [self._between(group[phase["start_lr"]], group[phase["end_lr"]], progress)
                for group in self.optimizer.param_groups]

    def _between(self, start: float, end: float, progress: float) -> float:
        """The value between start and end at a progress in [0, 1]."""
        if self._anneal_func_type == "linear":
            return (end - start) * progress + start
        return end + (start - end) / 2.0 * (1 + math.cos(math.pi * progress))


def _total_steps(total_steps: int | None, epochs: int | None, steps_per_epoch: int | None) -> int:
    def positive(name: str, value: object) -> int:
        if not is_integer(value) or value <= 0:
            raise ValueError(f"OneCycleLR: {name} must be a positive int, got {value!r}")
        return integer(name, value)

    if total_steps is not None:
        return positive("total_steps", total_steps)
    if epochs is None or steps_per_epoch is None:
        raise ValueError("OneCycleLR: pass total_steps, or both epochs and steps_per_epoch")
    return positive("epochs", epochs) * positive("steps_per_epoch", steps_per_epoch)


def _phase(end_step: float, start_lr: str, end_lr: str) -> dict[str, Any]:
    """A phase of the cycle between two options of a group. A high rate has a low momentum."""
    momentum_at = {"max_lr": "base_momentum"}
    return {"end_step": end_step, "start_lr": start_lr, "end_lr": end_lr,
            "start_momentum": momentum_at.get(start_lr, "max_momentum"),
            "end_momentum": momentum_at.get(end_lr, "max_momentum")}


# ---------------------------------------------------------------- several schedulers


class _Composite(LRScheduler):
    """The base class of schedulers that contain schedulers: checks, and their state_dicts."""

    _schedulers: Sequence[LRScheduler]

    def _check(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer) -> None:
        name = type(self).__name__
        for i, scheduler in enumerate(schedulers):
            if not hasattr(scheduler, "optimizer"):
                raise TypeError(f"{name}: item {i} of the schedulers must be a scheduler, got "
                                f"{type(scheduler).__name__}")
            if isinstance(scheduler, ReduceLROnPlateau):
                raise ValueError(f"{name} does not support ReduceLROnPlateau, whose step needs a "
                                 f"metric; it is the scheduler at index {i}")
            if scheduler.optimizer is not optimizer:
                raise ValueError(f"{name}: all schedulers must have the same optimizer; the one at "
                                 f"index {i}, {type(scheduler).__name__}, has another")

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "_schedulers": [s.state_dict() for s in self._schedulers]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        schedulers = self._schedulers
        super().load_state_dict(state_dict)
        self._schedulers = schedulers
        for scheduler, state in zip(schedulers, state_dict["_schedulers"], strict=True):
            scheduler.load_state_dict(state)


class SequentialLR(_Composite):
    """Runs schedulers one after the other. At each milestone the next one begins at its epoch 0.

    Raises:
        ValueError: there are no schedulers, the number of milestones is not one less than that of
            schedulers, a scheduler has another optimizer, or one is a ReduceLROnPlateau.
        TypeError: an item is not a scheduler.
    """

    def __init__(self, optimizer: Optimizer, schedulers: list[LRScheduler], milestones: list[int],
                 last_epoch: int = -1):
        if not schedulers:
            raise ValueError("SequentialLR: pass at least one scheduler, got none")
        self._check(schedulers, optimizer)
        if len(milestones) != len(schedulers) - 1:
            raise ValueError("SequentialLR: there must be one milestone less than schedulers, got "
                             f"{len(schedulers)} schedulers and {len(milestones)} milestones")
        self._schedulers = schedulers
        self._milestones = milestones
        self.last_epoch = last_epoch + 1
        self.optimizer = optimizer
        # Each scheduler made its first step when it was created. All but one are undone.
        for group in optimizer.param_groups:
            set_rate(group, group["initial_lr"])
        _undo_step(self)
        first = schedulers[bisect_right(milestones, 0)]
        first._initial_step()
        self._last_lr = first.get_last_lr()

    def step(self) -> None:  # type: ignore[override]
        """Advances to the next epoch."""
        self.last_epoch += 1
        number = bisect_right(self._milestones, self.last_epoch)
        scheduler = self._schedulers[number]
        if number > 0 and self._milestones[number - 1] == self.last_epoch:
            scheduler._update_lr(0)
        else:
            scheduler.step()
        self._last_lr = scheduler.get_last_lr()


def _undo_step(scheduler: LRScheduler) -> None:
    if isinstance(scheduler, _Composite):
        for inner in scheduler._schedulers:
            _undo_step(inner)
    else:
        scheduler.last_epoch -= 1


class ChainedScheduler(_Composite):
    """Steps all schedulers at each step, each on the rates that the one before it set.

    Errors are those of `SequentialLR`.
    """

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None):
        if not schedulers:
            raise ValueError("ChainedScheduler: pass at least one scheduler, got none")
        if optimizer is None:
            optimizer = getattr(schedulers[0], "optimizer", None)
        self._check(schedulers, optimizer)  # type: ignore[arg-type]
        self._schedulers = schedulers
        self.optimizer = optimizer  # type: ignore[assignment]
        self._last_lr = current_rates(self.optimizer)

    def step(self) -> None:  # type: ignore[override]
        """Steps all schedulers."""
        for scheduler in self._schedulers:
            scheduler.step()
        self._last_lr = current_rates(self.optimizer)


# ---------------------------------------------------------------- driven by a metric


class ReduceLROnPlateau(LRScheduler):
    """lr ← max(factor lr, min_lr) when a metric has not improved for more than patience epochs.

    A metric improves if it is below best (1 - threshold), or below best - threshold with
    threshold_mode="abs". With mode="max" it must be above best (1 + threshold) or best + threshold.
    After a reduction, the next cooldown epochs are not counted. Changes of less than eps are
    skipped.

    Raises:
        ValueError: factor is 1 or more, mode or threshold_mode is unknown, or a list min_lr has
            another length than there are groups.
        TypeError: optimizer is not an Optimizer.
    """

    def __init__(self, optimizer: Optimizer, mode: str = "min", factor: float = 0.1,
                 patience: int = 10, threshold: float = 1e-4, threshold_mode: str = "rel",
                 cooldown: int = 0, min_lr: float | list[float] = 0, eps: float = 1e-8):
        if factor >= 1.0:
            raise ValueError(f"ReduceLROnPlateau: factor must be less than 1, got {factor}")
        check_optimizer(optimizer)
        check_choice("ReduceLROnPlateau", "mode", mode, ("min", "max"))
        check_choice("ReduceLROnPlateau", "threshold_mode", threshold_mode, ("rel", "abs"))
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

    def step(self, metrics: float | Tensor,  # type: ignore[override]
             epoch: int | None = None) -> None:
        """Advances by one epoch, whose metric is a number or a Tensor with one element."""
        current = float(number_of(metrics))
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
                raise RuntimeError(f"ReduceLROnPlateau: the optimizer now has {len(groups)} "
                                   f"groups, but min_lr has {len(self.min_lrs)} values; set "
                                   "`min_lrs` to one value for each group")
            self.min_lrs = [self.default_min_lr] * len(groups)
        for group, least in zip(groups, self.min_lrs, strict=True):
            old = float(group["lr"])
            new = max(old * self.factor, least)
            if old - new > self.eps:
                set_rate(group, new)
