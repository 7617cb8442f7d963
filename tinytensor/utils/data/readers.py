"""Readers of data files: IDX (the format of MNIST), CSV, text."""

from __future__ import annotations

import io
import math
import os
import reprlib
import struct
import zlib
from array import array
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy

from ...arrays import dtypes
from ...tensors.creation import from_numpy, tensor
from ...tensors.tensor import Tensor

Bytes: TypeAlias = bytes | bytearray

MAX_DIMS = 64  # NumPy's limit
GZIP = b"\x1f\x8b"
# A gzipped file may decompress to this many times its size, but always to SPARE bytes. Data sets
# compress to a third or a tenth; 1,000 times is a file made to fill the memory.
RATIO, SPARE = 100, 16 << 20
PIECE = 1 << 20  # bytes or characters that are handled at once
IDX_HEADER = 4 + 4 * 255  # bytes at most
IDX_DTYPES = {0x08: "uint8", 0x09: "int8", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(path: str | os.PathLike[str]) -> Tensor:
    """Reads an IDX file, the format of MNIST, gzipped or not, as a Tensor.

    The format: two zero bytes, a byte for the dtype, a byte for the number of dims, four bytes for
    each size, the elements. Numbers are big-endian.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: another format, a file that is cut off or too long, or a gzipped one that
            decompresses to more than 100 times its size and 16 MiB.
    """
    content = _read(path, "an IDX file", _idx_size)
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in IDX_DTYPES:
        raise ValueError(f"{path}: expected an IDX file, which begins with 00 00 and a dtype from "
                         f"08 to 0e; this one begins with {content[:4].hex(' ') or 'nothing'}")
    dtype, dims = numpy.dtype(IDX_DTYPES[content[2]]), content[3]
    header = 4 + 4 * dims
    if len(content) < header:
        raise ValueError(f"{path}: an IDX file of {dims} dims has a header of {header} bytes, but "
                         f"this file ends after {len(content)}: it is cut off")
    if dims > MAX_DIMS:
        raise ValueError(f"{path}: an IDX file of {dims} dims; NumPy allows {MAX_DIMS}")
    shape = struct.unpack(f">{dims}I", content[4:header])
    expected = header + math.prod(shape) * dtype.itemsize
    if len(content) != expected:
        fault = "it is cut off" if len(content) < expected else "something follows it"
        raise ValueError(f"{path}: an IDX file of shape {shape} has {expected} bytes, this one "
                         f"{len(content)}: {fault}")
    elements = numpy.frombuffer(content, dtype, offset=header).reshape(shape)
    return from_numpy(elements.astype(dtype.newbyteorder("=")))


def read_csv(path: str | os.PathLike[str], header: bool = False, delimiter: str = ",",
             dtype: Any = None) -> Any:
    """Reads the numbers of a CSV file: a Tensor (rows, columns), or with `header` (names, Tensor).

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: no rows, rows of different lengths, or a cell that is not a number; the message
            names the line.
    """
    import csv

    text = _text(path, "utf-8-sig", "CSV")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    numbers, width = array("d"), 0  # of all rows; Python's floats would take four times as much
    names: list[str] | None = None
    try:
        for cells in reader:
            if not cells:
                continue
            if header and names is None:
                names = [cell.strip() for cell in cells]
                width = len(names)
                continue
            width = width or len(cells)
            if len(cells) != width:
                raise ValueError(f"{path}, line {reader.line_num}: expected {width} columns, found "
                                 f"{len(cells)}")
            numbers.extend(_number(cell, path, reader.line_num) for cell in cells)
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num}: expected CSV: {error}") from None
    if not numbers:
        raise ValueError(f"{path}: expected rows of numbers, found none")
    rows = numpy.frombuffer(numbers).reshape(-1, width)
    values = tensor(rows, dtype=dtypes.get_default_dtype() if dtype is None else dtype)
    return (names, values) if header else values


def _number(cell: str, path: Any, line: int) -> float:
    try:
        return float(cell)
    except ValueError:
        hint = "; pass header=True if the first line has names" if line == 1 else ""
        raise ValueError(f"{path}, line {line}: expected a number, found "
                         f"{reprlib.repr(cell)}{hint}") from None


def read_text(path: str | os.PathLike[str], characters: str | None = None) -> tuple[Tensor, str]:
    """Reads a text as indices into its sorted characters: (indices (length,) int64, characters).

    `"".join(characters[i] for i in indices)` is the text.

    Args:
        characters: those of another text, to encode both in the same way.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: not UTF-8, empty, or a character that is not in `characters`.
    """
    text = _text(path, "utf-8", "text")
    if not text:
        raise ValueError(f"{path}: expected text, the file is empty")
    known = "".join(sorted(set(text))) if characters is None else characters
    alphabet = numpy.frombuffer(known.encode("utf-32-le"), numpy.uint32)
    order = numpy.argsort(alphabet, kind="stable")
    indices = numpy.empty(len(text), numpy.int64)
    for start in range(0, len(text), PIECE):  # the codes of all would take as much as the result
        codes = numpy.frombuffer(text[start:start + PIECE].encode("utf-32-le"), numpy.uint32)
        places = numpy.searchsorted(alphabet[order], codes)
        known_codes = places < len(alphabet)
        known_codes[known_codes] = alphabet[order][places[known_codes]] == codes[known_codes]
        if not known_codes.all():
            first = start + int(numpy.argmin(known_codes))
            raise ValueError(f"{path}: expected the characters {known!r}, found {text[first]!r} at "
                             f"position {first}")
        indices[start:start + PIECE] = order[places]
    return from_numpy(indices), known


def _text(path: Any, encoding: str, expected: str) -> str:
    try:
        return _read(path, expected).decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: expected {expected} in UTF-8, found the byte "
                         f"{error.object[error.start]:02x} at position {error.start}") from None


def _read(path: Any, expected: str, size_of: Callable[[Bytes], int] | None = None) -> Bytes:
    """The bytes of a file, decompressed if it is gzipped.

    `size_of` tells from the first bytes how many there should be; little more is read.

    Raises:
        FileNotFoundError, IsADirectoryError, PermissionError: the file cannot be read.
        ValueError: the gzipped data is damaged, or far larger than the file.
    """
    import gzip

    try:
        with open(path, "rb") as file:
            if file.read(2) != GZIP:
                file.seek(0)
                return file.read()
            limit = max(SPARE, RATIO * os.fstat(file.fileno()).st_size)
            file.seek(0)
            with gzip.open(file) as unpacked:
                content = bytearray(unpacked.read(IDX_HEADER) if size_of else b"")
                wanted = limit if size_of is None else min(limit, size_of(content))
                while len(content) <= wanted and (piece := unpacked.read(PIECE)):
                    content += piece
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{path}: expected gzipped data, but it is damaged or cut off: "
                         f"{error}") from None
    except OSError as error:
        raise type(error)(f"{path}: expected {expected}: {error.strerror}") from None
    if len(content) > limit:
        raise ValueError(f"{path}: refused: its gzipped data is more than {RATIO} times as large "
                         f"as the file, and more than {SPARE >> 20} MiB. If you trust the file, "
                         "decompress it with gunzip first")
    return content


def _idx_size(start: Bytes) -> int:
    """The size in bytes of an IDX file by its first bytes; that of these if they are not IDX."""
    if len(start) < 4 or start[2] not in IDX_DTYPES or len(start) < 4 + 4 * start[3]:
        return len(start)
    sizes = struct.unpack_from(f">{start[3]}I", start, 4)
    return 4 + 4 * start[3] + math.prod(sizes) * numpy.dtype(IDX_DTYPES[start[2]]).itemsize
