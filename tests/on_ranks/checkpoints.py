"""Runs that are saved and resumed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy

import tinytensor as tt
import tinytensor.distributed as dist
from tinytensor import nn, optim
from tinytensor.nn.parallel import DistributedDataParallel
from tinytensor.utils import resume
from tinytensor.utils.data import DataLoader, DistributedSampler, TensorDataset

from .common import batch, on, raises, rank, without_batch_norm, world


class Run:
    """A training run that may be saved, with dropout and noise of its own on each rank."""

    def __init__(self, dropout: float) -> None:
        tt.manual_seed(rank())
        self.noise = numpy.random.default_rng(rank())
        x, y = batch(tt, 48, tt.float64)
        self.sampler = DistributedSampler(range(48), seed=3)
        self.loader = DataLoader(TensorDataset(x, y), 12 // world(), sampler=self.sampler)
        model = without_batch_norm()
        model[5] = nn.Sequential(nn.Tanh(), nn.Dropout(dropout))
        self.model = DistributedDataParallel(model)
        self.optimizer = optim.Adam(self.model.parameters(), lr=0.01)
        self.parts = {"model": self.model, "optimizer": self.optimizer, "loader": self.loader,
                      "random": resume.RandomState(), "noise": self.noise}
        self.dropout, self.epoch, self.losses = dropout, 0, []
        self.running: Iterator[None] | None = None

    def steps(self) -> Iterator[None]:
        while True:
            self.sampler.set_epoch(self.epoch)
            for x, y in self.loader:
                if self.dropout:
                    x = x + 0.1 * tt.tensor(self.noise.normal(size=x.shape))
                loss = nn.functional.cross_entropy(self.model(x), y)
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                dist.all_reduce(mean := loss.detach(), dist.ReduceOp.AVG)
                self.losses.append(mean.item())
                yield
            self.epoch += 1

    def train(self, batches: int) -> None:
        self.running = self.running or self.steps()
        for _ in range(batches):
            next(self.running)

    def weights(self) -> list[Any]:
        return [p.detach().numpy().copy() for p in self.model.parameters()]


@on(2)
def a_resumed_run_has_the_same_bits() -> None:
    whole = Run(0.5)
    whole.train(6)  # the middle of the second epoch
    resume.save_checkpoint(file := f"{sys.argv[1]}.dropout", **whole.parts)
    whole.train(6)
    again = Run(0.5)
    resume.load_checkpoint(file, **again.parts)
    again.epoch = 1
    again.train(6)
    assert again.losses == whole.losses[6:]
    for a, b in zip(again.weights(), whole.weights(), strict=True):
        numpy.testing.assert_array_equal(a, b)
    held = tt.load(file)
    assert len(held["ranks"]) == 1 and "0.weight" in held["model"]
    plain = Run(0)
    plain.train(6)
    resume.save_checkpoint(f"{sys.argv[1]}.plain", **plain.parts)
    plain.train(6)
    if rank() == 0:
        numpy.save(f"{sys.argv[1]}.npy", plain.losses)
    raises(ValueError, "the name 'ranks' is taken",
           lambda: resume.save_checkpoint(file, ranks=whole.model))
    raises(OSError, "does not exist",
           lambda: resume.save_checkpoint(f"{sys.argv[1]}.absent/file", model=whole.model))


@on(3)
def a_run_of_two_ranks_is_resumed_by_three() -> None:
    file = f"{sys.argv[1].removesuffix('3')}2"
    run = Run(0)
    resume.load_checkpoint(f"{file}.plain", **run.parts)
    run.epoch = 1
    run.train(6)
    numpy.testing.assert_allclose(run.losses, numpy.load(f"{file}.npy")[6:], 0, 1e-10)
    drawn: list[Any] = [None] * 3  # the third rank has random numbers of its own
    dist.all_gather_object(drawn, (tt.rand(1).item(), run.noise.random()))
    assert len(set(drawn)) == 3
