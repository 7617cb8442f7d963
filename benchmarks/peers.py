"""Who is measured: the names of the peers, the environment each runs in, and their versions."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any

Step = Callable[[], Any]
Prepare = Callable[[str], Step]  # takes the device, "cpu" or "cuda"

OURS = "tinytensor"
REFERENCE = "tinytensor, reference rules"
SCALAR = "scalar"
PYTORCH = "PyTorch"
PYTORCH_FUSED = "PyTorch, fused=True"
JAX = "JAX jit"
TINYGRAD = "tinygrad"
MYGRAD = "MyGrad"
AUTOGRAD = "autograd"
MICROGRAD = "micrograd"
NUMPY = "NumPy by hand"

PACKAGES = ("numpy", "numba", "torch", "jax", "tinygrad", "mygrad", "autograd", "micrograd")

# Peers without a GPU, and those whose memory or speed there says nothing.
CPU_ONLY = {SCALAR, MYGRAD, AUTOGRAD, MICROGRAD, NUMPY}


@dataclass
class Row:
    """One line of the table: a piece of work, and who does it.

    The first peer is this project; ratios are the others' figures over its figure. A step returns
    its loss, or None where there is none, and comes back only when the work is done.
    """

    name: str
    peers: dict[str, Prepare]
    targets: dict[str, float] = field(default_factory=dict)  # ratios to be reached, by peer
    limit: float | None = None       # what our own figure should stay below
    quick: tuple[str, ...] = ()      # the peers that --quick measures; none: not a row of --quick
    left_out: str = ""               # which peers are missing here, and why
    unit: str = "s"                  # "s" a step, "import s", or "bytes" at the peak of ten steps
    growth: tuple[str, int] | None = None  # a point of the picture of growth: the curve and its x

    def __post_init__(self) -> None:
        if not self.peers:
            raise ValueError(f"row {self.name!r} has no peers")
        unknown = {*self.targets, *self.quick} - {*self.peers}
        if unknown:
            raise ValueError(f"row {self.name!r} names peers it does not measure: {unknown}")


def targets(pytorch: float | None, peers: dict[str, Prepare]) -> dict[str, float]:
    """The project's goals for a row of tensors: against PyTorch its own, three against the peers
    that also work on NumPy."""
    goals = {} if pytorch is None else {PYTORCH: pytorch}
    return goals | {peer: 3.0 for peer in (MYGRAD, AUTOGRAD) if peer in peers}


def environment(peer: str, device: str, threads: int) -> dict[str, str]:
    """The environment variables of a peer's process: the number of threads and the device."""
    count = str(threads)
    chosen = {name: count for name in (
        "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS",
        "NPROC", "PJRT_NPROC",  # JAX's pool of threads on the CPU
        "NUM_CPU_THREADS",      # tinygrad's
    )}
    chosen["JAX_PLATFORMS"] = device
    chosen["DEV"] = device.upper()  # tinygrad's name for it
    if peer == REFERENCE:
        chosen["TINYTENSOR_KERNELS"] = "0"
    return chosen


def machine(device: str, threads: int) -> dict[str, str]:
    """What the figures were measured on."""
    processor = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.partition(":")[2].strip() for line in file if "model name" in line]
        processor = f"{len(names)} cores of {names[0]}"
    except (OSError, IndexError):
        pass
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return {"date": time.strftime("%Y-%m-%d"), "processor": processor, "device": device,
            "threads": str(threads), "python": platform.python_version(), **versions}
