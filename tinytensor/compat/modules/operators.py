"""`torch.ops`: operators written in C++, of which there are none; those of the core are names.

Libraries that bring some, such as torchvision, are told by `load_library` that they cannot be
loaded.
"""

from __future__ import annotations

from typing import Any, NoReturn


def load_library(path: str) -> None:
    """Not supported.

    Raises:
        OSError: always, as for a library that does not fit.
    """
    raise OSError(f"load_library: {path} holds operators for PyTorch's C++ core, which is not "
                  "there")


class Operator:
    """An operator of PyTorch's core, or an overload of one: a name, which cannot be called."""

    def __init__(self, name: str):
        self._name = name

    def __getattr__(self, overload: str) -> Operator:
        if overload.startswith("__"):
            raise AttributeError(overload)
        return Operator(f"{self._name}.{overload}")

    def __call__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise RuntimeError(f"{self._name}: operators of PyTorch's C++ core cannot be called; use "
                           "the function of the same name in torch")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Operator) and self._name == other._name

    def __hash__(self) -> int:
        return hash(self._name)


class Namespace:
    """The operators of a library."""

    def __init__(self, name: str):
        self._name = name

    def __getattr__(self, operator: str) -> Any:
        if self._name in ("aten", "prims") and not operator.startswith("__"):
            return Operator(f"torch.ops.{self._name}.{operator}")
        raise AttributeError(f"torch.ops.{self._name}.{operator} is written for PyTorch's C++ "
                             "core; tinytensor has no such operators")


def __getattr__(name: str) -> Namespace:
    if name.startswith("__"):
        raise AttributeError(name)
    return Namespace(name)
