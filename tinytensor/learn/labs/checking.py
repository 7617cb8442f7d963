"""What the checks of labs are written with: right numbers pass, wrong ones are explained."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy

from ..explaining import explain

NOTHING = "the function returns nothing: it needs a return"


@dataclass
class Wrong(Exception):  # noqa: N818  # it is the result of a check, not an error
    """What is wrong with an answer.

    rule      what was checked
    got       the learner's value
    right     the expected one
    why       the mistake in words; "" if it is not known
    element   which element; "" for a single number
    """

    rule: str
    got: str
    right: str
    why: str = ""
    element: str = ""


def expect(rule: str, got: Any, right: Any, mistakes: Mapping[str, Any] | None = None,
           tolerance: float = 1e-9) -> None:
    """Passes if `got` equals `right`: numbers within the relative tolerance, lists by element.

    Args:
        rule: what is checked, in words.
        mistakes: what a mistake would give, by the mistake in words.

    Raises:
        Wrong: it does not.
    """
    place = difference(got, right, tolerance)
    if place is None:
        return
    why = next((words for words, value in (mistakes or {}).items()
                if difference(got, value, tolerance) is None), "")
    if not why and _at(got, place) is None:
        why = NOTHING
    element = "".join(f"[{i}]" for i in place)
    raise Wrong(rule, _shown(_at(got, place)), _shown(_at(right, place)), why, element)


def difference(got: Any, right: Any, tolerance: float) -> tuple[int, ...] | None:
    """Where two values differ first: () for the values themselves, None if they are equal."""
    if isinstance(right, list | tuple):
        if not isinstance(got, list | tuple) or len(got) != len(right):
            return ()
        for i, (a, b) in enumerate(zip(got, right, strict=True)):
            place = difference(a, b, tolerance)
            if place is not None:
                return (i, *place)
        return None
    if isinstance(right, bool | str) or right is None or not _is_number(right):
        return None if got is right or (type(got) is type(right) and got == right) else ()
    if not _is_number(got) or isinstance(got, bool):
        return ()
    a, b = float(got), float(right)
    if math.isnan(b):
        return None if math.isnan(a) else ()
    return None if a == b or abs(a - b) <= tolerance * max(abs(b), 1.0) else ()


def expect_gradients(rule: str, forward: Callable[..., Any], inputs: Mapping[str, Any],
                     gradients: Mapping[str, Any], g: Any = None,
                     mistakes: Mapping[str, Any] | None = None) -> None:
    """Passes if the gradients are those of `forward`; see `learn.explain`.

    Args:
        mistakes: what a mistake would give, by the mistake in words: of the first gradient that is
            wrong. It is asked before `explain`, which knows the mistakes of all functions.

    Raises:
        Wrong: they are not, with the mistake that gives them.
    """
    if any(gradient is None for gradient in gradients.values()):
        raise Wrong(rule, "None", "a gradient of the input's shape", NOTHING)
    explanation = explain(forward, inputs, gradients, g)
    if explanation.right:
        return
    first = next(iter(explanation.wrong.values()))
    element, _, values = first.removeprefix("the gradient of ").partition(" is ")
    got, _, right = values.partition(" and should be ")
    learners = numpy.asarray(gradients[next(iter(explanation.wrong))], dtype=float)
    known = [words for words, value in (mistakes or {}).items()
             if learners.shape == numpy.shape(value)
             and numpy.allclose(learners, value, 1e-6, 1e-9)]
    texts = known[:1] or [finding.text for finding in explanation.mistakes]
    raise Wrong(rule, got, right or "a gradient of the input's shape", " ".join(texts),
                f"gradient of {element}")


def _is_number(value: Any) -> bool:
    """Whether float() takes it: a number, or an array of one."""
    if isinstance(value, numpy.ndarray):
        return value.ndim == 0 and value.dtype.kind in "iuf"
    return isinstance(value, int | float) or hasattr(value, "__float__")


def _at(value: Any, place: Sequence[int]) -> Any:
    for i in place:
        value = value[i]
    return value


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        opening, closing = "[]" if isinstance(value, list) else "()"
        return opening + ", ".join(map(_shown, value)) + closing
    return repr(value)
