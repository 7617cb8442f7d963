"""Averages of a model's weights over the training: arithmetic (SWA) and exponential (EMA).

Stochastic weight averaging: Izmailov et al. 2018.
"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..arrays import dtypes
from ..arrays.numbers import is_integer
from ..autograd.modes import no_grad
from ..nn.arguments import Device
from ..nn.module import Module
from ..nn.normalization import BatchNorm
from ..tensors.creation import tensor
from ..tensors.tensor import Tensor
from .lr_scheduler import LRScheduler, check_choice, for_each_group
from .optimizer import Optimizer

__all__ = ["AveragedModel", "SWALR", "get_ema_avg_fn", "get_ema_multi_avg_fn", "get_swa_avg_fn",
           "get_swa_multi_avg_fn", "update_bn"]

Average = Callable[[Any, Any, Any], Any]  # (average, value, number of averaged values) -> average
Averages = Callable[[Sequence[Any], Sequence[Any], Any], None]  # the same for lists, in place


def get_ema_avg_fn(decay: float = 0.999) -> Average:
    """The exponential moving average: average ← decay · average + (1 - decay) · value.

    Raises:
        ValueError: the decay is not in [0, 1].
    """
    if not 0.0 <= decay <= 1.0:
        raise ValueError(f"Invalid decay value {decay}; it must be in [0, 1]")
    return lambda average, value, count: decay * average + (1 - decay) * value


def get_swa_avg_fn() -> Average:
    """The arithmetic mean: average ← average + (value - average) / (count + 1)."""
    return lambda average, value, count: average + (value - average) / (count + 1)


def get_ema_multi_avg_fn(decay: float = 0.999) -> Averages:
    """`get_ema_avg_fn` for lists of Tensors, in place."""
    return _for_lists(get_ema_avg_fn(decay))


def get_swa_multi_avg_fn() -> Averages:
    """`get_swa_avg_fn` for lists of Tensors, in place."""
    return _for_lists(get_swa_avg_fn())


def _for_lists(average_of: Average) -> Averages:
    def update(averages: Sequence[Any], values: Sequence[Any], count: Any) -> None:
        with no_grad():
            for average, value in zip(averages, values, strict=True):
                average.copy_(average_of(average, value, count))
    return update


class AveragedModel(Module):
    """A copy of a model whose parameters are averages of the model's parameters over time.

        averaged = AveragedModel(model, avg_fn=get_ema_avg_fn(0.999))
        ...
        optimizer.step()
        averaged.update_parameters(model)

    n_averaged    the number of updates, a buffer
    module        the copy, which `forward` calls

    Args:
        avg_fn: the average of one parameter, by default the arithmetic mean of all updates.
        multi_avg_fn: the average of all parameters, in place; replaces avg_fn.
        use_buffers: average the buffers too; otherwise each update copies them.

    Raises:
        AssertionError: both avg_fn and multi_avg_fn are given.
    """

    n_averaged: Tensor

    def __init__(self, model: Module, device: Device = None, avg_fn: Average | None = None,
                 multi_avg_fn: Averages | None = None, use_buffers: bool = False):
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("AveragedModel: pass avg_fn or multi_avg_fn, not both")
        self.module: Module = copy.deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", tensor(0, dtype=dtypes.int64, device=device))
        self.avg_fn = avg_fn
        self.multi_avg_fn = multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.module(*args, **kwargs)

    def update_parameters(self, model: Module) -> None:
        """Adds the model's current parameters to the average. The first call copies them."""
        averages = [p.detach() for p in _parameters_and_buffers(self.module, self.use_buffers)]
        current = _parameters_and_buffers(model, self.use_buffers)
        values: list[Any] = [p.detach().to(average.device)  # type: ignore[attr-defined]
                             for p, average in zip(current, averages, strict=True)]
        update = self.multi_avg_fn or _for_lists(self.avg_fn or get_swa_avg_fn())
        if int(self.n_averaged) == 0:
            update = _for_lists(lambda average, value, count: value)
        update(averages, values, self.n_averaged)
        with no_grad():
            if not self.use_buffers:
                for own, buffer in zip(self.module.buffers(), model.buffers(), strict=True):
                    own.copy_(buffer)  # type: ignore[attr-defined]
            self.n_averaged += 1


def _parameters_and_buffers(model: Module, buffers: bool) -> list[Tensor]:
    return list(itertools.chain(model.parameters(), model.buffers() if buffers else ()))


def update_bn(loader: Iterable[Any], model: Module, device: Device = None) -> None:
    """Recomputes the running statistics of batch normalisation over the batches of a loader.

    If a batch is a list or tuple, its first item is the input.
    """
    norms = [m for m in model.modules() if isinstance(m, BatchNorm)]
    if not norms:
        return
    training, momenta = model.training, [m.momentum for m in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the average over all batches
    model.train()
    try:
        with no_grad():
            for batch in loader:
                input: Any = batch[0] if isinstance(batch, list | tuple) else batch
                model(input if device is None else input.to(device))
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        model.train(training)


class SWALR(LRScheduler):
    """Anneals the rate from its current value to swa_lr in anneal_epochs steps, then keeps it.

    Args:
        anneal_strategy: "cos" or "linear".

    Raises:
        ValueError: anneal_strategy is unknown, anneal_epochs is not an int of at least 0, or a list
            swa_lr has another length than there are groups.
    """

    def __init__(self, optimizer: Optimizer, swa_lr: float | Sequence[float],
                 anneal_epochs: int = 10, anneal_strategy: str = "cos", last_epoch: int = -1):
        check_choice("SWALR", "anneal_strategy", anneal_strategy, ("cos", "linear"))
        if not is_integer(anneal_epochs) or anneal_epochs < 0:
            raise ValueError("SWALR: anneal_epochs must be an int of at least 0, got "
                             f"{anneal_epochs!r}")
        rates = for_each_group("swa_lr", optimizer, swa_lr)
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["swa_lr"] = rate
        self.anneal_epochs, self._anneal_strategy = anneal_epochs, anneal_strategy
        super().__init__(optimizer, last_epoch)

    def _progress(self, step: int) -> float:
        """The progress from the initial rate to swa_lr after a step, in [0, 1]."""
        t = max(0.0, min(1.0, step / max(1, self.anneal_epochs)))
        return t if self._anneal_strategy == "linear" else (1 - math.cos(math.pi * t)) / 2

    def get_lr(self) -> list[float]:
        self._check_within_step()
        step = self._step_count - 1
        if not self.anneal_epochs:
            step = max(1, step)
        before, now = self._progress(step - 1), self._progress(step)
        rates = []
        for group in self.optimizer.param_groups:
            lr, end = float(group["lr"]), float(group["swa_lr"])
            start = end if before == 1 else (lr - before * end) / (1 - before)
            rates.append(end * now + start * (1 - now))
        return rates
