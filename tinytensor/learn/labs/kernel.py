"""The checks of labs in a notebook.

    from tinytensor.learn.labs import check, hint
    check(5)       checks what the notebook has defined, as `python -m tinytensor learn check` does
    hint(5)        one more hint

Progress is kept in the folder of the notebook, beside that of the other labs.
"""

from __future__ import annotations

import contextlib
import io
import sys
from pathlib import Path
from typing import Any

from .course import Lab
from .folder import Folder
from .reporting import report_of_names


class NotYet(Exception):  # noqa: N818  # it is the result of a check, not an error
    """A lab has not passed. A notebook shows its text without a traceback, and "run all" stops."""

    def _render_traceback_(self) -> list[str]:
        """What IPython prints in place of a traceback."""
        return str(self).splitlines()


def check(number: int) -> None:
    """Checks lab `number` with what the notebook has defined, and prints that it has passed.

    Raises:
        NotYet: it has not: what is to do or what is wrong, and a hint.
        RuntimeError: called outside of a notebook.
        ValueError: the notebook is in no folder of labs, or the lab was not begun there.
    """
    folder, lab, names = _here("check", number)
    with contextlib.redirect_stdout(io.StringIO()):
        report = report_of_names(lab, names)
    told = folder.record(lab, report)
    if report.lines:
        raise NotYet(told)
    print(told)


def hint(number: int) -> None:
    """Prints the hints so far for the part that failed in the last check, and one more."""
    folder, lab, _ = _here("hint", number)
    print(folder.next_hints(lab))


def _here(name: str, number: int) -> tuple[Folder, Lab, dict[str, Any]]:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell is None:
        raise RuntimeError(f"{name}({number}) is for a notebook; in a terminal: python -m "
                           f"tinytensor learn {name} {number:02}")
    folder = Folder(Path.cwd())
    return folder, folder.lab(str(number)), shell.user_ns
