"""Kernels for recurrent layers: one launch for up to 200 steps of a sequence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy

from ...arrays.devices import cupy, gpu_module
from ...ops import recurrent as ops
from . import linalg
from .copies import copy_all
from .launch import Array, Source, dense, empty_like, fits
from .products import product

SOURCE = Source("recurrent")
UNITS, STEPS = 512, 200  # as in recurrent.cu
STEPS_OF_LAUNCH = numpy.dtype([("count", "i8"), ("units", "i8"), ("sequences", "i8"),
                               ("start", "i4", STEPS), ("rows", "i4", STEPS)])


def _fits(steps: ops.Steps, units: int, *arrays: Array | None) -> bool:
    return 0 < units <= UNITS and len(steps) > 0 and fits(*arrays) and all(
        a is None or a.size for a in arrays)


def _launches(steps: ops.Steps, units: int, sequences: int) -> Iterator[Any]:
    """The steps as the kernels take them, for each launch."""
    for at in range(0, len(steps), STEPS):
        part = steps[at:at + STEPS]
        struct = numpy.zeros((), STEPS_OF_LAUNCH)
        struct["count"], struct["units"], struct["sequences"] = len(part), units, sequences
        struct["start"][:len(part)] = [rows.start for rows in part]
        struct["rows"][:len(part)] = [rows.stop - rows.start for rows in part]
        yield struct


def _run(name: str, steps: ops.Steps, like: Array, units: int, sequences: int, *arguments: Any,
         back: bool = False) -> None:
    per_block = 16 // like.itemsize
    launches = [*_launches(steps, units, sequences)]
    for struct in reversed(launches) if back else launches:
        SOURCE.launch(name, like.dtype, -(-sequences // per_block), -(-units // 32) * 32, struct,
                      *arguments)


def _across(weight: Array) -> Array:
    """(gates * units, units) as (units, gates * units): neighbouring threads read neighbours."""
    return cupy().ascontiguousarray(weight.T)


def _before(steps: ops.Steps, *pairs: tuple[Array, Array]) -> list[Array]:
    """For each pair (states of all rows, initial states), the state before each row."""
    size = steps[0].stop - steps[0].start
    if any(rows.stop - rows.start != size for rows in steps):
        return [ops._before(gpu_module(), steps, *pair) for pair in pairs]
    copies, result = [], []
    for states, initial in pairs:
        before = empty_like(states)
        copies.append((before[steps[0]], initial))
        if len(steps) > 1:
            later, earlier = (slice(size, None), slice(None, -size))
            if steps[0].start > steps[-1].start:
                later, earlier = earlier, later
            copies.append((before[later], states[earlier]))
        result.append(before)
    copy_all(copies)
    return result


def _dense(array: Array | None) -> Array | None:
    return None if array is None else dense(array)


# ---------------------------------------------------------------- Elman's recurrent network


@ops.rnn_sequence.kernel("cuda")
def _(input: Array, weight: Array, h0: Array, steps: ops.Steps, nonlinearity: str) -> Any:
    sequences, units = h0.shape
    if not _fits(steps, units, input, weight, h0):
        return None
    states, hidden = dense(h0).copy(), empty_like(input)
    _run("rnn", steps, input, units, sequences, dense(input), _across(weight), states, hidden,
         int(nonlinearity == "relu"))
    return hidden


@ops.rnn_sequence.kernel("cuda", "input", "weight", "h0")
def _(g: Array, out: Array, weight: Array, h0: Array, steps: ops.Steps,
      nonlinearity: str) -> Any:
    sequences, units = h0.shape
    if not _fits(steps, units, g, out, weight, h0):
        return None
    out, d, d_h0 = dense(out), empty_like(out), cupy().zeros(h0.shape, h0.dtype)
    _run("rnn_back", steps, out, units, sequences, dense(g), out, dense(weight), d_h0, d,
         int(nonlinearity == "relu"), back=True)
    return d, product(d.T, *_before(steps, (out, dense(h0)))), d_h0


# ---------------------------------------------------------------- LSTM


@ops.lstm_sequence.kernel("cuda")
def _(input: Array, weight: Array, h0: Array, c0: Array, steps: ops.Steps) -> Any:
    sequences, units = h0.shape
    if not _fits(steps, units, input, weight, h0, c0):
        return None
    hidden, gates = empty_like(input, (len(input), units)), empty_like(input)
    cells = empty_like(hidden)
    _run("lstm", steps, input, units, sequences, dense(input), _across(weight), dense(h0).copy(),
         dense(c0).copy(), hidden, cells, gates)
    return hidden, cells, gates


@ops.lstm_sequence.kernel("cuda", "input", "weight", "h0", "c0")
def _(g: Sequence[Array | None], hidden: Array, cells: Array, gates: Array, weight: Array,
      h0: Array, c0: Array, steps: ops.Steps) -> Any:
    sequences, units = h0.shape
    if not _fits(steps, units, hidden, cells, gates, weight, h0, c0, *g):
        return None
    before, cells_before = _before(steps, (dense(hidden), dense(h0)), (dense(cells), dense(c0)))
    d = empty_like(gates)
    d_h0, d_c0 = (cupy().zeros(h0.shape, h0.dtype) for _ in range(2))
    _run("lstm_back", steps, gates, units, sequences, *map(_dense, g), dense(cells), cells_before,
         dense(gates), dense(weight), d_h0, d_c0, d, back=True)
    return d, product(d.T, before), d_h0, d_c0


# ---------------------------------------------------------------- GRU


@ops.gru_sequence.kernel("cuda")
def _(input: Array, weight: Array, bias: Array | None, h0: Array, steps: ops.Steps) -> Any:
    sequences, units = h0.shape
    if not _fits(steps, units, input, weight, bias, h0):
        return None
    hidden, gates = empty_like(input, (len(input), units)), empty_like(input)
    _run("gru", steps, input, units, sequences, dense(input), _across(weight), _dense(bias),
         dense(h0).copy(), hidden, gates)
    return hidden, gates


@ops.gru_sequence.kernel("cuda", "input", "weight", "bias", "h0")
def _(g: Sequence[Array | None], needs: Sequence[bool], hidden: Array, gates: Array,
      weight: Array, bias: Array | None, h0: Array, steps: ops.Steps) -> Any:
    sequences, units = h0.shape
    if not _fits(steps, units, hidden, gates, weight, bias, h0, *g):
        return None
    (before,) = _before(steps, (dense(hidden), dense(h0)))
    recurrent = product(before, dense(weight[2 * units:]).T)
    if bias is not None:
        recurrent += bias[2 * units:]
    d, d_recurrent = empty_like(gates), empty_like(gates)
    d_h0 = cupy().zeros(h0.shape, h0.dtype)
    _run("gru_back", steps, gates, units, sequences, *map(_dense, g), before, recurrent,
         dense(gates), dense(weight), d_h0, d, d_recurrent, back=True)
    return (d, product(d_recurrent.T, before) if needs[1] else None,
            linalg.sum_of_rows(d_recurrent, len(d), (3 * units,)) if needs[2] else None, d_h0)
