"""Checks of initial weights and of the gradients of parameters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...autograd.graph import Leaf
from ...autograd.modes import enable_grad
from ..patient import Patient, array
from .finding import Finding, listed
from .layers import LINEAR


def check_units(p: Patient) -> Iterator[Finding]:
    """Whether the units of a layer differ."""
    same = [name for name, layer in p.layers.items() if isinstance(layer, LINEAR)
            and _rows_equal(array(layer.weight)) and len(layer.weight) > 1
            and array(layer.weight).any()]
    if same:
        yield Finding("units alike", f"all units of {listed(same)} have the same weights",
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
        yield Finding("no gradient", f"{listed(without)} does not take part in the loss",
                      f"grad is None for {len(without)} of {len(trained)} parameters",
                      "a gradient for every parameter",
                      "look for detach(), no_grad(), .data, .item() behind these layers, or "
                      "layers that forward does not call")
    zero = [name for name, g in trained.items() if g is not None and g.size and not g.any()]
    if zero:
        weights = [n for n in p.parameters if n.endswith("weight")]
        constant = all(not array(p.parameters[n]).any() for n in weights)
        yield Finding("gradient zero", f"{listed(zero)} gets a gradient of exactly 0",
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
