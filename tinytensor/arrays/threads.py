"""The number of threads of kernels, which `kernels/pool.py` has, and of matrix products."""

from __future__ import annotations

import os
from typing import Any


def _default() -> int:
    """OMP_NUM_THREADS, as in PyTorch; else the number of cores on which this process may run."""
    named = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    if named.isdecimal() and int(named):
        return int(named)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") \
        else os.cpu_count() or 1


class Threads:
    """The number of threads."""

    count = _default()


def get_num_threads() -> int:
    """The number of threads that a kernel uses: OMP_NUM_THREADS, or the number of cores."""
    return Threads.count


def set_num_threads(count: int) -> None:
    """Sets the number of threads of kernels and of NumPy's matrix products, in this process.

    The products of arrays that are not Tensors are included. If NumPy has another library than
    OpenBLAS, as on macOS, its products keep their threads.

    Raises:
        RuntimeError: a count below 1.
    """
    if count < 1:
        raise RuntimeError(f"set_num_threads: needs a count of at least 1, got {count}")
    Threads.count = int(count)
    blas = _openblas()
    if blas is not None:
        blas.scipy_openblas_set_num_threads64_(Threads.count)


def limit_threads(count: int) -> bool:
    """Lowers the threads of kernels and of NumPy's matrix products to `count`.

    Numbers that the user set in the environment, with OMP_NUM_THREADS or OPENBLAS_NUM_THREADS,
    stay, and so do lower ones. Returns whether a number has changed.
    """
    if any(name in os.environ for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")):
        return False
    before, Threads.count = Threads.count, min(Threads.count, count)
    blas = _openblas()
    if blas is None or blas.scipy_openblas_get_num_threads64_() <= count:
        return Threads.count != before
    blas.scipy_openblas_set_num_threads64_(count)
    return True


def _openblas() -> Any:
    """The OpenBLAS in NumPy's wheels; None if NumPy has another library."""
    import ctypes

    import numpy

    try:
        library = ctypes.CDLL(numpy.linalg._umath_linalg.__file__)  # type: ignore[attr-defined]
        library.scipy_openblas_set_num_threads64_  # noqa: B018 - whether it is there
    except (AttributeError, OSError):
        return None
    return library
