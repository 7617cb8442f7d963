"""What programs for several processes ask before they begin: here a program is one process.

Under the names of `torch.distributed`. The questions are answered for this one process, also
those that PyTorch answers only within a group, so that a program that trains alone when it is
started alone does so; beginning a group is an error.
"""

from __future__ import annotations

from typing import Any

from .compat import absent

__all__ = ["is_available", "is_initialized", "get_rank", "get_world_size", "barrier",
           "init_process_group", "destroy_process_group"]

REFUSED = "a program here is one process; start it once, and train on one GPU or on the CPU"


def is_available() -> bool:
    """False: there are no groups of processes."""
    return False


def is_initialized() -> bool:
    """False, likewise."""
    return False


def get_rank(group: Any = None) -> int:
    """0: the number of this process among all of them."""
    return 0


def get_world_size(group: Any = None) -> int:
    """1: how many processes there are."""
    return 1


def barrier(group: Any = None) -> None:
    """Waits until all processes are here, as this one is."""


def init_process_group(backend: str | None = None, init_method: str | None = None,
                       *args: Any, **kwargs: Any) -> None:
    """
    Raises:
        RuntimeError: always.
    """
    raise RuntimeError(f"init_process_group: {REFUSED}")


def destroy_process_group(group: Any = None) -> None:
    """There is none to end."""


def __getattr__(name: str) -> Any:
    raise absent.AbsentName("tinytensor.distributed", name, lambda: globals())
