"""The GPU, under the names of `torch.cuda`.

Questions (`is_available`, `device_count`, `memory_allocated`) and seeds can be asked for without a
GPU. What needs one raises a RuntimeError that says what is missing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .. import random
from ..arrays import dtypes
from ..arrays.devices import (
    DeviceLike,
    cuda_is_available,
    current_device,
    device_count,
    empty_cache,
    get_device_name,
    resolve,
    set_device,
)
from ..arrays.devices import synchronize as _synchronize
from ..compat import absent
from ..tensors.tensor import Tensor
from . import amp
from .graphs import (
    CUDAGraph,
    graph,
    graph_pool_handle,
    graphed_step,
    is_current_stream_capturing,
    make_graphed_callables,
)
from .memory import (
    OutOfMemoryError,
    max_memory_allocated,
    max_memory_reserved,
    mem_get_info,
    memory_allocated,
    memory_reserved,
    memory_summary,
    reset_max_memory_allocated,
    reset_peak_memory_stats,
)
from .streams import (
    DeviceProperties,
    Event,
    Stream,
    can_device_access_peer,
    current_stream,
    default_stream,
    device,
    device_of,
    get_device_capability,
    get_device_properties,
    set_stream,
    stream,
)

__all__ = ["is_available", "is_initialized", "init", "device_count", "current_device", "set_device",
           "device", "device_of", "get_device_name", "get_device_properties",
           "get_device_capability", "can_device_access_peer", "DeviceProperties",
           "memory_allocated", "memory_reserved", "max_memory_allocated", "max_memory_reserved",
           "reset_peak_memory_stats", "reset_max_memory_allocated", "mem_get_info",
           "memory_summary", "empty_cache", "ipc_collect", "OutOfMemoryError",
           "Event", "Stream", "stream", "current_stream", "default_stream",
           "set_stream", "synchronize", "manual_seed", "manual_seed_all", "seed", "seed_all",
           "initial_seed", "get_rng_state", "get_rng_state_all", "set_rng_state",
           "set_rng_state_all", "is_bf16_supported", "amp",
           "CUDAGraph", "graph", "graph_pool_handle", "graphed_step", "is_current_stream_capturing",
           "make_graphed_callables"]


def is_available() -> bool:
    """Whether CuPy is installed and a GPU works."""
    return cuda_is_available()


def is_initialized() -> bool:
    """Whether a GPU works: there is nothing else to initialise."""
    return cuda_is_available()


def init() -> None:
    """
    Raises:
        RuntimeError: CuPy or the GPU is missing; the message says what to install.
    """
    resolve("cuda")


def synchronize(device: DeviceLike | None = None) -> None:
    """Waits until all work on a GPU is complete. Without a GPU it returns at once.

    Raises:
        IndexError, RuntimeError: a value that was checked on the GPU, such as a label, is wrong.
            The message names the operation and the line of the call.
    """
    if cuda_is_available():
        _synchronize(None if device is None else resolve(device))


def ipc_collect() -> None:
    """Has no effect: no memory of a GPU is shared with other processes."""


def manual_seed(seed: int) -> None:
    """Sets the seed of the current GPU's generator. No effect without a GPU."""
    if cuda_is_available():
        random.generator_of(resolve("cuda")).manual_seed(seed)


def manual_seed_all(seed: int) -> None:
    """Sets the seed of the generators of all GPUs."""
    for i in range(device_count()):
        random.generator_of(resolve(f"cuda:{i}")).manual_seed(seed)


def seed() -> None:
    """Sets a random seed for the current GPU's generator. No effect without a GPU."""
    if cuda_is_available():
        random.generator_of(resolve("cuda")).seed()


def seed_all() -> None:
    """Sets one random seed for the generators of all GPUs."""
    for i in range(device_count()):
        generator = random.generator_of(resolve(f"cuda:{i}"))
        generator.seed() if i == 0 else generator.manual_seed(initial_seed())


def initial_seed() -> int:
    """The seed of the current GPU's generator."""
    return random.generator_of(resolve("cuda")).initial_seed()


def get_rng_state(device: DeviceLike = "cuda") -> Tensor:
    """The state of a GPU's generator, as `Generator.get_state` gives it."""
    return random.generator_of(resolve(device)).get_state()


def get_rng_state_all() -> list[Tensor]:
    """The states of the generators of all GPUs; an empty list without a GPU."""
    return [get_rng_state(f"cuda:{i}") for i in range(device_count())]


def set_rng_state(new_state: Tensor, device: DeviceLike = "cuda") -> None:
    """Restores the state of a GPU's generator."""
    random.generator_of(resolve(device)).set_state(new_state)


def set_rng_state_all(new_states: Iterable[Tensor]) -> None:
    """Restores the states of the generators of all GPUs."""
    for i, state in enumerate(new_states):
        set_rng_state(state, f"cuda:{i}")


has_half, has_magma = True, False  # of how PyTorch is built
max_memory_cached, memory_cached = max_memory_reserved, memory_reserved  # older names


def reset_max_memory_cached(device: DeviceLike | None = None) -> None:
    """`reset_peak_memory_stats`, under an older name."""
    reset_peak_memory_stats(device)


def is_tf32_supported() -> bool:
    """Whether the current GPU multiplies matrices in TF32: its compute capability is 8 or more."""
    return is_available() and get_device_capability()[0] >= 8


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """Whether there is a GPU, and the package ml_dtypes."""
    return is_available() and dtypes.has_bfloat16()


def __getattr__(name: str) -> Any:
    if name == "default_generators":  # of all GPUs, in this thread
        return tuple(random.generator_of(resolve(f"cuda:{i}")) for i in range(device_count()))
    if name == "_initialized":  # a variable in PyTorch, which reversible networks read
        return is_initialized()
    raise absent.AbsentName("tinytensor.cuda", name, lambda: globals())
