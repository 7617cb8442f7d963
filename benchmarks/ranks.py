"""What several ranks cost and gain. Start it with mpiexec.

    mpiexec -bind-to core -n 2 python -m benchmarks.ranks    # all of it; Open MPI: --bind-to core
    mpiexec -n 2 python -m benchmarks.ranks --only reduce    # all_reduce beside mpi4py, gloo
    mpiexec -n 2 python -m benchmarks.ranks --only scaling   # samples a second of 1 and all ranks
    mpiexec -n 2 python -m benchmarks.ranks --only steps     # communication, and the model of cost

Every rank uses one thread. What is compared runs in alternating turns, and the best turn counts:
other programs can only lengthen one. While one rank is measured alone, the others sleep.

scaling: a step with communication is also compared with the same step of all ranks at once without
any. That shows what the machine leaves: a core may be slower than the first, and all share memory.

steps: latency and bandwidth are measured, and the model of `distributed.cost` predicts the step of
each network from them and from a step without communication. Medians of single calls in turns. The
hidden share is what a step with communication takes less than a step without it and the
communication alone, divided by what could be hidden: the shorter of communication and backward. On
one machine the transport is work for the cores that compute, so there is nothing to hide.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

for _library in ("OMP", "OPENBLAS", "MKL"):
    os.environ[f"{_library}_NUM_THREADS"] = "1"

import importlib.util  # noqa: E402
from pathlib import Path  # noqa: E402

import tinytensor as tt  # noqa: E402
from tinytensor import distributed as dist  # noqa: E402
from tinytensor import nn, optim  # noqa: E402
from tinytensor.distributed import cost, mpi  # noqa: E402
from tinytensor.nn.parallel import DistributedDataParallel  # noqa: E402

ROUNDS = 5
tt.set_num_threads(1)


def say(*text: Any, sep: str = " ") -> None:
    if dist.get_rank() == 0:
        print(*text, sep=sep, flush=True)


def best(works: dict[str, Callable[[], Any]], calls: int, rounds: int = ROUNDS,
         ) -> dict[str, float]:
    """The seconds of a call, by work, in alternating turns: the least of the rounds, on rank 0."""
    found: dict[str, float] = {}
    for _ in range(rounds):
        for name, work in works.items():
            work()
            dist.barrier()
            begun = time.perf_counter()
            for _ in range(calls):
                work()
            seconds = (time.perf_counter() - begun) / calls
            found[name] = min(seconds, found.get(name, seconds))
    return found


# ---------------------------------------------------------------- all_reduce


def reductions() -> None:
    library = mpi.library()
    say("all_reduce of float32, µs; in brackets their time / ours")
    comm = library.COMM_WORLD.Dup()
    gloo = pytorch()
    for size in (1 << 10, 1 << 13, 1 << 16, 1 << 20, 1 << 23, 1 << 26):
        tensor = tt.ones(size // 4)
        works: dict[str, Callable[[], Any]] = {
            "mpi4py": partial(comm.Allreduce, library.IN_PLACE, tensor.numpy()),
            "tinytensor": partial(dist.all_reduce, tensor)}
        if gloo is not None:
            works["PyTorch's gloo"] = partial(gloo.distributed.all_reduce, gloo.ones(size // 4))
        found = best(works, *((5, 400) if size < 1 << 18 else (1, 30)))  # short: less disturbed
        ours = found.pop("tinytensor")
        say(f"{size:>10,} bytes: tinytensor {ours * 1e6:10.1f}", *(
            f"{name} {seconds * 1e6:10.1f} ({seconds / ours:.2f})"
            for name, seconds in found.items()), sep=", ")


def pytorch() -> Any:
    """PyTorch with a group of the same ranks, over gloo; None if it is not installed."""
    if importlib.util.find_spec("torch") is None:
        return None
    import torch
    import torch.distributed

    torch.set_num_threads(1)
    with socket.socket() as free:  # for the store of PyTorch's group
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = mpi.library().COMM_WORLD.bcast(f"tcp://127.0.0.1:{port}")
    torch.distributed.init_process_group("gloo", init_method=address, rank=dist.get_rank(),
                                         world_size=dist.get_world_size())
    return torch


# ---------------------------------------------------------------- training


def residual() -> tuple[nn.Module, Any]:
    """The residual network of the other benchmarks: 16, 32, 64 channels, batch 32 of 32² images."""
    class Block(nn.Module):
        def __init__(self, inputs: int, outputs: int) -> None:
            super().__init__()
            stride = outputs // inputs
            self.body = nn.Sequential(
                nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs),
                nn.ReLU(), nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
                nn.BatchNorm2d(outputs))
            self.short = nn.Identity() if stride == 1 \
                else nn.Conv2d(inputs, outputs, 1, stride, bias=False)

        def forward(self, x: Any) -> Any:
            return (self.body(x) + self.short(x)).relu()

    model = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
                          Block(16, 16), Block(16, 32), Block(32, 64), nn.AdaptiveAvgPool2d(1),
                          nn.Flatten(), nn.Linear(64, 10))
    return model, (tt.randn(32, 3, 32, 32), tt.randint(10, (32,)))


def gpt(width: int) -> Callable[[], tuple[nn.Module, Any]]:
    def make() -> tuple[nn.Module, Any]:
        sys.path.insert(0, str(Path(__file__).parent.parent / "examples"))
        module = importlib.import_module("06_gpt")
        config = module.Config(96, context=64, layers=4, heads=6, width=width)
        return module.GPT(config), (tt.randint(96, (8, 64)), tt.randint(96, (8, 64)))

    return make


def mlp() -> tuple[nn.Module, Any]:
    return (nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(),
                          nn.Linear(128, 10)), (tt.randn(128, 784), tt.randint(10, (128,))))


Models = dict[str, Callable[[], tuple[nn.Module, Any]]]
MODELS: Models = {"MLP 784-256-128-10, batch 128": mlp, "residual network, batch 32": residual,
          "GPT 384, 4 blocks, batch 8 x 64": gpt(384)}


def step_of(model: nn.Module, samples: Any) -> Callable[[], None]:
    optimizer = optim.SGD(model.parameters(), lr=1e-3)
    x, y = samples

    def step() -> None:
        logits = model(x)
        loss = nn.functional.cross_entropy(logits.flatten(0, -2), y.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def alone(step: Callable[[], None], calls: int) -> float:
    """The seconds of a step on rank 0 while all others sleep."""
    ready = mpi.library().COMM_WORLD
    ready.Barrier()
    if dist.get_rank() == 0:
        begun = time.perf_counter()
        for _ in range(calls):
            step()
        seconds = (time.perf_counter() - begun) / calls
        for other in range(1, ready.size):
            ready.send(seconds, other)
        return seconds
    while not ready.iprobe(source=0):
        time.sleep(0.002)
    return float(ready.recv(source=0))


def at_once(step: Callable[[], None], calls: int) -> float:
    """The seconds of a step while all ranks do it, of the slowest rank."""
    dist.barrier()
    begun = time.perf_counter()
    for _ in range(calls):
        step()
    dist.barrier()
    return (time.perf_counter() - begun) / calls


def scaling(models: Models, seconds: float) -> None:
    ranks = dist.get_world_size()
    say(f"weak scaling, {ranks} ranks with one thread each; best of {ROUNDS} alternating turns")
    one = dist.new_group([0])
    for name, make in models.items():
        tt.manual_seed(0)
        model, samples = make()
        plain = step_of(model, samples)
        tt.manual_seed(0)
        single = step_of(DistributedDataParallel(make()[0], process_group=one), samples) \
            if dist.get_rank() == 0 else plain
        tt.manual_seed(0)
        together = step_of(DistributedDataParallel(make()[0]), samples)
        for step in (plain, single, together):
            step() if step is together else alone(step, 1)
        calls = max(2, int(seconds / alone(plain, 2)))
        found: dict[str, float] = {}
        for _ in range(ROUNDS):
            turns = {"plain": alone(plain, calls), "single": alone(single, calls),
                     "beside": at_once(plain, calls), "together": at_once(together, calls)}
            for kind, value in turns.items():
                found[kind] = min(value, found.get(kind, value))
        gained = {kind: ranks * found["plain"] / found[kind] for kind in ("beside", "together")}
        say(f"{name}: alone {found['plain'] * 1e3:.2f} ms; with DDP on one rank "
            f"{found['single'] / found['plain'] - 1:+.1%}; {ranks} ranks "
            f"{found['together'] * 1e3:.2f} ms: {gained['together']:.2f} times the samples a "
            f"second ({gained['beside']:.2f} without any communication)")


# ---------------------------------------------------------------- communication


def medians(works: dict[str, Callable[[], None]], rounds: int) -> dict[str, float]:
    """The median seconds of single calls in turns, all ranks starting together, on rank 0."""
    found: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            dist.barrier()
            begun = time.perf_counter()
            work()
            found[name].append(time.perf_counter() - begun)
    return {name: statistics.median(times) for name, times in found.items()}


def steps(models: Models, seconds: float) -> None:
    latency, bandwidth = cost.measure()
    for name, make in models.items():
        tt.manual_seed(0)
        module, samples = make()
        size = sum(p.numel() for p in module.parameters()) * 4
        model = DistributedDataParallel(module, bucket_cap_mb=min(2, size / 5 / (1 << 20)))
        step, reducer = step_of(model, samples), model._reducer
        assert reducer is not None
        group = reducer.group

        def without(step: Any = step, model: Any = model) -> None:
            with model.no_sync():
                step()

        def forward(model: Any = model, samples: Any = samples) -> None:
            with model.no_sync(), tt.enable_grad():
                model(samples[0])

        def alone(reducer: Any = reducer, group: Any = group) -> None:
            for bucket in reducer.buckets:
                group.transport.all_reduce(bucket.flat, dist.ReduceOp.SUM, True)

        def after(step: Any = step, reducer: Any = reducer) -> None:
            reducer.forwards = 1  # as after a second forward: all is sent at the end
            step()

        works = {"without": without, "forward": forward, "alone": alone, "with": step,
                 "after": after}
        once = sum(medians(works, 2).values())
        rounds = [max(3, int(seconds * 20 / once))]
        dist.broadcast_object_list(rounds)
        found = medians(works, rounds[0])
        t0, t1, alone_, t2 = (found[k] for k in ("without", "with", "alone", "after"))
        backward = 1 - found["forward"] / t0  # with the optimizer, which is short here
        model_says = cost.seconds_with_buckets(
            [bucket.flat.nbytes for bucket in reducer.buckets], t0, dist.get_world_size(),
            bandwidth, latency, backward)
        hidden = (t0 + alone_ - t1) / min(alone_, t0 * backward)
        say(f"{name}, {size / 1e6:.1f} MB in {len(reducer.buckets)} buckets, {rounds[0]} rounds: "
            f"step {t0 * 1e3:.1f} ms without communication, of which {backward:.0%} backward; "
            f"communication alone {alone_ * 1e3:.1f}; step with it {t1 * 1e3:.1f} (model "
            f"{model_says * 1e3:.1f}: {model_says / t1 - 1:+.0%}), all sent after the backward "
            f"{t2 * 1e3:.1f}; hidden {f'{hidden:.0%}' if hidden > 0 else 'none'} of what can be")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("reduce", "scaling", "steps"),
                        help="one part (default: all)")
    parser.add_argument("--seconds", type=float, default=0.5,
                        help="of a turn (default: %(default)s)")
    parser.add_argument("--models", default="", metavar="TEXT",
                        help="those with this in their name (default: all)")
    args = parser.parse_args()
    models = {name: make for name, make in MODELS.items() if args.models in name}
    if not models:
        parser.error(f"--models {args.models}: none of {'; '.join(MODELS)} has it in its name")
    dist.init_process_group()
    if args.only in (None, "reduce"):
        reductions()
    if args.only in (None, "scaling"):
        scaling(models, args.seconds)
    if args.only in (None, "steps"):
        steps(models, args.seconds)


if __name__ == "__main__":
    main()
