"""The trainer that the examples share: loops, metrics, curves, errors."""

from __future__ import annotations

import argparse
import builtins
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import trainer

import tinytensor
from tinytensor import nn, optim
from tinytensor.utils.data import DataLoader, IterableDataset, TensorDataset


def options(folder: Path, *words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    trainer.arguments(parser)
    return parser.parse_args(["--output", str(folder), *words])


def rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def loader_of(samples: int, batch: int = 2) -> Any:
    return DataLoader(TensorDataset(tinytensor.arange(samples)), batch_size=batch, shuffle=True)


# ---------------------------------------------------------------- loops


def test_epochs_and_batches(tmp_path: Path) -> None:
    loader = loader_of(6)
    run = trainer.Run("x", options(tmp_path), loader=loader)
    seen = []
    for epoch in run.epochs(2):
        for (numbers,) in run.batches(loader):
            seen.append((epoch, run.step, numbers.tolist()))
            run.log(loss=run.step / 10)
        run.log(accuracy=epoch / 2)
    run.finish()
    assert [(e, s) for e, s, _ in seen] == [(1, 1), (1, 2), (1, 3), (2, 4), (2, 5), (2, 6)]
    assert sorted(n for e, _, numbers in seen for n in numbers if e == 1) == list(range(6))
    written = rows(tmp_path)
    assert [(r["step"], r["epoch"], r["loss"], r.get("accuracy")) for r in written] == [
        (1, 1, 0.1, None), (2, 1, 0.2, None), (3, 1, 0.3, 0.5),
        (4, 2, 0.4, None), (5, 2, 0.5, None), (6, 2, 0.6, 1.0)]
    seconds = [r["seconds"] for r in written]
    assert seconds == sorted(seconds) and seconds[0] >= 0
    assert run.rows() == written
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_steps_without_a_loader(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A finished run can be resumed with more steps."""
    def go(count: int, *words: str) -> list[float]:
        tinytensor.manual_seed(1)
        run, drawn = trainer.Run("x", options(tmp_path, *words)), []
        for step in run.steps(count):
            assert step == run.step
            drawn.append(tinytensor.rand(()).item())
            run.log(reward=tinytensor.tensor(drawn[-1]))
        run.finish()
        return drawn

    whole = go(7)
    first = go(3)
    assert "(--resume would continue the last run)" in capsys.readouterr().out
    assert (tmp_path / "earlier_checkpoint.safetensors").exists()
    assert first + go(7, "--resume") == whole
    assert "resuming after step 3" in capsys.readouterr().out
    assert [r["step"] for r in rows(tmp_path)] == list(range(1, 8))
    assert [r["reward"] for r in rows(tmp_path)] == whole
    assert "epoch" not in rows(tmp_path)[0]


def test_several_models_and_optimizers(tmp_path: Path) -> None:
    """A generator and a discriminator, interrupted between two checkpoints and resumed."""
    def go(stop: int, *words: str) -> dict[str, Any]:
        tinytensor.manual_seed(2)
        g, d = nn.Linear(2, 3), nn.Linear(3, 1)
        of_g, of_d = optim.Adam(g.parameters(), 0.1), optim.SGD(d.parameters(), 0.1, momentum=0.9)
        loader = loader_of(12, 4)
        run = trainer.Run("x", options(tmp_path, "--checkpoint-every", "2", *words), g=g, d=d,
                          of_g=of_g, of_d=of_d, loader=loader)
        for _ in run.epochs(3):
            for _ in run.batches(loader):
                if run.step > stop:
                    return {}
                for optimizer, sign in ((of_d, -1), (of_g, 1)):
                    loss = sign * d(g(tinytensor.randn(4, 2))).mean()
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
                run.log(loss_d=-loss, loss_g=loss)
        run.finish()
        saved = tinytensor.load(tmp_path / "checkpoint.safetensors")
        return {name: saved[name] for name in ("g", "d", "of_g", "of_d", "loader", "random")}

    whole = go(99)
    go(5)
    assert tinytensor.load(tmp_path / "checkpoint.safetensors")["run"]["step"] == 4
    assert str(go(99, "--resume")) == str(whole)


def test_leaving_an_epoch_early(tmp_path: Path) -> None:
    loader = loader_of(10)
    run = trainer.Run("x", options(tmp_path), loader=loader)
    for _ in run.epochs(2):
        for _ in run.batches(loader):
            run.log(loss=1.0)
            if run.step % 3 == 0:
                break
    run.finish()
    assert [(r["step"], r["epoch"]) for r in rows(tmp_path)] == [
        (1, 1), (2, 1), (3, 1), (4, 2), (5, 2), (6, 2)]


# ---------------------------------------------------------------- errors


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite(value: float, tmp_path: Path) -> None:
    run = trainer.Run("x", options(tmp_path, "--checkpoint-every", "1"))
    with pytest.raises(FloatingPointError, match=f"loss_d is {value} at step 3. Training has "
                                                 r"diverged.*smaller learning rate") as caught:
        for step in run.steps(9):
            run.log(perplexity=value, loss_d=value if step == 3 else 1.0)
    assert "detect_anomaly" in str(caught.value)
    assert tinytensor.load(tmp_path / "checkpoint.safetensors")["run"]["step"] == 2
    assert rows(tmp_path)[0]["perplexity"] is None


def test_weights_that_are_not_finite_do_not_replace_a_checkpoint(tmp_path: Path) -> None:
    model = nn.Linear(2, 2)
    run = trainer.Run("x", options(tmp_path, "--checkpoint-every", "1"), model=model)
    with pytest.raises(FloatingPointError, match=r"model\.bias is not finite after step 2"):
        for step in run.steps(9):
            if step == 2:
                with tinytensor.no_grad():
                    model.bias[0] = float("nan")
    saved = tinytensor.load(tmp_path / "checkpoint.safetensors")
    assert saved["run"]["step"] == 1 and bool(saved["model"]["bias"].isfinite().all())


def test_loaders_that_give_nothing(tmp_path: Path) -> None:
    class Nothing(IterableDataset[Any]):
        def __iter__(self) -> Any:
            return iter(())

    for loader in (DataLoader([1], 2, drop_last=True), DataLoader(Nothing(), 2)):
        run = trainer.Run("x", options(tmp_path), loader=loader)
        with pytest.raises(ValueError, match="the loader gave no batch"), \
                pytest.warns(UserWarning, match="the epoch had no batch"):
            for _ in run.epochs(2):
                list(run.batches(loader))


def test_loops_that_could_not_be_resumed(tmp_path: Path) -> None:
    loader = loader_of(4)
    with pytest.raises(RuntimeError, match=r"for epoch in run\.epochs\(count\)"):
        next(trainer.Run("x", options(tmp_path), loader=loader).batches(loader))
    with pytest.raises(ValueError, match=r"write Run\(\.\.\., loader=loader\)"):
        for _ in (run := trainer.Run("x", options(tmp_path))).epochs(1):
            next(run.batches(loader))
    with pytest.raises(RuntimeError, match="one loop over batches in each epoch"):
        for _ in (run := trainer.Run("x", options(tmp_path), loader=loader)).epochs(1):
            for _ in (1, 2):
                list(run.batches(loader))


def test_parts_that_cannot_be_kept(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="the part 'model' is the class Linear"):
        trainer.Run("x", options(tmp_path), model=nn.Linear)
    with pytest.raises(ValueError, match="every run has a part of that name"):
        trainer.Run("x", options(tmp_path), random=tinytensor.Generator())


def test_resuming_with_other_options_and_without_a_checkpoint(
        tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--resume"], ["--resume", "--seed", "5"]):
        run = trainer.Run("x", options(tmp_path, *words))
        for _ in run.steps(2):
            run.log(loss=1)
        run.checkpoint()
    said = capsys.readouterr().out
    assert f"no checkpoint in {tmp_path}: starting from the beginning" in said
    assert "note: --seed was 0 when this run began; it is 5 now" in said


@pytest.mark.parametrize(("words", "said"), [
    (["--checkpoint-every", "-1"], "must be a whole number, at least 0, got '-1'"),
    (["--device", "nowhere"], "nowhere"),
])
def test_invalid_options(words: list[str], said: str, tmp_path: Path,
                               capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        options(tmp_path, *words)
    assert said in capsys.readouterr().err


def test_a_smoke_run_has_a_folder_of_its_own(monkeypatch: pytest.MonkeyPatch,
                                             tmp_path: Path) -> None:
    monkeypatch.setattr(trainer.support, "OUTPUT", tmp_path)
    parser = argparse.ArgumentParser()
    trainer.arguments(parser)
    assert trainer.Run("x", parser.parse_args([])).folder == tmp_path / "x"
    assert trainer.Run("x", parser.parse_args(["--smoke"])).folder == tmp_path / "x_smoke"


# ---------------------------------------------------------------- TensorBoard


def test_without_tensorboard_one_line_says_what_to_install(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str]) -> None:
    original = builtins.__import__

    def absent(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("tensorboard") or name == "tinytensor.utils.tensorboard":
            raise ImportError(name)
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", absent)
    for _ in trainer.Run("x", options(tmp_path)).steps(1):
        pass
    assert "pip install -e '.[tensorboard]'" in capsys.readouterr().out
    assert not (tmp_path / "tensorboard").exists()


def test_event_files_hold_every_step_once(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    for count, words in ((3, []), (5, ["--resume"])):
        run = trainer.Run("x", options(tmp_path, *words))
        for step in run.steps(count):
            run.log(loss=step / 2, other=float("nan"))
        run.finish()
    events = accumulator.EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert events.Tags()["scalars"] == ["loss"]
    assert [(e.step, e.value) for e in events.Scalars("loss")] == [
        (n, n / 2) for n in range(1, 6)]
    assert sys.modules.get("tensorflow") is None
