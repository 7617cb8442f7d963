"""skip_init: a module without initial weights."""

from __future__ import annotations

from typing import Any, TypeVar

from ..module import Module

M = TypeVar("M", bound=Module)


def skip_init(module_cls: type[M], *args: Any, **kwargs: Any) -> M:
    """module_cls(*args, **kwargs) with uninitialised parameters and buffers, which saves time.

    The class must take the argument `device` and draw nothing that is not a parameter.

    Raises:
        RuntimeError: not a class of modules.
    """
    if not (isinstance(module_cls, type) and issubclass(module_cls, Module)):
        raise RuntimeError(f"skip_init: expected a class of modules, got {module_cls!r}")
    device = kwargs.pop("device", "cpu")
    make: Any = module_cls
    module: M = make(*args, **kwargs, device="meta").to_empty(device=device)
    return module
