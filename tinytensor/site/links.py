"""Checks a built site: every link leads to a file and an anchor; nothing comes from elsewhere."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {("script", "src"), ("img", "src"), ("iframe", "src"), ("link", "href"),
          ("source", "src"), ("object", "data"), ("video", "src"), ("audio", "src")}


@dataclass
class Found(HTMLParser):
    """The anchors and links of a page."""

    anchors: set[str] = field(default_factory=set)
    links: list[tuple[str, bool]] = field(default_factory=list)  # target, whether it is loaded

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value and (name == "id" or (tag == "a" and name == "name")):
                self.anchors.add(value)
            elif value and (name in ("href", "src", "data") and tag not in ("base",)):
                self.links.append((value, (tag, name) in LOADED))


def wrong_links(site: Path) -> list[str]:
    """A line for each link of the site that leads nowhere, or loads from elsewhere."""
    pages = {}
    for path in sorted(site.rglob("*.html")):
        page = pages[path.relative_to(site).as_posix()] = Found()
        if not path.is_relative_to(site / "live"):  # the debugger's pages have no links
            page.feed(path.read_text(encoding="utf-8"))
    return list(_wrong(site, pages))


def _wrong(site: Path, pages: dict[str, Found]) -> Iterator[str]:
    files = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
    for name, page in pages.items():
        for target, loaded in page.links:
            parts = urlsplit(target)
            if parts.scheme in ("data", "mailto"):
                continue
            if parts.scheme or parts.netloc:
                if loaded:
                    yield f"{name} loads from elsewhere: {target}"
                continue
            place = posixpath.join(posixpath.dirname(name), unquote(parts.path))
            path = posixpath.normpath(place) if parts.path else name
            if path not in files:
                yield f"{name}: no such file: {target}"
            elif parts.fragment and path in pages and \
                    unquote(parts.fragment) not in pages[path].anchors:
                yield f"{name}: no such anchor: {target}"
