"""What DataLoader workers do, in a process or in a thread: `get_worker_info`, jobs, seeds."""

from __future__ import annotations

import pickle
import random as python_random
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy

from ... import random
from .fetch import END, Fetch, Run


@dataclass(frozen=True)
class WorkerInfo:
    """A worker: its `id`, of `num_workers`, its `seed`, and its dataset.

    The seed is the base seed of the epoch plus the id. `dataset` is the copy of this process; in a
    thread it is the object that all threads share.
    """

    id: int
    num_workers: int
    seed: int
    dataset: Any


class _Thread(threading.local):
    info: WorkerInfo | None = None  # a worker process sets the class attribute


_thread = _Thread()


def get_worker_info() -> WorkerInfo | None:
    """The worker in which this is called; None outside of workers."""
    return _thread.info


@dataclass
class Task:
    """What all workers of a loader have in common; each worker process gets a copy."""

    dataset: Any
    collate: Callable[[Any], Any]
    init: Callable[[int], None] | None
    single: bool
    iterable: bool
    drop_last: bool

    def fetcher(self, streams: Callable[[int], random.Streams], worker: int,
                workers: int) -> Callable[[Any], Any]:
        """The function that makes a batch from a job, for one epoch.

        Args:
            streams: the generators from which batch n draws.
        """
        if self.iterable:
            return Run(self.dataset, self.collate, self.single, self.drop_last, streams, worker,
                       workers)
        return Fetch(self.dataset, self.collate, self.single, streams)


class Loading:
    """The state of a worker: calls `worker_init_fn`, then runs jobs.

    The dataset draws from tinytensor's generators. For batch n they are seeded with the epoch's
    seed and n, so that the numbers do not depend on the number of workers. If `worker_init_fn`
    calls `manual_seed`, that seed takes the place of the epoch's. Within a worker `initial_seed()`
    is the seed of the worker.
    """

    def __init__(self, task: Task, worker: int, workers: int, seed: int, streams: random.Streams,
                 whole_process: bool):
        info = WorkerInfo(worker, workers, seed, task.dataset)
        if whole_process:
            _Thread.info = info
        else:
            _thread.info = info
        self.task, self.info, self.streams = task, info, streams
        self.fetch: Callable[[Any], Any] | None = None
        with random.using(streams):
            random.manual_seed(seed)
            if task.init is not None:
                task.init(worker)
        self.reseeded = streams.seed != seed

    def begin(self, seed: int, epoch: int) -> None:
        """Begins an epoch, the first or a later one of this worker, with the epoch's seed."""
        self.seed, self.epoch = seed, epoch
        self.fetch = self.task.fetcher(self._streams, self.info.id, self.info.num_workers)

    def _streams(self, number: int) -> random.Streams:
        if not self.reseeded:
            return batch_streams(self.seed, number, self.info.seed)
        seed = self.streams.seed
        assert seed is not None
        mixed = numpy.random.SeedSequence([seed, self.epoch, number])
        return random.Streams(int(mixed.generate_state(1, numpy.uint64)[0]), seed)

    def __call__(self, job: Any) -> Any:
        assert self.fetch is not None
        return self.fetch(job)


def batch_streams(seed: int, number: int, initial: int) -> random.Streams:
    """The generators for batch `number`. The epoch's seed and those after it are for workers."""
    return random.Streams((seed - 1 - number) % 2**64, initial)


def generators() -> bytes:
    """The states of Python's and NumPy's global generators."""
    return pickle.dumps((python_random.getstate(), numpy.random.get_state(legacy=False)))


def set_generators(states: bytes) -> None:
    pythons, numpys = pickle.loads(states)
    python_random.setstate(pythons)
    numpy.random.set_state(numpys)


def plain_generators(states: bytes) -> dict[str, Any]:
    """The states of `generators` as plain data, for a file."""
    pythons, numpys = pickle.loads(states)
    inner = {name: value.tolist() if isinstance(value, numpy.ndarray) else value
             for name, value in numpys["state"].items()}
    return {"python": list(pythons[1]), "gauss": pythons[2], "numpy": {**numpys, "state": inner}}


def packed_generators(plain: dict[str, Any]) -> bytes:
    """The inverse of `plain_generators`."""
    version = python_random.getstate()[0]
    return pickle.dumps(((version, tuple(plain["python"]), plain["gauss"]), plain["numpy"]))


class Worker(Protocol):
    """A worker as the loop sees it."""

    id: int
    states: bytes | None  # of its generators after the last result taken; None if it has its own

    @property
    def usable(self) -> bool:
        """Whether the worker can begin another epoch."""

    def begin(self, seed: int, epoch: int) -> None: ...

    def submit(self, job: Any) -> None: ...

    def ready(self, timeout: float) -> bool: ...

    def take(self) -> Any: ...

    def stop(self) -> None: ...


class Results:
    """The results of the jobs in their order; up to `ahead` jobs are submitted in advance.

    The workers take turns, the first job goes to workers[first]. A worker whose result is END gets
    no more jobs. After an error the iteration can go on with the next job.

    Raises:
        RuntimeError: a result takes longer than `timeout` seconds (0: no limit); the next call
            waits for it again.
        Exception: what a worker raises.
    """

    def __init__(self, workers: Sequence[Worker], jobs: Iterator[Any], first: int, ahead: int,
                 timeout: float, release: Callable[[], None]):
        self.workers, self.turns = workers, deque(workers)
        self.turns.rotate(-first)
        self.jobs, self.ahead, self.timeout, self.release = jobs, ahead, timeout, release
        self.pending: deque[Worker] = deque()
        self.taken = 0
        self.closed = False

    def __iter__(self) -> Results:
        return self

    def __next__(self) -> Any:
        while not self.closed:
            while (self.turns and len(self.pending) < self.ahead
                   and (job := next(self.jobs, END)) is not END):
                worker = self.turns[0]
                self.pending.append(worker)
                worker.submit(job)
                self.turns.rotate(-1)
            if not self.pending:
                self.close()
                break
            worker = self.pending[0]
            if not worker.ready(self.timeout):
                raise RuntimeError(f"DataLoader timed out after {self.timeout} seconds: worker "
                                   f"{worker.id} is still loading its batch")
            self.pending.popleft()
            self.taken += 1
            result = worker.take()
            if result is not END:
                return result
            self.taken -= 1
            if worker in self.turns:
                self.turns.remove(worker)
        raise StopIteration

    def close(self) -> None:
        """Gives the workers back; the iteration ends."""
        if not self.closed:
            self.closed = True
            self.release()

    def __del__(self) -> None:
        self.close()
