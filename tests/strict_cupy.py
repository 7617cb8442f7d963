"""A substitute for CuPy built on NumPy: code that would fail on a GPU fails here, on any machine.

It does not emulate a GPU. It refuses what CuPy refuses, and computes what CuPy computes where that
is something else than NumPy's result. Like CuPy's arrays, its arrays

* are not NumPy arrays: `numpy.asarray(x)` raises, and `x.get()` converts;
* refuse NumPy arrays and lists as operands and arguments (scalars are accepted);
* are 0-d where NumPy returns scalars, and wrap indices that are out of range;
* have no flag `writeable`, no `reduceat` except that of `add`, no `initial=` and `where=` in
  reductions, none of the functions in MISSING, and `add.at` and its like for some dtypes only;
* round quotients of floats before they round down (5 // 0.1 is 50), shift modulo the number of
  bits, and have any NaN for the largest element.

It is stricter in three respects. NumPy's functions raise on these arrays, while they accept CuPy's.
Functions that CuPy passes on to a NumPy array (`sum`, `reshape`) refuse it. Arrays may be used only
while their device is the current one; CuPy reaches into another GPU where the machine allows it.

`tests/test_strict_cupy.py` asks both the same.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import cuda_on_cpu
import numpy

# Functions of NumPy that CuPy 14 does not have.
MISSING = set("""asmatrix block bmat busday_count busday_offset datetime_as_string datetime_data
    einsum_path errstate frompyfunc fromregex geomspace getbufsize geterr geterrcall
    histogram_bin_edges insert is_busday isnat matvec nanpercentile nanquantile nested_iters polyder
    polydiv polyint setbufsize seterr seterrcall spacing unstack vecdot vecmat
    busdaycalendar bytes_ character clongdouble complex256 datetime64 flexible float128 get_include
    info longdouble matrix memmap ndenumerate nditer object_ recarray record show_runtime str_ test
    timedelta64 void""".split())
LINALG = ("matrix_power cross matmul matrix_transpose cholesky qr svd eigh eig eigvalsh eigvals "
          "norm cond det matrix_rank slogdet solve tensorsolve lstsq inv pinv tensorinv").split()
METHODS = """all any argmax argmin argpartition argsort astype choose clip compress conj
    cumprod cumsum diagonal dot flatten max mean min nonzero partition prod ptp ravel repeat reshape
    round searchsorted sort squeeze std sum swapaxes take trace transpose var""".split()
CREATION = set("""array asarray asanyarray ascontiguousarray zeros ones empty full arange linspace
    logspace eye identity tri indices meshgrid diag_indices finfo iinfo dtype result_type can_cast
    promote_types issubdtype isscalar shape ndim size frombuffer triu_indices
    tril_indices""".split())
WIDE_INTEGERS = ("int32", "int64", "uint32", "uint64")
SCATTERS = {  # the functions with `at`, and the dtypes it is for
    "add": (*WIDE_INTEGERS, "float16", "float32", "float64"), "subtract": ("int32", "uint32"),
    **dict.fromkeys(("maximum", "minimum"), (*WIDE_INTEGERS, "float32", "float64")),
    **dict.fromkeys(("bitwise_and", "bitwise_or", "bitwise_xor"), WIDE_INTEGERS)}
REDUCTIONS = set("sum prod max min amax amin mean any all std var nansum argmax argmin".split())
SCALARS = bool | int | float | complex | numpy.generic


# ---------------------------------------------------------------- devices


waits: list[str] = []  # what the host has waited for: numbers that were read, sizes of results

WAITING = set("""nonzero flatnonzero argwhere unique bincount argpartition partition histogram
    extract compress array_equiv""".split())


def note_wait(what: str) -> None:
    waits.append(what)


class Here(threading.local):
    """The current device of a thread."""

    device = 0


here = Here()


class Device:
    """`with Device(1):` makes a device the current one."""

    def __init__(self, device: int | None = None):
        self.id = here.device if device is None else int(device)

    def __enter__(self) -> Device:
        self.previous, here.device = here.device, self.id
        return self

    def __exit__(self, *exception: object) -> None:
        here.device = self.previous

    def use(self) -> None:
        here.device = self.id


    def synchronize(self) -> None:
        pass

    @property
    def compute_capability(self) -> str:
        return "90"

    @property
    def mem_info(self) -> tuple[int, int]:
        return 79 << 30, 80 << 30

    @property
    def attributes(self) -> dict[str, int]:
        return {"MultiProcessorCount": 132, "WarpSize": 32}


class Stream:
    """A queue of work, which is done at once here."""

    null: Stream
    current: Stream
    outer: ClassVar[list[Stream]] = []

    def __init__(self, null: bool = False, non_blocking: bool = False, ptds: bool = False,
                 priority: int | None = None):
        self.ptr = 0 if null else id(self)
        self.device_id = -1 if null else here.device
        self.priority = priority or 0

    def __enter__(self) -> Stream:
        Stream.outer.append(Stream.current)
        return self.use()

    def __exit__(self, *exception: object) -> None:
        Stream.current = Stream.outer.pop()

    def use(self) -> Stream:
        Stream.current = self
        return self

    done = True

    def synchronize(self) -> None:
        pass

    def wait_event(self, event: Event) -> None:
        pass

    def record(self, event: Event | None = None) -> Event:
        event = event or Event()
        event.record(self)
        return event

    def is_capturing(self) -> bool:
        return False


class Event:
    """A point in a stream."""

    def __init__(self, block: bool = False, disable_timing: bool = False,
                 interprocess: bool = False):
        self.time: float | None = None

    done = True

    def record(self, stream: Stream | None = None) -> None:
        self.time = time.perf_counter()

    def synchronize(self) -> None:
        pass


def get_elapsed_time(start: Event, end: Event) -> float:
    if start.time is None or end.time is None:
        raise RuntimeError("cudaErrorInvalidResourceHandle: invalid resource handle")
    return (end.time - start.time) * 1000


class OutOfMemoryError(MemoryError):
    pass


def alloc_pinned_memory(size: int) -> Any:
    """Memory of the host, here like any other."""
    return numpy.empty(max(size, 1), numpy.uint8).data


Stream.null = Stream.current = Stream(null=True)
cuda = SimpleNamespace(
    Device=Device, Stream=Stream, Event=Event, get_elapsed_time=get_elapsed_time,
    get_current_stream=lambda: Stream.current, alloc_pinned_memory=alloc_pinned_memory,
    memory=SimpleNamespace(OutOfMemoryError=OutOfMemoryError),
    MemoryHook=contextlib.nullcontext,
    runtime=SimpleNamespace(
        deviceCanAccessPeer=lambda a, b: 1, getDevice=lambda: here.device,
        getDeviceCount=lambda: 2,
        runtimeGetVersion=lambda: 12090,
        driverGetVersion=lambda: 12090,
        getDeviceProperties=lambda i: {
            "name": b"strict stand-in", "totalGlobalMem": 80 << 30, "major": 9, "minor": 0,
            "multiProcessorCount": 132, "warpSize": 32, "maxThreadsPerMultiProcessor": 2048,
            "regsPerMultiprocessor": 65536, "l2CacheSize": 50 << 20,
            "sharedMemPerBlock": 48 << 10, "integrated": 0, "isMultiGpuBoard": 0}))


def get_default_memory_pool() -> Any:
    return SimpleNamespace(used_bytes=lambda: 0, total_bytes=lambda: 0, n_free_blocks=lambda: 0,
                           free_all_blocks=lambda: None, get_limit=lambda: 0)


# ---------------------------------------------------------------- conversion


def root(array: numpy.ndarray[Any, Any]) -> numpy.ndarray[Any, Any]:
    """The array that owns the memory."""
    while isinstance(array.base, numpy.ndarray):
        array = array.base
    return array


def raw(x: Any) -> Any:
    """The NumPy arrays of an argument. Raises if CuPy would not accept the argument."""
    if isinstance(x, ndarray):
        if x.device.id != here.device:
            raise ValueError(f"The device where the array resides ({x.device.id}) is different "
                             f"from the current device ({here.device}).")
        return x._memory
    if isinstance(x, numpy.ndarray):
        raise TypeError(f"Unsupported type {type(x)}")
    if isinstance(x, tuple | list):
        return type(x)(map(raw, x)) if type(x) in (tuple, list) else x
    if hasattr(x, "__cuda_array_interface__"):
        raise AssertionError(f"CuPy would take a {type(x).__name__} for an array of its own")
    return x


def strict(result: Any, *sources: Any) -> Any:
    """A result as arrays of this module. A view gets as its base the source that it views."""
    if isinstance(result, tuple | list):
        return type(result)(strict(r, *sources) for r in result) if type(result) in (
            tuple, list) else tuple(strict(r, *sources) for r in result)
    if isinstance(result, numpy.generic):
        result = numpy.asarray(result)
    if not isinstance(result, numpy.ndarray):
        return result
    made = object.__new__(ndarray)
    made._memory, made.base, made.device = result, None, Device()
    for source in sources:
        if not isinstance(source, ndarray):
            continue
        if source._memory is result:
            return source
        if root(result) is root(source._memory):
            made.base = source if source.base is None else source.base
    return made


def flat(args: Any) -> Iterator[Any]:
    for x in args:
        if isinstance(x, tuple | list):
            yield from flat(x)
        else:
            yield x


def wrapped(function: Any, name: str) -> Any:
    """A function of NumPy, changed to take and return arrays of this module."""
    function = OTHERWISE.get(name, function)

    def call(*args: Any, **kwargs: Any) -> Any:
        if name in ("full", "full_like"):  # a 0-d array of NumPy is a number for them
            args = tuple(x[()] if isinstance(x, numpy.ndarray) and not x.ndim else x for x in args)
        given = [*flat((*args, *kwargs.values()))]
        if name not in CREATION and not any(isinstance(x, ndarray) for x in given):
            raise TypeError(f"{name}: Unsupported type {type(args[0] if args else None)}")
        if name not in CREATION and args and isinstance(args[0], list | tuple) and not all(
                isinstance(x, ndarray) for x in args[0]):
            raise TypeError(f"{name}: only cupy arrays can be joined")
        if name in REDUCTIONS and {"initial", "where"} & kwargs.keys():
            raise TypeError(f"{name}() got an unexpected keyword argument")
        if name in ("sort", "argsort") and kwargs.get("kind") not in (None, "stable"):
            raise ValueError(f"{name}: kind must be None or 'stable'")
        if name in ("allclose", "array_equal"):
            return strict(numpy.asarray(function(*raw(args), **kwargs)))
        if name in WAITING:
            note_wait(name)
        with numpy.errstate(all="ignore"):
            result = function(*raw(args), **{k: raw(v) for k, v in kwargs.items()})
        return strict(result, *given)

    call.__name__ = name
    return call


class ufunc:  # noqa: N801 - CuPy's name
    """An elementwise function that accepts only arrays of this module and scalars."""

    def __init__(self, of: numpy.ufunc):
        self.of, self.__name__ = of, of.__name__

    def __call__(self, *args: Any, out: Any = None, dtype: Any = None,
                 casting: str = "same_kind") -> Any:
        for x in args:
            if not isinstance(x, ndarray | SCALARS):
                raise TypeError(f"{self.__name__}: Unsupported type {type(x)}")
        for x in args:
            if isinstance(x, int) and not -2**63 <= x < 2**64:
                raise OverflowError("Python int too large to convert to C long")
        outs = () if out is None else out if isinstance(out, tuple) else (out,)
        compute = OTHERWISE.get(self.__name__, self.of)
        options = {} if compute is not self.of else {"dtype": dtype, "casting": casting}
        if outs:
            options["out"] = raw(outs)
        try:
            with numpy.errstate(all="ignore"):  # a GPU gives no warnings
                result = compute(*raw(args), **options)
        except numpy._core._exceptions.UFuncTypeError as error:
            raise TypeError(str(error)) from None
        return strict(result, *args, *outs)

    def outer(self, a: Any, b: Any) -> Any:
        return strict(self.of.outer(raw(a), raw(b)))

    def at(self, a: Any, indices: Any, b: Any = None) -> None:
        if self.__name__ not in SCATTERS:
            raise NotImplementedError(f"`cupy_{self.__name__}.at` is not supported yet")
        if a.dtype.name not in SCATTERS[self.__name__]:
            raise TypeError(f"cupy.{self.__name__}.at only supports "
                            f"{', '.join(SCATTERS[self.__name__])} as data type")
        if isinstance(b, numpy.ndarray | list):
            raise TypeError(f"Unsupported type {type(b)}")
        self.of.at(raw(a), key_of(a, indices), raw(b))

    def reduceat(self, array: Any, indices: Any, axis: int = 0) -> Any:
        """Differences of the cumulative sum, as in CuPy. They lose digits in float32."""
        if self.__name__ != "add":
            raise NotImplementedError(f"`cupy_{self.__name__}.reduceat` is not supported yet")
        a, starts = raw(array), raw(indices)
        first = numpy.zeros_like(a.take([0], axis))
        sums = numpy.concatenate([first, a.cumsum(axis, dtype=a.dtype)], axis)
        ends = numpy.append(starts[1:], a.shape[axis])
        assert (ends > starts).all(), "runs of at least one element"
        return strict(sums.take(ends, axis) - sums.take(starts, axis))

    def accumulate(self, array: Any, axis: int = 0) -> Any:
        if self.__name__ not in ("add", "multiply"):
            raise NotImplementedError(f"`cupy_{self.__name__}.accumulate` is not supported yet")
        return strict(self.of.accumulate(raw(array), axis))

    def reduce(self, array: Any, axis: Any = 0, dtype: Any = None, out: Any = None,
               keepdims: bool = False) -> Any:
        if self.__name__ not in ("add", "multiply"):
            raise NotImplementedError(f"`cupy_{self.__name__}.reduce` is not supported yet")
        return strict(self.of.reduce(raw(array), axis, dtype, raw(out), keepdims), out)

    def __repr__(self) -> str:
        return f"<ufunc 'cupy_{self.__name__}'>"


# ---------------------------------------------------------------- other results than NumPy's


def floor_divide(a: Any, b: Any, **out: Any) -> Any:
    """The rounded quotient, rounded down."""
    if numpy.result_type(a, b).kind != "f":
        return numpy.floor_divide(a, b, **out)
    return numpy.floor(numpy.true_divide(a, b), **out)


def remainder(a: Any, b: Any, **out: Any) -> Any:
    if numpy.result_type(a, b).kind != "f":
        return numpy.remainder(a, b, **out)
    return numpy.subtract(a, numpy.floor(numpy.true_divide(a, b)) * b, **out)


def shifted(shift: Any) -> Any:
    """Shifts modulo the number of bits, which is at least 32."""
    def function(a: Any, b: Any, **out: Any) -> Any:
        dtype = numpy.result_type(a, b)
        bits = max(8 * dtype.itemsize, 32)
        kind = numpy.dtype(f"{'u' if dtype.kind == 'u' else 'i'}{bits // 8}")
        wide = shift(numpy.asarray(a, kind), (numpy.asarray(b) % bits).astype(kind))
        return numpy.positive(wide.astype(dtype), **out)

    return function


def power(a: Any, b: Any, **out: Any) -> Any:
    """Integers to a negative power: 1 and -1 have an inverse, the others become 0."""
    dtype = numpy.result_type(a, b)
    if dtype.kind != "i" or not numpy.any(numpy.asarray(b) < 0):
        return numpy.power(a, b, **out)
    with numpy.errstate(divide="ignore"):
        return numpy.positive(numpy.trunc(numpy.float_power(a, b)).astype(dtype), **out)


def last_nan(function: Any) -> Any:
    """argmax or argmin, with the last of several NaNs. CuPy may give any of them."""
    def call(x: Any, axis: int | None = None, out: Any = None, keepdims: bool = False) -> Any:
        x = x.reshape(-1) if axis is None else x
        axis = 0 if axis is None else axis
        nan = numpy.isnan(x) if x.dtype.kind == "f" else numpy.zeros_like(x, bool)
        last = x.shape[axis] - 1 - numpy.argmax(numpy.flip(nan, axis), axis=axis)
        found = numpy.where(nan.any(axis=axis), last, function(x, axis=axis))
        return numpy.expand_dims(found, axis) if keepdims else found

    return call


def take(a: Any, indices: Any, axis: int | None = None, out: Any = None) -> Any:
    """Positions out of range wrap around."""
    return numpy.take(a, indices, axis, out, mode="wrap")


def where(condition: Any, *others: Any) -> Any:
    if not isinstance(condition, numpy.ndarray):
        raise AttributeError(f"{type(condition).__name__!r} object has no attribute 'astype'")
    return numpy.where(condition, *others)


def clip(a: Any, a_min: Any = None, a_max: Any = None, out: Any = None) -> Any:
    for limit in (a_min, a_max):
        if a.dtype.kind in "iu" and isinstance(limit, int):
            a.dtype.type(limit)  # an OverflowError
    return numpy.clip(a, a_min, a_max, out=out)


def choose(a: Any, choices: Any, out: Any = None, mode: str = "raise") -> Any:
    return numpy.choose(a, choices.shape and choices, out, mode)


def solve(a: Any, b: Any) -> Any:
    if a.ndim > 2 and b.ndim == a.ndim - 1:
        raise ValueError("a must have (..., M, M) shape and b must have (..., M, K) for "
                         "multidimensional b")
    if not b.size and a.size:
        raise ZeroDivisionError("division by zero")
    solution = numpy.linalg.solve(a, b)
    return solution if b.ndim == 1 else numpy.ascontiguousarray(solution.mT).mT  # by columns


OTHERWISE: dict[str, Any] = {
    "floor_divide": floor_divide, "remainder": remainder, "mod": remainder, "power": power,
    "pow": power, "argmax": last_nan(numpy.argmax), "argmin": last_nan(numpy.argmin), "take": take,
    "where": where, "clip": clip, "choose": choose,
    **dict.fromkeys(("left_shift", "bitwise_left_shift"), shifted(numpy.left_shift)),
    **dict.fromkeys(("right_shift", "bitwise_right_shift"), shifted(numpy.right_shift))}


# ---------------------------------------------------------------- the array


def key_of(array: ndarray, key: Any) -> Any:
    """The index for NumPy. Positions out of range wrap around, as on the GPU."""
    keys = list(key) if isinstance(key, tuple) else [key]
    if any(isinstance(k, ndarray) and k.dtype.kind == "b" for k in keys):
        note_wait("an index with a mask")
    keys = [k._memory if isinstance(k, ndarray) else numpy.asarray(k) if isinstance(k, list) else k
            for k in keys]
    used = sum(k.ndim if isinstance(k, numpy.ndarray) and k.dtype.kind == "b" else 1
               for k in keys if k is not None and k is not Ellipsis)
    axis = 0
    for i, k in enumerate(keys):
        if k is Ellipsis:
            axis += array.ndim - used
        elif isinstance(k, numpy.ndarray) and k.dtype.kind in "iu":
            keys[i] = k % max(array.shape[axis], 1)
            axis += 1
        elif k is not None:
            axis += k.ndim if isinstance(k, numpy.ndarray) else 1
    return tuple(keys)


def operator(name: str, of: numpy.ufunc) -> tuple[Any, Any, Any]:
    """The methods for x + y, y + x and x += y. They return NotImplemented where CuPy's do."""
    function = ufunc(of)

    def answers(other: Any) -> bool:
        if hasattr(other, "__cuda_array_interface__") and not isinstance(other, ndarray):
            raise AssertionError(f"CuPy would take a {type(other).__name__} for its own array")
        return isinstance(other, ndarray | SCALARS | numpy.ndarray | list)

    def forth(self: Any, other: Any) -> Any:
        if not answers(other) and hasattr(other, "__array_ufunc__"):
            return NotImplemented if other.__array_ufunc__ is None else \
                other.__array_ufunc__(of, "__call__", self, other)
        return function(self, other) if answers(other) else NotImplemented

    def back(self: Any, other: Any) -> Any:
        return function(other, self) if answers(other) else NotImplemented

    def in_place(self: Any, other: Any) -> Any:
        return function(self, other, out=self)

    return forth, back, in_place


class Flags:
    """How an array lies in memory. There is no flag `writeable`."""

    def __init__(self, array: ndarray):
        self.c_contiguous = array._memory.flags.c_contiguous
        self.f_contiguous = array._memory.flags.f_contiguous
        self.owndata = array.base is None

    fnc = property(lambda self: self.f_contiguous and not self.c_contiguous)
    forc = property(lambda self: self.f_contiguous or self.c_contiguous)

    def __getitem__(self, name: str) -> bool:
        return getattr(self, name.lower())


class ndarray:  # noqa: N801 - CuPy's name
    """An array in the memory of a device."""

    __array_priority__ = 100
    __hash__ = None  # type: ignore[assignment]
    _memory: numpy.ndarray[Any, Any]
    base: ndarray | None
    device: Device

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("Implicit conversion to a NumPy array is not allowed. "
                        "Please use `.get()` to construct a NumPy array explicitly.")

    def __array_ufunc__(self, of: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method != "__call__" or not any(isinstance(x, numpy.generic) for x in inputs):
            raise TypeError(f"numpy.{of.__name__} on an array of a GPU")
        return ufunc(of)(*inputs, **kwargs)

    def __array_function__(self, function: Any, *rest: Any) -> Any:
        raise TypeError(f"numpy.{function.__name__} on an array of a GPU")

    def get(self, stream: Any = None, order: str = "C", out: Any = None,
            blocking: bool = True) -> numpy.ndarray[Any, Any]:
        if blocking:
            note_wait("get")
        if out is None:
            return self._memory.copy()
        out[...] = self._memory
        return out

    shape = property(lambda self: self._memory.shape)
    ndim = property(lambda self: self._memory.ndim)
    size = property(lambda self: self._memory.size)
    dtype = property(lambda self: self._memory.dtype)
    strides = property(lambda self: self._memory.strides)
    itemsize = property(lambda self: self._memory.itemsize)
    nbytes = property(lambda self: self._memory.nbytes)
    T = property(lambda self: strict(self._memory.T, self))
    mT = property(lambda self: strict(self._memory.mT, self))  # noqa: N815
    real = property(lambda self: strict(self._memory.real, self))
    imag = property(lambda self: strict(self._memory.imag, self))
    flags = property(lambda self: Flags(self))
    data = property(lambda self: SimpleNamespace(ptr=self._memory.ctypes.data,
                                                 device_id=self.device.id))
    __cuda_array_interface__ = property(lambda self: {"shape": self.shape, "version": 3})

    def item(self) -> Any:
        note_wait("item")
        return self._memory.item()

    def tolist(self) -> Any:
        note_wait("tolist")
        return self._memory.tolist()

    def fill(self, value: Any) -> None:
        if isinstance(value, numpy.ndarray | list) and numpy.ndim(value):
            raise ValueError("non-scalar numpy.ndarray cannot be used for fill")
        raw(self).fill(value._memory if isinstance(value, ndarray) else value)

    def __getitem__(self, key: Any) -> ndarray:
        return strict(numpy.asarray(raw(self)[key_of(self, key)]), self)

    def __setitem__(self, key: Any, value: Any) -> None:
        if isinstance(value, numpy.ndarray | list) and numpy.ndim(value):
            raise ValueError("non-scalar numpy.ndarray cannot be used for fill")
        value = value[()] if isinstance(value, numpy.ndarray) else value
        memory = raw(self)
        if not memory.flags.writeable:  # broadcast: CuPy writes to it
            memory = memory.view()
            memory.flags.writeable = True
        memory[key_of(self, key)] = raw(value)

    def __len__(self) -> int:
        return len(self._memory)

    def __iter__(self) -> Iterator[ndarray]:
        if not self.ndim:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(self.shape[0]))

    def __bool__(self) -> bool:
        note_wait("bool()")
        return bool(self._memory)

    def __int__(self) -> int:
        note_wait("int()")
        return int(self._memory)

    def __float__(self) -> float:
        note_wait("float()")
        return float(self._memory)

    def __index__(self) -> int:
        raise TypeError("'ndarray' object cannot be interpreted as an integer")

    def __neg__(self) -> Any:
        return ufunc(numpy.negative)(self)

    def __pos__(self) -> Any:
        return self.copy()  # type: ignore[attr-defined]

    def __abs__(self) -> Any:
        return ufunc(numpy.absolute)(self)

    def __invert__(self) -> Any:
        return ufunc(numpy.invert)(self)

    def copy(self, order: str = "C") -> ndarray:
        """A copy on the current device: the only function that reads another device's memory."""
        return strict(self._memory.copy(order))

    def view(self, dtype: Any = None) -> ndarray:
        memory = raw(self)
        made = strict(memory.view() if dtype is None else memory.view(dtype), self)
        if made is self:
            made = strict(memory[...])
            made.base = self if self.base is None else self.base
        return made

    def _set_shape_and_strides(self, shape: Any, strides: Any, c: bool, f: bool) -> None:
        self._memory = numpy.lib.stride_tricks.as_strided(self._memory, shape, strides)

    def __divmod__(self, other: Any) -> Any:
        return self // other, self % other

    def __str__(self) -> str:
        return str(self._memory)

    def __format__(self, spec: str) -> str:
        return format(self._memory.item() if not self.ndim else self._memory, spec)

    def __repr__(self) -> str:
        return repr(self._memory)

    def set(self, array: numpy.ndarray[Any, Any], stream: Any = None) -> None:
        if not isinstance(array, numpy.ndarray) or array.dtype != self.dtype \
                or array.shape != self.shape:
            raise TypeError("Only numpy.ndarray of the same dtype and shape can be set")
        self._memory[...] = array

    def tobytes(self) -> bytes:
        return self._memory.tobytes()


for _name, _of in dict(
        add=numpy.add, sub=numpy.subtract, mul=numpy.multiply, truediv=numpy.true_divide,
        floordiv=numpy.floor_divide, mod=numpy.remainder, pow=numpy.power, lshift=numpy.left_shift,
        rshift=numpy.right_shift, xor=numpy.bitwise_xor, matmul=numpy.matmul,
        **{"and": numpy.bitwise_and, "or": numpy.bitwise_or}).items():
    for _form, _function in zip(("", "r", "i"), operator(_name, _of), strict=True):
        if (_form, _name) != ("i", "matmul"):
            setattr(ndarray, f"__{_form}{_name}__", _function)
for _name, _of in dict(lt=numpy.less, le=numpy.less_equal, eq=numpy.equal, ne=numpy.not_equal,
                       gt=numpy.greater, ge=numpy.greater_equal).items():
    setattr(ndarray, f"__{_name}__", operator(_name, _of)[0])
for _name in METHODS:
    setattr(ndarray, _name, wrapped(getattr(numpy.ndarray, _name, None) or getattr(numpy, _name),
                                    _name))


# ---------------------------------------------------------------- the functions


def asnumpy(x: Any) -> numpy.ndarray[Any, Any]:
    return x.get() if isinstance(x, ndarray) else numpy.asarray(x)


def asarray(x: Any, dtype: Any = None) -> ndarray:
    """Converts to an array of this module. NumPy arrays are accepted."""
    if isinstance(x, ndarray) and dtype in (None, x.dtype):
        return x
    if isinstance(x, list | tuple) and any(isinstance(item, ndarray) for item in x):
        x = [item._memory if isinstance(item, ndarray) else item for item in x]
    array = numpy.array(x._memory if isinstance(x, ndarray) else x, dtype=dtype)
    if array.dtype.kind not in "biufc" and array.dtype.name != "bfloat16":
        raise ValueError(f"Unsupported dtype {array.dtype}")
    return strict(array)


def array(x: Any, dtype: Any = None, copy: bool = True) -> ndarray:
    return asarray(x._memory if copy and isinstance(x, ndarray) else x, dtype)


def as_strided(x: ndarray, shape: Any, strides: Any) -> ndarray:
    """A view with these strides. Unlike NumPy's, its `base` is None."""
    return strict(numpy.lib.stride_tricks.as_strided(x._memory, shape, strides))


class ErrorState:
    """`cupyx.errstate(linalg="raise")`: within, a failed factorisation raises."""

    raises = False

    @staticmethod
    @contextlib.contextmanager
    def errstate(linalg: str | None = None) -> Iterator[None]:
        before, ErrorState.raises = ErrorState.raises, linalg == "raise"
        try:
            yield
        finally:
            ErrorState.raises = before


def fails_silently(function: Any) -> Any:
    """Returns numbers without meaning where LAPACK reports a failure, unless told to raise."""
    def call(a: Any, *rest: Any) -> Any:
        try:
            return function(a, *rest)
        except numpy.linalg.LinAlgError:
            if ErrorState.raises or raw(a).shape[-1] != raw(a).shape[-2]:
                raise
            return strict(numpy.ones(numpy.shape(raw(rest[0] if rest else a)), raw(a).dtype))

    return call


class Products:
    """How float32 matrix products are computed, of which CuPy has a setting."""

    COMPUTE_TYPE_DEFAULT, COMPUTE_TYPE_TF32 = 1, 7
    types: ClassVar = {"float32": 1}

    @staticmethod
    def set_compute_type(dtype: str, compute_type: int) -> None:
        Products.types[dtype] = compute_type

    @staticmethod
    def get_compute_type(dtype: str) -> int:
        return Products.types[dtype]


def _matmul(a: Any, b: Any, out: Any = None) -> Any:
    """No ufunc, as in CuPy."""
    return ufunc(numpy.matmul)(a, b, out=out)


def module() -> ModuleType:
    """The module that replaces `cupy`."""
    made = ModuleType("strict_cupy")
    names = vars(made)
    for name in dir(numpy):
        of = getattr(numpy, name)
        if name[0] == "_" or name in MISSING:
            continue
        if isinstance(of, numpy.ufunc):
            names[name] = ufunc(of)
        elif isinstance(of, type | float) or of is None:
            names[name] = of  # dtypes, numbers, newaxis
        elif callable(of):
            names[name] = wrapped(of, name)
    names["matmul"] = _matmul
    linalg = {name: wrapped(getattr(numpy.linalg, name), name) for name in LINALG}
    linalg["solve"] = wrapped(solve, "solve")
    for name in ("inv", "solve", "cholesky"):
        linalg[name] = fails_silently(linalg[name])
    names["linalg"] = SimpleNamespace(LinAlgError=numpy.linalg.LinAlgError, **linalg)
    windows = wrapped(numpy.lib.stride_tricks.sliding_window_view, "sliding_window_view")
    names["lib"] = SimpleNamespace(stride_tricks=SimpleNamespace(
        as_strided=as_strided, sliding_window_view=windows))
    names.update(__version__="14.2.0", ndarray=ndarray, ufunc=ufunc, asnumpy=asnumpy, array=array,
                 asarray=asarray, cuda=cuda, get_default_memory_pool=get_default_memory_pool,
                 _core=SimpleNamespace(_routines_linalg=Products), RawModule=cuda_on_cpu.RawModule)
    return made


cupy = module()
cupyx = ModuleType("strict_cupyx")
cupyx.errstate = ErrorState.errstate  # type: ignore[attr-defined]


@contextlib.contextmanager
def installed(device_module: Any) -> Iterator[None]:
    """Within this context, device="cuda" uses this module."""
    before = device_module._load_cupy, device_module._gpu_arrays, sys.modules.get("cupyx")
    device_module._load_cupy, device_module._gpu_arrays = lambda: (cupy, ""), (ndarray,)
    sys.modules["cupyx"] = cupyx
    device_module.gpu_module.cache_clear()
    try:
        yield
    finally:
        device_module._load_cupy, device_module._gpu_arrays, real = before
        del sys.modules["cupyx"]
        if real is not None:
            sys.modules["cupyx"] = real
        device_module.gpu_module.cache_clear()
        device_module.Gpus.forget()
        here.device = 0
