"""Matrix products on the GPU: `tinytensor.backends.cuda.matmul.allow_tf32 = True`."""

import contextlib
from collections.abc import Iterator

from ..arrays import devices


class Matmul:
    """How cuBLAS multiplies matrices.

    allow_tf32   whether float32 products may round their inputs to TF32, 10 bits of mantissa. It is
                 several times as fast on GPUs of 2020 and later. PyTorch's default is False, too.

    The other options have no effect: products of float16 are summed in float32.
    """

    allow_fp16_reduced_precision_reduction = True
    allow_bf16_reduced_precision_reduction = True

    @property
    def allow_tf32(self) -> bool:
        return devices.tf32_is_allowed()

    @allow_tf32.setter
    def allow_tf32(self, allowed: bool) -> None:
        devices.set_tf32(allowed)


matmul = Matmul()


class _Attention:
    """Which of PyTorch's implementations of attention a program has allowed. Here there is one."""

    allowed = dict.fromkeys(("flash", "mem_efficient", "math", "cudnn"), True)


def enable_flash_sdp(enabled: bool) -> None:
    """Has no effect but on `flash_sdp_enabled`, as those below."""
    _Attention.allowed["flash"] = bool(enabled)


def enable_mem_efficient_sdp(enabled: bool) -> None:
    """Has no effect but on `mem_efficient_sdp_enabled`."""
    _Attention.allowed["mem_efficient"] = bool(enabled)


def enable_math_sdp(enabled: bool) -> None:
    """Has no effect but on `math_sdp_enabled`."""
    _Attention.allowed["math"] = bool(enabled)


def enable_cudnn_sdp(enabled: bool) -> None:
    """Has no effect but on `cudnn_sdp_enabled`."""
    _Attention.allowed["cudnn"] = bool(enabled)


def flash_sdp_enabled() -> bool:
    """What `enable_flash_sdp` was given; True before."""
    return _Attention.allowed["flash"]


def mem_efficient_sdp_enabled() -> bool:
    """What `enable_mem_efficient_sdp` was given; True before."""
    return _Attention.allowed["mem_efficient"]


def math_sdp_enabled() -> bool:
    """What `enable_math_sdp` was given; True before."""
    return _Attention.allowed["math"]


def cudnn_sdp_enabled() -> bool:
    """What `enable_cudnn_sdp` was given; True before."""
    return _Attention.allowed["cudnn"]


def is_flash_attention_available() -> bool:
    """False: `scaled_dot_product_attention` works in blocks of its own."""
    return False


@contextlib.contextmanager
def sdp_kernel(enable_flash: bool = True, enable_math: bool = True,
               enable_mem_efficient: bool = True, enable_cudnn: bool = True) -> Iterator[None]:
    """A context with these four settings, as the functions above."""
    before = dict(_Attention.allowed)
    _Attention.allowed.update(flash=enable_flash, math=enable_math,
                              mem_efficient=enable_mem_efficient, cudnn=enable_cudnn)
    try:
        yield
    finally:
        _Attention.allowed.update(before)


def is_built() -> bool:
    """Whether CuPy is installed and a GPU works."""
    return devices.cuda_is_available()
