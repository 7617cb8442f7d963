"""What a learner hands in: a page with all work and results, and a row for a teacher's table."""

from __future__ import annotations

import csv
import html
import io
import re
from pathlib import Path

from .course import CELL, LABS, Lab
from .folder import Folder, Progress


def export(folder: Folder, name: str = "") -> tuple[Path, str]:
    """Writes labs.html, and returns its path and a CSV row: the name, and for each lab of the
    course "passed", "begun" or nothing, the number of checks, and the number of hints.
    """
    page = folder.path / "labs.html"
    page.write_text(page_of(folder, name), encoding="utf-8")
    cells: list[str | int] = [name]
    for lab in LABS:
        row = folder.progress.get(lab.number)
        cells += [_state(row), row.checks, sum(row.hints.values())] if row else ["", 0, 0]
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(cells)
    return page, line.getvalue()


def page_of(folder: Folder, name: str = "") -> str:
    """The page of a learner: a table of the results, then the files and what checks named."""
    begun = [(lab, folder.progress[lab.number]) for lab in LABS if lab.number in folder.progress]
    passed = sum(bool(row.passed) for _, row in begun)
    rows = "".join(
        f"<tr class={_state(row)}><td><a href='#{lab.name}'>{html.escape(lab.title)}</a>"
        f"<td>{html.escape(row.passed) or 'not yet'}<td class=n>{row.checks}"
        f"<td class=n>{sum(row.hints.values())}" for lab, row in begun)
    parts = "".join(_section(folder, lab, row) for lab, row in begun)
    return (f"<!doctype html><html lang=en><meta charset=utf-8>"
            f"<meta name=viewport content='width=device-width'>"
            f"<title>Labs{' of ' * bool(name)}{html.escape(name)}</title><style>{STYLE}</style>"
            f"<main><h1>{html.escape(name or 'Labs')}</h1>"
            f"<p>{passed} of {len(LABS)} labs passed</p>"
            f"<table><thead><tr><th>lab<th>passed<th class=n>checks<th class=n>hints"
            f"<tbody>{rows}</table>{parts}</main></html>\n")


def _section(folder: Folder, lab: Lab, row: Progress) -> str:
    told = "".join(f"<li>{html.escape(mistake)}" for mistake in row.mistakes)
    named = f"<p>What the checks named, in this order:<ol>{told}</ol>" if told else ""
    try:
        work = _cells(folder.text(lab))
    except ValueError as problem:
        work = f"<p>{html.escape(str(problem))}"
    return (f"<section id={lab.name}><h2>{html.escape(lab.title)} "
            f"<small class={_state(row)}>{_state(row)}</small></h2>{named}{work}</section>")


def _state(row: Progress) -> str:
    return "passed" if row.passed else "begun"


def _cells(text: str) -> str:
    """The code cells of a learner's text. What the lab itself explains is left out."""
    before, *cells = CELL.split(text)
    code = [before, *(body for head, body in zip(cells[::2], cells[1::2], strict=True)
                      if "[markdown]" not in head)]
    return "".join(f"<pre>{_marked(body.strip())}</pre>" for body in code if body.strip())


def _marked(code: str) -> str:
    """Code as HTML, in which the tasks that are left stand out."""
    return re.sub(r"^( *)(raise NotImplementedError\(.*)$", r"\1<mark>\2</mark>",
                  html.escape(code, quote=False), flags=re.MULTILINE)


STYLE = """
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; padding: 0 1rem; max-width: 56rem }
h1 { margin-bottom: 0 } h2 { margin-top: 2.5rem; border-top: 1px solid #8886; padding-top: 1rem }
pre { font: 14px/1.45 ui-monospace, monospace; border: 1px solid #8886; border-radius: 4px;
      padding: .7rem .9rem; overflow-x: auto; break-inside: avoid }
table { border-collapse: collapse } th, td { text-align: left; padding: .25rem 1.4rem .25rem 0 }
tbody tr { border-top: 1px solid #8884 } .n { text-align: right } a { color: inherit }
small { font-size: .75rem; font-weight: 600; padding: .1rem .5rem; border-radius: 1rem;
        vertical-align: middle; border: 1px solid currentColor }
.passed small, small.passed { color: light-dark(#0a6b2d, #6fd08c) }
small.begun { color: light-dark(#8a4b00, #f0b45e) }
mark { background: light-dark(#ffe9a8, #5c4a00); color: inherit }
@media print { body { margin: 0; max-width: none } }
"""
