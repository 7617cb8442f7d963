"""`torch.compiler`: asks and hints of `torch.compile`, which returns the model unchanged here."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from ..names import compile as compile

T = TypeVar("T")
__all__ = ["allow_in_graph", "assume_constant_result", "compile", "cudagraph_mark_step_begin",
           "disable", "is_compiling", "is_dynamo_compiling", "is_exporting", "list_backends",
           "reset", "set_stance", "substitute_in_graph"]


def is_compiling() -> bool:
    """False: nothing is compiled."""
    return False


is_dynamo_compiling = is_exporting = is_compiling


def disable(fn: Any = None, recursive: bool = True, *, reason: str | None = None) -> Any:
    """The function itself; without one, a decorator that does the same."""
    return _itself if fn is None else fn


def allow_in_graph(fn: T) -> T:
    """The function itself."""
    return fn


assume_constant_result = allow_in_graph


def substitute_in_graph(original_fn: Any, **options: Any) -> Callable[[T], T]:
    """A decorator that returns the function itself."""
    return _itself


def _itself(fn: T) -> T:
    return fn


def reset() -> None:
    """Has no effect: nothing is kept."""


cudagraph_mark_step_begin = reset


def list_backends(*args: Any, **kwargs: Any) -> list[str]:
    """No backends."""
    return []


@contextlib.contextmanager
def set_stance(stance: str = "default", **options: Any) -> Iterator[None]:
    """Has no effect."""
    yield
