"""The gamma function's family against mpmath, and where it has them against PyTorch's edges."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import mpmath
import numpy
import pytest
import torch
from operations import in_turn

import tinytensor

EPS = 2.0**-52
RNG = numpy.random.default_rng(0)
POSITIVE = numpy.concatenate([
    RNG.uniform(1e-8, 0.5, 30), RNG.uniform(0.5, 3, 60), 1 + RNG.uniform(-1e-3, 1e-3, 20),
    2 + RNG.uniform(-1e-3, 1e-3, 20), 1.4616321449683622 + RNG.uniform(-1e-6, 1e-6, 10),
    RNG.uniform(3, 20, 40), 10.0 ** RNG.uniform(1, 8, 30), 10.0 ** RNG.uniform(-15, -8, 10)])
NEGATIVE = -RNG.uniform(0.01, 30, 60)


def worst(got: Any, exact: list[Any], floor: float = 0.0) -> float:
    """The largest error, in units of EPS of the exact result, or of `floor` if that is larger."""
    return max(float(abs(mpmath.mpf(float(a)) - b) / max(abs(b), floor) / EPS)
               for a, b in zip(got, exact, strict=True))


def exactly(function: Callable[[Any], Any], values: Any) -> list[Any]:
    with mpmath.workdps(40):
        return [function(mpmath.mpf(float(x))) for x in values]


def ours(function: Callable[..., Any], *values: Any) -> Any:
    return function(*(tinytensor.tensor(v) for v in values)).numpy()


def test_lgamma_and_digamma() -> None:
    assert worst(ours(tinytensor.lgamma, POSITIVE),
                 exactly(lambda x: mpmath.loggamma(x).real, POSITIVE)) < 5
    assert worst(ours(tinytensor.digamma, POSITIVE), exactly(mpmath.digamma, POSITIVE)) < 5
    assert worst(ours(tinytensor.lgamma, NEGATIVE), exactly(
        lambda x: mpmath.log(abs(mpmath.gamma(x))), NEGATIVE), 1.0) < 10
    assert worst(ours(tinytensor.digamma, NEGATIVE), exactly(mpmath.digamma, NEGATIVE), 1.0) < 10


@in_turn("n", (1, 2, 3, 6, 10))
def test_polygamma(n: int) -> None:
    values = POSITIVE[POSITIVE > 1e-10]
    assert worst(ours(lambda x: tinytensor.polygamma(n, x), values),
                 exactly(lambda x: mpmath.psi(n, x), values)) < 50
    values = NEGATIVE[NEGATIVE > -8]
    exact = exactly(lambda x: mpmath.psi(n, x), values)
    assert worst(ours(lambda x: x.polygamma(n), values), exact, 1.0) < 50


def test_polygamma_of_infinity() -> None:
    x = tinytensor.tensor([math.inf])
    assert [float(tinytensor.polygamma(n, x)) for n in (1, 2, 3)] == [0, 0, 0]


def test_igamma_and_igammac() -> None:
    a = numpy.concatenate([10.0 ** RNG.uniform(-3, 4, 60), 10.0 ** RNG.uniform(0, 3, 60),
                           10.0 ** RNG.uniform(-10, 0, 30)])
    x = numpy.concatenate([10.0 ** RNG.uniform(-3, 4, 60), (
        a[60:120] * (1 + RNG.uniform(-5, 5, 60) / numpy.sqrt(a[60:120]))).clip(0.01),
        10.0 ** RNG.uniform(-4, 0.3, 30)])
    p, q = ours(tinytensor.igamma, a, x), ours(tinytensor.igammac, a, x)
    with mpmath.workdps(50):
        for i, (s, z) in enumerate(zip(a, x, strict=True)):
            s, z = mpmath.mpf(float(s)), mpmath.mpf(float(z))
            for got, limits in ((p[i], (0, z)), (q[i], (z, mpmath.inf))):
                exact = mpmath.gammainc(s, *limits, regularized=True)
                if exact > 1e-290:
                    assert worst([got], [exact]) < 5000, (s, z)


def test_the_gradient_of_igamma_by_its_first_argument() -> None:
    a = tinytensor.tensor([0.1, 0.7, 2.0, 3.0, 20.0, 90.0, 90.0, 400.0]).double()
    x = tinytensor.tensor([0.5, 0.3, 1.0, 9.0, 15.0, 80.0, 99.0, 402.0]).double()
    for function, sign in ((tinytensor.igamma, 1), (tinytensor.igammac, -1)):
        leaf = a.clone().requires_grad_()
        function(leaf, x).sum().backward()
        with mpmath.workdps(40):
            exact = [sign * mpmath.diff(lambda s, z=z: mpmath.gammainc(
                s, 0, mpmath.mpf(z), regularized=True), mpmath.mpf(s))
                for s, z in zip(a.tolist(), x.tolist(), strict=True)]
        assert worst(leaf.grad.numpy(), exact) < 1e6  # 2e-10
    with pytest.raises(NotImplementedError, match="can be taken once"):
        tinytensor.autograd.grad(tinytensor.igamma(leaf, x).sum(), leaf, create_graph=True)


@in_turn("name, values", [
    ("lgamma", [0.0, -0.0, -1.0, -7.0, math.inf, -math.inf, math.nan, 1.0, 2.0, 1e300, 1e-300]),
    ("digamma", [0.0, -0.0, -1.0, -7.0, math.inf, math.nan, 1e300, 1e-300])])
def test_edges(name: str, values: list[float]) -> None:
    for dtype in ("float64", "float32"):
        given = [v for v in values if dtype == "float64" or not 0 < abs(v) < 1e-40]
        got, expected = (getattr(m, name)(m.tensor(given, dtype=getattr(m, dtype)))
                         for m in (tinytensor, torch))
        numpy.testing.assert_allclose(got.numpy(), expected.numpy(), rtol=1e-6)


def test_edges_of_igamma() -> None:
    for function in ("igamma", "igammac"):
        a = [0.0, 0.0, 1.0, 1.0, math.inf, 2.0, -1.0, 1.0, math.nan, -math.inf, 1.0]
        x = [0.0, 1.0, 0.0, math.inf, 1.0, 3.0, 1.0, -1.0, 1.0, 1.0, -math.inf]
        got, expected = (getattr(m, function)(m.tensor(a), m.tensor(x))
                         for m in (tinytensor, torch))
        numpy.testing.assert_allclose(got.numpy(), expected.numpy(), rtol=1e-6)


def test_names_and_dtypes() -> None:
    x = tinytensor.tensor([0.5, 3.0])
    special = tinytensor.special
    assert (special.gammaln(x) == x.lgamma()).all() and (special.psi(x) == x.digamma()).all()
    assert (special.gammainc(x, x) + special.gammaincc(x, x) - 1).abs().max() < 1e-6
    assert tinytensor.lgamma(tinytensor.arange(1, 5)).dtype is tinytensor.float32
    assert tinytensor.lgamma(x.half()).dtype is tinytensor.float16
    with pytest.raises(RuntimeError, match="n must not be negative, got -1"):
        tinytensor.polygamma(-1, x)
    with pytest.raises(RuntimeError, match="p must be at least 1"):
        x.mvlgamma(0)
