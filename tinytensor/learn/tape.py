"""A run of a function on Values: every number, every derivative, and the place that made each.

    tape = Tape.of(forward, inputs)
    tape.edges       (child, parent, local derivative) for each operand of each operation
    tape.groups      the edges that one operand of one operation in the program made

`forward` takes what the inputs are: NumPy arrays, Tensors, lists of numbers, or numbers. NumPy
computes on an array of Values by calling the operators of the Values.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import linecache
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

import numpy

import scalar
from scalar import Value

from ..autograd.frames import OWN

MODULES = {"np", "numpy", "tt", "tinytensor", "nn", "F", "functional", "math", "scalar", "xp"}
REDUCED = {"+", "max", "min"}  # operations that NumPy reduces arrays by, and calls of these:
REDUCTIONS = {"sum", "mean", "average", "var", "std", "max", "min", "amax", "amin"}
LIBRARIES = {"numpy", "scalar", "tinytensor"}  # their frames are no places of the program


# ---------------------------------------------------------------- arrays of Values


class ValueArray(numpy.ndarray[Any, Any]):
    """An array of Values. A choice between two makes a Value, and so an edge, for each operand.

    NumPy's maximum and where return one of their operands: what was not chosen would leave no
    trace.
    """

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: Any = None,
                        **options: Any) -> Any:
        if out is not None:
            options["out"] = tuple(map(_plain, out))
        if ufunc in CHOICES:
            ufunc = CHOICES[ufunc]
        result = getattr(ufunc, method)(*map(_plain, inputs), **options)
        return out[0] if out is not None else _as_value_array(result)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if function is numpy.where and len(args) == 3:
            condition, a, b = numpy.broadcast_arrays(*map(_plain, args))
            return _as_value_array(_where(condition, a, b))
        if function is numpy.clip:
            bounds = [*args[1:], *[kwargs[k] for k in ("a_min", "a_max", "min", "max")
                                   if k in kwargs]]
            low, high = [*bounds, None][:2]
            result = args[0] if low is None else numpy.maximum(args[0], low)
            return result if high is None else numpy.minimum(result, high)
        return _as_value_array(super().__array_function__(function, types, args, kwargs))


def value_array(numbers: Any, label: str = "") -> Any:
    """An array with a Value for each number."""
    numbers = numpy.asarray(numbers, dtype=float)
    objects = numpy.empty(numbers.shape, dtype=object)
    for index, number in numpy.ndenumerate(numbers):
        objects[index] = Value(float(number), label=f"{label}{list(index)}" if index else label)
    return objects.view(ValueArray)


def _plain(x: Any) -> Any:
    return x.view(numpy.ndarray) if isinstance(x, ValueArray) else x


def _as_value_array(x: Any) -> Any:
    if isinstance(x, tuple | list):
        return type(x)(map(_as_value_array, x))
    return x.view(ValueArray) if isinstance(x, numpy.ndarray) and x.dtype == object else x


def _chosen(condition: Any, a: Any, b: Any) -> Any:
    a, b = (x if isinstance(x, Value) else Value(float(x)) for x in (a, b))
    return Value.operation("where", a.data if condition else b.data, [a, b],
                           [float(bool(condition)), float(not condition)])


_where = numpy.frompyfunc(_chosen, 3, 1)
CHOICES = {numpy.maximum: numpy.frompyfunc(scalar.max, 2, 1),
           numpy.minimum: numpy.frompyfunc(scalar.min, 2, 1)}
CHOICES |= {numpy.fmax: CHOICES[numpy.maximum], numpy.fmin: CHOICES[numpy.minimum]}


# ---------------------------------------------------------------- places in a program


@dataclass(frozen=True)
class Place:
    """An instruction of the program, and the instruction of a library below it, if any."""

    code: CodeType | None
    offset: int
    inner: tuple[Any, int]

    @property
    def function(self) -> str:
        return self.code.co_name if self.code else ""

    @functools.cached_property
    def position(self) -> tuple[int, int, int, int] | None:
        """The first and last line and column of the expression, if known."""
        if self.code is None:
            return None
        positions = list(self.code.co_positions())[self.offset // 2]
        return None if None in positions else positions  # type: ignore[return-value]

    @property
    def line(self) -> int:
        """The line counted from that of `def`, which is 0."""
        if not self.position or not self.code:
            return 0
        definition = _nodes(self.code.co_filename).get((self.code.co_firstlineno,
                                                        self.code.co_name))
        return self.position[0] - (definition.lineno if definition else
                                   self.code.co_firstlineno)

    @property
    def statement(self) -> str:
        """The text of the line."""
        return linecache.getline(self.code.co_filename, self.position[0]).strip() \
            if self.code and self.position else ""

    @functools.cached_property
    def node(self) -> Any:
        """The expression in the syntax tree of the program, or None."""
        return _nodes(self.code.co_filename).get(self.position) \
            if self.code and self.position else None

    @functools.cached_property
    def is_call(self) -> bool:
        return isinstance(self.node, ast.Call)

    def operand(self, slot: int) -> str:
        """The text of an operand of the expression, or ""; the only one of a call in any slot."""
        operands = _operands(self.node)
        if self.is_call and len(operands) == 1:
            slot = 0
        return self._text(operands[slot]) if slot < len(operands) else ""

    @property
    def is_product(self) -> bool:
        """Whether it is a matrix product."""
        return self.called in ("matmul", "dot", "mm", "bmm", "einsum", "linear", "tensordot") \
            or isinstance(getattr(self.node, "op", None), ast.MatMult)

    @property
    def called(self) -> str:
        """The name of the function or method that is called, or ""."""
        function: Any = getattr(self.node, "func", None)
        return getattr(function, "attr", getattr(function, "id", ""))

    @property
    def expression(self) -> str:
        return self._text(self.node) if self.node is not None else ""

    def _text(self, node: Any) -> str:
        if node.lineno != node.end_lineno or self.code is None:
            return ast.unparse(node)
        line = linecache.getline(self.code.co_filename, node.lineno).encode()
        return line[node.col_offset:node.end_col_offset].decode()


@functools.lru_cache(maxsize=32)
def _parsed(lines: tuple[str, ...]) -> dict[Any, Any]:
    try:
        tree = ast.parse("".join(lines))
    except (SyntaxError, ValueError):
        return {}
    nodes: dict[Any, Any] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp | ast.UnaryOp | ast.Call | ast.AugAssign | ast.Subscript):
            nodes[node.lineno, node.end_lineno, node.col_offset, node.end_col_offset] = node
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            nodes[first, node.name] = node
    return nodes


def _nodes(filename: str) -> dict[Any, Any]:
    """The expressions of a file by their positions, its functions by first line and name."""
    return _parsed(tuple(linecache.getlines(filename)))


def _operands(node: Any) -> list[Any]:
    if isinstance(node, ast.BinOp):
        return [node.left, node.right]
    if isinstance(node, ast.AugAssign):
        return [node.target, node.value]
    if isinstance(node, ast.UnaryOp):
        return [node.operand]
    if isinstance(node, ast.Call):
        arguments = [a for a in node.args if not isinstance(
            a.operand if isinstance(a, ast.UnaryOp) else a, ast.Constant)]
        function = node.func
        if isinstance(function, ast.Attribute) and not (
                isinstance(function.value, ast.Name) and function.value.id in MODULES):
            return [function.value, *arguments]  # a method
        return arguments
    return []


# ---------------------------------------------------------------- the tape


@dataclass
class Edge:
    """An operand of an operation on single numbers; Values are numbered in the order of making."""

    child: int
    parent: int
    derivative: float


@dataclass
class Group:
    """The edges that one operand of one operation of the program made.

    slot          which operand; of a sum or a maximum, its terms are one operand
    is_sum        whether it is one of those
    is_inner      whether the operands were made by the same instruction of the program: within a
                  function of a library
    executions    for each edge, which execution of the instruction made it, as in a loop
    chain         the edges between the parts of a sum: s = a + b, s = s + c
    """

    place: Place
    op: str
    slot: int
    is_sum: bool
    is_inner: bool = False
    edges: list[int] = field(default_factory=list)
    executions: list[int] = field(default_factory=list)
    chain: list[int] = field(default_factory=list)

    @property
    def operand(self) -> str:
        """The text of the operand in the program, or ""."""
        return "" if self.is_inner else self.place.operand(self.slot)

    def counts(self, edges: list[Edge]) -> dict[int, int]:
        """How many edges of the group each parent has."""
        counts: dict[int, int] = {}
        for e in self.edges:
            counts[edges[e].parent] = counts.get(edges[e].parent, 0) + 1
        return counts


class Tape:
    """What a run of `forward` did.

    values       every Value in the order of making, and
    numbers      the position of each in that order
    inputs       the numbers in `values` of each input, in its shape; -1 in results: a constant
    output       those of the result, in its shape
    variables    those of the local variables of `forward` that hold Values
    edges, groups
    code         that of `forward`, None if it is in C
    """

    def __init__(self) -> None:
        self.values: list[Value] = []
        self.numbers: dict[Value, int] = {}
        self.places: list[Place] = []
        self.edges: list[Edge] = []
        self.groups: list[Group] = []
        self.inputs: dict[str, Any] = {}
        self.variables: dict[str, Any] = {}
        self.output: Any = None
        self.frames: dict[Any, Any] = {}  # the last frame of each code of the program
        self.code: CodeType | None = None

    @classmethod
    def of(cls, forward: Callable[..., Any], inputs: Mapping[str, Any],
           convert: Callable[[str, Any], Any], program: Callable[..., Any] | None = None) -> Tape:
        """Runs forward(*inputs), with each input as `convert` makes it of Values.

        `program` is the learner's function, where `forward` only calls it.
        """
        tape = cls()
        tape.code = code = code_of(program or forward)
        with tape._recording(code):
            given = {name: convert(name, x) for name, x in inputs.items()}
            leaves = {name: _as_array(getattr(x, "_array", x)) for name, x in given.items()}
            # forward may write to its inputs
            leaves = {name: x if x is None else x.copy() for name, x in leaves.items()}
            result = tape._with_results(forward(*given.values()))
        tape.numbers = index = {value: i for i, value in enumerate(tape.values)}
        tape.inputs = {name: _numbered(x, index) for name, x in leaves.items()}
        tape.output = _numbered(result, index)
        tape._find_variables(code)
        tape.frames.clear()
        tape._find_edges()
        return tape

    @contextlib.contextmanager
    def _recording(self, forward: CodeType | None) -> Iterator[None]:
        """Within, every new Value is kept, with the place of the program that made it."""
        plain, thread = Value.__init__, threading.get_ident()

        def recorded(value: Value, *args: Any, **kwargs: Any) -> None:
            plain(value, *args, **kwargs)
            if threading.get_ident() != thread:
                return
            self.values.append(value)
            self.places.append(self._place(sys._getframe(1), forward))

        node: Any = Value
        node.__init__ = recorded
        try:
            yield
        finally:
            node.__init__ = plain

    def _with_results(self, result: Any) -> Any:
        """The result, with an edge of its own to each element: what is used twice has two."""
        array = _as_array(getattr(result, "_array", result))
        if array is None and isinstance(result, tuple | list):
            raise TypeError("it returns several results of different shapes: return one of them")
        if array is None or array.dtype != object:
            return None
        named = numpy.empty(array.shape, dtype=object)
        for index, value in numpy.ndenumerate(array):
            named[index] = Value.operation("result", value.data, [value], [1.0]) \
                if isinstance(value, Value) else value
        return named

    def _place(self, frame: Any, forward: CodeType | None) -> Place:
        while frame is not None and _library(frame) == "scalar" and frame.f_back:
            frame = frame.f_back
        inner = (frame.f_code, frame.f_lasti)
        while frame is not None and frame.f_code is not forward and _library(frame) in LIBRARIES:
            frame = frame.f_back
        if frame is None or not self._is_below(frame, forward):
            return Place(None, 0, inner)
        self.frames[frame.f_code] = frame
        own = inner == (frame.f_code, frame.f_lasti)
        return Place(frame.f_code, frame.f_lasti, (None, 0) if own else inner)

    def _is_below(self, frame: Any, forward: CodeType | None) -> bool:
        """Whether a frame is that of `forward`, or was called by it."""
        while frame is not None and forward is not None:
            if frame.f_code is forward:
                self.frames[forward] = frame
                return True
            frame = frame.f_back
        return False

    def _find_variables(self, forward: CodeType | None) -> None:
        """The local variables that hold Values, of `forward` and of what it called."""
        codes = sorted(self.frames, key=lambda code: code is not forward)  # forward first
        taken = {tuple(x.ravel().tolist()) for x in self.inputs.values() if x is not None}
        results = self.output.ravel().tolist() if self.output is not None else []
        taken.add(tuple(self.numbers.get(v, -1) for i in results if i >= 0
                        for v in self.values[i]._prev))
        for code in codes:
            for name, x in self.frames[code].f_locals.items():
                numbers = _numbered(x, self.numbers)
                if numbers is None or not numbers.size or numbers.min() < 0:
                    continue
                name = name if code is forward else f"{name} of {code.co_name}"
                nodes = tuple(numbers.ravel().tolist())
                if nodes not in taken:
                    taken.add(nodes)
                    self.variables.setdefault(name, numbers)

    def _find_edges(self) -> None:
        groups: dict[Any, Group] = {}
        execution, last = 0, None
        for i, value in enumerate(self.values):
            place = self.places[i]
            if (place.code, place.offset) != last:
                execution, last = execution + 1, (place.code, place.offset)
            for slot, (parent, derivative) in enumerate(operands(value)):
                if parent not in self.numbers:  # a Value from outside: a constant
                    continue
                key = place, _family(value._op), slot
                if key not in groups:
                    groups[key] = Group(place, value._op, slot, False)
                groups[key].edges.append(len(self.edges))
                groups[key].executions.append(execution)
                self.edges.append(Edge(i, self.numbers[parent], derivative))
        self.groups = self._with_reductions(list(groups.values()))
        for group in self.groups:
            parents = {self.places[self.edges[e].parent] for e in group.edges}
            group.is_inner = group.op != "result" and all(
                (p.code, p.offset) == (group.place.code, group.place.offset) for p in parents)

    def _with_reductions(self, groups: list[Group]) -> list[Group]:
        """The groups, in which the terms of a sum or of a maximum are one operand.

        NumPy adds up one after the other: s = a + b, s = s + c. The edges between two such sums are
        no operand of the program.
        """
        kept: dict[Any, Group] = {}
        for group in groups:
            place, op = group.place, group.op
            parts = [g for g in groups if g.place == place and g.op == op]
            results = {self.edges[e].child for g in parts for e in g.edges}
            chain = sorted(e for g in parts for e in g.edges if self.edges[e].parent in results)
            is_reduction = op in REDUCED and (
                bool(chain) or place.called in REDUCTIONS)
            if not is_reduction:
                kept[place, op, group.slot] = group
            elif (place, op) not in kept:
                terms = sorted((e, x) for g in parts for e, x in zip(g.edges, g.executions,
                                                                     strict=True))
                terms = [(e, x) for e, x in terms if self.edges[e].parent not in results]
                kept[place, op] = Group(place, op, 0, True, False, [e for e, _ in terms],
                                        [x for _, x in terms], chain)
        return [group for group in kept.values() if group.edges]


def operands(value: Value) -> list[tuple[Value, float]]:
    """The parents of a Value, with the derivative by each."""
    if value._children:
        derivatives = value._derivatives or (0.0,) * len(value._children)
        return list(zip(value._children, derivatives, strict=True))
    return [(p, d) for p, d in ((value._a, value._da), (value._b, value._db)) if p is not None]


def code_of(function: Any) -> CodeType | None:
    """The code that a call of `function` runs first, or None for one in C."""
    while hasattr(function, "func"):  # functools.partial
        function = function.func
    function = getattr(function, "__func__", function)
    if not hasattr(function, "__code__"):
        kind: Any = type(function)
        function = getattr(kind, "forward", kind.__call__)
    return getattr(function, "__code__", None)


def _family(op: str) -> str:
    return "**" if op.startswith("**") else op


@functools.lru_cache(maxsize=256)
def _top(name: str) -> str:
    return name.partition(".")[0]


def _library(frame: Any) -> str:
    """The package of a frame's code."""
    if OWN in frame.f_globals:
        return "tinytensor"
    return _top(frame.f_globals.get("__name__") or "")


def _numbered(x: Any, index: dict[Value, int]) -> Any:
    """The numbers of the Values in x, -1 for constants; None if x holds no Values."""
    array = _as_array(getattr(x, "_array", x))
    if array is None or array.dtype != object:
        return None
    flat = [index.get(v, -1) if isinstance(v, Value) else -1 for v in array.ravel().tolist()]
    return numpy.array(flat, dtype=int).reshape(array.shape) if max(flat, default=-1) >= 0 else None


def _as_array(x: Any) -> Any:
    """A Value, nested lists of Values, or an array, as an array; None for anything else."""
    if isinstance(x, numpy.ndarray):
        return x
    if not isinstance(x, list | tuple):
        array = numpy.empty((), dtype=object)
        array[()] = x
        return array if isinstance(x, Value | float | int) else None
    rows = [_as_array(row) for row in x]
    if not rows or any(row is None or row.shape != rows[0].shape for row in rows):
        return None
    array = numpy.empty((len(rows), *rows[0].shape), dtype=object)
    for i, row in enumerate(rows):
        array[i] = row if row.ndim else row[()]
    return array
