"""save and load: Tensors and plain data in safetensors files. Nothing is unpickled.

This file has its own reader and writer of the format, which is small and fixed: saving must not
need a package besides NumPy. The tests compare it with the safetensors library in both directions.

    8 bytes      the length of the header, little-endian
    header       JSON: {name: {"dtype", "shape", "data_offsets"}, ..., "__metadata__": {str: str}}
    the rest     the elements of all Tensors, one after the other, without gaps

A flat dict of Tensors is saved in this format directly. For nested data and tied Tensors, the entry
"tinytensor" of the metadata holds the structure as JSON. Other programs see all Tensors, each under
its path, such as "model.0.weight".
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
NO_TENSORS = ARRAY_DTYPES.keys() - DTYPES.keys()  # dtypes of arrays that Tensors do not support
BFLOAT16 = "BF16"

OTHER_FORMATS = {  # first bytes of other formats in which weights are stored
    b"PK\x03\x04": "a zip archive, which torch.save and numpy.savez write",
    b"\x80": "a pickle",
    b"\x93NUMPY": "a NumPy file (tensor(numpy.load(...)) reads it)",
    b"\x1f\x8b": "gzipped",
    b"\x89HDF": "HDF5",
}
ADVICE = ("load reads safetensors files only, as a pickle can run any code. In PyTorch write: "
          "safetensors.torch.save_file(model.state_dict(), 'model.safetensors')")


def save(obj: Any, f: str | os.PathLike[str] | BinaryIO, pickle_module: Any = None,
         pickle_protocol: int | None = None,
         _use_new_zipfile_serialization: bool = True) -> None:
    """Writes Tensors and plain data to a safetensors file, or to a file object.

    `obj` is a state_dict, or nested dicts, lists and tuples of Tensors, NumPy arrays, numbers,
    strings, bools and None. Only the values of Tensors are saved: `load` returns leaves that do not
    require grad. Tensors that share their whole memory are stored once and tied again by `load`.
    NumPy scalars become Python numbers.

    The other arguments, which concern PyTorch's own format, are ignored.

    The file is replaced atomically, after all of the new one is on the disk. After an error or a
    crash an earlier file is unchanged.

    Raises:
        TypeError: an object of another type; the message names its path.
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
    """Reads a file of `save`; or of another program, as a dict of its Tensors.

    Tied weights, which `safetensors.torch.save_model` stores once, are returned under all their
    names. bfloat16, which NumPy lacks, becomes float32, with a warning.

    Args:
        map_location: the device of the Tensors, by default the CPU.
        weights_only: ignored: nothing in a file is ever executed.
        pickle_module, mmap, encoding: ignored; they concern PyTorch's own format.

    Raises:
        OSError: the file does not exist or cannot be read.
        RuntimeError: not a safetensors file, or a damaged one; the message names file and fault.
            Changed values are detected in files that `save` has written.
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
            raise Damaged("damaged: the checksum of the content differs from the saved one")
        tensors = {key: tensor_of(to_device(array, where), None)
                   for key, array in arrays.items() if entries[key].dtype not in NO_TENSORS}
        if ours is None or ours["tree"] == FLAT:
            _check_dtypes(entries)
        if ours is None:
            # `safetensors.torch.save_model` keeps the names of tied weights in the metadata.
            return tensors | {tied: tensors[kept] for tied, kept in metadata.items()
                              if kept in tensors and tied not in tensors}
        try:
            return _built(ours["tree"], tensors, arrays)
        except (LookupError, TypeError, ValueError, RecursionError) as error:
            raise Damaged(f"damaged: its structure cannot be read ({error!r})") from None
    except Damaged as fault:
        raise RuntimeError(f"load: {name}: {fault}") from None


class Damaged(Exception):  # noqa: N818
    """The fault of a file."""


# ---------------------------------------------------------------- the format


class Entry(NamedTuple):
    """A Tensor in the header; begin and end count bytes of the data."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


class Packed(NamedTuple):
    """The content of a file."""

    arrays: dict[str, Array]
    metadata: dict[str, str]


def _write(file: Any, packed: Packed) -> None:
    """Writes the file. Tensors with larger elements come first, so that all are aligned."""
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
        raise ValueError(f"save: the names, shapes and plain data take {len(text)} bytes, but a "
                         f"safetensors header has at most {HEADER_LIMIT}; store large data as "
                         "Tensors")
    file.write(len(text).to_bytes(8, "little"))
    file.write(text)
    for name in order:
        file.write(_bytes(arrays[name]))


def _bytes(array: Array) -> Any:
    """The elements in C order, little-endian, for any strides."""
    little = array.astype(array.dtype.newbyteorder("<"), order="C", copy=False)
    return little.reshape(-1).view(numpy.uint8).data


def _read_header(file: BinaryIO) -> tuple[dict[str, Entry], dict[str, str], int]:
    """Reads and checks the header: the Tensors, the metadata, the position of the data."""
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
        raise Damaged(f"damaged: its header is not JSON ({error})") from None
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise Damaged("damaged: the values of __metadata__ must be strings")
    entries = {name: _entry(name, given) for name, given in header.items()}
    _check_layout(entries, size - 8 - length)
    return entries, metadata, start + 8 + length


def _foreign(first: bytes, size: int, length: int) -> str:
    """Describes a file that does not begin with a header and its length."""
    for magic, name in OTHER_FORMATS.items():
        if first.startswith(magic) and (len(magic) > 1 or length > HEADER_LIMIT):
            return f"not a safetensors file, but {name}. {ADVICE}"
    if len(first) < 8:
        return f"cut off, or not a safetensors file: it has only {size} bytes"
    if length <= min(HEADER_LIMIT, size - 8):
        return f"damaged, or not a safetensors file: no header follows its length. {ADVICE}"
    return (f"cut off, or not a safetensors file: its first 8 bytes announce a header of {length} "
            f"bytes, but {size - 8} follow. {ADVICE}")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) < len(pairs):
        raise ValueError("it has a name twice")
    return unique


def _entry(name: str, given: Any) -> Entry:
    """A Tensor of the header.

    Raises:
        Damaged: a field is missing or wrong, or the fields contradict each other.
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
    """Raises if an entry cannot be a Tensor."""
    for name, entry in entries.items():
        if entry.dtype in NO_TENSORS:
            raise _no_tensor(name, entry.dtype)


def _no_tensor(name: str, dtype: str) -> Damaged:
    return Damaged(f"{name!r} has the dtype {dtype}, which Tensors do not support; they support "
                   f"{', '.join(DTYPES)}. Convert it in the program that wrote the file")


def _are_sizes(values: object) -> bool:
    return isinstance(values, list) and all(type(v) is int and v >= 0 for v in values)


def _check_layout(entries: dict[str, Entry], available: int) -> None:
    """Raises unless the Tensors fill the data up to the end, without gap or overlap."""
    place = 0
    for name, entry in sorted(entries.items(), key=lambda item: (item[1].begin, item[1].end)):
        if entry.begin != place:
            kind = "overlaps another" if entry.begin < place else "leaves a gap before it"
            raise Damaged(f"damaged: {name!r}, at the offset {entry.begin}, {kind}")
        place = entry.end
    if place > available:
        raise Damaged(f"cut off: its header announces {place} bytes of data, {available} follow")
    if place < available:
        raise Damaged(f"damaged: {available - place} bytes follow after the last Tensor")


def _read_arrays(file: BinaryIO, entries: dict[str, Entry], start: int,
                 file_name: str) -> dict[str, Array]:
    arrays = {}
    for name, entry in entries.items():
        file.seek(start + entry.begin)
        raw = numpy.frombuffer(bytearray(file.read(entry.end - entry.begin)), numpy.uint8)
        if raw.size != entry.end - entry.begin:
            raise Damaged(f"cut off: it ends within {name!r}")
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
    """The elements from their bytes. A bfloat16 is the upper half of a float32."""
    if entry.dtype == BFLOAT16:
        return (raw.view("<u2").astype(numpy.uint32) << 16).view(numpy.float32)
    dtype = numpy.dtype(ARRAY_DTYPES[entry.dtype])
    # The last view makes the dtype NumPy's singleton. Kernels compare dtypes by identity: with an
    # equal dtype the reference would run, whose rounding differs.
    return raw.view(dtype.newbyteorder("<")).astype(dtype, copy=False).view(dtype)


@contextlib.contextmanager
def _replacing(path: str) -> Iterator[BinaryIO]:
    """A temporary file that replaces `path` if the block succeeds, and is removed otherwise."""
    folder, name = os.path.split(path)
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"save: the folder {folder!r} for the file {name!r} does not exist")
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


# ---------------------------------------------------------------- nested data


# The tree is the structure of the data as JSON. None, bools, ints, finite floats, strings and lists
# are themselves; everything else is an object with one key:
#   {"tensor": name}   {"array": name}   {"tuple": [...]}   {"dict": [[key, value], ...]}
#   {"float": "nan"}
# The tree of a flat dict of Tensors is FLAT: the header has all of it.
FLAT = {"flat": True}


def _pack(obj: Any) -> Packed:
    """The Tensors in `obj` by name, and the metadata: the tree and a checksum."""
    packer = _Packer()
    tree = packer.tree(obj, ())
    if _is_flat(obj, packer.tensors):
        tree = FLAT
    arrays = {name: to_numpy(t._array) for name, t in packer.tensors.items()}
    ours = {"crc32": _checksum(arrays, tree), "tree": tree}
    return Packed(arrays, {"format": "pt", "tinytensor.version": VERSION,
                           "tinytensor": json.dumps(ours, separators=(",", ":"))})


def _is_flat(obj: Any, tensors: dict[str, Tensor]) -> bool:
    """Whether `obj` is a dict of just these Tensors under these names."""
    return isinstance(obj, dict) and list(obj) == list(tensors) and all(
        obj[name] is tensors[name] for name in tensors)


class _Packer:
    """Builds the tree of nested data and collects its Tensors."""

    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {}
        self.names: dict[Any, str] = {}  # the name of a Tensor by its memory
        self.around: set[int] = set()  # ids of the enclosing containers

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
        """The name of a Tensor: its path, or the name of an earlier Tensor with its memory."""
        array = tensor._array
        if array.dtype not in NAMES:
            raise TypeError(f"save: {_place(path)} has the dtype {array.dtype}, which the "
                            "safetensors format does not support")
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
    """What to save in place of an object of another type."""
    if hasattr(obj, "state_dict"):
        return "Save its state_dict(), and load it with load_state_dict()"
    return ("A file holds Tensors, NumPy arrays, numbers, strings, bools, None, and dicts, lists "
            "and tuples of them: save its attributes, and create it anew after loading")


def _checksum(arrays: dict[str, Array], tree: Any) -> int:
    """The CRC-32 of the content, independent of the order in the file."""
    total = zlib.crc32(json.dumps(tree, separators=(",", ":")).encode())
    for name in sorted(arrays):
        array = arrays[name]
        total = zlib.crc32(f"{name} {NAMES[array.dtype]} {array.shape}".encode(
            errors="surrogatepass"), total)
        total = zlib.crc32(_bytes(array), total)
    return total


def _our_metadata(metadata: dict[str, str]) -> dict[str, Any] | None:
    """The metadata of `save`; None for a file of another program."""
    version, text = metadata.get("tinytensor.version"), metadata.get("tinytensor")
    if version is None and text is None:
        return None
    if version is not None and version != VERSION:
        raise Damaged(f"saved in version {version!r} of tinytensor's file format; this program "
                      f"reads version {VERSION!r}")
    try:
        ours = json.loads(text or "", object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        raise Damaged(f"damaged: tinytensor's part of the metadata is not JSON ({error})") from None
    if version is None or not isinstance(ours, dict) or ours.keys() != {"crc32", "tree"}:
        raise Damaged("damaged: tinytensor's part of the metadata is incomplete")
    return ours


def _built(tree: Any, tensors: dict[str, Tensor], arrays: dict[str, Array]) -> Any:
    """The data of a tree."""
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
