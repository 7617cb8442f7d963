"""What a process of its own measures: the steps of a row in one way, or the bandwidth of kernels.

    python -m benchmarks.gpu.measures step NAME WAY SECONDS
    python -m benchmarks.gpu.measures bandwidth MEGABYTES

It prints one line of JSON. A row's first losses tell whether two ways do the same work.
"""

from __future__ import annotations

import importlib
import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from .models import SIZES, TINY, work

WAYS = {  # the library, the device, and whether the step is a CUDA graph
    "tinytensor, CPU": ("tinytensor", "cpu", False), "tinytensor": ("tinytensor", "cuda", False),
    "tinytensor, captured": ("tinytensor", "cuda", True), "PyTorch": ("torch", "cuda", False),
    "PyTorch, captured": ("torch", "cuda", True)}
LOSSES = 3  # of the first steps
WARM_UP = 5


def step(name: str, way: str, seconds: float, tiny: bool = False) -> dict[str, Any]:
    """The median and the best time of a training step, and the first losses."""
    library, device, captured = WAYS[way]
    module = importlib.import_module(library)
    if device == "cuda" and not module.cuda.is_available():
        return {"problem": f"{library} has no GPU here"}
    made = work(module, device, name, captured, **(TINY if tiny else SIZES)[name])
    if captured and library == "tinytensor":
        run: Callable[[], Any] = captured_here(module, made)
    elif captured:
        run = captured_by_torch(module, made)
    else:
        run = lambda: made.step(made.x, made.y)  # noqa: E731
    wait = module.cuda.synchronize if device == "cuda" else lambda: None
    losses = [float(run().detach()) for _ in range(LOSSES)]
    for _ in range(WARM_UP if seconds > 0 else 0):
        run()
    wait()
    times, end = [], time.perf_counter() + seconds
    while not times or time.perf_counter() < end and len(times) < 2000:
        start = time.perf_counter()
        run()
        wait()
        times.append(time.perf_counter() - start)
    return {"median": statistics.median(times), "best": min(times), "steps": len(times),
            "losses": losses}


def captured_here(tinytensor: Any, made: Any) -> Callable[[], Any]:
    run = tinytensor.cuda.graphed_step(made.step, made.optimizer)
    return lambda: run(made.x, made.y)


def captured_by_torch(torch: Any, made: Any) -> Callable[[], Any]:
    """The whole step as a graph, as PyTorch's documentation describes it.

    The warm-up trains, so that its losses are kept and given first.
    """
    losses: list[Any] = []
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(LOSSES):
            losses.append(made.step(made.x, made.y).detach().clone())
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    made.optimizer.zero_grad(set_to_none=True)
    with torch.cuda.graph(graph):
        result = made.step(made.x, made.y)

    def run() -> Any:
        if losses:
            return losses.pop(0)
        graph.replay()
        return result

    return run


# ---------------------------------------------------------------- bandwidth


def bandwidth(megabytes: float) -> dict[str, Any]:
    """Bytes per second that kernels read and write, on arrays of this size, by events of the GPU.

    The copy of an array is the measure of the others.
    """
    tt = importlib.import_module("tinytensor")
    if not tt.cuda.is_available():
        return {"problem": "tinytensor has no GPU here"}
    functional, columns = tt.nn.functional, 1024
    rows = max(int(megabytes * 2**20 / 4 / columns), 2)
    x = tt.randn(rows, columns, device="cuda")
    y, g = tt.empty_like(x), tt.randn(rows, columns, device="cuda")
    weight, bias = tt.randn(columns, device="cuda"), tt.randn(columns, device="cuda")
    size = x.numel() * 4
    parameter = tt.nn.Parameter(x.clone())
    parameter.grad = g
    adamw = tt.optim.AdamW([parameter])

    def backward(function: Callable[[Any], Any]) -> Callable[[], Any]:
        leaf = x.clone().requires_grad_()
        result = function(leaf)
        return lambda: tt.autograd.grad(result, leaf, g, retain_graph=True)

    works: dict[str, tuple[Callable[[], Any], int]] = {  # what runs, and the arrays it moves
        "copy": (lambda: y.copy_(x), 2),
        "GELU": (lambda: functional.gelu(x), 2),
        "GELU, gradient": (backward(functional.gelu), 3),
        "SiLU": (lambda: functional.silu(x), 2),
        "ReLU, gradient": (backward(functional.relu), 3),
        "layer norm": (lambda: functional.layer_norm(x, (columns,), weight, bias), 2),
        "layer norm, gradient": (backward(
            lambda leaf: functional.layer_norm(leaf, (columns,), weight, bias)), 3),
        "softmax": (lambda: functional.softmax(x, -1), 2),
        "softmax, gradient": (backward(lambda leaf: functional.softmax(leaf, -1)), 3),
        "AdamW": (adamw.step, 7),
    }
    with tt.no_grad():
        rates = {name: arrays * size / _seconds(tt, run) for name, (run, arrays) in works.items()}
    return {"bytes": size, "rates": rates}


def _seconds(tt: Any, run: Callable[[], Any], times: int = 20) -> float:
    """The time of one call on the GPU: the median of several, without the first."""
    for _ in range(3):
        run()
    measured = []
    for _ in range(times):
        start, end = (tt.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        run()
        end.record()
        end.synchronize()
        measured.append(start.elapsed_time(end) / 1000)
    return statistics.median(measured)


def main() -> None:
    kind, *given = sys.argv[1:]
    if kind == "step":
        name, way, seconds, tiny = given
        answer = step(name, way, float(seconds), tiny == "tiny")
    else:
        answer = bandwidth(float(given[0]))
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
