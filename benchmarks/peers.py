"""The peers: their names, the environment variables of their processes, and their versions."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any

Step = Callable[[], Any]
Prepare = Callable[[str], Step]  # prepares the work on a device, "cpu" or "cuda"

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

# Peers that do not run on a GPU.
CPU_ONLY = {SCALAR, MYGRAD, AUTOGRAD, MICROGRAD, NUMPY}


@dataclass
class Row:
    """One row of the table: a piece of work, and the peers that do it.

    The first peer is this project. The ratios are the other peers' figures divided by its figure. A
    step returns its loss, or None if it has no loss, after the work is complete.
    """

    name: str
    peers: dict[str, Prepare]
    targets: dict[str, float] = field(default_factory=dict)  # target ratios by peer
    limit: float | None = None       # the target for our own figure, in seconds
    quick: tuple[str, ...] = ()      # the peers in --quick; if empty, --quick skips the row
    left_out: str = ""               # which peers are left out, and why
    unit: str = "s"                  # "s" per step, "import s", or "bytes" of peak memory
    growth: tuple[str, int] | None = None  # the curve and x of a point in the picture of growth

    def __post_init__(self) -> None:
        if not self.peers:
            raise ValueError(f"row {self.name!r} has no peers")
        unknown = {*self.targets, *self.quick} - {*self.peers}
        if unknown:
            raise ValueError(f"row {self.name!r} names peers it does not measure: {unknown}")


def targets(pytorch: float | None, peers: dict[str, Prepare]) -> dict[str, float]:
    """The target ratios of a row: `pytorch` for PyTorch, 3 for MyGrad and autograd."""
    ratios = {} if pytorch is None else {PYTORCH: pytorch}
    return ratios | {peer: 3.0 for peer in (MYGRAD, AUTOGRAD) if peer in peers}


def environment(peer: str, device: str, threads: int) -> dict[str, str]:
    """The environment variables that set a peer's threads and device."""
    count = str(threads)
    variables = {name: count for name in (
        "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS",
        "NPROC", "PJRT_NPROC",  # JAX
        "NUM_CPU_THREADS",      # tinygrad
    )}
    variables["JAX_PLATFORMS"] = device
    variables["DEV"] = device.upper()  # tinygrad
    if peer == REFERENCE:
        variables["TINYTENSOR_KERNELS"] = "0"
    return variables


def machine(device: str, threads: int) -> dict[str, str]:
    """The date, the machine and the versions of the packages."""
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
