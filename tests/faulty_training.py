"""A training program in which one rank fails on purpose, for test_distributed.py and faults.py.

    python -m tinytensor.distributed.run -n 2 tests/faulty_training.py raise 1 3 FOLDER

trains a small network on all ranks, with a checkpoint after each step. Rank 1 fails in step 3.
"""

from __future__ import annotations

import ctypes
import datetime
import os
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import tinytensor as tt
import tinytensor.distributed as dist
from tinytensor import nn, optim
from tinytensor.distributed.algorithms.ddp_comm_hooks import default_hooks
from tinytensor.nn.parallel import DistributedDataParallel
from tinytensor.utils import resume

KIND, RANK, STEP, FOLDER = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
STEPS = 12


def fail(model: Any) -> None:
    """What goes wrong on one rank."""
    if KIND == "raise":
        raise ValueError("a bad batch")
    if KIND == "memory":
        tt.ones(1 << 50)
    if KIND == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if KIND == "crash":
        ctypes.string_at(0)
    if KIND == "exit":
        os._exit(0)
    if KIND == "status":
        sys.exit("wrong options")
    if KIND == "leave":
        sys.exit(0)
    if KIND == "hang":
        time.sleep(1000)
    if KIND == "spin":
        while True:
            pass
    if KIND == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    if KIND == "shape":
        dist.all_reduce(tt.ones(7))
    if KIND == "barrier":
        dist.barrier()
    if KIND == "destroy":
        dist.destroy_process_group()
    if KIND == "interrupt":
        os.kill(os.getpid(), signal.SIGINT)
    if KIND == "unused":
        model.module[0].weight.sum().backward()
        model(tt.ones(1, 4))[:, :0].sum().backward()
    if KIND == "disk":
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))


class Now:
    step = 0


def hook(rank: int, bucket: dist.GradBucket) -> Any:
    """The mean of the gradients, until it fails while the gradients of others are on the way."""
    if rank == RANK and Now.step == STEP:
        raise ValueError("a bad hook")
    return default_hooks.allreduce_hook(None, bucket)


def main() -> None:
    dist.init_process_group("gloo", timeout=datetime.timedelta(seconds=3))
    rank, ranks = dist.get_rank(), dist.get_world_size()
    tt.manual_seed(0)
    width = 9 if KIND == "model" and rank == RANK else 8
    model = DistributedDataParallel(nn.Sequential(
        nn.Linear(4, width), nn.Tanh(), nn.Linear(width, 2)))
    if KIND == "hook":
        model.register_comm_hook(rank, hook)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    for step in range(STEPS):
        Now.step = step
        if step == STEP:
            if rank == RANK:
                (FOLDER / "now").write_text(str(time.time()))  # when it was, for faults.py
                os.replace(FOLDER / "now", FOLDER / "time")
                fail(model)
        total = dist.all_reduce(tt.ones(5))
        assert total is None
        part = 3 if KIND == "parts" and (rank, step) == (RANK, STEP) else 1
        dist.all_to_all_single(tt.zeros(ranks), tt.ones(ranks * part))
        optimizer.zero_grad()
        model(tt.full((3, 4), float(step + rank))).square().mean().backward()
        optimizer.step()
        resume.save_checkpoint(FOLDER / "checkpoint", model=model, optimizer=optimizer)
    print(f"rank {rank} is done")


if __name__ == "__main__":
    main()
