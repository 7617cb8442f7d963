"""The kernel for rows that are added up by their positions: the gradient of an embedding."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy

from ...ops.index import WHOLE, Index, put_zeros
from ..loops import PIECE, Array, fits, loop
from ..pool import pool


@put_zeros.kernel("cpu")
def _(input: Array, shape: Sequence[int], index: Index) -> Any:
    positions, *rest = index
    if not isinstance(positions, numpy.ndarray) or positions.dtype.kind not in "iu" \
            or not all(isinstance(k, slice) and k == WHOLE for k in rest):
        return None
    rows, columns = shape[0], math.prod(shape[1:])
    input = numpy.asarray(input, order="C")
    places = numpy.asarray(positions, numpy.int64).reshape(-1)
    if not fits(input) or input.size != places.size * columns \
            or places.min() < -rows or places.max() >= rows:  # the reference raises
        return None
    out = numpy.zeros(shape, input.dtype)
    pool.split(add_rows, columns, input.reshape(-1), places % rows, columns, out.reshape(-1),
               align=16, least=-(-PIECE // places.size))
    return out


@loop
def add_rows(start, stop, rows, places, columns, out):
    """Adds each row to that at its place in `out`, one after the other, in some of the columns."""
    for i in range(places.size):
        at, to = i * columns, places[i] * columns
        row, total = rows[at + start:at + stop], out[to + start:to + stop]
        for c in range(row.size):
            total[c] += row[c]
