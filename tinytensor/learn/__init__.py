"""Tools to learn with: look at every number and every gradient of both engines.

record   records lines, layers and arrays of what is computed in a block
debug    a page that replays the forward and the backward of a result, step by step
"""

from __future__ import annotations

from .page import Page, debug
from .recording import record

__all__ = ["Page", "debug", "record"]
