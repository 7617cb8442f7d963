"""Kernels for random numbers: one launch for each draw, see `arrays/philox.py`."""

from __future__ import annotations

from typing import Any

import numpy

from ...arrays import philox
from ...arrays.devices import cupy
from .launch import THREADS, Array, Source

SOURCE = Source("random", after=("philox",))
SINGLE, DOUBLE = numpy.dtype("float32"), numpy.dtype("float64")


def _drawn(name: str, dtype: numpy.dtype[Any], out: Array, per_block: int, seed: int, offset: int,
           base: Array | None, *rest: int) -> Array:
    """Launches a kernel that fills `out`, with a thread for each block of the generator."""
    if out.size:
        blocks = -(-out.size // per_block)
        SOURCE.launch(name, dtype, -(-blocks // THREADS), THREADS,
                      seed if seed < 2**63 else seed - 2**64, offset, base, out, out.size, *rest)
    return out


@philox.words.kernel("cuda")
def _(seed: int, offset: int, count: int, base: Array | None) -> Array:
    return _drawn("random_words", SINGLE, cupy().empty(count, "uint32"), 4, seed, offset, base)


@philox.uniform.kernel("cuda")
def _(seed: int, offset: int, count: int, wide: bool, base: Array | None) -> Array:
    dtype = DOUBLE if wide else SINGLE
    return _drawn("random_uniform", dtype, cupy().empty(count, dtype), 2 if wide else 4, seed,
                  offset, base)


@philox.normal.kernel("cuda")
def _(seed: int, offset: int, count: int, wide: bool, base: Array | None) -> Array:
    dtype = DOUBLE if wide else SINGLE
    return _drawn("random_normal", dtype, cupy().empty(count, dtype), 2 if wide else 4, seed,
                  offset, base)


@philox.less.kernel("cuda")
def _(seed: int, offset: int, count: int, bound: int, base: Array | None) -> Array:
    return _drawn("random_less", SINGLE, cupy().empty(count, "bool"), 4, seed, offset, base, bound)
