"""The loops of convolutions: sums over windows without im2col.

In a padded image, a tap of the kernel reads elements at a fixed distance in memory from the
outputs. So a convolution is a matrix product whose second factor is read through a table of
distances:

    out[o, v] = Σ_k weight[o, k] · image[at[v] + offsets[k]]        k = (channel, tap)

v counts SIMD vectors, 8 neighbouring float32 in a row of the output. If the stride is not 1, the
padded copy of the image stores every stride-th element next to each other. A tile of sums stays in
registers during the sum over k (Goto and van de Geijn 2008): 4 channels by 3 vectors, 7 loads for
12 multiply-adds.
"""

from __future__ import annotations

import numpy

from ..loops import inlined, loop
from ..vectors import BYTES, fma, get, load, plus, put, spread, store, total, zeros


@inlined
def copy(x, a, into, b, count):
    """into[b + j] = x[a + j] for j < count, in vectors; the last one overlaps the one before."""
    lanes = BYTES // x.itemsize
    if count < lanes:
        for j in range(count):
            put(into, b + j, get(x, a + j))
    else:
        for j in range(0, count - lanes, lanes):
            store(into, b + j, load(x, a + j))
        store(into, b + count - lanes, load(x, a + count - lanes))


@loop
def pad_images(x, first, images, channels, size, plane, stride, rows, pieces, into):
    """Copies images into the padded layout; `into` has the zeros of the padding already.

    `rows` has (from, to) of each row, `pieces` (from, to, count) of each copy within a row, which
    takes every stride-th element.
    """
    for i in range(images * channels):
        source, place = (first * channels + i) * size, i * plane
        for r in range(rows.shape[0]):
            for p in range(pieces.shape[0]):
                a = source + rows[r, 0] + pieces[p, 0]
                b = place + rows[r, 1] + pieces[p, 1]
                count = pieces[p, 2]
                if stride == 1:
                    copy(x, a, into, b, count)
                elif stride == 2:  # LLVM vectorises a loop whose stride is a constant
                    for j in range(count):
                        put(into, b + j, get(x, a + 2 * j))
                else:
                    for j in range(count):
                        put(into, b + j, get(x, a + j * stride))


@loop
def unpack_results(results, first, images, channels, size, places, count, step, out):
    """Copies `count` numbers of each vector from `results` to the output, `step` apart."""
    lanes = BYTES // results.itemsize
    vectors = places.size
    for i in range(images * channels):
        for v in range(vectors):
            a = (i * vectors + v) * lanes
            b = (first * channels + i) * size + places[v]
            if step == 2 and count == lanes:
                for j in range(lanes):
                    put(out, b + 2 * j, get(results, a + j))
            else:
                for j in range(count):
                    put(out, b + j * step, get(results, a + j))


@loop
def pack_vectors(g, base, planes, size, places, fresh, into):
    """Copies the vectors of each plane one after the other into `into`.

    Only lanes `fresh` (first, end) of a vector are copied; the others, which overlap the vector
    before, are 0.
    """
    lanes = BYTES // g.itemsize
    vectors = places.size
    for i in range(planes):
        for v in range(vectors):
            a, b = base + i * size + places[v], (i * vectors + v) * lanes
            if fresh[v, 0] == 0 and fresh[v, 1] == lanes:
                store(into, b, load(g, a))
            else:
                store(into, b, zeros(g))
                for j in range(fresh[v, 0], fresh[v, 1]):
                    put(into, b + j, get(g, a + j))


@inlined
def store_row(out, q0, q1, q2, y0, y1, y2):
    store(out, q0, y0)
    store(out, q1, y1)
    store(out, q2, y2)


@loop
def multiply(source, base, image, images, at, offsets, weight, start, bias, first, channels,
             out, to, out_image, plane, places):
    """out[i, o, v] = bias[o] + Σ_k weight[o, k] · source[i, at[v] + offsets[k]].

    For i < images and o from `first` to first + channels. Image i begins at base + i * image; its
    results are stored at to + i * out_image + o * plane + places[v]. The weights begin at `start`:
    for each k those of four channels, then the remaining channels one after the other.
    """
    vectors, depth = at.size, offsets.size
    count, fours = images * vectors, first + channels // 4 * 4
    for v in range(0, count, 3):
        # Vectors past the end repeat the last one, which is computed and stored twice.
        v0, v1, v2 = v, min(v + 1, count - 1), min(v + 2, count - 1)
        p0 = base + v0 // vectors * image + at[v0 % vectors]
        p1 = base + v1 // vectors * image + at[v1 % vectors]
        p2 = base + v2 // vectors * image + at[v2 % vectors]
        q0 = to + v0 // vectors * out_image + first * plane + places[v0 % vectors]
        q1 = to + v1 // vectors * out_image + first * plane + places[v1 % vectors]
        q2 = to + v2 // vectors * out_image + first * plane + places[v2 % vectors]
        w = start
        for o in range(first, fours, 4):  # a tile: four channels, a to d, by three vectors
            a0 = a1 = a2 = spread(bias, o)
            b0 = b1 = b2 = spread(bias, o + 1)
            c0 = c1 = c2 = spread(bias, o + 2)
            d0 = d1 = d2 = spread(bias, o + 3)
            for k in range(depth):
                s = offsets[k]
                x0, x1, x2 = load(source, p0 + s), load(source, p1 + s), load(source, p2 + s)
                y = spread(weight, w)
                a0, a1, a2 = fma(y, x0, a0), fma(y, x1, a1), fma(y, x2, a2)
                y = spread(weight, w + 1)
                b0, b1, b2 = fma(y, x0, b0), fma(y, x1, b1), fma(y, x2, b2)
                y = spread(weight, w + 2)
                c0, c1, c2 = fma(y, x0, c0), fma(y, x1, c1), fma(y, x2, c2)
                y = spread(weight, w + 3)
                d0, d1, d2 = fma(y, x0, d0), fma(y, x1, d1), fma(y, x2, d2)
                w += 4
            store_row(out, q0, q1, q2, a0, a1, a2)
            store_row(out, q0 + plane, q1 + plane, q2 + plane, b0, b1, b2)
            store_row(out, q0 + 2 * plane, q1 + 2 * plane, q2 + 2 * plane, c0, c1, c2)
            store_row(out, q0 + 3 * plane, q1 + 3 * plane, q2 + 3 * plane, d0, d1, d2)
            q0, q1, q2 = q0 + 4 * plane, q1 + 4 * plane, q2 + 4 * plane
        for o in range(fours, first + channels):  # one channel: a to d sum a fourth of the k each
            a0 = a1 = a2 = spread(bias, o)
            b0 = b1 = b2 = c0 = c1 = c2 = d0 = d1 = d2 = zeros(source)
            for k in range(0, depth - 3, 4):
                y, s = spread(weight, w), offsets[k]
                a0 = fma(y, load(source, p0 + s), a0)
                a1 = fma(y, load(source, p1 + s), a1)
                a2 = fma(y, load(source, p2 + s), a2)
                y, s = spread(weight, w + 1), offsets[k + 1]
                b0 = fma(y, load(source, p0 + s), b0)
                b1 = fma(y, load(source, p1 + s), b1)
                b2 = fma(y, load(source, p2 + s), b2)
                y, s = spread(weight, w + 2), offsets[k + 2]
                c0 = fma(y, load(source, p0 + s), c0)
                c1 = fma(y, load(source, p1 + s), c1)
                c2 = fma(y, load(source, p2 + s), c2)
                y, s = spread(weight, w + 3), offsets[k + 3]
                d0 = fma(y, load(source, p0 + s), d0)
                d1 = fma(y, load(source, p1 + s), d1)
                d2 = fma(y, load(source, p2 + s), d2)
                w += 4
            for k in range(depth // 4 * 4, depth):
                y, s = spread(weight, w), offsets[k]
                a0 = fma(y, load(source, p0 + s), a0)
                a1 = fma(y, load(source, p1 + s), a1)
                a2 = fma(y, load(source, p2 + s), a2)
                w += 1
            store_row(out, q0, q1, q2, plus(plus(a0, b0), plus(c0, d0)),
                      plus(plus(a1, b1), plus(c1, d1)), plus(plus(a2, b2), plus(c2, d2)))
            q0, q1, q2 = q0 + plane, q1 + plane, q2 + plane


@loop
def convolve(start, stop, x, channels, weight, bias, groups, plan, out):
    """Convolves images start to stop of a batch. x and out are flat; `weight` is packed for
    `multiply`, one group after the other.
    """
    lanes = BYTES // x.itemsize
    o = bias.size // groups
    depth = plan.offsets.size
    image, results = channels * plan.plane, bias.size * plan.at.size * lanes
    padded = numpy.zeros(plan.block * image + lanes if plan.padded else 0, x.dtype)
    buffer = numpy.empty(0 if plan.direct else plan.block * results, x.dtype)
    for first in range(start, stop, plan.block):
        images = min(plan.block, stop - first)
        source, base = x, first * image
        if plan.padded:
            pad_images(x, first, images, channels, plan.size, plan.plane, plan.stride,
                    plan.rows, plan.pieces, padded)
            source, base = padded, 0
        into, to, plane, places = buffer, 0, plan.at.size * lanes, plan.buffer_places
        if plan.direct:
            into, to = out, first * bias.size * plan.out_size
            plane, places = plan.out_size, plan.places
        for group in range(groups):
            at = base + group * (channels // groups) * plan.plane
            w = group * o * depth
            multiply(source, at, image, images, plan.at, plan.offsets, weight, w, bias,
                     group * o, o, into, to, bias.size * plane, plane, places)
        if not plan.direct:
            unpack_results(buffer, first, images, bias.size, plan.out_size, plan.places, plan.fill,
                     plan.step, out)


@loop
def sum_products(source, base, image, images, at, offsets, g, to, out_image, plane, places,
                 first, channels, out):
    """out[o, k] += Σ_i,v g[i, o, v] · source[i, at[v] + offsets[k]], stored as in `multiply`."""
    depth, last = offsets.size, first + channels - 1
    for o in range(first, last + 1, 4):
        # Channels and taps past the end repeat the last one; their sums are dropped.
        o0, o1 = to + o * plane, to + min(o + 1, last) * plane
        o2, o3 = to + min(o + 2, last) * plane, to + min(o + 3, last) * plane
        for k in range(0, depth, 3):
            s0, s1, s2 = offsets[k], offsets[min(k + 1, depth - 1)], offsets[min(k + 2, depth - 1)]
            a0 = a1 = a2 = b0 = b1 = b2 = c0 = c1 = c2 = d0 = d1 = d2 = zeros(source)
            for i in range(images):
                for v in range(at.size):
                    p, q = base + i * image + at[v], i * out_image + places[v]
                    x0, x1, x2 = load(source, p + s0), load(source, p + s1), load(source, p + s2)
                    y = load(g, o0 + q)
                    a0, a1, a2 = fma(y, x0, a0), fma(y, x1, a1), fma(y, x2, a2)
                    y = load(g, o1 + q)
                    b0, b1, b2 = fma(y, x0, b0), fma(y, x1, b1), fma(y, x2, b2)
                    y = load(g, o2 + q)
                    c0, c1, c2 = fma(y, x0, c0), fma(y, x1, c1), fma(y, x2, c2)
                    y = load(g, o3 + q)
                    d0, d1, d2 = fma(y, x0, d0), fma(y, x1, d1), fma(y, x2, d2)
            at_most = min(3, depth - k)
            add_row(out, o * depth + k, at_most, a0, a1, a2)
            if o < last:
                add_row(out, (o + 1) * depth + k, at_most, b0, b1, b2)
            if o + 1 < last:
                add_row(out, (o + 2) * depth + k, at_most, c0, c1, c2)
            if o + 2 < last:
                add_row(out, (o + 3) * depth + k, at_most, d0, d1, d2)


@inlined
def add_row(out, at, count, y0, y1, y2):
    out[at] += total(y0)
    if count > 1:
        out[at + 1] += total(y1)
    if count > 2:
        out[at + 2] += total(y2)


@loop
def correlate(start, stop, images, x, channels, g, features, groups, plan, sums):
    """Adds the weight's gradient from the i-th part of the images to sums[i], i from start to
    stop.
    """
    for i in range(start, stop):
        correlate_images(images * i // len(sums), images * (i + 1) // len(sums), x, channels, g,
                         features, groups, plan, sums[i])


@loop
def correlate_images(start, stop, x, channels, g, features, groups, plan, out):
    """Adds the weight's gradient from images start to stop to `out`; all arrays are flat."""
    lanes = BYTES // x.itemsize
    o, vectors = features // groups, plan.at.size
    image, results = channels * plan.plane, features * plan.out_size
    padded = numpy.zeros(plan.block * image + lanes if plan.padded else 0, x.dtype)
    buffer = numpy.empty(0 if plan.whole else plan.block * features * vectors * lanes, x.dtype)
    for first in range(start, stop, plan.block):
        images = min(plan.block, stop - first)
        source, base = x, first * image
        if plan.padded:
            pad_images(x, first, images, channels, plan.size, plan.plane, plan.stride,
                    plan.rows, plan.pieces, padded)
            source, base = padded, 0
        grad, to, plane, places = g, first * results, plan.out_size, plan.places
        if not plan.whole:
            grad, to, plane, places = buffer, 0, vectors * lanes, plan.buffer_places
            pack_vectors(g, first * results, images * features, plan.out_size, plan.places,
                         plan.fresh, buffer)
        for group in range(groups):
            at = base + group * (channels // groups) * plan.plane
            sum_products(source, at, image, images, plan.at, plan.offsets, grad, to,
                         features * plane, plane, places, group * o, o, out)


# ---------------------------------------------------------------- im2col


@loop
def im2col(start, stop, images, places, out):
    """out[c, k, n, p] = images[n, c, places[k, p]] for channels from start to stop; 0 for -1."""
    taps, positions = places.shape
    for c in range(start, stop):
        for k in range(taps):
            for n in range(images.shape[0]):
                at = ((c * taps + k) * images.shape[0] + n) * positions
                for p in range(positions):
                    place = places[k, p]
                    out[at + p] = images[n, c, place] if place >= 0 else images.dtype.type(0)


@loop
def col2im(start, stop, windows, places, images):
    """images[n, c, places[k, p]] += windows[c, k, n, p] for channels from start to stop."""
    taps, positions = places.shape
    for c in range(start, stop):
        for n in range(images.shape[0]):
            for k in range(taps):
                at = ((c * taps + k) * images.shape[0] + n) * positions
                for p in range(positions):
                    place = places[k, p]
                    if place >= 0:
                        images[n, c, place] += windows[at + p]
