"""Matrix products on the GPU: `tinytensor.backends.cuda.matmul.allow_tf32 = True`."""

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


def is_built() -> bool:
    """Whether CuPy is installed and a GPU works."""
    return devices.cuda_is_available()
