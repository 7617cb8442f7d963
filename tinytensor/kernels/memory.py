"""Many arrays in one call of a loop: their addresses in a table.

What Numba takes for each array given to a loop, and what NumPy takes to tell an address, is as
much as a small array's arithmetic. But an array is known by its id, which in CPython is where its
header lies, and NumPy's C interface fixes what stands there (PyArrayObject_fields): compiled
programs read these fields, so they cannot move. `described` compares a few arrays with what
NumPy says about them, once, before it is trusted.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy
from numba import carray, types
from numba.extending import intrinsic

from .loops import loop

# Places in the header, in bytes, behind what all objects begin with: the address of the numbers,
# how many dims, the addresses of their sizes and strides, two more of objects, flags.
DATA = object.__basicsize__
DIMS, FLAGS = DATA + 8, DATA + 48
READ = 0x1 | 0x100  # NumPy's flags: C-contiguous and aligned
WRITE = READ | 0x400  # and writable


@intrinsic
def _at(typing, address, like):
    """A pointer to memory with numbers of the kind of the array `like`."""
    def generate(context, builder, signature, args):
        return builder.inttoptr(args[0], context.get_value_type(signature.return_type))

    return types.CPointer(like.dtype)(types.intp, like), generate


@loop
def memory(address, start, stop, like):
    """Of the numbers from `address` on, those from start to stop, as an array like `like`."""
    return carray(_at(address + start * like.itemsize, like), stop - start)


@loop
def matrix_of(ids, which, i, j, like):
    """Of the array with 4 dims, known by ids[which], the matrix [i, j]: its numbers from the first
    on, flat and without a size, and from a row to the next, in numbers.
    """
    fields = memory(ids[which] + DATA, 0, 4, ids)
    strides = memory(fields[3], 0, 3, ids)
    first = fields[0] + i * strides[0] + j * strides[1]
    return memory(first, 0, 0, like), strides[2] // like.itemsize


@loop
def _describe(ids, none, dtype, read_only, longs, ints, addresses, sizes, fit):
    """Fills in the addresses, sizes and whether they fit; `ids` has a row for each parameter.
    How many rows fit, and the sum of all sizes.
    """
    fitting = total = 0
    for row in range(ids.shape[0]):
        fit[row] = True
        for column in range(ids.shape[1]):
            header = ids[row, column]
            if header == none:
                addresses[row, column] = 0
                continue
            fields = memory(header + DATA, 0, 6, longs)
            dims = memory(header + DIMS, 0, 1, ints)[0]
            flags = memory(header + FLAGS, 0, 1, ints)[0]
            size = 1
            for axis in range(dims):
                size *= memory(fields[2], axis, axis + 1, longs)[0]
            if column == 0:
                sizes[row] = size
            addresses[row, column] = fields[0]
            needed = READ if column == read_only else WRITE
            fit[row] &= fields[5] == dtype and flags & needed == needed and size == sizes[row]
        fitting += fit[row]
        total += sizes[row]
    return fitting, total


LONGS, INTS = numpy.empty(0, numpy.int64), numpy.empty(0, numpy.int32)


class Described(NamedTuple):
    """What loops take instead of arrays: for each row the addresses of its arrays, 0 for None,
    their size, whether they fit; how many rows do, and the sum of the sizes.
    """

    addresses: Any
    sizes: Any
    fit: Any
    fitting: int
    total: int


def _described(rows: Sequence[Sequence[Any]], columns: int, dtype: Any,
               read_only: int) -> Described:
    ids = numpy.array([id(a) for row in rows for a in row[:columns]], numpy.int64)
    ids = ids.reshape(len(rows), columns)
    addresses, sizes = numpy.empty_like(ids), numpy.empty(len(ids), numpy.int64)
    fit = numpy.empty(len(ids), numpy.bool_)
    return Described(addresses, sizes, fit, *_describe(
        ids, id(None), id(dtype), read_only, LONGS, INTS, addresses, sizes, fit))


def described(rows: Sequence[Sequence[Any]], columns: int, dtype: Any,
              read_only: int) -> Described:
    """The arrays and None that are the first `columns` of each row.

    A row fits if its arrays are of this dtype, of one size, C-contiguous and, but for that of the
    column `read_only`, writable.
    """
    if not trusted():
        return Described(None, None, numpy.zeros(len(rows), numpy.bool_), 0, 0)
    return _described(rows, columns, dtype, read_only)


@functools.cache
def trusted() -> Any:
    """Whether a few arrays look here as NumPy says they do."""
    if numpy.dtype("intp").itemsize != 8:
        return False
    single, double = numpy.dtype("float32"), numpy.dtype("float64")
    a, b = numpy.empty((3, 5), single), numpy.empty(7, single)[2:]
    locked, wide = a.copy(), a.astype(double)
    locked.flags.writeable = False
    fitting: list[list[Any]] = [[a, a.copy(), None], [b, b, b], [a, locked, a],
                                [numpy.empty((), single)] * 3]
    unfit: list[list[Any]] = [[locked, a, a], [a, a.T, a], [a, wide, a], [a, b, b]]
    addresses, sizes, fit, count, _ = _described(fitting + unfit, 3, single, 1)
    heads = numpy.empty((2, 5, 3, 4), single).transpose(0, 2, 1, 3)
    matrix, step = matrix_of(numpy.array([id(heads)]), 0, 1, 2, a[0])
    return (count == 4 and fit.tolist() == [True] * 4 + [False] * 4
            and sizes.tolist() == [row[0].size for row in fitting + unfit]
            and addresses.tolist() == [
                [0 if x is None else x.__array_interface__["data"][0] for x in row]
                for row in fitting + unfit]
            and _described([[wide]], 1, double, 1).fitting == 1
            and matrix.ctypes.data == heads[1, 2].ctypes.data and step == 12)
