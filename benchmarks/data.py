"""The same numbers for every peer: initial weights and data, from fixed seeds."""

from __future__ import annotations

import math

import numpy

Weights = dict[str, numpy.ndarray]


def weights(shapes: dict[str, tuple[int, ...]], seed: int = 0) -> Weights:
    """float32 weights by name: uniform within 1/√fan-in; one-dimensional weights 1, biases 0."""
    rng = numpy.random.default_rng(seed)
    made: Weights = {}
    for name, shape in shapes.items():
        if len(shape) > 1:
            bound = 1 / math.sqrt(math.prod(shape[1:]))
            made[name] = rng.uniform(-bound, bound, shape).astype(numpy.float32)
        else:
            fill = numpy.ones if name.endswith("weight") else numpy.zeros
            made[name] = fill(shape, numpy.float32)
    return made


def normal(*shape: int, seed: int = 1) -> numpy.ndarray:
    """Standard normal float32 numbers."""
    return numpy.random.default_rng(seed).normal(size=shape).astype(numpy.float32)


def integers(high: int, *shape: int, seed: int = 2) -> numpy.ndarray:
    """int64 numbers from 0 to high - 1: labels or tokens."""
    return numpy.random.default_rng(seed).integers(0, high, shape)
