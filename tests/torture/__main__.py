"""Runs attacks: `python -m tests.torture [PART ...] --minutes N`."""

from __future__ import annotations

import argparse
import importlib
import sys
import time

PARTS = {
    "files": "damaged files are refused within limits, and processes that are killed while they "
             "save leave whole files",
    "guards": "kernels read and write nothing outside of their arrays",
    "interrupts": "Ctrl-C at random moments of training leaves every global state as it was",
    "threads": "training in several threads gives the same numbers, and leaves the state as it was",
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter,
                                     epilog="\n".join(f"{name:11} {what}"
                                                      for name, what in PARTS.items()))
    parser.add_argument("part", nargs="*", choices=[*PARTS, []], metavar="PART",
                        help=f"{', '.join(PARTS)}; all by default")
    parser.add_argument("--minutes", type=float, default=1, help="for each part; 1 by default")
    given = parser.parse_args()
    wrong = 0
    for part in given.part or PARTS:
        print(f"{part}: {PARTS[part]}", flush=True)
        start = time.monotonic()
        wrong += importlib.import_module(f"{__package__}.{part}").run(given.minutes)
        print(f"{part}: {(time.monotonic() - start) / 60:.1f} minutes", flush=True)
    print("nothing went wrong" if not wrong else f"{wrong} times something went wrong")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
