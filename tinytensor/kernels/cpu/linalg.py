"""Products of matrices in the threads that the other kernels use, for several threads only.

OpenBLAS, which NumPy's wheels bring along, has threads of its own: they watch for work on the same
processors, and each kind gets in the other's way. So each of ours calls it for a part.
"""

from __future__ import annotations

import contextlib
import functools
import math
from typing import Any

import numpy

from ...arrays.dispatch import KernelSettings
from ...arrays.threads import get_num_threads
from ...ops.elementwise import relu
from ...ops.linalg import linear, linear_relu, matmul
from ..loops import fits
from ..pool import pool

# Multiplications from which OpenBLAS wakes its threads (65,536 times GEMM_MULTITHREAD_THRESHOLD,
# 4; 2,304 times that where one of the two is a vector), and from which more than one of ours are
# worth it.
WAKES, WAKES_FOR_VECTORS, WORTH, WORTH_FOR_VECTORS = 1 << 18, 9216, 1 << 20, 1 << 16
FEW, CACHE = 32, 1 << 18  # rows, and bytes of them, that `few_rows` is made for
SHARED = 1 << 15  # elements up to which each thread had better do the same than wait for another


@functools.cache
def _loops() -> Any:
    from . import products  # imports Numba

    return products


@functools.cache
def _blas() -> Any:
    """OpenBLAS's functions, or None if NumPy has another library."""
    from ..blas import OpenBLAS  # imports Numba

    return OpenBLAS.found()


def _product(a: Any, b: Any, bias: Any = None, rectified: bool = False) -> Any:
    """a @ b + bias for matrices, each of which may be the transpose of what lies in memory.

    Of what is rectified the part below 0 is cut off.
    """
    rows, depth = a.shape
    columns, parts = b.shape[1], get_num_threads()
    work, vector = rows * depth * columns, rows == 1 or columns == 1
    if depth == 1 and bias is None and not rectified:
        return _outer(a, b) if work >= KernelSettings.min_work else None
    if rows <= FEW and (found := _of_few_rows(a, b.T, bias, rectified)) is not None:
        return found
    if work < (WAKES_FOR_VECTORS if vector else WAKES):
        return None
    a_turned, b_turned = not a.flags.c_contiguous, not b.flags.c_contiguous
    stored_a, stored_b = a.T if a_turned else a, b.T if b_turned else b
    if not fits(stored_a, stored_b, bias, least=1) or parts < 2 or (blas := _blas()) is None:
        return None
    if vector or work < WORTH:
        with blas.in_one_thread:
            out = a @ b
        if bias is not None:
            out += bias
        return numpy.maximum(out, 0, out=out) if rectified else out
    if bias is None:
        bias = stored_a[0, :0]
    out = numpy.empty((rows, columns), a.dtype)
    with blas.in_one_thread:
        pool.split(_loops().product, parts, parts, blas.gemm[a.dtype], stored_a, a_turned,
                   stored_b, b_turned, bias, rectified, out)
    return out


def _of_few_rows(a: Any, b: Any, bias: Any, rectified: bool) -> Any:
    """a @ b.T + bias for few rows of a matrix, all as it lies in memory; None for others."""
    rows, depth = a.shape
    columns = len(b)
    work = rows * depth * columns
    if rows > FEW or work < (WAKES_FOR_VECTORS if rows == 1 else KernelSettings.min_work) \
            or a.nbytes > CACHE or not fits(a, b, bias, least=1):
        return None
    loop, align, least = (_loops().one_row, 16, WORTH_FOR_VECTORS) if rows == 1 \
        else (_loops().few_rows, 48, WAKES)
    out = numpy.empty((rows, columns), a.dtype)
    pool.split(loop, columns, a, b, a[0, :0] if bias is None else bias, rectified, out,
               align=align, least=-(-least // (rows * depth)))
    return out


def _outer(column: Any, row: Any) -> Any:
    """column @ row, as for a weight that has met a single sample."""
    a, b = column.reshape(-1), row.reshape(-1)
    if not fits(a, b, least=1):
        return None
    out = numpy.empty((len(a), len(b)), a.dtype)
    pool.split(_loops().outer, len(a), a, b, out, least=-(-WORTH_FOR_VECTORS // len(b)))
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


def _linear(input: Any, weight: Any, bias: Any, rectified: bool) -> Any:
    if weight.ndim != 2 or input.shape[-1] != weight.shape[1] or (
            bias is not None and bias.shape != weight.shape[:1]):
        return None  # the reference says what is wrong
    rows = _as_rows(input)
    out = _of_few_rows(rows, weight, bias, rectified)
    if out is None:
        out = _product(rows, weight.T, bias, rectified)
    return out if out is None or input.ndim == 2 else out.reshape(*input.shape[:-1], len(weight))


@linear.kernel("cpu", work=lambda input, weight: input.size + weight.size)
def _(input: Any, weight: Any, bias: Any) -> Any:
    return _linear(input, weight, bias, rectified=False)


@linear_relu.kernel("cpu")
def _(input: Any, weight: Any, bias: Any) -> Any:
    return _linear(input, weight, bias, rectified=True)


@linear.kernel("cpu", "input", "weight", "bias", work=lambda g, weight, input: g.size * (
    weight.shape[1] if weight is not None else input.shape[-1] if input is not None else 1))
def _(g: Any, weight: Any, input: Any, needs: tuple[bool, ...]) -> Any:
    return _linear_back(g, None, weight, input, needs)


@linear_relu.kernel("cpu", "input", "weight", "bias")
def _(g: Any, out: Any, weight: Any, input: Any, needs: tuple[bool, ...]) -> Any:
    if g.size > SHARED:
        g, out = relu.op.kernels["input",](numpy, g, out), None
    return _linear_back(g, out, weight, input, needs)


def _linear_back(g: Any, out: Any, weight: Any, input: Any, needs: tuple[bool, ...]) -> Any:
    """The gradients of a linear layer, or of one with ReLU whose result is `out`."""
    rows: Any = numpy.asarray(_as_rows(g), order="C")
    x: Any = None if input is None else numpy.asarray(_as_rows(input), order="C")
    bent: Any = rows[:0] if out is None else _as_rows(out)
    if not fits(rows, x, weight, bent, least=1):
        return None
    if weight is x is None:
        return None, None, sum_of_rows(rows)
    samples, outputs = rows.shape
    inputs = x.shape[1] if weight is None else weight.shape[1]
    work, threads, address = rows.size * inputs, get_num_threads(), 0
    if samples == 1:
        parts = max(1, min(threads, work // WORTH_FOR_VECTORS))
    else:
        if threads < 2 and work >= WAKES or (blas := _blas()) is None:
            return None
        parts, address = threads if work >= WORTH else 1, blas.gemm[rows.dtype]
    none = rows[:0, :0]
    d_x = numpy.empty((samples, inputs), rows.dtype) if needs[0] else none
    d_weight = numpy.empty((outputs, inputs), rows.dtype) if needs[1] else none
    d_bias = numpy.empty(outputs if needs[2] else 0, rows.dtype)
    with blas.in_one_thread if address and work >= WAKES else contextlib.nullcontext():
        pool.split(_loops().linear_back, parts, parts, address, rows, bent,
                   none if x is None else x, none if weight is None else weight,
                   d_x, d_weight, d_bias)
    if needs[0] and g.ndim != 2:
        d_x = d_x.reshape(*g.shape[:-1], inputs)
    return d_x if needs[0] else None, d_weight if needs[1] else None, d_bias if needs[2] else None


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
