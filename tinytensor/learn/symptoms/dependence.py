"""Checks of what outputs depend on: other samples, their inputs, the future."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy

from ... import nn
from ...autograd import grad
from ...autograd.modes import enable_grad
from ...tensors.creation import tensor
from ...tensors.tensor import Tensor
from ..patient import Patient, array, floating
from .finding import Finding


def _watched(p: Patient) -> tuple[Any, Any] | None:
    """The scores in eval mode, and the Tensor to differentiate them by: the first floating input,
    or what the embedding gives for an input of tokens. None if there is neither.
    """
    inputs = list(p.inputs)
    with p.mode(False), enable_grad():
        for i, x in enumerate(inputs):
            if isinstance(x, Tensor) and x.is_floating_point():
                inputs[i] = leaf = x.detach().clone().requires_grad_()
                scores = next(floating(p.model(*inputs)), None)
                return None if scores is None else (scores, leaf)
        leaves: list[Any] = []

        def as_leaf(module: Any, args: Any, out: Any) -> Any:
            if leaves or not args or args[0] is not inputs[0]:
                return None
            leaves.append(out.detach().clone().requires_grad_())
            return leaves[0]

        handles = [module.register_forward_hook(as_leaf) for module in p.model.modules()
                   if isinstance(module, nn.Embedding)]
        try:
            scores = next(floating(p.model(*inputs)), None)
        finally:
            for handle in handles:
                handle.remove()
    return (scores, leaves[0]) if leaves and scores is not None else None


def check_samples(p: Patient) -> Iterator[Finding]:
    """Whether the output of a sample depends on other samples, and on its own input."""
    watched = _watched(p)
    if watched is None:
        return
    scores, leaf = watched
    size = len(p.inputs[0]) if p.inputs[0].ndim else 1
    if size < 2 or leaf.ndim == 0 or len(leaf) != size or not scores.ndim \
            or len(scores) % size or not scores.requires_grad:
        if leaf.ndim and len(leaf) == size and not scores.requires_grad:
            yield Finding("input ignored", "the output does not depend on the input by gradient",
                          "no path from the input to the output", "a path",
                          "look for detach(), .data, round() or argmax in forward")
        return
    rows = len(scores) // size  # a model may flatten (N, T, C) to (N T, C)
    weights = tensor(numpy.random.default_rng(0).normal(size=(rows, *scores.shape[1:])),
                     dtype=scores.dtype, device=scores.device)
    own = []
    for i in sorted({0, size // 3, size // 2, size - 1}):
        (g,) = grad((scores[i * rows:(i + 1) * rows] * weights).sum(), [leaf], retain_graph=True,
                    allow_unused=True)
        sizes = numpy.zeros(size) if g is None else numpy.abs(array(g)).reshape(size, -1).max(1)
        others = numpy.delete(sizes, i)
        if others.max() > 0:
            yield Finding("samples mixed", f"the output of sample {i} depends on other samples",
                          f"a gradient by {(others > 0).sum()} of {size - 1} others, up to "
                          f"{others.max():.3g}", "exactly 0: each sample is computed from its own",
                          "look for view or reshape where transpose is meant, and for mean, "
                          "softmax or norm over dimension 0")
            return
        own.append(sizes[i])
    if not any(own):
        yield Finding("input ignored", "the outputs do not depend on their inputs",
                      f"a gradient of exactly 0 in {len(own)} of {len(own)} samples", "not 0",
                      "look for detach(), dead units, weights of 0 and forward's arguments")


def check_future(p: Patient) -> Iterator[Finding]:
    """Models that predict the next element of a sequence must not see it."""
    x, y = p.inputs[0], p.target
    if not isinstance(x, Tensor) or not isinstance(y, Tensor) or x.ndim < 2:
        return
    inputs, targets = array(x), array(y)
    if targets.shape != inputs.shape:
        if targets.size != inputs.size:
            return
        targets = targets.reshape(inputs.shape)
    if inputs.shape[1] < 3 or inputs.dtype.kind == "f" and inputs.ndim < 3:
        return
    if (inputs == targets).all():
        yield Finding("target is the input", "the target is the input at the same position",
                      "all elements are equal", "the target is the next element",
                      "shift: inputs = text[:-1], targets = text[1:]")
        return
    if not (inputs[:, 1:] == targets[:, :-1]).all():
        return
    watched = _watched(p)
    if watched is None:
        return
    scores, leaf = watched
    steps = inputs.shape[1]
    orders = []
    if scores.ndim == 3 and scores.shape[::2] == inputs.shape[:2]:  # (N, C, T) as in cross_entropy
        orders.append(scores.transpose(1, 2))
    if not orders or scores.shape[:2] == inputs.shape[:2]:  # where C is T it may be either
        orders.append(scores.reshape(*inputs.shape[:2], -1))
    middle = steps // 2
    found = [grad((order[:, middle] ** 2).sum(), [leaf], retain_graph=True, allow_unused=True)[0]
             for order in orders]
    if any(g is None for g in found):
        return
    sizes = numpy.min([numpy.abs(array(g)).reshape(len(inputs), steps, -1).max((0, 2))
                       for g in found], axis=0)
    if sizes[middle + 1:].max() > 0:
        yield Finding("sees the future", f"the output at position {middle} depends on later ones",
                      f"a gradient by position {middle + 1 + int(sizes[middle + 1:].argmax())} of "
                      f"size {sizes[middle + 1:].max():.3g}", "exactly 0",
                      "mask the attention (is_causal=True), or make the network one-directional; "
                      "the loss is small now and useless later")
