"""Checks of the loss: what it prefers, what it expects, how large it is at the start."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy

from ...tensors.creation import full_like, tensor, zeros_like
from ...tensors.tensor import Tensor
from ..patient import Patient, array
from .finding import Finding


def classes_of(p: Patient, scores: Any) -> int | None:
    """The number of classes, if the target are labels of the scores; None otherwise."""
    y = p.target
    if not isinstance(y, Tensor) or y.is_floating_point() or scores is None or scores.ndim < 2:
        return None
    cells = scores.numel() // max(y.numel(), 1)
    return cells if cells > 1 and cells * y.numel() == scores.numel() else None


def _right_answers(p: Patient, scores: Any) -> Any:
    """What a model would ideally give: large scores of the right classes, or the target itself."""
    y, classes = p.target, classes_of(p, scores)
    if classes is not None:
        labels = array(y).reshape(-1)
        if labels.min() < 0 or labels.max() >= classes:
            return None
        rows = numpy.zeros((labels.size, classes), array(scores).dtype)
        rows[numpy.arange(labels.size), labels] = 10
        ideals = []
        # Where C is T, (N, T, C) and (N, C, T) are both possible: the one that the loss prefers.
        axes = [i for i, n in enumerate(scores.shape) if i and n == classes]
        for axis in axes or [0]:
            moved = [n for i, n in enumerate(scores.shape) if i != axis] + [classes]
            ideals.append(tensor(numpy.moveaxis(rows.reshape(moved), -1, axis).copy(),
                                 device=scores.device))
        return min(ideals, key=lambda ideal: p.loss_of(ideal) or 0.0)
    if isinstance(y, Tensor) and y.is_floating_point() and y.numel() == scores.numel():
        return y.reshape(scores.shape).to(scores.dtype)
    return None


def check_loss(p: Patient) -> Iterator[Finding]:
    """Whether right answers have the smaller loss, and outputs are what the loss expects."""
    scores = p.scores()
    if scores is None:
        return
    scores = scores.detach()
    yield from _shapes_of_output_and_target(p, scores)
    ideal = _right_answers(p, scores)
    if ideal is not None:
        best, worse = p.loss_of(ideal), p.loss_of(zeros_like(ideal) if classes_of(p, scores)
                                                  else ideal + ideal.std().clamp(min=1))
        if best is not None and worse is not None and best > worse:
            yield Finding("loss upside down", "right answers have a larger loss than wrong ones",
                          f"{best:.3g} against {worse:.3g}", "right answers have the smaller loss",
                          "check the sign of the loss, and the order of its arguments (output "
                          "first)", final=True)
            return
    yield from _activation_before_the_loss(p, scores)


def _shapes_of_output_and_target(p: Patient, scores: Any) -> Iterator[Finding]:
    y = p.target
    if not isinstance(y, Tensor) or not y.is_floating_point() or y.shape == scores.shape \
            or y.numel() != scores.numel() or y.numel() < 2:
        return
    as_is, fitted = p.loss_of(scores), p.loss_of(scores.reshape(y.shape))
    if as_is is not None and fitted is not None and abs(as_is - fitted) > 1e-6 * abs(fitted):
        yield Finding("shapes broadcast", "the loss compares every output with every target",
                      f"output {tuple(scores.shape)}, target {tuple(y.shape)}: loss {as_is:.4g}, "
                      f"and {fitted:.4g} element by element", "equal shapes",
                      "output.squeeze(-1), or target.unsqueeze(-1)")


def _activation_before_the_loss(p: Patient, scores: Any) -> Iterator[Finding]:
    numbers, loss = array(scores).astype(numpy.float64), p.loss_of(scores)
    shifted = p.loss_of(scores + 5)
    if loss is None or shifted is None or numbers.size < 2:
        return
    by_softmax = classes_of(p, scores) is not None \
        and abs(shifted - loss) < 1e-3 * max(1, abs(loss))
    axis = 1 if numbers.ndim > 1 and isinstance(p.target, Tensor) \
        and p.target.ndim == numbers.ndim - 1 else -1
    if by_softmax and (numbers >= 0).all() \
            and numpy.allclose(numbers.sum(axis), 1, atol=1e-3):
        yield Finding("softmax twice", "the model ends in a softmax, and the loss applies another",
                      "the outputs of a sample are at least 0 and sum to 1",
                      "logits: any numbers", "leave out the softmax at the end of the model; "
                      "cross_entropy applies it")
    elif classes_of(p, scores) is not None and abs(loss - shifted - 5) < 1e-3 \
            and (numbers >= 0).all() and numpy.allclose(numbers.sum(axis), 1, atol=1e-3):
        yield Finding("logarithm missing", "the model ends in a softmax, and the loss expects its "
                      "logarithm", f"a loss of {loss:.3g}, the mean of minus the probabilities",
                      "log-probabilities: at most 0", "end the model in log_softmax, or leave out "
                      "the softmax and use cross_entropy")
    elif by_softmax and (numbers >= 0).all() and 0 < (numbers == 0).mean() < 1:
        yield Finding("activation at the end", "the last layer's activation cuts the logits",
                      f"no output below 0, {(numbers == 0).mean():.0%} exactly 0",
                      "logits: any numbers", "leave out the activation after the last layer")
    elif isinstance(p.target, Tensor) and p.target.is_floating_point():
        target = array(p.target)
        half = p.loss_of(zeros_like(scores))
        if 0 <= target.min() and target.max() <= 1 and half is not None \
                and abs(half - math.log(2)) < 1e-4 and (numbers >= 0).all() \
                and (numbers <= 1).all():
            yield Finding("sigmoid twice", "the model ends in a sigmoid, and the loss applies "
                          "another", f"outputs from {numbers.min():.3g} to {numbers.max():.3g}",
                          "logits: any numbers", "leave out the sigmoid at the end of the model; "
                          "binary_cross_entropy_with_logits applies it")
        elif target.min() < 0 and (numbers >= 0).all() and 0 < (numbers == 0).mean() < 1:
            yield Finding("activation at the end", "the outputs cannot reach the targets",
                          f"no output below 0, targets down to {target.min():.3g}",
                          "outputs on both sides of 0",
                          "leave out the activation after the last layer")


def check_first_loss(p: Patient) -> Iterator[Finding]:
    """The loss before training against that of the same guess for every sample."""
    scores = p.scores()
    if scores is None:
        return
    scores = scores.detach()
    classes, first = classes_of(p, scores), p.value(training=True)
    if classes is not None:
        guess = p.loss_of(full_like(scores, -math.log(classes)))
        what = f"a uniform guess among {classes} classes"
    elif isinstance(p.target, Tensor) and p.target.is_floating_point() \
            and p.target.shape == scores.shape:
        guess = p.loss_of(full_like(scores, float(p.target.mean())))
        what = "the mean of the targets for every sample"
    else:
        return
    if guess is not None and guess > 0 and first > 2.5 * guess + 0.1:
        yield Finding("loss at the start", "the untrained model is worse than a guess",
                      f"loss {first:.3g}", f"near {guess:.3g}, the loss of {what}",
                      "make the initial weights smaller, above all those of the last layer "
                      "(std 1 / sqrt(inputs)), and normalise the inputs")


def check_warnings(p: Patient) -> Iterator[Finding]:
    """What the program was warned of, unless a finding has said it."""
    if any(finding.name in ("softmax twice", "shapes broadcast") for finding in p.findings):
        return
    for warning in {str(w.message): w for w in p.warnings}.values():
        if issubclass(warning.category, UserWarning):
            text, _, advice = str(warning.message).partition("; ")
            yield Finding("warning", text, f"at {warning.filename}:{warning.lineno}",
                          "no warning", advice or "read the warning")
