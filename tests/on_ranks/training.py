"""DistributedDataParallel, SyncBatchNorm and ZeroRedundancyOptimizer."""

from __future__ import annotations

import copy
import gc
import pickle
from typing import Any

import numpy

import tinytensor as tt
import tinytensor.distributed as dist
from tinytensor import nn, optim
from tinytensor.nn.parallel import DistributedDataParallel

from .common import batch, network, on, raises, rank, torch, values, without_batch_norm, world


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
