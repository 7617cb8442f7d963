"""Datasets: samples by index (Dataset), or as a stream (IterableDataset)."""

from __future__ import annotations

import bisect
import itertools
import math
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from ...random import Generator
from ...tensors.sampling import randperm
from ...tensors.tensor import Tensor

T = TypeVar("T", covariant=True)


class Dataset(Generic[T]):
    """Samples by index. A subclass defines `__getitem__`, and `__len__`, which most samplers need.

    It may also define `__getitems__(indices)`, which returns a list of samples.
    """

    def __getitem__(self, index: Any) -> T:
        raise NotImplementedError(f"{type(self).__name__} is missing the required `__getitem__`")

    def __add__(self, other: Dataset[T]) -> ConcatDataset[T]:
        return ConcatDataset([self, other])


class IterableDataset(Dataset[T]):
    """A stream of samples. A subclass defines `__iter__`.

    With several workers each iterates over the whole dataset, unless `__iter__` uses
    `get_worker_info()` to select the worker's part.
    """

    def __iter__(self) -> Iterator[T]:
        raise NotImplementedError(f"{type(self).__name__} is missing the required `__iter__`")

    def __add__(self, other: Dataset[T]) -> ChainDataset[T]:  # type: ignore[override]
        return ChainDataset([self, other])


class TensorDataset(Dataset[tuple[Tensor, ...]]):
    """Sample i is the tuple (tensors[0][i], tensors[1][i], ...).

    Raises:
        AssertionError: the first sizes of the Tensors differ.
    """

    def __init__(self, *tensors: Tensor):
        sizes = [t.size(0) for t in tensors]
        if len(set(sizes)) != 1:
            raise AssertionError("Size mismatch between tensors: TensorDataset needs Tensors with "
                                 f"the same number of samples, got {sizes}")
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple([t[index] for t in self.tensors])

    def __len__(self) -> int:
        return self.tensors[0].shape[0]


class StackDataset(Dataset[Any]):
    """Sample i is the tuple of sample i of each dataset; with keyword arguments, a dict.

    Raises:
        ValueError: no dataset, different lengths, or both positional and keyword arguments.
    """

    datasets: tuple[Any, ...] | dict[str, Any]

    def __init__(self, *args: Dataset[Any], **kwargs: Dataset[Any]):
        if bool(args) == bool(kwargs):
            raise ValueError("StackDataset: give datasets as positional arguments, for tuples, or "
                             "as keyword arguments, for dicts" + (", not both" if args else ""))
        self.datasets = args or kwargs
        lengths = [len(d) for d in args or kwargs.values()]  # type: ignore[arg-type]
        if len(set(lengths)) > 1:
            raise ValueError(f"Size mismatch between datasets: {lengths}")
        self._length = lengths[0]

    def __getitem__(self, index: Any) -> Any:
        if isinstance(self.datasets, dict):
            return {name: dataset[index] for name, dataset in self.datasets.items()}
        return tuple([dataset[index] for dataset in self.datasets])

    def __len__(self) -> int:
        return self._length


class ConcatDataset(Dataset[T]):
    """The samples of several datasets, concatenated.

    Raises:
        AssertionError: no dataset, or an IterableDataset.
    """

    def __init__(self, datasets: Iterable[Dataset[T]]):
        self.datasets = list(datasets)
        if not self.datasets:
            raise AssertionError("datasets should not be an empty iterable")
        if any(isinstance(d, IterableDataset) for d in self.datasets):
            raise AssertionError("ConcatDataset does not support IterableDataset; use ChainDataset")
        lengths = [len(d) for d in self.datasets]  # type: ignore[arg-type]
        self.cumulative_sizes = list(itertools.accumulate(lengths))

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, idx: int) -> T:
        if idx < -len(self):
            raise ValueError(f"ConcatDataset: index {idx} is out of range for {len(self)} samples")
        if idx >= len(self):
            raise IndexError(f"ConcatDataset: index {idx} is out of range for {len(self)} samples")
        idx = idx % len(self)
        which = bisect.bisect_right(self.cumulative_sizes, idx)
        return self.datasets[which][idx - (self.cumulative_sizes[which - 1] if which else 0)]


class ChainDataset(IterableDataset[T]):
    """The samples of several IterableDatasets, one dataset after the other.

    Raises:
        AssertionError: a dataset that is not an IterableDataset, when iteration reaches it.
    """

    def __init__(self, datasets: Iterable[Dataset[T]]):
        self.datasets = datasets

    def _checked(self) -> Iterator[IterableDataset[T]]:
        for dataset in self.datasets:
            if not isinstance(dataset, IterableDataset):
                raise AssertionError("ChainDataset only supports IterableDataset, got "
                                     f"{type(dataset).__name__}; use ConcatDataset")
            yield dataset

    def __iter__(self) -> Iterator[T]:
        return itertools.chain.from_iterable(self._checked())

    def __len__(self) -> int:
        return sum(map(len, self._checked()))  # type: ignore[arg-type]


class Subset(Dataset[T]):
    """The samples of a dataset at the given indices, in their order."""

    def __init__(self, dataset: Dataset[T], indices: Sequence[int]):
        self.dataset, self.indices = dataset, indices

    def __getitem__(self, idx: Any) -> T:
        if isinstance(idx, list):
            return self.dataset[[self.indices[i] for i in idx]]
        return self.dataset[self.indices[idx]]

    def __len__(self) -> int:
        return len(self.indices)


def random_split(dataset: Dataset[T], lengths: Sequence[int | float],
                 generator: Generator | None = None) -> list[Subset[T]]:
    """Splits a dataset at random into non-overlapping subsets of these lengths.

    Lengths may be fractions that add up to 1. They are rounded down; the remaining samples go to
    the first subsets, one each.

    Raises:
        ValueError: the lengths do not add up to the length of the dataset, or a negative fraction.
    """
    count = len(dataset)  # type: ignore[arg-type]
    if math.isclose(sum(lengths), 1) and sum(lengths) <= 1:
        lengths = _from_fractions(lengths, count)
    if sum(lengths) != count:
        raise ValueError("Sum of input lengths does not equal the length of the input dataset: "
                         f"{list(lengths)} add up to {sum(lengths)}, the dataset has {count}; "
                         "fractions must add up to 1")
    order = randperm(count, generator=generator, device="cpu").tolist()
    ends = itertools.accumulate(lengths)
    return [Subset(dataset, order[int(end - length):int(end)])
            for end, length in zip(ends, lengths, strict=True)]


def _from_fractions(fractions: Sequence[float], count: int) -> list[int]:
    for i, fraction in enumerate(fractions):
        if not 0 <= fraction <= 1:
            raise ValueError(f"Fraction at index {i} is not between 0 and 1: {fraction}")
    lengths = [math.floor(count * fraction) for fraction in fractions]
    for i in range(count - sum(lengths)):
        lengths[i % len(lengths)] += 1
    for i, length in enumerate(lengths):
        if not length:
            warnings.warn(f"Length of split at index {i} is 0. This might result in an empty "
                          "dataset.", stacklevel=3)
    return lengths


def gathered(dataset: Dataset[Any], indices: Any) -> list[Tensor] | None:
    """The collated batch of a TensorDataset (or a Subset of one), by indexing each Tensor once.

    None for other datasets, and for indices that are not ints: the result may differ there.
    """
    if type(indices) is not list or not all(type(i) is int for i in indices):
        return None
    while type(dataset) is Subset:
        indices, dataset = [dataset.indices[i] for i in indices], dataset.dataset
    if type(dataset) is not TensorDataset:
        return None
    return [t[indices] for t in dataset.tensors]
