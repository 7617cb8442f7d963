"""The loops of attention, over whole heads.

The scores of some queries are a product of matrices, their powers another's first factor. Of a
causal block only the keys up to its last query take part.
"""

from __future__ import annotations

import numpy

from .. import approximations
from ..loops import loop
from .products import lay_out, lay_out_turned, multiply, step_of, strip_of, whole_strips
from .softmax import larger

QUERIES = 48  # at a time: whole tiles of `multiply`, and their scores stay in the cache


@loop
def put_rows(x, pitch, factor, out):
    """The first columns of rows that are `pitch` apart, times a number."""
    for i in range(out.shape[0]):
        row = x[i * pitch:i * pitch + out.shape[1]]
        for j in range(row.size):
            out[i, j] = row[j] * factor


@loop
def scale_row(row, scale):
    for j in range(row.size):
        row[j] *= scale


@loop
def add_to(row, mask):
    for j in range(row.size):
        row[j] += mask[j]


@loop
def row_of(mask, b, h, i):
    """Along dims of 1 it repeats."""
    return mask[b % mask.shape[0], h % mask.shape[1], i % mask.shape[2]]


@loop
def largest_of(row):
    """Any number if one is NaN: the sum of powers is NaN all the same."""
    largest = row[0]
    for j in range(row.size):
        largest = larger(row[j], largest)
    return largest


@loop
def powers(row, shift):
    """Makes e**(x - shift) of each x, and returns their sum."""
    total = row.dtype.type(0)
    for j in range(row.size):
        power = approximations.exp(row[j] - shift)
        row[j] = power
        total += power
    return total


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
    for head in range(start, stop):
        b, h = head // heads, head % heads
        lay_out_turned(key[b, h], turned_keys)
        lay_out(value[b, h], values)
        for first in range(0, queries, QUERIES):
            last = min(first + QUERIES, queries)
            rows, seen = last - first, min(last, keys) if is_causal else keys
            asking = query[b, h, first:last]
            multiply(asking, step_of(asking), 1, rows, size, turned_keys, size, seen, scores,
                     pitch, False)
            for i in range(rows):
                own = min(first + i + 1, keys) if is_causal else keys
                row = scores[i * pitch:i * pitch + own]
                scale_row(row, scale)
                if mask.size:
                    add_to(row, row_of(mask, b, h, first + i))
                shift = largest_of(row)
                total = powers(row, shift)
                scores[i * pitch + own:i * pitch + seen] = 0
                logsumexp[b, h, first + i] = shift + approximations.log(total)
                scale_row(row, one / total)
            multiply(scores, pitch, 1, rows, seen, values, keys, columns, sums, width, False)
            put_rows(sums, width, one, out[b, h, first:last])


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
    for head in range(start, stop):
        b, h = head // heads, head % heads
        lay_out_turned(key[b, h], turned_keys)
        lay_out_turned(value[b, h], turned_values)
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
                row, d_row = weights[i * pitch:i * pitch + own], \
                    d_scores[i * pitch:i * pitch + own]
                scale_row(row, scale)
                if mask.size:
                    add_to(row, row_of(mask, b, h, first + i))
                powers(row, logsumexp[b, h, first + i])
                common = dtype.type(0)
                for j in range(columns):
                    common += given[i, j] * found[i, j]
                for j in range(own):
                    d_row[j] = row[j] * (d_row[j] - common)
                weights[i * pitch + own:i * pitch + seen] = 0
                d_scores[i * pitch + own:i * pitch + seen] = 0
            multiply(d_scores, pitch, 1, rows, seen, laid_keys, keys, size, to_query, size_width,
                     False)
            put_rows(to_query, size_width, scale, d_query[b, h, first:last])
            multiply(d_scores, 1, pitch, seen, rows, laid_asking, rows, size, to_keys, size_width,
                     True)
            multiply(weights, 1, pitch, seen, rows, laid_given, rows, columns, to_values, width,
                     True)
        put_rows(to_keys, size_width, scale, d_key[b, h])
        put_rows(to_values, width, one, d_value[b, h])
