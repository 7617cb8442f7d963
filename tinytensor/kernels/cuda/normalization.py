"""Kernels for layer norm, and for the normalisation of rows and of channels in general."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy

from ...ops.normalization import layer_norm, move_averages, rms_norm, smallest, standardize
from . import linalg
from .launch import Array, Source, dense, empty_like, fits, row_threads

SOURCE = Source("normalization")
GROUPS = numpy.dtype([(name, "i8") for name in
                      ("count", "size", "run", "group_step", "image_step")])


class Groups(NamedTuple):
    """What is normalised together, as in normalization.cu."""

    number: int
    size: int
    run: int
    group_step: int
    image_step: int
    by_group: bool  # the weight has one element for a group

    def struct(self) -> Any:
        return numpy.array(self[:5], GROUPS)

    def launch(self, name: str, like: Array, *arguments: Any) -> None:
        SOURCE.launch(name, like.dtype, self.number, row_threads(self.size), self.struct(),
                      *arguments)


def _groups(x: Array, dims: Sequence[int], *affine: Array | None) -> Groups | None:
    """The groups of x over `dims`, or None if no kernel has them, or the affine arrays."""
    if not dims or not fits(x, *affine):
        return None
    dims, shape = tuple(d % x.ndim for d in dims), x.shape
    given = [w.shape for w in affine if w is not None]
    if dims == tuple(range(x.ndim - len(dims), x.ndim)):
        row = shape[x.ndim - len(dims):]
        size = math.prod(row)
        by_row = all(w == row for w in given)
        return Groups(x.size // size, size, size, size, 0, False) if by_row else None
    if dims == (0, *range(2, x.ndim)):
        size, channels = math.prod(shape[2:]), shape[1]
        by_channel = all(w == (channels, *(1,) * (x.ndim - 2)) for w in given)
        return Groups(channels, shape[0] * size, size, size, channels * size, True) \
            if by_channel else None
    return None


def _standardized(input: Array, weight: Array | None, bias: Array | None, dims: Sequence[int],
                  eps: float) -> Any:
    groups = _groups(input, dims, weight, bias)
    if groups is None:
        return None
    out = empty_like(input)
    over = {d % input.ndim for d in dims}
    kept = [1 if d in over else n for d, n in enumerate(input.shape)]
    mean, var = empty_like(input, kept), empty_like(input, kept)
    groups.launch("standardize", input, dense(input), _dense(weight), _dense(bias),
                  int(groups.by_group), 1, float(eps), out, mean, var)
    return out, mean, var


def _dense(array: Array | None) -> Array | None:
    return None if array is None else dense(array)


def _back(g: Sequence[Array | None], needs: Sequence[bool], input: Array, weight: Array | None,
          bias: Array | None, mean: Array, var: Array, dims: Sequence[int], eps: float) -> Any:
    d_out, g_mean, g_var = g
    groups = _groups(input, dims, weight, bias)
    if groups is None or d_out is None or not fits(input, d_out, mean, var, g_mean, g_var) \
            or d_out.shape != input.shape:
        return None
    x, d_out, mean, var, weight = (*map(dense, (input, d_out, mean, var)), _dense(weight))
    d, d_weight, d_bias = empty_like(x), None, None
    if groups.by_group:
        shape = mean.shape[1:]
        d_weight, d_bias = empty_like(x, shape), empty_like(x, shape)
    if needs[0] or groups.by_group:
        groups.launch("standardize_back", x, d_out, x, weight, int(groups.by_group), mean, var,
                      float(eps), _dense(g_mean), _dense(g_var), d, d_weight, d_bias)
    if not groups.by_group and (needs[1] or needs[2]):
        row = x.shape[x.ndim - len(dims):]
        d_weight, d_bias = _affine(groups, row, d_out, x, mean, var, eps)
    return (d if needs[0] else None, d_weight if needs[1] else None, d_bias if needs[2] else None)


def _affine(groups: Groups, row: tuple[int, ...], g: Array, x: Array, mean: Array | None,
            var: Array, eps: float) -> Any:
    """The gradients of the weight and the bias of rows; without means, of a weight alone."""
    rows, size = groups.number, groups.size
    parts, threads = linalg.parts_of(rows)
    shape = row if parts == 1 else (parts, size)
    d_weight, d_bias = empty_like(x, shape), None if mean is None else empty_like(x, shape)
    SOURCE.launch("standardize_affine", x.dtype, -(-size // 32) * parts, threads, g, x, mean, var,
                  float(eps), d_weight, d_bias, rows, size, parts)
    if parts == 1:
        return d_weight, d_bias
    return [None if s is None else linalg.sum_of_rows(s, parts, row) for s in (d_weight, d_bias)]


@standardize.kernel("cuda")
def _(input: Array, weight: Array | None, bias: Array | None, dims: Sequence[int],
      eps: float) -> Any:
    return _standardized(input, weight, bias, dims, eps)


@standardize.kernel("cuda", "input", "weight", "bias")
def _(g: Sequence[Array | None], needs: Sequence[bool], input: Array, weight: Array | None,
      bias: Array | None, mean: Array, var: Array, dims: Sequence[int], eps: float) -> Any:
    return _back(g, needs, input, weight, bias, mean, var, dims, eps)


def _trailing(x: Array, normalized_shape: int | Sequence[int]) -> tuple[int, ...]:
    """The last dims, of this shape; none if x does not end in it, where the reference raises."""
    row = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    return tuple(range(x.ndim - len(row), x.ndim)) if row and x.shape[-len(row):] == row else ()


@layer_norm.kernel("cuda")
def _(input: Array, normalized_shape: int | Sequence[int], weight: Array | None = None,
      bias: Array | None = None, eps: float = 1e-5) -> Any:
    return _standardized(input, weight, bias, _trailing(input, normalized_shape), eps)


@layer_norm.kernel("cuda", "input", "weight", "bias")
def _(g: Array, needs: Sequence[bool], input: Array, normalized_shape: int | Sequence[int],
      weight: Array | None, bias: Array | None, mean: Array, var: Array, eps: float) -> Any:
    dims = _trailing(input, normalized_shape)
    return _back((g, None, None), needs, input, weight, bias, mean, var, dims, eps)


@rms_norm.kernel("cuda")
def _(input: Array, normalized_shape: int | Sequence[int], weight: Array | None = None,
      eps: float | None = None) -> Any:
    dims = _trailing(input, normalized_shape)
    groups = _groups(input, dims, weight)
    if groups is None:
        return None
    out = empty_like(input)
    square = empty_like(input, (*input.shape[:-len(dims)], *(1,) * len(dims)))
    groups.launch("standardize", input, dense(input), _dense(weight), None, 0, 0,
                  float(smallest(input) if eps is None else eps), out, None, square)
    return out, square


@rms_norm.kernel("cuda", "input", "weight")
def _(g: Array, needs: Sequence[bool], input: Array, normalized_shape: int | Sequence[int],
      weight: Array | None, square: Array, eps: float | None) -> Any:
    dims = _trailing(input, normalized_shape)
    groups = _groups(input, dims, weight)
    if groups is None or not fits(input, g, square) or g.shape != input.shape:
        return None
    eps = float(smallest(input) if eps is None else eps)
    x, g, square, weight, d = *map(dense, (input, g, square)), _dense(weight), None
    if needs[0]:
        d = empty_like(x)
        groups.launch("standardize_back", x, g, x, weight, 0, None, square, eps, None, None, d,
                      None, None)
    d_weight = _affine(groups, x.shape[x.ndim - len(dims):], g, x, None, square, eps)[0] \
        if needs[1] else None
    return d, d_weight


@move_averages.kernel("cuda")
def _(triples: list[tuple[Array, Array, float]], rest: float, count: Array | None) -> bool | None:
    first = triples[0][0]
    arrays = [x for triple in triples for x in triple[:2]]
    if not fits(*arrays) or len(triples) > 2 or not all(
            x.flags.c_contiguous and x.size == first.size for x in arrays):
        return None
    if count is not None and (type(count) is not type(first) or count.dtype != numpy.int64):
        return None
    given = [x for triple in triples for x in (*triple[:2], float(triple[2]))]
    SOURCE.over_elements("move_averages", first, *given, *[None, None, 0.0] * (2 - len(triples)),
                         float(rest), count, first.size)
    return True
