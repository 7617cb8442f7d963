"""Communication hooks of DistributedDataParallel."""

from __future__ import annotations

from typing import Any

import numpy

import tinytensor as tt
import tinytensor.distributed as dist
from tinytensor import nn, optim
from tinytensor.compat.modules import futures
from tinytensor.nn.parallel import DistributedDataParallel

from .common import batch, network, on, raises, rank, torch, without_batch_norm, world


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
                numpy.testing.assert_allclose(a, b, exact, exact)
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
