"""What `tinytensor.distributed.run` starts as each rank: a program under the eyes of the monitor.

It sets what programs written for torchrun read (RANK, WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE,
MASTER_ADDR, MASTER_PORT), starts MPI and the monitor, and runs the program as `__main__`. So a rank
that fails before `init_process_group` ends the others too.
"""

from __future__ import annotations

import os
import runpy
import sys
import traceback
from types import TracebackType

from . import monitor, mpi


def main() -> None:
    """rank.py [-m] program [arguments]"""
    for name, value in mpi.launched().items():
        os.environ[name] = str(value)
    os.environ.setdefault("MASTER_ADDR", "127.0.0.1")
    os.environ.setdefault("MASTER_PORT", "29500")
    arguments = sys.argv[1:]
    as_module = arguments[0] == "-m"
    sys.argv = arguments[as_module:]
    world = mpi.library().COMM_WORLD
    if world.size != int(os.environ["WORLD_SIZE"]):
        sys.exit(f"tinytensor.distributed: mpiexec has started {os.environ['WORLD_SIZE']} ranks, "
                 f"but mpi4py sees {world.size}: mpiexec and mpi4py use different MPI libraries. "
                 f"mpi4py uses {mpi.library().Get_library_version().strip(chr(0))[:60]!r}; give "
                 "its mpiexec with --mpiexec")
    monitor.start(world)
    try:
        if as_module:
            sys.path[0] = os.getcwd()
            runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
        else:
            sys.path[0] = os.path.dirname(os.path.abspath(sys.argv[0]))
            runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as stop:
        if stop.code not in (None, 0) and monitor.watcher.peer is not None:
            stop.__traceback__ = _of_program(stop.__traceback__)
            monitor.watcher.raised(stop)
        raise
    except BaseException as error:
        error.__traceback__ = _of_program(error.__traceback__)
        if monitor.watcher.peer is not None:
            monitor.watcher.raised(error)
        traceback.print_exception(error)
        sys.exit(1)


def _of_program(trace: TracebackType | None) -> TracebackType | None:
    """The part of a traceback below this module and runpy, if there is one."""
    inner = trace
    while inner is not None and (inner.tb_frame.f_code.co_filename == __file__
                                 or "runpy" in inner.tb_frame.f_code.co_filename):
        inner = inner.tb_next
    return inner or trace


if __name__ == "__main__":
    main()
