"""CuPy with NumPy's results: functions in place of those of CuPy that compute something else.

Operations are written once, for both array modules. Those on arrays of a GPU get `adapted(cupy)`,
so that no operation asks which of the two it was given. `tests/test_gpu_results.py` compares both
on special values.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy

from . import dtypes

Array = Any

RAISING = ("cholesky", "inv", "eigh", "eigvalsh", "qr", "svd")  # where LAPACK reports a failure


def adapted(cupy: ModuleType, errstate: Callable[..., Any]) -> ModuleType:
    """The module `xp` of operations on arrays of a GPU. `errstate` is that of `cupyx`."""
    xp = ModuleType(f"{cupy.__name__} as NumPy computes")
    names = vars(xp)
    names.update((name, value) for name, value in vars(cupy).items() if name[:2] != "__")

    def as_strided(x: Array, shape: Any, strides: Any) -> Array:
        """A view whose `base` says whose memory it shows. CuPy's has none, so that writes through
        it would go unnoticed."""
        view = x.view()
        view._set_shape_and_strides(tuple(shape), tuple(strides), True, True)
        return view

    def arrays(a: Array | float, b: Array | float) -> tuple[Array, Array]:
        """Both operands as arrays of the dtype of the one that is an array."""
        dtype = getattr(a, "dtype", None) if isinstance(a, cupy.ndarray) else b.dtype  # type: ignore[union-attr]
        return tuple(x if isinstance(x, cupy.ndarray) else cupy.full((), x, dtype)
                     for x in (a, b))  # type: ignore[return-value]

    def divmod_of_floats(a: Array | float, b: Array | float) -> tuple[Array, Array]:
        """a // b and a % b as NumPy computes them: from the exact remainder. CuPy rounds a / b
        before it rounds down, which makes 5 // 0.1 fifty."""
        a, b = arrays(a, b)
        rest = cupy.fmod(a, b)
        other_sign = (rest != 0) & ((rest < 0) != (b < 0))
        exact = (a - rest) / b - other_sign
        below = cupy.floor(exact)
        whole = cupy.where(exact - below > 0.5, below + 1, below)
        whole = cupy.where(exact == 0, cupy.copysign(exact, a / b), whole)
        rest = cupy.where(rest == 0, cupy.copysign(rest, b), cupy.where(other_sign, rest + b, rest))
        by_zero = b == 0
        return cupy.where(by_zero, a / b, whole), cupy.where(by_zero, cupy.nan, rest)

    def floor_divide(a: Array | float, b: Array | float) -> Array:
        return divmod_of_floats(a, b)[0] if is_float(a, b) else cupy.floor_divide(a, b)

    def remainder(a: Array | float, b: Array | float) -> Array:
        return divmod_of_floats(a, b)[1] if is_float(a, b) else cupy.remainder(a, b)

    def is_float(a: Array | float, b: Array | float) -> bool:
        return any(isinstance(x, cupy.ndarray) and dtypes.is_floating(x.dtype) for x in (a, b))

    def left_shift(a: Array | int, b: Array | int) -> Array:
        """0 where all bits are shifted out, and where b is negative. The GPU's own shift counts
        modulo the number of bits."""
        a, b = arrays(a, b)
        exists = (b >= 0) & (b < 8 * a.itemsize)
        return cupy.left_shift(a, b * exists) * exists

    def right_shift(a: Array | int, b: Array | int) -> Array:
        """0 or -1, by the sign of a, where all bits are shifted out, and where b is negative."""
        a, b = arrays(a, b)
        bits = 8 * a.itemsize
        exists = (b >= 0) & (b < bits)
        if a.dtype.kind == "u":
            return cupy.right_shift(a, b * exists) * exists
        return cupy.right_shift(a, cupy.where(exists, b, bits - 1).astype(a.dtype))

    def position(extremum: Callable[..., Any]) -> Callable[..., Any]:
        """argmax or argmin with the first NaN, if there is one. CuPy gives any of several."""
        def function(x: Array, axis: int | None = None) -> Array:
            found = extremum(x, axis=axis)
            if not dtypes.is_floating(x.dtype):
                return found
            nan = cupy.isnan(x)
            return cupy.where(cupy.any(nan, axis=axis), cupy.argmax(nan, axis=axis), found)

        return function

    def argpartition(x: Array, kth: int, axis: int = -1) -> Array:
        """Sorts. CuPy does as well, and then reads a number, for which the host waits."""
        return cupy.argsort(x, axis=axis, kind="stable")

    def raising(function: Callable[..., Any]) -> Callable[..., Any]:
        """The same, with an error where LAPACK reports one. CuPy returns numbers without meaning
        unless it is told to look."""
        def call(*args: Any, **options: Any) -> Any:
            with errstate(linalg="raise"):
                return function(*args, **options)

        return call

    def solve(A: Array, B: Array) -> Array:  # noqa: N803 - matrices have capitals
        if not B.size:  # CuPy divides by the number of right sides
            return cupy.zeros(B.shape, dtype=B.dtype)
        return raising(cupy.linalg.solve)(A, B)

    names.update(
        floor_divide=floor_divide, remainder=remainder, left_shift=left_shift,
        right_shift=right_shift, argmax=position(cupy.argmax), argmin=position(cupy.argmin),
        argpartition=argpartition,
        lib=SimpleNamespace(stride_tricks=SimpleNamespace(as_strided=as_strided)),
        linalg=SimpleNamespace(**vars(cupy.linalg) | {
            "solve": solve, **{name: raising(getattr(cupy.linalg, name)) for name in RAISING}}))
    return xp


def add_at(xp: Any, array: Array, positions: Array, values: Array) -> None:
    """array[positions] += values on flat arrays, where repeated positions accumulate.

    CuPy adds floats and wide integers only: narrow ones are added in int64, bools as `or`.
    """
    if array.dtype.char not in "?bBhH" or isinstance(array, numpy.ndarray):
        xp.add.at(array, positions, values)
        return
    wide = array.astype("int64")
    xp.add.at(wide, positions, values.astype("int64"))
    array[...] = wide != 0 if array.dtype.kind == "b" else wide
