"""`RawModule` in the place of CuPy's: the text of CUDA kernels, compiled by g++, run on the CPU.

`cuda_on_cpu.h` says what is covered. Built libraries are kept in `__pycache__` beside this file,
or in the temporary folder, under a hash of all that they are made from.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import os
import platform
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy

HEADER = Path(__file__).with_suffix(".h")
OPTIONS = ("-O1", "-std=c++17", "-fPIC", "-shared", "-ffp-contract=off", "-w", "-x", "c++")
KERNEL = re.compile(r'extern "C" __global__ void (?:__launch_bounds__\(\d+\) )?(\w+)')


class Launches:
    """How kernels run: `order` 0 is that of the threads' numbers, 1 is backwards, and from 2 on it
    is the seed of a shuffle at each barrier. `names` counts the launches.
    """

    order = 0
    names: ClassVar[Counter[str]] = Counter()


@contextlib.contextmanager
def in_order(order: int) -> Iterator[None]:
    Launches.order = order
    try:
        yield
    finally:
        Launches.order = 0


@functools.cache
def missing() -> str:
    """Why kernels cannot run here; empty if they can."""
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        return "the kernels run on Linux on x86-64 only without a GPU"
    return "" if shutil.which("g++") else "the kernels need g++ to run without a GPU"


@functools.cache
def folder() -> Path:
    place = HEADER.parent / "__pycache__"
    with contextlib.suppress(OSError):
        place.mkdir(exist_ok=True)
        with tempfile.TemporaryFile(dir=place):
            return place
    return Path(tempfile.gettempdir())


@functools.cache
def built(text: str, options: tuple[str, ...]) -> ctypes.CDLL:
    """The library of a text and its options."""
    source = f'#include "{HEADER}"\n#line 1 "kernels.cu"\n{text}\n'
    source += "".join(f"EXPORTED({name})\n" for name in KERNEL.findall(text))
    command = ["g++", *OPTIONS, *(o for o in options if o.startswith("-D"))]
    made_from = repr((source, HEADER.read_text(), command, _version()))
    library = folder() / f"cuda-{hashlib.sha256(made_from.encode()).hexdigest()[:24]}.so"
    if not library.exists():
        part = library.with_suffix(f".{os.getpid()}")
        done = subprocess.run([*command, "-o", str(part), "-"], input=source, text=True,
                              capture_output=True)
        if done.returncode:
            raise RuntimeError(f"g++ refuses the kernels:\n{done.stderr[:4000]}")
        part.replace(library)
    return ctypes.CDLL(str(library))


@functools.cache
def _version() -> str:
    return subprocess.run(["g++", "-dumpfullversion"], capture_output=True, text=True).stdout


class RawModule:
    """The kernels of a text."""

    def __init__(self, code: str, options: tuple[str, ...] = ()):
        self.library = built(code, tuple(options))

    @functools.cache  # noqa: B019 - modules live as long as the program
    def get_function(self, name: str) -> Any:
        function = getattr(self.library, f"run_{name}")
        counts = [ctypes.c_uint * 3] * 2

        def launch(grid: Any, block: Any, args: Any) -> None:
            Launches.names[name] += 1
            values = [_value(x) for x in args]
            addresses = (ctypes.c_void_p * len(values))(*[v.ctypes.data for v in values])
            sizes = [kind(*(*given, 1, 1)[:3])
                     for kind, given in zip(counts, (grid, block), strict=True)]
            failed = self.library.launch(function, addresses, *sizes,
                                         ctypes.c_uint(Launches.order))
            if failed:
                raise RuntimeError(f"{name}: " + (
                    "not all threads of a block reach a barrier" if failed == 1
                    else f"a launch of {grid} blocks of {block} threads"))

        return launch


def _value(x: Any) -> numpy.ndarray[Any, Any]:
    """An argument in memory: pointers for arrays and None; an int or float has 8 bytes."""
    if x is None:
        return numpy.array(0, numpy.uint64)
    if hasattr(x, "data") and hasattr(x.data, "ptr"):
        return numpy.array(x.data.ptr, numpy.uint64)
    if not isinstance(x, int | float | numpy.generic | numpy.ndarray) or numpy.ndim(x):
        raise TypeError(f"a kernel takes arrays of the GPU and numbers, not {type(x)}")
    return numpy.asarray(x)


def leave_out_barrier(monkeypatch: Any, source: Any, number: int) -> None:
    """Compiles a Source without its barrier `number`, counted from 1, during a test."""
    parts = source.whole_text().split("__syncthreads();")
    parts[number - 1:number + 1] = ["".join(parts[number - 1:number + 1])]
    text = "__syncthreads();".join(parts)
    monkeypatch.setattr(source, "whole_text", lambda: text)
    monkeypatch.setattr(source, "modules", {})
    monkeypatch.setattr(source, "kernels", {})
