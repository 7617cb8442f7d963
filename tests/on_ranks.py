"""Checks that run on several ranks; test_distributed.py starts this program.

    mpiexec -n 2 python tests/on_ranks.py FILE

Every check runs on all ranks, next to the same program in PyTorch's gloo where that is the
reference. FILE gets the name of each check that has passed on all ranks. The first failure ends the
program with its traceback.
"""

from __future__ import annotations

import contextlib
import copy
import gc
import os
import pickle
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy

for _library in ("OMP", "OPENBLAS", "MKL"):
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")
os.environ.setdefault("TINYTENSOR_KERNELS", "0")
sys.path.insert(0, str(Path(__file__).parent.parent))

import nccl_stand_in  # noqa: E402
import strict_cupy  # noqa: E402

import tinytensor as tt  # noqa: E402
import tinytensor.distributed as dist  # noqa: E402
from tinytensor import nn, optim  # noqa: E402
from tinytensor.arrays import devices  # noqa: E402
from tinytensor.compat.modules import futures  # noqa: E402
from tinytensor.nn.parallel import DistributedDataParallel  # noqa: E402
from tinytensor.utils import resume  # noqa: E402
from tinytensor.utils.data import DataLoader, DistributedSampler, TensorDataset  # noqa: E402

CHECKS: dict[int, list[Callable[[], None]]] = {2: [], 3: []}
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    if os.environ.get("PMI_SIZE", os.environ.get("OMPI_COMM_WORLD_SIZE")) == "2":
        import torch
        import torch.distributed as torch_dist


def on(*sizes: int) -> Callable[[Callable[[], None]], Callable[[], None]]:
    def register(check: Callable[[], None]) -> Callable[[], None]:
        for size in sizes:
            CHECKS[size].append(check)
        return check

    return register


def rank() -> int:
    return dist.get_rank()


def world() -> int:
    return dist.get_world_size()


def raises(kind: type[BaseException] | tuple[type[BaseException], ...], match: str,
           function: Callable[[], Any]) -> None:
    try:
        function()
    except kind as error:
        assert match in str(error), str(error)
        return
    raise AssertionError(f"no {kind} with {match!r}")


def values(result: Any) -> Any:
    if isinstance(result, list | tuple):
        return [values(x) for x in result]
    return result.numpy() if hasattr(result, "numpy") else result


def agree(program: Callable[[Any, Any], Any]) -> None:
    """program(library, its distributed) gives the same here and in PyTorch's gloo."""
    mine, theirs = values(program(tt, dist)), values(program(torch, torch_dist))
    assert len(mine) == len(theirs)
    for a, b in zip(mine, theirs, strict=True):
        numpy.testing.assert_array_equal(a, b)
        assert not isinstance(a, numpy.ndarray) or a.dtype == b.dtype


# ---------------------------------------------------------------- collectives


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


# ---------------------------------------------------------------- data parallel training


def network(lib: Any, seed: int = 0) -> Any:
    """The same weights in both libraries."""
    n = lib.nn
    model = n.Sequential(n.Conv2d(1, 4, 3, padding=1), n.BatchNorm2d(4), n.ReLU(), n.Flatten(),
                         n.Linear(4 * 36, 24), n.Tanh(), n.Linear(24, 5))
    rng = numpy.random.default_rng(seed)
    with lib.no_grad():
        for p in model.parameters():
            p.copy_(lib.tensor(rng.normal(size=tuple(p.shape)) * 0.3, dtype=p.dtype))
    return model


def batch(lib: Any, size: int, dtype: Any, seed: int = 1) -> tuple[Any, Any]:
    rng = numpy.random.default_rng(seed)
    return (lib.tensor(rng.normal(size=(size, 1, 6, 6)), dtype=dtype),
            lib.tensor(rng.integers(0, 5, size)))


@on(2)
def gradients_equal_those_of_pytorchs_ddp() -> None:
    found = []
    for lib, ddp in ((tt, DistributedDataParallel), (torch, torch.nn.parallel.
                                                     DistributedDataParallel)):
        model = ddp(network(lib), bucket_cap_mb=0.001)
        x, y = batch(lib, 12, lib.float32)
        x, y = x[rank()::2], y[rank()::2]
        kept = []
        for step in range(3):
            if step == 1:  # two batches before the gradients are averaged
                with model.no_sync():
                    lib.nn.functional.cross_entropy(model(x * 2), y).backward()
            lib.nn.functional.cross_entropy(model(x), y).backward()
            kept += [p.grad.numpy().copy() for p in model.parameters()]
            if step == 1:
                model.zero_grad()
        kept += [b.numpy().copy() for b in model.buffers()]
        found.append(kept)
    for mine, theirs in zip(*found, strict=True):
        numpy.testing.assert_allclose(mine, theirs, 1e-6, 1e-6)


def _trained_with(lib: Any, ddp: Any, hook: Any, state: Any = None, **options: Any) -> list[Any]:
    """The gradients of two steps, the second of which has two backwards."""
    model = ddp(network(lib), bucket_cap_mb=0.001, **options)
    model.register_comm_hook(state, hook)
    x, y = batch(lib, 12, lib.float32)
    x, y = x[rank()::2], y[rank()::2]
    kept = []
    for step in range(2):
        model.zero_grad()
        if step:
            with model.no_sync():
                lib.nn.functional.cross_entropy(model(x * 2), y).backward()
        lib.nn.functional.cross_entropy(model(x), y).backward()
        kept += [p.grad.numpy().copy() for p in model.parameters()]
    return kept


@on(2)
def hooks_equal_those_of_pytorch() -> None:
    from torch.distributed.algorithms.ddp_comm_hooks import debugging_hooks as their_debugging
    from torch.distributed.algorithms.ddp_comm_hooks import default_hooks as their_hooks

    from tinytensor.distributed.algorithms.ddp_comm_hooks import debugging_hooks, default_hooks

    def own(lib: Any, d: Any) -> Any:
        """A hook of a program: every method of the bucket, and several Futures."""
        def hook(state: Any, bucket: Any) -> Any:
            gradients, parameters = bucket.gradients(), bucket.parameters()
            assert [g.shape for g in gradients] == [p.shape for p in parameters]
            assert sum(g.numel() for g in gradients) == bucket.buffer().numel()
            state.append((bucket.index(), bucket.is_last()))
            gradients[0].mul_(3)
            bucket.set_buffer(bucket.buffer() * (bucket.index() + 1))
            first = d.all_reduce(bucket.buffer(), async_op=True).get_future()
            other = d.all_reduce(lib.ones(1), async_op=True).get_future()
            return lib.futures.collect_all([first, other]).then(
                lambda both: both.value()[0].value()[0] / both.value()[1].value()[0])

        return hook

    theirs_ddp = torch.nn.parallel.DistributedDataParallel
    for mine, theirs, exact in (
            (default_hooks.allreduce_hook, their_hooks.allreduce_hook, 1e-6),
            (debugging_hooks.noop_hook, their_debugging.noop_hook, 1e-6),
            (default_hooks.fp16_compress_hook, their_hooks.fp16_compress_hook, 2e-3),
            (default_hooks.fp16_compress_wrapper(default_hooks.allreduce_hook),
             their_hooks.fp16_compress_wrapper(their_hooks.allreduce_hook), 2e-3)):
        for options in ({}, {"gradient_as_bucket_view": True}):
            for a, b in zip(_trained_with(tt, DistributedDataParallel, mine, **options),
                            _trained_with(torch, theirs_ddp, theirs, **options), strict=True):
                numpy.testing.assert_allclose(a, b, exact, exact / 4)
    orders: list[Any] = []
    _trained_with(tt, DistributedDataParallel, own(tt, dist), orders)
    count = 1 + max(index for index, _ in orders)
    assert orders[-count:] == [(i, i == count - 1) for i in range(count)] and count > 1


@on(2, 3)
def hooks_in_join_in_one_rank_and_in_errors() -> None:
    from tinytensor.distributed.algorithms import ddp_comm_hooks

    kind = ddp_comm_hooks.DDPCommHookType
    results = []
    for hooked in (False, True):
        model = DistributedDataParallel(without_batch_norm(), bucket_cap_mb=0.001)
        if hooked:
            ddp_comm_hooks.register_ddp_comm_hook(kind.ALLREDUCE, model)
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        with model.join():
            for step in range(rank() + 1):
                x, y = batch(tt, 4, tt.float64, 10 * step + rank())
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(x), y).backward()
                optimizer.step()
        results.append([p.detach().numpy() for p in model.parameters()])
    for a, b in zip(*results, strict=True):
        numpy.testing.assert_allclose(a, b, 1e-10, 1e-12)
    raises(RuntimeError, "has a communication hook already",
           lambda: model.register_comm_hook(None, print))
    alone = [dist.new_group([i]) for i in range(world())][rank()]
    for hook, scale in ((lambda state, bucket: _future(bucket.buffer() * state), 5.0),
                        (lambda state, bucket: _future([bucket.buffer() * state]), 2.0)):
        model = DistributedDataParallel(nn.Linear(2, 1), process_group=alone)
        model.register_comm_hook(scale, hook)
        model(tt.ones(1, 2)).sum().backward()
        assert model.module.weight.grad.tolist() == [[scale, scale]]
    for hook, message in ((lambda state, bucket: bucket.buffer(), "must return a torch.futures"),
                          (lambda state, bucket: _future(3.0), "must give a Tensor, or a list"),
                          (lambda state, bucket: _future(tt.ones(1)), "has 1 elements, the bu")):
        model = DistributedDataParallel(nn.Linear(2, 1), process_group=alone)
        model.register_comm_hook(None, hook)
        raises((TypeError, ValueError), message,
               lambda model=model: model(tt.ones(1, 2)).sum().backward())
    raises(TypeError, "expected a function", lambda: model.register_comm_hook(None, "allreduce"))


def _future(value: Any) -> Any:
    future: Any = futures.Future()
    future.set_result(value)
    return future


def losses(model: Any, options: dict[str, Any], steps: int = 12) -> Any:
    """Training on a global batch of 12, of which this rank has its part."""
    me, n = options.pop("part", (0, 1))
    optimizer = options.pop("optimizer", optim.AdamW)(model.parameters(), lr=0.01)
    scaler = tt.amp.GradScaler(enabled=options.pop("scale", False))
    kept = []
    for step in range(steps):
        x, y = batch(tt, 12, tt.float64, step)
        loss = nn.functional.cross_entropy(model(x[me::n]), y[me::n])
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        kept.append(loss.item())
    mean = tt.tensor(kept, dtype=tt.float64)
    if n > 1:
        dist.all_reduce(mean, dist.ReduceOp.AVG)
    return mean.numpy()


def without_batch_norm(seed: int = 0) -> nn.Module:
    model = network(tt, seed).double()
    model[1] = nn.GroupNorm(2, 4, dtype=tt.float64)
    return model


@on(2, 3)
def losses_equal_those_of_one_process() -> None:
    alone = losses(without_batch_norm(), {})
    options: tuple[dict[str, Any], ...] = (
        {}, {"bucket_cap_mb": 0.001}, {"find_unused_parameters": True, "bucket_cap_mb": 0.002},
        {"gradient_as_bucket_view": True, "bucket_cap_mb": 0.001})
    for given_options in options:
        model = DistributedDataParallel(without_batch_norm(seed=rank()), **given_options)
        together = losses(model, {"part": (rank(), world()), "scale": bool(given_options)})
        assert abs(together - alone).max() < 1e-10, given_options
        for p in model.parameters():  # the same on all ranks, to the bit
            first = p.detach().clone()
            dist.broadcast(first, 0)
            assert bool((first == p).all())


@on(2)
def gradients_add_up_over_backwards_without_zero_grad() -> None:
    x, y = batch(tt, 12, tt.float64)
    alone = without_batch_norm()
    for options in ({}, {"gradient_as_bucket_view": True},
                    {"gradient_as_bucket_view": True, "find_unused_parameters": True}):
        model = DistributedDataParallel(without_batch_norm(), **options)
        alone.zero_grad()
        for start in (0, 4, 8):
            whole, part = slice(start, start + 4), slice(start + 2 * rank(), start + 2 * rank() + 2)
            nn.functional.cross_entropy(alone(x[whole]), y[whole]).backward()
            nn.functional.cross_entropy(model(x[part]), y[part]).backward()
            for p, q in zip(alone.parameters(), model.parameters(), strict=True):
                numpy.testing.assert_allclose(q.grad.numpy(), p.grad.numpy(), 1e-9, 1e-12)


@on(2)
def a_copy_of_the_model_averages_its_own_gradients() -> None:
    x, y = batch(tt, 4, tt.float64)
    model = DistributedDataParallel(without_batch_norm())
    other = copy.deepcopy(model)
    alone = without_batch_norm()
    nn.functional.cross_entropy(alone(x), y).backward()
    nn.functional.cross_entropy(other(x[rank()::2]), y[rank()::2]).backward()
    for p, q, r in zip(alone.parameters(), other.parameters(), model.parameters(), strict=True):
        numpy.testing.assert_allclose(q.grad.numpy(), p.grad.numpy(), 1e-9, 1e-12)
        assert r.grad is None
    raises(TypeError, "cannot be pickled", lambda: pickle.dumps(model))


@on(2)
def communicators_of_models_that_are_gone_are_free_again() -> None:
    group = dist.group.WORLD
    for _ in range(5):
        DistributedDataParallel(nn.Linear(1, 1))
        gc.collect()
    assert len(group.lent) - sum(made() is not None for made, _ in group.lent.values()) <= 1


@on(2)
def buckets_follow_the_first_backward_and_overlap_it() -> None:
    model = DistributedDataParallel(without_batch_norm(), bucket_cap_mb=0.001)
    x, y = batch(tt, 4, tt.float64)
    sent = []
    reducer = model._reducer
    original = reducer.group.transport.all_reduce

    class Spy:
        def all_reduce(self, array: Any, *args: Any) -> Any:
            sent.append(len(arrived))
            return original(array, *args)

        def __getattr__(self, name: str) -> Any:
            return getattr(transport, name)

    transport, reducer.group.transport = reducer.group.transport, Spy()
    arrived: list[Any] = []
    below = type(reducer).arrived
    reducer.arrived = lambda i, g: (arrived.append(i), below(reducer, i, g))
    for _ in range(2):
        arrived.clear()
        sent.clear()
        nn.functional.cross_entropy(model(x), y).backward()
    # The first of several buckets is sent when one gradient, or two, have arrived.
    assert len(reducer.buckets) == len(sent) == 3 and sent == [2, 3, 8], sent
    assert [i for b in reducer.buckets for i in b.parts] == arrived
    assert arrived[0] > arrived[-1], "the last layer's gradients arrive first"


class Branches(nn.Module):
    """Uses one branch or the other, and tied weights."""

    def __init__(self) -> None:
        super().__init__()
        tt.manual_seed(0)
        self.first, self.second = nn.Linear(3, 3), nn.Linear(3, 3)
        self.never = nn.Linear(3, 3)
        self.last = nn.Linear(3, 3, bias=False)
        self.last.weight = self.first.weight

    def forward(self, x: Any, second: bool) -> Any:
        return self.last((self.second if second else self.first)(x))


@on(2)
def unused_parameters() -> None:
    model = DistributedDataParallel(Branches(), find_unused_parameters=True)
    x = tt.ones(2, 3)
    for _ in range(2):
        model.zero_grad()
        model(x, rank() == 1).sum().backward()
        assert model.module.never.weight.grad is None
        alone = Branches()
        (alone(x, False).sum() / 2 + alone(x, True).sum() / 2).backward()
        for name, p in alone.named_parameters():
            if p.grad is not None:
                mine = model.module.get_parameter(name).grad
                numpy.testing.assert_allclose(mine.numpy(), p.grad.numpy(), 1e-5)
    strict = DistributedDataParallel(Branches())
    raises(RuntimeError, "second.weight, second.bias, never.weight, never.bias",
           lambda: strict(x, False).sum().backward())


@on(2)
def several_forwards_late_gradients_and_checkpoints() -> None:
    """Gradients of one backward that come from several forwards, or beside the model."""
    from tinytensor.utils.checkpoint import checkpoint

    class Checkpointed(nn.Module):
        def __init__(self, inner: nn.Module) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, x: Any) -> Any:
            return checkpoint(self.inner, x)

    x, y = batch(tt, 8, tt.float64)
    mine, my_labels = x[rank()::2], y[rank()::2]

    def loss_of(model: Any, inner: Any, x: Any, y: Any) -> Any:
        before = sum((p * p).sum() for p in inner.parameters())  # older than the forward's nodes
        both = nn.functional.cross_entropy(model(x), y) + nn.functional.cross_entropy(
            model(x * 2), y)
        return both + 0.1 * before + 0.01 * sum((p ** 3).sum() for p in inner.parameters())

    alone = without_batch_norm()
    loss_of(alone, alone, x, y).backward()
    for wrap in (lambda m: m, Checkpointed):
        for options in ({"bucket_cap_mb": 0.001}, {}):
            inner = without_batch_norm()
            model = DistributedDataParallel(wrap(inner), **options)
            for _ in range(2):
                model.zero_grad()
                loss_of(model, inner, mine, my_labels).backward()
            nn.functional.cross_entropy(model(mine), my_labels)  # a forward without a backward
            model.zero_grad()
            loss_of(model, inner, mine, my_labels).backward()
            for p, q in zip(alone.parameters(), inner.parameters(), strict=True):
                numpy.testing.assert_allclose(q.grad.numpy(), p.grad.numpy(), 1e-10, 1e-12)


@on(2)
def retained_graphs_penalties_and_frozen_layers() -> None:
    model = DistributedDataParallel(without_batch_norm())
    x, y = batch(tt, 4, tt.float64)
    loss = nn.functional.cross_entropy(model(x), y)
    loss.backward(retain_graph=True)
    once = [p.grad.clone() for p in model.parameters()]
    loss.backward()
    for p, g in zip(model.parameters(), once, strict=True):
        numpy.testing.assert_allclose(p.grad.numpy(), 2 * g.numpy(), 1e-10)
    x.requires_grad_()
    (gradient,) = tt.autograd.grad(model(x).sum(), x, create_graph=True)
    model.zero_grad()
    ((gradient ** 2).sum() + model(x).sum()).backward()
    raises(RuntimeError, "create_graph=True",
           lambda: model(x).sum().backward(create_graph=True))
    frozen = without_batch_norm()
    frozen[0].requires_grad_(False)
    model = DistributedDataParallel(frozen)
    nn.functional.cross_entropy(model(x.detach()), y).backward()
    assert frozen[0].weight.grad is None and frozen[6].weight.grad is not None
    frozen.requires_grad_(False)
    raises(RuntimeError, "no parameter of the module requires grad",
           lambda: DistributedDataParallel(frozen))


@on(2, 3)
def ranks_with_different_numbers_of_batches() -> None:
    counts = [4, 1, 2][:world()]
    for whole in (True, False):
        alone = without_batch_norm()
        model = DistributedDataParallel(without_batch_norm(), bucket_cap_mb=0.001)
        optimizers = [optim.SGD(m.parameters(), lr=0.1) for m in (alone, model)]
        with model.join(divide_by_initial_world_size=whole):
            for step in range(counts[rank()]):
                x, y = batch(tt, 4, tt.float64, 10 * step + rank())
                optimizers[1].zero_grad()
                nn.functional.cross_entropy(model(x), y).backward()
                optimizers[1].step()
        for step in range(max(counts)):
            active = [r for r in range(world()) if counts[r] > step]
            optimizers[0].zero_grad()
            for r in active:
                x, y = batch(tt, 4, tt.float64, 10 * step + r)
                loss = nn.functional.cross_entropy(alone(x), y)
                (loss / (world() if whole else len(active))).backward()
            optimizers[0].step()
        for p, q in zip(alone.parameters(), model.parameters(), strict=True):
            numpy.testing.assert_allclose(q.detach().numpy(), p.detach().numpy(), 1e-10, 1e-12)

    def until_the_first_ends() -> None:
        with model.join(throw_on_early_termination=True):
            for step in range(counts[rank()]):
                x, y = batch(tt, 4, tt.float64, step)
                nn.functional.cross_entropy(model(x), y).backward()

    raises(RuntimeError, "rank 1 has no more batches", until_the_first_ends)


@on(2)
def outputs_of_any_structure() -> None:
    class Structured(nn.Linear):
        def forward(self, x: Any) -> Any:
            y = super().forward(x)
            return {"pair": (y, [y * 2, "text", None]), "number": 3.0, "given": x}

    model = DistributedDataParallel(Structured(3, 3))
    out = model(tt.full((1, 3), rank() + 1.0))
    assert out["number"] == 3.0 and out["pair"][1][1:] == ["text", None]
    (out["pair"][0] + out["pair"][1][0]).sum().backward()
    assert model.module.weight.grad.tolist() == [[4.5] * 3] * 3

    class Hidden(nn.Linear):
        def forward(self, x: Any) -> Any:
            return lambda: super().forward(x)

    raises(TypeError, "returned a function, in which no Tensors can be found",
           lambda: DistributedDataParallel(Hidden(2, 2))(tt.ones(1, 2)))


@on(2)
def different_models_are_named() -> None:
    raises(RuntimeError, "number 1 is 'bias', (3,), float32 on rank 0 and 'bias', (4,), float32",
           lambda: DistributedDataParallel(BiasOf(3 + rank())))
    raises(RuntimeError, "number 2 is missing on rank 0 and '1.weight', (2, 2), float32 on rank 1",
           lambda: DistributedDataParallel(nn.Sequential(
               *[nn.Linear(2, 2) for _ in range(rank() + 1)])))
    raises(RuntimeError, "has no shape yet",
           lambda: DistributedDataParallel(nn.LazyLinear(3)))
    raises(ValueError, "a process uses one GPU",
           lambda: DistributedDataParallel(nn.Linear(2, 2), device_ids=[0, 1]))


class BiasOf(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(tt.ones(2, 2)), nn.Parameter(tt.ones(size))


@on(2)
def state_dicts_have_the_inner_names() -> None:
    inner = network(tt)
    model = DistributedDataParallel(inner)
    assert list(model.state_dict()) == list(inner.state_dict())
    other = network(tt, seed=5)
    model.load_state_dict(other.state_dict())
    assert bool((inner[0].weight == other[0].weight).all())
    model.load_state_dict({f"module.{k}": v for k, v in network(tt).state_dict().items()})
    assert not bool((inner[0].weight == other[0].weight).all())
    within = nn.ModuleDict({"net": model})
    assert "net.0.weight" in within.state_dict()
    within.load_state_dict(within.state_dict())
    assert next(name for name, _ in model.named_parameters()) == "module.0.weight"


@on(2, 3)
def synchronized_batch_norm_equals_that_of_the_whole_batch() -> None:
    sizes = [[5, 7], [3, 8, 1]][world() - 2]  # batches may differ in size
    start = sum(sizes[:rank()])
    x, y = batch(tt, 12, tt.float64)
    mine = slice(start, start + sizes[rank()])
    for momentum in (0.1, None):
        alone = network(tt).double()
        alone[1].momentum = momentum
        model = nn.SyncBatchNorm.convert_sync_batchnorm(network(tt).double())
        assert isinstance(model[1], nn.SyncBatchNorm) and model[1].weight is not alone[1].weight
        model[1].momentum = momentum
        model = DistributedDataParallel(model, bucket_cap_mb=0.001)
        for _ in range(2):
            alone.zero_grad()
            model.zero_grad()
            loss = nn.functional.cross_entropy(alone(x), y, reduction="sum")
            loss.backward()
            part = nn.functional.cross_entropy(model(x[mine]), y[mine], reduction="sum")
            (part * world()).backward()  # the mean of the gradients is that of the sum
            dist.all_reduce(whole := part.detach())
            numpy.testing.assert_allclose(whole.item(), loss.item(), 1e-12)
        for p, q in zip(alone.parameters(), model.parameters(), strict=True):
            numpy.testing.assert_allclose(q.grad.numpy(), p.grad.numpy(), 1e-9, 1e-10)
        for p, q in zip(alone.buffers(), model.buffers(), strict=True):
            numpy.testing.assert_allclose(q.numpy(), p.numpy(), 1e-12)
        numpy.testing.assert_allclose(model.eval()(x).detach().numpy(),
                                      alone.eval()(x).detach().numpy(), 1e-9, 1e-10)
    layer, plain = nn.SyncBatchNorm(3).double(), nn.BatchNorm1d(3).double()
    inputs = tt.tensor(numpy.random.default_rng(0).normal(size=(2 * world(), 3)))
    total = 0.0
    for norm, rows in ((layer, inputs[rank()::world()]), (plain, inputs)):
        leaf = rows.clone().requires_grad_()
        (first,) = tt.autograd.grad((norm(leaf) ** 3).sum(), leaf, create_graph=True)
        (second,) = tt.autograd.grad((first ** 2).sum(), leaf)
        total = second if norm is layer else second[rank()::world()]
        if norm is layer:
            mine_second = second
    numpy.testing.assert_allclose(mine_second.numpy(), total.numpy(), 1e-8, 1e-10)
    raises(ValueError, "the input must be (N, C, *)", lambda: layer(tt.ones(3)))
    half = nn.SyncBatchNorm(1).half()
    out = half(tt.arange(2.0).half().repeat(1, 1, 40_000))  # the sum and the count exceed float16
    assert out.dtype is tt.float16 and out.detach().abs().sub(1).abs().max().item() < 1e-2
    assert half.running_mean.dtype is tt.float16 and abs(half.running_mean.item() - 0.05) < 1e-3


@on(2, 3)
def zero_equals_the_whole_optimizer_with_a_part_of_the_state() -> None:
    for kind, options in ((optim.AdamW, {"lr": 0.01, "amsgrad": True}),
                          (optim.SGD, {"lr": 0.1, "momentum": 0.9})):
        runs = []
        for zero in (False, True):
            model = DistributedDataParallel(without_batch_norm())
            decayed = list(model.parameters())
            groups = [{"params": decayed[:3]}, {"params": decayed[3:], "weight_decay": 0.1}]
            optimizer = optim.ZeroRedundancyOptimizer(groups, kind, **options) if zero \
                else kind(groups, **options)
            schedule = optim.lr_scheduler.StepLR(optimizer, 3, 0.5)
            scaler = tt.amp.GradScaler()
            for step in range(8):
                x, y = batch(tt, 6, tt.float64, step)
                loss = nn.functional.cross_entropy(model(x[rank()::world()]), y[rank()::world()])
                optimizer.zero_grad()
                scaler.scale(loss).backward()
                scaler.step(optimizer)
                scaler.update()
                schedule.step()
                if step == 4 and zero:  # into another optimizer, by way of rank 0
                    raises(RuntimeError, "call consolidate_state_dict", optimizer.state_dict)
                    optimizer.consolidate_state_dict()
                    sent = [optimizer.state_dict() if rank() == 0 else None]
                    dist.broadcast_object_list(sent)
                    optimizer = optim.ZeroRedundancyOptimizer(groups, kind, **options)
                    optimizer.load_state_dict(sent[0])
                    schedule.optimizer = optimizer
            runs.append((model, optimizer))
        (whole, full), (parts, zero_optimizer) = runs
        for p, q in zip(whole.parameters(), parts.parameters(), strict=True):
            numpy.testing.assert_array_equal(p.detach().numpy(), q.detach().numpy())
        counts: list[Any] = [None] * world()
        dist.all_gather_object(counts, len(zero_optimizer.state))
        assert sum(counts) == len(full.state) == 8 and min(counts) > 0, counts
        zero_optimizer.consolidate_state_dict()
        if rank() == 0:
            mine, theirs = zero_optimizer.state_dict(), full.state_dict()
            assert mine["param_groups"] == theirs["param_groups"]
            assert mine["state"].keys() == theirs["state"].keys()
            for number, state in theirs["state"].items():
                for name, value in state.items():
                    numpy.testing.assert_array_equal(values(mine["state"][number][name]),
                                                     values(value))
            zero_optimizer.load_state_dict(theirs)  # what was brought together is out of date
            raises(RuntimeError, "consolidate_state_dict(to=0)", zero_optimizer.state_dict)
    raises(TypeError, "got <class 'tinytensor.optim.lbfgs.LBFGS'>",
           lambda: optim.ZeroRedundancyOptimizer(groups, optim.LBFGS))


# ---------------------------------------------------------------- GPUs


@contextlib.contextmanager
def stand_in_gpu() -> Iterator[None]:
    """CuPy's and NCCL's stand-ins as device "cuda". With a CuPy that works on a CPU, that one."""
    if devices.cuda_is_available():
        cuda = devices.cupy().cuda
        before, cuda.nccl = getattr(cuda, "nccl", None), nccl_stand_in.module
        yield
        cuda.nccl = before
        return
    cuda = strict_cupy.cuda
    cuda.nccl, cuda.Event, cuda.Stream.null.ptr = nccl_stand_in.module, nccl_stand_in.Event, 0
    with strict_cupy.installed(devices):
        yield
    del cuda.nccl, cuda.Event


@on(2, 3)
def tensors_on_gpus() -> None:
    """The same collectives on the CPU, on a GPU through NCCL, and on a GPU through MPI."""
    def program(group: Any, device: str) -> list[Any]:
        me, n = rank(), world()
        results = []
        for dtype in (tt.float32, tt.float64, tt.int64, tt.float16):
            def mine(*shape: int, dtype: Any = dtype) -> Any:
                return (tt.arange(6).reshape(shape or (2, 3)) + me).to(dtype).to(device)

            for op in (dist.ReduceOp.SUM, dist.ReduceOp.MAX):
                x, y = mine(), mine()
                work = dist.all_reduce(x, op, group, async_op=True)
                assert work.wait() and work.is_completed()
                dist.reduce(y, 1, op, group)
                results += [x, y if me == 1 else mine()]
            x, strided = mine(), mine().t()
            dist.broadcast(x, 1, group)
            dist.all_reduce(strided, group=group)
            parts = [tt.zeros_like(x) for _ in range(n)]
            dist.all_gather(parts, mine(), group)
            uneven = [tt.zeros(i + 1, dtype=dtype, device=device) for i in range(n)]
            dist.all_gather(uneven, uneven[me] + me, group)
            whole = tt.zeros(2 * n, 3, dtype=dtype, device=device)
            dist.all_gather_into_tensor(whole, mine(), group)
            row = tt.zeros(6 // n, dtype=dtype, device=device)
            dist.reduce_scatter_tensor(row, mine(6), group=group)
            scattered, gathered = tt.zeros_like(x), [tt.zeros_like(x) for _ in range(n)]
            dist.scatter(scattered, [mine() + i for i in range(n)] if me == 0 else None, 0, group)
            dist.gather(mine(), gathered if me == 0 else None, 0, group)
            swapped = tt.zeros(6, dtype=dtype, device=device)
            dist.all_to_all_single(swapped, mine(6), group=group)
            if me == 0:
                dist.send(mine(), 1, group)
            elif me == 1:
                assert dist.recv(x, 0, group) == 0
            results += [x, strided, *parts, *uneven, whole, row, scattered, *gathered, swapped]
        average = tt.full((3,), float(me), device=device)
        dist.all_reduce(average, dist.ReduceOp.AVG, group)
        dist.barrier(group)
        model = DistributedDataParallel(without_batch_norm().to(device), process_group=group,
                                        bucket_cap_mb=0.001, find_unused_parameters=True)
        x, y = batch(tt, 4, tt.float64, me)
        nn.functional.cross_entropy(model(x.to(device)), y.to(device)).backward()
        return [*results, average, *(p.grad for p in model.parameters())]

    reference = program(dist.new_group(backend="gloo"), "cpu")
    with stand_in_gpu():
        for backend in ("nccl", "gloo"):
            nccl_stand_in.calls.clear()
            found = program(dist.new_group(backend=backend), "cuda")
            assert bool(nccl_stand_in.calls) == (backend == "nccl")
            for a, b in zip(found, reference, strict=True):
                assert a.is_cuda and a.dtype is b.dtype
                numpy.testing.assert_allclose(a.cpu().numpy(), b.numpy(), 1e-12, 1e-14)
        group = dist.new_group(backend="nccl")
        raises(ValueError, "NCCL has no ReduceOp.BAND", lambda: dist.all_reduce(
            tt.ones(2, dtype=tt.int64, device="cuda"), dist.ReduceOp.BAND, group))
        raises(TypeError, "NCCL has no int16", lambda: dist.all_reduce(
            tt.ones(2, dtype=tt.int16, device="cuda"), group=group))


# ---------------------------------------------------------------- checkpoints


class Run:
    """A training run that may be saved, with dropout and noise of its own on each rank."""

    def __init__(self, dropout: float) -> None:
        tt.manual_seed(rank())
        self.noise = numpy.random.default_rng(rank())
        x, y = batch(tt, 48, tt.float64)
        self.sampler = DistributedSampler(range(48), seed=3)
        self.loader = DataLoader(TensorDataset(x, y), 12 // world(), sampler=self.sampler)
        model = without_batch_norm()
        model[5] = nn.Sequential(nn.Tanh(), nn.Dropout(dropout))
        self.model = DistributedDataParallel(model)
        self.optimizer = optim.Adam(self.model.parameters(), lr=0.01)
        self.parts = {"model": self.model, "optimizer": self.optimizer, "loader": self.loader,
                      "random": resume.RandomState(), "noise": self.noise}
        self.dropout, self.epoch, self.losses = dropout, 0, []
        self.running: Iterator[None] | None = None

    def steps(self) -> Iterator[None]:
        while True:
            self.sampler.set_epoch(self.epoch)
            for x, y in self.loader:
                if self.dropout:
                    x = x + 0.1 * tt.tensor(self.noise.normal(size=x.shape))
                loss = nn.functional.cross_entropy(self.model(x), y)
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                dist.all_reduce(mean := loss.detach(), dist.ReduceOp.AVG)
                self.losses.append(mean.item())
                yield
            self.epoch += 1

    def train(self, batches: int) -> None:
        self.running = self.running or self.steps()
        for _ in range(batches):
            next(self.running)

    def weights(self) -> list[Any]:
        return [p.detach().numpy().copy() for p in self.model.parameters()]


@on(2)
def a_resumed_run_has_the_same_bits() -> None:
    whole = Run(0.5)
    whole.train(6)  # the middle of the second epoch
    resume.save_checkpoint(file := f"{sys.argv[1]}.dropout", **whole.parts)
    whole.train(6)
    again = Run(0.5)
    resume.load_checkpoint(file, **again.parts)
    again.epoch = 1
    again.train(6)
    assert again.losses == whole.losses[6:]
    for a, b in zip(again.weights(), whole.weights(), strict=True):
        numpy.testing.assert_array_equal(a, b)
    held = tt.load(file)
    assert len(held["ranks"]) == 1 and "0.weight" in held["model"]
    plain = Run(0)
    plain.train(6)
    resume.save_checkpoint(f"{sys.argv[1]}.plain", **plain.parts)
    plain.train(6)
    if rank() == 0:
        numpy.save(f"{sys.argv[1]}.npy", plain.losses)
    raises(ValueError, "the name 'ranks' is taken",
           lambda: resume.save_checkpoint(file, ranks=whole.model))
    raises(OSError, "ot a directory",
           lambda: resume.save_checkpoint(f"{sys.argv[1]}/absent/file", model=whole.model))


@on(3)
def a_run_of_two_ranks_is_resumed_by_three() -> None:
    file = f"{sys.argv[1].removesuffix('3')}2"
    run = Run(0)
    resume.load_checkpoint(f"{file}.plain", **run.parts)
    run.epoch = 1
    run.train(6)
    numpy.testing.assert_allclose(run.losses, numpy.load(f"{file}.npy")[6:], 0, 1e-10)
    drawn: list[Any] = [None] * 3  # the third rank has random numbers of its own
    dist.all_gather_object(drawn, (tt.rand(1).item(), run.noise.random()))
    assert len(set(drawn)) == 3


def main() -> None:
    dist.init_process_group("mpi")
    if world() == 2:
        torch_dist.init_process_group("gloo", init_method=f"file://{sys.argv[1]}.store",
                                      rank=rank(), world_size=2)
    for check in CHECKS[world()]:
        check()
        dist.barrier()
        if rank() == 0:
            with open(sys.argv[1], "a") as file:
                file.write(f"{check.__name__}\n")
    if world() == 2:
        torch_dist.destroy_process_group()
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
