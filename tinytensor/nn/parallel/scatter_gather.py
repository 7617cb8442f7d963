"""`torch.nn.parallel.scatter_gather`: batches in parts and together, for one device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ... import ops
from ...nn.module import Module
from ...tensors.tensor import Tensor


def is_namedtuple(obj: Any) -> bool:
    """Whether it is a namedtuple."""
    return isinstance(obj, tuple) and hasattr(obj, "_fields")


def scatter(inputs: Any, target_gpus: Sequence[Any], dim: int = 0) -> list[Any]:
    """Nested inputs in parts, one for each device: Tensors are split along `dim`."""
    count = len(target_gpus)

    def parts(x: Any) -> list[Any]:
        if isinstance(x, Tensor):
            return [part.to(where) for part, where in zip(x.chunk(count, dim), target_gpus,
                                                          strict=False)]
        if is_namedtuple(x):
            return [type(x)(*each) for each in zip(*map(parts, x), strict=False)]
        if isinstance(x, list | tuple) and x:
            return [type(x)(each) for each in zip(*map(parts, x), strict=False)]
        if isinstance(x, dict) and x:
            return [type(x)(each) for each in zip(*map(parts, x.items()), strict=False)]
        return [x] * count

    return parts(inputs)


def scatter_kwargs(inputs: Any, kwargs: dict[str, Any] | None, target_gpus: Sequence[Any],
                   dim: int = 0) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """The parts of positional and of keyword arguments, equally many of both."""
    positional = scatter(inputs, target_gpus, dim) if inputs else []
    named = scatter(kwargs, target_gpus, dim) if kwargs else []
    count = max(len(positional), len(named))
    return (tuple(positional) + ((),) * (count - len(positional)),
            tuple(named) + ({},) * (count - len(named)))


def gather(outputs: Sequence[Any], target_device: Any, dim: int = 0) -> Any:
    """The parts of nested outputs, put together along `dim`."""
    first = outputs[0]
    if isinstance(first, Tensor):
        parts = [x.to(target_device) for x in outputs]
        join = ops.names_for("")["stack" if first.ndim == 0 else "cat"]
        return join(parts, dim=dim)
    if first is None:
        return None
    if isinstance(first, dict):
        return type(first)((k, gather([o[k] for o in outputs], target_device, dim)) for k in first)
    joined = [gather(each, target_device, dim) for each in zip(*outputs, strict=True)]
    return type(first)(*joined) if is_namedtuple(first) else type(first)(joined)


def parallel_apply(modules: Sequence[Module], inputs: Sequence[Any],
                   kwargs_tup: Sequence[dict[str, Any]] | None = None,
                   devices: Sequence[Any] | None = None) -> list[Any]:
    """The result of each module for its inputs, one after the other.

    Raises:
        AssertionError: not equally many modules, inputs and keyword arguments.
    """
    named = [{}] * len(modules) if kwargs_tup is None else kwargs_tup
    if not len(modules) == len(inputs) == len(named):
        raise AssertionError(f"parallel_apply: {len(modules)} modules, {len(inputs)} inputs and "
                             f"{len(named)} keyword arguments must be equally many")
    return [module(*(given if isinstance(given, tuple) else (given,)), **keywords)
            for module, given, keywords in zip(modules, inputs, named, strict=True)]
