"""Short versions of the attacks of `python -m tests.torture`."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
needs_numba = pytest.mark.skipif(importlib.util.find_spec("numba") is None,
                                 reason="the kernels need numba")
pytestmark = pytest.mark.skipif(os.name != "posix", reason="by signals and mmap of POSIX")


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TINYTENSOR_KERNELS": "1", "OPENBLAS_NUM_THREADS": "2",
                   "PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, env=environment,
                          capture_output=True, text=True)


@pytest.mark.long
@needs_numba
@pytest.mark.parametrize(("part", "minutes"), [("interrupts", 0.02), ("threads", 0.01),
                                               ("guards", 0)])
def test_nothing_goes_wrong(part: str, minutes: float) -> None:
    done = python("-m", "tests.torture", part, "--minutes", str(minutes))
    assert done.returncode == 0 and "nothing went wrong" in done.stdout, done.stdout + done.stderr


OUTSIDE = """
import numpy
from tests.torture.guarded import guarded
with guarded({at_end}):
    x = numpy.ones(5, numpy.float32)
view = numpy.lib.stride_tricks.as_strided(x, (6,), ({step},))
print(view[:5].sum(), flush=True)
view[5]
"""


@pytest.mark.parametrize(("at_end", "step"), [(True, 4), (False, -4)])
def test_a_read_outside_of_a_guarded_array_ends_the_process(at_end: bool, step: int) -> None:
    program = OUTSIDE.format(at_end=at_end, step=step)
    if step < 0:  # backwards, to before the first element
        program = program.replace("as_strided(x,", "as_strided(x[4:],")
    done = python("-c", program)
    assert (done.stdout, done.returncode) == ("5.0\n", -signal.SIGSEGV)
