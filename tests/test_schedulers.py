"""Schedulers against PyTorch's: the same learning rates and momenta after the same steps."""

from __future__ import annotations

import copy
import inspect
import math
import pickle
import re
import warnings
from typing import Any

import numpy
import pytest
import torch
from operations import in_turn

import tinytensor
from tinytensor import optim
from tinytensor.optim import lr_scheduler

STEPS = 60
LIBRARIES = (tinytensor, torch)


class Decay:
    """A callable object with state."""

    def __init__(self, rate: float):
        self.rate = rate

    def __call__(self, epoch: float) -> float:
        return self.rate ** (epoch / 7)


def simple(name: str, *args: Any, **kwargs: Any) -> Any:
    """A function of (library, optimizer) that makes a scheduler."""
    return lambda lib, opt: getattr(lib.optim.lr_scheduler, name)(opt, *args, **kwargs)


def sequential(milestones: list[int], *makers: Any) -> Any:
    return lambda lib, opt: lib.optim.lr_scheduler.SequentialLR(
        opt, [make(lib, opt) for make in makers], milestones)


def chained(*makers: Any) -> Any:
    return lambda lib, opt: lib.optim.lr_scheduler.ChainedScheduler(
        [make(lib, opt) for make in makers])


CASES: list[tuple[str, Any]] = [
    ("StepLR", simple("StepLR", 10)),
    ("StepLR, every step", simple("StepLR", 1, gamma=0.9)),
    ("MultiStepLR", simple("MultiStepLR", [30, 5, 5, 17], gamma=0.3)),
    ("MultiStepLR, at once", simple("MultiStepLR", [0, 1])),
    ("ConstantLR", simple("ConstantLR")),
    ("ConstantLR, long", simple("ConstantLR", factor=0.7, total_iters=40)),
    ("LinearLR", simple("LinearLR")),
    ("LinearLR, falling", simple("LinearLR", 1.0, 0.0, 20)),
    ("LinearLR, from 0.1", simple("LinearLR", start_factor=0.1, end_factor=0.6, total_iters=33)),
    ("ExponentialLR", simple("ExponentialLR", 0.95)),
    ("ExponentialLR, to 0", simple("ExponentialLR", gamma=0.0)),
    ("PolynomialLR", simple("PolynomialLR")),
    ("PolynomialLR, power", simple("PolynomialLR", total_iters=50, power=2.5)),
    ("LambdaLR", simple("LambdaLR", lambda epoch: 1 / (1 + epoch))),
    ("LambdaLR, each", simple("LambdaLR", [lambda epoch: 0.9**epoch, lambda epoch: epoch])),
    ("LambdaLR, objects", lambda lib, opt: lib.optim.lr_scheduler.LambdaLR(
        opt, [Decay(0.8), lambda epoch: epoch])),
    ("MultiplicativeLR", simple("MultiplicativeLR", lambda epoch: 1 - 1 / (epoch + 5))),
    ("MultiplicativeLR, each", simple("MultiplicativeLR", (Decay(0.99), lambda epoch: 0.9))),
    ("CosineAnnealingLR", simple("CosineAnnealingLR", 60)),
    ("CosineAnnealingLR, waves", simple("CosineAnnealingLR", T_max=7, eta_min=0.01)),
    ("CosineAnnealingLR, short", simple("CosineAnnealingLR", 1)),
    ("CosineAnnealingWarmRestarts", simple("CosineAnnealingWarmRestarts", 10)),
    ("CosineAnnealingWarmRestarts, longer", simple(
        "CosineAnnealingWarmRestarts", T_0=4, T_mult=2, eta_min=1e-3)),
    ("OneCycleLR", simple("OneCycleLR", 0.5, total_steps=60)),
    ("OneCycleLR, epochs", simple("OneCycleLR", [0.5, 2.0], epochs=6, steps_per_epoch=10,
                                  anneal_strategy="linear", pct_start=0.2)),
    ("OneCycleLR, three phases", simple(
        "OneCycleLR", 1.0, 61, three_phase=True, div_factor=10, final_div_factor=100,
        base_momentum=[0.5, 0.6], max_momentum=0.9)),
    ("OneCycleLR, no momentum", simple("OneCycleLR", 1.0, 61, cycle_momentum=False)),
    ("CyclicLR", simple("CyclicLR", 0.01, 0.1, step_size_up=7)),
    ("CyclicLR, triangular2", simple("CyclicLR", [0.01, 0.02], 0.1, step_size_up=5,
                                     step_size_down=11, mode="triangular2")),
    ("CyclicLR, exp_range", simple("CyclicLR", 0.01, [0.1, 0.3], 6, mode="exp_range", gamma=0.97,
                                   base_momentum=0.1, max_momentum=[0.7, 0.8])),
    ("CyclicLR, function", simple("CyclicLR", 0.01, 0.1, 9, scale_fn=lambda x: 1 / (x + 1),
                                  scale_mode="iterations", cycle_momentum=False)),
    ("CyclicLR, object", lambda lib, opt: lib.optim.lr_scheduler.CyclicLR(
        opt, 0.01, 0.1, 9, scale_fn=Decay(0.7))),
    ("SequentialLR", sequential([8, 30], simple("LinearLR", total_iters=8),
                                simple("CosineAnnealingLR", 22), simple("ExponentialLR", 0.9))),
    ("SequentialLR, others", sequential(
        [5, 20, 40], simple("ConstantLR", 0.1, total_iters=3), simple("StepLR", 4, gamma=0.5),
        simple("LambdaLR", lambda epoch: 0.95**epoch),
        simple("CosineAnnealingWarmRestarts", 6))),
    ("SequentialLR, one", sequential([], simple("PolynomialLR", total_iters=20))),
    ("SequentialLR, from 0", sequential([0], simple("StepLR", 3), simple("ExponentialLR", 0.9))),
    ("SequentialLR, of several in sequence", sequential(
        [20], sequential([10], simple("StepLR", 2), simple("ExponentialLR", 0.9)),
        simple("LinearLR"))),
    ("SequentialLR, of several in a chain", sequential(
        [20], chained(simple("LinearLR"), simple("ExponentialLR", 0.9)), simple("StepLR", 3))),
    ("ChainedScheduler", chained(simple("ConstantLR", 0.1, total_iters=4),
                                 simple("ExponentialLR", 0.9))),
    ("ChainedScheduler, three", chained(
        simple("LinearLR", total_iters=10), simple("CosineAnnealingLR", 15, eta_min=0.02),
        simple("MultiplicativeLR", lambda epoch: 0.98))),
]
# A SequentialLR that begins with several schedules steps them while it is made, as in PyTorch.
early = pytest.mark.filterwarnings(r"ignore:.*lr_scheduler\.step.* before")
schedules = pytest.mark.parametrize(
    "make", [pytest.param(make, id=name, marks=[early] * ("of several" in name))
             for name, make in CASES])
NAMES = sorted({name.partition(",")[0] for name, _ in CASES} | {"ReduceLROnPlateau"})


def two_groups(lib: Any, name: str = "SGD") -> Any:
    """An optimizer of two groups with different learning rates."""
    p, q = lib.nn.Parameter(lib.ones(1)), lib.nn.Parameter(lib.ones(1))
    options = {"momentum": 0.9} if name == "SGD" else {}
    return getattr(lib.optim, name)([{"params": [p]}, {"params": [q], "lr": 0.3}], lr=0.1,
                                    **options)


def rates(optimizer: Any, scheduler: Any) -> list[float]:
    """The learning rates, momenta and betas of all groups. get_last_lr() must agree."""
    lrs = [group["lr"] for group in optimizer.param_groups]
    assert scheduler.get_last_lr() == lrs
    return [*lrs, *(x for group in optimizer.param_groups
                    for x in (group.get("momentum"), *group.get("betas", ())) if x is not None)]


def run(optimizer: Any, scheduler: Any, steps: int, **options: Any) -> list[list[float]]:
    found = []
    for _ in range(steps):
        optimizer.step()
        scheduler.step(**options)
        found.append(rates(optimizer, scheduler))
    return found


def assert_same(mine: Any, theirs: Any) -> None:
    numpy.testing.assert_allclose(mine, theirs, rtol=1e-12, atol=1e-15)


# ---------------------------------------------------------------- the rates


@schedules
@in_turn("name", ["SGD", "AdamW"])
def test_follows_pytorch(make: Any, name: str) -> None:
    found = []
    for lib in LIBRARIES:
        optimizer = two_groups(lib, name)
        scheduler = make(lib, optimizer)
        found.append([rates(optimizer, scheduler), *run(optimizer, scheduler, STEPS)])
    assert_same(*found)
    assert len({tuple(row) for row in found[0]}) > 1


def test_every_scheduler_is_tested_and_there() -> None:
    assert set(NAMES) | {"LRScheduler"} == set(lr_scheduler.__all__)
    assert set(lr_scheduler.__all__) == set(torch.optim.lr_scheduler.__all__)


@pytest.mark.parametrize("name", NAMES)
def test_arguments_are_pytorchs(name: str) -> None:
    ours, theirs = (inspect.signature(getattr(lib.optim.lr_scheduler, name)).parameters
                    for lib in LIBRARIES)
    assert [(p.name, p.default) for p in ours.values()] == [
        (p.name, p.default) for p in theirs.values()]


@pytest.mark.filterwarnings("ignore:The epoch parameter")
@pytest.mark.parametrize("make", [
    simple("StepLR", 3), simple("MultiStepLR", [2, 4]), simple("ConstantLR", total_iters=4),
    simple("LinearLR", total_iters=4), simple("ExponentialLR", 0.9),
    simple("PolynomialLR", total_iters=8), simple("LambdaLR", lambda epoch: 0.9**epoch),
    simple("CosineAnnealingLR", 5, 0.01), simple("CosineAnnealingWarmRestarts", 3),
    simple("CosineAnnealingWarmRestarts", 3, 2, 0.01)])
def test_a_given_epoch(make: Any) -> None:
    found = []
    for lib in LIBRARIES:
        optimizer = two_groups(lib)
        scheduler = make(lib, optimizer)
        found.append([run(optimizer, scheduler, 1, epoch=epoch) for epoch in (2, 7, 0, 5, 4)])
    assert_same(*found)


def test_fractions_of_epochs() -> None:
    found = []
    for lib in LIBRARIES:
        optimizer = two_groups(lib)
        scheduler = lib.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 2, 2)
        found.append([run(optimizer, scheduler, 1, epoch=i / 4) for i in range(60)])
        with pytest.raises(ValueError):
            scheduler.step(-1)
    assert_same(*found)


@pytest.mark.parametrize("options", [
    {}, {"patience": 2, "cooldown": 3}, {"mode": "max", "patience": 0, "factor": 0.5},
    {"threshold": 0.5, "threshold_mode": "abs", "patience": 1},
    {"mode": "max", "threshold": 0.5, "threshold_mode": "abs", "patience": 1},
    {"patience": 1, "min_lr": [0.01, 0.05]}, {"patience": 0, "min_lr": 1e-3, "eps": 1e-2}])
def test_plateau(options: dict[str, Any]) -> None:
    found = []
    for lib in LIBRARIES:
        optimizer = two_groups(lib)
        scheduler = lib.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **options)
        metrics = numpy.random.default_rng(3).normal(size=STEPS) + 1 / numpy.arange(1, STEPS + 1)
        rows = []
        for i, metric in enumerate(metrics):
            optimizer.step()
            scheduler.step(lib.tensor(metric) if i % 2 else float(metric))
            rows.append([*rates(optimizer, scheduler), scheduler.best, scheduler.num_bad_epochs,
                         scheduler.in_cooldown])
        found.append(rows)
    assert_same(*found)
    assert found[0][-1][0] < 0.1


def test_plateau_and_groups_that_come_later() -> None:
    for lib in LIBRARIES:
        for least, error in ((0.0, None), ([0.0, 0.0], RuntimeError)):
            optimizer = two_groups(lib)
            scheduler = lib.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0,
                                                                 min_lr=least)
            optimizer.add_param_group({"params": [lib.nn.Parameter(lib.ones(1))], "lr": 0.5})
            scheduler.step(1.0)
            if error:
                with pytest.raises(error):
                    scheduler.step(2.0)
            else:
                scheduler.step(2.0)
                assert scheduler.get_last_lr() == pytest.approx([0.01, 0.03, 0.05])


def test_a_rate_that_is_a_tensor_stays_one() -> None:
    for lib in LIBRARIES:
        rate = lib.tensor(0.5)
        optimizer = lib.optim.SGD([lib.nn.Parameter(lib.ones(1))], lr=rate)
        scheduler = lib.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
        optimizer.step()
        scheduler.step()
        assert optimizer.param_groups[0]["lr"] is rate
        assert (rate.item(), float(scheduler.get_last_lr()[0])) == (0.25, 0.25)


def test_a_scheduler_of_ones_own() -> None:
    found = []
    for lib in LIBRARIES:
        class Root(lib.optim.lr_scheduler._LRScheduler):  # type: ignore[name-defined, misc]
            def get_lr(self) -> list[float]:
                return [base / math.sqrt(1 + self.last_epoch) for base in self.base_lrs]

        optimizer = two_groups(lib)
        found.append(run(optimizer, Root(optimizer), 5))
    assert_same(*found)


def test_the_base_class_sets_no_rates() -> None:
    for lib in LIBRARIES:
        with pytest.raises(NotImplementedError):
            lib.optim.lr_scheduler.LRScheduler(two_groups(lib))


# ---------------------------------------------------------------- resuming


@schedules
def test_resuming(make: Any) -> None:
    """The states of optimizer and scheduler can be pickled, and resume the schedule exactly."""
    optimizer = two_groups(tinytensor)
    scheduler = make(tinytensor, optimizer)
    run(optimizer, scheduler, 23)
    states = pickle.loads(pickle.dumps((optimizer.state_dict(), scheduler.state_dict())))
    saved = copy.deepcopy(states)
    expected = run(optimizer, scheduler, 30)

    optimizer = two_groups(tinytensor)
    scheduler = make(tinytensor, optimizer)
    optimizer.load_state_dict(states[0])
    scheduler.load_state_dict(states[1])
    assert run(optimizer, scheduler, 30) == expected
    assert states[1].keys() == saved[1].keys()


@schedules
def test_states_are_pytorchs(make: Any) -> None:
    """States have the same names, and each library can resume from the other's."""
    pairs = []
    for lib in LIBRARIES:
        optimizer = two_groups(lib)
        scheduler = make(lib, optimizer)
        run(optimizer, scheduler, 23)
        pairs.append((optimizer, scheduler))
    groups = [[{k: v for k, v in g.items() if k != "params"} for g in optimizer.param_groups]
              for optimizer, _ in pairs]
    states = [copy.deepcopy(scheduler.state_dict()) for _, scheduler in pairs]
    assert states[0].keys() == states[1].keys()
    expected = run(*pairs[1], 20)
    for lib, their_groups, state in zip(LIBRARIES, groups[::-1], states[::-1], strict=True):
        optimizer = two_groups(lib)
        scheduler = make(lib, optimizer)
        for group, options in zip(optimizer.param_groups, their_groups, strict=True):
            group.update(options)
        scheduler.load_state_dict(state)
        assert_same(run(optimizer, scheduler, 20), expected)


def test_objects_among_functions_get_their_attributes_back() -> None:
    for name, argument in (("LambdaLR", "lr_lambda"), ("CyclicLR", "scale_fn")):
        rest = {"base_lr": 0.1, "max_lr": 0.2} if name == "CyclicLR" else {}
        make = getattr(lr_scheduler, name)
        state = make(two_groups(tinytensor), **{argument: Decay(0.5)}, **rest).state_dict()
        decay = Decay(0.75)
        make(two_groups(tinytensor), **{argument: decay}, **rest).load_state_dict(state)
        assert decay.rate == 0.5


def test_last_epoch() -> None:
    """`last_epoch` resumes a schedule if the groups have `initial_lr`."""
    found = []
    for lib in LIBRARIES:
        rows = []
        for make in (simple("StepLR", 3, last_epoch=5),
                     simple("CosineAnnealingLR", 9, last_epoch=5),
                     simple("ExponentialLR", 0.9, last_epoch=5),
                     simple("LinearLR", total_iters=10, last_epoch=5),
                     simple("LambdaLR", lambda epoch: 0.9**epoch, last_epoch=5),
                     simple("CyclicLR", 0.1, 0.2, 4, last_epoch=5)):
            optimizer = two_groups(lib)
            with pytest.raises(KeyError, match="initial_lr"):
                make(lib, optimizer)
            for group in optimizer.param_groups:
                group["initial_lr"] = 0.7
            rows.append(run(optimizer, make(lib, optimizer), 10))
        found.append(rows)
    assert_same(*found)


@pytest.mark.parametrize("again", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))],
                         ids=["deepcopy", "pickle"])
def test_copies(again: Any) -> None:
    optimizer = two_groups(tinytensor)
    scheduler = lr_scheduler.OneCycleLR(optimizer, 1.0, 40)
    run(optimizer, scheduler, 5)
    other, copied = again((optimizer, scheduler))
    assert copied.optimizer is other and other is not optimizer
    assert run(other, copied, 10) == run(optimizer, scheduler, 10)


# ---------------------------------------------------------------- warnings and errors


def messages(lib: Any, order: str, optimizer: Any = None) -> list[str]:
    """The warnings of a sequence of steps: o of the optimizer, s of the scheduler."""
    optimizer = optimizer or two_groups(lib)
    scheduler = lib.optim.lr_scheduler.StepLR(optimizer, 2)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for step in order:
            (optimizer if step == "o" else scheduler).step()
    assert all(w.category is UserWarning and w.filename == __file__ for w in caught)
    return [str(w.message) for w in caught]


@pytest.mark.parametrize(("order", "expected"), [
    ("ososos", 0), ("oooosss", 0), ("sososo", 1), ("sss", 1), ("o", 0)])
def test_the_scheduler_before_the_optimizer_warns_once(order: str, expected: int) -> None:
    for lib in LIBRARIES:
        found = messages(lib, order)
        assert len(found) == expected
        assert all(re.search(r"before `?optimizer\.step\(\)", message) for message in found)


def test_the_warning_counts_the_steps_of_subclasses() -> None:
    """The count includes an overridden step, and only steps after the scheduler was made."""
    for lib in LIBRARIES:
        class Own(lib.optim.Optimizer):  # type: ignore[name-defined, misc]
            def step(self, closure: Any = None) -> str:
                """Mine."""
                return "stepped"

        optimizer = Own([lib.nn.Parameter(lib.ones(1))], {"lr": 0.1})
        assert optimizer.step() == "stepped" and optimizer.step.__doc__ == "Mine."
        assert len(messages(lib, "so", optimizer)) == 1
        assert not messages(lib, "os", optimizer)


def test_get_lr_is_for_step_only() -> None:
    for lib in LIBRARIES:
        for make in (simple("StepLR", 2), simple("LambdaLR", lambda epoch: 1.0),
                     simple("CosineAnnealingLR", 5)):
            scheduler = make(lib, two_groups(lib))
            with pytest.warns(UserWarning, match="get_last_lr"):
                scheduler.get_lr()


@pytest.mark.parametrize(("make", "error"), [
    (lambda s, o: s.StepLR("optimizer", 3), TypeError),
    (lambda s, o: s.ReduceLROnPlateau("optimizer"), TypeError),
    (lambda s, o: s.CyclicLR("optimizer", 0.1, 0.2), TypeError),
    (lambda s, o: s.OneCycleLR("optimizer", 0.1, 10), TypeError),
    (lambda s, o: s.ConstantLR(o, factor=1.5), ValueError),
    (lambda s, o: s.ConstantLR(o, factor=-0.1), ValueError),
    (lambda s, o: s.LinearLR(o, start_factor=0.0), ValueError),
    (lambda s, o: s.LinearLR(o, start_factor=1.1), ValueError),
    (lambda s, o: s.LinearLR(o, end_factor=1.1), ValueError),
    (lambda s, o: s.LambdaLR(o, [abs]), ValueError),
    (lambda s, o: s.MultiplicativeLR(o, [abs]), ValueError),
    (lambda s, o: s.MultiplicativeLR(o, 0.9), TypeError),
    (lambda s, o: s.LambdaLR(o, 0.9), TypeError),
    (lambda s, o: s.CosineAnnealingWarmRestarts(o, 0), ValueError),
    (lambda s, o: s.CosineAnnealingWarmRestarts(o, 2.5), ValueError),
    (lambda s, o: s.CosineAnnealingWarmRestarts(o, 2, 0), ValueError),
    (lambda s, o: s.CosineAnnealingWarmRestarts(o, 2, 1, "0"), ValueError),
    (lambda s, o: s.CyclicLR(o, 0.1, 0.2, mode="square"), ValueError),
    (lambda s, o: s.CyclicLR(o, [0.1], 0.2), ValueError),
    (lambda s, o: s.CyclicLR(o, 0.1, [0.2] * 3), ValueError),
    (lambda s, o: s.CyclicLR(o, 0.1, 0.2, base_momentum=[0.1]), ValueError),
    (lambda s, o: s.OneCycleLR(o, 0.1), ValueError),
    (lambda s, o: s.OneCycleLR(o, 0.1, 0), ValueError),
    (lambda s, o: s.OneCycleLR(o, 0.1, 2.5), ValueError),
    (lambda s, o: s.OneCycleLR(o, 0.1, epochs=3), ValueError),
    (lambda s, o: s.OneCycleLR(o, 0.1, epochs=0, steps_per_epoch=2), ValueError),
    (lambda s, o: s.OneCycleLR(o, 0.1, epochs=2, steps_per_epoch=-2), ValueError),
    (lambda s, o: s.OneCycleLR(o, 0.1, 10, pct_start=1), ValueError),
    (lambda s, o: s.OneCycleLR(o, 0.1, 10, pct_start=1.5), ValueError),
    (lambda s, o: s.OneCycleLR(o, 0.1, 10, anneal_strategy="square"), ValueError),
    (lambda s, o: s.OneCycleLR(o, [0.1], 10), ValueError),
    (lambda s, o: run(o, s.OneCycleLR(o, 0.1, 3), 4), ValueError),
    (lambda s, o: s.SequentialLR(o, [], []), ValueError),
    (lambda s, o: s.SequentialLR(o, [s.StepLR(o, 1)], [3]), ValueError),
    (lambda s, o: s.SequentialLR(o, ["StepLR"], []), TypeError),
    (lambda s, o: s.SequentialLR(o, [s.ReduceLROnPlateau(o)], []), ValueError),
    (lambda s, o: s.SequentialLR(copy.deepcopy(o), [s.StepLR(o, 1)], []), ValueError),
    (lambda s, o: s.ChainedScheduler([]), ValueError),
    (lambda s, o: s.ChainedScheduler([s.StepLR(o, 1), "StepLR"]), TypeError),
    (lambda s, o: s.ChainedScheduler([s.StepLR(o, 1), s.ReduceLROnPlateau(o)]), ValueError),
    (lambda s, o: s.ChainedScheduler([s.StepLR(o, 1)], copy.deepcopy(o)), ValueError),
    (lambda s, o: s.ReduceLROnPlateau(o, factor=1.0), ValueError),
    (lambda s, o: s.ReduceLROnPlateau(o, mode="least"), ValueError),
    (lambda s, o: s.ReduceLROnPlateau(o, threshold_mode="least"), ValueError),
    (lambda s, o: s.ReduceLROnPlateau(o, min_lr=[0.1]), ValueError),
])
def test_misuse(make: Any, error: type[Exception]) -> None:
    for lib in LIBRARIES:
        with pytest.raises(error):
            make(lib.optim.lr_scheduler, two_groups(lib))


@pytest.mark.parametrize("make", [simple("CyclicLR", 0.1, 0.2), simple("OneCycleLR", 0.1, 10)])
def test_momentum_that_the_optimizer_does_not_have(make: Any) -> None:
    for lib in LIBRARIES:
        optimizer = lib.optim.Adagrad([lib.nn.Parameter(lib.ones(1))], lr=0.5)
        with pytest.raises(ValueError, match="momentum"):
            make(lib, optimizer)
    assert optim.Adagrad([tinytensor.ones(1)]).defaults.keys().isdisjoint({"momentum", "betas"})


def test_a_second_scheduler_after_training_is_no_reason_to_warn():
    for lib in (tinytensor, torch):
        optimizer = lib.optim.SGD([lib.nn.Parameter(lib.ones(1))], lr=1.0)
        first = lib.optim.lr_scheduler.StepLR(optimizer, 1)
        optimizer.step()
        first.step()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            lib.optim.lr_scheduler.StepLR(optimizer, 1).step()
