"""The reader of PyTorch's own files, .pt and .pth, which `torch.save` writes. It executes nothing.

Such a file holds a pickle: a program for a machine with a stack. Its instructions make containers,
numbers and strings, name functions and classes, and call them. Python looks the names up and calls
what it finds, so a file can run any code. Here they are only names: `Machine` knows a few of them,
makes Tensors and plain data for these, and refuses all others.

    zip archive    NAME/data.pkl is the pickle, NAME/data/KEY the memory of each storage
    older form     five pickles (a magic number, a version, the machine, the data, the keys of the
                   storages), and the memory of each storage in the order of the keys

Limits are those of `safetensors.py`: nothing is allocated by what a file announces.
"""

from __future__ import annotations

import errno
import struct
import zipfile
from collections import Counter, OrderedDict
from collections.abc import Callable
from math import prod
from typing import Any, NamedTuple

import numpy

from ..arrays import dtypes
from ..arrays.devices import array_module, device, to_device
from ..arrays.numbers import Size
from ..autograd.graph import tensor_of
from ..nn.parameter import Parameter
from .safetensors import MAX_DIMS, MAX_SIZE, SPARE, ZIP, Array, Damaged, of_bfloat16, shown

MAGIC_NUMBER, OLDER_VERSION = 0x1950A86A20F9469CFC6C, 1001
BFLOAT16 = "BFloat16Storage"
STORAGES = {"FloatStorage": "<f4", "DoubleStorage": "<f8", "HalfStorage": "<f2",
            "LongStorage": "<i8", "IntStorage": "<i4", "ShortStorage": "<i2", "CharStorage": "i1",
            "ByteStorage": "u1", "BoolStorage": "?", BFLOAT16: "<u2"}
DeviceFor = Callable[[Array, str], device]


class Name(NamedTuple):
    """A function or class that a pickle names."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{shown(self.module)}.{shown(self.name)}"


class Kind(NamedTuple):
    """A type of storages: its name is that of a dtype's elements."""

    name: str


class Storage(NamedTuple):
    """The memory of Tensors, on its device."""

    memory: Array
    kind: str


def refused(name: Name) -> Damaged:
    """The error for a name that is not known, with what to do."""
    if name.module.split(".")[0] == "numpy":
        advice = "it holds NumPy objects: before saving, use torch.from_numpy(array), number.item()"
    elif ".nn." in f".{name.module}." or name.module.startswith("__main__"):
        advice = ("a whole module or object can be loaded only by running its code: in PyTorch "
                  "write torch.save(model.state_dict(), path)")
    else:
        advice = ("only Tensors, Parameters, numbers, strings and containers are read; save the "
                  "object's attributes as a dict")
    return Damaged(f"asks for {name}, which load does not run. {advice}")


def read(file: Any, device_for: DeviceFor) -> tuple[Any, int]:
    """The data of a file, which must be seekable, and how many Tensors of it are bfloat16.

    Raises:
        Damaged: the fault of the file.
    """
    try:
        place = file.tell()
        start = file.read(4)
        file.seek(place)
        return _read_zip(file, device_for) if start.startswith(ZIP) else _read_older(
            file, device_for)
    except OSError as error:
        if error.errno == errno.EINVAL:  # a place before the start of the file
            raise Damaged("damaged: it cannot be read") from None
        raise
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, EOFError, KeyError,
            IndexError, TypeError, ValueError, AttributeError, OverflowError, RuntimeError,
            struct.error, RecursionError) as error:
        raise Damaged(f"damaged: it cannot be read ({shown(repr(error))})") from None


# ---------------------------------------------------------------- the two forms


def _read_zip(file: Any, device_for: DeviceFor) -> tuple[Any, int]:
    with zipfile.ZipFile(file) as archive:
        entries = {info.filename: info for info in archive.infolist()}
        found = [name for name in entries if name.rpartition("/")[2] == "data.pkl"]
        if not found:
            raise Damaged("a zip archive, but not of torch.save; numpy.load reads .npz files")
        prefix = found[0].rpartition("/")[0]
        if any(name.startswith(f"{prefix}/code/") for name in entries):
            raise Damaged("a TorchScript program, which only PyTorch runs; in PyTorch write "
                          "torch.save(torch.jit.load(path).state_dict(), path)")

        def content(name: str) -> bytes:
            info = entries.get(f"{prefix}/{name}")
            if info is None:
                raise Damaged(f"damaged: {shown(name)} is missing in the archive")
            if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
                raise Damaged(f"{shown(name)} is compressed, which torch.save does not do")
            return archive.read(info)

        big = f"{prefix}/byteorder" in entries and content("byteorder") == b"big"
        memories = _Memories(device_for, lambda key, size: content(f"data/{key}"), big)
        data = content("data.pkl")
        machine = Machine(data, memories)
        result = machine.run()
        if machine.at != len(data):
            raise Damaged("damaged: data after the end of the pickle")
        return result, memories.converted


def _read_older(file: Any, device_for: DeviceFor) -> tuple[Any, int]:
    data = file.read()
    blank = _Memories(device_for, None, False)
    machine = Machine(data, blank)
    if machine.run() != MAGIC_NUMBER:
        raise Damaged("a pickle, but not of torch.save")
    if machine.run() != OLDER_VERSION:
        raise Damaged("a version of torch.save's older form that is not known")
    about = machine.run()
    big = isinstance(about, dict) and about.get("little_endian") is False
    start = machine.at
    machine.run()  # to find its end: the memory comes after it
    keys = machine.run()
    at, sizes = machine.at, blank.sizes
    places: dict[str, bytes] = {}
    for key in keys if isinstance(keys, list) else ():
        size = sizes.get(key)
        if size is None:
            raise Damaged(f"damaged: no Tensor has the storage {shown(str(key))}")
        count, = struct.unpack_from(">q" if big else "<q", data, at)
        elements, itemsize = size
        if count != elements or at + 8 + elements * itemsize > len(data):
            raise Damaged(f"damaged: the storage {shown(str(key))} is cut off")
        places[key] = data[at + 8:at + 8 + elements * itemsize]
        at += 8 + elements * itemsize
    memories = _Memories(device_for, lambda key, size: places[key], big)
    return Machine(data, memories, start).run(), memories.converted


class _Memories:
    """The storages of a file, each read once.

    `content(key, size)` gives the bytes of one; without it Tensors are not made, and only the sizes
    are noted.
    """

    def __init__(self, device_for: DeviceFor, content: Callable[[str, int], bytes] | None,
                 big: bool):
        self.device_for, self.content, self.big = device_for, content, big
        self.known: dict[str, Storage] = {}
        self.sizes: dict[str, tuple[int, int]] = {}
        self.converted = 0

    def storage(self, pid: Any) -> Any:
        """What a persistent id stands for: ("storage", kind, key, location, elements, view)."""
        if isinstance(pid, tuple) and len(pid) > 1 and isinstance(pid[1], Name):
            if pid[1].name == "UntypedStorage":
                raise Damaged("holds Tensors of a dtype that is not supported, such as uint16 or "
                              "float8, or a storage: in PyTorch save x.float() or x.int() instead, "
                              "or a Tensor of the storage")
            raise refused(pid[1])  # the class of a whole module
        if not isinstance(pid, tuple) or len(pid) not in (5, 6) or pid[0] != "storage":
            raise Damaged(f"damaged: an unknown reference {shown(repr(pid))}")
        kind, key, location, count = pid[1:5]
        if not isinstance(kind, Kind):
            raise Damaged("damaged: no type of storage")
        if not isinstance(key, str) or not isinstance(location, str) or not _is_size(count):
            raise Damaged("damaged: a storage is described wrongly")
        if kind.name not in STORAGES:
            advice = "torch.view_as_real(x)" if "Complex" in kind.name else "x.dequantize()"
            raise Damaged(f"holds Tensors of {shown(kind.name.removesuffix('Storage'))}, which "
                          f"are not supported: in PyTorch save {advice} instead")
        dtype = numpy.dtype(STORAGES[kind.name])
        if self.content is None:
            self.sizes[key] = count, dtype.itemsize
            return None
        if key not in self.known:
            self.known[key] = self._read(kind.name, key, location, count, dtype)
        found = self.known[key]
        if found.kind != kind.name:
            raise Damaged(f"damaged: the storage {shown(key)} has two dtypes")
        if len(pid) == 6 and pid[5] is not None:  # a part of a storage
            _, offset, size = pid[5]
            if not _is_size(offset) or not _is_size(size) or offset + size > len(found.memory):
                raise Damaged("damaged: a storage is described wrongly")
            return Storage(found.memory[offset:offset + size], found.kind)
        return found

    def _read(self, kind: str, key: str, location: str, count: int, dtype: Any) -> Storage:
        assert self.content is not None
        data = self.content(key, count * dtype.itemsize)
        if len(data) != count * dtype.itemsize:
            raise Damaged(f"damaged: the storage {shown(key)} has {len(data)} bytes, expected "
                          f"{count * dtype.itemsize}")
        array = numpy.frombuffer(data, dtype.newbyteorder(">") if self.big else dtype)
        array = array.astype(dtype.newbyteorder("="))  # its own memory, which can be written
        if kind == BFLOAT16:
            array = of_bfloat16(array)
        elif kind == "BoolStorage":
            array = array.view(numpy.uint8) != 0
        return Storage(to_device(array, self.device_for(array, location)), kind)


# ---------------------------------------------------------------- what names stand for


def _is_size(n: Any) -> bool:
    return n.__class__ is int and 0 <= n <= MAX_SIZE


def _tensor(memories: _Memories, storage: Any, offset: Any, size: Any, stride: Any,
            requires_grad: Any = False, hooks: Any = None, flags: Any = None, *rest: Any) -> Any:
    """torch._utils._rebuild_tensor_v2: a view of a storage; a copy of it with the other sign where
    PyTorch has only noted the sign, as in `z.conj().imag`.

    Raises:
        Damaged: it would reach past the storage.
    """
    if storage is None and memories.content is None:
        return None
    if not isinstance(storage, Storage) or not isinstance(size, tuple) \
            or not isinstance(stride, tuple) or len(size) != len(stride) or len(size) > MAX_DIMS \
            or not all(map(_is_size, (offset, *size, *stride))):
        raise Damaged("damaged: a Tensor is described wrongly")
    memory = storage.memory
    if prod(size) > MAX_SIZE // memory.itemsize:
        raise Damaged("damaged: a Tensor is too large")
    reach = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True)) + 1 \
        if all(size) else offset
    if reach > len(memory):
        raise Damaged(f"damaged: a Tensor of shape {size} reaches past its storage")
    view = array_module(memory).lib.stride_tricks.as_strided(
        memory[offset:], size, [s * memory.itemsize for s in stride])
    if isinstance(flags, dict) and flags.get("neg"):
        view = -view
    memories.converted += storage.kind == BFLOAT16
    made = tensor_of(view, None)
    if requires_grad is True:
        made.requires_grad_()
    return made


def _parameter(memories: _Memories, data: Any, requires_grad: Any = True, *rest: Any) -> Any:
    return None if data is None else Parameter(data, requires_grad is True)


def _ordered(memories: _Memories, items: Any = ()) -> Any:
    made: Any = OrderedDict()
    for pair in items:
        key, value = pair
        made[_key(key)] = value
    return made


def _default(memories: _Memories, factory: Any = None, *rest: Any) -> Any:
    """collections.defaultdict, as a dict: its function is not called."""
    return {}


def _counter(memories: _Memories, counts: Any = None) -> Any:
    if not isinstance(counts, dict | None):
        raise Damaged("damaged: a Counter of something that is no dict")
    return Counter(counts)


def _bytearray(memories: _Memories, content: Any = b"", encoding: Any = "latin-1") -> Any:
    if isinstance(content, str) and encoding in ("latin-1", "latin1"):
        content = content.encode("latin-1")
    if not isinstance(content, bytes):
        raise Damaged("damaged: a bytearray of something that is no bytes")
    return bytearray(content)


def _complex(memories: _Memories, real: Any = 0, imag: Any = 0) -> Any:
    if not isinstance(real, int | float) or not isinstance(imag, int | float):
        raise Damaged("damaged: a complex number of something that is no number")
    return complex(real, imag)


def _device(memories: _Memories, kind: Any, index: Any = None) -> Any:
    return device(kind, index)


def _size(memories: _Memories, sizes: Any = ()) -> Any:
    return Size(map(int, sizes))


def _set(memories: _Memories, items: Any = ()) -> Any:
    return set(map(_key, items))


def _layout(memories: _Memories, name: Any) -> Any:
    return str(name)


def _encode(memories: _Memories, text: Any, encoding: Any) -> Any:
    """How protocol 2 writes bytes."""
    return text.encode("latin1") if encoding == "latin1" else None


CALLED: dict[tuple[str, str], Callable[..., Any]] = {
    ("torch._utils", "_rebuild_tensor_v2"): _tensor, ("torch._utils", "_rebuild_tensor"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch._utils", "_rebuild_parameter_with_state"): _parameter,
    ("collections", "OrderedDict"): _ordered, ("collections", "defaultdict"): _default,
    ("collections", "Counter"): _counter, ("_codecs", "encode"): _encode,
    ("torch", "device"): _device, ("torch", "Size"): _size,
    ("torch.serialization", "_get_layout"): _layout,
    **{(module, kind): _set for module in ("builtins", "__builtin__")
       for kind in ("set", "frozenset")},
    **{(module, name): function for module in ("builtins", "__builtin__")
       for name, function in (("bytearray", _bytearray), ("complex", _complex))},
}


def _named(module: str, name: str) -> Any:
    """What a name stands for: a dtype, a type of storages, or itself."""
    if module == "torch" and isinstance(dtypes.BY_NAME.get(name), dtypes.dtype):
        return dtypes.BY_NAME[name]
    if module in ("torch", "torch.storage", "torch.cuda") and name.endswith("Storage") \
            and name not in ("UntypedStorage", "TypedStorage"):
        return Kind(name)
    return Name(module, name)


def _key(key: Any) -> Any:
    """A key of a dict, or an element of a set: deeply nested tuples could crash Python."""
    for part in key if type(key) is tuple else (key,):
        if part is not None and type(part) not in (str, int, float, bool, bytes) \
                and not isinstance(part, dtypes.dtype | device):
            raise Damaged(f"a dict with a key of type {type(key).__name__}: keys must be strings, "
                          "numbers, None, or tuples of them")
    return key


# ---------------------------------------------------------------- the machine


MARK = object()
# Instructions that make no container.
SMALL = frozenset(bytes([code])
                  for code in b"(.012N\x88\x89JKMhjXU\x8c\x85\x86\x87RQbaseut\x80\x95")


class Machine:
    """Runs the pickles in `data`, one after the other."""

    def __init__(self, data: bytes, memories: _Memories, at: int = 0):
        self.data, self.memories, self.at = data, memories, at
        self.left = 10 * len(data) + SPARE  # bytes of containers that may still be made

    def run(self) -> Any:
        """The object of the pickle that begins here.

        Raises:
            Damaged: an instruction that is not known, or that asks for what is not allowed.
        """
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        while True:
            code = self.take(1)
            if code == b".":
                result = self.stack.pop()
                if self.stack:
                    raise Damaged("damaged: the pickle leaves several objects")
                return self.finished(result)
            instruction = INSTRUCTIONS.get(code)
            if instruction is None:
                raise Damaged(f"damaged: a pickle with the unknown instruction {code!r}")
            self.left -= 16 if code in SMALL else 100
            if self.left < 0:
                raise Damaged("damaged: too many objects for a file of this size")
            instruction(self)

    def finished(self, value: Any) -> Any:
        """The value, which must not be a function, class or storage, nor a tuple with one."""
        for part in value if type(value) is tuple else (value,):
            if isinstance(part, Name):
                raise refused(part)
            if isinstance(part, Storage):
                raise Damaged("holds a storage without a Tensor: in PyTorch save the Tensor")
        return value

    # ------------------------------------------------------------ reading

    def take(self, count: int) -> bytes:
        if count < 0 or self.at + count > len(self.data):
            raise Damaged("damaged: the pickle is cut off")
        part = self.data[self.at:self.at + count]
        self.at += count
        return part

    def number(self, form: str) -> Any:
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def line(self) -> str:
        end = self.data.find(b"\n", self.at)
        if end < 0:
            raise Damaged("damaged: the pickle is cut off")
        part = self.take(end - self.at)
        self.at += 1
        return part.decode()

    # ------------------------------------------------------------ the stack

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def marked(self) -> list[Any]:
        """Takes the objects above the last mark, and the mark."""
        for i in range(len(self.stack) - 1, -1, -1):
            if self.stack[i] is MARK:
                items = self.stack[i + 1:]
                del self.stack[i:]
                return items
        raise Damaged("damaged: the pickle has no mark")

    def last(self, kind: type | tuple[type, ...]) -> Any:
        """The object on top of the stack, which must be of a type."""
        if not isinstance(self.stack[-1], kind):
            raise Damaged("damaged: an object of another type on the stack")
        return self.stack[-1]

    def tuple_of(self, count: int) -> None:
        items = [self.stack.pop() for _ in range(count)][::-1]
        self.push(tuple(map(self.checked, items)))

    def checked(self, item: Any) -> Any:
        if item is MARK:
            raise Damaged("damaged: a mark in a container")
        return item

    def append(self, items: list[Any]) -> None:
        self.last(list).extend(self.checked(self.finished(item)) for item in items)

    def set_items(self, items: list[Any]) -> None:
        target = self.last(dict)
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[_key(key)] = self.checked(self.finished(value))

    def dict_of(self, items: list[Any]) -> None:
        self.push({})
        self.set_items(items)

    def add(self, items: list[Any]) -> None:
        self.last(set).update(map(_key, items))

    def call(self) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        if not isinstance(arguments, tuple):
            raise Damaged("damaged: a call without arguments")
        if not isinstance(function, Name):
            raise Damaged("damaged: a call of what is no function")
        known = CALLED.get((function.module, function.name))
        if known is None:
            if (function.module, function.name) in (("copyreg", "_reconstructor"),
                                                    ("copy_reg", "_reconstructor")) and arguments:
                function = arguments[0]  # the class of the object
            raise refused(function) if isinstance(function, Name) else Damaged("damaged: a call")
        self.push(known(self.memories, *arguments))

    def make_object(self) -> None:
        arguments, kind = self.stack.pop(), self.stack.pop()
        self.stack += [kind, arguments]
        self.call()

    def set_state(self) -> None:
        """The attributes of an object: only the versions in a state_dict are kept."""
        state, target = self.stack.pop(), self.stack[-1]
        if isinstance(target, OrderedDict) and isinstance(state, dict):
            if "_metadata" in state:
                target._metadata = state["_metadata"]  # type: ignore[attr-defined]
        elif target is not None and not isinstance(target, Parameter):
            raise Damaged(f"damaged: a {type(target).__name__} with attributes")

    def name(self, module: Any, name: Any) -> None:
        if not isinstance(module, str) or not isinstance(name, str):
            raise Damaged("damaged: a name that is no text")
        self.push(_named(module, name))

    def stack_name(self) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self.name(module, name)


def _text(form: str) -> Callable[[Machine], None]:
    return lambda m: m.push(m.take(m.number(form)).decode("utf-8", "surrogatepass"))


def _bytes(form: str) -> Callable[[Machine], None]:
    return lambda m: m.push(m.take(m.number(form)))


def _string(form: str) -> Callable[[Machine], None]:
    return lambda m: m.push(m.take(m.number(form)).decode("latin1"))


def _put(form: str) -> Callable[[Machine], None]:
    return lambda m: m.memo.__setitem__(m.number(form), m.stack[-1])


def _get(form: str) -> Callable[[Machine], None]:
    return lambda m: m.push(m.memo[m.number(form)])


def _count(form: str) -> Callable[[Machine], None]:
    return lambda m: m.push(m.number(form))


def _long(form: str) -> Callable[[Machine], None]:
    return lambda m: m.push(int.from_bytes(m.take(m.number(form)), "little", signed=True))


# The instructions of Python's module pickle, protocols 2 to 5.
INSTRUCTIONS: dict[bytes, Callable[[Machine], Any]] = {
    b"\x80": lambda m: m.number("B"),  # PROTO
    b"\x95": lambda m: m.number("<Q"),  # FRAME
    b"(": lambda m: m.push(MARK),
    b"0": lambda m: m.stack.pop(),
    b"1": lambda m: m.marked(),
    b"2": lambda m: m.push(m.stack[-1]),
    b"N": lambda m: m.push(None),
    b"\x88": lambda m: m.push(True),
    b"\x89": lambda m: m.push(False),
    b"J": _count("<i"), b"K": _count("B"), b"M": _count("<H"), b"G": _count(">d"),
    b"\x8a": _long("B"), b"\x8b": _long("<i"),
    b"X": _text("<I"), b"\x8c": _text("B"), b"\x8d": _text("<Q"),
    b"T": _string("<i"), b"U": _string("B"),
    b"B": _bytes("<I"), b"C": _bytes("B"), b"\x8e": _bytes("<Q"),
    b"]": lambda m: m.push([]), b"}": lambda m: m.push({}), b"\x8f": lambda m: m.push(set()),
    b")": lambda m: m.push(()),
    b"\x85": lambda m: m.tuple_of(1), b"\x86": lambda m: m.tuple_of(2),
    b"\x87": lambda m: m.tuple_of(3),
    b"t": lambda m: m.push(tuple(m.marked())),
    b"l": lambda m: m.push(m.marked()),
    b"d": lambda m: m.dict_of(m.marked()),
    b"\x91": lambda m: m.push(frozenset(map(_key, m.marked()))),
    b"a": lambda m: m.append([m.stack.pop()]), b"e": lambda m: m.append(m.marked()),
    b"s": lambda m: m.set_items([m.stack.pop(), m.stack.pop()][::-1]),
    b"u": lambda m: m.set_items(m.marked()), b"\x90": lambda m: m.add(m.marked()),
    b"q": _put("B"), b"r": _put("<I"), b"h": _get("B"), b"j": _get("<I"),
    b"\x94": lambda m: m.memo.__setitem__(len(m.memo), m.stack[-1]),
    b"c": lambda m: m.name(m.line(), m.line()), b"\x93": lambda m: m.stack_name(),
    b"R": lambda m: m.call(), b"\x81": lambda m: m.make_object(), b"b": lambda m: m.set_state(),
    b"Q": lambda m: m.push(m.memories.storage(m.stack.pop())),
}
