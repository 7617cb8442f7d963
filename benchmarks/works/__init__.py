"""What is measured: one file a kind of work, each with its rows.

A row maps the name of a peer to a function that prepares the work and returns one step of it.
A peer that is not installed raises ImportError there, and its row says so.
"""

from . import moons, overhead

ROWS = {**moons.ROWS, **overhead.ROWS}
