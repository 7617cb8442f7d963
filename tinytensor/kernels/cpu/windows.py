"""The loops of pooling: windows along one axis of (rows, size, inner).

`positions` (out, taps) has the index of each window's inputs, -1 in the padding. `inner` is the
size of the axes after the pooled one.
"""

from __future__ import annotations

import numpy

from ..loops import inlined, loop
from ..vectors import BYTES, fma, get, load, put, spread, store, zeros


@loop
def window_sum(start, stop, x, size, inner, positions, weights, out):
    """The weighted sum of each window. `weights` has the elements of `positions`, one for each."""
    windows, taps = positions.shape
    places, lanes = positions.reshape(-1), BYTES // x.itemsize
    whole = inner // lanes * lanes
    for row in range(start, stop):
        base = row * size * inner
        for o in range(windows):
            to, first = (row * windows + o) * inner, o * taps
            for c in range(0, whole, lanes):
                sums = zeros(x)
                for t in range(first, first + taps):
                    at = get(places, t)
                    if at >= 0:
                        sums = fma(spread(weights, t), load(x, base + at * inner + c), sums)
                store(out, to + c, sums)
            for c in range(whole, inner):
                total = x.dtype.type(0)
                for t in range(first, first + taps):
                    at = get(places, t)
                    if at >= 0:
                        total += get(weights, t) * get(x, base + at * inner + c)
                put(out, to + c, total)


@loop
def window_sum_last(start, stop, x, size, positions, weights, out):
    """`window_sum` along the last axis: four rows at a time, which have the windows in common."""
    windows, taps = positions.shape
    places, zero = positions.reshape(-1), x.dtype.type(0)
    for row in range(start, stop, 4):
        second, third, last = min(row + 1, stop - 1), min(row + 2, stop - 1), min(row + 3, stop - 1)
        a, b, c, d = row * size, second * size, third * size, last * size
        for o in range(windows):
            sum_a, sum_b, sum_c, sum_d = zero, zero, zero, zero
            for t in range(o * taps, (o + 1) * taps):
                at = get(places, t)
                if at >= 0:
                    weight = get(weights, t)
                    sum_a += weight * get(x, a + at)
                    sum_b += weight * get(x, b + at)
                    sum_c += weight * get(x, c + at)
                    sum_d += weight * get(x, d + at)
            put(out, row * windows + o, sum_a)
            put(out, second * windows + o, sum_b)
            put(out, third * windows + o, sum_c)
            put(out, last * windows + o, sum_d)


@loop
def window_max(start, stop, x, size, inner, positions, out):
    """The maximum of each window; NaN if it has a NaN."""
    windows, taps = positions.shape
    for row in range(start, stop):
        for o in range(windows):
            to = (row * windows + o) * inner
            for c in range(inner):
                put(out, to + c, -numpy.inf)
            for t in range(taps):
                if positions[o, t] >= 0:
                    at = (row * size + positions[o, t]) * inner
                    for c in range(inner):
                        y, best = get(x, at + c), get(out, to + c)
                        put(out, to + c, y if (y > best) | (y != y) else best)


@inlined
def larger(best, y):
    """The larger number; NaN if one is."""
    return y if (y > best) | (y != y) else best


@loop
def window_max_last(start, stop, x, size, positions, out):
    """`window_max` along the last axis: four rows at a time, which have the windows in common."""
    windows, taps = positions.shape
    places, least = positions.reshape(-1), x.dtype.type(-numpy.inf)
    for row in range(start, stop, 4):
        second, third, last = min(row + 1, stop - 1), min(row + 2, stop - 1), min(row + 3, stop - 1)
        a, b, c, d = row * size, second * size, third * size, last * size
        for o in range(windows):
            max_a, max_b, max_c, max_d = least, least, least, least
            for t in range(o * taps, (o + 1) * taps):
                at = get(places, t)
                if at >= 0:
                    max_a = larger(max_a, get(x, a + at))
                    max_b = larger(max_b, get(x, b + at))
                    max_c = larger(max_c, get(x, c + at))
                    max_d = larger(max_d, get(x, d + at))
            put(out, row * windows + o, max_a)
            put(out, second * windows + o, max_b)
            put(out, third * windows + o, max_c)
            put(out, last * windows + o, max_d)


@loop
def window_max_back(start, stop, g, x, size, inner, positions, d):
    """Adds each g to the maximum of its window: the first of equal ones, the last NaN.

    For one window after the other, of all `inner` at once: which tap has the maximum, and then what
    each tap gets. These loops have no branches, so LLVM vectorises them.
    """
    windows, taps = positions.shape
    best, winner = numpy.empty(inner, x.dtype), numpy.empty(inner, numpy.int32)
    nothing = x.dtype.type(0)
    for row in range(start, stop):
        base = row * size * inner
        for c in range(size * inner):
            put(d, base + c, 0)
        for o in range(windows):
            first = 0
            while first < taps and positions[o, first] < 0:
                first += 1
            if first == taps:
                continue
            at, of = base + positions[o, first] * inner, (row * windows + o) * inner
            for c in range(inner):
                put(best, c, get(x, at + c))
                put(winner, c, numpy.int32(first))
            for t in range(first + 1, taps):
                if positions[o, t] >= 0:
                    at = base + positions[o, t] * inner
                    for c in range(inner):
                        y, most = get(x, at + c), get(best, c)
                        wins = (y > most) | (y != y)
                        put(best, c, y if wins else most)
                        put(winner, c, numpy.int32(t) if wins else get(winner, c))
            for t in range(first, taps):
                if positions[o, t] >= 0:
                    at = base + positions[o, t] * inner
                    for c in range(inner):
                        share = get(g, of + c) if get(winner, c) == t else nothing
                        put(d, at + c, get(d, at + c) + share)


@loop
def window_max_back_last(start, stop, g, x, size, positions, d):
    """`window_max_back` along the last axis."""
    windows, taps = positions.shape
    places = positions.reshape(-1)
    for row in range(start, stop):
        base = row * size
        for c in range(size):
            put(d, base + c, 0)
        for o in range(windows):
            first, end = o * taps, (o + 1) * taps
            while first < end and get(places, first) < 0:
                first += 1
            if first < end:
                at = get(places, first)
                most = get(x, base + at)
                for t in range(first + 1, end):
                    other = get(places, t)
                    if other >= 0:
                        y = get(x, base + other)
                        wins = (y > most) | (y != y)
                        at, most = other if wins else at, y if wins else most
                put(d, base + at, get(d, base + at) + get(g, row * windows + o))


@loop
def pair_max(start, stop, x, inner, out):
    """`window_max` for windows of two without overlap; LLVM vectorises it over all rows at once."""
    if inner == 1:
        for o in range(start, stop):
            y, z = get(x, 2 * o), get(x, 2 * o + 1)
            put(out, o, z if (z > y) | (z != z) else y)
    else:
        for o in range(start, stop):
            a, b = 2 * o * inner, (2 * o + 1) * inner
            for c in range(inner):
                y, z = get(x, a + c), get(x, b + c)
                put(out, o * inner + c, z if (z > y) | (z != z) else y)


@loop
def pair_max_back(start, stop, g, x, inner, d):
    """`window_max_back` for windows of two without overlap: g to the larger one, 0 to the other."""
    nothing = x.dtype.type(0)
    if inner == 1:
        for o in range(start, stop):
            y, z, share = get(x, 2 * o), get(x, 2 * o + 1), get(g, o)
            second = (z > y) | (z != z)
            put(d, 2 * o, nothing if second else share)
            put(d, 2 * o + 1, share if second else nothing)
    else:
        for o in range(start, stop):
            a, b = 2 * o * inner, (2 * o + 1) * inner
            for c in range(inner):
                y, z = get(x, a + c), get(x, b + c)
                put(d, a + c, nothing)
                put(d, b + c, nothing)
                put(d, a + c + inner * numpy.int64((z > y) | (z != z)), get(g, o * inner + c))
