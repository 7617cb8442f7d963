"""Arrays that share memory: which ones do, and how copies of them share memory again."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy

from ..arrays.devices import array_module, device_of
from ..arrays.meta import is_meta
from ..autograd.versions import owner

Array = Any

ALIGNMENT = 16  # bytes, as NumPy's allocations
SPARSENESS = 4  # a shared memory may be that many times as large as what is stored of it
WORK: Any = 10_000  # candidates for a common byte that are tried
PAIRS = 100_000  # that are compared element by element; more take too long


class Member(NamedTuple):
    """An array of a shared memory: where its first element is, in bytes, and its strides."""

    name: str
    offset: int
    strides: tuple[int, ...]


class Shared(NamedTuple):
    """A piece of memory of `size` bytes and the arrays in it."""

    size: int
    members: list[Member]


class Span(NamedTuple):
    """The bytes from the lowest to the highest one of an array."""

    device: str
    low: int
    high: int
    name: str


# ---------------------------------------------------------------- one array


def address(array: Array) -> int:
    """The address of the first element."""
    if hasattr(array, "__array_interface__"):
        return int(array.__array_interface__["data"][0])
    return int(array.data.ptr)


def bounds(shape: tuple[int, ...], strides: tuple[int, ...], itemsize: int) -> tuple[int, int]:
    """The distances in bytes from the first element to the lowest byte, and past the highest."""
    steps = [(size - 1) * step for size, step in zip(shape, strides, strict=True)]
    return sum(min(0, step) for step in steps), sum(max(0, step) for step in steps) + itemsize


def placed(memory: Array, shape: tuple[int, ...], strides: tuple[int, ...], dtype: Any,
           offset: int) -> Array:
    """The array at an offset in `memory`, a flat array of bytes. The caller checks the bounds.

    As `expand` makes it, an array that repeats elements cannot be written.
    """
    xp = array_module(memory)
    first = memory[offset:offset + dtype.itemsize].view(dtype)
    distinct = tuple(1 if step == 0 else size for size, step in zip(shape, strides, strict=True))
    array = xp.lib.stride_tricks.as_strided(first, distinct, strides)
    return array if distinct == tuple(shape) else xp.broadcast_to(array, shape)


def deep_copied(array: Array, memo: dict[int, Any]) -> Array:
    """A copy of the array, in a copy of the whole memory that it is a view of.

    `memo` is that of `copy.deepcopy`: it holds the copies of memories by the id of their owner.
    """
    if is_meta(array):
        return array.copy()
    whole = owner(array)
    dense = whole.flags.c_contiguous or whole.flags.f_contiguous
    if not array.size or not dense or array.dtype.hasobject:
        return array.copy()
    if id(whole) not in memo:
        memo[id(whole)] = whole.copy(order="K")
        # As copy.deepcopy does: the id must not be used again while the memo lives.
        memo.setdefault(id(memo), []).append(whole)  # type: ignore[attr-defined]
    copy = memo[id(whole)]
    if whole is array:
        return copy
    offset = address(array) - address(whole)
    return placed(copy.ravel("K").view("uint8"), array.shape, array.strides, array.dtype, offset)


# ---------------------------------------------------------------- many arrays


def shared_memories(arrays: dict[str, Array]) -> tuple[list[Shared], list[str]]:
    """The memories of which several of the arrays show the same part, and the names of arrays that
    share elements of a memory too sparse to be kept.

    Arrays whose spans overlap are one memory, if it is not much larger than the arrays. Two columns
    of a matrix overlap in this sense and share no element, which does no harm.
    """
    memories, sparse = [], []
    for spans in _overlapping(arrays):
        if _is_dense(spans, arrays):
            memories.append(_shared(spans, arrays))
            continue
        for part in _sharing_elements(spans, arrays):
            if _is_dense(part, arrays):
                memories.append(_shared(part, arrays))
            else:
                sparse += [span.name for span in part]
    return memories, sparse


def _overlapping(arrays: dict[str, Array]) -> list[list[Span]]:
    """Groups of two spans or more, each of which overlaps another of its group."""
    spans = []
    for name, array in arrays.items():
        if array.size:
            low, high = (0, array.nbytes) if array.flags.c_contiguous else bounds(
                array.shape, array.strides, array.itemsize)
            first = address(array)
            where = "cpu" if isinstance(array, numpy.ndarray) else str(device_of(array))
            spans.append(Span(where, first + low, first + high, name))
    groups: list[list[Span]] = []
    device, end = "", 0
    for span in sorted(spans):
        if span.device == device and span.low < end:
            groups[-1].append(span)
        else:
            groups.append([span])
            end = 0
        device, end = span.device, max(end, span.high)
    return [group for group in groups if len(group) > 1]


def _sharing_elements(spans: list[Span], arrays: dict[str, Array]) -> list[list[Span]]:
    """The spans whose arrays have elements in common, in groups."""
    if len(spans) ** 2 > 2 * PAIRS:
        return [spans]
    groups: list[list[Span]] = []
    for span in spans:
        touching = [group for group in groups
                    if any(_share(arrays[span.name], arrays[other.name]) for other in group)]
        groups = [group for group in groups if group not in touching]
        groups.append([span, *(other for group in touching for other in group)])
    return [group for group in groups if len(group) > 1]


def _share(a: Array, b: Array) -> bool:
    """Whether two arrays, also of a GPU, have bytes in common; True if that is hard to say."""
    try:
        return bool(numpy.shares_memory(_layout(a), _layout(b), max_work=WORK))
    except numpy.exceptions.TooHardError:
        return True


def _layout(array: Array) -> Any:
    """An array at the same address, which is not read."""
    return numpy.asarray(SimpleNamespace(__array_interface__={
        "version": 3, "typestr": array.dtype.str, "shape": array.shape, "strides": array.strides,
        "data": (address(array), True)}))


def _is_dense(spans: list[Span], arrays: dict[str, Array]) -> bool:
    low = min(span.low for span in spans)
    size = max(span.high for span in spans) - low + ALIGNMENT
    stored = sum(arrays[span.name].nbytes for span in spans)
    return fits(size, stored) and all(
        (address(arrays[span.name]) - low // ALIGNMENT * ALIGNMENT) % arrays[span.name].itemsize
        == 0 for span in spans)


def fits(size: int, stored: int) -> bool:
    """Whether a memory is not much larger than what is stored of it."""
    return size <= SPARSENESS * stored + 2 * ALIGNMENT


def _shared(spans: list[Span], arrays: dict[str, Array]) -> Shared:
    start = min(span.low for span in spans) // ALIGNMENT * ALIGNMENT
    return Shared(max(span.high for span in spans) - start, [
        Member(span.name, address(arrays[span.name]) - start, arrays[span.name].strides)
        for span in spans])


# ---------------------------------------------------------------- shared again


def restore(shared: Shared, arrays: dict[str, Array]) -> Array:
    """A memory with the values of the arrays: a flat array of bytes.

    Raises:
        ValueError: an array does not fit into the memory, or the memory is too large.
    """
    names = [member.name for member in shared.members]
    if len(set(names)) < len(names):
        raise ValueError("a shared memory has an array twice")
    if not fits(shared.size, sum(arrays[name].nbytes for name in names)):
        raise ValueError(f"a shared memory of {shared.size} bytes is much larger than its arrays")
    for name, offset, strides in shared.members:
        array = arrays[name]
        low, high = bounds(array.shape, strides, array.itemsize)
        if offset + low < 0 or offset + high > shared.size or not array.size:
            raise ValueError(f"{name!r} is outside of its shared memory")
        if any(step % array.itemsize for step in (offset, *strides)):
            raise ValueError(f"{name!r} is not aligned in its shared memory")
    memory = numpy.zeros(shared.size, numpy.uint8)
    for name, offset, strides in shared.members:
        array = arrays[name]
        once = tuple(slice(0, 1) if step == 0 else slice(None) for step in strides)
        placed(memory, array[once].shape, strides, array.dtype, offset)[...] = array[once]
    return memory


def taken_from(memory: Array, shared: Shared, arrays: dict[str, Array]) -> dict[str, Array]:
    """The arrays in a restored memory, which may have moved to another device."""
    return {name: placed(memory, arrays[name].shape, strides, arrays[name].dtype, offset)
            for name, offset, strides in shared.members}
