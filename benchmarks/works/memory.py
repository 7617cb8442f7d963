"""Peak memory of training runs: ten steps of each network, in a process of its own.

On the CPU: the largest resident set of the whole process, interpreter and libraries included, and
the same less what was resident when the library had just been imported (Linux counts both). The
second says more of arrays, but also counts what a library loads at its first use, be it a compiler.
On a GPU: what the library's pool holds afterwards.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from ..peers import OURS, PYTORCH, REFERENCE, Prepare, Row
from . import convolution, gpt, lstm, mlp

STEPS = 10
MODULES = {OURS: "tinytensor", REFERENCE: "tinytensor", PYTORCH: "torch"}


def resident(field: str) -> int:
    """A field of this process's status in bytes: VmRSS is what is resident, VmHWM its peak."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise OSError(f"/proc/self/status has no {field}: peak memory is measured on Linux")


def peak(peer: str, prepare: Prepare, whole: bool) -> Prepare:
    """What `measured` answers in bytes, where a step would answer its loss."""
    def measured_on(device: str) -> Any:
        module: Any = importlib.import_module(MODULES[peer])

        def measured() -> int:
            if device == "cpu":
                before = resident("VmRSS")
                Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # peak: from now
            step = prepare(device)
            for _ in range(STEPS):
                step()
            if device == "cpu":
                return resident("VmHWM") - (0 if whole else before)
            return module.cuda.memory_reserved()

        return measured

    return measured_on


def row(work: Row, whole: bool, quick: bool = False) -> Row:
    chosen = [peer for peer in (OURS, REFERENCE, PYTORCH) if peer in work.peers]
    return Row(f"peak memory{'' if whole else ' beyond the import'}: {work.name}",
               {peer: peak(peer, work.peers[peer], whole) for peer in chosen},
               {PYTORCH: 1.0} if whole else {}, quick=(OURS, PYTORCH) if quick else (),
               unit="bytes")


ROWS = [row(work, whole, quick=whole and work is gpt.ROWS[0])
        for whole in (True, False)
        for work in (*mlp.ROWS[1:], convolution.ROWS[0], convolution.ROWS[3], *lstm.ROWS,
                     *gpt.ROWS)]
