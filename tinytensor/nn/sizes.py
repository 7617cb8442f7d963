"""Sizes of windows as users give them: one number for all dims, or one for each."""

from __future__ import annotations

from typing import Any


def each_dim(value: Any, dims: int) -> tuple[Any, ...]:
    """(3, 3) from 3, for two dims; a tuple stays."""
    return tuple(value) if isinstance(value, tuple | list) else (value,) * dims
