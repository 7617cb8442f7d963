"""Two moons, a small network, a max-margin loss: one training loop, two engines.

    python examples/02_moons.py                     # both modes, from the same weights, compared
    python examples/02_moons.py --mode scalar       # or one of them
    python examples/02_moons.py --mode tensor --device cuda

The loop below never asks which engine runs it. In scalar mode every number is a node; in tensor
mode every array is. Their gradients agree to rounding, over the whole run.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import support

numpy = support.need("numpy")


def train(engine: Any, model: Any, x: Any, y: Any, steps: int) -> dict[str, Any]:
    """Max-margin loss with L2, gradient descent with a falling rate: the text for both modes."""
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
    right = [(float(score) > 0) == (float(label) > 0)
             for score, label in zip(scores, y, strict=True)]
    return sum(right) / len(right)


def gradients_of(model: Any) -> list[Any]:
    """The gradient of every layer's weight and bias as NumPy arrays, from either engine."""
    found = []
    for layer in model.layers:
        if hasattr(layer, "neurons"):
            found += [[[w.grad for w in n.w] for n in layer.neurons],
                      [n.b.grad for n in layer.neurons]]
        else:
            found += [layer.weight.grad.tolist(), layer.bias.grad.tolist()]
    return [numpy.array(g) for g in found]


def largest_difference(run: dict[str, Any], other: dict[str, Any]) -> float:
    """The largest |a - b| / max|a| over all steps and parameters."""
    return max(
        float(abs(a - b).max() / max(abs(a).max(), 1e-300))
        for mine, theirs in zip(run["gradients"], other["gradients"], strict=True)
        for a, b in zip(mine, theirs, strict=True))


def plot(predict: Any, x: Any, y: Any, path: Any) -> None:
    """The points, and where the model changes its mind."""
    plt = support.pyplot()
    low, high = x.min(0) - 0.5, x.max(0) + 0.5
    across, up = numpy.meshgrid(numpy.linspace(low[0], high[0], 60),
                                numpy.linspace(low[1], high[1], 60))
    scores = predict(numpy.stack([across.ravel(), up.ravel()], 1)).reshape(across.shape)
    figure, axes = plt.subplots(figsize=(5, 4), dpi=120)
    reach = abs(scores).max()
    shades = axes.contourf(across, up, scores, levels=numpy.linspace(-reach, reach, 21),
                           cmap="RdBu", alpha=0.7)
    axes.contour(across, up, scores, levels=[0], colors="black", linewidths=1.2)
    axes.scatter(*x.T, c=y, cmap="RdBu", edgecolors="black", s=22)
    axes.set(title="two moons: score and decision boundary", xlabel="x", ylabel="y")
    figure.colorbar(shades, label="score")
    figure.tight_layout()
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mode", choices=["both", "scalar", "tensor"], default="both")
    parser.add_argument("--device", default="cpu", help="of tensor mode: cpu or cuda")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1337)
    given = parser.parse_args()
    if given.steps < 1:
        parser.error("--steps must be at least 1")

    import scalar
    import tinytensor

    datasets = support.need("sklearn.datasets")
    x, y = datasets.make_moons(n_samples=100, noise=0.1, random_state=given.seed)
    y = y * 2 - 1
    scalar.manual_seed(given.seed)
    scalar_model = scalar.nn.MLP(2, [16, 16, 1])
    tensor_model = tinytensor.nn.MLP(2, [16, 16, 1]).double().to(given.device)
    tensor_model.load_state_dict(scalar_model.state_dict())

    support.pyplot()  # everything is imported now
    support.settle()
    runs = {}
    if given.mode != "tensor":
        runs["scalar"] = train(scalar, scalar_model, x.tolist(), y.tolist(), given.steps)
    if given.mode != "scalar":
        runs["tensor"] = train(
            tinytensor, tensor_model, tinytensor.tensor(x, device=given.device),
            tinytensor.tensor(y, dtype=tinytensor.float64, device=given.device), given.steps)

    print(f"\n{'mode':10s}{'ms a step':>12s}{'loss':>10s}{'accuracy':>10s}")
    for mode, run in runs.items():
        print(f"{mode:10s}{run['milliseconds']:12.2f}{run['loss']:10.4f}{run['accuracy']:10.0%}")
    if len(runs) == 2:
        difference = largest_difference(runs["scalar"], runs["tensor"])
        print(f"largest relative difference of gradients over {given.steps} steps: "
              f"{difference:.1e}")

    if "tensor" in runs:
        def predict(points: Any) -> Any:
            with tinytensor.no_grad():
                return tensor_model(tinytensor.tensor(points, device=given.device)).cpu().numpy()
    else:
        def predict(points: Any) -> Any:
            return numpy.array([s.data for s in scalar_model(points.tolist())])
    path = support.output("02_moons.png")
    plot(predict, x, y, path)
    print(f"decision boundary: {path}")


if __name__ == "__main__":
    main()
