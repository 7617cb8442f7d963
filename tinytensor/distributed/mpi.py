"""MPI through mpi4py: the transport of Tensors on the CPU. The only module that imports mpi4py.

Reductions use MPI's types; everything else is moved as bytes. bfloat16, and float16 where MPI has
none, are added up in float32.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from typing import Any

import numpy

from ..autograd.halves import half_of
from .operations import ReduceOp

INSTALL = "pip install mpi4py mpich (in a clone of tinytensor: pip install -e '.[mpi]')"
MAX_TAG = 32767  # every MPI has tags up to here


@functools.cache
def _imported() -> tuple[Any, str]:
    """The module `mpi4py.MPI`, whose import starts MPI; or None, and what is missing."""
    _yield_when_idle()
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        return None, f"{type(error).__name__}: {error}"
    return MPI, ""


def library() -> Any:
    """The module `mpi4py.MPI`. The first call starts MPI.

    Raises:
        RuntimeError: mpi4py or an MPI library is missing; the message says what to install.
    """
    module, missing = _imported()
    if module is None:
        raise RuntimeError(f"process groups need MPI: {INSTALL}. The import of mpi4py failed with "
                           f"{missing}")
    return module


def installed() -> bool:
    """Whether mpi4py is installed. MPI is not started."""
    import importlib.util

    return importlib.util.find_spec("mpi4py") is not None


@functools.cache
def half_type() -> Any:
    """MPI's type of float16; None if the library has none. MPICH 5 has one."""
    mpi = library()
    found = getattr(mpi, "FLOAT16_T", mpi.DATATYPE_NULL)
    return found if found != mpi.DATATYPE_NULL and found.Get_size() == 2 else None


# For MPICH: a pause after ten polls. For Open MPI: a yield after each.
YIELD = {"MPIR_CVAR_POLLS_BEFORE_YIELD": "10", "MPIR_CVAR_ENABLE_HEAVY_YIELD": "1",
         "OMPI_MCA_mpi_yield_when_idle": "1"}


def _yield_when_idle() -> None:
    """Lets ranks that wait give their core away, if there are more ranks than cores.

    MPI libraries wait in a loop that asks without a pause. A rank that waits then takes the core
    from the one that it waits for.
    """
    local = launched()["LOCAL_WORLD_SIZE"]
    if local > (os.cpu_count() or 1):
        for name, value in YIELD.items():
            os.environ.setdefault(name, value)


# What launchers say in the environment: Hydra (MPICH, Intel MPI), Open MPI, Slurm.
LAUNCHERS: dict[str, tuple[str, ...]] = {
    "RANK": ("PMI_RANK", "OMPI_COMM_WORLD_RANK", "PMIX_RANK", "SLURM_PROCID"),
    "WORLD_SIZE": ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "SLURM_NTASKS"),
    "LOCAL_RANK": ("MPI_LOCALRANKID", "OMPI_COMM_WORLD_LOCAL_RANK", "SLURM_LOCALID"),
    "LOCAL_WORLD_SIZE": ("MPI_LOCALNRANKS", "OMPI_COMM_WORLD_LOCAL_SIZE"),
}


def launched() -> dict[str, int]:
    """Rank and world size, also those on this machine, as the launcher tells; 0 and 1 if alone."""
    told = {}
    for name, variables in LAUNCHERS.items():
        values = [os.environ[v] for v in variables if os.environ.get(v, "").isdecimal()]
        told[name] = int(values[0]) if values else int("SIZE" in name)
    on_nodes = os.environ.get("SLURM_STEP_TASKS_PER_NODE", "")
    if told["LOCAL_WORLD_SIZE"] == 1 and on_nodes:
        told["LOCAL_WORLD_SIZE"] = _tasks_on(on_nodes, os.environ.get("SLURM_NODEID", "0"))
    return told


def _tasks_on(text: str, node: str) -> int:
    """The tasks on a node, in Slurm's words: "2(x3),1" are two on three nodes, one on another."""
    counts = []
    for part in text.split(","):
        count, _, times = part.partition("(x")
        counts += [count] * int(times.rstrip(")") or 1)
    return int(counts[int(node)])


def not_connected() -> str:
    """What to do if srun has started several processes that MPI does not connect; "" if it does.

    Each of them would train alone, as rank 0 of 1. The variable is of a step that srun has
    started, not of a job.
    """
    tasks = os.environ.get("SLURM_STEP_NUM_TASKS", "1")
    if not tasks.isdecimal() or int(tasks) == 1 or library().COMM_WORLD.size > 1:
        return ""
    return (f"srun has started {tasks} processes, but MPI sees one: give srun --mpi=pmi2 with "
            "MPICH or --mpi=pmix with Open MPI (srun --mpi=list shows what this Slurm has), or "
            "start the program with mpiexec in the job")


# ---------------------------------------------------------------- collectives on arrays


class MPITransport:
    """Collectives of one communicator, on contiguous NumPy arrays.

    Each method returns None when it is done, or with blocking=False a request with Wait() and
    Test(). The arrays belong to MPI until then.
    """

    def __init__(self, comm: Any):
        self.comm, self.mpi = comm, library()
        ops = self.mpi
        self.ops = {ReduceOp.SUM: ops.SUM, ReduceOp.AVG: ops.SUM, ReduceOp.PRODUCT: ops.PROD,
                    ReduceOp.MIN: ops.MIN, ReduceOp.MAX: ops.MAX, ReduceOp.BAND: ops.BAND,
                    ReduceOp.BOR: ops.BOR, ReduceOp.BXOR: ops.BXOR}

    @staticmethod
    def _typed(array: Any) -> Any:
        """An array whose elements are added up, with MPI's type where MPI does not see it."""
        return [array, half_type()] if array.dtype.char == "e" else array

    def _call(self, name: str, blocking: bool, *args: Any, **kwargs: Any) -> Any:
        return getattr(self.comm, name if blocking else f"I{name.lower()}")(*args, **kwargs)

    def all_reduce(self, array: Any, op: ReduceOp, blocking: bool) -> Any:
        return self._call("Allreduce", blocking, self.mpi.IN_PLACE, self._typed(array),
                          self.ops[op])

    def reduce(self, array: Any, op: ReduceOp, root: int, blocking: bool) -> Any:
        typed = self._typed(array)
        given = (self.mpi.IN_PLACE, typed) if self.comm.rank == root else (typed, None)
        return self._call("Reduce", blocking, *given, op=self.ops[op], root=root)

    def broadcast(self, array: Any, root: int, blocking: bool) -> Any:
        return self._call("Bcast", blocking, as_bytes(array), root=root)

    def all_gather(self, out: Any, array: Any, sizes: Sequence[int], blocking: bool) -> Any:
        """The arrays of all ranks, of `sizes` elements each, one after the other in `out`."""
        if len(set(sizes)) <= 1:
            return self._call("Allgather", blocking, as_bytes(array), as_bytes(out))
        return self._call("Allgatherv", blocking, as_bytes(array),
                          [as_bytes(out), [n * out.itemsize for n in sizes]])

    def gather(self, out: Any, array: Any, root: int, blocking: bool) -> Any:
        return self._call("Gather", blocking, as_bytes(array),
                          None if out is None else as_bytes(out), root=root)

    def scatter(self, out: Any, array: Any, root: int, blocking: bool) -> Any:
        return self._call("Scatter", blocking, None if array is None else as_bytes(array),
                          as_bytes(out), root=root)

    def reduce_scatter(self, out: Any, array: Any, op: ReduceOp, sizes: Sequence[int],
                       blocking: bool) -> Any:
        return self._call("Reduce_scatter", blocking, self._typed(array), self._typed(out),
                          list(sizes), op=self.ops[op])

    def all_to_all(self, out: Any, array: Any, out_sizes: Sequence[int], sizes: Sequence[int],
                   blocking: bool) -> Any:
        size = array.itemsize
        return self._call("Alltoallv", blocking, [as_bytes(array), [n * size for n in sizes]],
                          [as_bytes(out), [n * size for n in out_sizes]])

    def send(self, array: Any, peer: int, tag: int, blocking: bool) -> Any:
        return self._call("Send", blocking, as_bytes(array), dest=peer, tag=tag)

    def recv(self, array: Any, peer: int | None, tag: int, blocking: bool) -> Any:
        """Receives from a rank, or with None from any. The result is a request, also if done."""
        source = self.mpi.ANY_SOURCE if peer is None else peer
        return self.comm.Irecv(as_bytes(array), source=source, tag=tag)

    def barrier(self, blocking: bool) -> Any:
        return self._call("Barrier", blocking)


def as_bytes(array: Any) -> Any:
    """The memory of a contiguous array as uint8."""
    return array.reshape(-1).view(numpy.uint8)


def reducible(array: Any, op: ReduceOp) -> tuple[Any, ReduceOp]:
    """An array of a type that MPI adds up, and the operation on it.

    bfloat16, and float16 if MPI cannot add it up, become a copy in float32; bool is seen as uint8.
    """
    if half_of(array) and (array.dtype.char != "e" or half_type() is None):
        return array.astype(numpy.float32), op
    if array.dtype.char == "?":
        return array.view(numpy.uint8), {ReduceOp.SUM: ReduceOp.MAX,
                                         ReduceOp.PRODUCT: ReduceOp.MIN}.get(op, op)
    return array, op
