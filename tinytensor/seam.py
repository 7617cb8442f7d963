"""The seam at which kernels step in: a function in array language, and faster bodies for it.

The body says what is computed, and runs on every kind of array. A kernel computes the same on one
device, faster. It takes the arguments of the body, less `xp`, and gives the same results; where
it is not made for what it is given (a dtype, strides, few elements), it returns None, and the
body runs. Without kernels, and without the package `kernels`, everything works.

    @gelu.kernel("cpu")               # of an op: its forward
    def _(input, approximate): ...

    @gelu.kernel("cpu", "input")      # of an op: its rule for an input
    def _(g, input, approximate): ...
"""

from __future__ import annotations

import contextlib
import inspect
import os
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import numpy

DEVICES = ("cpu", "cuda")


def parameter_names(function: Callable[..., Any]) -> tuple[str, ...]:
    """As `inspect.signature` tells them, in a tenth of its time for a plain function."""
    code = getattr(function, "__code__", None)
    if code is None or vars(function):  # one that says of itself what it takes
        return tuple(inspect.signature(function).parameters)
    return code.co_varnames[:code.co_argcount + code.co_kwonlyargcount]


class Switch:
    """Whether kernels are used: the environment variable TINYTENSOR_KERNELS=0 turns them off.

    small   elements below which NumPy's own calls are as fast as a loop over them
    """

    on = os.environ.get("TINYTENSOR_KERNELS", "1") != "0"
    small = 4096


@contextlib.contextmanager
def use_kernels(on: bool) -> Iterator[None]:
    """Kernels are used, or not, within the `with` block, in all threads."""
    previous, Switch.on = Switch.on, on
    try:
        yield
    finally:
        Switch.on = previous


class Replaceable:
    """A function whose body kernels may replace; called with `xp` first."""

    def __init__(self, name: str, body: Callable[..., Any],
                 kernels: dict[str, Callable[..., Any]] | None = None):
        parameters = parameter_names(body)
        self.name, self.body = name, body
        self.takes_xp = parameters[:1] == ("xp",)
        self.parameters = parameters[self.takes_xp:]
        self.kernels = {} if kernels is None else kernels
        self.work: Callable[..., int] | None = None  # see Op.kernel

    def kernel(self, device: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Decorates the kernel for a device.

        Raises:
            ValueError: no such device; a second kernel.
            TypeError: the kernel takes other arguments than the body.
        """
        if device not in DEVICES or device in self.kernels:
            raise ValueError(f"{self.name}: a kernel for {device!r}, but there "
                             + ("is one already" if device in self.kernels
                                else f"are only {' and '.join(DEVICES)}"))

        def register(kernel: Callable[..., Any]) -> Callable[..., Any]:
            given = parameter_names(kernel)
            if given != self.parameters:
                raise TypeError(f"{self.name}: the kernel takes ({', '.join(given)}), but the "
                                f"body ({', '.join(self.parameters)})")
            self.kernels[device] = kernel
            return kernel

        return register

    def __call__(self, xp: Any, *args: Any, **kwargs: Any) -> Any:
        if Switch.on:
            kernel = self.kernels.get("cpu" if xp is numpy else
                                      "cuda" if isinstance(xp, ModuleType) else "")
            if kernel is not None and (found := kernel(*args, **kwargs)) is not None:
                return found
        return self.body(xp, *args, **kwargs) if self.takes_xp else self.body(*args, **kwargs)
