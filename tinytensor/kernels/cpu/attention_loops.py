"""The loops of attention, over whole heads.

The scores of some queries are a product of matrices, their powers another's first factor. Of a
causal block only the keys up to its last query take part.
"""

from __future__ import annotations

import numpy

from .. import approximations
from ..loops import loop
from ..memory import matrix_of
from ..vectors import get, put
from .products import (
    fill_with_zeros,
    lay_out,
    lay_out_turned,
    multiply,
    strip_of,
    whole_strips,
)
from .softmax import larger

QUERIES = 48  # at a time: whole tiles of `multiply`, and their scores stay in the cache


@loop
def put_rows(x, pitch, factors, out, at, step, rows, columns):
    """The first columns of rows that are `pitch` apart, each times a number."""
    for i in range(rows):
        factor = factors[i]
        for j in range(columns):
            put(out, at + i * step + j, factor * get(x, i * pitch + j))


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
def times_difference(d, weights, at, count, common):
    """d = weights (d - common): the derivative of a softmax."""
    for j in range(count):
        put(d, at + j, get(weights, at + j) * (get(d, at + j) - common))


@loop
def attend(start, stop, ids, heads, queries, keys, size, columns, mask, is_causal, scale,
           logsumexp):
    """The forward for heads start to stop of (batch, heads, length, size).

    `ids` are those of query, key, value, out. The mask is empty, or its first three dims are these
    or 1.
    """
    dtype, one = logsumexp.dtype, logsumexp.dtype.type(1)
    shares = numpy.empty(QUERIES, dtype)  # what the powers of a query are to be multiplied with
    pitch = whole_strips(shares, keys) + strip_of(shares)  # no power of 2: rows would share sets
    width = whole_strips(shares, columns)
    turned_keys, values = numpy.empty(size * pitch, dtype), numpy.empty(keys * width, dtype)
    scores, sums = numpy.empty(QUERIES * pitch, dtype), numpy.empty(QUERIES * width, dtype)
    for head in range(start, stop):
        b, h = head // heads, head % heads
        query, q_step = matrix_of(ids, 0, b, h, shares)
        key, k_step = matrix_of(ids, 1, b, h, shares)
        value, v_step = matrix_of(ids, 2, b, h, shares)
        out, step = matrix_of(ids, 3, b, h, shares)
        lay_out_turned(key, k_step, keys, size, scale, turned_keys)
        lay_out(value, 0, v_step, keys, columns, values)
        for first in range(0, queries, QUERIES):
            last = min(first + QUERIES, queries)
            rows, seen = last - first, min(last, keys) if is_causal else keys
            multiply(query, first * q_step, q_step, 1, rows, size, turned_keys, size, seen, scores,
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
            multiply(scores, 0, pitch, 1, rows, seen, values, keys, columns, sums, width, False)
            put_rows(sums, width, shares, out, first * step, step, rows, columns)


@loop
def attend_back(start, stop, ids, heads, queries, keys, size, columns, mask, is_causal, scale,
                logsumexp):
    """The gradients for heads start to stop; the scores are computed again.

    `ids` are those of query, key, value, out, its gradient, and the gradients of the first three.
    """
    dtype, one = logsumexp.dtype, logsumexp.dtype.type(1)
    ones = numpy.ones(max(QUERIES, keys), dtype)
    scales = ones * scale
    pitch = whole_strips(ones, keys) + strip_of(ones)
    size_width, width = whole_strips(ones, size), whole_strips(ones, columns)
    # What is a second factor, in strips; keys and values turned.
    turned_keys = numpy.empty(size * pitch, dtype)
    turned_values = numpy.empty(columns * pitch, dtype)
    laid_keys = numpy.empty(keys * size_width, dtype)
    laid_query = numpy.empty(QUERIES * size_width, dtype)
    laid_given = numpy.empty(QUERIES * width, dtype)
    # Results.
    weights, d_scores = numpy.empty(QUERIES * pitch, dtype), numpy.empty(QUERIES * pitch, dtype)
    to_query = numpy.empty(QUERIES * size_width, dtype)
    to_keys, to_values = numpy.empty(keys * size_width, dtype), numpy.empty(keys * width, dtype)
    for head in range(start, stop):
        b, h = head // heads, head % heads
        query, q_step = matrix_of(ids, 0, b, h, ones)
        key, k_step = matrix_of(ids, 1, b, h, ones)
        value, v_step = matrix_of(ids, 2, b, h, ones)
        out, step = matrix_of(ids, 3, b, h, ones)
        given, g_step = matrix_of(ids, 4, b, h, ones)
        d_query, d_q_step = matrix_of(ids, 5, b, h, ones)
        d_key, d_k_step = matrix_of(ids, 6, b, h, ones)
        d_value, d_v_step = matrix_of(ids, 7, b, h, ones)
        lay_out_turned(key, k_step, keys, size, scale, turned_keys)
        lay_out_turned(value, v_step, keys, columns, one, turned_values)
        lay_out(key, 0, k_step, keys, size, laid_keys)
        fill_with_zeros(to_keys, 0, to_keys.size)
        fill_with_zeros(to_values, 0, to_values.size)
        for first in range(0, queries, QUERIES):
            last = min(first + QUERIES, queries)
            rows, seen = last - first, min(last, keys) if is_causal else keys
            lay_out(query, first * q_step, q_step, rows, size, laid_query)
            lay_out(given, first * g_step, g_step, rows, columns, laid_given)
            multiply(query, first * q_step, q_step, 1, rows, size, turned_keys, size, seen, weights,
                     pitch, False)
            multiply(given, first * g_step, g_step, 1, rows, columns, turned_values, columns, seen,
                     d_scores, pitch, False)
            for i in range(rows):
                own = min(first + i + 1, keys) if is_causal else keys
                if mask.size:
                    add_to(weights[i * pitch:i * pitch + own], row_of(mask, b, h, first + i))
                powers(weights, i * pitch, own, logsumexp[b, h, first + i])
                common = sum_of_products(given, (first + i) * g_step, out, (first + i) * step,
                                         columns)
                times_difference(d_scores, weights, i * pitch, own, common)
                fill_with_zeros(weights, i * pitch + own, i * pitch + seen)
                fill_with_zeros(d_scores, i * pitch + own, i * pitch + seen)
            multiply(d_scores, 0, pitch, 1, rows, seen, laid_keys, keys, size, to_query,
                     size_width, False)
            put_rows(to_query, size_width, scales, d_query, first * d_q_step, d_q_step, rows, size)
            multiply(d_scores, 0, 1, pitch, seen, rows, laid_query, rows, size, to_keys,
                     size_width, True)
            multiply(weights, 0, 1, pitch, seen, rows, laid_given, rows, columns, to_values, width,
                     True)
        put_rows(to_keys, size_width, scales, d_key, 0, d_k_step, keys, size)
        put_rows(to_values, width, ones, d_value, 0, d_v_step, keys, columns)
