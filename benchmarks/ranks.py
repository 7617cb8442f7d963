"""What several ranks cost and gain. Start it with mpiexec.

    mpiexec -bind-to core -n 2 python -m benchmarks.ranks    # all of it; Open MPI: --bind-to core
    mpiexec -n 2 python -m benchmarks.ranks --only reduce    # all_reduce beside mpi4py's own
    mpiexec -n 2 python -m benchmarks.ranks --only scaling   # samples a second of 1 and all ranks
    mpiexec -n 2 python -m benchmarks.ranks --only hidden    # communication behind the backward

Every rank uses one thread. What is compared runs in alternating turns, and the best turn counts:
other programs can only lengthen one. While one rank is measured alone, the others sleep.

hidden: t0 is a step without communication, t1 one with it, t2 one that sends all gradients after
the backward. The hidden share is (t2 - t1) / (t2 - t0). On one machine the transport itself is work
for the cores that compute, so there is nothing to hide: measure between machines.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from typing import Any

for _library in ("OMP", "OPENBLAS", "MKL"):
    os.environ[f"{_library}_NUM_THREADS"] = "1"

import importlib  # noqa: E402
from pathlib import Path  # noqa: E402

import tinytensor as tt  # noqa: E402
from tinytensor import distributed as dist  # noqa: E402
from tinytensor import nn, optim  # noqa: E402
from tinytensor.distributed import mpi  # noqa: E402
from tinytensor.nn.parallel import DistributedDataParallel  # noqa: E402

ROUNDS = 5
tt.set_num_threads(1)  # of the kernels too; the variables above are those of libraries


def say(*text: Any) -> None:
    if dist.get_rank() == 0:
        print(*text, flush=True)


def best(works: dict[str, Callable[[], None]], calls: int, rounds: int = ROUNDS,
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
    say("all_reduce of float32, µs; ratio: mpi4py's time / ours")
    comm = library.COMM_WORLD.Dup()
    for size in (1 << 10, 1 << 13, 1 << 16, 1 << 20, 1 << 23, 1 << 26):
        tensor = tt.ones(size // 4)
        array = tensor.numpy()
        found = best({"mpi4py": lambda array=array: comm.Allreduce(library.IN_PLACE, array),
                      "tinytensor": lambda tensor=tensor: dist.all_reduce(tensor)},
                     *((5, 400) if size < 1 << 18 else (1, 30)))  # short turns: less disturbed
        say(f"{size:>10,} bytes: mpi4py {found['mpi4py'] * 1e6:10.1f}, tinytensor "
            f"{found['tinytensor'] * 1e6:10.1f}, ratio {found['mpi4py'] / found['tinytensor']:.2f}")


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


MODELS = {"MLP 784-256-128-10, batch 128": mlp, "residual network, batch 32": residual,
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


def scaling(seconds: float) -> None:
    ranks = dist.get_world_size()
    say(f"weak scaling, {ranks} ranks with one thread each; best of {ROUNDS} alternating turns")
    one = dist.new_group([0])
    for name, make in MODELS.items():
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
            turns = {"plain": alone(plain, calls), "single": alone(single, calls)}
            dist.barrier()
            begun = time.perf_counter()
            for _ in range(calls):
                together()
            turns["together"] = (time.perf_counter() - begun) / calls
            for kind, value in turns.items():
                found[kind] = min(value, found.get(kind, value))
        say(f"{name}: alone {found['plain'] * 1e3:.2f} ms; with DDP on one rank "
            f"{found['single'] / found['plain'] - 1:+.1%}; {ranks} ranks "
            f"{found['together'] * 1e3:.2f} ms: {ranks * found['plain'] / found['together']:.2f} "
            f"times the samples a second")


def hidden(seconds: float) -> None:
    say("communication behind the backward")
    for name, make in MODELS.items():
        tt.manual_seed(0)
        module, samples = make()
        size = sum(p.numel() for p in module.parameters()) * 4 / (1 << 20)
        model = DistributedDataParallel(module, bucket_cap_mb=min(2, size / 5))
        step = step_of(model, samples)
        reducer = model._reducer
        assert reducer is not None

        def without(step: Any = step, model: Any = model) -> None:
            with model.no_sync():
                step()

        def after(step: Any = step, reducer: Any = reducer) -> None:
            reducer.forwards = 1  # as after a second forward: all is sent at the end
            step()

        step()
        begun = time.perf_counter()
        step()
        calls = [max(2, int(seconds / (time.perf_counter() - begun)))]
        dist.broadcast_object_list(calls)
        found = best({"without": without, "with": step, "after": after}, calls[0])
        t0, t1, t2 = found["without"], found["with"], found["after"]
        share = f"{(t2 - t1) / (t2 - t0):.0%}" if t2 > t0 else "nothing to hide"
        say(f"{name}: buckets: {len(reducer.buckets)}; without communication {t0 * 1e3:.2f} ms, "
            f"with it {t1 * 1e3:.2f}, all after the backward {t2 * 1e3:.2f}; hidden {share}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("reduce", "scaling", "hidden"),
                        help="one part (default: all)")
    parser.add_argument("--seconds", type=float, default=0.5,
                        help="of a turn (default: %(default)s)")
    args = parser.parse_args()
    dist.init_process_group()
    if args.only in (None, "reduce"):
        reductions()
    if args.only in (None, "scaling"):
        scaling(args.seconds)
    if args.only in (None, "hidden"):
        hidden(args.seconds)


if __name__ == "__main__":
    main()
