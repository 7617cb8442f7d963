"""The loops of pooling: windows along one axis of (rows, size, inner).

`positions` (out, taps) has the index of each window's inputs, -1 in the padding. `inner` is the
size of the axes after the pooled one.
"""

from __future__ import annotations

import numpy

from ..loops import loop
from ..vectors import get, put


@loop
def window_sum(start, stop, x, size, inner, positions, weights, out):
    """The sum of each window, weighted unless `weights` is empty."""
    windows, taps = positions.shape
    for row in range(start, stop):
        for o in range(windows):
            to = (row * windows + o) * inner
            for c in range(inner):
                put(out, to + c, 0)
            for t in range(taps):
                if positions[o, t] >= 0:
                    at = (row * size + positions[o, t]) * inner
                    weight = weights[o, t] if weights.size else x.dtype.type(1)
                    for c in range(inner):
                        put(out, to + c, get(out, to + c) + weight * get(x, at + c))


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


@loop
def window_max_back(start, stop, g, x, size, inner, positions, d):
    """Adds each g to the maximum of its window: the first of equal ones, the last NaN.

    The index of the maximum is computed without branches, which a CPU could not predict.
    """
    windows, taps = positions.shape
    for row in range(start, stop):
        base = row * size * inner
        for c in range(size * inner):
            put(d, base + c, 0)
        for o in range(windows):
            first = 0
            while first < taps - 1 and positions[o, first] < 0:
                first += 1
            if first < taps:
                for c in range(inner):
                    at = base + positions[o, first] * inner + c
                    for t in range(first + 1, taps):
                        if positions[o, t] >= 0:
                            other = base + positions[o, t] * inner + c
                            y = get(x, other)
                            at += (other - at) * numpy.int64((y > get(x, at)) | (y != y))
                    put(d, at, get(d, at) + get(g, (row * windows + o) * inner + c))


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
