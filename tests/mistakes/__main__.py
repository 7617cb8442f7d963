"""Prints what `explain` says of each planted mistake, and the table of all."""

import argparse

from tinytensor import learn

from .bed import WORKS
from .judge import PAGE, above, judged, named, page, table


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.mistakes", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write the tables into {PAGE.name}")
    parser.add_argument("--only", default="", help="functions whose name contains this")
    options = parser.parse_args()
    for name, work in WORKS.items():
        if options.only not in name:
            continue
        g = above(work)
        for program in (work.backward, work.other):
            explanation = learn.explain(work.forward, work.inputs, work.gradients(program, g), g)
            print(f"== {name}, right: {explanation}")
        for planted in work.planted:
            explanation = judged(work, planted)
            verdict = named(explanation)
            edits = "; ".join(f"{old!r} -> {new!r}" for old, new in planted.replaced.items())
            print(f"\n== {name}: {edits}\n   planted: {planted.kind}; named: {verdict}"
                  f"{'' if verdict == planted.kind else '   <-- DIFFERS'}\n{explanation}")
    print()
    print(table())
    if options.write:
        PAGE.write_text(page())


main()
