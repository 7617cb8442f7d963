"""`torch.storage`: the memory of a Tensor, as a row of bytes or of elements.

The memory is that of the array which owns it: a Tensor and its views have the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy

from ...arrays import dtypes
from ...arrays.devices import device, device_of
from ...autograd import versions
from ...tensors.tensor import Tensor


def _row(array: Any) -> Any:
    """The memory of an array that owns it, as a 1-d view of its elements."""
    order = sorted(range(array.ndim), key=lambda i: -array.strides[i])
    return array.transpose(order).reshape(-1)


class UntypedStorage:
    """Memory as bytes."""

    def __init__(self, memory: Any):
        self._memory = memory

    def data_ptr(self) -> int:
        """The address of the first byte."""
        return _address(self._memory)

    def nbytes(self) -> int:
        """The number of bytes."""
        return int(self._memory.nbytes)

    size = __len__ = nbytes

    @property
    def device(self) -> device:
        return device_of(self._memory)

    @property
    def is_cuda(self) -> bool:
        return self.device.type == "cuda"

    def element_size(self) -> int:
        """1: the elements are bytes."""
        return 1

    @classmethod
    def from_file(cls, filename: str, shared: bool = False, nbytes: int = 0) -> UntypedStorage:
        """The bytes of a file, read when they are used. With `shared`, writes change the file."""
        return cls(numpy.memmap(filename, numpy.uint8, "r+" if shared else "c",
                                shape=(nbytes,)).view(numpy.ndarray))

    @property
    def _untyped(self) -> UntypedStorage:
        return self

    def untyped(self) -> UntypedStorage:
        """Itself."""
        return self

    def _bytes(self) -> Any:
        return _row(self._memory).view("uint8")

    def __getitem__(self, index: int | slice) -> Any:
        part = self._bytes()[index]
        return UntypedStorage(part) if isinstance(index, slice) else int(part)

    def __dlpack__(self, **options: Any) -> Any:
        return self._bytes().__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self._memory.__dlpack_device__()

    def tolist(self) -> list[int]:
        """The bytes as ints."""
        return list(self._bytes().tolist())

    def __repr__(self) -> str:
        return f"UntypedStorage of {self.nbytes()} bytes on {self.device}"


class TypedStorage:
    """Memory as elements of a dtype. Elements may be assigned; every Tensor of the memory sees it.
    """

    def __init__(self, memory: Any):
        self._memory = memory

    @property
    def dtype(self) -> dtypes.dtype:
        return dtypes.of_array(self._memory)

    @property
    def device(self) -> device:
        return device_of(self._memory)

    @property
    def is_cuda(self) -> bool:
        return self.device.type == "cuda"

    def data_ptr(self) -> int:
        """The address of the first element."""
        return _address(self._memory)

    def size(self) -> int:
        """The number of elements."""
        return int(self._memory.size)

    __len__ = size

    def nbytes(self) -> int:
        """The number of bytes."""
        return int(self._memory.nbytes)

    def element_size(self) -> int:
        """Bytes of one element."""
        return int(self._memory.itemsize)

    def untyped(self) -> UntypedStorage:
        """The same memory as bytes."""
        return UntypedStorage(self._memory)

    _untyped_storage = property(untyped)

    def __getitem__(self, index: int) -> Any:
        return _row(self._memory)[index].item()

    def __setitem__(self, index: int | slice, value: Any) -> None:
        _row(self._memory)[index] = value
        versions.note_write(self._memory, "storage")

    def __iter__(self) -> Iterator[Any]:
        return iter(self.tolist())

    def tolist(self) -> list[Any]:
        """The elements as Python numbers."""
        return list(_row(self._memory).tolist())

    def __repr__(self) -> str:
        lines = [f" {value}" for value in self]
        kind = f"[TypedStorage of {self.dtype} on {self.device}, size {self.size()}]"
        return "\n".join([*lines, kind])


def _address(array: Any) -> int:
    return int(array.data.ptr if hasattr(array.data, "ptr") else array.ctypes.data)


def untyped_storage(self: Tensor) -> UntypedStorage:
    """The memory that this Tensor shows, as bytes."""
    return UntypedStorage(versions.owner(self._array))


def storage(self: Tensor) -> TypedStorage:
    """The memory that this Tensor shows, as elements of its dtype."""
    return TypedStorage(versions.owner(self._array))
