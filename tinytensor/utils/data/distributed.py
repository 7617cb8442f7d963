"""DistributedSampler: the part of a dataset for one of several processes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sized
from typing import Any

from ...distributed import get_rank, get_world_size
from ...random import Generator
from ...tensors.sampling import randperm
from .sampler import Sampler


class DistributedSampler(Sampler[int]):
    """Every num_replicas-th index from `rank` on, of an order that all processes share.

    All parts have the same length: some first indices are repeated, or with `drop_last` some last
    ones are left out. By default there is one process, with all indices.

    Args:
        shuffle: whether the order is random; it depends on `seed` and the epoch, see `set_epoch`.

    Raises:
        ValueError: `rank` is not in [0, num_replicas - 1].
    """

    def __init__(self, dataset: Sized, num_replicas: int | None = None, rank: int | None = None,
                 shuffle: bool = True, seed: int = 0, drop_last: bool = False):
        self.num_replicas = get_world_size() if num_replicas is None else num_replicas
        self.rank = get_rank() if rank is None else rank
        if not 0 <= self.rank < self.num_replicas:
            raise ValueError(f"DistributedSampler: rank {self.rank} must be in "
                             f"[0, {self.num_replicas - 1}]")
        self.dataset, self.shuffle, self.seed, self.drop_last = dataset, shuffle, seed, drop_last
        self.epoch = 0
        share = len(dataset) / self.num_replicas
        self.num_samples = math.floor(share) if drop_last else math.ceil(share)
        self.total_size = self.num_samples * self.num_replicas

    def __iter__(self) -> Iterator[int]:
        count = len(self.dataset)
        order: Any = range(count)
        if self.shuffle:
            generator = Generator().manual_seed(self.seed + self.epoch)
            order = randperm(count, generator=generator, device="cpu").tolist()
        for place in range(self.rank, self.total_size, self.num_replicas):
            yield order[place % count]

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Sets the epoch, which selects the order; call it in all processes before each epoch."""
        self.epoch = epoch
