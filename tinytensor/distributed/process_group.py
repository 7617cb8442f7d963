"""ProcessGroup: ranks that take part in collectives together, and the communicators they use."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any, NoReturn

from . import monitor, mpi, nccl
from .monitor import Call, Kind

COMMUNICATORS = 128  # of one group; MPICH has 2,000 of a process


class ProcessGroup:
    """Some of the ranks, with communicators of their own; `new_group` makes them.

    ranks     their numbers among all ranks, in the order of their numbers in the group
    backend   "gloo", "mpi" or "nccl", as it was asked for
    verified  for each collective, with its shape and dtype, its Kind and a communicator of its own
    direct    for each shape, dtype and operation that `all_reduce` needs no preparation for, the
              Kind, MPI's function and MPI's operation

    If ranks call different collectives, MPI may give wrong numbers, or end the program without a
    word about the reason. So the first call with a shape is compared among the ranks, and gets a
    communicator of its own. Later calls need no check: different calls never meet, and the
    monitor finds the ranks waiting.
    """

    def __init__(self, comm: Any, ranks: Sequence[int], backend: str, name: str, timeout: float):
        self.comm, self.ranks, self.backend = comm, tuple(ranks), backend
        self.name, self.timeout = name, timeout
        self._rank, self._size = int(comm.rank), int(comm.size)
        self.duplicates = 0
        self.lent: dict[int, tuple[weakref.ref[ProcessGroup], list[Any]]] = {}  # by number
        self.transport: Any = mpi.MPITransport(comm)
        self.checks: Any = comm.Dup() if comm.size > 1 else comm
        # All that were made for this group, in the same order on all ranks.
        self.communicators = [comm] if self.checks is comm else [comm, self.checks]
        self.verified: dict[tuple[Any, ...], tuple[Kind, mpi.MPITransport]] = {}
        self.direct: dict[tuple[Any, ...], tuple[Kind, Any, Any]] = {}
        self._gpu: nccl.NCCLTransport | None = None

    def rank(self) -> int:
        """The number of this process in the group."""
        return self._rank

    def size(self) -> int:
        """The number of processes in the group."""
        return self._size

    def on_mpi(self, array: Any) -> bool:
        """Whether MPI moves an array: with the backend "nccl", those in the CPU's memory."""
        return self.backend != "nccl" or nccl.on_host(array)

    def on_gpus(self) -> nccl.NCCLTransport:
        """NCCL's communicator of this group, made in the first call on all ranks."""
        if self._gpu is None:
            self._gpu = nccl.NCCLTransport(self.comm)
        return self._gpu

    def duplicate(self, name: str) -> ProcessGroup:
        """The same ranks with another communicator, whose collectives are in an order of their
        own. All ranks of the group must call it; `name` says in messages what needs it."""
        call, _ = self.begin(None, name)
        with monitor.watcher.inside(call):
            self._free_unused()
            self.duplicates += 1
            made = ProcessGroup(self.comm.Dup(), self.ranks, self.backend,
                                f"{self.name}.{self.duplicates}", self.timeout)
        self.lent[self.duplicates] = weakref.ref(made), made.communicators
        return made

    def _free_unused(self) -> None:
        """Frees the communicators of duplicates that no rank has any more."""
        unused = {number for number, (made, _) in self.lent.items() if made() is None}
        for number in sorted(set.intersection(*self.comm.allgather(unused))):
            for comm in self.lent.pop(number)[1]:
                comm.Free()

    def free(self) -> None:
        """Frees the communicators, also those of duplicates. Later calls raise."""
        for made, comms in self.lent.values():
            duplicate = made()
            if duplicate is not None:
                duplicate.free()
            else:
                for comm in comms:
                    comm.Free()
        for comm in self.communicators:
            comm.Free()
        if self._gpu is not None:
            self._gpu.comm.destroy()
        self.lent, self.verified, self.direct, self._gpu = {}, {}, {}, None
        self.comm = self.checks = self.transport = _Destroyed(self.ranks)

    # ------------------------------------------------------------ calls, for the monitor

    def begin(self, array: Any, *what: Any) -> tuple[Call, Any]:
        """Numbers a collective, remembers it, and gives the transport for it.

        Raises:
            RuntimeError: another rank calls something else.
        """
        known = self.verified.get(what)
        if known is not None:
            kind, transport = known
            call = self.number(kind)
        else:
            call = self.note(*what)
            transport = self._verify(call)
        return call, transport if array is None or self.on_mpi(array) else self.on_gpus()

    def note(self, *what: Any) -> Call:
        """Numbers a collective and remembers it."""
        return self.number(Kind(self.name, what, self.ranks, self.timeout))

    def number(self, kind: Kind) -> Call:
        """Numbers a collective of a known kind and remembers it."""
        watcher, name = monitor.watcher, self.name
        number = watcher.counts.get(name, 0)
        watcher.counts[name] = number + 1
        call = kind, number
        watcher.history.append(call)
        return call

    def _verify(self, call: Call) -> mpi.MPITransport:
        """Compares a collective with those of the other ranks, and makes its communicator."""
        kind = call[0]
        if self._size == 1:
            if len(self.verified) < COMMUNICATORS:
                self.verified[kind.what] = kind, self.transport
            return self.transport
        with monitor.watcher.inside(call):
            texts = self.checks.allgather(kind.text())
            if len(set(texts)) == 1 and len(self.verified) < COMMUNICATORS:
                made = mpi.MPITransport(self.comm.Dup())
                self.communicators.append(made.comm)
                self.verified[kind.what] = kind, made
                return made
        for rank, text in zip(self.ranks, texts, strict=True):
            if text != texts[0]:
                raise RuntimeError(
                    f"{kind.text()}: the ranks have called different collectives: rank "
                    f"{self.ranks[0]} {texts[0]}, rank {rank} {text}. All ranks of a group must "
                    "call the same in the same order, with the same shapes and dtypes")
        return self.transport

    def transfer(self, peer: int | None, *what: Any) -> Call:
        """A call between this rank and a rank of the group, or any for None."""
        peers = self.ranks if peer is None else (self.ranks[peer],)
        return Kind(self.name, what, peers, self.timeout), None

    def __deepcopy__(self, memo: object) -> ProcessGroup:
        """The group itself: the copy of a model has the same ranks."""
        return self

    def __reduce__(self) -> str:
        """
        Raises:
            TypeError: another program has other ranks.
        """
        raise TypeError("a ProcessGroup cannot be pickled; save the state_dict of a model, or the "
                        "inner module of DistributedDataParallel, model.module")

    def __repr__(self) -> str:
        return f"<ProcessGroup {self.name}: ranks {list(self.ranks)}, backend {self.backend}>"


class _Destroyed:
    """What a group has in place of its communicators after `destroy_process_group`."""

    def __init__(self, ranks: Sequence[int]):
        self._ranks = list(ranks)

    def __getattr__(self, attribute: str) -> NoReturn:
        """
        Raises:
            RuntimeError: always.
        """
        raise RuntimeError(
            f"this process group, of ranks {self._ranks}, was destroyed by destroy_process_group; "
            "make another with init_process_group or new_group, and wrap the model again")
