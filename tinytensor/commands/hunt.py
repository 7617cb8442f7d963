"""Lays out a program with one planted bug, and checks whether it is healed.

`hunt` lists the thirty programs. `hunt 3` writes hunt_03.py into the folder, if it is not there,
runs it, and says whether its score reaches the goal. Edit the file, and call it again.
"""

from __future__ import annotations

import argparse
import difflib
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("number", nargs="?", type=int, help="of the program, from 1 to 30")
    parser.add_argument("--folder", type=Path, default=Path("."), help="where its file is")
    parser.add_argument("--hint", type=int, choices=(1, 2, 3), help="print a hint; 3 says most")
    parser.add_argument("--doctor", action="store_true",
                        help="examine the file by tinytensor.learn.doctor")
    parser.add_argument("--solution", action="store_true",
                        help="print a cure; only once the file is healed")


def run(options: argparse.Namespace) -> None:
    from ..learn.zoo.catalogue import ZOO
    if options.number is None:
        for exhibit in ZOO:
            print(f"{exhibit.number:2}  {exhibit.symptom}")
        print("\npython -m tinytensor hunt 1  begins with the first one")
        return
    if not 1 <= options.number <= len(ZOO):
        sys.exit(f"hunt: there are programs 1 to {len(ZOO)}, got {options.number}")
    exhibit = ZOO[options.number - 1]
    path = options.folder / f"hunt_{exhibit.number:02}.py"
    new = not path.exists()
    if new:
        options.folder.mkdir(parents=True, exist_ok=True)
        path.write_text(exhibit.text(), encoding="utf-8")
    if options.hint:
        print(f"hint {options.hint} of 3: {exhibit.hints[options.hint - 1]}")
        return
    module, score = _ran(path)
    if options.doctor and module is not None:
        print("\n", exhibit.examine(module), sep="")
    healed = score >= exhibit.goal
    if options.solution:
        print("\n", _cure(exhibit) if healed else
              "hunt: a cure is shown when the program is healed; --hint 1 helps before", sep="")
    elif healed:
        print(f"\nhealed: the score {score:.2f} reaches the goal, {exhibit.goal:g}. "
              f"--solution prints a cure; hunt {exhibit.number % len(ZOO) + 1} is the next program")
    else:
        print(f"\n{exhibit.symptom}\n{exhibit.question}\n\n"
              f"{'wrote' if new else 'not healed yet:'} {path}; the goal is a score of "
              f"{exhibit.goal:g}. Edit the file and call this again. --hint 1 gives a hint, "
              "--doctor an examination")


def _ran(path: Path) -> tuple[Any, float]:
    """The program as a module, and its score; None and NaN where it fails, which is printed."""
    from ..learn.zoo.catalogue import load
    module = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a warning would name many of the bugs
        try:
            module = load(path)
            score = float(module.score(module.train()))
        except Exception as error:
            lines = [frame for frame in traceback.extract_tb(error.__traceback__)
                     if frame.filename == str(path)]
            place = f"line {lines[-1].lineno}, {lines[-1].line}\n" if lines else ""
            print(f"{place}{type(error).__name__}: {error}")
            return module, float("nan")
    print(f"score {score:.2f}")
    return module, score


def _cure(exhibit: Any) -> str:
    lines = difflib.unified_diff(exhibit.text().splitlines(), exhibit.text(True).splitlines(),
                                 "with the bug", "healed", n=1, lineterm="")
    return "\n".join(lines)
