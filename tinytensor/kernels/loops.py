"""Loops over elements, written in Python and compiled by Numba when they are first called.

    @loop
    def _gelu(start, stop, x, out):
        for i in range(start, stop): ...

Numba (the extra `fast`) is imported at the first kernel call on a large array. Compiled loops are
cached on disk beside the source, or in the user's cache directory if that is read-only. The cache
is valid until a file of this package changes. The first compilation prints a message. Without
Numba `fits` returns False and every kernel declines.
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
from numpy.typing import NDArray

from ..arrays.dispatch import KernelSettings
from .pool import pool

# LLVM fast-math flags. A product and a sum may be fused, which rounds once instead of twice.
# NaN and infinities keep their meaning.
EXACT = {"contract"}
REORDERED = {"contract", "reassoc", "nsz"}  # additions may be reordered, so that sums use SIMD

INLINED = {"nogil": True, "fastmath": EXACT, "error_model": "numpy", "forceinline": True}

PIECE = 8192  # elements below which another thread costs more than it saves
FLOATS = (numpy.dtype("float32"), numpy.dtype("float64"))
Array = NDArray[Any]  # of CPU kernels


class Numba:
    """The compiler, imported at the first use.

    missing     True if Numba is not installed
    announced   True once the message about compiling was printed
    """

    module: Any = None
    missing = importlib.util.find_spec("numba") is None
    lock = threading.RLock()
    announced = False

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
            if ours and not Numba.announced:
                Numba.announced = True
                print("tinytensor: compiling kernels, once; the next run finds them ready",
                      file=sys.stderr, flush=True)

        def on_end(self, compiling: Any) -> None:
            pass

    return Compiling()


def _sources() -> tuple[Any, ...]:
    """A stamp of all files of this package: loops are inlined into loops of other files, so a
    change in one file makes the cache of every file invalid.
    """
    files = sorted(Path(__file__).parent.rglob("*.py"))
    return tuple((file.name, file.stat().st_mtime_ns, file.stat().st_size) for file in files)


def _template(compiled: Any, args: Any, kws: Any) -> Any:
    """The call of a loop from another loop, without literal types: Numba would compile the loop
    anew for each literal number in a call.
    """
    unliteral = Numba.module.core.types.unliteral
    return type(compiled).get_call_template(compiled, [unliteral(a) for a in args], kws)


class Loop:
    """A function that Numba compiles at the first call, for the types of its arguments."""

    def __init__(self, function: Callable[..., Any], options: dict[str, Any]):
        self.function, self.options = function, options
        self.__doc__, self.__name__ = function.__doc__, function.__name__
        self.__module__ = function.__module__
        self.compiled: Any = None

    def dispatcher(self) -> Any:
        with Numba.lock:
            if self.compiled is None:
                made = Numba.load().njit(cache=True, no_cfunc_wrapper=True,  # C code never calls it
                                         **self.options)(self.function)
                made._cache._cache_file._source_stamp = _sources()
                made.get_call_template = functools.partial(_template, made)
                self.compiled = made
        return self.compiled

    def __call__(self, *args: Any) -> Any:
        return (self.compiled or self.dispatcher())(*args)

    @functools.cached_property
    def parallel(self) -> Any:
        """The same loop on several threads, which share its range; see `crew.py`."""
        return importlib.import_module(f"{__package__}.crew").parallel(self)

    @property
    def _numba_type_(self) -> Any:
        """The Numba type of this object, so that loops can call one another."""
        return Numba.load().core.types.Dispatcher(self.dispatcher())


def loop(function: Callable[..., Any]) -> Loop:
    """Decorates a loop over arrays. It runs without the GIL and keeps the order of operations."""
    return Loop(function, {"nogil": True, "fastmath": EXACT, "error_model": "numpy"})


def reordered(function: Callable[..., Any]) -> Loop:
    """As `inlined`, for a sum whose additions LLVM may reorder, and that does nothing else.

    What is added has to come from an `inlined` function: a subtraction in this one could be
    reordered with the sum.
    """
    return Loop(function, {**INLINED, "fastmath": REORDERED})


def inlined(function: Callable[..., Any]) -> Loop:
    """Decorates a function of single numbers that is inlined into loops; keeps the order of
    operations.
    """
    return Loop(function, INLINED)


class ByDtype:
    """A function of one number inside loops: `single` for float32, `double` for float64."""

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
        context.refresh()  # registers the overload
        return context.resolve_value_type(function)


def without_nan(function: Callable[..., Any]) -> Loop:
    """As `inlined`, where the result for NaN does not matter: LLVM then vectorises maxima."""
    return Loop(function, {**INLINED, "fastmath": {"nnan", "nsz"}})


def by_dtype(single: Callable[..., Any], double: Callable[..., Any]) -> ByDtype:
    """A function for use inside loops: `single` for float32, `double` for float64."""
    return ByDtype(single, double)


def fits(*arrays: Any, least: int | None = None) -> bool:
    """Whether the loops support these arrays: C-contiguous, of one dtype, float32 or float64.

    None is skipped. The first array must have at least `least` elements, by default
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
    """Calls loop(start, stop, *arrays, out, *numbers) on flat arrays, on several threads.

    Returns `out`, or None if the arrays do not fit. Numbers are converted to the arrays' dtype: a
    Python float in a loop would promote float32 to float64.
    """
    if not fits(*arrays):
        return None
    out = numpy.empty_like(arrays[0])
    pool.split(loop, out.size, *[a.reshape(-1) for a in arrays], out.reshape(-1),
               *[out.dtype.type(n) for n in numbers], align=64, least=PIECE)
    return out


def rows(loop: Loop, *arrays: Any) -> Any:
    """As `each`, on matrices whose rows are along the last axis; the arrays must fit."""
    out = numpy.empty_like(arrays[0])
    size = out.shape[-1]
    given = (*arrays, out) if out.ndim == 2 else [a.reshape(-1, size) for a in (*arrays, out)]
    pool.split(loop, out.size // size, *given, least=rows_per_thread(size))
    return out


def rows_per_thread(size: int) -> int:
    """How many rows of `size` elements are worth another thread."""
    return max(PIECE // size, 1)
