"""`torch.types`: names of types for annotations."""

from __future__ import annotations

from builtins import (
    bool as _bool,
)
from builtins import (
    bytes as _bytes,
)
from builtins import (
    complex as _complex,
)
from builtins import (
    float as _float,
)
from builtins import (
    int as _int,
)
from builtins import (
    str as _str,
)
from collections.abc import Sequence
from os import PathLike
from typing import Any, TypeAlias

from ...arrays.devices import device as _device
from ...arrays.dtypes import dtype as _dtype
from ...arrays.numbers import Size
from ...tensors.tensor import Tensor

_size: TypeAlias = Size | list[int] | tuple[int, ...]
_symsize = _size
_layout = str
_dispatchkey = str
_TensorOrTensors: TypeAlias = Tensor | Sequence[Tensor]
_TensorOrTensorsOrGradEdge = _TensorOrTensors
_TensorOrOptionalTensors: TypeAlias = Tensor | Sequence[Tensor | None]
Number: TypeAlias = int | float | bool
_Number = (int, float, bool)
Device: TypeAlias = _device | str | int | None
FileLike: TypeAlias = str | PathLike[str] | Any
Storage: TypeAlias = Any
IntLikeType: TypeAlias = int
FloatLikeType: TypeAlias = float
BoolLikeType: TypeAlias = bool
PySymType: TypeAlias = int | float | bool
