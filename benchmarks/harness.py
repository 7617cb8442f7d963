"""Measuring fairly on a shared, noisy machine.

Each peer runs in a process of its own, and the processes alternate: round after round, every peer
is measured once. What is quoted is the median over the rounds, and the ratio of the medians; the
spread over the rounds stands beside it.
"""

from __future__ import annotations

import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any


@dataclass
class Measured:
    """The seconds that one step of a peer took, a median for each round; or why there are none."""

    seconds: list[float] = field(default_factory=list)
    problem: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def spread(self) -> float:
        """(largest - smallest) / median over the rounds."""
        return (max(self.seconds) - min(self.seconds)) / self.median


def time_step(prepare: Callable[[], Callable[[], None]], budget: float) -> float:
    """The median seconds of a step, over as many as fit into `budget` seconds, at least three."""
    step = prepare()
    step()  # warm up: imports, caches, compilation
    taken: list[float] = []
    until = time.perf_counter() + budget
    while len(taken) < 3 or time.perf_counter() < until:
        start = time.perf_counter()
        step()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def measure(row: str, peers: dict[str, Any], rounds: int, budget: float) -> dict[str, Measured]:
    """One row of the table: every peer in `rounds` alternating processes."""
    found = {peer: Measured() for peer in peers}
    for _ in range(rounds):
        for peer, result in found.items():
            if result.problem:
                continue
            answer = subprocess.run(
                [sys.executable, "-m", "benchmarks", "--worker", row, peer, str(budget)],
                capture_output=True, text=True, check=False)
            lines = answer.stdout.strip().splitlines()
            reply = json.loads(lines[-1]) if answer.returncode == 0 and lines else {
                "problem": (answer.stderr.strip().splitlines() or ["no answer"])[-1]}
            if "seconds" in reply:
                result.seconds.append(reply["seconds"])
            else:
                result.problem = reply["problem"]
    return found


def work(peers: dict[str, Any], peer: str, budget: float) -> dict[str, Any]:
    """What a worker process answers: the seconds of a step, or that the peer is missing."""
    try:
        return {"seconds": time_step(peers[peer], budget)}
    except ImportError as error:
        return {"problem": f"not installed ({error.name})"}


def machine() -> dict[str, str]:
    """What the figures were measured on."""
    processor = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.partition(":")[2].strip() for line in file if "model name" in line]
        processor = f"{len(names)} cores of {names[0]}"
    except (OSError, IndexError):
        pass
    versions = {}
    for package in ("numpy", "torch", "micrograd", "autograd", "mygrad"):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return {"date": time.strftime("%Y-%m-%d"), "processor": processor,
            "python": platform.python_version(), **versions}
