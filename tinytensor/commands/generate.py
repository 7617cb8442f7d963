"""Write the files that follow from the table of operations, after an operation was added.

These are tinytensor/table.pyi (`python -m tinytensor stubs`), tinytensor/OPERATIONS.md
(`python -m tinytensor ops --markdown`), and the number of operations in a clone's README.md. Tests
compare them with the code.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from pathlib import Path

from . import ops, stubs

ROOT = Path(__file__).parent.parent.parent


def with_count(page: str) -> str:
    """The page with the number of operations in its "[N operations]"."""
    return re.sub(r"\[\d+ operations\]", f"[{len(ops.rows())} operations]", page)


# By name, the new content as a function of the present one, which is "" if there is no such file.
FILES: dict[str, Callable[[str], str]] = {
    "tinytensor/table.pyi": lambda present: stubs.text(),
    "tinytensor/OPERATIONS.md": lambda present: ops.text(markdown=True) + "\n",
    "README.md": with_count,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command has no options."""


def run(options: argparse.Namespace) -> None:
    for name in write(ROOT):
        print(f"wrote {name}")


def write(folder: Path) -> list[str]:
    """Writes the files into a folder; returns the names of those that changed."""
    changed = []
    for name, content_of in FILES.items():
        path = folder / name
        present = path.read_text() if path.exists() else ""
        content = content_of(present)
        if content != present:
            path.write_text(content)
            changed.append(name)
    return changed
