"""explain: why a gradient that was written by hand is wrong.

The right forward runs on Values. In the backward pass of its graph one mistake is made at a time,
until the gradients are those of the learner.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy

from scalar import Value

from ..arrays.devices import to_numpy
from ..arrays.dispatch import use_kernels
from ..autograd import graph
from .mistakes import KINDS, MOST_NUMBERS, ORDER, Backward, Mistake, all_mistakes
from .tape import Tape, value_array
from .words import describe, headline, listed, place_of, sentences

LARGEST = 50_000  # Values of a function
PAIRS = 4e7  # numbers that the search for two mistakes may compute
NOT_CONSTANT = {"diagonal", "transposed", "other value", "x for y", "quotient"}


def explain(forward: Callable[..., Any], inputs: Mapping[str, Any], gradients: Mapping[str, Any],
            g: Any = None) -> Explanation:
    """What is wrong with the gradients of a function that were computed by hand, and why.

        def softmax(x):
            powers = np.exp(x)
            return powers / powers.sum(-1, keepdims=True)

        print(learn.explain(softmax, {"x": x}, {"x": my_gradient}, g))

    Args:
        forward: the right function. It takes what the inputs are: NumPy arrays, Tensors, lists of
            numbers, or numbers. It runs on Values in their place.
        inputs: the arguments of `forward` by name. Arrays of integers stay as they are.
        gradients: what the learner computed, by the names of inputs; some or all of them.
        g: the gradient from above, in the shape of the result; ones if it is left out. Random
            numbers tell mistakes apart best.

    Returns:
        An Explanation: print it, or look at `right`, `mistakes` and `several`.

    Raises:
        TypeError: forward computes something that Values cannot.
        ValueError: a name that is no input, a g of another shape, a result without an input in it,
            or more than 50,000 Values.
    """
    inputs = dict(inputs)
    unknown = [name for name in gradients if name not in inputs]
    if unknown:
        raise ValueError(f"explain: there is no input {unknown[0]!r}; the inputs are "
                         f"{', '.join(inputs)}")
    try:
        tape = Tape.of(forward, inputs, _on_values)
    except (TypeError, AttributeError) as error:
        raise TypeError(f"explain: forward cannot run on Values: {error}") from error
    if tape.output is None:
        raise ValueError("explain: the result of forward does not depend on the inputs; look for "
                         "float(), .data, .item() or numpy.array(...) in it")
    if not any(isinstance(x, float | list | tuple) for x in inputs.values()):
        _check_result(tape, forward(*inputs.values()))
    if len(tape.values) > LARGEST:
        raise ValueError(f"explain: forward makes {len(tape.values):,} Values, and {LARGEST:,} is "
                         "the limit; smaller inputs show the same mistakes")
    above = numpy.ones(tape.output.shape) if g is None else _array(g)
    if above.shape != tape.output.shape:
        raise ValueError(f"explain: g has shape {above.shape}, and the result of forward "
                         f"{tape.output.shape}")
    return diagnose(tape, {name: _array(x) for name, x in gradients.items()}, above)


def _check_result(tape: Tape, result: Any) -> None:
    """Raises if an operation did something else on Values than on numbers, as floor does."""
    data = numpy.array([tape.values[i].data if i >= 0 else math.nan
                        for i in tape.output.ravel().tolist()])
    expected = _array(result).ravel()
    known = ~numpy.isnan(data)
    if data.size != expected.size or not numpy.allclose(data[known], expected[known], 1e-4, 1e-6):
        raise TypeError("explain: forward gives other numbers on Values: it has an operation that "
                        "Values cannot compute, such as floor or round")


def _on_values(name: str, x: Any) -> Any:
    """An argument with Values in the place of its numbers."""
    if isinstance(x, graph.Tensor):
        return graph.tensor_of(value_array(to_numpy(x._array), name), None) \
            if x._array.dtype.kind == "f" else x
    if isinstance(x, numpy.ndarray | numpy.floating):
        return value_array(x, name) if x.dtype.kind == "f" else x
    if isinstance(x, float | Value):
        return Value(float(getattr(x, "data", x)), label=name)
    if isinstance(x, list | tuple):
        return type(x)(_on_values(f"{name}[{i}]", row) for i, row in enumerate(x))
    return x


def _array(x: Any) -> Any:
    """The numbers of an array, a Tensor, a Value or nested lists; None stays."""
    if x is None:
        return None
    if isinstance(x, graph.Tensor):
        x = to_numpy(x._array)
    array = numpy.asarray(x)
    if array.dtype == object:
        return numpy.array([float(getattr(v, "data", v)) for v in array.ravel()]) \
            .reshape(array.shape)
    return array


def mistake_in_backward(function: Callable[..., Any], inputs: Sequence[Any], checked: Sequence[int],
                        place: int, result: Any, g: Any, gradients: Sequence[Any]) -> str:
    """What `gradcheck` says of gradients of function(*inputs): those of the inputs at `checked`,
    for the gradient g of the `result` at `place`. "" if no mistake gives them.
    """
    names = {i: f"input {i}" for i in checked}

    def forward(*given: Any) -> Any:
        results = function(*given)
        return results if isinstance(results, graph.Tensor) else results[place]

    try:
        with use_kernels(False):
            tape = Tape.of(forward, {names.get(i, f"{i}"): x for i, x in enumerate(inputs)},
                           lambda name, x: _on_values(name, x) if name in names.values() else x,
                           function)
        if tape.output is None or len(tape.values) > LARGEST or tape.output.shape != g.shape:
            return ""
        _check_result(tape, result)
        explanation = diagnose(tape, dict(zip(names.values(), gradients, strict=True)), g)
    except Exception:  # Values cannot run every operation
        return ""
    if explanation.right or explanation.unknown:
        return ""
    both = ["Two mistakes together give these gradients."] if explanation.together else []
    return "\n".join([*both, *sentences(explanation)])


# ---------------------------------------------------------------- what is found


@dataclass
class Finding:
    """A mistake that gives the learner's numbers in the gradients by `names`.

    places      where else it could be made, with the same numbers
    only_here   whether the same place is right on the way to another input
    """

    kind: str
    names: list[str]
    text: str
    line: int = 0
    places: list[str] = field(default_factory=list)
    only_here: bool = False


@dataclass
class Explanation:
    """What `explain` found: print it.

    right       whether all gradients are right
    wrong       for each wrong gradient, which element is wrong and what it should be
    mistakes    the mistakes that together give the learner's numbers
    unknown     the wrong gradients that no known mistake gives
    several     whether it is more than one mistake, as far as can be told
    together    whether two mistakes are needed for the numbers of one gradient
    """

    right: bool
    wrong: dict[str, str] = field(default_factory=dict)
    mistakes: list[Finding] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    several: bool = False
    together: bool = False

    @property
    def kinds(self) -> list[str]:
        """The kinds of the mistakes, as `tinytensor.learn.mistakes.KINDS` has them."""
        return [finding.kind for finding in self.mistakes]

    def __str__(self) -> str:
        return "\n".join(headline(self))

    __repr__ = __str__


def diagnose(tape: Tape, gradients: Mapping[str, Any], g: Any) -> Explanation:
    """The explanation of gradients, given the tape of the right forward."""
    learner = _Learner(tape, Backward(tape, g), gradients)
    if not learner.wrong:
        return Explanation(True)
    explanation = Explanation(False, {name: learner.difference(name) for name in learner.wrong})
    open_names: list[str] = []
    for name in learner.wrong:
        finding = learner.shape_mistake(name) or learner.not_finite(name)
        if finding is None:
            open_names.append(name)
        else:
            explanation.mistakes.append(finding)
    if open_names:
        mistakes = all_mistakes(learner.backward)
        explanation.mistakes += learner.single(mistakes, open_names)
        explained = {name for finding in explanation.mistakes for name in finding.names}
        rest = [name for name in open_names if name not in explained]
        for name in list(rest):
            finding = learner.ratio(name)
            if finding is not None:
                explanation.mistakes.append(finding)
                rest.remove(name)
        if rest:
            together, pair = learner.pair(mistakes, open_names, rest)
            explanation.mistakes = [f for f in explanation.mistakes
                                    if not set(f.names) & set(together)] + pair
            explanation.unknown = [] if pair else rest
            explanation.together = bool(pair)
    kinds = {(f.kind, f.text) for f in explanation.mistakes}
    explanation.several = len(kinds) + bool(explanation.unknown) > 1
    return explanation


class _Learner:
    """The gradients of a learner, beside the right ones.

    wrong    the names of those that differ
    """

    def __init__(self, tape: Tape, backward: Backward, gradients: Mapping[str, Any]):
        self.tape, self.backward = tape, backward
        self.right = {name: backward.right[self.numbers(name)] for name in gradients}
        self.given = {name: numpy.zeros(self.right[name].shape) if x is None
                      else numpy.asarray(x, dtype=float) for name, x in gradients.items()}
        self.missing = [name for name, x in gradients.items() if x is None]
        narrow = [x for x in gradients.values() if x is not None and x.dtype.kind == "f"
                  and x.dtype.itemsize < 8]
        self.tolerance = 3e-4 if narrow else 1e-6
        self.wrong = [name for name in gradients if not self.is_right(name)]

    def numbers(self, name: str) -> Any:
        """The numbers of an input in the tape."""
        numbers = self.tape.inputs[name]
        if numbers is None:
            raise ValueError(f"explain: the input {name!r} holds no floating point numbers, and "
                             "has no gradient")
        return numbers

    def by_name(self, grads: Any, name: str) -> Any:
        """Of the gradients of all numbers, those of one input: a row for each element."""
        return grads[self.numbers(name).ravel()]

    def scale(self, name: str) -> float:
        """The size against which differences are measured."""
        finite = [numpy.abs(x[numpy.isfinite(x)]).max(initial=0.0)
                  for x in (self.right[name], self.given[name])]
        return float(finite[0] or finite[1] or 1.0)

    def close(self, a: Any, b: Any, name: str) -> Any:
        return numpy.abs(a - b) <= self.tolerance * self.scale(name)

    def is_right(self, name: str) -> bool:
        a, b = self.given[name], self.right[name]
        return name not in self.missing and a.shape == b.shape and bool(
            (self.close(a, b, name) | (numpy.isnan(a) & numpy.isnan(b)) | (a == b)).all())

    def difference(self, name: str) -> str:
        """Which element is wrong, and what it should be."""
        a, b = self.given[name], self.right[name]
        if name in self.missing:
            return f"the gradient of {name} is None"
        if a.shape != b.shape:
            return f"the gradient of {name} has shape {a.shape}; {name} has {b.shape}"
        apart = numpy.where(self.close(a, b, name), -1.0, numpy.abs(a - b))
        apart[numpy.isnan(a)] = math.inf
        worst = numpy.unravel_index(int(apart.argmax()), a.shape)
        index = str([int(n) for n in worst]) if worst else ""
        count = int((apart >= 0).sum())
        many = f" ({count} of {a.size} elements are wrong)" if a.size > 1 else ""
        return (f"the gradient of {name}{index} is {a[worst] + 0.0:.6g} and should be "
                f"{b[worst] + 0.0:.6g}{many}")

    # ------------------------------------------------------------ shapes, NaN, constant factors

    def shape_mistake(self, name: str) -> Finding | None:
        a, b = self.given[name], self.right[name]
        if a.shape == b.shape:
            return None
        for kind, text, candidate in _reshaped(a, b, name):
            if candidate.shape == b.shape and self.close(candidate, b, name).all():
                return Finding(kind, [name], text)
        return Finding("shape", [name], f"A gradient has one number for each number of {name}: "
                                        f"give it the shape {b.shape}.")

    def not_finite(self, name: str) -> Finding | None:
        a, b = self.given[name], self.right[name]
        bad = ~numpy.isfinite(a) & numpy.isfinite(b)
        if not bad.any():
            return None
        return Finding("not finite", [name], f"{int(bad.sum())} of {a.size} elements are NaN or "
                       "infinite: look for a division by 0, a logarithm or a power of 0, or an "
                       "exponential that overflows.")

    def constant_ratio(self, name: str) -> float | None:
        """The constant r in: the learner's gradient = r times the right one."""
        a, b = self.given[name].ravel(), self.right[name].ravel()
        if a.size < 2 or not b.any():
            return None
        ratio = float(a @ b / (b @ b))
        apart = numpy.abs(a - ratio * b)
        allowed = 10 * self.tolerance * max(abs(ratio), 1.0) * numpy.abs(b).max()
        return ratio if ratio and (apart <= allowed).all() else None

    def ratio(self, name: str) -> Finding | None:
        """A constant factor between the learner's gradient and the right one."""
        ratio = self.constant_ratio(name)
        if ratio is None:
            return None
        if abs(ratio - 1) < 1e-3:
            return Finding("factor too many", [name], "It is nearly right: all elements are "
                           f"{ratio:.8g} times what they should be. Was the number rounded, or "
                           "is a small constant, an epsilon, at another place?")
        inverse = round(1 / ratio, 9)
        shown = f"1/{inverse:.6g}" if abs(ratio) < 1 and inverse == round(inverse) else \
            f"{ratio:.6g}"
        return Finding("factor too many", [name], f"All elements are {shown} times what they "
                       "should be. Where does that constant come from?")

    # ------------------------------------------------------------ one mistake, and two

    def matches(self, mistakes: Sequence[Mistake], names: Sequence[str]) -> dict[str, Any]:
        """For each name, which mistakes give the learner's numbers, and "right": which change
        nothing in the gradients that are right."""
        unchanged = [n for n in self.given if n not in self.wrong]
        parts: list[dict[str, Any]] = []
        together = max(MOST_NUMBERS // len(self.tape.values), 1)
        for start in range(0, len(mistakes), together):
            grads = self.backward.gradients(mistakes[start:start + together])
            part = {n: self.close(self.by_name(grads, n), self.given[n].reshape(-1, 1), n).all(0)
                    for n in names}
            part[""] = numpy.ones(grads.shape[1], dtype=bool)
            for n in unchanged:
                part[""] &= self.close(self.by_name(grads, n), self.right[n].reshape(-1, 1),
                                       n).all(0)
            parts.append(part)
        return {n: numpy.concatenate([part[n] for part in parts]) for n in ("", *names)} \
            if parts else {n: numpy.zeros(0, dtype=bool) for n in ("", *names)}

    def single(self, mistakes: list[Mistake], names: list[str]) -> list[Finding]:
        """The fewest mistakes each of which explains some gradients completely."""
        if all(self.constant_ratio(n) for n in names):  # then a constant is what is wrong
            mistakes = [m for m in mistakes if m.kind not in NOT_CONSTANT]
        match = self.matches(mistakes, names)
        findings, rest = [], list(names)
        while rest:
            covers = [[n for n in rest if match[n][k]] for k in range(len(mistakes))]
            most = max(map(len, covers), default=0)
            if not most:
                break
            best = [k for k, covered in enumerate(covers) if len(covered) == most]
            everywhere = [k for k in best if match[""][k]]
            chosen = self.ranked(mistakes, everywhere or best, not everywhere)
            covered = covers[chosen[0]]
            chosen = [k for k in chosen if covers[k] == covered]
            found = [mistakes[k] for k in chosen]
            findings.append(self.finding(found, covered, self.reaches_others(found[0], covered)))
            rest = [n for n in rest if n not in covered]
        return findings

    def reaches_others(self, mistake: Mistake, names: list[str]) -> bool:
        """Whether the mistake would change gradients other than those by `names`."""
        grads = self.backward.gradients([mistake])
        return not all(self.close(self.by_name(grads, n)[:, 0], self.right[n].ravel(), n).all()
                       for n in self.given if n not in names)

    def ranked(self, mistakes: Sequence[Mistake], chosen: list[int],
               near_input: bool = False) -> list[int]:
        """The kind that is named first, then the place that backward comes to first; or last, for
        a mistake on the way to some inputs only."""
        def rank(k: int) -> tuple[Any, ...]:
            mistake = mistakes[k]
            # The gradient from above adds up to nothing where a path is missing, too.
            is_local = mistake.kind == "upstream" and mistake.group is not None
            is_result = mistake.group is not None and mistake.group.op == "result"
            return is_local, ORDER[mistake.kind], is_result, \
                mistake.group is None, mistake.time if near_input else -mistake.time

        return sorted(chosen, key=rank)

    def finding(self, mistakes: list[Mistake], names: list[str], only_here: bool) -> Finding:
        """What to say of mistakes that give the same numbers."""
        first = mistakes[0]
        same = [m for m in mistakes[1:] if m.kind == first.kind and m.group is not None
                and m.group.op != "result" and not m.group.is_inner]
        places = list(dict.fromkeys(place_of(m, self.tape) for m in same))
        own = place_of(first, self.tape)
        return Finding(first.kind, names, describe(first, self.tape),
                       first.group.place.line if first.group else 0,
                       [p for p in places if p != own], only_here)

    def pair(self, mistakes: list[Mistake], names: list[str], rest: list[str]
             ) -> tuple[list[str], list[Finding]]:
        """Two mistakes that together give the learner's numbers: of all names, or of the rest."""
        for asked in [names, rest] if names != rest else [names]:
            both = self._pair(self._distinct(mistakes), asked)
            if both:
                return asked, [self.finding([m], asked, False) for m in both]
        return [], []

    def _distinct(self, mistakes: list[Mistake]) -> list[Mistake]:
        """One of those that give the same numbers, if these leave the right gradients right."""
        grads = self.backward.gradients(mistakes)
        kept: dict[bytes, Mistake] = {}
        effects = {n: (self.by_name(grads, n) - self.right[n].reshape(-1, 1)) / self.scale(n)
                   for n in self.given}
        for k in self.ranked(mistakes, list(range(len(mistakes)))):
            if any(numpy.abs(effects[n][:, k]).max(initial=0.0) > self.tolerance
                   for n in self.given if n not in self.wrong):
                continue
            effect = numpy.concatenate([numpy.round(effects[n][:, k], 7) + 0.0
                                        for n in self.wrong if n in effects])
            if numpy.isfinite(effect).all() and effect.any():
                kept.setdefault(effect.tobytes(), mistakes[k])
        return list(kept.values())

    def _pair(self, mistakes: list[Mistake], names: list[str]) -> list[Mistake]:
        pairs = [(a, b) for a, b in itertools.combinations(mistakes, 2)
                 if a.group is not b.group or a.group is None]
        if len(pairs) * len(self.backward.useful) > PAIRS:
            cuts = [m for m in mistakes if m.kind in ("path", "factor")]
            most = int(PAIRS / len(self.backward.useful))
            pairs = list(itertools.islice(itertools.combinations(cuts, 2), most))
        both = [_together(a, b) for a, b in pairs]
        match = self.matches(both, names)
        fits = match[""].copy()
        for n in names:
            fits &= match[n]
        chosen = [pairs[k] for k in numpy.flatnonzero(fits)]
        return list(min(chosen, key=lambda p: (
            ORDER[p[0].kind] + ORDER[p[1].kind], -p[0].time - p[1].time), default=()))


def _together(a: Mistake, b: Mistake) -> Mistake:
    added = dict(a.added)
    for node, amount in b.added.items():
        added[node] = added.get(node, 0.0) + amount
    return Mistake("", None, a.changed | b.changed, a.constant + b.constant, added)


def _reshaped(a: Any, b: Any, name: str) -> Iterator[tuple[str, str, Any]]:
    """What a gradient of the wrong shape may be of the right one: kind, text, the right one."""
    extra = a.ndim - b.ndim
    if a.size == b.size:
        yield ("shape", f"The numbers are right. Give them the shape of {name}, {b.shape}.",
               a.reshape(b.shape))
        if a.ndim >= 2:
            yield ("transposed", "It is the right one, transposed.", a.swapaxes(-1, -2))
    if extra >= 0:
        axes = [i for i in range(a.ndim)
                if i < extra or b.shape[i - extra] == 1 != a.shape[i]]
        if axes:
            summed = a.sum(axis=tuple(axes)).reshape(-1)
            along = f"axis {axes[0]}" if len(axes) == 1 else f"axes {listed(map(str, axes))}"
            if summed.size == b.size:
                yield ("not added up", f"{name} was broadcast along {along} of the result, so each "
                       "of its numbers gets several contributions: add them up.",
                       summed.reshape(b.shape))
    for count in range(1, b.ndim + 1):
        for chosen in itertools.combinations(range(b.ndim), count):
            for keepdims in (False, True):
                if b.sum(axis=chosen, keepdims=keepdims).shape == a.shape:
                    along = f"axis {chosen[0]}" if count == 1 \
                        else f"axes {listed(map(str, chosen))}"
                    yield ("shape", f"It was summed over {along} of {name}, where each number has "
                           "a gradient of its own.",
                           b if numpy.allclose(a, b.sum(axis=chosen, keepdims=keepdims))
                           else numpy.full(b.shape, math.nan))


__all__ = ["KINDS", "Explanation", "Finding", "explain"]
