"""The loops of optimisers: one pass over each parameter, its gradient and its state.

Part i of `parts` is the i-th part of every parameter. The products of a linear layer are split in
the same way, so a thread updates the rows of a weight whose gradient is still in its core's cache.
Parts begin at multiples of whole SIMD vectors, so the number of parts does not change a result.
Row t of `addresses` has the addresses of the arrays of parameter t, row t of `numbers` its own
numbers. `like` is an array of their dtype. State that an option needs is not allocated, and not
read, if the option is off.
"""

from __future__ import annotations

import math

from ..loops import inlined, loop
from ..memory import array_at
from .sums import sum_of_products

VECTORS = 64  # elements: a multiple of the vector length for every dtype


@inlined
def bound(size, part, parts):
    """The start of a part of a parameter."""
    return size if part == parts else size * part // parts // VECTORS * VECTORS


@inlined
def direction(p, g, sign, decay):
    return sign * g + decay * p if decay != 0 else sign * g  # 0 * inf would be NaN


@loop
def sgd(start, stop, parts, addresses, sizes, numbers, like, sign, decay, lr, new, nesterov,
        momentum):
    for part in range(start, stop):
        for t in range(sizes.size):
            a, b = bound(sizes[t], part, parts), bound(sizes[t], part + 1, parts)
            if a < b:
                p, g = array_at(addresses[t, 0], a, b, like), array_at(addresses[t, 1], a, b, like)
                v = array_at(addresses[t, 2], a, b, like)
                sgd_step(p, g, v, numbers[t, 0] != 0, sign, decay, lr, new, nesterov, momentum)


@loop
def sgd_step(p, g, v, first, sign, decay, lr, new, nesterov, momentum):
    number = p.dtype.type  # Python floats would promote float32, with half as many lanes
    sign, decay, lr, new = number(sign), number(decay), number(lr), number(new)
    old = number(momentum)
    for i in range(p.size):
        x = direction(p[i], g[i], sign, decay)
        if momentum != 0:
            velocity = x if first else old * v[i] + new * x
            v[i] = velocity
            x = x + old * velocity if nesterov else velocity
        p[i] -= lr * x


@loop
def adam(start, stop, parts, addresses, sizes, numbers, like, sign, decay, shrink, new1, old2, new2,
         amsgrad):
    for part in range(start, stop):
        for t in range(sizes.size):
            a, b = bound(sizes[t], part, parts), bound(sizes[t], part + 1, parts)
            if a < b:
                p, g = array_at(addresses[t, 0], a, b, like), array_at(addresses[t, 1], a, b, like)
                m, v = array_at(addresses[t, 2], a, b, like), array_at(addresses[t, 3], a, b, like)
                largest = array_at(addresses[t, 4], a, b, like)
                adam_step(p, g, m, v, largest, sign, decay, shrink, new1, old2, new2, amsgrad,
                          numbers[t, 0], numbers[t, 1])


@loop
def adam_step(p, g, m, v, largest, sign, decay, shrink, new1, old2, new2, amsgrad, rate, eps):
    number = p.dtype.type
    sign, decay, shrink = number(sign), number(decay), number(shrink)
    new1, old2, new2 = number(new1), number(old2), number(new2)
    rate, eps = number(rate), number(eps)
    for i in range(p.size):
        x = direction(p[i], g[i], sign, decay)
        mean = m[i] + new1 * (x - m[i])
        square = old2 * v[i] + new2 * (x * x)
        m[i] = mean
        v[i] = square
        if amsgrad:
            top = largest[i]
            square = top if top > square or top != top else square  # NaN stays
            largest[i] = square
        p[i] = shrink * p[i] - rate * (mean / (math.sqrt(square) + eps))


@loop
def rmsprop(start, stop, parts, addresses, sizes, numbers, like, sign, decay, lr, old, new, eps,
            momentum, centered):
    for part in range(start, stop):
        for t in range(sizes.size):
            a, b = bound(sizes[t], part, parts), bound(sizes[t], part + 1, parts)
            if a < b:
                p, g = array_at(addresses[t, 0], a, b, like), array_at(addresses[t, 1], a, b, like)
                v = array_at(addresses[t, 2], a, b, like)
                m = array_at(addresses[t, 3], a, b, like)
                buffer = array_at(addresses[t, 4], a, b, like)
                rmsprop_step(p, g, v, m, buffer, sign, decay, lr, old, new, eps, momentum, centered)


@loop
def rmsprop_step(p, g, v, m, buffer, sign, decay, lr, old, new, eps, momentum, centered):
    number = p.dtype.type
    sign, decay, lr = number(sign), number(decay), number(lr)
    old, new, eps = number(old), number(new), number(eps)
    friction = number(momentum)
    for i in range(p.size):
        x = direction(p[i], g[i], sign, decay)
        square = old * v[i] + new * (x * x)
        v[i] = square
        if centered:
            mean = m[i] + new * (x - m[i])
            m[i] = mean
            square -= mean * mean
        x = x / (math.sqrt(square) + eps)
        if momentum != 0:
            x = friction * buffer[i] + x
            buffer[i] = x
        p[i] -= lr * x


BLOCK = 4096  # elements whose squares are summed in their own dtype; the blocks' sums in float64


@loop
def square_sums(start, stop, addresses, sizes, sums, like):
    """The sums of squares of blocks start to stop, which count through all arrays in order."""
    begin = 0
    for t in range(sizes.size):
        count = (sizes[t] + BLOCK - 1) // BLOCK
        for block in range(max(start, begin), min(stop, begin + count)):
            a = (block - begin) * BLOCK
            x = array_at(addresses[t, 0], a, min(a + BLOCK, sizes[t]), like)
            sums[block] = sum_of_products(x, x)
        begin += count


@loop
def add_up(sums, ends, totals):
    """totals[t] = the sum of sums[ends[t - 1]:ends[t]]."""
    block = 0
    for t in range(ends.size):
        while block < ends[t]:
            totals[t] += sums[block]
            block += 1


@loop
def scale(start, stop, parts, addresses, sizes, like, factor):
    factor = like.dtype.type(factor)
    for part in range(start, stop):
        for t in range(sizes.size):
            a, b = bound(sizes[t], part, parts), bound(sizes[t], part + 1, parts)
            if a < b:
                x = array_at(addresses[t, 0], a, b, like)
                for i in range(x.size):
                    x[i] *= factor
