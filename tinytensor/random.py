"""Random numbers: one seeded generator for each device.

They are always drawn by NumPy on the host and moved, so that a seed gives the same numbers on
every device.
"""

from __future__ import annotations

from typing import Any

import numpy

from . import device as devices


class Generator:
    """A seeded stream of random numbers.

    Streams differ from PyTorch's: the same seed gives other numbers there.
    """

    def __init__(self, device: Any = "cpu"):
        self.device = devices.device(device)
        self.seed()

    def manual_seed(self, seed: int) -> Generator:
        """Starts the stream anew from a seed."""
        self._seed = int(seed)
        self.numpy = numpy.random.Generator(numpy.random.PCG64(self._seed % 2**64))
        return self

    def seed(self) -> int:
        """Starts the stream anew from a seed that the operating system chooses, and returns it."""
        self.manual_seed(numpy.random.SeedSequence().entropy % 2**63)  # type: ignore[operator]
        return self._seed

    def initial_seed(self) -> int:
        """The seed that the stream started from."""
        return self._seed

    def get_state(self) -> dict[str, Any]:
        """Where the stream is, as plain data."""
        return {"seed": self._seed, "state": self.numpy.bit_generator.state}

    def set_state(self, state: dict[str, Any]) -> Generator:
        """Goes to where a stream was."""
        self.manual_seed(state["seed"])
        self.numpy.bit_generator.state = state["state"]
        return self


_generators: dict[str, Generator] = {}


def default_generator(where: Any = "cpu") -> Generator:
    """The generator of a device, which functions use that are given none."""
    name = str(where)
    if name not in _generators:
        _generators[name] = Generator(where)
    return _generators[name]


def manual_seed(seed: int) -> Generator:
    """Starts the generators of all devices anew from a seed."""
    for name in {"cpu", *_generators}:
        default_generator(name).manual_seed(seed)
    return default_generator()


def seed() -> int:
    """Starts the generators of all devices anew from a seed that the operating system chooses."""
    return manual_seed(numpy.random.SeedSequence().entropy % 2**63).initial_seed()  # type: ignore[operator]


def initial_seed() -> int:
    return default_generator().initial_seed()


def get_rng_state() -> dict[str, Any]:
    """Where the CPU's stream is, as plain data."""
    return default_generator().get_state()


def set_rng_state(state: dict[str, Any]) -> None:
    default_generator().set_state(state)
