"""Collectives, transfers, objects and groups."""

from __future__ import annotations

import os
from typing import Any

import numpy

import tinytensor as tt
import tinytensor.distributed as dist
from tinytensor import nn
from tinytensor.nn.parallel import DistributedDataParallel

from .common import agree, on, raises, rank, torch, torch_dist, world


def given(lib: Any, dtype: str = "float32", shape: tuple[int, ...] = (2, 3)) -> Any:
    """A Tensor that differs from rank to rank."""
    rng = numpy.random.default_rng(rank())
    return lib.tensor(rng.integers(0, 7, shape).astype(dtype))


@on(2)
def reductions_equal_pytorchs() -> None:
    for dtype in ("float32", "float64", "int64", "int32", "uint8", "int8", "float16"):
        for op in ("SUM", "PRODUCT", "MIN", "MAX"):
            def program(lib: Any, d: Any, dtype: str = dtype, op: str = op) -> Any:
                x, y = given(lib, dtype), given(lib, dtype)
                assert d.all_reduce(x, getattr(d.ReduceOp, op)) is None
                d.reduce(y, 1, op=getattr(d.ReduceOp, op))
                return [x, *([y] if d.get_rank() == 1 else [])]

            agree(program)
    for op in ("BAND", "BOR", "BXOR"):
        def bits(lib: Any, d: Any, op: str = op) -> Any:
            x = given(lib, "int64")
            d.all_reduce(x, op=getattr(d.ReduceOp, op))
            return [x]

        agree(bits)


@on(2)
def a_collective_whose_work_is_dropped_keeps_its_memory() -> None:
    for _ in range(20):
        dist.all_reduce(tt.ones(100_000), async_op=True)
        assert tt.zeros(100_000).sum().item() == 0  # not the memory that MPI writes into
    dist.barrier()
    if rank() == 0:
        dist.send(tt.ones(1), 1)
    else:
        dist.irecv(tt.zeros(2), 0)  # fails, which nobody asks for
    dist.barrier()
    x = tt.ones(1)
    for _ in range(2):
        dist.all_reduce(x, async_op=True).wait()
    assert x.item() == 4


@on(2)
def moving_data_equals_pytorchs() -> None:
    for dtype in ("float32", "int64", "float16", "bool"):
        def program(lib: Any, d: Any, dtype: str = dtype) -> Any:
            me, n = d.get_rank(), d.get_world_size()
            x = given(lib, dtype)
            d.broadcast(x, src=1)
            parts = [lib.zeros_like(x) for _ in range(n)]
            d.all_gather(parts, given(lib, dtype))
            whole = lib.zeros_like(lib.cat([x, x]))
            d.all_gather_into_tensor(whole, given(lib, dtype))
            mine = lib.zeros_like(x)
            d.scatter(mine, [given(lib, dtype), given(lib, dtype) == 0] if me == 1 and
                      dtype == "bool" else [given(lib, dtype), given(lib, dtype) + 1]
                      if me == 1 else None, src=1)
            gathered = [lib.zeros_like(x) for _ in range(n)] if me == 0 else None
            d.gather(given(lib, dtype), gathered, dst=0)
            return [x, *parts, whole, mine, *(gathered or [])]

        agree(program)


@on(2)
def scattered_reductions_and_exchanges_equal_pytorchs() -> None:
    def program(lib: Any, d: Any) -> Any:
        x = given(lib, "float32", (4, 3))
        part, listed = lib.zeros(2, 3), lib.zeros(2, 3)
        d.reduce_scatter_tensor(part, x)
        d.reduce_scatter(listed, [x[:2], x[2:]], op=d.ReduceOp.MAX)
        out = lib.zeros(4, 3)
        d.all_to_all_single(out, x)
        rows = 1 + 2 * d.get_rank()  # rank 0 keeps 1 row and sends 3; rank 1 sends 3 and keeps 1
        uneven = lib.zeros(4, 3)
        d.all_to_all_single(uneven, x, [rows, 4 - rows], [rows, 4 - rows]
                            if d.get_rank() == 0 else [3, 1])
        return [part, listed, out, uneven]

    agree(program)
    outs = [tt.zeros(2) for _ in range(2)]
    dist.all_to_all(outs, [tt.full((2,), 10.0 * rank() + i) for i in range(2)])
    assert [x.tolist() for x in outs] == [[rank()] * 2, [10.0 + rank()] * 2]


@on(2, 3)
def exchanged_parts_that_do_not_fit_are_an_error_on_all_ranks() -> None:
    me, n = rank(), world()
    outs = [tt.zeros(i + 1, me + 1) for i in range(n)]  # of other shapes from every rank
    dist.all_to_all(outs, [tt.full((me + 1, i + 1), 10.0 * me + i) for i in range(n)])
    assert [x.tolist() for x in outs] == [[[10.0 * i + me] * (me + 1)] * (i + 1) for i in range(n)]
    rest = [0] * (n - 2)
    for async_op in (False, True):  # rank 0 sends 3 rows of 2 to rank 1, which expects 2 rows
        sizes = [[1, 3, *rest], [1, 1, *rest], [0] * n][me]
        out_sizes = [[1, 1, *rest], [2, 1, *rest], [0] * n][me]
        raises(RuntimeError, "all_to_all_single: rank 0 sends 6 elements to rank 1, which expects "
               "4. The sizes", lambda s=sizes, o=out_sizes, a=async_op: dist.all_to_all_single(
                   tt.zeros(sum(o), 2), tt.zeros(sum(s), 2), o, s, async_op=a))
    raises(RuntimeError, f"all_to_all: rank {n - 1} sends 2 elements to rank 0, which expects 1",
           lambda: dist.all_to_all([tt.zeros(1)] * n, [tt.zeros(1 + (me == n - 1 and i == 0))
                                                       for i in range(n)]))
    raises(RuntimeError, "rank 1 sends 3 elements to rank 0, which expects 2; rank 0 sends 2",
           lambda: dist.all_to_all_single(tt.zeros((2 + (me == 1)) * n),
                                          tt.zeros((2 + (me == 1)) * n)))
    x = tt.full((n,), float(me))
    dist.all_to_all_single(out := tt.zeros(n), x)  # and the group can be used on
    assert out.tolist() == list(range(n))


@on(2)
def transfers_equal_pytorchs() -> None:
    def program(lib: Any, d: Any) -> Any:
        x = given(lib)
        if d.get_rank() == 0:
            d.send(x, 1, tag=3)
            source = d.recv(x, 1)
            works = [d.isend(x, 1), d.irecv(y := lib.zeros(2, 3), 1)]
        else:
            source = d.recv(x, 0, tag=3)
            d.send(x * 2, 0)
            works = [d.irecv(y := lib.zeros(2, 3), 0), d.isend(x, 0)]
        for work in works:
            work.wait()
        ops = [d.P2POp(d.isend, x + 1, 1 - d.get_rank()),
               d.P2POp(d.irecv, z := lib.zeros(2, 3), 1 - d.get_rank())]
        for work in d.batch_isend_irecv(ops):
            work.wait()
        return [x, source, y, z]

    agree(program)
    x = tt.zeros(3)
    if rank() == 0:
        assert dist.recv(x) == 1 and x.tolist() == [1, 2, 3]
    else:
        dist.send(tt.tensor([1.0, 2.0, 3.0]), 0)
    if rank() == 0:
        dist.send(x[:2], 1)
    else:
        work = dist.irecv(x, 0)
        for _ in range(2):
            raises(RuntimeError, "8 bytes came from rank 0, where 12 were expected", work.wait)
        assert work.is_completed() and not work.is_success()
        assert isinstance(work.exception(), dist.DistBackendError)
        raises(RuntimeError, "8 bytes came", work.get_future().wait)
    raises(ValueError, "cannot send to itself", lambda: dist.send(x, rank()))
    raises(ValueError, "tag must be in", lambda: dist.send(x, 1 - rank(), tag=-1))


@on(2)
def objects_equal_pytorchs() -> None:
    def program(lib: Any, d: Any) -> Any:
        me, n = d.get_rank(), d.get_world_size()
        thing = {"rank": me, "list": [1, "two", None]}
        gathered: list[Any] = [None] * n
        d.all_gather_object(gathered, thing)
        on_one = [None] * n if me == 1 else None
        d.gather_object(thing, on_one, dst=1)
        sent = [thing, me]
        d.broadcast_object_list(sent, src=1)
        out: list[Any] = [None]
        d.scatter_object_list(out, ["a", "b"] if me == 0 else None, src=0)
        return [gathered, on_one, sent, out]

    assert program(tt, dist) == program(torch, torch_dist)
    things: list[Any] = [None, None]
    if rank() == 0:
        dist.send_object_list(["x", 3], 1)
    else:
        assert dist.recv_object_list(things) == 0 and things == ["x", 3]
    raises(ValueError, "needs a list with one place",
           lambda: dist.all_gather_object([None], 1))


@on(2, 3)
def averages_strides_versions_and_works() -> None:
    n = world()
    x = tt.full((4, 3), float(rank()))
    dist.all_reduce(x, dist.ReduceOp.AVG)
    assert x.tolist() == [[(n - 1) / 2] * 3] * 4
    y = tt.zeros(3, 4)
    y.t()[...] = rank() + 1.0
    dist.all_reduce(y.t())  # a view that is not contiguous
    assert y.tolist() == [[n * (n + 1) / 2] * 4] * 3
    halves = tt.full((3,), 0.1, dtype=tt.float16)
    dist.all_reduce(halves, dist.ReduceOp.AVG)
    assert halves.dtype is tt.float16 and abs(halves - 0.1).max() < 1e-3
    flags = tt.tensor([rank() == 0, rank() == 1, True, False])
    dist.all_reduce(flags)
    assert flags.tolist() == [True, True, True, False]
    both = tt.tensor([rank() == 0, True])
    dist.all_reduce(both, dist.ReduceOp.PRODUCT)
    assert both.tolist() == [False, True]
    number = tt.tensor(float(rank()))
    work = dist.all_reduce(number, async_op=True)
    assert work.wait() and work.is_completed() and work.is_success() and work.exception() is None
    assert number.item() == n * (n - 1) / 2 and work.result()[0] is number
    future = dist.broadcast(number, 0, async_op=True).get_future()
    assert future.then(lambda f: f.wait()[0] * 2).wait().item() == n * (n - 1)
    w = tt.ones(3, requires_grad=True)
    squares = (w * w).sum()
    dist.all_reduce(w.detach())
    raises(RuntimeError, "overwritten", squares.backward)
    for given in (numpy.ones((2, 3)), numpy.ones((3, 2)).T):
        given.flags.writeable = False
        raises(RuntimeError, "belongs to an array that is not writable; clone() it first",
               lambda given=given: dist.all_reduce(tt.from_numpy(given)))
    raises(TypeError, "AVG needs a floating point dtype",
           lambda: dist.all_reduce(tt.ones(2, dtype=tt.int64), dist.ReduceOp.AVG))
    raises(TypeError, "BOR needs integers",
           lambda: dist.all_reduce(tt.ones(2), dist.ReduceOp.BOR))
    raises(TypeError, "expected a Tensor, got float", lambda: dist.all_reduce(1.0))
    raises(TypeError, "op must be a ReduceOp", lambda: dist.all_reduce(tt.ones(2), "sum"))
    raises(ValueError, f"broadcast: rank {n} is not in", lambda: dist.broadcast(tt.ones(2), n))
    for number in (-1, n):
        raises(ValueError, f"broadcast: the group has no rank {number}",
               lambda number=number: dist.broadcast(tt.ones(2), group_src=number))
    raises(ValueError, "broadcast: the rank is missing", lambda: dist.broadcast(tt.ones(2)))
    raises(ValueError, "a Tensor without dims has no parts",
           lambda: dist.all_to_all_single(tt.tensor(1.0), tt.tensor(1.0)))
    raises(ValueError, "do not fit", lambda: dist.all_to_all_single(
        tt.ones(n), tt.ones(n), [-1, n + 1, *[0] * (n - 2)]))
    raises(ValueError, "one for each", lambda: dist.all_gather([tt.ones(1)], tt.ones(1)))
    raises(ValueError, "times as many",
           lambda: dist.all_gather_into_tensor(tt.ones(5), tt.ones(2)))


@on(3)
def uneven_parts() -> None:
    parts = [tt.zeros(i + 1) for i in range(3)]
    dist.all_gather(parts, tt.full((rank() + 1,), float(rank())))
    assert [p.tolist() for p in parts] == [[0], [1, 1], [2, 2, 2]]
    out = tt.zeros(rank() + 1)
    dist.reduce_scatter(out, [tt.full((i + 1,), float(rank() + i)) for i in range(3)])
    assert out.tolist() == [3.0 + 3 * rank()] * (rank() + 1)


@on(3)
def groups() -> None:
    assert dist.group.WORLD is not None and dist.get_backend() == "mpi"
    pair = dist.new_group([2, 0])  # in the order of their ranks
    alone = dist.new_group([1])
    x = tt.full((2,), rank() + 1.0)
    if rank() == 1:
        assert pair is dist.GroupMember.NON_GROUP_MEMBER and dist.get_rank(pair) == -1
        assert dist.all_reduce(x, group=pair) is None and x.tolist() == [2, 2]
        assert (dist.get_rank(alone), dist.get_world_size(alone)) == (0, 1)
        dist.all_reduce(x, group=alone)
        assert x.tolist() == [2, 2]
    else:
        assert dist.get_process_group_ranks(pair) == [0, 2]
        assert dist.get_rank(pair) == rank() // 2 and dist.get_world_size(pair) == 2
        assert dist.get_group_rank(pair, 2) == 1 and dist.get_global_rank(pair, 1) == 2
        dist.all_reduce(x, group=pair)
        assert x.tolist() == [4, 4]
        dist.broadcast(x.zero_() if rank() == 2 else x, src=2, group=pair)
        assert x.tolist() == [0, 0]
        raises(ValueError, "rank 1 is not in",
               lambda: dist.broadcast(x, src=1, group=pair))
        dist.destroy_process_group(pair)
        raises(RuntimeError, "was destroyed by", lambda: dist.all_reduce(x, group=pair))
        raises(ValueError, "was destroyed before", lambda: dist.destroy_process_group(pair))
    raises(ValueError, "must be different", lambda: dist.new_group([0, 0]))
    own, made = dist.new_subgroups_by_enumeration([[2, 0]])
    assert (own is None) == (rank() == 1) and len(made) == 1 and (own or made[0]) is made[0]
    dist.barrier(made[0])
    raises(ValueError, "each rank in one of them at most",
           lambda: dist.new_subgroups_by_enumeration([[0, 1], [1, 2]]))
    dist.barrier()


@on(2, 3)
def destroying_the_groups_frees_their_communicators() -> None:
    group = dist.new_group()
    dist.all_reduce(tt.ones(3), group=group)
    model = DistributedDataParallel(nn.Linear(2, 1), process_group=group)
    model(tt.ones(1, 2)).sum().backward()
    made = [*group.communicators, *model.process_group.communicators]
    dist.destroy_process_group(group)
    assert len(made) >= 5 and all(comm == type(comm)() for comm in made), "not all are freed"
    raises(RuntimeError, "was destroyed", lambda: model(tt.ones(1, 2)).sum().backward())
    world_group = dist.group.WORLD
    kept = dist.new_group()
    dist.all_reduce(tt.ones(3), group=kept)
    made = [*world_group.communicators, *kept.communicators]
    dist.destroy_process_group()
    assert not dist.is_initialized() and all(comm == type(comm)() for comm in made)
    dist.init_process_group("gloo")
    assert dist.group.WORLD is not world_group
    for group in (world_group, kept):
        raises(RuntimeError, "was destroyed", lambda group=group: dist.barrier(group))
    dist.all_reduce(x := tt.ones(3))
    assert x.tolist() == [world()] * 3


@on(2)
def a_mismatch_is_an_error_on_all_ranks() -> None:
    raises(RuntimeError, "the ranks have called different collectives",
           lambda: dist.all_reduce(tt.ones(50 + rank())))
    raises(RuntimeError, "rank 1 broadcast((51,), float32, from 0)",
           lambda: dist.broadcast(tt.ones(51), 0) if rank()
           else dist.all_reduce(tt.ones(51)))
    x = tt.ones(2)  # and the group can be used on
    dist.all_reduce(x)
    assert x.tolist() == [2, 2]


@on(2)
def cores_are_shared() -> None:
    assert os.environ["LOCAL_WORLD_SIZE"] == "2"
    assert int(os.environ["LOCAL_RANK"]) == int(os.environ["RANK"]) == rank()
    assert dist.get_node_local_rank() == rank()
