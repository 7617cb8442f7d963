"""Arguments that many layers take: a device, a dtype, sizes of windows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from ..tensors.tensor import DeviceLike, DTypeLike

Device = DeviceLike | None
DType = DTypeLike | None
Sizes = int | Sequence[int]  # one number for all dims, or one for each


def factory_kwargs(kwargs: dict[str, Any]) -> dict[str, Any]:
    """The keyword arguments of a layer as arguments of functions that make Tensors: device, dtype,
    memory_format, and those in the dict kwargs["factory_kwargs"].

    Raises:
        TypeError: another name, or one that is given twice.
    """
    if kwargs is None:
        return {}
    names = {"device", "dtype", "memory_format"}
    direct = {name: value for name, value in kwargs.items() if name != "factory_kwargs"}
    inner = dict(kwargs.get("factory_kwargs", {}))
    unknown = (direct.keys() | inner.keys()) - names
    twice = direct.keys() & inner.keys()
    if unknown or twice:
        raise TypeError(f"factory_kwargs: {', '.join(sorted(unknown or twice))} "
                        + ("is given twice" if twice else "is not one of " +
                           ", ".join(sorted(names))))
    return inner | direct


def each_dim(value: Sizes, dims: int) -> tuple[int, ...]:
    """The value for each of `dims` dims: 3 becomes (3, 3) for two; a sequence becomes a tuple."""
    return tuple(value) if isinstance(value, tuple | list) else (cast(int, value),) * dims
