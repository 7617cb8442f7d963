"""A training step on two moons: MLP 2-16-16-1, 100 samples, max-margin loss with L2 penalty."""

from __future__ import annotations

import random
from typing import Any

import numpy

from ..peers import MICROGRAD, OURS, SCALAR, Row, Step

SAMPLES = 100


def data() -> tuple[list[list[float]], list[int]]:
    """Two interleaved half circles with noise, with labels -1 and 1."""
    rng = numpy.random.default_rng(0)
    angles = rng.uniform(0, numpy.pi, SAMPLES)
    outer = numpy.arange(SAMPLES) % 2 == 0
    x = numpy.where(outer, numpy.cos(angles), 1 - numpy.cos(angles))
    y = numpy.where(outer, numpy.sin(angles), 0.5 - numpy.sin(angles))
    points = numpy.stack([x, y], 1) + rng.normal(0, 0.1, (SAMPLES, 2))
    return points.tolist(), numpy.where(outer, -1, 1).tolist()


def training_step(value: Any, nn: Any) -> Step:
    """The step as in micrograd's demo. `value` and `nn` come from micrograd or `scalar`."""
    random.seed(1337)
    points, labels = data()
    model = nn.MLP(2, [16, 16, 1])
    parameters = model.parameters()

    def step() -> Any:
        scores = [model([value(v) for v in point]) for point in points]
        losses = [(1 + -label * score).relu() for label, score in zip(labels, scores, strict=True)]
        loss = sum(losses) * (1.0 / len(losses)) + 1e-4 * sum(p * p for p in parameters)
        model.zero_grad()
        loss.backward()
        for p in parameters:
            p.data -= 0.01 * p.grad
        return loss.data

    return step


def with_scalar(device: str) -> Step:
    import scalar

    return training_step(scalar.Value, scalar.nn)


def with_micrograd(device: str) -> Step:
    import micrograd.engine
    import micrograd.nn

    return training_step(micrograd.engine.Value, micrograd.nn)


def with_tinytensor(device: str) -> Step:
    import scalar
    import tinytensor
    from tinytensor.nn import functional

    points, labels = data()
    x = tinytensor.tensor(points, device=device)
    y = tinytensor.tensor(labels, device=device)
    random.seed(1337)
    start = scalar.nn.MLP(2, [16, 16, 1]).state_dict()
    model = tinytensor.nn.MLP(2, [16, 16, 1])
    model.load_state_dict({name: tinytensor.tensor(value) for name, value in start.items()})
    model.to(device)
    optimizer = tinytensor.optim.SGD(model.parameters(), lr=0.01)

    def step() -> Any:
        loss = functional.hinge_loss(model(x), y)
        loss = loss + 1e-4 * functional.squared_norm(model.parameters())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step


ROWS = [Row("scalar moons: training step",
            {SCALAR: with_scalar, MICROGRAD: with_micrograd, OURS: with_tinytensor},
            {MICROGRAD: 5.0}, quick=(SCALAR, MICROGRAD, OURS))]
