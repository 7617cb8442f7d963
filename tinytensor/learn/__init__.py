"""Tools for learning: look at every number of a model, and at every step that computed it.

    open       one number of a model, a result or a gradient, as a graph of single numbers

They need nothing but NumPy, and work for both engines.
"""

from ..autograd.frames import mark_own_modules
from .opening import open

__all__ = ["open"]

mark_own_modules(__name__)
