"""Scalar functions used in kernels, against the C library in double precision."""

from __future__ import annotations

import functools
import math

import numpy
import pytest

from tinytensor.kernels import approximations
from tinytensor.kernels.loops import Numba, loop

pytestmark = pytest.mark.skipif(Numba.missing, reason="loops need numba")


@functools.cache
def over(name):
    """A compiled loop that applies the function to each element. It is not cached on disk."""
    function = getattr(approximations, name)

    def elements(x, out):
        for i in range(x.size):
            out[i] = function(x[i])

    made = loop(elements)
    made.compiled = Numba.load().njit(**made.options)(elements)

    def of(x):
        out = numpy.empty_like(x)
        made(x, out)
        return out

    of.compiled = made.compiled
    return of


def sigmoid(x):
    return 0.0 if x < -700 else 1 / (1 + math.exp(-x))


def log(x):
    return math.log(x) if x > 0 else -math.inf if x == 0 else math.nan


def exp(x):
    return math.inf if x > 700 else math.exp(x)


# The function, its reference, and the error allowed in units of the last place.
FUNCTIONS = [("exp", exp, 1), ("tanh", math.tanh, 1.5), ("sigmoid", sigmoid, 2.5),
             ("erf", math.erf, 1.5), ("log", log, 1), ("expm1", math.expm1, 4),
             ("normal_cdf", lambda x: math.erfc(-x * math.sqrt(0.5)) / 2, 5)]


def samples(name):
    """float32 numbers of every magnitude, subnormal ones too, and densely where results vary."""
    with numpy.errstate(all="ignore"):
        bits = numpy.arange(0, 2 ** 32, 65_537, dtype=numpy.uint64).astype(numpy.uint32)
    everywhere = bits.view(numpy.float32)
    edges = numpy.array([0.0, -0.0, 1, -1, numpy.inf, -numpy.inf, numpy.nan, 1e-45, -1e-45, 88.72,
                         88.73, -103.9, -104.1, 3e38, -3e38], numpy.float32)
    dense = numpy.linspace(-2, 14, 40_001) if name == "normal_cdf" \
        else numpy.linspace(-105, 95, 40_001)
    if name == "normal_cdf":  # its relative error grows for very negative numbers
        everywhere = everywhere[~((everywhere < -2) & (everywhere > -15))]
    x = numpy.concatenate([everywhere, edges, dense, dense / 20], dtype=numpy.float32)
    return x[~(x > 0)] if name == "expm1" else x


@pytest.mark.parametrize(("name", "reference", "allowed"), FUNCTIONS, ids=[f[0] for f in FUNCTIONS])
def test_float32_against_double_precision(name, reference, allowed):
    x = samples(name)
    found = over(name)(x)
    expected = numpy.array([reference(float(v)) for v in x])
    with numpy.errstate(over="ignore", invalid="ignore"):
        rounded = expected.astype(numpy.float32)
    finite = numpy.isfinite(rounded)
    numpy.testing.assert_array_equal(found[~finite], rounded[~finite])
    unit = numpy.spacing(numpy.abs(rounded[finite])).astype(float)
    errors = numpy.abs(found[finite] - expected[finite]) / unit
    worst = errors.argmax()
    assert errors[worst] <= allowed, f"{errors[worst]} at {x[finite][worst]!r}"


@pytest.mark.parametrize(("name", "reference", "allowed"), FUNCTIONS, ids=[f[0] for f in FUNCTIONS])
def test_float64_is_the_library_s(name, reference, allowed):
    x = numpy.array([-30.0, -2.5, -1e-9, 0.0, 0.3, 1.0, 17.0, 60.0])
    found = over(name)(x)
    assert found.dtype == numpy.float64
    numpy.testing.assert_allclose(found, [reference(float(v)) for v in x], 1e-15)


@pytest.mark.parametrize(("name", "low", "high"), [
    ("exp", 0, math.inf), ("tanh", -1, 1), ("sigmoid", 0, 1), ("erf", -1, 1),
    ("normal_cdf", 0, 1)])
@pytest.mark.parametrize("dtype", [numpy.float32, numpy.float64])
def test_limits_and_nan(name, low, high, dtype):
    x = numpy.array([-math.inf, math.inf, math.nan], dtype)
    numpy.testing.assert_array_equal(over(name)(x),
                                     numpy.array([low, high, math.nan], dtype))


@pytest.mark.parametrize("name", ["exp", "tanh", "expm1", "sigmoid", "erf", "log"])
def test_they_take_whole_vectors(name):
    """A call that is not inlined prevents vectorisation, and the loop is slower than NumPy."""
    of = over(name)
    of(numpy.ones(8, numpy.float32))
    text = next(t for types, t in of.compiled.inspect_llvm().items() if "float32" in str(types))
    assert "x float>" in text and f"call float @{name}f" not in text
