"""What PyTorch programs ask of, and set on, the libraries behind it.

Behind tinytensor are NumPy and CuPy, and there is nothing to choose. So the questions are answered
truthfully, and what is set stays set and changes nothing: convolutions are the same every time,
and float32 products are computed in float32 (CuPy reads CUPY_TF32 from the environment).
"""

from . import cuda, cudnn, mps

__all__ = ["cuda", "cudnn", "mps"]
