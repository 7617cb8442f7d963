"""What stands around training: data, checkpoints to resume from, activations computed twice,
the summary of a model."""

from . import checkpoint, data, resume
from .summaries import summary

__all__ = ["checkpoint", "data", "resume", "summary"]
