"""From a job (the number of a batch and its indices) to a batch."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

from ... import random
from .collate import default_collate
from .dataset import gathered

END = object()  # the result of a worker whose dataset is exhausted


class Fetch:
    """Loads a batch, given its number and indices."""

    def __init__(self, dataset: Any, collate: Callable[[Any], Any], single: bool,
                 streams: Callable[[int], random.Streams]):
        self.dataset, self.collate, self.single = dataset, collate, single
        self.streams = streams

    def __call__(self, job: tuple[int, Any]) -> Any:
        number, indices = job
        with random.using(self.streams(number)):
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
    """Loads the next batch of an iterable dataset; returns END if there is none.

    Batch i of worker w draws from the streams w + i * workers.
    """

    def __init__(self, dataset: Any, collate: Callable[[Any], Any], single: bool, drop_last: bool,
                 streams: Callable[[int], random.Streams], worker: int, workers: int):
        self.dataset, self.collate, self.single = dataset, collate, single
        self.drop_last, self.streams = drop_last, streams
        self.numbers = itertools.count(worker, workers)
        self.samples: Iterator[Any] | None = None
        self.ended = False

    def __call__(self, job: tuple[int, Any]) -> Any:
        wanted = 1 if self.single else len(job[1])
        with random.using(self.streams(next(self.numbers))):
            if self.samples is None:  # here get_worker_info() knows the worker
                self.samples = iter(self.dataset)
            batch = [] if self.ended else list(itertools.islice(self.samples, wanted))
            self.ended = len(batch) < wanted
            if not batch or self.ended and self.drop_last:
                return END
            return self.collate(batch[0] if self.single else batch)
