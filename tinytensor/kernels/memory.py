"""Passes many arrays to one call of a loop, as a table of addresses.

Unboxing an array costs Numba as much time as the arithmetic on a small array, and so does asking
NumPy for its address. In CPython, `id(array)` is the address of the array object, whose layout is
part of NumPy's C ABI (PyArrayObject_fields). The loops here read the fields from there. Before
the first use `layout_is_as_expected` compares some arrays with what NumPy reports about them.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy
from numba import carray, types
from numba.extending import intrinsic

from .loops import loop

# Offsets in bytes in PyArrayObject_fields, after the object header: data, nd, dimensions, strides,
# base, descr, flags.
DATA = object.__basicsize__
DIMS, FLAGS = DATA + 8, DATA + 48
READ = 0x1 | 0x100  # NumPy's flags: C-contiguous and aligned
WRITE = READ | 0x400  # and writable


@intrinsic
def _at(typing, address, like):
    """The address as a pointer to elements of the dtype of `like`."""
    def generate(context, builder, signature, args):
        return builder.inttoptr(args[0], context.get_value_type(signature.return_type))

    return types.CPointer(like.dtype)(types.intp, like), generate


@loop
def array_at(address, start, stop, like):
    """The elements start to stop from `address` on, as an array of the dtype of `like`."""
    return carray(_at(address + start * like.itemsize, like), stop - start)


@loop
def matrix_of(ids, which, i, j, like):
    """The matrix [i, j] of the 4-d array whose id is ids[which].

    Returns its elements as a flat array of length 0, to be read with `get` and `load`, and the
    distance from a row to the next in elements.
    """
    fields = array_at(ids[which] + DATA, 0, 4, ids)
    strides = array_at(fields[3], 0, 3, ids)
    first = fields[0] + i * strides[0] + j * strides[1]
    return array_at(first, 0, 0, like), strides[2] // like.itemsize


@loop
def _describe(ids, none, dtype, read_only, longs, ints, addresses, sizes, fit):
    """Fills `addresses`, `sizes` and `fit`, see `ArrayTable`; `ids` has a row for each parameter.

    Returns how many rows fit, and the sum of all sizes.
    """
    fitting = total = rank = 0
    first_shape = longs
    for row in range(ids.shape[0]):
        fit[row] = True
        for column in range(ids.shape[1]):
            header = ids[row, column]
            if header == none:
                addresses[row, column] = 0
                continue
            fields = array_at(header + DATA, 0, 6, longs)
            dims = array_at(header + DIMS, 0, 1, ints)[0]
            flags = array_at(header + FLAGS, 0, 1, ints)[0]
            shape = array_at(fields[2], 0, dims, longs)
            if column == 0:
                rank, first_shape, sizes[row] = dims, shape, 1
                for axis in range(dims):
                    sizes[row] *= shape[axis]
            agree = dims == rank
            for axis in range(dims if agree else 0):
                agree &= shape[axis] == first_shape[axis]
            addresses[row, column] = fields[0]
            needed = READ if column == read_only else WRITE
            fit[row] &= fields[5] == dtype and flags & needed == needed and agree
        fitting += fit[row]
        total += sizes[row]
    return fitting, total


LONGS, INTS = numpy.empty(0, numpy.int64), numpy.empty(0, numpy.int32)


class ArrayTable(NamedTuple):
    """What loops take instead of rows of arrays.

    addresses   (rows, columns) of the arrays' data, 0 for None
    sizes       (rows,) the size of the arrays of a row
    fit         (rows,) whether the arrays of a row fit
    fitting     how many rows fit
    total       the sum of the sizes
    """

    addresses: Any
    sizes: Any
    fit: Any
    fitting: int
    total: int


def _array_table(rows: Sequence[Sequence[Any]], columns: int, dtype: Any,
                 read_only: int) -> ArrayTable:
    ids = numpy.array([id(a) for row in rows for a in row[:columns]], numpy.int64)
    ids = ids.reshape(len(rows), columns)
    addresses, sizes = numpy.empty_like(ids), numpy.empty(len(ids), numpy.int64)
    fit = numpy.empty(len(ids), numpy.bool_)
    return ArrayTable(addresses, sizes, fit, *_describe(
        ids, id(None), id(dtype), read_only, LONGS, INTS, addresses, sizes, fit))


def array_table(rows: Sequence[Sequence[Any]], columns: int, dtype: Any,
                read_only: int) -> ArrayTable:
    """The table of the first `columns` entries of each row, arrays or None.

    A row fits if its arrays have this dtype and one shape and are C-contiguous and writable. The
    array in the column `read_only` need not be writable.
    """
    if not layout_is_as_expected():
        return ArrayTable(None, None, numpy.zeros(len(rows), numpy.bool_), 0, 0)
    return _array_table(rows, columns, dtype, read_only)


@functools.cache
def layout_is_as_expected() -> bool:
    """Whether the fields of some arrays, read from array_at, equal what NumPy reports."""
    if numpy.dtype("intp").itemsize != 8:
        return False
    single, double = numpy.dtype("float32"), numpy.dtype("float64")
    a, b = numpy.empty((3, 5), single), numpy.empty(7, single)[2:]
    locked, wide = a.copy(), a.astype(double)
    locked.flags.writeable = False
    fitting: list[list[Any]] = [[a, a.copy(), None], [b, b, b], [a, locked, a],
                                [numpy.empty((), single)] * 3]
    unfit: list[list[Any]] = [[locked, a, a], [a, a.T, a], [a, wide, a], [a, b, b]]
    addresses, sizes, fit, count, _ = _array_table(fitting + unfit, 3, single, 1)
    heads = numpy.empty((2, 5, 3, 4), single).transpose(0, 2, 1, 3)
    matrix, step = matrix_of(numpy.array([id(heads)]), 0, 1, 2, a[0])
    return bool(count == 4 and fit.tolist() == [True] * 4 + [False] * 4
                and sizes.tolist() == [row[0].size for row in fitting + unfit]
            and addresses.tolist() == [
                [0 if x is None else x.__array_interface__["data"][0] for x in row]
                for row in fitting + unfit]
            and _array_table([[wide]], 1, double, 1).fitting == 1
            and matrix.ctypes.data == heads[1, 2].ctypes.data and step == 12)
