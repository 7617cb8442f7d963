"""Matrix products inside loops: small ones, for which a NumPy call would cost more than the
product, and parts of large ones, which OpenBLAS computes.

The second factor of a small product is packed into strips of columns, two vectors wide (16
float32, or 32 with AVX-512): row k of strip s of a matrix with `rows` rows begins at
(s * rows + k) * width. The last strip is padded with zeros. A tile of 6 rows by a strip stays in
registers during the sum over k (Goto and van de Geijn 2008): 8 loads for 12 multiply-adds.
"""

from __future__ import annotations

import numpy

from ..blas import gemm
from ..loops import inlined, loop
from ..vectors import WIDE, fma, get, load_wide, put, spread_wide, store, total, zeros_wide

TILE = 6  # rows


@inlined
def strip_of(x):
    """The width of a strip, in elements."""
    return 2 * WIDE // x.itemsize


@inlined
def whole_strips(x, columns):
    """`columns` rounded up to whole strips."""
    width = strip_of(x)
    return (columns + width - 1) // width * width


@loop
def pack(x, at, step, rows, columns, into):
    """Packs the matrix that begins at x[at], with rows `step` apart, into strips."""
    width = strip_of(x)
    for strip in range(0, columns, width):
        to = strip * rows
        if strip + width <= columns:
            for k in range(rows):
                source, target = at + k * step + strip, to + k * width
                store(into, target, load_wide(x, source))
                store(into, target + width // 2, load_wide(x, source + width // 2))
        else:
            fill_with_zeros(into, to, to + width * rows)
            for k in range(rows):
                for j in range(columns - strip):
                    put(into, to + k * width + j, get(x, at + k * step + strip + j))


@loop
def pack_transposed(x, step, rows, columns, factor, into):
    """Packs factor * xᵀ into strips; the rows of x are `step` apart."""
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
    """c[i, j] = Σ_k a[i, k] b[k, j], or += if `add`, for i < rows, k < depth, j < columns.

    a[i, k] is element at_a + i * down + k * along, c[i, j] element i * pitch + j; b is packed in
    strips of b_rows rows. Whole strips of c are written: the pitch must be large enough.
    """
    width = strip_of(b)
    lanes = width // 2
    for strip in range(0, columns, width):
        for i in range(0, rows, TILE):
            # Rows past the end repeat the last row, which is computed and stored twice.
            i1, i2, i3 = min(i + 1, rows - 1), min(i + 2, rows - 1), min(i + 3, rows - 1)
            i4, i5 = min(i + 4, rows - 1), min(i + 5, rows - 1)
            q0, q1, q2 = strip + i * pitch, strip + i1 * pitch, strip + i2 * pitch
            q3, q4, q5 = strip + i3 * pitch, strip + i4 * pitch, strip + i5 * pitch
            if add:
                x0, y0 = load_wide(c, q0), load_wide(c, q0 + lanes)
                x1, y1 = load_wide(c, q1), load_wide(c, q1 + lanes)
                x2, y2 = load_wide(c, q2), load_wide(c, q2 + lanes)
                x3, y3 = load_wide(c, q3), load_wide(c, q3 + lanes)
                x4, y4 = load_wide(c, q4), load_wide(c, q4 + lanes)
                x5, y5 = load_wide(c, q5), load_wide(c, q5 + lanes)
            else:
                x0 = x1 = x2 = x3 = x4 = x5 = y0 = y1 = y2 = y3 = y4 = y5 = zeros_wide(b)
            p0, p1, p2 = at_a + i * down, at_a + i1 * down, at_a + i2 * down
            p3, p4, p5 = at_a + i3 * down, at_a + i4 * down, at_a + i5 * down
            at = strip * b_rows
            for k in range(depth):
                left, right = load_wide(b, at), load_wide(b, at + lanes)
                s = k * along
                y = spread_wide(a, p0 + s)
                x0, y0 = fma(y, left, x0), fma(y, right, y0)
                y = spread_wide(a, p1 + s)
                x1, y1 = fma(y, left, x1), fma(y, right, y1)
                y = spread_wide(a, p2 + s)
                x2, y2 = fma(y, left, x2), fma(y, right, y2)
                y = spread_wide(a, p3 + s)
                x3, y3 = fma(y, left, x3), fma(y, right, y3)
                y = spread_wide(a, p4 + s)
                x4, y4 = fma(y, left, x4), fma(y, right, y4)
                y = spread_wide(a, p5 + s)
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
def product(start, stop, parts, address, a, a_transposed, b, b_transposed, bias, rectified, out):
    """out = A B + bias, or its ReLU if `rectified`, for parts start to stop of `parts`.

    A is a, or aᵀ if `a_transposed`; likewise B. `address` is that of OpenBLAS's gemm.
    """
    columns = out.shape[1]
    flat = out.reshape(-1)
    for part in range(start, stop):
        part_of_product(part, parts, address, a, a_transposed, b, b_transposed, out)
        top, bottom, first, last = bounds(part, parts, out)
        for i in range(top, bottom if bias.size or rectified else top):
            row, more = flat[i * columns + first:i * columns + last], bias[first:last]
            for j in range(more.size):
                row[j] += more[j]
            if rectified:
                for j in range(row.size):
                    row[j] = at_least(row[j], zero(out))


@inlined
def at_least(y, least):
    """max(y, least), which keeps NaN."""
    return least if y < least else y


@loop
def part_of_product(part, parts, address, a, a_transposed, b, b_transposed, out):
    columns, depth = out.shape[1], a.shape[0] if a_transposed else a.shape[1]
    flat_a, flat_b, flat = a.reshape(-1), b.reshape(-1), out.reshape(-1)
    top, bottom, first, last = bounds(part, parts, out)
    if bottom > top and last > first:
        gemm(address, flat_a[top if a_transposed else top * depth:], a_transposed, a.shape[1],
             flat_b[first * depth if b_transposed else first:], b_transposed, b.shape[1],
             flat[top * columns + first:], columns, bottom - top, last - first, depth)


@inlined
def bounds(part, parts, out):
    """The rows and columns of a part of a matrix: some rows, or some columns if it has few rows.

    Two threads that share the columns of a row are slower: each core prefetches cache lines that
    the other one is writing.
    """
    rows, columns = out.shape
    if rows >= min(columns, 128):
        return bound(rows, part, parts), bound(rows, part + 1, parts), 0, columns
    return 0, rows, bound(columns, part, parts), bound(columns, part + 1, parts)


@loop
def few_rows(start, stop, a, b, bias, rectified, out):
    """out = a bᵀ + bias, or its ReLU, for columns start to stop, where a has few rows.

    A BLAS library packs the whole of b, which costs as much as so small a product. Here the rows of
    both are read in place: a tile of 4 by 3 vectors of sums, 7 loads for 12 multiply-adds.
    """
    rows, depth = a.shape
    columns = out.shape[1]
    flat_a, flat_b, to = a.reshape(-1), b.reshape(-1), out.reshape(-1)
    lanes = WIDE // a.itemsize
    whole = depth // lanes * lanes
    for first in range(start, stop, 12):  # 12 rows of b stay in the cache for all rows of a
        for i in range(0, rows, 4):
            # Rows past the end repeat the last row, which is computed and stored twice.
            i1, i2, i3 = min(i + 1, rows - 1), min(i + 2, rows - 1), min(i + 3, rows - 1)
            p0, p1, p2, p3 = i * depth, i1 * depth, i2 * depth, i3 * depth
            for j in range(first, min(first + 12, stop), 3):
                j1, j2 = min(j + 1, stop - 1), min(j + 2, stop - 1)
                q0, q1, q2 = j * depth, j1 * depth, j2 * depth
                a0 = a1 = a2 = b0 = b1 = b2 = c0 = c1 = c2 = d0 = d1 = d2 = zeros_wide(a)
                for k in range(0, whole, lanes):
                    x0, x1 = load_wide(flat_b, q0 + k), load_wide(flat_b, q1 + k)
                    x2 = load_wide(flat_b, q2 + k)
                    y = load_wide(flat_a, p0 + k)
                    a0, a1, a2 = fma(y, x0, a0), fma(y, x1, a1), fma(y, x2, a2)
                    y = load_wide(flat_a, p1 + k)
                    b0, b1, b2 = fma(y, x0, b0), fma(y, x1, b1), fma(y, x2, b2)
                    y = load_wide(flat_a, p2 + k)
                    c0, c1, c2 = fma(y, x0, c0), fma(y, x1, c1), fma(y, x2, c2)
                    y = load_wide(flat_a, p3 + k)
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
            to[i * columns + j] = at_least(rest, zero(a)) if rectified else rest


@loop
def one_row(start, stop, a, b, bias, rectified, out):
    """`few_rows` for a single row of a, four columns at a time."""
    depth = a.shape[1]
    flat_a, flat_b, to = a.reshape(-1), b.reshape(-1), out.reshape(-1)
    lanes = WIDE // a.itemsize
    whole = depth // lanes * lanes
    for j in range(start, stop, 4):
        # Columns past the end repeat the last one.
        j1, j2, j3 = min(j + 1, stop - 1), min(j + 2, stop - 1), min(j + 3, stop - 1)
        p0, p1, p2, p3 = j * depth, j1 * depth, j2 * depth, j3 * depth
        x0 = x1 = x2 = x3 = zeros_wide(a)
        for k in range(0, whole, lanes):
            y = load_wide(flat_a, k)
            x0, x1 = fma(y, load_wide(flat_b, p0 + k), x0), fma(y, load_wide(flat_b, p1 + k), x1)
            x2, x3 = fma(y, load_wide(flat_b, p2 + k), x2), fma(y, load_wide(flat_b, p3 + k), x3)
        to[j], to[j1], to[j2], to[j3] = total(x0), total(x1), total(x2), total(x3)
    for j in range(start, stop):
        rest = bias[j] if bias.size else zero(a)
        for k in range(whole, depth):
            rest += flat_a[k] * flat_b[j * depth + k]
        rest += to[j]
        to[j] = at_least(rest, zero(a)) if rectified else rest


@inlined
def zero(x):
    return x.dtype.type(0)


@inlined
def put_row(out, at, j, j1, j2, y0, y1, y2):
    out[at + j], out[at + j1], out[at + j2] = y0, y1, y2


@loop
def linear_back(start, stop, parts, address, g, out, x, weight, d_x, d_weight, d_bias):
    """The gradients of a linear layer: fills those of d_x, d_weight and d_bias that are not empty.

    If `out` is not empty, the layer has a ReLU, whose result is `out` and whose gradient is g.
    """
    if out.size:
        g = relu_back(g, out)
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
def relu_back(g, out):
    d = numpy.empty_like(g)
    flat, by, to = g.reshape(-1), out.reshape(-1), d.reshape(-1)
    for i in range(to.size):
        to[i] = flat[i] if by[i] != 0 else zero(g)  # NaN passes the gradient on
    return d


@loop
def one_sample_back(part, parts, g, x, weight, d_x, d_weight):
    """`linear_back` for a single sample: an outer product and a matrix-vector product."""
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
    """The start of a part, a multiple of 16; the end of the last part is `count`."""
    return count if part == parts else count * part // parts // 16 * 16


@loop
def sum_columns(start, stop, x, out):
    """out[j] = Σ_i x[i, j], from sums over 32 rows each: this keeps more digits."""
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
