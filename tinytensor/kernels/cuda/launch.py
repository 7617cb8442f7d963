"""Kernels in CUDA C++: how they are compiled and launched.

A `.cu` file of this folder has the kernels of a family. NVRTC, through CuPy, compiles it for a
dtype when one of its kernels is first launched, and CuPy keeps what was compiled in its cache
folder. Kernels read C-contiguous arrays of float32 or float64; others decline, or copy.

float16 is computed in float32, and converted before and after, as everywhere.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy

from ...arrays.devices import active_gpu, cupy

Array = Any  # of CuPy

FLOATS = {numpy.dtype("float32"): "float", numpy.dtype("float64"): "double"}
THREADS, MOST_THREADS = 256, 1024  # of a block that goes over elements, and of any block
MOST_BLOCKS = 1 << 16
FOLDER = Path(__file__).parent
UNBOUND = re.compile(r"__global__ void (?!__launch_bounds__)")


class Source:
    """The kernels of the file `name`.cu, or of a text, after those files whose functions they use.

    `constants` are integers that the text is compiled for: a source for each choice of them.
    """

    by_name: ClassVar[dict[str, Source]] = {}

    def __init__(self, name: str, text: str | None = None, after: Sequence[str] = (),
                 **constants: int):
        Source.by_name["_".join([name, *map(str, constants.values())])] = self
        self.name, self.text, self.after, self.constants = name, text, after, constants
        self.modules: dict[tuple[Any, numpy.dtype[Any]], Any] = {}
        self.kernels: dict[tuple[Any, str, numpy.dtype[Any]], Any] = {}

    def kernel(self, name: str, dtype: numpy.dtype[Any]) -> Any:
        """A kernel for a dtype, called as kernel(blocks, threads, arguments)."""
        module = cupy()
        made = self.kernels.get((module, name, dtype))
        if made is None:
            compiled = self.modules.get((module, dtype))
            if compiled is None:
                compiled = self.modules[module, dtype] = module.RawModule(
                    code=self.whole_text(), options=("-std=c++17", f"-DReal={FLOATS[dtype]}"))
            made = self.kernels[module, name, dtype] = compiled.get_function(name)
        return made

    def whole_text(self) -> str:
        """What is compiled: `common.cu`, the files before, the constants, then the kernels.

        The bound keeps kernels below the registers with which no block of 1024 threads starts. A
        kernel whose blocks are smaller states its own.
        """
        parts = [(FOLDER / f"{name}.cu").read_text() for name in ("common", *self.after)]
        parts += [f"constexpr int {name} = {value};" for name, value in self.constants.items()]
        parts.append(self.text or (FOLDER / f"{self.name}.cu").read_text())
        return UNBOUND.sub(f"__global__ void __launch_bounds__({MOST_THREADS}) ", "\n".join(parts))

    def launch(self, name: str, dtype: numpy.dtype[Any], blocks: int, threads: int,
               *arguments: Any) -> None:
        """Launches a kernel. An int is a `long long` for it, a float a `double`."""
        self.kernel(name, dtype)((min(blocks, MOST_BLOCKS),), (threads,), arguments)

    def over_elements(self, name: str, like: Array, *arguments: Any) -> None:
        """Launches a kernel with a thread for each element of `like`, or for several."""
        self.launch(name, like.dtype, -(-like.size // THREADS), THREADS, *arguments)

    def over_rows(self, name: str, like: Array, rows: int, size: int, *arguments: Any) -> None:
        """Launches a kernel with a block for each row of `size` elements, or for several."""
        self.launch(name, like.dtype, rows, row_threads(size), *arguments)


def row_threads(size: int) -> int:
    """Threads for a row: whole warps, about 4 elements for each thread."""
    return min(max(32, 1 << (max(size, 1) // 4).bit_length()), MOST_THREADS)


def fits(*arrays: Array | None) -> bool:
    """Whether the arrays, None skipped, are of one dtype that the kernels have, not empty, and on
    the current GPU.
    """
    first: Any = arrays[0]
    return first.dtype in FLOATS and first.size > 0 and all(
        a is None or a.dtype == first.dtype for a in arrays) and is_here(first)


def is_dim(dim: Any, ndim: int) -> bool:
    """Whether `dim` is a dim of an array; where it is none, the reference raises."""
    return dim.__class__ is int and -ndim <= dim < ndim


def is_here(array: Array) -> bool:
    """Whether the array is on the current GPU, where a launch runs."""
    return _count(cupy()) < 2 or array.data.device_id == active_gpu()


@functools.cache
def _count(module: Any) -> int:
    """The number of GPUs."""
    return int(module.cuda.runtime.getDeviceCount())


def dense(array: Array) -> Array:
    """The array, or a copy if it is not C-contiguous."""
    return array if array.flags.c_contiguous else cupy().ascontiguousarray(array)


def empty_like(array: Array, shape: Sequence[int] | None = None) -> Array:
    """A C-contiguous array of the dtype of another."""
    return cupy().empty(array.shape if shape is None else shape, array.dtype)
