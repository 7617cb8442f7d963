"""Optimisers against PyTorch's: the same parameters after the same gradients."""

from __future__ import annotations

import copy
import importlib
import inspect
import math
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
COMMON: list[dict[str, Any]] = [
    {}, {"lr": 0.0}, {"lr": 0.1}, {"lr": 0.05, "weight_decay": 0.1},
    {"lr": 0.05, "weight_decay": 0.1, "maximize": True}, {"lr": 0.1, "eps": 1e-3},
]
OTHER_OPTIONS: dict[str, list[dict[str, Any]]] = {
    "RMSprop": [
        {"lr": 0.05, "alpha": 0.8}, {"lr": 0.02, "momentum": 0.9},
        {"lr": 0.02, "centered": True, "eps": 1e-3},
        {"lr": 0.02, "alpha": 0.7, "centered": True, "momentum": 0.5, "weight_decay": 0.1,
         "eps": 1e-2}],
    "Adagrad": [
        {"lr": 0.5, "lr_decay": 0.1}, {"lr": 0.3, "initial_accumulator_value": 0.5},
        {"lr": 0.3, "lr_decay": 0.05, "weight_decay": 0.1, "initial_accumulator_value": 1.0,
         "maximize": True}],
    "Adadelta": [{"rho": 0.5}, {"rho": 1.0}, {"rho": 0.0, "eps": 1e-2, "lr": 0.5}],
    "Adamax": [
        {"lr": 0.1, "betas": (0.5, 0.9)}, {"lr": 0.1, "betas": (0.0, 0.0), "weight_decay": 0.1}],
    "NAdam": [
        {"lr": 0.1, "betas": (0.5, 0.9)}, {"lr": 0.1, "momentum_decay": 0.5},
        {"lr": 0.1, "momentum_decay": 0.0, "weight_decay": 0.1},
        {"lr": 0.1, "weight_decay": 0.1, "decoupled_weight_decay": True},
        {"lr": 0.1, "betas": (0.0, 0.0), "maximize": True}],
    "RAdam": [
        {"lr": 0.1, "betas": (0.5, 0.9)}, {"lr": 0.1, "betas": (0.9, 0.5)},
        {"lr": 0.1, "weight_decay": 0.1, "decoupled_weight_decay": True},
        {"lr": 0.1, "betas": (0.0, 0.8), "weight_decay": 0.1, "maximize": True}],
}
CASES = [("SGD", o) for o in SGD_OPTIONS] + [(name, o) for name in ("Adam", "AdamW")
                                            for o in ADAM_OPTIONS]
CASES.append(("Adam", {"lr": 0.1, "weight_decay": 0.1, "decoupled_weight_decay": True}))
CASES += [(name, o) for name, special in OTHER_OPTIONS.items() for o in COMMON + special]
CASES += [("Rprop", o) for o in (
    {}, {"lr": 0.1}, {"lr": 0.5, "etas": (0.3, 1.5), "step_sizes": (1e-3, 0.6)},
    {"lr": 0.1, "maximize": True})]
CASES += [("Adafactor", o) for o in (
    {}, {"lr": 0.1, "weight_decay": 0.1, "maximize": True},
    {"lr": 0.5, "eps": (1e-2, 0.1), "d": 2.0, "beta2_decay": -0.3})]
CASES += [("ASGD", o) for o in (
    {}, {"lr": 0.1, "weight_decay": 0.1, "maximize": True},
    {"lr": 0.2, "lambd": 0.1, "alpha": 0.5, "t0": 5.0})]
# A few options of each optimizer, for tests of something other than the formula.
EACH: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.1, "maximize": True}), ("Adam", {"lr": 0.1}),
    ("Adam", {"lr": 0.1, "amsgrad": True, "weight_decay": 0.1, "maximize": True}),
    ("AdamW", {"lr": 0.1}), ("RMSprop", {"lr": 0.1, "weight_decay": 0.1}),
    ("RMSprop", {"lr": 0.1, "momentum": 0.9, "centered": True, "eps": 1e-3}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.1}),
    ("Adadelta", {"lr": 0.5, "weight_decay": 0.1}), ("Adafactor", {"lr": 0.1}),
    ("Adamax", {"lr": 0.1, "weight_decay": 0.1}), ("NAdam", {"lr": 0.1, "weight_decay": 0.1}),
    ("RAdam", {"lr": 0.1, "weight_decay": 0.1}), ("Rprop", {"lr": 0.1}),
    ("ASGD", {"lr": 0.1, "t0": 3.0}),
]
each = pytest.mark.parametrize(("name", "options"), EACH, ids=[f"{n}-{o}" for n, o in EACH])
cases = pytest.mark.parametrize(("name", "options"), CASES, ids=[f"{n}-{o}" for n, o in CASES])


def parameters(dtype: str, shapes: Any = SHAPES) -> tuple[list[Any], list[Any]]:
    rng = numpy.random.default_rng(1)
    arrays = [numpy.asarray(rng.normal(size=shape)).astype(dtype) for shape in shapes]
    return ([nn.Parameter(tinytensor.tensor(a)) for a in arrays],
            [torch.nn.Parameter(torch.tensor(a)) for a in arrays])


def give_gradients(mine: list[Any], theirs: list[Any], step: int) -> None:
    """Sets gradients that depend on the values and on the step."""
    rng = numpy.random.default_rng(step)
    for p, q in zip(mine, theirs, strict=True):
        noise = numpy.asarray(rng.normal(size=tuple(p.shape)).astype(p.dtype.numpy))
        p.grad = p.detach() * 0.5 + tinytensor.tensor(noise)
        q.grad = q.detach() * 0.5 + torch.tensor(noise)


def values(params: list[Any]) -> Any:
    return numpy.concatenate([p.detach().numpy().reshape(-1) for p in params])


def assert_equal(mine: list[Any], theirs: list[Any], tolerance: float) -> None:
    numpy.testing.assert_allclose(values(mine), values(theirs), rtol=tolerance, atol=tolerance)


@pytest.mark.filterwarnings("ignore:.*the learning rate of parameter group:UserWarning")
@cases
def test_follows_pytorch(name: str, options: dict[str, Any], dtype: str = "float64",
                         tolerance: float = 1e-12) -> None:
    mine, theirs = parameters(dtype)
    before = [p.tolist() for p in mine]
    a, b = getattr(optim, name)(mine, **options), getattr(torch.optim, name)(theirs, **options)
    found: Any = ([], [])
    for step in range(STEPS):
        give_gradients(mine, theirs, step)
        assert a.step() is None
        b.step()
        found[0].append(values(mine))
        found[1].append(values(theirs))
    numpy.testing.assert_allclose(*found, rtol=tolerance, atol=tolerance)
    assert all(p.dtype.name == dtype for p in mine)
    assert ([p.tolist() for p in mine] == before) == (options.get("lr") == 0.0)


@each
def test_follows_pytorch_in_float32(name: str, options: dict[str, Any]) -> None:
    test_follows_pytorch(name, options, "float32", 2e-5)


@each
def test_large_and_strided_parameters(name: str, options: dict[str, Any]) -> None:
    """A large parameter is updated in pieces. A strided one cannot be."""
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


@pytest.mark.parametrize("name", [*OTHER_OPTIONS, "Adam", "AdamW"])
def test_what_is_not_finite_gives_no_warnings(name: str) -> None:
    mine, theirs = parameters("float32", [(6,)])
    for lib, params in ((tinytensor, mine), (torch, theirs)):
        optimizer = getattr(lib.optim, name)(params, lr=0.1, eps=0.0)
        for _ in range(2):
            params[0].grad = lib.tensor([0.0, 1.0, math.inf, -math.inf, math.nan, 1e30])
            optimizer.step()
    found = values(theirs)
    numpy.testing.assert_allclose(values(mine), found, rtol=2e-5)
    assert numpy.isnan(found).any() and numpy.isfinite(found).any()


def test_parameters_without_gradient_stay() -> None:
    p, q = nn.Parameter(tinytensor.ones(2)), nn.Parameter(tinytensor.ones(2))
    optimizer = optim.Adam([p, q], lr=0.1)
    p.grad = tinytensor.ones(2)
    optimizer.step()
    assert q.tolist() == [1.0, 1.0] and p.tolist() != [1.0, 1.0]
    assert list(optimizer.state) == [p]


def test_training_a_model() -> None:
    """Groups with different options, gradients from backward, and zero_grad between steps."""
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
    """A step writes in place, so a backward that needs the old value raises."""
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


@pytest.mark.parametrize("name", [*OTHER_OPTIONS, "SGD", "Adam", "AdamW", "LBFGS", "Rprop",
                                  "ASGD", "Muon"])
def test_arguments_are_pytorchs(name: str) -> None:
    """Same order and defaults, also for arguments that choose an implementation."""
    ours, theirs = (inspect.signature(getattr(lib.optim, name)).parameters
                    for lib in (tinytensor, torch))
    assert [(p.name, p.default, p.kind) for p in ours.values()] == [
        (p.name, p.default, p.kind) for p in theirs.values()]


# ---------------------------------------------------------------- LBFGS


def descend(lib: Any, optimizer: Any, steps: int = 1, calls: list[Any] | None = None) -> Any:
    """The losses of steps on Rosenbrock's function of the concatenated parameters."""
    def closure() -> Any:
        optimizer.zero_grad()
        w = lib.cat([p.reshape(-1) for p in optimizer.param_groups[0]["params"]])
        loss = ((1 - w[:-1]) ** 2).sum() + 10 * ((w[1:] - w[:-1] ** 2) ** 2).sum()
        loss.backward()
        if calls is not None:
            calls.append(None)
        return loss
    return [optimizer.step(closure).item() for _ in range(steps)]


@pytest.mark.parametrize("options", [
    {"lr": 0.1}, {"lr": 0.02, "max_iter": 5, "history_size": 3}, {"lr": 0.01, "max_eval": 4},
    {"lr": 0.1, "max_iter": 1}, {"lr": 0.1, "tolerance_grad": 1.0},
    {"lr": 0.1, "tolerance_change": 0.01},
    *[{"line_search_fn": "strong_wolfe", **o} for o in (
        {}, {"history_size": 4}, {"max_iter": 4}, {"max_eval": 3}, {"max_eval": 1}, {"lr": 20},
        {"lr": 1e-3}, {"max_iter": 50})]], ids=str)
def test_lbfgs_follows_pytorch(options: dict[str, Any]) -> None:
    """Losses and evaluation counts are equal, up to rounding."""
    mine, theirs = parameters("float64")
    calls: Any = ([], [])
    a, b = optim.LBFGS(mine, **options), torch.optim.LBFGS(theirs, **options)
    for _ in range(4):
        assert descend(tinytensor, a, 1, calls[0]) == pytest.approx(
            descend(torch, b, 1, calls[1]), rel=1e-9, abs=1e-12)
        assert_equal(mine, theirs, 1e-8)
    assert len(calls[0]) == len(calls[1])
    ours, reference = a.state[mine[0]], b.state[theirs[0]]
    for name in ("func_evals", "n_iter"):
        assert ours[name] == reference[name]
    assert len(ours["old_dirs"]) == len(reference["old_dirs"])
    assert set(reference) - set(ours) <= {"al"}  # a work array
    assert list(a.state) == mine[:1]


def test_lbfgs_finds_the_minimum() -> None:
    for dtype, tolerance in (("float64", 1e-6), ("float32", 2e-3)):
        mine, _ = parameters(dtype)
        optimizer = optim.LBFGS(mine, line_search_fn="strong_wolfe")
        losses = descend(tinytensor, optimizer, 10)
        assert losses == sorted(losses, reverse=True)
        for p in mine:
            assert p.dtype.name == dtype
            numpy.testing.assert_allclose(p.detach().numpy(), numpy.ones(tuple(p.shape)),
                                          atol=tolerance)


def test_lbfgs_state_crosses_over() -> None:
    options = {"lr": 0.5, "history_size": 4, "line_search_fn": "strong_wolfe", "max_iter": 6}
    mine, theirs = parameters("float64")
    a, b = optim.LBFGS(mine, **options), torch.optim.LBFGS(theirs, **options)
    descend(tinytensor, a, 2)
    descend(torch, b, 2)
    fresh = [nn.Parameter(p.detach().clone()) for p in mine]
    there = [torch.nn.Parameter(q.detach().clone()) for q in theirs]
    c, d = optim.LBFGS(fresh), torch.optim.LBFGS(there)
    c.load_state_dict(converted(b.state_dict(), tinytensor.tensor))
    d.load_state_dict(converted(a.state_dict(), torch.tensor))
    assert all(old is not new for old, new in zip(a.state[mine[0]]["old_dirs"],
                                                  c.state[fresh[0]]["old_dirs"], strict=True))
    expected = descend(torch, b, 2)
    assert descend(tinytensor, c, 2) == pytest.approx(expected, rel=1e-9)
    assert descend(torch, d, 2) == pytest.approx(expected, rel=1e-9)
    assert_equal(fresh, theirs, 1e-9)


def test_lbfgs_state_takes_the_dtype_of_the_parameters() -> None:
    mine, _ = parameters("float64")
    a = optim.LBFGS(mine)
    descend(tinytensor, a)
    single = [nn.Parameter(p.detach().float()) for p in mine]
    b = optim.LBFGS(single)
    b.load_state_dict(a.state_dict())
    state = b.state[single[0]]
    assert state["old_dirs"] and state["d"].dtype is tinytensor.float32
    assert {y.dtype for y in state["old_dirs"]} == {tinytensor.float32}
    descend(tinytensor, b)
    assert all(p.dtype is tinytensor.float32 for p in single)


def test_lbfgs_parameters_without_gradient_and_at_a_minimum() -> None:
    for lib in (tinytensor, torch):
        p, unused = lib.nn.Parameter(lib.tensor([3.0])), lib.nn.Parameter(lib.ones(2))
        optimizer = lib.optim.LBFGS([p, unused], line_search_fn="strong_wolfe")

        def closure(p: Any = p, optimizer: Any = optimizer) -> Any:
            optimizer.zero_grad()
            loss = (p * p).sum()
            loss.backward()
            return loss

        assert [optimizer.step(closure).item() for _ in range(2)] == [9.0, 0.0]
        assert unused.tolist() == [1.0, 1.0]
        state = optimizer.state[p]
        before = state["n_iter"], state["func_evals"]
        optimizer.step(closure)
        assert (state["n_iter"], state["func_evals"]) == (before[0], before[1] + 1)


def test_lbfgs_writes_are_noted() -> None:
    p = nn.Parameter(tinytensor.tensor([1.0, 2.0]))
    loss = (p * p).sum()
    descend(tinytensor, optim.LBFGS([p]))
    with pytest.raises(RuntimeError, match=r"LBFGS\.step"):
        loss.backward()


@pytest.mark.parametrize("search", [None, "strong_wolfe"])
def test_lbfgs_on_a_gpu(gpu: Any, search: str | None) -> None:
    results = []
    for device in ("cpu", "cuda"):
        mine = [nn.Parameter(p.detach().to(device)) for p in parameters("float64")[0]]
        optimizer = optim.LBFGS(mine, lr=0.1, line_search_fn=search)
        results.append(descend(tinytensor, optimizer, 3))
        other = optim.LBFGS(mine)
        other.load_state_dict(optimizer.state_dict())
        assert other.state[mine[0]]["d"].device == mine[0].device
    assert results[1] == pytest.approx(results[0], rel=1e-9)


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
    (lambda lib, p: lib.optim.RMSprop([p], alpha=-0.1), ValueError),
    (lambda lib, p: lib.optim.RMSprop([p], momentum=-0.1), ValueError),
    (lambda lib, p: lib.optim.RMSprop([p], eps=-0.1), ValueError),
    (lambda lib, p: lib.optim.Adagrad([p], lr_decay=-0.1), ValueError),
    (lambda lib, p: lib.optim.Adagrad([p], initial_accumulator_value=-0.1), ValueError),
    (lambda lib, p: lib.optim.Adadelta([p], rho=1.1), ValueError),
    (lambda lib, p: lib.optim.Adadelta([p], rho=-0.1), ValueError),
    (lambda lib, p: lib.optim.Adamax([p], betas=(0.9, 1.0)), ValueError),
    (lambda lib, p: lib.optim.NAdam([p], momentum_decay=-0.1), ValueError),
    (lambda lib, p: lib.optim.Rprop([p], lr=-1.0), ValueError),
    (lambda lib, p: lib.optim.Rprop([p], etas=(1.0, 1.2)), ValueError),
    (lambda lib, p: lib.optim.ASGD([p], weight_decay=-0.1), ValueError),
    (lambda lib, p: lib.optim.Muon([p]), ValueError),
    (lambda lib, p: lib.optim.Muon([p.reshape(1, -1).detach()], lr=-1.0), ValueError),
    (lambda lib, p: lib.optim.Muon([p.reshape(1, -1).detach()], adjust_lr_fn="none"), ValueError),
    (lambda lib, p: lib.optim.NAdam([p], betas=(-0.1, 0.9)), ValueError),
    (lambda lib, p: lib.optim.RAdam([p], betas=(0.9, 2.0)), ValueError),
    (lambda lib, p: lib.optim.LBFGS([p], lr=-1.0), ValueError),
    (lambda lib, p: lib.optim.LBFGS([{"params": [p]}, {"params": [lib.ones(1)]}]), ValueError),
    (lambda lib, p: lib.optim.LBFGS([p]).step(), TypeError),
    (lambda lib, p: descend(lib, lib.optim.LBFGS([lib.nn.Parameter(lib.zeros(2))],
                                                 line_search_fn="armijo")), RuntimeError),
    *[(lambda lib, p, name=name: getattr(lib.optim, name)([p], lr=-0.1), ValueError)
      for name in OTHER_OPTIONS],
    *[(lambda lib, p, name=name: getattr(lib.optim, name)([p], weight_decay=-0.1), ValueError)
      for name in OTHER_OPTIONS],
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


# ---------------------------------------------------------------- orthogonal momentum


@pytest.mark.parametrize("options", [
    {}, {"nesterov": False, "weight_decay": 0.0}, {"adjust_lr_fn": "match_rms_adamw"}])
def test_muon_follows_pytorch_as_far_as_bfloat16_goes(options: dict[str, Any]) -> None:
    mine, theirs = parameters("float64", [(4, 6), (6, 4), (3, 3)])
    before = values(mine)
    a, b = optim.Muon(mine, lr=0.05, **options), torch.optim.Muon(theirs, lr=0.05, **options)
    for step in range(5):
        give_gradients(mine, theirs, step)
        a.step()
        b.step()
    moved = numpy.abs(values(mine) - before).max()
    assert numpy.abs(values(mine) - values(theirs)).max() < 0.02 * moved
    momenta = [values([o.state[p]["momentum_buffer"] for p in o.state]) for o in (a, b)]
    numpy.testing.assert_allclose(*momenta, rtol=0.02, atol=0.01)


@pytest.mark.parametrize("shape", [(3, 5), (5, 3)])
def test_a_step_of_muon_has_singular_values_of_about_one(shape: tuple[int, int]) -> None:
    p = nn.Parameter(tinytensor.zeros(shape, dtype=tinytensor.float64))
    p.grad = tinytensor.tensor(numpy.random.default_rng(0).normal(size=shape))
    optim.Muon([p], lr=1.0, weight_decay=0.0, adjust_lr_fn="original").step()
    step = -p.detach().numpy() / max(1.0, shape[0] / shape[1]) ** 0.5
    u, _, v = numpy.linalg.svd(p.grad.numpy(), full_matrices=False)
    assert (numpy.diag(u.T @ step @ v.T) > 0.6).all() and numpy.linalg.norm(step, 2) < 1.3


# ---------------------------------------------------------------- state


def converted(state: Any, tensor: Any) -> Any:
    """A state_dict with its Tensors converted to the other library."""
    if isinstance(state, dict):
        return {k: converted(v, tensor) for k, v in state.items()}
    if isinstance(state, list):
        return [converted(v, tensor) for v in state]
    return tensor(state.numpy()) if hasattr(state, "detach") else state


@each
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
        assert group == other and list(group) == list(other)

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
    assert_equal(mine, theirs, 1e-12)
    assert_equal(fresh, there, 1e-12)  # both loaded NAdam's mu_product rounded
    assert_equal(fresh, mine, 1e-8)


def test_a_state_without_some_options_gets_those_of_the_optimizer() -> None:
    """As older files, of versions that did not have the options yet."""
    p = nn.Parameter(tinytensor.ones(2))
    optimizer = optim.Adam([p], maximize=True, foreach=False)
    state = optimizer.state_dict()
    for name in ("maximize", "foreach", "fused", "capturable"):
        del state["param_groups"][0][name]
    state["param_groups"][0]["lr"] = 0.5
    optimizer.load_state_dict(state)
    group = optimizer.param_groups[0]
    assert (group["maximize"], group["foreach"], group["lr"]) == (True, False, 0.5)
    p.grad = tinytensor.ones(2)
    optimizer.step()
    assert p.tolist() == pytest.approx([1.5, 1.5])


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


@each
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
        results.append(values([p.cpu() for p in ps]))
    numpy.testing.assert_allclose(*results, rtol=1e-5)


@each
def test_parameters_on_several_gpus(gpu: Any, name: str, options: Any) -> None:
    """Each is updated on its own GPU, whichever GPU is current."""
    if tinytensor.cuda.device_count() < 2:
        pytest.skip("there is one GPU")
    ps = [nn.Parameter(tinytensor.ones(2).to(f"cuda:{i}")) for i in range(2)]
    optimizer = getattr(optim, name)(ps, **options)
    for step in range(2):
        for p in ps:
            p.grad = tinytensor.tensor([0.5, step - 1.0]).to(p.device)
        optimizer.step()
    assert [str(p.device) for p in ps] == ["cuda:0", "cuda:1"]
    first, second = (p.detach().cpu().tolist() for p in ps)
    assert first == second != [1.0, 1.0]


# ---------------------------------------------------------------- optimisers of other packages


@pytest.mark.parametrize("library", [tinytensor, torch], ids=["tinytensor", "torch"])
def test_optimisers_that_others_wrote(library: Any) -> None:
    """Undocumented parts of PyTorch's Optimizer that other packages rely on."""
    base, p = library.optim.Optimizer, library.nn.Parameter(library.ones(2))
    module = importlib.import_module(f"{library.__name__}.optim.optimizer")
    assert module.required is not None and module.Optimizer is base

    class Wrapped(base):
        def __init__(self, inner: Any):
            self.inner, self.param_groups, self.state = inner, inner.param_groups, inner.state
            self.defaults = inner.defaults

        def step(self, closure: Any = None) -> Any:
            return self.inner.step(closure)

    p.sum().backward()
    wrapped = Wrapped(library.optim.SGD(library.nn.ParameterList([p]), lr=0.25))
    wrapped.step()
    assert p.tolist() == [0.75, 0.75]

    class WithoutRate(base):
        def step(self, closure: Any = None) -> None:
            pass

    optimizer = WithoutRate([p], {"lr": None})
    for _ in range(3):
        optimizer.step()
    shared = [[None] * 3]
    q = library.nn.Parameter(library.ones(2))
    optimizer = WithoutRate([{"params": [p]}, {"params": [q]}], {"lr": 0.1, "buffer": shared})
    optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    first, second = optimizer.param_groups
    assert first["buffer"] is second["buffer"] is not shared


@pytest.mark.filterwarnings("ignore:Using backward.. with create_graph=True:UserWarning")
@pytest.mark.parametrize("library", [tinytensor, torch], ids=["tinytensor", "torch"])
def test_gradients_with_a_graph_can_be_detached_in_place(library: Any) -> None:
    nn = library.nn
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3), nn.Tanh())
    model(library.ones(2, 1, 4, 4)).square().sum().backward(create_graph=True)
    for p in model.parameters():
        assert p.grad.detach_().grad_fn is None


def test_hooks_of_one_optimiser_are_not_anothers() -> None:
    p = nn.Parameter(tinytensor.ones(1))
    one, other = optim.SGD([p], lr=0.1), optim.SGD([p], lr=0.1)
    one.register_step_pre_hook(lambda *_: None)
    assert one.hooks and not other.hooks and not optim.Optimizer.hooks


def test_groups_are_apart_in_print() -> None:
    groups = [{"params": [x]} for x in (torch.ones(1), torch.ones(2))]
    theirs = repr(torch.optim.SGD(groups, lr=0.1)).splitlines()
    mine = repr(optim.SGD([{"params": [tinytensor.ones(n)]} for n in (1, 2)], lr=0.1)).splitlines()
    assert [i for i, line in enumerate(mine) if not line] == [len(mine) // 2] and "" in theirs


def test_adafactor_of_bfloat16_has_its_epsilon():
    grads = [[1e-4, 1e-5], [1e-4, -1e-5]]
    results = []
    for lib in (tinytensor, torch):
        p = lib.nn.Parameter(lib.ones(2, 2, dtype=lib.bfloat16))
        optimizer = lib.optim.Adafactor([p], lr=0.1)
        for _ in range(3):
            p.grad = lib.tensor(grads, dtype=lib.bfloat16)
            optimizer.step()
        results.append(p.detach().float().tolist())
    assert results[0] == results[1]
