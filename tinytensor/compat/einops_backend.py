"""einops on Tensors: `rearrange(tensor, "b (h w) -> b h w", h=2)`, and its layers.

einops asks the subclasses of its `AbstractBackend` which of them a Tensor belongs to, and has the
layers of each library in a module `einops.layers.NAME`. The finder below adds ours when einops is
imported, so that nothing is imported before a program wants it:

    from einops.layers.tinytensor import Rearrange
"""

from __future__ import annotations

import importlib
import importlib.machinery
import sys
from types import ModuleType
from typing import Any

from ..arrays.dtypes import dtype
from ..autograd.table import TABLE
from ..tensors import creation
from ..tensors.tensor import Tensor
from . import modules

BACKENDS, LAYERS = "einops._backends", "einops.layers.tinytensor"
PACKAGE = __name__.partition(".")[0]


def _function(key: str) -> Any:
    return TABLE[key].function


def register(backends: Any) -> None:
    """Defines the backend; einops finds it by its base class."""

    class TinytensorBackend(backends.AbstractBackend):  # type: ignore[misc]
        framework_name = PACKAGE

        def is_appropriate_type(self, tensor: Any) -> bool:
            return isinstance(tensor, Tensor)

        def from_numpy(self, x: Any) -> Tensor:
            tensor = creation.from_numpy(x)
            return tensor.requires_grad_() if self.is_float_type(tensor) else tensor

        def to_numpy(self, x: Tensor) -> Any:
            return x.detach().cpu().numpy()

        def arange(self, start: int, stop: int) -> Tensor:
            return creation.arange(start, stop)

        def reduce(self, x: Tensor, operation: str, axes: Any) -> Tensor:
            if operation in ("sum", "mean", "max", "min"):
                key = {"max": "amax", "min": "amin"}.get(operation, operation)
                return _function(key)(x, tuple(axes))  # type: ignore[no-any-return]
            for axis in sorted(axes, reverse=True):  # prod, any and all
                x = _function(operation)(x, axis)
            return x

        def transpose(self, x: Tensor, axes: Any) -> Tensor:
            return x.permute(tuple(axes))

        def stack_on_zeroth_dimension(self, tensors: list[Tensor]) -> Tensor:
            return _function("stack")(tensors)  # type: ignore[no-any-return]

        def add_axis(self, x: Tensor, new_position: int) -> Tensor:
            return x.unsqueeze(new_position)

        def add_axes(self, x: Tensor, n_axes: int, pos2len: dict[int, int]) -> Tensor:
            sizes = [-1] * n_axes
            for position, length in pos2len.items():
                x, sizes[position] = x.unsqueeze(position), length
            return x.expand(sizes)

        def tile(self, x: Tensor, repeats: Any) -> Tensor:
            return x.repeat(tuple(repeats))

        def concat(self, tensors: list[Tensor], axis: int) -> Tensor:
            return _function("cat")(tensors, axis)  # type: ignore[no-any-return]

        def is_float_type(self, x: Tensor) -> bool:
            kind: dtype = x.dtype
            return kind.is_floating_point

        def einsum(self, pattern: str, *x: Tensor) -> Tensor:
            return _function("einsum")(pattern, *x)  # type: ignore[no-any-return]

        def layers(self) -> ModuleType:
            return importlib.import_module(LAYERS)

    # Found by its base class, which knows its subclasses while they are referred to.
    backends.TinytensorBackend = TinytensorBackend


class Finder:
    """Adds the backend to einops when it is imported, and finds `einops.layers.tinytensor`."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name == LAYERS:
            return modules.Same(name, importlib.import_module(f"{__package__}.einops_layers"))
        if name != BACKENDS:
            return None
        spec: Any = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is not None and spec.loader is not None:
            spec.loader = _Registering(spec.loader)
        return spec


class _Registering:
    """Loads a module, and adds the backend to it."""

    def __init__(self, loader: Any):
        self.loader = loader

    def create_module(self, spec: Any) -> Any:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self.loader.exec_module(module)
        register(module)


def install() -> None:
    """To be called once, when the package is imported."""
    if BACKENDS in sys.modules:
        register(sys.modules[BACKENDS])
    sys.meta_path.insert(0, Finder())
