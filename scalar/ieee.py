"""Arithmetic on floats as IEEE 754 defines it and as NumPy and PyTorch compute it.

Python raises an exception for 1 / 0, log(0), exp(1000) and (-8) ** (1 / 3). Here the results are
inf, -inf, inf and nan, as a training run needs them.
"""

import math
from collections.abc import Callable
from math import inf, nan
from typing import SupportsFloat


def number(data: SupportsFloat) -> float:
    """The float of one number: a float, an int, a NumPy scalar, a Tensor of one element.

    Raises TypeError for anything else, and for a Value, whose graph would be lost.
    """
    if hasattr(data, "_prev") or not hasattr(data, "__float__"):
        raise TypeError(f"Value: data must be one number, got {type(data).__name__} {data!r}: use "
                        "a Value as it is, or its .data; convert anything else with float()")
    return float(data)


def divide(a: float, b: float) -> float:
    """a / b; a / 0 is infinite with the sign of a · b, 0 / 0 is nan."""
    return a / b if b else a * math.copysign(inf, b)


def power(x: float, y: float) -> float:
    """x ** y; infinite on overflow and for 0 ** -1, nan for roots of negative numbers."""
    try:
        return math.pow(x, y)
    except (OverflowError, ValueError):
        if x < 0 and y % 1 != 0:
            return nan
        return math.copysign(inf, x) if y % 2 == 1 else inf


def _total(f: Callable[[float], float], limits: dict[float, float]) -> Callable[[float], float]:
    """f for all floats: `limits` or nan outside its domain; on overflow an inf with f's sign."""

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
