"""learn: tools that show what a network computes, and what is wrong with it."""

from .doctor import doctor

__all__ = ["doctor"]
