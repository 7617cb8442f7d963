"""`torch.profiler` and `torch.autograd.profiler`: labels and schedules; nothing is measured.

`record_function` names a part of a program, and may stay there. `profile` raises: use Python's
cProfile.
"""

from __future__ import annotations

import contextlib
import enum
import functools
from collections.abc import Callable
from typing import Any

__all__ = ["ProfilerAction", "ProfilerActivity", "emit_nvtx", "kineto_available", "profile",
           "record_function", "schedule", "supported_activities", "tensorboard_trace_handler"]


class ProfilerActivity(enum.Enum):
    """What a profile would measure."""

    CPU = 0
    CUDA = 1
    XPU = 2


class ProfilerAction(enum.Enum):
    """What a profile does in a step."""

    NONE = 0
    WARMUP = 1
    RECORD = 2
    RECORD_AND_SAVE = 3


class record_function(contextlib.ContextDecorator):  # noqa: N801 - PyTorch's name
    """A context or decorator that names a part of a program. Nothing is measured."""

    def __init__(self, name: str, args: str | None = None):
        self.name, self.args = name, args

    def __enter__(self) -> record_function:
        return self

    def __exit__(self, *exception: object) -> None:
        pass


class emit_nvtx(record_function):  # noqa: N801 - PyTorch's name
    """A context without effect."""

    def __init__(self, enabled: bool = True, record_shapes: bool = False):
        super().__init__("")


class profile:  # noqa: N801 - PyTorch's name
    """Not supported.

    Raises:
        RuntimeError: always, unless enabled=False, which is a context without effect.
    """

    def __init__(self, *args: Any, enabled: bool = True, **kwargs: Any):
        if enabled:
            raise RuntimeError("profiler.profile: operations are not measured; "
                               "`python -m cProfile -s tottime program.py` shows where time goes")

    def __enter__(self) -> profile:
        return self

    def __exit__(self, *exception: object) -> None:
        pass


class EventList(list[Any]):
    """The type of what a profile has measured."""


def schedule(*, wait: int, warmup: int, active: int, repeat: int = 0, skip_first: int = 0,
             **options: Any) -> Callable[[int], ProfilerAction]:
    """step -> ProfilerAction: `wait` steps nothing, `warmup`, then `active` steps recorded."""
    def action(step: int) -> ProfilerAction:
        step -= skip_first
        cycle = wait + warmup + active
        if step < 0 or repeat and step // cycle >= repeat or step % cycle < wait:
            return ProfilerAction.NONE
        if step % cycle < wait + warmup:
            return ProfilerAction.WARMUP
        return ProfilerAction.RECORD_AND_SAVE if step % cycle == cycle - 1 \
            else ProfilerAction.RECORD

    return action


def tensorboard_trace_handler(dir_name: str, *args: Any, **kwargs: Any) -> Callable[[Any], None]:
    """A handler for profiles, of which there are none."""
    return functools.partial(_no_profile, dir_name)


def _no_profile(dir_name: str, prof: Any) -> None:
    raise RuntimeError("tensorboard_trace_handler: operations are not measured")


def kineto_available() -> bool:
    """False: PyTorch's profiler is not there."""
    return False


def supported_activities() -> set[ProfilerActivity]:
    """None."""
    return set()
