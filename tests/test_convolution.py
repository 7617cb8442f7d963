"""Convolution, pooling and resampling at their edges, against PyTorch and the scalar engine.

test_operations.py tests the samples of the table. This file has ties, borders, odd parameters,
impossible shapes, and the pairs of operations that are each other's transpose.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy
import pytest
import torch
from operations import agree_with_pytorch, in_turn

import tinytensor
from scalar.engine import Value
from tinytensor.arrays.dispatch import use_kernels
from tinytensor.autograd import graph
from tinytensor.autograd.table import TABLE
from tinytensor.ops import convolution, pooling


def ours(name: str) -> Any:
    return TABLE[f"nn.functional.{name}"].function


def theirs(name: str) -> Any:
    return getattr(torch.nn.functional, name, None) or getattr(torch, name)


def drawn(*shapes: tuple[int, ...], seed: int = 0) -> list[numpy.ndarray[Any, Any]]:
    rng = numpy.random.default_rng(seed)
    return [rng.uniform(-2, 2, shape) for shape in shapes]


def derivatives(library: Any, function: Any, arrays: list[Any]) -> list[Any]:
    """The result, the gradients of sum(result³), and the gradients of the sum of their squares."""
    leaves = [library.tensor(a.tolist() if not a.size else a, dtype=library.float64,
                             requires_grad=True).reshape(a.shape) for a in arrays]
    result = function(*leaves)
    first = library.autograd.grad((result ** 3).sum(), leaves, create_graph=True)
    second = library.autograd.grad(sum((g * g).sum() for g in first), leaves)
    return [x.detach().numpy() for x in (result, *first, *second)]


def assert_same(name: str, arrays: list[Any], *args: Any, before: Any = None,
                **kwargs: Any) -> None:
    """Asserts equal results and derivatives. `before` is applied to the first Tensor."""
    def call(function: Any) -> Any:
        def with_parameters(first: Any, *rest: Any) -> Any:
            return function(first if before is None else before(first), *rest, *args, **kwargs)
        return with_parameters

    mine = derivatives(tinytensor, call(ours(name)), arrays)
    reference = derivatives(torch, call(theirs(name)), arrays)
    for ours_, theirs_ in zip(mine, reference, strict=True):
        numpy.testing.assert_allclose(ours_, theirs_, 1e-9, 1e-9)


# ---------------------------------------------------------------- convolution


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("dilation", [1, 2, (1, 3)])
@pytest.mark.parametrize("padding", [0, 1, (5, 3)])
@pytest.mark.parametrize("stride", [1, 2, (1, 4)])
def test_conv2d_and_its_transpose_equal_pytorch(stride, padding, dilation, groups):
    x, w, v, b = drawn((2, 4, 9, 8), (6, 4 // groups, 3, 2), (4, 6 // groups, 3, 2), (6,))
    assert_same("conv2d", [x, w, b], stride, padding, dilation, groups)
    if padding != (5, 3):  # this padding would leave no output
        assert_same("conv_transpose2d", [x, v, b], stride, padding, 0, groups, dilation)


@pytest.mark.parametrize("block", [1, 150, 300])
@pytest.mark.parametrize("stride", [1, 2])
def test_the_batch_may_be_convolved_in_parts(monkeypatch, block, stride):
    monkeypatch.setattr(convolution, "CPU_BLOCK", block)
    x, w, v = drawn((5, 2, 4, 5), (3, 2, 2, 2), (2, 3, 2, 2))
    frame = convolution.Frame((4, 5), (5, 6), (2, 2), (1, 1), (1, 1), (1, 1))
    assert len(convolution._parts(x, frame, 2)) > 1
    assert_same("conv2d", [x, w], None, stride, 1)
    assert_same("conv_transpose2d", [x, v], None, stride, 1)


@pytest.mark.parametrize("name", ["conv2d", "max_pool2d", "avg_pool2d", "interpolate"])
@pytest.mark.parametrize("before", [
    lambda x: x.transpose(2, 3), lambda x: x[:, :, 1:, ::2], lambda x: x.permute(3, 1, 0, 2),
    lambda x: x[:1].expand(3, -1, -1, -1)], ids=["transposed", "sliced", "permuted", "expanded"])
def test_inputs_need_not_be_contiguous(name, before):
    x, w = drawn((2, 3, 7, 6), (2, 3, 2, 2))
    arguments = {"conv2d": ([x, w], ()), "interpolate": ([x], (5,))}.get(name, ([x], (2, 1)))
    assert_same(name, arguments[0], *arguments[1], before=before)


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_padding_same_keeps_the_size_for_any_kernel(dims):
    for k, d in itertools.product((1, 2, 3, 4), (1, 2)):
        x, w = drawn((1, 2, *(5,) * dims), (1, 2, *(k,) * dims))
        result = ours(f"conv{dims}d")(tinytensor.tensor(x), tinytensor.tensor(w), padding="same",
                                      dilation=d)
        # PyTorch warns that it copies the input for an odd padding, so the test pads first.
        whole = d * (k - 1)
        padded = torch.nn.functional.pad(torch.tensor(x), (whole // 2, whole - whole // 2) * dims)
        expected = theirs(f"conv{dims}d")(padded, torch.tensor(w), dilation=d)
        numpy.testing.assert_allclose(result.numpy(), expected.numpy(), 1e-10, 1e-10)


def test_a_batch_of_none_gives_gradients_of_zeros():
    x = tinytensor.zeros(0, 2, 5, 5, requires_grad=True)
    w, b = (tinytensor.ones(3, 2, 3, 3, requires_grad=True),
            tinytensor.ones(3, requires_grad=True))
    out = ours("conv2d")(x, w, b)
    out.sum().backward()
    assert out.shape == (0, 3, 3, 3) and x.grad.shape == (0, 2, 5, 5)
    assert w.grad.shape == w.shape and not w.grad.any() and not b.grad.any()


def test_only_the_gradients_wanted_are_computed(monkeypatch):
    calls = []
    for made in (convolution.convolution_input, convolution.convolution_weight):
        monkeypatch.setattr(made, "run", lambda *a, run=made.run, name=made.__name__:
                            calls.append(name) or run(*a))
    x, w = drawn((1, 1, 4, 4), (1, 1, 2, 2))
    out = ours("conv2d")(tinytensor.tensor(x), tinytensor.tensor(w, requires_grad=True))
    out.sum().backward()
    assert calls == ["convolution_weight"]


# ---------------------------------------------------------------- pairs


def inner(a: Any, b: Any) -> float:
    return float((a * b).sum())


FRAMES = [convolution.Frame((5, 6), (3, 2), (3, 2), (2, 3), (1, 0), (1, 2)),
          convolution.Frame((4,), (9,), (3,), (1,), (5,), (2,)),
          convolution.Frame((3, 3, 3), (1, 2, 1), (3, 2, 1), (1, 1, 4), (0, 0, 0), (1, 1, 1))]


@pytest.mark.parametrize("frame", FRAMES, ids=["strided", "padded", "cubes"])
def test_windows_and_overlap_add_are_each_others_transpose(frame):
    x, y = drawn((2, 3, *frame.size), (2, 3, *frame.kernel, *frame.out))
    assert inner(convolution.windows.op.forward(numpy, x, frame), y) == pytest.approx(
        inner(x, convolution.overlap_add.op.forward(numpy, y, frame)), rel=1e-12)


@pytest.mark.parametrize("frame", FRAMES, ids=["strided", "padded", "cubes"])
def test_the_three_convolutions_are_one_form(frame):
    x, w, g = drawn((2, 3, *frame.size), (4, 3, *frame.kernel), (2, 4, *frame.out))
    form = inner(convolution.convolution.op.forward(numpy, x, w, None, frame), g)
    assert form == pytest.approx(
        inner(x, convolution.convolution_input.op.forward(numpy, g, w, frame)), rel=1e-11)
    assert form == pytest.approx(
        inner(w, convolution.convolution_weight.op.forward(numpy, x, g, frame)), rel=1e-11)


@pytest.mark.parametrize("line", [pooling.PAIRS, pooling.UNEVEN, pooling.UNEVEN.transposed,
                                  pooling.ragged(2, [[0], [0], [0, 1], [1], []])],
                         ids=["regular", "uneven", "transposed", "repeated"])
def test_a_line_and_its_transpose(line):
    x, y = drawn((2, line.size, 3), (2, line.out, 3))
    assert inner(pooling.window_sum.op.forward(numpy, x, 1, line), y) == pytest.approx(
        inner(x, pooling.window_sum.op.forward(numpy, y, 1, line.transposed)), rel=1e-12)
    number = pooling.winner.op.forward(numpy, x, 1, line)
    assert inner(pooling.pick.op.forward(numpy, x, number, 1, line), y) == pytest.approx(
        inner(x, pooling.put.op.forward(numpy, y, number, 1, line)), rel=1e-12)


def test_no_tap_of_a_line_meets_a_position_twice():
    for size, out in itertools.product((1, 3, 8), (1, 2, 5, 8, 19)):
        line = pooling.ragged(size, pooling.shares(size, out))
        for tap in line.taps:
            outs, ins = list(pooling.positions(tap.outs)), list(pooling.positions(tap.ins))
            assert len(outs) == len(set(outs)) == len(ins) == len(set(ins))


# ---------------------------------------------------------------- pooling


POOLINGS = [(n, k, s, p, d) for n in (4, 5, 7) for k in (1, 2, 3) for s in (1, 2, 3, 4)
            for p in (0, 1) for d in (1, 2) if 2 * p <= k and d * (k - 1) < n]


@pytest.mark.parametrize("ceil_mode", [False, True])
def test_pooling_at_every_border_equals_pytorch(ceil_mode):
    for n, k, s, p, d in POOLINGS:
        (x,) = drawn((2, 2, n, n + 1))
        mine, theirs_ = tinytensor.tensor(x), torch.tensor(x)
        values, indices = ours("max_pool2d")(mine, k, s, p, d, ceil_mode, True)
        expected = theirs("max_pool2d")(theirs_, k, s, p, d, ceil_mode, True)
        numpy.testing.assert_array_equal(values.numpy(), expected[0].numpy())
        numpy.testing.assert_array_equal(indices.numpy(), expected[1].numpy())
        for pad_counts in (True, False) if d == 1 else ():
            means = ours("avg_pool2d")(mine, k, s, p, ceil_mode, pad_counts)
            expected = theirs("avg_pool2d")(theirs_, k, s, p, ceil_mode, pad_counts)
            numpy.testing.assert_allclose(means.numpy(), expected.numpy(), 1e-12, 1e-12)


@pytest.mark.parametrize(("name", "args"), [
    ("max_pool1d", (3, 2, 1)), ("max_pool2d", (2,)), ("max_pool2d", (3, 1, 1)),
    ("max_pool3d", (2, 1)), ("adaptive_max_pool2d", ((2, 3),)), ("adaptive_max_pool1d", (9,))])
def test_the_first_of_equals_has_the_gradient(name, args):
    dims = int(name[-2])
    for seed in range(5):
        x = numpy.random.default_rng(seed).integers(0, 3, (2, 2, *(5, 6, 4)[:dims])) * 1.0
        found = []
        for library, function in ((tinytensor, ours(name)), (torch, theirs(name))):
            leaf = library.tensor(x, requires_grad=True)
            out, indices = function(leaf, *args, return_indices=True)
            weights = library.arange(math.prod(out.shape), dtype=library.float64) + 1
            (function(leaf, *args) * weights.reshape(out.shape)).sum().backward()
            found.append((out.detach().numpy(), indices.numpy(), leaf.grad.numpy()))
        for mine, reference in zip(*found, strict=True):
            numpy.testing.assert_array_equal(mine, reference)


def test_maximum_pooling_passes_nan_and_infinities_on():
    x = numpy.arange(36.0).reshape(1, 1, 6, 6)
    x[0, 0, 0, 0], x[0, 0, 3, 3], x[0, 0, 3, 2] = numpy.nan, numpy.nan, numpy.nan
    x[0, 0, 4:, 4:], x[0, 0, 0, 5] = -numpy.inf, numpy.inf
    for args in ((2,), (3, 2, 1), (3, 3)):
        mine = ours("max_pool2d")(tinytensor.tensor(x), *args, return_indices=True)
        reference = theirs("max_pool2d")(torch.tensor(x), *args, return_indices=True)
        numpy.testing.assert_array_equal(mine[0].numpy(), reference[0].numpy())
        some = reference[0].numpy() != -numpy.inf  # if all are -inf, any position is valid
        numpy.testing.assert_array_equal(mine[1].numpy()[some], reference[1].numpy()[some])


def test_maximum_pooling_of_integers():
    x = numpy.array([[[-5, -7, -9, -2, -3]]])
    out = ours("max_pool1d")(tinytensor.tensor(x), 2, 1, 1)
    assert out.dtype is tinytensor.int64 and out.tolist() == [[[-5, -5, -7, -2, -2, -3]]]


@pytest.mark.parametrize("name", ["adaptive_avg_pool2d", "adaptive_max_pool2d"])
@pytest.mark.parametrize("size", [(1, 1), (3, 2), (7, 9), (5, 6), (11, 4), (None, 3)])
def test_adaptive_pooling_of_sizes_that_do_not_divide(name, size):
    assert_same(name, drawn((2, 2, 7, 9)), size)


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_max_unpool_undoes_max_pool(dims):
    (x,) = drawn((2, 3, *(7, 6, 5)[:dims]))
    for args, size in (((2,), x.shape), ((3, 2, 1), x.shape[2:])):
        found = []
        for library, function in ((tinytensor, ours), (torch, theirs)):
            leaf = library.tensor(x, requires_grad=True)
            pooled, places = function(f"max_pool{dims}d")(leaf, *args, return_indices=True)
            found.append(function(f"max_unpool{dims}d")(pooled, places, *args, output_size=size))
        numpy.testing.assert_array_equal(*(out.detach().numpy() for out in found))


@pytest.mark.parametrize("kernels", [False, True])
@pytest.mark.parametrize("dtype", [numpy.float64, numpy.float32, numpy.uint8, numpy.int8])
def test_nothing_comes_out_of_the_padding(dtype, kernels):
    """If all elements of a window are the minimum of the dtype, the index is the first inside."""
    limits = numpy.finfo(dtype) if numpy.dtype(dtype).kind == "f" else numpy.iinfo(dtype)
    least = -math.inf if numpy.dtype(dtype).kind == "f" else limits.min
    with use_kernels(kernels):
        for dims, (k, stride, padding, dilation) in itertools.product(
                (1, 2), ((3, 2, 1, 1), (2, 2, 1, 1), (2, 1, 1, 1), (3, 1, 1, 2), (4, 3, 2, 1))):
            x = numpy.full((1, 2, 5, 6)[:dims + 2], least, dtype)
            x[0, 1, 1] = 3
            for indices in (True, False)[:1 if x.dtype.kind != "f" and dims == 1 else 2]:
                agree_with_pytorch(lambda library, x, f=(f"max_pool{dims}d", k, stride, padding,
                                                         dilation), i=indices: getattr(
                    library.nn.functional, f[0])(x, *f[1:], return_indices=i), x)


@pytest.mark.parametrize("p", [1, 2, 3, 0.5, 1.5, math.inf, -math.inf])
def test_power_pooling_of_zeros(p):
    x = numpy.array([[[0.0, 0, 3, 4, 1, 0, 0]]])
    for args in ((2, 2), (3, 2), (2, 1), (3, 2, True), (2,)):
        agree_with_pytorch(lambda library, x, args=args: library.nn.functional.lp_pool1d(
            x, p, *args), x)
    agree_with_pytorch(lambda library, x: library.nn.functional.lp_pool2d(x, p, 2),
                       numpy.zeros((1, 1, 2, 2)))
    if math.isfinite(p):  # PyTorch has no infinite norm in 3 dims
        agree_with_pytorch(lambda library, x: library.nn.functional.lp_pool3d(x, p, 2),
                           numpy.zeros((1, 1, 2, 2, 2)))


@pytest.mark.parametrize("mode", ["reflect", "replicate"])
def test_pads_that_cut_everything_off(mode):
    for shape, pads in (((1, 1, 2, 3), (-3, 0, 0, 0)), ((1, 1, 2, 3), (1, 1, -2, 0)),
                        ((1, 1, 2, 3), (-2, -2, 0, 0)), ((1, 2, 3), (-1, 1)), ((1, 2, 3), (-3, 0)),
                        ((1, 1, 3, 2, 3), (1, 1, 0, 0, -2, 0)), ((1, 2, 3), (2, -3))):
        agree_with_pytorch(lambda library, x, pads=pads: library.nn.functional.pad(x, pads, mode),
                           *drawn(shape))


# ---------------------------------------------------------------- resampling


MODES = {1: ("nearest", "nearest-exact", "linear", "area"),
         2: ("nearest", "nearest-exact", "bilinear", "bicubic", "area"),
         3: ("nearest", "nearest-exact", "trilinear", "area")}


@pytest.mark.parametrize(("dims", "mode"), [(d, m) for d, modes in MODES.items() for m in modes])
def test_interpolation_to_any_size_equals_pytorch(dims, mode):
    cases: list[dict[str, Any]] = [{"size": n} for n in (1, 2, 4, 5, 7, 10, 13)]
    for factor, again in itertools.product((0.3, 0.5, 0.77, 1.0, 1.3, 2.0, 2.5), (False, True)):
        cases.append({"scale_factor": factor, "recompute_scale_factor": again})
    (x,) = drawn((1, 2, *(5, 6, 4)[:dims]))
    for case in cases:
        for corners in (False, True) if "linear" in mode or mode == "bicubic" else (None,):
            mine = ours("interpolate")(tinytensor.tensor(x), mode=mode, align_corners=corners,
                                       **case)
            reference = theirs("interpolate")(torch.tensor(x), mode=mode, align_corners=corners,
                                              **case)
            numpy.testing.assert_allclose(mine.numpy(), reference.numpy(), 1e-10, 1e-10,
                                          err_msg=f"{case}, align_corners={corners}")


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_antialiased_interpolation_equals_pytorch(mode):
    (x,) = drawn((1, 2, 13, 11))
    for size, corners in itertools.product(((4, 5), (13, 3), (17, 20), (1, 1)), (False, True)):
        options = {"mode": mode, "align_corners": corners, "antialias": True}
        numpy.testing.assert_allclose(
            ours("interpolate")(tinytensor.tensor(x), size, **options).numpy(),
            theirs("interpolate")(torch.tensor(x), size, **options).numpy(), 1e-10, 1e-10)


def test_nearest_picks_the_same_neighbours_as_pytorch_in_large_images():
    x = numpy.arange(331.0).reshape(1, 1, 331)
    for size, mode in itertools.product((17, 97, 330, 332, 661, 662, 1000),
                                        ("nearest", "nearest-exact")):
        numpy.testing.assert_array_equal(
            ours("interpolate")(tinytensor.tensor(x), size, mode=mode).numpy(),
            theirs("interpolate")(torch.tensor(x), size, mode=mode).numpy())


def test_an_infinite_pixel_stays_where_it_is():
    x = tinytensor.zeros(1, 1, 6, 6)
    x[0, 0, 0, 0] = math.inf
    out = ours("interpolate")(x, scale_factor=2, mode="bilinear")
    assert out[0, 0, 0, 0].item() == math.inf
    assert not out[0, 0, 4:, 4:].any()


@pytest.mark.parametrize(("dims", "mode"), [(d, m) for d, modes in MODES.items() for m in modes])
def test_a_factor_that_keeps_or_doubles_the_size(dims, mode):
    """Compares results only. PyTorch's gradient is wrong for nearest with 1 and 3 dims, and for
    bicubic where a size stays the same.
    """
    for n, factor in itertools.product((1, 2, 4, 5, 10), (0.99, 1.01, 1.1, 1.2, 1.7, 2.1, 2.4)):
        if int(n * factor):
            (x,) = drawn((1, 2, *(n, 3, 4)[:dims]))
            agree_with_pytorch(lambda library, x, factor=(factor, *(1.0,) * (dims - 1)):
                library.nn.functional.interpolate(x.detach(), scale_factor=factor, mode=mode), x)


GRIDS = [*itertools.product(("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection"),
                            (False, True))]


@pytest.mark.parametrize(("mode", "padding_mode", "corners"), GRIDS)
def test_points_on_and_beyond_the_border(mode, padding_mode, corners):
    """With padding_mode="border", the gradient by the coordinate is 0 at the border itself."""
    points = [-1.0, 1.0, -0.5, 0.5, 0.0, -5.0, 3.3, -1.25, 1.5]
    grid = numpy.array(list(itertools.product(points, points))).reshape(1, 9, 9, 2)
    for size in ((2, 2), (1, 4)):
        agree_with_pytorch(lambda library, x, grid: library.nn.functional.grid_sample(
            x, grid, mode, padding_mode, corners), *drawn((1, 2, *size)), grid)


@pytest.mark.parametrize(("mode", "padding_mode", "corners"), GRIDS)
def test_points_that_are_not_finite(mode, padding_mode, corners):
    """Compares results only, since PyTorch's backward writes out of bounds for some of these.
    No gradient of the image is NaN.
    """
    grid = numpy.array([[[[math.nan, 0.1], [0.1, math.inf], [-math.inf, 0.0], [0.2, 0.3]]]])
    image, = drawn((1, 2, 3, 3))
    agree_with_pytorch(lambda library, x, grid: library.nn.functional.grid_sample(
        x.detach(), grid.detach(), mode, padding_mode, corners), image, grid)
    x = tinytensor.tensor(image, requires_grad=True)
    ours("grid_sample")(x, tinytensor.tensor(grid), mode, padding_mode,
                        corners)[..., 3].sum().backward()
    assert x.grad.isfinite().all() and x.grad.any()


@pytest.mark.parametrize("padding_mode", ["zeros", "border", "reflection"])
def test_sampling_a_transformed_grid_equals_pytorch(padding_mode):
    x, theta = drawn((2, 3, 6, 5), (2, 2, 3))
    found = []
    for library, function in ((tinytensor, ours), (torch, theirs)):
        image, map_ = (library.tensor(a, requires_grad=True) for a in (x, theta))
        grid = function("affine_grid")(map_, (2, 3, 4, 7), align_corners=False)
        out = function("grid_sample")(image, grid, "bilinear", padding_mode, False)
        found.append([a.detach().numpy() for a in (out, *library.autograd.grad(
            (out * out).sum(), [image, map_]))])
    for mine, reference in zip(*found, strict=True):
        numpy.testing.assert_allclose(mine, reference, 1e-9, 1e-9)


# ---------------------------------------------------------------- the scalar engine


def of_values(array: Any) -> tuple[Any, Any]:
    """A Tensor of scalar Values, and the array of these Values."""
    values = numpy.array([Value(x) for x in array.ravel()], dtype=object).reshape(array.shape)
    return graph.tensor_of(values, None), values


@pytest.mark.parametrize(("name", "shapes", "args"), [
    ("conv1d", [(2, 2, 5), (3, 2, 2), (3,)], (2, 1)),
    ("conv2d", [(2, 2, 4, 5), (4, 1, 2, 3), (4,)], (1, 1, 1, 2)),
    ("conv_transpose2d", [(1, 2, 3, 2), (2, 3, 2, 2), (3,)], (2,)),
    ("unfold", [(1, 2, 4, 4)], (2,)), ("max_pool2d", [(2, 2, 5, 4)], (3, 2, 1)),
    ("avg_pool2d", [(2, 2, 5, 4)], (3, 2, 1, True, False)), ("max_pool1d", [(2, 2, 5)], (2,)),
    ("adaptive_avg_pool2d", [(1, 2, 5, 4)], ((3, 2),)), ("avg_pool3d", [(1, 1, 3, 4, 3)], (2,)),
    ("adaptive_max_pool2d", [(1, 2, 5, 4)], (3,)),
    ("interpolate", [(1, 2, 3, 4)], ((5, 3), None, "bilinear"))])
def test_the_scalar_engine_agrees(name, shapes, args):
    arrays = drawn(*shapes)
    tensors, values = zip(*map(of_values, arrays), strict=True)
    leaves = [tinytensor.tensor(a, requires_grad=True) for a in arrays]
    out, scalars = ours(name)(*leaves, *args), ours(name)(*tensors, *args)._array
    (weights,) = drawn(out.shape, seed=1)
    (scalars * weights).sum().backward()
    (out * tinytensor.tensor(weights)).sum().backward()
    numpy.testing.assert_allclose(numpy.vectorize(float)(scalars), out.detach().numpy(), 1e-12)
    for leaf, nodes in zip(leaves, values, strict=True):
        numpy.testing.assert_allclose(numpy.vectorize(lambda v: v.grad)(nodes),
                                      leaf.grad.numpy(), 1e-12, 1e-12)


# ---------------------------------------------------------------- errors



X, W = (1, 4, 5, 5), (6, 4, 3, 3)
IMPOSSIBLE = [
    ("conv2d", (X, (6, 2, 3, 3)), {}, "(1, 4, 5, 5)"),
    ("conv2d", ((4, 5), W), {}, "(4, 5)"),
    ("conv2d", ((1, 1, 4, 5, 5), W), {}, "(1, 1, 4, 5, 5)"),
    ("conv2d", (X, (6, 4, 3)), {}, "(6, 4, 3)"),
    ("conv2d", (X, (3, 2, 3, 3)), {"groups": 2}, "(3, 2, 3, 3)"),
    ("conv2d", (X, (6, 4, 6, 6)), {}, "(6, 6)"),
    ("conv2d", (X, W), {"dilation": 3}, "(3, 3)"),
    ("conv2d", (X, W), {"stride": 0}, "stride"),
    ("conv2d", (X, W), {"padding": -1}, "padding"),
    ("conv2d", (X, W), {"dilation": 0}, "dilation"),
    ("conv2d", (X, W), {"groups": 0}, "groups"),
    ("conv2d", (X, W), {"stride": (1, 1, 1)}, "stride"),
    ("conv2d", (X, W), {"stride": 1.5}, "stride"),
    ("conv2d", (X, W), {"padding": "same", "stride": 2}, "stride"),
    ("conv2d", (X, W), {"padding": "full"}, "'full'"),
    ("conv2d", (X, W, (3,)), {}, "(3,)"),
    ("conv2d", (X, W, (1, 6)), {}, "(1, 6)"),
    ("conv2d", ((1, 4, 0, 5), W), {"padding": 2}, "(0, 5)"),
    ("conv1d", ((1, 2, 3), (1, 2, 4)), {}, "(4,)"),
    ("conv_transpose2d", (X, (3, 4, 3, 3)), {}, "(1, 4, 5, 5)"),
    ("conv_transpose2d", (X, (4, 3, 3)), {}, "(4, 3, 3)"),
    ("conv_transpose2d", (X, (4, 3, 3, 3)), {"output_padding": 1}, "output_padding"),
    ("conv_transpose2d", ((1, 4, 1, 1), (4, 3, 3, 3)), {"padding": 2}, "(-1, -1)"),
    ("conv_transpose2d", (X, (4, 3, 3, 3)), {"padding": "same"}, "padding"),
    ("conv_transpose2d", (X, (4, 3, 3, 3), (4,)), {}, "(4,)"),
    ("unfold", (X,), {"kernel_size": 6}, "(5, 5)"),
    ("fold", ((1, 27, 8),), {"output_size": 5, "kernel_size": 3}, "(1, 27, 8)"),
    ("fold", ((1, 26, 9),), {"output_size": 5, "kernel_size": 3}, "(1, 26, 9)"),
    ("max_pool2d", (X,), {"kernel_size": 6}, "(1, 4, 5, 5)"),
    ("max_pool2d", (X,), {"kernel_size": 3, "padding": 2}, "padding"),
    ("max_pool2d", ((4, 5),), {"kernel_size": 3}, "(4, 5)"),
    ("max_pool2d", (X,), {"kernel_size": 2, "stride": 0}, "stride"),
    ("max_pool2d", (X,), {"kernel_size": (2, 2, 2)}, "kernel_size"),
    ("max_pool1d", ((5,),), {"kernel_size": 2}, "(5,)"),
    ("avg_pool2d", (X,), {"kernel_size": 2, "divisor_override": 0}, "divisor_override"),
    ("avg_pool2d", (X,), {"kernel_size": 6}, "(1, 4, 5, 5)"),
    ("adaptive_avg_pool2d", (X,), {"output_size": (3, 2, 1)}, "output_size"),
    ("adaptive_avg_pool2d", (X,), {"output_size": -1}, "output_size"),
    ("adaptive_max_pool2d", ((5, 5),), {"output_size": 2}, "(5, 5)"),
    ("interpolate", ((1, 3, 5),), {"size": 7, "mode": "bilinear"}, "(1, 3, 5)"),
    ("interpolate", (X,), {"size": 7, "mode": "sharp"}, "'sharp'"),
    ("interpolate", ((3, 5),), {"size": 3}, "(3, 5)"),
    ("interpolate", (X,), {}, "scale_factor"),
    ("interpolate", (X,), {"size": 7, "scale_factor": 2}, "scale_factor"),
    ("interpolate", (X,), {"size": 7, "align_corners": True}, "align_corners"),
    ("interpolate", (X,), {"size": (7, 7, 7)}, "(7, 7, 7)"),
    ("interpolate", (X,), {"size": 0}, "(0, 0)"),
    ("interpolate", (X,), {"scale_factor": 0.1}, "(0, 0)"),
    ("interpolate", (X,), {"size": 3, "recompute_scale_factor": True}, "recompute"),
    ("interpolate", (X,), {"size": 3, "antialias": True}, "antialias"),
    ("pixel_shuffle", ((1, 5, 2, 2),), {"upscale_factor": 2}, "(1, 5, 2, 2)"),
    ("pixel_shuffle", ((4, 2),), {"upscale_factor": 2}, "(4, 2)"),
    ("pixel_shuffle", (X,), {"upscale_factor": 0}, "upscale_factor"),
    ("pixel_unshuffle", ((1, 4, 3, 3),), {"downscale_factor": 2}, "(1, 4, 3, 3)"),
    ("channel_shuffle", ((1, 5, 2, 2),), {"groups": 2}, "(1, 5, 2, 2)"),
    ("channel_shuffle", ((1, 4),), {"groups": 2}, "(1, 4)"),
    ("local_response_norm", ((3, 4),), {"size": 2}, "(3, 4)"),
    ("local_response_norm", ((2, 3, 4),), {"size": 0}, "size"),
    ("grid_sample", ((1, 2, 3, 3), (1, 4, 4, 3)), {"align_corners": False}, "(1, 4, 4, 3)"),
    ("grid_sample", ((1, 2, 3, 3), (2, 4, 4, 2)), {"align_corners": False}, "(2, 4, 4, 2)"),
    ("grid_sample", ((1, 2, 3, 3), (1, 4, 4, 2)), {"mode": "sharp"}, "'sharp'"),
    ("grid_sample", ((1, 2, 3, 3), (1, 4, 4, 2)), {"padding_mode": "wrap"}, "'wrap'"),
    ("affine_grid", ((1, 2, 3),), {"size": (1, 2, 3), "align_corners": False}, "(1, 2, 3)"),
    ("affine_grid", ((1, 3, 3),), {"size": (1, 2, 3, 3), "align_corners": False}, "(1, 3, 3)"),
    ("affine_grid", ((1, 2, 3),), {"size": (1, 2, 3, 0), "align_corners": False}, "(1, 2, 3, 0)"),
]


@in_turn("name, shapes, options, named", IMPOSSIBLE)
def test_what_is_impossible_raises_as_pytorch_does_and_says_what_it_met(name, shapes, options,
                                                                        named):
    with pytest.raises(Exception) as expected:
        theirs(name)(*(torch.zeros(s) for s in shapes), **options)
    assert expected.type in (RuntimeError, ValueError, TypeError, NotImplementedError)
    with pytest.raises(expected.type) as raised:
        ours(name)(*(tinytensor.zeros(s) for s in shapes), **options)
    assert type(raised.value) is expected.type
    assert name in str(raised.value) and named in str(raised.value)


def test_inputs_of_differing_dtype_are_refused():
    with pytest.raises(RuntimeError, match="float32 and float64"):
        ours("conv2d")(tinytensor.zeros(X), tinytensor.zeros(W, dtype=tinytensor.float64))


def test_means_of_integers_are_refused():
    with pytest.raises(RuntimeError, match=r"avg_pool2d: .*int64"):
        ours("avg_pool2d")(tinytensor.ones(1, 1, 4, 4, dtype=tinytensor.int64), 2)
    with pytest.raises(RuntimeError, match="int64"):
        ours("interpolate")(tinytensor.ones(1, 1, 4, dtype=tinytensor.int64), 7, mode="linear")


def test_max_unpool_refuses_what_no_pooling_gives():
    x, places = tinytensor.zeros(1, 3, 2, 2), tinytensor.zeros(1, 3, 2, 2, dtype=tinytensor.int64)
    unpool = ours("max_unpool2d")
    with pytest.raises(RuntimeError, match=r"index 77 does not lie within an output of \(4, 4\)"):
        unpool(x, places + 77, 2)
    with pytest.raises(ValueError, match=r"\(9, 9\) is not within"):
        unpool(x, places, 2, output_size=(9, 9))
    with pytest.raises(RuntimeError, match=r"\(1, 3, 2, 2\) and \(1, 3, 2, 1\)"):
        unpool(x, places[..., :1], 2)
