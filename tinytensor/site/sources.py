"""Pages with the sources of files: highlighted, with an anchor for each line."""

from __future__ import annotations

import html
import posixpath
from collections.abc import Iterable
from pathlib import Path

from .names import ROOT

TEXTS = (".py", ".pyi", ".cu", ".h", ".js", ".css", ".html", ".md", ".txt", ".toml")

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{path} - tinytensor</title>
<link rel="stylesheet" href="{up}_static/source.css">
<script>document.documentElement.dataset.theme = localStorage.getItem("theme") || "auto"</script>
</head>
<body>
<header><a href="{up}index.html">tinytensor</a> <h1>{path}</h1></header>
<main>
{body}
</main>
</body>
</html>
"""


def write(folder: Path, paths: Iterable[str]) -> None:
    """Writes a page for each path in the repository; a folder's lists its files."""
    wanted = set(paths)
    for path in sorted(wanted):
        if (ROOT / path).is_dir():
            wanted |= {f"{path}/{inner.name}" for inner in (ROOT / path).iterdir()
                       if inner.suffix in TEXTS}
    for path in sorted(wanted):
        is_folder = (ROOT / path).is_dir()
        target = folder / path / "index.html" if is_folder else folder / f"{path}.html"
        target.parent.mkdir(parents=True, exist_ok=True)
        up = "../" * (path.count("/") + 1 + is_folder)
        body = _listing(path, wanted) if is_folder else _highlighted(path)
        target.write_text(PAGE.format(path=html.escape(path), up=up, body=body), encoding="utf-8")


def _listing(folder: str, wanted: set[str]) -> str:
    names = sorted(posixpath.basename(path) for path in wanted
                   if posixpath.dirname(path) == folder and not (ROOT / path).is_dir())
    rows = "\n".join(f'<li><a href="{name}.html">{name}</a></li>' for name in names)
    return f"<ul>\n{rows}\n</ul>"


def _highlighted(path: str) -> str:
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import TextLexer, get_lexer_for_filename
    from pygments.util import ClassNotFound

    text = (ROOT / path).read_text(encoding="utf-8")
    try:
        lexer = get_lexer_for_filename(path)
    except ClassNotFound:
        lexer = TextLexer()
    return highlight(text, lexer, HtmlFormatter(
        linenos="inline", lineanchors="line", anchorlinenos=True, wrapcode=True))
