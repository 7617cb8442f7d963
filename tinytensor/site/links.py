"""Checks a built site: every link leads to a file and an anchor; nothing comes from elsewhere."""

from __future__ import annotations

import html
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {("script", "src"), ("img", "src"), ("iframe", "src"), ("link", "href"),
          ("source", "src"), ("object", "data"), ("video", "src"), ("audio", "src")}


TAG = re.compile(r"<(\w+)\s([^<>]*)>")
ATTRIBUTE = re.compile(r"""(?<![\w-])(id|name|href|src|data)=["']?([^"'\s]+)""")


class Page:
    """The anchors and links of a page."""

    def __init__(self, text: str = "") -> None:
        self.anchors: set[str] = set()
        self.links: list[tuple[str, bool]] = []  # the target, and whether the page loads it
        text = re.sub(r"<!--.*?-->|(?<=<script>).*?(?=</script>)", "", text, flags=re.DOTALL)
        for tag, attributes in TAG.findall(text):
            for name, value in ATTRIBUTE.findall(attributes):
                if name == "id" or (tag == "a" and name == "name"):
                    self.anchors.add(html.unescape(value))
                elif name != "name":
                    self.links.append((html.unescape(value), (tag, name) in LOADED))


def wrong_links(site: Path) -> list[str]:
    """A line for each link of the site that leads nowhere, or loads from elsewhere."""
    pages = {}
    for path in sorted(site.rglob("*.html")):
        live = path.is_relative_to(site / "live")  # the debugger's pages have no links
        text = "" if live else path.read_text(encoding="utf-8")
        pages[path.relative_to(site).as_posix()] = Page(text)
    return list(_wrong(site, pages))


def _wrong(site: Path, pages: dict[str, Page]) -> Iterator[str]:
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
