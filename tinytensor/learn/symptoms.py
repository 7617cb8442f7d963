"""The doctor's checks, in the order of causes: what is found first explains what follows.

Each check takes a Patient and yields findings. The order is data, loss, gradients, what depends on
what, layers, optimizer, training.
"""

from __future__ import annotations

import contextlib
import math
import re
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy

from .. import nn, random
from ..autograd import grad
from ..autograd.frames import OWN
from ..autograd.graph import Leaf
from ..autograd.modes import detect_anomaly, enable_grad, is_grad_enabled
from ..nn.dropout import DropoutModule
from ..nn.normalization import RunningNorm
from ..tensors.creation import full_like, tensor, zeros_like
from ..tensors.tensor import Tensor
from .patient import LayerNumbers, Patient, array, floating

LINEAR = nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d
REARRANGING = {"reshape", "transpose", "permute", "flatten", "dropout", "contiguous", "getitem",
               "squeeze", "unsqueeze", "moveaxis", "expand", "clone"}
OVERFIT_STEPS = 200
SHORT_STEPS = 40


@dataclass
class Finding:
    """What is wrong, in what order to look at it, and what to do.

    name     the kind of the finding
    what     what was found, in one sentence
    seen     the number that was seen
    normal   what it usually is
    advice   what to do
    final    whether later checks would only repeat it
    """

    name: str
    what: str
    seen: str
    normal: str
    advice: str
    final: bool = False

    def __str__(self) -> str:
        return (f"{self.name}: {self.what}\n   seen    {self.seen}\n   normal  {self.normal}\n"
                f"   do      {self.advice}")


Check = Callable[[Patient], Iterator[Finding]]

# ---------------------------------------------------------------- data


def check_inputs(p: Patient) -> Iterator[Finding]:
    """Whether the inputs are finite and of usual size."""
    for index, x in enumerate(p.inputs):
        if not isinstance(x, Tensor) or not x.is_floating_point() or not x.numel():
            continue
        name = f"input {index}" if len(p.inputs) > 1 else "the inputs"
        data = array(x).astype(numpy.float64)
        broken = ~numpy.isfinite(data)
        if broken.any():
            where = tuple(int(i) for i in numpy.argwhere(broken)[0])
            yield Finding("data not finite", f"{name} contain NaN or infinity",
                          f"{data[where]} at {list(where)}, {broken.sum()} of {data.size} numbers",
                          "finite numbers", "find where the data are read or divided by zero; "
                          "drop or fill in missing values", final=True)
            return
        mean, std = data.mean(), data.std()
        if std == 0 and data.size > 1:
            yield Finding("data constant", f"{name} are all the same number",
                          f"{data.flat[0]:g} everywhere", "inputs that differ between samples",
                          "look at what the loader returns; the scaling may divide by too much")
        elif std > 20 or std < 0.02 or abs(mean) > 10 * std:
            yield Finding("data not normalised", f"{name} are far from mean 0 and deviation 1",
                          f"mean {mean:.3g}, standard deviation {std:.3g}",
                          "mean near 0, standard deviation 0.1 to 10",
                          "normalise: (x - x.mean(0)) / x.std(0) of the training set; "
                          "images as numbers in [0, 1]")


def check_targets(p: Patient) -> Iterator[Finding]:
    """Whether the targets are finite, of usual size, and fit the inputs."""
    y = p.target
    if not isinstance(y, Tensor) or not y.numel():
        return
    data = array(y)
    if data.dtype.kind == "f":
        broken = ~numpy.isfinite(data)
        if broken.any():
            yield Finding("targets not finite", "the targets contain NaN or infinity",
                          f"{broken.sum()} of {data.size} numbers", "finite numbers",
                          "find where the targets are read or computed", final=True)
            return
        if data.size > 1 and data.std() > 50:
            yield Finding("targets not normalised", "the targets are large",
                          f"mean {data.mean():.3g}, standard deviation {data.std():.3g}",
                          "standard deviation near 1",
                          "train on (y - mean) / std and undo it in predictions")
    if data.ndim == 1 and data.size >= 16 and len(set(data.tolist())) == 1:
        yield Finding("one class", "all targets of the batch are the same",
                      f"{data.size} targets, all {data.flat[0]}", "targets of every class",
                      "shuffle the data before it is cut into batches: DataLoader(shuffle=True)")
    if data.ndim >= 1 and len(p.inputs) and isinstance(p.inputs[0], Tensor):
        yield from _labels_that_differ(array(p.inputs[0]), data)
        yield from _targets_among_the_inputs(array(p.inputs[0]), data)


def _labels_that_differ(x: Any, y: Any) -> Iterator[Finding]:
    """Equal inputs with different labels cannot be learned."""
    if y.ndim != 1 or y.dtype.kind not in "iub" or len(x) != len(y):
        return
    seen: dict[bytes, set[Any]] = {}
    for row, label in zip(numpy.ascontiguousarray(x), y.tolist(), strict=True):
        seen.setdefault(row.tobytes(), set()).add(label)
    differing = sum(len(labels) > 1 for labels in seen.values())
    if differing:
        yield Finding("labels contradict", "equal inputs have different labels",
                      f"{differing} of {len(seen)} different inputs", "0",
                      "check that inputs and labels are shuffled and cut by the same indices")


def _targets_among_the_inputs(x: Any, y: Any) -> Iterator[Finding]:
    """A feature that is the target itself."""
    if x.dtype.kind != "f" or x.ndim != 2 or len(x) != len(y) or y.size != len(y) or len(y) < 8:
        return
    target = y.reshape(-1).astype(numpy.float64)
    centred = x.astype(numpy.float64) - x.mean(0)
    norm = numpy.linalg.norm(centred, axis=0) * numpy.linalg.norm(target - target.mean())
    similar = numpy.abs(centred.T @ (target - target.mean())) / numpy.where(norm > 0, norm, 1)
    if norm.any() and similar.max() > 0.9999:
        yield Finding("target among the inputs", "an input feature is the target",
                      f"feature {int(similar.argmax())} has correlation {similar.max():.5f} "
                      "with it", "below 0.99", "leave that column out of the inputs")


# ---------------------------------------------------------------- running it


def check_run(p: Patient) -> Iterator[Finding]:
    """The forward, the loss and the backward, with what they warn of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            with p.mode(True), enable_grad(), detect_anomaly():
                loss = p.loss(p.model(*p.inputs), p.target)
                if loss.requires_grad and loss.numel() == 1:
                    loss.backward()
        except Exception as error:
            yield _failure(error)
            return
        finally:
            p.clear()
    if not isinstance(loss, Tensor) or loss.numel() != 1:
        yield Finding("loss not a number", "backward needs one number",
                      f"a loss of shape {tuple(loss.shape)}", "a loss of shape ()",
                      'reduction="mean", or loss.mean()', final=True)
    elif not loss.requires_grad:
        yield Finding("loss without gradient", "the loss does not depend on any parameter that "
                      "is trained", "loss.requires_grad is False", "True",
                      "look for detach(), no_grad(), .item(), .numpy() or tensor(...) between the "
                      "parameters and the loss", final=True)
    p.warnings = caught


def _failure(error: Exception) -> Finding:
    text = str(error)
    if "detect_anomaly" in text:
        operation = re.search(r"of (\w+), called at (.*), (.*)$", text.splitlines()[0])
        where, what = (operation[2], f"{operation[1]} {operation[3]}") if operation else ("", text)
        return Finding("not finite", f"the first NaN or infinity: {what}", f"at {where}",
                       "finite numbers", "keep the operation's input in its range: log(x + 1e-9) "
                       "or log_softmax, x / (y + eps), exp of differences from the maximum",
                       final=True)
    frames = [f for f in traceback.walk_tb(error.__traceback__) if OWN not in f[0].f_globals]
    line = f"at {frames[-1][0].f_code.co_filename}:{frames[-1][1]}" if frames else "in backward"
    return Finding("does not run", f"{type(error).__name__}: {text.splitlines()[0]}",
                   line, "a forward and a backward without an error",
                   " ".join(getattr(error, "__notes__", ())) or "read the error", final=True)


# ---------------------------------------------------------------- the loss


def _classes(p: Patient, scores: Any) -> int | None:
    """The number of classes, if the target are labels of the scores; None otherwise."""
    y = p.target
    if not isinstance(y, Tensor) or y.is_floating_point() or scores is None or scores.ndim < 2:
        return None
    cells = scores.numel() // max(y.numel(), 1)
    return cells if cells > 1 and cells * y.numel() == scores.numel() else None


def _right_answers(p: Patient, scores: Any) -> Any:
    """What a model would ideally give: large scores of the right classes, or the target itself."""
    y, classes = p.target, _classes(p, scores)
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
        best, worse = p.loss_of(ideal), p.loss_of(zeros_like(ideal) if _classes(p, scores)
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
    by_softmax = _classes(p, scores) is not None and abs(shifted - loss) < 1e-3 * max(1, abs(loss))
    axis = 1 if numbers.ndim > 1 and isinstance(p.target, Tensor) \
        and p.target.ndim == numbers.ndim - 1 else -1
    if by_softmax and (numbers >= 0).all() \
            and numpy.allclose(numbers.sum(axis), 1, atol=1e-3):
        yield Finding("softmax twice", "the model ends in a softmax, and the loss applies another",
                      "the outputs of a sample are at least 0 and sum to 1",
                      "logits: any numbers", "leave out the softmax at the end of the model; "
                      "cross_entropy applies it")
    elif _classes(p, scores) is not None and abs(loss - shifted - 5) < 1e-3 \
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
    classes, first = _classes(p, scores), p.value(training=True)
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


# ---------------------------------------------------------------- gradients


def check_units(p: Patient) -> Iterator[Finding]:
    """Whether the units of a layer differ."""
    same = [name for name, layer in p.layers.items() if isinstance(layer, LINEAR)
            and _rows_equal(array(layer.weight)) and len(layer.weight) > 1
            and array(layer.weight).any()]
    if same:
        yield Finding("units alike", f"all units of {_list(same)} have the same weights",
                      "equal rows", "rows that differ",
                      "units that start alike stay alike: use random initial weights")


def check_gradients(p: Patient) -> Iterator[Finding]:
    """Whether every parameter gets a gradient."""
    with p.mode(True), enable_grad():
        hidden = _leaves(p.loss(p.model(*p.inputs), p.target).grad_fn) - {
            id(t) for t in (*p.parameters.values(), *p.inputs, p.target)}
    if hidden:
        yield Finding("hidden layers", "the loss depends on Tensors with requires_grad that are "
                      "not parameters of the model", f"{len(hidden)} of them", "0",
                      "keep layers in nn.ModuleList or nn.ModuleDict, not in a list or dict, and "
                      "Tensors as nn.Parameter")
    found = p.gradients()
    trained = {name: g for name, g in found.items() if p.parameters[name].requires_grad}
    without = [name for name, g in trained.items() if g is None]
    if without:
        yield Finding("no gradient", f"{_list(without)} does not take part in the loss",
                      f"grad is None for {len(without)} of {len(trained)} parameters",
                      "a gradient for every parameter",
                      "look for detach(), no_grad(), .data, .item() behind these layers, or "
                      "layers that forward does not call")
    zero = [name for name, g in trained.items() if g is not None and g.size and not g.any()]
    if zero:
        weights = [n for n in p.parameters if n.endswith("weight")]
        constant = all(not array(p.parameters[n]).any() for n in weights)
        yield Finding("gradient zero", f"{_list(zero)} gets a gradient of exactly 0",
                      f"{len(zero)} of {len(trained)} parameters", "numbers other than 0",
                      "all weights are 0; use nn.init or the layers' own initial weights"
                      if constant else "look for dead units, argmax or round() in the forward, "
                      "weights of 0 in later layers, and saturated activations")
    frozen = [name for name, q in p.parameters.items() if not q.requires_grad]
    if frozen and len(frozen) == len(p.parameters):
        yield Finding("all frozen", "no parameter has requires_grad", f"{len(frozen)} frozen",
                      "some that are trained", "requires_grad_(True)")


def _leaves(root: Any) -> set[int]:
    """The ids of the leaves of a graph, as Tensors."""
    pending, seen, leaves = [root], {id(root)}, set()
    while pending:
        node = pending.pop()
        if isinstance(node, Leaf):
            leaves.add(id(node.tensor()))
        for parent in getattr(node, "parents", ()):
            if parent is not None and id(parent) not in seen:
                seen.add(id(parent))
                pending.append(parent)
    return leaves


def _rows_equal(weight: Any) -> bool:
    return bool((weight == weight[:1]).all())


# ---------------------------------------------------------------- what depends on what


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


# ---------------------------------------------------------------- layers


def check_layers(p: Patient) -> Iterator[Finding]:
    """Dead and saturated units, sizes of activations and gradients, layers in a row."""
    outputs: dict[str, Any] = {}
    gradients: dict[str, Any] = {}
    inputs: dict[str, Any] = {}

    def watch(name: str) -> Any:
        def keep_gradient(g: Any) -> None:
            gradients[name] = array(g).copy()

        def keep(module: Any, args: Any, out: Any) -> None:
            if name not in outputs and isinstance(out, Tensor):  # the first call of a layer
                outputs[name], inputs[name] = out, args[0]
                if out.requires_grad:
                    out.register_hook(keep_gradient)
        return keep

    layers = {name: layer for name, layer in p.layers.items() if isinstance(layer, LINEAR)}
    handles = [layer.register_forward_hook(watch(name)) for name, layer in layers.items()]
    try:
        with p.mode(True), enable_grad():
            loss = p.loss(p.model(*p.inputs), p.target)
            uses = _uses(loss.grad_fn)
            loss.backward()
    finally:
        for handle in handles:
            handle.remove()
        p.clear()
    p.seen = {name: LayerNumbers(array(out).copy(), gradients.get(name))
              for name, out in outputs.items()}
    yield from _dead(layers, outputs, gradients)
    yield from _saturated(outputs, uses)
    yield from _scales(outputs, gradients)
    yield from _without_nonlinearity(layers, inputs, outputs)


def _by_unit(layer: Any, data: Any) -> Any:
    """(rows, units)."""
    if isinstance(layer, nn.Linear):
        return data.reshape(-1, data.shape[-1])
    return numpy.moveaxis(data, 1, -1).reshape(-1, data.shape[1])


def _dead(layers: Any, outputs: Any, gradients: Any) -> Iterator[Finding]:
    names = [name for name in outputs if name in gradients]
    for name in names[:-1]:
        g = numpy.abs(_by_unit(layers[name], gradients[name]))
        out = _by_unit(layers[name], array(outputs[name]))
        if len(g) < 4 or not g.any():
            if len(g) >= 4 and (out < 0).all():
                yield Finding("dead units", f"every unit of {name} is below 0 for every sample",
                              "100% get a gradient of 0", "below 20%", "a ReLU passes nothing "
                              "below 0: lower the learning rate, use biases of 0 and smaller "
                              "weights, or leaky_relu")
            continue
        dead = (g == 0).all(0) & (out <= 0).all(0)
        if dead.mean() > 0.3:
            yield Finding("dead units", f"units of {name} are below 0 for every sample",
                          f"{dead.mean():.0%} of {dead.size} get a gradient of 0", "below 20%",
                          "a ReLU passes nothing below 0: lower the learning rate, use biases of 0 "
                          "and smaller weights, or leaky_relu")


def _uses(root: Any) -> dict[int, set[str]]:
    """For each node of a graph, by id, the names of the operations that use its result."""
    uses: dict[int, set[str]] = {}
    pending, seen = [root], {id(root)}
    while pending:
        node = pending.pop()
        for parent in getattr(node, "parents", ()):
            if parent is not None:
                uses.setdefault(id(parent), set()).add(node.op.name)
                if id(parent) not in seen:
                    seen.add(id(parent))
                    pending.append(parent)
    return uses


def _saturated(outputs: dict[str, Any], uses: dict[int, set[str]]) -> Iterator[Finding]:
    for name, out in outputs.items():
        if not uses.get(id(out.grad_fn), set()) & {"tanh", "sigmoid"}:
            continue
        beyond = float((numpy.abs(array(out)) > 6).mean())
        if beyond > 0.5:
            yield Finding("saturated", f"the activation after {name} is saturated",
                          f"{beyond:.0%} of its inputs are beyond 6, where its slope is nearly 0",
                          "inputs from -3 to 3",
                          "make the initial weights smaller and normalise the inputs")


def _scales(outputs: Any, gradients: Any) -> Iterator[Finding]:
    stds = {name: float(array(out).astype(numpy.float64).std()) for name, out in outputs.items()}
    names = list(stds)
    if len(names) < 3 or not all(stds.values()):
        return
    largest, smallest = max(stds, key=stds.__getitem__), min(stds, key=stds.__getitem__)
    if stds[largest] > 1e3 * stds[smallest]:
        yield Finding("signal grows" if names.index(largest) > names.index(smallest)
                      else "signal fades", "the size of the activations changes with depth",
                      f"standard deviation {stds[names[0]]:.2g} in {names[0]}, "
                      f"{stds[names[-1]]:.2g} in {names[-1]}", "within a factor of 100",
                      "initial weights with std sqrt(2 / inputs) before a ReLU "
                      "(nn.init.kaiming_normal_), or normalisation layers")
        return
    norms = {name: float(numpy.linalg.norm(g.astype(numpy.float64)))
             for name, g in gradients.items()}
    ordered = [n for n in names if norms.get(n)]
    if len(ordered) >= 3 and norms[ordered[0]] < 1e-4 * norms[ordered[-1]]:
        yield Finding("gradient vanishes", "the first layers get far smaller gradients than the "
                      "last", f"norm {norms[ordered[0]]:.1e} at {ordered[0]}, "
                      f"{norms[ordered[-1]]:.1e} at {ordered[-1]}", "within a factor of 1,000",
                      "ReLU or GELU in place of sigmoid and tanh, residual connections, "
                      "normalisation layers, better initial weights")


def _without_nonlinearity(layers: Any, inputs: Any, outputs: Any) -> Iterator[Finding]:
    made = {id(out.grad_fn): name for name, out in outputs.items() if out.grad_fn is not None}
    for name, layer in layers.items():
        x = inputs.get(name)
        node: Any = x.grad_fn if isinstance(x, Tensor) else None
        while node is not None and id(node) not in made and not isinstance(node, Leaf) \
                and node.op.name in REARRANGING and node.parents:
            node = node.parents[0]
        before = made.get(id(node))
        if before is None or type(layers[before]) is not type(layer):
            continue
        width = layers[before].weight.shape[0]
        if isinstance(layer, nn.Linear) and width >= min(layers[before].weight.shape[1],
                                                         layer.weight.shape[0]):
            yield Finding("no nonlinearity", f"{before} and {name} follow each other directly",
                          "two linear layers in a row compute one linear function",
                          "an activation between them", f"put a ReLU, GELU or tanh after {before}")


# ---------------------------------------------------------------- the optimizer


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
                      f"the model's, and not {_list(missing)}",
                      f"{foreign} foreign, {len(missing)} of {len(mine)} missing", "0 and 0",
                      "make the optimizer after the model has its final parameters")
    elif missing:
        yield Finding("not in the optimizer", f"{_list(missing)} is never updated",
                      f"{len(missing)} of {len(mine)} parameters are missing", "0",
                      "pass model.parameters() after all layers are made; layers belong into "
                      "attributes, ModuleList or ModuleDict")
    with p.restored():
        before = {name: array(q).copy() for name, q in p.parameters.items()}
        loss = p.value(training=True)
        p.train(1)
        falls = p.value(training=True) < loss
        ratios = {name: float(numpy.linalg.norm(array(q) - before[name])
                              / (numpy.linalg.norm(before[name]) or 1))
                  for name, q in p.parameters.items() if id(q) in held and q.ndim > 1}
    for name, ratio in ratios.items():
        layer = name.rpartition(".")[0]
        if layer in p.seen and name.endswith("weight"):
            p.seen[layer].update = ratio
    if not ratios:
        return
    largest = max(ratios, key=ratios.__getitem__)
    if ratios[largest] == 0:
        yield Finding("nothing moves", "a training step changes no weight",
                      "change of 0", "1e-4 to 1e-2 of the weights",
                      "call loss.backward() and optimizer.step(), and set a learning rate above 0")
    elif ratios[largest] < 1e-6:
        yield Finding("learning rate too low", "a training step hardly changes the weights",
                      f"{ratios[largest]:.1e} of {largest} at most", "1e-4 to 1e-2",
                      "raise the learning rate ten times until the loss moves")
    elif ratios[largest] > 0.7 and not falls or math.isnan(ratios[largest]):
        yield Finding("learning rate too high", "a training step replaces the weights",
                      f"{ratios[largest]:.2g} times the size of {largest}", "1e-4 to 1e-2",
                      "lower the learning rate ten times")


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
                      f"mode, in which {_list(switching)} computes something else",
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


# ---------------------------------------------------------------- training


def check_overfit(p: Patient) -> Iterator[Finding]:
    """A healthy model learns a few samples by heart."""
    few, target = _samples(p, 0, 8)
    with p.restored():
        losses = p.losses = p.train(OVERFIT_STEPS, few, target, dropout=False, until=0.05)
        learned = Patient(p.model, few, target, p.loss)
        after, trained = learned.value(), learned.value(training=True)
    first, last = losses[0], float(numpy.mean(losses[-5:]))
    if len(losses) < OVERFIT_STEPS and last > 0.1 * first:
        raise TimeoutError(f"{len(losses)} steps took {p.seconds:g} s, too few to judge; give a "
                           "smaller batch or more seconds")
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
    with_input, without = (float(numpy.mean(v[-5:])) for v in (real, zeros))
    if real[0] - with_input > 0.2 * abs(real[0]) and with_input > 0.98 * without:
        yield Finding("input unused", "the model learns as much from inputs of zeros",
                      f"loss {with_input:.3g}, and {without:.3g} with zeros", "clearly smaller",
                      "the inputs may be constant, too small, or not what belongs to the targets")
    scores = p.scores()
    classes = None if scores is None else _classes(p, scores)
    if classes is None or size < 64 or p.target.ndim != 1 or scores.ndim != 2:
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


def _length(value: Any) -> int:
    return len(value) if isinstance(value, Tensor) and value.ndim else 0


def _list(names: list[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"


CHECKS: list[Check] = [check_inputs, check_targets, check_run, check_loss, check_warnings,
                       check_units, check_layers, check_gradients, check_samples, check_future,
                       check_first_loss, check_optimizer, check_step, check_evaluation,
                       check_overfit,
                       check_baselines]
