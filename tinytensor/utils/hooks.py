"""RemovableHandle, under the name that it has in PyTorch."""

from collections.abc import Callable
from typing import Any, TypeVar

from ..nn.hooks import RemovableHandle

__all__ = ["RemovableHandle", "unserializable_hook"]

F = TypeVar("F", bound=Callable[..., Any])


def unserializable_hook(f: F) -> F:
    """The function, marked as a hook that is left out when its Tensor is pickled. Here all are."""
    f.__torch_unserializable__ = True  # type: ignore[attr-defined]
    return f
