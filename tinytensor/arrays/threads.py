"""The number of threads that kernels use; `kernels/pool.py` has the threads."""

from __future__ import annotations

import os


class Threads:
    """The number of threads, by default that of the cores on which this process may run."""

    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") \
        else os.cpu_count() or 1


def get_num_threads() -> int:
    """The number of threads that a kernel uses, by default the number of cores."""
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
