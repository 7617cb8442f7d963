"""What stands around training: data, checkpoints to resume from, activations computed twice."""

from . import checkpoint, data, resume

__all__ = ["checkpoint", "data", "resume"]
