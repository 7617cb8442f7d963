"""The engine: the graph that recorded operations leave behind, and the walk back through it.

The story is the one of `scalar/engine.py`, told for whole arrays:

    op            a forward, and a vector-Jacobian rule for each argument (defined in `ops/`)
    node          what one call of an op leaves behind: its parents and what its rules need
    leaf          where the walk ends: it names the Tensor that asked for the gradient
    backward      nodes in reverse topological order; each turns the gradient of its output
                  into gradients of its parents; what arrives at the same place is added up

The walk is the same whether it computes on arrays, and nothing is recorded, or on Tensors
(`create_graph=True`), so that the gradients can be differentiated again.
"""

from __future__ import annotations

import functools
import math
import weakref
from collections.abc import Callable, Iterable
from operator import attrgetter
from types import CodeType, SimpleNamespace
from typing import Any

from ..devices import array_module, as_array, is_array
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

    op: Any
    parents: tuple[Node | Leaf | None, ...]
    saved: tuple[Any, ...] | None
    shape: tuple[int, ...]
    time: int
    code: CodeType
    offset: int
    hooks: tuple[Hook, ...] = ()
    keeps = True  # whether it saves arrays, which are to be released after backward

    # backward(xp, g, saved, parents, shape, grads, owned): for every parent that wants one,
    # computes its gradient and adds it to what `grads` holds for that parent. `compiler.py`
    # writes it for each op.
    backward: Callable[..., None]

    def saved_tensors(self) -> list[Any]:
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
        self.index = index

    def name(self) -> str:
        return type(self.parents[0]).__name__

    def saved_tensors(self) -> list[Any]:
        return []

    def backward(self, xp: Any, g: Any, saved: Any, parents: Any, shape: Any,
                 grads: dict[Any, Any], owned: Any) -> None:
        (node,) = parents
        if node is not None:
            gradients = grads.setdefault(node, [None] * len(node.op.outputs))
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


def walk(roots: dict[Any, Any], targets: Iterable[Any] | None = None,
         retain_graph: bool = False, create_graph: bool = False) -> dict[Any, Any]:
    """The gradients of the leaves, or of the nodes `targets`, given those of the roots.

    Gradients are arrays, or Tensors when `create_graph` asks for a graph of their own. What
    arrives first at a node is borrowed as it is, the second makes a new array, later ones are
    added into it: `owned` names the nodes whose gradient may be written.
    """
    order = topological_order(roots)
    check_unwritten(order)
    wanted: Any = None if targets is None else set(targets)
    useful = None if wanted is None else ancestors_of(wanted, order)
    grads, results = dict(roots), {}
    owned: Any = _Never() if create_graph else set()
    kind = xp = None
    previous, mode.enabled = mode.enabled, create_graph
    place = mode.device
    try:
        for node in order:
            if not node.time:  # only leaves are left
                break
            g = grads.pop(node, None)
            if g is None:
                continue
            if node.hooks:
                g = run_hooks(node, g)
            parents = node.parents
            if useful is not None:
                if node in wanted:
                    results[node] = g
                if node not in useful:
                    continue
                parents = tuple([p if p in useful or p in wanted else None for p in parents])
            if node.saved is None:
                raise RuntimeError(
                    f"backward: what {node.op.name} saved ({place_of(node)}) was released by an "
                    "earlier backward through the same graph; give that one retain_graph=True, "
                    "or run the forward again")
            if create_graph:
                mode.device = next(d for d in g if d is not None).device \
                    if isinstance(g, list) else g.device
                backward = functools.partial(recompute, node.op) if node.op.residuals \
                    else node.backward
                backward(tensors, g, node.saved_tensors(), parents, node.shape, grads, owned)
            else:
                if g.__class__ is not kind:
                    kind = g.__class__
                    xp = array_module(*g) if kind is list else array_module(g)
                node.backward(xp, g, node.saved, parents, node.shape, grads, owned)
            if previous is CHECKED:
                for parent in parents:
                    if parent in grads:
                        check_finite(node, (grads[parent],), "backward")
            if not retain_graph and node.keeps:
                node.saved = None
        for leaf, g in grads.items():
            if wanted is None or leaf in wanted:
                results[leaf] = run_hooks(leaf, g) if leaf.hooks else g
    finally:
        mode.enabled, mode.device = previous, place
    return results


def accumulate(parent: Any, d: Any, grads: dict[Any, Any], owned: Any) -> None:
    """Adds the gradient `d` to what has arrived at `parent` so far."""
    if d.shape != parent.shape:
        d = unbroadcast(d, parent.shape)
    if parent not in grads:
        grads[parent] = d
    elif parent in owned:
        grads[parent] += d
    else:
        grads[parent] = grads[parent] + d
        owned.add(parent)


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


class _Never:
    """No gradient may be written: what `owned` is while gradients have a graph of their own."""

    def __contains__(self, node: Any) -> bool:
        return False

    def add(self, node: Any) -> None:
        pass


def recompute(op: Any, xp: Any, g: Any, saved: list[Any], parents: tuple[Any, ...],
              shape: tuple[int, ...], grads: dict[Any, Any], owned: Any) -> None:
    """The recorded backward of an op that keeps residuals.

    Its rules treat a residual (say the powers in a softmax) as a constant, which would make
    second derivatives silently wrong. So the forward runs again, on Tensors, and the walk goes
    back through that.
    """
    values = dict(zip(op.save_list, saved, strict=True))
    inputs = op.signature.inputs
    aliases = {i: xp.alias(values[i]) for i, p in zip(inputs, parents, strict=True)
               if p is not None}
    out = op.forward(xp, **{**{n: values[n] for n in op.signature.order}, **aliases})[0]
    found = walk({out._node: g}, [a._node for a in aliases.values()], True, True)
    for name, parent in zip(inputs, parents, strict=True):
        if parent is not None and aliases[name]._node in found:
            accumulate(parent, found[aliases[name]._node], grads, owned)


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
