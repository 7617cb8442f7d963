"""`torch.multiprocessing`: Python's multiprocessing. Tensors are pickled, and not shared."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from multiprocessing import *  # noqa: F403
from multiprocessing import connection as connection
from multiprocessing import context as context
from multiprocessing import reduction as reduction
from typing import Any


class ProcessRaisedException(Exception):  # noqa: N818
    """A process of `spawn` failed."""


ProcessException = ProcessExitedException = ProcessRaisedException


class Processes:
    """The processes of `spawn(..., join=False)`: `join()` waits for them."""

    def __init__(self, processes: Sequence[Any]):
        self.processes = list(processes)

    def pids(self) -> list[int]:
        return [process.pid for process in self.processes]

    def join(self, timeout: float | None = None) -> bool:
        """Waits for all processes; whether all have ended.

        Raises:
            ProcessRaisedException: one ended with an error. The others are terminated.
        """
        for process in self.processes:
            process.join(timeout)
        failed = [(i, p.exitcode) for i, p in enumerate(self.processes) if p.exitcode]
        if failed:
            for process in self.processes:
                if process.is_alive():
                    process.terminate()
            raise ProcessRaisedException(
                f"spawn: process {failed[0][0]} ended with exit code {failed[0][1]}; its traceback "
                "is above")
        return all(process.exitcode is not None for process in self.processes)


SpawnContext = ProcessContext = Processes


def start_processes(fn: Callable[..., None], args: tuple[Any, ...] = (), nprocs: int = 1,
                    join: bool = True, daemon: bool = False,
                    start_method: str = "spawn") -> Processes | None:
    """Runs fn(i, *args) in `nprocs` processes, i = 0, 1, ...; waits for them if `join` is set.

    Raises:
        ProcessRaisedException: one ended with an error.
    """
    method = multiprocessing.get_context(start_method)
    processes = [method.Process(target=fn, args=(i, *args),  # type: ignore[attr-defined]
                                daemon=daemon) for i in range(nprocs)]
    for process in processes:
        process.start()
    started = Processes(processes)
    if not join:
        return started
    started.join()
    return None


def spawn(fn: Callable[..., None], args: tuple[Any, ...] = (), nprocs: int = 1, join: bool = True,
          daemon: bool = False, start_method: str = "spawn") -> Processes | None:
    """As `start_processes`."""
    return start_processes(fn, args, nprocs, join, daemon, start_method)


def get_all_sharing_strategies() -> set[str]:
    """The strategies that can be set. None has an effect."""
    return {"file_descriptor", "file_system"}


_strategy = "file_descriptor"


def get_sharing_strategy() -> str:
    """The strategy that was set."""
    return _strategy


def set_sharing_strategy(new_strategy: str) -> None:
    """Has no effect: Tensors are copied to other processes.

    Raises:
        ValueError: an unknown strategy.
    """
    global _strategy
    if new_strategy not in get_all_sharing_strategies():
        raise ValueError(f"set_sharing_strategy: unknown strategy {new_strategy!r}; write one of "
                         f"{', '.join(sorted(get_all_sharing_strategies()))}")
    _strategy = new_strategy
