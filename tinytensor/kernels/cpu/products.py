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
from ..vectors import BYTES, fma, load, spread, store, zeros

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


@inlined
def step_of(x):
    """From a row of a matrix to the next, in elements; within a row they are next to each other."""
    return x.strides[0] // x.itemsize


@loop
def lay_out(x, into):
    """A matrix, into strips."""
    rows, columns = x.shape
    width, step = strip_of(x), step_of(x)
    for strip in range(0, columns, width):
        to = into[strip * rows:(strip + width) * rows]
        if strip + width <= columns:
            for k in range(rows):
                store(to, k * width, load(x, k * step + strip))
                store(to, k * width + width // 2, load(x, k * step + strip + width // 2))
        else:
            to[:] = 0
            for k in range(rows):
                for j in range(columns - strip):
                    to[k * width + j] = x[k, strip + j]


@loop
def lay_out_turned(x, into):
    """The transpose of a matrix, into strips."""
    columns, rows = x.shape
    width = strip_of(x)
    for strip in range(0, columns, width):
        to = into[strip * rows:(strip + width) * rows]
        if strip + width > columns:
            to[:] = 0
        for j in range(min(width, columns - strip)):
            row = x[strip + j]
            for k in range(rows):
                to[k * width + j] = row[k]


@loop
def multiply(a, down, along, rows, depth, b, b_rows, columns, c, pitch, add):
    """c[i, j] = Σ_k a[i, k] b[k, j], or that added, for i < rows, k < depth, j < columns.

    a[i, k] is element i * down + k * along, counted from the first of `a`, c[i, j] element
    i * pitch + j; b is in strips of b_rows rows. Whole strips are computed: c must have room.
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
            p0, p1, p2, p3, p4, p5 = i * down, i1 * down, i2 * down, i3 * down, i4 * down, i5 * down
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
def product(start, stop, parts, address, a, a_turned, b, b_turned, bias, out):
    """out = A B + bias for the parts from start to stop, of `parts`; `address` is OpenBLAS's gemm.

    A and B are the matrices a and b or, turned, their transposes. The parts are groups of rows or
    of columns, of which there are more.
    """
    rows, columns = out.shape
    depth = a.shape[0] if a_turned else a.shape[1]
    flat_a, flat_b, flat = a.reshape(-1), b.reshape(-1), out.reshape(-1)
    for part in range(start, stop):
        top, bottom, first, last = 0, rows, 0, columns
        if rows >= columns:
            top, bottom = bound(rows, part, parts), bound(rows, part + 1, parts)
        else:
            first, last = bound(columns, part, parts), bound(columns, part + 1, parts)
        to = flat[top * columns + first:]
        if bottom > top and last > first:
            gemm(address, flat_a[top if a_turned else top * depth:], a_turned, a.shape[1],
                 flat_b[first * depth if b_turned else first:], b_turned, b.shape[1],
                 to, columns, bottom - top, last - first, depth)
        if bias.size:
            for i in range(bottom - top):
                row, more = to[i * columns:i * columns + last - first], bias[first:last]
                for j in range(row.size):
                    row[j] += more[j]


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
