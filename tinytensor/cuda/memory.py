"""The memory of a GPU: how much there is, how much is in use, and what to do where it ends.

CuPy's pool keeps the memory of freed arrays for the next ones. What `nvidia-smi` shows is what the
pool holds, and CUDA's own.
"""

from __future__ import annotations

from typing import Any

from ..arrays import devices
from ..arrays.devices import DeviceLike
from ..arrays.gpu_memory import OutOfMemoryError as OutOfMemoryError
from ..arrays.gpu_memory import in_words
from .streams import _on, on_gpu


class _Peaks:
    """The most bytes in use at one time, for each GPU, since counting began.

    CuPy calls a hook for each allocation and each release. That takes about a microsecond, so it
    begins when a program first asks.
    """

    def __init__(self) -> None:
        self.used: dict[int, int] = {}
        self.peak: dict[int, int] = {}
        self.hook: Any = None

    def begin(self) -> None:
        if self.hook is not None:
            return
        peaks = self

        class Hook(devices.cupy().cuda.MemoryHook):  # type: ignore[misc]
            name = "tinytensor.cuda.memory"

            def malloc_postprocess(self, *, device_id: int, mem_size: int, **rest: Any) -> None:
                used = peaks.used[device_id] = peaks.used.get(device_id, 0) + mem_size
                if used > peaks.peak.get(device_id, 0):
                    peaks.peak[device_id] = used

            def free_postprocess(self, *, device_id: int, mem_size: int, **rest: Any) -> None:
                peaks.used[device_id] = peaks.used.get(device_id, 0) - mem_size

        self.hook = Hook()
        self.hook.__enter__()

    def reset(self, index: int) -> None:
        """Begins anew from what is in use."""
        self.begin()
        with devices.cupy().cuda.Device(index):
            used = int(devices.cupy().get_default_memory_pool().used_bytes())
        self.used[index] = self.peak[index] = used


_peaks = _Peaks()


def _pool_bytes(device: DeviceLike | None, what: str) -> int:
    if not devices.cuda_is_available():
        return 0
    with _on(on_gpu(device)):
        return int(getattr(devices.cupy().get_default_memory_pool(), what)())


def memory_allocated(device: DeviceLike | None = None) -> int:
    """Bytes in use by the arrays of a GPU, by default the current one; 0 without a GPU."""
    return _pool_bytes(device, "used_bytes")


def memory_reserved(device: DeviceLike | None = None) -> int:
    """Bytes that CuPy's pool holds on a GPU, in use or free; 0 without a GPU."""
    return _pool_bytes(device, "total_bytes")


def max_memory_allocated(device: DeviceLike | None = None) -> int:
    """The most bytes that arrays of a GPU had in use at one time, in the calling thread.

    It is counted from the first call of this function or of `reset_peak_memory_stats`. That first
    call gives what the pool holds, which is at least as much.
    """
    if not devices.cuda_is_available():
        return 0
    index: Any = on_gpu(device).index
    if index not in _peaks.peak:
        _peaks.reset(index)
        return memory_reserved(device)
    return max(_peaks.peak[index], memory_allocated(device))


def max_memory_reserved(device: DeviceLike | None = None) -> int:
    """Bytes that the pool holds; it gives memory back only in `empty_cache`."""
    return memory_reserved(device)


def reset_peak_memory_stats(device: DeviceLike | None = None) -> None:
    """Begins to count `max_memory_allocated` anew. No effect without a GPU."""
    if devices.cuda_is_available():
        _peaks.reset(on_gpu(device).index)  # type: ignore[arg-type]


reset_max_memory_allocated = reset_peak_memory_stats  # an older name


def mem_get_info(device: DeviceLike | None = None) -> tuple[int, int]:
    """(free, total) bytes of a GPU, as the driver counts: what a pool holds is not free.

    Raises:
        RuntimeError: CuPy or the GPU is missing.
    """
    with _on(on_gpu(device)):
        free, total = devices.cupy().cuda.Device().mem_info
    return int(free), int(total)


def memory_summary(device: DeviceLike | None = None, abbreviated: bool = False) -> str:
    """A few lines on the memory of a GPU."""
    free, total = mem_get_info(device)
    rows = {"in use by arrays": memory_allocated(device), "held by the pool":
            memory_reserved(device), "free": free, "total": total}
    return "\n".join([f"memory of {on_gpu(device)}", *(
        f"  {name:<18}{in_words(size):>12}" for name, size in rows.items())])
