"""Kernels for matrix products and linear layers, on the threads of the other kernels.

OpenBLAS, which NumPy's wheels contain, has its own threads. They spin on the same cores as the
kernels' threads and slow them down. So each of our threads calls OpenBLAS, limited to one thread,
for a part of the product. Large products on a single thread are left to NumPy.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy

from ...arrays.dispatch import KernelSettings
from ...arrays.threads import get_num_threads
from ...ops.elementwise import relu
from ...ops.linalg import linear, linear_relu, matmul
from ..loops import Array, fits
from ..pool import pool

# Multiplications above which OpenBLAS uses several threads: 65,536 times its constant
# GEMM_MULTITHREAD_THRESHOLD, which is 4; 2,304 times it if one of the two is a vector.
BLAS_THREADS, BLAS_THREADS_VECTOR = 1 << 18, 9216
# Multiplications above which several threads of ours are faster than one.
OUR_THREADS, OUR_THREADS_VECTOR = 1 << 20, 1 << 16
FEW_ROWS, FEW_ROWS_BYTES = 32, 1 << 18  # the largest first factor of `products.few_rows`
# Elements up to which each thread computes the gradient of ReLU itself: cheaper than a wait.
RECOMPUTED = 1 << 15


@functools.cache
def _loops() -> Any:
    from . import products  # imports Numba

    return products


@functools.cache
def _blas() -> Any:
    """OpenBLAS, or None if NumPy uses another library."""
    from ..blas import OpenBLAS  # imports Numba

    return OpenBLAS.load()


def _product(a: Array, b: Array, bias: Any = None, rectified: bool = False) -> Any:
    """a @ b + bias, or its ReLU if `rectified`, for matrices that are C- or F-contiguous.

    Returns None if NumPy is faster or the arrays are not supported.
    """
    rows, depth = a.shape
    columns, parts = b.shape[1], get_num_threads()
    work, vector = rows * depth * columns, rows == 1 or columns == 1
    if depth == 1 and bias is None and not rectified:
        return _outer(a, b) if work >= KernelSettings.min_work else None
    if rows <= FEW_ROWS and (out := _of_few_rows(a, b.T, bias, rectified)) is not None:
        return out
    if work < (BLAS_THREADS_VECTOR if vector else BLAS_THREADS):
        return None
    a_transposed, b_transposed = not a.flags.c_contiguous, not b.flags.c_contiguous
    stored_a, stored_b = a.T if a_transposed else a, b.T if b_transposed else b
    if not fits(stored_a, stored_b, bias, least=1) or parts < 2 or (blas := _blas()) is None:
        return None
    if vector or work < OUR_THREADS:
        out = blas.alone(numpy.matmul, a, b)
        if bias is not None:
            out += bias
        return numpy.maximum(out, 0, out=out) if rectified else out
    if bias is None:
        bias = stored_a[0, :0]
    out = numpy.empty((rows, columns), a.dtype)
    blas.alone(pool.split, _loops().product, parts, parts, blas.gemm[a.dtype], stored_a,
               a_transposed, stored_b, b_transposed, bias, rectified, out)
    return out


def _of_few_rows(a: Array, b: Array, bias: Array | None, rectified: bool) -> Any:
    """a @ b.T + bias for C-contiguous matrices, where a has few rows; None for others."""
    rows, depth = a.shape
    columns = len(b)
    work = rows * depth * columns
    if rows > FEW_ROWS or work < (BLAS_THREADS_VECTOR if rows == 1 else KernelSettings.min_work) \
            or a.nbytes > FEW_ROWS_BYTES or not fits(a, b, bias, least=1):
        return None
    loop, align, least = (_loops().one_row, 16, OUR_THREADS_VECTOR) if rows == 1 \
        else (_loops().few_rows, 48, BLAS_THREADS)
    out = numpy.empty((rows, columns), a.dtype)
    pool.split(loop, columns, a, b, a[0, :0] if bias is None else bias, rectified, out,
               align=align, least=-(-least // (rows * depth)))
    return out


def _outer(column: Array, row: Array) -> Any:
    """column @ row: the gradient of a weight for a single sample."""
    a, b = column.reshape(-1), row.reshape(-1)
    if not b.size or not fits(a, b, least=1):
        return None
    out = numpy.empty((len(a), len(b)), a.dtype)
    pool.split(_loops().outer, len(a), a, b, out, least=-(-OUR_THREADS_VECTOR // len(b)))
    return out


def product(a: Array, b: Array) -> Any:
    """a @ b for matrices."""
    out = _product(a, b)
    return a @ b if out is None else out


def sum_of_rows(x: Array) -> Any:
    """x.sum(0) of a matrix that `fits`."""
    out = numpy.empty(x.shape[1], x.dtype)
    pool.split(_loops().sum_columns, len(out), x, out, align=16, least=max(16, 8192 // len(x)))
    return out


def _as_rows(x: Array) -> Any:
    return x if x.ndim == 2 else x.reshape(math.prod(x.shape[:-1]), x.shape[-1])


def _linear(input: Array, weight: Array, bias: Array | None, rectified: bool) -> Any:
    if weight.ndim != 2 or input.shape[-1] != weight.shape[1] or (
            bias is not None and bias.shape != weight.shape[:1]):
        return None  # the reference raises
    rows = _as_rows(input)
    out = _of_few_rows(rows, weight, bias, rectified)
    if out is None:
        out = _product(rows, weight.T, bias, rectified)
    return out if out is None or input.ndim == 2 else out.reshape(*input.shape[:-1], len(weight))


@linear.kernel("cpu", work=lambda input, weight: input.size + weight.size)
def _(input: Array, weight: Array, bias: Array | None) -> Any:
    return _linear(input, weight, bias, rectified=False)


@linear_relu.kernel("cpu")
def _(input: Array, weight: Array, bias: Array | None) -> Any:
    return _linear(input, weight, bias, rectified=True)


@linear.kernel("cpu", "input", "weight", "bias", work=lambda g, weight, input: g.size * (
    weight.shape[1] if weight is not None else input.shape[-1] if input is not None else 1))
def _(g: Array, weight: Array | None, input: Array | None, needs: tuple[bool, ...]) -> Any:
    return _linear_back(g, None, weight, input, needs)


@linear_relu.kernel("cpu", "input", "weight", "bias")
def _(g: Array, out: Array, weight: Array | None, input: Array | None,
      needs: tuple[bool, ...]) -> Any:
    if g.size > RECOMPUTED:
        return _linear_back(relu.op.kernels["input",](numpy, g, out), None, weight, input, needs)
    return _linear_back(g, out, weight, input, needs)


def _linear_back(g: Array, out: Array | None, weight: Array | None, input: Array | None,
                 needs: tuple[bool, ...]) -> Any:
    """The gradients of a linear layer; with `out`, of a linear layer with ReLU and that result."""
    rows: Any = numpy.asarray(_as_rows(g), order="C")
    x: Any = None if input is None else numpy.asarray(_as_rows(input), order="C")
    relu_out: Any = rows[:0] if out is None else _as_rows(out)
    agree = (x is None or len(x) == len(rows)) \
        and (weight is None or len(weight) == rows.shape[1]) \
        and (out is None or relu_out.shape == rows.shape)
    if not agree or not fits(rows, x, weight, relu_out, least=1):
        return None
    if weight is x is None:
        return None, None, sum_of_rows(rows)
    samples, outputs = rows.shape
    inputs = x.shape[1] if weight is None else weight.shape[1]
    work, threads, address = rows.size * inputs, get_num_threads(), 0
    if samples == 1:
        parts = max(1, min(threads, work // OUR_THREADS_VECTOR))
    else:
        if threads < 2 and work >= BLAS_THREADS or (blas := _blas()) is None:
            return None
        parts, address = threads if work >= OUR_THREADS else 1, blas.gemm[rows.dtype]
    empty = rows[:0, :0]
    d_x = numpy.empty((samples, inputs), rows.dtype) if needs[0] else empty
    d_weight = numpy.empty((outputs, inputs), rows.dtype) if needs[1] else empty
    d_bias = numpy.empty(outputs if needs[2] else 0, rows.dtype)
    job = (_loops().linear_back, parts, parts, address, rows, relu_out,
           empty if x is None else x, empty if weight is None else weight, d_x, d_weight, d_bias)
    if address and work >= BLAS_THREADS:
        blas.alone(pool.split, *job)
    else:
        pool.split(*job)
    if needs[0] and g.ndim != 2:
        d_x = d_x.reshape(*g.shape[:-1], inputs)
    return d_x if needs[0] else None, d_weight if needs[1] else None, d_bias if needs[2] else None


@matmul.kernel("cpu", work=lambda input, other: input.size + other.size)
def _(input: Array, other: Array) -> Any:
    if other.ndim != 2 or input.ndim < 2 or input.shape[-1] != other.shape[0]:
        return None
    out = _product(_as_rows(input), other)
    return None if out is None else out.reshape(*input.shape[:-1], other.shape[1])


@matmul.kernel("cpu", "input", work=lambda g, other: g.size + other.size)
def _(g: Array, other: Array, input_shape: tuple[int, ...]) -> Any:
    if other.ndim != 2 or len(input_shape) < 2:
        return None
    out = _product(_as_rows(g), other.T)
    return None if out is None else out.reshape(input_shape)


@matmul.kernel("cpu", "other", work=lambda g, input: g.size + input.size)
def _(g: Array, input: Array, other_shape: tuple[int, ...]) -> Any:
    if len(other_shape) != 2 or input.ndim < 2:
        return None
    return _product(_as_rows(input).T, _as_rows(g))
