"""The GPU, under the names of `torch.cuda`. Everything here answers without one too."""

from __future__ import annotations

from typing import Any

from . import random
from .devices import (
    cuda_is_available,
    current_device,
    device_count,
    empty_cache,
    get_device_name,
    memory_allocated,
    memory_reserved,
    resolve,
    set_device,
)
from .devices import synchronize as _synchronize

__all__ = ["is_available", "device_count", "current_device", "set_device", "get_device_name",
           "memory_allocated", "memory_reserved", "empty_cache", "synchronize", "manual_seed",
           "manual_seed_all"]


def is_available() -> bool:
    """Whether CuPy is installed and a GPU answers."""
    return cuda_is_available()


def synchronize(device: Any = None) -> None:
    """Waits until the GPU has done what was asked of it; nothing to wait for without one."""
    _synchronize(None if device is None else resolve(device))


def manual_seed(seed: int) -> None:
    """Starts the generator of the current GPU anew; without a GPU there is nothing to seed."""
    if cuda_is_available():
        random.default_generator(resolve("cuda")).manual_seed(seed)


def manual_seed_all(seed: int) -> None:
    """Starts the generators of all GPUs anew."""
    for i in range(device_count()):
        random.default_generator(resolve(f"cuda:{i}")).manual_seed(seed)
