"""The debugger: one page of HTML that replays the forward and the backward of a result.

The page's own code is in the folder `web`, in plain HTML, CSS and JavaScript. Everything is written
into one file, which needs no network.
"""

from __future__ import annotations

import html
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy

import scalar

from ..tensors.tensor import Tensor
from . import scalar_trace, tensor_trace

WEB = Path(__file__).parent / "web"
SCRIPTS = ("numbers", "trace", "scalar", "tensor", "layout", "view", "main")
HEIGHT = 800  # pixels, in a notebook
OPENED = 200_000  # numbers in the graphs of opened elements, if the page chooses them


class Page:
    """A page of the debugger. It shows itself in a notebook; `save` writes it into a file.

    trace   what the page shows, as it is written into it
    html    the text of the page
    """

    def __init__(self, trace: Mapping[str, Any]):
        self.trace = trace

    @property
    def html(self) -> str:
        trace = json.dumps(self.trace, separators=(",", ":"), allow_nan=False)
        return filled(template(), {
            "title": html.escape(self.trace["title"]),
            "trace": trace.replace("<", "\\u003c"),  # no text of a program ends the element
        })

    def save(self, path: str | Path) -> Path:
        """Writes the page into one file and returns its path."""
        path = Path(path)
        path.write_text(self.html, encoding="utf-8")
        return path

    def _repr_html_(self) -> str:
        return (f'<iframe srcdoc="{html.escape(self.html)}" title="debugger" '
                f'style="width:100%;height:{HEIGHT}px;border:1px solid #8888"></iframe>')

    def __repr__(self) -> str:
        return (f"<Page {self.trace['title']!r}: in a notebook it shows itself, "
                f"and .save(\"page.html\") writes it>")


def template() -> str:
    """The page with the places of its title and its trace: {{title}}, {{trace}}."""
    page = (WEB / "page.html").read_text(encoding="utf-8")
    return filled(page, {"style": (WEB / "style.css").read_text(encoding="utf-8"),
                         "script": "\n".join(map(script, SCRIPTS))})


def script(name: str) -> str:
    return (WEB / f"{name}.js").read_text(encoding="utf-8")


def filled(page: str, parts: Mapping[str, str]) -> str:
    """A page with texts in the places that are named {{name}}; other places remain."""
    return re.sub(r"\{\{(\w+)\}\}", lambda place: parts.get(place[1], place[0]), page)


def debug(loss: Any = None, path: str | Path | None = None, *, title: str = "",
          opened: Mapping[str, scalar.Value] | Callable[[str], scalar.Value] | None = None
          ) -> Page:
    """A page that replays how `loss` was computed, and its backward, step by step.

        with learn.record():
            loss = f(model(x), y)
        learn.debug(loss, "page.html")

    `loss` is a Value, or a Tensor that requires grad; the backward of a Tensor of several elements
    is that of their sum. Without `path` the page shows itself in a notebook.

    Each step shows the operation, its formula with the numbers put in, the line of the program, the
    layer, what is added to which gradient, and what is still to come. The page is one file and
    needs no network. Its gradients are those of `loss` alone, from 0, and equal what the engine
    computes to the bit, which the page checks. No `grad` of the program changes, and the graph is
    not released.

    Lines, layers and samples, and of Tensors the data of every result, are known for what was
    computed in a block `with learn.record():`.

    `opened` has scalar graphs of elements of Tensors by their names, as `learn.open` gives them:
    {"layers.0.weight.grad[2, 1]": value}. The page opens these. It may be a function of the name,
    such as `lambda at: learn.open(model, x, loss=loss_of, at=at)`: then the page opens elements of
    the gradients of parameters, the first ones up to 200,000 numbers in all.

    `loss` may be an exception as well, which `detect_anomaly` or a backward has raised: the page
    shows the graph of the operation in it. Without arguments it is the last exception that the
    interpreter or the notebook has shown.

    Raises:
        TypeError: `loss` is none of these, or an exception without an operation.
        RuntimeError: a Tensor without a graph, or whose graph was released by a backward.
    """
    if loss is None:
        loss = getattr(sys, "last_value", None)
        if loss is None:
            raise TypeError("debug: needs a Value or a Tensor, such as a loss; no exception was "
                            "shown that it could explain instead")
    if isinstance(loss, BaseException):
        trace = tensor_trace.trace_of_error(loss)
    elif isinstance(loss, scalar.Value):
        trace = scalar_trace.trace(loss)
    elif isinstance(loss, Tensor):
        if loss._node is not None and tensor_trace.is_released(loss):
            raise RuntimeError("debug: a backward has released the graph: call debug before it, or "
                               "compute the loss in a block `with learn.record():`")
        trace = tensor_trace.trace(loss)
    else:
        raise TypeError(f"debug: needs a Value or a Tensor, such as a loss, got "
                        f"{type(loss).__name__}")
    label = getattr(loss, "label", "")
    trace["title"] = title or ("an error, step by step" if isinstance(loss, BaseException) else
                               f"backward of {label}" if label else "backward, step by step")
    trace["opened"] = {at: {**inner, "title": at} for at, inner in _traces(opened or {}, trace)}
    page = Page(trace)
    if path is not None:
        page.save(path)
    return page


def _traces(opened: Mapping[str, scalar.Value] | Callable[[str], scalar.Value],
            trace: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(name, trace) for the elements to open."""
    if isinstance(opened, Mapping):
        yield from ((at, scalar_trace.trace(value)) for at, value in opened.items())
        return
    count = 0
    for node in trace.get("nodes", ()):
        if node["role"] == "parameter":
            for index in numpy.ndindex(*node["shape"]):
                place = f"[{', '.join(map(str, index))}]" if index else ""
                at = f"{node['name']}.grad{place}"
                value = opened(at)
                count += len(scalar.topological_order(value))
                if count > OPENED:
                    return
                yield at, scalar_trace.trace(value)
