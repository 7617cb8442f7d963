"""Programs for the tests of the debugger."""

from __future__ import annotations

import math
import random
from typing import Any

import scalar
import tinytensor as tt
from scalar import Value
from tinytensor import learn, nn


def neuron() -> Value:
    """13 numbers: (tanh(w0 x0 + w1 x1 + b) - 0.8)²."""
    w = [Value(0.5, label="w0"), Value(-1.0, label="w1")]
    x = [Value(2.0, label="x0"), Value(1.0, label="x1")]
    b = Value(0.3, label="b")
    with learn.record():
        p0 = w[0] * x[0]
        p1 = w[1] * x[1]
        n = p0 + p1 + b
        out = n.tanh()
        loss = (out - 0.8) ** 2
    for value, label in ((p0, "p0"), (p1, "p1"), (n, "n"), (out, "out"), (loss, "loss")):
        value.label = label
    return loss


SIZES = {500: ([8, 8, 1], 2), 5_500: ([16, 16, 1], 8), 50_000: ([64, 64, 1], 6)}


def moons(size: int) -> tuple[Value, scalar.nn.MLP]:
    """A hinge loss of about `size` numbers, and the model."""
    sizes, samples = SIZES[size]
    draw = random.Random(0)
    scalar.manual_seed(0)
    model = scalar.nn.MLP(2, sizes)
    x = [[draw.gauss(0, 1), draw.gauss(0, 1)] for _ in range(samples)]
    y = [1 if i % 2 else -1 for i in range(samples)]
    with learn.record():
        loss = scalar.functional.hinge_loss(model(x), y)
    return loss, model


class Head(nn.Module):
    """One head of causal attention."""

    def __init__(self, width: int, size: int):
        super().__init__()
        self.query = nn.Linear(width, size, bias=False)
        self.key = nn.Linear(width, size, bias=False)
        self.value = nn.Linear(width, size, bias=False)

    def forward(self, x: Any) -> Any:
        q, k, v = self.query(x), self.key(x), self.value(x)
        scores = q @ k.mT / math.sqrt(q.shape[-1])
        mask = tt.ones(len(x), len(x)).tril() == 0
        return scores.masked_fill(mask, float("-inf")).softmax(-1) @ v


def attention() -> tuple[Any, Head]:
    """The loss of a head of attention, and the head."""
    tt.manual_seed(0)
    head, x = Head(16, 8), tt.randn(6, 16)
    with learn.record():
        loss = (head(x) ** 2).mean()
    return loss, head


class Reader(nn.Module):
    """An LSTM cell that reads a sequence, and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(6, 8)
        self.read = nn.Linear(8, 1)

    def forward(self, x: Any) -> Any:
        h, c = tt.zeros(2, 8), tt.zeros(2, 8)
        for step in x:
            h, c = self.cell(step, (h, c))
        return self.read(h)


def lstm() -> tuple[Any, Reader]:
    """The loss after three steps of an LSTM, and the model."""
    tt.manual_seed(0)
    model, x, target = Reader(), tt.randn(3, 2, 6), tt.ones(2, 1)
    with learn.record():
        loss = nn.functional.mse_loss(model(x), target)
    return loss, model
