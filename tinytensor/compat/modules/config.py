"""`torch.__config__`: how the package was built."""

from __future__ import annotations

import numpy

from ...arrays.threads import get_num_threads
from .torch_version import __version__


def show() -> str:
    """The versions, in a few lines."""
    return f"tinytensor under the name of PyTorch {__version__}\n  - NumPy {numpy.__version__}\n"


def parallel_info() -> str:
    """The number of threads."""
    return f"tinytensor parallel info:\n\tget_num_threads() : {get_num_threads()}\n"
