"""python -m tests.fuzz: runs random programs for some minutes, and prints those that differ."""

from __future__ import annotations

import argparse
import collections
import contextlib
import multiprocessing
import os
import re
import time
from typing import Any

for _library in ("OMP", "OPENBLAS", "MKL"):  # set before NumPy is imported
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")

from tinytensor.arrays.dispatch import KernelSettings, use_kernels  # noqa: E402
from tinytensor.compiled import use_compiled  # noqa: E402

from .compare import difference  # noqa: E402
from .generate import FEATURES, generate  # noqa: E402
from .programs import printed  # noqa: E402
from .shrink import shrink  # noqa: E402

HANGS = 600.0  # timeout of a program in seconds; it may compile kernels
SHOWN = 2  # maximum number of programs that are printed for each kind of difference


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first program")
    parser.add_argument("--kernels", action="store_true", help="with kernels, for all sizes")
    parser.add_argument("--plain", action="store_true", help="without compiled calls")
    parser.add_argument("--without", nargs="*", default=[], choices=FEATURES, metavar="FEATURE",
                        help=f"leave out some of: {', '.join(FEATURES)}")
    given = parser.parse_args()
    features = [name for name in FEATURES if name not in given.without]
    KernelSettings.min_work = 0
    end = time.monotonic() + 60 * given.minutes
    kinds: collections.Counter[tuple[str, ...]] = collections.Counter()
    with use_kernels(given.kernels), use_compiled(not given.plain), \
            contextlib.suppress(KeyboardInterrupt):
        number = given.first
        while time.monotonic() < end:
            number = series(given.seed, number, end, features, kinds)
    print(f"{number - given.first} programs in {given.minutes:g} minutes, {kinds.total()} differ")
    for kind, count in kinds.most_common():
        print(f"{count:6} {' | '.join(filter(None, kind))}")
    raise SystemExit(bool(kinds))


def series(seed: int, number: int, end: float, features: list[str],
           kinds: collections.Counter[tuple[str, ...]]) -> int:
    """Runs programs in a subprocess until one crashes or hangs. Returns the next number."""
    receiver, sender = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(
        target=run_programs, args=(sender, seed, number, end, features, kinds))
    child.start()
    sender.close()
    generated = False
    with contextlib.suppress(EOFError):
        while receiver.poll(HANGS):
            number, generated, kind = receiver.recv()
            if kind:
                kinds[kind] += 1
        child.kill()
    child.join()
    if child.exitcode:
        kinds["the process ended",] += generated  # before that only PyTorch runs
        print(f"# ---- program {number} of seed {seed} ended the process with {child.exitcode}"
              + ("" if generated else ", in PyTorch, while it was generated") + "\n", flush=True)
    return number + 1


def run_programs(sender: Any, seed: int, number: int, end: float, features: list[str],
                 kinds: collections.Counter[tuple[str, ...]]) -> None:
    """Runs programs until the time `end`, and prints those that differ."""
    while time.monotonic() < end:
        sender.send((number, False, None))
        program = generate(seed, number, features)
        sender.send((number, True, None))
        found = difference(program)
        if found is not None:
            line = program[found.line] if found.line < len(program) else ""
            kind = (*found.kind, *re.findall(r"\w+(?=\()", line)[-1:])
            sender.send((number, True, kind))
            kinds[kind] += 1
            if kinds[kind] <= SHOWN:
                short = shrink(program, seconds=10)
                print(f"# ---- program {number} of seed {seed}\n{printed(short)}")
                print("# " + str(difference(short)).replace("\n", "\n# ") + "\n", flush=True)
        number += 1


if __name__ == "__main__":
    main()
