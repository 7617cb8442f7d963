"""save and load: Tensors and plain data in safetensors files; `load` reads PyTorch's .pt too.
Nothing is unpickled.

A flat dict of Tensors is saved in the safetensors format directly. For other data, tied Tensors and
views, the entry "tinytensor" of the metadata holds the structure as JSON. Other programs see all
Tensors, each under its path, such as "model.0.weight".

`safetensors.py` beside this file reads and writes the format, `pytorch.py` reads PyTorch's,
`replacing.py` replaces the earlier file, `memory.py` finds the Tensors that share memory.
"""

from __future__ import annotations

import json
import math
import os
import warnings
import zlib
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, BinaryIO, NamedTuple, TypeAlias

import numpy

from ..arrays import dtypes
from ..arrays.devices import CPU, device, device_of, module_for, resolve, to_device, to_numpy
from ..autograd.graph import tensor_of
from ..nn.parameter import Parameter
from .memory import Member, Shared, address, restore, shared_memories, taken_from
from .replacing import destination
from .safetensors import (
    BFLOAT16,
    NO_TENSORS,
    VALUES,
    Array,
    Content,
    Damaged,
    are_sizes,
    check_objects,
    elements,
    file_size,
    is_pytorch,
    name_of,
    no_tensor,
    parsed,
    read,
    shown,
    write,
)
from .tensor import Tensor

__all__ = ["load", "save"]

VERSIONS = ("1", "2")  # of the structure that can be read; the last one is written
MapLocation: TypeAlias = (device | str | dict[str, device | str]
                          | Callable[[Tensor, str], Tensor | None])


def save(obj: Any, f: str | os.PathLike[str] | BinaryIO, pickle_module: Any = None,
         pickle_protocol: int | None = None,
         _use_new_zipfile_serialization: bool = True) -> None:
    """Writes Tensors and plain data to a safetensors file, or to a file object.

    `obj` is a state_dict, or nested dicts, lists and tuples of Tensors, NumPy arrays, numbers,
    strings, bools and None. Of a Tensor the values, `requires_grad` and whether it is a Parameter
    are saved, not the graph. An OrderedDict keeps its type, and its `_metadata`, as that of a
    state_dict. Tensors that share their whole memory are stored once. Views keep sharing memory
    with each other, unless they show a small part of a large memory, which gives a warning. NumPy
    scalars become Python numbers, subclasses of dict, list and tuple become these.

    The other arguments, which concern PyTorch's own format, are ignored.

    The file is replaced atomically, after all of the new one is on the disk. After an error or a
    crash an earlier file is unchanged. It keeps its permissions, and its owner where the process
    may set it; other hard links to it keep the earlier content. A symbolic link is followed. A
    device or a FIFO is written to directly.

    Raises:
        TypeError: an object of another type; the message names its path.
        ValueError: a container that contains itself, or more plain data than `load` would accept.
        OSError: the file cannot be written; PermissionError also for one that is read-only.
    """
    arrays, metadata = _pack(obj)
    if hasattr(f, "write"):
        write(f, arrays, metadata)
        return
    with destination(os.fsdecode(f)) as file:
        write(file, arrays, metadata)


def load(f: str | os.PathLike[str] | BinaryIO, map_location: MapLocation | None = None,
         pickle_module: Any = None, *, weights_only: bool = True, mmap: bool | None = None,
         encoding: str = "utf-8") -> Any:
    """Reads a file of `save`; a safetensors file of another program, as a dict of its Tensors; or a
    file of `torch.save`.

    Tied weights, which `safetensors.torch.save_model` stores once, are returned under all their
    names. Without the package ml_dtypes bfloat16 becomes float32, with a warning. Of PyTorch's own
    files, .pt and .pth, Tensors, Parameters, shared memory, numbers, strings and containers are
    read; whole modules, NumPy objects and other classes are refused by name. A file object of such
    a file must be seekable.

    The file may come from a stranger: nothing in it is executed, and a damaged or malicious one
    takes at most ten times its size in memory, plus 64 MiB.

    Args:
        map_location: the device of the Tensors, by default the CPU. A dict gives it by the name
            of the device from which each was saved, such as "cuda:0"; a device that is not in the
            dict stays. A function gets each Tensor, on the CPU, and that name; its result, a Tensor
            on the wanted device or None, gives the device.
        weights_only: ignored: nothing in a file is ever executed.
        pickle_module, mmap, encoding: ignored; they concern PyTorch's own format.

    Raises:
        OSError: the file does not exist or cannot be read.
        RuntimeError: a file of another format, or a damaged one, or one that asks for code to be
            run; the message names file and fault.
            Changed values are detected in files that `save` has written.
        TypeError: map_location is of another type.
    """
    device_for = _devices(map_location)
    if hasattr(f, "read"):
        return _load(f, None, str(getattr(f, "name", "the file object")), device_for)
    with open(f, "rb") as file:
        return _load(file, file_size(file), os.fsdecode(f), device_for)


def _devices(map_location: MapLocation | None) -> Callable[[Array, str], device]:
    """The device of a Tensor by its array and the device from which it was saved.

    Raises:
        RuntimeError: CuPy or the GPU is missing.
    """
    if map_location is None or isinstance(map_location, str | device):
        where = CPU if map_location is None else resolve(map_location)
        module_for(where)
        return lambda array, saved: where
    if isinstance(map_location, dict):
        by_name = map_location
        return lambda array, saved: resolve(by_name.get(saved, saved))
    if not callable(map_location):
        raise TypeError("load: map_location must be a device or its name, a dict of names, or a "
                        f"function, got {type(map_location).__name__}")
    function = map_location

    def result_device(array: Array, saved: str) -> device:
        result = function(tensor_of(array, None), saved)
        if result is not None and not isinstance(result, Tensor):
            raise TypeError("load: the function map_location must return the Tensor that it gets, "
                            f"moved to a device, or None, got {type(result).__name__}")
        return resolve(saved) if result is None else result.device

    return result_device


def _load(file: Any, size: int | None, name: str,
          device_for: Callable[[Array, str], device]) -> Any:
    try:
        if is_pytorch(file):
            from . import pytorch  # with zipfile, which few programs need

            read_, converted = pytorch.read(file, device_for)
            _warn_of_bfloat16(name, converted)
            return read_
        content = read(file, size)
        structure = _structure(content)
        if structure is None or structure.is_flat:
            _check_dtypes(content)
        loaded = _Loaded(content, structure, device_for)
        if structure is None:
            # `safetensors.torch.save_model` keeps the names of tied weights in the metadata.
            tensors = loaded.tensors
            result: Any = tensors | {
                tied: tensors[kept] for tied, kept in content.metadata.items()
                if kept in tensors and tied not in tensors}
        else:
            try:
                result = loaded.built(structure.tree)
            except (LookupError, TypeError, ValueError, RuntimeError) as error:
                raise _unreadable(error) from None
    except Damaged as fault:
        raise RuntimeError(f"load: {name}: {fault}") from None
    _warn_of_bfloat16(name, _bfloat16s(content))
    return result


def _warn_of_bfloat16(name: str, converted: int) -> None:
    if converted and not dtypes.has_bfloat16():
        warnings.warn(f"load: {name}: {converted} bfloat16 Tensors become float32; to keep them, "
                      "pip install ml_dtypes", stacklevel=4)


def _bfloat16s(content: Content) -> int:
    """The number of Tensors of bfloat16."""
    return sum(entry.dtype == BFLOAT16 for entry in content.entries.values())


def _unreadable(error: Exception) -> Damaged:
    return Damaged(f"damaged: its structure cannot be read ({shown(repr(error))})")


def _check_dtypes(content: Content) -> None:
    """Raises if an entry cannot be a Tensor."""
    for name, entry in content.entries.items():
        if entry.dtype in NO_TENSORS:
            raise no_tensor(name, entry.dtype)


# ---------------------------------------------------------------- nested data


# The tree is the structure of the data as JSON. None, bools, ints, finite floats, strings and lists
# are themselves; everything else is an object with one key:
#   {"tensor": name}   {"leaf": name}, which requires grad   {"parameter": [name, requires_grad]}
#   {"array": name}    {"tuple": [...]}   {"float": "nan"}
#   {"dict": [key, value, key, value, ...]}   {"ordered": [metadata, key, value, ...]}
#   {"flat": null}     {"flat ordered": metadata}    a dict of all Tensors under their names
# Version 1 had {"dict": [[key, value], ...]}, {"flat": true}, and neither "leaf", "parameter" nor
# "ordered"; its checksum was beside the tree.
FLAT = ("flat", "flat ordered")


class Structure(NamedTuple):
    """What the metadata says about the Tensors of a file."""

    tree: Any
    shared: list[Shared]  # memories that several Tensors show
    devices: dict[str, str]  # those of Tensors that were not on the CPU
    pairs: bool = False  # whether dicts are lists of pairs, as in version 1

    @property
    def is_flat(self) -> bool:
        return isinstance(self.tree, dict) and any(kind in self.tree for kind in FLAT)


def _pack(obj: Any) -> tuple[dict[str, Array], dict[str, str]]:
    """The arrays in `obj` by name, and the metadata: the structure and a checksum."""
    packer = _Packer()
    try:
        tree = packer.tree(obj, ())
        if packer.is_flat(obj):
            tree = packer.flat(obj)
        held = {name: tensor._array for name, tensor in packer.tensors.items()}
        shared, sparse = shared_memories(held)
        if sparse:
            warnings.warn(f"save: {sparse[0]!r} and {sparse[1]!r} share elements of a much larger "
                          "memory; they are saved apart", stacklevel=3)
        devices = {name: str(device_of(array)) for name, array in held.items()
                   if not isinstance(array, numpy.ndarray)}
        text = json.dumps({"tree": tree, "shared": shared, "devices": devices},
                          separators=(",", ":"))
    except RecursionError:
        raise ValueError("save: the containers are nested too deeply; flatten them") from None
    try:
        check_objects(text.encode(), VALUES)
    except Damaged as fault:
        raise ValueError(f"save: {fault}; store large data as Tensors") from None
    arrays = {name: to_numpy(array) for name, array in held.items()}
    return arrays, {"format": "pt", "tinytensor.version": VERSIONS[-1], "tinytensor": text,
                    "tinytensor.crc32": str(_checksum(arrays, text))}


class _Packer:
    """Builds the tree of nested data and collects its Tensors."""

    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {}
        self.names: dict[Any, str] = {}  # the name of a Tensor by its memory
        self.around: set[int] = set()  # ids of the enclosing containers

    def is_flat(self, obj: Any) -> bool:
        """Whether `obj` is a dict of just the collected Tensors, all plain, under their names."""
        return isinstance(obj, dict) and list(obj) == list(self.tensors) and all(
            obj[name] is tensor and _kind(tensor, name) == {"tensor": name}
            for name, tensor in self.tensors.items())

    def flat(self, obj: Any) -> Any:
        if type(obj) is OrderedDict:
            return {"flat ordered": self.metadata(obj, ())}
        return {"flat": None}

    def tree(self, obj: Any, path: tuple[Any, ...]) -> Any:
        if isinstance(obj, Tensor):
            return _kind(obj, self.name(obj, path))
        if type(obj) in (numpy.ndarray, numpy.memmap):
            return {"array": self.name(tensor_of(obj, None), path)}
        if isinstance(obj, numpy.generic):
            obj = obj.item()
        if obj is None or type(obj) in (bool, int, str):
            return obj
        if isinstance(obj, float):
            return float(obj) if math.isfinite(obj) else {"float": str(float(obj))}
        if not isinstance(obj, dict | list | tuple):
            raise TypeError(f"save: {_place(path)} is a {type(obj).__name__}. {_advice(obj)}")
        if id(obj) in self.around:
            raise ValueError(f"save: {_place(path)} contains itself")
        self.around.add(id(obj))
        tree = self.container(obj, path)
        self.around.discard(id(obj))
        return tree

    def container(self, obj: Any, path: tuple[Any, ...]) -> Any:
        if isinstance(obj, dict):
            items: list[Any] = []
            for key, value in obj.items():
                _check_key(key, path)
                items += [self.tree(key, path), self.tree(value, (*path, key))]
            if type(obj) is OrderedDict:
                return {"ordered": [self.metadata(obj, path), *items]}
            return {"dict": items}
        items = [self.tree(item, (*path, i)) for i, item in enumerate(obj)]
        return items if isinstance(obj, list) else {"tuple": items}

    def metadata(self, obj: OrderedDict[Any, Any], path: tuple[Any, ...]) -> Any:
        """The `_metadata` of a state_dict: the versions of its modules."""
        return self.tree(getattr(obj, "_metadata", None), (*path, "_metadata"))

    def name(self, tensor: Tensor, path: tuple[Any, ...]) -> str:
        """The name of a Tensor: its path, or the name of an earlier Tensor with its memory."""
        array = tensor._array
        if name_of(array.dtype) is None:
            raise TypeError(f"save: {_place(path)} has the dtype {array.dtype}, which the "
                            "safetensors format does not support")
        memory = (address(array), array.shape, array.strides, array.dtype,
                  type(array)) if array.size else id(tensor)
        if memory not in self.names:
            wanted = ".".join(map(str, path)) if path else "tensor"
            name, others = wanted, 1
            while name in self.tensors or name == "__metadata__":
                others += 1
                name = f"{wanted}#{others}"
            self.names[memory] = name
            self.tensors[name] = tensor
        return self.names[memory]


def _kind(tensor: Tensor, name: str) -> Any:
    """The object of the tree for a Tensor."""
    if isinstance(tensor, Parameter):
        return {"parameter": [name, tensor.requires_grad]}
    return {"leaf" if tensor.requires_grad else "tensor": name}


def _check_key(key: Any, path: tuple[Any, ...]) -> None:
    if isinstance(key, tuple):
        for part in key:
            _check_key(part, path)
    elif isinstance(key, numpy.generic):
        _check_key(key.item(), path)
    elif key is not None and not isinstance(key, str | int | float):
        raise TypeError(f"save: {_place(path)} has the key {key!r}: keys must be strings, "
                        "numbers, None, or tuples of them")


def _place(path: tuple[Any, ...]) -> str:
    return "obj" + "".join(f"[{key!r}]" for key in path)


def _advice(obj: object) -> str:
    """What to save in place of an object of another type."""
    if hasattr(obj, "state_dict"):
        return "Save its state_dict(), and load it with load_state_dict()"
    return ("A file holds Tensors, NumPy arrays, numbers, strings, bools, None, and dicts, lists "
            "and tuples of them: save its attributes, and create it anew after loading")


def _checksum(arrays: dict[str, Array], structure: str) -> int:
    """The CRC-32 of the content, independent of the order in the file."""
    total = zlib.crc32(structure.encode())
    for name in sorted(arrays):
        array = arrays[name]
        total = zlib.crc32(f"{name} {name_of(array.dtype)} {array.shape}".encode(
            errors="surrogatepass"), total)
        total = zlib.crc32(elements(array), total)
    return total


# ---------------------------------------------------------------- loading


def _structure(content: Content) -> Structure | None:
    """The structure in the metadata, whose checksum is right; None for another program's file."""
    metadata = content.metadata
    version, text = metadata.get("tinytensor.version"), metadata.get("tinytensor")
    if version is None and text is None:
        return None
    if version is not None and version not in VERSIONS:
        raise Damaged(f"saved in version {shown(version)!r} of tinytensor's file format; this "
                      f"program reads the versions {' and '.join(VERSIONS)}")
    text = text or ""
    ours = parsed(text.encode(errors="surrogatepass"), "tinytensor's part of the metadata", VALUES)
    wanted = {"crc32", "tree"} if version == "1" else {"tree", "shared", "devices"}
    if version is None or not isinstance(ours, dict) or ours.keys() != wanted:
        raise Damaged("damaged: tinytensor's part of the metadata is incomplete")
    saved = str(ours["crc32"]) if version == "1" else metadata.get("tinytensor.crc32")
    if version == "1":
        text = json.dumps(ours["tree"], separators=(",", ":"))
    converted = _bfloat16s(content) and not dtypes.has_bfloat16()  # other numbers than those saved
    if not converted and str(_checksum(content.arrays, text)) != saved:
        raise Damaged("damaged: the checksum of the content differs from the saved one")
    if version == "1":
        return Structure(ours["tree"], [], {}, pairs=True)
    try:
        return Structure(ours["tree"], [_read_shared(*given) for given in ours["shared"]],
                         {str(name): str(where) for name, where in ours["devices"].items()})
    except (TypeError, ValueError, AttributeError) as error:
        raise _unreadable(error) from None


def _read_shared(size: Any, members: Any) -> Shared:
    shared = Shared(size, [Member(name, offset, tuple(strides))
                           for name, offset, strides in members])
    numbers = [n for member in shared.members for n in (member.offset, *map(abs, member.strides))]
    if not shared.members or not are_sizes([size, *numbers]) or not all(
            isinstance(member.name, str) and bool not in map(type, member.strides)
            for member in shared.members):
        raise ValueError("a shared memory is described wrongly")
    return shared


class _Loaded:
    """The arrays and Tensors of a file, and the data that a tree makes of them."""

    def __init__(self, content: Content, structure: Structure | None,
                 device_for: Callable[[Array, str], device]):
        self.arrays = dict(content.arrays)
        self.pairs = structure is not None and structure.pairs
        self.made: dict[tuple[str, str], Tensor] = {}
        devices = {} if structure is None else structure.devices
        moved: dict[str, Array] = {}
        for shared in [] if structure is None else structure.shared:
            first = shared.members[0].name
            try:
                memory = restore(shared, content.arrays)
                self.arrays |= taken_from(memory, shared, content.arrays)
            except (LookupError, ValueError) as error:
                raise _unreadable(error) from None
            where = device_for(self.arrays[first], devices.get(first, "cpu"))
            moved |= taken_from(to_device(memory, where), shared, content.arrays)
        self.tensors = {
            name: tensor_of(moved[name] if name in moved else to_device(
                array, device_for(array, devices.get(name, "cpu"))), None)
            for name, array in self.arrays.items()
            if content.entries[name].dtype not in NO_TENSORS}

    def built(self, tree: Any) -> Any:
        """The data of a tree."""
        if isinstance(tree, list):
            return [self.built(item) for item in tree]
        if not isinstance(tree, dict):
            return tree
        (kind, content), = tree.items()
        if kind == "tensor":
            return self.tensors[content]
        if kind == "leaf":
            return self.leaf(content)
        if kind == "parameter":
            return self.parameter(*content)
        if kind == "array":
            return self.arrays[content]
        if kind == "tuple":
            return tuple(self.built(item) for item in content)
        if kind == "dict" and self.pairs:
            return {self.built(key): self.built(value) for key, value in content}
        if kind == "dict":
            return self.items(content)
        if kind == "ordered":
            return self.ordered(self.items(content[1:]), content[0])
        if kind == "flat":
            return self.tensors
        if kind == "flat ordered":
            return self.ordered(self.tensors, content)
        if kind == "float":
            return float(content)
        raise ValueError(f"unknown kind {kind!r}")

    def leaf(self, name: str) -> Tensor:
        """A Tensor that requires grad; the same one for the same name."""
        if ("leaf", name) not in self.made:
            values = tensor_of(self.tensors[name]._array, None)
            self.made["leaf", name] = values.requires_grad_()
        return self.made["leaf", name]

    def parameter(self, name: str, requires_grad: bool) -> Tensor:
        """A Parameter; the same one for the same name."""
        if ("parameter", name) not in self.made:
            self.made["parameter", name] = Parameter(self.tensors[name], requires_grad)
        return self.made["parameter", name]

    def items(self, content: list[Any]) -> dict[Any, Any]:
        return {self.built(key): self.built(value)
                for key, value in zip(content[::2], content[1::2], strict=True)}

    def ordered(self, items: dict[Any, Any], metadata: Any) -> OrderedDict[Any, Any]:
        result = OrderedDict(items)
        if metadata is not None:
            result._metadata = self.built(metadata)  # type: ignore[attr-defined]
        return result
