"""Utilities for training: data loading, checkpoints of a run, activation checkpointing, and the
summary of a model.
"""

from typing import Any

from . import checkpoint, data, hooks, resume
from .summaries import summary

__all__ = ["checkpoint", "data", "hooks", "resume", "set_module", "summary"]


def set_module(obj: Any, mod: Any) -> None:
    """Sets the `__module__` of an object, which its repr shows.

    Raises:
        TypeError: the module is not a string.
    """
    if not isinstance(mod, str):
        raise TypeError(f"set_module: the module must be a string, got {mod!r}")
    obj.__module__ = mod
