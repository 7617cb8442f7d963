"""Ctrl-C at random moments of training raises KeyboardInterrupt and leaves no state changed."""

from __future__ import annotations

import collections
import random
import signal
import time

from .state import Training, blas, wrong


def run(minutes: float) -> int:
    library = blas()
    threads = library.get_threads() if library else 0
    training = Training()
    start = time.perf_counter()
    for _ in range(20):  # compiles, then measures the time
        start = time.perf_counter()
        training.step()
        training.other_modes()
    length = time.perf_counter() - start
    rng, until = random.Random(0), time.monotonic() + 60 * minutes
    count, found = 0, collections.Counter[str]()
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    while time.monotonic() < until:
        delay = rng.uniform(1e-5, length)
        try:
            # Repeats after a second, because Python drops an interrupt in a destructor.
            signal.setitimer(signal.ITIMER_REAL, delay, 1)
            while True:
                training.step()
                training.other_modes()
        except KeyboardInterrupt:
            signal.setitimer(signal.ITIMER_REAL, 0)
        count += 1
        found.update(wrong(library, threads))
    training.step()
    print(f"{count} interrupts; left changed: {dict(found) or 'nothing'}; OpenBLAS had {threads} "
          f"threads, a round of training takes {1000 * length:.1f} ms")
    return sum(found.values())
