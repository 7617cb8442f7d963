"""How checks are registered, and what they share."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from typing import Any

import numpy

import tinytensor as tt
import tinytensor.distributed as dist
from tinytensor import nn

CHECKS: dict[int, list[Callable[[], None]]] = {2: [], 3: []}
torch: Any = None  # loaded where it is the reference
torch_dist: Any = None
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    if os.environ.get("PMI_SIZE", os.environ.get("OMPI_COMM_WORLD_SIZE")) == "2":
        import torch
        import torch.distributed as torch_dist


def on(*sizes: int) -> Callable[[Callable[[], None]], Callable[[], None]]:
    def register(check: Callable[[], None]) -> Callable[[], None]:
        for size in sizes:
            CHECKS[size].append(check)
        return check

    return register


def rank() -> int:
    return dist.get_rank()


def world() -> int:
    return dist.get_world_size()


def raises(kind: type[BaseException] | tuple[type[BaseException], ...], match: str,
           function: Callable[[], Any]) -> None:
    try:
        function()
    except kind as error:
        assert match in str(error), str(error)
        return
    raise AssertionError(f"no {kind} with {match!r}")


def values(result: Any) -> Any:
    if isinstance(result, list | tuple):
        return [values(x) for x in result]
    return result.numpy() if hasattr(result, "numpy") else result


def agree(program: Callable[[Any, Any], Any]) -> None:
    """program(library, its distributed) gives the same here and in PyTorch's gloo."""
    mine, theirs = values(program(tt, dist)), values(program(torch, torch_dist))
    assert len(mine) == len(theirs)
    for a, b in zip(mine, theirs, strict=True):
        numpy.testing.assert_array_equal(a, b)
        assert not isinstance(a, numpy.ndarray) or a.dtype == b.dtype


def network(lib: Any, seed: int = 0) -> Any:
    """The same weights in both libraries."""
    n = lib.nn
    model = n.Sequential(n.Conv2d(1, 4, 3, padding=1), n.BatchNorm2d(4), n.ReLU(), n.Flatten(),
                         n.Linear(4 * 36, 24), n.Tanh(), n.Linear(24, 5))
    rng = numpy.random.default_rng(seed)
    with lib.no_grad():
        for p in model.parameters():
            p.copy_(lib.tensor(rng.normal(size=tuple(p.shape)) * 0.3, dtype=p.dtype))
    return model


def batch(lib: Any, size: int, dtype: Any, seed: int = 1) -> tuple[Any, Any]:
    rng = numpy.random.default_rng(seed)
    return (lib.tensor(rng.normal(size=(size, 1, 6, 6)), dtype=dtype),
            lib.tensor(rng.integers(0, 5, size)))


def without_batch_norm(seed: int = 0) -> nn.Module:
    model = network(tt, seed).double()
    model[1] = nn.GroupNorm(2, 4, dtype=tt.float64)
    return model
