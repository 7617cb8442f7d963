"""Event files, compared with those that PyTorch's SummaryWriter writes."""

from __future__ import annotations

import importlib
import io
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch

import tinytensor

pytest.importorskip("tensorboard")
from PIL import Image
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.compat.proto.event_pb2 import Event
from torch.utils.tensorboard import SummaryWriter as Theirs

from tinytensor.utils.tensorboard import SummaryWriter

RNG = numpy.random.default_rng(0)


def events(folder: Path) -> dict[str, list[Any]]:
    """The events by subfolder, without the version event at the start of each file."""
    found: dict[str, list[Any]] = {}
    for path in sorted(folder.rglob("events.out.tfevents.*")):
        read = [Event.FromString(raw) for raw in RawEventFileLoader(str(path)).Load()]
        name = str(path.parent.relative_to(folder))
        found.setdefault(name, []).extend(
            e for e in read if not e.file_version or e.step)
    return found


def pixels(png: bytes) -> Any:
    return numpy.asarray(Image.open(io.BytesIO(png)).convert("RGBA"))


def equal(mine: Any, theirs: Any) -> None:
    assert (mine.step, mine.session_log) == (theirs.step, theirs.session_log)
    for a, b in zip(mine.summary.value, theirs.summary.value, strict=True):
        assert a.tag == b.tag and a.WhichOneof("value") == b.WhichOneof("value")
        if a.HasField("image"):
            assert (a.image.height, a.image.width) == (b.image.height, b.image.width)
            numpy.testing.assert_allclose(pixels(a.image.encoded_image_string).astype(int),
                                          pixels(b.image.encoded_image_string), atol=1)
        elif a.HasField("histo"):
            for field in ("min", "max", "num", "sum", "sum_squares", "bucket_limit", "bucket"):
                numpy.testing.assert_allclose(getattr(a.histo, field), getattr(b.histo, field),
                                              rtol=1e-6)
        else:
            assert a == b


VALUES = RNG.standard_normal((7, 9)).astype("float32")
IMAGE = RNG.random((3, 5, 4)).astype("float32")
BYTES = RNG.integers(0, 256, (11, 3, 5, 4)).astype("uint8")


def scalars(writer: Any, library: Any) -> None:
    for step in range(3):
        writer.add_scalar("loss", library.tensor(step / 3), step)
    writer.add_scalar("rate", 0.125)
    writer.add_scalar("given", numpy.float32(2), 7, walltime=3.0)


def curves(writer: Any, library: Any) -> None:
    for step in (4, 5):
        writer.add_scalars("a/b", {"train": step, "test": library.tensor([step * 2.0])}, step)


def histograms(writer: Any, library: Any) -> None:
    writer.add_histogram("weights", library.tensor(VALUES), 1)
    writer.add_histogram("array", VALUES * 1e-3, 2, bins="auto")
    writer.add_histogram("edges", VALUES, 3, bins=[-1.0, 0.0, 0.5, 3.0])
    writer.add_histogram("zeros", numpy.zeros(4), 3)


def images(writer: Any, library: Any) -> None:
    writer.add_image("chw", library.tensor(IMAGE), 1)
    writer.add_image("hwc", IMAGE.transpose(1, 2, 0), 1, dataformats="HWC")
    writer.add_image("hw", IMAGE[0], 1, dataformats="HW")
    writer.add_image("bytes", library.tensor(BYTES[0]), 1)
    writer.add_images("many", library.tensor(BYTES), 2)
    writer.add_images("two", BYTES[:2].transpose(0, 2, 3, 1), 2, dataformats="NHWC")


def texts(writer: Any, library: Any) -> None:
    writer.add_text("notes", "**bold** näme", 2)


@pytest.mark.parametrize("program", [scalars, curves, histograms, images, texts])
def test_writes_what_pytorch_writes(program: Any, tmp_path: Path) -> None:
    for name, kind, library in (("mine", SummaryWriter, tinytensor), ("theirs", Theirs, torch)):
        with kind(tmp_path / name) as writer:
            program(writer, library)
    mine, theirs = events(tmp_path / "mine"), events(tmp_path / "theirs")
    assert mine.keys() == theirs.keys()
    for folder in mine:
        for a, b in zip(mine[folder], theirs[folder], strict=True):
            equal(a, b)


def test_steps_to_forget_and_where_files_lie(tmp_path: Path,
                                             monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for kind in (SummaryWriter, Theirs):
        writer = kind(comment="_mine", purge_step=5)
        assert writer.get_logdir() == writer.log_dir and writer.log_dir.endswith("_mine")
        writer.add_scalar("x", 1.0, 5)
        writer.flush()
        writer.close()
        (_, found), = events(Path(writer.log_dir)).items()
        assert [(e.step, bool(e.session_log.status)) for e in found[-2:]] == [(5, True), (5, False)]
        for file in Path(writer.log_dir).iterdir():
            file.unlink()


def test_steps_are_forgotten_once(tmp_path: Path) -> None:
    writer = SummaryWriter(tmp_path, purge_step=3)
    for step in (3, 4):
        writer.add_scalar("x", 1.0, step)
        writer.close()  # the next event starts a new file
    marks = [e for e in events(tmp_path)["."] if e.session_log.status]
    assert len(marks) == 1


def test_a_figure_is_an_image(tmp_path: Path) -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    pyplot = pytest.importorskip("matplotlib.pyplot")
    figure, axes = pyplot.subplots(figsize=(2, 1), dpi=50)
    axes.plot([0, 1])
    with SummaryWriter(tmp_path) as writer:
        writer.add_figure("plot", figure, 3)
    (event,) = events(tmp_path)["."]
    shown = pixels(event.summary.value[0].image.encoded_image_string)
    assert shown.shape == (50, 100, 4) and len(numpy.unique(shown)) > 2
    assert not pyplot.fignum_exists(figure.number)


@pytest.mark.parametrize(("wrong", "said"), [
    (lambda w: w.add_scalar("loss", tinytensor.ones(2)), r"'loss' must be one number, got .* \(2,"),
    (lambda w: w.add_histogram("h", numpy.ones(0)), "at least one value"),
    (lambda w: w.add_image("i", IMAGE, dataformats="HW"), r"'HW' does not fit .* \(3, 5, 4\)"),
    (lambda w: w.add_image("i", IMAGE, dataformats="HCW"), "1, 3 or 4 channels, got 5"),
], ids=["scalar", "histogram", "dims", "channels"])
def test_what_cannot_be_shown(wrong: Any, said: str, tmp_path: Path) -> None:
    with SummaryWriter(tmp_path) as writer, pytest.raises(ValueError, match=said):
        wrong(writer)


# ---------------------------------------------------------------- plugins


def test_hyperparameters(tmp_path):
    for kind, writer, package in (("mine", SummaryWriter, tinytensor), ("theirs", Theirs, torch)):
        with writer(tmp_path / kind) as w:
            w.add_hparams({"lr": 0.1, "layers": 3, "name": "a", "flag": True, "none": None,
                           "gain": package.tensor([2.0])}, {"loss": 0.5, "accuracy": 0.9},
                          {"layers": [1, 2, 3], "name": ["a", "b"]}, "first", 7)
    mine, theirs = events(tmp_path / "mine")["first"], events(tmp_path / "theirs")["first"]
    assert len(mine) == len(theirs) == 5
    for a, b in zip(mine, theirs, strict=True):
        equal(a, b)
    with SummaryWriter(tmp_path / "other") as w:
        with pytest.raises(ValueError, match="'x' must be a number, a bool or a string, got list"):
            w.add_hparams({"x": [1]}, {})
        with pytest.raises(TypeError, match="must be a list of values like"):
            w.add_hparams({"x": 1}, {}, {"x": ["a"]})


def test_hyperparameters_as_lightning_writes_them(tmp_path):
    for kind, writer, package in (("mine", SummaryWriter, "tinytensor.compat.modules."
                                   "tensorboard_summary"),
                                  ("theirs", Theirs, "torch.utils.tensorboard.summary")):
        hparams = importlib.import_module(package).hparams
        with writer(tmp_path / kind) as w:
            for part in hparams({"lr": 0.1, "name": "a"}, {"hp_metric": -1}):
                w._get_file_writer().add_summary(part, 3)
    mine, theirs = events(tmp_path / "mine")["."], events(tmp_path / "theirs")["."]
    assert len(mine) == len(theirs) == 3
    for a, b in zip(mine, theirs, strict=True):
        equal(a, b)


def test_precision_and_recall(tmp_path):
    labels, chances, counts = RNG.integers(0, 2, 50), RNG.random(50), RNG.random((6, 4))
    for kind, writer in (("mine", SummaryWriter), ("theirs", Theirs)):
        with writer(tmp_path / kind) as w:
            w.add_pr_curve("curve", labels, chances, 3)
            w.add_pr_curve("weighted", labels, chances, num_thresholds=500, weights=chances)
            w.add_pr_curve_raw("raw", *counts, 2, num_thresholds=4)
    mine, theirs = events(tmp_path / "mine")["."], events(tmp_path / "theirs")["."]
    for a, b in zip(mine, theirs, strict=True):
        equal(a, b)
    with SummaryWriter(tmp_path / "other") as w, pytest.raises(ValueError, match="labels of shape"):
        w.add_pr_curve("curve", labels, chances[:3])


def test_embeddings(tmp_path):
    points = RNG.normal(size=(5, 3)).astype("float32")
    images = RNG.random((5, 3, 4, 4)).astype("float32")
    for kind, writer, package in (("mine", SummaryWriter, tinytensor), ("theirs", Theirs, torch)):
        with writer(tmp_path / kind) as w:
            w.add_embedding(package.tensor(points), list("abcde"), package.tensor(images), 3, "a/b")
            w.add_embedding(package.tensor(points), [[i, i * i] for i in range(5)],
                            metadata_header=["i", "square"])
    files = {kind: {str(p.relative_to(tmp_path / kind)): p.read_bytes()
                    for p in (tmp_path / kind).rglob("*") if p.is_file() and "events" not in p.name}
             for kind in ("mine", "theirs")}
    sprites = [pixels(found.pop("00003/a%2fb/sprite.png")) for found in files.values()]
    numpy.testing.assert_array_equal(*sprites)
    assert files["mine"].keys() == files["theirs"].keys()
    for name, content in files["mine"].items():
        if name.endswith("tensors.tsv"):
            content, other = (numpy.loadtxt(io.BytesIO(c)) for c in
                              (content, files["theirs"][name]))
            numpy.testing.assert_allclose(content, other, rtol=1e-6)
        else:
            assert content == files["theirs"][name], name
    with SummaryWriter(tmp_path / "other") as w, pytest.raises(ValueError, match="3 labels for 5"):
        w.add_embedding(points, [1, 2, 3])


@pytest.mark.filterwarnings("ignore:.*torch.jit.trace")
def test_graph_of_a_model(tmp_path):
    from tensorboard.compat.proto.graph_pb2 import GraphDef

    graphs = {}
    for kind, writer, package in (("mine", SummaryWriter, tinytensor), ("theirs", Theirs, torch)):
        nn = package.nn
        model = nn.Sequential(nn.Linear(3, 4), nn.Sequential(nn.ReLU(), nn.Linear(4, 2)))
        with writer(tmp_path / kind) as w:
            w.add_graph(model, package.rand(2, 3))
        assert model.training
        found = [e for e in events(tmp_path / kind)["."] if e.graph_def]
        graphs[kind] = GraphDef.FromString(found[0].graph_def)
    nodes = {node.name: node for node in graphs["mine"].node}
    assert len(nodes) == len(graphs["mine"].node)
    assert all(name in nodes for node in nodes.values() for name in node.input)
    scopes = [{node.name.rpartition("/")[0] for node in graph.node if node.op != "prim::GetAttr"}
              for graph in graphs.values()]
    assert scopes[0] == scopes[1] == {
        "input", "output", "Sequential/Linear[0]", "Sequential/Sequential[1]/ReLU[0]",
        "Sequential/Sequential[1]/Linear[1]"}
    # From the output back to the input.
    name, ops = "output/output.1", []
    while nodes[name].input:
        name = nodes[name].input[0]
        ops.append(nodes[name].op)
    assert ops == ["nn.functional.linear", "relu", "nn.functional.linear", "IO Node"]
    shape = nodes["output/output.1"].attr["_output_shapes"].list.shape[0]
    assert [d.size for d in shape.dim] == [2, 2]


def test_graph_of_a_model_on_a_gpu(tmp_path, gpu):
    graphs = []
    for device in ("cpu", "cuda"):
        model = tinytensor.nn.Sequential(tinytensor.nn.Linear(3, 4), tinytensor.nn.ReLU())
        with SummaryWriter(tmp_path / device) as w:
            w.add_graph(model.to(device), tinytensor.rand(2, 3, device=device))
        graphs += [e.graph_def for e in events(tmp_path / device)["."] if e.graph_def]
    assert len(graphs) == 2 and graphs[0] == graphs[1]
