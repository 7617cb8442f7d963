"""A substitute for CuPy built on NumPy: code that would fail on a GPU fails here, on any machine.

It does not emulate a GPU. It refuses what CuPy refuses. Like CuPy's arrays, its arrays

* are not NumPy arrays: `numpy.asarray(x)` raises, and `x.get()` converts;
* refuse NumPy arrays and lists as operands and arguments (scalars are accepted);
* are 0-d where NumPy returns scalars, and wrap indices that are out of range;
* have no flag `writeable`, no `reduceat` except that of `add`, no `initial=` and `where=` in
  reductions, and none of the functions in MISSING;
* may be used only while their device is the current one.

It is stricter in one respect: NumPy's functions raise on these arrays. They accept CuPy's.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import cuda_on_cpu
import numpy

# Functions of NumPy that CuPy 14 does not have.
MISSING = set("""asmatrix block bmat busday_count busday_offset datetime_as_string datetime_data
    einsum_path errstate frompyfunc fromregex geomspace getbufsize geterr geterrcall
    histogram_bin_edges insert is_busday isnat matvec nanpercentile nanquantile nested_iters polyder
    polydiv polyint setbufsize seterr seterrcall spacing unstack vecdot vecmat""".split())
LINALG = ("matrix_power cross matmul matrix_transpose cholesky qr svd eigh eig eigvalsh eigvals "
          "norm cond det matrix_rank slogdet solve tensorsolve lstsq inv pinv tensorinv").split()
METHODS = """all any argmax argmin argpartition argsort astype choose clip compress conj copy
    cumprod cumsum diagonal dot flatten max mean min nonzero partition prod ptp ravel repeat reshape
    round searchsorted sort squeeze std sum swapaxes take trace transpose var view""".split()
CREATION = set("""array asarray asanyarray ascontiguousarray zeros ones empty full arange linspace
    logspace eye identity tri indices meshgrid diag_indices finfo iinfo dtype result_type can_cast
    promote_types issubdtype isscalar shape ndim size frombuffer""".split())
SCATTERS = ("add", "subtract", "maximum", "minimum", "bitwise_and", "bitwise_or", "bitwise_xor")
REDUCTIONS = set("sum prod max min amax amin mean any all std var nansum argmax argmin".split())
SCALARS = bool | int | float | complex | numpy.generic


# ---------------------------------------------------------------- devices


class Device:
    """`with Device(1):` makes a device the current one."""

    current = 0

    def __init__(self, device: int | None = None):
        self.id = Device.current if device is None else int(device)

    def __enter__(self) -> Device:
        self.previous, Device.current = Device.current, self.id
        return self

    def __exit__(self, *exception: object) -> None:
        Device.current = self.previous

    def use(self) -> None:
        Device.current = self.id


class Stream:
    null: Stream

    def synchronize(self) -> None:
        pass

    def is_capturing(self) -> bool:
        return False


Stream.null = Stream()
cuda = SimpleNamespace(
    Device=Device, Stream=Stream, get_current_stream=lambda: Stream.null,
    runtime=SimpleNamespace(getDeviceCount=lambda: 2,
                            getDeviceProperties=lambda i: {"name": b"strict stand-in"}))


def get_default_memory_pool() -> Any:
    return SimpleNamespace(used_bytes=lambda: 0, total_bytes=lambda: 0,
                           free_all_blocks=lambda: None)


# ---------------------------------------------------------------- conversion


def root(array: numpy.ndarray[Any, Any]) -> numpy.ndarray[Any, Any]:
    """The array that owns the memory."""
    while isinstance(array.base, numpy.ndarray):
        array = array.base
    return array


def raw(x: Any) -> Any:
    """The NumPy arrays of an argument. Raises if CuPy would not accept the argument."""
    if isinstance(x, ndarray):
        if x.device.id != Device.current:
            raise ValueError(f"The device where the array resides ({x.device.id}) is different "
                             f"from the current device ({Device.current}).")
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
    def call(*args: Any, **kwargs: Any) -> Any:
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
        return strict(function(*raw(args), **{k: raw(v) for k, v in kwargs.items()}), *given)

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
        outs = out if isinstance(out, tuple) or out is None else (out,)
        result = self.of(*raw(args), out=None if outs is None else raw(outs), dtype=dtype,
                         casting=casting)
        return strict(result, *args, *(outs or ()))

    def at(self, a: Any, indices: Any, b: Any = None) -> None:
        if self.__name__ not in SCATTERS:
            raise NotImplementedError(f"`cupy_{self.__name__}.at` is not supported yet")
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

    def reduce(self, array: Any, axis: Any = 0, keepdims: bool = False) -> Any:
        if self.__name__ not in ("add", "multiply"):
            raise NotImplementedError(f"`cupy_{self.__name__}.reduce` is not supported yet")
        return strict(self.of.reduce(raw(array), axis, keepdims=keepdims))

    def __repr__(self) -> str:
        return f"<ufunc 'cupy_{self.__name__}'>"


# ---------------------------------------------------------------- the array


def key_of(array: ndarray, key: Any) -> Any:
    """The index for NumPy. Positions out of range wrap around, as on the GPU."""
    keys = list(key) if isinstance(key, tuple) else [key]
    keys = [k.get() if isinstance(k, ndarray) else numpy.asarray(k) if isinstance(k, list) else k
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

    def get(self) -> numpy.ndarray[Any, Any]:
        return self._memory.copy()

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
    flags = property(lambda self: SimpleNamespace(
        c_contiguous=self._memory.flags.c_contiguous, f_contiguous=self._memory.flags.f_contiguous,
        owndata=self.base is None))
    data = property(lambda self: SimpleNamespace(ptr=self._memory.ctypes.data,
                                                 device_id=self.device.id))
    __cuda_array_interface__ = property(lambda self: {"shape": self.shape, "version": 3})

    def item(self) -> Any:
        return self._memory.item()

    def tolist(self) -> Any:
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
        raw(self)[key_of(self, key)] = raw(value)

    def __len__(self) -> int:
        return len(self._memory)

    def __iter__(self) -> Iterator[ndarray]:
        if not self.ndim:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(self.shape[0]))

    def __bool__(self) -> bool:
        return bool(self._memory)

    def __int__(self) -> int:
        return int(self._memory)

    def __float__(self) -> float:
        return float(self._memory)

    def __index__(self) -> int:
        raise TypeError("only NumPy's arrays can be an index")

    def __neg__(self) -> Any:
        return ufunc(numpy.negative)(self)

    def __pos__(self) -> Any:
        return self.copy()  # type: ignore[attr-defined]

    def __abs__(self) -> Any:
        return ufunc(numpy.absolute)(self)

    def __invert__(self) -> Any:
        return ufunc(numpy.invert)(self)

    def __repr__(self) -> str:
        return repr(self._memory)


for _name, _of in dict(
        add=numpy.add, sub=numpy.subtract, mul=numpy.multiply, truediv=numpy.true_divide,
        floordiv=numpy.floor_divide, mod=numpy.remainder, pow=numpy.power, lshift=numpy.left_shift,
        rshift=numpy.right_shift, xor=numpy.bitwise_xor, matmul=numpy.matmul,
        **{"and": numpy.bitwise_and, "or": numpy.bitwise_or}).items():
    for _form, _function in zip(("", "r", "i"), operator(_name, _of), strict=True):
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
    array = numpy.array(x._memory if isinstance(x, ndarray) else x, dtype=dtype)
    if array.dtype.kind not in "biufc":
        raise ValueError(f"Unsupported dtype {array.dtype}")
    return strict(array)


def array(x: Any, dtype: Any = None, copy: bool = True) -> ndarray:
    return asarray(asnumpy(x), dtype)


def as_strided(x: ndarray, shape: Any, strides: Any) -> ndarray:
    """A view with these strides. Unlike NumPy's, its `base` is None."""
    return strict(numpy.lib.stride_tricks.as_strided(x._memory, shape, strides))


def singular_gives_nan(function: Any) -> Any:
    """Returns NaN for singular matrices, as CuPy does, instead of raising LinAlgError."""
    def call(a: Any, *rest: Any) -> Any:
        try:
            return function(a, *rest)
        except numpy.linalg.LinAlgError:
            return strict(numpy.full(numpy.shape(raw(rest[0] if rest else a)), numpy.nan,
                                     raw(a).dtype))

    return call


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
    linalg = {name: wrapped(getattr(numpy.linalg, name), name) for name in LINALG}
    for name in ("inv", "solve", "cholesky"):
        linalg[name] = singular_gives_nan(linalg[name])
    tricks = numpy.lib.stride_tricks
    names["lib"] = SimpleNamespace(stride_tricks=SimpleNamespace(
        as_strided=wrapped(tricks.as_strided, "as_strided"),
        sliding_window_view=wrapped(tricks.sliding_window_view, "sliding_window_view")))
    names["linalg"] = SimpleNamespace(LinAlgError=numpy.linalg.LinAlgError, **linalg)
    names["lib"] = SimpleNamespace(stride_tricks=SimpleNamespace(as_strided=as_strided))
    names.update(__version__="14.2.0", ndarray=ndarray, ufunc=ufunc, asnumpy=asnumpy, array=array,
                 asarray=asarray, cuda=cuda, get_default_memory_pool=get_default_memory_pool,
                 RawModule=cuda_on_cpu.RawModule)
    return made


cupy = module()


@contextlib.contextmanager
def installed(device_module: Any) -> Iterator[None]:
    """Within this context, device="cuda" uses this module."""
    before = device_module._load_cupy, device_module._gpu_arrays
    device_module._load_cupy, device_module._gpu_arrays = lambda: (cupy, ""), (ndarray,)
    try:
        yield
    finally:
        device_module._load_cupy, device_module._gpu_arrays = before
        Device.current = 0
