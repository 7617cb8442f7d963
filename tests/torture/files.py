"""Damaged and malicious files for every reader, and processes that are killed while they save.

A reader may return a result or raise one of its documented errors. It may not raise other errors,
crash, or exceed its limits of memory and time. `tests/test_file_limits.py` reads a few hundred of
these files.
"""

from __future__ import annotations

import collections
import gzip
import io
import json
import os
import random
import signal
import struct
import sys
import tempfile
import time
import tracemalloc
import warnings
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy

import tinytensor
from tinytensor.utils import data, resume

files = sys.modules["tinytensor.tensors.files"]
safetensors = sys.modules["tinytensor.tensors.safetensors"]

TIMES = 10  # memory limit of a reader, in multiples of the file size
SPARE = 1 << 20  # additional bytes for small files; also replaces the reader's own SPARE
SECONDS = 1.0  # time limit per megabyte
SLACK = 0.5  # additional seconds for small files, on a busy machine


class Case(NamedTuple):
    """A file, and the function that reads it."""

    kind: str
    content: bytes
    read: Callable[[Path], Any]
    errors: tuple[type[Exception], ...]


# ---------------------------------------------------------------- valid files


def saved(obj: Any) -> bytes:
    file = io.BytesIO()
    tinytensor.save(obj, file)
    return file.getvalue()


def packed(header: Any, content: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + content


def sound_files() -> list[bytes]:
    tinytensor.manual_seed(0)
    model = tinytensor.nn.Sequential(tinytensor.nn.Linear(3, 4), tinytensor.nn.BatchNorm1d(4))
    x = tinytensor.arange(12.0).reshape(3, 4)
    checkpoint = {"model": model.state_dict(), "random": resume.RandomState().state_dict(),
                  "nested": [(1, 2.5, None, "text"), {"a": [x, x[1], x.t()], 3: float("inf")}]}
    array = numpy.arange(6, dtype=numpy.float16)
    other = {"x": {"dtype": "F16", "shape": [2, 3], "data_offsets": [0, 12]},
             "y": {"dtype": "BF16", "shape": [2], "data_offsets": [12, 16]},
             "__metadata__": {"format": "pt"}}
    return [saved(model.state_dict()), saved(checkpoint), saved([1, [2, {"a": (3,)}]]),
            packed(other, array.tobytes() + b"\x80\x3f\0\0")]


# ---------------------------------------------------------------- damage


def damaged(rng: random.Random, sound: list[bytes]) -> bytes:
    """A valid file with a few random changes."""
    content = bytearray(rng.choice(sound))
    for _ in range(rng.choice([1, 1, 1, 2, 5])):
        place = rng.randrange(len(content) + 1)
        match rng.randrange(7):
            case 0:
                content[place:place + 1] = bytes([rng.randrange(256)])
            case 1 if place < len(content):
                content[place] ^= 1 << rng.randrange(8)
            case 2:
                del content[place:]
            case 3:
                del content[place:place + rng.randrange(1, 30)]
            case 4:
                content[place:place] = rng.randbytes(rng.randrange(1, 30))
            case 5:
                content[:8] = rng.choice([0, 1, 7, len(content), 2**63, rng.getrandbits(40)]
                                         ).to_bytes(8, "little")
            case _:
                other = rng.choice(sound)
                content[place:] = other[rng.randrange(len(other)):]
    return bytes(content)


def number(rng: random.Random) -> Any:
    return rng.choice([0, 1, 2, 3, 4, 8, -1, 2**31, 2**62, 2**63, 2**64, 10**400, 1.5, 1e308,
                       True, None, "1"])


def value(rng: random.Random, depth: int = 0) -> Any:
    """Random JSON."""
    if depth > 4 or rng.random() < 0.4:
        return number(rng) if rng.random() < 0.7 else rng.choice(
            ["F32", "x", "", "tensor", "\ud800", "\N{GRINNING FACE}", "a" * 300])
    if rng.random() < 0.5:
        return [value(rng, depth + 1) for _ in range(rng.randrange(5))]
    return {str(value(rng, 9)): value(rng, depth + 1) for _ in range(rng.randrange(4))}


def random_header(rng: random.Random) -> bytes:
    """A header with almost valid entries and some random fields."""
    header: dict[str, Any] = {}
    end = 0
    for _ in range(rng.randrange(6)):
        shape = [rng.choice([0, 1, 2, 3]) for _ in range(rng.choice([0, 1, 2, 3, 70]))]
        size = 4 * int(numpy.prod(shape, dtype=object)) if len(shape) < 10 else 0
        entry: dict[str, Any] = {"dtype": rng.choice(["F32", "I32"]), "shape": shape,
                                 "data_offsets": [end, end + size]}
        end += size
        if rng.random() < 0.4:
            entry[rng.choice(list(entry))] = value(rng)
        if rng.random() < 0.1:
            entry["shape"] = [number(rng) for _ in range(rng.choice([2, 63, 1000]))]
        header[rng.choice(["a", "b", "c.d", "__metadata__", ""]) + str(rng.randrange(4))] = entry
    if rng.random() < 0.3:
        header["__metadata__"] = value(rng)
    return packed(header, rng.randbytes(end))


def random_structure(rng: random.Random) -> bytes:
    """A random structure of version 2, with the right checksum."""
    array = numpy.zeros(16, numpy.uint8)
    kinds = ["tensor", "leaf", "parameter", "array", "tuple", "dict", "ordered", "flat", "float",
             "flat ordered", "what"]

    def tree(depth: int = 0) -> Any:
        if depth > 3 or rng.random() < 0.2:
            return rng.choice(["x", ["x", True], ["x", None], value(rng, 3)])
        if rng.random() < 0.2:
            return [tree(depth + 1) for _ in range(rng.randrange(4))]
        return {rng.choice(kinds): tree(depth + 1)}

    def members() -> Any:
        return [[rng.choice(["x", "x", "y", 3]), rng.choice([0, 1, 15, 16, number(rng)]),
                 rng.choice([[1], [0], [-1], [2], [], [number(rng)], [1, 1]])]
                for _ in range(rng.randrange(1, 3))]

    shared = [[rng.choice([16, 32, 10**9, number(rng)]), members()]
              for _ in range(rng.choice([0, 0, 1, 2]))]
    text = json.dumps({"tree": tree(), "shared": shared if rng.random() < 0.9 else value(rng),
                       "devices": rng.choice([{}, {}, {"x": "cuda:0"}, value(rng)])})
    return packed({"__metadata__": {
        "tinytensor.version": "2", "tinytensor": text,
        "tinytensor.crc32": str(files._checksum({"x": array}, text))},
        "x": {"dtype": "U8", "shape": [16], "data_offsets": [0, 16]}}, array.tobytes())


def dense_text(rng: random.Random) -> bytes:
    """Up to 300 kilobytes of JSON that describe as many objects as possible."""
    piece = rng.choice([b"[],", b"[[],[]],", b'{"a":[]},', b"1,", b'"a",', b"{},", b'"[[[",',
                        b'"\\"[",'])
    text = b'{"x":[' + piece * (rng.randrange(1, 300_000) // len(piece)) + b"0]}"
    if rng.random() < 0.3:
        text = b'{"x":' + b"[" * rng.randrange(1, 300_000)
    if rng.random() < 0.5:
        return packed(text)
    return packed({"__metadata__": {"tinytensor.version": "2", "tinytensor": text.decode()}})


def idx_file(rng: random.Random) -> bytes:
    dims = rng.choice([0, 1, 2, 3, 65, 255])
    sizes = [rng.choice([0, 1, 2, 5, 2**31, 2**32 - 1]) for _ in range(dims)]
    return (bytes([0, rng.choice([0, 0, 0, 1]), rng.choice([8, 9, 11, 14, 0, 255]), dims])
            + struct.pack(f">{dims}I", *sizes) + rng.randbytes(rng.randrange(60)))


def compressed(rng: random.Random, content: bytes) -> bytes:
    """The gzipped content, sometimes with many zeros appended, sometimes damaged."""
    result = gzip.compress(content + bytes(rng.choice([0, 0, 0, 10**5, 10**6])), mtime=0)
    return damaged(rng, [result]) if rng.random() < 0.5 else result


def read_state(path: Path) -> None:
    """Restores the states of generators from a file, and draws from them."""
    states = json.loads(path.read_text())
    for state, generator in ((states["MT19937"], numpy.random.MT19937(0)),
                             (states["Philox"], numpy.random.Philox(0)),
                             (states["PCG64"], numpy.random.PCG64(0))):
        tinytensor.random.set_numpy_state(generator, state)
        numpy.random.Generator(generator).standard_normal(1000)


def random_state(rng: random.Random) -> bytes:
    """The states of NumPy's bit generators with one value replaced."""
    states = {name: resume._plain(getattr(numpy.random, name)(1).state)
              for name in ("MT19937", "Philox", "PCG64")}
    part = states[rng.choice(list(states))]
    if rng.random() < 0.7:
        part = part["state"] if rng.random() < 0.6 else part
    part[rng.choice(list(part))] = rng.choice([number(rng), value(rng), -5, 625, 10**6, 10**8,
                                          10**9, -10**9])
    return json.dumps(states).encode()


# ---------------------------------------------------------------- one file


LOAD = (tinytensor.load, (RuntimeError,))
IDX, TEXT, CSV, STATE = ((reader, (ValueError,)) for reader in (
    data.read_idx, data.read_text, data.read_csv, read_state))


def cases(seed: int) -> Iterator[Case]:
    """An endless series of files."""
    rng, sound = random.Random(seed), sound_files()
    while True:
        yield Case("damaged", damaged(rng, sound), *LOAD)
        yield Case("header", random_header(rng), *LOAD)
        yield Case("structure", random_structure(rng), *LOAD)
        yield Case("idx", idx_file(rng), *IDX)
        yield Case("idx.gz", compressed(rng, idx_file(rng)), *IDX)
        yield Case("state", random_state(rng), *STATE)
        if rng.random() < 0.1:
            yield Case("text.gz", compressed(rng, b"abc\n" * rng.randrange(100)), *TEXT)
            yield Case("csv.gz", compressed(rng, b"1,2\n" * rng.randrange(100)), *CSV)
            yield Case("dense", dense_text(rng), *LOAD)


def fault(case: Case, path: Path) -> str | None:
    """Describes what went wrong when reading a file, or None."""
    path.write_bytes(case.content)
    size, result = len(case.content), None
    # Gzipped files may take more, since the readers allow 16 MiB of decompressed data.
    bound = TIMES * (size + (16 << 20 if case.kind.endswith("gz") else 0)) + 2 * SPARE
    tracemalloc.start()
    start = time.process_time()
    try:
        with warnings.catch_warnings(), mock.patch.object(safetensors, "SPARE", SPARE):
            warnings.simplefilter("ignore")
            case.read(path)
    except case.errors as error:
        if len(str(error)) > 3000:
            result = f"a message of {len(str(error))} characters"
    except Exception as error:
        result = f"{type(error).__name__}: {error}"
    seconds, (_, peak) = time.process_time() - start, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    if peak > bound:
        result = f"took {peak} bytes for a file of {size}"
    if seconds > SECONDS * size / 1e6 + SLACK:
        result = f"took {seconds:.1f} s for a file of {size} bytes"
    return result and f"{case.kind}: {result}"


# ---------------------------------------------------------------- killed processes


def contents() -> list[Any]:
    """The objects that the processes save in turn."""
    return [{"w": tinytensor.full((n,), float(n)), "n": n} for n in (3, 20_000)]


def is_whole(path: Path) -> bool:
    loaded = tinytensor.load(path)
    return bool(loaded["w"].shape == (loaded["n"],) and (loaded["w"] == loaded["n"]).all())


def forked(work: Callable[[], None]) -> int:
    """Forks a process that repeats `work` until it is killed. Returns its id."""
    child = os.fork()
    if child:
        return child
    try:
        while True:
            work()
    finally:
        os._exit(1)


def kill(child: int) -> None:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def killed_once(folder: Path, rng: random.Random) -> str | None:
    """Kills two processes that save to one file at a random moment. Describes any failure."""
    path, both = folder / "f.safetensors", contents()
    tinytensor.save(both[0], path)
    children = [forked(lambda: [tinytensor.save(obj, path) for obj in both]) for _ in range(2)]
    try:
        time.sleep(rng.uniform(0, 0.03))
        if not is_whole(path):
            return "a file is read that is not whole"
    finally:
        for child in children:
            kill(child)
    if not is_whole(path):
        return "a file is left that is not whole"
    tinytensor.save(both[0], path)
    left = sorted(os.listdir(folder))
    return None if left == [path.name] else f"files are left: {left}"


# ---------------------------------------------------------------- a long run


def run(minutes: float) -> int:
    """Reads damaged files for 90 % of the time, and kills processes for the rest."""
    seed = random.SystemRandom().randrange(2**32)
    failures: list[str] = []
    counts = collections.Counter[str]()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        end = time.monotonic() + 54 * minutes
        for case in cases(seed):
            if time.monotonic() > end:
                break
            counts[case.kind] += 1
            wrong = fault(case, folder / "case")
            if wrong:
                kept = Path(tempfile.gettempdir()) / f"torture-{zlib.crc32(case.content):08x}"
                kept.write_bytes(case.content)
                failures.append(f"{wrong} ({kept})")
                print(failures[-1], flush=True)
        (folder / "case").unlink()
        rng, end = random.Random(seed), time.monotonic() + 6 * minutes
        while time.monotonic() < end:
            counts["kills"] += 2
            wrong = killed_once(folder, rng)
            if wrong:
                failures.append(wrong)
                print(wrong, flush=True)
    print(f"seed {seed}: " + ", ".join(f"{n} {kind}" for kind, n in counts.items()))
    return len(failures)
