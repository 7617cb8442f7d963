"""The collectives, under the names and with the arguments of `torch.distributed`.

All ranks of a group call the same ones in the same order. Results are written into the given
Tensors. Contiguous Tensors are used in place. Others, and Tensors on a GPU without NCCL, are
copied.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy

from ..arrays import dtypes
from ..arrays.devices import array_module, synchronize, to_numpy
from ..autograd.versions import note_write
from ..tensors.tensor import Tensor
from . import groups, mpi
from .groups import Group, ProcessGroup, member, resolve
from .monitor import Call, watcher
from .operations import ReduceOp
from .work import Work, failed

CUDA_AWARE = "TINYTENSOR_CUDA_AWARE_MPI"  # "1": MPI can read and write the memory of GPUs


def _run(call: Call, async_op: bool, launch: Callable[[bool], Any],
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


def _array(name: str, tensor: Any) -> Any:
    """
    Raises:
        TypeError: not a Tensor.
    """
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{name}: expected a Tensor, got {type(tensor).__name__}")
    return tensor._array


def _readable(group: ProcessGroup, array: Any) -> Any:
    """The elements as a contiguous array that the transport can read."""
    if array.__class__ is not numpy.ndarray and group.on_mpi(array):
        if os.environ.get(CUDA_AWARE) != "1":
            array = to_numpy(array)
        synchronize()  # MPI does not know of streams
    return array if array.flags.c_contiguous else array.copy("C")


def _writable(group: ProcessGroup, array: Any) -> Any:
    """A contiguous array of this shape for a result: the array itself if the transport can."""
    if array.__class__ is not numpy.ndarray and group.on_mpi(array):
        synchronize()  # the memory may still be read by earlier work
        if os.environ.get(CUDA_AWARE) != "1":
            return numpy.empty(array.shape, array.dtype)
    if array.flags.c_contiguous:
        return array
    return array_module(array).empty(array.shape, array.dtype)


def _back(array: Any, used: Any, tensor: Tensor, name: str) -> list[Callable[[], None]]:
    """What writes the result into the Tensor after the transport."""
    if not tensor._unnoted:
        note_write(array, name)
    return [] if used is array else [lambda: _copy(array, used)]


def _copy(array: Any, values: Any) -> None:
    array[...] = array_module(array).asarray(values).reshape(array.shape)


def _averaged(array: Any, size: int) -> Callable[[], None]:
    def divide() -> None:
        array[...] = array / size

    return divide


def _for_reduction(name: str, group: ProcessGroup, array: Any, op: ReduceOp,
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
    if op in (ReduceOp.BAND, ReduceOp.BOR, ReduceOp.BXOR) and floating:
        raise TypeError(f"{name}: {op.name} needs integers or bools, got {array.dtype}")
    if group.on_mpi(array):
        return mpi.reducible(array, op)
    return array, op


def _result(used: Any, reduced: Any) -> Any:
    """The array with the result: of bools, that of which `reduced` shows the memory."""
    return reduced if dtypes.is_floating(reduced.dtype) else used


def _same_sizes(name: str, tensors: Sequence[Tensor], count: int, like: Tensor | None) -> None:
    """
    Raises:
        ValueError: a list has not one Tensor for each rank.
        TypeError: a Tensor has another dtype.
    """
    if len(tensors) != count:
        raise ValueError(f"{name}: the list has {len(tensors)} Tensors; it must have one for each "
                         f"of the {count} ranks")
    for i, tensor in enumerate(tensors):
        _array(name, tensor)
        if like is not None and tensor.dtype is not like.dtype:
            raise TypeError(f"{name}: Tensor {i} of the list is {tensor.dtype}, the other Tensor "
                            f"{like.dtype}; they must have the same dtype")


def _joined(group: ProcessGroup, tensors: Sequence[Tensor]) -> Any:
    """The elements of all Tensors in one contiguous array."""
    arrays = [_readable(group, t._array).reshape(-1) for t in tensors]
    return array_module(*arrays).concatenate(arrays)


def _apart(joined: Any, tensors: Sequence[Tensor]) -> None:
    """Copies consecutive parts of an array into the Tensors."""
    start = 0
    for tensor in tensors:
        stop = start + tensor._array.size
        _copy(tensor._array, joined[start:stop])
        start = stop


def _noted(tensors: Sequence[Tensor], name: str) -> None:
    for tensor in tensors:
        if not tensor._unnoted:
            note_write(tensor._array, name)


# ---------------------------------------------------------------- collectives


def all_reduce(tensor: Tensor, op: ReduceOp = ReduceOp.SUM, group: Group = None,
               async_op: bool = False) -> Work | None:
    """Reduces the Tensors of all ranks, element by element; all get the result.

    Raises:
        TypeError: not a Tensor; `op` is no ReduceOp; AVG of integers, BAND of floats.
    """
    members = resolve("all_reduce", group)
    if members is None:
        return None
    array = _array("all_reduce", tensor)
    used = array if array.__class__ is numpy.ndarray and array.flags.c_contiguous \
        else _readable(members, array)
    reduced, by = _for_reduction("all_reduce", members, used, op)
    finish = _back(array, _result(used, reduced), tensor, "all_reduce")
    if op is ReduceOp.AVG:
        finish = [_averaged(reduced, members.size()), *finish]
    call, transport = members.begin(used, "all_reduce", array.shape, array.dtype, op.name)
    return _run(call, async_op,
                lambda blocking: transport.all_reduce(reduced, by, blocking),
                finish, (tensor,))


def reduce(tensor: Tensor, dst: int | None = None, op: ReduceOp = ReduceOp.SUM,
           group: Group = None, async_op: bool = False,
           group_dst: int | None = None) -> Work | None:
    """Reduces the Tensors of all ranks into that of rank `dst`; the others stay.

    Raises:
        TypeError: as for `all_reduce`.
        ValueError: `dst` is not in the group.
    """
    members = resolve("reduce", group)
    if members is None:
        return None
    root = member("reduce", members, dst, group_dst)
    array = _array("reduce", tensor)
    used = _readable(members, array)
    reduced, by = _for_reduction("reduce", members, used, op)
    finish: list[Callable[[], None]] = []
    if members.rank() == root:
        finish = _back(array, _result(used, reduced), tensor, "reduce")
        if op is ReduceOp.AVG:
            finish = [_averaged(reduced, members.size()), *finish]
    elif not members.on_mpi(used):
        reduced = reduced.copy()  # NCCL may write into it
    call, transport = members.begin(used, "reduce", array.shape, array.dtype, op.name, f"to {root}")
    return _run(call, async_op,
                lambda blocking: transport.reduce(reduced, by, root, blocking),
                finish, (tensor,))


def broadcast(tensor: Tensor, src: int | None = None, group: Group = None, async_op: bool = False,
              group_src: int | None = None) -> Work | None:
    """Copies the Tensor of rank `src` into those of all others.

    Raises:
        TypeError: not a Tensor.
        ValueError: `src` is not in the group.
    """
    members = resolve("broadcast", group)
    if members is None:
        return None
    root = member("broadcast", members, src, group_src)
    array = _array("broadcast", tensor)
    finish: list[Callable[[], None]] = []
    if members.rank() == root:
        used = _readable(members, array)
    else:
        used = _writable(members, array)
        finish = _back(array, used, tensor, "broadcast")
    call, transport = members.begin(used, "broadcast", array.shape, array.dtype, f"from {root}")
    return _run(call, async_op,
                lambda blocking: transport.broadcast(used, root, blocking),
                finish, (tensor,))


def all_gather(tensor_list: list[Tensor], tensor: Tensor, group: Group = None,
               async_op: bool = False) -> Work | None:
    """Copies the Tensor of each rank into the Tensor at its place in the list, on all ranks.

    The Tensors of the ranks may differ in shape; all ranks give the same list of shapes.

    Raises:
        ValueError: the list has not one Tensor for each rank, or that for this rank does not have
            as many elements as `tensor`.
        TypeError: the dtypes differ.
    """
    members = resolve("all_gather", group)
    if members is None:
        return None
    array = _array("all_gather", tensor)
    _same_sizes("all_gather", tensor_list, members.size(), tensor)
    sizes = [t._array.size for t in tensor_list]
    if sizes[members.rank()] != array.size:
        raise ValueError(f"all_gather: Tensor {members.rank()} of the list has shape "
                         f"{tuple(tensor_list[members.rank()].shape)}; that of this rank has "
                         f"{tuple(array.shape)}")
    used = _readable(members, array)
    joined = array_module(used).empty(sum(sizes), used.dtype)
    _noted(tensor_list, "all_gather")
    call, transport = members.begin(used, "all_gather", tuple(sizes), array.dtype)
    return _run(call, async_op,
                lambda blocking: transport.all_gather(joined, used, sizes, blocking),
                [lambda: _apart(joined, tensor_list)], tensor_list)


def all_gather_into_tensor(output_tensor: Tensor, input_tensor: Tensor, group: Group = None,
                           async_op: bool = False) -> Work | None:
    """Writes the Tensors of all ranks one after the other into one Tensor.

    Shapes: (N, *) -> (world size * N, *), or (world size, N, *).

    Raises:
        ValueError: the output does not have world size times as many elements.
        TypeError: the dtypes differ.
    """
    members = resolve("all_gather_into_tensor", group)
    if members is None:
        return None
    name, array, out = "all_gather_into_tensor", _array("all_gather_into_tensor", input_tensor), \
        _array("all_gather_into_tensor", output_tensor)
    _check_parts(name, output_tensor, input_tensor, members.size())
    used, written = _readable(members, array), _writable(members, out)
    sizes = [array.size] * members.size()
    call, transport = members.begin(used, name, array.shape, array.dtype)
    return _run(call, async_op,
                lambda blocking: transport.all_gather(written, used, sizes, blocking),
                _back(out, written, output_tensor, name), (output_tensor,))


all_gather_single = all_gather_into_tensor  # PyTorch's new name


def _check_parts(name: str, whole: Tensor, part: Tensor, count: int) -> None:
    if whole.dtype is not part.dtype:
        raise TypeError(f"{name}: the output is {whole.dtype}, the input {part.dtype}, or the "
                        "other way round; they must have the same dtype")
    if whole._array.size != count * part._array.size:
        raise ValueError(f"{name}: shapes {tuple(whole.shape)} and {tuple(part.shape)}: the first "
                         f"must have {count} times as many elements, one part for each rank")


def reduce_scatter(output: Tensor, input_list: list[Tensor], op: ReduceOp = ReduceOp.SUM,
                   group: Group = None, async_op: bool = False) -> Work | None:
    """Reduces the lists of all ranks; each rank gets the Tensor at its place in the result.

    Raises:
        ValueError: the list has not one Tensor for each rank, or that for this rank does not have
            as many elements as `output`.
        TypeError: the dtypes differ, or the operation needs another dtype.
    """
    members = resolve("reduce_scatter", group)
    if members is None:
        return None
    _array("reduce_scatter", output)
    _same_sizes("reduce_scatter", input_list, members.size(), output)
    sizes = [t._array.size for t in input_list]
    if sizes[members.rank()] != output._array.size:
        raise ValueError(f"reduce_scatter: Tensor {members.rank()} of the list has shape "
                         f"{tuple(input_list[members.rank()].shape)}, the output "
                         f"{tuple(output.shape)}")
    return _reduce_scatter("reduce_scatter", members, output, _joined(members, input_list), sizes,
                           op, async_op)


def reduce_scatter_tensor(output: Tensor, input: Tensor, op: ReduceOp = ReduceOp.SUM,
                          group: Group = None, async_op: bool = False) -> Work | None:
    """Reduces the inputs of all ranks; each rank gets one part of the result.

    Shapes: (world size * N, *) -> (N, *).

    Raises:
        ValueError: the input does not have world size times as many elements.
        TypeError: the dtypes differ, or the operation needs another dtype.
    """
    members = resolve("reduce_scatter_tensor", group)
    if members is None:
        return None
    array = _array("reduce_scatter_tensor", input)
    _array("reduce_scatter_tensor", output)
    _check_parts("reduce_scatter_tensor", input, output, members.size())
    sizes = [output._array.size] * members.size()
    return _reduce_scatter("reduce_scatter_tensor", members, output,
                           _readable(members, array).reshape(-1), sizes, op, async_op)


reduce_scatter_single = reduce_scatter_tensor  # PyTorch's new name


def _reduce_scatter(name: str, members: ProcessGroup, output: Tensor, given: Any,
                    sizes: list[int], op: ReduceOp, async_op: bool) -> Work | None:
    used, by = _for_reduction(name, members, given, op)
    out = output._array
    written = _writable(members, out)
    finish = _back(out, written, output, name)
    part = written
    if used.dtype != written.dtype:  # narrower ones in float32; bool as uint8
        part = array_module(used).empty(written.shape, used.dtype)
        finish = [lambda: _copy(written, part), *finish]
    if op is ReduceOp.AVG:
        finish = [_averaged(part, members.size()), *finish]
    call, transport = members.begin(used, name, tuple(sizes), output._array.dtype, op.name)
    return _run(call, async_op,
                lambda blocking: transport.reduce_scatter(part, used, by, sizes, blocking),
                finish, (output,))


def scatter(tensor: Tensor, scatter_list: list[Tensor] | None = None, src: int | None = None,
            group: Group = None, async_op: bool = False,
            group_src: int | None = None) -> Work | None:
    """Copies the Tensors of a list on rank `src`, by default 0, to the ranks, one to each.

    Raises:
        ValueError: on rank `src` the list is missing, or has not one Tensor of the shape of
            `tensor` for each rank; on another rank there is a list.
        TypeError: the dtypes differ.
    """
    members = resolve("scatter", group)
    if members is None:
        return None
    root = member("scatter", members, src, group_src, 0)
    array = _array("scatter", tensor)
    given = _parts("scatter", members, root, scatter_list, tensor, "scatter_list")
    joined = _joined(members, given) if given is not None else None
    written = _writable(members, array)
    call, transport = members.begin(written, "scatter", array.shape, array.dtype, f"from {root}")
    return _run(call, async_op,
                lambda blocking: transport.scatter(written, joined, root, blocking),
                _back(array, written, tensor, "scatter"), (tensor,))


def gather(tensor: Tensor, gather_list: list[Tensor] | None = None, dst: int | None = None,
           group: Group = None, async_op: bool = False,
           group_dst: int | None = None) -> Work | None:
    """Copies the Tensors of all ranks into a list on rank `dst`, by default 0.

    Raises:
        ValueError: on rank `dst` the list is missing, or has not one Tensor of the shape of
            `tensor` for each rank; on another rank there is a list.
        TypeError: the dtypes differ.
    """
    members = resolve("gather", group)
    if members is None:
        return None
    root = member("gather", members, dst, group_dst, 0)
    array = _array("gather", tensor)
    taken = _parts("gather", members, root, gather_list, tensor, "gather_list")
    used = _readable(members, array)
    joined, finish = None, []
    if taken is not None:
        joined = array_module(used).empty(array.size * members.size(), used.dtype)
        _noted(taken, "gather")
        finish = [lambda: _apart(joined, taken)]
    call, transport = members.begin(used, "gather", array.shape, array.dtype, f"to {root}")
    return _run(call, async_op,
                lambda blocking: transport.gather(joined, used, root, blocking), finish,
                taken or ())


def _parts(name: str, members: ProcessGroup, root: int, given: list[Tensor] | None,
           tensor: Tensor, argument: str) -> list[Tensor] | None:
    """The list of rank `root`, checked; None on the other ranks."""
    if members.rank() != root:
        if given:
            raise ValueError(f"{name}: {argument} is for rank {members.ranks[root]} only, and this "
                             f"is rank {members.ranks[members.rank()]}")
        return None
    if not given:
        raise ValueError(f"{name}: rank {members.ranks[root]} must give {argument}, a Tensor for "
                         "each rank")
    _same_sizes(name, given, members.size(), tensor)
    for i, part in enumerate(given):
        if part._array.size != tensor._array.size:
            raise ValueError(f"{name}: Tensor {i} of {argument} has shape {tuple(part.shape)}; "
                             f"that of the ranks has {tuple(tensor.shape)}")
    return given


def all_to_all(output_tensor_list: list[Tensor], input_tensor_list: list[Tensor],
               group: Group = None, async_op: bool = False) -> Work | None:
    """Sends Tensor i of the input list to rank i, which puts it at this rank's place in its output
    list.

    Raises:
        ValueError: a list has not one Tensor for each rank.
        TypeError: the dtypes differ.
    """
    members = resolve("all_to_all", group)
    if members is None:
        return None
    like = input_tensor_list[0] if input_tensor_list else None
    for tensors in (output_tensor_list, input_tensor_list):
        _same_sizes("all_to_all", tensors, members.size(), like)
    joined = _joined(members, input_tensor_list)
    sizes = [t._array.size for t in input_tensor_list]
    out_sizes = [t._array.size for t in output_tensor_list]
    received = array_module(joined).empty(sum(out_sizes), joined.dtype)
    _noted(output_tensor_list, "all_to_all")
    call, transport = members.begin(joined, "all_to_all", joined.dtype)
    return _run(call, async_op,
                lambda blocking: transport.all_to_all(received, joined, out_sizes, sizes, blocking),
                [lambda: _apart(received, output_tensor_list)], output_tensor_list)


def all_to_all_single(output: Tensor, input: Tensor, output_split_sizes: list[int] | None = None,
                      input_split_sizes: list[int] | None = None, group: Group = None,
                      async_op: bool = False) -> Work | None:
    """Sends part i of the input to rank i; the output has the parts from all ranks.

    The parts are along dim 0, of the given sizes, by default of equal ones.

    Raises:
        ValueError: the sizes do not add up to dim 0, or dim 0 is not a multiple of the ranks; a
            Tensor has no dims.
        TypeError: the dtypes differ.
    """
    members = resolve("all_to_all_single", group)
    if members is None:
        return None
    name = "all_to_all_single"
    array, out = _array(name, input), _array(name, output)
    if array.dtype != out.dtype:
        raise TypeError(f"{name}: the output is {output.dtype}, the input {input.dtype}; they "
                        "must have the same dtype")
    sizes = _splits(name, array, input_split_sizes, members.size())
    out_sizes = _splits(name, out, output_split_sizes, members.size())
    used, written = _readable(members, array), _writable(members, out)
    call, transport = members.begin(used, name, array.dtype)
    return _run(call, async_op,
                lambda blocking: transport.all_to_all(written, used, out_sizes, sizes, blocking),
                _back(out, written, output, name), (output,))


def _splits(name: str, array: Any, sizes: list[int] | None, count: int) -> list[int]:
    """The number of elements of each part along dim 0."""
    if array.ndim == 0:
        raise ValueError(f"{name}: a Tensor without dims has no parts; give it the shape (1,)")
    length = len(array)
    if not sizes:
        if length % count:
            raise ValueError(f"{name}: dim 0 has size {length}, which cannot be split among "
                             f"{count} ranks; give the sizes of the parts")
        sizes = [length // count] * count
    if len(sizes) != count or sum(sizes) != length or min(sizes) < 0:
        raise ValueError(f"{name}: parts of sizes {list(sizes)} do not fit a Tensor of shape "
                         f"{tuple(array.shape)} and {count} ranks")
    row = array.size // length if length else 0
    return [n * row for n in sizes]


def barrier(group: Group = None, async_op: bool = False, device_ids: object = None) -> Work | None:
    """Waits until all ranks of the group have called it. Without a group of ranks, returns."""
    if group is None and not groups.is_initialized():
        return None
    members = resolve("barrier", group)
    if members is None:
        return None
    if members.backend == "nccl":
        synchronize()
    call, transport = members.begin(None, "barrier")
    return _run(call, async_op, transport.barrier, (), ())


def monitored_barrier(group: Group = None, timeout: datetime.timedelta | None = None,
                      wait_all_ranks: bool = False) -> None:
    """`barrier`; if it takes longer than `timeout`, all ranks end, and the late ones are named."""
    members = resolve("monitored_barrier", group)
    if members is None:
        return
    call, transport = members.begin(None, "monitored_barrier")
    if timeout is not None:
        call = call._replace(timeout=timeout.total_seconds())
    _run(call, False, transport.barrier, (), ())


# ---------------------------------------------------------------- between two ranks


def isend(tensor: Tensor, dst: int | None = None, group: Group = None, tag: int = 0,
          group_dst: int | None = None) -> Work | None:
    """Starts to send a Tensor to a rank, which must receive it with the same tag.

    Raises:
        TypeError: not a Tensor.
        ValueError: `dst` is not in the group, or is this rank.
    """
    return _send("isend", tensor, dst, group, tag, group_dst, True)


def send(tensor: Tensor, dst: int | None = None, group: Group = None, tag: int = 0,
         group_dst: int | None = None) -> None:
    """Sends a Tensor to a rank, which must receive it with the same tag. Errors as `isend`."""
    _send("send", tensor, dst, group, tag, group_dst, False)


def _send(name: str, tensor: Tensor, dst: int | None, group: Group, tag: int,
          group_dst: int | None, async_op: bool) -> Work | None:
    members = resolve(name, group)
    if members is None:
        return None
    peer = member(name, members, dst, group_dst)
    _check_peer(name, members, peer, tag)
    array = _array(name, tensor)
    used = _readable(members, array)
    transport = members.transport if members.on_mpi(used) else members.on_gpus()
    call = members.transfer(peer, name, array.shape, array.dtype, f"to {members.ranks[peer]}")
    return _run(call, async_op,
                lambda blocking: transport.send(used, peer, tag, blocking),
                (),
                (tensor,))


def irecv(tensor: Tensor, src: int | None = None, group: Group = None, tag: int = 0,
          group_src: int | None = None) -> Work | None:
    """Starts to receive a Tensor from a rank, by default from any.

    Raises:
        TypeError: not a Tensor.
        ValueError: `src` is not in the group, or is this rank.
    """
    members = resolve("irecv", group)
    if members is None:
        return None
    peer = None if src is None and group_src is None else member("irecv", members, src, group_src)
    if peer is not None:
        _check_peer("irecv", members, peer, tag)
    array = _array("irecv", tensor)
    used = _writable(members, array)
    transport = members.transport if members.on_mpi(used) else members.on_gpus()
    source = "any" if peer is None else members.ranks[peer]
    call = members.transfer(peer, "recv", array.shape, array.dtype, f"from {source}")
    status = mpi.library().Status()
    request = transport.recv(used, peer, tag, False)
    if transport is members.transport:
        request = _Received(request, status, used.nbytes)
    work = Work(call, request, _back(array, used, tensor, "recv"), (tensor,))
    work._source = lambda: members.ranks[status.source if peer is None else peer]
    return work


def recv(tensor: Tensor, src: int | None = None, group: Group = None, tag: int = 0,
         group_src: int | None = None) -> int:
    """Receives a Tensor from a rank, by default from any. Returns the rank that sent it; -1 if
    this rank is not in the group. Errors as `irecv`."""
    work = irecv(tensor, src, group, tag, group_src)
    return -1 if work is None else work.source_rank()


class _Received:
    """A request of MPI to receive, which checks the size of what came."""

    def __init__(self, request: Any, status: Any, size: int):
        self.request, self.status, self.size = request, status, size

    def Wait(self) -> None:  # noqa: N802 - as MPI's requests
        self.request.Wait(self.status)
        self._check()

    def Test(self) -> bool:  # noqa: N802
        done = bool(self.request.Test(self.status))
        if done:
            self._check()
        return done

    def _check(self) -> None:
        if self.status.Get_count() != self.size:
            raise ValueError(f"{self.status.Get_count()} bytes came from rank "
                             f"{self.status.source}, where {self.size} were expected")


def _check_peer(name: str, members: ProcessGroup, peer: int, tag: int) -> None:
    if peer == members.rank():
        raise ValueError(f"{name}: rank {members.ranks[peer]} is this rank; a rank cannot send to "
                         "itself")
    if not 0 <= peer < members.size():
        raise ValueError(f"{name}: the group has no rank {peer}")
    if not 0 <= tag <= mpi.MAX_TAG:
        raise ValueError(f"{name}: the tag must be in [0, {mpi.MAX_TAG}], got {tag}")


class P2POp:
    """One transfer for `batch_isend_irecv`.

    Args:
        op: isend or irecv.
        peer: the other rank.
    """

    def __init__(self, op: Callable[..., Any], tensor: Tensor, peer: int | None = None,
                 group: Group = None, tag: int = 0, group_peer: int | None = None):
        if op not in (isend, irecv):
            raise ValueError("P2POp: op must be distributed.isend or distributed.irecv, got "
                             f"{getattr(op, '__name__', op)}")
        self.op, self.tensor, self.peer, self.group = op, tensor, peer, group
        self.tag, self.group_peer = tag, group_peer


def batch_isend_irecv(p2p_op_list: list[P2POp]) -> list[Work]:
    """Starts several transfers; wait for each of the results.

    Raises:
        ValueError: the list is empty, or holds something else than P2POp.
    """
    if not p2p_op_list or not all(isinstance(p, P2POp) for p in p2p_op_list):
        raise ValueError("batch_isend_irecv: expected a list of P2POp, with at least one")
    works = [p.op(p.tensor, p.peer, p.group, p.tag, p.group_peer) for p in p2p_op_list]
    return [work for work in works if work is not None]
