"""Write the files that follow from the table of operations, after an operation was added.

These are tinytensor/table.pyi (`python -m tinytensor stubs`) and tinytensor/OPERATIONS.md
(`python -m tinytensor ops --markdown`). A test compares both with the code.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from . import ops, stubs

PACKAGE = Path(__file__).parent.parent
FILES: dict[str, Callable[[], str]] = {
    "table.pyi": stubs.text,
    "OPERATIONS.md": lambda: ops.text(markdown=True) + "\n",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command has no options."""


def run(options: argparse.Namespace) -> None:
    for name in write(PACKAGE):
        print(f"wrote {PACKAGE / name}")


def write(folder: Path) -> list[str]:
    """Writes the files into a folder; returns the names of those that changed."""
    changed = []
    for name, text in FILES.items():
        path, content = folder / name, text()
        if not path.exists() or path.read_text() != content:
            path.write_text(content)
            changed.append(name)
    return changed
