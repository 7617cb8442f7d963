"""`python -m benchmarks`: this project beside its peers, in one run, as a table of ratios."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from . import pictures, report
from .harness import Workers, measure, peers_of, serve
from .peers import machine
from .works import FAMILIES, ROWS


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rows and peers")
    parser.add_argument("--rounds", type=int, default=5, help="alternating turns of each peer")
    parser.add_argument("--budget", type=float, default=0.4, help="seconds of a turn")
    parser.add_argument("--only", default="", metavar="TEXT",
                        help="only rows whose name or family contains TEXT")
    parser.add_argument("--peers", default="", metavar="A;B",
                        help="only these peers and our own, as PyTorch;MyGrad")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--cpu-time", action="store_true",
                        help="measure time on the processor, not by the clock: for a busy machine, "
                             "with --threads 1")
    parser.add_argument("--list", action="store_true", help="print the rows and end")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there too")
    parser.add_argument("--picture", type=Path, metavar="FILE",
                        help="draw the ratios as a PNG, and growth beside it")
    parser.add_argument("--read", type=Path, metavar="FILE",
                        help="measure nothing: print the table of a README from a JSON file, "
                             "and draw it with --picture")
    parser.add_argument("--worker", nargs=2, metavar=("PEER", "DEVICE"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        serve(ROWS, *given.worker)
        return
    if given.read:
        read = json.loads(given.read.read_text())
        read["rows"] = [row for row in read["rows"]
                        if given.only.lower() in f"{row['family']}: {row['name']}".lower()]
        print(report.markdown(read))
        if given.picture:
            pictures.draw(read, given.picture)
        return
    rounds, budget = (2, 0.2) if given.quick else (given.rounds, given.budget)
    named = given.peers.split(";") if given.peers else []
    chosen = []
    for family, rows in FAMILIES.items():
        for row in rows:
            peers = [p for i, p in enumerate(peers_of(row, given.device, given.quick))
                     if i == 0 or not named or p in named]
            if peers and given.only.lower() in f"{family}: {row.name}".lower():
                chosen.append((family, row, peers))
    if not chosen:
        parser.error(f"no row contains {given.only!r}; there are: {'; '.join(ROWS)}")
    if given.list:
        for family, row, peers in chosen:
            print(f"{family}: {row.name}: {', '.join(peers)}")
        return
    data: report.Data = {"machine": machine(given.device, given.threads), "rows": []}
    data["machine"]["clock"] = "time on the processor" if given.cpu_time else "wall"
    print(", ".join(f"{k} {v}" for k, v in data["machine"].items()), flush=True)
    workers = Workers(given.device, given.threads)
    before = ""
    try:
        for family, row, peers in chosen:
            if family != before:
                workers.close()
                before = family
            once = row.unit == "bytes"  # the steadiest figure, and the slowest
            found = measure(row, peers, 1 if once else rounds, budget, workers,
                            given.cpu_time)
            data["rows"].append(report.as_data(row, family, found))
            if given.json:  # after each row: what is measured is not lost
                given.json.write_text(json.dumps(data, indent=1))
            if not row.growth:
                print("\n".join(report.row_lines(data["rows"][-1])), flush=True)
            else:
                print(row.name, file=sys.stderr)
    finally:
        workers.close()
    print(report.summary(data))
    if given.picture:
        for path in pictures.draw(data, given.picture):
            print(f"drawn: {path}")


if __name__ == "__main__":
    main()
