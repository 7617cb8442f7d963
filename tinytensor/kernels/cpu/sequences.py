"""The loops of recurrent layers: all steps of some sequences of a batch, in one call.

The sequences of a batch are independent, so each thread computes some of them from the first step
to the last without waiting for others. In each step the states are multiplied by the weight, then
one loop over the hidden units does the rest. The weight is packed once, so that the product reads
it from end to end. All arrays are flat; row r of step t is row firsts[t] + r.

For a single step, packing the weight costs more than the product: the caller computes it into
`products`, and `panels` is empty. Gradients that are None are empty arrays.
"""

from __future__ import annotations

import numpy

from ..approximations import sigmoid, tanh
from ..loops import inlined, loop
from ..vectors import WIDE, fma, load_wide, spread_wide, store, zeros_wide


@inlined
def padded(columns, itemsize):
    """`columns` rounded up to whole tiles of three vectors."""
    tile = 3 * WIDE // itemsize
    return (columns + tile - 1) // tile * tile


@loop
def pack(weight, panels):
    """Packs weight (depth, columns) into panels of three vectors of columns, padded with zeros."""
    depth, columns = weight.shape
    tile = 3 * WIDE // weight.itemsize
    at = 0
    for first in range(0, columns, tile):
        count = min(tile, columns - first)
        for k in range(depth):
            for j in range(count):
                panels[at + j] = weight[k, first + j]
            for j in range(count, tile):
                panels[at + j] = 0
            at += tile


@inlined
def store_row(out, at, lanes, y0, y1, y2):
    store(out, at, y0)
    store(out, at + lanes, y1)
    store(out, at + 2 * lanes, y2)


@loop
def multiply(a, at, rows, depth, panels, width, out):
    """out[r, j] = Σ_k a[r, k] weight[k, j], where a begins at `at` and out has rows of `width`."""
    lanes = WIDE // a.itemsize
    last = rows - 1
    for first in range(0, width, 3 * lanes):
        for r in range(0, rows, 4):  # a tile: four rows, a to d, by three vectors
            # Rows past the end repeat the last row, which is computed and stored twice.
            r1, r2, r3 = min(r + 1, last), min(r + 2, last), min(r + 3, last)
            p0, p1, p2, p3 = at + r * depth, at + r1 * depth, at + r2 * depth, at + r3 * depth
            w = first * depth
            a0 = a1 = a2 = b0 = b1 = b2 = c0 = c1 = c2 = d0 = d1 = d2 = zeros_wide(a)
            for k in range(depth):
                x0, x1 = load_wide(panels, w), load_wide(panels, w + lanes)
                x2 = load_wide(panels, w + 2 * lanes)
                y = spread_wide(a, p0 + k)
                a0, a1, a2 = fma(y, x0, a0), fma(y, x1, a1), fma(y, x2, a2)
                y = spread_wide(a, p1 + k)
                b0, b1, b2 = fma(y, x0, b0), fma(y, x1, b1), fma(y, x2, b2)
                y = spread_wide(a, p2 + k)
                c0, c1, c2 = fma(y, x0, c0), fma(y, x1, c1), fma(y, x2, c2)
                y = spread_wide(a, p3 + k)
                d0, d1, d2 = fma(y, x0, d0), fma(y, x1, d1), fma(y, x2, d2)
                w += 3 * lanes
            store_row(out, r * width + first, lanes, a0, a1, a2)
            store_row(out, r1 * width + first, lanes, b0, b1, b2)
            store_row(out, r2 * width + first, lanes, c0, c1, c2)
            store_row(out, r3 * width + first, lanes, d0, d1, d2)


@loop
def products_of(start, stop, x, products, columns):
    """The array for the products of rows start to stop, and the length of its rows."""
    if products.size:
        return products[start * columns:stop * columns], columns
    width = padded(columns, x.itemsize)
    return numpy.empty((stop - start) * width, x.dtype), width


# ---------------------------------------------------------------- LSTM


@loop
def lstm(start, stop, x, panels, products, h0, c0, firsts, size, hidden, cells, gates):
    z, width = products_of(start, stop, x, products, 4 * size)
    rows, h, c, at = stop - start, h0, c0, start * size
    for t in range(firsts.size):
        if panels.size:
            multiply(h, at, rows, size, panels, width, z)
        for r in range(rows):
            row = firsts[t] + start + r
            lstm_row(x[4 * row * size:4 * (row + 1) * size],
                     z[r * width:r * width + 4 * size],
                     c[at + r * size:at + (r + 1) * size],
                     cells[row * size:(row + 1) * size], hidden[row * size:(row + 1) * size],
                     gates[4 * row * size:4 * (row + 1) * size])
        h, c, at = hidden, cells, (firsts[t] + start) * size


@loop
def lstm_row(x, product, before, cell, hidden, gates):
    size = cell.size
    for k in range(3):
        gate = (0, 1, 3)[k] * size
        a, b, out = x[gate:gate + size], product[gate:gate + size], gates[gate:gate + size]
        for j in range(size):
            out[j] = sigmoid(a[j] + b[j])
    a, b, new = x[2 * size:3 * size], product[2 * size:3 * size], gates[2 * size:3 * size]
    i, f, o = gates[:size], gates[size:2 * size], gates[3 * size:]
    for j in range(size):
        new[j] = tanh(a[j] + b[j])
    for j in range(size):
        c = f[j] * before[j] + i[j] * new[j]
        cell[j] = c
        hidden[j] = o[j] * tanh(c)


@loop
def lstm_back(start, stop, g_hidden, g_cells, g_gates, gates, cells, panels, c0, firsts, size, d,
              d_h0, d_c0):
    width, rows = padded(size, gates.itemsize), stop - start
    d_h, d_c = numpy.zeros(rows * width, d.dtype), numpy.zeros(rows * size, d.dtype)
    for t in range(firsts.size - 1, -1, -1):
        before, at = (cells, firsts[t - 1] + start) if t else (c0, start)
        for r in range(rows):
            row = firsts[t] + start + r
            lstm_row_back(g_hidden[row * size:(row + 1) * size],
                          g_cells[row * size:(row + 1) * size],
                          g_gates[4 * row * size:4 * (row + 1) * size],
                          gates[4 * row * size:4 * (row + 1) * size],
                          cells[row * size:(row + 1) * size],
                          before[(at + r) * size:(at + r + 1) * size],
                          d_h[r * width:r * width + size], d_c[r * size:(r + 1) * size],
                          d[4 * row * size:4 * (row + 1) * size])
        if panels.size:
            multiply(d, 4 * (firsts[t] + start) * size, rows, 4 * size, panels, width, d_h)
    for r in range(rows):
        for j in range(size):
            d_h0[(start + r) * size + j] = d_h[r * width + j]
            d_c0[(start + r) * size + j] = d_c[r * size + j]


@loop
def lstm_row_back(g_hidden, g_cell, g_gates, gates, cell, before, d_h, d_c, d):
    size = cell.size
    i, f, new, o = (gates[:size], gates[size:2 * size], gates[2 * size:3 * size],
                    gates[3 * size:])
    d_i, d_f, d_new, d_o = d[:size], d[size:2 * size], d[2 * size:3 * size], d[3 * size:]
    for j in range(size):
        g_h, g_c, squashed = d_h[j], d_c[j], tanh(cell[j])
        if g_hidden.size:
            g_h += g_hidden[j]
        if g_cell.size:
            g_c += g_cell[j]
        g_c += g_h * o[j] * (1 - squashed * squashed)
        g_i, g_f, g_new, g_o = g_c * new[j], g_c * before[j], g_c * i[j], g_h * squashed
        if g_gates.size:
            g_i, g_f = g_i + g_gates[j], g_f + g_gates[size + j]
            g_new, g_o = g_new + g_gates[2 * size + j], g_o + g_gates[3 * size + j]
        d_i[j] = g_i * (i[j] * (1 - i[j]))
        d_f[j] = g_f * (f[j] * (1 - f[j]))
        d_new[j] = g_new * (1 - new[j] * new[j])
        d_o[j] = g_o * (o[j] * (1 - o[j]))
        d_c[j] = g_c * f[j]


# ---------------------------------------------------------------- GRU


@loop
def gru(start, stop, x, panels, products, bias, h0, firsts, size, hidden, gates):
    z, width = products_of(start, stop, x, products, 3 * size)
    rows, h, at = stop - start, h0, start * size
    for t in range(firsts.size):
        if panels.size:
            multiply(h, at, rows, size, panels, width, z)
        for r in range(rows):
            row = firsts[t] + start + r
            gru_row(x[3 * row * size:3 * (row + 1) * size],
                    z[r * width:r * width + 3 * size], bias,
                    h[at + r * size:at + (r + 1) * size], hidden[row * size:(row + 1) * size],
                    gates[3 * row * size:3 * (row + 1) * size])
        h, at = hidden, (firsts[t] + start) * size


@loop
def gru_row(x, product, bias, before, hidden, gates):
    size = hidden.size
    for j in range(2 * size):
        gates[j] = sigmoid(x[j] + (product[j] + bias[j]))
    reset, z, new = gates[:size], gates[size:2 * size], gates[2 * size:]
    x, product, bias = x[2 * size:], product[2 * size:], bias[2 * size:]
    for j in range(size):
        n = tanh(x[j] + reset[j] * (product[j] + bias[j]))
        new[j] = n
        hidden[j] = n + z[j] * (before[j] - n)


@loop
def gru_back(start, stop, g_hidden, g_gates, gates, recurrent, hidden, panels, h0, firsts, size, d,
             d_product, d_h0):
    """`recurrent` is product + bias, which the reset gate multiplies, for every row."""
    width, rows = padded(size, gates.itemsize), stop - start
    d_h, direct = numpy.zeros(rows * width, d.dtype), numpy.zeros(rows * size, d.dtype)
    for t in range(firsts.size - 1, -1, -1):
        before, at = (hidden, firsts[t - 1] + start) if t else (h0, start)
        for r in range(rows):
            row = firsts[t] + start + r
            gru_row_back(g_hidden[row * size:(row + 1) * size],
                         g_gates[3 * row * size:3 * (row + 1) * size],
                         gates[3 * row * size:3 * (row + 1) * size],
                         recurrent[row * size:(row + 1) * size],
                         before[(at + r) * size:(at + r + 1) * size],
                         d_h[r * width:r * width + size], direct[r * size:(r + 1) * size],
                         d[3 * row * size:3 * (row + 1) * size],
                         d_product[3 * row * size:3 * (row + 1) * size])
        if panels.size:
            multiply(d_product, 3 * (firsts[t] + start) * size, rows, 3 * size, panels, width,
                     d_h)
    for r in range(rows):
        for j in range(size):
            d_h0[(start + r) * size + j] = d_h[r * width + j] + direct[r * size + j]


@loop
def gru_row_back(g_hidden, g_gates, gates, recurrent, before, d_h, direct, d, d_product):
    size = before.size
    reset, z, new = gates[:size], gates[size:2 * size], gates[2 * size:]
    d_r, d_z, d_n = d[:size], d[size:2 * size], d[2 * size:]
    e_r, e_z, e_n = d_product[:size], d_product[size:2 * size], d_product[2 * size:]
    for j in range(size):
        g_h, r, n = d_h[j] + direct[j], reset[j], new[j]
        if g_hidden.size:
            g_h += g_hidden[j]
        g_n, g_z = g_h * (1 - z[j]), g_h * (before[j] - n)
        if g_gates.size:
            g_n, g_z = g_n + g_gates[2 * size + j], g_z + g_gates[size + j]
        g_n *= 1 - n * n
        g_r = g_n * recurrent[j]
        if g_gates.size:
            g_r += g_gates[j]
        d_r[j] = e_r[j] = g_r * (r * (1 - r))
        d_z[j] = e_z[j] = g_z * (z[j] * (1 - z[j]))
        d_n[j] = g_n
        e_n[j] = g_n * r
        direct[j] = g_h * z[j]


# ---------------------------------------------------------------- Elman RNN


@loop
def elman(start, stop, x, panels, h0, firsts, size, relu, hidden):
    width, rows = padded(size, x.itemsize), stop - start
    products = numpy.empty(rows * width, x.dtype)
    h, at = h0, start * size
    for t in range(firsts.size):
        multiply(h, at, rows, size, panels, width, products)
        for r in range(rows):
            row = (firsts[t] + start + r) * size
            elman_row(x[row:row + size], products[r * width:r * width + size], relu,
                      hidden[row:row + size])
        h, at = hidden, (firsts[t] + start) * size


@loop
def elman_row(x, product, relu, hidden):
    if relu:
        for j in range(x.size):
            z = x[j] + product[j]
            hidden[j] = 0 if z < 0 else z  # NaN stays
    else:
        for j in range(x.size):
            hidden[j] = tanh(x[j] + product[j])


@loop
def elman_back(start, stop, g, hidden, panels, firsts, size, relu, d, d_h0):
    width, rows = padded(size, g.itemsize), stop - start
    d_h = numpy.zeros(rows * width, d.dtype)
    for t in range(firsts.size - 1, -1, -1):
        for r in range(rows):
            row = (firsts[t] + start + r) * size
            elman_row_back(g[row:row + size], hidden[row:row + size],
                           d_h[r * width:r * width + size], relu, d[row:row + size])
        multiply(d, (firsts[t] + start) * size, rows, size, panels, width, d_h)
    for r in range(rows):
        for j in range(size):
            d_h0[(start + r) * size + j] = d_h[r * width + j]


@loop
def elman_row_back(g, hidden, d_h, relu, d):
    if relu:
        zero, one = d.dtype.type(0), d.dtype.type(1)
        for j in range(g.size):
            d[j] = (g[j] + d_h[j]) * (one if hidden[j] != 0 else zero)
    else:
        for j in range(g.size):
            d[j] = (g[j] + d_h[j]) * (1 - hidden[j] * hidden[j])
