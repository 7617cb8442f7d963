"""Datasets for worker processes. The workers import this module, so it has few imports."""

from __future__ import annotations

import os
import random
import signal
import time
from typing import Any

import numpy

import tinytensor
from tinytensor.utils import data


class Probe:
    """Sample i describes its worker and holds a random number from each generator."""

    def __init__(self, n: int = 8):
        self.n, self.calls = n, 0

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, i: int) -> dict[str, Any]:
        info = data.get_worker_info()
        assert info is not None and info.dataset is self and info.num_workers == 2
        self.calls += 1
        return {"i": i, "id": info.id, "pid": os.getpid(), "calls": self.calls, "seed": info.seed,
                "initial": tinytensor.initial_seed(), "numpy": numpy.random.rand(),
                "random": random.random(), "own": tinytensor.rand(1).item()}


class Settings(Probe):
    """Each sample holds the settings that a worker inherits from the program."""

    def __getitem__(self, i: int) -> Any:
        return (os.environ.get("OF_THE_PROGRAM"), "PYTHONSAFEPATH" in os.environ,
                f"{tinytensor.get_default_dtype()}", tinytensor.get_num_threads())


class Changing:
    """Modifies its array whenever a sample is read."""

    def __init__(self, size: int):
        self.x = tinytensor.ones(4, size)

    def __len__(self) -> int:
        return 4

    def __getitem__(self, i: int) -> Any:
        return self.x[i].mul_(2)


class Images:
    """Samples with large fields and a small one."""

    def __len__(self) -> int:
        return 90

    def __getitem__(self, i: int) -> Any:
        return numpy.full((100, 100), i, numpy.float32), {"label": f"{i}", "x": numpy.arange(i, 9)}


def first(batch: Any) -> Any:
    return batch[0]


class Stream(data.IterableDataset[int]):
    def __init__(self, end: int, ask: bool = False):
        self.start, self.end, self.ask = 0, end, ask

    def __iter__(self) -> Any:
        info = data.get_worker_info()
        assert info is not None
        step = info.num_workers if self.ask else 1
        return iter(range(self.start + (info.id if self.ask else 0), self.end, step))


def divide(worker: int) -> None:
    """Splits a stream among the workers: a recipe from PyTorch's documentation."""
    info = data.get_worker_info()
    assert info is not None
    share = -(-info.dataset.end // info.num_workers)
    info.dataset.start = worker * share
    info.dataset.end = min(info.dataset.end, (worker + 1) * share)


def seed_worker(worker: int) -> None:
    """Seeds a worker's generators: a recipe from PyTorch's documentation."""
    seed = tinytensor.initial_seed() % 2**32
    numpy.random.seed(seed)
    random.seed(seed)


def fixed_seeds(worker: int) -> None:
    numpy.random.seed(worker)
    random.seed(worker)
    tinytensor.manual_seed(worker)


class AwkwardError(Exception):
    def __init__(self, one: int, two: int):
        super().__init__(f"{one} and {two}")


class Faulty:
    """Reading sample i fails in the way `faults[i]`."""

    def __init__(self, **faults: int):
        self.faults = {i: name for name, i in faults.items()}

    def __len__(self) -> int:
        return 4

    def __getitem__(self, i: int) -> Any:
        match self.faults.get(i):
            case "missing":
                return {}["a key"]
            case "awkward":
                raise AwkwardError(1, 2)
            case "local":
                raise type("Local", (Exception,), {})("of a class that exists only here")
            case "unsendable":
                return lambda: i
            case "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            case "exit":
                os._exit(3)
            case "stuck":
                time.sleep(1000)
        return i
