"""`torch.utils._contextlib`: the base class of contexts that are decorators too."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any


def context_decorator(ctx: Any, func: Callable[..., Any]) -> Callable[..., Any]:
    """The function, run within the context: an object, or a function that makes one."""
    @functools.wraps(func)
    def within(*args: Any, **kwargs: Any) -> Any:
        with ctx() if callable(ctx) and not hasattr(ctx, "__enter__") else ctx:
            return func(*args, **kwargs)

    return within


class _DecoratorContextManager:
    """A context that also decorates functions: each call runs in a context of its own."""

    def __call__(self, orig_func: Any) -> Any:
        return context_decorator(self.clone, orig_func)

    def __enter__(self) -> None:
        raise NotImplementedError

    def __exit__(self, *exception: object) -> None:
        raise NotImplementedError

    def clone(self) -> Any:
        """A context of the same kind."""
        return type(self)()


class _NoParamDecoratorContextManager(_DecoratorContextManager):
    """The same, which may decorate without brackets: `@no_grad`."""

    def __new__(cls, orig_func: Any = None) -> Any:
        made = super().__new__(cls)
        if orig_func is None:
            return made
        made.__init__()  # type: ignore[misc]
        return made(orig_func)
