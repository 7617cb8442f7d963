"""Kernels for recurrent layers whose sequences have one length: one call for all steps."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy

from ...ops.recurrent import gru_sequence, lstm_sequence, rnn_sequence
from ..loops import Array, Loop, fits
from ..pool import pool
from .linalg import product, sum_of_rows

ROWS = 4  # of a tile of `sequences.multiply`; a thread takes a multiple of it
PIECE = 4_000_000  # multiplications below which another thread costs more than it saves


def _loops() -> ModuleType:
    from . import sequences  # imports Numba

    return sequences


def _sizes_agree(gates: int, input: Array, weight: Array, *states: Array) -> bool:
    """True if dtypes and sizes agree; otherwise the reference runs and raises. The loops do not
    check bounds.
    """
    size = states[0].shape[1]
    return (fits(input, weight, *states, least=1) and weight.shape == (gates * size, size)
            and input.shape[1] == gates * size and all(s.shape == states[0].shape for s in states))


def _first_rows(rows: int, count: int, steps: Sequence[slice]) -> Any:
    """The first row of each step; None if the sequences differ in length."""
    if not rows or rows != len(steps) * count:
        return None
    firsts = numpy.arange(0, rows, count)
    return firsts if steps[0].start <= steps[-1].start else firsts[::-1].copy()


def _packed(weight: Array, firsts: Array) -> Any:
    """weight (depth, columns) packed for `sequences.multiply`; empty for a single step, whose
    product costs less than packing.
    """
    if len(firsts) == 1:
        return numpy.empty(0, weight.dtype)
    depth, columns = weight.shape
    panels = numpy.empty(depth * _loops().padded(columns, weight.itemsize), weight.dtype)
    _loops().pack(numpy.ascontiguousarray(weight), panels)
    return panels


def _run(loop: Loop, count: int, weight: Array, firsts: Array, *args: Any) -> None:
    """Runs loop(start, stop, *args) on several threads, on flat arrays; a thread takes some of the
    sequences.
    """
    # An activation costs about 64 multiplications. The product of a single step is computed before.
    each = len(firsts) * weight.shape[0] * ((weight.shape[1] if len(firsts) > 1 else 0) + 64)
    pool.split(loop, count, *[a.reshape(-1) if isinstance(a, numpy.ndarray) else a for a in args],
               align=ROWS, least=max(ROWS, PIECE // each))


def _product(h0: Array, weight: Array, firsts: Array) -> Any:
    """h0 weightᵀ for a single step; empty for several steps."""
    return product(h0, weight.T) if len(firsts) == 1 else numpy.empty(0, weight.dtype)


def _dense(g: Sequence[Array | None], *results: Array) -> list[Any] | None:
    """The gradients as C-contiguous arrays, with empty arrays for None; None if one does not have
    the shape of its result.
    """
    if any(x is not None and x.shape != result.shape for x, result in zip(g, results, strict=True)):
        return None
    dtype = results[0].dtype
    return [numpy.empty(0, dtype) if x is None else numpy.asarray(x, order="C") for x in g]


def _rows(firsts: Array, count: int, rows: int) -> tuple[slice, slice, slice]:
    """The rows of the first step, of the later steps, and of the steps before those."""
    if firsts[0] <= firsts[-1]:
        return slice(0, count), slice(count, rows), slice(0, rows - count)
    return slice(rows - count, rows), slice(0, rows - count), slice(count, rows)


def _weight_gradient(firsts: Array, d: Array, states: Array, initial: Array) -> Any:
    """dᵀ @ (the hidden states before each row)."""
    begun, later, earlier = _rows(firsts, len(initial), len(states))
    total = product(d[begun].T, initial)
    if len(firsts) > 1:
        total += product(d[later].T, states[earlier])
    return total


# ---------------------------------------------------------------- LSTM


@lstm_sequence.kernel("cpu")
def _(input: Array, weight: Array, h0: Array, c0: Array, steps: Sequence[slice]) -> Any:
    (rows, _), (count, size) = input.shape, h0.shape
    firsts = _first_rows(rows, count, steps)
    if firsts is None or not _sizes_agree(4, input, weight, h0, c0):
        return None
    hidden, cells = (numpy.empty((rows, size), input.dtype) for _ in range(2))
    gates = numpy.empty_like(input)
    panels, products = _packed(weight.T, firsts), _product(h0, weight, firsts)
    _run(_loops().lstm, count, weight, firsts, input, panels, products, h0, c0, firsts, size,
         hidden, cells, gates)
    return hidden, cells, gates


@lstm_sequence.kernel("cpu", "input", "weight", "h0", "c0")
def _(g: Sequence[Array | None], hidden: Array, cells: Array, gates: Array, weight: Array,
      h0: Array, c0: Array, steps: Sequence[slice]) -> Any:
    firsts = _first_rows(len(hidden), len(h0), steps)
    gradients = _dense(g, hidden, cells, gates)
    if firsts is None or gradients is None or not _sizes_agree(4, gates, weight, h0, c0) \
            or not fits(hidden, cells, *gradients, least=1):
        return None
    d, d_h0, d_c0 = numpy.empty_like(gates), numpy.empty_like(h0), numpy.empty_like(c0)
    panels = _packed(weight, firsts)
    _run(_loops().lstm_back, len(h0), weight, firsts, *gradients, gates, cells, panels, c0,
         firsts, h0.shape[1], d, d_h0, d_c0)
    if not panels.size:
        d_h0 += product(d, weight)
    return d, _weight_gradient(firsts, d, hidden, h0), d_h0, d_c0


# ---------------------------------------------------------------- GRU


@gru_sequence.kernel("cpu")
def _(input: Array, weight: Array, bias: Array | None, h0: Array, steps: Sequence[slice]) -> Any:
    (rows, _), (count, size) = input.shape, h0.shape
    firsts = _first_rows(rows, count, steps)
    if firsts is None or not _sizes_agree(3, input, weight, h0) or not fits(input, bias, least=1) \
            or bias is not None and bias.shape != (3 * size,):
        return None
    hidden, gates = numpy.empty((rows, size), input.dtype), numpy.empty_like(input)
    bias = numpy.zeros(3 * size, input.dtype) if bias is None else bias
    panels, products = _packed(weight.T, firsts), _product(h0, weight, firsts)
    _run(_loops().gru, count, weight, firsts, input, panels, products, bias, h0, firsts, size,
         hidden, gates)
    return hidden, gates


@gru_sequence.kernel("cpu", "input", "weight", "bias", "h0")
def _(g: Sequence[Array | None], needs: Sequence[bool], hidden: Array, gates: Array,
      weight: Array, bias: Array | None, h0: Array, steps: Sequence[slice]) -> Any:
    (rows, size), count = hidden.shape, len(h0)
    firsts = _first_rows(rows, count, steps)
    gradients = _dense(g, hidden, gates)
    if firsts is None or gradients is None or not _sizes_agree(3, gates, weight, h0) \
            or not fits(hidden, bias, *gradients, least=1):
        return None
    begun, later, earlier = _rows(firsts, count, rows)
    new = weight[2 * size:].T
    recurrent = numpy.empty_like(hidden)  # what the reset gate multiplied
    recurrent[begun] = product(h0, new)
    recurrent[later] = product(hidden[earlier], new)
    if bias is not None:
        recurrent += bias[2 * size:]
    d, d_product, d_h0 = numpy.empty_like(gates), numpy.empty_like(gates), numpy.empty_like(h0)
    panels = _packed(weight, firsts)
    _run(_loops().gru_back, count, weight, firsts, *gradients, gates, recurrent, hidden, panels,
         h0, firsts, size, d, d_product, d_h0)
    if not panels.size:
        d_h0 += product(d_product, weight)
    d_bias = sum_of_rows(d_product) if needs[2] else None
    return d, _weight_gradient(firsts, d_product, hidden, h0), d_bias, d_h0


# ---------------------------------------------------------------- Elman RNN


@rnn_sequence.kernel("cpu")
def _(input: Array, weight: Array, h0: Array, steps: Sequence[slice], nonlinearity: str) -> Any:
    firsts = _first_rows(len(input), len(h0), steps)
    if firsts is None or len(firsts) == 1 or not _sizes_agree(1, input, weight, h0):
        return None  # one step: the three NumPy calls of the reference are faster
    hidden = numpy.empty_like(input)
    _run(_loops().elman, len(h0), weight, firsts, input, _packed(weight.T, firsts), h0, firsts,
         h0.shape[1], nonlinearity == "relu", hidden)
    return hidden


@rnn_sequence.kernel("cpu", "input", "weight", "h0")
def _(g: Array, out: Array, weight: Array, h0: Array, steps: Sequence[slice],
      nonlinearity: str) -> Any:
    firsts, g = _first_rows(len(out), len(h0), steps), numpy.asarray(g, order="C")
    if firsts is None or len(firsts) == 1 or g.shape != out.shape \
            or not _sizes_agree(1, out, weight, h0) or not fits(g, out, least=1):
        return None
    d, d_h0 = numpy.empty_like(out), numpy.empty_like(h0)
    _run(_loops().elman_back, len(h0), weight, firsts, g, out, _packed(weight, firsts), firsts,
         h0.shape[1], nonlinearity == "relu", d, d_h0)
    return d, _weight_gradient(firsts, d, out, h0), d_h0
