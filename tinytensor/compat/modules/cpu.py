"""`torch.cpu`: what programs for any device ask; operations on the CPU run one after the other."""

from __future__ import annotations

import contextlib
from typing import Any

from . import cpu_amp as amp


class Stream:
    """The one stream of the CPU, which is never waited for."""

    def __init__(self, priority: int = -1):
        pass

    def wait_stream(self, stream: Any) -> None:
        """Has no effect."""

    def wait_event(self, event: Any) -> None:
        """Has no effect."""

    def record_event(self) -> None:
        """Has no effect."""


class Event:
    """An event on that stream, which has always happened."""

    def query(self) -> bool:
        """True."""
        return True

    def record(self, stream: Any = None) -> None:
        """Has no effect."""

    def synchronize(self) -> None:
        """Has no effect."""

    def wait(self, stream: Any = None) -> None:
        """Has no effect."""


_stream = Stream()
StreamContext = stream = contextlib.nullcontext


def current_stream(device: Any = None) -> Stream:
    """The stream of the CPU."""
    return _stream


def is_available() -> bool:
    """True."""
    return True


def is_initialized() -> bool:
    """True."""
    return True


def device_count() -> int:
    """1."""
    return 1


def current_device() -> str:
    """"cpu"."""
    return "cpu"


def set_device(device: Any) -> None:
    """Has no effect."""


def synchronize(device: Any = None) -> None:
    """Has no effect."""


__all__ = ["Event", "Stream", "StreamContext", "amp", "current_device", "current_stream",
           "device_count", "is_available", "is_initialized", "set_device", "stream", "synchronize"]
