"""Faster bodies for operations that have a readable one. Without this package all works, slower.

A kernel has the arguments and the results of an op's forward or rule and is registered against
it, for one device (`seam.py`). It may decline by returning None: then the reference runs. The
tests compare every kernel with its reference. `use_kernels(False)` switches them off, as the
environment variable TINYTENSOR_KERNELS=0 does for a whole program.

    cpu/        loops compiled by Numba (the extra `fast`), one file a family as in `ops/`
    loops.py    how they are compiled, and when
"""

from ..seam import use_kernels
from . import cpu

__all__ = ["use_kernels"]
