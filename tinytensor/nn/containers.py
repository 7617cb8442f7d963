"""Modules that hold modules, or parameters, as a list or a dict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from itertools import groupby, zip_longest
from typing import Any

from ..arrays.numbers import integer, is_integer
from ..ops.linalg import rectified_linear
from ..tensors.tensor import Tensor
from .activation import ReLU
from .linear import Linear
from .locating import locate
from .module import Module, indented
from .parameter import Parameter


class ListOfModules(Module):
    """The base class of Sequential and ModuleList: modules by position, named "0", "1", ..."""

    def _name_at(self, index: int) -> str:
        """The name of the module at a position. Raises IndexError if there is none."""
        index = index.__index__()
        self._check_index(index, len(self))
        return list(self._modules)[index]

    def _names_at(self, index: int | slice) -> list[str]:
        return list(self._modules)[index] if isinstance(index, slice) else [self._name_at(index)]

    def _check_index(self, index: int, end: int) -> None:
        if not -len(self) <= index < end:
            raise IndexError(f"{type(self).__name__}: index {index} is out of range for "
                             f"{len(self)} modules")

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Any]:
        return map(vars(self).__getitem__, self._modules)

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return self._with_modules(dict(list(self._modules.items())[index]))
        return self._modules[self._name_at(index)]

    def _with_modules(self, modules: dict[str, Any]) -> Any:
        """A container of this type that holds the given modules."""
        raise NotImplementedError

    def __setitem__(self, index: int, module: Module) -> None:
        setattr(self, self._name_at(index), module)

    def __delitem__(self, index: int | slice) -> None:
        names = self._names_at(index)
        self._renumber([m for name, m in self._modules.items() if name not in names])

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
            TypeError: modules is not iterable.
        """
        if not isinstance(modules, Iterable):
            raise TypeError(f"{type(self).__name__}.extend: expected a list of modules, got "
                            f"{type(modules).__name__}")
        for module in list(modules):
            self.append(module)
        return self

    def insert(self, index: int, module: Module) -> Any:
        """Inserts a module before the one at a position; returns the container."""
        if not isinstance(module, Module):
            raise TypeError(f"{type(self).__name__}.insert: expected a Module, got "
                            f"{type(module).__name__}")
        modules = list(self._modules.values())
        self._check_index(index, len(modules) + 1)
        modules.insert(index, module)
        self._renumber(modules)
        return self

    def pop(self, index: int = -1) -> Module:
        """Removes a module and returns it."""
        module: Module = self[index]
        del self[index]
        return module

    def __iadd__(self, modules: Iterable[Module]) -> Any:
        return self.extend(modules)

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if not name.isdigit()]


class Sequential(ListOfModules):
    """Calls modules one after the other, each on the output of the one before it.

    Takes the modules as arguments, or a dict of modules by name. A Linear followed by a ReLU runs
    as one operation, unless one of them has a hook or its own forward.

    Raises:
        TypeError: an argument is not a module.
    """

    def __init__(self, *args: Module | Mapping[str, Module]):
        super().__init__()
        named: Iterable[tuple[str, Any]] = args[0].items() \
            if len(args) == 1 and isinstance(args[0], Mapping) \
            else ((str(i), module) for i, module in enumerate(args))
        for name, module in named:
            if isinstance(module, type):
                raise TypeError(f"Sequential: module {name} is the class {module.__name__}; write "
                                f"{module.__name__}() to create one")
            if isinstance(module, list):
                raise TypeError("Sequential: the modules are separate arguments, not a list; write "
                                "Sequential(*layers)")
            self.add_module(name, module)

    def forward(self, input: Any) -> Tensor:
        attributes, done = vars(self), False
        modules = [attributes[name] for name in attributes["_registered"]["_modules"]]
        for module, following in zip_longest(modules, modules[1:]):
            if done:  # together with the Linear before it
                done = False
            elif (type(module) is Linear and type(following) is ReLU and isinstance(input, Tensor)
                    and _is_plain(module) and _is_plain(following)):
                try:
                    input, done = rectified_linear(input, module.weight, module.bias), True
                except Exception as error:
                    locate(error, module)
                    raise
            else:
                input = module(input)
        return input

    def _with_modules(self, modules: dict[str, Any]) -> Sequential:
        return type(self)(modules)

    def __delitem__(self, index: int | slice) -> None:
        if all(name.isdigit() for name in self._modules):
            super().__delitem__(index)
        else:  # keeps the user's names
            for name in self._names_at(index):
                delattr(self, name)

    def __add__(self, other: Sequential) -> Sequential:
        if not isinstance(other, Sequential):
            return NotImplemented
        return Sequential(*self, *other)

    def __mul__(self, times: int) -> Sequential:
        if not is_integer(times):
            return NotImplemented
        times = integer("Sequential: the factor", times)
        if times < 1:
            raise ValueError(f"Sequential: the factor must be at least 1, got {times}")
        return Sequential(*list(self) * times)

    __rmul__ = __mul__


FORWARDS = {Linear: Linear.forward, ReLU: ReLU.forward}


def _is_plain(module: Module) -> bool:
    """Whether calling the module only runs the forward that its class defines here."""
    return not (module._forward_hooks or module._forward_pre_hooks or module._backward_hooks
                or module._backward_pre_hooks or "forward" in vars(module)
                or type(module).forward is not FORWARDS[type(module)])


class ModuleList(ListOfModules):
    """A list whose modules are registered, so their parameters are found. It has no forward."""

    def __init__(self, modules: Iterable[Module] | None = None):
        super().__init__()
        self.extend(modules or ())

    def _with_modules(self, modules: dict[str, Any]) -> ModuleList:
        return type(self)(modules.values())

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList([*self, *other])

    def __repr__(self) -> str:
        """Consecutive modules with equal reprs share a line: (0-2): 3 x Linear(...)."""
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
    """A dict whose modules are registered, so their parameters are found. It has no forward."""

    __eq__, __hash__ = object.__eq__, object.__hash__  # by identity, as for all modules

    def __init__(self, modules: Mapping[str, Module]
                 | Iterable[tuple[str, Module]] | None = None):
        super().__init__()
        if modules is not None:
            self.update(modules)

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
    """A list whose parameters are registered. Tensors that are assigned become Parameters."""

    def __init__(self, values: Iterable[Any] | None = None):
        super().__init__()
        self._size = 0
        self.extend(values or ())

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return type(self)(self[i] for i in range(len(self))[index])
        return getattr(self, str(self._position(index)))

    def __setitem__(self, index: int, value: object) -> None:
        setattr(self, str(self._position(index)), as_parameter(value))

    def _position(self, index: int) -> int:
        try:
            return range(len(self))[index]
        except IndexError:
            raise IndexError(f"ParameterList: index {index} is out of range for {len(self)} "
                             "parameters") from None

    def append(self, value: object) -> ParameterList:
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
    """A dict whose parameters are registered. Tensors that are assigned become Parameters."""

    __eq__, __hash__ = object.__eq__, object.__hash__

    def __init__(self, parameters: Mapping[str, Any] | Iterable[tuple[str, Any]] | None = None):
        super().__init__()
        self._keys: dict[str, None] = {}
        if parameters is not None:
            self.update(parameters)

    def __getitem__(self, key: str) -> Any:
        if key not in self._keys:
            raise KeyError(key)
        return getattr(self, key)

    def __setitem__(self, key: str, value: object) -> None:
        setattr(self, key, as_parameter(value))
        self._keys[key] = None

    def __delitem__(self, key: str) -> None:
        del self._keys[key]
        delattr(self, key)

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __reversed__(self) -> Iterator[str]:
        return reversed(self._keys)

    def __or__(self, other: Mapping[str, Any]) -> ParameterDict:
        """A dict of the parameters of both; those of `other` count where names are equal."""
        joined = self.copy()
        joined.update(other)
        return joined

    def __ror__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return {**other, **self}

    def popitem(self) -> tuple[str, Any]:
        """Removes the last parameter; (its key, it).

        Raises:
            KeyError: the dict is empty.
        """
        if not self._keys:
            raise KeyError("popitem: this ParameterDict is empty")
        key = next(reversed(self._keys))
        return key, self.pop(key)

    def __ior__(self, other: Mapping[str, Any]) -> ParameterDict:
        self.update(other)
        return self

    def copy(self) -> ParameterDict:
        """Another ParameterDict of the same parameters."""
        return type(self)(dict(self))

    def fromkeys(self, keys: Iterable[str], default: Any = None) -> ParameterDict:
        """A ParameterDict with one value under all the keys."""
        return type(self)(dict.fromkeys(keys, default))

    def extra_repr(self) -> str:
        return "\n".join(f"  ({key}): {_described(value)}" for key, value in self.items())


def as_parameter(value: Any) -> Any:
    """A Tensor as a Parameter that shares its memory; other values are returned."""
    if isinstance(value, Tensor) and not isinstance(value, Parameter):
        return Parameter(value)
    return value


def _described(value: object) -> str:
    if not isinstance(value, Tensor):
        return f"Object of type: {type(value).__name__}"
    size = "x".join(map(str, value.shape))
    place = "" if value.device.type == "cpu" else f" ({value.device})"
    return f"{type(value).__name__} containing: [{value.dtype} of size {size}{place}]"
