"""OpenBLAS's matrix product (gemm) as a function that compiled loops can call.

NumPy's wheels contain OpenBLAS, with prefixed symbol names. If NumPy uses another BLAS library,
`OpenBLAS.load` returns None. This module imports Numba.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

ROW_MAJOR, PLAIN, TRANSPOSED = 101, 111, 112  # CBLAS's constants


class InOneThread:
    """A context in which OpenBLAS runs on the calling thread only."""

    def __init__(self, get: Callable[[], int], put: Callable[[int], None]):
        self.get, self.put, self.before = get, put, 1

    def __enter__(self) -> None:
        self.before = self.get()
        if self.before != 1:
            self.put(1)

    def __exit__(self, *error: Any) -> None:
        if self.before != 1:
            self.put(self.before)


class OpenBLAS:
    """Functions of the OpenBLAS library that NumPy has loaded.

    gemm            the address of the matrix product, by dtype
    in_one_thread   a context in which OpenBLAS runs on the calling thread only
    """

    def __init__(self, library: ctypes.CDLL):
        self.gemm = {numpy.dtype(name): ctypes.cast(
            getattr(library, f"scipy_cblas_{letter}gemm64_"), ctypes.c_void_p).value
            for name, letter in (("float32", "s"), ("float64", "d"))}
        self.in_one_thread = InOneThread(library.scipy_openblas_get_num_threads64_,
                                         library.scipy_openblas_set_num_threads64_)

    @classmethod
    def load(cls) -> OpenBLAS | None:
        """The OpenBLAS of this process's NumPy, or None if NumPy uses another library."""
        try:
            return cls(ctypes.CDLL(numpy.linalg._umath_linalg.__file__))  # type: ignore[attr-defined]
        except (AttributeError, OSError):
            return None


@intrinsic
def gemm(typing, address, a, a_transposed, a_pitch, b, b_transposed, b_pitch, c, pitch, m, n, k):
    """c = a b with a (m, k) and b (k, n), on flat arrays.

    A pitch is the distance from a row to the next. If `a_transposed`, the array a holds aᵀ.
    """
    def generate(context, builder, signature, args):
        element = context.get_value_type(c.dtype)
        short, long, pointer = ir.IntType(32), ir.IntType(64), element.as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [
            short, short, short, long, long, long, element, pointer, long, pointer, long,
            element, pointer, long])
        function = builder.inttoptr(args[0], kind.as_pointer())

        def data(index: int) -> Any:
            return context.make_array(signature.args[index])(context, builder, args[index]).data

        def order(transposed: Any) -> Any:
            return builder.select(
                builder.icmp_unsigned("!=", transposed, ir.Constant(transposed.type, 0)),
                ir.Constant(short, TRANSPOSED), ir.Constant(short, PLAIN))

        builder.call(function, [
            ir.Constant(short, ROW_MAJOR), order(args[2]), order(args[5]), *args[9:],
            ir.Constant(element, 1.0), data(1), args[3], data(4), args[6],
            ir.Constant(element, 0.0), data(7), args[8]])
        return context.get_dummy_value()

    long, truth = types.int64, types.boolean
    return types.void(long, a, truth, long, b, truth, long, c, long, long, long, long), generate
