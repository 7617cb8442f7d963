"""Which array module, and which device: the only file that imports CuPy.

An array knows where it lives by its type: NumPy's on the CPU, CuPy's on a GPU. Everything else
in the project asks here, and never for a module by name.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy


class device:  # noqa: N801 - PyTorch's name
    """`device("cpu")`, `device("cuda")`, `device("cuda:1")`, `device("cuda", 1)`.

    Within `with device("cuda"):` new Tensors are made there, unless another device is named.
    """

    __slots__ = ("type", "index")

    type: str
    index: int | None

    def __init__(self, type: str | int | device, index: int | None = None):
        name: Any = type
        if isinstance(name, device):
            name, index = name.type, name.index
        elif isinstance(name, int) and not isinstance(name, bool):
            name, index = "cuda", name
        elif isinstance(name, str):
            name, _, number = name.partition(":")
            if number:
                if index is not None or not number.isdigit():
                    raise RuntimeError(f"device: cannot read {name + ':' + number!r}; "
                                       "write 'cpu', 'cuda' or 'cuda:0'")
                index = int(number)
        if name not in ("cpu", "cuda"):
            raise RuntimeError(f"device: unknown device {name!r}; there are 'cpu' and 'cuda'")
        if name == "cpu" and index not in (None, 0):
            raise RuntimeError(f"device: 'cpu:{index}' does not exist, there is one 'cpu'")
        self.type, self.index = name, index

    def __eq__(self, other: object) -> bool:
        return isinstance(other, device) and (self.type, self.index) == (other.type, other.index)

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __enter__(self) -> device:
        _defaults.stack.append(self)
        return self

    def __exit__(self, *error: object) -> None:
        _defaults.stack.pop()

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __repr__(self) -> str:
        index = "" if self.index is None else f", index={self.index}"
        return f"device(type={self.type!r}{index})"


CPU = device("cpu")


class Defaults(threading.local):
    """Where new Tensors are made in a thread: what was set, then the blocks that it is in."""

    def __init__(self) -> None:
        self.stack = [CPU]


_defaults = Defaults()

# Where the C library is glibc, blocks above a threshold are fetched from the system at every
# allocation, and their pages are cleared one by one when they are first touched: a fifth of the
# step of a small network. The threshold follows the largest such
# block that was freed, up to 32 MiB. This is one, of which no page is touched; from now on up to
# twice its size stays with the process between steps.
numpy.empty(31 << 20, numpy.uint8)


# ---------------------------------------------------------------- CuPy, if it is there


@functools.cache
def _load_cupy() -> tuple[ModuleType | None, str]:
    """CuPy, if it is installed and a GPU answers; otherwise None and what is missing."""
    try:
        import cupy
    except ImportError:
        return None, ("CuPy is not installed: pip install cupy-cuda12x, or "
                      "cupy-cuda13x, whichever is your CUDA version")
    if int(cupy.__version__.partition(".")[0]) < 14:
        return None, (f"CuPy {cupy.__version__} is too old: version 14 or newer follows NumPy 2's "
                      "rules for dtypes (pip install -U cupy-cuda12x)")
    try:  # the import succeeds on a machine without a GPU, a computation does not
        cupy.ones(2).sum().item()
    except Exception as error:
        return None, f"no usable GPU was found ({type(error).__name__}: {error})"
    return cupy, ""


def cupy() -> Any:
    """The array module of the GPU.

    Raises:
        RuntimeError: CuPy or a GPU is missing; the message says which, and what to install.
    """
    module, missing = _load_cupy()
    if module is None:
        raise RuntimeError(f"device 'cuda' is not available: {missing}")
    return module


def cuda_is_available() -> bool:
    return _load_cupy()[0] is not None


_gpu_arrays: tuple[Any, ...] = ()  # CuPy's array type, from the first one that is made or met


def is_array(x: Any) -> bool:
    """Whether `x` is an array of NumPy or of CuPy."""
    return isinstance(x, numpy.ndarray) or (x is not None and is_gpu_array(x))


def is_gpu_array(x: Any) -> bool:
    if not _gpu_arrays and type(x).__module__.partition(".")[0] == "cupy":
        module_for(device("cuda"))  # made by somebody else, and the first that is met
    return isinstance(x, _gpu_arrays)


def array_module(*arrays: Any) -> Any:
    """The module that computes on these arrays; Python numbers and None are passed over."""
    for array in arrays:
        if isinstance(array, _gpu_arrays):
            return cupy()
    return numpy


def as_array(x: Any) -> Any:
    """NumPy's reductions give scalars; this makes them arrays again. Others stay."""
    return numpy.asarray(x) if isinstance(x, numpy.generic) else x


def result_array(x: Any) -> Any:
    """The result of a forward as an array; of an array of Values it may be a single one."""
    if isinstance(x, numpy.generic) or is_array(x):
        return as_array(x)
    array = numpy.empty((), dtype=object)
    array[()] = x
    return array


def module_for(where: device) -> Any:
    """The array module of a device, made ready."""
    global _gpu_arrays
    if where.type == "cpu":
        return numpy
    module = cupy()
    if not _gpu_arrays:
        _gpu_arrays = (module.ndarray,)
    if where.index is not None and where.index >= device_count():
        raise RuntimeError(f"device: there is no {str(where)!r}, but {device_count()} GPUs")
    return module


def device_of(array: Any) -> device:
    """The device that holds an array."""
    if isinstance(array, _gpu_arrays):
        return device("cuda", int(array.device.id))
    return CPU


def set_default_device(device: Any) -> None:
    """Where new Tensors are made if nothing else is said; None is the CPU, as at the beginning.

    For the thread that calls it, as `with device(...)`.
    Arrays that are shared, by `from_numpy`, stay where they are, and so does what `load` loads.

    Raises:
        RuntimeError: there is no such device.
    """
    where = resolve(CPU if device is None else device)
    module_for(where)
    _defaults.stack[0] = where


def get_default_device() -> device:
    """Where new Tensors are made."""
    return resolve(None)


def resolve(where: Any) -> device:
    """The device that a user means: None is the default one, "cuda" the current GPU."""
    where = _defaults.stack[-1] if where is None else device(where)
    if where.type == "cuda" and where.index is None:
        return device("cuda", current_device())
    return CPU if where.type == "cpu" else where


# ---------------------------------------------------------------- moving data


def to_device(array: Any, where: device) -> Any:
    """`array` on another device; itself if it is there already."""
    if device_of(array) == where:
        return array
    if where.type == "cpu":
        return cupy().asnumpy(array)
    module = module_for(where)
    with module.cuda.Device(where.index):
        return module.asarray(array)


def to_numpy(array: Any) -> numpy.ndarray[Any, Any]:
    """A NumPy array with the same content: the same memory on the CPU, a copy from a GPU."""
    return cupy().asnumpy(array) if isinstance(array, _gpu_arrays) else numpy.asarray(array)


def on(where: device, make: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Calls `make(module, ...)` with the array module of `where`, and that device current."""
    module = module_for(where)
    if where.type == "cpu":
        return make(module, *args, **kwargs)
    with module.cuda.Device(where.index):
        return make(module, *args, **kwargs)


def by_device(tensors: list[Any]) -> list[tuple[device, list[Any]]]:
    """The Tensors of each device."""
    if not _gpu_arrays:
        return [(CPU, tensors)]
    found: dict[device, list[Any]] = {}
    for tensor in tensors:
        found.setdefault(device_of(tensor._array), []).append(tensor)
    return list(found.items())


def ones_like(array: Any) -> Any:
    ones = array_module(array).empty_like(array)
    ones.fill(1)  # as NumPy's ones_like, in half of its time
    return ones


# ---------------------------------------------------------------- the GPU's state


def device_count() -> int:
    """How many GPUs there are; 0 without CuPy."""
    return int(cupy().cuda.runtime.getDeviceCount()) if cuda_is_available() else 0


def current_device() -> int:
    return int(cupy().cuda.Device().id)


def set_device(where: Any) -> None:
    """Lets "cuda" mean this GPU, a number, name or device; a number below 0 changes nothing."""
    if not isinstance(where, int) or where >= 0:
        cupy().cuda.Device(_gpu(where)).use()


def _gpu(where: Any) -> int:
    """The number of a GPU that there is.

    Raises:
        RuntimeError: there is no such one.
    """
    where = resolve(where)
    if where.type != "cuda":
        raise RuntimeError(f"device: {str(where)!r} is no GPU")
    module_for(where)
    return where.index


def synchronize(where: device | None = None) -> None:
    """Waits until the GPU has done what was asked of it; nothing to do on the CPU."""
    if cuda_is_available() and (where is None or where.type == "cuda"):
        cupy().cuda.Stream.null.synchronize()
        cupy().cuda.get_current_stream().synchronize()


def get_device_name(where: Any = None) -> str:
    """What the maker calls a GPU, the current one if none is given."""
    index = _gpu("cuda" if where is None else where)
    name = cupy().cuda.runtime.getDeviceProperties(index)["name"]
    return name.decode() if isinstance(name, bytes) else str(name)


def memory_allocated() -> int:
    """Bytes that GPU arrays use now (CuPy's pool, not what the driver shows)."""
    return int(cupy().get_default_memory_pool().used_bytes())


def memory_reserved() -> int:
    """Bytes that CuPy's pool holds, in use or ready for reuse."""
    return int(cupy().get_default_memory_pool().total_bytes())


def empty_cache() -> None:
    """Gives the pool's free blocks back to the driver; without a GPU there are none."""
    if cuda_is_available():
        cupy().get_default_memory_pool().free_all_blocks()
