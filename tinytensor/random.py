"""Random number generators: a seeded one for each device.

All numbers are drawn by NumPy on the host and then moved, so that a seed gives the same numbers on
every device.
"""

from __future__ import annotations

import contextlib
import reprlib
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import numpy

from .arrays import devices


class Generator:
    """A seeded random number generator. Its numbers differ from PyTorch's for the same seed."""

    def __init__(self, device: devices.DeviceLike = "cpu"):
        self.device = devices.device(device)
        self.seed()

    def manual_seed(self, seed: int) -> Generator:
        """Sets the seed. A negative seed -n means 2**64 - n.

        Raises:
            ValueError: a seed outside of [-2**63, 2**64 - 1].
        """
        if not -2**63 <= int(seed) < 2**64:
            raise ValueError(f"manual_seed: the seed must be in [-2**63, 2**64 - 1], got {seed}")
        self._seed = int(seed) % 2**64
        self.numpy = numpy.random.Generator(numpy.random.PCG64(self._seed))
        return self

    def seed(self) -> int:
        """Sets the seed to a random number from the operating system, and returns it."""
        return self.manual_seed(_entropy())._seed

    def initial_seed(self) -> int:
        """The seed that was set last."""
        return self._seed

    def get_state(self) -> dict[str, Any]:
        """The state of the generator, as plain data."""
        return {"seed": self._seed, "state": self.numpy.bit_generator.state}

    def set_state(self, state: dict[str, Any]) -> Generator:
        """Restores a state of `get_state`.

        Raises:
            ValueError: not such a state. The generator has not changed.
        """
        restored = Generator(self.device)
        try:
            restored.manual_seed(state["seed"])
            set_numpy_state(restored.numpy.bit_generator, state["state"])
        except (LookupError, TypeError, OverflowError, ValueError) as error:
            raise ValueError("set_state: not a state of a Generator, which get_state() gives: "
                             f"{error}") from None
        self._seed, self.numpy = restored._seed, restored.numpy
        return self


# The positions in the states of NumPy's bit generators, with their largest values. NumPy uses them
# as indices and does not check them.
POSITIONS = {"pos": 624, "buffer_pos": 4}


def set_numpy_state(bit_generator: Any, state: dict[str, Any]) -> None:
    """Sets the state of a bit generator of NumPy, or of `numpy.random` itself.

    Raises:
        ValueError: a position outside of the generator's memory, which would crash the process; or
            another state that NumPy refuses.
    """
    try:
        for part in (state, state["state"]):
            for name, largest in POSITIONS.items():
                position = part.get(name, 0)
                if not isinstance(position, int) or not 0 <= position <= largest:
                    raise ValueError(f"{name} is {reprlib.repr(position)}, and must be an int from "
                                     f"0 to {largest}")
        if bit_generator is numpy.random:
            numpy.random.set_state(state)
        else:
            bit_generator.state = state
    except (AttributeError, LookupError, TypeError, OverflowError, ValueError) as error:
        raise ValueError("not a state of this random generator, or a changed one: "
                         f"{error!r}") from None


def _entropy() -> int:
    """A random seed from the operating system."""
    return int(numpy.random.SeedSequence().entropy) % 2**63  # type: ignore[arg-type]


class Streams:
    """The default generators of all devices.

    Args:
        seed: of generators not yet created.
        initial: what their `initial_seed` returns, if not the seed.
    """

    def __init__(self, seed: int | None = None, initial: int | None = None):
        self.seed, self.initial = seed, initial
        self.generators: dict[str, Generator] = {}

    def state_dict(self) -> dict[str, Any]:
        """The states of all generators, as plain data."""
        return {"seed": self.seed, "generators": {
            name: generator.get_state() for name, generator in self.generators.items()}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores the states. Generators that did not exist then get the saved seed.

        Raises:
            ValueError, LookupError, TypeError: not such states. No generator has changed.
        """
        seed = state_dict["seed"]
        restored = {name: Generator(name).set_state(state)
                    for name, state in state_dict["generators"].items()}
        self.initial = None
        self.seed = seed if seed is None else Generator().manual_seed(seed).initial_seed()
        for name, generator in self.generators.items():
            if name not in restored:
                generator.seed() if self.seed is None else generator.manual_seed(self.seed)
        for name, other in restored.items():
            self.generators.setdefault(name, other).set_state(other.get_state())


class _Thread(threading.local):
    """The current streams of a thread: those of the program, except inside `using`."""

    streams = Streams()  # a class attribute, which all threads share


_thread = _Thread()


def streams() -> Streams:
    """The generators of functions that are called without `generator`."""
    return _thread.streams


@contextlib.contextmanager
def using(streams: Streams) -> Iterator[None]:
    """A context in which this thread draws from `streams` instead of the program's generators."""
    before, _thread.streams = _thread.streams, streams
    try:
        yield
    finally:
        _thread.streams = before


def default_generator(where: devices.DeviceLike = "cpu") -> Generator:
    """The default generator of a device."""
    name, streams = str(where), _thread.streams
    if name not in streams.generators:
        generator = Generator(where)
        if streams.seed is not None:
            generator.manual_seed(streams.seed)
        if streams.initial is not None:
            generator._seed = streams.initial
        streams.generators[name] = generator
    return streams.generators[name]


def manual_seed(seed: int) -> Generator:
    """Sets the seed of the default generators of all devices."""
    generator, streams = default_generator().manual_seed(seed), _thread.streams
    streams.seed, streams.initial = generator.initial_seed(), None
    for other in streams.generators.values():
        other.manual_seed(seed)
    return generator


def seed() -> int:
    """Sets a random seed for the default generators of all devices, and returns it."""
    return manual_seed(_entropy()).initial_seed()


def initial_seed() -> int:
    return default_generator().initial_seed()


def get_rng_state() -> dict[str, Any]:
    """The state of the CPU's default generator, as plain data."""
    return default_generator().get_state()


def set_rng_state(new_state: dict[str, Any]) -> None:
    """Restores the state of the CPU's default generator."""
    default_generator().set_state(new_state)


@contextlib.contextmanager
def fork_rng(devices: Iterable[Any] | None = None, enabled: bool = True) -> Iterator[None]:
    """A context after which the default generators have their earlier states.

    Those of all devices, or of the CPU and the devices given.
    """
    names = None if devices is None else {"cpu", *map(str, devices)}
    generators = _thread.streams.generators
    states = {name: generator.get_state() for name, generator in generators.items()
              if enabled and (names is None or name in names)}
    try:
        yield
    finally:
        for name, state in states.items():
            generators[name].set_state(state)
