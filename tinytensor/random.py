"""Random number generators: a seeded one for each device.

That of the CPU is PyTorch's: a seed gives the same numbers. On a GPU numbers are drawn where they
are used, by another generator, whose state is a seed and an offset.
"""

from __future__ import annotations

import contextlib
import reprlib
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import numpy

from .arrays import devices, meta
from .arrays.devices import to_numpy
from .arrays.philox import PhiloxStream
from .arrays.streams import Stream
from .autograd.frames import warn
from .autograd.graph import Tensor, tensor_of
from .compat import absent

__all__ = ["Generator", "fork_rng", "get_rng_state", "initial_seed", "manual_seed", "seed",
           "set_rng_state"]

UNSEEDED = 67280421310721  # PyTorch's seed of a Generator that was not given one


class Generator:
    """A seeded random number generator: on the CPU PyTorch's Mersenne Twister, on a GPU Philox.

    On the CPU a seed gives PyTorch's numbers, except where `PYTORCH.md` says otherwise. Until a
    seed is set, it is the same for every generator, as in PyTorch.
    """

    def __init__(self, device: devices.DeviceLike = "cpu"):
        self.device = devices.device(device)
        self.stream: Any = Stream(0) if self.device.type == "cpu" else meta.Stream() \
            if self.device.type == "meta" else PhiloxStream(self.device)
        self.manual_seed(UNSEEDED)

    def manual_seed(self, seed: int) -> Generator:
        """Sets the seed. A negative seed -n means 2**64 - n. PyTorch uses its lower 32 bits.

        Raises:
            ValueError: a seed outside of [-2**63, 2**64 - 1].
        """
        if not -2**63 <= int(seed) < 2**64:
            raise ValueError(f"manual_seed: the seed must be in [-2**63, 2**64 - 1], got {seed}")
        self._seed = int(seed) % 2**64
        self.stream.seed(self._seed)
        return self

    def seed(self) -> int:
        """Sets the seed to a random number from the operating system, and returns it."""
        return self.manual_seed(_entropy())._seed

    def initial_seed(self) -> int:
        """The seed that was set last."""
        return self._seed

    def __reduce__(self) -> Any:
        return _restored, (self.device, self.get_state())

    def get_state(self) -> Tensor:
        """The state of the generator, as PyTorch's, in a Tensor of uint8: 5056 bytes on the CPU, on
        a GPU the seed and the offset in 16.
        """
        return tensor_of(self.stream.get_state(self._seed), None)

    def set_state(self, state: Tensor) -> Generator:
        """Restores a state of `get_state`, of this library or of PyTorch.

        A state of version 0.1.0, a dict, is taken as a seed, with a warning: the numbers that
        follow depend on it, but are not those that version 0.1.0 would have drawn.

        Raises:
            ValueError: not such a state. The generator has not changed.
        """
        try:
            if isinstance(state, dict):
                self.manual_seed(_seed_of(state))
                warn("set_state: the state is of version 0.1.0, which drew other numbers. It is "
                     "taken as a seed: the numbers from here on differ from those that the saved "
                     "run would have drawn")
            else:
                self._seed = self.stream.set_state(to_numpy(state._array))
        except (AttributeError, LookupError, TypeError, OverflowError, ValueError) as error:
            raise ValueError("set_state: not a state of a Generator, which get_state() gives: "
                             f"{error}") from None
        return self

    def clone_state(self) -> Generator:
        """Another generator in the same state: both draw the same numbers from here on."""
        return _restored(self.device, self.get_state())


def _restored(device: devices.device, state: Tensor) -> Generator:
    return Generator(device).set_state(state)


def _seed_of(state: dict[str, Any]) -> int:
    """A seed that follows from a state of version 0.1.0, whose generator was PCG64."""
    scratch = numpy.random.PCG64(0)
    set_numpy_state(scratch, state["state"])
    if not 0 <= int(state["seed"]) < 2**64:
        raise ValueError(f"seed {state['seed']}")
    return int(scratch.random_raw())


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
        """The states of all generators: Tensors, numbers and strings."""
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


def current_streams() -> Streams:
    """The default generators from which this thread draws now."""
    return _thread.streams


def generator_of(where: devices.DeviceLike = "cpu") -> Generator:
    """The default generator of a device."""
    name, streams = str(where), _thread.streams
    if name not in streams.generators:
        generator = Generator(where)
        if streams.seed is None:
            generator.seed()
        else:
            generator.manual_seed(streams.seed)
        if streams.initial is not None:
            generator._seed = streams.initial
        streams.generators[name] = generator
    return streams.generators[name]


def manual_seed(seed: int) -> Generator:
    """Sets the seed of the default generators of all devices."""
    generator, streams = generator_of().manual_seed(seed), _thread.streams
    streams.seed, streams.initial = generator.initial_seed(), None
    for other in streams.generators.values():
        other.manual_seed(seed)
    return generator


def seed() -> int:
    """Sets a random seed for the default generators of all devices, and returns it."""
    return manual_seed(_entropy()).initial_seed()


def initial_seed() -> int:
    """The seed of the default generator that was set last."""
    return generator_of().initial_seed()


def get_rng_state() -> Tensor:
    """The state of the CPU's default generator, as PyTorch's: 5056 bytes in a Tensor of uint8."""
    return generator_of().get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Restores the state of the CPU's default generator."""
    generator_of().set_state(new_state)


@contextlib.contextmanager
def fork_rng(devices: Iterable[Any] | None = None, enabled: bool = True,
             device_type: str = "cuda") -> Iterator[None]:
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


def thread_safe_generator() -> None:
    """None: in a worker that is a thread, the default generator is the worker's own."""


def __getattr__(name: str) -> Any:
    if name == "default_generator":  # that of the CPU, in this thread
        return generator_of()
    raise absent.AbsentName("tinytensor.random", name, lambda: globals())
