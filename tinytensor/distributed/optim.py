"""Optimizers for several ranks, at the place of `torch.distributed.optim`."""

from ..optim.zero import ZeroRedundancyOptimizer

__all__ = ["ZeroRedundancyOptimizer"]
