"""Versions of memory: an error where backward needs a value that was overwritten.

A version belongs to memory, not to a Tensor: views share it because they share memory. Recording
an operation costs nothing for it. Every node and every write has a time; a value that a node saved
is stale if its memory was written later.
"""

from __future__ import annotations

import functools
import itertools
import sys
import weakref
from collections.abc import Iterable
from typing import Any

import numpy

from ..arrays.devices import is_array
from .frames import error_at, place_of, user_frame

clock = itertools.count(1)  # ticks at every recorded op and at every write to memory


class Write:
    """How often a piece of memory was written; when, by which operation and where the last time."""

    def __init__(self, memory: Any):
        key = id(memory)
        self.count, self.time, self.name = 0, 0, ""
        self.code: Any = None
        self.offset = 0
        # Called as pop(key, the reference): no frame of Python in which Ctrl-C would be lost.
        self.memory = weakref.ref(memory, functools.partial(writes.pop, key))


writes: dict[int, Write] = {}  # by the id of the array that owns the memory
last_write = 0


def owner(array: Any) -> Any:
    """The array whose memory `array` is a view of."""
    base = array.base
    while is_array(base):
        array, base = base, base.base
    if base is None:
        return array
    inner = getattr(base, "base", None)  # NumPy's as_strided puts an object between
    return owner(inner) if is_array(inner) else array


def is_all_of_its_base(view: Any) -> bool:
    """Whether a view has all elements of an array that nothing else refers to, as after a reshape:
    then nobody else can write to it.
    """
    base = view.base
    return type(base) is type(view) and base.base is None and base.size == view.size \
        and view.flags.c_contiguous and sys.getrefcount(base) <= ONE_VIEW \
        and getattr(view.flags, "writeable", True)  # not what NumPy's broadcast_to gives


def _references_of_a_base(view: Any) -> int:
    base = view.base
    return sys.getrefcount(base)


ONE_VIEW = _references_of_a_base(numpy.empty(1)[:])  # what `getrefcount` tells with one view


def note_write(array: Any, name: str) -> None:
    """Remembers that the op `name` has just written to the memory of `array`."""
    note_writes((array,), name)


def note_writes(arrays: Iterable[Any], name: str) -> None:
    """Remembers that the op `name` writes to the memory of all these arrays, at one time."""
    global last_write
    time, frame = next(clock), user_frame(3)  # this function, its caller in this package
    code, offset = frame.f_code, frame.f_lasti
    for array in arrays:
        memory = array if array.base is None else owner(array)
        write = writes.get(id(memory))
        if write is None:
            write = writes[id(memory)] = Write(memory)
        write.count += 1
        write.time = last_write = time
        write.name, write.code, write.offset = name, code, offset


def increment_version(tensor: Any) -> None:
    """Says that a Tensor, or each of several, was written to by other means than operations, so
    that a backward that needs the values of before raises an error.
    """
    tensors = (tensor,) if hasattr(tensor, "_array") else tensor
    note_writes([x._array for x in tensors], "increment_version")


def version(array: Any) -> int:
    write = writes.get(id(owner(array)))
    return write.count if write else 0


def check_unwritten(node: Any) -> None:
    """Raises if memory that `node` saved was written since.

    Raises:
        RuntimeError: naming the op, what it saved, and both places.
    """
    if node.packed:  # the program keeps the values
        return
    for name, value in zip(node.op.save_list, node.saved or (), strict=False):
        for array in value if isinstance(value, list | tuple) else (value,):
            write = writes.get(id(owner(array))) if is_array(array) else None
            if write and write.time > node.time:
                what = "its result" if name == "out" else f"its `{name}`"
                raise error_at(
                    node, f"backward: {node.op.name} ({place_of(node)}) needs {what} of shape "
                    f"{tuple(array.shape)}, but {write.name} ({place_of(write)}) has overwritten "
                    "it in place since; use the out-of-place form there, or clone() before it")
