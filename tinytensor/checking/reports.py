"""What the checks say of an operation, printed; and which operation a name means."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any

from ..autograd.table import TABLE, Entry
from .checks import advice, run


def check(operation: str | Callable[..., Any]) -> bool:
    """Runs all checks of an operation, given by its name or as its function, and prints a report.

    Returns whether all pass. In a notebook this is what `python -m tinytensor check` does.

    Raises:
        ValueError: there is no such operation.
    """
    if isinstance(operation, str):
        entries = named(operation, TABLE)
    else:
        entries = {key: entry for key, entry in TABLE.items() if entry.function is operation}
        if not entries:
            raise ValueError(f"check: {operation} is not in the table of operations; "
                             "define it with @op or @composed")
    return all([report(key, entry) for key, entry in entries.items()])


def named(name: str, entries: Mapping[str, Entry]) -> dict[str, Entry]:
    """The operations among `entries` that a name means, by their keys.

    One name may mean several: "unfold" is a method of Tensor, and a function of nn.functional.

    Raises:
        ValueError: there is none; the message lists near names.
    """
    name = name.removeprefix("tinytensor.")
    chosen = {key: entry for key, entry in entries.items()
              if name in (key, entry.name, *entry.aliases)}
    if not chosen:
        names = {n for key, entry in entries.items() for n in (key, entry.name, *entry.aliases)}
        near = difflib.get_close_matches(name, sorted(names), 5, 0.6)
        hint = f"; near names: {', '.join(near)}" if near else ""
        raise ValueError(f"check: there is no operation {name!r}{hint}")
    return chosen


def report(key: str, entry: Entry, brief: bool = False) -> bool:
    """Prints what the checks say, or failures only if `brief`; returns whether all pass."""
    outcomes = run(entry)
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
