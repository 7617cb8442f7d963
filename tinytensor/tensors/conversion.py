"""The warning where a Tensor in a graph becomes a Python number: `float(x)`, `math.exp(x)`.

The number has no gradient, so what is computed from it would train wrongly without an error.
"""

from __future__ import annotations

import math

from ..autograd.frames import user_frame, warn

# What to write in place of a function of `math`.
INSTEAD = {name: f"x.{name}()" for name in (
    "acos", "acosh", "asin", "asinh", "atan", "atanh", "cos", "cosh", "erf", "erfc", "exp", "exp2",
    "expm1", "log", "log10", "log1p", "log2", "sin", "sinh", "sqrt", "tan", "tanh")}
INSTEAD |= {name: f"x.{name}(y)" for name in ("atan2", "copysign", "fmod", "hypot", "remainder")}
INSTEAD |= {"pow": "x ** y", "fabs": "x.abs()", "degrees": "x.rad2deg()", "radians": "x.deg2rad()",
            "fsum": "sum(values)", "cbrt": "x ** (1 / 3)"}

# The results of these have no gradient anyway.
WITHOUT_GRADIENT = frozenset(("isnan", "isinf", "isfinite", "isclose", "floor", "ceil", "trunc"))


def warn_of_float() -> None:
    """Warns at the line of the program that converts a Tensor, once for each line.

    The words are those of the scalar engine. PyTorch warns in the same cases, except that it also
    does for the functions in WITHOUT_GRADIENT.
    """
    from scalar.number import called

    frame = user_frame()
    name = called(frame.f_code, frame.f_lasti)
    if name in WITHOUT_GRADIENT:
        return
    if name is None or not hasattr(math, name):
        warn("float() converts a Tensor that requires grad to a number, which has no gradient: "
             "compute with the Tensor, or write x.item() if the gradient is not wanted")
        return
    instead = f"write {INSTEAD[name]}, or " if name in INSTEAD else ""
    warn(f"math.{name} converts a Tensor to a float, which has no gradient: {instead}"
         "pass x.item() if the gradient is not wanted")
