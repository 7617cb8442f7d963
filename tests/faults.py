"""Injects faults into runs of several ranks, and checks how they end.

    python -m tests.faults --count 100

Each run of faulty_training.py fails in one of the ways below, on a random rank of two or three, at
a random step. It is started by `tinytensor.distributed.run` or by mpiexec alone. Then

    all processes of the run end within --seconds after the fault, and none is left
    the exit status is not 0, and no rank comes to the end of the program
    the first cause is printed, once: the rank, and where it has one the traceback
    the last checkpoint can be read

With mpiexec alone a killed rank may end the others before they can say anything; mpiexec's own
message is counted then.
"""

from __future__ import annotations

import argparse
import collections
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

import tinytensor
from tinytensor.distributed import mpi, run

ROOT = Path(__file__).parent.parent
WAITS = "waits in .*"
# What the first cause says of the rank {r}, by the kind of the fault.
CAUSES = {
    "raise": "rank {r} of .* raised\nTraceback .*a bad batch",
    "memory": "rank {r} of .* raised\nTraceback .*MemoryError",
    "status": "rank {r} of .* (raised\n.*wrong options|has left)|but rank {r} has left",
    "interrupt": "rank {r} of .* raised\n.*KeyboardInterrupt",
    "kill": "rank {r} of .* ended without a word",
    "crash": "rank {r} of .* ended without a word",
    "exit": "rank {r} of .* ended without a word",
    "leave": WAITS + "but rank {r} has left",
    "hang": "rank {r} of .* has not come to it; it is at\n.*sleep",
    "spin": "rank {r} of .* has not come to it; it is at\n.*while True|it is at\n.*pass",
    "stop": "rank {r} of .* does not answer|rank {r} of .* has not come to it; it does not answer",
    "shape": r"all_reduce\(\(7,\), float32, SUM\)",
    "barrier": r"barrier\(\)",
    "parts": "rank . of .* raised\nTraceback .*all_to_all_single: .*rank {r} sends 3 elements",
    "destroy": "rank {r} of .* raised\nTraceback .*has not been initialized",
    "hook": "rank {r} of .* raised\nTraceback .*a bad hook",
    "unused": "wait for each other|different|raised",
    "model": "the ranks have different models",
    "disk": "rank 0 of .* raised\nTraceback .*File too large",
}
# mpiexec's own words, where MPI was quicker than the monitor, or the hub itself was hit.
OF_MPIEXEC = re.compile("BAD TERMINATION|exited on signal|EXIT CODE|killed or crashed")
BY_FORCE = ("kill", "crash", "exit", "stop")


def left_over(mark: str) -> list[int]:
    """The processes that have `mark` in their environment."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdecimal() and mark.encode() in (entry / "environ").read_bytes() \
                    and (entry / "stat").read_text().rsplit(")", 1)[1].split()[0] != "Z":
                found.append(int(entry.name))
        except OSError:
            pass
    return found


def inject(kind: str, rank: int, ranks: int, step: int, launcher: str, seconds: float,
           ) -> tuple[str, float]:
    """Runs one fault: what is wrong with its end ("" if nothing), and the seconds that it took."""
    mark = f"FAULT_RUN={uuid.uuid4().hex}"
    name, value = mark.split("=")
    mpiexec = run._mpiexec(None)
    start = [sys.executable, "-m", "tinytensor.distributed.run", "-n", str(ranks)] \
        if launcher == "run" else [mpiexec, *run.options(mpiexec, []), "-n", str(ranks),
                                   sys.executable]
    with tempfile.TemporaryDirectory() as folder:
        command = [*start, str(ROOT / "tests/faulty_training.py"), kind, str(rank), str(step),
                   folder]
        process = subprocess.Popen(
            command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, **mpi.YIELD, "PYTHONPATH": str(ROOT),
                 "TINYTENSOR_KERNELS": "0", name: value})
        begun = time.time()
        try:
            output, errors = process.communicate(timeout=120)
        except subprocess.TimeoutExpired:
            process.kill()
            for pid in left_over(mark):
                os.kill(pid, 9)
            output, errors = process.communicate()
            return f"it did not end within 120 s\n{errors[-2000:]}", 120.0
        ended = time.time()
        moment = Path(folder, "time")
        took = ended - (float(moment.read_text()) if moment.exists() else begun)
        wrong = []
        until = time.time() + 2
        while (left := left_over(mark)) and time.time() < until:
            time.sleep(0.05)
        if left:
            wrong.append(f"processes are left: {left}")
            for pid in left:
                os.kill(pid, 9)
        if process.returncode == 0:
            wrong.append("the exit status is 0")
        if "is done" in output:
            wrong.append(f"a rank came to the end: {output}")
        if took > seconds and kind != "model":
            wrong.append(f"it took {took:.1f} s")
        causes = [part for part in errors.split("=" * 72) if "tinytensor.distributed: rank" in part
                  and "All ranks end" in part]
        said = "".join(causes)
        if len(causes) > 1 or not re.search(CAUSES[kind].format(r=rank), said, re.DOTALL):
            if launcher == "run" or kind not in BY_FORCE or not OF_MPIEXEC.search(errors):
                wrong.append(f"the first cause is not named:\n{errors[-3000:]}")
        checkpoint = Path(folder, "checkpoint")
        if checkpoint.exists():
            tinytensor.load(checkpoint)
        elif step > 0 and kind != "model":
            wrong.append("there is no checkpoint")
        return "; ".join(wrong), took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100, help="faults (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="(default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=20.0,
                        help="from the fault to the end, the timeout of 3 s included "
                             "(default: %(default)s)")
    parser.add_argument("--kind", choices=CAUSES, help="only this (default: all)")
    args = parser.parse_args()
    rng = random.Random(args.seed)
    kinds = [args.kind] if args.kind else list(CAUSES)
    times: dict[str, list[float]] = collections.defaultdict(list)
    failures = 0
    for i in range(args.count):
        kind, ranks = kinds[i % len(kinds)], rng.choice((2, 3))
        rank = 0 if kind == "disk" else rng.randrange(ranks)
        rank = rank or 1 if kind == "model" else rank
        step, launcher = rng.randrange(1, 6), rng.choice(("run", "mpiexec"))
        if kind == "exit":  # MPICH's mpiexec takes it for a good end, and gives status 0
            launcher = "run"
        wrong, took = inject(kind, rank, ranks, step, launcher, args.seconds)
        times[kind].append(took)
        failures += bool(wrong)
        print(f"{i + 1}. {kind} on rank {rank} of {ranks} in step {step}, by {launcher}: "
              f"{took:.1f} s{'; WRONG: ' + wrong if wrong else ''}", flush=True)
    print(f"{args.count} faults, {failures} wrong ends")
    for kind, seconds in times.items():
        print(f"{kind:10} {len(seconds):4} times, median {statistics.median(seconds):.1f} s, at "
              f"most {max(seconds):.1f} s")
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()
