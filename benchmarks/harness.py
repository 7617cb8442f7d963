"""Measures rows of the table on a shared, noisy machine.

Each peer runs in its own process, which lives for the rows of one family. The processes alternate:
in each round, every peer has a short turn while the others wait. The ratios compare the peers' best
steps, because other programs can only lengthen a step. The median over the rounds and their spread
are recorded too.
"""

from __future__ import annotations

import gc
import json
import math
import os
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from typing import Any

from .peers import CPU_ONLY, Row, Step, environment

WARM_UP = 3        # untimed first steps, which compile and fill caches; their losses are compared
TOLERANCE = 1e-3   # the largest relative difference of losses between peers that do equal work
PATIENCE = 120.0   # the time limit for preparing a row, in seconds


@dataclass
class Measured:
    """The measurements of one peer in one row.

    figures     The median of each round.
    best        The best single step.
    losses      The losses of the warm-up.
    problem     Why there is no measurement, or "".
    """

    figures: list[float] = field(default_factory=list)
    best: float = math.inf
    losses: list[float] = field(default_factory=list)
    problem: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.figures)

    @property
    def spread(self) -> float:
        """(largest - smallest) / median of the rounds."""
        return (max(self.figures) - min(self.figures)) / self.median if self.median else 0.0


class Worker:
    """A peer's process. It reads questions and writes answers, one JSON object per line."""

    def __init__(self, peer: str, device: str, threads: int) -> None:
        self.errors = tempfile.TemporaryFile("w+", encoding="utf-8")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks", "--worker", peer, device],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True,
            start_new_session=True, env={**os.environ, **environment(peer, device, threads)})

    def ask(self, **question: Any) -> dict[str, Any]:
        assert self.process.stdin and self.process.stdout
        try:
            print(json.dumps(question), file=self.process.stdin, flush=True)
        except BrokenPipeError:
            return {"problem": self.last_error()}
        ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
        if not ready:
            self.close()
            return {"problem": f"no answer in {PATIENCE:.0f} s"}
        line = self.process.stdout.readline()
        return json.loads(line) if line else {"problem": self.last_error()}

    def last_error(self) -> str:
        """The last line of standard error of a process that has ended."""
        self.process.wait()
        self.errors.seek(0)
        return (self.errors.read().strip().splitlines() or ["it ended without a message"])[-1]

    def close(self) -> None:
        if self.process.poll() is None:  # the group includes compilers that the process started
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.errors):
            if pipe:
                pipe.close()


class Workers:
    """One process per peer, started when it is first needed."""

    def __init__(self, device: str, threads: int) -> None:
        self.device, self.threads = device, threads
        self.running: dict[str, Worker] = {}

    def ask(self, peer: str, fresh: bool, **question: Any) -> dict[str, Any]:
        if fresh:
            self.close(peer)
        if peer not in self.running:
            self.running[peer] = Worker(peer, self.device, self.threads)
        answer = self.running[peer].ask(**question)
        if answer.get("ended") or "problem" in answer:
            self.close(peer)
        return answer

    def close(self, peer: str | None = None) -> None:
        for name in [peer] if peer else list(self.running):
            if name in self.running:
                self.running.pop(name).close()


def measure(row: Row, peers: list[str], rounds: int, budget: float, workers: Workers,
            cpu_time: bool = False) -> dict[str, Measured]:
    """Measures one row: each peer has `rounds` turns of about `budget` seconds, in alternation."""
    results = {peer: Measured() for peer in peers}
    fresh = row.unit == "bytes"  # peak memory is measured in a new process
    for round_ in range(rounds):
        for peer, result in results.items():
            if result.problem:
                continue
            answer = workers.ask(peer, fresh, row=row.name, budget=budget, cpu_time=cpu_time)
            result.problem = answer.get("problem", "")
            if not result.problem:
                result.figures.append(answer["figure"])
                result.best = min(result.best, answer["best"])
                result.losses = answer["losses"]
        if round_ == 0:
            compare_losses(results)
    return results


def compare_losses(results: dict[str, Measured]) -> None:
    """Sets the problem "other work" for each peer whose first losses differ from ours."""
    ours = next(iter(results.values()))
    for result in results.values():
        if ours.problem or result.problem or not ours.losses or not result.losses:
            continue
        if not all(math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
                   for a, b in zip(ours.losses, result.losses, strict=True)):
            result.problem = f"other work: its first losses are {result.losses}, " \
                             f"ours {ours.losses}"


def peers_of(row: Row, device: str, quick: bool) -> list[str]:
    """The peers to measure; none if our own does not run on the device."""
    chosen = [peer for peer in row.peers
              if (not quick or peer in row.quick) and (device == "cpu" or peer not in CPU_ONLY)]
    return chosen if next(iter(row.peers)) in chosen else []


class Answers:
    """Answers a Worker's questions in the peer's process."""

    def __init__(self, rows: dict[str, Row], peer: str, device: str) -> None:
        self.rows, self.peer, self.device = rows, peer, device
        self.prepared = ""
        self.step: Step | None = None
        self.losses: list[float] = []

    def answer(self, row: str, budget: float, cpu_time: bool = False) -> dict[str, Any]:
        prepare = self.rows[row].peers[self.peer]
        try:
            if self.rows[row].unit != "s":
                figure = float(prepare(self.device)())
                return {"figure": figure, "best": figure, "losses": []}
            if self.prepared != row:
                self.step = None
                gc.collect()
                self.step = prepare(self.device)
                self.losses = first_losses(self.step)
                self.prepared = row
            assert self.step
            seconds = time_steps(self.step, budget, cpu_time)
            return {"figure": statistics.median(seconds), "best": min(seconds),
                    "losses": self.losses}
        except ImportError as error:
            return {"problem": f"not installed ({error.name})"}
        except Exception as error:
            return {"problem": " ".join(f"{type(error).__name__}: {error}".split())[:200]}


def first_losses(step: Step) -> list[float]:
    """Runs the warm-up. Returns the losses of the steps that have one."""
    losses = []
    for _ in range(WARM_UP):
        loss = step()
        if loss is not None:  # read now, because a compiled step may reuse the loss's memory
            losses.append(float(loss.item() if hasattr(loss, "item") else loss))
    return losses


def time_steps(step: Step, budget: float, cpu_time: bool) -> list[float]:
    """Runs steps for `budget` seconds, at least three. Returns the seconds of each step.

    With `cpu_time`, the time is this process's processor time, which excludes other programs.
    """
    clock = time.process_time if cpu_time else time.perf_counter
    gc.collect()
    seconds: list[float] = []
    end = time.perf_counter() + budget
    while len(seconds) < 3 or time.perf_counter() < end:
        start = clock()
        step()
        seconds.append(clock() - start)
    return seconds


def serve(rows: dict[str, Row], peer: str, device: str) -> None:
    """Answers questions from standard input. Output of the libraries goes to standard error."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    answers = Answers(rows, peer, device)
    for line in sys.stdin:
        print(json.dumps(answers.answer(**json.loads(line))), file=replies, flush=True)
