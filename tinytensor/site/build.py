"""Puts the sources of all pages into one folder and runs Sphinx on it."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

from . import labs, markdown, sources
from .names import ROOT
from .reference import Reference

HERE = Path(__file__).parent


def build(out: Path) -> int:
    """Builds the site and returns the number of its pages.

    Raises:
        RuntimeError: Sphinx has warned of something: a page, a link or a name that is missing.
    """
    with tempfile.TemporaryDirectory() as folder:
        place, extra = Path(folder) / "pages", Path(folder) / "extra"
        place.mkdir()
        extra.mkdir()
        write_pages(place, extra)
        _run_sphinx(place, Path(folder) / "site", Path(folder) / "doctrees")
        _copy(Path(folder) / "site", extra, out)
    return len([*out.rglob("*.html")])


def write_pages(place: Path, extra: Path) -> None:
    """Writes what Sphinx reads into `place`, and files that it only copies into `extra`."""
    shutil.copytree(HERE / "theme", place, dirs_exist_ok=True)
    links = markdown.Links()
    texts = {path.relative_to(HERE / "pages").with_suffix("").as_posix():
             (path.read_text(encoding="utf-8"), path.relative_to(ROOT).as_posix())
             for path in (HERE / "pages").rglob("*.md")}
    texts |= {page: ((ROOT / file).read_text(encoding="utf-8"), file)
              for page, file in markdown.INCLUDED.items()}
    texts |= {page: (text, f"tinytensor/site/pages/{page}.md") for page, text in labs.chapters()}
    text, file = texts["index"]
    others = "".join(f"{page}\n" for page in sorted(texts) if page.startswith("more/"))
    texts["index"] = text.replace("more/*\n", others), file
    for page, (text, file) in texts.items():
        path = place / f"{page}.md"
        _write(path, _with_code(links.rewrite(text, page, file), path.parent))
    reference = Reference()
    for name, text in reference.files():
        _write(place / "reference" / name, text)
    _write(place / "classes.json", json.dumps(reference.classes()))
    for folder, pictures in ((place, links.pictures), (extra, links.linked)):
        (folder / "pictures").mkdir()
        for picture in pictures:
            shutil.copy(ROOT / picture, folder / "pictures" / picture.replace("/", "-"))
    labs.live_pages(extra / "live")
    sources.write(extra / "source", links.sources | reference.sources)


def _with_code(text: str, folder: Path) -> str:
    """A page whose included code is found from its folder, and highlighted."""
    root = Path(os.path.relpath(ROOT, folder)).as_posix()
    text = re.sub(r"(literalinclude\} )ROOT(/\S+\.py)$", rf"\1{root}\2\n:language: python", text,
                  flags=re.MULTILINE)
    return text.replace("literalinclude} ROOT/", f"literalinclude}} {root}/")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _run_sphinx(place: Path, out: Path, doctrees: Path) -> None:
    from sphinx.cmd.build import build_main

    answer = build_main(["-q", "-W", "--keep-going", "-d",
                         str(doctrees), "-b", "html", str(place), str(out)])
    if answer:
        raise RuntimeError("the site was not built: see the warnings above")
    sys.stdout.flush()


def _copy(site: Path, extra: Path, out: Path) -> None:
    """Moves the finished site to its place: a site that was there before is replaced."""
    if out.exists() and any(out.iterdir()) and not (out / "searchindex.js").exists():
        raise FileExistsError(f"{out} has other files than a site: choose an empty folder")
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(site, out, ignore=shutil.ignore_patterns(".buildinfo", "_sources"))
    shutil.copytree(extra, out, dirs_exist_ok=True)
