"""Drawings of the graphs of Tensors, in the same form as those of `scalar`.

    draw_dot(loss)                      shows itself in a notebook
    draw_dot(loss, w=w, h=h)            shows these Tensors with name, data and gradient
    draw_dot(loss).render("loss.svg")   writes a file
    print(draw_dot(loss))               prints a tree of text
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..arrays.devices import is_array, to_numpy
from ..autograd.engine import topological_order
from ..autograd.graph import Leaf, Node, Pick
from .retaining import Given, Retained, retained
from .tensor import Tensor

if TYPE_CHECKING:
    from scalar.draw import Graph

SHOWN = 6  # elements; of a larger Tensor the range is shown


def draw_dot(root: Tensor, format: str = "svg", rankdir: str = "LR", **names: Tensor) -> Graph:
    """The graph that computed `root`: operations, and Tensors with shape, data and gradient.

    Inputs and targets that operations were given are drawn too, and parameters of modules carry
    their names. A graph keeps the data of a computed Tensor only if a derivative rule needs it, and
    its gradient only after `retain_grad()`. What is computed in `with retain_all():` is shown with
    both. A Tensor that is passed by name, as in `draw_dot(loss, h=h)`, is shown under this name.

    Raises:
        TypeError: `root` or a named argument is not a Tensor.
        ValueError: an unknown format or rankdir.
        RuntimeError: `root` was not recorded.
    """
    from scalar.draw import Graph, parameter_names

    from ..nn.module import Module

    for name, tensor in {"root": root, **names}.items():
        if not isinstance(tensor, Tensor):
            raise TypeError(f"draw_dot: {name} should be a Tensor, got {type(tensor).__name__}")
    if root._node is None:
        raise RuntimeError("draw_dot: root has no graph, as it does not require grad; make its "
                           "inputs with requires_grad=True and compute it outside of no_grad()")
    order = topological_order([root._node])[::-1]
    tensors: dict[Any, Any] = {leaf: leaf.tensor() for leaf in order if isinstance(leaf, Leaf)}
    parameters = parameter_names(tensors.values(), Module)
    labels = {leaf: parameters[id(tensor)] for leaf, tensor in tensors.items()
              if id(tensor) in parameters}
    labels |= {tensor._node: name for name, tensor in names.items()}
    tensors |= {tensor._node: tensor for tensor in names.values()} | {root._node: root}
    values = _saved_values(order)
    backward_ran = any(t is not None and t._grad is not None for t in tensors.values())
    graph = Graph(format, rankdir, root)
    for node in order:
        if getattr(node.op, "outputs", ()):
            continue  # each of its results has a node of its own
        shown, kept = tensors.get(node), retained.get(node)
        name = labels.get(node) or (kept.name if kept is not None else "")
        fields = [name] if name else []
        fields.append(f"shape {tuple(node.shape)}")
        array = shown._array if shown is not None else kept.data if kept is not None \
            else values.get(node)
        if array is not None:
            fields.append(f"data {_described(array)}")
        kind = "result" if isinstance(node, Node) else "parameter" if node in labels else "input"
        graph.node(node, [*fields, _gradient(shown, kept, backward_ran)], kind)
        if isinstance(node, Node):
            source: Any = node.parents[0] if isinstance(node, Pick) else node
            operation = (node, "operation")
            graph.operation(operation, node.op.name)
            graph.edge(operation, node)
            for parent in source.parents:
                if parent is not None:
                    graph.edge(parent, operation)
            for name, constant in _constants(source):
                key = (name, id(constant))
                graph.node(key, [name, f"shape {constant.shape}", f"data {_described(constant)}"],
                           "input")
                graph.edge(key, operation)
    return graph


def _constants(node: Node) -> list[tuple[str, Any]]:
    """(name, array) for the arguments of an operation that take no gradient: inputs, targets."""
    kept = retained.get(node)
    if kept is not None and kept.arguments is not None:
        return [(given.name or name, given.data) for name, given in kept.arguments.items()
                if isinstance(given, Given) and given.node is None and given.data.ndim]
    signature = getattr(node.op, "signature", None)
    if signature is None or signature.variadic:
        return []
    saved = dict(zip(node.op.save_list, node.saved or (), strict=False))
    return [(name, saved[name]) for name, parent in zip(signature.inputs, node.parents, strict=True)
            if parent is None and is_array(saved.get(name)) and saved[name].ndim]


def _saved_values(order: list[Any]) -> dict[Any, Any]:
    """The arrays that the graph has saved, by the node that computed them."""
    values: dict[Any, Any] = {}
    for node in order:
        inputs = getattr(getattr(node.op, "signature", None), "inputs", ())
        for name, value in zip(node.op.save_list, node.saved or (), strict=False):
            if name == "out":
                values[node] = value
            elif name in inputs and is_array(value):
                parent = node.parents[inputs.index(name)]
                if parent is not None:
                    values[parent] = value
    return values


def _gradient(tensor: Tensor | None, kept: Retained | None, backward_ran: bool) -> str:
    """The gradient field of a node."""
    if tensor is not None and tensor._grad is not None:
        return f"grad {_described(tensor._grad._array)}"
    if kept is not None and kept.grad is not None:
        return f"grad {_described(kept.grad)}"
    return "grad not kept" if backward_ran else "grad None"


def _described(array: Any) -> str:
    """A few numbers, or the range of many."""
    host = to_numpy(array)
    if host.size == 1:
        return f"{host.item():.4f}"
    if host.size == 0:
        return "[]"
    if host.size <= SHOWN:
        return str([round(v, 4) for v in host.ravel().tolist()])
    return f"{host.min():.4f} to {host.max():.4f}"
