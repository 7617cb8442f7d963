"""A Value as a number: comparisons, conversions, and more elementary functions.

Arrays of Values need these: NumPy compares, converts and calls them under the names below. The
operators and functions that every program needs are in `engine.py`.
"""

from __future__ import annotations

import dis
import functools
import math
import operator
import sys
import warnings
from collections.abc import Callable, Iterable
from numbers import Real
from types import CodeType
from typing import TYPE_CHECKING, Any, ClassVar

from . import ieee

if TYPE_CHECKING:
    from .engine import Value


def _comparison(holds: Callable[[Any, Any], bool]) -> Callable[[Number, object], bool]:
    def compare(self: Number, other: object) -> Any:
        number = other.data if isinstance(other, Number) else other
        return bool(holds(self.data, number)) if isinstance(number, Real) else NotImplemented

    return compare


def _elementary(name: str, forward: Callable[[float], float],
                derivative: Callable[[float, float], float]) -> Callable[[Number], Value]:
    """The method y = forward(x); its derivative is given in terms of x and y."""

    def apply(self: Number) -> Value:
        y = forward(self.data)
        return self.operation(name, y, (self,), (derivative(self.data, y),))

    apply.__name__, apply.__qualname__ = name, f"Value.{name}"
    apply.__doc__ = f"The function {name} of this Value."
    return apply


def checked_parents(parents: Iterable[Value]) -> tuple[Value, ...]:
    """The parents as a tuple.

    Raises TypeError if one of them is not a Value.
    """
    parents = tuple(parents)
    for parent in parents:
        if not isinstance(parent, Number):
            raise TypeError(f"Value: a parent must be a Value, got {parent!r}; to name a Value, "
                            "write Value(1.0, label='a')")
    return parents


class Number:
    """The base class of Value, which has the graph."""

    __slots__ = ()
    data: float
    grad: float
    label: str
    operation: ClassVar[Callable[..., Value]]
    _chain_rule: Callable[[], None]

    def __init_subclass__(cls) -> None:
        rule = vars(cls).get("_backward")
        if callable(rule):  # a subclass may define its rule as a method
            cls._chain_rule = rule

    # ---------------------------------------------------------------- comparisons

    # == compares data: `node in nodes` is True for a list with another Value of the same data.
    # Keep visited nodes in a set or a dict: these go by identity.
    __eq__ = _comparison(operator.eq)
    __lt__, __le__ = _comparison(operator.lt), _comparison(operator.le)
    __gt__, __ge__ = _comparison(operator.gt), _comparison(operator.ge)
    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        return bool(self.data)

    # ---------------------------------------------------------------- conversions

    def item(self) -> float:
        """The number as a float, outside the graph."""
        return float(self.data)

    def __float__(self) -> float:
        warn_about_math(sys._getframe(1))
        return float(self.data)

    def __repr__(self) -> str:
        label = f", label={self.label!r}" if self.label else ""
        return f"Value(data={self.data}, grad={self.grad}{label})"

    def __format__(self, spec: str) -> str:
        return format(self.data, spec) if spec else repr(self)

    # ---------------------------------------------------------------- elementary functions

    def log(self, *base: object) -> Value:
        """The natural logarithm, ln x.

        Raises TypeError if a base is given.
        """
        if base:
            raise TypeError("log: takes no base, unlike math.log; the logarithm of x to base b is "
                            "x.log() / math.log(b), and there are x.log10() and x.log2()")
        return self.operation("log", ieee.log(self.data), (self,),
                              (ieee.divide(1, self.data),))

    __neg__ = _elementary("neg", operator.neg, lambda x, y: -1.0)
    __pos__ = _elementary("pos", operator.pos, lambda x, y: 1.0)
    __abs__ = abs = _elementary("abs", math.fabs, lambda x, y: float(x > 0) - float(x < 0))
    sqrt = _elementary("sqrt", ieee.sqrt, lambda x, y: ieee.divide(0.5, y))
    tanh = _elementary("tanh", math.tanh, lambda x, y: 1 - y * y)
    sigmoid = _elementary("sigmoid", lambda x: 1 / (1 + ieee.exp(-x)), lambda x, y: y * (1 - y))
    exp2 = _elementary("exp2", ieee.exp2, lambda x, y: y * math.log(2))
    expm1 = _elementary("expm1", ieee.expm1, lambda x, y: y + 1)
    log2 = _elementary("log2", ieee.log2, lambda x, y: ieee.divide(1 / math.log(2), x))
    log10 = _elementary("log10", ieee.log10, lambda x, y: ieee.divide(1 / math.log(10), x))
    log1p = _elementary("log1p", ieee.log1p, lambda x, y: ieee.divide(1, 1 + x))
    sin = _elementary("sin", ieee.sin, lambda x, y: ieee.cos(x))
    cos = _elementary("cos", ieee.cos, lambda x, y: -ieee.sin(x))
    tan = _elementary("tan", ieee.tan, lambda x, y: 1 + y * y)
    arcsin = _elementary("arcsin", ieee.arcsin, lambda x, y: ieee.divide(1, ieee.sqrt(1 - x * x)))
    arccos = _elementary("arccos", ieee.arccos, lambda x, y: -ieee.divide(1, ieee.sqrt(1 - x * x)))
    arctan = _elementary("arctan", math.atan, lambda x, y: 1 / (1 + x * x))
    sinh = _elementary("sinh", ieee.sinh, lambda x, y: ieee.cosh(x))
    cosh = _elementary("cosh", ieee.cosh, lambda x, y: ieee.sinh(x))
    arcsinh = _elementary("arcsinh", math.asinh, lambda x, y: 1 / math.hypot(x, 1.0))
    arccosh = _elementary("arccosh", ieee.arccosh,
                          lambda x, y: ieee.divide(1, ieee.sqrt(x * x - 1)))
    arctanh = _elementary("arctanh", ieee.arctanh, lambda x, y: ieee.divide(1, 1 - x * x))


# ---------------------------------------------------------------- math.exp(x) ends the graph

# What to write in place of a function of `math`, which would convert a Value to a float.
INSTEAD = {name: f"x.{name}()" for name in (
    "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sqrt", "sin", "cos", "tan", "sinh",
    "cosh", "tanh")}
INSTEAD |= {f"a{name}": f"x.arc{name}()" for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")}
INSTEAD |= {"fabs": "abs(x)", "pow": "x ** y", "fsum": "sum(values)", "cbrt": "x ** (1 / 3)",
            "hypot": "(x * x + y * y).sqrt()", "degrees": "x * (180 / math.pi)",
            "radians": "x * (math.pi / 180)"}
INSTEAD |= dict.fromkeys(("atan2", "dist", "erf", "erfc", "lgamma", "sumprod"),
                         "the operation with its derivatives, by Value.operation")


def warn_about_math(caller: Any) -> None:
    """Warns if the frame `caller` is calling a function in INSTEAD, once for each line.

    Other conversions are intended: float(x), plotting, NumPy's astype(float).
    """
    if INSTEAD.keys().isdisjoint(caller.f_code.co_names):
        return
    name = called(caller.f_code, caller.f_lasti)
    if name in INSTEAD:
        warnings.warn(f"math.{name} converts a Value to a float, which has no gradient: write "
                      f"{INSTEAD[name]}, or pass x.data if the gradient is not wanted",
                      stacklevel=3)


@functools.lru_cache(maxsize=1024)
def called(code: CodeType, offset: int) -> str | None:
    """The name of the function that the instruction at `offset` calls; None if it is unknown."""
    loads: dict[tuple[int | None, int | None], str] = {}
    for instruction in dis.get_instructions(code):
        at = instruction.positions
        start = (at.lineno, at.col_offset) if at else (None, None)
        if instruction.offset >= offset:
            return loads.get(start)  # in the source, a call starts where its function does
        if instruction.opname.startswith("LOAD_") and isinstance(instruction.argval, str):
            loads[start] = instruction.argval
    return None
