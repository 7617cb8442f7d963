"""Devices and array modules. This is the only file that imports CuPy.

The type of an array tells its device: NumPy arrays are on the CPU, CuPy arrays on a GPU. The rest
of the package calls the functions below and does not import an array module by name.
"""

from __future__ import annotations

import functools
import importlib
import re
import threading
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any, ClassVar, TypeAlias

import numpy

from . import gpu, gpu_memory, meta
from .meta import is_meta as is_meta


class device:  # noqa: N801 - PyTorch's name
    """`device("cpu")`, `device("cuda")`, `device("cuda:1")`, `device("cuda", 1)`.

    As a context, `with device("cuda"):`, it is the default device of new Tensors.
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
        if name not in ("cpu", "cuda", "meta", *NAMED):
            raise RuntimeError(f"device: unknown device {name!r}; write 'cpu' or 'cuda'")
        if name == "cpu" and index not in (None, 0):
            raise RuntimeError(f"device: 'cpu:{index}' does not exist; write 'cpu'")
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


# Kinds of devices that programs may name and compare with, and that no Tensor can be on.
NAMED = ("mps", "xpu", "hpu", "npu", "mtia", "privateuseone")
DeviceLike: TypeAlias = device | str | int
CPU, META = device("cpu"), device("meta")


class Defaults(threading.local):
    """The default devices of a thread: the one that was set, then those of the `with` blocks."""

    gpu: int | None = None  # which GPU "cuda" means, if not CuPy's current one

    def __init__(self) -> None:
        self.stack = [CPU]


_defaults = Defaults()

# glibc allocates blocks above a threshold by mmap, and every new page costs a page fault: a fifth
# of the training step of a small network. The threshold grows to the largest such block that was
# freed, up to 32 MiB. Freeing this one raises it; its pages are never touched. The process then
# keeps up to twice as much free memory.
numpy.empty(31 << 20, numpy.uint8)


# ---------------------------------------------------------------- CuPy, if it is installed


@functools.cache
def _load_cupy() -> tuple[ModuleType | None, str]:
    """CuPy if it is installed and a GPU works; otherwise None and what is missing."""
    try:
        import cupy
    except ImportError:
        return None, ("CuPy is not installed: pip install 'cupy-cuda12x[ctk]', or "
                      "'cupy-cuda13x[ctk]' for a driver of CUDA 13 (nvidia-smi shows its version)")
    if int(cupy.__version__.partition(".")[0]) < 14:
        return None, (f"CuPy {cupy.__version__} is too old: tinytensor needs version 14, which "
                      "follows NumPy 2's dtype promotion (pip install -U 'cupy-cuda12x[ctk]')")
    try:  # on a machine without a GPU the import succeeds, but a computation fails
        cupy.ones(2).sum().item()
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        if re.search("header|nvrtc|cuda_fp16|CUDA_PATH", text):  # compiling a kernel needs these
            return None, ("CuPy is installed without the toolkit that compiles its kernels: pip "
                          f"install 'cupy-cuda12x[ctk]' or 'cupy-cuda13x[ctk]' ({text[:300]})")
        return None, f"no usable GPU was found ({text})"
    gpu_memory.use_allocator(cupy)
    _apply_tf32(cupy)
    return cupy, ""


def cupy() -> Any:
    """The module `cupy`.

    Raises:
        RuntimeError: CuPy or a GPU is missing; the message says what to install.
    """
    module, missing = _load_cupy()
    if module is None:
        raise RuntimeError(f"device 'cuda' is not available: {missing}")
    return module


def nccl() -> Any:
    """CuPy's module for NCCL, which `import cupy` leaves out.

    Raises:
        RuntimeError: CuPy or a GPU is missing.
    """
    cuda = cupy().cuda
    if not hasattr(cuda, "nccl"):
        importlib.import_module("cupy.cuda.nccl")
    return cuda.nccl


def cuda_is_available() -> bool:
    return _load_cupy()[0] is not None


@functools.cache
def gpu_module() -> Any:
    """The array module of GPUs: CuPy with NumPy's results, see `gpu.py`."""
    module = cupy()
    import cupyx
    return gpu.adapted(module, cupyx.errstate)


_gpu_arrays: tuple[Any, ...] = ()  # (cupy.ndarray,) once a CuPy array has been seen


def is_array(x: Any) -> bool:
    """Whether `x` is an array of NumPy or of CuPy."""
    return isinstance(x, numpy.ndarray) or (x is not None and is_gpu_array(x))


def is_gpu_array(x: Any) -> bool:
    if type(x) is numpy.ndarray:
        return False
    if not _gpu_arrays and type(x).__module__.partition(".")[0] == "cupy":
        module_for(device("cuda"))  # the first CuPy array, made by another library
    return isinstance(x, _gpu_arrays)


def is_on_cpu(x: Any) -> bool:
    """Whether `x` is an array of NumPy with values, which can be read without waiting."""
    return isinstance(x, numpy.ndarray) and not isinstance(x, meta.Meta)


def array_module(*arrays: Any) -> Any:
    """numpy or cupy, or that of the device "meta", by the arrays' type; Python numbers and None are
    ignored.
    """
    for array in arrays:
        if isinstance(array, meta.Meta):
            return meta.module
        if isinstance(array, _gpu_arrays):
            if Gpus.several:
                Gpus.follow(arrays)
            return gpu_module()
    return numpy


class Gpus:
    """Programs that use several GPUs.

    CuPy launches on its current GPU, wherever the arrays are, and puts the result there. So once a
    second GPU is in use, CuPy's current GPU follows the arrays: each operation, and each step of
    backward, begins with `array_module`. What "cuda" means is kept apart from it.
    """

    used: ClassVar[set[int]] = set()
    several = False
    hooks: ClassVar[list[Callable[[bool], None]]] = []  # called when `several` changes

    @staticmethod
    def note(index: int | None) -> None:
        """Notes that arrays are made on a GPU."""
        if not Gpus.several and index is not None:
            Gpus.used.update((index, active_gpu()))
            if len(Gpus.used) > 1:
                Gpus._set(True)

    @staticmethod
    def forget() -> None:
        """Begins anew, as if no GPU had been used."""
        Gpus.used.clear()
        _defaults.gpu = None
        if Gpus.several:
            Gpus._set(False)

    @staticmethod
    def _set(several: bool) -> None:
        Gpus.several = several
        for hook in Gpus.hooks:
            hook(several)

    @staticmethod
    def follow(arrays: Iterable[Any]) -> None:
        """Makes the GPU of the arrays CuPy's current one.

        Raises:
            RuntimeError: they are on different GPUs.
        """
        places = {array.device.id for array in arrays if isinstance(array, _gpu_arrays)}
        if len(places) > 1:
            raise RuntimeError("the arrays are on different devices, " + " and ".join(
                f"cuda:{gpu}" for gpu in sorted(places)) + "; move them with .to(...)")
        (gpu,), active = places, active_gpu()
        if gpu != active:
            if _defaults.gpu is None:
                _defaults.gpu = active
            cupy().cuda.Device(gpu).use()


def active_gpu() -> int:
    """The index of CuPy's current GPU, on which it launches."""
    return int(cupy().cuda.runtime.getDevice())


def as_array(x: Any) -> Any:
    """NumPy scalars, which reductions return, as 0-d arrays; other values unchanged."""
    return numpy.asarray(x) if isinstance(x, numpy.generic) else x


def plain_array(array: Any) -> Any:
    """Another array object on the same memory, and not of a subclass of NumPy's array.

    A matrix multiplies by `*`, and whoever has the object can give it another shape.

    Raises:
        TypeError: a masked array with masked elements, which would count as numbers.
    """
    if not isinstance(array, numpy.ndarray) or isinstance(array, meta.Meta):
        return array
    if isinstance(array, numpy.ma.MaskedArray) and numpy.ma.is_masked(array):
        raise TypeError("a masked array has elements without a value: give array.filled(number), "
                        "or array.data with a Tensor of the mask beside it")
    return array.view(numpy.ndarray)


def result_array(x: Any) -> Any:
    """The result of a forward as an array. Object arrays may give a single `scalar.Value`."""
    if isinstance(x, numpy.generic) or is_array(x):
        return as_array(x)
    array = numpy.empty((), dtype=object)
    array[()] = x
    return array


def module_for(where: device) -> Any:
    """The array module of a device.

    Raises:
        RuntimeError: CuPy or the GPU is missing.
    """
    global _gpu_arrays
    if where.type == "cpu":
        return numpy
    if where.type == "meta":
        return meta.module
    module = gpu_module()
    if not _gpu_arrays:
        _gpu_arrays = (module.ndarray,)
    if where.index is not None and where.index >= device_count():
        raise RuntimeError(f"device: there is no {str(where)!r}; this machine has "
                           f"{device_count()} GPUs, numbered from 0")
    return module


def device_of(array: Any) -> device:
    """The device that holds an array."""
    if isinstance(array, _gpu_arrays):
        return device("cuda", int(array.device.id))
    return META if isinstance(array, meta.Meta) else CPU


def set_default_device(device: DeviceLike | None) -> None:
    """Sets the device of new Tensors, in the calling thread. None is the CPU, the initial default.

    `from_numpy` and `load` do not follow it.

    Raises:
        RuntimeError: there is no such device.
    """
    where = resolve(CPU if device is None else device)
    module_for(where)
    _defaults.stack[0] = where


def get_default_device() -> device:
    """The device of new Tensors in this thread."""
    return resolve(None)


def resolve(where: DeviceLike | None) -> device:
    """The device of an argument `device`: None is the default one, "cuda" the current GPU."""
    where = _defaults.stack[-1] if where is None else device(where)
    if where.type == "cuda" and where.index is None:
        return device("cuda", current_device())
    if where.type in NAMED:
        raise RuntimeError(f"device {str(where)!r}: Tensors cannot be there; write 'cpu' or 'cuda'")
    return CPU if where.type == "cpu" else META if where.type == "meta" else where


# ---------------------------------------------------------------- moving data


class Reading:
    """Checks of values on a GPU that wait until a number is read from it.

    `autograd/deferred.py` sets `wanted` when it makes one, and `read`, which raises if one failed.
    """

    wanted = False
    read: Callable[[], None]


def to_device(array: Any, where: device, non_blocking: bool = False) -> Any:
    """A copy of `array` on a device; `array` itself if it is there already.

    Copies to a GPU do not wait for it: memory that is not pinned is first copied to a buffer that
    is. With non_blocking, a copy from pinned memory, or to the CPU, is not waited for either.
    """
    if device_of(array) == where:
        return array
    if where.type == "meta":
        return meta.empty(array.shape, array.dtype)
    if isinstance(array, meta.Meta):
        raise NotImplementedError(
            "a Tensor on the device 'meta' has no values to copy; make the Tensor, or the module "
            f"by to_empty(device={str(where)!r}), on the device and fill it")
    if where.type == "cpu":
        return gpu_memory.to_pinned(cupy(), array) if non_blocking else to_numpy(array)
    module = module_for(where)
    Gpus.note(where.index)
    if is_gpu_array(array):
        return _between_gpus(array, where)
    with module.cuda.Device(where.index):
        copy = module.asarray(array)
        if gpu_memory.is_pinned(array):  # CuPy copies from it while the program goes on
            if non_blocking:
                gpu_memory.keep(module, array)
            else:
                module.cuda.get_current_stream().synchronize()
        return copy


def _between_gpus(array: Any, where: device) -> Any:
    """A copy on another GPU: behind the work of both, and before what either does next."""
    cuda = cupy().cuda
    source = cuda.Device(array.device.id)
    with source:
        computed = cuda.get_current_stream().record(cuda.Event(disable_timing=True))
    with cuda.Device(where.index):
        stream = cuda.get_current_stream()
        stream.wait_event(computed)
        copy = array.copy()
        copied = stream.record(cuda.Event(disable_timing=True))
    with source:
        cuda.get_current_stream().wait_event(copied)  # its memory may be used again then
    Gpus.follow((copy,))
    return copy


def to_numpy(array: Any) -> numpy.ndarray[Any, Any]:
    """The array as a NumPy array: itself if it is on the CPU, a copy if it is on a GPU."""
    if isinstance(array, meta.Meta):
        raise meta.NoValues(f"values were asked for: {meta.READS}")
    if not isinstance(array, _gpu_arrays):
        return numpy.asarray(array)
    array = cupy().asnumpy(array)
    read_checks()
    return array


def read_checks() -> None:
    """Raises the error of a check on a GPU that failed, if there is one: see `Reading`."""
    if Reading.wanted:
        Reading.read()


def on(where: device, make: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Calls make(module, *args, **kwargs) with the array module of `where` on that device."""
    module = module_for(where)
    if where.type in ("cpu", "meta"):
        return make(module, *args, **kwargs)
    Gpus.note(where.index)
    with module.cuda.Device(where.index):
        return make(module, *args, **kwargs)


def by_device(tensors: list[Any]) -> list[tuple[device, list[Any]]]:
    """The Tensors grouped by device."""
    if not _gpu_arrays and not any(isinstance(t._array, meta.Meta) for t in tensors):
        return [(CPU, tensors)]
    groups: dict[device, list[Any]] = {}
    for tensor in tensors:
        groups.setdefault(device_of(tensor._array), []).append(tensor)
    return list(groups.items())


def ones_like(array: Any) -> Any:
    ones = array_module(array).empty_like(array)
    ones.fill(1)  # half the time of numpy.ones_like
    return ones


# ---------------------------------------------------------------- the state of the GPU


def device_count() -> int:
    """The number of GPUs; 0 without CuPy."""
    return int(cupy().cuda.runtime.getDeviceCount()) if cuda_is_available() else 0


def current_device() -> int:
    """The index of the GPU that "cuda" means."""
    return active_gpu() if _defaults.gpu is None else _defaults.gpu


def set_device(device: DeviceLike) -> None:
    """Makes a GPU the current one, which "cuda" means. A negative number changes nothing."""
    if not isinstance(device, int) or device >= 0:
        index = gpu_index(device)
        cupy().cuda.Device(index).use()
        if _defaults.gpu is not None:
            _defaults.gpu = index


def gpu_index(where: DeviceLike) -> int:
    """The index of a GPU.

    Raises:
        RuntimeError: there is no such GPU.
    """
    gpu = resolve(where)
    if gpu.type != "cuda" or gpu.index is None:
        raise RuntimeError(f"device: {str(gpu)!r} is no GPU; write 'cuda' or 'cuda:0'")
    module_for(gpu)
    return gpu.index


def synchronize(where: device | None = None) -> None:
    """Waits until all work on a GPU, by default the current one, is complete. On the CPU it
    returns at once.
    """
    if cuda_is_available() and (where is None or where.type == "cuda"):
        cupy().cuda.Device(None if where is None else gpu_index(where)).synchronize()
        read_checks()


def is_capturing() -> bool:
    """Whether the current stream of the GPU is captured into a CUDA graph."""
    return cuda_is_available() and bool(cupy().cuda.get_current_stream().is_capturing())


def get_device_name(device: DeviceLike | None = None) -> str:
    """The product name of a GPU, by default of the current one."""
    index = gpu_index("cuda" if device is None else device)
    name = cupy().cuda.runtime.getDeviceProperties(index)["name"]
    return name.decode() if isinstance(name, bytes) else str(name)


def empty_cache() -> None:
    """Returns the free blocks of CuPy's memory pool to the driver. No effect without a GPU."""
    if cuda_is_available():
        cupy().get_default_memory_pool().free_all_blocks()


# ---------------------------------------------------------------- TF32


class _Precision:
    """What programs ask of float32 matrix products, see `set_tf32`."""

    tf32: bool | None = None  # CuPy's own: off, unless the environment has CUPY_TF32=1


def tf32_is_allowed() -> bool:
    return bool(_Precision.tf32)


def set_tf32(allowed: bool) -> None:
    """Whether float32 matrix products on a GPU may round their inputs to TF32: 10 bits of mantissa,
    several times as fast on GPUs of 2020 and later. No effect on the CPU.
    """
    _Precision.tf32 = bool(allowed)
    if cuda_is_available():
        _apply_tf32(cupy())


def _apply_tf32(cupy: Any) -> None:
    if _Precision.tf32 is not None:
        linalg = cupy._core._routines_linalg
        linalg.set_compute_type("float32", linalg.COMPUTE_TYPE_TF32 if _Precision.tf32
                                else linalg.COMPUTE_TYPE_DEFAULT)
