"""`torch.library`: operators for PyTorch's dispatcher, which is not there.

A function that is registered as an operator stays a Python function, and is called as one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def custom_op(name: str, fn: Any = None, /, *, mutates_args: Any = (), **options: Any) -> Any:
    """The function itself, with `register_fake` and its kind; without one, a decorator."""
    def define(function: Any) -> Any:
        function._opoverload = function
        function.register_fake = function.register_kernel = function.register_vmap = _itself
        function.register_autograd = lambda backward, **more: None
        return function

    return define if fn is None else define(fn)


def _itself(fn: Any, *args: Any, **options: Any) -> Any:
    return fn


def register_fake(op: Any, func: Any = None, /, **options: Any) -> Any:
    """The function itself; without one, a decorator that returns it."""
    return _itself if func is None else func


impl_abstract = register_fake


def impl(qualname: Any, types: Any, func: Any = None, **options: Any) -> Any:
    """The function itself; without one, a decorator that returns it."""
    return _itself if func is None else func


register_kernel = impl


def define(qualname: str, schema: Any = None, **options: Any) -> Callable[[T], T]:
    """A decorator that returns the function itself."""
    return _itself


def register_autograd(op: Any, backward: Any, /, **options: Any) -> None:
    """Has no effect: an operator is a Python function, whose operations have gradients."""


triton_op = custom_op


def wrap_triton(kernel: T) -> T:
    """The kernel itself."""
    return kernel


class Library:
    """A namespace of operators. Definitions in it are kept by name, and not called."""

    def __init__(self, ns: str, kind: str, dispatch_key: str = ""):
        self.ns, self.kind = ns, kind
        self.defined: dict[str, Any] = {}

    def define(self, schema: str, *args: Any, **options: Any) -> str:
        """Notes the name of a schema, and returns it."""
        name = schema.partition("(")[0]
        self.defined[name] = None
        return name

    def impl(self, op_name: Any, fn: Any, *args: Any, **options: Any) -> None:
        """Notes the function of a name."""
        self.defined[str(op_name)] = fn

    def _register_fake(self, *args: Any, **options: Any) -> None:
        """Has no effect."""
