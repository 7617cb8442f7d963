"""Matrix products by cuBLAS, called directly.

CuPy's own call copies a transposed matrix of a batch, and refuses while a stream is captured into
a CUDA graph. cuBLAS can do both, given a workspace: a captured call must not allocate memory.
"""

from __future__ import annotations

import ctypes
import itertools
import math
import threading
from typing import Any

import numpy

from ...arrays.devices import cupy, gpu_module
from ...cuda.graphs import before_capture
from .launch import Array, is_here

# The dtype as cudaDataType and as the usual cublasComputeType_t, and the type of the factors.
TYPES = {numpy.dtype("float32"): (0, 68, ctypes.c_float),
         numpy.dtype("float64"): (1, 70, ctypes.c_double)}
LARGEST = 2**31 - 1  # of the sizes, batches and leading dimensions that cuBLAS takes
TF32 = 77  # cublasComputeType_t: float32 in the tensor cores' 10 bits
DEFAULT_ALGORITHM = -1
MEGABYTE = 1 << 20


class Cublas:
    """The library that CuPy has loaded, and a handle for each device, stream and thread."""

    libraries: dict[Any, Any] = {}  # noqa: RUF012 - by array module; None if there is none
    handles: dict[tuple[int, int, int], tuple[Any, Any]] = {}  # noqa: RUF012

    @classmethod
    def library(cls) -> Any:
        """The library, or None: then CuPy multiplies."""
        module = cupy()
        if module not in cls.libraries:
            try:
                module.cuda.device.get_cublas_handle()  # CuPy loads the library
                major = module.cuda.runtime.runtimeGetVersion() // 1000
                library = ctypes.CDLL(f"libcublas.so.{major}")
                library.cublasGemmStridedBatchedEx.argtypes = _signature()
            except (AttributeError, OSError):
                library = None
            cls.libraries[module] = library
        return cls.libraries[module]

    @classmethod
    def handle(cls) -> Any:
        """The handle for the current device and stream. Its workspace stays with it."""
        module = cupy()
        device, stream = module.cuda.runtime.getDevice(), module.cuda.get_current_stream().ptr
        key = (device, stream, threading.get_ident())
        if key not in cls.handles:
            library, handle = cls.library(), ctypes.c_void_p()
            _check(library.cublasCreate_v2(ctypes.byref(handle)))
            _check(library.cublasSetStream_v2(handle, ctypes.c_void_p(stream)))
            # Sizes that NVIDIA recommends. Setting the stream would undo the workspace.
            hopper = int(module.cuda.Device().compute_capability) >= 90
            size = (32 if hopper else 4) * MEGABYTE
            workspace = module.cuda.alloc(size)
            _check(library.cublasSetWorkspace_v2(
                handle, ctypes.c_void_p(workspace.ptr), ctypes.c_size_t(size)))
            cls.handles[key] = handle, workspace
        return cls.handles[key][0]


def _signature() -> list[Any]:
    """The argument types of cublasGemmStridedBatchedEx."""
    pointer, number, step = ctypes.c_void_p, ctypes.c_int, ctypes.c_longlong
    matrix = [pointer, number, number, step]  # address, dtype, leading dimension, step in a batch
    return [pointer, number, number, number, number, number, pointer, *matrix, *matrix, pointer,
            *matrix, number, number, number]


def _check(status: int) -> None:
    """
    Raises:
        RuntimeError: cuBLAS has failed.
    """
    if status:
        raise RuntimeError(f"cuBLAS failed with status {status}; is the GPU's memory exhausted?")


def product(a: Array, b: Array, out: Array | None = None, *, factor: float = 1.0,
            add: bool = False) -> Array:
    """factor * a @ b, as `matmul`; with `add`, added to what `out` has.

    The matrices of `out` are C-contiguous, and equally far apart.
    """
    library = Cublas.library()
    if library is None or a.dtype != b.dtype or a.dtype not in TYPES or min(a.ndim, b.ndim) < 2 \
            or not a.size or not b.size or not is_here(a):
        return _by_cupy(a, b, out, factor, add)
    batch = numpy.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    (m, k), n = a.shape[-2:], b.shape[-1]
    if b.shape[-2] != k:
        return _by_cupy(a, b, out, factor, add)  # which raises
    a, transposed_a, leading_a, step_a = _operand(a, batch)
    b, transposed_b, leading_b, step_b = _operand(b, batch)
    if max(m, n, k, leading_a, leading_b, math.prod(batch)) > LARGEST:
        return _by_cupy(a, b, out, factor, add)
    out = cupy().empty((*batch, m, n), a.dtype) if out is None else out
    kind, compute, number = TYPES[a.dtype]
    if kind == 0 and computes_in_tf32():
        compute = TF32
    alpha, beta = number(factor), number(1.0 if add else 0.0)
    # cuBLAS has columns where NumPy has rows: outᵀ = bᵀ aᵀ.
    _check(library.cublasGemmStridedBatchedEx(
        Cublas.handle(), transposed_b, transposed_a, n, m, k, ctypes.addressof(alpha),
        b.data.ptr, kind, leading_b, step_b, a.data.ptr, kind, leading_a, step_a,
        ctypes.addressof(beta), out.data.ptr, kind, n,
        _step(out, batch), math.prod(batch), compute, DEFAULT_ALGORITHM))
    return out


def computes_in_tf32() -> bool:
    """Whether products of float32 are computed in TF32."""
    linalg = cupy()._core._routines_linalg
    return bool(linalg.get_compute_type("float32") == linalg.COMPUTE_TYPE_TF32)


def _by_cupy(a: Array, b: Array, out: Array | None, factor: float, add: bool) -> Array:
    result = cupy().matmul(a, b)
    if factor != 1:
        result *= factor
    if out is None:
        return result
    if add:
        out += result
    else:
        out[...] = result
    return out


def _operand(x: Array, batch: tuple[int, ...]) -> tuple[Array, int, int, int]:
    """x or a copy of it; whether its matrices are transposed; their leading dimension; the
    distance from one to the next in the batch.
    """
    step = _step(x, batch)
    if step is None:
        x = cupy().ascontiguousarray(x)
        step = _step(x, batch)
        if step is None:  # broadcast, but not along the first dims only
            x = cupy().ascontiguousarray(cupy().broadcast_to(x, (*batch, *x.shape[-2:])))
            step = x.shape[-2] * x.shape[-1]
    rows, columns = x.shape[-2:]
    down, right = (s // x.itemsize for s in x.strides[-2:])
    if (columns == 1 or right == 1) and (rows == 1 or down >= columns):
        return x, 0, max(down if rows > 1 else 0, columns), step
    if (rows == 1 or down == 1) and (columns == 1 or right >= rows):
        return x, 1, max(right if columns > 1 else 0, rows), step
    return _operand(cupy().ascontiguousarray(x), batch)


def _step(x: Array, batch: tuple[int, ...]) -> int | None:
    """The distance between matrices of the batch; None if it is not one number, or negative."""
    missing = len(batch) - (x.ndim - 2)
    sizes = (1,) * missing + x.shape[:-2]
    strides = (0,) * missing + tuple(s // x.itemsize for s in x.strides[:-2])
    steps = [(n, 0 if size == 1 else stride)
             for n, size, stride in zip(batch, sizes, strides, strict=True) if n != 1]
    for (_, before), (n, stride) in itertools.pairwise(steps):
        if before != n * stride:
            return None
    if steps and steps[-1][1] < 0:
        return None
    return steps[-1][1] if steps else 0


@before_capture.append
def _with_handle() -> None:
    """Makes the handle of the stream that is going to be captured, which allocates memory."""
    if Cublas.library() is not None:
        Cublas.handle()


class _Module:
    """The array module of GPUs, with the products of this file."""

    matmul = staticmethod(product)

    def __getattr__(self, name: str) -> Any:
        return getattr(gpu_module(), name)


MODULE = _Module()
