"""Checks that run on several ranks; test_distributed.py starts this program.

    mpiexec -n 2 python -m tests.on_ranks FILE

Every check runs on all ranks, next to the same program in PyTorch's gloo where that is the
reference. FILE gets the name of each check that has passed on all ranks. The first failure ends the
program with its traceback.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

for _library in ("OMP", "OPENBLAS", "MKL"):
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")
os.environ.setdefault("TINYTENSOR_KERNELS", "0")
sys.path.insert(0, str(Path(__file__).parents[1]))  # the stand-ins for CuPy and NCCL

from . import checkpoints, collectives, gpus, hooks, training  # noqa: E402
from .common import CHECKS  # noqa: E402

__all__ = ["CHECKS", "checkpoints", "collectives", "gpus", "hooks", "training"]
