"""Programs written once under PyTorch's names, and run by PyTorch and by tinytensor.

A program takes the module (`torch` or `tinytensor`), the device and its sizes, and returns a step.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from typing import Any

from .data import weights
from .peers import OURS, PYTORCH, REFERENCE, Prepare, Step


def peers(program: Callable[..., Step], **sizes: Any) -> dict[str, Prepare]:
    """The peers that run this one text, ours first."""
    def with_module(name: str) -> Prepare:
        def prepare(device: str) -> Step:
            module = importlib.import_module(name)
            module.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
            step = program(module, device, **sizes)
            return step if device == "cpu" else synchronized(step, module)
        return prepare

    ours = with_module("tinytensor")  # the environment of the process switches the kernels off
    return {OURS: ours, REFERENCE: ours, PYTORCH: with_module("torch")}


def synchronized(step: Step, module: Any) -> Step:
    """The step, and the wait for the GPU to finish it."""
    def waited() -> Any:
        result = step()
        module.cuda.synchronize()
        return result
    return waited


def filled(torch: Any, model: Any, device: str) -> Any:
    """The model with the weights that every peer starts from, on the device."""
    named = dict(model.named_parameters())
    arrays = weights({name: tuple(p.shape) for name, p in named.items()})
    with torch.no_grad():
        for name, parameter in named.items():
            parameter.copy_(torch.from_numpy(arrays[name]))
    return model.to(device)


def training(optimizer: Any, loss: Callable[[], Any]) -> Step:
    """One step of training: forward, backward, update."""
    def step() -> Any:
        value = loss()
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        return value
    return step
