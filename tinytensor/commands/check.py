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
import importlib
import sys

from ..autograd.table import TABLE, Entry
from ..checking.calls import torch
from ..checking.comparing import described
from ..checking.reports import named, report


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
    try:
        entries = TABLE if options.all else {
            key: entry for name in options.names for key, entry in chosen(name).items()}
    except ValueError as error:
        sys.exit(str(error))
    failed = sum(not report(key, entry, brief=options.all) for key, entry in entries.items())
    if options.all:
        print(f"{len(entries)} operations, {failed} with failures")
    sys.exit(1 if failed else 0)


def chosen(name: str) -> dict[str, Entry]:
    """The operations that NAME, MODULE:NAME or MODULE: means, by their keys in the table."""
    module, colon, name = name.rpartition(":")
    if not colon:
        try:
            return named(name, TABLE)
        except ValueError as error:
            raise ValueError(f"{error}; an operation of a file my_ops.py is my_ops:NAME") from None
    module = module.removesuffix(".py")
    try:
        importlib.import_module(module)
    except Exception as error:
        raise ValueError(f"check: the import of {module} {described(error)}") from error
    entries = {key: entry for key, entry in TABLE.items() if entry.module == module}
    return named(name, entries) if name else entries
