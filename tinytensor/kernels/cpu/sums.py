"""Sums inside loops: the only additions that may be reordered.

A lane of a SIMD vector adds every eighth element, so LLVM must be allowed to reorder a sum before
it vectorises it. Nothing else may be reordered: in x - largest - log(total) the order is what keeps
the digits. So these functions only add, and what they add is computed by `inlined` functions,
which keep the order of operations.
"""

from __future__ import annotations

from .. import approximations
from ..loops import inlined, reordered

BLOCK = 1024  # elements summed at once: a longer float32 sum would lose digits


@inlined
def product(a, b):
    return a * b


@inlined
def power(x, shift):
    """e**(x - shift)."""
    return approximations.exp(x - shift)


@inlined
def difference(x, centre):
    return x - centre


@inlined
def weighted(x, centre, weight):
    return weight * (x - centre)


@inlined
def sum_of(x):
    """Σ x[i]."""
    total = x.dtype.type(0)
    if x.size > BLOCK:
        for start in range(0, x.size, BLOCK):
            total += sum_of_block(x[start:start + BLOCK])
        return total
    return sum_of_block(x)


@reordered
def sum_of_block(x):
    total = x.dtype.type(0)
    for i in range(x.size):
        total += x[i]
    return total


@reordered
def sum_of_products(a, b):
    """Σ a[i] b[i]."""
    total = a.dtype.type(0)
    for i in range(a.size):
        total += product(a[i], b[i])
    return total


@reordered
def sums_of_differences(x, centre):
    """Σ (x[i] - centre) and Σ (x[i] - centre)²."""
    total = squares = x.dtype.type(0)
    for i in range(x.size):
        d = difference(x[i], centre)
        total += d
        squares += product(d, d)
    return total, squares


@reordered
def sum_of_powers(x, row, shift):
    """Σ e**(x[row, i] - shift)."""
    total = x.dtype.type(0)
    for i in range(x.shape[1]):
        total += power(x[row, i], shift)
    return total


@reordered
def put_powers(x, row, shift, out):
    """out[row, i] = e**(x[row, i] - shift). Returns the sum."""
    total = x.dtype.type(0)
    for i in range(x.shape[1]):
        y = power(x[row, i], shift)
        out[row, i] = y
        total += y
    return total


@reordered
def sums_with_difference(g, x, centre):
    """Σ g[i] and Σ g[i] (x[i] - centre)."""
    total = by_difference = x.dtype.type(0)
    for i in range(g.size):
        total += g[i]
        by_difference += weighted(x[i], centre, g[i])
    return total, by_difference


@reordered
def weighted_sums_with_difference(g, weight, x, centre):
    """Σ g[i] weight[i] and Σ g[i] weight[i] (x[i] - centre)."""
    total = by_difference = x.dtype.type(0)
    for i in range(g.size):
        factor = product(g[i], weight[i])
        total += factor
        by_difference += weighted(x[i], centre, factor)
    return total, by_difference
