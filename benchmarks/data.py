"""Initial weights and data, generated from fixed seeds, so that they are equal for all peers."""

from __future__ import annotations

import math

import numpy

Weights = dict[str, numpy.ndarray]


def weights(shapes: dict[str, tuple[int, ...]], seed: int = 0) -> Weights:
    """float32 weights by name: uniform in ±1/√fan_in. Vectors: 1 for weights, 0 for biases."""
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
    """int64 numbers from 0 to high - 1, for labels and tokens."""
    return numpy.random.default_rng(seed).integers(0, high, shape)
