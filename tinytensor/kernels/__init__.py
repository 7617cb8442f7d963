"""Kernels: faster functions for operations whose reference is in array language.

A kernel has the parameters and results of an op's forward or rule, and is registered for one
device (`arrays/dispatch.py`). It returns None to decline a call; then the reference runs. The
tests compare every kernel with its reference. `use_kernels(False)` turns kernels off, as the
environment variable TINYTENSOR_KERNELS=0 does for a whole program. Without this package
everything works, slower.

    cpu/        loops compiled by Numba (the extra `fast`), one file a family as in `ops/`
    loops.py    how they are compiled, and when
    cuda/       CUDA C++ compiled by NVRTC, through CuPy

Each of the two folders can be deleted too.
"""

from importlib.util import find_spec as _find_spec

from ..arrays.dispatch import use_kernels

if _find_spec(f"{__name__}.cpu"):
    from . import cpu
if _find_spec(f"{__name__}.cuda"):
    from . import cuda

__all__ = ["use_kernels"]
