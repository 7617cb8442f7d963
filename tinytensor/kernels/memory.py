"""Many arrays in one call of a loop: their addresses in a table.

What Numba takes for each array given to a loop, and what NumPy takes to tell an address, is as
much as a small array's arithmetic. But an array is known by its id, which in CPython is where its
header lies, and NumPy's C interface fixes what stands there (PyArrayObject_fields): compiled
programs read these fields, so they cannot move. `described` compares a few arrays with what
NumPy says about them, once, before it is trusted.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from typing import Any

import numpy
from numba import carray, types
from numba.extending import intrinsic

from .loops import loop

# Places in the header, in bytes, behind what all objects begin with.
DATA = object.__basicsize__
DIMS, FLAGS = DATA + 8, DATA + 48  # what lies between are pointers
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
def _describe(ids, none, dtype, read_only, longs, ints, addresses, sizes, fit):
    """Fills in the addresses, sizes and whether they fit; `ids` has a row for each parameter."""
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


LONGS, INTS = numpy.empty(0, numpy.int64), numpy.empty(0, numpy.int32)


def _described(rows: Sequence[Sequence[Any]], dtype: Any, read_only: int) -> tuple[Any, Any, Any]:
    ids = numpy.fromiter(map(id, itertools.chain.from_iterable(rows)), numpy.int64)
    ids = ids.reshape(len(rows), -1)
    addresses, sizes = numpy.empty_like(ids), numpy.empty(len(ids), numpy.int64)
    fit = numpy.empty(len(ids), numpy.bool_)
    _describe(ids, id(None), id(dtype), read_only, LONGS, INTS, addresses, sizes, fit)
    return addresses, sizes, fit


def described(rows: Sequence[Sequence[Any]], dtype: Any, read_only: int) -> tuple[Any, Any, Any]:
    """The addresses, as the rows stand, the size of each row's arrays, and which rows fit.

    They do if their arrays are of this dtype, of one size, C-contiguous and, but for those of
    the column `read_only`, writable. None among them has the address 0.
    """
    if not _trusted():
        return None, None, numpy.zeros(len(rows), numpy.bool_)
    return _described(rows, dtype, read_only)


@functools.cache
def _trusted() -> Any:
    if numpy.dtype("intp").itemsize != 8:
        return False
    single, double = numpy.dtype("float32"), numpy.dtype("float64")
    a, b = numpy.empty((3, 5), single), numpy.empty(7, single)[2:]
    locked, wide = a.copy(), a.astype(double)
    locked.flags.writeable = False
    fitting: list[list[Any]] = [[a, a.copy(), None], [b, b, b], [a, locked, a],
                                [numpy.empty((), single)] * 3]
    unfit: list[list[Any]] = [[locked, a, a], [a, a.T, a], [a, wide, a], [a, b, b]]
    addresses, sizes, fit = _described(fitting + unfit, single, 1)
    return (fit.tolist() == [True] * 4 + [False] * 4
            and sizes.tolist() == [row[0].size for row in fitting + unfit]
            and addresses.tolist() == [
                [0 if x is None else x.__array_interface__["data"][0] for x in row]
                for row in fitting + unfit]
            and _described([[wide]], double, 1)[2].all())
