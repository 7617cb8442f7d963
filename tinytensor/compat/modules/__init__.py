"""Modules of PyTorch that have no counterpart among tinytensor's: a file for each.

They adapt. What compiles or traces in PyTorch returns the function or model unchanged; what asks
whether something is compiled, traced or distributed says no. What cannot be done raises an error
that says why. Nothing here is imported before a program names it.

PLACES maps a name below `torch`, or below `tinytensor`, to the file.
"""

from __future__ import annotations

import functools
import importlib
import importlib.machinery
import importlib.util
import sys
from types import ModuleType
from typing import Any, NoReturn

from ...autograd.frames import OWN
from .. import absent

OWN_PACKAGE = __name__.partition(".")[0]
PLACES: dict[str, str] = {
    "_C": "core",
    "__config__": "config",
    "_tensor_str": "tensor_str",
    "_custom_ops": "library",
    "_dynamo": "dynamo",
    "_dynamo._trace_wrapped_higher_order_op": "dynamo",
    "_dynamo.eval_frame": "dynamo",
    "_dynamo.utils": "dynamo",
    "_jit_internal": "jit_internal",
    "_utils": "private_utils",
    "amp.autocast_mode": "autocast_mode",
    "amp.grad_scaler": "grad_scaler",
    "autograd.forward_ad": "forward_ad",
    "autograd.profiler": "profiler",
    "compiler": "compiler",
    "cpu": "cpu",
    "cpu.amp": "cpu_amp",
    "cpu.amp.autocast_mode": "cpu_amp",
    "cpu.amp.grad_scaler": "cpu_amp",
    "cuda.amp.autocast_mode": "autocast_mode",
    "cuda.amp.common": "amp_common",
    "cuda.amp.grad_scaler": "grad_scaler",
    "cuda.nvtx": "nvtx",
    "distributed.constants": "distributed_constants",
    "distributed.distributed_c10d": "distributed_c10d",
    "distributed.elastic": "elastic",
    "distributed.elastic.multiprocessing": "elastic",
    "distributed.elastic.multiprocessing.errors": "elastic",
    "distributed.rpc": "rpc",
    "distributions.utils": "distributions_utils",
    "functional": "functional",
    "futures": "futures",
    "fx": "fx",
    "fx.experimental.proxy_tensor": "fx",
    "fx.graph_module": "fx",
    "fx.node": "fx",
    "fx.proxy": "fx",
    "hub": "hub",
    "jit": "jit",
    "jit.annotations": "jit_annotations",
    "library": "library",
    "mps": "other_devices",
    "multiprocessing": "multiprocessing",
    "nn.common_types": "common_types",
    "nn.parallel.data_parallel": "parallel",
    "nn.parallel.distributed": "parallel",
    "onnx.symbolic_helper": "onnx_symbolic",
    "ops": "operators",
    "overrides": "overrides",
    "profiler": "profiler",
    "quasirandom": "quasirandom",
    "serialization": "serialization",
    "signal": "signal",
    "signal.windows": "signal_windows",
    "storage": "storage",
    "torch_version": "torch_version",
    "types": "torch_types",
    "utils._contextlib": "contexts",
    "utils._foreach_utils": "foreach_utils",
    "utils._python_dispatch": "python_dispatch",
    "utils._pytree": "pytree",
    "utils.data._utils.collate": "collate",
    "utils.data.dataloader": "dataloader",
    "utils.dlpack": "dlpack",
    "utils.flop_counter": "flop_counter",
    "utils.model_zoo": "model_zoo",
    "utils.tensorboard.summary": "tensorboard_summary",
    "version": "version",
    "xpu": "other_devices",
}
# Modules of PyTorch whose content is in a module of tinytensor with another name.
SAME: dict[str, str] = {
    "_tensor": "tensors.tensor", "autograd.grad_mode": "autograd.modes",
    "autograd.variable": "compat.variable", "cuda.random": "cuda",
    "optim.adamw": "optim.adam",
    "utils.tensorboard.writer": "utils.tensorboard",
    "utils.data._utils": "utils.data",
    **{f"distributions.{name}": f"distributions.{place}" for place, names in {
        "counts": "binomial negative_binomial poisson",
        "gamma": "beta chi2 dirichlet fishersnedecor inverse_gamma studentT",
        "low_rank_multivariate_normal": "lowrank_multivariate_normal",
        "mixture": "mixture_same_family",
        "powers_of_noise": "half_cauchy kumaraswamy logistic_normal pareto weibull",
        "exponential_family": "exp_family", "random_matrices": "lkj_cholesky wishart",
        "relaxed": "relaxed_bernoulli relaxed_categorical"}.items() for name in names.split()}}
# Names of the package, or of a package below it, that modules of this folder define.
FROM: dict[str, str] = {
    "ScriptModule": "jit", "ScriptFunction": "jit", "UntypedStorage": "storage",
    "TypedStorage": "storage", "PyTorchFileReader": "serialization",
    "PyTorchFileWriter": "serialization", "get_device_module": "small",
    **dict.fromkeys(("is_autocast_enabled", "is_autocast_cpu_enabled", "get_autocast_dtype",
                     "get_autocast_cpu_dtype", "get_autocast_gpu_dtype", "set_autocast_enabled",
                     "set_autocast_cpu_enabled", "set_autocast_dtype", "set_autocast_cpu_dtype",
                     "set_autocast_gpu_dtype", "is_autocast_cache_enabled",
                     "set_autocast_cache_enabled", "clear_autocast_cache"), "autocast_mode"),
    "_check": "small",
    "_check_is_size": "small", "_assert_async": "small", "scalar_tensor": "small",
    **dict.fromkeys(("range", "cond", "while_loop", "sym_sum", "sym_ite",
                     "get_num_interop_threads", "set_num_interop_threads", "set_flush_denormal",
                     "set_warn_always", "is_warn_always_enabled", "set_deterministic_debug_mode",
                     "get_deterministic_debug_mode"), "small"),
    "detach": "small", "sym_int": "small", "sym_float": "small", "sym_not": "small",
    "sym_min": "small", "sym_max": "small", "OutOfMemoryError": "small", "Stream": "small",
    **dict.fromkeys(("AcceleratorError", "from_file", "has_lapack", "has_mkl", "has_openmp",
                     "has_spectral", "is_storage", "thread_safe_generator"), "small"),
    "fork": "jit", "wait": "jit",
    **dict.fromkeys((f"nn.functional.{name}" for name in (
        "handle_torch_function", "has_torch_function", "has_torch_function_unary",
        "has_torch_function_variadic")), "overrides"),
    "Event": "small", "svd_lowrank": "low_rank", "pca_lowrank": "low_rank",
    "TensorType": "core", "Future": "futures",
    **dict.fromkeys(("sparse_coo", "sparse_csr", "sparse_csc", "sparse_bsr", "sparse_bsc",
                     "jagged"), "small")}
# Packages of tinytensor that are imported when they are named.
LATE = ("onnx",)
TOP = frozenset((*LATE, *(name for name in PLACES if "." not in name)))


def module_of(name: str) -> ModuleType | None:
    """The module for a dotted name below the package: of this folder, or under another name."""
    if name in SAME:
        return own_module(SAME[name])
    if name not in PLACES:
        return None
    module = _imported(f"{__name__}.{PLACES[name]}")
    vars(module).setdefault("__getattr__", functools.partial(_refuse, name, vars(module)))
    return module


def _refuse(place: str, names: dict[str, Any], name: str) -> NoReturn:
    """The answer of a module for a name that it does not have."""
    raise absent.AbsentName(f"{OWN_PACKAGE}.{place}", name, lambda: names)


def own_module(name: str) -> ModuleType | None:
    """The module of tinytensor of that name."""
    place = f"{OWN_PACKAGE}.{name}"
    if place not in sys.modules:
        try:
            if importlib.util.find_spec(place) is None:
                return None
        except ModuleNotFoundError:  # of a parent
            return None
    return _imported(place)


def attribute(package: str, name: str) -> Any:
    """What `package.name` is, if a module of this folder has it.

    Raises:
        LookupError, AttributeError: none has.
    """
    if name in TOP:
        return importlib.import_module(f"{package}.{name}")
    if name.startswith("_foreach_"):
        foreach = _imported(f"{__name__}.foreach")
        return vars(foreach).setdefault(name, getattr(foreach, name))
    return getattr(_imported(f"{__name__}.{FROM[name]}"), name.rpartition(".")[2])


def _imported(place: str) -> ModuleType:
    module = importlib.import_module(place)
    vars(module)[OWN] = True
    return module


# ---------------------------------------------------------------- the import system


class Same(importlib.machinery.ModuleSpec):
    """The spec of another name of a module that is there already."""

    def __init__(self, name: str, module: ModuleType):
        from .unsupported import REASONS

        below = f"{name.partition('.')[2]}."
        is_package = hasattr(module, "__path__") or any(
            place.startswith(below) for place in (*PLACES, *SAME, *REASONS))
        super().__init__(name, _Loader(module, is_package),  # type: ignore[arg-type]
                         is_package=is_package)


class _Loader:
    def __init__(self, module: ModuleType, is_package: bool):
        self.module, self.spec, self.is_package = module, module.__spec__, is_package

    def create_module(self, spec: Any) -> ModuleType:
        return self.module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self.spec  # the import system has set that of the other name
        if self.is_package:
            module.__path__ = getattr(module, "__path__", [])


class Finder:
    """Finds the modules of this folder under a package: `import tinytensor.jit`."""

    def __init__(self, package: str):
        self.prefix = f"{package}."

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if not name.startswith(self.prefix):
            return None
        module = self.module_of(name.removeprefix(self.prefix))
        return None if module is None else Same(name, module)

    def module_of(self, name: str) -> ModuleType | None:
        return module_of(name)
