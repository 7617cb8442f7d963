"""`torch.distributed.elastic`: the decorator of main functions that torchrun's programs have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def record(fn: F, error_handler: object = None) -> F:
    """The function itself. The monitor of the ranks prints the error of a rank that fails."""
    return fn
