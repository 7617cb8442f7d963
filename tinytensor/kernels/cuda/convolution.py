"""Kernels for convolutions: windows in one launch, then one matrix product; depthwise directly."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy

from ...ops import convolution as ops
from ...ops.convolution import Frame
from .launch import THREADS, Array, Source, dense, empty_like, fits
from .products import product

SOURCE = Source("convolution")
DIMS = 3  # as in convolution.cu
FRAME = numpy.dtype([(name, "i8", DIMS) for name in (
    "size", "out", "kernel", "stride", "padding", "dilation")])


def _struct(frame: Frame) -> Any:
    """The frame as the kernels take it."""
    missing = DIMS - len(frame.size)
    struct = numpy.zeros((), FRAME)
    for name in FRAME.names or ():
        fill = 0 if name == "padding" else 1
        struct[name] = (*[fill] * missing, *getattr(frame, name))
    return struct


def _over(count: int) -> int:
    """The number of blocks for `count` elements, one thread each."""
    return -(-count // THREADS)


def _sizes(frame: Frame) -> tuple[int, int, int]:
    """The numbers of pixels, of positions of windows, and of taps."""
    return math.prod(frame.size), math.prod(frame.out), math.prod(frame.kernel)


def _possible(frame: Frame, *arrays: Array | None) -> bool:
    return len(frame.size) <= DIMS and fits(*arrays) and all(
        a is None or a.size for a in arrays) and min(_sizes(frame)) > 0


def _is_identity(frame: Frame) -> bool:
    """Whether the windows are the pixels."""
    return frame.out == frame.size and set(frame.kernel) == set(frame.stride) == {1} \
        and set(frame.padding) == {0}


def _depthwise(frame: Frame, channels: int) -> bool:
    return frame.groups == channels > 1


def _columns(frame: Frame, images: Array) -> Array:
    """The windows as matrices for each image and group: (N, groups, rows, positions)."""
    n, channels = images.shape[:2]
    _, positions, taps = _sizes(frame)
    shape = (n, frame.groups, channels * taps // frame.groups, positions)
    if _is_identity(frame):
        return images.reshape(shape)
    columns = empty_like(images, shape)
    SOURCE.launch("copy_windows", images.dtype, _over(columns.size), THREADS, _struct(frame),
                  images, columns, n, channels, channels * taps * positions, positions, None, None,
                  0)
    return columns


def _columns_by_row(frame: Frame, images: Array, grad: Array) -> tuple[Array, Array]:
    """The windows as matrices for each group, with the positions of all images in a row:
    (groups, rows, N positions); and so the channels of `grad`: (groups, channels, N positions).
    """
    (n, channels), made, groups = images.shape[:2], grad.shape[1], frame.groups
    _, positions, taps = _sizes(frame)
    shapes = [(groups, rows // groups, n * positions) for rows in (channels * taps, made)]
    if n == 1 and _is_identity(frame):
        return images.reshape(shapes[0]), grad.reshape(shapes[1])
    columns, rows = (empty_like(images, shape) for shape in shapes)
    SOURCE.launch("copy_windows", images.dtype, _over(columns.size + rows.size), THREADS,
                  _struct(frame), images, columns, n, channels, positions, n * positions, grad,
                  rows, made)
    return columns, rows


def _products(weight: Array, columns: Array, out: Array) -> None:
    """out = weight @ columns for each group and image; (G, m, k), (N, G, k, p), (N, G, m, p)."""
    for group in range(len(weight)):
        product(weight[group], columns[:, group], out=out[:, group])


def _parts(array: Array, frame: Frame, channels: int) -> Iterator[slice]:
    yield from ops._parts(array, frame, channels)


@ops.convolution.kernel("cuda")
def _(input: Array, weight: Array, bias: Array | None, frame: Frame) -> Any:
    if not _possible(frame, input, weight, bias):
        return None
    input, weight = dense(input), dense(weight)
    n, channels = input.shape[:2]
    made, groups, (_, positions, _) = weight.shape[0], frame.groups, _sizes(frame)
    out = empty_like(input, (n, made, *frame.out))
    if _depthwise(frame, channels):
        SOURCE.launch("depthwise", out.dtype, _over(out.size), THREADS, _struct(frame), input,
                      weight, None if bias is None else dense(bias), out, n, channels,
                      made // channels)
        return out
    rows = weight.reshape(groups, made // groups, -1)
    for part in _parts(input, frame, channels):
        columns = _columns(frame, input[part])
        _products(rows, columns, out[part].reshape(-1, groups, made // groups, positions))
    if bias is not None:
        SOURCE.over_elements("add_to_channels", out, out, dense(bias), out.size, made, positions)
    return out


@ops.convolution_input.kernel("cuda")
def _(input: Array, weight: Array, frame: Frame) -> Any:
    if not _possible(frame, input, weight):
        return None
    input, weight = dense(input), dense(weight)
    (n, made), groups = input.shape[:2], frame.groups
    channels, (_, positions, taps) = weight.shape[1] * groups, _sizes(frame)
    out = empty_like(input, (n, channels, *frame.size))
    if _depthwise(frame, channels):
        SOURCE.launch("depthwise_input", out.dtype, _over(out.size), THREADS, _struct(frame), input,
                      weight, out, n, channels, made // channels)
        return out
    rows = weight.reshape(groups, made // groups, -1).swapaxes(1, 2)
    count = channels * taps // groups
    for part in _parts(input, frame, channels):
        g, d = input[part].reshape(-1, groups, made // groups, positions), out[part]
        if _is_identity(frame):
            _products(rows, g, d.reshape(-1, groups, count, positions))
            continue
        columns = empty_like(g, (len(g), groups, count, positions))
        _products(rows, g, columns)
        SOURCE.launch("add_windows", out.dtype, _over(d.size), THREADS, _struct(frame), columns, d,
                      len(g), channels, channels * taps * positions, positions)
    return out


@ops.convolution_weight.kernel("cuda")
def _(input: Array, grad: Array, frame: Frame) -> Any:
    if not _possible(frame, input, grad):
        return None
    input, grad = dense(input), dense(grad)
    (n, channels), made, groups = input.shape[:2], grad.shape[1], frame.groups
    out = empty_like(input, (made, channels // groups, *frame.kernel))
    if _depthwise(frame, channels):
        SOURCE.launch("depthwise_weight", out.dtype, out.size, THREADS, _struct(frame), input, grad,
                      out, n, channels, made // channels)
        return out
    result = out.reshape(groups, made // groups, -1)
    for i, part in enumerate(_parts(input, frame, channels)):
        columns, rows = _columns_by_row(frame, input[part], grad[part])
        product(rows, columns.swapaxes(1, 2), out=result, add=i > 0)
    return out


@ops.windows.kernel("cuda")
def _(input: Array, frame: Frame) -> Any:
    if not _possible(frame, input):
        return None
    input = dense(input)
    (n, channels), (_, positions, taps) = input.shape[:2], _sizes(frame)
    out = empty_like(input, (n, channels, *frame.kernel, *frame.out))
    SOURCE.launch("copy_windows", out.dtype, _over(out.size), THREADS, _struct(frame), input, out,
                  n, channels, channels * taps * positions, positions, None, None, 0)
    return out


@ops.overlap_add.kernel("cuda")
def _(input: Array, frame: Frame) -> Any:
    if not _possible(frame, input):
        return None
    (n, channels), (_, positions, taps) = input.shape[:2], _sizes(frame)
    out = empty_like(input, (n, channels, *frame.size))
    SOURCE.launch("add_windows", out.dtype, _over(out.size), THREADS, _struct(frame), dense(input),
                  out, n, channels, channels * taps * positions, positions)
    return out
