"""OpenBLAS's matrix product (gemm) as a function that compiled loops can call.

NumPy's wheels contain OpenBLAS, with prefixed symbol names. If NumPy uses another BLAS library,
`OpenBLAS.load` returns None. This module imports Numba.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from typing import Any

import numpy
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from .loops import undivided

ROW_MAJOR, PLAIN, TRANSPOSED = 101, 111, 112  # CBLAS's constants


class OpenBLAS:
    """Functions of the OpenBLAS library that NumPy has loaded.

    gemm         the address of the matrix product, by dtype
    get_threads  returns the number of its threads
    """

    def __init__(self, library: ctypes.CDLL):
        self.gemm = {numpy.dtype(name): _address(library, f"scipy_cblas_{letter}gemm64_")
                     for name, letter in (("float32", "s"), ("float64", "d"))}
        self.get_threads = library.scipy_openblas_get_num_threads64_
        self.functions = numpy.array([
            _address(library, f"scipy_openblas_{name}_num_threads64_") for name in ("get", "set")])
        self.state = numpy.array([1, 1])  # callers inside; the number of threads before
        self.enter, self.leave = enter.dispatcher(), leave.dispatcher()
        self.enter(self.state, self.functions)  # compiles them
        self.leave(self.state, self.functions)
        self.state[0] = 0
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forked)

    @classmethod
    def load(cls) -> OpenBLAS | None:
        """The OpenBLAS of this process's NumPy, or None if NumPy uses another library."""
        try:
            return cls(ctypes.CDLL(numpy.linalg._umath_linalg.__file__))  # type: ignore[attr-defined]
        except (AttributeError, OSError):
            return None

    def alone(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """function(*args, **kwargs) while OpenBLAS runs on the calling thread only.

        That is a state of the whole process: the first thread inside sets it, and the last one
        puts it back. `enter` and `leave` are compiled, and hold the GIL: neither another thread nor
        Ctrl-C, which waits for the end of compiled code, comes between their steps.
        """
        try:
            self.enter(self.state, self.functions)
            return function(*args, **kwargs)
        finally:
            self.leave(self.state, self.functions)

    def _forked(self) -> None:
        """The threads that were inside do not exist in a child."""
        if self.state[0]:
            self.state[0] = 1
            self.leave(self.state, self.functions)


def _address(library: ctypes.CDLL, name: str) -> int | None:
    return ctypes.cast(getattr(library, name), ctypes.c_void_p).value


@intrinsic
def get_count(typing, address):
    """Calls the function int () at the address."""
    def generate(context, builder, signature, args):
        kind = ir.FunctionType(ir.IntType(32), [])
        count = builder.call(builder.inttoptr(args[0], kind.as_pointer()), [])
        return builder.sext(count, ir.IntType(64))

    return types.int64(types.int64), generate


@intrinsic
def set_count(typing, address, count):
    """Calls the function void (int) at the address."""
    def generate(context, builder, signature, args):
        kind = ir.FunctionType(ir.VoidType(), [ir.IntType(32)])
        builder.call(builder.inttoptr(args[0], kind.as_pointer()),
                     [builder.trunc(args[1], ir.IntType(32))])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate


@undivided
def enter(state, functions):
    if state[0] == 0:
        state[1] = get_count(functions[0])
        if state[1] != 1:
            set_count(functions[1], 1)
    state[0] += 1


@undivided
def leave(state, functions):
    state[0] -= 1
    if state[0] == 0 and state[1] != 1:
        set_count(functions[1], state[1])


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
