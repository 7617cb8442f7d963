"""Tools for learning: look at every number of a model, and at every step that computed it.

    record     records lines, layers and arrays of what is computed in a block
    debug      a page that replays the forward and the backward of a result, step by step
    open       one number of a model, a result or a gradient, as a graph of single numbers
    doctor     what is wrong with a model, its data and its training

They need nothing but NumPy, and work for both engines.
"""

from ..autograd.frames import mark_own_modules
from .doctor import doctor
from .opening import open
from .page import Page, debug
from .recording import record

__all__ = ["Page", "debug", "doctor", "open", "record"]

mark_own_modules(__name__)
