"""The writer of PyTorch's own files, .pt and .pth, for `python -m tinytensor convert`.

`torch.load(path, weights_only=True)` reads them. `pytorch.py` beside this file describes the form.
"""

from __future__ import annotations

import math
import struct
import zipfile
from collections import OrderedDict
from typing import Any

import numpy

from ..arrays.devices import to_numpy
from ..arrays.numbers import Size
from ..autograd.versions import owner
from ..nn.parameter import Parameter
from .pytorch import BFLOAT16, STORAGES
from .safetensors import elements
from .tensor import Tensor

KINDS = {numpy.dtype(form).newbyteorder("=").name: name for name, form in STORAGES.items()
         if name != BFLOAT16} | {"bfloat16": BFLOAT16}


def write(file: Any, obj: Any) -> None:
    """Writes nested dicts, lists and tuples of Tensors, numbers, strings, bools and None.

    Tensors that share memory share a storage.

    Raises:
        TypeError: an object of another type, or a dtype that PyTorch lacks.
    """
    pickler = _Pickler()
    pickler.put(obj)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02" + b"".join(pickler.parts) + b".")
        archive.writestr("archive/byteorder", "little")
        for key, array in pickler.storages.items():
            archive.writestr(f"archive/data/{key}", bytes(elements(array)))
        archive.writestr("archive/version", "3\n")


class _Pickler:
    """The instructions of a pickle of protocol 2, and the memory of its Tensors."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.storages: dict[str, Any] = {}
        self.keys: dict[tuple[int, Any], str] = {}  # of storages, by the owner's id and the dtype
        self.kept: list[Any] = []  # these arrays: their ids must not be used again
        self.places: dict[int, int] = {}  # of a Tensor in the memo, by its id
        self.around: set[int] = set()  # ids of the enclosing containers

    def add(self, *parts: bytes) -> None:
        self.parts += parts

    def put(self, obj: Any) -> None:
        """Adds the instructions that make an object."""
        if isinstance(obj, numpy.generic):
            obj = obj.item()
        if obj is None or isinstance(obj, bool):
            self.add({None: b"N", True: b"\x88", False: b"\x89"}[obj])
        elif isinstance(obj, int):
            self.integer(int(obj))
        elif isinstance(obj, float):
            self.add(b"G", struct.pack(">d", obj))
        elif isinstance(obj, str):
            text = obj.encode("utf-8", "surrogatepass")
            self.add(b"X", struct.pack("<I", len(text)), text)
        elif isinstance(obj, Tensor):
            self.tensor(obj)
        elif isinstance(obj, Size | dict | list | tuple | set):
            self.container(obj)
        else:
            raise TypeError(f"convert: a {type(obj).__name__} cannot be written; a file holds "
                            "Tensors, numbers, strings, bools, None, and dicts, lists, tuples and "
                            "sets of them")

    def integer(self, n: int) -> None:
        if -2**31 <= n < 2**31:
            self.add(b"J", struct.pack("<i", n))
        else:
            data = n.to_bytes(n.bit_length() // 8 + 1, "little", signed=True)
            short = len(data) < 256  # the only form that weights_only=True reads
            self.add(b"\x8a" + bytes([len(data)]) if short
                     else b"\x8b" + struct.pack("<i", len(data)), data)

    def container(self, obj: Any) -> None:
        if id(obj) in self.around:
            raise TypeError("convert: a container contains itself")
        self.around.add(id(obj))
        if isinstance(obj, OrderedDict):
            self.called("collections", "OrderedDict")
            self.items(obj)
            versions = getattr(obj, "_metadata", None)
            if versions is not None:
                self.add(b"}")
                self.items({"_metadata": versions})
                self.add(b"b")
        elif isinstance(obj, dict):
            self.add(b"}")
            self.items(obj)
        elif isinstance(obj, list):
            self.add(b"](")
            self.each(obj)
            self.add(b"e")
        elif isinstance(obj, tuple) and not isinstance(obj, Size):
            self.add(b"(")
            self.each(obj)
            self.add(b"t")
        else:
            self.called(*("torch", "Size") if isinstance(obj, Size) else ("__builtin__", "set"),
                        tuple(obj) if isinstance(obj, Size) else list(obj))
        self.around.discard(id(obj))

    def each(self, items: Any) -> None:
        for item in items:
            self.put(item)

    def items(self, obj: Any) -> None:
        self.add(b"(")
        for key, value in obj.items():
            self.put(key)
            self.put(value)
        self.add(b"u")

    def name(self, module: str, name: str) -> None:
        self.add(f"c{module}\n{name}\n".encode())

    def called(self, module: str, name: str, *arguments: Any) -> None:
        self.name(module, name)
        self.add(b"(")
        self.each(arguments)
        self.add(b"tR")

    def tensor(self, x: Tensor) -> None:
        """A Tensor, or what the memo has for one that was written before."""
        if id(x) in self.places:
            self.add(b"j", struct.pack("<I", self.places[id(x)]))
            return
        if isinstance(x, Parameter):
            self.name("torch._utils", "_rebuild_parameter")
            self.add(b"(")
            self.view(x, False)
            self.put(x.requires_grad)
            self.called("collections", "OrderedDict")
            self.add(b"tR")
        else:
            self.view(x, x.requires_grad)
        self.places[id(x)] = len(self.places)
        self.add(b"r", struct.pack("<I", self.places[id(x)]))

    def view(self, x: Tensor, requires_grad: bool) -> None:
        """A call of _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks)."""
        array = to_numpy(x._array)
        memory = owned = owner(array)
        if memory.dtype == numpy.uint8 and memory.ndim == 1 and memory.flags.c_contiguous \
                and memory.nbytes % array.itemsize == 0:
            memory = memory.view(array.dtype)  # the bytes of a safetensors file
        offset = array.ctypes.data - memory.ctypes.data
        if (not memory.flags.forc or memory.dtype != array.dtype or not array.size
                or offset % array.itemsize or any(s < 0 for s in array.strides)):
            array = memory = owned = numpy.asarray(array, order="C")  # stored by itself
            offset = 0
        if array.dtype.name not in KINDS:
            raise TypeError(f"convert: PyTorch has no storage for {array.dtype}")
        key = self.keys.setdefault((id(owned), array.dtype), str(len(self.keys)))
        self.kept.append(owned)
        self.storages[key] = memory.reshape(-1, order="A")
        self.name("torch._utils", "_rebuild_tensor_v2")
        self.add(b"((")
        self.put("storage")
        self.name("torch", KINDS[array.dtype.name])
        self.each([key, "cpu", int(math.prod(memory.shape))])
        self.add(b"tQ")
        self.put(offset // array.itemsize)
        for sizes in (array.shape, [s // array.itemsize for s in array.strides]):
            self.add(b"(")
            self.each(map(int, sizes))
            self.add(b"t")
        self.put(requires_grad)
        self.called("collections", "OrderedDict")
        self.add(b"tR")
