"""The chapters of the labs, from their sources, and the live pages of the debugger in them."""

from __future__ import annotations

import ast
import re
import runpy
from collections.abc import Iterator
from pathlib import Path

from .. import learn
from ..arrays.dispatch import use_kernels
from ..compiled import use_compiled
from ..learn.labs.course import CELL, LABS, Lab
from ..learn.playground import page as playground
from .names import ROOT

PROGRAMS = Path(__file__).parent / "live"
# The program whose live page a lab shows, and what to look at.
LIVE = {
    3: ("neuron", "Press → in the backward pass: each step is one local rule, with its numbers."),
    4: ("neuron", "Each step of the backward pass multiplies the gradient that arrives by one "
        "local derivative."),
    5: ("shared", "`a` and `product` are used twice. Watch their gradients grow in two steps."),
    6: ("shared", "`product` passes its gradient on only when both of its parts have arrived: that "
        "is the order."),
    7: ("moons", "The same neurons as in this lab, 16 of them and a last one, on four points."),
    8: ("moons", "The last step of the backward pass shows every gradient that the optimizer "
        "uses."),
    11: ("cross_entropy", "Where a size was 1, the gradient is summed: look at the division."),
    13: ("layer_norm", "Three paths lead back to `x`: through the mean, the variance and the "
         "number itself."),
    15: ("convolution", "The gradient of each weight is a sum over all windows."),
    16: ("lstm", "The weights are used in every step: their gradients arrive in three parts."),
    17: ("attention", "The mask stops the gradient: above the diagonal of the scores it is 0."),
}


def live_pages(folder: Path) -> None:
    """Runs the programs and writes the page of each, and the playground."""
    folder.mkdir(parents=True, exist_ok=True)
    for program in sorted(PROGRAMS.glob("*.py")):
        # The recorder would follow every step that writes or compiles code.
        with use_kernels(False), use_compiled(False):
            loss = runpy.run_path(str(program))["loss"]
        learn.debug(loss, folder / f"{program.stem}.html", title=title_of(program))
    (folder / "playground.html").write_text(playground.page(), encoding="utf-8")


def title_of(program: Path) -> str:
    """The first sentence of a program's docstring."""
    return (ast.get_docstring(ast.parse(program.read_text(encoding="utf-8"))) or "").rstrip(".")


def chapters() -> Iterator[tuple[str, str]]:
    """(page, Markdown) of every lab."""
    for lab in LABS:
        yield page_of(lab), chapter(lab)


def page_of(lab: Lab) -> str:
    return f"learn/labs/{lab.source.stem}"


def chapter(lab: Lab) -> str:
    """The text and the tasks of a lab as a page. Solutions are not on it."""
    parts = CELL.split(lab.learner_text())[1:]
    cells = [_cell(kind.strip(), text) for kind, text in zip(parts[::2], parts[1::2], strict=True)]
    return "\n\n".join([*cells, _check(lab), *_live(lab)]) + "\n"


def _cell(kind: str, text: str) -> str:
    if kind == "[markdown]":
        return re.sub(r"^# ?", "", text, flags=re.MULTILINE).strip()
    return f"```python\n{text.strip()}\n```"


def _check(lab: Lab) -> str:
    first = "python -m tinytensor learn start labs && cd labs" if lab.number == 1 \
        else "python -m tinytensor learn next"
    check = "python -m tinytensor learn check".ljust(len(first))
    first = first.ljust(len(check))
    hints = "\n\n".join(f"<details><summary>Hint {i}</summary>\n\n{hint}\n\n</details>"
                        for i, hint in enumerate(lab.hints, 1))
    return f"""## Do it

```sh
{first}    # writes {lab.file_name}
{check}    # says what is wrong, and why
```

{hints}"""


def _live(lab: Lab) -> Iterator[str]:
    if lab.number in LIVE:
        name, words = LIVE[lab.number]
        up = "../../"
        program = (PROGRAMS / f"{name}.py").relative_to(ROOT)
        yield f"""## Watch it

{words}

<iframe class="live" src="{up}live/{name}.html" loading="lazy"
title="Debugger: {title_of(PROGRAMS / (name + '.py'))}"></iframe>

<p><a href="{up}live/{name}.html">Open this page alone</a>. Keys: → and ← step, <kbd>p</kbd> goes to
the backward pass, <kbd>?</kbd> lists all. <code>learn.debug(loss, "page.html")</code> makes such a
page of any loss; <a href="{up}learn/tools.html">Tools for learning</a> describes it.</p>

<details><summary>The program of this page</summary>

```{{literalinclude}} ROOT/{program}
```

</details>"""
