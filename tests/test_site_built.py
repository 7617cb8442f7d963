"""The built site: python -m pytest -m long tests/test_site_built.py

It needs the extra `site`. SITE may be the folder of a site that `python -m tinytensor.site` has
built; without it the tests build one, which takes a minute or two.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tinytensor.site import labs, links, markdown
from tinytensor.site.__main__ import NEEDED
from tinytensor.site.reference import Reference

ROOT = Path(__file__).parent.parent
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(any(find_spec(name) is None for name in NEEDED),
                       reason="the extra `site` is not installed: pip install -e '.[site]'"),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    if "SITE" in os.environ:
        return Path(os.environ["SITE"])
    folder = tmp_path_factory.mktemp("site")
    subprocess.run([sys.executable, "-m", "tinytensor.site", str(folder)], cwd=ROOT, check=True)
    return folder


def test_every_link_leads_somewhere_and_nothing_is_loaded_from_elsewhere(site):
    assert links.wrong_links(site) == []
    styles = [*site.rglob("*.css"), *site.rglob("*.js")]
    assert len(styles) > 5
    for path in styles:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"@import|url\(['\"]?(https?:)?//", text), path.name


def test_every_public_name_has_an_anchor(site):
    anchors = set()
    for path in (site / "reference").rglob("*.html"):
        anchors |= set(re.findall(r'id="((?:tinytensor|scalar)\.[\w.]+)"', path.read_text()))
    reference = Reference()
    assert {*reference.found} - anchors == set()
    missing = {member.name for entry in reference.found.values() for member in entry.members
               if not any(f"{name}.{member.name.rpartition('.')[2]}" in anchors
                          for name in entry.names)}  # of a class with several names, under one
    assert missing == set()
    assert len(anchors) > 2500


def test_every_page_is_there(site):
    pages = {path.relative_to(site).with_suffix("").as_posix() for path in site.rglob("*.html")}
    assert {*markdown.INCLUDED} | {page for page, _ in labs.chapters()} <= pages
    assert {f"live/{program.stem}" for program in labs.PROGRAMS.glob("*.py")} <= pages
    assert {"index", "search", "live/playground", "how/operation", "recipes/save",
            "coming/micrograd"} <= pages


def test_the_search_index_is_a_script(site):
    index = (site / "searchindex.js").read_text()
    assert index.startswith("Search.setIndex(") and '"layer_norm"' in index


def test_no_page_names_the_folder_of_the_build(site):
    for path in site.rglob("*.html"):
        assert str(ROOT) not in path.read_text(encoding="utf-8"), path
