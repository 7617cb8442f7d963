"""`torch.version`: what was built, and for which devices."""

from .torch_version import __version__ as __version__

cuda: str | None = None  # CuPy brings CUDA
hip: str | None = None
xpu: str | None = None
debug = False
rocm: str | None = None
git_version = "tinytensor"
