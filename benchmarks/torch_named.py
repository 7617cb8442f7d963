"""Programs for the peers with PyTorch's names: PyTorch and tinytensor run the same text.

A program is a function of the module (`torch` or `tinytensor`), the device and the sizes. It
returns a step.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from typing import Any

from .data import weights
from .peers import OURS, PYTORCH, REFERENCE, Prepare, Step


def peers(program: Callable[..., Step], **sizes: Any) -> dict[str, Prepare]:
    """The peers that run this program, ours first."""
    def with_module(name: str) -> Prepare:
        def prepare(device: str) -> Step:
            module = importlib.import_module(name)
            module.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
            step = program(module, device, **sizes)
            return step if device == "cpu" else synchronized(step, module)
        return prepare

    ours = with_module("tinytensor")  # for REFERENCE, an environment variable disables kernels
    return {OURS: ours, REFERENCE: ours, PYTORCH: with_module("torch")}


def synchronized(step: Step, module: Any) -> Step:
    """The step, followed by a wait for the GPU."""
    def waited() -> Any:
        result = step()
        module.cuda.synchronize()
        return result
    return waited


def filled(torch: Any, model: Any, device: str) -> Any:
    """The model on the device, with the initial weights that all peers share."""
    named = dict(model.named_parameters())
    arrays = weights({name: tuple(p.shape) for name, p in named.items()})
    with torch.no_grad():
        for name, parameter in named.items():
            parameter.copy_(torch.from_numpy(arrays[name]))
    return model.to(device)


def training(optimizer: Any, loss: Callable[[], Any]) -> Step:
    """A training step: forward, backward, update."""
    def step() -> Any:
        value = loss()
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        return value
    return step
