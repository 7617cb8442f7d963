"""Starting and ending groups of ranks, and who is who in them."""

from __future__ import annotations

import contextlib
import datetime
import os
import socket
import sys
from collections.abc import Sequence
from typing import Any, ClassVar, TypeAlias

from ..arrays import threads
from ..arrays.devices import cuda_is_available, device_count, set_device
from . import monitor, mpi, nccl
from .monitor import Kind
from .process_group import ProcessGroup

BACKENDS = ("gloo", "mpi", "nccl")


class Backend(str):
    """The name of a backend, in small letters.

    Raises:
        ValueError: an unknown backend.
    """

    GLOO, MPI, NCCL = BACKENDS

    def __new__(cls, name: str) -> Backend:
        if str(name).lower() not in BACKENDS:
            raise ValueError(f"Backend: unknown backend {name!r}; use "
                             f"{', '.join(map(repr, BACKENDS))}")
        return super().__new__(cls, str(name).lower())


default_pg_timeout = datetime.timedelta(minutes=30)


class NonMember:
    """What `new_group` returns on a rank that is not in the group."""

    def __repr__(self) -> str:
        return "<not a member of the group>"


Group: TypeAlias = ProcessGroup | NonMember | None
NON_GROUP_MEMBER = NonMember()


class _World:
    """The group of all ranks, while there is one.

    made    the others that there are, in the order in which all ranks have made them
    groups  how many were made
    """

    group: ProcessGroup | None = None
    made: ClassVar[list[ProcessGroup]] = []
    groups = 0


class GroupMember:
    """PyTorch's names for the group of all ranks and for none."""

    NON_GROUP_MEMBER = NON_GROUP_MEMBER

    @property
    def WORLD(self) -> ProcessGroup | None:  # noqa: N802
        return _World.group


group = GroupMember()  # `group.WORLD`


def world(name: str) -> ProcessGroup:
    """
    Raises:
        ValueError: there is no process group.
    """
    if _World.group is None:
        raise ValueError(f"{name}: the default process group has not been initialized; call "
                         "init_process_group first")
    return _World.group


def resolve(name: str, group: Group) -> ProcessGroup | None:
    """The group of an argument `group`; None if this rank is not a member."""
    if group is None:
        return _World.group or world(name)
    if isinstance(group, NonMember):
        return None
    if not isinstance(group, ProcessGroup):
        raise TypeError(f"{name}: group must be a ProcessGroup or None, got "
                        f"{type(group).__name__}")
    world(name)
    return group


# ---------------------------------------------------------------- starting and ending


def is_available() -> bool:
    """Whether mpi4py is installed, without which no group can be made."""
    return mpi.installed()


def is_mpi_available() -> bool:
    """Whether mpi4py is installed."""
    return mpi.installed()


def is_gloo_available() -> bool:
    """Whether the backend "gloo" can be asked for. MPI takes its place."""
    return mpi.installed()


def is_nccl_available() -> bool:
    """Whether CuPy has NCCL, and there is a GPU."""
    return mpi.installed() and nccl.missing() is None


def is_initialized() -> bool:
    """Whether there is a process group."""
    return _World.group is not None


def is_backend_available(backend: str) -> bool:
    """Whether a group of this backend can be made."""
    return {"gloo": is_gloo_available, "mpi": is_mpi_available,
            "nccl": is_nccl_available}.get(backend.lower(), lambda: False)()


def is_ucc_available() -> bool:
    """False: there is no backend "ucc"."""
    return False


def is_xccl_available() -> bool:
    """False: there is no backend "xccl"."""
    return False


def is_torchelastic_launched() -> bool:
    """False: failed ranks are not started again."""
    return False


def init_process_group(backend: str | None = None, init_method: str | None = None,
                       timeout: datetime.timedelta | None = None, world_size: int = -1,
                       rank: int = -1, store: object = None, group_name: str = "",
                       pg_options: object = None, device_id: object = None) -> None:
    """Makes the group of all ranks that `mpiexec`, `srun` or `tinytensor.distributed.run` started.

    A program that was started alone is rank 0 of 1. From here on the ranks are watched: if one
    raises, leaves or is killed while others need it, all end with status 1, and the first cause
    is printed. The ranks of one machine share its cores: each gets as many threads as there are
    cores for it, unless OMP_NUM_THREADS says otherwise.

    RANK, WORLD_SIZE, LOCAL_RANK and LOCAL_WORLD_SIZE are set in os.environ if they are not.

    Args:
        backend: "nccl" moves Tensors on GPUs through NCCL; "mpi", "gloo" and None move Tensors
            through MPI. "cpu:gloo,cuda:nccl" is "nccl".
        init_method, store: not needed: MPI knows all ranks. The arguments are accepted.
        timeout: how long a collective may take, by default 30 minutes.
        world_size, rank: checked, if they are given.

    Raises:
        RuntimeError: there is a group already; mpi4py is missing, or with "nccl" CuPy or a GPU;
            the program was started by another launcher, such as torchrun.
        ValueError: an unknown backend; `rank` or `world_size` is not what MPI says.
    """
    if _World.group is not None:
        raise RuntimeError("init_process_group: trying to initialize the default process group "
                           "twice; call destroy_process_group first")
    chosen = _backend(backend)
    comm = mpi.library().COMM_WORLD
    _check_launcher(comm, world_size, rank)
    if chosen == "nccl" and (missing := nccl.missing()) is not None:
        raise RuntimeError(f'init_process_group: the backend "nccl" needs {missing}; '
                           'backend "gloo" trains on the CPU')
    with _starting(comm):
        local = comm.Split_type(mpi.library().COMM_TYPE_SHARED)
    for name, value in (("RANK", comm.rank), ("WORLD_SIZE", comm.size), ("LOCAL_RANK", local.rank),
                        ("LOCAL_WORLD_SIZE", local.size)):
        os.environ.setdefault(name, str(value))
    monitor.start(comm)
    if comm.size > 1:
        _share_cores(local, comm.rank)
    if cuda_is_available() and chosen == "nccl" and device_id is None:
        set_device(local.rank % device_count())
    local.Free()
    seconds = (default_pg_timeout if timeout is None else timeout).total_seconds()
    with _starting(comm):
        _World.group = ProcessGroup(comm.Dup(), range(comm.size), chosen, "world", seconds)


def _starting(comm: Any) -> contextlib.AbstractContextManager[None]:
    """For the monitor: this rank waits for all others in `init_process_group`."""
    counts = monitor.watcher.counts
    number = counts.get("init", 0)
    counts["init"] = number + 1
    kind = Kind("init", ("init_process_group",), tuple(range(comm.size)),
                default_pg_timeout.total_seconds())
    return monitor.watcher.inside((kind, number))


def _backend(backend: str | None) -> str:
    if backend is None:
        return "mpi"
    name = str(backend).lower()
    if ":" in name:  # a backend for each type of device
        by_device = dict(part.split(":", 1) for part in name.split(","))
        name = by_device.get("cuda", by_device.get("cpu", name))
    if name not in BACKENDS:
        raise ValueError(f"init_process_group: unknown backend {backend!r}; use "
                         f"{', '.join(map(repr, BACKENDS))} or None")
    return name


def _check_launcher(comm: Any, world_size: int, rank: int) -> None:
    """
    Raises:
        RuntimeError, ValueError: MPI knows of another number of ranks than the environment or the
            caller says.
    """
    if problem := mpi.not_connected():
        raise RuntimeError(f"init_process_group: {problem}")
    told = os.environ.get("WORLD_SIZE", "")
    if told.isdecimal() and int(told) != comm.size:
        raise RuntimeError(
            f"init_process_group: WORLD_SIZE is {told}, but MPI has started {comm.size} "
            f"process{'es' * (comm.size > 1)}. Start the program with `python -m "
            "tinytensor.distributed.run --nproc-per-node N program.py` or `mpiexec -n N python "
            "program.py`, not with torchrun; mpiexec must belong to the MPI library that mpi4py "
            f"uses ({mpi.library().Get_library_version().split(chr(10))[0].strip(chr(0))})")
    for name, given, actual in (("world_size", world_size, comm.size), ("rank", rank, comm.rank)):
        if given not in (-1, actual):
            raise ValueError(f"init_process_group: {name} is {given}, but MPI says {actual}; the "
                             "program was not started by mpiexec with that many processes")


def _share_cores(local: Any, rank: int) -> None:
    """Sets the threads of this rank to its share of the cores that ranks of one machine share."""
    own = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") \
        else set(range(os.cpu_count() or 1))
    all_cores = local.allgather(own)
    count = max(1, int(sum(1 / sum(core in cores for cores in all_cores) for core in own) + 1e-9))
    if threads.limit_threads(count) and rank == 0:
        cores = len(set().union(*all_cores))
        print(f"tinytensor.distributed: {local.size} rank{'s' * (local.size > 1)} on "
              f"{cores} core{'s' * (cores > 1)} of {socket.gethostname()}: {count} "
              f"thread{'s' * (count > 1)} each (OMP_NUM_THREADS sets another number)",
              file=sys.stderr, flush=True)


def destroy_process_group(group: Group = None) -> None:
    """Ends a group, or with None all of them, if there are any. The program may go on alone.

    All ranks of the group must call it. Later collectives of the group raise.
    """
    if group is None and _World.group is None:
        return
    ended = resolve("destroy_process_group", group)
    if ended is None:
        return
    if ended is _World.group:
        while _World.made:
            _World.made.pop().free()
        _World.group = None
    elif ended in _World.made:
        _World.made.remove(ended)
    else:
        raise ValueError(f"destroy_process_group: {ended} was destroyed before")
    ended.free()


def new_group(ranks: Sequence[int] | None = None, timeout: datetime.timedelta | None = None,
              backend: str | None = None, pg_options: object = None,
              use_local_synchronization: bool = False, group_desc: str | None = None,
              device_id: object = None) -> ProcessGroup | NonMember:
    """A group of some ranks, by default all. All ranks must call it, in the same order.

    Returns GroupMember.NON_GROUP_MEMBER on ranks that are not in it; collectives with that return
    at once.

    Raises:
        TypeError: a rank is no integer.
        ValueError: a rank does not exist, or is given twice.
    """
    parent = world("new_group")
    chosen = list(range(parent.size()) if ranks is None else ranks)
    if not all(hasattr(rank, "__index__") for rank in chosen):
        raise TypeError(f"new_group: ranks must be integers, got {chosen}")
    chosen.sort()
    if len(set(chosen)) != len(chosen) or any(not 0 <= r < parent.size() for r in chosen):
        raise ValueError(f"new_group: ranks must be different and in [0, {parent.size() - 1}], "
                         f"got {ranks}")
    _World.groups += 1
    call = Kind("world", ("new_group", chosen), tuple(chosen), parent.timeout), None
    if parent.rank() not in chosen:
        return NON_GROUP_MEMBER
    with monitor.watcher.inside(call):
        comm = parent.comm.Create_group(parent.comm.Get_group().Incl(chosen),
                                        tag=_World.groups % mpi.MAX_TAG)
    seconds = parent.timeout if timeout is None else timeout.total_seconds()
    made = ProcessGroup(comm, chosen, parent.backend if backend is None else _backend(backend),
                        f"{_World.groups} {chosen}", seconds)
    _World.made.append(made)
    return made


def new_subgroups(group_size: int | None = None, group: Group = None,
                  timeout: datetime.timedelta | None = None, backend: str | None = None,
                  pg_options: object = None, group_desc: str | None = None,
                  ) -> tuple[ProcessGroup, list[ProcessGroup | NonMember]]:
    """Divides all ranks into groups of `group_size` neighbours; returns the own one, and all.

    By default those of one machine. Other groups than that of all ranks are not divided.

    Raises:
        ValueError: the number of ranks is not a multiple of `group_size`; another `group`.
    """
    parent = world("new_subgroups")
    if group not in (None, parent):
        raise ValueError("new_subgroups: only the group of all ranks can be divided")
    size = int(os.environ["LOCAL_WORLD_SIZE"]) if group_size is None else group_size
    if size < 1 or parent.size() % size:
        raise ValueError(f"new_subgroups: {parent.size()} ranks cannot be divided into groups of "
                         f"{size}")
    made = [new_group(range(start, start + size), timeout, backend)
            for start in range(0, parent.size(), size)]
    own = made[parent.rank() // size]
    assert isinstance(own, ProcessGroup)
    return own, made


def new_subgroups_by_enumeration(ranks_per_subgroup_list: Sequence[Sequence[int]],
                                 timeout: datetime.timedelta | None = None,
                                 backend: str | None = None, pg_options: object = None,
                                 group_desc: str | None = None,
                                 ) -> tuple[ProcessGroup | None, list[ProcessGroup | NonMember]]:
    """A group for each list of ranks; returns the own one, or None, and all.

    Raises:
        ValueError: there is no list; a rank does not exist, or is given twice.
    """
    given = [rank for ranks in ranks_per_subgroup_list for rank in ranks]
    if not given or len(set(given)) != len(given):
        raise ValueError("new_subgroups_by_enumeration: expected lists of ranks, each rank in one "
                         f"of them at most, got {[list(r) for r in ranks_per_subgroup_list]}")
    made = [new_group(ranks, timeout, backend) for ranks in ranks_per_subgroup_list]
    own = [group for group in made if isinstance(group, ProcessGroup)]
    return (own[0] if own else None), made


# ---------------------------------------------------------------- who is who


def get_rank(group: Group = None) -> int:
    """The rank of this process in the group; -1 if it is not in it. Without a group, 0."""
    if group is None and _World.group is None:
        return 0
    found = resolve("get_rank", group)
    return -1 if found is None else found.rank()


def get_world_size(group: Group = None) -> int:
    """The number of processes of the group; -1 if this one is not in it. Without a group, 1."""
    if group is None and _World.group is None:
        return 1
    found = resolve("get_world_size", group)
    return -1 if found is None else found.size()


def get_node_local_rank(fallback_rank: int | None = None) -> int:
    """The rank of this process among those of its machine: LOCAL_RANK.

    Raises:
        RuntimeError: it is not known, and no fallback was given.
    """
    if "LOCAL_RANK" in os.environ:
        return int(os.environ["LOCAL_RANK"])
    if fallback_rank is None:
        raise RuntimeError("get_node_local_rank: LOCAL_RANK is not set; call init_process_group "
                           "first, or give fallback_rank")
    return int(fallback_rank)


def get_backend(group: Group = None) -> str:
    """The backend of the group, as `init_process_group` was asked for it; "mpi" for None."""
    found = resolve("get_backend", group)
    if found is None:
        raise ValueError("get_backend: this rank is not in the group")
    return found.backend


def get_process_group_ranks(group: Group) -> list[int]:
    """The ranks of a group, as numbers among all ranks."""
    found = resolve("get_process_group_ranks", group)
    return [] if found is None else list(found.ranks)


def get_group_rank(group: Group, global_rank: int) -> int:
    """The number in the group of a rank.

    Raises:
        ValueError: it is not in the group.
    """
    found = resolve("get_group_rank", group)
    if found is None or global_rank not in found.ranks:
        raise ValueError(f"get_group_rank: rank {global_rank} is not in {found or group}")
    return found.ranks.index(global_rank)


def get_global_rank(group: Group, group_rank: int) -> int:
    """The rank of the process that has a number in the group.

    Raises:
        ValueError: the group has no such number.
    """
    found = resolve("get_global_rank", group)
    if found is None or not 0 <= group_rank < found.size():
        raise ValueError(f"get_global_rank: {found or group} has no rank {group_rank}")
    return found.ranks[group_rank]


def member(name: str, group: ProcessGroup, rank: int | None, group_rank: int | None,
           default: int | None = None) -> int:
    """The number in the group of an argument such as `src`, or of `group_src` beside it."""
    if group_rank is not None:
        if rank is not None:
            raise ValueError(f"{name}: give either the rank or its number in the group, not both")
        if not 0 <= group_rank < group.size():
            raise ValueError(f"{name}: the group has no rank {group_rank}; its ranks are numbered "
                             f"from 0 to {group.size() - 1}")
        return int(group_rank)
    if rank is None:
        if default is None:
            from_one = ("broadcast", "scatter", "recv", "irecv")
            argument = "src" if name.startswith(from_one) else "dst"
            raise ValueError(f"{name}: the rank is missing; give {argument}, or its number in the "
                             f"group as group_{argument}")
        return default
    if rank not in group.ranks:
        raise ValueError(f"{name}: rank {rank} is not in {group}")
    return group.ranks.index(rank)
