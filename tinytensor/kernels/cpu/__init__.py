"""Kernels for the CPU: loops that Numba compiles, each with what belongs together in one pass."""

from . import (
    activation,
    attention,
    convolution,
    elementwise,
    linalg,
    normalization,
    optim,
    pooling,
    recurrent,
    softmax,
)
