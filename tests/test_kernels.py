"""Every kernel against the reference that it replaces.

The tests are generated from the table: for each op that has kernels, all its samples, and larger
ones of odd sizes, with NaN and infinities, strided and transposed, in both dtypes. Other files
compare the references with PyTorch. A kernel that declines all inputs of this file fails.
"""

from __future__ import annotations

import operator
from itertools import chain, count
from typing import Any

import numpy
import pytest
from operations import on_samples

import tinytensor
from tinytensor.arrays.dispatch import Dispatch, KernelSettings, use_kernels
from tinytensor.arrays.threads import Threads
from tinytensor.autograd.table import TABLE
from tinytensor.checking.calls import Drawn, arguments_of, evaluate, is_drawn, replace
from tinytensor.checking.checks import compare_kernels
from tinytensor.kernels import loops
from tinytensor.kernels.cpu import convolution, linalg
from tinytensor.kernels.pool import pool
from tinytensor.ops.convolution import Frame, line_taps
from tinytensor.ops.pooling import Line, Tap
from tinytensor.ops.samples import S, ints, t

ENTRIES = {key: entry for key, entry in TABLE.items() if entry.op is not None and entry.op.kernels}

# (images, channels in, channels out, frame): rows shorter than a vector, of whole vectors and with
# a remainder; strides, padding, dilation, groups of many and of one channel; one and three dims.
CONVOLUTIONS = [
    (5, 1, 6, Frame((12, 14), (8, 10), (5, 5), (1, 1), (0, 0), (1, 1))),
    (3, 3, 7, Frame((9, 16), (9, 16), (3, 3), (1, 1), (1, 1), (1, 1))),
    (3, 6, 4, Frame((9, 21), (5, 10), (3, 2), (2, 2), (1, 0), (1, 2), 2)),
    (2, 5, 5, Frame((7, 11), (7, 11), (3, 3), (1, 1), (1, 1), (1, 1), 5)),
    (2, 2, 3, Frame((8, 19), (3, 7), (1, 1), (3, 3), (0, 1), (1, 1))),
    (2, 3, 5, Frame((23,), (7,), (3,), (3,), (1,), (2,))),
    (2, 2, 3, Frame((5, 6, 11), (5, 3, 9), (3, 2, 3), (1, 2, 1), (1, 0, 0), (1, 1, 1))),
]

# An odd number of sequences, and hidden units that do not fill whole vectors; both directions.
FORTH = tuple(slice(9 * i, 9 * (i + 1)) for i in range(5))
SEQUENCES = [FORTH, FORTH[::-1], FORTH[:1]]

# Windows of two that tile an axis, and of three that overlap and reach into the padding.
TWOS = Line(26, 13, [Tap(*tap) for tap in line_taps(26, 13, 2, 2, 0, 1)])
THREES = Line(31, 16, [Tap(*tap) for tap in line_taps(31, 16, 3, 2, 1, 1)])

ROWS = numpy.random.default_rng(0).integers(0, 40, 301)

# Samples in addition to those of the table: odd sizes, larger than a vector and a thread's piece.
LARGE: dict[str, list[S]] = {
    **{name: [S(t(7, 1531, low=-9, high=9))]
       for name in ("relu", "tanh", "sigmoid", "silu", "leaky_relu", "elu", "hardswish")},
    "gelu": [S(t(7, 1531, low=-9, high=9)), S(t(7, 1531, low=-9, high=9), approximate="tanh")],
    "convolution": [S(t(n, c, *f.size), t(o, c // f.groups, *f.kernel), t(o), f)
                    for n, c, o, f in CONVOLUTIONS],
    "convolution_input": [S(t(n, o, *f.out), t(o, c // f.groups, *f.kernel), f)
                          for n, c, o, f in CONVOLUTIONS],
    "rnn_sequence": [S(t(9 * len(steps), 13), t(13, 13), t(9, 13), steps, how)
                     for steps in SEQUENCES for how in ("tanh", "relu")],
    "lstm_sequence": [S(t(9 * len(steps), 52), t(52, 13), t(9, 13), t(9, 13), steps)
                      for steps in SEQUENCES],
    "gru_sequence": [S(t(9 * len(steps), 39), t(39, 13), bias, t(9, 13), steps)
                     for steps in SEQUENCES for bias in (t(39), None)],
    "convolution_weight": [S(t(n, c, *f.size), t(n, o, *f.out), f) for n, c, o, f in CONVOLUTIONS],
    "attention": [S(*(t(*lead, 61, 20) for _ in range(3)), None, True, 0.3) for lead in
                  ((), (3,), (2, 3))]
                 + [S(t(2, 3, 101, 20), t(2, 3, 70, 20), t(2, 3, 70, 33), None, causal, 0.3)
                    for causal in (True, False)]
                 + [S(t(2, 3, 50, 4), t(2, 3, 70, 4), t(2, 3, 70, 4), t(*mask, grad=False), False,
                      0.5)
                    for mask in ((50, 70), (2, 3, 50, 70), (2, 1, 1, 70), (3, 1, 70), (50, 1))],
    "standardize": [S(t(131, 65), t(65), t(65), (1,), 1e-5), S(t(2, 1531), None, None, (1,), 0.1),
                    S(t(3, 5, 7, 9), t(7, 9), None, (2, 3), 1e-5),
                    S(t(3, 5, 7, 9), t(5, 1, 1), t(5, 1, 1), (0, 2, 3), 1e-5),
                    S(t(2, 5, 61), None, t(5, 1), (0, 2), 0.1)],
    "linear": [S(t(67, 35), t(51, 35), t(51)), S(t(2, 5, 35), t(51, 35)), S(t(0, 35), t(51, 35)),
               S(t(1, 67), t(81, 67), t(81))],
    "linear_relu": [S(t(67, 35), t(51, 35), t(51)), S(t(2, 5, 35), t(51, 35)),
                    S(t(0, 35), t(51, 35)), S(t(1, 67), t(81, 67), t(81)),
                    S(t(331, 7), t(101, 7), t(101))],
    "matmul": [S(t(67, 35), t(35, 51)), S(t(2, 5, 35), t(35, 51)), S(t(0, 35), t(35, 51))],
    "window_sum": [S(t(5, 31, 17), 1, THREES), S(t(6, 31), 1, THREES)],
    "window_max": [S(t(5, 31, 17), 1, THREES), S(t(6, 31), 1, THREES),
                   S(t(5, 26, 17), 1, TWOS), S(t(7, 26), 1, TWOS)],
    "put_zeros": [S(t(301, 65), (40, 65), (ROWS,)), S(t(301), (40,), (ROWS - 40,))],
    "cumsum": [S(t(7, 3, 61), 2), S(t(7, 61, 5), -2), S(t(2, 1531), 1)],
    "softmax": [S(t(7, 3, 61), -1), S(t(2, 1531), 1), S(t(301, 65, low=-40, high=40), 1)],
    "log_softmax": [S(t(7, 3, 61), -1), S(t(2, 1531), 1), S(t(301, 65, low=-40, high=40), 1)],
    "label_cross_entropy": [S(t(301, 65, low=-40, high=40), ints(301, high=65)),
                            S(t(2, 1531), ints(2, high=1531)),
                            S(t(301, 65), ints(301, high=65), reduction="mean"),
                            S(t(301, 65), ints(301, high=65), reduction="sum")],
}

# Kernels that skip elements that the reference multiplies by 0, and so do not propagate their NaN.
SKIPS = ("attention",)

pytestmark = pytest.mark.skipif(loops.Numba.missing, reason="the kernels need numba")


@pytest.fixture(autouse=True)
def never_too_small(monkeypatch, kernels):
    monkeypatch.setattr(KernelSettings, "min_work", 0)
    for name in ("BLAS_THREADS", "BLAS_THREADS_VECTOR", "OUR_THREADS", "OUR_THREADS_VECTOR"):
        monkeypatch.setattr(linalg, name, 1)


@pytest.fixture(autouse=True)
def pieces_in_turn(monkeypatch):
    """Runs every loop in two pieces in this thread.

    With threads, each loop would be compiled once more. test_threads.py tests them.
    """
    def split(loop, length, *args, align=1, least=1):
        middle = length // 2 // align * align
        for start, stop in ((0, middle), (middle, length)):
            if stop > start:
                loop(start, stop, *args)

    monkeypatch.setattr(Threads, "count", 2)
    monkeypatch.setattr(pool, "split", split)


def samples(entry: Any) -> list[S]:
    return [*entry.samples, *LARGE.get(entry.name, [])]


dtypes = pytest.mark.parametrize("dtype", [numpy.float64, numpy.float32], ids=["f64", "f32"])


@dtypes
@on_samples(ENTRIES, samples)
def test_equals_its_reference(entry, sample, dtype):
    compare_kernels(entry, arguments_of(sample, entry.name), dtype)


@pytest.mark.parametrize(("layout", "dtype"), [
    *((layout, numpy.float32) for layout in ("transposed", "strided", "shifted", "broadcast",
                                             "interleaved")),
    *((layout, numpy.float64) for layout in ("transposed", "strided", "shifted"))])
@on_samples(ENTRIES, samples)
def test_on_memory_that_is_not_dense_or_not_aligned(entry, sample, dtype, layout):
    def change(x):
        if x.ndim < 2 or not x.is_floating_point():
            return x
        if layout == "transposed":
            return x.transpose(-1, -2).contiguous().transpose(-1, -2)
        if layout == "strided":
            wide = tinytensor.zeros((*x.shape[:-1], 2 * x.shape[-1]), dtype=x.dtype)
            wide[..., ::2] = x
            return wide[..., ::2]
        if layout == "broadcast":
            return x[..., :1, :].expand(*x.shape) if x.numel() and x.shape[-2] > 1 else x
        if layout == "interleaved":  # contiguous rows, as in heads that were split
            return x.transpose(0, -2).contiguous().transpose(0, -2)
        flat = tinytensor.zeros(x.numel() + 1, dtype=x.dtype)[1:]
        return flat.copy_(x.reshape(-1)).view(tuple(x.shape))

    compare_kernels(entry, arguments_of(sample, entry.name), dtype, lambda x: change(x).detach())


# Inputs far from 0, for which the order of a sum matters, and very small and very large inputs, for
# which products underflow and overflow.
MAGNITUDES = [*((1.0, offset) for offset in (1e2, 1e4, 1e6, 1e8)),
              *((scale, 0.0) for scale in (1e-20, 1e-10, 1e5, 1e15))]
EPS = {dtype: float(numpy.finfo(dtype).eps) for dtype in (numpy.float32, numpy.float64)}


def rescaled(arguments: Any, scale: float, offset: float, dtype: Any, which: Any) -> Any:
    """The arguments, with the floating point inputs that `which` selects scaled and shifted."""
    position = count()

    def change(x: Drawn) -> Drawn:
        if x.array.dtype.kind != "f":
            return x
        array = x.array * scale + offset if which(next(position)) else x.array
        return Drawn(array.astype(dtype).astype(numpy.float64), x.grad)

    return replace(arguments, is_drawn, change)


def distances(found: list[Any], exact: list[Any]) -> list[Any]:
    """The largest difference of each result and gradient, where both are finite."""
    return [None if x is None else numpy.abs(numpy.where(
        numpy.isfinite(x) & numpy.isfinite(y), x - y.astype(float), 0)).max(initial=0)
        for x, y in zip(found, exact, strict=True)]


def results_of(entry: Any, arguments: Any, dtype: Any) -> list[Any]:
    return list(chain(*evaluate(entry, arguments, dtype)))


def some(entry: Any) -> list[S]:
    """A third of the samples, to save time."""
    return (LARGE.get(entry.name) or list(entry.samples))[::3]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # float32 overflows
@on_samples(ENTRIES, some)
def test_far_from_zero_and_at_any_scale(entry, sample):
    """A kernel is about as accurate as its reference.

    The rounding error of a result is measured as the distance between the reference in float32 and
    in float64. At an offset of 1e8, float32 loses the inputs, and the error in float64 is estimated
    from that at 1e6. Results that are smaller than their error are not compared.
    """
    for which in (bool, operator.not_):  # all inputs but the first, then the first
        before: list[Any] = []
        for scale, offset in MAGNITUDES:
            arguments = [rescaled(arguments_of(sample, entry.name), scale, offset, dtype, which)
                         for dtype in EPS]
            with use_kernels(False):
                rounded = results_of(entry, arguments[0], numpy.float32)
                exact = [results_of(entry, part, numpy.float64) for part in arguments]
            suffered = distances(rounded, exact[0])
            losses = [suffered, [x and 1e4 * x for x in before] if offset == 1e8 else suffered]
            before = suffered
            for dtype, part, truth, loss in zip(EPS, arguments, exact, losses, strict=True):
                found = results_of(entry, part, dtype)
                for mine, single, true, far, lost in zip(
                        found, rounded, truth, distances(found, truth), loss, strict=True):
                    if mine is None:
                        continue
                    finite = numpy.isfinite(single)
                    assert numpy.isfinite(mine[finite]).all(), (scale, offset, dtype)
                    size = numpy.abs(true[numpy.isfinite(true)]).max(initial=0)
                    allowed = 8 * lost * EPS[dtype] / EPS[numpy.float32] + 64 * EPS[dtype] * size
                    assert far <= allowed or lost > size, (scale, offset, dtype)


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning", "ignore:overflow:RuntimeWarning")
@pytest.mark.parametrize("entry", ENTRIES.values(), ids=list(ENTRIES))
@dtypes
def test_with_nan_and_infinities(entry, dtype):
    rng = numpy.random.default_rng(0)

    def change(x):
        if x.is_floating_point() and x.numel():
            flat = x.reshape(-1)
            at = rng.integers(0, x.numel(), 3)
            for where, value in zip(at, (numpy.nan, numpy.inf, -numpy.inf), strict=True):
                flat[int(where)] = float(value)
            return flat.reshape(tuple(x.shape))
        return x

    for sample in samples(entry):
        state = rng.bit_generator.state
        with use_kernels(False):
            expected = evaluate(entry, arguments_of(sample, entry.name), dtype, change)
        rng.bit_generator.state = state
        actual = evaluate(entry, arguments_of(sample, entry.name), dtype, change)
        tolerance = 1e-11 if dtype == numpy.float64 else 2e-5
        for mine, reference in zip(chain(*actual), chain(*expected), strict=True):
            if mine is not None:
                if entry.name in SKIPS:
                    mine = numpy.where(numpy.isnan(reference), numpy.nan, mine)
                scale = numpy.abs(reference[numpy.isfinite(reference)]).max(initial=1)
                numpy.testing.assert_allclose(mine, reference, tolerance, tolerance * scale)


@pytest.mark.parametrize(("entry", "part"), [
    pytest.param(entry, part, id=f"{key} {' '.join(part) or 'forward'}")
    for key, entry in ENTRIES.items() for part, of in entry.op.kernels.items()
    if "cpu" in of.kernels])
@dtypes
def test_runs_on_some_sample(entry, part, dtype, monkeypatch):
    """A kernel that always declines would pass all comparisons."""
    kernel, ran = entry.op.kernels[part].kernels["cpu"], []

    def counted(*args, **kwargs):
        found = kernel(*args, **kwargs)
        ran.append(found is not None)
        return found

    monkeypatch.setitem(entry.op.kernels[part].kernels, "cpu", counted)
    entry.op.changed()
    for sample in samples(entry):
        evaluate(entry, arguments_of(sample, entry.name), dtype)
    assert any(ran), f"it ran on none of {len(ran)} calls"


# Images with rows shorter than a vector, computed in two batches; strides, a 1 by 1 kernel.
SMALL_IMAGES = [
    (5, 6, 7, Frame((4, 4), (4, 4), (3, 3), (1, 1), (1, 1), (1, 1))),
    (4, 5, 9, Frame((5, 4), (3, 2), (3, 2), (2, 2), (1, 0), (1, 2))),
    (3, 8, 4, Frame((7, 7), (7, 7), (1, 1), (1, 1), (0, 0), (1, 1))),
    (2, 3, 5, Frame((9,), (3,), (2,), (3,), (0,), (2,))),
]


@dtypes
@pytest.mark.parametrize("values", ["numbers", "an infinity"])
def test_convolutions_as_products_equal_the_reference(dtype, values, monkeypatch):
    monkeypatch.setattr(convolution, "_product_is_faster", lambda *_: True)
    monkeypatch.setattr(convolution, "WINDOWS", 400)

    def change(x):
        return x if values == "numbers" or x.ndim < 3 else x.index_fill(
            -1, tinytensor.tensor([0]), float("inf"))

    for n, c, o, f in SMALL_IMAGES:
        x, w, g = t(n, c, *f.size), t(o, c, *f.kernel), t(n, o, *f.out)
        for name, arguments in (("convolution", (x, w, t(o), f)), ("convolution_input", (g, w, f)),
                                ("convolution_weight", (x, g, f))):
            compare_kernels(TABLE[f"internal.{name}"], arguments_of(S(*arguments), name),
                            dtype, change)


def test_small_images_with_many_channels_are_products(monkeypatch):
    chosen = []
    is_faster = convolution._product_is_faster

    def noted(*arguments):
        chosen.append(is_faster(*arguments))
        return chosen[-1]

    monkeypatch.setattr(convolution, "_product_is_faster", noted)
    for channels, size in ((256, 4), (16, 32), (4, 4)):
        layer = tinytensor.nn.Conv2d(channels, channels, 3, padding=1)
        layer(tinytensor.ones(8, channels, size, size, requires_grad=True)).sum().backward()
    assert chosen == [True] * 3 + [False] * 6


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_weights_of_another_size_are_the_body_s_error(kind):
    """The reference raises. The kernels do not check bounds."""
    layer, x = getattr(tinytensor.nn, kind)(3, 8), tinytensor.ones(5, 4, 3)
    layer(x)
    rows = layer.weight_hh_l0.shape[0]
    for shape in ((rows, 9), (rows + 8, 8), (rows - 4, 8)):
        layer.weight_hh_l0 = tinytensor.nn.Parameter(tinytensor.ones(shape))
        messages = []
        for on in (True, False):
            with use_kernels(on), pytest.raises((RuntimeError, ValueError)) as caught:
                layer(x)
            messages.append(str(caught.value))
        assert messages[0] == messages[1]


# ---------------------------------------------------------------- dispatch


def test_a_kernel_must_take_what_its_reference_takes():
    part = Dispatch("scale", lambda xp, x, factor: x * factor)
    with pytest.raises(TypeError, match=r"the kernel takes \(x\), the reference \(x, factor\)"):
        part.kernel("cpu")(lambda x: x)
    with pytest.raises(ValueError, match="the devices are cpu and cuda"):
        part.kernel("tpu")


def test_the_reference_runs_where_a_kernel_declines_or_is_switched_off():
    part = Dispatch("scale", lambda xp, x, factor: x * factor)
    part.kernel("cpu")(lambda x, factor: None if factor == 2 else -x)
    assert part(numpy, 3, 2) == 6
    assert part(numpy, 3, 5) == -3
    with use_kernels(False):
        assert not KernelSettings.enabled
        assert part(numpy, 3, 5) == 15


def test_a_kernel_of_several_rules_stands_in_for_each_that_is_needed():
    op = TABLE["nn.functional.linear"].op
    rng = numpy.random.default_rng(0)
    g, weight, x = (rng.standard_normal(shape) for shape in ((5, 3), (3, 4), (5, 4)))
    with use_kernels(False):
        d_x, d_weight, d_bias = op.kernels["input", "weight", "bias"](
            numpy, g, weight, x, (True, False, True))
    assert d_weight is None
    numpy.testing.assert_allclose(d_x, g @ weight)
    numpy.testing.assert_allclose(d_bias, g.sum(0))
    with pytest.raises(KeyError, match="there are rules for input, weight, bias"):
        op.kernel("cpu", "input", "scale")
