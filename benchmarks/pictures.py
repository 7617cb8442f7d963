"""Draws the results: bars of ratios with their targets, and curves of growth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .peers import (
    AUTOGRAD,
    JAX,
    MICROGRAD,
    MYGRAD,
    NUMPY,
    OURS,
    PYTORCH,
    PYTORCH_FUSED,
    REFERENCE,
    TINYGRAD,
)
from .report import Data, ratio, ratio_text, verdict

REACHED, MISSED, NO_TARGET = "#0072b2", "#d55e00", "#9aa5ad"  # safe for color-blind readers
MARKERS = {JAX: ("o", "#009e73"), TINYGRAD: ("D", "#cc79a7"), MYGRAD: ("s", "#e69f00"),
           AUTOGRAD: ("v", "#56b4e9"), NUMPY: ("P", "#555555"), REFERENCE: ("x", "black"),
           PYTORCH_FUSED: ("*", "#d55e00")}
LINES = {OURS: ("#0072b2", "-"), REFERENCE: ("#0072b2", ":"), PYTORCH: ("#d55e00", "-")}
TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 10, 20, 50, 100, 200, 500)
OPERATIONS = "operations alone"


def draw(data: Data, file: Path) -> list[Path]:
    """Writes up to three PNG files: `file`, and next to it -operations and -growth."""
    compared = [row for row in data["rows"] if not row["growth"] and bar_peer(row)]
    parts = {"": [row for row in compared if row["family"] != OPERATIONS],
             "-operations": [row for row in compared if row["family"] == OPERATIONS]}
    written = []
    for suffix, rows in parts.items():
        if rows:
            written.append(save(bars(rows), data, file, suffix))
    points = [row for row in data["rows"] if row["growth"]]
    if points:
        written.append(save(growth(points), data, file, "-growth"))
    return written


def bar_peer(row: Data) -> str:
    """The peer that is drawn as a bar: PyTorch, or micrograd in scalar mode."""
    return next((peer for peer in (PYTORCH, MICROGRAD) if ratio(row, peer) is not None), "")


def save(figure: Any, data: Data, file: Path, suffix: str) -> Path:
    """Writes a figure, with a line about the machine."""
    machine = data["machine"]
    figure.supxlabel(", ".join(str(machine.get(k, "?")) for k in ("date", "processor", "device"))
                     + f", {machine.get('threads', '?')} threads, "
                     f"PyTorch {machine.get('torch', '?')}, clock: {machine.get('clock', '?')}",
                     fontsize=8, color="gray")
    path = file.with_name(f"{file.stem}{suffix}.png")
    figure.savefig(path, dpi=130)
    return path


def bars(rows: list[Data]) -> Any:
    """One bar per row: a peer's time or memory divided by ours."""
    from matplotlib import pyplot
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch
    from matplotlib.ticker import NullLocator

    figure, axes = pyplot.subplots(figsize=(10, 1.9 + 0.27 * len(rows)), layout="constrained")
    marked, colors = set(), set()
    for y, row in enumerate(rows):
        peer = bar_peer(row)
        value, target = ratio(row, peer), row["peers"][peer].get("target")
        assert value is not None
        color = NO_TARGET if target is None else \
            REACHED if verdict(value, target) == "reached" else MISSED
        colors.add(color)
        axes.barh(y, value - 1, left=1, color=color, height=0.62)
        axes.annotate(ratio_text(value), (1.005, y),
                      xycoords=("axes fraction", "data"), va="center", fontsize=8, color=color)
        if y and row["family"] != rows[y - 1]["family"]:
            axes.axhline(y - 0.5, color="#dddddd", linewidth=0.8)
        if target is not None:
            axes.plot([target] * 2, [y - 0.45, y + 0.45], color="black", linewidth=2)
        for other, (marker, shade) in MARKERS.items():
            other_value = ratio(row, other)
            if other_value is not None:
                marked.add(other)
                axes.plot(other_value, y, marker, color=shade, markersize=5, zorder=3)
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    axes.set_xticks([tick for tick in TICKS if low < tick < high], minor=False)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.axvline(1, color="black", linewidth=0.8)
    axes.grid(axis="x", which="major", color="#dddddd")
    axes.set_axisbelow(True)
    axes.set_yticks(range(len(rows)), [row["name"] for row in rows], fontsize=8)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_title("A peer's time or memory over tinytensor's. Right of 1: tinytensor is ahead",
                   fontsize=10)
    others = {bar_peer(row) for row in rows} - {PYTORCH}
    name = PYTORCH + "".join(f" or {peer}" for peer in others)
    meanings = {REACHED: "target reached", MISSED: "target missed", NO_TARGET: "no target set"}
    handles: list[Any] = [Patch(color=color, label=f"{name}: {meaning}")
                          for color, meaning in meanings.items() if color in colors]
    if colors - {NO_TARGET}:
        handles.append(Line2D([], [], color="black", linewidth=2, label="target"))
    handles += [Line2D([], [], color=shade, marker=marker, linestyle="", label=peer)
                for peer, (marker, shade) in MARKERS.items() if peer in marked]
    figure.legend(handles=handles, fontsize=7, loc="outside upper center", ncols=4)
    return figure


def growth(rows: list[Data]) -> Any:
    """One panel per curve: the time of a step by batch, width, depth or length, log-log."""
    from matplotlib import pyplot
    from matplotlib.ticker import NullLocator

    curves: dict[str, list[Data]] = {}
    for row in rows:
        curves.setdefault(row["growth"][0], []).append(row)
    figure, panels = pyplot.subplots(1, len(curves), figsize=(3.4 * len(curves), 3.6),
                                     layout="constrained", squeeze=False)
    for axes, (curve, points) in zip(panels[0], curves.items(), strict=True):
        for peer, (color, style) in LINES.items():
            times = [(row["growth"][1], row["peers"][peer]["best"] * 1e3) for row in points
                     if "best" in row["peers"].get(peer, {})]
            if times:
                axes.loglog(*zip(*times, strict=True), style, color=color, marker=".",
                            label=peer)
        axes.set_xlabel(curve)
        ticks = [row["growth"][1] for row in points]
        axes.set_xticks(ticks, [str(tick) for tick in ticks], fontsize=7)
        axes.xaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter("{x:g}")
        axes.grid(color="#dddddd")
    panels[0][0].set_ylabel("ms per training step")
    panels[0][0].legend(fontsize=8)
    return figure
