"""A training step of an MLP: 784-256-128-10 with ReLU, cross-entropy, SGD."""

from __future__ import annotations

import itertools
from typing import Any

import numpy

from .. import by_hand, numpy_named, tinygrad_named, torch_named
from ..data import Weights, integers, normal, weights
from ..peers import AUTOGRAD, JAX, MYGRAD, NUMPY, OURS, PYTORCH, Row, Step, targets

LR = 0.01
SIZES = (784, 256, 128, 10)
SMALL = {"batch": 4, "sizes": (12, 8, 5)}


def torch_step(torch: Any, device: str, batch: int, sizes: tuple[int, ...]) -> Step:
    nn = torch.nn
    layers: list[Any] = []
    for inputs, outputs in itertools.pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    model = torch_named.filled(torch, nn.Sequential(*layers[:-1]), device)
    x = torch.from_numpy(normal(batch, sizes[0])).to(device)
    y = torch.from_numpy(integers(sizes[-1], batch)).to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=LR)
    return torch_named.training(optimizer, lambda: nn.functional.cross_entropy(model(x), y))


def made(batch: int, sizes: tuple[int, ...]) -> tuple[Weights, tuple[numpy.ndarray, ...]]:
    """The weights, with the names that Sequential gives them, and the data."""
    shapes: dict[str, tuple[int, ...]] = {}
    for i, (inputs, outputs) in enumerate(itertools.pairwise(sizes)):
        shapes |= {f"{2 * i}.weight": (outputs, inputs), f"{2 * i}.bias": (outputs,)}
    return weights(shapes), (normal(batch, sizes[0]), integers(sizes[-1], batch))


def numpy_loss(names: Any, parameters: Any, x: Any, y: Any) -> Any:
    last = len(parameters) // 2 - 1
    for i in range(last + 1):
        x = names.np.matmul(x, parameters[f"{2 * i}.weight"].T) + parameters[f"{2 * i}.bias"]
        x = names.relu(x) if i < last else x
    return names.cross_entropy(x, y)


def tinygrad_loss(parameters: Any, x: Any, y: Any) -> Any:
    last = len(parameters) // 2 - 1
    for i in range(last + 1):
        x = x.linear(parameters[f"{2 * i}.weight"].T, parameters[f"{2 * i}.bias"])
        x = x.relu() if i < last else x
    return x.sparse_categorical_crossentropy(y)


def numpy_step(batch: int, sizes: tuple[int, ...]) -> Step:
    parameters, (x, y) = made(batch, sizes)
    arrays = list(parameters.values())
    ws, bs = arrays[::2], arrays[1::2]
    ones = numpy.ones(batch, numpy.float32)

    def step() -> Any:
        inputs = [x]
        for w, b in zip(ws, bs, strict=True):
            z = inputs[-1] @ w.T
            z += b
            inputs.append(numpy.maximum(z, 0, out=z) if w is not ws[-1] else z)
        loss, g = by_hand.cross_entropy(inputs.pop(), y)
        for i in reversed(range(len(ws))):
            of_w, of_b = g.T @ inputs[i], ones @ g
            if i:
                g = g @ ws[i]
                g *= inputs[i] > 0
            of_w *= LR
            ws[i] -= of_w
            bs[i] -= LR * of_b
        return loss

    return step


def row(batch: int, sizes: tuple[int, ...] = SIZES, goal: float | None = None,
        quick: tuple[str, ...] = ()) -> Row:
    def data() -> Any:
        return made(batch, sizes)

    peers = (torch_named.peers(torch_step, batch=batch, sizes=sizes)
             | numpy_named.peers(numpy_loss, data, lr=LR)
             | tinygrad_named.peers(tinygrad_loss, data, lr=LR)
             | {NUMPY: lambda device: numpy_step(batch, sizes)})
    return Row(f"MLP {'-'.join(map(str, sizes))}, batch {batch}", peers, targets(goal, peers),
               quick=quick)


ROWS = [row(1, goal=1.5, quick=(OURS, PYTORCH)),
        row(32, goal=1.5, quick=(OURS, PYTORCH, JAX, MYGRAD, AUTOGRAD, NUMPY)),
        row(128, goal=1.3),
        row(1024, goal=1.1, quick=(OURS, PYTORCH))]
