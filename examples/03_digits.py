"""Handwritten digits: an MLP learns to read scikit-learn's 1,797 real images of 8 by 8 pixels.

    python examples/03_digits.py                  # tensor mode: about 98 % on held-out images
    python examples/03_digits.py --mode scalar    # the same program on 100 images
    python examples/03_digits.py --device cuda

What to look at: the loss curve. In tensor mode the loss falls from about 1.2 to below 0.01 in 30
epochs. It does not fall steadily: in some epochs it rises, up to tenfold, because the learning rate
is constant. With a rate of 0.003 instead of 0.01, training is slower and the jumps are smaller.
"""

from __future__ import annotations

import importlib
import time
from typing import Any

import support

numpy = support.need("numpy")


def load(seed: int) -> tuple[Any, Any, Any, Any]:
    """Returns x, y, x_held_out, y_held_out. Pixels are in [0, 1]; a quarter is held out."""
    digits = support.need("sklearn.datasets").load_digits()
    order = numpy.random.default_rng(seed).permutation(len(digits.target))
    x, y = digits.data[order] / 16.0, digits.target[order]
    cut = 3 * len(y) // 4
    return x[:cut], y[:cut], x[cut:], y[cut:]


def train(engine: Any, model: Any, convert: Any, x: Any, y: Any, epochs: int, size: int,
          rate: float, rng: Any) -> list[float]:
    """Returns the mean loss of each epoch.

    `convert` turns rows of a NumPy array into what the engine's model takes.
    """
    optimizer = engine.optim.Adam(model.parameters(), lr=rate)
    history = []
    bar = support.progress(range(epochs), desc="epochs")
    for _ in bar:
        losses = []
        for rows in support.batches(rng.permutation(len(y)), size):
            loss = engine.functional.cross_entropy(model(convert(x[rows])), convert(y[rows]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        history.append(sum(losses) / len(losses))
        bar.set_postfix(loss=f"{history[-1]:.4f}")
    return history


def accuracy(model: Any, convert: Any, x: Any, y: Any) -> float:
    """The share of images whose digit is predicted correctly."""
    scores = numpy.array([[s.item() for s in row] for row in model(convert(x))])
    return float((scores.argmax(1) == y).mean())


def plot(history: list[float], path: Any) -> None:
    """Draws the training loss on a logarithmic scale."""
    plt = support.pyplot()
    figure, axes = plt.subplots(figsize=(5, 3), dpi=120)
    axes.semilogy(range(1, len(history) + 1), history)
    axes.set(xlabel="epoch", ylabel="cross-entropy", title="digits: training loss")
    axes.grid(alpha=0.3)
    figure.tight_layout()
    support.save(figure, path)


def main() -> None:
    parser = support.parser(__doc__)
    parser.add_argument("--mode", choices=["scalar", "tensor"], default="tensor",
                        help="the engine (default: %(default)s)")
    parser.add_argument("--device", default="cpu",
                        help="the device of tensor mode, cpu or cuda (default: %(default)s)")
    parser.add_argument("--epochs", type=int,
                        help="passes over the training images (default: 30, in scalar mode 20)")
    parser.add_argument("--seed", type=int, default=0,
                        help="the seed of the split and weights (default: %(default)s)")
    args = parser.parse_args()
    if args.epochs is not None and args.epochs < 1:
        parser.error("--epochs must be at least 1")

    x, y, x_held_out, y_held_out = load(args.seed)
    rng = numpy.random.default_rng(args.seed)
    if args.mode == "scalar":
        engine = importlib.import_module("scalar")
        engine.manual_seed(args.seed)
        x, y, x_held_out, y_held_out = x[:100], y[:100], x_held_out[:100], y_held_out[:100]
        model, epochs, size, rate = engine.nn.MLP(64, [12, 10]), args.epochs or 20, 10, 0.03

        def convert(rows: Any) -> Any:
            return rows.tolist()
    else:
        engine = importlib.import_module("tinytensor")
        engine.manual_seed(args.seed)
        model = engine.nn.Sequential(
            engine.nn.Linear(64, 128), engine.nn.ReLU(), engine.nn.Linear(128, 10))
        model, epochs, size, rate = model.to(args.device), args.epochs or 30, 64, 0.01

        def convert(rows: Any) -> Any:
            dtype = engine.float32 if rows.dtype.kind == "f" else engine.int64
            return engine.tensor(rows, dtype=dtype, device=args.device)

    support.pyplot()  # import everything before settle()
    support.settle()
    start = time.perf_counter()
    history = train(engine, model, convert, x, y, epochs, size, rate, rng)
    seconds = time.perf_counter() - start
    print(f"{args.mode} mode: {len(y)} images, {epochs} epochs in {seconds:.1f} s")
    print(f"training loss: {history[-1]:.4f}; accuracy on {len(y_held_out)} held-out images: "
          f"{accuracy(model, convert, x_held_out, y_held_out):.1%}")
    path = support.output(f"03_digits_{args.mode}_loss.png")
    plot(history, path)
    print(f"loss curve: {path}")


if __name__ == "__main__":
    main()
