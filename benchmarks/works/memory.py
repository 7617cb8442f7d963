"""Peak memory of training runs: ten steps of each network, each in a new process.

On the CPU, a row is the peak resident set of the process (Linux only), interpreter and libraries
included. A second row subtracts the resident set after the import. It is closer to the size of the
arrays, but includes what a library loads at its first use, such as a compiler. On a GPU, both rows
are the size of the library's memory pool at the end.
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
    """A field of this process's status, in bytes: VmRSS (resident set) or VmHWM (its peak)."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise OSError(f"/proc/self/status has no {field}: peak memory is measured on Linux")


def peak(peer: str, prepare: Prepare, whole: bool) -> Prepare:
    """A function that trains for ten steps and returns the peak in bytes, instead of a loss."""
    def measured_on(device: str) -> Any:
        module: Any = importlib.import_module(MODULES[peer])

        def measured() -> int:
            if device == "cpu":
                before = resident("VmRSS")
                Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # resets VmHWM
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
