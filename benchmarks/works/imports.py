"""The time of an import: that of a new Python that imports, less that of one that does not."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from importlib import util

from ..peers import AUTOGRAD, JAX, MYGRAD, NUMPY, OURS, PYTORCH, TINYGRAD, Prepare, Row, Step

MODULES = {OURS: "tinytensor", PYTORCH: "torch", JAX: "jax", TINYGRAD: "tinygrad",
           MYGRAD: "mygrad", AUTOGRAD: "autograd", NUMPY: "numpy"}


def of_process(program: str) -> float:
    """The seconds that a new Python needs for a program."""
    # Installed packages have bytecode. A checkout gets it at its first import, unless forbidden.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True,
                   env=environment)
    return time.perf_counter() - start


def importing(module: str) -> Prepare:
    def prepare(device: str) -> Step:
        if util.find_spec(module) is None:
            raise ImportError(name=module)
        of_process(f"import {module}")  # reads the files into the disk cache
        return lambda: (min(of_process(f"import {module}") for _ in range(3))
                        - min(of_process("") for _ in range(3)))
    return prepare


ROWS = [Row("import", {peer: importing(module) for peer, module in MODULES.items()}, limit=0.25,
            quick=(OURS, NUMPY), unit="import s")]
