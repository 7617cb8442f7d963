"""Loops over elements, written in Python and compiled by Numba when they are first called.

    @loop
    def _gelu(start, stop, x, out):
        for i in range(start, stop): ...

Numba (the extra `fast`) is imported when the first large array meets a kernel, not before. What it
compiles is kept on the disk beside the source, or in the user's cache where that is read-only,
until a file of this package changes; that something is being compiled is said once. Without Numba
`fits` is False, so that every kernel declines.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy

from ..arrays.dispatch import KernelSettings
from .pool import pool

# Additions may be reordered, so that sums take whole vectors, and joined with products; NaN and
# infinities are kept.
REORDERED = {"contract", "reassoc", "nsz"}
EXACT = {"contract"}  # for what relies on the order, as the reduction of an argument does

INLINED = {"nogil": True, "fastmath": EXACT, "error_model": "numpy", "forceinline": True}

PIECE = 8192  # elements worth a thread of their own
FLOATS = (numpy.dtype("float32"), numpy.dtype("float64"))


class Numba:
    """The compiler, once it is wanted."""

    module: Any = None
    missing = importlib.util.find_spec("numba") is None
    lock = threading.RLock()
    said = False

    @classmethod
    def load(cls) -> Any:
        with cls.lock:
            if cls.module is None:
                module: Any = importlib.import_module("numba")
                event: Any = importlib.import_module("numba.core.event")
                event.register("numba:compile", _listener(event))
                cls.module = module
        return cls.module


def _listener(event: Any) -> Any:
    class Compiling(event.Listener):  # type: ignore[misc]
        def on_start(self, compiling: Any) -> None:
            ours = compiling.data["dispatcher"].py_func.__module__.startswith(__package__ or "")
            if ours and not Numba.said:
                Numba.said = True
                print("tinytensor: compiling kernels, once; the next run finds them ready",
                      file=sys.stderr, flush=True)

        def on_end(self, compiling: Any) -> None:
            pass

    return Compiling()


def _sources() -> tuple[Any, ...]:
    """What tells one state of this package's files from another: loops are part of other loops."""
    files = sorted(Path(__file__).parent.rglob("*.py"))
    return tuple((file.name, file.stat().st_mtime_ns, file.stat().st_size) for file in files)


def _template(compiled: Any, args: Any, kws: Any) -> Any:
    """How a loop is called from another: compiled for the types of numbers, not once for each
    number that a call writes out, as Numba would.
    """
    unliteral = Numba.module.core.types.unliteral
    return type(compiled).get_call_template(compiled, [unliteral(a) for a in args], kws)


class Loop:
    """A function that is compiled, for the types it is given, when it is first called."""

    def __init__(self, function: Callable[..., Any], options: dict[str, Any]):
        self.function, self.options = function, options
        self.__doc__, self.__name__ = function.__doc__, function.__name__
        self.__module__ = function.__module__
        self.compiled: Any = None

    def dispatcher(self) -> Any:
        with Numba.lock:
            if self.compiled is None:
                made = Numba.load().njit(cache=True, no_cfunc_wrapper=True,  # none for callers in C
                                         **self.options)(self.function)
                made._cache._cache_file._source_stamp = _sources()
                made.get_call_template = functools.partial(_template, made)
                self.compiled = made
        return self.compiled

    def __call__(self, *args: Any) -> Any:
        return (self.compiled or self.dispatcher())(*args)

    @functools.cached_property
    def together(self) -> Any:
        """The same loop in pieces, each done by the thread that takes it; see `crew.py`."""
        return importlib.import_module(f"{__package__}.crew").together(self)

    @property
    def _numba_type_(self) -> Any:
        """What Numba asks of a name that a loop calls: so loops can call one another."""
        return Numba.load().core.types.Dispatcher(self.dispatcher())


def loop(function: Callable[..., Any]) -> Loop:
    """Compiled without the interpreter's lock; sums may be taken in any order."""
    return Loop(function, {"nogil": True, "fastmath": REORDERED, "error_model": "numpy"})


def inlined(function: Callable[..., Any]) -> Loop:
    """For a function of single numbers inside loops: operations stay in their order."""
    return Loop(function, INLINED)


class ByDtype:
    """A function of one number inside loops that has a body for float32, another for float64."""

    def __init__(self, single: Callable[..., Any], double: Callable[..., Any]):
        self.single, self.double = single, double
        self.type: Any = None

    @property
    def _numba_type_(self) -> Any:
        with Numba.lock:
            if self.type is None:
                self.type = self._overloaded(Numba.load())
        return self.type

    def _overloaded(self, numba: Any) -> Any:
        single, double = self.single, self.double
        extending: Any = importlib.import_module("numba.extending")

        def function(x: Any) -> Any: ...

        @extending.overload(function, jit_options=INLINED, strict=False)
        def choose(x: Any) -> Any:
            return (lambda x: single(x)) if x == numba.float32 else (lambda x: double(x))

        context = numba.core.registry.cpu_target.typing_context
        context.refresh()  # takes note of the overload
        return context.resolve_value_type(function)


def without_nan(function: Callable[..., Any]) -> Loop:
    """As `inlined`, for where any result will do if a number is NaN: maxima take vectors then."""
    return Loop(function, {**INLINED, "fastmath": {"nnan", "nsz"}})


def by_dtype(single: Callable[..., Any], double: Callable[..., Any]) -> ByDtype:
    """For inside loops: `single` of a float32, `double` of a float64."""
    return ByDtype(single, double)


def fits(*arrays: Any, least: int | None = None) -> bool:
    """Whether loops take these arrays: of one dtype, float32 or float64, dense, and large enough.

    None is skipped. The first array must have `least` elements, by default
    `KernelSettings.min_work`.
    """
    first = arrays[0]
    if Numba.missing or not first.size or first.size < (
            KernelSettings.min_work if least is None else min(least, KernelSettings.min_work)):
        return False
    dtype = first.dtype
    if dtype not in FLOATS:
        return False
    for a in arrays:
        if a is not None and (a.dtype is not dtype or not a.flags.c_contiguous):
            return False
    return True


def each(loop: Loop, *arrays: Any, numbers: tuple[float, ...] = ()) -> Any:
    """loop(start, stop, *arrays, out, *numbers), in threads, of flat arrays; None if none fit.

    Numbers become of the arrays' dtype: Python's would make float64 of float32.
    """
    if not fits(*arrays):
        return None
    out = numpy.empty_like(arrays[0])
    pool.split(loop, out.size, *[a.reshape(-1) for a in arrays], out.reshape(-1),
               *[out.dtype.type(n) for n in numbers], align=64, least=PIECE)
    return out


def rows(loop: Loop, *arrays: Any) -> Any:
    """The same of matrices, whose rows are along the last axis; they must fit."""
    out = numpy.empty_like(arrays[0])
    size = out.shape[-1]
    given = (*arrays, out) if out.ndim == 2 else [a.reshape(-1, size) for a in (*arrays, out)]
    pool.split(loop, out.size // size, *given, least=rows_a_thread(size))
    return out


def rows_a_thread(size: int) -> int:
    """How many rows of a size are worth a thread."""
    return max(PIECE // size, 1)
