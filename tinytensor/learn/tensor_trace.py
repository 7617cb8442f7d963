"""The trace of a graph of Tensors: every array, and every step of its forward and its backward."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import numpy

from scalar.draw import parameter_names

from ..arrays.devices import array_module, ones_like, to_numpy
from ..autograd import engine, graph
from ..autograd.engine import topological_order, unbroadcast
from ..autograd.graph import Leaf, Node, Pick
from ..autograd.op import Op
from ..autograd.versions import check_unwritten
from ..nn import Module
from ..tensors.retaining import Given, Retained, retained
from ..tensors.tensor import Tensor
from .origins import Place
from .packing import LARGEST, Places, packed_array
from .recording import spot_of
from .rules import rule_text

PAGE = 16_000_000  # bytes of arrays in a page; above it fewer elements of each array are shown


def trace(root: Tensor | Node, at: Node | None = None) -> dict[str, Any]:
    """The arrays of root's graph, and the steps of `root.backward()`, as the engine makes them.

    No `grad` changes, and the graph is not released. Hooks of the program are called once. If root
    is a node, or its graph was released, there is no backward. The page begins at the node `at`.

    Raises:
        RuntimeError: root is a Tensor without a graph.
    """
    node = root._node if isinstance(root, Tensor) else root
    if node is None:
        raise RuntimeError("debug: the Tensor has no graph, as it does not require grad; make its "
                           "inputs with requires_grad=True and compute it outside of no_grad()")
    order = topological_order([node])[::-1]
    nodes = _Nodes(order, root if isinstance(root, Tensor) else None)
    backward = _Backward(order)
    error = ""
    if isinstance(root, Tensor) and not is_released(root):
        with _saved_values(order):
            error = backward.run(node, root._array)
    arrays, places = _Arrays(), Places()
    return {
        "mode": "tensor",
        "exact": backward.exact,
        "recorded": any(n in retained for n in order if isinstance(n, Node)),
        "error": error,
        "root": nodes.number[node],
        "at": None if at is None else nodes.number[at],
        "nodes": [nodes.written(i, arrays, places) for i in range(len(nodes.all))],
        "forward": [nodes.number[n] for n in sorted(
            (n for n in order if isinstance(n, Node)), key=lambda n: n.time)],
        "steps": [step.written(nodes.number, arrays) for step in backward.steps],
        "arrays": arrays.written(),
        **places.written(),
    }


def trace_of_error(error: BaseException) -> dict[str, Any]:
    """The trace of an error that an operation has raised: up to this operation, or of the backward
    in which it was raised.

    Raises:
        TypeError: the error does not come from an operation.
    """
    node = getattr(error, "node", None)
    if node is None:
        raise TypeError(f"debug: the {type(error).__name__} does not come from an operation with a "
                        "graph; pass the loss")
    root = _root_of(error)
    return trace(node if root is None else root, node) | {"error": str(error).partition("\n")[0]}


def is_released(root: Tensor) -> bool:
    """Whether a backward has released what the graph of root needs, and no recording has it."""
    return any(isinstance(n, Node) and n.saved is None
               and (n not in retained or retained[n].saved is None)
               for n in topological_order([root._node]))


def _root_of(error: BaseException) -> Tensor | None:
    """The Tensor whose backward has raised the error."""
    tb = error.__traceback__
    while tb is not None:
        if tb.tb_frame.f_code is engine.backward.__code__:
            root: Tensor = tb.tb_frame.f_locals["outputs"][0]
            return root
        tb = tb.tb_next
    return None


# ---------------------------------------------------------------- arrays


class _Arrays:
    """The arrays of a trace, each once."""

    def __init__(self) -> None:
        self.numbers: dict[Any, int] = {}
        self.all: list[numpy.ndarray[Any, Any]] = []

    def add(self, array: Any) -> int:
        """The number of an array; -1 for None."""
        if array is None:
            return -1
        host = to_numpy(array)
        key = host.shape, host.dtype.str, host.tobytes()
        if key not in self.numbers:
            self.numbers[key] = len(self.all)
            self.all.append(host)
        return self.numbers[key]

    def written(self) -> list[dict[str, Any]]:
        largest = LARGEST
        while sum(min(a.size, largest) * 8 for a in self.all) > PAGE and largest > 64:
            largest //= 2
        return [packed_array(a, largest) for a in self.all]


# ---------------------------------------------------------------- nodes


class _Constant:
    """An array that takes no gradient, and is the argument of an operation: an input, a target."""

    def __init__(self, argument: str, array: Any):
        self.argument, self.array = argument, array
        self.variable = ""


class _Nodes:
    """The nodes of a trace: those of the graph, and arrays that take no gradient."""

    def __init__(self, order: Sequence[Any], root: Tensor | None):
        leaves = [node.tensor() for node in order if isinstance(node, Leaf)]
        self.parameters = parameter_names(leaves, Module)
        self.all: list[Any] = []
        self.number: dict[Any, int] = {}
        self.root = root
        self._constants: dict[Any, _Constant] = {}
        self.inputs: dict[Any, list[tuple[str, Any]]] = {}
        for node in order:
            inputs = self._inputs(node)
            for _, source in inputs:
                if isinstance(source, _Constant):
                    self._add(source)
            self._add(node)
            self.inputs[node] = inputs

    def _add(self, node: Any) -> None:
        if node not in self.number:
            self.number[node] = len(self.all)
            self.all.append(node)

    def _inputs(self, node: Any) -> list[tuple[str, Any]]:
        """(name, node, constant or value of a parameter) for each argument of an operation."""
        kept = retained.get(node)
        if isinstance(node, Pick):
            return [("", node.parents[0])]
        if kept is None or kept.arguments is None:
            names = _input_names(node)
            return [(name, parent) for name, parent in zip(names, node.parents, strict=True)
                    if parent is not None]
        inputs: list[tuple[str, Any]] = []
        for name, value in kept.arguments.items():
            if not isinstance(value, Given):
                number = name in node.op.signature.inputs
                inputs.append(("" if number else name, SimpleNamespace(value=_plain(value))))
            elif value.node is not None:
                inputs.append((name, value.node))
            elif value.data.ndim == 0:
                inputs.append((name, SimpleNamespace(value=value.data.item())))
            else:
                host = to_numpy(value.data)
                key = host.shape, host.dtype.str, host.tobytes()
                constant = self._constants.setdefault(key, _Constant(name, host))
                constant.variable = constant.variable or value.name
                inputs.append((name, constant))
        return inputs

    def data(self, node: Any) -> Any:
        """The array that a node computed, if it is known."""
        if isinstance(node, _Constant):
            return node.array
        if self.root is not None and node is self.root._node:
            return self.root._array
        kept = retained.get(node)
        if kept is not None and kept.data is not None:
            return kept.data
        if isinstance(node, Leaf):
            tensor = node.tensor()
            return None if tensor is None else tensor._array
        for name, value in zip(node.op.save_list, node.saved or (), strict=False):
            if name == "out":
                return value
        return None

    def written(self, i: int, arrays: _Arrays, places: Places) -> dict[str, Any]:
        node = self.all[i]
        data = self.data(node)
        entry: dict[str, Any] = {"data": arrays.add(data), "place": -1}
        if isinstance(node, _Constant):
            role = "target" if "target" in (node.argument, node.variable) else "input"
            return entry | {"op": "", "name": node.variable or node.argument, "role": role,
                            "shape": list(node.array.shape), "inputs": []}
        entry["shape"] = list(node.shape)
        if isinstance(node, Leaf):
            tensor = node.tensor()
            kept = retained.get(node)
            name = self.parameters.get(id(tensor), "")
            role = "parameter" if name else "leaf"
            return entry | {"op": "", "name": name or (kept.name if kept else ""), "role": role,
                            "inputs": []}
        kept = retained.get(node)
        entry["place"] = places.add(_place(node, kept))
        inputs = []
        for name, source in self.inputs[node]:
            if isinstance(source, SimpleNamespace):
                inputs.append([name, -1, repr(source.value)])
            else:
                inputs.append([name, self.number[source], ""])
        name = kept.name if kept is not None else ""
        if not name and isinstance(node, Pick):
            outputs = node.parents[0].op.outputs  # type: ignore[union-attr]
            name = str(outputs[node.index])
        return entry | {"op": node.op.name, "name": name, "role": "result", "inputs": inputs,
                        "outputs": list(node.op.outputs), "isPart": isinstance(node, Pick)}


def _place(node: Node, kept: Retained | None) -> Place:
    if kept is not None and kept.place is not None:
        return kept.place
    return Place(spot_of(node.code, node.offset), None, None, "", None, 0, "")


def _input_names(node: Any) -> list[str]:
    signature = getattr(node.op, "signature", None)
    if signature is None:
        return [""] * len(node.parents)
    if signature.variadic:
        return [f"{signature.inputs[0]}[{i}]" for i in range(len(node.parents))]
    return list(signature.inputs)


def _plain(value: Any) -> Any:
    """The value of a parameter, as a program writes it."""
    return value if not isinstance(value, numpy.generic) else value.item()


# ---------------------------------------------------------------- the backward


class Step:
    """One addition to a gradient.

    source, target   nodes
    argument         the name of the argument of the source that the target is
    rule             the text of the derivative rule
    contribution     what is added: an array, or None where the rule gives none
    whole            the contribution before its sum over the axes that were broadcast, or None
    after            the gradient of the target after the addition
    """

    def __init__(self, source: Any, target: Any, argument: str, rule: str, contribution: Any,
                 whole: Any, after: Any):
        self.source, self.target, self.argument, self.rule = source, target, argument, rule
        self.contribution, self.whole, self.after = contribution, whole, after

    def written(self, number: dict[Any, int], arrays: _Arrays) -> list[Any]:
        return [number[self.source], number[self.target], self.argument, self.rule,
                arrays.add(self.contribution), arrays.add(self.whole), arrays.add(self.after)]


class _Backward:
    """The walk of the engine, made visible: the same rules in the same order, one by one."""

    def __init__(self, order: Sequence[Any]):
        self.order = order
        self.steps: list[Step] = []
        self.exact = True
        self.grads: dict[Any, Any] = {}
        self.replaced: dict[Any, Any] = {}

    def run(self, root: Any, array: Any) -> str:
        """Makes the steps. Returns the message of the error that the backward raises, or ""."""
        seed = ones_like(array)
        self.grads[root] = seed
        try:
            for node in reversed(self.order):
                if node in self.grads and isinstance(node, Node):
                    self._backward(node)
            for leaf in [node for node in self.order if isinstance(node, Leaf)]:
                self._hooked(leaf)
        except RuntimeError as error:
            return str(error)
        with self._without_hooks():
            engines = engine.walk({root: seed}, retain_graph=True)
        self.exact = engines.keys() == {n for n in self.grads if isinstance(n, Leaf)} \
            and all(_same(g, self.grads[leaf]) for leaf, g in engines.items())
        return ""

    def _backward(self, node: Node) -> None:
        self._hooked(node)
        g = self.grads[node]
        check_unwritten(node)
        if isinstance(node, Pick):
            (source,) = node.parents
            parts = self.grads.setdefault(source, [None] * len(source.op.outputs))  # type: ignore
            part = parts[node.index]
            parts[node.index] = g if part is None else part + g
            self.steps.append(Step(node, source, "", "", g, None, parts[node.index]))
            return
        xp = array_module(*[d for d in g if d is not None]) if isinstance(g, list) \
            else array_module(g)
        sent = _Sent()
        node.backward(xp, g, sent, None)  # type: ignore[arg-type]
        whole = self._before_sums(node, xp, g)
        slots = [(name, parent) for name, parent in
                 zip(_input_names(node), node.parents, strict=True) if parent is not None]
        for target, d in sent.all:
            name = next((name for name, parent in slots if parent is target), "")
            if (name, target) in slots:
                slots.remove((name, target))
            before = self.grads.get(target)
            self.grads[target] = d if before is None else before + d
            rule = rule_text(node.op, name.partition("[")[0]) if isinstance(node.op, Op) else ""
            large = next((w for t, w in whole if t is target and w.shape != d.shape
                          and _same(unbroadcast(w, target.shape), d)), None)
            self.steps.append(Step(node, target, name, rule, d, large, self.grads[target]))
        for name, target in slots:
            if name and not any(t is target for t, _ in sent.all):
                self.steps.append(Step(node, target, name, "", None, None,
                                       self.grads.get(target)))

    def _before_sums(self, node: Node, xp: Any, g: Any) -> list[tuple[Any, Any]]:
        """The contributions before their sums over broadcast axes, if there are such axes."""
        if not isinstance(node.op, Op) or node.op.outputs or len(node.parents) < 2 \
                or all(p is None or p.shape == node.shape for p in node.parents):
            return []
        sent = _Sent(sums=False)
        node.op.backward(node, xp, g, sent, None)
        return sent.all

    def _hooked(self, node: Any) -> None:
        """The gradient of a node after the program's hooks have seen it."""
        hooks = tuple(hook for hook in node.hooks if _is_of_program(hook))
        if hooks and node in self.grads:
            self.grads[node] = graph.run_hooks(SimpleNamespace(hooks=hooks), self.grads[node])
            self.replaced[node] = self.grads[node]

    @contextlib.contextmanager
    def _without_hooks(self) -> Iterator[None]:
        """In the block, hooks do not run again: their results are given in their place."""
        hooks = [(node, node.hooks) for node in self.order if node.hooks]
        for node, _ in hooks:
            node.hooks = (_giving(self.replaced[node]),) if node in self.replaced else ()
        try:
            yield
        finally:
            for node, own in hooks:
                node.hooks = own


class _Sent:
    """What `Node.backward` sees as the sums of the walk: a list of all that it adds.

    As a dict it is always empty, so that each contribution is set as if it were the first.
    """

    recorded, retained, kept = False, True, True
    owned: frozenset[Any] = frozenset()

    def __init__(self, sums: bool = True):
        self.all: list[tuple[Any, Any]] = []
        self.reached: list[Any] = []
        self.sums = sums
        self.grads = self

    def __contains__(self, node: Any) -> bool:
        return False

    def get(self, node: Any) -> None:
        return None

    def __setitem__(self, node: Any, d: Any) -> None:
        self.all.append((node, d))

    reach = __setitem__

    def add(self, node: Any, d: Any) -> None:
        self.all.append((node, unbroadcast(d, node.shape)
                         if self.sums and d.shape != node.shape else d))


def _is_of_program(hook: Any) -> bool:
    """Whether a hook is not one that `retain_grad` or `retain_all` has added."""
    return not isinstance(getattr(hook, "__self__", None), Retained) \
        and type(hook).__module__ != Tensor.__module__


def _giving(array: Any) -> Callable[[Tensor], Tensor]:
    return lambda gradient: graph.tensor_of(array, None)


@contextlib.contextmanager
def _saved_values(order: Sequence[Any]) -> Iterator[None]:
    """In the block, nodes have what they saved even if a backward has released it."""
    released = [n for n in order if isinstance(n, Node) and n.saved is None]
    for node in released:
        kept = retained.get(node)
        if kept is not None:
            node.saved = kept.saved
    try:
        yield
    finally:
        for node in released:
            node.saved = None


def _same(a: Any, b: Any) -> bool:
    """Whether two arrays are the same to the bit."""
    a, b = numpy.ascontiguousarray(to_numpy(a)), numpy.ascontiguousarray(to_numpy(b))
    return a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()
