"""The memory that arrays of a GPU need: errors where it ends, and pinned memory of the host.

Pinned memory is not moved by the system, so that a GPU copies it while the host goes on. The
functions take the module `cupy`, which `devices.py` imports.
"""

from __future__ import annotations

import weakref
from typing import Any

import numpy

Array = Any

# ---------------------------------------------------------------- out of memory


class OutOfMemoryError(RuntimeError, MemoryError):
    """The memory of a GPU does not suffice."""


def in_words(size: int) -> str:
    """A number of bytes: "1.50 GiB"."""
    for unit, bits in (("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if size >= 1 << bits:
            return f"{size / (1 << bits):.2f} {unit}"
    return f"{size} bytes"


def use_allocator(cupy: Any) -> None:
    """Lets CuPy's pool raise OutOfMemoryError. An allocator of the program is left as it is."""
    pool = cupy.get_default_memory_pool()

    def allocate(size: int) -> Any:
        try:
            return pool.malloc(size)
        except cupy.cuda.memory.OutOfMemoryError:
            pass  # raised below, without CuPy's error beside it
        raise out_of_memory(cupy, size)

    if cupy.cuda.get_allocator() == pool.malloc:
        cupy.cuda.set_allocator(allocate)


def out_of_memory(cupy: Any, size: int) -> OutOfMemoryError:
    """The error, with what there is, what is in use, and what may help."""
    gpu, pool = cupy.cuda.Device(), cupy.get_default_memory_pool()
    free, total = gpu.mem_info
    used = pool.used_bytes()
    return OutOfMemoryError(
        f"CUDA out of memory: tried to allocate {in_words(size)} on cuda:{gpu.id}, which has "
        f"{in_words(total)}, of which {in_words(free)} are free. The arrays of this program hold "
        f"{in_words(used)}, its pool {in_words(pool.total_bytes() - used)} more. Take a smaller "
        "batch; evaluate under no_grad(); keep losses as numbers, loss.item(), or their graphs "
        "stay; train in parts (accumulate gradients, or utils.checkpoint)")


# ---------------------------------------------------------------- pinned memory

_pinned: weakref.WeakValueDictionary[int, Array] = weakref.WeakValueDictionary()
_in_flight: list[tuple[Any, Any]] = []  # events, and the arrays of copies before them


def empty_pinned(cupy: Any, shape: tuple[int, ...], dtype: Any) -> numpy.ndarray[Any, Any]:
    """An uninitialised array in pinned memory."""
    dtype = numpy.dtype(dtype)
    count = int(numpy.prod(shape, dtype=int))
    memory = cupy.cuda.alloc_pinned_memory(max(count * dtype.itemsize, 1))
    array = numpy.frombuffer(memory, dtype, count)
    _pinned[id(array)] = array
    return array.reshape(shape)


def is_pinned(array: Array) -> bool:
    """Whether an array on the CPU lies in memory of `empty_pinned`."""
    if not _pinned or not isinstance(array, numpy.ndarray):
        return False
    while isinstance(array.base, numpy.ndarray):
        array = array.base
    return _pinned.get(id(array)) is array


def pinned(cupy: Any, array: numpy.ndarray[Any, Any]) -> numpy.ndarray[Any, Any]:
    """The array in pinned memory: itself, or a copy."""
    if is_pinned(array):
        return array
    copy = empty_pinned(cupy, array.shape, array.dtype)
    copy[...] = array
    return copy


def keep(cupy: Any, arrays: Any) -> None:
    """Keeps arrays alive until the copies of the current stream are done.

    Their memory must not be used again while the GPU reads or writes it.
    """
    event = cupy.cuda.Event(disable_timing=True)
    event.record()
    _in_flight[:] = [pair for pair in _in_flight if not pair[0].done]
    _in_flight.append((event, arrays))


def to_pinned(cupy: Any, array: Array) -> numpy.ndarray[Any, Any]:
    """A copy on the CPU that is complete when the GPU has done what it was given until now."""
    host = empty_pinned(cupy, array.shape, array.dtype)
    with cupy.cuda.Device(array.device.id):
        array.get(out=host, blocking=False)
        keep(cupy, (host, array))
    return host
