"""Kernels for the GPU in CUDA C++: each does in one launch what the references do in several."""

from . import (
    attention,
    checks,
    convolution,
    copies,
    elementwise,
    linalg,
    normalization,
    optim,
    pooling,
    random,
    recurrent,
    softmax,
)
