"""Named tuples for operations with several results, printed as PyTorch prints them.

    torch.return_types.max(
    values=tensor([3., 4.]),
    indices=tensor([1, 1]))
"""

from __future__ import annotations

import collections
import functools
from collections.abc import Sequence
from typing import Any

from . import naming


@functools.cache
def return_type(name: str, *fields: str) -> Any:
    """The class of an operation's results: `return_type("max", "values", "indices")`.

    Unlike other named tuples, results can be pickled, although no module has their class.
    """
    return type(name, (ReturnType, collections.namedtuple(name, fields)), {"__slots__": ()})  # type: ignore[misc]


class ReturnType:
    """What the classes have in common."""

    __slots__ = ()
    _fields: tuple[str, ...]

    def __repr__(self) -> str:
        values: Sequence[Any] = self  # type: ignore[assignment]
        lines = [f"{field}={value!r}" for field, value in zip(self._fields, values, strict=True)]
        return f"{naming.package}.return_types.{type(self).__name__}(\n" + ",\n".join(lines) + ")"

    def __reduce__(self) -> Any:
        return _restored, (type(self).__name__, self._fields, tuple(self))  # type: ignore[arg-type]


def _restored(name: str, fields: tuple[str, ...], values: tuple[Any, ...]) -> Any:
    return return_type(name, *fields)(*values)
