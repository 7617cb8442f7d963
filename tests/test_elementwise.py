"""Elementwise functions at their edges: zeros, infinities, NaN, borders, ties, integer dtypes.

The samples of the table avoid these inputs. This file applies every function to them and compares
values and derivatives with PyTorch's.
"""

from __future__ import annotations

import inspect
import itertools
import math
from math import inf, nan
from typing import Any

import numpy
import pytest
import torch
from operations import agree_with_pytorch, in_turn

import tinytensor
from tinytensor.autograd.table import TABLE, Entry
from tinytensor.checking.calls import outputs, reference, values
from tinytensor.ops.samples import TensorSample

FAMILIES = ("elementwise", "special", "activation", "compare")
EDGES = [0.0, -0.0, inf, -inf, nan, 1000.0, -1000.0, 1.0, -1.0, 0.5, -0.5, 3.0, -3.0, 6.0, 20.0,
         25.0, -25.0, 0.1, 0.9, 1.5, -7.5]
EXTREMES = {numpy.float64: [1e-300, -1e-300, 5e-324, 1e300, -1e300],
            numpy.float32: [1e-38, -1e-38, 1e-45, 1e38, -1e38]}
FLOATS = [numpy.float64, numpy.float32]
INTEGERS = [numpy.bool_, numpy.uint8, numpy.int8, numpy.int16, numpy.int32, numpy.int64]
dtypes = in_turn("dtype", FLOATS)


def family(entry: Entry) -> str:
    return entry.module.rpartition(".")[2]


def takes(entry: Entry, count: int) -> bool:
    """Whether some sample consists of exactly `count` Tensors."""
    return any(len(s.args) == count and not s.kwargs
               and all(isinstance(a, TensorSample) for a in s.args)
               and s.args[0].kind == "float" for s in entry.samples)


def is_of_pytorch(entry: Entry) -> bool:
    """Whether PyTorch has the operation. A `reference=` function is not reliable at the edges."""
    return isinstance(entry.reference, str) or any(
        hasattr(place, entry.name) for place in (torch, torch.nn.functional, torch.Tensor))


def entries(count: int) -> Any:
    chosen = {key: e for key, e in TABLE.items() if family(e) in FAMILIES and takes(e, count)
              and not e.internal and e.name != "glu" and is_of_pytorch(e)}
    return pytest.mark.parametrize("entry", chosen.values(), ids=list(chosen))


def run(library: Any, function: Any, *arrays: Any, seed: float = 1.0) -> tuple[Any, list[Any]]:
    """The result and its gradient by each array or None. `seed` fills the result's gradient."""
    tensors = [library.tensor(a) for a in arrays]
    for x in tensors:
        x.requires_grad_(x.dtype.is_floating_point)
    result, = outputs(function(*tensors))
    if not result.requires_grad:
        return values(result), [None] * len(tensors)
    given = library.full_like(result, seed)
    found = library.autograd.grad(result, tensors, given, allow_unused=True)
    zero = library.zeros_like(result)  # PyTorch's gradient of a step has no memory
    return values(result), [None if g is None else values(g + zero.sum()) for g in found]


def agree(mine: Any, theirs: Any, tolerance: float, at: Any, what: str,
          floor: float = 0.0) -> None:
    """Asserts equality within a relative tolerance, with NaN and infinities in the same places.

    `floor` is the absolute tolerance, for functions that subtract numbers near 1.
    """
    assert mine.dtype == theirs.dtype, f"{what}: {mine.dtype}, PyTorch {theirs.dtype}"
    assert mine.shape == theirs.shape
    tiny = numpy.finfo(mine.dtype).tiny if mine.dtype.kind == "f" else 0
    at = numpy.broadcast_to(at, mine.shape).ravel() if isinstance(at, numpy.ndarray) else at
    equal = numpy.isclose(mine, theirs, tolerance, floor or tiny, equal_nan=True)
    wrong = [f"at {place}: {a}, PyTorch {b}" for place, a, b, e in
             zip(at, mine.ravel(), theirs.ravel(), equal.ravel(), strict=True) if not e]
    assert not wrong, f"{what}: " + "; ".join(wrong)


# Functions that subtract a number close to 1 from 1, and so lose digits in both libraries.
CANCELS = ("tanh", "sigmoid", "gelu", "logaddexp2")

# Inputs at which PyTorch is not the reference, and why.
APART: dict[tuple[str, str], list[float]] = {
    ("elu", "gradient"): [nan],  # NaN in float64; its vectorised float32 passes the gradient on
    ("selu", "gradient"): [nan],
    ("celu", "gradient"): [nan],
    ("gelu", "value"): [inf],  # inf in float64, NaN in its vectorised float32
    ("logit", "gradient"): [-0.0],  # -inf in float64, inf in its vectorised float32
    ("hardswish", "value"): [1e38],  # overflows in PyTorch
    ("hardswish", "gradient"): [nan],  # as for elu
}


@entries(1)
@dtypes
def test_at_the_edges(entry, dtype):
    points = numpy.array(EDGES + EXTREMES[dtype], dtype)
    tolerance = 4e-14 if dtype is numpy.float64 else 3e-6
    mine, my_slopes = run(tinytensor, entry.function, points)
    theirs, their_slopes = run(torch, reference(entry), points)
    for what, a, b in (("value", mine, theirs), ("gradient", my_slopes[0], their_slopes[0])):
        if b is None:
            assert a is None or not a.any(), "PyTorch has no gradient"
            continue
        used = ~numpy.isin(points, numpy.array(APART.get((entry.name, what), []), dtype))
        if nan in APART.get((entry.name, what), []):
            used &= points == points
        floor = 4 * numpy.finfo(dtype).eps if entry.name in CANCELS else 0.0
        agree(a[used], b[used], tolerance, points[used], what, floor)


@entries(1)
@in_turn("seed", [inf, -inf])
def test_at_the_edges_of_an_infinite_gradient(entry, seed):
    """An infinite gradient, as from sqrt at 0, becomes 0 where the function is constant."""
    points = numpy.array([x for x in EDGES if x == x])
    _, (mine,) = run(tinytensor, entry.function, points, seed=seed)
    _, (theirs,) = run(torch, reference(entry), points, seed=seed)
    if theirs is None:
        pytest.skip("PyTorch has no gradient")
    agree(mine, theirs, 0.0, points, "gradient")


PLACES = [0.0, -0.0, 1.0, -1.0, 2.5, -2.5, 3.0, inf, -inf, nan]


@entries(2)
@dtypes
def test_of_two_at_the_edges(entry, dtype):
    if entry.name in ("prelu", "isclose", "allclose", "equal"):
        pytest.skip("not a function of two elements, each by itself")
    pairs = list(itertools.product(PLACES, PLACES))
    a, b = numpy.array(pairs, dtype).T.copy()
    tolerance = 1e-13 if dtype is numpy.float64 else 3e-6
    stepwise = entry.name in ("floor_divide", "heaviside")  # PyTorch gives them no derivative
    function = reference(entry)

    def judge(x, y):
        return function(x.detach(), y.detach()) if stepwise else function(x, y)

    mine, my_slopes = run(tinytensor, entry.function, a, b)
    theirs, their_slopes = run(torch, judge, a, b)
    floor = numpy.finfo(dtype).eps if entry.name in CANCELS else 0.0
    agree(mine, theirs, tolerance, pairs, "value", floor)
    for i, (x, y) in enumerate(zip(my_slopes, their_slopes, strict=True)):
        if y is None:
            assert x is None or not x.any()
        else:
            agree(x, y, tolerance, pairs, f"gradient {i}")


@entries(1)
@in_turn("dtype", INTEGERS)
def test_of_integers(entry, dtype):
    """The dtype and values equal PyTorch's, or both libraries raise an error."""
    array = numpy.array([0, 1, 1, 0] if dtype is numpy.bool_ else [0, 1, 2, 5], dtype)
    judge = getattr(torch.nn.functional, entry.name) if entry.home else reference(entry)
    try:
        expected = judge(torch.tensor(array))
    except RuntimeError:
        with pytest.raises(RuntimeError, match=r"bool|floating|negative|dtype"):
            entry.function(tinytensor.tensor(array))
        return
    result = entry.function(tinytensor.tensor(array))
    if result is None or isinstance(result, bool):
        assert result == expected
        return
    agree(values(result), values(expected), 1e-5, array, "value")


INPLACE = {e.name: e for e in TABLE.values()
           if e.inplace and e.method and family(e) in FAMILIES and takes(e, 1)}


@pytest.mark.parametrize("name", INPLACE)
@in_turn("dtype", [*INTEGERS, *FLOATS])
def test_in_place_as_pytorch(name, dtype):
    """The result is written into the Tensor, or refused if its dtype cannot hold the result."""
    array = numpy.array([0, 1, 1], dtype)
    x, y = tinytensor.tensor(array), torch.tensor(array)
    if not hasattr(y, f"{name}_"):
        pytest.skip("PyTorch has no such method")
    try:
        getattr(y, f"{name}_")()
    except RuntimeError:
        with pytest.raises(RuntimeError, match=name):
            getattr(x, f"{name}_")()
        numpy.testing.assert_array_equal(values(x), array)
        return
    assert getattr(x, f"{name}_")() is x
    agree(values(x), values(y), 1e-5, array, "value")


@in_turn("name", [e.name for e in TABLE.values() if e.inplace
                  and family(e) in FAMILIES and (takes(e, 1) or takes(e, 2))])
def test_in_place_keeps_the_gradients(name):
    entry = next(e for e in TABLE.values() if e.name == name and family(e) in FAMILIES)
    integers = name.startswith("bitwise") or name in ("logical_not", "logical_and")
    if integers:
        pytest.skip("no gradients")
    points = [numpy.array([0.3, 0.7, 0.9]), numpy.array([0.4, 1.2, 0.8])][:1 if takes(entry, 1)
                                                                          else 2]
    def out_of_place(x, *rest):
        return getattr(x * 1.5, name)(*rest) * x

    def in_place(x, *rest):
        y = x * 1.5
        assert getattr(y, f"{name}_")(*rest) is y
        return y * x

    expected, slopes = run(tinytensor, out_of_place, *points)
    if expected.dtype.kind == "b":
        return
    found, found_slopes = run(tinytensor, in_place, *points)
    numpy.testing.assert_array_equal(found, expected)
    for a, b in zip(found_slopes, slopes, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            numpy.testing.assert_allclose(a, b, 1e-14)


# ---------------------------------------------------------------- arithmetic


@pytest.mark.parametrize("exponent", [-2, -1.0, -0.5, 0, 0.0, 0.5, 1, 1.5, 2, 3, inf, nan])
@pytest.mark.parametrize("as_tensor", [False, True], ids=["number", "tensor"])
def test_pow_at_zero_to_second_order(exponent, as_tensor):
    points = numpy.array([0.0, -0.0, 1.0, 2.0, -2.0])
    found = []
    for library in (tinytensor, torch):
        x = library.tensor(points, requires_grad=True)
        power = library.full((5,), float(exponent), dtype=library.float64) if as_tensor \
            else exponent
        y = x ** power
        first, = library.autograd.grad(y.sum(), x, create_graph=True)
        second = None
        if first.requires_grad:
            second, = library.autograd.grad(first.sum(), x, allow_unused=True)
        found.append([values(y), values(first + library.zeros_like(x)),
                      numpy.zeros(5) if second is None else values(second)])
    # PyTorch uses sqrt for exponents like 0.5 and 1.5. Its sign at -0.0 is not that of C's pow.
    used = ~(numpy.signbit(points) & (points == 0)) | as_tensor | (exponent % 1 == 0)
    for what, a, b in zip(("value", "first", "second"), *found, strict=True):
        agree(a[used], b[used], 1e-13, points[used], what)


@pytest.mark.parametrize("base", [0.0, 0, 2, 2.5, -2.0, 1.0])
def test_number_to_the_power_of_a_tensor(base):
    points = numpy.array([-2.0, -1.0, 0.0, 0.5, 1.0, 2.0, inf])
    mine, slopes = run(tinytensor, lambda y: base ** y, points)
    theirs, their_slopes = run(torch, lambda y: base ** y, points)
    agree(mine, theirs, 1e-13, points, "value")
    agree(slopes[0], their_slopes[0], 1e-13, points, "gradient")


@in_turn("dtype", INTEGERS[1:])
@pytest.mark.parametrize("function", ["floor_divide", "remainder", "fmod", "pow", "div_trunc",
                                      "div_floor", "bitwise_left_shift", "bitwise_right_shift"])
def test_integers_of_every_sign(function, dtype):
    signs = [1, -1] if numpy.dtype(dtype).kind == "i" else [1]
    a, b = numpy.array([(s * x, u * y) for x in (0, 1, 5, 7) for y in (1, 2, 3, 70)
                        for s in signs for u in signs], dtype).T.copy()
    if function == "pow":
        b = numpy.clip(b, -3, 3)

    def call(library):
        x, y = library.tensor(a), library.tensor(b)
        if function.startswith("div"):
            return library.div(x, y, rounding_mode=function[4:])
        return getattr(library, function)(x, y)

    agree(values(call(tinytensor)), values(call(torch)), 0, zip(a, b, strict=True), function)


ERRORS = [
    lambda t: -t.tensor([True]),
    lambda t: +t.tensor([True]),
    lambda t: abs(t.tensor([True])),
    lambda t: t.tensor([True]) - t.tensor([True]),
    lambda t: t.tensor([True]) // t.tensor([True]),
    lambda t: t.tensor([True]) ** t.tensor([True]),
    lambda t: t.tensor([True]) << t.tensor([True]),
    lambda t: t.tensor([1]) // 0,
    lambda t: t.tensor([1, 2]) % t.tensor([1, 0]),
    lambda t: 5 // t.tensor([0]),
    lambda t: t.fmod(t.tensor([1]), 0),
    lambda t: t.div(t.tensor([7]), t.tensor([0]), rounding_mode="trunc"),
    lambda t: t.div(t.tensor([7.0]), 2, rounding_mode="up"),
    lambda t: t.tensor([2]) ** -1,
    lambda t: t.add(t.tensor([1]), t.tensor([1]), alpha=0.5),
    lambda t: t.sub(t.tensor([1]), t.tensor([1]), alpha=0.5),
    lambda t: t.tensor([1.0]) & t.tensor([1.0]),
    lambda t: t.tensor([1.0]) << 2,
    lambda t: t.clamp(t.tensor([1.0])),
    lambda t: t.round(t.tensor([15]), decimals=-1),
    lambda t: t.lerp(t.tensor([1]), t.tensor([2]), 0.5),
    lambda t: t.lerp(t.tensor([1.0]), t.tensor([2.0], dtype=t.float64), 0.5),
    lambda t: t.addcdiv(t.tensor([1]), t.tensor([2]), t.tensor([2])),
    lambda t: t.addcmul(t.tensor([1]), t.tensor([2]), t.tensor([2]), value=0.5)
    if t is tinytensor else (_ for _ in ()).throw(RuntimeError),  # PyTorch rounds value to 0
    lambda t: t.heaviside(t.tensor([1.0]), t.tensor([1])),
    lambda t: t.isclose(t.tensor([1]), t.tensor([1.0])),
    lambda t: t.isclose(t.tensor([1.0]), t.tensor([1.0]), rtol=-1.0),
    lambda t: t.hypot(t.tensor([3]), t.tensor([4])),
    lambda t: t.tensor([1]).add_(2.5),
    lambda t: t.tensor([1]).div_(2),
    lambda t: t.tensor([1]).sqrt_(),
    lambda t: t.tensor([True]).add_(1),
    lambda t: t.nn.functional.gelu(t.tensor([1.0]), approximate="exact"),
    lambda t: t.nn.functional.softshrink(t.tensor([1.0]), -1.0),
    lambda t: t.nn.functional.glu(t.ones(3)),
    lambda t: t.celu(t.tensor([1.0]), 0.0),
    lambda t: t.prelu(t.ones(2, 3), t.ones(2)),
    lambda t: t.softmax(t.tensor([1, 2]), 0),
    lambda t: t.nn.functional.hardtanh(t.tensor([1], dtype=t.uint8)),
    lambda t: t.nn.functional.elu(t.tensor([1.0], requires_grad=True), inplace=True),
]


@in_turn("program", ERRORS)
def test_errors_as_pytorch(program):
    with pytest.raises(RuntimeError):
        program(torch)
    with pytest.raises(RuntimeError, match=r"^\w+: .* .*"):
        program(tinytensor)


def test_hardtanh_refuses_bounds_in_the_wrong_order():
    with pytest.raises(ValueError, match="greater"):
        tinytensor.nn.functional.hardtanh(tinytensor.tensor([1.0]), 1.0, -1.0)


@pytest.mark.parametrize("bounds", [(-1.0, 1.0), (None, 1.0), (-1.0, None), (1.0, -1.0),
                                    (nan, 1.0), (-inf, inf)])
def test_clamp_at_its_bounds(bounds):
    points = numpy.array([*EDGES])
    for convert in (lambda library, b: b,
                    lambda library, b: None if b is None else library.full((len(points),), b,
                                                                           dtype=library.float64)):
        mine, slopes = run(tinytensor, lambda x, c=convert: x.clamp(
            *(c(tinytensor, b) for b in bounds)), points)
        theirs, their_slopes = run(torch, lambda x, c=convert: x.clamp(
            *(c(torch, b) for b in bounds)), points)
        agree(mine, theirs, 0, points, "value")
        agree(slopes[0], their_slopes[0], 0, points, "gradient")


def test_clamp_gives_gradients_to_bounds_as_pytorch():
    x, low, high = (numpy.array(v) for v in zip(*itertools.product(
        (0.0, 1.0, 2.0, 3.0), (0.0, 1.0, 2.0), (0.0, 1.0, 2.0)), strict=True))
    places = list(zip(x, low, high, strict=True))
    _, mine = run(tinytensor, tinytensor.clamp, x, low, high)
    _, theirs = run(torch, torch.clamp, x, low, high)
    for name, a, b in zip(("input", "min", "max"), mine, theirs, strict=True):
        agree(a, b, 0, places, name)


@pytest.mark.parametrize("eps", [None, 0.1, 0.0])
def test_logit_at_its_borders(eps):
    points = numpy.array([*EDGES, 0.05, 0.95, 0.3])
    mine, slopes = run(tinytensor, lambda x: tinytensor.logit(x, eps), points)
    theirs, their_slopes = run(torch, lambda x: torch.logit(x, eps), points)
    agree(mine, theirs, 1e-14, points, "value")
    agree(slopes[0], their_slopes[0], 1e-14, points, "gradient")


@pytest.mark.parametrize("weight", [0.0, 0.3, 0.5, 1.0])
def test_lerp_is_exact_at_both_ends(weight):
    a, b = numpy.array([1e20, 1.0, -3.0]), numpy.array([1.0, 1e20, 3.0])
    for convert in (lambda library: weight,
                    lambda library: library.tensor(weight, dtype=library.float64)):
        mine, _ = run(tinytensor, lambda x, y, c=convert: x.lerp(y, c(tinytensor)), a, b)
        theirs, _ = run(torch, lambda x, y, c=convert: x.lerp(y, c(torch)), a, b)
        agree(mine, theirs, 0, zip(a, b, strict=True), "value")


@pytest.mark.parametrize("arguments", [{}, {"nan": 1.0}, {"posinf": 2.0, "neginf": -3.0}])
@dtypes
def test_nan_to_num(arguments, dtype):
    points = numpy.array(EDGES, dtype)
    mine, slopes = run(tinytensor, lambda x: x.nan_to_num(**arguments), points)
    theirs, their_slopes = run(torch, lambda x: x.nan_to_num(**arguments), points)
    agree(mine, theirs, 0, points, "value")
    agree(slopes[0], their_slopes[0], 0, points, "gradient")


@pytest.mark.parametrize("equal_nan", [False, True])
def test_isclose(equal_nan):
    a, b = numpy.array(list(itertools.product([0.0, 1.0, 1.001, inf, -inf, nan], repeat=2))).T
    for tolerances in ((1e-5, 1e-8), (0.1, 0.0), (inf, 0.0), (0.0, inf)):
        mine = tinytensor.isclose(tinytensor.tensor(a), tinytensor.tensor(b), *tolerances,
                                  equal_nan)
        theirs = torch.isclose(torch.tensor(a), torch.tensor(b), *tolerances, equal_nan)
        numpy.testing.assert_array_equal(values(mine), values(theirs))


def test_isclose_of_unsigned_integers_does_not_wrap_around():
    a, b = tinytensor.tensor([1], dtype=tinytensor.uint8), tinytensor.tensor(
        [2], dtype=tinytensor.uint8)
    assert not tinytensor.isclose(a, b).item()
    assert tinytensor.isclose(a, b, rtol=0.5).item()
    assert tinytensor.equal(a, tinytensor.tensor([1.0]))


# ---------------------------------------------------------------- the error functions


def farthest(found: Any, exact: list[float]) -> float:
    """The largest relative error."""
    reference = numpy.array(exact)
    nonzero = numpy.where(reference == 0, 1, reference)
    return float(numpy.max(numpy.abs((values(found).astype(float) - reference) / nonzero)))


@pytest.mark.parametrize(("dtype", "tolerance"), [(numpy.float64, 1e-15), (numpy.float32, 5e-7)])
def test_erf_is_right_to_the_last_digits(dtype, tolerance):
    points = numpy.concatenate([numpy.linspace(-7, 7, 3001), numpy.logspace(-30, -1, 99)])
    x = tinytensor.tensor(points.astype(dtype))
    assert x.erf().dtype is x.dtype
    assert farthest(x.erf(), [math.erf(v) for v in x.tolist()]) < tolerance


@pytest.mark.parametrize(("dtype", "end", "tolerance"), [(numpy.float64, 26.0, 3e-15),
                                                         (numpy.float32, 9.0, 2e-6)])
def test_erfc_is_right_where_it_is_tiny(dtype, end, tolerance):
    x = tinytensor.tensor(numpy.linspace(-6, end, 3001).astype(dtype))
    assert farthest(x.erfc(), [math.erfc(v) for v in x.tolist()]) < tolerance


def test_erfinv_is_right_near_zero_and_near_one():
    points = numpy.concatenate([numpy.linspace(-0.99, 0.99, 99), numpy.logspace(-300, -1, 99),
                                1 - numpy.logspace(-15, -2, 99)])
    found = tinytensor.tensor(points).erfinv()
    assert farthest(found, torch.tensor(points).erfinv().tolist()) < 2e-15


def test_erf_in_pieces_equals_erf_at_once():
    points = numpy.linspace(-5, 5, 70_000).reshape(7, 100, 100)
    whole = values(tinytensor.tensor(points[::2, :, ::3]).erf())
    for i, piece in enumerate(points[::2, :, ::3]):
        numpy.testing.assert_array_equal(whole[i], values(tinytensor.tensor(piece).erf()))


# ---------------------------------------------------------------- activations


F = tinytensor.nn.functional
WITH_INPLACE = [key for key, e in TABLE.items() if family(e) == "activation"
                and "inplace" in inspect.signature(e.function).parameters]


@pytest.mark.parametrize("key", WITH_INPLACE)
def test_inplace_writes_into_the_input(key):
    function = TABLE[key].function
    parameters = {"threshold": (0.5, 3.0)}.get(TABLE[key].name, ())
    points = numpy.array([-2.5, -0.3, 0.4, 1.7, 4.0])

    def in_place(x):
        y = x * 1.0
        assert function(y, *parameters, inplace=True) is y
        return y

    expected, slopes = run(tinytensor, lambda x: function(x * 1.0, *parameters), points)
    found, found_slopes = run(tinytensor, in_place, points)
    numpy.testing.assert_array_equal(found, expected)
    numpy.testing.assert_array_equal(found_slopes[0], slopes[0])
    positional = list(inspect.signature(function).parameters).index("inplace")
    y = tinytensor.tensor(points)
    defaults = [p.default for p in inspect.signature(function).parameters.values()]
    assert function(y, *(parameters or defaults[1:positional]), True) is y
    numpy.testing.assert_array_equal(values(y), expected)


@pytest.mark.parametrize("function", ["softmax", "log_softmax", "softmin"])
@pytest.mark.parametrize("row", [[1000.0, 0.0, -1000.0], [-inf, 0.0, 1.0], [-inf, -inf, -inf],
                                 [inf, 0.0, 1.0], [nan, 0.0, 1.0], [1e300, -1e300, 0.0]], ids=str)
def test_softmax_at_the_edges(function, row):
    points = numpy.array([row, [0.0, 1.0, 2.0]])
    mine, slopes = run(tinytensor, lambda x: getattr(F, function)(x, dim=1)[..., 0], points)
    theirs, their_slopes = run(torch, lambda x: getattr(torch.nn.functional, function)(
        x, dim=1)[..., 0], points)
    agree(mine, theirs, 1e-14, points[:, 0], "value")
    agree(slopes[0], their_slopes[0], 1e-14, points, "gradient")


def test_softplus_and_gelu_with_every_parameter():
    points = numpy.array(EDGES)
    for arguments in ((2.0,), (0.5, 5.0), (3.0, -1.0)):
        mine, slopes = run(tinytensor, lambda x, a=arguments: F.softplus(x, *a), points)
        theirs, their_slopes = run(
            torch, lambda x, a=arguments: torch.nn.functional.softplus(x, *a), points)
        agree(mine, theirs, 1e-14, points, "softplus")
        agree(slopes[0], their_slopes[0], 1e-14, points, "gradient of softplus")
    mine, slopes = run(tinytensor, lambda x: F.gelu(x, approximate="tanh"), points)
    theirs, their_slopes = run(torch, lambda x: torch.nn.functional.gelu(x, approximate="tanh"),
                               points)
    agree(mine, theirs, 1e-12, points, "gelu")
    assert F.gelu(tinytensor.tensor(1.0)).item() == pytest.approx(0.8413447460685429, 1e-6)
    agree(slopes[0], their_slopes[0], 1e-12, points, "gradient of gelu")


def test_prelu_at_zero_and_infinity():
    points = numpy.array([[0.0, -0.0, 1.0], [inf, -1.0, nan]])
    for weight in (numpy.array([0.25]), numpy.array([0.25, 0.5, -1.0])):
        mine, slopes = run(tinytensor, F.prelu, points, weight)
        theirs, their_slopes = run(torch, torch.nn.functional.prelu, points, weight)
        agree(mine, theirs, 0, points, "value")
        agree(slopes[0], their_slopes[0], 0, points, "gradient")
        agree(slopes[1], their_slopes[1], 0, weight, "gradient of the weight")


def test_rrelu_draws_its_slopes_in_training():
    points = numpy.concatenate([numpy.full(1000, -2.0), [3.0, 0.5]])
    tinytensor.manual_seed(1)
    found, slopes = run(tinytensor, lambda x: F.rrelu(x, 0.1, 0.4, training=True), points)
    tinytensor.manual_seed(1)
    again, _ = run(tinytensor, lambda x: F.rrelu(x, 0.1, 0.4, training=True), points)
    numpy.testing.assert_array_equal(found, again)
    numpy.testing.assert_array_equal(found[-2:], points[-2:])
    drawn = found[:1000] / -2
    assert drawn.min() >= 0.1 and drawn.max() <= 0.4
    assert abs(drawn.mean() - 0.25) < 0.01 and drawn.std() > 0.08
    numpy.testing.assert_allclose(slopes[0], found / points)


def test_gumbel_softmax_draws_classes_by_their_probability():
    tinytensor.manual_seed(2)
    probabilities = numpy.array([0.1, 0.2, 0.7])
    logits = tinytensor.tensor(numpy.log(probabilities)).expand(20_000, 3).clone()
    soft = values(F.gumbel_softmax(logits, tau=0.5))
    numpy.testing.assert_allclose(soft.sum(1), 1)
    counts = numpy.bincount(soft.argmax(1), minlength=3) / 20_000
    numpy.testing.assert_allclose(counts, probabilities, atol=0.015)


def test_hard_gumbel_softmax_is_one_hot_with_the_gradient_of_the_soft_draw():
    logits = numpy.array([[0.5, -1.0, 2.0], [0.0, 0.3, 0.1]])
    weights = tinytensor.tensor([[1.0, 2.0, 3.0], [3.0, 1.0, 2.0]], dtype=tinytensor.float64)
    found = []
    for hard in (False, True):
        tinytensor.manual_seed(3)
        found.append(run(tinytensor, lambda x, h=hard: (
            F.gumbel_softmax(x, 2.0, h, dim=1) * weights).sum(), logits))
    tinytensor.manual_seed(3)
    one_hot = values(F.gumbel_softmax(tinytensor.tensor(logits), 2.0, True, dim=1))
    numpy.testing.assert_allclose(numpy.sort(one_hot, 1), [[0, 0, 1], [0, 0, 1]], atol=1e-15)
    assert found[0][0] != found[1][0]
    numpy.testing.assert_allclose(found[0][1][0], found[1][1][0], rtol=1e-12)


# ---------------------------------------------------------------- integers and bool


POWERS = [True, False, 0, 1, 2, -1, -3, 127, 128, -128, -129, 255, 256, 300, 2 ** 40, 2.0, 0.5]


@pytest.mark.parametrize("dtype", INTEGERS)
def test_powers_that_are_no_integers(dtype):
    """Negative exponents are refused, and exponents that do not fit the dtype of the base."""
    base = numpy.array([0, 3, 1], dtype)
    for power in POWERS:
        agree_with_pytorch(lambda library, x, p=power: x ** p, base)
        agree_with_pytorch(lambda library, x, p=power: p ** x, base)
        agree_with_pytorch(lambda library, x, p=power: x.detach().pow_(p), base)


@pytest.mark.parametrize("dtype", [*INTEGERS, numpy.float64])
def test_bool_is_not_subtracted(dtype):
    x, mask = numpy.array([0, 3, 1], dtype), numpy.array([True, False, True])
    for call in (lambda library, x, y: x - y, lambda library, x, y: y - x,
                 lambda library, x, y: library.sub(x, y, alpha=2),
                 lambda library, x, y: library.rsub(x, y, alpha=2),
                 lambda library, x, y: x.detach().sub_(y), lambda library, x, y: x - True,
                 lambda library, x, y: False - x, lambda library, x, y: library.sub(x, 2, alpha=3)):
        agree_with_pytorch(call, x, mask)
        agree_with_pytorch(call, x, x)
