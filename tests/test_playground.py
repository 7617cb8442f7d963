"""The playground without a browser: its program on both engines, going back, and the command."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import subprocess
import sys

import numpy
import pytest
import torch

from tinytensor import __main__ as command
from tinytensor.learn import page
from tinytensor.learn.packing import unpacked
from tinytensor.learn.playground import program, pyodide, recorded, session
from tinytensor.learn.playground.program import COUNT, DATA, Session, Settings, Training

SMALL = Settings(layers=(3, 2), batch=5)


def numbers(frame):
    return {"loss": unpacked(frame["loss"]), "weights": unpacked(frame["weights"]),
            "grads": unpacked(frame["grads"]), "after": unpacked(frame["after"])}


# ---------------------------------------------------------------- the program


@pytest.mark.parametrize("name", DATA)
def test_points(name):
    points = program.points(name, 0.0, 7, 400)
    assert [label for *_, label in points] == [0, 1] * 200
    x, y, label = numpy.array(points).T
    assert abs(points[0][0]) > 0 and numpy.abs([x, y]).max() < 1.6
    if name == "circles":
        assert numpy.allclose(numpy.hypot(x, y), numpy.where(label, 0.45, 1.1))
    if name == "xor":
        assert ((x * y > 0) == (label == 1)).all()
    if name == "spiral":  # the arms are half a turn apart
        turn = numpy.arctan2(x, y) - (numpy.hypot(x, y) - 0.1) / 1.1 * 2 * math.pi
        assert numpy.allclose(numpy.cos(turn - math.pi * label), 1)
    if name == "moons":
        x, y = x / 0.8 + 0.5, y / 0.8 + 0.25
        assert numpy.allclose(numpy.where(label, numpy.hypot(x, y),
                                          numpy.hypot(x - 1, y - 0.5)), 1)
    noisy = program.points(name, 0.2, 7, 400)
    assert noisy == program.points(name, 0.2, 7, 400) != program.points(name, 0.2, 8, 400)


@pytest.mark.parametrize("optimizer", program.OPTIMIZERS)
@pytest.mark.parametrize("activation", program.ACTIVATIONS)
def test_each_step_is_that_of_pytorch(optimizer, activation):
    settings = dataclasses.replace(SMALL, optimizer=optimizer, activation=activation, lr=0.1)
    run = Training(settings)
    sizes = [2, *settings.layers, 1]
    layers = [torch.nn.Linear(i, o).double() for i, o in itertools.pairwise(sizes)]
    parameters = [p for layer in layers for p in (layer.weight, layer.bias)]
    theirs = torch.optim.Adam(parameters, lr=0.1) if optimizer == "Adam" else \
        torch.optim.SGD(parameters, lr=0.1, momentum=0.9 if optimizer == "momentum" else 0)
    start = run.weights()

    def flat(of):
        return torch.cat([torch.column_stack([of(layer.weight), of(layer.bias)]).ravel()
                          for layer in layers]).tolist()

    with torch.no_grad():
        at = 0
        for layer in layers:
            rows = torch.tensor(start[at:at + layer.weight.numel() + len(layer.bias)],
                                dtype=torch.float64).reshape(len(layer.bias), -1)
            layer.weight.copy_(rows[:, :-1])
            layer.bias.copy_(rows[:, -1])
            at += rows.numel()
    for _ in range(4):
        frame = run.step()
        x = torch.tensor([run.points[i][:2] for i in frame["batch"]], dtype=torch.float64)
        y = torch.tensor([run.points[i][2] for i in frame["batch"]], dtype=torch.float64)
        for layer in layers[:-1]:
            x = getattr(torch, activation)(layer(x))
        loss = torch.nn.functional.binary_cross_entropy_with_logits(layers[-1](x).ravel(), y)
        theirs.zero_grad()
        loss.backward()
        ours = numbers(frame)
        assert ours["loss"] == pytest.approx([loss.item()], rel=1e-12)
        assert ours["grads"] == pytest.approx(flat(lambda p: p.grad), rel=1e-9, abs=1e-14)
        theirs.step()
        assert ours["after"] == pytest.approx(flat(lambda p: p.detach()), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("layers", [(), (1,), (8, 1, 3, 8)])
def test_every_choice_of_layers_trains(layers):
    run = Training(Settings(layers=layers, batch=1))
    before = numbers(run.step())
    assert before["weights"] != before["after"] == numbers(run.step())["weights"]


@pytest.mark.parametrize(("name", "value"), [
    ("data", "cats"), ("noise", -0.1), ("batch", 0), ("batch", COUNT + 1), ("layers", (9,)),
    ("layers", (1,) * 5), ("layers", (0,)), ("activation", "gelu"), ("optimizer", "LBFGS"),
    ("lr", 0), ("seed", -1)])
def test_settings_out_of_range(name, value):
    with pytest.raises(ValueError, match=rf"out of range: {name} "):
        Settings(**{name: value})


@pytest.mark.parametrize("optimizer", program.OPTIMIZERS)
def test_going_back_gives_equal_numbers(optimizer):
    settings = dataclasses.replace(SMALL, optimizer=optimizer)
    run = Session(settings)
    frames = [run.step() for _ in range(8)]
    run.restore(json.loads(json.dumps(frames[2])))
    assert [run.step() for _ in range(5)] == frames[3:]
    assert [Session(settings).step()] == frames[:1]
    other = Session(settings)
    other.restore(frames[4])
    assert [other.step() for _ in range(3)] == frames[5:]


def test_a_change_in_the_middle_of_a_run():
    run = Session(dataclasses.replace(SMALL, optimizer="SGD"))
    frames = [run.step() for _ in range(4)]
    changed = Session(dataclasses.replace(SMALL, optimizer="Adam", lr=0.01))
    changed.restore(frames[1])
    frame = changed.step()
    assert numbers(frame)["grads"] == numbers(frames[2])["grads"]
    assert frame["step"] == 2 and frame["times"] == 1  # Adam begins anew
    steps = numpy.subtract(numbers(frame)["after"], numbers(frame)["weights"])
    assert numpy.allclose(numpy.abs(steps), 0.01, rtol=1e-3)


def test_the_backward_of_a_point():
    run = Session(SMALL)
    frames = [run.step() for _ in range(3)]
    kept = run.weights()
    trace = run.backward_of(4, frames[1])
    assert run.weights() == kept and trace["exact"]
    assert {"x", "y", "output", "p", "target", "loss", "layers.0.weight[0][1]"} <= set(
        trace["names"].values())
    alone = Training(SMALL)
    alone.step()
    alone.loss([alone.points[4]]).backward()  # at the weights of step 1
    first = numbers(frames[1])["weights"]
    assert alone.weights() == first
    data = dict(zip(trace["names"].values(), (unpacked(trace["data"])[i] for i in trace["names"]),
                    strict=True))
    assert data["layers.0.weight[0][1]"] == first[1]


def test_the_session_speaks_json():
    settings = dataclasses.asdict(SMALL)
    given = json.loads(session.begin(json.dumps(settings)))
    assert len(given["points"]) == len(given["held_out"]) == COUNT
    frames = json.loads(session.steps(0)) + json.loads(session.steps(0))
    assert [frame["step"] for frame in frames] == [0, 1]
    session.begin(json.dumps(settings), json.dumps(frames[0]))
    assert json.loads(session.steps(0)) == frames[1:]
    assert json.loads(session.backward(3, json.dumps(frames[0])))["title"] == \
        "loss of point 3 at step 0"


# ---------------------------------------------------------------- recordings


@pytest.mark.parametrize("optimizer", program.OPTIMIZERS)
def test_a_recording_has_the_numbers_of_both_engines(optimizer):
    settings = dataclasses.replace(SMALL, optimizer=optimizer)
    recording = recorded.recording(settings, 3)
    run, twin = Training(settings), recorded.TensorTraining(settings)
    frames, others = [[numbers(r.step()) for _ in range(3)] for r in (run, twin)]
    for name in ("loss", "weights", "grads"):
        exact = numpy.array([x for frame in frames for x in frame[name]])
        other = numpy.array([x for frame in others for x in frame[name]])
        assert unpacked(recording["numbers"][name]) == exact.tolist()
        assert (exact + unpacked(recording["other"][name]) == other).all()
        assert numpy.allclose(exact, other, rtol=1e-12, atol=1e-15)
    assert set(recording["state"]) == set(run.entries)


def test_the_runs_of_the_page_learn():
    """Only the first one is run here; the browser's test sees the end of all of them."""
    settings, steps = recorded.RUNS[0]
    run = Training(settings)
    losses = [unpacked(run.step()["loss"])[0] for _ in range(steps // 2)]
    assert sum(losses[-10:]) < 0.7 * sum(losses[:10])
    assert sorted(s.data for s, _ in recorded.RUNS) == sorted(DATA)


# ---------------------------------------------------------------- what the live page needs


def test_the_program_needs_the_standard_library_alone(tmp_path):
    """In a folder with the files of the page, in a Python that finds no other package."""
    from tinytensor.learn.playground.page import _files
    for name, text in _files().items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    code = ("import sys; sys.path.insert(0, '.'); from learn.playground import session as s; "
            "s.begin('{\"layers\": [3]}'); f = __import__('json').loads(s.steps(0)); "
            "s.backward(0, __import__('json').dumps(f[0])); print(f[0]['loss']['bytes']); "
            "assert 'numpy' not in sys.modules")
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], cwd=tmp_path,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == Training(Settings(layers=(3,))).step()["loss"]["bytes"]


def test_an_archive_that_is_not_pyodide(tmp_path):
    (tmp_path / "pyodide.tgz").write_bytes(b"something else")
    with pytest.raises(ValueError, match=r"pyodide\.tgz is not the npm package pyodide 314"):
        pyodide.pyodide(tmp_path / "pyodide.tgz")


def test_without_npm_the_command_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["tinytensor", "playground", str(tmp_path / "p.html"),
                                      "--pyodide"])
    with pytest.raises(SystemExit, match="apt-get install npm"):
        command.main()
    assert not (tmp_path / "p.html").exists()


def test_a_folder_that_does_not_exist(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["tinytensor", "playground", str(tmp_path / "a/p.html")])
    with pytest.raises(SystemExit, match=r"there is no folder .*a to write into"):
        command.main()


@pytest.mark.parametrize(("arguments", "message"), [
    (["."], r"\. is a folder; name the file, such as playground\.html"),
    (["p.html", "--pyodide", "absent.tgz"], r"^playground: there is no file absent\.tgz$"),
])
def test_wrong_arguments(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["tinytensor", "playground", *arguments])
    with pytest.raises(SystemExit, match=message):
        command.main()


def test_npm_that_fails(tmp_path, monkeypatch):
    (tmp_path / "npm").write_text("#!/bin/sh\necho no network >&2\nexit 1\n")
    (tmp_path / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(RuntimeError, match=r"npm pack pyodide@.* failed:\nno network"):
        pyodide.pyodide()


def test_only_named_places_of_a_page_are_filled():
    assert page.filled("{{a}} {{b}} {{ {{a}}", {"a": "{{b}}"}) == "{{b}} {{b}} {{ {{b}}"
