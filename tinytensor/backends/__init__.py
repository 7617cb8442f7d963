"""The names of `torch.backends`: what programs ask about PyTorch's libraries, and their options.

`backends.cuda.matmul.allow_tf32` does what it says. tinytensor computes with NumPy and CuPy, which
have none of the other options: such an attribute keeps the value that it is set to, without effect.
"""

from . import cpu, cuda, cudnn, mkl, mkldnn, mps, openmp

__all__ = ["cpu", "cuda", "cudnn", "mkl", "mkldnn", "mps", "openmp"]
