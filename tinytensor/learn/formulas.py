"""The local derivatives of the scalar engine's operations, as formulas that can be read and run.

A formula is a line of Python over a and b, the operands, y, the result, and the functions of
`scalar.ieee`. `debug` evaluates each before it prints it: it must equal the derivative that the
engine computed, to the bit.
"""

from __future__ import annotations

import functools
import math
import operator
from types import CodeType
from typing import Any

from scalar import Value, ieee

# For each operation, the derivative by each of its operands, as `scalar` computes it.
FORMULAS: dict[str, tuple[str, ...]] = {
    "+": ("1.0", "1.0"),
    "-": ("1.0", "-1.0"),
    "*": ("b", "a"),
    "/": ("1 / b", "-y / b"),
    "**": ("b * a ** (b - 1)", "y * log(a)"),
    "exp": ("y",),
    "ReLU": ("0.0 if a <= 0 else 1.0",),
    "log": ("1 / a",),
    "neg": ("-1.0",),
    "pos": ("1.0",),
    "abs": ("sign(a)",),
    "sqrt": ("0.5 / y",),
    "tanh": ("1 - y * y",),
    "sigmoid": ("y * (1 - y)",),
    "exp2": ("y * log(2)",),
    "expm1": ("y + 1",),
    "log2": ("(1 / log(2)) / a",),
    "log10": ("(1 / log(10)) / a",),
    "log1p": ("1 / (1 + a)",),
    "sin": ("cos(a)",),
    "cos": ("-sin(a)",),
    "tan": ("1 + y * y",),
    "arcsin": ("1 / sqrt(1 - a * a)",),
    "arccos": ("-(1 / sqrt(1 - a * a))",),
    "arctan": ("1 / (1 + a * a)",),
    "sinh": ("cosh(a)",),
    "cosh": ("sinh(a)",),
    "arcsinh": ("1 / hypot(a, 1)",),
    "arccosh": ("1 / sqrt(a * a - 1)",),
    "arctanh": ("1 / (1 - a * a)",),
    "GELU": ("Phi(a) + a * phi(a)",),
    "BCE": ("(a - b) / max(a * (1 - a), 1e-12)", "max(log(1 - a), -100) - max(log(a), -100)"),
}
POWERS_AT_ZERO = {  # the limits that the engine takes
    0: "0.0",  # a ** 0 is 1 everywhere
    1: "0.0",  # 0 ** b is 0 for every b > 0
}


def formula_of(value: Value, operands: tuple[Value, ...], position: int
               ) -> tuple[str, Value | None]:
    """The formula for the derivative of `value` by its operand at `position`, and the operand `b`.

    The formula is "" if it is unknown. The operand is None if the formula has no `b`.
    """
    op = value._op
    if op == "dot":  # the operands are a_1 ... a_n, b_1 ... b_n
        half = len(operands) // 2
        return "b", operands[(position + half) % len(operands)]
    if op in ("max", "min"):
        equal = sum(x.data == value.data for x in operands)
        return ("nan" if not equal else f"1.0 / {equal} if a == y else 0.0" if equal > 1 else
                "1.0 if a == y else 0.0"), None
    if op == "**" and _at_a_limit(operands[0], operands[1], position):
        return POWERS_AT_ZERO[position], operands[1]
    if op.startswith("**") and op != "**" and len(operands) == 1:
        exponent = op[2:]
        try:
            constant = float(exponent)
        except ValueError:
            return "", None
        if not constant:
            return "0.0", None
        exponent = f"({exponent})" if constant < 0 else exponent
        return f"{exponent} * a ** ({exponent} - 1)", None
    formulas = FORMULAS.get(op, ())
    if len(formulas) != len(operands) or position >= len(formulas):
        return "", None
    return formulas[position], operands[1] if len(operands) == 2 else None


def _at_a_limit(a: Value, b: Value, position: int) -> bool:
    return not b.data if position == 0 else a.data == 0 and b.data >= 0


# ---------------------------------------------------------------- to evaluate them


def _operator(function: Any) -> Any:
    """A binary operator of _Number, and its reflection."""
    return (lambda self, other: _Number(function(float(self), float(other))),
            lambda self, other: _Number(function(float(other), float(self))))


class _Number(float):
    """A float whose / and ** are those of `scalar.ieee`, which raise no errors."""

    __truediv__, __rtruediv__ = _operator(ieee.divide)
    __pow__, __rpow__ = _operator(ieee.power)
    __add__, __radd__ = _operator(operator.add)
    __sub__, __rsub__ = _operator(operator.sub)
    __mul__, __rmul__ = _operator(operator.mul)

    def __neg__(self) -> Any:
        return _Number(-float(self))


def _on_numbers(function: Any) -> Any:
    return lambda *given: _Number(function(*map(float, given)))


NAMESPACE: dict[str, Any] = {
    name: _on_numbers(getattr(ieee, name)) for name in ("log", "sin", "cos", "sinh", "cosh", "sqrt")
} | {
    "max": _on_numbers(max), "hypot": _on_numbers(math.hypot),
    "sign": _on_numbers(lambda x: float(x > 0) - float(x < 0)),
    "Phi": _on_numbers(lambda x: 0.5 * math.erfc(-x / math.sqrt(2))),
    "phi": _on_numbers(lambda x: ieee.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)),
    "nan": math.nan, "__builtins__": {},
}


@functools.lru_cache(maxsize=1024)
def _compiled(formula: str) -> CodeType:
    return compile(formula, "<formula>", "eval")


def evaluate(formula: str, a: float, b: float | None, y: float) -> float:
    """The number that a formula gives."""
    names = {"a": _Number(a), "b": None if b is None else _Number(b), "y": _Number(y)}
    return float(eval(_compiled(formula), NAMESPACE, names))
