"""In-place forms: `x.exp_()` writes the result of `exp` into `x`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..autograd.modes import mode
from ..tensors.tensor import Tensor


def in_place(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """The in-place form of an operation: it writes its result into the Tensor."""
    def method(self: Tensor, *args: Any, **kwargs: Any) -> Any:
        self._check_write(name)
        recorded = mode.enabled and any(
            isinstance(x, Tensor) and x._node is not None for x in (self, *args, *kwargs.values()))
        source = self._snapshot() if recorded else self
        return self._write(name, function(source, *args, **kwargs))

    method.__name__ = name
    method.__doc__ = f"As `{name.strip('_')}`, in place: writes into this Tensor and returns it."
    return method
