"""`python -m benchmarks.gpu`: everything that a machine with a GPU can tell, in ten minutes.

It runs the tests marked `cuda`, trains four examples on "cuda", measures training steps as they are
and captured into CUDA graphs, beside PyTorch's and the CPU's, and the bandwidth that kernels reach.
It writes one JSON file and prints a table. What fails is recorded, and the rest goes on.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import platform
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

from .measures import WAYS
from .models import SIZES
from .report import table

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = {"02_moons.py": ["--mode", "tensor", "--device", "cuda"],
            "03_digits.py": ["--device", "cuda"], "04_cnn.py": ["--device", "cuda"],
            "06_gpt.py": ["--device", "cuda", "--steps", "300"]}
TINY_EXAMPLES = {"02_moons.py": ["--mode", "tensor", "--device", "cuda", "--steps", "3"],
                 "03_digits.py": ["--device", "cuda", "--epochs", "1"],
                 "04_cnn.py": ["--device", "cuda", "--smoke"],
                 "06_gpt.py": ["--device", "cuda", "--smoke"]}


def python(arguments: list[str], limit: float) -> dict[str, Any]:
    """Runs Python in the project's root: its exit code, output and time."""
    start = time.perf_counter()
    try:
        done = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True,
                              text=True, timeout=limit)
        code, output = done.returncode, done.stdout + done.stderr
    except subprocess.TimeoutExpired as error:
        code, output = None, str(error.stdout or "")
    return {"code": code, "output": output, "seconds": time.perf_counter() - start}


def last_line(ran: dict[str, Any], limit: float) -> str:
    """What a program that did not succeed has said last."""
    if ran["code"] is None:
        return f"not finished in {limit:.0f} s"
    return (ran["output"].strip().splitlines() or ["no output"])[-1]


def tests(limit: float, only: list[str]) -> dict[str, Any]:
    """The tests marked `cuda`."""
    ran = python(["-m", "pytest", "-m", "cuda", "-q", "-p", "no:cacheprovider", "--tb=line",
                  *(only or ["tests"])], limit)
    lines = ran["output"].splitlines()
    return {"summary": last_line(ran, limit), "seconds": ran["seconds"],
            "failed": [line for line in lines if line.startswith(("FAILED", "ERROR"))]}


def examples(limit: float, tiny: bool) -> dict[str, Any]:
    """The examples, trained on "cuda"."""
    results = {}
    for name, options in (TINY_EXAMPLES if tiny else EXAMPLES).items():
        ran = python([f"examples/{name}", *options], limit)
        results[name] = {"seconds": ran["seconds"],
                         "problem": "" if ran["code"] == 0 else last_line(ran, limit)}
    return results


def measured(arguments: list[str], limit: float) -> dict[str, Any]:
    """The answer of a process of `measures.py`."""
    ran = python(["-m", "benchmarks.gpu.measures", *arguments], limit)
    if ran["code"] != 0:
        return {"problem": last_line(ran, limit)}
    answer: dict[str, Any] = json.loads(ran["output"].strip().splitlines()[-1])
    return answer


def steps(seconds: float, limit: float, tiny: bool) -> dict[str, Any]:
    """The steps of each row, each way in a process of its own."""
    results: dict[str, Any] = {}
    for name in SIZES:
        results[name] = {}
        for way in WAYS:
            answer = measured(["step", name, way, str(seconds), "tiny" if tiny else "full"], limit)
            results[name][way] = answer
            print(f"  {name}, {way}: " + (answer.get("problem") or
                                          f"{answer['median'] * 1e3:.3g} ms"), flush=True)
    return results


def machine() -> dict[str, Any]:
    """The card, its driver, and the versions of the packages."""
    found: dict[str, Any] = {"date": time.strftime("%Y-%m-%d"), "python": platform.python_version()}
    for package in ("numpy", "cupy-cuda12x", "cupy-cuda13x", "torch", "numba"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    code = ("import tinytensor as tt, json; from tinytensor.arrays.devices import cupy; "
            "r = cupy().cuda.runtime; print(json.dumps({'card': tt.cuda.get_device_name(), "
            "'driver': r.driverGetVersion(), 'runtime': r.runtimeGetVersion()}))")
    ran = python(["-c", code], 120)
    if ran["code"] != 0:
        raise SystemExit(f"benchmarks.gpu: {last_line(ran, 120)}")
    return found | json.loads(ran["output"].strip().splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu",
                                     description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("--json", type=Path, default=Path("gpu.json"), metavar="FILE",
                        help="where the results go (default: %(default)s)")
    parser.add_argument("--read", type=Path, metavar="FILE",
                        help="measure nothing: print the table of a JSON file")
    parser.add_argument("--skip", nargs="*", default=[],
                        choices=("tests", "examples", "steps", "bandwidth"),
                        help="parts to leave out (default: none)")
    parser.add_argument("--tests", nargs="*", default=[], metavar="FILE",
                        help="the test files to run (default: all)")
    parser.add_argument("--tiny", action="store_true",
                        help="small sizes: tries this program where times mean nothing")
    args = parser.parse_args()
    if args.read:
        print(table(json.loads(args.read.read_text())))
        return
    if importlib.util.find_spec("pytest") is None and "tests" not in args.skip:
        raise SystemExit("benchmarks.gpu: pytest is not installed: pip install -e '.[test,cuda]', "
                         "or --skip tests")
    start = time.perf_counter()
    results: dict[str, Any] = {"machine": machine(), "tiny": args.tiny}
    print(", ".join(f"{k} {v}" for k, v in results["machine"].items()), flush=True)
    times = {"tests": 240, "examples": 90, "step": 80, "bandwidth": 120}  # seconds at most
    if args.tiny:  # a machine without a GPU, which may be slow
        times = dict.fromkeys(times, 1200)
    parts = {"tests": lambda: tests(times["tests"], args.tests),
             "examples": lambda: examples(times["examples"], args.tiny),
             "steps": lambda: steps(0.0 if args.tiny else 2.0, times["step"], args.tiny),
             "bandwidth": lambda: measured(["bandwidth", "0.1" if args.tiny else "256"],
                                           times["bandwidth"])}
    for name, run in parts.items():
        if name not in args.skip:
            print(f"{name} ({time.perf_counter() - start:.0f} s)", flush=True)
            results[name] = run()
            args.json.write_text(json.dumps(results, indent=1))  # what is there is kept
    results["seconds"] = time.perf_counter() - start
    args.json.write_text(json.dumps(results, indent=1))
    print(table(results))


if __name__ == "__main__":
    main()
