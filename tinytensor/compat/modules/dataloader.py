"""`torch.utils.data.dataloader`, with the iterators that PyTorch's DataLoader makes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, NoReturn

from ... import random
from ...utils.data.dataloader import *  # noqa: F403
from ...utils.data.dataloader import DataLoader
from ...utils.data.dataloader import Epoch as _BaseDataLoaderIter  # of iter(loader)
from ...utils.data.fetch import END, Fetch, Run


class _DatasetKind:
    """Whether samples are asked for by their indices."""

    Map, Iterable = 0, 1


class _SingleProcessDataLoaderIter:
    """An iterator over a loader without workers, or over an object with the attributes of one.

    Of such an object it takes `dataset`, `collate_fn`, `drop_last`, and the attributes by which
    PyTorch's DataLoader says what it loads: `_dataset_kind`, `_index_sampler`, whose elements are
    lists of indices if `_auto_collation`, and otherwise indices.

    Raises:
        RuntimeError: the object has workers or a timeout.
    """

    def __init__(self, loader: Any):
        self._batches = iter(loader) if isinstance(loader, DataLoader) else _batches(loader)

    def __iter__(self) -> _SingleProcessDataLoaderIter:
        return self

    def __next__(self) -> Any:
        return next(self._batches)


def _batches(loader: Any) -> Iterator[Any]:
    def streams(batch: int) -> random.Streams:
        return random.streams()

    if loader.num_workers or loader.timeout:
        raise RuntimeError("_SingleProcessDataLoaderIter: num_workers and timeout must be 0, got "
                           f"{loader.num_workers} and {loader.timeout}")
    if loader._dataset_kind == _DatasetKind.Iterable:
        load: Any = Run(loader.dataset, loader.collate_fn, not loader._auto_collation,
                        loader.drop_last, streams, 0, 1)
    else:
        load = Fetch(loader.dataset, loader.collate_fn, not loader._auto_collation, streams)
    batches: Iterator[Any] = map(load, enumerate(loader._index_sampler))
    return itertools.takewhile(lambda batch: batch is not END, batches)


class _MultiProcessingDataLoaderIter:
    """The iterator over a loader with workers.

    Raises:
        RuntimeError: always; iter(loader) is one.
    """

    def __init__(self, loader: Any) -> NoReturn:
        raise RuntimeError("_MultiProcessingDataLoaderIter: workers are started by iter(loader) of "
                           "a DataLoader; write num_workers=0")
