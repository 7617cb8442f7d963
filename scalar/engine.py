"""The scalar engine: reverse-mode automatic differentiation on single numbers.

A Value is a node of a graph: a number, its gradient, and the Values that it was computed from.
`tinytensor/autograd` tells the same story for arrays. An operation of your own is a function:

    def softplus(x):
        y = math.log(1 + math.exp(x.data))
        return Value.operation("softplus", y, [x], [1 - math.exp(-y)])
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from numbers import Real
from typing import Any, SupportsFloat

from . import ieee
from .number import Number, checked_parents

Operator = Callable[["Value", "Value | float"], "Value"]


class Value(Number):
    """A number that records how it was computed. `Number` adds comparisons and more functions.

    A misspelt attribute is an error: only instances of subclasses take new attributes.

    Raises TypeError if data is not one number, or a parent is not a Value.
    """

    # ---------------------------------------- the node

    # A binary operator has its parents in _a and _b, its local derivatives in _da and _db. Tuples,
    # as in other operations, would be more objects for the garbage collector to visit.
    __slots__ = ("data", "grad", "label", "_op", "_a", "_b", "_da", "_db", "_children",
                 "_derivatives", "_rule", "__weakref__")

    def __init__(self, data: SupportsFloat, _children: Iterable[Value] = (), _op: str = "",
                 label: str = "") -> None:
        self.data = data if type(data) is float else ieee.number(data)
        self.grad = 0.0
        self.label, self._op = label, _op
        self._a: Value | None = None
        self._b: Value | None = None
        self._da = self._db = 0.0
        self._children = checked_parents(_children) if _children else ()
        self._derivatives: tuple[float, ...] = ()
        self._rule: Callable[[], None] | None = None

    @property
    def _prev(self) -> tuple[Value, ...]:
        """The parents, in order; a * a has two."""
        return self._children or tuple(v for v in (self._a, self._b) if v is not None)

    # ---------------------------------------- an operation: forward and local derivatives

    @staticmethod
    def operation(name: str, y: float, parents: Sequence[Value], derivatives: Sequence[float]
                  ) -> Value:
        """The result y of an operation, with its derivative by each of its parents.

        Raises ValueError if the numbers of parents and derivatives differ.
        """
        if len(parents) != len(derivatives):
            raise ValueError(f"{name}: {len(parents)} parents, but {len(derivatives)} derivatives")
        out = Value(y, parents, name)
        out._derivatives = tuple(derivatives)
        return out

    @staticmethod
    def _operator(name: str, forward: Callable[..., float],
                  local: Callable[..., tuple[float, float]]) -> tuple[Operator, Operator]:
        """A binary operator and its reflection. local(a, b, y) is its derivatives by a and b."""

        def apply(self: Value, other: Value | float) -> Any:
            if not isinstance(other, Value):
                if not isinstance(other, Real):
                    return NotImplemented  # Python then asks the other operand
                other = Value(other)
            a, b = self.data, other.data
            out = Value(forward(a, b), (), name)
            out._a, out._b = self, other
            out._da, out._db = local(a, b, out.data)
            return out

        def reflected(self: Value, other: Value | float) -> Any:
            return apply(Value(other), self) if isinstance(other, Real) else NotImplemented

        return apply, reflected

    __add__, __radd__ = _operator("+", operator.add, lambda a, b, y: (1.0, 1.0))
    __sub__, __rsub__ = _operator("-", operator.sub, lambda a, b, y: (1.0, -1.0))
    __mul__, __rmul__ = _operator("*", operator.mul, lambda a, b, y: (b, a))
    __truediv__, __rtruediv__ = _operator(
        "/", ieee.divide, lambda a, b, y: (ieee.divide(1, b), -ieee.divide(y, b)))
    _power, __rpow__ = _operator("**", ieee.power, lambda a, b, y: (
        b * ieee.power(a, b - 1) if b else 0.0,  # a ** 0 is 1 everywhere, also at a = 0
        0.0 if a == 0 and b >= 0 else y * ieee.log(a)))  # 0 ** b is 0 for every b > 0

    def __pow__(self, other: Value | float) -> Value:
        out = self._power(other)
        if not isinstance(other, Value) and out is not NotImplemented:
            out._op, out._b = f"**{other}", None  # as in micrograd: one parent
        return out

    def exp(self) -> Value:
        """e ** x."""
        y = ieee.exp(self.data)
        return self.operation("exp", y, (self,), (y,))

    def relu(self) -> Value:
        """max(0, x). It has no derivative where it is flat: 0.0 · inf would be nan."""
        if self.data <= 0:
            return Value(0.0, (self,), "ReLU")
        return self.operation("ReLU", self.data, (self,), (1.0,))

    # ---------------------------------------- the topological order

    @staticmethod
    def topological_order(root: Value) -> list[Value]:
        """The nodes of root's graph, each once and after all its parents; root is last.

        Why backward needs it: in `b = a + a; c = b + b`, c adds 1 to b.grad for each of its two
        operands. A walk that visits b after the first of them sends 1 + 1 = 2 to a, and the right
        gradient is 4. In reverse topological order, a node comes after all nodes that were
        computed from it: its gradient is complete.
        """
        order: list[Value] = []
        seen: set[Value] = set()
        path: list[Value] = []
        stack: list[Value | None] = [root]  # recursion would fail at a depth of a thousand
        while stack:
            node = stack.pop()
            if node is None:  # all parents of the last node on the path are in the order
                order.append(path.pop())
            elif node not in seen:
                seen.add(node)
                path.append(node)
                stack.append(None)
                if node._a is not None:
                    stack.append(node._a)
                if node._b is not None:
                    stack.append(node._b)
                stack += node._children
        return order

    # ---------------------------------------- backward

    def backward(self) -> None:
        """Computes the grad of every node of this Value's graph: d self / d node.

        Leaves, which no operation computed, accumulate their grads until zero_grad.
        """
        order = topological_order(self)
        for node in order:
            if node._a is not None or node._children:
                node.grad = 0.0
        self.grad += 1.0
        for node in reversed(order):
            if node._rule is None:
                node._chain_rule()
            else:
                node._rule()

    def _chain_rule(self) -> None:
        """Adds local derivative · own grad to the grad of each parent."""
        if self._a is not None:
            self._a.grad += self._da * self.grad
        if self._b is not None:
            self._b.grad += self._db * self.grad
        if self._children:
            for parent, derivative in zip(self._children, self._derivatives, strict=False):
                parent.grad += derivative * self.grad

    @property
    def _backward(self) -> Callable[[], None]:
        """The rule of this node; a program may assign its own: `out._backward = closure`."""
        return self._rule or self._chain_rule

    @_backward.setter
    def _backward(self, rule: Callable[[], None]) -> None:
        self._rule = rule


topological_order = Value.topological_order
