"""Workers that are threads: they start at once, and share the dataset with the program."""

from __future__ import annotations

import atexit
import queue
import threading
import time
import weakref
from typing import Any

from ... import random
from .fetch import END
from .worker import Loading, Task

GRACE = 1.0  # seconds that the end of the program waits for threads


class ThreadWorker(threading.Thread):
    """A thread that runs jobs one after the other.

    It is a daemon: a job that does not return does not keep the program from ending.
    """

    def __init__(self, task: Task, worker: int, workers: int, seed: int):
        super().__init__(name=f"DataLoader worker {worker}", daemon=True)
        self.id, self.pending = worker, 0
        self.args = task, worker, workers, seed, random.Streams()
        self.jobs: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.results: queue.SimpleQueue[tuple[BaseException | None, Any]] = queue.SimpleQueue()
        self.received: tuple[BaseException | None, Any] | None = None
        self.stopped = False
        self.states: bytes | None = None  # Python's and NumPy's generators are the program's
        self.start()
        _threads.add(self)

    # ------------------------------------------------------------ in the program

    @property
    def usable(self) -> bool:
        return not self.stopped

    def begin(self, seed: int, epoch: int) -> None:
        while self.pending:  # of an epoch that was left
            self.ready(0)
            self.received = None
            self.pending -= 1
        self.jobs.put(("epoch", (seed, epoch)))

    def submit(self, job: Any) -> None:
        self.jobs.put(("job", job))
        self.pending += 1

    def ready(self, timeout: float) -> bool:
        if self.received is None:
            try:
                self.received = self.results.get(timeout=timeout or None)
            except queue.Empty:
                return False
        return True

    def take(self) -> Any:
        assert self.received is not None
        (error, result), self.received = self.received, None
        self.pending -= 1
        if error is not None:
            try:
                raise error
            finally:
                del error  # or the exception and this frame would refer to each other
        return result

    def stop(self) -> None:
        """The thread ends after the current job."""
        self.stopped = True
        self.jobs.put(END)

    # ------------------------------------------------------------ in the thread

    def run(self) -> None:
        loading = failure = None
        try:
            loading = Loading(*self.args, whole_process=False)
        except BaseException as error:
            failure = error
        while (message := self.jobs.get()) is not END and not self.stopped:
            kind, given = message
            if kind == "job":
                self.results.put((failure, None) if loading is None else _outcome(loading, given))
                if loading is None:  # raised, the exception refers to the program's frames
                    failure = RuntimeError(f"{self.name} could not start, see its first error")
            elif loading is not None:
                loading.begin(*given)


def _outcome(loading: Loading, job: Any) -> tuple[BaseException | None, Any]:
    try:
        return None, loading(job)
    except BaseException as error:
        return error, None


_threads: weakref.WeakSet[ThreadWorker] = weakref.WeakSet()


@atexit.register
def _stop_all() -> None:
    """Gives threads time to finish their job before the interpreter is taken down."""
    threads, end = list(_threads), time.monotonic() + GRACE
    for thread in threads:
        thread.stop()
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
