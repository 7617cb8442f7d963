"""Arguments that many layers take: a device, a dtype, sizes of windows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from ..tensors.tensor import DeviceLike, DTypeLike

Device = DeviceLike | None
DType = DTypeLike | None
Sizes = int | Sequence[int]  # one number for all dims, or one for each


def each_dim(value: Sizes, dims: int) -> tuple[int, ...]:
    """The value for each of `dims` dims: 3 becomes (3, 3) for two; a sequence becomes a tuple."""
    return tuple(value) if isinstance(value, tuple | list) else (cast(int, value),) * dims
