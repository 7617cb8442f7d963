"""Reading and writing by index. `getitem` and `put_zeros` are each other's derivative."""

from __future__ import annotations

import math
from typing import Any

import numpy

from .. import device, dtypes
from ..autograd import engine, versions
from ..autograd.modes import mode
from ..autograd.op import composed, op
from .reduce import axes
from .samples import S, bools, ints, t

Array = Any


# ---------------------------------------------------------------- basic and advanced indexing


def as_index(tensor, key):
    """What users write between brackets, with raw arrays in place of Tensors and lists.

    Raises:
        IndexError: a position that does not exist, a mask of another shape, a floating point
            index. (CuPy would wrap a position around silently.)
    """
    keys = key if isinstance(key, tuple) else (key,)
    converted = tuple(_as_key(tensor, k) for k in keys)
    _check_positions(tensor, converted)
    return converted


def _as_key(tensor, key):
    if isinstance(key, list):
        key = numpy.asarray([_as_key(tensor, k) for k in key], dtype=None if key else numpy.int64)
    if isinstance(key, engine.Tensor):
        key = key._array
    if isinstance(key, numpy.generic):
        key = key.item()
    if not device.is_array(key):
        return key
    if key.dtype.kind not in "biu":
        raise IndexError(f"an index must be of integers, bools or slices, got {key.dtype}; "
                         "convert it with .long()")
    if key.dtype == numpy.uint8:
        raise IndexError("a uint8 index could mean positions or a mask: use .long() or .bool()")
    if key.ndim == 0 and key.dtype.kind in "iu":
        return int(key)
    return device.to_device(key, device.device_of(tensor._array))


def _check_positions(tensor, keys):
    shape = tensor._array.shape
    used = sum(k.ndim if device.is_array(k) and k.dtype.kind == "b" else 1 for k in keys
               if k is not None and k is not Ellipsis and not isinstance(k, bool))
    if used > len(shape):
        raise IndexError(f"too many indices: {used} for a Tensor of shape {tuple(shape)}")
    axis = 0
    for key in keys:
        if key is None or isinstance(key, bool):
            continue
        if key is Ellipsis:
            axis += len(shape) - used
        elif device.is_array(key) and key.dtype.kind == "b":
            if key.shape != shape[axis:axis + key.ndim]:
                raise IndexError(f"a mask of shape {tuple(key.shape)} does not fit a Tensor of "
                                 f"shape {tuple(shape)} at dimension {axis}")
            axis += key.ndim
        else:
            _check_range(key, shape[axis], axis)
            axis += 1


def _check_range(key, size, axis):
    if device.is_array(key) and key.size:
        low, high = int(key.min()), int(key.max())
    elif isinstance(key, int):
        low = high = key
    else:
        if isinstance(key, slice) and key.step is not None and key.step < 1:
            raise ValueError("the step of a slice must be at least 1; use flip()")
        return
    if low < -size or high >= size:
        wrong = low if low < -size else high
        raise IndexError(f"index {wrong} is out of range for dimension {axis} of size {size}")


def _is_basic(index):
    """Whether an index selects a view: numbers, slices, None and ... only."""
    return not any(device.is_array(k) or isinstance(k, bool) for k in index)


@op(view=True, method=False, samples=[
    S(t(3, 4), (1,)), S(t(3, 4), (slice(None), slice(1, 3))), S(t(3, 4), (Ellipsis, 0)),
    S(t(3, 4), (None, slice(0, 3, 2))), S(t(3, 4), (numpy.array([0, 2, 0]),)),
    S(t(3, 4), (numpy.array([0, 1]), numpy.array([3, 3]))),
    S(t(3, 4), (slice(None), numpy.array([[0, 1], [1, -1]]))),
    S(t(3, 4), (numpy.array([True, False, True]),))],
    reference=lambda torch: lambda x, index: x[tuple(
        torch.from_numpy(k) if isinstance(k, numpy.ndarray) else k for k in index)])
def getitem(input: Array, index: Any):
    """input[index], with every index that NumPy knows; a view for basic ones.

    Shapes: (*) -> what the index selects.
    """
    return input[index]


@getitem.vjp("input")
def _(xp, g, input_shape, index):
    return put_zeros.run(xp, g, input_shape, index)


@op(method=False, samples=[
    S(t(2), (3, 2), (1,)), S(t(3, 2), (3, 4), (slice(None), slice(1, 3))),
    S(t(3, 2), (4, 2), (numpy.array([0, 2, 0]),)),
    S(t(3), (2, 4), (numpy.array([0, 1, 0]), numpy.array([3, 3, 3])))],
    reference=lambda torch: lambda g, shape, index: torch.zeros(
        shape, dtype=g.dtype).index_put(tuple(
            torch.from_numpy(k) if isinstance(k, numpy.ndarray)
            else torch.arange(n)[k].reshape(-1, *[1] * (len(index) - 1 - i))
            for i, (k, n) in enumerate(zip(index, shape))), g, accumulate=True),
    scalar="zeros of the dtype of Values are not Values")
def put_zeros(xp, input: Array, shape: Any, index: Any):
    """Zeros of `shape`, with `input` added at `index`, where a position may come repeatedly.

    Shapes: (what the index selects) -> shape.
    """
    out = xp.zeros(shape, dtype=input.dtype)
    if _is_basic(index) or len(index) == 1 and index[0].dtype.kind == "b":
        out[index] = input
    elif len(index) == 1 and hasattr(xp.add, "reduceat"):
        add_rows(xp, out, index[0], input)
    else:
        xp.add.at(out, index, input)
    return out


put_zeros.vjp(input=lambda xp, g, index: getitem.run(xp, g, index))


def add_rows(xp, out, index, rows):
    """out[index] += rows for a first-dim index with repeats: sorted, then summed in runs.

    Faster than `add.at` on rows, and the order of addition is always the same.
    """
    flat = xp.reshape(index, (-1,)) % max(out.shape[0], 1)
    if not flat.size:
        return
    order = xp.argsort(flat, kind="stable")
    flat = flat[order]
    rows = xp.reshape(rows, (flat.size, *out.shape[1:]))[order]
    starts = xp.flatnonzero(xp.concatenate([xp.ones(1, dtype=bool), flat[1:] != flat[:-1]]))
    out[flat[starts]] = xp.add.reduceat(rows, starts, axis=0)


@op(method=False, samples=[], promotes="")
def setitem(xp, input: Array, value: Array, index: Any):
    """A copy of `input` with `value` written at `index`. Shapes: (*), (+) -> (*)."""
    out = input.copy()
    out[index] = value
    return out


@setitem.vjp("input")
def _(xp, g, index):
    return setitem.run(xp, g, xp.zeros((), dtype=g.dtype), index)


@setitem.vjp("value")
def _(xp, g, index, value_shape):
    d = getitem.run(xp, g, index)
    if len(value_shape) > len(d.shape):  # leading dims of size 1
        d = xp.reshape(d, (1,) * (len(value_shape) - len(d.shape)) + tuple(d.shape))
    return d


def read(tensor, key):
    """tensor[key]."""
    return getitem(tensor, as_index(tensor, key))


def write(tensor, key, value):
    """tensor[key] = value, in place."""
    index = as_index(tensor, key)
    tensor._check_write("__setitem__")
    if not isinstance(value, engine.Tensor):
        value = as_value(value, tensor)
    value = value.to(device=tensor.device, dtype=tensor.dtype)
    if mode.enabled and (tensor._node is not None or value._node is not None
                         or tensor._base is not None and tensor._base._node is not None):
        tensor._write("__setitem__", setitem(tensor._snapshot(), value, index))
        return
    try:
        tensor._array[index] = value._array
    except ValueError:
        raise RuntimeError(
            f"x[...] = value: a value of shape {tuple(value.shape)} does not fit the selected "
            f"shape {tuple(tensor._array[index].shape)}") from None
    versions.note_write(tensor._array, "__setitem__")


def as_value(value, tensor):
    """A number, list or array as a Tensor of the dtype of `tensor`."""
    array = numpy.asarray(value, dtype=None if device.is_array(value) else tensor.dtype.numpy)
    return engine.tensor_of(array, None)


# ---------------------------------------------------------------- by positions along a dim


def check_labels(name, index, size):
    """Positions as they should be: integers from 0 to size - 1, on the host where they are."""
    if index._array.dtype.kind not in "iu":
        raise RuntimeError(f"{name}: positions must be integers, got {index.dtype}; "
                           "convert them with .long()")
    if index.numel():
        low, high = int(index._array.min()), int(index._array.max())
        if low < 0 or high >= size:
            raise IndexError(f"{name}: position {low if low < 0 else high} is out of range: "
                             f"it must be in [0, {size - 1}]")


@op(samples=[S(t(3, 4), ints(3, 2, high=4), 1), S(t(3, 4), ints(2, 4, high=3), 0),
             S(t(3), ints(5, high=3), 0)], array_names=("take_along_axis",),
    scalar="NumPy finds the shape of object arrays only")
def take_along_dim(xp, input: Array, indices: Array, dim: int | None = None):
    """The elements at `indices` along `dim`, of the flattened input if it is None.

    Shapes: (*, n, *), (*, k, *) -> (*, k, *); the other dims broadcast.
    """
    if dim is None:
        return xp.reshape(input, (-1,))[xp.reshape(indices, (-1,))]
    return input[along(xp, indices, input.shape, dim)]


def along(xp, indices, shape, dim):
    """The full index that `indices` along one dim stand for."""
    (axis,) = axes(dim, len(shape))
    return tuple(
        indices if i == axis else xp.reshape(
            xp.arange(n), tuple(-1 if j == i else 1 for j in range(len(shape))))
        for i, n in enumerate(shape))


@take_along_dim.vjp("input")
def _(xp, g, indices, input_shape, dim):
    raw = indices._array if isinstance(indices, engine.Tensor) else indices
    module = device.array_module(raw)
    if dim is None:
        flat = put_zeros.run(xp, g, (math.prod(input_shape),), (module.reshape(raw, (-1,)),))
        return xp.reshape(flat, input_shape)
    return put_zeros.run(xp, g, input_shape, along(module, raw, input_shape, dim))


@op(promotes="common", promoted=("input", "other"), array_names=("where",), method=False, samples=[
    S(bools(2, 3), t(2, 3), t(2, 3)), S(bools(2, 1), t(3), t()), S(bools(3), t(3), 1.5),
    S(bools(3), 0.5, t(3))])
def where(xp, condition: Array, input: Array, other: Array):
    """`input` where the condition holds, `other` elsewhere. Shapes: three (*) -> the broadcast."""
    return xp.where(condition, input, other)


where.vjp(
    input=lambda xp, g, condition: g * condition,
    other=lambda xp, g, condition: g * (condition == False),  # noqa: E712 - an array
)


@composed(inplace=True, samples=[S(t(2, 3), bools(2, 3), 1.5), S(t(2, 3), bools(3), -1.0)])
def masked_fill(input, mask, value):
    """`value` where the mask holds, the input elsewhere. Shapes: (*), (*) -> the broadcast."""
    if mask.dtype is not dtypes.bool_:
        raise RuntimeError(f"masked_fill: the mask must be bool, got {mask.dtype}; "
                           "compare, or convert with .bool()")
    return where(mask, value, input)


# ---------------------------------------------------------------- in pieces


def _sections(size, chunk):
    return [slice(start, min(start + chunk, size)) for start in range(0, max(size, 1), chunk)]


@composed(samples=[S(t(5, 2), 2), S(t(5, 2), [1, 4]), S(t(2, 6), 3, dim=1)])
def split(input, split_size_or_sections, dim=0):
    """Pieces of one size (the last may be smaller), or of the sizes given, as views.

    Shapes: (n, *) -> (n1, *), (n2, *), ...
    """
    (axis,) = axes(dim, input.ndim)
    size, wanted = input.shape[axis], split_size_or_sections
    if isinstance(wanted, int):
        if wanted < 1 and not (wanted == size == 0):
            raise RuntimeError(f"split: the size of a piece must be positive, got {wanted}")
        slices = _sections(size, max(wanted, 1))
    else:
        if sum(wanted) != size or min(wanted, default=0) < 0:
            raise RuntimeError(f"split: sizes {list(wanted)} do not add up to {size}")
        ends = numpy.cumsum([0, *wanted]).tolist()
        slices = [slice(a, b) for a, b in zip(ends, ends[1:], strict=False)]
    return tuple(getitem(input, (slice(None),) * axis + (s,)) for s in slices)


@composed(samples=[S(t(5, 2), 2), S(t(2, 6), 3, dim=1), S(t(2), 5)])
def chunk(input, chunks, dim=0):
    """At most `chunks` pieces of equal size (the last may be smaller), as views.

    Shapes: (n, *) -> (m, *), (m, *), ...
    """
    if chunks < 1:
        raise RuntimeError(f"chunk: the number of chunks must be positive, got {chunks}")
    (axis,) = axes(dim, input.ndim)
    return split(input, max(-(-input.shape[axis] // chunks), 1), dim)


@composed(samples=[S(t(3, 2)), S(t(2, 3), 1)])
def unbind(input, dim=0):
    """The slices along a dim, without it, as views. Shapes: (n, *) -> n times (*)."""
    (axis,) = axes(dim, input.ndim)
    return tuple(getitem(input, (slice(None),) * axis + (i,)) for i in range(input.shape[axis]))


@op(array_names=("flip",), varargs="dims", samples=[S(t(2, 3), (0,)), S(t(2, 3), (0, -1))])
def flip(xp, input: Array, dims: Any):
    """The order along `dims` reversed, as a copy. Shapes: (*) -> (*)."""
    return xp.flip(input, axis=axes((dims,) if isinstance(dims, int) else dims, input.ndim)).copy()


flip.vjp(input=lambda xp, g, dims: flip.run(xp, g, dims))
