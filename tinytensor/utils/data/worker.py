"""Workers: threads that load batches ahead."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from concurrent.futures import Future

END = object()  # the result of a worker whose dataset is exhausted


@dataclass(frozen=True)
class WorkerInfo:
    """A worker: its `id`, of `num_workers`, its `seed`, and the dataset, which all share."""

    id: int
    num_workers: int
    seed: int
    dataset: Any


class _Thread(threading.local):
    info: WorkerInfo | None = None


_thread = _Thread()


def get_worker_info() -> WorkerInfo | None:
    """The worker in which this is called; None outside of workers."""
    return _thread.info


class Worker:
    """A thread that runs one job after the other; it calls `init(id)` before the first."""

    def __init__(self, info: WorkerInfo, do: Callable[[Any], Any],
                 init: Callable[[int], None] | None):
        from concurrent.futures import ThreadPoolExecutor  # slow to import

        self.info, self.do, self.init = info, do, init
        self.thread = ThreadPoolExecutor(1, f"DataLoader worker {info.id}")

    def submit(self, job: Any) -> Future[Any]:
        return self.thread.submit(self._run, job)

    def _run(self, job: Any) -> Any:
        if _thread.info is None:
            _thread.info = self.info
            if self.init is not None:
                self.init(self.info.id)
        return self.do(job)

    def stop(self) -> None:
        """Cancels the jobs that have not begun; the thread ends after the current one."""
        self.thread.shutdown(wait=False, cancel_futures=True)


def prefetched(workers: list[Worker], jobs: Iterator[Any], ahead: int,
               timeout: float) -> Iterator[Any]:
    """The results of the jobs in their order; up to `ahead` jobs are submitted in advance.

    The workers take turns. A worker whose result is END gets no more jobs.

    Raises:
        RuntimeError: a result takes longer than `timeout` seconds (0: no limit).
        Exception: whatever a worker raises, with the worker's traceback.
    """
    turns = deque(workers)
    pending: deque[tuple[Worker, Future[Any]]] = deque()
    try:
        while True:
            while turns and len(pending) < ahead and (job := next(jobs, END)) is not END:
                pending.append((turns[0], turns[0].submit(job)))
                turns.rotate(-1)
            if not pending:
                return
            worker, future = pending.popleft()
            try:
                result = future.result(timeout or None)
            except TimeoutError:
                if future.done():  # the worker raised it
                    raise
                raise RuntimeError(f"DataLoader timed out after {timeout} seconds: worker "
                                   f"{worker.info.id} is still loading its batch") from None
            if result is not END:
                yield result
            elif worker in turns:
                turns.remove(worker)
    finally:
        for worker in workers:
            worker.stop()
