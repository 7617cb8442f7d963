"""Kernel dispatch: a reference function in array language, and faster kernels for one device.

The reference defines the result and runs on every kind of array. A kernel computes the same result
faster on one device. It takes the arguments of the reference without `xp`. It returns None to
decline a call (an unsupported dtype, stride or size); then the reference runs. Everything works
without kernels, and without the package `kernels`.

    @gelu.kernel("cpu")               # a kernel of an op's forward
    def _(input, approximate): ...

    @gelu.kernel("cpu", "input")      # a kernel of an op's rule for `input`
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
    """The parameter names as in `inspect.signature`, ten times as fast for a plain function."""
    code = getattr(function, "__code__", None)
    if code is None or vars(function):  # it may have __wrapped__ or __signature__
        return tuple(inspect.signature(function).parameters)
    return code.co_varnames[:code.co_argcount + code.co_kwonlyargcount]


class KernelSettings:
    """When kernels are used, in all threads.

    enabled        False if the environment variable TINYTENSOR_KERNELS is 0; see `use_kernels`
    min_work       elements below which NumPy's own calls are as fast as a compiled loop
    deterministic  whether kernels on a GPU must add up in a fixed order, where that is slower
    """

    enabled = os.environ.get("TINYTENSOR_KERNELS", "1") != "0"
    min_work = 4096
    deterministic = False


@contextlib.contextmanager
def use_kernels(on: bool) -> Iterator[None]:
    """Turns kernels on or off within the `with` block, in all threads."""
    previous, KernelSettings.enabled = KernelSettings.enabled, on
    try:
        yield
    finally:
        KernelSettings.enabled = previous


class NotCompiledError(Exception):
    """A kernel cannot be compiled on this machine. To raise it declines the call."""


class Dispatch:
    """A reference function and its kernels; called with `xp` first."""

    def __init__(self, name: str, reference: Callable[..., Any],
                 kernels: dict[str, Callable[..., Any]] | None = None):
        parameters = parameter_names(reference)
        self.name, self.reference = name, reference
        self.takes_xp = parameters[:1] == ("xp",)
        self.parameters = parameters[self.takes_xp:]
        self.kernels = {} if kernels is None else kernels
        self.work: Callable[..., int] | None = None  # see Op.kernel

    def kernel(self, device: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Decorator that registers the kernel for a device.

        Raises:
            ValueError: an unknown device, or a second kernel for the same device.
            TypeError: the kernel's parameters differ from those of the reference.
        """
        if device not in DEVICES or device in self.kernels:
            raise ValueError(f"{self.name}: cannot register a kernel for {device!r}: " + (
                "there is one already" if device in self.kernels
                else f"the devices are {' and '.join(DEVICES)}"))

        def register(kernel: Callable[..., Any]) -> Callable[..., Any]:
            given = parameter_names(kernel)
            if given != self.parameters:
                raise TypeError(f"{self.name}: the kernel takes ({', '.join(given)}), the "
                                f"reference ({', '.join(self.parameters)}); they must be equal")
            self.kernels[device] = kernel
            return kernel

        return register

    def __call__(self, xp: Any, *args: Any, **kwargs: Any) -> Any:
        if KernelSettings.enabled:
            kernel = self.kernels.get("cpu" if xp is numpy else
                                      "cuda" if isinstance(xp, ModuleType) else "")
            if kernel is not None:
                with contextlib.suppress(NotCompiledError):
                    result = kernel(*args, **kwargs)
                    if result is not None:
                        return result
        return self.reference(xp, *args, **kwargs) if self.takes_xp \
            else self.reference(*args, **kwargs)
