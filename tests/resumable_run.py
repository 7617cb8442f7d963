"""A training program with every kind of state. test_resume.py kills and resumes it.

    python tests/resumable_run.py --output FOLDER [--resume] [--die-at replace:3]
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
from pathlib import Path
from typing import Any

import numpy

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "examples")]

import trainer  # noqa: E402

import tinytensor as tt  # noqa: E402
from tinytensor import nn, optim  # noqa: E402
from tinytensor.utils.data import DataLoader, TensorDataset  # noqa: E402

EPOCHS, BATCHES = 8, 7


def die_at(call: str) -> None:
    """Kills the process at the nth call of a function of `os`: "replace:3" is the third replace."""
    name, number = call.split(":")
    original, calls = getattr(os, name), 0

    def deadly(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == int(number):
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*args, **kwargs)

    setattr(os, name, deadly)


class Ema:
    """A moving average of the weights: an object with state of its own."""

    def __init__(self, model: Any):
        self.mean = {name: p.detach().clone() for name, p in model.named_parameters()}

    def update(self, model: Any) -> None:
        for name, p in model.named_parameters():
            self.mean[name] = 0.9 * self.mean[name] + 0.1 * p.detach()

    def state_dict(self) -> dict[str, Any]:
        return self.mean

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.mean = state


def main() -> None:
    parser = argparse.ArgumentParser()
    trainer.arguments(parser)
    parser.add_argument("--die-at")
    parser.add_argument("--workers", type=int, default=0)
    given = parser.parse_args()
    if given.die_at:
        die_at(given.die_at)

    for seed in (tt.manual_seed, numpy.random.seed, random.seed):
        seed(given.seed)
    noise = numpy.random.default_rng(given.seed)
    x = tt.randn(BATCHES * 8 - 3, 6)
    y = x[:, :3].argmax(1)
    loader = DataLoader(TensorDataset(x, y), batch_size=8, shuffle=True, num_workers=given.workers)
    model = nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3),
                          nn.Linear(16, 3))
    optimizer = optim.Adam(model.parameters(), lr=0.03, amsgrad=True)
    scheduler = optim.lr_scheduler.OneCycleLR(optimizer, 0.05, total_steps=EPOCHS * BATCHES)
    plateau = optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=1)
    ema = Ema(model)
    run = trainer.Run("resumable", given, model=model, optimizer=optimizer, scheduler=scheduler,
                      plateau=plateau, loader=loader, noise=noise, ema=ema)
    run.plot = lambda: None  # type: ignore[method-assign] # Matplotlib's import takes a second
    for _ in run.epochs(EPOCHS):
        for inputs, labels in run.batches(loader):
            jitter = noise.normal(size=inputs.shape) + numpy.random.normal() + random.random()
            logits = model(inputs + 0.1 * tt.tensor(jitter, dtype=tt.float32))
            loss = nn.functional.cross_entropy(logits, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
            ema.update(model)
            run.log(loss=loss)
        held_out = nn.functional.cross_entropy(model(x), y)  # dropout draws random numbers here
        plateau.step(held_out.item())
        run.log(held_out_loss=held_out)
    run.finish()


if __name__ == "__main__":
    main()
