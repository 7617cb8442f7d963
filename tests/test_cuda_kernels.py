"""CUDA kernels against the references that they replace.

Without a GPU their text runs on the CPU (`cuda_on_cpu.py`), on arrays of `strict_cupy`. With
`pytest -m cuda` the same tests run on CuPy. For each operation that has such kernels: all samples
of the table, and larger ones; results and gradients.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import cuda_on_cpu
import numpy
import nvrtc
import pytest
import strict_cupy
from operations import on_samples

import tinytensor
from tinytensor import nn, optim
from tinytensor.amp import GradScaler
from tinytensor.arrays.devices import gpu_module
from tinytensor.arrays.dispatch import use_kernels
from tinytensor.autograd.deferred import mark_if_outside
from tinytensor.autograd.table import TABLE
from tinytensor.checking.calls import (
    Drawn,
    arguments_of,
    gradients,
    is_drawn,
    ours,
    outputs,
    replace,
)
from tinytensor.checking.comparing import all_close
from tinytensor.kernels.cuda import checks, copies, elementwise, pooling, recurrent
from tinytensor.kernels.cuda import optim as steps
from tinytensor.kernels.cuda.launch import Source
from tinytensor.kernels.cuda.products import product
from tinytensor.nn.utils import clip_grad
from tinytensor.ops.convolution import Frame, line_taps
from tinytensor.ops.pooling import Line, Tap
from tinytensor.ops.samples import S, ints, t

F = nn.functional
ROOT = Path(__file__).parent.parent

ENTRIES = {key: entry for key, entry in TABLE.items() if entry.op is not None
           and any("cuda" in part.kernels for part in entry.op.kernels.values())}

# (images, channels in, channels out, frame): strides, padding, dilation, groups of many and of one
# channel; one and three dims; windows that are the pixels.
CONVOLUTIONS = [
    (3, 3, 7, Frame((9, 16), (9, 16), (3, 3), (1, 1), (1, 1), (1, 1))),
    (3, 6, 4, Frame((9, 21), (5, 10), (3, 2), (2, 2), (1, 0), (1, 2), 2)),
    (2, 5, 10, Frame((7, 11), (7, 11), (3, 3), (1, 1), (1, 1), (1, 1), 5)),
    (2, 4, 3, Frame((5, 7), (5, 7), (1, 1), (1, 1), (0, 0), (1, 1))),
    (2, 3, 5, Frame((23,), (7,), (3,), (3,), (1,), (2,))),
    (2, 2, 3, Frame((5, 6, 11), (5, 3, 9), (3, 2, 3), (1, 2, 1), (1, 0, 0), (1, 1, 1))),
]
# Five sequences of nine rows, in both directions; 203 steps, which take two launches.
FORTH = tuple(slice(9 * i, 9 * (i + 1)) for i in range(5))
SEQUENCES = [FORTH, FORTH[::-1], FORTH[:1]]
TWOS = Line(26, 13, [Tap(*tap) for tap in line_taps(26, 13, 2, 2, 0, 1)])
THREES = Line(31, 16, [Tap(*tap) for tap in line_taps(31, 16, 3, 2, 1, 1)])

# Cross entropy with weights, labels that are left out, and smoothing; a warp and a block to a row,
# one block, and several.
SMOOTHED = [S(t(rows, classes, low=-40, high=40), ints(rows, high=classes),
              t(classes, low=0.5, grad=False), reduction, 3, smoothing)
            for rows, classes, reduction, smoothing in (
                (37, 131, "mean", 0.2), (33, 10, "none", 0.3), (3, 1300, "sum", 0.0),
                (35, 2100, "mean", 0.1), (1201, 67, "mean", 0.0))]

# Samples in addition to those of the table: more rows than a block, odd sizes, several blocks.
LARGE: dict[str, list[S]] = {
    **{name: [S(t(3, 211, low=-9, high=9))] for name in (
        "relu", "tanh", "sigmoid", "silu", "leaky_relu", "elu", "mish", "hardswish", "softplus",
        "logsigmoid", "gelu", "erf", "erfc")},
    "softmax": [S(t(5, 131, low=-40, high=40), 1), S(t(3, 67, 5), 1), S(t(2, 1100), 1)],
    "log_softmax": [S(t(5, 131, low=-40, high=40), 1), S(t(3, 67, 5), 1)],
    "label_cross_entropy": [*SMOOTHED, S(t(37, 131, low=-40, high=40), ints(37, high=131)),
                            S(t(41, 10), ints(41, high=10), reduction="mean"),
                            S(t(7, 1300), ints(7, high=1300), reduction="sum")],
    "standardize": [S(t(31, 65), t(65), t(65), (1,), 1e-5), S(t(2, 531), None, None, (1,), 0.1),
                    S(t(3, 5, 7, 9), t(7, 9), None, (2, 3), 1e-5),
                    S(t(3, 5, 7, 9), t(5, 1, 1), t(5, 1, 1), (0, 2, 3), 1e-5),
                    S(t(4, 5), t(5), t(5), (0,), 1e-5),
                    S(t(2, 5, 61), None, t(5, 1), (0, 2), 0.1)],
    "layer_norm": [S(t(700, 5), (5,), t(5), t(5)), S(t(2, 3, 4, 33), (4, 33), t(4, 33), t(4, 33))],
    "rms_norm": [S(t(700, 5), (5,), t(5)), S(t(2, 3, 4, 33), (4, 33), t(4, 33), 0.1),
                 S(t(4, 300), (300,))],
    "linear": [S(t(67, 35), t(51, 35), t(51)), S(t(2, 5, 35), t(51, 35)),
               S(t(1100, 3), t(5, 3), t(5))],
    "linear_relu": [S(t(67, 35), t(51, 35), t(51)), S(t(2, 5, 35), t(51, 35), t(51))],
    "convolution": [S(t(n, c, *f.size), t(o, c // f.groups, *f.kernel), t(o), f)
                    for n, c, o, f in CONVOLUTIONS],
    "convolution_input": [S(t(n, o, *f.out), t(o, c // f.groups, *f.kernel), f)
                          for n, c, o, f in CONVOLUTIONS],
    "convolution_weight": [S(t(n, c, *f.size), t(n, o, *f.out), f) for n, c, o, f in CONVOLUTIONS],
    "rnn_sequence": [S(t(9 * len(steps), 13), t(13, 13), t(9, 13), steps, how)
                     for steps in SEQUENCES for how in ("tanh", "relu")],
    "lstm_sequence": [S(t(9 * len(steps), 52), t(52, 13), t(9, 13), t(9, 13), steps)
                      for steps in SEQUENCES],
    "gru_sequence": [S(t(9 * len(steps), 39), t(39, 13), bias, t(9, 13), steps)
                     for steps in SEQUENCES for bias in (t(39), None)],
    "window_sum": [S(t(5, 31, 3), 1, THREES), S(t(7, 26), 1, TWOS)],
    "window_max": [S(t(5, 31, 3), 1, THREES), S(t(5, 26, 3), 1, TWOS), S(t(7, 26), 1, TWOS)],
    "attention": [S(*(t(*lead, 37, 8) for _ in range(3)), None, True, 0.3) for lead in
                  ((), (3,), (2, 3))]
                 + [S(t(2, 3, 35, 4), t(2, 3, 70, 4), t(2, 3, 70, 7), t(*mask, grad=grad), causal,
                      0.5)
                    for mask, grad, causal in (
                        ((35, 70), True, False), ((2, 3, 35, 70), True, False),
                        ((2, 1, 1, 70), False, True), ((3, 1, 70), False, False),
                        ((35, 1), True, True))],
}

dtypes = pytest.mark.parametrize("dtype", [numpy.float64, numpy.float32], ids=["f64", "f32"])
TOLERANCES = {"float64": 1e-11, "float32": 2e-5, "float16": 2e-3}


@pytest.fixture(autouse=True)
def device(gpu, kernels):
    """The arrays of device="cuda", and kernels."""
    if gpu.__name__ != "cupy" and cuda_on_cpu.missing():
        pytest.skip(cuda_on_cpu.missing())


def samples(entry: Any) -> list[S]:
    return [*entry.samples, *LARGE.get(entry.name, [])]


def computed(entry: Any, arguments: Any, dtype: Any, where: str,
             change: Any = lambda x: x) -> tuple[list[Any], list[Any]]:
    """The results and gradients of a call on a device, as NumPy arrays."""
    (args, kwargs), leaves = ours(
        arguments, dtype, make=lambda a: change(tinytensor.tensor(a, device=where)))
    results = outputs(entry.function(*args, **kwargs))
    found = results, gradients(tinytensor, results, leaves)
    return tuple([None if x is None else x.detach().cpu().numpy() for x in list_]
                 for list_ in found)  # type: ignore[return-value]


def compare(entry: Any, arguments: Any, dtype: Any, change: Any = lambda x: x) -> None:
    """Compares the kernels with the references on the CPU."""
    with use_kernels(False):
        expected = computed(entry, arguments, dtype, "cpu", change)
    found = computed(entry, arguments, dtype, "cuda", change)
    for what, mine, references in zip(("result", "gradient"), found, expected, strict=True):
        all_close(mine, references, TOLERANCES[numpy.dtype(dtype).name], f"{what} {{}}".format)


@dtypes
@on_samples(ENTRIES, samples)
def test_equals_its_reference(entry, sample, dtype):
    compare(entry, arguments_of(sample, entry.name), dtype)


@on_samples(ENTRIES, lambda entry: LARGE.get(entry.name, [])[:2])
def test_float16_is_computed_in_float32(entry, sample):
    compare(entry, arguments_of(sample, entry.name), numpy.float16)


@pytest.mark.parametrize("order", [1, 2, 3])
@on_samples(ENTRIES, lambda entry: LARGE.get(entry.name, [])[::2])
def test_in_other_orders_of_threads(entry, sample, order):
    with cuda_on_cpu.in_order(order):
        compare(entry, arguments_of(sample, entry.name), numpy.float32)


@pytest.mark.parametrize("layout", ["transposed", "strided", "shifted", "broadcast"])
@on_samples(ENTRIES, lambda entry: samples(entry)[-3:])
def test_on_memory_that_is_not_dense(entry, sample, layout):
    def change(x):
        if x.ndim < 2 or not x.is_floating_point():
            return x
        if layout == "transposed":
            return x.transpose(-1, -2).contiguous().transpose(-1, -2)
        if layout == "strided":
            wide = tinytensor.zeros((*x.shape[:-1], 2 * x.shape[-1]), dtype=x.dtype,
                                    device=x.device)
            wide[..., ::2] = x
            return wide[..., ::2]
        if layout == "broadcast":
            return x[..., :1, :].expand(*x.shape) if x.numel() and x.shape[-2] > 1 else x
        flat = tinytensor.zeros(x.numel() + 1, dtype=x.dtype, device=x.device)[1:]
        return flat.copy_(x.reshape(-1)).view(tuple(x.shape))

    compare(entry, arguments_of(sample, entry.name), numpy.float32, lambda x: change(x).detach())


# Kernels that skip what the reference multiplies by 0, and so do not propagate its NaN; and the
# function whose reference gives NaN in place of the limit at infinity.
OTHER_AT_NAN = ("attention", "hardswish", "lstm_sequence")


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("value", [numpy.nan, numpy.inf, -numpy.inf])
@on_samples({k: e for k, e in ENTRIES.items() if e.name not in OTHER_AT_NAN},
            lambda entry: LARGE.get(entry.name, [])[:2])
def test_special_values(entry, sample, value):
    def change(x):
        array = x.array.copy()
        if array.dtype.kind == "f" and array.size > 2:
            array.reshape(-1)[array.size // 2] = value
        return Drawn(array, x.grad)

    compare(entry, replace(arguments_of(sample, entry.name), is_drawn, change), numpy.float64)


@on_samples({k: e for k, e in ENTRIES.items() if e.name in ("gelu", "layer_norm", "softmax",
                                                           "linear", "convolution", "attention")},
            lambda entry: entry.samples[:2])
def test_second_derivatives_go_the_plain_way(entry, sample):
    found = []
    for where in ("cpu", "cuda"):
        (args, kwargs), leaves = ours(arguments_of(sample, entry.name), numpy.float64,
                                      make=lambda a: tinytensor.tensor(a, device=where))  # noqa: B023
        first = gradients(tinytensor, outputs(entry.function(*args, **kwargs)), leaves,
                          create_graph=True)
        found.append(gradients(tinytensor, [g for g in first if g is not None], leaves))
    for reference, mine in zip(*found, strict=True):
        assert (mine is None) == (reference is None)
        if mine is not None:
            numpy.testing.assert_allclose(*(x.cpu().numpy() for x in (mine, reference)), 1e-10,
                                       1e-10)


@pytest.mark.parametrize("options", [
    {}, {"reduction": "sum", "label_smoothing": 0.1}, {"weight": [1.0, 2, 3]},
    {"weight": [1.0, 2, 3], "label_smoothing": 0.2}, {"ignore_index": 1}])
def test_cross_entropy_with_labels_that_are_left_out(options):
    """First and second derivatives, and `vmap` over the scores."""
    found = []
    for where in ("cpu", "cuda"):
        given = {k: tinytensor.tensor(v, device=where) if k == "weight" else v
                 for k, v in options.items()}
        scores = (tinytensor.arange(24.0, device=where) * 1.7).sin().reshape(2, 4, 3)
        labels = tinytensor.tensor([0, options.get("ignore_index", -100), 2, 1], device=where)
        x = scores[0].clone().requires_grad_()
        loss = F.cross_entropy(x, labels, **given)
        (first,) = tinytensor.autograd.grad(loss, x, create_graph=True)
        (second,) = tinytensor.autograd.grad((first * first).sum(), x)
        mapped = tinytensor.vmap(lambda x: F.cross_entropy(x, labels, **given))(scores)  # noqa: B023
        found.append([y.detach().cpu().numpy() for y in (loss, first, second, mapped)])
    for reference, mine in zip(*found, strict=True):
        numpy.testing.assert_allclose(mine, reference, 1e-5, 1e-7)


def test_checks_and_losses_of_nothing(gpu):
    """No label, and no element to check."""
    for where in ("cpu", "cuda"):
        scores = tinytensor.ones(0, 3, device=where).requires_grad_()
        labels = tinytensor.ones(0, dtype=tinytensor.int64, device=where)
        for options, loss in (({}, "nan"), ({"reduction": "sum", "label_smoothing": 0.1}, "0.0")):
            found = F.cross_entropy(scores, labels, **options)
            found.backward()
            assert str(found.item()) == loss and scores.grad.shape == (0, 3)
        assert tinytensor.normal(0.0, scores.detach()).shape == (0, 3)
        every = F.cross_entropy(tinytensor.ones(2, 3, device=where), tinytensor.full(
            (2,), -100, device=where))
        assert str(every.item()) == "nan"
        weight = tinytensor.tensor([1.0, 0.0], device=where)
        labels = tinytensor.tensor([1, 1], device=where)
        for rows in (2, 3000):  # one block, and several
            scores = tinytensor.rand(rows, 2, device=where).requires_grad_()
            every = F.cross_entropy(scores, labels[:1].expand(rows), weight, label_smoothing=0.1)
            every.backward()
            assert str(every.item()) == "nan" and scores.grad.isnan().all()
            mapped = tinytensor.vmap(lambda x: F.cross_entropy(
                x, labels[:1].expand(len(x)), weight, label_smoothing=0.1))(scores.detach()[None])  # noqa: B023
            assert mapped.isnan().all()
        for name in ("cross_entropy", "nll_loss"):
            scores = tinytensor.zeros(2, 0, device=where, requires_grad=True)
            for reduction, loss in (("mean", "nan"), ("sum", "0.0")):
                every = getattr(F, name)(scores, labels * 0 - 100, reduction=reduction)
                every.backward()
                assert str(every.item()) == loss and scores.grad.shape == (2, 0)
            with pytest.raises(IndexError, match="0 classes"):
                getattr(F, name)(scores, labels).item()
            assert tinytensor.ones(1, device=where).item() == 1.0  # no error is left over


@pytest.mark.parametrize(("rows", "classes", "launches"), [
    (128, 10, 1), (8, 1500, 2), (1200, 67, 2), (1, 1500, 1)])
def test_launches_of_cross_entropy(gpu, rows, classes, launches):
    """One launch backward; forward a second one if the scores are many. A wrong label is marked
    by the same launch.
    """
    if gpu.__name__ == "cupy":
        pytest.skip("launches are counted without a GPU only")
    x = wide(rows, classes).requires_grad_()
    labels = tinytensor.arange(rows, device="cuda") % classes
    cuda_on_cpu.Launches.names.clear()
    loss = F.cross_entropy(x, labels)
    assert cuda_on_cpu.Launches.names.total() == launches
    loss.backward()
    assert cuda_on_cpu.Launches.names.total() == launches + 1
    labels[rows // 2] = classes
    loss = F.cross_entropy(x, labels, label_smoothing=0.1)
    with pytest.raises(IndexError, match=f"label {classes} is out of range for {classes} classes"):
        loss.item()


# ---------------------------------------------------------------- optimisers and clipping


SHAPES = [(7, 31), (1,), (), (0, 3), (3, 5, 11), (129,), (5000,)]
STEPS = [("SGD", {"lr": 0.1}), ("SGD", {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1}),
         ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "maximize": True}),
         ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3}),
         ("Adam", {"lr": 0.1}), ("Adam", {"lr": 0.1, "weight_decay": 0.1, "maximize": True}),
         ("AdamW", {"lr": 0.1, "weight_decay": 0.2, "amsgrad": True}),
         ("AdamW", {"lr": 0.1, "weight_decay": 0.2, "capturable": True}),
         ("Adam", {"lr": 0.1, "amsgrad": True, "capturable": True}),
         ("RMSprop", {"lr": 0.1}),
         ("RMSprop", {"lr": 0.1, "centered": True, "momentum": 0.5, "weight_decay": 0.1}),
         ("Adadelta", {"lr": 0.5, "weight_decay": 0.1}), ("Adagrad", {"lr": 0.1, "lr_decay": 0.1}),
         ("Adamax", {"lr": 0.1, "maximize": True}), ("ASGD", {"lr": 0.1, "t0": 1.0}),
         ("NAdam", {"lr": 0.1, "weight_decay": 0.2, "decoupled_weight_decay": True}),
         ("RAdam", {"lr": 0.1, "weight_decay": 0.1, "betas": (0.5, 0.6)}), ("Rprop", {"lr": 0.1})]


def trained(where: str, name: str, options: dict[str, Any], dtypes: Any) -> list[Any]:
    """Parameters and state after some steps: missing, strided and infinite gradients."""
    rng = numpy.random.default_rng(2)
    arrays = [rng.normal(size=shape).astype(dtype) for shape in SHAPES for dtype in dtypes]
    params = [nn.Parameter(tinytensor.tensor(a, device=where)) for a in arrays]
    params.append(nn.Parameter(tinytensor.tensor(arrays[0], device=where).T))
    optimizer = getattr(optim, name)(params, **options)
    for step in range(7 if name == "RAdam" else 3):  # RAdam trusts the variance from step 6 on
        for i, p in enumerate(params):
            grad = numpy.asarray(rng.normal(size=tuple(p.shape)))
            if i == 2 and grad.size > 3:
                grad.reshape(-1)[:3] = numpy.nan, numpy.inf, -numpy.inf
            if i + step != 3:
                p.grad = tinytensor.tensor(grad, dtype=p.dtype, device=where)
            if step % 2 and p.grad is not None and p.ndim == 2:
                p.grad = p.grad.T.contiguous().T
        optimizer.step()
    state = [s[key] for s in optimizer.state.values() for key in sorted(s) if key != "step"]
    return [x.detach().cpu().numpy() for x in params + state]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("name", "options"), STEPS, ids=[f"{n}-{o}" for n, o in STEPS])
def test_steps_of_optimisers(name, options):
    dtypes = ("float32", "float64", "float16")
    with use_kernels(False):
        expected = trained("cpu", name, options, dtypes)
    for mine, reference in zip(trained("cuda", name, options, dtypes), expected, strict=True):
        assert mine.dtype == reference.dtype
        tolerance = {2: 2e-3, 4: 1e-5, 8: 1e-12}[mine.itemsize]
        numpy.testing.assert_allclose(mine, reference, tolerance, tolerance)


@pytest.mark.parametrize("kernels_on", [True, False])
def test_rates_and_steps_on_the_gpu(kernels_on):
    """`capturable`: no number is read from the GPU, and the results are those of the CPU."""
    def run(where: str, lr: Any, **options: Any) -> list[Any]:
        params = [nn.Parameter(tinytensor.linspace(-1, 1, n, device=where)) for n in (5, 130)]
        optimizer = optim.AdamW(params, lr=lr, weight_decay=0.1, **options)
        for step in range(3):
            for p in params:
                p.grad = (p.detach() * (step + 1)).sin()
            optimizer.step()
        assert all(s["step"].device.type == ("cuda" if options else "cpu") and s["step"].item() == 3
                   for s in optimizer.state.values())
        optimizer.load_state_dict(optimizer.state_dict())
        return [p.detach().cpu().numpy() for p in params]

    expected = run("cpu", 0.1)
    with use_kernels(kernels_on):
        for lr in (0.1, tinytensor.tensor(0.1, device="cuda")):
            for mine, reference in zip(run("cuda", lr, capturable=True), expected, strict=True):
                numpy.testing.assert_allclose(mine, reference, 1e-5, 1e-6)


@pytest.mark.parametrize(("kind", "options"), [
    ("SGD", {}), ("RMSprop", {}), ("AdamW", {"capturable": True})])
def test_a_step_does_not_read_a_rate_on_the_gpu(gpu, kind, options):
    p = nn.Parameter(tinytensor.ones(3, device="cuda"))
    rate = tinytensor.tensor(0.1, device="cuda")
    optimizer = getattr(optim, kind)([p], lr=rate, **options)
    for _ in range(3):
        p.grad = tinytensor.ones(3, device="cuda")
        del strict_cupy.waits[:]
        optimizer.step()
        assert not strict_cupy.waits


@pytest.mark.parametrize("dtype", [tinytensor.int64, tinytensor.int32])
def test_batches_are_counted_in_any_dtype(dtype):
    counts = tinytensor.tensor([-1, 7], dtype=dtype, device="cuda")
    norm = nn.BatchNorm1d(3, device="cuda")
    norm.num_batches_tracked = counts[0]
    for _ in range(2):
        norm(tinytensor.randn(5, 3, device="cuda"))
    assert counts.tolist() == [1, 7]


def test_a_wrong_shape_changes_no_parameter():
    params = [nn.Parameter(tinytensor.ones(3, device="cuda")) for _ in range(2)]
    for p in params:
        p.grad = tinytensor.ones(3, device="cuda")
    params[1]._grad._array = params[1]._grad._array[:2]
    with pytest.raises(RuntimeError, match="a gradient or a state of shape"):
        optim.SGD(params, lr=1.0).step()
    assert params[0].tolist() == [1, 1, 1]


@dtypes
def test_clipping_of_more_arrays_than_one_launch_takes(dtype):
    rng = numpy.random.default_rng(0)
    arrays = [rng.normal(size=n % 7 * 100 + 1).astype(dtype) for n in range(170)]
    arrays[3] = rng.normal(size=(123, 71)).astype(dtype)
    found = []
    for where in ("cpu", "cuda"):
        params = [nn.Parameter(tinytensor.tensor(a, device=where)) for a in arrays]
        for p, a in zip(params, arrays, strict=True):
            p.grad = tinytensor.tensor(a, device=where)
        norm = nn.utils.clip_grad_norm_(params, 1.0)
        found.append([norm.cpu().numpy(), *(p.grad.cpu().numpy() for p in params)])
    for mine, reference in zip(*found, strict=True):
        numpy.testing.assert_allclose(mine, reference, 1e-5)


def test_norms_of_arrays_after_many_without_elements(gpu):
    arrays = [gpu.zeros(0, dtype="float32")] * steps.ROWS + [gpu.full(n, 3, "float32")
                                                             for n in (1, 4, 0, 9)]
    norms = clip_grad.norms(gpu_module(), arrays, 2.0)
    assert norms.tolist() == [0] * steps.ROWS + [3, 6, 0, 9]


def test_unscaling():
    found = []
    for where in ("cpu", "cuda"):
        parameters = [nn.Parameter(tinytensor.ones(n, device=where)) for n in (3, 5000)]
        optimizer, scaler = optim.SGD(parameters, lr=1.0), GradScaler(init_scale=8.0)
        for bad in (False, True, False):
            scaler.scale(sum((p * 3).sum() for p in parameters)).backward()
            if bad:
                parameters[1].grad[4000] = float("inf")
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
        found.append([*[p.detach().cpu().numpy() for p in parameters], scaler.get_scale()])
    for mine, reference in zip(*found, strict=True):
        numpy.testing.assert_array_equal(mine, reference)


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8", "bool", "float32", "float64"])
def test_marks_of_values_out_of_range(gpu, dtype):
    for values, low, high, exempt, wrong in (
            ([0, 1, 1], 0, 1, numpy.nan, None), ([1, 0, 1, 1], 1, 1, numpy.nan, 0),
            ([1, 0], 1, 1, 0, None)):
        mark = gpu.zeros(2, dtype="float64")
        mark_if_outside(gpu_module(), gpu.asarray(numpy.array(values, dtype)), mark, float(low),
                        float(high), float(exempt))
        assert mark.tolist() == ([0, 0] if wrong is None else [1, wrong])
    if dtype[:5] == "float":
        mark = gpu.zeros(2, dtype="float64")
        mark_if_outside(gpu_module(), gpu.full(1, numpy.nan, dtype), mark, 0.0, 1.0, numpy.nan)
        assert mark[0].item() == 1


# ---------------------------------------------------------------- the text of the kernels


def wide(*shape: int) -> Any:
    rng = numpy.random.default_rng(0)
    return tinytensor.tensor(rng.normal(size=shape), dtype=tinytensor.float32, device="cuda")


def rows_of_an_embedding() -> Any:
    weight = wide(4, 5).requires_grad_()
    positions = tinytensor.arange(70, device="cuda") % 3
    return tinytensor.autograd.grad((F.embedding(positions, weight) * wide(70, 5)).sum(), weight)[0]


def gradient_of_a_bias() -> Any:
    bias = wide(40).requires_grad_()
    return tinytensor.autograd.grad((F.linear(wide(70, 5), wide(40, 5), bias) * wide(
        70, 40)).sum(), bias)[0]


@pytest.mark.parametrize(("source", "barrier", "call"), [  # the first two are those of common.cu
    ("normalization", 1, lambda: F.layer_norm(wide(3, 300), (300,))),
    ("normalization", 2, lambda: F.layer_norm(wide(3, 300), (300,))),
    ("recurrent", 4, lambda: nn.RNN(40, 40, device="cuda")(wide(9, 3, 40))[0]),
    ("recurrent", 5, lambda: nn.RNN(40, 40, device="cuda")(wide(9, 3, 40))[0]),
    ("sums", 3, gradient_of_a_bias), ("copies", 5, rows_of_an_embedding)],
    ids=lambda x: getattr(x, "__name__", x))
def test_a_missing_barrier_is_noticed(source, barrier, call, gpu, monkeypatch):
    """Without one barrier, some order of the threads gives another result."""
    if gpu.__name__ == "cupy":
        pytest.skip("a race on a GPU need not show")

    def results() -> list[Any]:
        found = []
        for order in range(6):
            tinytensor.manual_seed(0)
            with cuda_on_cpu.in_order(order):
                found.append(call().detach().cpu().numpy())
        return found

    right = results()
    assert all((x == right[0]).all() for x in right[1:])
    cuda_on_cpu.leave_out_barrier(monkeypatch, Source.by_name[source], barrier)
    assert any(not numpy.array_equal(x, right[0]) for x in results())


def test_a_barrier_that_some_threads_miss_is_an_error(gpu):
    if gpu.__name__ == "cupy":
        pytest.skip("a GPU would wait forever")
    module = gpu.RawModule(code="""
extern "C" __global__ void half_of_them(int* x) { if (threadIdx.x % 2) __syncthreads(); }""")
    with pytest.raises(RuntimeError, match="not all threads of a block reach a barrier"):
        module.get_function("half_of_them")((1,), (64,), (gpu.zeros(1, dtype="int32"),))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_formulas_on_strided_operands(gpu, dtype):
    rng = numpy.random.default_rng(0)
    for name, (operands, formula) in elementwise.FORMULAS.items():
        arrays = [gpu.asarray(rng.normal(size=(4, 3, 70)).astype(dtype)) for _ in operands.split()]
        arrays[0] = gpu.broadcast_to(arrays[0][:, :1, ::7].transpose(1, 0, 2), (3, 4, 10))
        arrays[1:] = [a[:, :, :10].transpose(1, 0, 2) for a in arrays[1:]]
        numbers = (1.5, 20.0)[:len(elementwise._numbers(formula))]
        strided = elementwise.each(name, *arrays, numbers=numbers)
        dense = elementwise.each(name, *map(gpu.ascontiguousarray, arrays), numbers=numbers)
        assert strided.tolist() == dense.tolist(), name


def test_products_of_any_strides(gpu):
    """cuBLAS takes no negative strides, and one distance between the matrices of a batch."""
    rng = numpy.random.default_rng(0)
    a, b = rng.normal(size=(2, 3, 4, 5)), rng.normal(size=(2, 3, 5, 6))
    for left, right in (
            (lambda x: x, lambda x: x), (lambda x: x[::-1], lambda x: x[:, ::-1]),
            (lambda x: x[..., ::-1], lambda x: x[..., ::-1, :]),
            (lambda x: x[:1], lambda x: x[:, :1]), (lambda x: x[0], lambda x: x[:, :1]),
            (lambda x: x[..., :1, :], lambda x: x[..., :1]),
            (lambda x: x[..., :1], lambda x: x[..., :1, :]),
            (lambda x: x.swapaxes(0, 1)[:2], lambda x: x[:, 1:]),
            (lambda x: x.swapaxes(-1, -2).copy().swapaxes(-1, -2), lambda x: x[..., ::2])):
        found = product(left(gpu.asarray(a)), right(gpu.asarray(b)), factor=0.5)
        numpy.testing.assert_allclose(found.get(), left(a) @ right(b) * 0.5, 1e-12)


def test_the_package_works_without_them(tmp_path):
    shutil.copytree(ROOT / "tinytensor", tmp_path / "tinytensor",
                    ignore=shutil.ignore_patterns("__pycache__", "cuda.pyc"))
    shutil.copytree(ROOT / "scalar", tmp_path / "scalar")
    shutil.rmtree(tmp_path / "tinytensor" / "kernels" / "cuda")
    code = ("import tinytensor as t; x = t.ones(3, requires_grad=True); "
            "t.nn.functional.gelu(x).sum().backward(); print(t.__file__, x.grad.tolist())")
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, text=True,
                          capture_output=True, check=True, env={**os.environ, "PYTHONPATH": ""})
    assert str(tmp_path) in done.stdout and "1.08" in done.stdout


def test_arguments_of_a_launch_take_4_kib_at_most():
    """CUDA before 12.1 passes no more. A kernel has up to 13 arguments beside the struct."""
    for struct in (steps.TABLE, steps.STEPS, copies.TABLE, recurrent.STEPS_OF_LAUNCH, pooling.LINE):
        assert struct.itemsize + 13 * 8 <= 4096


def test_nvrtc_compiles_the_kernels():
    """`python -m tests.nvrtc` does so for all architectures."""
    if nvrtc.library() is None:
        pytest.skip("NVRTC is not installed: pip install nvidia-cuda-nvrtc-cu12")
    nvrtc.main((60, 75))


def test_each_kernel_is_launched(gpu):
    """A kernel whose caller always declines would pass the other tests."""
    if gpu.__name__ == "cupy":
        pytest.skip("launches are counted without a GPU only")
    cuda_on_cpu.Launches.names.clear()
    for entry in ENTRIES.values():
        for sample in LARGE.get(entry.name, entry.samples[:1]):
            for change in (lambda x: x, lambda x: x[..., :1].expand(*x.shape)
                           if x.ndim and x.is_floating_point() and x.numel() else x):
                computed(entry, arguments_of(sample, entry.name), numpy.float32, "cuda",
                         lambda x: change(x).detach())  # noqa: B023
    for name, options in STEPS:
        trained("cuda", name, options, ["float32"])
    parameter = nn.Parameter(wide(3))
    parameter.grad = wide(3)
    nn.utils.clip_grad_norm_([parameter], 0.1)
    nn.BatchNorm1d(3, device="cuda")(wide(5, 3))
    rows_of_an_embedding()
    for draw in (tinytensor.rand, tinytensor.randn):
        draw(5, device="cuda")
    tinytensor.randint(0, 5, (5,), device="cuda")
    F.dropout(wide(5))
    test_unscaling()
    for dtype in checks.TYPES:
        test_marks_of_values_out_of_range(gpu, dtype)
    test_formulas_on_strided_operands(gpu, "float32")
    F.gelu(wide(3).requires_grad_(), approximate="tanh").sum().backward()
    large_heads = [wide(2, 130).requires_grad_() for _ in range(3)]
    F.scaled_dot_product_attention(*large_heads).sum().backward()
    F.cross_entropy(wide(3, 4), tinytensor.tensor([0, 1, 2], device="cuda"))
    kernels = {name for source in Source.by_name.values()
               for name in cuda_on_cpu.KERNEL.findall(source.whole_text())}
    assert kernels - {"add_rows"} <= cuda_on_cpu.Launches.names.keys(), \
        kernels - cuda_on_cpu.Launches.names.keys()


def test_gradient_of_an_embedding_of_many_positions(monkeypatch):
    monkeypatch.setattr(copies, "IN_ORDER", 10)
    compare(TABLE["nn.functional.embedding"], arguments_of(
        S(ints(70, high=4), t(4, 5), 1), "embedding"), numpy.float64)
    cuda_on_cpu.Launches.names.clear()
    for requested in (True, False):
        tinytensor.use_deterministic_algorithms(requested)
        rows_of_an_embedding()
    assert cuda_on_cpu.Launches.names["add_rows_in_order"] <= 1
