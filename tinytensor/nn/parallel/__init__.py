"""Wrappers of models for training on several devices."""

from .data_parallel import DataParallel
from .distributed import DistributedDataParallel
from .scatter_gather import gather, parallel_apply, scatter

__all__ = ["DataParallel", "DistributedDataParallel", "scatter", "gather", "parallel_apply"]
