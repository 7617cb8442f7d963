"""Arithmetic on floats as IEEE 754 defines it, and NumPy and PyTorch compute it.

Python raises an exception at 1 / 0, log(0), exp(1000) or (-8) ** (1 / 3). A training run wants
the answer there instead: inf, -inf, inf and nan.
"""

import math
from collections.abc import Callable
from math import inf, nan
from typing import SupportsFloat


def number(data: SupportsFloat) -> float:
    """The float of what is one number: a float, an int, a NumPy scalar, a Tensor of one element.

    Raises TypeError at anything else, and at a Value, which would lose its history.
    """
    if hasattr(data, "_prev") or not hasattr(data, "__float__"):
        raise TypeError(f"Value: data must be one number, got {type(data).__name__} {data!r}: use "
                        "a Value as it is, or its .data; convert anything else with float()")
    return float(data)


def divide(a: float, b: float) -> float:
    """a / b; a / 0 is an infinity with the signs' product, 0 / 0 is nan."""
    return a / b if b else a * math.copysign(inf, b)


def power(x: float, y: float) -> float:
    """x ** y; infinite on overflow and at 0 ** -1, nan for roots of negative numbers."""
    try:
        return math.pow(x, y)
    except (OverflowError, ValueError):
        if x < 0 and y % 1 != 0:
            return nan
        return math.copysign(inf, x) if y % 2 == 1 else inf


def _total(f: Callable[[float], float], limits: dict[float, float]) -> Callable[[float], float]:
    """f made total: nan outside its domain, except for its limits; on overflow a signed inf."""

    def g(x: float) -> float:
        try:
            return f(x)
        except ValueError:
            return limits.get(x, nan)
        except OverflowError:
            return math.copysign(inf, f(math.copysign(1.0, x)))

    return g


exp = _total(math.exp, {})
exp2 = _total(math.exp2, {})
expm1 = _total(math.expm1, {})
log = _total(math.log, {0.0: -inf})
log2 = _total(math.log2, {0.0: -inf})
log10 = _total(math.log10, {0.0: -inf})
log1p = _total(math.log1p, {-1.0: -inf})
sqrt = _total(math.sqrt, {})
sin = _total(math.sin, {})
cos = _total(math.cos, {})
tan = _total(math.tan, {})
arcsin = _total(math.asin, {})
arccos = _total(math.acos, {})
sinh = _total(math.sinh, {})
cosh = _total(math.cosh, {})
arccosh = _total(math.acosh, {})
arctanh = _total(math.atanh, {1.0: inf, -1.0: -inf})
