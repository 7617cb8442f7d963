"""`torch.distributed.constants`: how long a collective may take."""

from ...distributed.groups import default_pg_timeout

__all__ = ["default_pg_timeout", "default_pg_nccl_timeout"]

default_pg_nccl_timeout = default_pg_timeout  # here NCCL waits as long as MPI
