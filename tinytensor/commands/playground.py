"""Writes the playground: a page in which a small network is trained step by step.

Without --pyodide the page is a recording of four runs by both engines. With it the page trains by
itself, offline, on the scalar engine: it contains Python for the browser, about 8 MB, which
`npm pack` fetches once. Both are one file, and make no request.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

NPM = "npm"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("page", type=Path, help="the file to write, such as playground.html")
    parser.add_argument("--pyodide", nargs="?", const=NPM, metavar="FILE",
                        help="make the live page, with Pyodide by npm, or from FILE, which "
                             "`npm pack pyodide@VERSION` has written")


def run(options: argparse.Namespace) -> None:
    from ..learn.playground.page import page
    from ..learn.playground.pyodide import pyodide
    if not options.page.parent.is_dir():
        sys.exit(f"playground: there is no folder {options.page.parent} to write into")
    if options.page.is_dir():
        sys.exit(f"playground: {options.page} is a folder; name the file, such as "
                 f"{options.page / 'playground.html'}")
    if options.pyodide not in (None, NPM) and not Path(options.pyodide).is_file():
        sys.exit(f"playground: there is no file {options.pyodide}")
    parts = None
    if options.pyodide:
        try:
            parts = pyodide(None if options.pyodide == NPM else Path(options.pyodide))
        except (RuntimeError, ValueError, OSError) as error:
            sys.exit(str(error))
    options.page.write_text(page(parts), encoding="utf-8")
    print(f"wrote {options.page} ({options.page.stat().st_size / 1e6:.1f} MB): open it in a "
          "browser, no network is needed")
