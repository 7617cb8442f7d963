"""What the generated tests share: samples made concrete, on our side and on PyTorch's."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy
import torch

import tinytensor
from tinytensor.autograd.op import TABLE, Entry
from tinytensor.ops.samples import S, TensorSample


def samples() -> Iterator[tuple[str, Entry, S]]:
    """Every sample of every operation, with a readable name."""
    for key, entry in TABLE.items():
        for i, sample in enumerate(entry.samples):
            yield f"{key}[{i}]({sample})", entry, sample


def made(sample: S, seed: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a sample with NumPy arrays for its Tensors: always the same ones."""
    rng = numpy.random.default_rng(zlib.crc32(seed.encode()))
    return replace((sample.args, sample.kwargs), lambda x: isinstance(x, TensorSample),
                   lambda x: Drawn(x.make(rng), x.grad))


class Drawn:
    """An array that stands for a Tensor among the arguments."""

    def __init__(self, array: Any, grad: bool):
        self.array, self.grad = numpy.asarray(array), grad


def replace(tree: Any, chosen: Callable[[Any], bool], by: Callable[[Any], Any]) -> Any:
    """The same nested tuples, lists and dicts with some leaves replaced."""
    if chosen(tree):
        return by(tree)
    if isinstance(tree, dict):
        return {k: replace(v, chosen, by) for k, v in tree.items()}
    if type(tree) in (tuple, list):
        return type(tree)(replace(v, chosen, by) for v in tree)
    return tree


def is_drawn(x: Any) -> bool:
    return isinstance(x, Drawn)


def ours(arguments: Any, dtype: Any = numpy.float64, grad: bool = True) -> tuple[Any, list[Any]]:
    """The arguments with our Tensors, and those of them that require grad."""
    leaves = []

    def make(x: Drawn) -> Any:
        array = x.array.astype(dtype) if x.array.dtype.kind == "f" else x.array
        tensor = tinytensor.tensor(array, requires_grad=grad and x.grad)
        if x.grad:
            leaves.append(tensor)
        return tensor

    return replace(arguments, is_drawn, make), leaves


def theirs(arguments: Any, dtype: Any = numpy.float64) -> tuple[Any, list[Any]]:
    """The arguments with PyTorch's tensors, and those of them that require grad."""
    leaves = []

    def make(x: Drawn) -> Any:
        array = x.array.astype(dtype) if x.array.dtype.kind == "f" else x.array
        tensor = torch.tensor(array, requires_grad=x.grad)
        if x.grad:
            leaves.append(tensor)
        return tensor

    def convert(x: Any) -> Any:
        return make(x) if is_drawn(x) else getattr(torch, x)

    names = ("float64", "float32", "float16", "int64", "int32", "bool")
    return replace(arguments, lambda x: is_drawn(x) or isinstance(x, str) and x in names,
                   convert), leaves


def reference(entry: Entry) -> Callable[..., Any]:
    """PyTorch's function of the same meaning."""
    if callable(entry.reference):
        return entry.reference(torch)
    places = [torch, torch.nn.functional, torch.linalg, torch.Tensor]
    if entry.reference:
        found: Any = torch
        for part in entry.reference.split("."):
            found = getattr(found, part, None) or getattr(torch.Tensor, part)
        return found
    home: Any = torch
    for part in filter(None, entry.home.split(".")):
        home = getattr(home, part)
    return next(getattr(p, entry.name) for p in [home, *places] if hasattr(p, entry.name))


def outputs(result: Any) -> list[Any]:
    """The Tensors in a result, in order."""
    if isinstance(result, tinytensor.Tensor | torch.Tensor):
        return [result]
    if isinstance(result, tuple | list):
        return [t for r in result for t in outputs(r)]
    return []


def differentiable(tensors: list[Any]) -> list[Any]:
    return [t for t in tensors if t.requires_grad]


def values(x: Any) -> Any:
    """A Tensor of either kind as a NumPy array; numbers stay."""
    if isinstance(x, torch.Tensor):
        return x.detach().resolve_neg().clone().numpy(force=True)
    return x.detach().numpy() if hasattr(x, "detach") else x
