"""Builds the documentation site: `python -m tinytensor.site OUT`."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from pathlib import Path

NEEDED = ("sphinx", "furo", "myst_parser")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tinytensor.site", description=__doc__)
    parser.add_argument("out", type=Path, help="the folder for the site; open OUT/index.html")
    options = parser.parse_args()
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        sys.exit(f"{', '.join(missing)}: not installed; run: pip install -e '.[site]'")
    from .build import build
    from .links import wrong_links

    pages = build(options.out)
    wrong = wrong_links(options.out)
    print(*wrong, sep="\n")
    if wrong:
        sys.exit(f"{len(wrong)} wrong links")
    print(f"{pages} pages; open {options.out / 'index.html'}")


if __name__ == "__main__":
    main()
