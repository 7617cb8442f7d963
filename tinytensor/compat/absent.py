"""Names of PyTorch that are not implemented on purpose, each with the reason.

`tinytensor.NAME` for one of these raises an AttributeError with the reason. For a misspelt name
the error lists the closest names.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable

from ..arrays import naming

# Reasons, each with the names that are left out for it:
#   lu              that name in every module
#   cuda.MemPool    that name in the module `cuda` only
#   .package        that name in the package itself only
#   to_sparse*      all names that begin with to_sparse
#   xpu.*           all names of the module `xpu` that are not there
# tests/test_public_names.py compares the list with PyTorch.
GROUPS: dict[str, tuple[str, ...]] = {
    "complex numbers would put conjugates into most derivative rules": (
        "complex", "view_as_real*", "view_as_complex*", "imag", "angle", "polar", "fft", "stft",
        "istft", "Tensor.cfloat", "Tensor.cdouble", "Tensor.chalf"),
    "NumPy has no LU: solve, inv, det, slogdet and qr are there": (
        "lu", "lu_factor", "lu_factor_ex", "lu_solve", "lu_unpack", "ldl_factor", "ldl_factor_ex",
        "ldl_solve"),
    "dims have positions only": ("Tensor.index",),
    "sparse and nested layouts need an engine of their own; dense Tensors and mm give the same": (
        ".sparse", "sparse_*_tensor", "nested", "to_sparse*", "to_padded_tensor", "coalesce",
        "is_coalesced", "sparse_mask", "sparse_dim", "sparse_resize*", "dense_dim",
        "Tensor.indices", "Tensor.values", "indices_copy", "values_copy", "col_indices*",
        "crow_indices*", "hspmm", "smm", "sspaddmm", "to_mkldnn"),
    "it is a prototype; where() and masked_fill() leave elements out": (".masked",),
    "MPI knows all ranks, so no store is needed": (
        "Store", "TCPStore", "FileStore", "HashStore", "PrefixStore", "DistStoreError",
        "QueueEmptyError", "register_rendezvous_handler"),
    "MPI adds up bfloat16 in float32, so nothing would be saved; fp16_compress_hook is there": (
        "bf16_compress_hook", "bf16_compress_wrapper"),
    "every process has the whole model; there is no sharding": (
        "DeviceMesh", "init_device_mesh"),
    "processes are joined by MPI, or NCCL, which has no such setting": (
        "distributed.BackendConfig", "distributed.BuiltinCommHookType", "distributed.DebugLevel",
        "distributed.DistNetworkError", "distributed.GroupName", "distributed.get_backend_config",
        "distributed.get_debug_level", "distributed.get_default_backend_for_device",
        "distributed.get_pg_count", "distributed.set_debug_level*", "distributed.*_coalesced",
        "distributed.breakpoint", "distributed.record_comm", "distributed.reduce_op",
        "distributed.shrink_group", "distributed.split_group", "distributed.supports_complex"),
    "eigenvalues of a general matrix are complex: eigh and eigvalsh are there": (
        "eig", "eigvals"),
    "buffers of lazy layers are empty before the first call": ("UninitializedBuffer",),
    "its windows differ from plane to plane; MaxPool and AdaptiveMaxPool are there": (
        "FractionalMaxPool*", "fractional_max_pool*"),
    "write cross_entropy(linear(input, weight), target)": (
        "LinearCrossEntropyLoss", "LinearCrossEntropyOptions", "linear_cross_entropy"),
    "it was replaced long ago, by LocalResponseNorm": ("CrossMapLRN2d",),
    "its place was taken by NLLLoss": ("NLLLoss2d",),
    "register_full_backward_hook is there: the older hook saw some gradients only": (
        "register_backward_hook", "utils.hooks.BackwardHook"),
    "gradients are dense: Adam is there": ("SparseAdam", "enforce_grad_layout_policy"),
    "memory is not shared with other processes": ("share_memory", "share_memory_"),
    "quantised arithmetic is not for training": (
        "quantize_*", "dequantize", "fake_quantize_*", "int_repr", "q_per_channel_*", "q_scale",
        "q_zero_point", "qscheme", "quantization", "ao", "quantized", "quantized_*", "qat"),
    "models hardly use them; scipy.special has them, for x.numpy()": (
        "airy_ai", "bessel_y*", "modified_bessel_k*", "scaled_modified_bessel_k*",
        "chebyshev_polynomial_*", "shifted_chebyshev_polynomial_*", "hermite_polynomial_*",
        "laguerre_polynomial_l", "legendre_polynomial_p", "spherical_bessel_j0"),
    "programs are run as they are written, nothing is compiled or traced": (
        ".export", "_inductor", "AggregationType", "AVG", "SUM", "ScriptClass", "import_ir_module*",
        "merge_type_from_type_comment", "parse_*", "unify_type_list", "init_num_threads",
        "compiler.*", "fx.*", "jit.*", "onnx.ExportableModule", "onnx.InputObserver"),
    "an operation is one Python function; nothing dispatches by device or key": (
        "DispatchKey", "Tag", "library.*", "utils.*privateuse1_backend*"),
    "operations do not call __torch_function__": ("overrides.*",),
    "the dtypes of float8 cannot be computed with here": (
        "scaled_mm", "scaled_grouped_mm", "ScalingType", "SwizzleType"),
    "multiply the groups of rows one by one": ("grouped_mm",),
    "there are no Tensors of uint64": ("hash_tensor",),
    "scaled_dot_product_attention has one implementation; masks are Tensors": (
        "nn.attention.bias", "nn.attention.*"),
    "numbers stay where the program keeps them: give them to the optimizer's load_state_dict()": (
        "swap_in_optimizer_params_and_state",),
    "write a Function whose forward takes the Tensors themselves": ("NestedIOFunction",),
    "a saved value that was overwritten cannot be restored; clone() it first": (
        "allow_mutation_on_saved_tensors",),
    "saved_tensors_hooks hold in their own block": ("disable_saved_tensors_hooks",),
    "a hook sees one Tensor: register_hook() on each": ("register_multi_grad_hook",),
    "use tensor hooks, or retain_grad()": ("GradientEdge", "get_gradient_edge"),
    "backward has one stream and saves what the rules name": (
        "autograd.graph.region_activation_memory_budget", "autograd.graph.set_*"),
    "inference_mode is no_grad, and leaves no mark on a Tensor": ("is_inference",),
    "the gradient of a leaf has the leaf's dtype": ("grad_dtype",),
    "cProfile and CUDA's own tools measure; record_function marks nothing": (
        "autograd.profiler.*", "profiler.*", ".monitor", "ThroughputBenchmark",
        "utils.benchmark.*"),
    "it was moved to the package torchdata": ("IterDataPipe", "MapDataPipe"),
    "checkpoint() recomputes everything inside": ("utils.checkpoint.*",),
    "events are written by SummaryWriter itself": (
        "utils.tensorboard.FileWriter", "utils.tensorboard.RecordWriter"),
    "hub downloads weights, not code": ("hub.help",),
    "CuPy keeps the memory of the GPU: its memory pools have such settings and statistics": (
        "cuda.CUDAPluggableAllocator", "cuda.MemPool", "cuda.use_mem_pool",
        "cuda.caching_allocator_*", "cuda.change_current_allocator", "cuda.get_allocator_backend",
        "cuda.*_memory_fraction", "cuda.memory_snapshot", "cuda.memory_stats*",
        "cuda.host_memory_stats*", "cuda.reset_peak_host_memory_stats", "cuda.reset_accumulated*",
        "cuda.device_memory_used", "accelerator.*"),
    "nvidia-smi shows it": (
        "cuda.clock_rate", "cuda.power_draw", "cuda.temperature", "cuda.utilization",
        "cuda.memory_usage", "cuda.list_gpu_processes"),
    "CuPy offers what it has of CUDA itself, as cupy.cuda.runtime": (
        "cuda.ExternalStream", "cuda.GreenContext", "cuda.check_error", "cuda.cudart",
        "cuda.current_blas_handle", "cuda.current_solver_handle", "cuda.get_stream_from_external",
        "cuda.get_gencode_flags", "cuda.get_arch_list", "cuda.*_sync_debug_mode",
        "record_stream"),
    "there is one implementation of each operation on a GPU": ("backends.cuda.*",),
    "NumPy has no such switch": ("backends.mkl.verbose", "cpu.get_capabilities"),
    "arrays are those of NumPy and CuPy, on a CPU or a CUDA GPU": (
        "xpu.*", "mps.*", "mtia", "Tensor.xpu", "Tensor.ipu",
        "Module.xpu", "Module.ipu"),
    "models are Python code and a file of weights": (
        ".package", "serialization.*", "utils.get_cpp_backtrace"),
    "load_state_dict() copies, or assigns with assign=True": (
        "module_load", "swap_tensors", "__future__"),
    "dims are laid out in memory by stride()": ("dim_order",),
    "storages have a dtype; storage().dtype tells it": ("storage_type",),
    "einops.rearrange works on Tensors": ("func.rearrange",),
    "the Tensors inside are shown as they are": ("debug_unwrap",),
}
REASONS = {name: reason for reason, names in GROUPS.items() for name in names}


def entry_of(name: str, place: str = "") -> str | None:
    """The entry of the list that PyTorch's name, of the module `place` below the package, is in."""
    full = f"{place}.{name}"
    exact = next((n for n in (full, name) if n in REASONS), None)
    if exact is not None or name[:1] == "_" or place == "Module":
        return exact
    return next((p for p in REASONS if "*" in p
                 and fnmatch.fnmatchcase(full if "." in p else name, p)), None)


def reason_of(name: str, place: str = "") -> str | None:
    """Why PyTorch's name is left out; None if it is not listed."""
    entry = entry_of(name, place)
    return None if entry is None else REASONS[entry]


class AbsentName(AttributeError):  # noqa: N818
    """A name that does not exist. The closest names are computed when the message is read."""

    def __init__(self, owner: str, name: str, known: Callable[[], Iterable[str]]):
        super().__init__(owner, name)
        self.owner, self.absent, self.known = owner, name, known

    def __str__(self) -> str:
        owner = self.owner.replace("tinytensor", naming.package)
        package, _, place = self.owner.partition(".")
        if package not in ("torch", "tinytensor"):
            place = "Module" if package.startswith("the ") else package  # "the Linear"
        entry = entry_of(self.absent, place)
        why = "" if entry is None else f", on purpose: {REASONS[entry]}"
        if entry is not None and not entry.endswith(".*"):
            return f"{owner} has no {self.absent!r}{why}"
        import difflib  # the rest of a module may be a misspelt name

        known = [k for k in self.known() if k[:1] != "_"]
        close = difflib.get_close_matches(self.absent, known, 3, 0.6)
        hint = f"; close to it: {', '.join(close)}" if close else ""
        return f"{owner} has no {self.absent!r}{why}{hint}"
