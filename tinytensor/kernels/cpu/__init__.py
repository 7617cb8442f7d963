"""Kernels for the CPU: loops that Numba compiles. Each does in one pass over memory what NumPy does
in several.
"""

from . import (
    activation,
    attention,
    convolution,
    elementwise,
    linalg,
    normalization,
    optim,
    pooling,
    random,
    recurrent,
    rows,
    scan,
    softmax,
)
