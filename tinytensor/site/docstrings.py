"""Docstrings as reStructuredText.

The project's docstrings are plain text: paragraphs, indented blocks (formulas, code, tables),
names in backticks, and the sections Args, Returns and Raises.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterator

SECTIONS = {"Args:": "param", "Raises:": "raises", "Returns:": "returns"}
Resolve = Callable[[str], "str | None"]  # the full name of a public object that a text names


def convert(doc: str, resolve: Resolve = lambda name: None) -> str:
    """The reStructuredText of a docstring, as `inspect.cleandoc` gives it."""
    parts: list[str] = []
    for block in filter(str.strip, re.split(r"\n\s*\n", doc)):
        parts += _block(block.strip("\n").rstrip(), resolve)
    return "\n\n".join(parts) + "\n"


def summary(doc: str) -> str:
    """The first sentence of a docstring."""
    first = " ".join(re.split(r"\n\s*\n|\n(?= {4})|(?<=\.) Shapes:", doc.strip())[0].split())
    return re.split(r"(?<=[^ .][.:]) (?=[A-Z`])", first)[0].rstrip(":.")


def _block(block: str, resolve: Resolve) -> Iterator[str]:
    lines = block.splitlines()
    head = lines[0].strip()
    if head in SECTIONS:
        yield "\n".join(_items(SECTIONS[head], textwrap.dedent("\n".join(lines[1:])), resolve))
    elif all(line.startswith("    ") for line in lines):
        language = "python" if _is_python(textwrap.dedent(block)) else "text"
        yield f".. code-block:: {language}\n\n{textwrap.indent(textwrap.dedent(block), '    ')}"
    elif any(line.startswith("    ") for line in lines):  # text, then an indented block
        start = next(i for i, line in enumerate(lines) if line.startswith("    "))
        end = next((i for i in range(start, len(lines)) if not lines[i].startswith("    ")),
                   len(lines))
        for part in (lines[:start], lines[start:end], lines[end:]):
            if part:
                yield from _block("\n".join(part), resolve)
    elif head.startswith("- "):
        items = re.split(r"\n(?=- )", block)
        yield "\n".join(f"- {inline(' '.join(item[2:].split()), resolve)}" for item in items)
    else:
        text, mark, shapes = re.sub(r"\s+", " ", block.strip()).partition("Shapes: ")
        if text:
            yield inline(text.strip(), resolve)
        if mark:
            yield f".. rst-class:: shapes\n\n**Shapes** {inline(shapes, resolve)}"


def _items(field: str, text: str, resolve: Resolve) -> Iterator[str]:
    """The fields of a section: `name: what it is`, with further lines indented."""
    for item in re.split(r"\n(?=\S)", text):
        if field == "returns":
            yield f":returns: {inline(' '.join(item.split()), resolve)}"
            continue
        name, _, rest = item.partition(":")
        yield f":{field} {name.strip()}: {inline(' '.join(rest.split()), resolve)}"


def _is_python(text: str) -> bool:
    """Whether a block is code: it is valid Python, and calls, assigns or defines something."""
    try:
        compile(text, "docstring", "exec")
    except SyntaxError:
        return False
    return bool(re.search(r"^(@|with|def|class|for|import|from|\w[\w.]* = .*\(|[\w.]+\()", text,
                          re.MULTILINE))


def inline(text: str, resolve: Resolve = lambda name: None) -> str:
    """A text of one line; names in backticks are literals, or links."""
    parts = re.split(r"(`[^`]+`)", text)
    return "".join(_code(part[1:-1], resolve) if i % 2 else escape(part)
                   for i, part in enumerate(parts))


def _code(text: str, resolve: Resolve) -> str:
    full = resolve(text)
    if full:
        return f"\\ :py:obj:`{text} <{full}>`\\ "
    return f"\\ ``{text.strip()}``\\ "


def escape(text: str) -> str:
    """Text whose characters mean nothing to reStructuredText."""
    return re.sub(r"([\\*`|_])", r"\\\1", text)
