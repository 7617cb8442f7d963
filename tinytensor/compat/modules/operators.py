"""`torch.ops`: operators written in C++, of which there are none.

Libraries that bring some, such as torchvision, are told by `load_library` that they cannot be
loaded.
"""

from __future__ import annotations

from typing import Any


def load_library(path: str) -> None:
    """Not supported.

    Raises:
        OSError: always, as for a library that does not fit.
    """
    raise OSError(f"load_library: {path} holds operators for PyTorch's C++ core, which is not "
                  "there")


class Namespace:
    """The operators of a library."""

    def __init__(self, name: str):
        self._name = name

    def __getattr__(self, operator: str) -> Any:
        raise AttributeError(f"torch.ops.{self._name}.{operator} is written for PyTorch's C++ "
                             "core; tinytensor has no such operators")


def __getattr__(name: str) -> Namespace:
    if name.startswith("__"):
        raise AttributeError(name)
    return Namespace(name)
