"""The memory of Tensors as the transports use it, and how a collective runs on it.

Contiguous Tensors are used in place. Others, and Tensors on a GPU without NCCL, are copied.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy

from ..arrays import dtypes
from ..arrays.devices import array_module, synchronize, to_numpy
from ..autograd.versions import note_write
from ..tensors.tensor import Tensor
from . import mpi
from .monitor import Call, watcher
from .operations import BITWISE, ReduceOp
from .process_group import ProcessGroup
from .work import Work, failed

CUDA_AWARE = "TINYTENSOR_CUDA_AWARE_MPI"  # "1": MPI can read and write the memory of GPUs


def run(call: Call, async_op: bool, launch: Callable[[bool], Any],
        finish: Sequence[Callable[[], None]], results: Sequence[Tensor]) -> Work | None:
    """Starts a collective; waits for it unless it is asynchronous."""
    try:
        if async_op:
            return Work(call, launch(False), finish, results, launch)
        watcher.call = call
        try:
            launch(True)
        finally:
            watcher.call = None
    except (TypeError, ValueError, RuntimeError) as error:
        if not isinstance(error, mpi.library().Exception):
            raise
        raise failed(call, error) from error
    for step in finish:
        step()
    return None


# ---------------------------------------------------------------- the arrays of Tensors


def array_of(name: str, tensor: Any) -> Any:
    """
    Raises:
        TypeError: not a Tensor.
    """
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{name}: expected a Tensor, got {type(tensor).__name__}")
    return tensor._array


def readable(group: ProcessGroup, array: Any) -> Any:
    """The elements as a contiguous array that the transport can read."""
    if array.__class__ is not numpy.ndarray and group.on_mpi(array):
        if os.environ.get(CUDA_AWARE) != "1":
            array = to_numpy(array)
        synchronize()  # MPI does not know of streams
    return array if array.flags.c_contiguous else array.copy("C")


def writable(group: ProcessGroup, array: Any) -> Any:
    """A contiguous array of this shape for a result: the array itself if the transport can."""
    if array.__class__ is not numpy.ndarray and group.on_mpi(array):
        synchronize()  # the memory may still be read by earlier work
        if os.environ.get(CUDA_AWARE) != "1":
            return numpy.empty(array.shape, array.dtype)
    if array.flags.c_contiguous:
        return array
    return array_module(array).empty(array.shape, array.dtype)


def written_back(array: Any, used: Any, tensor: Tensor, name: str) -> list[Callable[[], None]]:
    """What writes the result into the Tensor after the transport.

    Raises:
        RuntimeError: the memory is read-only.
    """
    if not getattr(array.flags, "writeable", True):  # CuPy's arrays all are
        raise RuntimeError(f"{name}: the result cannot be written into this Tensor, whose memory "
                           "belongs to an array that is not writable; clone() it first")
    if not tensor._unnoted:
        note_write(array, name)
    return [] if used is array else [lambda: copy_into(array, used)]


def copy_into(array: Any, values: Any) -> None:
    array[...] = array_module(array).asarray(values).reshape(array.shape)


def averaged(array: Any, size: int) -> Callable[[], None]:
    def divide() -> None:
        array[...] = array / size

    return divide


def for_reduction(name: str, group: ProcessGroup, array: Any, op: ReduceOp,
                  ) -> tuple[Any, ReduceOp]:
    """An array that the transport can add up, and the operation on it.

    Raises:
        TypeError: `op` is no ReduceOp, or needs another dtype.
    """
    if not isinstance(op, ReduceOp):
        raise TypeError(f"{name}: op must be a ReduceOp, such as distributed.ReduceOp.SUM, got "
                        f"{op!r}")
    floating = dtypes.is_floating(array.dtype)
    if op is ReduceOp.AVG and not floating:
        raise TypeError(f"{name}: AVG needs a floating point dtype, got {array.dtype}; use SUM")
    if floating and op in BITWISE:
        raise TypeError(f"{name}: {op.name} needs integers or bools, got {array.dtype}")
    if group.on_mpi(array):
        return mpi.reducible(array, op)
    return array, op


def result_of(used: Any, reduced: Any) -> Any:
    """The array with the result: of bools, that of which `reduced` shows the memory."""
    return reduced if dtypes.is_floating(reduced.dtype) else used


def same_sizes(name: str, tensors: Sequence[Tensor], count: int, like: Tensor | None) -> None:
    """
    Raises:
        ValueError: a list has not one Tensor for each rank.
        TypeError: a Tensor has another dtype; a Tensor in place of a list.
    """
    if isinstance(tensors, Tensor):
        raise TypeError(f"{name}: expected a list with a Tensor for each rank, got a Tensor")
    if len(tensors) != count:
        raise ValueError(f"{name}: the list has {len(tensors)} Tensors; it must have one for each "
                         f"of the {count} ranks")
    for i, tensor in enumerate(tensors):
        array_of(name, tensor)
        if like is not None and tensor.dtype is not like.dtype:
            raise TypeError(f"{name}: Tensor {i} of the list is {tensor.dtype}, the other Tensor "
                            f"{like.dtype}; they must have the same dtype")


def joined_array(group: ProcessGroup, tensors: Sequence[Tensor]) -> Any:
    """The elements of all Tensors in one contiguous array."""
    arrays = [readable(group, t._array).reshape(-1) for t in tensors]
    return array_module(*arrays).concatenate(arrays)


def apart(joined: Any, tensors: Sequence[Tensor]) -> None:
    """Copies consecutive parts of an array into the Tensors."""
    start = 0
    for tensor in tensors:
        stop = start + tensor._array.size
        copy_into(tensor._array, joined[start:stop])
        start = stop


def noted(tensors: Sequence[Tensor], name: str) -> None:
    for tensor in tensors:
        if not tensor._unnoted:
            note_write(tensor._array, name)
