"""Runs all checks for the number of ranks that there are."""

from __future__ import annotations

import sys

import tinytensor.distributed as dist

from .common import CHECKS, rank, torch_dist, world


def main() -> None:
    dist.init_process_group("mpi")
    if world() == 2:
        torch_dist.init_process_group("gloo", init_method=f"file://{sys.argv[1]}.store",
                                      rank=rank(), world_size=2)
    for check in CHECKS[world()]:
        check()
        dist.barrier()
        if rank() == 0:
            with open(sys.argv[1], "a") as file:
                file.write(f"{check.__name__}\n")
    if world() == 2:
        torch_dist.destroy_process_group()
    dist.destroy_process_group()


main()
