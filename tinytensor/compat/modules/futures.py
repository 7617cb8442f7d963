"""`torch.futures`."""

from ...distributed.futures import Future, collect_all, wait_all

__all__ = ["Future", "collect_all", "wait_all"]
