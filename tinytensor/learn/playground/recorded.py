"""Recordings of the playground's program, by both engines."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy

import scalar
import tinytensor

from ..packing import packed, unpacked
from .program import Settings, Training

# The runs of the recorded page, and how many steps they have.
RUNS = [
    (Settings(), 150),
    (Settings(data="circles"), 120),
    (Settings(data="xor", optimizer="momentum", lr=0.1), 120),
    (Settings(data="spiral", layers=(8, 6), optimizer="Adam", lr=0.05), 200),
]


class TensorTraining(Training):
    """The same run with the tensor engine, in float64."""

    engine = tinytensor

    def made(self, model: scalar.nn.MLP) -> Any:
        settings = self.settings
        twin = tinytensor.nn.MLP(2, [*settings.layers, 1], settings.activation).double()
        twin.load_state_dict(model.state_dict())
        return twin

    def array(self, numbers: list[Any]) -> Any:
        return tinytensor.tensor(numbers, dtype=tinytensor.float64)

    def weights(self) -> list[float]:
        return self._flat(lambda p: p)

    def grads(self) -> list[float]:
        return self._flat(lambda p: p.grad)

    def state(self, name: str) -> list[float]:
        return self._flat(lambda p: self.optimizer.state[p][name])

    def _flat(self, of: Any) -> list[float]:
        numbers: list[float] = []
        for layer in self.model.layers:
            weight, bias = (of(p).detach().numpy() for p in (layer.weight, layer.bias))
            numbers += numpy.column_stack([weight, bias]).ravel().tolist()
        return numbers


def recording(settings: Settings, steps: int) -> dict[str, Any]:
    """A run of the scalar engine, and by how much the numbers of the tensor engine differ.

    Each entry has the numbers of all steps, one step after the other.
    """
    run, twin = Training(settings), TensorTraining(settings)
    frames = [run.step() for _ in range(steps)]
    others = [twin.step() for _ in range(steps)]
    numbers = {name: _joined(frames, name) for name in ("loss", "weights", "grads")}
    state = {name: _joined([frame["state"] for frame in frames], name) for name in run.entries}
    return {
        "settings": dataclasses.asdict(settings), "steps": steps,
        "points": run.points, "held_out": run.held_out,
        "batch": packed([i for frame in frames for i in frame["batch"]], "u1"),
        "after": frames[-1]["after"],  # elsewhere it is the weights of the next step
        "numbers": {name: packed(entry, "f8") for name, entry in numbers.items()},
        "state": {name: packed(entry, "f8") for name, entry in state.items()},
        "other": {name: _difference(entry, _joined(others, name))
                  for name, entry in numbers.items()},
    }


def _joined(frames: Sequence[Mapping[str, Any]], name: str) -> list[float]:
    return [x for frame in frames for x in unpacked(frame[name])]


def _difference(numbers: list[float], others: list[float]) -> dict[str, str]:
    """others - numbers, in half the bytes where that loses no bit of `others`."""
    exact, other = numpy.array(numbers), numpy.array(others)
    short = (other - exact).astype(numpy.float32)
    is_enough = bool((exact + short == other).all())
    return packed((short if is_enough else other - exact).tolist(), "f4" if is_enough else "f8")
