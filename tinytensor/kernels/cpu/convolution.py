"""Kernels for convolutions, mostly without im2col: the memory layout, and the calls of the loops.

The loops (`tiles.py`) compute one kind of sum over windows, Σ_k w[k] · input[m * stride + start_k],
for the outputs m along each dim. The forward is one such sum. The gradient of the input (the
transposed convolution) is one sum for each remainder of the input position modulo the stride: all
positions with one remainder use the same taps, and neighbouring positions use neighbouring outputs.

Rows of outputs that are shorter than a SIMD vector leave most of its lanes empty. For such images
with many channels, im2col and a matrix product are faster.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy

from ...arrays.threads import get_num_threads
from ...ops.convolution import Frame, convolution, convolution_input, convolution_weight
from ..loops import Array, fits
from ..pool import pool
from .linalg import product

BLOCK = 1024  # outputs of a channel, in as many images as are padded at once
WINDOWS = 1 << 21  # elements of the im2col matrix that are made at once
# (speed, packing, windows) of `_product_is_faster`, as measured.
FORWARD, BACK, CORRELATION = (1.0, 4.0, 0.8), (1.0, 6.0, 0.8), (0.85, 2.0, 0.8)


@dataclass(frozen=True)
class Axis:
    """One dim of a sum over windows. Output 0 reads tap `taps[i]` at input position `starts[i]`."""

    size: int  # of the input
    stride: int
    count: int  # of outputs
    taps: tuple[int, ...]
    starts: tuple[int, ...]
    length: int  # of the result, where outputs are stored at first, first + step, ...
    first: int = 0
    step: int = 1

    @property
    def phases(self) -> list[int]:
        """The remainders of the input positions modulo the stride."""
        return sorted({start % self.stride for start in self.starts})

    @property
    def lowest(self) -> int:
        return min(start // self.stride for start in self.starts)

    @property
    def line(self) -> int:
        """The number of positions of one phase in the padded layout, where they are contiguous."""
        return self.count + max(start // self.stride for start in self.starts) - self.lowest

    @property
    def in_place(self) -> bool:
        """Whether the loops can read the input in place."""
        return self.stride == 1 and self.lowest == 0 and self.line == self.size

    def offset(self, start: int) -> int:
        """The distance of a tap from its output in the padded layout."""
        return self.phases.index(start % self.stride) * self.line \
            + start // self.stride - self.lowest

    def pieces(self) -> Iterator[tuple[int, int, int]]:
        """(from, to, count) of the copies into the padded layout, one for each phase."""
        for number, phase in enumerate(self.phases):
            before = max(0, -self.lowest)
            at = (before + self.lowest) * self.stride + phase
            count = min(self.line - before, -(-(self.size - at) // self.stride))
            if count > 0:
                yield at, number * self.line + before, count


def forward_axes(frame: Frame) -> tuple[Axis, ...]:
    return tuple(
        Axis(size, stride, out, tuple(range(kernel)),
             tuple(k * dilation - padding for k in range(kernel)), out)
        for size, out, kernel, stride, padding, dilation in zip(
            frame.size, frame.out, frame.kernel, frame.stride, frame.padding, frame.dilation,
            strict=True))


def back_axes(frame: Frame) -> Iterator[tuple[Axis, ...]]:
    """The sums of the transposed convolution. The input at i is read by tap k of output
    (i + padding - k * dilation) / stride, if that is an integer.
    """
    def of_dim(size, out, kernel, stride, padding, dilation):
        for first in range(min(stride, size)):
            taps = [k for k in range(kernel) if (first + padding - k * dilation) % stride == 0]
            starts = [(first + padding - k * dilation) // stride for k in taps]
            yield Axis(out, 1, -(-(size - first) // stride), tuple(taps), tuple(starts), size,
                       first, stride)

    return itertools.product(*(of_dim(*dim) for dim in zip(
        frame.size, frame.out, frame.kernel, frame.stride, frame.padding, frame.dilation,
        strict=True)))


class Plan(NamedTuple):
    """The memory layout for the loops; positions count elements of flat arrays."""

    at: Array  # position of each vector of outputs in a padded image
    offsets: Array  # distance of each (channel of a group, tap) from the output
    places: Array  # position of each vector in a channel of the result
    buffer_places: Array  # the same in the buffer for results, if there is one
    rows: Array  # (from, to) of each row in the input and in the padded image
    pieces: Array  # (from, to, count) of each copy within a row
    size: int  # elements of a channel of the input
    plane: int  # elements of a channel of the padded image
    out_size: int  # elements of a channel of the result
    block: int  # images that are padded at once
    stride: int  # along a row of the input
    fill: int  # outputs in a vector
    step: int  # distance of neighbouring outputs in a row of the result
    padded: bool  # the input is copied to a padded layout first
    direct: bool  # vectors are stored to the result, without a buffer
    whole: bool  # the length of a row of outputs is a multiple of the vector length
    fresh: Array  # (first, end) of the lanes of each vector that the one before does not have


def _grid(*dims: Sequence[int] | Array) -> Array:
    """All sums of one number from each of the dims, flat, the last dim fastest."""
    sums = numpy.zeros(1, numpy.int64)
    for numbers in dims:
        sums = numpy.add.outer(sums, numpy.asarray(numbers, numpy.int64)).reshape(-1)
    return sums


def _strides(lengths: Sequence[int]) -> list[int]:
    """The strides, in elements, of a C-contiguous array of this shape."""
    return [math.prod(lengths[d + 1:]) for d in range(len(lengths))]


@functools.lru_cache(maxsize=1024)
def make_plan(axes: tuple[Axis, ...], channels: int, lanes: int) -> Plan:
    *outer, inner = axes
    padded = inner.count < lanes or not all(axis.in_place for axis in axes)
    lengths = [len(axis.phases) * axis.line for axis in axes]
    steps, plane = _strides(lengths), math.prod(lengths)
    # The last vector of a row overlaps the one before it, so that it does not pass the end.
    starts = [min(m, max(0, inner.count - lanes)) for m in range(0, inner.count, lanes)]
    at = _grid(*(numpy.arange(axis.count) * s for axis, s in zip(outer, steps[:-1], strict=True)),
               starts)
    out_steps = _strides([axis.length for axis in axes])
    places = _grid(*((axis.first + numpy.arange(axis.count) * axis.step) * s
                     for axis, s in zip(outer, out_steps[:-1], strict=True)),
                   inner.first + numpy.array(starts) * inner.step)
    offsets = _grid(numpy.arange(channels) * plane,
                    *([axis.offset(start) * s for start in axis.starts]
                      for axis, s in zip(axes, steps, strict=True)))
    ins = _strides([axis.size for axis in axes])
    rows = [_grid(*([(source + j * axis.stride) * i if which == 0 else (to + j) * s
                     for source, to, count in axis.pieces() for j in range(count)]
                    for axis, i, s in zip(outer, ins[:-1], steps[:-1], strict=True)))
            for which in (0, 1)]
    fresh = [(m - start, min(lanes, inner.count - start))
             for m, start in zip(range(0, inner.count, lanes), starts, strict=True)]
    pieces = numpy.array([*inner.pieces()], numpy.int64).reshape(-1, 3)
    return Plan(at, offsets, places, numpy.arange(at.size) * lanes,
                numpy.stack(rows, 1), pieces, math.prod(axis.size for axis in axes), plane,
                math.prod(axis.length for axis in axes),
                max(1, BLOCK // (at.size * lanes)), inner.stride, min(lanes, inner.count),
                inner.step, padded, inner.count >= lanes and inner.step == 1,
                inner.count % lanes == 0, numpy.tile(fresh, (at.size // len(starts), 1)))


def _lanes(dtype: numpy.dtype[Any]) -> int:
    return int(_loops().BYTES) // dtype.itemsize


def _packed(weight: Array) -> Any:
    """The weight (groups, O, K), packed for `tiles.multiply`: four channels interleaved."""
    groups, o, k = weight.shape
    fours = o // 4 * 4
    return numpy.concatenate([
        weight[:, :fours].reshape(groups, -1, 4, k).swapaxes(2, 3).reshape(groups, fours * k),
        weight[:, fours:].reshape(groups, (o - fours) * k)], axis=1).reshape(-1)


# ---------------------------------------------------------------- im2col


def _product_is_faster(input: Array, channels: tuple[int, ...], frame: Frame, width: int,
                       speed: float, packing: float, windows: float) -> bool:
    """Whether im2col and a matrix product take less time than the loops, for rows of `width`.

    Times as measured, in ns per element of the weight. One core does 45 float32 multiply-adds per
    ns in a matrix product, `speed` times as many in the loops, empty lanes included. Packing the
    weight for the loops takes `packing`, on one thread. Writing an element of the im2col matrix,
    which all output channels share, takes `windows`. The calls of a product take 20 µs more.
    """
    lanes = _lanes(input.dtype)
    filled = width / (-(-width // lanes) * lanes)
    positions = len(input) * math.prod(frame.out)
    each = positions * input.itemsize / 4 / get_num_threads()
    return frame.groups == 1 and each / 45 / filled / speed + packing > (
        each / 45 + windows * each / channels[0]
        + 20000 / math.prod((*channels, *frame.kernel)))


def _batches(images: int, channels: int, frame: Frame) -> list[slice]:
    """Slices of the batch, so that the im2col matrix of each has at most WINDOWS elements."""
    one = channels * math.prod(frame.kernel) * math.prod(frame.out)
    length = max(1, WINDOWS // max(one, 1))
    return [slice(start, min(start + length, images)) for start in range(0, images, length)]


@functools.lru_cache(maxsize=1024)
def _places(frame: Frame) -> Any:
    """(kernel, out): the position in an image of each tap of each output, -1 in the padding."""
    places = numpy.arange(math.prod(frame.size)).reshape(frame.size)
    by_tap = numpy.full((*frame.kernel, *frame.out), -1)
    for k, outs, ins in frame.taps():
        where: Any = (*k, *outs)
        by_tap[where] = places[ins]
    return by_tap.reshape(math.prod(frame.kernel), -1)


def _im2col(input: Array, frame: Frame) -> Any:
    """The windows of images (N, C, *size) as a matrix (C * kernel, N * out)."""
    places, channels = _places(frame), input.shape[1]
    columns = numpy.empty((channels * len(places), len(input) * places.shape[1]), input.dtype)
    pool.split(_loops().im2col, channels, input.reshape(*input.shape[:2], -1), places,
               columns.reshape(-1))
    return columns


def _as_columns(images: Array) -> Any:
    """Images (N, O, *out) as a matrix (O, N * out)."""
    return images.swapaxes(0, 1).reshape(images.shape[1], -1)


def _convolve_by_im2col(input: Array, weight: Array, bias: Array | None, frame: Frame) -> Any:
    rows, o = weight.reshape(len(weight), -1), len(weight)
    out = numpy.empty((len(input), o, *frame.out), input.dtype)
    for part in _batches(len(input), input.shape[1], frame):
        results = product(rows, _im2col(input[part], frame))
        if bias is not None:
            results += bias[:, None]
        out[part] = results.reshape(o, -1, *frame.out).swapaxes(0, 1)
    return out


def _back_by_im2col(grad: Array, weight: Array, frame: Frame) -> Any:
    columns, channels = weight.reshape(len(weight), -1).T, weight.shape[1]
    out = numpy.zeros((len(grad), channels, *frame.size), grad.dtype)
    flat = out.reshape(*out.shape[:2], -1)
    for part in _batches(len(grad), channels, frame):
        windows = product(columns, _as_columns(grad[part]))
        pool.split(_loops().col2im, channels, windows.reshape(-1), _places(frame), flat[part])
    return out


def _correlate_by_im2col(input: Array, grad: Array, frame: Frame) -> Any:
    total = functools.reduce(numpy.add, (
        product(_as_columns(grad[part]), _im2col(input[part], frame).T)
        for part in _batches(len(input), input.shape[1], frame)))
    return total.reshape(grad.shape[1], input.shape[1], *frame.kernel)


# ---------------------------------------------------------------- the kernels


def _agrees(frame: Frame, weight_shape: Sequence[int], input: Array | None = None,
            grad: Array | None = None) -> bool:
    """Whether the shapes are those of the frame. The loops do not check bounds."""
    o, c, *kernel = weight_shape
    return tuple(kernel) == tuple(frame.kernel) and o % frame.groups == 0 \
        and (input is None or input.shape[1:] == (c * frame.groups, *frame.size)) \
        and (grad is None or grad.shape[1:] == (o, *frame.out))


def _loops() -> Any:
    from . import tiles  # imports Numba

    return tiles


def _convolve(axes: tuple[Axis, ...], input: Array, weight: Array, bias: Array | None, groups: int,
              out: Array) -> None:
    """Writes one sum over windows to `out`, for weight (groups, O / groups, C / groups, *taps)."""
    dtype, channels = input.dtype, input.shape[1]
    plan = make_plan(axes, channels // groups, _lanes(dtype))
    if bias is None:
        bias = numpy.zeros(weight.shape[0] * weight.shape[1], dtype)
    pool.split(_loops().convolve, len(input), input.reshape(-1), channels,
               _packed(weight.reshape(*weight.shape[:2], -1)), bias, groups, plan, out.reshape(-1))


@convolution.kernel("cpu")
def _(input: Array, weight: Array, bias: Array | None, frame: Frame) -> Any:
    input = numpy.ascontiguousarray(input)
    if not fits(input, least=1) or weight.dtype != input.dtype \
            or not _agrees(frame, weight.shape, input) \
            or bias is not None and bias.shape != weight.shape[:1]:
        return None
    if _product_is_faster(input, weight.shape[:2], frame, frame.out[-1], *FORWARD):
        return _convolve_by_im2col(input, weight, bias, frame)
    o, c = weight.shape[:2]
    out = numpy.empty((len(input), o, *frame.out), input.dtype)
    grouped = weight.reshape(frame.groups, o // frame.groups, c, -1)
    bias = None if bias is None else numpy.ascontiguousarray(bias)
    _convolve(forward_axes(frame), input, grouped, bias, frame.groups, out)
    return out


@convolution_input.kernel("cpu")
def _(input: Array, weight: Array, frame: Frame) -> Any:
    input = numpy.ascontiguousarray(input)
    if not fits(input, least=1) or weight.dtype != input.dtype \
            or not _agrees(frame, weight.shape, grad=input):
        return None
    by_im2col = _product_is_faster(input, weight.shape[:2], frame,
                              -(-frame.size[-1] // frame.stride[-1]), *BACK)
    # The reference multiplies weights by zeros of the padding only if the stride is 1, and 0 * inf
    # is NaN: for infinite weights the reference runs.
    if by_im2col == (set(frame.stride) == {1}) and not numpy.isfinite(weight).all():
        return None
    if by_im2col:
        return _back_by_im2col(input, weight, frame)
    o, c = weight.shape[:2]
    out = numpy.empty((len(input), c * frame.groups, *frame.size), input.dtype)
    transposed = weight.reshape(frame.groups, o // frame.groups, c, *frame.kernel).swapaxes(1, 2)
    for axes in back_axes(frame):
        if all(axis.taps for axis in axes):
            taps: Any = numpy.ix_(*(axis.taps for axis in axes))
            _convolve(axes, input, transposed[(..., *taps)], None, frame.groups, out)
        else:  # no window covers these positions
            unread: Any = (..., *(slice(axis.first, None, axis.step) for axis in axes))
            out[unread] = 0
    return out


@convolution_weight.kernel("cpu")
def _(input: Array, grad: Array, frame: Frame) -> Any:
    input, grad = numpy.ascontiguousarray(input), numpy.ascontiguousarray(grad)
    channels, features = input.shape[1], grad.shape[1]
    weight_shape = (features, channels // frame.groups, *frame.kernel)
    if not fits(input, least=1) or grad.dtype != input.dtype or len(grad) != len(input) \
            or not _agrees(frame, weight_shape, input, grad):
        return None
    if _product_is_faster(input, (features, channels), frame, frame.out[-1], *CORRELATION):
        return _correlate_by_im2col(input, grad, frame)
    axes, dtype = forward_axes(frame), input.dtype
    plan = make_plan(axes, channels // frame.groups, _lanes(dtype))
    sums = numpy.zeros((min(get_num_threads(), len(input)), features * plan.offsets.size), dtype)
    pool.split(_loops().correlate, len(sums), len(input), input.reshape(-1), channels,
               grad.reshape(-1), features, frame.groups, plan, sums)
    total = functools.reduce(numpy.add, sums)
    if not numpy.isfinite(total).all():
        return None  # from an infinity in the windows, or from 0 * inf outside of them
    return total.reshape(weight_shape)
