"""DataParallel: PyTorch's older wrapper, for several GPUs in one process. One GPU is used here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...arrays.devices import cuda_is_available, resolve
from ...tensors.tensor import Tensor
from ..arguments import Device
from ..module import Module


class DataParallel(Module):
    """Calls `module` on one GPU, or on the CPU if there is none.

    The module and its inputs are moved to GPU `device_ids[0]`, or the current GPU. Names in the
    state_dict begin with "module.". output_device and dim have no effect.

    Raises:
        RuntimeError: device_ids names several GPUs.
    """

    def __init__(self, module: Module, device_ids: Sequence[Device] | None = None,
                 output_device: Device = None, dim: int = 0):
        super().__init__()
        self.module, self.dim, self.output_device = module, dim, output_device
        self.device_ids: list[int] = []
        if cuda_is_available():
            if device_ids is not None and len(device_ids) > 1:
                raise RuntimeError("DataParallel: only one GPU can be used, got "
                                   f"device_ids={device_ids}; pass a single device, or start "
                                   "one process for each GPU and use DistributedDataParallel")
            where = resolve(device_ids[0] if device_ids else "cuda")
            self.device_ids = [where.index or 0]
            module.to(where)

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        if self.device_ids:
            inputs, kwargs = moved((inputs, kwargs), resolve(self.device_ids[0]))
        return self.module(*inputs, **kwargs)


def moved(x: Any, where: Device) -> Any:
    """x with all Tensors on a device, also those in tuples, lists and dicts."""
    if isinstance(x, Tensor):
        return x.to(where)  # type: ignore[attr-defined]
    if type(x) in (tuple, list):
        return type(x)(moved(item, where) for item in x)
    if type(x) is dict:
        return {key: moved(value, where) for key, value in x.items()}
    return x
