"""Names beside the table of operations that PyTorch programs ask for.

Constants, questions about Tensors, and the older words: `LongTensor`, `x.type()`, `x.char()`.
"""

from __future__ import annotations

import functools
import math
from typing import Any

from . import creation, dtypes, ops
from .tensor import Tensor

inf, nan, pi, e, newaxis = math.inf, math.nan, math.pi, math.e, None

# What stands in nn.functional and, with the same arguments, at the top level of PyTorch too.
ALSO_AT_THE_TOP = (
    "adaptive_avg_pool1d", "adaptive_max_pool1d", "avg_pool1d", "channel_shuffle", "conv1d",
    "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d",
    "layer_norm", "max_pool1d", "max_pool2d", "max_pool3d", "pixel_shuffle", "pixel_unshuffle",
    "rms_norm")


def is_tensor(obj: Any) -> bool:
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


def result_type(tensor1: Any, tensor2: Any) -> dtypes.dtype:
    """The dtype that an operation on two Tensors, or a Tensor and a number, would give."""
    values = [x._array if isinstance(x, Tensor) else x for x in (tensor1, tensor2)]
    return dtypes.BY_NUMPY[dtypes.result_dtype(tuple(values))]


# ---------------------------------------------------------------- the older words for dtypes


TYPE_NAMES = {"FloatTensor": dtypes.float32, "DoubleTensor": dtypes.float64,
              "HalfTensor": dtypes.float16, "LongTensor": dtypes.int64,
              "IntTensor": dtypes.int32, "ShortTensor": dtypes.int16, "CharTensor": dtypes.int8,
              "ByteTensor": dtypes.uint8, "BoolTensor": dtypes.bool_}


def _typed(d: dtypes.dtype, *data: Any) -> Tensor:
    """LongTensor([1, 2]) with data, LongTensor(2, 3) uninitialised, as `Tensor` for float32."""
    if len(data) == 1 and not isinstance(data[0], int):
        return creation.tensor(data[0], dtype=d)
    return creation.empty(*(data or (0,)), dtype=d)


def type_of(self: Tensor, dtype: Any = None, non_blocking: bool = False) -> Any:
    """This Tensor as another dtype (also by an old name, "torch.LongTensor"); without, its name."""
    if dtype is None:
        place = "cuda." if self.is_cuda else ""
        name = next(n for n, d in TYPE_NAMES.items() if d is self.dtype)
        return f"tinytensor.{place}{name}"
    if isinstance(dtype, str):
        name = dtype.rpartition(".")[2]
        if name not in TYPE_NAMES:
            raise ValueError(f"type: unknown type {dtype!r}; write a dtype, or one of "
                             f"{', '.join(TYPE_NAMES)}")
        dtype = TYPE_NAMES[name]
    if isinstance(dtype, functools.partial):
        dtype = dtype.args[0]
    return ops.to(self, dtype)


def _attach() -> None:
    setters: dict[str, Any] = {
        "type": type_of, "new": new, "char": ops.conversion("char", dtype=dtypes.int8),
        "byte": ops.conversion("byte", dtype=dtypes.uint8)}
    for name, method in setters.items():
        setattr(Tensor, name, method)
    shared = ops.names_for("nn.functional")
    globals().update({name: shared[name] for name in ALSO_AT_THE_TOP})
    globals().update({name: functools.partial(_typed, d) for name, d in TYPE_NAMES.items()})


_attach()
__all__ = ["e", "inf", "is_floating_point", "is_tensor", "nan", "newaxis", "numel", "pi",
           "result_type", *ALSO_AT_THE_TOP, *TYPE_NAMES]
