"""`python -m benchmarks` measures tinytensor and its peers, and prints a table of ratios."""

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
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measures tinytensor and its peers, and prints a table of ratios.")
    parser.add_argument("--quick", action="store_true", help="fewer rows and peers")
    parser.add_argument("--rounds", type=int, default=5,
                        help="turns of each peer (default: %(default)s)")
    parser.add_argument("--budget", type=float, default=0.4,
                        help="seconds per turn (default: %(default)s)")
    parser.add_argument("--only", metavar="TEXT",
                        help="measure the rows whose name or family contains TEXT (default: all)")
    parser.add_argument("--peers", metavar="A;B",
                        help="measure these peers and tinytensor, as in PyTorch;MyGrad "
                             "(default: all)")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"),
                        help="the device (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1),
                        help="threads per peer (default: %(default)s)")
    parser.add_argument("--cpu-time", action="store_true",
                        help="measure processor time instead of wall-clock time: for a busy "
                             "machine, with --threads 1")
    parser.add_argument("--list", action="store_true", help="print the rows and exit")
    parser.add_argument("--json", type=Path, metavar="FILE",
                        help="write the results to a JSON file (default: only print them)")
    parser.add_argument("--picture", type=Path, metavar="FILE",
                        help="draw the results as PNG files FILE, -operations and -growth "
                             "(default: no picture)")
    parser.add_argument("--read", type=Path, metavar="FILE",
                        help="measure nothing: print the table of a JSON file in Markdown, and "
                             "draw it with --picture (default: measure)")
    parser.add_argument("--worker", nargs=2, metavar=("PEER", "DEVICE"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    only = (args.only or "").lower()
    if args.worker:
        serve(ROWS, *args.worker)
        return
    if args.read:
        read = json.loads(args.read.read_text())
        read["rows"] = [row for row in read["rows"]
                        if only in f"{row['family']}: {row['name']}".lower()]
        print(report.markdown(read))
        if args.picture:
            pictures.draw(read, args.picture)
        return
    rounds, budget = (2, 0.2) if args.quick else (args.rounds, args.budget)
    selected = args.peers.split(";") if args.peers else []
    chosen = []
    for family, rows in FAMILIES.items():
        for row in rows:
            peers = [p for i, p in enumerate(peers_of(row, args.device, args.quick))
                     if i == 0 or not selected or p in selected]
            if peers and only in f"{family}: {row.name}".lower():
                chosen.append((family, row, peers))
    if not chosen:
        parser.error(f"no row contains {args.only!r}; the rows are: {'; '.join(ROWS)}")
    if args.list:
        for family, row, peers in chosen:
            print(f"{family}: {row.name}: {', '.join(peers)}")
        return
    data: report.Data = {"machine": machine(args.device, args.threads), "rows": []}
    data["machine"]["clock"] = "processor time" if args.cpu_time else "wall"
    print(", ".join(f"{k} {v}" for k, v in data["machine"].items()), flush=True)
    workers = Workers(args.device, args.threads)
    previous = ""
    try:
        for family, row, peers in chosen:
            if family != previous:
                workers.close()
                previous = family
            once = row.unit == "bytes"  # memory is slow to measure and hardly varies
            measured = measure(row, peers, 1 if once else rounds, budget, workers, args.cpu_time)
            data["rows"].append(report.as_data(row, family, measured))
            if args.json:  # after each row, so that an interrupted run keeps its results
                args.json.write_text(json.dumps(data, indent=1))
            if not row.growth:
                print("\n".join(report.row_lines(data["rows"][-1])), flush=True)
            else:
                print(row.name, file=sys.stderr)
    finally:
        workers.close()
    print(report.summary(data))
    if args.picture:
        for path in pictures.draw(data, args.picture):
            print(f"drawn: {path}")


if __name__ == "__main__":
    main()
