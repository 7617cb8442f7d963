"""The loops of optimisers: each element of a parameter, its gradient and its state once.

A part of the work is a part of every parameter, as it is of a layer's products, so that a
thread finds in its processor's cache the rows of weights and gradients that it has had before.
Parts begin at whole vectors: an element is in the same place of a vector whatever the parts, and
its result the same. Row t of `addresses` tells where the arrays of parameter t lie, row t of
`numbers` what belongs to it alone. `like` is an array of their dtype. What an option that is off
would need has no memory.
"""

from __future__ import annotations

import math

from ..loops import inlined, loop
from ..memory import memory

VECTORS = 64  # elements, whole vectors of any dtype


@inlined
def bound(size, part, parts):
    """Where a part of a parameter begins."""
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
                p, g = memory(addresses[t, 0], a, b, like), memory(addresses[t, 1], a, b, like)
                v = memory(addresses[t, 2], a, b, like)
                sgd_step(p, g, v, numbers[t, 0] != 0, sign, decay, lr, new, nesterov, momentum)


@loop
def sgd_step(p, g, v, first, sign, decay, lr, new, nesterov, momentum):
    number = p.dtype.type  # of float64 there would be half as many in a vector
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
                p, g = memory(addresses[t, 0], a, b, like), memory(addresses[t, 1], a, b, like)
                m, v = memory(addresses[t, 2], a, b, like), memory(addresses[t, 3], a, b, like)
                largest = memory(addresses[t, 4], a, b, like)
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
                p, g = memory(addresses[t, 0], a, b, like), memory(addresses[t, 1], a, b, like)
                v = memory(addresses[t, 2], a, b, like)
                m, buffer = memory(addresses[t, 3], a, b, like), memory(addresses[t, 4], a, b, like)
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


BLOCK = 4096  # elements whose squares are added up in their own dtype: vectors of sums, few each


@loop
def square_sums(start, stop, addresses, sizes, sums, like):
    """The sums of squares of blocks start to stop of all arrays' blocks, one after the other."""
    begin = 0
    for t in range(sizes.size):
        count = (sizes[t] + BLOCK - 1) // BLOCK
        for block in range(max(start, begin), min(stop, begin + count)):
            a = (block - begin) * BLOCK
            sums[block] = square_sum(memory(addresses[t, 0], a, min(a + BLOCK, sizes[t]), like))
        begin += count


@loop
def square_sum(x):
    total = x.dtype.type(0)
    for i in range(x.size):
        total += x[i] * x[i]
    return total


@loop
def add_up(sums, ends, totals):
    """totals[t] = the sum of sums up to ends[t], from the end before on."""
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
                x = memory(addresses[t, 0], a, b, like)
                for i in range(x.size):
                    x[i] *= factor
