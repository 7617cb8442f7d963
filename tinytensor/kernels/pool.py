"""Work in several threads: a kernel's range in equal pieces, one for each processor.

The threads are Python's, but what they do is compiled: see `crew.py`. A pool whose threads sleep
between pieces would lose a tenth of a millisecond with each; threads that watch for work all the
time would take the processors from others. These watch for some milliseconds.
"""

from __future__ import annotations

import importlib
import os
import threading
from typing import Any

from ..arrays.threads import Threads

MOST = 512  # threads


class Worker:
    """A thread that serves in the crew while there is work, and sleeps while there is none."""

    def __init__(self, crew: Any, board: Any, index: int) -> None:
        self.board, self.place = board, crew.asleep(index)
        self.work = threading.Lock()
        self.work.acquire()
        threading.Thread(target=self._run, args=(crew, index), name="tinytensor kernels",
                         daemon=True).start()

    def wake(self) -> None:
        if self.board[self.place]:
            self.board[self.place] = 0
            self.work.release()

    def _run(self, crew: Any, index: int) -> None:
        while True:
            crew.serve(self.board, index)
            self.work.acquire()


class Pool:
    """The workers of this process, made when they are first needed; one caller at a time."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """In a child of fork() there are none: threads do not come along."""
        self.workers: list[Worker] = []
        self.board: Any = None
        self.busy = threading.Lock()

    def split(self, loop: Any, length: int, *args: Any, align: int = 1, least: int = 1) -> None:
        """Calls loop(start, stop, *args) for pieces of range(length), in several threads.

        Pieces begin at multiples of `align` and are not shorter than `least`, below which sharing
        costs more than it saves. No two pieces write to the same place.

        Raises:
            RuntimeError: the loop failed in a thread.
        """
        pieces = length // least
        if pieces > 1:
            pieces = min(pieces, Threads.count, MOST, -(-length // align))
        if pieces < 2 or not self.busy.acquire(blocking=False):
            loop(0, length, *args)  # alone, or while another thread has the workers
            return
        try:
            self._gather(pieces - 1)
            failed = loop.together(self.board, length, pieces, align, *args)
        finally:
            self.busy.release()
        if failed:
            raise RuntimeError(f"{loop.__name__}: failed in a thread; is there enough memory?")

    def _gather(self, count: int) -> None:
        """Sees to it that so many workers watch the board."""
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
