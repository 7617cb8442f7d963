"""Dims of a call: normalised, checked, and the shapes of reductions over them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..arrays.numbers import integer

Dim = int | Sequence[int] | None


def axes(dim: Dim, ndim: int) -> tuple[int, ...]:
    """The dims as axes counted from 0; None and () mean all dims.

    Raises:
        IndexError: a dim that does not exist.
        RuntimeError: a dim that is given twice.
        TypeError: a dim that is not an int.
    """
    if dim is None or (isinstance(dim, tuple | list) and not dim):
        return tuple(range(ndim))
    normalised: list[int] = []
    count = ndim or 1
    for d in dim if isinstance(dim, tuple | list) else (dim,):
        if d.__class__ is not int:
            d = integer("a dim", d)
        if not -count <= d < count:
            raise IndexError(f"dim {d} is out of range for {ndim} dimensions: it must be in "
                             f"[{-count}, {count - 1}]")
        d %= count
        if d in normalised:
            raise RuntimeError(f"dim {d} is given twice")
        normalised.append(d)
    return tuple(normalised) if ndim else ()


def kept(shape: tuple[int, ...], dim: Dim) -> tuple[int, ...]:
    """The shape of a reduction that keeps its dims."""
    over = axes(dim, len(shape))
    return tuple(1 if i in over else n for i, n in enumerate(shape))


def count(shape: tuple[int, ...], dim: Dim) -> int:
    """The number of elements that each result of a reduction combines."""
    return math.prod(shape[i] for i in axes(dim, len(shape)))


def refuse_empty(name: str, shape: tuple[int, ...], dim: Dim) -> None:
    """Checks that a reduction without an identity has elements to reduce.

    Raises:
        RuntimeError: no elements, and no `dim`.
        IndexError: a given dim of size 0.
    """
    if 0 not in shape:
        return
    if dim is None or (isinstance(dim, tuple | list) and not dim):
        raise RuntimeError(f"{name}: a Tensor of shape {tuple(shape)} has no elements to choose "
                           "from; give a dim whose size is not 0")
    for d in dim if isinstance(dim, tuple | list) else (dim,):
        (i,) = axes(d, len(shape))
        if not shape[i]:
            raise IndexError(f"{name}: dim {i} of shape {tuple(shape)} has size 0; there is "
                             "nothing to choose from along it")


def one_dim(name: str, dim: Dim) -> None:
    """
    Raises:
        TypeError: several dims.
    """
    if isinstance(dim, tuple | list):
        raise TypeError(f"{name}: `dim` must be one int, got {dim}; reduce the dims one by one, "
                        "or flatten() them first")
