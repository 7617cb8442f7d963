"""Streams and events: the order of work on a GPU, and points in it.

Work of one stream runs in the order in which it was launched. A program without streams uses the
default stream, in which everything waits for what was launched before. Arrays that one stream
writes and another reads need `wait_stream` or an event between the two.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

from ..arrays import devices
from ..arrays.devices import DeviceLike


def on_gpu(device: DeviceLike | None) -> devices.device:
    """A GPU, by default the current one.

    Raises:
        RuntimeError: CuPy or the GPU is missing; the device is the CPU.
    """
    index = devices.gpu_index("cuda" if device is None else device)
    return devices.device("cuda", index)


def _on(where: devices.device) -> Any:
    """A context in which a GPU is the current one, as CuPy counts."""
    return devices.cupy().cuda.Device(where.index)


class Event:
    """A point in a stream, to wait for, or to measure the time between two.

        start, end = Event(enable_timing=True), Event(enable_timing=True)
        start.record(); work(); end.record()
        end.synchronize()
        start.elapsed_time(end)             # milliseconds on the GPU
    """

    def __init__(self, enable_timing: bool = False, blocking: bool = False,
                 interprocess: bool = False, external: bool = False):
        self.timed = enable_timing
        self._event = devices.cupy().cuda.Event(block=blocking, disable_timing=not enable_timing,
                                                interprocess=interprocess)
        self._recorded = False

    def record(self, stream: Stream | None = None) -> None:
        """Puts the point behind all work that the stream, by default the current one, has now."""
        stream = current_stream() if stream is None else stream
        with _on(stream.device):
            self._event.record(stream._stream)
        self._recorded = True

    def wait(self, stream: Stream | None = None) -> None:
        """What is launched on the stream from here on begins after the point. Does not wait."""
        stream = current_stream() if stream is None else stream
        if self._recorded:
            stream._stream.wait_event(self._event)

    def query(self) -> bool:
        """Whether all work before the point is done."""
        return not self._recorded or bool(self._event.done)

    def synchronize(self) -> None:
        """Waits until all work before the point is done.

        Raises:
            IndexError, RuntimeError: a value that was checked on the GPU is wrong.
        """
        if self._recorded:
            self._event.synchronize()
        devices.read_checks()

    def elapsed_time(self, end_event: Event) -> float:
        """The milliseconds from this point to another.

        Raises:
            RuntimeError: an event without enable_timing, or that was not recorded, or not yet
                reached: call synchronize() on the later one first.
        """
        for event in (self, end_event):
            if not event.timed or not event._recorded:
                raise RuntimeError("elapsed_time: both events must be made with "
                                   "Event(enable_timing=True), and recorded")
            if not event.query():
                raise RuntimeError("elapsed_time: an event is not reached yet; call its "
                                   "synchronize() first")
        return float(devices.cupy().cuda.get_elapsed_time(self._event, end_event._event))

    def __repr__(self) -> str:
        return f"<tinytensor.cuda.Event {'recorded' if self._recorded else 'not recorded'}>"


class Stream:
    """A queue of work on a GPU. `with stream(s):` launches what is inside on it.

    A lower `priority` goes first; the GPU knows 0 and -1 at least.
    """

    def __init__(self, device: DeviceLike | None = None, priority: int = 0, *,
                 existing: Any = None):
        self.device = on_gpu(device)
        if existing is None:
            with _on(self.device):
                options = {"priority": priority} if priority else {}
                existing = devices.cupy().cuda.Stream(non_blocking=True, **options)
        self._stream = existing
        self.priority = priority

    @property
    def cuda_stream(self) -> int:
        """The address by which CUDA knows the stream."""
        return int(self._stream.ptr)

    def synchronize(self) -> None:
        """Waits until all work of the stream is done.

        Raises:
            IndexError, RuntimeError: a value that was checked on the GPU is wrong.
        """
        with _on(self.device):
            self._stream.synchronize()
        devices.read_checks()

    def query(self) -> bool:
        """Whether all work of the stream is done."""
        return bool(self._stream.done)

    def wait_event(self, event: Event) -> None:
        """What is launched from here on begins after the event. Does not wait."""
        event.wait(self)

    def wait_stream(self, stream: Stream) -> None:
        """What is launched from here on begins after all that the other stream has now."""
        self.wait_event(stream.record_event())

    def record_event(self, event: Event | None = None) -> Event:
        """Records an event, by default a new one, and returns it."""
        if event is None:
            with _on(self.device):
                event = Event()
        event.record(self)
        return event

    def __enter__(self) -> Stream:
        self._contexts: list[Any] = [*getattr(self, "_contexts", ()), stream(self)]
        self._contexts[-1].__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._contexts.pop().__exit__(*error)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stream) and (self.device, self.cuda_stream) == (
            other.device, other.cuda_stream)

    def __hash__(self) -> int:
        return hash((self.device, self.cuda_stream))

    def __repr__(self) -> str:
        return f"<tinytensor.cuda.Stream device={self.device} cuda_stream={self.cuda_stream:#x}>"


def current_stream(device: DeviceLike | None = None) -> Stream:
    """The stream on which work is launched."""
    where = on_gpu(device)
    with _on(where):
        return Stream(where, existing=devices.cupy().cuda.get_current_stream())


def default_stream(device: DeviceLike | None = None) -> Stream:
    """The stream of programs that use none."""
    return Stream(device, existing=devices.cupy().cuda.Stream.null)


def set_stream(stream: Stream) -> None:
    """Makes a stream the current one, and its GPU the current GPU."""
    devices.set_device(stream.device)
    stream._stream.use()


@contextlib.contextmanager
def stream(stream: Stream | None) -> Iterator[None]:
    """A context in which work is launched on a stream; None changes nothing."""
    if stream is None:
        yield
        return
    with _on(stream.device), stream._stream:
        yield


class device(contextlib.ContextDecorator):  # noqa: N801 - PyTorch's name
    """A context or decorator in which another GPU is the current one. None and negative numbers
    change nothing.
    """

    def __init__(self, device: DeviceLike | None):
        self.idx = -1 if device is None or isinstance(device, int) and device < 0 \
            else on_gpu(device).index
        self._before: list[int] = []

    def __enter__(self) -> None:
        if self.idx != -1:
            self._before.append(devices.current_device())
            devices.set_device(self.idx)  # type: ignore[arg-type]

    def __exit__(self, *error: object) -> None:
        if self._before:
            devices.set_device(self._before.pop())


def device_of(obj: Any) -> device:
    """`device` for the GPU of a Tensor; nothing changes for one on the CPU."""
    return device(obj.get_device())


@functools.cache
def _properties(index: int) -> Any:
    return devices.cupy().cuda.runtime.getDeviceProperties(index)


class DeviceProperties:
    """What a GPU is: its name, memory in bytes, compute capability, and sizes."""

    def __init__(self, index: int):
        given = _properties(index)
        self.name = devices.get_device_name(index)
        self.major, self.minor = int(given["major"]), int(given["minor"])
        self.total_memory = int(given["totalGlobalMem"])
        self.multi_processor_count = int(given["multiProcessorCount"])
        self.warp_size = int(given["warpSize"])
        self.max_threads_per_multi_processor = int(given["maxThreadsPerMultiProcessor"])
        self.regs_per_multiprocessor = int(given["regsPerMultiprocessor"])
        self.shared_memory_per_block = int(given["sharedMemPerBlock"])
        self.L2_cache_size = int(given["l2CacheSize"])
        self.is_integrated = int(given["integrated"])
        self.is_multi_gpu_board = int(given["isMultiGpuBoard"])

    def __repr__(self) -> str:
        return (f"DeviceProperties(name={self.name!r}, major={self.major}, minor={self.minor}, "
                f"total_memory={self.total_memory >> 20}MB, "
                f"multi_processor_count={self.multi_processor_count})")


def get_device_properties(device: DeviceLike | None = None) -> DeviceProperties:
    """What a GPU is, by default the current one.

    Raises:
        RuntimeError: CuPy or the GPU is missing.
    """
    return DeviceProperties(on_gpu(device).index)  # type: ignore[arg-type]


def get_device_capability(device: DeviceLike | None = None) -> tuple[int, int]:
    """The compute capability: (9, 0) for an H100."""
    properties = get_device_properties(device)
    return properties.major, properties.minor


def can_device_access_peer(device: DeviceLike, peer_device: DeviceLike) -> bool:
    """Whether one GPU reads the memory of another without going through the host."""
    a, b = on_gpu(device).index, on_gpu(peer_device).index
    return a != b and bool(devices.cupy().cuda.runtime.deviceCanAccessPeer(a, b))
