"""Generated from the table of operations: all checks of every operation, on all of its samples.

The checks are those of `python -m tinytensor check NAME` (tinytensor/checking). The file also tests
reflected operators, the table itself, and that the checks notice errors: each rule of each
operation in turn is made wrong by 1 %.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy
import pytest
import strict_cupy
import torch
from operations import (
    ALSO_BY_PROGRAMS,
    BY_OTHER_TESTS,
    DEVICE_MODULE,
    PROGRAMS,
    on_entries,
    on_samples,
)

import tinytensor
from tinytensor import checking
from tinytensor.arrays.dispatch import use_kernels
from tinytensor.autograd import grad, graph
from tinytensor.autograd.table import TABLE
from tinytensor.checking import checks, comparing
from tinytensor.checking.calls import gradients, second, values, weights
from tinytensor.checking.exemptions import NO_SAMPLES
from tinytensor.ops import names_for

# test_kernels.py compares the kernels, on larger inputs as well.
CHECKS = [check for check in checking.CHECKS if check.function is not checks.kernels]


@pytest.mark.parametrize("entry", TABLE.values(), ids=list(TABLE))
def test_all_checks_pass(entry):
    outcomes = checking.run(entry, CHECKS)
    failures = [outcome.report() for outcome in outcomes if outcome.failures]
    if failures:
        repeat = f"to repeat: python -m tinytensor check {entry.key}"
        pytest.fail("\n".join([*failures, repeat]), pytrace=False)


def test_each_check_applies_to_many_operations():
    """A check that never applies would pass without checking anything."""
    common = [TABLE[name] for name in ("add", "exp", "matmul", "sum", "softmax")]
    outcomes = [outcome for entry in common for outcome in checking.run(entry, CHECKS)]
    for check in CHECKS:
        assert all(o.tried for o in outcomes if o.check is check), check.title
    assert not any(o.failures for o in outcomes)


def test_views_of_strided_inputs_name_reshape():
    x = tinytensor.ones(4, 6).t()
    for call in (lambda: x.view(24), lambda: x.view_as(tinytensor.ones(24))):
        with pytest.raises(RuntimeError, match="reshape"):
            call()


# ---------------------------------------------------------------- reflected operators


REFLECTABLE = [e for e in TABLE.values()
               if hasattr(tinytensor.Tensor, f"__r{e.operator.strip('_')}__") and e.operator]


@pytest.mark.parametrize("entry", REFLECTABLE, ids=[e.name for e in REFLECTABLE])
def test_reflected_operators(entry):
    """2 - x, array - x and numpy.float64(2) - x call the function with swapped operands."""
    f = checks.by_operator(entry.operator)
    whole = entry.operator.strip("_") in ("and", "or", "xor", "lshift", "rshift")
    x = tinytensor.tensor([[1, 2], [3, 1]]) if whole else tinytensor.tensor(
        [[0.5, 1.5], [2.0, 1.0]], dtype=tinytensor.float64, requires_grad=True)
    array = numpy.array([[2, 3], [1, 5]]) if whole else numpy.array([[2.0, 0.5], [1.5, 3.0]])
    others = [array] if x.is_cpu else []  # which is on the CPU
    if entry.operator != "__matmul__":
        others += [3 if whole else 2.5, numpy.int64(3) if whole else numpy.float64(2.5)]
    for other in others:
        expected = entry.function(tinytensor.tensor(other), x)
        reflected = f(other, x)
        assert isinstance(reflected, tinytensor.Tensor), type(other)
        numpy.testing.assert_array_equal(values(reflected), values(expected))
        if not whole:
            a, = grad(expected.sum(), x)
            b, = grad(reflected.sum(), x)
            numpy.testing.assert_array_equal(values(a), values(b))
        direct = f(x, other)
        assert isinstance(direct, tinytensor.Tensor)
        numpy.testing.assert_array_equal(values(direct),
                                         values(entry.function(x, tinytensor.tensor(other))))


# ---------------------------------------------------------------- the table itself


@on_entries
def test_every_rule_gets_what_it_names(entry):
    """The arguments of each rule are values of its node, and no rule is for a parameter."""
    if entry.op is None:
        return
    signature = entry.op.signature
    known = signature.known_names((*(entry.op.outputs or ("out",)), *entry.op.residuals))
    for names, rule in entry.op.rules.items():
        assert set(names) <= set(signature.inputs)
        assert set(inspect.signature(rule).parameters) <= known


def test_no_kernel_is_needed():
    """No import replaces the forward of an operation, so operations work without kernels."""
    for entry in TABLE.values():
        if entry.op is not None:
            assert entry.op.forward.__module__.startswith("tinytensor.ops."), entry.name


def hidden(entry: Any) -> bool:
    """Whether an operation is only a part of other operations and is not exported."""
    return entry.internal or entry.home == "internal"


@on_entries
def test_every_operation_is_exported(entry):
    """Each is an attribute of its module, and of Tensor if a method, under all of its names."""
    home: Any = tinytensor
    for part in filter(None, () if hidden(entry) else entry.home.split(".")):
        home = getattr(home, part)
    for name in (entry.name, *entry.aliases):
        if not hidden(entry):
            assert getattr(home, name) is entry.function
            assert names_for(entry.home)[name] is entry.function
        if entry.method:
            assert callable(getattr(tinytensor.Tensor, name))
    for name in entry.array_names:
        assert hasattr(graph.tensors, name)


@on_entries
def test_a_reason_against_the_scalar_engine_holds(entry):
    """Where `scalar=` gives a reason, the scalar engine fails or there is no gradient."""
    if not entry.scalar:
        return
    compared = False
    for sample in entry.samples:
        try:
            compared |= checks.compare_with_single_values(entry, sample)
        except Exception:
            return
    assert not compared, f"{entry.name} runs on single values: drop `scalar={entry.scalar!r}`"


def test_a_program_covers_each_operation_without_samples():
    assert set(PROGRAMS) >= set(NO_SAMPLES.values()) and set(TABLE) >= set(NO_SAMPLES)


@pytest.mark.parametrize("name", PROGRAMS)
def test_operations_without_samples_equal_pytorch(name):
    check_program(name)


def check_program(name: str) -> None:
    """Compares a program that uses the operation with PyTorch, to third order."""
    computed = []
    with strict_cupy.installed(DEVICE_MODULE):
        for library in (tinytensor, torch):
            rng = numpy.random.default_rng(0)
            leaves = [library.tensor(rng.uniform(0.5, 1.5, s), requires_grad=True)
                      for s in ((3, 2), (2,))]
            result = PROGRAMS[name](library, *leaves)
            unrecorded = gradients(library, [result], leaves, retain_graph=True)
            first = gradients(library, [result], leaves, create_graph=True)
            then = gradients(library, [g for g in first if g is not None], leaves,
                             create_graph=True)
            computed.append([values(result), *map(values, [g for g in (*unrecorded, *first, *then)
                                                           if g is not None]),
                             *second(library, then, leaves)])
    comparing.all_close(*computed, 1e-12, lambda i: f"{name}: value {i}")


# ---------------------------------------------------------------- the checks notice errors


OPS = {key: e for key, e in TABLE.items() if e.op is not None and e.op.rules}


@contextmanager
def changed(op: Any) -> Iterator[None]:
    """Restores the op on exit. Kernels are off inside."""
    forward, rules = op.forward, dict(op.rules)
    try:
        with use_kernels(False):
            yield
    finally:
        op.forward, op.rules = forward, rules
        op.changed()


def notices(entry: Any) -> bool:
    """Whether the first-order check fails on a sample of the entry, or on its program."""
    try:
        for programs in (NO_SAMPLES, ALSO_BY_PROGRAMS):
            if entry.key in programs:
                check_program(programs[entry.key])
        for sample in entry.samples:
            checks.first_order_float64(entry, sample)
    except checking.CheckError:
        return True
    return False


def off_by_one_percent(rule: Callable[..., Any]) -> Callable[..., Any]:
    """The rule with results multiplied by 1.01. A result of zeros becomes 0.01."""
    def wrong(x: Any) -> Any:
        if x is None:
            return None
        only_zeros = not isinstance(x, tinytensor.Tensor) and not bool((x != 0).any())
        return x * 1.01 + 0.01 if only_zeros else x * 1.01

    def sabotaged(*args: Any, **kwargs: Any) -> Any:
        result = rule(*args, **kwargs)
        return [*map(wrong, result)] if isinstance(result, tuple | list) else wrong(result)

    sabotaged.__signature__ = inspect.signature(rule)  # type: ignore[attr-defined]
    return sabotaged


@pytest.mark.parametrize("name", OPS)
def test_a_rule_that_is_wrong_by_one_percent_is_noticed(name):
    entry = OPS[name]
    for names in list(entry.op.rules):
        if (name, *names) in BY_OTHER_TESTS:
            continue
        with changed(entry.op):
            entry.op.rules = {**entry.op.rules,
                              names: off_by_one_percent(entry.op.rules[names])}
            entry.op.changed()
            assert notices(entry), f"{name}: the rule for {' and '.join(names)} is not checked"
    assert not notices(entry), "the rules were not put back"


def test_a_wrong_forward_is_noticed():
    op = TABLE["mul"].op
    with changed(op):
        op.forward = lambda input, other: input * other * 1.01
        op.changed()
        assert notices(TABLE["mul"])
    assert not notices(TABLE["mul"])


def test_a_missing_sum_over_repeats_is_noticed(monkeypatch):
    op = TABLE["add"].op
    for module in ("autograd.engine", "compiled.writer"):  # plain calls, and compiled ones
        if f"tinytensor.{module}" in sys.modules:
            monkeypatch.setattr(f"tinytensor.{module}.unbroadcast",
                                lambda g, shape: g[(0,) * (g.ndim - len(shape))])
    with changed(op):
        op.changed()
        assert notices(TABLE["add"])
    monkeypatch.undo()
    op.changed()
    assert not notices(TABLE["add"])


def test_a_failure_names_its_samples():
    tried = []

    def check(entry, sample):
        tried.append(sample)
        if sample == 1:
            pytest.skip("passed over")
        assert sample < 3

    def all_of(*numbers):
        on_samples(TABLE, lambda entry: numbers)(check)(entry=TABLE["add"])

    with pytest.raises(AssertionError) as caught:
        all_of(1, 2, 3, 4)
    assert caught.value.__notes__ == ["fails for 2 of 4: [2](3), [3](4)"]
    assert tried == [1, 2, 3, 4]  # it goes on after a failure
    all_of(1, 2)
    with pytest.raises(pytest.skip.Exception, match="passed over"):
        all_of(1, 1)


def test_weights_are_not_symmetric():
    """A sum with equal weights would hide errors that cancel, as those of softmax."""
    (w,) = weights([tinytensor.zeros(3, 3)], 0)
    assert len(numpy.unique(w)) == 9 and not numpy.allclose(w, w.T)
