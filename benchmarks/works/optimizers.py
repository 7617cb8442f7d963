"""One optimizer step on square matrices and biases, with given gradients."""

from __future__ import annotations

import functools
from typing import Any

from .. import tinygrad_named, torch_named
from ..data import Weights, normal
from ..numpy_named import InPlace, jax_update
from ..peers import JAX, NUMPY, OURS, PYTORCH, PYTORCH_FUSED, TINYGRAD, Row, Step, targets

LR = 1e-3
SIZES = {"1M": (16, 256), "10M": (10, 1024)}  # number and width of the matrices
SMALL = (2, 3)


def made(count: int, width: int) -> tuple[Weights, Weights]:
    """The parameters and their gradients."""
    shapes = [shape for _ in range(count) for shape in ((width, width), (width,))]
    return ({str(i): normal(*shape, seed=i) for i, shape in enumerate(shapes)},
            {str(i): normal(*shape, seed=1000 + i) for i, shape in enumerate(shapes)})


def torch_step(torch: Any, device: str, kind: str, count: int, width: int,
               **settings: Any) -> Step:
    parameters = []
    for value, gradient in zip(*(group.values() for group in made(count, width)), strict=True):
        parameter = torch.nn.Parameter(torch.from_numpy(value).to(device))
        parameter.grad = torch.from_numpy(gradient).to(device)
        parameters.append(parameter)
    optimizer = getattr(torch.optim, kind)(parameters, lr=LR, **settings)

    def step() -> None:
        optimizer.step()

    return checked(step, lambda: parameters[0].sum().item())


def checked(update: Any, read: Any) -> Step:
    """The update. Its first three calls also return a number, which the peers compare."""
    calls = 0

    def step() -> Any:
        nonlocal calls
        update()
        calls += 1
        return read() if calls <= 3 else None

    return step


def numpy_step(kind: str, count: int, width: int) -> Step:
    values, gradients = (list(group.values()) for group in made(count, width))
    optimizer = InPlace(kind, values, LR)
    return checked(lambda: optimizer.step(gradients), lambda: values[0].sum())


def jax_step(kind: str, count: int, width: int) -> Step:
    import jax

    start, update = jax_update(kind, LR)
    parameters, gradients = (jax.device_put(group) for group in made(count, width))
    state = start(parameters)
    compiled = functools.partial(jax.jit, donate_argnums=(0, 2))(update)

    def step() -> None:
        nonlocal parameters, state
        parameters, state = jax.block_until_ready(compiled(parameters, gradients, state))

    return checked(step, lambda: parameters["0"].sum())


def tinygrad_step(kind: str, count: int, width: int) -> Step:
    from tinygrad import Tensor, TinyJit
    from tinygrad.helpers import Context
    from tinygrad.nn import optim

    values, gradients = (tinygrad_named.tensors(*group.values()) for group in made(count, width))
    optimizer = getattr(optim, kind)(values, lr=LR)
    for value, gradient in zip(values, gradients, strict=True):
        value.grad = gradient

    @TinyJit
    def update() -> None:
        with Context(TRAINING=1):
            Tensor.realize(*optimizer.schedule_step())

    def step() -> None:
        update()
        tinygrad_named.synchronize()

    return checked(step, lambda: values[0].sum().item())


def row(kind: str, count: int, width: int, name: str, goal: float | None = None,
        quick: tuple[str, ...] = ()) -> Row:
    peers = torch_named.peers(torch_step, kind=kind, count=count, width=width)
    if kind != "SGD":  # the fused form of PyTorch's plain SGD is not faster
        peers[PYTORCH_FUSED] = torch_named.peers(
            torch_step, kind=kind, count=count, width=width, fused=True)[PYTORCH]
    peers |= {JAX: lambda device: jax_step(kind, count, width),
              TINYGRAD: lambda device: tinygrad_step(kind, count, width),
              NUMPY: lambda device: numpy_step(kind, count, width)}
    return Row(f"{kind} step alone, {name} parameters", peers, targets(goal, peers), quick=quick)


ROWS = [row(kind, *SIZES[name], name, 1.0 if (kind, name) == ("AdamW", "10M") else None,
            quick=(OURS, PYTORCH, PYTORCH_FUSED, NUMPY) if kind == "AdamW" else ())
        for kind in ("SGD", "AdamW") for name in SIZES]
