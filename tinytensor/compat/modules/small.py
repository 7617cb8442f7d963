"""Single names of the package `torch` that libraries ask for."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy

from ... import cuda
from ...arrays import devices, dtypes
from ...arrays.dispatch import KernelSettings
from ...arrays.gpu_memory import OutOfMemoryError as OutOfMemoryError
from ...autograd.frames import warn
from ...autograd.out import into
from ...cuda.streams import Event as Event
from ...cuda.streams import Stream as Stream
from ...random import thread_safe_generator as thread_safe_generator
from ...tensors.creation import arange, from_numpy, tensor, wanted_dtype
from ...tensors.tensor import DeviceLike, Tensor
from ..names import Determinism, use_deterministic_algorithms
from . import cpu


def get_device_module(device: DeviceLike | None = None) -> ModuleType:
    """The module of a kind of devices: `tinytensor.cuda` or `tinytensor.cpu`; by default that of
    the GPU, or of the CPU without one.

    Raises:
        RuntimeError: there is none for it.
    """
    kind = devices.device(device).type if device is not None else \
        "cuda" if cuda.is_available() else "cpu"
    if kind not in ("cuda", "cpu"):
        raise RuntimeError(f"get_device_module: there is no module for {kind!r}")
    return cuda if kind == "cuda" else cpu


def _check(cond: Any, message: Callable[[], Any] | None = None) -> None:
    """Raises RuntimeError, with the text that message() gives, unless the condition holds."""
    if not cond:
        raise RuntimeError("Expected cond to be True" if message is None else str(message()))


def _check_is_size(i: int, message: Callable[[], Any] | None = None, **limits: Any) -> None:
    """Raises RuntimeError unless the number is at least 0."""
    _check(i >= 0, message)


def _assert_async(cond: Any, message: str = "") -> None:
    """Raises RuntimeError with the message unless the condition holds."""
    _check(cond, lambda: message)


def scalar_tensor(s: Any, *, dtype: Any = None, **options: Any) -> Tensor:
    """A 0-d Tensor of a number, by default of the default dtype."""
    return tensor(s, dtype=dtype or dtypes.get_default_dtype(), device=options.get("device"))


def range(start: Any, end: Any, step: Any = 1, *, dtype: Any = None, layout: Any = None,
          device: Any = None, requires_grad: bool = False, out: Any = None) -> Tensor:
    """start, start + step, ... up to end, which is included. `arange` excludes it.

    Raises:
        RuntimeError: a step of 0 or with the wrong sign.
    """
    warn("range is deprecated, because it includes `end`; write arange")
    _check(step and (end - start) * step >= 0,
           lambda: f"range: the step {step} does not lead from {start} to {end}")
    whole = all(isinstance(x, int) for x in (start, end, step))
    counted = arange(int((end - start) / step) + 1, dtype=None if whole else dtypes.float64,
                     device=device)
    values = (counted * step + start).to(dtype or dtypes.get_default_dtype())
    return values.requires_grad_(requires_grad) if out is None else into(out, lambda: values)


def get_num_interop_threads() -> int:
    """1: operations run one after the other."""
    return 1


def set_num_interop_threads(num: int) -> None:
    """Has no effect."""


def set_flush_denormal(mode: bool) -> bool:
    """False: NumPy has no such switch."""
    return False


class _Warnings:
    always = False


def set_warn_always(b: bool) -> None:
    """Has no effect but on `is_warn_always_enabled`: the filters of `warnings` decide."""
    _Warnings.always = bool(b)


def is_warn_always_enabled() -> bool:
    """What `set_warn_always` was given."""
    return _Warnings.always


def set_deterministic_debug_mode(debug_mode: int | str) -> None:
    """`use_deterministic_algorithms` by a mode: 0 or "default" is False, others are True, 1 or
    "warn" with warn_only.

    Raises:
        RuntimeError: another mode than 0, 1, 2, "default", "warn" and "error".
    """
    modes: list[int | str] = ["default", "warn", "error", 0, 1, 2]
    _check(debug_mode in modes, lambda: f"set_deterministic_debug_mode: {debug_mode!r} is none of "
                                        "0, 1, 2, 'default', 'warn', 'error'")
    mode = modes.index(debug_mode) % 3
    use_deterministic_algorithms(mode > 0, warn_only=mode == 1)


def get_deterministic_debug_mode() -> int:
    """0 unless `use_deterministic_algorithms` was called with True; 1 with warn_only, else 2."""
    return KernelSettings.deterministic * (1 if Determinism.warn_only else 2)


class AcceleratorError(RuntimeError):
    """PyTorch's error of a failed call of the GPU. CuPy's own errors are raised here."""


# Of how PyTorch is built: LAPACK is NumPy's.
has_lapack, has_mkl, has_openmp, has_spectral = True, False, False, False


def is_storage(obj: Any) -> bool:
    """Whether it is an `UntypedStorage` or a `TypedStorage`."""
    from .storage import TypedStorage, UntypedStorage

    return isinstance(obj, TypedStorage | UntypedStorage)


def from_file(filename: str, shared: bool | None = None, size: int = 0, *, dtype: Any = None,
              layout: Any = None, device: Any = None, pin_memory: bool = False) -> Tensor:
    """A vector whose memory is a file of `size` numbers, which are read when they are used.

    With `shared` the file is made or lengthened as needed, and gets what is written into the
    Tensor; otherwise the file does not change.

    Raises:
        FileNotFoundError, ValueError: without `shared`, no such file, or a shorter one.
    """
    kind = wanted_dtype(dtype)
    if shared:
        with open(filename, "ab") as file:
            if file.tell() < size * kind.itemsize:
                file.truncate(size * kind.itemsize)
    if size == 0:
        return from_numpy(numpy.empty(0, kind))
    memory = numpy.memmap(filename, kind, "r+" if shared else "c", shape=(size,))
    return from_numpy(numpy.asarray(memory))


def cond(pred: Any, true_fn: Callable[..., Any], false_fn: Callable[..., Any],
         operands: Any = ()) -> Any:
    """true_fn(*operands) if the predicate is true, else false_fn(*operands)."""
    return (true_fn if pred else false_fn)(*operands)


def while_loop(cond_fn: Callable[..., Any], body_fn: Callable[..., Any],
               carried_inputs: Any) -> Any:
    """The inputs after body_fn has been applied to them while cond_fn(*inputs) is true."""
    while cond_fn(*carried_inputs):
        carried_inputs = body_fn(*carried_inputs)
    return carried_inputs


def sym_sum(args: Any) -> Any:
    """sum(args)."""
    return sum(args)


def sym_ite(b: Any, t: Any, f: Any) -> Any:
    """t if b else f."""
    return t if b else f


def detach(input: Tensor) -> Tensor:
    """`input.detach()`."""
    return input.detach()


def sym_int(a: Any) -> int:
    """int(a)."""
    return int(a)


def sym_float(a: Any) -> float:
    """float(a)."""
    return float(a)


def sym_not(a: Any) -> bool:
    """not a."""
    return not a


def sym_max(a: Any, b: Any) -> Any:
    """max(a, b)."""
    return max(a, b)


def sym_min(a: Any, b: Any) -> Any:
    """min(a, b)."""
    return min(a, b)


# Layouts that no Tensor has: `x.layout == torch.sparse_coo` is False.
sparse_coo, sparse_csr, sparse_csc = "sparse_coo", "sparse_csr", "sparse_csc"
sparse_bsr, sparse_bsc, jagged = "sparse_bsr", "sparse_bsc", "jagged"
