"""What a training loop needs around it: progress, metrics, checkpoints, resuming, Ctrl-C, curves.

The loop itself is in each example:

    run = trainer.Run("name", args, model=model, optimizer=optimizer, loader=loader)
    for epoch in run.epochs(10):                # or, without a loader: for step in run.steps(1000):
        for x, y in run.batches(loader):
            ...
            run.log(loss=loss)
        run.log(accuracy=...)                   # belongs to the last step of the epoch
    run.finish()

A run writes its files to one folder: checkpoint.safetensors, metrics.jsonl (one line per step),
curves.png, and event files if TensorBoard is installed. A checkpoint is written between two steps.
It contains the parts passed to `Run`, the state of the random generators, and the metrics so far.

A run that is killed at any moment and continued with --resume gives the same bits as an
uninterrupted run. The condition: no state other than the parts is carried from one step to the
next. For example, gradients that are summed over several batches must belong to one step.
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
    """Adds the options that all examples with a `Run` share."""
    parser.add_argument("--device", type=_device, default="cpu",
                        help="cpu or cuda (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=seed,
                        help="the seed of all random numbers (default: %(default)s)")
    parser.add_argument("--smoke", action="store_true",
                        help="run a few tiny steps, to check that the example works")
    parser.add_argument("--resume", action="store_true",
                        help="continue from the checkpoint in the output folder")
    parser.add_argument("--checkpoint-every", type=_count, default=200, metavar="STEPS",
                        help="steps between checkpoints; 0: only at the end and at Ctrl-C "
                             "(default: %(default)s)")
    parser.add_argument("--output", type=Path, metavar="FOLDER",
                        help="the output folder (default: a folder in examples/output/)")


def _device(name: str) -> str:
    try:
        tt.empty(0, device=name)
    except (RuntimeError, ImportError) as missing:
        raise argparse.ArgumentTypeError(str(missing)) from None
    return name


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"must be a whole number, at least 0, got {text!r}")
    return int(text)


# Options that may change when a run is resumed. Any other changed option is reported. The options
# of the second line are used after training only.
MAY_DIFFER = {"resume", "output", "checkpoint_every", "device",
              "prompt", "length", "temperature", "top_k", "top_p"}
NOT_METRICS = {"step", "epoch", "seconds"}  # the other keys of a line of metrics.jsonl


class Run:
    """One training run.

    Args:
        name: the name of its folder in examples/output/.
        args: the parsed options, including those of `arguments`.
        parts: every object with state that training changes: models, optimizers, schedulers,
            loaders, generators. Each needs `state_dict()` and `load_state_dict()`. The keywords
            are the names of the parts in the checkpoint.

    step    The number of the current step, from 1.
    epoch   The number of the current epoch, from 1; 0 without epochs.
    folder  The output folder. Examples may write to it too.
    """

    def __init__(self, name: str, args: argparse.Namespace, **parts: Any):
        taken = parts.keys() & {"run", "random"}
        if taken:
            raise ValueError(f"Run: {', '.join(taken)}: every run has a part of that name already")
        resume.check_parts(parts)
        self.name, self.args, self.parts = name, args, parts
        self.folder = args.output or support.OUTPUT / (f"{name}_smoke" if args.smoke else name)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.step = self.epoch = self.epochs_done = 0
        self.record: dict[str, Any] = {}  # the metrics of this step, not yet written
        self.latest: dict[str, float] = {}  # the last logged value of each metric
        self.seconds = 0.0  # the time of all loops, except the one that began at `_started`
        self._begun = False  # whether `_begin` has run
        self._board: Any = None  # a SummaryWriter
        self._bar: Any = None  # the progress bar of the running loop
        self._looped = False  # whether `batches` has been called in this epoch
        self._signal = 0  # the signal that asked the run to stop

    # ------------------------------------------------------------ loops

    def epochs(self, count: int) -> Iterator[int]:
        """Yields 1 to `count`. A resumed run starts at the first unfinished epoch."""
        with self._running():
            while self.epochs_done < count:
                self._epochs, self._looped = count, False
                self.epoch = self.epochs_done + 1
                yield self.epoch
                self.epochs_done += 1
                self._save_if(False)

    def batches(self, loader: Any) -> Iterator[Any]:
        """Yields the batches of one epoch. A resumed run yields the remaining ones."""
        if self._looped or not self.epoch:
            raise RuntimeError("batches: call it inside `for epoch in run.epochs(count):`, with "
                               "one loop over batches in each epoch")
        if not any(part is loader for part in self.parts.values()):
            raise ValueError("batches: this loader is not a part of the run, so the run could not "
                             "be resumed within an epoch; write Run(..., loader=loader)")
        self._looped = True
        with contextlib.suppress(TypeError):  # an iterable dataset has no length
            self._bar.total = self._epochs * len(loader)
        self._bar.set_description(f"epoch {self.epoch}/{self._epochs}")
        yield from self._counted(loader)
        if self.step == 0:
            raise ValueError("batches: the loader gave no batch: its dataset is empty, or smaller "
                             "than a batch with drop_last=True")

    def steps(self, count: int) -> Iterator[int]:
        """Yields 1 to `count`. A resumed run starts after the step of the checkpoint."""
        with self._running(count):
            yield from self._counted(range(self.step + 1, count + 1))

    def _counted(self, items: Iterable[Any]) -> Iterator[Any]:
        """Yields the items, one per step. Writes metrics and checkpoints between the steps."""
        for item in items:
            self._write_record()  # only now, because the end of an epoch may log to the last step
            self.step += 1
            yield item
            self._bar.update()
            every = self.args.checkpoint_every
            self._save_if(every > 0 and self.step % every == 0)

    @contextlib.contextmanager
    def _running(self, total: int | None = None) -> Iterator[None]:
        """Runs a loop: resumes before the first one, shows a progress bar, handles Ctrl-C."""
        if not self._begun:
            self._begin()
        before = {}
        if threading.current_thread() is threading.main_thread():
            before = {number: signal.signal(number, self._ask_to_stop)
                      for number in (signal.SIGINT, signal.SIGTERM)}
        self._bar = support.progress(None, initial=self.step, total=total)
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
        """Records metrics of this step: numbers, or Tensors with one element.

        Raises:
            FloatingPointError: a metric with "loss" in its name is infinite or NaN.
        """
        epoch = {"epoch": self.epoch} if self.epoch else {}
        self.record = {"step": self.step, **epoch, **self.record,
                       "seconds": round(self._elapsed(), 3)}
        for name, value in metrics.items():
            number = float(value.item() if hasattr(value, "item") else value)
            finite = math.isfinite(number)
            if "loss" in name and not finite:
                self._diverged(f"{name} is {number} at step {self.step}")
            self.record[name] = number if finite else None  # JSON has no infinity and no NaN
            self.latest[name] = number
        if self._bar is not None:
            self._bar.set_postfix({name: f"{value:.4g}" for name, value in self.latest.items()},
                                  refresh=False)

    def _diverged(self, what: str) -> None:
        self._bar.close()
        raise FloatingPointError(
            f"{what}. Training has diverged; the last checkpoint is kept. Try a smaller learning "
            "rate, nn.utils.clip_grad_norm_(model.parameters(), 1.0) before optimizer.step(), or "
            "inputs scaled to about [-1, 1]. `with autograd.detect_anomaly():` around the loop "
            "names the operation that gives the first NaN")

    def _write_record(self) -> None:
        if self.record:
            with self._path("metrics.jsonl").open("a") as file:
                file.write(json.dumps(self.record) + "\n")
            self._show(self.record)
            self.record = {}

    def _show(self, row: dict[str, Any]) -> None:
        """Sends the metrics of a step to TensorBoard."""
        if self._board is not None:
            for name in row.keys() - NOT_METRICS:
                if row[name] is not None:
                    self._board.add_scalar(name, row[name], row["step"])

    def rows(self) -> list[dict[str, Any]]:
        """The content of metrics.jsonl: a dict per step."""
        return [json.loads(line) for line in self._path("metrics.jsonl").read_text().splitlines()]

    def _elapsed(self) -> float:
        """The seconds of training so far."""
        if self._bar is None:
            return self.seconds
        return self.seconds + time.perf_counter() - self._started

    # ------------------------------------------------------------ checkpoints

    def state_dict(self) -> dict[str, Any]:
        """The run's own state, for a checkpoint."""
        metrics = numpy.frombuffer(self._path("metrics.jsonl").read_bytes(), numpy.uint8)
        return {"step": self.step, "epoch": self.epoch, "epochs_done": self.epochs_done,
                "seconds": self._elapsed(), "record": self.record, "latest": self.latest,
                "options": self._options(), "metrics": tt.from_numpy(metrics.copy())}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores the state, and the content of metrics.jsonl."""
        for name, now in self._options().items():
            before = state["options"].get(name, now)
            if before != now:
                print(f"note: --{name.replace('_', '-')} was {before} when this run began; it is "
                      f"{now} now")
        for name in ("step", "epoch", "epochs_done", "seconds", "record", "latest"):
            setattr(self, name, state[name])
        self._path("metrics.jsonl").write_bytes(state["metrics"].numpy().tobytes())

    def _options(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self.args).items()
                if name not in MAY_DIFFER and isinstance(value, bool | int | float | str)}

    def _everything(self) -> dict[str, Any]:
        return {"run": self, "random": resume.RandomState(), **self.parts}

    def _begin(self) -> None:
        """Loads the checkpoint of a resumed run. Otherwise starts with empty metrics."""
        checkpoint = self._path("checkpoint.safetensors")
        if self.args.resume and checkpoint.exists():
            resume.load_checkpoint(checkpoint, **self._everything())
            print(f"resuming after step {self.step}: {checkpoint}")
        else:
            if self.args.resume:
                print(f"no checkpoint in {self.folder}: starting from the beginning")
            elif checkpoint.exists():
                earlier = self._path("earlier_checkpoint.safetensors")
                os.replace(checkpoint, earlier)
                print(f"starting from the beginning (--resume would continue the last run); its "
                      f"checkpoint is kept as {earlier}")
            self._path("metrics.jsonl").write_text("")
        self._begun = True
        self._begin_board()

    def _begin_board(self) -> None:
        """Starts event files for TensorBoard. A resumed run rewrites them, without duplicates."""
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
        """Replaces the checkpoint.

        Raises:
            FloatingPointError: a parameter is infinite or NaN.
        """
        for part, module in self.parts.items():
            if isinstance(module, tt.nn.Module):
                for name, weight in module.named_parameters():
                    if not bool(tt.isfinite(weight).all()):
                        self._diverged(f"{part}.{name} is not finite after step {self.step}")
        resume.save_checkpoint(self._path("checkpoint.safetensors"), **self._everything())
        if self._board is not None:
            self._board.flush()

    def _save_if(self, due: bool) -> None:
        """Writes a checkpoint if one is due. Ends the program if a signal asked for it."""
        if due or self._signal:
            self.checkpoint()
        if self._signal:
            self._bar.close()
            command = shlex.join(["python", *sys.argv, *["--resume"] * (not self.args.resume)])
            print(f"stopped after step {self.step}, with a checkpoint. To continue:\n    {command}")
            sys.exit(128 + self._signal)  # the shell's exit status for a signal

    def _ask_to_stop(self, number: int, _: Any) -> None:
        if self._signal:
            raise KeyboardInterrupt
        self._signal = number
        # print() is not safe in a signal handler
        os.write(2, b"\nstopping after this step; press Ctrl-C again to stop at once\n")

    # ------------------------------------------------------------ the end

    def finish(self) -> None:
        """Writes the last checkpoint and the curves, and prints the folder."""
        self._write_record()
        self.checkpoint()
        if self._board is not None:
            self._board.close()
        self.plot()
        print(f"{self.step} steps in {self.seconds:.1f} s; checkpoint, metrics and curves.png are "
              f"in {self.folder}")

    def plot(self) -> None:
        """Draws curves.png: each metric by step, with a moving average if it has many values.

        A metric whose name extends another's is drawn in the same panel: loss_held_out with loss.
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
        support.save(figure, self._path("curves.png"))

    def _path(self, name: str) -> Path:
        return self.folder / name


def _curve(axes: Any, steps: Any, values: Any, color: str, name: str) -> Any:
    """Draws values by step; many values also as a moving average. Returns the averaged values."""
    window = len(values) // 25
    if window > 1:
        axes.plot(steps, values, color=color, alpha=0.3, linewidth=0.8)
        steps = steps[window - 1:]
        values = numpy.convolve(values, numpy.full(window, 1 / window), "valid")
    axes.plot(steps, values, color=color, marker="." if len(values) < 40 else "",
              label=f"{name}, mean of {window} steps" if window > 1 else name)
    return values
