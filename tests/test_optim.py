"""Optimisers against PyTorch's: the same parameters after the same gradients."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy
import pytest
import torch

import tinytensor
from tinytensor import nn, optim

STEPS = 50
SHAPES = [(4, 3), (5,), ()]
SGD_OPTIONS: list[dict[str, Any]] = [
    {"lr": 0.1}, {"lr": 0.1, "momentum": 0.9}, {"lr": 0.1, "weight_decay": 0.05},
    {"lr": 0.05, "momentum": 0.8, "dampening": 0.3, "weight_decay": 0.1},
    {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
    {"lr": 0.05, "maximize": True}, {"lr": 0.0}, {},
    {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.1, "maximize": True},
]
ADAM_OPTIONS: list[dict[str, Any]] = [
    {}, {"lr": 0.1}, {"lr": 0.1, "betas": (0.5, 0.9), "eps": 1e-3},
    {"lr": 0.1, "weight_decay": 0.1},
    {"lr": 0.1, "amsgrad": True}, {"lr": 0.1, "maximize": True, "weight_decay": 0.1},
    {"lr": 0.1, "betas": (0.0, 0.0), "amsgrad": True}, {"lr": 0.1, "weight_decay": 0.0},
]
CASES = [("SGD", o) for o in SGD_OPTIONS] + [(name, o) for name in ("Adam", "AdamW")
                                            for o in ADAM_OPTIONS]
CASES.append(("Adam", {"lr": 0.1, "weight_decay": 0.1, "decoupled_weight_decay": True}))
cases = pytest.mark.parametrize(("name", "options"), CASES, ids=[f"{n}-{o}" for n, o in CASES])


def parameters(dtype: str, shapes: Any = SHAPES) -> tuple[list[Any], list[Any]]:
    rng = numpy.random.default_rng(1)
    arrays = [numpy.asarray(rng.normal(size=shape)).astype(dtype) for shape in shapes]
    return ([nn.Parameter(tinytensor.tensor(a)) for a in arrays],
            [torch.nn.Parameter(torch.tensor(a)) for a in arrays])


def give_gradients(mine: list[Any], theirs: list[Any], step: int) -> None:
    """A gradient that depends on the values, and on the step."""
    for p, q in zip(mine, theirs, strict=True):
        noise = numpy.random.default_rng(step).normal(size=tuple(p.shape)).astype(p.dtype.numpy)
        p.grad = p.detach() * 0.5 + tinytensor.tensor(noise)
        q.grad = q.detach() * 0.5 + torch.tensor(noise)


def assert_equal(mine: list[Any], theirs: list[Any], tolerance: float) -> None:
    for p, q in zip(mine, theirs, strict=True):
        numpy.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol=tolerance,
                                      atol=tolerance)


@cases
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 2e-5)])
def test_follows_pytorch(name: str, options: dict[str, Any], dtype: str, tolerance: float) -> None:
    mine, theirs = parameters(dtype)
    before = [p.tolist() for p in mine]
    a, b = getattr(optim, name)(mine, **options), getattr(torch.optim, name)(theirs, **options)
    for step in range(STEPS):
        give_gradients(mine, theirs, step)
        assert a.step() is None
        b.step()
        assert_equal(mine, theirs, tolerance)
    assert all(p.dtype.name == dtype for p in mine)
    assert ([p.tolist() for p in mine] == before) == (options.get("lr") == 0.0)


@pytest.mark.parametrize(("name", "options"), [
    ("SGD", {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.1, "weight_decay": 0.1, "amsgrad": True}), ("AdamW", {"lr": 0.1})])
def test_large_and_strided_parameters(name: str, options: dict[str, Any]) -> None:
    """What is updated in pieces, and what cannot be."""
    mine, theirs = parameters("float64", [(300, 250), (300, 200)])
    mine[1] = nn.Parameter(mine[1].detach().T)
    theirs[1] = torch.nn.Parameter(theirs[1].detach().T)
    assert not mine[1].is_contiguous()
    a, b = getattr(optim, name)(mine, **options), getattr(torch.optim, name)(theirs, **options)
    for step in range(3):
        give_gradients(mine, theirs, step)
        a.step()
        b.step()
    assert_equal(mine, theirs, 1e-12)


def test_parameters_without_gradient_stay() -> None:
    p, q = nn.Parameter(tinytensor.ones(2)), nn.Parameter(tinytensor.ones(2))
    optimizer = optim.Adam([p, q], lr=0.1)
    p.grad = tinytensor.ones(2)
    optimizer.step()
    assert q.tolist() == [1.0, 1.0] and p.tolist() != [1.0, 1.0]
    assert list(optimizer.state) == [p]


def test_training_a_model() -> None:
    """Groups with options of their own, gradients from backward, zero_grad in between."""
    losses: dict[Any, list[float]] = {}
    for library in (tinytensor, torch):
        model = library.nn.Sequential(library.nn.Linear(2, 4), library.nn.Tanh(),
                                      library.nn.Linear(4, 1)).to(library.float64)
        rng = numpy.random.default_rng(0)
        model.load_state_dict({k: library.tensor(rng.normal(size=tuple(v.shape)))
                               for k, v in model.state_dict().items()})
        optimizer = library.optim.AdamW([
            {"params": model[0].parameters(), "lr": 0.05},
            {"params": model[2].parameters(), "weight_decay": 0.3}], lr=0.02)
        x, y = library.tensor(rng.normal(size=(8, 2))), library.tensor(rng.normal(size=(8, 1)))
        for _ in range(20):
            optimizer.zero_grad()
            loss = library.nn.functional.mse_loss(model(x), y)
            loss.backward()
            optimizer.step()
            losses.setdefault(library, []).append(loss.item())
    numpy.testing.assert_allclose(losses[tinytensor], losses[torch], rtol=1e-11)
    assert losses[torch][-1] < losses[torch][0]


def test_a_step_needs_no_graph_and_breaks_none() -> None:
    """A step writes in place: a backward that needs the old value raises instead of lying."""
    p = nn.Parameter(tinytensor.tensor([1.0, 2.0]))
    optimizer = optim.SGD([p], lr=0.1)
    loss = (p * p).sum()
    p.grad = tinytensor.ones(2)
    optimizer.step()
    assert p.is_leaf and p.requires_grad
    with pytest.raises(RuntimeError, match=r"SGD\.step"):
        loss.backward()


def test_closure() -> None:
    p = nn.Parameter(tinytensor.tensor([1.0]))
    optimizer = optim.SGD([p], lr=0.1)

    def closure() -> Any:
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    with tinytensor.no_grad():
        assert optimizer.step(closure).item() == 1.0
    assert p.item() == pytest.approx(0.8)


def test_zero_grad() -> None:
    p = nn.Parameter(tinytensor.ones(2))
    optimizer = optim.SGD([p])
    p.grad = tinytensor.ones(2)
    optimizer.zero_grad(set_to_none=False)
    assert p.grad.tolist() == [0.0, 0.0]
    optimizer.zero_grad()
    assert p.grad is None


# ---------------------------------------------------------------- groups and errors


@pytest.mark.parametrize(("make", "error"), [
    (lambda lib, p: lib.optim.SGD([], lr=0.1), ValueError),
    (lambda lib, p: lib.optim.SGD(p, lr=0.1), TypeError),
    (lambda lib, p: lib.optim.SGD([p], lr=-0.1), ValueError),
    (lambda lib, p: lib.optim.SGD([p], momentum=-0.1), ValueError),
    (lambda lib, p: lib.optim.SGD([p], weight_decay=-0.1), ValueError),
    (lambda lib, p: lib.optim.SGD([p], nesterov=True), ValueError),
    (lambda lib, p: lib.optim.SGD([p], nesterov=True, momentum=0.9, dampening=0.1), ValueError),
    (lambda lib, p: lib.optim.Adam([p], lr=-1.0), ValueError),
    (lambda lib, p: lib.optim.Adam([p], eps=-1.0), ValueError),
    (lambda lib, p: lib.optim.Adam([p], betas=(1.0, 0.9)), ValueError),
    (lambda lib, p: lib.optim.AdamW([p], betas=(0.9, -0.1)), ValueError),
    (lambda lib, p: lib.optim.AdamW([p], weight_decay=-0.1), ValueError),
    (lambda lib, p: lib.optim.SGD([3]), TypeError),
    (lambda lib, p: lib.optim.SGD([p * 2]), ValueError),
    (lambda lib, p: lib.optim.SGD([{"params": {p}}]), TypeError),
    (lambda lib, p: lib.optim.SGD([{"params": [p]}, {"params": [p]}]), ValueError),
    (lambda lib, p: lib.optim.SGD([p]).add_param_group([p]), TypeError),
    (lambda lib, p: lib.optim.SGD([("a", p), lib.nn.Parameter(lib.ones(1))]), ValueError),
    (lambda lib, p: lib.optim.SGD([p]).add_param_group(
        {"params": [("a", lib.nn.Parameter(lib.ones(1)))]}), ValueError),
    (lambda lib, p: lib.optim.SGD([p]).load_state_dict(
        lib.optim.SGD([lib.ones(1), lib.ones(1)]).state_dict()), ValueError),
    (lambda lib, p: lib.optim.SGD([p]).load_state_dict(lib.optim.SGD([
        {"params": [lib.ones(1)]}, {"params": [lib.ones(1)]}]).state_dict()), ValueError),
])
def test_misuse(make: Any, error: type[Exception]) -> None:
    for library in (torch, tinytensor):
        with pytest.raises(error):
            make(library, library.nn.Parameter(library.ones(2)))


def test_a_parameter_twice_in_a_group_warns() -> None:
    for library in (torch, tinytensor):
        p = library.nn.Parameter(library.ones(1))
        with pytest.warns(UserWarning, match=r"twice|duplicate"):
            library.optim.SGD([p, p], lr=0.1)


def test_groups() -> None:
    p, q = nn.Parameter(tinytensor.ones(1)), nn.Parameter(tinytensor.ones(1))
    optimizer = optim.SGD([{"params": p, "lr": 0.5}], lr=0.1, momentum=0.2)
    optimizer.add_param_group({"params": (x for x in [q])})
    assert [g["lr"] for g in optimizer.param_groups] == [0.5, 0.1]
    assert optimizer.param_groups[1]["params"] == [q]
    optimizer.param_groups[1]["lr"] = 0.25
    p.grad, q.grad = tinytensor.ones(1), tinytensor.ones(1)
    optimizer.step()
    assert (p.item(), q.item()) == (0.5, 0.75)
    named = optim.SGD([("w", p)], lr=0.1)
    assert named.param_groups[0]["param_names"] == ["w"]
    assert "lr: 0.1" in repr(named) and "Parameter Group 0" in repr(named)


# ---------------------------------------------------------------- state


def converted(state: Any, tensor: Any) -> Any:
    """A state_dict with the Tensors of the other library."""
    if isinstance(state, dict):
        return {k: converted(v, tensor) for k, v in state.items()}
    return tensor(state.numpy()) if hasattr(state, "detach") else state


@pytest.mark.parametrize(("name", "options"), [
    ("SGD", {"lr": 0.1}), ("SGD", {"lr": 0.1, "momentum": 0.9}), ("Adam", {"lr": 0.1}),
    ("Adam", {"lr": 0.1, "amsgrad": True}), ("AdamW", {"lr": 0.1})])
def test_state_dict_has_pytorchs_layout_and_crosses_over(name: str, options: Any) -> None:
    mine, theirs = parameters("float64")
    a, b = getattr(optim, name)(mine, **options), getattr(torch.optim, name)(theirs, **options)
    for step in range(3):
        give_gradients(mine, theirs, step)
        a.step()
        b.step()
    ours, reference = a.state_dict(), b.state_dict()
    assert ours.keys() == reference.keys()
    for i, state in reference["state"].items():
        present = {k for k, v in state.items() if v is not None}
        assert set(ours["state"].get(i, {})) == present
        for key in present:
            numpy.testing.assert_allclose(ours["state"][i][key].numpy(), state[key].numpy(), 1e-12)
    for group, other in zip(ours["param_groups"], reference["param_groups"], strict=True):
        assert group.items() <= other.items()

    fresh = [nn.Parameter(p.detach().clone()) for p in mine]
    c = getattr(optim, name)(fresh, lr=7.0)
    c.load_state_dict(converted(reference, tinytensor.tensor))
    there = [torch.nn.Parameter(q.detach().clone()) for q in theirs]
    d = getattr(torch.optim, name)(there, lr=7.0)
    d.load_state_dict(converted(ours, torch.tensor))
    for step in range(3, 6):
        for x, y, optimizers in ((mine, theirs, (a, b)), (fresh, there, (c, d))):
            give_gradients(x, y, step)
            for optimizer in optimizers:
                optimizer.step()
    assert_equal(fresh, theirs, 1e-12)
    assert_equal(mine, there, 1e-12)


def test_loading_copies_and_converts() -> None:
    p, q = nn.Parameter(tinytensor.ones(2)), nn.Parameter(tinytensor.ones(2).double())
    a, b = optim.Adam([p]), optim.Adam([q])
    p.grad = tinytensor.ones(2)
    a.step()
    b.load_state_dict(a.state_dict())
    assert b.state[q]["exp_avg"].dtype is tinytensor.float64
    assert b.state[q]["step"].dtype is tinytensor.float32
    a.step()
    assert (a.state[p]["step"].item(), b.state[q]["step"].item()) == (2.0, 1.0)
    a.param_groups[0]["lr"] = 5.0
    assert b.param_groups[0]["lr"] == 1e-3 and b.param_groups[0]["params"] == [q]


@pytest.mark.parametrize("again", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))],
                         ids=["deepcopy", "pickle"])
def test_copies(again: Any) -> None:
    model = nn.Linear(2, 1)
    optimizer = optim.Adam(model.parameters(), lr=0.1)
    model(tinytensor.ones(1, 2)).sum().backward()
    optimizer.step()
    model, optimizer = again((model, optimizer))
    before = model.weight.tolist()
    model(tinytensor.ones(1, 2)).sum().backward()
    optimizer.step()
    assert model.weight.tolist() != before
    assert optimizer.state[model.weight]["step"].item() == 2.0


@pytest.mark.parametrize(("name", "options"), [
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.1, "maximize": True}), ("AdamW", {"lr": 0.1}),
    ("Adam", {"lr": 0.1, "amsgrad": True, "weight_decay": 0.1, "maximize": True})])
def test_the_same_on_a_gpu(gpu: Any, name: str, options: Any) -> None:
    results = []
    for device in ("cpu", "cuda"):
        ps = [nn.Parameter(tinytensor.tensor(x, device=device)) for x in ([[1.0, -2.0]], 3.0)]
        optimizer = getattr(optim, name)(ps, **options)
        for _ in range(4):
            optimizer.zero_grad()
            sum((p * p).sum() for p in ps).backward()
            optimizer.step()
        assert all(p.device.type == device for p in ps)
        other = getattr(optim, name)(ps, **options)
        other.load_state_dict(optimizer.state_dict())
        assert all(v.device.type == device for s in other.state.values() for k, v in s.items()
                   if k != "step")
        results.append([p.cpu().tolist() for p in ps])
    numpy.testing.assert_allclose(results[1][0], results[0][0], rtol=1e-6)
    numpy.testing.assert_allclose(results[1][1], results[0][1], rtol=1e-6)
