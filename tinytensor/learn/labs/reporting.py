"""What is told of an answer: what is to do or what is wrong, where, and why."""

from __future__ import annotations

import linecache
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .checking import Wrong
from .course import Lab, part_of


@dataclass
class Report:
    """The result of a check.

    lines    what is told, by its name, in the order in which it is told; empty if the lab passed
    part     the part of the lab that failed; "" if the learner's file does not run
    mistake  the mistake in words, for the teacher's list; "" at a task
    """

    lines: dict[str, str]
    part: str = ""
    mistake: str = ""


def report_of_file(lab: Lab, text: str, path: Path) -> Report:
    """Checks the text of a learner's file."""
    try:
        lab.check(text, str(path))
    except (Exception, KeyboardInterrupt) as error:
        return _report(error, text.splitlines(), str(path))
    return Report({})


def report_of_names(lab: Lab, names: dict[str, Any]) -> Report:
    """Checks what is defined in a notebook, by name."""
    try:
        lab.check_names(names)
    except Exception as error:
        return _report(error, None, names)
    return Report({})


def _report(error: BaseException, text: list[str] | None, own: str | dict[str, Any]) -> Report:
    part = part_of(error)
    place = _place(error, text, own)
    if isinstance(error, Wrong):
        lines = {"rule": error.rule, "element": error.element, "you have": error.got,
                 "expected": error.right, "mistake": error.why}
        return Report(lines, part, error.why or error.rule)
    if isinstance(error, NotImplementedError):
        return Report({"to do": f"{place.partition(': ')[0]}: {error}"}, part)
    if isinstance(error, KeyboardInterrupt):
        return Report({"stopped": "by Ctrl-C; if it ran for long, look for a loop without an end",
                       "at": place or "the check itself"}, part, "stopped")
    what = f"{type(error).__name__}: {getattr(error, 'msg', error)}"
    if place:
        return Report({"error": what, "at": place}, part, type(error).__name__)
    # The check itself could not compute with what it was given.
    why = "a function that should return something returns nothing: is a return missing?" \
        if "NoneType" in what else f"what was returned is not of the expected kind: {what}"
    return Report({"rule": part.replace("_", " "), "mistake": why}, part, why)


def _place(error: BaseException, text: list[str] | None, own: str | dict[str, Any]) -> str:
    """Where the learner's own text raised an error, or has a syntax error; "" if it did not.

    `own` is the name of the file, or the names of the notebook, whose frames are meant.
    """
    if isinstance(error, SyntaxError) and error.filename == own:
        return f"line {error.lineno}: {(error.text or '').strip()}"
    place, tb = "", error.__traceback__
    while tb is not None:
        code, line = tb.tb_frame.f_code, tb.tb_lineno
        if text is not None and code.co_filename == own:
            # A notebook has no line numbers over all cells.
            before = code.co_name if str(own).endswith(".ipynb") else f"line {line}"
            place = f"{before}: {text[line - 1].strip()}"
        elif tb.tb_frame.f_globals is own:
            place = f"{code.co_name}: {linecache.getline(code.co_filename, line).strip()}"
        tb = tb.tb_next
    return place
