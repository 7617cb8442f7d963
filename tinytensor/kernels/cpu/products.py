"""Products of matrices inside loops: small ones, where a call of NumPy's for each would cost too
much, and the parts of large ones, which OpenBLAS makes.

Of a small product the second factor is in strips, two vectors wide (16 float32), one after the
other: row k of strip s of a matrix with `rows` rows begins at (s * rows + k) * width. Behind the
last column there are zeros. A tile of 6 rows by a strip stays in registers while the sums run
(Goto and van de Geijn 2008): 8 loads serve 12 products.
"""

from __future__ import annotations

import numpy

from ..blas import gemm
from ..loops import inlined, loop
from ..vectors import BYTES, fma, get, load, put, spread, store, total, zeros

TILE = 6  # rows


@inlined
def strip_of(x):
    """The width of a strip, in elements."""
    return 2 * BYTES // x.itemsize


@inlined
def whole_strips(x, columns):
    """The columns with those that fill up the last strip."""
    width = strip_of(x)
    return (columns + width - 1) // width * width


@loop
def lay_out(x, at, step, rows, columns, into):
    """The matrix from x[at] on, into strips. Its rows are `step` apart."""
    width = strip_of(x)
    for strip in range(0, columns, width):
        to = strip * rows
        if strip + width <= columns:
            for k in range(rows):
                source, target = at + k * step + strip, to + k * width
                store(into, target, load(x, source))
                store(into, target + width // 2, load(x, source + width // 2))
        else:
            fill_with_zeros(into, to, to + width * rows)
            for k in range(rows):
                for j in range(columns - strip):
                    put(into, to + k * width + j, get(x, at + k * step + strip + j))


@loop
def lay_out_turned(x, step, rows, columns, factor, into):
    """The transpose of the matrix from x[0] on, times a number, into strips."""
    width = strip_of(x)
    for strip in range(0, rows, width):
        to = strip * columns
        if strip + width > rows:
            fill_with_zeros(into, to, to + width * columns)
        for j in range(min(width, rows - strip)):
            for k in range(columns):
                put(into, to + k * width + j, factor * get(x, (strip + j) * step + k))


@loop
def fill_with_zeros(x, start, stop):
    for j in range(stop - start):
        put(x, start + j, x.dtype.type(0))


@loop
def multiply(a, at_a, down, along, rows, depth, b, b_rows, columns, c, pitch, add):
    """c[i, j] = Σ_k a[i, k] b[k, j], or that added, for i < rows, k < depth, j < columns.

    a[i, k] is element at_a + i * down + k * along, c[i, j] element i * pitch + j; b is in strips
    of b_rows rows. Whole strips are computed: c must have room.
    """
    width = strip_of(b)
    lanes = width // 2
    for strip in range(0, columns, width):
        for i in range(0, rows, TILE):
            # Behind the last row it comes again, computed and stored twice.
            i1, i2, i3 = min(i + 1, rows - 1), min(i + 2, rows - 1), min(i + 3, rows - 1)
            i4, i5 = min(i + 4, rows - 1), min(i + 5, rows - 1)
            q0, q1, q2 = strip + i * pitch, strip + i1 * pitch, strip + i2 * pitch
            q3, q4, q5 = strip + i3 * pitch, strip + i4 * pitch, strip + i5 * pitch
            if add:
                x0, y0 = load(c, q0), load(c, q0 + lanes)
                x1, y1 = load(c, q1), load(c, q1 + lanes)
                x2, y2 = load(c, q2), load(c, q2 + lanes)
                x3, y3 = load(c, q3), load(c, q3 + lanes)
                x4, y4 = load(c, q4), load(c, q4 + lanes)
                x5, y5 = load(c, q5), load(c, q5 + lanes)
            else:
                x0 = x1 = x2 = x3 = x4 = x5 = y0 = y1 = y2 = y3 = y4 = y5 = zeros(b)
            p0, p1, p2 = at_a + i * down, at_a + i1 * down, at_a + i2 * down
            p3, p4, p5 = at_a + i3 * down, at_a + i4 * down, at_a + i5 * down
            at = strip * b_rows
            for k in range(depth):
                left, right = load(b, at), load(b, at + lanes)
                s = k * along
                y = spread(a, p0 + s)
                x0, y0 = fma(y, left, x0), fma(y, right, y0)
                y = spread(a, p1 + s)
                x1, y1 = fma(y, left, x1), fma(y, right, y1)
                y = spread(a, p2 + s)
                x2, y2 = fma(y, left, x2), fma(y, right, y2)
                y = spread(a, p3 + s)
                x3, y3 = fma(y, left, x3), fma(y, right, y3)
                y = spread(a, p4 + s)
                x4, y4 = fma(y, left, x4), fma(y, right, y4)
                y = spread(a, p5 + s)
                x5, y5 = fma(y, left, x5), fma(y, right, y5)
                at += width
            store(c, q0, x0)
            store(c, q0 + lanes, y0)
            store(c, q1, x1)
            store(c, q1 + lanes, y1)
            store(c, q2, x2)
            store(c, q2 + lanes, y2)
            store(c, q3, x3)
            store(c, q3 + lanes, y3)
            store(c, q4, x4)
            store(c, q4 + lanes, y4)
            store(c, q5, x5)
            store(c, q5 + lanes, y5)


# ---------------------------------------------------------------- large products


@loop
def product(start, stop, parts, address, a, a_turned, b, b_turned, bias, rectified, out):
    """out = A B + bias for the parts from start to stop, of `parts`; `address` is OpenBLAS's gemm.

    A and B are the matrices a and b or, turned, their transposes. Of what is rectified the part
    below 0 is cut off.
    """
    columns = out.shape[1]
    flat = out.reshape(-1)
    for part in range(start, stop):
        part_of_product(part, parts, address, a, a_turned, b, b_turned, out)
        top, bottom, first, last = bounds(part, parts, out)
        for i in range(top, bottom if bias.size or rectified else top):
            row, more = flat[i * columns + first:i * columns + last], bias[first:last]
            for j in range(more.size):
                row[j] += more[j]
            if rectified:
                for j in range(row.size):
                    row[j] = cut_off(row[j], zero(out))


@inlined
def cut_off(y, least):
    """The larger one; NaN stays."""
    return least if y < least else y


@loop
def part_of_product(part, parts, address, a, a_turned, b, b_turned, out):
    columns, depth = out.shape[1], a.shape[0] if a_turned else a.shape[1]
    flat_a, flat_b, flat = a.reshape(-1), b.reshape(-1), out.reshape(-1)
    top, bottom, first, last = bounds(part, parts, out)
    if bottom > top and last > first:
        gemm(address, flat_a[top if a_turned else top * depth:], a_turned, a.shape[1],
             flat_b[first * depth if b_turned else first:], b_turned, b.shape[1],
             flat[top * columns + first:], columns, bottom - top, last - first, depth)


@inlined
def bounds(part, parts, out):
    """Which rows and columns of a matrix a part has: some rows, or where they are few some columns.

    Halves of rows in two threads are slower: what a processor fetches ahead, it takes from the
    other one.
    """
    rows, columns = out.shape
    if rows >= min(columns, 128):
        return bound(rows, part, parts), bound(rows, part + 1, parts), 0, columns
    return 0, rows, bound(columns, part, parts), bound(columns, part + 1, parts)


@loop
def few_rows(start, stop, a, b, bias, rectified, out):
    """out = a bᵀ + bias for columns start to stop, where a has few rows; rectified as in `product`.

    For those a library lays out the whole of b, which takes as long as the products. Here rows of
    both meet as they lie: a tile of 4 by 3 sums of vectors, 7 loads for 12 products.
    """
    rows, depth = a.shape
    columns = out.shape[1]
    flat_a, flat_b, to = a.reshape(-1), b.reshape(-1), out.reshape(-1)
    lanes = BYTES // a.itemsize
    whole = depth // lanes * lanes
    for first in range(start, stop, 12):  # rows of b that stay in the cache for all of a
        for i in range(0, rows, 4):
            # Behind the last row it comes again, computed and stored twice.
            i1, i2, i3 = min(i + 1, rows - 1), min(i + 2, rows - 1), min(i + 3, rows - 1)
            p0, p1, p2, p3 = i * depth, i1 * depth, i2 * depth, i3 * depth
            for j in range(first, min(first + 12, stop), 3):
                j1, j2 = min(j + 1, stop - 1), min(j + 2, stop - 1)
                q0, q1, q2 = j * depth, j1 * depth, j2 * depth
                a0 = a1 = a2 = b0 = b1 = b2 = c0 = c1 = c2 = d0 = d1 = d2 = zeros(a)
                for k in range(0, whole, lanes):
                    x0, x1, x2 = load(flat_b, q0 + k), load(flat_b, q1 + k), load(flat_b, q2 + k)
                    y = load(flat_a, p0 + k)
                    a0, a1, a2 = fma(y, x0, a0), fma(y, x1, a1), fma(y, x2, a2)
                    y = load(flat_a, p1 + k)
                    b0, b1, b2 = fma(y, x0, b0), fma(y, x1, b1), fma(y, x2, b2)
                    y = load(flat_a, p2 + k)
                    c0, c1, c2 = fma(y, x0, c0), fma(y, x1, c1), fma(y, x2, c2)
                    y = load(flat_a, p3 + k)
                    d0, d1, d2 = fma(y, x0, d0), fma(y, x1, d1), fma(y, x2, d2)
                put_row(to, i * columns, j, j1, j2, total(a0), total(a1), total(a2))
                put_row(to, i1 * columns, j, j1, j2, total(b0), total(b1), total(b2))
                put_row(to, i2 * columns, j, j1, j2, total(c0), total(c1), total(c2))
                put_row(to, i3 * columns, j, j1, j2, total(d0), total(d1), total(d2))
    for i in range(rows if whole < depth or bias.size or rectified else 0):
        for j in range(start, stop):
            rest = bias[j] if bias.size else zero(a)
            for k in range(whole, depth):
                rest += flat_a[i * depth + k] * flat_b[j * depth + k]
            rest += to[i * columns + j]
            to[i * columns + j] = cut_off(rest, zero(a)) if rectified else rest


@loop
def one_row(start, stop, a, b, bias, rectified, out):
    """The same of a single row, four sums at a time."""
    depth = a.shape[1]
    flat_a, flat_b, to = a.reshape(-1), b.reshape(-1), out.reshape(-1)
    lanes = BYTES // a.itemsize
    whole = depth // lanes * lanes
    for j in range(start, stop, 4):
        # Behind the last one it comes again.
        j1, j2, j3 = min(j + 1, stop - 1), min(j + 2, stop - 1), min(j + 3, stop - 1)
        p0, p1, p2, p3 = j * depth, j1 * depth, j2 * depth, j3 * depth
        x0 = x1 = x2 = x3 = zeros(a)
        for k in range(0, whole, lanes):
            y = load(flat_a, k)
            x0, x1 = fma(y, load(flat_b, p0 + k), x0), fma(y, load(flat_b, p1 + k), x1)
            x2, x3 = fma(y, load(flat_b, p2 + k), x2), fma(y, load(flat_b, p3 + k), x3)
        to[j], to[j1], to[j2], to[j3] = total(x0), total(x1), total(x2), total(x3)
    for j in range(start, stop):
        rest = bias[j] if bias.size else zero(a)
        for k in range(whole, depth):
            rest += flat_a[k] * flat_b[j * depth + k]
        rest += to[j]
        to[j] = cut_off(rest, zero(a)) if rectified else rest


@inlined
def zero(x):
    return x.dtype.type(0)


@inlined
def put_row(out, at, j, j1, j2, y0, y1, y2):
    out[at + j], out[at + j1], out[at + j2] = y0, y1, y2


@loop
def linear_back(start, stop, parts, address, g, out, x, weight, d_x, d_weight, d_bias):
    """The gradients of a linear layer's input, weight and bias: all that are not empty.

    `out`, unless it is empty, is what ReLU made of the layer's result, and g the gradient of that.
    """
    if out.size:
        g = through_relu(g, out)
    for part in range(start, stop):
        if g.shape[0] == 1:
            one_sample_back(part, parts, g[0], x, weight, d_x, d_weight)
        else:
            if d_weight.size:
                part_of_product(part, parts, address, g, True, x, False, d_weight)
            if d_x.size:
                part_of_product(part, parts, address, g, False, weight, False, d_x)
        if d_bias.size:
            first, last = bound(d_bias.size, part, parts), bound(d_bias.size, part + 1, parts)
            sum_columns(first, last, g, d_bias)


@loop
def through_relu(g, out):
    found = numpy.empty_like(g)
    flat, by, to = g.reshape(-1), out.reshape(-1), found.reshape(-1)
    for i in range(to.size):
        to[i] = flat[i] if by[i] != 0 else zero(g)  # NaN has a gradient
    return found


@loop
def one_sample_back(part, parts, g, x, weight, d_x, d_weight):
    """The same of a single sample, whose products are of vectors."""
    if d_weight.size:
        outer(bound(g.size, part, parts), bound(g.size, part + 1, parts), g, x[0], d_weight)
    if d_x.size:
        first, last = bound(d_x.size, part, parts), bound(d_x.size, part + 1, parts)
        to = d_x[0, first:last]
        to[:] = 0
        for i in range(g.size):
            row, factor = weight[i, first:last], g[i]
            for j in range(row.size):
                to[j] += factor * row[j]


@loop
def outer(start, stop, column, row, out):
    for i in range(start, stop):
        to, factor = out[i], column[i]
        for j in range(row.size):
            to[j] = factor * row[j]


@inlined
def bound(count, part, parts):
    """Where a part begins: at whole vectors, but for the end."""
    return count if part == parts else count * part // parts // 16 * 16


@loop
def sum_columns(start, stop, x, out):
    """out[j] = Σ_i x[i, j]; sums of a few rows first, which keeps more digits."""
    some = numpy.empty(stop - start, x.dtype)
    total = out[start:stop]
    total[:] = 0
    for i in range(0, x.shape[0], 32):
        some[:] = 0
        for row in x[i:i + 32]:
            row = row[start:stop]
            for j in range(row.size):
                some[j] += row[j]
        for j in range(some.size):
            total[j] += some[j]
