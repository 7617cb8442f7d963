"""Samples: the calls on which the checks try an operation.

    samples=[S(t(2, 3), dim=1), S(t(3, low=0.1), t(2, 3))]

An `S` holds the arguments of one call. A `t` among them is a Tensor whose values a check draws.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy


@dataclass(frozen=True)
class TensorSample:
    """A Tensor to be drawn: its shape, and the range and kind of its values."""

    shape: tuple[int, ...]
    low: float = -2.0
    high: float = 2.0
    kind: str = "float"  # "float", "int" or "bool"
    grad: bool = True  # whether its gradient is checked
    distinct: bool = False  # all values at least 0.2 apart: for sorting, maxima, medians

    def make(self, rng: numpy.random.Generator) -> numpy.ndarray[Any, Any]:
        """Draws the values; floating point ones as float64."""
        if self.kind == "bool":
            return rng.random(self.shape) < 0.5
        if self.kind == "int":
            return rng.integers(int(self.low), int(self.high), self.shape)
        if self.distinct:
            count = int(numpy.prod(self.shape))
            return (rng.permutation(count).reshape(self.shape) - count / 2 + 0.3) * 0.2
        return rng.uniform(self.low, self.high, self.shape)


class S:
    """The arguments of one call."""

    def __init__(self, *args: Any, **kwargs: Any):
        self.args, self.kwargs = args, kwargs

    def __repr__(self) -> str:
        given = [*map(_show, self.args), *(f"{k}={_show(v)}" for k, v in self.kwargs.items())]
        return ", ".join(given)


def _show(value: Any) -> str:
    if isinstance(value, TensorSample):
        kind = "" if value.kind == "float" else value.kind
        return kind + "x".join(map(str, value.shape)) if value.shape else kind + "0d"
    if callable(value):
        return value.__name__
    return repr(value).replace(" ", "")


def t(*shape: int, low: float = -2.0, high: float = 2.0, kind: str = "float", grad: bool = True,
      distinct: bool = False) -> TensorSample:
    """A Tensor of floating point values in [low, high).

    grad=False excludes its gradient from the checks; distinct=True draws values at least 0.2 apart,
    in no particular range.
    """
    return TensorSample(shape, low, high, kind, grad and kind == "float", distinct)


def ints(*shape: int, low: int = 0, high: int = 5) -> TensorSample:
    """A Tensor of integers in [low, high)."""
    return TensorSample(shape, low, high, "int", False)


def bools(*shape: int) -> TensorSample:
    """A Tensor of truth values."""
    return TensorSample(shape, kind="bool", grad=False)


def unary(low: float = -2.0, high: float = 2.0) -> list[S]:
    """Samples with one Tensor: a matrix, 0-d, empty."""
    return [S(t(*shape, low=low, high=high)) for shape in ((3, 4), (), (0, 3))]


def binary(low: float = -2.0, high: float = 2.0, numbers: bool = True) -> list[S]:
    """Samples with two Tensors: equal shapes, all kinds of broadcasting, 0-d, empty.

    If `numbers`, one more with a Tensor and a number.
    """
    shapes = [((3, 4), (3, 4)), ((2, 3), (3,)), ((3, 1), (1, 4)), ((), (2, 2)), ((2, 1, 3), (4, 1)),
              ((), ()), ((0, 3), (1, 3))]
    samples = [S(t(*a, low=low, high=high), t(*b, low=low, high=high)) for a, b in shapes]
    number = (low + 2 * high) / 3
    return samples + [S(t(2, 3, low=low, high=high), number)] * numbers


def reductions(low: float = -2.0, high: float = 2.0, distinct: bool = False,
               several: bool = True) -> list[S]:
    """Samples that reduce a Tensor over all dims, one dim and, if `several`, several dims."""
    x = t(2, 3, 4, low=low, high=high, distinct=distinct)
    one = [S(x), S(x, 1), S(x, -1, True), S(t(low=low, high=high)), S(t(3, low=low, high=high), 0)]
    return one + [S(x, (0, 2)), S(x, dim=(0, -1), keepdim=True)] * several


def concrete(sample: S, rng: numpy.random.Generator,
             make: Callable[[numpy.ndarray[Any, Any], TensorSample], Any]) -> S:
    """The sample with `make(values, spec)` in place of each `t`, nested ones too."""
    def convert(x: Any) -> Any:
        if isinstance(x, TensorSample):
            return make(x.make(rng), x)
        if isinstance(x, dict):
            return {k: convert(v) for k, v in x.items()}
        return type(x)(map(convert, x)) if type(x) in (list, tuple) else x

    return S(*convert(sample.args), **convert(sample.kwargs))
