"""Arrays below the engine: which module computes them, their dtypes, and which kernel runs.

devices.py    NumPy or CuPy; the only file that imports CuPy
dtypes.py     PyTorch's dtypes, and the rules of promotion
dispatch.py   a function in array language, or the kernel that replaces it
threads.py    how many threads kernels use
"""

from __future__ import annotations

from typing import Any, TypeAlias

Array: TypeAlias = Any
"""An input of an operation: a Tensor in a call, an array of `xp` in its forward and rules."""
