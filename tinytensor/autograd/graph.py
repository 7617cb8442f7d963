"""The graph: the node that each recorded operation leaves, as `scalar.Value` is one for a number.

    leaf    a Tensor whose gradient was asked for: where backward ends
    node    one recorded call of an operation: its parents, and the values that its rules name

A node is an object of its own, apart from the Tensor that the operation returned. It holds no
reference to that Tensor, so the graph has no cycles: it is freed by reference counting as soon
as the last Tensor that needs it is gone, and an array that no rule names is freed earlier.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from types import CodeType, SimpleNamespace
from typing import TYPE_CHECKING, Any

from ..arrays import dtypes
from ..arrays.devices import as_array, is_array
from .frames import place_of, user_frame
from .versions import clock

if TYPE_CHECKING:
    from .engine import Sums

Tensor: Any = None  # set by tensors/tensor.py: the engine makes Tensors, and is imported before
Hook = Callable[[Any], Any]
new = object.__new__

# The operations under NumPy's names: the `xp` of a backward pass that is recorded.
# `ops/__init__.py` fills it.
tensors = SimpleNamespace()


# ---------------------------------------------------------------- the node


class Node:
    """One recorded call of an operation.

    op        the operation
    parents   for each input: the Node that made it, its Leaf, or None if it takes no gradient
    saved     the values that the op's rules name; None once they are released
    shape     the shape of the output, and so of its gradient; () if there are several outputs
    time      when the node was made. A node is younger than its parents, so falling time is a
              reverse topological order of the graph
    hooks     functions that see, and may replace, the gradient of the output
    code      the code of the program that called the operation, and
    offset    the position in it
    """

    __slots__ = ("__weakref__", "code", "hooks", "offset", "parents", "saved", "shape", "time")

    op: Any
    parents: tuple[Node | Leaf | None, ...]
    saved: Sequence[Any] | None
    shape: tuple[int, ...]
    time: int
    hooks: tuple[Hook, ...]
    code: CodeType
    offset: int
    keeps = True  # whether it saves arrays, which backward releases
    half: Any = None  # float16 or bfloat16, if it was computed from these, see halves.py
    hooked = False  # whether it has hooks for the gradients of its inputs, see node_hooks.py
    packed = False  # whether a program keeps the saved values, see saved.py

    def __init__(self, parents: Sequence[Any], saved: Sequence[Any] = (),
                 shape: tuple[int, ...] = (), same_place: Node | None = None):
        self.parents, self.saved, self.shape = tuple(parents), saved, shape
        self.time, self.hooks = next(clock), ()
        if same_place is None:
            frame = user_frame()
            self.code, self.offset = frame.f_code, frame.f_lasti
        else:
            self.code, self.offset = same_place.code, same_place.offset

    def backward(self, xp: Any, g: Any, sums: Sums, parents: Any) -> None:
        """Computes the gradient of every parent from that of the output, and adds it to `sums`.

        `parents` has None for those whose gradient is not wanted; it is None itself if all are.
        """
        self.op.backward(self, xp, g, sums, parents)

    def take(self, sums: Sums) -> Any:
        """The saved values, for the rules: Tensors if the walk is recorded. Releases them, unless
        the graph is retained.

        Raises:
            RuntimeError: they were released before.
        """
        if self.saved is None:
            raise RuntimeError(
                f"backward: the values that {self.op.name} saved ({place_of(self)}) were released "
                "by an earlier backward through the same graph; give that one retain_graph=True, "
                "or run the forward again")
        saved = self.saved_values() if sums.recorded else self.saved
        if self.keeps and not sums.retained:
            self.saved = None
        return saved

    def saved_values(self) -> list[Any]:
        """The saved values, with inputs and outputs as Tensors at their place in the graph."""
        assert self.saved is not None
        signature, values = self.op.signature, []
        for name, value in zip(self.op.save_list, self.saved, strict=True):
            if name in self.op.outputs:
                value = tensor_of(value, pick(self, self.op.outputs.index(name), value))
            elif name == "out":
                value = tensor_of(value, self)
            elif name in signature.inputs and signature.variadic:
                value = [tensor_of(v, p) for v, p in zip(value, self.parents, strict=True)]
            elif name in signature.inputs:
                value = tensor_of(value, self.parents[signature.inputs.index(name)])
            values.append(value)
        return values

    def name(self) -> str:
        return type(self).__name__

    def __repr__(self) -> str:
        return f"<{self.name()}>"


def node_type(name: str, op: Any) -> Any:
    """The class of the nodes of `op`.

    Each parent has a slot of its own, `<input>_node`: a tuple of parents would be one more object
    for Python's garbage collector to visit. `parents` reads and sets them.
    """
    members: dict[str, Any] = {"__slots__": (), "op": op}
    if not op.signature.variadic:
        slots = tuple(f"{name}_node" for name in op.signature.inputs)
        get = attrgetter(*slots)

        def set_parents(node: Any, parents: tuple[Any, ...]) -> None:
            for slot, parent in zip(slots, parents, strict=True):
                setattr(node, slot, parent)

        members |= {"__slots__": slots, "parents": property(
            get if len(slots) > 1 else lambda node: (get(node),), set_parents)}
    return type(name, (Node,), members)


def half_node_type(kind: type[Node], half: Any) -> Any:
    """The class of an op's nodes for float16 or bfloat16: they always run `Op.backward`."""
    return type(kind.__name__, (kind,), {"__slots__": (), "half": half, "backward": Node.backward})


class Leaf:
    """A Tensor that asked for its gradient: where backward ends."""

    parents: tuple[()] = ()
    saved: tuple[()] = ()
    op = SimpleNamespace(save_list=())
    time = 0  # older than every node
    hooks: tuple[Hook, ...] = ()
    with_hooks = False  # whether any Tensor has had a hook for its accumulated gradient

    def __init__(self, tensor: Any):
        self.tensor = weakref.ref(tensor)
        self.shape: tuple[int, ...] = tensor._array.shape

    def name(self) -> str:
        return "AccumulateGrad"

    def __repr__(self) -> str:
        return "<AccumulateGrad>"


# ---------------------------------------------------------------- nodes without an Op


@dataclass(frozen=True)
class Description:
    """What the engine reads of a node's `op`, for a node that no Op made."""

    name: str
    outputs: Sequence[Any] = ()
    save_list: tuple[str, ...] = ()
    residuals: tuple[()] = ()


class CustomNode(Node):
    """A node with a `backward` of its own, in place of an Op's rules."""

    keeps = False

    def __init__(self, name: str, parents: Sequence[Any], *, outputs: Sequence[Any] = (),
                 saved: Sequence[Any] = (), save_list: tuple[str, ...] = (),
                 shape: tuple[int, ...] = (), same_place: Node | None = None):
        super().__init__(parents, saved, shape, same_place)
        self.op = Description(name, outputs, save_list)

    def saved_values(self) -> list[Any]:
        return []


class Pick(CustomNode):
    """One of several outputs of a node: puts its gradient into the list for that node."""

    def __init__(self, node: Node, index: int, array: Any):
        super().__init__(node.op.name, (node,), shape=tuple(array.shape), same_place=node)
        self.index = index

    def name(self) -> str:
        return self.parents[0].name()  # type: ignore[union-attr]

    def backward(self, xp: Any, g: Any, sums: Sums, parents: Any) -> None:
        (node,) = parents or self.parents
        if node is not None:
            if node not in sums.grads:
                sums.reach(node, [None] * len(node.op.outputs))
            gradients = sums.grads[node]
            gradients[self.index] = g if gradients[self.index] is None \
                else gradients[self.index] + g


def pick(node: Node, index: int, array: Any) -> Pick | None:
    """The node of one output, or None if the output is of integers."""
    return Pick(node, index, array) if dtypes.is_differentiable(array.dtype) else None


def tensor_of(array: Any, node: Node | Leaf | None) -> Any:
    """A Tensor of `array` at `node` of the graph; numbers and None are returned as they are."""
    if not is_array(array):
        return array
    tensor = new(Tensor)
    tensor._array = array
    tensor._node = node
    return tensor


def run_hooks(node: Any, g: Any) -> Any:
    """The gradient after the hooks of its Tensor have seen, and perhaps replaced, it."""
    if isinstance(g, list):  # of several outputs: the hooks wait for the gradients of the inputs
        return g
    tensor = g if isinstance(g, Tensor) else tensor_of(as_array(g), None)
    for hook in node.hooks:
        replaced = hook(tensor)
        if replaced is None:
            continue
        if not isinstance(replaced, Tensor) or replaced.shape != tensor.shape:
            got = tuple(replaced.shape) if isinstance(replaced, Tensor) \
                else type(replaced).__name__
            raise RuntimeError(f"hook: returned {got} for a gradient of shape "
                               f"{tuple(tensor.shape)}; return a Tensor of that shape, or None")
        tensor = replaced
    return tensor if isinstance(g, Tensor) else tensor._array
