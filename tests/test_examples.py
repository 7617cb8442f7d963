"""The convolutional example on both datasets, and the --help of all examples."""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import json
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy
import pytest

import tinytensor

EXAMPLES = Path(__file__).parent.parent / "examples"


def run(name: str, *options: Any, status: int = 0) -> str:
    """Runs an example. Returns its standard output, or its standard error if it should fail."""
    done = subprocess.run([sys.executable, str(EXAMPLES / name), *map(str, options)], text=True,
                          capture_output=True, timeout=300)
    assert done.returncode == status, done.stderr
    return done.stderr if status else done.stdout


@pytest.fixture
def run_here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Like `run`, but in this process, which has already imported the packages."""
    def run_here(name: str, *options: Any) -> str:
        monkeypatch.setattr(sys, "argv", [name, *map(str, options)])
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        return capsys.readouterr().out

    return run_here


class Parsed(Exception):  # noqa: N818
    """Raised to leave a program with its argument parser."""


@pytest.mark.parametrize("name", [*sorted(path.name for path in EXAMPLES.glob("[0-9]*.py")),
                                  "../benchmarks/__main__.py"])
def test_help_shows_the_defaults(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each option with a value has a help text with its default."""
    def parse_args(parser: argparse.ArgumentParser) -> None:
        raise Parsed(parser)

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_args)
    monkeypatch.syspath_prepend(str(EXAMPLES))
    with pytest.raises(Parsed) as caught:
        if name.startswith("."):
            runpy.run_module("benchmarks", run_name="__main__")
        else:
            runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    parser = caught.value.args[0]
    assert parser.format_help()
    for action in parser._actions:
        if action.nargs != 0 and action.help != argparse.SUPPRESS:
            assert "(default: " in action.help, action.option_strings
            assert action.default is None or "(default: %(default)s)" in action.help


def idx(values: Any) -> bytes:
    """The bytes of an IDX file of uint8, written from the format's description."""
    array = numpy.asarray(values, numpy.uint8)
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


def write_mnist(folder: Path, packed: bool, size: int = 12) -> None:
    """Writes files like MNIST's, with bright squares whose position is the label."""
    rng = numpy.random.default_rng(0)
    for part, count in (("train", 80), ("t10k", 24)):
        labels = rng.integers(0, 10, count)
        images = rng.integers(0, 40, (count, size, size))
        for image, label in zip(images, labels, strict=True):
            row, column = divmod(int(label), 4)
            image[row * 4:row * 4 + 3, column * 3:column * 3 + 3] = 250
        for name, values in (("images-idx3-ubyte", images), ("labels-idx1-ubyte", labels)):
            path, content = folder / f"{part}-{name}", idx(values)
            if packed:
                path.with_name(path.name + ".gz").write_bytes(gzip.compress(content))
            else:
                path.write_bytes(content)


def test_cnn_on_digits(tmp_path: Path, run_here: Any) -> None:
    said = run_here("04_cnn.py", "--smoke", "--output", tmp_path)
    assert "Conv2d" in said and "of 64 held-out images are read correctly" in said
    for name in ("curves.png", "mistakes.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 4
    said = run_here("04_cnn.py", "--smoke", "--output", tmp_path, "--resume")
    assert "resuming after step 4" in said and "held-out images are read correctly" in said


def test_cnn_on_mnists_files(tmp_path: Path, run_here: Any) -> None:
    write_mnist(tmp_path, packed=True)
    said = run_here("04_cnn.py", "--mnist", tmp_path, "--output", tmp_path / "out", "--epochs", 6,
                    "--batch-size", 16)
    assert "of 24 held-out images are read correctly" in said
    rows = [json.loads(r) for r in (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()]
    assert len(rows) == 30
    assert rows[-1]["loss"] < rows[0]["loss"] / 2
    weight = tinytensor.load(tmp_path / "out" / "checkpoint.safetensors")["model"]["17.weight"]
    assert weight.shape == (10, 32 * 3 * 3)


def test_cnn_says_which_file_is_wrong(tmp_path: Path) -> None:
    images, labels = tmp_path / "train-images-idx3-ubyte", tmp_path / "t10k-labels-idx1-ubyte"
    answer = run("04_cnn.py", "--mnist", tmp_path, status=1)
    assert answer == f"{images}: expected this IDX file, or the same file with the ending .gz\n"

    spec: Any = importlib.util.spec_from_file_location("cnn", EXAMPLES / "04_cnn.py")
    cnn = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(cnn)
    write_mnist(tmp_path, packed=False)
    whole = labels.read_bytes()
    for path, content, fault in (
            (labels, whole[:-3], "cut off"), (labels, b"hello", "expected an IDX file"),
            (labels, idx(numpy.zeros((24, 2))), "a label from 0 to 9 for each of 24 images"),
            (labels, idx([11] * 24), "up to 11"), (labels, idx([]), "got shape"),
            (images, whole, "expected images, uint8 of shape")):
        before = path.read_bytes()
        path.write_bytes(content)
        with pytest.raises(ValueError, match=fault) as caught:
            cnn.mnist(tmp_path)
        assert str(caught.value).startswith(str(path))
        path.write_bytes(before)
    (x, y), _ = cnn.mnist(tmp_path)
    assert x.shape == (80, 1, 12, 12) and x.dtype is tinytensor.float32 and 0.9 < x.max() <= 1
    assert y.dtype is tinytensor.int64
