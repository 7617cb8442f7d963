"""Checks of layers: dead and saturated units, sizes, layers in a row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy

from ... import nn
from ...autograd.graph import Leaf
from ...autograd.modes import enable_grad
from ...tensors.tensor import Tensor
from ..patient import LayerNumbers, Patient, array
from .finding import Finding

LINEAR = nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d
REARRANGING = {"reshape", "transpose", "permute", "flatten", "dropout", "contiguous", "getitem",
               "squeeze", "unsqueeze", "moveaxis", "expand", "clone"}


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
