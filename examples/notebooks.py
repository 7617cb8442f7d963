"""Writes the examples as notebooks.

    python examples/notebooks.py                  # each beside its example
    python examples/notebooks.py FOLDER           # into another folder
    python examples/notebooks.py FOLDER 04 06     # two of them

They are made from the examples, so change those. It needs the extra `notebooks`:
pip install -e '.[examples,notebooks]' in the project's folder.

In a notebook, the docstring is text, each function has a cell, and the last cell runs the program
with the options that are written there. Pictures are shown below it.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import support

from tinytensor.learn.notebooks import write

EXAMPLES = Path(__file__).parent
END = """# %% [markdown]
# The last cell runs it. `options` are those of the command line: `"--help"` lists them.

# %%
import shlex
import sys

options = "{options}"
sys.argv = ["{name}", *shlex.split(options)]
main()
"""
ELSEWHERE = """# %%
import sys

sys.path.insert(0, {folder!r})  # where the code is that the examples share
"""


def text_of(path: Path, options: str = "", elsewhere: bool = False) -> str:
    """An example in percent cells, whose last cell runs it with `options`.

    elsewhere: whether the notebook is written into another folder than the example's.
    """
    text = path.read_text(encoding="utf-8")
    lines, (doc, *body) = text.splitlines(), ast.parse(text).body
    title = f"# {path.stem.replace('_', ' ')}\n\n{ast.literal_eval(ast.unparse(doc)).strip()}"
    cells = ["# %% [markdown]\n" + "".join(f"# {line}".rstrip() + "\n"
                                           for line in title.splitlines())]
    if elsewhere:
        cells.append(ELSEWHERE.format(folder=str(EXAMPLES.absolute())))
    start, group = (doc.end_lineno or 0), ""
    for statement in body[:-1]:  # the last one is `if __name__ == "__main__"`
        end = statement.end_lineno or 0
        piece = "\n".join(lines[start:end]).strip("\n") + "\n"  # with the comments above
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            cells += [group, f"# %%\n{piece}"]
            group = ""
        else:
            group += piece if group else f"# %%\n{piece}"
        start = end
    return "\n".join(filter(None, [*cells, group, END.format(options=options, name=path.name)]))


def main() -> None:
    parser = support.parser(__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=EXAMPLES,
                        help="where the notebooks are written (default: that of the examples)")
    parser.add_argument("number", nargs="*", help="of the examples (default: all)")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(EXAMPLES.glob("[0-9][0-9]_*.py")):
        if not args.number or path.name[:2] in args.number:
            elsewhere = args.folder.absolute() != EXAMPLES.absolute()
            written = args.folder / f"{path.stem}.ipynb"
            try:
                write(text_of(path, elsewhere=elsewhere), written)
            except ImportError as missing:
                sys.exit(str(missing))
            print(f"wrote {written}")


if __name__ == "__main__":
    main()
