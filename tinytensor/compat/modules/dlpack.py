"""`torch.utils.dlpack`: Tensors of other libraries, which share memory."""

from __future__ import annotations

from typing import Any

from ...tensors.creation import from_dlpack as from_dlpack
from ...tensors.tensor import Tensor


def to_dlpack(tensor: Tensor) -> Any:
    """A DLPack capsule of the Tensor's memory, outside of the graph."""
    return tensor.detach().__dlpack__()
