"""Utilities for training: data loading, checkpoints of a run, activation checkpointing, and the
summary of a model.
"""

from typing import Any

from ..compat import absent, modules
from . import checkpoint, data, hooks, resume
from .summaries import summary

__all__ = ["checkpoint", "data", "hooks", "resume", "summary"]


def __getattr__(name: str) -> Any:
    module = modules.module_of(f"utils.{name}")
    if module is None:
        raise absent.AbsentName("tinytensor.utils", name, lambda: globals())
    return module
