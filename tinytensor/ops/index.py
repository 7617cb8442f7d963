"""Reading and writing by index. `getitem` and `put_zeros` are a pair: each is the derivative of
the other.

An index is applied in two steps, as in PyTorch: ints, slices, None and ... give a view; index
arrays and masks then select from that view. NumPy treats an int as an index array, and so
orders the dims of x[0, :, [1, 2]] differently.
"""

from __future__ import annotations

import functools
import itertools
import math
import operator
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy

from ..arrays import Array, devices, dtypes, gpu
from ..arrays.numbers import integer, integers, is_integer, is_number, python_number
from ..autograd import engine, graph
from ..autograd.deferred import check_range
from ..autograd.modes import mode
from ..autograd.op import Op
from ..autograd.table import composed, op
from ..tensors.tensor import Tensor
from .checks import need_integers
from .dims import axes
from .masking import masked
from .samples import S, bools, ints, t
from .shape import broadcast_to, cat, reshape

WHOLE = slice(None)
Index = tuple[Any, ...]  # of ints, slices, None, ... and arrays of integers or bools


# ---------------------------------------------------------------- index expressions


def as_index(tensor, key):
    """The two steps of tensor[key]: a basic index and an index with arrays; None for no step.

    Raises:
        IndexError: a position that does not exist, a mask of another shape, an index that is
            not of integers or bools. (CuPy would silently wrap a position around.)
    """
    keys = [_as_key(tensor, k) for k in _as_tuple(key)]
    basic, advanced = _steps(tensor._array, keys)
    arrays = [k for k in advanced if devices.is_array(k)]
    if not arrays:
        return (*basic, Ellipsis), None  # with ... even a single element is a view
    if len(arrays) > 1:  # a mask beside other arrays becomes the indices where it is True
        advanced = [k for key in advanced for k in (key.nonzero() if _is_mask(key) else (key,))]
    return None if all(k == WHOLE for k in basic) else tuple(basic), tuple(advanced)


def _as_tuple(key):
    if isinstance(key, tuple):
        return key
    if isinstance(key, list) and any(
            k is None or k is Ellipsis or isinstance(k, slice | list | tuple | range)
            or isinstance(k, graph.Tensor) or devices.is_array(k) for k in key):
        warnings.warn("x[[a, b]] with more than numbers in the list means x[a, b], as in "
                      "PyTorch, which will change that: write x[a, b], or x[tensor([a, b])]",
                      stacklevel=4)
        return tuple(key)
    return (key,)


def _as_key(tensor, key):
    """One part of an index: an int, bool, slice, None or ..., or an array of integers or bools."""
    if isinstance(key, slice):
        key = slice(*(None if k is None else operator.index(k)
                      for k in (key.start, key.stop, key.step)))
        if key.step is not None and key.step < 1:
            raise ValueError("the step of a slice must be at least 1; use flip()")
        return key
    key = python_number(key)
    if key is None or key is Ellipsis or isinstance(key, bool | int):
        return key
    if _is_sequence(key):
        values = [k._array if isinstance(k, graph.Tensor) else k
                  for k in (key[i] for i in range(len(key)))]
        key = numpy.asarray(values, dtype=None if values else numpy.int64)
    key = key._array if isinstance(key, graph.Tensor) else devices.as_array(key)
    if not devices.is_array(key):
        raise IndexError(f"an index must be of integers, bools, slices, None or ..., got "
                         f"{type(key).__name__}")
    if key.dtype == numpy.uint8:
        warnings.warn("an index of dtype uint8 is a mask, as in PyTorch, which will drop it: use "
                      ".bool() for a mask, .long() for positions", stacklevel=4)
        key = key.astype(bool)
    if key.dtype not in (numpy.int64, numpy.int32, numpy.bool_):
        raise IndexError(f"an index must be of dtype int64, int32 or bool, got {key.dtype}; "
                         "convert it with .long()")
    if not key.ndim:
        return 0 if devices.is_meta(key) else key.item()  # any position gives the same shape
    return devices.to_device(key, devices.device_of(tensor._array))


def _is_sequence(key):
    """Whether the key holds positions one by one: a list, or any class with a length, such as a
    Subset of positions.
    """
    return isinstance(key, list | tuple | range) or (
        not isinstance(key, graph.Tensor | str | bytes | Mapping) and not devices.is_array(key)
        and hasattr(key, "__getitem__") and hasattr(key, "__len__"))


def _is_mask(key):
    return devices.is_array(key) and key.dtype.kind == "b"


def _steps(array, keys):
    """The basic index, and the index that then selects from its view."""
    shape = tuple(array.shape)
    used = sum(k.ndim if _is_mask(k) else 1 for k in keys
               if k is not None and k is not Ellipsis and not isinstance(k, bool))
    if used > len(shape):
        hint = "; item() gives its number" if not shape else ""
        raise IndexError(f"too many indices: {used} for a Tensor of shape {shape}{hint}")
    basic, advanced, axis, left = [], [], 0, len(shape) - used
    for key in keys:
        taken = 1
        if key is Ellipsis:
            taken, left = left, 0  # a second ... takes no dims
            basic += [WHOLE] * taken
            advanced += [WHOLE] * taken
        elif key is None or isinstance(key, bool):  # a bool selects from a new dim of size 1
            taken = 0
            basic.append(None)
            advanced.append(WHOLE if key is None else devices.array_module(array).zeros(
                int(key), dtype=numpy.int64))
        elif isinstance(key, slice):
            basic.append(key)
            advanced.append(WHOLE)
        elif isinstance(key, int):
            check_positions("x[...]", key, shape, axis)
            basic.append(key)
        else:
            if _is_mask(key):
                taken = key.ndim
                if key.shape != shape[axis:axis + taken]:
                    raise IndexError(f"a mask of shape {tuple(key.shape)} does not fit a Tensor "
                                     f"of shape {shape} at dimension {axis}")
            else:
                check_positions("x[...]", key, shape, axis)
            basic += [WHOLE] * taken
            advanced.append(key)
        axis += taken
    _check_broadcast([k for k in advanced if devices.is_array(k)])
    return basic, advanced


def _check_broadcast(arrays):
    """Raises IndexError unless the arrays of an index, of which CuPy says less, broadcast."""
    if len(arrays) < 2:
        return
    shapes = [(int(k.sum()),) if _is_mask(k) else tuple(k.shape) for k in arrays]
    try:
        numpy.broadcast_shapes(*shapes)
    except ValueError:
        hint = " (of a mask, its number of True)" if any(map(_is_mask, arrays)) else ""
        raise IndexError("shape mismatch: the arrays of an index must broadcast together, got "
                         f"shapes {' and '.join(map(str, shapes))}{hint}") from None


def check_positions(name, index, shape, axis, negative=True):
    """Raises IndexError unless every position exists along the axis of an array of that shape."""
    size = shape[axis] if shape else 1
    first = -size if negative else 0
    if isinstance(index, int):
        low = high = index
    elif devices.is_gpu_array(index) or devices.is_meta(index):
        check_range(index, first, size - 1, functools.partial(_no_position, name, axis, size))
        return
    elif index.size:
        low, high = int(index.min()), int(index.max())
    else:
        return
    if low < first or high >= size:
        raise _no_position(name, axis, size, low if low < first else high)


def _no_position(name, axis, size, position):
    return IndexError(f"{name}: position {position} is out of range for dimension {axis} of size "
                      f"{size}" + ("" if size else ", which is empty"))


# ---------------------------------------------------------------- reading


def _with_arrays(torch, index):
    return tuple(torch.from_numpy(k) if isinstance(k, numpy.ndarray) else k for k in index)


class Indexing(Op):
    """Reading by index. Its backward adds into the gradient that has arrived already.

    An array of the input's shape for each piece would take time in the square of their number.
    """

    def backward(self, node, xp, g, sums, parents=None):
        (parent,) = parents or node.parents
        if parent not in sums.grads or not parent.shape or sums.recorded:
            super().backward(node, xp, g, sums, parents)
            return
        total, (_, index) = sums.grads[parent], node.take(sums)
        if parent not in sums.owned or not total.flags.c_contiguous:
            total = sums.grads[parent] = total.copy()
            sums.owned.add(parent)
        if any(devices.is_array(k) and k.dtype.kind != "b" for k in index):
            add_at(xp, total, index, g)
        else:
            total[index] += g


@op(kind=Indexing, view=True, method=False, internal=True, samples=[
    S(t(3, 4), (1,)), S(t(3, 4), (WHOLE, slice(1, 3))), S(t(3, 4), (Ellipsis, 0)),
    S(t(3, 4), (None, slice(0, 3, 2))), S(t(3, 4), (numpy.array([0, 2, 0]),)),
    S(t(3, 4), (numpy.array([0, 1]), numpy.array([3, 3]))),
    S(t(3, 4), (WHOLE, numpy.array([[0, 1], [1, -1]]))),
    S(t(2, 3, 2), (numpy.array([1, 1]), WHOLE, numpy.array([[0], [1]]))),
    S(t(3, 4), (numpy.array([True, False, True]),))],
    reference=lambda torch: lambda x, index: x[_with_arrays(torch, index)])
def getitem(input: Array, index: Index):
    """input[index], for an index of `as_index`; a view if it has no arrays.

    Shapes: (*) -> what the index selects.
    """
    return input[index]


@getitem.vjp("input")
def _(xp, g, input_shape, index):
    return put_zeros.run(xp, g, input_shape, index)


@op(method=False, internal=True, samples=[
    S(t(2), (3, 2), (1,)), S(t(3, 2), (3, 4), (WHOLE, slice(1, 3))),
    S(t(3, 2), (4, 2), (numpy.array([0, 2, 0]),)),
    S(t(3), (2, 4), (numpy.array([0, 1, 0]), numpy.array([3, 3, 3]))),
    S(t(2, 2, 3), (2, 3, 2), (numpy.array([1, 1]), WHOLE, numpy.array([[0], [1]]))),
    S(t(2, 3), (2, 4), (WHOLE, numpy.array([-1, 0, 3])))],
    reference=lambda torch: lambda g, shape, index: torch.func.vjp(
        lambda x: x[_with_arrays(torch, index)], torch.zeros(shape, dtype=g.dtype))[1](g)[0])
def put_zeros(xp, input: Array, shape: Sequence[int], index: Index):
    """Zeros of `shape`, with `input` added at `index`, in which positions may repeat.

    The order of the additions is deterministic on the CPU, and not with CuPy.

    Shapes: (what the index selects) -> shape.
    """
    out = xp.zeros(shape, dtype=input.dtype)
    if any(devices.is_array(k) and k.dtype.kind != "b" for k in index):
        add_at(xp, out, index, input)
    else:
        out[index] = input
    return out


put_zeros.vjp(input=lambda xp, g, index: getitem.run(xp, g, index))


def add_at(xp, out, index, values):
    """out[index] += values, where repeated positions accumulate.

    On flattened arrays: one index makes `add.at` several times faster than several, and faster
    than sorting the positions and adding in runs.
    """
    where = positions(xp, out.shape, index)
    values = xp.broadcast_to(values, where.shape)
    gpu.add_at(xp, xp.reshape(out, (-1,)), xp.reshape(where, (-1,)), xp.reshape(values, (-1,)))


def positions(xp, shape, index):
    """The positions in the flattened array of the elements that arrays and whole slices select."""
    steps = [math.prod(shape[i + 1:]) for i in range(len(shape))]
    arrays = [i for i, k in enumerate(index) if devices.is_array(k)]
    sliced = [i for i in range(len(shape)) if i not in arrays]
    adjacent = arrays[-1] - arrays[0] == len(arrays) - 1
    before = [i for i in sliced if adjacent and i < arrays[0]]
    after = [i for i in sliced if i not in before]
    total = sum(xp.asarray(index[i]) % max(shape[i], 1) * steps[i] for i in arrays)
    total = xp.reshape(total, (*total.shape, *[1] * len(after)))
    for trailing, i in enumerate(reversed(after)):
        total = total + xp.reshape(xp.arange(shape[i]) * steps[i], (-1, *[1] * trailing))
    for i in reversed(before):
        total = total + xp.reshape(xp.arange(shape[i]) * steps[i], (-1, *[1] * total.ndim))
    return total


def read(tensor, key):
    """tensor[key]."""
    if key.__class__ is int and tensor._array.ndim:  # the most frequent key
        check_positions("x[...]", key, tensor._array.shape, 0)
        return getitem(tensor, (key, Ellipsis))
    basic, advanced = as_index(tensor, key)
    view = tensor if basic is None else getitem(tensor, basic)
    if advanced is None:
        return view
    return select_at(view, copied(advanced) if view._node is not None and mode.enabled
                     else advanced)


def select_at(input, index):
    """input[index], for an index with arrays; in C order, which NumPy's results may not be in."""
    selected = getitem(input, index)
    if not selected.is_contiguous():
        selected._array = selected._array.copy()
    return selected


def copied(index):
    """The index with copies of its arrays, for a node: a program may reuse their memory."""
    return tuple(k.copy() if devices.is_array(k) else k for k in index)


# ---------------------------------------------------------------- writing


@op(contiguous=True, method=False, internal=True, samples=[
    S(t(3, 4), t(4), (1,)), S(t(3, 4), t(3, 1), (WHOLE, slice(1, 3))), S(t(3, 4), t(), (0,)),
    S(t(3, 4), t(2, 4), (numpy.array([2, 0]),)), S(t(3), t(1, 1, 2), (slice(0, 2),)),
    S(t(3, 4), t(), (numpy.array([True, False, True]),))],
    reference=lambda torch: lambda x, value, index: (
        out := x.clone(), out.__setitem__(_with_arrays(torch, index), value))[0])
def setitem(xp, input: Array, value: Array, index: Index):
    """A copy of `input` with `value` written at `index`. Shapes: (*), (+) -> (*).

    Where positions repeat, the last value is written, and each value gets its gradient.

    Raises:
        RuntimeError: the value does not fit into what the index selects.
    """
    return _written(xp.array(input), index, value)


def _written(array, index, value):
    leading = next((i for i, n in enumerate(value.shape[:-1]) if n != 1), len(value.shape) - 1)
    if leading > 0:  # leading 1s broadcast, but NumPy refuses them with a mask
        value = value.reshape(value.shape[leading:])
    if value.size == 1 and devices.is_gpu_array(array) and _masked_fill(array, index, value):
        return array
    try:
        array[index] = value
    except ValueError:
        raise RuntimeError(
            f"x[...] = value: a value of shape {tuple(value.shape)} does not fit the selected "
            f"shape {tuple(array[index].shape)}") from None
    return array


def _masked_fill(array, index, value):
    """array[index] = value for one value and an index with one mask; whether the index is one.

    CuPy's own counts what the mask selects, for which the host waits.
    """
    arrays = [i for i, k in enumerate(index) if devices.is_array(k)]
    if len(arrays) != 1 or not _is_mask(index[arrays[0]]) \
            or not devices.is_gpu_array(index[arrays[0]]):
        return False
    (before,) = arrays
    mask = index[before]
    after = array.ndim - before - mask.ndim
    mask = mask.reshape((1,) * before + mask.shape + (1,) * after)
    devices.array_module(array).copyto(array, value.reshape(()), "unsafe", where=mask)
    return True


@setitem.vjp("input")
def _(xp, g, index):
    return setitem.run(xp, g, xp.zeros((), dtype=g.dtype), index)


@setitem.vjp("value")
def _(xp, g, index, value_shape):
    d = getitem.run(xp, g, index)
    if len(value_shape) > len(d.shape):  # leading dims of size 1
        d = xp.reshape(d, (1,) * (len(value_shape) - len(d.shape)) + tuple(d.shape))
    # The value was broadcast to the selection. The engine would assume: to the result.
    return d if tuple(d.shape) == tuple(value_shape) else engine.unbroadcast(d, value_shape)


def write(tensor, key, value):
    """tensor[key] = value, in place."""
    basic, advanced = as_index(tensor, key)
    tensor._check_write("__setitem__")
    if not isinstance(value, graph.Tensor):
        value = as_value(value, tensor)
    value = value.to(device=tensor.device, dtype=tensor.dtype)
    if advanced is None:
        assign(tensor, value, "__setitem__", basic)
        return
    view = tensor if basic is None else getitem(tensor, basic)
    _written(view._array, advanced, value._array)
    view._note_write("__setitem__", value._array, advanced)
    if (view._node is not None or value._node is not None) and mode.enabled:
        view._overwritten(setitem.op.leave_node(
            (view._node, value._node), view, index=copied(advanced),
            value_shape=value._array.shape))


def assign(tensor, value, name, index=(Ellipsis,)):
    """Writes `value`, broadcast, into a Tensor where the basic `index` selects."""
    _written(tensor._array, index, value._array)
    tensor._note_write(name, value._array, index)
    if tensor._node is None and value._node is None or not mode.enabled:
        return
    if tensor._base is None:  # the index says where; for a view its layout in the base has to
        tensor._rebase(setitem.op.leave_node(
            (tensor._node, value._node), tensor, index=index, value_shape=value._array.shape))
        return
    window = tensor._array[index]
    shape = tuple(window.shape)
    if value._node is not None and tuple(value._array.shape) != shape:
        extra = max(value._array.ndim - len(shape), 0)  # leading dims of size 1
        value = broadcast_to(reshape(value, value._array.shape[extra:]), shape)
    tensor._overwritten(value._node, window)


def as_value(value, tensor, name="__setitem__"):
    """A number, list or array as a Tensor of the dtype of `tensor`."""
    if devices.is_array(value):
        return graph.tensor_of(devices.plain_array(value), None)
    wanted = tensor.dtype.numpy
    if wanted.kind in "iu":
        array = dtypes.checked_range(name, numpy.asarray(value), wanted).astype(wanted)
    else:
        array = numpy.asarray(value, dtype=wanted)
    return graph.tensor_of(array, None)


# ---------------------------------------------------------------- by positions along a dim


def check_labels(name, index, size):
    """Checks that positions are integers in [0, size - 1]."""
    need_integers(name, index._array)
    check_range(index._array, 0, size - 1, lambda position: IndexError(
        f"{name}: position {position} is out of range: it must be in [0, {size - 1}]"))


def raw(index):
    """The array of an index that is a Tensor while a backward pass is recorded."""
    return index._array if isinstance(index, graph.Tensor) else index


def along(index, shape, dim):
    """The index arrays of all dims for an `index` along one dim, as in take_along_axis.

    Along the other dims they are 0, 1, 2, ..., shaped to broadcast.
    """
    (axis,) = axes(dim, len(shape))
    xp = devices.array_module(index)
    return tuple(
        index if i == axis else xp.reshape(xp.arange(n), (-1, *[1] * (len(shape) - 1 - i)))
        for i, n in enumerate(shape))


@op(contiguous=True, positions=("indices",), samples=[
    S(t(3, 4), ints(3, 2, high=4), 1), S(t(3, 4), ints(2, 4, high=3), 0),
    S(t(3), ints(5, high=3), 0), S(t(3, 4), ints(6, high=12)), S(t(3, 4), ints(1, 2, high=4), -1),
    S(t(1, 4), ints(3, 2, high=4), 1), S(t(2, 3), ints(2, 0), 1)],
    array_names=("take_along_axis",))
def take_along_dim(xp, input: Array, indices: Array, dim: int | None = None):
    """The elements at `indices` along `dim`, of the flattened input if it is None.

    Shapes: (*, n, *), (*, k, *) -> (*, k, *); the other dims broadcast.

    Raises:
        IndexError: a position that does not exist.
        RuntimeError: shapes that do not broadcast; indices that are not integers.
    """
    need_integers("take_along_dim", indices)
    if dim is None:
        input, indices, dim = xp.reshape(input, (-1,)), xp.reshape(indices, (-1,)), 0
    if len(indices.shape) != len(input.shape):
        raise RuntimeError(f"take_along_dim: input {tuple(input.shape)} and indices "
                           f"{tuple(indices.shape)} must have equally many dimensions")
    (axis,) = axes(dim, len(input.shape)) or (0,)
    for i, sizes in enumerate(zip(input.shape, indices.shape, strict=True)):
        if i != axis and sizes[0] != sizes[1] and 1 not in sizes:
            raise RuntimeError(f"take_along_dim: input {tuple(input.shape)} and indices "
                               f"{tuple(indices.shape)} do not broadcast: their sizes at dimension "
                               f"{i} must be equal, or one of them 1")
    check_positions("take_along_dim", indices, input.shape, axis)
    return input[along(indices, input.shape, dim)]


@take_along_dim.vjp("input")
def _(xp, g, indices, input_shape, dim):
    indices = raw(indices)
    if dim is None:
        flat = put_zeros.run(xp, g, (math.prod(input_shape),), (indices.reshape(-1),))
        return xp.reshape(flat, input_shape)
    return put_zeros.run(xp, g, input_shape, along(indices, input_shape, dim))


# ---------------------------------------------------------------- by masks


@op(promotes="common", promoted=("input", "other"), array_names=("where",), method=False, samples=[
    S(bools(2, 3), t(2, 3), t(2, 3)), S(bools(2, 1), t(3), t()), S(bools(3), t(3), 1.5),
    S(bools(3), 0.5, t(3)), S(bools(3), 0.5, 1), S(bools(0, 3), t(3), t(1, 3)),
    S(bools(3), ints(3), t(3))])
def where(xp, condition: Array, input: Array, other: Array):
    """`input` where the condition is True, `other` elsewhere. where(condition) alone gives the
    indices of nonzero elements, a Tensor for each dim.

    Shapes: three (*) -> the broadcast shape.
    """
    return xp.where(condition, input, other)


where.vjp(
    input=lambda xp, g, condition: masked(xp, g, condition),
    other=lambda xp, g, condition: masked(xp, g, xp.logical_not(condition)),
)


@where.public
def where_or_positions(condition: Tensor, input: Tensor | float | None = None,
                       other: Tensor | float | None = None):
    """`input` where the condition is True, `other` elsewhere. where(condition) alone gives the
    indices of nonzero elements, a Tensor for each dim.

    Shapes: three (*) -> the broadcast shape; alone (*) -> as many (n) as it has dims, int64.

    Raises:
        RuntimeError: a condition that is neither bool nor uint8.
        TypeError: only one of input and other.
    """
    if input is None and other is None:
        return condition.nonzero(as_tuple=True)
    if input is None or other is None:
        raise TypeError("where: give both input and other, or neither")
    if condition.dtype is dtypes.uint8:  # the masks of before PyTorch 1.2
        condition = condition.bool()
    if condition.dtype is not dtypes.bool_:
        raise RuntimeError(f"where: the condition must be bool, got {condition.dtype}; compare, "
                           "or convert it with .bool()")
    if not isinstance(input, graph.Tensor) and is_number(input) and is_number(other):
        number = python_number(input)
        input = condition.new_full((), number, dtype=dtypes.of_number(number))
    return where(condition, input, other)


def where_method(input, condition, other):
    """The input where the condition is True, `other` elsewhere: x.where(condition, other)."""
    return where_or_positions(condition, input, other)


@op(promotes="common", promoted=("input", "value"), inplace=True, samples=[
    S(t(2, 3), bools(2, 3), 1.5), S(t(2, 3), bools(3), -1.0), S(t(3), bools(2, 3), 1),
    S(t(2, 3), bools(2, 1), t()), S(ints(4), bools(4), 2), S(ints(4), bools(4), 2.7),
    S(t(), bools(), -1.0), S(bools(3), bools(3), True), S(t(0, 3), bools(3), 0.0)])
def masked_fill(xp, input: Array, mask: Array, value: Array):
    """`value`, a number or a 0-d Tensor, where the mask is True, the input elsewhere.

    Shapes: (*), (*), () -> the broadcast shape.

    Raises:
        RuntimeError: a mask that is not bool, a value with dims.
    """
    # A masked copy takes half the time of `where`.
    out = xp.broadcast_to(input, numpy.broadcast_shapes(input.shape, mask.shape)).copy()
    xp.copyto(out, value, where=mask)
    return out


masked_fill.vjp(
    input=lambda xp, g, mask: masked(xp, g, xp.logical_not(mask)),
    value=lambda xp, g, mask: masked(xp, g, mask),
)


@masked_fill.public
def masked_fill_as(input: Tensor, mask: Tensor, value: Tensor | float) -> Tensor:
    """`value`, a number or a 0-d Tensor, where the mask is True, the input elsewhere.

    Shapes: (*), (*), () -> the broadcast shape; the dtype is the input's.

    Raises:
        RuntimeError: a mask that is not bool, a value with dims.
    """
    if mask.dtype is not dtypes.bool_:
        raise RuntimeError(f"masked_fill: the mask must be bool, got {mask.dtype}; "
                           "compare, or convert it with .bool()")
    return masked_fill(input, mask, fill_value("masked_fill", input, value))


def fill_value(name, input, value):
    """A number or 0-d Tensor in the dtype of `input`."""
    if isinstance(value, graph.Tensor):
        if value.ndim:
            raise RuntimeError(f"{name}: the value must be a number or a 0-d Tensor, got shape "
                               f"{tuple(value.shape)}; where(mask, value, input) takes others")
        return value.to(device=input.device, dtype=input.dtype)
    wanted = input._array.dtype
    if wanted.kind in "iu":
        return int(dtypes.checked_range(name, numpy.asarray(value), wanted).astype(wanted))
    return bool(value) if wanted.kind == "b" else value


# ---------------------------------------------------------------- splitting


def _axis(name, dim, input):
    """The axis to split along, in a tuple; checks that there is one."""
    if not input.ndim:
        raise IndexError(f"{name}: a 0-d Tensor has no dim to cut along")
    return axes(dim, input.ndim)


class SplitNode(graph.CustomNode):
    """What all pieces of a Tensor were made by: backward puts their gradients side by side.

    That is one array. A node for each piece would make one as large as the whole for each.
    """

    def name(self):
        return f"{self.op.name.capitalize()}Backward0"

    def backward(self, xp, g, sums, parents):
        (parent,) = parents or self.parents
        if parent is not None:
            dtype = next(d for d in g if d is not None).dtype
            sums.add(parent, self.join([xp.zeros(shape, dtype=dtype) if d is None else d
                                        for d, shape in zip(g, self.shapes, strict=True)], xp))


def in_pieces(name, input, indices, join):
    """The views input[index]; `join(pieces, xp)` concatenates all of them."""
    pieces = tuple(getitem(input, index) for index in indices)
    if len(pieces) < 2 or pieces[0]._node is None:
        return pieces
    node = SplitNode(name, (input._node,), outputs=range(len(pieces)), same_place=pieces[0]._node)
    node.shapes, node.join = [piece._array.shape for piece in pieces], join
    for i, piece in enumerate(pieces):
        piece._node = graph.pick(node, i, piece._array)
    return pieces


def _sections(size, chunk):
    return [slice(start, min(start + chunk, size)) for start in range(0, max(size, 1), chunk)]


@composed(aliases=("split_with_sizes", "unsafe_split", "unsafe_split_with_sizes"), keywords={
    "tensor": "input", **dict.fromkeys(("split_size", "split_sizes"), "split_size_or_sections")},
    samples=[S(t(5, 2), 2), S(t(5, 2), [1, 4]), S(t(2, 6), 3, dim=1),
             S(t(2, 6), (2, 0, 4), -1), S(t(0, 2), 0), S(t(3), 5)])
def split(input: Tensor, split_size_or_sections: int | Sequence[int],
          dim: int = 0) -> tuple[Tensor, ...]:
    """Pieces of one size (the last may be smaller), or of the given sizes, as views.

    Shapes: (n, *) -> (n1, *), (n2, *), ...
    """
    (axis,) = _axis("split", dim, input)
    size, wanted = input._array.shape[axis], split_size_or_sections
    if is_integer(wanted):
        wanted = integer("split: split_size", wanted)
        if wanted < 1 and not (wanted == size == 0):
            raise RuntimeError(f"split: the size of a piece must be positive, got {wanted}")
        slices = _sections(size, max(wanted, 1))
    else:
        wanted = integers("split: split_sizes", wanted)
        if sum(wanted) != size or min(wanted, default=0) < 0:
            raise RuntimeError(f"split: sizes {list(wanted)} do not add up to {size}, the size of "
                               f"dim {dim} of {tuple(input.shape)}")
        ends = numpy.cumsum([0, *wanted]).tolist()
        slices = [slice(a, b) for a, b in itertools.pairwise(ends)]
    return in_pieces("split", input, [(*[WHOLE] * axis, s) for s in slices],
                     lambda pieces, xp: xp.concatenate(pieces, axis) if xp is graph.tensors
                     else cat.op.forward_on(xp, pieces, axis))


@composed(aliases=("unsafe_chunk",), samples=[
    S(t(5, 2), 2), S(t(2, 6), 3, dim=1), S(t(2), 5), S(t(0, 2), 3)])
def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """At most `chunks` pieces of equal size (the last may be smaller), as views.

    Shapes: (n, *) -> (m, *), (m, *), ...
    """
    chunks = integer("chunk: chunks", chunks)
    if chunks < 1:
        raise RuntimeError(f"chunk: the number of chunks must be positive, got {chunks}")
    (axis,) = _axis("chunk", dim, input)
    size = input._array.shape[axis]
    return split(input, -(-size // chunks) if size else [0] * chunks, dim)


@composed(samples=[S(t(3, 2)), S(t(2, 3), 1), S(t(3), -1), S(t(0, 3))])
def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """The slices along a dim, without it, as views. Shapes: (n, *) -> n times (*)."""
    (axis,) = _axis("unbind", dim, input)
    return in_pieces("unbind", input,
                     [(*[WHOLE] * axis, i, Ellipsis) for i in range(input._array.shape[axis])],
                     lambda pieces, xp: xp.stack(pieces, axis))


@op(array_names=("flip",), varargs="dims", samples=[S(t(2, 3), (0,)), S(t(2, 3), (0, -1)),
                                                               S(t(2, 3), ())])
def flip(xp, input: Array, dims: int | Sequence[int]):
    """The order along `dims` reversed, as a copy. Shapes: (*) -> (*)."""
    dims = integers("flip: dims", dims)
    over = axes(dims, input.ndim) if dims else ()  # to `axes`, no dims are all of them
    return xp.flip(input, axis=over).copy()


flip.vjp(input=lambda xp, g, dims: flip.run(xp, g, dims))
