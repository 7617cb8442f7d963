"""default_collate and default_convert: from samples to a batch."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any

import numpy

from ... import ops
from ...arrays import dtypes
from ...tensors.creation import as_tensor, from_numpy, tensor
from ...tensors.tensor import Tensor

stack: Any = ops.names_for("")["stack"]


def default_collate(batch: Sequence[Any]) -> Any:
    """A batch from a list of samples with the same structure.

    Tensors, NumPy arrays and numbers are stacked along a new first dim (Python floats as float64,
    as in PyTorch). Strings stay a list. The fields of dicts, namedtuples, lists and tuples are
    collated separately; the container keeps its type, but a tuple becomes a list.

    Raises:
        RuntimeError: shapes or lengths differ; the message names the samples.
        TypeError: samples of an unsupported type.
    """
    return _collate(batch, "")


def _collate(batch: Sequence[Any], where: str) -> Any:
    """`where` is the path of these values within a sample, for messages: "['x'][0]"."""
    first = batch[0]
    if isinstance(first, Tensor):
        return _stack(batch, where)
    if isinstance(first, numpy.ndarray):
        if first.dtype.kind in "SUO":
            raise _unknown(first.dtype, where)
        return _stack_arrays(batch, where)
    if isinstance(first, float) and not isinstance(first, numpy.generic):
        return tensor(batch, dtype=dtypes.float64)
    if isinstance(first, int | numpy.number | numpy.bool_):
        return tensor(batch)
    if isinstance(first, str | bytes):
        return batch
    if isinstance(first, Mapping):
        return _rebuilt(first, {key: _collate(_values(batch, key, where), f"{where}[{key!r}]")
                                for key in first})
    if isinstance(first, Sequence):
        lengths = [len(sample) for sample in batch]
        if len(set(lengths)) > 1:
            raise RuntimeError("default_collate: each element in list of batch should be of equal "
                               f"size; the lengths{_at(where)} are {_positions(lengths)}")
        fields = [_collate(values, f"{where}[{i}]")
                  for i, values in enumerate(zip(*batch, strict=True))]
        if hasattr(first, "_fields"):
            return type(first)(*fields)
        return fields if isinstance(first, tuple) else _rebuilt(first, fields)
    raise _unknown(type(first).__name__, where)


def _stack(tensors: Sequence[Tensor], where: str) -> Tensor:
    _check_shapes(tensors, where)
    return stack(list(tensors))


def _stack_arrays(arrays: Sequence[Any], where: str) -> Tensor:
    if {(type(a), getattr(a, "dtype", None)) for a in arrays} == {(numpy.ndarray, arrays[0].dtype)}:
        _check_shapes(arrays, where)
        return from_numpy(numpy.stack(arrays))  # many times faster than one Tensor per sample
    return _stack([as_tensor(array) for array in arrays], where)


def _check_shapes(samples: Sequence[Any], where: str) -> None:
    shapes = [tuple(sample.shape) for sample in samples]
    if len(set(shapes)) > 1:
        raise RuntimeError(f"default_collate: stack expects each tensor to be equal size, but the "
                           f"shapes{_at(where)} are {_positions(shapes)}; bring the samples to one "
                           "shape, or give a collate_fn that pads")


def _values(batch: Sequence[Any], key: Any, where: str) -> list[Any]:
    for position, sample in enumerate(batch):
        if key not in sample:
            raise KeyError(f"default_collate: sample {position} has no key {key!r}{_at(where)}, "
                           "but the first sample has; all samples must have the same keys")
    return [sample[key] for sample in batch]


def _positions(values: Sequence[Any]) -> str:
    """The positions of each value: "(2,) at 0, 1 and (3,) at 2"."""
    by_value: dict[Any, list[int]] = {}
    for position, value in enumerate(values):
        by_value.setdefault(value, []).append(position)
    return " and ".join(f"{value} at {', '.join(map(str, at[:5]))}{', ...' if at[5:] else ''}"
                        for value, at in by_value.items())


def _at(where: str) -> str:
    return f" of sample{where}" if where else ""


def _unknown(kind: Any, where: str) -> TypeError:
    return TypeError("default_collate: batch must contain tensors, numpy arrays, numbers, dicts or "
                     f"lists; found {kind}{_at(where)}; give a collate_fn for it")


def default_convert(data: Any) -> Any:
    """A sample with its NumPy arrays and scalars converted to Tensors."""
    if isinstance(data, numpy.ndarray | numpy.generic) and data.dtype.kind not in "SUO":
        return as_tensor(data)
    if isinstance(data, Mapping):
        return _rebuilt(data, {key: default_convert(value) for key, value in data.items()})
    if isinstance(data, Sequence) and not isinstance(data, str | bytes):
        fields = [default_convert(value) for value in data]
        if hasattr(data, "_fields"):
            return type(data)(*fields)
        return fields if isinstance(data, tuple) else _rebuilt(data, fields)
    return data


def _rebuilt(like: Any, values: Any) -> Any:
    """A container of the type of `like` with these values; `values` itself if that fails."""
    make: Callable[..., Any] = type(like)
    try:
        if not isinstance(like, MutableMapping | MutableSequence):
            return make(values)
        rebuilt = copy.copy(like)
        for key in (values if isinstance(values, dict) else range(len(values))):
            rebuilt[key] = values[key]
        return rebuilt
    except TypeError:
        return values


def pinned(batch: Any) -> Any:
    """The batch with all its Tensors in pinned memory.

    An object of another type that has a method `pin_memory` is replaced by its result.
    """
    if isinstance(batch, Tensor):
        return batch if batch.is_cuda else batch.pin_memory()
    if isinstance(batch, str | bytes):
        return batch
    if isinstance(batch, Mapping):
        return _rebuilt(batch, {key: pinned(value) for key, value in batch.items()})
    if isinstance(batch, tuple):
        fields = map(pinned, batch)
        return type(batch)(*fields) if hasattr(batch, "_fields") else tuple(fields)
    if hasattr(batch, "pin_memory"):
        return batch.pin_memory()
    if isinstance(batch, Sequence):
        return _rebuilt(batch, [*map(pinned, batch)])
    return batch
