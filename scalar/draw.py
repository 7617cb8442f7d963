"""Drawings of graphs: pictures by Graphviz, and text where Graphviz is not installed.

    draw_dot(loss)                      shows itself in a notebook
    draw_dot(loss).render("loss.svg")   writes a file
    print(draw_dot(loss))               a tree of text

`Graph` does not depend on Values: `tinytensor` draws its graphs with it too.
"""

from __future__ import annotations

import gc
import importlib
import re
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .engine import Value, topological_order
from .nn import Module

FORMATS = ("svg", "png", "pdf", "jpg", "gif", "eps", "ps", "dot", "json")
RANKDIRS = ("LR", "RL", "TB", "BT")
LARGEST = 400  # nodes and operations; a picture of more cannot be read
COLORS = {"parameter": "#ece2fb", "input": "#fff3d1", "result": "#ffffff", "operation": "#e1ebff"}
DEEPEST = 20  # levels of indentation in a tree of text
WITHOUT = "; .source and print(graph) work without it"
NO_PACKAGE = f"drawing needs the package graphviz (pip install graphviz){WITHOUT}"
NO_DOT = ("drawing needs the program dot (apt install graphviz | brew install graphviz | "
          f"winget install graphviz){WITHOUT}")


def draw_dot(root: Value, format: str = "svg", rankdir: str = "LR") -> Graph:
    """The graph of root: every number with its data and grad, and every operation.

    Parameters of modules carry their names, such as layers.0.weight[2][1], unless they have a
    label. Before root.backward() the grads are None. In a notebook, a graph of more than 400 nodes
    and operations shows itself in the debugger of `tinytensor.learn`.

    Raises:
        TypeError: root is not a Value.
        ValueError: an unknown format or rankdir.
    """
    if not isinstance(root, Value):
        raise TypeError(f"draw_dot: root should be a Value, got {type(root).__name__}")
    graph = Graph(format, rankdir, root)
    order = topological_order(root)
    names = parameter_names(order)
    for value in order:
        grad = "grad None" if value.grad == root.grad == 0 else f"grad {value.grad:.4f}"
        name = value.label or names.get(id(value))
        kind = "result" if value._prev else "parameter" if id(value) in names else "input"
        graph.node(value, [*([name] if name else []), f"data {value.data:.4f}", grad], kind)
        if value._op:
            operation = (value, value._op)
            graph.operation(operation, value._op)
            graph.edge(operation, value)
            for parent in value._prev:
                graph.edge(parent, operation)
    return graph


def parameter_names(nodes: Iterable[Any], kind: Any = Module) -> dict[int, str]:
    """The names of those of the nodes that are parameters of modules, by the id of the node.

    A name is that of `named_parameters` of the outermost module of the program that has the
    parameter. If there are several such modules, it begins with the type of its own:
    MLP.layers.0.weight[2][1], or MLP_2.layers.0.weight[2][1] for the second of them.
    """
    wanted = set(map(id, nodes))
    modules = [m for m in gc.get_objects() if issubclass(type(m), kind)]
    inner = {id(part) for m in modules for path, part in m.named_modules() if path}
    found: list[tuple[str, dict[int, str]]] = []
    for root in modules:
        if id(root) not in inner:
            names = {id(p): name for name, p in root.named_parameters() if id(p) in wanted}
            if names:
                found.append((type(root).__name__, names))
    if len(found) == 1:
        return found[0][1]
    types, numbers = Counter(title for title, _ in found), Counter[str]()
    named: dict[int, str] = {}
    for title, names in found:
        numbers[title] += 1
        prefix = f"{title}_{numbers[title]}" if types[title] > 1 else title
        named = {key: f"{prefix}.{name}" for key, name in names.items()} | named
    return named


class Graph:
    """Nodes (boxes with fields), operations (ellipses), and edges in the direction of the forward.

    Nodes and operations have hashable keys, by which `edge` refers to them. format is the default
    of pipe and render. rankdir is the direction of the edges: "LR" from left to right, "TB" from
    top to bottom, "RL", "BT". root is what the debugger shows in place of a large graph.

    Raises ValueError for an unknown format or rankdir.
    """

    def __init__(self, format: str = "svg", rankdir: str = "LR", root: Any = None) -> None:
        self.format = _one_of("format", format, FORMATS)
        self.rankdir = _one_of("rankdir", rankdir, RANKDIRS)
        self.root = root
        self._vertices: dict[Hashable, _Vertex] = {}

    def node(self, key: Hashable, fields: Sequence[str], kind: str = "result") -> None:
        """Adds a box with fields above each other; kind is "parameter", "input" or "result"."""
        self._vertices[key] = _Vertex(f"n{len(self._vertices)}", tuple(fields), kind)

    def operation(self, key: Hashable, text: str) -> None:
        """Adds an ellipse."""
        self._vertices[key] = _Vertex(f"n{len(self._vertices)}", (text,), "operation")

    def edge(self, tail: Hashable, head: Hashable) -> None:
        """Adds an arrow between two keys that were added before."""
        self._vertices[head].parents.append(self._vertices[tail])

    # ---------------------------------------------------------------- as a picture

    @property
    def source(self) -> str:
        """The graph in Graphviz's language, DOT."""
        lines = ["digraph {", f"    rankdir={self.rankdir} ranksep=0.3 nodesep=0.15",
                 '    node [style=filled fontname="Helvetica,Arial,sans-serif" fontsize=12 '
                 'height=0.3 width=0.3 margin="0.08,0.04"]', "    edge [arrowsize=0.6]"]
        stacked = "{}" if self.rankdir in ("LR", "RL") else "{{ {} }}"  # the fields of a box
        for vertex in self._vertices.values():
            if vertex.is_operation:
                label = f'label="{_escape(vertex.fields[0], _IN_LABELS)}"'
            else:
                fields = " | ".join(_escape(field, _IN_RECORDS) for field in vertex.fields)
                label = f'label="{stacked.format(fields)}" shape=record'
            lines.append(f'    {vertex.name} [{label} fillcolor="{COLORS[vertex.kind]}"]')
            lines += [f"    {parent.name} -> {vertex.name}" for parent in vertex.parents]
        return "\n".join([*lines, "}"]) + "\n"

    def pipe(self, format: str | None = None) -> bytes:
        """The picture as bytes.

        Raises:
            ValueError: an unknown format.
            ImportError: the package graphviz is missing.
            RuntimeError: its program dot is missing, or fails.
        """
        format = _one_of("format", format or self.format, FORMATS)
        try:
            graphviz: Any = importlib.import_module("graphviz")
        except ImportError as error:
            raise ImportError(NO_PACKAGE) from error
        try:
            picture: bytes = graphviz.Source(self.source).pipe(format=format)
        except graphviz.ExecutableNotFound as error:
            raise RuntimeError(NO_DOT) from error
        except graphviz.CalledProcessError as error:
            raise RuntimeError(f"dot could not draw the graph as {format}: {error}") from error
        return picture

    def render(self, filename: str | Path = "graph", format: str | None = None) -> str:
        """Writes the picture to a file and returns the file's name, which ends in the format.

        The suffix of filename is the default of format. Raises the errors of pipe.
        """
        path = Path(filename)
        suffix = path.suffix.removeprefix(".")
        format = format or (suffix if suffix in FORMATS else self.format)
        if suffix != format:
            path = path.with_name(f"{path.name}.{format}")
        path.write_bytes(self.pipe(format))
        return str(path)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        if len(self._vertices) > LARGEST:
            return self._in_the_debugger()
        try:
            picture = self.pipe("svg").decode()
            # A picture that is wider than the notebook is made smaller.
            fitting = '<svg style="max-width:100%;height:auto"'
            return {"image/svg+xml": picture.replace("<svg", fitting, 1)}
        except (ImportError, RuntimeError, OSError) as error:
            return {"text/plain": f"{self}\n\n{error}"}

    def _in_the_debugger(self) -> dict[str, str]:
        text = f"{self!r}: large; .render() draws it, print(graph) lists it"
        try:
            debug = importlib.import_module("tinytensor.learn").debug
            return {"text/html": debug(self.root)._repr_html_(), "text/plain": text}
        except (ImportError, TypeError, RuntimeError) as error:
            return {"text/plain": f"{text}\nThe debugger cannot show it: {error}"}

    # ---------------------------------------------------------------- as text

    def tree(self) -> str:
        """The graph as text: below each node, indented, the nodes that it was computed from.

        A node that is used several times has a number, #1, and is listed once. A node that is too
        deep has a number too, and a tree of its own below.
        """
        on_a_nodes_line = {_operation_of(vertex) for vertex in self._vertices.values()}
        vertices = [v for v in self._vertices.values() if v not in on_a_nodes_line]
        uses = Counter(used for vertex in vertices for used in _inputs(vertex))
        trees = [vertex for vertex in vertices if not uses[vertex]]
        number: dict[_Vertex, int] = {}
        listed: set[_Vertex] = set()
        lines: list[str] = []
        for tree in trees:  # the loop appends to it
            stack = [] if tree in listed else [(tree, "", "", 0)]
            while stack:
                vertex, branch, indent, depth = stack.pop()
                inputs = _inputs(vertex)
                is_too_deep = depth == DEEPEST and bool(inputs)
                if is_too_deep or uses[vertex] > 1:
                    number.setdefault(vertex, len(number) + 1)
                reference = f"#{number[vertex]}: " if vertex in number else ""
                if vertex in listed or is_too_deep:
                    lines.append(f"{branch}see {reference}{_described(vertex)}")
                    trees.append(vertex)
                    continue
                listed.add(vertex)
                lines.append(f"{branch}{reference}{_described(vertex)}")
                for i, parent in enumerate(reversed(inputs)):
                    rail = "   " if i == 0 else "|  "
                    stack.append((parent, f"{indent}+- ", indent + rail, depth + 1))
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.tree()

    def __repr__(self) -> str:
        operations = sum(vertex.is_operation for vertex in self._vertices.values())
        return f"<Graph: {len(self._vertices) - operations} nodes, {operations} operations>"


@dataclass(eq=False)
class _Vertex:
    name: str
    fields: tuple[str, ...]
    kind: str
    parents: list[_Vertex] = field(default_factory=list)

    @property
    def is_operation(self) -> bool:
        return self.kind == "operation"


def _operation_of(vertex: _Vertex) -> _Vertex | None:
    """The operation that computed a node; a tree has both on one line."""
    parent = vertex.parents[0] if len(vertex.parents) == 1 else None
    return parent if parent and parent.is_operation and not vertex.is_operation else None


def _inputs(vertex: _Vertex) -> list[_Vertex]:
    return (_operation_of(vertex) or vertex).parents


def _described(vertex: _Vertex) -> str:
    operation = _operation_of(vertex)
    text = " | ".join(vertex.fields) + (f"  <- {operation.fields[0]}" if operation else "")
    return text.replace("\n", " ")


_IN_LABELS = r'["\\]'
_IN_RECORDS = r'["\\{}|<>]'


def _escape(text: str, special: str) -> str:
    return re.sub(special, r"\\\g<0>", text.replace("&", "&amp;")).replace("\n", "\\n")


def _one_of(what: str, given: str, known: Sequence[str]) -> str:
    if given not in known:
        raise ValueError(f"draw: {what} {given!r} is none of {', '.join(known)}")
    return given
