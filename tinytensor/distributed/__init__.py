"""More than one process, under the names of `torch.distributed`, on MPI and NCCL.

    python -m tinytensor.distributed.run --nproc-per-node 2 train.py
    mpiexec -n 2 python train.py

In the program: `init_process_group()`, then `nn.parallel.DistributedDataParallel(model)`. Without
`init_process_group` a program is rank 0 of 1, and nothing here starts MPI. DISTRIBUTED.md beside
this package is the guide.

    mpi.py, nccl.py    the transports: mpi4py, and CuPy's NCCL
    process_group.py   ProcessGroup: ranks and their communicators
    groups.py          starting and ending groups, and who is who in them
    collectives.py     all_reduce and its relatives; objects.py the same for Python objects
    transfers.py       send and recv
    buffers.py         the memory of Tensors as the transports use it
    grad_bucket.py     what communication hooks get; algorithms/ddp_comm_hooks has hooks
    work.py            what async_op=True returns; futures.py the same as a Future
    monitor.py         if one rank fails, all end, and the first cause is printed; hub.py is the
                       process that decides, addresses.py where it is found
    run.py, rank.py    the launcher, and what it starts
    cost.py            a model of what data parallel training costs
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ..compat import absent
from .collectives import (
    all_gather,
    all_gather_into_tensor,
    all_gather_single,
    all_reduce,
    all_to_all,
    all_to_all_single,
    barrier,
    broadcast,
    gather,
    monitored_barrier,
    reduce,
    reduce_scatter,
    reduce_scatter_single,
    reduce_scatter_tensor,
    scatter,
)
from .grad_bucket import GradBucket
from .groups import (
    Backend,
    GroupMember,
    default_pg_timeout,
    destroy_process_group,
    get_backend,
    get_global_rank,
    get_group_rank,
    get_node_local_rank,
    get_process_group_ranks,
    get_rank,
    get_world_size,
    group,
    init_process_group,
    is_available,
    is_backend_available,
    is_gloo_available,
    is_initialized,
    is_mpi_available,
    is_nccl_available,
    is_torchelastic_launched,
    is_ucc_available,
    is_xccl_available,
    new_group,
    new_subgroups,
    new_subgroups_by_enumeration,
)
from .objects import (
    all_gather_object,
    broadcast_object_list,
    gather_object,
    recv_object_list,
    scatter_object_list,
    send_object_list,
)
from .operations import ReduceOp
from .process_group import ProcessGroup
from .transfers import P2POp, batch_isend_irecv, irecv, isend, recv, send
from .work import DistBackendError, DistError, Work

__all__ = [
    "init_process_group", "destroy_process_group", "new_group", "new_subgroups", "is_available",
    "is_initialized", "is_backend_available", "is_gloo_available", "is_mpi_available",
    "is_nccl_available", "is_torchelastic_launched", "get_rank", "get_world_size",
    "get_node_local_rank", "get_backend", "get_process_group_ranks", "get_group_rank",
    "get_global_rank", "default_pg_timeout", "ProcessGroup", "GroupMember", "group", "ReduceOp",
    "Work", "GradBucket", "all_reduce", "reduce", "broadcast", "all_gather",
    "all_gather_into_tensor", "all_gather_single", "reduce_scatter", "reduce_scatter_tensor",
    "reduce_scatter_single", "scatter", "gather", "all_to_all", "all_to_all_single", "barrier",
    "monitored_barrier", "send", "recv", "isend", "irecv", "P2POp", "batch_isend_irecv",
    "all_gather_object", "gather_object", "broadcast_object_list", "scatter_object_list",
    "send_object_list", "recv_object_list", "Backend", "DistError", "DistBackendError",
    "is_ucc_available", "is_xccl_available", "new_subgroups_by_enumeration",
]


if not TYPE_CHECKING:  # checkers report unknown names themselves
    def __getattr__(name: str) -> Any:
        if name == "algorithms":  # as in PyTorch, there without an import of its own
            return importlib.import_module("tinytensor.distributed.algorithms")
        raise absent.AbsentName("tinytensor.distributed", name, lambda: globals())
