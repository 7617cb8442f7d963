"""vmap: a function of one sample, applied to a batch."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any

from .. import random
from ..arrays.numbers import is_integer
from ..autograd import errors, versions
from ..ops.shape import cat
from ..tensors.tensor import Tensor
from . import rules
from .batched import Batched, DependsOnValues, Level, batch_of, spread_over, stacked
from .trees import flatten, spread, unflatten

errors.batched.append(rules.call)

RANDOMNESS = ("error", "same", "different")


class _Thread(threading.local):
    """The `vmap`s that run in a thread, the outermost first."""

    def __init__(self) -> None:
        self.levels: list[Level] = []


_thread = _Thread()


def levels() -> list[Level]:
    return _thread.levels


class Drawn(Exception):  # noqa: N818 - no error for users
    """Random numbers are drawn that differ from sample to sample."""


class Refusing(random.Streams):
    """Generators that raise an exception when something is drawn."""

    def __init__(self, problem: type[Exception], text: str):
        super().__init__()
        self.problem, self.text = problem, text

    @property
    def generators(self) -> dict[str, random.Generator]:
        raise self.problem(self.text)

    @generators.setter
    def generators(self, value: dict[str, random.Generator]) -> None:
        pass


class RandomnessError(RuntimeError):
    """A function under `vmap` draws random numbers, and `randomness` does not say which."""


def vmap(func: Callable[..., Any], in_dims: Any = 0, out_dims: Any = 0, randomness: str = "error",
         *, chunk_size: int | None = None) -> Callable[..., Any]:
    """A function that applies `func`, which is written for one sample, to a batch.

        per_sample = vmap(grad(loss), in_dims=(None, 0, 0))(parameters, inputs, targets)

    `func` sees Tensors without the batch dim. Operations run on all samples at once; those that
    cannot, and functions that read values of Tensors inside (`x[mask]`), run sample by sample. It
    may be nested, differentiated, and contain `grad`, `vjp`, `jacrev` and `hessian`. It must not
    write into Tensors from outside, such as the running statistics of a batch norm in training.
    What it writes into its arguments does not reach the caller's Tensors.

    Args:
        in_dims: the batch dim of each argument, None for an argument that is the same for all; one
            for all, or a nesting of tuples and dicts like the arguments. Keyword arguments are
            the same for all samples.
        out_dims: where the batch goes in the results; None for a result that is the same for all.
        randomness: what random functions do: "error" refuses them, "same" draws the same numbers
            for all samples, "different" draws for each.
        chunk_size: how many samples to compute at once, to save memory. All by default.

    Raises:
        ValueError: arguments without a batch dim, batch sizes that differ, dims that do not exist,
            an out_dims of None for a result that differs, an unknown `randomness`.
        RuntimeError: the function depends on the value of a Tensor in its control flow; or it
            draws random numbers, and `randomness` is "error"; or it writes into a Tensor that is
            the same for all samples, and has to run sample by sample.
    """
    if randomness not in RANDOMNESS:
        raise ValueError(f"vmap: randomness must be one of {', '.join(RANDOMNESS)}, got "
                         f"{randomness!r}")
    if chunk_size is not None and chunk_size < 1:
        raise ValueError(f"vmap: chunk_size must be positive, got {chunk_size}")

    @functools.wraps(func)
    def mapped(*args: Any, **kwargs: Any) -> Any:
        leaves, structure = flatten((args, kwargs))
        dims = _dims(in_dims, args, kwargs, leaves)
        size = _size(leaves, dims)
        fronted = [x if dim is None else x.movedim(dim, 0)
                   for x, dim in zip(leaves, dims, strict=True)]
        step, pieces, form = chunk_size or max(size, 1), [], None
        for start in range(0, max(size, 1), step):
            part = [x if dim is None or step >= size else x[start:start + step]
                    for x, dim in zip(fronted, dims, strict=True)]
            outs, batched, form = _run(
                func, part, dims, structure, min(step, size - start), randomness)
            pieces.append(outs)
        results = [cat(list(column)) if len(column) > 1 else column[0]
                   for column in zip(*pieces, strict=True)]
        places = spread(out_dims, unflatten(results, form), "out_dims")
        if any(place is None and differs
               for place, differs in zip(places, batched, strict=True)):
            raise ValueError("vmap: out_dims is None for a result that differs from sample to "
                             "sample; give the dim where the batch goes")
        return unflatten([x if place == 0 else x[0] if place is None else x.movedim(0, place)
                          for x, place in zip(results, places, strict=True)], form)

    return mapped


def _dims(in_dims: Any, args: tuple[Any, ...], kwargs: dict[str, Any],
          leaves: list[Any]) -> list[int | None]:
    """The batch dim of each leaf of the arguments; None for one that is the same for all."""
    given = tuple(in_dims) if isinstance(in_dims, list) else in_dims
    dims = spread(given, args, "in_dims") + [None] * len(flatten(kwargs)[0])
    found: list[int | None] = []
    for x, dim in zip(leaves, dims, strict=True):
        if dim is None or not isinstance(x, Tensor) and isinstance(in_dims, int):
            found.append(None)
            continue
        if not isinstance(x, Tensor) or not is_integer(dim):
            raise ValueError(f"vmap: in_dims gives the dim {dim!r} to an argument that is a "
                             f"{type(x).__name__}; only Tensors have one, use None")
        if not -x.ndim <= dim < x.ndim:
            raise ValueError(f"vmap: in_dims gives the dim {dim} to a Tensor of shape "
                             f"{tuple(x.shape)}")
        found.append(dim)
    return found


def _size(leaves: list[Any], dims: list[int | None]) -> int:
    sizes = {x.shape[dim]: tuple(x.shape)
             for x, dim in zip(leaves, dims, strict=True) if dim is not None}
    if not sizes:
        raise ValueError("vmap: no argument has a batch dim; in_dims must name one for at least "
                         "one Tensor")
    if len(sizes) > 1:
        raise ValueError("vmap: the batch dims of the arguments must be of one size, got "
                         f"{' and '.join(map(str, sizes))}, of shapes "
                         f"{' and '.join(map(str, sizes.values()))}")
    return next(iter(sizes))


def _run(func: Callable[..., Any], leaves: list[Any], dims: list[int | None], structure: Any,
         size: int, randomness: str) -> tuple[list[Any], list[bool], Any]:
    """The results of func for all samples, with the batch as dim 0; which of them are known to
    differ from sample to sample; and their structure.
    """
    level = Level(len(_thread.levels), size)
    streams, state = random.streams(), None
    if randomness == "same":
        state = streams.state_dict()
    if randomness != "same":
        streams = Refusing(*((RandomnessError, (
            "vmap: the function draws random numbers; say with randomness='same' or 'different' "
            "whether all samples get the same ones")) if randomness == "error"
            else (Drawn, "vmap: random numbers for each sample")))
    _thread.levels.append(level)
    written = versions.last_write
    try:
        given = [x if dim is None else Batched(x, level)
                 for x, dim in zip(leaves, dims, strict=True)]
        args, kwargs = unflatten(given, structure)
        with random.using(streams):
            results, form = flatten(func(*args, **kwargs))
        return ([_whole(x, level) for x in results], [batch_of(x, level) for x in results], form)
    except (DependsOnValues, RandomnessError):
        raise
    except Exception as error:
        if versions.last_write != written:  # it cannot run once more
            raise RuntimeError(
                "vmap: the function writes into a Tensor that is the same for all samples (as a "
                "batch norm into its running statistics), and cannot run on all of them at once: "
                f"{error}. Use operations that return new Tensors, or eval() of the module"
            ) from None
    finally:
        _thread.levels.pop()
    # Sample by sample: an error here is that of the function itself.
    # Without samples a made-up one tells the shapes of the results.
    samples = []
    for i in range(max(size, 1)):
        if state is not None:
            streams.load_state_dict(state)
        given = [x if dim is None else x[i].clone() if size else _made_up(x)
                 for x, dim in zip(leaves, dims, strict=True)]
        args, kwargs = unflatten(given, structure)
        with random.using(random.streams() if randomness == "different" else streams):
            results, form = flatten(func(*args, **kwargs))
        _check(results)
        samples.append(results)
    return ([stacked(column)[:size] for column in zip(*samples, strict=True)],
            [False] * len(results), form)


def _made_up(batch: Tensor) -> Any:
    """A sample for a batch without any: 1, 1/2, 1/3, ..., whose square matrices have an inverse;
    or zeros, which are valid positions.
    """
    sample: Any = batch.new_zeros(batch.shape[1:])  # type: ignore[attr-defined]
    if not sample.dtype.is_floating_point:
        return sample
    return 1 / sample.new_tensor(range(1, sample.numel() + 1)).reshape(sample.shape)


def _check(results: list[Any]) -> None:
    for x in results:
        if not isinstance(x, Tensor):
            raise ValueError(f"vmap: the function must return Tensors, got a {type(x).__name__}")


def _whole(x: Any, level: Level) -> Tensor:
    _check([x])
    return spread_over(x, level)
