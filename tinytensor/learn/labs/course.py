"""The labs, read from their sources: texts for learners, solutions, hints and checks.

A source consists of percent cells. The cells that are tagged "check" and "hints" are not part of
the learner's file. In the others the solution stands between markers, which become a task:

    # <todo> say what to write
    return 6 * x
    # </todo>

    # <bug> 
    total = value
    # <fix>
    total += value
    # </bug>
"""

from __future__ import annotations

import ast
import re
import types
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ...autograd.table import TABLE
from . import checking

SOURCES = Path(__file__).parent / "sources"
TODO = re.compile(r"^( *)# <todo> (.*)\n((?:.*\n)*?) *# </todo>\n", re.MULTILINE)
BUG = re.compile(r"^ *# <bug>\n((?:.*\n)*?) *# <fix>\n((?:.*\n)*?) *# </bug>\n", re.MULTILINE)
CELL = re.compile(r"^# %%(.*)\n", re.MULTILINE)


@dataclass(frozen=True)
class Lab:
    """One lab, from its source file."""

    source: Path

    @property
    def number(self) -> int:
        return int(self.source.stem[:2])

    @property
    def file_name(self) -> str:
        """The name of the learner's file."""
        return f"lab{self.number:02}.py"

    @property
    def title(self) -> str:
        return self.cells[0][1].splitlines()[0].removeprefix("# # ")

    @cached_property
    def cells(self) -> list[tuple[str, str]]:
        """(tag, text) of each cell; the tag is "text", "code", "hints" or "check"."""
        parts = CELL.split(self.source.read_text(encoding="utf-8"))[1:]
        kinds = {"": "code", "[markdown]": "text", 'tags=["hints"]': "hints",
                 'tags=["check"]': "check"}
        return [(kinds[head.strip()], body) for head, body in zip(parts[::2], parts[1::2],
                                                                  strict=True)]

    def _joined(self) -> str:
        heads = {"text": "# %% [markdown]\n", "code": "# %%\n"}
        return "".join(heads[tag] + text for tag, text in self.cells if tag in heads)

    def learner_text(self) -> str:
        """The file that a learner begins with: solutions are tasks."""
        count = 0

        def task(match: re.Match[str]) -> str:
            nonlocal count
            count += 1
            indent, words = match[1], match[2]
            return f"{indent}raise NotImplementedError({f'TODO {count}: {words}'!r})\n"
        return BUG.sub(r"\1", TODO.sub(task, self._joined()))

    def solution_text(self, wrong: dict[int, str] | None = None) -> str:
        """The solved file, or one with other answers to some tasks, by their numbers."""
        count = 0

        def answer(match: re.Match[str]) -> str:
            nonlocal count
            count += 1
            text = (wrong or {}).get(count)
            if text is None:
                return match[3]
            return "".join(f"{match[1]}{line}\n" for line in text.strip("\n").splitlines())
        return BUG.sub(r"\2", TODO.sub(answer, self._joined()))

    @property
    def hints(self) -> list[str]:
        """Three hints, each says more than the one before."""
        cell = next(text for tag, text in self.cells if tag == "hints")
        return [" ".join(hint.split()) for hint in ast.literal_eval(cell.strip()).split("\n\n")]

    def check(self, text: str, path: str) -> None:
        """Runs a learner's file and checks it.

        Raises:
            Wrong: an answer is wrong.
            Exception: whatever the file raises; NotImplementedError at a task.
        """
        learner: Any = types.ModuleType("lab")
        learner.__file__ = path
        check = types.ModuleType("check")
        vars(check).update(vars(checking))
        operations = dict(TABLE)
        try:
            exec(compile(text, path, "exec"), vars(learner))
            for tag, body in self.cells:
                if tag == "check":
                    # `explain` finds no source under this name, and so names no line of a check.
                    exec(compile(body, "<check>", "exec"), vars(check))
            for name, function in list(vars(check).items()):
                if name.startswith("check_"):
                    function(learner)
        finally:  # operations that the file defines stay its own
            TABLE.clear()
            TABLE.update(operations)


LABS = [Lab(source) for source in sorted(SOURCES.glob("[0-9][0-9]_*.py"))]
