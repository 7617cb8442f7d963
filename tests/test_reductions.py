"""Reductions, scans and sorting at their edges: results and errors equal PyTorch's.

The samples of the table are ordinary inputs. This file has empty and 0-d Tensors, every valid and
invalid dim, NaN, ties, integers and bools.
"""

from __future__ import annotations

import itertools
import math
import operator
import warnings
from collections.abc import Callable
from typing import Any

import numpy
import pytest
import torch
from operations import agree_with_pytorch, in_turn

import tinytensor
from tinytensor.checking.calls import outputs, values

NAN, INF = math.nan, math.inf
Call = Callable[[Any, Any], Any]


def outcome(call: Call, library: Any, array: Any, grad: bool) -> tuple[Any, ...]:
    """The results and the gradient as arrays, or the type of the exception."""
    x = library.tensor(array, requires_grad=grad and array.dtype.kind == "f")
    try:
        with warnings.catch_warnings():
            if library is torch:
                warnings.simplefilter("ignore")
            result = call(library, x)
    except Exception as error:
        return type(error), str(error)
    if not isinstance(result, library.Tensor | tuple):
        return (result,)
    results = outputs(result)
    roots = [r for r in results if r.requires_grad]
    gradient = []
    if roots:
        total = sum((r * library.arange(1, r.numel() + 1).reshape(r.shape)).sum() for r in roots)
        gradient = [library.autograd.grad(total, x, allow_unused=True)[0]]
    return tuple(values(r) for r in [*results, *gradient])


def agree(call: Call, array: Any, grad: bool = True, what: str = "") -> None:
    """Asserts PyTorch's results, dtypes, shapes and gradient, or its type of exception."""
    array = numpy.asarray(array)
    mine, theirs = (outcome(call, lib, array, grad) for lib in (tinytensor, torch))
    if theirs and isinstance(theirs[0], type):
        assert mine and mine[0] is theirs[0], f"{what}: {mine} for {theirs}"
        return
    assert not (mine and isinstance(mine[0], type)), f"{what}: {mine} for {theirs}"
    if array.size:  # some empty results of PyTorch have no gradient
        assert len(mine) == len(theirs), f"{what}: {mine} for {theirs}"
    for a, b in zip(mine, theirs, strict=bool(array.size)):
        assert numpy.shape(a) == numpy.shape(b), f"{what}: {a} for {b}"
        if isinstance(b, numpy.ndarray):
            assert a.dtype == b.dtype, f"{what}: {a.dtype} for {b.dtype}"
        tolerance = 2e-3 if getattr(b, "dtype", None) == numpy.float16 else 1e-5
        numpy.testing.assert_allclose(a, b, tolerance, tolerance, err_msg=what)


def named(name: str, *args: Any, **kwargs: Any) -> Call:
    """call(library, x) for the function of that name, which may be in a submodule."""
    def call(library: Any, x: Any) -> Any:
        home, _, function = name.rpartition(".")
        found = tinytensor.ops.names_for(home) if library is tinytensor \
            else vars(torch.linalg if home else torch)
        return found[function](x, *args, **kwargs)

    return call


def draw(shape: tuple[int, ...], dtype: str, seed: int = 0) -> Any:
    """Random values. Floats have no ties, and integers have many."""
    rng = numpy.random.default_rng(seed)
    if dtype == "bool":
        return rng.random(shape) < 0.5
    if dtype.startswith("float"):
        count = math.prod(shape)
        return ((rng.permutation(count).reshape(shape) - count / 3) * 0.25).astype(dtype)
    return rng.integers(0, 4, shape).astype(dtype)


SHAPES = [(), (0,), (1,), (3,), (0, 3), (3, 0), (2, 3), (1, 1), (2, 0, 3), (2, 3, 4)]
DTYPES = ["float64", "float32", "float16", "int64", "int32", "uint8", "bool"]
WHOLE = ["sum", "mean", "amax", "amin", "all", "any", "nansum", "nanmean", "var", "std"]
ONE_DIM = ["prod", "argmax", "argmin", "max", "min", "median", "nanmedian"]
ALONG = ["cumsum", "cumprod", "cummax", "cummin", "logcumsumexp", "mode", "sort", "argsort",
         "logsumexp", "count_nonzero"]
shapes = in_turn("shape", SHAPES)


@shapes
@pytest.mark.parametrize("name", [*WHOLE, *ONE_DIM])
def test_every_dim_that_exists_and_some_that_do_not(name, shape):
    array = draw(shape, "float64")
    agree(named(name), array, what=f"{name}()")
    dims = list(range(-len(shape) - 1, len(shape) + 1))
    if name in WHOLE:
        dims += [(0,), (0, 0), (0, -1), tuple(range(len(shape)))]
    for dim in dims:
        if name in ("var", "std") and dim == ():
            continue  # PyTorch's own gradient over no dims is NaN
        for keepdim in (False, True):
            agree(named(name, dim, keepdim=keepdim), array, what=f"{name}({dim}, {keepdim})")


@shapes
@pytest.mark.parametrize("name", ALONG)
def test_every_dim_of_what_goes_along_one(name, shape):
    # PyTorch's cummax accepts invalid dims for empty Tensors.
    beyond = not (name in ("cummax", "cummin") and 0 in shape)
    for dim in range(-len(shape) - beyond, len(shape) + beyond):
        agree(named(name, dim), draw(shape, "float64"), what=f"{name}({dim})")


def stable_in_torch(name: str, dim: int) -> Call:
    return named(name, dim=dim, stable=True) if name in ("sort", "argsort") else named(name, dim)


@in_turn("dtype", DTYPES)
@pytest.mark.parametrize("name", [*WHOLE, *ONE_DIM])
def test_dtypes_of_reductions(name, dtype):
    for shape in ((), (2, 3), (3, 2)):
        agree(named(name), draw(shape, dtype), what=str(shape))
    if name not in ("median", "nanmedian"):  # the index among ties is undefined
        for dim in (0, -1):
            agree(named(name, dim), draw((5, 3), dtype), what=f"dim {dim}")


@in_turn("dtype", DTYPES)
@pytest.mark.parametrize("name", ALONG)
def test_dtypes_of_what_goes_along_a_dim(name, dtype):
    for dim in (0, -1):
        agree(stable_in_torch(name, dim), draw((5, 3), dtype), what=f"dim {dim}")


@pytest.mark.parametrize("wanted", ["float64", "float32", "int64"])
@pytest.mark.parametrize("name", ["sum", "mean", "prod", "nansum", "cumsum", "cumprod"])
def test_dtype_given(name, wanted):
    where = () if name[:3] != "cum" else (0,)
    for dtype in ("float32", "int32", "bool"):
        agree(lambda lib, x: named(name, *where, dtype=getattr(lib, wanted))(lib, x),
              draw((2, 3), dtype), grad=wanted[:5] == "float", what=f"{dtype} as {wanted}")


# ---------------------------------------------------------------- NaN, infinities and ties

ODD = [[NAN, 1.0, 2.0], [1.0, NAN, NAN], [NAN, NAN, NAN], [INF, 1.0, -INF], [INF, NAN, 0.0],
       [-INF, -INF, -INF], [INF, INF, 1.0]]


@pytest.mark.parametrize("name", [n for n in [*WHOLE, *ONE_DIM, *ALONG] if n != "mode"])
def test_nan_and_infinities(name):
    for row in ODD:
        agree(stable_in_torch(name, 0), numpy.array(row), grad=False, what=str(row))
        if name in WHOLE:
            agree(named(name), numpy.array(row), grad=False, what=str(row))


TIES = [[1.0, 3.0, 3.0, 2.0], [2.0, 2.0, 2.0, 2.0], [0.0, 1.0, 0.0, 1.0, 0.0], [3.0, 1.0, 1.0]]


@pytest.mark.parametrize("name", ["max", "min", "amax", "amin", "aminmax", "median", "nanmedian"])
def test_ties_share_the_gradient_of_a_whole_reduction(name):
    for row in TIES:
        agree(named(name), numpy.array(row), what=str(row))
        agree(named(name), numpy.array([row, row]), what=str(row))


@pytest.mark.parametrize("name", ["max", "min", "amax", "amin", "cummax", "cummin", "sort",
                                  "argmax", "argmin", "argsort", "mode"])
def test_ties_along_a_dim_go_to_the_same_position(name):
    for row in TIES:
        agree(stable_in_torch(name, 0), numpy.array(row), what=str(row))


@pytest.mark.parametrize("call", [named("topk", 2), named("topk", 2, largest=False),
                                  named("kthvalue", 2), named("median", 0)])
def test_ties_where_the_position_is_free(call):
    for row in TIES:
        x = tinytensor.tensor(row, requires_grad=True)
        found = call(tinytensor, x)
        expected = call(torch, torch.tensor(row))
        assert found.values.tolist() == expected.values.tolist()
        assert x[found.indices].tolist() == found.values.tolist()
        assert len(set(found.indices.reshape(-1).tolist())) == found.indices.numel()
        found.values.sum().backward()
        chosen = numpy.zeros(len(row))
        chosen[found.indices.numpy()] = 1
        assert x.grad.tolist() == chosen.tolist()


@pytest.mark.parametrize("largest", [False, True])
def test_topk_takes_the_first_of_equal_elements_in_small_dims_as_pytorch_does(largest):
    rows = [row for n in (1, 2, 3) for row in itertools.product([0.0, 0.5, math.nan], repeat=n)]
    for row in rows:
        for k in range(1, len(row) + 1):
            agree(named("topk", k, 0, largest), numpy.array(row), what=str(row), grad=False)
    gates = numpy.array([[0.5, 0.5], [1.0, 2.0], [2.0, 1.0]] * 3)
    agree(named("topk", 1, -1, largest), gates, grad=False)
    agree(named("topk", 2, 0, largest), gates[:2], grad=False)


@pytest.mark.parametrize("size", [5, 8, 64, 100])
def test_topk_of_equal_elements_takes_the_first(size):
    row = numpy.arange(float(size)) % 3
    first = tinytensor.tensor(row).topk(1)
    assert first.indices.tolist() == [2]
    assert tinytensor.tensor(row).topk(1, largest=False).indices.tolist() == [0]
    if size >= 64:  # there PyTorch selects with a heap, which keeps the first
        agree(named("topk", 1), row)
    if size <= 8:
        for largest in (False, True):
            order = numpy.argsort(-row if largest else row, kind="stable").tolist()
            assert tinytensor.tensor(row).topk(3, largest=largest).indices.tolist() == order[:3]


@pytest.mark.parametrize("descending", [False, True])
def test_sorting_keeps_equal_elements_in_order_and_nan_largest(descending):
    for row in [*ODD, *TIES]:
        agree(named("sort", stable=True, descending=descending), numpy.array(row), grad=False)
    agree(named("sort", stable=True, descending=descending), numpy.array([2, 1, 2, 1, 2]))


def test_results_with_names():
    x = tinytensor.tensor([[1.0, 3.0], [2.0, 0.0]])
    for found in (x.max(1), x.min(dim=0), x.sort(), x.topk(1), x.kthvalue(1), x.median(0),
                  x.mode(), x.cummax(0), x.nanmedian(1)):
        assert found.values is found[0] and found.indices is found[1]
    assert x.aminmax().min.item() == 0 and x.aminmax().max.item() == 3


# ---------------------------------------------------------------- products and zeros

@pytest.mark.parametrize("name", ["prod", "cumprod"])
@pytest.mark.parametrize("row", [[2.0, 3.0, 4.0], [2.0, 0.0, 4.0], [0.0, 0.0, 4.0],
                                 [0.0, 0.0, 0.0], [0.0, 5.0, 0.0, 2.0, 3.0]], ids=str)
def test_products_with_zeros_to_second_order(name, row):
    found = []
    for library in (tinytensor, torch):
        x = library.tensor([row, row[::-1]], dtype=library.float64, requires_grad=True)
        out = getattr(x, name)(1)
        weight = library.arange(1.0, out.numel() + 1).reshape(out.shape)
        (first,) = library.autograd.grad((out * weight).sum(), x, create_graph=True)
        (second,) = library.autograd.grad((first * first).sum(), x)
        found.append((values(out), values(first), values(second)))
    for mine, theirs in zip(*found, strict=True):
        numpy.testing.assert_allclose(mine, theirs, 1e-12, 1e-12)


def test_a_long_scan_is_right():
    x = numpy.random.default_rng(0).uniform(0.9, 1.1, 1000)
    for name in ("cumsum", "cumprod", "logcumsumexp", "cummax"):
        agree(named(name, 0), x, what=name)


# ---------------------------------------------------------------- accuracy


@pytest.mark.parametrize(("shape", "dim"), [((200_000, 3), 0), ((40_000, 2, 5), (0, 2)),
                                            ((3, 50_000, 2), 1), ((2, 70, 40, 30), (0, 2, 3))])
@pytest.mark.parametrize("name", ["sum", "mean"])
def test_float32_sums_are_as_accurate_as_pytorch(name, shape, dim):
    x = numpy.random.default_rng(0).random(shape, dtype=numpy.float32)
    exact = getattr(x.astype(numpy.float64), name)(axis=dim)

    def error(library: Any, array: Any) -> float:
        found = values(getattr(library.tensor(array), name)(dim))
        assert found.dtype == numpy.float32
        return float(abs(found / exact - 1).max())

    assert error(tinytensor, x) <= max(2 * error(torch, x), 4e-7)


def test_a_transposed_sum_is_accurate_too():
    x = numpy.random.default_rng(0).random((4, 200_000), dtype=numpy.float32).T.copy().T
    exact = x.astype(numpy.float64).sum(1)
    found = tinytensor.from_numpy(x).sum(1).numpy()
    assert abs(found / exact - 1).max() < 4e-7


def test_float16_is_added_up_in_float32():
    x = numpy.full((3, 5000), 0.1, dtype=numpy.float16)
    agree(named("sum"), x)
    agree(named("sum", 1), x)
    agree(named("mean"), numpy.full(3000, 100.0, dtype=numpy.float16))
    agree(named("sum", 0), x.T.copy())


# ---------------------------------------------------------------- further forms and errors


@in_turn("args, kwargs", [
    ((), {"unbiased": False}), ((0,), {"keepdim": True}), (((0, 1),), {"correction": 0}),
    ((), {"correction": 7}), ((), {"correction": 6}), ((0, False), {}), ((0, False, True), {}),
    ((False,), {}), ((None,), {}), ((), {"correction": 0.5}), ((), {"dim": 1, "correction": None}),
    ((0, 1), {}), ((5,), {})])
@pytest.mark.parametrize("name", ["var", "std", "var_mean", "std_mean"])
def test_forms_of_calling_var(name, args, kwargs):
    # For n <= correction the gradient is infinite, so only values are compared.
    agree(named(name, *args, **kwargs), draw((2, 3), "float64"),
          grad=kwargs.get("correction", 1) not in (6, 7))
    agree(named(name, *args, **kwargs), draw((2, 3), "int64"))


@pytest.mark.parametrize("name", ["std", "norm", "linalg.vector_norm"])
def test_the_gradient_at_the_kink_is_zero(name):
    agree(named(name), numpy.zeros(3) if name != "std" else numpy.full(3, 2.0))


@pytest.mark.parametrize("p", [0, 1, 2, 3, 0.5, -1, INF, -INF])
def test_norms_of_every_order_at_every_edge(p):
    for shape in ((), (3,), (2, 3), (0,), (0, 3), (3, 0)):
        for dim in (None, *range(-len(shape) - 1, len(shape) + 1)):
            array = draw(shape, "float64") + 0.1
            agree(named("linalg.vector_norm", p, dim), array, grad=p != 0, what=f"{shape} {dim}")
    agree(named("norm", p), draw((2, 3), "float64") + 0.1, grad=p != 0)
    agree(named("linalg.vector_norm", p), draw((3,), "int64"))


@pytest.mark.parametrize("order", ["fro", 1, -1, INF, -INF, 3, "foo"])
def test_matrix_norms(order):
    # Unknown names and numbers raise RuntimeError, as in PyTorch.
    for dim in ((-2, -1), (0, 2), (1, 0), (0, 0), (0, 3)):
        agree(named("linalg.matrix_norm", order, dim), draw((2, 3, 4), "float64"), what=f"{dim}")
    agree(named("linalg.matrix_norm", order), draw((3,), "float64"))


@pytest.mark.parametrize("call", [
    named("topk", 4), named("topk", -1), named("topk", 0), named("topk", 1, 5),
    named("topk", 2, 0, False), named("kthvalue", 0), named("kthvalue", 4), named("kthvalue", 2),
    named("kthvalue", 1, 0, True)], ids=lambda c: "")
def test_ranks_at_the_edges(call):
    for shape in SHAPES:
        for dtype in ("float64", "float32", "bool"):  # integers have ties
            agree(call, draw(shape, dtype), what=f"{shape} {dtype}")


@pytest.mark.parametrize("call", [
    named("msort"), named("max", 0, keepdim=True),
    named("diff", n=-1), named("diff", n=0), named("diff", n=5), named("diff", dim=0),
    named("quantile", 1.5), named("quantile", 0.4, interpolation="foo"),
    named("quantile", 0.3, 5), named("nanquantile", 0.5), named("argwhere"),
    named("nonzero"), named("nonzero", as_tuple=True), named("isin", 3),
    named("aminmax", dim=0), named("aminmax", dim=0, keepdim=True), named("prod", 1, True)],
    ids=lambda c: "")
def test_at_the_edges(call):
    for shape in SHAPES:
        for dtype in ("float64", "float32", "int64", "bool"):
            agree(call, draw(shape, dtype), grad=dtype == "float32", what=f"{shape} {dtype}")


@pytest.mark.parametrize("name", ["trapezoid", "cumulative_trapezoid"])
def test_areas_at_the_edges(name):
    for shape in SHAPES:
        for dtype in ("float64", "int64") if 0 not in shape else ("float64",):
            for dim in (-1, 0, 1):
                agree(named(name, dim=dim), draw(shape, dtype), what=f"{shape} {dtype} {dim}")
    agree(named(name), draw((3,), "bool"))


@pytest.mark.parametrize("name", ["unique", "unique_consecutive"])
@pytest.mark.parametrize("dim", [None, 0, 1, -2])
def test_unique_at_the_edges(name, dim):
    for shape in SHAPES:
        for dtype in ("float64", "int64", "bool"):
            agree(named(name, return_inverse=True, return_counts=True, dim=dim),
                  draw(shape, dtype), grad=False, what=f"{shape} {dtype}")


@pytest.mark.parametrize("q", [0.0, 0.3, 0.5, 0.77, 1.0])
@pytest.mark.parametrize("kind", ["linear", "lower", "higher", "midpoint", "nearest"])
def test_quantiles(q, kind):
    for row in ([1.0, 4.0, 2.0, 7.0, 3.0], [NAN, 1.0, 2.0, 5.0], [1.0, 1.0, 1.0], [2.0],
                [NAN, NAN, 1.0]):
        for name in ("quantile", "nanquantile"):
            agree(named(name, q, interpolation=kind), numpy.array(row), what=f"{name} {row}",
                  grad=row[0] == row[0])
            agree(named(name, q, 1, True, interpolation=kind), numpy.array([row, row]), grad=False)


def test_all_nan_quantile():
    agree(named("nanquantile", 0.5), numpy.array([NAN, NAN]), grad=False)
    agree(named("nanmedian"), numpy.array([NAN, NAN]), grad=False)


@pytest.mark.parametrize("call", [
    lambda lib, x: lib.bincount(x), lambda lib, x: lib.bincount(x, minlength=-1),
    lambda lib, x: lib.bincount(x, minlength=9), lambda lib, x: lib.bincount(x - 5),
    lambda lib, x: lib.bincount(x.reshape(2, -1)), lambda lib, x: lib.bincount(x.float()),
    lambda lib, x: lib.bincount(x, x), lambda lib, x: lib.bincount(x, x[1:]),
    lambda lib, x: lib.histc(x.double(), 4), lambda lib, x: lib.histc(x.double(), 4, 1, 3),
    lambda lib, x: lib.histc(x.float() * 0, 3), lambda lib, x: lib.histc(x.double(), 0),
    lambda lib, x: lib.histc(x.double(), 4, 3, 1), lambda lib, x: lib.histc(x, 4),
    lambda lib, x: lib.histc(x / 0, 4), lambda lib, x: lib.histc(x / 0, 4, 0, 1),
    lambda lib, x: lib.histogram(x.double(), 4), lambda lib, x: lib.histogram(x, 4),
    lambda lib, x: lib.histogram(x.double() * 0, 4), lambda lib, x: lib.histogram(x.double(), 0),
    lambda lib, x: lib.histogram(x.double(), 4, range=(0, 2)),
    lambda lib, x: lib.histogram(x.double(), 4, range=(2, 0)),
    lambda lib, x: lib.histogram(x / 0, 4), lambda lib, x: lib.histogram(x / 0, 4, range=(0, 1)),
    lambda lib, x: lib.histogram(x.double(), x.double()[:3].sort().values),
    lambda lib, x: lib.histogram(x.double(), x.float()[:3].sort().values),
    lambda lib, x: lib.histogram(x.double(), x.double().reshape(2, 6)),
    lambda lib, x: lib.histogram(x.double(), x.double()[:1]),
    lambda lib, x: lib.histogram(x.double(), x.double()[:3].sort().values, range=(0, 1)),
    lambda lib, x: lib.histogram(x.double(), 3, weight=x.double(), density=True),
    lambda lib, x: lib.histogram(x.double(), 3, weight=x.double()[:3]),
    lambda lib, x: lib.histogram(x.double(), 3, range=(100, 101), density=True)],
    ids=lambda c: "")
def test_counting(call):
    agree(call, draw((12,), "int64"))


@pytest.mark.parametrize("call", [
    lambda lib, x: lib.searchsorted(x, x), lambda lib, x: lib.searchsorted(x, x, right=True),
    lambda lib, x: lib.searchsorted(x, x, side="right", out_int32=True),
    lambda lib, x: lib.searchsorted(x, x, side="left", right=True),
    lambda lib, x: lib.searchsorted(x, x[0]), lambda lib, x: lib.searchsorted(x[0], x),
    lambda lib, x: lib.searchsorted(x, 3.0), lambda lib, x: lib.searchsorted(x[0], 3.0),
    lambda lib, x: lib.searchsorted(x[0], x * NAN), lambda lib, x: lib.searchsorted(x, x.long()),
    lambda lib, x: lib.searchsorted(x.flip(1), x, sorter=x.flip(1).argsort(1)),
    lambda lib, x: lib.searchsorted(x[:, :0], x), lambda lib, x: lib.bucketize(x, x[1]),
    lambda lib, x: lib.bucketize(x, x[1], right=True), lambda lib, x: lib.bucketize(2.0, x[0]),
    lambda lib, x: lib.bucketize(x, x), lambda lib, x: lib.isin(x, x[0]),
    lambda lib, x: lib.isin(x, x[0], invert=True), lambda lib, x: lib.isin(x, x[0] * NAN),
    lambda lib, x: lib.isin(3.0, x), lambda lib, x: lib.isin(x, x[:0])], ids=lambda c: "")
def test_searching(call):
    agree(call, numpy.sort(draw((3, 7), "float64"), 1), grad=False)
    agree(call, numpy.sort(draw((3, 7), "int64"), 1))


def test_unique_of_nan_and_slices():
    agree(named("unique", return_counts=True), numpy.array([NAN, 1.0, NAN]), grad=False)
    rows = numpy.array([[3, 1], [1, 2], [1, 2], [0, 9]])
    for name in ("unique", "unique_consecutive"):
        for dim in (0, 1, -1, 2):
            agree(named(name, return_inverse=True, return_counts=True, dim=dim), rows)


def test_max_takes_a_tensor_or_a_dim():
    agree(lambda lib, x: lib.max(x, x.flip(0)), draw((2, 3), "float64"))
    agree(lambda lib, x: x.max(0, True), draw((2, 3), "float64"))
    agree(lambda lib, x: x.min(dim=1, keepdim=True), draw((2, 3), "float64"))
    agree(lambda lib, x: x.sum(axis=0, keepdims=True), draw((2, 3), "float64"))


# ---------------------------------------------------------------- zeros, NaN and infinities


ZEROS = numpy.array(list(itertools.product([0.0, 1.0, -2.0], repeat=3)))
POINTS = numpy.array(list(itertools.product([0.0, 1.0], repeat=2)))
ORDERS = [0, 0.3, 0.5, 1, 1.5, 2, 3, INF]


@pytest.mark.parametrize("p", [*ORDERS, -1, -0.5, -2, -INF])
def test_norms_of_zeros(p):
    """The derivative of |x|^p at 0 is infinite for p < 1. The norm's gradient there is 0."""
    for name in ("linalg.vector_norm", "norm", "nn.functional.normalize"):
        agree_with_pytorch(lambda library, x, name=name: operator.attrgetter(name)(library)(
            x, p, -1), ZEROS)


@pytest.mark.parametrize("p", ORDERS)
def test_distances_of_equal_points(p):
    """For p = inf, several coordinates may attain the distance. PyTorch's cdist and pdist give each
    the whole gradient, but its norm divides it. Here all functions divide it.
    """
    def by_norm(library, x, y):
        return library.linalg.vector_norm(x.unsqueeze(-2) - y.unsqueeze(-3), p, -1)

    agree_with_pytorch(lambda library, x, y: library.nn.functional.pairwise_distance(x, y, p, 0.0),
                       POINTS, POINTS[::-1].copy())
    def pairs(library, x):
        whole = by_norm(library, x, x)
        return library.stack([whole[i, j] for i, j in itertools.combinations(range(4), 2)])

    shares = p == INF
    agree_with_pytorch(lambda library, x, y: by_norm(library, x, y) if shares and library is torch
                       else library.cdist(x, y, p), POINTS, POINTS)
    agree_with_pytorch(lambda library, x: pairs(library, x) if shares and library is torch
                       else library.pdist(x, p), POINTS)
    for shape in ((2, 0), (0, 2), (0, 0)):
        agree_with_pytorch(lambda library, x: library.pdist(x.detach(), p), numpy.zeros(shape))
    if p:  # PyTorch's own backward fails for 0
        agree_with_pytorch(lambda library, x, y: library.dist(x, y, p), POINTS, POINTS[:1])


@pytest.mark.parametrize("name", ["max", "min", "median", "nanmedian"])
def test_nan_has_the_gradient_of_an_extremum_that_is_nan(name):
    """PyTorch's amax and amin have a gradient of NaN for all elements."""
    for row in itertools.product([0.0, 1.0, -INF, NAN], repeat=3):
        agree_with_pytorch(lambda library, x: getattr(library, name)(x), numpy.array(row))


def test_quantiles_of_infinities():
    rows = numpy.array(list(itertools.product([0.0, 1.0, -INF, INF, NAN], repeat=3)))
    for name, q in itertools.product(("quantile", "nanquantile"), (0.0, 0.3, 0.5, 0.7, 1.0)):
        agree_with_pytorch(lambda library, x, name=name, q=q: getattr(library, name)(
            x.detach(), q, 1), rows)


def test_logcumsumexp_of_infinities():
    """PyTorch's gradient is NaN from the first -inf on. Here the gradient of -inf is 0."""
    rows = numpy.array(list(itertools.product([0.0, 1.0, INF, NAN], repeat=3)))
    agree_with_pytorch(lambda library, x: library.logcumsumexp(x, 1), rows)


def test_nan_is_no_element():
    tests = numpy.array([1.0, NAN, -0.0, INF])
    for elements in ([1.0, NAN, 2.0], [0.0, INF, -INF], [[NAN]], []):
        for invert in (False, True):
            agree_with_pytorch(lambda library, x, y, invert=invert: library.isin(
                x, y, invert=invert), numpy.array(elements), tests)
            agree_with_pytorch(lambda library, x, y, invert=invert: library.isin(
                x, y, invert=invert), numpy.array(elements), numpy.full(40, NAN))


def test_unique_slices_are_sorted_beside_nan():
    """PyTorch does not sort slices with NaN. Each NaN counts as distinct."""
    x = tinytensor.tensor([3.0, NAN, 1, NAN, -INF, INF, 2, 1])
    found, inverse, counts = tinytensor.unique(x, True, True, True, 0)
    numpy.testing.assert_array_equal(found.numpy(), [-INF, 1, 2, 3, INF, NAN, NAN])
    numpy.testing.assert_array_equal(found.numpy()[inverse.numpy()], x.numpy())
    assert counts.tolist() == [1, 2, 1, 1, 1, 1, 1]


@pytest.mark.parametrize(("shapes", "dim"), [
    (((1, 2, 3), (2, 1, 3)), -2), (((1, 2, 3), (2, 1, 3)), 0), (((3,), (2, 3)), 0),
    (((2, 0), (2, 0)), 1)])
def test_cosine_similarity_is_that_of_the_broadcast_vectors(shapes, dim):
    x, y = (numpy.random.default_rng(i).normal(size=s) for i, s in enumerate(shapes))
    agree_with_pytorch(lambda library, x, y: library.cosine_similarity(x, y, dim), x, y)
    agree_with_pytorch(lambda library, x, y: library.nn.functional.cosine_similarity(
        x * 1e-3, y * 0.0, dim), x, y)


def test_a_mean_is_rounded_once():
    """An accuracy of 9 / 10 is printed as 0.9, not as the float32 after it."""
    for n in (6, 10, 1000):
        for dtype in ("float32", "float64"):
            hits = [[1.0] * k + [0.0] * (n - k) for k in range(n + 1)]
            ours, theirs = (lib.tensor(hits, dtype=getattr(lib, dtype), requires_grad=True)
                            for lib in (tinytensor, torch))
            means = [x.mean(1) for x in (ours, theirs)]
            (means[0] * 3).sum().backward()
            (means[1] * 3).sum().backward()
            assert means[0].tolist() == means[1].tolist()
            assert ours.grad[0].tolist() == theirs.grad[0].tolist()
