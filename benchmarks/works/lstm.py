"""A training step of an LSTM: 64 steps of 32 sequences, 64 inputs, 128 hidden; SGD."""

from __future__ import annotations

from typing import Any

import numpy

from .. import numpy_named, tinygrad_named, torch_named
from ..data import Weights, integers, normal, weights
from ..peers import OURS, PYTORCH, Row, Step, targets

LR = 0.1
CLASSES = 10
SMALL = {"inputs": 5, "hidden": 6, "batch": 3, "length": 4}


def torch_step(torch: Any, device: str, inputs: int, hidden: int, batch: int, length: int) -> Step:
    nn = torch.nn

    class Classifier(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm, self.head = nn.LSTM(inputs, hidden), nn.Linear(hidden, CLASSES)

        def forward(self, x: Any) -> Any:
            return self.head(self.lstm(x)[0].mean(0))

    model = torch_named.filled(torch, Classifier(), device)
    x = torch.from_numpy(normal(length, batch, inputs)).to(device)
    y = torch.from_numpy(integers(CLASSES, batch)).to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=LR)
    return torch_named.training(optimizer, lambda: nn.functional.cross_entropy(model(x), y))


def made(inputs: int, hidden: int, batch: int, length: int) \
        -> tuple[Weights, tuple[numpy.ndarray, ...]]:
    shapes = {"lstm.weight_ih_l0": (4 * hidden, inputs), "lstm.weight_hh_l0": (4 * hidden, hidden),
              "lstm.bias_ih_l0": (4 * hidden,), "lstm.bias_hh_l0": (4 * hidden,),
              "head.weight": (CLASSES, hidden), "head.bias": (CLASSES,)}
    return weights(shapes), (normal(length, batch, inputs), integers(CLASSES, batch))


def cell(names: Any, h: Any, c: Any, of_input: Any, transposed: Any) -> tuple[Any, Any]:
    """One time step. `of_input` is the input's part of the gates, precomputed for all steps."""
    gates, size = of_input + names.np.matmul(h, transposed), c.shape[1]
    kept = names.sigmoid(gates[:, :2 * size])
    c = kept[:, size:] * c + kept[:, :size] * names.np.tanh(gates[:, 2 * size:3 * size])
    return names.sigmoid(gates[:, 3 * size:]) * names.np.tanh(c), c


def numpy_loss(names: Any, parameters: Any, x: Any, y: Any) -> Any:
    np, p = names.np, parameters
    length, batch, inputs = x.shape
    transposed = p["lstm.weight_hh_l0"].T
    size = transposed.shape[0]
    flat = np.matmul(np.reshape(x, (length * batch, inputs)), p["lstm.weight_ih_l0"].T)
    of_inputs = np.reshape(flat + p["lstm.bias_ih_l0"] + p["lstm.bias_hh_l0"],
                           (length, batch, 4 * size))
    h = c = numpy.zeros((batch, size), numpy.float32)
    if hasattr(names, "scan"):
        total = names.scan(lambda s, of_input: cell(names, *s, of_input, transposed),
                           (h, c), of_inputs)
    else:
        total = 0.0
        for t in range(length):
            h, c = cell(names, h, c, of_inputs[t], transposed)
            total = total + h
    mean = total * (1 / length)
    return names.cross_entropy(np.matmul(mean, p["head.weight"].T) + p["head.bias"], y)


def tinygrad_loss(parameters: Any, x: Any, y: Any) -> Any:
    """The loop over time is unrolled, because TinyJit captures no loops."""
    p = parameters
    length, batch, size = x.shape[0], x.shape[1], p["lstm.weight_hh_l0"].shape[1]
    of_inputs = x.linear(p["lstm.weight_ih_l0"].T, p["lstm.bias_ih_l0"] + p["lstm.bias_hh_l0"])
    h = c = total = x.zeros(batch, size)
    for t in range(length):
        i, f, g, o = (of_inputs[t] + h.matmul(p["lstm.weight_hh_l0"].T)).chunk(4, dim=1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        total = total + h
    return (total / length).linear(p["head.weight"].T, p["head.bias"]) \
        .sparse_categorical_crossentropy(y)


def row(inputs: int = 64, hidden: int = 128, batch: int = 32, length: int = 64,
        goal: float | None = None, quick: tuple[str, ...] = ()) -> Row:
    sizes = {"inputs": inputs, "hidden": hidden, "batch": batch, "length": length}

    def data() -> Any:
        return made(**sizes)

    peers = (torch_named.peers(torch_step, **sizes)
             | numpy_named.peers(numpy_loss, data, lr=LR)
             | tinygrad_named.peers(tinygrad_loss, data, lr=LR))
    return Row(f"LSTM {inputs}-{hidden}, {length} steps, batch {batch}", peers,
               targets(goal, peers), quick=quick)


ROWS = [row(goal=1.2, quick=(OURS, PYTORCH))]
