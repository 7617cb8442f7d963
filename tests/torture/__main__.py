"""Attacks that take too long for the test suite. A part runs for some minutes and counts failures.

    python -m tests.torture files --minutes 10 --seed 1
"""

from __future__ import annotations

import argparse
import importlib

PARTS = {  # modules beside this file, each with run(minutes, seed), which returns its failures
    "files": "damaged files, and processes killed while they save",
}


def main() -> None:
    described = "; ".join(f"{name}: {text}" for name, text in PARTS.items())
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="+", choices=PARTS, metavar="part", help=described)
    parser.add_argument("--minutes", type=float, default=5.0, help="for each part (default: 5)")
    parser.add_argument("--seed", type=int, default=0, help="(default: 0)")
    given = parser.parse_args()
    failures = [f"{part}: {failure}" for part in given.parts
                for failure in importlib.import_module(f"tests.torture.{part}").run(
                    given.minutes, given.seed)]
    print("\n".join(failures) or "no failure")
    raise SystemExit(bool(failures))


if __name__ == "__main__":
    main()
