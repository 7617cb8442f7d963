"""Checks of values in the memory of a GPU, read with the next number.

To look at a value on a GPU, the host waits until all work that was launched before is done. So a
check there only leaves a mark in the memory of the GPU. The marks are read when the program next
reads a number of a GPU or synchronises, where the host waits in any case. The error is then the
one that the CPU raises at once; it names the operation and the line of the call:

    cross_entropy: label 12 is out of range for 10 classes: it must be in [0, 9], or ignore_index
    (-100) (the call at train.py:31; found when a number was read from the GPU)

Until then the program computes on with a wrong result: CuPy wraps positions around.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, NamedTuple

from ..arrays import devices
from ..arrays.dispatch import Dispatch
from ..arrays.meta import is_meta
from .frames import caller

PLACES = 1024  # marks of a GPU; each call of a program that is checked has one
VALUE = "{value}"  # in an error's text, replaced by the wrong value when the mark is read


class Check(NamedTuple):
    """What a mark means: the error to raise, and the line of the call."""

    kind: type[Exception]
    message: str
    place: str
    whole: bool  # whether values are integers


class Marks:
    """The marks of one GPU: for each check whether it failed, and a wrong value."""

    def __init__(self) -> None:
        self.array = devices.gpu_module().zeros((PLACES, 2), dtype="float64")
        self.checks: dict[Check, int] = {}
        self.made: dict[int, None] = {}  # the marks since the last reading, in order
        self.streams: dict[Any, Any] = {}  # those on which checks were made since the last reading

    def place(self, check: Check) -> Any:
        """The mark of a check."""
        if check not in self.checks and len(self.checks) == PLACES:
            read()
            self.checks.clear()
        index = self.checks.setdefault(check, len(self.checks))
        self.made.setdefault(index)
        return self.array[index]

    def failed(self) -> tuple[Check, float] | None:
        """The first check that failed and its wrong value. Waits, and forgets all failures."""
        for stream in self.streams.values():
            stream.synchronize()
        self.streams.clear()
        made, self.made = self.made, {}
        host = self.array.get()
        if not host[:, 0].any():
            return None
        self.array.fill(0)
        wrong = next((i for i in made if host[i, 0]), int(host[:, 0].argmax()))
        return next((c, host[wrong, 1]) for c, i in self.checks.items() if i == wrong)


_marks: dict[tuple[Any, int | None], Marks] = {}  # by the module and the index of the GPU
_lock = threading.RLock()


def check_range(array: Any, low: float, high: float, error: Callable[[Any], Exception],
                exempt: float | None = None) -> None:
    """Raises error(value) for an element outside of [low, high] that is not `exempt`: at once if
    the array is on the CPU, else with the next reading. The value is given as text.
    """
    if not array.size or is_meta(array):
        return
    if low > high and exempt is None:  # nothing is right; kernels would divide by a size of 0
        raise error(_shown(array.ravel()[0].item()))
    if devices.is_gpu_array(array):
        range_check(array, low, high, error, exempt).run(array)
        return
    if exempt is not None:
        array = array[array != exempt]
    smallest, largest = array.min(), array.max()
    if not (smallest >= low and largest <= high):  # also where they are NaN
        raise error(_shown((largest if smallest >= low else smallest).item()))


def _shown(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:g}"


def check_all(holds: Any, error: Callable[[], Exception]) -> None:
    """Raises error() unless all elements of a bool array are True, as `check_range`."""
    if is_meta(holds):
        return
    if devices.is_gpu_array(holds):
        range_check(holds, 1, 1, lambda value: error()).run(holds)
    elif not holds.all():
        raise error()


def prepare() -> None:
    """Makes the marks of the current GPU: to be called before work on it is captured into a CUDA
    graph, whose memory they must not lie in.
    """
    with _lock:
        _marks_of(devices.active_gpu())


def note_replay() -> None:
    """To be called after the replay of a CUDA graph, whose checks may have failed."""
    with _lock:
        stream = devices.cupy().cuda.get_current_stream()
        _marks_of(devices.active_gpu()).streams[stream.ptr] = stream
        devices.Reading.wanted = True


def _marks_of(gpu: int | None) -> Marks:
    """The marks of a GPU, which is the current one."""
    key = devices.cupy(), gpu
    if key not in _marks:
        _marks[key] = Marks()
    return _marks[key]


class RangeCheck(NamedTuple):
    """A check of an array on a GPU, for an operation that reads the array in any case: its kernel
    sets the mark to (1, x) for some x outside of [low, high] that is not `exempt`.
    """

    mark: Any
    low: float
    high: float
    exempt: float  # NaN if there is none

    def run(self, array: Any) -> None:
        """Makes the check, in a launch of its own."""
        if not array.size:
            return
        with devices.cupy().cuda.Device(devices.device_of(array).index):
            mark_if_outside(devices.gpu_module(), array, *self)


def range_check(array: Any, low: float, high: float, error: Callable[[Any], Exception],
                exempt: float | None = None) -> RangeCheck:
    """The check of `check_range` for an array on a GPU. The caller makes it at once."""
    with _lock:
        cupy, gpu = devices.cupy(), devices.device_of(array).index
        with cupy.cuda.Device(gpu):
            failure = error(VALUE)
            check = Check(type(failure), str(failure), caller(), array.dtype.kind in "biu")
            marks = _marks_of(gpu)
            mark = marks.place(check)
            stream = cupy.cuda.get_current_stream()
            marks.streams[stream.ptr] = stream
            devices.Reading.wanted = True
            return RangeCheck(mark, float(low), float(high),
                              float("nan") if exempt is None else float(exempt))


def _mark(xp: Any, array: Any, mark: Any, low: float, high: float, exempt: float) -> None:
    """mark ← (1, x) for some x of the array outside of [low, high] that is not `exempt`."""
    values = xp.reshape(array, (-1,)).astype(xp.float64)
    wrong = ~((values >= low) & (values <= high) | (values == exempt))
    at = xp.argmax(wrong)
    found = xp.stack([xp.ones((), dtype=xp.float64), xp.take(values, at)])
    mark[...] = xp.where(xp.take(wrong, at), found, mark)


mark_if_outside = Dispatch("mark_if_outside", _mark)


def read() -> None:
    """Raises the error of a check that failed since the last reading. Waits for the GPU.

    Raises:
        the error of the check, with the line of the call.
    """
    devices.Reading.wanted = False
    with _lock:
        for (cupy, gpu), marks in _marks.items():
            with cupy.cuda.Device(gpu):
                failed = marks.failed()
            if failed is not None:
                check, value = failed
                shown = _shown(int(value) if check.whole else value)
                raise check.kind(f"{check.message.replace(VALUE, shown)} (the call at "
                                 f"{check.place}; found when a number was read from the GPU)")


devices.Reading.read = staticmethod(read)
