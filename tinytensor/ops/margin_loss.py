"""Losses that want a margin between scores or between distances."""

from __future__ import annotations

import math
from collections.abc import Callable

from ..arrays import dtypes
from ..arrays.devices import array_module
from ..autograd import graph
from ..autograd.deferred import check_all, check_range
from ..autograd.table import composed
from ..tensors.tensor import Tensor
from . import distance
from .activation import logsigmoid
from .cross_entropy import check_class_weight, logit_cross_entropy
from .elementwise import clamp_min, minimum, relu, square
from .embedding import one_hot
from .index import take_along_dim, where
from .loss import check_same_shape, reduced
from .samples import S, ints, t


@composed(widens=True, home="nn.functional", method=False, reference=lambda torch: (
    lambda s, y, reduction="mean": getattr(torch.relu(1 - y * s), reduction)()), samples=[
        S(t(5), ints(5, low=1, high=2)), S(t(2, 3), ints(2, 3, low=-1, high=0), reduction="sum")])
def hinge_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """max(0, 1 - y s), for scores s and targets y of -1 and 1.

    Shapes: (*), (*) -> (), or (*) for reduction "none". Cortes and Vapnik 1995.

    Raises:
        ValueError: input and target differ in shape; a target is neither -1 nor 1.
    """
    check_same_shape("hinge_loss", input, target)
    labels = target._array
    if labels.dtype.kind != "O":
        check_all((labels == 1) | (labels == -1), lambda: ValueError(
            "hinge_loss: a target is -1 or 1; labels y that are 0 or 1 become 2 * y - 1"))
    return reduced("hinge_loss", relu(1 - target * input), reduction)


@composed(autocast="float32", widens=True, home="nn.functional", method=False, samples=[
    S(t(5), ints(5, low=0, high=2)), S(t(2, 3), ints(2, 3, low=-1, high=2), margin=0.5),
    S(t(3), ints(3, low=1, high=2), reduction="none"), S(t(3), ints(3, low=-1, high=0),
                                                         reduction="sum")])
def hinge_embedding_loss(input: Tensor, target: Tensor, margin: float = 1.0, *,
                         reduction: str = "mean") -> Tensor:
    """The distance x where y is 1, max(0, margin - x) where y is -1.

    Shapes: (*), (*) -> (), or (*) for reduction "none".
    """
    losses = where(target != -1, input, 0.0) + where(target != 1, clamp_min(margin - input, 0), 0.0)
    return reduced("hinge_embedding_loss", losses, reduction)


@composed(autocast="float32", widens=True, home="nn.functional", method=False, samples=[
    S(t(5), t(5), t(5, grad=False)), S(t(2, 3), t(2, 1), ints(2, 3, low=-1, high=2), margin=0.5),
    S(t(3), t(3), t(3, grad=False), reduction="none"),
    S(t(3), t(3), t(3, grad=False), reduction="sum")])
def margin_ranking_loss(input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0, *,
                        reduction: str = "mean") -> Tensor:
    """max(0, -y (x1 - x2) + margin): y = 1 ranks x1 higher, y = -1 x2.

    Shapes: three (*) -> (), or (*) for reduction "none".

    Raises:
        RuntimeError: different numbers of dims.
    """
    shapes = [tuple(x.shape) for x in (input1, input2, target)]
    if len(set(map(len, shapes))) > 1:
        raise RuntimeError("margin_ranking_loss: the inputs and the target must have the same "
                           f"number of dims, got shapes {', '.join(map(str, shapes))}")
    losses = clamp_min(-target * (input1 - input2) + margin, 0)
    return reduced("margin_ranking_loss", losses, reduction)


@composed(autocast="float32", widens=True, home="nn.functional", method=False, samples=[
    S(t(5), t(5, grad=False)), S(t(2, 3), ints(2, 3, low=-1, high=2)),
    S(t(3), t(3, grad=False), reduction="none"), S(t(3), t(3, grad=False), reduction="sum")])
def soft_margin_loss(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """log(1 + e**(-y x)) for targets y of -1 and 1, without overflow.

    Shapes: (*), (*) -> (), or (*) for reduction "none".

    Raises:
        ValueError: input and target differ in shape.
    """
    check_same_shape("soft_margin_loss", input, target)
    losses = -logsigmoid(input * target)
    return reduced("soft_margin_loss", losses, reduction)


@composed(widens=True, home="nn.functional", method=False, samples=[
    S(t(3, 4), t(3, 4, low=0, high=1)), S(t(3, 4), t(3, 4), t(4), reduction="sum"),
    S(t(2, 3, 4), ints(2, 3, 4, high=2), reduction="none"), S(t(4), t(4))])
def multilabel_soft_margin_loss(input: Tensor, target: Tensor, weight: Tensor | None = None, *,
                                reduction: str = "mean") -> Tensor:
    """The mean over classes of the binary cross entropy with logits.

    Shapes: (*, C) scores, (*, C) targets in [0, 1] -> (), or (*) for reduction "none".

    Raises:
        ValueError: input and target differ in shape.
    """
    check_same_shape("multilabel_soft_margin_loss", input, target)
    losses = logit_cross_entropy(input, target.to(input.dtype))
    losses = (losses if weight is None else losses * weight).sum(-1) / input.shape[-1]
    return reduced("multilabel_soft_margin_loss", losses, reduction)


def _as_rows(name: str, input: Tensor, target: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Scores as (N, C); checks that the target has `shape`. A 0-d score is that of one class.

    Raises:
        RuntimeError: scores with no classes, or in more than two dims; a target of another shape.
    """
    if input.ndim > 2 or 0 in input.shape[-1:]:
        raise RuntimeError(f"{name}: expects scores of shape (C) or (N, C), got "
                           f"{tuple(input.shape)}")
    one = input.ndim < 2 and math.prod(shape) == 1
    if tuple(target.shape) not in ((shape, (1,), ()) if one else (shape,)):
        raise RuntimeError(f"{name}: scores of shape {tuple(input.shape)} need a target of shape "
                           f"{shape}, got {tuple(target.shape)}")
    return input.reshape((-1, *(input.shape[-1:] or (1,))))


def _check_classes(name: str, target: Tensor, low: int, classes: int) -> None:
    """
    Raises:
        RuntimeError: labels that are not int64, or outside of [low, C - 1].
    """
    if target.dtype is not dtypes.int64:
        raise RuntimeError(f"{name}: labels must be int64, got {target.dtype}; convert them with "
                           ".long()")
    check_range(target._array, low, classes - 1, lambda label: RuntimeError(
        f"{name}: label {label} is out of range for {classes} classes"))


@composed(autocast="float32", widens=True, home="nn.functional", method=False, samples=[
    S(t(3, 4), ints(3, 4, low=-1, high=4)), S(t(4), ints(4, low=-1, high=4)),
    S(t(2, 3), ints(2, 3, low=0, high=3), reduction="sum"),
    S(t(2, 3), ints(2, 3, low=-1, high=0)),
    S(t(3, 4), ints(3, 4, low=-1, high=4), reduction="none")])
def multilabel_margin_loss(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Σ max(0, 1 - (x[y] - x[c])) / C over the labels y of a sample and all other classes c.

    Shapes: (N, C) scores, (N, C) labels up to the first -1 -> (), or (N) for
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
    return reduced(name, losses.reshape(input.shape[:-1]), reduction)


@composed(autocast="float32", widens=True, home="nn.functional", method=False, samples=[
    S(t(3, 4), ints(3, high=4)), S(t(3, 4), ints(3, high=4), p=2, margin=0.7),
    S(t(4), ints(high=4)), S(t(3, 4), ints(3, high=4), weight=t(4, grad=False), reduction="sum"),
    S(t(3, 4), ints(3, high=4), p=2, weight=t(4, grad=False), reduction="none")])
def multi_margin_loss(input: Tensor, target: Tensor, p: int = 1, margin: float = 1.0,
                      weight: Tensor | None = None, *, reduction: str = "mean") -> Tensor:
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
    check_class_weight(name, weight, classes)
    labels = target.reshape((-1, 1))
    margins = relu(margin - take_along_dim(rows, labels, 1) + rows)
    if p == 2:
        margins = square(margins)
    if weight is not None:
        margins = margins * weight[labels]
    others = one_hot(labels.squeeze(1), classes) == 0
    losses = (margins * others).sum(1) / classes
    return reduced(name, losses.reshape(target.shape), reduction)


@composed(autocast="float32", widens=True, home="nn.functional", method=False, samples=[
    S(t(3, 4), t(3, 4), t(3, 4)), S(t(3, 4), t(3, 4), t(3, 4), margin=2.0, swap=True),
    S(t(3, 4), t(3, 4), t(3, 4), p=1.0, reduction="sum"), S(t(4), t(4), t(4)),
    S(t(3, 4), t(3, 4), t(3, 4), p=3.0, eps=0.01, reduction="none")])
def triplet_margin_loss(anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 1.0,
                        p: float = 2, eps: float = 1e-06, swap: bool = False, *,
                        reduction: str = "mean") -> Tensor:
    """max(0, d(anchor, positive) - d(anchor, negative) + margin), with the p-norm as distance.

    Shapes: three (N, D) or (D) -> (), or (N) for reduction "none". With `swap` the distance
    to the negative is the smaller one of anchor and positive (Balntas et al. 2016).

    Raises:
        RuntimeError: different numbers of dims.
        ValueError: a margin that is not positive.
    """
    
    return _triplet("triplet_margin_loss", anchor, positive, negative,
                    lambda x, y: distance.pairwise_distance(x, y, p, eps), margin, swap, reduction)


@composed(widens=True, home="nn.functional", method=False, samples=[
    S(t(3, 4), t(3, 4), t(3, 4)), S(t(3, 4), t(3, 4), t(3, 4), margin=2.0, swap=True),
    S(t(3, 4), t(3, 4), t(3, 4), distance_function=lambda x, y: (x - y).abs().sum(-1),
      reduction="none")])
def triplet_margin_with_distance_loss(
        anchor: Tensor, positive: Tensor, negative: Tensor, *,
        distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
        margin: float = 1.0, swap: bool = False, reduction: str = "mean") -> Tensor:
    """`triplet_margin_loss` with any function of two Tensors as the distance.

    Shapes: three (N, D) or (D) -> (), or (N) for reduction "none".

    Raises:
        RuntimeError: different numbers of dims.
        ValueError: a margin that is not positive.
    """
    
    return _triplet("triplet_margin_with_distance_loss", anchor, positive, negative,
                    distance_function or distance.pairwise_distance, margin, swap, reduction)


def _triplet(name: str, anchor: Tensor, positive: Tensor, negative: Tensor,
             distance: Callable[[Tensor, Tensor], Tensor], margin: float, swap: bool,
             reduction: str) -> Tensor:
    if margin <= 0:
        raise ValueError(f"{name}: the margin must be positive, got {margin}")
    shapes = [tuple(x.shape) for x in (anchor, positive, negative)]
    if len(set(map(len, shapes))) > 1:
        raise RuntimeError(f"{name}: anchor, positive and negative must have the same number of "
                           f"dims, got shapes {', '.join(map(str, shapes))}")
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = minimum(far, distance(positive, negative))
    return reduced(name, clamp_min(margin + near - far, 0), reduction)


@composed(autocast="float32", widens=True, home="nn.functional", method=False, samples=[
    S(t(3, 4), t(3, 4), ints(3, low=-1, high=2)), S(t(4), t(4), ints(low=1, high=2)),
    S(t(3, 4), t(3, 4), ints(3, low=-1, high=0), margin=0.1, reduction="sum"),
    S(t(3, 4), t(3, 4), ints(3, low=1, high=2), reduction="none")])
def cosine_embedding_loss(input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0, *,
                          reduction: str = "mean") -> Tensor:
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
    losses = where(target == 1, 1 - cosine, 0.0) \
        + where(target == -1, clamp_min(cosine - margin, 0), 0.0)
    return reduced("cosine_embedding_loss", losses, reduction)
