"""The arrays below the engine: array modules, devices, dtypes, kernel dispatch.

devices.py    NumPy or CuPy; the only file that imports CuPy
gpu.py        functions of CuPy that compute something else than NumPy's, with NumPy's results
gpu_memory.py errors where the memory of a GPU ends; pinned memory of the host
dtypes.py     PyTorch's dtypes and its promotion rules
dispatch.py   calls a kernel if there is one, otherwise the reference in array language
streams.py    PyTorch's random numbers on the CPU
philox.py     random numbers drawn on a GPU
threads.py    the number of threads that kernels use
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    Array: TypeAlias = Any
else:
    class Array:
        """An input of an operation: a Tensor in a call, an array of `xp` in its forward and rules.

        To type checkers it is Any. It is a class of its own so that annotations which are objects
        can be told from Any.
        """
