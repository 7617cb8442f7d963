"""Loops over elements, written in Python and compiled by Numba when they are first called.

    @loop
    def _gelu(start, stop, x, out):
        for i in range(start, stop): ...

Numba (the extra `fast`) is imported at the first kernel call on a large array. Compiled loops are
kept in files, see `cache.py`. On a terminal each compilation is reported, with its time; the logger
"tinytensor.kernels" has it everywhere. Without Numba `Numba.usable` is False and every kernel
declines. So it does, after a warning that says what to do, if Numba does not work. A single loop
that does not compile raises NotCompiledError, which declines its kernel.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, ClassVar

import numpy
from numpy.typing import NDArray

from ..arrays.dispatch import KernelSettings, NotCompiledError
from ..autograd.frames import warn
from ..tensors.retaining import unseen
from .pool import pool

# LLVM fast-math flags. A product and a sum may be fused, which rounds once instead of twice.
# NaN and infinities keep their meaning.
EXACT = {"contract"}
REORDERED = {"contract", "reassoc", "nsz"}  # additions may be reordered, so that sums use SIMD

INLINED = {"nogil": True, "fastmath": EXACT, "error_model": "numpy", "forceinline": True}

VERSIONS_ADVICE = ("install versions of Numba and NumPy that go together "
                   f"(NumPy is {numpy.__version__})")
PIECE = 8192  # elements below which another thread costs more than it saves
FLOATS = (numpy.dtype("float32"), numpy.dtype("float64"))
Array = NDArray[Any]  # of CPU kernels


class Numba:
    """The compiler, imported at the first use.

    missing   True if Numba is not installed
    ready     True once it is known to work
    """

    module: Any = None
    missing = importlib.util.find_spec("numba") is None
    ready = False
    broken = missing
    warned = False  # of a loop that does not compile
    lock = threading.RLock()

    @classmethod
    def load(cls) -> Any:
        with cls.lock:
            if cls.module is None:
                module: Any = importlib.import_module("numba")
                event: Any = importlib.import_module("numba.core.event")
                event.register("numba:compile", _listener(event))
                cls.module = module
        return cls.module

    @classmethod
    def usable(cls) -> bool:
        """Whether loops can be compiled. Warns, once, if Numba is installed but does not work."""
        if cls.ready or cls.broken:
            return cls.ready
        with cls.lock:
            if cls.ready or cls.broken:
                return cls.ready
            with unseen():
                trouble = cls._trouble()
            cls.ready, cls.broken = not trouble, bool(trouble)
        if trouble:
            warn(f"the kernels are off, and NumPy computes in their place, slower: {trouble}; "
                 "TINYTENSOR_KERNELS=0 turns this warning off", RuntimeWarning)
        return cls.ready

    @classmethod
    def _trouble(cls) -> str:
        """Why loops cannot be compiled, and what to do; empty if they can."""
        try:
            if cls.load().config.DISABLE_JIT:
                return "NUMBA_DISABLE_JIT is set; unset it"
            cache: Any = importlib.import_module(f"{__package__}.cache")
            if not cache.is_there():
                listed = ", ".join(map(str, cache.folders()))
                return (f"no folder for compiled code is writable ({listed}); name one in the "
                        "environment variable TINYTENSOR_CACHE_DIR")
            _probe(numpy.zeros(1))
        except Exception as error:
            kind = "" if isinstance(error, NotCompiledError) else f"{type(error).__name__}: "
            return f"Numba does not work here ({kind}{error}); {VERSIONS_ADVICE}"
        return ""

    @classmethod
    def refused(cls, name: str, error: Exception) -> NotCompiledError:
        """The error for a loop that does not compile. Warns of the first, once Numba has worked."""
        text = f"{type(error).__name__}: {error}"
        if cls.ready and not cls.warned:
            cls.warned = True
            start = " ".join(text.split())[:200]  # Numba's messages have many lines
            warn(f"the kernel {name} is off, and NumPy computes in its place, slower, as for every "
                 f"kernel that does not compile ({start}); {VERSIONS_ADVICE}", RuntimeWarning)
        return NotCompiledError(text)

    @classmethod
    def say(cls, name: str, seconds: float) -> None:
        """Reports a compilation."""
        text = f"tinytensor: compiled the kernel {name} in {seconds:.1f} s"
        logging: Any = importlib.import_module("logging")
        logging.getLogger("tinytensor.kernels").info(text)
        if sys.stderr is not None and sys.stderr.isatty():
            bars = getattr(sys.modules.get("tqdm"), "tqdm", None)
            if bars is None:
                print(text, file=sys.stderr, flush=True)
            else:  # above a progress bar, not across it
                bars.write(text, file=sys.stderr)


def _shown(name: str) -> str:
    """The name of a loop in messages."""
    return name.strip("_").removesuffix("_parallel")


def _listener(event: Any) -> Any:
    class Compiling(event.Listener):  # type: ignore[misc]
        """Reports what is compiled, with the loops inside it. Numba compiles in one thread."""

        started: ClassVar[list[float]] = []

        def on_start(self, compiling: Any) -> None:
            self.started.append(time.perf_counter())

        def on_end(self, compiling: Any) -> None:
            seconds = time.perf_counter() - self.started.pop()
            function = compiling.data["dispatcher"].py_func
            ours = function.__module__.startswith(f"{__package__}.")
            # (`is_failed` of Numba 0.68 says the opposite.)
            if ours and not self.started and compiling._exc_details is None \
                    and function is not _probe.function:
                Numba.say(_shown(function.__name__), seconds)

    return Compiling()


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
        with Numba.lock, unseen():
            if self.compiled is None:
                cache: Any = importlib.import_module(f"{__package__}.cache")
                made = Numba.load().njit(no_cfunc_wrapper=True,  # C code never calls it
                                         **self.options)(self.function)
                made._cache = cache.Cache(self)
                made.get_call_template = functools.partial(_template, made)
                made._compile_for_args = functools.partial(self._compile, made)
                self.compiled = made
        return self.compiled

    def _compile(self, made: Any, *args: Any, **kwargs: Any) -> Any:
        """Compiles the loop for these arguments, as Numba does at the first call with their types.

        Raises:
            NotCompiledError: it does not compile. Later calls raise this at once.
        """
        try:
            with unseen():
                return type(made)._compile_for_args(made, *args, **kwargs)
        except Exception as error:
            refused = Numba.refused(_shown(self.__name__), error)

        def refuse(*args: Any) -> None:
            raise refused.with_traceback(None)

        self.compiled = refuse
        raise refused

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


def undivided(function: Callable[..., Any]) -> Loop:
    """Decorates a function that holds the GIL: no other Python code runs meanwhile."""
    return Loop(function, {"error_model": "numpy"})


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


@loop
def _probe(x):
    """Compiled before the others, to see whether Numba works."""
    x[0] += 1


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
    if not first.size or first.size < (
            KernelSettings.min_work if least is None else min(least, KernelSettings.min_work)):
        return False
    dtype = first.dtype
    if dtype not in FLOATS:
        return False
    for a in arrays:
        if a is not None and (a.dtype is not dtype or not a.flags.c_contiguous):
            return False
    return Numba.ready or Numba.usable()


def each(loop: Loop, *arrays: Any, numbers: tuple[float, ...] = ()) -> Any:
    """Calls loop(start, stop, *arrays, out, *numbers) on flat arrays, on several threads.

    Returns `out`, or None if the arrays do not fit. Numbers are converted to the arrays' dtype: a
    Python float in a loop would promote float32 to float64.
    """
    if not fits(*arrays) or len(arrays) > 1 and arrays[1].shape != arrays[0].shape:
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
