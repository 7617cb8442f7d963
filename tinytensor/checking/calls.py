"""Calls of an operation on its samples: their arguments, results and gradients.

A sample describes its Tensors (`ops/samples.py`). `arguments_of` draws their values, always the
same ones; `ours` and `theirs` make Tensors of them, of this package and of PyTorch.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import warnings
import zlib
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy

import tinytensor
from scalar import Value

from ..autograd import graph
from ..autograd.table import Entry
from ..ops.samples import S, TensorSample
from .comparing import CheckError, NotChecked

DTYPES = ("float64", "float32", "float16", "int64", "int32", "bool")


# ---------------------------------------------------------------- arguments


class Drawn:
    """The values of a Tensor among the arguments, and whether its gradient is checked."""

    def __init__(self, array: Any, grad: bool):
        self.array, self.grad = numpy.asarray(array), grad

    def as_dtype(self, dtype: Any) -> Any:
        """The values, converted to `dtype` if they are floating point."""
        return self.array.astype(dtype) if self.array.dtype.kind == "f" else self.array


def is_drawn(x: Any) -> bool:
    return isinstance(x, Drawn)


@functools.lru_cache(maxsize=256)  # each check of an operation asks for the same
def arguments_of(sample: S, seed: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a sample with a `Drawn` for each Tensor; equal seeds give equal values."""
    rng = numpy.random.default_rng(zlib.crc32(seed.encode()))
    return replace((sample.args, sample.kwargs), lambda x: isinstance(x, TensorSample),
                   lambda x: Drawn(x.make(rng), x.grad))


def replace(tree: Any, chosen: Callable[[Any], bool], by: Callable[[Any], Any]) -> Any:
    """The same nested tuples, lists and dicts with some leaves replaced."""
    if chosen(tree):
        return by(tree)
    if isinstance(tree, dict):
        return {k: replace(v, chosen, by) for k, v in tree.items()}
    if type(tree) in (tuple, list):
        return type(tree)(replace(v, chosen, by) for v in tree)
    return tree


def ours(arguments: Any, dtype: Any = numpy.float64, grad: bool = True,
         make: Callable[[Any], Any] = tinytensor.tensor) -> tuple[Any, list[Any]]:
    """The arguments with Tensors, and those of them that require grad."""
    leaves = []

    def convert(x: Drawn) -> Any:
        tensor = make(x.as_dtype(dtype))
        if x.grad:
            leaves.append(tensor.requires_grad_(grad))
        return tensor

    return replace(arguments, is_drawn, convert), leaves


def theirs(arguments: Any, dtype: Any = numpy.float64,
           library: Any = None) -> tuple[Any, list[Any]]:
    """The same in the library of the reference: PyTorch if it is not given."""
    library = library or torch()
    leaves = []

    def convert(x: Any) -> Any:
        if not is_drawn(x):
            return getattr(library, x)
        tensor = library.tensor(x.as_dtype(dtype), requires_grad=x.grad)
        if x.grad:
            leaves.append(tensor)
        return tensor

    return replace(arguments, lambda x: is_drawn(x) or (isinstance(x, str) and x in DTYPES),
                   convert), leaves


def tensor_names(entry: Entry, arguments: Any) -> list[tuple[str, Drawn]]:
    """The drawn Tensors by the names of their parameters: "input", "tensors[1]"."""
    args, kwargs = arguments
    parameters = [p for p in inspect.signature(entry.function).parameters.values()
                  if p.kind is not p.KEYWORD_ONLY]
    named = []
    for i, value in enumerate(args):
        p = parameters[min(i, len(parameters) - 1)]
        named.append((f"{p.name}[{i + 1 - len(parameters)}]" if p.kind is p.VAR_POSITIONAL
                      else p.name, value))
    return [pair for name, value in [*named, *kwargs.items()] for pair in _nested(name, value)]


def _nested(name: str, value: Any) -> list[tuple[str, Drawn]]:
    if is_drawn(value):
        return [(name, value)]
    items = value.items() if isinstance(value, dict) else enumerate(value) \
        if type(value) in (tuple, list) else ()
    return [pair for key, v in items for pair in _nested(f"{name}[{key!r}]", v)]


def leaf_names(entry: Entry, arguments: Any) -> list[str]:
    """The names of the Tensors that require grad, in the order of `ours`."""
    return [name for name, x in tensor_names(entry, arguments) if x.grad]


# ---------------------------------------------------------------- the reference


@functools.cache
def torch() -> ModuleType | None:
    """PyTorch, if it is installed."""
    try:
        return importlib.import_module("torch")
    except ImportError:
        return None


def reference_library(entry: Entry) -> Any:
    """The library to compare with: PyTorch.

    Where it is not installed this package is, for an operation whose `reference=` is a function of
    the module: that then computes with other operations of this package.

    Raises:
        NotChecked: neither is possible.
    """
    if torch() is None and not callable(entry.reference):
        raise NotChecked("PyTorch is not installed")
    return torch() or tinytensor


def reference(entry: Entry) -> Callable[..., Any]:
    """The function of the same meaning in `reference_library(entry)`, without its warnings.

    Raises:
        NotChecked: as `reference_library`.
        CheckError: PyTorch has no function of that name.
    """
    function = _reference(entry, reference_library(entry))

    def silent(*args: Any, **kwargs: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return function(*args, **kwargs)

    return silent


def _reference(entry: Entry, library: Any) -> Callable[..., Any]:
    if callable(entry.reference):
        return entry.reference(library)
    if entry.reference:
        named: Any = library
        for part in entry.reference.split("."):
            named = getattr(named, part, None) or getattr(library.Tensor, part, None)
        if named is None:
            raise CheckError(f"PyTorch has no {entry.reference!r}: correct reference= in the "
                          f"definition of {entry.name}")
        return named
    home = library
    for part in filter(None, entry.home.split(".")):
        home = getattr(home, part, None)
    for place in (home, library, library.nn.functional, library.linalg, library.Tensor):
        if hasattr(place, entry.name):
            return getattr(place, entry.name)
    parameters = ", ".join(inspect.signature(entry.function).parameters)
    raise CheckError(
        f"PyTorch has no `{entry.name}`: give the definition a reference=, a function of the "
        f"module torch that returns a function of the same meaning, or the name of PyTorch's:\n"
        f"reference=lambda torch: lambda {parameters}: ...")


# ---------------------------------------------------------------- results and gradients


def outputs(result: Any) -> list[Any]:
    """The Tensors of either library in a result, in order."""
    if isinstance(result, tuple | list):
        return [t for r in result for t in outputs(r)]
    return [result] if hasattr(result, "requires_grad") else []


def differentiable(tensors: list[Any]) -> list[Any]:
    return [t for t in tensors if t.requires_grad]


def values(x: Any) -> Any:
    """A Tensor of either library as a NumPy array; numbers stay."""
    if isinstance(x, tinytensor.Tensor):
        return x.numpy(force=True)
    return x.detach().resolve_neg().clone().numpy(force=True) if hasattr(x, "detach") else x


def weights(tensors: list[Any], seed: int) -> list[Any]:
    """Weights for the elements of results: fixed, and not symmetric."""
    return _weights(tuple(tuple(t.shape) for t in tensors), seed)


@functools.lru_cache(maxsize=256)
def _weights(shapes: tuple[tuple[int, ...], ...], seed: int) -> list[Any]:
    rng = numpy.random.default_rng(seed)
    return [rng.uniform(0.5, 1.5, shape) for shape in shapes]


def total(tensors: list[Any], library: Any, seed: int) -> Any:
    """Σ weight * element over all results."""
    pairs = zip(tensors, weights(tensors, seed), strict=True)
    return sum((t * library.tensor(w, dtype=t.dtype, device=t.device)).sum() for t, w in pairs)


def gradients(library: Any, results: list[Any], leaves: list[Any], **options: Any) -> list[Any]:
    """The gradients of `total(results)`; an empty list if no result depends on a leaf."""
    results = differentiable(results)
    if not results or not leaves:
        return []
    return list(library.autograd.grad(total(results, library, 0), leaves, allow_unused=True,
                                      **options))


def evaluate(entry: Entry, arguments: Any, dtype: Any = numpy.float64,
             change: Callable[[Any], Any] = lambda x: x) -> tuple[list[Any], list[Any]]:
    """The results of a call and the gradients of `total(results)`, as arrays.

    `change` makes other Tensors of the inputs.
    """
    (args, kwargs), leaves = ours(arguments, dtype, make=lambda a: change(tinytensor.tensor(a)))
    results = outputs(entry.function(*args, **kwargs))
    return [*map(values, results)], [*map(values, gradients(tinytensor, results, leaves))]


def second(library: Any, first: list[Any], leaves: list[Any]) -> list[Any]:
    """The gradients of the first gradients, as arrays; None counts as zeros.

    For a linear operation the libraries differ in which of the two they give.
    """
    first = differentiable([g for g in first if g is not None])
    computed = list(library.autograd.grad(total(first, library, 1), leaves, allow_unused=True)) \
        if first else [None] * len(leaves)
    return [numpy.zeros(tuple(x.shape)) if g is None else values(g)
            for g, x in zip(computed, leaves, strict=True)]


# ---------------------------------------------------------------- the scalar engine


def array_of_values(array: Any) -> Any:
    """An array of objects with a `Value` for each number."""
    objects = numpy.empty(array.shape, dtype=object)
    for index, number in numpy.ndenumerate(array):
        objects[index] = Value(float(number))
    return objects


def by_single_values(entry: Entry, arguments: Any,
                     chosen: list[bool]) -> tuple[list[Any], list[Any]]:
    """The chosen results and the gradients of their weighted sum, computed by the scalar engine."""
    leaves = []

    def convert(x: Drawn) -> Any:
        if x.array.dtype.kind != "f":
            return tinytensor.tensor(x.array, device="cpu")
        array = array_of_values(x.array)
        if x.grad:
            leaves.append(array)
        return graph.tensor_of(array, None)

    args, kwargs = replace(arguments, is_drawn, convert)
    results = [r._array for r, c in zip(outputs(entry.function(*args, **kwargs)), chosen,
                                        strict=True) if c]
    if any(r.dtype != object for r in results):
        raise CheckError("a result holds numbers where the inputs hold Values")
    weighted_sum = Value(0.0)
    for result, w in zip(results, weights(results, 0), strict=True):
        for value, weight in zip(result.ravel(), w.ravel(), strict=True):
            weighted_sum = weighted_sum + value * float(weight)
    weighted_sum.backward()
    return ([_numbers(r, float) for r in results],
            [_numbers(leaf, lambda value: value.grad) for leaf in leaves])


def _numbers(array: Any, of: Callable[[Any], float]) -> Any:
    return numpy.array([of(v) for v in array.ravel()], dtype=float).reshape(array.shape)
