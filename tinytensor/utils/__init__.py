"""What stands around training: data."""

from . import data

__all__ = ["data"]
