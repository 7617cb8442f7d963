"""Training in several threads at once gives the same losses as training alone."""

from __future__ import annotations

import threading
import time

from .state import Training, blas, wrong

STEPS, AT_ONCE = 5, 8


def losses() -> list[float]:
    training = Training()
    return [training.step() for _ in range(STEPS)]


def run(minutes: float) -> int:
    library = blas()
    threads = library.get_threads() if library else 0
    lock = threading.Lock()  # the default generator is shared by all threads
    expected = losses()
    until, count, failed = time.monotonic() + 60 * minutes, 0, []

    def train() -> None:
        nonlocal count
        while time.monotonic() < until:
            with lock:
                training = Training()
            found = [training.step() for _ in range(STEPS)]
            training.other_modes()
            count += 1
            if max(abs(a - b) for a, b in zip(found, expected, strict=True)) > 1e-4:
                failed.append(f"losses {found}, expected {expected}")

    workers = [threading.Thread(target=train) for _ in range(AT_ONCE)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    failed += wrong(library, threads)
    print(f"{count} trainings of {STEPS} steps in {AT_ONCE} threads; wrong: {failed or 'nothing'}")
    return len(failed)
