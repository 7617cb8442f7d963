"""One neuron, tanh(w·x + b): its graph, its gradients step by step, and its training.

    python examples/01_one_neuron.py                  # scalar mode: one node per number
    python examples/01_one_neuron.py --mode tensor    # tensor mode: one node per array operation

The program draws the graph before and after `backward()`, prints every step of the chain rule, and
trains the neuron. The pictures are written to examples/output/, and a page that shows the steps one
by one in a browser. Without Graphviz, the graph is printed as a tree.

What to look at: `backward()` visits the nodes from the output to the inputs. At each node it
multiplies the node's gradient by a local derivative, and adds the product to a parent's gradient.
"""

from __future__ import annotations

from typing import Any

import support


class ScalarNeuron:
    """The neuron on `scalar.Value`: every number is a node."""

    def __init__(self) -> None:
        from scalar import Value

        self.w = [Value(0.5, label="w0"), Value(-1.0, label="w1")]
        self.x = [Value(2.0, label="x0"), Value(1.0, label="x1")]
        self.b = Value(0.3, label="b")
        self.parameters = [*self.w, self.b]
        self.names: dict[str, Any] = {}  # a Value carries its label itself

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
    """The same neuron on `tinytensor.Tensor`: every array operation is a node."""

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
    """Trains w and b until the output is near `target`. Both modes run this same code."""
    optimizer = optim.SGD(neuron.parameters, lr=0.1)
    for _ in support.progress(range(steps), desc="training"):
        loss = (neuron() - target) ** 2
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return neuron().item()


def explain_scalar(out: Any) -> None:
    """Prints the chain rule at each node, in the order of `backward()`."""
    from scalar import topological_order

    order = topological_order(out)
    name = {node: node.label or f"v{i}" for i, node in enumerate(order)}
    print(f"start: d out / d {name[out]} = 1")
    for node in reversed(order):
        parents = [name[p] for p in node._prev]
        formula = f" {node._op} ".join(parents) if len(parents) == 2 \
            else f"{node._op}({', '.join(parents)})"
        for parent, local in zip(node._prev, node._derivatives or (node._da, node._db),
                                 strict=False):
            print(f"  {f'{name[node]} = {formula}':14s} so d out / d {name[parent]:3s} += "
                  f"{local:+.4f} * {node.grad:+.4f} = {local * node.grad:+.4f}")


def explain_tensor(out: Any) -> None:
    """Prints each node and its parents, in the order of `backward()`."""
    from tinytensor.autograd.engine import topological_order

    for node in topological_order([out.grad_fn]):
        parents = ", ".join(str(p) for p in node.parents if p is not None)
        passes_to = f" passes gradients to {parents}" if parents else ""
        print(f"  {node!r} of shape {tuple(node.shape)}{passes_to}")


def draw(graph: Any, name: str) -> None:
    """Shows a graph in a notebook, and elsewhere writes a picture of it.

    Without Graphviz: prints the tree, and what to install.
    """
    if support.show(graph):
        return
    try:
        print(f"picture: {graph.render(str(support.output(name)), format='png')}")
    except (ImportError, RuntimeError) as missing:
        print(graph)
        print(missing)


def main() -> None:
    parser = support.parser(__doc__)
    parser.add_argument("--mode", choices=["scalar", "tensor"], default="scalar",
                        help="the engine (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=50,
                        help="training steps (default: %(default)s)")
    args = parser.parse_args()
    if args.steps < 1:
        parser.error("--steps must be at least 1")
    from tinytensor import learn

    if args.mode == "scalar":
        import scalar as engine

        neuron, explain = ScalarNeuron(), explain_scalar
    else:
        import tinytensor as engine

        neuron, explain = TensorNeuron(), explain_tensor
    with learn.record():
        out = neuron()
    print(f"forward: out = tanh(w·x + b) = {out.item():.4f}\n")
    draw(engine.draw_dot(out, **neuron.names), f"01_{args.mode}_before")
    out.backward()
    print()
    explain(out)
    print()
    draw(engine.draw_dot(out, **neuron.names), f"01_{args.mode}_after")
    page = support.output(f"01_{args.mode}_debugger.html")
    support.show(learn.debug(out, page, title="one neuron"))
    print(f"every step, for a browser: {page}")
    slope = 1 - out.item() ** 2
    print("\nCheck by hand: d tanh(n)/dn = 1 - tanh(n)², and d n/d w0 = x0 = 2, so\n"
          f"  d out/d w0 = {slope:.4f} * 2 = {2 * slope:.4f}\n")
    target = 0.8
    output = train(neuron, engine.optim, target, args.steps)
    print(f"after {args.steps} training steps the output is {output:.4f}; the target is {target}")


if __name__ == "__main__":
    main()
