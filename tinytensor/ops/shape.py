"""Operations that move elements without changing them: reshaping, permuting, joining."""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import index
from typing import Any

import numpy

from ..arrays import Array, devices, dtypes
from ..arrays.numbers import integer, integers, is_integer
from ..autograd import engine
from ..autograd.errors import broadcast_problem
from ..autograd.graph import tensor_of
from ..autograd.table import composed, op
from ..tensors.tensor import Size, Tensor
from .dims import Dim, axes
from .samples import S, ints, t


@op(view=True, method=False, internal=True, array_names=("alias",), reference="view_as", samples=[])
def alias(input: Array):
    """The same memory, as a new node of the graph. Shapes: (*) -> (*)."""
    return input


alias.vjp(input=lambda g: g)


@op(array_names=("copy",), widens=False, samples=[S(t(2, 3)), S(t())])
def clone(input: Array, *, memory_format: dtypes.memory_format | None = None):
    """A copy with memory of its own; gradients flow back to the input. Shapes: (*) -> (*)."""
    return input.copy() if 0 in input.strides else input.copy(order="K")


clone.vjp(input=lambda g: g)


@op(samples=[S(t(2, 3)), S(t())], method=True, widens=False)
def contiguous(xp, input: Array, memory_format: dtypes.memory_format | None = None):
    """The input itself if it is contiguous in memory, else a contiguous copy.

    Shapes: (*) -> (*).
    """
    return xp.ascontiguousarray(input) if input.ndim else input


contiguous.vjp(input=lambda g: g)


@contiguous.public
def contiguous_or_same(input: Tensor, memory_format: dtypes.memory_format | None = None) -> Tensor:
    """The input itself if it is contiguous in memory, else a contiguous copy.

    Shapes: (*) -> (*).
    """
    return input if input.is_contiguous() else contiguous(input)


def own_memory(x: Tensor) -> Tensor:
    """`x` if it has memory of its own, in C order; otherwise a copy that has."""
    if not x.is_contiguous():
        return contiguous(x)
    return x if x._base is None else clone(x)


@op(method=False, internal=True, widens=False, array_names=("astype",), samples=[])
def cast(input: Array, dtype: numpy.dtype[Any]):
    """The values as another dtype (a NumPy dtype). Shapes: (*) -> (*).

    An array of `scalar.Value` stays what it is: floats would end its graph.
    """
    if input.dtype.kind == "O" and dtypes.is_floating(dtype):
        return input.copy()
    return input.astype(dtype, order="C" if 0 in input.strides else "K")


@cast.vjp("input")
def _(xp, g, input_dtype):
    return cast.run(xp, g, input_dtype)


@op(method=False, internal=True, widens=False, samples=[])
def move(input: Array, where: devices.device, non_blocking: bool = False):
    """The values on another device. Shapes: (*) -> (*)."""
    return devices.to_device(input, where, non_blocking)


@move.vjp("input")
def _(g, input):
    target = devices.device_of(input if devices.is_array(input) else input._array)
    return devices.to_device(g, target) if devices.is_array(g) else move(g, target)


def unknown_size(shape: int | Sequence[int], size: int) -> tuple[int, ...]:
    """A shape with its size of -1, if any, replaced by the one that gives `size` elements.

    Raises:
        RuntimeError: the shape does not have `size` elements, or two sizes are -1.
    """
    try:
        shape = tuple(map(index, shape))  # type: ignore[arg-type]
    except TypeError:
        shape = integers("a shape", shape)
    if math.prod(shape) == size and min(shape, default=0) >= 0:
        return shape  # the usual case: no -1
    if shape.count(-1) > 1 or any(n < -1 for n in shape):
        raise RuntimeError(f"shape {shape}: only one size may be left open, as -1")
    known = math.prod(n for n in shape if n != -1)
    if -1 in shape and known and size % known == 0:
        return tuple(size // known if n == -1 else n for n in shape)
    if -1 in shape and not known and not size:
        raise RuntimeError(f"shape {shape}: -1 could be any size, since there are no elements")
    if -1 in shape or known != size:
        raise RuntimeError(f"shape {shape} does not fit {size} elements")
    return shape


@op(view=True, varargs="shape", array_names=("reshape",), samples=[
    S(t(2, 6), (3, 4)), S(t(2, 6), (-1,)), S(t(2, 3, 2), (2, -1)), S(t(), (1, 1)),
    S(t(0, 3), (3, 0))])
def reshape(input: Array, shape: int | Sequence[int]):
    """The same elements in another shape, of which one size may be -1; a view where possible.

    Shapes: (*) -> shape.
    """
    return input.reshape(unknown_size(shape, input.size))


@reshape.vjp("input")
def _(xp, g, input_shape):
    return xp.reshape(g, input_shape)


@composed(varargs="size", keywords={"dtype": "size"}, reference="Tensor.view", samples=[
    S(t(2, 6), (3, 4)), S(t(2, 6), (-1,))])
def view(input: Tensor, size: Sequence[int] | dtypes.dtype) -> Tensor:
    """The same memory in another shape, of which one size may be -1. Shapes: (*) -> size.

    With a dtype: the same memory as numbers of that dtype.

    Raises:
        RuntimeError: the strides allow no view of that shape; numbers of the dtype cannot begin
            where the Tensor does, which on a GPU would end all work. The memory of a Tensor of
            `from_numpy` begins where NumPy's array does.
    """
    if isinstance(size, dtypes.dtype):
        first = input.storage_offset()
        if not input.is_cuda:
            first -= (input if input._base is None else input._base).storage_offset()
        if (before := first * input.itemsize) % size.itemsize:
            raise RuntimeError(
                f"view: the Tensor begins {before} bytes after the start of its memory, but "
                f"numbers of {size} begin at multiples of {size.itemsize}; view a clone()")
        return tensor_of(input._array.view(size.numpy), None)
    result = reshape(input, size)
    if result._base is None and input._array.size:
        raise RuntimeError(
            f"view: a Tensor of shape {tuple(input.shape)} and strides {input.stride()} has no "
            f"view of shape {tuple(result.shape)}; use reshape(), which copies where it must")
    return result


@composed(samples=[S(t(2, 6), t(3, 4, grad=False))], reference="Tensor.view_as")
def view_as(input: Tensor, other: Tensor) -> Tensor:
    """A view in the shape of `other`. Shapes: (*), (+) -> (+)."""
    return view(input, other.shape)


@composed(samples=[S(t(2, 6), t(3, 4, grad=False))], reference="Tensor.reshape_as")
def reshape_as(input: Tensor, other: Tensor) -> Tensor:
    """The elements in the shape of `other`. Shapes: (*), (+) -> (+)."""
    return reshape(input, other.shape)


@op(view=True, varargs="dims", array_names=("transpose",), samples=[
    S(t(2, 3, 4), (2, 0, 1)), S(t(2, 3), (-1, 0)), S(t(), ())])
def permute(xp, input: Array, dims: Sequence[int]):
    """The dims in another order, as a view. Shapes: (d0, ..., dn) -> (d[dims[0]], ...)."""
    if len(dims) != input.ndim:
        raise RuntimeError(f"permute: {len(dims)} dims {tuple(dims)} for a Tensor of "
                           f"{input.ndim} dimensions")
    return xp.transpose(input, axes(dims, input.ndim))


@permute.vjp("input")
def _(xp, g, dims):
    order = axes(dims, len(dims))
    return xp.transpose(g, tuple(order.index(i) for i in range(len(order))))


@composed(aliases=("moveaxis",), array_names=("moveaxis",), samples=[
    S(t(2, 3, 4), 0, -1), S(t(2, 3, 4), (0, 1), (-1, 0)), S(t(2, 3), 1, 1), S(t(), 0, -1)])
def movedim(input: Tensor, source: int | Sequence[int], destination: int | Sequence[int]) -> Tensor:
    """Moves dims to other positions, the rest in their order, as a view.

    Shapes: (n, m, k) -> (m, k, n) for 0 to -1.

    Raises:
        RuntimeError: different numbers of sources and destinations, or one given twice.
    """
    sources = integers("movedim: source", source)
    destinations = integers("movedim: destination", destination)
    if len(sources) != len(destinations):
        raise RuntimeError(f"movedim: {len(sources)} dims {sources} to {len(destinations)} places "
                           f"{destinations}; there must be a place for each")
    moved = axes(sources, input.ndim) if sources else ()
    places = axes(destinations, input.ndim) if destinations else ()
    order = [i for i in range(input.ndim) if i not in moved]
    for place, dim in sorted(zip(places, moved, strict=True)):
        order.insert(place, dim)
    return permute(input, tuple(order))


@composed(samples=[S(t(2, 3, 4)), S(t(2, 3))])
def adjoint(input: Tensor) -> Tensor:
    """The last two dims exchanged, as a view: for real numbers the transpose.

    Shapes: (*, n, m) -> (*, m, n).

    Raises:
        RuntimeError: a vector.
    """
    if input.ndim == 1:
        raise RuntimeError("adjoint: a vector has none; it needs at least 2 dimensions")
    return transpose(input, -1, -2) if input.ndim else permute(input, ())


@composed(aliases=("swapaxes", "swapdims"), keywords={"axis0": "dim0", "axis1": "dim1"},
          array_names=("swapaxes",), samples=[
    S(t(2, 3, 4), 0, 2), S(t(2, 3), -1, -2), S(t(), 0, -1)])
def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Two dims exchanged, as a view. Shapes: (.., n, .., m, ..) -> (.., m, .., n, ..)."""
    order = list(range(input.ndim))
    if not order:
        axes(dim0, 0), axes(dim1, 0)
        return permute(input, ())
    (a,), (b,) = axes(dim0, input.ndim), axes(dim1, input.ndim)
    order[a], order[b] = order[b], order[a]
    return permute(input, tuple(order))


@composed(samples=[S(t(2, 3)), S(t(3)), S(t())])
def t_(input: Tensor) -> Tensor:
    """The transpose of a matrix; vectors and 0-d Tensors are unchanged. Shapes: (n, m) -> (m, n).

    Raises:
        RuntimeError: more than two dims.
    """
    if input.ndim > 2:
        raise RuntimeError(f"t: expects at most 2 dimensions, got shape {tuple(input.shape)}; "
                           "use transpose(dim0, dim1), or mT")
    return permute(input, tuple(range(input.ndim))[::-1])


@composed(samples=[S(t(2, 1, 3), 1), S(t(2, 1, 3)), S(t(2, 3), 1), S(t(1, 2, 1), (0, 2)),
                   S(t(1, 2), ()), S(t(), 0), S(t(1, 1))], array_names=("squeeze",))
def squeeze(input: Tensor, dim: Dim = None) -> Tensor:
    """Removes the dims of size 1, all or those given; a view. Shapes: (n, 1, m) -> (n, m)."""
    none = isinstance(dim, tuple | list) and not dim
    over = () if none else axes(dim, input.ndim)
    return reshape(input, tuple(n for i, n in enumerate(input.shape) if n != 1 or i not in over))


@composed(samples=[S(t(2, 3), 0), S(t(2, 3), -1), S(t(), 0)], array_names=("expand_dims",))
def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """Inserts a dim of size 1 at `dim`; a view. Shapes: (n, m) -> (n, 1, m)."""
    (at,) = axes(dim, input.ndim + 1)
    shape = input._array.shape
    return reshape(input, (*shape[:at], 1, *shape[at:]))


@composed(samples=[S(t(2, 3, 4)), S(t(2, 3, 4), 1), S(t(2, 3, 4), 0, 1), S(t())])
def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Dims start_dim to end_dim as one. Shapes: (a, b, c) -> (a, b * c)."""
    if not input.ndim:
        axes(start_dim, 0), axes(end_dim, 0)
        return reshape(input, (1,))
    (first,), (last,) = axes(start_dim, input.ndim), axes(end_dim, input.ndim)
    if first > last:
        raise RuntimeError(f"flatten: start_dim {start_dim} comes after end_dim {end_dim}")
    shape = input._array.shape
    merged = math.prod(shape[first:last + 1])
    return reshape(input, (*shape[:first], merged, *shape[last + 1:]))


@composed(samples=[S(t(2, 3)), S(t()), S(t(0, 3))], array_names=("ravel",))
def ravel(input: Tensor) -> Tensor:
    """All dims as one: a view of a contiguous Tensor, else a copy. Shapes: (a, b) -> (a * b)."""
    return reshape(contiguous_or_same(input), (-1,) if input.numel() else (0,))


@composed(samples=[S(t(2, 6), 1, (2, 3)), S(t(2, 6), -1, (-1, 2))])
def unflatten(input: Tensor, dim: int, sizes: Sequence[int]) -> Tensor:
    """One dim as several, of which one size may be -1. Shapes: (a, b * c) -> (a, b, c)."""
    if is_integer(sizes):
        raise TypeError(f"unflatten: `sizes` must be a tuple of ints, got {sizes}")
    if not input.ndim or not len(sizes):
        raise RuntimeError(f"unflatten: shape {tuple(input.shape)} to sizes {tuple(sizes)}: both "
                           "must have at least 1 dimension")
    (at,) = axes(dim, input.ndim)
    sizes = unknown_size(sizes, input.shape[at])
    return reshape(input, (*input.shape[:at], *sizes, *input.shape[at + 1:]))


@op(view=True, array_names=("broadcast_to",), samples=[
    S(t(3, 1), (3, 4)), S(t(3), (2, 3)), S(t(), (2, 2)), S(t(1, 3), (0, 3))])
def broadcast_to(xp, input: Array, shape: Sequence[int]):
    """The elements repeated to `shape`, as a view. Shapes: (*) -> shape."""
    shape = tuple(shape)
    if shape == input.shape:
        return input[...]  # it can be written, unlike NumPy's
    writeable = getattr(input.flags, "writeable", False)
    if 1 in shape and not devices.is_meta(input):
        return _with_strides_of_ones(xp, input, xp.broadcast_to(input, shape))
    view = xp.broadcast_to(input, shape)
    if writeable:  # what shows one element twice is refused later
        view.flags.writeable = True
    return view


def _with_strides_of_ones(xp, input, view):
    """The view, whose dims of size 1 have the strides of PyTorch; NumPy sets them to 0."""
    strides, new = [], view.ndim - input.ndim
    for i in reversed(range(view.ndim)):
        if i >= new:
            same = view.shape[i] == input.shape[i - new]
            strides.append(input.strides[i - new] if same else 0)
        else:
            whole = input.ndim and view.shape[i] == 1
            strides.append(view.shape[i + 1] * strides[-1] if whole else 0)
    return xp.lib.stride_tricks.as_strided(input, view.shape, strides[::-1])


@broadcast_to.vjp("input")
def _(g, input_shape):
    return g if g.shape == input_shape else engine.unbroadcast(g, input_shape)


@composed(varargs="size", reference="Tensor.expand", samples=[
    S(t(3, 1), (3, 4)), S(t(3), (2, -1)), S(t(), (2,))])
def expand(input: Tensor, size: Sequence[int]) -> Tensor:
    """Dims of size 1 repeated to `size`, where -1 keeps a size; a view. Shapes: (n, 1) -> (n, m).

    Raises:
        RuntimeError: a size other than 1 would change.
    """
    size = integers("expand: size", size)
    extra = len(size) - input.ndim
    if extra < 0:
        raise RuntimeError(f"expand: {len(size)} sizes {tuple(size)} for a Tensor of shape "
                           f"{tuple(input.shape)}")
    old = (1,) * extra + input._array.shape
    new = tuple(n if s == -1 and i >= extra else s
                for i, (s, n) in enumerate(zip(size, old, strict=True)))
    for i, (wanted, n) in enumerate(zip(new, old, strict=True)):
        if (wanted != n and n != 1) or wanted < 0:
            raise RuntimeError(f"expand: {tuple(input.shape)} to {tuple(size)}: size {n} at "
                               f"dimension {i} cannot become {wanted}")
    return broadcast_to(input, new)


@broadcast_to.public
def broadcast_to_size(input: Tensor, size: Sequence[int]) -> Tensor:
    """The elements repeated to `size`, where -1 keeps a size; a view. Shapes: (*) -> size.

    Raises:
        RuntimeError: a size other than 1 would change.
    """
    return expand(input, size)


@composed(method=False, samples=[S((2, 1), (3,))])
def broadcast_shapes(*shapes: int | Sequence[int]) -> Size:
    """The shape that Tensors of these shapes broadcast to.

    Shapes: (n, 1), (m) as tuples or ints -> (n, m), a Size.

    Raises:
        RuntimeError: they do not broadcast.
        ValueError: a negative size.
    """
    given = [integers("broadcast_shapes: a shape", s) for s in shapes]
    if any(n < 0 for s in given for n in s):
        raise ValueError(f"broadcast_shapes: sizes must not be negative: {given}")
    result: list[int] = []
    for back in range(1, max(map(len, given), default=0) + 1):
        sizes = {s[-back] for s in given if len(s) >= back} - {1}
        if len(sizes) > 1:
            raise RuntimeError(f"broadcast_shapes: {broadcast_problem(given)}")
        result.insert(0, sizes.pop() if sizes else 1)
    return Size(result)


@composed(method=False, samples=[S(t(3, 1), t(4)), S(t(2, 3), t()), S(t(3))])
def broadcast_tensors(*tensors: Tensor) -> tuple[Tensor, ...]:
    """The Tensors expanded to their broadcast shape, as views.

    Shapes: (n, 1), (m) -> (n, m), (n, m).

    Raises:
        RuntimeError: they do not broadcast.
    """
    if len(tensors) == 1 and isinstance(tensors[0], list | tuple):
        (tensors,) = tensors
    shape = broadcast_shapes(*(x.shape for x in tensors))
    return tuple(x if x.shape == shape else expand(x, shape) for x in tensors)


@composed(samples=[S(t(3, 1), t(3, 4, grad=False))], reference="Tensor.expand_as")
def expand_as(input: Tensor, other: Tensor) -> Tensor:
    """Expanded to the shape of `other`. Shapes: (n, 1), (n, m) -> (n, m)."""
    return expand(input, other.shape)


@op(autocast="widest",
    contiguous=True, promotes="common", method=False, aliases=("concat", "concatenate"),
    array_names=("concatenate",), samples=[
        S([t(2, 3), t(4, 3)]), S([t(2, 3), t(2, 1), t(2, 2)], 1), S([t(3)], 0),
        S([t(2, 3), t(0, 3)]), S([t(2, 2), ints(2, 2)], -1)])
def cat(xp, tensors: Sequence[Array], dim: int = 0):
    """Concatenates Tensors along a dim. Shapes: (n, *), (m, *) -> (n + m, *)."""
    shapes = [tuple(a.shape) for a in tensors]
    if not all(map(len, shapes)):
        raise RuntimeError("cat: 0-d Tensors cannot be joined; use stack()")
    axis = _joined_axis(shapes, dim)
    tensors = [a for a in tensors if a.shape != (0,)] or tensors[:1]
    for a in tensors:
        rest = [n for i, n in enumerate(a.shape) if i != axis]
        first = [n for i, n in enumerate(tensors[0].shape) if i != axis]
        if a.ndim != tensors[0].ndim or rest != first:
            raise RuntimeError(f"cat: shapes {', '.join(map(str, shapes))} differ in more than "
                               f"dim {dim}")
    return xp.concatenate(tensors, axis=axis)


def _joined_axis(shapes, dim):
    """The axis to concatenate along. Tensors of shape (0,) are ignored, as in PyTorch."""
    whole = next((s for s in shapes if s != (0,)), None)
    return 0 if whole is None else axes(integer("cat: dim", dim), len(whole))[0]


@cat.vjp("tensors")
def _(xp, g, tensors_shape, dim, needs):
    axis = _joined_axis([tuple(s) for s in tensors_shape], dim)
    pieces, start = [], 0
    for shape, needed in zip(tensors_shape, needs, strict=True):
        stop = start + (shape[axis] if shape != (0,) else 0)
        piece = g[(slice(None),) * axis + (slice(start, stop),)] if needed else None
        pieces.append(xp.reshape(piece, (0,)) if needed and shape == (0,) else piece)
        start = stop
    return pieces


@composed(autocast="widest", method=False, array_names=("stack",), samples=[
    S([t(2, 3), t(2, 3)]), S([t(3), t(3)], 1), S([t(), t()], -1)])
def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Stacks Tensors of one shape along a new dim. Shapes: k times (*) -> (k, *)."""
    tensors = tuple(tensors)
    if not tensors:
        raise RuntimeError("stack: expected at least one Tensor, got an empty sequence")
    shapes = {tuple(x.shape) for x in tensors}
    if len(shapes) > 1:
        raise RuntimeError("stack: the shapes must be equal, got "
                           + ", ".join(map(str, (tuple(x.shape) for x in tensors))))
    dim = integer("stack: dim", dim)
    return cat([unsqueeze(x, dim) for x in tensors], dim)
