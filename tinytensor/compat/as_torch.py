"""`as_torch`: programs and libraries that say `import torch` get tinytensor.

A finder in front of `sys.meta_path` answers for `torch` and everything below it:

    torch               a module with the names of tinytensor, and a version of PyTorch
    torch.nn, ...       the module tinytensor.nn itself, and so on
    torch.jit, ...      a module of `compat/modules`, see `modules.PLACES`
    package metadata    importlib.metadata.version("torch") is that version

New processes of multiprocessing get `sys.path`, and find `compat/on_path/torch` there.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import re
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from ..arrays import dtypes, naming
from ..arrays.devices import device
from ..arrays.numbers import Size
from ..nn.parameter import Buffer, Parameter, UninitializedParameter
from ..random import Generator
from ..tensors.tensor import Tensor
from . import absent, modules
from .modules import OWN_PACKAGE, unsupported

ON_PATH = str(Path(__file__).parent / "on_path")

# Where PyTorch defines the classes whose `__module__` programs look at.
PLACES: dict[type, str] = {
    Tensor: "torch", Size: "torch", dtypes.dtype: "torch", device: "torch", Generator: "torch",
    Parameter: "torch.nn.parameter", Buffer: "torch.nn.parameter",
    UninitializedParameter: "torch.nn.parameter"}


class Torch(ModuleType):
    """The module `torch`: the names of tinytensor."""

    def __init__(self) -> None:
        super().__init__("torch", sys.modules[OWN_PACKAGE].__doc__)
        package = vars(sys.modules[OWN_PACKAGE])
        vars(self).update({name: value for name, value in package.items()
                           if name[:2] != "__" and name not in modules.TOP})
        from .modules.torch_version import __version__

        self.torch = self  # libraries have `torch.torch.Tensor`, which PyTorch has by accident
        self.__version__ = __version__
        self.__file__ = os.path.join(ON_PATH, "torch", "__init__.py")
        self.__path__: list[str] = []
        self.__spec__ = ModuleSpec("torch", None, origin=self.__file__, is_package=True)

    def __getattr__(self, name: str) -> Any:
        if name == "default_generator":
            return sys.modules[OWN_PACKAGE].default_generator
        if name in unsupported.REASONS:
            return importlib.import_module(f"torch.{name}")
        if name in unsupported.FUNCTIONS:
            return unsupported.function(name)
        try:
            return modules.attribute("torch", name)
        except (LookupError, AttributeError):
            raise absent.AbsentName("torch", name, lambda: dir(self)) from None


class Metadata(importlib.metadata.Distribution):
    """The metadata of the package `torch`, for programs that look up its version."""

    def read_text(self, filename: str) -> str | None:
        from .modules.torch_version import __version__

        if filename != "METADATA":
            return None
        return f"Metadata-Version: 2.1\nName: torch\nVersion: {__version__}\n"

    def locate_file(self, path: Any) -> Any:
        return Path(ON_PATH) / path


class TorchFinder(modules.Finder):
    """Finds `torch`, the modules below it, and its metadata."""

    def __init__(self) -> None:
        super().__init__("torch")
        self.torch = Torch()
        self.attributes: list[tuple[ModuleType, str]] = []  # that as_torch has set

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        return modules.Same(name, self.torch) if name == "torch" else super().find_spec(name)

    def module_of(self, name: str) -> ModuleType | None:
        module = (modules.module_of(name) or modules.own_module(name)
                  or unsupported.module_of(name))
        if name == "distributions" and module is not None:
            module.import_all()  # Pyro walks through the names of the module
        return module

    def find_distributions(self, context: Any = None) -> Iterator[Metadata]:
        if context is None or context.name in (None, "torch"):
            yield Metadata()


class as_torch:  # noqa: N801 - called as a function, or used as a context
    """Lets `import torch` and its submodules give tinytensor, for programs as they are.

        tinytensor.as_torch()
        import timm                       # written for PyTorch

    As a context, `with tinytensor.as_torch():`, it ends with the block; what was imported inside
    keeps working. `torch.__version__` is "2.13.0" with a local tag, so that comparisons of versions
    hold. Processes that multiprocessing starts, such as the workers of a DataLoader, do the same.

    `python -m tinytensor run program.py` runs a whole program so.

    Raises:
        RuntimeError: PyTorch itself is imported already.
    """

    _active: TorchFinder | None = None

    def __init__(self) -> None:
        self.began = as_torch._active is None
        if self.began:
            _begin()

    def __enter__(self) -> ModuleType:
        return sys.modules["torch"]

    def __exit__(self, *exception: object) -> None:
        if self.began:
            _end()


def _begin() -> None:
    known = sys.modules.get("torch")
    own_file = os.path.join(ON_PATH, "torch", "__init__.py")
    if known is not None and getattr(known, "__file__", None) != own_file:
        raise RuntimeError(
            f"as_torch: PyTorch is imported already, from {getattr(known, '__file__', None)}; call "
            "as_torch() before anything imports it, in a process of its own")
    finder = TorchFinder()
    as_torch._active = finder
    sys.meta_path.insert(0, finder)
    sys.path.insert(1, ON_PATH)  # before an installed PyTorch, after the program
    sys.modules.pop("torch", None)
    naming.package = "torch"
    for kind, place in PLACES.items():
        kind.__module__ = place
    importlib.import_module("torch")
    for place in unsupported.REASONS:  # also as attributes of tinytensor's own modules
        parent, _, name = place.rpartition(".")
        module = sys.modules.get(f"{OWN_PACKAGE}.{parent}")
        if parent and module is not None and name not in vars(module):
            setattr(module, name, unsupported.module_of(place))
            finder.attributes.append((module, name))


def _end() -> None:
    finder: Any = as_torch._active
    as_torch._active = None
    sys.meta_path.remove(finder)
    sys.path.remove(ON_PATH)
    for name in [n for n in sys.modules if n.partition(".")[0] == "torch"]:
        del sys.modules[name]
    for module, name in finder.attributes:
        delattr(module, name)
    naming.package = OWN_PACKAGE
    for kind in PLACES:
        kind.__module__ = ORIGINS[kind]


ORIGINS = {kind: kind.__module__ for kind in PLACES}


def reason_for(error: BaseException) -> str:
    """Why a module or name below `torch` that could not be imported is absent; "" if nothing is
    known.
    """
    name = getattr(error, "name", None)
    wanted = re.match(r"cannot import name '(\w+)'", str(error))
    package, _, place = str(name).partition(".")
    if isinstance(error, ImportError) and wanted and package in ("torch", OWN_PACKAGE):
        reason = absent.reason_of(wanted[1], place)
        if reason is not None:
            return f"{wanted[1]} is left out on purpose: {reason}"
    if not isinstance(error, ModuleNotFoundError) or not (name or "").startswith("torch."):
        return ""
    parts = place.split(".")
    for i, part in enumerate(parts):
        reason = absent.reason_of(part, ".".join(parts[:i]))
        if reason is not None:
            return f"{name} is left out on purpose: {reason}"
    return f"{name} is not there: tinytensor has no such module"


__all__: Sequence[str] = ["as_torch"]
