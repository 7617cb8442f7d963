"""What the generated tests share: samples made concrete, on our side and on PyTorch's."""

from __future__ import annotations

import functools
import inspect
import sys
import warnings
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy
import pytest
import torch

import tinytensor
from scalar import Value
from tinytensor.autograd import graph
from tinytensor.autograd.table import TABLE, Entry
from tinytensor.ops.samples import S, TensorSample


def run_all(runs: Mapping[str, Callable[[], Any]]) -> None:
    """All of them, whether or not one fails: the first error is raised with the names of all that
    fail. If all are skipped, so is the test.
    """
    __tracebackhide__ = True
    failed: dict[str, BaseException] = {}
    skipped: list[BaseException] = []
    for name, run in runs.items():
        try:
            run()
        except pytest.skip.Exception as reason:
            skipped.append(reason)
        except (Exception, pytest.fail.Exception) as error:
            failed[name] = error
    if failed:
        first = next(iter(failed.values()))
        first.add_note(f"fails for {len(failed)} of {len(runs)}: {', '.join(failed)}")
        raise first
    if skipped and len(skipped) == len(runs):
        raise skipped[0]


def samples_of(entry: Entry) -> Sequence[S]:
    return entry.samples


def on_samples(entries: Mapping[str, Entry], samples: Callable[[Entry], Sequence[S]] = samples_of,
               ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Makes of test(entry, sample, ...) a test for each operation, which runs on all its samples.

    There are thousands of samples, and for most a test of its own would take longer to arrange
    than to run.
    """
    chosen = {key: entry for key, entry in entries.items() if samples(entry)}

    def decorate(test: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(test)
        def on_all(entry: Entry, **given: Any) -> None:
            __tracebackhide__ = True
            run = functools.partial(test, entry=entry, **given)
            run_all({f"[{i}]({sample})": functools.partial(run, sample=sample)
                     for i, sample in enumerate(samples(entry))})

        return pytest.mark.parametrize("entry", chosen.values(), ids=list(chosen))(
            without_parameter(on_all, "sample"))

    return decorate


def on_entries(test: Callable[[Entry], Any]) -> Callable[[], None]:
    """Makes of test(entry) one test of the whole table, for what takes no time."""
    @functools.wraps(test)
    def on_all() -> None:
        __tracebackhide__ = True
        run_all({key: functools.partial(test, entry) for key, entry in TABLE.items()})

    return without_parameter(on_all, "entry")


def in_turn(names: str, values: Iterable[Any]) -> Callable[[Callable[..., Any]],
                                                          Callable[..., Any]]:
    """pytest.mark.parametrize(names, values) within one test, for what takes no time."""
    parameters = names.split(", ")
    cases = [value if len(parameters) > 1 else (value,) for value in values]

    def decorate(test: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(test)
        def on_all(*args: Any, **given: Any) -> None:
            __tracebackhide__ = True
            run_all({f"[{i}]{case}": functools.partial(
                test, *args, **given, **dict(zip(parameters, case, strict=True)))
                for i, case in enumerate(cases)})

        return without_parameter(on_all, *parameters)

    return decorate


def without_parameter(function: Any, *names: str) -> Any:
    """For pytest, which would look for fixtures of these names."""
    signature = inspect.signature(function)
    function.__signature__ = signature.replace(
        parameters=[p for p in signature.parameters.values() if p.name not in names])
    return function


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


def ours(arguments: Any, dtype: Any = numpy.float64, grad: bool = True,
         make: Callable[[Any], Any] = tinytensor.tensor) -> tuple[Any, list[Any]]:
    """The arguments with our Tensors, and those of them that require grad."""
    leaves = []

    def convert(x: Drawn) -> Any:
        array = x.array.astype(dtype) if x.array.dtype.kind == "f" else x.array
        tensor = make(array)
        if x.grad:
            leaves.append(tensor.requires_grad_(grad))
        return tensor

    return replace(arguments, is_drawn, convert), leaves


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
    return replace(arguments, lambda x: is_drawn(x) or (isinstance(x, str) and x in names),
                   convert), leaves


def reference(entry: Entry) -> Callable[..., Any]:
    """PyTorch's function of the same meaning, without its warnings."""
    function = _torch_function(entry)

    def silent(*args: Any, **kwargs: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return function(*args, **kwargs)

    return silent


def _torch_function(entry: Entry) -> Callable[..., Any]:
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


def key_of(entry: Entry) -> str:
    """The name under which the table has it."""
    return f"{entry.home}.{entry.name}" if entry.home else entry.name


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


def weights(tensors: list[Any], seed: int) -> list[Any]:
    """What to multiply results with to make one number of them: fixed, not symmetric."""
    rng = numpy.random.default_rng(seed)
    return [rng.uniform(0.5, 1.5, tuple(t.shape)) for t in tensors]


def total(tensors: list[Any], library: Any, seed: int) -> Any:
    """Σ w · result over all results."""
    pairs = zip(tensors, weights(tensors, seed), strict=True)
    return sum((t * library.tensor(w, dtype=t.dtype, device=t.device)).sum() for t, w in pairs)


# ---------------------------------------------------------------- the scalar engine


def array_of_values(array: Any) -> Any:
    """The same numbers, each as a Value."""
    made_of = numpy.empty(array.shape, dtype=object)
    for at, number in numpy.ndenumerate(array):
        made_of[at] = Value(float(number))
    return made_of


def by_single_values(entry: Entry, arguments: Any,
                     chosen: list[bool]) -> tuple[list[Any], list[Any]]:
    """The chosen results, and the gradients of their weighted sum, by the scalar engine."""
    leaves = []

    def convert(x: Drawn) -> Any:
        if x.array.dtype.kind != "f":
            return tinytensor.tensor(x.array)
        array = array_of_values(x.array)
        if x.grad:
            leaves.append(array)
        return graph.tensor_of(array, None)

    args, kwargs = replace(arguments, is_drawn, convert)
    results = [r._array for r, c in zip(outputs(entry.function(*args, **kwargs)), chosen,
                                        strict=True) if c]
    assert all(r.dtype == object for r in results), "a result is not of Values"
    sum_of_all = Value(0.0)
    for result, w in zip(results, weights(results, 0), strict=True):
        for value, weight in zip(result.ravel(), w.ravel(), strict=True):
            sum_of_all = sum_of_all + value * float(weight)
    sum_of_all.backward()
    return ([_numbers(r, float) for r in results],
            [_numbers(leaf, lambda value: value.grad) for leaf in leaves])


def _numbers(array: Any, of: Callable[[Any], float]) -> Any:
    return numpy.array([of(v) for v in array.ravel()], dtype=float).reshape(array.shape)


# ---------------------------------------------------------------- operations without samples

# Parts of others, which no user calls with arguments that a sample could hold: each is covered by
# a program that uses it, run on both libraries.
DEVICE_MODULE = sys.modules["tinytensor.arrays.devices"]


def _mutate_base(library: Any, x: Any, v: Any) -> Any:
    y = x.clone()
    view = y[1]
    y.mul_(x)
    return view * v


def _write_through_view(library: Any, x: Any, v: Any) -> Any:
    y = x * 2
    y.t()[0].mul_(3.0)
    y[1] *= v
    return y * x


def _assign(library: Any, x: Any, v: Any) -> Any:
    y = x * x
    y[1:] = v * v
    return y * x


def _to_gpu_and_back(library: Any, x: Any, v: Any) -> Any:
    if library is torch:
        return x * x * v
    there = x.to("cuda")
    return (there * there).cpu() * v


def _cast(library: Any, x: Any, v: Any) -> Any:
    return (x.to(library.float32) * 2).to(library.float64) * v


def _recomputed(library: Any, x: Any, v: Any) -> Any:
    return library.nn.functional.cross_entropy(x * x, library.tensor([0, 1, 1]),
                                               reduction="none").mean() * v


def _max_pool(library: Any, x: Any, v: Any) -> Any:
    rows = (x * library.tensor([[1.0, 3.0]])).t()[None]
    pooled = library.nn.functional.max_pool1d(rows, 2)
    chosen, _ = library.nn.functional.max_pool1d(rows, 2, return_indices=True)
    return pooled ** 3 * v[0] + chosen ** 2 * v[1]


def _weighted_positives(library: Any, x: Any, v: Any) -> Any:
    """PyTorch has no derivative by pos_weight, so there the loss is written out."""
    target = library.tensor([[0.0, 1.0], [1.0, 0.0], [0.5, 0.25]], dtype=library.float64)
    if library is tinytensor:
        return library.nn.functional.binary_cross_entropy_with_logits(x, target, pos_weight=v)
    return ((1 - target) * x + (1 + (v - 1) * target) * library.nn.functional.softplus(-x)).mean()


def _floored(library: Any, x: Any, v: Any) -> Any:
    """PyTorch has no derivative of its floor_divide, so the same is written in two steps."""
    return (x // v if library is tinytensor else (x / v).floor()) + x * v


PROGRAMS: dict[str, Callable[..., Any]] = {
    "views of a base that changed": _mutate_base,
    "writing through views": _write_through_view,
    "item assignment": _assign,
    "moving": _to_gpu_and_back,
    "another dtype": _cast,
    "a forward that is run again": _recomputed,
    "max pooling": _max_pool,
    "weights of positives": _weighted_positives,
    "rounded quotients": _floored,
    "signs": lambda library, x, v: library.copysign(x, v) * x,
    "memory around a view": lambda library, x, v: (
        (x * v).t().as_strided((2, 2), (2, 1), 1) * x[1:].as_strided((2, 2), (1, 1), 2)
        * x[1].as_strided((), ())),
    "in order": lambda library, x, v: (x.t().contiguous() * x.t()) @ (x * v),
}
# The rules of these no sample can reach (it needs Tensors that lie otherwise, or a derivative that
# PyTorch lacks); the second group has no samples at all.
ALSO_BY_PROGRAMS = {
    "contiguous": "in order", "copysign": "signs", "floor_divide": "rounded quotients",
    "logit_cross_entropy": "weights of positives", "setitem": "item assignment",
}
WITHOUT_SAMPLES = {
    "alias": "a forward that is run again", "cast": "another dtype", "move": "moving",
    "memory": "memory around a view",
    "internal.winner": "max pooling",
    "internal.pick": "max pooling", "internal.put": "max pooling",
}
# Where finite differences along one direction are not what the derivative is defined to be.
SYMMETRIC = {"cholesky", "linalg.cholesky", "linalg.cholesky_ex", "cholesky_factor", "linalg.eigh",
             "linalg.eigvalsh", "eigh"}  # of symmetric matrices: moved symmetrically
NO_FINITE_DIFFERENCES = {
    "nn.functional.embedding": "the row at padding_idx gets no gradient, and max_norm rescales",
    "nn.functional.gaussian_nll_loss": "the variance is clamped without a derivative",
    "nn.functional.poisson_nll_loss": "Stirling's term counts as a constant where it is cut off",
    "linalg.svd": "the vectors that complete a basis are arbitrary",
    "standardize": "its mean and variance are statistics, without gradient",
}
# Results that PyTorch's random numbers differ from: their families' tests look at them.
RANDOM = {"nn.functional.gumbel_softmax"}
