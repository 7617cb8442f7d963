"""Triangles, diagonals, and views by strides.

Every op here is linear and one of a pair, each the derivative of the other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy

from ..arrays import Array, gpu
from ..arrays.numbers import argument, integers
from ..autograd.table import composed, op
from ..autograd.versions import owner
from ..tensors.creation import empty
from ..tensors.tensor import Tensor
from .arrange import atleast_2d
from .checks import need_dims
from .dims import axes
from .padding import pad
from .samples import S, ints, t
from .shape import cat, flatten

# ---------------------------------------------------------------- triangles and diagonals


TRIANGLES = [S(t(3, 4)), S(t(3, 4), 1), S(t(2, 3, 3), diagonal=-1), S(t(2, 3), 9), S(t(0, 3)),
             S(ints(3, 3))]


def _triangle(name, xp, input, diagonal):
    need_dims(name, input, 2)
    return getattr(xp, name)(input, diagonal)


@op(contiguous=True, inplace=True, samples=TRIANGLES)
def tril(xp, input: Array, diagonal: int = 0):
    """The lower triangle: 0 above the diagonal, or above the one at offset `diagonal`.

    Shapes: (*, n, m) -> (*, n, m).
    """
    return _triangle("tril", xp, input, diagonal)


@op(contiguous=True, inplace=True, samples=TRIANGLES)
def triu(xp, input: Array, diagonal: int = 0):
    """The upper triangle: 0 below the diagonal, or below the one at offset `diagonal`.

    Shapes: (*, n, m) -> (*, n, m).
    """
    return _triangle("triu", xp, input, diagonal)


tril.vjp(input=lambda xp, g, diagonal: tril.run(xp, g, diagonal))
triu.vjp(input=lambda xp, g, diagonal: triu.run(xp, g, diagonal))


def _diagonal_of(xp, x, offset, dim1, dim2):
    """A diagonal as a writable view, in the last axis."""
    first, second = axes(dim1, x.ndim), axes(dim2, x.ndim)
    if first == second:
        raise RuntimeError(f"diagonal: the dims {dim1} and {dim2} are the same")
    rows = xp.moveaxis(x, (*first, *second), (-2, -1))
    up, right = max(-offset, 0), max(offset, 0)
    length = max(min(rows.shape[-2] - up, rows.shape[-1] - right), 0)
    # einsum: the view of numpy.diagonal is read-only
    return xp.einsum("...ii->...i", rows[..., up:up + length, right:right + length])


@op(view=True, samples=[S(t(3, 4)), S(t(3, 4), 1), S(t(3, 4), -2), S(t(2, 3, 4), 0, 0, 2),
                        S(t(2, 3, 4), 1, -1, 0), S(t(2, 3), 9), S(t(0, 3))])
def diagonal(xp, input: Array, offset: int = 0, dim1: int = 0, dim2: int = 1):
    """The diagonal of the matrices in two dims, in the last dim, as a view.

    `offset` is the distance above the main diagonal. Shapes: (n, m, *) -> (*, k).

    Raises:
        RuntimeError: the dims are the same.
    """
    return _diagonal_of(xp, input, offset, dim1, dim2)


def element_positions(size, stride, offset):
    """The position in its base of each element of a strided view."""
    positions = numpy.full(tuple(size), offset)
    for i, (n, step) in enumerate(zip(size, stride, strict=True)):
        positions += (numpy.arange(n) * step).reshape(-1, *(1,) * (len(size) - i - 1))
    return positions


@op(view=True, samples=[
    S(t(3, 4), (), ()), S(t(3, 4), (3,), (5,)), S(t(12), (5, 4), (2, 1)),
    S(t(2, 3), (2, 2), (0, 1), 2), S(t(4), (0, 2), (1, 1)), S(t(), (2,), (0,))])
def as_strided(xp, input: Array, size: Sequence[int], stride: Sequence[int],
               storage_offset: int = 0):
    """Element storage_offset + i stride[0] + j stride[1] + ... for (i, j, ...). Shapes: -> size."""
    if len(size) != len(stride) or min((*size, *stride, storage_offset), default=0) < 0:
        raise RuntimeError(f"as_strided: size {size} and stride {stride} must be equally many and, "
                           f"as the offset {storage_offset}, not negative")
    last = last_position(size, stride, storage_offset)
    if 0 not in size and last >= input.size:
        raise RuntimeError(f"as_strided: element {last} of a memory of {input.size}: size {size}, "
                           f"stride {stride} and offset {storage_offset} reach beyond its end")
    # A gradient may have other strides.
    flat = xp.ascontiguousarray(input).reshape(-1)[storage_offset:]
    return xp.lib.stride_tricks.as_strided(flat, size, [s * input.itemsize for s in stride])


@as_strided.public
def as_strided_in_memory(input: Tensor, size: Sequence[int], stride: Sequence[int],
                         storage_offset: int | None = None) -> Tensor:
    """A view whose element (i, j, ...) is storage_offset + i stride[0] + j stride[1] + ... of the
    memory; storage_offset is that of the input by default.

    Elements may repeat: their gradients accumulate. Shapes: (*) -> size.

    Raises:
        RuntimeError: different numbers of sizes and strides, or negative ones; elements beyond
            the memory; an input with repeated elements, such as an expanded one.
    """
    size, stride = integers("as_strided: size", size), integers("as_strided: stride", stride)
    first = input.storage_offset()
    storage_offset = first if storage_offset is None else argument(storage_offset)
    last = last_position(size, stride, storage_offset)
    if not first and input.is_contiguous() and last < input.numel():
        return as_strided(input, size, stride, storage_offset)
    return as_strided(memory(input, input.stride(), first), size, stride, storage_offset)


def last_position(size, stride, offset):
    """The position of the last element."""
    return offset + sum((n - 1) * step for n, step in zip(size, stride, strict=False))


@op(view=True, method=False, internal=True, samples=[])
def memory(xp, input: Array, stride: Sequence[int], offset: int):
    """The whole memory that the input is a view of, flat. Shapes: (*) -> (n)."""
    if any(step == 0 and n > 1 for n, step in zip(input.shape, stride, strict=True)):
        raise RuntimeError(f"as_strided: the input of shape {tuple(input.shape)} has elements that "
                           "are there once in memory, as expand() makes it; clone() it first")
    whole = owner(input)
    if not (whole.flags.c_contiguous or whole.flags.f_contiguous):
        raise RuntimeError("as_strided: the memory of the input has gaps; clone() it first")
    return whole.ravel("K")


@memory.vjp("input")
def _(xp, g, input_shape, stride, offset):
    return as_strided.run(xp, g, input_shape, stride, offset)


@op(method=False, internal=True, samples=[S(t(5, 4), (12,), (2, 1), 0), S(t(2), (3, 4), (5,), 1)],
    reference=lambda torch: lambda x, shape, stride, offset: torch.zeros(
        math.prod(shape), dtype=x.dtype).index_add(0, torch.as_tensor(
            element_positions(x.shape, stride, offset).reshape(-1)), x.reshape(-1)).reshape(shape))
def put_strided(xp, input: Array, shape: Sequence[int], stride: Sequence[int], offset: int):
    """The adjoint of `as_strided`: zeros of `shape`, with `input` added. Shapes: (*) -> shape."""
    out = xp.zeros(math.prod(shape), dtype=input.dtype)
    where = xp.asarray(element_positions(input.shape, stride, offset))
    gpu.add_at(xp, out, xp.reshape(where, (-1,)), xp.reshape(input, (-1,)))
    return out.reshape(shape)


@as_strided.vjp("input")
def _(xp, g, input_shape, stride, storage_offset):
    return put_strided.run(xp, g, input_shape, stride, storage_offset)


@put_strided.vjp("input")
def _(xp, g, input_shape, stride, offset):
    return as_strided.run(xp, g, input_shape, stride, offset)


@op(method=False, internal=True, reference=lambda torch: lambda x, shape, offset, dim1, dim2:
    torch.zeros(shape, dtype=x.dtype).diagonal_scatter(x, offset, dim1, dim2),
    samples=[S(t(2), (2, 3), 0, 0, 1), S(t(3, 2), (2, 3, 4), -1, 2, 0)])
def put_diagonal(xp, input: Array, shape: Sequence[int], offset: int, dim1: int, dim2: int):
    """The adjoint of `diagonal`: zeros, with `input` as a diagonal. Shapes: (*, k) -> shape."""
    out = xp.zeros(shape, dtype=input.dtype)
    _diagonal_of(xp, out, offset, dim1, dim2)[...] = input
    return out


@diagonal.vjp("input")
def _(xp, g, input_shape, offset, dim1, dim2):
    return put_diagonal.run(xp, g, input_shape, offset, dim1, dim2)


@put_diagonal.vjp("input")
def _(xp, g, offset, dim1, dim2):
    return diagonal.run(xp, g, offset, dim1, dim2)


@composed(samples=[S(t(2, 3)), S(t(2, 3), 1, 0, 2), S(t(3), -2), S(t(0)), S(ints(2))])
def diag_embed(input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Square matrices with the last dim as a diagonal, in two new dims, and 0 elsewhere.

    Shapes: (*, k) -> (*, k + |offset|, k + |offset|).

    Raises:
        RuntimeError: the dims are the same.
    """
    first, second = axes(dim1, input.ndim + 1), axes(dim2, input.ndim + 1)
    if first == second:
        raise RuntimeError(f"diag_embed: the dims {dim1} and {dim2} are the same")
    size = input.shape[-1] + abs(offset)
    shape = list(input.shape[:-1])
    for axis in sorted((*first, *second)):
        shape.insert(axis, size)
    return put_diagonal(input, tuple(shape), offset, first[0], second[0])


@composed(samples=[S(t(3)), S(t(3), 1), S(t(2, 3)), S(t(2, 3), -1)])
def diag(input: Tensor, diagonal: int = 0) -> Tensor:
    """The matrix with a vector as its diagonal, or a copy of a matrix's diagonal.

    Shapes: (n) -> (n, n), or (n, m) -> (k).

    Raises:
        RuntimeError: neither a vector nor a matrix.
    """
    if input.ndim == 1:
        return diag_embed(input, diagonal)
    if input.ndim != 2:
        raise RuntimeError(f"diag: needs a vector or a matrix, got shape {tuple(input.shape)}")
    return _diagonal(input, diagonal).clone()


_diagonal = diagonal


@composed(samples=[S(t(2, 2)), S(t(3), 1), S(t())])
def diagflat(input: Tensor, offset: int = 0) -> Tensor:
    """The matrix with the flattened input as its diagonal. Shapes: (*) -> (k, k)."""
    return diag_embed(flatten(input), offset)


@composed(method=False, samples=[S(t(2, 3), t(3), t()), S(t(1, 2), t(2, 1)), S(t(0, 2), t(1, 1)),
                                 S(t(2), ints(2))])
def block_diag(*tensors: Tensor) -> Tensor:
    """The block diagonal matrix of the matrices; vectors are rows.

    Shapes: (n, m), (k, l) -> (n + k, m + l).

    Raises:
        RuntimeError: more than two dims.
    """
    for x in tensors:
        if x.ndim > 2:
            raise RuntimeError(f"block_diag: needs at most 2 dimensions, got shape "
                               f"{tuple(x.shape)}")
    blocks = atleast_2d(tuple(tensors))
    if not blocks:
        return empty(1, 0)
    width, rows, start = sum(x.shape[1] for x in blocks), [], 0
    for x in blocks:
        rows.append(pad(x, (start, width - start - x.shape[1])))
        start += x.shape[1]
    return cat(rows, 0)
