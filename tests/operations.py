"""Helpers for tests of operations: decorators that run a test on the whole table, and programs.

Programs cover the operations that no sample can call. `tinytensor.checking` checks the others.
"""

from __future__ import annotations

import functools
import inspect
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy
import pytest
import torch

import tinytensor
from tinytensor.autograd.table import TABLE, Entry
from tinytensor.checking.calls import differentiable, outputs, values
from tinytensor.ops.samples import S


def run_all(runs: Mapping[str, Callable[[], Any]]) -> None:
    """Calls every function of `runs` and raises the first error. A note lists all failed names.

    If every call skips, the test is skipped.
    """
    __tracebackhide__ = True
    failed: dict[str, BaseException] = {}
    skipped: list[BaseException] = []
    for name, run in runs.items():
        try:
            run()
        except pytest.skip.Exception as reason:
            skipped.append(reason)
        except (Exception, pytest.fail.Exception) as error:
            failed[name] = error
    if failed:
        first = next(iter(failed.values()))
        first.add_note(f"fails for {len(failed)} of {len(runs)}: {', '.join(failed)}")
        raise first
    if skipped and len(skipped) == len(runs):
        raise skipped[0]


def samples_of(entry: Entry) -> Sequence[S]:
    return entry.samples


def on_samples(entries: Mapping[str, Entry], samples: Callable[[Entry], Sequence[S]] = samples_of,
               ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorates test(entry, sample, ...): one test per operation, which runs all of its samples.

    There are thousands of samples, and most run in less time than pytest needs to set up a test.
    """
    chosen = {key: entry for key, entry in entries.items() if samples(entry)}

    def decorate(test: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(test)
        def on_all(entry: Entry, **given: Any) -> None:
            __tracebackhide__ = True
            run = functools.partial(test, entry=entry, **given)
            run_all({f"[{i}]({sample})": functools.partial(run, sample=sample)
                     for i, sample in enumerate(samples(entry))})

        return pytest.mark.parametrize("entry", chosen.values(), ids=list(chosen))(
            without_parameter(on_all, "sample"))

    return decorate


def on_entries(test: Callable[[Entry], Any]) -> Callable[[], None]:
    """Decorates test(entry): a single test of the whole table, for fast checks."""
    @functools.wraps(test)
    def on_all() -> None:
        __tracebackhide__ = True
        run_all({key: functools.partial(test, entry) for key, entry in TABLE.items()})

    return without_parameter(on_all, "entry")


def in_turn(names: str, values: Iterable[Any]) -> Callable[[Callable[..., Any]],
                                                          Callable[..., Any]]:
    """pytest.mark.parametrize(names, values) in a single test, for fast checks."""
    parameters = names.split(", ")
    cases = [value if len(parameters) > 1 else (value,) for value in values]

    def decorate(test: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(test)
        def on_all(*args: Any, **given: Any) -> None:
            __tracebackhide__ = True
            run_all({f"[{i}]{case}": functools.partial(
                test, *args, **given, **dict(zip(parameters, case, strict=True)))
                for i, case in enumerate(cases)})

        return without_parameter(on_all, *parameters)

    return decorate


def without_parameter(function: Any, *names: str) -> Any:
    """Hides parameters from pytest, which would search for fixtures with these names."""
    signature = inspect.signature(function)
    function.__signature__ = signature.replace(
        parameters=[p for p in signature.parameters.values() if p.name not in names])
    return function


# ---------------------------------------------------------------- programs on both libraries


Program = Callable[..., Any]  # program(library, *tensors)


def agree_with_pytorch(program: Program, *arrays: Any, tolerance: float = 1e-9) -> None:
    """Asserts that program(library, *tensors) has the same results, dtypes and gradients with both
    libraries, with NaN in the same places, or raises an error where PyTorch raises one.

    A gradient of None counts as 0, since PyTorch's step functions give either.
    """
    mine, theirs = (outcome(library, program, arrays) for library in (tinytensor, torch))
    if isinstance(theirs, Exception) or isinstance(mine, Exception):
        assert isinstance(mine, Exception) and isinstance(theirs, Exception), \
            f"{mine!r}, PyTorch {theirs!r}"
        return
    for a, b in zip(mine, theirs, strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape, f"{a!r}, PyTorch {b!r}"
        numpy.testing.assert_allclose(a, b, tolerance, tolerance)


def outcome(library: Any, program: Program, arrays: Sequence[Any]) -> list[Any] | Exception:
    """The results and the gradients as arrays, or the error."""
    tensors = [library.tensor(a) for a in arrays]
    leaves = [x.requires_grad_() for x in tensors if x.dtype.is_floating_point]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            results = outputs(program(library, *tensors))
    except Exception as error:
        return error
    roots = differentiable(results)
    if roots:
        sum((r * library.arange(1, r.numel() + 1).reshape(r.shape)).sum() for r in roots).backward()
    gradients = [library.zeros_like(x) if x.grad is None else x.grad for x in leaves]
    return [values(x) for x in (*results, *gradients)]


# ---------------------------------------------------------------- operations without samples

DEVICE_MODULE = sys.modules["tinytensor.arrays.devices"]


def _mutate_base(library: Any, x: Any, v: Any) -> Any:
    y = x.clone()
    view = y[1]
    y.mul_(x)
    return view * v


def _write_through_view(library: Any, x: Any, v: Any) -> Any:
    y = x * 2
    y.t()[0].mul_(3.0)
    y[1] *= v
    return y * x


def _assign(library: Any, x: Any, v: Any) -> Any:
    y = x * x
    y[1:] = v * v
    return y * x


def _to_gpu_and_back(library: Any, x: Any, v: Any) -> Any:
    if library is torch:
        return x * x * v
    there = x.to("cuda" if x.is_cpu else "cpu")
    return (there * there).to(v.device) * v


def _cast(library: Any, x: Any, v: Any) -> Any:
    return (x.to(library.float32) * 2).to(library.float64) * v


def _recomputed(library: Any, x: Any, v: Any) -> Any:
    return library.nn.functional.cross_entropy(x * x, library.tensor([0, 1, 1]),
                                               reduction="none").mean() * v


def _max_pool(library: Any, x: Any, v: Any) -> Any:
    rows = (x * library.tensor([[1.0, 3.0]])).t()[None]
    pooled = library.nn.functional.max_pool1d(rows, 2)
    chosen, _ = library.nn.functional.max_pool1d(rows, 2, return_indices=True)
    return pooled ** 3 * v[0] + chosen ** 2 * v[1]


def _weighted_positives(library: Any, x: Any, v: Any) -> Any:
    """PyTorch does not differentiate by pos_weight, so its program writes out the formula."""
    target = library.tensor([[0.0, 1.0], [1.0, 0.0], [0.5, 0.25]], dtype=library.float64)
    if library is tinytensor:
        return library.nn.functional.binary_cross_entropy_with_logits(x, target, pos_weight=v)
    return ((1 - target) * x + (1 + (v - 1) * target) * library.nn.functional.softplus(-x)).mean()


def _floored(library: Any, x: Any, v: Any) -> Any:
    """PyTorch does not differentiate floor_divide, so its program divides and then calls floor."""
    return (x // v if library is tinytensor else (x / v).floor()) + x * v


PROGRAMS: dict[str, Callable[..., Any]] = {
    "views of a base that changed": _mutate_base,
    "writing through views": _write_through_view,
    "item assignment": _assign,
    "moving": _to_gpu_and_back,
    "another dtype": _cast,
    "a forward that is run again": _recomputed,
    "max pooling": _max_pool,
    "weights of positives": _weighted_positives,
    "rounded quotients": _floored,
    "signs": lambda library, x, v: library.copysign(x, v) * x,
    "memory around a view": lambda library, x, v: (
        (x * v).t().as_strided((2, 2), (2, 1), 1) * x[1:].as_strided((2, 2), (1, 1), 2)
        * x[1].as_strided((), ())),
    "in order": lambda library, x, v: (x.t().contiguous() * x.t()) @ (x * v),
}
# Operations with a rule that no sample runs: the rule needs other strides, or PyTorch lacks the
# derivative. The operations without samples are in NO_SAMPLES (checking/exemptions.py).
ALSO_BY_PROGRAMS = {
    "contiguous": "in order", "copysign": "signs", "floor_divide": "rounded quotients",
    "logit_cross_entropy": "weights of positives", "setitem": "item assignment",
}
# Rules that give a first derivative only, which PyTorch has not at all: by the operation and the
# input, the file whose tests check them.
BY_OTHER_TESTS = {("igamma", "input"): "test_gamma.py", ("igammac", "input"): "test_gamma.py"}
