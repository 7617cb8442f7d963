"""Work in several threads: a kernel's range in equal pieces, one for each processor.

The threads are Python's, the loops in them hold no interpreter lock, and who waits sleeps. A pool
that spins while it waits, as OpenMP's does, would take the processors from the threads of the
matrix product, which spin too: each then takes many times as long.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any


class Worker:
    """A thread that does one piece of work after the other."""

    def __init__(self) -> None:
        self.ready, self.finished = threading.Lock(), threading.Lock()
        self.ready.acquire()
        self.finished.acquire()
        self.error: BaseException | None = None
        threading.Thread(target=self._run, name="tinytensor kernels", daemon=True).start()

    def start(self, function: Callable[..., None], *args: Any) -> None:
        self.function, self.args = function, args
        self.ready.release()

    def wait(self) -> BaseException | None:
        """The error that the work ended with, if any."""
        self.finished.acquire()
        error, self.error = self.error, None
        return error

    def _run(self) -> None:
        while True:
            self.ready.acquire()
            try:
                self.function(*self.args)
            except BaseException as error:
                self.error = error
            del self.function, self.args  # they may hold large arrays
            self.finished.release()


class Pool:
    """The workers of this process, made when they are first needed; one caller at a time."""

    def __init__(self) -> None:
        self.count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") \
            else os.cpu_count() or 1
        self.forget()

    def forget(self) -> None:
        """In a child of fork() there are none: threads do not come along."""
        self.workers: list[Worker] = []
        self.busy = threading.Lock()

    def split(self, function: Callable[..., None], length: int, *args: Any,
              align: int = 1, least: int = 1) -> None:
        """Calls function(start, stop, *args) for pieces of range(length), all at the same time.

        Pieces begin at multiples of `align` and are not shorter than `least`, below which handing
        over costs more than it saves. `function` releases the interpreter lock, and no two
        pieces write to the same place.
        """
        pieces = min(self.count, -(-length // align), length // least)
        if pieces < 2 or not self.busy.acquire(blocking=False):
            function(0, length, *args)  # alone, or while another thread has the workers
            return
        try:
            while len(self.workers) < pieces - 1:
                self.workers.append(Worker())
            bounds = [length * i // pieces // align * align for i in range(pieces)] + [length]
            used = self.workers[:pieces - 1]
            for worker, start, stop in zip(used, bounds[1:-1], bounds[2:], strict=True):
                worker.start(function, start, stop, *args)
            try:
                function(0, bounds[1], *args)
            finally:
                errors = [worker.wait() for worker in used]
        finally:
            self.busy.release()
        for error in errors:
            if error is not None:
                raise error


pool = Pool()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=pool.forget)


def get_num_threads() -> int:
    """The threads that a kernel uses: as many as processors, unless set otherwise."""
    return pool.count


def set_num_threads(count: int) -> None:
    """Sets the threads that a kernel uses. Those of NumPy's matrix products are NumPy's affair.

    Raises:
        RuntimeError: a count below 1.
    """
    if count < 1:
        raise RuntimeError(f"set_num_threads: there must be at least 1 thread, got {count}")
    pool.count = int(count)
