"""`torch.utils.data.dataloader`, with the iterators that PyTorch's DataLoader makes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NoReturn

from ...utils.data.dataloader import *  # noqa: F403
from ...utils.data.dataloader import DataLoader
from ...utils.data.dataloader import Epoch as _BaseDataLoaderIter  # of iter(loader)


class _DatasetKind:
    """Whether samples are asked for by their indices."""

    Map, Iterable = 0, 1


class _SingleProcessDataLoaderIter:
    """An iterator over a loader without workers, or over an object with the attributes of one.

    Of such an object it takes `dataset`, which is iterated, and `collate_fn`.
    """

    def __init__(self, loader: Any):
        self._batches: Iterator[Any] = iter(loader) if isinstance(loader, DataLoader) \
            else map(loader.collate_fn, loader.dataset)

    def __iter__(self) -> _SingleProcessDataLoaderIter:
        return self

    def __next__(self) -> Any:
        return next(self._batches)


class _MultiProcessingDataLoaderIter:
    """The iterator over a loader with workers.

    Raises:
        RuntimeError: always; iter(loader) is one.
    """

    def __init__(self, loader: Any) -> NoReturn:
        raise RuntimeError("_MultiProcessingDataLoaderIter: workers are started by iter(loader) of "
                           "a DataLoader; write num_workers=0")
