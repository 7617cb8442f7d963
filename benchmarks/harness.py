"""Measuring fairly on a shared, noisy machine.

Each peer works in a process of its own that stays for the rows of one family. The processes
alternate: round after round, every peer gets a short turn while the others wait. Compared are the
best figures, since whatever else the machine does can only add to them; the median over the rounds
and their spread stand beside.
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

WARM_UP = 3        # steps before any is timed, for caches and compilation; their losses are kept
TOLERANCE = 1e-3   # how far the peers' losses may be apart, relatively, before a row is refused
PATIENCE = 120.0   # seconds that a peer may take to prepare a row


@dataclass
class Measured:
    """What one peer took; or why there is nothing.

    figures     the median of each round
    best        the smallest figure of all, a single step's
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
        """(largest - smallest) / median over the rounds."""
        return (max(self.figures) - min(self.figures)) / self.median if self.median else 0.0


class Worker:
    """A peer's process, asked a line at a time."""

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
            return {"problem": self.last_words()}
        ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
        if not ready:
            self.close()
            return {"problem": f"no answer in {PATIENCE:.0f} s"}
        line = self.process.stdout.readline()
        return json.loads(line) if line else {"problem": self.last_words()}

    def last_words(self) -> str:
        self.process.wait()
        self.errors.seek(0)
        return (self.errors.read().strip().splitlines() or ["it ended without a word"])[-1]

    def close(self) -> None:
        if self.process.poll() is None:  # with the compilers that it may have started
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.errors):
            if pipe:
                pipe.close()


class Workers:
    """The processes of the peers, one each, for the rows of one family."""

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
    """One row of the table: every peer in `rounds` alternating turns of about `budget` seconds."""
    found = {peer: Measured() for peer in peers}
    fresh = row.unit == "bytes"  # the memory of a run is that of a new process
    for round_ in range(rounds):
        for peer, result in found.items():
            if result.problem:
                continue
            answer = workers.ask(peer, fresh, row=row.name, budget=budget,
                                 cpu_time=cpu_time)
            result.problem = answer.get("problem", "")
            if not result.problem:
                result.figures.append(answer["figure"])
                result.best = min(result.best, answer["best"])
                result.losses = answer["losses"]
        if round_ == 0:
            compare_losses(found)
    return found


def compare_losses(found: dict[str, Measured]) -> None:
    """Refuses the figures of a peer whose first losses are not ours: it does other work."""
    ours = next(iter(found.values()))
    for result in found.values():
        if ours.problem or result.problem or not ours.losses or not result.losses:
            continue
        if not all(math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
                   for a, b in zip(ours.losses, result.losses, strict=True)):
            result.problem = f"other work: its first losses are {result.losses}, " \
                             f"ours {ours.losses}"


def peers_of(row: Row, device: str, quick: bool) -> list[str]:
    """The peers to be measured; none if ours does not run there."""
    chosen = [peer for peer in row.peers
              if (not quick or peer in row.quick) and (device == "cpu" or peer not in CPU_ONLY)]
    return chosen if next(iter(row.peers)) in chosen else []


class Answers:
    """The other side of a Worker: what answers in a peer's process."""

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
            taken = time_steps(self.step, budget, cpu_time)
            return {"figure": statistics.median(taken), "best": min(taken), "losses": self.losses}
        except ImportError as error:
            return {"problem": f"not installed ({error.name})"}
        except Exception as error:
            return {"problem": " ".join(f"{type(error).__name__}: {error}".split())[:200]}


def first_losses(step: Step) -> list[float]:
    """The losses of the steps of the warm-up, of those that have one."""
    losses = []
    for _ in range(WARM_UP):
        loss = step()
        if loss is not None:  # read at once: a compiled step may give the same memory again
            losses.append(float(loss.item() if hasattr(loss, "item") else loss))
    return losses


def time_steps(step: Step, budget: float, cpu_time: bool) -> list[float]:
    """The seconds of each of as many steps as fit into `budget` seconds, at least three.

    By the clock, or as this process's time on the processors, which other programs do not lengthen.
    """
    clock = time.process_time if cpu_time else time.perf_counter
    gc.collect()
    taken: list[float] = []
    until = time.perf_counter() + budget
    while len(taken) < 3 or time.perf_counter() < until:
        start = clock()
        step()
        taken.append(clock() - start)
    return taken


def serve(rows: dict[str, Row], peer: str, device: str) -> None:
    """Answers the questions of standard input; what libraries print goes to standard error."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    answers = Answers(rows, peer, device)
    for line in sys.stdin:
        print(json.dumps(answers.answer(**json.loads(line))), file=replies, flush=True)
