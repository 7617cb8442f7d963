"""The built site in a real browser, opened from the disk: python -m pytest -m browser

SITE must be the folder of a site that `python -m tinytensor.site` has built. Chromium and axe-core
are found as in test_debugger_browser.py.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import chromium
import pytest

SITE = Path(os.environ.get("SITE", "-"))
AXE = os.environ.get("AXE_CORE", "node_modules/axe-core/axe.min.js")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(chromium.program() is None, reason=chromium.INSTALL),
    pytest.mark.skipif(not (SITE / "index.html").is_file(),
                       reason="SITE is not a built site: python -m tinytensor.site FOLDER"),
]
KINDS = {  # the main kinds of pages
    "first": "index.html", "lab": "learn/labs/05_adding_up.html", "chapter": "how/operation.html",
    "recipe": "recipes/save.html", "reference": "reference/operations/normalization.html",
    "table": "reference/modules/tinytensor.html", "source": "source/scalar/engine.py.html",
}


@pytest.fixture
def show(browser):
    """A function that opens a page; at the end it must have asked nothing of the network, and
    thrown nothing."""
    tabs = []

    def show(page, **options):
        tab = browser.open(f"{SITE.absolute().as_uri()}/{page}", **options)
        tabs.append(tab)
        return tab

    yield show
    for tab in tabs:
        asked = [url for url in tab.requests if not url.startswith(("file:", "data:"))]
        assert asked == [] and tab.errors == []
        tab.close()


def until(tab, condition):
    """Waits until a condition of the page holds."""
    deadline = time.monotonic() + 20
    while not tab.run(condition):
        assert time.monotonic() < deadline, condition
        time.sleep(0.05)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("width", [1400, 390], ids=["wide", "phone"])
def test_pages_open_from_the_disk_and_do_not_scroll_sideways(show, kind, width):
    tab = show(KINDS[kind], width=width)
    assert tab.run("document.documentElement.scrollWidth") <= width
    assert tab.run("document.querySelector('h1').innerText.length") > 3


def test_the_search_finds_a_function(show):
    tab = show("search.html?q=layer_norm")
    until(tab, "document.querySelectorAll('#search-results li').length >= 5")
    results = tab.run("[...document.querySelectorAll('#search-results li a')].slice(0, 3)"
                      ".map((a) => [a.innerText, a.getAttribute('href')])")
    texts = [text for text, _ in results]
    assert "tinytensor.nn.functional.layer_norm" in texts
    link = dict(results)["tinytensor.nn.functional.layer_norm"]
    page, _, anchor = link.partition("#")
    assert anchor == "tinytensor.nn.functional.layer_norm"
    assert f'id="{anchor}"' in (SITE / page).read_text()


def test_the_search_with_the_keyboard(show):
    tab = show("index.html")
    tab.press("/")
    assert tab.run("document.activeElement.className") == "sidebar-search"
    tab.write("gradcheck")
    tab.press("Enter")
    until(tab, "location.pathname.endsWith('search.html')")
    until(tab, "document.querySelectorAll('#search-results li').length > 0")


def background(tab):
    return tab.run("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")


@pytest.mark.parametrize("kind", ["first", "reference", "source"])
def test_dark_and_light_follow_the_system(show, kind):
    assert min(background(show(KINDS[kind]))) > 240
    assert max(background(show(KINDS[kind], dark=True))) < 40


def test_the_button_changes_between_dark_and_light_and_it_stays(show):
    tab = show("index.html")
    seen = set()
    for _ in range(3):
        tab.run("[...document.querySelectorAll('.theme-toggle')].find((b) => b.offsetParent)"
                ".click()")
        seen.add(tab.run("document.body.dataset.theme"))
    assert seen == {"light", "dark", "auto"}
    tab.run("localStorage.setItem('theme', 'dark')")
    assert max(background(show(KINDS["source"]))) < 40
    tab.run("localStorage.setItem('theme', 'auto')")


def test_the_first_link_of_the_keyboard_leads_to_the_text(show):
    tab = show(KINDS["chapter"])
    tab.press("Tab")
    assert tab.run("document.activeElement.innerText") == "Skip to content"
    tab.press("Tab")
    assert tab.run("document.activeElement !== document.body")


def test_a_live_page_answers_in_its_frame(show):
    tab = show("learn/labs/05_adding_up.html")
    tab.run("document.querySelector('iframe.live').scrollIntoView()")
    until(tab, "document.querySelector('iframe.live').contentWindow !== null")
    assert (SITE / "live/shared.html").is_file()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.skipif(not Path(AXE).is_file(), reason="AXE_CORE is not the path of axe.min.js: "
                    "npm install axe-core")
def test_no_violation_that_axe_core_finds(show, kind, dark):
    tab = show(KINDS[kind], dark=dark)
    tab.run(Path(AXE).read_text())
    found = tab.run("axe.run(document, {iframes: false, preload: false})"
                    ".then((r) => r.violations.map((v) => [v.id, v.help, "
                    "v.nodes.slice(0, 3).map((n) => n.html.slice(0, 200))]))")
    assert found == []
