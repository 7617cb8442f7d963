"""Generated from the table of operations: every sample of every operation, on every question.

Its result and derivatives against PyTorch, its derivatives against finite differences and against
the scalar engine, its method, operator and in-place form against the function, strided inputs
against contiguous ones. Then the table itself, and, last, that these checks notice an error: each
rule of each operation is made wrong by 1 % in turn.
"""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy
import pytest
import strict_cupy
import torch
from operations import (
    ALSO_BY_PROGRAMS,
    DEVICE_MODULE,
    NO_FINITE_DIFFERENCES,
    PROGRAMS,
    RANDOM,
    SYMMETRIC,
    WITHOUT_SAMPLES,
    by_single_values,
    differentiable,
    key_of,
    made,
    on_entries,
    on_samples,
    ours,
    outputs,
    reference,
    replace,
    theirs,
    total,
    values,
    weights,
)

import tinytensor
from tinytensor.arrays.dispatch import use_kernels
from tinytensor.autograd import grad, gradcheck, gradgradcheck, graph
from tinytensor.autograd.table import TABLE
from tinytensor.compiled import writer
from tinytensor.ops import names_for


def close(mine: Any, expected: Any, tolerance: float, what: str) -> None:
    mine, expected = values(mine), values(expected)
    assert mine.shape == expected.shape, f"{what}: shape {mine.shape}, expected {expected.shape}"
    assert mine.dtype == expected.dtype, f"{what}: dtype {mine.dtype}, expected {expected.dtype}"
    numpy.testing.assert_allclose(mine, expected, tolerance, tolerance, err_msg=what)


def all_close(mine: Any, expected: Any, tolerance: float, what: str) -> None:
    """The same for several; None stays None."""
    assert len(mine) == len(expected), f"{what}: {len(mine)}, expected {len(expected)}"
    for i, (a, b) in enumerate(zip(mine, expected, strict=True)):
        assert (a is None) == (b is None), f"{what} {i}: is {a}, expected {b}"
        if a is not None:
            close(a, b, tolerance, f"{what} {i}")


def gradients(library: Any, results: list[Any], leaves: list[Any], **options: Any) -> list[Any]:
    """Of a weighted sum of the results by the leaves; none if nothing depends on anything."""
    results = differentiable(results)
    if not results or not leaves:
        return []
    return list(library.autograd.grad(total(results, library, 0), leaves, allow_unused=True,
                                      **options))


def second(library: Any, first: list[Any], leaves: list[Any]) -> list[Any]:
    """The gradients of the gradients, with zeros for None: what is linear may be either."""
    first = differentiable([g for g in first if g is not None])
    found = list(library.autograd.grad(total(first, library, 1), leaves, allow_unused=True)) \
        if first else [None] * len(leaves)
    return [numpy.zeros(tuple(x.shape)) if g is None else values(g)
            for g, x in zip(found, leaves, strict=True)]


def check_first_order(entry: Any, sample: Any, dtype: Any) -> None:
    """Result and gradients by rules on arrays against PyTorch."""
    arguments = made(sample, entry.name)
    (args, kwargs), leaves = ours(arguments, dtype)
    (args_t, kwargs_t), leaves_t = theirs(arguments, dtype)
    tolerance = 1e-11 if dtype == numpy.float64 else 3e-5
    result = outputs(entry.function(*args, **kwargs))
    expected = outputs(reference(entry)(*args_t, **kwargs_t))
    all_close(result, expected, tolerance, "result")
    assert [r.requires_grad for r in result] == [r.requires_grad for r in expected]
    all_close(gradients(tinytensor, result, leaves), gradients(torch, expected, leaves_t),
              tolerance, "gradient")


# ---------------------------------------------------------------- each sample


@pytest.mark.parametrize("dtype", [numpy.float64, numpy.float32], ids=["float64", "float32"])
@on_samples(TABLE)
def test_result_and_gradients_equal_pytorch(entry, sample, dtype):
    check_first_order(entry, sample, dtype)


@on_samples(TABLE)
def test_second_derivatives_equal_pytorch(entry, sample):
    arguments = made(sample, entry.name)
    found = []
    for library, make, function in ((tinytensor, ours, entry.function),
                                    (torch, theirs, reference(entry))):
        (args, kwargs), leaves = make(arguments)
        first = gradients(library, outputs(function(*args, **kwargs)), leaves, create_graph=True)
        try:
            found.append(second(library, first, leaves))
        except RuntimeError as error:
            if "is not implemented" in str(error) and library is torch:
                pytest.skip("PyTorch has no second derivative; finite differences see to it")
            raise
    all_close(*found, 1e-10, "second derivative")


@on_samples(TABLE)
def test_first_and_second_derivatives_equal_finite_differences(entry, sample):
    if key_of(entry) in NO_FINITE_DIFFERENCES:
        pytest.skip(NO_FINITE_DIFFERENCES[key_of(entry)])
    (args, kwargs), leaves = ours(made(sample, entry.name))
    places = [x for x in leaves if x.numel()]
    if not places or not differentiable(outputs(entry.function(*args, **kwargs))):
        return

    def function(*given: Any) -> Any:
        if key_of(entry) in SYMMETRIC:
            given = tuple((x + x.mT) / 2 for x in given)
        arguments = replace((args, kwargs), lambda x: any(x is p for p in places),
                            lambda x: given[next(i for i, p in enumerate(places) if x is p)])
        return tuple(differentiable(outputs(entry.function(*arguments[0], **arguments[1]))))

    gradcheck(function, tuple(places), fast_mode=True, atol=1e-7, rtol=1e-5)
    gradgradcheck(function, tuple(places), fast_mode=True, atol=1e-7, rtol=1e-5)


@on_samples(TABLE)
def test_derivatives_equal_those_of_single_values(entry, sample):
    if entry.scalar:
        pytest.skip(f"the scalar engine is no reference: {entry.scalar}")
    check_by_single_values(entry, sample)


def check_by_single_values(entry: Any, sample: Any) -> bool:
    """Compares with arrays of `scalar.Value`; whether there was a gradient to compare."""
    arguments = made(sample, entry.name)
    (args, kwargs), leaves = ours(arguments)
    result = outputs(entry.function(*args, **kwargs))
    found = gradients(tinytensor, result, leaves)
    if not found:
        return False
    data, slopes = by_single_values(entry, arguments, [r.requires_grad for r in result])
    for i, (mine, single) in enumerate(zip(differentiable(result), data, strict=True)):
        mine = values(mine)
        scale = max(1.0, numpy.abs(mine[numpy.isfinite(mine)]).max(initial=0.0))
        numpy.testing.assert_allclose(mine, single, 1e-12, 1e-12 * scale, err_msg=f"result {i}")
    for i, (mine, single) in enumerate(zip(found, slopes, strict=True)):
        mine = numpy.zeros_like(single) if mine is None else values(mine)
        scale = max(1.0, numpy.abs(mine).max(initial=0.0))
        numpy.testing.assert_allclose(mine, single, 1e-12, 1e-12 * scale, err_msg=f"gradient {i}")
    return True


@on_samples(TABLE)
def test_strided_inputs_give_the_same(entry, sample):
    """Elements that do not lie in order in memory: every other one of a transposed copy."""
    arguments = made(sample, entry.name)
    (args, kwargs), leaves = ours(arguments)
    expected = outputs(entry.function(*args, **kwargs))
    (args, kwargs), strided_leaves = ours(arguments, make=strided)
    if entry.name in ("view", "view_as"):
        with pytest.raises(RuntimeError, match="reshape"):
            assert not outputs(entry.function(*args, **kwargs))[0].ndim, "reshape"
        return
    if entry.name == "as_strided":
        return  # it counts the elements in memory, not those of the input
    result = outputs(entry.function(*args, **kwargs))
    all_close(result, expected, 1e-12, "result")
    all_close(gradients(tinytensor, result, strided_leaves),
              gradients(tinytensor, expected, leaves), 1e-12, "gradient")


def strided(array: Any) -> Any:
    pairs = numpy.full((*array.shape, 2), 7, array.dtype, order="F")
    pairs[..., 0] = array
    return tinytensor.from_numpy(pairs[..., 0])


# ---------------------------------------------------------------- other forms of the same


def by_operator(name: str) -> Callable[..., Any]:
    """operator.add for "__add__"."""
    return getattr(operator, name)  # the module has these names too


@on_samples(TABLE)
def test_method_operator_and_in_place_form_equal_the_function(entry, sample):
    arguments = made(sample, entry.name)
    (args, kwargs), leaves = ours(arguments)
    result = entry.function(*args, **kwargs)
    expected = outputs(result)
    if not args or not isinstance(args[0], tinytensor.Tensor):
        return
    slopes = gradients(tinytensor, expected, leaves, retain_graph=True)

    def same(found: Any, what: str) -> None:
        all_close(outputs(found), expected, 0, what)
        all_close(gradients(tinytensor, outputs(found), leaves), slopes, 1e-12,
                  f"gradient of {what}")

    if entry.method:
        method = getattr(args[0], entry.name)
        same(method(*args[1:], **kwargs), "method")
        if entry.varargs and len(args) == 2 and isinstance(args[1], tuple) and args[1]:
            same(method(*args[1], **kwargs), "method with its sizes in pieces")
    if entry.operator and not kwargs and len(args) <= 2:
        same(by_operator(entry.operator)(*args), f"operator {entry.operator}")
    if entry.inplace and entry.method and len(expected) == 1:
        check_in_place(entry, arguments, expected[0], slopes)


def check_in_place(entry: Any, arguments: Any, expected: Any, slopes: Any) -> None:
    (args, kwargs), leaves = ours(arguments)
    copy = args[0].clone()
    forms = [getattr(copy, f"{entry.name}_")]
    writable = expected.shape == copy.shape and tinytensor.can_cast(expected.dtype, copy.dtype)
    if not writable:
        with pytest.raises(RuntimeError):
            forms[0](*args[1:], **kwargs)
        assert copy._version == 0
        return
    found = forms[0](*args[1:], **kwargs)
    assert found is copy and copy._version == 1
    numpy.testing.assert_array_equal(values(found), values(expected))
    all_close(gradients(tinytensor, [found], leaves), slopes, 1e-12, "gradient of the form")
    augmented = getattr(operator, f"i{entry.operator.strip('_')}", None)
    if entry.operator and augmented and not kwargs and len(args) == 2:
        copy = args[0].clone()
        assert augmented(copy, args[1]) is copy
        numpy.testing.assert_array_equal(values(copy), values(expected))


REFLECTABLE = [e for e in TABLE.values()
               if hasattr(tinytensor.Tensor, f"__r{e.operator.strip('_')}__") and e.operator]


@pytest.mark.parametrize("entry", REFLECTABLE, ids=[e.name for e in REFLECTABLE])
def test_reflected_operators(entry):
    """2 - x, array - x, NumPy's 2.0 - x: the function with the operands exchanged."""
    f = by_operator(entry.operator)
    whole = entry.operator.strip("_") in ("and", "or", "xor", "lshift", "rshift")
    x = tinytensor.tensor([[1, 2], [3, 1]]) if whole else tinytensor.tensor(
        [[0.5, 1.5], [2.0, 1.0]], dtype=tinytensor.float64, requires_grad=True)
    array = numpy.array([[2, 3], [1, 5]]) if whole else numpy.array([[2.0, 0.5], [1.5, 3.0]])
    others = [array]
    if entry.operator != "__matmul__":
        others += [3 if whole else 2.5, numpy.int64(3) if whole else numpy.float64(2.5)]
    for other in others:
        expected = entry.function(tinytensor.tensor(other), x)
        found = f(other, x)
        assert isinstance(found, tinytensor.Tensor), type(other)
        numpy.testing.assert_array_equal(values(found), values(expected))
        if not whole:
            a, = grad(expected.sum(), x)
            b, = grad(found.sum(), x)
            numpy.testing.assert_array_equal(values(a), values(b))
        forth = f(x, other)
        assert isinstance(forth, tinytensor.Tensor)
        numpy.testing.assert_array_equal(values(forth),
                                         values(entry.function(x, tinytensor.tensor(other))))


# ---------------------------------------------------------------- the table itself


@on_entries
def test_every_operation_has_samples(entry):
    if key_of(entry) in {*WITHOUT_SAMPLES, *RANDOM}:
        assert not entry.samples, f"{entry.name} has samples: take it off the list"
    else:
        assert entry.samples, f"{entry.name}: give it samples"


@on_entries
def test_every_operation_says_its_shapes(entry):
    assert "Shapes:" in entry.doc
    assert "Shapes:" in (inspect.getdoc(entry.function) or "")
    if entry.method:
        assert "Shapes:" in (inspect.getdoc(getattr(tinytensor.Tensor, entry.name)) or "")


@on_entries
def test_every_rule_gets_what_it_names(entry):
    """Every name in a rule is something its node can have, and no rule is for a parameter."""
    if entry.op is None:
        return
    signature = entry.op.signature
    known = signature.known_names((*(entry.op.outputs or ("out",)), *entry.op.residuals))
    for names, rule in entry.op.rules.items():
        assert set(names) <= set(signature.inputs)
        assert set(inspect.signature(rule).parameters) <= known


def test_no_kernel_is_needed():
    """The operations work on their own: nothing replaces a forward or a rule by import."""
    for entry in TABLE.values():
        if entry.op is not None:
            assert entry.op.forward.__module__.startswith("tinytensor.ops."), entry.name


def hidden(entry: Any) -> bool:
    """A part of others, that no module offers."""
    return entry.internal or entry.home == "internal"


@on_entries
def test_every_operation_is_exported(entry):
    """tinytensor.X, tinytensor.nn.functional.X or tinytensor.linalg.X, under all of its names."""
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
    """With a reason given, running it fails, or there is no gradient to compare."""
    if not entry.scalar:
        return
    compared = False
    for sample in entry.samples:
        try:
            compared |= check_by_single_values(entry, sample)
        except Exception:
            return
    assert not compared, f"{entry.name} runs on single values: drop `scalar={entry.scalar!r}`"


@pytest.mark.parametrize("name", PROGRAMS)
def test_operations_without_samples_equal_pytorch(name):
    check_program(name)


def check_program(name: str) -> None:
    """A program that uses the operation, on both libraries, to third order."""
    found = []
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
            found.append([values(result), *map(values, [g for g in (*unrecorded, *first, *then)
                                                        if g is not None]),
                          *second(library, then, leaves)])
    all_close(*found, 1e-12, name)


# ---------------------------------------------------------------- the checks notice errors


OPS = {e.op.name: e for e in TABLE.values() if e.op is not None and e.op.rules}


@contextmanager
def changed(op: Any) -> Iterator[None]:
    """Whatever is changed in the op inside is put back; no kernel stands in for it."""
    forward, rules = op.forward, dict(op.rules)
    try:
        with use_kernels(False):
            yield
    finally:
        op.forward, op.rules = forward, rules
        op.changed()


def notices(entry: Any) -> bool:
    """Whether the checks of the entry's samples fail now."""
    try:
        for programs in (WITHOUT_SAMPLES, ALSO_BY_PROGRAMS):
            if key_of(entry) in programs:
                check_program(programs[key_of(entry)])
        for sample in entry.samples:
            check_first_order(entry, sample, numpy.float64)
    except AssertionError:
        return True
    return False


def off_by_one_percent(rule: Callable[..., Any]) -> Callable[..., Any]:
    """A rule that is wrong by a hundredth; one that gives only zeros gives hundredths."""
    def wrong(x: Any) -> Any:
        if x is None:
            return None
        nothing = not isinstance(x, tinytensor.Tensor) and not bool((x != 0).any())
        return x * 1.01 + 0.01 if nothing else x * 1.01

    def sabotaged(*args: Any) -> Any:
        result = rule(*args)
        return [*map(wrong, result)] if isinstance(result, tuple | list) else wrong(result)

    sabotaged.__signature__ = inspect.signature(rule)  # type: ignore[attr-defined]
    return sabotaged


@pytest.mark.parametrize("name", OPS)
def test_a_rule_that_is_wrong_by_one_percent_is_noticed(name):
    entry = OPS[name]
    for names in list(entry.op.rules):
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
    monkeypatch.setattr(writer, "unbroadcast", lambda g, shape: g[(0,) * (g.ndim - len(shape))])
    with changed(op):
        op.changed()
        assert notices(TABLE["add"])
    monkeypatch.undo()
    op.changed()
    assert not notices(TABLE["add"])


def test_what_adds_to_a_gradient_may_name_what_the_rule_does():
    with pytest.raises(TypeError, match="'weight'; it may name g, index, input_shape, total, xp"):
        TABLE["getitem"].op.adder("input")(lambda total, weight: None)


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
    """A sum with equal weights would hide errors that cancel, as a softmax's."""
    (w,) = weights([tinytensor.zeros(3, 3)], 0)
    assert len(numpy.unique(w)) == 9 and not numpy.allclose(w, w.T)
