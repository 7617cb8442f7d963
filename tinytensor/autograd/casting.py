"""Mixed precision: what an operation does with its inputs inside `amp.autocast`.

The definition of an operation says by `autocast=` which of these holds, as PyTorch's lists do:

    "lower"     computed in the dtype of the autocast, such as bfloat16
    "float32"   computed in float32
    "widest"    in float32 if an input is float32, else in the dtype of the autocast

"... on cpu" and "... on cuda" hold on that type of device only. Other operations compute in the
dtype of their inputs. float64 is never cast. The operations of which one is made do not cast again.
Calls of ops are compiled with this question when an autocast is first entered, see `ask`, so that
programs without one do not pay for it.
"""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from ..arrays import dtypes
from . import graph
from .frames import passes_on, shorten

NONE: Mapping[str, dtypes.dtype] = MappingProxyType({})


class Casting(threading.local):
    """The dtypes of the autocasts that a thread is in, by the type of device; and what an autocast
    without a dtype casts to there.
    """

    targets = NONE
    chosen: Mapping[str, dtypes.dtype] = MappingProxyType(
        {"cpu": dtypes.bfloat16, "cuda": dtypes.float16})
    keeps_weights = True  # `cache_enabled`, which has no effect


casting = Casting()


class Asked:
    """Whether the calls of ops ask for an autocast; `hooks` change them when it is first entered.
    """

    asked = False
    hooks: list[Callable[[], None]] = []  # noqa: RUF012


def ask() -> None:
    """Makes the calls of ops ask for an autocast, from now on."""
    if not Asked.asked:
        Asked.asked = True
        for hook in Asked.hooks:
            hook()


@contextlib.contextmanager
def inside(targets: Mapping[str, dtypes.dtype]) -> Iterator[None]:
    """Within the block, these are the dtypes of the autocasts."""
    around, casting.targets = casting.targets, targets
    try:
        yield
    finally:
        casting.targets = around


def call_cast(function: Callable[..., Any], rule: str, args: tuple[Any, ...],
              kwargs: dict[str, Any]) -> Any:
    """The function on inputs that are cast as its rule says, inside an autocast."""
    targets = casting.targets
    with inside(NONE):
        wanted = rule.partition(" on ")[0]
        if wanted == "widest":
            wide = any(x.dtype is dtypes.float32 for x in _eligible((args, kwargs), targets, rule))
            wanted = "float32" if wide else "lower"
        cast = functools.partial(_cast, targets=targets, rule=rule, lower=wanted == "lower")
        return function(*map(cast, args), **{name: cast(x) for name, x in kwargs.items()})


def cast_to(dtype: dtypes.dtype, device_type: str, args: tuple[Any, ...],
            kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The arguments, with the floating point Tensors on a device, except float64, in a dtype."""
    cast = functools.partial(_cast, targets={device_type: dtype}, rule="lower", lower=True)
    return tuple(map(cast, args)), {name: cast(x) for name, x in kwargs.items()}


def casts(function: Callable[..., Any], rule: str) -> Callable[..., Any]:
    """The function of a composed operation, which casts its inputs inside an autocast."""
    @passes_on
    @functools.wraps(function)
    def casting_first(*args: Any, **kwargs: Any) -> Any:
        if not casting.targets:
            return function(*args, **kwargs)
        try:
            return call_cast(function, rule, args, kwargs)
        except Exception as error:
            shorten(error)
            raise

    return casting_first


def _is_eligible(x: Any, targets: Mapping[str, dtypes.dtype], rule: str) -> bool:
    """Whether an autocast may cast x: a floating point Tensor, narrower than float64, there."""
    if not isinstance(x, graph.Tensor) or not dtypes.is_floating(x._array.dtype) \
            or x._array.dtype.itemsize == 8:
        return False
    where = x.device.type
    return where in targets and rule.partition(" on ")[2] in ("", where)


def _eligible(x: Any, targets: Mapping[str, dtypes.dtype], rule: str) -> Iterator[Any]:
    """The Tensors to cast in nested tuples, lists and dicts."""
    if type(x) in (list, tuple, dict):
        for part in x.values() if type(x) is dict else x:
            yield from _eligible(part, targets, rule)
    elif _is_eligible(x, targets, rule):
        yield x


def _cast(x: Any, targets: Mapping[str, dtypes.dtype], rule: str, lower: bool) -> Any:
    if type(x) in (list, tuple):
        return type(x)([_cast(part, targets, rule, lower) for part in x])
    if _is_eligible(x, targets, rule):
        return x.to(targets[x.device.type] if lower else dtypes.float32)
    if isinstance(x, Mapping):
        return {name: _cast(part, targets, rule, lower) for name, part in x.items()}
    return x
