"""Which mistakes give the numbers of a learner."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy

from ..arrays import dtypes
from .mistakes import MOST_NUMBERS, ORDER, Backward, Mistake, all_mistakes, on_one_branch
from .tape import Tape
from .words import Explanation, Finding, describe, listed, place_of

PAIRS = 4e7  # numbers that the search for two mistakes may compute
# Kinds that are not named where the gradient is a constant times the right one.
NOT_CONSTANT = {"diagonal", "transposed", "other value", "x for y", "quotient"}


def diagnose(tape: Tape, gradients: Mapping[str, Any], g: Any) -> Explanation:
    """The explanation of gradients, given the tape of the right forward."""
    learner = _Learner(tape, Backward(tape, g), gradients)
    if not learner.wrong:
        return Explanation(True)
    explanation = Explanation(False, {name: learner.difference(name) for name in learner.wrong},
                              is_g_constant=g.size > 1 and bool((g == g.flat[0]).all()))
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
            branched = learner.single(list(on_one_branch(learner.backward, mistakes)), open_names)
            if len(branched) == 1 and branched[0].names == open_names:
                explanation.mistakes = [f for f in explanation.mistakes
                                        if not set(f.names) & set(open_names)] + branched
                rest = []
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
        narrow = [x for x in gradients.values() if x is not None and dtypes.is_floating(x.dtype)
                  and x.dtype.itemsize < 8]
        self.tolerance, self.rounding = (3e-4, 1e-2) if narrow else (1e-6, 1e-5)
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
        """The size against which differences are measured: that of the gradient, or, where large
        numbers cancel in it, a part of theirs."""
        right = numpy.abs(self.right[name])
        sizes = self.backward.sizes[self.numbers(name)]
        finite = [x[numpy.isfinite(x)].max(initial=0.0) for x in (right, sizes)]
        return float(max(finite[0], self.rounding * finite[1])) or 1.0

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
        mine, right = (0.0 if abs(x[worst]) <= 1e-3 * self.tolerance * self.scale(name)
                       else x[worst] for x in (a, b))
        return f"the gradient of {name}{index} is {mine:.6g} and should be {right:.6g}{many}"

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
        if a.size < 2 or numpy.abs(b).max() < self.scale(name):  # it is 0 but for rounding
            return None
        ratio = float(a @ b / (b @ b))
        apart = numpy.abs(a - ratio * b)
        allowed = 10 * self.tolerance * max(abs(ratio), 1.0) * self.scale(name)
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
                       [p for p in places if p != own], only_here and first.branch is None)

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
    if a.size == b.size:
        yield ("shape", f"The numbers are right. Give them the shape of {name}, {b.shape}.",
               a.reshape(b.shape))
        if a.ndim >= 2:
            yield ("transposed", "It is the right one, transposed.", a.swapaxes(-1, -2))
    for count in range(1, a.ndim + 1):
        for axes in itertools.combinations(range(a.ndim), count):
            summed = a.sum(axis=axes)
            if summed.size == b.size:
                yield ("not added up", f"Each number of {name} was used several times, along "
                       f"{_axes(axes)} of this gradient: add up what comes back.",
                       summed.reshape(b.shape))
    for count in range(1, b.ndim + 1):
        for chosen in itertools.combinations(range(b.ndim), count):
            for keepdims in (False, True):
                if b.sum(axis=chosen, keepdims=keepdims).shape == a.shape:
                    yield ("shape", f"It was summed over {_axes(chosen)} of {name}, where each "
                           "number has a gradient of its own.",
                           b if numpy.allclose(a, b.sum(axis=chosen, keepdims=keepdims))
                           else numpy.full(b.shape, math.nan))


def _axes(axes: tuple[int, ...]) -> str:
    return f"axis {axes[0]}" if len(axes) == 1 else f"axes {listed(map(str, axes))}"
