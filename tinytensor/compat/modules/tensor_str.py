"""`torch._tensor_str`: the text of Tensors, by private names that libraries use."""

from __future__ import annotations

from typing import Any

from ...arrays import devices
from ...tensors import printing
from ...tensors.tensor import Tensor


class _Options:
    """The options of `set_printoptions`, as attributes."""

    def __getattr__(self, name: str) -> Any:
        if name not in printing.options:
            raise AttributeError(name)
        return printing.options[name]

    def __setattr__(self, name: str, value: Any) -> None:
        printing.options[name] = value


PRINT_OPTS = _Options()


def _tensor_str(self: Tensor, indent: int) -> str:
    """The elements, in brackets, without "tensor(" around them."""
    array = devices.to_numpy(self._array)
    return printing.numbers_of(array, indent) if array.size else "[]"
