"""One neuron, tanh(w·x + b): its graph before and after backward, every chain-rule step, training.

    python examples/01_one_neuron.py                  # single numbers: every step is visible
    python examples/01_one_neuron.py --mode tensor    # the same neuron on arrays

The pictures go to examples/output/; without Graphviz the graph is printed as a tree.
"""

from __future__ import annotations

import argparse
from typing import Any

import support


class ScalarNeuron:
    """The neuron on `scalar.Value`: one node for every number."""

    def __init__(self) -> None:
        from scalar import Value

        self.w = [Value(0.5, label="w0"), Value(-1.0, label="w1")]
        self.x = [Value(2.0, label="x0"), Value(1.0, label="x1")]
        self.b = Value(0.3, label="b")
        self.parameters = [*self.w, self.b]
        self.names: dict[str, Any] = {}  # Values carry their labels themselves

    def __call__(self) -> Any:
        p0, p1 = self.w[0] * self.x[0], self.w[1] * self.x[1]
        p0.label, p1.label = "p0", "p1"
        s = p0 + p1
        n = s + self.b
        s.label, n.label = "s", "n"
        out = n.tanh()
        out.label = "out"
        return out


class TensorNeuron:
    """The same neuron on `tinytensor.Tensor`: one node for every array operation."""

    def __init__(self) -> None:
        import tinytensor as tt

        self.w = tt.tensor([0.5, -1.0], dtype=tt.float64, requires_grad=True)
        self.x = tt.tensor([2.0, 1.0], dtype=tt.float64, requires_grad=True)
        self.b = tt.tensor(0.3, dtype=tt.float64, requires_grad=True)
        self.parameters = [self.w, self.b]
        self.names = {"w": self.w, "x": self.x, "b": self.b}

    def __call__(self) -> Any:
        return (self.w @ self.x + self.b).tanh()


def train(neuron: Any, optim: Any, target: float, steps: int) -> float:
    """Moves w and b until the neuron answers `target`: the text is the same in both modes."""
    optimizer = optim.SGD(neuron.parameters, lr=0.1)
    for _ in support.progress(range(steps), desc="training"):
        loss = (neuron() - target) ** 2
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return neuron().item()


def explain_scalar(out: Any) -> None:
    """Prints the walk back: each node hands its gradient, times a derivative, to its parents."""
    from scalar import topological_order

    order = topological_order(out)
    name = {node: node.label or f"v{i}" for i, node in enumerate(order)}
    print(f"seed: d out / d {name[out]} = 1")
    for node in reversed(order):
        parents = [name[p] for p in node._prev]
        formula = f" {node._op} ".join(parents) if len(parents) == 2 \
            else f"{node._op}({', '.join(parents)})"
        for parent, local in zip(node._prev, node._derivatives or (node._da, node._db),
                                 strict=False):
            print(f"  {f'{name[node]} = {formula}':14s} so d out / d {name[parent]:3s} += "
                  f"{local:+.4f} * {node.grad:+.4f} = {local * node.grad:+.4f}")


def explain_tensor(out: Any) -> None:
    """Prints the nodes in the order of the walk, youngest first, each with its parents."""
    from tinytensor.autograd.engine import topological_order

    for node in topological_order([out.grad_fn]):
        parents = ", ".join(str(p) for p in node.parents if p is not None)
        print(f"  {node!r} of shape {tuple(node.shape)}" + (f" hands gradients to {parents}"
                                                            if parents else ""))


def draw(graph: Any, name: str) -> None:
    """A picture if Graphviz is there, otherwise the tree and what to install."""
    try:
        print(f"picture: {graph.render(str(support.output(name)), format='png')}")
    except (ImportError, RuntimeError) as missing:
        print(graph)
        print(missing)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mode", choices=["scalar", "tensor"], default="scalar")
    parser.add_argument("--steps", type=int, default=50, help="of training at the end")
    given = parser.parse_args()
    if given.steps < 1:
        parser.error("--steps must be at least 1")
    if given.mode == "scalar":
        import scalar as engine

        neuron, explain = ScalarNeuron(), explain_scalar
    else:
        import tinytensor as engine

        neuron, explain = TensorNeuron(), explain_tensor
    out = neuron()
    print(f"forward: out = tanh(w·x + b) = {out.item():.4f}\n")
    draw(engine.draw_dot(out, **neuron.names), f"01_{given.mode}_before")
    out.backward()
    print()
    explain(out)
    print()
    draw(engine.draw_dot(out, **neuron.names), f"01_{given.mode}_after")
    slope = 1 - out.item() ** 2
    print("\nCheck by hand: d tanh(n)/dn = 1 - tanh(n)², and d n/d w0 = x0 = 2, so\n"
          f"  d out/d w0 = {slope:.4f} * 2 = {2 * slope:.4f}\n")
    answer = train(neuron, engine.optim, 0.8, given.steps)
    print(f"after {given.steps} steps towards 0.8 the neuron answers {answer:.4f}")


if __name__ == "__main__":
    main()
