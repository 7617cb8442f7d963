"""Two moons: one training loop, run by two engines.

    python examples/02_moons.py                     # both modes, from the same weights, compared
    python examples/02_moons.py --mode scalar
    python examples/02_moons.py --mode tensor --device cuda

A small network learns to separate two interleaved half circles. `train` does not know which engine
runs it. In scalar mode every number is a node of the graph; in tensor mode every array is.

What to look at: the table. Both modes reach the same loss, and their gradients agree to rounding
in every step. The picture shows the decision boundary.
"""

from __future__ import annotations

import time
from typing import Any

import support

numpy = support.need("numpy")


def train(engine: Any, model: Any, x: Any, y: Any, steps: int) -> dict[str, Any]:
    """Max-margin loss with an L2 penalty; SGD with a learning rate that falls linearly."""
    optimizer = engine.optim.SGD(model.parameters(), lr=1.0)
    gradients, seconds = [], []
    for step in support.progress(range(steps), desc=engine.__name__):
        start = time.perf_counter()
        scores = model(x)
        loss = engine.functional.hinge_loss(scores, y)
        loss = loss + 1e-4 * engine.functional.squared_norm(model.parameters())
        optimizer.zero_grad()
        loss.backward()
        for group in optimizer.param_groups:
            group["lr"] = 1.0 - 0.9 * step / steps
        optimizer.step()
        seconds.append(time.perf_counter() - start)
        gradients.append(gradients_of(model))
    return {"loss": loss.item(), "gradients": gradients,
            "milliseconds": 1e3 * float(numpy.median(seconds)),
            "accuracy": accuracy(scores, y)}


def accuracy(scores: Any, y: Any) -> float:
    """The share of scores whose sign is that of the label."""
    correct = [(score.item() > 0) == (float(label) > 0)
               for score, label in zip(scores, y, strict=True)]
    return sum(correct) / len(correct)


def gradients_of(model: Any) -> list[Any]:
    """The gradients of each layer's weight and bias as NumPy arrays. Works in both modes."""
    gradients: list[Any] = []
    for layer in model.layers:
        if hasattr(layer, "neurons"):  # scalar mode
            gradients += [[[w.grad for w in n.w] for n in layer.neurons],
                          [n.b.grad for n in layer.neurons]]
        else:
            gradients += [layer.weight.grad.tolist(), layer.bias.grad.tolist()]
    return [numpy.array(gradient) for gradient in gradients]


def largest_difference(run: dict[str, Any], other: dict[str, Any]) -> float:
    """The maximum of |a - b| / max|a| over the gradients a and b of all steps and parameters."""
    return max(
        float(abs(a - b).max() / max(abs(a).max(), 1e-300))
        for step, other_step in zip(run["gradients"], other["gradients"], strict=True)
        for a, b in zip(step, other_step, strict=True))


def plot(predict: Any, x: Any, y: Any, path: Any) -> None:
    """Draws the points, the score, and the decision boundary (score 0)."""
    plt = support.pyplot()
    low, high = x.min(0) - 0.5, x.max(0) + 0.5
    grid_x, grid_y = numpy.meshgrid(numpy.linspace(low[0], high[0], 60),
                                    numpy.linspace(low[1], high[1], 60))
    scores = predict(numpy.stack([grid_x.ravel(), grid_y.ravel()], 1)).reshape(grid_x.shape)
    figure, axes = plt.subplots(figsize=(5, 4), dpi=120)
    limit = abs(scores).max()
    shades = axes.contourf(grid_x, grid_y, scores, levels=numpy.linspace(-limit, limit, 21),
                           cmap="RdBu", alpha=0.7)
    axes.contour(grid_x, grid_y, scores, levels=[0], colors="black", linewidths=1.2)
    axes.scatter(*x.T, c=y, cmap="RdBu", edgecolors="black", s=22)
    axes.set(title="two moons: score and decision boundary", xlabel="x", ylabel="y")
    figure.colorbar(shades, label="score")
    figure.tight_layout()
    support.save(figure, path)


def main() -> None:
    parser = support.parser(__doc__)
    parser.add_argument("--mode", choices=["both", "scalar", "tensor"], default="both",
                        help="the engine (default: %(default)s)")
    parser.add_argument("--device", default="cpu",
                        help="the device of tensor mode, cpu or cuda (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=100,
                        help="training steps (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1337,
                        help="the seed of the data and weights (default: %(default)s)")
    args = parser.parse_args()
    if args.steps < 1:
        parser.error("--steps must be at least 1")

    import scalar
    import tinytensor

    datasets = support.need("sklearn.datasets")
    x, y = datasets.make_moons(n_samples=100, noise=0.1, random_state=args.seed)
    y = y * 2 - 1
    scalar.manual_seed(args.seed)
    scalar_model = scalar.nn.MLP(2, [16, 16, 1])
    tensor_model = tinytensor.nn.MLP(2, [16, 16, 1]).double().to(args.device)
    tensor_model.load_state_dict(scalar_model.state_dict())

    support.pyplot()  # import everything before settle()
    support.settle()
    runs = {}
    if args.mode != "tensor":
        runs["scalar"] = train(scalar, scalar_model, x.tolist(), y.tolist(), args.steps)
    if args.mode != "scalar":
        runs["tensor"] = train(
            tinytensor, tensor_model, tinytensor.tensor(x, device=args.device),
            tinytensor.tensor(y, dtype=tinytensor.float64, device=args.device), args.steps)

    print(f"\n{'mode':10s}{'ms a step':>12s}{'loss':>10s}{'accuracy':>10s}")
    for mode, run in runs.items():
        print(f"{mode:10s}{run['milliseconds']:12.2f}{run['loss']:10.4f}{run['accuracy']:10.0%}")
    if len(runs) == 2:
        difference = largest_difference(runs["scalar"], runs["tensor"])
        print(f"largest relative difference of gradients over {args.steps} steps: "
              f"{difference:.1e}")

    if "tensor" in runs:
        def predict(points: Any) -> Any:
            with tinytensor.no_grad():
                return tensor_model(tinytensor.tensor(points, device=args.device)).cpu().numpy()
    else:
        def predict(points: Any) -> Any:
            return numpy.array([s.data for s in scalar_model(points.tolist())])
    path = support.output("02_moons.png")
    plot(predict, x, y, path)
    print(f"decision boundary: {path}")


if __name__ == "__main__":
    main()
