"""Tools for learning: look at every number of a model, and at every step that computed it.

    record     records lines, layers and arrays of what is computed in a block
    debug      a page that replays the forward and the backward of a result, step by step
    open       one number of a model, a result or a gradient, as a graph of single numbers
    explain    why a gradient that was computed by hand is wrong
    doctor     what is wrong with a model, its data and its training

They need nothing but NumPy, and work for both engines.
"""

from ..autograd.frames import mark_own_modules
from .doctor import Diagnosis, doctor
from .explaining import Explanation, explain
from .opening import open
from .page import Page, debug
from .recording import record

__all__ = ["Diagnosis", "Explanation", "Page", "debug", "doctor", "explain", "open", "record"]

mark_own_modules(__name__)
