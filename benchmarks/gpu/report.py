"""The table of the results of a machine with a GPU, in Markdown."""

from __future__ import annotations

from typing import Any

from .measures import WAYS
from .models import SMALL_MODELS

TOLERANCE = 1e-3  # the largest relative difference of first losses of equal work
AT_LEAST_EAGER, AT_LEAST_CAPTURED, OF_COPY = 1.0, 2.0, 0.8  # the goals


def table(results: dict[str, Any]) -> str:
    """The whole report."""
    machine = results["machine"]
    lines = [f"## {machine.get('card', 'unknown card')}, {machine['date']}", "",
             ", ".join(f"{k} {v}" for k, v in machine.items() if k not in ("card", "date"))]
    if results.get("tiny"):
        lines += ["", "**Tiny sizes: the times mean nothing.**"]
    if "tests" in results:
        tests = results["tests"]
        lines += ["", f"Tests marked `cuda`: {tests['summary']}", *(
            f"- {line}" for line in tests["failed"])]
    if "examples" in results:
        lines += ["", *(f"- `examples/{name}` on \"cuda\": " + (
            example["problem"] or f"trained in {example['seconds']:.0f} s")
            for name, example in results["examples"].items())]
    if "steps" in results:
        lines += ["", *steps(results["steps"])]
    if "bandwidth" in results:
        lines += ["", *bandwidth(results["bandwidth"])]
    return "\n".join(lines)


def steps(measured: dict[str, Any]) -> list[str]:
    """A row for each model; the ratios are PyTorch's eager time divided by ours."""
    lines = ["| step | " + " | ".join(WAYS) + " | eager | captured |",
             "|---|" + "---:|" * (len(WAYS) + 2)]
    for name, ways in measured.items():
        cells = [cell(ways.get(way, {"problem": "not measured"}), ways["tinytensor, CPU"])
                 for way in WAYS]
        goal = AT_LEAST_CAPTURED if name in SMALL_MODELS else AT_LEAST_EAGER
        lines.append(f"| {name} | " + " | ".join([*cells, ratio(
            ways, "tinytensor", AT_LEAST_EAGER), ratio(ways, "tinytensor, captured", goal)]) + " |")
    return [*lines, "", "`eager` and `captured` are the time of PyTorch's eager step divided by "
            "ours. The goal is in brackets; bold: reached."]


def cell(way: dict[str, Any], ours: dict[str, Any]) -> str:
    """A time, or why there is none."""
    if way.get("problem"):
        return str(way["problem"])
    if "losses" in ours and any(abs(a - b) > TOLERANCE * abs(b) for a, b in zip(
            way["losses"], ours["losses"], strict=True)):
        return f"other work: losses {way['losses']}"
    median = way["median"]
    return f"{median * 1e3:.3g} ms" if median >= 1e-3 else f"{median * 1e6:.3g} µs"


def ratio(ways: dict[str, Any], ours: str, goal: float) -> str:
    if "median" not in ways.get("PyTorch", {}) or "median" not in ways.get(ours, {}):
        return "–"
    value = ways["PyTorch"]["median"] / ways[ours]["median"]
    return f"**{value:.2f}** ({goal:g})" if value >= goal else f"{value:.2f} ({goal:g})"


def bandwidth(measured: dict[str, Any]) -> list[str]:
    """Rates of kernels, and their parts of the rate of a copy."""
    if measured.get("problem"):
        return [f"Bandwidth: {measured['problem']}"]
    rates = measured["rates"]
    size = f"{measured['bytes'] / 2**20:.3g} MiB"
    lines = [f"| kernel, {size} | GB/s | of a copy |", "|---|---:|---:|"]
    for name, rate in rates.items():
        part = rate / rates["copy"]
        shown = f"**{part:.0%}**" if part >= OF_COPY else f"{part:.0%}"
        lines.append(f"| {name} | {rate / 1e9:.3g} | {shown} |")
    return [*lines, "", f"The goal is {OF_COPY:.0%} of the rate of a copy; bold: reached."]
