"""The doctor's page: findings, histograms of layers and a loss curve, as one HTML file."""

from __future__ import annotations

import html
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy

STYLE = """
:root { color-scheme: light dark; --ink: #1b1b1f; --paper: #fff; --faint: #6b6b76; --rule: #d9d9e0;
        --bar: #3b6fb6; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e8ee; --paper: #17171b; --faint: #a0a0ac;
        --rule: #3a3a44; --bar: #7fb0ff; --bad: #ff8a80; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
       max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem } h2 { font-size: 1.2rem; margin-top: 2rem }
li { margin: 0 0 1rem } li strong { color: var(--bad) }
dl { display: grid; grid-template-columns: 5rem 1fr; margin: .3rem 0; gap: 0 .5rem }
dt { color: var(--faint) } dd { margin: 0 }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .4rem .6rem; border-bottom: 1px solid var(--rule);
         vertical-align: bottom } td svg { display: block }
.small { color: var(--faint); font-size: .85rem }
rect, .bar { fill: var(--bar) } polyline { fill: none; stroke: var(--bar); stroke-width: 2 }
line { stroke: var(--rule) } text { fill: var(--faint); font-size: 12px }
"""
BINS = 40


def write_page(diagnosis: Any, path: str | os.PathLike[str]) -> None:
    """Writes the page of a Diagnosis."""
    findings = "".join(
        f"<li><strong>{html.escape(f.name)}</strong>: {html.escape(f.what)}"
        f"<dl><dt>seen</dt><dd>{html.escape(f.seen)}</dd><dt>normal</dt>"
        f"<dd>{html.escape(f.normal)}</dd><dt>do</dt><dd>{html.escape(f.advice)}</dd></dl></li>"
        for f in diagnosis.findings)
    n = len(diagnosis.findings)
    parts = [f"<h1>doctor: {n or 'no'} finding{'' if n == 1 else 's'}</h1>",
             f"<ol>{findings}</ol>" if findings else
             "<p>Data, loss, gradients, layers, updates and training look usual.</p>"]
    if diagnosis.layers:
        rows = "".join(_row(name, layer) for name, layer in diagnosis.layers.items())
        parts.append(
            "<h2>Layers</h2><table><thead><tr><th>layer</th><th>outputs</th>"
            "<th>gradients of the outputs</th><th>change / weight in one step</th></tr></thead>"
            f"<tbody>{rows}</tbody></table>")
    if diagnosis.losses:
        parts.append("<h2>A few samples learned by heart</h2>" + _curve(diagnosis.losses))
    page = ("<!doctype html><html lang=en><meta charset=utf-8><title>doctor</title>"
            '<meta name=viewport content="width=device-width">'
            f"<style>{STYLE}</style><main>{''.join(parts)}</main></html>")
    Path(path).write_text(page, encoding="utf-8")


def _row(name: str, layer: Any) -> str:
    update = "not known" if layer.update is None else f"{layer.update:.1e}"
    return (f"<tr><td>{html.escape(name)}</td><td>{_histogram(layer.output)}</td>"
            f"<td>{_histogram(layer.gradient)}</td><td>{update}</td></tr>")


def _histogram(data: Any) -> str:
    """Bars from the 0.5 % to the 99.5 % quantile, with mean, deviation and the share of zeros."""
    if data is None:
        return "none"
    values = numpy.asarray(data, numpy.float64).ravel()
    values = values[numpy.isfinite(values)]
    if not values.size:
        return "no finite number"
    low, high = (float(v) for v in numpy.quantile(values, [0.005, 0.995]))
    counts, _ = numpy.histogram(values, BINS, (low, high) if low < high else (low - 1, high + 1))
    tallest = max(int(counts.max()), 1)
    bars = "".join(f'<rect x="{5 * i}" y="{50 - h:.1f}" width="4" height="{h:.1f}"/>'
                   for i, h in enumerate(50 * counts / tallest))
    words = (f"mean {values.mean():.2g}, deviation {values.std():.2g}, "
             f"{(values == 0).mean():.0%} zeros")
    return (f'<svg width="{5 * BINS}" height="50" role="img" aria-label="histogram: {words}">'
            f'{bars}</svg><span class="small">{low:.2g} to {high:.2g}<br>{words}</span>')


def _curve(losses: Sequence[float]) -> str:
    """The losses by step, on a logarithmic scale where all are positive."""
    finite = [v for v in losses if math.isfinite(v)]
    if not finite:
        return "<p>No finite loss.</p>"
    logarithmic = min(finite) > 0
    heights = [math.log10(v) if logarithmic else v for v in finite]
    low, high = min(heights), max(heights)
    points = " ".join(
        f"{60 + 540 * i / max(len(heights) - 1, 1):.1f},"
        f"{10 + 150 * (high - h) / ((high - low) or 1):.1f}" for i, h in enumerate(heights))
    words = f"loss {finite[0]:.3g} before, {finite[-1]:.3g} after {len(losses)} steps"
    return (f'<svg width="620" height="190" role="img" aria-label="{words}">'
            '<line x1="60" y1="160" x2="600" y2="160"/>'
            f'<polyline points="{points}"/><text x="0" y="16">{max(finite):.3g}</text>'
            f'<text x="0" y="164">{min(finite):.3g}</text><text x="60" y="180">0</text>'
            f'<text x="600" y="180" text-anchor="end">{len(losses)} steps</text></svg>'
            f'<p class="small">{words}{"; logarithmic scale" if logarithmic else ""}</p>')
