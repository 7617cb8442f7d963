"""The names of `torch.distributed` for a single process; there are no process groups.

The functions answer for this one process: rank 0 of 1. A program that trains on one process when it
is started alone runs unchanged. `init_process_group` raises.
"""

from __future__ import annotations

from typing import Any

from .compat import absent

__all__ = ["is_available", "is_initialized", "get_rank", "get_world_size", "barrier",
           "init_process_group", "destroy_process_group"]


NOT_SUPPORTED = ("process groups are not supported; run the program as one process, on one GPU or "
                 "on the CPU")


def is_available() -> bool:
    """False: process groups are not supported."""
    return False


def is_initialized() -> bool:
    """False: there is no process group."""
    return False


def get_rank(group: object = None) -> int:
    """0, the rank of the only process."""
    return 0


def get_world_size(group: object = None) -> int:
    """1, the number of processes."""
    return 1


def barrier(group: object = None) -> None:
    """Returns at once: there is one process."""


def init_process_group(backend: str | None = None, init_method: str | None = None,
                       *args: object, **kwargs: object) -> None:
    """Not supported.

    Raises:
        RuntimeError: always.
    """
    raise RuntimeError(f"init_process_group: {NOT_SUPPORTED}")


def destroy_process_group(group: object = None) -> None:
    """Does nothing: there is no process group."""


def __getattr__(name: str) -> Any:
    raise absent.AbsentName("tinytensor.distributed", name, lambda: globals())
