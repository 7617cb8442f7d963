"""A stand-in for `cupy.cuda.nccl` on MPI, for arrays whose pointers lead to the CPU's memory.

It has the functions that `tinytensor.distributed.nccl` calls, with NCCL's arguments: pointers,
counts, numbers of types and operations. Like NCCL it needs sends and receives of several ranks to
stand between groupStart and groupEnd. Everything is done at once; there are no streams.
"""

from __future__ import annotations

import ctypes
from types import SimpleNamespace
from typing import Any

import numpy

TYPES = {0: "int8", 1: "uint8", 2: "int32", 4: "int64", 6: "float16", 7: "float32", 8: "float64"}
available = True
calls: list[str] = []
_group: list[Any] | None = None


def memory(pointer: int, count: int, kind: int) -> Any:
    dtype = numpy.dtype(TYPES[kind])
    if not count:
        return numpy.empty(0, dtype)
    return numpy.frombuffer((ctypes.c_char * (count * dtype.itemsize)).from_address(pointer), dtype)


def get_unique_id() -> tuple[int, ...]:
    return tuple(range(128))


def groupStart() -> None:  # noqa: N802 - NCCL's names
    global _group
    assert _group is None
    _group = []


def groupEnd() -> None:  # noqa: N802
    global _group
    requests, _group = _group, None
    for request in requests or ():
        request.Wait()


class NcclCommunicator:
    def __init__(self, size: int, identifier: tuple[int, ...], rank: int):
        from mpi4py import MPI

        assert identifier == get_unique_id()
        self.mpi = MPI
        self.comm = MPI.COMM_WORLD.Dup()
        assert (self.comm.size, self.comm.rank) == (size, rank)
        self.ops = [MPI.SUM, MPI.PROD, MPI.MAX, MPI.MIN]

    def destroy(self) -> None:
        self.comm.Free()

    def _reduced(self, pointer: int, count: int, kind: int, op: int) -> Any:
        given = memory(pointer, count, kind)
        wide = given.astype("float32") if given.dtype == "float16" else given.copy()
        self.comm.Allreduce(self.mpi.IN_PLACE, wide, self.ops[op])
        return wide

    def allReduce(self, sent: int, received: int, count: int, kind: int, op: int,  # noqa: N802
                  stream: int) -> None:
        calls.append("allReduce")
        memory(received, count, kind)[...] = self._reduced(sent, count, kind, op)

    def reduce(self, sent: int, received: int, count: int, kind: int, op: int, root: int,
               stream: int) -> None:
        result = self._reduced(sent, count, kind, op)
        if self.comm.rank == root:
            memory(received, count, kind)[...] = result

    def bcast(self, buffer: int, count: int, kind: int, root: int, stream: int) -> None:
        request = self.comm.Ibcast(memory(buffer, count, kind), root)
        request.Wait() if _group is None else _group.append(request)

    def allGather(self, sent: int, received: int, count: int, kind: int,  # noqa: N802
                  stream: int) -> None:
        self.comm.Allgather(memory(sent, count, kind),
                            memory(received, count * self.comm.size, kind))

    def reduceScatter(self, sent: int, received: int, count: int, kind: int,  # noqa: N802
                      op: int, stream: int) -> None:
        whole = self._reduced(sent, count * self.comm.size, kind, op)
        memory(received, count, kind)[...] = whole[self.comm.rank * count:][:count]

    def send(self, buffer: int, count: int, kind: int, peer: int, stream: int) -> None:
        request = self.comm.Isend(memory(buffer, count, kind), peer)
        request.Wait() if _group is None else _group.append(request)

    def recv(self, buffer: int, count: int, kind: int, peer: int, stream: int) -> None:
        request = self.comm.Irecv(memory(buffer, count, kind), peer)
        request.Wait() if _group is None else _group.append(request)


class Event:
    """Of `cupy.cuda`: everything is done at once."""

    done = True

    def __init__(self, disable_timing: bool = False):
        pass

    def record(self, stream: Any) -> None:
        pass

    def synchronize(self) -> None:
        pass


module = SimpleNamespace(**{name: value for name, value in globals().items()
                            if not name.startswith("__")})
