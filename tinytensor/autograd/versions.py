"""How often memory was written, and where: what makes an overwritten value an error.

A version belongs to memory, not to a Tensor: views share it because they share memory. Ops
record nothing for it. Every node knows its time, every write is noted with the time of its own,
and what a node saved is stale if its memory was written later.
"""

from __future__ import annotations

import itertools
import sys
import warnings
import weakref
from collections.abc import Iterable
from typing import Any

from ..arrays.devices import is_array

clock = itertools.count(1)  # ticks at every recorded op and at every write to memory


class Write:
    """How often a piece of memory was written, and when, by what and where the last time."""

    def __init__(self, memory: Any):
        key = id(memory)
        self.count, self.time, self.name, self.place = 0, 0, "", ""
        self.memory = weakref.ref(memory, lambda _: writes.pop(key, None))


writes: dict[int, Write] = {}  # by the id of the array that owns the memory
last_write = 0


def owner(array: Any) -> Any:
    """The array whose memory `array` is a view of."""
    base = array.base
    while is_array(base):
        array, base = base, base.base
    if base is None:
        return array
    behind = getattr(base, "base", None)  # NumPy's as_strided puts an object between
    return owner(behind) if is_array(behind) else array


def note_write(array: Any, name: str) -> None:
    """Remembers that the op `name` has just written to the memory of `array`."""
    note_writes((array,), name)


def note_writes(arrays: Iterable[Any], name: str) -> None:
    """Remembers that the op `name` writes to the memory of all these arrays, at one time."""
    global last_write
    time, place = next(clock), caller()
    for array in arrays:
        memory = array if array.base is None else owner(array)
        write = writes.get(id(memory))
        if write is None:
            write = writes[id(memory)] = Write(memory)
        write.count += 1
        write.time = last_write = time
        write.name, write.place = name, place


def version(array: Any) -> int:
    write = writes.get(id(owner(array)))
    return write.count if write else 0



def check_unwritten(node: Any) -> None:
    """Raises if memory that `node` saved was written since.

    Raises:
        RuntimeError: naming the op, what it saved, and both places.
    """
    for name, value in zip(node.op.save_list, node.saved or (), strict=False):
        for array in value if isinstance(value, list | tuple) else (value,):
            write = writes.get(id(owner(array))) if is_array(array) else None
            if write and write.time > node.time:
                what = "its result" if name == "out" else f"its `{name}`"
                raise RuntimeError(
                    f"backward: {node.op.name} ({place_of(node)}) needs {what} of shape "
                    f"{tuple(array.shape)}, but {write.name} ({write.place}) has overwritten "
                    "it in place since; use the out-of-place form there, or clone() before it")


OWN = "__tinytensor__"  # a global of the package's modules: it tells their frames from others'


def mark_own_modules(package: str) -> None:
    """Marks the modules of the package, so that errors can name the line outside of it."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == package:
            vars(module)[OWN] = True


def caller() -> str:
    """The line outside of this package that is being executed."""
    frame: Any = sys._getframe(1)
    while OWN in frame.f_globals and frame.f_back:
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warns, at the line outside of this package that is being executed."""
    frame: Any = sys._getframe(0)
    level = 1
    while OWN in frame.f_globals and frame.f_back:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def place_of(node: Any) -> str:
    """file:line of the call that left `node` behind."""
    code, offset = node.code, node.offset
    line = next((ln for start, end, ln in code.co_lines() if start <= offset < end), None)
    return f"{code.co_filename}:{line or code.co_firstlineno}"
