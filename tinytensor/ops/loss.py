"""Losses, and what goes into them. All are composed of other operations."""

from __future__ import annotations

import warnings
from typing import Any

from .. import dtypes
from ..autograd.op import composed
from .activation import log_softmax
from .elementwise import log
from .index import check_labels, take_along_dim, where
from .samples import S, ints, t

Array = Any


def reduced(name, losses, reduction):
    """The losses as they are, their mean or their sum.

    Raises:
        ValueError: another reduction.
    """
    if reduction == "mean":
        return losses.mean()
    if reduction == "sum":
        return losses.sum()
    if reduction == "none":
        return losses
    raise ValueError(f"{name}: reduction {reduction!r} is none of 'mean', 'sum', 'none'")


def warn_if_broadcast(name, input, target):
    """Warns of the mistake that trains wrongly without failing: (N, 1) against (N,)."""
    if input.shape != target.shape:
        warnings.warn(
            f"{name}: the input has shape {tuple(input.shape)}, the target "
            f"{tuple(target.shape)}; they are broadcast against each other, which is seldom "
            "meant: make the shapes equal, with input.squeeze(-1) or target.unsqueeze(-1)",
            stacklevel=3)


LOSS = [S(t(3, 4), t(3, 4)), S(t(5), t(5), reduction="sum"), S(t(2, 3), t(2, 3), reduction="none")]


@composed(home="nn.functional", method=False, samples=LOSS)
def mse_loss(input, target, reduction="mean"):
    """(input - target)². Shapes: (*), (*) -> (), or (*) for reduction "none"."""
    warn_if_broadcast("mse_loss", input, target)
    error = input - target
    return reduced("mse_loss", error * error, reduction)


@composed(home="nn.functional", method=False, samples=[
    S(t(4, low=0.1, high=0.9), t(4, low=0.1, high=0.9)),
    S(t(2, 3, low=0.1, high=0.9), t(2, 3, low=0.1, high=0.9), t(3, grad=False), reduction="sum")])
def binary_cross_entropy(input, target, weight=None, reduction="mean"):
    """-(y log p + (1 - y) log(1 - p)), its logarithms not below -100, as PyTorch's.

    Shapes: (*) probabilities, (*) targets in [0, 1] -> (), or (*) for reduction "none".

    Raises:
        ValueError: input and target differ in shape.
        RuntimeError: a probability outside of [0, 1].
    """
    if input.shape != target.shape:
        raise ValueError(f"binary_cross_entropy: the target has shape {tuple(target.shape)}, the "
                         f"input {tuple(input.shape)}; they must be equal")
    if input.numel() and not bool(((input >= 0) & (input <= 1)).all()):
        raise RuntimeError("binary_cross_entropy: the input must be probabilities in [0, 1]; for "
                           "scores use binary_cross_entropy_with_logits")
    losses = (target - 1) * log(1 - input).clamp(min=-100) - target * log(input).clamp(min=-100)
    return reduced("binary_cross_entropy", losses if weight is None else losses * weight,
                   reduction)


@composed(home="nn.functional", method=False, samples=[
    S(t(3, 4), ints(3, high=4)), S(t(2, 4, 3), ints(2, 3, high=4), reduction="sum"),
    S(t(3, 4), ints(3, high=4), reduction="none"), S(t(4), ints(high=4)),
    S(t(3, 4), ints(3, high=4), ignore_index=1, weight=t(4, low=0.5, grad=False))],
    scalar="labels choose from arrays of numbers")
def nll_loss(input, target, weight=None, size_average=None, ignore_index=-100, reduce=None,
             reduction="mean"):
    """-weight[y] * input[y], where input holds log-probabilities; the mean is a weighted one.

    Shapes: (N, C, *), (N, *) labels -> (), or (N, *) for reduction "none"; or (C), () -> ().

    Raises:
        ValueError: the batch sizes differ.
        IndexError: a label outside of [0, C - 1] that is not `ignore_index`.
    """
    classes = input.shape[1 if input.ndim > 1 else 0]
    if input.shape[:1] + input.shape[2:] != target.shape and input.ndim > 1 or \
            input.ndim == 1 and target.ndim:
        raise ValueError(f"nll_loss: scores of shape {tuple(input.shape)} and labels of shape "
                         f"{tuple(target.shape)} do not fit; labels have the shape of the scores "
                         "without dim 1")
    used = target != ignore_index
    labels = target.masked_fill(~used, 0)
    check_labels("cross_entropy: label", labels, classes)
    dim = 1 if input.ndim > 1 else 0
    losses = -take_along_dim(input, labels.unsqueeze(dim), dim).squeeze(dim)
    weights = used.to(input.dtype)
    if weight is not None:
        weights = weights * weight[labels]
    losses = (losses * weights).masked_fill(~used, 0.0)
    if reduction == "mean":
        return losses.sum() / weights.sum()
    return reduced("nll_loss", losses, reduction)


@composed(home="nn.functional", method=False, samples=[
    S(t(3, 4), ints(3, high=4)), S(t(2, 4, 3), ints(2, 3, high=4)), S(t(4), ints(high=4)),
    S(t(3, 4), ints(3, high=4), label_smoothing=0.1, weight=t(4, low=0.5, grad=False)),
    S(t(3, 4), t(3, 4, low=0, high=1)), S(t(3, 4), ints(3, high=4), reduction="none")],
    scalar="labels choose from arrays of numbers")
def cross_entropy(input, target, weight=None, size_average=None, ignore_index=-100, reduce=None,
                  reduction="mean", label_smoothing=0.0):
    """-Σ p_c weight_c log softmax(input)_c, for labels or for probabilities p as the target.

    Shapes: (N, C, *) scores, (N, *) labels or (N, C, *) probabilities -> (), or (N, *) for
    reduction "none"; or (C) and () or (C). Label smoothing: Szegedy et al. 2016, section 7.

    Raises:
        ValueError, IndexError: as `nll_loss`.
        RuntimeError: label_smoothing outside of [0, 1].
    """
    if not 0 <= label_smoothing <= 1:
        raise RuntimeError(f"cross_entropy: label_smoothing must be in [0, 1], got "
                           f"{label_smoothing}")
    dim = 1 if input.ndim > 1 else 0
    classes = input.shape[dim]
    logs = log_softmax(input, dim)
    if target.dtype.is_floating_point:
        if target.shape != input.shape:
            raise RuntimeError(f"cross_entropy: probabilities of shape {tuple(target.shape)} for "
                               f"scores of shape {tuple(input.shape)}; they must be equal. "
                               "For labels, convert the target with .long()")
        target = target * (1 - label_smoothing) + label_smoothing / classes
        weighted = logs * target
        if weight is not None:
            weighted = weighted * _along_classes(weight, input)
        losses = -weighted.sum(dim)
        if reduction == "mean":
            return losses.sum() / max(losses.numel(), 1) if losses.ndim else losses
        return reduced("cross_entropy", losses, reduction)
    hard = nll_loss(logs, target, weight, None, ignore_index, None, reduction)
    if not label_smoothing:
        return hard
    used = target != ignore_index
    smooth = -(logs if weight is None else logs * _along_classes(weight, input)).sum(dim)
    smooth = smooth.masked_fill(~used, 0.0)
    if reduction == "mean":
        counted = used.to(input.dtype)
        if weight is not None:
            counted = counted * weight[target.masked_fill(~used, 0)]
        smooth = smooth.sum() / counted.sum()
    else:
        smooth = reduced("cross_entropy", smooth, reduction)
    return hard * (1 - label_smoothing) + smooth * (label_smoothing / classes)


def _along_classes(weight, input):
    """Class weights in a shape that meets the class dim of the scores."""
    return weight.reshape((-1,) + (1,) * (input.ndim - 2)) if input.ndim > 1 else weight


@composed(home="nn.functional", method=False, reference=lambda torch: (
    lambda s, y, reduction="mean": getattr(torch.relu(1 - y * s), "mean")()), samples=[
        S(t(5), t(5, grad=False)), S(t(2, 3), t(2, 3, grad=False))])
def hinge_loss(input, target, reduction="mean"):
    """max(0, 1 - y s): the max-margin loss for targets y of -1 and 1.

    Shapes: (*), (*) -> (), or (*) for reduction "none". Cortes and Vapnik 1995.

    Raises:
        ValueError: input and target differ in shape.
    """
    if input.shape != target.shape:
        raise ValueError(f"hinge_loss: the target has shape {tuple(target.shape)}, the input "
                         f"{tuple(input.shape)}; they must be equal")
    return reduced("hinge_loss", (1 - target * input).relu(), reduction)


@composed(home="nn.functional", method=False, reference=lambda torch: (
    lambda parameters: sum(p.pow(2).sum() for p in parameters)), samples=[S([t(2, 3), t(3)])])
def squared_norm(parameters):
    """Σ p² over all elements of all Tensors: the L2 penalty before its factor. Shapes: -> ()."""
    total = None
    for p in parameters:
        square = (p * p).sum()
        total = square if total is None else total + square
    if total is None:
        raise ValueError("squared_norm: there are no parameters")
    return total


@composed(home="nn.functional", method=False, samples=[S(ints(2, 3, high=4), t(4, 5)),
                                                       S(ints(3, high=4), t(4, 2), padding_idx=1)],
          scalar="positions choose from arrays of numbers")
def embedding(input, weight, padding_idx=None):
    """The rows of `weight` at the positions in `input`; the one at padding_idx gets no gradient.

    Shapes: (*) integers, (V, D) -> (*, D).

    Raises:
        IndexError: a position outside of [0, V - 1].
    """
    check_labels("embedding", input, weight.shape[0])
    rows = weight[input]
    if padding_idx is None:
        return rows
    if not -weight.shape[0] <= padding_idx < weight.shape[0]:
        raise ValueError(f"embedding: padding_idx {padding_idx} is out of range for "
                         f"{weight.shape[0]} rows")
    padding = (input == padding_idx % weight.shape[0]).unsqueeze(-1)
    return where(padding, rows.detach(), rows)


@composed(home="nn.functional", method=False, samples=[S(ints(2, 3, high=4)), S(ints(3), 6)],
          scalar="positions are no values")
def one_hot(tensor, num_classes=-1):
    """Rows of zeros with a 1 at each position. Shapes: (*) integers -> (*, C), int64."""
    count = int(tensor.max()) + 1 if num_classes == -1 else num_classes
    check_labels("one_hot", tensor, count)
    classes = tensor.new_tensor(list(range(count)), dtype=dtypes.int64)
    return (tensor.unsqueeze(-1) == classes).to(dtypes.int64)
