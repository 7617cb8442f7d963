"""The GPU, under the names of `torch.cuda`. Most functions can be called without a GPU."""

from __future__ import annotations

from collections.abc import Iterable

from .. import random
from ..arrays.devices import (
    DeviceLike,
    cuda_is_available,
    current_device,
    device_count,
    empty_cache,
    get_device_name,
    memory_allocated,
    memory_reserved,
    resolve,
    set_device,
)
from ..arrays.devices import synchronize as _synchronize
from ..tensors.tensor import Tensor
from . import amp

__all__ = ["is_available", "device_count", "current_device", "set_device", "get_device_name",
           "memory_allocated", "memory_reserved", "empty_cache", "synchronize", "manual_seed",
           "manual_seed_all", "get_rng_state", "get_rng_state_all", "set_rng_state",
           "set_rng_state_all", "is_bf16_supported", "amp"]


def is_available() -> bool:
    """Whether CuPy is installed and a GPU works."""
    return cuda_is_available()


def synchronize(device: DeviceLike | None = None) -> None:
    """Waits until all work on the GPU is complete. Without a GPU it returns at once."""
    _synchronize(None if device is None else resolve(device))


def manual_seed(seed: int) -> None:
    """Sets the seed of the current GPU's generator. No effect without a GPU."""
    if cuda_is_available():
        random.default_generator(resolve("cuda")).manual_seed(seed)


def manual_seed_all(seed: int) -> None:
    """Sets the seed of the generators of all GPUs."""
    for i in range(device_count()):
        random.default_generator(resolve(f"cuda:{i}")).manual_seed(seed)


def get_rng_state(device: DeviceLike = "cuda") -> Tensor:
    """The state of a GPU's generator, as `Generator.get_state` gives it."""
    return random.default_generator(resolve(device)).get_state()


def get_rng_state_all() -> list[Tensor]:
    """The states of the generators of all GPUs; an empty list without a GPU."""
    return [get_rng_state(f"cuda:{i}") for i in range(device_count())]


def set_rng_state(new_state: Tensor, device: DeviceLike = "cuda") -> None:
    """Restores the state of a GPU's generator."""
    random.default_generator(resolve(device)).set_state(new_state)


def set_rng_state_all(new_states: Iterable[Tensor]) -> None:
    """Restores the states of the generators of all GPUs."""
    for i, state in enumerate(new_states):
        set_rng_state(state, f"cuda:{i}")


def is_bf16_supported() -> bool:
    """False: NumPy and CuPy have no bfloat16."""
    return False
