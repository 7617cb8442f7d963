"""Losses, and what goes into them.

Those that training spends its time in (cross entropy, the binary ones) are ops with a rule; the
others are composed of other operations.
"""

from __future__ import annotations

import math
from typing import Any

from ..arrays import dtypes
from ..arrays.devices import array_module
from ..autograd import graph
from ..autograd.frames import warn
from ..autograd.table import composed, op
from . import distance
from .activation import log_softmax, softmax
from .elementwise import exp, log, minimum, relu, square
from .index import take_along_dim, where
from .samples import S, ints, t
from .shape import broadcast_shapes

Array = Any


# ---------------------------------------------------------------- what losses share


def reduced(name, losses, reduction, size_average=None, reduce=None):
    """The losses as they are, their mean or their sum.

    `size_average` and `reduce` are how old PyTorch programs say it: honoured, with a warning.

    Raises:
        ValueError: another reduction.
    """
    if size_average is not None or reduce is not None:
        reduction = legacy_reduction(name, size_average, reduce)
    if reduction == "mean":
        return losses.mean()
    if reduction == "sum":
        return losses.sum()
    if reduction == "none":
        return losses
    raise ValueError(f"{name}: reduction {reduction!r} is none of 'mean', 'sum', 'none'")


def legacy_reduction(name, size_average, reduce):
    """The reduction that the two arguments of old programs stand for."""
    average = size_average is None or size_average
    reduction = "none" if reduce is False else "mean" if average else "sum"
    warn(f"{name}: size_average and reduce are deprecated, write reduction={reduction!r} instead")
    return reduction


def check_tensors(name, **given):
    """Raises TypeError for what is not a Tensor, naming it."""
    for word, x in given.items():
        if not isinstance(x, graph.Tensor):
            raise TypeError(f"{name}: the {word} must be a Tensor, got {type(x).__name__}; "
                            "write tensor(...) around it")


def warn_if_broadcast(name, input, target):
    """Warns of the mistake that trains wrongly without failing: (N, 1) against (N,)."""
    check_tensors(name, input=input, target=target)
    if input.shape != target.shape:
        try:
            broadcast_shapes(input.shape, target.shape)
        except RuntimeError:
            raise RuntimeError(f"{name}: the input has shape {tuple(input.shape)}, the target "
                               f"{tuple(target.shape)}; they must be equal") from None
        warn(f"{name}: the input has shape {tuple(input.shape)}, the target "
             f"{tuple(target.shape)}; they are broadcast against each other, which is seldom "
             "meant: make the shapes equal, with input.squeeze(-1) or target.unsqueeze(-1)")


def check_same_shape(name, input, target):
    check_tensors(name, input=input, target=target)
    if input.shape != target.shape:
        raise ValueError(f"{name}: the target has shape {tuple(target.shape)}, the input "
                         f"{tuple(input.shape)}; they must be equal")


def check_weight_shape(name, input, weight):
    if weight.shape != input.shape:
        raise ValueError(f"{name}: the weight has shape {tuple(weight.shape)}, the input "
                         f"{tuple(input.shape)}; they must be equal")


# ---------------------------------------------------------------- distances from a target


LOSS = [S(t(3, 4), t(3, 4)), S(t(5), t(5), reduction="sum"), S(t(2, 3), t(2, 3), reduction="none"),
        S(t(0), t(0)), S(t(), t())]
NEAR = [S(t(3, 4, low=0, high=0.9), t(3, 4, low=-0.9, high=0)), *LOSS[1:]]


def weighted_mean_loss(name, losses, input, weight, size_average, reduce, reduction):
    """The reduction of a regression loss whose mean is, with weights, a weighted one."""
    if weight is None:
        return reduced(name, losses, reduction, size_average, reduce)
    check_weight_shape(name, input, weight)
    if size_average is not None or reduce is not None:
        reduction = legacy_reduction(name, size_average, reduce)
    losses = losses * weight
    return losses.sum() / weight.sum() if reduction == "mean" else reduced(name, losses, reduction)


@composed(home="nn.functional", method=False, samples=[
    *LOSS, S(t(3, 4), t(3, 4), weight=t(3, 4, low=0.1)),
    S(t(3, 4), t(3, 4), weight=t(3, 4), reduction="none")])
def mse_loss(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    """weight (input - target)²; the mean is a weighted one.

    Shapes: (*), (*), weight (*) -> (), or (*) for reduction "none". Warns if shapes differ.

    Raises:
        ValueError: the weight differs in shape from the input.
    """
    warn_if_broadcast("mse_loss", input, target)
    return weighted_mean_loss("mse_loss", square(input - target), input, weight, size_average,
                              reduce, reduction)


@composed(home="nn.functional", method=False, samples=[
    *LOSS, S(t(3, 4), t(3, 4), weight=t(3, 4, low=0.1))])
def l1_loss(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    """weight |input - target|; the mean is a weighted one.

    Shapes: (*), (*), weight (*) -> (), or (*) for reduction "none". Warns if shapes differ.

    Raises:
        ValueError: the weight differs in shape from the input.
    """
    warn_if_broadcast("l1_loss", input, target)
    return weighted_mean_loss("l1_loss", (input - target).abs(), input, weight, size_average,
                              reduce, reduction)


def _huber(input, target, delta):
    """error² / 2 up to |error| = delta, and the line that continues it."""
    error = input - target
    size = error.abs()
    return where(size < delta, 0.5 * square(error), delta * (size - 0.5 * delta))


@composed(home="nn.functional", method=False, samples=[
    *NEAR, S(t(3, 4), t(3, 4), beta=0.3), S(t(3, 4), t(3, 4), beta=0.0)])
def smooth_l1_loss(input, target, size_average=None, reduce=None, reduction="mean", beta=1.0):
    """error² / (2 beta) where |error| < beta, else |error| - beta / 2. Girshick 2015.

    Shapes: (*), (*) -> (), or (*) for reduction "none". Warns if shapes differ.

    Raises:
        RuntimeError: a negative beta.
    """
    warn_if_broadcast("smooth_l1_loss", input, target)
    if beta < 0:
        raise RuntimeError(f"smooth_l1_loss: beta must not be negative, got {beta}")
    losses = _huber(input, target, beta) / beta if beta else (input - target).abs()
    return reduced("smooth_l1_loss", losses, reduction, size_average, reduce)


@composed(home="nn.functional", method=False, samples=[
    *NEAR, S(t(3, 4), t(3, 4), delta=0.3), S(t(3, 4), t(3, 4), weight=t(3, 4))])
def huber_loss(input, target, reduction="mean", delta=1.0, weight=None):
    """error² / 2 where |error| < delta, else delta (|error| - delta / 2). Huber 1964.

    Shapes: (*), (*), weight (*) -> (), or (*) for reduction "none". Warns if shapes differ; the
    mean does not divide by the weights.

    Raises:
        RuntimeError: a delta that is not positive.
        ValueError: the weight differs in shape from the input.
    """
    warn_if_broadcast("huber_loss", input, target)
    if delta <= 0:
        raise RuntimeError(f"huber_loss: delta must be positive, got {delta}")
    losses = _huber(input, target, delta)
    if weight is not None:
        check_weight_shape("huber_loss", input, weight)
        losses = losses * weight
    return reduced("huber_loss", losses, reduction)


# ---------------------------------------------------------------- labels and probabilities


@op(method=False, internal=True, residuals=("largest", "total"), samples=[
    S(t(3, 4), ints(3, high=4)), S(t(0, 4), ints(0)), S(t(2, 1), ints(2, high=1)),
    S(t(3, 4), ints(3, high=4), "sum"), S(t(3, 4), ints(3, high=4), "mean"),
    S(t(0, 4), ints(0), "sum")],
    reference=lambda torch: lambda input, target, reduction="none":
        torch.nn.functional.cross_entropy(input, target, reduction=reduction))
def label_cross_entropy(xp, input: Array, target: Array, reduction: str = "none"):
    """log Σ e**x - x[label], for each row of scores. Shapes: (N, C), (N) labels -> (N), or ().

    One op rather than log_softmax and a choice from it: its gradient, softmax - one_hot, takes
    one pass over the scores where the composition takes four, and nothing else of their size
    is kept.
    """
    largest = xp.amax(input, axis=1, keepdims=True)
    total = xp.sum(xp.exp(input - largest), axis=1, keepdims=True)
    chosen = xp.take_along_axis(input, xp.reshape(target, (-1, 1)), axis=1)
    losses = xp.reshape(xp.log(total) - (chosen - largest), (-1,))
    if reduction != "none":
        losses = xp.sum(losses) if reduction == "sum" else xp.mean(losses)
    return losses, largest, total


@label_cross_entropy.vjp("input")
def _(xp, g, input, largest, total, target, reduction):
    if reduction != "none":
        g = xp.full(target.shape, g if reduction == "sum" else g / len(target), dtype=g.dtype)
    d = xp.exp(input - largest) * (xp.reshape(g, (-1, 1)) / total)
    d[xp.arange(len(target)), target] -= g
    return d


def class_rows(name, input, target):
    """Scores (N, C, *) and labels (N, *) as rows (M, C) and labels (M).

    Raises:
        RuntimeError, ValueError: shapes that do not fit; labels that are not integers.
    """
    shape, labels = tuple(input.shape), tuple(target.shape)
    if not shape:
        raise RuntimeError(f"{name}: scores need a dim for the classes, got a 0-d Tensor")
    if target.dtype not in (dtypes.int64, dtypes.uint8):
        if target.dtype.is_floating_point:
            raise RuntimeError(
                f"{name}: a target of {target.dtype} and shape {labels} for scores of shape "
                f"{shape}; class labels must be integers: convert them with .long()"
                + (f", or give probabilities of shape {shape}" if name == "cross_entropy" else ""))
        raise RuntimeError(f"{name}: labels must be int64, got {target.dtype}; convert them with "
                           ".long()")
    fits = labels in ((), (1,)) if len(shape) == 1 else labels == shape[:1] + shape[2:]
    if not fits:
        kind = ValueError if len(shape) == 2 and len(labels) == 1 else RuntimeError
        raise kind(f"{name}: scores of shape {shape} and labels of shape {labels} do not fit; "
                   "labels have the shape of the scores without dim 1, the classes")
    if len(shape) == 1:
        return input.reshape((1, -1)), target.reshape((1,))
    if len(shape) > 2:
        order = (0, *range(2, len(shape)), 1)
        return input.permute(order).reshape((-1, shape[1])), target.reshape((-1,))
    return input, target


def class_weights(name, labels, classes, weight, ignore_index):
    """(labels, used, weights): the labels with 0 for ignored ones, which of them count, how much.

    `used` is None where all count, `weights` where all that count do so the same.

    Raises:
        IndexError: a label outside of [0, C - 1] that is not `ignore_index`.
        RuntimeError: not one weight for each class.
    """
    if weight is not None and tuple(weight.shape) != (classes,):
        raise RuntimeError(f"{name}: the weight has shape {tuple(weight.shape)}, but there are "
                           f"{classes} classes")
    used = None
    if labels.numel() and not _all_in_range(labels._array, classes, ignore_index):
        low, high = int(labels._array.min()), int(labels._array.max())
        if low <= ignore_index <= high:
            used = labels != ignore_index
            labels = labels.masked_fill(~used, 0)
            low, high = int(labels._array.min()), int(labels._array.max())
        if (low < 0 or high >= classes) and (used is None or bool(used.any())):
            raise IndexError(f"{name}: label {low if low < 0 else high} is out of range for "
                             f"{classes} classes: it must be in [0, {classes - 1}], or "
                             f"ignore_index ({ignore_index})")
    return labels, used, None if weight is None else weight[labels]


def _all_in_range(labels, classes, ignore_index):
    """Whether all are labels of a class and none is ignored: the usual case, seen in one pass.

    As an unsigned number, one below 0 is larger than any class.
    """
    if 0 <= ignore_index < classes:
        return False
    unsigned = labels if labels.dtype.kind == "u" else labels.view("uint64")
    return int(unsigned.max()) < classes


def class_loss(name, losses, used, weights, shape, reduction):
    """The losses of rows, reduced; the mean is over the weights of those that count."""
    if used is not None:
        if reduction == "none":
            losses = losses.masked_fill(~used, 0.0)
        else:  # chosen, not multiplied by 0: what is ignored may be infinite, and may be all
            losses, weights = losses[used], None if weights is None else weights[used]
    if reduction == "mean" and weights is not None:
        return losses.sum() / weights.sum()
    return reduced(name, losses.reshape(shape) if reduction == "none" else losses, reduction)


def _times(losses, weights):
    return losses if weights is None else losses * weights


@composed(home="nn.functional", method=False, samples=[
    S(t(3, 4), ints(3, high=4)), S(t(2, 4, 3), ints(2, 3, high=4), reduction="sum"),
    S(t(3, 4), ints(3, high=4), reduction="none"), S(t(4), ints(high=4)),
    S(t(2, 4, 3, 2), ints(2, 3, 2, high=4), reduction="none"), S(t(0, 4), ints(0)),
    S(t(3, 4), ints(3, high=4), ignore_index=1, weight=t(4, low=0.5, grad=False))])
def nll_loss(input, target, weight=None, size_average=None, ignore_index=-100, reduce=None,
             reduction="mean"):
    """-weight[y] * input[y], where input holds log-probabilities; the mean is a weighted one.

    Shapes: (N, C, *), (N, *) labels -> (), or (N, *) for reduction "none"; or (C), () -> ().

    Raises:
        ValueError: the batch sizes differ.
        RuntimeError: other shapes that do not fit; labels that are not int64.
        IndexError: a label outside of [0, C - 1] that is not `ignore_index`.
    """
    if size_average is not None or reduce is not None:
        reduction = legacy_reduction("nll_loss", size_average, reduce)
    rows, labels = class_rows("nll_loss", input, target)
    labels, used, weights = class_weights("nll_loss", labels, rows.shape[1], weight, ignore_index)
    losses = _times(-take_along_dim(rows, labels.unsqueeze(1), 1).squeeze(1), weights)
    return class_loss("nll_loss", losses, used, weights, target.shape, reduction)


@composed(home="nn.functional", method=False, samples=[
    S(t(3, 4), ints(3, high=4)), S(t(2, 4, 3), ints(2, 3, high=4)), S(t(4), ints(high=4)),
    S(t(2, 4, 3, 2), ints(2, 3, 2, high=4), reduction="none"), S(t(0, 4), ints(0)),
    S(t(3, 4), ints(3, high=4), ignore_index=1, weight=t(4, low=0.5, grad=False)),
    S(t(3, 4), ints(3, high=4), label_smoothing=0.1, weight=t(4, low=0.5, grad=False)),
    S(t(3, 4, 2), ints(3, 2, high=4), label_smoothing=0.3, ignore_index=2, reduction="none"),
    S(t(3, 4), t(3, 4, low=0, high=1)), S(t(4), t(4, low=0, high=1)),
    S(t(2, 4, 3), t(2, 4, 3, low=0, high=1), weight=t(4, low=0.5, grad=False),
      label_smoothing=0.2), S(t(2, 4, 3), t(2, 4, 3, low=0, high=1), reduction="none"),
    S(t(3, 4), ints(3, high=4), reduction="none"), S(t(3, 4), ints(3, high=4), reduction="sum")])
def cross_entropy(input, target, weight=None, size_average=None, ignore_index=-100, reduce=None,
                  reduction="mean", label_smoothing=0.0):
    """-Σ p_c weight_c log softmax(input)_c, for labels or for probabilities p as the target.

    Shapes: (N, C, *) scores, (N, *) labels or (N, C, *) probabilities -> (), or (N, *) for
    reduction "none"; or (C) and () or (C). Label smoothing: Szegedy et al. 2016, section 7.
    The softmax is inside: warns if the input is the result of one.

    Raises:
        ValueError, RuntimeError, IndexError: as `nll_loss`.
        RuntimeError: label_smoothing outside of [0, 1].
    """
    check_tensors("cross_entropy", input=input, target=target)
    if not 0 <= label_smoothing <= 1:
        raise RuntimeError(f"cross_entropy: label_smoothing must be in [0, 1], got "
                           f"{label_smoothing}")
    if size_average is not None or reduce is not None:
        reduction = legacy_reduction("cross_entropy", size_average, reduce)
    if input._node.__class__ is softmax.op.node_type:
        warn("cross_entropy: the input is the result of softmax, but cross_entropy applies "
             "softmax itself, and twice trains badly; give it the scores from before the "
             "softmax, or nll_loss the logarithm of the probabilities")
    if target.dtype.is_floating_point and target.shape == input.shape:
        return _of_probabilities(input, target, weight, ignore_index, reduction, label_smoothing)
    rows, labels = class_rows("cross_entropy", input, target)
    classes = rows.shape[1]
    labels, used, weights = class_weights("cross_entropy", labels, classes, weight, ignore_index)
    if (weights is None and used is None and not label_smoothing and labels._array.size
            and reduction in ("mean", "sum")):
        return label_cross_entropy(rows, labels, reduction)
    if label_smoothing:
        logs = log_softmax(rows, 1)
        hard = -take_along_dim(logs, labels.unsqueeze(1), 1).squeeze(1)
        smooth = -(logs if weight is None else logs * weight).sum(1)
        losses = _times(hard, weights) * (1 - label_smoothing) + smooth * (
            label_smoothing / classes)
    else:
        losses = _times(label_cross_entropy(rows, labels), weights)
    return class_loss("cross_entropy", losses, used, weights, target.shape, reduction)


def _of_probabilities(input, target, weight, ignore_index, reduction, label_smoothing):
    """Cross entropy with a distribution over the classes for each sample; the mean is over them."""
    if ignore_index >= 0:
        raise RuntimeError("cross_entropy: ignore_index names a label, but the target holds "
                           "probabilities")
    dim = 1 if input.ndim > 1 else 0
    classes = input.shape[dim]
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / classes
    weighted = log_softmax(input, dim) * target
    if weight is not None:
        if tuple(weight.shape) != (classes,):
            raise RuntimeError(f"cross_entropy: the weight has shape {tuple(weight.shape)}, but "
                               f"there are {classes} classes")
        weighted = weighted * weight.reshape((-1,) + (1,) * (input.ndim - dim - 1))
    return reduced("cross_entropy", -weighted.sum(dim), reduction)


@op(promotes="same", promoted=("input", "target"), method=False, internal=True, samples=[
    S(t(3, 4, low=0.1, high=0.9), t(3, 4, low=0.1, high=0.9))],
    reference=lambda torch: lambda input, target: torch.nn.functional.binary_cross_entropy(
        input, target, reduction="none"))
def probability_cross_entropy(xp, input: Array, target: Array):
    """-(y log p + (1 - y) log(1 - p)), its logarithms not below -100. Shapes: (*), (*) -> (*).

    One op, for its gradient stays finite where p is 0 or 1, as PyTorch's does.
    """
    return (target - 1) * xp.maximum(xp.log(1 - input), -100.0) \
        - target * xp.maximum(xp.log(input), -100.0)


probability_cross_entropy.vjp(
    input=lambda xp, g, input, target: g * (
        (input - target) / xp.maximum((1 - input) * input, 1e-12)),
    target=lambda xp, g, input: g * (xp.log(1 - input) - xp.log(input)),
)


@composed(home="nn.functional", method=False, samples=[
    S(t(4, low=0.1, high=0.9), t(4, low=0.1, high=0.9)),
    S(t(2, 3, low=0.1, high=0.9), t(2, 3, low=0.1, high=0.9), t(3, grad=False), reduction="sum"),
    S(t(2, 3, low=0.1, high=0.9), t(2, 3, low=0.1, high=0.9), reduction="none"),
    S(t(0), t(0))])
def binary_cross_entropy(input, target, weight=None, size_average=None, reduce=None,
                         reduction="mean"):
    """-weight (y log p + (1 - y) log(1 - p)), its logarithms not below -100.

    Shapes: (*) probabilities, (*) targets in [0, 1] -> (), or (*) for reduction "none".

    Raises:
        ValueError: input and target differ in shape.
        RuntimeError: a probability or a target outside of [0, 1].
    """
    check_same_shape("binary_cross_entropy", input, target)
    _check_probabilities("input", input)
    _check_probabilities("target", target)
    losses = probability_cross_entropy(input, target)
    return reduced("binary_cross_entropy", losses if weight is None else losses * weight,
                   reduction, size_average, reduce)


def _check_probabilities(what, p):
    array = p._array
    if array.size and array.dtype.kind == "f" and not (array.min() >= 0 and array.max() <= 1):
        hint = "; for scores use binary_cross_entropy_with_logits" if what == "input" else ""
        raise RuntimeError(f"binary_cross_entropy: the {what} must be in [0, 1], got values from "
                           f"{float(array.min()):g} to {float(array.max()):g}{hint}")


def _softplus(xp, x):
    """log(1 + e**x), which neither overflows nor loses small values."""
    return xp.maximum(x, 0.0) + xp.log1p(xp.exp(-xp.absolute(x)))


@op(promotes="common", method=False, internal=True, samples=[
    S(t(3, 4), t(3, 4, low=0, high=1)),
    S(t(3, 4), t(3, 4, low=0, high=1), t(4, low=0.5)), S(t(), t(low=0, high=1))],
    reference=lambda torch: lambda x, y, w=1: (
        (1 - y) * x + (1 + (w - 1) * y) * torch.nn.functional.softplus(-x)))
def logit_cross_entropy(xp, input: Array, target: Array, pos_weight: Array | None = None):
    """(1 - y) x + (1 + (pos_weight - 1) y) log(1 + e**-x). Shapes: three (*) -> the broadcast.

    One op rather than five: it is what binary classifiers train on.
    """
    factor = 1.0 if pos_weight is None else 1 + (pos_weight - 1) * target
    return (1 - target) * input + factor * _softplus(xp, -input)


@logit_cross_entropy.vjp("input")
def _(xp, g, input, target, pos_weight):
    factor = 1.0 if pos_weight is None else 1 + (pos_weight - 1) * target
    return g * (1 - target - factor / (1 + xp.exp(input)))


@logit_cross_entropy.vjp("target")
def _(xp, g, input, pos_weight):
    return -g * input if pos_weight is None \
        else g * ((pos_weight - 1) * _softplus(xp, -input) - input)


@logit_cross_entropy.vjp("pos_weight")
def _(xp, g, input, target):
    return g * target * _softplus(xp, -input)


@composed(home="nn.functional", method=False, samples=[
    S(t(4), t(4, low=0, high=1)), S(t(0), t(0)),
    S(t(2, 3), t(2, 3, low=0, high=1), t(3, grad=False), reduction="sum"),
    S(t(2, 3), t(2, 3, low=0, high=1), reduction="none", pos_weight=t(3, low=0.5, grad=False)),
    S(t(2, 3), t(2, 3, low=0, high=1), t(2, 1, grad=False), pos_weight=t(low=0.5, grad=False))])
def binary_cross_entropy_with_logits(input, target, weight=None, size_average=None, reduce=None,
                                     reduction="mean", pos_weight=None):
    """-weight (pos_weight y log s + (1 - y) log(1 - s)) with s = sigmoid(input), without overflow.

    Shapes: (*) scores, (*) targets in [0, 1] -> (), or (*) for reduction "none"; the weights
    broadcast against them.

    Raises:
        ValueError: input and target differ in shape.
    """
    check_same_shape("binary_cross_entropy_with_logits", input, target)
    losses = logit_cross_entropy(input, target, pos_weight)
    return reduced("binary_cross_entropy_with_logits",
                   losses if weight is None else losses * weight, reduction, size_average, reduce)


@composed(home="nn.functional", method=False, samples=[
    S(t(3, 4), t(3, 4, low=0.1), reduction="batchmean"),
    S(t(3, 4), t(3, 4, low=0.1), reduction="sum"), S(t(3), t(2, 3, low=0.1), reduction="none"),
    S(t(3, 4), t(3, 4), reduction="batchmean", log_target=True)])
def kl_div(input, target, size_average=None, reduce=None, reduction="mean", log_target=False):
    """p (log p - input), the Kullback-Leibler divergence, where input holds log-probabilities.

    Shapes: (*), (*) -> (), or (*) for reduction "none". The target holds p, or log p with
    log_target. Mathematics' value is that of "batchmean", the sum over the size of dim 0;
    "mean" divides by the number of elements, and warns.
    """
    if size_average is not None or reduce is not None:
        reduction = legacy_reduction("kl_div", size_average, reduce)
    if reduction == "mean":
        warn("kl_div: reduction 'mean' divides by the number of elements, which is not the "
             "divergence; write reduction='batchmean'")
    if log_target:
        losses = exp(target) * (target - input)
    else:  # p log p is 0 where p is
        losses = target * (log(where(target == 0, 1.0, target)) - input)
    if reduction != "batchmean":
        return reduced("kl_div", losses, reduction)
    return losses.sum() / input.shape[0] if input.ndim else losses


@composed(home="nn.functional", method=False, samples=[
    S(t(3, 4), t(3, 4)), S(t(5, low=0.5), t(5, low=0.5), log_input=False, full=True),
    S(t(5), t(5, low=1.1, high=4), full=True, reduction="sum"),
    S(t(5, low=0.5), t(5), log_input=False, reduction="none")])
def poisson_nll_loss(input, target, log_input=True, full=False, size_average=None, eps=1e-08,
                     reduce=None, reduction="mean"):
    """e**x - y x, the negative log-likelihood of counts y; x - y log(x + eps) if not log_input.

    Shapes: (*), (*) -> (), or (*) for reduction "none". `full` adds Stirling's approximation of
    log y! where y > 1.
    """
    losses = exp(input) - target * input if log_input else input - target * log(input + eps)
    if full:
        large = target > 1
        counts = target * large + ~large  # 1 where log y! counts for nothing
        stirling = counts * log(counts) - counts + 0.5 * log(2 * math.pi * counts)
        losses = losses + stirling * large
    return reduced("poisson_nll_loss", losses, reduction, size_average, reduce)


@composed(home="nn.functional", method=False, samples=[
    S(t(3, 4), t(3, 4), t(3, 4, low=0.3)), S(t(3, 4), t(3, 4), t(3, 1, low=0.3), full=True),
    S(t(3, 4), t(3, 4), t(3, low=0.3), reduction="sum"), S(t(3, 4), t(3, 4), 0.7),
    S(t(3, 4), t(3, 4), t(3, 4, low=0.3, grad=False), eps=1.0, reduction="none")])
def gaussian_nll_loss(input, target, var, full=False, eps=1e-06, reduction="mean"):
    """(log var + (input - target)² / var) / 2, with var at least eps. Nix and Weigend 1994.

    Shapes: (*), (*), var (*), or without or with 1 for the last dim, or a number -> (), or (*)
    for reduction "none". `full` adds log(2π) / 2. The gradient ignores that var is bounded.

    Raises:
        ValueError: a negative variance, or one of another shape; another reduction.
    """
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"gaussian_nll_loss: reduction {reduction!r} is none of 'mean', 'sum', "
                         "'none'")
    if isinstance(var, int | float):
        least, log_var = var, math.log(max(var, eps))
        var = max(var, eps)
    else:
        least = var._array.min() if var.numel() else 0.0
        var = _fitting_variance(input, var)
        var = var + (var.clamp(min=eps) - var).detach()
        log_var = log(var)
    if least < 0:
        raise ValueError(f"gaussian_nll_loss: var must not be negative, got {least}")
    losses = 0.5 * (square(input - target) / var + log_var)
    if full:
        losses = losses + 0.5 * math.log(2 * math.pi)
    return reduced("gaussian_nll_loss", losses, reduction)


def _fitting_variance(input, var):
    """Variances in a shape that meets the input's.

    Raises:
        ValueError: a shape that neither equals the input's, nor lacks the last dim, nor has 1 in
            one dim.
    """
    if input.shape[:-1] == var.shape and input.ndim:
        return var.unsqueeze(-1)
    differing = [m for n, m in zip(input.shape, var.shape, strict=False) if n != m]
    if var.ndim != input.ndim or differing not in ([], [1]):
        raise ValueError(f"gaussian_nll_loss: var has shape {tuple(var.shape)}, the input "
                         f"{tuple(input.shape)}; it must be equal, or 1 in one dim, or lack the "
                         "last")
    return var


# ---------------------------------------------------------------- margins


@composed(home="nn.functional", method=False, reference=lambda torch: (
    lambda s, y, reduction="mean": getattr(torch.relu(1 - y * s), reduction)()), samples=[
        S(t(5), ints(5, low=1, high=2)), S(t(2, 3), ints(2, 3, low=-1, high=0), reduction="sum")])
def hinge_loss(input, target, reduction="mean"):
    """max(0, 1 - y s): the max-margin loss for targets y of -1 and 1.

    Shapes: (*), (*) -> (), or (*) for reduction "none". Cortes and Vapnik 1995.

    Raises:
        ValueError: input and target differ in shape, a target is neither -1 nor 1.
    """
    check_same_shape("hinge_loss", input, target)
    labels = target._array
    if labels.dtype.kind != "O" and not bool(((labels == 1) | (labels == -1)).all()):
        raise ValueError("hinge_loss: a target is -1 or 1; labels y that are 0 or 1 become "
                         "2 * y - 1")
    return reduced("hinge_loss", relu(1 - target * input), reduction)


@composed(home="nn.functional", method=False, samples=[
    S(t(5), ints(5, low=0, high=2)), S(t(2, 3), ints(2, 3, low=-1, high=2), margin=0.5),
    S(t(3), ints(3, low=1, high=2), reduction="none"), S(t(3), ints(3, low=-1, high=0),
                                                         reduction="sum")])
def hinge_embedding_loss(input, target, margin=1.0, size_average=None, reduce=None,
                         reduction="mean"):
    """The distance x where y is 1, max(0, margin - x) where y is -1.

    Shapes: (*), (*) -> (), or (*) for reduction "none".
    """
    losses = where(target != -1, input, 0.0) + where(target != 1, relu(margin - input), 0.0)
    return reduced("hinge_embedding_loss", losses, reduction, size_average, reduce)


@composed(home="nn.functional", method=False, samples=[
    S(t(5), t(5), t(5, grad=False)), S(t(2, 3), t(2, 1), ints(2, 3, low=-1, high=2), margin=0.5),
    S(t(3), t(3), t(3, grad=False), reduction="none"),
    S(t(3), t(3), t(3, grad=False), reduction="sum")])
def margin_ranking_loss(input1, input2, target, margin=0, size_average=None, reduce=None,
                        reduction="mean"):
    """max(0, -y (x1 - x2) + margin): y = 1 ranks x1 higher, y = -1 x2.

    Shapes: three (*) -> (), or (*) for reduction "none".

    Raises:
        RuntimeError: different numbers of dims.
    """
    shapes = [tuple(x.shape) for x in (input1, input2, target)]
    if len(set(map(len, shapes))) > 1:
        raise RuntimeError("margin_ranking_loss: the inputs and the target must have the same "
                           f"number of dims, got shapes {', '.join(map(str, shapes))}")
    losses = relu(-target * (input1 - input2) + margin)
    return reduced("margin_ranking_loss", losses, reduction, size_average, reduce)


@composed(home="nn.functional", method=False, samples=[
    S(t(5), t(5, grad=False)), S(t(2, 3), ints(2, 3, low=-1, high=2)),
    S(t(3), t(3, grad=False), reduction="none"), S(t(3), t(3, grad=False), reduction="sum")])
def soft_margin_loss(input, target, size_average=None, reduce=None, reduction="mean"):
    """log(1 + e**(-y x)) for targets y of -1 and 1, without overflow.

    Shapes: (*), (*) -> (), or (*) for reduction "none".

    Raises:
        ValueError: input and target differ in shape.
    """
    check_same_shape("soft_margin_loss", input, target)
    losses = logit_cross_entropy(input * target, input.new_ones(()))
    return reduced("soft_margin_loss", losses, reduction, size_average, reduce)


@composed(home="nn.functional", method=False, samples=[
    S(t(3, 4), t(3, 4, low=0, high=1)), S(t(3, 4), t(3, 4), t(4), reduction="sum"),
    S(t(2, 3, 4), ints(2, 3, 4, high=2), reduction="none"), S(t(4), t(4))])
def multilabel_soft_margin_loss(input, target, weight=None, size_average=None, reduce=None,
                                reduction="mean"):
    """The mean over classes of the binary cross entropy with logits.

    Shapes: (*, C) scores, (*, C) targets in [0, 1] -> (), or (*) for reduction "none".
    """
    losses = logit_cross_entropy(input, target.to(input.dtype))
    losses = (losses if weight is None else losses * weight).sum(-1) / input.shape[-1]
    return reduced("multilabel_soft_margin_loss", losses, reduction, size_average, reduce)


def _as_rows(name, input, target, shape):
    """Scores as (N, C), with the number of rows that the target must fit.

    Raises:
        RuntimeError: scores with no classes, or in more than two dims; a target of another shape.
    """
    if input.ndim not in (1, 2) or not input.shape[-1]:
        raise RuntimeError(f"{name}: expects scores of shape (C) or (N, C), got "
                           f"{tuple(input.shape)}")
    if tuple(target.shape) not in ((shape,) if input.ndim == 2 else (shape, (1,))):
        raise RuntimeError(f"{name}: scores of shape {tuple(input.shape)} need a target of shape "
                           f"{shape}, got {tuple(target.shape)}")
    return input.reshape((-1, input.shape[-1]))


def _check_classes(name, target, low, classes):
    if target.dtype is not dtypes.int64:
        raise RuntimeError(f"{name}: labels must be int64, got {target.dtype}; convert them with "
                           ".long()")
    raw = target._array
    if raw.size and (int(raw.min()) < low or int(raw.max()) >= classes):
        wrong = int(raw.min()) if int(raw.min()) < low else int(raw.max())
        raise RuntimeError(f"{name}: label {wrong} is out of range for {classes} classes")


@composed(home="nn.functional", method=False, samples=[
    S(t(3, 4), ints(3, 4, low=-1, high=4)), S(t(4), ints(4, low=-1, high=4)),
    S(t(2, 3), ints(2, 3, low=0, high=3), reduction="sum"),
    S(t(2, 3), ints(2, 3, low=-1, high=0)),
    S(t(3, 4), ints(3, 4, low=-1, high=4), reduction="none")])
def multilabel_margin_loss(input, target, size_average=None, reduce=None, reduction="mean"):
    """Σ max(0, 1 - (x[y] - x[c])) / C over the labels y of a sample and the classes c that are not.

    Shapes: (N, C) scores, (N, C) labels of which the first -1 ends the list -> (), or (N) for
    reduction "none"; or (C), (C) -> ().

    Raises:
        RuntimeError: shapes that do not fit; a label outside of [-1, C - 1].
    """
    name = "multilabel_margin_loss"
    rows = _as_rows(name, input, target, tuple(input.shape))
    classes = rows.shape[1]
    _check_classes(name, target, -1, classes)
    xp = array_module(target._array)
    labels = target._array.reshape(rows.shape)
    listed = xp.cumsum(labels < 0, axis=1) == 0
    labels = xp.where(listed, labels, 0)
    is_label = ((labels[:, :, None] == xp.arange(classes)) & listed[:, :, None]).any(axis=1)
    pairs = graph.tensor_of(listed[:, :, None] & ~is_label[:, None, :], None)
    chosen = take_along_dim(rows, graph.tensor_of(labels, None), 1)
    margins = relu(1 - chosen.unsqueeze(2) + rows.unsqueeze(1))
    losses = (margins * pairs).sum((1, 2)) / classes
    return reduced(name, losses.reshape(input.shape[:-1]), reduction, size_average, reduce)


@composed(home="nn.functional", method=False, samples=[
    S(t(3, 4), ints(3, high=4)), S(t(3, 4), ints(3, high=4), p=2, margin=0.7),
    S(t(4), ints(high=4)), S(t(3, 4), ints(3, high=4), weight=t(4, grad=False), reduction="sum"),
    S(t(3, 4), ints(3, high=4), p=2, weight=t(4, grad=False), reduction="none")])
def multi_margin_loss(input, target, p=1, margin=1.0, weight=None, size_average=None, reduce=None,
                      reduction="mean"):
    """Σ weight[y] max(0, margin - x[y] + x[c])**p / C over the classes c other than the label y.

    Shapes: (N, C) scores, (N) labels -> (), or (N) for reduction "none"; or (C), () -> ().
    Crammer and Singer 2001.

    Raises:
        ValueError: p is neither 1 nor 2.
        RuntimeError: shapes that do not fit; a label outside of [0, C - 1].
    """
    name = "multi_margin_loss"
    if p not in (1, 2):
        raise ValueError(f"multi_margin_loss: p must be 1 or 2, got {p}")
    rows = _as_rows(name, input, target, tuple(input.shape[:-1]))
    classes = rows.shape[1]
    _check_classes(name, target, 0, classes)
    if weight is not None and tuple(weight.shape) != (classes,):
        raise RuntimeError(f"multi_margin_loss: the weight has shape {tuple(weight.shape)}, but "
                           f"there are {classes} classes")
    labels = target.reshape((-1, 1))
    margins = relu(margin - take_along_dim(rows, labels, 1) + rows)
    if p == 2:
        margins = square(margins)
    if weight is not None:
        margins = margins * weight[labels]
    others = one_hot(labels.squeeze(1), classes) == 0
    losses = (margins * others).sum(1) / classes
    return reduced(name, losses.reshape(input.shape[:-1]), reduction, size_average, reduce)


@composed(home="nn.functional", method=False, samples=[
    S(t(3, 4), t(3, 4), t(3, 4)), S(t(3, 4), t(3, 4), t(3, 4), margin=2.0, swap=True),
    S(t(3, 4), t(3, 4), t(3, 4), p=1.0, reduction="sum"), S(t(4), t(4), t(4)),
    S(t(3, 4), t(3, 4), t(3, 4), p=3.0, eps=0.01, reduction="none")])
def triplet_margin_loss(anchor, positive, negative, margin=1.0, p=2, eps=1e-06, swap=False,
                        size_average=None, reduce=None, reduction="mean"):
    """max(0, d(anchor, positive) - d(anchor, negative) + margin), with the p-norm as distance.

    Shapes: three (N, D) or (D) -> (), or (N) for reduction "none". With `swap` the positive
    takes the anchor's place where it is nearer to the negative (Balntas et al. 2016).

    Raises:
        RuntimeError: different numbers of dims.
        ValueError: a margin that is not positive.
    """
    
    if size_average is not None or reduce is not None:
        reduction = legacy_reduction("triplet_margin_loss", size_average, reduce)
    return _triplet("triplet_margin_loss", anchor, positive, negative,
                    lambda x, y: distance.pairwise_distance(x, y, p, eps), margin, swap, reduction)


@composed(home="nn.functional", method=False, samples=[
    S(t(3, 4), t(3, 4), t(3, 4)), S(t(3, 4), t(3, 4), t(3, 4), margin=2.0, swap=True),
    S(t(3, 4), t(3, 4), t(3, 4), distance_function=lambda x, y: (x - y).abs().sum(-1),
      reduction="none")])
def triplet_margin_with_distance_loss(anchor, positive, negative, *, distance_function=None,
                                      margin=1.0, swap=False, reduction="mean"):
    """`triplet_margin_loss` with any function of two Tensors as the distance.

    Shapes: three (N, D) or (D) -> (), or (N) for reduction "none".

    Raises:
        RuntimeError: different numbers of dims.
        ValueError: a margin that is not positive.
    """
    
    return _triplet("triplet_margin_with_distance_loss", anchor, positive, negative,
                    distance_function or distance.pairwise_distance, margin, swap, reduction)


def _triplet(name, anchor, positive, negative, distance, margin, swap, reduction):
    if margin <= 0:
        raise ValueError(f"{name}: the margin must be positive, got {margin}")
    shapes = [tuple(x.shape) for x in (anchor, positive, negative)]
    if len(set(map(len, shapes))) > 1:
        raise RuntimeError(f"{name}: anchor, positive and negative must have the same number of "
                           f"dims, got shapes {', '.join(map(str, shapes))}")
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = minimum(far, distance(positive, negative))
    return reduced(name, relu(margin + near - far), reduction)


@composed(home="nn.functional", method=False, samples=[
    S(t(3, 4), t(3, 4), ints(3, low=-1, high=2)), S(t(4), t(4), ints(low=1, high=2)),
    S(t(3, 4), t(3, 4), ints(3, low=-1, high=0), margin=0.1, reduction="sum"),
    S(t(3, 4), t(3, 4), ints(3, low=1, high=2), reduction="none")])
def cosine_embedding_loss(input1, input2, target, margin=0, size_average=None, reduce=None,
                          reduction="mean"):
    """1 - cos(x1, x2) where y is 1, max(0, cos(x1, x2) - margin) where y is -1.

    Shapes: (N, D), (N, D), (N) -> (), or (N) for reduction "none"; or (D), (D), () -> ().

    Raises:
        RuntimeError: shapes that do not fit.
    """
    shapes = [tuple(x.shape) for x in (input1, input2, target)]
    if target.ndim > 1 or input1.ndim != target.ndim + 1 or input2.ndim != target.ndim + 1:
        raise RuntimeError("cosine_embedding_loss: expects inputs (N, D) and a target (N), or (D) "
                           f"and (), got shapes {', '.join(map(str, shapes))}")
    squares = ((square(input1).sum(-1) + 1e-12) * (square(input2).sum(-1) + 1e-12))
    cosine = (input1 * input2).sum(-1) / squares.sqrt()
    losses = where(target == 1, 1 - cosine, 0.0) + where(target == -1, relu(cosine - margin), 0.0)
    return reduced("cosine_embedding_loss", losses, reduction, size_average, reduce)


# ---------------------------------------------------------------- what is not a loss


@composed(home="nn.functional", method=False, reference=lambda torch: (
    lambda parameters: sum(p.pow(2).sum() for p in parameters)), samples=[S([t(2, 3), t(3)])])
def squared_norm(parameters):
    """Σ p² over all elements of all Tensors: the L2 penalty before its factor. Shapes: -> ().

    Raises:
        ValueError: there are no parameters.
    """
    squares = [square(p).sum() for p in parameters]
    if not squares:
        raise ValueError("squared_norm: there are no parameters")
    return sum(squares[1:], squares[0])


@composed(home="nn.functional", method=False, samples=[
    S(ints(2, 3, high=4)), S(ints(3), 6), S(ints(), 5), S(ints(0), 3)],
    scalar="positions are no values")
def one_hot(tensor, num_classes=-1):
    """Rows of zeros with a 1 at each position. Shapes: (*) integers -> (*, C), int64.

    Raises:
        RuntimeError: not int64; a position outside of [0, C - 1]; C left open for no positions.
    """
    if tensor.dtype is not dtypes.int64:
        raise RuntimeError(f"one_hot: positions must be int64, got {tensor.dtype}; convert them "
                           "with .long()")
    raw = tensor._array
    if num_classes == -1:
        if not raw.size:
            raise RuntimeError("one_hot: num_classes must be given for an empty Tensor")
        num_classes = int(raw.max()) + 1
    if raw.size and (int(raw.min()) < 0 or int(raw.max()) >= num_classes):
        wrong = int(raw.min()) if int(raw.min()) < 0 else int(raw.max())
        raise RuntimeError(f"one_hot: position {wrong} is out of range for {num_classes} classes: "
                           f"it must be in [0, {num_classes - 1}]")
    xp = array_module(raw)
    matches = xp.expand_dims(raw, -1) == xp.arange(num_classes)
    return graph.tensor_of(matches.astype(xp.int64), None)
