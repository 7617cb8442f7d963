"""The engine: backward, from a result to the gradient of every leaf.

The story is the one of `scalar/engine.py`, told for whole arrays, in the same order:

    the node                 graph.py    what a recorded operation leaves: parents, saved values
    an operation             op.py       a forward, and a vector-Jacobian rule for each input
    the topological order    below
    backward                 below       each node turns the gradient of its output into those of
                                         its parents, by the rules; what arrives at the same
                                         place is added up

The walk is the same whether it computes on arrays, and nothing is recorded, or on Tensors
(`create_graph=True`), so that the gradients can be differentiated again.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from heapq import heappop, heappush
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy
from numpy import ndarray

from ..arrays.devices import Gpus, array_module, as_array, ones_like
from . import graph, versions
from .errors import GradientShapeError
from .graph import Node, new, tensor_of, tensors
from .halves import half_of, narrowed, widened
from .modes import check_backward, mode, set_mode
from .versions import check_unwritten, is_all_of_its_base, note_write

if TYPE_CHECKING:
    from ..tensors.tensor import Tensor

# ---------------------------------------------------------------- the topological order
#
# A node may run only after every node that uses its output has run:
#
#     b = a + a
#     c = b + b         c uses b twice, and b uses a twice
#
# The gradient of c is 1, so b receives 1 + 1 = 2, and a receives 2 + 2 = 4. A walk that went on
# from b after its first 1 would send too little to a. The order is easy to know here: a node is
# made after its parents, so the youngest node first is a topological order of the graph, backwards.


def topological_order(roots: Iterable[Any]) -> list[Any]:
    """Every node that the roots were computed from, each before its parents; leaves last."""
    stack = list(roots)
    seen = set(stack)
    order: list[Any] = []
    while stack:
        node = stack.pop()
        order.append(node)
        for parent in node.parents:
            if parent is not None and parent not in seen:
                seen.add(parent)
                stack.append(parent)
    order.sort(key=attrgetter("time"), reverse=True)
    return order


def ancestors_of(wanted: set[Any], order: list[Any]) -> set[Any]:
    """The nodes of `order` from which some path leads to `wanted`."""
    useful: set[Any] = set()
    for node in reversed(order):
        if any(p in wanted or p in useful for p in node.parents):
            useful.add(node)
    return useful


# ---------------------------------------------------------------- backward


class Sums:
    """The gradients that have arrived during a walk, added up.

    grads     for each node or leaf that was reached, its gradient so far: an array, a Tensor if
              the walk is recorded, a list for an op of several outputs
    owned     those whose gradient may be written: the first to arrive is borrowed as it is, the
              second allocates a new array, later ones are added in place
    kept      whether saved values stay after use: `recorded`, or `retained` for another walk
    reached   a heap of (-time, node), the youngest node on top: the next in topological order
    """

    __slots__ = ("grads", "kept", "owned", "reached", "recorded", "retained")

    def __init__(self, roots: dict[Any, Any], recorded: bool, retained: bool):
        self.recorded, self.retained, self.kept = recorded, retained, recorded or retained
        self.grads: dict[Any, Any] = {}
        self.owned: Any = _Never() if recorded else set()
        self.reached: list[tuple[int, Any]] = []
        for node, g in roots.items():
            self.reach(node, g)

    def reach(self, node: Any, g: Any) -> None:
        self.grads[node] = g
        if node.time:  # the walk ends at a leaf
            heappush(self.reached, (-node.time, node))

    def add(self, node: Any, d: Any) -> None:
        """Adds `d` to the gradient of `node`."""
        if d.shape != node.shape:
            d = unbroadcast(d, node.shape)
        if node not in self.grads:
            self.reach(node, d)
        elif node in self.owned:
            self.grads[node] += d
        else:
            self.grads[node] = self.grads[node] + d
            self.owned.add(node)


class _Never:
    """The set `owned` of a recorded walk: no gradient may be written, since each has a graph."""

    def __contains__(self, node: Any) -> bool:
        return False

    def add(self, node: Any) -> None:
        pass


def walk(roots: dict[Any, Any], targets: Iterable[Any] | None = None,
         retain_graph: bool = False, create_graph: bool = False) -> dict[Any, Any]:
    """The gradients of the leaves, or of the nodes `targets`, given those of the roots.

    Gradients are arrays, or Tensors if `create_graph` asks for a graph of their own.
    """
    wanted: Any = None if targets is None else set(targets)
    useful = None if wanted is None else ancestors_of(wanted, topological_order(roots))
    sums, results = Sums(roots, create_graph, retain_graph), {}
    grads, reached = sums.grads, sums.reached
    kind, xp = None, tensors if create_graph else None
    previous, place, depth, mode.depth = mode.enabled, mode.device, mode.depth, mode.depth + 1
    plain = useful is None and not create_graph and not mode.anomaly and not Gpus.several
    try:
        set_mode(create_graph)
        while reached:
            age, node = heappop(reached)
            g = grads.pop(node)
            # Hooks and the backward of a Function may write: the last write is asked for each time.
            if plain and age <= -versions.last_write and g.__class__ is kind and not node.hooks:
                node.backward(xp, g, sums, None)  # most nodes of most walks take this line only
                continue
            if node.hooks:
                g = graph.run_hooks(node, g)
            parents = None
            if useful is not None:
                if node in wanted:
                    results[node] = g
                if node not in useful:
                    continue
                parents = tuple([p if p in useful or p in wanted else None for p in node.parents])
            if age > -versions.last_write:
                check_unwritten(node)
            if create_graph:
                mode.device = next(d for d in g if d is not None).device \
                    if isinstance(g, list) else g.device
            elif g.__class__ is not kind or Gpus.several:
                kind = g.__class__
                xp = array_module(*g) if kind is list else array_module(g)
            if create_graph and node.op.residuals and not node.hooked:
                recompute(node, xp, g, sums, parents)
            else:
                node.backward(xp, g, sums, parents)
            if mode.anomaly:
                for parent in node.parents:
                    if parent in grads:
                        check_backward(node, grads[parent])
        for leaf, g in grads.items():
            if wanted is None or leaf in wanted:
                results[leaf] = graph.run_hooks(leaf, g) if leaf.hooks else g
    finally:
        mode.device, mode.depth = place, depth
        try:
            set_mode(previous)
        except BaseException:  # Ctrl-C
            set_mode(previous)
            raise
    return results


def unbroadcast(g: Any, shape: tuple[int, ...]) -> Any:
    """Sums `g` over the axes along which an input of `shape` was repeated.

    Raises:
        GradientShapeError: `shape` does not broadcast to the shape of `g`.
    """
    half = half_of(g)
    if half is not None:  # the gradient of a view
        return narrowed(unbroadcast(widened(g), shape), half)
    extra = len(g.shape) - len(shape)
    if extra < 0 or any(m not in (1, n) for n, m in zip(g.shape[extra:], shape, strict=True)):
        raise GradientShapeError(g, shape)
    repeated = tuple(i for i, n in enumerate(g.shape)
                     if i < extra or shape[i - extra] == 1 and n != 1)
    if g.__class__ is ndarray and repeated == tuple(range(extra)) and len(shape):
        # A product with ones adds up rows faster, and in float32 better, than a sum over axis 0.
        rows = g.reshape(math.prod(g.shape[:extra]), math.prod(shape))
        return (numpy.ones(len(rows), dtype=g.dtype) @ rows).reshape(shape)
    return g.sum(axis=repeated).reshape(shape)


def recompute(node: Node, xp: Any, g: Any, sums: Sums, parents: Any) -> None:
    """The recorded backward of an op that keeps residuals.

    Its rules treat a residual (such as the exponentials of a softmax) as a constant, which would
    make second derivatives silently wrong. So the forward runs again, on Tensors, and the walk
    goes back through that.
    """
    op, parents = node.op, parents or node.parents
    values = dict(zip(op.save_list, node.take(sums), strict=True))
    inputs = op.signature.inputs
    aliases = {i: xp.alias(values[i]) for i, p in zip(inputs, parents, strict=True)
               if p is not None}
    given = {**{name: values[name] for name in op.signature.order}, **aliases}
    if node.half:
        given = {name: widened(value) for name, value in given.items()}
    out = op.forward(xp, **given)[0]
    if node.half:
        out = narrowed(out, node.half)
    gradients = walk({out._node: g}, [a._node for a in aliases.values()], True, True)
    for name, parent in zip(inputs, parents, strict=True):
        if parent is not None and aliases[name]._node in gradients:
            sums.add(parent, gradients[aliases[name]._node])


# ---------------------------------------------------------------- Tensor.backward, and grad


def _alone() -> int:
    g = object()
    return sys.getrefcount(g)


ALONE = _alone()  # what `getrefcount` tells of an object that only one local variable holds


def _seed(name: str, outputs: Sequence[Any], gradients: Sequence[Any] | None,
          create_graph: bool) -> dict[Any, Any]:
    """The gradients to start from: as given, or 1 for an output of one element."""
    gradients = [None] * len(outputs) if gradients is None else list(gradients)
    if len(gradients) != len(outputs):
        raise RuntimeError(f"{name}: {len(outputs)} outputs, but {len(gradients)} gradients")
    roots: dict[Any, Any] = {}
    for output, gradient in zip(outputs, gradients, strict=True):
        if not isinstance(output, graph.Tensor):
            raise TypeError(f"{name}: expected Tensors, got {type(output).__name__}")
        shape = tuple(output._array.shape)
        if output._node is None:
            raise RuntimeError(
                f"{name}: the output of shape {shape} does not require grad and has no grad_fn; "
                "were its inputs made with requires_grad=True, outside of no_grad()?")
        if gradient is None:
            if output._array.size != 1:
                raise RuntimeError(
                    f"{name}: the output has shape {shape}; grad can be created implicitly only "
                    "for one element: reduce it with .sum() or .mean() first, or give a "
                    "gradient of that shape")
            gradient = new(graph.Tensor)
            gradient._array, gradient._node = ones_like(output._array), None
        elif not isinstance(gradient, graph.Tensor):
            raise TypeError(f"{name}: the gradient must be a Tensor, got "
                            f"{type(gradient).__name__}")
        elif gradient._array.shape != shape:
            raise RuntimeError(f"{name}: the gradient has shape {tuple(gradient._array.shape)}, "
                               f"the output {shape}")
        if gradient._array.dtype != output._array.dtype:
            gradient = gradient.to(output.dtype)
        g = gradient if create_graph else gradient._array
        roots[output._node] = roots[output._node] + g if output._node in roots else g
    return roots


def _as_sequence(tensors: Any) -> Sequence[Any]:
    if isinstance(tensors, graph.Tensor) or not isinstance(tensors, Iterable):
        return (tensors,)
    return tuple(tensors)


def backward(tensors: Tensor | Sequence[Tensor],
             grad_tensors: Tensor | Sequence[Tensor | None] | None = None,
             retain_graph: bool | None = None, create_graph: bool = False,
             inputs: Tensor | Iterable[Tensor] | None = None) -> None:
    """Adds d(sum of tensors * grad_tensors)/d(leaf) to the `grad` of every leaf.

    With `inputs` only to theirs, which need not be leaves. The values that the graph saved are
    released unless `retain_graph` (by default `create_graph`) says otherwise.

    Raises:
        RuntimeError: an output of several elements without a gradient, or one that was not
            recorded; a graph that was released; a saved value that was overwritten. No `grad`
            has changed then; what the walk had passed before it met the value is released.
    """
    outputs = _as_sequence(tensors)
    roots = _seed("backward", outputs,
                  None if grad_tensors is None else _as_sequence(grad_tensors), create_graph)
    receivers: dict[Any, Any] = {}
    if inputs is not None:
        receivers = {_node_of(t, "backward"): t for t in _as_sequence(inputs)}
        if not receivers:
            raise RuntimeError("backward: `inputs` is empty; leave it out to reach every leaf")
    retain = create_graph if retain_graph is None else retain_graph
    results = walk(roots, receivers or None, retain, create_graph)
    roots.clear()
    with_hooks = graph.Leaf.with_hooks
    for node, g in _taken(results, create_graph):
        tensor = receivers[node] if receivers else node.tensor()
        if tensor is None:
            continue
        if tensor._grad is None and g.__class__ is ndarray:  # nearly always
            tensor._grad = gradient = new(graph.Tensor)
            gradient._array, gradient._node = g, None
        else:
            _add_to_grad(tensor, g)
        if with_hooks and tensor._post_hooks:
            for hook in tensor._post_hooks:
                hook(tensor)


def _taken(results: dict[Any, Any], create_graph: bool) -> Iterator[tuple[Any, Any]]:
    """Empties `results`; the gradients as arrays that nobody else can write, or as Tensors."""
    while results:
        node, g = results.popitem()
        if g.shape != node.shape:
            raise GradientShapeError(g, node.shape)
        if not create_graph:
            if sys.getrefcount(g) > ALONE or g.base is not None and not is_all_of_its_base(g):
                g = g.copy()
            if g.__class__ is not ndarray:
                g = as_array(g)
        elif mode.enabled and 0 in g.stride():  # expanded, which programs could not write to
            g = g.clone()
        yield node, g


def _add_to_grad(tensor: Any, g: Any) -> None:
    if isinstance(g, graph.Tensor):
        if tensor._grad is None:  # no view, whatever the rule has made it of
            tensor._grad = tensor_of(g._array, g._node)
        else:
            tensor._grad = tensor._grad + g
    elif tensor._grad is None:
        tensor._grad = tensor_of(g, None)
    elif tensor._grad._node is not None:  # an earlier backward with create_graph
        tensor._grad = tensor._grad + tensor_of(g, None)
    else:
        tensor._grad._array += g
        note_write(tensor._grad._array, "backward")


def grad(outputs: Tensor | Sequence[Tensor], inputs: Tensor | Iterable[Tensor],
         grad_outputs: Tensor | Sequence[Tensor | None] | None = None,
         retain_graph: bool | None = None, create_graph: bool = False,
         allow_unused: bool | None = None, materialize_grads: bool = False) -> tuple[Tensor, ...]:
    """d(sum of outputs * grad_outputs)/d(input) for each input; no `grad` changes.

    Raises:
        RuntimeError: as `backward`; also if an input was not used and neither `allow_unused`
            (gives None for it) nor `materialize_grads` (gives zeros) is set.
    """
    outputs, inputs = _as_sequence(outputs), _as_sequence(inputs)
    roots = _seed("grad", outputs,
                  None if grad_outputs is None else _as_sequence(grad_outputs), create_graph)
    nodes = [_node_of(t, "grad") for t in inputs]
    retain = create_graph if retain_graph is None else retain_graph
    results = walk(roots, nodes, retain, create_graph)
    roots.clear()
    gradients = {node: g if create_graph else tensor_of(g, None)
             for node, g in _taken(results, create_graph)}
    for i, (node, tensor) in enumerate(zip(nodes, inputs, strict=True)):
        if node in gradients:
            continue
        if materialize_grads:
            gradients[node] = tensor.new_zeros(tensor.shape)
        elif allow_unused:
            gradients[node] = None
        else:
            raise RuntimeError(
                f"grad: input {i} of shape {tuple(tensor.shape)} was not used to compute the "
                "outputs; allow_unused=True gives None for it, materialize_grads=True zeros")
    return tuple(gradients[node] for node in nodes)


def _node_of(tensor: Any, name: str) -> Any:
    if not isinstance(tensor, graph.Tensor):
        raise TypeError(f"{name}: an input must be a Tensor, got {type(tensor).__name__}")
    if tensor._node is None:
        raise RuntimeError(f"{name}: an input of shape {tuple(tensor.shape)} does not require "
                           "grad; call requires_grad_() on it before the forward")
    return tensor._node
