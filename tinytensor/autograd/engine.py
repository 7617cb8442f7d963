"""The engine: the graph that recorded operations leave behind, and the walk back through it.

The story is the one of `scalar/engine.py`, told for whole arrays:

    op            a forward, and a vector-Jacobian rule for each argument (defined in `ops/`)
    node          what one call of an op leaves behind: its parents and what its rules need
    leaf          where the walk ends: it names the Tensor that asked for the gradient
    backward      nodes in reverse topological order, which is that of falling age: each turns
                  the gradient of its output into gradients of its parents; what arrives at the
                  same place is added up

The walk is the same whether it computes on arrays, and nothing is recorded, or on Tensors
(`create_graph=True`), so that the gradients can be differentiated again.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from operator import attrgetter
from types import CodeType, SimpleNamespace
from typing import Any

from ..arrays.devices import array_module, as_array, is_array
from . import versions
from .modes import CHECKED, check_finite, mode
from .versions import check_unwritten, clock, place_of

Tensor: Any = None  # set by tensor.py: the engine makes Tensors, and stands below them
Hook = Callable[[Any], Any]
new = object.__new__


# The ops under NumPy's names: the array language of a backward pass that is recorded.
# `ops/__init__.py` fills it.
tensors = SimpleNamespace()


# ---------------------------------------------------------------- graph


class Node:
    """What one recorded call of an op leaves behind.

    parents   for each input: the Node that made it, its Leaf, or None where no gradient goes
    saved     the values that the op's rules name; None once they are released
    shape     the shape of the output, hence of its gradient; None if there are several
    time      when it was made; a node is younger than its parents, so falling time is a
              reverse topological order
    code      the code that called the op, and
    offset    where in it

    A node holds no reference to its own output: the graph has no cycles, and is freed by
    reference counting as soon as the last Tensor that needs it is gone.
    """

    __slots__ = ("__weakref__", "code", "hooks", "offset", "parents", "saved", "shape", "time")

    op: Any
    parents: tuple[Node | Leaf | None, ...]
    saved: tuple[Any, ...] | None
    shape: tuple[int, ...]
    time: int
    code: CodeType
    offset: int
    hooks: tuple[Hook, ...]
    keeps = True  # whether it saves arrays, which are to be released after backward

    # backward(node, xp, g, sums, parents): for every parent that wants one, computes its gradient
    # and adds it to the sums. `parents` has None for those that do not; it is None itself where
    # all want one that can have one. `compiler.py` writes it for each op.
    backward: Callable[..., None]

    def take(self, sums: Sums) -> Any:
        """What was saved, for the rules: Tensors in a walk that is recorded. Released with that,
        unless the graph is retained.
        """
        if self.saved is None:
            raise RuntimeError(
                f"backward: what {self.op.name} saved ({place_of(self)}) was released by an "
                "earlier backward through the same graph; give that one retain_graph=True, "
                "or run the forward again")
        saved = self.saved_values() if sums.recorded else self.saved
        if self.keeps and not sums.retained:
            self.saved = None
        return saved

    def saved_values(self) -> list[Any]:
        """The saved values, with inputs and output as Tensors at their place in the graph."""
        assert self.saved is not None
        signature, tied = self.op.signature, []
        for name, value in zip(self.op.save_list, self.saved, strict=True):
            if name in self.op.outputs:
                value = tensor_of(value, pick(self, self.op.outputs.index(name), value))
            elif name == "out":
                value = tensor_of(value, self)
            elif name in signature.inputs and signature.variadic:
                value = [tensor_of(v, p) for v, p in zip(value, self.parents, strict=True)]
            elif name in signature.inputs:
                value = tensor_of(value, self.parents[signature.inputs.index(name)])
            tied.append(value)
        return tied

    @property
    def next_functions(self) -> tuple[tuple[Any, int], ...]:
        """(parent, 0) for each input: the graph as PyTorch programs walk it."""
        return tuple((parent, 0) for parent in self.parents)

    def name(self) -> str:
        return type(self).__name__

    def __repr__(self) -> str:
        return f"<{self.name()}>"


def node_type(name: str, op: Any, backward: Callable[..., None]) -> Any:
    """The class of an op's nodes. The node of each input has a slot of its own, `<input>_node`: a
    tuple of them would be one more object for Python's collector to walk over.
    """
    members = {"__slots__": (), "op": op, "backward": backward}
    if not op.signature.variadic:
        slots = tuple(f"{name}_node" for name in op.signature.inputs)
        get = attrgetter(*slots)
        members |= {"__slots__": slots, "parents": property(
            get if len(slots) > 1 else lambda node: (get(node),))}
    return type(name, (Node,), members)


class Leaf:
    """Where the walk ends: it stands for a Tensor that asked for its gradient."""

    parents: tuple[()] = ()
    saved: tuple[()] = ()
    op = SimpleNamespace(save_list=())
    time = 0  # older than every node
    hooks: tuple[Hook, ...] = ()
    next_functions: tuple[()] = ()

    def __init__(self, tensor: Any):
        self.tensor = weakref.ref(tensor)
        self.shape: tuple[int, ...] = tensor._array.shape

    @property
    def variable(self) -> Any:
        """The Tensor itself, under the name that drawings of PyTorch's graph ask for."""
        return self.tensor()

    def name(self) -> str:
        return "AccumulateGrad"

    def __repr__(self) -> str:
        return "<AccumulateGrad>"


class Pick(Node):
    """One of several results of an op: its gradient takes its place in a list for the op's node."""

    index: int
    keeps = False

    def __init__(self, node: Node, index: int, array: Any):
        self.op = SimpleNamespace(name=node.op.name, save_list=(), residuals=(), outputs=())
        self.parents, self.saved, self.shape = (node,), (), tuple(array.shape)
        self.code, self.offset, self.time = node.code, node.offset, next(clock)
        self.hooks, self.index = (), index

    def name(self) -> str:
        return self.parents[0].name()  # type: ignore[union-attr]

    def saved_values(self) -> list[Any]:
        return []

    def backward(self, xp: Any, g: Any, sums: Sums, parents: Any) -> None:
        (node,) = parents or self.parents
        if node is not None:
            if node not in sums.grads:
                sums.reach(node, [None] * len(node.op.outputs))
            gradients = sums.grads[node]
            gradients[self.index] = g if gradients[self.index] is None \
                else gradients[self.index] + g


def pick(node: Node, index: int, array: Any) -> Pick | None:
    """The node of one result, or None if the result is of integers."""
    return Pick(node, index, array) if array.dtype.kind in "fO" else None


def tensor_of(array: Any, node: Node | Leaf | None) -> Any:
    """A Tensor around `array` that stands at `node` of the graph; numbers and None stay."""
    if not is_array(array):
        return array
    tensor = new(Tensor)
    tensor._array = array
    tensor._node = node
    return tensor


# ---------------------------------------------------------------- backward


class Sums:
    """The gradients that have arrived in the course of a walk, added up.

    grads     for each node or leaf that was reached, its gradient so far: an array, a Tensor in
              a walk that is recorded, a list for an op of several results
    owned     those whose gradient may be written: the first to arrive is borrowed as it is, the
              second makes a new array, later ones are added into it
    kept      whether saved values are not just used up: `recorded`, or `retained` for another walk
    reached   a heap of (-time, node), the youngest node on top: what was computed from it is
              younger still, so that all of its gradient has arrived when its turn comes
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
        if node.time:  # at a leaf the walk ends
            heappush(self.reached, (-node.time, node))

    def add(self, node: Any, d: Any) -> None:
        """Adds the gradient `d` to what has arrived at `node`."""
        if d.shape != node.shape:
            d = unbroadcast(d, node.shape)
        if node not in self.grads:
            self.reach(node, d)
        elif node in self.owned:
            self.grads[node] += d
        else:
            self.grads[node] = self.grads[node] + d
            self.owned.add(node)

    def own(self, node: Any) -> Any:
        """The gradient of `node` so far, as an array that may be written, in C's order."""
        g = self.grads[node]
        if node not in self.owned or not g.flags.c_contiguous:
            g = self.grads[node] = g.copy()
            self.owned.add(node)
        return g


class _Never:
    """No gradient may be written: what `owned` is while gradients have a graph of their own."""

    def __contains__(self, node: Any) -> bool:
        return False

    def add(self, node: Any) -> None:
        pass


def walk(roots: dict[Any, Any], targets: Iterable[Any] | None = None,
         retain_graph: bool = False, create_graph: bool = False) -> dict[Any, Any]:
    """The gradients of the leaves, or of the nodes `targets`, given those of the roots.

    Gradients are arrays, or Tensors when `create_graph` asks for a graph of their own.
    """
    wanted: Any = None if targets is None else set(targets)
    useful = None if wanted is None else ancestors_of(wanted, topological_order(roots))
    sums, results = Sums(roots, create_graph, retain_graph), {}
    grads, reached, unwritten = sums.grads, sums.reached, -versions.last_write
    kind, xp = None, tensors if create_graph else None
    previous, mode.enabled = mode.enabled, create_graph
    place = mode.device
    plain = useful is None and not create_graph and previous is not CHECKED
    try:
        while reached:
            age, node = heappop(reached)
            g = grads.pop(node)
            if plain and age <= unwritten and g.__class__ is kind and not node.hooks:
                node.backward(xp, g, sums, None)  # most nodes of most walks: no more questions
                continue
            if node.hooks:
                g = run_hooks(node, g)
            parents = None
            if useful is not None:
                if node in wanted:
                    results[node] = g
                if node not in useful:
                    continue
                parents = tuple([p if p in useful or p in wanted else None for p in node.parents])
            if age > unwritten:
                check_unwritten(node)
            if create_graph:
                mode.device = next(d for d in g if d is not None).device \
                    if isinstance(g, list) else g.device
            elif g.__class__ is not kind:
                kind = g.__class__
                xp = array_module(*g) if kind is list else array_module(g)
            if create_graph and node.op.residuals:
                recompute(node, xp, g, sums, parents)
            else:
                node.backward(xp, g, sums, parents)
            if previous is CHECKED:
                for parent in node.parents:
                    if parent in grads:
                        check_finite(node, (grads[parent],), "backward")
        for leaf, g in grads.items():
            if wanted is None or leaf in wanted:
                results[leaf] = run_hooks(leaf, g) if leaf.hooks else g
    finally:
        mode.enabled, mode.device = previous, place
    return results


def unbroadcast(g: Any, shape: tuple[int, ...]) -> Any:
    """Sums `g` over the axes along which an input of `shape` was repeated."""
    extra = len(g.shape) - len(shape)
    repeated = tuple(i for i, n in enumerate(g.shape)
                     if i < extra or shape[i - extra] == 1 and n != 1)
    if is_array(g) and repeated == tuple(range(extra)) and len(shape):
        # A product with ones adds up rows faster, and in float32 better, than a sum over axis 0.
        rows = g.reshape(math.prod(g.shape[:extra]), math.prod(shape))
        return (array_module(g).ones(len(rows), dtype=g.dtype) @ rows).reshape(shape)
    return g.sum(axis=repeated).reshape(shape)


def recompute(node: Node, xp: Any, g: Any, sums: Sums, parents: Any) -> None:
    """The recorded backward of an op that keeps residuals.

    Its rules treat a residual (say the powers in a softmax) as a constant, which would make
    second derivatives silently wrong. So the forward runs again, on Tensors, and the walk goes
    back through that.
    """
    op, parents = node.op, parents or node.parents
    values = dict(zip(op.save_list, node.take(sums), strict=True))
    inputs = op.signature.inputs
    aliases = {i: xp.alias(values[i]) for i, p in zip(inputs, parents, strict=True)
               if p is not None}
    out = op.forward(xp, **{**{n: values[n] for n in op.signature.order}, **aliases})[0]
    found = walk({out._node: g}, [a._node for a in aliases.values()], True, True)
    for name, parent in zip(inputs, parents, strict=True):
        if parent is not None and aliases[name]._node in found:
            sums.add(parent, found[aliases[name]._node])


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
    """The nodes of `order` through which some gradient on its way to `wanted` must pass."""
    useful: set[Any] = set()
    for node in reversed(order):
        if any(p in wanted or p in useful for p in node.parents):
            useful.add(node)
    return useful


def run_hooks(node: Any, g: Any) -> Any:
    """The gradient after the hooks of its Tensor have seen, and perhaps replaced, it."""
    tensor = g if isinstance(g, Tensor) else tensor_of(as_array(g), None)
    for hook in node.hooks:
        replaced = hook(tensor)
        if replaced is None:
            continue
        if not isinstance(replaced, Tensor) or replaced.shape != tensor.shape:
            got = tuple(replaced.shape) if isinstance(replaced, Tensor) else type(replaced).__name__
            raise RuntimeError(f"hook: returned {got} for a gradient of shape "
                               f"{tuple(tensor.shape)}; return a Tensor of that shape, or None")
        tensor = replaced
    return tensor if isinstance(g, Tensor) else tensor._array
