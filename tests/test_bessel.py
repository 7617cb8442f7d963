"""Bessel functions and functions of the normal distribution, against mpmath and PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
import numpy
import pytest
import torch
from test_gamma import exactly, ours, worst

import tinytensor
from tinytensor import special

RNG = numpy.random.default_rng(0)
VALUES = numpy.concatenate([RNG.uniform(-12, 12, 80), RNG.uniform(-300, 300, 40),
                            10.0 ** RNG.uniform(-12, 2, 20), [0.0, 5.0, 8.0, 28.0]])
# The function of mpmath, the largest error in units of the last place, and the size below which
# the error is absolute: at zeros of the functions that oscillate.
CASES: dict[str, tuple[Callable[[Any], Any], float, float]] = {
    "i0": (lambda x: mpmath.besseli(0, x), 10, 0.0),
    "i0e": (lambda x: mpmath.besseli(0, x) * mpmath.exp(-abs(x)), 10, 0.0),
    "i1": (lambda x: mpmath.besseli(1, x), 10, 0.0),
    "i1e": (lambda x: mpmath.besseli(1, x) * mpmath.exp(-abs(x)), 10, 0.0),
    "bessel_j0": (lambda x: mpmath.besselj(0, x), 10, 1.0),
    "bessel_j1": (lambda x: mpmath.besselj(1, x), 10, 1.0),
    "erfcx": (lambda x: mpmath.exp(x * x) * mpmath.erfc(x), 10, 0.0),
    "log_ndtr": (lambda x: mpmath.log(mpmath.ncdf(x)), 20, 0.0),
    "entr": (lambda x: -x * mpmath.log(x), 2, 1.0),
}


@pytest.mark.parametrize("name", CASES)
def test_values(name: str) -> None:
    exact, bound, floor = CASES[name]
    values = {"entr": numpy.abs(VALUES[VALUES != 0]), "erfcx": VALUES[VALUES > -25],
              "log_ndtr": VALUES[VALUES < 6]}.get(name, VALUES)
    if name in ("i1", "i1e"):
        values = values[values != 0]  # where they are exactly 0
    assert worst(ours(getattr(special, name), values), exactly(exact, values), floor) < bound


@pytest.mark.parametrize("name", [*CASES, "ndtr"])
def test_edges_and_dtypes_are_pytorchs(name: str) -> None:
    for dtype in ("float64", "float32", "float16", "int64"):
        values = numpy.array([-3, 0, 1, 7] if dtype == "int64" else [
            -numpy.inf, -30, -2, -0.0, 0.0, 0.5, 3, 40, numpy.inf, numpy.nan], dtype)
        if name in ("bessel_j0", "bessel_j1", "erfcx", "log_ndtr") and dtype == "float16":
            continue  # PyTorch has none
        mine = getattr(special, name)(tinytensor.tensor(values))
        theirs = getattr(torch.special, name)(torch.tensor(values))
        assert str(mine.dtype).split(".")[1] == str(theirs.dtype).split(".")[1]
        # PyTorch's bessel_j0 and bessel_j1 lack the leading terms of Cephes' denominators: their
        # largest errors are 3.8e-7 and 4.7e-7.
        double = 5e-7 if "bessel" in name else 1e-13
        tolerance = {"float64": double, "float16": 2e-3}.get(dtype, 2e-6)
        numpy.testing.assert_allclose(mine.numpy(), theirs.numpy(), tolerance, tolerance)


def test_xlog1py_where_the_first_is_zero() -> None:
    a, b = numpy.array([0.0, 0.0, 0.0, 1.0, 2.0]), numpy.array([-1.0, -2.0, numpy.nan, -1.0, 0.5])
    numpy.testing.assert_allclose(
        special.xlog1py(tinytensor.tensor(a), tinytensor.tensor(b)).numpy(),
        torch.special.xlog1py(torch.tensor(a), torch.tensor(b)).numpy())
