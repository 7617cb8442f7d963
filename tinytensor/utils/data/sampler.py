"""Samplers: the order in which samples come, as positions or lists of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Any, Generic, TypeVar

from ...arrays import dtypes
from ...random import Generator
from ...tensors.creation import as_tensor
from ...tensors.sampling import multinomial, randint, randperm
from ...tensors.tensor import Tensor

T = TypeVar("T", covariant=True)

PIECE = 32  # positions that are drawn at a time, where not all need to be drawn at the start


class Sampler(Generic[T]):
    """A subclass defines `__iter__`, which gives positions (or lists), and best `__len__` too."""

    def __iter__(self) -> Iterator[T]:
        raise NotImplementedError(f"{type(self).__name__} is missing the required `__iter__`")


class SequentialSampler(Sampler[int]):
    """0, 1, 2, ... for each sample of the set."""

    def __init__(self, data_source: Sized):
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler[int]):
    """Positions in random order: each once, or any of them each time (`replacement`).

    Without replacement, more samples than the set has are given in several orders of all of it.

    Raises:
        TypeError: `replacement` is no bool.
        ValueError: no sample to draw.
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
        while wanted > 0:
            if self.replacement:
                piece = randint(count, (min(wanted, PIECE),), generator=self.generator,
                                device="cpu").tolist()
            else:
                piece = randperm(count, generator=self.generator, device="cpu").tolist()[:wanted]
            yield from piece
            wanted -= len(piece)

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler[int]):
    """The given positions in random order."""

    def __init__(self, indices: Sequence[int], generator: Generator | None = None):
        self.indices, self.generator = indices, generator

    def __iter__(self) -> Iterator[int]:
        for i in randperm(len(self.indices), generator=self.generator, device="cpu").tolist():
            yield self.indices[i]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler[int]):
    """Positions drawn with probabilities in proportion to their weights.

    Raises:
        ValueError: weights that are no vector, no sample to draw, `replacement` is no bool.
    """

    def __init__(self, weights: Tensor | Sequence[float], num_samples: int,
                 replacement: bool = True, generator: Generator | None = None):
        _check_positive("WeightedRandomSampler", "num_samples", num_samples)
        if not isinstance(replacement, bool):
            raise ValueError(f"WeightedRandomSampler: replacement must be a bool, got "
                             f"{replacement!r}")
        self.weights = as_tensor(weights, dtype=dtypes.float64, device="cpu")
        if self.weights.ndim != 1:
            raise ValueError("WeightedRandomSampler: weights must be a vector, got shape "
                             f"{tuple(self.weights.shape)}")
        self.num_samples, self.replacement = num_samples, replacement
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        yield from multinomial(self.weights, self.num_samples, self.replacement,
                               generator=self.generator).tolist()

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list[int]]):
    """Lists of `batch_size` positions of another sampler; the last may be shorter, or dropped.

    Raises:
        ValueError: a batch size that is not positive, `drop_last` is no bool.
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


def batches_in(samples: int, batch_size: int, drop_last: bool) -> int:
    """How many batches that many samples make."""
    return samples // batch_size if drop_last else -(-samples // batch_size)


def _check_positive(name: str, what: str, value: object, why: str = "") -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise ValueError(f"{name}: {what} must be a positive integer, got {value!r}{why}")
