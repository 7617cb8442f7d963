"""NCCL through CuPy: the transport between GPUs. MPI carries its identifier to all ranks.

Every operation is put on the current stream, so that it runs after the work that computes its
input and before the work that reads its result.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy

from ..arrays.devices import cupy, is_gpu_array, nccl
from .operations import ReduceOp

# NCCL's numbers of types, from nccl.h.
TYPES = {"int8": 0, "bool": 1, "uint8": 1, "int32": 2, "int64": 4, "float16": 6, "float32": 7,
         "float64": 8, "bfloat16": 9}
OPS = {ReduceOp.SUM: 0, ReduceOp.AVG: 0, ReduceOp.PRODUCT: 1, ReduceOp.MAX: 2, ReduceOp.MIN: 3}
BYTES = TYPES["uint8"]


def on_host(array: Any) -> bool:
    """Whether an array is in the memory of the CPU."""
    return not is_gpu_array(array)


def missing() -> str | None:
    """What is missing for NCCL, or None."""
    try:
        module = nccl()
    except RuntimeError as error:
        return f"a GPU ({error})"
    return None if module.available else "the library of NCCL: pip install nvidia-nccl-cu12"


class Event:
    """A request of NCCL: done when the GPU has come to this point of the stream."""

    def __init__(self, stream: Any):
        self.event = cupy().cuda.Event(disable_timing=True)
        self.event.record(stream)

    def Wait(self, status: Any = None) -> None:  # noqa: N802 - as MPI's requests
        self.event.synchronize()

    def Test(self) -> bool:  # noqa: N802
        return bool(self.event.done)


class NCCLTransport:
    """Collectives of one communicator on contiguous CuPy arrays; methods as `MPITransport`."""

    def __init__(self, comm: Any):
        self.nccl = nccl()
        self.rank, self.size = comm.rank, comm.size
        identifier = comm.bcast(self.nccl.get_unique_id() if comm.rank == 0 else None)
        self.comm = self.nccl.NcclCommunicator(comm.size, identifier, comm.rank)

    def _stream(self) -> Any:
        return cupy().cuda.get_current_stream()

    def _done(self, blocking: bool) -> Event | None:
        """NCCL's operations run in the order of the stream, so nobody has to wait for them."""
        return None if blocking else Event(self._stream())

    def _type(self, name: str, array: Any) -> int:
        try:
            return TYPES[array.dtype.name]
        except KeyError:
            raise TypeError(f"{name}: NCCL has no {array.dtype.name}; convert the Tensor, or use "
                            'the backend "gloo"') from None

    def _op(self, name: str, op: ReduceOp) -> int:
        if op not in OPS:
            raise ValueError(f"{name}: NCCL has no ReduceOp.{op}; use the backend \"gloo\"")
        return OPS[op]

    def all_reduce(self, array: Any, op: ReduceOp, blocking: bool) -> Any:
        pointer = array.data.ptr
        self.comm.allReduce(pointer, pointer, array.size, self._type("all_reduce", array),
                            self._op("all_reduce", op), self._stream().ptr)
        return self._done(blocking)

    def reduce(self, array: Any, op: ReduceOp, root: int, blocking: bool) -> Any:
        pointer = array.data.ptr
        self.comm.reduce(pointer, pointer, array.size, self._type("reduce", array),
                         self._op("reduce", op), root, self._stream().ptr)
        return self._done(blocking)

    def broadcast(self, array: Any, root: int, blocking: bool) -> Any:
        self.comm.bcast(array.data.ptr, array.nbytes, BYTES, root, self._stream().ptr)
        return self._done(blocking)

    def all_gather(self, out: Any, array: Any, sizes: Sequence[int], blocking: bool) -> Any:
        if len(set(sizes)) > 1:  # a broadcast from each rank
            offsets = numpy.cumsum([0, *sizes])
            out[offsets[self.rank]:offsets[self.rank + 1]] = array.reshape(-1)
            self.nccl.groupStart()
            for rank, size in enumerate(sizes):
                part = out[offsets[rank]:offsets[rank] + size]
                self.comm.bcast(part.data.ptr, part.nbytes, BYTES, rank, self._stream().ptr)
            self.nccl.groupEnd()
        else:
            self.comm.allGather(array.data.ptr, out.data.ptr, array.nbytes, BYTES,
                                self._stream().ptr)
        return self._done(blocking)

    def gather(self, out: Any, array: Any, root: int, blocking: bool) -> Any:
        sizes = [array.size * (rank == root) for rank in range(self.size)]
        received = [array.size * (self.rank == root)] * self.size
        return self.all_to_all(array if out is None else out, array, received, sizes, blocking)

    def scatter(self, out: Any, array: Any, root: int, blocking: bool) -> Any:
        sizes = [out.size * (self.rank == root)] * self.size
        received = [out.size * (rank == root) for rank in range(self.size)]
        return self.all_to_all(out, out if array is None else array, received, sizes, blocking)

    def reduce_scatter(self, out: Any, array: Any, op: ReduceOp, sizes: Sequence[int],
                       blocking: bool) -> Any:
        if len(set(sizes)) > 1:
            raise ValueError("reduce_scatter: NCCL needs parts of the same size, got "
                             f"{list(sizes)}")
        self.comm.reduceScatter(array.data.ptr, out.data.ptr, out.size,
                                self._type("reduce_scatter", array),
                                self._op("reduce_scatter", op), self._stream().ptr)
        return self._done(blocking)

    def all_to_all(self, out: Any, array: Any, out_sizes: Sequence[int], sizes: Sequence[int],
                   blocking: bool) -> Any:
        stream, width = self._stream().ptr, array.itemsize
        sent = received = 0
        self.nccl.groupStart()
        for rank, (size, out_size) in enumerate(zip(sizes, out_sizes, strict=True)):
            if size:
                self.comm.send(array.data.ptr + sent, size * width, BYTES, rank, stream)
            if out_size:
                self.comm.recv(out.data.ptr + received, out_size * width, BYTES, rank, stream)
            sent, received = sent + size * width, received + out_size * width
        self.nccl.groupEnd()
        return self._done(blocking)

    def send(self, array: Any, peer: int, tag: int, blocking: bool) -> Any:
        self.comm.send(array.data.ptr, array.nbytes, BYTES, peer, self._stream().ptr)
        return self._done(blocking)

    def recv(self, array: Any, peer: int | None, tag: int, blocking: bool) -> Any:
        if peer is None:
            raise ValueError("recv: NCCL needs the rank to receive from; give src")
        self.comm.recv(array.data.ptr, array.nbytes, BYTES, peer, self._stream().ptr)
        return Event(self._stream())
