"""Pruning and the parametrization `orthogonal`, against PyTorch's."""

from __future__ import annotations

from typing import Any

import numpy
import pytest
import torch
import torch.nn.utils.prune
from operations import in_turn

import tinytensor
import tinytensor.nn.utils.prune

BOTH = (tinytensor, torch)


def models(library: Any) -> Any:
    """A small network with the same weights in both libraries."""
    library.manual_seed(0)
    nn = library.nn
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 5)).double()
    with library.no_grad():
        for i, parameter in enumerate(model.parameters()):
            values = numpy.random.default_rng(i).normal(size=tuple(parameter.shape))
            parameter.copy_(library.tensor(values))
    return model


PRUNINGS = {
    "l1": lambda p, m, e: p.l1_unstructured(m[3], "weight", 0.3),
    "l1 count": lambda p, m, e: p.l1_unstructured(m[3], name="weight", amount=7),
    "l1 scores": lambda p, m, e: p.l1_unstructured(
        m[3], "weight", 0.5, importance_scores=(e.arange(80.) % 7).reshape(5, 16).double() + 0.01
        * e.arange(80.).reshape(5, 16).double()),
    "random": lambda p, m, e: p.random_unstructured(m[3], "weight", 0.4),
    "random structured": lambda p, m, e: p.random_structured(m[0], "weight", 2, dim=0),
    "norm": lambda p, m, e: p.ln_structured(m[0], "weight", 0.5, n=2, dim=0),
    "largest norm": lambda p, m, e: p.ln_structured(m[3], "weight", 3, float("inf"), -1),
    "mask": lambda p, m, e: p.custom_from_mask(m[3], "bias", e.tensor([0, 1, 1, 0, 1])),
    "nothing": lambda p, m, e: p.identity(m[3], "bias"),
    "zero": lambda p, m, e: p.l1_unstructured(m[3], "weight", 0),
    "twice": lambda p, m, e: p.l1_unstructured(p.l1_unstructured(m[3], "weight", 0.5),
                                               "weight", 0.5),
    "norm, then l1": lambda p, m, e: p.l1_unstructured(
        p.ln_structured(m[0], "weight", 0.5, n=1, dim=0), "weight", 9),
    "l1, then norm": lambda p, m, e: p.ln_structured(
        p.ln_structured(p.l1_unstructured(m[0], "weight", 0.2), "weight", 1, n=2, dim=1),
        "weight", 0.5, n=2, dim=0),
    "global": lambda p, m, e: p.global_unstructured(
        [(m[0], "weight"), (m[3], "weight")], p.L1Unstructured, amount=0.25),
    "global, twice": lambda p, m, e: [p.global_unstructured(
        [(m[0], "weight"), (m[3], "weight")], p.L1Unstructured, amount=0.25) for _ in range(2)],
}


@in_turn("name", list(PRUNINGS))
def test_pruned_networks_train_as_in_pytorch(name: str) -> None:
    results = []
    for library in BOTH:
        prune, model = library.nn.utils.prune, models(library)
        library.manual_seed(3)
        PRUNINGS[name](prune, model, library)
        names = list(model.state_dict()), [n for n, _ in model.named_parameters()]
        optimizer = library.optim.SGD(model.parameters(), 0.05)
        x = library.tensor(numpy.random.default_rng(9).normal(size=(3, 2, 4, 4)))
        for _ in range(2):
            optimizer.zero_grad()
            (model(x) ** 2).sum().backward()
            optimizer.step()
        state = [t.detach().numpy() for t in model.state_dict().values()]
        pruned = [prune.is_pruned(model)]
        for i in (0, 3):
            for parameter in ("weight", "bias"):
                if hasattr(model[i], f"{parameter}_mask"):
                    prune.remove(model[i], parameter)
        pruned.append(prune.is_pruned(model))
        results.append((names, pruned, state, [n for n, _ in model.named_parameters()],
                        [p.detach().numpy() for p in model.parameters()]))
    ours, theirs = results
    assert (ours[0], ours[1], ours[3]) == (theirs[0], theirs[1], theirs[3])
    for a, b in zip(ours[2] + ours[4], theirs[2] + theirs[4], strict=True):
        numpy.testing.assert_allclose(a, b, 1e-9, 1e-9)


def test_methods_of_one_tensor_and_containers() -> None:
    results = []
    for library in BOTH:
        prune = library.nn.utils.prune
        t = library.arange(12.0).reshape(3, 4) - 5
        layer = prune.l1_unstructured(library.nn.Linear(4, 3), "weight", 0.5)
        prune.random_unstructured(layer, "weight", 1)
        (container,) = layer._forward_pre_hooks.values()
        results.append((prune.L1Unstructured(4).prune(t).tolist(),
                        prune.LnStructured(1, 2, 0).prune(t, library.ones(3, 4)).tolist(),
                        len(container), [type(m).__name__ for m in container],
                        type(container[1]).__name__))
    assert results[0] == results[1]


@pytest.mark.parametrize(("call", "kind", "message"), [
    (lambda p, m: p.l1_unstructured(m, "weight", 1.5), ValueError, r"a share in \[0, 1\]"),
    (lambda p, m: p.l1_unstructured(m, "weight", -1), ValueError, r"got -1"),
    (lambda p, m: p.l1_unstructured(m, "weight", 13), ValueError, "13 is larger .* elements, 12"),
    (lambda p, m: p.l1_unstructured(m, "weight", "all"), TypeError, "must be a number, got str"),
    (lambda p, m: p.random_structured(m, "bias", 1, 0), ValueError, "at least 2 dims"),
    (lambda p, m: p.ln_structured(m, "weight", 1, 2, 4), IndexError, "dim 4 is out of range"),
    (lambda p, m: p.custom_from_mask(m, "weight", tinytensor.ones(4)), ValueError,
     r"mask has shape \(4,\), the parameter \(3, 4\)"),
    (lambda p, m: p.identity(m, "training"), ValueError, "'training' is no parameter of the Lin"),
    (lambda p, m: p.remove(m, "weight"), ValueError, "'weight' of the Linear is not pruned"),
    (lambda p, m: p.global_unstructured([(m, "weight")], p.LnStructured, amount=1), ValueError,
     "LnStructured is not unstructured"),
    (lambda p, m: p.global_unstructured([m], p.L1Unstructured, amount=1), TypeError,
     r"pairs \(module, name\)")])
def test_errors_leave_the_layer_as_it_was(call: Any, kind: Any, message: str) -> None:
    layer = tinytensor.nn.Linear(4, 3)
    with pytest.raises(kind, match=message):
        call(tinytensor.nn.utils.prune, layer)
    assert list(layer.state_dict()) == ["weight", "bias"] and not layer._forward_pre_hooks


# ---------------------------------------------------------------- orthogonal


@in_turn("options", [(map, shape, base) for map in ("matrix_exp", "cayley", "householder")
                     for shape in ((4, 4), (3, 5), (5, 3)) for base in (True, False)])
def test_orthogonal_weights_train_as_in_pytorch(options: Any) -> None:
    chosen, shape, base = options
    states = []
    for library in BOTH:
        library.manual_seed(0)
        layer = library.nn.utils.parametrizations.orthogonal(
            library.nn.Linear(*shape).double(), orthogonal_map=chosen, use_trivialization=base)
        optimizer = library.optim.SGD(layer.parameters(), 0.1)
        states.append([dict(layer.state_dict())])
        for _ in range(3):
            optimizer.zero_grad()
            (layer.weight ** 3).sum().backward()
            optimizer.step()
        states[-1].append({**layer.state_dict(), "computed": layer.weight})
        if base:
            layer.weight = library.tensor(numpy.linalg.qr(
                numpy.random.default_rng(0).normal(size=(5, 5)))[0][:shape[1], :shape[0]])
            states[-1].append({"assigned": layer.weight})
    for ours, theirs in zip(*states, strict=True):
        assert list(ours) == list(theirs)
        for name, value in ours.items():
            numpy.testing.assert_allclose(value.detach().numpy(), theirs[name].detach().numpy(),
                                          1e-9, 1e-9, err_msg=name)
    weight = layer.weight.detach().numpy()
    small = weight @ weight.T if shape[1] < shape[0] else weight.T @ weight
    numpy.testing.assert_allclose(small, numpy.eye(len(small)), 0, 1e-12)


@pytest.mark.parametrize(("call", "message"), [
    (lambda f, nn: f(nn.Linear(2, 2), "wait"), "no parameter or buffer 'wait'"),
    (lambda f, nn: f(nn.Linear(2, 2), "bias"), "expected a matrix"),
    (lambda f, nn: f(nn.Linear(2, 2), orthogonal_map="qr"), "got 'qr'")])
def test_errors_of_orthogonal(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(tinytensor.nn.utils.parametrizations.orthogonal, tinytensor.nn)
