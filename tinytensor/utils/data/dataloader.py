"""DataLoader: batches of a dataset, in order or shuffled, loaded ahead, resumable.

Each epoch begins by drawing a seed. The order of the samples is drawn from the default generator
(unless a sampler has its own), and so it is the same with any number of workers.

Without workers, the dataset draws its random numbers from the program's generators, as in PyTorch,
so that a program gives PyTorch's numbers. The state of the default generator is part of the state
of the loader, so that an epoch can be resumed in the middle.

With workers, the seed and n determine the random numbers that the dataset draws from tinytensor's
generators for batch n. So a seed gives the same batches with any number of workers above 0.

Python's and NumPy's global generators are seeded in each worker process, as in PyTorch, and go on
from batch to batch. Their states travel with the batches, so that a loader with the same number of
workers resumes exactly.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

import numpy

from ... import random
from ...arrays.devices import cuda_is_available
from ...autograd.frames import warn
from ...tensors.tensor import Tensor
from .collate import default_collate, default_convert, pinned
from .dataset import Dataset, IterableDataset
from .distributed import DistributedSampler
from .fetch import END
from .sampler import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    batches_in,
    random_seed,
)
from .worker import (
    Results,
    Task,
    Worker,
    get_worker_info,
    packed_generators,
    plain_generators,
)

__all__ = ["DataLoader", "default_collate", "default_convert", "get_worker_info"]

T = TypeVar("T", covariant=True)

FIXED = {"batch_size", "batch_sampler", "sampler", "drop_last", "dataset", "persistent_workers"}


class DataLoader(Generic[T]):
    """An iterable over the batches of a dataset. Each `iter(loader)` begins an epoch.

    Args:
        dataset: a Dataset, an IterableDataset, or an object with `__getitem__` and `__len__`.
        batch_size: samples per batch; None gives single samples.
        shuffle: a new random order in every epoch.
        sampler: gives the indices of the samples, instead of `shuffle`.
        batch_sampler: gives lists of indices, instead of batch_size, shuffle, sampler and
            drop_last.
        num_workers: processes that load batches ahead; with 0 the loop itself loads each batch.
        collate_fn: makes a batch from a list of samples (with batch_size=None, from one sample).
        drop_last: leaves out the last batch if it is not full.
        timeout: seconds to wait for a worker; 0 waits without limit.
        worker_init_fn: called in each worker with its id before it loads.
        multiprocessing_context: how workers start: "forkserver" (the default where the system has
            it), "spawn", "fork", a context of multiprocessing, or "thread" for workers that are
            threads.
        generator: for orders and seeds, instead of the default one.
        prefetch_factor: batches that each worker loads ahead, by default 2.
        persistent_workers: whether workers and their copies of the dataset stay for the next epoch.

    With `pin_memory`, batches come in pinned memory, from which `to("cuda", non_blocking=True)`
    copies while the program goes on. Without a GPU it has no effect. `pin_memory_device` and
    `in_order` are accepted and ignored: batches come in order.

    A worker process gets a copy of the dataset by pickle, in each epoch unless workers are
    persistent. Large arrays are copied once for all workers; batches come through shared memory.
    Processes import the main script. Where they cannot, and Python forks by default (on Linux
    before 3.14), they are forks of the program, as in PyTorch: in a notebook, in a script without
    `if __name__ == "__main__":`, and with a dataset or a function that cannot be pickled. A fork
    may hang if the program has other threads, and must not be used after CUDA has started.

    Threads start at once and pickle nothing: they are faster for datasets that spend their time in
    NumPy or in reading files, which release the GIL. They share the dataset, which must be
    thread-safe, and Python's and NumPy's global generators, which are not seeded then.

    In worker i `initial_seed()` is a base seed, drawn in each epoch, plus i. It also seeds `random`
    and `numpy.random` there.

    Raises:
        ValueError: options that exclude each other, or a value out of range.
        pickle.PicklingError: while iterating, a dataset that cannot be sent to workers.
        RuntimeError: while iterating, a worker that was killed or exceeds the timeout.
        Exception: while iterating, what a worker raises, with its traceback.
    """

    def __init__(self, dataset: Dataset[T], batch_size: int | None = 1,
                 shuffle: bool | None = None, sampler: Sampler[Any] | Iterable[Any] | None = None,
                 batch_sampler: Sampler[list[Any]] | Iterable[list[Any]] | None = None,
                 num_workers: int = 0, collate_fn: Callable[[Any], Any] | None = None,
                 pin_memory: bool = False, drop_last: bool = False, timeout: float = 0,
                 worker_init_fn: Callable[[int], None] | None = None,
                 multiprocessing_context: Any = None, generator: random.Generator | None = None, *,
                 prefetch_factor: int | None = None, persistent_workers: bool = False,
                 pin_memory_device: str = "", in_order: bool = True):
        iterable = isinstance(dataset, IterableDataset)
        _check_workers(num_workers, timeout, prefetch_factor, persistent_workers)
        if iterable:
            _check_iterable(shuffle, sampler, batch_sampler)
        if sampler is not None and shuffle:
            raise ValueError("sampler option is mutually exclusive with shuffle")
        if batch_sampler is not None:
            if batch_size != 1 or shuffle or sampler is not None or drop_last:
                raise ValueError("batch_sampler option is mutually exclusive with batch_size, "
                                 "shuffle, sampler, and drop_last")
            batch_size = None
        elif batch_size is None and drop_last:
            raise ValueError("batch_size=None gives single samples; leave drop_last out")

        if iterable:
            sampler = Forever()
        elif sampler is None and shuffle:
            sampler = RandomSampler(dataset, generator=generator)  # type: ignore[arg-type]
        elif sampler is None:
            sampler = SequentialSampler(dataset)  # type: ignore[arg-type]
        if batch_size is not None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        if collate_fn is None:
            collate_fn = default_convert if batch_sampler is None else default_collate

        self.dataset, self.batch_size, self.drop_last = dataset, batch_size, drop_last
        self.sampler, self.batch_sampler, self.collate_fn = sampler, batch_sampler, collate_fn
        self.num_workers, self.worker_init_fn, self.timeout = num_workers, worker_init_fn, timeout
        self.prefetch_factor = 2 if num_workers and prefetch_factor is None else prefetch_factor
        self.generator, self.in_order = generator, in_order
        self.pin_memory, self.pin_memory_device = pin_memory, pin_memory_device
        self.multiprocessing_context = multiprocessing_context
        self._check_context()
        self._position: Position | None = None  # of the latest epoch
        self._resumed: Position | None = None  # where the next epoch begins
        self._pool: Pool | None = None  # of persistent workers
        self.persistent_workers = persistent_workers

    def __setattr__(self, name: str, value: Any) -> None:
        if name in FIXED and "persistent_workers" in vars(self):  # set last in __init__
            raise ValueError(f"{name} attribute should not be set after DataLoader is "
                             "initialized; make a new one")
        super().__setattr__(name, value)

    def __len__(self) -> int:
        if not isinstance(self.dataset, IterableDataset):
            return len(self._jobs)
        samples = len(self.dataset)  # type: ignore[arg-type]
        return samples if self.batch_size is None else batches_in(samples, self.batch_size,
                                                                  self.drop_last)

    def _check_context(self) -> None:
        given = self.multiprocessing_context
        if given is not None and not self.num_workers:
            raise ValueError("multiprocessing_context can only be used with multi-process loading "
                             f"(num_workers > 0), but got num_workers=0 and {given!r}")
        if self.num_workers and given != "thread":
            from . import processes

            method = processes.resolve(given)
            if given is None:
                processes.warm_up(method)

    def __iter__(self) -> Epoch:
        resumed, self._resumed = self._resumed, None
        self._position = self._begin() if resumed is None else self._resume(resumed)
        return Epoch(self, self._position)

    # ------------------------------------------------------------ the position in an epoch

    def state_dict(self) -> dict[str, Any]:
        """The position of the loader: after the latest batch of the latest iterator.

        Between two epochs the order of the next one is not drawn yet. It depends on the loader's
        generators or else on the default one. The states of both are included.
        """
        position = self._resumed or self._position
        if position is None or position.ended:
            workers = position.workers if position and self.persistent_workers else None
            position = Position(None, self._generator_states(), workers=workers)
        return {"seed": position.seed, "batches": position.batches,
                "generators": position.generators, "order": position.order,
                "loader": self._describe(),
                "workers": None if position.workers is None else position.workers.plain(),
                "default": random.get_rng_state()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Makes the next epoch the rest of the epoch at `state_dict()`, with the same batches.

        Earlier samples are not loaded again; an IterableDataset is iterated up to the position.
        The default generator gets the state that it had then. Orders are drawn from it and, without
        workers, the random numbers of the dataset. These numbers are the same if both loaders have
        no workers, or both have some. Those of Python's and NumPy's global generators are the same
        if both loaders have equally many.

        Raises:
            ValueError: the state is that of a loader with other samples, batches or generators.
        """
        try:
            theirs = state_dict["loader"]
            workers = state_dict.get("workers")
            position = Position(state_dict["seed"], state_dict["generators"],
                                state_dict["batches"],
                                None if workers is None else Generators.from_plain(workers),
                                state_dict.get("order"))
        except (KeyError, TypeError):
            raise ValueError("load_state_dict: not the state_dict of a DataLoader") from None
        ours = self._describe()
        differ = [f"{name} {theirs.get(name)} there, {ours[name]} here" for name in ours
                  if theirs.get(name) != ours[name]]
        if differ:
            raise ValueError(f"load_state_dict: the state is of another loader: "
                             f"{'; '.join(differ)}")
        if state_dict.get("default") is not None:  # older files do not have it
            random.set_rng_state(state_dict["default"])
        self._resumed = position

    def _describe(self) -> dict[str, Any]:
        """What must agree with the loader whose state is loaded.

        With a DistributedSampler the batch size is that of all ranks together, so that the number
        of ranks may change.
        """
        iterable = isinstance(self.dataset, IterableDataset)
        sampler: Any = self.sampler
        batch_size = self.batch_size
        if isinstance(sampler, DistributedSampler) and batch_size is not None:
            batch_size *= sampler.num_replicas
        return {"samples": None if iterable else len(self.dataset),  # type: ignore[arg-type]
                "batch_size": batch_size, "drop_last": self.drop_last,
                "generators": len(self._generators()),
                "num_workers": self.num_workers if iterable else None}

    def _begin(self, workers: Generators | None = None) -> Position:
        states, pool = self._generator_states(), self._pool
        if workers is None and pool is not None and not pool.busy:
            workers = Generators(pool.base, pool.epoch + 1, [])
        if workers is not None and self.persistent_workers:  # they have their seed
            seed = workers.epoch_seed()
        else:
            seed = random_seed(self.generator)
        return Position(seed, states, order=random.get_rng_state() if self.num_workers else None)

    def _resume(self, resumed: Position) -> Position:
        for generator, state in zip(self._generators(), resumed.generators, strict=True):
            generator.set_state(state)
        workers = resumed.workers
        if workers is not None and len(workers.states) != self.num_workers:
            workers = None
        if resumed.seed is None:
            position = self._begin(workers)
            position.workers = workers
            return position
        later = self.persistent_workers and workers is not None and workers.epoch
        if self.generator is not None and not later:
            random_seed(self.generator)  # advances the generator as the interrupted epoch did
        order = resumed.order
        if order is None and self.num_workers and not resumed.batches:
            order = random.get_rng_state()  # a loader without workers had not drawn the order
        return Position(resumed.seed, resumed.generators, resumed.batches, workers, order)

    def _generators(self) -> list[random.Generator]:
        """The generators that were passed to the loader and its samplers."""
        inner = getattr(self.batch_sampler, "sampler", None)
        owners = (self, self.batch_sampler, inner, self.sampler)
        generators = [getattr(owner, "generator", None) for owner in owners]
        return list({id(g): g for g in generators if isinstance(g, random.Generator)}.values())

    def _generator_states(self) -> list[Tensor]:
        return [generator.get_state() for generator in self._generators()]

    # ------------------------------------------------------------ batches

    @property
    def _jobs(self) -> Any:
        """The iterable of indices: lists for batches, single ones for single samples."""
        return self.sampler if self.batch_sampler is None else self.batch_sampler

    def _task(self) -> Task:
        return Task(self.dataset, self.collate_fn, self.worker_init_fn,
                    self.batch_sampler is None, isinstance(self.dataset, IterableDataset),
                    self.drop_last)

    def _batches(self, position: Position) -> Direct | Results:
        """The batches of an epoch: from the position on, or all of an iterable dataset."""
        first = 0 if isinstance(self.dataset, IterableDataset) else position.batches
        if not self.num_workers:
            jobs: Iterator[Any] = itertools.islice(self._drawn_later(position), first, None)
            return Direct(self._task().fetcher(
                lambda number: random.current_streams(), 0, 1), jobs)
        streams = random.Streams(position.seed)
        jobs = enumerate(_drawing_from(streams, self._jobs))
        if position.order is not None:
            jobs = self._in_order(jobs, streams, position, not position.batches)
        jobs = itertools.islice(jobs, first, None)
        pool = self._take_pool(position)
        position.workers = pool.generators()
        return Results(pool.workers, jobs, first % self.num_workers,
                       self.num_workers * (self.prefetch_factor or 1), self.timeout, pool.release)

    def _drawn_later(self, position: Position) -> Iterator[Any]:
        """The jobs, the first of which is drawn when the first batch is asked for, as in PyTorch.
        """
        streams = random.Streams(position.seed)
        jobs: Iterator[Any] = enumerate(_drawing_from(streams, self._jobs))
        begins = position.order is None and not position.batches
        if begins:
            position.order = random.get_rng_state()
        if position.order is not None:  # older files do not have it
            jobs = self._in_order(jobs, streams, position, begins)
        yield from jobs

    def _in_order(self, jobs: Iterator[Any], streams: random.Streams, position: Position,
                  begins: bool) -> Iterator[Any]:
        """The jobs, the first of which is drawn at once. An epoch that is resumed does not begin.

        What the samplers draw from the default generator for it is taken from the program's, as in
        PyTorch. What they draw later is taken from a copy, so that the order does not depend on
        what the program draws.
        """
        assert position.order is not None
        with random.using(streams):
            random.set_rng_state(position.order)
        first = list(itertools.islice(jobs, 1))
        if begins:
            with random.using(streams):
                after = random.get_rng_state()
            random.set_rng_state(after)
        return itertools.chain(first, jobs)

    def _take_pool(self, position: Position) -> Pool:
        """The workers for an epoch: the persistent ones, if they can be used, or new ones."""
        assert position.seed is not None
        pool = self._pool
        if pool is not None and position.workers is None and pool.begin(position.seed):
            return pool
        given = position.workers or \
            Generators(position.seed, 0, [None] * self.num_workers)
        new = Pool(self, self._task(), given)
        if self.persistent_workers and (pool is None or not pool.busy):
            self._pool = new
            new.persistent = True
        new.begin(position.seed)
        return new


class Generators:
    """The base seed of workers, and the states of Python's and NumPy's generators in each.

    A state of None is that of a worker whose dataset has not drawn from them. `epoch` counts the
    epochs of these workers.
    """

    def __init__(self, base: int, epoch: int, states: list[bytes | None]):
        self.base, self.epoch, self.states = base, epoch, states

    def epoch_seed(self) -> int:
        """The seed of the epoch, for workers that live longer than the first."""
        mixed = numpy.random.SeedSequence([self.base, self.epoch])
        return int(mixed.generate_state(1, numpy.uint64)[0]) >> 1

    def plain(self) -> dict[str, Any]:
        return {"seed": self.base, "epoch": self.epoch, "states": [
            None if state is None else plain_generators(state) for state in self.states]}

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Generators:
        return cls(plain["seed"], plain["epoch"], [
            None if state is None else packed_generators(state) for state in plain["states"]])


class Pool:
    """The workers of one epoch, or of all epochs if they are persistent."""

    def __init__(self, loader: DataLoader[Any], task: Task, given: Generators):
        self.base, self.epoch = given.base, given.epoch - 1
        self.persistent = self.busy = False
        self.workers: list[Worker] = []
        weakref.finalize(self, _stop, self.workers).atexit = False  # type: ignore[misc]
        count, method = loader.num_workers, loader.multiprocessing_context
        if method == "thread":
            from .threads import ThreadWorker

            self.workers += [ThreadWorker(task, i, count, given.base + i) for i in range(count)]
        else:
            from . import processes

            self.workers += processes.start(method, task, given.base, given.states)

    def generators(self) -> Generators:
        return Generators(self.base, self.epoch, [worker.states for worker in self.workers])

    def begin(self, seed: int) -> bool:
        """Begins an epoch, if all workers are idle and well."""
        if self.busy or not all(worker.usable for worker in self.workers):
            return False
        self.epoch += 1
        for worker in self.workers:
            worker.begin(seed, self.epoch)
        self.busy = True
        return True

    def release(self) -> None:
        self.busy = False
        if not self.persistent:
            _stop(self.workers)


def _stop(workers: list[Worker]) -> None:
    for worker in workers:
        worker.stop()


class Position:
    """The position in an epoch: its seed, the generators' states at its start, the batches so far,
    the workers' generators, and the state of the default generator from which the order is drawn.
    A seed of None is an epoch that has not begun.
    """

    def __init__(self, seed: int | None, generators: list[Tensor], batches: int = 0,
                 workers: Generators | None = None, order: Tensor | None = None):
        self.seed, self.generators, self.batches = seed, generators, batches
        self.workers, self.order = workers, order
        self.ended = False


class Epoch:
    """The iterator over one epoch. Deleting it stops its workers."""

    def __init__(self, loader: DataLoader[Any], position: Position):
        self.loader, self.position = loader, position
        self.repeats = isinstance(loader.dataset, IterableDataset)  # from the start when resumed
        self.skip = position.batches if self.repeats else 0
        self.before = 0 if self.repeats else position.batches
        self.batches = loader._batches(position)

    def __iter__(self) -> Epoch:
        return self

    def __next__(self) -> Any:
        position = self.position
        try:
            if self.skip:
                self._skip()
            batch = next(self.batches)
        except StopIteration:
            if not position.ended:
                position.ended, position.workers = True, self._generators(1)
            if not position.batches:
                warn("DataLoader: the epoch had no batch: the dataset is empty" + (
                     f", or smaller than the batch size {self.loader.batch_size}, and drop_last "
                     "leaves out a batch that is not full" if self.loader.drop_last else ""))
            raise
        position.batches = self.before + self.batches.taken
        if not self.repeats:
            position.workers = self._generators()
        return pinned(batch) if self.loader.pin_memory and cuda_is_available() else batch

    def _skip(self) -> None:
        """Iterates a dataset that is a stream up to the position. Without workers it draws what it
        drew then if the program drew nothing between its batches.
        """
        order, program = self.position.order, random.get_rng_state()
        replays = isinstance(self.batches, Direct) and order is not None
        if replays:
            random.set_rng_state(order)  # type: ignore[arg-type]
        while self.skip:
            next(self.batches)
            self.skip -= 1
        if replays:
            random.set_rng_state(program)

    def _generators(self, epochs: int = 0) -> Generators | None:
        before = self.position.workers
        if before is None or not isinstance(self.batches, Results):
            return None
        return Generators(before.base, before.epoch + epochs,
                          [worker.states for worker in self.batches.workers])

    def __len__(self) -> int:
        return len(self.loader)


class Direct:
    """The batches without workers. After an error the iteration can go on with the next one."""

    def __init__(self, fetch: Callable[[Any], Any], jobs: Iterator[Any]):
        self.fetch, self.jobs = fetch, jobs
        self.taken = 0

    def __next__(self) -> Any:
        job = next(self.jobs)
        self.taken += 1
        batch = self.fetch(job)
        if batch is END:
            self.taken -= 1
            self.jobs = iter(())
            raise StopIteration
        return batch


class Forever(Sampler[None]):
    """The sampler of an iterable dataset, which has no indices."""

    def __iter__(self) -> Iterator[None]:
        return itertools.repeat(None)


def _drawing_from(streams: random.Streams, items: Iterable[Any]) -> Iterator[Any]:
    """The items of an iterable, whose random numbers are drawn from these streams."""
    with random.using(streams):
        iterator = iter(items)
    while True:
        with random.using(streams):
            item = next(iterator, END)
        if item is END:
            return
        yield item


def _check_workers(num_workers: int, timeout: float, prefetch_factor: int | None,
                   persistent_workers: bool) -> None:
    if num_workers < 0:
        raise ValueError(f"num_workers option should be non-negative, got {num_workers}; "
                         "0 loads without workers")
    if timeout < 0:
        raise ValueError(f"timeout option should be non-negative, got {timeout}")
    if prefetch_factor is not None and (not num_workers or prefetch_factor < 1):
        raise ValueError(f"prefetch_factor={prefetch_factor}: must be positive and needs "
                         f"num_workers > 0, got num_workers={num_workers}")
    if persistent_workers and not num_workers:
        raise ValueError("persistent_workers option needs num_workers > 0")


def _check_iterable(shuffle: Any, sampler: Any, batch_sampler: Any) -> None:
    for name, value in (("shuffle", shuffle), ("sampler", sampler),
                        ("batch_sampler", batch_sampler)):
        if value not in (None, False):
            raise ValueError("DataLoader with IterableDataset: the dataset determines the order; "
                             f"expected unspecified {name} option, but got {name}={value}")
