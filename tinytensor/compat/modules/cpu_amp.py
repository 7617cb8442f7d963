"""`torch.cpu.amp`: the older names of `tinytensor.amp`, for the CPU."""

from __future__ import annotations

from ... import amp
from ...arrays import dtypes


class autocast(amp.autocast):  # noqa: N801 - PyTorch's name
    """`amp.autocast("cpu")`."""

    def __init__(self, enabled: bool = True, dtype: dtypes.dtype = dtypes.bfloat16,
                 cache_enabled: bool = True):
        super().__init__("cpu", dtype, enabled, cache_enabled)


class GradScaler(amp.GradScaler):
    """`amp.GradScaler("cpu")`."""

    def __init__(self, init_scale: float = 2.0**16, growth_factor: float = 2.0,
                 backoff_factor: float = 0.5, growth_interval: int = 2000, enabled: bool = True):
        super().__init__("cpu", init_scale, growth_factor, backoff_factor, growth_interval,
                         enabled)
