"""Write the files that follow from the table of operations, after an operation was added.

These are the stubs in tinytensor/table (`python -m tinytensor stubs`), tinytensor/OPERATIONS.md
(`python -m tinytensor ops --markdown`), and the number of operations in a clone's README.md. Tests
compare them with the code.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from . import ops, stubs

ROOT = Path(__file__).parent.parent.parent


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command has no options."""


def run(options: argparse.Namespace) -> None:
    for name in write(ROOT):
        print(f"wrote {name}")


def write(folder: Path) -> list[str]:
    """Writes the files into a clone; returns the names of those that changed."""
    changed = []
    for name, content in contents(folder).items():
        path = folder / name
        if not path.exists() or path.read_text() != content:
            path.write_text(content)
            changed.append(name)
    return changed


def contents(folder: Path) -> dict[str, str]:
    """The content that each file must have, by its path in the clone."""
    files = {f"tinytensor/table/{name}": text for name, text in stubs.files().items()}
    files["tinytensor/OPERATIONS.md"] = ops.text(markdown=True) + "\n"
    readme = folder / "README.md"
    if readme.exists():  # an installed package has none
        files["README.md"] = re.sub(r"\[\d+ operations\]", f"[{len(ops.rows())} operations]",
                                    readme.read_text())
    return files
