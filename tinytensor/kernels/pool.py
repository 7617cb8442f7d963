"""The thread pool of the kernels: a kernel's range in equal pieces, one for each core.

The threads are Python threads that run compiled code, see `crew.py`. Waking a sleeping thread costs
0.1 ms for each call; threads that poll for ever would take the cores from other programs. These
poll for about two milliseconds after a job, then sleep.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import threading
from typing import Any

from ..arrays.dispatch import NotCompiledError
from ..arrays.threads import Threads

MAX_THREADS = 512


class Worker:
    """A thread that polls for jobs (`crew.serve`), and sleeps if there are none for a while."""

    def __init__(self, crew: Any, board: Any, index: int) -> None:
        self.board, self.place = board, crew.asleep(index)
        self.work = threading.Lock()
        self.work.acquire()
        self.thread = threading.Thread(target=self._run, args=(crew, index), daemon=True,
                                       name="tinytensor kernels")

    def wake(self) -> None:
        if self.thread.ident is None:
            self.thread.start()
        elif self.board[self.place] and self.work.locked():
            self.board[self.place] = 0  # no Ctrl-C between this line and the next
            self.work.release()

    def _run(self, crew: Any, index: int) -> None:
        with contextlib.suppress(NotCompiledError):  # the callers then run all pieces
            while True:
                crew.serve(self.board, index)
                self.work.acquire()


class Pool:
    """The worker threads of this process, started at the first use. One caller at a time."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Starts without workers. A child of fork() calls it: threads are not copied."""
        self.workers: list[Worker] = []
        self.board: Any = None
        self.busy = threading.Lock()

    def split(self, loop: Any, length: int, *args: Any, align: int = 1, least: int = 1) -> None:
        """Calls loop(start, stop, *args) for pieces of range(length), on several threads.

        Pieces begin at multiples of `align` and have at least `least` elements: shorter ones cost
        more than they save. Two pieces must not write to the same element.

        Raises:
            RuntimeError: the loop failed on a thread.
        """
        pieces = length // least
        if pieces > 1:
            pieces = min(pieces, Threads.count, MAX_THREADS, -(-length // align))
        if pieces < 2 or self.busy.locked():
            loop(0, length, *args)  # on this thread; also while another caller has the workers
            return
        with self.busy:  # unlike acquire() and release() it cannot be interrupted by Ctrl-C
            self._wake(pieces - 1)
            failed = loop.parallel(self.board, length, pieces, align, *args)
        if failed:
            raise RuntimeError(f"{loop.__name__}: the kernel failed on a thread, probably because "
                               "memory ran out; try smaller inputs")

    def _wake(self, count: int) -> None:
        """Starts and wakes workers, so that `count` of them poll the board."""
        if len(self.workers) < count:
            crew: Any = importlib.import_module(f"{__package__}.crew")  # imports Numba
            if self.board is None:
                self.board = crew.new_board()
            while len(self.workers) < count:
                self.workers.append(Worker(crew, self.board, len(self.workers)))
        for worker in self.workers[:count]:
            worker.wake()


pool = Pool()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=pool.forget)
