"""Programs for tinygrad: whole steps captured by TinyJit, with tinygrad's optimizers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

from .data import Weights
from .peers import TINYGRAD, Prepare, Step


def peers(loss: Callable[..., Any], make: Callable[[], tuple[Weights, tuple[Any, ...]]],
          kind: str = "SGD", lr: float = 0.01) -> dict[str, Prepare]:
    """The peer that trains `loss(parameters, *data)` on tinygrad's Tensors."""
    def prepare(device: str) -> Step:
        from tinygrad import Tensor, TinyJit
        from tinygrad.helpers import Context
        from tinygrad.nn import optim

        weights, arrays = make()
        parameters = {name: Tensor(array).realize() for name, array in weights.items()}
        optimizer = getattr(optim, kind)(list(parameters.values()), lr=lr)
        data = tensors(*arrays)

        @TinyJit
        def train(*inputs: Any) -> Any:
            with Context(TRAINING=1):
                value = loss(parameters, *inputs)
                optimizer.zero_grad()
                value.backward()
                Tensor.realize(value, *optimizer.schedule_step())
            return value

        def step() -> Any:
            value = train(*data)
            synchronize()
            return value

        return step

    return {TINYGRAD: prepare}


def tensors(*arrays: numpy.ndarray) -> list[Any]:
    """Arrays as tinygrad's Tensors. Labels and tokens become int32, its default."""
    from tinygrad import Tensor

    return [Tensor(a.astype(numpy.int32) if a.dtype == numpy.int64 else a).realize()
            for a in arrays]


def synchronize() -> None:
    """Waits until the device has finished."""
    from tinygrad import Device

    Device[Device.DEFAULT].synchronize()
