"""Names of PyTorch that are not implemented on purpose, each with the reason.

`tinytensor.NAME` for one of these raises an AttributeError with the reason. For a misspelt name
the error lists the closest names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..arrays import naming

GROUPS: dict[str, tuple[str, ...]] = {
    "complex numbers would put conjugates into most derivative rules": (
        "complex", "view_as_real",
        "view_as_complex", "imag", "angle", "polar", "fft", "stft", "istft"),
    "NumPy has no LU: solve, inv, det, slogdet and qr are there": (
        "lu", "lu_factor", "lu_factor_ex", "lu_solve", "lu_unpack", "ldl_factor", "ldl_solve"),
    "dims have positions only": ("refine_names", "rename", "align_to"),
    "sparse and nested layouts need an engine of their own; dense Tensors and mm give the same": (
        "sparse", "sparse_coo_tensor", "sparse_csr_tensor", "sparse_csc_tensor",
        "sparse_bsr_tensor", "sparse_bsc_tensor", "sparse_compressed_tensor", "nested",
        "to_sparse", "to_sparse_coo", "to_sparse_csr", "coalesce", "sparse_mask"),
    "MPI knows all ranks, so no store is needed": (
        "Store", "TCPStore", "FileStore", "HashStore", "PrefixStore"),
    "MPI adds up bfloat16 in float32, so nothing would be saved; fp16_compress_hook is there": (
        "bf16_compress_hook", "bf16_compress_wrapper"),
    "every process has the whole model; there is no sharding": (
        "DeviceMesh", "init_device_mesh"),
    "eigenvalues of a general matrix are complex: eigh and eigvalsh are there": (
        "eig", "eigvals"),
    "buffers of lazy layers are empty before the first call": ("UninitializedBuffer",),
    "its windows differ from plane to plane; MaxPool and AdaptiveMaxPool are there": (
        "FractionalMaxPool2d", "FractionalMaxPool3d", "fractional_max_pool2d",
        "fractional_max_pool3d"),
    "write cross_entropy(linear(input, weight), target)": (
        "LinearCrossEntropyLoss", "LinearCrossEntropyOptions", "linear_cross_entropy"),
    "the module has it: MultiheadAttention, around scaled_dot_product_attention": (
        "multi_head_attention_forward",),
    "it was replaced long ago, by LocalResponseNorm": ("CrossMapLRN2d",),
    "its place was taken by NLLLoss": ("NLLLoss2d",),
    "register_full_backward_hook is there: the older hook saw some gradients only": (
        "register_backward_hook",),
    "gradients are dense: Adam is there": ("SparseAdam",),
    "it saves memory where a model fills the device with its optimizer's state": ("Adafactor",),
    "memory is not shared with other processes": ("share_memory", "share_memory_"),
    "quantised arithmetic is not for training": (
        "quantize_per_tensor", "quantize_per_channel", "dequantize", "int_repr", "quantization",
        "ao", "quantized", "qat"),
    "models hardly use them; scipy.special has them, for x.numpy()": (
        "airy_ai", "bessel_y0", "bessel_y1", "modified_bessel_k0", "modified_bessel_k1",
        "chebyshev_polynomial_t", "chebyshev_polynomial_u", "hermite_polynomial_h",
        "hermite_polynomial_he", "laguerre_polynomial_l", "legendre_polynomial_p",
        "spherical_bessel_j0"),
    "programs are run as they are written, nothing is compiled or traced": (
        "export", "_inductor"),
}
REASONS = {name: reason for reason, names in GROUPS.items() for name in names}


class AbsentName(AttributeError):  # noqa: N818
    """A name that does not exist. The closest names are computed when the message is read."""

    def __init__(self, owner: str, name: str, known: Callable[[], Iterable[str]]):
        super().__init__(owner, name)
        self.owner, self.absent, self.known = owner, name, known

    def __str__(self) -> str:
        owner = self.owner.replace("tinytensor", naming.package)
        if self.absent in REASONS:
            return f"{owner} has no {self.absent!r}, on purpose: {REASONS[self.absent]}"
        import difflib

        known = [k for k in self.known() if k[:1] != "_"]
        close = difflib.get_close_matches(self.absent, known, 3, 0.6)
        hint = f"; close to it: {', '.join(close)}" if close else ""
        return f"{owner} has no {self.absent!r}{hint}"
