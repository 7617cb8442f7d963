"""A learner's folder: the files of labs, and progress.json beside them."""

from __future__ import annotations

import contextlib
import csv
import html
import io
import json
import os
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from .checking import Wrong
from .course import LABS, Lab

PROGRESS = "progress.json"


@dataclass
class Progress:
    """What is known of one lab: number of checks and hints, and when it was begun and passed."""

    begun: str = ""
    passed: str = ""
    checks: int = 0
    hints: int = 0
    mistakes: list[str] = field(default_factory=list)  # what the checks named, in order


class Folder:
    """The labs of a learner in the folder `path`.

    Raises:
        ValueError: it is not such a folder, or its progress file cannot be read.
    """

    def __init__(self, path: Path):
        self.path = path
        try:
            saved = json.loads((path / PROGRESS).read_text(encoding="utf-8"))
            self.progress = {int(number): Progress(**row) for number, row in saved.items()}
        except FileNotFoundError:
            raise ValueError(f"{path.absolute()} is no folder of labs, since it has no "
                             f"{PROGRESS}; begin with: python -m tinytensor learn start "
                             "DIR") from None
        except (ValueError, TypeError, AttributeError) as error:
            raise ValueError(f"{path / PROGRESS} cannot be read: {error}") from None

    @classmethod
    def start(cls, path: Path) -> Folder:
        """A folder with the first lab. One that exists is left as it is."""
        path.mkdir(parents=True, exist_ok=True)
        if not (path / PROGRESS).exists():
            (path / PROGRESS).write_text("{}", encoding="utf-8")
        folder = cls(path)
        if not folder.progress:
            folder.begin(LABS[0])
        return folder

    @property
    def current(self) -> Lab:
        """The last lab that was begun."""
        return max((lab for lab in LABS if lab.number in self.progress),
                   key=lambda lab: lab.number)

    def lab(self, number: str | None) -> Lab:
        """The lab of a number, or the current one.

        Raises:
            ValueError: it is no number of a lab that was begun.
        """
        if number is None:
            return self.current
        found = [lab for lab in LABS if number.isdecimal() and lab.number == int(number)]
        if not found or found[0].number not in self.progress:
            begun = ", ".join(f"{n:02}" for n in sorted(self.progress))
            raise ValueError(f"{number} is no lab that was begun here; there are {begun}")
        return found[0]

    def begin(self, lab: Lab) -> None:
        """Writes a lab's file, if it is not there."""
        path = self.path / lab.file_name
        if not path.exists():
            path.write_text(lab.learner_text(), encoding="utf-8")
        self.progress.setdefault(lab.number, Progress(begun=_now()))
        self.save()

    def begin_next(self) -> Lab | None:
        """Begins the lab after the current one; None after the last.

        Raises:
            ValueError: the current lab has not passed.
        """
        if not self.passed(self.current):
            raise ValueError(f"lab {self.current.number:02} has not passed its check yet")
        later = [lab for lab in LABS if lab.number > self.current.number]
        if not later:
            return None
        self.begin(later[0])
        return later[0]

    def passed(self, lab: Lab) -> bool:
        return bool(self.progress[lab.number].passed)

    def check(self, lab: Lab) -> str:
        """Checks a lab, and says what is wrong: the rule, the element, value and expected value,
        the mistake in words, and a hint.
        """
        row, path = self.progress[lab.number], self.path / lab.file_name
        row.checks += 1
        printed = io.StringIO()
        try:
            with contextlib.redirect_stdout(printed):
                lab.check(path.read_text(encoding="utf-8"), str(path))
        except Wrong as wrong:
            row.mistakes.append(wrong.why or wrong.rule)
            lines = {"rule": wrong.rule, "element": wrong.element, "you have": wrong.got,
                     "expected": wrong.right, "mistake": wrong.why}
        except NotImplementedError as task:
            lines = {"to do": f"line {_line_of(task, path)}: {task}"}
        except Exception as error:
            row.mistakes.append(type(error).__name__)
            lines = {"error": f"{type(error).__name__}: {error}",
                     "at": f"line {_line_of(error, path)}"}
        else:
            row.passed = row.passed or _now()
            self.save()
            return f"lab {lab.title}: passed. python -m tinytensor learn next"
        if "to do" not in lines:
            row.hints = min(row.hints + 1, 3)
            lines[f"hint {row.hints}/3"] = lab.hints[row.hints - 1]
        self.save()
        width = max(map(len, lines))
        return "\n".join([f"lab {lab.title}: not yet", *(
            f"  {name:{width}}  {text}" for name, text in lines.items() if text)])

    def next_hints(self, lab: Lab) -> list[str]:
        """The hints so far, and one more."""
        row = self.progress[lab.number]
        row.hints = min(row.hints + 1, 3)
        self.save()
        return lab.hints[:row.hints]

    def reset(self, lab: Lab) -> Path:
        """Writes a lab's file anew. Returns where the learner's is kept."""
        path = self.path / lab.file_name
        kept = next(p for n in range(1, 1000)
                    if not (p := path.with_suffix(f".{n}.py")).exists())
        path.rename(kept)
        self.progress[lab.number] = Progress(begun=_now())
        self.begin(lab)
        return kept

    def save(self) -> None:
        """Writes progress.json, whole or not at all."""
        rows = {f"{number}": asdict(row) for number, row in sorted(self.progress.items())}
        temporary = self.path / f"{PROGRESS}.new"
        temporary.write_text(json.dumps(rows, indent=1), encoding="utf-8")
        os.replace(temporary, self.path / PROGRESS)

    def export(self, name: str = "") -> tuple[Path, str]:
        """Writes labs.html with the learner's files, and returns its path and a CSV row: name, and
        for each lab of the course "passed", "begun" or nothing, its checks and hints.
        """
        parts = [f"<h1>{html.escape(name or 'Labs')}</h1><table><tr><th>lab<th>passed<th>checks"
                 "<th>hints</tr>"]
        cells: list[Any] = [name]
        for lab in LABS:
            row = self.progress.get(lab.number)
            state = "" if row is None else "passed" if row.passed else "begun"
            cells += [state, row.checks if row else 0, row.hints if row else 0]
            if row is not None:
                parts.append(f"<tr><td>{html.escape(lab.title)}<td>{row.passed or 'not yet'}"
                             f"<td>{row.checks}<td>{row.hints}</tr>")
        parts.append("</table>")
        for lab in LABS:
            path = self.path / lab.file_name
            if lab.number in self.progress and path.exists():
                parts.append(f"<h2>{html.escape(lab.title)}</h2>"
                             f"<pre>{html.escape(path.read_text(encoding='utf-8'))}</pre>")
        page = self.path / "labs.html"
        page.write_text(f"<!doctype html><html lang=en><meta charset=utf-8><title>labs</title>"
                        f"<style>{STYLE}</style><main>{''.join(parts)}</main></html>",
                        encoding="utf-8")
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(cells)
        return page, line.getvalue()


STYLE = """
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 52rem; margin: 2rem auto; padding: 0 1rem }
pre { font: 14px/1.45 ui-monospace, monospace; border: 1px solid #8886; padding: .8rem;
      overflow-x: auto } th, td { text-align: left; padding: .2rem 1.2rem .2rem 0 }
"""


def _now() -> str:
    return datetime.now().isoformat(sep=" ", timespec="minutes")


def _line_of(error: BaseException, path: Path) -> int | str:
    """The line of the learner's file where an error was raised, or a syntax error is."""
    if isinstance(error, SyntaxError):
        return error.lineno or "?"
    line: int | str = "?"
    tb = error.__traceback__
    while tb is not None:
        if tb.tb_frame.f_code.co_filename == str(path):
            line = tb.tb_lineno
        tb = tb.tb_next
    return line
