"""Averages of weights during training, against PyTorch's."""

from __future__ import annotations

import copy
from typing import Any

import numpy
import pytest
import torch

import tinytensor

FUNCTIONS: dict[str, Any] = {
    "the mean": lambda u: {},
    "the mean, named": lambda u: {"avg_fn": u.get_swa_avg_fn()},
    "an exponential one": lambda u: {"avg_fn": u.get_ema_avg_fn(0.8)},
    "of lists": lambda u: {"multi_avg_fn": u.get_ema_multi_avg_fn(0.7)},
    "the mean, of lists": lambda u: {"multi_avg_fn": u.get_swa_multi_avg_fn()},
    "of one's own": lambda u: {"avg_fn": lambda average, value, count: average + value * count},
    "with buffers": lambda u: {"avg_fn": u.get_ema_avg_fn(), "use_buffers": True},
}


def model(lib: Any) -> Any:
    net = lib.nn.Sequential(lib.nn.Linear(3, 4), lib.nn.BatchNorm1d(4), lib.nn.Linear(4, 1))
    net = net.double()
    with lib.no_grad():
        for i, p in enumerate(net.parameters()):
            p.copy_(lib.tensor(numpy.sin(numpy.arange(p.numel()) + i).reshape(tuple(p.shape))))
    return net


def state(module: Any) -> dict[str, Any]:
    return {k: v.numpy().copy() for k, v in module.state_dict().items()}


def same(mine: Any, theirs: Any, tolerance: float = 1e-12) -> None:
    a, b = state(mine), state(theirs)
    assert list(a) == list(b)
    for name in a:
        numpy.testing.assert_allclose(a[name], b[name], rtol=tolerance, atol=1e-14, err_msg=name)


def averaged(lib: Any, options: Any) -> Any:
    utils = lib.optim.swa_utils
    net = model(lib)
    average = utils.AveragedModel(net, **options(utils))
    optimizer = lib.optim.SGD(net.parameters(), lr=0.1)
    schedule = utils.SWALR(optimizer, 0.05, anneal_epochs=3)
    x = lib.tensor(numpy.random.default_rng(0).normal(size=(6, 3)))
    for _ in range(5):
        optimizer.zero_grad()
        (net(x) ** 2).sum().backward()
        optimizer.step()
        schedule.step()
        average.update_parameters(net)
    utils.update_bn([x[:4], (x[2:], "a label")], average)
    return average, x


@pytest.mark.parametrize("name", FUNCTIONS)
def test_averages_are_pytorchs(name: str) -> None:
    options = FUNCTIONS[name]
    (mine, x), (theirs, y) = averaged(tinytensor, options), averaged(torch, options)
    rounded = name == "the mean, of lists"  # PyTorch's weight of a value is a float32 there
    same(mine, theirs, 1e-6 if rounded else 1e-12)
    assert mine.training and mine.module[1].momentum == 0.1  # as before update_bn
    numpy.testing.assert_allclose(mine.eval()(x).detach().numpy(),
                                  theirs.eval()(y).detach().numpy(), rtol=1e-6)


def test_the_averaged_model_is_a_copy() -> None:
    net = model(tinytensor)
    average = tinytensor.optim.swa_utils.AveragedModel(net)
    before = state(average)
    with tinytensor.no_grad():
        net[0].weight.zero_()
    assert (state(average)["module.0.weight"] == before["module.0.weight"]).all()
    same(copy.deepcopy(average), average)


def test_update_bn_puts_momenta_back_if_a_batch_fails() -> None:
    net = model(tinytensor).eval()
    with pytest.raises(RuntimeError):
        tinytensor.optim.swa_utils.update_bn([tinytensor.ones(2, 7)], net)
    assert net[1].momentum == 0.1 and not net.training
    plain = tinytensor.nn.Linear(2, 2)
    tinytensor.optim.swa_utils.update_bn(iter([None]), plain)  # no batch norm: does not read data


@pytest.mark.parametrize("options", [
    {"anneal_epochs": 4}, {"anneal_epochs": 4, "anneal_strategy": "linear"},
    {"anneal_epochs": 0}, {"anneal_epochs": 1, "anneal_strategy": "linear"}])
def test_the_rates_of_swalr(options: dict[str, Any]) -> None:
    found = []
    for lib in (tinytensor, torch):
        groups = [{"params": [lib.nn.Parameter(lib.ones(1))], "lr": lr} for lr in (0.1, 0.4)]
        optimizer = lib.optim.SGD(groups)
        schedule = lib.optim.swa_utils.SWALR(optimizer, [0.05, 0.01], **options)
        rates = []
        for _ in range(7):
            rates.append(schedule.get_last_lr())
            optimizer.step()
            schedule.step()
        found.append(rates)
    numpy.testing.assert_allclose(*found, rtol=1e-12)


def test_the_state_of_swalr_goes_on() -> None:
    def made() -> tuple[Any, Any]:
        optimizer = tinytensor.optim.SGD([tinytensor.ones(1)], lr=0.1)
        return optimizer, tinytensor.optim.swa_utils.SWALR(optimizer, 0.01, 5)

    optimizer, schedule = made()
    for _ in range(2):
        optimizer.step()
        schedule.step()
    again, later = made()
    again.load_state_dict(optimizer.state_dict())
    later.load_state_dict(schedule.state_dict())
    for o, s in ((optimizer, schedule), (again, later)):
        o.step()
        s.step()
    assert schedule.get_last_lr() == later.get_last_lr()


@pytest.mark.parametrize(("act", "error", "message"), [
    (lambda u, o: u.get_ema_avg_fn(1.5), ValueError, "decay value 1.5"),
    (lambda u, o: u.AveragedModel(tinytensor.nn.Identity(), avg_fn=abs, multi_avg_fn=abs),
     AssertionError, "not both"),
    (lambda u, o: u.SWALR(o, 0.1, anneal_strategy="steep"), ValueError, "'steep'"),
    (lambda u, o: u.SWALR(o, 0.1, anneal_epochs=-1), ValueError,
     "anneal_epochs must be an int of at least 0"),
    (lambda u, o: u.SWALR(o, [0.1, 0.2]), ValueError, "got 2 values for 1 groups")])
def test_misuse(act: Any, error: type[Exception], message: str) -> None:
    optimizer = tinytensor.optim.SGD([tinytensor.ones(1)], lr=0.1)
    with pytest.raises(error, match=message):
        act(tinytensor.optim.swa_utils, optimizer)
    assert "swa_lr" not in optimizer.param_groups[0]
