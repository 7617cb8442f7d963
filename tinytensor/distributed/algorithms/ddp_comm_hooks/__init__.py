"""Communication hooks of DistributedDataParallel: what is done with a bucket of gradients.

    model.register_comm_hook(None, default_hooks.fp16_compress_hook)
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import debugging_hooks, default_hooks

if TYPE_CHECKING:
    from ....nn.parallel.distributed import DistributedDataParallel

__all__ = ["DDPCommHookType", "register_ddp_comm_hook", "default_hooks", "debugging_hooks"]


class DDPCommHookType(enum.Enum):
    """The hooks that `register_ddp_comm_hook` knows by name."""

    ALLREDUCE = "allreduce_hook"
    FP16_COMPRESS = "fp16_compress_hook"
    NOOP = "noop_hook"


_HOOKS: dict[DDPCommHookType, Callable[..., Any]] = {
    DDPCommHookType.ALLREDUCE: default_hooks.allreduce_hook,
    DDPCommHookType.FP16_COMPRESS: default_hooks.fp16_compress_hook,
    DDPCommHookType.NOOP: debugging_hooks.noop_hook,
}


def register_ddp_comm_hook(comm_hook_type: DDPCommHookType, model: DistributedDataParallel,
                           state: Any = None) -> None:
    """`model.register_comm_hook` with one of the hooks of this package."""
    model.register_comm_hook(state, _HOOKS[comm_hook_type])
