"""The labs, read from their sources: texts for learners, solutions, hints and checks.

A source consists of percent cells. The cells that are tagged "check" and "hints" are not part of
the learner's file. A function `check_...` checks one part of the lab, and its docstring has three
hints for it. In the other cells the solution stands between markers, which become a task:

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
CHECK = "<check>"  # the file name of checks; `explain` finds no source of it, and names no line


@dataclass(frozen=True)
class Lab:
    """One lab, from its source file."""

    source: Path

    @property
    def number(self) -> int:
        return int(self.source.stem[:2])

    @property
    def name(self) -> str:
        """The name of the learner's file, without its ending."""
        return f"lab{self.number:02}"

    @property
    def file_name(self) -> str:
        return f"{self.name}.py"

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
        """Three hints for the lab as a whole, where it is not known which part fails."""
        cell = next(text for tag, text in self.cells if tag == "hints")
        return _paragraphs(ast.literal_eval(cell.strip()))

    @cached_property
    def ladders(self) -> dict[str, list[str]]:
        """Three hints for each part that is checked, each says more than the one before. A part has
        the name of its check: "slope" is checked by `check_slope`.
        """
        trees = [ast.parse(text) for tag, text in self.cells if tag == "check"]
        return {node.name.removeprefix("check_"): _paragraphs(ast.get_docstring(node) or "")
                for tree in trees for node in tree.body
                if isinstance(node, ast.FunctionDef) and node.name.startswith("check_")}

    def hints_for(self, part: str) -> list[str]:
        """The three hints for a part, or for the lab if `part` is none of its parts."""
        return self.ladders.get(part, self.hints)

    def check(self, text: str, path: str) -> None:
        """Runs a learner's file, and checks it.

        Raises:
            Wrong: an answer is wrong.
            Exception: whatever the file raises; NotImplementedError at a task.
        """
        learner = types.ModuleType("lab")
        learner.__file__ = path
        operations = dict(TABLE)
        try:
            exec(compile(text, path, "exec"), vars(learner))
            self.check_names(vars(learner))
        finally:  # operations that the file defines stay its own
            TABLE.clear()
            TABLE.update(operations)

    def check_names(self, names: dict[str, Any]) -> None:
        """Checks what a learner has defined, by name. Raises what `check` raises."""
        learner = _Names(**names)
        check = types.ModuleType("check")
        vars(check).update(vars(checking))
        for tag, body in self.cells:
            if tag == "check":
                exec(compile(body, CHECK, "exec"), vars(check))
        for part in self.ladders:
            getattr(check, f"check_{part}")(learner)


class _Names(types.SimpleNamespace):
    """What a learner has defined, as attributes."""

    def __getattr__(self, name: str) -> Any:
        raise checking.Wrong(name, "nothing of this name", "a definition",
                             f"{name} is not defined: was it renamed or deleted? In a notebook, "
                             "run its cell first")


def part_of(error: BaseException) -> str:
    """The part of the lab whose check raised an error; "" if none did."""
    tb = error.__traceback__
    while tb is not None:
        code = tb.tb_frame.f_code
        if code.co_filename == CHECK and code.co_name.startswith("check_"):
            return code.co_name.removeprefix("check_")
        tb = tb.tb_next
    return ""


def _paragraphs(text: str) -> list[str]:
    return [" ".join(paragraph.split()) for paragraph in text.strip().split("\n\n")]


LABS = [Lab(source) for source in sorted(SOURCES.glob("[0-9][0-9]_*.py"))]
