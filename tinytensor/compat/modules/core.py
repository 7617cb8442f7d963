"""`torch._C`: private names of PyTorch's core that big libraries ask for at import."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace
from typing import Any

from ...arrays import dtypes
from ...arrays.devices import device
from ...random import Generator as Generator
from ...tensors.tensor import Tensor

_TensorMeta = type
DisableTorchFunctionSubclass = DisableTorchFunction = contextlib.nullcontext


class Graph:
    """The type of traced graphs, of which there are none."""


class Node(Graph):
    """The type of their nodes."""


class Value(Graph):
    """The type of their values."""


class ScriptMethod(Graph):
    """The type of compiled methods, of which there are none."""


class TensorType(Graph):
    """The type of Tensors in traced graphs, of which there are none."""


def _log_api_usage_once(event: str) -> None:
    """Has no effect."""


def _get_tracing_state() -> None:
    """None: nothing is traced."""


def _disabled_torch_function_impl(func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
    """Calls the function."""
    return func(*args, **(kwargs or {}))


def _parse_to(*args: Any, dtype: Any = None, non_blocking: bool = False, copy: bool = False,
              memory_format: Any = None, **kwargs: Any) -> tuple[Any, Any, bool, Any]:
    """The arguments of `Module.to` as (device, dtype, non_blocking, memory_format)."""
    where = kwargs.get("device")
    for arg in args:
        if isinstance(arg, Tensor):
            where, dtype = arg.device, arg.dtype
        elif isinstance(arg, dtypes.dtype):
            dtype = arg
        elif isinstance(arg, bool):
            non_blocking = arg
        elif arg is not None:
            where = arg
    return None if where is None else device(where), dtype, non_blocking, memory_format


_nn = SimpleNamespace(_parse_to=_parse_to)


class _Key(type):
    """A class of which every public attribute is a key of PyTorch's dispatcher: a name."""

    def __getattr__(cls, name: str) -> str:
        if name.startswith("_"):
            raise AttributeError(name)
        return name


class DispatchKey(metaclass=_Key):
    """The keys of PyTorch's dispatcher, by name. There is no dispatcher."""


class DispatchKeySet(frozenset[str]):
    """A set of keys."""

    def __new__(cls, *keys: str) -> DispatchKeySet:
        return super().__new__(cls, keys)


class _ExcludeDispatchKeyGuard(contextlib.nullcontext[None]):
    """A context without effect."""

    def __init__(self, keys: object):
        super().__init__()
