"""saved_tensors_hooks: what operations save for backward, packed and unpacked by the program."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ..arrays.devices import is_array
from .graph import Node, tensor_of
from .modes import OBSERVED, _Switch, mode, set_mode

PackHook = Callable[[Any], Any]


class saved_tensors_hooks(_Switch):  # noqa: N801 - PyTorch's name
    """pack_hook(tensor) gets each Tensor that an operation inside saves for backward; the graph
    keeps its result. Backward calls unpack_hook with that, which returns a Tensor of equal values.

    The Tensors are outside of the graph, and share memory with those of the program.

    Raises:
        TypeError: unpack_hook returns no Tensor.
        RuntimeError: it returns one of another shape, dtype or device.
    """

    def __init__(self, pack_hook: PackHook, unpack_hook: Callable[[Any], Any]):
        self.pack_hook, self.unpack_hook = pack_hook, unpack_hook

    def switch(self) -> None:
        mode.packing = self
        if mode.enabled:
            set_mode(OBSERVED)

    def copy(self) -> saved_tensors_hooks:
        return saved_tensors_hooks(self.pack_hook, self.unpack_hook)

    def pack(self, node: Any) -> None:
        """Replaces the arrays that a node saved."""
        if node.saved and not node.packed:
            node.saved = _map(self._packed, node.saved)
            node.__class__ = _packed_type(node.__class__)

    def _packed(self, array: Any) -> Any:
        return Packed(self, array) if is_array(array) else array


class save_on_cpu(saved_tensors_hooks):  # noqa: N801 - PyTorch's name
    """Keeps what operations inside save for backward in the memory of the CPU."""

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda"):
        super().__init__(lambda x: (x.device, x.cpu()), lambda packed: packed[1].to(packed[0]))


class Packed:
    """A saved array, as the hooks keep it."""

    def __init__(self, hooks: saved_tensors_hooks, array: Any):
        self.hooks, self.shape, self.dtype = hooks, array.shape, array.dtype
        self.kept = hooks.pack_hook(tensor_of(array, None))

    def unpacked(self) -> Any:
        tensor = self.hooks.unpack_hook(self.kept)
        array: Any = getattr(tensor, "_array", None)
        if not is_array(array):
            raise TypeError("saved_tensors_hooks: unpack_hook must return a Tensor, got "
                            f"{type(tensor).__name__}")
        if array.shape != self.shape or array.dtype != self.dtype:
            raise RuntimeError(f"saved_tensors_hooks: unpack_hook returned shape {array.shape} of "
                               f"{array.dtype} for a Tensor of shape {self.shape} of {self.dtype}")
        return array


def _map(function: Callable[[Any], Any], values: Any) -> Any:
    """The values of a node with function(value) in place of each; some values are lists."""
    return tuple([function(v) for v in value] if isinstance(value, list) else function(value)
                 for value in values)


@functools.cache
def _packed_type(kind: Any) -> Any:
    """The class of nodes whose saved values are unpacked when they are read."""
    slot: Any = Node.saved  # type: ignore[misc]

    def unpacked(node: Any) -> Any:
        values = slot.__get__(node)
        return values and _map(lambda v: v.unpacked() if isinstance(v, Packed) else v, values)

    return type(kind.__name__, (kind,), {
        "__slots__": (), "packed": True, "saved": property(unpacked, slot.__set__)})
