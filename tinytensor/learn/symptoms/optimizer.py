"""Checks of the optimizer, the training step and the evaluation."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from typing import Any

import numpy

from ... import random
from ...autograd.modes import is_grad_enabled
from ...nn.dropout import DropoutModule
from ...nn.normalization import RunningNorm
from ...tensors.creation import tensor
from ..patient import Patient, array
from .finding import Finding, listed


def check_optimizer(p: Patient) -> Iterator[Finding]:
    """Which parameters are updated, and how far a step moves them."""
    if p.optimizer is None:
        return
    held = {id(q) for group in p.optimizer.param_groups for q in group["params"]}
    mine = {id(q): name for name, q in p.parameters.items()}
    missing = [name for name, q in p.parameters.items() if q.requires_grad and id(q) not in held]
    foreign = len(held - mine.keys())
    if missing and foreign:
        yield Finding("optimizer of another model", "the optimizer updates Tensors that are not "
                      f"the model's, and not {listed(missing)}",
                      f"{foreign} foreign, {len(missing)} of {len(mine)} missing", "0 and 0",
                      "make the optimizer after the model has its final parameters")
    elif missing:
        yield Finding("not in the optimizer", f"{listed(missing)} is never updated",
                      f"{len(missing)} of {len(mine)} parameters are missing", "0",
                      "pass model.parameters() after all layers are made; layers belong into "
                      "attributes, ModuleList or ModuleDict")
    ratios, falls = _one_step(p, held)
    for name, ratio in ratios.items():
        layer = name.rpartition(".")[0]
        if layer in p.seen and name.endswith("weight"):
            p.seen[layer].update = ratio
    if not ratios:
        return
    largest = max(ratios, key=ratios.__getitem__)
    if _is_too_far(ratios[largest], falls) and decay_of(p):
        without, falls_then = _one_step(p, held, decays=False)
        if not _is_too_far(max(without.values()), falls_then):
            yield decay_too_large(p, f"a step moves {largest} by {ratios[largest]:.2g} times its "
                                  f"size, and by {without[largest]:.2g} without it")
            return
    if ratios[largest] == 0:
        yield Finding("nothing moves", "a training step changes no weight",
                      "change of 0", "1e-4 to 1e-2 of the weights",
                      "call loss.backward() and optimizer.step(), and set a learning rate above 0")
    elif ratios[largest] < 1e-6:
        yield Finding("learning rate too low", "a training step hardly changes the weights",
                      f"{ratios[largest]:.1e} of {largest} at most", "1e-4 to 1e-2",
                      "raise the learning rate ten times until the loss moves")
    elif _is_too_far(ratios[largest], falls):
        yield Finding("learning rate too high", "a training step replaces the weights",
                      f"{ratios[largest]:.2g} times the size of {largest}", "1e-4 to 1e-2",
                      "lower the learning rate ten times")


def _one_step(p: Patient, held: set[int], decays: bool = True) -> tuple[dict[str, float], bool]:
    """How far a step moves each weight that the optimizer holds, as a share of its size, and
    whether the loss falls.
    """
    with p.restored():
        if not decays:
            drop_decay(p)
        before = {name: array(q).copy() for name, q in p.parameters.items()}
        loss = p.value(training=True)
        p.train(1)
        falls = p.value(training=True) < loss
        return {name: float(numpy.linalg.norm(array(q) - before[name])
                            / (numpy.linalg.norm(before[name]) or 1))
                for name, q in p.parameters.items() if id(q) in held and q.ndim > 1}, falls


def _is_too_far(ratio: float, falls: bool) -> bool:
    return ratio > 0.7 and not falls or math.isnan(ratio)


def decay_of(p: Patient) -> float:
    """The largest weight decay of the program's optimizer."""
    return max((float(group.get("weight_decay", 0.0))
                for group in getattr(p.optimizer, "param_groups", ())), default=0.0)


def drop_decay(p: Patient) -> None:
    """Sets the weight decay to 0, inside of `p.restored()`."""
    for group in p.optimizer.param_groups:
        if "weight_decay" in group:
            group["weight_decay"] = 0.0


def decay_too_large(p: Patient, seen: str) -> Finding:
    return Finding("weight decay too large", "the weights decay faster than they learn",
                   f"weight_decay {decay_of(p):g}: {seen}",
                   "1e-5 to 1e-3 with SGD and Adam, up to 0.1 with AdamW",
                   "lower weight_decay a hundred times, or leave it out")


def check_evaluation(p: Patient) -> Iterator[Finding]:
    """The program's own evaluation."""
    if p.evaluate is None:
        return
    switching = [name for name, module in p.model.named_modules()
                 if isinstance(module, DropoutModule | RunningNorm)]
    with watched_modes(p.model) as modes:
        p.model.train()
        p.evaluate()
    if any(modes) and switching:
        yield Finding("evaluated in training mode", "the evaluation runs the model in training "
                      f"mode, in which {listed(switching)} computes something else",
                      "model.training is True", "False",
                      "call model.eval() before the evaluation, and model.train() after it")


def check_step(p: Patient) -> Iterator[Finding]:
    """The program's own training step."""
    if p.step is None:
        return
    found: list[dict[str, Any]] = []
    weights = {name: array(q).copy() for name, q in p.parameters.items()}
    p.model.train()
    with watched_modes(p.model, recorded=True) as modes:
        for _ in range(2):
            with random.using(random.Streams(1)):
                p.step(*p.inputs, p.target)
            found.append({name: array(q.grad).copy() for name, q in p.parameters.items()
                          if q.grad is not None})
            for name, q in p.parameters.items():
                q.data.copy_(tensor(weights[name], device=q.device))
    ratios = {name: _ratio(g, found[0][name]) for name, g in found[1].items()
              if name in found[0] and found[0][name].any()}
    largest = max(ratios, key=ratios.__getitem__, default="")
    if ratios and ratios[largest] > 1.5:
        yield Finding("gradients add up", "the second step on one batch, from the same weights, "
                      "has a larger gradient", f"{ratios[largest]:.3g} times as large in {largest}",
                      "the same gradient", "call optimizer.zero_grad() before loss.backward()")
    if not all(modes):
        yield Finding("trained in eval mode", "the training step runs the model in eval mode",
                      "model.training is False", "True",
                      "call model.train() before training, and again after each evaluation")


@contextlib.contextmanager
def watched_modes(model: Any, recorded: bool = False) -> Iterator[list[bool]]:
    """A context that lists `training` of each call of the model, or of each recorded one."""
    modes: list[bool] = []

    def note(module: Any, args: Any) -> None:
        if is_grad_enabled() or not recorded:
            modes.append(module.training)
    handle = model.register_forward_pre_hook(note)
    try:
        yield modes
    finally:
        handle.remove()


def _ratio(g: Any, other: Any) -> float:
    return float(numpy.linalg.norm(g) / (numpy.linalg.norm(other) or 1))
