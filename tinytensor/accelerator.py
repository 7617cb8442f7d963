"""The current accelerator, under the names of `torch.accelerator`. Here it is always a CUDA GPU.

    device = tinytensor.accelerator.current_accelerator() or "cpu"
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .arrays import devices
from .arrays.devices import cuda_is_available, device_count
from .arrays.devices import set_device as set_device_index
from .compat import absent
from .cuda import empty_cache, memory_allocated, memory_reserved, synchronize

__all__ = ["is_available", "device_count", "current_accelerator", "current_device_index",
           "current_device_idx", "set_device_index", "set_device_idx", "device_index",
           "synchronize", "empty_cache", "memory_allocated", "memory_reserved"]


def is_available() -> bool:
    """Whether CuPy is installed and a GPU works."""
    return cuda_is_available()


def current_accelerator(check_available: bool = False) -> devices.device | None:
    """device("cuda"), or None without a GPU, for either value of `check_available`."""
    return devices.device("cuda") if cuda_is_available() else None


def current_device_index() -> int:
    """The index of the current GPU.

    Raises:
        RuntimeError: CuPy or a GPU is missing.
    """
    return devices.current_device()


@contextmanager
def device_index(device: int | None) -> Iterator[None]:
    """A context in which another GPU is the current one; None changes nothing."""
    if device is None:
        yield
        return
    before = current_device_index()
    set_device_index(device)
    try:
        yield
    finally:
        set_device_index(before)


current_device_idx, set_device_idx = current_device_index, set_device_index  # older names


def __getattr__(name: str) -> Any:
    raise absent.AbsentName("tinytensor.accelerator", name, lambda: globals())
