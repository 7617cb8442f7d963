"""The loops of attention, over whole heads.

For each block of queries: scores = query @ keyᵀ, their softmax, weights @ value. In a causal block
only the keys up to its last query are read.
"""

from __future__ import annotations

import numpy

from ..loops import loop, reordered
from ..memory import matrix_of
from ..vectors import get, put
from .products import (
    fill_with_zeros,
    multiply,
    pack,
    pack_transposed,
    strip_of,
    whole_strips,
)
from .softmax import larger
from .sums import power, product

QUERIES = 48  # in a block: whole tiles of `multiply`, and the scores stay in the cache


@loop
def put_rows(x, pitch, factors, out, at, step, rows, columns):
    """out[i, j] = factors[i] x[i, j]; rows of x are `pitch` apart, rows of out `step`."""
    for i in range(rows):
        factor = factors[i]
        for j in range(columns):
            put(out, at + i * step + j, factor * get(x, i * pitch + j))


@reordered
def sum_of_products(a, at_a, b, at_b, count):
    """Σ_j a[at_a + j] b[at_b + j] for j < count."""
    total = a.dtype.type(0)
    for j in range(count):
        total += product(get(a, at_a + j), get(b, at_b + j))
    return total


@loop
def add_to(row, mask):
    for j in range(row.size):
        row[j] += mask[j]


@loop
def row_of(mask, b, h, i):
    """mask[b, h, i], where dims of size 1 broadcast."""
    return mask[b % mask.shape[0], h % mask.shape[1], i % mask.shape[2]]


@loop
def largest_of(x, at, count):
    """The maximum of `count` numbers. With NaN among them any result will do, as the sum of their
    powers is NaN too.
    """
    largest = get(x, at)
    for j in range(count):
        largest = larger(get(x, at + j), largest)
    return largest


@reordered
def put_powers(x, at, count, shift):
    """Replaces each y by e**(y - shift). Returns their sum."""
    total = x.dtype.type(0)
    for j in range(count):
        y = power(get(x, at + j), shift)
        put(x, at + j, y)
        total += y
    return total


@loop
def drop(x, at, count, kept, factor):
    """Replaces each y by y factor where it is kept, else by 0."""
    for j in range(count):
        put(x, at + j, get(x, at + j) * factor if kept[j] else x.dtype.type(0))


@loop
def share_of(total):
    """1 / the sum of the powers of a query; 0 if it attends to no key."""
    return total if total == 0 else 1 / total


@loop
def put_shares(x, at, count, shift, share):
    """Replaces each y by e**(y - shift) share."""
    for j in range(count):
        put(x, at + j, power(get(x, at + j), shift) * share)


@loop
def times_difference(d, weights, at, count, common):
    """d = weights (d - common): the gradient of softmax."""
    for j in range(count):
        put(d, at + j, get(weights, at + j) * (get(d, at + j) - common))


@loop
def attend(start, stop, ids, heads, queries, keys, size, columns, mask, is_causal, scale, kept,
           factor, sums_of):
    """The forward for heads start to stop of (batch, heads, length, size).

    `ids` are the ids of query, key, value and out. The mask is empty, or its dims broadcast to
    (batch, heads, queries, keys). `kept` is empty, or tells which weights dropout keeps and
    multiplies by `factor`. `sums_of` gets the largest score of each query and the sum of its
    powers.
    """
    dtype = sums_of.dtype
    shares = numpy.empty(QUERIES, dtype)  # 1 / the sum of the powers of a query
    # One strip more than needed: with a power of 2 all rows would share a few cache sets.
    pitch = whole_strips(shares, keys) + strip_of(shares)
    width = whole_strips(shares, columns)
    keys_t, values = numpy.empty(size * pitch, dtype), numpy.empty(keys * width, dtype)
    scores, sums = numpy.empty(QUERIES * pitch, dtype), numpy.empty(QUERIES * width, dtype)
    for head in range(start, stop):
        b, h = head // heads, head % heads
        query, q_step = matrix_of(ids, 0, b, h, shares)
        key, k_step = matrix_of(ids, 1, b, h, shares)
        value, v_step = matrix_of(ids, 2, b, h, shares)
        out, step = matrix_of(ids, 3, b, h, shares)
        pack_transposed(key, k_step, keys, size, scale, keys_t)
        pack(value, 0, v_step, keys, columns, values)
        for first in range(0, queries, QUERIES):
            last = min(first + QUERIES, queries)
            rows, seen = last - first, min(last, keys) if is_causal else keys
            multiply(query, first * q_step, q_step, 1, rows, size, keys_t, size, seen, scores,
                     pitch, False)
            for i in range(rows):
                own = min(first + i + 1, keys) if is_causal else keys
                if mask.size:
                    add_to(scores[i * pitch:i * pitch + own], row_of(mask, b, h, first + i))
                shift = largest_of(scores, i * pitch, own)
                if shift == -numpy.inf:  # the query attends to no key; -inf - -inf is NaN
                    shift = dtype.type(0)
                total = put_powers(scores, i * pitch, own, shift)
                if kept.size:
                    drop(scores, i * pitch, own, kept[b, h, first + i], factor)
                fill_with_zeros(scores, i * pitch + own, i * pitch + seen)
                sums_of[0, b, h, first + i], sums_of[1, b, h, first + i] = shift, total
                shares[i] = share_of(total)
            multiply(scores, 0, pitch, 1, rows, seen, values, keys, columns, sums, width, False)
            put_rows(sums, width, shares, out, first * step, step, rows, columns)


@loop
def attend_back(start, stop, ids, heads, queries, keys, size, columns, mask, is_causal, scale,
                kept, factor, sums_of):
    """The gradients for heads start to stop; the scores are recomputed.

    `ids` are the ids of query, key, value, out, its gradient, and the gradients of query, key and
    value.
    """
    dtype, one = sums_of.dtype, sums_of.dtype.type(1)
    ones = numpy.ones(max(QUERIES, keys), dtype)
    scales = ones * scale
    pitch = whole_strips(ones, keys) + strip_of(ones)
    size_width, width = whole_strips(ones, size), whole_strips(ones, columns)
    # Second factors of products, packed in strips.
    keys_t = numpy.empty(size * pitch, dtype)
    values_t = numpy.empty(columns * pitch, dtype)
    packed_keys = numpy.empty(keys * size_width, dtype)
    packed_query = numpy.empty(QUERIES * size_width, dtype)
    packed_d_out = numpy.empty(QUERIES * width, dtype)
    # Results of products.
    weights, d_scores = numpy.empty(QUERIES * pitch, dtype), numpy.empty(QUERIES * pitch, dtype)
    to_query = numpy.empty(QUERIES * size_width, dtype)
    to_keys, to_values = numpy.empty(keys * size_width, dtype), numpy.empty(keys * width, dtype)
    for head in range(start, stop):
        b, h = head // heads, head % heads
        query, q_step = matrix_of(ids, 0, b, h, ones)
        key, k_step = matrix_of(ids, 1, b, h, ones)
        value, v_step = matrix_of(ids, 2, b, h, ones)
        out, step = matrix_of(ids, 3, b, h, ones)
        d_out, g_step = matrix_of(ids, 4, b, h, ones)
        d_query, d_q_step = matrix_of(ids, 5, b, h, ones)
        d_key, d_k_step = matrix_of(ids, 6, b, h, ones)
        d_value, d_v_step = matrix_of(ids, 7, b, h, ones)
        pack_transposed(key, k_step, keys, size, scale, keys_t)
        pack_transposed(value, v_step, keys, columns, one, values_t)
        pack(key, 0, k_step, keys, size, packed_keys)
        fill_with_zeros(to_keys, 0, to_keys.size)
        fill_with_zeros(to_values, 0, to_values.size)
        for first in range(0, queries, QUERIES):
            last = min(first + QUERIES, queries)
            rows, seen = last - first, min(last, keys) if is_causal else keys
            pack(query, first * q_step, q_step, rows, size, packed_query)
            pack(d_out, first * g_step, g_step, rows, columns, packed_d_out)
            multiply(query, first * q_step, q_step, 1, rows, size, keys_t, size, seen, weights,
                     pitch, False)
            multiply(d_out, first * g_step, g_step, 1, rows, columns, values_t, columns, seen,
                     d_scores, pitch, False)
            for i in range(rows):
                own = min(first + i + 1, keys) if is_causal else keys
                if mask.size:
                    add_to(weights[i * pitch:i * pitch + own], row_of(mask, b, h, first + i))
                put_shares(weights, i * pitch, own, sums_of[0, b, h, first + i],
                           share_of(sums_of[1, b, h, first + i]))
                common = sum_of_products(d_out, (first + i) * g_step, out, (first + i) * step,
                                         columns)
                if kept.size:
                    drop(d_scores, i * pitch, own, kept[b, h, first + i], factor)
                times_difference(d_scores, weights, i * pitch, own, common)
                if kept.size:
                    drop(weights, i * pitch, own, kept[b, h, first + i], factor)
                fill_with_zeros(weights, i * pitch + own, i * pitch + seen)
                fill_with_zeros(d_scores, i * pitch + own, i * pitch + seen)
            multiply(d_scores, 0, pitch, 1, rows, seen, packed_keys, keys, size, to_query,
                     size_width, False)
            put_rows(to_query, size_width, scales, d_query, first * d_q_step, d_q_step, rows, size)
            multiply(d_scores, 0, 1, pitch, seen, rows, packed_query, rows, size, to_keys,
                     size_width, True)
            multiply(weights, 0, 1, pitch, seen, rows, packed_d_out, rows, columns, to_values,
                     width, True)
        put_rows(to_keys, size_width, scales, d_key, 0, d_k_step, keys, size)
        put_rows(to_values, width, ones, d_value, 0, d_v_step, keys, columns)
