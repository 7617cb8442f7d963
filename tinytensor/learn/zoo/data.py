"""Small data sets, made by NumPy: the same for a seed on every machine."""

from __future__ import annotations

import numpy

from ... import tensor
from ...arrays.dtypes import float32
from ...tensors.tensor import Tensor


def points(seed: int = 0, count: int = 96) -> tuple[Tensor, Tensor]:
    """Points of three classes, in two clusters each. Shapes: (count, 8) floats, (count) labels."""
    centres = numpy.random.default_rng(12).normal(size=(6, 8))
    rng = numpy.random.default_rng(seed)
    cluster = rng.integers(0, 6, count)
    x = centres[cluster] + 0.6 * rng.normal(size=(count, 8))
    return tensor(x, dtype=float32), tensor(cluster % 3)


def sides(seed: int = 0, count: int = 96) -> tuple[Tensor, Tensor]:
    """Points on two sides of a line. Shapes: (count, 8) floats, (count) floats 0 and 1."""
    x, y = points(seed, count)
    return x, (y == 1).float()


def curve(seed: int = 0, count: int = 96) -> tuple[Tensor, Tensor]:
    """A noisy sine. Shapes: (count, 1) and (count)."""
    rng = numpy.random.default_rng(seed)
    x = rng.uniform(-1, 1, size=(count, 1))
    y = numpy.sin(4 * x[:, 0]) + 0.05 * rng.normal(size=count)
    return tensor(x, dtype=float32), tensor(y, dtype=float32)


def bars(seed: int = 0, count: int = 96) -> tuple[Tensor, Tensor]:
    """Images with a horizontal (0) or a vertical (1) bar. Shapes: (count, 6, 6), (count)."""
    rng = numpy.random.default_rng(seed)
    images, labels = 0.1 * rng.normal(size=(count, 6, 6)), rng.integers(0, 2, count)
    for image, label in zip(images, labels, strict=True):
        place = rng.integers(6)
        image[(slice(None), place) if label else place] += 1
    return tensor(images, dtype=float32), tensor(labels)


def tokens(seed: int = 0, count: int = 48, length: int = 10) -> tuple[Tensor, Tensor]:
    """Sequences that count on in steps of 1 or 5 modulo 12, and the next token at each position.
    Shapes: (count, length) integers, twice.
    """
    rng = numpy.random.default_rng(seed)
    start, step = rng.integers(0, 12, (count, 1)), rng.choice([1, 5], (count, 1))
    text = (start + step * numpy.arange(length + 1)) % 12
    return tensor(text[:, :-1].copy()), tensor(text[:, 1:].copy())
