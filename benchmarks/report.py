"""Formats the results: lines for the console, a Markdown table, plain data for JSON.

The functions take plain data, which is the content of the JSON file:

    {"machine": {...}, "rows": [{"name", "family", "unit", "left_out", "growth", "limit",
                                 "peers": {peer: {"best", "median", "spread", "figures", "target"}
                                                 or {"problem"}}}]}
"""

from __future__ import annotations

from typing import Any

from .harness import Measured
from .peers import (
    AUTOGRAD,
    JAX,
    MICROGRAD,
    MYGRAD,
    NUMPY,
    PYTORCH,
    PYTORCH_FUSED,
    REFERENCE,
    TINYGRAD,
    Row,
)

Data = dict[str, Any]
COLUMNS = (PYTORCH, PYTORCH_FUSED, JAX, TINYGRAD, MYGRAD, AUTOGRAD, MICROGRAD, NUMPY, REFERENCE)


def as_data(row: Row, family: str, results: dict[str, Measured]) -> Data:
    """A row's results as plain data."""
    peers: Data = {}
    for peer, measured in results.items():
        if measured.problem:
            peers[peer] = {"problem": measured.problem}
        else:
            peers[peer] = {"best": measured.best, "median": measured.median,
                           "spread": measured.spread, "figures": measured.figures}
        if peer in row.targets:
            peers[peer]["target"] = row.targets[peer]
    return {"name": row.name, "family": family, "unit": row.unit, "left_out": row.left_out,
            "growth": row.growth, "limit": row.limit, "peers": peers}


def ours(row: Data) -> Data:
    """This project's results in a row."""
    return next(iter(row["peers"].values()))


def ratio(row: Data, peer: str) -> float | None:
    """The peer's best figure divided by ours; None if one of the two is missing."""
    theirs = row["peers"].get(peer, {})
    if "best" not in theirs or not ours(row).get("best"):
        return None
    return theirs["best"] / ours(row)["best"]


def figure(value: float, unit: str) -> str:
    """A figure with a readable unit."""
    if unit == "bytes":
        return f"{value / 2**20:.1f} MiB"
    for size, name in ((1.0, "s"), (1e-3, "ms")):
        if value >= size:
            return f"{value / size:.3g} {name}" if value < 100 * size else \
                   f"{value / size:.0f} {name}"
    return f"{value * 1e6:.3g} µs"


def ratio_text(value: float | None) -> str:
    """A ratio as the tables print it: three digits below 10, otherwise a whole number."""
    if value is None:
        return ""
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"


def verdict(value: float, target: float) -> str:
    """"reached" if the printed ratio, with two decimals, is at least the target, else "missed"."""
    return "reached" if round(value, 2) >= target else "missed"


def row_lines(row: Data) -> list[str]:
    """A row for the console.

    Each peer has a line with its best figure, the median and spread of its rounds, its ratio to
    ours, and the target.
    """
    lines = [row["name"]]
    for i, (peer, result) in enumerate(row["peers"].items()):
        if "problem" in result:
            lines.append(f"    {peer:28s} {result['problem']}")
            continue
        line = f"    {peer:28s} {figure(result['best'], row['unit']):>10s}  median " \
               f"{figure(result['median'], row['unit']):>10s} ±{result['spread'] / 2:4.0%}"
        value = ratio(row, peer)
        if i and value is not None:
            line += f" {value:8.2f} x"
            if "target" in result:
                line += f"   target {result['target']:g}: {verdict(value, result['target'])}"
        elif i == 0 and row["limit"] is not None:
            state = "reached" if result["best"] <= row["limit"] else "missed"
            line += f"              target below {figure(row['limit'], 's')}: {state}"
        lines.append(line)
    if row["left_out"]:
        lines.append(f"    left out: {row['left_out']}")
    return lines


def summary(data: Data) -> str:
    """The number of reached targets, and the names of the missed ones."""
    reached, missed = 0, []
    for row in data["rows"]:
        for peer, result in row["peers"].items():
            value = ratio(row, peer)
            if "target" not in result or value is None:
                continue
            if verdict(value, result["target"]) == "reached":
                reached += 1
            else:
                missed.append(f"    {row['name']}, {peer}: {value:.2f} of {result['target']:g}")
    lines = [f"targets reached: {reached} of {reached + len(missed)}"]
    return "\n".join([*lines, *(["missed:"] if missed else []), *missed])


def markdown(data: Data) -> str:
    """A Markdown table: our figure, then each peer's ratio to it, with the target in brackets."""
    machine = ", ".join(f"{k} {v}" for k, v in data["machine"].items())
    shown = [row for row in data["rows"] if not row["growth"]]
    columns = [peer for peer in COLUMNS if any(peer in row["peers"] for row in shown)]
    lines = [machine, "", f"| work | ours | {' | '.join(columns)} |",
             f"|---|{'---:|' * (1 + len(columns))}"]
    for row in shown:
        first = ours(row)
        own = figure(first["best"], row["unit"]) if "best" in first else first["problem"]
        cells = []
        for peer in columns:
            value = ratio(row, peer)
            result = row["peers"].get(peer, {})
            if value is None:
                cells.append("–" if "problem" in result else "")
                continue
            text = ratio_text(value)
            if "target" in result:
                text = f"**{text}**" if verdict(value, result["target"]) == "reached" else text
                text += f" ({result['target']:g})"
            cells.append(text)
        lines.append(f"| {row['name']} | {own} | {' | '.join(cells)} |")
    return "\n".join(lines)
