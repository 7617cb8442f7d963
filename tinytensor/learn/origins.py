"""Where the Values of a recorded program come from.

Only the standard library and `scalar` are needed, so that `scalar_trace` runs without NumPy.
"""

from __future__ import annotations

import itertools
import weakref
from typing import Any, NamedTuple

import scalar


class Spot(NamedTuple):
    """An expression in a file, from `start` to `end` in bytes of the line; -1 is unknown."""

    file: str
    line: int
    start: int
    end: int


class Place(NamedTuple):
    """Where an operation was called.

    line       the Spot in the program, the innermost outside of both engines
    inner      that of the layer or function of the package that the program called, or None
    root       the number and the type of the outermost module, or None outside of modules
    path       the path of the innermost module in it: "layers.0"; "" is the root itself
    sample     the position in the batch, if a scalar model was called with one
    call       how many calls of this module came before, in one call of the root
    function   the function of the package that the program or a module called: "hinge_loss"
    """

    line: Spot
    inner: Spot | None
    root: tuple[int, str] | None
    path: str
    sample: int | None
    call: int
    function: str


class Origin(weakref.ref[Any]):
    """Where a Value comes from.

    place      of the operation, or of what made a leaf; None if that was outside of the block
    number     in the order of creation
    name       of a number of a sample that a module was called with: "x[0]"
    is_given   whether it is a plain number that the program gave to a module or a function
    variable   of the program that it was in when its function, or the block, ended: "n", "w[0]"
    is_named   whether that is a variable of the function that has made it
    """

    __slots__ = ("is_given", "is_named", "key", "name", "number", "place", "variable")

    def __new__(cls, value: scalar.Value, *origin: Any) -> Origin:
        return super().__new__(cls, value, _forget)

    def __init__(self, value: scalar.Value, place: Place | None = None, name: str = "",
                 is_given: bool = False):
        super().__init__(value, _forget)  # type: ignore[call-arg]
        self.place, self.name, self.is_given, self.variable = place, name, is_given, ""
        self.number, self.key, self.is_named = next(_count), id(value), False


def _forget(origin: Any) -> None:
    del _origins[origin.key]


_origins: dict[int, Origin] = {}  # by the id of a Value, which may not be compared
_count = itertools.count()


def origin_of(value: scalar.Value) -> Origin | None:
    """The origin of a Value, if it was recorded."""
    return _origins.get(id(value))
