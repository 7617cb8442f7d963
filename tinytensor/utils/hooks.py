"""RemovableHandle, under the name that it has in PyTorch."""

from ..nn.hooks import RemovableHandle

__all__ = ["RemovableHandle"]
