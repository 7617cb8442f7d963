"""Recurrent layers whose sequences are all of one length: all steps in one call of a loop."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy

from ...ops.recurrent import gru_sequence, lstm_sequence, rnn_sequence
from ..loops import fits
from ..pool import pool
from .linalg import product, sum_of_rows

ROWS = 4  # of a tile: a thread takes at least these
PIECE = 4_000_000  # products worth a thread of their own


def _loops() -> ModuleType:
    """`sequences`, which imports Numba: only when there is something to compute."""
    from . import sequences

    return sequences


def _agree(gates: int, input: Any, weight: Any, *states: Any) -> bool:
    """Whether the loops, which check no bounds, may run; where sizes differ the body's error is."""
    size = states[0].shape[1]
    return (fits(input, weight, *states, least=1) and weight.shape == (gates * size, size)
            and input.shape[1] == gates * size and all(s.shape == states[0].shape for s in states))


def _first_rows(rows: int, count: int, steps: Any) -> Any:
    """The first row of each step, or None if some sequences end before others."""
    if not rows or rows != len(steps) * count:
        return None
    firsts = numpy.arange(0, rows, count)
    return firsts if steps[0].start <= steps[-1].start else firsts[::-1].copy()


def _laid_out(weight: Any, firsts: Any) -> Any:
    """The panels in which products with weight (depth, columns) read it; none for one step."""
    if len(firsts) == 1:
        return numpy.empty(0, weight.dtype)
    depth, columns = weight.shape
    panels = numpy.empty(depth * _loops().padded(columns, weight.itemsize), weight.dtype)
    _loops().lay_out(numpy.ascontiguousarray(weight), panels)
    return panels


def _split(loop: Any, count: int, weight: Any, firsts: Any, *args: Any) -> None:
    """loop(start, stop, *args) for some of the sequences in each thread, on flat arrays."""
    # A gate's activation takes about as long as 64 products; those of a single step are made.
    each = len(firsts) * weight.shape[0] * ((weight.shape[1] if len(firsts) > 1 else 0) + 64)
    pool.split(loop, count, *[a.reshape(-1) if isinstance(a, numpy.ndarray) else a for a in args],
               align=ROWS, least=max(ROWS, PIECE // each))


def _product(h0: Any, weight: Any, firsts: Any) -> Any:
    """That of a single step; an empty array for more."""
    return product(h0, weight.T) if len(firsts) == 1 else numpy.empty(0, weight.dtype)


def _given(g: Any, like: Any) -> list[Any]:
    """The gradients that there are, dense, and empty arrays for those that are None."""
    return [numpy.empty(0, like.dtype) if x is None else numpy.asarray(x, order="C") for x in g]


def _rows(firsts: Any, count: int, rows: int) -> tuple[slice, slice, slice]:
    """The rows of the first step, those of later ones, and those that these came from."""
    if firsts[0] <= firsts[-1]:
        return slice(0, count), slice(count, rows), slice(0, rows - count)
    return slice(rows - count, rows), slice(0, rows - count), slice(count, rows)


def _weight_gradient(firsts: Any, d: Any, states: Any, initial: Any) -> Any:
    """dᵀ (the states that the rows came from)."""
    begun, later, earlier = _rows(firsts, len(initial), len(states))
    total = product(d[begun].T, initial)
    if len(firsts) > 1:
        total += product(d[later].T, states[earlier])
    return total


# ---------------------------------------------------------------- LSTM


@lstm_sequence.kernel("cpu")
def _(input: Any, weight: Any, h0: Any, c0: Any, steps: Any) -> Any:
    (rows, _), (count, size) = input.shape, h0.shape
    firsts = _first_rows(rows, count, steps)
    if firsts is None or not _agree(4, input, weight, h0, c0):
        return None
    hidden, cells = (numpy.empty((rows, size), input.dtype) for _ in range(2))
    gates = numpy.empty_like(input)
    panels, products = _laid_out(weight.T, firsts), _product(h0, weight, firsts)
    _split(_loops().lstm, count, weight, firsts, input, panels, products, h0, c0, firsts, size,
           hidden, cells, gates)
    return hidden, cells, gates


@lstm_sequence.kernel("cpu", "input", "weight", "h0", "c0")
def _(g: Any, hidden: Any, cells: Any, gates: Any, weight: Any, h0: Any, c0: Any,
      steps: Any) -> Any:
    firsts = _first_rows(len(hidden), len(h0), steps)
    g = _given(g, hidden)
    if firsts is None or not fits(hidden, cells, gates, weight, h0, c0, *g, least=1):
        return None
    d, d_h0, d_c0 = numpy.empty_like(gates), numpy.empty_like(h0), numpy.empty_like(c0)
    panels = _laid_out(weight, firsts)
    _split(_loops().lstm_back, len(h0), weight, firsts, *g, gates, cells, panels, c0, firsts,
           h0.shape[1], d, d_h0, d_c0)
    if not panels.size:
        d_h0 += product(d, weight)
    return d, _weight_gradient(firsts, d, hidden, h0), d_h0, d_c0


# ---------------------------------------------------------------- GRU


@gru_sequence.kernel("cpu")
def _(input: Any, weight: Any, bias: Any, h0: Any, steps: Any) -> Any:
    (rows, _), (count, size) = input.shape, h0.shape
    firsts = _first_rows(rows, count, steps)
    if firsts is None or not _agree(3, input, weight, h0) or not fits(input, bias, least=1) \
            or bias is not None and bias.shape != (3 * size,):
        return None
    hidden, gates = numpy.empty((rows, size), input.dtype), numpy.empty_like(input)
    bias = numpy.zeros(3 * size, input.dtype) if bias is None else bias
    panels, products = _laid_out(weight.T, firsts), _product(h0, weight, firsts)
    _split(_loops().gru, count, weight, firsts, input, panels, products, bias, h0, firsts, size,
           hidden, gates)
    return hidden, gates


@gru_sequence.kernel("cpu", "input", "weight", "bias", "h0")
def _(g: Any, needs: Any, hidden: Any, gates: Any, weight: Any, bias: Any, h0: Any,
      steps: Any) -> Any:
    (rows, size), count = hidden.shape, len(h0)
    firsts = _first_rows(rows, count, steps)
    g = _given(g, hidden)
    if firsts is None or not fits(hidden, gates, weight, bias, h0, *g, least=1):
        return None
    begun, later, earlier = _rows(firsts, count, rows)
    new = weight[2 * size:].T
    recurrent = numpy.empty_like(hidden)  # what the reset gate was applied to
    recurrent[begun] = product(h0, new)
    recurrent[later] = product(hidden[earlier], new)
    if bias is not None:
        recurrent += bias[2 * size:]
    d, d_product, d_h0 = numpy.empty_like(gates), numpy.empty_like(gates), numpy.empty_like(h0)
    panels = _laid_out(weight, firsts)
    _split(_loops().gru_back, count, weight, firsts, *g, gates, recurrent, hidden, panels, h0,
           firsts, size, d, d_product, d_h0)
    if not panels.size:
        d_h0 += product(d_product, weight)
    d_bias = sum_of_rows(d_product) if needs[2] else None
    return d, _weight_gradient(firsts, d_product, hidden, h0), d_bias, d_h0


# ---------------------------------------------------------------- Elman's


@rnn_sequence.kernel("cpu")
def _(input: Any, weight: Any, h0: Any, steps: Any, nonlinearity: str) -> Any:
    firsts = _first_rows(len(input), len(h0), steps)
    if firsts is None or len(firsts) == 1 or not _agree(1, input, weight, h0):
        return None  # of one step the body takes three calls
    hidden = numpy.empty_like(input)
    _split(_loops().elman, len(h0), weight, firsts, input, _laid_out(weight.T, firsts), h0, firsts,
           h0.shape[1], nonlinearity == "relu", hidden)
    return hidden


@rnn_sequence.kernel("cpu", "input", "weight", "h0")
def _(g: Any, out: Any, weight: Any, h0: Any, steps: Any, nonlinearity: str) -> Any:
    firsts, g = _first_rows(len(out), len(h0), steps), numpy.asarray(g, order="C")
    if firsts is None or len(firsts) == 1 or not fits(g, out, weight, h0, least=1):
        return None
    d, d_h0 = numpy.empty_like(out), numpy.empty_like(h0)
    _split(_loops().elman_back, len(h0), weight, firsts, g, out, _laid_out(weight, firsts), firsts,
           h0.shape[1], nonlinearity == "relu", d, d_h0)
    return d, _weight_gradient(firsts, d, out, h0), d_h0
