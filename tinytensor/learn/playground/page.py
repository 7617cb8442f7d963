"""The page of the playground, as one file."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import scalar

from .. import page as debugger
from ..page import filled, script
from .program import ACTIVATIONS, DATA, OPTIMIZERS, Settings, points
from .pyodide import VERSION, Pyodide
from .recorded import RUNS, recording

WEB = Path(__file__).parent / "web"
SCRIPTS = ("net", "paint", "diagram", "detail", "curve", "sources", "main")
# What the program needs, under the name that each file has in the page's Python.
LEARN = ("origins", "packing", "formulas", "scalar_trace")
PROGRAM = ("program", "session")


def page(pyodide: Pyodide | None = None) -> str:
    """The HTML of the page: live with Pyodide, a recording without."""
    mode = "live" if pyodide else "recording"
    given: dict[str, Any] = {
        "mode": mode,
        "choices": {"data": list(DATA), "activation": ACTIVATIONS, "optimizer": list(OPTIMIZERS)},
        "examples": {name: points(name, 0.1, 1, 60) for name in DATA},
        "settings": dataclasses.asdict(Settings()),
    }
    if pyodide:
        given |= {"pyodide": list(pyodide.parts), "lock": pyodide.lock}
        content = [_json("files", _files()), _json("debugger-page", debugger.template()),
                   f'<script type="text/plain" id="worker">{_web("worker.js")}</script>',
                   *(f'<script type="text/plain" id="{name}">{part}</script>'
                     for name, part in pyodide.parts.items())]
        about = f"Python in this page is Pyodide {VERSION} (Mozilla Public License 2.0)."
    else:
        content = [_json("runs", [recording(settings, steps) for settings, steps in RUNS])]
        about = "The page makes no request."
    return filled(_web("page.html"), {
        "style": _web("style.css"), "mode": mode, "about": about,
        "content": "\n".join([_json("given", given), *content]),
        "script": "\n".join([script("numbers"), *(_web(f"{name}.js") for name in SCRIPTS)]),
    })


def _files() -> dict[str, str]:
    """The modules that the page's Python imports."""
    learn = Path(debugger.__file__).parent
    engine = Path(scalar.__file__).parent
    paths = {f"scalar/{path.name}": path for path in sorted(engine.glob("*.py"))}
    paths |= {f"learn/{name}.py": learn / f"{name}.py" for name in LEARN}
    paths |= {f"learn/playground/{name}.py": WEB.parent / f"{name}.py" for name in PROGRAM}
    texts = {name: path.read_text(encoding="utf-8") for name, path in paths.items()}
    return {"learn/__init__.py": "", "learn/playground/__init__.py": "", **texts}


def _web(name: str) -> str:
    return (WEB / name).read_text(encoding="utf-8")


def _json(name: str, content: Any) -> str:
    """An element of the page with data in it."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return f'<script type="application/json" id="{name}">{text}</script>'
