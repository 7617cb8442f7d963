"""What stands around a training loop: progress, metrics, checkpoints, resuming, Ctrl-C, curves.

The loop itself stays in each example:

    run = trainer.Run("name", given, model=model, optimizer=optimizer, loader=loader)
    for epoch in run.epochs(10):                # or, without a loader: for step in run.steps(1000):
        for x, y in run.batches(loader):
            ...
            run.log(loss=loss)
        run.log(accuracy=...)                   # goes to the last step of the epoch
    run.finish()

A run keeps what it makes in one folder: checkpoint.safetensors, metrics.jsonl (a line a step),
curves.png, and event files if TensorBoard is installed. A checkpoint is made between two steps. It
holds the parts that `Run` was given, the random state, and the metrics so far. A run that is killed
at any moment and goes on with --resume ends with the same bits as one that is not, if its parts are
all that a step leaves behind: gradients summed over several batches belong into one step.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy
import support

import tinytensor as tt
from tinytensor.utils import resume


def arguments(parser: argparse.ArgumentParser, seed: int = 0) -> None:
    """Adds the options that the examples share."""
    parser.add_argument("--device", type=_device, default="cpu", help="cpu (the default) or cuda")
    parser.add_argument("--seed", type=int, default=seed, help=f"default: {seed}")
    parser.add_argument("--smoke", action="store_true", help="a few tiny steps: does it run?")
    parser.add_argument("--resume", action="store_true",
                        help="go on from the checkpoint in the output folder")
    parser.add_argument("--checkpoint-every", type=_count, default=200, metavar="STEPS",
                        help="default: 200; 0 makes one at the end and at Ctrl-C only")
    parser.add_argument("--output", type=Path, metavar="FOLDER",
                        help="default: examples/output/ and the name of the example")


def _device(name: str) -> str:
    try:
        tt.empty(0, device=name)
    except (RuntimeError, ImportError) as missing:
        raise argparse.ArgumentTypeError(str(missing)) from None
    return name


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"must be a whole number from 0 up, got {text!r}")
    return int(text)


# When a run is resumed these may differ without a note; the last ones matter after training only.
MAY_DIFFER = {"resume", "output", "checkpoint_every", "device",
              "prompt", "length", "temperature", "top_k", "top_p"}
NOT_METRICS = {"step", "epoch", "seconds"}  # what a line of metrics.jsonl has beside them


class Run:
    """One training run.

    Args:
        name: what its folder in examples/output/ is called.
        given: the parsed options, those of `arguments` among them.
        parts: all that changes while training, under names of your choice: models, optimizers,
            schedulers, loaders, generators; whatever has `state_dict()` and `load_state_dict()`.

    step    how many steps there were, with the one that is being made
    epoch   the same of epochs
    folder  where files of the example may go too
    """

    def __init__(self, name: str, given: argparse.Namespace, **parts: Any):
        taken = parts.keys() & {"run", "random"}
        if taken:
            raise ValueError(f"Run: {', '.join(taken)}: every run has a part of that name already")
        resume.check_parts(parts)
        self.name, self.given, self.parts = name, given, parts
        self.folder = given.output or support.OUTPUT / (f"{name}_smoke" if given.smoke else name)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.step = self.epoch = self.epochs_done = 0
        self.record: dict[str, Any] = {}  # the metrics of this step, which are not written yet
        self.latest: dict[str, float] = {}  # each metric as it was logged last
        self.seconds = 0.0  # that its loops took before the one that began at `_started`
        self._begun = False  # whether the checkpoint, if there is one to resume from, is loaded
        self._board: Any = None  # a SummaryWriter
        self._bar: Any = None  # there while a loop runs
        self._looped = False  # whether this epoch had its loop over batches
        self._signal = 0  # that asked the run to stop

    # ------------------------------------------------------------ loops

    def epochs(self, count: int) -> Iterator[int]:
        """1 to `count`; when resuming, from the epoch that was not finished."""
        with self._running():
            while self.epochs_done < count:
                self._epochs, self._looped = count, False
                self.epoch = self.epochs_done + 1
                yield self.epoch
                self.epochs_done += 1
                self._save_if(False)

    def batches(self, loader: Any) -> Iterator[Any]:
        """The batches of one epoch; when resuming, those that were left of it."""
        if self._looped or not self.epoch:
            raise RuntimeError("batches: write `for epoch in run.epochs(count):` around it, and "
                               "one loop over batches in each epoch")
        if not any(part is loader for part in self.parts.values()):
            raise ValueError("batches: the run does not know this loader and could not resume in "
                             "the middle of it; write Run(..., loader=loader)")
        self._looped = True
        with contextlib.suppress(TypeError):  # a stream has no length
            self._bar.total = self._epochs * len(loader)
        self._bar.set_description(f"epoch {self.epoch}/{self._epochs}")
        yield from self._counted(loader)
        if self.step == 0:
            raise ValueError("batches: the loader gave no batch: its dataset is empty, or smaller "
                             "than a batch while drop_last drops what is not full")

    def steps(self, count: int) -> Iterator[int]:
        """1 to `count`; when resuming, from the step after the checkpoint."""
        with self._running():
            self._bar.total = count
            yield from self._counted(range(self.step + 1, count + 1))

    def _counted(self, items: Iterable[Any]) -> Iterator[Any]:
        """The items, each of which is for one step, with what there is to do between two steps."""
        for item in items:
            self._write_record()  # it was open until here for the metrics of an epoch's end
            self.step += 1
            yield item
            self._bar.update()
            every = self.given.checkpoint_every
            self._save_if(every > 0 and self.step % every == 0)

    @contextlib.contextmanager
    def _running(self) -> Iterator[None]:
        """Around a loop: resumes if it is the first one, shows the bar, listens to Ctrl-C."""
        if not self._begun:
            self._begin()
        before = {}
        if threading.current_thread() is threading.main_thread():
            before = {number: signal.signal(number, self._ask_to_stop)
                      for number in (signal.SIGINT, signal.SIGTERM)}
        self._bar = support.progress(None, initial=self.step, delay=0.1)
        self._started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds = self._elapsed()
            self._bar.close()
            self._bar = None
            for number, handler in before.items():
                signal.signal(number, handler)

    # ------------------------------------------------------------ metrics

    def log(self, **metrics: Any) -> None:
        """Notes numbers or Tensors of one element for this step.

        Raises:
            FloatingPointError: one with "loss" in its name is infinite or NaN.
        """
        epoch = {"epoch": self.epoch} if self.epoch else {}
        self.record = {"step": self.step, **epoch, **self.record,
                       "seconds": round(self._elapsed(), 3)}
        for name, value in metrics.items():
            number = float(value)
            finite = math.isfinite(number)
            if "loss" in name and not finite:
                self._diverged(f"{name} is {number} at step {self.step}")
            self.record[name] = number if finite else None  # JSON has no infinity, and no NaN
            self.latest[name] = number
        if self._bar is not None:  # not behind the loop
            self._bar.set_postfix({name: f"{value:.4g}" for name, value in self.latest.items()},
                                  refresh=False)

    def _diverged(self, what: str) -> None:
        self._bar.close()
        raise FloatingPointError(
            f"{what}. Training has diverged, and the checkpoint is not replaced. Try a smaller "
            "learning rate, nn.utils.clip_grad_norm_(model.parameters(), 1.0) before "
            "optimizer.step(), inputs scaled to about [-1, 1]; a block of "
            "`with autograd.detect_anomaly():` around the loop names the operation in which NaN "
            "begins")

    def _write_record(self) -> None:
        if self.record:
            with self._path("metrics.jsonl").open("a") as file:
                file.write(json.dumps(self.record) + "\n")
            self._show(self.record)
            self.record = {}

    def _show(self, row: dict[str, Any]) -> None:
        """The metrics of a step for TensorBoard."""
        if self._board is not None:
            for name in row.keys() - NOT_METRICS:
                if row[name] is not None:
                    self._board.add_scalar(name, row[name], row["step"])

    def rows(self) -> list[dict[str, Any]]:
        """What metrics.jsonl holds: a dict for each step."""
        return [json.loads(line) for line in self._path("metrics.jsonl").read_text().splitlines()]

    def _elapsed(self) -> float:
        """Seconds of training so far."""
        if self._bar is None:
            return self.seconds
        return self.seconds + time.perf_counter() - self._started

    # ------------------------------------------------------------ checkpoints

    def state_dict(self) -> dict[str, Any]:
        """The run's own part of a checkpoint."""
        metrics = numpy.frombuffer(self._path("metrics.jsonl").read_bytes(), numpy.uint8)
        return {"step": self.step, "epoch": self.epoch, "epochs_done": self.epochs_done,
                "seconds": self._elapsed(), "record": self.record, "latest": self.latest,
                "options": self._options(), "metrics": tt.from_numpy(metrics.copy())}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on there; the file of metrics becomes what it was."""
        for name, now in self._options().items():
            before = state["options"].get(name, now)
            if before != now:
                print(f"note: --{name.replace('_', '-')} was {before} when this run began, and is "
                      f"{now} now")
        for name in ("step", "epoch", "epochs_done", "seconds", "record", "latest"):
            setattr(self, name, state[name])
        self._path("metrics.jsonl").write_bytes(state["metrics"].numpy().tobytes())

    def _options(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self.given).items()
                if name not in MAY_DIFFER and isinstance(value, bool | int | float | str)}

    def _everything(self) -> dict[str, Any]:
        return {"run": self, "random": resume.RandomState(), **self.parts}

    def _begin(self) -> None:
        """Resumes, or starts with a clean folder."""
        checkpoint = self._path("checkpoint.safetensors")
        for left in self.folder.glob(f".{checkpoint.name}.*.tmp"):  # by a process that was killed
            left.unlink()
        if self.given.resume and checkpoint.exists():
            resume.load_checkpoint(checkpoint, **self._everything())
            print(f"resuming after step {self.step}: {checkpoint}")
        else:
            if self.given.resume:
                print(f"no checkpoint in {self.folder}: starting from the beginning")
            elif checkpoint.exists():
                earlier = self._path("earlier_checkpoint.safetensors")
                os.replace(checkpoint, earlier)
                print(f"starting from the beginning (--resume goes on); the last run's checkpoint "
                      f"is kept as {earlier}")
            self._path("metrics.jsonl").write_text("")
        self._begun = True
        self._begin_board()

    def _begin_board(self) -> None:
        """Event files for TensorBoard, made anew when resuming, so that no step is there twice."""
        try:
            from tinytensor.utils.tensorboard import SummaryWriter
        except ImportError:
            print("for event files: pip install -e '.[tensorboard]' in the project's folder")
            return
        folder = self._path("tensorboard")
        for old in folder.glob("events.out.tfevents.*"):
            old.unlink()
        self._board = SummaryWriter(folder)
        for row in self.rows():
            self._show(row)

    def checkpoint(self) -> None:
        """Writes a checkpoint, in place of the last one."""
        for part, module in self.parts.items():
            if isinstance(module, tt.nn.Module):
                for name, weight in module.named_parameters():
                    if not bool(tt.isfinite(weight).all()):
                        self._diverged(f"{part}.{name} is not finite after step {self.step}")
        resume.save_checkpoint(self._path("checkpoint.safetensors"), **self._everything())
        if self._board is not None:
            self._board.flush()

    def _save_if(self, due: bool) -> None:
        """Between two steps: a checkpoint if it is due, and the end if that was asked for."""
        if due or self._signal:
            self.checkpoint()
        if self._signal:
            self._bar.close()
            command = shlex.join(["python", *sys.argv, *["--resume"] * (not self.given.resume)])
            print(f"stopped after step {self.step}, with a checkpoint. To go on:\n    {command}")
            sys.exit(128 + self._signal)  # as shells count it

    def _ask_to_stop(self, number: int, _: Any) -> None:
        if self._signal:
            raise KeyboardInterrupt
        self._signal = number
        os.write(2, b"\nstopping after this step; once more stops at once\n")  # safe in a handler

    # ------------------------------------------------------------ the end

    def finish(self) -> None:
        """The last checkpoint, the curves, and where everything is."""
        self._write_record()
        self.checkpoint()
        if self._board is not None:
            self._board.close()
        self.plot()
        print(f"{self.step} steps in {self.seconds:.1f} s; checkpoint, metrics and curves.png are "
              f"in {self.folder}")

    def plot(self) -> None:
        """curves.png: each metric over the steps, noisy ones with a moving average.

        A metric whose name begins with another's, such as loss_held_out, is drawn with it.
        """
        rows = self.rows()
        names = list(dict.fromkeys(name for row in rows for name, value in row.items()
                                   if value is not None and name not in NOT_METRICS))
        firsts = [name for name in names if not any(name.startswith(f"{n}_") for n in names)]
        if not names:
            return
        plt = support.pyplot()
        figure, panels = plt.subplots(len(firsts), squeeze=False, sharex=True, dpi=120,
                                      figsize=(6, 1 + 2 * len(firsts)))
        for first, axes in zip(firsts, panels.flat, strict=True):
            together = [name for name in names if name == first or name.startswith(f"{first}_")]
            least, most = math.inf, -math.inf
            for i, name in enumerate(together):
                points = [(row["step"], row[name]) for row in rows if row.get(name) is not None]
                values = _curve(axes, *numpy.array(points).T, f"C{i}", name)
                least, most = min(least, values.min()), max(most, values.max())
            if least > 0 and most > 20 * least:
                axes.set_yscale("log")
            axes.set_ylabel(first)
            axes.legend()
            axes.grid(alpha=0.3)
        panels[-1, 0].set_xlabel("step")
        panels[0, 0].set_title(self.name)
        figure.tight_layout()
        figure.savefig(self._path("curves.png"))
        plt.close(figure)

    def _path(self, name: str) -> Path:
        return self.folder / name


def _curve(axes: Any, steps: Any, values: Any, color: str, name: str) -> Any:
    """Draws values over steps, and where there are many, their moving average; what was drawn."""
    window = len(values) // 25
    if window > 1:
        axes.plot(steps, values, color=color, alpha=0.3, linewidth=0.8)
        steps = steps[window - 1:]
        values = numpy.convolve(values, numpy.full(window, 1 / window), "valid")
    axes.plot(steps, values, color=color, marker="." if len(values) < 40 else "",
              label=f"{name}, mean of {window} steps" if window > 1 else name)
    return values
