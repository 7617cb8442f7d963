"""Transfers of Tensors between two ranks, under the names of `torch.distributed`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..tensors.tensor import Tensor
from . import mpi
from .buffers import array_of, readable, run, writable, written_back
from .groups import Group, member, resolve
from .process_group import ProcessGroup
from .work import Work


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
    array = array_of(name, tensor)
    used = readable(members, array)
    transport = members.transport if members.on_mpi(used) else members.on_gpus()
    call = members.transfer(peer, name, array.shape, array.dtype, f"to {members.ranks[peer]}")
    return run(call, async_op,
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
    return _receive("irecv", tensor, src, group, tag, group_src)


def recv(tensor: Tensor, src: int | None = None, group: Group = None, tag: int = 0,
         group_src: int | None = None) -> int:
    """Receives a Tensor from a rank, by default from any. Returns the rank that sent it; -1 if
    this rank is not in the group. Errors as `irecv`."""
    work = _receive("recv", tensor, src, group, tag, group_src)
    return -1 if work is None else work.source_rank()


def _receive(name: str, tensor: Tensor, src: int | None, group: Group, tag: int,
             group_src: int | None) -> Work | None:
    members = resolve(name, group)
    if members is None:
        return None
    peer = None if src is None and group_src is None else member(name, members, src, group_src)
    if peer is not None:
        _check_peer(name, members, peer, tag)
    array = array_of(name, tensor)
    used = writable(members, array)
    transport = members.transport if members.on_mpi(used) else members.on_gpus()
    source = "any" if peer is None else members.ranks[peer]
    call = members.transfer(peer, "recv", array.shape, array.dtype, f"from {source}")
    status = mpi.library().Status()
    request = transport.recv(used, peer, tag, False)
    if transport is members.transport:
        request = _Received(request, status, used.nbytes, members.ranks)
    work = Work(call, request, written_back(array, used, tensor, "recv"), (tensor,))
    work._source = lambda: members.ranks[status.source if peer is None else peer]
    return work


class _Received:
    """A request of MPI to receive, which checks the size of what came."""

    def __init__(self, request: Any, status: Any, size: int, ranks: Sequence[int]):
        self.request, self.status, self.size, self.ranks = request, status, size, ranks

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
                             f"{self.ranks[self.status.source]}, where {self.size} were expected")


def _check_peer(name: str, members: ProcessGroup, peer: int, tag: int) -> None:
    if peer == members.rank():
        raise ValueError(f"{name}: rank {members.ranks[peer]} is this rank; a rank cannot send to "
                         "itself or receive from itself")
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
