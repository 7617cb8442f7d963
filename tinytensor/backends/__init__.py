"""The names of `torch.backends`: what programs ask about PyTorch's libraries, and their options.

tinytensor computes with NumPy and CuPy, which have no such options. An attribute keeps the value
that it is set to, without effect: convolutions are deterministic, and float32 products are computed
in float32 (CuPy reads CUPY_TF32 from the environment).
"""

from . import cpu, cuda, cudnn, mkl, mkldnn, mps, openmp

__all__ = ["cpu", "cuda", "cudnn", "mkl", "mkldnn", "mps", "openmp"]
