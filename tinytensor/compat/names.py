"""Names beside the table of operations that PyTorch programs ask for.

Constants, questions about Tensors, and the older words: `LongTensor`, `x.type()`, `x.char()`.
"""

from __future__ import annotations

import math
from typing import Any, TypeGuard

from .. import cuda, ops
from ..arrays import devices, dtypes
from ..tensors import creation
from ..tensors.tensor import DeviceLike, DTypeLike, Number, Tensor, is_size

inf, nan, pi, e, newaxis = math.inf, math.nan, math.pi, math.e, None
strided = "strided"  # the layout of every Tensor

# What stands in nn.functional and, with the same arguments, at the top level of PyTorch too.
ALSO_AT_THE_TOP = (
    "adaptive_avg_pool1d", "adaptive_max_pool1d", "avg_pool1d", "channel_shuffle", "conv1d",
    "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d",
    "layer_norm", "max_pool1d", "max_pool2d", "max_pool3d", "pixel_shuffle", "pixel_unshuffle",
    "rms_norm")


def is_tensor(obj: object) -> TypeGuard[Tensor]:
    """Whether `obj` is a Tensor."""
    return isinstance(obj, Tensor)


def is_floating_point(input: Tensor) -> bool:
    """Whether the dtype is a floating point one."""
    return input.is_floating_point()


def new(self: Tensor, *data: Any) -> Tensor:
    """A Tensor of this one's dtype and device: x.new(2, 3) uninitialised, x.new([1, 2]) of data."""
    if len(data) == 1 and not isinstance(data[0], int):
        return creation.tensor(data[0], dtype=self.dtype, device=self.device)
    return creation.empty(*(data or (0,)), dtype=self.dtype, device=self.device)


def numel(input: Tensor) -> int:
    """The number of elements."""
    return input.numel()


def result_type(tensor1: Tensor | Number, tensor2: Tensor | Number) -> dtypes.dtype:
    """The dtype that an operation on two Tensors, or a Tensor and a number, would give."""
    values = [x._array if isinstance(x, Tensor) else x for x in (tensor1, tensor2)]
    return dtypes.BY_NUMPY[dtypes.result_dtype(tuple(values))]


def typename(obj: object) -> str:
    """The name of a type, in words: of a Tensor, as `x.type()` says it."""
    if isinstance(obj, Tensor):
        return type_of(obj)
    kind = obj if isinstance(obj, type) else type(obj)
    return kind.__qualname__ if kind.__module__ == "builtins" \
        else f"{kind.__module__}.{kind.__qualname__}"


def is_nonzero(input: Tensor) -> bool:
    """Whether the only element is not 0."""
    return bool(input)


def pin_memory(self: Tensor, device: DeviceLike | None = None) -> Tensor:
    """This Tensor. Copies to a GPU take memory as it is."""
    return self


def is_pinned(self: Tensor, device: DeviceLike | None = None) -> bool:
    """False: no memory is pinned."""
    return False


# ---------------------------------------------------------------- how to compute


def compile(model: Any = None, *, fullgraph: bool = False, dynamic: bool | None = None,
            backend: Any = "inductor", mode: str | None = None,
            options: dict[str, Any] | None = None, disable: bool = False) -> Any:
    """The model or function itself; without one, a decorator that does the same.

    PyTorch writes programs for what it is given, which change no result. Here operations run one
    after the other, on kernels that are compiled already.

    Raises:
        TypeError: a model that cannot be called.
    """
    if model is None:
        return compile
    if not callable(model):
        raise TypeError(f"compile: expected a Module or a function, got {type(model).__name__}")
    return model


def set_float32_matmul_precision(precision: str) -> None:
    """Allows products of float32 to be less exact; they are computed in float32 all the same.

    Raises:
        RuntimeError: none of "highest", "high" and "medium".
    """
    if precision not in ("highest", "high", "medium"):
        raise RuntimeError(f"set_float32_matmul_precision: {precision!r} is none of 'highest', "
                           "'high', 'medium'")


def get_float32_matmul_precision() -> str:
    """"highest": products of float32 are computed in float32."""
    return "highest"


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Asks for results that are the same every time, as on the CPU they are anyway.

    On a GPU sums over repeated indices may differ in the last digits from run to run.
    """


# ---------------------------------------------------------------- the older words for dtypes


TYPE_NAMES = {"FloatTensor": dtypes.float32, "DoubleTensor": dtypes.float64,
              "HalfTensor": dtypes.float16, "LongTensor": dtypes.int64,
              "IntTensor": dtypes.int32, "ShortTensor": dtypes.int16, "CharTensor": dtypes.int8,
              "ByteTensor": dtypes.uint8, "BoolTensor": dtypes.bool_}


class TensorType(type):
    """What a dtype and a kind of device make together: LongTensor, cuda.FloatTensor.

    LongTensor([1, 2]) is a Tensor with data, LongTensor(2, 3) and LongTensor(x.size()) are
    uninitialised; isinstance() asks for both dtype and device.
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


def _type_called(name: str, said: str) -> TensorType:
    """The type with a name as "torch.cuda.LongTensor"."""
    *place, kind = said.split(".")
    if kind not in TYPE_NAMES:
        raise ValueError(f"{name}: unknown type {said!r}; write a dtype, or one of "
                         f"{', '.join(TYPE_NAMES)}")
    return TYPES["cuda" if "cuda" in place else "cpu"][kind]


def type_of(self: Tensor, dtype: DTypeLike | TensorType | type[Tensor] | None = None,
            non_blocking: bool = False) -> Any:
    """This Tensor as another dtype, or of another type, as cuda.FloatTensor and also by a name,
    "torch.LongTensor"; without, its type's name.
    """
    if dtype is None:
        place = "cuda." if self.is_cuda else ""
        name = next(n for n, d in TYPE_NAMES.items() if d is self.dtype)
        return f"tinytensor.{place}{name}"
    wanted: Any = _type_called("type", dtype) if isinstance(dtype, str) else dtype
    if wanted is Tensor:
        wanted = dtypes.get_default_dtype()
    if not isinstance(wanted, TensorType):
        return ops.to(self, wanted)
    place = wanted.device
    return ops.to(self, self.device if self.device.type == place else place, wanted.dtype)


def set_default_tensor_type(t: TensorType | str) -> None:
    """The default dtype and device, as a type or its name: cuda.FloatTensor.

    Raises:
        TypeError: not a type of floating point numbers.
        RuntimeError: there is no such device.
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
    """The Tensor itself: none is complex."""
    return input


def conj(input: Tensor) -> Tensor:
    """The Tensor itself: none is complex."""
    return input


def _attach() -> None:
    setters: dict[str, Any] = {
        "type": type_of, "new": new, "char": ops.conversion("char", dtype=dtypes.int8),
        "byte": ops.conversion("byte", dtype=dtypes.uint8), "pin_memory": pin_memory,
        "is_pinned": is_pinned, "is_nonzero": is_nonzero, "real": property(real), "conj": conj}
    for name, method in setters.items():
        setattr(Tensor, name, method)
    vars(cuda).update(TYPES["cuda"])


def attached() -> dict[str, Any]:
    """The names of the top level that stubs declare: functions of `nn.functional`, tensor types."""
    functions = ops.names_for("nn.functional")
    return {**{name: functions[name] for name in ALSO_AT_THE_TOP}, **TYPES["cpu"]}


_attach()
__all__ = ["compile", "conj", "e", "get_float32_matmul_precision", "inf", "is_complex",
           "is_floating_point", "is_nonzero", "is_tensor", "nan", "newaxis", "numel", "pi", "real",
           "result_type", "set_default_tensor_type", "set_float32_matmul_precision", "strided",
           "typename", "use_deterministic_algorithms"]
