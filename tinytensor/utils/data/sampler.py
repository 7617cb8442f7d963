"""Samplers: the indices of samples, or lists of them for batches, in the order of an epoch."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Any, Generic, TypeVar

from ...arrays import dtypes
from ...arrays.numbers import is_integer
from ...random import Generator
from ...tensors.creation import as_tensor, empty
from ...tensors.sampling import multinomial, randint, randperm
from ...tensors.tensor import Tensor

T = TypeVar("T", covariant=True)

PIECE = 32  # indices that are drawn at once with replacement


class Sampler(Generic[T]):
    """Base class. A subclass defines `__iter__`, which gives indices or lists of them, and best
    `__len__` too.
    """

    def __iter__(self) -> Iterator[T]:
        raise NotImplementedError(f"{type(self).__name__} is missing the required `__iter__`")


class SequentialSampler(Sampler[int]):
    """The indices 0, 1, 2, ... of a dataset."""

    def __init__(self, data_source: Sized):
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler[int]):
    """Indices in random order, without or with replacement.

    Without replacement and with num_samples greater than the dataset, several random orders of the
    whole dataset follow each other. Without a generator, each epoch takes a seed from the default
    one.

    Raises:
        TypeError: `replacement` is not a bool.
        ValueError: num_samples is not a positive integer, or the dataset is empty.
    """

    def __init__(self, data_source: Sized, replacement: bool = False,
                 num_samples: int | None = None, generator: Generator | None = None):
        if not isinstance(replacement, bool):
            raise TypeError(f"RandomSampler: replacement must be a bool, got {replacement!r}")
        self.data_source, self.replacement = data_source, replacement
        self._num_samples, self.generator = num_samples, generator
        _check_positive("RandomSampler", "num_samples", self.num_samples,
                        "" if len(data_source) else ": the dataset is empty")

    @property
    def num_samples(self) -> int:
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        count, wanted = len(self.data_source), self.num_samples
        generator = self.generator
        if generator is None:
            generator = Generator().manual_seed(random_seed(None))
        draw = functools.partial(self._piece, count, generator)
        while wanted >= (PIECE if self.replacement else count):
            yield from draw(PIECE if self.replacement else count)
            wanted -= PIECE if self.replacement else count
        yield from draw(wanted)  # PyTorch draws once more for an empty rest, too

    def _piece(self, count: int, generator: Generator, wanted: int) -> list[int]:
        if self.replacement:
            return randint(count, (wanted,), generator=generator, device="cpu").tolist()
        return randperm(count, generator=generator, device="cpu").tolist()[:wanted]

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler[int]):
    """The given indices in random order."""

    def __init__(self, indices: Sequence[int], generator: Generator | None = None):
        self.indices, self.generator = indices, generator

    def __iter__(self) -> Iterator[int]:
        for i in randperm(len(self.indices), generator=self.generator, device="cpu").tolist():
            yield self.indices[i]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler[int]):
    """Indices drawn with probabilities proportional to their weights.

    Raises:
        ValueError: weights that are not 1-d, num_samples that is not a positive integer, or
            `replacement` that is not a bool.
    """

    def __init__(self, weights: Tensor | Sequence[float], num_samples: int,
                 replacement: bool = True, generator: Generator | None = None):
        _check_positive("WeightedRandomSampler", "num_samples", num_samples)
        if not isinstance(replacement, bool):
            raise ValueError(f"WeightedRandomSampler: replacement must be a bool, got "
                             f"{replacement!r}")
        self.weights = as_tensor(weights, dtype=dtypes.float64, device="cpu")
        if self.weights.ndim != 1:
            raise ValueError("WeightedRandomSampler: weights must be 1-d, got shape "
                             f"{tuple(self.weights.shape)}")
        self.num_samples, self.replacement = num_samples, replacement
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        yield from multinomial(self.weights, self.num_samples, self.replacement,
                               generator=self.generator).tolist()

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list[int]]):
    """Lists of `batch_size` indices of another sampler; the last may be shorter, or is dropped.

    Raises:
        ValueError: batch_size is not a positive integer, or `drop_last` is not a bool.
    """

    def __init__(self, sampler: Sampler[Any] | Iterable[Any], batch_size: int, drop_last: bool):
        _check_positive("BatchSampler", "batch_size", batch_size)
        if not isinstance(drop_last, bool):
            raise ValueError(f"BatchSampler: drop_last must be a bool, got {drop_last!r}")
        self.sampler, self.batch_size, self.drop_last = sampler, batch_size, drop_last

    def __iter__(self) -> Iterator[list[int]]:
        positions = iter(self.sampler)
        while batch := list(itertools.islice(positions, self.batch_size)):
            if len(batch) < self.batch_size and self.drop_last:
                return
            yield batch

    def __len__(self) -> int:
        return batches_in(len(self.sampler), self.batch_size,  # type: ignore[arg-type]
                          self.drop_last)


def random_seed(generator: Generator | None) -> int:
    """A seed drawn from a generator, as PyTorch draws it: a non-negative int64."""
    return int(empty((), dtype=dtypes.int64, device="cpu").random_(generator=generator).item())


def batches_in(samples: int, batch_size: int, drop_last: bool) -> int:
    """The number of batches for a number of samples."""
    return samples // batch_size if drop_last else -(-samples // batch_size)


def _check_positive(name: str, what: str, value: object, why: str = "") -> None:
    if not is_integer(value) or isinstance(value, bool) or value <= 0:
        raise ValueError(f"{name}: {what} must be a positive integer, got {value!r}{why}")
