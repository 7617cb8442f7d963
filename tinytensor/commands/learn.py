"""A course in a folder of your own: labs with checks that say what is wrong.

    start DIR       writes the first lab into DIR
    next            writes the next lab, once the one before has passed
    check [NN]      checks a lab, the last one that was begun if none is given
    hint            a hint for it: each call one more, three in all
    solution [NN]   the solution, once the lab has passed
    reset NN        writes lab NN anew; your file is kept under another name
    export          one page of your work, and a line for a teacher's table

All but `start` are called in the folder, or with --folder. It needs no network, and no account.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

ACTIONS = ("start", "next", "check", "hint", "solution", "reset", "export")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("action", choices=ACTIONS)
    parser.add_argument("what", nargs="?", help="the folder of start, or the number of a lab")
    parser.add_argument("--folder", type=Path, default=Path("."), help="the folder of the labs")
    parser.add_argument("--name", default="", help="the learner's name, for export")


def run(options: argparse.Namespace) -> None:
    from ..learn.labs.folder import Folder
    try:
        if options.action == "start":
            path = Path(options.what or options.folder)
            verb = "found" if (path / "progress.json").exists() else "wrote"
            folder = Folder.start(path)
            print(f"{verb} {folder.path / folder.current.file_name}\n\nRead it, write what is "
                  f"missing, and check it:\n\n    cd {folder.path}\n"
                  "    python -m tinytensor learn check")
            return
        folder = Folder(options.folder)
        lab = folder.lab(options.what)
        getattr(sys.modules[__name__], f"_{options.action}")(folder, lab, options)
    except ValueError as error:
        sys.exit(f"learn: {error}")


def _next(folder: Any, lab: Any, options: argparse.Namespace) -> None:
    begun = folder.begin_next()
    print(f"wrote {folder.path / begun.file_name}" if begun else "this was the last lab")


def _check(folder: Any, lab: Any, options: argparse.Namespace) -> None:
    print(folder.check(lab))
    sys.exit(0 if folder.passed(lab) else 1)


def _hint(folder: Any, lab: Any, options: argparse.Namespace) -> None:
    for number, hint in enumerate(folder.next_hints(lab), 1):
        print(f"hint {number} of 3: {hint}")


def _solution(folder: Any, lab: Any, options: argparse.Namespace) -> None:
    if not folder.passed(lab):
        raise ValueError(f"the solution of lab {lab.number:02} is shown when its check has passed")
    print(lab.solution_text())


def _reset(folder: Any, lab: Any, options: argparse.Namespace) -> None:
    if options.what is None:
        raise ValueError("give the number of the lab: reset 03")
    print(f"wrote {folder.path / lab.file_name}; your file is now {folder.reset(lab)}")


def _export(folder: Any, lab: Any, options: argparse.Namespace) -> None:
    page, row = folder.export(options.name)
    print(f"wrote {page}\n{row}")
