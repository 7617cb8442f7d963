"""Products of matrices in the threads that the other kernels use, for several threads only.

OpenBLAS, which NumPy's wheels bring along, has threads of its own: they watch for work on the same
processors, and each kind gets in the other's way. So each of ours calls it for a part.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy

from ...ops.linalg import linear, matmul
from ...seam import Switch
from ...threads import get_num_threads
from ..loops import PIECE, fits
from ..pool import pool

# Multiplications from which OpenBLAS wakes its threads (65,536 times GEMM_MULTITHREAD_THRESHOLD,
# 4; 2,304 times that where one of the two is a vector), and from which more than one of ours are
# worth it.
WAKES, WAKES_FOR_VECTORS, WORTH = 1 << 18, 9216, 1 << 20


@functools.cache
def _loops() -> Any:
    from . import products  # imports Numba

    return products


@functools.cache
def _blas() -> Any:
    """OpenBLAS's functions, or None if NumPy has another library."""
    from ..blas import OpenBLAS  # imports Numba

    return OpenBLAS.found()


def _product(a: Any, b: Any, bias: Any = None) -> Any:
    """a @ b + bias for matrices, each of which may be the transpose of what lies in memory."""
    rows, depth = a.shape
    columns, parts = b.shape[1], get_num_threads()
    work, vector = rows * depth * columns, rows == 1 or columns == 1
    if depth == 1 and bias is None:
        return _outer(a, b) if work >= Switch.small else None
    if parts < 2 or work < (WAKES_FOR_VECTORS if vector else WAKES):
        return None
    a_turned, b_turned = not a.flags.c_contiguous, not b.flags.c_contiguous
    stored_a, stored_b = a.T if a_turned else a, b.T if b_turned else b
    if not fits(stored_a, stored_b, bias, least=1) or (blas := _blas()) is None:
        return None
    if vector or work < WORTH:
        with blas.in_one_thread:
            out = a @ b
        return out if bias is None else numpy.add(out, bias, out)
    if bias is None:
        bias = stored_a[0, :0]
    out = numpy.empty((rows, columns), a.dtype)
    with blas.in_one_thread:
        pool.split(_loops().product, parts, parts, blas.gemm[a.dtype], stored_a, a_turned,
                   stored_b, b_turned, bias, out)
    return out


def _outer(column: Any, row: Any) -> Any:
    """column @ row, as for the weight of a layer that has seen a single sample."""
    a, b = column.reshape(-1), row.reshape(-1)
    if not fits(a, b, least=1):
        return None
    out = numpy.empty((len(a), len(b)), a.dtype)
    pool.split(_loops().outer, len(a), a, b, out, least=-(-PIECE // len(b)))
    return out


def product(a: Any, b: Any) -> Any:
    """a @ b for matrices."""
    found = _product(a, b)
    return a @ b if found is None else found


def sum_of_rows(x: Any) -> Any:
    """x.sum(0) of a matrix that fits."""
    out = numpy.empty(x.shape[1], x.dtype)
    pool.split(_loops().sum_columns, len(out), x, out, align=16, least=max(16, 8192 // len(x)))
    return out


def _as_rows(x: Any) -> Any:
    return x if x.ndim == 2 else x.reshape(math.prod(x.shape[:-1]), x.shape[-1])


@linear.kernel("cpu", work=lambda input, weight: input.size + weight.size)
def _(input: Any, weight: Any, bias: Any) -> Any:
    if weight.ndim != 2 or input.shape[-1] != weight.shape[1] or (
            bias is not None and bias.shape != weight.shape[:1]):
        return None  # the reference says what is wrong
    out = _product(_as_rows(input), weight.T, bias)
    return None if out is None else out.reshape(*input.shape[:-1], len(weight))


@linear.kernel("cpu", "input", work=lambda g, weight: g.size + weight.size)
def _(g: Any, weight: Any) -> Any:
    out = _product(_as_rows(g), weight)
    return None if out is None else out.reshape(*g.shape[:-1], weight.shape[1])


@linear.kernel("cpu", "weight", work=lambda g, input: g.size * input.shape[-1])
def _(g: Any, input: Any) -> Any:
    return _product(_as_rows(g).T, _as_rows(input))


@linear.kernel("cpu", "bias", work=lambda g: g.size)
def _(g: Any) -> Any:
    rows = _as_rows(g)
    return sum_of_rows(rows) if fits(rows) else None


@matmul.kernel("cpu", work=lambda input, other: input.size + other.size)
def _(input: Any, other: Any) -> Any:
    if other.ndim != 2 or input.ndim < 2 or input.shape[-1] != other.shape[0]:
        return None
    out = _product(_as_rows(input), other)
    return None if out is None else out.reshape(*input.shape[:-1], other.shape[1])


@matmul.kernel("cpu", "input", work=lambda g, other: g.size + other.size)
def _(g: Any, other: Any, input_shape: Any) -> Any:
    if other.ndim != 2 or len(input_shape) < 2:
        return None
    out = _product(_as_rows(g), other.T)
    return None if out is None else out.reshape(input_shape)


@matmul.kernel("cpu", "other", work=lambda g, input: g.size + input.size)
def _(g: Any, input: Any, other_shape: Any) -> Any:
    if len(other_shape) != 2 or input.ndim < 2:
        return None
    return _product(_as_rows(input).T, _as_rows(g))
