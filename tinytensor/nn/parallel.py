"""Wrappers of models for several GPUs, of which there is one here, or none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import distributed
from ..arrays.devices import cuda_is_available, resolve
from ..tensors.tensor import Tensor
from .module import Module

__all__ = ["DataParallel", "DistributedDataParallel"]


class DataParallel(Module):
    """Calls `module`, which the state_dict has under the name "module".

    On a GPU, `device_ids[0]` or the current one: the module is moved there, and at each call the
    inputs are. With no GPU it is the module alone, whatever the device_ids are. There is nothing
    to gather, so output_device and dim change nothing.

    Raises:
        RuntimeError: several GPUs are asked for.
    """

    def __init__(self, module: Module, device_ids: Sequence[Any] | None = None,
                 output_device: Any = None, dim: int = 0):
        super().__init__()
        self.module, self.dim, self.output_device = module, dim, output_device
        self.device_ids: list[int] = []
        if cuda_is_available():
            if device_ids is not None and len(device_ids) > 1:
                raise RuntimeError("DataParallel: one GPU can be used, got "
                                   f"device_ids={device_ids}")
            where = resolve(device_ids[0] if device_ids else "cuda")
            self.device_ids = [where.index or 0]
            module.to(where)

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        if self.device_ids:
            inputs, kwargs = _moved((inputs, kwargs), resolve(self.device_ids[0]))
        return self.module(*inputs, **kwargs)


def _moved(x: Any, where: Any) -> Any:
    """Tensors, and those in tuples, lists and dicts, on a device."""
    if isinstance(x, Tensor):
        return x.to(where)  # type: ignore[attr-defined]
    if type(x) in (tuple, list):
        return type(x)(_moved(item, where) for item in x)
    if type(x) is dict:
        return {key: _moved(value, where) for key, value in x.items()}
    return x


class DistributedDataParallel(Module):
    """A model in each of several processes: to be named by programs that are also started alone.

    Raises:
        RuntimeError: always.
    """

    def __init__(self, module: Module, *args: Any, **kwargs: Any):
        raise RuntimeError(f"DistributedDataParallel: {distributed.REFUSED}")
