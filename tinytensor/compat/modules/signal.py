"""`torch.signal`: window functions."""

from . import signal_windows as windows

__all__ = ["windows"]
