"""Runs the checks of an operation, and prints what they say."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..arrays.dispatch import use_kernels
from ..autograd.table import TABLE, Entry
from ..ops.samples import TensorSample
from .checks import CHECKS, Check
from .comparing import CheckError, NotChecked, described


@dataclass
class Outcome:
    """What one check says of one operation.

    tried      how many samples it ran on
    failures   what is wrong, by sample
    reason     why it did not apply to some sample
    """

    check: Check
    tried: int = 0
    failures: dict[str, str] = field(default_factory=dict)
    reason: str = ""

    def headline(self) -> str:
        if not self.tried:
            return f"-     {self.check.title}: not checked, {self.reason}"
        return f"{'FAILS' if self.failures else 'ok   '} {self.check.title}"

    def explanation(self) -> tuple[str, str]:
        """The first sample that fails and how many more do, and what is wrong on it."""
        if not self.failures:
            return "", ""
        sample, text = next(iter(self.failures.items()))
        more = len(self.failures) - 1
        others = f", and on {more} more of {self.tried}" if more else ""
        return f"on {sample}{others}" if sample else "", text

    def report(self) -> str:
        """The headline and, indented below it, the explanation."""
        lines = [line for part in self.explanation() for line in part.splitlines()]
        return "\n      ".join([self.headline(), *lines])


def run(entry: Entry, checks: Sequence[Check] = CHECKS) -> list[Outcome]:
    """Runs the checks on all samples of an operation; without samples, those of its definition.

    Kernels are off except in their check.
    """
    outcomes = [Outcome(check) for check in checks if entry.samples or not check.each]
    with use_kernels(False):
        for outcome in outcomes:
            check = outcome.check
            for i, sample in enumerate(entry.samples if check.each else [None]):
                try:
                    check.function(entry, sample) if check.each else check.function(entry)
                except NotChecked as reason:
                    outcome.reason = str(reason)
                    continue
                except Exception as error:
                    outcome.failures[f"samples[{i}], called with ({sample})" if check.each
                                     else ""] = \
                        str(error) if isinstance(error, CheckError) else described(error)
                outcome.tried += 1
    return outcomes


# ---------------------------------------------------------------- in print


def check(operation: str | Callable[..., Any]) -> bool:
    """Runs all checks of an operation, given by its name or as its function, and prints a report.

    Returns whether all pass. In a notebook this is what `python -m tinytensor check` does.
    Inside `with tinytensor.device("cuda"):` it checks the operation on the GPU.

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


def advice(entry: Entry) -> list[str]:
    """Kinds of inputs that no sample has, although the operation's shapes suggest them."""
    op = entry.op
    if not entry.samples or op is None or op.signature.variadic \
            or op.promotes not in ("common", "float", "floating"):
        return []
    shapes = [[x.shape for x in (*s.args, *s.kwargs.values()) if isinstance(x, TensorSample)]
              for s in entry.samples]
    flat = [shape for call in shapes for shape in call]
    hints = []
    if () not in flat:
        hints.append("no sample is 0-d: add S(t())")
    if not any(0 in shape for shape in flat):
        hints.append("no sample is empty: add S(t(0, 3))")
    if len(op.signature.inputs) > 1 and not any(len(set(call)) > 1 for call in shapes):
        hints.append("no sample broadcasts: add S(t(2, 3), t(3)), or use binary()")
    return hints
