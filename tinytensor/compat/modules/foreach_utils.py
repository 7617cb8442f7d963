"""`torch.utils._foreach_utils`: lists of Tensors by device and dtype, for optimizers."""

from __future__ import annotations

from typing import Any


def _group_tensors_by_device_and_dtype(tensorlistlist: Any, with_indices: bool = False,
                                       ) -> dict[tuple[Any, Any], tuple[list[Any], list[int]]]:
    """Equally long lists of Tensors (or None) by the device and dtype of those of the first."""
    groups: dict[tuple[Any, Any], tuple[list[Any], list[int]]] = {}
    for i, row in enumerate(zip(*tensorlistlist, strict=True)):
        lists, indices = groups.setdefault((row[0].device, row[0].dtype),
                                           ([[] for _ in tensorlistlist], []))
        for column, tensor in zip(lists, row, strict=True):
            column.append(tensor)
        if with_indices:
            indices.append(i)
    return groups


def _get_foreach_kernels_supported_devices() -> list[str]:
    """None has such kernels."""
    return []


_get_fused_kernels_supported_devices = _get_foreach_kernels_supported_devices


def _has_foreach_support(tensors: Any, device: Any) -> bool:
    """False."""
    return False


def _device_has_foreach_support(device: Any) -> bool:
    """False."""
    return False
