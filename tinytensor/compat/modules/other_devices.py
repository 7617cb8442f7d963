"""`torch.mps` and `torch.xpu`: devices that are not there."""

from __future__ import annotations

from typing import Any


def is_available() -> bool:
    """False: arrays are those of NumPy and CuPy."""
    return False


def device_count() -> int:
    """0."""
    return 0


def empty_cache() -> None:
    """Has no effect."""


def synchronize(device: Any = None) -> None:
    """Has no effect."""


def manual_seed(seed: int) -> None:
    """Has no effect."""


manual_seed_all = manual_seed
