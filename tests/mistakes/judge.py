"""What `explain` calls each planted mistake, and the table of all of them."""

from __future__ import annotations

import functools
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from tinytensor import learn
from tinytensor.learn.mistakes import KINDS

from .bed import SEVERAL, UNKNOWN, WORKS, Planted, Work

PAGE = Path(__file__).parent.parent.parent / "tinytensor/learn/MISTAKES.md"
RIGHT = "right"


def above(work: Work) -> Any:
    """The gradient from above: random numbers in the shape of the result."""
    shape = np.shape(work.forward(**work.inputs))
    return np.random.default_rng(3).normal(size=shape)


def judged(work: Work, planted: Planted) -> learn.Explanation:
    g = above(work)
    return learn.explain(work.forward, work.inputs, work.wrong(planted, g), g)


def named(explanation: learn.Explanation) -> str:
    """The name that an explanation gives to what is wrong."""
    if explanation.right:
        return RIGHT
    if explanation.several:
        return SEVERAL
    return UNKNOWN if explanation.unknown else explanation.kinds[0]


@functools.cache
def verdicts() -> list[tuple[str, int, str, str]]:
    """(function, number, planted kind, named kind) of every planted mistake."""
    return [(name, i, planted.kind, named(judged(work, planted)))
            for name, work in WORKS.items() for i, planted in enumerate(work.planted)]


def table() -> str:
    """The confusion matrix: a row for each planted kind, a column for each name."""
    counts = Counter((kind, name) for _, _, kind, name in verdicts())
    order = [*KINDS, SEVERAL, UNKNOWN, RIGHT]
    rows = [k for k in order if any(kind == k for kind, _ in counts)]
    columns = [k for k in order if any(name == k for _, name in counts) or k in rows]
    lines = ["| planted | " + " | ".join(columns) + " |", "|---|" + "---:|" * len(columns)]
    lines += ["| " + " | ".join([row, *(str(counts[row, c] or "") for c in columns)]) + " |"
              for row in rows]
    return "\n".join(lines) + "\n"


def names() -> str:
    """The names of mistakes with their meaning."""
    rows = [f"| {name} | {meaning} |" for name, meaning in KINDS.items()]
    return "\n".join(["| name | the mistake |", "|---|---|", *rows]) + "\n"


def page() -> str:
    """The page with both tables in it."""
    text = PAGE.read_text()
    for mark, content in (("names", names()), ("table", table())):
        begin, end = f"<!-- begin: {mark} -->\n", f"<!-- end: {mark} -->\n"
        before, _, rest = text.partition(begin)
        text = before + begin + content + end + rest.partition(end)[2]
    return text
