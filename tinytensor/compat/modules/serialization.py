"""`torch.serialization`: save and load, and settings of unpickling, which does not happen."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, TypeAlias

from ...tensors.files import load as load
from ...tensors.files import save as save

MAP_LOCATION: TypeAlias = Any
FILE_LIKE: TypeAlias = Any
DEFAULT_PROTOCOL = 2


class PyTorchFileReader:
    """PyTorch's reader of its zip files.

    Raises:
        RuntimeError: always: `load` reads such files.
    """

    def __init__(self, *args: Any):
        raise RuntimeError("PyTorchFileReader: the reader of PyTorch's core is not there; "
                           "load(path) reads .pt files")


PyTorchFileWriter = PyTorchFileReader


def add_safe_globals(safe_globals: list[Any]) -> None:
    """Has no effect: `load` executes nothing, whatever a file names."""


def get_safe_globals() -> list[Any]:
    """An empty list."""
    return []


def clear_safe_globals() -> None:
    """Has no effect."""


@contextlib.contextmanager
def safe_globals(safe_globals: list[Any]) -> Iterator[None]:
    """Has no effect."""
    yield
