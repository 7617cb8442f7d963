"""The collectives, under the names and with the arguments of `torch.distributed`.

All ranks of a group call the same ones in the same order. Results are written into the given
Tensors.
"""

from __future__ import annotations

import datetime
import functools
from collections.abc import Callable
from typing import Any

import numpy

from ..arrays.devices import array_module, synchronize
from ..autograd.versions import note_write
from ..tensors.tensor import Tensor
from . import groups
from .buffers import (
    apart,
    array_of,
    averaged,
    copy_into,
    for_reduction,
    joined_array,
    noted,
    readable,
    result_of,
    run,
    same_sizes,
    writable,
    written_back,
)
from .groups import Group, member, resolve
from .monitor import watcher
from .operations import ReduceOp
from .process_group import ProcessGroup
from .work import Work, failed


def all_reduce(tensor: Tensor, op: ReduceOp = ReduceOp.SUM, group: Group = None,
               async_op: bool = False) -> Work | None:
    """Reduces the Tensors of all ranks, element by element; all get the result.

    Raises:
        TypeError: not a Tensor; `op` is no ReduceOp; AVG of integers, BAND of floats.
    """
    members = resolve("all_reduce", group)
    if members is None:
        return None
    array = array_of("all_reduce", tensor)
    on_host = array.__class__ is numpy.ndarray
    if on_host and not async_op and op.__class__ is ReduceOp:
        # The short way, for an array that needs no copy, if the same reduction was done before.
        # It takes microseconds, so every step counts.
        direct = members.direct.get((array.shape, array.dtype.char, op))
        if direct is not None and array.flags.carray:  # contiguous and writable
            kind, reduce_in_place, by = direct
            watcher.call = call = members.number(kind)
            try:
                reduce_in_place(array, by)
            except RuntimeError as error:  # MPI's errors are
                raise failed(call, error) from error
            finally:
                watcher.call = None
            if not tensor._unnoted:
                note_write(array, "all_reduce")
            return None
    used = readable(members, array)
    reduced, by = for_reduction("all_reduce", members, used, op)
    finish = written_back(array, result_of(used, reduced), tensor, "all_reduce")
    if op is ReduceOp.AVG:
        finish = [averaged(reduced, members.size()), *finish]
    call, transport = members.begin(used, "all_reduce", array.shape, array.dtype, op)
    if on_host and reduced is array and array.dtype.char != "e" and op is not ReduceOp.AVG \
            and call[0].what in members.verified:
        in_place = functools.partial(transport.comm.Allreduce, transport.mpi.IN_PLACE)
        members.direct[array.shape, array.dtype.char, op] = call[0], in_place, transport.ops[op]
    return run(call, async_op,
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
    array = array_of("reduce", tensor)
    used = readable(members, array)
    reduced, by = for_reduction("reduce", members, used, op)
    finish: list[Callable[[], None]] = []
    if members.rank() == root:
        finish = written_back(array, result_of(used, reduced), tensor, "reduce")
        if op is ReduceOp.AVG:
            finish = [averaged(reduced, members.size()), *finish]
    elif not members.on_mpi(used):
        reduced = reduced.copy()  # NCCL may write into it
    call, transport = members.begin(used, "reduce", array.shape, array.dtype, op, f"to {root}")
    return run(call, async_op,
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
    array = array_of("broadcast", tensor)
    finish: list[Callable[[], None]] = []
    if members.rank() == root:
        used = readable(members, array)
    else:
        used = writable(members, array)
        finish = written_back(array, used, tensor, "broadcast")
    call, transport = members.begin(used, "broadcast", array.shape, array.dtype, f"from {root}")
    return run(call, async_op,
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
    array = array_of("all_gather", tensor)
    same_sizes("all_gather", tensor_list, members.size(), tensor)
    sizes = [t._array.size for t in tensor_list]
    if sizes[members.rank()] != array.size:
        raise ValueError(f"all_gather: Tensor {members.rank()} of the list has shape "
                         f"{tuple(tensor_list[members.rank()].shape)}; that of this rank has "
                         f"{tuple(array.shape)}")
    used = readable(members, array)
    joined = array_module(used).empty(sum(sizes), used.dtype)
    noted(tensor_list, "all_gather")
    call, transport = members.begin(used, "all_gather", tuple(sizes), array.dtype)
    return run(call, async_op,
               lambda blocking: transport.all_gather(joined, used, sizes, blocking),
               [lambda: apart(joined, tensor_list)], tensor_list)


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
    name, array, out = "all_gather_into_tensor", array_of("all_gather_into_tensor", input_tensor), \
        array_of("all_gather_into_tensor", output_tensor)
    _check_parts(name, output_tensor, input_tensor, members.size())
    used, written = readable(members, array), writable(members, out)
    sizes = [array.size] * members.size()
    call, transport = members.begin(used, name, array.shape, array.dtype)
    return run(call, async_op,
               lambda blocking: transport.all_gather(written, used, sizes, blocking),
               written_back(out, written, output_tensor, name), (output_tensor,))


all_gather_single = all_gather_into_tensor  # PyTorch's new name


def _check_parts(name: str, whole: Tensor, part: Tensor, count: int) -> None:
    if whole.dtype is not part.dtype:
        raise TypeError(f"{name}: dtypes {whole.dtype} and {part.dtype}; input and output must "
                        "have the same dtype")
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
    array_of("reduce_scatter", output)
    same_sizes("reduce_scatter", input_list, members.size(), output)
    sizes = [t._array.size for t in input_list]
    if sizes[members.rank()] != output._array.size:
        raise ValueError(f"reduce_scatter: Tensor {members.rank()} of the list has shape "
                         f"{tuple(input_list[members.rank()].shape)}, the output "
                         f"{tuple(output.shape)}")
    return _reduce_scatter("reduce_scatter", members, output, joined_array(members, input_list),
                           sizes, op, async_op)


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
    array = array_of("reduce_scatter_tensor", input)
    array_of("reduce_scatter_tensor", output)
    _check_parts("reduce_scatter_tensor", input, output, members.size())
    sizes = [output._array.size] * members.size()
    return _reduce_scatter("reduce_scatter_tensor", members, output,
                           readable(members, array).reshape(-1), sizes, op, async_op)


reduce_scatter_single = reduce_scatter_tensor  # PyTorch's new name


def _reduce_scatter(name: str, members: ProcessGroup, output: Tensor, given: Any,
                    sizes: list[int], op: ReduceOp, async_op: bool) -> Work | None:
    used, by = for_reduction(name, members, given, op)
    out = output._array
    written = writable(members, out)
    finish = written_back(out, written, output, name)
    part = written
    if used.dtype != written.dtype:  # narrower ones in float32; bool as uint8
        part = array_module(used).empty(written.shape, used.dtype)
        finish = [lambda: copy_into(written, part), *finish]
    if op is ReduceOp.AVG:
        finish = [averaged(part, members.size()), *finish]
    call, transport = members.begin(used, name, tuple(sizes), output._array.dtype, op)
    return run(call, async_op,
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
    array = array_of("scatter", tensor)
    given = _parts("scatter", members, root, scatter_list, tensor, "scatter_list")
    joined = joined_array(members, given) if given is not None else None
    written = writable(members, array)
    call, transport = members.begin(written, "scatter", array.shape, array.dtype, f"from {root}")
    return run(call, async_op,
               lambda blocking: transport.scatter(written, joined, root, blocking),
               written_back(array, written, tensor, "scatter"), (tensor,))


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
    array = array_of("gather", tensor)
    taken = _parts("gather", members, root, gather_list, tensor, "gather_list")
    used = readable(members, array)
    joined, finish = None, []
    if taken is not None:
        joined = array_module(used).empty(array.size * members.size(), used.dtype)
        noted(taken, "gather")
        finish = [lambda: apart(joined, taken)]
    call, transport = members.begin(used, "gather", array.shape, array.dtype, f"to {root}")
    return run(call, async_op,
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
    same_sizes(name, given, members.size(), tensor)
    for i, part in enumerate(given):
        if part._array.size != tensor._array.size:
            raise ValueError(f"{name}: Tensor {i} of {argument} has shape {tuple(part.shape)}; "
                             f"that of the ranks has {tuple(tensor.shape)}")
    return given


def all_to_all(output_tensor_list: list[Tensor], input_tensor_list: list[Tensor],
               group: Group = None, async_op: bool = False) -> Work | None:
    """Sends Tensor i of the input list to rank i, which puts it at this rank's place in its output
    list.

    The Tensors may differ in shape. The ranks compare the sizes first, also with async_op=True.

    Raises:
        ValueError: a list has not one Tensor for each rank.
        TypeError: the dtypes differ.
        RuntimeError: on all ranks, if one sends another number of elements than is expected.
    """
    members = resolve("all_to_all", group)
    if members is None:
        return None
    like = input_tensor_list[0] if input_tensor_list else None
    for tensors in (output_tensor_list, input_tensor_list):
        same_sizes("all_to_all", tensors, members.size(), like)
    joined = joined_array(members, input_tensor_list)
    sizes = [t._array.size for t in input_tensor_list]
    out_sizes = [t._array.size for t in output_tensor_list]
    received = array_module(joined).empty(sum(out_sizes), joined.dtype)
    noted(output_tensor_list, "all_to_all")
    call, transport = members.begin(joined, "all_to_all", joined.dtype)
    _compare_parts("all_to_all", members, sizes, out_sizes)
    return run(call, async_op,
               lambda blocking: transport.all_to_all(received, joined, out_sizes, sizes, blocking),
               [lambda: apart(received, output_tensor_list)], output_tensor_list)


def all_to_all_single(output: Tensor, input: Tensor, output_split_sizes: list[int] | None = None,
                      input_split_sizes: list[int] | None = None, group: Group = None,
                      async_op: bool = False) -> Work | None:
    """Sends part i of the input to rank i; the output has the parts from all ranks.

    The parts are along dim 0, of the given sizes, by default of equal ones. The ranks compare the
    sizes first, also with async_op=True.

    Raises:
        ValueError: the sizes do not add up to dim 0, or dim 0 is not a multiple of the ranks; a
            Tensor has no dims.
        TypeError: the dtypes differ.
        RuntimeError: on all ranks, if one sends another number of elements than is expected.
    """
    members = resolve("all_to_all_single", group)
    if members is None:
        return None
    name = "all_to_all_single"
    array, out = array_of(name, input), array_of(name, output)
    if array.dtype != out.dtype:
        raise TypeError(f"{name}: the output is {output.dtype}, the input {input.dtype}; they "
                        "must have the same dtype")
    sizes = _splits(name, array, input_split_sizes, members.size())
    out_sizes = _splits(name, out, output_split_sizes, members.size())
    used, written = readable(members, array), writable(members, out)
    call, transport = members.begin(used, name, array.dtype)
    _compare_parts(name, members, sizes, out_sizes)
    return run(call, async_op,
               lambda blocking: transport.all_to_all(written, used, out_sizes, sizes, blocking),
               written_back(out, written, output, name), (output,))


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


def _compare_parts(name: str, members: ProcessGroup, sizes: list[int], out_sizes: list[int],
                   ) -> None:
    """Compares what each rank sends with what the receiver expects. MPI would cut it off, or leave
    a part of the output as it was.

    Raises:
        RuntimeError: on all ranks, with all differences.
    """
    coming = numpy.empty(len(sizes), numpy.int64)
    with watcher.inside(members.note(name, "sizes of the parts")):
        members.checks.Alltoall(numpy.array(sizes, numpy.int64), coming)
        different = numpy.array(coming.tolist() != out_sizes)
        library = members.transport.mpi
        members.checks.Allreduce(library.IN_PLACE, different, library.LOR)
        if not different:
            return
        me = members.ranks[members.rank()]
        texts = members.checks.allgather([
            f"rank {rank} sends {there} elements to rank {me}, which expects {here}"
            for rank, there, here in zip(members.ranks, coming.tolist(), out_sizes, strict=True)
            if there != here])
    wrong = [text for of_rank in texts for text in of_rank]
    raise RuntimeError(f"{name}: {'; '.join(wrong[:8])}{'; ...' * (len(wrong) > 8)}. The sizes "
                       "that a rank sends must be those that the receivers give for it")


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
    return run(call, async_op, transport.barrier, (), ())


def monitored_barrier(group: Group = None, timeout: datetime.timedelta | None = None,
                      wait_all_ranks: bool = False) -> None:
    """`barrier`; if it takes longer than `timeout`, all ranks end, and the late ones are named."""
    members = resolve("monitored_barrier", group)
    if members is None:
        return
    call, transport = members.begin(None, "monitored_barrier")
    if timeout is not None:
        call = call[0]._replace(timeout=timeout.total_seconds()), call[1]
    run(call, False, transport.barrier, (), ())
