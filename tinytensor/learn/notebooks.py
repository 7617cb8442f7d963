"""Notebooks made from Python in percent cells, by jupytext."""

from __future__ import annotations

from pathlib import Path
from typing import Any

INSTALL = ("notebooks need jupytext: pip install jupytext ipykernel (in a clone of tinytensor: "
           "pip install -e '.[notebooks]')")


def notebook(text: str) -> Any:
    """The notebook of a text in percent cells: `# %%` begins code, `# %% [markdown]` a text.

    Raises:
        ImportError: jupytext is not installed.
    """
    made = _jupytext().reads(text, "py:percent")
    made.metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3",
                                    "language": "python"}}
    return made


def write(text: str, path: Path) -> None:
    """Writes the notebook of a text in percent cells."""
    _jupytext().write(notebook(text), path)


def text_of(path: Path) -> str:
    """A notebook as text in percent cells, with IPython's own commands as comments.

    Raises:
        ImportError: jupytext is not installed.
        OSError: there is no such file.
        ValueError: it is no notebook.
    """
    jupytext = _jupytext()
    content = path.read_text(encoding="utf-8")
    try:
        read = jupytext.reads(content, "ipynb")
        read.metadata = {"jupytext": {"notebook_metadata_filter": "-all",
                                      "cell_metadata_filter": "tags,-all"}}
        return str(jupytext.writes(read, "py:percent"))
    except Exception as error:  # jupytext documents no errors of its own
        raise ValueError(f"{path} is no notebook: {type(error).__name__}: {error}") from None


def _jupytext() -> Any:
    try:
        import jupytext
    except ImportError:
        raise ImportError(INSTALL) from None
    return jupytext
