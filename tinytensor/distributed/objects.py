"""Collectives of Python objects, as pickles. Use them between ranks that trust each other only."""

from __future__ import annotations

import pickle
from typing import Any

from . import mpi
from .groups import Group, member, resolve
from .monitor import watcher
from .process_group import ProcessGroup
from .work import failed


def _run(members: ProcessGroup, name: str, method: str, *args: Any, root: int | None = None,
         ) -> Any:
    options = {} if root is None else {"root": root}
    call, transport = members.begin(None, name, *([f"root {root}"] if options else []))
    try:
        with watcher.inside(call):
            return getattr(transport.comm, method)(*args, **options)
    except mpi.library().Exception as error:
        raise failed(call, error) from error


def all_gather_object(object_list: list[Any], obj: Any, group: Group = None) -> None:
    """Puts the objects of all ranks into the list, which has one place for each.

    Raises:
        ValueError: the list has another length.
        pickle.PicklingError, TypeError: the object cannot be pickled.
    """
    members = resolve("all_gather_object", group)
    if members is None:
        return
    _check_list("all_gather_object", object_list, members)
    pickle.dumps(obj)  # raises before a collective has begun
    object_list[:] = _run(members, "all_gather_object", "allgather", obj)


def gather_object(obj: Any, object_gather_list: list[Any] | None = None, dst: int | None = None,
                  group: Group = None, group_dst: int | None = None) -> None:
    """Puts the objects of all ranks into the list of rank `dst`, by default 0.

    Raises:
        ValueError: on rank `dst` the list is missing or has another length.
        pickle.PicklingError, TypeError: the object cannot be pickled.
    """
    members = resolve("gather_object", group)
    if members is None:
        return
    root = member("gather_object", members, dst, group_dst, 0)
    if members.rank() == root:
        _check_list("gather_object", object_gather_list, members)
    pickle.dumps(obj)
    objects = _run(members, "gather_object", "gather", obj, root=root)
    if object_gather_list is not None and objects is not None:
        object_gather_list[:] = objects


def broadcast_object_list(object_list: list[Any], src: int | None = None, group: Group = None,
                          device: object = None, group_src: int | None = None) -> None:
    """Replaces the objects in the list by those of rank `src`, by default 0.

    Raises:
        ValueError: the list of rank `src` has another length.
        pickle.PicklingError, TypeError: an object cannot be pickled.
    """
    members = resolve("broadcast_object_list", group)
    if members is None:
        return
    root = member("broadcast_object_list", members, src, group_src, 0)
    if members.rank() == root:
        pickle.dumps(object_list)
    objects = _run(members, "broadcast_object_list", "bcast", list(object_list),
                   root=root)
    if len(objects) != len(object_list):
        raise ValueError(f"broadcast_object_list: the list has {len(object_list)} places, that of "
                         f"rank {members.ranks[root]} {len(objects)}")
    object_list[:] = objects


def scatter_object_list(scatter_object_output_list: list[Any],
                        scatter_object_input_list: list[Any] | None = None, src: int | None = None,
                        group: Group = None, group_src: int | None = None) -> None:
    """Puts one object of the input list of rank `src`, by default 0, at place 0 of each output.

    Raises:
        ValueError: an output list is empty; the input list has not one object for each rank.
        pickle.PicklingError, TypeError: an object cannot be pickled.
    """
    members = resolve("scatter_object_list", group)
    if members is None:
        return
    root = member("scatter_object_list", members, src, group_src, 0)
    if not scatter_object_output_list:
        raise ValueError("scatter_object_list: the output list needs a place")
    if members.rank() == root:
        _check_list("scatter_object_list", scatter_object_input_list, members)
        pickle.dumps(scatter_object_input_list)
    scatter_object_output_list[0] = _run(
        members, "scatter_object_list", "scatter", scatter_object_input_list, root=root)


def send_object_list(object_list: list[Any], dst: int | None = None, group: Group = None,
                     device: object = None, group_dst: int | None = None) -> None:
    """Sends the objects of a list to a rank.

    Raises:
        ValueError: `dst` is not in the group.
        pickle.PicklingError, TypeError: an object cannot be pickled.
    """
    members = resolve("send_object_list", group)
    if members is None:
        return
    peer = member("send_object_list", members, dst, group_dst)
    with watcher.inside(members.transfer(peer, "send_object_list")):
        members.comm.send(list(object_list), dest=peer, tag=mpi.MAX_TAG)


def recv_object_list(object_list: list[Any], src: int | None = None, group: Group = None,
                     device: object = None, group_src: int | None = None) -> int:
    """Replaces the objects of a list by those that a rank, by default any, sends.

    Returns the rank that sent them; -1 if this rank is not in the group.

    Raises:
        ValueError: the list that was sent has another length.
    """
    members = resolve("recv_object_list", group)
    if members is None:
        return -1
    peer = None if src is None and group_src is None \
        else member("recv_object_list", members, src, group_src)
    library = mpi.library()
    status = library.Status()
    with watcher.inside(members.transfer(peer, "recv_object_list")):
        objects = members.comm.recv(source=library.ANY_SOURCE if peer is None else peer,
                                    tag=mpi.MAX_TAG, status=status)
    if len(objects) != len(object_list):
        raise ValueError(f"recv_object_list: the list has {len(object_list)} places, the one that "
                         f"came {len(objects)}")
    object_list[:] = objects
    return members.ranks[status.source]


def _check_list(name: str, objects: list[Any] | None, members: ProcessGroup) -> None:
    if objects is None or len(objects) != members.size():
        raise ValueError(f"{name}: needs a list with one place for each of the {members.size()} "
                         f"ranks, got {'None' if objects is None else f'{len(objects)} places'}")
