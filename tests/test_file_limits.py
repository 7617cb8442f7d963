"""Untrusted files: a few hundred damaged ones, and files made to exhaust memory.

    python -m tests.torture files --minutes 30
"""

from __future__ import annotations

import copy
import gzip
import io
import itertools
import json
import random
import struct
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy
import pytest

import tinytensor
from tests.torture import files as torture
from tinytensor.tensors import safetensors
from tinytensor.utils import data, resume


@pytest.mark.parametrize("seed", range(3))
def test_damaged_files(seed: int, tmp_path: Path) -> None:
    faults = [torture.fault(case, tmp_path / "f")
              for case in itertools.islice(torture.cases(seed), 150)]
    assert [fault for fault in faults if fault] == []


def test_damage_is_of_all_kinds() -> None:
    """Some damaged files are read, and the others are refused for many different reasons."""
    reasons, read = set(), 0
    for content in (torture.random_structure(random.Random(i)) for i in range(150)):
        try:
            tinytensor.load(io.BytesIO(content))
            read += 1
        except RuntimeError as error:
            reasons.add(str(error))
    assert read > 5 and len(reasons) > 20


def test_a_fault_is_noticed(tmp_path: Path, monkeypatch: Any) -> None:
    """`torture.fault` reports undocumented errors, too much memory and too much time."""
    def case(read: Any) -> Any:
        return torture.Case("kind", b"content", read, (RuntimeError,))

    def wrong(path: Path) -> None:
        raise KeyError("x")

    assert torture.fault(case(wrong), tmp_path / "f") == "kind: KeyError: 'x'"
    assert "bytes for a file of 7" in (torture.fault(case(lambda path: bytes(10**7)),
                                                     tmp_path / "f") or "")
    monkeypatch.setattr(torture, "SLACK", 0)
    assert "s for a file of 7" in (torture.fault(case(
        lambda path: sum(range(10_000))), tmp_path / "f") or "")
    monkeypatch.undo()
    assert torture.fault(case(lambda path: None), tmp_path / "f") is None


def memory_of(call: Any) -> int:
    """The peak memory of a call in bytes. The call must raise an error."""
    tracemalloc.start()
    try:
        with pytest.raises((RuntimeError, ValueError)):
            call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("piece", ["[],", "[[[[]]]],", "{},", '{"a":[]},', '"\\\\",[],', "[0,1],"])
@pytest.mark.parametrize("place", ["header", "structure"])
def test_text_that_describes_many_objects(piece: str, place: str, tmp_path: Path,
                                          monkeypatch: Any) -> None:
    """Three bytes of text make a list of 64 bytes. Text is refused before its lists are made."""
    monkeypatch.setattr(safetensors, "SPARE", 100_000)
    text = ('{"x":[' + piece * (500_000 // len(piece)) + "0]}").encode()
    if place == "structure":
        text = json.dumps({"__metadata__": {"tinytensor.version": "2",
                                            "tinytensor": text.decode()}}).encode()
    (tmp_path / "f").write_bytes(torture.packed(text))
    with pytest.raises(RuntimeError, match=r"f: refused: \d+ bytes of JSON describe"):
        tinytensor.load(tmp_path / "f")
    assert memory_of(lambda: tinytensor.load(tmp_path / "f")) < 10 * len(text)


def test_brackets_and_commas_in_strings_do_not_count(tmp_path: Path) -> None:
    text = '[],"\\' * 1_000_000
    tinytensor.save({"text": text, "path": "\\"}, tmp_path / "f")
    assert tinytensor.load(tmp_path / "f") == {"text": text, "path": "\\"}


def test_nesting(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(safetensors, "SPARE", 100_000)
    for text in (b'{"x":' + b"[" * 10**6, b'{"a":' * 10**6):
        (tmp_path / "f").write_bytes(torture.packed(text))
        assert memory_of(lambda: tinytensor.load(tmp_path / "f")) < 10 * len(text)
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(ValueError, match="nested too deeply"):
        tinytensor.save(deep, tmp_path / "f")


@pytest.mark.parametrize("shape", [[2**31] * 10**6, [1] * 10**6, [2**62] * 64, [10**4000] * 60])
def test_shapes_with_large_products(shape: list[int], tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(torture.packed(
        {"x": {"dtype": "F32", "shape": shape, "data_offsets": [0, 4]}}, b"1234"))
    start = time.process_time()
    with pytest.raises(RuntimeError, match="f: damaged: 'x'") as caught:
        tinytensor.load(tmp_path / "f")
    assert time.process_time() - start < 2 and len(str(caught.value)) < 2000


def test_what_is_announced_is_not_allocated(tmp_path: Path) -> None:
    """A stream of unknown size whose header announces a terabyte."""
    content = torture.packed({"x": {"dtype": "U8", "shape": [10**12],
                                    "data_offsets": [0, 10**12]}}, b"1234")
    with gzip.open(tmp_path / "f", "wb") as file:
        file.write(content)

    def load() -> None:
        with gzip.open(tmp_path / "f") as file:
            tinytensor.load(file)

    assert memory_of(load) < 100_000_000


def test_as_many_small_tensors_as_are_loaded_can_be_saved(tmp_path: Path,
                                                          monkeypatch: Any) -> None:
    """Both have the same limit, so nothing is saved that cannot be loaded."""
    monkeypatch.setattr(safetensors, "SPARE", 100_000)
    for kind, message in ((lambda i: tinytensor.tensor(i), "too many small ones"),
                          (lambda i: [], "store large data as Tensors")):
        tinytensor.save({str(i): kind(i) for i in range(100)}, tmp_path / "f")
        assert len(tinytensor.load(tmp_path / "f")) == 100
        with pytest.raises(ValueError, match=message):
            tinytensor.save({str(i): kind(i) for i in range(3_000)}, tmp_path / "g")
    tinytensor.save({str(i): i for i in range(1000)}, tmp_path / "f")  # a vocabulary
    assert tinytensor.load(tmp_path / "f")["999"] == 999


# ---------------------------------------------------------------- gzipped data


def test_gzipped_data_that_fills_the_memory(tmp_path: Path) -> None:
    small = bytes([0, 0, 8, 1]) + struct.pack(">I", 10) + bytes(10)
    many = bytes([0, 0, 8, 1]) + struct.pack(">I", 40 << 20) + bytes(40 << 20)
    for name, content, reader, message in (
            ("text", b"a" * (40 << 20), data.read_text, "refused: .* 100 times .* gunzip"),
            ("csv", b"1,1\n" * (10 << 20), data.read_csv, "refused: .* 100 times .* gunzip"),
            ("idx", many, data.read_idx, "refused: .* 100 times .* gunzip"),
            ("begins", small + bytes(40 << 20), data.read_idx, "something follows")):
        path = tmp_path / f"{name}.gz"
        path.write_bytes(gzip.compress(content, 1))
        with pytest.raises(ValueError, match=rf"{name}\.gz: .*{message}"):
            reader(path)
        assert memory_of(lambda path=path, reader=reader: reader(path)) < 60_000_000


def test_gzipped_data_below_the_limit(tmp_path: Path, monkeypatch: Any) -> None:
    """Zeros compress a thousandfold. The limit spares small files and files without gzip."""
    whole = bytes([0, 0, 8, 1]) + struct.pack(">I", 10**6) + bytes(10**6)
    (tmp_path / "x.gz").write_bytes(gzip.compress(whole))
    assert data.read_idx(tmp_path / "x.gz").shape == (10**6,)
    monkeypatch.setattr(data.readers, "SPARE", 10**5)
    with pytest.raises(ValueError, match="gunzip"):
        data.read_idx(tmp_path / "x.gz")
    (tmp_path / "x").write_bytes(whole)
    assert data.read_idx(tmp_path / "x").shape == (10**6,)


def test_text_takes_little_more_than_its_indices(tmp_path: Path) -> None:
    text = "abcdefgh" * 400_000
    (tmp_path / "t").write_text(text)
    tracemalloc.start()
    indices, characters = data.read_text(tmp_path / "t")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert characters == "abcdefgh" and (indices[:8] == tinytensor.arange(8)).all()
    assert peak < 20 * len(text) + 20 * data.readers.PIECE


def test_idx_files_of_many_dims(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(bytes([0, 0, 8, 70]) + struct.pack(">70I", *[1] * 70) + b"a")
    with pytest.raises(ValueError, match=r"x: an IDX file of 70 dims; NumPy allows 64"):
        data.read_idx(tmp_path / "x")


# ---------------------------------------------------------------- states of generators


@pytest.mark.parametrize(("kind", "name", "value"), [
    ("MT19937", "pos", 10**6), ("MT19937", "pos", -1), ("MT19937", "pos", 625),
    ("MT19937", "pos", 1.5), ("MT19937", "pos", None), ("MT19937", "key", [1, 2]),
    ("MT19937", "key", [-1] * 624), ("Philox", "buffer_pos", 10**6), ("Philox", "buffer_pos", -7),
    ("PCG64", "state", -1), ("PCG64", "inc", "x"), ("PCG64", "bit_generator", "MT19937"),
    ("PCG64", "state", None)])
def test_states_of_generators_are_checked(kind: str, name: str, value: Any) -> None:
    """NumPy uses a position as an index and does not check it: 10**6 crashes the process."""
    state = resume._plain(getattr(numpy.random, kind)(1).state)
    part = state if name in state and name != "state" else state["state"]
    part[name] = value
    generator = numpy.random.Generator(getattr(numpy.random, kind)(2))
    with pytest.raises(ValueError, match="not a state of this random generator"):
        resume._restore(generator, state)
    generator.standard_normal(1000)


def test_a_checkpoint_with_a_changed_position(tmp_path: Path) -> None:
    path = tmp_path / "c"
    resume.save_checkpoint(path, random=resume.RandomState())
    resume.load_checkpoint(path, random=resume.RandomState())
    states = tinytensor.load(path)
    for position in (10**6, 10**8):
        states["random"]["numpy"]["state"]["pos"] = position
        tinytensor.save(states, path)
        with pytest.raises(ValueError, match=f"pos is {position}"):
            resume.load_checkpoint(path, random=resume.RandomState())
    numpy.random.standard_normal(1000)


@pytest.mark.parametrize("change", [
    lambda s: s["generators"].update(cpu=s["generators"]["cpu"][:-1]),
    lambda s: s["generators"].update(cpu=s["generators"]["cpu"].float()),
    lambda s: s["generators"]["cpu"][16:24].fill_(77), lambda s: s["generators"]["cpu"].zero_(),
    lambda s: s["generators"]["cpu"][8:12].fill_(1), lambda s: s.update(seed=2**70),
    lambda s: s["generators"].update(cpu={"seed": 1, "state": numpy.random.MT19937(1).state}),
    lambda s: s["generators"].update(cpu={"seed": "x", "state": numpy.random.PCG64(1).state}),
    lambda s: s["generators"].update(cpu=3)])
def test_a_changed_state_changes_no_generator(change: Any) -> None:
    tinytensor.manual_seed(3)
    streams = tinytensor.random.Streams(1)
    streams.generators["cpu"] = tinytensor.Generator().manual_seed(5)
    before = streams.state_dict()
    changed = copy.deepcopy(before)
    changed["seed"] = 77
    change(changed)
    with pytest.raises(ValueError, match=r"state|seed"):
        streams.load_state_dict(changed)
    assert streams.seed == before["seed"]
    generator = streams.generators["cpu"]
    with pytest.raises(ValueError, match="not a state of a Generator"):
        generator.set_state({"seed": 1})  # type: ignore[arg-type]
    assert tinytensor.equal(generator.get_state(), before["generators"]["cpu"])


# ---------------------------------------------------------------- processes


def test_processes_that_are_killed_while_they_save(tmp_path: Path) -> None:
    rng = random.Random(0)
    assert [torture.killed_once(tmp_path, rng) for _ in range(5)] == [None] * 5
