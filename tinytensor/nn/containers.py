"""Modules that hold modules, or parameters, as a list or a dict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from itertools import groupby, zip_longest
from typing import Any

from ..ops.linalg import rectified_linear
from ..tensors.tensor import Tensor
from .activation import ReLU
from .linear import Linear
from .locating import locate
from .module import Module, indented
from .parameter import Parameter


class ListOfModules(Module):
    """What Sequential and ModuleList share: modules by their position, named "0", "1", ..."""

    def _key(self, index: int, end: int | None = None) -> str:
        """The name of the module at a position.

        Raises:
            IndexError: there is none.
        """
        end = len(self) if end is None else end
        index = index.__index__()
        if not -len(self) <= index < end:
            raise IndexError(f"index {index} is out of range for {type(self).__name__} of "
                             f"{len(self)} modules")
        return list(self._modules)[index]

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Any]:
        return map(vars(self).__getitem__, self._modules)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return self._of(dict(list(self._modules.items())[index]))
        return self._modules[self._key(index)]

    def _of(self, modules: dict[str, Any]) -> Any:
        """A container of this type with some of the modules."""
        raise NotImplementedError

    def __setitem__(self, index: int, module: Module) -> None:
        setattr(self, self._key(index), module)

    def __delitem__(self, index: int | slice) -> None:
        keys = list(self._modules)[index] if isinstance(index, slice) else [self._key(index)]
        self._renumber([m for key, m in self._modules.items() if key not in keys])

    def _renumber(self, modules: list[Any]) -> None:
        self._modules.clear()
        for i, module in enumerate(modules):
            self.add_module(str(i), module)

    def append(self, module: Module) -> Any:
        """Adds a module at the end; returns the container."""
        self.add_module(str(len(self)), module)
        return self

    def extend(self, modules: Iterable[Module]) -> Any:
        """Adds modules at the end; returns the container.

        Raises:
            TypeError: no iterable.
        """
        if not isinstance(modules, Iterable):
            raise TypeError(f"{type(self).__name__}.extend: expected several modules, got "
                            f"{type(modules).__name__}")
        for module in list(modules):
            self.append(module)
        return self

    def insert(self, index: int, module: Module) -> Any:
        """Puts a module before the one at a position; returns the container."""
        if not isinstance(module, Module):
            raise TypeError(f"{type(self).__name__}.insert: expected a Module, got "
                            f"{type(module).__name__}")
        modules = list(self._modules.values())
        if not -len(modules) <= index <= len(modules):
            raise IndexError(f"index {index} is out of range for {type(self).__name__} of "
                             f"{len(modules)} modules")
        modules.insert(index, module)
        self._renumber(modules)
        return self

    def pop(self, index: int = -1) -> Module:
        """Takes a module out and returns it."""
        module: Module = self[index]
        del self[index]
        return module

    def __iadd__(self, modules: Iterable[Module]) -> Any:
        return self.extend(modules)

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if not name.isdigit()]


class Sequential(ListOfModules):
    """Modules one after the other: each gets what the one before it returned.

    Takes the modules, or a dict of them whose keys become their names. A Linear and the ReLU behind
    it are one operation, `linear_relu`, unless they are small or somebody looks on: a hook.
    """

    def __init__(self, *args: Any):
        super().__init__()
        named = args[0].items() if len(args) == 1 and isinstance(args[0], Mapping) \
            else ((str(i), module) for i, module in enumerate(args))
        for name, module in named:
            if isinstance(module, type):
                raise TypeError(f"Sequential: item {name} is the class {module.__name__}; "
                                f"write {module.__name__}()")
            if isinstance(module, list):
                raise TypeError("Sequential: takes the modules one by one: Sequential(*layers)")
            self.add_module(name, module)

    def forward(self, input: Any) -> Tensor:
        attributes, done = vars(self), False
        modules = [attributes[name] for name in attributes["_registered"]["_modules"]]
        for module, following in zip_longest(modules, modules[1:]):
            if done:  # with the Linear before it
                done = False
            elif (type(module) is Linear and type(following) is ReLU and isinstance(input, Tensor)
                    and _as_written(module) and _as_written(following)):
                try:
                    input, done = rectified_linear(input, module.weight, module.bias), True
                except Exception as error:
                    locate(error, module)
                    raise
            else:
                input = module(input)
        return input

    def _of(self, modules: dict[str, Any]) -> Sequential:
        return type(self)(modules)

    def __delitem__(self, index: int | slice) -> None:
        if all(name.isdigit() for name in self._modules):
            super().__delitem__(index)
        else:  # given names stay
            keys = list(self._modules)[index] if isinstance(index, slice) else [self._key(index)]
            for key in keys:
                delattr(self, key)

    def __add__(self, other: Sequential) -> Sequential:
        if not isinstance(other, Sequential):
            return NotImplemented
        return Sequential(*self, *other)

    def __mul__(self, times: int) -> Sequential:
        if not isinstance(times, int):
            return NotImplemented
        if times < 1:
            raise ValueError(f"Sequential: cannot be repeated {times} times")
        return Sequential(*list(self) * times)

    __rmul__ = __mul__


FORWARDS = {Linear: Linear.forward, ReLU: ReLU.forward}


def _as_written(module: Any) -> bool:
    """Whether a call of the module is its class's forward and nothing else."""
    return not (module._forward_hooks or module._forward_pre_hooks or module._backward_hooks
                or module._backward_pre_hooks or "forward" in vars(module)
                or type(module).forward is not FORWARDS[type(module)])


class ModuleList(ListOfModules):
    """A list of modules that a Module takes notice of; it computes nothing itself."""

    def __init__(self, modules: Iterable[Module] | None = None):
        super().__init__()
        self.extend(modules or ())

    def _of(self, modules: dict[str, Any]) -> ModuleList:
        return type(self)(modules.values())

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList([*self, *other])

    def __repr__(self) -> str:
        """Equal modules in a row share a line: (0-2): 3 x Linear(...)."""
        if not len(self):
            return f"{self._get_name()}()"
        lines, first = [], 0
        for text, group in groupby(map(repr, self)):
            count = len(list(group))
            label = f"({first})" if count == 1 else f"({first}-{first + count - 1})"
            times = "" if count == 1 else f"{count} x "
            lines.append(f"{label}: {times}{indented(text)}")
            first += count
        return f"{self._get_name()}(\n  " + "\n  ".join(lines) + "\n)"


class ModuleDict(Module, MutableMapping[str, Module]):
    """Modules under names that a Module takes notice of; it computes nothing itself."""

    __eq__, __hash__ = object.__eq__, object.__hash__  # the container itself, not its content

    def __init__(self, modules: Any = None):
        super().__init__()
        self.update(modules or {})

    def __getitem__(self, key: str) -> Any:
        return self._modules[key]

    def __setitem__(self, key: str, module: Module) -> None:
        self.add_module(key, module)

    def __delitem__(self, key: str) -> None:
        del self._modules[key]

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)


class ParameterList(Module):
    """A list of parameters that a Module takes notice of. Tensors become Parameters."""

    def __init__(self, values: Iterable[Any] | None = None):
        super().__init__()
        self._size = 0
        self.extend(values or ())

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return type(self)(self[i] for i in range(len(self))[index])
        return getattr(self, str(self._position(index)))

    def __setitem__(self, index: int, value: Any) -> None:
        setattr(self, str(self._position(index)), as_parameter(value))

    def _position(self, index: int) -> int:
        try:
            return range(len(self))[index]
        except IndexError:
            raise IndexError(f"index {index} is out of range for ParameterList of {len(self)} "
                             "parameters") from None

    def append(self, value: Any) -> ParameterList:
        """Adds a parameter at the end; returns the list."""
        setattr(self, str(self._size), as_parameter(value))
        self._size += 1
        return self

    def extend(self, values: Iterable[Any]) -> ParameterList:
        """Adds parameters at the end; returns the list."""
        if not isinstance(values, Iterable) or isinstance(values, Tensor):
            raise TypeError(f"ParameterList.extend: expected a list, got {type(values).__name__}")
        for value in values:
            self.append(value)
        return self

    def __iadd__(self, values: Iterable[Any]) -> ParameterList:
        return self.extend(values)

    def extra_repr(self) -> str:
        return "\n".join(f"  ({i}): {_described(value)}" for i, value in enumerate(self))


class ParameterDict(Module, MutableMapping[str, Any]):
    """Parameters under names that a Module takes notice of. Tensors become Parameters."""

    __eq__, __hash__ = object.__eq__, object.__hash__

    def __init__(self, parameters: Any = None):
        super().__init__()
        self._keys: dict[str, None] = {}
        self.update(parameters or {})

    def __getitem__(self, key: str) -> Any:
        if key not in self._keys:
            raise KeyError(key)
        return getattr(self, key)

    def __setitem__(self, key: str, value: Any) -> None:
        setattr(self, key, as_parameter(value))
        self._keys[key] = None

    def __delitem__(self, key: str) -> None:
        del self._keys[key]
        delattr(self, key)

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def extra_repr(self) -> str:
        return "\n".join(f"  ({key}): {_described(value)}" for key, value in self.items())


def as_parameter(value: Any) -> Any:
    """A Tensor as a Parameter in the same memory; other things stay what they are."""
    if isinstance(value, Tensor) and not isinstance(value, Parameter):
        return Parameter(value)
    return value


def _described(value: Any) -> str:
    if not isinstance(value, Tensor):
        return f"Object of type: {type(value).__name__}"
    size = "x".join(map(str, value.shape))
    place = "" if value.device.type == "cpu" else f" ({value.device})"
    return f"{type(value).__name__} containing: [{value.dtype} of size {size}{place}]"
