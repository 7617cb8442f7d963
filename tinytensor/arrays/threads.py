"""The number of threads that kernels use; `kernels/pool.py` has the threads."""

from __future__ import annotations

import os


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
    """Sets the number of threads that a kernel uses, the matrix products of layers included.

    NumPy's own matrix products are not affected: set OPENBLAS_NUM_THREADS for those.

    Raises:
        RuntimeError: a count below 1.
    """
    if count < 1:
        raise RuntimeError(f"set_num_threads: needs a count of at least 1, got {count}")
    Threads.count = int(count)


def limit_threads(count: int) -> bool:
    """Lowers the threads of kernels and of NumPy's matrix products to `count`.

    Numbers that the user set, with `set_num_threads`, OMP_NUM_THREADS or OPENBLAS_NUM_THREADS,
    stay. Returns whether a number has changed.
    """
    if any(name in os.environ for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")):
        return False
    before, Threads.count = Threads.count, min(Threads.count, count)
    return _limit_blas(count) or Threads.count != before


def _limit_blas(count: int) -> bool:
    """Lowers the threads of the OpenBLAS in NumPy's wheels. Returns whether it did."""
    import ctypes

    import numpy

    try:
        library = ctypes.CDLL(numpy.linalg._umath_linalg.__file__)  # type: ignore[attr-defined]
        if library.scipy_openblas_get_num_threads64_() <= count:
            return False
        library.scipy_openblas_set_num_threads64_(count)
    except (AttributeError, OSError):  # another BLAS
        return False
    return True
