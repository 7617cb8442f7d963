"""`torch.amp.autocast_mode`, and the package's functions that ask for an autocast or set it."""

from __future__ import annotations

from functools import partial

from ...amp import autocast as autocast
from ...amp import check_device_type
from ...amp import custom_bwd as custom_bwd
from ...amp import custom_fwd as custom_fwd
from ...amp import is_autocast_available as is_autocast_available
from ...arrays import dtypes
from ...autograd.casting import ask, casting


def is_autocast_enabled(device_type: str = "cuda") -> bool:
    """Whether the program is inside an `autocast` for a type of device.

    Raises:
        TypeError: not a str.
    """
    if not isinstance(device_type, str):
        raise TypeError("is_autocast_enabled: device_type must be a str, got "
                        f"{type(device_type).__name__}")
    return device_type in casting.targets


def get_autocast_dtype(device_type: str) -> dtypes.dtype:
    """The dtype to which `autocast` casts: float16 on a GPU, bfloat16 on the CPU, if not set.

    Raises:
        RuntimeError: another device_type than "cpu" and "cuda".
        TypeError: not a str.
    """
    check_device_type("get_autocast_dtype", device_type)
    return casting.chosen[device_type]


def is_autocast_cache_enabled() -> bool:
    """Whether PyTorch would keep the weights that it has cast."""
    return casting.keeps_weights


def set_autocast_enabled(device_type: str | bool, enabled: bool | None = None) -> None:
    """Enters or leaves an autocast without a block. A flag alone is for "cuda".

    Raises:
        RuntimeError: another device_type than "cpu" and "cuda".
        TypeError: `enabled` is missing or not a bool.
    """
    place, flag = (device_type, enabled) if isinstance(device_type, str) else ("cuda", device_type)
    check_device_type("set_autocast_enabled", place)
    if not isinstance(flag, bool):
        raise TypeError(f"set_autocast_enabled: enabled must be a bool, got {type(flag).__name__}")
    targets = {where: d for where, d in casting.targets.items() if where != place}
    if flag:
        targets[place] = dtypes.BY_NUMPY[casting.chosen[place].numpy]
        ask()
    casting.targets = targets


def set_autocast_dtype(device_type: str, dtype: dtypes.dtype) -> None:
    """Sets the dtype to which `autocast` casts there, also in the block that is open.

    Raises:
        RuntimeError: another device_type than "cpu" and "cuda".
        TypeError: `dtype` is not a dtype.
    """
    check_device_type("set_autocast_dtype", device_type)
    if not isinstance(dtype, dtypes.dtype):
        raise TypeError(f"set_autocast_dtype: expected a dtype, got {type(dtype).__name__}")
    casting.chosen = {**casting.chosen, device_type: dtype}
    set_autocast_enabled(device_type, is_autocast_enabled(device_type))


def set_autocast_cache_enabled(enabled: bool) -> None:
    """Has no effect but on `is_autocast_cache_enabled`."""
    casting.keeps_weights = enabled


def clear_autocast_cache() -> None:
    """Has no effect: weights that were cast are not kept."""


# Older names, for one type of device each.
is_autocast_cpu_enabled = partial(is_autocast_enabled, "cpu")
get_autocast_cpu_dtype = partial(get_autocast_dtype, "cpu")
get_autocast_gpu_dtype = partial(get_autocast_dtype, "cuda")
set_autocast_cpu_enabled = partial(set_autocast_enabled, "cpu")
set_autocast_cpu_dtype = partial(set_autocast_dtype, "cpu")
set_autocast_gpu_dtype = partial(set_autocast_dtype, "cuda")
