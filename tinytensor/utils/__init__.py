"""Utilities for training: data loading, checkpoints of a run, activation checkpointing, and the
summary of a model.
"""

from . import checkpoint, data, hooks, resume
from .summaries import summary

__all__ = ["checkpoint", "data", "hooks", "resume", "summary"]
