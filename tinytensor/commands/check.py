"""Run the generated checks for an operation, and say in words what is wrong.

NAME is an operation of the table, such as "softmax" or "linalg.qr". MODULE:NAME is an operation
that a module defines, which is imported from the current folder or from the path; MODULE: is all of
them. The exit status is 1 if a check fails.

The checks compare results and gradients with PyTorch or the operation's reference=, with finite
differences, and with the scalar engine; method, operator and in-place form with the function; and
kernels with the reference. Without PyTorch the others run.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import sys
from collections.abc import Iterable

from ..autograd.table import TABLE, Entry
from ..checking import run as run_checks
from ..checking.calls import torch
from ..checking.checks import advice, described


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", default=[],
                        help="an operation, or MODULE:NAME")
    parser.add_argument("--all", action="store_true",
                        help="check the whole table, and report failures only")


def run(options: argparse.Namespace) -> None:
    if bool(options.names) == options.all:
        sys.exit("check: give the names of operations, or --all")
    if torch() is not None:
        torch().set_num_threads(1)  # type: ignore[union-attr]  # on small arrays, threads only wait
    entries = TABLE if options.all else {
        key: entry for name in options.names for key, entry in named(name).items()}
    failed = 0
    for key, entry in entries.items():
        passed = report(key, entry, brief=options.all)
        failed += not passed
    if options.all:
        print(f"{len(entries)} operations, {failed} with failures")
    sys.exit(1 if failed else 0)


def named(name: str) -> dict[str, Entry]:
    """The operations that a name means, by their keys in the table.

    One name may mean several: "unfold" is a method of Tensor, and a function of nn.functional.
    """
    module, colon, name = name.rpartition(":")
    entries: dict[str, Entry] = dict(TABLE)
    if colon:
        import_module(module)
        entries = {key: entry for key, entry in TABLE.items() if entry.module == module}
        if not name:
            return entries
    name = name.removeprefix("tinytensor.")
    chosen = {key: entry for key, entry in entries.items()
              if name in (key, entry.name, *entry.aliases)}
    return chosen or sys.exit(f"check: {unknown(name, entries, module)}")


def import_module(name: str) -> None:
    try:
        importlib.import_module(name)
    except Exception as error:
        sys.exit(f"check: the import of {name} {described(error)}")


def unknown(name: str, entries: Iterable[str], module: str) -> str:
    """There is no such operation, and which names are near."""
    names = {n for key in entries for n in (key, TABLE[key].name, *TABLE[key].aliases)}
    near = difflib.get_close_matches(name, sorted(names), 5, 0.6)
    where = f"{module} defines no operation" if module else "there is no operation"
    hint = f"; near names: {', '.join(near)}" if near else (
        "" if module else "; for an operation of your own write MODULE:NAME")
    return f"{where} {name!r}{hint}"


def report(key: str, entry: Entry, brief: bool = False) -> bool:
    """Prints what the checks say, or failures only if `brief`; returns whether all pass."""
    outcomes = run_checks(entry)
    failures = [outcome for outcome in outcomes if outcome.failures]
    shown = failures if brief else outcomes
    if shown:
        count = len(entry.samples)
        print(f"{key}: {count} sample{'' if count == 1 else 's'}")
        explained: set[str] = set()
        for outcome in shown:
            text = outcome.explanation()[1]
            print(f"{outcome.headline()}\n      for the same reason" if text in explained
                  else outcome.report())
            explained |= {text} - {""}
    if not brief:
        for hint in advice(entry):
            print(f"note  {hint}")
        print(f"{len(failures)} of {len(outcomes)} checks fail" if failures else "all checks pass")
    return not failures
