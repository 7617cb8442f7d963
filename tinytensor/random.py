"""Random numbers: one seeded generator for each device.

They are always drawn by NumPy on the host and moved, so that a seed gives the same numbers on
every device.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import numpy

from .arrays import devices


class Generator:
    """A seeded stream of random numbers.

    Streams differ from PyTorch's: the same seed gives other numbers there.
    """

    def __init__(self, device: Any = "cpu"):
        self.device = devices.device(device)
        self.seed()

    def manual_seed(self, seed: int) -> Generator:
        """Starts the stream anew from a seed; a negative one counts from 2**64 down.

        Raises:
            ValueError: a seed outside of [-2**63, 2**64 - 1].
        """
        if not -2**63 <= int(seed) < 2**64:
            raise ValueError(f"manual_seed: the seed must be in [-2**63, 2**64 - 1], got {seed}")
        self._seed = int(seed) % 2**64
        self.numpy = numpy.random.Generator(numpy.random.PCG64(self._seed))
        return self

    def seed(self) -> int:
        """Starts the stream anew from a seed that the operating system chooses, and returns it."""
        return self.manual_seed(_entropy())._seed

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


def _entropy() -> int:
    """A seed that the operating system chooses."""
    return int(numpy.random.SeedSequence().entropy) % 2**63  # type: ignore[arg-type]


class Streams:
    """The generators of all devices; `seed` is what those start from that are first used later."""

    def __init__(self, seed: int | None = None):
        self.seed = seed
        self.generators: dict[str, Generator] = {}

    def state_dict(self) -> dict[str, Any]:
        """Where the streams are, as plain data."""
        return {"seed": self.seed, "generators": {
            name: generator.get_state() for name, generator in self.generators.items()}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes to where the streams were. Those that were not used then start from the seed."""
        self.seed = state_dict["seed"]
        for name, generator in self.generators.items():
            if name not in state_dict["generators"]:
                generator.seed() if self.seed is None else generator.manual_seed(self.seed)
        for name, state in state_dict["generators"].items():
            self.generators.setdefault(name, Generator(name)).set_state(state)


class _Thread(threading.local):
    """The streams that functions draw from: the program's, except in a block of `using`."""

    streams = Streams()  # an attribute of the class: all threads share it


_thread = _Thread()


def streams() -> Streams:
    """What functions draw from that are given no generator."""
    return _thread.streams


@contextlib.contextmanager
def using(streams: Streams) -> Iterator[None]:
    """What this thread draws inside comes from `streams`, and leaves the program's as they are."""
    before, _thread.streams = _thread.streams, streams
    try:
        yield
    finally:
        _thread.streams = before


def default_generator(where: Any = "cpu") -> Generator:
    """The generator of a device, which functions use that are given none."""
    name, streams = str(where), _thread.streams
    if name not in streams.generators:
        generator = Generator(where)
        if streams.seed is not None:
            generator.manual_seed(streams.seed)
        streams.generators[name] = generator
    return streams.generators[name]


def manual_seed(seed: int) -> Generator:
    """Starts the generators of all devices anew from a seed."""
    generator, streams = default_generator().manual_seed(seed), _thread.streams
    streams.seed = generator.initial_seed()
    for other in streams.generators.values():
        other.manual_seed(seed)
    return generator


def seed() -> int:
    """Starts the generators of all devices anew from a seed that the operating system chooses."""
    return manual_seed(_entropy()).initial_seed()


def initial_seed() -> int:
    return default_generator().initial_seed()


def get_rng_state() -> dict[str, Any]:
    """Where the CPU's stream is, as plain data."""
    return default_generator().get_state()


def set_rng_state(new_state: dict[str, Any]) -> None:
    """Takes the CPU's stream to where it was."""
    default_generator().set_state(new_state)


@contextlib.contextmanager
def fork_rng(devices: Iterable[Any] | None = None, enabled: bool = True) -> Iterator[None]:
    """What is drawn inside leaves the generators as they were before: of all devices, or of the
    CPU and those given."""
    names = None if devices is None else {"cpu", *map(str, devices)}
    generators = _thread.streams.generators
    states = {name: generator.get_state() for name, generator in generators.items()
              if enabled and (names is None or name in names)}
    try:
        yield
    finally:
        for name, state in states.items():
            generators[name].set_state(state)
