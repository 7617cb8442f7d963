"""Wrappers of models for several GPUs, of which there is one here, or none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import distributed
from ..tensor import Tensor
from .module import Module

__all__ = ["DataParallel", "DistributedDataParallel"]


class DataParallel(Module):
    """Calls `module`, which the state_dict has under the name "module".

    As in PyTorch with one GPU: inputs that are elsewhere are brought to where the parameters are.
    With no GPU it is the module alone.

    Raises:
        RuntimeError: several devices are asked for.
    """

    def __init__(self, module: Module, device_ids: Sequence[Any] | None = None,
                 output_device: Any = None, dim: int = 0):
        super().__init__()
        if device_ids is not None and len(device_ids) > 1:
            raise RuntimeError(f"DataParallel: one GPU can be used, got device_ids={device_ids}")
        self.module = module
        self.dim, self.output_device = dim, output_device

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        first = next(self.module.parameters(), None)
        if first is not None and first.is_cuda:
            inputs, kwargs = _moved((inputs, kwargs), first.device)
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
