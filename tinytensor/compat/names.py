"""Names of PyTorch that are not in the table of operations.

Constants, queries of Tensors, and older names: `LongTensor`, `x.type()`, `x.char()`.
"""

from __future__ import annotations

import contextlib
import enum
import functools
import math
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeGuard

from .. import autograd, cuda, ops
from ..arrays import devices, dtypes, gpu_memory, naming
from ..arrays.dispatch import KernelSettings
from ..arrays.numbers import integers, python_number
from ..autograd import function
from ..autograd.graph import Leaf, Node, tensor_of
from ..autograd.out import taking_out
from ..cuda import streams
from ..nn import attention, functional
from ..nn.containers import ListOfModules
from ..tensors import creation, sampling
from ..tensors.tensor import DeviceLike, DTypeLike, Number, Tensor, is_size
from . import absent, modules, older_forms
from .variable import Variable

if TYPE_CHECKING:
    from .modules.storage import TypedStorage, UntypedStorage

legacy_contiguous_format = dtypes.contiguous_format
inf, nan, pi, e, newaxis = math.inf, math.nan, math.pi, math.e, None
strided = "strided"  # the layout of every Tensor

# Functions of nn.functional that PyTorch also has at the top level, with the same arguments.
ALSO_AT_THE_TOP = (
    "adaptive_avg_pool1d", "adaptive_max_pool1d", "avg_pool1d", "channel_shuffle",
    "native_channel_shuffle", "conv1d", "conv2d", "conv3d", "conv_tbc", "conv_transpose1d",
    "conv_transpose2d", "conv_transpose3d", "layer_norm", "max_pool1d", "max_pool2d", "max_pool3d",
    "pixel_shuffle", "pixel_unshuffle", "rms_norm")


# In-place forms that PyTorch has at the top level too: relu_(x) beside x.relu_().
IN_PLACE = (
    "abs", "acos", "acosh", "addmv", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctanh",
    "as_strided", "asin", "asinh", "atan", "atanh", "ceil", "clamp", "clamp_max", "clamp_min",
    "clip", "cos", "cosh", "deg2rad", "erf", "erfc", "exp", "exp2", "expm1",
    "fix", "floor", "frac", "gcd", "i0", "index_put", "lcm", "ldexp", "log", "log10", "log1p",
    "log2", "logit", "nan_to_num", "neg", "negative", "rad2deg", "reciprocal", "relu",
    "round", "rsqrt", "sigmoid", "sin", "sinc", "sinh", "sqrt", "square", "tan", "tanh", "trunc",
    "xlogy")
# In-place methods without an operation of the same name, and functions of nn.functional.
IN_PLACE_ONLY = {"detach_": "input: Tensor", "fill_": "input: Tensor, value: Tensor | float",
                 "resize_as_": "input: Tensor, tensor: Tensor", "zero_": "input: Tensor"}
IN_PLACE_THERE = ("celu", "rrelu", "selu", "threshold")


# Functions that make Tensors, which PyTorch lets write into `out` too.
TAKING_OUT = {
    creation: ("arange", "empty", "eye", "full", "linspace", "logspace", "ones", "zeros"),
    sampling: ("bernoulli", "multinomial", "normal", "rand", "randint", "randn", "randperm")}


def is_tensor(obj: object) -> TypeGuard[Tensor]:
    """Whether `obj` is a Tensor."""
    return isinstance(obj, Tensor)


def is_floating_point(input: Tensor) -> bool:
    """Whether the dtype is a floating point one."""
    return input.is_floating_point()


def dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """`nn.functional.dropout` with arguments that PyTorch's top level requires."""
    return ops.names_for("nn.functional")["dropout"](input, p, train)


def batch_norm(input: Tensor, weight: Tensor | None, bias: Tensor | None,
               running_mean: Tensor | None, running_var: Tensor | None, training: bool,
               momentum: float, eps: float, cudnn_enabled: bool) -> Tensor:
    """`nn.functional.batch_norm` in the order of arguments of PyTorch's top level."""
    return ops.names_for("nn.functional")["batch_norm"](
        input, running_mean, running_var, weight, bias, training, momentum, eps)


def new(self: Tensor, *data: Any) -> Tensor:
    """A Tensor of this dtype and device: x.new(2, 3) is uninitialised, x.new([1, 2]) has data."""
    if len(data) == 1 and not is_size(data[0]):
        return creation.tensor(data[0], dtype=self.dtype, device=self.device)
    return creation.empty(*(data or (0,)), dtype=self.dtype, device=self.device)


def numel(input: Tensor) -> int:
    """The number of elements."""
    return input.numel()


def result_type(tensor1: Tensor | Number, tensor2: Tensor | Number) -> dtypes.dtype:
    """The dtype that an operation on two Tensors, or a Tensor and a number, would give."""
    values = [x._array if isinstance(x, Tensor) else python_number(x) for x in (tensor1, tensor2)]
    return dtypes.BY_NUMPY[dtypes.result_dtype(tuple(values))]


def typename(obj: object) -> str:
    """The name of an object's type; for a Tensor, that of `x.type()`."""
    if isinstance(obj, Tensor):
        return type_of(obj)
    kind = obj if isinstance(obj, type) else type(obj)
    return kind.__qualname__ if kind.__module__ == "builtins" \
        else f"{kind.__module__}.{kind.__qualname__}"


def is_nonzero(input: Tensor) -> bool:
    """Whether the only element is nonzero."""
    return bool(input)


def pin_memory(self: Tensor, device: DeviceLike | None = None) -> Tensor:
    """The values in pinned memory, from which `to("cuda", non_blocking=True)` copies while the
    program goes on; the Tensor itself if it lies there, or if there is no GPU.

    Raises:
        RuntimeError: the Tensor is on a GPU.
    """
    if self.is_cuda:
        raise RuntimeError(f"pin_memory: only memory of the CPU is pinned; this Tensor is on "
                           f"{self.device}")
    if gpu_memory.is_pinned(self._array) or not devices.cuda_is_available():
        return self
    return tensor_of(gpu_memory.pinned(devices.cupy(), self._array), None)


def is_set_to(self: Tensor, tensor: Tensor) -> bool:
    """Whether both Tensors show the same elements of the same memory, in the same order."""
    return (self.data_ptr(), self.shape, self.stride()) == (
        tensor.data_ptr(), tensor.shape, tensor.stride())


def sum_to_size(self: Tensor, *size: Any) -> Tensor:
    """The sums over the dims in which a Tensor of that size is broadcast to this shape.

    Raises:
        RuntimeError: the size does not broadcast to this shape.
    """
    shape = tuple(size) if not size or isinstance(size[0], int) else tuple(size[0])
    first = self.ndim - len(shape)
    if first < 0 or any(n not in (1, m) for n, m in zip(shape, self.shape[first:], strict=True)):
        raise RuntimeError(f"sum_to_size: {shape} does not broadcast to {tuple(self.shape)}")
    over = [i for i, m in enumerate(self.shape) if i < first or shape[i - first] != m]
    return (self.sum(over, True) if over else self).reshape(shape)


def as_subclass(self: Tensor, cls: type[Tensor]) -> Any:
    """This Tensor, with its memory and its place in the graph, as an object of a subclass.

    Results of operations are Tensors: `__torch_function__` of the subclass is not called.

    Raises:
        TypeError: not Tensor or a class that inherits from it.
    """
    if not (isinstance(cls, type) and issubclass(cls, Tensor)):
        raise TypeError(f"as_subclass: expected a class that inherits from Tensor, got {cls!r}")
    made = self.view_as(self)
    made.__class__ = cls
    return made


def _make_subclass(cls: type[Tensor], data: Tensor, require_grad: bool = False) -> Any:
    """A leaf of a subclass that shares the memory of `data`."""
    return as_subclass(data.detach(), cls).requires_grad_(require_grad)


def to_dense(self: Tensor, dtype: DTypeLike | None = None, *,
             masked_grad: bool = True) -> Tensor:
    """The Tensor itself, in a dtype if one is given: every Tensor is dense."""
    return self if dtype is None else self.to(dtype)


def untyped_storage(self: Tensor) -> UntypedStorage:
    """The memory that this Tensor shows, as bytes: a Tensor and its views have the same."""
    from .modules import storage as memory

    return memory.untyped_storage(self)


def storage(self: Tensor) -> TypedStorage:
    """The memory that this Tensor shows, as elements: a Tensor and its views have the same."""
    from .modules import storage as memory

    return memory.storage(self)


def is_pinned(self: Tensor, device: DeviceLike | None = None) -> bool:
    """Whether the Tensor lies in pinned memory, which `pin_memory()` copies to."""
    return gpu_memory.is_pinned(self._array)


# ---------------------------------------------------------------- settings without effect


def compile(model: Any = None, *, fullgraph: bool = False, dynamic: bool | None = None,
            backend: Any = "inductor", mode: str | None = None,
            options: dict[str, Any] | None = None, name: str | None = None,
            disable: bool = False, recompile_limit: int | None = None,
            isolate_recompiles: bool = False, shapes_spec: Any = None) -> Any:
    """The model or function itself; without one, a decorator that does the same.

    PyTorch compiles the model, which changes no result. Here operations run one after the other,
    on precompiled kernels.

    Raises:
        TypeError: a model that cannot be called.
    """
    if model is None:
        return compile
    if not callable(model):
        raise TypeError(f"compile: expected a Module or a function, got {type(model).__name__}")
    return model


def set_float32_matmul_precision(precision: str) -> None:
    """"highest" computes float32 matrix products on a GPU in float32; "high" and "medium" may round
    their inputs to TF32, as `backends.cuda.matmul.allow_tf32` does. No effect on the CPU.

    Raises:
        RuntimeError: another word than "highest", "high" and "medium".
    """
    if precision not in ("highest", "high", "medium"):
        raise RuntimeError(f"set_float32_matmul_precision: {precision!r} is none of 'highest', "
                           "'high', 'medium'")
    devices.set_tf32(precision != "highest")


def get_float32_matmul_precision() -> str:
    """"highest", or "high" if matrix products on a GPU may use TF32."""
    return "high" if devices.tf32_is_allowed() else "highest"


class Determinism:
    """What `use_deterministic_algorithms` was given beside the mode."""

    warn_only = False


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Whether embeddings on a GPU add up gradients in a fixed order, also where that is slower.

    On the CPU all results are deterministic. On a GPU, other sums over repeated indices may differ
    in the last digits from run to run. `warn_only` has no effect but on the functions that ask for
    it.
    """
    KernelSettings.deterministic, Determinism.warn_only = bool(mode), bool(warn_only)


# ---------------------------------------------------------------- older names of dtypes


TYPE_NAMES = {"FloatTensor": dtypes.float32, "DoubleTensor": dtypes.float64,
              "HalfTensor": dtypes.float16, "BFloat16Tensor": dtypes.bfloat16,
              "LongTensor": dtypes.int64, "IntTensor": dtypes.int32,
              "ShortTensor": dtypes.int16, "CharTensor": dtypes.int8,
              "ByteTensor": dtypes.uint8, "BoolTensor": dtypes.bool_}


class TensorType(type):
    """A dtype and a kind of device as a type: LongTensor, cuda.FloatTensor.

    LongTensor([1, 2]) is a Tensor with data; LongTensor(2, 3) and LongTensor(x.size()) are
    uninitialised. isinstance() tests both dtype and device.
    """

    dtype: dtypes.dtype
    device: str

    def __call__(cls, *data: Any) -> Tensor:
        if len(data) == 1 and not is_size(data[0]):
            return creation.tensor(data[0], dtype=cls.dtype, device=cls.device)
        return creation.empty(*(data or (0,)), dtype=cls.dtype, device=cls.device)

    def __instancecheck__(cls, x: object) -> bool:
        return isinstance(x, Tensor) and x.dtype is cls.dtype and x.device.type == cls.device


def _types(device: str, module: str) -> dict[str, TensorType]:
    return {name: TensorType(name, (), {"dtype": d, "device": device, "__module__": module,
                                        "__doc__": TensorType.__doc__})
            for name, d in TYPE_NAMES.items()}


TYPES = {"cpu": _types("cpu", "tinytensor"), "cuda": _types("cuda", "tinytensor.cuda")}


def _type_called(name: str, type_name: str) -> TensorType:
    """The type of a name such as "torch.cuda.LongTensor"."""
    *place, kind = type_name.split(".")
    if kind not in TYPE_NAMES:
        raise ValueError(f"{name}: unknown type {type_name!r}; write a dtype, or one of "
                         f"{', '.join(TYPE_NAMES)}")
    return TYPES["cuda" if "cuda" in place else "cpu"][kind]


def type_of(self: Tensor, dtype: DTypeLike | TensorType | type[Tensor] | None = None,
            non_blocking: bool = False) -> Any:
    """This Tensor as another dtype or type, also by a name such as "torch.LongTensor"; without an
    argument, the name of its type.
    """
    if dtype is None:
        place = "cuda." if self.is_cuda else ""
        name = next(n for n, d in TYPE_NAMES.items() if d is self.dtype)
        return f"{naming.package}.{place}{name}"
    wanted: Any = _type_called("type", dtype) if isinstance(dtype, str) else dtype
    if wanted is Tensor:
        wanted = dtypes.get_default_dtype()
    if not isinstance(wanted, TensorType):
        return self.to(wanted)
    place = wanted.device
    return self.to(self.device if self.device.type == place else place, wanted.dtype)


def set_default_tensor_type(t: TensorType | str) -> None:
    """Sets the default dtype and device by a type, such as cuda.FloatTensor, or its name.

    Raises:
        TypeError: not a floating point type.
        RuntimeError: the device does not exist.
    """
    kind = _type_called("set_default_tensor_type", t) if isinstance(t, str) else t
    if not isinstance(kind, TensorType):
        raise TypeError("set_default_tensor_type: expected a type such as FloatTensor, got "
                        f"{t!r}; dtypes are set by set_default_dtype()")
    if not kind.dtype.is_floating_point:
        raise TypeError(f"set_default_tensor_type: {kind.__name__} holds no floating point numbers")
    devices.set_default_device(kind.device)
    dtypes.set_default_dtype(kind.dtype)


def is_complex(input: Tensor) -> bool:
    """False: no Tensor is complex."""
    return False


def real(input: Tensor) -> Tensor:
    """The Tensor itself: no Tensor is complex."""
    return input


def conj(input: Tensor) -> Tensor:
    """The Tensor itself: no Tensor is complex."""
    return input


# No Tensor is a conjugate or negated view either, nor in memory of several processes.
resolve_conj = resolve_neg = conj
conj_physical = taking_out(conj)
is_conj = is_neg = is_complex


def is_shared(self: Tensor) -> bool:
    """False: memory is not shared with other processes."""
    return False


def apply_(self: Tensor, callable: Any) -> Tensor:
    """Replaces each element by callable(element). Slow: one call of Python for each."""
    return self.copy_(creation.tensor([callable(x) for x in self.flatten().tolist()],
                                      dtype=self.dtype, device=self.device).reshape(self.shape))


def map_(self: Tensor, tensor: Tensor, callable: Any) -> Tensor:
    """Replaces each element by callable(element, element of `tensor`). Slow as `apply_`."""
    pairs = zip(self.flatten().tolist(), tensor.expand(self.shape).flatten().tolist(), strict=True)
    return self.copy_(creation.tensor([callable(x, y) for x, y in pairs], dtype=self.dtype,
                                      device=self.device).reshape(self.shape))


def new_empty_strided(self: Tensor, size: Any, stride: Any, dtype: DTypeLike | None = None,
                      device: DeviceLike | None = None, requires_grad: bool = False,
                      layout: Any = None, pin_memory: bool = False) -> Tensor:
    """`empty_strided` with the dtype and device of this Tensor."""
    return empty_strided(size, stride, dtype=dtype or self.dtype, device=device or self.device,
                         requires_grad=requires_grad)


def empty_strided(size: Any, stride: Any, *, dtype: DTypeLike | None = None, layout: Any = None,
                  device: DeviceLike | None = None, requires_grad: bool = False,
                  pin_memory: bool = False) -> Tensor:
    """An uninitialised Tensor with these distances of elements in memory.

    Raises:
        RuntimeError: another number of strides than of sizes, or negative ones.
    """
    size, stride = integers("empty_strided: size", size), integers("empty_strided: stride", stride)
    if len(size) != len(stride) or min((*size, *stride), default=0) < 0:
        raise RuntimeError(f"empty_strided: size {size} and stride {stride} must be of the same "
                           "length and not negative")
    count = 0 if 0 in size else 1 + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
    memory = creation.empty(count, dtype=dtype, device=device)
    return memory.as_strided(size, stride).requires_grad_(requires_grad)


def empty_permuted(size: Any, physical_layout: Any, *, requires_grad: bool = False,
                   **options: Any) -> Tensor:
    """An uninitialised Tensor whose dims lie in memory in the order of `physical_layout`.

    Raises:
        RuntimeError: physical_layout does not name each dim once.
    """
    order = integers("empty_permuted: physical_layout", physical_layout)
    if sorted(order) != list(range(len(size))):
        raise RuntimeError(f"empty_permuted: physical_layout {order} must name each of the "
                           f"{len(size)} dims once, counted from 0")
    made = creation.empty([size[dim] for dim in order], **options)
    return made.permute([order.index(dim) for dim in range(len(size))]).requires_grad_(
        requires_grad)


def _cdata(self: Tensor) -> int:
    """A number that tells this Tensor from others, in PyTorch an address: Pyro compares it."""
    return id(self)


def _get_abs_string_index(self: ListOfModules, idx: int) -> str:
    """The name of the module at a position, which Pyro's lists ask for."""
    return self._names_at(idx)[0]


class layout:  # noqa: N801 - PyTorch's name
    """The type of layouts. Every Tensor is `strided`."""


class SymInt:
    """PyTorch's integers that are not known yet, of which there are none."""


SymFloat = SymBool = SymInt


def _assert(condition: Any, message: str) -> None:
    """Raises AssertionError with the message unless the condition holds."""
    assert condition, message


def are_deterministic_algorithms_enabled() -> bool:
    """Whether `use_deterministic_algorithms` was called with True."""
    return KernelSettings.deterministic


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """Whether `use_deterministic_algorithms` was called with warn_only=True."""
    return Determinism.warn_only


class SDPBackend(enum.Enum):
    """PyTorch's implementations of attention. Here there is one."""

    ERROR = -1
    MATH = 0
    FLASH_ATTENTION = 1
    EFFICIENT_ATTENTION = 2
    CUDNN_ATTENTION = 3
    OVERRIDEABLE = 4


@contextlib.contextmanager
def sdpa_kernel(backends: Any, set_priority: bool = False) -> Iterator[None]:
    """Has no effect: `scaled_dot_product_attention` has one implementation."""
    yield


def _modules_answer() -> None:
    """`cuda.amp.grad_scaler`, `distributions.beta` and the like, which PyTorch programs use without
    an import of their own, and the reasons for the names that are left out of modules.
    """
    places = (*modules.PLACES, *modules.SAME, *modules.FROM, *absent.REASONS)
    for package in {place.rpartition(".")[0] for place in places} - {"", "Tensor"}:
        module = sys.modules.get(f"{modules.OWN_PACKAGE}.{package}")
        if module is not None:
            vars(module)["__getattr__"] = functools.partial(
                _submodule, package, vars(module), vars(module).get("__getattr__"))


def _submodule(package: str, names: dict[str, Any], otherwise: Callable[[str], Any] | None,
               name: str) -> Any:
    """A module of `compat/modules` below a package, a name of one, or what else the package
    answers.
    """
    if f"{package}.{name}" in modules.FROM:
        return modules.attribute("", f"{package}.{name}")
    module = modules.module_of(f"{package}.{name}")
    if module is not None:
        return module
    if otherwise is not None:
        return otherwise(name)
    raise absent.AbsentName(f"{modules.OWN_PACKAGE}.{package}", name, lambda: names)


def _attach() -> None:
    setters: dict[str, Any] = {
        "type": type_of, "new": new, "char": ops.conversion("char", dtype=dtypes.int8),
        "byte": ops.conversion("byte", dtype=dtypes.uint8), "pin_memory": pin_memory,
        "resolve_conj": conj, "resolve_neg": conj, "conj_physical": conj, "conj_physical_": conj,
        "is_conj": is_conj, "is_neg": is_neg, "is_shared": is_shared, "apply_": apply_,
        "map_": map_, "is_set_to": is_set_to, "const_data_ptr": Tensor.data_ptr,
        **{f"{name}_": ops.in_place(getattr(ops.gamma, name), f"{name}_")
           for name in ("mvlgamma", "polygamma")},
        "new_empty_strided": new_empty_strided, "is_pinned": is_pinned,
        "is_nonzero": is_nonzero, "real": property(real), "conj": conj,
        "as_subclass": as_subclass, "_make_subclass": staticmethod(_make_subclass),
        "to_dense": to_dense, "sum_to_size": sum_to_size, "storage": storage,
        "_typed_storage": storage, "untyped_storage": untyped_storage}
    for name, method in setters.items():
        setattr(Tensor, name, method)
    setattr(Tensor, "_cdata", property(_cdata))  # noqa: B010
    setattr(ListOfModules, "_get_abs_string_index", _get_abs_string_index)  # noqa: B010
    # PyTorch's form of the graph, which programs that draw it walk.
    for kind in (Node, Leaf):
        setattr(kind, "next_functions", property(  # noqa: B010 - not declared
            lambda node: tuple((parent, 0) for parent in node.parents)))
    setattr(Leaf, "variable", property(lambda leaf: leaf.tensor()))  # noqa: B010
    setattr(autograd, "Variable", Variable)  # noqa: B010 - a type, to type checkers
    vars(function)["FunctionCtx"] = function.Context
    autograd.grad = older_forms.with_only_inputs(autograd.grad)
    _modules_answer()
    vars(cuda).update(TYPES["cuda"], StreamContext=streams.stream)
    vars(attention).update(SDPBackend=SDPBackend, sdpa_kernel=sdpa_kernel)


def attached() -> dict[str, Any]:
    """The names of the top level that stubs declare: functions of `nn.functional`, in-place forms,
    functions that make Tensors and take `out`, tensor types.
    """
    functions = ops.names_for("nn.functional")
    makers = {name: taking_out(vars(module)[name]) for module, names in TAKING_OUT.items()
              for name in names}
    for maker in makers.values():
        maker.__module__ = __name__.partition(".")[0]  # where pickle finds it
    in_place = {f"{name}_": getattr(Tensor, f"{name}_") for name in IN_PLACE}
    in_place |= {name: getattr(Tensor, name) for name in IN_PLACE_ONLY}
    in_place |= {f"{name}_": getattr(functional, f"{name}_") for name in IN_PLACE_THERE}
    also = {name: functions[name] for name in ALSO_AT_THE_TOP}
    return {**makers, **also, **in_place, **TYPES["cpu"]}


_attach()
__all__ = ["batch_norm", "compile", "conj", "conj_physical", "dropout", "e",
           "get_float32_matmul_precision", "inf", "empty_permuted", "empty_strided", "is_complex",
           "is_conj", "is_neg", "is_floating_point", "is_nonzero", "is_tensor", "nan", "newaxis",
           "numel", "pi", "real", "resolve_conj", "resolve_neg", "result_type",
           "set_default_tensor_type", "set_float32_matmul_precision", "strided", "typename",
           "use_deterministic_algorithms", "SymInt", "SymFloat", "SymBool", "layout", "_assert",
           "legacy_contiguous_format", "are_deterministic_algorithms_enabled",
           "is_deterministic_algorithms_warn_only_enabled"]
