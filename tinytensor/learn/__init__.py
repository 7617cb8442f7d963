"""Tools for learning: look at every number of a model, and at every step that computed it.

    open       one number of a model, a result or a gradient, as a graph of single numbers
    doctor     what is wrong with a model, its data and its training

They need nothing but NumPy, and work for both engines.
"""

from ..autograd.frames import mark_own_modules
from .doctor import doctor
from .opening import open

__all__ = ["doctor", "open"]

mark_own_modules(__name__)
