"""Resuming is exact: a real process is killed, at random moments and in the middle of saving."""

from __future__ import annotations

import io
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy
import pytest
import resumable_run
from test_files import same

import tinytensor
from tinytensor import nn, optim
from tinytensor.kernels import loops
from tinytensor.tensors import replacing
from tinytensor.utils import resume

PROGRAM = [sys.executable, resumable_run.__file__, "--checkpoint-every", "3"]
STEPS = resumable_run.EPOCHS * resumable_run.BATCHES


def start(folder: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen([*PROGRAM, "--output", str(folder), *options], text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def finish(folder: Path, *options: str) -> str:
    process = start(folder, *options)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return output


def rows(folder: Path) -> list[dict[str, Any]]:
    """The metrics without their times. An incomplete last line is left out."""
    try:
        lines = (folder / "metrics.jsonl").read_text().split("\n")[:-1]
    except FileNotFoundError:
        return []
    return [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in lines]


def outcome(folder: Path) -> dict[str, Any]:
    """All parts of the last checkpoint without the time, and the metrics."""
    parts = tinytensor.load(folder / "checkpoint.safetensors")
    del parts["run"]["options"]
    assert parts["run"].pop("seconds") > 0
    written = parts["run"].pop("metrics").numpy().tobytes()
    assert written == (folder / "metrics.jsonl").read_bytes()
    return {**parts, "rows": rows(folder)}


@pytest.fixture(scope="module")
def uninterrupted_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("uninterrupted")
    finish(folder)
    return folder


@pytest.fixture(scope="module")
def uninterrupted(uninterrupted_folder: Path) -> dict[str, Any]:
    found = outcome(uninterrupted_folder)
    assert [row["step"] for row in found["rows"]] == list(range(1, STEPS + 1))
    assert sum("held_out_loss" in row for row in found["rows"]) == resumable_run.EPOCHS
    return found


@pytest.mark.long
def test_killed_at_random_moments(tmp_path: Path, uninterrupted: dict[str, Any]) -> None:
    rng, kills = random.Random(0), 0
    options: list[str] = []
    for _ in range(4):
        process = start(tmp_path, *options)
        begun = len(rows(tmp_path))
        enough, deadline = begun + rng.randint(1, 20), time.monotonic() + 60
        while process.poll() is None and len(rows(tmp_path)) < enough:
            assert time.monotonic() < deadline
            time.sleep(0.001)
        time.sleep(rng.random() * 0.01)
        process.kill()
        process.communicate()
        kills += process.returncode == -signal.SIGKILL
        options = ["--resume"]
    assert kills > 0
    finish(tmp_path, "--resume")
    assert same(outcome(tmp_path), uninterrupted)


@pytest.mark.parametrize(("call", "workers"), [("replace:1", 0), ("fsync:9", 0), ("replace:9", 2)])
def test_killed_while_saving(call: str, workers: int, tmp_path: Path,
                             uninterrupted: dict[str, Any]) -> None:
    """The process is killed before the file is synced, or before it is renamed."""
    process = start(tmp_path, "--die-at", call)
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    left = list(tmp_path.glob(".*.tmp"))
    named = not replacing._can_name(tmp_path.stat().st_dev, str(tmp_path))
    assert len(left) == (named or call.startswith("replace"))
    finish(tmp_path, "--resume", "--workers", str(workers))
    assert not list(tmp_path.glob(".*.tmp"))
    assert same(outcome(tmp_path), uninterrupted)


@pytest.mark.long
@pytest.mark.skipif(loops.Numba.missing, reason="the kernels need numba")
def test_killed_with_kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The choice of kernels must not depend on the earlier calls of a process."""
    monkeypatch.setenv("TINYTENSOR_KERNELS", "1")
    finish(tmp_path / "whole")
    process = start(tmp_path / "cut", "--die-at", "fsync:9")
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    finish(tmp_path / "cut", "--resume")
    assert same(outcome(tmp_path / "cut"), outcome(tmp_path / "whole"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_stop(number: signal.Signals, tmp_path: Path,
                       uninterrupted: dict[str, Any]) -> None:
    """Ctrl-C and a shutdown write a checkpoint after the step, and print how to resume."""
    process = start(tmp_path)
    deadline = time.monotonic() + 60
    while len(rows(tmp_path)) < 5:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.001)
    process.send_signal(number)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number, errors
    step = tinytensor.load(tmp_path / "checkpoint.safetensors")["run"]["step"]
    assert f"stopped after step {step}, with a checkpoint. To continue:" in output
    assert output.rstrip().endswith(f"--output {tmp_path} --resume")
    assert "stopping after this step" in errors and "Traceback" not in errors
    assert f"resuming after step {step}" in finish(tmp_path, "--resume")
    assert same(outcome(tmp_path), uninterrupted)


def test_resuming_what_is_finished_changes_nothing(uninterrupted_folder: Path,
                                                   uninterrupted: dict[str, Any]) -> None:
    finish(uninterrupted_folder, "--resume")
    assert same(outcome(uninterrupted_folder), uninterrupted)


# ---------------------------------------------------------------- checkpoints


def parts(seed: int) -> dict[str, Any]:
    """A model, its optimizer and its scheduler after two steps."""
    tinytensor.manual_seed(seed)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 2))
    optimizer = optim.AdamW(model.parameters(), lr=0.1)
    scheduler = optim.lr_scheduler.StepLR(optimizer, 1)
    for _ in range(2):
        optimizer.zero_grad()
        model(tinytensor.randn(8, 3)).sum().backward()
        optimizer.step()
        scheduler.step()
    return {"model": model, "optimizer": optimizer, "scheduler": scheduler}


def states(found: dict[str, Any]) -> dict[str, Any]:
    file = io.BytesIO()
    tinytensor.save({name: part.state_dict() for name, part in found.items()}, file)
    return tinytensor.load(io.BytesIO(file.getvalue()))  # a copy


def test_a_full_disk_leaves_the_previous_checkpoint(tmp_path: Path) -> None:
    path, found = tmp_path / "c.safetensors", parts(0)
    resume.save_checkpoint(path, **found)
    before = path.read_bytes()
    found["large"] = nn.Linear(300, 300)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 1000, hard))
    try:
        with pytest.raises(OSError, match="too large"):
            resume.save_checkpoint(path, **found)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["c.safetensors"]


def test_parts_come_back(tmp_path: Path) -> None:
    path, found, others = tmp_path / "c.safetensors", parts(0), parts(1)
    resume.save_checkpoint(path, **found)
    resume.load_checkpoint(path, **others)
    assert same(states(others), states(found))
    alone = parts(2)
    untouched = states({"optimizer": alone["optimizer"]})
    resume.load_checkpoint(path, model=alone["model"])
    assert same(alone["model"].state_dict(), found["model"].state_dict())
    assert same(states({"optimizer": alone["optimizer"]}), untouched)
    assert same(tinytensor.load(path)["model"], dict(found["model"].state_dict()))


def test_every_generator_goes_on(tmp_path: Path) -> None:
    own, numpys = tinytensor.Generator().manual_seed(3), numpy.random.default_rng(4)
    old = numpy.random.Generator(numpy.random.MT19937(5))  # its state holds an array

    def draw() -> list[Any]:
        return [tinytensor.rand(3).tolist(), tinytensor.rand(2, generator=own).tolist(),
                numpy.random.normal(), numpy.random.standard_normal(3).tolist(), random.random(),
                random.gauss(0, 1), numpys.integers(10**9), numpys.random(dtype="f4"),
                old.integers(10**9)]

    draw()
    given = {"all": resume.RandomState(), "own": own, "numpys": numpys, "old": old}
    resume.save_checkpoint(tmp_path / "r.safetensors", **given)
    expected = draw()
    for scramble in (tinytensor.manual_seed, numpy.random.seed, random.seed, own.manual_seed):
        scramble(77)
    numpys.random(5)
    assert draw() != expected
    resume.load_checkpoint(tmp_path / "r.safetensors", **given)
    assert draw() == expected


def test_generators_of_devices_that_were_not_used_yet(gpu: Any) -> None:
    """The first numbers of a device that is first used later depend only on the seed."""
    tinytensor.manual_seed(5)
    state = resume.RandomState().state_dict()
    expected = tinytensor.rand(3, device="cuda").tolist()
    tinytensor.manual_seed(6)
    resume.RandomState().load_state_dict(state)
    assert tinytensor.rand(3, device="cuda").tolist() == expected


def test_parts_that_are_none(tmp_path: Path) -> None:
    path, found = tmp_path / "c.safetensors", parts(0)
    for wrong, said in ((3, "an? int"), (nn.Linear, "the class Linear")):
        with pytest.raises(TypeError, match=f"part 'lr' is {said}; a part is an object with "
                                            r"state_dict\(\)"):
            resume.save_checkpoint(path, model=found["model"], lr=wrong)
    assert not path.exists()
    resume.save_checkpoint(path, **found)
    others = parts(1)
    before = states(others)
    with pytest.raises(ValueError, match="no part 'sheduler'; it holds model, optimizer"):
        resume.load_checkpoint(path, model=others["model"], sheduler=others["scheduler"])
    assert same(states(others), before)
    with pytest.raises(RuntimeError) as caught:
        resume.load_checkpoint(path, model=nn.Linear(3, 4))
    assert "for the part 'model'" in caught.value.__notes__[0]


def test_files_that_are_no_checkpoints(tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    with pytest.raises(FileNotFoundError, match=r"c\.safetensors"):
        resume.load_checkpoint(path, model=nn.Linear(1, 1))
    tinytensor.save([1], path)
    with pytest.raises(ValueError, match="holds no parts"):
        resume.load_checkpoint(path, model=nn.Linear(1, 1))
    resume.save_checkpoint(path, model=nn.Linear(1, 1))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(RuntimeError, match=r"c\.safetensors: cut off"):
        resume.load_checkpoint(path, model=nn.Linear(1, 1))
