"""DataLoader: batches of a dataset, in order or shuffled, loaded ahead, resumable.

Workers are threads, not processes. NumPy releases the GIL while it computes and reads, nothing is
pickled or copied between processes, and a process that uses CUDA must not be forked. A dataset in
pure Python uses one core with any number of workers.

Each epoch begins by drawing a seed. The seed determines the order of the samples (unless a sampler
has its own generator). The seed and n determine the random numbers that the dataset draws from
tinytensor's generators for batch n. So a seed gives the same batches with any number of workers,
and an epoch can be resumed in the middle.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

from ... import random
from ...autograd.frames import warn
from .collate import default_collate, default_convert
from .dataset import Dataset, IterableDataset, gathered
from .sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler, batches_in
from .worker import END, Worker, WorkerInfo, get_worker_info, prefetched

__all__ = ["DataLoader", "default_collate", "default_convert", "get_worker_info"]

T = TypeVar("T", covariant=True)

WORKERS = 2**62  # the first seed of workers; seeds of epochs and batches are smaller
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
        num_workers: threads that load batches ahead; with 0 the loop itself loads each batch. They
            share the dataset, which must be thread-safe.
        collate_fn: makes a batch from a list of samples (with batch_size=None, from one sample).
        drop_last: leaves out the last batch if it is not full.
        timeout: seconds to wait for a worker; 0 waits without limit.
        worker_init_fn: called in each worker with its id before it loads.
        generator: for orders and seeds, instead of the default one.
        prefetch_factor: batches that each worker loads ahead, by default 2.

    `pin_memory`, `pin_memory_device`, `persistent_workers`, `multiprocessing_context` and
    `in_order` are accepted and ignored: threads start at once, and batches come in order.

    Raises:
        ValueError: options that exclude each other, or a value out of range.
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
        self._position: Position | None = None  # of the latest epoch
        self._resumed: Position | None = None  # where the next epoch begins
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

    def __iter__(self) -> Epoch:
        resumed, self._resumed = self._resumed, None
        self._position = self._begin() if resumed is None else self._resume(resumed)
        return Epoch(self, self._position)

    # ------------------------------------------------------------ the position in an epoch

    def state_dict(self) -> dict[str, Any]:
        """The position of the loader, as plain data: after the latest batch of the latest iterator.

        Between two epochs the order of the next one is not drawn yet. It depends on the loader's
        generators, whose states are included, or else on the default generator: save
        `get_rng_state()` too.
        """
        position = self._resumed or self._position
        if position is None or position.ended:
            position = Position(None, self._generator_states())
        return {"seed": position.seed, "batches": position.batches,
                "generators": position.generators, "loader": self._describe()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Makes the next epoch the rest of the epoch at `state_dict()`, with the same batches.

        Earlier samples are not loaded again; an IterableDataset is iterated up to the position.

        Raises:
            ValueError: the state is that of a loader with other samples, batches or generators.
        """
        try:
            theirs = state_dict["loader"]
            position = Position(state_dict["seed"], state_dict["generators"],
                                state_dict["batches"])
        except (KeyError, TypeError):
            raise ValueError("load_state_dict: not the state_dict of a DataLoader") from None
        ours = self._describe()
        differ = [f"{name} {theirs.get(name)} there, {ours[name]} here" for name in ours
                  if theirs.get(name) != ours[name]]
        if differ:
            raise ValueError(f"load_state_dict: the state is of another loader: "
                             f"{'; '.join(differ)}")
        self._resumed = position

    def _describe(self) -> dict[str, Any]:
        """What must agree with the loader whose state is loaded."""
        iterable = isinstance(self.dataset, IterableDataset)
        return {"samples": None if iterable else len(self.dataset),  # type: ignore[arg-type]
                "batch_size": self.batch_size, "drop_last": self.drop_last,
                "generators": len(self._generators()),
                "num_workers": self.num_workers if iterable else None}

    def _begin(self) -> Position:
        states = self._generator_states()
        return Position(self._draw_seed(), states)

    def _resume(self, resumed: Position) -> Position:
        for generator, state in zip(self._generators(), resumed.generators, strict=True):
            generator.set_state(state)
        if resumed.seed is None:
            return self._begin()
        if self.generator is not None:
            self._draw_seed()  # advances the generator as the interrupted epoch did
        return Position(resumed.seed, resumed.generators, resumed.batches)

    def _draw_seed(self) -> int:
        generator = random.default_generator() if self.generator is None else self.generator
        return int(generator.numpy.integers(WORKERS))

    def _generators(self) -> list[random.Generator]:
        """The generators that were passed to the loader and its samplers."""
        inner = getattr(self.batch_sampler, "sampler", None)
        owners = (self, self.batch_sampler, inner, self.sampler)
        generators = [getattr(owner, "generator", None) for owner in owners]
        return list({id(g): g for g in generators if isinstance(g, random.Generator)}.values())

    def _generator_states(self) -> list[dict[str, Any]]:
        return [generator.get_state() for generator in self._generators()]

    # ------------------------------------------------------------ batches

    @property
    def _jobs(self) -> Any:
        """The iterable of indices: lists for batches, single ones for single samples."""
        return self.sampler if self.batch_sampler is None else self.batch_sampler

    def _fetcher(self, seed: int, worker: int = 0) -> Callable[[Any], Any]:
        """The function that a worker calls for each batch."""
        seed += 1  # `seed` itself is for the order of the samples, seed + 1 + n for batch n
        single = self.batch_sampler is None
        if isinstance(self.dataset, IterableDataset):
            return Run(self.dataset, self.collate_fn, single, self.drop_last,
                       itertools.count(seed + worker, max(self.num_workers, 1)))
        return Fetch(self.dataset, self.collate_fn, single, seed)

    def _batches(self, position: Position) -> Iterator[Any]:
        """The batches of an epoch from a position on."""
        assert position.seed is not None
        jobs: Iterator[Any] = enumerate(_drawing_from(random.Streams(position.seed), self._jobs))
        skipped = position.batches
        iterable = isinstance(self.dataset, IterableDataset)
        if not iterable:
            jobs = itertools.islice(jobs, skipped, None)
        if self.num_workers:
            workers = [Worker(WorkerInfo(i, self.num_workers, WORKERS + position.seed + i,
                                         self.dataset),
                              self._fetcher(position.seed, i), self.worker_init_fn)
                       for i in range(self.num_workers)]
            batches = prefetched(workers, jobs, self.num_workers * (self.prefetch_factor or 1),
                                 self.timeout)
        else:
            results = map(self._fetcher(position.seed), jobs)
            batches = itertools.takewhile(lambda result: result is not END, results)
        return itertools.islice(batches, skipped, None) if iterable else batches


class Position:
    """The position in an epoch: its seed, the generators' states at its start, and the batches so
    far. A seed of None is an epoch that has not begun.
    """

    def __init__(self, seed: int | None, generators: list[dict[str, Any]], batches: int = 0):
        self.seed, self.generators, self.batches = seed, generators, batches
        self.ended = False


class Epoch:
    """The iterator over one epoch. Deleting it stops its workers."""

    def __init__(self, loader: DataLoader[Any], position: Position):
        self.loader, self.position = loader, position
        self.batches = loader._batches(position)

    def __iter__(self) -> Epoch:
        return self

    def __next__(self) -> Any:
        try:
            batch = next(self.batches)
        except StopIteration:
            self.position.ended = True
            if not self.position.batches:
                warn("DataLoader: the epoch had no batch: the dataset is empty" + (
                     f", or smaller than the batch size {self.loader.batch_size}, and drop_last "
                     "leaves out a batch that is not full" if self.loader.drop_last else ""))
            raise
        self.position.batches += 1
        return batch

    def __len__(self) -> int:
        return len(self.loader)


class Fetch:
    """Loads a batch, given its number and indices."""

    def __init__(self, dataset: Any, collate: Callable[[Any], Any], single: bool, seed: int):
        self.dataset, self.collate, self.single, self.seed = dataset, collate, single, seed

    def __call__(self, job: tuple[int, Any]) -> Any:
        number, indices = job
        with random.using(random.Streams(self.seed + number)):
            try:
                if self.single:
                    return self.collate(self.dataset[indices])
                if self.collate is default_collate:
                    batch = gathered(self.dataset, indices)
                    if batch is not None:
                        return batch
                return self.collate(self._samples(indices))
            except Exception as error:
                error.add_note(f"in batch {number} of the epoch, with the samples {indices}")
                raise

    def _samples(self, indices: Any) -> Any:
        if hasattr(self.dataset, "__getitems__"):
            return self.dataset.__getitems__(indices)
        return [self.dataset[i] for i in indices]


class Run:
    """Loads the next batch of an iterable dataset; returns END if there is none."""

    def __init__(self, dataset: Any, collate: Callable[[Any], Any], single: bool, drop_last: bool,
                 seeds: Iterator[int]):
        self.dataset, self.collate, self.single = dataset, collate, single
        self.drop_last, self.seeds = drop_last, seeds
        self.samples: Iterator[Any] | None = None
        self.ended = False

    def __call__(self, job: tuple[int, Any]) -> Any:
        wanted = 1 if self.single else len(job[1])
        with random.using(random.Streams(next(self.seeds))):
            if self.samples is None:  # here get_worker_info() knows the worker
                self.samples = iter(self.dataset)
            batch = [] if self.ended else list(itertools.islice(self.samples, wanted))
            self.ended = len(batch) < wanted
            if not batch or self.ended and self.drop_last:
                return END
            return self.collate(batch[0] if self.single else batch)


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
