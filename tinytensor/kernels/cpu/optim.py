"""Kernels for the steps of optimisers and for gradient clipping: one pass over all parameters.

The reference makes several passes over each parameter. The loops (`steps.py`) receive the addresses
of all arrays in one call.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy

from ...arrays.dispatch import Dispatch
from ...arrays.threads import get_num_threads
from ...nn.utils import clip_grad
from ...optim.adam import Adam
from ...optim.optimizer import check_shapes
from ...optim.rmsprop import RMSprop
from ...optim.sgd import SGD
from ..loops import FLOATS, Array, Numba
from ..pool import pool

PIECE = 32768  # elements below which another thread costs more than it saves
LIKE = tuple(numpy.empty(0, dtype) for dtype in FLOATS)
GRAD = 1  # the column of the gradients, the only arrays that are not written


@functools.cache
def _loops() -> tuple[Any, Any]:
    from .. import memory  # imports Numba
    from . import steps

    return memory, steps


def _run(update: Dispatch, name: str, prepared: list[tuple[Any, ...]], group: dict[str, Any],
         arrays: int, *options: float | bool) -> Any:
    """Runs the update by the loop `name` of `steps`, and by the reference for what does not fit.

    `prepared` has a row for each parameter: first `arrays` arrays or None, then numbers.
    """
    if not Numba.usable():
        return None
    left = _update_fitting(update.name, name, prepared, arrays, options)
    if left:
        dense = [(p, numpy.asarray(g, order="C"), *rest) for p, g, *rest in left]
        left = _update_fitting(update.name, name, dense, arrays, options)
    if left:
        update.reference(numpy, left, group)
    return True


def _update_fitting(optimizer: str, name: str, rows: list[tuple[Any, ...]], arrays: int,
                    options: tuple[float | bool, ...]) -> list[tuple[Any, ...]]:
    """Updates the parameters that fit. Returns the rows of the others.

    Raises:
        RuntimeError: shapes that differ. No parameter has changed.
    """
    memory, steps = _loops()
    for dtype, like in zip(FLOATS, LIKE, strict=True):
        table = memory.array_table(rows, arrays, dtype, GRAD)
        if table.fitting < len(rows):
            check_shapes(optimizer, rows)
        if not table.fitting:
            continue
        numbers = numpy.array([row[arrays:] for row in rows], numpy.float64)
        addresses, sizes, left = table.addresses, table.sizes, []
        if table.fitting < len(rows):
            left = [row for row, fits in zip(rows, table.fit.tolist(), strict=True) if not fits]
            addresses, sizes, numbers = (x[table.fit] for x in (addresses, sizes, numbers))
        parts = _parts(table.total)
        pool.split(getattr(steps, name), parts, parts, addresses, sizes, numbers, like, *options)
        rows = left
        if not rows:
            break
    return rows


def _parts(total: int) -> int:
    """The number of parts for `total` elements."""
    return max(1, min(get_num_threads(), total // PIECE))


def _penalty(group: dict[str, Any]) -> tuple[float, float, float]:
    """The sign of the gradient, the L2 penalty, and the factor of decoupled weight decay."""
    sign, decay = -1.0 if group["maximize"] else 1.0, float(group["weight_decay"])
    if decay and group.get("decoupled_weight_decay"):
        return sign, 0.0, 1 - float(group["lr"]) * decay
    return sign, decay, 1.0


@SGD.update.kernel("cpu")
def _(prepared: list[tuple[Any, ...]], group: dict[str, Any]) -> Any:
    return _run(SGD.update, "sgd", prepared, group, 3, *_penalty(group)[:2], float(group["lr"]),
                1.0 - group["dampening"], bool(group["nesterov"]), float(group["momentum"]))


@Adam.update.kernel("cpu")
def _(prepared: list[tuple[Any, ...]], group: dict[str, Any]) -> Any:
    beta1, beta2 = map(float, group["betas"])
    return _run(Adam.update, "adam", prepared, group, 5, *_penalty(group), 1 - beta1, beta2,
                1 - beta2, bool(group["amsgrad"]))


@RMSprop.update.kernel("cpu")
def _(prepared: list[tuple[Any, ...]], group: dict[str, Any]) -> Any:
    alpha = float(group["alpha"])
    return _run(RMSprop.update, "rmsprop", prepared, group, 5, *_penalty(group)[:2],
                float(group["lr"]), alpha, 1 - alpha, float(group["eps"]),
                float(group["momentum"]), bool(group["centered"]))


# ---------------------------------------------------------------- clipping


def _addresses(arrays: list[Array], read_only: int) -> tuple[Array, Array, int] | None:
    """The addresses, the sizes and the sum of the sizes; None if an array does not fit."""
    if not arrays or arrays[0].dtype not in FLOATS or not Numba.usable():
        return None
    memory, _ = _loops()
    table = memory.array_table([(a,) for a in arrays], 1, arrays[0].dtype, read_only)
    return (table.addresses, table.sizes, table.total) if table.fitting == len(arrays) else None


@clip_grad.norms.kernel("cpu")
def _(arrays: list[Array], p: float) -> Array | None:
    table = _addresses(arrays, 0) if p == 2 else None
    if table is None:
        return None
    _, steps = _loops()
    addresses, sizes, total = table
    ends = numpy.cumsum(-(-sizes // steps.BLOCK))  # the end of each array's blocks
    sums = numpy.empty(ends[-1], numpy.float64)
    blocks_per_piece = PIECE * len(sums) // max(total, 1) + 1  # many blocks may be short
    pool.split(steps.square_sums, len(sums), addresses, sizes, sums,
               numpy.empty(0, arrays[0].dtype), least=blocks_per_piece)
    totals = numpy.zeros(len(arrays))
    steps.add_up(sums, ends, totals)
    return numpy.sqrt(totals).astype(arrays[0].dtype)


@clip_grad.scale.kernel("cpu")
def _(arrays: list[Array], factor: Array) -> bool | None:
    table = _addresses(arrays, -1)
    if table is None:
        return None
    _, steps = _loops()
    addresses, sizes, total = table
    parts = _parts(total)
    pool.split(steps.scale, parts, parts, addresses, sizes, numpy.empty(0, arrays[0].dtype),
               factor.item())
    return True
