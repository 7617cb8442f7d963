"""`python -m benchmarks`: this project beside its peers, in one run, as a table of ratios."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from .harness import Measured, machine, measure, work
from .works import ROWS


def table(results: dict[str, dict[str, Measured]]) -> str:
    """Each row: our time first, then each peer's, and how many times ours it is."""
    lines = []
    for row, peers in results.items():
        lines.append(row)
        ours = next(iter(peers.values()))
        for peer, measured in peers.items():
            if measured.problem:
                lines.append(f"    {peer:22s} {measured.problem}")
                continue
            ratio = f"{measured.median / ours.median:8.2f} x" if ours.seconds else ""
            lines.append(f"    {peer:22s} {measured.median * 1e3:10.3f} ms  "
                         f"±{measured.spread / 2:4.0%} {ratio}")
    return "\n".join(lines)


def plain(results: dict[str, dict[str, Measured]]) -> dict[str, Any]:
    """The results as data for a JSON file."""
    return {row: {peer: m.problem or {"median_seconds": m.median, "rounds": m.seconds}
                  for peer, m in peers.items()} for row, peers in results.items()}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round of each, under 2 minutes")
    parser.add_argument("--rounds", type=int, default=5, help="alternating processes of each peer")
    parser.add_argument("--only", default="", metavar="TEXT", help="only rows that contain TEXT")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there too")
    parser.add_argument("--worker", nargs=3, metavar=("ROW", "PEER", "SECONDS"),
                        help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        row, peer, budget = given.worker
        print(json.dumps(work(ROWS[row], peer, float(budget))))
        return
    rounds, budget = (1, 0.5) if given.quick else (given.rounds, 1.0)
    chosen = {row: peers for row, peers in ROWS.items() if given.only in row}
    if not chosen:
        parser.error(f"no row contains {given.only!r}; there are: {'; '.join(ROWS)}")
    about = machine()
    print(", ".join(f"{k} {v}" for k, v in about.items()))
    results = {}
    for row, peers in chosen.items():
        print(f"measuring {row} ...", file=sys.stderr)
        results[row] = measure(row, peers, rounds, budget)
    print(table(results))
    if given.json:
        given.json.write_text(json.dumps({"machine": about, "results": plain(results)}, indent=1))


if __name__ == "__main__":
    main()
