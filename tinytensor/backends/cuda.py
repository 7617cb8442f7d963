"""Matrix products on the GPU: `tinytensor.backends.cuda.matmul.allow_tf32 = True`.

The options have no effect; see `tinytensor.backends`.
"""

from types import SimpleNamespace

from ..arrays import devices

matmul = SimpleNamespace(allow_tf32=False, allow_fp16_reduced_precision_reduction=True,
                         allow_bf16_reduced_precision_reduction=True)


def is_built() -> bool:
    """Whether CuPy is installed and a GPU works."""
    return devices.cuda_is_available()
