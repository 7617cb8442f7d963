"""The program of the playground: a small network learns to tell two classes of points apart.

It needs the scalar engine and the standard library alone. The live page runs this file as it
stands, on Python in the browser; the recording runs it on both engines.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import scalar

from ..packing import packed, unpacked
from ..scalar_trace import trace

COUNT = 100  # points to train on, and as many that are held out
MOST = 8  # neurons in a layer
DEEPEST = 4  # hidden layers
ACTIVATIONS = ("tanh", "relu", "sigmoid")
# For each optimizer: its class, its further options, and the entries of its state.
OPTIMIZERS: dict[str, tuple[str, dict[str, float], tuple[str, ...]]] = {
    "SGD": ("SGD", {}, ()),
    "momentum": ("SGD", {"momentum": 0.9}, ("momentum_buffer",)),
    "Adam": ("Adam", {}, ("exp_avg", "exp_avg_sq")),
}

# ---------------------------------------------------------------- data


def _moons(label: int, noise: Callable[[], float], rng: random.Random) -> tuple[float, float]:
    angle = math.pi * rng.random()
    x, y = (math.cos(angle), math.sin(angle)) if label else \
        (1 - math.cos(angle), 0.5 - math.sin(angle))
    return 0.8 * (x - 0.5) + noise(), 0.8 * (y - 0.25) + noise()


def _circles(label: int, noise: Callable[[], float], rng: random.Random) -> tuple[float, float]:
    angle, radius = 2 * math.pi * rng.random(), 0.45 if label else 1.1
    return radius * math.cos(angle) + noise(), radius * math.sin(angle) + noise()


def _xor(label: int, noise: Callable[[], float], rng: random.Random) -> tuple[float, float]:
    x, y = rng.uniform(0.1, 1.2), rng.uniform(0.1, 1.2)
    side = rng.choice((-1, 1))
    return side * x + noise(), (side if label else -side) * y + noise()


def _spiral(label: int, noise: Callable[[], float], rng: random.Random) -> tuple[float, float]:
    way = rng.random()
    angle, radius = 2 * math.pi * way + math.pi * label, 0.1 + 1.1 * way
    return radius * math.sin(angle) + 0.5 * noise(), radius * math.cos(angle) + 0.5 * noise()


DATA = {"moons": _moons, "circles": _circles, "xor": _xor, "spiral": _spiral}


def points(name: str, noise: float, seed: int, count: int) -> list[tuple[float, float, int]]:
    """(x, y, label) of `count` points. Labels are 0 and 1, in turn.

    noise is the standard deviation of what is added to each coordinate, half of it in the spiral.
    """
    rng = random.Random(seed)
    return [(*DATA[name](i % 2, lambda: rng.gauss(0.0, noise), rng), i % 2) for i in range(count)]


# ---------------------------------------------------------------- training


@dataclass(frozen=True)
class Settings:
    """What the page can choose.

    Raises ValueError that says which setting is out of its range.
    """

    data: str = "moons"
    noise: float = 0.1
    batch: int = 20
    layers: tuple[int, ...] = (6, 4)
    activation: str = "tanh"
    optimizer: str = "SGD"
    lr: float = 0.5
    seed: int = 3

    def __post_init__(self) -> None:
        allowed = {
            "data": self.data in DATA, "noise": 0 <= self.noise <= 1,
            "batch": 1 <= self.batch <= COUNT, "activation": self.activation in ACTIVATIONS,
            "layers": len(self.layers) <= DEEPEST and all(1 <= n <= MOST for n in self.layers),
            "optimizer": self.optimizer in OPTIMIZERS, "lr": 0 < self.lr <= 100,
            "seed": self.seed >= 0,
        }
        wrong = [f"{name} {getattr(self, name)!r}" for name, is_in in allowed.items() if not is_in]
        if wrong:
            raise ValueError(f"playground: out of range: {', '.join(wrong)}")


class Training:
    """A run with the scalar engine. `step` makes one step and tells all numbers of it."""

    engine: Any = scalar

    def __init__(self, settings: Settings):
        self.settings = settings
        self.at = self.times = 0  # steps of the run, and of the optimizer's state
        data = points(settings.data, settings.noise, settings.seed, 2 * COUNT)
        self.points, self.held_out = data[:COUNT], data[COUNT:]
        scalar.manual_seed(settings.seed)
        self.model = self.made(scalar.nn.MLP(2, [*settings.layers, 1], settings.activation))
        kind, options, self.entries = OPTIMIZERS[settings.optimizer]
        self.optimizer = getattr(self.engine.optim, kind)(
            self.model.parameters(), lr=settings.lr, **options)

    def step(self) -> dict[str, Any]:
        """Makes one step. All numbers that it used and computed, as the page reads them."""
        batch = random.Random(self.settings.seed * 1_000_003 + self.at).sample(
            range(COUNT), self.settings.batch)
        weights = self.weights()
        loss = self.loss([self.points[i] for i in batch])
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        frame = {
            "step": self.at, "times": self.times + 1,
            "loss": packed([loss.item()], "f8"), "batch": batch,
            "weights": packed(weights, "f8"), "grads": packed(self.grads(), "f8"),
            "after": packed(self.weights(), "f8"),
            "state": {name: packed(self.state(name), "f8") for name in self.entries},
        }
        self.at += 1
        self.times += 1
        return frame

    def loss(self, samples: Sequence[tuple[float, float, int]]) -> Any:
        """The mean cross-entropy of samples: of the probability sigmoid(output) for label 1."""
        functional = self.engine.functional
        outputs = self.model(self.array([[x, y] for x, y, _ in samples]))
        return functional.binary_cross_entropy(
            functional.sigmoid(outputs), self.array([float(label) for *_, label in samples]))

    # ------------------------------------------------ what is different in the two engines

    def made(self, model: scalar.nn.MLP) -> Any:
        """The model that is trained, with the weights of `model`."""
        return model

    def array(self, numbers: list[Any]) -> Any:
        return numbers

    def weights(self) -> list[float]:
        """The weights and the bias of each neuron, layer by layer."""
        return [p.data for p in self.model.parameters()]

    def grads(self) -> list[float]:
        return [p.grad for p in self.model.parameters()]

    def state(self, name: str) -> list[float]:
        """An entry of the optimizer's state, in the order of the weights."""
        return [self.optimizer.state[p][name] for p in self.model.parameters()]


class Session(Training):
    """A run that can go back, for the live page."""

    def restore(self, frame: Mapping[str, Any]) -> None:
        """Goes to where the run was after a frame: its weights, its optimizer's state, its step.

        A state of another optimizer is not taken over: this one then begins anew.
        """
        self._set_weights(unpacked(frame["after"]))
        self.at = frame["step"] + 1
        if self.entries == tuple(frame["state"]):
            self.times = frame["times"]
            self._set_state({name: unpacked(entry) for name, entry in frame["state"].items()})

    def backward_of(self, sample: int, frame: Mapping[str, Any]) -> dict[str, Any]:
        """The trace of the loss of one sample, for the debugger, at the weights of a frame."""
        kept = self.weights()
        self._set_weights(unpacked(frame["weights"]))
        try:
            x, y, label = self.points[sample]
            output = self.model([scalar.Value(x, label="x"), scalar.Value(y, label="y")])
            output.label = "output"
            p = output.sigmoid()
            p.label = "p"
            loss = scalar.functional.binary_cross_entropy(p, scalar.Value(label, label="target"))
            loss.label = "loss"
            return {**trace(loss), "opened": {},
                    "title": f"loss of point {sample} at step {frame['step']}"}
        finally:
            self._set_weights(kept)

    def _set_weights(self, weights: Sequence[float]) -> None:
        for p, weight in zip(self.model.parameters(), weights, strict=True):
            p.data = weight

    def _set_state(self, state: Mapping[str, Sequence[float]]) -> None:
        for i, p in enumerate(self.model.parameters()):
            self.optimizer.state[p] = {name: entry[i] for name, entry in state.items()}
            if self.settings.optimizer == "Adam":
                self.optimizer.state[p]["step"] = self.times
