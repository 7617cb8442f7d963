"""What all traces have in common: arrays as text, places with their source lines, layers."""

from __future__ import annotations

import base64
import linecache
import math
import os
import struct
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .origins import Place, Spot

LINES = 4  # of the program, before and after a line that is shown
LARGEST = 16_384  # elements of an array that are shown
ROOT = Path(__file__).parent.parent.parent
CODES = {"f8": "d", "f4": "f", "i4": "i", "i2": "h", "u1": "B"}  # of `struct`, for each type


def packed(numbers: Sequence[float], dtype: str) -> dict[str, str]:
    """Numbers as the page reads them: little-endian bytes in base64, so no digit is lost."""
    return _entry(struct.pack(f"<{len(numbers)}{CODES[dtype]}", *numbers), dtype)


def unpacked(entry: Mapping[str, str]) -> list[float]:
    """The numbers that `packed` has written."""
    content, code = base64.b64decode(entry["bytes"]), CODES[entry["type"]]
    return list(struct.unpack(f"<{len(content) // struct.calcsize(code)}{code}", content))


def _entry(content: bytes, dtype: str) -> dict[str, str]:
    return {"type": dtype, "bytes": base64.b64encode(content).decode()}


def packed_array(array: Any, largest: int = LARGEST) -> dict[str, Any]:
    """An array as the page reads it: the shape, the dtype and the numbers.

    Of an array of more than `largest` elements the leading ones of each dimension are shown.
    """
    shape = list(array.shape)
    while math.prod(shape) > largest:
        longest = shape.index(max(shape))
        shape[longest] = (shape[longest] + 1) // 2
    shown = array[tuple(slice(n) for n in shape)]
    kind = "f4" if array.dtype.name in ("float16", "float32") else \
        "u1" if array.dtype.kind == "b" else "f8"
    entry = {"shape": list(array.shape), "dtype": array.dtype.name,
             **_entry(shown.astype(f"<{kind}").tobytes(), kind)}
    if shape != list(array.shape):
        entry["shown"] = shape
    return entry


class Places:
    """The places of the steps of a trace: each once, with the lines of the program around it.

    A place in a trace is [spot, inner spot, layer, sample, call, function]. A spot is [file, line,
    first column, last column]; files and layers are numbers. -1 stands for none.
    """

    def __init__(self) -> None:
        self.places: dict[tuple[Any, ...], int] = {}
        self.layers: dict[tuple[Any, ...], int] = {}
        self.files: dict[str, int] = {}
        self.lines: list[set[int]] = []
        self.known: dict[Place, int] = {}

    def add(self, place: Place | None) -> int:
        """The number of a place; -1 for None."""
        if place is None:
            return -1
        if place not in self.known:
            layer = -1 if place.root is None else \
                self.layers.setdefault((*place.root, place.path), len(self.layers))
            entry = (self._spot(place.line), self._spot(place.inner), layer,
                     -1 if place.sample is None else place.sample, place.call, place.function)
            self.known[place] = self.places.setdefault(entry, len(self.places))
        return self.known[place]

    def _spot(self, spot: Spot | None) -> tuple[int, int, int, int]:
        if spot is None:
            return -1, 0, -1, -1
        if spot.file not in self.files:
            self.files[spot.file] = len(self.files)
            self.lines.append(set())
        number = self.files[spot.file]
        self.lines[number].add(spot.line)
        text = linecache.getline(spot.file, spot.line).encode()
        start, end = (len(text[:column].decode(errors="replace")) if column >= 0 else -1
                      for column in (spot.start, spot.end))
        return number, spot.line, start, end

    def written(self) -> dict[str, Any]:
        """The entries of the trace."""
        roots = list(dict.fromkeys(layer[:2] for layer in self.layers))
        titles = [title for _, title in roots]
        labels = {root: root[1] if titles.count(root[1]) == 1 else f"{root[1]} {i + 1}"
                  for i, root in enumerate(roots)}
        layers = []
        for number, title, path in self.layers:
            root = labels[number, title]
            layers.append(path or root if len(roots) == 1 else f"{root}.{path}".strip("."))
        outermost = [i for i, (*_, path) in enumerate(self.layers) if not path]
        return {"places": [list(place) for place in self.places], "layers": layers,
                "outermost": outermost[0] if len(roots) == 1 and outermost else -1,
                "files": [_source(name, lines)
                          for name, lines in zip(self.files, self.lines, strict=True)]}


def _source(name: str, lines: Iterable[int]) -> dict[str, Any]:
    """A file with those of its lines that are near `lines`."""
    text = linecache.getlines(name)
    near = {n for line in lines for n in range(line - LINES, line + LINES + 1)
            if 0 < n <= len(text)}
    return {"name": _short(name), "lines": {n: text[n - 1].rstrip("\n") for n in sorted(near)}}


def _short(name: str) -> str:
    """A file's name as a reader knows it."""
    if name.startswith("<") or "ipykernel" in name:
        return "cell" if "ipy" in name else name.strip("<>")
    for base in (ROOT, Path.cwd()):
        if name.startswith(f"{base}{os.sep}"):
            return Path(name).relative_to(base).as_posix()
    return Path(name).name
