"""The cost of recording: 1,000 chained operations on 16 numbers, forward and backward."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

LENGTH = 1000
START, FACTOR, SHIFT = numpy.random.default_rng(0).uniform(0.5, 1.0, (3, 16)).astype(numpy.float32)

# Each chain applies LENGTH operations to y; w and b are parameters that want a gradient.
CHAINS: dict[str, Callable[..., Any]] = {}


def chain(function: Callable[..., Any]) -> Callable[..., Any]:
    CHAINS[function.__name__] = function
    return function


@chain
def multiply_and_add(y: Any, w: Any, b: Any, tanh: Any) -> Any:
    for _ in range(LENGTH // 2):
        y = y * w
        y = y + b
    return y


@chain
def multiply_by_number(y: Any, w: Any, b: Any, tanh: Any) -> Any:
    for _ in range(LENGTH):
        y = y * 1.001
    return y


@chain
def tanh(y: Any, w: Any, b: Any, tanh: Any) -> Any:
    for _ in range(LENGTH):
        y = tanh(y)
    return y


def with_tinytensor(run: Callable[..., Any]) -> Callable[[], None]:
    import tinytensor

    x, w, b = (tinytensor.tensor(a, requires_grad=True) for a in (START, FACTOR, SHIFT))

    def step() -> None:
        run(x, w, b, tinytensor.tanh).sum().backward()

    return step


def with_pytorch(run: Callable[..., Any]) -> Callable[[], None]:
    import torch

    torch.set_num_threads(2)
    x, w, b = (torch.tensor(a, requires_grad=True) for a in (START, FACTOR, SHIFT))

    def step() -> None:
        run(x, w, b, torch.tanh).sum().backward()

    return step


def with_autograd(run: Callable[..., Any]) -> Callable[[], None]:
    import autograd
    import autograd.numpy as anp

    gradient = autograd.grad(lambda p: anp.sum(run(p[0], p[1], p[2], anp.tanh)))

    def step() -> None:
        gradient((START, FACTOR, SHIFT))

    return step


def with_mygrad(run: Callable[..., Any]) -> Callable[[], None]:
    import mygrad

    x, w, b = (mygrad.tensor(a) for a in (START, FACTOR, SHIFT))

    def step() -> None:
        run(x, w, b, mygrad.tanh).sum().backward()

    return step


def _row(run: Callable[..., Any]) -> dict[str, Callable[[], Callable[[], None]]]:
    peers = {"tinytensor": with_tinytensor, "PyTorch": with_pytorch, "autograd": with_autograd,
             "MyGrad": with_mygrad}
    return {name: (lambda prepare=prepare: prepare(run)) for name, prepare in peers.items()}


ROWS = {f"overhead: {name.replace('_', ' ')}, 1,000 ops": _row(run)
        for name, run in CHAINS.items()}
