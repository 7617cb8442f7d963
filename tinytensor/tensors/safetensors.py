"""The reader and the writer of the safetensors format, with limits for files from strangers.

The format is small and fixed, and saving must not need a package besides NumPy. The tests compare
this file with the safetensors library in both directions.

    8 bytes      the length of the header, little-endian
    header       JSON: {name: {"dtype", "shape", "data_offsets"}, ..., "__metadata__": {str: str}}
    the rest     the elements of all Tensors, one after the other, without gaps

Reading takes at most ten times the size of the file in memory, plus 64 MiB, and fails with a
`Damaged` that names the fault. Nothing is allocated by what a header announces: its values are
checked first, and data is read in pieces.
"""

from __future__ import annotations

import io
import json
import math
import os
import stat
import sys
from typing import Any, NamedTuple

import numpy

from ..arrays import dtypes

Array = numpy.ndarray[Any, Any]

HEADER_LIMIT = 100_000_000  # bytes, as in the safetensors library
MAX_DIMS = 64  # NumPy's limit
MAX_SIZE = 2**63 - 1
PIECE = 16 << 20  # bytes that one call reads
SMALL = 4096  # bytes: smaller Tensors are written together, up to this number of them
SPARE = 64 << 20  # bytes that the objects of any JSON text may take, however short it is
DTYPES = {"BOOL": "bool", "U8": "uint8", "I8": "int8", "I16": "int16", "I32": "int32",
          "I64": "int64", "F16": "float16", "F32": "float32", "F64": "float64"}
BFLOAT16 = "BF16"  # which needs the package ml_dtypes
ARRAY_DTYPES = {**DTYPES, "U16": "uint16", "U32": "uint32", "U64": "uint64"}  # of NumPy's arrays
NAMES = {numpy.dtype(d): name for name, d in ARRAY_DTYPES.items()}
NO_TENSORS = ARRAY_DTYPES.keys() - DTYPES.keys()  # dtypes of arrays that Tensors do not support

ZIP, PICKLE = b"PK\x03\x04", b"\x80"
OTHER_FORMATS = {  # first bytes of other formats in which weights are stored
    ZIP: "a zip archive, which torch.save and numpy.savez write",
    PICKLE: "a pickle",
    b"\x93NUMPY": "a NumPy file (tensor(numpy.load(...)) reads it)",
    b"\x1f\x8b": "gzipped",
    b"\x89HDF": "HDF5",
}
# First bytes, in lower case, of texts that come in place of weights, and what to do.
TEXTS = {
    b"version ": "a pointer of Git LFS, not the weights themselves: `git lfs pull` in the "
                 "repository fetches them",
    **dict.fromkeys((b"<!doctyp", b"<html", b"<head", b"<?xml"), (
        "a web page, not weights: download it again, with the link of the file itself (on GitHub "
        "and Hugging Face that of \"raw\" or \"download\"), and look into it if it stays one")),
}
ADVICE = ("load reads safetensors files, and those of torch.save from a path or from a file object "
          "that is seekable")


class Damaged(Exception):  # noqa: N818
    """The fault of a file."""


class Entry(NamedTuple):
    """A Tensor in the header; begin and end count bytes of the data."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


class Content(NamedTuple):
    """The content of a file."""

    arrays: dict[str, Array]
    metadata: dict[str, str]
    entries: dict[str, Entry]


def is_pytorch(file: Any) -> bool:
    """Whether a file may be one of PyTorch's, by its first bytes. It must be able to go back."""
    try:
        if not file.seekable():
            return False
        place = file.tell()
        start = file.read(9)
        file.seek(place)
    except (AttributeError, OSError):
        return False
    return isinstance(start, bytes) and (
        start.startswith(ZIP) or start.startswith(PICKLE) and start[8:] != b"{")  # safetensors


# ---------------------------------------------------------------- writing


def write(file: Any, arrays: dict[str, Array], metadata: dict[str, str]) -> None:
    """Writes a file. Tensors with larger elements come first, so that all are aligned.

    Raises:
        ValueError: a header that `read` would refuse.
    """
    order = sorted(arrays, key=lambda name: -arrays[name].itemsize)
    offsets, end = {}, 0
    for name in order:
        begin, end = end, end + arrays[name].nbytes
        offsets[name] = [begin, end]
    header: dict[str, Any] = {"__metadata__": metadata}
    for name, array in arrays.items():
        header[name] = {"dtype": name_of(array.dtype), "shape": list(array.shape),
                        "data_offsets": offsets[name]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > HEADER_LIMIT:
        raise ValueError(f"save: the names, shapes and plain data take {len(text)} bytes, but a "
                         f"safetensors header has at most {HEADER_LIMIT}; store large data as "
                         "Tensors")
    try:
        check_objects(text, ENTRY)
    except Damaged:
        raise ValueError(f"save: {len(arrays)} Tensors are too many small ones for one file; "
                         "stack() or cat() them") from None
    small: list[bytes | memoryview] = [len(text).to_bytes(8, "little"), text]
    for name in order:
        data = elements(arrays[name])
        if len(data) < SMALL and len(small) < SMALL:
            small.append(data)
            continue
        _write_all(file, b"".join(small))
        _write_all(file, data)
        small.clear()
    _write_all(file, b"".join(small))


def name_of(kind: numpy.dtype[Any]) -> str | None:
    """The format's name for a NumPy dtype, or None if it has none."""
    return BFLOAT16 if kind.name == "bfloat16" else NAMES.get(kind)


def elements(array: Array) -> memoryview:
    """The elements in C order, little-endian, for any strides."""
    if sys.byteorder != "little" or not array.flags.c_contiguous:
        array = array.astype(array.dtype.newbyteorder("<"), order="C", copy=False)
    return array.reshape(-1).view(numpy.uint8).data


def _write_all(file: Any, data: bytes | memoryview) -> None:
    """Writes all of the data: a raw file object may write less than it is given."""
    left = memoryview(data)
    while len(left):
        count = file.write(left)
        if count is None and isinstance(file, io.RawIOBase):
            raise BlockingIOError("save: the file object is not ready for writing; use one that "
                                  "blocks")
        left = left[len(left) if count is None else count:]


# ---------------------------------------------------------------- reading


def read(file: Any, size: int | None) -> Content:
    """Reads a file of `size` bytes; None is for a stream, whose size is not known.

    Raises:
        Damaged: not such a file, cut off, too long, or with a header that contradicts itself.
    """
    first = _take(file, 8)
    length = int.from_bytes(first, "little")
    follows = None if size is None else size - 8
    if len(first) < 8 or length > min(HEADER_LIMIT, length if follows is None else follows):
        raise Damaged(_foreign(first, length, follows))
    text = _take(file, length)
    if not text.startswith(b"{"):
        raise Damaged(_foreign(first + text[:8], length, follows))
    if len(text) < length:
        raise Damaged(f"cut off: it ends within its header of {length} bytes")
    header = parsed(bytes(text), "its header", ENTRY)
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise Damaged("damaged: the values of __metadata__ must be strings")
    entries = {name: _entry(name, given) for name, given in header.items()}
    del header, text
    _check_layout(entries, None if follows is None else follows - length)
    arrays = {name: _array(file, name, entry) for name, entry in in_file_order(entries)}
    if file.read(1):
        raise Damaged("damaged: bytes follow after the last Tensor")
    return Content({name: arrays[name] for name in entries}, metadata, entries)


def _take(file: Any, count: int) -> bytearray:
    """The next bytes of a file; fewer at its end. A raw file object may return them in parts."""
    data = bytearray()
    while len(data) < count:
        piece = file.read(min(count - len(data), PIECE))
        if isinstance(piece, str):
            raise TypeError("load: the file object is in text mode; open it with mode 'rb'")
        if not piece:
            break
        data += piece
    return data


def _foreign(first: bytes | bytearray, length: int, follows: int | None) -> str:
    """Describes a file that does not begin with a header and its length."""
    for magic, name in OTHER_FORMATS.items():
        if first.startswith(magic) and (len(magic) > 1 or length > HEADER_LIMIT):
            return f"not a safetensors file, but {name}. {ADVICE}"
    for start, what in TEXTS.items():
        if first.lower().startswith(start):
            return f"this is {what}"
    if len(first) < 8:
        return f"cut off, or not a safetensors file: it has only {len(first)} bytes"
    if length <= min(HEADER_LIMIT, length if follows is None else follows):
        return f"damaged, or not a safetensors file: no header follows its length. {ADVICE}"
    bound = f"{HEADER_LIMIT} are allowed" if follows is None or follows >= length \
        else f"{follows} follow"
    return (f"cut off, or not a safetensors file: its first 8 bytes announce a header of {length} "
            f"bytes, but {bound}. {ADVICE}")


# ---------------------------------------------------------------- JSON

class Costs(NamedTuple):
    """Bytes of Python's objects for each list and dict of a JSON text; see `VALUE`."""

    list: int
    dict: int


ENTRY = Costs(64, 704)  # in a header, with the Tensor that is made of each dict
VALUES = Costs(128, 320)  # in a structure, with the list or dict that is made of it
VALUE = 64  # what follows a comma
QUOTE, COMMA, BRACKET, BRACE = b'",[{'


def parsed(text: bytes, what: str, costs: Costs) -> Any:
    """The values of a JSON text.

    Raises:
        Damaged: not JSON, a name twice in an object, or more values than its length justifies.
    """
    try:
        check_objects(text, costs)
        return json.loads(text.decode(), object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        raise Damaged(f"damaged: {what} is not JSON ({shown(str(error))})") from None


def check_objects(text: bytes, costs: Costs) -> None:
    """Raises Damaged if the values of a JSON text would take far more memory than the text.

    `[],` is three bytes of text and a list of 64. Brackets and commas outside of strings are
    counted before anything is built.
    """
    if len(text) * max(costs) <= SPARE:
        return
    bare = text.replace(rb"\\", b"").replace(rb"\"", b"")
    lists = dicts = values = quotes = 0
    for start in range(0, len(bare), 1 << 16):
        codes = numpy.frombuffer(bare[start:start + (1 << 16)], numpy.uint8)
        counts = numpy.cumsum(codes == QUOTE) + quotes
        outside = counts % 2 == 0
        lists += int((outside & (codes == BRACKET)).sum())
        dicts += int((outside & (codes == BRACE)).sum())
        values += int((outside & (codes == COMMA)).sum())
        quotes = int(counts[-1]) % 2
    needed = lists * costs.list + dicts * costs.dict + values * VALUE
    if needed > 5 * len(text) + SPARE:
        raise Damaged(f"refused: {len(text)} bytes of JSON describe {lists} lists, {dicts} dicts "
                      f"and {values} values, which would take some {needed >> 20} MiB of memory")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) < len(pairs):
        raise ValueError("it has a name twice")
    return unique


def shown(text: str) -> str:
    """A text from a file for a message, cut to a readable length."""
    return text if len(text) <= 300 else f"{text[:300]}... ({len(text)} characters)"


# ---------------------------------------------------------------- the Tensors of a header


def _entry(name: str, given: Any) -> Entry:
    """A Tensor of the header.

    Raises:
        Damaged: a field is missing or wrong, or the fields contradict each other.
    """
    name = shown(name)
    if not isinstance(given, dict) or given.keys() != {"dtype", "shape", "data_offsets"}:
        raise Damaged(f"damaged: {name!r} must have dtype, shape and data_offsets")
    dtype, shape, offsets = given["dtype"], given["shape"], given["data_offsets"]
    if isinstance(shape, list) and len(shape) > MAX_DIMS:
        raise Damaged(f"damaged: {name!r} has {len(shape)} dims; NumPy allows {MAX_DIMS}")
    if not are_sizes(shape) or not are_sizes(offsets) or len(offsets) != 2:
        raise Damaged(f"damaged: {name!r} has the shape {shown(str(shape))} and the offsets "
                      f"{shown(str(offsets))}")
    if dtype not in (*ARRAY_DTYPES, BFLOAT16):
        raise no_tensor(name, shown(str(dtype)))
    begin, end = offsets
    size = 2 if dtype == BFLOAT16 else numpy.dtype(ARRAY_DTYPES[dtype]).itemsize
    needed = math.prod(shape) * size
    if end - begin != needed:
        raise Damaged(f"damaged: {name!r} of shape {shown(str(tuple(shape)))} and dtype {dtype} "
                      f"needs {shown(str(needed))} bytes, its offsets {offsets} span {end - begin}")
    return Entry(dtype, tuple(shape), begin, end)


def no_tensor(name: str, dtype: str) -> Damaged:
    supported = ", ".join((*DTYPES, BFLOAT16))
    return Damaged(f"{name!r} has the dtype {dtype}, which Tensors do not support; they support "
                   f"{supported}. Convert it in the program that wrote the file")


def are_sizes(values: object) -> bool:
    return isinstance(values, list) and all(
        type(v) is int and 0 <= v <= MAX_SIZE for v in values)


def in_file_order(entries: dict[str, Entry]) -> list[tuple[str, Entry]]:
    return sorted(entries.items(), key=lambda item: (item[1].begin, item[1].end))


def _check_layout(entries: dict[str, Entry], available: int | None) -> None:
    """Raises unless the Tensors fill the data up to the end, without gap or overlap."""
    place = 0
    for name, entry in in_file_order(entries):
        if entry.begin != place:
            kind = "overlaps another" if entry.begin < place else "leaves a gap before it"
            raise Damaged(f"damaged: {shown(name)!r}, at the offset {entry.begin}, {kind}")
        place = entry.end
    if available is not None and place > available:
        raise Damaged(f"cut off: its header announces {place} bytes of data, {available} follow")
    if available is not None and place < available:
        raise Damaged(f"damaged: {available - place} bytes follow after the last Tensor")


def _array(file: Any, name: str, entry: Entry) -> Array:
    """The elements of a Tensor, from the next bytes of the file."""
    raw = numpy.frombuffer(_take(file, entry.end - entry.begin), numpy.uint8)
    if raw.size != entry.end - entry.begin:
        raise Damaged(f"cut off: it ends within {shown(name)!r}")
    if entry.dtype == "BOOL" and raw.size and raw.max() > 1:
        raise Damaged(f"damaged: {shown(name)!r} has bools that are neither 0 nor 1")
    try:
        return _decoded(raw, entry).reshape(entry.shape)
    except (ValueError, OverflowError) as error:
        raise Damaged(f"{shown(name)!r} of shape {entry.shape}: {error}") from None


def _decoded(raw: Array, entry: Entry) -> Array:
    """The elements from their bytes."""
    if entry.dtype == BFLOAT16:
        return of_bfloat16(raw.view("<u2").astype(numpy.uint16, copy=False))
    dtype = numpy.dtype(ARRAY_DTYPES[entry.dtype])
    # The last view makes the dtype NumPy's singleton. Kernels compare dtypes by identity: with an
    # equal dtype the reference would run, whose rounding differs.
    return raw.view(dtype.newbyteorder("<")).astype(dtype, copy=False).view(dtype)


def of_bfloat16(bits: Array) -> Array:
    """bfloat16 from its bits, as uint16; float32, whose upper half they are, without ml_dtypes."""
    if dtypes.has_bfloat16():
        return bits.view(dtypes.bfloat16.numpy)
    return (bits.astype(numpy.uint32) << 16).view(numpy.float32)


def file_size(file: Any) -> int | None:
    """The size of a regular file; None for a FIFO, a device and other streams."""
    status = os.fstat(file.fileno())
    return status.st_size if stat.S_ISREG(status.st_mode) else None
