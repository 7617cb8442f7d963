"""Every kernel on arrays that end, and on arrays that begin, at an unreadable page.

The calls run in another process, which prints the name of each call first. If the process dies, the
last name is that of the faulty call. Results are compared with those of the references.
"""

from __future__ import annotations

import functools
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy

sys.path.insert(0, str(Path(__file__).parent.parent))  # for the modules of the tests

from test_kernels import ENTRIES, SKIPS, samples

import tinytensor
from tests.torture.guarded import guarded
from tinytensor import nn, optim
from tinytensor.arrays.dispatch import KernelSettings, use_kernels
from tinytensor.checking.calls import arguments_of, evaluate
from tinytensor.kernels.cpu import linalg
from tinytensor.kernels.pool import Pool
from tinytensor.ops.samples import S, ints, t

DTYPES = (numpy.float32, numpy.float64)


def in_turn(pool: Any, loop: Any, length: int, *args: Any, align: int = 1, least: int = 1) -> None:
    """Runs the loop in two pieces in this thread."""
    middle = length // 2 // align * align
    for start, stop in ((0, middle), (middle, length)):
        if stop > start:
            loop(start, stop, *args)


def random_samples(rng: random.Random) -> Iterator[tuple[str, S]]:
    """Calls of random sizes."""
    def size(most: int = 70) -> int:
        return rng.choice((1, 2, 3, 7, 8, 9, 31, 32, 33, rng.randint(1, most)))

    n, m, k = size(), size(), size()
    for name in ("relu", "tanh", "sigmoid", "silu", "leaky_relu", "gelu"):
        yield name, S(t(n, m))
    for name in ("softmax", "log_softmax"):
        yield name, S(t(n, m), -1)
    for reduction in ("none", "mean", "sum"):
        yield "label_cross_entropy", S(t(n, m), ints(n, high=m), reduction=reduction)
    yield "linear", S(t(n, m), t(k, m), t(k))
    yield "linear_relu", S(t(n, m), t(k, m), t(k))
    yield "matmul", S(t(n, m), t(m, k))
    yield "standardize", S(t(n, m), t(m), t(m), (1,), 1e-5)
    yield "layer_norm", S(t(n, m), m, t(m), t(m), 1e-5)
    b, heads, q, d = rng.randint(1, 3), rng.randint(1, 3), size(60), size(20)
    yield "attention", S(t(b, heads, q, d), t(b, heads, k, d), t(b, heads, k, m), None, False, 0.3)


def operations(rng: random.Random | None,
               dtypes: Sequence[Any]) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Each kernel on all samples of its operation, or on random ones."""
    by_name = {entry.name: entry for entry in ENTRIES.values()}
    calls = ((entry, sample) for entry in ENTRIES.values() for sample in samples(entry)) \
        if rng is None else ((by_name[name], sample) for name, sample in random_samples(rng)
                             if name in by_name)
    for entry, sample in calls:
        for dtype in dtypes:
            given = arguments_of(sample, entry.name)
            yield (f"{entry.key} {dtype.__name__} {sample}",
                   functools.partial(compared, entry, given, dtype))


def compared(entry: Any, given: Any, dtype: Any) -> None:
    """Raises if the results of the kernel differ from those of the reference."""
    with use_kernels(False):
        expected = evaluate(entry, given, dtype)
    actual = evaluate(entry, given, dtype)
    tolerance = 2e-4 if dtype is numpy.float32 else 1e-10
    for mine, reference in zip(chain(*actual), chain(*expected), strict=True):
        if mine is not None and entry.name not in SKIPS:
            numpy.testing.assert_allclose(
                mine, reference, tolerance, tolerance * numpy.abs(reference).max(initial=1))


def steps() -> Iterator[tuple[str, Callable[[], Any]]]:
    """The kernels of optimizers and of clipping."""
    def train(make: Callable[..., Any], dtype: Any, **options: Any) -> None:
        params = [nn.Parameter(tinytensor.ones(shape, dtype=dtype))
                  for shape in ((7, 31), (1,), (), (0, 3), (129,))]
        optimizer = make(params, lr=0.1, **options)
        for _ in range(2):
            for p in params:
                p.grad = tinytensor.ones(p.shape, dtype=dtype)
            nn.utils.clip_grad_norm_(params, 0.5)
            optimizer.step()
        assert all(bool(p.isfinite().all()) for p in params)

    for make, options in ((optim.SGD, {}), (optim.SGD, {"momentum": 0.9}), (optim.Adam, {}),
                          (optim.Adam, {"amsgrad": True}), (optim.RMSprop, {}),
                          (optim.RMSprop, {"momentum": 0.9, "centered": True})):
        for dtype in (tinytensor.float32, tinytensor.float64):
            yield (f"{make.__name__} {dtype} {options}",
                   functools.partial(train, make, dtype, **options))


def attack(until: float) -> None:
    """Runs all calls with guards on both sides, then random calls until the time `until`.

    If this time is already past, only float32 is used.
    """
    KernelSettings.enabled, KernelSettings.min_work = True, 0
    for name in ("BLAS_THREADS", "BLAS_THREADS_VECTOR", "OUR_THREADS", "OUR_THREADS_VECTOR"):
        setattr(linalg, name, 1)
    tinytensor.set_num_threads(2)
    Pool.split = in_turn  # type: ignore[method-assign, assignment]
    rng, count, rounds = random.Random(0), 0, 0
    dtypes = DTYPES if time.time() < until else DTYPES[:1]
    while not rounds or time.time() < until:
        for at_end in (True, False):
            chosen = None if not rounds else random.Random(rng.random())
            for calls in (operations(chosen, dtypes), steps()):
                for name, call in calls:
                    print("end" if at_end else "begin", name, flush=True)
                    with guarded(at_end):
                        call()
                    count += 1
        rounds += 1
    print(f"{count} calls")


def run(minutes: float) -> int:
    done = subprocess.run(
        [sys.executable, "-m", "tests.torture.guards", str(time.time() + 60 * minutes)],
        capture_output=True, text=True)
    lines = done.stdout.splitlines() or [""]
    if done.returncode:
        print(f"ended with {done.returncode} in: {lines[-1]}\n{done.stderr[-2000:]}")
    else:
        print(f"{lines[-1]} on arrays beside unreadable pages: nothing read or written outside")
    return int(done.returncode != 0)


if __name__ == "__main__":
    attack(float(sys.argv[1]))
