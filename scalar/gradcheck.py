"""gradcheck: compares the gradients of backward with finite differences, and names the mistake.

    gradcheck(lambda x, y: (x * y).tanh(), [0.5, -2.0])

If they differ, each operation of the graph is checked alone: the change of its result must be what
its local derivatives make of the changes of its operands. So the error names the operation that is
wrong, also one whose `_backward` was assigned.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from . import ieee
from .engine import Value, topological_order

__all__ = ["GradcheckError", "gradcheck"]


class GradcheckError(RuntimeError):
    """Gradients that differ from finite differences."""


def gradcheck(f: Callable[..., Any], numbers: Any, *, eps: float = 1e-6, atol: float = 1e-5,
              rtol: float = 1e-3, raise_exception: bool = True) -> bool:
    """Whether |backward - finite difference| <= atol + rtol * |finite difference| everywhere.

    The finite difference is (f(x + eps) - f(x - eps)) / (2 eps), for each number in turn.

    Args:
        f: a function of Values that returns a Value, or nested lists of them.
        numbers: its arguments: a number, or a list or tuple of numbers and nested lists, each of
            which becomes an argument of f.
        raise_exception: if False, a failure returns False.

    Raises:
        GradcheckError: names the number, both derivatives, and the operation that is wrong.
        TypeError: f returns something else.
    """
    case = _Case(f, numbers, eps)
    wrong = [(result, leaf) for result in range(len(case.results))
             for leaf in range(len(case.leaves))
             if not _close(case.analytic[result][leaf], case.numeric[result][leaf], atol, rtol)]
    if wrong and raise_exception:
        raise GradcheckError(case.report(wrong))
    return not wrong


def _close(a: float, b: float, atol: float, rtol: float) -> bool:
    return abs(a - b) <= atol + rtol * abs(b) or a == b or (math.isnan(a) and math.isnan(b))


# ---------------------------------------------------------------- derivatives in two ways


class _Case:
    """A function at certain numbers, and its derivatives.

    leaves      the Values of the numbers
    results     what f returned for them
    nodes       the graph of all results, parents first
    analytic    d result / d leaf by backward; a row for each result
    numeric     the same by finite differences
    moved       d node / d leaf by finite differences; empty if the graph changes with the numbers
    """

    def __init__(self, f: Callable[..., Any], numbers: Any, eps: float):
        self.f, self.eps = f, eps
        self.numbers = list(numbers) if isinstance(numbers, list | tuple) else [numbers]
        self.names = _names(f, len(self.numbers))
        self.leaves, self.results, self.nodes = self.run()
        self.analytic = [self.backward(result) for result in self.results]
        self.numeric: list[list[float]] = [[] for _ in self.results]
        self.moved: dict[Value, list[float]] = {node: [] for node in self.nodes}
        for j in range(len(self.leaves)):
            _, above, nodes_above = self.run(j, eps)
            _, below, nodes_below = self.run(j, -eps)
            for row, a, b in zip(self.numeric, above, below, strict=True):
                row.append((a.data - b.data) / (2 * eps))
            if not len(self.nodes) == len(nodes_above) == len(nodes_below):
                self.moved = {}
            if self.moved:
                for node, a, b in zip(self.nodes, nodes_above, nodes_below, strict=True):
                    self.moved[node].append((a.data - b.data) / (2 * eps))

    def run(self, moved: int = -1, by: float = 0.0) -> tuple[list[Value], list[Value], list[Value]]:
        """The leaves, the results and the graph, with one of the numbers moved."""
        leaves: list[Value] = []

        def as_values(x: Any, name: str) -> Any:
            if isinstance(x, list | tuple):
                return [as_values(row, f"{name}[{i}]") for i, row in enumerate(x)]
            number = x.data if isinstance(x, Value) else float(x)
            leaves.append(Value(number + by * (len(leaves) == moved), label=name))
            return leaves[-1]

        arguments = [as_values(x, name) for x, name in zip(self.numbers, self.names, strict=True)]
        results = list(_flat(self.f(*arguments)))
        nodes: dict[Value, None] = {}
        for result in results:
            nodes |= dict.fromkeys(topological_order(result))
        return leaves, results, list(nodes)

    def backward(self, result: Value) -> list[float]:
        for node in self.nodes:
            node.grad = 0.0
        for leaf in self.leaves:
            leaf.grad = 0.0
        result.backward()
        return [leaf.grad for leaf in self.leaves]

    # ------------------------------------------------------------ the report

    def report(self, wrong: list[tuple[int, int]]) -> str:
        def distance(pair: tuple[int, int]) -> float:
            apart = abs(self.analytic[pair[0]][pair[1]] - self.numeric[pair[0]][pair[1]])
            return math.inf if math.isnan(apart) else apart

        worst = max(wrong, key=distance)
        result, leaf = worst
        name = f" {result}" if len(self.results) > 1 else ""
        count = len(self.results) * len(self.leaves)
        many = f"{len(wrong)} of {count} derivatives differ. " if count > 1 else ""
        return (f"gradcheck: the derivative of result{name} by {self.leaves[leaf].label} is\n"
                f"    {self.analytic[result][leaf]:.8g} by backward\n"
                f"    {self.numeric[result][leaf]:.8g} by finite differences\n"
                f"{many}{self.diagnosis(result, leaf)}")

    def diagnosis(self, result: int, leaf: int) -> str:
        """Which operation is wrong, and how."""
        pair = self.analytic[result][leaf], self.numeric[result][leaf]
        if not all(map(math.isfinite, pair)):
            return "NaN or infinity: choose numbers where f and its derivative exist."
        if self.is_kink(result, leaf):
            return ("f has a kink there: its slopes on both sides differ, and there is no "
                    "derivative; choose other numbers.")
        if not self.moved:
            return "The graph is another one for numbers nearby: check its parts one by one."
        for node in self.nodes:
            text = self.leaf_mistake(node) if not node._prev else self.operation_mistake(node)
            if text:
                return text
        return ("Every operation is right alone: does f use a Value from outside, or change one "
                "after it was used?")

    def is_kink(self, result: int, leaf: int) -> bool:
        here = self.results[result].data
        above = (self.run(leaf, self.eps)[1][result].data - here) / self.eps
        below = (here - self.run(leaf, -self.eps)[1][result].data) / self.eps
        return abs(above - below) > max(0.01 * max(abs(above), abs(below)), 1e-4)

    def leaf_mistake(self, node: Value) -> str:
        if any(node is leaf for leaf in self.leaves) or not any(map(_counts, self.moved[node])):
            return ""
        return (f"The graph ends at a Value of {node.data:.6g} that depends on the numbers: .data, "
                "float() or Value(...) made a new one of a result.")

    # ------------------------------------------------------------ one operation

    def operation_mistake(self, node: Value) -> str:
        """What is wrong with the derivatives of one operation, or ""."""
        parents = list(dict.fromkeys(node._prev))
        local = _local_derivatives(node, parents, 1.0, 0.0)
        who = f"The operation {node._op or node.label or 'without a name'!r}"
        moved, own = [self.moved[p] for p in parents], self.moved[node]
        rest = [dy - sum(d * dx[j] for d, dx in zip(local, moved, strict=True))
                for j, dy in enumerate(own)]
        if node._rule is not None:
            twice = _local_derivatives(node, parents, 2.0, 0.0)
            added = _local_derivatives(node, parents, 1.0, 1.0)
            if any(map(math.isfinite, local)) and twice == local and any(local):
                return (f"{who} does not use its own grad: a rule multiplies by what comes from "
                        "above.")
            if added == local and any(local):
                return (f"{who} overwrites the grad of its operand: a rule adds to it, since an "
                        "operand may be used in several places.")
        if not any(_counts(r, dy) for r, dy in zip(rest, own, strict=True)):
            return ""
        for i, (d, dx) in enumerate(zip(local, moved, strict=True)):
            size = sum(v * v for v in dx)
            missing = sum(r * v for r, v in zip(rest, dx, strict=True)) / size if size else 0.0
            if size and not any(_counts(r - missing * v, dy)
                                for r, v, dy in zip(rest, dx, own, strict=True)):
                operand = f" by operand {i + 1}" if len(parents) > 1 else ""
                return f"{who} is wrong: " + _named(node, parents[i], d, d + missing, operand)
        if any(_counts(r, 1.0) and not any(map(_counts, (dx[j] for dx in moved)))
               for j, r in enumerate(rest)):
            return (f"{who} depends on numbers that are not among its operands: only a part of its "
                    "Jacobian is there, such as the diagonal.")
        return f"{who} is wrong: several of its local derivatives are."


def _names(f: Callable[..., Any], count: int) -> list[str]:
    """The names of the parameters of f, or numbers[0], numbers[1], ..."""
    try:
        parameters = inspect.signature(f).parameters.values()
    except (TypeError, ValueError):
        parameters = {}.values()  # type: ignore[assignment]
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return [names[i] if i < len(names) else f"numbers[{i}]" for i in range(count)]


def _flat(results: Any) -> Iterator[Value]:
    if isinstance(results, Value):
        yield results
    elif isinstance(results, list | tuple):
        for result in results:
            yield from _flat(result)
    elif hasattr(results, "tolist"):
        yield from _flat(results.tolist())
    else:
        raise TypeError("gradcheck: f should return a Value or lists of Values, got "
                        f"{type(results).__name__}")


def _counts(difference: float, beside: float = 0.0) -> bool:
    """Whether a difference is more than the error of finite differences."""
    return abs(difference) > 1e-5 + 1e-4 * abs(beside)


def _local_derivatives(node: Value, parents: Sequence[Value], grad: float, before: float
                       ) -> list[float]:
    """What the rule of a node adds to the grad of its parents."""
    kept = [(v, v.grad) for v in (node, *parents)]
    try:
        node.grad = grad
        for parent in parents:
            parent.grad = before
        node._backward()
        return [parent.grad for parent in parents]
    finally:
        for value, number in kept:
            value.grad = number


# ---------------------------------------------------------------- the mistake by its numbers

# Functions that operations compute, and the derivative of each if x and y are exchanged in it.
KNOWN: list[tuple[Callable[[float], float], Callable[[float, float], float]]] = [
    (math.tanh, lambda x, y: 1 - x * x),
    (math.tanh, lambda x, y: 1 - math.tanh(y) ** 2),
    (lambda x: 1 / (1 + ieee.exp(-x)), lambda x, y: x * (1 - x)),
    (lambda x: 1 / (1 + ieee.exp(-x)), lambda x, y: 1 / (2 + ieee.exp(y) + ieee.exp(-y))),
    (ieee.exp, lambda x, y: x),
    (ieee.exp, lambda x, y: ieee.exp(y)),
    (ieee.log, lambda x, y: ieee.divide(1, y)),
    (ieee.sqrt, lambda x, y: ieee.divide(0.5, x)),
]


def _named(node: Value, operand: Value, given: float, right: float, which: str) -> str:
    """The mistake in one local derivative, which is `given` and should be `right`."""
    def same(a: float, b: float) -> bool:
        return abs(a - b) <= 1e-4 * max(abs(b), 1e-1)

    x, y = operand.data, node.data
    if same(given, 0.0):
        text = "is 0: the path back to it is missing"
    elif same(given, -right):
        text = "has the wrong sign"
    elif same(right, 0.0) and same(given, 1.0):
        text = "is 1 where the result does not move: the mask is missing"
    elif same(given, 1.0):
        text = "is 1: it is missing, and the gradient is handed on as it came"
    elif any(same(y, f(x)) and same(given, exchanged(x, y)) for f, exchanged in KNOWN):
        text = "is a rule in the result that was given the operand, or the other way round"
    elif same(given, 2 * right):
        text = "is twice what it should be: it is counted twice"
    else:
        text = f"is {given:.6g} and should be {right:.6g}"
    return f"its local derivative{which} {text}."
