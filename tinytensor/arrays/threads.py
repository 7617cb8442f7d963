"""How many threads kernels use; `kernels/pool.py` has the threads."""

from __future__ import annotations

import os


class Threads:
    """As many as this process has processors, unless set otherwise."""

    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") \
        else os.cpu_count() or 1


def get_num_threads() -> int:
    """The threads that a kernel uses: as many as processors, unless set otherwise."""
    return Threads.count


def set_num_threads(count: int) -> None:
    """Sets the threads that a kernel uses, the large products of matrices in layers among them.

    Those of NumPy's other products are NumPy's affair.

    Raises:
        RuntimeError: a count below 1.
    """
    if count < 1:
        raise RuntimeError(f"set_num_threads: there must be at least 1 thread, got {count}")
    Threads.count = int(count)
