"""CUDA kernels against the references that they replace.

Without a GPU their text runs on the CPU (`cuda_on_cpu.py`), on arrays of `strict_cupy`. With
`pytest -m cuda` the same tests run on CuPy. For each operation that has such kernels: all samples
of the table, and larger ones; results and gradients.
"""

from __future__ import annotations

import re
from typing import Any

import cuda_on_cpu
import numpy
import pytest
from operations import on_samples

import tinytensor
from tinytensor.arrays.dispatch import use_kernels
from tinytensor.autograd.table import TABLE
from tinytensor.checking.calls import arguments_of, gradients, is_drawn, ours, outputs, replace
from tinytensor.checking.comparing import all_close
from tinytensor.ops.convolution import Frame, line_taps
from tinytensor.ops.pooling import Line, Tap
from tinytensor.ops.samples import S, ints, t

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

# Samples in addition to those of the table: more rows than a block, odd sizes, several blocks.
LARGE: dict[str, list[S]] = {
    **{name: [S(t(3, 211, low=-9, high=9))] for name in (
        "relu", "tanh", "sigmoid", "silu", "leaky_relu", "elu", "mish", "hardswish", "softplus",
        "logsigmoid", "gelu", "erf", "erfc")},
    "softmax": [S(t(5, 131, low=-40, high=40), 1), S(t(3, 67, 5), 1), S(t(2, 1100), 1)],
    "log_softmax": [S(t(5, 131, low=-40, high=40), 1), S(t(3, 67, 5), 1)],
    "label_cross_entropy": [S(t(37, 131, low=-40, high=40), ints(37, high=131)),
                            S(t(41, 10), ints(41, high=10), "mean"),
                            S(t(41, 10), ints(41, high=10), "sum")],
    "standardize": [S(t(31, 65), t(65), t(65), (1,), 1e-5), S(t(2, 531), None, None, (1,), 0.1),
                    S(t(3, 5, 7, 9), t(7, 9), None, (2, 3), 1e-5),
                    S(t(3, 5, 7, 9), t(5, 1, 1), t(5, 1, 1), (0, 2, 3), 1e-5),
                    S(t(4, 5), t(5), t(5), (0,), 1e-5),
                    S(t(2, 5, 61), None, t(5, 1), (0, 2), 0.1)],
    "layer_norm": [S(t(700, 5), (5,), t(5), t(5)), S(t(2, 3, 4, 33), (4, 33), t(4, 33), t(4, 33))],
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
