"""`python -m tinytensor ops`: the table of operations, as it is in the code.

`python -m tinytensor ops --markdown` prints it for a page; `python -m tinytensor stubs` writes what
type checkers and editors know of it (tinytensor/table/).
"""

from __future__ import annotations

import argparse
import inspect

import numpy

import tinytensor

from .autograd.table import TABLE, Entry
from .commands import stubs
from .ops.samples import concrete

COLUMNS = ("operation", "shapes", "derivatives", "devices", "kernels")


def rows() -> list[tuple[str, ...]]:
    """A row for each operation that users can call: see COLUMNS."""
    return sorted((", ".join([key, *entry.aliases]), shapes_of(entry), derivatives_of(entry),
                   "cpu, cuda", "-")
                  for key, entry in TABLE.items() if not entry.internal)


def shapes_of(entry: Entry) -> str:
    """What its docstring says about shapes."""
    text = " ".join(inspect.cleandoc(entry.doc).split())
    return text.partition("Shapes: ")[2].partition(". ")[0].rstrip(".")


def derivatives_of(entry: Entry) -> str:
    """Whether it can be differentiated, as seen on its first sample that has a gradient."""
    rng = numpy.random.default_rng(0)
    for sample in entry.samples:
        call = concrete(sample, rng, lambda values, spec: tinytensor.tensor(
            values, requires_grad=spec.grad))
        results = entry.function(*call.args, **call.kwargs)
        results = results if isinstance(results, tuple | list) else (results,)
        if any(getattr(r, "requires_grad", False) for r in results):
            return "any order"
    return "none"


def families() -> str:
    """The names of all operations, a row of a Markdown table for each file of `ops/`."""
    found: dict[str, set[str]] = {}
    for entry in TABLE.values():
        if not entry.internal:
            found.setdefault(entry.module, set()).add(f"`{entry.name}`")
    lines = ["| family | operations |", "|---|---|"]
    for module in sorted(found):
        name = module.rpartition(".")[2]
        lines.append(f"| [{name}](tinytensor/ops/{name}.py) | {' '.join(sorted(found[module]))} |")
    return "\n".join(lines)


def text(markdown: bool) -> str:
    """The whole table."""
    table = rows()
    if markdown:
        lines = ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
        lines += ["| " + " | ".join(c.replace("|", "\\|") for c in row) + " |" for row in table]
        return "\n".join(lines)
    widths = [max(len(r[i]) for r in [COLUMNS, *table]) for i in range(len(COLUMNS))]
    lines = ["  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip()
             for r in [COLUMNS, *table]]
    return "\n".join([*lines, "", f"{len(table)} operations"])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tinytensor", description=__doc__)
    parser.add_argument("command", choices=["ops", "stubs"],
                        help="ops: the table of operations; stubs: writes tinytensor/table/")
    parser.add_argument("--markdown", action="store_true", help="as a Markdown table")
    parser.add_argument("--families", action="store_true", help="only the names, by family")
    given = parser.parse_args()
    if given.command == "ops":
        print(families() if given.families else text(given.markdown))
    else:
        for path in stubs.write():
            print(f"written: {path}")


if __name__ == "__main__":
    main()
