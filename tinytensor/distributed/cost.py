"""A model of the time of a data parallel step: when does it pay, and which bucket size?

    python -m tinytensor.distributed.cost --parameters 124e6 --step 2.5
    python -m tinytensor.distributed.cost --parameters 7e6 --step 0.4 --ranks 2 8 --gbit 1 10
    mpiexec -n 2 python -m tinytensor.distributed.cost --measure

A reduction of S bytes over n ranks takes

    T(S) = 2 log2(n) latency + 2 (n - 1)/n S / bandwidth

(reduce-scatter and all-gather: Rabenseifner 2004; Thakur, Rabenseifner and Gropp 2005). The
backward, which takes `backward` of the step, gives the gradients of k buckets at equal distances,
and one bucket is reduced after the other: bucket i begins when its gradients are there and bucket
i - 1 is through. The step ends when the last is. What the model leaves out: ranks that wait for
slower ones, links that are shared, and work of the transport on the cores that compute.

The table has, for each network and number of ranks, the samples a second compared with one rank,
and the efficiency, which is that divided by the ranks. With `--measure` the ranks that mpiexec has
started measure latency and bandwidth between them, and the table is for this network.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Sequence

BUCKETS = tuple(2.0**i * (1 << 20) for i in range(-4, 9))  # 64 KiB to 256 MiB


def all_reduce_seconds(size: float, ranks: int, bandwidth: float, latency: float) -> float:
    """The seconds of a reduction of `size` bytes; the bandwidth in bytes a second."""
    if ranks == 1:
        return 0.0
    return 2 * math.log2(ranks) * latency + 2 * (ranks - 1) / ranks * size / bandwidth


def step_seconds(size: float, step: float, ranks: int, bandwidth: float, latency: float,
                 bucket: float, backward: float = 2 / 3) -> float:
    """The seconds of a step with gradients of `size` bytes in buckets of `bucket` bytes.

    Args:
        step: the seconds of a step of one rank.
        backward: its part that is the backward.
    """
    count = max(1, math.ceil(size / bucket))
    return seconds_with_buckets([size / count] * count, step, ranks, bandwidth, latency, backward)


def seconds_with_buckets(buckets: Sequence[float], step: float, ranks: int, bandwidth: float,
                         latency: float, backward: float = 2 / 3) -> float:
    """The seconds of a step with buckets of these bytes, in the order in which they are sent."""
    size, ready, through = sum(buckets), 0.0, 0.0  # ready, through: since the backward began
    for bucket in buckets:
        ready += backward * step * bucket / size
        through = max(through, ready) + all_reduce_seconds(bucket, ranks, bandwidth, latency)
    return step * (1 - backward) + max(through, backward * step)


def best_bucket(size: float, step: float, ranks: int, bandwidth: float, latency: float,
                backward: float = 2 / 3) -> float:
    """The largest of BUCKETS with which a step takes at most 1 % more than with the best one."""
    times = {bucket: step_seconds(size, step, ranks, bandwidth, latency, bucket, backward)
             for bucket in BUCKETS}
    return max(bucket for bucket, seconds in times.items() if seconds <= 1.01 * min(times.values()))


def table(size: float, step: float, ranks: Sequence[int], gbits: Sequence[float], latency: float,
          backward: float) -> list[str]:
    """The lines of the table: speedup, efficiency and bucket for each network and rank count."""
    lines = ["| Gbit/s | " + " | ".join(f"{n} ranks" for n in ranks) + " |",
             "|---:|" + "---:|" * len(ranks)]
    for gbit in gbits:
        cells = []
        for n in ranks:
            bucket = best_bucket(size, step, n, gbit * 1e9 / 8, latency, backward)
            seconds = step_seconds(size, step, n, gbit * 1e9 / 8, latency, bucket, backward)
            cells.append(f"{n * step / seconds:.1f} ({step / seconds:.0%}, "
                         f"{min(bucket, size) / (1 << 20):.3g} MiB)")
        lines.append(f"| {gbit:g} | " + " | ".join(cells) + " |")
    return lines


def measured_reductions(longest: float = 0.1) -> dict[int, float]:
    """The seconds of an all_reduce by its bytes: medians, the same on all ranks.

    It begins with 64 bytes and ends with 64 MiB, or earlier if one takes more than `longest`
    seconds. All ranks of a process group must call it.
    """
    from ..tensors.creation import ones
    from . import all_reduce, barrier, broadcast_object_list

    found: dict[int, float] = {}
    for size in (64, *(1 << i for i in range(14, 27, 2))):
        tensor, times = ones(size // 4), []
        for _ in range(25 if size < 1 << 20 else 8):
            barrier()
            begun = time.perf_counter()
            all_reduce(tensor)
            times.append(time.perf_counter() - begun)
        del times[:3]  # the first call of a shape is compared among the ranks, and connects them
        seconds = [statistics.median(times)]
        broadcast_object_list(seconds)
        found[size] = seconds[0]
        if seconds[0] > longest:
            break
    return found


def fit(found: dict[int, float], ranks: int) -> tuple[float, float]:
    """Latency in seconds and bandwidth in bytes a second, from measured reductions.

    The smallest size gives the latency. The bandwidth is the median over the sizes from 256 KiB on:
    smaller ones may fit into a cache, or into what the network takes at once.
    """
    smallest = min(found)
    rates = [2 * (ranks - 1) / ranks * size / (seconds - found[smallest])
             for size, seconds in found.items() if size >= 1 << 18 and seconds > found[smallest]]
    return found[smallest] / (2 * math.log2(ranks)), statistics.median(rates)


def measure() -> tuple[float, float]:
    """Latency and bandwidth between the ranks. Rank 0 prints how well the model fits.

    Raises:
        RuntimeError: there is one rank only.
    """
    from . import get_rank, get_world_size, init_process_group, is_initialized

    if not is_initialized():
        init_process_group()
    ranks = get_world_size()
    if ranks == 1:
        raise RuntimeError("there is no network to measure with one rank: start it with "
                           "`mpiexec -n 2 python -m tinytensor.distributed.cost --measure`")
    found = measured_reductions()
    latency, bandwidth = fit(found, ranks)
    if get_rank() == 0:
        print(f"{ranks} ranks: latency {latency * 1e6:.1f} µs, bandwidth "
              f"{bandwidth * 8 / 1e9:.3g} Gbit/s")
        for size, seconds in found.items():
            model = all_reduce_seconds(size, ranks, bandwidth, latency)
            print(f"{size:>11,} bytes: measured {seconds * 1e3:9.3f} ms, model {model * 1e3:9.3f}")
    return latency, bandwidth


def main(arguments: Sequence[str] | None = None) -> None:
    """The program."""
    from . import get_rank

    parser = argparse.ArgumentParser(prog="python -m tinytensor.distributed.cost",
                                     description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parameters", type=float, default=124e6,
                        help="the number of parameters, of 4 bytes (default: %(default)g)")
    parser.add_argument("--step", type=float, default=2.5,
                        help="seconds of a step of one rank (default: %(default)g)")
    parser.add_argument("--backward", type=float, default=2 / 3,
                        help="the part of it that is the backward (default: %(default).2f)")
    parser.add_argument("--ranks", type=int, nargs="+", default=[2, 4, 8, 32, 128, 512],
                        help="(default: %(default)s)")
    parser.add_argument("--gbit", type=float, nargs="+", default=[1, 10, 25, 100],
                        help="bandwidths in Gbit/s (default: %(default)s)")
    parser.add_argument("--latency", type=float, default=30e-6,
                        help="seconds (default: %(default)g)")
    parser.add_argument("--measure", action="store_true",
                        help="measure latency and bandwidth, in place of --latency and --gbit; "
                             "start it with mpiexec")
    args = parser.parse_args(arguments)
    if args.measure:
        try:
            args.latency, bandwidth = measure()
        except RuntimeError as error:
            parser.error(str(error))
        args.gbit = [float(f"{bandwidth * 8 / 1e9:.3g}")]
        if get_rank() > 0:
            return
    print(f"{args.parameters:,.0f} parameters, {args.step:g} s a step: times the samples a second "
          "of one rank (efficiency, bucket)")
    print("\n".join(table(4 * args.parameters, args.step, args.ranks, args.gbit, args.latency,
                          args.backward)))


if __name__ == "__main__":
    main()
