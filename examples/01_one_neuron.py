"""One neuron, tanh(w·x + b): its graph before and after backward, and every chain-rule step.

    python examples/01_one_neuron.py                  # single numbers: every step is visible
    python examples/01_one_neuron.py --mode tensor    # the same neuron on arrays

The pictures go to examples/output/; without Graphviz the graph is printed as a tree.
"""

from __future__ import annotations

import argparse
from typing import Any

import support


def scalar_neuron() -> Any:
    """The neuron on `scalar.Value`: one node for every number."""
    from scalar import Value

    w = [Value(0.5, label="w0"), Value(-1.0, label="w1")]
    x = [Value(2.0, label="x0"), Value(1.0, label="x1")]
    b = Value(0.3, label="b")
    n = w[0] * x[0] + w[1] * x[1] + b
    n.label = "n"
    out = n.tanh()
    out.label = "out"
    return out


def tensor_neuron() -> tuple[Any, dict[str, Any]]:
    """The same neuron on `tinytensor.Tensor`, one node for every array operation, and its parts."""
    import tinytensor as tt

    w = tt.tensor([0.5, -1.0], dtype=tt.float64, requires_grad=True)
    x = tt.tensor([2.0, 1.0], dtype=tt.float64, requires_grad=True)
    b = tt.tensor(0.3, dtype=tt.float64, requires_grad=True)
    return (w @ x + b).tanh(), {"w": w, "x": x, "b": b}


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
        for parent, local in zip(node._prev, node._local, strict=True):
            print(f"  {name[node]} = {formula:9s} so d out / d {name[parent]:3s} += "
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
    mode = parser.parse_args().mode
    names: dict[str, Any] = {}
    if mode == "scalar":
        from scalar import draw_dot

        out, explain = scalar_neuron(), explain_scalar
    else:
        from tinytensor import draw_dot

        (out, names), explain = tensor_neuron(), explain_tensor
    print(f"forward: out = tanh(w·x + b) = {out.item():.4f}\n")
    draw(draw_dot(out, **names), f"01_{mode}_before")
    out.backward()
    print()
    explain(out)
    print()
    draw(draw_dot(out, **names), f"01_{mode}_after")
    print("\nCheck by hand: d tanh(n)/dn = 1 - tanh(n)², and d n/d w0 = x0 = 2, so\n"
          f"  d out/d w0 = {1 - out.item() ** 2:.4f} * 2 = {2 * (1 - out.item() ** 2):.4f}")


if __name__ == "__main__":
    main()
