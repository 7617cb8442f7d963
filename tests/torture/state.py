"""Checks the state of the process and of a thread."""

from __future__ import annotations

from typing import Any

import tinytensor
from tinytensor import nn, optim
from tinytensor.arrays import devices
from tinytensor.arrays.dispatch import KernelSettings
from tinytensor.autograd.modes import everywhere, mode
from tinytensor.kernels.cpu import linalg
from tinytensor.kernels.loops import Numba
from tinytensor.kernels.pool import pool

THREADS = 2


def blas() -> Any:
    """OpenBLAS with several threads, or None without it."""
    tinytensor.set_num_threads(THREADS)
    return linalg._blas() if Numba.usable() else None


class Training:
    """A model that uses several kernels, and the steps of a training loop."""

    def __init__(self) -> None:
        tinytensor.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(128, 128), nn.ReLU(), nn.LayerNorm(128),
                                   nn.Linear(128, 64), nn.Tanh(), nn.Linear(64, 10))
        self.optimizer = optim.Adam(self.model.parameters(), lr=1e-3)
        self.inputs, self.labels = tinytensor.randn(128, 128), tinytensor.randint(0, 10, (128,))

    def step(self) -> float:
        loss = nn.functional.cross_entropy(self.model(self.inputs), self.labels)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        return loss.item()

    def other_modes(self) -> None:
        with tinytensor.no_grad():
            self.model(self.inputs)
            with tinytensor.enable_grad():
                x = self.inputs[:4].clone().requires_grad_()
                y = self.model(x).tanh().sum()
                (g,) = tinytensor.autograd.grad(y, x, create_graph=True)
                penalty = g.square().sum()
            penalty.backward()
        with tinytensor.inference_mode():
            self.evaluated()

    @tinytensor.no_grad()
    def evaluated(self) -> float:
        return self.model(self.inputs).sum().item()


def wrong(blas: Any, threads: int) -> list[str]:
    """The names of states that differ from those at the start of a program."""
    with tinytensor.no_grad():
        pass  # a change of mode completes one that was interrupted
    state = {
        "OpenBLAS's threads": blas is None or blas.get_threads() == threads,
        "callers inside OpenBLAS": blas is None or not blas.state[0],
        "grad mode": mode.enabled is True,
        "inference mode": not mode.inference,
        "device of the gradients": mode.device is None,
        "depth of the modes": mode.depth == 0,
        "modes of all threads": everywhere.recorded,
        "lock of the modes": not everywhere.lock.locked(),
        "lock of the pool": not pool.busy.locked(),
        "use of kernels": KernelSettings.enabled,
        "default device": len(devices._defaults.stack) == 1,
        "number of threads": tinytensor.get_num_threads() == THREADS,
    }
    return [name for name, right in state.items() if not right]
