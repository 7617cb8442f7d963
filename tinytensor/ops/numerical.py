"""Functions of numerical analysis, and copies of Tensors in which a view is overwritten."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..arrays import Array, devices, dtypes
from ..arrays.devices import as_array
from ..arrays.numbers import integer, integers, is_number, python_number
from ..autograd.graph import tensor_of
from ..autograd.table import composed, op
from ..tensors.tensor import Tensor
from .arrange import narrow
from .diagonals import element_positions, last_position
from .dims import axes
from .gather import index_put
from .samples import S, ints, t, unary
from .shape import cat
from .sorting import POSITIONS
from .special import beside

# From here on, every input * 2**exponent is 0 or infinite, in float64 too.
LARGEST_EXPONENT = 4096

# ---------------------------------------------------------------- differences and powers


@composed(widens=True, method=False, samples=[
    S(t(5)), S(t(4, 5), spacing=0.5), S(t(4, 5), spacing=(0.5, 2.0), edge_order=2),
    S(t(3, 4), dim=1, edge_order=2), S(t(2, 3, 4), dim=(0, 2))])
def gradient(input: Tensor, *, spacing: Any = 1, dim: int | Sequence[int] | None = None,
             edge_order: int = 1) -> tuple[Tensor, ...]:
    """Estimates of the derivatives along dims, by central differences, and by differences to one
    side at the edges.

    `spacing` is the distance of samples, by default 1, one for each dim, or their coordinates, a
    Tensor for each dim. As `numpy.gradient`. Integers are subtracted as int64.

    Shapes: (*) -> (*) for each dim.

    Raises:
        RuntimeError: uint8 or bool; another edge_order than 1 and 2; fewer than edge_order + 1
            samples; not one spacing for each dim.
    """
    if input.dtype in (dtypes.uint8, dtypes.bool_):
        raise RuntimeError(f"gradient: {input.dtype} has no negative differences; convert the "
                           "samples with .long()")
    if not input.is_floating_point():
        input = input.long()
    dims = axes(dim, input.ndim)
    spacing = 1 if spacing is None else spacing
    same = is_number(spacing) or isinstance(spacing, Tensor) and not spacing.ndim
    each = [spacing] * len(dims) if same else list(spacing)
    if edge_order not in (1, 2):
        raise RuntimeError(f"gradient: edge_order must be 1 or 2, got {edge_order}")
    if len(each) != len(dims):
        raise RuntimeError(f"gradient: {len(each)} spacings for {len(dims)} dims")
    return tuple(_along(input, axis, h, edge_order) for axis, h in zip(dims, each, strict=True))


def _along(input, axis, spacing, edge_order):
    n = input.shape[axis]
    if n <= edge_order:
        raise RuntimeError(f"gradient: dim {axis} has {n} samples, and edge_order {edge_order} "
                           f"needs {edge_order + 1}")
    even = not isinstance(spacing, Tensor) or not spacing.ndim
    if even:
        before = after = first = second = last = previous = spacing
    else:  # the distances, along the axis
        spacing = spacing.diff().reshape([-1 if i == axis else 1 for i in range(input.ndim)])
        before, after = narrow(spacing, axis, 0, n - 2), narrow(spacing, axis, 1, n - 2)
        first, second = narrow(spacing, axis, 0, 1), narrow(spacing, axis, min(1, n - 2), 1)
        last, previous = narrow(spacing, axis, n - 2, 1), narrow(spacing, axis, max(n - 3, 0), 1)

    def samples(start, length=1):
        return narrow(input, axis, start, length)

    def edge(at, inward, h, k):
        """The derivative at a sample, from the next ones at the distances h and h + k."""
        if edge_order == 1:
            low = min(at, at + inward)
            return (samples(low + 1) - samples(low)) / h
        if even:  # divided at last: the spacing may be 0
            return (samples(at + inward) * 2 - samples(at) * 1.5
                    - samples(at + 2 * inward) * 0.5) * inward / h
        return (samples(at) * ((2 * h + k) / (h * (h + k)) * -inward)
                + samples(at + inward) * ((h + k) / (h * k) * inward)
                + samples(at + 2 * inward) * (h / (k * (h + k)) * -inward))

    if even:  # without the sample itself, whose factor would be 0: it may be infinite
        middle = (samples(2, n - 2) - samples(0, n - 2)) / (2 * spacing)
    else:
        middle = (samples(2, n - 2) * (before / (after * (before + after)))
                  + samples(1, n - 2) * ((after - before) / (before * after))
                  - samples(0, n - 2) * (after / (before * (before + after))))
    return cat([edge(0, 1, first, second), middle, edge(n - 1, -1, last, previous)], axis)


def _by_powers(torch):
    """PyTorch's function cannot be differentiated."""
    def vander(x, N=None, increasing=False):  # noqa: N803 - PyTorch's name
        powers = torch.arange(x.numel() if N is None else N)
        return x.unsqueeze(-1) ** (powers if increasing else powers.flip(0))

    return vander


@composed(widens=True, method=False, reference=_by_powers, samples=[
    S(t(3)), S(t(3), 4), S(t(2), 3, True), S(ints(3), 3), S(t(3), 1), S(t(3), 0)])
def vander(x: Tensor, N: int | None = None,  # noqa: N803 - PyTorch's name
           increasing: bool = False) -> Tensor:
    """The powers x**(N-1) to x**0 in columns, or in the other order. Shapes: (n) -> (n, N).

    Raises:
        RuntimeError: x does not have 1 dim; a negative N.
    """
    count = x.numel() if N is None else N
    if x.ndim != 1 or count < 0:
        raise RuntimeError(f"vander: expects 1 dim and N >= 0, got shape {tuple(x.shape)} and "
                           f"N={N}")
    powers = _powers(x.to(dtypes.int64) if not x.is_floating_point() else x, count)
    return powers if increasing else powers.flip(1)


def _powers(x, count):
    """Products, since the second derivative of x**0 is NaN at 0."""
    first = x.new_ones((*x.shape, min(count, 1)))
    return cat([first, x.unsqueeze(-1).expand(*x.shape, max(count - 1, 0)).cumprod(-1)], -1)


@composed(widens=True, home="linalg", method=False, samples=[S(t(3)), S(t(2, 3), N=4)])
def vander_(x: Tensor, *, N: int | None = None) -> Tensor:  # noqa: N803 - PyTorch's name
    """The powers x**0 to x**(N-1) in columns. Shapes: (*, n) -> (*, n, N).

    Raises:
        RuntimeError: a 0-d Tensor; N is not greater than 1.
    """
    if not x.ndim:
        raise RuntimeError("vander: expects at least 1 dim, got a 0-d Tensor")
    count = x.shape[-1] if N is None else N
    if count <= 1:
        raise RuntimeError(f"vander: N must be greater than 1, got {count}")
    return _powers(x, count)


@composed(home="linalg", method=False, samples=[S(t(3, 4)), S(t(2, 3, 4), offset=1),
                                                S(t(2, 3, 4), dim1=0, dim2=2)])
def diagonal_(A: Tensor, *, offset: int = 0, dim1: int = -2,  # noqa: N803 - PyTorch's name
              dim2: int = -1) -> Tensor:
    """A view of a diagonal, by default of matrices in the last dims. Shapes: (*, n, m) -> (*, k).
    """
    return A.diagonal(offset, dim1, dim2)


# ---------------------------------------------------------------- the parts of a number


@op(promotes="float", promoted=("input",), inplace=True, array_names=("ldexp",), samples=[
    S(t(3), ints(3, low=-3)), S(t(2, 3), t(3)), S(ints(3), ints(1, low=-2))],
    scalar="NumPy has it for floats only")
def ldexp(xp, input: Array, other: Array):
    """input * 2**other, rounded once: 2**other itself may exceed the range of the dtype.

    Shapes: (*), (*) -> the broadcast shape.
    """
    exponents = xp.clip(other.astype("int64"), -LARGEST_EXPONENT, LARGEST_EXPONENT)
    return xp.ldexp(input, exponents.astype("int32"))  # C's type; CuPy would wrap others


ldexp.vjp(input=lambda xp, g, other: ldexp.run(xp, g, other))


@ldexp.public
def ldexp_of_floats(input: Tensor, other: Tensor | float) -> Tensor:
    """input * 2**other, rounded once: 2**other itself may exceed the range of the dtype.

    Shapes: (*), (*) -> the broadcast shape.
    """
    other = python_number(other)
    if isinstance(other, int | float):
        other = input.new_tensor(other, dtype=dtypes.int64) if isinstance(other, int) \
            else beside(other, input)
    if not other.is_floating_point():
        return ldexp(input, other)
    if input.dtype is other.dtype and input.dtype in (dtypes.float16, dtypes.bfloat16):
        return ldexp_of_floats(input.float(), other.float()).to(input.dtype)  # rounded once
    whole = other.detach().floor().clamp(-LARGEST_EXPONENT, LARGEST_EXPONENT)
    return ldexp(input * 2.0 ** (other - whole), whole.to(dtypes.int64))


@op(promotes="floating", outputs=("mantissa", "exponent"), samples=unary(0.2, 9),
    scalar="NumPy has it for floats only")
def frexp(xp, input: Array):
    """The parts of input = mantissa * 2**exponent, with 0.5 <= |mantissa| < 1. Shapes: (*) -> (*)
    twice, the exponent of int32.
    """
    return xp.frexp(input)


@frexp.vjp("input")
def _(xp, g, exponent):
    if g[0] is None:
        return None
    return xp.ldexp(g[0], as_array(-exponent))


@op(promotes="floating", widens=False, inplace=True, samples=[
    S(t(3, grad=False), t(3, grad=False)), S(t(2, 3, grad=False), t(3, grad=False))],
    scalar=POSITIONS)
def nextafter(xp, input: Array, other: Array):
    """The next number of the dtype after input, towards other. Shapes: (*), (*) -> the broadcast
    shape.
    """
    return xp.nextafter(input, other)


@composed(method=False, samples=[S(ints(4, high=12), (3, 4)), S(ints(2, 2, high=5), 5)],
          scalar=POSITIONS)
def unravel_index(indices: Tensor, shape: int | Sequence[int]) -> tuple[Tensor, ...]:
    """The position in each dim of elements that are counted through a Tensor of that shape.

    Shapes: (*) -> (*) for each dim, of int64.

    Raises:
        TypeError: indices that are not integers.
        ValueError: a negative size.
    """
    if indices.is_floating_point() or indices.dtype is dtypes.bool_:
        raise TypeError(f"unravel_index: expected integers, got {indices.dtype}")
    sizes = integers("unravel_index: shape", shape)
    if any(n < 0 for n in sizes):
        raise ValueError(f"unravel_index: a size must not be negative, got shape {sizes}")
    indices = indices.to(dtypes.int64)  # the shape may exceed the range of their dtype
    if not indices.numel():  # a size may be 0
        return tuple(indices.clone() for _ in sizes)
    return tuple(indices // math.prod(sizes[i + 1:]) % n for i, n in enumerate(sizes))


# ---------------------------------------------------------------- a view overwritten in a copy


def _axes(name, dims, ndim):
    """The dims as axes; errors begin with the name of the operation."""
    if not ndim:
        raise IndexError(f"{name}: a 0-d Tensor has no parts")
    try:
        return axes(dims, ndim)
    except (IndexError, RuntimeError, TypeError) as error:
        raise type(error)(f"{name}: {error}") from None


def _with(name, copy, key, src):
    """The copy of an input, in which copy[key] has the values of `src`."""
    part = copy.detach()[key]
    if part.shape != src.shape:
        raise RuntimeError(f"{name}: the part has shape {tuple(part.shape)}, src has "
                           f"{tuple(src.shape)}; they must be equal")
    copy[key] = src.to(copy.dtype)
    return copy


@composed(samples=[S(t(3, 4), t(4), 0, 1), S(t(3, 4), t(3), -1, -2)])
def select_scatter(input: Tensor, src: Tensor, dim: int, index: int) -> Tensor:
    """A copy in which select(dim, index) is `src`. Shapes: (*), that of the part -> (*).

    Raises:
        IndexError: a dim or an index that does not exist.
        RuntimeError: src has another shape than the part.
        TypeError: an index that is not an int.
    """
    axis, = _axes("select_scatter", dim, input.ndim)
    size, index = input.shape[axis], integer("select_scatter: index", index)
    if not -size <= index < size:
        raise IndexError(f"select_scatter: index {index} is out of range for dim {dim} of size "
                         f"{size}")
    return _with("select_scatter", input.clone(), (slice(None),) * axis + (index,), src)


@composed(samples=[S(t(3, 4), t(2, 4), 0, 1), S(t(5, 3), t(2, 3), 0, 0, 4, 2)])
def slice_scatter(input: Tensor, src: Tensor, dim: int = 0, start: int | None = None,
                  end: int | None = None, step: int = 1) -> Tensor:
    """A copy in which the slice start:end:step of a dim is `src`. Shapes: (*), that of the part
    -> (*).

    Raises:
        RuntimeError: src has another shape than the part.
    """
    axis, = _axes("slice_scatter", dim, input.ndim)
    key = (slice(None),) * axis + (slice(start, end, step),)
    return _with("slice_scatter", input.clone(), key, src)


def sliced(name: str, input: Tensor, dim: int, start: int | None, end: int | None,
           step: int) -> Tensor:
    """The slice start:end:step of a dim, as a view."""
    axis, = _axes(name, dim, input.ndim)
    return input[(slice(None),) * axis + (slice(start, end, step),)]


def _by_copying(torch):
    """The gradient of PyTorch's own function is 0 behind the part."""
    def reference(input, src, size, stride, storage_offset=None):
        first = input.storage_offset()
        count = input.untyped_storage().nbytes() // input.element_size()
        memory = input.as_strided((count,), (1,), 0).clone()
        memory.as_strided(size, stride, first if storage_offset is None else storage_offset
                          ).copy_(src)
        return memory.as_strided(input.shape, input.stride(), first)

    return reference


@composed(samples=[S(t(3, 4), t(2, 2), (2, 2), (1, 3)), S(t(6), t(2), (2,), (2,), 1)],
          reference=_by_copying)
def as_strided_scatter(input: Tensor, src: Tensor, size: Sequence[int], stride: Sequence[int],
                       storage_offset: int | None = None) -> Tensor:
    """A copy in which as_strided(size, stride, storage_offset) is `src`. Shapes: (*), size -> (*).

    Raises:
        RuntimeError: src has another shape than the part; elements that lie beyond the input.
    """
    start = input.storage_offset()
    at = start if storage_offset is None else storage_offset
    last = last_position(size, stride, at)
    if tuple(size) != tuple(src.shape):
        raise RuntimeError(f"as_strided_scatter: the part has shape {tuple(size)}, src has "
                           f"{tuple(src.shape)}; they must be equal")
    if not src.numel():
        return input.clone()
    whole = input.is_contiguous() and not start
    memory = input.reshape(-1) if whole else input.as_strided(
        (1 + max(last_position(input.shape, input.stride(), start), last),), (1,), 0)
    if last >= memory.numel():
        raise RuntimeError(f"as_strided_scatter: element {last} of a memory of {memory.numel()}: "
                           f"size {tuple(size)}, stride {tuple(stride)} and offset {at} reach "
                           "beyond its end")
    places = tensor_of(devices.to_device(element_positions(size, stride, at), input.device), None)
    written = index_put(memory, (places,), src.to(memory.dtype))
    return written.reshape(input.shape) if whole else written.as_strided(
        input.shape, input.stride(), start)


@composed(samples=[S(t(3, 4), t(3)), S(t(3, 4), t(2), -1), S(t(2, 3, 4), t(2, 3), 1, 1, 2)])
def diagonal_scatter(input: Tensor, src: Tensor, offset: int = 0, dim1: int = 0,
                     dim2: int = 1) -> Tensor:
    """A copy in which diagonal(offset, dim1, dim2) is `src`. Shapes: (*), that of the part -> (*).

    Raises:
        IndexError: a dim that does not exist.
        RuntimeError: src has another shape than the part; the dims are the same.
    """
    _axes("diagonal_scatter", (dim1, dim2), input.ndim)
    copy = input.movedim((dim1, dim2), (-2, -1)).clone()
    rows = range(max(-offset, 0), min(copy.shape[-2], copy.shape[-1] - offset))
    places = [input.new_tensor(list(each), dtype=dtypes.int64)
              for each in (rows, [i + offset for i in rows])]
    _with("diagonal_scatter", copy, (..., *places), src)
    return copy.movedim((-2, -1), (dim1, dim2))
