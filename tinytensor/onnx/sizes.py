"""Numbers of a graph that follow from the sizes of its inputs, found by comparing recordings.

A model is recorded at several sizes of its dynamic dims. A number that is the same in all is a
constant; another has to be one of these functions of the sizes s, t, ...:

    a s + b t + ... + c       with whole a, b, c
    a s t ... + c             a product of several sizes, or the square of one
    (a s + c) // k            as strides of convolutions and pooling give
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Formula:
    """(Σ factor * product of sizes + offset) // divisor; each term is (factor, names of sizes)."""

    terms: tuple[tuple[int, tuple[str, ...]], ...]
    offset: int = 0
    divisor: int = 1

    def at(self, sizes: dict[str, int]) -> int:
        total = sum(factor * math.prod(sizes[name] for name in names)
                    for factor, names in self.terms)
        return (total + self.offset) // self.divisor

    @property
    def symbol(self) -> str | None:
        """The name of the size that this is, if it is one."""
        if len(self.terms) == 1 and not self.offset and self.divisor == 1:
            factor, names = self.terms[0]
            return names[0] if factor == 1 and len(names) == 1 else None
        return None


@dataclass(frozen=True)
class SizeOf:
    """The size of a dim of a value in the graph, for a size that is no such function."""

    value: str
    dim: int

    symbol = None


Number = int | Formula | SizeOf


def formula(values: Sequence[int], sizes: Sequence[dict[str, int]],
            ) -> int | Formula | None:
    """The function that gives values[i] at sizes[i]; None if there is none of these forms."""
    if len(set(values)) == 1:
        return int(values[0])
    names = list(sizes[0])
    for candidate in _candidates([int(v) for v in values], sizes, names):
        if all(candidate.at(s) == v for s, v in zip(sizes, values, strict=True)):
            return candidate
    return None


def _candidates(values: list[int], sizes: Sequence[dict[str, int]], names: list[str],
                ) -> list[Formula]:
    used = [n for n in names if any(
        v != w and all((s[m] == r[m]) == (m != n) for m in names)
        for (v, s), (w, r) in itertools.combinations(zip(values, sizes, strict=True), 2))]
    found = []
    linear = _linear(values, sizes, used)
    if linear is not None:
        found.append(linear)
    for product in ([tuple(used)] if len(used) > 1 else [(n, n) for n in used]):
        first, second = (next(((v, s) for v, s in zip(values, sizes, strict=True)
                               if v != values[0]), (values[0], sizes[0])),
                         (values[0], sizes[0]))
        change = math.prod(first[1][n] for n in product) - math.prod(second[1][n] for n in product)
        if change and (first[0] - second[0]) % change == 0:
            factor = (first[0] - second[0]) // change
            offset = second[0] - factor * math.prod(second[1][n] for n in product)
            found.append(Formula(((factor, product),), offset))
    if len(used) == 1:  # the simplest of those that fit
        found += [Formula(((a, (used[0],)),), c, k) for k in (2, 4, 8, 16, 32, 3, 5, 6, 7)
                  for a in (1, 2, 4) if math.gcd(a, k) == 1
                  for c in sorted(range(-k * 2 + 1, k * 2), key=abs)]
    return found


def _linear(values: list[int], sizes: Sequence[dict[str, int]], used: list[str],
            ) -> Formula | None:
    terms, offset = [], Fraction(values[0])
    for name in used:
        other = next((i for i, s in enumerate(sizes) if s[name] != sizes[0][name] and all(
            s[m] == sizes[0][m] for m in s if m != name)), None)
        if other is None:
            return None
        slope = Fraction(values[other] - values[0], sizes[other][name] - sizes[0][name])
        if slope.denominator != 1:
            return None
        terms.append((int(slope), (name,)))
        offset -= slope * sizes[0][name]
    return Formula(tuple(t for t in terms if t[0]), int(offset)) if terms else None
