"""The CTC loss, which sums over all alignments of a sequence with its labels."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy

from ..arrays import devices, dtypes
from ..arrays.numbers import integer, integers, is_integer
from ..autograd.graph import tensor_of
from ..autograd.table import composed
from ..tensors.tensor import Tensor
from .index import where
from .loss import reduced
from .reduce import logsumexp
from .samples import S, t
from .shape import cat, stack

LEAST = -1e30  # log 0: -inf would give NaN gradients


def _by_enumeration(torch: Any) -> Any:
    """The loss by enumerating all paths."""
    def collapsed(path: Any, blank: int) -> list[int]:
        return [c for c, before in zip(path, (blank, *path), strict=False)
                if c != blank and c != before]

    def one(log_probs: Any, target: list[int], blank: int) -> Any:
        steps, classes = log_probs.shape
        paths = [p for p in itertools.product(range(classes), repeat=steps)
                 if collapsed(p, blank) == target]
        return -torch.logsumexp(torch.stack([
            sum(log_probs[i, c] for i, c in enumerate(p)) for p in paths]), 0)

    def ctc_loss(log_probs: Any, targets: Any, input_lengths: Any, target_lengths: Any,
                 blank: int = 0, reduction: str = "mean") -> Any:
        starts = list(itertools.accumulate(target_lengths, initial=0))
        losses = []
        for i, (steps, length) in enumerate(zip(input_lengths, target_lengths, strict=True)):
            target = targets[i, :length] if targets.ndim == 2 else targets[
                starts[i]:starts[i] + length]
            losses.append(one(log_probs[:steps, i], target.tolist(), blank))
        if reduction == "mean":
            losses = [a / max(n, 1) for a, n in zip(losses, target_lengths, strict=True)]
        result = torch.stack(losses)
        return {"none": result, "sum": result.sum(), "mean": result.mean()}[reduction]

    return ctc_loss


@composed(widens=True, home="nn.functional", method=False, reference=_by_enumeration, samples=[
    S(t(4, 2, 3), numpy.array([[1, 2], [2, 0]]), [4, 3], [2, 1], reduction="none"),
    S(t(5, 2, 3), numpy.array([[1, 1], [0, 1]]), [5, 4], [2, 2], 2),
    S(t(3, 2, 3), numpy.array([1, 2, 2]), [3, 3], [2, 1], reduction="sum"),
    S(t(3, 1, 3), numpy.array([[1]]), [3], [0])],
    scalar="labels are positions")
def ctc_loss(log_probs: Tensor, targets: Tensor, input_lengths: Tensor | Sequence[int],
             target_lengths: Tensor | Sequence[int], blank: int = 0, reduction: str = "mean",
             zero_infinity: bool = False) -> Tensor:
    """-log of the total probability of all paths that collapse to the labels.

    A path of symbols collapses by removing repeated symbols, and then blanks. The probabilities
    of all paths are summed step by step (the forward algorithm).

    Shapes: (T, N, C) or (T, C) log-probabilities, (N, S) or (the sum of all target lengths)
    labels, (N), (N) -> (), or (N) for reduction "none". "mean" first divides each loss by its
    target length. Without a path the loss is inf, or 0 with zero_infinity. Graves et al. 2006.

    The gradient is that of log_probs. PyTorch's assumes that log_probs is a log_softmax.

    Raises:
        RuntimeError: lengths that do not fit; labels that are blank or not a class.
        ValueError: another reduction.
    """
    blank, single = integer("ctc_loss: blank", blank), log_probs.ndim == 2
    if single:
        log_probs = log_probs.unsqueeze(1)
    steps, batch, classes = log_probs.shape
    lengths, sizes = _lengths("input_lengths", input_lengths), _lengths(
        "target_lengths", target_lengths)
    labels = _labels(targets, sizes, single, int(not blank))
    _check(labels, lengths, sizes, steps, batch, classes, blank)

    # The states are the labels with a blank before, between and after them: 2 S + 1 states.
    states = numpy.full((batch, 2 * labels.shape[1] + 1), blank)
    states[:, 1::2] = labels
    # A step may skip the blank between two labels unless they are equal.
    may_skip = numpy.zeros(states.shape, dtype=bool)
    may_skip[:, 3::2] = labels[:, 1:] != labels[:, :-1]

    def given(array: numpy.ndarray[Any, Any]) -> Tensor:
        return tensor_of(devices.to_device(array, log_probs.device), None)

    rows = given(numpy.arange(batch)[:, None])
    emitted = log_probs.clamp(min=LEAST)[:, rows, given(states)]  # (T, N, 2 S + 1)
    skips, first = given(may_skip), given(numpy.arange(states.shape[1]) < 2)
    impossible = emitted.new_full((batch, 2), LEAST)
    alpha = where(first, emitted[0], LEAST)
    for i in range(1, steps):
        before = cat([impossible, alpha], 1)  # shifted by one and by two states
        ways = stack([alpha, before[:, 1:-1], where(skips, before[:, :-2], LEAST)])
        running = given((numpy.asarray(lengths) > i)[:, None])
        alpha = where(running, logsumexp(ways, 0) + emitted[i], alpha)
    ends = given(2 * numpy.asarray(sizes)[:, None])  # the last blank, or the label before it
    last = stack([alpha.gather(1, ends), where(ends > 0, alpha.gather(1, (ends - 1).clamp(min=0)),
                                               LEAST)])
    losses = -logsumexp(last, 0).squeeze(1)
    if 0 in lengths:  # the empty path collapses to no labels
        losses = where(given(numpy.asarray(lengths) == 0),
                       given(numpy.asarray(sizes) * -LEAST).to(losses.dtype), losses)
    losses = where(losses > -LEAST / 2, 0.0 if zero_infinity else math.inf, losses)
    if reduction == "mean":
        return (losses / given(numpy.maximum(sizes, 1)).to(losses.dtype)).mean()
    if reduction == "none" and single:
        return losses[0]
    return reduced("ctc_loss", losses, reduction)


def _lengths(name: str, given: Tensor | Sequence[int] | int) -> list[int]:
    """Lengths as a list of ints, from a Tensor, a sequence, or a single int."""
    values: Any = given.tolist() if hasattr(given, "tolist") else given
    if not is_integer(values) and not all(map(is_integer, values)):
        raise RuntimeError(f"ctc_loss: {name} must be integers, got {values}")
    lengths = list(integers(f"ctc_loss: {name}", values))
    if min(lengths, default=0) < 0:
        raise RuntimeError(f"ctc_loss: {name} must not be negative, got {lengths}")
    return lengths


def _labels(targets: Tensor, sizes: list[int], single: bool, some: int,
            ) -> numpy.ndarray[Any, Any]:
    """The labels as an array (N, S) on the CPU, padded with zeros; on the device "meta" all are
    `some`.
    """
    given: Any = getattr(targets, "_array", targets)
    array = numpy.full(given.shape, some, given.dtype) if devices.is_meta(given) \
        else devices.to_numpy(given)
    if array.dtype.kind not in "iu":
        raise RuntimeError(f"ctc_loss: targets must be integers, got {dtypes.of_array(array)}")
    if array.ndim == 1 and (single or len(array) == sum(sizes)):
        starts = itertools.accumulate(sizes, initial=0)
        rows = [array[start:start + n] for start, n in zip(starts, sizes, strict=False)]
    elif array.ndim == 2:
        rows = [row[:n] for row, n in zip(array, sizes, strict=False)]
    else:
        raise RuntimeError(f"ctc_loss: targets of shape {tuple(array.shape)} are neither (N, S) "
                           f"nor the {sum(sizes)} labels of all target_lengths")
    labels = numpy.zeros((len(rows), max(sizes, default=0)), dtype=int)
    for i, (row, n) in enumerate(zip(rows, sizes, strict=True)):
        if len(row) < n:
            raise RuntimeError(f"ctc_loss: target_lengths has {n} at {i}, but there are "
                               f"{len(row)} labels")
        labels[i, :n] = row
    return labels


def _check(labels: numpy.ndarray[Any, Any], lengths: list[int], sizes: list[int], steps: int,
           batch: int, classes: int, blank: int) -> None:
    if not len(lengths) == len(sizes) == len(labels) == batch:
        raise RuntimeError(f"ctc_loss: {len(lengths)} input_lengths, {len(sizes)} target_lengths "
                           f"and {len(labels)} rows of targets for a batch of {batch}")
    if not 0 <= blank < classes:
        raise RuntimeError(f"ctc_loss: blank must be in [0, {classes - 1}], got {blank}")
    if not steps:
        raise RuntimeError("ctc_loss: log_probs has no time steps")
    if not all(0 <= n <= steps for n in lengths):
        raise RuntimeError(f"ctc_loss: input_lengths must be in [0, {steps}], got {lengths}")
    used = numpy.arange(labels.shape[1]) < numpy.asarray(sizes)[:, None]
    wrong = used & ((labels < 0) | (labels >= classes) | (labels == blank))
    if wrong.any():
        raise RuntimeError(f"ctc_loss: the target {labels[wrong][0]} is none of the classes "
                           f"0 to {classes - 1} without the blank, {blank}")
