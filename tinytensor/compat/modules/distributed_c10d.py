"""`torch.distributed.distributed_c10d`: where the names of `torch.distributed` are defined."""

from ...distributed import *  # noqa: F403
from ...distributed import groups
from ...distributed.process_group import ProcessGroup


def _get_default_group() -> ProcessGroup:
    """The group of all ranks.

    Raises:
        ValueError: there is none.
    """
    return groups.world("_get_default_group")
