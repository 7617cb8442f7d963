"""Tools for learning: look at every number of a model, and at every step that computed it.

    open       one number of a model, a result or a gradient, as a graph of single numbers
    explain    why a gradient that was written by hand is wrong
    doctor     what is wrong with a model, its data and its training

They need nothing but NumPy, and work for both engines.
"""

from ..autograd.frames import mark_own_modules
from .doctor import Diagnosis, doctor
from .explaining import Explanation, explain
from .opening import open

__all__ = ["Diagnosis", "Explanation", "doctor", "explain", "open"]

mark_own_modules(__name__)
