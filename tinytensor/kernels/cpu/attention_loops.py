"""The loops of attention, over whole heads.

The scores of some queries are a product of matrices, their powers another's first factor. Of a
causal block only the keys up to its last query take part.
"""

from __future__ import annotations

import numpy

from .. import approximations
from ..loops import loop
from ..vectors import get, put
from .products import lay_out, lay_out_turned, multiply, step_of, strip_of, whole_strips
from .softmax import larger

QUERIES = 48  # at a time: whole tiles of `multiply`, and their scores stay in the cache


@loop
def put_rows(x, pitch, factors, out):
    """The first columns of rows that are `pitch` apart, each times a number."""
    rows, columns = out.shape
    step = step_of(out)
    for i in range(rows):
        factor = factors[i]
        for j in range(columns):
            put(out, i * step + j, factor * get(x, i * pitch + j))


@loop
def sum_of_products(a, at_a, b, at_b, count):
    """Of so many elements of each."""
    total = a.dtype.type(0)
    for j in range(count):
        total += get(a, at_a + j) * get(b, at_b + j)
    return total


@loop
def add_to(row, mask):
    for j in range(row.size):
        row[j] += mask[j]


@loop
def row_of(mask, b, h, i):
    """Along dims of 1 it repeats."""
    return mask[b % mask.shape[0], h % mask.shape[1], i % mask.shape[2]]


@loop
def largest_of(x, at, count):
    """Any number if one is NaN: the sum of powers is NaN all the same."""
    largest = get(x, at)
    for j in range(count):
        largest = larger(get(x, at + j), largest)
    return largest


@loop
def powers(x, at, count, shift):
    """Makes e**(y - shift) of each y, and returns their sum."""
    total = x.dtype.type(0)
    for j in range(count):
        power = approximations.exp(get(x, at + j) - shift)
        put(x, at + j, power)
        total += power
    return total


@loop
def fill_with_zeros(x, start, stop):
    for j in range(stop - start):
        put(x, start + j, x.dtype.type(0))


@loop
def times_difference(d, weights, at, count, common):
    """d = weights (d - common): the derivative of a softmax."""
    for j in range(count):
        put(d, at + j, get(weights, at + j) * (get(d, at + j) - common))


@loop
def attend(start, stop, query, key, value, mask, is_causal, scale, out, logsumexp):
    """The forward for heads start to stop of (batch, heads, length, size).

    The mask is empty, or its first three dims are these or 1.
    """
    heads, queries, size = query.shape[1:]
    keys, columns = value.shape[2:]
    dtype, one = query.dtype, query.dtype.type(1)
    pitch = whole_strips(query, keys) + strip_of(query)  # no power of 2: rows would share sets
    width = whole_strips(query, columns)
    turned_keys, values = numpy.empty(size * pitch, dtype), numpy.empty(keys * width, dtype)
    scores, sums = numpy.empty(QUERIES * pitch, dtype), numpy.empty(QUERIES * width, dtype)
    shares = numpy.empty(QUERIES, dtype)  # what the powers of a query are to be multiplied with
    for head in range(start, stop):
        b, h = head // heads, head % heads
        lay_out_turned(key[b, h], scale, turned_keys)
        lay_out(value[b, h], values)
        for first in range(0, queries, QUERIES):
            last = min(first + QUERIES, queries)
            rows, seen = last - first, min(last, keys) if is_causal else keys
            asking = query[b, h, first:last]
            multiply(asking, step_of(asking), 1, rows, size, turned_keys, size, seen, scores,
                     pitch, False)
            for i in range(rows):
                own = min(first + i + 1, keys) if is_causal else keys
                if mask.size:
                    add_to(scores[i * pitch:i * pitch + own], row_of(mask, b, h, first + i))
                shift = largest_of(scores, i * pitch, own)
                total = powers(scores, i * pitch, own, shift)
                fill_with_zeros(scores, i * pitch + own, i * pitch + seen)
                logsumexp[b, h, first + i] = shift + approximations.log(total)
                shares[i] = one / total
            multiply(scores, pitch, 1, rows, seen, values, keys, columns, sums, width, False)
            put_rows(sums, width, shares, out[b, h, first:last])


@loop
def attend_back(start, stop, g, query, key, value, mask, is_causal, scale, out, logsumexp,
                d_query, d_key, d_value):
    """The gradients for heads start to stop; the scores are computed again."""
    heads, queries, size = query.shape[1:]
    keys, columns = value.shape[2:]
    dtype, one = query.dtype, query.dtype.type(1)
    pitch = whole_strips(query, keys) + strip_of(query)
    size_width, width = whole_strips(query, size), whole_strips(query, columns)
    # What is a second factor, in strips; keys and values turned.
    turned_keys = numpy.empty(size * pitch, dtype)
    turned_values = numpy.empty(columns * pitch, dtype)
    laid_keys = numpy.empty(keys * size_width, dtype)
    laid_asking = numpy.empty(QUERIES * size_width, dtype)
    laid_given = numpy.empty(QUERIES * width, dtype)
    # Results.
    weights, d_scores = numpy.empty(QUERIES * pitch, dtype), numpy.empty(QUERIES * pitch, dtype)
    to_query = numpy.empty(QUERIES * size_width, dtype)
    to_keys, to_values = numpy.empty(keys * size_width, dtype), numpy.empty(keys * width, dtype)
    ones = numpy.ones(max(QUERIES, keys), dtype)
    scales = ones * scale
    for head in range(start, stop):
        b, h = head // heads, head % heads
        lay_out_turned(key[b, h], scale, turned_keys)
        lay_out_turned(value[b, h], one, turned_values)
        lay_out(key[b, h], laid_keys)
        to_keys[:], to_values[:] = 0, 0
        for first in range(0, queries, QUERIES):
            last = min(first + QUERIES, queries)
            rows, seen = last - first, min(last, keys) if is_causal else keys
            asking, given, found = query[b, h, first:last], g[b, h, first:last], \
                out[b, h, first:last]
            lay_out(asking, laid_asking)
            lay_out(given, laid_given)
            multiply(asking, step_of(asking), 1, rows, size, turned_keys, size, seen, weights,
                     pitch, False)
            multiply(given, step_of(given), 1, rows, columns, turned_values, columns, seen,
                     d_scores, pitch, False)
            for i in range(rows):
                own = min(first + i + 1, keys) if is_causal else keys
                if mask.size:
                    add_to(weights[i * pitch:i * pitch + own], row_of(mask, b, h, first + i))
                powers(weights, i * pitch, own, logsumexp[b, h, first + i])
                common = sum_of_products(given, i * step_of(given), found, i * step_of(found),
                                         columns)
                times_difference(d_scores, weights, i * pitch, own, common)
                fill_with_zeros(weights, i * pitch + own, i * pitch + seen)
                fill_with_zeros(d_scores, i * pitch + own, i * pitch + seen)
            multiply(d_scores, pitch, 1, rows, seen, laid_keys, keys, size, to_query, size_width,
                     False)
            put_rows(to_query, size_width, scales, d_query[b, h, first:last])
            multiply(d_scores, 1, pitch, seen, rows, laid_asking, rows, size, to_keys, size_width,
                     True)
            multiply(weights, 1, pitch, seen, rows, laid_given, rows, columns, to_values, width,
                     True)
        put_rows(to_keys, size_width, scales, d_key[b, h])
        put_rows(to_values, width, ones, d_value[b, h])
