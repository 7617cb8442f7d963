"""Peak memory of training runs: ten steps of each network, in a process of its own.

On the CPU: the largest resident set during preparation and ten steps, less the resident set after
the library was imported (Linux counts both). On a GPU: what the library's pool holds afterwards.
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


def peak(peer: str, prepare: Prepare) -> Prepare:
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
                return resident("VmHWM") - before
            return module.cuda.memory_reserved()

        return measured

    return measured_on


def row(work: Row, quick: bool = False) -> Row:
    chosen = [peer for peer in (OURS, REFERENCE, PYTORCH) if peer in work.peers]
    return Row(f"peak memory: {work.name}",
               {peer: peak(peer, work.peers[peer]) for peer in chosen},
               {PYTORCH: 1.0}, quick=(OURS, PYTORCH) if quick else (), unit="bytes")


ROWS = [row(work, quick=work in (mlp.ROWS[2], gpt.ROWS[1]))
        for work in (*mlp.ROWS[1:], convolution.ROWS[0], convolution.ROWS[3], *lstm.ROWS,
                     *gpt.ROWS)]
