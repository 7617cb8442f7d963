"""`torch.utils.dlpack`: Tensors of other libraries, which share memory."""

from __future__ import annotations

import ctypes
from typing import Any

from ...tensors import creation
from ...tensors.tensor import DeviceLike, Tensor

__all__ = ["from_dlpack", "to_dlpack"]

CAPSULE = type(creation.tensor(0).__dlpack__())
# The offset in bytes of the device in the struct, by the capsule's name. Before it is the pointer
# to the data; in DLPack 1 there are also a version, two more pointers and flags.
DEVICE_AT = {b"dltensor": 8, b"dltensor_versioned": 40}


def to_dlpack(tensor: Tensor) -> Any:
    """A DLPack capsule of the Tensor's memory, outside of the graph."""
    return tensor.detach().__dlpack__(max_version=(1, 0))


class _Capsule:
    """A capsule in the form that `from_dlpack` takes."""

    def __init__(self, capsule: Any):
        self.capsule = capsule

    def __dlpack__(self, **options: Any) -> Any:
        return self.capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        """The kind and number of the device, from the struct that the capsule points to."""
        name = next(n for n in DEVICE_AT if f'"{n.decode()}"' in repr(self.capsule))
        pointer = ctypes.pythonapi.PyCapsule_GetPointer
        pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
        address = pointer(self.capsule, name) + DEVICE_AT[name]
        kind, number = (ctypes.c_int32 * 2).from_address(address)
        return kind, number


def from_dlpack(ext_tensor: Any, *, device: DeviceLike | None = None,
                copy: bool | None = None) -> Tensor:
    """As `tinytensor.from_dlpack`; takes capsules of `to_dlpack` too, each once.

    NumPy gives the memory of a capsule older than DLPack 1 for reading only.

    Raises:
        TypeError: neither a capsule nor an array with `__dlpack__`.
        ValueError: a capsule that was used already.
    """
    if not isinstance(ext_tensor, CAPSULE):
        return _on(creation.from_dlpack(ext_tensor), device, copy)
    if '"used_' in repr(ext_tensor):
        raise ValueError("from_dlpack: this capsule was used already; a capsule gives its memory "
                         "to one array")
    return _on(creation.from_dlpack(_Capsule(ext_tensor)), device, copy)


def _on(x: Any, device: DeviceLike | None, copy: bool | None) -> Tensor:
    """The Tensor on a device, or a copy."""
    there = x if device is None else x.to(device)
    return there.clone() if copy and there is x else there  # type: ignore[no-any-return]
