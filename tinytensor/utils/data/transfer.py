"""Objects between processes: pickled, with the memory of large arrays in shared memory.

A segment is a file without a name that both processes map. The kernel frees it when the last of
them has unmapped it or has ended, however it ended. There is nothing to clean up.

A batch that arrives is not copied: its arrays are views of the segment. When they are gone the
worker uses the segment again, so that its pages are touched only once.
"""

from __future__ import annotations

import io
import mmap
import os
import pickle
import socket
import tempfile
import weakref
from collections.abc import Sequence
from multiprocessing import connection, reduction
from typing import Any

import numpy

from ...tensors.tensor import Tensor

SHARED = hasattr(socket, "send_fds")  # otherwise arrays are pickled too
MIN_SHARED = 2**15  # bytes; smaller arrays are pickled, which is faster
ALIGNMENT = 64
MAX_SEGMENTS = 32  # of one worker; batches beyond that are pickled, as segments need file handles


class _Pickler(pickle.Pickler):
    def __init__(self, file: io.BytesIO, buffers: list[memoryview] | None):
        def beside(buffer: pickle.PickleBuffer) -> bool:
            """Whether a buffer is pickled; otherwise it goes to `buffers`."""
            raw = buffer.raw()
            if raw.nbytes < MIN_SHARED:
                return True
            assert buffers is not None
            buffers.append(raw)
            return False

        super().__init__(file, 5, buffer_callback=None if buffers is None else beside)
        self.dispatch_table = reduction.ForkingPickler(io.BytesIO()).dispatch_table

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, Tensor) and obj.is_cuda:
            raise TypeError("DataLoader: a Tensor on the GPU cannot be sent to or from a worker "
                            "process; keep the dataset on the CPU and move the batches with "
                            ".to('cuda')")
        return NotImplemented


def dumps(obj: Any, beside: bool) -> tuple[bytes, list[memoryview]]:
    """An object as bytes and, if `beside`, the buffers of its large arrays."""
    file = io.BytesIO()
    buffers: list[memoryview] = []
    _Pickler(file, buffers if beside and SHARED else None).dump(obj)
    return file.getvalue(), buffers


def _places(sizes: Sequence[int]) -> tuple[list[tuple[int, int]], int]:
    """The start and end of each buffer in a segment, and the size of the segment."""
    places, start = [], 0
    for size in sizes:
        places.append((start, start + size))
        start += -(-size // ALIGNMENT) * ALIGNMENT
    return places, start


def _new_segment(size: int) -> int:
    """The file descriptor of a segment."""
    if hasattr(os, "memfd_create"):
        handle = os.memfd_create("tinytensor")
    else:
        with tempfile.TemporaryFile() as file:
            handle = os.dup(file.fileno())
    try:
        os.ftruncate(handle, size)
    except BaseException:
        os.close(handle)
        raise
    return handle


class Parcel:
    """An object for several processes. Each gets a copy of its own; large arrays are copied to
    shared memory once, and a process gets its own pages of them when it writes to them.
    """

    def __init__(self, content: Any):
        self.content = content
        self.buffers: list[memoryview] = []
        self.handle: int | None = None
        self.failed = False  # whether the content cannot be pickled

    def __reduce__(self) -> Any:
        """For multiprocessing, once for each process: some objects are pickled for one process."""
        self.failed = True
        data, buffers = dumps(self.content, True)
        self.failed = False
        if not buffers:
            return Arrived, (data, [], None)
        places, size = _places([buffer.nbytes for buffer in buffers])
        if self.handle is None or not _same(self.buffers, buffers):
            self.close()
            self.handle, self.buffers = _new_segment(size), buffers
            with mmap.mmap(self.handle, size) as memory:
                for (start, end), buffer in zip(places, buffers, strict=True):
                    memory[start:end] = buffer  # type: ignore[call-overload]
        return Arrived, (data, places, reduction.DupFd(self.handle))

    def load(self) -> Any:
        """In a forked process: the object itself."""
        return self.content

    def close(self) -> None:
        """To be called after the last process has started."""
        if self.handle is not None:
            os.close(self.handle)
        self.handle, self.buffers = None, []


def _same(these: list[memoryview], those: list[memoryview]) -> bool:
    """Whether buffers are the same memory."""
    def where(buffers: list[memoryview]) -> list[tuple[int, int]]:
        return [(numpy.frombuffer(b, numpy.uint8).ctypes.data, b.nbytes) for b in buffers]

    return where(these) == where(those)


class Arrived:
    """A Parcel in the process to which it was sent."""

    def __init__(self, data: bytes, places: list[tuple[int, int]], handle: Any):
        self.data, self.places, self.handle = data, places, handle

    def load(self) -> Any:
        if self.handle is None:
            return pickle.loads(self.data)
        handle = self.handle.detach()
        memory = memoryview(mmap.mmap(handle, 0, access=mmap.ACCESS_COPY))
        os.close(handle)
        return pickle.loads(self.data, buffers=[memory[a:b] for a, b in self.places])


class Sender:
    """Sends objects over a connection: the end of the worker."""

    def __init__(self, to: connection.Connection, process: int):
        self.to, self.process = to, process
        self.segments: dict[int, mmap.mmap] = {}
        self.free: set[int] = set()
        self.count = 0

    def send(self, kind: str, obj: Any) -> None:
        """Sends an object. Nothing is sent if it cannot be pickled."""
        data, buffers = dumps(obj, True)
        places, size = _places([buffer.nbytes for buffer in buffers])
        segment, replaced, handle = None, None, None
        if buffers:
            try:
                segment, replaced, handle = self._segment(size)
            except OSError:  # too many open files, or no memory for another segment
                segment = None
            if segment is None:
                data, _ = dumps(obj, False)
        if segment is not None:
            memory = self.segments[segment]
            for (start, end), buffer in zip(places, buffers, strict=True):
                memory[start:end] = buffer  # type: ignore[call-overload]
        try:
            self.to.send_bytes(pickle.dumps(
                (kind, data, segment, replaced, handle is not None, places)))
            if handle is not None:
                reduction.send_handle(self.to, handle, self.process)
        finally:
            if handle is not None:
                os.close(handle)

    def _segment(self, size: int) -> tuple[int | None, int | None, int | None]:
        """A free segment, the one that it replaces, and its handle if it is new; or Nones."""
        fitting = [s for s in self.free if len(self.segments[s]) >= size]
        if fitting:
            smallest = min(fitting, key=lambda s: len(self.segments[s]))
            self.free.remove(smallest)
            return smallest, None, None
        if not self.free and len(self.segments) >= MAX_SEGMENTS:
            return None, None, None
        capacity = 1 << (size - 1).bit_length()  # pages that are never touched take no memory
        handle = _new_segment(capacity)
        try:
            self.segments[self.count] = mmap.mmap(handle, capacity)
        except BaseException:
            os.close(handle)
            raise
        replaced = self.free.pop() if self.free else None
        if replaced is not None:
            del self.segments[replaced]
        self.count += 1
        return self.count - 1, replaced, handle


class Receiver:
    """Receives objects over a connection: the end of the program."""

    def __init__(self, connection: connection.Connection):
        self.connection = connection
        self.segments: dict[int, mmap.mmap] = {}
        self.freed: list[int] = []

    def receive(self) -> tuple[str, Any]:
        """A kind and an object, whose large arrays are views of shared memory.

        Raises:
            EOFError, ConnectionError: the worker has ended.
        """
        kind, data, segment, replaced, new, places = pickle.loads(self.connection.recv_bytes())
        if segment is None:
            return kind, pickle.loads(data)
        if replaced is not None:
            del self.segments[replaced]
        if new:
            handle = reduction.recv_handle(self.connection)
            try:
                self.segments[segment] = mmap.mmap(handle, 0)
            finally:
                os.close(handle)
        whole = numpy.frombuffer(self.segments[segment], numpy.uint8)
        weakref.finalize(whole, self.freed.append, segment).atexit = False  # type: ignore[misc]
        memory = memoryview(whole)  # type: ignore[arg-type] # its stub lacks the buffer protocol
        del whole  # the arrays keep it alive
        return kind, pickle.loads(data, buffers=[memory[a:b] for a, b in places])

    def take_freed(self) -> list[int]:
        """The segments whose arrays are gone since the last call."""
        count = len(self.freed)
        freed, self.freed[:count] = self.freed[:count], []
        return freed

    def close(self) -> None:
        """Closes the connection. The arrays that were received stay."""
        self.connection.close()
        self.segments.clear()
