"""The scalar engine: reverse-mode automatic differentiation on single numbers.

An operation is data: the Value it returns holds its result, its parents (the operands) and its
local derivatives (how fast the result moves when one parent moves). With that the chain rule is
one line, in `Value._backward`; the order in which it has to run is `topological_order`.
"""

from __future__ import annotations

import builtins
import math
import operator
from collections.abc import Callable, Iterable
from numbers import Real
from typing import Any, SupportsFloat


class Value:
    """A number that knows how it was made: data, grad, parents (_prev) and operation (_op).

    Raises TypeError where data is not one number.
    """

    def __init__(
        self,
        data: SupportsFloat,
        _children: Iterable[Value] = (),
        _op: str = "",
        label: str = "",
        _local: tuple[float, ...] = (),
    ) -> None:
        self.data = data if type(data) is float else _as_float(data)
        self.grad = 0.0
        self.label = label
        self._prev = tuple(_children)  # a set would lose one of the two parents of a * a
        self._op = _op
        self._local = _local

    # The graph

    def backward(self) -> None:
        """Gives every node below this one its grad: the derivative of this Value by that node.

        Leaves add up from call to call, until zero_grad, as in PyTorch; all others start anew.
        """
        order = topological_order(self)
        for node in order:
            if node._prev:
                node.grad = 0.0
        self.grad += 1.0
        for node in reversed(order):
            node._backward()

    def _backward(self) -> None:
        """The chain rule: parent.grad += local derivative · self.grad.

        An operation made by hand may replace it by a function: `out._backward = rule`.
        """
        grad = self.grad
        for i, derivative in enumerate(self._local):
            self._prev[i].grad += derivative * grad

    # Operators y = f(a, b), each with its derivatives by a and by b

    @staticmethod
    def _operator(name: str, f: Binary, derivatives: Derivatives) -> tuple[Operator, Operator]:
        def apply(self: Value, other: Value | float) -> Value:
            if not isinstance(other, Value):
                if not isinstance(other, Real):
                    return NotImplemented  # so that the other operand may act
                other = Value(other)
            a, b = self.data, other.data
            y = f(a, b)
            return Value(y, (self, other), name, "", derivatives(a, b, y))

        def reflected(self: Value, other: Value | float) -> Value:
            return apply(Value(other), self) if isinstance(other, Real) else NotImplemented

        return apply, reflected

    __add__, __radd__ = _operator("+", operator.add, lambda a, b, y: (1.0, 1.0))
    __sub__, __rsub__ = _operator("-", operator.sub, lambda a, b, y: (1.0, -1.0))
    __mul__, __rmul__ = _operator("*", operator.mul, lambda a, b, y: (b, a))
    __truediv__, __rtruediv__ = _operator(
        "/", lambda a, b: divide(a, b), lambda a, b, y: (divide(1.0, b), -divide(y, b))
    )
    _power, __rpow__ = _operator(
        "**", lambda a, b: power(a, b), lambda a, b, y: (_pow_by_base(a, b), _pow_by_exponent(a, b, y))
    )

    # Functions y = f(x), each with its derivative

    @staticmethod
    def _function(name: str, f: Function, derivative: Derivative) -> Callable[[Value], Value]:
        def apply(self: Value) -> Value:
            x = self.data
            y = ieee(f, x)
            return Value(y, (self,), name, "", (ieee(derivative, x, y),))

        return apply

    exp = _function("exp", math.exp, lambda x, y: y)
    log = _function("log", lambda x: log(x), lambda x, y: divide(1, x))
    sqrt = _function("sqrt", math.sqrt, lambda x, y: divide(0.5, y))
    sin = _function("sin", math.sin, lambda x, y: math.cos(x))
    cos = _function("cos", math.cos, lambda x, y: -math.sin(x))
    tanh = _function("tanh", math.tanh, lambda x, y: 1 - y * y)
    sigmoid = _function("sigmoid", lambda x: 1 / (1 + ieee(math.exp, -x)), lambda x, y: y * (1 - y))
    abs = _function("abs", math.fabs, lambda x, y: float((x > 0) - (x < 0)))
    __abs__ = abs

    def relu(self) -> Value:
        x = self.data
        local = () if x <= 0 else (1.0,)  # none where it is flat: 0 · an infinite grad is nan
        return Value(0.0 if x < 0 else x, (self,), "ReLU", "", local)

    # Comparisons are by value; in sets and dicts a Value stands for itself

    @staticmethod
    def _comparison(holds: Callable[[Any, Any], bool]) -> Callable[[Value, object], bool]:
        def compare(self: Value, other: object) -> bool:
            if isinstance(other, Value):
                return holds(self.data, other.data)
            return holds(self.data, other) if isinstance(other, Real) else NotImplemented

        return compare

    __eq__ = _comparison(operator.eq)
    __lt__ = _comparison(operator.lt)
    __le__ = _comparison(operator.le)
    __gt__ = _comparison(operator.gt)
    __ge__ = _comparison(operator.ge)
    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        return self.data != 0.0

    def __float__(self) -> float:
        return float(self.data)

    item = __float__

    def __format__(self, spec: str) -> str:
        return format(self.data, spec) if spec else repr(self)

    def __repr__(self) -> str:
        label = f", label={self.label!r}" if self.label else ""
        return f"Value(data={self.data}, grad={self.grad}{label})"


Function = Callable[[float], float]
Derivative = Callable[[float, float], float]
