"""A course in a folder of your own: labs with checks that say what is wrong.

    start DIR       writes the first lab into DIR
    check [NN]      checks a lab, the one that was begun last if none is given
    hint [NN]       a hint for what failed in the last check: each call one more, three in all
    next [NN]       writes the next lab, once the one before has passed; or lab NN, at any time
    solution [NN]   the solution, once the lab has passed
    reset NN        writes lab NN anew; your file is kept under another name
    notebooks       turns the labs into notebooks, and those that follow; your files are kept
    export          one page of your work, and a line for a teacher's table

All but `start` are called in the folder, or with --folder. It needs no network, and no account.
"""

from __future__ import annotations

import argparse
import sys
import threading
from pathlib import Path
from typing import Any

PATIENCE = 20  # seconds of a check after which it says that it is still running
ACTIONS = ("start", "check", "hint", "next", "solution", "reset", "notebooks", "export")


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
            _start(options)
        else:
            globals()[f"_{options.action}"](Folder(options.folder), options)
    except ValueError as error:
        sys.exit(f"learn: {error}")


def _start(options: argparse.Namespace) -> None:
    from ..learn.labs.folder import PROGRESS, Folder
    path = Path(options.what or options.folder)
    verb = "found" if (path / PROGRESS).exists() else "wrote"
    folder = Folder.start(path)
    enter = "" if path.resolve() == Path.cwd() else f"    cd {folder.path}\n"
    print(f"{verb} {folder.file(folder.current)}\n\nOpen it in an editor, read it, write what is "
          f"missing, save it, and check it:\n\n{enter}"
          "    python -m tinytensor learn check")


def _check(folder: Any, options: argparse.Namespace) -> None:
    lab = folder.lab(options.what)
    waiting = threading.Timer(PATIENCE, print, ["learn: still running; Ctrl-C stops the check and "
                                                "shows the line"], {"file": sys.stderr})
    waiting.daemon = True
    waiting.start()
    try:
        passed, told = folder.check(lab)
    finally:
        waiting.cancel()
    print(told)
    sys.exit(0 if passed else 1)


def _hint(folder: Any, options: argparse.Namespace) -> None:
    print(folder.next_hints(folder.lab(options.what)))


def _next(folder: Any, options: argparse.Namespace) -> None:
    path = folder.begin_next(options.what)
    print(f"wrote {path}: read it, write what is missing, and check it" if path
          else "this was the last lab")


def _solution(folder: Any, options: argparse.Namespace) -> None:
    lab = folder.lab(options.what)
    if not folder.passed(lab):
        raise ValueError(f"the solution of lab {lab.number:02} is shown when its check has passed")
    print(lab.solution_text())


def _reset(folder: Any, options: argparse.Namespace) -> None:
    if options.what is None:
        raise ValueError("give the number of the lab: reset 03")
    lab = folder.lab(options.what)
    kept = folder.reset(lab)
    print(f"wrote {folder.file(lab)}; your file is now {kept}")


def _notebooks(folder: Any, options: argparse.Namespace) -> None:
    for path in folder.turn_into_notebooks():
        print(f"wrote {path}")
    print(f"Open {folder.file(folder.current)} in Jupyter or in an editor for notebooks. Its last "
          "cell is the check")


def _export(folder: Any, options: argparse.Namespace) -> None:
    from ..learn.labs.exporting import export
    page, row = export(folder, options.name)
    print(f"wrote {page}\n{row}")
