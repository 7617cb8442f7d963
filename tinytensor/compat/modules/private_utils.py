"""`torch._utils`: Tensors of several shapes as one."""

from __future__ import annotations

from collections.abc import Sequence

from ... import ops
from ...tensors.tensor import Tensor


def _flatten_dense_tensors(tensors: Sequence[Tensor]) -> Tensor:
    """The elements of all Tensors, one after the other, in a new Tensor of one dim."""
    joined: Tensor = ops.names_for("")["cat"]([x.reshape(-1) for x in tensors])
    return joined


def _unflatten_dense_tensors(flat: Tensor, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Views of `flat` in the shapes of the Tensors."""
    parts = flat.split([x.numel() for x in tensors])
    return tuple(part.view(x.shape) for part, x in zip(parts, tensors, strict=True))
