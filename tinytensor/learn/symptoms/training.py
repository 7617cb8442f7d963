"""Checks by training: a few samples by heart, inputs of zeros, other samples."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy

from ...tensors.creation import zeros_like
from ...tensors.tensor import Tensor
from ..patient import Patient, array, floating
from .finding import Finding
from .loss import classes_of
from .optimizer import decay_of, decay_too_large, drop_decay

OVERFIT_STEPS = 200
SHORT_STEPS = 40
# Findings about the program's optimizer, step and evaluation, and what follows from them. Labels
# are judged by a training that uses none of them, so these do not explain what it finds; all
# others do.
OF_THE_PROGRAM = {
    "optimizer of another model", "not in the optimizer", "nothing moves", "learning rate too low",
    "learning rate too high", "weight decay too large", "gradients add up",
    "trained in eval mode", "evaluated in training mode", "diverges", "cannot learn by heart",
}


def check_overfit(p: Patient) -> Iterator[Finding]:
    """A healthy model learns a few samples by heart."""
    few, target = _samples(p, 0, 8)
    with p.restored():
        losses = p.losses = p.train(OVERFIT_STEPS, few, target, dropout=False, until=0.05)
        learned = Patient(p.model, few, target, p.loss)
        after, trained = learned.value(), learned.value(training=True)
    first, last = losses[0], _end(losses)
    if len(losses) < OVERFIT_STEPS and last > 0.1 * first:
        raise TimeoutError(f"{len(losses)} steps took {p.seconds:g} s, too few to judge; give a "
                           "smaller batch or more seconds")
    if any(finding.name == "weight decay too large" for finding in p.findings):
        return
    if not last <= 0.3 * first and decay_of(p):
        with p.restored():
            drop_decay(p)
            without = _end(p.train(OVERFIT_STEPS, few, target, dropout=False, until=0.05))
        if without < 0.3 * last or math.isfinite(without) and not math.isfinite(last):
            yield decay_too_large(p, f"loss {first:.3g} before, {last:.3g} after {len(losses)} "
                                  f"steps on {_length(few[0])} samples, {without:.3g} without it")
            return
    if not math.isfinite(last):
        yield Finding("diverges", "the loss becomes NaN or infinite in training",
                      f"after {next(i for i, v in enumerate(losses) if not math.isfinite(v))} "
                      "steps on one batch", "a falling loss",
                      "lower the learning rate ten times; clip gradients "
                      "(nn.utils.clip_grad_norm_)")
    elif last > 0.7 * first and first > 1e-3:
        yield Finding("cannot learn by heart", "the model does not learn a batch of "
                      f"{_length(few[0])} samples", f"loss {first:.3g} before, {last:.3g} after "
                      f"{len(losses)} steps", "below a tenth",
                      "there is a bug before there is a question of size or rate: look at the "
                      "findings above, at the targets, and at the learning rate")
    elif math.isfinite(after) and after > 10 * max(trained, 0.05) and after > 0.5 * first:
        yield Finding("eval mode differs", "in eval mode the trained model is as bad as before",
                      f"loss {after:.3g} in eval mode, {trained:.3g} in training mode",
                      "nearly equal on the same batch", "look at the batch norms' momentum (the "
                      "share of the new batch, 0.1) and at track_running_stats")


def check_baselines(p: Patient) -> Iterator[Finding]:
    """The model must learn more from its inputs than from zeros, and what holds elsewhere."""
    size = _length(p.inputs[0])
    x = p.inputs[0]
    if not isinstance(x, Tensor) or not x.is_floating_point() or size < 8 \
            or not isinstance(p.target, Tensor) or _length(p.target) != size:
        return
    with p.restored():
        real = p.train(SHORT_STEPS)
    with p.restored():
        zeros = p.train(SHORT_STEPS, (zeros_like(x), *p.inputs[1:]))
    if len(real) < SHORT_STEPS or len(zeros) < SHORT_STEPS:
        return
    with_input, without = _end(real), _end(zeros)
    if real[0] - with_input > 0.2 * abs(real[0]) and with_input > 0.98 * without:
        yield Finding("input unused", "the model learns as much from inputs of zeros",
                      f"loss {with_input:.3g}, and {without:.3g} with zeros", "clearly smaller",
                      "the inputs may be constant, too small, or not what belongs to the targets")
        return
    scores = p.scores()
    classes = None if scores is None else classes_of(p, scores)
    if classes is None or size < 64 or p.target.ndim != 1 or scores.ndim != 2 \
            or {finding.name for finding in p.findings} - OF_THE_PROGRAM:
        return
    yield from _labels_at_random(p, size, classes)


def _labels_at_random(p: Patient, size: int, classes: int) -> Iterator[Finding]:
    half = size * 2 // 3
    rest, answers = _samples(p, half, size)
    labels = array(answers)
    with p.restored():
        by_heart = Patient(p.model, p.inputs, p.target, p.loss, seconds=p.seconds)  # with Adam
        losses = by_heart.train(OVERFIT_STEPS, *_samples(p, 0, half), until=0.1)
        held = next(floating(p.output(*rest)))
        right = float((array(held).argmax(1) == labels).mean())
    chance = float(numpy.bincount(labels, minlength=classes).max() / len(labels))
    if losses[-1] < 0.5 * losses[0] and right <= chance:
        yield Finding("labels at random", "what is learned does not hold for other samples",
                      f"{right:.0%} right on {len(labels)} samples not trained on, after the loss "
                      f"fell from {losses[0]:.3g} to {losses[-1]:.3g}",
                      f"above {chance:.0%}, the share of the most frequent class",
                      "check that inputs and labels are shuffled by the same indices")


def _samples(p: Patient, start: int, stop: int) -> tuple[tuple[Any, ...], Any]:
    """Some samples of the batch. A target of (N T,) is cut with its inputs of (N, T), and each
    Tensor of a tuple, list or dict of targets by itself.
    """
    size = _length(p.inputs[0])

    def cut(value: Any) -> Any:
        if type(value) in (tuple, list):
            return type(value)(map(cut, value))
        if type(value) is dict:
            return {key: cut(entry) for key, entry in value.items()}
        n = _length(value)
        if not isinstance(value, Tensor) or n == 0 or n % size:
            return value
        return value[start * (n // size):stop * (n // size)]
    return tuple(map(cut, p.inputs)), cut(p.target)


def _end(losses: list[float]) -> float:
    return float(numpy.mean(losses[-5:]))


def _length(value: Any) -> int:
    return len(value) if isinstance(value, Tensor) and value.ndim else 0
