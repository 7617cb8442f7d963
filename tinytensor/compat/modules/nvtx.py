"""`torch.cuda.nvtx`: names for parts of a program in the timeline of NVIDIA's profilers.

Every function raises RuntimeError if there is no GPU, as in PyTorch.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from ...arrays import devices


def range_push(msg: str) -> None:
    """Begins a range inside the present one."""
    devices.cupy().cuda.nvtx.RangePush(msg)


def range_pop() -> None:
    """Ends the innermost range."""
    devices.cupy().cuda.nvtx.RangePop()


def mark(msg: str) -> None:
    """Marks a moment."""
    devices.cupy().cuda.nvtx.Mark(msg)


@contextlib.contextmanager
def range(msg: str, *args: Any, **kwargs: Any) -> Iterator[None]:
    """A context, or a decorator, that is a range with the name `msg.format(*args, **kwargs)`."""
    range_push(msg.format(*args, **kwargs))
    try:
        yield
    finally:
        range_pop()
