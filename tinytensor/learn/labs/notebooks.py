"""Labs as notebooks: a learner's text with a cell for the check at its end."""

from __future__ import annotations

import re
from pathlib import Path

from .. import notebooks
from .course import Lab

END = """

# %% [markdown] tags=["check"]
# ## Check
#
# Run all cells above, then the next one. After a change run the changed cell again, and the next
# one. `hint({number})` in a cell of your own gives a hint.

# %% tags=["check"]
from tinytensor.learn.labs import check, hint

check({number})
"""
# Cells that are no part of the answer: those above, and calls of check and hint by themselves.
NOT_WORK = re.compile(r'^# %%[^\n]*tags=\["check"\][^\n]*\n(?:(?!# %%).*\n?)*'
                      r"|^# %%[^\n]*\n\s*(?:check|hint)\(\d*\)\s*(?=^# %%|\Z)", re.MULTILINE)


def write(text: str, path: Path, lab: Lab) -> None:
    """Writes a learner's text as a notebook.

    Raises:
        ValueError: jupytext is not installed.
    """
    try:
        notebooks.write(text.rstrip() + END.format(number=lab.number), path)
    except ImportError as error:
        raise ValueError(str(error)) from None


def text_of(path: Path) -> str:
    """A learner's notebook as Python in percent cells, without its cell for the check.

    Raises:
        OSError: there is no such file.
        ValueError: it is no notebook, or jupytext is not installed.
    """
    try:
        return NOT_WORK.sub("", notebooks.text_of(path)).rstrip() + "\n"
    except ImportError as error:
        raise ValueError(str(error)) from None
