"""What stands around training: data, checkpoints to resume from."""

from . import data, resume

__all__ = ["data", "resume"]
