"""Views by their strides: the nodes that a write through memory shared by several Tensors needs.

A view is an array over the memory of its base, so where its elements lie there (the `Layout`: a
shape, strides and an offset) says all of how it was made, whatever operations made it. Gradients
of the base are laid out in memory as the base is, and the same layout picks the view's elements
from them. `strided` and `spread` are a pair, each the derivative of the other.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy

from ..arrays import Array, gpu
from ..autograd.graph import Node
from ..autograd.table import op
from ..tensors.tensor import Tensor, is_nested
from .samples import S, t


class Layout(NamedTuple):
    """Where the elements of an array lie in a buffer. Strides and the offset count elements.

    contiguous   whether the array is the whole buffer, in C order
    """

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int = 0
    contiguous: bool = False


class Place(NamedTuple):
    """The layouts of a base, and of a view of it, in a buffer of `size` elements.

    The buffer reaches from the lowest to the highest element of the base in memory.
    """

    base: Layout
    view: Layout
    size: int


def _address(array: Array) -> int:
    address: int = array.__array_interface__["data"][0] if array.__class__ is numpy.ndarray \
        else array.data.ptr
    return address


def place_of(array: Array, window: Array) -> Place:
    """Where the elements of a view, the array `window`, lie in the memory of its base."""
    item, strides = array.itemsize, array.strides
    if array.flags.c_contiguous:
        lowest, size = 0, array.size
    else:
        ends = [(n - 1) * s // item for n, s in zip(array.shape, strides, strict=True)]
        lowest = sum(end for end in ends if end < 0) if array.size else 0
        size = sum(map(abs, ends)) + 1 if array.size else 0
    start = _address(window) - _address(array) if window is not array and window.size else 0
    return Place(
        Layout(array.shape, tuple(s // item for s in strides), -lowest, array.flags.c_contiguous),
        Layout(window.shape, tuple(s // item for s in window.strides), start // item - lowest),
        size)


def _buffer(xp: Any, array: Array, place: Place) -> Array:
    """The elements of `array`, laid out in memory as the base is. It may share their memory."""
    if place.base.contiguous:  # a gradient may be one number, broadcast: a view of stride 0
        return xp.reshape(xp.ascontiguousarray(array), (-1,))
    buffer = xp.zeros((place.size,), dtype=array.dtype)
    _window(xp, buffer, place.base)[...] = array
    return buffer


def _window(xp: Any, buffer: Array, layout: Layout) -> Array:
    """The elements of `buffer` at `layout`, as a view."""
    if layout.contiguous:
        return xp.reshape(buffer, layout.shape)
    strides = tuple(s * buffer.itemsize for s in layout.strides)
    return xp.lib.stride_tricks.as_strided(buffer[layout.offset:], layout.shape, strides)


def _as_strided(torch: Any) -> Any:
    return lambda x, place: torch.as_strided(x.contiguous(), *place.view[:3])


COLUMN = Place(Layout((3, 4), (4, 1), 0, True), Layout((3,), (4,), 1), 12)
BLOCK = Place(Layout((3, 4), (4, 1), 0, True), Layout((2, 1, 2), (1, 0, 4), 5), 12)
REPEATED = Place(Layout((2, 3), (3, 1), 0, True), Layout((4, 2), (0, 3), 1), 6)
WINDOWS = Place(Layout((5,), (1,), 0, True), Layout((3, 3), (1, 1), 0), 5)
TRANSPOSED = Place(Layout((4, 3), (1, 4), 0), Layout((2,), (4,), 1), 12)


@op(method=False, internal=True, samples=[
    S(t(3, 4), COLUMN), S(t(3, 4), BLOCK), S(t(2, 3), REPEATED), S(t(5), WINDOWS)],
    reference=_as_strided)
def strided(xp, input: Array, place: Place):
    """A copy of the elements of the base `input` that its view at `place` shows.

    Shapes: (*) -> the shape of the view.
    """
    return _window(xp, _buffer(xp, input, place), place.view).copy()


@strided.vjp("input")
def _(xp, g, place):
    return spread.run(xp, g, place)


@op(method=False, internal=True, samples=[
    S(t(3), COLUMN), S(t(2, 1, 2), BLOCK), S(t(4, 2), REPEATED), S(t(3, 3), WINDOWS)],
    reference=lambda torch: lambda g, place: torch.func.vjp(
        lambda x: _as_strided(torch)(x, place), torch.zeros(place.base.shape, dtype=g.dtype))[1](
            g)[0])
def spread(xp, input: Array, place: Place):
    """Zeros like the base, with `input` added at the elements that its view at `place` shows.

    Shapes: the shape of the view -> the shape of the base.
    """
    buffer = xp.zeros((place.size,), dtype=input.dtype)
    if is_nested(place.view.shape, place.view.strides):
        _window(xp, buffer, place.view)[...] = input
    else:
        where = _window(xp, xp.arange(place.size), place.view)
        gpu.add_at(xp, buffer, xp.reshape(where, (-1,)), xp.reshape(input, (-1,)))
    return _window(xp, buffer, place.base)


@spread.vjp("input")
def _(xp, g, place):
    return strided.run(xp, g, place)


@op(method=False, internal=True, samples=[
    S(t(3, 4), t(3), COLUMN), S(t(3, 4), t(2, 1, 2), BLOCK), S(t(4, 3), t(2), TRANSPOSED)],
    reference=lambda torch: lambda x, value, place: (
        out := x.clone() if place.base.contiguous else x.mT.contiguous().mT,
        torch.as_strided(out, *place.view[:3]).copy_(value))[0])
def overwrite(xp, input: Array, value: Array, place: Place):
    """A copy of the base `input` in which its view at `place` shows `value`.

    Shapes: the shape of the base, that of the view -> the shape of the base.
    """
    buffer = _buffer(xp, input, place)
    if place.base.contiguous:
        buffer = buffer.copy()
    _window(xp, buffer, place.view)[...] = value
    return _window(xp, buffer, place.base)


@overwrite.vjp("input")
def _(xp, g, place):
    nothing = xp.broadcast_to(xp.zeros((), dtype=g.dtype), place.view.shape)
    return overwrite.run(xp, g, nothing, place)


@overwrite.vjp("value")
def _(xp, g, place):
    return strided.run(xp, g, place)


# ---------------------------------------------------------------- the nodes, without a forward


def view_node(base: Tensor, view: Tensor) -> Node:
    """The node of `view`, computed from its base as that is."""
    return strided.op.leave_node((base._node,), view, place=place_of(base._array, view._array))


def write_node(base: Tensor, window: Array, value: Any) -> Node:
    """The node of `base` after the values of the node `value`, or constants if it is None, were
    written into its view `window`, an array, which may be that of `base` itself."""
    return overwrite.op.leave_node((base._node, value), base, place=place_of(base._array, window))
