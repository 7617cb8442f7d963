"""`python -m benchmarks.libraries` runs libraries written for PyTorch, here and under PyTorch.

The libraries are installed from PyPI without PyTorch, in an environment of their own:

    python3 -m venv /tmp/libraries
    /tmp/libraries/bin/pip install -r benchmarks/libraries/needed.txt
    /tmp/libraries/bin/pip install --no-deps -r benchmarks/libraries/libraries.txt
    python -m benchmarks.libraries --here /tmp/libraries/bin/python

Each job of the files `jobs_*.py` runs in two processes: with that Python under tinytensor, and
with this one, which has PyTorch, and which finds the same libraries. The table says for each job
whether the libraries could be imported, whether it ran, and whether the results agree: the largest
difference, divided by the largest number of the result.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy

from .names import NAMES

ROOT = Path(__file__).parents[2]
JOBS = Path(__file__).with_name("jobs.py")
CLOSE = 1e-5  # some libraries compute in float32


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.libraries", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--here", required=True, metavar="PYTHON",
                        help="the Python that has the libraries and not PyTorch")
    parser.add_argument("--pytorch", default=sys.executable, metavar="PYTHON",
                        help="the Python that has PyTorch (default: this one)")
    parser.add_argument("--only", default="", metavar="TEXT",
                        help="the jobs whose name contains TEXT (default: all)")
    parser.add_argument("--timeout", type=float, default=600, help="seconds for a job")
    options = parser.parse_args()
    print("| job | libraries | imports | runs | agrees |\n|---|---|---|---|---|")
    for job, libraries in NAMES.items():
        if options.only in job:
            print(row(job, libraries, options), flush=True)


def row(job: str, libraries: str, options: argparse.Namespace) -> str:
    """The line of a job in the table."""
    folder = installed(options.here)
    with tempfile.TemporaryDirectory() as scratch:
        ours, theirs = Path(scratch, "ours.npz"), Path(scratch, "theirs.npz")
        program = [str(JOBS), job]
        error = failure([options.here, "-m", "tinytensor", "run", *program, str(ours)],
                        str(ROOT), options.timeout)
        if error:
            imported = "no" if "ImportError" in error or "ModuleNotFoundError" in error else "yes"
            return f"| {job} | {libraries} | {imported} | no: {error} | |"
        error = failure([options.pytorch, *program, str(theirs)], folder, options.timeout)
        if error:
            return f"| {job} | {libraries} | yes | yes | PyTorch: {error} |"
        return f"| {job} | {libraries} | yes | yes | {agreement(ours, theirs)} |"


def installed(python: str) -> str:
    """The folder of the packages of a Python."""
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    answer = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    return answer.stdout.strip()


def failure(command: list[str], path: str, timeout: float) -> str:
    """Runs a command; the last line of its errors if it fails, "" otherwise."""
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=False,
                                env=environment, timeout=timeout, cwd=tempfile.gettempdir())
    except subprocess.TimeoutExpired:
        return f"not finished after {timeout:.0f} s"
    if not answer.returncode:
        return ""
    return (answer.stderr.strip().splitlines() or ["no message"])[-1].replace("|", "/")[:150]


def agreement(ours: Path, theirs: Path) -> str:
    """The largest difference of the results, relative to the largest number of each."""
    largest = 0.0
    with numpy.load(ours) as here, numpy.load(theirs) as there:
        if here.files != there.files:
            return f"no: {len(here.files)} results, PyTorch has {len(there.files)}"
        for name in here.files:
            x, y = here[name], there[name]
            if x.shape != y.shape or x.dtype != y.dtype:
                return f"no: {x.dtype}{x.shape}, PyTorch has {y.dtype}{y.shape}"
            if x.size:
                difference = numpy.abs(x.astype(float) - y).max()
                largest = max(largest, float(difference / (numpy.abs(y).max() or 1)))
    return f"{'yes' if largest < CLOSE else 'no'}: {largest:.0e}"


if __name__ == "__main__":
    main()
