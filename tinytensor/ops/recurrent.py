"""Recurrent layers: one op runs a whole sequence, and its rule is backpropagation through time.

The sequences of a batch are packed: first the rows of all sequences at time 0, then those at time
1, which may be fewer, and so on. `steps` are the slices of these rows in the order of the steps,
from the last to the first for the reverse direction.

One op for each sequence instead of several for each step: the gradient of a slice of a sequence
is as large as the whole sequence, at every step. Here each row is written once, and the gradient
of the weight is one product for all steps.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..arrays import Array
from ..autograd.table import op
from .elementwise import relu, sigmoid
from .samples import S, t

Steps = Sequence[slice]

TWO = (slice(0, 3), slice(3, 5))  # three sequences, one of which is shorter
BACK = TWO[::-1]


# ---------------------------------------------------------------- forward and backward through time


def _run(xp, steps, initial, step):
    """Calls step(rows, *states) -> (*new states, ...) at every step; returns all results, by row.

    If a step has fewer rows than the one before, the last sequences have ended. If it has more,
    they start with their initial states.
    """
    states, made = initial, []
    for rows in steps:
        states = [_resized(xp, *pair, rows) for pair in zip(states, initial, strict=True)]
        made.append(step(rows, *states))
        states = made[-1][:len(initial)]
    return tuple(_by_row(xp, steps, pieces) for pieces in zip(*made, strict=True))


def _run_back(xp, steps, gradients, step):
    """Calls step(rows, *d states) -> (*d previous states, ...) at every step, from the last.

    `gradients` are those of the states at every row. Returns the gradients of the initial states,
    and the other results of the steps, by row.
    """
    count, made, begun = len(gradients), [], []
    sizes = [0, *(rows.stop - rows.start for rows in steps)]
    carried = [xp.zeros_like(g[steps[-1]]) for g in gradients]
    for rows, before in zip(reversed(steps), reversed(sizes[:-1]), strict=True):
        results = step(rows, *(d + g[rows] for d, g in zip(carried, gradients, strict=True)))
        made.append(results[count:])
        carried = results[:count]
        size = rows.stop - rows.start
        if size > before or not before:  # rows that start from an initial state
            begun.append([d[before:] for d in carried])
            carried = [d[:before] for d in carried]
        elif size < before:  # rows whose sequences had ended
            carried = [xp.concatenate(
                (d, xp.zeros((before - size, d.shape[1]), dtype=d.dtype)), axis=0) for d in carried]
    initial = [xp.concatenate(tuple(pieces[::-1]), axis=0) for pieces in zip(*begun, strict=True)]
    return initial, *(_by_row(xp, steps, pieces[::-1]) for pieces in zip(*made, strict=True))


def _resized(xp, state, initial, rows):
    size, had = rows.stop - rows.start, state.shape[0]
    if size == had:
        return state
    return state[:size] if size < had else xp.concatenate((state, initial[had:size]), axis=0)


def _by_row(xp, steps, pieces):
    """The pieces of all steps concatenated in the order of the rows."""
    forward = steps[0].start <= steps[-1].start
    return xp.concatenate(tuple(pieces if forward else pieces[::-1]), axis=0)


def _before(xp, steps, states, initial):
    """The previous state of each row."""
    reached = [initial, *(states[rows] for rows in steps[:-1])]
    return _by_row(xp, steps, [_resized(xp, state, initial, rows)
                               for state, rows in zip(reached, steps, strict=True)])


def _columns(x, count):
    size = x.shape[1] // count
    return [x[:, i * size:(i + 1) * size] for i in range(count)]


def _side_by_side(xp, *columns):
    return xp.concatenate(columns, axis=1)


def _transposed(xp, x):
    return xp.swapaxes(x, 0, 1)


def _across(xp, weight):
    """The transposed weight, as a copy: each step's small product is faster with it."""
    return xp.ascontiguousarray(_transposed(xp, weight))


def _weight_gradient(xp, d, before):
    return xp.matmul(_transposed(xp, d), before)


def _given(xp, gradients, results):
    """The gradients, with zeros in place of None."""
    return [xp.zeros_like(x) if g is None else g for g, x in zip(gradients, results, strict=True)]


def _by_single_rows(torch, cell, x, states, steps):
    """The reference: each sequence by itself, row by row, on PyTorch's tensors."""
    last = [tuple(s[i] for s in states) for i in range(len(states[0]))]
    results = {}
    for rows in steps:
        for i, row in enumerate(range(rows.start, rows.stop)):
            results[row] = cell(x[row], *last[i])
            last[i] = results[row][:len(states)]
    return tuple(torch.stack(column) for column in zip(*(results[row] for row in sorted(results)),
                                                      strict=True))


# ---------------------------------------------------------------- Elman's recurrent network


def _reference_rnn(torch):
    def run(x, weight, h0, steps, nonlinearity):
        return _by_single_rows(
            torch, lambda x, h: (getattr(torch, nonlinearity)(x + weight @ h),), x, [h0], steps)[0]

    return run


@op(autocast="lower", promotes="same", method=False, internal=True,
    reference=_reference_rnn, samples=[
    S(t(5, 2), t(2, 2), t(3, 2), TWO, "tanh"), S(t(5, 2), t(2, 2), t(3, 2), BACK, "tanh"),
    S(t(6, 2), t(2, 2), t(3, 2), (slice(0, 3), slice(3, 6)), "relu")])
def rnn_sequence(xp, input: Array, weight: Array, h0: Array, steps: Steps, nonlinearity: str):
    """h_t = f(x_t + weight @ h_{t-1}), where f is tanh or relu. Elman 1990.

    Shapes: (rows, H), (H, H), (N, H) -> (rows, H).
    """
    across = _across(xp, weight)
    f = xp.tanh if nonlinearity == "tanh" else lambda x: relu.run(xp, x)
    return _run(xp, steps, [h0], lambda rows, h: (f(input[rows] + xp.matmul(h, across)),))[0]


@rnn_sequence.vjp("input", "weight", "h0")
def _(xp, g, out, weight, h0, steps, nonlinearity):
    slope = 1 - out * out if nonlinearity == "tanh" else out != 0

    def step(rows, d_hidden):
        d = d_hidden * slope[rows]
        return xp.matmul(d, weight), d

    (d_h0,), d = _run_back(xp, steps, [g], step)
    return d, _weight_gradient(xp, d, _before(xp, steps, out, h0)), d_h0


# ---------------------------------------------------------------- LSTM


def _reference_lstm(torch):
    def run(x, weight, h0, c0, steps):
        def cell(x, h, c):
            i, f, g, o = (x + weight @ h).chunk(4)
            i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
            c = f * c + i * g
            return o * c.tanh(), c, torch.cat([i, f, g, o])

        return _by_single_rows(torch, cell, x, [h0, c0], steps)

    return run


@op(autocast="lower", promotes="same", method=False, internal=True,
    outputs=("hidden", "cells", "gates"), reference=_reference_lstm, samples=[
        S(t(5, 8), t(8, 2), t(3, 2), t(3, 2), TWO), S(t(5, 8), t(8, 2), t(3, 2), t(3, 2), BACK),
        S(t(2, 4), t(4, 1), t(1, 1), t(1, 1), (slice(0, 1), slice(1, 2)))])
def lstm_sequence(xp, input: Array, weight: Array, h0: Array, c0: Array, steps: Steps):
    """The states and cells of a long short-term memory, and its gates i, f, g, o, concatenated.

    i, f, g, o = x_t + weight @ h_{t-1}; c_t = σ(f) c_{t-1} + σ(i) tanh(g); h_t = σ(o) tanh(c_t).

    Shapes: (rows, 4H), (4H, H), (N, H) twice -> (rows, H) twice, (rows, 4H). The gates are a
    result instead of a residual: their gradient makes second derivatives correct.
    Hochreiter and Schmidhuber 1997; Gers, Schmidhuber and Cummins 2000.
    """
    return _run(xp, steps, [h0, c0], _lstm_step(xp, input, weight, None))


@lstm_sequence.vjp("input", "weight", "h0", "c0")
def _(xp, g, hidden, cells, gates, weight, h0, c0, steps):
    (d_h0, d_c0), d = _lstm_back(xp, g, hidden, cells, gates, weight, None, c0, steps)
    return d, _weight_gradient(xp, d, _before(xp, steps, hidden, h0)), d_h0, d_c0


def _lstm_step(xp, input, weight, projection):
    """One step of an LSTM, for `_run`."""
    across, size = _across(xp, weight), weight.shape[0] // 4

    def step(rows, h, c):
        z = input[rows] + xp.matmul(h, across)
        gates = _side_by_side(xp, sigmoid.run(xp, z[:, :2 * size]),
                              xp.tanh(z[:, 2 * size:3 * size]), sigmoid.run(xp, z[:, 3 * size:]))
        i, f, g, o = _columns(gates, 4)
        c = f * c + i * g
        h = o * xp.tanh(c)
        if projection is not None:
            h = xp.matmul(h, _transposed(xp, projection))
        return h, c, gates

    return step


def _lstm_back(xp, g, hidden, cells, gates, weight, projection, c0, steps):
    """The gradients of the initial states, of the input, and, with a projection, of its results."""
    i, f, new, o = _columns(gates, 4)
    squashed = xp.tanh(cells)
    slopes = _side_by_side(xp, i * (1 - i), f * (1 - f), 1 - new * new, o * (1 - o))
    # The factors from the gradients of c, c, c and h to those of the four gates.
    factors = slopes * _side_by_side(xp, new, _before(xp, steps, cells, c0), i, squashed)
    to_cell = o * (1 - squashed * squashed)
    d_hidden, d_cells = _given(xp, g[:2], (hidden, cells))
    extra = None if g[2] is None else g[2] * slopes

    def step(rows, d_projected, d_c):
        d_h = d_projected if projection is None else xp.matmul(d_projected, projection)
        d_c = d_c + d_h * to_cell[rows]
        d = _side_by_side(xp, d_c, d_c, d_c, d_h) * factors[rows]
        if extra is not None:
            d = d + extra[rows]
        made = (d,) if projection is None else (d, d_projected)
        return xp.matmul(d, weight), d_c * f[rows], *made

    return _run_back(xp, steps, [d_hidden, d_cells], step)


def _reference_projected_lstm(torch):
    def run(x, weight, projection, h0, c0, steps):
        def cell(x, h, c):
            i, f, g, o = (x + weight @ h).chunk(4)
            i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
            c = f * c + i * g
            return projection @ (o * c.tanh()), c, torch.cat([i, f, g, o])

        return _by_single_rows(torch, cell, x, [h0, c0], steps)

    return run


@op(autocast="lower", promotes="same", method=False, internal=True,
    outputs=("hidden", "cells", "gates"), reference=_reference_projected_lstm, samples=[
        S(t(5, 12), t(12, 2), t(2, 3), t(3, 2), t(3, 3), TWO),
        S(t(5, 12), t(12, 2), t(2, 3), t(3, 2), t(3, 3), BACK),
        S(t(2, 8), t(8, 1), t(1, 2), t(1, 1), t(1, 2), (slice(0, 1), slice(1, 2)))])
def projected_lstm_sequence(xp, input: Array, weight: Array, projection: Array, h0: Array,
                            c0: Array, steps: Steps):
    """As `lstm_sequence`, but h_t = projection @ (σ(o) tanh(c_t)), which may be smaller than c_t.

    Shapes: (rows, 4H), (4H, P), (P, H), (N, P), (N, H) -> (rows, P), (rows, H), (rows, 4H).
    Sak, Senior and Beaufays 2014.
    """
    return _run(xp, steps, [h0, c0], _lstm_step(xp, input, weight, projection))


@projected_lstm_sequence.vjp("input", "weight", "projection", "h0", "c0")
def _(xp, g, hidden, cells, gates, weight, projection, h0, c0, steps):
    (d_h0, d_c0), d, d_projected = _lstm_back(xp, g, hidden, cells, gates, weight, projection, c0,
                                              steps)
    d_projection = _weight_gradient(xp, d_projected, _columns(gates, 4)[3] * xp.tanh(cells))
    return (d, _weight_gradient(xp, d, _before(xp, steps, hidden, h0)), d_projection, d_h0, d_c0)


# ---------------------------------------------------------------- GRU


def _reference_gru(torch):
    def run(x, weight, bias, h0, steps):
        def cell(x, h):
            a, b = x.chunk(3), (weight @ h + (0 if bias is None else bias)).chunk(3)
            r, z = (a[0] + b[0]).sigmoid(), (a[1] + b[1]).sigmoid()
            n = (a[2] + r * b[2]).tanh()
            return (1 - z) * n + z * h, torch.cat([r, z, n])

        return _by_single_rows(torch, cell, x, [h0], steps)

    return run


@op(autocast="lower", promotes="same", method=False, internal=True,
    outputs=("hidden", "gates"),
    reference=_reference_gru, samples=[
        S(t(5, 6), t(6, 2), t(6), t(3, 2), TWO), S(t(5, 6), t(6, 2), t(6), t(3, 2), BACK),
        S(t(2, 3), t(3, 1), None, t(1, 1), (slice(0, 1), slice(1, 2)))])
def gru_sequence(xp, input: Array, weight: Array, bias: Array | None, h0: Array, steps: Steps):
    """The states of a gated recurrent unit, and its gates r, z, n, concatenated.

    With a, b, c = weight @ h_{t-1} + bias: r = σ(x_r + a); z = σ(x_z + b); n = tanh(x_n + r c);
    h_t = (1 - z) n + z h_{t-1}.

    Shapes: (rows, 3H), (3H, H), (3H), (N, H) -> (rows, H), (rows, 3H). The gates are a result
    instead of a residual: their gradient makes second derivatives correct. Cho et al. 2014, with r
    applied after the product.
    """
    size, across = weight.shape[1], _across(xp, weight)

    def step(rows, h):
        x, recurrent = input[rows], xp.matmul(h, across)
        if bias is not None:
            recurrent = recurrent + bias
        r, z = _columns(sigmoid.run(xp, x[:, :2 * size] + recurrent[:, :2 * size]), 2)
        n = xp.tanh(x[:, 2 * size:] + r * recurrent[:, 2 * size:])
        return n + z * (h - n), _side_by_side(xp, r, z, n)

    return _run(xp, steps, [h0], step)


@gru_sequence.vjp("input", "weight", "bias", "h0")
def _(xp, g, needs, hidden, gates, weight, bias, h0, steps):
    r, z, n = _columns(gates, 3)
    size = n.shape[1]
    before = _before(xp, steps, hidden, h0)
    recurrent = xp.matmul(before, _transposed(xp, weight[2 * size:]))
    if bias is not None:
        recurrent = recurrent + bias[2 * size:]
    slopes = _side_by_side(xp, r * (1 - r), z * (1 - z), 1 - n * n)
    to_r, to_z, to_n = _columns(slopes, 3)
    # The factors from the gradient of h to those of the gates; r acts through n.
    to_r, to_z, to_n = to_r * recurrent, to_z * (before - n), to_n * (1 - z)
    factors = _side_by_side(xp, to_n * to_r, to_z, to_n)
    d_hidden, extra = _given(xp, g[:1], (hidden,))[0], None
    if g[1] is not None:
        extra_r, extra_z, extra_n = _columns(g[1] * slopes, 3)
        extra = _side_by_side(xp, extra_r + extra_n * to_r, extra_z, extra_n)

    def step(rows, d_h):
        d = _side_by_side(xp, d_h, d_h, d_h) * factors[rows]
        if extra is not None:
            d = d + extra[rows]
        d_recurrent = _side_by_side(xp, d[:, :2 * size], d[:, 2 * size:] * r[rows])
        return d_h * z[rows] + xp.matmul(d_recurrent, weight), d, d_recurrent

    (d_h0,), d, d_recurrent = _run_back(xp, steps, [d_hidden], step)
    d_bias = xp.sum(d_recurrent, axis=0) if needs[2] else None
    return d, _weight_gradient(xp, d_recurrent, before), d_bias, d_h0
