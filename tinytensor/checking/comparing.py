"""Arrays that must agree: which element differs most, and which mistake the difference suggests."""

from __future__ import annotations

import functools
import itertools
import math
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy

from ..autograd.engine import GradientShapeError
from ..autograd.gradcheck import common_ratio, meaning_of_ratio

# Why a result or gradient of float32 inputs is float64, and the remedy.
FLOAT64 = ("a NumPy scalar or array of float64 takes part: compute with Python numbers, math.sqrt "
           "and float(...), or give dtype=")
WRONG_SHAPE = "a rule must return the shape of its input, or one to which the input broadcasts"


class CheckError(AssertionError):
    """A check that fails; the message says what is wrong and what mends it."""


class NotChecked(Exception):  # noqa: N818  # not an error: the check does not apply
    """A check that does not apply; the message is the reason."""


def close(mine: Any, expected: Any, tolerance: float, what: Callable[[], str],
          diagnose: Callable[[Any, Any], str] = lambda mine, expected: "") -> None:
    """Compares arrays: |mine - expected| <= tolerance * (largest |expected|, at least 1).

    `what()` names the array in the message, and `diagnose` says what a difference suggests.

    Raises:
        CheckError: shape, dtype or an element differs; one of them is None and the other is not.
    """
    if mine is None or expected is None:
        if mine is not expected:
            shown = ["None" if x is None else f"of shape {x.shape}" for x in (mine, expected)]
            hint = diagnose(mine, expected)
            raise CheckError(f"{what()} is {shown[0]}, expected {shown[1]}\n{hint}".rstrip())
        return
    if mine.shape != expected.shape:
        raise CheckError(f"{what()} has shape {mine.shape}, expected {expected.shape}\n"
                         f"{diagnose(mine, expected)}".rstrip())
    if mine.dtype != expected.dtype:
        hint = FLOAT64 if expected.dtype == numpy.float32 else ""
        raise CheckError(f"{what()} has dtype {mine.dtype}, expected {expected.dtype}\n{hint}"
                         .rstrip())
    right = agree(mine, expected, tolerance)
    if right.all():
        return
    index = _worst(mine, expected, right)
    place = f" at {list(index)}" if index else ""
    count = f" ({(~right).sum()} of {right.size} elements differ)" if right.size > 1 else ""
    raise CheckError(f"{what()} is {mine[index]:.8g}{place}, expected {expected[index]:.8g}{count}"
                     f"\n{diagnose(mine, expected)}".rstrip())


def agree(mine: Any, expected: Any, tolerance: float) -> Any:
    """Elementwise, whether they agree; NaN agrees with NaN."""
    equal = mine == expected
    if expected.dtype.kind != "f" or equal.all():
        return equal
    finite = numpy.abs(expected[numpy.isfinite(expected)])
    return numpy.isclose(mine, expected, tolerance, tolerance * finite.max(initial=1.0),
                         equal_nan=True)


def _worst(mine: Any, expected: Any, right: Any) -> tuple[int, ...]:
    """The index of the element that differs most."""
    with numpy.errstate(all="ignore"):
        apart = numpy.abs(mine.astype(float) - expected.astype(float))
    apart = numpy.where(right, -1.0, numpy.where(numpy.isnan(apart), numpy.inf, apart))
    return tuple(int(i) for i in numpy.unravel_index(int(apart.argmax()), apart.shape))


def all_close(mine: Sequence[Any], expected: Sequence[Any], tolerance: float,
              what: Callable[[int], str],
              diagnose: Callable[[int, Any, Any], str] = lambda i, mine, expected: "") -> None:
    """`close` for each pair of two sequences of one length; `what(i)` names the pair i."""
    if len(mine) != len(expected):
        raise CheckError(f"{what(0)} is one of {len(mine)}, expected {len(expected)}")
    for i, (a, b) in enumerate(zip(mine, expected, strict=True)):
        close(a, b, tolerance, functools.partial(what, i), functools.partial(diagnose, i))


def described(error: Exception) -> str:
    """An unexpected error in words: its kind and text, and the line of the operation."""
    if isinstance(error, GradientShapeError):
        return f"{error}\n{WRONG_SHAPE}"
    places = [f for f in traceback.extract_tb(error.__traceback__)
              if "checking" not in Path(f.filename).parts]
    place = f" ({Path(places[-1].filename).name}:{places[-1].lineno})" if places else ""
    return f"raises {type(error).__name__}: {error}{place}"


# ---------------------------------------------------------------- what the difference suggests


def diagnosis(mine: Any, expected: Any, factors: Mapping[str, Any]) -> str:
    """The likely mistake in a rule that gives `mine` where `expected` is right, or "".

    `factors` are arrays by the names under which a rule knows them: a missing one is noticed.
    """
    if mine.shape != expected.shape:
        return WRONG_SHAPE
    tolerance = 1e-8 if mine.dtype == numpy.float64 else 1e-3
    if not numpy.isfinite(mine).all() or not numpy.isfinite(expected).all():
        return ("not finite: NaN or inf came up; sample values where the derivative exists: "
                "t(..., low=, high=)")
    if not mine.any():
        return "zero: the rule gives no gradient; was a term left out?"
    ratio = common_ratio(mine, expected)
    if ratio is not None:
        return ("a small difference: rounding, or an approximation in the rule that the forward "
                "does not make") if math.isclose(ratio, 1, rel_tol=1e-3) \
            else meaning_of_ratio(ratio)
    if mine.ndim >= 2 and mine.shape[-1] == mine.shape[-2] \
            and agree(mine, numpy.swapaxes(expected, -1, -2), tolerance).all():
        return "transposed: the last two dims of the gradient are exchanged; transpose it"
    for axes in _subsets(mine.ndim):
        summed = mine.sum(axes, keepdims=True)
        if agree(numpy.broadcast_to(summed, mine.shape), expected, tolerance).all():
            return (f"not summed: the sum over {_axes(axes)} is right; each of these elements "
                    "reaches the same results, so add up what comes back")
    for name, factor in factors.items():
        try:
            scaled, divided = mine * factor, expected * factor
        except ValueError:  # another shape
            continue
        if scaled.shape == mine.shape and agree(scaled, expected, tolerance).all():
            return f"the factor `{name}` is missing: multiply the gradient by it"
        if divided.shape == mine.shape and agree(mine, divided, tolerance).all():
            return f"one factor `{name}` too many: leave it out of the gradient"
    zero = agree(mine, numpy.zeros_like(mine), tolerance)
    if zero.any() and agree(mine, expected, tolerance)[~zero].all():
        return "zero where it should not be: a part of the gradient is missing in the rule"
    return "no simple pattern: compare the rule with the derivative on paper"


def _subsets(ndim: int) -> list[tuple[int, ...]]:
    """All choices of axes, the smallest first."""
    return [axes for n in range(1, ndim + 1) for axes in itertools.combinations(range(ndim), n)]


def _axes(axes: tuple[int, ...]) -> str:
    return f"axis {axes[0]}" if len(axes) == 1 else f"axes {axes}"
