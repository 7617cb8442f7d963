"""Handwritten digits (scikit-learn's 1,797 real images, 8 by 8): an MLP, cross-entropy, Adam.

    python examples/03_digits.py                  # tensor mode: about 98 % on held-out images
    python examples/03_digits.py --mode scalar    # the same program on a few images
    python examples/03_digits.py --device cuda

What to look at: the loss curve; it falls by a factor of a hundred, steadily.
"""

from __future__ import annotations

import argparse
import importlib
import time
from typing import Any

import support

numpy = support.need("numpy")


def load(seed: int) -> tuple[Any, Any, Any, Any]:
    """Images scaled to [0, 1] and labels: three quarters to train on, a quarter held out."""
    digits = support.need("sklearn.datasets").load_digits()
    order = numpy.random.default_rng(seed).permutation(len(digits.target))
    x, y = digits.data[order] / 16.0, digits.target[order]
    cut = 3 * len(y) // 4
    return x[:cut], y[:cut], x[cut:], y[cut:]


def train(engine: Any, model: Any, batch: Any, x: Any, y: Any, epochs: int, size: int, rate: float,
          rng: Any) -> list[float]:
    """The mean loss of each epoch. `batch` makes rows what the engine's model takes."""
    optimizer = engine.optim.Adam(model.parameters(), lr=rate)
    history = []
    bar = support.progress(range(epochs), desc="epochs")
    for _ in bar:
        losses = []
        for rows in support.batches(rng.permutation(len(y)), size):
            loss = engine.functional.cross_entropy(model(batch(x[rows])), batch(y[rows]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        history.append(sum(losses) / len(losses))
        bar.set_postfix(loss=f"{history[-1]:.4f}")
    return history


def accuracy(model: Any, batch: Any, x: Any, y: Any) -> float:
    """How many images get the right digit."""
    scores = numpy.array([[float(s) for s in row] for row in model(batch(x))])
    return float((scores.argmax(1) == y).mean())


def plot(history: list[float], path: Any) -> None:
    plt = support.pyplot()
    figure, axes = plt.subplots(figsize=(5, 3), dpi=120)
    axes.semilogy(range(1, len(history) + 1), history)
    axes.set(xlabel="epoch", ylabel="cross-entropy", title="digits: training loss")
    axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mode", choices=["scalar", "tensor"], default="tensor")
    parser.add_argument("--device", default="cpu", help="of tensor mode: cpu or cuda")
    parser.add_argument("--epochs", type=int, help="default: 30, in scalar mode 20")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    if given.epochs is not None and given.epochs < 1:
        parser.error("--epochs must be at least 1")

    x, y, x_held_out, y_held_out = load(given.seed)
    rng = numpy.random.default_rng(given.seed)
    if given.mode == "scalar":
        engine = importlib.import_module("scalar")
        engine.manual_seed(given.seed)
        x, y, x_held_out, y_held_out = x[:100], y[:100], x_held_out[:100], y_held_out[:100]
        model, epochs, size, rate = engine.nn.MLP(64, [12, 10]), given.epochs or 20, 10, 0.03

        def batch(rows: Any) -> Any:
            return rows.tolist()
    else:
        engine = importlib.import_module("tinytensor")
        engine.manual_seed(given.seed)
        model = engine.nn.Sequential(
            engine.nn.Linear(64, 128), engine.nn.ReLU(), engine.nn.Linear(128, 10))
        model, epochs, size, rate = model.to(given.device), given.epochs or 30, 64, 0.01

        def batch(rows: Any) -> Any:
            dtype = engine.float32 if rows.dtype.kind == "f" else engine.int64
            return engine.tensor(rows, dtype=dtype, device=given.device)

    support.pyplot()  # everything is imported now
    support.settle()
    start = time.perf_counter()
    history = train(engine, model, batch, x, y, epochs, size, rate, rng)
    seconds = time.perf_counter() - start
    print(f"{given.mode} mode: {len(y)} images, {epochs} epochs in {seconds:.1f} s")
    print(f"loss {history[-1]:.4f}, accuracy on {len(y_held_out)} held-out images "
          f"{accuracy(model, batch, x_held_out, y_held_out):.1%}")
    path = support.output(f"03_digits_{given.mode}_loss.png")
    plot(history, path)
    print(f"loss curve: {path}")


if __name__ == "__main__":
    main()
