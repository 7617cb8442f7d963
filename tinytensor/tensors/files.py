"""save and load: Tensors and plain data in safetensors files. Nothing is ever unpickled.

The container is written and read here, in the middle of this file, because NumPy is the only thing
that tinytensor must have, and saving must not need an extra; the format is small and fixed. Tests
hold it against the safetensors library in both directions.

    8 bytes      the length of the header, low byte first
    header       JSON: {name: {"dtype", "shape", "data_offsets"}, ..., "__metadata__": {str: str}}
    the rest     the elements of all Tensors, one after the other, without gaps

A flat dict of Tensors is such a file as it stands. For anything else, and for Tensors that are
tied, the entry "tinytensor" in the metadata says, as JSON, which Tensor stands where and what else
there is; other programs still see all the Tensors, under the path to each, as in "model.0.weight".
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import stat
import warnings
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

import numpy

from ..arrays.devices import CPU, device, module_for, resolve, to_device, to_numpy
from ..autograd.graph import tensor_of
from .tensor import Tensor

__all__ = ["load", "save"]

Array = numpy.ndarray[Any, Any]

VERSION = "1"
HEADER_LIMIT = 100_000_000  # bytes, as in the safetensors library
DTYPES = {"BOOL": "bool", "U8": "uint8", "I8": "int8", "I16": "int16", "I32": "int32",
          "I64": "int64", "F16": "float16", "F32": "float32", "F64": "float64"}
ARRAY_DTYPES = {**DTYPES, "U16": "uint16", "U32": "uint32", "U64": "uint64"}  # of NumPy's arrays
NAMES = {numpy.dtype(d): name for name, d in ARRAY_DTYPES.items()}
NO_TENSORS = ARRAY_DTYPES.keys() - DTYPES.keys()
BFLOAT16 = "BF16"

OTHER_FORMATS = {  # how files begin that are often meant instead
    b"PK\x03\x04": "a zip archive, which torch.save and numpy.savez write",
    b"\x80": "a pickle",
    b"\x93NUMPY": "a NumPy file (tensor(numpy.load(...)) reads it)",
    b"\x1f\x8b": "gzipped",
    b"\x89HDF": "HDF5",
}
WAY_OUT = ("load reads safetensors files and unpickles nothing, since a pickle can run any "
           "program. In PyTorch write: safetensors.torch.save_file(model.state_dict(), "
           "'model.safetensors')")


def save(obj: Any, f: str | os.PathLike[str] | BinaryIO, pickle_module: Any = None,
         pickle_protocol: int | None = None,
         _use_new_zipfile_serialization: bool = True) -> None:
    """Writes Tensors and plain data to a safetensors file, or to a file object.

    `obj` is a state_dict, or dicts, lists and tuples in one another that hold Tensors, NumPy
    arrays, numbers, strings, bools and None. Of Tensors the values are kept: they are loaded as
    leaves that do not require grad. Those that share their memory whole are stored once and tied
    again by `load`. Single numbers of NumPy's become Python's.

    The other arguments are PyTorch's, about its own format; they change nothing.

    A file appears under its name only when all of it is on the disk: whatever goes wrong before
    that, an earlier file of that name is as it was.

    Raises:
        TypeError: something that is none of these; the message names the place.
        ValueError: a container that contains itself.
        OSError: the file cannot be written.
    """
    packed = _pack(obj)
    if hasattr(f, "write"):
        _write(f, packed)
        return
    with _replacing(os.path.realpath(os.fsdecode(f))) as file:
        _write(file, packed)


def load(f: str | os.PathLike[str] | BinaryIO, map_location: device | str | None = None,
         pickle_module: Any = None, *, weights_only: bool = True, mmap: bool | None = None,
         encoding: str = "utf-8") -> Any:
    """What `save` was given; of a safetensors file by another program, the dict of its Tensors.

    Tied weights, which `safetensors.torch.save_model` stores once, are under all their names.

    Args:
        map_location: the device for the Tensors, the CPU if not given.
        weights_only: PyTorch's word for not running what stands in a file, which is never done.
        pickle_module, mmap, encoding: PyTorch's, about its own format; they change nothing.

    bfloat16, which NumPy does not have, becomes float32, with a warning.

    Raises:
        OSError: there is no such file, or it cannot be read.
        RuntimeError: not a safetensors file, or a damaged one; the message names file and fault.
            Damage to the values is noticed in files that `save` has written.
    """
    if map_location is not None and not isinstance(map_location, str | device):
        raise TypeError("load: map_location must be a device or its name, got "
                        f"{type(map_location).__name__}")
    where = CPU if map_location is None else resolve(map_location)
    module_for(where)
    if hasattr(f, "read"):
        name = str(getattr(f, "name", "the file object"))
        return _load(io.BytesIO(f.read()), name, where)
    with open(f, "rb") as file:
        return _load(file, os.fsdecode(f), where)


def _load(file: BinaryIO, name: str, where: device) -> Any:
    try:
        entries, metadata, data_start = _read_header(file)
        ours = _our_metadata(metadata)
        arrays = _read_arrays(file, entries, data_start, name)
        if ours is not None and _checksum(arrays, ours["tree"]) != ours["crc32"]:
            raise Damaged("the content does not have the checksum that it was saved with")
        tensors = {key: tensor_of(to_device(array, where), None)
                   for key, array in arrays.items() if entries[key].dtype not in NO_TENSORS}
        if ours is None or ours["tree"] == FLAT:
            _check_dtypes(entries)
        if ours is None:
            # Names that `safetensors.torch.save_model` left out, as another one is tied to them.
            return tensors | {tied: tensors[kept] for tied, kept in metadata.items()
                              if kept in tensors and tied not in tensors}
        try:
            return _built(ours["tree"], tensors, arrays)
        except (LookupError, TypeError, ValueError, RecursionError) as error:
            raise Damaged(f"damaged: its tree of plain data is none ({error!r})") from None
    except Damaged as fault:
        raise RuntimeError(f"load: {name}: {fault}") from None


class Damaged(Exception):  # noqa: N818
    """What is wrong with a file."""


# ---------------------------------------------------------------- the container


class Entry(NamedTuple):
    """Where a Tensor lies in the data."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


class Packed(NamedTuple):
    """What a file is to hold."""

    arrays: dict[str, Array]
    metadata: dict[str, str]


def _write(file: Any, packed: Packed) -> None:
    """Writes the container. Large elements come first, so that all are aligned."""
    arrays = packed.arrays
    order = sorted(arrays, key=lambda name: -arrays[name].itemsize)
    offsets, end = {}, 0
    for name in order:
        begin, end = end, end + arrays[name].nbytes
        offsets[name] = [begin, end]
    header: dict[str, Any] = {"__metadata__": packed.metadata}
    for name, array in arrays.items():
        header[name] = {"dtype": NAMES[array.dtype], "shape": list(array.shape),
                        "data_offsets": offsets[name]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > HEADER_LIMIT:
        raise ValueError(f"save: the names, shapes and plain data take {len(text)} bytes; "
                         f"safetensors files have room for {HEADER_LIMIT}; put what is large "
                         "into Tensors")
    file.write(len(text).to_bytes(8, "little"))
    file.write(text)
    for name in order:
        file.write(_bytes(arrays[name]))


def _bytes(array: Array) -> Any:
    """The elements in the order of the dims, low byte first, whatever the strides are."""
    little = array.astype(array.dtype.newbyteorder("<"), order="C", copy=False)
    return little.reshape(-1).view(numpy.uint8).data


def _read_header(file: BinaryIO) -> tuple[dict[str, Entry], dict[str, str], int]:
    """The checked header: the Tensors, the metadata, where in the file the data starts."""
    start = file.tell()
    size = file.seek(0, os.SEEK_END) - start
    file.seek(start)
    first = file.read(8)
    length = int.from_bytes(first, "little")
    if len(first) < 8 or length > min(HEADER_LIMIT, size - 8):
        raise Damaged(_foreign(first, size, length))
    text = file.read(length)
    if not text.startswith(b"{"):
        raise Damaged(_foreign(first + text[:8], size, length))
    try:
        header = json.loads(text.decode(), object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        raise Damaged(f"damaged: its header is no JSON ({error})") from None
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise Damaged("damaged: __metadata__ must have strings as its values")
    entries = {name: _entry(name, given) for name, given in header.items()}
    _check_layout(entries, size - 8 - length)
    return entries, metadata, start + 8 + length


def _foreign(first: bytes, size: int, length: int) -> str:
    """What a file is that does not begin with the length of a header and the header."""
    for magic, name in OTHER_FORMATS.items():
        if first.startswith(magic) and (len(magic) > 1 or length > HEADER_LIMIT):
            return f"not a safetensors file, but {name}. {WAY_OUT}"
    if len(first) < 8:
        return f"cut off, or not a safetensors file: it has {size} bytes"
    if length <= min(HEADER_LIMIT, size - 8):
        return f"damaged, or not a safetensors file: no header follows its length. {WAY_OUT}"
    return (f"cut off, or not a safetensors file: its first 8 bytes announce a header of {length} "
            f"bytes, {size - 8} follow. {WAY_OUT}")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands there twice")
    return found


def _entry(name: str, given: Any) -> Entry:
    """A line of the header.

    Raises:
        Damaged: it is not built as it must be, or contradicts itself.
    """
    if not isinstance(given, dict) or given.keys() != {"dtype", "shape", "data_offsets"}:
        raise Damaged(f"damaged: {name!r} must have dtype, shape and data_offsets")
    dtype, shape, offsets = given["dtype"], given["shape"], given["data_offsets"]
    if not _are_sizes(shape) or not _are_sizes(offsets) or len(offsets) != 2:
        raise Damaged(f"damaged: {name!r} has the shape {shape} and the offsets {offsets}")
    if dtype not in (*ARRAY_DTYPES, BFLOAT16):
        raise _no_tensor(name, dtype)
    begin, end = offsets
    size = 2 if dtype == BFLOAT16 else numpy.dtype(ARRAY_DTYPES[dtype]).itemsize
    needed = math.prod(shape) * size
    if end - begin != needed:
        raise Damaged(f"damaged: {name!r} of shape {tuple(shape)} and dtype {dtype} needs "
                      f"{needed} bytes, its offsets {offsets} span {end - begin}")
    return Entry(dtype, tuple(shape), begin, end)


def _check_dtypes(entries: dict[str, Entry]) -> None:
    """Where all are meant to be Tensors."""
    for name, entry in entries.items():
        if entry.dtype in NO_TENSORS:
            raise _no_tensor(name, entry.dtype)


def _no_tensor(name: str, dtype: str) -> Damaged:
    return Damaged(f"{name!r} has the dtype {dtype}, which Tensors do not have; there are "
                   f"{', '.join(DTYPES)}. Convert it where the file was made")


def _are_sizes(values: object) -> bool:
    return isinstance(values, list) and all(type(v) is int and v >= 0 for v in values)


def _check_layout(entries: dict[str, Entry], available: int) -> None:
    """The Tensors must follow each other without gap or overlap, up to the end of the file."""
    place = 0
    for name, entry in sorted(entries.items(), key=lambda item: (item[1].begin, item[1].end)):
        if entry.begin != place:
            kind = "overlaps another" if entry.begin < place else "leaves a gap before it"
            raise Damaged(f"damaged: {name!r}, at the offset {entry.begin}, {kind}")
        place = entry.end
    if place > available:
        raise Damaged(f"cut off: {place} bytes of elements are announced, {available} are there")
    if place < available:
        raise Damaged(f"damaged: {available - place} bytes follow behind the last Tensor")


def _read_arrays(file: BinaryIO, entries: dict[str, Entry], start: int,
                 file_name: str) -> dict[str, Array]:
    arrays = {}
    for name, entry in entries.items():
        file.seek(start + entry.begin)
        raw = numpy.frombuffer(bytearray(file.read(entry.end - entry.begin)), numpy.uint8)
        if raw.size != entry.end - entry.begin:
            raise Damaged(f"cut off: it ended while {name!r} was read")
        if entry.dtype == "BOOL" and raw.size and raw.max() > 1:
            raise Damaged(f"damaged: {name!r} has bools that are neither 0 nor 1")
        try:
            arrays[name] = _decoded(raw, entry).reshape(entry.shape)
        except (ValueError, OverflowError) as error:
            raise Damaged(f"{name!r} of shape {entry.shape}: {error}") from None
    converted = [name for name, entry in entries.items() if entry.dtype == BFLOAT16]
    if converted:
        warnings.warn(f"load: {file_name}: {len(converted)} bfloat16 Tensors, such as "
                      f"{converted[0]!r}, become float32: NumPy has no bfloat16", stacklevel=4)
    return arrays


def _decoded(raw: Array, entry: Entry) -> Array:
    """The elements that bytes stand for. A bfloat16 is the upper half of a float32."""
    if entry.dtype == BFLOAT16:
        return (raw.view("<u2").astype(numpy.uint32) << 16).view(numpy.float32)
    dtype = numpy.dtype(ARRAY_DTYPES[entry.dtype])
    # The last view makes the dtype NumPy's own object of that type and not one equal to it, as
    # kernels that read arrays' headers take no other; rounding would depend on it.
    return raw.view(dtype.newbyteorder("<")).astype(dtype, copy=False).view(dtype)


@contextlib.contextmanager
def _replacing(path: str) -> Iterator[BinaryIO]:
    """A new file that takes the place of `path` when the block ends well, and else disappears."""
    folder, name = os.path.split(path)
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"save: there is no folder {folder!r} for the file {name!r}")
    if os.path.isdir(path):
        raise IsADirectoryError(f"save: {path!r} is a folder")
    temporary = os.path.join(folder, f".{name[:100]}.{os.urandom(4).hex()}.tmp")
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if os.path.exists(path):
            os.chmod(temporary, stat.S_IMODE(os.stat(path).st_mode))
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.remove(temporary)
        raise


# ---------------------------------------------------------------- plain data around Tensors


# In the tree, None, bools, ints, finite floats and strings stand for themselves, a list for a
# list, and an object with one key for what that key says:
#   {"tensor": name}   {"array": name}   {"tuple": [...]}   {"dict": [[key, value], ...]}
#   {"float": "nan"}
# The tree of a flat dict of Tensors is FLAT: the header says all that there is to say.
FLAT = {"flat": True}


def _pack(obj: Any) -> Packed:
    """The Tensors in `obj` under names, and the metadata: where they stand, and a checksum."""
    packer = _Packer()
    tree = packer.tree(obj, ())
    if _is_flat(obj, packer.tensors):
        tree = FLAT
    arrays = {name: to_numpy(t._array) for name, t in packer.tensors.items()}
    ours = {"crc32": _checksum(arrays, tree), "tree": tree}
    return Packed(arrays, {"format": "pt", "tinytensor.version": VERSION,
                           "tinytensor": json.dumps(ours, separators=(",", ":"))})


def _is_flat(obj: Any, tensors: dict[str, Tensor]) -> bool:
    """Whether `obj` is the dict of these Tensors, under these names."""
    return isinstance(obj, dict) and list(obj) == list(tensors) and all(
        obj[name] is tensors[name] for name in tensors)


class _Packer:
    """Walks through plain data and collects the Tensors in it."""

    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {}
        self.names: dict[Any, str] = {}  # of what the memory of a Tensor is to its name
        self.around: set[int] = set()  # the containers that the walk is in

    def tree(self, obj: Any, path: tuple[Any, ...]) -> Any:
        if isinstance(obj, Tensor):
            return {"tensor": self.name(obj, path)}
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
            for key in obj:
                _check_key(key, path)
            return {"dict": [[self.tree(key, path), self.tree(value, (*path, key))]
                             for key, value in obj.items()]}
        items = [self.tree(item, (*path, i)) for i, item in enumerate(obj)]
        return items if isinstance(obj, list) else {"tuple": items}

    def name(self, tensor: Tensor, path: tuple[Any, ...]) -> str:
        """Its path, or the name that it has already, for itself or for another on its memory."""
        array = tensor._array
        if array.dtype not in NAMES:
            raise TypeError(f"save: {_place(path)} has the dtype {array.dtype}, which safetensors "
                            "files do not have")
        memory = (tensor.data_ptr(), array.shape, array.strides, array.dtype,
                  tensor.device) if array.size else id(tensor)
        if memory not in self.names:
            wanted = ".".join(map(str, path)) if path else "tensor"
            name, others = wanted, 1
            while name in self.tensors or name == "__metadata__":
                others += 1
                name = f"{wanted}#{others}"
            self.names[memory] = name
            self.tensors[name] = tensor
        return self.names[memory]


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
    """What to save in place of an object that is no plain data."""
    if hasattr(obj, "state_dict"):
        return "Save its state_dict(), and load it with load_state_dict()"
    return ("A file holds Tensors, NumPy arrays, numbers, strings, bools, None, and dicts, lists "
            "and tuples of them: save what makes it up, and make it again after loading")


def _checksum(arrays: dict[str, Array], tree: Any) -> int:
    """Of the content, in whatever order it lies in the file."""
    total = zlib.crc32(json.dumps(tree, separators=(",", ":")).encode())
    for name in sorted(arrays):
        array = arrays[name]
        total = zlib.crc32(f"{name} {NAMES[array.dtype]} {array.shape}".encode(
            errors="surrogatepass"), total)
        total = zlib.crc32(_bytes(array), total)
    return total


def _our_metadata(metadata: dict[str, str]) -> dict[str, Any] | None:
    """What `save` noted; None for a file by another program."""
    version, text = metadata.get("tinytensor.version"), metadata.get("tinytensor")
    if version is None and text is None:
        return None
    if version is not None and version != VERSION:
        raise Damaged(f"saved by another version of tinytensor, as version {version!r} of its "
                      f"files; this one reads {VERSION!r}")
    try:
        ours = json.loads(text or "", object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        raise Damaged(f"damaged: tinytensor's part of the metadata is no JSON ({error})") from None
    if version is None or not isinstance(ours, dict) or ours.keys() != {"crc32", "tree"}:
        raise Damaged("damaged: tinytensor's part of the metadata is incomplete")
    return ours


def _built(tree: Any, tensors: dict[str, Tensor], arrays: dict[str, Array]) -> Any:
    """The plain data that a tree stands for."""
    if isinstance(tree, list):
        return [_built(item, tensors, arrays) for item in tree]
    if not isinstance(tree, dict):
        return tree
    (kind, content), = tree.items()
    if kind == "flat":
        return tensors
    if kind == "tensor":
        return tensors[content]
    if kind == "array":
        return arrays[content]
    if kind == "tuple":
        return tuple([_built(item, tensors, arrays) for item in content])
    if kind == "dict":
        return {_built(key, tensors, arrays): _built(value, tensors, arrays)
                for key, value in content}
    if kind == "float":
        return float(content)
    raise ValueError(f"unknown kind {kind!r}")
