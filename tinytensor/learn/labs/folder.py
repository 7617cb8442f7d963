"""A learner's folder: the files of labs, and progress.json beside them.

A lab is one file: lab05.py, or lab05.ipynb once it was turned into a notebook.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path

from . import notebooks
from .course import LABS, Lab
from .reporting import Report, report_of_file

PROGRESS = "progress.json"


@dataclass
class Progress:
    """What is known of one lab."""

    begun: str = ""
    passed: str = ""
    checks: int = 0
    part: str = ""  # that failed in the last check
    hints: dict[str, int] = field(default_factory=dict)  # how many were given, by the part
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
        """The lab that was begun last.

        Raises:
            ValueError: none was begun.
        """
        for number in reversed(self.progress):
            return numbered(str(number))
        raise ValueError("no lab was begun here; begin with: python -m tinytensor learn next 01")

    def lab(self, number: str | None) -> Lab:
        """The lab of a number, or the current one.

        Raises:
            ValueError: it is no number of a lab that was begun.
        """
        if number is None:
            return self.current
        lab = numbered(number)
        if lab.number not in self.progress:
            raise ValueError(f"lab {lab.number:02} was not begun here; there are "
                             f"{', '.join(f'{n:02}' for n in sorted(self.progress))}. To begin "
                             f"it: python -m tinytensor learn next {lab.number:02}")
        return lab

    def file(self, lab: Lab) -> Path:
        """The learner's file of a lab: the notebook, if there is one."""
        notebook = self.path / f"{lab.name}.ipynb"
        return notebook if notebook.exists() else self.path / f"{lab.name}.py"

    def text(self, lab: Lab) -> str:
        """What the learner's file has, as Python in percent cells.

        Raises:
            ValueError: there is no such file, or it cannot be read.
        """
        path = self.file(lab)
        try:
            if path.suffix == ".ipynb":
                return notebooks.text_of(path)
            return path.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise ValueError(f"{path} is missing; to write it anew: python -m tinytensor learn "
                             f"reset {lab.number:02}") from None
        except UnicodeDecodeError as error:
            raise ValueError(f"{path} is not UTF-8: {error}") from None

    def begin(self, lab: Lab) -> Path:
        """Writes a lab's file if it is not there, as a notebook where the current lab is one.
        The lab becomes the current one.
        """
        path = self.file(lab)
        if not path.exists():
            ending = self.file(self.current).suffix if self.progress else ".py"
            path = self._write(lab, lab.learner_text(), ending)
        row = self.progress.pop(lab.number) if lab.number in self.progress else Progress(_now())
        self.progress[lab.number] = row  # the last one in the order of the dict
        self.save()
        return path

    def begin_next(self, number: str | None) -> Path | None:
        """Begins the lab of a number, or the one after the current; None after the last.

        Raises:
            ValueError: no number is given and the current lab has not passed.
        """
        if number is not None:
            return self.begin(numbered(number))
        here = self.current.number
        later = [lab for lab in LABS if lab.number > here]
        if not self.passed(self.current):
            raise ValueError(f"lab {here:02} has not passed its check yet" + (
                f"; to go on without it: python -m tinytensor learn next {here + 1:02}"
                if later else ""))
        return self.begin(later[0]) if later else None

    def turn_into_notebooks(self) -> list[Path]:
        """Turns the files of all labs that were begun into notebooks, and returns these. The files
        are kept under other names.
        """
        written = []
        for lab in LABS:
            path = self.file(lab)
            if lab.number in self.progress and path.suffix == ".py" and path.exists():
                written.append(self._write(lab, self.text(lab), ".ipynb"))
                path.rename(_free(path))
        return written

    def _write(self, lab: Lab, text: str, ending: str) -> Path:
        path = self.path / f"{lab.name}{ending}"
        if ending == ".ipynb":
            notebooks.write(text, path, lab)
        else:
            path.write_text(text, encoding="utf-8")
        return path

    def passed(self, lab: Lab) -> bool:
        return bool(self.progress[lab.number].passed)

    def check(self, lab: Lab) -> tuple[bool, str]:
        """Checks a lab. Returns whether it passes, and what is wrong: the rule, the element, value
        and expected value, the mistake in words, and a hint.
        """
        text, path = self.text(lab), self.file(lab)
        with contextlib.redirect_stdout(io.StringIO()):
            report = report_of_file(lab, text, path)
        return not report.lines, self.record(lab, report)

    def record(self, lab: Lab, report: Report) -> str:
        """Keeps the result of a check, and returns it in words."""
        row = self.progress[lab.number]
        row.checks += 1
        row.part = report.part
        if not report.lines:
            row.passed = row.passed or _now()
            self.save()
            return f"lab {lab.title}: passed. " + (
                "This was the last lab" if lab is LABS[-1] else
                "The next one: python -m tinytensor learn next" + (
                    "" if lab.number == self.current.number else f" {lab.number + 1:02}"))
        lines = dict(report.lines)
        if report.mistake:
            row.mistakes.append(report.mistake)
        if report.mistake and report.part:
            given = self._one_more_hint(lab)
            lines[f"hint {given}/3"] = lab.hints_for(row.part)[given - 1]
        self.save()
        width = max(map(len, lines))
        parts = list(lab.ladders)
        right = parts.index(report.part) if report.part else 0
        so_far = f" (right so far: {right} of {len(parts)} parts)" if right else ""
        return "\n".join([f"lab {lab.title}: not yet{so_far}", *(
            f"  {name:{width}}  {text}" for name, text in lines.items() if text)])

    def next_hints(self, lab: Lab) -> str:
        """The hints so far for the part that failed in the last check, and one more."""
        given, part = self._one_more_hint(lab), self.progress[lab.number].part
        self.save()
        return "\n".join([f"hints for {part.replace('_', ' ') or 'this lab'}", *(
            f"  {i}/3  {hint}" for i, hint in enumerate(lab.hints_for(part)[:given], 1))])

    def _one_more_hint(self, lab: Lab) -> int:
        row = self.progress[lab.number]
        row.hints[row.part] = min(row.hints.get(row.part, 0) + 1, 3)
        return row.hints[row.part]

    def reset(self, lab: Lab) -> Path:
        """Writes a lab's file anew. Returns where the learner's is kept."""
        path = self.file(lab)
        kept = _free(path)
        if path.exists():
            path.rename(kept)
        self._write(lab, lab.learner_text(), path.suffix)
        self.progress[lab.number] = Progress(begun=_now())
        self.save()
        return kept

    def save(self) -> None:
        """Writes progress.json, whole or not at all."""
        rows = {f"{number}": asdict(row) for number, row in self.progress.items()}
        temporary = self.path / f"{PROGRESS}.new"
        temporary.write_text(json.dumps(rows, indent=1), encoding="utf-8")
        os.replace(temporary, self.path / PROGRESS)


def numbered(number: str) -> Lab:
    """The lab of a number, such as "3" or "03".

    Raises:
        ValueError: there is none.
    """
    for lab in LABS:
        if number.isdecimal() and lab.number == int(number):
            return lab
    raise ValueError(f"there are labs 01 to {len(LABS)}, got {number}")


def _free(path: Path) -> Path:
    """A name for a copy of a file: lab05.1.py for lab05.py, if there is none yet."""
    return next(p for n in range(1, 1000)
                if not (p := path.with_name(f"{path.stem}.{n}{path.suffix}")).exists())


def _now() -> str:
    return datetime.now().isoformat(sep=" ", timespec="minutes")
