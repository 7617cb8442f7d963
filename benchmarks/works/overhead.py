"""The overhead per operation: 1,000 chained operations on 16 numbers, forward and backward."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

from .. import torch_named
from ..peers import AUTOGRAD, MYGRAD, Row, Step, targets

LENGTH = 1000
START, FACTOR, SHIFT = numpy.random.default_rng(0).uniform(0.5, 1.0, (3, 16)).astype(numpy.float32)

# Each chain applies LENGTH operations to y. w and b require gradients.
CHAINS: dict[str, Callable[..., Any]] = {}


def chain(function: Callable[..., Any]) -> Callable[..., Any]:
    """Registers a chain."""
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


def torch_step(torch: Any, device: str, run: Callable[..., Any]) -> Step:
    x, w, b = (torch.tensor(a, requires_grad=True, device=device) for a in (START, FACTOR, SHIFT))

    def step() -> Any:
        result = run(x, w, b, torch.tanh).sum()
        result.backward()
        return result

    return step


def with_autograd(run: Callable[..., Any]) -> Step:
    import autograd
    import autograd.numpy as anp

    gradient = autograd.value_and_grad(lambda p: anp.sum(run(p[0], p[1], p[2], anp.tanh)))

    def step() -> Any:
        return gradient((START, FACTOR, SHIFT))[0]

    return step


def with_mygrad(run: Callable[..., Any]) -> Step:
    import mygrad

    mygrad.turn_memory_guarding_off()
    x, w, b = (mygrad.tensor(a) for a in (START, FACTOR, SHIFT))

    def step() -> Any:
        result = run(x, w, b, mygrad.tanh).sum()
        result.backward()
        return result

    return step


def row(run: Callable[..., Any]) -> Row:
    peers = torch_named.peers(torch_step, run=run) | {
        MYGRAD: lambda device: with_mygrad(run), AUTOGRAD: lambda device: with_autograd(run)}
    return Row(f"overhead: {run.__name__.replace('_', ' ')}, 1,000 ops", peers,
               targets(2.0, peers), quick=tuple(peers),
               left_out="JAX and tinygrad compile the chain into one loop and record nothing")


ROWS = [row(run) for run in CHAINS.values()]
