"""The scalar engine: reverse-mode automatic differentiation on single numbers.

An operation is data: the Value it returns holds its result, its operands a and b, and its local
derivatives da and db: how fast the result moves when an operand moves. The chain rule is then
two lines, in `Value._backward`; the order in which it has to run is `topological_order`.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable
from numbers import Real
from typing import Any, SupportsFloat

from . import ieee

Operator = Callable[["Value", "Value | float"], "Value"]


class Value:
    """A number that knows how it was made: data, grad, parents (_prev) and operation (_op).

    Raises TypeError where data is not one number.
    """

    __slots__ = ("data", "grad", "label", "_op", "_children", "_a", "_b", "_da", "_db",
                 "__dict__", "__weakref__")  # a tuple of operands would keep the collector busy

    def __init__(self, data: SupportsFloat, _children: Iterable[Value] = (), _op: str = "",
                 label: str = "") -> None:
        self.data = data if type(data) is float else ieee.number(data)
        self.grad = 0.0
        self.label, self._op = label, _op
        self._children = tuple(_children)  # parents in an operation made by hand
        self._a: Value | None = None
        self._b: Value | None = None
        self._da = self._db = 0.0

    @property
    def _prev(self) -> tuple[Value, ...]:
        """Its parents, in order; a * a has two."""
        return self._children or tuple(v for v in (self._a, self._b) if v is not None)

    # ---------------------------------------------------------------- backward

    def backward(self) -> None:
        """Gives every node of this Value's graph its grad: d self / d node.

        The grads of leaves add up from call to call, until zero_grad; the others start anew.
        """
        order = topological_order(self)
        for node in order:
            if node._a is not None or node._children:
                node.grad = 0.0
        self.grad += 1.0
        for node in reversed(order):
            node._backward()

    def _backward(self) -> None:
        """The chain rule. An operation made by hand puts its own here: `out._backward = rule`."""
        if self._a is not None:
            self._a.grad += self._da * self.grad
        if self._b is not None:
            self._b.grad += self._db * self.grad

    # ---------------------------------------------------------------- y = f(a, b)

    @staticmethod
    def _operator(name: str, f: Callable[..., float], local: Callable[..., tuple[float, float]],
                  ) -> tuple[Operator, Operator]:
        """The operator and its reflection, from f and its derivatives by a and by b."""

        def apply(self: Value, other: Value | float) -> Any:
            if not isinstance(other, Value):
                if not isinstance(other, Real):
                    return NotImplemented  # Python then asks the other operand
                other = Value(other)
            a, b = self.data, other.data
            out = Value(f(a, b), (), name)
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

    # ---------------------------------------------------------------- y = f(x)

    @staticmethod
    def _function(name: str, f: Callable[..., float], derivative: Callable[..., float]
                  ) -> Callable[[Value], Value]:
        """The method, from f and its derivative, which may be written in x and in y = f(x)."""

        def apply(self: Value) -> Value:
            out = Value(f(self.data), (), name)
            out._a, out._da = self, derivative(self.data, out.data)
            return out

        return apply

    __pos__ = _function("pos", operator.pos, lambda x, y: 1.0)
    __neg__ = _function("neg", operator.neg, lambda x, y: -1.0)
    _above_0 = _function("ReLU", operator.pos, lambda x, y: 1.0)
    __abs__ = abs = _function("abs", math.fabs, lambda x, y: float(x > 0) - float(x < 0))
    exp = _function("exp", ieee.exp, lambda x, y: y)
    log = _function("log", ieee.log, lambda x, y: ieee.divide(1, x))
    sqrt = _function("sqrt", ieee.sqrt, lambda x, y: ieee.divide(0.5, y))
    sin = _function("sin", ieee.sin, lambda x, y: ieee.cos(x))
    cos = _function("cos", ieee.cos, lambda x, y: -ieee.sin(x))
    tanh = _function("tanh", math.tanh, lambda x, y: 1 - y * y)
    sigmoid = _function("sigmoid", lambda x: 1 / (1 + ieee.exp(-x)), lambda x, y: y * (1 - y))
    # More of NumPy's elementary functions, which it calls by these names on arrays of Values.
    exp2 = _function("exp2", ieee.exp2, lambda x, y: y * math.log(2))
    expm1 = _function("expm1", ieee.expm1, lambda x, y: y + 1)
    log2 = _function("log2", ieee.log2, lambda x, y: ieee.divide(1 / math.log(2), x))
    log10 = _function("log10", ieee.log10, lambda x, y: ieee.divide(1 / math.log(10), x))
    log1p = _function("log1p", ieee.log1p, lambda x, y: ieee.divide(1, 1 + x))
    tan = _function("tan", ieee.tan, lambda x, y: 1 + y * y)
    arcsin = _function("arcsin", ieee.arcsin, lambda x, y: ieee.divide(1, ieee.sqrt(1 - x * x)))
    arccos = _function("arccos", ieee.arccos, lambda x, y: -ieee.divide(1, ieee.sqrt(1 - x * x)))
    arctan = _function("arctan", math.atan, lambda x, y: 1 / (1 + x * x))
    sinh = _function("sinh", ieee.sinh, lambda x, y: ieee.cosh(x))
    cosh = _function("cosh", ieee.cosh, lambda x, y: ieee.sinh(x))
    arcsinh = _function("arcsinh", math.asinh, lambda x, y: 1 / math.hypot(x, 1.0))
    arccosh = _function("arccosh", ieee.arccosh, lambda x, y: ieee.divide(1, ieee.sqrt(x * x - 1)))
    arctanh = _function("arctanh", ieee.arctanh, lambda x, y: ieee.divide(1, 1 - x * x))

    def relu(self) -> Value:
        """max(0, x). Where it is flat it hands nothing on: 0 · inf would give a grad of nan."""
        return Value(0.0, (self,), "ReLU") if self.data <= 0 else self._above_0()

    # ---------------------------------------------------------------- as a number

    @staticmethod
    def _comparison(holds: Callable[[Any, Any], bool]) -> Callable[[Value, object], bool]:
        def compare(self: Value, other: object) -> Any:
            number = other.data if isinstance(other, Value) else other
            return bool(holds(self.data, number)) if isinstance(number, Real) else NotImplemented

        return compare

    __eq__ = _comparison(operator.eq)
    __lt__, __le__ = _comparison(operator.lt), _comparison(operator.le)
    __gt__, __ge__ = _comparison(operator.gt), _comparison(operator.ge)
    __hash__ = object.__hash__  # in sets and dicts a Value stands for itself, not for its data

    def __bool__(self) -> bool:
        return bool(self.data)

    def __float__(self) -> float:
        return float(self.data)
    item = __float__

    def __format__(self, spec: str) -> str:
        return format(self.data, spec) if spec else repr(self)

    def __repr__(self) -> str:
        label = f", label={self.label!r}" if self.label else ""
        return f"Value(data={self.data}, grad={self.grad}{label})"


def topological_order(root: Value) -> list[Value]:
    """The nodes of root's graph, each once and after its parents; root comes last.

    Depth first, with a stack of its own: recursion would fail at a thousand operations.
    """
    order: list[Value] = []
    seen: set[Value] = set()
    path: list[Value] = []
    stack: list[Value | None] = [root]
    while stack:
        node = stack.pop()
        if node is None:  # all parents of the last node on the path are placed
            order.append(path.pop())
        elif node not in seen:
            seen.add(node)
            path.append(node)
            stack.append(None)
            for parent in (node._a, node._b, *node._children):
                if parent is not None:
                    stack.append(parent)
    return order
