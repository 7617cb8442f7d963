"""Markdown files of the repository as pages of the site: their links are rewritten.

A link to a file that is a page of the site leads to that page, a link to another file to a page
with its source, and a picture is copied.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping

from .names import ROOT

# page of the site, without suffix: the file that it shows
_PLACED = {
    "start": "README.md",
    "examples": "examples/README.md",
    "learn/tools": "tinytensor/learn/README.md",
    "learn/mistakes": "tinytensor/learn/MISTAKES.md",
    "learn/teaching": "tinytensor/learn/TEACHING.md",
    "learn/diagnoses": "tinytensor/learn/DIAGNOSES.md",
    "coming/pytorch": "tinytensor/PYTORCH.md",
    "project/operations": "tinytensor/OPERATIONS.md",
    "project/benchmarks": "benchmarks/README.md",
    "project/notes": "benchmarks/NOTES.md",
    "project/distributed": "tinytensor/DISTRIBUTED.md",
    "project/security": "SECURITY.md",
    "project/contributing": "CONTRIBUTING.md",
    "project/changelog": "CHANGELOG.md",
}


def _others() -> dict[str, str]:
    """Pages for the Markdown files that have no place above: they are listed last."""
    files = [*ROOT.glob("*.md"), *(path for folder in ("tinytensor", "benchmarks", "examples")
                                   for path in sorted((ROOT / folder).rglob("*.md")))]
    paths = [path.relative_to(ROOT).as_posix() for path in files]
    return {f"more/{path.removesuffix('.md').lower().replace('/', '-')}": path for path in paths
            if path not in _PLACED.values() and not path.startswith("tinytensor/site/")}


INCLUDED = {**_PLACED, **_others()}
PAGES = "tinytensor/site/pages/"
LINK = re.compile(r"(!?)\[((?:[^][]|\[[^][]*\])*)\]\(([^()\s]+)\)")
BLOCKS_OF_CODE = re.compile(r"(^```.*?^```$|^    [^\n]*$)", re.MULTILINE | re.DOTALL)


class Links:
    """Rewrites links, and collects which sources and pictures the site needs for them."""

    def __init__(self, pages: Mapping[str, str] = INCLUDED):
        self.page_of = {file: page for page, file in pages.items()}
        self.sources: set[str] = set()  # paths in the repository
        self.pictures: set[str] = set()
        self.linked: set[str] = set()  # pictures that pages link to

    def rewrite(self, text: str, page: str, file: str) -> str:
        """The text of a Markdown file as that of a page of the site."""
        return outside_code(text, lambda part: LINK.sub(
            lambda m: self._link(m[1], m[2], m[3], page, file), part))

    def _link(self, mark: str, text: str, target: str, page: str, file: str) -> str:
        path, _, anchor = target.partition("#")
        if "://" in target or not path:
            return f"{mark}[{text}]({target})"
        place = posixpath.normpath(posixpath.join(posixpath.dirname(file), path))
        anchor = f"#{anchor}" if anchor else ""
        if place.startswith(PAGES):  # between pages that are written for the site
            return f"{mark}[{text}]({target})"
        if mark:
            self.pictures.add(place)
            return f"![{text}]({up(page)}pictures/{place.replace('/', '-')})"
        if place in self.page_of:
            return f"[{text}]({up(page)}{self.page_of[place]}.md{anchor})"
        if place.endswith((".png", ".svg")):
            self.linked.add(place)
            return f'<a href="{up(page)}pictures/{place.replace("/", "-")}">{text}</a>'
        self.sources.add(place)
        return f'<a href="{up(page)}{source_page(place)}">{text}</a>'


def outside_code(text: str, change: Callable[[str], str]) -> str:
    """A Markdown text of which everything but blocks of code is changed."""
    parts = BLOCKS_OF_CODE.split(text)
    return "".join(part if i % 2 else change(part) for i, part in enumerate(parts))


def up(page: str) -> str:
    """The way from a page to the top of the site."""
    return "../" * page.count("/")


def source_page(path: str) -> str:
    """Where the site shows a file or a folder of the repository."""
    return f"source/{path}/index.html" if (ROOT / path).is_dir() else f"source/{path}.html"
