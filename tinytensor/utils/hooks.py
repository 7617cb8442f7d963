"""What registering a hook returns, where PyTorch programs look for it."""

from ..nn.hooks import RemovableHandle

__all__ = ["RemovableHandle"]
