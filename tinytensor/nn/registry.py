"""Registry: the parameters, the buffers or the submodules of a module, by name."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, KeysView, MutableMapping, ValuesView
from typing import Any


class Registry(MutableMapping[str, Any]):
    """A mapping view of the module's attributes that are of one kind, in order of registration.

    The values are ordinary attributes of the module, because Python reads those 20 times as fast
    as it calls `__getattr__`. The module keeps only the names per kind. Writing to the registry
    writes the attribute.
    """

    __slots__ = ("attributes", "names")

    def __init__(self, attributes: dict[str, Any], names: dict[str, None]):
        self.attributes, self.names = attributes, names

    def __getitem__(self, name: str) -> Any:
        if name not in self.names:
            raise KeyError(name)
        return self.attributes[name]

    def __setitem__(self, name: str, value: object) -> None:
        self.names[name] = None
        self.attributes[name] = value

    def __delitem__(self, name: str) -> None:
        del self.names[name]
        del self.attributes[name]

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def __reversed__(self) -> Iterator[str]:
        return reversed(self.names)

    def keys(self) -> KeysView[str]:
        return self.names.keys()

    def values(self) -> ValuesView[Any]:
        return self._as_dict().values()

    def items(self) -> ItemsView[str, Any]:
        return self._as_dict().items()

    def _as_dict(self) -> dict[str, Any]:
        return {name: self.attributes[name] for name in self.names}

    def __repr__(self) -> str:
        return repr(self._as_dict())
