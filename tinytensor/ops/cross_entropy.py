"""Losses over classes and probabilities.

Cross entropy and its binary forms are ops with a rule, because training spends much time in them.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

from ..arrays import Array, devices, dtypes
from ..arrays.numbers import python_number
from ..autograd.deferred import RangeCheck, check_range, range_check
from ..autograd.frames import warn
from ..autograd.table import composed, op
from ..tensors.tensor import Tensor
from .activation import log_softmax, softmax
from .checks import need_floating, need_one_of
from .elementwise import exp, log
from .index import take_along_dim, where
from .loss import REDUCTIONS, check_same_shape, check_tensors, reduced
from .samples import S, ints, t

# ---------------------------------------------------------------- labels


@op(method=False, internal=True, residuals=("largest", "total", "divisor", "target"), samples=[
        S(t(3, 4), ints(3, high=4)), S(t(0, 4), ints(0)), S(t(2, 1), ints(2, high=1)),
        S(t(3, 4), ints(3, high=4), reduction="sum"), S(t(0, 4), ints(0), reduction="sum"),
        S(t(3, 4), ints(3, high=4), reduction="mean"),
        S(t(5, 4), ints(5, high=4), t(4, low=0.5, grad=False), "mean", 1),
        S(t(5, 4), ints(5, high=4), t(4, low=0.5, grad=False), "none", 2, 0.2),
        S(t(5, 4), ints(5, high=4), None, "mean", 2, 0.2)],
    reference=lambda torch: lambda input, target, weight=None, reduction="none",
        ignore_index=None, label_smoothing=0.0: torch.nn.functional.cross_entropy(
            input, target, weight, reduction=reduction, label_smoothing=label_smoothing,
            ignore_index=-100 if ignore_index is None else ignore_index))
def label_cross_entropy(xp, input: Array, target: Array, weight: Array | None = None,
                        reduction: str = "none", ignore_index: int | None = None,
                        label_smoothing: float = 0.0, check: RangeCheck | None = None):
    """weight[label] (log Σ e**x - x[label]), for each row x of scores.

    Shapes: (N, C), (N) labels, (C) -> (N), or ().

    With label smoothing ε it is 1 - ε times that, and ε / C times the sum over all labels. "mean"
    divides by the sum of weight[label]. Rows whose label is `ignore_index` are left out. With an
    `ignore_index`, so are those whose label is outside of [0, C - 1], which is an error: `check`
    makes it known later, as to look at a label on a GPU would be to wait.

    A program may write its next labels into the memory of these, so a copy is kept.

    Its gradient, softmax - one_hot, takes one pass over the scores. Composed of log_softmax and
    indexing it would take four, and would keep another array of that size.
    """
    if check is not None and devices.is_gpu_array(target):
        check.run(target)
    classes, kept = input.shape[1], target + 0
    target, used = _used(xp, target, classes, ignore_index)
    largest = xp.amax(input, axis=1, keepdims=True)
    total = xp.sum(xp.exp(input - largest), axis=1, keepdims=True)
    chosen = xp.take_along_axis(input, xp.reshape(target, (-1, 1)), axis=1)
    losses = xp.reshape(xp.log(total) - (chosen - largest), (-1,))
    weights = None if weight is None else weight[target]
    if weights is not None:
        losses = losses * weights
    if label_smoothing:
        logs = (input - largest) - xp.log(total)
        each = xp.sum(logs if weight is None else logs * weight, axis=1)
        losses = losses * (1 - label_smoothing) - each * (label_smoothing / classes)
    if used is not None:
        losses = xp.where(used, losses, xp.zeros_like(losses))
    divisor = _divisor(xp, losses, weights, used) if reduction == "mean" else None
    if reduction != "none":
        losses = xp.sum(losses)
        if weight is not None and label_smoothing and divisor is not None:
            losses = xp.where(divisor == 0, xp.zeros_like(losses), losses)  # 0 / 0, as PyTorch
        if divisor is not None:
            losses = losses / divisor
    return losses, largest, total, divisor, kept


@label_cross_entropy.vjp("input")
def _(xp, g, input, largest, total, divisor, target, weight, reduction, ignore_index,
      label_smoothing):
    classes = input.shape[1]
    target, used = _used(xp, target, classes, ignore_index)
    if reduction != "none":
        g = xp.full(target.shape, g if divisor is None else g / divisor, dtype=g.dtype)
    if used is not None:
        g = xp.where(used, g, xp.zeros_like(g))
    chosen = g * (1 - label_smoothing) if label_smoothing else g
    if weight is not None:
        chosen = chosen * weight[target]
    of_row = chosen
    if label_smoothing:
        each = g * (label_smoothing / classes)
        of_row = chosen + each * (classes if weight is None else xp.sum(weight))
    d = xp.exp(input - largest) * (xp.reshape(of_row, (-1, 1)) / total)
    if label_smoothing:
        each = xp.reshape(each, (-1, 1))
        d -= each if weight is None else each * weight
    d[xp.arange(len(target)), target] -= chosen
    return d


def _used(xp, target: Any, classes: int, ignore_index: int | None) -> tuple[Any, Any]:
    """The labels, 0 if they are left out, and a mask of the others; None if all are used."""
    if ignore_index is None:
        return target, None
    used = (target >= 0) & (target < classes) & (target != ignore_index)
    return xp.where(used, target, xp.zeros_like(target)), used


def _divisor(xp, losses: Any, weights: Any, used: Any) -> Any:
    """The sum of the weights of the labels that are used, all 1 if there are none."""
    if used is None:
        return len(losses) if weights is None else xp.sum(weights)
    weights = xp.ones_like(losses) if weights is None else weights
    return xp.sum(xp.where(used, weights, xp.zeros_like(weights)))


def class_rows(name: str, input: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
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
    if target.dtype is dtypes.uint8:  # as an index it would be a mask
        target = target.to(dtypes.int64)
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


def check_class_weight(name: str, weight: Tensor | None, classes: int) -> None:
    """
    Raises:
        RuntimeError: the weight does not have one element for each class.
    """
    if weight is not None and tuple(weight.shape) != (classes,):
        raise RuntimeError(f"{name}: the weight has shape {tuple(weight.shape)}, but there are "
                           f"{classes} classes")


def class_weights(name: str, labels: Tensor, classes: int, weight: Tensor | None,
                  ignore_index: int) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """(labels, used, weights): the labels, 0 if ignored; a mask of those used; their weights.

    `used` is None if no label is ignored. `weights` is None without a weight.

    Raises:
        IndexError: a label outside of [0, C - 1] that is not `ignore_index`.
        RuntimeError: not one weight for each class.
    """
    check_class_weight(name, weight, classes)
    used = None
    if devices.is_gpu_array(labels._array) or labels.is_meta:
        check_range(labels._array, 0, classes - 1, functools.partial(
            _no_class, name, classes, ignore_index), exempt=ignore_index)
        used = labels != ignore_index
        labels = labels.masked_fill(~used, 0)
    elif labels.numel() and not _all_in_range(labels._array, classes, ignore_index):
        low, high = int(labels._array.min()), int(labels._array.max())
        if low <= ignore_index <= high:
            used = labels != ignore_index
            labels = labels.masked_fill(~used, 0)
            low, high = int(labels._array.min()), int(labels._array.max())
        if (low < 0 or high >= classes) and (used is None or bool(used.any())):
            raise _no_class(name, classes, ignore_index, low if low < 0 else high)
    # Without classes all labels are ignored, and no label has a weight.
    return labels, used, None if weight is None or not classes else weight[labels]


def _no_class(name: str, classes: int, ignore_index: int, label: int | str) -> IndexError:
    return IndexError(f"{name}: label {label} is out of range for {classes} classes: it must be in "
                      f"[0, {classes - 1}], or ignore_index ({ignore_index})")


def _all_in_range(labels: Array, classes: int, ignore_index: int) -> bool:
    """Whether all labels are in [0, C - 1] and none is ignored, in one pass.

    A negative label, read as an unsigned number, is larger than any class.
    """
    if 0 <= ignore_index < classes:
        return False
    if devices.is_meta(labels):
        return True
    if not devices.is_array(labels):  # those of a batch, under vmap
        return bool(labels.min() >= 0 and labels.max() < classes)
    unsigned = labels if labels.dtype.kind == "u" else labels.view("uint64")
    return int(unsigned.max()) < classes


def class_loss(name: str, losses: Tensor, used: Tensor | None, weights: Tensor | None,
               shape: Sequence[int], reduction: str) -> Tensor:
    """The losses of rows, reduced; "mean" divides by the sum of the weights that are used."""
    if used is not None:
        if reduction == "none" or not used.is_cpu:
            losses = losses.masked_fill(~used, 0.0)
            if reduction == "mean":  # the host does not know how many labels are used
                if weights is None:
                    need_floating("mean", losses)
                counted = used if weights is None else weights.masked_fill(~used, 0.0)
                return losses.sum() / counted.sum()
        else:  # indexed, not multiplied by 0: an ignored loss may be infinite
            losses, weights = losses[used], None if weights is None else weights[used]
    if reduction == "mean" and weights is not None:
        return losses.sum() / weights.sum()
    return reduced(name, losses.reshape(shape) if reduction == "none" else losses, reduction)


def _of_labels(rows: Tensor, labels: Tensor) -> Tensor:
    """The element of each row at its label; 0 if there are no classes, and all are ignored."""
    if not rows.shape[1]:
        return rows.sum(1)
    return take_along_dim(rows, labels.unsqueeze(1), 1).squeeze(1)


def _times(losses: Tensor, weights: Tensor | None) -> Tensor:
    return losses if weights is None else losses * weights


@composed(autocast="float32", widens=True, home="nn.functional", method=False, samples=[
    S(t(3, 4), ints(3, high=4)), S(t(2, 4, 3), ints(2, 3, high=4), reduction="sum"),
    S(t(3, 4), ints(3, high=4), reduction="none"), S(t(4), ints(high=4)),
    S(t(2, 4, 3, 2), ints(2, 3, 2, high=4), reduction="none"), S(t(0, 4), ints(0)),
    S(t(3, 4), ints(3, high=4), ignore_index=1, weight=t(4, low=0.5, grad=False))])
def nll_loss(input: Tensor, target: Tensor, weight: Tensor | None = None, *,
             ignore_index: int = -100, reduction: str = "mean") -> Tensor:
    """-weight[y] * input[y] for log-probabilities; "mean" divides by the sum of the weights.

    Shapes: (N, C, *), (N, *) labels -> (), or (N, *) for reduction "none"; or (C), () -> ().

    Raises:
        ValueError: the batch sizes differ.
        RuntimeError: other shapes that do not fit; labels that are not int64.
        IndexError: a label outside of [0, C - 1] that is not `ignore_index`.
    """
    rows, labels = class_rows("nll_loss", input, target)
    labels, used, weights = class_weights("nll_loss", labels, rows.shape[1], weight, ignore_index)
    losses = _times(-_of_labels(rows, labels), weights)
    return class_loss("nll_loss", losses, used, weights, target.shape, reduction)


@composed(autocast="float32", widens=True, home="nn.functional", method=False, samples=[
    S(t(3, 4), ints(3, high=4)), S(t(2, 4, 3), ints(2, 3, high=4)), S(t(4), ints(high=4)),
    S(t(2, 4, 3, 2), ints(2, 3, 2, high=4), reduction="none"), S(t(0, 4), ints(0)),
    S(t(3, 4), ints(3, high=4), ignore_index=1, weight=t(4, low=0.5, grad=False)),
    S(t(3, 4), ints(3, high=4), label_smoothing=0.1, weight=t(4, low=0.5, grad=False)),
    S(t(3, 4, 2), ints(3, 2, high=4), label_smoothing=0.3, ignore_index=2, reduction="none"),
    S(t(3, 4), t(3, 4, low=0, high=1)), S(t(4), t(4, low=0, high=1)),
    S(t(2, 4, 3), t(2, 4, 3, low=0, high=1), weight=t(4, low=0.5, grad=False),
      label_smoothing=0.2), S(t(2, 4, 3), t(2, 4, 3, low=0, high=1), reduction="none"),
    S(t(3, 4), ints(3, high=4), reduction="none"), S(t(3, 4), ints(3, high=4), reduction="sum")])
def cross_entropy(input: Tensor, target: Tensor, weight: Tensor | None = None, *,
                  ignore_index: int = -100, reduction: str = "mean",
                  label_smoothing: float = 0.0) -> Tensor:
    """-Σ p_c weight_c log softmax(input)_c, for labels or for probabilities p as the target.

    Shapes: (N, C, *) scores, (N, *) labels or (N, C, *) probabilities -> (), or (N, *) for
    reduction "none"; or (C) and () or (C). Label smoothing: Szegedy et al. 2016, section 7.
    Applies softmax itself: warns if the input is the result of softmax.

    Raises:
        ValueError, RuntimeError, IndexError: as `nll_loss`.
        RuntimeError: label_smoothing outside of [0, 1]; scores that are not floating point.
    """
    check_tensors("cross_entropy", input, target)
    need_floating("cross_entropy", input)
    label_smoothing = python_number(label_smoothing)
    if not 0 <= label_smoothing <= 1:
        raise RuntimeError(f"cross_entropy: label_smoothing must be in [0, 1], got "
                           f"{label_smoothing}")
    if input._node.__class__ is softmax.op.node_type:
        warn("cross_entropy: the input is the result of softmax, but cross_entropy applies "
             "softmax itself, and two of them train badly; give it the scores before the "
             "softmax, or give nll_loss the logarithm of the probabilities")
    if target.dtype.is_floating_point and target.shape == input.shape:
        return _of_probabilities(input, target, weight, ignore_index, reduction, label_smoothing)
    rows, labels = class_rows("cross_entropy", input, target)
    classes = rows.shape[1]
    if classes and devices.is_gpu_array(labels._array) and (
            weight is None or weight.dtype is rows.dtype and not weight.requires_grad):
        check_class_weight("cross_entropy", weight, classes)
        need_one_of("cross_entropy", "reduction", reduction, REDUCTIONS, ValueError)
        error = functools.partial(_no_class, "cross_entropy", classes, ignore_index)
        losses = label_cross_entropy(
            rows, labels, weight, reduction, ignore_index, label_smoothing,
            range_check(labels._array, 0, classes - 1, error, exempt=ignore_index))
        return losses.reshape(target.shape) if reduction == "none" else losses
    labels, used, weights = class_weights("cross_entropy", labels, classes, weight, ignore_index)
    if weight is None and not label_smoothing and used is None and labels._array.size \
            and reduction in ("mean", "sum"):
        return label_cross_entropy(rows, labels, reduction=reduction)

    def loss(losses: Tensor) -> Tensor:
        return class_loss("cross_entropy", losses, used, weights, target.shape, reduction)

    if not classes:
        losses = loss(_of_labels(rows, labels))
        return losses * math.nan if label_smoothing else losses  # smoothing / classes is infinite
    if not label_smoothing:
        return loss(_times(label_cross_entropy(rows, labels), weights))
    logs = log_softmax(rows, 1)
    hard = loss(_times(-_of_labels(logs, labels), weights))  # 0 / 0 if all weights are 0
    smooth = loss(-(logs if weight is None else logs * weight).sum(1))
    return hard * (1 - label_smoothing) + smooth * (label_smoothing / classes)


def _of_probabilities(input: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int,
                      reduction: str, label_smoothing: float) -> Tensor:
    """Cross entropy with probabilities as the target; "mean" divides by the number of samples."""
    if ignore_index >= 0:
        raise RuntimeError("cross_entropy: ignore_index names a label, but the target holds "
                           "probabilities")
    dim = 1 if input.ndim > 1 else 0
    classes = input.shape[dim]
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / max(classes, 1)
    check_class_weight("cross_entropy", weight, classes)
    weighted = log_softmax(input, dim) * target
    if weight is not None:
        weighted = weighted * weight.reshape((-1,) + (1,) * (input.ndim - dim - 1))
    losses = reduced("cross_entropy", -weighted.sum(dim), reduction)
    return losses * math.nan if reduction == "mean" and not classes else losses  # 0 / 0


# ---------------------------------------------------------------- probabilities


@op(promotes="same", promoted=("input", "target"), method=False, internal=True, samples=[
    S(t(3, 4, low=0.1, high=0.9), t(3, 4, low=0.1, high=0.9))],
    reference=lambda torch: lambda input, target: torch.nn.functional.binary_cross_entropy(
        input, target, reduction="none"))
def probability_cross_entropy(xp, input: Array, target: Array):
    """-(y log p + (1 - y) log(1 - p)), its logarithms at least -100. Shapes: (*), (*) -> (*).

    An op with a rule: the gradient is finite at p = 0 and p = 1, as in PyTorch.
    """
    return (target - 1) * xp.maximum(xp.log(1 - input), -100.0) \
        - target * xp.maximum(xp.log(input), -100.0)


probability_cross_entropy.vjp(
    input=lambda xp, g, input, target: g * (
        (input - target) / xp.maximum((1 - input) * input, 1e-12)),
    target=lambda xp, g, input: g * (xp.log(1 - input) - xp.log(input)),
)


@composed(autocast="float32 on cpu", widens=True, home="nn.functional", method=False, samples=[
    S(t(4, low=0.1, high=0.9), t(4, low=0.1, high=0.9)),
    S(t(2, 3, low=0.1, high=0.9), t(2, 3, low=0.1, high=0.9), t(3, grad=False), reduction="sum"),
    S(t(2, 3, low=0.1, high=0.9), t(2, 3, low=0.1, high=0.9), reduction="none"),
    S(t(0), t(0))])
def binary_cross_entropy(input: Tensor, target: Tensor, weight: Tensor | None = None, *,
                         reduction: str = "mean") -> Tensor:
    """-weight (y log p + (1 - y) log(1 - p)), its logarithms at least -100.

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
                   reduction)


def _check_probabilities(word: str, p: Tensor) -> None:
    hint = "; for scores use binary_cross_entropy_with_logits" if word == "input" else ""
    if dtypes.is_floating(p._array.dtype):
        check_range(p._array, 0, 1, lambda value: RuntimeError(
            f"binary_cross_entropy: the {word} must be in [0, 1], got {value}{hint}"))


def _softplus(xp, x):
    """log(1 + e**x), without overflow and exact for small results."""
    return xp.maximum(x, 0.0) + xp.log1p(xp.exp(-xp.absolute(x)))


@op(promotes="common", method=False, internal=True, samples=[
    S(t(3, 4), t(3, 4, low=0, high=1)),
    S(t(3, 4), t(3, 4, low=0, high=1), t(4, low=0.5)), S(t(), t(low=0, high=1))],
    reference=lambda torch: lambda x, y, w=1: (
        (1 - y) * x + (1 + (w - 1) * y) * torch.nn.functional.softplus(-x)))
def logit_cross_entropy(xp, input: Array, target: Array, pos_weight: Array | None = None):
    """(1 - y) x + (1 + (pos_weight - 1) y) log(1 + e**-x). Shapes: three (*) -> the broadcast.

    One op instead of five, because binary classifiers train on it.
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


@composed(autocast="float32", widens=True, home="nn.functional", method=False, samples=[
    S(t(4), t(4, low=0, high=1)), S(t(0), t(0)),
    S(t(2, 3), t(2, 3, low=0, high=1), t(3, grad=False), reduction="sum"),
    S(t(2, 3), t(2, 3, low=0, high=1), reduction="none", pos_weight=t(3, low=0.5, grad=False)),
    S(t(2, 3), t(2, 3, low=0, high=1), t(2, 1, grad=False), pos_weight=t(low=0.5, grad=False))])
def binary_cross_entropy_with_logits(
        input: Tensor, target: Tensor, weight: Tensor | None = None, *, reduction: str = "mean",
        pos_weight: Tensor | None = None) -> Tensor:
    """-weight (pos_weight y log s + (1 - y) log(1 - s)) with s = sigmoid(input), without overflow.

    Shapes: (*) scores, (*) targets in [0, 1] -> (), or (*) for reduction "none"; the weights
    broadcast against them. The result has the dtype of the target.

    Raises:
        ValueError: input and target differ in shape.
        RuntimeError: a target of integers or bools.
    """
    check_same_shape("binary_cross_entropy_with_logits", input, target)
    if not target.dtype.is_floating_point:
        raise RuntimeError("binary_cross_entropy_with_logits: the target must be of a floating "
                           f"point dtype, got {target.dtype}; write target.float()")
    losses = logit_cross_entropy(input, target, pos_weight)
    if weight is not None:
        losses = losses * weight
    return reduced("binary_cross_entropy_with_logits", losses.to(target.dtype), reduction)


@composed(autocast="float32", widens=True, home="nn.functional", method=False, samples=[
    S(t(3, 4), t(3, 4, low=0.1), reduction="batchmean"),
    S(t(3, 4), t(3, 4, low=0.1), reduction="sum"), S(t(3), t(2, 3, low=0.1), reduction="none"),
    S(t(3, 4), t(3, 4), reduction="batchmean", log_target=True)])
def kl_div(input: Tensor, target: Tensor, *, reduction: str = "mean",
           log_target: bool = False) -> Tensor:
    """p (log p - input), the Kullback-Leibler divergence, where input holds log-probabilities.

    Shapes: (*), (*) -> (), or (*) for reduction "none". The target holds p, or log p with
    log_target. "batchmean", the sum divided by the size of dim 0, is the divergence; "mean"
    divides by the number of elements, and warns.
    """
    if reduction == "mean":
        warn("kl_div: reduction 'mean' divides by the number of elements, which is not the "
             "divergence; write reduction='batchmean'")
    if log_target:
        losses = exp(target) * (target - input)
    else:  # p log p is 0 at p = 0
        losses = target * (log(where(target == 0, 1.0, target)) - input)
    if reduction != "batchmean":
        return reduced("kl_div", losses, reduction)
    return losses.sum() / (input.shape[0] if input.ndim else 1)
