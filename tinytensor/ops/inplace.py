"""In-place forms: `x.exp_()` writes the result of `exp` into `x`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from ..autograd.frames import shorten
from ..autograd.modes import mode
from ..tensors.tensor import Tensor

F = TypeVar("F", bound=Callable[..., Any])


def like(function: Callable[..., Any], name: str) -> Callable[[F], F]:
    """Decorates another form of `function`: with its docstring, signature and source."""
    def decorate(form: F) -> F:
        functools.update_wrapper(form, function, updated=())
        form.__name__ = form.__qualname__ = name
        return form

    return decorate


def in_place(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """The in-place form of an operation: it writes its result into the Tensor."""
    @like(function, name)
    def method(self: Tensor, *args: Any, **kwargs: Any) -> Any:
        self._check_write(name)
        recorded = mode.enabled and any(
            isinstance(x, Tensor) and x._node is not None for x in (self, *args, *kwargs.values()))
        source = self._snapshot() if recorded else self
        try:
            return self._write(name, function(source, *args, **kwargs))
        except Exception as error:
            shorten(error)
            raise

    method.__doc__ = f"As `{name.strip('_')}`, in place: writes into this Tensor and returns it."
    return method
