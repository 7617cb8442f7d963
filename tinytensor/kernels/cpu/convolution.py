"""Convolutions, mostly without windows laid out: what lies where in memory, and the calls of loops.

The loops (`tiles.py`) see one kind of sum over windows, Σ_k w[k] · input[m * stride + start_k] for
the outputs m along each dim. The convolution is one such sum. Its transpose by the input is one
for each remainder of input positions divided by the stride: the positions of one remainder all
meet the same taps, and one after the other the neighbouring outputs.

Rows of outputs shorter than a vector leave most of it empty. Where such images have many channels,
their windows are laid out after all, for products of matrices.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy

from ...arrays.threads import get_num_threads
from ...ops.convolution import convolution, convolution_input, convolution_weight
from ..loops import fits
from ..pool import pool
from .linalg import product

BLOCK = 1024  # outputs of a channel that are worth laying their images out at once
WINDOWS = 1 << 21  # elements of windows that are laid out at once
# How fast loops are, what laying out the weight for them takes, and windows for products.
FORWARD, BACK, CORRELATION = (1.0, 4.0, 0.8), (1.0, 6.0, 0.8), (0.85, 2.0, 0.8)


@dataclass(frozen=True)
class Axis:
    """One dim of a sum over windows; `taps` of the kernel, where output 0 meets them: `starts`."""

    size: int  # of the input
    stride: int
    count: int  # of outputs
    taps: tuple[int, ...]
    starts: tuple[int, ...]
    length: int  # of the result, in which the outputs go to first, first + step, ...
    first: int = 0
    step: int = 1

    @property
    def phases(self) -> list[int]:
        """The remainders that positions of the input divided by the stride have."""
        return sorted({start % self.stride for start in self.starts})

    @property
    def lowest(self) -> int:
        return min(start // self.stride for start in self.starts)

    @property
    def line(self) -> int:
        """How many positions of one phase lie next to one another when laid out."""
        return self.count + max(start // self.stride for start in self.starts) - self.lowest

    @property
    def as_it_is(self) -> bool:
        """Whether the input needs no laying out."""
        return self.stride == 1 and self.lowest == 0 and self.line == self.size

    def offset(self, start: int) -> int:
        """How far from an output the laid out tap is."""
        return self.phases.index(start % self.stride) * self.line \
            + start // self.stride - self.lowest

    def pieces(self) -> Iterator[tuple[int, int, int]]:
        """(from, to, count) of what is laid out: the positions of each phase that exist."""
        for number, phase in enumerate(self.phases):
            before = max(0, -self.lowest)
            at = (before + self.lowest) * self.stride + phase
            count = min(self.line - before, -(-(self.size - at) // self.stride))
            if count > 0:
                yield at, number * self.line + before, count


def forward_axes(frame: Any) -> tuple[Axis, ...]:
    return tuple(
        Axis(size, stride, out, tuple(range(kernel)),
             tuple(k * dilation - padding for k in range(kernel)), out)
        for size, out, kernel, stride, padding, dilation in zip(
            frame.size, frame.out, frame.kernel, frame.stride, frame.padding, frame.dilation,
            strict=True))


def back_axes(frame: Any) -> Iterator[tuple[Axis, ...]]:
    """The sums that the transpose consists of. An input at i meets tap k in output
    (i + padding - k * dilation) / stride, where that is an integer.
    """
    def of_dim(size, out, kernel, stride, padding, dilation):
        for first in range(min(stride, size)):
            met = [(k, (first + padding - k * dilation) // stride) for k in range(kernel)
                   if (first + padding - k * dilation) % stride == 0]
            yield Axis(out, 1, -(-(size - first) // stride), tuple(k for k, _ in met),
                       tuple(start for _, start in met), size, first, stride)

    return itertools.product(*(of_dim(*dim) for dim in zip(
        frame.size, frame.out, frame.kernel, frame.stride, frame.padding, frame.dilation,
        strict=True)))


class Plan(NamedTuple):
    """What the loops must know, positions in elements of flat arrays."""

    at: Any  # of each vector of outputs in an image that is laid out
    offsets: Any  # of each channel of a group and tap
    places: Any  # of each vector in a channel of the result
    aside: Any  # and in results that are put to their places later
    rows: Any  # of the input and laid out
    pieces: Any  # of a row
    size: int  # of a channel: of the input,
    plane: int  # laid out,
    out_size: int  # of the result
    block: int  # images that are laid out at a time
    stride: int  # in a row of the input
    fill: int  # numbers in a vector
    step: int  # from one to the next in a row of the result
    laid_out: bool
    direct: bool  # whole vectors go to their places
    whole: bool  # rows of the result are whole vectors
    fresh: Any  # (first, end) of the lanes of each vector that no earlier one has


def _grid(*dims: Any) -> Any:
    """Sums of one number of each of the dims, the last dim fastest."""
    found = numpy.zeros(1, numpy.int64)
    for numbers in dims:
        found = numpy.add.outer(found, numpy.asarray(numbers, numpy.int64)).reshape(-1)
    return found


def _strides(lengths: Any) -> list[int]:
    """How far apart neighbours along each dim are in an array of these lengths."""
    return [math.prod(lengths[d + 1:]) for d in range(len(lengths))]


@functools.lru_cache(maxsize=1024)
def make_plan(axes: tuple[Axis, ...], channels: int, lanes: int) -> Plan:
    *outer, inner = axes
    laid_out = inner.count < lanes or not all(axis.as_it_is for axis in axes)
    lengths = [len(axis.phases) * axis.line for axis in axes]
    steps, plane = _strides(lengths), math.prod(lengths)
    # The last vector of a row reaches back over the one before it rather than over the end.
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
                inner.step, laid_out, inner.count >= lanes and inner.step == 1,
                inner.count % lanes == 0, numpy.tile(fresh, (at.size // len(starts), 1)))


def _lanes(dtype: Any) -> int:
    return 32 // dtype.itemsize


def _packed(weight: Any) -> Any:
    """(groups, O, K) as `tiles.multiply` reads it."""
    groups, o, k = weight.shape
    fours = o // 4 * 4
    return numpy.concatenate([
        weight[:, :fours].reshape(groups, -1, 4, k).swapaxes(2, 3).reshape(groups, fours * k),
        weight[:, fours:].reshape(groups, (o - fours) * k)], axis=1).reshape(-1)


# ---------------------------------------------------------------- as products


def _is_product(input: Any, channels: tuple[int, int], frame: Any, width: int, speed: float,
                packing: float, windows: float) -> bool:
    """Whether products take less time than the loops, for rows of `width` outputs.

    By what was measured, in ns for an element of the weight: a core multiplies 45 float32 in one
    and adds them up, in the loops `speed` times as many, those in the empty part of a vector
    included. Laying the weight out for the loops takes `packing`, in one thread; laying windows
    out, which all output channels share, `windows` each; the calls for a product 20 µs more.
    """
    lanes = _lanes(input.dtype)
    filled = width / (-(-width // lanes) * lanes)
    positions = len(input) * math.prod(frame.out)
    each = positions * input.itemsize / 4 / get_num_threads()
    return frame.groups == 1 and each / 45 / filled / speed + packing > (
        each / 45 + windows * each / channels[0]
        + 20000 / math.prod((*channels, *frame.kernel)))


def _batches(images: int, channels: int, frame: Any) -> list[slice]:
    """Slices of so many images as are laid out at once."""
    one = channels * math.prod(frame.kernel) * math.prod(frame.out)
    length = max(1, WINDOWS // max(one, 1))
    return [slice(start, min(start + length, images)) for start in range(0, images, length)]


@functools.lru_cache(maxsize=1024)
def _places(frame: Any) -> Any:
    """(kernel, out): where in an image each tap of each output is, or -1 in the padding."""
    places = numpy.arange(math.prod(frame.size)).reshape(frame.size)
    found = numpy.full((*frame.kernel, *frame.out), -1)
    for k, outs, ins in frame.taps():
        found[(*k, *outs)] = places[ins]
    return found.reshape(math.prod(frame.kernel), -1)


def _laid_out(input: Any, frame: Any) -> Any:
    """The windows of images (N, C, *size) as a matrix (C * kernel, N * out)."""
    places, channels = _places(frame), input.shape[1]
    found = numpy.empty((channels * len(places), len(input) * places.shape[1]), input.dtype)
    pool.split(_loops().lay_windows, channels, input.reshape(*input.shape[:2], -1), places,
               found.reshape(-1))
    return found


def _as_columns(images: Any) -> Any:
    """Images (N, O, *out) as a matrix (O, N * out)."""
    return images.swapaxes(0, 1).reshape(images.shape[1], -1)


def _convolve_by_products(input: Any, weight: Any, bias: Any, frame: Any) -> Any:
    rows, o = weight.reshape(len(weight), -1), len(weight)
    out = numpy.empty((len(input), o, *frame.out), input.dtype)
    for part in _batches(len(input), input.shape[1], frame):
        found = product(rows, _laid_out(input[part], frame))
        if bias is not None:
            found += bias[:, None]
        out[part] = found.reshape(o, -1, *frame.out).swapaxes(0, 1)
    return out


def _back_by_products(grad: Any, weight: Any, frame: Any) -> Any:
    columns, channels = weight.reshape(len(weight), -1).T, weight.shape[1]
    out = numpy.zeros((len(grad), channels, *frame.size), grad.dtype)
    flat = out.reshape(*out.shape[:2], -1)
    for part in _batches(len(grad), channels, frame):
        found = product(columns, _as_columns(grad[part]))
        pool.split(_loops().add_windows, channels, found.reshape(-1), _places(frame), flat[part])
    return out


def _correlate_by_products(input: Any, grad: Any, frame: Any) -> Any:
    total = functools.reduce(numpy.add, (
        product(_as_columns(grad[part]), _laid_out(input[part], frame).T)
        for part in _batches(len(input), input.shape[1], frame)))
    return total.reshape(grad.shape[1], input.shape[1], *frame.kernel)


# ---------------------------------------------------------------- the kernels


def _loops() -> Any:
    from . import tiles  # imports Numba

    return tiles


def _convolve(axes, input, weight, bias, groups, out):
    """One sum over windows: weight (groups, O / groups, C / groups, taps), flat `out`."""
    dtype, channels = input.dtype, input.shape[1]
    plan = make_plan(axes, channels // groups, _lanes(dtype))
    if bias is None:
        bias = numpy.zeros(weight.shape[0] * weight.shape[1], dtype)
    pool.split(_loops().convolve, len(input), input.reshape(-1), channels,
               _packed(weight.reshape(*weight.shape[:2], -1)), bias, groups, plan, out.reshape(-1))


@convolution.kernel("cpu")
def _(input: Any, weight: Any, bias: Any, frame: Any) -> Any:
    input = numpy.ascontiguousarray(input)
    if not fits(input, least=1) or weight.dtype != input.dtype:
        return None
    if _is_product(input, weight.shape[:2], frame, frame.out[-1], *FORWARD):
        return _convolve_by_products(input, weight, bias, frame)
    o, c = weight.shape[:2]
    out = numpy.empty((len(input), o, *frame.out), input.dtype)
    grouped = weight.reshape(frame.groups, o // frame.groups, c, -1)
    bias = None if bias is None else numpy.ascontiguousarray(bias)
    _convolve(forward_axes(frame), input, grouped, bias, frame.groups, out)
    return out


@convolution_input.kernel("cpu")
def _(input: Any, weight: Any, frame: Any) -> Any:
    input = numpy.ascontiguousarray(input)
    if not fits(input, least=1) or weight.dtype != input.dtype:
        return None
    by_products = _is_product(input, weight.shape[:2], frame,
                              -(-frame.size[-1] // frame.stride[-1]), *BACK)
    # The reference meets weights with the 0 of the padding only where the stride is 1.
    if by_products == (set(frame.stride) == {1}) and not numpy.isfinite(weight).all():
        return None
    if by_products:
        return _back_by_products(input, weight, frame)
    o, c = weight.shape[:2]
    out = numpy.empty((len(input), c * frame.groups, *frame.size), input.dtype)
    transposed = weight.reshape(frame.groups, o // frame.groups, c, *frame.kernel).swapaxes(1, 2)
    for axes in back_axes(frame):
        if all(axis.taps for axis in axes):
            met: Any = numpy.ix_(*(axis.taps for axis in axes))
            _convolve(axes, input, transposed[(..., *met)], None, frame.groups, out)
        else:
            unmet: Any = (..., *(slice(axis.first, None, axis.step) for axis in axes))
            out[unmet] = 0
    return out


@convolution_weight.kernel("cpu")
def _(input: Any, grad: Any, frame: Any) -> Any:
    input, grad = numpy.ascontiguousarray(input), numpy.ascontiguousarray(grad)
    if not fits(input, least=1) or grad.dtype != input.dtype:
        return None
    channels, features = input.shape[1], grad.shape[1]
    if _is_product(input, (features, channels), frame, frame.out[-1], *CORRELATION):
        return _correlate_by_products(input, grad, frame)
    axes, dtype = forward_axes(frame), input.dtype
    plan = make_plan(axes, channels // frame.groups, _lanes(dtype))
    sums = numpy.zeros((min(get_num_threads(), len(input)), features * plan.offsets.size), dtype)
    pool.split(_loops().correlate, len(sums), len(input), input.reshape(-1), channels,
               grad.reshape(-1), features, frame.groups, plan, sums)
    total = functools.reduce(numpy.add, sums)
    if not numpy.isfinite(total).all():
        return None  # 0 times an infinity that is in no window's row, or the windows' own
    return total.reshape(features, channels // frame.groups, *frame.kernel)
